/* The FROM clause: tables, views, common table expressions, subqueries and joins, as one plan and the names over it. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <string.h>

static enum status from_item(struct sql *s, const PgQuery__Node *node, uint32_t depth, struct sql_from *out);

static struct expr *shift_column(struct sql_rewriter *r, struct expr *e)
{
    if (e->kind != EXPR_COLUMN) {
        return NULL;
    }
    struct expr *copy = arena_dup(r->arena, e, sizeof *e);
    copy->column += *(const uint32_t *)r->context;
    return copy;
}

static struct sql_column *shifted(const struct sql *s, const struct sql_column *columns, uint32_t count, uint32_t by)
{
    struct sql_column *out = arena_zalloc(s->arena, sizeof *out * (count + 1));
    struct sql_rewriter r = {.arena = s->arena, .replace = shift_column, .context = &by};
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (struct sql_column){.name = columns[i].name, .expr = sql_rewrite(&r, columns[i].expr)};
    }
    return out;
}

static bool same_range_name(const struct sql_range *x, const struct sql_range *y)
{
    bool both_tables = x->schema != NULL && y->schema != NULL;
    return strcmp(x->alias, y->alias) == 0 && (!both_tables || strcmp(x->schema, y->schema) == 0);
}

/* The names of both, the right one's columns after the left one's. */
static enum status combine(struct sql *s, const struct sql_from *left, const struct sql_from *right, int32_t location,
                           struct sql_from *out)
{
    uint32_t width = left->plan == NULL ? 0 : left->plan->column_count;
    if (width + right->plan->column_count > SQL_FROM_COLUMNS_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, location, "a FROM clause of more than %d columns", SQL_FROM_COLUMNS_MAX);
    }
    *out = (struct sql_from){0};
    out->ranges = arena_zalloc(s->arena, sizeof *out->ranges * (left->range_count + right->range_count + 1));
    for (uint32_t i = 0; i < left->range_count; i++) {
        out->ranges[out->range_count++] = left->ranges[i];
    }
    for (uint32_t i = 0; i < right->range_count; i++) {
        struct sql_range range = right->ranges[i];
        for (uint32_t l = 0; l < left->range_count; l++) {
            if (same_range_name(&range, &left->ranges[l])) {
                return sql_fail(s, STATUS_INVALID, location, "table name \"%s\" specified more than once", range.alias);
            }
        }
        range.columns = shifted(s, range.columns, range.column_count, width);
        range.first += width;
        out->ranges[out->range_count++] = range;
    }
    out->columns = arena_zalloc(s->arena, sizeof *out->columns * (left->column_count + right->column_count + 1));
    for (uint32_t i = 0; i < left->column_count; i++) {
        out->columns[out->column_count++] = left->columns[i];
    }
    const struct sql_column *columns = shifted(s, right->columns, right->column_count, width);
    for (uint32_t i = 0; i < right->column_count; i++) {
        out->columns[out->column_count++] = columns[i];
    }
    return STATUS_OK;
}

static struct plan *join_plan(const struct sql *s, enum plan_join_kind kind, struct plan *left, struct plan *right,
                              struct expr *condition, int32_t location)
{
    struct plan *p = plan_new(s->arena, PLAN_JOIN, left->column_count + right->column_count, 2);
    memcpy(p->columns, left->columns, sizeof *p->columns * left->column_count);
    memcpy(p->columns + left->column_count, right->columns, sizeof *p->columns * right->column_count);
    p->inputs[0] = left;
    p->inputs[1] = right;
    p->join_kind = kind;
    p->condition = condition;
    p->where = sql_where(s, location);
    return p;
}

