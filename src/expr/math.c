/* Rounding, signs, powers, roots and logarithms. The numeric forms of the transcendental ones have no evaluator. */
#include "expr/function.h"

#include "row/decimal.h"

#include <math.h>

static enum status float_round(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = rint(x[0].v.d);
    return STATUS_OK;
}

static enum status float_ceil(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = ceil(x[0].v.d);
    return STATUS_OK;
}

static enum status float_floor(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = floor(x[0].v.d);
    return STATUS_OK;
}

static enum status float_truncate(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = x[0].v.d >= 0 ? floor(x[0].v.d) : -floor(-x[0].v.d);
    return STATUS_OK;
}

static enum status float_sign(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = x[0].v.d > 0 ? 1.0 : x[0].v.d < 0 ? -1.0 : 0.0;
    return STATUS_OK;
}

static enum status numeric_round(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = decimal_round(e->a, &x[0], e->arg_count == 2 ? (int32_t)x[1].v.i : 0);
    return STATUS_OK;
}

static enum status numeric_truncate(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = decimal_truncate(e->a, &x[0], e->arg_count == 2 ? (int32_t)x[1].v.i : 0);
    return STATUS_OK;
}

static enum status numeric_ceil(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = decimal_ceil(e->a, x);
    return STATUS_OK;
}

static enum status numeric_floor(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = decimal_floor(e->a, x);
    return STATUS_OK;
}

static enum status numeric_sign(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    *out = decimal_kind(x) == DECIMAL_NAN ? x[0] : decimal_from_int(decimal_sign(x));
    return STATUS_OK;
}

static enum status invalid(const struct eval *e, const char *text)
{
    return error_set(e->err, STATUS_INVALID, 0, "%s", text);
}

static enum status overflow(const struct eval *e)
{
    return invalid(e, "value out of range: overflow");
}

static enum status underflow(const struct eval *e)
{
    return invalid(e, "value out of range: underflow");
}

static enum status float_sqrt(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[0].v.d < 0) {
        return invalid(e, "cannot take square root of a negative number");
    }
    out->v.d = sqrt(x[0].v.d);
    return STATUS_OK;
}

static enum status float_cbrt(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = cbrt(x[0].v.d);
    return STATUS_OK;
}

static enum status float_exp(const struct datum *x, struct datum *out, const struct eval *e)
{
    double value = exp(x[0].v.d);
    if (isinf(value) && !isinf(x[0].v.d)) {
        return overflow(e);
    }
    if (value == 0.0 && !isinf(x[0].v.d)) {
        return underflow(e);
    }
    out->v.d = value;
    return STATUS_OK;
}

static enum status check_logarithm(double x, const struct eval *e)
{
    if (x == 0.0) {
        return invalid(e, "cannot take logarithm of zero");
    }
    return x < 0 ? invalid(e, "cannot take logarithm of a negative number") : STATUS_OK;
}

static enum status float_ln(const struct datum *x, struct datum *out, const struct eval *e)
{
    TRY(check_logarithm(x[0].v.d, e));
    out->v.d = log(x[0].v.d);
    return STATUS_OK;
}

static enum status float_log(const struct datum *x, struct datum *out, const struct eval *e)
{
    TRY(check_logarithm(x[0].v.d, e));
    out->v.d = log10(x[0].v.d);
    return STATUS_OK;
}

/* dpow(): infinities and NaN by POSIX, spelled out there because some C libraries do otherwise; glibc's pow()
 * agrees. */
static enum status float_power(const struct datum *x, struct datum *out, const struct eval *e)
{
    double base = x[0].v.d;
    double exponent = x[1].v.d;
    if (isnan(base) || isnan(exponent)) {
        out->v.d = exponent == 0.0 || base == 1.0 ? 1.0 : (double)NAN;
        return STATUS_OK;
    }
    if (base == 0.0 && exponent < 0) {
        return invalid(e, "zero raised to a negative power is undefined");
    }
    if (base < 0 && floor(exponent) != exponent) {
        return invalid(e, "a negative number raised to a non-integer power yields a complex result");
    }
    double value = pow(base, exponent);
    bool infinite = isinf(base) || isinf(exponent);
    if (isinf(value) && !infinite) {
        return overflow(e);
    }
    if (value == 0.0 && base != 0.0 && !infinite) {
        return underflow(e);
    }
    out->v.d = value;
    return STATUS_OK;
}

