/* Connect, read, sync. A small sync is one pipelined round trip, which is one implicit transaction; a large one is an
 * explicit transaction with COPY. The progress row is the first statement of both: where it does not match, division by
 * zero ends the transaction before any row has moved. */
#include "sink/sink.h"

#include "base/memory.h"
#include "row/tuple.h"
#include "sink/inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ARRAY_ROWS_MAX = 5000, /* of one sync by array parameters; more go by COPY */
    COPY_ROWS = 4096       /* printed before they are sent */
};

/* All views of a pipeline go into one schema of the sink, under their bare names. */
static enum status check_names(const struct sink_options *o, struct error *err)
{
    for (uint32_t i = 0; i < o->view_count * o->view_count; i++) {
        const struct catalog_view *x = o->views[i / o->view_count];
        const struct catalog_view *y = o->views[i % o->view_count];
        if (x != y && strcmp(x->name, y->name) == 0) {
            return error_set(err, STATUS_INVALID, 0,
                             "views %s.%s and %s.%s would both be table %s of the sink: give one of them another name",
                             x->schema, x->name, y->schema, y->name, x->name);
        }
    }
    return STATUS_OK;
}

/* libpq quotes the part of the URL that it does not understand, perhaps the password: what is quoted is left out. */
static enum status url_error(const char *problem, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    buffer_append_unquoted(&text, problem);
    int len = (int)(text.len > 200 ? 200 : text.len);
    enum status st =
        error_set(err, STATUS_INVALID, 0, "could not read the sink's url: %.*s", len, (const char *)text.data);
    buffer_release(&text);
    return st;
}

enum status sink_open(struct sink **out, const struct sink_options *options, struct error *err)
{
    char *problem = NULL;
    PQconninfoOption *parsed = PQconninfoParse(options->url, &problem);
    if (parsed == NULL) {
        enum status st = url_error(problem == NULL ? "out of memory" : problem, err);
        PQfreemem(problem);
        return st;
    }
    PQconninfoFree(parsed);
    TRY(check_names(options, err));
    struct sink *s = mem_zalloc(sizeof *s);
    s->options = *options;
    s->socket = -1;
    s->views = arena_zalloc(&s->arena, (options->view_count + 1) * sizeof *s->views);
    schema_describe(s);
    *out = s;
    return STATUS_OK;
}

void sink_close(struct sink *s)
{
    if (s != NULL) {
        connection_close(s);
        arena_release(&s->arena);
        mem_free(s);
    }
}

void sink_interrupt(struct sink *s)
{
    int socket = atomic_load(&s->socket);
    if (socket >= 0) {
        shutdown(socket, SHUT_RDWR);
    }
}

/* The first time a process takes the pipeline over from whoever had it; later only from itself, or from an earlier
 * epoch that a restored backup has brought back. */
static const char take_epoch[] = "INSERT INTO logfold.progress AS p (pipeline, epoch) VALUES ($1, 1)"
                                 " ON CONFLICT (pipeline) DO UPDATE SET epoch = greatest(p.epoch, $2::bigint) + 1 "
                                 "WHERE $2::bigint = 0 OR p.epoch <= $2::bigint"
                                 " RETURNING p.epoch, p.store_id, p.seq";

static enum status take_over(struct sink *s, struct sink_progress *out, struct error *err)
{
    char epoch[32];
    snprintf(epoch, sizeof epoch, "%" PRIu64, s->epoch);
    const char *params[] = {s->options.pipeline, epoch};
    PGresult *result;
    TRY(connection_query(s, "could not take the sink's progress row", take_epoch, 2, params, &result, err));
    if (PQntuples(result) == 0) {
        PQclear(result);
        return error_set(err, STATUS_MISMATCH, 0,
                         "another procd has taken over pipeline \"%s\" in the sink; only one may write it",
                         s->options.pipeline);
    }
    s->epoch = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    out->epoch = s->epoch;
    out->exists = !PQgetisnull(result, 0, 1) && !PQgetisnull(result, 0, 2);
    out->store_id = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    out->seq_next = (uint64_t)(strtoll(PQgetvalue(result, 0, 2), NULL, 10) + 1);
    PQclear(result);
    return STATUS_OK;
}

