/* A block in memory: being filled, waiting to be written, or kept (or read back) for readers.
 * Counted references; blocks that follow each other share a slab, so that many small flushes cost little memory. */
#ifndef STATE_LOG_MEMBLOCK_H
#define STATE_LOG_MEMBLOCK_H

#include "state/log/block.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct memslab;

/* Where a block lies on disk, and what the next one is checked against. */
struct memblock_place {
    uint64_t segment_idx;
    uint64_t offset;
    uint64_t offset_end;
    uint64_t chain; /* checksum of its header */
};

struct memblock {
    atomic_uint refs;
    struct block_header head; /* raw_len and complete_len grow until it is sealed */
    uint8_t *data;            /* never moves once raw_len > 0: readers point into it */
    size_t capacity;
    struct memslab *slab;
    bool sealed;         /* owner's thread */
    atomic_bool durable; /* set by the log thread when it is on disk; then `place` holds for ever */
    struct memblock_place place;
    struct memblock *queue_next;
};

/* An empty block with room for `needed` bytes, in what is left of `after`'s slab where that is enough; `after` may be
 * NULL. One reference. */
struct memblock *memblock_new(const struct memblock *after, size_t needed);
void memblock_ref(struct memblock *b);
void memblock_unref(struct memblock *b); /* NULL is fine. @thread any */
static inline uint64_t memblock_seq_next(const struct memblock *b)
{
    return block_seq_next(&b->head);
}

#endif
