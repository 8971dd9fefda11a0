/* The expression room against recorded answers of PostgreSQL 15 (tests/data/expr_cases.tsv, made by expr_cases.py),
 * each case once with its literals as constants (folded when built) and once as columns (evaluated by the program), and
 * by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "expr/build.h"
#include "expr/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64, ARGS_MAX = 64, SHOWN_MAX = 60 };

struct reader {
    const char *at;
    struct arena *a;
    bool as_columns;
    struct datum row[COLUMNS_MAX];
    uint32_t column_count;
    struct error *err;
};

static void skip_blanks(struct reader *r)
{
    while (*r->at == ' ') {
        r->at++;
    }
}

static const char *read_word(struct reader *r)
{
    skip_blanks(r);
    size_t len = strcspn(r->at, " )");
    if (*r->at != '\0' && strchr(r->at, '(') != NULL && memchr(r->at, '(', len) != NULL) {
        len = strcspn(r->at, ")") + 1; /* a type with modifiers */
    }
    const char *word = arena_strndup(r->a, r->at, len);
    r->at += len;
    return word;
}

static struct bytes read_quoted(struct reader *r)
{
    skip_blanks(r);
    assert_int_equal(*r->at, '\'');
    r->at++;
    char *out = arena_alloc(r->a, strlen(r->at) + 1);
    size_t len = 0;
    for (; *r->at != '\''; r->at++) {
        char c = *r->at;
        if (c == '\\') {
            r->at++;
            c = *r->at == 't' ? '\t' : *r->at == 'n' ? '\n' : *r->at;
        }
        out[len++] = c;
    }
    r->at++;
    return bytes_of(out, len);
}

static struct type read_type(struct reader *r)
{
    char *word = arena_strdup(r->a, read_word(r));
    struct type_modifiers modifiers = {.count = 0};
    char *open = strchr(word, '(');
    if (open != NULL) {
        *open = '\0';
        for (char *p = open; p != NULL && modifiers.count < 2; p = strchr(p + 1, ',')) {
            modifiers.values[modifiers.count++] = (int32_t)strtol(p + 1, NULL, 10);
        }
    }
    struct type type;
    struct error err;
    assert_int_equal(type_from_name(word, modifiers, false, false, &type, &err), STATUS_OK);
    return type;
}

static enum status read_expr(struct reader *r, struct expr **out);

static enum status read_literal(struct reader *r, struct expr **out)
{
    struct type type = read_type(r);
    TRY(expr_cast(r->a, expr_unknown(r->a, read_quoted(r)), &type, CAST_EXPLICIT, out, r->err));
    if (r->as_columns) {
        assert_true(r->column_count < COLUMNS_MAX);
        r->row[r->column_count] = (*out)->value;
        *out = expr_column(r->a, r->column_count++, type);
    }
    return STATUS_OK;
}

static enum status read_args(struct reader *r, struct expr **args, uint32_t *count)
{
    *count = 0;
    enum status st = STATUS_OK;
    for (skip_blanks(r); *r->at != ')'; skip_blanks(r)) {
        assert_true(*count < ARGS_MAX);
        enum status one = read_expr(r, &args[*count]);
        st = st == STATUS_OK ? one : st;
        TRY(st);
        (*count)++;
    }
    return st;
}

static enum expr_kind is_kind(const char *word)
{
    return strcmp(word, "null") == 0    ? EXPR_IS_NULL
           : strcmp(word, "true") == 0  ? EXPR_IS_TRUE
           : strcmp(word, "false") == 0 ? EXPR_IS_FALSE
                                        : EXPR_IS_UNKNOWN;
}

static bool is_one(const char *word, const char *x, const char *y)
{
    return strcmp(word, x) == 0 || strcmp(word, y) == 0;
}

