/* Who the server is, and the slot: whose it is, whether it still has everything since our position, and starting to
 * stream.
 *
 * Since PostgreSQL 15 a server asked for an older position than its slot has confirmed starts silently at the confirmed
 * one, so the comparison here is all that stands between a dropped-and-made-again slot and a gap. We acknowledge only
 * what is in the log, hence confirmed_flush_lsn can never be past our position unless somebody else moved it. */
#include "ingest/postgres.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_SLOT_WAIT_US = 2000000 };

/* ---- identity ---- */

static bool logged(const struct postgres *p, const char *name, uint64_t *value)
{
    return p->options.position != NULL && p->options.position(p->options.position_ctx, name, value);
}

/* A later timeline is the same history only if it branched off at or after our position: the server's history file
 * tells. */
static enum status check_branch(struct postgres *p, uint64_t timeline, struct error *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "TIMELINE_HISTORY %" PRIu64, timeline);
    PGresult *result = NULL;
    if (timeline > p->timeline) { /* an earlier one has no history that could contain ours */
        TRY(postgres_command(p->stream, "could not read the source's timeline history", sql, &result, err));
    }
    bool fits = false;
    const char *line =
        result != NULL && PQntuples(result) == 1 && PQnfields(result) >= 2 ? PQgetvalue(result, 0, 1) : "";
    while (*line != '\0' && !fits) {
        unsigned long parent;
        char lsn_text[POSTGRES_LSN_TEXT_BYTES];
        uint64_t branched = 0;
        if (sscanf(line, "%lu %23s", &parent, lsn_text) == 2 && parent == p->timeline &&
            postgres_parse_lsn(lsn_text, &branched)) {
            fits = p->position_known && p->position <= branched;
        }
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    PQclear(result);
    char lsn[POSTGRES_LSN_TEXT_BYTES];
    return fits ? STATUS_OK
                : error_set(
                      err, STATUS_MISMATCH, 0,
                      "the source is on timeline %" PRIu64 ", which does not contain position %s of timeline %" PRIu64
                      " that the log ends with: the server was restored or failed over to an older state; remove the "
                      "store "
                      "folder (and the slot at the source, if there is one) and start again to take a new snapshot",
                      timeline, postgres_lsn_text(p->position, lsn), p->timeline);
}

static enum status identify(struct postgres *p, struct error *err)
{
    PGresult *result = NULL;
    TRY(postgres_command(p->stream, "could not identify the source", "IDENTIFY_SYSTEM", &result, err));
    uint64_t system_id = 0;
    uint64_t timeline = 0;
    bool ok = PQntuples(result) == 1 && PQnfields(result) >= 4 &&
              postgres_parse_u64(PQgetvalue(result, 0, 0), &system_id) &&
              postgres_parse_u64(PQgetvalue(result, 0, 1), &timeline);
    PQclear(result);
    if (!ok) {
        return error_set(err, STATUS_RETRY, 0, "could not identify the source: unexpected answer");
    }
    if (p->system_id != 0 && p->system_id != system_id) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "the source is another database system (%" PRIu64
                         ") than the one the log was made from (%" PRIu64
                         "): correct the source's url, or use another store folder for this source",
                         system_id, p->system_id);
    }
    if (p->system_id != 0 && p->timeline != timeline) {
        TRY(check_branch(p, timeline, err));
        message_line(MESSAGE_INFO, "source",
                     "the source went on to timeline=%" PRIu64 " after position on timeline=%" PRIu64, timeline,
                     p->timeline);
    }
    bool changed = p->system_id != 0 && p->timeline != timeline;
    p->system_id = system_id;
    p->timeline = timeline;
    return changed ? postgres_commit_slot_made(p, p->slot_made, err) : STATUS_OK;
}

