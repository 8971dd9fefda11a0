/* What is known of each node's rows: a key, and which columns are never NULL. Bottom up, over the final tree; asserts
 * on the way that the passes before have left no expression with another idea of its input than the input has. */
#include "plan/rewrite.h"

#include "expr/build.h"

#include <assert.h>
#include <string.h>

static void set_key(struct plan *p, uint32_t *key, uint32_t count)
{
    p->has_key = true;
    p->key = key;
    p->key_count = count;
}

static void take_key(struct plan *p, const struct plan *input)
{
    if (input->has_key) {
        set_key(p, input->key, input->key_count);
    }
}

static void take_not_null(struct plan *p, const struct plan *input)
{
    for (uint32_t c = 0; c < input->column_count; c++) {
        p->columns[c].not_null = input->columns[c].not_null;
    }
}

static bool contains(const uint32_t *columns, uint32_t count, uint32_t column)
{
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i] == column) {
            return true;
        }
    }
    return false;
}

static bool covers(const uint32_t *columns, uint32_t count, const uint32_t *key, uint32_t key_count)
{
    for (uint32_t i = 0; i < key_count; i++) {
        if (!contains(columns, count, key[i])) {
            return false;
        }
    }
    return true;
}

static void derive_scan(struct arena *a, struct plan *p)
{
    for (uint32_t c = 0; c < p->column_count; c++) {
        p->columns[c].not_null = p->table->columns[c].not_null;
    }
    set_key(p, arena_dup(a, p->table->key_columns, sizeof(uint32_t) * p->table->key_count), p->table->key_count);
}

static bool expr_not_null(const struct expr *e, const struct plan *input)
{
    switch (e->kind) {
    case EXPR_CONST:
        return e->value.null == 0;
    case EXPR_COLUMN:
        return input->columns[e->column].not_null;
    case EXPR_COALESCE:
    case EXPR_GREATEST:
    case EXPR_LEAST:
        for (uint32_t i = 0; i < e->arg_count; i++) {
            if (expr_not_null(e->args[i], input)) {
                return true;
            }
        }
        return false;
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_NOT:
    case EXPR_IN:
        for (uint32_t i = 0; i < e->arg_count; i++) {
            if (!expr_not_null(e->args[i], input)) {
                return false;
            }
        }
        return true;
    case EXPR_CASE:
        for (uint32_t i = 0; i < e->arg_count; i++) {
            bool is_result = i % 2 == 1 || i + 1 == e->arg_count;
            if (is_result && !expr_not_null(e->args[i], input)) {
                return false;
            }
        }
        return true;
    case EXPR_IS_NULL:
    case EXPR_IS_TRUE:
    case EXPR_IS_FALSE:
    case EXPR_IS_UNKNOWN:
    case EXPR_DISTINCT:
        return true;
    case EXPR_CALL:
    case EXPR_NULLIF:
        break;
    }
    return false;
}

/* ROW_NUMBER = 1 in each partition: the partition is the key. */
static void derive_first_of_partition(const struct plan_optimizer *o, struct plan *p, const struct expr *conjunct)
{
    const struct plan *rank = p->inputs[0];
    if (rank->kind != PLAN_RANK || rank->ranks[0] != RANK_ROW_NUMBER || rank->rank_limit != 1 ||
        conjunct->arg_count != 2) {
        return;
    }
    uint32_t column = rank->inputs[0]->column_count;
    bool about_rank = (conjunct->args[0]->kind == EXPR_COLUMN && conjunct->args[0]->column == column) ||
                      (conjunct->args[1]->kind == EXPR_COLUMN && conjunct->args[1]->column == column);
    if (about_rank &&
        (plan_expr_is_operator(o->arena, conjunct, "=") || plan_expr_is_operator(o->arena, conjunct, "<=") ||
         plan_expr_is_operator(o->arena, conjunct, "<"))) {
        if (!p->has_key || rank->partition_count <= p->key_count) {
            set_key(p, rank->partition_columns, rank->partition_count);
        }
    }
}

