/* Connections and statements, and what their failures mean. */
#include "ingest/postgres.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_US_MAX = 10000000, MESSAGE_BYTES_SHOWN = 600 };

static void ignore_notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

/* Texts of values must be the same bytes whoever configured the server, the role or the database. */
static const char session_options[] =
    "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c extra_float_digits=3 -c bytea_output=hex "
    "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c row_security=off "
    "-c standard_conforming_strings=on";

enum { PARAM_COUNT = 12 };

/* Before dbname: defaults that the user's own string may override. After it: what the program relies on. */
static void fill_params(const struct postgres *p, bool replication, const char *names[PARAM_COUNT],
                        const char *values[PARAM_COUNT])
{
    static const char *const fixed[][2] = {{"connect_timeout", "5"},      {"fallback_application_name", "logfold"},
                                           {"tcp_user_timeout", "20000"}, {"keepalives_idle", "10"},
                                           {"keepalives_interval", "5"},  {"keepalives_count", "3"}};
    size_t n = 0;
    for (; n < sizeof fixed / sizeof fixed[0]; n++) {
        names[n] = fixed[n][0];
        values[n] = fixed[n][1];
    }
    names[n] = "dbname";
    values[n++] = p->options.url;
    names[n] = "client_encoding";
    values[n++] = "UTF8";
    names[n] = "options";
    values[n++] = session_options;
    if (replication) {
        names[n] = "replication";
        values[n++] = "database";
    }
    names[n] = NULL;
    values[n] = NULL;
}

static bool contains_any(const char *text, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* libpq gives no SQLSTATE for a refused connection: a FATAL that is not about the server's state will not pass by
 * itself. */
static bool refusal_is_final(const PGconn *conn)
{
    static const char *const passing[] = {
        "starting up",      "shutting down",     "recovery",    "too many",
        "connection slots", "not yet accepting", "terminating", "number of requested standby"};
    const char *text = PQerrorMessage(conn);
    return PQconnectionNeedsPassword(conn) ||
           (strstr(text, "FATAL:") != NULL && !contains_any(text, passing, sizeof passing / sizeof passing[0]));
}

static bool state_may_pass(const char *state)
{
    static const char *const classes[] = {"08", "40", "53", "55", "57", "58"};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strncmp(state, classes[i], 2) == 0) {
            return true;
        }
    }
    return false;
}

enum status postgres_error(PGconn *conn, const PGresult *result, const char *what, struct error *err)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    if (text == NULL) {
        text = PQerrorMessage(conn);
    }
    bool lost = PQstatus(conn) != CONNECTION_OK;
    size_t len = strcspn(text, "\n");
    enum status st = state == NULL || lost || state_may_pass(state) ? STATUS_RETRY : STATUS_INVALID;
    if (len == 0) {
        text = "the server closed the connection";
        len = strlen(text);
    }
    return error_set(err, st, 0, "%s: %.*s%s%.*s", what, (int)(len > MESSAGE_BYTES_SHOWN ? MESSAGE_BYTES_SHOWN : len),
                     text, detail == NULL ? "" : ": ", detail == NULL ? 0 : 200, detail == NULL ? "" : detail);
}

static enum status refused(PGconn *conn, struct error *err)
{
    enum status st = refusal_is_final(conn) ? STATUS_INVALID : STATUS_RETRY;
    const char *text = PQerrorMessage(conn);
    size_t len = strcspn(text, "\n");
    return error_set(err, st, 0, "could not connect to the source: %.*s",
                     (int)(len > MESSAGE_BYTES_SHOWN ? MESSAGE_BYTES_SHOWN : len), text);
}

enum status postgres_connect_begin(struct postgres *p, struct error *err)
{
    const char *names[PARAM_COUNT];
    const char *values[PARAM_COUNT];
    fill_params(p, true, names, values);
    p->stream = PQconnectStartParams(names, values, 1);
    p->connect_deadline_us = clock_mono_us() + CONNECT_US_MAX;
    if (p->stream == NULL || PQstatus(p->stream) == CONNECTION_BAD) {
        return refused(p->stream, err);
    }
    PQsetNoticeProcessor(p->stream, ignore_notice, NULL);
    p->state = POSTGRES_CONNECTING;
    return STATUS_OK;
}

enum status postgres_connect_step(struct postgres *p, bool *done, struct error *err)
{
    *done = false;
    switch (PQconnectPoll(p->stream)) {
    case PGRES_POLLING_OK:
        *done = true;
        p->server_version = PQserverVersion(p->stream);
        return STATUS_OK;
    case PGRES_POLLING_FAILED:
        return refused(p->stream, err);
    case PGRES_POLLING_READING:
    case PGRES_POLLING_WRITING:
    case PGRES_POLLING_ACTIVE:
        break;
    }
    return clock_mono_us() < p->connect_deadline_us
               ? STATUS_OK
               : error_set(err, STATUS_RETRY, 0, "could not connect to the source: no answer within %d s",
                           CONNECT_US_MAX / 1000000);
}

enum status postgres_connect_plain(struct postgres *p, PGconn **out, struct error *err)
{
    const char *names[PARAM_COUNT];
    const char *values[PARAM_COUNT];
    fill_params(p, false, names, values);
    PQfinish(*out);
    *out = PQconnectdbParams(names, values, 1);
    if (*out == NULL || PQstatus(*out) != CONNECTION_OK) {
        return refused(*out, err);
    }
    PQsetNoticeProcessor(*out, ignore_notice, NULL);
    return STATUS_OK;
}

static enum status take_result(PGconn *conn, PGresult *result, const char *what, PGresult **out, struct error *err)
{
    enum status st = STATUS_OK;
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        break;
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_IN:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        st = postgres_error(conn, result, what, err);
        break;
    }
    if (out == NULL || st != STATUS_OK) {
        PQclear(result);
    } else {
        *out = result;
    }
    return st;
}

enum status postgres_query(PGconn *conn, const char *what, const char *sql, int param_count, const char *const *params,
                           PGresult **out, struct error *err)
{
    return take_result(conn, PQexecParams(conn, sql, param_count, NULL, params, NULL, NULL, 0), what, out, err);
}

enum status postgres_command(PGconn *conn, const char *what, const char *sql, PGresult **out, struct error *err)
{
    return take_result(conn, PQexec(conn, sql), what, out, err);
}

void postgres_append_identifier(struct buffer *out, const char *name)
{
    buffer_append_byte(out, '"');
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '"') {
            buffer_append_byte(out, '"');
        }
        buffer_append_byte(out, (uint8_t)*c);
    }
    buffer_append_byte(out, '"');
}

bool postgres_parse_lsn(const char *text, uint64_t *out)
{
    char *end;
    unsigned long high = strtoul(text, &end, 16);
    if (end == text || *end != '/') {
        return false;
    }
    const char *low_text = end + 1;
    unsigned long low = strtoul(low_text, &end, 16);
    if (end == low_text || *end != '\0' || high > UINT32_MAX || low > UINT32_MAX) {
        return false;
    }
    *out = (uint64_t)high << 32 | low;
    return true;
}

const char *postgres_lsn_text(uint64_t lsn, char out[static POSTGRES_LSN_TEXT_BYTES])
{
    snprintf(out, POSTGRES_LSN_TEXT_BYTES, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return out;
}

bool postgres_parse_u64(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0';
}
