/* What the subcommands share: the opened store, its catalog, and how answers are printed. One file a subcommand. */
#ifndef STATECTL_CTL_H
#define STATECTL_CTL_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "event/redriven.h"
#include "plan/catalog.h"
#include "plan/plan.h"
#include "state/store.h"

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_ANSWER_BAD = 1, EXIT_NO_ANSWER = 2, EXIT_USAGE = 64 };

struct ctl_options {
    const char *store_path;
    const char *verb;
    const char *words[4]; /* what follows the verb */
    int word_count;
    bool json;
    bool csv;
    bool sink;
    bool idle;
    bool dry_run;
    const char *schema; /* files to add to those of the configuration; NULL = none */
    const char *out;
    const char *lsn;
    const char *seq;
    const char *offset;
    const char *from;
    const char *to;
    int64_t timeout_us;
};

struct ctl {
    struct ctl_options options;
    struct store *store;      /* read-only */
    struct redriven redriven; /* the log's */
    bool redriven_unfolded;   /* the state was folded with other entries: procd will rebuild it */
    const char **schemas;     /* the configuration's schema files */
    size_t schema_count;
    const char *time_precision; /* the configuration's [source], see debezium_configure */
    const char *unavailable_value;
    struct catalog catalog;
    char *schema_text;
    char *name;
};

/* Each returns an exit code; words for people go to stderr. */
int verb_status(struct ctl *c);
int verb_wait(struct ctl *c);
int verb_dump(struct ctl *c);
int verb_views(struct ctl *c);
int verb_tables(struct ctl *c);
int verb_explain(struct ctl *c);
int verb_log(struct ctl *c);
int verb_digest(struct ctl *c);
int verb_verify(struct ctl *c);
int verb_quarantine(struct ctl *c);

/* redrive.c */
int verb_redrive(struct ctl *c);

/* main.c */
/* Reads the log's redriven entries, and whether the state was folded with them. */
enum status ctl_load_redriven(struct ctl *c, struct error *err);
/* Prints "statectl: text" and returns `code`. */
int ctl_fail(int code, const struct error *err);
int ctl_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The catalog out of the store's own schema text. */
enum status ctl_load_catalog(struct ctl *c, struct error *err);
/* Splits "schema.name" and finds a materialized view or a table; either may come back NULL. */
void ctl_find(const struct ctl *c, const char *name, const struct catalog_view **view,
              const struct catalog_table **table);

/* print.c */
void print_json_text(struct buffer *out,
                     struct bytes text); /* quoted and escaped; bytes that are not UTF-8 as \u00xx */
void print_json_datum(struct buffer *out, const struct type *type, const struct datum *d);
void print_csv_datum(struct buffer *out, const struct type *type, const struct datum *d, bool only_column);
/* Writes the buffer to stdout and empties it. */
void print_flush(struct buffer *out);

/* rows.c: the rows of a view or a table in their order */
struct ctl_columns {
    const struct plan_column *view_columns; /* one of the two */
    const struct catalog_column *table_columns;
    uint32_t count;
};
const char *ctl_column_name(const struct ctl_columns *columns, uint32_t i);
const struct type *ctl_column_type(const struct ctl_columns *columns, uint32_t i);
/* Calls `visit` once a row (equal rows several times). */
enum status ctl_rows(struct ctl *c, const struct catalog_view *view, const struct catalog_table *table,
                     enum status (*visit)(void *ctx, const struct ctl_columns *columns, const struct datum *row,
                                          struct error *err),
                     void *ctx, struct error *err);

/* quarantine.c */
struct quarantine_entry;
/* Calls `visit` for each entry of the state that is still in quarantine; a nonzero return ends the walk. */
enum status ctl_quarantine(struct ctl *c, int (*visit)(void *ctx, const struct quarantine_entry *entry), void *ctx,
                           struct error *err);

/* digest.c */
/* One hash over the entries of a map, in order. */
enum status digest_map(struct store *store, const char *map_name, uint64_t *entries, uint64_t *digest,
                       struct error *err);

#endif
