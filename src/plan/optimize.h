/* Turns the plan that a SELECT says word by word into the one to keep: filters as low as they may go, equalities as
 * join keys, no column carried that nobody reads, keys and NOT NULL known on every node.
 *
 * Nodes that more than one parent uses (views, and common table expressions named twice) are left whole: they are
 * kept once, so what one parent does not need may not leave them. */
#ifndef PLAN_OPTIMIZE_H
#define PLAN_OPTIMIZE_H

#include "plan/plan.h"

/* `shared`: nodes with several parents, not yet optimised, each after those it uses; the plans of `catalog`'s views
 * count as shared and done. Returns a plan with the same columns in the same places. Nodes of `root` are reused. */
struct plan *plan_optimize(struct arena *a, const struct catalog *catalog, struct plan *root,
                           struct plan *const *shared, uint32_t shared_count);

#endif
