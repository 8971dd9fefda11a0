/* The index against simple models: random operations, crashes, rebuilds, a full map of addresses, a full disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "state/index/index.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEYS = 1500, MAPS = 3, VALUE_BYTES_MAX = 6000, OPS = 200000 };

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 2685821657736338717ULL;
}

static int entry_remove(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void folder_new(char path[static 64])
{
    snprintf(path, 64, "/tmp/index_test_XXXXXX");
    assert_non_null(mkdtemp(path));
}

static void folder_drop(const char *path)
{
    nftw(path, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static void ok(enum status st, const struct error *err)
{
    if (st != STATUS_OK) {
        print_message("%s: %s\n", status_name(st), err->text);
    }
    assert_int_equal(st, STATUS_OK);
}

static struct bytes text(const char *t)
{
    return bytes_of(t, strlen(t));
}

/* ---- the model ---- */

struct model_key {
    uint8_t *data;
    size_t len;
};

struct model_value {
    bool present;
    uint32_t seed;
    size_t len;
};

struct model {
    struct model_value values[MAPS][KEYS];
};

struct run {
    char path[64];
    uint64_t rng;
    struct index *ix;
    struct store_map *maps[MAPS];
    struct store_cursor *cursors[MAPS];
    struct model_key keys[KEYS];
    size_t key_count;
    struct model now;
    struct model saved; /* as of the last checkpoint begun */
    uint64_t seq_next;
    bool rebuilding;
    bool fresh_only; /* no checkpoint since the rebuild began */
    struct model before_rebuild;
    uint64_t seq_before_rebuild;
    uint8_t space[VALUE_BYTES_MAX];
};

static int key_order(const void *a, const void *b)
{
    const struct model_key *left = a;
    const struct model_key *right = b;
    return bytes_compare(bytes_of(left->data, left->len), bytes_of(right->data, right->len));
}

/* Short keys, keys of zero bytes, keys around LMDB's limit, and long ones that differ behind it only. */
static void keys_make(struct run *r)
{
    for (size_t i = 0; i < KEYS; i++) {
        uint64_t dice = random_next(&r->rng) % 10;
        size_t len = random_next(&r->rng) % 12;
        size_t same = 0;
        if (dice == 8) {
            len = 488 + random_next(&r->rng) % 30;
            same = len - random_next(&r->rng) % 3;
        } else if (dice == 9) {
            len = 500 + random_next(&r->rng) % 2500;
            same = 490 + random_next(&r->rng) % 8;
        }
        uint8_t first = (uint8_t)(random_next(&r->rng) % 3);
        uint8_t *data = mem_alloc(len);
        for (size_t j = 0; j < len; j++) {
            uint8_t other = (uint8_t)(random_next(&r->rng) % (dice < 4 ? 3 : 256));
            data[j] = j >= same ? other : j == 0 ? first : (uint8_t)7;
        }
        r->keys[i] = (struct model_key){.data = data, .len = len};
    }
    qsort(r->keys, KEYS, sizeof r->keys[0], key_order);
    r->key_count = 1;
    for (size_t i = 1; i < KEYS; i++) {
        if (key_order(&r->keys[r->key_count - 1], &r->keys[i]) == 0) {
            mem_free(r->keys[i].data);
        } else {
            r->keys[r->key_count++] = r->keys[i];
        }
    }
}

static struct bytes key_at(const struct run *r, size_t i)
{
    return bytes_of(r->keys[i].data, r->keys[i].len);
}

static struct bytes value_of(struct run *r, const struct model_value *v)
{
    for (size_t i = 0; i < v->len; i++) {
        r->space[i] = (uint8_t)(v->seed + i * 11);
    }
    return bytes_of(r->space, v->len);
}

