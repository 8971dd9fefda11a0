/* Casts between kinds: pg_cast's rows with their contexts, casts through text, and type modifiers. */
#include "expr/function.h"

#include "expr/build.h"
#include "row/datetime.h"
#include "row/decimal.h"

#include <math.h>

static const char *kind_name(enum type_kind kind)
{
    return kind == TYPE_INT2 ? "smallint" : kind == TYPE_INT4 ? "integer" : "bigint";
}

static enum status copy(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    *out = x[0];
    return STATUS_OK;
}

static enum status int_out_of_range(const struct eval *e)
{
    return error_set(e->err, STATUS_INVALID, 0, "%s out of range", kind_name(e->type->kind));
}

static void int_bounds(enum type_kind kind, int64_t *min, int64_t *max)
{
    *min = kind == TYPE_INT2 ? INT16_MIN : kind == TYPE_INT4 ? INT32_MIN : INT64_MIN;
    *max = kind == TYPE_INT2 ? INT16_MAX : kind == TYPE_INT4 ? INT32_MAX : INT64_MAX;
}

static enum status int_to_int(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t min;
    int64_t max;
    int_bounds(e->type->kind, &min, &max);
    if (x[0].v.i < min || x[0].v.i > max) {
        return int_out_of_range(e);
    }
    *out = x[0];
    return STATUS_OK;
}

static enum status int_to_numeric(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    *out = decimal_from_int(x[0].v.i);
    return STATUS_OK;
}

static enum status int_to_float(const struct datum *x, struct datum *out, const struct eval *e)
{
    out->v.d = e->type->kind == TYPE_FLOAT4 ? (double)(float)x[0].v.i : (double)x[0].v.i;
    return STATUS_OK;
}

static enum status int_to_bool(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = x[0].v.i != 0;
    return STATUS_OK;
}

static enum status numeric_to_int(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t min;
    int64_t max;
    int_bounds(e->type->kind, &min, &max);
    return decimal_to_int(x, min, max, kind_name(e->type->kind), &out->v.i, e->err);
}

/* By way of text, as PostgreSQL does it: float4 then is rounded once, and what does not fit is an error. */
static enum status numeric_to_float(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (e->type->kind == TYPE_FLOAT8 && !x[0].big) {
        out->v.d = decimal_to_double(x);
        return STATUS_OK;
    }
    buffer_reset(e->scratch);
    decimal_print(x, e->scratch);
    return datum_parse(e->type, buffer_bytes(e->scratch), e->a, out, e->err);
}

static enum status float_to_int(const struct datum *x, struct datum *out, const struct eval *e)
{
    double limit = e->type->kind == TYPE_INT2   ? 32768.0
                   : e->type->kind == TYPE_INT4 ? 2147483648.0
                                                : 9223372036854775808.0;
    double value = rint(x[0].v.d);
    if (!(value >= -limit && value < limit)) {
        return int_out_of_range(e);
    }
    out->v.i = (int64_t)value;
    return STATUS_OK;
}

static enum status float_to_float4(const struct datum *x, struct datum *out, const struct eval *e)
{
    float value = (float)x[0].v.d;
    if (isinf(value) && !isinf(x[0].v.d)) {
        return error_set(e->err, STATUS_INVALID, 0, "value out of range: overflow");
    }
    if (value == 0.0F && x[0].v.d != 0.0) {
        return error_set(e->err, STATUS_INVALID, 0, "value out of range: underflow");
    }
    out->v.d = (double)value;
    return STATUS_OK;
}

static enum status float_to_numeric(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = e->arg_types[0].kind == TYPE_FLOAT4 ? decimal_from_float(e->a, (float)x[0].v.d)
                                               : decimal_from_double(e->a, x[0].v.d);
    return STATUS_OK;
}

static enum status bool_to_text(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    *out = x[0].v.i ? datum_bytes(bytes_of("true", 4)) : datum_bytes(bytes_of("false", 5));
    return STATUS_OK;
}

static enum status bpchar_to_text(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    *out = x[0];
    while (out->len > 0 && out->v.p[out->len - 1] == ' ') {
        out->len--;
    }
    return STATUS_OK;
}

static enum status date_to_stamp(const struct datum *x, struct datum *out, const struct eval *e)
{
    return date_to_timestamp(x[0].v.i, &out->v.i, e->err);
}

