/* The log as a whole: round trips, readers in memory and on disk, abandoned commits, processes beside each other.
 * A commit is told by one number, its tag, from which its chunks are derived; the model of a log is a list of tags. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "log_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void a_commit_comes_back_as_it_was_given(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, 0);
    struct log_reader *r = reader_at(f, 0);
    assert_int_equal(next_status(r), STATUS_END);
    for (uint64_t tag = 1; tag < 60; tag++) {
        fixture_append(f, tag * 7 + tag % 3);
        check_commit(f, r, f->count - 1);
        assert_int_equal(next_status(r), STATUS_END);
    }
    log_reader_close(r);
    fixture_reopen_durably(f);
    check_all(f, 0);
}

static void a_commit_is_seen_when_its_last_chunk_is_in(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, 0);
    fixture_append(f, 3);
    struct log_reader *r = reader_at(f, 0);
    check_commit(f, r, 0);
    uint8_t *chunk = mem_zalloc(100000);
    uint64_t seq;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(log_append(f->log, bytes_of(chunk, 100000), false, &seq, &f->err), STATUS_OK);
        assert_int_equal(seq, 1);
        assert_int_equal(log_flush(f->log, &f->err), STATUS_OK);
        assert_int_equal(next_status(r), STATUS_END);
        assert_int_equal(log_seq_next(f->log), 1);
    }
    assert_int_equal(log_append(f->log, bytes_of(chunk, 0), true, &seq, &f->err), STATUS_OK);
    for (int i = 0; i < 13; i++) {
        struct store_chunk out;
        assert_int_equal(log_reader_next(r, &out, &f->err), STATUS_OK);
        assert_int_equal(out.seq, 1);
        assert_int_equal(out.last, i == 12);
        assert_int_equal(out.data.len, i == 12 ? 0 : 100000);
    }
    assert_int_equal(next_status(r), STATUS_END);
    log_reader_close(r);
    mem_free(chunk);
}

static void chunks_up_to_the_limit_are_taken_and_larger_ones_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, 0);
    uint8_t *chunk = mem_alloc(STORE_CHUNK_BYTES_MAX + 1);
    random_fill(chunk, STORE_CHUNK_BYTES_MAX + 1, 5);
    uint64_t seq;
    assert_int_equal(log_append(f->log, bytes_of(chunk, 10), false, &seq, &f->err), STATUS_OK);
    assert_int_equal(log_append(f->log, bytes_of(chunk, STORE_CHUNK_BYTES_MAX + 1), true, &seq, &f->err),
                     STATUS_INVALID);
    assert_int_equal(log_append(f->log, bytes_of(chunk, STORE_CHUNK_BYTES_MAX), true, &seq, &f->err), STATUS_OK);
    assert_int_equal(log_wait_durable(f->log, 1, &f->err), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        struct log_reader *r = reader_at(f, 0);
        struct store_chunk out;
        assert_int_equal(log_reader_next(r, &out, &f->err), STATUS_OK);
        assert_int_equal(out.data.len, 10);
        assert_int_equal(log_reader_next(r, &out, &f->err), STATUS_OK);
        assert_true(bytes_equal(out.data, bytes_of(chunk, STORE_CHUNK_BYTES_MAX)));
        assert_true(out.last);
        log_reader_close(r);
        log_close(f->log);
        fixture_open(f, 0);
    }
    mem_free(chunk);
}

/* One random history: appends, abandons, flushes, readers, reopens. */
static void history_run(struct fixture *f, uint64_t seed)
{
    uint64_t x = seed;
    uint64_t segment_bytes = random_next(&x) % 3 == 0 ? 1024 * 1024 : 9000 + random_next(&x) % 60000;
    uint64_t ring_bytes_max = random_next(&x) % 2 == 0 ? 0 : random_next(&x) % 300000;
    fixture_open(f, segment_bytes);
    f->log->ring_bytes_max = ring_bytes_max;
    struct log_reader *r = reader_at(f, 0);
    uint64_t at = 0;
    for (int step = 0; step < 120; step++) {
        switch (random_next(&x) % 10) {
        case 0:
            fixture_append_part(f, random_next(&x), (unsigned)(random_next(&x) % 4));
            assert_int_equal(log_append_abandon(f->log, &f->err), STATUS_OK);
            break;
        case 1:
            assert_int_equal(log_flush(f->log, &f->err), STATUS_OK);
            break;
        case 2:
            while (at < f->count) {
                check_commit(f, r, at++);
            }
            assert_int_equal(next_status(r), STATUS_END);
            log_reader_recycle(r);
            break;
        case 3:
            check_some(f, random_next(&x) % (f->count + 1), 5);
            break;
        case 4:
            assert_int_equal(log_wait_durable(f->log, f->count, &f->err), STATUS_OK);
            break;
        case 5:
            if (random_next(&x) % 4 == 0) {
                log_reader_close(r);
                fixture_append_part(f, random_next(&x), (unsigned)(random_next(&x) % 3));
                fixture_crash_reopen(f, segment_bytes);
                f->log->ring_bytes_max = ring_bytes_max;
                at = random_next(&x) % (f->count + 1);
                r = reader_at(f, at);
            }
            break;
        default:
            fixture_append(f, random_next(&x));
            break;
        }
    }
    log_reader_close(r);
    fixture_reopen_durably(f);
    check_all(f, 0);
    assert_int_equal(log_verify(f->log, NULL, NULL, &f->err), STATUS_OK);
    fixture_close(f);
    fixture_check_readonly(f);
}

