/* Function calls: scalar functions, aggregates and rank functions. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <stdlib.h>
#include <string.h>

static int name_order(const void *name, const void *entry)
{
    return strcmp(name, *(const char *const *)entry);
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    return bsearch(name, names, count, sizeof *names, name_order) != NULL;
}

bool sql_is_aggregate_name(const char *name)
{
    static const char *const names[] = {"avg", "bool_and", "bool_or", "count", "every", "max", "min", "sum"};
    return is_among(name, names, sizeof names / sizeof names[0]);
}

/* PostgreSQL's other aggregates, for a better message than "function ... is not supported". */
static bool is_other_aggregate(const char *name)
{
    static const char *const names[] = {
        "any_value",
        "array_agg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "corr",
        "covar_pop",
        "covar_samp",
        "json_agg",
        "json_object_agg",
        "jsonb_agg",
        "jsonb_object_agg",
        "mode",
        "percentile_cont",
        "percentile_disc",
        "range_agg",
        "range_intersect_agg",
        "regr_avgx",
        "regr_avgy",
        "regr_count",
        "regr_intercept",
        "regr_r2",
        "regr_slope",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "string_agg",
        "var_pop",
        "var_samp",
        "variance",
        "xmlagg",
    };
    return is_among(name, names, sizeof names / sizeof names[0]);
}

static bool rank_kind(const char *name, enum plan_rank_kind *out)
{
    static const char *const names[] = {"row_number", "rank", "dense_rank"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum plan_rank_kind)i;
            return true;
        }
    }
    return false;
}

static enum plan_aggregate_kind aggregate_kind(const char *name, bool has_argument)
{
    static const struct {
        const char *name;
        enum plan_aggregate_kind kind;
    } kinds[] = {
        {"sum", AGGREGATE_SUM},         {"avg", AGGREGATE_AVG},        {"min", AGGREGATE_MIN},
        {"max", AGGREGATE_MAX},         {"every", AGGREGATE_BOOL_AND}, {"bool_and", AGGREGATE_BOOL_AND},
        {"bool_or", AGGREGATE_BOOL_OR},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return kinds[i].kind;
        }
    }
    return has_argument ? AGGREGATE_COUNT : AGGREGATE_COUNT_ROWS;
}

/* Inside an aggregate or a window there may be no further one. */
static struct sql_scope inner_scope(const struct sql_scope *scope, const char *clause)
{
    struct sql_scope inner = *scope;
    inner.clause = clause;
    inner.aggregates = NULL;
    inner.windows = NULL;
    return inner;
}

static bool same_aggregate(const struct sql_aggregate *x, const struct sql_aggregate *y)
{
    bool arguments =
        (x->argument == NULL) == (y->argument == NULL) && (x->argument == NULL || expr_equal(x->argument, y->argument));
    bool filters =
        (x->filter == NULL) == (y->filter == NULL) && (x->filter == NULL || expr_equal(x->filter, y->filter));
    return x->kind == y->kind && x->distinct == y->distinct && arguments && filters;
}

static struct expr *aggregate_use(const struct sql_scope *scope, struct sql_aggregate *made)
{
    struct sql_list *list = scope->aggregates;
    uint32_t i = 0;
    while (i < list->count && !same_aggregate(list->items[i], made)) {
        i++;
    }
    if (i == list->count) {
        sql_list_add(scope->s->arena, list, made);
    }
    return expr_column(scope->s->arena, SQL_AGGREGATE_FIRST + i, made->type);
}

static enum status aggregate_allowed(const struct sql_scope *scope, const PgQuery__FuncCall *call, const char *name)
{
    struct sql *s = scope->s;
    if (scope->aggregates == NULL) {
        bool nested = strcmp(scope->clause, "aggregate function calls") == 0;
        return sql_fail(s, STATUS_INVALID, call->location,
                        nested ? "aggregate function calls cannot be nested"
                               : "aggregate functions are not allowed in %s",
                        scope->clause);
    }
    if (call->n_agg_order > 0 || call->agg_within_group) {
        return sql_refuse(s, call->location, "ORDER BY in an aggregate");
    }
    if (call->agg_star ? strcmp(name, "count") != 0 : call->n_args != 1) {
        return sql_fail(s, STATUS_INVALID, call->location,
                        strcmp(name, "count") == 0 && call->n_args == 0
                            ? "%s(*) must be used to call a parameterless aggregate function"
                            : "function %s takes one argument",
                        name);
    }
    return STATUS_OK;
}

