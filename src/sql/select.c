/* One SELECT: FROM, WHERE, output, GROUP BY, HAVING, DISTINCT, ORDER BY, in the order in which PostgreSQL reads them;
 * the plan is put together at the end. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <string.h>

/* --- names of output columns, as PostgreSQL's FigureColname --- */

static const char *figure_name(const PgQuery__Node *node, int *strength);

static const char *strong(const char *name, int *strength)
{
    *strength = 2;
    return name;
}

static const char *operator_name(const PgQuery__AExpr *node, int *strength)
{
    return node->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF ? strong("nullif", strength) : "?column?";
}

static const char *cast_name(const PgQuery__TypeCast *node, int *strength)
{
    const char *name = figure_name(node->arg, strength);
    if (*strength > 1 || node->type_name->n_names == 0) {
        return name;
    }
    *strength = 1;
    return sql_string(node->type_name->names[node->type_name->n_names - 1]);
}

static const char *case_name(const PgQuery__CaseExpr *node, int *strength)
{
    const char *name = node->defresult != NULL ? figure_name(node->defresult, strength) : NULL;
    if (*strength > 1) {
        return name;
    }
    *strength = 1;
    return "case";
}

static const char *figure_name(const PgQuery__Node *node, int *strength)
{
    *strength = 0;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return strong(sql_string(node->column_ref->fields[node->column_ref->n_fields - 1]), strength);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return strong(sql_string(node->func_call->funcname[node->func_call->n_funcname - 1]), strength);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return operator_name(node->a_expr, strength);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return cast_name(node->type_cast, strength);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return figure_name(node->collate_clause->arg, strength);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return case_name(node->case_expr, strength);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return strong("coalesce", strength);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return strong(node->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_LEAST ? "least" : "greatest", strength);
    default:
        return "?column?";
    }
}

/* --- the output list --- */

static struct sql_scope scope_of(struct sql_select_state *sel, const char *clause, bool aggregates, bool windows)
{
    return (struct sql_scope){.s = sel->s,
                              .from = &sel->from,
                              .clause = clause,
                              .aggregates = aggregates ? &sel->aggregates : NULL,
                              .windows = windows ? &sel->windows : NULL,
                              .named_windows = sel->node->window_clause,
                              .named_window_count = sel->node->n_window_clause};
}

static enum status add_target(struct sql_select_state *sel, const char *name, struct expr *e, int32_t location)
{
    struct sql *s = sel->s;
    if (sel->targets.count >= SQL_COLUMNS_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, location, "a SELECT can have at most %d columns", SQL_COLUMNS_MAX);
    }
    struct sql_target *target = arena_zalloc(s->arena, sizeof *target);
    *target = (struct sql_target){.name = arena_strdup(s->arena, name), .expr = e, .location = location};
    sql_list_add(s->arena, &sel->targets, target);
    return STATUS_OK;
}

