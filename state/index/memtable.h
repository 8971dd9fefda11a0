/* An ordered in-memory map of byte keys to values or tombstones: a B+tree whose nodes hold the first 16 bytes of each
 * key, so that most comparisons touch no entry. Nothing is ever taken out; a deletion is a tombstone.
 *
 * All memtables of one generation take their memory from one pool and vanish with it. A memtable has one writer;
 * where nobody writes, any number of threads may look (each with fingers of its own). */
#ifndef STATE_INDEX_MEMTABLE_H
#define STATE_INDEX_MEMTABLE_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct memtable_chunk;
struct memtable_node;

/* Zero-initialised is a valid empty pool. */
struct memtable_pool {
    uint8_t *next;
    uint8_t *end;
    struct memtable_chunk *used;
    struct memtable_chunk *spare; /* kept by a reset, to be used again without page faults */
    uint64_t bytes;               /* handed out since the last reset */
};

/* Forgets all memtables of the pool; keeps up to `keep_bytes` of memory for reuse. */
void memtable_pool_reset(struct memtable_pool *pool, uint64_t keep_bytes);
/* Frees the memory kept for reuse. */
void memtable_pool_trim(struct memtable_pool *pool);
void memtable_pool_release(struct memtable_pool *pool);

enum { MEMTABLE_TOMBSTONE = -1 };

/* Lives until the pool is reset; the value behind it changes with the next put of the key. */
struct memtable_entry {
    uint32_t key_len;
    uint32_t value_len; /* (uint32_t)MEMTABLE_TOMBSTONE: deleted */
    uint32_t value_capacity;
    uint8_t data[]; /* key, then value */
};

static inline struct bytes memtable_entry_key(const struct memtable_entry *e)
{
    return bytes_of(e->data, e->key_len);
}

static inline bool memtable_entry_is_tombstone(const struct memtable_entry *e)
{
    return e->value_len == (uint32_t)MEMTABLE_TOMBSTONE;
}

static inline struct bytes memtable_entry_value(const struct memtable_entry *e)
{
    return bytes_of(e->data + e->key_len, e->value_len);
}

/* `pool` set and the rest zero is a valid empty memtable. */
struct memtable {
    struct memtable_pool *pool;
    struct memtable_node *root;
    uint32_t depth; /* 0 = empty, 1 = the root is a leaf */
    uint64_t entry_count;
};

/* Remembers the leaf of the last access, so that neighbouring accesses skip the descent. Zero is valid. It belongs to
 * one memtable and one thread. */
struct memtable_finger {
    struct memtable_node *leaf;
};

/* Both copy their arguments (which may point into the memtable itself) and return true if the key was new, which
 * makes every iterator of this memtable stale. */
bool memtable_put(struct memtable *t, struct memtable_finger *finger, struct bytes key, struct bytes value);
bool memtable_delete(struct memtable *t, struct memtable_finger *finger, struct bytes key);

/* Returns the entry, which may be a tombstone, or NULL. */
const struct memtable_entry *memtable_find(const struct memtable *t, struct memtable_finger *finger, struct bytes key);

struct memtable_iter {
    const struct memtable_node *leaf; /* NULL = past the last */
    uint32_t slot_idx;
};

/* The first entry with key >= `key`; `finger` may be NULL. */
struct memtable_iter memtable_seek(const struct memtable *t, struct memtable_finger *finger, struct bytes key);
/* The entry at the iterator, tombstones too, NULL past the last. */
const struct memtable_entry *memtable_iter_entry(const struct memtable_iter *it);
void memtable_iter_step(struct memtable_iter *it);

#endif
