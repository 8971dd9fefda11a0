/* Orders inner joins and finds their keys; pushes what one side alone decides down to that side.
 *
 * A tree of inner joins is taken apart into leaves and one pool of conditions over the leaves' columns side by side
 * ("flat" columns). It is put together again from the first leaf, each time with the first leaf that an equality ties
 * to what is there, so that comma joins in any order become keyed joins. */
#include "plan/rewrite.h"

#include "expr/build.h"

#include <string.h>

struct leaf {
    struct plan *plan;
    uint32_t first; /* flat column */
    uint32_t column_count;
    struct plan_conjuncts own;
    bool joined;
};

struct join_pool {
    const struct plan_optimizer *o;
    struct leaf *leaves;
    uint32_t leaf_count;
    struct plan_column *columns; /* flat */
    uint32_t column_count;
    struct plan_conjuncts conditions;
    bool *used_up; /* by condition */
    uint32_t *at;  /* flat column -> column of `joined`, PLAN_NO_COLUMN where its leaf is not in yet */
    struct plan *joined;
};

struct key_pairs {
    struct expr **left;
    struct expr **right;
    uint32_t count;
};

static bool is_inner(const struct plan_optimizer *o, struct plan *p)
{
    return p->kind == PLAN_JOIN && p->join_kind == PLAN_JOIN_INNER && p->pair_count == 0 && plan_barrier(o, p) == NULL;
}

static uint32_t count_leaves(const struct plan_optimizer *o, struct plan *p)
{
    return is_inner(o, p) ? count_leaves(o, p->inputs[0]) + count_leaves(o, p->inputs[1]) : 1;
}

static struct expr *shifted(struct arena *a, const struct expr *e, const struct plan *p, uint32_t first)
{
    uint32_t *to = arena_alloc(a, sizeof(uint32_t) * (p->column_count + 1));
    for (uint32_t c = 0; c < p->column_count; c++) {
        to[c] = first + c;
    }
    return plan_expr_renumber(a, e, p->columns, to, p->column_count);
}

static void take_apart(struct join_pool *pool, struct plan *p, uint32_t first)
{
    if (!is_inner(pool->o, p)) {
        pool->leaves[pool->leaf_count++] = (struct leaf){.plan = p, .first = first, .column_count = p->column_count};
        memcpy(pool->columns + first, p->columns, sizeof *p->columns * p->column_count);
        return;
    }
    take_apart(pool, p->inputs[0], first);
    take_apart(pool, p->inputs[1], first + p->inputs[0]->column_count);
    if (p->condition != NULL) {
        plan_conjuncts_add(pool->o->arena, &pool->conditions, shifted(pool->o->arena, p->condition, p, first));
    }
}

/* The only leaf that `e` reads: its index, leaf_count for none, UINT32_MAX for several. */
static uint32_t leaf_of(const struct join_pool *pool, const struct expr *e)
{
    bool *used = arena_zalloc(pool->o->arena, sizeof(bool) * (pool->column_count + 1));
    plan_expr_mark(e, used);
    uint32_t found = pool->leaf_count;
    for (uint32_t l = 0; l < pool->leaf_count; l++) {
        const struct leaf *leaf = &pool->leaves[l];
        for (uint32_t c = 0; c < leaf->column_count; c++) {
            if (used[leaf->first + c]) {
                if (found != pool->leaf_count && found != l) {
                    return UINT32_MAX;
                }
                found = l;
            }
        }
    }
    return found;
}

/* True where all that `e` reads is joined already. `none` is what an expression without columns gives. */
static bool is_joined(const struct join_pool *pool, const struct expr *e, bool none)
{
    bool *used = arena_zalloc(pool->o->arena, sizeof(bool) * (pool->column_count + 1));
    plan_expr_mark(e, used);
    bool any = false;
    for (uint32_t c = 0; c < pool->column_count; c++) {
        any = any || used[c];
        if (used[c] && pool->at[c] == PLAN_NO_COLUMN) {
            return false;
        }
    }
    return any || none;
}

static struct expr *leaf_expr(const struct join_pool *pool, const struct leaf *leaf, const struct expr *e)
{
    uint32_t *to = arena_alloc(pool->o->arena, sizeof(uint32_t) * (pool->column_count + 1));
    for (uint32_t c = 0; c < pool->column_count; c++) {
        bool inside = c >= leaf->first && c < leaf->first + leaf->column_count;
        to[c] = inside ? c - leaf->first : PLAN_NO_COLUMN;
    }
    return plan_expr_renumber(pool->o->arena, e, pool->columns, to, pool->column_count);
}

