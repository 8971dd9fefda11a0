/* The six comparisons within and across kinds. What a pair of kinds compares by is one function; the operators are made
 * from it. */
#include "expr/function.h"

#include "row/datetime.h"

static int by_int(const struct datum *x)
{
    return x[0].v.i < x[1].v.i ? -1 : x[0].v.i > x[1].v.i;
}

/* NaN equals itself and is above all numbers. */
static int by_float(const struct datum *x)
{
    return datum_compare(TYPE_FLOAT8, &x[0], &x[1]);
}

static int by_numeric(const struct datum *x)
{
    return datum_compare(TYPE_NUMERIC, &x[0], &x[1]);
}

static int by_bytes(const struct datum *x)
{
    return bytes_compare(datum_as_bytes(&x[0]), datum_as_bytes(&x[1]));
}

static int by_bpchar(const struct datum *x)
{
    return datum_compare(TYPE_BPCHAR, &x[0], &x[1]);
}

static int by_interval(const struct datum *x)
{
    return datum_compare(TYPE_INTERVAL, &x[0], &x[1]);
}

static int by_uuid(const struct datum *x)
{
    return datum_compare(TYPE_UUID, &x[0], &x[1]);
}

/* Dates reach past the last timestamp: such a date is above every timestamp but infinity. */
static int by_date_timestamp(const struct datum *x)
{
    struct error ignored;
    struct datum pair[2] = {x[0], x[1]};
    if (date_to_timestamp(x[0].v.i, &pair[0].v.i, &ignored) != STATUS_OK) {
        return x[1].v.i == TIMESTAMP_INFINITY ? -1 : 1;
    }
    return by_int(pair);
}

static int by_timestamp_date(const struct datum *x)
{
    struct datum swapped[2] = {x[1], x[0]};
    return -by_date_timestamp(swapped);
}

#define OPERATOR(NAME, BY, TEST)                                                                                       \
    static enum status NAME(const struct datum *x, struct datum *out, const struct eval *e)                            \
    {                                                                                                                  \
        (void)e;                                                                                                       \
        out->v.i = BY(x) TEST 0;                                                                                       \
        return STATUS_OK;                                                                                              \
    }
#define OPERATORS(BY)                                                                                                  \
    OPERATOR(BY##_eq, BY, ==)                                                                                          \
    OPERATOR(BY##_ne, BY, !=)                                                                                          \
    OPERATOR(BY##_lt, BY, <)                                                                                           \
    OPERATOR(BY##_le, BY, <=)                                                                                          \
    OPERATOR(BY##_gt, BY, >)                                                                                           \
    OPERATOR(BY##_ge, BY, >=)

OPERATORS(by_int)
OPERATORS(by_float)
OPERATORS(by_numeric)
OPERATORS(by_bytes)
OPERATORS(by_bpchar)
OPERATORS(by_interval)
OPERATORS(by_uuid)
OPERATORS(by_date_timestamp)
OPERATORS(by_timestamp_date)

#define COMPARE(NAME, EVAL, X, Y, FAST)                                                                                \
    {                                                                                                                  \
        .name = (NAME), .eval = (EVAL), .class = FUNCTION_OPERATOR, .arg_count = 2, .args = {X, Y},                    \
        .result = TYPE_BOOL, .fast = (FAST)                                                                            \
    }
#define PAIR(BY, X, Y)                                                                                                 \
    COMPARE("=", BY##_eq, X, Y, FAST_NONE), COMPARE("<>", BY##_ne, X, Y, FAST_NONE),                                   \
        COMPARE("<", BY##_lt, X, Y, FAST_NONE), COMPARE("<=", BY##_le, X, Y, FAST_NONE),                               \
        COMPARE(">", BY##_gt, X, Y, FAST_NONE), COMPARE(">=", BY##_ge, X, Y, FAST_NONE)
#define INT_PAIR(X, Y)                                                                                                 \
    COMPARE("=", by_int_eq, X, Y, FAST_INT_EQ), COMPARE("<>", by_int_ne, X, Y, FAST_INT_NE),                           \
        COMPARE("<", by_int_lt, X, Y, FAST_INT_LT), COMPARE("<=", by_int_le, X, Y, FAST_INT_LE),                       \
        COMPARE(">", by_int_gt, X, Y, FAST_INT_GT), COMPARE(">=", by_int_ge, X, Y, FAST_INT_GE)
#define BYTES_PAIR(X, Y)                                                                                               \
    COMPARE("=", by_bytes_eq, X, Y, FAST_BYTES_EQ), COMPARE("<>", by_bytes_ne, X, Y, FAST_BYTES_NE),                   \
        COMPARE("<", by_bytes_lt, X, Y, FAST_NONE), COMPARE("<=", by_bytes_le, X, Y, FAST_NONE),                       \
        COMPARE(">", by_bytes_gt, X, Y, FAST_NONE), COMPARE(">=", by_bytes_ge, X, Y, FAST_NONE)

static const struct function rows[] = {
    INT_PAIR(TYPE_INT4, TYPE_INT4),
    INT_PAIR(TYPE_INT2, TYPE_INT2),
    INT_PAIR(TYPE_INT8, TYPE_INT8),
    INT_PAIR(TYPE_INT2, TYPE_INT4),
    INT_PAIR(TYPE_INT4, TYPE_INT2),
    INT_PAIR(TYPE_INT2, TYPE_INT8),
    INT_PAIR(TYPE_INT8, TYPE_INT2),
    INT_PAIR(TYPE_INT4, TYPE_INT8),
    INT_PAIR(TYPE_INT8, TYPE_INT4),
    INT_PAIR(TYPE_BOOL, TYPE_BOOL),
    INT_PAIR(TYPE_DATE, TYPE_DATE),
    INT_PAIR(TYPE_TIME, TYPE_TIME),
    INT_PAIR(TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    INT_PAIR(TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    INT_PAIR(TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ),
    INT_PAIR(TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP),
    PAIR(by_date_timestamp, TYPE_DATE, TYPE_TIMESTAMP),
    PAIR(by_date_timestamp, TYPE_DATE, TYPE_TIMESTAMPTZ),
    PAIR(by_timestamp_date, TYPE_TIMESTAMP, TYPE_DATE),
    PAIR(by_timestamp_date, TYPE_TIMESTAMPTZ, TYPE_DATE),
    PAIR(by_float, TYPE_FLOAT4, TYPE_FLOAT4),
    PAIR(by_float, TYPE_FLOAT8, TYPE_FLOAT8),
    PAIR(by_float, TYPE_FLOAT4, TYPE_FLOAT8),
    PAIR(by_float, TYPE_FLOAT8, TYPE_FLOAT4),
    PAIR(by_numeric, TYPE_NUMERIC, TYPE_NUMERIC),
    BYTES_PAIR(TYPE_TEXT, TYPE_TEXT),
    BYTES_PAIR(TYPE_BYTEA, TYPE_BYTEA),
    PAIR(by_bpchar, TYPE_BPCHAR, TYPE_BPCHAR),
    PAIR(by_interval, TYPE_INTERVAL, TYPE_INTERVAL),
    PAIR(by_uuid, TYPE_UUID, TYPE_UUID),
};
FUNCTION_FAMILY(function_family_compare, rows);
