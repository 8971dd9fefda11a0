/* statectl: looks at a store, beside procd or without it. Changes nothing in it, but for what "quarantine redrive" adds
 * to its log. */
#include "ctl.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "flow/flow.h"
#include "pipeline/identity.h"
#include "procd/version.h"
#include "sql/sql.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct verb {
    const char *name;
    int (*run)(struct ctl *c);
    bool needs_catalog;
    const char *help;
};

static const struct verb verbs[] = {
    {"status", verb_status, false,
     "status                     seq, positions, lag, sizes, sink, rates, quarantine [--json]"},
    {"dump", verb_dump, true,
     "dump [NAME]                one view or table to stdout, or every view into files of --out DIR [--csv|--json]"},
    {"wait", verb_wait, false,
     "wait                       until --lsn X/Y, --seq N, --offset TOPIC:PARTITION:OFFSET or --idle; also in the sink "
     "with --sink"},
    {"views", verb_views, true, "views                      name, rows, bytes, key of each view [--json]"},
    {"tables", verb_tables, true, "tables                     the same of each table [--json]"},
    {"explain", verb_explain, true, "explain VIEW               the operators that keep it, with their rows and bytes"},
    {"log", verb_log, false,
     "log list|cat|verify        segments; commits as JSON lines (--from, --to); every checksum"},
    {"digest", verb_digest, true, "digest                     a hash of each table and view and of all [--json]"},
    {"verify", verb_verify, true,
     "verify                     replay the log aside and compare: exit 0 same, 1 differs"},
    {"quarantine", verb_quarantine, false,
     "quarantine list|show [SEQ] what could not be used, with position and reason [--json]; redrive: decode it again "
     "(procd stopped)"},
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

struct option_row {
    int value;
    const char *name;
    const char *argument;
    const char *help;
};

static const struct option_row rows[] = {
    {'c', "config", "FILE", "configuration that names the store"},
    {'s', "store", "DIR", "the store (else from the configuration, else run/store)"},
    {'j', "json", NULL, "JSON instead of text"},
    {'C', "csv", NULL, "dump: CSV as COPY ... (FORMAT csv, HEADER) prints it (the default)"},
    {'o', "out", "DIR", "dump: write files into this folder"},
    {'l', "lsn", "X/Y", "wait: until this WAL position of the source is folded"},
    {'n', "seq", "N", "wait: until commit N is folded"},
    {'p', "offset", "T:P:O", "wait: until this offset is folded"},
    {'i', "idle", NULL, "wait: until everything the source has is folded"},
    {'k', "sink", NULL, "wait: and until the sink shows it"},
    {'t', "timeout", "TIME", "wait: at most this long (30s)"},
    {'d', "dry-run", NULL, "quarantine redrive: say what it would do, change nothing"},
    {'S', "schema", "FILE", "quarantine redrive: the schema file (else the configuration's)"},
    {'f', "from", "SEQ", "log cat: first commit"},
    {'e', "to", "SEQ", "log cat: last commit"},
    {'h', "help", NULL, "this text"},
    {'V', "version", NULL, "the version"},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void print_help(void)
{
    printf("usage: statectl [options] VERB [words]\n\nLooks at a logfold store, while procd runs and when it does "
           "not.\n\nverbs\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        printf("  %s\n", verbs[i].help);
    }
    printf("\noptions\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        printf("  %-26s %s\n", left, rows[i].help);
    }
    printf("\nexit: 0 ok, 1 the answer is bad, 2 could not answer, 64 usage\n");
}

int ctl_fail(int code, const struct error *err)
{
    fprintf(stderr, "statectl: %s\n", err->text);
    return code;
}

int ctl_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "statectl: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see statectl --help\n");
    va_end(args);
    return EXIT_USAGE;
}

static const char **text_option(struct ctl_options *o, int value)
{
    switch (value) {
    case 's':
        return &o->store_path;
    case 'o':
        return &o->out;
    case 'S':
        return &o->schema;
    case 'l':
        return &o->lsn;
    case 'n':
        return &o->seq;
    case 'p':
        return &o->offset;
    case 'f':
        return &o->from;
    case 'e':
        return &o->to;
    default:
        return NULL;
    }
}

static bool *flag_option(struct ctl_options *o, int value)
{
    switch (value) {
    case 'j':
        return &o->json;
    case 'C':
        return &o->csv;
    case 'i':
        return &o->idle;
    case 'd':
        return &o->dry_run;
    case 'k':
        return &o->sink;
    default:
        return NULL;
    }
}