static enum status make_form(struct reader *r, const char *form, struct expr **args, uint32_t count, struct expr **out)
{
    struct arena *a = r->a;
    struct error *err = r->err;
    if (is_one(form, "and", "or") || strcmp(form, "not") == 0) {
        enum expr_kind kind = strcmp(form, "and") == 0 ? EXPR_AND : strcmp(form, "or") == 0 ? EXPR_OR : EXPR_NOT;
        return expr_logical(a, kind, args, count, out, err);
    }
    if (is_one(form, "greatest", "least")) {
        return expr_minmax(a, form[0] == 'g' ? EXPR_GREATEST : EXPR_LEAST, args, count, out, err);
    }
    if (is_one(form, "in", "notin")) {
        return expr_in(a, form[0] == 'n', args, count, out, err);
    }
    if (is_one(form, "distinct", "notdistinct")) {
        return expr_distinct(a, form[0] == 'n', args[0], args[1], out, err);
    }
    if (strcmp(form, "case") == 0) {
        return expr_case(a, args, count, out, err);
    }
    if (strcmp(form, "coalesce") == 0) {
        return expr_coalesce(a, args, count, out, err);
    }
    assert_string_equal(form, "nullif");
    return expr_nullif(a, args[0], args[1], out, err);
}

static enum status read_form(struct reader *r, struct expr **out)
{
    const char *form = read_word(r);
    if (strcmp(form, "lit") == 0) {
        return read_literal(r, out);
    }
    struct expr *args[ARGS_MAX];
    uint32_t count;
    if (strcmp(form, "cast") == 0) {
        struct type type = read_type(r);
        TRY(read_args(r, args, &count));
        return expr_cast(r->a, args[0], &type, CAST_EXPLICIT, out, r->err);
    }
    bool named = is_one(form, "call", "op") || is_one(form, "is", "isnot");
    const char *name = named ? read_word(r) : NULL;
    TRY(read_args(r, args, &count));
    if (strcmp(form, "call") == 0) {
        return expr_call(r->a, name, args, count, out, r->err);
    }
    if (strcmp(form, "op") == 0) {
        return expr_operator(r->a, name, count == 2 ? args[0] : NULL, args[count - 1], out, r->err);
    }
    if (named) {
        return expr_is(r->a, is_kind(name), strcmp(form, "isnot") == 0, args[0], out, r->err);
    }
    return make_form(r, form, args, count, out);
}

static enum status read_expr(struct reader *r, struct expr **out)
{
    skip_blanks(r);
    if (*r->at == '\'') {
        *out = expr_unknown(r->a, read_quoted(r));
        return STATUS_OK;
    }
    if (*r->at != '(') {
        assert_string_equal(read_word(r), "null");
        *out = expr_null(r->a);
        return STATUS_OK;
    }
    r->at++;
    TRY(read_form(r, out));
    skip_blanks(r);
    assert_int_equal(*r->at, ')');
    r->at++;
    return STATUS_OK;
}

struct answer {
    enum status status;
    char type[TYPE_NAME_BYTES];
    struct buffer text;
    bool null;
    struct error err;
};

/* Builds and runs one expression. */
static void answer_to(const char *source, bool as_columns, struct answer *out)
{
    struct arena a = ARENA_EMPTY;
    struct reader r = {.at = source, .a = &a, .as_columns = as_columns, .err = &out->err};
    struct expr *e = NULL;
    buffer_reset(&out->text);
    out->null = false;
    out->status = read_expr(&r, &e);
    if (out->status == STATUS_OK && e->type.kind == TYPE_UNKNOWN) {
        struct type text = type_make(TYPE_TEXT);
        out->status = expr_cast(&a, e, &text, CAST_IMPLICIT, &e, &out->err);
    }
    if (out->status == STATUS_OK) {
        struct program *p = program_new(&e, 1, r.column_count);
        struct datum value;
        out->status = program_run(p, r.row, &value, &a, &out->err);
        if (out->status != STATUS_OK) {
            assert_true(e->can_fail);
        } else {
            struct type plain = e->type;
            plain.typmod = -1;
            type_text(&plain, out->type);
            out->null = value.null;
            if (!value.null) {
                datum_print(&e->type, &value, &out->text);
            }
        }
        program_free(p);
    }
    arena_release(&a);
}

