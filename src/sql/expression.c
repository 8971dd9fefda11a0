/* Scalar expressions: the parse tree's nodes to typed trees. The expression room knows functions, operators and types;
 * here is which of its makers each node means, and the place of every error. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum status expressions(const struct sql_scope *scope, PgQuery__Node *const *nodes, size_t count,
                               struct expr **out)
{
    for (size_t i = 0; i < count; i++) {
        TRY(sql_expression(scope, nodes[i], &out[i]));
    }
    return STATUS_OK;
}

static struct expr **slots(const struct sql_scope *scope, size_t count)
{
    return arena_zalloc(scope->s->arena, sizeof(struct expr *) * (count + 1));
}

/* Integers that fit are int4 or int8, all other numbers numeric. */
static enum status number(const struct sql_scope *scope, const char *text, int32_t location, struct expr **out)
{
    struct arena *a = scope->s->arena;
    if (text[strspn(text, "-0123456789")] == '\0') {
        errno = 0;
        long long value = strtoll(text, NULL, 10);
        if (errno == 0) {
            bool is_int4 = value >= INT32_MIN && value <= INT32_MAX;
            *out = expr_const(a, type_make(is_int4 ? TYPE_INT4 : TYPE_INT8), datum_int(value));
            return STATUS_OK;
        }
    }
    struct type numeric = type_make(TYPE_NUMERIC);
    struct expr *literal = expr_unknown(a, bytes_of(text, strlen(text)));
    return sql_at(scope->s, location, expr_cast(a, literal, &numeric, CAST_EXPLICIT, out, scope->s->err));
}

static enum status constant(const struct sql_scope *scope, const PgQuery__AConst *node, struct expr **out)
{
    struct arena *a = scope->s->arena;
    if (node->isnull) {
        *out = expr_null(a);
        return STATUS_OK;
    }
    switch ((int)node->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        *out = expr_const(a, type_make(TYPE_INT4), datum_int(node->ival->ival));
        return STATUS_OK;
    case PG_QUERY__A__CONST__VAL_FVAL:
        return number(scope, node->fval->fval, node->location, out);
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        *out = expr_const(a, type_make(TYPE_BOOL), datum_int(node->boolval->boolval ? 1 : 0));
        return STATUS_OK;
    case PG_QUERY__A__CONST__VAL_SVAL:
        *out = expr_unknown(a, bytes_of(node->sval->sval, strlen(node->sval->sval)));
        return STATUS_OK;
    default:
        return sql_refuse(scope->s, node->location, "a bit string");
    }
}

static enum status binary(const struct sql_scope *scope, const char *op, struct expr *left, struct expr *right,
                          int32_t location, struct expr **out)
{
    return sql_at(scope->s, location, expr_operator(scope->s->arena, op, left, right, out, scope->s->err));
}

static enum status logical(const struct sql_scope *scope, enum expr_kind kind, struct expr *x, struct expr *y,
                           int32_t location, struct expr **out)
{
    struct expr **args = slots(scope, 2);
    args[0] = x;
    args[1] = y;
    return sql_at(scope->s, location, expr_logical(scope->s->arena, kind, args, y == NULL ? 1 : 2, out, scope->s->err));
}

static enum status between(const struct sql_scope *scope, const PgQuery__AExpr *node, bool negated, bool symmetric,
                           struct expr **out)
{
    struct expr *value = NULL;
    struct expr *bounds[2] = {NULL, NULL};
    TRY(sql_expression(scope, node->lexpr, &value));
    TRY(expressions(scope, node->rexpr->list->items, 2, bounds));
    const char *low_op = negated ? "<" : ">=";
    const char *high_op = negated ? ">" : "<=";
    enum expr_kind within = negated ? EXPR_OR : EXPR_AND;
    struct expr *sides[2] = {NULL, NULL};
    for (int turn = 0; turn < (symmetric ? 2 : 1); turn++) {
        struct expr *low = NULL;
        struct expr *high = NULL;
        TRY(binary(scope, low_op, value, bounds[turn], node->location, &low));
        TRY(binary(scope, high_op, value, bounds[1 - turn], node->location, &high));
        TRY(logical(scope, within, low, high, node->location, &sides[turn]));
    }
    if (!symmetric) {
        *out = sides[0];
        return STATUS_OK;
    }
    return logical(scope, negated ? EXPR_AND : EXPR_OR, sides[0], sides[1], node->location, out);
}

