/* Places in the text, errors that name them, and the little that is read from the text rather than from the tree. */
#include "sql/analyze.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void sql_list_add(struct arena *a, struct sql_list *list, void *item)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        void **items = arena_alloc(a, sizeof(void *) * capacity);
        for (uint32_t i = 0; i < list->count; i++) {
            items[i] = list->items[i];
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

const char *sql_where(const struct sql *s, int32_t location)
{
    if (location < 0 || (size_t)location > s->text_bytes) {
        location = s->statement;
    }
    unsigned line = 1;
    unsigned column = 1;
    for (int32_t i = 0; i < location; i++) {
        unsigned char c = (unsigned char)s->text[i];
        if (c == '\n') {
            line += 1;
            column = 1;
        } else if ((c & 0xc0) != 0x80) {
            column += 1;
        }
    }
    return arena_printf(s->arena, "%s:%u:%u", s->file, line, column);
}

enum status sql_fail(struct sql *s, enum status status, int32_t location, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(s->err, status, 0, "%s: %s", sql_where(s, location), text);
}

enum status sql_refuse(struct sql *s, int32_t location, const char *construct)
{
    return sql_fail(s, STATUS_UNSUPPORTED, location, "%s is not supported", construct);
}

enum status sql_at(struct sql *s, int32_t location, enum status st)
{
    return st == STATUS_OK ? STATUS_OK : error_prefix(s->err, "%s", sql_where(s, location));
}

int32_t sql_skip_one(const struct sql *s, int32_t at, int32_t end, bool *blank)
{
    const char *t = s->text;
    *blank = true;
    if (isspace((unsigned char)t[at])) {
        return at + 1;
    }
    if (at + 1 < end && t[at] == '-' && t[at + 1] == '-') {
        while (at < end && t[at] != '\n') {
            at++;
        }
        return at;
    }
    if (at + 1 < end && t[at] == '/' && t[at + 1] == '*') {
        int depth = 0;
        do {
            bool opens = at + 1 < end && t[at] == '/' && t[at + 1] == '*';
            bool closes = at + 1 < end && t[at] == '*' && t[at + 1] == '/';
            depth += opens ? 1 : closes ? -1 : 0;
            at += opens || closes ? 2 : 1;
        } while (at < end && depth > 0);
        return at;
    }
    *blank = false;
    if (t[at] == '"' || t[at] == '\'') {
        char quote = t[at++];
        while (at < end && t[at] != quote) {
            at++;
        }
    }
    return at < end ? at + 1 : end;
}

int32_t sql_skip_blanks(const struct sql *s, int32_t location, int32_t end)
{
    bool blank = true;
    while (location < end) {
        int32_t next = sql_skip_one(s, location, end, &blank);
        if (!blank) {
            return location;
        }
        location = next;
    }
    return location;
}

int32_t sql_word_bytes(const struct sql *s, int32_t at, int32_t end)
{
    int32_t n = 0;
    while (at + n < end && (isalnum((unsigned char)s->text[at + n]) || s->text[at + n] == '_')) {
        n++;
    }
    return n;
}

bool sql_word_is(const struct sql *s, int32_t at, int32_t bytes, const char *word)
{
    return (size_t)bytes == strlen(word) && strncasecmp(s->text + at, word, (size_t)bytes) == 0;
}

/* The text without a trailing WITH [NO] DATA and blanks. */
static int32_t query_end(const struct sql *s, int32_t begin, int32_t end)
{
    static const char *const tail[] = {"DATA", "NO", "WITH"};
    int32_t cut = end;
    for (size_t i = 0; i < 3; i++) {
        while (cut > begin && isspace((unsigned char)s->text[cut - 1])) {
            cut--;
        }
        end = i == 0 ? cut : end;
        int32_t bytes = (int32_t)strlen(tail[i]);
        if (cut - bytes > begin && sql_word_is(s, cut - bytes, bytes, tail[i]) &&
            isspace((unsigned char)s->text[cut - bytes - 1])) {
            cut -= bytes;
        } else if (i != 1) {
            return end;
        }
    }
    while (cut > begin && isspace((unsigned char)s->text[cut - 1])) {
        cut--;
    }
    return cut;
}

const char *sql_query_text(const struct sql *s, int32_t begin, int32_t end)
{
    int depth = 0;
    for (int32_t at = begin; at < end;) {
        int32_t bytes = sql_word_bytes(s, at, end);
        if (bytes > 0) {
            if (depth == 0 && sql_word_is(s, at, bytes, "AS")) {
                int32_t from = sql_skip_blanks(s, at + bytes, end);
                int32_t to = query_end(s, from, end);
                return arena_strndup(s->arena, s->text + from, (size_t)(to - from));
            }
            at += bytes;
            continue;
        }
        depth += s->text[at] == '(' ? 1 : s->text[at] == ')' ? -1 : 0;
        bool blank = false;
        at = sql_skip_one(s, at, end, &blank);
    }
    return arena_strndup(s->arena, s->text + begin, (size_t)(end - begin));
}

static bool is_two_worded(const char *verb, size_t bytes)
{
    static const char *const verbs[] = {"CREATE", "ALTER", "DROP", "REFRESH"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strlen(verbs[i]) == bytes && memcmp(verb, verbs[i], bytes) == 0) {
            return true;
        }
    }
    return false;
}

