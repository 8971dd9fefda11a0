# logfold: `make all` runs the whole thing, `make test` proves it. See README.md.
#
# Sources are found by folder; a new .c file needs no line here. Tests: tests/unit/<room>_test.c is a cmocka program.

CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
PGO     ?= # 1: profile-guided, see below
BUILD   := build$(if $(SAN),-san-$(SAN))$(if $(PGO),-pgo)$(if $(findstring train,$(PGO)),/train)
QUIET    = $(if $(V),,$(if $(findstring s,$(firstword -$(MAKEFLAGS))),@,@echo "  $@";)) # V=1 shows the commands
OPT     ?= -O2 -g # to profile: -O2 -g -fno-omit-frame-pointer, which costs 3 to 5 %

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wstrict-prototypes \
        -Wmissing-prototypes -Wold-style-definition -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wpointer-arith \
        -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion -Wredundant-decls \
        -Wunused-macros -Wdate-time -fno-common -Werror
ifeq ($(SAN),1)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif
ifeq ($(SAN),thread)
SANFLAGS := -fsanitize=thread
endif
ifeq ($(SAN),fuzz)
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
WARN     += -Wno-string-conversion # the rest of clang's are for tools/lint
endif
# Link-time optimisation is worth 10 % of a replay; the objects are ordinary ones too, for tests and for libstate.a's users.
LTO      := $(if $(SAN)$(findstring clang,$(CC)),,-flto=auto)
# PGO=1 trains the program before it compiles it (bench/train.sh): up to 11 % less time from Kafka, by machine, for a minute
# of building and gcc only. PGO=train is what is trained.
PGO_1     := -fprofile-use -fprofile-partial-training -w # the ordinary build warns
PGO_train := -fprofile-generate -fprofile-update=atomic
PROFILE   := $(if $(findstring 1,$(PGO)),$(BUILD)/profile)
HARDEN   := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
CPPFLAGS += -D_GNU_SOURCE -I. -Isrc -isystem $(shell pg_config --includedir 2>/dev/null || echo /usr/include/postgresql) \
            -isystem /usr/include/pg_query
CFLAGS   += -std=c11 $(OPT) $(WARN) $(HARDEN) $(SANFLAGS) $(PGO_$(strip $(PGO))) -fvisibility=hidden $(if $(LTO),$(LTO) -ffat-lto-objects)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SANFLAGS) $(PGO_$(strip $(PGO))) -pthread

