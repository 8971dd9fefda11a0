/* The store as its callers see it: log and maps together. Commits are numbers, the map holds their sum per residue. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "state/store.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESIDUES = 97 };

static int entry_remove(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void folder_new(char path[static 64])
{
    snprintf(path, 64, "/tmp/store_test_XXXXXX");
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

static struct store *opened(const char *path, bool read_only, struct store_map **sums)
{
    struct store *s;
    struct error err;
    ok(store_open(&s, &(struct store_options){.path = path, .read_only = read_only}, &err), &err);
    ok(store_map_open(s, "sums", sums, &err), &err);
    return s;
}

static void numbers_append(struct store *s, uint64_t from, uint64_t to)
{
    struct error err;
    for (uint64_t n = from; n < to; n++) {
        uint8_t chunk[8];
        uint64_t seq;
        store_le64(chunk, n);
        /* In two chunks, to see commits of several. */
        ok(store_append(s, bytes_of(chunk, 3), false, &seq, &err), &err);
        ok(store_append(s, bytes_of(chunk + 3, 5), true, &seq, &err), &err);
        assert_int_equal(seq, n);
    }
}

static uint64_t sum_get(struct store_map *sums, uint64_t residue)
{
    struct error err;
    struct bytes value;
    uint8_t key = (uint8_t)residue;
    enum status st = store_get(sums, bytes_of(&key, 1), &value, &err);
    if (st == STATUS_NOT_FOUND) {
        return 0;
    }
    ok(st, &err);
    return load_le64(value.data);
}

static void number_fold(struct store_map *sums, uint64_t n)
{
    struct error err;
    uint8_t key = (uint8_t)(n % RESIDUES);
    uint8_t value[8];
    store_le64(value, sum_get(sums, key) + n + 1);
    ok(store_put(sums, bytes_of(&key, 1), bytes_of(value, sizeof value), &err), &err);
}

/* Folds commits from..to, or all there are; returns the seq behind the last. */
static uint64_t numbers_fold(struct store *s, struct store_map *sums, uint64_t from, uint64_t to)
{
    struct error err;
    struct store_reader *reader;
    struct store_chunk chunk;
    ok(store_reader_open(s, from, &reader, &err), &err);
    uint8_t number[8];
    size_t len = 0;
    enum status st = STATUS_OK;
    while (from < to && (st = store_reader_next(reader, &chunk, &err)) == STATUS_OK) {
        assert_int_equal(chunk.seq, from);
        assert_true(len + chunk.data.len <= sizeof number);
        memcpy(number + len, chunk.data.data, chunk.data.len);
        len += chunk.data.len;
        if (chunk.last) {
            assert_int_equal(load_le64(number), from);
            number_fold(sums, from);
            from++;
            len = 0;
            store_reader_recycle(reader);
        }
    }
    assert_true(st == STATUS_OK || st == STATUS_END);
    store_reader_close(reader);
    return from;
}

static void sums_match(struct store_map *sums, uint64_t to)
{
    uint64_t expected[RESIDUES] = {0};
    for (uint64_t n = 0; n < to; n++) {
        expected[n % RESIDUES] += n + 1;
    }
    for (uint64_t residue = 0; residue < RESIDUES; residue++) {
        assert_int_equal(sum_get(sums, residue), expected[residue]);
    }
}

static void is_the_fold_of_its_log_after_every_reopening(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct store_map *sums;
    struct error err;
    for (uint64_t round = 0; round < 4; round++) {
        struct store *s = opened(path, false, &sums);
        assert_int_equal(store_seq_next(s), round * 1000);
        assert_int_equal(store_checkpoint_seq_next(s), round == 0 ? 0 : round * 1000 - 500);
        assert_int_equal(numbers_fold(s, sums, store_checkpoint_seq_next(s), UINT64_MAX), round * 1000);
        sums_match(sums, round * 1000);
        numbers_append(s, round * 1000, round * 1000 + 1000);
        assert_int_equal(numbers_fold(s, sums, round * 1000, round * 1000 + 500), round * 1000 + 500);
        ok(store_checkpoint_begin(s, round * 1000 + 500, &err), &err);
        numbers_fold(s, sums, round * 1000 + 500, UINT64_MAX);
        sums_match(sums, round * 1000 + 1000);
        ok(store_wait_durable(s, round * 1000 + 1000, &err), &err);
        ok(store_checkpoint_wait(s, &err), &err);
        assert_int_equal(store_durable_seq_next(s), round * 1000 + 1000);
        store_close(s);
    }
    folder_drop(path);
}

