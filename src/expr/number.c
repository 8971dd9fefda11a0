/* Arithmetic of integers, floats and numerics: PostgreSQL's result types, and its words where a result does not fit. */
#include "expr/function.h"

#include "row/decimal.h"

#include <math.h>

static enum status out_of_range(const struct eval *e, enum type_kind kind)
{
    return error_set(e->err, STATUS_INVALID, 0, "%s out of range",
                     kind == TYPE_INT2   ? "smallint"
                     : kind == TYPE_INT4 ? "integer"
                                         : "bigint");
}

static enum status division_by_zero(const struct eval *e)
{
    return error_set(e->err, STATUS_INVALID, 0, "division by zero");
}

/* Puts an integer where it fits the call's type. */
static enum status put_int(int64_t value, bool overflow, struct datum *out, const struct eval *e)
{
    enum type_kind kind = e->type->kind;
    if (overflow || (kind == TYPE_INT2 && value != (int16_t)value) || (kind == TYPE_INT4 && value != (int32_t)value)) {
        return out_of_range(e, kind);
    }
    out->v.i = value;
    return STATUS_OK;
}

static enum status int_add(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t value;
    bool overflow = __builtin_add_overflow(x[0].v.i, x[1].v.i, &value);
    return put_int(value, overflow, out, e);
}

static enum status int_subtract(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t value;
    bool overflow = __builtin_sub_overflow(x[0].v.i, x[1].v.i, &value);
    return put_int(value, overflow, out, e);
}

static enum status int_multiply(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t value;
    bool overflow = __builtin_mul_overflow(x[0].v.i, x[1].v.i, &value);
    return put_int(value, overflow, out, e);
}

static enum status int_divide(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[1].v.i == 0) {
        return division_by_zero(e);
    }
    if (x[1].v.i == -1) {
        return put_int(-(x[0].v.i + 1) + 1, x[0].v.i == INT64_MIN, out, e);
    }
    return put_int(x[0].v.i / x[1].v.i, false, out, e);
}

static enum status int_modulo(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[1].v.i == 0) {
        return division_by_zero(e);
    }
    out->v.i = x[1].v.i == -1 ? 0 : x[0].v.i % x[1].v.i;
    return STATUS_OK;
}

static enum status int_negate(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t value;
    bool overflow = __builtin_sub_overflow(0, x[0].v.i, &value);
    return put_int(value, overflow, out, e);
}

static enum status int_absolute(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[0].v.i < 0) {
        return int_negate(x, out, e);
    }
    *out = x[0];
    return STATUS_OK;
}

static enum status same(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    *out = x[0];
    return STATUS_OK;
}

static enum status int_and(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = x[0].v.i & x[1].v.i;
    return STATUS_OK;
}

static enum status int_or(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = x[0].v.i | x[1].v.i;
    return STATUS_OK;
}

static enum status int_xor(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = x[0].v.i ^ x[1].v.i;
    return STATUS_OK;
}

static enum status int_not(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = ~x[0].v.i;
    return STATUS_OK;
}

/* float4 results are rounded to float at once, as PostgreSQL computes them in float. */
static enum status put_float(double value, bool infinite_input, bool zero_allowed, struct datum *out,
                             const struct eval *e)
{
    if (e->type->kind == TYPE_FLOAT4) {
        value = (double)(float)value;
    }
    if (isinf(value) && !infinite_input) {
        return error_set(e->err, STATUS_INVALID, 0, "value out of range: overflow");
    }
    if (value == 0.0 && !zero_allowed) {
        return error_set(e->err, STATUS_INVALID, 0, "value out of range: underflow");
    }
    out->v.d = value;
    return STATUS_OK;
}

static enum status float_add(const struct datum *x, struct datum *out, const struct eval *e)
{
    return put_float(x[0].v.d + x[1].v.d, isinf(x[0].v.d) || isinf(x[1].v.d), true, out, e);
}

static enum status float_subtract(const struct datum *x, struct datum *out, const struct eval *e)
{
    return put_float(x[0].v.d - x[1].v.d, isinf(x[0].v.d) || isinf(x[1].v.d), true, out, e);
}

static enum status float_multiply(const struct datum *x, struct datum *out, const struct eval *e)
{
    return put_float(x[0].v.d * x[1].v.d, isinf(x[0].v.d) || isinf(x[1].v.d), x[0].v.d == 0.0 || x[1].v.d == 0.0, out,
                     e);
}

static enum status float_divide(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[1].v.d == 0.0 && !isnan(x[0].v.d)) {
        return division_by_zero(e);
    }
    return put_float(x[0].v.d / x[1].v.d, isinf(x[0].v.d), x[0].v.d == 0.0 || isinf(x[1].v.d), out, e);
}

static enum status float_negate(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = -x[0].v.d;
    return STATUS_OK;
}

static enum status float_absolute(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = fabs(x[0].v.d);
    return STATUS_OK;
}

static enum status numeric_add(const struct datum *x, struct datum *out, const struct eval *e)
{
    return decimal_add(e->a, &x[0], &x[1], out, e->err);
}

static enum status numeric_subtract(const struct datum *x, struct datum *out, const struct eval *e)
{
    return decimal_subtract(e->a, &x[0], &x[1], out, e->err);
}

static enum status numeric_multiply(const struct datum *x, struct datum *out, const struct eval *e)
{
    return decimal_multiply(e->a, &x[0], &x[1], out, e->err);
}

