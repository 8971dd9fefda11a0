/* Sums: what PostgreSQL answered to tests/data/sum_cases.tsv; that adding and retracting in any order, even a
 * retraction ahead of its input, leaves the bytes of never having added; and that sums of floats are the exact sum
 * rounded once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "row/datetime.h"
#include "row/sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ACTIONS_MAX = 120, ROUNDS = 150, FIELDS = 4 };

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double random_double(uint64_t *random, bool narrow)
{
    double value = 0;
    uint64_t bits = next_random(random);
    switch (next_random(random) % 8) {
    case 0:
        value = (double)(int64_t)(bits % 4000) / 4 - 500;
        break;
    case 1: /* subnormal */
        bits &= (UINT64_C(1) << 63) | (UINT64_C(1) << (bits % 52));
        memcpy(&value, &bits, sizeof value);
        break;
    case 2:
        value = bits % 2 == 0 ? 0.0 : -0.0;
        break;
    case 3:
        value = ldexp(1.0, (int)(bits % 250) - 125);
        break;
    default:
        bits &= UINT64_C(0xbfefffffffffffff); /* room for sums */
        memcpy(&value, &bits, sizeof value);
        break;
    }
    return narrow ? (double)(float)value : value;
}

static struct datum random_interval(uint64_t *random, struct arena *a)
{
    uint8_t *stored = arena_alloc(a, 16);
    interval_store(stored, (struct interval){.us = (int64_t)next_random(random),
                                             .days = (int32_t)next_random(random),
                                             .months = (int32_t)next_random(random)});
    return datum_bytes(bytes_of(stored, 16));
}

static struct datum random_numeric(uint64_t *random, struct arena *a)
{
    static const char *const specials[] = {"NaN", "Infinity", "-Infinity", "0", "0.0000"};
    struct type type = type_make(TYPE_NUMERIC);
    struct error err;
    struct datum d;
    char text[128] = {0};
    size_t len = 0;
    if (next_random(random) % 12 == 0) {
        const char *word = specials[next_random(random) % 5];
        assert_int_equal(datum_parse(&type, bytes_of(word, strlen(word)), a, &d, &err), STATUS_OK);
        return d;
    }
    size_t whole = 1 + next_random(random) % (next_random(random) % 4 == 0 ? 60 : 8);
    size_t scale = next_random(random) % (next_random(random) % 4 == 0 ? 50 : 4);
    if (next_random(random) % 2 == 0) {
        text[len++] = '-';
    }
    for (size_t i = 0; i < whole + scale; i++) {
        if (i == whole) {
            text[len++] = '.';
        }
        text[len++] = (char)('0' + next_random(random) % 10);
    }
    assert_int_equal(datum_parse(&type, bytes_of(arena_strdup(a, text), len), a, &d, &err), STATUS_OK);
    return d;
}

static struct datum random_value(uint64_t *random, enum type_kind kind, struct arena *a)
{
    int64_t value = (int64_t)next_random(random) >> next_random(random) % 64;
    switch ((int)kind) {
    case TYPE_INT2:
        return datum_int((int16_t)value);
    case TYPE_INT4:
        return datum_int((int32_t)value);
    case TYPE_INT8:
        return datum_int(value);
    case TYPE_NUMERIC:
        return random_numeric(random, a);
    case TYPE_INTERVAL:
        return random_interval(random, a);
    default:
        if (next_random(random) % 20 == 0) {
            static const double specials[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
            return datum_float(specials[next_random(random) % 3]);
        }
        return datum_float(random_double(random, kind == TYPE_FLOAT4));
    }
}

static struct sum *through_bytes(struct sum *s, enum type_kind kind, struct arena *a)
{
    struct buffer stored = BUFFER_EMPTY;
    struct error err;
    sum_append(s, &stored);
    buffer_append_byte(&stored, 0xaa); /* what follows is not the sum's */
    struct bytes in = buffer_bytes(&stored);
    assert_int_equal(sum_read(a, kind, &in, &s, &err), STATUS_OK);
    assert_int_equal(in.len, 1);
    buffer_release(&stored);
    return s;
}

struct action {
    struct datum d;
    int64_t weight;
};

static void shuffle(struct action *actions, size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = next_random(random) % i;
        struct action held = actions[i - 1];
        actions[i - 1] = actions[j];
        actions[j] = held;
    }
}

