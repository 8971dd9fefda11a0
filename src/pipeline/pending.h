/* What the sink does not show yet: for each view the difference between what the sink shows and what the views hold,
 * netted by row, kept in the store's map "pending" so that it survives with the checkpoint and is bounded by the number
 * of distinct rows.
 *
 * Changes are gathered in a generation. A sync takes the generation (it is then in flight, with the seq it leads to)
 * and new changes go to the next one. Done: the generation is forgotten. Not done: it is merged into the next. Unknown
 * whether done (a crash, an ambiguous COMMIT): the sink's own seq tells, see pending_resolve. */
#ifndef PIPELINE_PENDING_H
#define PIPELINE_PENDING_H

#include "base/arena.h"
#include "sink/sink.h"
#include "state/store.h"

struct pending;

#define PENDING_BASE_UNKNOWN UINT64_MAX

enum status pending_open(struct pending **out, struct store *store, uint32_t view_count, struct error *err);
void pending_close(struct pending *p);

/* The seq that the sink is believed to show, PENDING_BASE_UNKNOWN where only a look at its rows can tell. */
uint64_t pending_base(const struct pending *p);
bool pending_is_empty(const struct pending *p);
uint64_t pending_rows(const struct pending *p); /* in the gathering generation */

/* Adds to the gathering generation; what nets to zero is gone. */
enum status pending_add(struct pending *p, uint32_t view_idx, struct bytes row, int64_t weight, struct error *err);
/* Puts the gathering generation in flight towards `seq_next`; `views[view_count]` is filled, rows copied into `a`. */
enum status pending_take(struct pending *p, uint64_t seq_next, struct arena *a, struct sink_view_changes *views,
                         struct error *err);
/* The generation in flight has arrived: the sink shows its seq. */
enum status pending_done(struct pending *p, struct error *err);
/* Forgets everything: the sink shows exactly `base`, or nobody knows. */
enum status pending_reset(struct pending *p, uint64_t base, struct error *err);
/* The sink says it shows `seq_next`. True: what is gathered now leads on from there. False: the rows must be
 * compared. */
enum status pending_resolve(struct pending *p, uint64_t seq_next, bool *known, struct error *err);

#endif
