/* The stream: frames of the replication connection, messages in them, and our reports back. Changes go to
 * postgres_change.c.
 *
 * Invariants: a transaction becomes exactly one commit, or none if it touches no declared table; what was received up
 * to `seen` is handed out; a transaction whose commit record lies before `position` is in the log already. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "ingest/postgres.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Microseconds between 1970-01-01 and 2000-01-01. */
#define EPOCH_US INT64_C(946684800000000)

enum {
    FRAME_DATA_HEAD_BYTES = 25,
    FRAME_KEEPALIVE_BYTES = 18,
    STATUS_BYTES = 34,
    STATUS_US_MAX = 10000000,      /* between two reports */
    STATUS_US_MIN = 10000,         /* unless the server asks */
    POSITION_US_MAX = 10000000,    /* a position is logged so often even if no declared table changes ... */
    POSITION_BYTES_MAX = 16 << 20, /* ... or after so much WAL */
    LAG_US = 5000000,
    ONCE_ASK_US = 20000,
    /* One message arrives per send of the server: at full speed a short nap lets many be read with one call. */
    LINGER_US_MAX = 5000,
    NAP_US = 20, /* and what the timer adds; longer ones fill the socket and stop the server */
    NAP_MESSAGES_MIN = 40,
    QUIET_US = 1000
};

/* ---- reports to the server ---- */

enum status postgres_status_send(struct postgres *p, bool ask_reply, struct error *err)
{
    uint8_t m[STATUS_BYTES];
    uint64_t written = p->seen > p->durable_lsn ? p->seen : p->durable_lsn;
    m[0] = 'r';
    store_be64(m + 1, written);
    store_be64(m + 9, p->durable_lsn);
    store_be64(m + 17, p->durable_lsn);
    store_be64(m + 25, (uint64_t)(clock_wall_us() - EPOCH_US));
    m[33] = ask_reply ? 1 : 0;
    p->status_sent_us = clock_mono_us();
    p->status_due = false;
    if (PQputCopyData(p->stream, (const char *)m, sizeof m) < 0 || PQflush(p->stream) < 0) {
        return postgres_error(p->stream, NULL, "could not report to the source", err);
    }
    return STATUS_OK;
}

/* ---- messages ---- */

static enum status take_relation(struct postgres *p, const struct pgoutput_message *m, struct error *err)
{
    struct pgcolumn *columns = mem_zalloc((m->column_count + 1) * sizeof *columns);
    enum status st = STATUS_OK;
    bool declared =
        catalog_find_table(p->options.catalog, m->space[0] == '\0' ? "pg_catalog" : m->space, m->name) != NULL;
    for (uint32_t i = 0; i < m->column_count && st == STATUS_OK; i++) {
        const struct pgoutput_column *c = &m->columns[i];
        char *name = mem_strdup(c->name);
        columns[i] =
            (struct pgcolumn){.name = name, .type_oid = c->type_oid, .typmod = c->typmod, .identity = c->identity};
        columns[i].type = type_from_oid(c->type_oid, c->typmod);
        if (declared) {
            st = postgres_type_resolve(p, p->control, c->type_oid, c->typmod, &columns[i].type, err);
        }
    }
    if (st == STATUS_OK) {
        struct pgrelation *r = pgrelation_describe(&p->relations, m->oid, m->space, m->name, columns, m->column_count);
        r->session = p->session;
    }
    for (uint32_t i = 0; i < m->column_count; i++) {
        mem_free(columns[i].name);
    }
    mem_free(columns);
    return st;
}

static enum status take_begin(struct postgres *p, const struct pgoutput_message *m, struct error *err)
{
    if (p->in_transaction) {
        return error_set(err, STATUS_INVALID, 0,
                         "could not decode the source's stream: a transaction inside a transaction");
    }
    p->in_transaction = true;
    p->skip_transaction = m->lsn < p->position;
    p->begin_time_us = m->time_us;
    p->begin_xid = m->xid;
    return STATUS_OK;
}

static enum status take_commit(struct postgres *p, const struct pgoutput_message *m, struct error *err)
{
    if (!p->in_transaction || (p->commit_begun && m->end_lsn < p->position)) {
        return error_set(err, STATUS_INVALID, 0, "could not decode the source's stream: a commit %s",
                         p->in_transaction ? "that ends before the one before it" : "without a beginning");
    }
    p->in_transaction = false;
    p->seen = m->end_lsn > p->seen ? m->end_lsn : p->seen;
    p->server_end = p->seen > p->server_end ? p->seen : p->server_end;
    return p->commit_begun ? postgres_commit_end(p, m->end_lsn, err) : STATUS_OK;
}

