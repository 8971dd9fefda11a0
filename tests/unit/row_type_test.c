/* Type names, modifiers and oids as format_type() of PostgreSQL 15 gives them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "row/type.h"

static void names_and_modifiers_print_as_format_type_prints_them(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct type_modifiers modifiers;
        bool array;
        enum type_kind kind;
        int32_t typmod;
        const char *text;
    } cases[] = {
        {"bool", {.count = 0}, false, TYPE_BOOL, -1, "boolean"},
        {"bigint", {.count = 0}, false, TYPE_INT8, -1, "bigint"},
        {"int4", {.count = 0}, false, TYPE_INT4, -1, "integer"},
        {"decimal", {.count = 0}, false, TYPE_NUMERIC, -1, "numeric"},
        {"numeric", {{5}, 1}, false, TYPE_NUMERIC, 327684, "numeric(5,0)"},
        {"numeric", {{12, 3}, 2}, false, TYPE_NUMERIC, 786439, "numeric(12,3)"},
        {"numeric", {{3, -2}, 2}, false, TYPE_NUMERIC, 198658, "numeric(3,-2)"},
        {"numeric", {{5}, 1}, true, TYPE_OTHER, 327684, "numeric(5,0)[]"},
        {"float", {{24}, 1}, false, TYPE_FLOAT4, -1, "real"},
        {"float8", {.count = 0}, false, TYPE_FLOAT8, -1, "double precision"},
        {"varchar", {{500}, 1}, false, TYPE_VARCHAR, 504, "character varying(500)"},
        {"varchar", {{3}, 1}, true, TYPE_OTHER, 7, "character varying(3)[]"},
        {"bpchar", {{4}, 1}, false, TYPE_BPCHAR, 8, "character(4)"},
        {"bpchar", {.count = 0}, false, TYPE_BPCHAR, -1, "bpchar"},
        {"timestamp", {{3}, 1}, false, TYPE_TIMESTAMP, 3, "timestamp(3) without time zone"},
        {"timestamptz", {.count = 0}, false, TYPE_TIMESTAMPTZ, -1, "timestamp with time zone"},
        {"timestamp", {{7}, 1}, false, TYPE_TIMESTAMP, 6, "timestamp(6) without time zone"},
        {"time", {{2}, 1}, true, TYPE_OTHER, 2, "time(2) without time zone[]"},
        {"interval", {.count = 0}, false, TYPE_INTERVAL, -1, "interval"},
        {"interval", {{0x7fff, 3}, 2}, false, TYPE_INTERVAL, 2147418115, "interval(3)"},
        {"interval", {{8}, 1}, false, TYPE_INTERVAL, 589823, "interval day"},
        {"interval", {{8 | 1024 | 2048 | 4096, 3}, 2}, false, TYPE_INTERVAL, 470286339, "interval day to second(3)"},
        {"interval", {{4096, 7}, 2}, false, TYPE_INTERVAL, 268435462, "interval second(6)"},
        {"timetz", {{2}, 1}, false, TYPE_OTHER, 2, "time(2) with time zone"},
        {"bit", {.count = 0}, false, TYPE_OTHER, 1, "bit(1)"},
        {"varbit", {{7}, 1}, false, TYPE_OTHER, 7, "bit varying(7)"},
        {"geometry", {.count = 0}, false, TYPE_OTHER, -1, "geometry"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct type type;
        struct error err;
        char text[TYPE_NAME_BYTES];
        assert_int_equal(type_from_name(cases[i].name, cases[i].modifiers, cases[i].array, true, &type, &err),
                         STATUS_OK);
        assert_int_equal(type.kind, cases[i].kind);
        assert_int_equal(type.typmod, cases[i].typmod);
        assert_string_equal(type_text(&type, text), cases[i].text);
        assert_true(type_equal(&type, &type));
    }
}

static void modifiers_out_of_range_are_refused_with_the_words_of_postgresql(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct type_modifiers modifiers;
        const char *words;
    } cases[] = {
        {"varchar", {{0}, 1}, "length for type varchar must be at least 1"},
        {"varchar", {{10485761}, 1}, "length for type varchar cannot exceed 10485760"},
        {"bpchar", {{0}, 1}, "length for type char must be at least 1"},
        {"numeric", {{0}, 1}, "NUMERIC precision 0 must be between 1 and 1000"},
        {"numeric", {{1001}, 1}, "NUMERIC precision 1001 must be between 1 and 1000"},
        {"numeric", {{5, 1001}, 2}, "NUMERIC scale 1001 must be between -1000 and 1000"},
        {"text", {{3}, 1}, "type modifier is not allowed for type \"text\""},
        {"date", {{3}, 1}, "type modifier is not allowed for type \"date\""},
        {"interval", {{5}, 1}, "invalid type modifier for type \"interval\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct type type;
        struct error err;
        assert_int_equal(type_from_name(cases[i].name, cases[i].modifiers, false, false, &type, &err), STATUS_INVALID);
        assert_string_equal(err.text, cases[i].words);
    }
}

static void a_name_that_postgresql_does_not_have_needs_leave(void **state)
{
    (void)state;
    struct type type;
    struct error err;
    struct type_modifiers none = {.count = 0};
    assert_int_equal(type_from_name("geometry", none, false, false, &type, &err), STATUS_UNSUPPORTED);
    assert_int_equal(type_from_name("inet", none, false, false, &type, &err), STATUS_OK);
    assert_int_equal(type.kind, TYPE_OTHER);
}

static void oids_lead_to_types_and_back(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid;
        int32_t typmod;
        const char *text;
    } cases[] = {
        {20, -1, "bigint"},
        {1043, 504, "character varying(500)"},
        {1700, 786439, "numeric(12,3)"},
        {1231, 327684, "numeric(5,0)[]"},
        {1015, 7, "character varying(3)[]"},
        {1183, 2, "time(2) without time zone[]"},
        {1266, 2, "time(2) with time zone"},
        {1562, -1, "bit varying"},
        {18, -1, "\"char\""},
        {869, -1, "inet"},
        {1041, -1, "inet[]"},
        {4536, -1, "int8multirange"},
        {99999, -1, "oid 99999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[TYPE_NAME_BYTES];
        struct type type = type_from_oid(cases[i].oid, cases[i].typmod);
        assert_string_equal(type_text(&type, text), cases[i].text);
        assert_int_equal(type_oid(&type), type.kind == TYPE_OTHER ? 0 : cases[i].oid);
    }
    for (int kind = TYPE_BOOL; kind < TYPE_OTHER; kind++) {
        struct type type = type_make((enum type_kind)kind);
        struct type back = type_from_oid(type_oid(&type), -1);
        assert_true(type_equal(&type, &back));
    }
}

static void types_with_other_modifiers_are_not_equal(void **state)
{
    (void)state;
    struct type a = {.kind = TYPE_NUMERIC, .typmod = 786439};
    struct type b = {.kind = TYPE_NUMERIC, .typmod = 786438};
    struct type point = {.kind = TYPE_OTHER, .typmod = -1, .name = "point"};
    struct type line = {.kind = TYPE_OTHER, .typmod = -1, .name = "line"};
    assert_false(type_equal(&a, &b));
    assert_false(type_equal(&point, &line));
    assert_true(type_equal(&point, &point));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_modifiers_print_as_format_type_prints_them),
        cmocka_unit_test(modifiers_out_of_range_are_refused_with_the_words_of_postgresql),
        cmocka_unit_test(a_name_that_postgresql_does_not_have_needs_leave),
        cmocka_unit_test(oids_lead_to_types_and_back),
        cmocka_unit_test(types_with_other_modifiers_are_not_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