/* Undoes COPY's escapes in place. */
static void unescape(char *text)
{
    char *to = text;
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
            *to++ = *p == 't' ? '\t' : *p == 'n' ? '\n' : *p;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
}

/* Where PostgreSQL has a DETAIL, ours follows the message after a colon. */
static bool error_agrees(const struct answer *got, const char *text)
{
    size_t len = strlen(text);
    return got->status == STATUS_INVALID && strncmp(got->err.text, text, len) == 0 &&
           (got->err.text[len] == '\0' || strncmp(got->err.text + len, ": ", 2) == 0);
}

static bool agrees(const struct answer *got, const char *type, const char *text, bool null)
{
    if (strcmp(type, "!") == 0) {
        return error_agrees(got, text);
    }
    const char *name = strcmp(got->type, "bpchar") == 0 ? "character" : got->type; /* pg_typeof() says so */
    return got->status == STATUS_OK && strcmp(name, type) == 0 && got->null == null &&
           (null || (got->text.len == strlen(text) && memcmp(got->text.data, text, got->text.len) == 0));
}

static void show(const char *source, bool as_columns, const struct answer *got, const char *type, const char *text)
{
    if (got->status != STATUS_OK) {
        print_message("%s%s\n  want %s: %s\n  got  %s: %s\n", source, as_columns ? " (columns)" : "", type, text,
                      status_name(got->status), got->err.text);
    } else {
        print_message("%s%s\n  want %s: %s\n  got  %s: %s%.*s\n", source, as_columns ? " (columns)" : "", type, text,
                      got->type, got->null ? "NULL" : "", (int)got->text.len, (const char *)got->text.data);
    }
}

static char *next_field(char **at, char end)
{
    char *field = *at;
    char *stop = strchr(field, end);
    assert_non_null(stop);
    *stop = '\0';
    *at = stop + 1;
    return field;
}

static void recorded_expressions_answer_as_postgresql(void **state)
{
    (void)state;
    char *data = NULL;
    size_t len;
    struct error err;
    assert_int_equal(file_read_all("tests/data/expr_cases.tsv", &data, &len, &err), STATUS_OK);
    struct answer got = {.text = BUFFER_EMPTY};
    size_t case_count = 0;
    size_t wrong_count = 0;
    for (char *at = data; *at != '\0'; case_count++) {
        char *source = next_field(&at, '\t');
        char *type = next_field(&at, '\t');
        char *text = next_field(&at, '\n');
        bool null = strcmp(text, "\\N") == 0;
        unescape(source);
        unescape(text);
        for (int as_columns = 0; as_columns < 2; as_columns++) {
            answer_to(source, as_columns, &got);
            if (!agrees(&got, type, text, null)) {
                if (wrong_count++ < SHOWN_MAX || getenv("EXPR_TEST_ALL") != NULL) {
                    show(source, as_columns, &got, type, text);
                }
            }
        }
    }
    buffer_release(&got.text);
    mem_free(data);
    assert_true(case_count > 1000);
    assert_int_equal(wrong_count, 0);
}

static void expect_error(const char *source, enum status status, const char *words)
{
    for (int as_columns = 0; as_columns < 2; as_columns++) {
        struct answer got = {.text = BUFFER_EMPTY};
        answer_to(source, as_columns, &got);
        assert_int_equal(got.status, status);
        assert_string_equal(got.err.text, words);
        buffer_release(&got.text);
    }
}

static void expect_text(const char *source, const char *text)
{
    for (int as_columns = 0; as_columns < 2; as_columns++) {
        struct answer got = {.text = BUFFER_EMPTY};
        answer_to(source, as_columns, &got);
        if (got.status != STATUS_OK) {
            print_message("%s: %s\n", source, got.err.text);
        }
        assert_int_equal(got.status, STATUS_OK);
        buffer_append_byte(&got.text, '\0');
        assert_string_equal((const char *)got.text.data, text);
        buffer_release(&got.text);
    }
}

