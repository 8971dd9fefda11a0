/* Opening and closing a log. */
#include "base/memory.h"
#include "state/log/inner.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

enum { NAME_DIGITS = 16 };

static struct log *log_new(const struct log_options *options)
{
    struct log *log = mem_zalloc(sizeof *log);
    snprintf(log->path, sizeof log->path, "%s", options->path);
    log->read_only = options->read_only;
    log->segment_bytes = options->segment_bytes == 0 ? LOG_SEGMENT_BYTES_DEFAULT : options->segment_bytes;
    if (log->segment_bytes < LOG_SEGMENT_BYTES_MIN) {
        log->segment_bytes = LOG_SEGMENT_BYTES_MIN;
    }
    log->ring_bytes_max = LOG_RING_BYTES_MAX;
    log->watermark = options->watermark;
    log->notify = options->notify;
    log->notify_ctx = options->notify_ctx;
    log->writer.file = FILE_CLOSED;
    log->writer.coder = block_coder_new();
    log->shared = mem_zalloc(sizeof *log->shared);
    pthread_mutex_init(&log->shared->mutex, NULL);
    pthread_cond_init(&log->shared->work, NULL);
    pthread_cond_init(&log->shared->progress, NULL);
    return log;
}

void log_close(struct log *log)
{
    if (log == NULL) {
        return;
    }
    writer_stop(log);
    append_release(log);
    if (log->tail != NULL) {
        cursor_release(log->tail);
        mem_free(log->tail);
    }
    file_close(&log->writer.file);
    block_coder_free(log->writer.coder);
    buffer_release(&log->writer.out);
    pthread_cond_destroy(&log->shared->progress);
    pthread_cond_destroy(&log->shared->work);
    pthread_mutex_destroy(&log->shared->mutex);
    mem_free(log->shared->segments);
    mem_free(log->shared);
    mem_free(log);
}

/* "0000000000000012.log" and nothing else. */
static bool name_parse(const char *name, const char *suffix, uint64_t *idx)
{
    *idx = 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return false;
        }
        *idx = *idx * 10 + (uint64_t)(name[i] - '0');
    }
    return strcmp(name + NAME_DIGITS, suffix) == 0;
}

/* Counts up to the highest segment in the folder; removes half-made ones where the log is written. */
static enum status folder_scan(const struct log *log, uint64_t *count, struct error *err)
{
    *count = 0;
    DIR *folder = opendir(log->path);
    if (folder == NULL) {
        return error_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, "could not open log %s",
                         log->path);
    }
    enum status st = STATUS_OK;
    struct dirent *entry;
    while (st == STATUS_OK && (entry = readdir(folder)) != NULL) {
        uint64_t idx;
        if (name_parse(entry->d_name, ".log", &idx)) {
            *count = idx >= *count ? idx + 1 : *count;
        } else if (!log->read_only && name_parse(entry->d_name, ".log.tmp", &idx)) {
            char path[sizeof log->path + sizeof entry->d_name + 2];
            snprintf(path, sizeof path, "%s/%s", log->path, entry->d_name);
            st = file_remove(path, err);
        }
    }
    closedir(folder);
    return st;
}

/* Takes in all segments; one that is missing below the highest is damage. */
static enum status segments_load(struct log *log, uint64_t count, struct error *err)
{
    struct error cause = {0};
    enum status st = segments_refresh(log, &cause);
    uint64_t loaded = log->shared->segment_count;
    if ((st == STATUS_OK || st == STATUS_NOT_FOUND) && loaded < count) {
        char path[SEGMENT_PATH_BYTES];
        segment_path(path, log->path, loaded);
        return error_set(err, STATUS_CORRUPT, 0,
                         "could not open log segment %s: it is missing, but later ones are there; restore the segment "
                         "from a backup, or move log and state away and load anew from the source",
                         path);
    }
    if (st != STATUS_OK) {
        *err = cause;
    }
    return st;
}

static enum status segment_first_make(struct log *log, struct error *err)
{
    struct segment_header head = {0};
    struct segment none = {.bytes = 0};
    TRY(recover_watermark_check(log, &none, err));
    struct file f;
    TRY(segment_create(log->path, &head, &f, err));
    file_close(&f);
    segments_add(log, &head);
    return STATUS_OK;
}

static enum status open_write(struct log *log, struct error *err)
{
    TRY(folder_make(log->path, err));
    char parent[sizeof log->path + 4];
    snprintf(parent, sizeof parent, "%s/..", log->path);
    TRY(folder_sync(parent, err));
    uint64_t count;
    TRY(folder_scan(log, &count, err));
    if (count == 0) {
        TRY(segment_first_make(log, err));
    } else {
        TRY(segments_load(log, count, err));
    }
    TRY(recover_tail(log, err));
    append_init(log, log->writer.blocks_durable, log->writer.segment.seq_next);
    return writer_start(log, err);
}

static enum status open_read(struct log *log, struct error *err)
{
    uint64_t count;
    TRY(folder_scan(log, &count, err));
    TRY(segments_load(log, count, err));
    struct segment last = log->shared->segments[log->shared->segment_count - 1];
    log->tail = mem_alloc(sizeof *log->tail);
    cursor_init(log->tail, log);
    TRY(cursor_seek(log->tail, last.head.idx, err));
    TRY(log_refresh(log, err));
    last = log->tail->segment;
    last.bytes = log->tail->offset;
    last.seq_next = log->tail->seq;
    return recover_watermark_check(log, &last, err);
}

enum status log_refresh(struct log *log, struct error *err)
{
    struct cursor *c = log->tail;
    struct block_header h;
    enum status st;
    while ((st = cursor_peek(c, &h, err)) == STATUS_OK) {
        cursor_step(c, &h);
    }
    if (st != STATUS_END) {
        return st;
    }
    struct log_shared *s = log->shared;
    atomic_store(&log->seq_next, c->seq);
    atomic_store(&s->durable_seq_next, c->seq);
    pthread_mutex_lock(&s->mutex);
    s->end = (struct log_watermark){c->segment.head.idx, c->offset, c->seq};
    pthread_mutex_unlock(&s->mutex);
    return STATUS_OK;
}

enum status log_open(struct log **out, const struct log_options *options, struct error *err)
{
    *out = NULL;
    if (strlen(options->path) >= sizeof(((struct log *)0)->path)) {
        return error_set(err, STATUS_INVALID, 0, "path is too long: %.100s...", options->path);
    }
    struct log *log = log_new(options);
    enum status st = log->read_only ? open_read(log, err) : open_write(log, err);
    if (st != STATUS_OK) {
        log_close(log);
        return st;
    }
    *out = log;
    return STATUS_OK;
}
