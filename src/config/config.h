/* The configuration file and what the command line changes in it. libinih is included in this room alone. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include "base/property.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many, or such a share of all. */
struct config_limit {
    uint64_t count; /* UINT64_MAX = no limit; not looked at where there is a share */
    double share;   /* 0..1; 0 = none given */
};

/* All texts are in the arena. Unset texts are NULL unless a default is named here. */
struct config {
    const char *path;          /* the file read, NULL where there was none */
    const char *pipeline_name; /* "logfold" */
    const char **schemas;
    size_t schema_count;
    const char *store;              /* "run/store" */
    const char *source_url;         /* "none" */
    const char *source_publication; /* "logfold" */
    const char *source_slot;        /* "logfold_" and the pipeline's name */
    bool source_create;             /* may make publication and slot; true */
    const char *source_topic_prefix;
    const char *source_transaction_topic;
    int64_t source_transaction_timeout_us;     /* 0 = never */
    struct config_limit source_quarantine_max; /* 10000 */
    const char *source_time_precision;
    const char *source_unavailable_value;
    struct property *kafka;
    size_t kafka_count;
    const char *sink_url;           /* "none" */
    const char *sink_schema;        /* "public" */
    int64_t checkpoint_interval_us; /* 1 s */
    uint64_t cache_bytes;           /* 256 MiB */
    uint64_t segment_bytes;         /* 64 MiB */
    struct arena arena;
};

/* Sets the defaults. Release with config_release. */
void config_init(struct config *c);
void config_release(struct config *c);
/* Reads an INI file over what is set. Unknown sections, keys and bad values are STATUS_INVALID with file:line. Schema
 * and store paths are taken relative to the current folder, as they stand. */
enum status config_read(struct config *c, const char *path, struct error *err);
/* The file that INTERFACE names: `explicit_path`, else `env_path` ($LOGFOLD_CONF), else ./logfold.conf, else
 * /etc/logfold/logfold.conf; NULL where none of the last two exists. */
const char *config_find(const char *explicit_path, const char *env_path);
/* Sets "section.key" to `value`: the command line's --set. */
enum status config_set(struct config *c, const char *dotted, const char *value, struct error *err);
/* Replaces the list of schema files. */
void config_clear_schemas(struct config *c);
/* After everything is set: fills defaults that depend on others. */
void config_finish(struct config *c);
/* Appends every section and key with its meaning, for --help. */
struct buffer;
void config_print_help(struct buffer *out);

/* "250ms", "1s", "2min", "1h" -> microseconds; "64KiB", "256MiB", "1GiB", "1000" -> bytes. */
enum status config_parse_duration(const char *text, int64_t *us, struct error *err);
enum status config_parse_bytes(const char *text, uint64_t *bytes, struct error *err);
/* "10000", "0.5%" (above 0, up to 100), "none". */
enum status config_parse_limit(const char *text, struct config_limit *out, struct error *err);

#endif
