/* A log in a temporary folder beside a model of what it must hold; shared by the log's test programs. */
#ifndef TESTS_UNIT_LOG_FIXTURE_H
#define TESTS_UNIT_LOG_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "state/log/inner.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED_MAYBE __attribute__((unused))

struct fixture {
    char path[200];
    struct log *log;
    struct error err;
    uint64_t *tags; /* of commits 0..count-1 */
    size_t count;
    size_t capacity;
    uint64_t segment_bytes;
};

static UNUSED_MAYBE void assert_status(enum status found, enum status expected, const struct error *err)
{
    if (found != expected) {
        fail_msg("status %s, expected %s: %s", status_name(found), status_name(expected), err->text);
    }
}

static inline uint64_t random_next(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Half of the fillings can be compressed. */
static UNUSED_MAYBE void random_fill(uint8_t *data, size_t len, uint64_t seed)
{
    uint64_t x = seed;
    bool repeats = random_next(&x) % 2 == 0;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = random_next(&x);
        v = repeats ? v % 7 : v;
        memcpy(data + i, &v, len - i < 8 ? len - i : 8);
    }
}

/* The chunks of a commit: mostly few and small, sometimes over many blocks. */
static inline unsigned tag_chunks(uint64_t tag)
{
    uint64_t x = tag;
    uint64_t kind = random_next(&x) % 40;
    return kind == 0 ? 40 : kind < 3 ? 100 : 1 + (unsigned)(random_next(&x) % 5);
}
static inline size_t tag_chunk(uint64_t tag, unsigned i, uint8_t *out)
{
    uint64_t x = tag;
    uint64_t kind = random_next(&x) % 40;
    uint64_t y = tag ^ ((uint64_t)i << 40);
    size_t len = kind == 0 ? random_next(&y) % 50000 : kind < 6 ? random_next(&y) % 5000 : random_next(&y) % 120;
    random_fill(out, len, y);
    return len;
}

static enum status UNUSED_MAYBE append_tag_chunks(struct log *log, uint64_t tag, unsigned n, bool end,
                                                  struct error *err)
{
    static uint8_t chunk[50008];
    uint64_t seq;
    for (unsigned i = 0; i < n; i++) {
        size_t len = tag_chunk(tag, i, chunk);
        TRY(log_append(log, bytes_of(chunk, len), end && i + 1 == n, &seq, err));
    }
    return STATUS_OK;
}
static UNUSED_MAYBE enum status append_tag(struct log *log, uint64_t tag, struct error *err)
{
    return append_tag_chunks(log, tag, tag_chunks(tag), true, err);
}

static UNUSED_MAYBE int fixture_setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    snprintf(f->path, sizeof f->path, "%s/logfold-log-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(f->path) == NULL) {
        return -1;
    }
    *state = f;
    return 0;
}