static enum status check_server(struct postgres *p, struct error *err)
{
    if (p->server_version < POSTGRES_VERSION_MIN) {
        return error_set(err, STATUS_UNSUPPORTED, 0,
                         "the source is PostgreSQL %d; logical replication needs 10 or later",
                         p->server_version / 10000);
    }
    PGresult *result = NULL;
    TRY(postgres_query(p->control, "could not ask the source for its settings", "SHOW wal_level", 0, NULL, &result,
                       err));
    char level[16];
    snprintf(level, sizeof level, "%s", PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return strcmp(level, "logical") == 0
               ? STATUS_OK
               : error_set(
                     err, STATUS_INVALID, 0,
                     "the source has wal_level=%s: run ALTER SYSTEM SET wal_level = 'logical' there and restart it",
                     level);
}

/* ---- the slot ---- */

struct slot {
    bool exists;
    bool fits; /* logical, pgoutput, of this database */
    bool lost;
    bool confirmed_known;
    uint64_t confirmed;
    long active_pid;
    char what[160]; /* plugin and database, or why it is lost */
};

static void read_slot(const PGresult *r, struct slot *out)
{
    out->exists = true;
    out->fits = PQgetvalue(r, 0, 0)[0] == 't';
    out->active_pid = strtol(PQgetvalue(r, 0, 1), NULL, 10);
    out->confirmed_known = !PQgetisnull(r, 0, 2) && postgres_parse_lsn(PQgetvalue(r, 0, 2), &out->confirmed);
    const char *wal_status = PQgetvalue(r, 0, 3);
    const char *reason = PQgetvalue(r, 0, 4);
    out->lost = strcmp(wal_status, "lost") == 0 || reason[0] != '\0';
    if (out->lost) {
        snprintf(out->what, sizeof out->what, "%s%s%s", wal_status, reason[0] != '\0' ? ", " : "", reason);
    } else {
        snprintf(out->what, sizeof out->what, "%s", PQgetvalue(r, 0, 5));
    }
}

static enum status find_slot(struct postgres *p, struct slot *out, struct error *err)
{
    static const char sql[] =
        "SELECT s.slot_type = 'logical' AND s.plugin = 'pgoutput' AND s.database = current_database(),"
        " coalesce(s.active_pid, 0), s.confirmed_flush_lsn, coalesce(to_jsonb(s)->>'wal_status', ''),"
        " coalesce(to_jsonb(s)->>'invalidation_reason', ''),"
        " concat(s.slot_type, ' slot of plugin ', coalesce(s.plugin, 'none'), ' in database ', coalesce(s.database, "
        "'none'))"
        " FROM pg_replication_slots s WHERE s.slot_name = $1";
    *out = (struct slot){0};
    PGresult *result = NULL;
    const char *params[] = {p->options.slot};
    TRY(postgres_query(p->control, "could not ask the source for its slots", sql, 1, params, &result, err));
    if (PQntuples(result) == 1) {
        read_slot(result, out);
    }
    PQclear(result);
    return STATUS_OK;
}

/* A walsender of a process that has just ended may hold the slot for a moment. */
static enum status wait_until_free(struct postgres *p, struct slot *slot, struct error *err)
{
    int64_t deadline = p->started ? 0 : clock_mono_us() + OWN_SLOT_WAIT_US;
    while (slot->exists && slot->active_pid != 0 && clock_mono_us() < deadline) {
        clock_sleep_us(50000);
        TRY(find_slot(p, slot, err));
    }
    if (slot->exists && slot->active_pid != 0) {
        return error_set(err, STATUS_RETRY, 0, "slot \"%s\" is in use by process %ld of the source", p->options.slot,
                         slot->active_pid);
    }
    return STATUS_OK;
}

#define NEW_SNAPSHOT                                                                                                   \
    "remove the store folder and drop the slot (SELECT pg_drop_replication_slot('%s')), then start again to take a "   \
    "new snapshot"

static enum status check_slot(struct postgres *p, const struct slot *slot, struct error *err)
{
    char ours[POSTGRES_LSN_TEXT_BYTES];
    char theirs[POSTGRES_LSN_TEXT_BYTES];
    postgres_lsn_text(p->position, ours);
    if (!slot->exists) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "slot \"%s\" is gone from the source, so changes after position %s are missing: remove the "
                         "store folder and "
                         "start again to take a new snapshot",
                         p->options.slot, ours);
    }
    if (!slot->fits) {
        return error_set(err, STATUS_MISMATCH, 0, "slot \"%s\" is not ours, it is a %s: name another slot",
                         p->options.slot, slot->what);
    }
    if (slot->lost) {
        return error_set(
            err, STATUS_MISMATCH, 0,
            "slot \"%s\" was invalidated by the source (%s), so changes after position %s are missing: " NEW_SNAPSHOT,
            p->options.slot, slot->what, ours, p->options.slot);
    }
    if (slot->confirmed_known && slot->confirmed > p->position) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "slot \"%s\" has moved to %s, past position %s of the log, so changes between them are "
                         "missing (the slot was "
                         "made again or used by another process, or the store is an old copy): " NEW_SNAPSHOT,
                         p->options.slot, postgres_lsn_text(slot->confirmed, theirs), ours, p->options.slot);
    }
    return STATUS_OK;
}

static enum status drop_slot(struct postgres *p, struct error *err)
{
    const char *params[] = {p->options.slot};
    TRY(postgres_query(p->control, "could not drop the slot of an unfinished snapshot",
                       "SELECT pg_drop_replication_slot($1)", 1, params, NULL, err));
    message_line(MESSAGE_INFO, "source", "dropped slot=%s of an unfinished snapshot", p->options.slot);
    return STATUS_OK;
}

