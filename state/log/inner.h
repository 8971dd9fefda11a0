/* What the files of the log share; nobody else includes it.
 *
 * Two threads: the owner's (append, flush, readers) and the log thread (compress, write, sync). `shared` is what both
 * touch, under its mutex or atomic; `writer` is the log thread's own once it runs; the rest is the owner's. */
#ifndef STATE_LOG_INNER_H
#define STATE_LOG_INNER_H

#include "state/log/block.h"
#include "state/log/log.h"
#include "state/log/memblock.h"
#include "state/log/segment.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    LOG_QUEUE_BYTES_MAX = 8 * 1024 * 1024, /* raw bytes sealed but not durable; append waits above it */
    LOG_RING_BYTES_MAX = 16 * 1024 * 1024, /* raw bytes kept for readers after they are durable */
    LOG_RING_BLOCKS_MAX = 4096,
    LOG_SEGMENT_BYTES_DEFAULT = 64 * 1024 * 1024,
    LOG_SEGMENT_BYTES_MIN = 2 * SEGMENT_HEADER_BYTES
};
_Static_assert((LOG_RING_BLOCKS_MAX & (LOG_RING_BLOCKS_MAX - 1)) == 0, "ring slots are masked block numbers");
_Static_assert(LOG_QUEUE_BYTES_MAX <= LOG_RING_BYTES_MAX, "what waits to be written is in the ring too");

struct log_shared {
    pthread_mutex_t mutex;
    pthread_cond_t work;     /* to the log thread: blocks are queued, or it is to stop */
    pthread_cond_t progress; /* from the log thread: something became durable, or it failed */
    struct memblock *queue_first;
    struct memblock *queue_last;
    uint64_t queued_bytes; /* raw; of blocks sealed and not durable */
    bool stopping;
    struct segment *segments; /* by idx; the last one grows */
    size_t segment_count;
    size_t segment_capacity;
    struct log_watermark end; /* of the durable part */
    struct error failure;     /* valid once `failed` */
    atomic_bool failed;
    _Atomic uint64_t durable_seq_next;
    _Atomic uint64_t bytes;
};

/* The log thread's own. */
struct log_writer {
    struct file file;       /* the last segment; the same descriptor from its making to its last sync */
    struct segment segment; /* the last one, as written so far; published when it is synced */
    uint64_t chain;
    uint64_t blocks_durable;
    struct block_coder *coder;
    struct buffer out; /* encoded blocks that follow each other at segment.bytes - out.len */
};

struct log {
    char path[SEGMENT_PATH_BYTES - 40];
    bool read_only;
    uint64_t segment_bytes;
    struct log_watermark watermark; /* as given to log_open */
    void (*notify)(void *ctx);
    void *notify_ctx;
    struct log_shared *shared;
    struct log_writer writer;
    pthread_t thread;
    bool thread_runs;
    _Atomic uint64_t seq_next;
    /* Blocks ring_first..ring_end-1 are in memory; the last one is open. Unused where read_only. */
    struct memblock **ring;
    uint64_t ring_first;
    uint64_t ring_end;
    uint64_t ring_bytes;
    uint64_t ring_bytes_max; /* what is not durable stays beyond it */
    bool commit_open;        /* chunks of commit seq_next are in */
    /* Read-only: where the walk of complete blocks has come to. */
    struct cursor *tail;
};

/* A place between two blocks on disk, and what the next block must show. One thread. */
struct cursor {
    struct log *log;
    struct file file;
    struct segment segment; /* copy, of `file` */
    bool sealed;            /* a later segment exists */
    uint64_t offset;
    uint64_t block_no;
    uint64_t seq;
    uint64_t chain;
    struct block_coder *coder;
};

/* ---- segments.c: the list of segments ---- */
/* Adds a segment to the list; what it says of the one before it is taken over. */
void segments_add(struct log *log, const struct segment_header *head);
/* Copies the entry `idx`; false where there is none. `*sealed` tells whether a later one exists. @thread any */
bool segments_get(struct log *log, uint64_t idx, struct segment *out, bool *sealed);
/* Read-only: takes in segments and bytes that a writer has added. */
enum status segments_refresh(struct log *log, struct error *err);
/* The segment in which a walk finds the beginning of commit `seq`. */
uint64_t segments_find(struct log *log, uint64_t seq);

/* ---- cursor.c ---- */
void cursor_init(struct cursor *c, struct log *log);
void cursor_release(struct cursor *c);
/* Goes to the first block of the segment. */
enum status cursor_seek(struct cursor *c, uint64_t segment_idx, struct error *err);
/* Goes behind a block that is on disk. */
enum status cursor_seek_behind(struct cursor *c, const struct memblock *b, struct error *err);
/* Reads the header of the next block; STATUS_END (err untouched) where there is none yet. Of a read-only log's last
 * segment the payload is checked too, since a writer may be in the middle of it. */
enum status cursor_peek(struct cursor *c, struct block_header *h, struct error *err);
/* Passes the block that was peeked. */
void cursor_step(struct cursor *c, const struct block_header *h);
/* Reads and decompresses the peeked block into `b` (capacity >= raw_len), and fills its header and place. */
enum status cursor_load(struct cursor *c, const struct block_header *h, struct memblock *b, struct error *err);
/* Fails with STATUS_CORRUPT at `offset` of the cursor's segment. */
enum status cursor_fault(const struct cursor *c, uint64_t offset, struct block_fault fault, struct error *err);

/* ---- open.c ---- */
/* Read-only: walks to the end of what is complete on disk now. */
enum status log_refresh(struct log *log, struct error *err);

/* ---- recover.c ---- */
/* Finds the end of the last segment, cuts a torn tail and makes what is left durable; fills log->writer. */
enum status recover_tail(struct log *log, struct error *err);
/* The watermark must lie within what is there. */
enum status recover_watermark_check(const struct log *log, const struct segment *last, struct error *err);

/* ---- writer.c ---- */
/* Starts and ends the log thread. What is queued is written before it ends. */
enum status writer_start(struct log *log, struct error *err);
void writer_stop(struct log *log);

/* ---- append.c ---- */
/* Makes the first open block. */
void append_init(struct log *log, uint64_t block_no, uint64_t seq_next);
void append_release(struct log *log);
static inline struct memblock *ring_block(const struct log *log, uint64_t block_no)
{
    return log->ring[block_no & (LOG_RING_BLOCKS_MAX - 1)];
}

#endif
