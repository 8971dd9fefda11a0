/* Drops columns that nobody reads. What joins, groups, ranks, unions and tops take in is exactly what they need: a
 * projection stands between them and a wider input. A node's old `columns` stay as they were, for those above it that
 * still have to renumber what they read. */
#include "plan/rewrite.h"

#include "expr/build.h"

#include <string.h>

static bool *flags_new(const struct plan_optimizer *o, uint32_t count)
{
    return arena_zalloc(o->arena, sizeof(bool) * (count + 1));
}

static uint32_t *map_new(const struct plan_optimizer *o, uint32_t count)
{
    return arena_alloc(o->arena, sizeof(uint32_t) * (count + 1));
}

static void map_identity(uint32_t *map, uint32_t count)
{
    for (uint32_t c = 0; c < count; c++) {
        map[c] = c;
    }
}

/* Input `p` with the needed columns and no others, in their order. */
static struct plan *narrowed(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    uint32_t width = p->column_count;
    p = plan_prune(o, p, needed, map);
    struct expr **exprs = arena_alloc(o->arena, sizeof(struct expr *) * (width + 1));
    struct plan_column *columns = arena_zalloc(o->arena, sizeof *columns * (width + 1));
    uint32_t count = 0;
    for (uint32_t c = 0; c < width; c++) {
        if (!needed[c]) {
            map[c] = PLAN_NO_COLUMN;
            continue;
        }
        columns[count] = p->columns[map[c]];
        exprs[count] = expr_column(o->arena, map[c], columns[count].type);
        map[c] = count++;
    }
    return plan_make_project(o, p, exprs, columns, count);
}

static void renumber(uint32_t *columns, uint32_t count, const uint32_t *map)
{
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = map[columns[i]];
    }
}

static void renumber_order(struct plan_order *order, uint32_t count, const uint32_t *map)
{
    for (uint32_t i = 0; i < count; i++) {
        order[i].column = map[order[i].column];
    }
}

static void copy_columns(const struct plan_optimizer *o, struct plan *p, const struct plan *input)
{
    p->columns = arena_dup(o->arena, input->columns, sizeof *p->columns * input->column_count);
    p->column_count = input->column_count;
}

static struct plan *prune_filter(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    bool *below = flags_new(o, p->column_count);
    memcpy(below, needed, sizeof(bool) * p->column_count);
    plan_expr_mark(p->condition, below);
    const struct plan_column *before = p->inputs[0]->columns;
    uint32_t width = p->column_count;
    p->inputs[0] = plan_prune(o, p->inputs[0], below, map);
    p->condition = plan_expr_renumber(o->arena, p->condition, before, map, width);
    copy_columns(o, p, p->inputs[0]);
    return p;
}

static struct plan *prune_project(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    struct plan *input = p->inputs[0];
    bool *below = flags_new(o, input->column_count);
    for (uint32_t c = 0; c < p->column_count; c++) {
        if (needed[c]) {
            plan_expr_mark(p->exprs[c], below);
        }
    }
    uint32_t *to = map_new(o, input->column_count);
    const struct plan_column *before = input->columns;
    uint32_t width = input->column_count;
    input = plan_prune(o, input, below, to);
    struct expr **exprs = arena_alloc(o->arena, sizeof(struct expr *) * (p->column_count + 1));
    struct plan_column *columns = arena_zalloc(o->arena, sizeof *columns * (p->column_count + 1));
    uint32_t count = 0;
    for (uint32_t c = 0; c < p->column_count; c++) {
        map[c] = needed[c] ? count : PLAN_NO_COLUMN;
        if (needed[c]) {
            exprs[count] = plan_expr_renumber(o->arena, p->exprs[c], before, to, width);
            columns[count++] = p->columns[c];
        }
    }
    return plan_make_project(o, input, exprs, columns, count);
}

static struct plan *prune_join(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    uint32_t left_width = p->inputs[0]->column_count;
    bool *below = flags_new(o, p->column_count);
    memcpy(below, needed, sizeof(bool) * p->column_count);
    for (uint32_t i = 0; i < p->pair_count; i++) {
        below[p->left_keys[i]] = true;
        below[left_width + p->right_keys[i]] = true;
    }
    if (p->condition != NULL) {
        plan_expr_mark(p->condition, below);
    }
    struct plan *left = narrowed(o, p->inputs[0], below, map);
    struct plan *right = narrowed(o, p->inputs[1], below + left_width, map + left_width);
    renumber(p->left_keys, p->pair_count, map);
    renumber(p->right_keys, p->pair_count, map + left_width);
    for (uint32_t c = left_width; c < p->column_count; c++) {
        map[c] = map[c] == PLAN_NO_COLUMN ? PLAN_NO_COLUMN : map[c] + left->column_count;
    }
    struct plan *out = plan_make_join(o->arena, p->join_kind, left, right);
    out->where = p->where;
    out->left_keys = p->left_keys;
    out->right_keys = p->right_keys;
    out->pair_count = p->pair_count;
    if (p->condition != NULL) {
        out->condition = plan_expr_renumber(o->arena, p->condition, p->columns, map, p->column_count);
    }
    return out;
}