/* A process that was ended while its slot was being made leaves a walsender behind that waits for the source's
 * transactions, maybe for hours, before it notices. The store's lock says that nobody else makes our slot, so that one
 * is ours to end. */
static void end_maker(struct postgres *p, const struct slot *slot)
{
    if (slot->active_pid == 0) {
        return;
    }
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", slot->active_pid);
    const char *params[] = {pid};
    struct error ignored; /* where it may not be ended, wait_until_free says who holds the slot */
    (void)postgres_query(p->control, "could not end the unfinished snapshot", "SELECT pg_terminate_backend($1::int)", 1,
                         params, NULL, &ignored);
}

/* No position in the log: the slot is made here, together with the snapshot, and by nobody else. */
static enum status prepare_new_slot(struct postgres *p, struct slot *slot, struct error *err)
{
    if (slot->exists && !p->slot_made) {
        return error_set(
            err, STATUS_MISMATCH, 0,
            "slot \"%s\" exists at the source (%s%s) but was not made by this store: name another slot, or, if nothing "
            "else uses it, run SELECT pg_drop_replication_slot('%s') there",
            p->options.slot, slot->what, slot->active_pid != 0 ? ", in use" : "", p->options.slot);
    }
    if (!slot->exists && !p->options.create) {
        return error_set(err, STATUS_INVALID, 0,
                         "slot \"%s\" must be made together with the first snapshot, and source.create forbids it: set "
                         "create = yes for "
                         "the first start",
                         p->options.slot);
    }
    if (slot->exists) {
        end_maker(p, slot);
        TRY(wait_until_free(p, slot, err));
        if (slot->exists) {
            TRY(drop_slot(p, err));
        }
    }
    if (!p->slot_made) {
        TRY(postgres_commit_slot_made(p, true, err));
    }
    p->state = POSTGRES_WAITING;
    return STATUS_OK;
}

enum status postgres_slot_create(struct postgres *p, struct error *err)
{
    struct buffer sql = BUFFER_EMPTY;
    buffer_append_text(&sql, "CREATE_REPLICATION_SLOT ");
    postgres_append_identifier(&sql, p->options.slot);
    buffer_append_text(&sql, p->server_version >= 150000 ? " LOGICAL pgoutput (SNAPSHOT 'export')"
                                                         : " LOGICAL pgoutput EXPORT_SNAPSHOT");
    buffer_append_byte(&sql, 0);
    int sent = PQsendQuery(p->stream, (const char *)sql.data);
    buffer_release(&sql);
    if (sent != 1) {
        return postgres_error(p->stream, NULL, "could not make the slot", err);
    }
    message_line(MESSAGE_INFO, "source", "making slot=%s, which waits for the transactions that run at the source",
                 p->options.slot);
    p->state = POSTGRES_CREATING_SLOT;
    return STATUS_OK;
}

static enum status slot_created(struct postgres *p, PGresult *result, struct error *err)
{
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        enum status st = postgres_error(p->stream, result, "could not make the slot", err);
        if (state != NULL &&
            strcmp(state, "42710") == 0) { /* somebody made it between our look and now: it is not ours */
            struct error second;
            (void)postgres_commit_slot_made(p, false, &second);
        }
        return st;
    }
    uint64_t point;
    if (PQntuples(result) != 1 || PQnfields(result) < 3 || !postgres_parse_lsn(PQgetvalue(result, 0, 1), &point)) {
        return error_set(err, STATUS_RETRY, 0, "could not make the slot: unexpected answer");
    }
    return postgres_snapshot_begin(p, PQgetvalue(result, 0, 2), point, err);
}

enum status postgres_slot_create_step(struct postgres *p, struct error *err)
{
    if (PQconsumeInput(p->stream) != 1) {
        return postgres_error(p->stream, NULL, "could not make the slot", err);
    }
    if (PQisBusy(p->stream) == 1) {
        return STATUS_OK;
    }
    PGresult *result = PQgetResult(p->stream);
    enum status st = slot_created(p, result, err);
    PQclear(result);
    while ((result = PQgetResult(p->stream)) != NULL) {
        PQclear(result);
    }
    return st;
}

/* ---- streaming ---- */

/* Only what is flushed is sent, and the tail before the target may lie unflushed until somebody else commits: a commit
 * of our own flushes it. Where that is not allowed (a standby, a read-only role) the server's own next record does. */
static void flush_source(struct postgres *p)
{
    static const char sql[] =
        "SELECT set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, 'logfold', '')";
    PGresult *result = NULL;
    struct error ignored;
    (void)postgres_query(p->control, "could not flush the source's log", sql, 0, NULL, &result, &ignored);
    PQclear(result);
}