static void what_is_not_reached_is_not_evaluated(void **state)
{
    (void)state;
    expect_text("(and (op <> (lit int4 '0') '0') (op > (op / (lit int4 '1') (lit int4 '0')) '2'))", "f");
    expect_text("(or (op = (lit int4 '0') '0') (op > (op / (lit int4 '1') (lit int4 '0')) '2'))", "t");
    expect_text("(coalesce (lit int4 '7') (op / (lit int4 '1') (lit int4 '0')))", "7");
    expect_text("(case (lit bool 'f') (op / (lit int4 '1') (lit int4 '0')) (lit bool 't') '3' (op % (lit int4 '1') "
                "(lit int4 '0')))",
                "3");
    expect_text("(and (and (lit bool 't') (lit bool 'f')) (op = (op / (lit int4 '1') (lit int4 '0')) '2'))", "f");
    expect_error("(and (op = (lit int4 '0') '0') (op > (op / (lit int4 '1') (lit int4 '0')) '2'))", STATUS_INVALID,
                 "division by zero");
}

static void functions_that_cannot_be_replayed_are_refused_with_the_reason(void **state)
{
    (void)state;
    expect_error("(call now)", STATUS_UNSUPPORTED,
                 "function now() is not supported in a view: its result depends on the clock, so replaying the log "
                 "would give another answer");
    expect_error("(call random)", STATUS_UNSUPPORTED,
                 "function random() is not supported in a view: its result is random, so replaying the log would give "
                 "another answer");
    expect_error("(call age (lit timestamp '2024-01-01'))", STATUS_UNSUPPORTED,
                 "function age() of one argument is not supported in a view: its result depends on the clock, so "
                 "replaying the log would "
                 "give another answer");
}

static void what_postgresql_has_and_we_do_not_is_unsupported(void **state)
{
    (void)state;
    expect_error("(call regexp_replace (lit text 'a') 'b' 'c')", STATUS_UNSUPPORTED,
                 "function regexp_replace(text, unknown, unknown) is not supported");
    expect_error("(call ln (lit numeric '2'))", STATUS_UNSUPPORTED, "function ln(numeric) is not supported");
    expect_error("(op ~ (lit text 'a') 'b')", STATUS_UNSUPPORTED, "operator text ~ text is not supported");
    expect_error("(call timezone 'Europe/Paris' (lit timestamp '2024-01-01'))", STATUS_UNSUPPORTED,
                 "time zone \"Europe/Paris\" is not supported: only UTC is");
}

static void json_and_foreign_types_are_only_carried(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct expr *json = expr_column(&a, 0, type_make(TYPE_JSONB));
    struct expr *text = expr_unknown(&a, bytes_of("x", 1));
    struct expr *out;
    assert_int_equal(expr_operator(&a, "=", json, text, &out, &err), STATUS_UNSUPPORTED);
    assert_string_equal(err.text, "operator jsonb = unknown is not supported");
    assert_int_equal(expr_operator(&a, "->>", json, text, &out, &err), STATUS_UNSUPPORTED);
    struct expr *pair[2] = {json, json};
    assert_int_equal(expr_minmax(&a, EXPR_GREATEST, pair, 2, &out, &err), STATUS_UNSUPPORTED);
    assert_int_equal(expr_in(&a, false, pair, 2, &out, &err), STATUS_UNSUPPORTED);
    assert_int_equal(expr_distinct(&a, false, json, json, &out, &err), STATUS_UNSUPPORTED);
    assert_int_equal(expr_call(&a, "lower", pair, 1, &out, &err), STATUS_UNSUPPORTED);
    assert_int_equal(expr_coalesce(&a, pair, 2, &out, &err), STATUS_OK);
    assert_int_equal(out->type.kind, TYPE_JSONB);
    struct expr *with_null[2] = {json, expr_null(&a)};
    assert_int_equal(expr_coalesce(&a, with_null, 2, &out, &err), STATUS_OK);
    assert_int_equal(out->type.kind, TYPE_JSONB);
    assert_int_equal(expr_is(&a, EXPR_IS_NULL, false, json, &out, &err), STATUS_OK);
    struct type as_text = type_make(TYPE_TEXT);
    assert_int_equal(expr_cast(&a, json, &as_text, CAST_EXPLICIT, &out, &err), STATUS_OK);
    struct program *p = program_new(&out, 1, 1);
    struct datum row = datum_bytes(bytes_of("{\"a\": 1}", 8));
    struct datum value;
    assert_int_equal(program_run(p, &row, &value, &a, &err), STATUS_OK);
    assert_int_equal(value.len, 8);
    program_free(p);
    arena_release(&a);
}

