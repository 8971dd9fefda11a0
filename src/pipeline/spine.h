/* What the files of this room share: the spine's handles. Each stage's state stays behind its own handle. */
#ifndef PIPELINE_SPINE_H
#define PIPELINE_SPINE_H

#include "flow/flow.h"
#include "pipeline/intake.h"
#include "pipeline/page.h"
#include "pipeline/pending.h"
#include "pipeline/pipeline.h"
#include "pipeline/quota.h"
#include "pipeline/syncer.h"
#include "state/store.h"

enum { RUN_CHANGES_MIN = 4 * 1024 };

/* The way to the sink. */
enum link_state {
    LINK_NONE, /* no sink configured */
    LINK_DOWN, /* not connected; tried again at retry_at_us */
    LINK_CONNECTING,
    LINK_READY, /* connected, nothing under way */
    LINK_SYNCING
};

struct link {
    enum link_state state;
    struct syncer *syncer;
    struct pending *pending;
    int64_t retry_at_us;
    int64_t backoff_us;
    int64_t sync_ended_us;
    int64_t sync_took_us;
    uint64_t sink_seq_next;  /* what the sink shows, as last heard */
    uint64_t sync_from;      /* compare-and-swap value of the next sync; UINT64_MAX = take over */
    struct sink_batch batch; /* the one in flight */
    struct sink_view_changes *views;
    struct arena arena; /* of the batch */
    uint64_t syncs;
    uint64_t rows_synced;
    char last_error[256];
};

struct spine {
    const struct pipeline_options *options;
    struct store *store;
    struct store_reader *reader;
    struct flow *flow;
    struct intake *intake;
    struct page *page;
    struct link link;
    struct quota quota;
    uint64_t events_before;            /* folded into the state by earlier runs */
    const struct catalog_view **views; /* the materialized ones */
    uint32_t view_count;
    char **view_errors; /* heap, NULL = none */
    bool view_errors_dirty;
    uint64_t store_id;
    struct arena arena;
    bool replay;                /* the state is being rebuilt, as asked or for what was redriven */
    struct redriven redriven;   /* the log's */
    struct event_schema *known; /* in a replay: the whole log's journal */
    size_t known_count;
    uint64_t run_changes;  /* folded before the operators run: the more, the more of them are about the same rows */
    uint64_t run_bytes;    /* the same, for wide rows */
    uint64_t folded;       /* commits below are folded and run */
    bool mid_commit;       /* some chunks of commit `folded` are folded, not its last */
    int64_t held_since_us; /* groups may hold back what they would give out; 0 = they do not */
    bool pending_on;       /* changes are gathered for the sink */
    bool source_ended;
    bool reader_more;          /* the reader has more for now */
    int64_t checkpoint_at_us;  /* when the next is due */
    uint64_t checkpoint_begun; /* seq_next of the newest one begun */
    int64_t started_us;
    bool progress_shown;   /* of recovery or replay */
    uint64_t rate_changes; /* at rate_at_us */
    int64_t rate_at_us;
    double rate;      /* changes a second */
    bool memory_kept; /* from the start, or from when the rate was high */
};

/* start.c: opens everything and brings the state to the log's end. */
enum status spine_open(struct spine *s, const struct pipeline_options *options, struct error *err);
void spine_close(struct spine *s);

/* spine.c */
/* Folds up to about a turn's worth of commits, none with seq >= `seq_limit`. */
enum status spine_fold(struct spine *s, uint64_t seq_limit, struct error *err);
/* Has groups give out what they hold back: before anybody looks at the state or the views. */
enum status spine_give_out(struct spine *s, struct error *err);
enum status spine_checkpoint_if_due(struct spine *s, struct error *err);
/* Notes in the next checkpoint how many events the state is made of. */
enum status spine_note_events(struct spine *s, struct error *err);

/* link.c */
enum status link_open(struct spine *s, struct error *err);
void link_close(struct link *l);
/* Waits up to `wait_us` for the first connection; STATUS_OK also where it did not come. */
enum status link_wait_connected(struct spine *s, int64_t wait_us, struct sink_progress *progress, bool *connected,
                                bool *rebuilt, struct error *err);
/* Connected at start, before the log's rest is folded: tells up to where to fold before link_settle. */
enum status link_settle(struct spine *s, const struct sink_progress *progress, bool rebuilt, struct error *err);
/* One step: takes results, reconnects, begins the next sync. */
enum status link_step(struct spine *s, bool now, struct error *err);
bool link_is_synced(const struct spine *s);
/* Microseconds until link_step wants to be called, INT64_MAX = only on events. */
int64_t link_wait_us(const struct spine *s, int64_t now_us);

/* report.c */
void report_page(struct spine *s);
void report_rate(struct spine *s, int64_t now_us);

#endif