static void run_open(struct run *r, uint64_t map_bytes)
{
    struct error err;
    struct index_options options = {.path = r->path, .cache_bytes = 1 << 22, .map_bytes = map_bytes};
    ok(index_open(&r->ix, &options, &err), &err);
    for (int i = 0; i < MAPS; i++) {
        char name[16];
        snprintf(name, sizeof name, "map%d", i);
        ok(index_map_open(r->ix, name, &r->maps[i], &err), &err);
        ok(index_cursor_open(r->maps[i], &r->cursors[i], &err), &err);
    }
}

static void run_close(struct run *r)
{
    for (int i = 0; i < MAPS; i++) {
        index_cursor_close(r->cursors[i]);
    }
    index_close(r->ix);
}

/* The next present entry at or after `i`, checked against what the cursor hands out; returns the index behind it. */
static size_t cursor_matches(struct run *r, int map, size_t i)
{
    struct error err;
    struct bytes key;
    struct bytes value;
    while (i < r->key_count && !r->now.values[map][i].present) {
        i++;
    }
    enum status st = index_cursor_next(r->cursors[map], &key, &value, &err);
    if (i == r->key_count) {
        assert_int_equal(st, STATUS_END);
        return i;
    }
    ok(st, &err);
    assert_true(bytes_equal(key, key_at(r, i)));
    assert_true(bytes_equal(value, value_of(r, &r->now.values[map][i])));
    return i + 1;
}

static void everything_matches(struct run *r)
{
    struct error err;
    for (int map = 0; map < MAPS; map++) {
        ok(index_cursor_seek(r->cursors[map], bytes_of(NULL, 0), &err), &err);
        size_t i = 0;
        while (i < r->key_count) {
            i = cursor_matches(r, map, i);
        }
        cursor_matches(r, map, i);
    }
}

static void get_matches(struct run *r, int map, size_t i)
{
    struct error err;
    struct bytes value;
    enum status st = index_get(r->maps[map], key_at(r, i), &value, &err);
    if (!r->now.values[map][i].present) {
        assert_int_equal(st, STATUS_NOT_FOUND);
        return;
    }
    ok(st, &err);
    assert_true(bytes_equal(value, value_of(r, &r->now.values[map][i])));
}

static void put_one(struct run *r, int map, size_t i)
{
    struct error err;
    struct model_value *v = &r->now.values[map][i];
    uint64_t dice = random_next(&r->rng) % 100;
    size_t len = dice == 0 ? random_next(&r->rng) % VALUE_BYTES_MAX : random_next(&r->rng) % 40;
    *v = (struct model_value){.present = true, .seed = (uint32_t)random_next(&r->rng), .len = len};
    ok(index_put(r->maps[map], key_at(r, i), value_of(r, v), &err), &err);
}

static void delete_one(struct run *r, int map, size_t i)
{
    struct error err;
    r->now.values[map][i].present = false;
    ok(index_delete(r->maps[map], key_at(r, i), &err), &err);
}

static void walk_some(struct run *r, int map, size_t i)
{
    struct error err;
    ok(index_cursor_seek(r->cursors[map], key_at(r, i), &err), &err);
    size_t steps = random_next(&r->rng) % 8;
    for (size_t step = 0; step < steps; step++) {
        /* A change in between, often near the cursor. */
        if (random_next(&r->rng) % 4 == 0) {
            size_t near = (i + random_next(&r->rng) % 5) % r->key_count;
            if (random_next(&r->rng) % 2 == 0) {
                put_one(r, map, near);
            } else {
                delete_one(r, map, near);
            }
        }
        i = cursor_matches(r, map, i);
    }
}

static void checkpoint(struct run *r)
{
    struct error err;
    struct index_mark mark = {.seq_next = ++r->seq_next, .log_offset = r->seq_next * 3};
    ok(index_checkpoint_begin(r->ix, &mark, &err), &err);
    r->saved = r->now;
    r->fresh_only = false;
}