static enum status float_degrees(const struct datum *x, struct datum *out, const struct eval *e)
{
    double value = x[0].v.d / 0.0174532925199432957692;
    out->v.d = value;
    return isinf(value) && !isinf(x[0].v.d) ? overflow(e) : STATUS_OK;
}

static enum status float_radians(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = x[0].v.d * 0.0174532925199432957692;
    return STATUS_OK;
}

/* sin, cos and tan refuse infinity. */
#define CIRCULAR(NAME, FUNCTION)                                                                                       \
    static enum status NAME(const struct datum *x, struct datum *out, const struct eval *e)                            \
    {                                                                                                                  \
        if (isinf(x[0].v.d)) {                                                                                         \
            return invalid(e, "input is out of range");                                                                \
        }                                                                                                              \
        out->v.d = FUNCTION(x[0].v.d);                                                                                 \
        return STATUS_OK;                                                                                              \
    }
CIRCULAR(float_sin, sin)
CIRCULAR(float_cos, cos)
CIRCULAR(float_tan, tan)

#define INVERSE(NAME, FUNCTION)                                                                                        \
    static enum status NAME(const struct datum *x, struct datum *out, const struct eval *e)                            \
    {                                                                                                                  \
        if (x[0].v.d < -1.0 || x[0].v.d > 1.0) {                                                                       \
            return invalid(e, "input is out of range");                                                                \
        }                                                                                                              \
        out->v.d = FUNCTION(x[0].v.d);                                                                                 \
        return STATUS_OK;                                                                                              \
    }
INVERSE(float_asin, asin)
INVERSE(float_acos, acos)

static enum status float_atan(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = atan(x[0].v.d);
    return STATUS_OK;
}

static enum status float_atan2(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.d = atan2(x[0].v.d, x[1].v.d);
    return STATUS_OK;
}

static uint64_t magnitude(int64_t x)
{
    return x < 0 ? 0U - (uint64_t)x : (uint64_t)x;
}

static enum status int_gcd(const struct datum *x, struct datum *out, const struct eval *e)
{
    uint64_t p = magnitude(x[0].v.i);
    uint64_t q = magnitude(x[1].v.i);
    while (q != 0) {
        uint64_t rest = p % q;
        p = q;
        q = rest;
    }
    uint64_t max = e->type->kind == TYPE_INT4 ? INT32_MAX : INT64_MAX;
    if (p > max) {
        return invalid(e, e->type->kind == TYPE_INT4 ? "integer out of range" : "bigint out of range");
    }
    out->v.i = (int64_t)p;
    return STATUS_OK;
}

static enum status int_lcm(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[0].v.i == 0 || x[1].v.i == 0) {
        return STATUS_OK;
    }
    TRY(int_gcd(x, out, e));
    uint64_t max = e->type->kind == TYPE_INT4 ? INT32_MAX : INT64_MAX;
    uint64_t value;
    if (__builtin_mul_overflow(magnitude(x[0].v.i) / (uint64_t)out->v.i, magnitude(x[1].v.i), &value) || value > max) {
        return invalid(e, e->type->kind == TYPE_INT4 ? "integer out of range" : "bigint out of range");
    }
    out->v.i = (int64_t)value;
    return STATUS_OK;
}

#define FLOAT1(NAME, EVAL, FLAGS) CALL1(NAME, EVAL, TYPE_FLOAT8, TYPE_FLOAT8, FLAGS)
#define NUMERIC1(NAME, EVAL)      CALL1(NAME, EVAL, TYPE_NUMERIC, TYPE_NUMERIC, 0)
#define NUMERIC2(NAME, EVAL)      CALL2(NAME, EVAL, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC, 0)

