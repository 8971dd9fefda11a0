/* Keys: memcmp order is SQL order for all flags, equal values have equal bytes, images come back, values end
 * themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "row_fixture.h"

#include "row/tuple.h"

enum { FLAGS_COUNT = 8 };

static struct arena arena;
static struct buffer key_a;
static struct buffer key_b;

static uint64_t fail_seed;

static void check(bool ok, enum type_kind kind, unsigned flags)
{
    if (!ok) {
        fail_msg("kind %d, flags %u, seed %llu", (int)kind, flags, (unsigned long long)fail_seed);
    }
}

static int sign_of(int v)
{
    return (v > 0) - (v < 0);
}

static int key_order(void)
{
    return sign_of(bytes_compare(buffer_bytes(&key_a), buffer_bytes(&key_b)));
}

static int sql_order(enum type_kind kind, const struct datum *a, const struct datum *b, unsigned flags)
{
    if (a->null || b->null) {
        int order = (a->null != 0) - (b->null != 0);
        return (flags & TUPLE_NULLS_FIRST) != 0 ? -order : order;
    }
    int order = sign_of(datum_compare(kind, a, b));
    return (flags & TUPLE_DESC) != 0 ? -order : order;
}

/* A neighbour of `d` half the time, so that the order of near values is tried. */
static struct datum second(struct random *r, enum type_kind kind, const struct datum *d)
{
    struct error err;
    struct datum out = *d;
    if (d->null || random_below(r, 2)) {
        return random_below(r, 10) == 0 ? DATUM_NULL : random_datum(r, &arena, kind);
    }
    if (kind == TYPE_NUMERIC && decimal_kind(d) == DECIMAL_FINITE) {
        struct datum one = {.v.i = random_int(r, -1, 1), .len = (uint32_t)random_below(r, 50)};
        assert_int_equal(decimal_add(&arena, d, &one, &out, &err), STATUS_OK);
    } else if (kind == TYPE_INT8 && d->v.i < INT64_MAX) {
        out.v.i += 1;
    } else if ((type_is_text(kind) || kind == TYPE_BYTEA) && d->len > 0) {
        uint8_t *copy = arena_dup(&arena, d->v.p, d->len);
        copy[d->len - 1] = (uint8_t)(random_below(r, 2) ? 0x20 : random_below(r, 3));
        out = datum_bytes(bytes_of(copy, d->len - random_below(r, 2)));
    }
    return out;
}

static void the_order_of_bytes_is_the_order_of_values(void **state)
{
    (void)state;
    for (fail_seed = 1; fail_seed <= 100000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = (enum type_kind)(TYPE_BOOL + random_below(&r, TYPE_UUID));
        unsigned flags = (unsigned)random_below(&r, FLAGS_COUNT);
        struct datum a = random_below(&r, 20) == 0 ? DATUM_NULL : random_datum(&r, &arena, kind);
        struct datum b = second(&r, kind, &a);
        buffer_reset(&key_a);
        buffer_reset(&key_b);
        tuple_append(&key_a, kind, &a, flags);
        tuple_append(&key_b, kind, &b, flags);
        int wanted = sql_order(kind, &a, &b, flags);
        int got = key_order();
        if (wanted != 0 || (flags & TUPLE_IMAGE) == 0) {
            check(got == wanted, kind, flags);
        } else {
            check((got == 0) == datum_identical(kind, &a, &b), kind, flags);
        }
        arena_reset(&arena);
    }
}

static void rows_order_by_their_first_difference(void **state)
{
    (void)state;
    enum { COLUMNS = 3 };
    for (fail_seed = 1; fail_seed <= 20000; fail_seed++) {
        struct random r = {fail_seed};
        int wanted = 0;
        enum type_kind kind = TYPE_BOOL;
        buffer_reset(&key_a);
        buffer_reset(&key_b);
        for (int i = 0; i < COLUMNS; i++) {
            kind = (enum type_kind)(TYPE_BOOL + random_below(&r, TYPE_UUID));
            unsigned flags = (unsigned)random_below(&r, FLAGS_COUNT) & ~(unsigned)TUPLE_IMAGE;
            struct datum a = random_below(&r, 10) == 0 ? DATUM_NULL : random_datum(&r, &arena, kind);
            struct datum b = random_below(&r, 3) ? a : second(&r, kind, &a);
            tuple_append(&key_a, kind, &a, flags);
            tuple_append(&key_b, kind, &b, flags);
            wanted = wanted != 0 ? wanted : sql_order(kind, &a, &b, flags);
        }
        check(key_order() == wanted, kind, 0);
        arena_reset(&arena);
    }
}

/* Both forms of all kinds one after another: each ends where the next begins. */
static void values_come_back_from_their_image_and_end_themselves(void **state)
{
    (void)state;
    for (fail_seed = 1; fail_seed <= 60000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = (enum type_kind)(1 + random_below(&r, TYPE_OTHER));
        unsigned flags = (unsigned)random_below(&r, FLAGS_COUNT);
        struct datum d = random_below(&r, 20) == 0 ? DATUM_NULL : random_datum(&r, &arena, kind);
        struct datum back;
        struct error err;
        buffer_reset(&key_a);
        tuple_append(&key_a, kind, &d, flags);
        size_t end = key_a.len;
        tuple_append(&key_a, TYPE_INT4, &(struct datum){.v.i = (int64_t)random_below(&r, 3) - 1}, flags);
        struct bytes in = buffer_bytes(&key_a);
        check(tuple_skip(&in, kind, flags, &err) == STATUS_OK && in.data == key_a.data + end, kind, flags);
        if ((flags & TUPLE_IMAGE) != 0 || !type_is_image_lossy(kind)) {
            in = buffer_bytes(&key_a);
            check(tuple_read(&in, kind, flags, &arena, &back, &err) == STATUS_OK && in.data == key_a.data + end, kind,
                  flags);
            check(datum_identical(kind, &d, &back), kind, flags);
        }
        arena_reset(&arena);
    }
}

