/* The way to the sink: connect, find out what it shows, sync, and again after every fault. While it is away, changes
 * gather. */
#include "pipeline/spine.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "flow/view.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    BACKOFF_US_MIN = 100000,
    BACKOFF_US_MAX = 10000000,
    REST_US_MAX = 50000, /* between two syncs: as long as the last one took, at most this ... */
    REST_NONE_US = 5000, /* ... and none after such a short one */
    DIFFERENCE_ROWS_CHECK = 65536
};

enum status link_open(struct spine *s, struct error *err)
{
    struct link *l = &s->link;
    TRY(pending_open(&l->pending, s->store, s->view_count, err));
    l->views = mem_zalloc((s->view_count + 1) * sizeof *l->views);
    l->state = LINK_NONE;
    if (strcmp(s->options->sink_url, "none") == 0) {
        return STATUS_OK;
    }
    struct sink *sink;
    TRY(sink_open(&sink,
                  &(struct sink_options){.url = s->options->sink_url,
                                         .schema = s->options->sink_schema,
                                         .pipeline = s->options->name,
                                         .store_id = s->store_id,
                                         .views = s->views,
                                         .view_count = s->view_count},
                  err));
    TRY(syncer_open_take(&l->syncer, sink, err));
    l->state = LINK_DOWN;
    l->backoff_us = BACKOFF_US_MIN;
    return STATUS_OK;
}

void link_close(struct link *l)
{
    syncer_close(l->syncer);
    pending_close(l->pending);
    arena_release(&l->arena);
    mem_free(l->views);
    *l = (struct link){0};
}

static void go_down(struct link *l, const struct error *why)
{
    if (strcmp(l->last_error, why->text) != 0) {
        message_line(MESSAGE_WARN, "sink", "%s; changes gather and will be synced later", why->text);
        snprintf(l->last_error, sizeof l->last_error, "%.*s", (int)sizeof l->last_error - 1, why->text);
    }
    l->state = LINK_DOWN;
    l->retry_at_us = clock_mono_us() + l->backoff_us;
    l->backoff_us = l->backoff_us * 2 < BACKOFF_US_MAX ? l->backoff_us * 2 : BACKOFF_US_MAX;
}

/* ---- the difference: when only a look at the rows can tell ---- */

struct difference {
    struct spine *spine;
    uint32_t view_idx;
    uint64_t rows;
};

static enum status difference_add(struct difference *d, struct bytes row, int64_t weight, struct error *err)
{
    struct spine *s = d->spine;
    TRY(pending_add(s->link.pending, d->view_idx, row, weight, err));
    d->rows += 1;
    if (d->rows % DIFFERENCE_ROWS_CHECK == 0 && store_is_full(s->store)) {
        return store_checkpoint_begin(s->store, s->folded, err);
    }
    return STATUS_OK;
}

static enum status on_sink_row(void *ctx, struct bytes row, struct error *err)
{
    return difference_add(ctx, row, -1, err);
}

static enum status add_view_rows(struct difference *d, struct error *err)
{
    struct spine *s = d->spine;
    const struct catalog_view *view = s->views[d->view_idx];
    struct arena arena = ARENA_EMPTY;
    struct store_cursor *cursor = NULL;
    struct store_map *map;
    struct buffer copy = BUFFER_EMPTY;
    enum status st;
    TRY_GOTO(done, store_map_open(s->store, view_map_name(&arena, view), &map, err));
    TRY_GOTO(done, store_cursor_open(map, &cursor, err));
    TRY_GOTO(done, store_cursor_seek(cursor, bytes_of(NULL, 0), err));
    for (;;) {
        struct bytes key;
        struct bytes value;
        struct bytes row;
        uint64_t count;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_END) {
            st = STATUS_OK;
            break;
        }
        TRY_GOTO(done, st);
        TRY_GOTO(done, view_entry_read(view, key, value, &row, &count, err));
        buffer_reset(&copy); /* adding to a map ends the row's life */
        buffer_append(&copy, row.data, row.len);
        TRY_GOTO(done, difference_add(d, buffer_bytes(&copy), (int64_t)count, err));
    }
