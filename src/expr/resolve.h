/* What the makers of expressions share within this room: resolution by PostgreSQL's rules and the making of call
 * nodes. */
#ifndef EXPR_RESOLVE_H
#define EXPR_RESOLVE_H

#include "expr/build.h"
#include "expr/function.h"

enum resolution { RESOLVE_ONE, RESOLVE_NONE, RESOLVE_AMBIGUOUS };
/* The row that a call with arguments of these kinds means: an exact match, else func_select_candidate over those that
 * implicit casts reach. `kinds` may hold TYPE_UNKNOWN. */
enum resolution resolve_function(enum function_class class, const char *name, const enum type_kind *kinds,
                                 uint32_t count, uint32_t *out);
/* The same by oper(): a side of unknown type is first taken as the other side's. */
enum resolution resolve_operator(const char *name, const enum type_kind *kinds, uint32_t count, uint32_t *out);

enum type_kind resolve_argument(const struct function *f, uint32_t position);
/* pg_type.typcategory, and whether the kind is the category's preferred one. */
char resolve_category(enum type_kind kind);
bool resolve_is_preferred(enum type_kind kind);
/* Whether an implicit cast reaches `to`; TYPE_ANY takes everything and unknown goes anywhere. */
bool resolve_is_implicit(enum type_kind from, enum type_kind to);

/* json, jsonb and other types: only carried. */
bool resolve_is_opaque(enum type_kind kind);
/* The type's name without modifiers, for messages. */
const char *resolve_type_name(struct arena *a, const struct type *type);

/* A node of `kind` with a copy of the argument list; can_fail as the arguments'. */
struct expr *resolve_node(struct arena *a, enum expr_kind kind, struct type type, struct expr *const *args,
                          uint32_t arg_count);
/* A call of row `function`, whose arguments have its types already. All-constant calls are evaluated now; one that
 * fails then is left as it is, unless `must_fold`. */
enum status resolve_make_call(struct arena *a, uint32_t function, struct type type, struct expr *const *args,
                              uint32_t arg_count, bool must_fold, struct expr **out, struct error *err);
/* Casts the arguments to what the row takes, in place. */
enum status resolve_cast_arguments(struct arena *a, const struct function *f, struct expr **args, uint32_t arg_count,
                                   struct error *err);

#endif