enum status sink_connect(struct sink *s, struct sink_progress *out, bool *rebuilt, struct error *err)
{
    *out = (struct sink_progress){0};
    *rebuilt = false;
    s->progress_prepared = false;
    for (uint32_t v = 0; v < s->options.view_count; v++) {
        s->views[v].delete_prepared = false;
        s->views[v].insert_prepared = false;
        s->views[v].staged = false;
    }
    TRY(connection_open(s, err));
    TRY(schema_make(s, rebuilt, err));
    return take_over(s, out, err);
}

/* ---- reading ---- */

/* Undoes COPY's text escapes in place; returns the end. */
static uint8_t *unescape(uint8_t *from, const uint8_t *end)
{
    uint8_t *to = from;
    while (from < end) {
        uint8_t c = *from++;
        if (c == '\\' && from < end) {
            c = *from++;
            c = c == 't'   ? '\t'
                : c == 'n' ? '\n'
                : c == 'r' ? '\r'
                : c == 'b' ? '\b'
                : c == 'f' ? '\f'
                : c == 'v' ? '\v'
                           : c;
        }
        *to++ = c;
    }
    return to;
}

static enum status line_to_image(const struct catalog_view *view, char *line, size_t len, struct arena *a,
                                 struct buffer *image, struct error *err)
{
    uint8_t *at = (uint8_t *)line;
    uint8_t *end = at + len;
    buffer_reset(image);
    for (uint32_t i = 0; i < view->visible_count; i++) {
        uint8_t *tab = memchr(at, '\t', (size_t)(end - at));
        uint8_t *stop = tab == NULL ? end : tab;
        struct datum value = DATUM_NULL;
        if (!(stop - at == 2 && at[0] == '\\' && at[1] == 'N')) {
            uint8_t *last = unescape(at, stop);
            TRY(datum_parse(&view->plan->columns[i].type, bytes_of(at, (size_t)(last - at)), a, &value, err));
        }
        tuple_append(image, view->plan->columns[i].type.kind, &value, TUPLE_IMAGE);
        at = tab == NULL ? end : tab + 1;
    }
    return STATUS_OK;
}

static enum status read_lines(struct sink *s, const struct catalog_view *view,
                              enum status (*visit)(void *ctx, struct bytes row, struct error *err), void *ctx,
                              struct error *err)
{
    struct arena a = ARENA_EMPTY;
    struct buffer image = BUFFER_EMPTY;
    enum status st = STATUS_OK;
    char *line;
    int len;
    while ((len = PQgetCopyData(s->conn, &line, 0)) > 0) {
        if (st == STATUS_OK) {
            st = line_to_image(view, line, (size_t)len - (line[len - 1] == '\n'), &a, &image, err);
        }
        if (st == STATUS_OK) {
            st = visit(ctx, buffer_bytes(&image), err);
        }
        PQfreemem(line);
        arena_reset(&a);
    }
    PGresult *result;
    while ((result = PQgetResult(s->conn)) != NULL) {
        if (st == STATUS_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
            st = connection_error(s, "could not read the sink", result, err);
        }
        PQclear(result);
    }
    buffer_release(&image);
    arena_release(&a);
    return st;
}

enum status sink_read(struct sink *s, uint32_t view_idx,
                      enum status (*visit)(void *ctx, struct bytes row, struct error *err), void *ctx,
                      struct error *err)
{
    struct arena a = ARENA_EMPTY;
    const struct sink_view *sv = &s->views[view_idx];
    PGresult *result = PQexec(s->conn, arena_printf(&a, "COPY %s (%s) TO STDOUT", sv->name, sv->columns));
    enum status st = STATUS_OK;
    if (PQresultStatus(result) != PGRES_COPY_OUT) {
        st = connection_error(s, arena_printf(&a, "could not read %s in the sink", sv->name), result, err);
    }
    PQclear(result);
    arena_release(&a);
    return st == STATUS_OK ? read_lines(s, sv->view, visit, ctx, err) : st;
}

