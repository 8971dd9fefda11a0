/* Opens everything, in the order in which one needs the other, and brings the state to the log's end before the source
 * is asked.
 *
 * If the sink shows a seq between the checkpoint and the log's end (the usual case after a crash), folding stops right
 * there once and everything gathered so far is forgotten: from then on what gathers is exactly what the sink lacks. */
#include "pipeline/spine.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "pipeline/identity.h"

#include <inttypes.h>
#include <poll.h>

enum {
    SINK_WAIT_US = 5000000,
    PROGRESS_AFTER_US = 1000000,
    RUN_CHANGE_BYTES = 256, /* of memory, that a change takes on its way through the operators */
    RUN_CHANGES_MAX = 256 * 1024,
    RUN_BYTES_MIN = 1024 * 1024
};

static enum status on_change(void *ctx, uint32_t view_idx, struct bytes row, int64_t weight, struct error *err)
{
    struct spine *s = ctx;
    return s->pending_on ? pending_add(s->link.pending, view_idx, row, weight, err) : STATUS_OK;
}

static enum status on_view_error(void *ctx, uint32_t view_idx, const char *text, struct error *err)
{
    (void)err;
    struct spine *s = ctx;
    mem_free(s->view_errors[view_idx]);
    s->view_errors[view_idx] = text == NULL ? NULL : mem_strdup(text);
    s->view_errors_dirty = true;
    const struct catalog_view *view = s->views[view_idx];
    if (text != NULL) {
        message_line(MESSAGE_WARN, "flow", "view %s.%s is in error and shows no rows: %s", view->schema, view->name,
                     text);
    } else {
        message_line(MESSAGE_INFO, "flow", "view %s.%s has recovered", view->schema, view->name);
    }
    return STATUS_OK;
}

static enum status load_view_error(struct spine *s, uint32_t view_idx, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    enum status st = flow_view_error(s->flow, view_idx, &text, err);
    if (st == STATUS_OK && text.len > 0) {
        buffer_append_byte(&text, '\0');
        s->view_errors[view_idx] = mem_strdup((const char *)text.data);
    }
    buffer_release(&text);
    return st;
}

static void list_views(struct spine *s)
{
    const struct catalog *c = s->options->catalog;
    s->views = mem_zalloc((c->view_count + 1) * sizeof *s->views);
    for (uint32_t i = 0; i < c->view_count; i++) {
        if (c->views[i]->materialized) {
            s->views[s->view_count] = c->views[i];
            s->view_count += 1;
        }
    }
    s->view_errors = mem_zalloc((s->view_count + 1) * sizeof *s->view_errors);
}

/* How large a run may be in `run` bytes of memory. */
static void limit_runs(struct spine *s, uint64_t run)
{
    uint64_t changes = run / RUN_CHANGE_BYTES;
    changes = changes < RUN_CHANGES_MIN ? RUN_CHANGES_MIN : changes;
    s->run_changes = changes > RUN_CHANGES_MAX ? RUN_CHANGES_MAX : changes;
    s->run_bytes = run / 2 < RUN_BYTES_MIN ? RUN_BYTES_MIN : run / 2;
}

/* A state that was folded with other redriven entries than the log has now is rebuilt. */
static enum status read_redriven(struct spine *s, struct error *err)
{
    uint64_t folded_with;
    s->replay = s->options->replay;
    TRY(redriven_load(&s->redriven, s->options->store_path, err));
    TRY(flow_redriven_mark(s->store, &folded_with, err));
    if (s->replay || folded_with == s->redriven.mark) {
        return STATUS_OK;
    }
    if (s->redriven.mark == 0) {
        return error_set(err, STATUS_CORRUPT, 0,
                         "%s/log/redriven is gone, with which the state was folded; bring it back from a copy, or run "
                         "procd with --replay-from 0: what was redriven is then in quarantine again, and \"statectl "
                         "quarantine redrive\" decodes it anew",
                         s->options->store_path);
    }
    message_line(MESSAGE_INFO, "procd", "the quarantine was redriven: rebuilding the state from the log");
    s->replay = true;
    return STATUS_OK;
}

