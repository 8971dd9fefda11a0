/* The incremental engine: folds commits into tables and keeps the views, by operators that take deltas and give deltas.
 *
 * A delta is a multiset of rows with weights (a Z-set). flow_fold applies a commit's changes to the tables and collects
 * the tables' deltas; flow_run pushes them through the operator graph, in one fixed topological order, into
 * arrangements and views. All state lives in maps of the store (state/store.h), so that a checkpoint of the store is a
 * checkpoint of the flow. Pure: no clock, no randomness, no hash order; the state after commit n is the same however
 * commits were grouped into runs. */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "base/bytes.h"
#include "base/error.h"
#include "event/event.h"
#include "event/redriven.h"
#include "plan/catalog.h"
#include "state/store.h"

struct flow;

struct flow_options {
    const struct catalog *catalog;
    struct store *store;
    /* Called in flow_run for every change of a materialized view's visible rows: `row` is the image of the visible
     * columns (view.h), `weight` the change of its multiplicity. The same row may be reported several times; the sum
     * counts. NULL = none. */
    enum status (*on_change)(void *ctx, uint32_t view_idx, struct bytes row, int64_t weight, struct error *err);
    /* A materialized view went into or out of the error state; `text` names the failure and the row, NULL =
     * recovered. */
    enum status (*on_view_error)(void *ctx, uint32_t view_idx, const char *text, struct error *err);
    void *ctx;
    /* In a replay: the journal of the whole log (flow_journal_read), so that rows from before a renaming can be read by
     * the column's new name. Borrowed as long as the flow lives. */
    const struct event_schema *known;
    size_t known_count;
    /* What is folded in place of QUARANTINE items; NULL = nothing. Borrowed as long as the flow lives. A state
     * remembers by its mark with which it was folded, and goes on with no other: STATUS_MISMATCH. */
    const struct redriven *redriven;
};

/* The mark of the redriven entries that the state was folded with, 0 = none. */
enum status flow_redriven_mark(struct store *store, uint64_t *out, struct error *err);

/* The log's own schemas in a store's journal, in order of table id, in `a`. */
enum status flow_journal_read(struct store *store, struct arena *a, struct event_schema **out, size_t *count,
                              struct error *err);

/* Builds the operators and opens (or makes) their maps. The catalog and the store must outlive the flow. */
enum status flow_open(struct flow **out, const struct flow_options *options, struct error *err);
void flow_close(struct flow *f);

/* Folds one chunk of a commit. The chunk's bytes must stay valid until the next flow_run. A TRUNCATE runs the operators
 * itself (a table may be larger than memory), so do not count on changes gathering until then. */
enum status flow_fold(struct flow *f, const struct store_chunk *chunk, struct error *err);
/* Propagates everything folded since the last run. The caller runs it at latest when flow_changes() passes its batch
 * bound. */
enum status flow_run(struct flow *f, struct error *err);
/* The same where more is to follow at once: groups may hold back what they would give out, so that a group that changes
 * in every run is read and written once. The next flow_run gives it out; until then neither the state nor the views are
 * those of any commit, and nobody may look at them. */
enum status flow_push(struct flow *f, struct error *err);
uint64_t flow_changes(const struct flow *f); /* folded since the last run */

/* Appends the failure that puts a materialized view (counted as on_change counts) into error, nothing where it is
 * right. */
enum status flow_view_error(struct flow *f, uint32_t view_idx, struct buffer *out, struct error *err);

/* Calls `visit` for every position of the log up to what was folded, in name order. */
void flow_positions(const struct flow *f, void (*visit)(void *ctx, const char *name, uint64_t value), void *ctx);
uint32_t flow_table_id_next(const struct flow *f);
int64_t flow_commit_time_us(const struct flow *f); /* of the newest commit folded */
uint64_t flow_quarantine_count(const struct flow *f);
/* Of those in quarantine, changes that could not be applied, folded since flow_open. */
uint64_t flow_reject_count(const struct flow *f);
uint64_t flow_change_count(const struct flow *f); /* changes folded since flow_open */

/* For statectl explain: the operators that keep a view, one a line, with the rows and bytes of their maps. Needs no
 * running flow. */
enum status flow_explain(struct store *store, const struct catalog *catalog, const struct catalog_view *view,
                         struct buffer *out, struct error *err);

#endif