static enum status numeric_divide(const struct datum *x, struct datum *out, const struct eval *e)
{
    return decimal_divide(e->a, &x[0], &x[1], out, e->err);
}

static enum status numeric_modulo(const struct datum *x, struct datum *out, const struct eval *e)
{
    return decimal_modulo(e->a, &x[0], &x[1], out, e->err);
}

static enum status numeric_quotient(const struct datum *x, struct datum *out, const struct eval *e)
{
    return decimal_quotient(e->a, &x[0], &x[1], out, e->err);
}

static enum status numeric_negate(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = decimal_negate(e->a, x);
    return STATUS_OK;
}

static enum status numeric_absolute(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = decimal_absolute(e->a, x);
    return STATUS_OK;
}

#define FAST_INFIX(NAME, EVAL, X, Y, RESULT, FAST)                                                                     \
    {                                                                                                                  \
        .name = (NAME), .eval = (EVAL), .class = FUNCTION_OPERATOR, .arg_count = 2, .args = {X, Y},                    \
        .result = (RESULT), .flags = FUNCTION_FAIL, .fast = (FAST)                                                     \
    }
#define INT_ARITHMETIC(X, Y, RESULT)                                                                                   \
    FAST_INFIX("+", int_add, X, Y, RESULT, FAST_INT_ADD),                                                              \
        FAST_INFIX("-", int_subtract, X, Y, RESULT, FAST_INT_SUBTRACT),                                                \
        FAST_INFIX("*", int_multiply, X, Y, RESULT, FAST_INT_MULTIPLY),                                                \
        INFIX("/", int_divide, X, Y, RESULT, FUNCTION_FAIL)
#define INT_OWN(X)                                                                                                     \
    INT_ARITHMETIC(X, X, X), INFIX("%", int_modulo, X, X, X, FUNCTION_FAIL),                                           \
        CALL2("mod", int_modulo, X, X, X, FUNCTION_FAIL), PREFIX("-", int_negate, X, X, FUNCTION_FAIL),                \
        PREFIX("+", same, X, X, 0), PREFIX("@", int_absolute, X, X, FUNCTION_FAIL),                                    \
        CALL1("abs", int_absolute, X, X, FUNCTION_FAIL), INFIX("&", int_and, X, X, X, 0),                              \
        INFIX("|", int_or, X, X, X, 0), INFIX("#", int_xor, X, X, X, 0), PREFIX("~", int_not, X, X, 0)
#define FLOAT_ARITHMETIC(X, Y, RESULT)                                                                                 \
    INFIX("+", float_add, X, Y, RESULT, FUNCTION_FAIL), INFIX("-", float_subtract, X, Y, RESULT, FUNCTION_FAIL),       \
        INFIX("*", float_multiply, X, Y, RESULT, FUNCTION_FAIL), INFIX("/", float_divide, X, Y, RESULT, FUNCTION_FAIL)
#define FLOAT_OWN(X)                                                                                                   \
    FLOAT_ARITHMETIC(X, X, X), PREFIX("-", float_negate, X, X, 0), PREFIX("+", same, X, X, 0),                         \
        PREFIX("@", float_absolute, X, X, 0), CALL1("abs", float_absolute, X, X, 0)
#define NUMERIC_INFIX(NAME, EVAL) INFIX(NAME, EVAL, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC, FUNCTION_FAIL)

static const struct function rows[] = {
    INT_OWN(TYPE_INT4),
    INT_OWN(TYPE_INT2),
    INT_OWN(TYPE_INT8),
    INT_ARITHMETIC(TYPE_INT2, TYPE_INT4, TYPE_INT4),
    INT_ARITHMETIC(TYPE_INT4, TYPE_INT2, TYPE_INT4),
    INT_ARITHMETIC(TYPE_INT2, TYPE_INT8, TYPE_INT8),
    INT_ARITHMETIC(TYPE_INT8, TYPE_INT2, TYPE_INT8),
    INT_ARITHMETIC(TYPE_INT4, TYPE_INT8, TYPE_INT8),
    INT_ARITHMETIC(TYPE_INT8, TYPE_INT4, TYPE_INT8),
    FLOAT_OWN(TYPE_FLOAT4),
    FLOAT_OWN(TYPE_FLOAT8),
    FLOAT_ARITHMETIC(TYPE_FLOAT4, TYPE_FLOAT8, TYPE_FLOAT8),
    FLOAT_ARITHMETIC(TYPE_FLOAT8, TYPE_FLOAT4, TYPE_FLOAT8),
    NUMERIC_INFIX("+", numeric_add),
    NUMERIC_INFIX("-", numeric_subtract),
    NUMERIC_INFIX("*", numeric_multiply),
    NUMERIC_INFIX("/", numeric_divide),
    NUMERIC_INFIX("%", numeric_modulo),
    CALL2("mod", numeric_modulo, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC, FUNCTION_FAIL),
    CALL2("div", numeric_quotient, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC, FUNCTION_FAIL),
    PREFIX("-", numeric_negate, TYPE_NUMERIC, TYPE_NUMERIC, 0),
    PREFIX("+", same, TYPE_NUMERIC, TYPE_NUMERIC, 0),
    PREFIX("@", numeric_absolute, TYPE_NUMERIC, TYPE_NUMERIC, 0),
    CALL1("abs", numeric_absolute, TYPE_NUMERIC, TYPE_NUMERIC, 0),
};
FUNCTION_FAMILY(function_family_number, rows);