/* ---- writing ---- */

/* A sync being sent: pipelined statements are counted and their results read at the end. */
struct sync {
    struct sink *sink;
    const struct sink_batch *batch;
    bool (*await)(void *ctx);
    void *ctx;
    struct arena arena;
    bool pipelined;
};

static enum status run(struct sync *y, const char *name, bool *prepared, const char *sql, int param_count,
                       const char *const *params, struct error *err)
{
    PGconn *conn = y->sink->conn;
    const char *what = arena_printf(&y->arena, "could not sync the sink (%s)", name);
    if (y->pipelined) {
        bool sent = *prepared || PQsendPrepare(conn, name, sql, param_count, NULL) == 1;
        sent = sent && PQsendQueryPrepared(conn, name, param_count, params, NULL, NULL, 0) == 1;
        *prepared = true;
        return sent ? STATUS_OK : connection_error(y->sink, what, NULL, err);
    }
    PGresult *result = NULL;
    if (!*prepared) {
        result = PQprepare(conn, name, sql, param_count, NULL);
    }
    if (result == NULL || PQresultStatus(result) == PGRES_COMMAND_OK) {
        PQclear(result);
        *prepared = true;
        result = PQexecPrepared(conn, name, param_count, params, NULL, NULL, 0);
    }
    ExecStatusType status = PQresultStatus(result);
    enum status st = STATUS_OK;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        st = connection_error(y->sink, what, result, err);
        if (strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL ? ""
                                                                        : PQresultErrorField(result, PG_DIAG_SQLSTATE),
                   "22012") == 0) {
            st = STATUS_LOCKED;
        }
    }
    PQclear(result);
    return st;
}

static const char move_progress[] =
    "WITH moved AS (UPDATE logfold.progress SET store_id = $3::bigint, seq = $4::bigint - 1, position = $5,"
    " commit_time = CASE WHEN $6::bigint <> 0 THEN timestamptz '2000-01-01 00:00:00+00' + $6::bigint * interval '1 "
    "microsecond' END,"
    " synced_at = now() WHERE pipeline = $1 AND epoch = $2::bigint"
    " AND ($7::bigint < 0 OR seq = $7::bigint - 1) RETURNING 1) SELECT 1 / (SELECT count(*) FROM moved)::int";

static enum status run_progress(struct sync *y, struct error *err)
{
    const struct sink_batch *b = y->batch;
    struct arena *a = &y->arena;
    int64_t from = b->seq_next_from == UINT64_MAX ? -1 : (int64_t)b->seq_next_from;
    const char *params[] = {y->sink->options.pipeline,
                            arena_printf(a, "%" PRIu64, y->sink->epoch),
                            arena_printf(a, "%" PRIu64, y->sink->options.store_id),
                            arena_printf(a, "%" PRIu64, b->seq_next_to),
                            b->position,
                            arena_printf(a, "%" PRId64, b->commit_time_us),
                            arena_printf(a, "%" PRId64, from)};
    return run(y, "progress", &y->sink->progress_prepared, move_progress, 7, params, err);
}

static enum status run_error_state(struct sync *y, uint32_t view_idx, struct error *err)
{
    const struct sink_view_changes *changes = &y->batch->views[view_idx];
    struct sink *s = y->sink;
    bool prepared = false;
    const char *params[] = {s->options.pipeline, s->options.views[view_idx]->name, changes->error};
    return run(y, "", &prepared,
               "INSERT INTO logfold.views (pipeline, view, error) VALUES ($1, $2, $3)"
               " ON CONFLICT (pipeline, view) DO UPDATE SET error = EXCLUDED.error",
               3, params, err);
}

