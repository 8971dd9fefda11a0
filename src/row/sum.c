/* Exact sums by kind: integers are an int128 (2^63 values of 2^63 fit), floats sum_float.h, numerics sum_numeric.h,
 * intervals an int128 each for months, days and microseconds.
 *
 * Stored form: integer: one number (sum_number.h); interval: three; others as their files say. */
#include "row/sum.h"

#include "row/datetime.h"
#include "row/decimal.h"
#include "row/sum_float.h"
#include "row/sum_number.h"
#include "row/sum_numeric.h"

#include <math.h>

struct sum_interval {
    int128 months;
    int128 days;
    int128 us;
};

struct sum {
    enum type_kind kind;
    struct arena *arena;
    int128 total; /* integers */
    union {
        struct sum_float *floats;
        struct sum_numeric *numeric;
        struct sum_interval *interval;
    } of; /* by kind; NULL for integers */
};

static inline bool is_integer(enum type_kind kind)
{
    return kind == TYPE_INT2 || kind == TYPE_INT4 || kind == TYPE_INT8;
}
static inline bool is_float(enum type_kind kind)
{
    return kind == TYPE_FLOAT4 || kind == TYPE_FLOAT8;
}

struct sum *sum_new(struct arena *a, enum type_kind kind)
{
    struct sum *s = arena_alloc(a, sizeof *s);
    *s = (struct sum){.kind = kind, .arena = a};
    if (is_float(kind)) {
        s->of.floats = arena_zalloc(a, sizeof *s->of.floats);
    } else if (kind == TYPE_NUMERIC) {
        s->of.numeric = arena_zalloc(a, sizeof *s->of.numeric);
    } else if (kind == TYPE_INTERVAL) {
        s->of.interval = arena_zalloc(a, sizeof *s->of.interval);
    }
    return s;
}

static enum status read_interval(struct sum_interval *s, struct bytes *in, struct error *err)
{
    TRY(sum_number_read(in, &s->months, err));
    TRY(sum_number_read(in, &s->days, err));
    return sum_number_read(in, &s->us, err);
}

enum status sum_read(struct arena *a, enum type_kind kind, struct bytes *in, struct sum **out, struct error *err)
{
    struct sum *s = sum_new(a, kind);
    *out = s;
    if (is_integer(kind)) {
        return sum_number_read(in, &s->total, err);
    }
    if (is_float(kind)) {
        return sum_float_read(s->of.floats, in, err);
    }
    return kind == TYPE_NUMERIC ? sum_numeric_read(s->of.numeric, a, in, err) : read_interval(s->of.interval, in, err);
}

void sum_append(const struct sum *s, struct buffer *out)
{
    if (is_integer(s->kind)) {
        sum_number_append(out, s->total);
    } else if (is_float(s->kind)) {
        sum_float_append(s->of.floats, out);
    } else if (s->kind == TYPE_NUMERIC) {
        sum_numeric_append(s->of.numeric, out);
    } else {
        sum_number_append(out, s->of.interval->months);
        sum_number_append(out, s->of.interval->days);
        sum_number_append(out, s->of.interval->us);
    }
}

void sum_add(struct sum *s, const struct datum *d, int64_t weight)
{
    if (is_integer(s->kind)) {
        s->total += (int128)d->v.i * weight;
    } else if (is_float(s->kind)) {
        sum_float_add(s->of.floats, d->v.d, weight);
    } else if (s->kind == TYPE_NUMERIC) {
        sum_numeric_add(s->of.numeric, s->arena, d, weight);
    } else {
        struct interval value = interval_load(d->v.p);
        s->of.interval->months += (int128)value.months * weight;
        s->of.interval->days += (int128)value.days * weight;
        s->of.interval->us += (int128)value.us * weight;
    }
}

bool sum_is_zero(const struct sum *s)
{
    if (is_integer(s->kind)) {
        return s->total == 0;
    }
    if (is_float(s->kind)) {
        return sum_float_is_zero(s->of.floats);
    }
    if (s->kind == TYPE_NUMERIC) {
        return sum_numeric_is_zero(s->of.numeric);
    }
    return s->of.interval->months == 0 && s->of.interval->days == 0 && s->of.interval->us == 0;
}

static enum status int_total(const struct sum *s, struct arena *a, struct datum *out, struct error *err)
{
    if (s->kind == TYPE_INT8) {
        *out = decimal_from_int128(a, s->total, 0);
        return STATUS_OK;
    }
    *out = datum_int((int64_t)s->total);
    return s->total == out->v.i ? STATUS_OK : error_set(err, STATUS_INVALID, 0, "bigint out of range");
}

static enum status float_total(const struct sum_float *s, int64_t count, bool narrow, struct datum *out,
                               struct error *err)
{
    if (sum_specials_decide(&s->specials)) {
        int sign = sum_specials_sign(&s->specials);
        *out = datum_float(sign == 0 ? (double)NAN : sign * (double)INFINITY);
        return STATUS_OK;
    }
    *out = datum_float(sum_float_round(s, narrow));
    if (isinf(out->v.d)) {
        return error_set(err, STATUS_INVALID, 0, "value out of range: overflow");
    }
    if (count > 0 && s->specials.minus_zeros == count) {
        out->v.d = -0.0;
    }
    return STATUS_OK;
}

static enum status interval_total(const struct sum_interval *s, struct interval *out, struct error *err)
{
    *out = (struct interval){.us = (int64_t)s->us, .days = (int32_t)s->days, .months = (int32_t)s->months};
    if (out->us != s->us || out->days != s->days || out->months != s->months) {
        return error_set(err, STATUS_INVALID, 0, "interval out of range");
    }
    return STATUS_OK;
}

static struct datum interval_datum(struct interval value, struct arena *a)
{
    uint8_t *stored = arena_alloc(a, 16);
    interval_store(stored, value);
    return datum_bytes(bytes_of(stored, 16));
}

enum status sum_total(const struct sum *s, int64_t count, struct arena *a, struct datum *out, struct error *err)
{
    *out = DATUM_NULL;
    if (is_integer(s->kind)) {
        return int_total(s, a, out, err);
    }
    if (is_float(s->kind)) {
        return float_total(s->of.floats, count, s->kind == TYPE_FLOAT4, out, err);
    }
    if (s->kind == TYPE_NUMERIC) {
        return sum_numeric_total(s->of.numeric, a, out, err);
    }
    struct interval total;
    TRY(interval_total(s->of.interval, &total, err));
    *out = interval_datum(total, a);
    return STATUS_OK;
}

enum status sum_average(const struct sum *s, int64_t count, struct arena *a, struct datum *out, struct error *err)
{
    *out = DATUM_NULL;
    if (is_float(s->kind)) {
        /* PostgreSQL begins an average with +0, so that one of -0 only is +0. */
        TRY(float_total(s->of.floats, 0, false, out, err));
        out->v.d /= (double)count;
        return STATUS_OK;
    }
    if (s->kind == TYPE_INTERVAL) {
        struct interval total;
        TRY(interval_total(s->of.interval, &total, err));
        TRY(interval_divide(total, (double)count, &total, err));
        *out = interval_datum(total, a);
        return STATUS_OK;
    }
    struct datum divisor = decimal_from_int(count);
    struct datum total;
    if (s->kind == TYPE_NUMERIC) {
        TRY(sum_numeric_total(s->of.numeric, a, &total, err));
    } else {
        total = decimal_from_int128(a, s->total, 0);
    }
    return decimal_divide(a, &total, &divisor, out, err);
}
