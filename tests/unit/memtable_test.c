/* The memtable against a sorted array. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "state/index/memtable.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 6000, KEY_BYTES_MAX = 40 };

struct model_key {
    uint8_t data[KEY_BYTES_MAX];
    size_t len;
    int state; /* 0 absent, 1 present, 2 deleted */
    uint32_t value;
    size_t value_len;
};

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 2685821657736338717ULL;
}

static int model_order(const void *a, const void *b)
{
    const struct model_key *left = a;
    const struct model_key *right = b;
    return bytes_compare(bytes_of(left->data, left->len), bytes_of(right->data, right->len));
}

/* Keys of few letters, zero bytes among them, so that many share prefixes of 16 bytes and differ in length only. */
static size_t model_make(struct model_key *keys, uint64_t *rng)
{
    for (size_t i = 0; i < KEYS; i++) {
        keys[i] = (struct model_key){.len = random_next(rng) % KEY_BYTES_MAX};
        size_t zeros = random_next(rng) % 3 == 0 ? 17 : 0;
        for (size_t j = 0; j < keys[i].len; j++) {
            keys[i].data[j] = j < zeros ? 0 : (uint8_t)(random_next(rng) % 4 == 0 ? 0 : random_next(rng) % 256);
        }
    }
    qsort(keys, KEYS, sizeof keys[0], model_order);
    size_t kept = 1;
    for (size_t i = 1; i < KEYS; i++) {
        if (model_order(&keys[kept - 1], &keys[i]) != 0) {
            keys[kept++] = keys[i];
        }
    }
    return kept;
}

static struct bytes value_make(uint32_t seed, size_t len, uint8_t out[static 256])
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(seed + i * 7);
    }
    return bytes_of(out, len);
}

static void entry_matches(const struct memtable_entry *e, const struct model_key *k)
{
    uint8_t space[256];
    if (k->state == 0) {
        assert_null(e);
        return;
    }
    assert_non_null(e);
    assert_true(bytes_equal(memtable_entry_key(e), bytes_of(k->data, k->len)));
    assert_int_equal(memtable_entry_is_tombstone(e), k->state == 2);
    if (k->state == 1) {
        assert_true(bytes_equal(memtable_entry_value(e), value_make(k->value, k->value_len, space)));
    }
}

static void walk_matches(const struct memtable *t, struct memtable_finger *finger, const struct model_key *keys,
                         size_t from, size_t count)
{
    struct memtable_iter it = memtable_seek(t, finger, bytes_of(keys[from].data, keys[from].len));
    for (size_t i = from; i < count; i++) {
        if (keys[i].state != 0) {
            entry_matches(memtable_iter_entry(&it), &keys[i]);
            memtable_iter_step(&it);
        }
    }
    assert_null(memtable_iter_entry(&it));
}

static void behaves_as_a_sorted_array_under_random_operations(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        uint64_t rng = seed * 0x9E3779B97F4A7C15ULL;
        struct model_key *keys = mem_alloc(KEYS * sizeof *keys);
        size_t count = model_make(keys, &rng);
        struct memtable_pool pool = {0};
        struct memtable t = {.pool = &pool};
        struct memtable_finger finger = {0};
        uint8_t space[256];
        for (int op = 0; op < 100000; op++) {
            struct model_key *k = &keys[random_next(&rng) % count];
            struct bytes key = bytes_of(k->data, k->len);
            uint64_t dice = random_next(&rng) % 10;
            if (dice < 5) {
                k->value = (uint32_t)random_next(&rng);
                k->value_len = random_next(&rng) % 200;
                bool fresh = memtable_put(&t, &finger, key, value_make(k->value, k->value_len, space));
                assert_int_equal(fresh, k->state == 0);
                k->state = 1;
            } else if (dice < 7) {
                bool fresh = memtable_delete(&t, &finger, key);
                assert_int_equal(fresh, k->state == 0);
                k->state = 2;
            } else {
                entry_matches(memtable_find(&t, dice == 7 ? NULL : &finger, key), k);
            }
            if (op % 5000 == 0) {
                walk_matches(&t, NULL, keys, 0, count);
                walk_matches(&t, &finger, keys, (size_t)(k - keys), count);
            }
        }
        memtable_pool_release(&pool);
        mem_free(keys);
    }
}

