/* The log thread: takes all queued blocks, compresses them, writes them with one write and one fdatasync per segment
 * touched, and then tells that they are durable. The first failure of a write or a sync is final: what the page cache
 * holds can no longer be trusted, so nothing is retried and nothing more becomes durable. */
#include "state/log/inner.h"

#include "base/thread.h"

#include <assert.h>
#include <errno.h>

static void fail(struct log *log, const struct error *cause)
{
    struct log_shared *s = log->shared;
    pthread_mutex_lock(&s->mutex);
    s->failure = *cause;
    error_prefix(&s->failure,
                 cause->os_errno == ENOSPC
                     ? "the disk of the log is full (what was acknowledged is safe; make room and restart)"
                     : "the log has failed (what was acknowledged is safe; restart when the cause is gone)");
    atomic_store(&s->failed, true);
    pthread_cond_broadcast(&s->progress);
    pthread_mutex_unlock(&s->mutex);
    if (log->notify != NULL) {
        log->notify(log->notify_ctx);
    }
}

/* Waits for blocks and takes all there are; NULL when the thread is to end. */
static struct memblock *queue_take(struct log_shared *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->queue_first == NULL && !s->stopping) {
        pthread_cond_wait(&s->work, &s->mutex);
    }
    struct memblock *first = s->queue_first;
    s->queue_first = NULL;
    s->queue_last = NULL;
    pthread_mutex_unlock(&s->mutex);
    return first;
}

/* Writes and syncs what is encoded. */
static enum status out_sync(struct log_writer *w, struct error *err)
{
    if (w->out.len == 0) {
        return STATUS_OK;
    }
    TRY(file_write_at(&w->file, w->segment.bytes - w->out.len, w->out.data, w->out.len, err));
    buffer_reset(&w->out);
    return file_sync_data(&w->file, err);
}

static void segment_publish(struct log *log)
{
    struct log_shared *s = log->shared;
    const struct segment *now = &log->writer.segment;
    struct segment *known = &s->segments[s->segment_count - 1];
    assert(known->head.idx == now->head.idx && known->bytes <= now->bytes);
    atomic_fetch_add(&s->bytes, now->bytes - known->bytes);
    *known = *now;
    s->end = (struct log_watermark){now->head.idx, now->bytes, now->seq_next};
}

/* Ends the segment, durably, and begins the next with `b` as its first block. */
static enum status segment_roll(struct log *log, const struct memblock *b, struct error *err)
{
    struct log_writer *w = &log->writer;
    TRY(out_sync(w, err));
    struct segment_header head = {
        .idx = w->segment.head.idx + 1,
        .seq_first = b->head.seq_first,
        .block_first = b->head.block_no,
        .continues = b->head.continues,
        .prev_bytes = w->segment.bytes,
        .prev_raw_bytes = w->segment.raw_bytes,
        .prev_chain = w->chain,
    };
    assert(w->segment.head.block_first + w->segment.blocks == head.block_first);
    w->blocks_durable = b->head.block_no;
    struct file next;
    TRY(segment_create(log->path, &head, &next, err));
    file_close(&w->file);
    w->file = next;
    pthread_mutex_lock(&log->shared->mutex);
    segment_publish(log);
    segments_add(log, &head);
    w->segment = log->shared->segments[log->shared->segment_count - 1];
    pthread_mutex_unlock(&log->shared->mutex);
    w->chain = head.checksum;
    return STATUS_OK;
}

static enum status block_write(struct log *log, struct memblock *b, struct error *err)
{
    struct log_writer *w = &log->writer;
    if (w->segment.bytes >= log->segment_bytes && w->segment.blocks > 0) {
        TRY(segment_roll(log, b, err));
    }
    /* The owner and its readers look at the block's header while it is written, so that is not touched. */
    struct block_header head = b->head;
    head.blocks_durable = w->blocks_durable;
    head.chain_prev = w->chain;
    TRY(block_encode(w->coder, &head, b->data, w->segment.head.salt, &w->out, err));
    uint64_t offset = w->segment.bytes;
    w->segment.bytes += block_bytes(&head);
    w->segment.blocks++;
    w->segment.raw_bytes += head.raw_len;
    w->segment.seq_next = block_seq_next(&head);
    w->chain = head.checksum;
    b->place = (struct memblock_place){w->segment.head.idx, offset, w->segment.bytes, head.checksum};
    return STATUS_OK;
}

static enum status group_write(struct log *log, struct memblock *first, struct error *err)
{
    for (struct memblock *b = first; b != NULL; b = b->queue_next) {
        TRY(block_write(log, b, err));
    }
    return out_sync(&log->writer, err);
}

/* Everything of the group is on disk. */
static void group_publish(struct log *log, struct memblock *first)
{
    struct log_shared *s = log->shared;
    pthread_mutex_lock(&s->mutex);
    segment_publish(log);
    for (struct memblock *b = first; b != NULL; b = b->queue_next) {
        s->queued_bytes -= b->head.raw_len;
        log->writer.blocks_durable = b->head.block_no + 1;
        atomic_store(&b->durable, true);
    }
    atomic_store_explicit(&s->durable_seq_next, s->end.seq_next, memory_order_release);
    pthread_cond_broadcast(&s->progress);
    pthread_mutex_unlock(&s->mutex);
    if (log->notify != NULL) {
        log->notify(log->notify_ctx);
    }
}

static void group_release(struct memblock *b)
{
    while (b != NULL) {
        struct memblock *next = b->queue_next;
        memblock_unref(b);
        b = next;
    }
}

static void *writer_run(void *arg)
{
    struct log *log = arg;
    struct error err = {0};
    enum status st = STATUS_OK;
    struct memblock *group;
    while ((group = queue_take(log->shared)) != NULL) {
        if (st == STATUS_OK) {
            st = group_write(log, group, &err);
            if (st == STATUS_OK) {
                group_publish(log, group);
            } else {
                fail(log, &err);
            }
        }
        group_release(group);
    }
    return NULL;
}

enum status writer_start(struct log *log, struct error *err)
{
    TRY(thread_start(&log->thread, "logfold-log", writer_run, log, err));
    log->thread_runs = true;
    return STATUS_OK;
}

void writer_stop(struct log *log)
{
    if (!log->thread_runs) {
        return;
    }
    struct log_shared *s = log->shared;
    pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(log->thread, NULL);
    log->thread_runs = false;
}