/* One range over the first `visible` columns of `plan`. */
static void single_range(const struct sql *s, struct plan *plan, uint32_t visible, const char *alias,
                         struct sql_from *out)
{
    struct sql_range *range = arena_zalloc(s->arena, sizeof *range);
    range->alias = arena_strdup(s->arena, alias);
    range->columns = arena_zalloc(s->arena, sizeof *range->columns * (visible + 1));
    range->column_count = visible;
    for (uint32_t i = 0; i < visible; i++) {
        range->columns[i].name = plan->columns[i].name;
        range->columns[i].expr = expr_column(s->arena, i, plan->columns[i].type);
    }
    *out = (struct sql_from){
        .plan = plan, .ranges = range, .range_count = 1, .columns = range->columns, .column_count = visible};
}

/* AS t (a, b): new names for the first columns. */
static enum status rename_columns(struct sql *s, const PgQuery__Alias *alias, int32_t location, struct sql_from *from)
{
    if (alias == NULL || alias->n_colnames == 0) {
        return STATUS_OK;
    }
    struct sql_range *range = &from->ranges[0];
    if (alias->n_colnames > range->column_count) {
        return sql_fail(s, STATUS_INVALID, location, "table \"%s\" has %u columns available but %zu columns specified",
                        range->alias, range->column_count, alias->n_colnames);
    }
    for (size_t i = 0; i < alias->n_colnames; i++) {
        range->columns[i].name = arena_strdup(s->arena, sql_string(alias->colnames[i]));
    }
    return STATUS_OK;
}

static struct plan *scan(const struct sql *s, const struct catalog_table *table, int32_t location)
{
    struct plan *p = plan_new(s->arena, PLAN_SCAN, table->column_count, 0);
    p->table = table;
    p->where = sql_where(s, location);
    for (uint32_t i = 0; i < table->column_count; i++) {
        p->columns[i] = (struct plan_column){
            .name = table->columns[i].name, .type = table->columns[i].type, .not_null = table->columns[i].not_null};
    }
    return p;
}

static enum status no_relation(struct sql *s, const PgQuery__RangeVar *node, const char *schema)
{
    const struct catalog *c = s->catalog;
    struct sql_nearest nearest = {0};
    for (uint32_t i = 0; i < c->table_count; i++) {
        sql_nearest_try(&nearest, node->relname, c->tables[i]->name,
                        arena_printf(s->arena, "%s.%s", c->tables[i]->schema, c->tables[i]->name));
        if (strcmp(c->tables[i]->name, node->relname) == 0) {
            nearest.best = arena_printf(s->arena, "%s.%s", c->tables[i]->schema, c->tables[i]->name);
            nearest.distance = 0;
        }
    }
    for (uint32_t i = 0; i < c->view_count; i++) {
        sql_nearest_try(&nearest, node->relname, c->views[i]->name,
                        arena_printf(s->arena, "%s.%s", c->views[i]->schema, c->views[i]->name));
    }
    const char *name = schema == NULL ? node->relname : arena_printf(s->arena, "%s.%s", schema, node->relname);
    if (nearest.best == NULL) {
        return sql_fail(s, STATUS_INVALID, node->location, "relation \"%s\" does not exist", name);
    }
    return sql_fail(s, STATUS_INVALID, node->location, "relation \"%s\" does not exist: perhaps you meant \"%s\"", name,
                    nearest.best);
}

static const struct sql_cte *find_cte(const struct sql *s, const char *name)
{
    for (const struct sql_cte *cte = s->ctes; cte != NULL; cte = cte->next) {
        if (strcmp(cte->name, name) == 0) {
            return cte;
        }
    }
    return NULL;
}

