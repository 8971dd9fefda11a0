/* Expressions compiled once into a flat program: instructions over a register array, types resolved, short circuits as
 * jumps. */
#ifndef EXPR_PROGRAM_H
#define EXPR_PROGRAM_H

#include "base/arena.h"
#include "base/error.h"
#include "plan/expr.h"

struct program;

/* Compiles `exprs`, evaluated together over one input row of `input_count` datums; common subexpressions need not be
 * shared. The program owns its memory; program_free releases it. The expressions are not needed afterwards. */
struct program *program_new(struct expr *const *exprs, uint32_t expr_count, uint32_t input_count);
void program_free(struct program *p);

/* Evaluates over `row` into `out[expr_count]`. Results may point into the row, the program's constants or `a`.
 * A run-time failure (division by zero, out of range, a bad cast) is STATUS_INVALID with PostgreSQL's words. Not
 * reentrant for one program. @thread owner */
enum status program_run(struct program *p, const struct datum *row, struct datum *out, struct arena *a,
                        struct error *err);
/* For a program of one boolean expression: true only where it is true. */
enum status program_test(struct program *p, const struct datum *row, bool *out, struct arena *a, struct error *err);
/* Appends the instructions as text. */
void program_print(const struct program *p, struct buffer *out);

#endif
