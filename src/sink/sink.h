/* The sink: a PostgreSQL that holds the views, all of one seq, beside a progress row that is written in the same
 * transaction.
 *
 * Tables `schema.view` are made with the view's columns and types, the view's key as PRIMARY KEY (where no key column
 * can be NULL), or a UNIQUE NULLS NOT DISTINCT index (where one can), or, for views that may hold equal rows, a plain
 * index over a hash of the row. Each carries a comment that says whose it is; a table without it is never touched.
 * `logfold.progress` has one row a pipeline: (pipeline, store_id, seq, position, commit_time, epoch, synced_at),
 * `logfold.views` one a view: (pipeline, view, error). Called by one thread at a time (the sink thread); every function
 * may wait for the network. */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "base/bytes.h"
#include "base/error.h"
#include "plan/catalog.h"
#include "plan/plan.h"

#include <stdbool.h>
#include <stdint.h>

struct sink;

struct sink_options {
    const char *url;    /* any libpq connection string or URI */
    const char *schema; /* made where missing */
    const char *pipeline;
    uint64_t store_id;                       /* random number of the store: tells a sink of another store's making */
    const struct catalog_view *const *views; /* materialized ones; view_idx below is the index in this array */
    uint32_t view_count;
};

/* What the sink shows. */
struct sink_progress {
    bool exists;
    uint64_t store_id;
    uint64_t seq_next;
    uint64_t epoch;
};

/* One row's change: `row` is the image of the visible columns (flow/view.h, row/tuple.h image form). */
struct sink_change {
    struct bytes row;
    int64_t weight;
};

struct sink_view_changes {
    const struct sink_change *changes; /* netted: each row once, weight != 0 */
    uint64_t change_count;
    bool error_changed;
    const char *error; /* NULL = none */
};

struct sink_batch {
    uint64_t seq_next_from; /* what the sink shows now (compare-and-swap), UINT64_MAX = the progress row is to be made
                               or taken over */
    uint64_t seq_next_to;
    const char *position;                  /* for people: "pg.lsn=0/16B3748" */
    int64_t commit_time_us;                /* since 2000-01-01, 0 = unknown */
    const struct sink_view_changes *views; /* view_count of them */
};

/* Only checks its arguments; no connection yet. */
enum status sink_open(struct sink **out, const struct sink_options *options, struct error *err);
void sink_close(struct sink *s);
/* Connects, makes what is missing, checks what is there (STATUS_MISMATCH: a table that is not ours or has other
 * columns, said with what to do; one of ours with other columns is made anew, empty, which `*rebuilt` tells), takes a
 * new writer epoch, and tells what the sink shows. STATUS_RETRY where it is not reachable. Closes an earlier connection
 * first. */
enum status sink_connect(struct sink *s, struct sink_progress *out, bool *rebuilt, struct error *err);
/* Reads all rows of a view's table as images, in any order, for the difference; in the snapshot of one transaction per
 * call. */
enum status sink_read(struct sink *s, uint32_t view_idx,
                      enum status (*visit)(void *ctx, struct bytes row, struct error *err), void *ctx,
                      struct error *err);
/* Applies a batch in one transaction and moves the progress row; before it is committed `await` is called, which
 * returns when that may be, or false where it never will (STATUS_STOPPED, nothing is done). STATUS_RETRY: not done or
 * not known whether done (connect again and look at the progress). STATUS_MISMATCH: another writer has taken over (its
 * epoch is newer): stop. */
enum status sink_sync(struct sink *s, const struct sink_batch *batch, bool (*await)(void *ctx), void *ctx,
                      struct error *err);
/* Interrupts a call that waits in another thread; the connection is then closed. @thread any */
void sink_interrupt(struct sink *s);

#endif
