/* A query around its SELECT: WITH, UNION, VALUES, LIMIT. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <string.h>

struct plan *sql_project(const struct sql *s, struct plan *input, struct expr **exprs, const char *const *names,
                         uint32_t count)
{
    struct plan *p = plan_new(s->arena, PLAN_PROJECT, count, 1);
    p->inputs[0] = input;
    p->exprs = exprs;
    p->where = input->where;
    for (uint32_t i = 0; i < count; i++) {
        p->columns[i] = (struct plan_column){.name = names[i], .type = exprs[i]->type};
    }
    return p;
}

struct plan *sql_filter(const struct sql *s, struct plan *input, struct expr *condition)
{
    struct plan *p = plan_new(s->arena, PLAN_FILTER, input->column_count, 1);
    memcpy(p->columns, input->columns, sizeof *p->columns * input->column_count);
    p->inputs[0] = input;
    p->condition = condition;
    p->where = sql_where(s, condition->location);
    return p;
}

/* The first `count` columns, under `names` where given. */
static struct plan *first_columns(const struct sql *s, struct plan *input, const char *const *names, uint32_t count)
{
    struct expr **exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (count + 1));
    const char **own = arena_zalloc(s->arena, sizeof(char *) * (count + 1));
    for (uint32_t i = 0; i < count; i++) {
        exprs[i] = expr_column(s->arena, i, input->columns[i].type);
        own[i] = names != NULL ? names[i] : input->columns[i].name;
    }
    return sql_project(s, input, exprs, own, count);
}

struct plan *sql_query_plan(const struct sql *s, const struct sql_query *q)
{
    return q->visible == q->plan->column_count ? q->plan : first_columns(s, q->plan, NULL, q->visible);
}

enum status sql_rename(struct sql *s, struct plan **plan, const char *name, PgQuery__Node *const *names, size_t count,
                       int32_t location)
{
    uint32_t width = (*plan)->column_count;
    if (count > width) {
        return sql_fail(s, STATUS_INVALID, location, "\"%s\" has %u columns available but %zu columns specified", name,
                        width, count);
    }
    const char **all = arena_zalloc(s->arena, sizeof(char *) * (width + 1));
    for (uint32_t i = 0; i < width; i++) {
        all[i] = i < count ? arena_strdup(s->arena, sql_string(names[i])) : (*plan)->columns[i].name;
    }
    *plan = first_columns(s, *plan, all, width);
    return STATUS_OK;
}

static enum status one_cte(struct sql *s, const PgQuery__CommonTableExpr *node)
{
    if (node->ctequery->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return sql_refuse(s, node->location, "a WITH query that changes data");
    }
    struct sql_query query;
    TRY(sql_query(s, node->ctequery->select_stmt, false, &query));
    struct sql_cte *cte = arena_zalloc(s->arena, sizeof *cte);
    cte->name = arena_strdup(s->arena, node->ctename);
    cte->plan = sql_query_plan(s, &query);
    TRY(sql_rename(s, &cte->plan, cte->name, node->aliascolnames, node->n_aliascolnames, node->location));
    cte->uses = arena_zalloc(s->arena, sizeof *cte->uses);
    cte->next = s->ctes;
    s->ctes = cte;
    sql_list_add(s->arena, &s->ctes_made, cte);
    return STATUS_OK;
}

static enum status with_clause(struct sql *s, const PgQuery__WithClause *node)
{
    if (node == NULL) {
        return STATUS_OK;
    }
    if (node->recursive) {
        return sql_refuse(s, node->location, "WITH RECURSIVE");
    }
    for (size_t i = 0; i < node->n_ctes; i++) {
        const PgQuery__CommonTableExpr *cte = node->ctes[i]->common_table_expr;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(node->ctes[k]->common_table_expr->ctename, cte->ctename) == 0) {
                return sql_fail(s, STATUS_INVALID, cte->location, "WITH query name \"%s\" specified more than once",
                                cte->ctename);
            }
        }
        TRY(one_cte(s, cte));
    }
    return STATUS_OK;
}