/* Closing loses all since the last checkpoint, and a rebuild that was not finished, as a crash does. */
static void reopen(struct run *r, uint64_t map_bytes)
{
    run_close(r);
    if (r->rebuilding) {
        r->saved = r->before_rebuild;
        r->seq_next = r->seq_before_rebuild;
        r->rebuilding = false;
    }
    r->now = r->saved;
    run_open(r, map_bytes);
    assert_int_equal(index_checkpoint_seq_next(r->ix), r->seq_next);
    assert_int_equal(index_mark(r->ix).log_offset, r->seq_next * 3);
}

static void rebuild_begin(struct run *r)
{
    struct error err;
    if (!r->rebuilding) {
        r->before_rebuild = r->saved;
        r->seq_before_rebuild = r->seq_next;
    }
    ok(index_rebuild_begin(r->ix, &err), &err);
    assert_int_equal(index_checkpoint_seq_next(r->ix), 0);
    memset(&r->now, 0, sizeof r->now);
    r->saved = r->now;
    r->seq_next = 0;
    r->rebuilding = true;
    everything_matches(r);
}

static void rebuild_finish(struct run *r)
{
    struct error err;
    struct index_mark mark = {.seq_next = ++r->seq_next, .log_offset = r->seq_next * 3};
    ok(index_rebuild_finish(r->ix, &mark, &err), &err);
    r->saved = r->now;
    r->rebuilding = false;
}

static void rare_op(struct run *r, int map, uint64_t map_bytes)
{
    struct error err;
    uint64_t dice = random_next(&r->rng) % 100;
    if (dice < 45) {
        checkpoint(r);
    } else if (dice < 55) {
        ok(index_checkpoint_wait(r->ix, &err), &err);
        assert_int_equal(index_checkpoint_seq_next(r->ix), r->seq_next);
        assert_true(index_give_back(r->ix));
    } else if (dice < 62) {
        (void)index_give_back(r->ix);
    } else if (dice < 72 && map_bytes == 0) {
        ok(index_spill(r->ix, &err), &err);
    } else if (dice < 78) {
        ok(index_map_clear(r->maps[map], &err), &err);
        memset(r->now.values[map], 0, sizeof r->now.values[map]);
    } else if (dice < 83) {
        reopen(r, map_bytes);
    } else if (dice < 86) {
        rebuild_begin(r);
    } else if (dice < 90 && r->rebuilding) {
        rebuild_finish(r);
    } else {
        everything_matches(r);
    }
}

static void run_random(uint64_t seed, int ops, uint64_t map_bytes)
{
    struct run *r = mem_zalloc(sizeof *r);
    print_message("seed %llu\n", (unsigned long long)seed);
    r->rng = seed * 0x9E3779B97F4A7C15ULL;
    folder_new(r->path);
    keys_make(r);
    run_open(r, map_bytes);
    for (int op = 0; op < ops; op++) {
        int map = (int)(random_next(&r->rng) % MAPS);
        size_t i = random_next(&r->rng) % r->key_count;
        uint64_t dice = random_next(&r->rng) % 1000;
        if (dice < 450) {
            put_one(r, map, i);
        } else if (dice < 600) {
            delete_one(r, map, i);
        } else if (dice < 850) {
            get_matches(r, map, i);
        } else if (dice < 998) {
            walk_some(r, map, i);
        } else {
            rare_op(r, map, map_bytes);
        }
    }
    everything_matches(r);
    run_close(r);
    for (size_t i = 0; i < r->key_count; i++) {
        mem_free(r->keys[i].data);
    }
    folder_drop(r->path);
    mem_free(r);
}

static void behaves_as_a_sorted_array_under_random_operations(void **unused)
{
    (void)unused;
    run_random(1, OPS, 0);
    run_random(3, OPS / 4, 0);
}

static void behaves_as_a_sorted_array_while_the_address_space_grows(void **unused)
{
    (void)unused;
    run_random(2, OPS / 8, 64 * 1024);
}

/* ---- checkpoints ---- */

static void counters_put(struct store_map *m, uint32_t from, uint32_t to, uint32_t value)
{
    struct error err;
    for (uint32_t i = from; i < to; i++) {
        uint8_t key[4];
        uint8_t out[100] = {0};
        store_be32(key, i);
        store_le32(out, value);
        ok(index_put(m, bytes_of(key, sizeof key), bytes_of(out, sizeof out), &err), &err);
    }
}

