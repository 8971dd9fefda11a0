/* Numerics against recorded answers of PostgreSQL 15 (tests/data/decimal_cases.tsv, made by row_cases.py), and what no
 * answer tells: int128 edges, packed bytes, coefficients. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "row_fixture.h"

#include "base/int128.h"
#include "row/float_text.h"

#include <stdio.h>

enum { SHOWN_FAILURES_MAX = 20 };

static struct arena arena;

static const char *text_of(struct bytes b) /* valid until the arena is reset */
{
    return arena_strndup(&arena, (const char *)b.data, b.len);
}

typedef enum status binary_function(struct arena *, const struct datum *, const struct datum *, struct datum *,
                                    struct error *);

static binary_function *find_binary(const char *op)
{
    static const struct {
        const char *name;
        binary_function *call;
    } all[] = {{"add", decimal_add},       {"subtract", decimal_subtract}, {"multiply", decimal_multiply},
               {"divide", decimal_divide}, {"modulo", decimal_modulo},     {"quotient", decimal_quotient}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].name, op) == 0) {
            return all[i].call;
        }
    }
    return NULL;
}

static enum status to_int(const struct datum *x, int64_t min, int64_t max, const char *name, struct buffer *out,
                          struct error *err)
{
    int64_t v;
    TRY(decimal_to_int(x, min, max, name, &v, err));
    buffer_printf(out, "%lld", (long long)v);
    return STATUS_OK;
}

/* Operations whose answer is no numeric. */
static enum status answer_other(const char *op, const struct datum *x, const struct datum *y, struct buffer *out,
                                struct error *err, bool *known)
{
    *known = true;
    if (strcmp(op, "compare") == 0) {
        int order = decimal_compare(x, y);
        assert_int_equal(decimal_compare(y, x), -order);
        buffer_printf(out, "%d", order);
    } else if (strcmp(op, "sign") == 0) {
        buffer_printf(out, "%d", decimal_sign(x));
    } else if (strcmp(op, "double") == 0) {
        float_print(decimal_to_double(x), false, out);
    } else if (strcmp(op, "int8") == 0) {
        return to_int(x, INT64_MIN, INT64_MAX, "bigint", out, err);
    } else if (strcmp(op, "int2") == 0) {
        return to_int(x, INT16_MIN, INT16_MAX, "smallint", out, err);
    } else {
        *known = false;
    }
    return STATUS_OK;
}

static enum status answer_single(const char *op, const struct datum *x, const char *y, struct datum *out,
                                 struct error *err)
{
    int precision;
    int scale;
    *out = *x;
    if (strcmp(op, "round") == 0) {
        *out = decimal_round(&arena, x, (int)strtol(y, NULL, 10));
    } else if (strcmp(op, "truncate") == 0) {
        *out = decimal_truncate(&arena, x, (int)strtol(y, NULL, 10));
    } else if (strcmp(op, "floor") == 0) {
        *out = decimal_floor(&arena, x);
    } else if (strcmp(op, "ceil") == 0) {
        *out = decimal_ceil(&arena, x);
    } else if (strcmp(op, "negate") == 0) {
        *out = decimal_negate(&arena, x);
    } else if (strcmp(op, "absolute") == 0) {
        *out = decimal_absolute(&arena, x);
    } else if (sscanf(op, "numeric(%d,%d)", &precision, &scale) == 2) {
        return decimal_apply_typmod(&arena, (int32_t)((uint32_t)precision << 16 | ((uint32_t)scale & 0x7ff)) + 4, out,
                                    err);
    } else {
        assert_string_equal(op, "parse");
    }
    return STATUS_OK;
}

static enum status answer(const char *op, struct bytes x, struct bytes y, struct buffer *out, struct error *err)
{
    struct datum dx;
    struct datum dy = {0};
    struct datum result;
    bool known;
    if (strcmp(op, "from_double") == 0) {
        result = decimal_from_double(&arena, strtod(text_of(x), NULL));
        decimal_print(&result, out);
        return STATUS_OK;
    }
    if (strcmp(op, "from_float") == 0) {
        result = decimal_from_float(&arena, strtof(text_of(x), NULL));
        decimal_print(&result, out);
        return STATUS_OK;
    }
    TRY(decimal_parse(x, &arena, &dx, err));
    binary_function *binary = find_binary(op);
    if (binary != NULL || strcmp(op, "compare") == 0) {
        TRY(decimal_parse(y, &arena, &dy, err));
    }
    TRY(answer_other(op, &dx, &dy, out, err, &known));
    if (known) {
        return STATUS_OK;
    }
    if (binary != NULL) {
        TRY(binary(&arena, &dx, &dy, &result, err));
    } else {
        TRY(answer_single(op, &dx, text_of(y), &result, err));
    }
    if (decimal_kind(&result) == DECIMAL_FINITE && result.big) {
        assert_true(result.len >= 3 + 9); /* else it had to be a small one */
    }
    decimal_print(&result, out);
    return STATUS_OK;
}