static enum status range_var(struct sql *s, const PgQuery__RangeVar *node, struct sql_from *out)
{
    bool has_alias = node->alias != NULL;
    const char *alias = has_alias ? node->alias->aliasname : node->relname;
    const char *schema = node->schemaname != NULL && node->schemaname[0] != '\0' ? node->schemaname : NULL;
    if (node->catalogname != NULL && node->catalogname[0] != '\0') {
        return sql_refuse(s, node->location, "a name with a database");
    }
    const struct sql_cte *cte = schema == NULL ? find_cte(s, node->relname) : NULL;
    const struct catalog_table *table = catalog_find_table(s->catalog, schema, node->relname);
    const struct catalog_view *view = catalog_find_view(s->catalog, schema, node->relname);
    if (cte != NULL) {
        *cte->uses += 1;
        single_range(s, cte->plan, cte->plan->column_count, alias, out);
    } else if (table != NULL && (view == NULL || strcmp(table->schema, "public") == 0)) {
        single_range(s, scan(s, table, node->location), table->column_count, alias, out);
        out->ranges[0].table = table;
        out->ranges[0].schema = has_alias ? NULL : table->schema;
    } else if (view != NULL) {
        single_range(s, view->plan, view->visible_count, alias, out);
        out->ranges[0].schema = has_alias ? NULL : view->schema;
    } else {
        return no_relation(s, node, schema);
    }
    return rename_columns(s, node->alias, node->location, out);
}

static enum status subselect(struct sql *s, const PgQuery__RangeSubselect *node, struct sql_from *out)
{
    int32_t location =
        node->subquery->select_stmt->n_target_list > 0 ? sql_location(node->subquery->select_stmt->target_list[0]) : -1;
    if (node->lateral) {
        return sql_refuse(s, location, "LATERAL");
    }
    struct sql_query query;
    TRY(sql_query(s, node->subquery->select_stmt, false, &query));
    struct plan *plan = sql_query_plan(s, &query);
    single_range(s, plan, plan->column_count, node->alias != NULL ? node->alias->aliasname : "", out);
    return rename_columns(s, node->alias, location, out);
}

struct using_pair {
    const char *name;
    uint32_t left;  /* in the left item's visible columns */
    uint32_t right; /* in the right item's */
};

static enum status find_common(struct sql *s, const struct sql_from *side, const char *name, const char *which,
                               int32_t location, uint32_t *out)
{
    uint32_t count = sql_count_columns(side, name);
    if (count != 1) {
        return sql_fail(s, STATUS_INVALID, location,
                        count == 0 ? "column \"%s\" specified in USING clause does not exist in %s table"
                                   : "common column name \"%s\" appears more than once in %s table",
                        name, which);
    }
    uint32_t i = 0;
    while (strcmp(side->columns[i].name, name) != 0) {
        i++;
    }
    *out = i;
    return STATUS_OK;
}

static enum status using_pairs(struct sql *s, const PgQuery__JoinExpr *node, const struct sql_from *left,
                               const struct sql_from *right, int32_t location, struct sql_list *pairs)
{
    for (size_t i = 0; i < node->n_using_clause; i++) {
        struct using_pair *pair = arena_zalloc(s->arena, sizeof *pair);
        pair->name = arena_strdup(s->arena, sql_string(node->using_clause[i]));
        TRY(find_common(s, left, pair->name, "left", location, &pair->left));
        TRY(find_common(s, right, pair->name, "right", location, &pair->right));
        sql_list_add(s->arena, pairs, pair);
    }
    for (uint32_t i = 0; node->is_natural && i < left->column_count; i++) {
        if (sql_count_columns(right, left->columns[i].name) == 0) {
            continue;
        }
        struct using_pair *pair = arena_zalloc(s->arena, sizeof *pair);
        pair->name = left->columns[i].name;
        TRY(find_common(s, left, pair->name, "left", location, &pair->left));
        TRY(find_common(s, right, pair->name, "right", location, &pair->right));
        sql_list_add(s->arena, pairs, pair);
    }
    return STATUS_OK;
}

static bool is_merged(const struct sql_list *pairs, bool right, uint32_t column)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct using_pair *pair = pairs->items[i];
        if ((right ? pair->right : pair->left) == column) {
            return true;
        }
    }
    return false;
}