static enum status run_by_arrays(struct sync *y, uint32_t view_idx, const struct row_set *rows, bool deletes,
                                 struct error *err)
{
    struct sink_view *sv = &y->sink->views[view_idx];
    const char **params = rows_as_arrays(sv, rows, &y->arena);
    bool *prepared = deletes ? &sv->delete_prepared : &sv->insert_prepared;
    const char *sql = *prepared ? NULL
                      : deletes ? statement_delete(y->sink, view_idx, false, &y->arena)
                                : statement_insert(y->sink, view_idx, false, &y->arena);
    const char *name = arena_printf(&y->arena, "%s %s", deletes ? "delete from" : "insert into", sv->view->name);
    return run(y, name, prepared, sql, (int)sv->view->visible_count + 1, params, err);
}

static enum status copy_rows(struct sync *y, uint32_t view_idx, const struct row_set *rows, struct error *err)
{
    struct sink *s = y->sink;
    const char *stage = statement_stage_name(&y->arena, view_idx);
    const char *what = arena_printf(&y->arena, "could not copy rows for %s to the sink", s->views[view_idx].name);
    PGresult *result = PQexec(s->conn, arena_printf(&y->arena, "COPY %s FROM STDIN", stage));
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        enum status st = connection_error(s, what, result, err);
        PQclear(result);
        return st;
    }
    PQclear(result);
    struct buffer lines = BUFFER_EMPTY;
    bool sent = true;
    for (size_t at = 0; at < rows->count && sent; at += COPY_ROWS) {
        size_t to = at + COPY_ROWS < rows->count ? at + COPY_ROWS : rows->count;
        buffer_reset(&lines);
        rows_append_copy(&s->views[view_idx], rows, at, to, &lines);
        sent = PQputCopyData(s->conn, (const char *)lines.data, (int)lines.len) == 1;
    }
    buffer_release(&lines);
    sent = sent && PQputCopyEnd(s->conn, NULL) == 1;
    enum status st = sent ? STATUS_OK : connection_error(s, what, NULL, err);
    while ((result = PQgetResult(s->conn)) != NULL) {
        if (st == STATUS_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
            st = connection_error(s, what, result, err);
        }
        PQclear(result);
    }
    return st;
}

static enum status run_by_copy(struct sync *y, uint32_t view_idx, const struct row_set *rows, bool deletes,
                               struct error *err)
{
    struct sink *s = y->sink;
    struct arena *a = &y->arena;
    struct sink_view *sv = &s->views[view_idx];
    if (!sv->staged) {
        TRY(connection_exec(s, "could not make a temporary table in the sink", statement_make_stage(s, view_idx, a),
                            err));
        sv->staged = true;
    }
    const char *stage = statement_stage_name(a, view_idx);
    TRY(copy_rows(y, view_idx, rows, err));
    TRY(connection_exec(s, "could not analyze a temporary table in the sink", arena_printf(a, "ANALYZE %s", stage),
                        err));
    const char *sql = deletes ? statement_delete(s, view_idx, true, a) : statement_insert(s, view_idx, true, a);
    TRY(connection_exec(s, arena_printf(a, "could not sync %s", sv->name), sql, err));
    return connection_exec(s, "could not empty a temporary table in the sink", arena_printf(a, "TRUNCATE %s", stage),
                           err);
}

static enum status run_rows(struct sync *y, uint32_t view_idx, const struct row_set *rows, bool deletes,
                            struct error *err)
{
    if (rows->count == 0) {
        return STATUS_OK;
    }
    return rows->count <= ARRAY_ROWS_MAX ? run_by_arrays(y, view_idx, rows, deletes, err)
                                         : run_by_copy(y, view_idx, rows, deletes, err);
}

static enum status run_view(struct sync *y, uint32_t view_idx, struct error *err)
{
    const struct sink_view_changes *changes = &y->batch->views[view_idx];
    struct sink_view *sv = &y->sink->views[view_idx];
    if (changes->change_count > 0) {
        struct view_rows rows;
        TRY(rows_split(sv, changes, &y->arena, &rows, err));
        TRY(run_rows(y, view_idx, &rows.deletes, true, err));
        TRY(run_rows(y, view_idx, &rows.inserts, false, err));
    }
    return changes->error_changed ? run_error_state(y, view_idx, err) : STATUS_OK;
}