static void every_recorded_answer_of_postgresql_is_given(void **state)
{
    (void)state;
    char *data;
    size_t len;
    struct error err;
    struct bytes f[FIELDS_MAX];
    int failures = 0;
    int count = 0;
    assert_int_equal(file_read_all("tests/data/decimal_cases.tsv", &data, &len, &err), STATUS_OK);
    char *next = data;
    size_t fields;
    while ((fields = next_fields(&next, f)) > 0) {
        assert_int_equal(fields, 4);
        struct buffer got = BUFFER_EMPTY;
        if (answer(text_of(f[0]), f[1], f[2], &got, &err) != STATUS_OK) {
            buffer_reset(&got);
            buffer_printf(&got, "!%s", err.text);
        }
        count++;
        if (!bytes_equal(buffer_bytes(&got), f[3]) && failures++ < SHOWN_FAILURES_MAX) {
            print_error("%s(%s, %s)\n  is  %s\n  not %.*s\n", text_of(f[0]), text_of(f[1]), text_of(f[2]),
                        text_of(f[3]), (int)got.len, (const char *)got.data);
        }
        buffer_release(&got);
        arena_reset(&arena);
    }
    mem_free(data);
    assert_true(count > 2000);
    assert_int_equal(failures, 0);
}

static void numbers_at_the_edges_of_int128_survive_printing_and_negation(void **state)
{
    (void)state;
    static const char *const edges[] = {"170141183460469231731687303715884105727",
                                        "-170141183460469231731687303715884105728",
                                        "-170141183460469231731687303715884105727",
                                        "170141183460469231731687303715884105728",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "-9223372036854775809"};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        struct datum d;
        struct error err;
        struct buffer text = BUFFER_EMPTY;
        assert_int_equal(decimal_parse(bytes_of(edges[i], strlen(edges[i])), &arena, &d, &err), STATUS_OK);
        struct datum negative = decimal_negate(&arena, &d);
        struct datum back = decimal_negate(&arena, &negative);
        assert_true(datum_identical(TYPE_NUMERIC, &d, &back));
        assert_int_equal(decimal_sign(&negative), -decimal_sign(&d));
        decimal_print(&back, &text);
        assert_true(bytes_equal(buffer_bytes(&text), bytes_of(edges[i], strlen(edges[i]))));
        buffer_release(&text);
    }
}

static void a_coefficient_comes_back_from_its_bytes(void **state)
{
    (void)state;
    struct random r = {7};
    for (int i = 0; i < 20000; i++) {
        struct datum d = random_numeric(&r, &arena);
        if (decimal_kind(&d) != DECIMAL_FINITE) {
            continue;
        }
        struct buffer little = BUFFER_EMPTY;
        decimal_coefficient(&d, &little);
        uint8_t *big_endian = arena_alloc(&arena, little.len);
        for (size_t k = 0; k < little.len; k++) {
            big_endian[k] = little.data[little.len - 1 - k];
        }
        struct datum back = decimal_from_coefficient(&arena, bytes_of(big_endian, little.len), decimal_scale(&d));
        assert_true(datum_identical(TYPE_NUMERIC, &d, &back));
        buffer_release(&little);
        arena_reset(&arena);
    }
}

/* (x + y) - y == x and (x * y) / y == x hold exactly where no digit is lost. */
static void sums_and_products_can_be_undone(void **state)
{
    (void)state;
    struct random r = {11};
    for (int i = 0; i < 20000; i++) {
        struct error err;
        struct datum x = random_numeric(&r, &arena);
        struct datum y = random_numeric(&r, &arena);
        struct datum t;
        struct datum back;
        if (decimal_kind(&x) != DECIMAL_FINITE || decimal_kind(&y) != DECIMAL_FINITE) {
            continue;
        }
        assert_int_equal(decimal_add(&arena, &x, &y, &t, &err), STATUS_OK);
        assert_int_equal(decimal_subtract(&arena, &t, &y, &back, &err), STATUS_OK);
        assert_int_equal(decimal_compare(&x, &back), 0);
        if (!decimal_is_zero(&y)) {
            assert_int_equal(decimal_multiply(&arena, &x, &y, &t, &err), STATUS_OK);
            assert_int_equal(decimal_modulo(&arena, &t, &y, &back, &err), STATUS_OK);
            if (decimal_scale(&x) == 0) {
                assert_true(decimal_is_zero(&back));
            }
        }
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_answer_of_postgresql_is_given),
        cmocka_unit_test(numbers_at_the_edges_of_int128_survive_printing_and_negation),
        cmocka_unit_test(a_coefficient_comes_back_from_its_bytes),
        cmocka_unit_test(sums_and_products_can_be_undone),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
