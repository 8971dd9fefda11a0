/* numeric: exact decimals with PostgreSQL's display scales. Small values are an int64 coefficient and a scale inside
 * the datum; others are packed bytes (sign, scale, coefficient) computed with in int128 while it fits and with GMP
 * beyond.
 *
 * All functions take non-NULL numerics and give their results as datums, allocated from `a` where big. Result scales,
 * rounding (half away from zero), NaN and infinities as src/backend/utils/adt/numeric.c of PostgreSQL 15. Errors carry
 * PostgreSQL's words ("division by zero", "value overflows numeric format", "numeric field overflow"). @thread any */
#ifndef ROW_DECIMAL_H
#define ROW_DECIMAL_H

#include "base/int128.h"
#include "row/datum.h"

enum { DECIMAL_SCALE_MAX = 16383, DECIMAL_DIGITS_MAX = 131072 };

enum decimal_kind { DECIMAL_FINITE, DECIMAL_NAN, DECIMAL_MINUS_INFINITY, DECIMAL_INFINITY };
enum decimal_kind decimal_kind(const struct datum *d);
int32_t decimal_scale(const struct datum *d); /* display scale of a finite one */

struct datum decimal_from_int(int64_t value);
struct datum decimal_from_int128(struct arena *a, int128 coefficient, int32_t scale);
/* From a coefficient in two's complement, big-endian, any length >= 1. */
struct datum decimal_from_coefficient(struct arena *a, struct bytes big_endian, int32_t scale);
struct datum decimal_from_double(struct arena *a, double value); /* 15 significant digits, as float8_numeric */
struct datum decimal_from_float(struct arena *a, float value);   /* 6 significant digits, as float4_numeric */
enum status decimal_parse(struct bytes text, struct arena *a, struct datum *out, struct error *err);
void decimal_print(const struct datum *d, struct buffer *out);

int decimal_compare(const struct datum *x, const struct datum *y);
bool decimal_is_zero(const struct datum *d);
int decimal_sign(const struct datum *d); /* -1, 0, 1; NaN is 1 */

enum status decimal_add(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                        struct error *err);
enum status decimal_subtract(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                             struct error *err);
enum status decimal_multiply(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                             struct error *err);
enum status decimal_divide(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                           struct error *err);
enum status decimal_modulo(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                           struct error *err);
/* Integer quotient, truncated: div(x, y). */
enum status decimal_quotient(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                             struct error *err);
struct datum decimal_negate(struct arena *a, const struct datum *d);
struct datum decimal_absolute(struct arena *a, const struct datum *d);
struct datum decimal_round(struct arena *a, const struct datum *d, int32_t scale); /* scale may be negative */
struct datum decimal_truncate(struct arena *a, const struct datum *d, int32_t scale);
struct datum decimal_floor(struct arena *a, const struct datum *d);
struct datum decimal_ceil(struct arena *a, const struct datum *d);

/* Rounded to the nearest; "bigint out of range", "cannot convert NaN to bigint" ... with `type_name` put in. */
enum status decimal_to_int(const struct datum *d, int64_t min, int64_t max, const char *type_name, int64_t *out,
                           struct error *err);
double decimal_to_double(const struct datum *d);
/* numeric(p,s) as a typmod: rounds, checks the field's width. */
enum status decimal_apply_typmod(struct arena *a, int32_t typmod, struct datum *d, struct error *err);

/* Coefficient of a finite one for exact accumulation: writes the coefficient (scale as decimal_scale) as two's
 * complement little-endian of as many bytes as needed (the order of GMP limbs), into `out`. */
void decimal_coefficient(const struct datum *d, struct buffer *out);

#endif
