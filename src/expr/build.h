/* Makes typed expressions: PostgreSQL's rules for functions, operators and casts over the catalogue of this room.
 *
 * Arguments may be of TYPE_UNKNOWN (a quoted literal or NULL): they take the type that the call resolves to, as in
 * PostgreSQL ("func_select_candidate": exact matches, then preferred types, unknown as the other side's type, else
 * text). All results live in the arena. Errors: STATUS_UNSUPPORTED ("function foo(integer) is not supported"),
 * STATUS_INVALID with PostgreSQL's words for what it would refuse too ("operator does not exist: text + integer").
 * Volatile and clock functions (now, current_date, current_timestamp, clock_timestamp, random, ...) are
 * STATUS_UNSUPPORTED with the reason. */
#ifndef EXPR_BUILD_H
#define EXPR_BUILD_H

#include "base/arena.h"
#include "base/error.h"
#include "plan/expr.h"

struct expr *expr_const(struct arena *a, struct type type, struct datum value);
/* A literal of unknown type; `text` is copied. */
struct expr *expr_unknown(struct arena *a, struct bytes text);
struct expr *expr_null(struct arena *a);
struct expr *expr_column(struct arena *a, uint32_t column, struct type type);

/* `name` is lower case without schema ("lower", "date_trunc", "substring", "position" ...; SQL-syntax forms arrive
 * under the name the grammar gives them: "btrim" for trim(both), "extract", "substring", "position", "overlay"). */
enum status expr_call(struct arena *a, const char *name, struct expr **args, uint32_t arg_count, struct expr **out,
                      struct error *err);
/* `left` NULL = prefix operator. op: + - * / % || = <> != < <= > >= ~~ !~~ ~~* !~~* and what else the catalogue has. */
enum status expr_operator(struct arena *a, const char *op, struct expr *left, struct expr *right, struct expr **out,
                          struct error *err);

enum expr_cast_context { CAST_IMPLICIT, CAST_ASSIGNMENT, CAST_EXPLICIT };
/* `e` as `type` (no node where it already is); a constant is folded at once, so a bad literal is an error here. */
enum status expr_cast(struct arena *a, struct expr *e, const struct type *type, enum expr_cast_context context,
                      struct expr **out, struct error *err);
/* True where PostgreSQL would cast from -> to in this context. */
bool expr_can_cast(const struct type *from, const struct type *to, enum expr_cast_context context);

/* PostgreSQL's "UNION, CASE, and Related Constructs" resolution over `args`; casts all of them in place. `what` for the
 * message
 * ("CASE types text and integer cannot be matched"). All unknown -> text. */
enum status expr_unify(struct arena *a, const char *what, struct expr **args, uint32_t arg_count, struct type *type,
                       struct error *err);

/* The logical and special forms; they check and cast their arguments ("argument of AND must be type boolean, not type
 * integer"). */
enum status expr_logical(struct arena *a, enum expr_kind kind, struct expr **args, uint32_t arg_count,
                         struct expr **out, struct error *err); /* AND, OR, NOT */
enum status expr_case(struct arena *a, struct expr **args, uint32_t arg_count, struct expr **out, struct error *err);
enum status expr_coalesce(struct arena *a, struct expr **args, uint32_t arg_count, struct expr **out,
                          struct error *err);
enum status expr_nullif(struct arena *a, struct expr *x, struct expr *y, struct expr **out, struct error *err);
enum status expr_minmax(struct arena *a, enum expr_kind kind, struct expr **args, uint32_t arg_count, struct expr **out,
                        struct error *err); /* GREATEST, LEAST */
enum status expr_in(struct arena *a, bool negated, struct expr **args, uint32_t arg_count, struct expr **out,
                    struct error *err);
/* IS [NOT] NULL / TRUE / FALSE / UNKNOWN */
enum status expr_is(struct arena *a, enum expr_kind kind, bool negated, struct expr *x, struct expr **out,
                    struct error *err);
enum status expr_distinct(struct arena *a, bool negated, struct expr *x, struct expr *y, struct expr **out,
                          struct error *err);

/* Result type of an aggregate over `argument` ("sum(integer)" is bigint ...); `argument` NULL for count(*). The
 * argument may have to be cast first (avg(unknown), sum(int2)...): it is replaced in place. STATUS_UNSUPPORTED /
 * STATUS_INVALID as above. */
enum status expr_aggregate_type(struct arena *a, const char *name, struct expr **argument, struct type *out,
                                struct error *err);

/* Same tree, same constants (locations do not matter). */
bool expr_equal(const struct expr *x, const struct expr *y);
/* Appends a text that is equal for equal expressions and readable: "(c3 + 1::integer)". */
void expr_print(const struct expr *e, struct buffer *out);
/* A copy with every EXPR_COLUMN n replaced by `columns[n]` (shared, not copied). */
struct expr *expr_substitute(struct arena *a, const struct expr *e, struct expr *const *columns);

#endif
