/* Reference counts of blocks and of the slabs they lie in; a slab lives as long as any block in it. */
#include "state/log/memblock.h"

#include "base/memory.h"

#include <assert.h>

/* A slab with less than this left is not used for another block. */
enum { SLAB_REST_BYTES_MIN = BLOCK_RAW_BYTES / 8 };

struct memslab {
    atomic_uint refs;
    size_t capacity;
    uint8_t data[];
};

static struct memslab *slab_new(size_t capacity)
{
    struct memslab *slab = mem_alloc(sizeof *slab + capacity);
    atomic_init(&slab->refs, 1);
    slab->capacity = capacity;
    return slab;
}

static void slab_unref(struct memslab *slab)
{
    unsigned before = atomic_fetch_sub(&slab->refs, 1);
    assert(before > 0);
    if (before == 1) {
        mem_free(slab);
    }
}

struct memblock *memblock_new(const struct memblock *after, size_t needed)
{
    struct memblock *b = mem_zalloc(sizeof *b);
    atomic_init(&b->refs, 1);
    atomic_init(&b->durable, false);
    if (after != NULL) {
        assert(after->sealed);
        size_t used = (size_t)(after->data - after->slab->data) + after->head.raw_len;
        size_t rest = after->slab->capacity - used;
        if (rest >= SLAB_REST_BYTES_MIN && rest >= needed) {
            b->slab = after->slab;
            atomic_fetch_add(&b->slab->refs, 1);
            b->data = b->slab->data + used;
            b->capacity = rest;
            return b;
        }
    }
    b->capacity = needed > BLOCK_RAW_BYTES ? needed : BLOCK_RAW_BYTES;
    b->slab = slab_new(b->capacity);
    b->data = b->slab->data;
    return b;
}

void memblock_ref(struct memblock *b)
{
    atomic_fetch_add(&b->refs, 1);
}

void memblock_unref(struct memblock *b)
{
    if (b == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub(&b->refs, 1);
    assert(before > 0);
    if (before == 1) {
        slab_unref(b->slab);
        mem_free(b);
    }
}