static void derive_filter(const struct plan_optimizer *o, struct plan *p)
{
    assert(plan_expr_fits(p->condition, p->inputs[0]->columns, p->inputs[0]->column_count));
    take_not_null(p, p->inputs[0]);
    take_key(p, p->inputs[0]);
    bool is_and = p->condition->kind == EXPR_AND;
    uint32_t count = is_and ? p->condition->arg_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        const struct expr *e = is_and ? p->condition->args[i] : p->condition;
        if (e->kind == EXPR_IS_NULL && e->negated && e->args[0]->kind == EXPR_COLUMN) {
            p->columns[e->args[0]->column].not_null = true;
        }
        derive_first_of_partition(o, p, e);
    }
}

/* Where key columns are still bare columns of the projection; false where one is lost. */
static bool map_key(const struct plan *p, const uint32_t *key, uint32_t count, uint32_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = 0;
        while (c < p->column_count && (p->exprs[c]->kind != EXPR_COLUMN || p->exprs[c]->column != key[i])) {
            c++;
        }
        if (c == p->column_count) {
            return false;
        }
        out[i] = c;
    }
    return true;
}

/* A ranked input has a second key: the partition and the row number. */
static bool map_rank_key(struct arena *a, const struct plan *p, const struct plan *input, uint32_t **out,
                         uint32_t *count)
{
    while (input->kind == PLAN_FILTER) {
        input = input->inputs[0];
    }
    if (input->kind != PLAN_RANK) {
        return false;
    }
    for (uint32_t i = 0; i < input->rank_count; i++) {
        if (input->ranks[i] == RANK_ROW_NUMBER) {
            uint32_t *key = arena_alloc(a, sizeof(uint32_t) * (input->partition_count + 1));
            memcpy(key, input->partition_columns, sizeof(uint32_t) * input->partition_count);
            key[input->partition_count] = input->inputs[0]->column_count + i;
            *count = input->partition_count + 1;
            *out = arena_alloc(a, sizeof(uint32_t) * *count);
            return map_key(p, key, *count, *out);
        }
    }
    return false;
}

static void derive_project(struct arena *a, struct plan *p)
{
    const struct plan *input = p->inputs[0];
    for (uint32_t c = 0; c < p->column_count; c++) {
        assert(plan_expr_fits(p->exprs[c], input->columns, input->column_count));
        p->columns[c].not_null = expr_not_null(p->exprs[c], input);
    }
    uint32_t *key = arena_alloc(a, sizeof(uint32_t) * (input->key_count + 1));
    uint32_t count = input->key_count;
    if ((input->has_key && map_key(p, input->key, count, key)) || map_rank_key(a, p, input, &key, &count)) {
        set_key(p, key, count);
    }
}

static void derive_join(struct arena *a, struct plan *p)
{
    const struct plan *left = p->inputs[0];
    const struct plan *right = p->inputs[1];
    bool inner = p->join_kind == PLAN_JOIN_INNER;
    assert(p->condition == NULL || plan_expr_fits(p->condition, p->columns, p->column_count));
    for (uint32_t c = 0; c < left->column_count; c++) {
        bool is_key = inner && contains(p->left_keys, p->pair_count, c);
        p->columns[c].not_null = left->columns[c].not_null || is_key;
    }
    for (uint32_t c = 0; c < right->column_count; c++) {
        bool is_key = contains(p->right_keys, p->pair_count, c);
        p->columns[left->column_count + c].not_null = inner && (right->columns[c].not_null || is_key);
    }
    if (!left->has_key || !right->has_key) {
        return;
    }
    bool one_right = covers(p->right_keys, p->pair_count, right->key, right->key_count);
    bool one_left = inner && covers(p->left_keys, p->pair_count, left->key, left->key_count);
    uint32_t *key = arena_alloc(a, sizeof(uint32_t) * (left->key_count + right->key_count + 1));
    uint32_t count = 0;
    for (uint32_t i = 0; i < left->key_count && (one_right || !one_left); i++) {
        key[count++] = left->key[i];
    }
    for (uint32_t i = 0; i < right->key_count && !one_right; i++) {
        key[count++] = left->column_count + right->key[i];
    }
    set_key(p, key, count);
}