static void random_histories_are_kept(void **state)
{
    struct fixture *f = *state;
    const char *given = getenv("LOG_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("LOG_TEST_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < 40; i++) {
        history_run(f, seed * 1000 + i);
        fixture_clear(f);
    }
}

static void a_reader_that_fell_behind_memory_goes_on_from_disk(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, 3 * 1024 * 1024);
    fixture_append(f, 1);
    struct log_reader *slow = reader_at(f, 0);
    struct log_reader *unread = reader_at(f, 0);
    check_commit(f, slow, 0);
    uint8_t *chunk = mem_alloc(200000);
    uint64_t seq;
    enum { COMMITS = 30, CHUNKS = 10 };
    for (uint64_t i = 0; i < COMMITS; i++) {
        for (uint64_t k = 0; k < CHUNKS; k++) {
            random_fill(chunk, 200000, i * 100 + k);
            assert_int_equal(log_append(f->log, bytes_of(chunk, 200000), k + 1 == CHUNKS, &seq, &f->err), STATUS_OK);
        }
        if (i == 14) { /* an abandoned commit over many blocks in the middle */
            for (int k = 0; k < 5; k++) {
                assert_int_equal(log_append(f->log, bytes_of(chunk, 150000), false, &seq, &f->err), STATUS_OK);
            }
            assert_int_equal(log_append_abandon(f->log, &f->err), STATUS_OK);
        }
    }
    assert_true(f->log->ring_first > 5);
    for (uint64_t i = 0; i < COMMITS; i++) {
        for (uint64_t k = 0; k < CHUNKS; k++) {
            struct store_chunk out;
            assert_int_equal(log_reader_next(slow, &out, &f->err), STATUS_OK);
            random_fill(chunk, 200000, i * 100 + k);
            assert_int_equal(out.seq, i + 1);
            assert_true(bytes_equal(out.data, bytes_of(chunk, 200000)));
            assert_int_equal(out.last, k + 1 == CHUNKS);
        }
        log_reader_recycle(slow);
    }
    assert_int_equal(next_status(slow), STATUS_END);
    check_commit(f, unread, 0);
    log_reader_close(slow);
    log_reader_close(unread);
    mem_free(chunk);
}