static enum status limit_value(struct sql *s, const PgQuery__Node *node, const char *clause, bool *has, uint64_t *out)
{
    *has = false;
    *out = 0;
    if (node == NULL) {
        return STATUS_OK;
    }
    struct sql_scope scope = {.s = s, .clause = clause};
    struct type bigint = type_make(TYPE_INT8);
    struct expr *e = NULL;
    TRY(sql_expression(&scope, node, &e));
    TRY(sql_at(s, sql_location(node), expr_cast(s->arena, e, &bigint, CAST_ASSIGNMENT, &e, s->err)));
    if (e->kind != EXPR_CONST) {
        return sql_fail(s, STATUS_UNSUPPORTED, sql_location(node), "%s that is not a constant is not supported",
                        clause);
    }
    if (e->value.null != 0) {
        return STATUS_OK;
    }
    if (e->value.v.i < 0) {
        return sql_fail(s, STATUS_INVALID, sql_location(node), "%s must not be negative", clause);
    }
    *has = true;
    *out = (uint64_t)e->value.v.i;
    return STATUS_OK;
}

enum status sql_limit(struct sql *s, const PgQuery__SelectStmt *node, struct sql_query *q)
{
    bool has_limit = false;
    bool has_offset = false;
    uint64_t limit = 0;
    uint64_t offset = 0;
    if (node->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES) {
        return sql_refuse(s, sql_location(node->limit_count), "WITH TIES");
    }
    TRY(limit_value(s, node->limit_count, "LIMIT", &has_limit, &limit));
    TRY(limit_value(s, node->limit_offset, "OFFSET", &has_offset, &offset));
    if (!has_limit && offset == 0) {
        return STATUS_OK;
    }
    struct plan *p = plan_new(s->arena, PLAN_TOP, q->plan->column_count, 1);
    memcpy(p->columns, q->plan->columns, sizeof *p->columns * p->column_count);
    p->inputs[0] = q->plan;
    p->where = sql_where(s, sql_location(node->limit_count != NULL ? node->limit_count : node->limit_offset));
    p->order = arena_dup(s->arena, q->order, sizeof *q->order * q->order_count);
    p->order_count = q->order_count;
    p->has_limit = has_limit;
    p->limit = limit;
    p->offset = offset;
    q->plan = p;
    return STATUS_OK;
}

static enum status name_matches(struct sql *s, const PgQuery__Node *node, const char *clause, struct expr *const *exprs,
                                const char *const *names, uint32_t count, bool *found, uint32_t *out)
{
    const char *name = sql_string(node->column_ref->fields[0]);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) != 0) {
            continue;
        }
        if (*found && (exprs == NULL || !expr_equal(exprs[*out], exprs[i]))) {
            return sql_fail(s, STATUS_INVALID, sql_location(node), "%s \"%s\" is ambiguous", clause, name);
        }
        *out = *found ? *out : i;
        *found = true;
    }
    return STATUS_OK;
}

enum status sql_output_column(struct sql *s, const PgQuery__Node *node, const char *clause, bool by_name,
                              struct expr *const *exprs, const char *const *names, uint32_t count, bool *found,
                              uint32_t *out)
{
    *found = false;
    *out = 0;
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && node->column_ref->n_fields == 1 &&
        !sql_is_star(node->column_ref) && by_name) {
        return name_matches(s, node, clause, exprs, names, count, found, out);
    }
    if (node->node_case != PG_QUERY__NODE__NODE_A_CONST) {
        return STATUS_OK;
    }
    const PgQuery__AConst *constant = node->a_const;
    if (constant->isnull || constant->val_case != PG_QUERY__A__CONST__VAL_IVAL) {
        return sql_fail(s, STATUS_INVALID, constant->location, "non-integer constant in %s", clause);
    }
    int32_t position = constant->ival->ival;
    if (position < 1 || (uint32_t)position > count) {
        return sql_fail(s, STATUS_INVALID, constant->location, "%s position %d is not in select list", clause,
                        position);
    }
    *found = true;
    *out = (uint32_t)position - 1;
    return STATUS_OK;
}

