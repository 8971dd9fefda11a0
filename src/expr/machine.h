/* The machine's inside: instructions over two banks of datums, the input row and the registers. Constants sit in
 * registers from the start. A register is written by one expression only, so nothing is ever saved or restored. */
#ifndef EXPR_MACHINE_H
#define EXPR_MACHINE_H

#include "expr/function.h"
#include "expr/program.h"

enum opcode {
    OP_COPY,       /* out = x */
    OP_CALL,       /* out = site(registers x.. ); NULL where an argument is */
    OP_CALL_NULLS, /* the same, NULLs passed on */
    OP_INT_EQ,
    OP_INT_NE,
    OP_INT_LT,
    OP_INT_LE,
    OP_INT_GT,
    OP_INT_GE,
    OP_BYTES_EQ,
    OP_BYTES_NE,
    OP_INT_ADD,
    OP_INT_SUBTRACT,
    OP_INT_MULTIPLY, /* within the bounds of the site's kind */
    OP_NOT,
    OP_AND_FIRST,
    OP_AND, /* out = out AND x; to target where false */
    OP_OR_FIRST,
    OP_OR,
    OP_JUMP,
    OP_JUMP_UNLESS_TRUE, /* by x */
    OP_JUMP_IF_VALUE,    /* where x is not NULL */
    OP_IS_NULL,
    OP_IS_NOT_NULL,
    OP_IS_BOOL, /* x is not NULL and = bit 0 of target, turned by bit 1 */
    OP_IN_INT,
    OP_IN_BYTES,
    OP_IN_KIND,    /* x in registers y.. ; target is the count and, in bit 0, whether negated */
    OP_DISTINCT,   /* of the kind in site; target 1 turns it */
    OP_PICK_FIRST, /* GREATEST, LEAST: out = x */
    OP_PICK_GREATER,
    OP_PICK_LESS,
    OP_NULLIF /* out = NULL where register y is true, else x */
};

/* Operands: the top bit tells registers from row columns. */
typedef uint32_t operand;
#define OPERAND_REGISTER 0x80000000U

struct call_site {
    function_eval *eval;
    const char *name;
    struct type type;
    struct type *arg_types;
    uint32_t arg_count;
    bool has_memo; /* the first argument is a constant */
    int64_t memo;
    int64_t min; /* bounds of integer results */
    int64_t max;
};

struct instruction {
    uint32_t op;  /* enum opcode */
    uint32_t out; /* register */
    operand x;
    operand y;       /* always one that may be fetched */
    uint32_t target; /* instruction to go on with, count or flags */
    uint32_t site;   /* call site, or the kind that is compared */
};

struct program {
    struct instruction *code;
    size_t code_count;
    size_t code_capacity;
    struct datum *registers;
    size_t register_count;
    size_t register_capacity;
    struct call_site *sites;
    size_t site_count;
    size_t site_capacity;
    operand *results;
    uint32_t result_count;
    uint32_t input_count;
    struct arena memory; /* constants and types */
    struct buffer scratch;
    locale_t locale;
};

#endif
