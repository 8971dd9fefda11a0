/* GROUP BY: a projection of what is grouped by and aggregated, the GROUP node over it, HAVING over that; then the
 * output expressions are made to speak of the group's columns. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <string.h>

struct group_state {
    struct sql_select_state *sel;
    uint32_t written;       /* groups that the query names; later ones hang on a primary key among them */
    struct sql_list inputs; /* struct expr: the projection below the GROUP node */
};

static uint32_t input_column(struct group_state *g, struct expr *e)
{
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        if (expr_equal(g->inputs.items[i], e)) {
            return i;
        }
    }
    sql_list_add(g->sel->s->arena, &g->inputs, e);
    return g->inputs.count - 1;
}

static bool is_grouped_column(const struct group_state *g, uint32_t column)
{
    for (uint32_t i = 0; i < g->written; i++) {
        const struct expr *e = g->sel->groups.items[i];
        if (e->kind == EXPR_COLUMN && e->column == column) {
            return true;
        }
    }
    return false;
}

/* True where the column's table has its whole primary key among the groups. */
static bool depends_on_groups(const struct group_state *g, uint32_t column)
{
    const struct sql_from *from = &g->sel->from;
    for (uint32_t r = 0; r < from->range_count; r++) {
        const struct sql_range *range = &from->ranges[r];
        if (range->table == NULL || column < range->first || column >= range->first + range->table->column_count) {
            continue;
        }
        for (uint32_t k = 0; k < range->table->key_count; k++) {
            if (!is_grouped_column(g, range->first + range->table->key_columns[k])) {
                return false;
            }
        }
        return true;
    }
    return false;
}

static struct expr *group_use(const struct group_state *g, uint32_t group, const struct expr *e)
{
    struct expr *use = expr_column(g->sel->s->arena, group, e->type);
    use->location = e->location;
    return use;
}

static struct expr *replace_group(struct sql_rewriter *r, struct expr *e)
{
    struct group_state *g = r->context;
    struct sql *s = g->sel->s;
    if (e->kind == EXPR_CONST || (e->kind == EXPR_COLUMN && e->column >= SQL_AGGREGATE_FIRST)) {
        return e;
    }
    for (uint32_t i = 0; i < g->sel->groups.count; i++) {
        if (expr_equal(g->sel->groups.items[i], e)) {
            return group_use(g, i, e);
        }
    }
    if (e->kind != EXPR_COLUMN) {
        return NULL;
    }
    if (depends_on_groups(g, e->column)) {
        sql_list_add(s->arena, &g->sel->groups, e);
        return group_use(g, g->sel->groups.count - 1, e);
    }
    r->status = sql_fail(s, STATUS_INVALID, e->location,
                         "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function",
                         sql_column_text(s, &g->sel->from, e->column));
    return e;
}

static struct expr *replace_aggregate(struct sql_rewriter *r, struct expr *e)
{
    struct group_state *g = r->context;
    if (e->kind != EXPR_COLUMN || e->column < SQL_AGGREGATE_FIRST || e->column >= SQL_WINDOW_FIRST) {
        return NULL;
    }
    struct expr *use = expr_column(r->arena, g->sel->groups.count + (e->column - SQL_AGGREGATE_FIRST), e->type);
    use->location = e->location;
    return use;
}

/* Everything above the GROUP node goes through `replace`. */
static enum status rewrite_all(struct group_state *g, struct expr *(*replace)(struct sql_rewriter *, struct expr *))
{
    struct sql_select_state *sel = g->sel;
    struct sql_rewriter r = {.arena = sel->s->arena, .replace = replace, .context = g};
    for (uint32_t i = 0; i < sel->targets.count; i++) {
        struct sql_target *target = sel->targets.items[i];
        target->expr = sql_rewrite(&r, target->expr);
    }
    if (sel->having != NULL) {
        sel->having = sql_rewrite(&r, sel->having);
    }
    for (uint32_t i = 0; i < sel->windows.count; i++) {
        struct sql_window *window = sel->windows.items[i];
        for (uint32_t k = 0; k < window->partition_count; k++) {
            window->partition[k] = sql_rewrite(&r, window->partition[k]);
        }
        for (uint32_t k = 0; k < window->order_count; k++) {
            window->order[k].expr = sql_rewrite(&r, window->order[k].expr);
        }
    }
    return r.status;
}

static const char *kind_name(enum plan_aggregate_kind kind)
{
    static const char *const names[] = {"count", "count", "sum", "avg", "min", "max", "bool_and", "bool_or"};
    return names[kind];
}

static const char *input_name(const struct group_state *g, const struct expr *e)
{
    return e->kind == EXPR_COLUMN ? g->sel->from.plan->columns[e->column].name : "value";
}

static struct plan *group_node(struct group_state *g)
{
    struct sql_select_state *sel = g->sel;
    struct arena *a = sel->s->arena;
    uint32_t groups = sel->groups.count;
    struct plan *p = plan_new(a, PLAN_GROUP, groups + sel->aggregates.count, 1);
    p->group_columns = arena_zalloc(a, sizeof *p->group_columns * (groups + 1));
    p->group_count = groups;
    p->aggregates = arena_zalloc(a, sizeof *p->aggregates * (sel->aggregates.count + 1));
    p->aggregate_count = sel->aggregates.count;
    for (uint32_t i = 0; i < groups; i++) {
        struct expr *e = sel->groups.items[i];
        p->group_columns[i] = input_column(g, e);
        p->columns[i] = (struct plan_column){.name = input_name(g, e), .type = e->type};
    }
    for (uint32_t i = 0; i < sel->aggregates.count; i++) {
        const struct sql_aggregate *from = sel->aggregates.items[i];
        struct plan_aggregate *to = &p->aggregates[i];
        *to = (struct plan_aggregate){.kind = from->kind, .distinct = from->distinct, .type = from->type};
        to->argument = from->argument == NULL ? PLAN_NO_COLUMN : input_column(g, from->argument);
        to->filter = from->filter == NULL ? PLAN_NO_COLUMN : input_column(g, from->filter);
        p->columns[groups + i] = (struct plan_column){.name = kind_name(from->kind), .type = from->type};
    }
    if (groups > g->written) {
        p->has_key = true;
        p->key_count = g->written;
        p->key = arena_zalloc(a, sizeof *p->key * (g->written + 1));
        for (uint32_t i = 0; i < g->written; i++) {
            p->key[i] = i;
        }
    }
    return p;
}

enum status sql_group(struct sql_select_state *sel)
{
    struct sql *s = sel->s;
    struct group_state g = {.sel = sel, .written = sel->groups.count};
    TRY(rewrite_all(&g, replace_group));
    TRY(rewrite_all(&g, replace_aggregate));
    struct plan *p = group_node(&g);
    struct expr **exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (g.inputs.count + 1));
    const char **names = arena_zalloc(s->arena, sizeof(char *) * (g.inputs.count + 1));
    for (uint32_t i = 0; i < g.inputs.count; i++) {
        exprs[i] = g.inputs.items[i];
        names[i] = input_name(&g, exprs[i]);
    }
    p->where = sql_where(s, sel->node->n_group_clause > 0 ? sql_location(sel->node->group_clause[0])
                                                          : ((struct sql_target *)sel->targets.items[0])->location);
    p->inputs[0] = sql_project(s, sel->plan, exprs, names, g.inputs.count);
    sel->plan = sel->having == NULL ? p : sql_filter(s, p, sel->having);
    return STATUS_OK;
}