static void counters_match(struct store_map *m, uint32_t from, uint32_t to, uint32_t value)
{
    struct error err;
    for (uint32_t i = from; i < to; i++) {
        uint8_t key[4];
        struct bytes out = {0};
        store_be32(key, i);
        ok(index_get(m, bytes_of(key, sizeof key), &out, &err), &err);
        assert_int_equal(out.len, 100);
        assert_int_equal(load_le32(out.data), value);
    }
}

static void open_at(struct index **ix, struct store_map **m, const char *path, uint64_t map_bytes)
{
    struct error err;
    ok(index_open(ix, &(struct index_options){.path = path, .map_bytes = map_bytes}, &err), &err);
    ok(index_map_open(*ix, "m", m, &err), &err);
}

static void may_be_changed_while_a_checkpoint_is_written(void **unused)
{
    (void)unused;
    enum { COUNT = 20000 };
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 0);
    for (uint32_t round = 1; round <= 5; round++) {
        counters_put(m, 0, COUNT, round);
        ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = round}, &err), &err);
        counters_put(m, 0, COUNT / 2, 1000 + round);
        counters_match(m, 0, COUNT / 2, 1000 + round);
        counters_match(m, COUNT / 2, COUNT, round);
    }
    ok(index_checkpoint_wait(ix, &err), &err);
    assert_false(index_checkpoint_running(ix));
    uint64_t entries;
    uint64_t bytes;
    ok(index_map_stat(m, &entries, &bytes, &err), &err);
    assert_int_equal(entries, COUNT);
    assert_true(bytes > COUNT * 100);
    index_close(ix);
    open_at(&ix, &m, path, 0);
    counters_match(m, 0, COUNT, 5);
    index_close(ix);
    folder_drop(path);
}

static void gives_back_only_what_is_on_disk(void **unused)
{
    (void)unused;
    enum { COUNT = 20000 };
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 0);
    counters_put(m, 0, COUNT, 1);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    while (index_checkpoint_running(ix)) {
        assert_false(index_give_back(ix));
    }
    assert_false(index_give_back(ix)); /* written, but the view is from before it */
    counters_match(m, 0, COUNT, 1);
    counters_put(m, 0, COUNT / 2, 2);
    ok(index_checkpoint_wait(ix, &err), &err);
    struct store_cursor *c;
    struct bytes key;
    struct bytes value;
    ok(index_cursor_open(m, &c, &err), &err);
    ok(index_cursor_seek(c, bytes_of(NULL, 0), &err), &err);
    ok(index_cursor_next(c, &key, &value, &err), &err);
    assert_true(index_give_back(ix));
    for (int i = 1; i < COUNT; i++) {
        ok(index_cursor_next(c, &key, &value, &err), &err);
    }
    assert_int_equal(index_cursor_next(c, &key, &value, &err), STATUS_END);
    index_cursor_close(c);
    counters_match(m, 0, COUNT / 2, 2);
    counters_match(m, COUNT / 2, COUNT, 1);
    index_close(ix);
    folder_drop(path);
}

static void keeps_nothing_of_a_spill_without_a_checkpoint(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 0);
    counters_put(m, 0, 100, 1);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    for (uint32_t part = 0; part < 4; part++) {
        counters_put(m, part * 1000, part * 1000 + 1000, 2);
        ok(index_spill(ix, &err), &err);
        counters_match(m, 0, part * 1000 + 1000, 2);
        assert_int_equal(index_dirty_bytes(ix), 0);
    }
    index_close(ix);
    open_at(&ix, &m, path, 0);
    counters_match(m, 0, 100, 1);
    uint8_t key[4];
    struct bytes value;
    store_be32(key, 100);
    assert_int_equal(index_get(m, bytes_of(key, 4), &value, &err), STATUS_NOT_FOUND);
    index_close(ix);
    folder_drop(path);
}