/* Inputs that stay, and inputs that are added and taken back, all in random order; half of the latter in parts. */
static void check_retraction(enum type_kind kind, uint64_t seed)
{
    uint64_t random = seed;
    struct arena a = ARENA_EMPTY;
    struct action actions[ACTIONS_MAX];
    size_t count = 0;
    struct sum *direct = sum_new(&a, kind);
    struct sum *roundabout = sum_new(&a, kind);
    size_t inputs = next_random(&random) % 40;
    for (size_t i = 0; i < inputs; i++) {
        struct datum d = random_value(&random, kind, &a);
        int64_t weight = 1 + (int64_t)(next_random(&random) % 3);
        if (next_random(&random) % 2 == 0) {
            sum_add(direct, &d, weight);
        } else {
            actions[count++] = (struct action){.d = d, .weight = -weight};
        }
        actions[count++] = (struct action){.d = d, .weight = weight};
    }
    shuffle(actions, count, &random);
    for (size_t i = 0; i < count; i++) {
        sum_add(roundabout, &actions[i].d, actions[i].weight);
        if (next_random(&random) % 8 == 0) {
            roundabout = through_bytes(roundabout, kind, &a);
        }
    }
    struct buffer x = BUFFER_EMPTY;
    struct buffer y = BUFFER_EMPTY;
    sum_append(direct, &x);
    sum_append(roundabout, &y);
    bool equal = bytes_equal(buffer_bytes(&x), buffer_bytes(&y));
    if (!equal || sum_is_zero(direct) != sum_is_zero(roundabout)) {
        print_error("kind %d seed %llu\n", (int)kind, (unsigned long long)seed);
    }
    assert_true(equal);
    assert_true(sum_is_zero(direct) == sum_is_zero(roundabout));
    buffer_release(&x);
    buffer_release(&y);
    arena_release(&a);
}

static const enum type_kind kinds[] = {TYPE_INT2,   TYPE_INT4,   TYPE_INT8,    TYPE_NUMERIC,
                                       TYPE_FLOAT4, TYPE_FLOAT8, TYPE_INTERVAL};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static void retraction_leaves_no_trace_in_any_order(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (size_t k = 0; k < KIND_COUNT; k++) {
            check_retraction(kinds[k], round * 7919 + k);
        }
    }
}

static void a_retraction_ahead_of_its_input_loses_nothing(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct datum out;
    struct sum *s = sum_new(&a, TYPE_NUMERIC);
    struct datum old = {.v.i = 150, .len = 2};
    struct datum new = {.v.i = 225, .len = 2};
    sum_add(s, &new, 1);
    sum_add(s, &old, -1); /* no input of scale 2 is left on balance, yet 0.75 is */
    s = through_bytes(s, TYPE_NUMERIC, &a);
    assert_false(sum_is_zero(s));
    sum_add(s, &old, 1);
    assert_int_equal(sum_total(s, 1, &a, &out, &err), STATUS_OK);
    assert_int_equal(out.v.i, 225);
    assert_int_equal(out.len, 2);
    sum_add(s, &new, -1);
    assert_true(sum_is_zero(s));
    arena_release(&a);
}

static void great_weights_are_exact(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct datum out;
    struct datum big = datum_int(INT32_MAX);
    struct sum *s = sum_new(&a, TYPE_INT4);
    sum_add(s, &big, INT64_C(9000000000));
    assert_int_equal(sum_total(s, 1, &a, &out, &err), STATUS_INVALID);
    assert_string_equal(err.text, "bigint out of range");
    sum_add(s, &big, INT64_C(-8999999999));
    assert_int_equal(sum_total(s, 1, &a, &out, &err), STATUS_OK);
    assert_int_equal(out.v.i, INT32_MAX);
    struct sum *floats = sum_new(&a, TYPE_FLOAT8);
    struct datum tenth = datum_float(-0.1);
    sum_add(floats, &tenth, INT64_MAX);
    sum_add(floats, &tenth, -INT64_MAX + 1);
    assert_int_equal(sum_total(floats, 1, &a, &out, &err), STATUS_OK);
    assert_true(out.v.d == -0.1);
    arena_release(&a);
}