/* ORDER BY over nothing but the output columns. */
static enum status output_order(struct sql *s, const PgQuery__SelectStmt *node, struct sql_query *q)
{
    const char **names = arena_zalloc(s->arena, sizeof(char *) * (q->visible + 1));
    for (uint32_t i = 0; i < q->visible; i++) {
        names[i] = q->plan->columns[i].name;
    }
    q->order = arena_zalloc(s->arena, sizeof *q->order * (node->n_sort_clause + 1));
    for (size_t i = 0; i < node->n_sort_clause; i++) {
        const PgQuery__SortBy *sort = node->sort_clause[i]->sort_by;
        struct sql_sort direction = {0};
        bool found = false;
        uint32_t column = 0;
        TRY(sql_sort_direction(s, sort, &direction));
        TRY(sql_output_column(s, sort->node, "ORDER BY", true, NULL, names, q->visible, &found, &column));
        if (!found) {
            return sql_fail(s, STATUS_INVALID, sql_location(sort->node),
                            "invalid UNION/INTERSECT/EXCEPT ORDER BY clause: only result column names can be used, "
                            "not expressions or functions");
        }
        TRY(sql_check_order(s, &q->plan->columns[column].type, sql_location(sort->node)));
        q->order[q->order_count++] =
            (struct plan_order){.column = column, .desc = direction.desc, .nulls_first = direction.nulls_first};
    }
    return STATUS_OK;
}

/* One input of a UNION ALL: its plan and the expressions over it that give the common columns. */
struct arm {
    struct plan *plan;
    struct expr **exprs;
    int32_t location;
};

/* Literals of unknown type take part in the resolution as literals. */
static struct expr *arm_expr(const struct sql *s, const struct plan *plan, uint32_t column)
{
    if (plan->columns[column].type.kind == TYPE_UNKNOWN && plan->kind == PLAN_PROJECT) {
        return plan->exprs[column];
    }
    return expr_column(s->arena, column, plan->columns[column].type);
}

/* Left to right, two at a time, as PostgreSQL resolves a chain; a later arm may widen the earlier ones. */
static enum status unify_arm(struct sql *s, const char *what, struct arm *arms, uint32_t idx, uint32_t column,
                             struct type *common)
{
    struct expr *pair[2] = {arms[0].exprs[column], arms[idx].exprs[column]};
    struct type type;
    TRY(sql_at(s, arms[idx].location, expr_unify(s->arena, what, pair, 2, &type, s->err)));
    arms[idx].exprs[column] = pair[1];
    /* A modifier lost on the way does not come back. */
    if (idx > 1 && common->kind == type.kind && common->typmod == -1) {
        type.typmod = -1;
    }
    *common = type;
    for (uint32_t i = 0; i < idx; i++) {
        TRY(sql_at(s, arms[i].location,
                   expr_cast(s->arena, arms[i].exprs[column], &type, CAST_IMPLICIT, &arms[i].exprs[column], s->err)));
    }
    return STATUS_OK;
}

static struct plan *union_plan(const struct sql *s, struct arm *arms, uint32_t count, const struct type *types,
                               uint32_t width)
{
    const char **names = arena_zalloc(s->arena, sizeof(char *) * (width + 1));
    for (uint32_t c = 0; c < width; c++) {
        names[c] = arms[0].plan->columns[c].name;
    }
    struct plan *p = plan_new(s->arena, PLAN_UNION_ALL, width, count);
    for (uint32_t i = 0; i < count; i++) {
        p->inputs[i] = sql_project(s, arms[i].plan, arms[i].exprs, names, width);
        for (uint32_t c = 0; c < width; c++) {
            p->inputs[i]->columns[c].type = types[c]; /* the expressions' own may have a modifier */
        }
    }
    memcpy(p->columns, p->inputs[0]->columns, sizeof *p->columns * width);
    p->where = sql_where(s, arms[0].location);
    return count == 1 ? p->inputs[0] : p;
}

