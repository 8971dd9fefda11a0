/* A column's linear form gives what reading the value gives, for every number that it takes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "ingest/debezium_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t edges[] = {0,
                                1,
                                INT16_MAX,
                                INT32_MAX,
                                INT64_C(10957),
                                INT64_C(2000000),
                                INT64_C(2440588),
                                INT64_C(2145042906),
                                INT64_C(2147472691),
                                INT64_C(946684800000),
                                INT64_C(1795474540313),
                                INT64_C(200000000000000),
                                INT64_C(211813488000000),
                                INT64_C(9223371331200000),
                                INT64_C(9223372036825200),
                                INT64_C(9223372036832400),
                                INT64_C(200000000000000000),
                                INT64_C(999999999999999999)};

/* 1 where the number is taken by the linear form. */
static int judge(const struct type *type, const struct debezium_hint *hint, const struct debezium_units *units,
                 int64_t number)
{
    struct arena arena = {0};
    struct debezium_habits habits = {0};
    struct debezium_placeholder placeholder = {0};
    struct debezium_value_context c = {
        .arena = &arena, .column = &habits, .overall = &habits, .units = units, .placeholder = &placeholder};
    struct debezium_linear linear = debezium_linear_of(type, hint, units);
    char text[32];
    struct datum d;
    struct error err;
    snprintf(text, sizeof text, "%" PRId64, number);
    struct json_value v = {.kind = JSON_NUMBER, .text = bytes_of(text, strlen(text))};
    int taken = number >= linear.min && number <= linear.max;
    if (taken) {
        assert_int_equal(debezium_value_read(&c, type, hint, &v, &d, &err), STATUS_OK);
        assert_false(d.null);
        assert_int_equal(d.v.i, number * linear.factor + linear.offset);
        assert_int_equal(habits.lost, 0); /* it would have to be told */
    }
    arena_release(&arena);
    return taken;
}

static int judge_type(enum type_kind kind, int32_t typmod, enum debezium_form form, const char *time_precision)
{
    struct type type = type_make(kind);
    struct debezium_hint hint = {.form = form};
    struct debezium_units units;
    struct error err;
    int taken = 0;
    type.typmod = typmod;
    assert_int_equal(debezium_units_of(time_precision, &units, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (int64_t off = -1; off <= 1; off++) {
            taken += judge(&type, &hint, &units, edges[i] + off);
            taken += judge(&type, &hint, &units, -edges[i] + off);
        }
    }
    return taken;
}

static void linear_gives_what_reading_gives(void **state)
{
    (void)state;
    static const char *const precisions[] = {NULL, "adaptive", "adaptive_time_microseconds", "connect", "microseconds"};
    for (int kind = TYPE_UNKNOWN; kind <= TYPE_OTHER; kind++) {
        for (int32_t typmod = -1; typmod <= 6; typmod++) {
            for (int form = FORM_GUESSED; form <= FORM_NANOS; form++) {
                for (size_t p = 0; p < sizeof precisions / sizeof precisions[0]; p++) {
                    (void)judge_type((enum type_kind)kind, typmod, (enum debezium_form)form, precisions[p]);
                }
            }
        }
    }
}

static void usual_columns_have_a_linear_form(void **state)
{
    (void)state;
    int all = (int)(2 * 3 * sizeof edges / sizeof edges[0]);
    assert_int_equal(judge_type(TYPE_INT8, -1, FORM_GUESSED, NULL), all);
    assert_true(judge_type(TYPE_INT4, -1, FORM_PLAIN, NULL) > 12);
    assert_true(judge_type(TYPE_DATE, -1, FORM_GUESSED, NULL) > 20);
    assert_true(judge_type(TYPE_TIMESTAMP, 3, FORM_GUESSED, NULL) > 50);
    assert_true(judge_type(TYPE_TIMESTAMP, -1, FORM_MILLIS, NULL) > 50);
    assert_int_equal(judge_type(TYPE_TIMESTAMP, 0, FORM_MILLIS, NULL), 0); /* has to be rounded */
    assert_int_equal(judge_type(TYPE_TIMESTAMP, 6, FORM_CUT, NULL), 0);    /* has to be told */
    assert_int_equal(judge_type(TYPE_NUMERIC, -1, FORM_GUESSED, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear_gives_what_reading_gives),
                                       cmocka_unit_test(usual_columns_have_a_linear_form)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
