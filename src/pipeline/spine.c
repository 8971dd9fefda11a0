/* The spine: one turn of a batch through all the stages.
 *
 *   intake --take--> append + fdatasync --> fold --> views --> checkpoint --> sync --> acknowledge
 *   (source, decode)
 *
 * Invariants: a commit is folded only after it is appended; checkpointed, committed to the sink and acknowledged to the
 * source only after it is durable. Folding reads commits back from the log, whoever put them there: recovery, replay
 * and live are one path. */
#include "pipeline/spine.h"

#include "base/clock.h"
#include "base/message.h"
#include "pipeline/identity.h"

#include <poll.h>

enum {
    CHANGE_WRITES_BYTES = 200, /* to the state, of a change of a narrow row */
    TURN_CHANGES = 256 * 1024, /* folded before the other stages get their turn */
    WAIT_US_MAX = 2000000,
    HOLD_US_MAX = 250000,    /* groups hold back what they would give out, while more is coming */
    DRAIN_US_MAX = 10000000, /* for the last syncs when asked to stop */
    EARLY_SHARE = 4          /* of the changed entries that memory has room for */
};

static enum status run_operators(struct spine *s, bool commit_ended, uint64_t seq, struct error *err)
{
    TRY(flow_push(s->flow, err));
    s->held_since_us = s->held_since_us != 0 ? s->held_since_us : clock_mono_us();
    store_reader_recycle(s->reader);
    s->mid_commit = !commit_ended;
    s->folded = commit_ended ? seq + 1 : seq;
    if (s->mid_commit && store_is_full(s->store)) {
        return store_spill(s->store, err);
    }
    return STATUS_OK;
}

enum status spine_give_out(struct spine *s, struct error *err)
{
    if (s->held_since_us == 0) {
        return STATUS_OK;
    }
    s->held_since_us = 0;
    return flow_run(s->flow, err);
}

/* How many changes to fold before the operators run: as many as there is memory for, also for what they will write. */
static uint64_t run_limit(const struct spine *s)
{
    uint64_t room = store_room_bytes(s->store) / CHANGE_WRITES_BYTES;
    room = room < RUN_CHANGES_MIN ? RUN_CHANGES_MIN : room;
    return room < s->run_changes ? room : s->run_changes;
}

enum status spine_fold(struct spine *s, uint64_t seq_limit, struct error *err)
{
    struct store_chunk chunk = {.last = true};
    uint64_t turn = 0;
    uint64_t bytes = 0;
    uint64_t limit = run_limit(s);
    bool unrun = false;
    bool full = false;
    s->reader_more = true;
    while (turn < TURN_CHANGES && !full && (s->mid_commit || unrun || s->folded < seq_limit)) {
        if (unrun && chunk.last && chunk.seq + 1 >= seq_limit) {
            break;
        }
        enum status st = store_reader_next(s->reader, &chunk, err);
        if (st == STATUS_END) {
            s->reader_more = false;
            break;
        }
        TRY(st);
        TRY(flow_fold(s->flow, &chunk, err));
        unrun = true;
        bytes += chunk.data.len;
        if (flow_changes(s->flow) >= limit || bytes >= s->run_bytes) {
            turn += flow_changes(s->flow) + bytes / s->run_bytes * s->run_changes;
            TRY(run_operators(s, chunk.last, chunk.seq, err));
            unrun = false;
            bytes = 0;
            limit = run_limit(s);
            full = !s->mid_commit && store_is_full(s->store);
        }
    }
    return unrun ? run_operators(s, chunk.last, chunk.seq, err) : STATUS_OK;
}

enum status spine_note_events(struct spine *s, struct error *err)
{
    return identity_note_events(s->store, s->events_before + flow_change_count(s->flow), err);
}

/* Changed entries are written well before memory is full of them, while the fold goes on: it takes less memory, and
 * there is less left to write at the end. The writer rests in between: where changes are scattered over the state, each
 * page that it writes takes more of them the longer they are gathered. */
static bool should_write_early(const struct spine *s)
{
    uint64_t dirty = store_dirty_bytes(s->store);
    return dirty > (dirty + store_room_bytes(s->store)) / EARLY_SHARE && store_checkpoint_rested(s->store);
}

enum status spine_checkpoint_if_due(struct spine *s, struct error *err)
{
    if (s->mid_commit || s->folded == s->checkpoint_begun) {
        return STATUS_OK;
    }
    bool full = store_is_full(s->store);
    int64_t now = clock_mono_us();
    bool due = now >= s->checkpoint_at_us || should_write_early(s);
    if (!full && (!due || store_checkpoint_running(s->store) || store_durable_seq_next(s->store) < s->folded)) {
        return STATUS_OK;
    }
    TRY(spine_give_out(s, err));
    TRY(spine_note_events(s, err));
    TRY(store_checkpoint_begin(s->store, s->folded, err));
    s->checkpoint_begun = s->folded;
    s->checkpoint_at_us = now + s->options->checkpoint_interval_us;
    return STATUS_OK;
}

static enum status take(struct spine *s, struct error *err)
{
    if (s->source_ended || s->reader_more) { /* what is in the log is folded first: the lag in memory stays bounded */
        return STATUS_OK;
    }
    TRY(quota_check(&s->quota, intake_received(s->intake), err));
    enum status st = intake_take(s->intake, err);
    if (s->quota.passed) {
        *err = s->quota.error;
        return err->status;
    }
    if (st == STATUS_END) {
        s->source_ended = true;
    } else if (st != STATUS_OK) {
        return st;
    }
    return store_flush(s->store, err);
}

