/* The aggregates' argument and result types. Their values are kept by the flow room, so no row has an evaluator. */
#include "expr/function.h"

#define AGGREGATE(name, x, result) ROW(FUNCTION_AGGREGATE, name, NULL, result, 0, 1, x)
#define EXTREME(x)                 AGGREGATE("min", x, x), AGGREGATE("max", x, x)

static const struct function rows[] = {
    AGGREGATE("count", TYPE_ANY, TYPE_INT8),
    AGGREGATE("sum", TYPE_INT2, TYPE_INT8),
    AGGREGATE("sum", TYPE_INT4, TYPE_INT8),
    AGGREGATE("sum", TYPE_INT8, TYPE_NUMERIC),
    AGGREGATE("sum", TYPE_NUMERIC, TYPE_NUMERIC),
    AGGREGATE("sum", TYPE_FLOAT4, TYPE_FLOAT4),
    AGGREGATE("sum", TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("sum", TYPE_INTERVAL, TYPE_INTERVAL),
    AGGREGATE("avg", TYPE_INT2, TYPE_NUMERIC),
    AGGREGATE("avg", TYPE_INT4, TYPE_NUMERIC),
    AGGREGATE("avg", TYPE_INT8, TYPE_NUMERIC),
    AGGREGATE("avg", TYPE_NUMERIC, TYPE_NUMERIC),
    AGGREGATE("avg", TYPE_FLOAT4, TYPE_FLOAT8),
    AGGREGATE("avg", TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("avg", TYPE_INTERVAL, TYPE_INTERVAL),
    EXTREME(TYPE_INT2),
    EXTREME(TYPE_INT4),
    EXTREME(TYPE_INT8),
    EXTREME(TYPE_NUMERIC),
    EXTREME(TYPE_FLOAT4),
    EXTREME(TYPE_FLOAT8),
    EXTREME(TYPE_TEXT),
    EXTREME(TYPE_BPCHAR),
    EXTREME(TYPE_DATE),
    EXTREME(TYPE_TIME),
    EXTREME(TYPE_TIMESTAMP),
    EXTREME(TYPE_TIMESTAMPTZ),
    EXTREME(TYPE_INTERVAL),
    AGGREGATE("bool_and", TYPE_BOOL, TYPE_BOOL),
    AGGREGATE("bool_or", TYPE_BOOL, TYPE_BOOL),
    AGGREGATE("every", TYPE_BOOL, TYPE_BOOL),
};
FUNCTION_FAMILY(function_family_aggregate, rows);
