/* Rank functions: windows of one partition and order share a node, different ones are stacked. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <string.h>

static bool same_window(const struct sql_window *x, const struct sql_window *y)
{
    if (x->partition_count != y->partition_count || x->order_count != y->order_count) {
        return false;
    }
    for (uint32_t i = 0; i < x->partition_count; i++) {
        if (!expr_equal(x->partition[i], y->partition[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < x->order_count; i++) {
        const struct sql_sort *a = &x->order[i];
        const struct sql_sort *b = &y->order[i];
        if (a->desc != b->desc || a->nulls_first != b->nulls_first || !expr_equal(a->expr, b->expr)) {
            return false;
        }
    }
    return true;
}

/* The input with what the window speaks of as columns after its own. */
struct extension {
    struct sql *s;
    struct plan *input;
    struct expr **exprs;
    const char **names;
    uint32_t count;
};

static struct extension extension_of(struct sql *s, struct plan *input, uint32_t more)
{
    struct extension x = {.s = s, .input = input, .count = input->column_count};
    x.exprs = arena_zalloc(s->arena, sizeof(struct expr *) * (x.count + more + 1));
    x.names = arena_zalloc(s->arena, sizeof(char *) * (x.count + more + 1));
    for (uint32_t i = 0; i < x.count; i++) {
        x.exprs[i] = expr_column(s->arena, i, input->columns[i].type);
        x.names[i] = input->columns[i].name;
    }
    return x;
}

static uint32_t extension_column(struct extension *x, struct expr *e)
{
    for (uint32_t i = 0; i < x->count; i++) {
        if (expr_equal(x->exprs[i], e)) {
            return i;
        }
    }
    x->exprs[x->count] = e;
    x->names[x->count] = "value";
    return x->count++;
}

static struct plan *rank_node(struct sql_select_state *sel, const struct sql_window *window)
{
    struct sql *s = sel->s;
    struct extension x = extension_of(s, sel->plan, window->partition_count + window->order_count);
    uint32_t *partition = arena_zalloc(s->arena, sizeof *partition * (window->partition_count + 1));
    struct plan_order *order = arena_zalloc(s->arena, sizeof *order * (window->order_count + 1));
    for (uint32_t i = 0; i < window->partition_count; i++) {
        partition[i] = extension_column(&x, window->partition[i]);
    }
    for (uint32_t i = 0; i < window->order_count; i++) {
        order[i] = (struct plan_order){.column = extension_column(&x, window->order[i].expr),
                                       .desc = window->order[i].desc,
                                       .nulls_first = window->order[i].nulls_first};
    }
    struct plan *input =
        x.count == sel->plan->column_count ? sel->plan : sql_project(s, sel->plan, x.exprs, x.names, x.count);
    struct plan *p = plan_new(s->arena, PLAN_RANK, input->column_count + sel->windows.count, 1);
    memcpy(p->columns, input->columns, sizeof *p->columns * input->column_count);
    p->column_count = input->column_count;
    p->inputs[0] = input;
    p->where = sql_where(s, ((const struct sql_target *)sel->targets.items[0])->location);
    p->partition_columns = partition;
    p->partition_count = window->partition_count;
    p->order = order;
    p->order_count = window->order_count;
    p->ranks = arena_zalloc(s->arena, sizeof *p->ranks * sel->windows.count);
    return p;
}

/* The node's column for this function, added where it is not there yet. */
static uint32_t rank_column(struct plan *p, enum plan_rank_kind kind)
{
    static const char *const names[] = {"row_number", "rank", "dense_rank"};
    uint32_t width = p->inputs[0]->column_count;
    for (uint32_t i = 0; i < p->rank_count; i++) {
        if (p->ranks[i] == kind) {
            return width + i;
        }
    }
    p->columns[p->column_count++] =
        (struct plan_column){.name = names[kind], .type = type_make(TYPE_INT8), .not_null = true};
    p->ranks[p->rank_count++] = kind;
    return width + p->rank_count - 1;
}

static struct expr *replace_window(struct sql_rewriter *r, struct expr *e)
{
    const struct sql_select_state *sel = r->context;
    if (e->kind != EXPR_COLUMN || e->column < SQL_WINDOW_FIRST) {
        return NULL;
    }
    const struct sql_window *window = sel->windows.items[e->column - SQL_WINDOW_FIRST];
    return expr_column(r->arena, window->column, e->type);
}

enum status sql_windows(struct sql_select_state *sel)
{
    for (uint32_t i = 0; i < sel->windows.count; i++) {
        struct sql_window *first = sel->windows.items[i];
        if (first->made) {
            continue;
        }
        struct plan *p = rank_node(sel, first);
        for (uint32_t k = i; k < sel->windows.count; k++) {
            struct sql_window *window = sel->windows.items[k];
            if (!window->made && same_window(first, window)) {
                window->made = true;
                window->column = rank_column(p, window->kind);
            }
        }
        sel->plan = p;
    }
    struct sql_rewriter r = {.arena = sel->s->arena, .replace = replace_window, .context = sel};
    for (uint32_t i = 0; i < sel->targets.count && sel->windows.count > 0; i++) {
        struct sql_target *target = sel->targets.items[i];
        target->expr = sql_rewrite(&r, target->expr);
    }
    return r.status;
}