static enum status take_message(struct postgres *p, struct bytes raw, struct error *err)
{
    struct pgoutput_message m;
    TRY(pgoutput_decode(p->decoder, raw, &m, err));
    switch (m.kind) {
    case PGOUTPUT_BEGIN:
        return take_begin(p, &m, err);
    case PGOUTPUT_COMMIT:
        return take_commit(p, &m, err);
    case PGOUTPUT_RELATION:
        return take_relation(p, &m, err);
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        return postgres_change(p, &m, raw, err);
    case PGOUTPUT_TRUNCATE:
        return postgres_change_truncate(p, &m, err);
    case PGOUTPUT_ORIGIN:
    case PGOUTPUT_TYPE:
    case PGOUTPUT_MESSAGE:
        break;
    }
    return STATUS_OK;
}

static enum status take_keepalive(struct postgres *p, struct bytes frame, struct error *err)
{
    uint64_t end = load_be64(frame.data + 1);
    p->server_end = end > p->server_end ? end : p->server_end;
    if (!p->in_transaction && end > p->seen) {
        p->seen = end;
    }
    if (frame.data[17] != 0) {
        /* A server that shuts down waits until we confirm all of it, so the position goes into the log soon. */
        p->position_wanted = true;
        return postgres_status_send(p, false, err);
    }
    return STATUS_OK;
}

static enum status take_frame(struct postgres *p, struct bytes frame, struct error *err)
{
    if (frame.len > FRAME_DATA_HEAD_BYTES && frame.data[0] == 'w') {
        p->message_lsn = load_be64(frame.data + 1);
        return take_message(p, bytes_of(frame.data + FRAME_DATA_HEAD_BYTES, frame.len - FRAME_DATA_HEAD_BYTES), err);
    }
    if (frame.len == FRAME_KEEPALIVE_BYTES && frame.data[0] == 'k') {
        return take_keepalive(p, frame, err);
    }
    return error_set(err, STATUS_INVALID, 0,
                     "could not decode the source's stream: a frame of kind 0x%02x and %zu bytes",
                     frame.len > 0 ? frame.data[0] : 0, frame.len);
}

/* ---- reading ---- */

/* The server ended the stream: whatever it says, connecting again finds out whether that helps. But it looks the
 * publication up as of the time of each change, so one that was missing then stays missing. */
static enum status stream_ended(struct postgres *p, struct error *err)
{
    PGresult *result = PQgetResult(p->stream);
    bool says = result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR;
    const char *state = says ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    bool undefined = state != NULL && strcmp(state, "42704") == 0;
    postgres_error(p->stream, says ? result : NULL, "could not stream from the source", err);
    PQclear(result);
    if (undefined) {
        struct error cause = *err;
        return error_set(err, STATUS_MISMATCH, 0,
                         "%s; changes made while it was missing cannot be streamed: make it again, remove the store "
                         "folder and drop slot "
                         "\"%s\", then start again to take a new snapshot",
                         cause.text, p->options.slot);
    }
    err->status = STATUS_RETRY;
    return STATUS_RETRY;
}

struct intake {
    int64_t begun_us;
    uint64_t handed_max;
    unsigned messages; /* of this call */
    unsigned fresh;    /* since the socket was read last */
};

/* Nothing more is there just now. True where it pays to wait a moment: at full speed, or in the middle of a
 * transaction. */
static bool linger(const struct postgres *p, const struct intake *in)
{
    if (in->messages == 0 || clock_mono_us() - in->begun_us > LINGER_US_MAX) {
        return false;
    }
    if (p->burst >= NAP_MESSAGES_MIN) {
        if (in->fresh == 0) { /* the last nap brought nothing */
            return false;
        }
        clock_sleep_us(NAP_US);
        return true;
    }
    struct pollfd fd = {.fd = PQsocket(p->stream), .events = POLLIN};
    return p->in_transaction && poll(&fd, 1, 1) > 0;
}