/* ---- recorded answers ---- */

static bool next_line(struct bytes *data, size_t count, struct bytes fields[static FIELDS])
{
    if (data->len == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *end = memchr(data->data, i + 1 < count ? '\t' : '\n', data->len);
        assert_non_null(end);
        fields[i] = bytes_of(data->data, (size_t)(end - data->data));
        *data = bytes_of(end + 1, data->len - fields[i].len - 1);
    }
    return true;
}

static struct type type_named(struct bytes name)
{
    char text[16] = {0};
    struct type type;
    struct error err;
    memcpy(text, name.data, name.len < 15 ? name.len : 15);
    assert_int_equal(type_from_name(text, (struct type_modifiers){.count = 0}, false, false, &type, &err), STATUS_OK);
    return type;
}

static void check_answer(enum status status, struct type type, const struct datum *d, const struct error *err,
                         struct bytes want, struct bytes values)
{
    struct buffer text = BUFFER_EMPTY;
    if (status != STATUS_OK) {
        buffer_printf(&text, "!%s", err->text);
    } else {
        datum_print(&type, d, &text);
    }
    if (!bytes_equal(buffer_bytes(&text), want)) {
        print_error("%.*s: want %.*s got %.*s\n", (int)values.len, (const char *)values.data, (int)want.len,
                    (const char *)want.data, (int)text.len, (const char *)text.data);
        fail();
    }
    buffer_release(&text);
}

static void check_line(struct bytes fields[static FIELDS])
{
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct datum d = {0};
    struct type type = type_named(fields[0]);
    struct sum *s = sum_new(&a, type.kind);
    int64_t count = 0;
    struct bytes rest = fields[1];
    while (rest.len > 0) {
        const uint8_t *comma = memchr(rest.data, ',', rest.len);
        size_t len = comma == NULL ? rest.len : (size_t)(comma - rest.data);
        assert_int_equal(datum_parse(&type, bytes_of(rest.data, len), &a, &d, &err), STATUS_OK);
        sum_add(s, &d, 1);
        count++;
        rest = comma == NULL ? bytes_of(NULL, 0) : bytes_of(comma + 1, rest.len - len - 1);
    }
    s = through_bytes(s, type.kind, &a);
    bool narrow_int = type.kind == TYPE_INT2 || type.kind == TYPE_INT4;
    bool is_int = narrow_int || type.kind == TYPE_INT8;
    struct type total = narrow_int ? type_make(TYPE_INT8) : is_int ? type_make(TYPE_NUMERIC) : type;
    struct type average = is_int ? type_make(TYPE_NUMERIC) : type.kind == TYPE_FLOAT4 ? type_make(TYPE_FLOAT8) : type;
    enum status status = sum_total(s, count, &a, &d, &err);
    check_answer(status, total, &d, &err, fields[2], fields[1]);
    status = sum_average(s, count, &a, &d, &err);
    check_answer(status, average, &d, &err, fields[3], fields[1]);
    arena_release(&a);
}

static void sums_and_averages_are_those_of_postgresql(void **state)
{
    (void)state;
    char *file = NULL;
    size_t file_len = 0;
    struct error err;
    assert_int_equal(file_read_all("tests/data/sum_cases.tsv", &file, &file_len, &err), STATUS_OK);
    struct bytes data = bytes_of(file, file_len);
    struct bytes fields[FIELDS];
    size_t count = 0;
    while (next_line(&data, FIELDS, fields)) {
        check_line(fields);
        count++;
    }
    assert_true(count > 400);
    mem_free(file);
}