static void the_equality_form_begins_the_image_form(void **state)
{
    (void)state;
    for (fail_seed = 1; fail_seed <= 20000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = (enum type_kind)(1 + random_below(&r, TYPE_OTHER));
        unsigned flags = (unsigned)random_below(&r, FLAGS_COUNT) & ~(unsigned)TUPLE_IMAGE;
        struct datum d = random_datum(&r, &arena, kind);
        buffer_reset(&key_a);
        buffer_reset(&key_b);
        tuple_append(&key_a, kind, &d, flags);
        tuple_append(&key_b, kind, &d, flags | TUPLE_IMAGE);
        check(key_b.len >= key_a.len && memcmp(key_a.data, key_b.data, key_a.len) == 0, kind, flags);
        check(type_is_image_lossy(kind) || key_a.len == key_b.len, kind, flags);
        arena_reset(&arena);
    }
}

/* The copy has exactly the bytes that are left, so that the sanitizer sees a read past them. */
static void every_truncation_is_corrupt(void **state)
{
    (void)state;
    for (fail_seed = 1; fail_seed <= 4000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = (enum type_kind)(1 + random_below(&r, TYPE_OTHER));
        unsigned flags = (unsigned)random_below(&r, FLAGS_COUNT) | TUPLE_IMAGE;
        struct datum d = random_datum(&r, &arena, kind);
        buffer_reset(&key_a);
        tuple_append(&key_a, kind, &d, flags);
        for (size_t len = 0; len < key_a.len && len < 200; len++) {
            struct datum back;
            struct error err;
            uint8_t *copy = mem_alloc(len);
            memcpy(copy, key_a.data, len);
            struct bytes in = bytes_of(copy, len);
            check(tuple_read(&in, kind, flags, &arena, &back, &err) == STATUS_CORRUPT, kind, flags);
            in = bytes_of(copy, len);
            check(tuple_skip(&in, kind, flags, &err) == STATUS_CORRUPT, kind, flags);
            mem_free(copy);
        }
        arena_reset(&arena);
    }
}

/* What is read is what would be written: a key has one form only. */
static void changed_bytes_are_corrupt_or_another_key(void **state)
{
    (void)state;
    for (fail_seed = 1; fail_seed <= 100000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = (enum type_kind)(1 + random_below(&r, TYPE_OTHER));
        unsigned flags = (unsigned)random_below(&r, FLAGS_COUNT) | TUPLE_IMAGE;
        struct datum d = random_datum(&r, &arena, kind);
        struct datum back;
        struct error err;
        buffer_reset(&key_a);
        buffer_reset(&key_b);
        tuple_append(&key_a, kind, &d, flags);
        if (key_a.len > 200) {
            continue;
        }
        for (uint64_t changes = 1 + random_below(&r, 3); changes > 0; changes--) {
            key_a.data[random_below(&r, key_a.len)] ^= (uint8_t)(1u << random_below(&r, 8));
        }
        struct bytes in = buffer_bytes(&key_a);
        if (tuple_read(&in, kind, flags, &arena, &back, &err) == STATUS_OK) {
            tuple_append(&key_b, kind, &back, flags);
            check(bytes_equal(buffer_bytes(&key_b), bytes_of(key_a.data, key_a.len - in.len)), kind, flags);
        }
        arena_reset(&arena);
    }
}

static void the_successor_of_a_prefix_is_above_all_that_begin_with_it(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        size_t len;
        const char *next;
        size_t next_len;
    } cases[] = {{"a", 1, "b", 1},
                 {"a\xff", 2, "b", 1},
                 {"a\xff\xff", 3, "b", 1},
                 {"\x00", 1, "\x01", 1},
                 {"ab\xfe", 3, "ab\xff", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_reset(&key_a);
        buffer_append(&key_a, cases[i].key, cases[i].len);
        assert_true(tuple_prefix_successor(&key_a));
        assert_true(bytes_equal(buffer_bytes(&key_a), bytes_of(cases[i].next, cases[i].next_len)));
    }
    buffer_reset(&key_a);
    assert_false(tuple_prefix_successor(&key_a));
    buffer_append(&key_a, "\xff\xff", 2);
    assert_false(tuple_prefix_successor(&key_a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_bytes_is_the_order_of_values),
        cmocka_unit_test(rows_order_by_their_first_difference),
        cmocka_unit_test(values_come_back_from_their_image_and_end_themselves),
        cmocka_unit_test(the_equality_form_begins_the_image_form),
        cmocka_unit_test(every_truncation_is_corrupt),
        cmocka_unit_test(changed_bytes_are_corrupt_or_another_key),
        cmocka_unit_test(the_successor_of_a_prefix_is_above_all_that_begin_with_it),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    buffer_release(&key_a);
    buffer_release(&key_b);
    return failed;
}
