/* status and wait: from the running procd's status page, or, where none runs, from the last checkpoint. */
#include "ctl.h"

#include "base/clock.h"
#include "flow/view.h"
#include "pipeline/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_STEP_US = 2000 };
/* Between 1970-01-01 and 2000-01-01, where commit times count from. */
#define EPOCH_2000_US INT64_C(946684800000000)

static uint64_t number_of(struct bytes text, const char *key)
{
    struct bytes value;
    char copy[32] = "";
    if (page_find(text, key, &value)) {
        snprintf(copy, sizeof copy, "%.*s", (int)value.len, (const char *)value.data);
    }
    return strtoull(copy, NULL, 10);
}

static const char *text_of(struct bytes text, const char *key, char *out, size_t bytes)
{
    struct bytes value = bytes_of("", 0);
    (void)page_find(text, key, &value);
    snprintf(out, bytes, "%.*s", (int)value.len, (const char *)value.data);
    return out;
}

static int count_entry(void *ctx, const struct quarantine_entry *entry)
{
    (void)entry;
    *(uint64_t *)ctx += 1;
    return 0;
}

/* What the last checkpoint knows, in the page's words. */
static enum status text_of_checkpoint(struct ctl *c, struct buffer *out, struct error *err)
{
    uint64_t quarantined = 0;
    TRY(ctl_quarantine(c, count_entry, &quarantined, err));
    buffer_printf(out,
                  "seq_next=%" PRIu64 "\ncheckpoint_seq_next=%" PRIu64 "\nlog_seq_next=%" PRIu64
                  "\nsource=stopped\nsink=stopped\nquarantine=%" PRIu64 "\n",
                  store_checkpoint_seq_next(c->store), store_checkpoint_seq_next(c->store), store_seq_next(c->store),
                  quarantined);
    struct store_map *map;
    enum status st = store_map_open(c->store, "position", &map, err);
    if (st == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(st);
    struct store_cursor *cursor;
    TRY(store_cursor_open(map, &cursor, err));
    st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        uint64_t position = 0;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_OK) {
            (void)varint_decode(value, &position);
            buffer_printf(out, "position.%.*s=%" PRIu64 "\n", (int)key.len, (const char *)key.data, position);
        }
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

/* The page's text, or the checkpoint's; `*running` tells which. */
static enum status read_status(struct ctl *c, struct buffer *out, bool *running, struct error *err)
{
    struct page *page;
    buffer_reset(out);
    *running = false;
    if (page_open(&page, c->options.store_path, false, err) == STATUS_OK) {
        *running = page_read(page, out);
        page_close(page);
    }
    if (!*running) {
        buffer_reset(out);
        return text_of_checkpoint(c, out, err);
    }
    return STATUS_OK;
}

static double lag_seconds(struct bytes text)
{
    char idle[8];
    uint64_t commit_us = number_of(text, "commit_time_us");
    if (commit_us == 0 || strcmp(text_of(text, "idle", idle, sizeof idle), "1") == 0) {
        return 0;
    }
    double lag = (double)(clock_wall_us() - EPOCH_2000_US - (int64_t)commit_us) / 1e6;
    return lag > 0 ? lag : 0;
}

static void print_lsn(struct buffer *out, const char *name, size_t name_len, uint64_t value)
{
    if (name_len == 6 && memcmp(name, "pg.lsn", 6) == 0) {
        buffer_printf(out, "%" PRIX64 "/%" PRIX64, value >> 32, value & UINT32_MAX);
    } else {
        buffer_printf(out, "%" PRIu64, value);
    }
}

static bool ends_with(const char *name, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && memcmp(name + len - suffix_len, suffix, suffix_len) == 0;
}

/* What a Kafka position is verified by, and from when on it counts: nothing for people. */
static bool is_internal(const char *name, size_t len)
{
    return ends_with(name, len, ".check") || ends_with(name, len, ".unread");
}

/* Calls for each "position.NAME=VALUE" line. */
static void print_positions(struct bytes text, bool json, struct buffer *out)
{
    bool first = true;
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end == NULL ? text.len - at : (size_t)(end - (text.data + at));
        const char *line = (const char *)text.data + at;
        const char *equals = memchr(line, '=', len);
        bool known = len > 9 && memcmp(line, "position.", 9) == 0 && equals != NULL;
        size_t name_len = known ? (size_t)(equals - line) - 9 : 0;
        if (known && (json || !is_internal(line + 9, name_len))) {
            if (json) {
                buffer_printf(out, "%s\"%.*s\":\"", first ? "" : ",", (int)name_len, line + 9);
            } else {
                buffer_printf(out, "position      %.*s ", (int)name_len, line + 9);
            }
            print_lsn(out, line + 9, name_len, strtoull(equals + 1, NULL, 10));
            buffer_append_text(out, json ? "\"" : "\n");
            first = false;
        }
        at += len + 1;
    }
}

