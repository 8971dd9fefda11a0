/* One table names every key, where its value goes and what it means: the parser, --set and the help all come from
 * it. */
#include "config/config.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum key_kind { KEY_TEXT, KEY_SCHEMAS, KEY_BOOL, KEY_DURATION, KEY_BYTES, KEY_LIMIT };

struct key {
    const char *section;
    const char *name;
    enum key_kind kind;
    size_t offset; /* in struct config */
    const char *help;
};

static const struct key keys[] = {
    {"pipeline", "name", KEY_TEXT, offsetof(struct config, pipeline_name),
     "name of the pipeline in the sink's progress table (logfold)"},
    {"pipeline", "schema", KEY_SCHEMAS, 0, "schema file, or several separated by commas or blanks; may be repeated"},
    {"pipeline", "store", KEY_TEXT, offsetof(struct config, store), "folder of log and state (run/store)"},
    {"source", "url", KEY_TEXT, offsetof(struct config, source_url),
     "postgresql://..., kafka://HOST:PORT[,HOST:PORT...], file:PATH, - (standard input) or none"},
    {"source", "publication", KEY_TEXT, offsetof(struct config, source_publication),
     "PostgreSQL publication (logfold)"},
    {"source", "slot", KEY_TEXT, offsetof(struct config, source_slot),
     "PostgreSQL replication slot (logfold_ and the pipeline's name)"},
    {"source", "create", KEY_BOOL, offsetof(struct config, source_create),
     "make publication and slot where missing (yes)"},
    {"source", "topic_prefix", KEY_TEXT, offsetof(struct config, source_topic_prefix),
     "Debezium's topic.prefix: tables without WITH (topic = ...) come from PREFIX.SCHEMA.TABLE"},
    {"source", "transaction_topic", KEY_TEXT, offsetof(struct config, source_transaction_topic),
     "Debezium's transaction topic (PREFIX.transaction): a commit is then a whole source transaction"},
    {"source", "transaction_timeout", KEY_DURATION, offsetof(struct config, source_transaction_timeout_us),
     "commit what is there of a transaction that has not been whole for so long (0s: never)"},
    {"source", "time_precision", KEY_TEXT, offsetof(struct config, source_time_precision),
     "Debezium's time.precision.mode, where records have no schema part to tell it (adaptive)"},
    {"source", "unavailable_value", KEY_TEXT, offsetof(struct config, source_unavailable_value),
     "Debezium's unavailable.value.placeholder (__debezium_unavailable_value)"},
    {"source", "quarantine_max", KEY_LIMIT, offsetof(struct config, source_quarantine_max),
     "stop at more entries in the quarantine: a number, a share of all events like 0.5%, or none (10000)"},
    {"sink", "url", KEY_TEXT, offsetof(struct config, sink_url), "postgresql://... or none"},
    {"sink", "schema", KEY_TEXT, offsetof(struct config, sink_schema),
     "schema of the views' tables in the sink (public)"},
    {"state", "checkpoint_interval", KEY_DURATION, offsetof(struct config, checkpoint_interval_us),
     "longest time between two checkpoints (1s)"},
    {"state", "cache", KEY_BYTES, offsetof(struct config, cache_bytes),
     "memory: 3/4 for changed state between checkpoints, 1/4 for changes being folded (256MiB)"},
    {"state", "segment", KEY_BYTES, offsetof(struct config, segment_bytes),
     "size at which a log segment is closed (64MiB)"},
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

void config_init(struct config *c)
{
    *c = (struct config){.pipeline_name = "logfold",
                         .store = "run/store",
                         .source_url = "none",
                         .source_publication = "logfold",
                         .source_create = true,
                         .source_quarantine_max = {.count = 10000},
                         .sink_url = "none",
                         .sink_schema = "public",
                         .checkpoint_interval_us = 1000000,
                         .cache_bytes = UINT64_C(256) << 20,
                         .segment_bytes = UINT64_C(64) << 20};
}

void config_release(struct config *c)
{
    mem_free(c->schemas);
    mem_free(c->kafka);
    arena_release(&c->arena);
    *c = (struct config){0};
}

void config_clear_schemas(struct config *c)
{
    c->schema_count = 0;
}

void config_finish(struct config *c)
{
    if (c->source_slot != NULL) {
        return;
    }
    char *slot = arena_printf(&c->arena, "logfold_%s", c->pipeline_name);
    for (char *p = slot; *p != '\0'; p++) { /* slot names: lower-case letters, digits and underscores */
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char)(*p - 'A' + 'a');
        } else if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9')) {
            *p = '_';
        }
    }
    c->source_slot = slot;
}

