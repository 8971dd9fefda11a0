/* The catalogue of functions, operators, casts and aggregates: what PostgreSQL 15 resolves calls against, and who
 * evaluates them. The rows live beside their evaluators, one const table a family; a row's index is stable only within
 * one build. Rows without an evaluator are there so that resolution comes out as PostgreSQL's; choosing one is
 * STATUS_UNSUPPORTED. */
#ifndef EXPR_FUNCTION_H
#define EXPR_FUNCTION_H

#include "base/arena.h"
#include "base/error.h"
#include "row/datum.h"

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an evaluator is given besides its arguments. Types and count are those of the call at hand. */
struct eval {
    struct arena *a; /* results are allocated here */
    struct error *err;
    struct buffer *scratch; /* free for use within one evaluation */
    locale_t *locale;       /* made by eval_locale at its first use; the owner of the eval frees it */
    const struct type *type;
    const struct type *arg_types;
    uint32_t arg_count;
    int64_t *memo; /* where a constant first argument's meaning may be kept between rows, 0 at first; NULL where it is
                      no constant */
};
/* Evaluates over `x`; no argument is NULL unless the row says FUNCTION_NULLS. `out` comes zeroed. @thread owner of the
 * eval */
typedef enum status function_eval(const struct datum *x, struct datum *out, const struct eval *e);

enum function_class { FUNCTION_CALL, FUNCTION_OPERATOR, FUNCTION_CAST, FUNCTION_AGGREGATE };
enum {
    FUNCTION_FAIL = 1,     /* may fail at run time */
    FUNCTION_NULLS = 2,    /* called with NULL arguments too */
    FUNCTION_VARIADIC = 4, /* the last argument may come any number of times, at least once */
    FUNCTION_ARGS_MAX = 6
};
#define TYPE_ANY ((enum type_kind)TYPE_KIND_COUNT) /* an argument of any type */
/* Rows that the program has an instruction of its own for. */
enum function_fast {
    FAST_NONE,
    FAST_COPY,
    FAST_INT_EQ,
    FAST_INT_NE,
    FAST_INT_LT,
    FAST_INT_LE,
    FAST_INT_GT,
    FAST_INT_GE,
    FAST_BYTES_EQ,
    FAST_BYTES_NE,
    FAST_INT_ADD,
    FAST_INT_SUBTRACT,
    FAST_INT_MULTIPLY
};

struct function {
    const char *name; /* function name or operator; "" for casts */
    function_eval *eval;
    uint8_t class; /* enum function_class */
    uint8_t arg_count;
    uint8_t args[FUNCTION_ARGS_MAX];
    uint8_t result;
    uint8_t flags;
    uint8_t fast;
    uint8_t context; /* casts: the weakest enum expr_cast_context that allows it */
};

struct function_family {
    const struct function *rows;
    size_t count;
};
extern const struct function_family function_family_number;
extern const struct function_family function_family_math;
extern const struct function_family function_family_compare;
extern const struct function_family function_family_text;
extern const struct function_family function_family_string;
extern const struct function_family function_family_pattern;
extern const struct function_family function_family_datetime;
extern const struct function_family function_family_field;
extern const struct function_family function_family_cast;
extern const struct function_family function_family_aggregate;

#define FUNCTION_NONE UINT32_MAX
const struct function *function_at(uint32_t index);
/* Steps through the catalogue: the next row of `class` named `name` after `index` (FUNCTION_NONE to begin),
 * FUNCTION_NONE at the end. */
uint32_t function_next(enum function_class class, const char *name, uint32_t index);
/* The cast row from -> to that `context` allows. */
uint32_t function_find_cast(enum type_kind from, enum type_kind to, unsigned context);
/* Why a function that PostgreSQL has cannot be in a view ("its result depends on the clock, ..."), NULL where there is
 * no such reason. */
const char *function_refusal(const char *name);

/* C.UTF-8, whatever the process's locale. STATUS_UNSUPPORTED where the C library has none. */
enum status eval_locale(const struct eval *e, locale_t *out);
/* Copies scratch into the arena as a text datum. */
struct datum eval_take_scratch(const struct eval *e);

/* Rows of a table: class, name, evaluator, argument kinds, result, flags. */
#define ROW(class_, name_, eval_, result_, flags_, count_, ...)                                                        \
    {                                                                                                                  \
        .name = (name_), .eval = (eval_), .class = (class_), .arg_count = (count_), .args = {__VA_ARGS__},             \
        .result = (result_), .flags = (flags_)                                                                         \
    }
#define CALL1(name, eval, x, result, flags)       ROW(FUNCTION_CALL, name, eval, result, flags, 1, x)
#define CALL2(name, eval, x, y, result, flags)    ROW(FUNCTION_CALL, name, eval, result, flags, 2, x, y)
#define CALL3(name, eval, x, y, z, result, flags) ROW(FUNCTION_CALL, name, eval, result, flags, 3, x, y, z)
#define PREFIX(name, eval, x, result, flags)      ROW(FUNCTION_OPERATOR, name, eval, result, flags, 1, x)
#define INFIX(name, eval, x, y, result, flags)    ROW(FUNCTION_OPERATOR, name, eval, result, flags, 2, x, y)
#define FUNCTION_FAMILY(name_, table_)                                                                                 \
    const struct function_family name_ = {.rows = (table_), .count = sizeof(table_) / sizeof((table_)[0])}

#endif
