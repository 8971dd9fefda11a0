/* What the files of the sink share. libpq is used in this room and in src/ingest alone. */
#ifndef SINK_INNER_H
#define SINK_INNER_H

#include "sink/sink.h"

#include <libpq-fe.h>
#include <stdatomic.h>

/* How the rows of a view's table are told apart. */
enum table_kind {
    TABLE_KEYED,          /* PRIMARY KEY, or one row at most (key_count 0) */
    TABLE_KEYED_NULLABLE, /* UNIQUE NULLS NOT DISTINCT */
    TABLE_BAG             /* equal rows are possible */
};

struct sink_view {
    const struct catalog_view *view;
    enum table_kind kind;
    const char *name;     /* "schema"."view", quoted */
    const char *columns;  /* "a", "b": quoted, in order */
    const char *hash;     /* TABLE_BAG: the indexed expression over alias %s, made by schema.c */
    const char *comment;  /* whose the table is and how it is made */
    bool delete_prepared; /* on this connection */
    bool insert_prepared;
    bool staged; /* the temporary table is there */
};

struct sink {
    struct sink_options options;
    struct sink_view *views;
    struct arena arena; /* lives as long as the sink */
    PGconn *conn;
    _Atomic int socket; /* for sink_interrupt; -1 = none */
    int server_version;
    uint64_t epoch; /* the one this process has taken, 0 = none yet */
    bool progress_prepared;
};

/* connection.c */
enum status connection_open(struct sink *s, struct error *err);
void connection_close(struct sink *s);
/* Runs SQL that gives no rows (or ignores them). */
enum status connection_exec(struct sink *s, const char *what, const char *sql, struct error *err);
/* Runs one statement with text parameters; the caller clears `*out`. */
enum status connection_query(struct sink *s, const char *what, const char *sql, int param_count,
                             const char *const *params, PGresult **out, struct error *err);
/* Makes an error of a failed result: STATUS_RETRY for what may pass (connection, resources, deadlock, a table that is
 * gone). */
enum status connection_error(struct sink *s, const char *what, const PGresult *result, struct error *err);

/* schema.c */
void schema_describe(struct sink *s); /* fills s->views, once */
enum status schema_make(struct sink *s, bool *rebuilt, struct error *err);

const char *schema_quoted(struct arena *a, const char *name); /* as an identifier */
/* Quoted names, comma separated; `columns` NULL = the first `count`. */
const char *schema_column_list(struct arena *a, const struct catalog_view *view, const uint32_t *columns,
                               uint32_t count);

/* statement.c: SQL texts. `staged` reads the rows from the view's temporary table, else from array parameters. */
const char *statement_stage_name(struct arena *a, uint32_t view_idx);
const char *statement_make_stage(struct sink *s, uint32_t view_idx, struct arena *a);
const char *statement_delete(struct sink *s, uint32_t view_idx, bool staged, struct arena *a);
const char *statement_insert(struct sink *s, uint32_t view_idx, bool staged, struct arena *a);

/* rows.c: what a view's changes ask of its table */
struct row_set {
    struct datum **rows; /* visible_count datums each */
    int64_t *counts;
    size_t count;
};
struct view_rows {
    struct row_set deletes;
    struct row_set inserts; /* or upserts, where the table has a key */
};
/* Decodes and splits; for keyed tables a delete whose key is inserted again is dropped. All in `a`. */
enum status rows_split(const struct sink_view *sv, const struct sink_view_changes *changes, struct arena *a,
                       struct view_rows *out, struct error *err);
/* One PostgreSQL array literal a column, then one of the counts; visible_count + 1 texts in the arena. */
const char **rows_as_arrays(const struct sink_view *sv, const struct row_set *rows, struct arena *a);
/* COPY text lines for the stage table: columns, count, ordinal. */
void rows_append_copy(const struct sink_view *sv, const struct row_set *rows, size_t from, size_t to,
                      struct buffer *out);

#endif