static void expect_aggregate(const char *name, enum type_kind argument, enum type_kind result)
{
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct expr *x = expr_column(&a, 0, type_make(argument));
    struct type type;
    assert_int_equal(expr_aggregate_type(&a, name, &x, &type, &err), STATUS_OK);
    assert_int_equal(type.kind, result);
    arena_release(&a);
}

static void aggregates_have_postgresql_result_types(void **state)
{
    (void)state;
    expect_aggregate("sum", TYPE_INT2, TYPE_INT8);
    expect_aggregate("sum", TYPE_INT8, TYPE_NUMERIC);
    expect_aggregate("sum", TYPE_FLOAT4, TYPE_FLOAT4);
    expect_aggregate("avg", TYPE_INT4, TYPE_NUMERIC);
    expect_aggregate("avg", TYPE_FLOAT4, TYPE_FLOAT8);
    expect_aggregate("max", TYPE_VARCHAR, TYPE_TEXT);
    expect_aggregate("min", TYPE_BPCHAR, TYPE_BPCHAR);
    expect_aggregate("max", TYPE_DATE, TYPE_DATE);
    expect_aggregate("count", TYPE_OTHER, TYPE_INT8);
    expect_aggregate("every", TYPE_BOOL, TYPE_BOOL);
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct type type;
    struct expr *x = expr_column(&a, 0, type_make(TYPE_BOOL));
    assert_int_equal(expr_aggregate_type(&a, "max", &x, &type, &err), STATUS_INVALID);
    assert_string_equal(err.text, "function max(boolean) does not exist");
    assert_int_equal(expr_aggregate_type(&a, "string_agg", &x, &type, &err), STATUS_UNSUPPORTED);
    assert_int_equal(expr_aggregate_type(&a, "count", NULL, &type, &err), STATUS_OK);
    arena_release(&a);
}

static struct expr *build(struct arena *a, const char *source)
{
    struct error err;
    struct reader r = {.at = source, .a = a, .as_columns = true, .err = &err};
    struct expr *e = NULL;
    assert_int_equal(read_expr(&r, &e), STATUS_OK);
    return e;
}

static void equal_expressions_print_equally_and_others_do_not(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "(op + (lit int4 '1') '2')",      "(op + (lit int4 '1') '3')",        "(op + (lit int8 '1') '2')",
        "(op - (lit int4 '1') '2')",      "(cast varchar(3) (lit text 'a'))", "(cast varchar(4) (lit text 'a'))",
        "(in (lit text 'a') 'b' 'c')",    "(notin (lit text 'a') 'b' 'c')",   "(is null (lit text 'a'))",
        "(isnot null (lit text 'a'))",    "(call lower (lit text 'a'))",      "(call upper (lit text 'a'))",
        "(op || (lit text 'a') 'it''s')", "(op = (lit numeric '1') '1.0')",   "(op = (lit numeric '1') '1.00')",
    };
    struct arena a = ARENA_EMPTY;
    size_t count = sizeof sources / sizeof sources[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (i == 12 || j == 12) {
                continue;
            }
            struct expr *x = build(&a, sources[i]);
            struct expr *y = build(&a, sources[j]);
            struct buffer p = BUFFER_EMPTY;
            struct buffer q = BUFFER_EMPTY;
            expr_print(x, &p);
            expr_print(y, &q);
            assert_int_equal(expr_equal(x, y), i == j);
            assert_int_equal(bytes_equal(buffer_bytes(&p), buffer_bytes(&q)), i == j);
            buffer_release(&p);
            buffer_release(&q);
        }
    }
    struct buffer text = BUFFER_EMPTY;
    expr_print(build(&a, sources[0]), &text);
    buffer_append_byte(&text, '\0');
    assert_string_equal((const char *)text.data, "(c0 + 2::integer)");
    buffer_release(&text);
    arena_release(&a);
}