static void print_json(struct ctl *c, struct bytes text, bool running, struct buffer *out)
{
    static const char *const numbers[] = {"seq_next",        "durable_seq_next", "log_seq_next", "checkpoint_seq_next",
                                          "sink_seq_next",   "pending_rows",     "rate",         "quarantine",
                                          "source_lag_bytes"};
    static const char *const words[] = {"source", "source_position", "source_detail", "sink", "sink_detail"};
    buffer_printf(out, "{\"running\":%s", running ? "true" : "false");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        buffer_printf(out, ",\"%s\":%" PRIu64, numbers[i], number_of(text, numbers[i]));
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char value[512];
        text_of(text, words[i], value, sizeof value);
        buffer_printf(out, ",\"%s\":", words[i]);
        print_json_text(out, bytes_of(value, strlen(value)));
    }
    buffer_printf(out, ",\"idle\":%s,\"sink_synced\":%s", number_of(text, "idle") != 0 ? "true" : "false",
                  number_of(text, "sink_synced") != 0 ? "true" : "false");
    buffer_printf(out, ",\"lag_seconds\":%.3f,\"log_bytes\":%" PRIu64 ",\"state_bytes\":%" PRIu64 ",\"positions\":{",
                  lag_seconds(text), store_log_bytes(c->store), store_state_bytes(c->store));
    print_positions(text, true, out);
    buffer_append_text(out, "}}\n");
}

static void print_text(struct ctl *c, struct bytes text, bool running, struct buffer *out)
{
    char a[256];
    char b[512];
    buffer_printf(out, "procd         %s\n", running ? "running" : "not running (what follows is the last checkpoint)");
    buffer_printf(out, "seq           folded=%" PRIu64 " durable=%" PRIu64 " checkpoint=%" PRIu64 "\n",
                  number_of(text, "seq_next"),
                  running ? number_of(text, "durable_seq_next") : number_of(text, "log_seq_next"),
                  number_of(text, "checkpoint_seq_next"));
    buffer_printf(out, "source        %s %s\n", text_of(text, "source", a, sizeof a),
                  text_of(text, "source_position", b, sizeof b));
    if (text_of(text, "source_detail", b, sizeof b)[0] != '\0') {
        buffer_printf(out, "              %s\n", b);
    }
    print_positions(text, false, out);
    buffer_printf(out, "lag           %" PRIu64 " bytes, %.1f s\n", number_of(text, "source_lag_bytes"),
                  lag_seconds(text));
    buffer_printf(out, "rate          %" PRIu64 " changes/s\n", number_of(text, "rate"));
    buffer_printf(out, "log           %" PRIu64 " bytes\n", store_log_bytes(c->store));
    buffer_printf(out, "state         %" PRIu64 " bytes\n", store_state_bytes(c->store));
    buffer_printf(out, "sink          %s seq=%" PRIu64 " waiting_rows=%" PRIu64 " %s\n",
                  text_of(text, "sink", a, sizeof a), number_of(text, "sink_seq_next"), number_of(text, "pending_rows"),
                  text_of(text, "sink_detail", b, sizeof b));
    buffer_printf(out, "quarantine    %" PRIu64 "\n", number_of(text, "quarantine"));
}

int verb_status(struct ctl *c)
{
    struct error err;
    struct buffer text = BUFFER_EMPTY;
    struct buffer out = BUFFER_EMPTY;
    bool running;
    enum status st = read_status(c, &text, &running, &err);
    if (st == STATUS_OK) {
        if (c->options.json) {
            print_json(c, buffer_bytes(&text), running, &out);
        } else {
            print_text(c, buffer_bytes(&text), running, &out);
        }
        print_flush(&out);
    }
    buffer_release(&text);
    buffer_release(&out);
    return st == STATUS_OK ? 0 : ctl_fail(EXIT_NO_ANSWER, &err);
}