static enum status aggregate(const struct sql_scope *scope, const PgQuery__FuncCall *call, const char *name,
                             struct expr **out)
{
    struct sql *s = scope->s;
    TRY(aggregate_allowed(scope, call, name));
    struct sql_aggregate *made = arena_zalloc(s->arena, sizeof *made);
    made->kind = aggregate_kind(name, !call->agg_star);
    struct sql_scope inner = inner_scope(scope, "aggregate function calls");
    if (!call->agg_star) {
        TRY(sql_expression(&inner, call->args[0], &made->argument));
    }
    TRY(sql_at(s, call->location,
               expr_aggregate_type(s->arena, name, call->agg_star ? NULL : &made->argument, &made->type, s->err)));
    bool orders = made->kind == AGGREGATE_MIN || made->kind == AGGREGATE_MAX;
    if (made->argument != NULL) {
        TRY(sql_resolve_unknown(s, &made->argument));
    }
    if (made->argument != NULL && (orders || call->agg_distinct)) {
        TRY(sql_check_equality(s, &made->argument->type, call->location));
    }
    /* These give the same with every value once. */
    made->distinct =
        call->agg_distinct && !orders && made->kind != AGGREGATE_BOOL_AND && made->kind != AGGREGATE_BOOL_OR;
    if (call->agg_filter != NULL) {
        struct sql_scope filter = inner_scope(scope, "FILTER");
        TRY(sql_condition(&filter, call->agg_filter, &made->filter));
    }
    *out = aggregate_use(scope, made);
    return STATUS_OK;
}

enum status sql_sort_direction(struct sql *s, const PgQuery__SortBy *sort, struct sql_sort *out)
{
    if (sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING) {
        return sql_refuse(s, sql_location(sort->node), "ORDER BY ... USING");
    }
    out->desc = sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
    bool is_default = sort->sortby_nulls != PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST &&
                      sort->sortby_nulls != PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST;
    out->nulls_first = is_default ? out->desc : sort->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST;
    return STATUS_OK;
}

static enum status window_order(const struct sql_scope *scope, const PgQuery__WindowDef *def, struct sql_window *window)
{
    struct sql *s = scope->s;
    window->order = arena_zalloc(s->arena, sizeof *window->order * (def->n_order_clause + 1));
    for (size_t i = 0; i < def->n_order_clause; i++) {
        const PgQuery__SortBy *sort = def->order_clause[i]->sort_by;
        struct sql_sort *order = &window->order[window->order_count];
        TRY(sql_sort_direction(s, sort, order));
        TRY(sql_expression(scope, sort->node, &order->expr));
        TRY(sql_resolve_unknown(s, &order->expr));
        TRY(sql_check_order(s, &order->expr->type, sql_location(sort->node)));
        window->order_count += order->expr->kind == EXPR_CONST ? 0 : 1;
    }
    return STATUS_OK;
}

static enum status window_partition(const struct sql_scope *scope, const PgQuery__WindowDef *def,
                                    struct sql_window *window)
{
    struct sql *s = scope->s;
    window->partition = arena_zalloc(s->arena, sizeof(struct expr *) * (def->n_partition_clause + 1));
    for (size_t i = 0; i < def->n_partition_clause; i++) {
        struct expr *e = NULL;
        TRY(sql_expression(scope, def->partition_clause[i], &e));
        TRY(sql_resolve_unknown(s, &e));
        TRY(sql_check_equality(s, &e->type, sql_location(def->partition_clause[i])));
        if (e->kind != EXPR_CONST) {
            window->partition[window->partition_count++] = e;
        }
    }
    return STATUS_OK;
}

static enum status named_window(const struct sql_scope *scope, const char *name, int32_t location,
                                const PgQuery__WindowDef **out)
{
    for (size_t i = 0; i < scope->named_window_count; i++) {
        const PgQuery__WindowDef *def = scope->named_windows[i]->window_def;
        if (strcmp(def->name, name) == 0) {
            *out = def;
            return STATUS_OK;
        }
    }
    return sql_fail(scope->s, STATUS_INVALID, location, "window \"%s\" does not exist", name);
}

static enum status has_no_order_yet(struct sql *s, const PgQuery__WindowDef *def, const struct sql_window *window)
{
    if (def->n_order_clause > 0 && window->order_count > 0) {
        return sql_fail(s, STATUS_INVALID, def->location, "cannot override ORDER BY clause of window \"%s\"",
                        def->refname);
    }
    if (def->n_partition_clause > 0) {
        return sql_fail(s, STATUS_INVALID, def->location, "cannot override PARTITION BY clause of window \"%s\"",
                        def->refname);
    }
    return STATUS_OK;
}

