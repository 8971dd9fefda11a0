/* The first state: every declared table as of the moment at which the slot begins, copied into one commit.
 *
 * The commit becomes whole with its last chunk and its position; ended before that it vanishes from the log, and the
 * next start drops the slot and begins again. READ items replace: each table is truncated first. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "event/event.h"
#include "ingest/pgtext.h"
#include "ingest/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_PER_LOOK = 1024 };

void postgres_snapshot_free(struct postgres *p)
{
    struct postgres_snapshot *s = p->snapshot;
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        buffer_release(&s->tables[i].sql);
    }
    mem_free(s->tables);
    mem_free(s);
    p->snapshot = NULL;
}

/* ---- what to copy ---- */

struct table_facts {
    uint32_t oid;
    bool partitioned;
    double rows;
    struct buffer filter; /* the publication's WHERE, ended by NUL; empty = none */
};

static enum status load_facts(struct postgres *p, const struct catalog_table *t, struct table_facts *out,
                              struct error *err)
{
    static const char sql[] =
        "SELECT c.oid, c.relkind, CASE WHEN c.reltuples > 0 AND c.relpages > 0"
        " THEN c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::float8)"
        " ELSE pg_relation_size(c.oid) / 100.0 END,"
        " (SELECT to_jsonb(t)->>'rowfilter' FROM pg_publication_tables t WHERE t.pubname = $3 AND t.schemaname = $1 "
        "AND t.tablename = $2)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
    const char *params[] = {t->schema, t->name, p->options.publication};
    PGresult *r = NULL;
    TRY(postgres_query(p->copy, "could not ask the source for a table", sql, 3, params, &r, err));
    bool found = PQntuples(r) == 1;
    if (found) {
        out->oid = (uint32_t)strtoul(PQgetvalue(r, 0, 0), NULL, 10);
        out->partitioned = PQgetvalue(r, 0, 1)[0] == 'p';
        out->rows = strtod(PQgetvalue(r, 0, 2), NULL);
        if (!PQgetisnull(r, 0, 3)) {
            buffer_append(&out->filter, PQgetvalue(r, 0, 3), strlen(PQgetvalue(r, 0, 3)) + 1);
        }
    }
    PQclear(r);
    return found ? STATUS_OK
                 : error_set(err, STATUS_RETRY, 0, "could not copy table %s.%s: it is gone from the source", t->schema,
                             t->name);
}

static PGresult *ask_columns(struct postgres *p, const struct catalog_table *t, uint32_t oid, struct error *err)
{
    static const char format[] =
        "SELECT a.attname, a.atttypid, a.atttypmod FROM pg_attribute a LEFT JOIN"
        " (SELECT to_jsonb(t)->'attnames' AS names FROM pg_publication_tables t WHERE t.pubname = $2"
        "  AND t.schemaname = $3 AND t.tablename = $4) l ON true"
        " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND %s"
        " AND (l.names IS NULL OR l.names ? a.attname::text) ORDER BY a.attnum";
    char sql[640];
    snprintf(sql, sizeof sql, format,
             p->server_version >= 120000 && p->server_version < 180000 ? "a.attgenerated = ''" : "true");
    char oid_text[16];
    snprintf(oid_text, sizeof oid_text, "%u", oid);
    const char *params[] = {oid_text, p->options.publication, t->schema, t->name};
    PGresult *r = NULL;
    return postgres_query(p->copy, "could not ask the source for columns", sql, 4, params, &r, err) == STATUS_OK ? r
                                                                                                                 : NULL;
}

static void append_copy(const struct catalog_table *t, const struct table_facts *facts,
                        const struct pgrelation *relation, struct buffer *sql)
{
    bool query = facts->filter.len > 0 || facts->partitioned;
    buffer_append_text(sql, query ? "COPY (SELECT " : "COPY ");
    for (int part = 0; part < 2; part++) { /* a table's name comes before its columns, a query's after them */
        if (query == (part == 1)) {
            buffer_append_text(sql, !query ? "" : facts->partitioned ? " FROM " : " FROM ONLY ");
            postgres_append_identifier(sql, t->schema);
            buffer_append_byte(sql, '.');
            postgres_append_identifier(sql, t->name);
            continue;
        }
        buffer_append_text(sql, query ? "" : " (");
        for (uint32_t i = 0; i < relation->column_count; i++) {
            buffer_append_text(sql, i == 0 ? "" : ", ");
            postgres_append_identifier(sql, relation->columns[i].name);
        }
        buffer_append_text(sql, query ? "" : ")");
    }
    if (facts->filter.len > 0) {
        buffer_printf(sql, " WHERE %s", (const char *)facts->filter.data);
    }
    buffer_append_text(sql, query ? ") TO STDOUT" : " TO STDOUT");
    buffer_append_byte(sql, 0);
}

