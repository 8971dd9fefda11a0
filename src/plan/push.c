/* Pushes filters down. Only conditions that cannot fail go below another node: one that may raise an error is to be
 * evaluated for no row that the query as written would not show it. */
#include "plan/rewrite.h"

#include "expr/build.h"

#include <string.h>

static struct plan_conjuncts no_conjuncts(void)
{
    return (struct plan_conjuncts){0};
}

static struct plan *push_project(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct plan_conjuncts below = no_conjuncts();
    struct plan_conjuncts above = no_conjuncts();
    for (uint32_t i = 0; i < list->count; i++) {
        struct expr *e = expr_substitute(o->arena, list->items[i], p->exprs);
        bool stays = plan_expr_can_fail(list->items[i]) || plan_expr_can_fail(e);
        plan_conjuncts_add(o->arena, stays ? &above : &below, stays ? list->items[i] : e);
    }
    p->inputs[0] = plan_push(o, p->inputs[0], &below);
    return plan_make_filter(o, p, &above);
}

/* Conditions over `columns` only (output place i is the input's columns[i]) go below; the rest stay. */
static void split_by_columns(const struct plan_optimizer *o, const struct plan *p, const uint32_t *to,
                             const struct plan_conjuncts *list, struct plan_conjuncts *below,
                             struct plan_conjuncts *above)
{
    for (uint32_t i = 0; i < list->count; i++) {
        bool *used = arena_zalloc(o->arena, sizeof(bool) * (p->column_count + 1));
        plan_expr_mark(list->items[i], used);
        bool stays = plan_expr_can_fail(list->items[i]);
        uint32_t used_count = 0;
        for (uint32_t c = 0; c < p->column_count; c++) {
            used_count += used[c] ? 1 : 0;
            stays = stays || (used[c] && to[c] == PLAN_NO_COLUMN);
        }
        stays = stays || used_count == 0;
        struct expr *e = list->items[i];
        plan_conjuncts_add(o->arena, stays ? above : below,
                           stays ? e : plan_expr_renumber(o->arena, e, p->columns, to, p->column_count));
    }
}

static struct plan *push_group(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct plan_conjuncts below = no_conjuncts();
    struct plan_conjuncts above = no_conjuncts();
    uint32_t *to = arena_alloc(o->arena, sizeof(uint32_t) * (p->column_count + 1));
    for (uint32_t c = 0; c < p->column_count; c++) {
        to[c] = c < p->group_count ? p->group_columns[c] : PLAN_NO_COLUMN;
    }
    split_by_columns(o, p, to, list, &below, &above);
    p->inputs[0] = plan_push(o, p->inputs[0], &below);
    return plan_make_filter(o, p, &above);
}

/* The N of `rank <= N`, `rank < N`, `rank = N` and their mirror images; 0 where `e` is none of them. */
static uint64_t rank_bound(const struct plan_optimizer *o, const struct expr *e, uint32_t rank_column)
{
    static const struct {
        const char *op;
        bool mirrored;
        int64_t less;
    } forms[] = {
        {"<=", false, 0}, {"<", false, 1}, {"=", false, 0}, {">=", true, 0}, {">", true, 1}, {"=", true, 0},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (!plan_expr_is_operator(o->arena, e, forms[i].op)) {
            continue;
        }
        const struct expr *column = e->args[forms[i].mirrored ? 1 : 0];
        const struct expr *bound = e->args[forms[i].mirrored ? 0 : 1];
        if (column->kind != EXPR_COLUMN || column->column != rank_column || bound->kind != EXPR_CONST ||
            bound->value.null != 0 || !type_is_integer(bound->type.kind)) {
            continue;
        }
        int64_t value = bound->value.v.i;
        return value >= 1 && value - forms[i].less >= 1 ? (uint64_t)(value - forms[i].less) : 0;
    }
    return 0;
}