static enum status unify_arms(struct sql *s, const char *what, struct arm *arms, uint32_t count, struct type *types,
                              uint32_t width)
{
    for (uint32_t c = 0; c < width; c++) {
        types[c] = arms[0].exprs[c]->type;
    }
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t c = 0; c < width; c++) {
            TRY(unify_arm(s, what, arms, i, c, &types[c]));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t c = 0; c < width; c++) {
            TRY(sql_resolve_unknown(s, &arms[i].exprs[c]));
        }
    }
    for (uint32_t c = 0; c < width; c++) {
        types[c] = types[c].kind == TYPE_UNKNOWN ? arms[0].exprs[c]->type : types[c];
    }
    return STATUS_OK;
}

static bool continues_chain(const PgQuery__SelectStmt *node, bool all)
{
    return node->op == PG_QUERY__SET_OPERATION__SETOP_UNION && (node->all != 0) == all && node->n_sort_clause == 0 &&
           node->limit_count == NULL && node->limit_offset == NULL && node->with_clause == NULL;
}

/* The arms of a chain a UNION b UNION c, left to right. */
static enum status chain_arms(struct sql *s, const PgQuery__SelectStmt *node, struct sql_list *out)
{
    bool all = node->all != 0;
    struct sql_list backwards = {0};
    union {
        const PgQuery__SelectStmt *in;
        void *item;
    } arm;
    do {
        arm.in = node->rarg;
        sql_list_add(s->arena, &backwards, arm.item);
        node = node->larg;
    } while (continues_chain(node, all));
    arm.in = node;
    sql_list_add(s->arena, &backwards, arm.item);
    if (backwards.count > SQL_ARMS_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, -1, "a UNION of more than %d queries", SQL_ARMS_MAX);
    }
    for (uint32_t i = backwards.count; i > 0; i--) {
        sql_list_add(s->arena, out, backwards.items[i - 1]);
    }
    return STATUS_OK;
}

static int32_t select_location(const PgQuery__SelectStmt *node)
{
    while (node->larg != NULL) {
        node = node->larg;
    }
    if (node->n_values_lists > 0 && node->values_lists[0]->list->n_items > 0) {
        return sql_location(node->values_lists[0]->list->items[0]);
    }
    return node->n_target_list > 0 ? sql_location(node->target_list[0]) : -1;
}

static enum status distinct_plan(struct sql *s, struct plan *input, int32_t location, struct plan **out)
{
    struct plan *p = plan_new(s->arena, PLAN_DISTINCT, input->column_count, 1);
    memcpy(p->columns, input->columns, sizeof *p->columns * input->column_count);
    p->inputs[0] = input;
    p->where = sql_where(s, location);
    for (uint32_t c = 0; c < p->column_count; c++) {
        TRY(sql_check_equality(s, &p->columns[c].type, location));
    }
    *out = p;
    return STATUS_OK;
}

static enum status set_operation(struct sql *s, const PgQuery__SelectStmt *node, struct sql_query *out)
{
    if (node->op != PG_QUERY__SET_OPERATION__SETOP_UNION) {
        return sql_refuse(s, select_location(node->rarg),
                          node->op == PG_QUERY__SET_OPERATION__SETOP_EXCEPT ? "EXCEPT" : "INTERSECT");
    }
    struct sql_list nodes = {0};
    TRY(chain_arms(s, node, &nodes));
    struct arm *arms = arena_zalloc(s->arena, sizeof *arms * nodes.count);
    uint32_t width = 0;
    for (uint32_t i = 0; i < nodes.count; i++) {
        struct sql_query query;
        arms[i].location = select_location(nodes.items[i]);
        TRY(sql_query(s, nodes.items[i], true, &query));
        arms[i].plan = sql_query_plan(s, &query);
        width = i == 0 ? query.visible : width;
        if (query.visible != width) {
            return sql_fail(s, STATUS_INVALID, arms[i].location,
                            "each UNION query must have the same number of columns");
        }
        arms[i].exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (width + 1));
        for (uint32_t c = 0; c < width; c++) {
            arms[i].exprs[c] = arm_expr(s, arms[i].plan, c);
        }
    }
    struct type *types = arena_zalloc(s->arena, sizeof *types * (width + 1));
    TRY(unify_arms(s, "UNION", arms, nodes.count, types, width));
    *out = (struct sql_query){.plan = union_plan(s, arms, nodes.count, types, width), .visible = width};
    return node->all ? STATUS_OK : distinct_plan(s, out->plan, arms[0].location, &out->plan);
}

