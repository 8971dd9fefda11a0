/* One table of options: the parser and --help both come from it. */
#include "procd/options.h"

#include "base/bytes.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option_row {
    char letter; /* short option, and the value getopt gives */
    const char *name;
    const char *argument; /* NULL = takes none */
    const char *help;
};

static const struct option_row rows[] = {
    {'c', "config", "FILE", "configuration (else $LOGFOLD_CONF, ./logfold.conf, /etc/logfold/logfold.conf)"},
    {'o', "once", NULL, "fold what the source holds now, checkpoint, sync, end"},
    {'r', "replay-from", "SEQ", "rebuild the state from the log, from its first commit (SEQ 0), then go on"},
    {'k', "check", NULL, "read configuration and schema, say how each view is kept, touch nothing"},
    {'u', "source", "URL", "source.url"},
    {'d', "sink", "URL", "sink.url"},
    {'s', "store", "DIR", "pipeline.store"},
    {'f', "schema", "FILE", "pipeline.schema; may be repeated, replaces the file's list"},
    {'S', "set", "SECTION.KEY=VALUE", "any key of the configuration"},
    {'v', "verbose", NULL, "also show debug lines"},
    {'h', "help", NULL, "this text"},
    {'V', "version", NULL, "the version"},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

void options_print_help(void)
{
    printf(
        "usage: procd [options]\n"
        "\n"
        "Appends the changes of a database to a log, folds them into state, keeps SQL views, syncs them into a sink.\n"
        "\n"
        "options\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "-%c, --%s%s%s", rows[i].letter, rows[i].name, rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        printf("  %-31s %s\n", left, rows[i].help);
    }
    struct buffer text = BUFFER_EMPTY;
    config_print_help(&text);
    printf("\nconfiguration keys (INI sections; --set section.key=value)\n%.*s", (int)text.len,
           (const char *)text.data);
    buffer_release(&text);
    printf(
        "\nsignals: SIGTERM and SIGINT checkpoint, sync what can be synced in 10 s, and end; SIGKILL loses nothing.\n"
        "exit: 0 ok, 1 stopped by bad data or a lasting fault, 64 usage, 75 worth trying again\n");
}

static void build_getopt(char *letters, struct option *longs)
{
    size_t at = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        letters[at++] = rows[i].letter;
        if (rows[i].argument != NULL) {
            letters[at++] = ':';
        }
        longs[i] = (struct option){.name = rows[i].name,
                                   .has_arg = rows[i].argument != NULL ? required_argument : no_argument,
                                   .val = rows[i].letter};
    }
    letters[at] = '\0';
    longs[ROW_COUNT] = (struct option){0};
}

static enum status set_dotted(struct config *c, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        return error_set(err, STATUS_INVALID, 0, "--set %s: write section.key=value", text);
    }
    char *dotted = arena_strndup(&c->arena, text, (size_t)(equals - text));
    enum status st = config_set(c, dotted, equals + 1, err);
    return st == STATUS_OK ? st : error_prefix(err, "--set %s", text);
}

static enum status set_replay(struct options *o, const char *text, struct error *err)
{
    if (strcmp(text, "0") != 0) {
        return error_set(
            err, STATUS_INVALID, 0,
            "--replay-from %s: only 0 is possible; the state before a later commit is known to nobody but a "
            "replay from the first",
            text);
    }
    o->replay = true;
    return STATUS_OK;
}

static enum status apply(struct options *o, int letter, const char *argument, bool *schemas_cleared, struct error *err)
{
    struct config *c = &o->config;
    switch (letter) {
    case 'o':
        o->once = true;
        return STATUS_OK;
    case 'k':
        o->check = true;
        return STATUS_OK;
    case 'v':
        o->verbose = true;
        return STATUS_OK;
    case 'r':
        return set_replay(o, argument, err);
    case 'u':
        return config_set(c, "source.url", argument, err);
    case 'd':
        return config_set(c, "sink.url", argument, err);
    case 's':
        return config_set(c, "pipeline.store", argument, err);
    case 'f':
        if (!*schemas_cleared) {
            config_clear_schemas(c);
            *schemas_cleared = true;
        }
        return config_set(c, "pipeline.schema", argument, err);
    case 'S':
        return set_dotted(c, argument, err);
    default:
        return STATUS_OK;
    }
}

/* First pass: which configuration file; help and version win over everything. */
static enum status find_file(struct options *o, int argc, char **argv, const char **path, struct error *err)
{
    char letters[ROW_COUNT * 2 + 1];
    struct option longs[ROW_COUNT + 1];
    build_getopt(letters, longs);
    optind = 0;
    opterr = 0;
    int letter;
    while ((letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (letter == '?') {
            return error_set(err, STATUS_INVALID, 0, "%s: unknown option or missing argument; see procd --help",
                             argv[optind - 1]);
        }
        if (letter == 'c') {
            *path = optarg;
        }
        o->help = o->help || letter == 'h';
        o->version = o->version || letter == 'V';
    }
    if (optind < argc) {
        return error_set(err, STATUS_INVALID, 0, "unexpected argument \"%s\"; see procd --help", argv[optind]);
    }
    return STATUS_OK;
}

enum status options_read(struct options *o, int argc, char **argv, const char *env_conf, struct error *err)
{
    *o = (struct options){0};
    config_init(&o->config);
    const char *explicit_path = NULL;
    TRY(find_file(o, argc, argv, &explicit_path, err));
    if (o->help || o->version) {
        return STATUS_OK;
    }
    const char *path = config_find(explicit_path, env_conf);
    if (path != NULL) {
        TRY(config_read(&o->config, path, err));
    }
    char letters[ROW_COUNT * 2 + 1];
    struct option longs[ROW_COUNT + 1];
    build_getopt(letters, longs);
    optind = 0;
    bool schemas_cleared = false;
    int letter;
    while ((letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        TRY(apply(o, letter, optarg, &schemas_cleared, err));
    }
    config_finish(&o->config);
    if (o->config.schema_count == 0) {
        return error_set(
            err, STATUS_INVALID, 0,
            "no schema file: name one with --schema FILE or [pipeline] schema = FILE in the configuration");
    }
    return STATUS_OK;
}

void options_release(struct options *o)
{
    config_release(&o->config);
}