static enum status open_state(struct spine *s, struct error *err)
{
    const struct pipeline_options *o = s->options;
    uint64_t run = o->cache_bytes / 4; /* for what is folded in one run; the rest for changes until a checkpoint */
    limit_runs(s, run);
    TRY(store_open(&s->store,
                   &(struct store_options){
                       .path = o->store_path, .cache_bytes = o->cache_bytes - run, .segment_bytes = o->segment_bytes},
                   err));
    TRY(read_redriven(s, err));
    uint64_t old_id = 0;
    if (s->replay) {
        TRY(identity_store_id(s->store, &old_id, err));
        TRY(flow_journal_read(s->store, &s->arena, &s->known, &s->known_count, err));
        TRY(store_rebuild_begin(s->store, err));
    }
    struct identity identity;
    TRY(identity_check(s->store, o->catalog, o->name, o->schema_text, old_id, &identity, err));
    s->store_id = identity.store_id;
    TRY(flow_open(&s->flow,
                  &(struct flow_options){.catalog = o->catalog,
                                         .store = s->store,
                                         .on_change = on_change,
                                         .on_view_error = on_view_error,
                                         .ctx = s,
                                         .known = s->known,
                                         .known_count = s->known_count,
                                         .redriven = &s->redriven},
                  err));
    for (uint32_t v = 0; v < s->view_count; v++) {
        TRY(load_view_error(s, v, err));
    }
    TRY(identity_events(s->store, &s->events_before, err));
    s->folded = store_checkpoint_seq_next(s->store);
    s->checkpoint_begun = s->folded;
    TRY(page_open(&s->page, o->store_path, true, err));
    return store_reader_open(s->store, s->folded, &s->reader, err);
}