/* USING and NATURAL: the equalities, and each pair shown as one column, before the others. */
static enum status merge_columns(struct sql *s, const struct sql_list *pairs, uint32_t left_count, bool keep_right,
                                 int32_t location, struct sql_from *both, struct sql_list *conditions)
{
    struct sql_column *columns = arena_zalloc(s->arena, sizeof *columns * (both->column_count + 1));
    uint32_t count = 0;
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct using_pair *pair = pairs->items[i];
        struct expr *sides[2] = {both->columns[pair->left].expr, both->columns[left_count + pair->right].expr};
        struct expr *equal = NULL;
        struct type type;
        TRY(sql_at(s, location, expr_operator(s->arena, "=", sides[0], sides[1], &equal, s->err)));
        sql_list_add(s->arena, conditions, equal);
        TRY(sql_at(s, location, expr_unify(s->arena, "JOIN/USING", sides, 2, &type, s->err)));
        columns[count++] = (struct sql_column){.name = pair->name, .expr = sides[keep_right ? 1 : 0]};
    }
    for (uint32_t i = 0; i < both->column_count; i++) {
        bool right = i >= left_count;
        if (!is_merged(pairs, right, right ? i - left_count : i)) {
            columns[count++] = both->columns[i];
        }
    }
    both->columns = columns;
    both->column_count = count;
    return STATUS_OK;
}

static enum status join_condition(struct sql *s, const PgQuery__JoinExpr *node, const struct sql_from *both,
                                  struct sql_list *conditions, struct expr **out)
{
    struct sql_scope scope = {.s = s, .from = both, .clause = "JOIN/ON"};
    if (node->quals != NULL) {
        struct expr *e = NULL;
        TRY(sql_condition(&scope, node->quals, &e));
        sql_list_add(s->arena, conditions, e);
    }
    *out = NULL;
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr **args = arena_zalloc(s->arena, sizeof(struct expr *) * 2);
        args[0] = *out;
        args[1] = conditions->items[i];
        if (*out == NULL) {
            *out = args[1];
        } else {
            TRY(sql_at(s, -1, expr_logical(s->arena, EXPR_AND, args, 2, out, s->err)));
        }
    }
    return STATUS_OK;
}

static struct expr *swap_column(struct sql_rewriter *r, struct expr *e)
{
    const uint32_t *widths = r->context;
    if (e->kind != EXPR_COLUMN) {
        return NULL;
    }
    struct expr *copy = arena_dup(r->arena, e, sizeof *e);
    copy->column = e->column < widths[0] ? e->column + widths[1] : e->column - widths[0];
    return copy;
}

/* x RIGHT JOIN y is y LEFT JOIN x with the columns put back in place. */
static struct plan *right_join(struct sql *s, struct plan *left, struct plan *right, struct expr *condition,
                               int32_t location)
{
    uint32_t widths[2] = {left->column_count, right->column_count};
    struct sql_rewriter r = {.arena = s->arena, .replace = swap_column, .context = widths};
    if (condition != NULL) {
        condition = sql_rewrite(&r, condition);
    }
    struct plan *join = join_plan(s, PLAN_JOIN_LEFT, right, left, condition, location);
    uint32_t width = join->column_count;
    struct expr **exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (width + 1));
    const char **names = arena_zalloc(s->arena, sizeof(char *) * (width + 1));
    for (uint32_t i = 0; i < width; i++) {
        uint32_t at = i < widths[0] ? i + widths[1] : i - widths[0];
        exprs[i] = expr_column(s->arena, at, join->columns[at].type);
        names[i] = join->columns[at].name;
    }
    return sql_project(s, join, exprs, names, width);
}

static enum status join_alias(struct sql *s, const PgQuery__JoinExpr *node, int32_t location, struct sql_from *out)
{
    if (node->join_using_alias != NULL) {
        return sql_refuse(s, location, "an alias of a USING clause");
    }
    if (node->alias == NULL) {
        return STATUS_OK;
    }
    struct sql_range *range = arena_zalloc(s->arena, sizeof *range);
    range->alias = arena_strdup(s->arena, node->alias->aliasname);
    range->columns = out->columns;
    range->column_count = out->column_count;
    out->ranges = range;
    out->range_count = 1;
    return rename_columns(s, node->alias, location, out);
}