static void keeps_ascending_and_descending_keys_in_order(void **unused)
{
    (void)unused;
    enum { COUNT = 100000 };
    for (int descending = 0; descending < 2; descending++) {
        struct memtable_pool pool = {0};
        struct memtable t = {.pool = &pool};
        struct memtable_finger finger = {0};
        for (uint32_t i = 0; i < COUNT; i++) {
            uint8_t key[4];
            store_be32(key, descending ? COUNT - 1 - i : i);
            assert_true(memtable_put(&t, &finger, bytes_of(key, 4), bytes_of(key, 4)));
        }
        struct memtable_iter it = memtable_seek(&t, NULL, bytes_of(NULL, 0));
        for (uint32_t i = 0; i < COUNT; i++) {
            const struct memtable_entry *e = memtable_iter_entry(&it);
            assert_non_null(e);
            assert_int_equal(load_be32(e->data), i);
            memtable_iter_step(&it);
        }
        assert_null(memtable_iter_entry(&it));
        if (!descending) {
            /* Ascending keys fill their nodes: 32 bytes of entry and 24 of leaf each, and little else. */
            assert_true(pool.bytes < (uint64_t)COUNT * 64);
        }
        memtable_pool_release(&pool);
    }
}

static void takes_no_new_memory_for_values_that_are_not_larger(void **unused)
{
    (void)unused;
    struct memtable_pool pool = {0};
    struct memtable t = {.pool = &pool};
    struct memtable_finger finger = {0};
    struct bytes key = bytes_of("key", 3);
    memtable_put(&t, &finger, key, bytes_of("0123456789", 10));
    uint64_t before = pool.bytes;
    for (size_t len = 10; len > 0; len--) {
        memtable_put(&t, &finger, key, bytes_of("9876543210", len));
    }
    assert_int_equal(pool.bytes, before);
    /* A value may be put back in part, from its own memory. */
    memtable_put(&t, &finger, key, bytes_of("abcdefghij", 10));
    struct bytes own = memtable_entry_value(memtable_find(&t, &finger, key));
    memtable_put(&t, &finger, key, bytes_of(own.data + 3, 7));
    own = memtable_entry_value(memtable_find(&t, &finger, key));
    assert_true(bytes_equal(own, bytes_of("defghij", 7)));
    memtable_pool_release(&pool);
}

static void uses_a_reset_pool_again(void **unused)
{
    (void)unused;
    struct memtable_pool pool = {0};
    for (int round = 0; round < 3; round++) {
        struct memtable t = {.pool = &pool};
        struct memtable_finger finger = {0};
        uint8_t *big = mem_zalloc(3 << 20);
        for (uint32_t i = 0; i < 20000; i++) {
            memtable_put(&t, &finger, bytes_of(&i, 4), bytes_of(big, i % 100));
        }
        memtable_put(&t, &finger, bytes_of("big", 3), bytes_of(big, 3 << 20));
        assert_int_equal(memtable_entry_value(memtable_find(&t, &finger, bytes_of("big", 3))).len, 3 << 20);
        assert_int_equal(t.entry_count, 20001);
        mem_free(big);
        memtable_pool_reset(&pool, 8 << 20);
        assert_int_equal(pool.bytes, 0);
    }
    memtable_pool_release(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_as_a_sorted_array_under_random_operations),
        cmocka_unit_test(keeps_ascending_and_descending_keys_in_order),
        cmocka_unit_test(takes_no_new_memory_for_values_that_are_not_larger),
        cmocka_unit_test(uses_a_reset_pool_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
