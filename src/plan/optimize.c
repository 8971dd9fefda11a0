/* The order of the passes; see optimize.h. */
#include "plan/optimize.h"

#include "expr/build.h"
#include "plan/rewrite.h"

#include <string.h>

static bool same_names(const struct plan_column *x, const struct plan_column *y, uint32_t count)
{
    for (uint32_t c = 0; c < count; c++) {
        if (strcmp(x[c].name, y[c].name) != 0) {
            return false;
        }
    }
    return true;
}

/* The passes care for places, not for names: gives the result the names of the root as it was. */
static struct plan *renamed(const struct plan_optimizer *o, struct plan *p, const struct plan_column *columns)
{
    if (same_names(p->columns, columns, p->column_count)) {
        return p;
    }
    if (plan_barrier(o, p) == NULL) {
        for (uint32_t c = 0; c < p->column_count; c++) {
            p->columns[c].name = columns[c].name;
        }
        return p;
    }
    struct plan *out = plan_new(o->arena, PLAN_PROJECT, p->column_count, 1);
    memcpy(out->columns, columns, sizeof *columns * p->column_count);
    out->inputs[0] = p;
    out->where = p->where;
    out->exprs = arena_alloc(o->arena, sizeof(struct expr *) * (p->column_count + 1));
    for (uint32_t c = 0; c < p->column_count; c++) {
        out->exprs[c] = expr_column(o->arena, c, p->columns[c].type);
    }
    return plan_derive(o, out);
}

static struct plan *optimize(const struct plan_optimizer *o, struct plan *root)
{
    uint32_t width = root->column_count;
    struct plan_column *columns = arena_dup(o->arena, root->columns, sizeof *columns * width);
    struct plan_conjuncts none = {0};
    struct plan *p = plan_push(o, root, &none);
    bool *needed = arena_zalloc(o->arena, sizeof(bool) * (width + 1));
    memset(needed, 1, sizeof(bool) * width);
    uint32_t *map = arena_zalloc(o->arena, sizeof(uint32_t) * (width + 1));
    p = plan_prune(o, p, needed, map);
    struct expr **exprs = arena_alloc(o->arena, sizeof(struct expr *) * (width + 1));
    for (uint32_t c = 0; c < width; c++) {
        exprs[c] = expr_column(o->arena, map[c], columns[c].type);
    }
    p = plan_make_project(o, p, exprs, columns, width);
    return renamed(o, plan_derive(o, p), columns);
}

struct plan *plan_optimize(struct arena *a, const struct catalog *catalog, struct plan *root,
                           struct plan *const *shared, uint32_t shared_count)
{
    struct plan_optimizer o = {.arena = a, .catalog = catalog, .shared = shared};
    o.done = arena_zalloc(a, sizeof *o.done * (shared_count + 1));
    for (uint32_t i = 0; i < shared_count; i++) {
        o.done[i] = optimize(&o, shared[i]);
        o.done_count = i + 1;
    }
    return optimize(&o, root);
}