static enum status run_all(struct sync *y, struct error *err)
{
    TRY(run_progress(y, err));
    for (uint32_t v = 0; v < y->sink->options.view_count; v++) {
        TRY(run_view(y, v, err));
    }
    return STATUS_OK;
}

/* What was sent is done at the server meanwhile. */
static enum status await_commit(struct sync *y, struct error *err)
{
    return y->await(y->ctx) ? STATUS_OK
                            : error_set(err, STATUS_STOPPED, 0, "stopped before a sync of the sink was committed");
}

/* Reads every result up to the pipeline's end; the first failure counts. */
static enum status end_pipeline(struct sync *y, struct error *err)
{
    struct sink *s = y->sink;
    enum status st = STATUS_OK;
    if (PQpipelineSync(s->conn) != 1) {
        return connection_error(s, "could not sync the sink", NULL, err);
    }
    for (int nulls = 0; nulls < 2;) {
        PGresult *result = PQgetResult(s->conn);
        nulls = result == NULL ? nulls + 1 : 0;
        ExecStatusType status = PQresultStatus(result);
        if (result != NULL && status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            break;
        }
        if (st == STATUS_OK && result != NULL && status == PGRES_FATAL_ERROR) {
            const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
            st = connection_error(s, "could not sync the sink", result, err);
            st = state != NULL && strcmp(state, "22012") == 0 ? STATUS_LOCKED : st;
        }
        PQclear(result);
    }
    if (PQexitPipelineMode(s->conn) != 1 && st == STATUS_OK) {
        st = connection_error(s, "could not sync the sink", NULL, err);
    }
    return st;
}

static enum status sync_pipelined(struct sync *y, struct error *err)
{
    y->pipelined = true;
    if (PQenterPipelineMode(y->sink->conn) != 1) {
        return connection_error(y->sink, "could not sync the sink", NULL, err);
    }
    struct error sending = {0};
    enum status sent = run_all(y, &sending);
    if (sent == STATUS_OK && PQflush(y->sink->conn) < 0) {
        sent = connection_error(y->sink, "could not sync the sink", NULL, &sending);
    }
    if (sent == STATUS_OK) {
        TRY(await_commit(y, err)); /* the end of the pipeline commits */
    }
    enum status st = end_pipeline(y, err);
    if (sent != STATUS_OK && st != STATUS_LOCKED) {
        *err = sending;
        return sent;
    }
    return st;
}

static enum status sync_in_transaction(struct sync *y, struct error *err)
{
    struct sink *s = y->sink;
    TRY(connection_exec(s, "could not begin in the sink", "BEGIN", err));
    enum status st = run_all(y, err);
    if (st == STATUS_OK) {
        TRY(await_commit(y, err));
        return connection_exec(s, "could not commit in the sink", "COMMIT", err);
    }
    if (PQstatus(s->conn) == CONNECTION_OK) {
        PQclear(PQexec(s->conn, "ROLLBACK"));
    }
    return st;
}

enum status sink_sync(struct sink *s, const struct sink_batch *batch, bool (*await)(void *ctx), void *ctx,
                      struct error *err)
{
    if (s->conn == NULL) {
        return error_set(err, STATUS_RETRY, 0, "the sink is not connected");
    }
    struct sync y = {.sink = s, .batch = batch, .await = await, .ctx = ctx};
    bool large = false;
    for (uint32_t v = 0; v < s->options.view_count; v++) {
        large = large || batch->views[v].change_count > ARRAY_ROWS_MAX;
    }
    enum status st = large ? sync_in_transaction(&y, err) : sync_pipelined(&y, err);
    arena_release(&y.arena);
    if (st == STATUS_LOCKED) {
        st = error_set(err, STATUS_MISMATCH, 0,
                       "another procd has taken over pipeline \"%s\" in the sink, or its progress row was changed; "
                       "only one may write it",
                       s->options.pipeline);
    }
    if (st != STATUS_OK) { /* prepared statements and the transaction are in doubt: the next connect starts afresh */
        connection_close(s);
    }
    return st;
}
