/* What the pipeline tells of itself while it runs: the status page. */
#include "pipeline/spine.h"

#include "base/clock.h"
#include "base/memory.h"

#include <inttypes.h>
#include <string.h>

enum {
    RATE_US = 1000000,
    BUSY_RATE = 50000, /* changes a second, after which there is memory to give back */
    QUIET_RATE = 5000  /* where it is given back */
};

void report_rate(struct spine *s, int64_t now_us)
{
    if (now_us - s->rate_at_us < RATE_US) {
        return;
    }
    uint64_t changes = flow_change_count(s->flow);
    if (s->rate_at_us != 0) {
        s->rate = (double)(changes - s->rate_changes) / ((double)(now_us - s->rate_at_us) / 1e6);
    }
    s->rate_changes = changes;
    s->rate_at_us = now_us;
    if (s->rate >= BUSY_RATE) {
        s->memory_kept = true;
    } else if (s->rate < QUIET_RATE && s->memory_kept && !s->mid_commit && store_give_back(s->store)) {
        s->memory_kept = false;
        mem_give_back();
    }
}

static void print_position(void *ctx, const char *name, uint64_t value)
{
    buffer_printf(ctx, "position.%s=%" PRIu64 "\n", name, value);
}

static const char *link_word(enum link_state state)
{
    static const char *const words[] = {"none", "away", "connecting", "ready", "syncing"};
    return words[state];
}

void report_page(struct spine *s)
{
    struct buffer text = BUFFER_EMPTY;
    report_rate(s, clock_mono_us());
    buffer_printf(&text, "seq_next=%" PRIu64 "\ndurable_seq_next=%" PRIu64 "\nlog_seq_next=%" PRIu64 "\n", s->folded,
                  store_durable_seq_next(s->store), store_seq_next(s->store));
    buffer_printf(
        &text, "checkpoint_seq_next=%" PRIu64 "\ncommit_time_us=%" PRId64 "\nrate=%.0f\nchanges=%" PRIu64 "\n",
        store_checkpoint_seq_next(s->store), flow_commit_time_us(s->flow), s->rate, flow_change_count(s->flow));
    buffer_printf(
        &text, "quarantine=%" PRIu64 "\nsink=%s\nsink_seq_next=%" PRIu64 "\nsink_synced=%d\npending_rows=%" PRIu64 "\n",
        flow_quarantine_count(s->flow), link_word(s->link.state), s->link.sink_seq_next, link_is_synced(s),
        s->link.pending == NULL ? 0 : pending_rows(s->link.pending));
    if (s->intake != NULL) {
        struct source_status status = {0};
        intake_status(s->intake, &status);
        buffer_printf(&text, "source=%s\nsource_position=%s\nsource_lag_bytes=%" PRIu64 "\nsource_detail=%s\n",
                      s->source_ended    ? "ended"
                      : status.snapshot  ? "snapshot"
                      : status.connected ? "connected"
                                         : "away",
                      status.position, status.lag_bytes, status.detail);
        buffer_printf(&text, "idle=%d\n", intake_is_idle(s->intake) && !s->reader_more);
    }
    buffer_printf(&text, "sink_detail=%s\n", s->link.last_error);
    flow_positions(s->flow, print_position, &text);
    page_write(s->page, buffer_bytes(&text));
    buffer_release(&text);
}
