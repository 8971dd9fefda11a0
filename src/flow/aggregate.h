/* The states of a group's aggregates: what can be added to and taken back from without looking at other rows. */
#ifndef FLOW_AGGREGATE_H
#define FLOW_AGGREGATE_H

#include "plan/plan.h"
#include "row/sum.h"

struct aggregate_set {
    const struct plan_aggregate *items;
    uint32_t count;
    const struct plan_column *input; /* columns of the input */
};

struct aggregate_slot {
    int64_t count; /* non-NULL inputs; bool_and, bool_or: the true ones */
    int64_t falses;
    struct sum *sum; /* sum, avg */
};

/* Of one group, in an arena. */
struct aggregate_state {
    int64_t rows;
    struct aggregate_slot *slots;
};

/* True where the values themselves must be kept (min, max, DISTINCT). */
bool aggregate_keeps_values(const struct plan_aggregate *a);
/* Adds a non-NULL input (NULL pointer for count(*)) `weight` times. */
void aggregate_add(const struct aggregate_set *set, uint32_t i, struct aggregate_state *state, const struct datum *d,
                   int64_t weight);
/* The value of aggregate `i` (not min, max). An overflow is STATUS_INVALID with PostgreSQL's words. */
enum status aggregate_result(const struct aggregate_set *set, uint32_t i, const struct aggregate_state *state,
                             struct arena *a, struct datum *out, struct error *err);
/* Empty bytes are the state of an empty group. */
enum status aggregate_read(const struct aggregate_set *set, struct bytes value, struct arena *a,
                           struct aggregate_state *out, struct error *err);
void aggregate_append(const struct aggregate_set *set, const struct aggregate_state *state, struct buffer *out);

#endif