done:
    store_cursor_close(cursor);
    buffer_release(&copy);
    arena_release(&arena);
    return st;
}

static enum status take_difference(struct spine *s, struct error *err)
{
    int64_t start = clock_mono_us();
    TRY(pending_reset(s->link.pending, PENDING_BASE_UNKNOWN, err));
    struct difference d = {.spine = s};
    for (d.view_idx = 0; d.view_idx < s->view_count; d.view_idx++) {
        TRY(sink_read(syncer_sink(s->link.syncer), d.view_idx, on_sink_row, &d, err));
        if (s->view_errors[d.view_idx] == NULL) {
            TRY(add_view_rows(&d, err));
        }
    }
    message_line(MESSAGE_INFO, "sink", "compared with the views rows=%" PRIu64 " different=%" PRIu64 " ms=%" PRId64,
                 d.rows, pending_rows(s->link.pending), (clock_mono_us() - start) / 1000);
    return STATUS_OK;
}

enum status link_settle(struct spine *s, const struct sink_progress *progress, bool rebuilt, struct error *err)
{
    struct link *l = &s->link;
    bool ours = progress->exists && progress->store_id == s->store_id;
    bool known = false;
    TRY(spine_give_out(s, err));
    if (ours && !rebuilt && progress->seq_next <= s->folded) {
        TRY(pending_resolve(l->pending, progress->seq_next, &known, err));
    }
    if (ours && progress->seq_next > s->folded) {
        message_line(MESSAGE_WARN, "sink", "shows a later commit than the log has seq_next=%" PRIu64 " log=%" PRIu64,
                     progress->seq_next, s->folded);
    }
    if (!known) {
        enum status st = take_difference(s, err);
        if (st == STATUS_RETRY) {
            go_down(l, err);
            return STATUS_OK;
        }
        TRY(st);
    }
    if (l->last_error[0] != '\0') {
        message_line(MESSAGE_INFO, "sink", "connected again");
    }
    l->last_error[0] = '\0';
    l->sync_from = ours ? progress->seq_next : UINT64_MAX;
    l->sink_seq_next = ours && !rebuilt ? progress->seq_next : 0;
    l->state = LINK_READY;
    l->backoff_us = BACKOFF_US_MIN;
    s->pending_on = true;
    s->view_errors_dirty = true;
    return STATUS_OK;
}

/* ---- syncing ---- */

static const char *position_text(struct spine *s, struct arena *a);

static enum status begin_sync(struct spine *s, struct error *err)
{
    struct link *l = &s->link;
    TRY(spine_give_out(s, err));
    arena_reset(&l->arena);
    TRY(pending_take(l->pending, s->folded, &l->arena, l->views, err));
    for (uint32_t v = 0; v < s->view_count; v++) {
        l->views[v].error_changed = s->view_errors_dirty;
        l->views[v].error = s->view_errors[v] == NULL ? NULL : arena_strdup(&l->arena, s->view_errors[v]);
        l->rows_synced += l->views[v].change_count;
    }
    s->view_errors_dirty = false;
    l->batch = (struct sink_batch){.seq_next_from = l->sync_from,
                                   .seq_next_to = s->folded,
                                   .position = position_text(s, &l->arena),
                                   .commit_time_us = flow_commit_time_us(s->flow),
                                   .views = l->views};
    l->state = LINK_SYNCING;
    syncer_durable(l->syncer, store_durable_seq_next(s->store));
    syncer_sync(l->syncer, &l->batch);
    return STATUS_OK;
}

struct position_print {
    struct arena *arena;
    char *text;
};

static void print_position(void *ctx, const char *name, uint64_t value)
{
    struct position_print *p = ctx;
    const char *old = p->text == NULL ? "" : p->text;
    const char *gap = p->text == NULL ? "" : " ";
    if (strcmp(name, "pg.lsn") == 0) {
        p->text =
            arena_printf(p->arena, "%s%s%s=%" PRIX64 "/%" PRIX64, old, gap, name, value >> 32, value & UINT32_MAX);
    } else if (strcmp(name, "pg.system_id") != 0 && strcmp(name, "pg.timeline") != 0 &&
               strcmp(name, "pg.slot_made") != 0) {
        p->text = arena_printf(p->arena, "%s%s%s=%" PRIu64, old, gap, name, value);
    }
}

