/* What a run did to an arrangement, against a plain list that is sorted and netted step by step. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "flow/delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_BYTES_MAX = 100, ROUNDS = 300, ENTRIES_MAX = 3000 };

struct known {
    uint8_t key[KEY_BYTES_MAX];
    size_t len;
    size_t prefix_len;
    int64_t weight;
    size_t arrival;
};

/* How the keys of a round look: ids, ids behind a long common text, texts of which few differ ... */
struct shape {
    size_t common;    /* bytes that all keys begin with */
    size_t differing; /* bytes after that, of `values` values */
    unsigned values;
    size_t tail; /* equal bytes after that, then a differing one */
};

static uint64_t seed;

static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static void make_key(const struct shape *s, struct known *out)
{
    size_t len = 0;
    memset(out->key, 'c', s->common);
    len += s->common;
    for (size_t i = 0; i < s->differing; i++) {
        out->key[len++] = (uint8_t)(1 + below(s->values)); /* never 0, which ends a part */
        if (below(8) == 0) {
            break;
        }
    }
    out->key[len++] = 0;
    out->prefix_len = len;
    memset(out->key + len, 't', s->tail);
    len += s->tail;
    out->key[len++] = (uint8_t)below(3);
    out->len = len;
    out->weight = (int64_t)below(5) - 2;
}

static int compare(const void *a, const void *b)
{
    const struct known *x = a;
    const struct known *y = b;
    int c = bytes_compare(bytes_of(x->key, x->len), bytes_of(y->key, y->len));
    return c != 0 ? c : (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

/* Sorts and nets; returns how many are left. */
static size_t net(struct known *items, size_t count)
{
    qsort(items, count, sizeof *items, compare);
    size_t left = 0;
    for (size_t i = 0; i < count;) {
        struct known sum = items[i];
        for (i++; i < count && items[i].len == sum.len && memcmp(items[i].key, sum.key, sum.len) == 0; i++) {
            sum.weight += items[i].weight;
        }
        if (sum.weight != 0) {
            items[left++] = sum;
        }
    }
    return left;
}

static void check_groups(const struct delta *d)
{
    uint32_t next = 0;
    for (uint32_t g = 0; g < d->group_count; g++) {
        struct delta_group range = delta_range(d, g);
        assert_int_equal(range.first, next);
        assert_true(range.end > range.first);
        struct bytes prefix = delta_group_prefix(d, g);
        for (uint32_t i = range.first; i < range.end; i++) {
            const struct delta_entry *e = &d->entries[i];
            assert_true(bytes_equal(bytes_of(delta_entry_bytes(d, e).data, e->prefix_len), prefix));
            assert_int_equal(delta_weight(d, g, delta_entry_bytes(d, e)), e->weight);
        }
        assert_true(g == 0 || bytes_compare(delta_group_prefix(d, g - 1), prefix) < 0);
        assert_int_equal(delta_weight(d, g, bytes_of("none", 4)), 0);
        next = range.end;
    }
    assert_int_equal(next, d->entry_count);
}

static void check_round(struct delta *d, struct known *items, struct datum *rows, size_t count, const struct shape *s)
{
    delta_reset(d);
    for (size_t i = 0; i < count; i++) {
        make_key(s, &items[i]);
        items[i].arrival = i;
        delta_add(d, bytes_of(items[i].key, items[i].len), items[i].prefix_len, items[i].weight, &rows[i]);
    }
    delta_close(d);
    size_t left = net(items, count);
    assert_int_equal(d->entry_count, left);
    for (size_t i = 0; i < left; i++) {
        const struct delta_entry *e = &d->entries[i];
        assert_true(bytes_equal(delta_entry_bytes(d, e), bytes_of(items[i].key, items[i].len)));
        assert_int_equal(e->weight, items[i].weight);
        assert_int_equal(e->prefix_len, items[i].prefix_len);
        assert_ptr_equal(e->row, &rows[items[i].arrival]);
    }
    check_groups(d);
}

static void entries_are_sorted_netted_and_grouped_whatever_the_keys_look_like(void **state)
{
    (void)state;
    seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    struct delta d = {0};
    struct known *items = mem_alloc(ENTRIES_MAX * sizeof *items);
    struct datum *rows = mem_zalloc(ENTRIES_MAX * sizeof *rows);
    for (int round = 0; round < ROUNDS; round++) {
        struct shape s = {.common = below(40), .differing = 1 + below(20), .values = 1 + below(255), .tail = below(30)};
        s.values = below(2) == 0 ? 1 + s.values % 4 : s.values;
        check_round(&d, items, rows, below(4) == 0 ? below(ENTRIES_MAX) : below(60), &s);
    }
    delta_release(&d);
    mem_free(items);
    mem_free(rows);
}

static void a_run_without_entries_has_no_groups(void **state)
{
    (void)state;
    struct delta d = {0};
    delta_close(&d);
    assert_int_equal(d.group_count, 0);
    delta_add(&d, bytes_of("a", 1), 1, 1, NULL);
    delta_add(&d, bytes_of("a", 1), 1, -1, NULL);
    delta_close(&d);
    assert_int_equal(d.entry_count, 0);
    assert_int_equal(d.group_count, 0);
    assert_int_equal(delta_weight(&d, DELTA_NONE, bytes_of("a", 1)), 0);
    delta_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_sorted_netted_and_grouped_whatever_the_keys_look_like),
        cmocka_unit_test(a_run_without_entries_has_no_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