const char *sql_statement_name(const struct sql *s, int32_t begin, int32_t end)
{
    char name[64];
    size_t bytes = 0;
    for (int words = 0; words < 3; words++) {
        begin = sql_skip_blanks(s, begin, end);
        int32_t word = sql_word_bytes(s, begin, end);
        bool third_counts = words == 2 && bytes > 12 && strncmp(name + bytes - 12, "MATERIALIZED", 12) == 0;
        bool counts = words == 0 || third_counts || (words == 1 && is_two_worded(name, bytes));
        if (word == 0 || !counts || bytes + (size_t)word + 2 > sizeof name) {
            break;
        }
        if (words > 0) {
            name[bytes++] = ' ';
        }
        for (int32_t i = 0; i < word; i++) {
            name[bytes++] = (char)toupper((unsigned char)s->text[begin + i]);
        }
        begin += word;
    }
    return bytes == 0 ? "this statement" : arena_strndup(s->arena, name, bytes);
}

static int32_t smaller(int32_t x, int32_t y)
{
    return x < 0 ? y : y < 0 ? x : x < y ? x : y;
}

static int32_t function_location(const PgQuery__FuncCall *call)
{
    bool infix = call->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX && call->n_args == 2 &&
                 strcmp(sql_string(call->funcname[call->n_funcname - 1]), "timezone") == 0;
    return infix ? smaller(call->location, sql_location(call->args[1])) : call->location;
}

/* Of nodes whose first character is their first child's. */
static int32_t spanning_location(const PgQuery__Node *node)
{
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_A_EXPR:
        return smaller(sql_location(node->a_expr->lexpr), node->a_expr->location);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return function_location(node->func_call);
    case PG_QUERY__NODE__NODE_TYPE_CAST: {
        int32_t at = smaller(sql_location(node->type_cast->arg), node->type_cast->location);
        return smaller(at, node->type_cast->type_name != NULL ? node->type_cast->type_name->location : -1);
    }
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return node->bool_expr->n_args > 0 ? smaller(sql_location(node->bool_expr->args[0]), node->bool_expr->location)
                                           : node->bool_expr->location;
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return smaller(sql_location(node->sub_link->testexpr), node->sub_link->location);
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return smaller(sql_location(node->null_test->arg), node->null_test->location);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return smaller(sql_location(node->boolean_test->arg), node->boolean_test->location);
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
        return sql_location(node->a_indirection->arg);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return smaller(sql_location(node->collate_clause->arg), node->collate_clause->location);
    case PG_QUERY__NODE__NODE_SORT_BY:
        return sql_location(node->sort_by->node);
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
        if (node->range_function->n_functions > 0 &&
            node->range_function->functions[0]->node_case == PG_QUERY__NODE__NODE_LIST &&
            node->range_function->functions[0]->list->n_items > 0) {
            return sql_location(node->range_function->functions[0]->list->items[0]);
        }
        return -1;
    default:
        return -1;
    }
}

int32_t sql_location(const PgQuery__Node *node)
{
    if (node == NULL) {
        return -1;
    }
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return node->column_ref->location;
    case PG_QUERY__NODE__NODE_A_CONST:
        return node->a_const->location;
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return node->case_expr->location;
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return node->coalesce_expr->location;
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return node->min_max_expr->location;
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return node->sqlvalue_function->location;
    case PG_QUERY__NODE__NODE_ROW_EXPR:
        return node->row_expr->location;
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        return node->a_array_expr->location;
    case PG_QUERY__NODE__NODE_PARAM_REF:
        return node->param_ref->location;
    case PG_QUERY__NODE__NODE_GROUPING_SET:
        return node->grouping_set->location;
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
        return node->grouping_func->location;
    case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR:
        return node->named_arg_expr->location;
    case PG_QUERY__NODE__NODE_RES_TARGET:
        return node->res_target->location;
    case PG_QUERY__NODE__NODE_RANGE_VAR:
        return node->range_var->location;
    case PG_QUERY__NODE__NODE_XML_EXPR:
        return node->xml_expr->location;
    case PG_QUERY__NODE__NODE_SET_TO_DEFAULT:
        return node->set_to_default->location;
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
        return node->range_table_sample->location;
    default:
        return spanning_location(node);
    }
}

const char *sql_node_name(const PgQuery__Node *node)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(node->base.descriptor, (unsigned)node->node_case);
    return field != NULL ? field->name : "this construct";
}

const char *sql_string(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval : "";
}

enum { NEAREST_BYTES_MAX = 63 };

static size_t edit_distance(const char *x, const char *y)
{
    size_t row[NEAREST_BYTES_MAX + 1];
    size_t x_bytes = strlen(x);
    size_t y_bytes = strlen(y);
    for (size_t j = 0; j <= y_bytes; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= x_bytes; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= y_bytes; j++) {
            size_t above = row[j];
            size_t best = corner + (x[i - 1] == y[j - 1] ? 0 : 1);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = above;
            row[j] = best;
        }
    }
    return row[y_bytes];
}

void sql_nearest_try(struct sql_nearest *nearest, const char *name, const char *candidate, const char *shown)
{
    size_t name_bytes = strlen(name);
    if (name_bytes > NEAREST_BYTES_MAX || strlen(candidate) > NEAREST_BYTES_MAX) {
        return;
    }
    size_t distance = edit_distance(name, candidate);
    if (distance <= 3 && distance * 2 <= name_bytes && (nearest->best == NULL || distance < nearest->distance)) {
        nearest->best = shown;
        nearest->distance = distance;
    }
}
