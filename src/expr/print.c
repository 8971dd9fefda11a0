/* Expressions as values: equality, text and substitution. */
#include "expr/build.h"

#include "expr/function.h"

#include <string.h>

static bool constants_equal(const struct expr *x, const struct expr *y)
{
    return x->value.null || y->value.null ? x->value.null == y->value.null
                                          : datum_identical(x->type.kind, &x->value, &y->value);
}

bool expr_equal(const struct expr *x, const struct expr *y)
{
    if (x == y) {
        return true;
    }
    if (x->kind != y->kind || x->arg_count != y->arg_count || x->negated != y->negated || x->column != y->column ||
        x->function != y->function || !type_equal(&x->type, &y->type)) {
        return false;
    }
    if (x->kind == EXPR_CONST && !constants_equal(x, y)) {
        return false;
    }
    for (uint32_t i = 0; i < x->arg_count; i++) {
        if (!expr_equal(x->args[i], y->args[i])) {
            return false;
        }
    }
    return true;
}

static void print_type(const struct type *type, struct buffer *out)
{
    if (type->kind == TYPE_UNKNOWN) {
        buffer_append_text(out, "unknown");
    } else {
        type_print(type, out);
    }
}

static void print_constant(const struct expr *e, struct buffer *out)
{
    if (e->value.null) {
        buffer_append_text(out, "NULL");
    } else if (type_is_number(e->type.kind)) {
        datum_print(&e->type, &e->value, out);
    } else {
        struct buffer text = BUFFER_EMPTY;
        if (e->type.kind == TYPE_UNKNOWN) {
            buffer_append(&text, e->value.v.p, e->value.len);
        } else {
            datum_print(&e->type, &e->value, &text);
        }
        buffer_append_byte(out, '\'');
        for (size_t i = 0; i < text.len; i++) {
            if (text.data[i] == '\'') {
                buffer_append_byte(out, '\'');
            }
            buffer_append_byte(out, text.data[i]);
        }
        buffer_append_byte(out, '\'');
        buffer_release(&text);
    }
    buffer_append_text(out, "::");
    print_type(&e->type, out);
}

static void print_list(const struct expr *e, uint32_t from, const char *separator, struct buffer *out)
{
    for (uint32_t i = from; i < e->arg_count; i++) {
        if (i > from) {
            buffer_append_text(out, separator);
        }
        expr_print(e->args[i], out);
    }
}

static void print_call(const struct expr *e, struct buffer *out)
{
    const struct function *f = function_at(e->function);
    if (f->class == FUNCTION_CAST) {
        buffer_append_text(out, strcmp(f->name, "assign") == 0 ? "assign(" : "cast(");
        expr_print(e->args[0], out);
        buffer_append_text(out, " as ");
        print_type(&e->type, out);
        buffer_append_byte(out, ')');
        return;
    }
    if (f->class == FUNCTION_OPERATOR) {
        buffer_append_byte(out, '(');
        if (e->arg_count == 2) {
            expr_print(e->args[0], out);
            buffer_append_byte(out, ' ');
        }
        buffer_append_text(out, f->name);
        buffer_append_byte(out, ' ');
        expr_print(e->args[e->arg_count - 1], out);
        buffer_append_byte(out, ')');
        return;
    }
    buffer_append_text(out, f->name);
    buffer_append_byte(out, '(');
    print_list(e, 0, ", ", out);
    buffer_append_byte(out, ')');
}

static void print_case(const struct expr *e, struct buffer *out)
{
    buffer_append_text(out, "case");
    for (uint32_t i = 0; i + 1 < e->arg_count; i += 2) {
        buffer_append_text(out, " when ");
        expr_print(e->args[i], out);
        buffer_append_text(out, " then ");
        expr_print(e->args[i + 1], out);
    }
    buffer_append_text(out, " else ");
    expr_print(e->args[e->arg_count - 1], out);
    buffer_append_text(out, " end");
}

static void print_listed(const struct expr *e, const char *before, const char *separator, struct buffer *out)
{
    buffer_append_text(out, before);
    buffer_append_byte(out, '(');
    print_list(e, 0, separator, out);
    buffer_append_byte(out, ')');
}

static void print_is(const struct expr *e, const char *word, struct buffer *out)
{
    buffer_append_byte(out, '(');
    expr_print(e->args[0], out);
    buffer_printf(out, " is %s%s)", e->negated ? "not " : "", word);
}

void expr_print(const struct expr *e, struct buffer *out)
{
    switch (e->kind) {
    case EXPR_CONST:
        print_constant(e, out);
        break;
    case EXPR_COLUMN:
        buffer_printf(out, "c%u", e->column);
        break;
    case EXPR_CALL:
        print_call(e, out);
        break;
    case EXPR_AND:
        print_listed(e, "", " and ", out);
        break;
    case EXPR_OR:
        print_listed(e, "", " or ", out);
        break;
    case EXPR_NOT:
        print_listed(e, "not ", "", out);
        break;
    case EXPR_CASE:
        print_case(e, out);
        break;
    case EXPR_COALESCE:
        print_listed(e, "coalesce", ", ", out);
        break;
    case EXPR_NULLIF:
        print_listed(e, "nullif", ", ", out);
        break;
    case EXPR_GREATEST:
        print_listed(e, "greatest", ", ", out);
        break;
    case EXPR_LEAST:
        print_listed(e, "least", ", ", out);
        break;
    case EXPR_IN:
        buffer_append_byte(out, '(');
        expr_print(e->args[0], out);
        buffer_append_text(out, e->negated ? " not in (" : " in (");
        print_list(e, 1, ", ", out);
        buffer_append_text(out, "))");
        break;
    case EXPR_IS_NULL:
        print_is(e, "null", out);
        break;
    case EXPR_IS_TRUE:
        print_is(e, "true", out);
        break;
    case EXPR_IS_FALSE:
        print_is(e, "false", out);
        break;
    case EXPR_IS_UNKNOWN:
        print_is(e, "unknown", out);
        break;
    case EXPR_DISTINCT:
        buffer_append_byte(out, '(');
        expr_print(e->args[0], out);
        buffer_append_text(out, e->negated ? " is not distinct from " : " is distinct from ");
        expr_print(e->args[1], out);
        buffer_append_byte(out, ')');
        break;
    }
}

struct expr *expr_substitute(struct arena *a, const struct expr *e, struct expr *const *columns)
{
    if (e->kind == EXPR_COLUMN) {
        return columns[e->column];
    }
    struct expr *copy = arena_dup(a, e, sizeof *e);
    copy->args = arena_alloc(a, e->arg_count * sizeof *copy->args);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        copy->args[i] = expr_substitute(a, e->args[i], columns);
        copy->can_fail = copy->can_fail || copy->args[i]->can_fail;
    }
    return copy;
}