static const struct function rows[] = {
    FLOAT1("round", float_round, 0),
    FLOAT1("ceil", float_ceil, 0),
    FLOAT1("ceiling", float_ceil, 0),
    FLOAT1("floor", float_floor, 0),
    FLOAT1("trunc", float_truncate, 0),
    FLOAT1("sign", float_sign, 0),
    FLOAT1("sqrt", float_sqrt, FUNCTION_FAIL),
    PREFIX("|/", float_sqrt, TYPE_FLOAT8, TYPE_FLOAT8, FUNCTION_FAIL),
    FLOAT1("cbrt", float_cbrt, 0),
    PREFIX("||/", float_cbrt, TYPE_FLOAT8, TYPE_FLOAT8, 0),
    FLOAT1("exp", float_exp, FUNCTION_FAIL),
    FLOAT1("ln", float_ln, FUNCTION_FAIL),
    FLOAT1("log", float_log, FUNCTION_FAIL),
    FLOAT1("log10", float_log, FUNCTION_FAIL),
    CALL2("power", float_power, TYPE_FLOAT8, TYPE_FLOAT8, TYPE_FLOAT8, FUNCTION_FAIL),
    CALL2("pow", float_power, TYPE_FLOAT8, TYPE_FLOAT8, TYPE_FLOAT8, FUNCTION_FAIL),
    INFIX("^", float_power, TYPE_FLOAT8, TYPE_FLOAT8, TYPE_FLOAT8, FUNCTION_FAIL),
    FLOAT1("degrees", float_degrees, FUNCTION_FAIL),
    FLOAT1("radians", float_radians, 0),
    FLOAT1("sin", float_sin, FUNCTION_FAIL),
    FLOAT1("cos", float_cos, FUNCTION_FAIL),
    FLOAT1("tan", float_tan, FUNCTION_FAIL),
    FLOAT1("asin", float_asin, FUNCTION_FAIL),
    FLOAT1("acos", float_acos, FUNCTION_FAIL),
    FLOAT1("atan", float_atan, 0),
    CALL2("atan2", float_atan2, TYPE_FLOAT8, TYPE_FLOAT8, TYPE_FLOAT8, 0),
    NUMERIC1("round", numeric_round),
    CALL2("round", numeric_round, TYPE_NUMERIC, TYPE_INT4, TYPE_NUMERIC, 0),
    NUMERIC1("trunc", numeric_truncate),
    CALL2("trunc", numeric_truncate, TYPE_NUMERIC, TYPE_INT4, TYPE_NUMERIC, 0),
    NUMERIC1("ceil", numeric_ceil),
    NUMERIC1("ceiling", numeric_ceil),
    NUMERIC1("floor", numeric_floor),
    NUMERIC1("sign", numeric_sign),
    NUMERIC1("sqrt", NULL),
    NUMERIC1("exp", NULL),
    NUMERIC1("ln", NULL),
    NUMERIC1("log", NULL),
    NUMERIC1("log10", NULL),
    NUMERIC2("log", NULL),
    NUMERIC2("power", NULL),
    NUMERIC2("pow", NULL),
    INFIX("^", NULL, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC, 0),
    CALL2("gcd", int_gcd, TYPE_INT4, TYPE_INT4, TYPE_INT4, FUNCTION_FAIL),
    CALL2("gcd", int_gcd, TYPE_INT8, TYPE_INT8, TYPE_INT8, FUNCTION_FAIL),
    NUMERIC2("gcd", NULL),
    CALL2("lcm", int_lcm, TYPE_INT4, TYPE_INT4, TYPE_INT4, FUNCTION_FAIL),
    CALL2("lcm", int_lcm, TYPE_INT8, TYPE_INT8, TYPE_INT8, FUNCTION_FAIL),
    NUMERIC2("lcm", NULL),
};
FUNCTION_FAMILY(function_family_math, rows);
