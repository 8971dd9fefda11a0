/* Puts log and index together. The order that matters: a checkpoint is begun only when the commits it stands for are
 * durable in the log, so the state never knows more than the log does. */
#include "state/store.h"

#include "base/file.h"
#include "base/memory.h"
#include "state/index/index.h"
#include "state/log/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

enum { STORE_PATH_BYTES = 512, STORE_NAME_BYTES = 16, PID_TEXT_BYTES = 32 };

static const uint64_t segment_bytes_default = (uint64_t)64 << 20;

struct store {
    struct log *log;
    struct index *index;
    struct file lock;
    int event_fd;
    bool read_only;
    char path[STORE_PATH_BYTES];
};

struct store_reader {
    struct log_reader *log_reader;
};

/* ---- what the threads call ---- */

static void event_signal(void *ctx)
{
    const struct store *s = ctx;
    const uint64_t one = 1;
    /* The counter is full only where nobody has looked for 2^64 events, and then it is readable anyway. */
    ssize_t written = write(s->event_fd, &one, sizeof one);
    (void)written;
}

static void log_notified(void *ctx)
{
    struct store *s = ctx;
    index_raise(s->index);
    event_signal(s);
}

static enum status log_check(void *ctx, struct error *err)
{
    const struct store *s = ctx;
    return s->log == NULL ? STATUS_OK : log_failure(s->log, err);
}

/* ---- opening and closing ---- */

