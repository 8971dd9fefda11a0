/* The PostgreSQL source: its state machine, and what happens when the connection is lost. The steps are in
 * postgres_*.c. */
#include "ingest/postgres.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    BACKOFF_US_MIN = 100000,
    BACKOFF_US_MAX = 10000000,
    CONNECT_LOOK_MS = 5,
    SLOW_LOOK_MS = 1000,
    DURABLE_LOOK_MS = 20,
    PROVEN_US = 2000000
};

static struct postgres *self(struct source *s)
{
    return (struct postgres *)(void *)s;
}

static const struct postgres *self_const(const struct source *s)
{
    return (const struct postgres *)(const void *)s;
}

static bool matches(const char *url)
{
    return strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0 ||
           (strchr(url, '=') != NULL && strstr(url, "://") == NULL && strncmp(url, "file:", 5) != 0);
}

/* ---- faults ---- */

/* The server does not notice that we are gone while it waits to make the slot. */
static void cancel_slot(struct postgres *p)
{
    PGcancel *cancel = PQgetCancel(p->stream);
    char text[256];
    if (cancel != NULL) {
        PQcancel(cancel, text, sizeof text);
        PQfreeCancel(cancel);
    }
}

static void close_connections(struct postgres *p)
{
    if (p->state == POSTGRES_CREATING_SLOT) {
        cancel_slot(p);
    }
    PQfinish(p->stream);
    PQfinish(p->control);
    PQfinish(p->copy);
    p->stream = NULL;
    p->control = NULL;
    p->copy = NULL;
    postgres_snapshot_free(p);
}

/* The session is over: forgets the half commit and waits before the next try. One line a loss, not one a try. */
static enum status lose(struct postgres *p, const char *why, bool tell, struct error *err)
{
    int64_t now = clock_mono_us();
    close_connections(p);
    p->in_transaction = false;
    p->position_wanted = false;
    p->state = POSTGRES_DOWN;
    snprintf(p->detail, sizeof p->detail, "%s", why);
    if (p->lost_at_us == 0) {
        p->lost_at_us = now;
        p->backoff_us = BACKOFF_US_MIN;
        if (tell) {
            message_line(MESSAGE_WARN, "source", "%s; trying again", why);
        }
    } else {
        p->backoff_us = p->backoff_us * 2 > BACKOFF_US_MAX ? BACKOFF_US_MAX : p->backoff_us * 2;
    }
    p->retry_at_us = now + p->backoff_us;
    return postgres_commit_abandon(p, err);
}

/* A connection counts as recovered when it has brought something or has lasted, so that one that fails again and again
 * at the same place is one loss, with growing pauses. */
static void recovered(struct postgres *p)
{
    if (p->lost_at_us == 0) {
        return;
    }
    int64_t now = clock_mono_us();
    if (p->state == POSTGRES_STREAMING && p->position == p->stream_begun_at && now - p->stream_begun_us < PROVEN_US) {
        return;
    }
    message_line(MESSAGE_INFO, "source", "connected again after=%.1fs", (double)(now - p->lost_at_us) / 1e6);
    p->lost_at_us = 0;
    p->detail[0] = '\0';
}

/* What the server refuses is final at the first start and tried again later: it may be about to be put right. */
static enum status server_says(const struct postgres *p, enum status st, struct error *err)
{
    if (st == STATUS_INVALID && p->started) {
        err->status = STATUS_RETRY;
        return STATUS_RETRY;
    }
    return st;
}

/* ---- the state machine ---- */

static enum status connecting(struct postgres *p, struct error *err)
{
    bool done = false;
    enum status st = postgres_connect_step(p, &done, err);
    if (st == STATUS_OK && done) {
        st = postgres_session_begin(p, err);
    }
    return server_says(p, st, err);
}

