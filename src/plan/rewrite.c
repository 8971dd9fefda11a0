/* Small steps on expressions and nodes that the passes of plan_optimize are made of. */
#include "plan/rewrite.h"

#include "expr/build.h"

#include <assert.h>
#include <string.h>

enum { MERGED_NODES_MAX = 2000 }; /* projections are merged while their expressions stay below this */

struct plan *plan_barrier(const struct plan_optimizer *o, struct plan *p)
{
    for (uint32_t i = 0; i < o->catalog->view_count; i++) {
        if (o->catalog->views[i]->plan == p) {
            return p;
        }
    }
    for (uint32_t i = 0; i < o->done_count; i++) {
        if (o->shared[i] == p || o->done[i] == p) {
            return o->done[i];
        }
    }
    return NULL;
}

static void conjuncts_append(struct arena *a, struct plan_conjuncts *list, struct expr *e)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct expr **items = arena_alloc(a, sizeof(struct expr *) * capacity);
        for (uint32_t i = 0; i < list->count; i++) {
            items[i] = list->items[i];
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = e;
}

void plan_conjuncts_add(struct arena *a, struct plan_conjuncts *list, struct expr *condition)
{
    if (condition->kind == EXPR_AND) {
        for (uint32_t i = 0; i < condition->arg_count; i++) {
            plan_conjuncts_add(a, list, condition->args[i]);
        }
        return;
    }
    if (condition->kind == EXPR_CONST && condition->value.null == 0 && condition->value.v.i != 0) {
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (expr_equal(list->items[i], condition)) {
            return;
        }
    }
    conjuncts_append(a, list, condition);
}

struct expr *plan_conjuncts_join(struct arena *a, const struct plan_conjuncts *list)
{
    if (list->count == 0) {
        return NULL;
    }
    if (list->count == 1) {
        return list->items[0];
    }
    struct expr *out = arena_zalloc(a, sizeof *out);
    out->kind = EXPR_AND;
    out->type = type_make(TYPE_BOOL);
    out->location = list->items[0]->location;
    out->args = arena_alloc(a, sizeof *out->args * list->count);
    for (int failing = 0; failing < 2; failing++) {
        for (uint32_t i = 0; i < list->count; i++) {
            bool can_fail = plan_expr_can_fail(list->items[i]);
            if (can_fail == (failing == 1)) {
                out->args[out->arg_count++] = list->items[i];
                out->can_fail = out->can_fail || can_fail;
            }
        }
    }
    return out;
}

void plan_expr_mark(const struct expr *e, bool *used)
{
    if (e->kind == EXPR_COLUMN) {
        used[e->column] = true;
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        plan_expr_mark(e->args[i], used);
    }
}

bool plan_expr_can_fail(const struct expr *e)
{
    if (e->can_fail) {
        return true;
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (plan_expr_can_fail(e->args[i])) {
            return true;
        }
    }
    return false;
}

bool plan_expr_fits(const struct expr *e, const struct plan_column *columns, uint32_t count)
{
    if (e->kind == EXPR_COLUMN) {
        return e->column < count && e->type.kind == columns[e->column].type.kind;
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (!plan_expr_fits(e->args[i], columns, count)) {
            return false;
        }
    }
    return true;
}

struct expr *plan_expr_renumber(struct arena *a, const struct expr *e, const struct plan_column *columns,
                                const uint32_t *to, uint32_t count)
{
    struct expr **with = arena_zalloc(a, sizeof(struct expr *) * (count + 1));
    bool *used = arena_zalloc(a, sizeof(bool) * (count + 1));
    plan_expr_mark(e, used);
    for (uint32_t i = 0; i < count; i++) {
        if (used[i]) {
            assert(to[i] != PLAN_NO_COLUMN);
            with[i] = expr_column(a, to[i], columns[i].type);
        }
    }
    return expr_substitute(a, e, with);
}

bool plan_expr_is_operator(struct arena *a, const struct expr *e, const char *op)
{
    if (e->kind != EXPR_CALL || e->arg_count != 2 || e->type.kind != TYPE_BOOL) {
        return false;
    }
    struct expr *same = NULL;
    struct error ignored;
    if (expr_operator(a, op, e->args[0], e->args[1], &same, &ignored) != STATUS_OK) {
        return false;
    }
    return expr_equal(e, same);
}

struct plan *plan_make_filter(const struct plan_optimizer *o, struct plan *input, const struct plan_conjuncts *list)
{
    if (list->count == 0) {
        return input;
    }
    struct plan_conjuncts all = {0};
    if (input->kind == PLAN_FILTER && plan_barrier(o, input) == NULL) {
        plan_conjuncts_add(o->arena, &all, input->condition);
        input = input->inputs[0];
    }
    for (uint32_t i = 0; i < list->count; i++) {
        plan_conjuncts_add(o->arena, &all, list->items[i]);
    }
    struct plan *p = plan_new(o->arena, PLAN_FILTER, input->column_count, 1);
    memcpy(p->columns, input->columns, sizeof *p->columns * input->column_count);
    p->inputs[0] = input;
    p->where = input->where;
    p->condition = plan_conjuncts_join(o->arena, &all);
    return p->condition == NULL ? input : p;
}

/* Nodes of the tree, counted no further than `most`. */
static uint32_t count_nodes(const struct expr *e, uint32_t most)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < e->arg_count && count < most; i++) {
        count += count_nodes(e->args[i], most - count);
    }
    return count;
}

/* Substitutes the lower projection's expressions; false where that would make them too large. */
static bool compose(struct arena *a, const struct plan *below, struct expr **exprs, uint32_t count, struct expr **out)
{
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = expr_substitute(a, exprs[i], below->exprs);
        nodes += count_nodes(out[i], MERGED_NODES_MAX + 1);
        if (nodes > MERGED_NODES_MAX + count) {
            return false;
        }
    }
    return true;
}

static bool is_identity(struct expr *const *exprs, uint32_t count, const struct plan *input)
{
    if (count != input->column_count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i]->kind != EXPR_COLUMN || exprs[i]->column != i) {
            return false;
        }
    }
    return true;
}

struct plan *plan_make_project(const struct plan_optimizer *o, struct plan *input, struct expr **exprs,
                               const struct plan_column *columns, uint32_t count)
{
    while (input->kind == PLAN_PROJECT && plan_barrier(o, input) == NULL) {
        struct expr **merged = arena_alloc(o->arena, sizeof(struct expr *) * (count + 1));
        if (!compose(o->arena, input, exprs, count, merged)) {
            break;
        }
        exprs = merged;
        input = input->inputs[0];
    }
    if (is_identity(exprs, count, input)) {
        return input;
    }
    struct plan *p = plan_new(o->arena, PLAN_PROJECT, count, 1);
    memcpy(p->columns, columns, sizeof *columns * count);
    p->exprs = exprs;
    p->inputs[0] = input;
    p->where = input->where;
    return p;
}

struct plan *plan_make_join(struct arena *a, enum plan_join_kind kind, struct plan *left, struct plan *right)
{
    struct plan *p = plan_new(a, PLAN_JOIN, left->column_count + right->column_count, 2);
    memcpy(p->columns, left->columns, sizeof *p->columns * left->column_count);
    memcpy(p->columns + left->column_count, right->columns, sizeof *p->columns * right->column_count);
    p->join_kind = kind;
    p->inputs[0] = left;
    p->inputs[1] = right;
    p->where = right->where;
    return p;
}
