/* Makers of typed expressions: calls, operators and the special forms of SQL. Each checks, casts its arguments and says
 * whether the result may fail at run time. */
#include "expr/build.h"

#include "expr/resolve.h"
#include "row/datetime.h"

#include <assert.h>
#include <string.h>

struct expr *resolve_node(struct arena *a, enum expr_kind kind, struct type type, struct expr *const *args,
                          uint32_t arg_count)
{
    struct expr *e = arena_zalloc(a, sizeof *e);
    e->kind = kind;
    e->type = type;
    e->args = arena_dup(a, args, arg_count * sizeof *args);
    e->arg_count = arg_count;
    e->location = -1;
    for (uint32_t i = 0; i < arg_count; i++) {
        e->can_fail = e->can_fail || args[i]->can_fail;
        e->location = e->location < 0 ? args[i]->location : e->location;
    }
    return e;
}

/* Evaluates a call whose arguments are all constants. */
static enum status fold(struct arena *a, const struct function *f, const struct expr *call, struct datum *out,
                        struct error *err)
{
    struct datum *values = arena_alloc(a, call->arg_count * sizeof *values);
    struct type *types = arena_alloc(a, call->arg_count * sizeof *types);
    bool null = false;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        values[i] = call->args[i]->value;
        types[i] = call->args[i]->type;
        null = null || values[i].null;
    }
    *out = (struct datum){.len = 0};
    if (null && (f->flags & FUNCTION_NULLS) == 0) {
        *out = DATUM_NULL;
        return STATUS_OK;
    }
    struct buffer scratch = BUFFER_EMPTY;
    locale_t locale = (locale_t)0;
    struct eval e = {.a = a,
                     .err = err,
                     .scratch = &scratch,
                     .locale = &locale,
                     .type = &call->type,
                     .arg_types = types,
                     .arg_count = call->arg_count};
    enum status st = f->eval(values, out, &e);
    buffer_release(&scratch);
    if (locale != (locale_t)0) {
        freelocale(locale);
    }
    return st;
}

enum status resolve_make_call(struct arena *a, uint32_t function, struct type type, struct expr *const *args,
                              uint32_t arg_count, bool must_fold, struct expr **out, struct error *err)
{
    const struct function *f = function_at(function);
    struct expr *call = resolve_node(a, EXPR_CALL, type, args, arg_count);
    call->function = function;
    call->can_fail = call->can_fail || (f->flags & FUNCTION_FAIL) != 0;
    *out = call;
    for (uint32_t i = 0; i < arg_count; i++) {
        if (args[i]->kind != EXPR_CONST) {
            return STATUS_OK;
        }
    }
    struct datum value;
    struct error failed = {.status = STATUS_OK};
    enum status st = fold(a, f, call, &value, &failed);
    if (st == STATUS_OK) {
        *out = expr_const(a, type, value);
        (*out)->location = call->location;
    } else if (must_fold || st == STATUS_UNSUPPORTED) {
        *err = failed;
        return st;
    }
    return STATUS_OK;
}

enum status resolve_cast_arguments(struct arena *a, const struct function *f, struct expr **args, uint32_t arg_count,
                                   struct error *err)
{
    for (uint32_t i = 0; i < arg_count; i++) {
        enum type_kind kind = resolve_argument(f, i);
        if (kind == TYPE_ANY && args[i]->type.kind != TYPE_UNKNOWN) {
            continue;
        }
        struct type type = type_make(kind == TYPE_ANY ? TYPE_TEXT : kind);
        TRY(expr_cast(a, args[i], &type, CAST_IMPLICIT, &args[i], err));
    }
    return STATUS_OK;
}

/* "name(integer, text)" */
static const char *signature(struct arena *a, const char *name, struct expr *const *args, uint32_t arg_count)
{
    const char *text = arena_printf(a, "%s(", name);
    for (uint32_t i = 0; i < arg_count; i++) {
        text = arena_printf(a, "%s%s%s", text, i == 0 ? "" : ", ", resolve_type_name(a, &args[i]->type));
    }
    return arena_printf(a, "%s)", text);
}

static enum type_kind *kinds_of(struct arena *a, struct expr *const *args, uint32_t arg_count)
{
    enum type_kind *kinds = arena_alloc(a, arg_count * sizeof *kinds);
    for (uint32_t i = 0; i < arg_count; i++) {
        kinds[i] = args[i]->type.kind;
    }
    return kinds;
}