static enum status step(struct postgres *p, uint64_t budget_bytes, bool *more, struct error *err)
{
    switch (p->state) {
    case POSTGRES_DOWN:
        return clock_mono_us() < p->retry_at_us ? STATUS_OK : server_says(p, postgres_connect_begin(p, err), err);
    case POSTGRES_CONNECTING:
        return connecting(p, err);
    case POSTGRES_WAITING:
        return p->durable_seq_next > p->slot_made_seq ? postgres_slot_create(p, err) : STATUS_OK;
    case POSTGRES_CREATING_SLOT:
        return postgres_slot_create_step(p, err);
    case POSTGRES_COPYING:
        recovered(p);
        return server_says(p, postgres_snapshot_poll(p, budget_bytes, more, err), err);
    case POSTGRES_STREAMING:
        recovered(p);
        return postgres_stream_poll(p, budget_bytes, more, err);
    case POSTGRES_ENDED:
        return STATUS_END;
    }
    return STATUS_END;
}

static enum status postgres_poll(struct source *s, uint64_t budget_bytes, bool *more, struct error *err)
{
    struct postgres *p = self(s);
    struct error cause;
    enum status st = step(p, budget_bytes, more, &cause);
    if (st == STATUS_RETRY) {
        *more = false;
        return lose(p, cause.text, true, err);
    }
    if (st != STATUS_OK && st != STATUS_END) {
        *err = cause;
    }
    return st;
}

static void postgres_close(struct source *s)
{
    struct postgres *p = self(s);
    close_connections(p);
    buffer_release(&p->out);
    arena_release(&p->scratch);
    pgrelation_set_release(&p->relations);
    mem_free(p->decoder);
    mem_free(p->types);
    mem_free((void *)(uintptr_t)p->options.url);
    mem_free((void *)(uintptr_t)p->options.publication);
    mem_free((void *)(uintptr_t)p->options.slot);
    mem_free(p);
}