static const char *position_text(struct spine *s, struct arena *a)
{
    struct position_print p = {.arena = a};
    flow_positions(s->flow, print_position, &p);
    return p.text == NULL ? "" : p.text;
}

static enum status sync_ended(struct spine *s, const struct syncer_result *result, struct error *err)
{
    struct link *l = &s->link;
    l->sync_ended_us = clock_mono_us();
    l->sync_took_us = result->duration_us;
    if (result->status == STATUS_OK) {
        l->sink_seq_next = l->batch.seq_next_to;
        l->sync_from = l->batch.seq_next_to;
        l->state = LINK_READY;
        l->syncs += 1;
        return pending_done(l->pending, err);
    }
    *err = result->error;
    if (result->status == STATUS_RETRY) {
        go_down(l, err);
        return STATUS_OK;
    }
    return result->status;
}

static enum status take_result(struct spine *s, struct error *err)
{
    struct syncer_result result;
    syncer_take_result(s->link.syncer, &result);
    if (result.request == SYNCER_SYNC) {
        return sync_ended(s, &result, err);
    }
    if (result.request == SYNCER_CONNECT) {
        if (result.status == STATUS_OK) {
            return link_settle(s, &result.progress, result.rebuilt, err);
        }
        *err = result.error;
        if (result.status != STATUS_RETRY) {
            return result.status;
        }
        go_down(&s->link, err);
    }
    return STATUS_OK;
}

static bool wants_sync(const struct spine *s)
{
    return s->folded > s->link.sink_seq_next || s->link.sync_from == UINT64_MAX || s->view_errors_dirty ||
           !pending_is_empty(s->link.pending);
}

static int64_t rest_us(const struct link *l)
{
    return l->sync_took_us < REST_NONE_US ? 0 : l->sync_took_us < REST_US_MAX ? l->sync_took_us : REST_US_MAX;
}

enum status link_step(struct spine *s, bool now, struct error *err)
{
    struct link *l = &s->link;
    if (l->state == LINK_NONE || s->mid_commit) {
        return STATUS_OK;
    }
    TRY(take_result(s, err));
    int64_t time = clock_mono_us();
    if (l->state == LINK_DOWN && time >= l->retry_at_us) {
        l->state = LINK_CONNECTING;
        syncer_connect(l->syncer);
    }
    if (l->state == LINK_READY && wants_sync(s) && (now || time >= l->sync_ended_us + rest_us(l))) {
        return begin_sync(s, err);
    }
    return STATUS_OK;
}

bool link_is_synced(const struct spine *s)
{
    return s->link.state == LINK_NONE || (s->link.state == LINK_READY && !wants_sync(s));
}

int64_t link_wait_us(const struct spine *s, int64_t now_us)
{
    const struct link *l = &s->link;
    if (l->state == LINK_DOWN) {
        return l->retry_at_us - now_us;
    }
    if (l->state == LINK_READY && wants_sync(s)) {
        return l->sync_ended_us + rest_us(l) - now_us;
    }
    return INT64_MAX;
}

enum status link_wait_connected(struct spine *s, int64_t wait_us, struct sink_progress *progress, bool *connected,
                                bool *rebuilt, struct error *err)
{
    struct link *l = &s->link;
    *connected = false;
    if (l->state == LINK_NONE) {
        return STATUS_OK;
    }
    l->state = LINK_CONNECTING;
    syncer_connect(l->syncer);
    struct pollfd fd = {.fd = syncer_fd(l->syncer), .events = POLLIN};
    if (poll(&fd, 1, (int)(wait_us / 1000)) <= 0) {
        return STATUS_OK; /* link_step takes the result when it comes */
    }
    struct syncer_result result;
    syncer_take_result(l->syncer, &result);
    *progress = result.progress;
    *rebuilt = result.rebuilt;
    *connected = result.status == STATUS_OK;
    if (result.status == STATUS_RETRY) {
        go_down(l, &result.error);
    } else if (result.status != STATUS_OK) {
        *err = result.error;
        return result.status;
    }
    return STATUS_OK;
}
