/* A typed scalar expression: what the SQL room makes and the expression room compiles. A tree in an arena, immutable
 * once made. */
#ifndef PLAN_EXPR_H
#define PLAN_EXPR_H

#include "row/datum.h"

#include <stdbool.h>
#include <stdint.h>

enum expr_kind {
    EXPR_CONST,  /* value */
    EXPR_COLUMN, /* column: index into the input row */
    EXPR_CALL,   /* function(args): functions, operators, comparisons and casts of the catalogue in src/expr */
    EXPR_AND,    /* args, three-valued, left to right, stops at the first false */
    EXPR_OR,
    EXPR_NOT,
    EXPR_CASE,     /* args: condition, result, condition, result, ..., else (always there); only what is reached is
                      evaluated */
    EXPR_COALESCE, /* args, evaluated until one is not NULL */
    EXPR_NULLIF,   /* args[0], args[1]; the comparison is `function` */
    EXPR_GREATEST, /* NULLs are ignored; compared by the kind of `type` */
    EXPR_LEAST,
    EXPR_IN,      /* args[0] = any of args[1..]; `negated` = NOT IN. All of one comparable kind. */
    EXPR_IS_NULL, /* `negated` = IS NOT NULL */
    EXPR_IS_TRUE, /* `negated` = IS NOT TRUE */
    EXPR_IS_FALSE,
    EXPR_IS_UNKNOWN,
    EXPR_DISTINCT /* args[0] IS DISTINCT FROM args[1], both of one kind; `negated` = IS NOT DISTINCT FROM */
};

struct expr {
    enum expr_kind kind;
    struct type type; /* of the result */
    struct expr **args;
    uint32_t arg_count;
    bool negated;
    bool can_fail;      /* evaluation of this tree may be an error (division, overflow, a cast): set by the makers in
                           src/expr */
    uint32_t column;    /* EXPR_COLUMN */
    uint32_t function;  /* EXPR_CALL, EXPR_NULLIF: index in the catalogue of src/expr */
    int32_t location;   /* byte offset in the SQL text, -1 = none */
    struct datum value; /* EXPR_CONST */
};

#endif