static enum status describe_table(struct postgres *p, const struct catalog_table *t,
                                  struct postgres_snapshot_table *out, struct table_facts *facts, struct error *err)
{
    TRY(load_facts(p, t, facts, err));
    PGresult *r = ask_columns(p, t, facts->oid, err);
    if (r == NULL) {
        return err->status;
    }
    uint32_t count = (uint32_t)PQntuples(r);
    struct pgcolumn *columns = mem_zalloc((count + 1) * sizeof *columns);
    enum status st = STATUS_OK;
    for (uint32_t i = 0; i < count && st == STATUS_OK; i++) {
        columns[i].name = PQgetvalue(r, (int)i, 0);
        columns[i].type_oid = (uint32_t)strtoul(PQgetvalue(r, (int)i, 1), NULL, 10);
        columns[i].typmod = (int32_t)strtol(PQgetvalue(r, (int)i, 2), NULL, 10);
        st = postgres_type_resolve(p, p->copy, columns[i].type_oid, columns[i].typmod, &columns[i].type, err);
    }
    if (st == STATUS_OK) {
        out->relation = pgrelation_describe(&p->relations, facts->oid, t->schema, t->name, columns, count);
        out->rows_expected = facts->rows;
        append_copy(t, facts, out->relation, &out->sql);
    }
    mem_free(columns);
    PQclear(r);
    return st;
}

static enum status begin_commit(struct postgres *p, struct error *err)
{
    PGresult *r = NULL;
    TRY(postgres_query(p->copy, "could not ask the source for the time",
                       "SELECT ((extract(epoch FROM now()) - 946684800) * 1000000)::int8", 0, NULL, &r, err));
    int64_t time_us = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    postgres_commit_begin(p, time_us, 0);
    event_append_position(&p->out, "pg.system_id", p->system_id);
    event_append_position(&p->out, "pg.timeline", p->timeline);
    for (uint32_t i = 0; i < p->snapshot->count; i++) {
        pgrelation_journal(&p->relations, p->snapshot->tables[i].relation, p->commit_number, &p->out);
        event_append_truncate(&p->out, p->snapshot->tables[i].relation->table_id);
    }
    return STATUS_OK;
}

/* Starts to copy the current table, if there is one. */
static enum status copy_begin(struct postgres *p, struct error *err)
{
    struct postgres_snapshot *s = p->snapshot;
    if (s->current == s->count) {
        return STATUS_OK;
    }
    if (PQsendQuery(p->copy, (const char *)s->tables[s->current].sql.data) != 1) {
        return postgres_error(p->copy, NULL, "could not copy a table", err);
    }
    return STATUS_OK;
}