static enum status in_list(const struct sql_scope *scope, bool negated, PgQuery__Node *left,
                           PgQuery__Node *const *items, size_t count, int32_t location, struct expr **out)
{
    struct expr **args = slots(scope, count + 1);
    TRY(sql_expression(scope, left, &args[0]));
    TRY(expressions(scope, items, count, args + 1));
    return sql_at(scope->s, location, expr_in(scope->s->arena, negated, args, (uint32_t)count + 1, out, scope->s->err));
}

/* x = ANY (ARRAY[...]) is how PostgreSQL prints x IN (...); the array may wear a cast. */
static enum status any_of_array(const struct sql_scope *scope, const PgQuery__AExpr *node, struct expr **out)
{
    bool all = node->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL;
    const char *op = sql_string(node->name[node->n_name - 1]);
    const PgQuery__Node *array = node->rexpr;
    const PgQuery__TypeName *type_name = NULL;
    if (array->node_case == PG_QUERY__NODE__NODE_TYPE_CAST) {
        type_name = array->type_cast->type_name;
        array = array->type_cast->arg;
    }
    if (array->node_case != PG_QUERY__NODE__NODE_A_ARRAY_EXPR || strcmp(op, all ? "<>" : "=") != 0 ||
        (type_name != NULL && type_name->n_array_bounds != 1)) {
        return sql_refuse(scope->s, node->location, all ? "ALL (array)" : "ANY (array)");
    }
    size_t count = array->a_array_expr->n_elements;
    struct expr **args = slots(scope, count + 1);
    TRY(sql_expression(scope, node->lexpr, &args[0]));
    TRY(expressions(scope, array->a_array_expr->elements, count, args + 1));
    if (type_name != NULL) {
        PgQuery__TypeName element = *type_name;
        element.n_array_bounds = 0;
        struct type type;
        TRY(sql_type(scope->s, &element, &type));
        for (size_t i = 1; i <= count; i++) {
            TRY(sql_at(scope->s, sql_location(array->a_array_expr->elements[i - 1]),
                       expr_cast(scope->s->arena, args[i], &type, CAST_EXPLICIT, &args[i], scope->s->err)));
        }
    }
    if (count == 0) {
        return sql_refuse(scope->s, node->location, "an empty ARRAY[]");
    }
    return sql_at(scope->s, node->location,
                  expr_in(scope->s->arena, all, args, (uint32_t)count + 1, out, scope->s->err));
}

static enum status operation(const struct sql_scope *scope, const PgQuery__AExpr *node, struct expr **out)
{
    struct sql *s = scope->s;
    struct expr *left = NULL;
    struct expr *right = NULL;
    if (node->n_name > 1 && strcmp(sql_string(node->name[0]), "pg_catalog") != 0) {
        return sql_refuse(s, node->location, "an operator of another schema");
    }
    if (node->lexpr != NULL) {
        TRY(sql_expression(scope, node->lexpr, &left));
    }
    TRY(sql_expression(scope, node->rexpr, &right));
    switch ((int)node->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT: {
        bool negated = node->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT;
        return sql_at(s, node->location, expr_distinct(s->arena, negated, left, right, out, s->err));
    }
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        return sql_at(s, node->location, expr_nullif(s->arena, left, right, out, s->err));
    default:
        return binary(scope, sql_string(node->name[node->n_name - 1]), left, right, node->location, out);
    }
}

static enum status a_expr(const struct sql_scope *scope, const PgQuery__AExpr *node, struct expr **out)
{
    switch ((int)node->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
        return between(scope, node, false, false, out);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
        return between(scope, node, true, false, out);
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
        return between(scope, node, false, true, out);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
        return between(scope, node, true, true, out);
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN: {
        bool negated = strcmp(sql_string(node->name[0]), "<>") == 0;
        const PgQuery__List *list = node->rexpr->list;
        return in_list(scope, negated, node->lexpr, list->items, list->n_items, node->location, out);
    }
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
        return any_of_array(scope, node, out);
    default:
        return operation(scope, node, out);
    }
}