static void child_exits_well(int pid)
{
    int state = 0;
    assert_int_equal(waitpid(pid, &state, 0), pid);
    assert_true(WIFEXITED(state));
    assert_int_equal(WEXITSTATUS(state), 0);
}

static void crash_main(const char *path)
{
    struct store_map *sums;
    struct error err;
    struct store *s = opened(path, false, &sums);
    numbers_append(s, 0, 2000);
    numbers_fold(s, sums, 0, 1200);
    ok(store_checkpoint_begin(s, 1200, &err), &err);
    ok(store_checkpoint_wait(s, &err), &err);
    numbers_fold(s, sums, 1200, 2000);
    ok(store_spill(s, &err), &err);
    ok(store_wait_durable(s, 2000, &err), &err);
    _exit(0);
}

static void a_killed_process_leaves_the_checkpoint_and_the_durable_log(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    int pid = fork();
    if (pid == 0) {
        crash_main(path);
    }
    child_exits_well(pid);
    struct store_map *sums;
    struct store *s = opened(path, false, &sums);
    assert_int_equal(store_checkpoint_seq_next(s), 1200);
    assert_int_equal(store_seq_next(s), 2000);
    sums_match(sums, 1200);
    numbers_fold(s, sums, 1200, UINT64_MAX);
    sums_match(sums, 2000);
    store_close(s);
    folder_drop(path);
}

static void refuses_a_second_writer_and_names_the_first(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct store_map *sums;
    struct error err;
    struct store *s = opened(path, false, &sums);
    struct store *second;
    assert_int_equal(store_open(&second, &(struct store_options){.path = path}, &err), STATUS_LOCKED);
    assert_null(second);
    char pid[32];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, path));
    int child = fork();
    if (child == 0) {
        _exit(store_open(&second, &(struct store_options){.path = path}, &err) == STATUS_LOCKED ? 0 : 1);
    }
    child_exits_well(child);
    store_close(s);
    store_close(opened(path, false, &sums));
    folder_drop(path);
}

static int mode_is_private(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)path;
    (void)ftw;
    return (info->st_mode & 0777) == (type == FTW_D ? 0700 : 0600) ? 0 : 1;
}

static void keeps_its_files_to_its_owner(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct store_map *sums;
    struct error err;
    struct store *s = opened(path, false, &sums);
    numbers_append(s, 0, 10);
    ok(store_checkpoint_begin(s, 10, &err), &err);
    store_close(s);
    assert_int_equal(nftw(path, mode_is_private, 8, FTW_PHYS), 0);
    folder_drop(path);
}

static void reader_main(const char *path)
{
    struct store_map *sums;
    struct error err;
    struct store *s = opened(path, true, &sums);
    sums_match(sums, 100);
    assert_int_equal(store_checkpoint_seq_next(s), 100);
    assert_int_equal(store_put(sums, bytes_of("k", 1), bytes_of("v", 1), &err), STATUS_UNSUPPORTED);
    assert_int_equal(store_checkpoint_begin(s, 100, &err), STATUS_UNSUPPORTED);
    struct store_map *none;
    assert_int_equal(store_map_open(s, "none", &none, &err), STATUS_NOT_FOUND);
    ok(store_snapshot_renew(s, &err), &err);
    sums_match(sums, 100);
    struct store_reader *reader;
    struct store_chunk chunk;
    ok(store_reader_open(s, 0, &reader, &err), &err);
    uint64_t commits = 0;
    while (store_reader_next(reader, &chunk, &err) == STATUS_OK) {
        commits += chunk.last ? 1 : 0;
    }
    assert_int_equal(commits, 100);
    store_reader_close(reader);
    store_close(s);
    _exit(0);
}

static void can_be_read_beside_its_writer_and_without_one(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct store_map *sums;
    struct error err;
    struct store *s;
    assert_int_equal(store_open(&s, &(struct store_options){.path = path, .read_only = true}, &err), STATUS_NOT_FOUND);
    s = opened(path, false, &sums);
    numbers_append(s, 0, 100);
    numbers_fold(s, sums, 0, 100);
    ok(store_checkpoint_begin(s, 100, &err), &err);
    ok(store_checkpoint_wait(s, &err), &err);
    for (int with_writer = 1; with_writer >= 0; with_writer--) {
        int pid = fork();
        if (pid == 0) {
            reader_main(path);
        }
        child_exits_well(pid);
        if (with_writer) {
            store_close(s);
        }
    }
    folder_drop(path);
}