static void check_float_line(struct bytes fields[static FIELDS])
{
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct datum out;
    bool narrow = fields[0].data[fields[0].len - 1] == '4';
    struct sum *s = sum_new(&a, narrow ? TYPE_FLOAT4 : TYPE_FLOAT8);
    const char *at = (const char *)fields[1].data;
    int64_t count = 0;
    do {
        char *end = NULL;
        struct datum d = datum_float(strtod(at + (count > 0 ? 1 : 0), &end));
        sum_add(s, &d, 1);
        count++;
        at = end;
    } while (*at == ',');
    const char *want = (const char *)fields[2].data;
    enum status status = sum_total(s, count, &a, &out, &err);
    bool overflow = want[0] == 'o';
    if (overflow != (status != STATUS_OK) || (!overflow && out.v.d != strtod(want, NULL))) {
        print_error("sum of %.*s: want %.*s got %a\n", (int)fields[1].len, (const char *)fields[1].data,
                    (int)fields[2].len, want, out.v.d);
        fail();
    }
    if (overflow) {
        assert_string_equal(err.text, "value out of range: overflow");
    }
    arena_release(&a);
}

static void sums_of_floats_are_rounded_once(void **state)
{
    (void)state;
    char *file = NULL;
    size_t file_len = 0;
    struct error err;
    assert_int_equal(file_read_all("tests/data/float_sum_cases.tsv", &file, &file_len, &err), STATUS_OK);
    struct bytes data = bytes_of(file, file_len);
    struct bytes fields[FIELDS];
    size_t count = 0;
    while (next_line(&data, FIELDS - 1, fields)) {
        check_float_line(fields);
        count++;
    }
    assert_true(count >= 3000);
    mem_free(file);
}

/* Whatever the stored bytes are, reading ends, stays inside them, and gives a sum or STATUS_CORRUPT. */
static void broken_bytes_are_refused_or_read(void **state)
{
    (void)state;
    uint64_t random = 11;
    struct error err;
    for (int i = 0; i < 30000; i++) {
        struct arena a = ARENA_EMPTY;
        size_t len = next_random(&random) % 40;
        uint8_t *data = mem_alloc(len);
        for (size_t j = 0; j < len; j++) {
            data[j] = (uint8_t)(next_random(&random) % (i % 2 == 0 ? 256 : 8));
        }
        struct bytes in = bytes_of(data, len);
        enum type_kind kind = kinds[(size_t)i % KIND_COUNT];
        struct sum *s = NULL;
        enum status status = sum_read(&a, kind, &in, &s, &err);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
        if (status == STATUS_OK) {
            struct datum d = random_value(&random, kind, &a);
            struct datum out;
            sum_add(s, &d, 1);
            (void)sum_total(s, 1, &a, &out, &err);
        }
        mem_free(data);
        arena_release(&a);
    }
}

static void a_small_sum_takes_few_bytes(void **state)
{
    (void)state;
    struct arena a = ARENA_EMPTY;
    struct buffer out = BUFFER_EMPTY;
    struct sum *s = sum_new(&a, TYPE_INT4);
    struct datum d = datum_int(-64);
    sum_add(s, &d, 1);
    sum_append(s, &out);
    assert_int_equal(out.len, 1);
    buffer_reset(&out);
    d = (struct datum){.v.i = 12345, .len = 2};
    s = sum_new(&a, TYPE_NUMERIC);
    sum_add(s, &d, 1);
    sum_append(s, &out);
    assert_true(out.len <= 8);
    buffer_release(&out);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retraction_leaves_no_trace_in_any_order),
        cmocka_unit_test(a_retraction_ahead_of_its_input_loses_nothing),
        cmocka_unit_test(sums_of_floats_are_rounded_once),
        cmocka_unit_test(great_weights_are_exact),
        cmocka_unit_test(sums_and_averages_are_those_of_postgresql),
        cmocka_unit_test(broken_bytes_are_refused_or_read),
        cmocka_unit_test(a_small_sum_takes_few_bytes),
    };
    return cmocka_run_group_tests_name("row sum", tests, NULL, NULL);
}