static enum status values(struct sql *s, const PgQuery__SelectStmt *node, struct sql_query *out)
{
    uint32_t width = (uint32_t)node->values_lists[0]->list->n_items;
    if (node->n_values_lists > SQL_ARMS_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, select_location(node), "VALUES of more than %d rows", SQL_ARMS_MAX);
    }
    struct arm *arms = arena_zalloc(s->arena, sizeof *arms * node->n_values_lists);
    struct sql_scope scope = {.s = s, .clause = "VALUES"};
    for (size_t i = 0; i < node->n_values_lists; i++) {
        const PgQuery__List *row = node->values_lists[i]->list;
        arms[i].location = row->n_items > 0 ? sql_location(row->items[0]) : -1;
        if (row->n_items != width) {
            return sql_fail(s, STATUS_INVALID, arms[i].location, "VALUES lists must all be the same length");
        }
        arms[i].plan = plan_new(s->arena, PLAN_ONE, 0, 0);
        arms[i].exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (width + 1));
        for (uint32_t c = 0; c < width; c++) {
            TRY(sql_expression(&scope, row->items[c], &arms[i].exprs[c]));
        }
    }
    struct type *types = arena_zalloc(s->arena, sizeof *types * (width + 1));
    TRY(unify_arms(s, "VALUES", arms, (uint32_t)node->n_values_lists, types, width));
    const char **names = arena_zalloc(s->arena, sizeof(char *) * (width + 1));
    for (uint32_t c = 0; c < width; c++) {
        names[c] = arena_printf(s->arena, "column%u", c + 1);
    }
    arms[0].plan = sql_project(s, arms[0].plan, arms[0].exprs, names, width);
    arms[0].exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (width + 1));
    for (uint32_t c = 0; c < width; c++) {
        arms[0].exprs[c] = expr_column(s->arena, c, arms[0].plan->columns[c].type);
    }
    *out =
        (struct sql_query){.plan = union_plan(s, arms, (uint32_t)node->n_values_lists, types, width), .visible = width};
    return STATUS_OK;
}

static enum status query_body(struct sql *s, const PgQuery__SelectStmt *node, bool keep_unknown, struct sql_query *out)
{
    if (node->n_locking_clause > 0) {
        return sql_refuse(s, select_location(node), "FOR UPDATE/SHARE");
    }
    if (node->into_clause != NULL) {
        return sql_refuse(s, select_location(node), "SELECT INTO");
    }
    TRY(with_clause(s, node->with_clause));
    bool is_set = node->op == PG_QUERY__SET_OPERATION__SETOP_UNION ||
                  node->op == PG_QUERY__SET_OPERATION__SETOP_EXCEPT ||
                  node->op == PG_QUERY__SET_OPERATION__SETOP_INTERSECT;
    if (!is_set && node->n_values_lists == 0) {
        return sql_select(s, node, keep_unknown, out);
    }
    TRY(is_set ? set_operation(s, node, out) : values(s, node, out));
    TRY(output_order(s, node, out));
    return sql_limit(s, node, out);
}

enum status sql_query(struct sql *s, const PgQuery__SelectStmt *node, bool keep_unknown, struct sql_query *out)
{
    *out = (struct sql_query){0};
    if (s->query_depth >= SQL_QUERY_DEPTH_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, select_location(node), "queries nested more than %d deep",
                        SQL_QUERY_DEPTH_MAX);
    }
    const struct sql_cte *outer = s->ctes;
    s->query_depth += 1;
    enum status st = query_body(s, node, keep_unknown, out);
    s->query_depth -= 1;
    s->ctes = outer;
    return st;
}