static enum status tell_durable(struct spine *s, struct error *err)
{
    TRY(store_event_clear(s->store, err));
    uint64_t durable = store_durable_seq_next(s->store);
    if (s->link.syncer != NULL) {
        syncer_durable(s->link.syncer, durable);
    }
    return intake_acknowledge(s->intake, durable, err);
}

/* While more comes at once groups hold back; what has come is shown as soon as nothing more does. */
static enum status give_out_if_due(struct spine *s, struct error *err)
{
    bool more = s->reader_more || (!s->source_ended && intake_has_more(s->intake));
    if (more && clock_mono_us() - s->held_since_us < HOLD_US_MAX) {
        return STATUS_OK;
    }
    return spine_give_out(s, err);
}

static enum status turn(struct spine *s, struct error *err)
{
    TRY(take(s, err));
    TRY(spine_fold(s, UINT64_MAX, err));
    TRY(give_out_if_due(s, err));
    TRY(link_step(s, false, err));
    TRY(tell_durable(s, err));
    TRY(spine_checkpoint_if_due(s, err));
    report_page(s);
    return STATUS_OK;
}

static int wait_ms(const struct spine *s)
{
    int64_t now = clock_mono_us();
    int64_t wait = WAIT_US_MAX;
    if (s->held_since_us != 0 && s->held_since_us + HOLD_US_MAX - now < wait) {
        wait = s->held_since_us + HOLD_US_MAX - now;
    }
    if (s->folded != s->checkpoint_begun && s->checkpoint_at_us - now < wait) {
        wait = s->checkpoint_at_us - now;
    }
    int64_t link_wait = link_wait_us(s, now);
    wait = link_wait < wait ? link_wait : wait;
    return wait <= 0 ? 1 : (int)((wait + 999) / 1000);
}

/* Waits until a stage has something to do. Returns true when asked to stop (`watch_stop` false: that is known
 * already). */
static bool wait_for_events(struct spine *s, bool may_sleep, bool watch_stop)
{
    struct pollfd fds[4] = {{.fd = watch_stop ? s->options->stop_fd : -1, .events = POLLIN},
                            {.fd = store_event_fd(s->store), .events = POLLIN},
                            {.fd = s->link.syncer != NULL ? syncer_fd(s->link.syncer) : -1, .events = POLLIN},
                            {.fd = s->source_ended ? -1 : intake_fd(s->intake), .events = POLLIN}};
    if (s->options->on_turn != NULL) {
        s->options->on_turn(s->options->ctx);
    }
    int n = poll(fds, 4, may_sleep ? wait_ms(s) : 0);
    return n > 0 && fds[0].revents != 0;
}

static enum status end_drain(struct spine *s, struct error *err)
{
    TRY(spine_note_events(s, err));
    TRY(store_checkpoint_begin(s->store, s->folded, err));
    TRY(store_checkpoint_wait(s->store, err));
    s->checkpoint_begun = s->folded;
    TRY(tell_durable(s, err));
    report_page(s);
    return STATUS_OK;
}

/* After the source's end or a wish to stop: everything on disk, checkpointed and, until `deadline_us`, synced. */
static enum status drain(struct spine *s, int64_t deadline_us, struct error *err)
{
    bool once = s->options->once;
    intake_stop(s->intake);
    s->source_ended = true;
    TRY(store_wait_durable(s->store, store_seq_next(s->store), err));
    do {
        TRY(spine_fold(s, UINT64_MAX, err));
        TRY(spine_checkpoint_if_due(s, err));
    } while (s->reader_more);
    TRY(spine_give_out(s, err));
    TRY(tell_durable(s, err));
    while (!link_is_synced(s) && clock_mono_us() < deadline_us) {
        TRY(link_step(s, true, err));
        if (s->link.state == LINK_DOWN) {
            return once ? error_set(err, STATUS_RETRY, 0, "could not sync the sink: %s", s->link.last_error)
                        : end_drain(s, err);
        }
        report_page(s);
        if (!link_is_synced(s) && wait_for_events(s, true, once)) {
            return error_set(err, STATUS_STOPPED, 0, "stopped before the sink was synced");
        }
        TRY(tell_durable(s, err));
    }
    return end_drain(s, err);
}

/* The quarantine is full: what is whole in the log is all that is taken, and everybody is to have it. Why it ended
 * stays in `err`. */
static enum status end_full(struct spine *s, const struct error *err)
{
    struct error ignored;
    if (store_append_abandon(s->store, &ignored) == STATUS_OK) {
        (void)drain(s, clock_mono_us() + DRAIN_US_MAX, &ignored);
    }
    return err->status;
}

static enum status live(struct spine *s, struct error *err)
{
    bool stop = false;
    while (!stop) {
        enum status st = turn(s, err);
        if (st != STATUS_OK) {
            return s->quota.passed ? end_full(s, err) : st;
        }
        if (s->source_ended && !s->reader_more && s->options->once) {
            return drain(s, INT64_MAX, err);
        }
        stop = wait_for_events(s, !s->reader_more, true);
    }
    message_line(MESSAGE_INFO, "procd", "stopping seq=%llu", (unsigned long long)s->folded);
    return drain(s, clock_mono_us() + DRAIN_US_MAX, err);
}

enum status pipeline_run(const struct pipeline_options *options, struct error *err)
{
    struct spine s = {0};
    enum status st = spine_open(&s, options, err);
    if (st == STATUS_OK) {
        if (options->on_ready != NULL) {
            options->on_ready(options->ctx);
        }
        st = live(&s, err);
    }
    spine_close(&s);
    return st;
}