/* Where the source's log ends now. An insert position just behind a page's header is the same as the page's start, and
 * only the latter is ever reported as reached. */
static enum status ask_target(struct postgres *p, struct error *err)
{
    static const char sql[] =
        "SELECT pg_is_in_recovery(),"
        " CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END,"
        " current_setting('wal_block_size')";
    PGresult *result = NULL;
    TRY(postgres_query(p->control, "could not ask the source for its end", sql, 0, NULL, &result, err));
    uint64_t block = 8192;
    bool ok = PQntuples(result) == 1 && postgres_parse_lsn(PQgetvalue(result, 0, 1), &p->once_target) &&
              postgres_parse_u64(PQgetvalue(result, 0, 2), &block) && block != 0;
    PQclear(result);
    if (!ok) {
        return error_set(err, STATUS_RETRY, 0, "could not ask the source for its end: unexpected answer");
    }
    enum { PAGE_HEADER_BYTES_MAX = 40 };
    if (p->once_target % block <= PAGE_HEADER_BYTES_MAX) {
        p->once_target -= p->once_target % block;
    }
    p->once_target_known = true;
    flush_source(p);
    return STATUS_OK;
}

enum status postgres_stream_begin(struct postgres *p, struct error *err)
{
    if (p->options.once && !p->once_target_known) {
        TRY(ask_target(p, err));
    }
    char lsn[POSTGRES_LSN_TEXT_BYTES];
    struct buffer name = BUFFER_EMPTY;
    postgres_append_identifier(&name, p->options.publication);
    buffer_append_byte(&name, 0);
    char *quoted = PQescapeLiteral(p->stream, (const char *)name.data, name.len - 1);
    struct buffer sql = BUFFER_EMPTY;
    buffer_append_text(&sql, "START_REPLICATION SLOT ");
    postgres_append_identifier(&sql, p->options.slot);
    buffer_printf(&sql, " LOGICAL %s (proto_version '%d', publication_names %s)", postgres_lsn_text(p->position, lsn),
                  p->server_version >= 140000 ? 2 : 1, quoted);
    buffer_append_byte(&sql, 0);
    PGresult *result = NULL;
    enum status st =
        postgres_command(p->stream, "could not start to stream from the source", (const char *)sql.data, &result, err);
    PQfreemem(quoted);
    buffer_release(&name);
    buffer_release(&sql);
    TRY(st);
    bool streaming = PQresultStatus(result) == PGRES_COPY_BOTH;
    PQclear(result);
    if (!streaming || PQsetnonblocking(p->stream, 1) != 0) {
        return error_set(err, STATUS_RETRY, 0, "could not start to stream from the source: unexpected answer");
    }
    p->state = POSTGRES_STREAMING;
    p->started = true;
    p->session += 1;
    p->in_transaction = false;
    p->seen = p->position;
    p->status_due = true;
    p->position_logged_us = clock_mono_us();
    p->lag_pending = false;
    p->lag_asked_us = 0;
    p->stream_begun_us = p->position_logged_us;
    p->stream_begun_at = p->position;
    if (p->lost_at_us == 0) {
        message_line(MESSAGE_INFO, "source", "streaming slot=%s publication=%s from lsn=%s", p->options.slot,
                     p->options.publication, lsn);
    }
    return STATUS_OK;
}

static void recall(struct postgres *p)
{
    uint64_t value = 0;
    if (p->system_id == 0 && logged(p, "pg.system_id", &value)) {
        p->system_id = value;
        p->timeline = logged(p, "pg.timeline", &value) ? value : 0;
    }
    if (!p->slot_made && logged(p, "pg.slot_made", &value)) {
        p->slot_made = value == (checksum_xxh3(p->options.slot, strlen(p->options.slot)) | 1);
    }
    if (!p->position_known && logged(p, "pg.lsn", &value)) {
        p->position_known = true;
        p->position = value;
        p->durable_lsn = value;
    }
}

enum status postgres_session_begin(struct postgres *p, struct error *err)
{
    recall(p);
    TRY(postgres_connect_plain(p, &p->control, err));
    TRY(identify(p, err));
    TRY(check_server(p, err));
    if (!p->checked) {
        TRY(postgres_check(p, err));
        p->checked = true;
    }
    struct slot slot;
    TRY(find_slot(p, &slot, err));
    if (!p->position_known) {
        return prepare_new_slot(p, &slot, err);
    }
    TRY(check_slot(p, &slot, err));
    TRY(wait_until_free(p, &slot, err));
    TRY(check_slot(p, &slot, err));
    return postgres_stream_begin(p, err);
}