enum status postgres_snapshot_begin(struct postgres *p, const char *snapshot_name, uint64_t point, struct error *err)
{
    TRY(postgres_connect_plain(p, &p->copy, err));
    TRY(postgres_command(p->copy, "could not begin the snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                         NULL, err));
    char *literal = PQescapeLiteral(p->copy, snapshot_name, strlen(snapshot_name));
    struct buffer sql = BUFFER_EMPTY;
    buffer_printf(&sql, "SET TRANSACTION SNAPSHOT %s", literal);
    enum status st =
        postgres_command(p->copy, "could not take over the slot's snapshot", (const char *)sql.data, NULL, err);
    buffer_release(&sql);
    PQfreemem(literal);
    TRY(st);
    const struct catalog *catalog = p->options.catalog;
    struct postgres_snapshot *s = mem_zalloc(sizeof *s);
    p->snapshot = s;
    s->tables = mem_zalloc((catalog->table_count + 1) * sizeof *s->tables);
    s->count = catalog->table_count;
    s->point = point;
    s->begun_us = clock_mono_us();
    for (uint32_t i = 0; i < s->count; i++) {
        struct table_facts facts = {0};
        st = describe_table(p, catalog->tables[i], &s->tables[i], &facts, err);
        buffer_release(&facts.filter);
        TRY(st);
        s->rows_expected += s->tables[i].rows_expected;
    }
    char lsn[POSTGRES_LSN_TEXT_BYTES];
    message_line(MESSAGE_INFO, "source", "snapshot of %u tables as of lsn=%s rows=%.0f (estimated)", s->count,
                 postgres_lsn_text(point, lsn), s->rows_expected);
    TRY(begin_commit(p, err));
    p->state = POSTGRES_COPYING;
    p->started = true;
    return copy_begin(p, err);
}

/* ---- rows ---- */

static uint8_t unescaped(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'v':
        return '\v';
    default:
        return c;
    }
}

/* Only where the field has a backslash at all. */
static struct bytes unescape(struct arena *a, struct bytes field)
{
    uint8_t *to = arena_alloc(a, field.len);
    size_t len = 0;
    for (size_t i = 0; i < field.len; i++) {
        bool escape = field.data[i] == '\\' && i + 1 < field.len;
        i += escape ? 1 : 0;
        to[len] = escape ? unescaped(field.data[i]) : field.data[i];
        len += 1;
    }
    return bytes_of(to, len);
}

/* One field of a line of COPY text; `escapes` tells whether the line has backslashes. */
static enum status append_field(struct postgres *p, const struct pgcolumn *column, struct bytes field, bool escapes,
                                struct error *err)
{
    if (escapes) {
        if (field.len == 2 && field.data[0] == '\\' && field.data[1] == 'N') {
            packed_append_nil(&p->out);
            return STATUS_OK;
        }
        if (memchr(field.data, '\\', field.len) != NULL) {
            field = unescape(&p->scratch, field);
        }
    }
    return pgtext_append(&p->out, &column->type, field, &p->scratch, err);
}

static enum status append_fields(struct postgres *p, const struct pgrelation *r, struct bytes line, struct error *err)
{
    bool escapes = line.len > 0 && memchr(line.data, '\\', line.len) != NULL;
    const uint8_t *next = line.data;
    const uint8_t *end = line.data + line.len;
    for (uint32_t i = 0; i < r->column_count; i++) {
        if (next > end) {
            return error_set(err, STATUS_INVALID, 0, "the line has too few fields");
        }
        const uint8_t *tab = next < end ? memchr(next, '\t', (size_t)(end - next)) : NULL;
        const uint8_t *stop = tab == NULL ? end : tab;
        TRY(append_field(p, &r->columns[i], bytes_of(next, (size_t)(stop - next)), escapes, err));
        next = stop + 1;
    }
    return next == end + 1 || r->column_count == 0 ? STATUS_OK
                                                   : error_set(err, STATUS_INVALID, 0, "the line has too many fields");
}

static enum status take_row(struct postgres *p, struct bytes line, struct error *err)
{
    const struct pgrelation *r = p->snapshot->tables[p->snapshot->current].relation;
    line.len -= line.len > 0 && line.data[line.len - 1] == '\n' ? 1 : 0;
    size_t mark = p->out.len;
    char origin[256];
    origin[0] = '\0';
    event_append_row(&p->out, EVENT_READ, r->table_id, r->column_count);
    struct error cause;
    bool bad = append_fields(p, r, line, &cause) != STATUS_OK;
    if (bad || p->out.len - mark > SOURCE_ITEM_BYTES_MAX) {
        char lsn[POSTGRES_LSN_TEXT_BYTES];
        snprintf(origin, sizeof origin, "%.100s.%.100s, snapshot at %s", r->table->schema, r->table->name,
                 postgres_lsn_text(p->snapshot->point, lsn));
    }
    if (bad) {
        p->out.len = mark;
        event_append_quarantine(&p->out, origin, cause.text, line);
        TRY(source_quarantined(&p->options.output, bytes_of(p->out.data + mark, p->out.len - mark), err));
    }
    if (p->scratch.next != NULL) {
        arena_reset(&p->scratch);
    }
    p->snapshot->rows += 1;
    p->base.received += 1;
    return postgres_commit_item(p, mark, origin, err);
}

/* ---- progress ---- */

static void show_progress(struct postgres *p, bool done)
{
    const struct postgres_snapshot *s = p->snapshot;
    if (!p->options.snapshot_progress && !done) {
        return;
    }
    double took = (double)(clock_mono_us() - s->begun_us) / 1e6 + 1e-6;
    double rate = (double)s->rows / took;
    if (!done && took < 1) { /* short work needs no progress */
        return;
    }
    if (done) {
        message_progress("source", true, "snapshot done rows=%" PRIu64 " seconds=%.2f rows/s=%.0f", s->rows, took,
                         rate);
        return;
    }
    double share = s->rows_expected > 0 ? (double)s->rows / s->rows_expected : 0;
    share = share > 0.99 ? 0.99 : share;
    message_progress("source", false, "snapshot rows=%" PRIu64 " %.0f%% rows/s=%.0f left=%.0fs", s->rows, share * 100,
                     rate, share > 0 ? took / share * (1 - share) : 0.0);
}

/* ---- steps ---- */

static enum status finish(struct postgres *p, struct error *err)
{
    show_progress(p, true);
    TRY(postgres_commit_end(p, p->snapshot->point, err));
    PQfinish(p->copy);
    p->copy = NULL;
    postgres_snapshot_free(p);
    return postgres_stream_begin(p, err);
}

/* COPY has not begun yet, or has ended: takes the result and goes on to the next table. `*idle` = nothing there yet. */
static enum status take_result(struct postgres *p, bool *idle, struct error *err)
{
    *idle = PQisBusy(p->copy) == 1;
    if (*idle) {
        return STATUS_OK;
    }
    PGresult *r = PQgetResult(p->copy);
    enum status st = STATUS_OK;
    if (r == NULL) {
        p->snapshot->current += 1;
        st = copy_begin(p, err);
    } else if (PQresultStatus(r) == PGRES_COPY_OUT) {
        p->snapshot->copying = true;
    } else if (PQresultStatus(r) != PGRES_COMMAND_OK) {
        const struct catalog_table *t = p->snapshot->tables[p->snapshot->current].relation->table;
        st = postgres_error(p->copy, r, "could not copy a table", err);
        error_prefix(err, "table %s.%s", t->schema, t->name);
    }
    PQclear(r);
    return st;
}

/* Takes what libpq holds until it has nothing (`*idle`) or enough was taken. */
static enum status take_rows(struct postgres *p, uint64_t handed_max, bool *idle, struct error *err)
{
    for (int i = 0; i < ROWS_PER_LOOK && p->handed_bytes < handed_max; i++) {
        char *data = NULL;
        int n = PQgetCopyData(p->copy, &data, 1);
        if (n > 0) {
            enum status st = take_row(p, bytes_of(data, (size_t)n), err);
            PQfreemem(data);
            TRY(st);
        } else if (n == 0) {
            *idle = true;
            return STATUS_OK;
        } else if (n == -1) {
            p->snapshot->copying = false;
            return STATUS_OK;
        } else {
            return postgres_error(p->copy, NULL, "could not copy a table", err);
        }
    }
    return STATUS_OK;
}

enum status postgres_snapshot_poll(struct postgres *p, uint64_t budget_bytes, bool *more, struct error *err)
{
    uint64_t handed_max = p->handed_bytes + budget_bytes;
    bool consumed = false;
    while (p->handed_bytes < handed_max && p->snapshot->current < p->snapshot->count) {
        bool idle = false;
        uint64_t rows = p->snapshot->rows;
        bool was_copying = p->snapshot->copying;
        TRY(was_copying ? take_rows(p, handed_max, &idle, err) : take_result(p, &idle, err));
        if (idle && consumed && rows == p->snapshot->rows) {
            show_progress(p, false);
            return STATUS_OK;
        }
        if (idle) {
            if (PQconsumeInput(p->copy) != 1) {
                return postgres_error(p->copy, NULL, "could not copy a table", err);
            }
            consumed = true;
        }
    }
    show_progress(p, false);
    *more = true;
    return p->snapshot->current == p->snapshot->count ? finish(p, err) : STATUS_OK;
}
