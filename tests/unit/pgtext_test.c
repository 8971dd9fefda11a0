/* The short ways from PostgreSQL's text to packed values must say exactly what datum_parse and packed_append_datum
 * say. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ingest/pgtext.h"
#include "row/datum.h"
#include "row/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void same_as_parse(struct type type, const char *text)
{
    struct arena a = ARENA_EMPTY;
    struct buffer fast = BUFFER_EMPTY;
    struct buffer slow = BUFFER_EMPTY;
    struct error err;
    struct datum d;
    struct bytes bytes = bytes_of(text, strlen(text));
    enum status expected = datum_parse(&type, bytes, &a, &d, &err);
    if (expected == STATUS_OK) {
        packed_append_datum(&slow, type.kind, &d);
    }
    enum status st = pgtext_append(&fast, &type, bytes, &a, &err);
    char name[TYPE_NAME_BYTES];
    if (st != expected || (st == STATUS_OK && !bytes_equal(buffer_bytes(&fast), buffer_bytes(&slow)))) {
        fail_msg("\"%s\" as %s: status %d instead of %d, or other bytes", text, type_text(&type, name), st, expected);
    }
    buffer_release(&fast);
    buffer_release(&slow);
    arena_release(&a);
}

static void integers_and_bools_are_as_parsed(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "-1",
                                        "7",
                                        "127",
                                        "128",
                                        "-128",
                                        "-129",
                                        "9999",
                                        "32767",
                                        "-32768",
                                        "32768",
                                        "999999999",
                                        "2147483647",
                                        "-2147483648",
                                        "2147483648",
                                        "999999999999999999",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "-",
                                        "",
                                        "1a",
                                        "a",
                                        "1.5"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        same_as_parse(type_make(TYPE_INT2), texts[i]);
        same_as_parse(type_make(TYPE_INT4), texts[i]);
        same_as_parse(type_make(TYPE_INT8), texts[i]);
    }
    same_as_parse(type_make(TYPE_BOOL), "t");
    same_as_parse(type_make(TYPE_BOOL), "f");
    same_as_parse(type_make(TYPE_BOOL), "x");
}

static void numerics_are_as_parsed(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "0.00",
                                        "-0.5",
                                        "123.4500",
                                        "999999999999999999",
                                        "0.000000000000000001",
                                        "1234567890.12",
                                        "12345678901234567890.5",
                                        "NaN",
                                        "Infinity",
                                        "-",
                                        ".",
                                        "1.",
                                        "-.5",
                                        "1.2.3",
                                        "5e3",
                                        "1.5",
                                        "1.55"};
    struct type limited = type_make(TYPE_NUMERIC);
    limited.typmod = ((12 << 16) | 2) + 4;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        same_as_parse(type_make(TYPE_NUMERIC), texts[i]);
        same_as_parse(limited, texts[i]);
    }
}

static void dates_and_times_are_as_parsed(void **state)
{
    (void)state;
    static const char *const dates[] = {"2000-01-01",    "1999-12-31", "2024-02-29", "2023-02-29", "1900-02-29",
                                        "2000-02-29",    "0001-01-01", "0000-01-01", "9999-12-31", "10000-01-01",
                                        "0044-03-15 BC", "infinity",   "-infinity",  "2024-13-01", "2024-00-10",
                                        "2024-04-31",    "2024-1-1"};
    static const char *const times[] = {"00:00:00",  "23:59:59.999999", "24:00:00", "12:34:56.7",
                                        "12:34:56.", "12:34:60",        "24:00:01", "12:34:56.123456"};
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        same_as_parse(type_make(TYPE_DATE), dates[i]);
        for (size_t k = 0; k < sizeof times / sizeof times[0]; k++) {
            char text[64];
            snprintf(text, sizeof text, "%s %s", dates[i], times[k]);
            same_as_parse(type_make(TYPE_TIMESTAMP), text);
            snprintf(text, sizeof text, "%s %s+00", dates[i], times[k]);
            same_as_parse(type_make(TYPE_TIMESTAMPTZ), text);
            snprintf(text, sizeof text, "%s %s+05:30", dates[i], times[k]);
            same_as_parse(type_make(TYPE_TIMESTAMPTZ), text);
        }
    }
    for (size_t k = 0; k < sizeof times / sizeof times[0]; k++) {
        same_as_parse(type_make(TYPE_TIME), times[k]);
    }
    same_as_parse(type_make(TYPE_TIMESTAMP), "infinity");
    same_as_parse(type_make(TYPE_TIMESTAMPTZ), "-infinity");
}

static void random_timestamps_print_and_come_back(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    const struct type type = type_make(TYPE_TIMESTAMP);
    for (int i = 0; i < 20000; i++) {
        int64_t us = ((int64_t)rand_r(&seed) << 31 ^ rand_r(&seed)) % INT64_C(60000000000000000);
        struct datum d = datum_int(i % 2 == 0 ? us : -us);
        struct buffer text = BUFFER_EMPTY;
        datum_print(&type, &d, &text);
        buffer_append_byte(&text, 0);
        same_as_parse(type, (const char *)text.data);
        struct buffer fast = BUFFER_EMPTY;
        struct arena a = ARENA_EMPTY;
        struct error err;
        assert_int_equal(pgtext_append(&fast, &type, bytes_of(text.data, text.len - 1), &a, &err), STATUS_OK);
        struct packed_reader r = packed_reader_of(buffer_bytes(&fast));
        struct datum back;
        assert_int_equal(packed_read_datum(&r, TYPE_TIMESTAMP, &a, &back, &err), STATUS_OK);
        assert_true(back.v.i == d.v.i);
        buffer_release(&fast);
        buffer_release(&text);
        arena_release(&a);
    }
}

static void texts_and_the_rest_are_as_parsed(void **state)
{
    (void)state;
    static const enum type_kind kinds[] = {TYPE_TEXT,   TYPE_VARCHAR, TYPE_JSON,     TYPE_JSONB, TYPE_BYTEA,
                                           TYPE_FLOAT4, TYPE_FLOAT8,  TYPE_INTERVAL, TYPE_UUID};
    static const char *const texts[] = {"",
                                        "plain",
                                        "{\"a\": 1}",
                                        "\\x00ff",
                                        "1.5",
                                        "1e+300",
                                        "NaN",
                                        "1 day 02:03:04",
                                        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            bool json = kinds[k] == TYPE_JSON || kinds[k] == TYPE_JSONB;
            if (!json || texts[i][0] == '{') { /* the source has checked json: it is not checked again */
                same_as_parse(type_make(kinds[k]), texts[i]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_and_bools_are_as_parsed), cmocka_unit_test(numerics_are_as_parsed),
        cmocka_unit_test(dates_and_times_are_as_parsed),    cmocka_unit_test(random_timestamps_print_and_come_back),
        cmocka_unit_test(texts_and_the_rest_are_as_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