static bool has_opaque(struct expr *const *args, uint32_t arg_count)
{
    for (uint32_t i = 0; i < arg_count; i++) {
        if (resolve_is_opaque(args[i]->type.kind)) {
            return true;
        }
    }
    return false;
}

/* Words of a constant that decide more than a value are checked before any row is seen. */
static enum status check_constants(const char *name, struct expr *const *args, uint32_t arg_count, struct arena *a,
                                   struct error *err)
{
    if (arg_count < 2 || args[0]->kind != EXPR_CONST || args[0]->value.null || args[0]->type.kind != TYPE_TEXT) {
        return STATUS_OK;
    }
    struct bytes word = datum_as_bytes(&args[0]->value);
    enum datetime_field field;
    bool is_part = strcmp(name, "date_part") == 0;
    if ((is_part || strcmp(name, "extract") == 0 || strcmp(name, "date_trunc") == 0) &&
        !datetime_field_from_name(word, &field)) {
        bool as_timestamp = is_part && args[1]->type.kind == TYPE_DATE; /* date_part() is defined so */
        struct type type = as_timestamp ? type_make(TYPE_TIMESTAMP) : args[1]->type;
        return error_set(err, STATUS_INVALID, 0, "unit \"%.*s\" not recognized for type %s", (int)word.len,
                         (const char *)word.data, resolve_type_name(a, &type));
    }
    return STATUS_OK;
}

/* A call of one argument under a type's name is a cast: date(x), int4(x). */
static bool is_type_call(const char *name, uint32_t arg_count, struct type *type)
{
    struct error ignored;
    return arg_count == 1 &&
           type_from_name(name, (struct type_modifiers){.count = 0}, false, false, type, &ignored) == STATUS_OK;
}

static enum status refuse_call(struct arena *a, const char *name, struct expr **args, uint32_t arg_count,
                               struct error *err)
{
    const char *why = function_refusal(name);
    if (why != NULL) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "function %s() is not supported in a view: %s", name, why);
    }
    if (strcmp(name, "age") == 0 && arg_count == 1) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "function age() of one argument is not supported in a view: %s",
                         function_refusal("now"));
    }
    if (function_next(FUNCTION_CALL, name, FUNCTION_NONE) == FUNCTION_NONE || has_opaque(args, arg_count)) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "function %s is not supported",
                         signature(a, name, args, arg_count));
    }
    return STATUS_OK;
}

enum status expr_call(struct arena *a, const char *name, struct expr **args, uint32_t arg_count, struct expr **out,
                      struct error *err)
{
    struct type type;
    if (function_next(FUNCTION_CALL, name, FUNCTION_NONE) == FUNCTION_NONE && is_type_call(name, arg_count, &type)) {
        return expr_cast(a, args[0], &type, CAST_EXPLICIT, out, err);
    }
    TRY(refuse_call(a, name, args, arg_count, err));
    struct expr **cast = arena_dup(a, args, arg_count * sizeof *args);
    uint32_t row;
    switch (resolve_function(FUNCTION_CALL, name, kinds_of(a, args, arg_count), arg_count, &row)) {
    case RESOLVE_NONE:
        return error_set(err, STATUS_INVALID, 0, "function %s does not exist", signature(a, name, args, arg_count));
    case RESOLVE_AMBIGUOUS:
        return error_set(err, STATUS_INVALID, 0, "function %s is not unique", signature(a, name, args, arg_count));
    case RESOLVE_ONE:
        break;
    }
    const struct function *f = function_at(row);
    TRY(resolve_cast_arguments(a, f, cast, arg_count, err));
    if (f->eval == NULL) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "function %s is not supported",
                         signature(a, name, cast, arg_count));
    }
    TRY(check_constants(name, cast, arg_count, a, err));
    return resolve_make_call(a, row, type_make((enum type_kind)f->result), cast, arg_count, false, out, err);
}

static const char *operation(struct arena *a, const char *op, struct expr *const *args, uint32_t count)
{
    if (count == 1) {
        return arena_printf(a, "%s %s", op, resolve_type_name(a, &args[0]->type));
    }
    return arena_printf(a, "%s %s %s", resolve_type_name(a, &args[0]->type), op, resolve_type_name(a, &args[1]->type));
}

