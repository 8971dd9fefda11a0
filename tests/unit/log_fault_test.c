/* Every call that changes the disk is made to fail once, the first, the second, and so on: whatever was acknowledged
 * before is there afterwards, and the log says what happened, for ever. The calls are replaced by the ones below. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "log_fixture.h"

#include "base/message.h"

#include <errno.h>
#include <sys/syscall.h>

enum fault_kind { FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT, FAULT_KINDS };

static atomic_long fault_countdown; /* calls until one fails; 0 = none does */
static atomic_bool fault_sticks;    /* and all after it */
static atomic_int fault_kind;

static bool fault_due(void)
{
    long left = atomic_load(&fault_countdown);
    if (left == 0) {
        return false;
    }
    if (left > 1) {
        atomic_store(&fault_countdown, left - 1);
        return false;
    }
    if (!atomic_load(&fault_sticks)) {
        atomic_store(&fault_countdown, 0);
    }
    errno = atomic_load(&fault_kind) == FAULT_ENOSPC ? ENOSPC : EIO;
    return true;
}

int fdatasync(int fd)
{
    return fault_due() ? -1 : (int)syscall(SYS_fdatasync, fd);
}
int fsync(int fd)
{
    return fault_due() ? -1 : (int)syscall(SYS_fsync, fd);
}
int ftruncate(int fd, off_t len)
{
    return fault_due() ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}
int rename(const char *from, const char *to)
{
    return fault_due() ? -1 : (int)syscall(SYS_rename, from, to);
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    if (fault_due()) {
        if (atomic_load(&fault_kind) == FAULT_SHORT && len > 1) {
            syscall(SYS_pwrite64, fd, data, len / 2, offset);
        }
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, len, offset);
}

/* Opens and appends commits of the tags 0.. until something fails or there are `n`; returns what was acknowledged. */
static enum status work(struct fixture *f, uint64_t n, struct log_watermark *mark, uint64_t *durable)
{
    struct log_options options = {.path = f->path, .segment_bytes = LOG_SEGMENT_BYTES_MIN, .watermark = *mark};
    enum status st = log_open(&f->log, &options, &f->err);
    if (st != STATUS_OK) {
        return st;
    }
    f->log->segment_bytes = SEGMENT_HEADER_BYTES + 1000;
    for (uint64_t i = log_seq_next(f->log); i < n && st == STATUS_OK; i++) {
        if (i % 7 == 3) {
            fixture_append_part(f, i, 0);
            st = log_append_abandon(f->log, &f->err);
        }
        st = st == STATUS_OK ? append_tag(f->log, i, &f->err) : st;
        if (st == STATUS_OK && i % 3 == 0) {
            st = log_wait_durable(f->log, i + 1, &f->err);
        }
    }
    st = st == STATUS_OK ? log_wait_durable(f->log, n, &f->err) : st;
    *durable = log_durable_seq_next(f->log);
    *mark = log_watermark(f->log);
    if (st != STATUS_OK) {
        struct error again;
        uint64_t seq;
        assert_int_equal(log_failure(f->log, &again), STATUS_IO);
        assert_int_equal(log_append(f->log, bytes_of("x", 1), true, &seq, &again), STATUS_IO);
        assert_int_equal(log_durable_seq_next(f->log), *durable);
    }
    fixture_close(f);
    return st;
}

static bool sweep_one(struct fixture *f, long nth, bool with_mark)
{
    enum { N = 26 };
    struct log_watermark mark = {0};
    uint64_t durable = 0;
    folder_clear(f->path);
    atomic_store(&fault_countdown, nth);
    enum status first = work(f, N, &mark, &durable);
    atomic_store(&fault_countdown, 0);
    assert_true(first == STATUS_OK || first == STATUS_IO);
    if (!with_mark) {
        mark = (struct log_watermark){0};
    }
    fixture_tags_by_seq(f, N);
    uint64_t before = durable;
    struct log_options options = {.path = f->path, .watermark = mark};
    assert_status(log_open(&f->log, &options, &f->err), STATUS_OK, &f->err);
    assert_in_range(log_seq_next(f->log), before, N);
    f->count = log_seq_next(f->log);
    check_all(f, 0);
    fixture_close(f);
    assert_status(work(f, N, &mark, &durable), STATUS_OK, &f->err);
    assert_int_equal(durable, N);
    fixture_tags_by_seq(f, N);
    fixture_open(f, 0);
    assert_true(f->log->shared->segment_count > 2);
    check_all(f, 0);
    assert_int_equal(log_verify(f->log, NULL, NULL, &f->err), STATUS_OK);
    fixture_close(f);
    return first == STATUS_OK;
}

static void a_fault_anywhere_loses_nothing_acknowledged(void **state)
{
    struct fixture *f = *state;
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        for (int sticks = 0; sticks < 2; sticks++) {
            atomic_store(&fault_kind, kind);
            atomic_store(&fault_sticks, sticks == 1);
            long nth = 1;
            /* How many calls there are depends on how the threads meet, so one run without a fault is not yet the
             * end. */
            for (int whole = 0; whole < 3; nth++) {
                whole = sweep_one(f, nth, nth % 2 == 0) ? whole + 1 : 0;
            }
            assert_true(nth > 30);
        }
    }
}

/* Faults while a torn tail is being cut: the next opening does it, or finds it done. */
static void a_fault_during_recovery_can_be_recovered_from(void **state)
{
    struct fixture *f = *state;
    atomic_store(&fault_kind, FAULT_EIO);
    bool whole = false;
    for (long nth = 1; !whole; nth++) {
        folder_clear(f->path);
        struct log_watermark mark = {0};
        uint64_t durable;
        assert_status(work(f, 3, &mark, &durable), STATUS_OK, &f->err);
        char path[SEGMENT_PATH_BYTES];
        segment_path(path, f->path, mark.segment_idx);
        struct file file;
        assert_status(file_open(&file, path, (struct file_options){.write = true}, &f->err), STATUS_OK, &f->err);
        assert_status(file_write_at(&file, mark.offset, "torn", 4, &f->err), STATUS_OK, &f->err);
        file_close(&file);
        atomic_store(&fault_countdown, nth);
        struct log_options options = {.path = f->path, .watermark = mark};
        enum status st = log_open(&f->log, &options, &f->err);
        atomic_store(&fault_countdown, 0);
        whole = st == STATUS_OK;
        assert_true(whole || st == STATUS_IO);
        fixture_close(f);
        assert_status(log_open(&f->log, &options, &f->err), STATUS_OK, &f->err);
        fixture_tags_by_seq(f, 3);
        check_all(f, 0);
        fixture_close(f);
    }
}

static void a_full_disk_is_called_that(void **state)
{
    struct fixture *f = *state;
    atomic_store(&fault_kind, FAULT_ENOSPC);
    fixture_open(f, 0);
    fixture_append(f, 1);
    atomic_store(&fault_countdown, 1);
    assert_int_equal(log_wait_durable(f->log, 1, &f->err), STATUS_IO);
    assert_int_equal(f->err.os_errno, ENOSPC);
    assert_non_null(strstr(f->err.text, "disk of the log is full"));
    assert_non_null(strstr(f->err.text, f->path));
    assert_int_equal(log_durable_seq_next(f->log), 0);
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_fault_anywhere_loses_nothing_acknowledged),
        LOG_TEST(a_fault_during_recovery_can_be_recovered_from),
        LOG_TEST(a_full_disk_is_called_that),
    };
    message_level_set(MESSAGE_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