static struct plan *prune_group(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    uint32_t width = p->inputs[0]->column_count;
    bool *below = flags_new(o, width);
    for (uint32_t i = 0; i < p->group_count; i++) {
        below[p->group_columns[i]] = true;
        map[i] = i;
    }
    uint32_t kept = 0;
    p->columns = arena_dup(o->arena, p->columns, sizeof *p->columns * p->column_count);
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        struct plan_aggregate *aggregate = &p->aggregates[i];
        map[p->group_count + i] = PLAN_NO_COLUMN;
        if (!needed[p->group_count + i]) {
            continue;
        }
        if (aggregate->argument != PLAN_NO_COLUMN) {
            below[aggregate->argument] = true;
        }
        if (aggregate->filter != PLAN_NO_COLUMN) {
            below[aggregate->filter] = true;
        }
        map[p->group_count + i] = p->group_count + kept;
        p->columns[p->group_count + kept] = p->columns[p->group_count + i];
        p->aggregates[kept++] = *aggregate;
    }
    p->aggregate_count = kept;
    p->column_count = p->group_count + kept;
    uint32_t *to = map_new(o, width);
    p->inputs[0] = narrowed(o, p->inputs[0], below, to);
    renumber(p->group_columns, p->group_count, to);
    for (uint32_t i = 0; i < kept; i++) {
        struct plan_aggregate *aggregate = &p->aggregates[i];
        aggregate->argument = aggregate->argument == PLAN_NO_COLUMN ? PLAN_NO_COLUMN : to[aggregate->argument];
        aggregate->filter = aggregate->filter == PLAN_NO_COLUMN ? PLAN_NO_COLUMN : to[aggregate->filter];
    }
    return p;
}

static struct plan *prune_distinct(const struct plan_optimizer *o, struct plan *p, uint32_t *map)
{
    bool *all = flags_new(o, p->column_count);
    memset(all, 1, sizeof(bool) * p->column_count);
    p->inputs[0] = narrowed(o, p->inputs[0], all, map);
    return p;
}

static struct plan *prune_union(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    for (uint32_t i = 0; i < p->input_count; i++) {
        p->inputs[i] = narrowed(o, p->inputs[i], needed, map);
    }
    uint32_t count = 0;
    p->columns = arena_dup(o->arena, p->columns, sizeof *p->columns * p->column_count);
    for (uint32_t c = 0; c < p->column_count; c++) {
        if (needed[c]) {
            p->columns[count++] = p->columns[c];
        }
    }
    p->column_count = count;
    return p;
}

static struct plan *prune_rank(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    uint32_t width = p->inputs[0]->column_count;
    bool wanted = false;
    for (uint32_t i = 0; i < p->rank_count; i++) {
        wanted = wanted || needed[width + i];
        map[width + i] = PLAN_NO_COLUMN;
    }
    if (!wanted) {
        return plan_prune(o, p->inputs[0], needed, map);
    }
    bool *below = flags_new(o, width);
    memcpy(below, needed, sizeof(bool) * width);
    for (uint32_t i = 0; i < p->partition_count; i++) {
        below[p->partition_columns[i]] = true;
    }
    for (uint32_t i = 0; i < p->order_count; i++) {
        below[p->order[i].column] = true;
    }
    p->inputs[0] = narrowed(o, p->inputs[0], below, map);
    renumber(p->partition_columns, p->partition_count, map);
    renumber_order(p->order, p->order_count, map);
    const struct plan_column *ranks = p->columns + width;
    uint32_t rank_count = p->rank_count;
    uint32_t narrow = p->inputs[0]->column_count;
    struct plan_column *columns = arena_zalloc(o->arena, sizeof *columns * (narrow + rank_count));
    memcpy(columns, p->inputs[0]->columns, sizeof *columns * narrow);
    /* The first function stays while rank_limit is about it. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rank_count; i++) {
        if (needed[width + i] || (i == 0 && p->rank_limit > 0)) {
            columns[narrow + kept] = ranks[i];
            map[width + i] = narrow + kept;
            p->ranks[kept++] = p->ranks[i];
        }
    }
    p->rank_count = kept;
    p->columns = columns;
    p->column_count = narrow + kept;
    return p;
}

static struct plan *prune_top(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    bool *below = flags_new(o, p->column_count);
    memcpy(below, needed, sizeof(bool) * p->column_count);
    for (uint32_t i = 0; i < p->order_count; i++) {
        below[p->order[i].column] = true;
    }
    p->inputs[0] = narrowed(o, p->inputs[0], below, map);
    renumber_order(p->order, p->order_count, map);
    copy_columns(o, p, p->inputs[0]);
    return p;
}

struct plan *plan_prune(const struct plan_optimizer *o, struct plan *p, const bool *needed, uint32_t *map)
{
    if (plan_barrier(o, p) == NULL) {
        switch (p->kind) {
        case PLAN_SCAN:
        case PLAN_ONE:
            break;
        case PLAN_FILTER:
            return prune_filter(o, p, needed, map);
        case PLAN_PROJECT:
            return prune_project(o, p, needed, map);
        case PLAN_JOIN:
            return prune_join(o, p, needed, map);
        case PLAN_GROUP:
            return prune_group(o, p, needed, map);
        case PLAN_DISTINCT:
            return prune_distinct(o, p, map);
        case PLAN_UNION_ALL:
            return prune_union(o, p, needed, map);
        case PLAN_RANK:
            return prune_rank(o, p, needed, map);
        case PLAN_TOP:
            return prune_top(o, p, needed, map);
        }
    }
    map_identity(map, p->column_count);
    return p;
}