static int32_t item_location(const PgQuery__Node *node)
{
    while (node != NULL && node->node_case == PG_QUERY__NODE__NODE_JOIN_EXPR) {
        node = node->join_expr->larg;
    }
    if (node != NULL && node->node_case == PG_QUERY__NODE__NODE_RANGE_SUBSELECT) {
        const PgQuery__SelectStmt *select = node->range_subselect->subquery->select_stmt;
        return select->n_target_list > 0 ? sql_location(select->target_list[0]) : -1;
    }
    return sql_location(node);
}

static enum status join_expr(struct sql *s, const PgQuery__JoinExpr *node, uint32_t depth, struct sql_from *out)
{
    int32_t location = item_location(node->rarg);
    bool right_kind = node->jointype == PG_QUERY__JOIN_TYPE__JOIN_RIGHT;
    if (node->jointype == PG_QUERY__JOIN_TYPE__JOIN_FULL) {
        return sql_refuse(s, location, "FULL JOIN");
    }
    struct sql_from left;
    struct sql_from right;
    TRY(from_item(s, node->larg, depth + 1, &left));
    TRY(from_item(s, node->rarg, depth + 1, &right));
    struct sql_list pairs = {0};
    struct sql_list conditions = {0};
    struct expr *condition = NULL;
    TRY(using_pairs(s, node, &left, &right, location, &pairs));
    TRY(combine(s, &left, &right, location, out));
    TRY(merge_columns(s, &pairs, left.column_count, right_kind, location, out, &conditions));
    TRY(join_condition(s, node, out, &conditions, &condition));
    enum plan_join_kind kind = node->jointype == PG_QUERY__JOIN_TYPE__JOIN_LEFT ? PLAN_JOIN_LEFT : PLAN_JOIN_INNER;
    out->plan = right_kind ? right_join(s, left.plan, right.plan, condition, location)
                           : join_plan(s, kind, left.plan, right.plan, condition, location);
    return join_alias(s, node, location, out);
}

static enum status from_item(struct sql *s, const PgQuery__Node *node, uint32_t depth, struct sql_from *out)
{
    *out = (struct sql_from){0};
    if (depth > SQL_JOIN_DEPTH_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, item_location(node), "more than %d joins", SQL_JOIN_DEPTH_MAX);
    }
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_RANGE_VAR:
        return range_var(s, node->range_var, out);
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
        return subselect(s, node->range_subselect, out);
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        return join_expr(s, node->join_expr, depth, out);
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
        return sql_refuse(s, sql_location(node), "a function in FROM");
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
        return sql_refuse(s, sql_location(node), "TABLESAMPLE");
    default:
        return sql_refuse(s, sql_location(node), sql_node_name(node));
    }
}

enum status sql_from_clause(struct sql *s, PgQuery__Node *const *items, size_t count, struct sql_from *out)
{
    *out = (struct sql_from){0};
    if (count == 0) {
        out->plan = plan_new(s->arena, PLAN_ONE, 0, 0);
        return STATUS_OK;
    }
    if (count > SQL_JOIN_DEPTH_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, item_location(items[0]), "more than %d joins", SQL_JOIN_DEPTH_MAX);
    }
    TRY(from_item(s, items[0], 0, out));
    for (size_t i = 1; i < count; i++) {
        struct sql_from left = *out;
        struct sql_from right;
        TRY(from_item(s, items[i], 0, &right));
        TRY(combine(s, &left, &right, item_location(items[i]), out));
        out->plan = join_plan(s, PLAN_JOIN_INNER, left.plan, right.plan, NULL, item_location(items[i]));
    }
    return STATUS_OK;
}