static enum status bool_expr(const struct sql_scope *scope, const PgQuery__BoolExpr *node, struct expr **out)
{
    struct sql *s = scope->s;
    struct expr **args = slots(scope, node->n_args);
    TRY(expressions(scope, node->args, node->n_args, args));
    enum expr_kind kind = node->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR  ? EXPR_AND
                          : node->boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR ? EXPR_OR
                                                                              : EXPR_NOT;
    return sql_at(s, node->location, expr_logical(s->arena, kind, args, (uint32_t)node->n_args, out, s->err));
}

static enum status case_expr(const struct sql_scope *scope, const PgQuery__CaseExpr *node, struct expr **out)
{
    struct sql *s = scope->s;
    struct expr *subject = NULL;
    if (node->arg != NULL) {
        TRY(sql_expression(scope, node->arg, &subject));
    }
    struct expr **args = slots(scope, node->n_args * 2 + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < node->n_args; i++) {
        const PgQuery__CaseWhen *when = node->args[i]->case_when;
        struct expr *condition = NULL;
        TRY(sql_expression(scope, when->expr, &condition));
        if (subject != NULL) {
            TRY(binary(scope, "=", subject, condition, when->location, &condition));
        }
        args[count++] = condition;
        TRY(sql_expression(scope, when->result, &args[count++]));
    }
    if (node->defresult != NULL) {
        TRY(sql_expression(scope, node->defresult, &args[count++]));
    } else {
        args[count++] = expr_null(s->arena);
    }
    return sql_at(s, node->location, expr_case(s->arena, args, count, out, s->err));
}

static enum status type_cast(const struct sql_scope *scope, const PgQuery__TypeCast *node, struct expr **out)
{
    struct sql *s = scope->s;
    struct type type;
    struct expr *e = NULL;
    TRY(sql_type(s, node->type_name, &type));
    TRY(sql_expression(scope, node->arg, &e));
    int32_t location = e->kind == EXPR_CONST || node->location < 0 ? sql_location(node->arg) : node->location;
    return sql_at(s, location, expr_cast(s->arena, e, &type, CAST_EXPLICIT, out, s->err));
}

static enum status coalesce(const struct sql_scope *scope, const PgQuery__CoalesceExpr *node, struct expr **out)
{
    struct expr **args = slots(scope, node->n_args);
    TRY(expressions(scope, node->args, node->n_args, args));
    return sql_at(scope->s, node->location,
                  expr_coalesce(scope->s->arena, args, (uint32_t)node->n_args, out, scope->s->err));
}

static enum status min_max(const struct sql_scope *scope, const PgQuery__MinMaxExpr *node, struct expr **out)
{
    struct expr **args = slots(scope, node->n_args);
    TRY(expressions(scope, node->args, node->n_args, args));
    enum expr_kind kind = node->op == PG_QUERY__MIN_MAX_OP__IS_LEAST ? EXPR_LEAST : EXPR_GREATEST;
    return sql_at(scope->s, node->location,
                  expr_minmax(scope->s->arena, kind, args, (uint32_t)node->n_args, out, scope->s->err));
}

static enum status null_test(const struct sql_scope *scope, const PgQuery__NullTest *node, struct expr **out)
{
    struct expr *e = NULL;
    TRY(sql_expression(scope, node->arg, &e));
    bool negated = node->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL;
    return sql_at(scope->s, node->location, expr_is(scope->s->arena, EXPR_IS_NULL, negated, e, out, scope->s->err));
}