/* A window may be named (OVER w) or build on a named one (OVER (w ORDER BY ...)), which may do so too. */
static enum status window_spec(const struct sql_scope *scope, const PgQuery__WindowDef *def, uint32_t depth,
                               struct sql_window *window)
{
    struct sql *s = scope->s;
    bool is_name = depth == 0 && def->name != NULL && def->name[0] != '\0';
    const char *base_name = is_name ? def->name : def->refname;
    const PgQuery__WindowDef *base = NULL;
    if (depth > SQL_QUERY_DEPTH_MAX) {
        return sql_fail(s, STATUS_INVALID, def->location, "window \"%s\" builds on itself", def->name);
    }
    if (base_name != NULL && base_name[0] != '\0') {
        TRY(named_window(scope, base_name, def->location, &base));
        TRY(window_spec(scope, base, depth + 1, window));
        if (is_name) {
            return STATUS_OK;
        }
        TRY(has_no_order_yet(s, def, window));
    } else {
        TRY(window_partition(scope, def, window));
    }
    return base != NULL && def->n_order_clause == 0 ? STATUS_OK : window_order(scope, def, window);
}

static enum status window_function(const struct sql_scope *scope, const PgQuery__FuncCall *call, const char *name,
                                   struct expr **out)
{
    struct sql *s = scope->s;
    enum plan_rank_kind kind = RANK_ROW_NUMBER;
    if (!rank_kind(name, &kind)) {
        return sql_fail(s, STATUS_UNSUPPORTED, call->location,
                        "window function %s() is not supported: row_number, rank and dense_rank are", name);
    }
    if (scope->windows == NULL) {
        return sql_fail(s, STATUS_INVALID, call->location,
                        strcmp(scope->clause, "window definitions") == 0 ? "window function calls cannot be nested"
                                                                         : "window functions are not allowed in %s",
                        scope->clause);
    }
    if (call->n_args > 0 || call->agg_star) {
        return sql_fail(s, STATUS_INVALID, call->location, "function %s takes no arguments", name);
    }
    if (call->agg_filter != NULL) {
        return sql_fail(s, STATUS_INVALID, call->location,
                        "FILTER is not implemented for non-aggregate window functions");
    }
    struct sql_window *window = arena_zalloc(s->arena, sizeof *window);
    window->kind = kind;
    struct sql_scope inner = *scope;
    inner.windows = NULL;
    inner.clause = "window definitions";
    TRY(window_spec(&inner, call->over, 0, window));
    sql_list_add(s->arena, scope->windows, window);
    *out = expr_column(s->arena, SQL_WINDOW_FIRST + scope->windows->count - 1, type_make(TYPE_INT8));
    return STATUS_OK;
}

static enum status scalar_function(const struct sql_scope *scope, const PgQuery__FuncCall *call, const char *name,
                                   struct expr **out)
{
    struct sql *s = scope->s;
    if (call->agg_star || call->agg_distinct || call->agg_filter != NULL || call->n_agg_order > 0) {
        const char *what = call->agg_star             ? "(*)"
                           : call->agg_distinct       ? "DISTINCT"
                           : call->agg_filter != NULL ? "FILTER"
                                                      : "ORDER BY";
        return sql_fail(s, STATUS_INVALID, call->location,
                        "%s specified, but %s is not an aggregate function that is supported", what, name);
    }
    if (call->func_variadic) {
        return sql_refuse(s, call->location, "VARIADIC");
    }
    struct expr **args = arena_zalloc(s->arena, sizeof(struct expr *) * (call->n_args + 1));
    for (size_t i = 0; i < call->n_args; i++) {
        TRY(sql_expression(scope, call->args[i], &args[i]));
    }
    return sql_at(s, call->location, expr_call(s->arena, name, args, (uint32_t)call->n_args, out, s->err));
}

enum status sql_function(const struct sql_scope *scope, const PgQuery__FuncCall *call, struct expr **out)
{
    struct sql *s = scope->s;
    const char *name = sql_string(call->funcname[call->n_funcname - 1]);
    if (call->n_funcname > 1 && strcmp(sql_string(call->funcname[0]), "pg_catalog") != 0) {
        return sql_fail(s, STATUS_UNSUPPORTED, call->location,
                        "function %s.%s is not supported: it is not PostgreSQL's", sql_string(call->funcname[0]), name);
    }
    if (call->over != NULL) {
        return window_function(scope, call, name, out);
    }
    enum plan_rank_kind kind = RANK_ROW_NUMBER;
    if (rank_kind(name, &kind)) {
        return sql_fail(s, STATUS_INVALID, call->location, "window function %s requires an OVER clause", name);
    }
    if (sql_is_aggregate_name(name)) {
        return aggregate(scope, call, name, out);
    }
    if (is_other_aggregate(name)) {
        return sql_fail(s, STATUS_UNSUPPORTED, call->location,
                        "aggregate function %s() is not supported: count, sum, avg, min, max, bool_and, bool_or and "
                        "every are",
                        name);
    }
    return scalar_function(scope, call, name, out);
}