static enum status check_options(const struct source_options *o, struct error *err)
{
    char *text = NULL;
    PQconninfoOption *parsed = PQconninfoParse(o->url, &text);
    if (parsed == NULL) {
        struct buffer words = BUFFER_EMPTY; /* libpq quotes what it does not understand, perhaps the password */
        buffer_append_unquoted(&words, text == NULL ? "out of memory" : text);
        enum status st = error_set(err, STATUS_INVALID, 0, "could not understand the source's url: %.*s",
                                   (int)words.len, (const char *)words.data);
        buffer_release(&words);
        PQfreemem(text);
        return st;
    }
    PQconninfoFree(parsed);
    if (o->slot == NULL || strlen(o->slot) > 63 ||
        o->slot[strspn(o->slot, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0' || o->slot[0] == '\0') {
        return error_set(err, STATUS_INVALID, 0,
                         "\"%s\" cannot name a slot: use 1 to 63 lower-case letters, digits and underscores",
                         o->slot == NULL ? "" : o->slot);
    }
    if (o->publication == NULL || o->publication[0] == '\0') {
        return error_set(err, STATUS_INVALID, 0, "source.publication must be named");
    }
    return o->catalog->table_count > 0 ? STATUS_OK
                                       : error_set(err, STATUS_INVALID, 0, "the schema files declare no table");
}

/* Connects and goes through the checks, waiting: this is the start, nothing else happens yet. */
static enum status first_session(struct postgres *p, struct error *err)
{
    TRY(postgres_connect_begin(p, err));
    while (p->state == POSTGRES_CONNECTING) {
        TRY(connecting(p, err));
        struct pollfd fd = {.fd = PQsocket(p->stream), .events = POLLIN};
        if (p->state == POSTGRES_CONNECTING) {
            poll(&fd, 1, CONNECT_LOOK_MS);
        }
    }
    return STATUS_OK;
}

static enum status postgres_open(struct source **out, const struct source_options *options, struct error *err)
{
    TRY(check_options(options, err));
    struct postgres *p = mem_zalloc(sizeof *p);
    p->base.methods = &source_postgres_methods;
    p->options = *options;
    p->options.url = mem_strdup(options->url);
    p->options.publication = mem_strdup(options->publication);
    p->options.slot = mem_strdup(options->slot);
    p->decoder = mem_alloc(sizeof *p->decoder);
    pgrelation_set_init(&p->relations, options->catalog, options->table_id_next);
    enum status st = first_session(p, err);
    if (st == STATUS_RETRY) {
        struct error second;
        enum status lost = lose(p, err->text, false, &second);
        if (lost != STATUS_OK) {
            *err = second;
            st = lost;
        }
    }
    if (st != STATUS_OK && st != STATUS_RETRY) {
        postgres_close(&p->base);
        return st;
    }
    *out = &p->base;
    return st;
}

static int postgres_fd(const struct source *s)
{
    const struct postgres *p = self_const(s);
    switch (p->state) {
    case POSTGRES_CREATING_SLOT:
    case POSTGRES_STREAMING:
        return PQsocket(p->stream);
    case POSTGRES_COPYING:
        return PQsocket(p->copy);
    case POSTGRES_DOWN:
    case POSTGRES_CONNECTING:
    case POSTGRES_WAITING:
    case POSTGRES_ENDED:
        break;
    }
    return -1;
}

static int postgres_timeout_ms(const struct source *s)
{
    const struct postgres *p = self_const(s);
    int64_t due_us;
    switch (p->state) {
    case POSTGRES_DOWN:
        due_us = p->retry_at_us;
        break;
    case POSTGRES_STREAMING:
        due_us = postgres_stream_due_us(p);
        break;
    case POSTGRES_CONNECTING:
        return CONNECT_LOOK_MS;
    case POSTGRES_WAITING:
        return DURABLE_LOOK_MS;
    case POSTGRES_CREATING_SLOT:
    case POSTGRES_COPYING:
    case POSTGRES_ENDED:
    default:
        return SLOW_LOOK_MS;
    }
    int64_t wait_us = due_us - clock_mono_us();
    return wait_us <= 0 ? 0 : wait_us > INT64_C(60000000) ? 60000 : (int)((wait_us + 999) / 1000);
}

/* At the end of a `once` run nobody polls any more: what is acknowledged then goes out from here. */
static enum status postgres_acknowledge(struct source *s, uint64_t durable_seq_next, struct error *err)
{
    struct postgres *p = self(s);
    postgres_commit_durable(p, durable_seq_next);
    if (!p->status_due || p->stream == NULL || (p->state != POSTGRES_STREAMING && p->state != POSTGRES_ENDED)) {
        return STATUS_OK;
    }
    if (p->state == POSTGRES_STREAMING && clock_mono_us() - p->status_sent_us < 10000) {
        return STATUS_OK; /* the next poll sends it */
    }
    struct error cause;
    if (postgres_status_send(p, false, &cause) != STATUS_OK && p->state == POSTGRES_STREAMING) {
        return lose(p, cause.text, true, err);
    }
    return STATUS_OK;
}

static void postgres_status(const struct source *s, struct source_status *out)
{
    const struct postgres *p = self_const(s);
    *out = (struct source_status){.connected = p->state != POSTGRES_DOWN && p->state != POSTGRES_CONNECTING,
                                  .snapshot = p->state == POSTGRES_COPYING || p->state == POSTGRES_CREATING_SLOT ||
                                              p->state == POSTGRES_WAITING,
                                  .commit_time_us = p->commit_time_us};
    uint64_t at = p->seen > p->position ? p->seen : p->position;
    postgres_lsn_text(at, out->position);
    out->lag_bytes = p->server_end > at ? p->server_end - at : 0;
    snprintf(out->detail, sizeof out->detail, "%s", p->detail);
}

const struct source_methods source_postgres_methods = {.matches = matches,
                                                       .open = postgres_open,
                                                       .close = postgres_close,
                                                       .poll = postgres_poll,
                                                       .fd = postgres_fd,
                                                       .timeout_ms = postgres_timeout_ms,
                                                       .acknowledge = postgres_acknowledge,
                                                       .status = postgres_status};