static enum status boolean_test(const struct sql_scope *scope, const PgQuery__BooleanTest *node, struct expr **out)
{
    static const struct {
        enum expr_kind kind;
        bool negated;
    } tests[] = {
        [PG_QUERY__BOOL_TEST_TYPE__BOOL_TEST_TYPE_UNDEFINED] = {EXPR_IS_TRUE, false},
        [PG_QUERY__BOOL_TEST_TYPE__IS_TRUE] = {EXPR_IS_TRUE, false},
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_TRUE] = {EXPR_IS_TRUE, true},
        [PG_QUERY__BOOL_TEST_TYPE__IS_FALSE] = {EXPR_IS_FALSE, false},
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_FALSE] = {EXPR_IS_FALSE, true},
        [PG_QUERY__BOOL_TEST_TYPE__IS_UNKNOWN] = {EXPR_IS_UNKNOWN, false},
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_UNKNOWN] = {EXPR_IS_UNKNOWN, true},
    };
    struct expr *e = NULL;
    TRY(sql_expression(scope, node->arg, &e));
    size_t i = (size_t)node->booltesttype;
    return sql_at(scope->s, node->location,
                  expr_is(scope->s->arena, tests[i].kind, tests[i].negated, e, out, scope->s->err));
}

static enum status sub_link(const struct sql_scope *scope, const PgQuery__SubLink *node)
{
    const char *name = "a subquery in an expression";
    switch ((int)node->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
        name = "EXISTS (SELECT ...)";
        break;
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
        name = node->n_oper_name == 0 ? "IN (SELECT ...)" : "ANY (SELECT ...)";
        break;
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK:
        name = "ALL (SELECT ...)";
        break;
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
        name = "a scalar subquery";
        break;
    case PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK:
        name = "ARRAY (SELECT ...)";
        break;
    default:
        break;
    }
    return sql_refuse(scope->s, node->location, name);
}

/* All that stands for the clock or the session: the expression room says why it is refused. */
static enum status value_function(const struct sql_scope *scope, const PgQuery__SQLValueFunction *node,
                                  struct expr **out)
{
    static const char *const names[] = {
        "current_date", "current_date", "current_time",    "current_time",   "current_timestamp", "current_timestamp",
        "localtime",    "localtime",    "localtimestamp",  "localtimestamp", "current_role",      "current_user",
        "user",         "session_user", "current_catalog", "current_schema",
    };
    size_t i = (size_t)node->op;
    const char *name = i < sizeof names / sizeof names[0] ? names[i] : "current_date";
    return sql_at(scope->s, node->location, expr_call(scope->s->arena, name, NULL, 0, out, scope->s->err));
}

/* Text is ordered by code point, which is what "C" asks for. */
static enum status collate(const struct sql_scope *scope, const PgQuery__CollateClause *node, struct expr **out)
{
    static const char *const same[] = {"C", "POSIX", "default", "ucs_basic", "C.utf8", "C.UTF-8"};
    TRY(sql_expression(scope, node->arg, out));
    const char *name = sql_string(node->collname[node->n_collname - 1]);
    if (!type_is_text((*out)->type.kind) && (*out)->type.kind != TYPE_UNKNOWN) {
        char type[TYPE_NAME_BYTES];
        return sql_fail(scope->s, STATUS_INVALID, node->location, "collations are not supported by type %s",
                        type_text(&(*out)->type, type));
    }
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (strcmp(name, same[i]) == 0) {
            return STATUS_OK;
        }
    }
    return sql_fail(scope->s, STATUS_UNSUPPORTED, node->location,
                    "collation \"%s\" is not supported: text is ordered by code point", name);
}

static enum status column_ref(const struct sql_scope *scope, const PgQuery__ColumnRef *node, struct expr **out)
{
    if (sql_is_star(node)) {
        return sql_refuse(scope->s, node->location, "* inside an expression");
    }
    return sql_find_column(scope->s, scope->from, node, out);
}