/* Takes frames until libpq has no whole one (`*drained`) or enough was taken. */
static enum status take_frames(struct postgres *p, struct intake *in, bool *drained, struct error *err)
{
    *drained = false;
    while (p->handed_bytes + p->out.len < in->handed_max) {
        char *data = NULL;
        int n = PQgetCopyData(p->stream, &data, 1);
        if (n == 0) {
            *drained = true;
            return STATUS_OK;
        }
        if (n < 0) {
            return stream_ended(p, err);
        }
        enum status st = take_frame(p, bytes_of(data, (size_t)n), err);
        PQfreemem(data);
        TRY(st);
        in->messages += 1;
        in->fresh += 1;
        p->burst += 1;
        if (in->messages % 512 == 0 && clock_mono_us() - in->begun_us > 4 * LINGER_US_MAX) {
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

static enum status intake(struct postgres *p, uint64_t budget_bytes, bool *more, struct error *err)
{
    struct intake in = {.begun_us = clock_mono_us(), .handed_max = p->handed_bytes + budget_bytes};
    p->burst = in.begun_us - p->burst_us > QUIET_US ? 0 : p->burst;
    bool consumed = false;
    bool drained = false;
    for (;;) {
        TRY(take_frames(p, &in, &drained, err));
        if (!drained) {
            *more = true;
            return STATUS_OK;
        }
        bool waited = consumed && linger(p, &in);
        if (consumed && in.fresh == 0 && !waited) {
            return STATUS_OK;
        }
        in.fresh = 0;
        if (PQconsumeInput(p->stream) != 1) {
            return stream_ended(p, err);
        }
        consumed = true;
    }
}

/* ---- what is due by time ---- */

/* How far the source is: keepalives tell only how far its sender is. A question that fails costs only the figure. */
static void ask_lag(struct postgres *p, int64_t now)
{
    if (p->lag_pending) {
        if (PQconsumeInput(p->control) == 1 && PQisBusy(p->control) == 0) {
            PGresult *r = PQgetResult(p->control);
            uint64_t end;
            if (r != NULL && PQresultStatus(r) == PGRES_TUPLES_OK && postgres_parse_lsn(PQgetvalue(r, 0, 0), &end)) {
                p->server_end = end > p->server_end ? end : p->server_end;
            }
            while (r != NULL) {
                PQclear(r);
                r = PQgetResult(p->control);
            }
            p->lag_pending = false;
        }
    } else if (now - p->lag_asked_us > LAG_US && PQstatus(p->control) == CONNECTION_OK) {
        static const char sql[] =
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END";
        p->lag_pending = PQsendQuery(p->control, sql) == 1;
        p->lag_asked_us = now;
    }
}

static bool position_is_due(const struct postgres *p, int64_t now)
{
    if (p->in_transaction || p->seen <= p->position) {
        return false;
    }
    return p->position_wanted || p->seen - p->position > POSITION_BYTES_MAX ||
           now - p->position_logged_us > POSITION_US_MAX;
}

static bool once_done(const struct postgres *p)
{
    return p->once_target_known && !p->in_transaction && p->seen >= p->once_target;
}

enum status postgres_stream_poll(struct postgres *p, uint64_t budget_bytes, bool *more, struct error *err)
{
    uint64_t before = p->burst;
    TRY(intake(p, budget_bytes, more, err));
    int64_t now = clock_mono_us();
    p->burst_us = p->burst != before ? now : p->burst_us;
    if (position_is_due(p, now)) {
        TRY(postgres_commit_position(p, p->seen, err));
    }
    ask_lag(p, now);
    if (once_done(p)) {
        p->state = POSTGRES_ENDED;
        *more = false;
        return STATUS_END;
    }
    int64_t since = now - p->status_sent_us;
    bool ask = p->once_target_known && since > ONCE_ASK_US;
    if (ask || since > STATUS_US_MAX || (p->status_due && since > STATUS_US_MIN)) {
        return postgres_status_send(p, ask, err);
    }
    return PQflush(p->stream) < 0 ? stream_ended(p, err) : STATUS_OK;
}

static int64_t earlier(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

int64_t postgres_stream_due_us(const struct postgres *p)
{
    int64_t due = p->status_sent_us + STATUS_US_MAX;
    due = p->status_due ? earlier(due, p->status_sent_us + STATUS_US_MIN) : due;
    due = p->once_target_known ? earlier(due, p->status_sent_us + ONCE_ASK_US) : due;
    due = p->seen > p->position ? earlier(due, p->position_logged_us + POSITION_US_MAX) : due;
    return earlier(due, p->lag_asked_us + (p->lag_pending ? STATUS_US_MIN : LAG_US));
}