static void enlarges_the_address_space_for_one_large_checkpoint(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 128 * 1024);
    counters_put(m, 0, 30000, 1);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    while (index_checkpoint_running(ix)) {
        usleep(1000);
    }
    ok(index_checkpoint_wait(ix, &err), &err);
    assert_int_equal(index_checkpoint_seq_next(ix), 1);
    counters_match(m, 0, 30000, 1);
    index_close(ix);
    open_at(&ix, &m, path, 128 * 1024);
    counters_match(m, 0, 30000, 1);
    index_close(ix);
    folder_drop(path);
}

static void fails_for_good_where_a_spill_fills_the_address_space(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 1024 * 1024);
    counters_put(m, 0, 100, 1);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    counters_put(m, 0, 1000, 2);
    ok(index_spill(ix, &err), &err);
    counters_put(m, 0, 30000, 2);
    assert_int_equal(index_spill(ix, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "open the store again"));
    struct bytes value;
    assert_int_equal(index_get(m, text("k"), &value, &err), STATUS_IO);
    index_close(ix);
    open_at(&ix, &m, path, 0);
    counters_match(m, 0, 100, 1);
    index_close(ix);
    folder_drop(path);
}

static enum status failure_of_full_disk(const char *path, struct error *err)
{
    struct index *ix;
    struct store_map *m;
    open_at(&ix, &m, path, 0);
    counters_put(m, 0, 100, 1);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, err), err);
    ok(index_checkpoint_wait(ix, err), err);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 256 * 1024, .rlim_max = RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    counters_put(m, 0, 20000, 2);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 2}, err), err);
    enum status st = index_checkpoint_wait(ix, err);
    struct error again;
    struct bytes value;
    assert_int_equal(index_get(m, text("k"), &value, &again), st);
    assert_int_equal(index_put(m, text("k"), text("v"), &again), st);
    assert_int_equal(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 3}, &again), st);
    assert_string_equal(again.text, err->text);
    assert_int_equal(index_checkpoint_seq_next(ix), 1);
    index_close(ix);
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return st;
}

static void is_poisoned_by_a_full_disk_and_names_it(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct error err;
    assert_int_equal(failure_of_full_disk(path, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "disk full?"));
    assert_non_null(strstr(err.text, path));
    struct index *ix;
    struct store_map *m;
    open_at(&ix, &m, path, 0);
    counters_match(m, 0, 100, 1);
    index_close(ix);
    folder_drop(path);
}

static enum status check_fails(void *ctx, struct error *err)
{
    (void)ctx;
    return error_set(err, STATUS_IO, 0, "could not write the log");
}

static void is_poisoned_by_what_the_owner_finds(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    struct bytes value;
    ok(index_open(&ix, &(struct index_options){.path = path, .check = check_fails}, &err), &err);
    ok(index_map_open(ix, "m", &m, &err), &err);
    ok(index_put(m, text("k"), text("v"), &err), &err);
    index_raise(ix);
    assert_int_equal(index_get(m, text("k"), &value, &err), STATUS_IO);
    assert_int_equal(index_put(m, text("k"), text("v"), &err), STATUS_IO);
    assert_string_equal(err.text, "could not write the log");
    index_close(ix);
    folder_drop(path);
}

enum { NAMES_BYTES = 64 };

static int name_gather(void *ctx, const char *name)
{
    char *names = ctx;
    size_t used = strlen(names);
    snprintf(names + used, NAMES_BYTES - used, "%s ", name);
    return 0;
}