/* ---- wait ---- */

static bool parse_lsn(const char *text, uint64_t *out)
{
    unsigned high;
    unsigned low;
    int used = 0;
    if (sscanf(text, "%8X/%8X%n", &high, &low, &used) != 2 || text[used] != '\0') { /* NOLINT: checked by %n */
        return false;
    }
    *out = (uint64_t)high << 32 | low;
    return true;
}

struct goal {
    bool by_lsn;
    bool by_seq;
    bool by_offset;
    uint64_t lsn;
    uint64_t seq;
    char position_name[300]; /* "position.TOPIC:PARTITION" */
    uint64_t offset;
};

static int read_goal(const struct ctl_options *o, struct goal *g)
{
    int goals = (o->lsn != NULL) + (o->seq != NULL) + (o->offset != NULL) + o->idle;
    if (goals != 1) {
        return ctl_usage("wait: give one of --lsn, --seq, --offset, --idle");
    }
    g->by_lsn = o->lsn != NULL;
    g->by_seq = o->seq != NULL;
    g->by_offset = o->offset != NULL;
    if (g->by_lsn && !parse_lsn(o->lsn, &g->lsn)) {
        return ctl_usage("wait: \"%s\" is not a WAL position like 0/16B3748", o->lsn);
    }
    char *end = NULL;
    g->seq = g->by_seq ? strtoull(o->seq, &end, 10) : 0;
    if (g->by_seq && (end == o->seq || *end != '\0')) {
        return ctl_usage("wait: \"%s\" is not a commit's number", o->seq);
    }
    const char *colon = g->by_offset ? strrchr(o->offset, ':') : NULL;
    if (g->by_offset) {
        g->offset = colon == NULL ? 0 : strtoull(colon + 1, &end, 10);
        if (colon == NULL || end == colon + 1 || *end != '\0' || colon - o->offset > 250) {
            return ctl_usage("wait: \"%s\" is not TOPIC:PARTITION:OFFSET", o->offset);
        }
        snprintf(g->position_name, sizeof g->position_name, "position.%.*s", (int)(colon - o->offset), o->offset);
    }
    return 0;
}

/* Folded as far as the goal asks? An idle source has told of WAL without changes too: its own position then counts. */
static bool is_folded(const struct goal *g, struct bytes text)
{
    char source[256];
    uint64_t heard = 0;
    bool idle = number_of(text, "idle") != 0;
    if (g->by_seq) {
        return number_of(text, "seq_next") > g->seq;
    }
    if (g->by_offset) {
        return number_of(text, g->position_name) > g->offset;
    }
    if (g->by_lsn) {
        return number_of(text, "position.pg.lsn") >= g->lsn ||
               (idle && parse_lsn(text_of(text, "source_position", source, sizeof source), &heard) && heard >= g->lsn);
    }
    return (idle && number_of(text, "source_lag_bytes") == 0) ||
           strcmp(text_of(text, "source", source, sizeof source), "ended") == 0;
}

int verb_wait(struct ctl *c)
{
    struct goal goal = {0};
    int code = read_goal(&c->options, &goal);
    if (code != 0) {
        return code;
    }
    struct error err;
    struct buffer text = BUFFER_EMPTY;
    int64_t deadline = clock_mono_us() + c->options.timeout_us;
    uint64_t folded = 0;
    bool reached = false;
    bool running = false;
    code = -1;
    while (code < 0) {
        if (read_status(c, &text, &running, &err) != STATUS_OK) {
            code = ctl_fail(EXIT_NO_ANSWER, &err);
        } else if (!reached && is_folded(&goal, buffer_bytes(&text))) {
            reached = true;
            folded = number_of(buffer_bytes(&text), "seq_next");
        }
        if (reached && (!c->options.sink || number_of(buffer_bytes(&text), "sink_seq_next") >= folded)) {
            code = 0;
        } else if (code < 0 && clock_mono_us() >= deadline) {
            fprintf(stderr, "statectl: not reached in time%s\n", running ? "" : " (procd does not run)");
            code = EXIT_ANSWER_BAD;
        } else if (code < 0) {
            clock_sleep_us(WAIT_STEP_US);
        }
    }
    buffer_release(&text);
    return code;
}
