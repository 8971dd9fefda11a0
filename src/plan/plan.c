/* Makes plan nodes. */
#include "plan/plan.h"

struct plan *plan_new(struct arena *a, enum plan_kind kind, uint32_t column_count, uint32_t input_count)
{
    struct plan *p = arena_zalloc(a, sizeof *p);
    p->kind = kind;
    p->columns = arena_zalloc(a, sizeof *p->columns * column_count);
    p->column_count = column_count;
    p->inputs = arena_zalloc(a, sizeof *p->inputs * input_count);
    p->input_count = input_count;
    return p;
}