/* Finds the operator's row and casts the operands to it. */
static enum status prepare_operator(struct arena *a, const char *op, struct expr **args, uint32_t count, uint32_t *row,
                                    struct error *err)
{
    if (function_next(FUNCTION_OPERATOR, op, FUNCTION_NONE) == FUNCTION_NONE || has_opaque(args, count)) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "operator %s is not supported", operation(a, op, args, count));
    }
    switch (resolve_operator(op, kinds_of(a, args, count), count, row)) {
    case RESOLVE_NONE:
        return error_set(err, STATUS_INVALID, 0, "operator does not exist: %s", operation(a, op, args, count));
    case RESOLVE_AMBIGUOUS:
        return error_set(err, STATUS_INVALID, 0, "operator is not unique: %s", operation(a, op, args, count));
    case RESOLVE_ONE:
        break;
    }
    const struct function *f = function_at(*row);
    TRY(resolve_cast_arguments(a, f, args, count, err));
    if (f->eval == NULL) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "operator %s is not supported", operation(a, op, args, count));
    }
    return STATUS_OK;
}

enum status expr_operator(struct arena *a, const char *op, struct expr *left, struct expr *right, struct expr **out,
                          struct error *err)
{
    const char *name = strcmp(op, "!=") == 0 ? "<>" : op;
    struct expr *args[2] = {left != NULL ? left : right, right};
    uint32_t count = left != NULL ? 2 : 1;
    uint32_t row;
    TRY(prepare_operator(a, name, args, count, &row, err));
    const struct function *f = function_at(row);
    if (f->args[0] == TYPE_ANY || f->args[1] == TYPE_ANY) {
        /* text || anynonarray: the other side goes through a cast to text, as PostgreSQL's textanycat does. */
        struct type text = type_make(TYPE_TEXT);
        TRY(expr_cast(a, args[0], &text, CAST_EXPLICIT, &args[0], err));
        TRY(expr_cast(a, args[1], &text, CAST_EXPLICIT, &args[1], err));
        return expr_operator(a, name, args[0], args[1], out, err);
    }
    return resolve_make_call(a, row, type_make((enum type_kind)f->result), args, count, false, out, err);
}

static bool all_same_type(struct expr *const *args, uint32_t arg_count)
{
    for (uint32_t i = 1; i < arg_count; i++) {
        if (!type_equal(&args[0]->type, &args[i]->type)) {
            return false;
        }
    }
    return true;
}

/* select_common_type() of parse_coerce.c. */
static enum status common_type(struct arena *a, const char *what, struct expr *const *args, uint32_t arg_count,
                               struct type *out, struct error *err)
{
    struct type type = args[0]->type;
    for (uint32_t i = 1; i < arg_count; i++) {
        const struct type *next = &args[i]->type;
        if (next->kind == TYPE_UNKNOWN || (next->kind == type.kind && strcmp(next->name, type.name) == 0)) {
            continue;
        }
        if (type.kind == TYPE_UNKNOWN) {
            type = *next;
        } else if (resolve_category(next->kind) != resolve_category(type.kind) || next->kind == TYPE_OTHER) {
            return error_set(err, STATUS_INVALID, 0, "%s types %s and %s cannot be matched", what,
                             resolve_type_name(a, &type), resolve_type_name(a, next));
        } else if (!resolve_is_preferred(type.kind) && resolve_is_implicit(type.kind, next->kind) &&
                   !resolve_is_implicit(next->kind, type.kind)) {
            type = *next;
        }
    }
    if (type.kind == TYPE_UNKNOWN) {
        type = type_make(TYPE_TEXT);
    }
    type.typmod = -1;
    *out = type;
    return STATUS_OK;
}

static enum status cast_to_common(struct arena *a, const char *what, struct expr **args, uint32_t arg_count,
                                  const struct type *type, struct error *err)
{
    for (uint32_t i = 0; i < arg_count; i++) {
        if (args[i]->type.kind != TYPE_UNKNOWN && !expr_can_cast(&args[i]->type, type, CAST_IMPLICIT)) {
            return error_set(err, STATUS_INVALID, 0, "%s could not convert type %s to %s", what,
                             resolve_type_name(a, &args[i]->type), resolve_type_name(a, type));
        }
        TRY(expr_cast(a, args[i], type, CAST_IMPLICIT, &args[i], err));
    }
    return STATUS_OK;
}

enum status expr_unify(struct arena *a, const char *what, struct expr **args, uint32_t arg_count, struct type *type,
                       struct error *err)
{
    assert(arg_count > 0);
    if (args[0]->type.kind != TYPE_UNKNOWN && all_same_type(args, arg_count)) {
        *type = args[0]->type;
        return STATUS_OK;
    }
    TRY(common_type(a, what, args, arg_count, type, err));
    return cast_to_common(a, what, args, arg_count, type, err);
}