static struct plan *push_rank(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct plan_conjuncts below = no_conjuncts();
    struct plan_conjuncts above = no_conjuncts();
    uint32_t *to = arena_alloc(o->arena, sizeof(uint32_t) * (p->column_count + 1));
    for (uint32_t c = 0; c < p->column_count; c++) {
        to[c] = PLAN_NO_COLUMN;
    }
    for (uint32_t i = 0; i < p->partition_count; i++) {
        to[p->partition_columns[i]] = p->partition_columns[i];
    }
    split_by_columns(o, p, to, list, &below, &above);
    for (uint32_t i = 0; i < above.count; i++) {
        uint64_t bound = rank_bound(o, above.items[i], p->inputs[0]->column_count);
        if (bound > 0 && (p->rank_limit == 0 || bound < p->rank_limit)) {
            p->rank_limit = bound;
        }
    }
    p->inputs[0] = plan_push(o, p->inputs[0], &below);
    return plan_make_filter(o, p, &above);
}

/* The first N rows by rank all have rank <= N, whatever the partitions. */
static void limit_rank_below(const struct plan_optimizer *o, const struct plan *top)
{
    if (!top->has_limit || top->order_count == 0 || top->order[0].desc || top->limit > UINT32_MAX ||
        top->offset > UINT32_MAX || top->limit + top->offset == 0) {
        return;
    }
    uint32_t column = top->order[0].column;
    struct plan *p = top->inputs[0];
    while (p->kind == PLAN_PROJECT && plan_barrier(o, p) == NULL) {
        if (p->exprs[column]->kind != EXPR_COLUMN) {
            return;
        }
        column = p->exprs[column]->column;
        p = p->inputs[0];
    }
    if (p->kind == PLAN_RANK && plan_barrier(o, p) == NULL && column == p->inputs[0]->column_count &&
        p->rank_limit == 0) {
        p->rank_limit = top->limit + top->offset;
    }
}

static struct plan *push_top(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct plan_conjuncts none = no_conjuncts();
    p->inputs[0] = plan_push(o, p->inputs[0], &none);
    limit_rank_below(o, p);
    return plan_make_filter(o, p, list);
}

/* DISTINCT and UNION ALL: what holds for an output row holds for the same row below. */
static struct plan *push_through(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct plan_conjuncts below = no_conjuncts();
    struct plan_conjuncts above = no_conjuncts();
    for (uint32_t i = 0; i < list->count; i++) {
        plan_conjuncts_add(o->arena, plan_expr_can_fail(list->items[i]) ? &above : &below, list->items[i]);
    }
    for (uint32_t i = 0; i < p->input_count; i++) {
        p->inputs[i] = plan_push(o, p->inputs[i], &below);
    }
    return plan_make_filter(o, p, &above);
}

static struct plan *push_filter(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct plan_conjuncts all = no_conjuncts();
    plan_conjuncts_add(o->arena, &all, p->condition);
    for (uint32_t i = 0; i < list->count; i++) {
        plan_conjuncts_add(o->arena, &all, list->items[i]);
    }
    return plan_push(o, p->inputs[0], &all);
}

struct plan *plan_push(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct plan *shared = plan_barrier(o, p);
    if (shared != NULL) {
        return plan_make_filter(o, shared, list);
    }
    switch (p->kind) {
    case PLAN_SCAN:
    case PLAN_ONE:
        break;
    case PLAN_FILTER:
        return push_filter(o, p, list);
    case PLAN_PROJECT:
        return push_project(o, p, list);
    case PLAN_JOIN:
        return plan_push_join(o, p, list);
    case PLAN_GROUP:
        return push_group(o, p, list);
    case PLAN_DISTINCT:
    case PLAN_UNION_ALL:
        return push_through(o, p, list);
    case PLAN_RANK:
        return push_rank(o, p, list);
    case PLAN_TOP:
        return push_top(o, p, list);
    }
    return plan_make_filter(o, p, list);
}
