/* The owner's side of writing: chunks are copied into the open block; full and flushed blocks are sealed, queued to
 * the log thread, and stay in the ring for readers until they are durable and the ring is over its bounds.
 *
 * A commit may span blocks. A block that `continues` says that the unfinished commit at the end of the block before
 * goes on in it; one that does not says that it was abandoned (or cut off by a crash). So to abandon is to forget
 * chunks in memory: nothing that is written is ever changed. */
#include "base/memory.h"
#include "state/log/inner.h"

#include <assert.h>

static struct memblock *open_block(const struct log *log)
{
    return ring_block(log, log->ring_end - 1);
}

/* Puts an empty open block at the end of the ring. */
static void ring_push(struct log *log, const struct memblock *after, size_t needed)
{
    assert(log->ring_end - log->ring_first < LOG_RING_BLOCKS_MAX);
    struct memblock *b = memblock_new(after, needed);
    b->head.block_no = log->ring_end;
    b->head.seq_first = atomic_load(&log->seq_next);
    b->head.continues = log->commit_open;
    log->ring[log->ring_end & (LOG_RING_BLOCKS_MAX - 1)] = b;
    log->ring_end++;
}

static void ring_evict(struct log *log)
{
    while (log->ring_bytes > log->ring_bytes_max || log->ring_end - log->ring_first >= LOG_RING_BLOCKS_MAX / 2) {
        struct memblock *oldest = ring_block(log, log->ring_first);
        if (!atomic_load(&oldest->durable)) {
            return;
        }
        assert(oldest->sealed);
        log->ring_bytes -= oldest->head.raw_len;
        log->ring_first++;
        memblock_unref(oldest);
    }
}

void append_init(struct log *log, uint64_t block_no, uint64_t seq_next)
{
    log->ring = mem_zalloc(LOG_RING_BLOCKS_MAX * sizeof *log->ring);
    log->ring_first = block_no;
    log->ring_end = block_no;
    atomic_store(&log->seq_next, seq_next);
    ring_push(log, NULL, 0);
}

void append_release(struct log *log)
{
    if (log->ring == NULL) {
        return;
    }
    for (uint64_t no = log->ring_first; no < log->ring_end; no++) {
        memblock_unref(ring_block(log, no));
    }
    mem_free(log->ring);
    log->ring = NULL;
}

/* Waits until the log thread has room for `bytes` more and the ring for another block. */
static enum status queue_wait(struct log *log, uint64_t bytes, struct error *err)
{
    struct log_shared *s = log->shared;
    enum status st = STATUS_OK;
    pthread_mutex_lock(&s->mutex);
    while (!atomic_load(&s->failed) && ((s->queued_bytes > 0 && s->queued_bytes + bytes > LOG_QUEUE_BYTES_MAX) ||
                                        (log->ring_end - log->ring_first >= LOG_RING_BLOCKS_MAX - 1 &&
                                         !atomic_load(&ring_block(log, log->ring_first)->durable)))) {
        pthread_cond_wait(&s->progress, &s->mutex);
    }
    if (atomic_load(&s->failed)) {
        *err = s->failure;
        st = err->status;
    }
    pthread_mutex_unlock(&s->mutex);
    return st;
}

/* Queues the open block and begins another with room for `needed` bytes. */
static enum status seal(struct log *log, size_t needed, struct error *err)
{
    struct log_shared *s = log->shared;
    struct memblock *b = open_block(log);
    assert(!b->sealed && b->head.raw_len > 0 && b->head.complete_len <= b->head.raw_len);
    assert(block_has_tail(&b->head) == log->commit_open);
    TRY(queue_wait(log, b->head.raw_len, err));
    ring_evict(log);
    b->sealed = true;
    log->ring_bytes += b->head.raw_len;
    ring_push(log, b, needed);
    memblock_ref(b);
    pthread_mutex_lock(&s->mutex);
    if (s->queue_last == NULL) {
        s->queue_first = b;
    } else {
        s->queue_last->queue_next = b;
    }
    s->queue_last = b;
    s->queued_bytes += b->head.raw_len;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->mutex);
    return STATUS_OK;
}