static enum status parse_number(const char *text, double *number, const char **unit, struct error *err)
{
    char *end;
    errno = 0;
    *number = strtod(text, &end);
    if (end == text || errno != 0 || !(*number >= 0) || *number > 1e15) {
        return error_set(err, STATUS_INVALID, 0, "\"%s\" is not a number with a unit", text);
    }
    while (*end == ' ') {
        end++;
    }
    *unit = end;
    return STATUS_OK;
}

struct unit {
    const char *name;
    double factor;
};

static enum status parse_with_units(const char *text, const struct unit *units, double *out, struct error *err)
{
    double number;
    const char *unit = "";
    TRY(parse_number(text, &number, &unit, err));
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (strcmp(u->name, unit) == 0) {
            *out = number * u->factor;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID, 0, "\"%s\" has an unknown unit; use %s, %s, %s or %s", text, units[0].name,
                     units[1].name, units[2].name, units[3].name);
}

enum status config_parse_duration(const char *text, int64_t *us, struct error *err)
{
    static const struct unit units[] = {{"ms", 1e3}, {"s", 1e6}, {"min", 6e7}, {"h", 3.6e9}, {NULL, 0}};
    double value;
    TRY(parse_with_units(text, units, &value, err));
    *us = (int64_t)value;
    return STATUS_OK;
}

enum status config_parse_bytes(const char *text, uint64_t *bytes, struct error *err)
{
    static const struct unit units[] = {{"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"B", 1}, {"", 1},
                                        {"kB", 1000},  {"MB", 1e6},      {"GB", 1e9},         {NULL, 0}};
    double value;
    TRY(parse_with_units(text, units, &value, err));
    *bytes = (uint64_t)value;
    return STATUS_OK;
}

enum status config_parse_limit(const char *text, struct config_limit *out, struct error *err)
{
    double number;
    const char *unit = "";
    if (strcmp(text, "none") == 0) {
        *out = (struct config_limit){.count = UINT64_MAX};
        return STATUS_OK;
    }
    bool known = parse_number(text, &number, &unit, err) == STATUS_OK;
    bool share = known && strcmp(unit, "%") == 0 && number > 0 && number <= 100;
    if (!share && !(known && unit[0] == '\0' && number == (double)(uint64_t)number)) {
        return error_set(err, STATUS_INVALID, 0, "\"%s\" is neither a whole number nor a share like 0.5%% nor \"none\"",
                         text);
    }
    *out = share ? (struct config_limit){.share = number / 100} : (struct config_limit){.count = (uint64_t)number};
    return STATUS_OK;
}

static void add_schemas(struct config *c, const char *list)
{
    const char *separators = ", \t";
    for (const char *p = list + strspn(list, separators); *p != '\0'; p += strspn(p, separators)) {
        size_t len = strcspn(p, separators);
        c->schemas = mem_realloc(c->schemas, (c->schema_count + 1) * sizeof *c->schemas);
        c->schemas[c->schema_count] = arena_strndup(&c->arena, p, len);
        c->schema_count += 1;
        p += len;
    }
}

static enum status parse_bool(const char *text, bool *out, struct error *err)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID, 0, "\"%s\" is neither yes nor no", text);
}

