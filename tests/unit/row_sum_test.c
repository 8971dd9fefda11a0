/* Sums: adding and retracting in any order leaves the bytes of never having added. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "row/sum.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 400, ROUNDS = 60 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 11;
}

static struct datum random_datum(uint64_t *random, enum type_kind kind, struct arena *a)
{
    char text[80];
    struct type type = type_make(kind);
    struct datum d = {0};
    struct error err;
    switch (next_random(random) % 8) {
    case 0:
        snprintf(text, sizeof text, "%s", type_is_integer(kind) ? "-32768" : "NaN");
        break;
    case 1:
        snprintf(text, sizeof text, "%s", type_is_integer(kind) ? "32767" : "-Infinity");
        break;
    case 2:
        snprintf(text, sizeof text, "%lld", (long long)(next_random(random) % 65536) - 32768);
        break;
    case 3:
        snprintf(text, sizeof text, "%s",
                 kind == TYPE_NUMERIC ? "123456789012345678901234567890123456789.123456789" : "77");
        break;
    default:
        snprintf(text, sizeof text, type_is_integer(kind) ? "%llu" : "%llu.%03d",
                 (unsigned long long)(next_random(random) % 30000), (int)(next_random(random) % 1000));
        break;
    }
    assert_int_equal(datum_parse(&type, bytes_of(arena_strdup(a, text), strlen(text)), a, &d, &err), STATUS_OK);
    if ((kind == TYPE_FLOAT8) && next_random(random) % 2 == 0) {
        d = datum_float(ldexp((double)next_random(random) / 1e15 - 4.5, (int)(next_random(random) % 2000) - 1000));
    }
    return d;
}

static void check_kind(enum type_kind kind, uint64_t seed)
{
    uint64_t random = seed;
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct sum *kept = sum_new(&a, kind);
    struct sum *all = sum_new(&a, kind);
    struct datum inputs[INPUTS];
    for (size_t i = 0; i < INPUTS; i++) {
        inputs[i] = random_datum(&random, kind, &a);
        sum_add(all, &inputs[i], (int64_t)(i % 3) + 1);
    }
    for (size_t i = INPUTS; i > 0; i--) { /* every second input is kept, added afresh in another order */
        if (i % 2 == 0) {
            sum_add(kept, &inputs[i - 1], (int64_t)((i - 1) % 3) + 1);
        } else {
            sum_add(all, &inputs[i - 1], -(int64_t)((i - 1) % 3) - 1);
        }
        if (i % 50 == 0) { /* through the stored form */
            struct buffer stored = BUFFER_EMPTY;
            sum_append(all, &stored);
            struct bytes in = buffer_bytes(&stored);
            assert_int_equal(sum_read(&a, kind, &in, &all, &err), STATUS_OK);
            assert_int_equal(in.len, 0);
            buffer_release(&stored);
        }
    }
    struct buffer x = BUFFER_EMPTY;
    struct buffer y = BUFFER_EMPTY;
    sum_append(all, &x);
    sum_append(kept, &y);
    if (!bytes_equal(buffer_bytes(&x), buffer_bytes(&y))) {
        print_error("kind %d seed %llu\n", (int)kind, (unsigned long long)seed);
    }
    assert_true(bytes_equal(buffer_bytes(&x), buffer_bytes(&y)));
    buffer_release(&x);
    buffer_release(&y);
    arena_release(&a);
}

static void retraction_leaves_no_trace(void **state)
{
    (void)state;
    static const enum type_kind kinds[] = {TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_NUMERIC, TYPE_FLOAT4, TYPE_FLOAT8};
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            check_kind(kinds[k], round * 7919 + k);
        }
    }
}

static void float_sums_are_rounded_once(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct error err;
    static const double values[] = {1e308, 1.5, -1e308, 5e-324, 1e-300, -2.25, 0.1, 0.2, 1e16, 1, -1e16};
    struct sum *s = sum_new(&a, TYPE_FLOAT8);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct datum d = datum_float(values[i]);
        sum_add(s, &d, 1);
    }
    struct datum out;
    assert_int_equal(sum_total(s, 11, &a, &out, &err), STATUS_OK);
    assert_true(fabs(out.v.d - 0.55) < 1e-15); /* math.fsum of the same gives 0.55 */
    arena_release(&a);
}

static void check_text(enum type_kind kind, const char *const *inputs, size_t count, const char *total,
                       const char *average)
{
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct type type = type_make(kind);
    struct type numeric = type_make(TYPE_NUMERIC);
    struct sum *s = sum_new(&a, kind);
    for (size_t i = 0; i < count; i++) {
        struct datum d;
        assert_int_equal(datum_parse(&type, bytes_of(inputs[i], strlen(inputs[i])), &a, &d, &err), STATUS_OK);
        sum_add(s, &d, 1);
    }
    struct buffer text = BUFFER_EMPTY;
    struct datum out;
    assert_int_equal(sum_total(s, (int64_t)count, &a, &out, &err), STATUS_OK);
    datum_print(kind == TYPE_INT4 ? &(struct type){.kind = TYPE_INT8, .typmod = -1} : &numeric, &out, &text);
    buffer_append_byte(&text, '\0');
    assert_string_equal((char *)text.data, total);
    buffer_reset(&text);
    assert_int_equal(sum_average(s, (int64_t)count, &a, &out, &err), STATUS_OK);
    datum_print(&numeric, &out, &text);
    buffer_append_byte(&text, '\0');
    assert_string_equal((char *)text.data, average);
    buffer_release(&text);
    arena_release(&a);
}

static void totals_and_averages_are_those_of_postgresql(void **state)
{
    (void)state;
    check_text(TYPE_INT4, (const char *const[]){"1", "2", "4"}, 3, "7", "2.3333333333333333");
    check_text(TYPE_INT8, (const char *const[]){"9223372036854775807", "1"}, 2, "9223372036854775808",
               "4611686018427387904");
    check_text(TYPE_NUMERIC, (const char *const[]){"1.50", "2.345"}, 2, "3.845", "1.9225000000000000");
}

static void overflow_is_an_error_with_postgresqls_words(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct datum big = datum_int(INT32_MAX);
    struct sum *s = sum_new(&a, TYPE_INT4);
    sum_add(s, &big, INT64_C(9000000000));
    struct datum out;
    assert_int_equal(sum_total(s, 1, &a, &out, &err), STATUS_INVALID);
    assert_string_equal(err.text, "bigint out of range");
    sum_add(s, &big, INT64_C(-8999999999));
    assert_int_equal(sum_total(s, 1, &a, &out, &err), STATUS_OK);
    assert_int_equal(out.v.i, INT32_MAX);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retraction_leaves_no_trace),
        cmocka_unit_test(float_sums_are_rounded_once),
        cmocka_unit_test(totals_and_averages_are_those_of_postgresql),
        cmocka_unit_test(overflow_is_an_error_with_postgresqls_words),
    };
    return cmocka_run_group_tests_name("row sum", tests, NULL, NULL);
}