/* varchar compared as text needs no new value: the column itself is as good a key. */
static struct expr *without_relabel(struct arena *a, struct expr *e)
{
    if (e->kind != EXPR_CALL || e->arg_count != 1 || e->type.kind != TYPE_TEXT ||
        e->args[0]->type.kind != TYPE_VARCHAR) {
        return e;
    }
    struct type text = type_make(TYPE_TEXT);
    struct expr *cast = NULL;
    struct error ignored;
    if (expr_cast(a, e->args[0], &text, CAST_IMPLICIT, &cast, &ignored) != STATUS_OK || !expr_equal(cast, e)) {
        return e;
    }
    return e->args[0];
}

/* Both sides of `e`, an equality, as one comparable kind; false where that cannot be. */
static bool equality_sides(struct arena *a, const struct expr *e, struct expr **left, struct expr **right)
{
    if (!plan_expr_is_operator(a, e, "=")) {
        return false;
    }
    struct expr *x = without_relabel(a, e->args[0]);
    struct expr *y = without_relabel(a, e->args[1]);
    if (x->type.kind != y->type.kind) {
        x = e->args[0];
        y = e->args[1];
    }
    if (x->type.kind != y->type.kind) {
        struct expr *both[2] = {x, y};
        struct type type;
        struct error ignored;
        if (expr_unify(a, "JOIN", both, 2, &type, &ignored) != STATUS_OK) {
            return false;
        }
        x = both[0];
        y = both[1];
    }
    *left = x;
    *right = y;
    return x->type.kind == y->type.kind && type_is_comparable(x->type.kind);
}

/* Adds the expressions that are not bare columns to `p`'s output; places[i] is where exprs[i] is found. */
static struct plan *extended(const struct plan_optimizer *o, struct plan *p, struct expr **exprs, uint32_t count,
                             uint32_t *places)
{
    uint32_t width = p->column_count;
    struct expr **all = arena_alloc(o->arena, sizeof(struct expr *) * (width + count + 1));
    struct plan_column *columns = arena_zalloc(o->arena, sizeof *columns * (width + count + 1));
    memcpy(columns, p->columns, sizeof *columns * width);
    for (uint32_t c = 0; c < width; c++) {
        all[c] = expr_column(o->arena, c, p->columns[c].type);
    }
    uint32_t total = width;
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i]->kind == EXPR_COLUMN) {
            places[i] = exprs[i]->column;
            continue;
        }
        places[i] = total;
        all[total] = exprs[i];
        columns[total++] = (struct plan_column){.name = "key", .type = exprs[i]->type};
    }
    return total == width ? p : plan_make_project(o, p, all, columns, total);
}

static void pairs_add(struct key_pairs *pairs, struct expr *left, struct expr *right)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (expr_equal(pairs->left[i], left) && expr_equal(pairs->right[i], right)) {
            return;
        }
    }
    pairs->left[pairs->count] = left;
    pairs->right[pairs->count++] = right;
}

static struct key_pairs pairs_new(struct arena *a, uint32_t most)
{
    return (struct key_pairs){.left = arena_alloc(a, sizeof(struct expr *) * (most + 1)),
                              .right = arena_alloc(a, sizeof(struct expr *) * (most + 1))};
}

static struct plan *keyed_join(const struct plan_optimizer *o, enum plan_join_kind kind, struct plan *left,
                               struct plan *right, const struct key_pairs *pairs)
{
    uint32_t *left_keys = arena_alloc(o->arena, sizeof(uint32_t) * (pairs->count + 1));
    uint32_t *right_keys = arena_alloc(o->arena, sizeof(uint32_t) * (pairs->count + 1));
    left = extended(o, left, pairs->left, pairs->count, left_keys);
    right = extended(o, right, pairs->right, pairs->count, right_keys);
    struct plan *join = plan_make_join(o->arena, kind, left, right);
    join->left_keys = left_keys;
    join->right_keys = right_keys;
    join->pair_count = pairs->count;
    return join;
}