static void substituting_columns_keeps_the_rest(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct expr *e = build(&a, "(op + (lit int4 '1') (op * (lit int4 '2') '5'))");
    struct expr *columns[2] = {expr_column(&a, 7, type_make(TYPE_INT4)), build(&a, "(op - (lit int4 '3'))")};
    struct buffer text = BUFFER_EMPTY;
    expr_print(expr_substitute(&a, e, columns), &text);
    buffer_append_byte(&text, '\0');
    assert_string_equal((const char *)text.data, "(c7 + ((- c0) * 5::integer))");
    buffer_release(&text);
    arena_release(&a);
}

static void simple_comparisons_and_widening_have_instructions_of_their_own(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct expr *tests[2] = {build(&a, "(op = (lit int4 '1') '2')"),
                             build(&a, "(in (lit int2 '1') (lit int8 '4') '5')")};
    struct program *p = program_new(tests, 2, 3);
    struct buffer text = BUFFER_EMPTY;
    program_print(p, &text);
    buffer_append_byte(&text, '\0');
    assert_non_null(strstr((const char *)text.data, "int_eq c0"));
    assert_non_null(strstr((const char *)text.data, "in_int c0"));
    assert_null(strstr((const char *)text.data, "call"));
    buffer_release(&text);
    program_free(p);
    arena_release(&a);
}

static void a_test_is_true_only_where_the_condition_is_true(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct expr *e = expr_column(&a, 0, type_make(TYPE_BOOL));
    struct program *p = program_new(&e, 1, 1);
    struct datum rows[3] = {datum_int(1), datum_int(0), DATUM_NULL};
    for (size_t i = 0; i < 3; i++) {
        bool passed = i != 0;
        assert_int_equal(program_test(p, &rows[i], &passed, &a, &err), STATUS_OK);
        assert_int_equal(passed, i == 0);
    }
    program_free(p);
    arena_release(&a);
}

static void a_call_under_a_type_name_is_a_cast(void **state)
{
    (void)state;
    expect_text("(call date (lit timestamp '2024-02-29 12:00:00'))", "2024-02-29");
    expect_text("(call int4 (lit numeric '2.5'))", "3");
    expect_text("(call text (lit int4 '2'))", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_expressions_answer_as_postgresql),
        cmocka_unit_test(what_is_not_reached_is_not_evaluated),
        cmocka_unit_test(functions_that_cannot_be_replayed_are_refused_with_the_reason),
        cmocka_unit_test(what_postgresql_has_and_we_do_not_is_unsupported),
        cmocka_unit_test(json_and_foreign_types_are_only_carried),
        cmocka_unit_test(aggregates_have_postgresql_result_types),
        cmocka_unit_test(equal_expressions_print_equally_and_others_do_not),
        cmocka_unit_test(substituting_columns_keeps_the_rest),
        cmocka_unit_test(simple_comparisons_and_widening_have_instructions_of_their_own),
        cmocka_unit_test(a_test_is_true_only_where_the_condition_is_true),
        cmocka_unit_test(a_call_under_a_type_name_is_a_cast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