static UNUSED_MAYBE void folder_clear(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char name[600];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') {
            unlink(name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static UNUSED_MAYBE void fixture_close(struct fixture *f)
{
    log_close(f->log);
    f->log = NULL;
}

static UNUSED_MAYBE void fixture_clear(struct fixture *f)
{
    fixture_close(f);
    folder_clear(f->path);
    f->count = 0;
}

static UNUSED_MAYBE int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fixture_clear(f);
    rmdir(f->path);
    mem_free(f->tags);
    mem_free(f);
    return 0;
}

static UNUSED_MAYBE void fixture_open(struct fixture *f, uint64_t segment_bytes)
{
    f->segment_bytes = segment_bytes;
    struct log_options options = {.path = f->path, .segment_bytes = segment_bytes};
    assert_status(log_open(&f->log, &options, &f->err), STATUS_OK, &f->err);
}

static UNUSED_MAYBE struct log *fixture_open_readonly(struct fixture *f)
{
    struct log *log;
    struct log_options options = {.path = f->path, .read_only = true};
    assert_status(log_open(&log, &options, &f->err), STATUS_OK, &f->err);
    return log;
}

/* Reopens after everything is durable: nothing may be missing. */
static UNUSED_MAYBE void fixture_reopen_durably(struct fixture *f)
{
    assert_status(log_wait_durable(f->log, f->count, &f->err), STATUS_OK, &f->err);
    struct log_options options = {
        .path = f->path, .segment_bytes = f->segment_bytes, .watermark = log_watermark(f->log)};
    log_close(f->log);
    assert_status(log_open(&f->log, &options, &f->err), STATUS_OK, &f->err);
    assert_int_equal(log_seq_next(f->log), f->count);
    assert_int_equal(log_durable_seq_next(f->log), f->count);
}

/* Reopens without waiting: what was durable is there, and the rest is a prefix. */
static UNUSED_MAYBE void fixture_crash_reopen(struct fixture *f, uint64_t segment_bytes)
{
    uint64_t durable = log_durable_seq_next(f->log);
    log_close(f->log);
    fixture_open(f, segment_bytes);
    assert_in_range(log_seq_next(f->log), durable, f->count);
    f->count = log_seq_next(f->log);
}

static UNUSED_MAYBE void fixture_tag_add(struct fixture *f, uint64_t tag)
{
    mem_grow(&f->tags, &f->capacity, f->count + 1, sizeof *f->tags);
    f->tags[f->count++] = tag;
}
static UNUSED_MAYBE void fixture_tags_by_seq(struct fixture *f, uint64_t n)
{
    f->count = 0;
    for (uint64_t i = 0; i < n; i++) {
        fixture_tag_add(f, i);
    }
}
static UNUSED_MAYBE void fixture_append(struct fixture *f, uint64_t tag)
{
    assert_status(append_tag(f->log, tag, &f->err), STATUS_OK, &f->err);
    fixture_tag_add(f, tag);
    assert_int_equal(log_seq_next(f->log), f->count);
}
/* The first chunks of a commit that is not ended: a quarter of them, or with `much` more than a block. */
static UNUSED_MAYBE void fixture_append_part(struct fixture *f, uint64_t tag, unsigned much)
{
    unsigned n = (tag_chunks(tag) + 3) / 4;
    assert_status(append_tag_chunks(f->log, tag, n, false, &f->err), STATUS_OK, &f->err);
    uint8_t *chunk = mem_zalloc(BLOCK_RAW_BYTES);
    uint64_t seq;
    for (unsigned i = 0; i < much; i++) {
        random_fill(chunk, BLOCK_RAW_BYTES, tag + i);
        assert_status(log_append(f->log, bytes_of(chunk, BLOCK_RAW_BYTES - i * 1000), false, &seq, &f->err), STATUS_OK,
                      &f->err);
    }
    mem_free(chunk);
}

static UNUSED_MAYBE struct log_reader *reader_at(struct fixture *f, uint64_t seq)
{
    struct log_reader *r;
    assert_status(log_reader_open(f->log, seq, &r, &f->err), STATUS_OK, &f->err);
    return r;
}
static UNUSED_MAYBE enum status next_status(struct log_reader *r)
{
    struct store_chunk out;
    struct error err;
    return log_reader_next(r, &out, &err);
}

/* False where the reader is at the end; a commit must be whole and the model's. */
static UNUSED_MAYBE bool check_commit_if_there(struct fixture *f, struct log_reader *r, uint64_t seq)
{
    static uint8_t expected[50008];
    uint64_t tag = f->tags[seq];
    unsigned n = tag_chunks(tag);
    for (unsigned i = 0; i < n; i++) {
        struct store_chunk out;
        enum status st = log_reader_next(r, &out, &f->err);
        if (st == STATUS_END && i == 0) {
            return false;
        }
        assert_status(st, STATUS_OK, &f->err);
        size_t len = tag_chunk(tag, i, expected);
        assert_int_equal(out.seq, seq);
        assert_int_equal(out.last, i + 1 == n);
        assert_int_equal(out.data.len, len);
        assert_true(bytes_equal(out.data, bytes_of(expected, len)));
    }
    return true;
}
static UNUSED_MAYBE void check_commit(struct fixture *f, struct log_reader *r, uint64_t seq)
{
    assert_true(check_commit_if_there(f, r, seq));
}
static UNUSED_MAYBE void check_some(struct fixture *f, uint64_t from, uint64_t n)
{
    struct log_reader *r = reader_at(f, from);
    for (uint64_t seq = from; seq < f->count && seq < from + n; seq++) {
        check_commit(f, r, seq);
    }
    log_reader_close(r);
}
static UNUSED_MAYBE void check_all(struct fixture *f, uint64_t from)
{
    struct log_reader *r = reader_at(f, from);
    for (uint64_t seq = from; seq < f->count; seq++) {
        check_commit(f, r, seq);
        log_reader_recycle(r);
    }
    assert_int_equal(next_status(r), STATUS_END);
    log_reader_close(r);
}
/* What a read-only log beside it sees must be a prefix, and all of it where the writer is closed or durable. */
static UNUSED_MAYBE void fixture_check_readonly(struct fixture *f)
{
    struct log *own = f->log;
    f->log = fixture_open_readonly(f);
    assert_int_equal(log_seq_next(f->log), f->count);
    check_all(f, 0);
    check_all(f, f->count / 2);
    check_all(f, f->count);
    log_close(f->log);
    f->log = own;
}

#endif