/* The sides of condition `i` as (joined, leaf), over flat columns; false where it ties nothing. */
static bool ties(const struct join_pool *pool, uint32_t i, uint32_t leaf_idx, struct expr **left, struct expr **right)
{
    struct expr *x = NULL;
    struct expr *y = NULL;
    if (pool->used_up[i] || !equality_sides(pool->o->arena, pool->conditions.items[i], &x, &y)) {
        return false;
    }
    bool as_written = is_joined(pool, x, false) && leaf_of(pool, y) == leaf_idx;
    bool turned = is_joined(pool, y, false) && leaf_of(pool, x) == leaf_idx;
    *left = as_written ? x : y;
    *right = as_written ? y : x;
    return as_written || turned;
}

static uint32_t next_leaf(const struct join_pool *pool)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t l = 0; l < pool->leaf_count; l++) {
        if (pool->leaves[l].joined) {
            continue;
        }
        first = first == UINT32_MAX ? l : first;
        for (uint32_t i = 0; i < pool->conditions.count; i++) {
            struct expr *x = NULL;
            struct expr *y = NULL;
            if (ties(pool, i, l, &x, &y)) {
                return l;
            }
        }
    }
    return first;
}

/* Conditions that became answerable and cannot fail are answered at once; with `all`, the rest too. */
static void filter_joined(struct join_pool *pool, bool all)
{
    struct plan_conjuncts now = {0};
    for (uint32_t i = 0; i < pool->conditions.count; i++) {
        struct expr *e = pool->conditions.items[i];
        if (pool->used_up[i] || !is_joined(pool, e, all) || (!all && plan_expr_can_fail(e))) {
            continue;
        }
        pool->used_up[i] = true;
        plan_conjuncts_add(pool->o->arena, &now,
                           plan_expr_renumber(pool->o->arena, e, pool->columns, pool->at, pool->column_count));
    }
    pool->joined = plan_make_filter(pool->o, pool->joined, &now);
}

static void join_leaf(struct join_pool *pool, uint32_t leaf_idx)
{
    struct arena *a = pool->o->arena;
    struct leaf *leaf = &pool->leaves[leaf_idx];
    struct key_pairs pairs = pairs_new(a, pool->conditions.count);
    for (uint32_t i = 0; i < pool->conditions.count; i++) {
        struct expr *x = NULL;
        struct expr *y = NULL;
        if (ties(pool, i, leaf_idx, &x, &y)) {
            pool->used_up[i] = true;
            pairs_add(&pairs, plan_expr_renumber(a, x, pool->columns, pool->at, pool->column_count),
                      leaf_expr(pool, leaf, y));
        }
    }
    pool->joined = keyed_join(pool->o, PLAN_JOIN_INNER, pool->joined, leaf->plan, &pairs);
    uint32_t left_width = pool->joined->inputs[0]->column_count;
    for (uint32_t c = 0; c < leaf->column_count; c++) {
        pool->at[leaf->first + c] = left_width + c;
    }
    leaf->joined = true;
    filter_joined(pool, false);
}

static struct plan *restored(const struct join_pool *pool)
{
    struct expr **exprs = arena_alloc(pool->o->arena, sizeof(struct expr *) * (pool->column_count + 1));
    for (uint32_t c = 0; c < pool->column_count; c++) {
        exprs[c] = expr_column(pool->o->arena, pool->at[c], pool->columns[c].type);
    }
    return plan_make_project(pool->o, pool->joined, exprs, pool->columns, pool->column_count);
}

static struct join_pool pool_new(const struct plan_optimizer *o, struct plan *p)
{
    struct join_pool pool = {.o = o, .column_count = p->column_count};
    pool.leaves = arena_zalloc(o->arena, sizeof *pool.leaves * count_leaves(o, p));
    pool.columns = arena_zalloc(o->arena, sizeof *pool.columns * (p->column_count + 1));
    pool.at = arena_alloc(o->arena, sizeof *pool.at * (p->column_count + 1));
    for (uint32_t c = 0; c < p->column_count; c++) {
        pool.at[c] = PLAN_NO_COLUMN;
    }
    return pool;
}

