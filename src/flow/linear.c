/* Stateless operators: what they do to a delta is what they do to a row. */
#include "flow/inner.h"

#include <string.h>

static enum status filter_run(struct flow *f, struct node *n, struct error *err)
{
    const struct node *input = n->inputs[0];
    for (size_t i = 0; i < input->out.count; i++) {
        const struct datum *row = batch_row(&input->out, i);
        struct error failure;
        bool pass = false;
        if (program_test(n->program, row, &pass, &f->run, &failure) != STATUS_OK) {
            TRY(error_add(f, n, input->plan->columns, input->plan->column_count, row, &failure, input->out.weights[i],
                          err));
        } else if (pass) {
            row_copy(batch_push(&n->out, input->out.weights[i]), row, n->out.width);
        }
    }
    return STATUS_OK;
}

static enum status project_run(struct flow *f, struct node *n, struct error *err)
{
    const struct node *input = n->inputs[0];
    for (size_t i = 0; i < input->out.count; i++) {
        const struct datum *row = batch_row(&input->out, i);
        struct error failure;
        struct datum *to = batch_push(&n->out, input->out.weights[i]);
        if (program_run(n->program, row, to, &f->run, &failure) != STATUS_OK) {
            n->out.count -= 1;
            TRY(error_add(f, n, input->plan->columns, input->plan->column_count, row, &failure, input->out.weights[i],
                          err));
        }
    }
    return STATUS_OK;
}

static void union_run(struct node *n)
{
    for (uint32_t k = 0; k < n->input_count; k++) {
        const struct batch *in = &n->inputs[k]->out;
        for (size_t i = 0; i < in->count; i++) {
            row_copy(batch_push(&n->out, in->weights[i]), batch_row(in, i), n->out.width);
        }
    }
}

enum status linear_run(struct flow *f, struct node *n, struct error *err)
{
    if (n->plan->kind == PLAN_FILTER) {
        return filter_run(f, n, err);
    }
    if (n->plan->kind == PLAN_PROJECT) {
        return project_run(f, n, err);
    }
    if (n->plan->kind == PLAN_UNION_ALL) {
        union_run(n);
    } else if (n->plan->kind == PLAN_ONE && !f->started) {
        (void)batch_push(&n->out, 1);
    }
    return STATUS_OK;
}