static void lists_the_maps_of_the_last_checkpoint_by_name(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 0);
    ok(index_map_open(ix, "b", &m, &err), &err);
    ok(index_map_open(ix, "a", &m, &err), &err);
    char names[NAMES_BYTES] = "";
    ok(index_maps(ix, name_gather, names, &err), &err);
    assert_string_equal(names, "");
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 0}, &err), &err);
    ok(index_checkpoint_wait(ix, &err), &err);
    ok(index_maps(ix, name_gather, names, &err), &err);
    assert_string_equal(names, "a b m ");
    char long_name[300];
    memset(long_name, 'x', sizeof long_name);
    long_name[256] = '\0';
    assert_int_equal(index_map_open(ix, long_name, &m, &err), STATUS_INVALID);
    assert_int_equal(index_map_open(ix, "", &m, &err), STATUS_INVALID);
    long_name[255] = '\0';
    ok(index_map_open(ix, long_name, &m, &err), &err);
    ok(index_put(m, text("k"), text("v"), &err), &err);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    index_close(ix);
    folder_drop(path);
}

static void holds_large_keys_and_values(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct index *ix;
    struct store_map *m;
    struct error err;
    struct bytes got;
    size_t key_len = STORE_KEY_BYTES_MAX;
    uint8_t *space = mem_zalloc((size_t)STORE_VALUE_BYTES_MAX + 1);
    open_at(&ix, &m, path, 0);
    assert_int_equal(index_put(m, bytes_of(space, key_len + 1), text("v"), &err), STATUS_INVALID);
    assert_int_equal(index_put(m, text("k"), bytes_of(space, (size_t)STORE_VALUE_BYTES_MAX + 1), &err), STATUS_INVALID);
    ok(index_put(m, bytes_of(space, key_len), bytes_of(space, STORE_VALUE_BYTES_MAX), &err), &err);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    index_close(ix);
    open_at(&ix, &m, path, 0);
    ok(index_get(m, bytes_of(space, key_len), &got, &err), &err);
    assert_int_equal(got.len, STORE_VALUE_BYTES_MAX);
    assert_int_equal(index_get(m, bytes_of(space, key_len - 1), &got, &err), STATUS_NOT_FOUND);
    index_close(ix);
    mem_free(space);
    folder_drop(path);
}

/* ---- other processes ---- */

/* Runs in a process of its own: what does not exit with 0 has failed. */
static void child_exits_well(int pid)
{
    int state = 0;
    assert_int_equal(waitpid(pid, &state, 0), pid);
    assert_true(WIFEXITED(state));
    assert_int_equal(WEXITSTATUS(state), 0);
}

static bool reader_sees(struct store_map *m, uint32_t i, uint32_t expected)
{
    struct error err;
    uint8_t key[4];
    struct bytes out = {0};
    store_be32(key, i);
    enum status st = index_get(m, bytes_of(key, 4), &out, &err);
    return expected == 0 ? st == STATUS_NOT_FOUND : st == STATUS_OK && load_le32(out.data) == expected;
}

/* Reports a byte when it is open, then renews its snapshot for each byte that it gets, and says what it sees. */
static int reader_main(const char *path, int in, int out)
{
    struct index *ix;
    struct store_map *m;
    struct error err;
    if (index_open(&ix, &(struct index_options){.path = path, .read_only = true}, &err) != STATUS_OK ||
        index_map_open(ix, "m", &m, &err) != STATUS_OK) {
        return 1;
    }
    if (index_put(m, text("k"), text("v"), &err) != STATUS_UNSUPPORTED) {
        return 2;
    }
    uint8_t expected = 1;
    do {
        uint8_t seen = reader_sees(m, 5, expected) ? expected : 0;
        /* What the reader looks at stays as it is until it renews. */
        if (write(out, &seen, 1) != 1 || read(in, &expected, 1) != 1 || (seen != 0 && !reader_sees(m, 5, seen)) ||
            index_snapshot_renew(ix, &err) != STATUS_OK) {
            return 3;
        }
    } while (expected != 0);
    index_close(ix);
    return 0;
}

static uint8_t reader_ask(int in, int out, uint8_t expected)
{
    uint8_t seen = 0;
    assert_int_equal(write(in, &expected, 1), 1);
    if (expected != 0) {
        assert_int_equal(read(out, &seen, 1), 1);
    }
    return seen;
}