static struct plan *push_inner(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct join_pool pool = pool_new(o, p);
    take_apart(&pool, p, 0);
    for (uint32_t i = 0; i < list->count; i++) {
        plan_conjuncts_add(o->arena, &pool.conditions, list->items[i]);
    }
    pool.used_up = arena_zalloc(o->arena, sizeof(bool) * (pool.conditions.count + 1));
    for (uint32_t i = 0; i < pool.conditions.count; i++) {
        struct expr *e = pool.conditions.items[i];
        uint32_t l = leaf_of(&pool, e);
        if (l < pool.leaf_count && !plan_expr_can_fail(e)) {
            plan_conjuncts_add(o->arena, &pool.leaves[l].own, leaf_expr(&pool, &pool.leaves[l], e));
            pool.used_up[i] = true;
        }
    }
    for (uint32_t l = 0; l < pool.leaf_count; l++) {
        pool.leaves[l].plan = plan_push(o, pool.leaves[l].plan, &pool.leaves[l].own);
    }
    pool.joined = pool.leaves[0].plan;
    pool.leaves[0].joined = true;
    for (uint32_t c = 0; c < pool.leaves[0].column_count; c++) {
        pool.at[c] = c;
    }
    for (uint32_t n = 1; n < pool.leaf_count; n++) {
        join_leaf(&pool, next_leaf(&pool));
    }
    filter_joined(&pool, true);
    return restored(&pool);
}

/* LEFT JOIN: a condition of the ON clause that the right side alone decides filters the right input; one of the WHERE
 * clause that the left side alone decides filters the left input. */
static struct plan *push_left(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    struct join_pool pool = pool_new(o, p);
    pool.leaves = arena_zalloc(o->arena, sizeof *pool.leaves * 2);
    uint32_t left_width = p->inputs[0]->column_count;
    memcpy(pool.columns, p->columns, sizeof *p->columns * p->column_count);
    pool.leaf_count = 2;
    pool.leaves[0] = (struct leaf){.plan = p->inputs[0], .column_count = left_width};
    pool.leaves[1] =
        (struct leaf){.plan = p->inputs[1], .first = left_width, .column_count = p->inputs[1]->column_count};
    struct plan_conjuncts above = {0};
    for (uint32_t i = 0; i < list->count; i++) {
        bool below = leaf_of(&pool, list->items[i]) == 0 && !plan_expr_can_fail(list->items[i]);
        plan_conjuncts_add(o->arena, below ? &pool.leaves[0].own : &above, list->items[i]);
    }
    struct plan_conjuncts on = {0};
    if (p->condition != NULL) {
        plan_conjuncts_add(o->arena, &on, p->condition);
    }
    struct plan_conjuncts extra = {0};
    struct key_pairs pairs = pairs_new(o->arena, on.count);
    for (uint32_t i = 0; i < on.count; i++) {
        struct expr *x = NULL;
        struct expr *y = NULL;
        uint32_t l = leaf_of(&pool, on.items[i]);
        if (l == 1 && !plan_expr_can_fail(on.items[i])) {
            plan_conjuncts_add(o->arena, &pool.leaves[1].own, leaf_expr(&pool, &pool.leaves[1], on.items[i]));
        } else if (equality_sides(o->arena, on.items[i], &x, &y) && leaf_of(&pool, x) + leaf_of(&pool, y) == 1) {
            bool turned = leaf_of(&pool, x) == 1;
            pairs_add(&pairs, turned ? y : x, leaf_expr(&pool, &pool.leaves[1], turned ? x : y));
        } else {
            plan_conjuncts_add(o->arena, &extra, on.items[i]);
        }
    }
    struct plan *left = plan_push(o, pool.leaves[0].plan, &pool.leaves[0].own);
    struct plan *right = plan_push(o, pool.leaves[1].plan, &pool.leaves[1].own);
    pool.joined = keyed_join(o, PLAN_JOIN_LEFT, left, right, &pairs);
    for (uint32_t c = 0; c < p->column_count; c++) {
        pool.at[c] = c < left_width ? c : c - left_width + pool.joined->inputs[0]->column_count;
    }
    struct expr *condition = plan_conjuncts_join(o->arena, &extra);
    if (condition != NULL) {
        pool.joined->condition = plan_expr_renumber(o->arena, condition, pool.columns, pool.at, pool.column_count);
    }
    return plan_make_filter(o, restored(&pool), &above);
}

struct plan *plan_push_join(const struct plan_optimizer *o, struct plan *p, const struct plan_conjuncts *list)
{
    return p->join_kind == PLAN_JOIN_LEFT ? push_left(o, p, list) : push_inner(o, p, list);
}
