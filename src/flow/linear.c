/* Rows on their way from one operator to the next. What a filter or a projection does to a delta is what it does to a
 * row, so these have no turn of their own in a run: a row given out by any node goes straight on through those that
 * read it, and is kept in a batch only where an operator with a turn waits for it. */
#include "flow/inner.h"

#include <string.h>

static enum status filter(struct flow *f, struct node *n, const struct datum *row, int64_t weight, struct error *err)
{
    struct error failure;
    bool pass = false;
    if (program_test(n->program, row, &pass, &f->run, &failure) != STATUS_OK) {
        const struct plan *input = n->inputs[0]->plan;
        return error_add(f, n, input->columns, input->column_count, row, &failure, weight, err);
    }
    return pass ? node_emit(f, n, row, weight, err) : STATUS_OK;
}

static enum status project(struct flow *f, struct node *n, const struct datum *row, int64_t weight, struct error *err)
{
    struct error failure;
    if (program_run(n->program, row, n->row, &f->run, &failure) != STATUS_OK) {
        const struct plan *input = n->inputs[0]->plan;
        return error_add(f, n, input->columns, input->column_count, row, &failure, weight, err);
    }
    return node_emit(f, n, n->row, weight, err);
}

enum status node_emit(struct flow *f, struct node *n, const struct datum *row, int64_t weight, struct error *err)
{
    if (n->kept) {
        row_copy(batch_push(&n->out, weight), row, n->out.width);
    }
    for (uint32_t i = 0; i < n->linear_count; i++) {
        struct node *next = n->linear[i];
        TRY(next->plan->kind == PLAN_FILTER ? filter(f, next, row, weight, err) : project(f, next, row, weight, err));
    }
    return STATUS_OK;
}

enum status union_run(struct flow *f, struct node *n, struct error *err)
{
    for (uint32_t k = 0; k < n->input_count; k++) {
        const struct batch *in = &n->inputs[k]->out;
        for (size_t i = 0; i < in->count; i++) {
            TRY(node_emit(f, n, batch_row(in, i), in->weights[i], err));
        }
    }
    return STATUS_OK;
}

enum status one_run(struct flow *f, struct node *n, struct error *err)
{
    return f->started ? STATUS_OK : node_emit(f, n, n->row, 1, err);
}