static void chunks_stay_valid_until_recycled(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, 0);
    enum { N = 400, LEN = 90000 };
    uint8_t *chunk = mem_alloc(LEN);
    struct bytes *kept = mem_zalloc(N * sizeof *kept);
    struct log_reader *r = reader_at(f, 0);
    uint64_t seq;
    for (uint64_t i = 0; i < N; i++) {
        random_fill(chunk, LEN, i);
        assert_int_equal(log_append(f->log, bytes_of(chunk, LEN), true, &seq, &f->err), STATUS_OK);
        struct store_chunk out;
        assert_int_equal(log_reader_next(r, &out, &f->err), STATUS_OK);
        kept[i] = out.data;
    }
    assert_true(f->log->ring_first > 0);
    for (uint64_t i = 0; i < N; i++) {
        random_fill(chunk, LEN, i);
        assert_true(bytes_equal(kept[i], bytes_of(chunk, LEN)));
    }
    log_reader_close(r);
    mem_free(chunk);
    mem_free(kept);
}

/* Abandons after `blocks` full blocks of the unfinished commit, some flushed before, and goes on. */
static void abandon_after(struct fixture *f, unsigned blocks, bool durable_before, bool reopen, uint64_t segment_bytes)
{
    fixture_open(f, segment_bytes);
    f->log->ring_bytes_max = blocks % 2 == 0 ? LOG_RING_BYTES_MAX : 0;
    struct log_reader *r = reader_at(f, 0);
    uint8_t *chunk = mem_alloc(BLOCK_RAW_BYTES - 16);
    uint64_t seq;
    for (int round = 0; round < 3; round++) {
        fixture_append(f, 40 + (uint64_t)round);
        for (unsigned i = 0; i <= blocks; i++) {
            random_fill(chunk, BLOCK_RAW_BYTES - 16, i);
            size_t len = i == 0 ? 100 : BLOCK_RAW_BYTES - 16;
            assert_int_equal(log_append(f->log, bytes_of(chunk, len), false, &seq, &f->err), STATUS_OK);
            if (durable_before) {
                assert_int_equal(log_wait_durable(f->log, f->count, &f->err), STATUS_OK);
            }
        }
        assert_int_equal(seq, f->count);
        assert_int_equal(log_append_abandon(f->log, &f->err), STATUS_OK);
        assert_int_equal(log_append_abandon(f->log, &f->err), STATUS_OK);
        assert_int_equal(log_seq_next(f->log), f->count);
        if (reopen) {
            log_reader_close(r);
            fixture_reopen_durably(f);
            r = reader_at(f, f->count);
        } else {
            check_commit(f, r, f->count - 1);
        }
        assert_int_equal(next_status(r), STATUS_END);
    }
    fixture_append(f, 77);
    check_commit(f, r, f->count - 1);
    log_reader_close(r);
    for (uint64_t from = 0; from <= f->count; from++) {
        check_all(f, from);
    }
    fixture_reopen_durably(f);
    for (uint64_t from = 0; from <= f->count; from++) {
        check_all(f, from);
    }
    assert_int_equal(log_verify(f->log, NULL, NULL, &f->err), STATUS_OK);
    fixture_check_readonly(f);
    mem_free(chunk);
    fixture_clear(f);
}

static void an_abandoned_commit_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    for (unsigned blocks = 0; blocks <= 4; blocks++) {
        for (unsigned variant = 0; variant < 8; variant++) {
            abandon_after(f, blocks, (variant & 1) != 0, (variant & 2) != 0, (variant & 4) != 0 ? 8192 : 0);
        }
    }
}

static void a_commit_left_unfinished_by_a_crash_is_cut(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, 100000);
    fixture_append(f, 5);
    uint8_t *chunk = mem_zalloc(BLOCK_RAW_BYTES);
    random_fill(chunk, BLOCK_RAW_BYTES, 9);
    uint64_t seq;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(log_append(f->log, bytes_of(chunk, BLOCK_RAW_BYTES), false, &seq, &f->err), STATUS_OK);
    }
    log_close(f->log);
    fixture_open(f, 100000);
    assert_int_equal(log_seq_next(f->log), 1);
    fixture_check_readonly(f);
    fixture_append(f, 6);
    check_all(f, 0);
    check_all(f, 1);
    fixture_reopen_durably(f);
    check_all(f, 0);
    check_all(f, 1);
    assert_int_equal(log_verify(f->log, NULL, NULL, &f->err), STATUS_OK);
    mem_free(chunk);
}

