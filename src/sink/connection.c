/* The connection to the sink and what its failures mean. */
#include "sink/inner.h"

#include <string.h>

static void ignore_notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

enum status connection_open(struct sink *s, struct error *err)
{
    connection_close(s);
    /* Before dbname: defaults that the user's own string may override. After it: what the program relies on. */
    const char *names[] = {"connect_timeout",
                           "fallback_application_name",
                           "tcp_user_timeout",
                           "dbname",
                           "client_encoding",
                           "options",
                           NULL};
    const char *values[] = {"5",
                            "logfold",
                            "20000",
                            s->options.url,
                            "UTF8",
                            "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c extra_float_digits=1 "
                            "-c bytea_output=hex -c search_path= -c standard_conforming_strings=on",
                            NULL};
    s->conn = PQconnectdbParams(names, values, 1);
    if (s->conn == NULL || PQstatus(s->conn) != CONNECTION_OK) {
        return connection_error(s, "could not connect to the sink", NULL, err);
    }
    PQsetNoticeProcessor(s->conn, ignore_notice, NULL);
    atomic_store(&s->socket, PQsocket(s->conn));
    s->server_version = PQserverVersion(s->conn);
    if (s->server_version < 140000) {
        int version = s->server_version / 10000;
        connection_close(s);
        return error_set(err, STATUS_UNSUPPORTED, 0, "the sink is PostgreSQL %d; logfold needs 14 or later", version);
    }
    return STATUS_OK;
}

void connection_close(struct sink *s)
{
    atomic_store(&s->socket, -1);
    PQfinish(s->conn);
    s->conn = NULL;
}

/* SQLSTATEs after which connecting again may help. */
static bool may_pass(const char *state)
{
    static const char *const classes[] = {"08", "57", "53", "40", "55", "25"};
    static const char *const states[] = {"42P01", "42703", "3F000",
                                         "XX000"}; /* a table or column that is gone is made anew */
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strncmp(state, classes[i], 2) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(state, states[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum status connection_error(struct sink *s, const char *what, const PGresult *result, struct error *err)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool lost = s->conn == NULL || PQstatus(s->conn) != CONNECTION_OK;
    if (text == NULL) {
        text = s->conn == NULL ? "out of memory" : PQerrorMessage(s->conn);
    }
    size_t len = strcspn(text, "\n");
    enum status status = lost || state == NULL || may_pass(state) ? STATUS_RETRY : STATUS_INVALID;
    return error_set(err, status, 0, "%s: %.*s", what, (int)(len > 400 ? 400 : len), text);
}

enum status connection_query(struct sink *s, const char *what, const char *sql, int param_count,
                             const char *const *params, PGresult **out, struct error *err)
{
    *out = PQexecParams(s->conn, sql, param_count, NULL, params, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(*out);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        return STATUS_OK;
    }
    enum status st = connection_error(s, what, *out, err);
    PQclear(*out);
    *out = NULL;
    return st;
}

enum status connection_exec(struct sink *s, const char *what, const char *sql, struct error *err)
{
    PGresult *result = PQexec(s->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    enum status st = STATUS_OK;
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        st = connection_error(s, what, result, err);
    }
    PQclear(result);
    return st;
}