static enum status stamp_to_date(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = x[0].v.i == TIMESTAMP_INFINITY         ? DATE_INFINITY
               : x[0].v.i == TIMESTAMP_MINUS_INFINITY ? DATE_MINUS_INFINITY
                                                      : timestamp_to_date(x[0].v.i);
    return STATUS_OK;
}

static enum status stamp_to_time(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    if (x[0].v.i == TIMESTAMP_INFINITY || x[0].v.i == TIMESTAMP_MINUS_INFINITY) {
        *out = DATUM_NULL;
    } else {
        out->v.i = timestamp_to_time(x[0].v.i);
    }
    return STATUS_OK;
}

static enum status time_to_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    uint8_t *bytes = arena_alloc(e->a, 16);
    interval_store(bytes, (struct interval){.us = x[0].v.i});
    *out = datum_bytes(bytes_of(bytes, 16));
    return STATUS_OK;
}

static enum status interval_to_time(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    int64_t us = interval_load(x[0].v.p).us % DATETIME_US_PER_DAY;
    out->v.i = us < 0 ? us + DATETIME_US_PER_DAY : us;
    return STATUS_OK;
}

static enum status any_to_text(const struct datum *x, struct datum *out, const struct eval *e)
{
    buffer_reset(e->scratch);
    datum_print(&e->arg_types[0], x, e->scratch);
    *out = eval_take_scratch(e);
    return STATUS_OK;
}

/* PostgreSQL's casts through text take char(n) with its blanks. */
static enum status text_to_any(const struct datum *x, struct datum *out, const struct eval *e)
{
    return datum_parse(e->type, datum_as_bytes(x), e->a, out, e->err);
}

static enum status modify(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = x[0];
    return datum_apply_typmod(e->type, true, e->a, out, e->err);
}

static enum status assign(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = x[0];
    return datum_apply_typmod(e->type, false, e->a, out, e->err);
}

#define CAST(FROM, TO, EVAL, CONTEXT, FLAGS)                                                                           \
    {                                                                                                                  \
        .name = "", .eval = (EVAL), .class = FUNCTION_CAST, .arg_count = 1, .args = {FROM}, .result = (TO),            \
        .flags = (FLAGS), .context = (CONTEXT)                                                                         \
    }
#define RELABEL(FROM, TO, CONTEXT)                                                                                     \
    {                                                                                                                  \
        .name = "", .eval = copy, .class = FUNCTION_CAST, .arg_count = 1, .args = {FROM}, .result = (TO),              \
        .fast = FAST_COPY, .context = (CONTEXT)                                                                        \
    }
#define ANY(NAME, EVAL, FLAGS) ROW(FUNCTION_CAST, NAME, EVAL, TYPE_TEXT, FLAGS, 1, TYPE_ANY)