/* Makes sure that the open block has room for `needed` bytes. */
static enum status open_block_grow(struct log *log, size_t needed, struct error *err)
{
    struct memblock *b = open_block(log);
    if (b->head.raw_len > 0) {
        return seal(log, needed, err);
    }
    /* It is empty, so no reader points into it; a reader may hold it, so it stays and gets other memory. */
    struct memblock *larger = memblock_new(NULL, needed);
    struct memslab *slab = b->slab;
    b->slab = larger->slab;
    b->data = larger->data;
    b->capacity = larger->capacity;
    larger->slab = slab;
    memblock_unref(larger);
    return STATUS_OK;
}

enum status log_append(struct log *log, struct bytes chunk, bool last, uint64_t *seq, struct error *err)
{
    assert(!log->read_only);
    TRY(log_failure(log, err));
    if (chunk.len > STORE_CHUNK_BYTES_MAX) {
        return error_set(err, STATUS_INVALID, 0, "could not append a chunk of %zu bytes to the log: the limit is %d",
                         chunk.len, STORE_CHUNK_BYTES_MAX);
    }
    uint8_t frame[VARINT_BYTES_MAX];
    size_t frame_len = block_frame_encode(frame, chunk.len, last);
    struct memblock *b = open_block(log);
    if (b->capacity - b->head.raw_len < frame_len + chunk.len) {
        TRY(open_block_grow(log, frame_len + chunk.len, err));
        b = open_block(log);
    }
    assert(b->capacity - b->head.raw_len >= frame_len + chunk.len);
    uint8_t *to = b->data + b->head.raw_len;
    memcpy(to, frame, frame_len);
    if (chunk.len > 0) {
        memcpy(to + frame_len, chunk.data, chunk.len);
    }
    b->head.raw_len += (uint32_t)(frame_len + chunk.len);
    *seq = atomic_load_explicit(&log->seq_next, memory_order_relaxed);
    log->commit_open = !last;
    if (last) {
        b->head.complete_len = b->head.raw_len;
        b->head.commits_ended++;
        atomic_store_explicit(&log->seq_next, *seq + 1, memory_order_release);
        assert(memblock_seq_next(b) == *seq + 1);
    }
    return STATUS_OK;
}

enum status log_append_abandon(struct log *log, struct error *err)
{
    assert(!log->read_only);
    TRY(log_failure(log, err));
    if (log->commit_open) {
        struct memblock *b = open_block(log);
        b->head.raw_len = b->head.complete_len;
        if (b->head.commits_ended == 0) {
            b->head.continues = false;
        }
        log->commit_open = false;
    }
    return STATUS_OK;
}

enum status log_flush(struct log *log, struct error *err)
{
    assert(!log->read_only);
    TRY(log_failure(log, err));
    return open_block(log)->head.commits_ended > 0 ? seal(log, 0, err) : STATUS_OK;
}

uint64_t log_seq_next(const struct log *log)
{
    return atomic_load_explicit(&log->seq_next, memory_order_acquire);
}

uint64_t log_durable_seq_next(const struct log *log)
{
    return atomic_load_explicit(&log->shared->durable_seq_next, memory_order_acquire);
}

uint64_t log_bytes(const struct log *log)
{
    return atomic_load(&log->shared->bytes);
}

enum status log_wait_durable(struct log *log, uint64_t seq_next, struct error *err)
{
    if (log_durable_seq_next(log) >= seq_next) {
        return STATUS_OK;
    }
    TRY(log_failure(log, err));
    if (seq_next > log_seq_next(log)) {
        return error_set(err, STATUS_INVALID, 0, "could not wait for commit %llu: the log has %llu",
                         (unsigned long long)seq_next, (unsigned long long)log_seq_next(log));
    }
    TRY(log_flush(log, err));
    struct log_shared *s = log->shared;
    pthread_mutex_lock(&s->mutex);
    while (log_durable_seq_next(log) < seq_next && !atomic_load(&s->failed)) {
        pthread_cond_wait(&s->progress, &s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    return log_durable_seq_next(log) >= seq_next ? STATUS_OK : log_failure(log, err);
}

enum status log_failure(const struct log *log, struct error *err)
{
    struct log_shared *s = log->shared;
    if (!atomic_load_explicit(&s->failed, memory_order_acquire)) {
        return STATUS_OK;
    }
    pthread_mutex_lock(&s->mutex);
    *err = s->failure;
    pthread_mutex_unlock(&s->mutex);
    return err->status;
}

struct log_watermark log_watermark(const struct log *log)
{
    struct log_shared *s = log->shared;
    pthread_mutex_lock(&s->mutex);
    struct log_watermark end = s->end;
    pthread_mutex_unlock(&s->mutex);
    return end;
}
