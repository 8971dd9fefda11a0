/* Exact sums that can be taken back: the state of sum() and avg(). Adding and then retracting gives the same bytes as
 * never having added, whatever the order, for integers, numerics and floats alike.
 *
 *  - integers: one 128-bit total;
 *  - numeric: an exact total, and how many finite inputs had each display scale (the result's scale is the greatest one
 *    present, as PostgreSQL's), and counts of NaN, infinity and -infinity;
 *  - float4/8: an exact fixed-point total over the whole range of double (a sparse array of 32-bit digits), rounded
 *    once when read, and counts of NaN, infinity, -infinity. The result is the correctly rounded sum of the true
 *    values.
 * The serialised form is canonical: equal states have equal bytes. @thread any */
#ifndef ROW_SUM_H
#define ROW_SUM_H

#include "row/datum.h"

struct sum; /* in an arena */

/* An empty sum for inputs of `kind` (int2/4/8, numeric, float4/8, interval). */
struct sum *sum_new(struct arena *a, enum type_kind kind);
/* Reads what sum_append wrote and steps over it. */
enum status sum_read(struct arena *a, enum type_kind kind, struct bytes *in, struct sum **out, struct error *err);
void sum_append(const struct sum *s, struct buffer *out);
/* Adds `d` (not NULL) `weight` times; a negative weight retracts. */
void sum_add(struct sum *s, const struct datum *d, int64_t weight);
bool sum_is_zero(const struct sum *s); /* every input has been retracted */

/* sum(): int2/int4 -> bigint, int8 -> numeric, numeric -> numeric, float4 -> float4, float8 -> float8, interval ->
 * interval. "bigint out of range" and the like as errors. `count` is the number of non-NULL inputs (> 0). */
enum status sum_total(const struct sum *s, int64_t count, struct arena *a, struct datum *out, struct error *err);
/* avg(): integers and numeric -> numeric (scale by PostgreSQL's select_div_scale), float4/8 -> float8, interval ->
 * interval. */
enum status sum_average(const struct sum *s, int64_t count, struct arena *a, struct datum *out, struct error *err);

#endif