static int segment_count(void *ctx, const struct store_segment *s)
{
    struct store_segment *sum = ctx;
    assert_int_equal(s->seq_first, sum->seq_next);
    sum->seq_next = s->seq_next;
    sum->bytes += s->bytes;
    sum->blocks += s->blocks;
    sum->raw_bytes += s->raw_bytes;
    return 0;
}

static void segments_add_up(void **state)
{
    struct fixture *f = *state;
    fixture_open(f, 20000);
    for (uint64_t tag = 0; tag < 200; tag++) {
        fixture_append(f, tag);
        assert_int_equal(log_flush(f->log, &f->err), STATUS_OK);
    }
    assert_int_equal(log_wait_durable(f->log, f->count, &f->err), STATUS_OK);
    struct store_segment live = {.seq_next = 0};
    assert_int_equal(log_segments(f->log, segment_count, &live, &f->err), STATUS_OK);
    assert_int_equal(live.seq_next, f->count);
    assert_int_equal(live.bytes, log_bytes(f->log));
    assert_true(f->log->shared->segment_count > 3);
    struct log *reader = fixture_open_readonly(f);
    struct store_segment aside = {.seq_next = 0};
    assert_int_equal(log_segments(reader, segment_count, &aside, &f->err), STATUS_OK);
    assert_memory_equal(&live, &aside, sizeof live);
    assert_int_equal(log_bytes(reader), live.bytes);
    assert_int_equal(log_verify(reader, NULL, NULL, &f->err), STATUS_OK);
    log_close(reader);
    fixture_reopen_durably(f);
    struct store_segment again = {.seq_next = 0};
    assert_int_equal(log_segments(f->log, segment_count, &again, &f->err), STATUS_OK);
    assert_memory_equal(&live, &again, sizeof live);
}

/* The child appends commits 0..n-1 by tag = seq, and tells of durable ones through `fd` where it is not -1. */
static void child_write(const char *path, uint64_t n, uint64_t segment_bytes, int fd)
{
    struct error err;
    struct log *log;
    struct log_options options = {.path = path, .segment_bytes = segment_bytes};
    if (log_open(&log, &options, &err) != STATUS_OK) {
        _exit(2);
    }
    uint64_t x = 42;
    for (uint64_t i = log_seq_next(log); i < n; i++) {
        if (append_tag(log, i, &err) != STATUS_OK) {
            _exit(3);
        }
        if (random_next(&x) % 3 == 0) {
            log_flush(log, &err);
        }
        if (random_next(&x) % 10 == 0) {
            log_wait_durable(log, i + 1, &err);
            uint64_t durable = log_durable_seq_next(log);
            if (fd >= 0 && write(fd, &durable, sizeof durable) != sizeof durable) {
                _exit(4);
            }
        }
    }
    log_wait_durable(log, n, &err);
    log_close(log);
    _exit(0);
}