static bool aggregate_not_null(const struct plan *p, const struct plan_aggregate *aggregate)
{
    switch (aggregate->kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
        return true;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_BOOL_AND:
    case AGGREGATE_BOOL_OR:
        break;
    }
    return p->group_count > 0 && aggregate->filter == PLAN_NO_COLUMN &&
           p->inputs[0]->columns[aggregate->argument].not_null;
}

static void derive_group(struct arena *a, struct plan *p)
{
    const struct plan *input = p->inputs[0];
    for (uint32_t i = 0; i < p->group_count; i++) {
        p->columns[i].not_null = input->columns[p->group_columns[i]].not_null;
    }
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        p->columns[p->group_count + i].not_null = aggregate_not_null(p, &p->aggregates[i]);
    }
    if (p->has_key) {
        return; /* the SQL room knew a smaller one: columns that hang on a primary key in GROUP BY */
    }
    uint32_t *key = arena_alloc(a, sizeof(uint32_t) * (p->group_count + 1));
    uint32_t count = 0;
    bool input_key = input->has_key && covers(p->group_columns, p->group_count, input->key, input->key_count);
    for (uint32_t i = 0; i < p->group_count; i++) {
        if (!input_key || contains(input->key, input->key_count, p->group_columns[i])) {
            key[count++] = i;
        }
    }
    set_key(p, key, count);
}

static void derive_distinct(struct arena *a, struct plan *p)
{
    take_not_null(p, p->inputs[0]);
    uint32_t *key = arena_alloc(a, sizeof(uint32_t) * (p->column_count + 1));
    for (uint32_t c = 0; c < p->column_count; c++) {
        key[c] = c;
    }
    set_key(p, key, p->column_count);
}

static void derive_union(struct plan *p)
{
    for (uint32_t c = 0; c < p->column_count; c++) {
        p->columns[c].not_null = true;
        for (uint32_t i = 0; i < p->input_count; i++) {
            p->columns[c].not_null = p->columns[c].not_null && p->inputs[i]->columns[c].not_null;
        }
    }
}

static void derive_rank(struct arena *a, struct plan *p)
{
    const struct plan *input = p->inputs[0];
    take_not_null(p, input);
    for (uint32_t i = 0; i < p->rank_count; i++) {
        p->columns[input->column_count + i].not_null = true;
    }
    take_key(p, input);
    for (uint32_t i = 0; i < p->rank_count && !p->has_key; i++) {
        if (p->ranks[i] == RANK_ROW_NUMBER) {
            uint32_t *key = arena_alloc(a, sizeof(uint32_t) * (p->partition_count + 1));
            memcpy(key, p->partition_columns, sizeof(uint32_t) * p->partition_count);
            key[p->partition_count] = input->column_count + i;
            set_key(p, key, p->partition_count + 1);
        }
    }
}

static void derive_top(struct plan *p)
{
    take_not_null(p, p->inputs[0]);
    take_key(p, p->inputs[0]);
    if (p->has_limit && p->limit <= 1) {
        set_key(p, NULL, 0);
    }
}

struct plan *plan_derive(const struct plan_optimizer *o, struct plan *p)
{
    if (plan_barrier(o, p) != NULL) {
        return p;
    }
    for (uint32_t i = 0; i < p->input_count; i++) {
        p->inputs[i] = plan_derive(o, p->inputs[i]);
    }
    switch (p->kind) {
    case PLAN_SCAN:
        derive_scan(o->arena, p);
        break;
    case PLAN_ONE:
        set_key(p, NULL, 0);
        break;
    case PLAN_FILTER:
        derive_filter(o, p);
        break;
    case PLAN_PROJECT:
        derive_project(o->arena, p);
        break;
    case PLAN_JOIN:
        derive_join(o->arena, p);
        break;
    case PLAN_GROUP:
        derive_group(o->arena, p);
        break;
    case PLAN_DISTINCT:
        if (p->inputs[0]->has_key) {
            return p->inputs[0]; /* no two rows are the same already */
        }
        derive_distinct(o->arena, p);
        break;
    case PLAN_UNION_ALL:
        derive_union(p);
        break;
    case PLAN_RANK:
        derive_rank(o->arena, p);
        break;
    case PLAN_TOP:
        derive_top(p);
        break;
    }
    return p;
}
