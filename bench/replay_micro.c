/* replay_micro STORE SCHEMA.sql: folds the whole log of a store (bench/generate.c) into an empty state on this thread,
 * without a sink, and prints what each stage costs an event: reading the log (its decompression is on this thread),
 * folding changes into tables, running the operators, checkpoints. The state is rebuilt beside the old one and takes
 * its place, as procd --replay-from 0 does.
 *
 * Stages are in CPU time of this thread, which neighbours on the machine disturb little; the last figure is wall time,
 * all in. */
#include "base/clock.h"
#include "flow/flow.h"
#include "sql/sql.h"
#include "state/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { RUN_CHANGES = 256 * 1024 }; /* as the spine with the default cache */

struct stages {
    int64_t read_ns;
    int64_t fold_ns;
    int64_t run_ns;
    int64_t checkpoint_ns;
    int64_t finish_ns;
};

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Adds the time since `*at` to a stage and starts the next. */
static void lap(int64_t *stage_ns, int64_t *at)
{
    int64_t now = cpu_ns();
    *stage_ns += now - *at;
    *at = now;
}

static enum status run(struct flow *f, struct store *s, struct store_reader *r, const struct store_chunk *chunk,
                       struct stages *t, int64_t *at, struct error *err)
{
    TRY(flow_run(f, err));
    store_reader_recycle(r);
    lap(&t->run_ns, at);
    if (chunk->last && store_is_full(s)) {
        TRY(store_checkpoint_begin(s, chunk->seq + 1, err));
        lap(&t->checkpoint_ns, at);
    }
    return STATUS_OK;
}

/* Reads the log without folding it. */
static enum status read_all(struct store *s, struct stages *t, struct error *err)
{
    struct store_reader *r;
    struct store_chunk chunk;
    int64_t at = cpu_ns();
    TRY(store_reader_open(s, 0, &r, err));
    enum status st;
    while ((st = store_reader_next(r, &chunk, err)) == STATUS_OK) {
        store_reader_recycle(r);
    }
    store_reader_close(r);
    lap(&t->read_ns, &at);
    return st == STATUS_END ? STATUS_OK : st;
}

/* The clock is asked at the bounds of runs only: it is a system call. */
static enum status replay(struct flow *f, struct store *s, struct store_reader *r, struct stages *t, struct error *err)
{
    struct store_chunk chunk = {0};
    int64_t at = cpu_ns();
    enum status st;
    while ((st = store_reader_next(r, &chunk, err)) == STATUS_OK) {
        TRY(flow_fold(f, &chunk, err));
        if (flow_changes(f) >= RUN_CHANGES) {
            lap(&t->fold_ns, &at);
            TRY(run(f, s, r, &chunk, t, &at, err));
        }
    }
    if (st != STATUS_END) {
        return st;
    }
    lap(&t->fold_ns, &at);
    TRY(run(f, s, r, &chunk, t, &at, err));
    TRY(store_rebuild_finish(s, chunk.seq + 1, err));
    lap(&t->finish_ns, &at);
    return STATUS_OK;
}

static void print(const struct stages *t, uint64_t events, int64_t wall_us)
{
    double n = (double)events;
    int64_t fold_ns = t->fold_ns - t->read_ns; /* folding reads too */
    int64_t all_ns = t->fold_ns + t->run_ns + t->checkpoint_ns + t->finish_ns;
    printf("events=%" PRIu64
           " read=%.0f fold=%.0f run=%.0f checkpoint=%.0f finish=%.0f ns/event; %.2f M/s of this thread's CPU time, "
           "%.2f M/s of wall time\n",
           events, (double)t->read_ns / n, (double)fold_ns / n, (double)t->run_ns / n, (double)t->checkpoint_ns / n,
           (double)t->finish_ns / n, n * 1000 / (double)all_ns, n / (double)wall_us);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: replay_micro STORE SCHEMA.sql\n");
        return 64;
    }
    struct error err;
    struct catalog catalog = {0};
    struct store *store = NULL;
    struct store_reader *reader = NULL;
    struct flow *flow = NULL;
    struct stages t = {0};
    const char *schema = argv[2];
    enum status st;
    TRY_GOTO(done, sql_load(&catalog, &schema, 1, &err));
    TRY_GOTO(done, store_open(&store, &(struct store_options){.path = argv[1]}, &err));
    TRY_GOTO(done, read_all(store, &t, &err));
    TRY_GOTO(done, store_rebuild_begin(store, &err));
    TRY_GOTO(done, store_reader_open(store, 0, &reader, &err));
    TRY_GOTO(done, flow_open(&flow, &(struct flow_options){.catalog = &catalog, .store = store}, &err));
    int64_t start_us = clock_mono_us();
    TRY_GOTO(done, replay(flow, store, reader, &t, &err));
    print(&t, flow_change_count(flow), clock_mono_us() - start_us);
done:
    flow_close(flow);
    store_reader_close(reader);
    store_close(store);
    catalog_release(&catalog);
    if (st != STATUS_OK) {
        fprintf(stderr, "replay_micro: %s\n", err.text);
    }
    return st == STATUS_OK ? 0 : 1;
}