static bool asked_to_stop(const struct spine *s)
{
    struct pollfd fd = {.fd = s->options->stop_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

/* Folds until `seq_limit` or the log's end, checkpointing on the way. */
static enum status catch_up(struct spine *s, uint64_t seq_limit, struct error *err)
{
    const char *what = s->replay ? "replay" : "recover";
    uint64_t first = s->folded;
    uint64_t last = store_seq_next(s->store) < seq_limit ? store_seq_next(s->store) : seq_limit;
    bool shown = false;
    while (s->folded < last) {
        TRY(spine_fold(s, seq_limit, err));
        TRY(spine_checkpoint_if_due(s, err));
        report_page(s);
        int64_t took = clock_mono_us() - s->started_us;
        if (s->options->on_turn != NULL) {
            s->options->on_turn(s->options->ctx);
        }
        if (took > PROGRESS_AFTER_US) {
            double share = (double)(s->folded - first) / (double)(last - first);
            double rate = (double)flow_change_count(s->flow) / ((double)took / 1e6);
            message_progress(what, false, "seq=%" PRIu64 " of %" PRIu64 " %.0f%% events/s=%.0f left=%.0fs", s->folded,
                             last, share * 100, rate, share > 0 ? (double)took / 1e6 / share * (1 - share) : 0.0);
            shown = true;
        }
        if (asked_to_stop(s)) {
            return error_set(err, STATUS_STOPPED, 0, "stopped in the middle of a %s", what);
        }
    }
    s->progress_shown = s->progress_shown || shown;
    return spine_give_out(s, err);
}

/* The end of a recovery or replay that took long enough to be told; the state is on disk by then. */
static void tell_done(const struct spine *s)
{
    if (s->progress_shown || s->replay) {
        double seconds = (double)(clock_mono_us() - s->started_us) / 1e6;
        message_progress(s->replay ? "replay" : "recover", true,
                         "done seq=%" PRIu64 " events=%" PRIu64 " seconds=%.2f events/s=%.0f", s->folded,
                         flow_change_count(s->flow), seconds, (double)flow_change_count(s->flow) / seconds);
    }
}

static enum status recover(struct spine *s, struct error *err)
{
    struct sink_progress progress = {0};
    bool connected = false;
    bool rebuilt = false;
    TRY(link_wait_connected(s, SINK_WAIT_US, &progress, &connected, &rebuilt, err));
    bool cut = !s->replay && connected && !rebuilt && progress.exists && progress.store_id == s->store_id &&
               progress.seq_next >= s->folded && progress.seq_next <= store_seq_next(s->store);
    if (cut) {
        TRY(catch_up(s, progress.seq_next, err));
        TRY(pending_reset(s->link.pending, progress.seq_next, err));
    }
    s->pending_on = s->link.state != LINK_NONE && pending_base(s->link.pending) != PENDING_BASE_UNKNOWN;
    TRY(catch_up(s, UINT64_MAX, err));
    if (s->replay) {
        TRY(spine_note_events(s, err));
        TRY(store_rebuild_finish(s->store, s->folded, err));
        s->checkpoint_begun = s->folded;
    }
    tell_done(s);
    return connected ? link_settle(s, &progress, rebuilt, err) : STATUS_OK;
}

/* ---- the source ---- */

static enum status output_append(void *ctx, struct bytes chunk, bool last, uint64_t *seq, struct error *err)
{
    struct spine *s = ctx;
    TRY(store_append(s->store, chunk, last, seq, err));
    if (last) {
        quota_commit_ended(&s->quota);
    }
    return STATUS_OK;
}

static enum status output_abandon(void *ctx, struct error *err)
{
    struct spine *s = ctx;
    quota_abandoned(&s->quota);
    return store_append_abandon(s->store, err);
}

static enum status output_quarantined(void *ctx, struct bytes origin, struct bytes reason, struct error *err)
{
    struct spine *s = ctx;
    return quota_add(&s->quota, intake_received(s->intake), origin, reason, err);
}

static enum status open_source(struct spine *s, struct error *err)
{
    const struct pipeline_options *o = s->options;
    struct source_options options = {
        .url = o->source_url,
        .catalog = o->catalog,
        .output = {.ctx = s, .append = output_append, .abandon = output_abandon, .quarantined = output_quarantined},
        .table_id_next = flow_table_id_next(s->flow),
        .once = o->once,
        .publication = o->source_publication,
        .slot = o->source_slot,
        .create = o->source_create,
        .snapshot_progress = true,
        .kafka = o->kafka,
        .kafka_count = o->kafka_count,
        .topic_prefix = o->source_topic_prefix,
        .transaction_topic = o->source_transaction_topic,
        .transaction_timeout_us = o->source_transaction_timeout_us,
        .time_precision = o->source_time_precision,
        .unavailable_value = o->source_unavailable_value};
    s->quota = (struct quota){.entries_max = o->quarantine_max, .share = o->quarantine_share};
    quota_begin(&s->quota, s->store, s->flow, s->events_before + flow_change_count(s->flow));
    enum status st = intake_open(
        &s->intake, &(struct intake_options){.source = options, .flow = s->flow, .seq_next = store_seq_next(s->store)},
        err);
    if (st == STATUS_RETRY && s->intake != NULL) {
        message_line(MESSAGE_WARN, "source", "%s; trying again", err->text);
        return STATUS_OK;
    }
    return st;
}

enum status spine_open(struct spine *s, const struct pipeline_options *options, struct error *err)
{
    *s = (struct spine){.options = options, .started_us = clock_mono_us(), .memory_kept = true};
    list_views(s);
    TRY(open_state(s, err));
    TRY(link_open(s, err));
    TRY(recover(s, err));
    TRY(open_source(s, err));
    message_line(MESSAGE_INFO, "procd", "ready seq=%" PRIu64 " views=%u startup_ms=%" PRId64, s->folded, s->view_count,
                 (clock_mono_us() - s->started_us) / 1000);
    return STATUS_OK;
}

void spine_close(struct spine *s)
{
    link_close(&s->link);
    intake_close(s->intake);
    store_reader_close(s->reader);
    flow_close(s->flow);
    store_close(s->store);
    page_close(s->page);
    for (uint32_t v = 0; v < s->view_count; v++) {
        mem_free(s->view_errors[v]);
    }
    mem_free(s->view_errors);
    arena_release(&s->arena);
    redriven_release(&s->redriven);
    mem_free(s->views);
    *s = (struct spine){0};
}
