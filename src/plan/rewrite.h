/* What the passes of plan_optimize share. Not for other rooms. */
#ifndef PLAN_REWRITE_H
#define PLAN_REWRITE_H

#include "plan/plan.h"

struct plan_optimizer {
    struct arena *arena;
    const struct catalog *catalog;
    struct plan *const *shared; /* as given */
    struct plan **done;         /* the optimised node for each of them */
    uint32_t done_count;
};

/* The finished node where `p` is used by several parents, else NULL. */
struct plan *plan_barrier(const struct plan_optimizer *o, struct plan *p);

/* A list of conditions that must all be true. */
struct plan_conjuncts {
    struct expr **items;
    uint32_t count;
    uint32_t capacity;
};
/* Splits ANDs; a constant true adds nothing. */
void plan_conjuncts_add(struct arena *a, struct plan_conjuncts *list, struct expr *condition);
/* Their AND, what cannot fail first; NULL where there are none. */
struct expr *plan_conjuncts_join(struct arena *a, const struct plan_conjuncts *list);

/* Sets used[c] for every column c that `e` reads. */
void plan_expr_mark(const struct expr *e, bool *used);
/* True where any part of the tree may fail. */
bool plan_expr_can_fail(const struct expr *e);
/* True where every column that `e` reads is there and has the type that `e` takes it to have. */
bool plan_expr_fits(const struct expr *e, const struct plan_column *columns, uint32_t count);
/* A copy with column c as to[c]. */
struct expr *plan_expr_renumber(struct arena *a, const struct expr *e, const struct plan_column *columns,
                                const uint32_t *to, uint32_t count);
/* True for `left = right`, `left <= right` ... as PostgreSQL resolves `op` for their types. */
bool plan_expr_is_operator(struct arena *a, const struct expr *e, const char *op);

struct plan *plan_make_filter(const struct plan_optimizer *o, struct plan *input, const struct plan_conjuncts *list);
/* `columns` (names and types) and `exprs` have `count` entries; merges with a projection below. */
struct plan *plan_make_project(const struct plan_optimizer *o, struct plan *input, struct expr **exprs,
                               const struct plan_column *columns, uint32_t count);
/* The inputs' columns side by side. */
struct plan *plan_make_join(struct arena *a, enum plan_join_kind kind, struct plan *left, struct plan *right);

/* FILTER(p, list), with conditions pushed down and joins ordered and keyed. */
struct plan *plan_push(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list);
struct plan *plan_push_join(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list);
/* Drops columns that are not `needed`; map[old] = new place or PLAN_NO_COLUMN. May keep more than is needed. */
struct plan *plan_prune(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map);
/* Fills key and not_null below and in `p`; returns `p` or what may stand for it. */
struct plan *plan_derive(const struct plan_optimizer *o, struct plan *p);

#endif