static enum status lock_take(struct store *s, struct error *err)
{
    char path[STORE_PATH_BYTES + STORE_NAME_BYTES];
    snprintf(path, sizeof path, "%s/lock", s->path);
    TRY(file_open(&s->lock, path, (struct file_options){.write = true, .create = true}, err));
    char pid[PID_TEXT_BYTES] = {0};
    if (flock(s->lock.fd, LOCK_EX | LOCK_NB) != 0) {
        int cause = errno;
        size_t got = 0;
        struct error unread;
        file_read_at(&s->lock, 0, pid, sizeof pid - 1, &got, &unread);
        pid[strcspn(pid, "\n")] = '\0';
        file_close(&s->lock);
        if (cause != EWOULDBLOCK) {
            return error_set(err, STATUS_IO, cause, "could not lock %s", path);
        }
        return error_set(err, STATUS_LOCKED, 0, "could not open store %s for writing: process %s holds its lock",
                         s->path, got == 0 ? "(unknown)" : pid);
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    TRY(file_truncate(&s->lock, 0, err));
    return file_write_at(&s->lock, 0, pid, (size_t)len, err);
}

static enum status index_start(struct store *s, const struct store_options *options, struct error *err)
{
    struct index_options index_options = {.path = s->path,
                                          .read_only = options->read_only,
                                          .cache_bytes = options->cache_bytes,
                                          .notify = event_signal,
                                          .check = log_check,
                                          .ctx = s};
    return index_open(&s->index, &index_options, err);
}

static enum status log_start(struct store *s, const struct store_options *options, struct error *err)
{
    char path[STORE_PATH_BYTES + STORE_NAME_BYTES];
    snprintf(path, sizeof path, "%s/log", s->path);
    struct index_mark mark = index_mark(s->index);
    struct log_options log_options = {
        .path = path,
        .read_only = options->read_only,
        .segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : segment_bytes_default,
        .watermark = {.segment_idx = mark.log_segment_idx, .offset = mark.log_offset, .seq_next = mark.log_seq_next},
        .notify = log_notified,
        .notify_ctx = s,
    };
    TRY(log_open(&s->log, &log_options, err));
    if (log_seq_next(s->log) < mark.seq_next) {
        return error_set(err, STATUS_CORRUPT, 0,
                         "could not open store %s: its state stands for %llu commits, its log has %llu; bring back the "
                         "log, or remove %s/CURRENT to have the state folded from what there is",
                         s->path, (unsigned long long)mark.seq_next, (unsigned long long)log_seq_next(s->log), s->path);
    }
    return STATUS_OK;
}

enum status store_open(struct store **out, const struct store_options *options, struct error *err)
{
    *out = NULL;
    if (strlen(options->path) + 64 > STORE_PATH_BYTES) {
        return error_set(err, STATUS_INVALID, 0, "could not open store %.100s...: its path is too long", options->path);
    }
    struct store *s = mem_zalloc(sizeof *s);
    s->lock = FILE_CLOSED;
    s->read_only = options->read_only;
    snprintf(s->path, sizeof s->path, "%s", options->path);
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum status st;
    if (s->event_fd < 0) {
        st = error_set(err, STATUS_IO, errno, "could not make an eventfd");
        goto failed;
    }
    if (options->read_only && !file_exists(options->path)) {
        st = error_set(err, STATUS_NOT_FOUND, 0, "could not open store %s: there is none", options->path);
        goto failed;
    }
    if (!options->read_only) {
        TRY_GOTO(failed, folder_make(options->path, err));
        TRY_GOTO(failed, lock_take(s, err));
    }
    TRY_GOTO(failed, index_start(s, options, err));
    TRY_GOTO(failed, log_start(s, options, err));
    *out = s;
    return STATUS_OK;
failed:
    store_close(s);
    return st;
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    /* The log's thread raises the index, both threads signal the event: so they end in this order. */
    if (s->log != NULL) {
        log_close(s->log);
        s->log = NULL;
    }
    index_close(s->index);
    if (s->event_fd >= 0) {
        close(s->event_fd);
    }
    file_close(&s->lock);
    mem_free(s);
}

/* ---- the log ---- */

static enum status log_note(struct store *s, enum status st, const struct error *err)
{
    if (st == STATUS_IO || st == STATUS_CORRUPT) {
        index_poison(s->index, err);
    }
    return st;
}

enum status store_append(struct store *s, struct bytes chunk, bool last, uint64_t *seq, struct error *err)
{
    TRY(index_check(s->index, err));
    return log_note(s, log_append(s->log, chunk, last, seq, err), err);
}

enum status store_append_abandon(struct store *s, struct error *err)
{
    TRY(index_check(s->index, err));
    return log_note(s, log_append_abandon(s->log, err), err);
}

enum status store_flush(struct store *s, struct error *err)
{
    TRY(index_check(s->index, err));
    return log_note(s, log_flush(s->log, err), err);
}

uint64_t store_seq_next(const struct store *s)
{
    return log_seq_next(s->log);
}

uint64_t store_durable_seq_next(const struct store *s)
{
    return log_durable_seq_next(s->log);
}

enum status store_wait_durable(struct store *s, uint64_t seq_next, struct error *err)
{
    TRY(index_check(s->index, err));
    return log_note(s, log_wait_durable(s->log, seq_next, err), err);
}

int store_event_fd(const struct store *s)
{
    return s->event_fd;
}

enum status store_event_clear(struct store *s, struct error *err)
{
    uint64_t count;
    ssize_t got = read(s->event_fd, &count, sizeof count);
    (void)got; /* nothing to read is fine */
    return index_attend(s->index, err);
}

enum status store_reader_open(struct store *s, uint64_t from_seq, struct store_reader **out, struct error *err)
{
    *out = NULL;
    struct log_reader *log_reader;
    TRY(index_check(s->index, err));
    TRY(log_reader_open(s->log, from_seq, &log_reader, err));
    *out = mem_zalloc(sizeof **out);
    (*out)->log_reader = log_reader;
    return STATUS_OK;
}

void store_reader_close(struct store_reader *r)
{
    if (r != NULL) {
        log_reader_close(r->log_reader);
        mem_free(r);
    }
}

enum status store_reader_next(struct store_reader *r, struct store_chunk *out, struct error *err)
{
    return log_reader_next(r->log_reader, out, err);
}

void store_reader_recycle(struct store_reader *r)
{
    log_reader_recycle(r->log_reader);
}

enum status store_segments(struct store *s, int (*visit)(void *ctx, const struct store_segment *segment), void *ctx,
                           struct error *err)
{
    return log_segments(s->log, visit, ctx, err);
}

enum status store_log_verify(struct store *s, void (*progress)(void *ctx, uint64_t bytes_done, uint64_t bytes_all),
                             void *ctx, struct error *err)
{
    return log_verify(s->log, progress, ctx, err);
}

uint64_t store_log_bytes(const struct store *s)
{
    return log_bytes(s->log);
}

/* ---- the state ---- */

enum status store_map_open(struct store *s, const char *name, struct store_map **out, struct error *err)
{
    return index_map_open(s->index, name, out, err);
}

enum status store_maps(struct store *s, int (*visit)(void *ctx, const char *name), void *ctx, struct error *err)
{
    return index_maps(s->index, visit, ctx, err);
}

const char *store_map_name(const struct store_map *m)
{
    return index_map_name(m);
}

enum status store_map_stat(struct store_map *m, uint64_t *entries, uint64_t *bytes, struct error *err)
{
    return index_map_stat(m, entries, bytes, err);
}

enum status store_get(struct store_map *m, struct bytes key, struct bytes *value, struct error *err)
{
    return index_get(m, key, value, err);
}

enum status store_put(struct store_map *m, struct bytes key, struct bytes value, struct error *err)
{
    return index_put(m, key, value, err);
}

enum status store_delete(struct store_map *m, struct bytes key, struct error *err)
{
    return index_delete(m, key, err);
}

enum status store_map_clear(struct store_map *m, struct error *err)
{
    return index_map_clear(m, err);
}

enum status store_cursor_open(struct store_map *m, struct store_cursor **out, struct error *err)
{
    return index_cursor_open(m, out, err);
}

void store_cursor_close(struct store_cursor *c)
{
    index_cursor_close(c);
}

enum status store_cursor_seek(struct store_cursor *c, struct bytes key, struct error *err)
{
    return index_cursor_seek(c, key, err);
}

enum status store_cursor_next(struct store_cursor *c, struct bytes *key, struct bytes *value, struct error *err)
{
    return index_cursor_next(c, key, value, err);
}

/* ---- checkpoints ---- */

static enum status writing_check(struct store *s, const char *what, struct error *err)
{
    TRY(index_check(s->index, err));
    if (s->read_only) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "could not %s %s: it is open for reading only", what, s->path);
    }
    return STATUS_OK;
}