static void a_reader_in_another_process_follows_the_writer(void **state)
{
    struct fixture *f = *state;
    enum { N = 1500 };
    pid_t child = fork();
    if (child == 0) {
        child_write(f->path, N, 30000, -1);
    }
    struct log *log = NULL;
    struct log_options options = {.path = f->path, .read_only = true};
    enum status st;
    do {
        st = log_open(&log, &options, &f->err);
    } while (st == STATUS_NOT_FOUND);
    assert_status(st, STATUS_OK, &f->err);
    fixture_tags_by_seq(f, N);
    struct log_reader *r;
    assert_status(log_reader_open(log, 0, &r, &f->err), STATUS_OK, &f->err);
    uint64_t polls = 0;
    for (uint64_t seq = 0; seq < N;) {
        if (check_commit_if_there(f, r, seq)) {
            seq++;
        } else {
            assert_true(++polls < 10000000);
        }
        log_reader_recycle(r);
    }
    log_reader_close(r);
    log_close(log);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    struct fixture *f = *state;
    uint64_t durable = 0;
    for (int round = 0; round < 25; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            child_write(f->path, UINT64_MAX, 60000, fds[1]);
        }
        close(fds[1]);
        usleep((useconds_t)(3000 + round * 1237 % 20000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        uint64_t told;
        while (read(fds[0], &told, sizeof told) == sizeof told) {
            durable = told;
        }
        close(fds[0]);
        fixture_open(f, 60000);
        assert_true(log_seq_next(f->log) >= durable);
        assert_true(log_durable_seq_next(f->log) == log_seq_next(f->log));
        fixture_tags_by_seq(f, log_seq_next(f->log));
        check_all(f, f->count > 300 ? f->count - 300 : 0);
        fixture_close(f);
    }
    assert_true(durable > 0);
    fixture_open(f, 60000);
    check_all(f, 0);
    assert_int_equal(log_verify(f->log, NULL, NULL, &f->err), STATUS_OK);
}

static void count_notify(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void a_failed_write_stops_the_log_and_keeps_what_was_acknowledged(void **state)
{
    struct fixture *f = *state;
    atomic_int notified = 0;
    struct log_options options = {.path = f->path, .notify = count_notify, .notify_ctx = &notified};
    assert_int_equal(log_open(&f->log, &options, &f->err), STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    struct rlimit limit = {.rlim_cur = 300000, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    enum status st = STATUS_OK;
    for (uint64_t tag = 0; tag < 100000 && st == STATUS_OK; tag++) {
        st = append_tag(f->log, tag, &f->err);
        if (st == STATUS_OK) {
            st = log_wait_durable(f->log, tag + 1, &f->err);
        }
    }
    assert_int_equal(st, STATUS_IO);
    assert_non_null(strstr(f->err.text, "could not write"));
    setrlimit(RLIMIT_FSIZE, &old);
    uint64_t durable = log_durable_seq_next(f->log);
    uint64_t seq;
    assert_true(durable > 10);
    assert_true(atomic_load(&notified) > 10);
    assert_int_equal(log_failure(f->log, &f->err), STATUS_IO);
    assert_int_equal(log_append(f->log, bytes_of("x", 1), true, &seq, &f->err), STATUS_IO);
    assert_int_equal(log_flush(f->log, &f->err), STATUS_IO);
    assert_int_equal(log_wait_durable(f->log, durable + 1, &f->err), STATUS_IO);
    assert_int_equal(log_wait_durable(f->log, durable, &f->err), STATUS_OK);
    struct log_watermark mark = log_watermark(f->log);
    log_close(f->log);
    options.watermark = mark;
    assert_status(log_open(&f->log, &options, &f->err), STATUS_OK, &f->err);
    assert_true(log_seq_next(f->log) >= durable);
    fixture_tags_by_seq(f, log_seq_next(f->log));
    check_all(f, 0);
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_commit_comes_back_as_it_was_given),
        LOG_TEST(a_commit_is_seen_when_its_last_chunk_is_in),
        LOG_TEST(chunks_up_to_the_limit_are_taken_and_larger_ones_refused),
        LOG_TEST(random_histories_are_kept),
        LOG_TEST(a_reader_that_fell_behind_memory_goes_on_from_disk),
        LOG_TEST(chunks_stay_valid_until_recycled),
        LOG_TEST(an_abandoned_commit_leaves_no_trace),
        LOG_TEST(a_commit_left_unfinished_by_a_crash_is_cut),
        LOG_TEST(segments_add_up),
        LOG_TEST(a_reader_in_another_process_follows_the_writer),
        LOG_TEST(what_was_acknowledged_survives_a_kill),
        LOG_TEST(a_failed_write_stops_the_log_and_keeps_what_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