static enum status star_targets(struct sql_select_state *sel, const PgQuery__ColumnRef *ref)
{
    const struct sql_column *columns = NULL;
    uint32_t count = 0;
    TRY(sql_find_star(sel->s, &sel->from, ref, &columns, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct expr *copy = arena_dup(sel->s->arena, columns[i].expr, sizeof *copy);
        copy->location = ref->location;
        TRY(add_target(sel, columns[i].name, copy, ref->location));
    }
    return STATUS_OK;
}

static enum status targets(struct sql_select_state *sel, bool keep_unknown)
{
    struct sql *s = sel->s;
    struct sql_scope scope = scope_of(sel, "SELECT", true, true);
    for (size_t i = 0; i < sel->node->n_target_list; i++) {
        const PgQuery__ResTarget *target = sel->node->target_list[i]->res_target;
        const PgQuery__Node *value = target->val;
        if (value->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && sql_is_star(value->column_ref)) {
            TRY(star_targets(sel, value->column_ref));
            continue;
        }
        struct expr *e = NULL;
        int strength = 0;
        TRY(sql_expression(&scope, value, &e));
        if (!keep_unknown) {
            TRY(sql_resolve_unknown(s, &e));
        }
        bool named = target->name != NULL && target->name[0] != '\0';
        TRY(add_target(sel, named ? target->name : figure_name(value, &strength), e, sql_location(value)));
    }
    sel->visible = sel->targets.count;
    return sel->visible > 0 ? STATUS_OK : sql_refuse(s, -1, "a SELECT without columns");
}

static void target_arrays(const struct sql_select_state *sel, struct expr ***exprs, const char ***names)
{
    uint32_t count = sel->targets.count;
    *exprs = arena_zalloc(sel->s->arena, sizeof(struct expr *) * (count + 1));
    *names = arena_zalloc(sel->s->arena, sizeof(char *) * (count + 1));
    for (uint32_t i = 0; i < count; i++) {
        const struct sql_target *target = sel->targets.items[i];
        (*exprs)[i] = target->expr;
        (*names)[i] = target->name;
    }
}

/* --- ORDER BY, DISTINCT ON, GROUP BY: items that may name an output column --- */

/* The target that equals `e`, added as a hidden one where there is none. */
static enum status target_for(struct sql_select_state *sel, struct expr *e, int32_t location, uint32_t *out)
{
    for (uint32_t i = 0; i < sel->targets.count; i++) {
        const struct sql_target *target = sel->targets.items[i];
        if (expr_equal(target->expr, e)) {
            *out = i;
            return STATUS_OK;
        }
    }
    *out = sel->targets.count;
    return add_target(sel, "order", e, location);
}

static enum status item_target(struct sql_select_state *sel, const PgQuery__Node *node, const char *clause,
                               uint32_t *out)
{
    struct sql *s = sel->s;
    struct expr **exprs = NULL;
    const char **names = NULL;
    bool found = false;
    target_arrays(sel, &exprs, &names);
    TRY(sql_output_column(s, node, clause, true, exprs, names, sel->visible, &found, out));
    if (!found) {
        struct sql_scope scope = scope_of(sel, clause, true, true);
        struct expr *e = NULL;
        TRY(sql_expression(&scope, node, &e));
        TRY(sql_resolve_unknown(s, &e));
        TRY(target_for(sel, e, sql_location(node), out));
    }
    const struct sql_target *target = sel->targets.items[*out];
    return sql_check_order(s, &target->expr->type, sql_location(node));
}

static enum status sort_clause(struct sql_select_state *sel)
{
    for (size_t i = 0; i < sel->node->n_sort_clause; i++) {
        const PgQuery__SortBy *by = sel->node->sort_clause[i]->sort_by;
        struct sql_sort *sort = arena_zalloc(sel->s->arena, sizeof *sort);
        TRY(sql_sort_direction(sel->s, by, sort));
        TRY(item_target(sel, by->node, "ORDER BY", &sort->target));
        sql_list_add(sel->s->arena, &sel->sorts, sort);
    }
    return STATUS_OK;
}

static bool has_virtual(const struct expr *e)
{
    if (e->kind == EXPR_COLUMN && e->column >= SQL_AGGREGATE_FIRST) {
        return true;
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (has_virtual(e->args[i])) {
            return true;
        }
    }
    return false;
}

static bool has_window(const struct expr *e)
{
    if (e->kind == EXPR_COLUMN && e->column >= SQL_WINDOW_FIRST) {
        return true;
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (has_window(e->args[i])) {
            return true;
        }
    }
    return false;
}

static enum status refuse_grouping_set(struct sql *s, const PgQuery__GroupingSet *node)
{
    switch ((int)node->kind) {
    case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_ROLLUP:
        return sql_refuse(s, node->location, "ROLLUP");
    case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_CUBE:
        return sql_refuse(s, node->location, "CUBE");
    case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_EMPTY:
        return sql_refuse(s, node->location, "GROUP BY ()");
    default:
        return sql_refuse(s, node->location, "GROUPING SETS");
    }
}

/* In GROUP BY a bare name is an input column first, an output column only where there is no such input. */
static enum status group_item(struct sql_select_state *sel, const PgQuery__Node *node, struct expr **out)
{
    struct sql *s = sel->s;
    if (node->node_case == PG_QUERY__NODE__NODE_GROUPING_SET) {
        return refuse_grouping_set(s, node->grouping_set);
    }
    struct expr **exprs = NULL;
    const char **names = NULL;
    bool found = false;
    uint32_t at = 0;
    bool by_name = node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF &&
                   sql_count_columns(&sel->from, sql_string(node->column_ref->fields[0])) == 0;
    target_arrays(sel, &exprs, &names);
    TRY(sql_output_column(s, node, "GROUP BY", by_name, exprs, names, sel->visible, &found, &at));
    if (!found) {
        struct sql_scope scope = scope_of(sel, "GROUP BY", false, false);
        TRY(sql_expression(&scope, node, out));
        TRY(sql_resolve_unknown(s, out));
    } else {
        *out = exprs[at];
    }
    if (has_virtual(*out)) {
        return sql_fail(s, STATUS_INVALID, sql_location(node), "%s functions are not allowed in GROUP BY",
                        has_window(*out) ? "window" : "aggregate");
    }
    return sql_check_equality(s, &(*out)->type, sql_location(node));
}

static enum status group_clause(struct sql_select_state *sel)
{
    for (size_t i = 0; i < sel->node->n_group_clause; i++) {
        struct expr *e = NULL;
        TRY(group_item(sel, sel->node->group_clause[i], &e));
        bool known = false;
        for (uint32_t k = 0; k < sel->groups.count; k++) {
            known = known || expr_equal(sel->groups.items[k], e);
        }
        if (!known) {
            sql_list_add(sel->s->arena, &sel->groups, e);
        }
    }
    return STATUS_OK;
}

static enum status where_clause(struct sql_select_state *sel)
{
    if (sel->node->where_clause == NULL) {
        return STATUS_OK;
    }
    struct expr *condition = NULL;
    struct sql_scope scope = scope_of(sel, "WHERE", false, false);
    TRY(sql_condition(&scope, sel->node->where_clause, &condition));
    sel->plan = sql_filter(sel->s, sel->plan, condition);
    return STATUS_OK;
}

static enum status having_clause(struct sql_select_state *sel)
{
    if (sel->node->having_clause == NULL) {
        return STATUS_OK;
    }
    struct sql_scope scope = scope_of(sel, "HAVING", true, false);
    return sql_condition(&scope, sel->node->having_clause, &sel->having);
}

/* --- DISTINCT --- */

static bool is_distinct_on(const PgQuery__SelectStmt *node)
{
    return node->n_distinct_clause > 0 && node->distinct_clause[0] != NULL &&
           node->distinct_clause[0]->node_case != PG_QUERY__NODE__NODE__NOT_SET;
}

static enum status plain_distinct(struct sql_select_state *sel)
{
    struct sql *s = sel->s;
    const struct plan *input = sel->plan;
    if (sel->targets.count > sel->visible) {
        const struct sql_target *hidden = sel->targets.items[sel->visible];
        return sql_fail(s, STATUS_INVALID, hidden->location,
                        "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    }
    for (uint32_t i = 0; i < sel->visible; i++) {
        const struct sql_target *target = sel->targets.items[i];
        TRY(sql_check_equality(s, &input->columns[i].type, target->location));
    }
    struct plan *p = plan_new(s->arena, PLAN_DISTINCT, input->column_count, 1);
    memcpy(p->columns, input->columns, sizeof *p->columns * input->column_count);
    p->inputs[0] = sel->plan;
    p->where = sel->plan->where;
    sel->plan = p;
    return STATUS_OK;
}

static bool is_among(const uint32_t *items, uint32_t count, uint32_t item)
{
    for (uint32_t i = 0; i < count; i++) {
        if (items[i] == item) {
            return true;
        }
    }
    return false;
}

/* The targets of DISTINCT ON; may add hidden ones, so it comes before the projection. */
static enum status distinct_on_targets(struct sql_select_state *sel, uint32_t **out, uint32_t *count)
{
    struct sql *s = sel->s;
    *out = arena_zalloc(s->arena, sizeof(uint32_t) * (sel->node->n_distinct_clause + 1));
    *count = 0;
    for (size_t i = 0; i < sel->node->n_distinct_clause; i++) {
        uint32_t target = 0;
        TRY(item_target(sel, sel->node->distinct_clause[i], "DISTINCT ON", &target));
        if (!is_among(*out, *count, target)) {
            (*out)[(*count)++] = target;
        }
    }
    uint32_t leading = 0;
    while (leading < sel->sorts.count &&
           is_among(*out, *count, ((const struct sql_sort *)sel->sorts.items[leading])->target)) {
        leading++;
    }
    if (leading < sel->sorts.count && leading < *count) {
        return sql_fail(s, STATUS_INVALID, sql_location(sel->node->distinct_clause[0]),
                        "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
    }
    return STATUS_OK;
}

/* DISTINCT ON is the first row of each partition. */
static enum status distinct_on(struct sql_select_state *sel, uint32_t *partition, uint32_t count,
                               const struct plan_order *order, uint32_t order_count)
{
    struct sql *s = sel->s;
    struct plan *input = sel->plan;
    struct plan *p = plan_new(s->arena, PLAN_RANK, input->column_count + 1, 1);
    memcpy(p->columns, input->columns, sizeof *p->columns * input->column_count);
    p->columns[input->column_count] =
        (struct plan_column){.name = "row_number", .type = type_make(TYPE_INT8), .not_null = true};
    p->inputs[0] = input;
    p->where = input->where;
    p->partition_columns = partition;
    p->partition_count = count;
    p->order = arena_zalloc(s->arena, sizeof *p->order * (order_count + 1));
    for (uint32_t i = 0; i < order_count; i++) {
        if (!is_among(partition, count, order[i].column)) {
            p->order[p->order_count++] = order[i];
        }
    }
    p->ranks = arena_zalloc(s->arena, sizeof *p->ranks);
    p->ranks[0] = RANK_ROW_NUMBER;
    p->rank_count = 1;
    struct expr *first = NULL;
    struct expr *number = expr_column(s->arena, input->column_count, type_make(TYPE_INT8));
    struct expr *one = expr_const(s->arena, type_make(TYPE_INT8), datum_int(1));
    TRY(sql_at(s, -1, expr_operator(s->arena, "<=", number, one, &first, s->err)));
    struct plan *filtered = sql_filter(s, p, first);
    struct expr **exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (input->column_count + 1));
    const char **names = arena_zalloc(s->arena, sizeof(char *) * (input->column_count + 1));
    for (uint32_t i = 0; i < input->column_count; i++) {
        exprs[i] = expr_column(s->arena, i, input->columns[i].type);
        names[i] = input->columns[i].name;
    }
    sel->plan = sql_project(s, filtered, exprs, names, input->column_count);
    return STATUS_OK;
}

/* --- the whole --- */

static void output_order(const struct sql_select_state *sel, struct sql_query *out)
{
    out->order = arena_zalloc(sel->s->arena, sizeof *out->order * (sel->sorts.count + 1));
    for (uint32_t i = 0; i < sel->sorts.count; i++) {
        const struct sql_sort *sort = sel->sorts.items[i];
        bool known = false;
        for (uint32_t k = 0; k < out->order_count; k++) {
            known = known || out->order[k].column == sort->target;
        }
        if (!known) {
            out->order[out->order_count++] =
                (struct plan_order){.column = sort->target, .desc = sort->desc, .nulls_first = sort->nulls_first};
        }
    }
}

static enum status build(struct sql_select_state *sel, uint32_t *on, uint32_t on_count, struct sql_query *out)
{
    struct expr **exprs = NULL;
    const char **names = NULL;
    if (sel->grouped) {
        TRY(sql_group(sel));
    }
    TRY(sql_windows(sel));
    target_arrays(sel, &exprs, &names);
    sel->plan = sql_project(sel->s, sel->plan, exprs, names, sel->targets.count);
    output_order(sel, out);
    if (on_count > 0) {
        TRY(distinct_on(sel, on, on_count, out->order, out->order_count));
    } else if (sel->node->n_distinct_clause > 0) {
        TRY(plain_distinct(sel));
    }
    out->plan = sel->plan;
    out->visible = sel->visible;
    return STATUS_OK;
}

enum status sql_select(struct sql *s, const PgQuery__SelectStmt *node, bool keep_unknown, struct sql_query *out)
{
    struct sql_select_state sel = {.s = s, .node = node};
    bool plain = node->n_distinct_clause == 0 && node->n_sort_clause == 0 && node->limit_count == NULL &&
                 node->limit_offset == NULL && node->n_group_clause == 0;
    TRY(sql_from_clause(s, node->from_clause, node->n_from_clause, &sel.from));
    sel.plan = sel.from.plan;
    TRY(targets(&sel, keep_unknown && plain));
    TRY(where_clause(&sel));
    TRY(having_clause(&sel));
    TRY(sort_clause(&sel));
    TRY(group_clause(&sel));
    uint32_t *on = NULL;
    uint32_t on_count = 0;
    if (is_distinct_on(node)) {
        TRY(distinct_on_targets(&sel, &on, &on_count));
    }
    sel.grouped = node->n_group_clause > 0 || sel.having != NULL || sel.aggregates.count > 0;
    TRY(build(&sel, on, on_count, out));
    return sql_limit(s, node, out);
}