/* Waits for the log and tells where it stands. */
static enum status mark_make(struct store *s, uint64_t seq_next, struct index_mark *mark, struct error *err)
{
    assert(seq_next <= log_seq_next(s->log));
    TRY(log_note(s, log_wait_durable(s->log, seq_next, err), err));
    struct log_watermark watermark = log_watermark(s->log);
    *mark = (struct index_mark){.seq_next = seq_next,
                                .log_segment_idx = watermark.segment_idx,
                                .log_offset = watermark.offset,
                                .log_seq_next = watermark.seq_next};
    return STATUS_OK;
}

enum status store_checkpoint_begin(struct store *s, uint64_t seq_next, struct error *err)
{
    struct index_mark mark;
    TRY(writing_check(s, "checkpoint", err));
    TRY(mark_make(s, seq_next, &mark, err));
    return index_checkpoint_begin(s->index, &mark, err);
}

bool store_checkpoint_running(const struct store *s)
{
    return index_checkpoint_running(s->index);
}

bool store_checkpoint_rested(const struct store *s)
{
    return index_checkpoint_rested(s->index);
}

bool store_give_back(struct store *s)
{
    return index_give_back(s->index);
}

enum status store_checkpoint_wait(struct store *s, struct error *err)
{
    return index_checkpoint_wait(s->index, err);
}

uint64_t store_checkpoint_seq_next(const struct store *s)
{
    return index_checkpoint_seq_next(s->index);
}

uint64_t store_dirty_bytes(const struct store *s)
{
    return index_dirty_bytes(s->index);
}

uint64_t store_cache_bytes(const struct store *s)
{
    return index_cache_bytes(s->index);
}

static uint64_t full_bytes(const struct store *s)
{
    return store_cache_bytes(s) / 8 * 3;
}

bool store_is_full(const struct store *s)
{
    return store_dirty_bytes(s) > full_bytes(s);
}

uint64_t store_room_bytes(const struct store *s)
{
    return store_is_full(s) ? 0 : full_bytes(s) - store_dirty_bytes(s);
}

enum status store_spill(struct store *s, struct error *err)
{
    TRY(writing_check(s, "spill", err));
    return index_spill(s->index, err);
}

uint64_t store_state_bytes(const struct store *s)
{
    return index_state_bytes(s->index);
}

enum status store_rebuild_begin(struct store *s, struct error *err)
{
    TRY(writing_check(s, "rebuild", err));
    return index_rebuild_begin(s->index, err);
}

enum status store_rebuild_finish(struct store *s, uint64_t seq_next, struct error *err)
{
    struct index_mark mark;
    TRY(writing_check(s, "rebuild", err));
    TRY(mark_make(s, seq_next, &mark, err));
    return index_rebuild_finish(s->index, &mark, err);
}

enum status store_snapshot_renew(struct store *s, struct error *err)
{
    return index_snapshot_renew(s->index, err);
}
