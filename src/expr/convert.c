/* Casts and constants: which cast row leads from one type to another, and the literals that become values at once. */
#include "expr/resolve.h"

#include <assert.h>
#include <stdio.h>

static struct expr *new_expr(struct arena *a, enum expr_kind kind, struct type type)
{
    struct expr *e = arena_zalloc(a, sizeof *e);
    e->kind = kind;
    e->type = type;
    e->location = -1;
    return e;
}

struct expr *expr_const(struct arena *a, struct type type, struct datum value)
{
    struct expr *e = new_expr(a, EXPR_CONST, type);
    e->value = value.null ? DATUM_NULL : datum_copy(a, type.kind, value);
    return e;
}

struct expr *expr_unknown(struct arena *a, struct bytes text)
{
    struct expr *e = new_expr(a, EXPR_CONST, type_make(TYPE_UNKNOWN));
    e->value = datum_bytes(bytes_of(arena_dup(a, text.data, text.len), text.len));
    return e;
}

struct expr *expr_null(struct arena *a)
{
    return expr_const(a, type_make(TYPE_UNKNOWN), DATUM_NULL);
}

struct expr *expr_column(struct arena *a, uint32_t column, struct type type)
{
    struct expr *e = new_expr(a, EXPR_COLUMN, type);
    e->column = column;
    return e;
}

/* How a cast between two kinds is done. */
static uint32_t find_cast(enum type_kind from, enum type_kind to, enum expr_cast_context context)
{
    uint32_t direct = function_find_cast(from, to, context);
    if (direct != FUNCTION_NONE) {
        return direct;
    }
    if (type_is_text(to) && context >= CAST_ASSIGNMENT && !type_is_text(from)) {
        return function_next(FUNCTION_CAST, "print", FUNCTION_NONE);
    }
    if (type_is_text(from) && context == CAST_EXPLICIT && !resolve_is_opaque(to) && !type_is_text(to)) {
        return function_next(FUNCTION_CAST, "parse", FUNCTION_NONE);
    }
    return FUNCTION_NONE;
}

bool expr_can_cast(const struct type *from, const struct type *to, enum expr_cast_context context)
{
    if (from->kind == TYPE_UNKNOWN) {
        return !resolve_is_opaque(to->kind);
    }
    if (from->kind == TYPE_OTHER && to->kind == TYPE_OTHER) {
        return type_equal(from, to);
    }
    return from->kind == to->kind || find_cast(from->kind, to->kind, context) != FUNCTION_NONE;
}

/* The length, scale or precision of `type` put upon a value that is of its kind already. */
static enum status cast_modifier(struct arena *a, struct expr *e, const struct type *type,
                                 enum expr_cast_context context, struct expr **out, struct error *err)
{
    if (type->typmod < 0 || e->type.typmod == type->typmod) {
        *out = e;
        return STATUS_OK;
    }
    uint32_t row = function_next(FUNCTION_CAST, context == CAST_EXPLICIT ? "modify" : "assign", FUNCTION_NONE);
    return resolve_make_call(a, row, *type, &e, 1, true, out, err);
}

static enum status cast_unknown(struct arena *a, struct expr *e, const struct type *type,
                                enum expr_cast_context context, struct expr **out, struct error *err)
{
    assert(e->kind == EXPR_CONST);
    if (e->value.null) {
        *out = expr_const(a, *type, DATUM_NULL);
        return STATUS_OK;
    }
    if (resolve_is_opaque(type->kind)) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "a constant of type %s is not supported",
                         resolve_type_name(a, type));
    }
    /* An interval's fields decide how its text is read; all other modifiers come after, as in coerce_type(). */
    struct type plain = *type;
    if (type->kind != TYPE_INTERVAL) {
        plain.typmod = -1;
    }
    struct datum value = {.len = 0};
    TRY(datum_parse(&plain, datum_as_bytes(&e->value), a, &value, err));
    struct expr *constant = expr_const(a, plain, value);
    constant->location = e->location;
    return cast_modifier(a, constant, type, context, out, err);
}

enum status expr_cast(struct arena *a, struct expr *e, const struct type *type, enum expr_cast_context context,
                      struct expr **out, struct error *err)
{
    if (e->type.kind == TYPE_UNKNOWN && type->kind != TYPE_UNKNOWN) {
        return cast_unknown(a, e, type, context, out, err);
    }
    if (e->type.kind == type->kind && (type->kind != TYPE_OTHER || type_equal(&e->type, type))) {
        return cast_modifier(a, e, type, context, out, err);
    }
    if (type->kind != TYPE_OTHER && resolve_is_opaque(type->kind) && !(e->type.kind == TYPE_OTHER)) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "a cast from %s to %s is not supported",
                         resolve_type_name(a, &e->type), resolve_type_name(a, type));
    }
    uint32_t row = find_cast(e->type.kind, type->kind, context);
    if (row == FUNCTION_NONE) {
        bool opaque = resolve_is_opaque(e->type.kind) || resolve_is_opaque(type->kind);
        return error_set(err, opaque ? STATUS_UNSUPPORTED : STATUS_INVALID, 0,
                         opaque ? "a cast from %s to %s is not supported" : "cannot cast type %s to %s",
                         resolve_type_name(a, &e->type), resolve_type_name(a, type));
    }
    struct type plain = *type;
    plain.typmod = -1;
    struct expr *cast;
    /* What was asked for fails now; what only brings types together may never be reached. */
    TRY(resolve_make_call(a, row, plain, &e, 1, context != CAST_IMPLICIT, &cast, err));
    return cast_modifier(a, cast, type, context, out, err);
}
