/* Nanoseconds of the state's single operations and the speed of its checkpoints: `store FOLDER [ENTRIES]`. */
#include "base/clock.h"
#include "state/index/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t key_number(uint64_t i, bool scattered)
{
    return scattered ? i * 0x9E3779B97F4A7C15ULL : i;
}

static void need(enum status st, const struct error *err)
{
    if (st != STATUS_OK) {
        fprintf(stderr, "store: %s\n", err->text);
        exit(1);
    }
}

static void report(const char *what, int64_t since_us, uint64_t count)
{
    double us = (double)(clock_mono_us() - since_us);
    printf("%-34s %8.1f ns  %10.0f a second\n", what, us * 1000 / (double)count, (double)count * 1e6 / us);
}

static void puts_run(struct store_map *m, const char *what, uint64_t count, bool scattered)
{
    struct error err;
    int64_t since = clock_mono_us();
    for (uint64_t i = 0; i < count; i++) {
        uint8_t key[9] = {1};
        uint8_t value[32] = {0};
        store_be64(key + 1, key_number(i, scattered));
        store_le64(value, i);
        need(index_put(m, bytes_of(key, sizeof key), bytes_of(value, sizeof value), &err), &err);
    }
    report(what, since, count);
}

static void gets_run(struct store_map *m, const char *what, uint64_t count, bool scattered)
{
    struct error err;
    int64_t since = clock_mono_us();
    for (uint64_t i = 0; i < count; i++) {
        uint8_t key[9] = {1};
        struct bytes value;
        store_be64(key + 1, key_number(i, scattered));
        need(index_get(m, bytes_of(key, sizeof key), &value, &err), &err);
    }
    report(what, since, count);
}

static void scans_run(struct store_map *m, const char *what, uint64_t count)
{
    struct error err;
    struct store_cursor *c;
    struct bytes found;
    struct bytes value;
    need(index_cursor_open(m, &c, &err), &err);
    int64_t since = clock_mono_us();
    for (uint64_t i = 0; i < count; i++) {
        uint8_t key[9] = {1};
        store_be64(key + 1, key_number(i, true));
        need(index_cursor_seek(c, bytes_of(key, sizeof key), &err), &err);
        for (int step = 0; step < 3; step++) {
            enum status st = index_cursor_next(c, &found, &value, &err);
            need(st == STATUS_END ? STATUS_OK : st, &err);
        }
    }
    report(what, since, count);
    index_cursor_close(c);
}

static void checkpoint_run(struct index *ix, const char *what, uint64_t count)
{
    struct error err;
    int64_t since = clock_mono_us();
    need(index_checkpoint_begin(ix, &(struct index_mark){.seq_next = 1}, &err), &err);
    need(index_checkpoint_wait(ix, &err), &err);
    report(what, since, count);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: store FOLDER [ENTRIES]\n");
        return 64;
    }
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    struct error err;
    struct index *ix;
    struct store_map *ascending;
    struct store_map *scattered;
    need(index_open(&ix, &(struct index_options){.path = argv[1]}, &err), &err);
    need(index_map_open(ix, "ascending", &ascending, &err), &err);
    need(index_map_open(ix, "scattered", &scattered, &err), &err);
    puts_run(ascending, "ascending put, new", count, false);
    puts_run(ascending, "ascending put, again", count, false);
    gets_run(ascending, "ascending get", count, false);
    checkpoint_run(ix, "checkpoint of ascending keys", count);
    puts_run(scattered, "scattered put, new", count, true);
    puts_run(scattered, "scattered put, again", count, true);
    gets_run(scattered, "scattered get, changed", count, true);
    scans_run(scattered, "seek and 3 steps, changed", count);
    checkpoint_run(ix, "checkpoint of scattered keys", count);
    gets_run(scattered, "scattered get, clean", count, true);
    scans_run(scattered, "seek and 3 steps, LMDB", count);
    checkpoint_run(ix, "checkpoint of nothing (one)", 1);
    gets_run(scattered, "scattered get, LMDB", count, true);
    puts_run(scattered, "scattered put over LMDB", count, true);
    checkpoint_run(ix, "checkpoint of scattered updates", count);
    printf("state bytes %" PRIu64 "\n", index_state_bytes(ix));
    index_close(ix);
    return 0;
}