static enum status to_boolean(struct arena *a, const char *what, struct expr **x, struct error *err)
{
    struct type type = type_make(TYPE_BOOL);
    if ((*x)->type.kind != TYPE_BOOL && (*x)->type.kind != TYPE_UNKNOWN) {
        return error_set(err, STATUS_INVALID, 0, "argument of %s must be type boolean, not type %s", what,
                         resolve_type_name(a, &(*x)->type));
    }
    return expr_cast(a, *x, &type, CAST_IMPLICIT, x, err);
}

enum status expr_logical(struct arena *a, enum expr_kind kind, struct expr **args, uint32_t arg_count,
                         struct expr **out, struct error *err)
{
    const char *what = kind == EXPR_AND ? "AND" : kind == EXPR_OR ? "OR" : "NOT";
    struct expr **cast = arena_dup(a, args, arg_count * sizeof *args);
    for (uint32_t i = 0; i < arg_count; i++) {
        TRY(to_boolean(a, what, &cast[i], err));
    }
    *out = resolve_node(a, kind, type_make(TYPE_BOOL), cast, arg_count);
    return STATUS_OK;
}

/* CASE results, ELSE first as PostgreSQL looks at them, to their common type. */
static enum status unify_results(struct arena *a, struct expr **results, uint32_t count, struct type *type,
                                 struct error *err)
{
    if (results[0]->type.kind != TYPE_UNKNOWN && all_same_type(results, count)) {
        *type = results[0]->type;
        return STATUS_OK;
    }
    TRY(common_type(a, "CASE", results, count, type, err));
    TRY(cast_to_common(a, "CASE/ELSE", results, 1, type, err));
    return cast_to_common(a, "CASE/WHEN", results + 1, count - 1, type, err);
}

enum status expr_case(struct arena *a, struct expr **args, uint32_t arg_count, struct expr **out, struct error *err)
{
    assert(arg_count % 2 == 1 && arg_count >= 3);
    uint32_t branch_count = arg_count / 2;
    struct expr **all = arena_dup(a, args, arg_count * sizeof *args);
    struct expr **results = arena_alloc(a, (branch_count + 1) * sizeof *results);
    results[0] = args[arg_count - 1];
    for (uint32_t i = 0; i < branch_count; i++) {
        TRY(to_boolean(a, "CASE/WHEN", &all[2 * i], err));
        results[i + 1] = args[2 * i + 1];
    }
    struct type type;
    TRY(unify_results(a, results, branch_count + 1, &type, err));
    all[arg_count - 1] = results[0];
    for (uint32_t i = 0; i < branch_count; i++) {
        all[2 * i + 1] = results[i + 1];
    }
    *out = resolve_node(a, EXPR_CASE, type, all, arg_count);
    return STATUS_OK;
}

enum status expr_coalesce(struct arena *a, struct expr **args, uint32_t arg_count, struct expr **out, struct error *err)
{
    struct expr **cast = arena_dup(a, args, arg_count * sizeof *args);
    struct type type;
    TRY(expr_unify(a, "COALESCE", cast, arg_count, &type, err));
    *out = resolve_node(a, EXPR_COALESCE, type, cast, arg_count);
    return STATUS_OK;
}

enum status expr_nullif(struct arena *a, struct expr *x, struct expr *y, struct expr **out, struct error *err)
{
    struct expr *args[2] = {x, y};
    uint32_t row;
    TRY(prepare_operator(a, "=", args, 2, &row, err));
    struct expr *e = resolve_node(a, EXPR_NULLIF, args[0]->type, args, 2);
    e->function = row;
    *out = e;
    return STATUS_OK;
}

static enum status check_comparable(struct arena *a, const struct type *type, struct error *err)
{
    if (!type_is_comparable(type->kind)) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "comparison of values of type %s is not supported",
                         resolve_type_name(a, type));
    }
    return STATUS_OK;
}

enum status expr_minmax(struct arena *a, enum expr_kind kind, struct expr **args, uint32_t arg_count, struct expr **out,
                        struct error *err)
{
    struct expr **cast = arena_dup(a, args, arg_count * sizeof *args);
    struct type type;
    TRY(expr_unify(a, kind == EXPR_GREATEST ? "GREATEST" : "LEAST", cast, arg_count, &type, err));
    TRY(check_comparable(a, &type, err));
    *out = resolve_node(a, kind, type, cast, arg_count);
    return STATUS_OK;
}

/* Types without a common one may still have an = of their own for each pair: then IN is OR over =, NOT IN is AND over
 * <>. */