static const struct function rows[] = {
    RELABEL(TYPE_INT2, TYPE_INT4, CAST_IMPLICIT),
    RELABEL(TYPE_INT2, TYPE_INT8, CAST_IMPLICIT),
    RELABEL(TYPE_INT4, TYPE_INT8, CAST_IMPLICIT),
    CAST(TYPE_INT2, TYPE_NUMERIC, int_to_numeric, CAST_IMPLICIT, 0),
    CAST(TYPE_INT4, TYPE_NUMERIC, int_to_numeric, CAST_IMPLICIT, 0),
    CAST(TYPE_INT8, TYPE_NUMERIC, int_to_numeric, CAST_IMPLICIT, 0),
    CAST(TYPE_INT2, TYPE_FLOAT4, int_to_float, CAST_IMPLICIT, 0),
    CAST(TYPE_INT4, TYPE_FLOAT4, int_to_float, CAST_IMPLICIT, 0),
    CAST(TYPE_INT8, TYPE_FLOAT4, int_to_float, CAST_IMPLICIT, 0),
    CAST(TYPE_INT2, TYPE_FLOAT8, int_to_float, CAST_IMPLICIT, 0),
    CAST(TYPE_INT4, TYPE_FLOAT8, int_to_float, CAST_IMPLICIT, 0),
    CAST(TYPE_INT8, TYPE_FLOAT8, int_to_float, CAST_IMPLICIT, 0),
    CAST(TYPE_NUMERIC, TYPE_FLOAT4, numeric_to_float, CAST_IMPLICIT, FUNCTION_FAIL),
    CAST(TYPE_NUMERIC, TYPE_FLOAT8, numeric_to_float, CAST_IMPLICIT, FUNCTION_FAIL),
    RELABEL(TYPE_FLOAT4, TYPE_FLOAT8, CAST_IMPLICIT),
    CAST(TYPE_INT8, TYPE_INT4, int_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_INT8, TYPE_INT2, int_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_INT4, TYPE_INT2, int_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_NUMERIC, TYPE_INT2, numeric_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_NUMERIC, TYPE_INT4, numeric_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_NUMERIC, TYPE_INT8, numeric_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_FLOAT4, TYPE_INT2, float_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_FLOAT4, TYPE_INT4, float_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_FLOAT4, TYPE_INT8, float_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_FLOAT8, TYPE_INT2, float_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_FLOAT8, TYPE_INT4, float_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_FLOAT8, TYPE_INT8, float_to_int, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_FLOAT4, TYPE_NUMERIC, float_to_numeric, CAST_ASSIGNMENT, 0),
    CAST(TYPE_FLOAT8, TYPE_NUMERIC, float_to_numeric, CAST_ASSIGNMENT, 0),
    CAST(TYPE_FLOAT8, TYPE_FLOAT4, float_to_float4, CAST_ASSIGNMENT, FUNCTION_FAIL),
    CAST(TYPE_INT4, TYPE_BOOL, int_to_bool, CAST_EXPLICIT, 0),
    RELABEL(TYPE_BOOL, TYPE_INT4, CAST_EXPLICIT),
    CAST(TYPE_BOOL, TYPE_TEXT, bool_to_text, CAST_ASSIGNMENT, 0),
    CAST(TYPE_BOOL, TYPE_VARCHAR, bool_to_text, CAST_ASSIGNMENT, 0),
    CAST(TYPE_BOOL, TYPE_BPCHAR, bool_to_text, CAST_ASSIGNMENT, 0),
    RELABEL(TYPE_TEXT, TYPE_VARCHAR, CAST_IMPLICIT),
    RELABEL(TYPE_TEXT, TYPE_BPCHAR, CAST_IMPLICIT),
    RELABEL(TYPE_VARCHAR, TYPE_TEXT, CAST_IMPLICIT),
    RELABEL(TYPE_VARCHAR, TYPE_BPCHAR, CAST_IMPLICIT),
    CAST(TYPE_BPCHAR, TYPE_TEXT, bpchar_to_text, CAST_IMPLICIT, 0),
    CAST(TYPE_BPCHAR, TYPE_VARCHAR, bpchar_to_text, CAST_IMPLICIT, 0),
    CAST(TYPE_DATE, TYPE_TIMESTAMP, date_to_stamp, CAST_IMPLICIT, FUNCTION_FAIL),
    CAST(TYPE_DATE, TYPE_TIMESTAMPTZ, date_to_stamp, CAST_IMPLICIT, FUNCTION_FAIL),
    RELABEL(TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, CAST_IMPLICIT),
    RELABEL(TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP, CAST_ASSIGNMENT),
    CAST(TYPE_TIMESTAMP, TYPE_DATE, stamp_to_date, CAST_ASSIGNMENT, 0),
    CAST(TYPE_TIMESTAMPTZ, TYPE_DATE, stamp_to_date, CAST_ASSIGNMENT, 0),
    CAST(TYPE_TIMESTAMP, TYPE_TIME, stamp_to_time, CAST_ASSIGNMENT, 0),
    CAST(TYPE_TIMESTAMPTZ, TYPE_TIME, stamp_to_time, CAST_ASSIGNMENT, 0),
    CAST(TYPE_TIME, TYPE_INTERVAL, time_to_interval, CAST_IMPLICIT, 0),
    CAST(TYPE_INTERVAL, TYPE_TIME, interval_to_time, CAST_ASSIGNMENT, 0),
    ANY("print", any_to_text, 0),
    ANY("parse", text_to_any, FUNCTION_FAIL),
    ANY("modify", modify, FUNCTION_FAIL),
    ANY("assign", assign, FUNCTION_FAIL),
};
FUNCTION_FAMILY(function_family_cast, rows);