static enum status set_key(struct config *c, const struct key *key, const char *value, struct error *err)
{
    char *target = (char *)c + key->offset;
    switch (key->kind) {
    case KEY_TEXT: {
        const char *copy = arena_strdup(&c->arena, value);
        memcpy(target, &copy, sizeof copy);
        return STATUS_OK;
    }
    case KEY_SCHEMAS:
        add_schemas(c, value);
        return STATUS_OK;
    case KEY_BOOL:
        return parse_bool(value, (bool *)target, err);
    case KEY_DURATION:
        return config_parse_duration(value, (int64_t *)(void *)target, err);
    case KEY_BYTES:
        return config_parse_bytes(value, (uint64_t *)(void *)target, err);
    case KEY_LIMIT:
        return config_parse_limit(value, (struct config_limit *)(void *)target, err);
    }
    return STATUS_OK;
}

static enum status set(struct config *c, const char *section, const char *name, const char *value, struct error *err)
{
    if (strcmp(section, "kafka") == 0) {
        c->kafka = mem_realloc(c->kafka, (c->kafka_count + 1) * sizeof *c->kafka);
        c->kafka[c->kafka_count].name = arena_strdup(&c->arena, name);
        c->kafka[c->kafka_count].value = arena_strdup(&c->arena, value);
        c->kafka_count += 1;
        return STATUS_OK;
    }
    bool section_known = false;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) != 0) {
            continue;
        }
        section_known = true;
        if (strcmp(keys[i].name, name) == 0) {
            enum status st = set_key(c, &keys[i], value, err);
            return st == STATUS_OK ? st : error_prefix(err, "%s.%s", section, name);
        }
    }
    if (!section_known) {
        return error_set(err, STATUS_INVALID, 0, "unknown section [%s]", section);
    }
    return error_set(err, STATUS_INVALID, 0, "unknown key \"%s\" in section [%s]", name, section);
}

enum status config_set(struct config *c, const char *dotted, const char *value, struct error *err)
{
    const char *dot = strchr(dotted, '.');
    char section[64];
    if (dot == NULL || (size_t)(dot - dotted) >= sizeof section) {
        return error_set(err, STATUS_INVALID, 0, "\"%s\" is not section.key", dotted);
    }
    memcpy(section, dotted, (size_t)(dot - dotted));
    section[dot - dotted] = '\0';
    return set(c, section, dot + 1, value, err);
}

struct reading {
    struct config *config;
    struct error *err;
    bool failed;
};

static int on_key(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    if (!r->failed && set(r->config, section, name, value, r->err) != STATUS_OK) {
        r->failed = true;
        return 0;
    }
    return 1;
}

enum status config_read(struct config *c, const char *path, struct error *err)
{
    struct reading r = {.config = c, .err = err};
    int line = ini_parse(path, on_key, &r);
    if (line == 0) {
        c->path = arena_strdup(&c->arena, path);
        return STATUS_OK;
    }
    if (line < 0) {
        return error_set(err, STATUS_NOT_FOUND, errno, "could not read configuration %s", path);
    }
    if (!r.failed) {
        error_set(err, STATUS_INVALID, 0, "neither [section] nor key = value");
    }
    return error_prefix(err, "%s:%d", path, line);
}

const char *config_find(const char *explicit_path, const char *env_path)
{
    if (explicit_path != NULL) {
        return explicit_path;
    }
    if (env_path != NULL && env_path[0] != '\0') {
        return env_path;
    }
    static const char *const usual[] = {"logfold.conf", "/etc/logfold/logfold.conf"};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (file_exists(usual[i])) {
            return usual[i];
        }
    }
    return NULL;
}

void config_print_help(struct buffer *out)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char dotted[64];
        snprintf(dotted, sizeof dotted, "%s.%s", keys[i].section, keys[i].name);
        buffer_printf(out, "  %-27s %s\n", dotted, keys[i].help);
    }
    buffer_append_text(out, "  kafka.*                     any librdkafka property, passed on as it is\n");
}