static void a_reader_beside_sees_checkpoints_and_a_rebuild(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    int in[2];
    int out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 0);
    counters_put(m, 0, 1000, 1);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    index_close(ix);
    int pid = fork();
    if (pid == 0) {
        _exit(reader_main(path, in[0], out[1]));
    }
    uint8_t seen = 0;
    assert_int_equal(read(out[0], &seen, 1), 1);
    assert_int_equal(seen, 1);
    open_at(&ix, &m, path, 0);
    for (uint32_t round = 2; round < 30; round++) {
        counters_put(m, 0, 1000, round);
        ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = round}, &err), &err);
        ok(index_checkpoint_wait(ix, &err), &err);
        assert_int_equal(reader_ask(in[1], out[0], (uint8_t)round), round);
    }
    ok(index_rebuild_begin(ix, &err), &err);
    counters_put(m, 0, 10, 50);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    ok(index_checkpoint_wait(ix, &err), &err);
    assert_int_equal(reader_ask(in[1], out[0], 29), 29);
    ok(index_rebuild_finish(ix, &(struct index_mark){.seq_next = 2}, &err), &err);
    assert_int_equal(reader_ask(in[1], out[0], 50), 50);
    reader_ask(in[1], out[0], 0);
    child_exits_well(pid);
    index_close(ix);
    folder_drop(path);
}

static void a_read_only_index_that_is_not_there_is_not_found(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct index *ix;
    struct error err;
    assert_int_equal(index_open(&ix, &(struct index_options){.path = path, .read_only = true}, &err), STATUS_NOT_FOUND);
    assert_null(ix);
    folder_drop(path);
}

/* Dies at a random moment: with a checkpoint under way, a spill outstanding, or in a rebuild. */
static int crash_main(const char *path, uint32_t round)
{
    struct index *ix;
    struct store_map *m;
    struct error err;
    open_at(&ix, &m, path, 0);
    if (index_checkpoint_seq_next(ix) != round) {
        return 1;
    }
    if (round > 0) {
        counters_match(m, 0, 3000, round);
    }
    counters_put(m, 0, 3000, round + 1);
    ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = round + 1}, &err), &err);
    ok(index_checkpoint_wait(ix, &err), &err);
    counters_put(m, 0, 3000, 999);
    if (round % 3 == 0) {
        ok(index_spill(ix, &err), &err);
    } else if (round % 3 == 1) {
        ok(index_rebuild_begin(ix, &err), &err);
        counters_put(m, 0, 2000, 999);
        ok(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    }
    return 0;
}

static void a_crash_leaves_the_last_checkpoint(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    for (uint32_t round = 0; round < 9; round++) {
        int pid = fork();
        if (pid == 0) {
            _exit(crash_main(path, round));
        }
        child_exits_well(pid);
    }
    folder_drop(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_as_a_sorted_array_under_random_operations),
        cmocka_unit_test(behaves_as_a_sorted_array_while_the_address_space_grows),
        cmocka_unit_test(may_be_changed_while_a_checkpoint_is_written),
        cmocka_unit_test(gives_back_only_what_is_on_disk),
        cmocka_unit_test(keeps_nothing_of_a_spill_without_a_checkpoint),
        cmocka_unit_test(enlarges_the_address_space_for_one_large_checkpoint),
        cmocka_unit_test(fails_for_good_where_a_spill_fills_the_address_space),
        cmocka_unit_test(is_poisoned_by_a_full_disk_and_names_it),
        cmocka_unit_test(is_poisoned_by_what_the_owner_finds),
        cmocka_unit_test(lists_the_maps_of_the_last_checkpoint_by_name),
        cmocka_unit_test(holds_large_keys_and_values),
        cmocka_unit_test(a_reader_beside_sees_checkpoints_and_a_rebuild),
        cmocka_unit_test(a_read_only_index_that_is_not_there_is_not_found),
        cmocka_unit_test(a_crash_leaves_the_last_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