STATE_LIBS := -llmdb -lzstd -lxxhash -pthread
LIBS := $(STATE_LIBS) -lpq -lrdkafka -lpg_query -lprotobuf-c -lgmp -linih -lsystemd -lm

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
BASE_OBJ  := $(call obj,$(wildcard src/base/*.c))
STATE_OBJ := $(call obj,$(wildcard state/log/*.c state/index/*.c state/store.c))
ROOM_OBJ  := $(call obj,$(wildcard src/row/*.c src/event/*.c src/plan/*.c src/expr/*.c src/sql/*.c src/flow/*.c \
             src/ingest/*.c src/sink/*.c src/pipeline/*.c src/config/*.c))
PROCD_OBJ := $(call obj,$(wildcard src/procd/*.c))
CTL_OBJ   := $(call obj,$(wildcard tools/statectl/*.c))
FUZZ_OBJ  := $(call obj,$(wildcard src/base/*.c src/row/*.c src/event/*.c src/plan/*.c src/expr/*.c src/sql/*.c \
             src/ingest/debezium*.c src/ingest/json.c src/ingest/pgoutput.c))
FUZZ      := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
UNIT      := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*_test.c))

.PHONY: all
all:
	@tools/run/packages.sh build run $(if $(filter-out 0,$(KAFKA)),kafka)
	@$(MAKE) --no-print-directory -j$$(nproc) build
	@KAFKA=$(KAFKA) tools/run/up.sh
	@tools/run/show.sh 3 3
	@echo
	@echo "Running. Next: make csv (the four files), make status, make stop; build/statectl -c run/logfold.conf explain top3_delivery_dates;"
	@echo "tail -f run/procd.log; psql -h 127.0.0.1 -p $$(cat run/sink.port) -U postgres analytics; build/procd --help"

.PHONY: build
build: $(BUILD)/libstate.a $(BUILD)/example $(BUILD)/procd $(BUILD)/statectl

$(BUILD)/%.o: %.c $(PROFILE)
	@mkdir -p $(@D)
	$(QUIET) $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

build-pgo/profile: $(wildcard src/*/*.[ch] state/*.[ch] state/*/*.[ch])
	@$(MAKE) --no-print-directory PGO=train $(addprefix build-pgo/train/,procd bench/decode_micro bench/generate)
	@bench/train.sh build-pgo/train
	@touch $@

$(BUILD)/libstate.a: $(BASE_OBJ) $(STATE_OBJ)
	@rm -f $@
	$(QUIET) ar rcs $@ $^

$(BUILD)/librooms.a: $(ROOM_OBJ)
	@rm -f $@
	$(QUIET) ar rcs $@ $^

$(BUILD)/example: $(BUILD)/state/example.o $(BUILD)/libstate.a
	$(QUIET) $(CC) $(LDFLAGS) $(if $(LTO),-fno-lto) -o $@ $^ $(STATE_LIBS)

$(BUILD)/procd: $(PROCD_OBJ) $(BUILD)/librooms.a $(BUILD)/libstate.a
	$(QUIET) $(CC) $(LDFLAGS) $(OPT) $(LTO) -o $@ $^ $(LIBS)

$(BUILD)/statectl: $(CTL_OBJ) $(BUILD)/librooms.a $(BUILD)/libstate.a
	$(QUIET) $(CC) $(LDFLAGS) $(if $(LTO),-fno-lto) -o $@ $^ $(LIBS)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/librooms.a $(BUILD)/libstate.a
	$(QUIET) $(CC) $(LDFLAGS) $(if $(LTO),-fno-lto) -o $@ $^ $(LIBS) -lcmocka -lmsgpackc $(TEST_LIBS)

$(BUILD)/libfuzzed.a: $(FUZZ_OBJ)
	@rm -f $@
	$(QUIET) ar rcs $@ $^

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libfuzzed.a
	$(QUIET) $(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) $(TEST_LIBS)

# Two other JSON libraries to compare with; jansson and ingest/json.h in one file would clash.
$(BUILD)/tests/unit/debezium_differential_test $(BUILD)/tests/fuzz/json_fuzz: $(BUILD)/tests/unit/json_judge.o
$(BUILD)/tests/unit/debezium_differential_test $(BUILD)/tests/fuzz/json_fuzz: TEST_LIBS := -ljansson -lyajl

$(BUILD)/bench/generate: $(BUILD)/bench/acme_events.o
$(BUILD)/bench/kafka_generate: $(addprefix $(BUILD)/bench/,acme_events.o debezium_tables.o debezium_write.o kafka_produce.o)

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/librooms.a $(BUILD)/libstate.a
	$(QUIET) $(CC) $(LDFLAGS) $(OPT) $(LTO) -o $@ $^ $(LIBS)

.PHONY: csv status stop clean install test check bench
csv: build
	@build/statectl -s run/store dump --csv --out out
status:
	@tools/run/status.sh
stop:
	@tools/run/down.sh
clean:
	@tools/run/clean.sh

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/include/state $(DESTDIR)$(PREFIX)/include/base \
	    $(DESTDIR)$(PREFIX)/share/logfold
	install -m 755 $(BUILD)/procd $(BUILD)/statectl $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/libstate.a $(DESTDIR)$(PREFIX)/lib
	install -m 644 state/store.h $(DESTDIR)$(PREFIX)/include/state
	install -m 644 src/base/bytes.h src/base/error.h $(DESTDIR)$(PREFIX)/include/base
	install -m 644 schemas/*.sql $(DESTDIR)$(PREFIX)/share/logfold

test:
	@tools/run/packages.sh build test kafka
	@$(MAKE) --no-print-directory -j$$(nproc) build unit-build SAN=$(SAN)
	@LOGFOLD_BUILD=$(BUILD) tests/run.sh

# The linters of tools/lint; each is tested on bad examples in tests/lint.
check: export CC := $(CC)
check: export CPPFLAGS := $(CPPFLAGS)
check: export WARN := $(WARN)
check:
	@tools/run/packages.sh build test check
	@$(MAKE) --no-print-directory -j$$(nproc) build
	@$(MAKE) --no-print-directory -j$$(nproc) fuzz-build SAN=fuzz CC=clang-14 OPT='-O1 -g'
	@tools/lint/check.sh $(BUILD) build-san-fuzz $(BASE_OBJ) $(STATE_OBJ) $(ROOM_OBJ) $(PROCD_OBJ) $(CTL_OBJ)

# Slow and with opinions: to read, not to pass.
.PHONY: tidy
tidy:
	@tools/run/packages.sh build check
	clang-tidy-14 --quiet --checks='-*,bugprone-*,-bugprone-easily-swappable-parameters,clang-analyzer-*,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
	    $(wildcard src/*/*.c state/*.c state/*/*.c tools/statectl/*.c) -- $(CPPFLAGS) -std=c11

.PHONY: unit-build fuzz-build fuzz
unit-build: $(UNIT)
fuzz-build: $(FUZZ)

# Every target for FUZZ_SECONDS, with the inputs that found something new kept in build/fuzz; one that fails, too.
fuzz:
	@tools/run/packages.sh build test check
	@$(MAKE) --no-print-directory -j$$(nproc) fuzz-build SAN=fuzz CC=clang-14 OPT='-O1 -g'
	@tests/fuzz/run.sh build-san-fuzz soak

# `make bench BENCH="replay latency"` runs some of them; sizes by environment, see bench/run.py.
bench:
	@tools/run/packages.sh build test bench $(if $(BENCH),$(if $(findstring kafka,$(BENCH)),kafka),kafka)
	@$(MAKE) --no-print-directory -j$$(nproc) build $(addprefix $(BUILD)/bench/,generate ceiling kafka_generate kafka_drain)
	@LOGFOLD_BUILD=$(BUILD) bench/run.py $(BENCH)

# The same topics and views by Flink's SQL beside us: bench/flink.py.
.PHONY: bench-flink
bench-flink:
	@tools/run/packages.sh build test bench kafka flink
	@$(MAKE) --no-print-directory -j$$(nproc) build $(BUILD)/bench/kafka_generate
	@LOGFOLD_BUILD=$(BUILD) bench/flink.py

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