static enum status in_as_logical(struct arena *a, bool negated, struct expr **args, uint32_t arg_count,
                                 struct expr **out, struct error *err)
{
    struct expr **tests = arena_alloc(a, arg_count * sizeof *tests);
    for (uint32_t i = 1; i < arg_count; i++) {
        TRY(expr_operator(a, negated ? "<>" : "=", args[0], args[i], &tests[i - 1], err));
    }
    if (arg_count == 2) {
        *out = tests[0];
        return STATUS_OK;
    }
    return expr_logical(a, negated ? EXPR_AND : EXPR_OR, tests, arg_count - 1, out, err);
}

enum status expr_in(struct arena *a, bool negated, struct expr **args, uint32_t arg_count, struct expr **out,
                    struct error *err)
{
    assert(arg_count >= 2);
    if (has_opaque(args, arg_count)) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "comparison of values of type %s is not supported",
                         resolve_type_name(a, &args[0]->type));
    }
    struct type type;
    if (arg_count == 2 || common_type(a, "IN", args, arg_count, &type, err) != STATUS_OK) {
        return in_as_logical(a, negated, args, arg_count, out, err);
    }
    struct expr **cast = arena_dup(a, args, arg_count * sizeof *args);
    TRY(expr_unify(a, "IN", cast, arg_count, &type, err));
    TRY(check_comparable(a, &type, err));
    *out = resolve_node(a, EXPR_IN, type_make(TYPE_BOOL), cast, arg_count);
    (*out)->negated = negated;
    return STATUS_OK;
}

enum status expr_is(struct arena *a, enum expr_kind kind, bool negated, struct expr *x, struct expr **out,
                    struct error *err)
{
    assert(kind == EXPR_IS_NULL || kind == EXPR_IS_TRUE || kind == EXPR_IS_FALSE || kind == EXPR_IS_UNKNOWN);
    if (kind != EXPR_IS_NULL) {
        const char *word = kind == EXPR_IS_TRUE ? "TRUE" : kind == EXPR_IS_FALSE ? "FALSE" : "UNKNOWN";
        TRY(to_boolean(a, arena_printf(a, "IS %s%s", negated ? "NOT " : "", word), &x, err));
    } else if (x->type.kind == TYPE_UNKNOWN) {
        struct type text = type_make(TYPE_TEXT);
        TRY(expr_cast(a, x, &text, CAST_IMPLICIT, &x, err));
    }
    *out = resolve_node(a, kind, type_make(TYPE_BOOL), &x, 1);
    (*out)->negated = negated;
    return STATUS_OK;
}

enum status expr_distinct(struct arena *a, bool negated, struct expr *x, struct expr *y, struct expr **out,
                          struct error *err)
{
    struct expr *args[2] = {x, y};
    uint32_t row;
    TRY(prepare_operator(a, "=", args, 2, &row, err));
    if (args[0]->type.kind != args[1]->type.kind) {
        struct type type;
        TRY(expr_unify(a, "IS DISTINCT FROM", args, 2, &type, err));
    }
    *out = resolve_node(a, EXPR_DISTINCT, type_make(TYPE_BOOL), args, 2);
    (*out)->negated = negated;
    return STATUS_OK;
}

enum status expr_aggregate_type(struct arena *a, const char *name, struct expr **argument, struct type *out,
                                struct error *err)
{
    if (argument == NULL || *argument == NULL) {
        if (strcmp(name, "count") != 0) {
            return error_set(err, STATUS_INVALID, 0, "%s(*) specified, but %s is not an aggregate function of rows",
                             name, name);
        }
        *out = type_make(TYPE_INT8);
        return STATUS_OK;
    }
    bool counts = strcmp(name, "count") == 0;
    if (function_next(FUNCTION_AGGREGATE, name, FUNCTION_NONE) == FUNCTION_NONE ||
        (!counts && has_opaque(argument, 1))) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "function %s is not supported", signature(a, name, argument, 1));
    }
    uint32_t row;
    switch (resolve_function(FUNCTION_AGGREGATE, name, &(*argument)->type.kind, 1, &row)) {
    case RESOLVE_NONE:
        return error_set(err, STATUS_INVALID, 0, "function %s does not exist", signature(a, name, argument, 1));
    case RESOLVE_AMBIGUOUS:
        return error_set(err, STATUS_INVALID, 0, "function %s is not unique", signature(a, name, argument, 1));
    case RESOLVE_ONE:
        break;
    }
    TRY(resolve_cast_arguments(a, function_at(row), argument, 1, err));
    *out = type_make((enum type_kind)function_at(row)->result);
    return STATUS_OK;
}
