#!/bin/bash
# Runs every linter over the tree and says what each found. Called by `make check`, which exports CC, CPPFLAGS and WARN.
# Usage: check.sh BUILD FUZZ-BUILD OBJECT...
set -u
cd "$(dirname "$0")/../.."
build=$1
fuzz_build=$2
shift 2
mapfile -t files < <(find src state tools bench tests/unit tests/fuzz -name '*.[ch]' | sort)
mapfile -t headers < <(printf '%s\n' "${files[@]}" | grep '\.h$')
mapfile -t units < <(printf '%s\n' "${files[@]}" | grep '\.c$')
flags="$CPPFLAGS -std=c11 $WARN"
failed=0

run() {
    local name=$1
    shift
    if "$@"; then
        echo "ok     $name"
    else
        echo "FAILED $name"
        failed=1
    fi
}

# shellcheck disable=SC2086
second_compiler() {
    printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 24 clang-14 $flags -Wno-unknown-warning-option -Wcomma \
        -Wno-string-conversion -fsyntax-only
}

run "linters catch their bad examples" tests/lint/run.sh
run "layers: every #include goes along an arrow" tools/lint/layers.py
run "banned words, long lines, functions and files" tools/lint/banned.py "${files[@]}"
run "format: as clang-format lays it out" tools/lint/format.sh "${files[@]}"
# shellcheck disable=SC2086
run "headers stand alone" tools/lint/headers.sh $CC $flags -- "${headers[@]}"
run "clang's warnings" second_compiler
run "fuzz targets, a fixed number of runs" tests/fuzz/run.sh "$fuzz_build" short
run "symbols: no mutable globals" tools/lint/symbols.sh "$build/libstate.a" "$@"
run "procd --help names every option" tools/lint/help.sh "$build/procd" src/procd/options.c
run "statectl --help names every option and verb" tools/lint/help.sh "$build/statectl" tools/statectl/main.c
exit $failed