/* Reads the command line; returns -1 to go on, else an exit code. */
static int read_options(struct ctl_options *o, int argc, char **argv, const char **config_path)
{
    struct option longs[ROW_COUNT + 1];
    for (size_t i = 0; i < ROW_COUNT; i++) {
        longs[i] = (struct option){.name = rows[i].name,
                                   .has_arg = rows[i].argument != NULL ? required_argument : no_argument,
                                   .val = rows[i].value};
    }
    longs[ROW_COUNT] = (struct option){0};
    struct error err;
    opterr = 0;
    int value;
    while ((value = getopt_long(argc, argv, "c:s:hV", longs, NULL)) != -1) {
        if (value == 'h') {
            print_help();
            return 0;
        }
        if (value == 'V') {
            printf("statectl (logfold) %s\n", LOGFOLD_VERSION);
            return 0;
        }
        if (value == 'c') {
            *config_path = optarg;
        } else if (value == 't') {
            if (config_parse_duration(optarg, &o->timeout_us, &err) != STATUS_OK) {
                return ctl_usage("--timeout: %s", err.text);
            }
        } else {
            const char **text = text_option(o, value);
            bool *flag = flag_option(o, value);
            if (text == NULL && flag == NULL) {
                return ctl_usage("%s: unknown option or missing argument", argv[optind - 1]);
            }
            if (text != NULL) {
                *text = optarg;
            } else {
                *flag = true;
            }
        }
    }
    if (optind >= argc) {
        return ctl_usage("no verb");
    }
    o->verb = argv[optind];
    for (int i = optind + 1; i < argc && o->word_count < 4; i++) {
        o->words[o->word_count++] = argv[i];
    }
    return -1;
}

enum status ctl_load_catalog(struct ctl *c, struct error *err)
{
    TRY(identity_schema(c->store, &c->schema_text, &c->name, err));
    return sql_load_text(&c->catalog, "schema in the store", c->schema_text, err);
}

enum status ctl_load_redriven(struct ctl *c, struct error *err)
{
    uint64_t folded_with;
    redriven_release(&c->redriven);
    TRY(redriven_load(&c->redriven, c->options.store_path, err));
    TRY(flow_redriven_mark(c->store, &folded_with, err));
    c->redriven_unfolded = folded_with != c->redriven.mark;
    return STATUS_OK;
}

void ctl_find(const struct ctl *c, const char *name, const struct catalog_view **view,
              const struct catalog_table **table)
{
    const char *dot = strchr(name, '.');
    char schema[128] = "";
    if (dot != NULL && (size_t)(dot - name) < sizeof schema) {
        snprintf(schema, sizeof schema, "%.*s", (int)(dot - name), name);
    }
    const char *bare = dot == NULL ? name : dot + 1;
    *view = catalog_find_view(&c->catalog, dot == NULL ? NULL : schema, bare);
    if (*view != NULL && !(*view)->materialized) {
        *view = NULL;
    }
    *table = *view != NULL ? NULL : catalog_find_table(&c->catalog, dot == NULL ? NULL : schema, bare);
}

/* `wait` also waits for the store itself: it may be told to before procd has made it. */
static enum status open_store(struct ctl *c, bool patient, struct error *err)
{
    enum { PAUSE_US = 20000 };
    int64_t deadline = clock_mono_us() + c->options.timeout_us;
    for (;;) {
        enum status st =
            store_open(&c->store, &(struct store_options){.path = c->options.store_path, .read_only = true}, err);
        if (st == STATUS_OK || !patient || clock_mono_us() >= deadline) {
            return st;
        }
        clock_sleep_us(PAUSE_US);
    }
}

static int run_verb(struct ctl *c, const struct verb *verb)
{
    struct error err;
    enum status st = open_store(c, verb->run == verb_wait, &err);
    if (st != STATUS_OK) {
        bool asked = verb->run == verb_log || verb->run == verb_verify; /* damage that opening finds is their answer */
        return ctl_fail(asked && st == STATUS_CORRUPT ? EXIT_ANSWER_BAD : EXIT_NO_ANSWER, &err);
    }
    if (verb->needs_catalog && ctl_load_catalog(c, &err) != STATUS_OK) {
        return ctl_fail(EXIT_NO_ANSWER, &err);
    }
    return verb->run(c);
}

int main(int argc, char **argv)
{
    struct ctl c = {.options = {.timeout_us = 30000000}};
    const char *config_path = NULL;
    umask(077);
    int code = read_options(&c.options, argc, argv, &config_path);
    if (code >= 0) {
        return code;
    }
    struct config config;
    config_init(&config);
    struct error err;
    const char *path = config_find(config_path, getenv("LOGFOLD_CONF"));
    if (path != NULL && (config_path != NULL || c.options.store_path == NULL) &&
        config_read(&config, path, &err) != STATUS_OK) {
        config_release(&config);
        return ctl_fail(EXIT_USAGE, &err);
    }
    if (c.options.store_path == NULL) {
        c.options.store_path = config.store;
    }
    if (c.options.schema != NULL) {
        config_clear_schemas(&config);
        (void)config_set(&config, "pipeline.schema", c.options.schema, &err);
    }
    c.schemas = config.schemas;
    c.schema_count = config.schema_count;
    c.time_precision = config.source_time_precision;
    c.unavailable_value = config.source_unavailable_value;
    const struct verb *verb = NULL;
    for (size_t i = 0; i < VERB_COUNT; i++) {
        verb = strcmp(verbs[i].name, c.options.verb) == 0 ? &verbs[i] : verb;
    }
    code = verb == NULL ? ctl_usage("unknown verb \"%s\"", c.options.verb) : run_verb(&c, verb);
    catalog_release(&c.catalog);
    redriven_release(&c.redriven);
    mem_free(c.schema_text);
    mem_free(c.name);
    store_close(c.store);
    config_release(&config);
    return code;
}