static enum status any_node(const struct sql_scope *scope, const PgQuery__Node *node, struct expr **out)
{
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return column_ref(scope, node->column_ref, out);
    case PG_QUERY__NODE__NODE_A_CONST:
        return constant(scope, node->a_const, out);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return a_expr(scope, node->a_expr, out);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return sql_function(scope, node->func_call, out);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return type_cast(scope, node->type_cast, out);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return bool_expr(scope, node->bool_expr, out);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return case_expr(scope, node->case_expr, out);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return coalesce(scope, node->coalesce_expr, out);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return min_max(scope, node->min_max_expr, out);
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return null_test(scope, node->null_test, out);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return boolean_test(scope, node->boolean_test, out);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return value_function(scope, node->sqlvalue_function, out);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return collate(scope, node->collate_clause, out);
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return sub_link(scope, node->sub_link);
    case PG_QUERY__NODE__NODE_ROW_EXPR:
        return sql_refuse(scope->s, node->row_expr->location, "a row of values");
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        return sql_refuse(scope->s, node->a_array_expr->location, "ARRAY[...]");
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
        return sql_refuse(scope->s, sql_location(node), "an array element or field selection");
    case PG_QUERY__NODE__NODE_PARAM_REF:
        return sql_fail(scope->s, STATUS_INVALID, node->param_ref->location, "there is no parameter $%d",
                        node->param_ref->number);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
        return sql_refuse(scope->s, node->grouping_func->location, "GROUPING()");
    case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR:
        return sql_refuse(scope->s, node->named_arg_expr->location, "a named argument");
    default:
        return sql_refuse(scope->s, sql_location(node), sql_node_name(node));
    }
}

enum status sql_expression(const struct sql_scope *scope, const PgQuery__Node *node, struct expr **out)
{
    struct sql *s = scope->s;
    if (s->expr_depth >= SQL_EXPR_DEPTH_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, sql_location(node), "an expression nested more than %d deep",
                        SQL_EXPR_DEPTH_MAX);
    }
    s->expr_depth += 1;
    enum status st = any_node(scope, node, out);
    s->expr_depth -= 1;
    if (st == STATUS_OK && (*out)->location < 0) {
        (*out)->location = sql_location(node);
    }
    return st;
}

enum status sql_condition(const struct sql_scope *scope, const PgQuery__Node *node, struct expr **out)
{
    struct sql *s = scope->s;
    TRY(sql_expression(scope, node, out));
    if ((*out)->type.kind == TYPE_UNKNOWN) {
        struct type boolean = type_make(TYPE_BOOL);
        return sql_at(s, sql_location(node), expr_cast(s->arena, *out, &boolean, CAST_IMPLICIT, out, s->err));
    }
    if ((*out)->type.kind != TYPE_BOOL) {
        char type[TYPE_NAME_BYTES];
        return sql_fail(s, STATUS_INVALID, sql_location(node), "argument of %s must be type boolean, not type %s",
                        scope->clause, type_text(&(*out)->type, type));
    }
    return STATUS_OK;
}

enum status sql_resolve_unknown(struct sql *s, struct expr **e)
{
    if ((*e)->type.kind != TYPE_UNKNOWN) {
        return STATUS_OK;
    }
    struct type text = type_make(TYPE_TEXT);
    return sql_at(s, (*e)->location, expr_cast(s->arena, *e, &text, CAST_IMPLICIT, e, s->err));
}

enum status sql_check_order(struct sql *s, const struct type *type, int32_t location)
{
    char text[TYPE_NAME_BYTES];
    if (type_is_comparable(type->kind)) {
        return STATUS_OK;
    }
    return sql_fail(s, STATUS_INVALID, location, "could not identify an ordering operator for type %s",
                    type_text(type, text));
}

enum status sql_check_equality(struct sql *s, const struct type *type, int32_t location)
{
    char text[TYPE_NAME_BYTES];
    if (type_is_comparable(type->kind)) {
        return STATUS_OK;
    }
    return sql_fail(s, STATUS_INVALID, location, "could not identify an equality operator for type %s",
                    type_text(type, text));
}

struct expr *sql_rewrite(struct sql_rewriter *r, struct expr *e)
{
    if (r->status != STATUS_OK) {
        return e;
    }
    struct expr *other = r->replace(r, e);
    if (other != NULL || e->arg_count == 0) {
        return other != NULL ? other : e;
    }
    struct expr *copy = arena_dup(r->arena, e, sizeof *e);
    copy->args = arena_alloc(r->arena, sizeof(struct expr *) * e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        copy->args[i] = sql_rewrite(r, e->args[i]);
    }
    return copy;
}