static bool is_readable(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, wait_ms) == 1;
}

static void its_event_tells_of_durable_commits_and_ended_checkpoints(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct store_map *sums;
    struct error err;
    struct store *s = opened(path, false, &sums);
    ok(store_event_clear(s, &err), &err);
    assert_false(is_readable(store_event_fd(s), 0));
    numbers_append(s, 0, 10);
    ok(store_flush(s, &err), &err);
    while (store_durable_seq_next(s) < 10) {
        assert_true(is_readable(store_event_fd(s), 5000));
        ok(store_event_clear(s, &err), &err);
    }
    ok(store_wait_durable(s, 10, &err), &err);
    usleep(20000);
    ok(store_event_clear(s, &err), &err);
    ok(store_checkpoint_begin(s, 10, &err), &err);
    while (store_checkpoint_running(s)) {
        is_readable(store_event_fd(s), 5000);
    }
    assert_true(is_readable(store_event_fd(s), 5000));
    ok(store_event_clear(s, &err), &err);
    assert_int_equal(store_checkpoint_seq_next(s), 10);
    store_close(s);
    folder_drop(path);
}

static void is_rebuilt_from_its_log_to_the_same(void **unused)
{
    (void)unused;
    char path[64];
    folder_new(path);
    struct store_map *sums;
    struct error err;
    struct store *s = opened(path, false, &sums);
    numbers_append(s, 0, 3000);
    numbers_fold(s, sums, 0, 3000);
    ok(store_checkpoint_begin(s, 3000, &err), &err);
    ok(store_rebuild_begin(s, &err), &err);
    assert_int_equal(store_checkpoint_seq_next(s), 0);
    sums_match(sums, 0);
    numbers_fold(s, sums, 0, 1500);
    ok(store_checkpoint_begin(s, 1500, &err), &err);
    numbers_fold(s, sums, 1500, 3000);
    ok(store_rebuild_finish(s, 3000, &err), &err);
    assert_int_equal(store_rebuild_finish(s, 3000, &err), STATUS_INVALID);
    sums_match(sums, 3000);
    assert_true(store_state_bytes(s) > 0);
    store_close(s);
    s = opened(path, false, &sums);
    assert_int_equal(store_checkpoint_seq_next(s), 3000);
    sums_match(sums, 3000);
    store_close(s);
    folder_drop(path);
}

static void folds_anew_where_the_state_is_lost_and_refuses_where_the_log_is(void **unused)
{
    (void)unused;
    char path[64];
    char part[96];
    folder_new(path);
    struct store_map *sums;
    struct error err;
    struct store *s = opened(path, false, &sums);
    numbers_append(s, 0, 500);
    numbers_fold(s, sums, 0, 500);
    ok(store_checkpoint_begin(s, 500, &err), &err);
    store_close(s);
    snprintf(part, sizeof part, "%s/CURRENT", path);
    assert_int_equal(remove(part), 0);
    s = opened(path, false, &sums);
    assert_int_equal(store_checkpoint_seq_next(s), 0);
    assert_int_equal(numbers_fold(s, sums, 0, UINT64_MAX), 500);
    sums_match(sums, 500);
    ok(store_checkpoint_begin(s, 500, &err), &err);
    store_close(s);
    snprintf(part, sizeof part, "%s/log", path);
    folder_drop(part);
    assert_int_equal(store_open(&s, &(struct store_options){.path = path}, &err), STATUS_CORRUPT);
    print_message("%s\n", err.text);
    folder_drop(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_fold_of_its_log_after_every_reopening),
        cmocka_unit_test(a_killed_process_leaves_the_checkpoint_and_the_durable_log),
        cmocka_unit_test(refuses_a_second_writer_and_names_the_first),
        cmocka_unit_test(keeps_its_files_to_its_owner),
        cmocka_unit_test(can_be_read_beside_its_writer_and_without_one),
        cmocka_unit_test(its_event_tells_of_durable_commits_and_ended_checkpoints),
        cmocka_unit_test(is_rebuilt_from_its_log_to_the_same),
        cmocka_unit_test(folds_anew_where_the_state_is_lost_and_refuses_where_the_log_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
