/* Invariants: a leaf is never empty; the separator before a child is the first key of the child's leftmost leaf, and
 * since nothing is taken out it stays so. Full rightmost nodes are not split in halves but followed by a new one, so
 * that ascending keys fill nodes completely. Entries and nodes never move; separators may point to an outgrown copy of
 * an entry, whose key is the same. */
#include "state/index/memtable.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

enum {
    FANOUT = 32,
    DEPTH_MAX = 16,
    CACHE_LINE_BYTES = 64,
    CHUNK_BYTES = 1024 * 1024,
    CHUNK_SHARED_BYTES_MAX = CHUNK_BYTES / 4 /* larger allocations get a chunk of their own */
};

/* The first 16 bytes of a key as one big-endian number, short keys padded with zeros. */
__extension__ typedef unsigned __int128 prefix_t;

struct memtable_chunk {
    struct memtable_chunk *next;
    uint64_t bytes;
    _Alignas(16) uint8_t data[];
};

struct memtable_node {
    uint32_t count;
    struct memtable_node *next; /* of a leaf: the leaf to the right */
    prefix_t upper;             /* of a leaf with a next: the prefix of that one's first key */
    prefix_t prefixes[FANOUT];
    struct memtable_entry *entries[FANOUT]; /* of an inner node: the separators */
    struct memtable_node *children[];       /* FANOUT + 1 in inner nodes, none in leaves */
};

static void chunks_free(struct memtable_chunk *chunk)
{
    while (chunk != NULL) {
        struct memtable_chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
}

void memtable_pool_reset(struct memtable_pool *pool, uint64_t keep_bytes)
{
    uint64_t kept = 0;
    for (struct memtable_chunk *c = pool->spare; c != NULL; c = c->next) {
        kept += c->bytes;
    }
    while (pool->used != NULL) {
        struct memtable_chunk *chunk = pool->used;
        pool->used = chunk->next;
        if (chunk->bytes == CHUNK_BYTES && kept + chunk->bytes <= keep_bytes) {
            chunk->next = pool->spare;
            pool->spare = chunk;
            kept += chunk->bytes;
        } else {
            mem_free(chunk);
        }
    }
    pool->next = NULL;
    pool->end = NULL;
    pool->bytes = 0;
}

void memtable_pool_trim(struct memtable_pool *pool)
{
    chunks_free(pool->spare);
    pool->spare = NULL;
}

void memtable_pool_release(struct memtable_pool *pool)
{
    chunks_free(pool->used);
    chunks_free(pool->spare);
    *pool = (struct memtable_pool){0};
}

static void *pool_alloc_slow(struct memtable_pool *pool, size_t bytes)
{
    bool shared = bytes <= CHUNK_SHARED_BYTES_MAX;
    struct memtable_chunk *chunk = shared ? pool->spare : NULL;
    if (chunk != NULL) {
        pool->spare = chunk->next;
    } else {
        uint64_t chunk_bytes = shared ? CHUNK_BYTES : bytes;
        chunk = mem_alloc(sizeof *chunk + chunk_bytes);
        chunk->bytes = chunk_bytes;
    }
    chunk->next = pool->used;
    pool->used = chunk;
    if (shared) {
        pool->next = chunk->data + bytes;
        pool->end = chunk->data + CHUNK_BYTES;
    }
    return chunk->data;
}

static inline void *pool_alloc(struct memtable_pool *pool, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    pool->bytes += bytes;
    if (pool->next != NULL && bytes <= (size_t)(pool->end - pool->next)) {
        void *p = pool->next;
        pool->next += bytes;
        return p;
    }
    return pool_alloc_slow(pool, bytes);
}

static inline uint64_t short_be64(const uint8_t *data, size_t len)
{
    if (len >= 4) {
        return ((uint64_t)load_be32(data) << 32) | ((uint64_t)load_be32(data + len - 4) << (8 * (8 - len)));
    }
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        v |= (uint64_t)data[i] << (56 - 8 * i);
    }
    return v;
}

static inline prefix_t prefix_of(struct bytes key)
{
    uint64_t high;
    uint64_t low = 0;
    if (key.len >= 16) {
        high = load_be64(key.data);
        low = load_be64(key.data + 8);
    } else if (key.len >= 8) {
        high = load_be64(key.data);
        size_t rest = key.len - 8;
        low = rest == 0 ? 0 : load_be64(key.data + rest) << (8 * (8 - rest));
    } else {
        high = short_be64(key.data, key.len);
    }
    return ((prefix_t)high << 64) | low;
}

/* Compares an entry's key to `key` where their prefixes are equal: up to 16 bytes, only the lengths can differ. */
static inline int entry_compare(const struct memtable_entry *e, struct bytes key)
{
    size_t shorter = e->key_len < key.len ? e->key_len : key.len;
    if (shorter > sizeof(prefix_t)) {
        int c = memcmp(e->data + sizeof(prefix_t), key.data + sizeof(prefix_t), shorter - sizeof(prefix_t));
        if (c != 0) {
            return c;
        }
    }
    return (e->key_len > key.len) - (e->key_len < key.len);
}

/* Number of prefixes below `p`, without branches that depend on the data. */
static inline uint32_t prefix_rank(const prefix_t *prefixes, uint32_t count, prefix_t p)
{
    const prefix_t *base = prefixes;
    while (count > 1) {
        uint32_t half = count / 2;
        base += base[half - 1] < p ? half : 0;
        count -= half;
    }
    return (uint32_t)(base - prefixes) + (count == 1 && *base < p ? 1 : 0);
}

/* Number of the node's keys below `key`; `*equal` tells if the next one is it. */
static inline uint32_t node_rank(const struct memtable_node *node, struct bytes key, prefix_t p, bool *equal)
{
    uint32_t low = prefix_rank(node->prefixes, node->count, p);
    uint32_t high = low;
    while (high < node->count && node->prefixes[high] == p) {
        high++;
    }
    *equal = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int c = entry_compare(node->entries[middle], key);
        if (c == 0) {
            *equal = true;
            return middle;
        }
        if (c < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static inline bool leaf_covers(const struct memtable_node *leaf, struct bytes key, prefix_t p)
{
    if (p < leaf->prefixes[0] || (p == leaf->prefixes[0] && entry_compare(leaf->entries[0], key) > 0)) {
        return false;
    }
    const struct memtable_node *next = leaf->next;
    return next == NULL || p < leaf->upper || (p == leaf->upper && entry_compare(next->entries[0], key) > 0);
}

static inline uint32_t child_idx_of(const struct memtable_node *node, struct bytes key, prefix_t p)
{
    bool equal;
    uint32_t idx = node_rank(node, key, p, &equal);
    return equal ? idx + 1 : idx;
}

/* A search in a node that is not in the processor's cache would wait for one line after the other. */
static inline void node_prefetch(const struct memtable_node *node)
{
    const char *at = (const char *)node;
    for (size_t i = 0; i < sizeof *node; i += CACHE_LINE_BYTES) {
        __builtin_prefetch(at + i);
    }
}

static struct memtable_node *leaf_descend(const struct memtable *t, struct bytes key, prefix_t p)
{
    struct memtable_node *node = t->root;
    for (uint32_t level = t->depth; level > 1; level--) {
        node = node->children[child_idx_of(node, key, p)];
        node_prefetch(node);
    }
    return node;
}

/* The leaf in which `key` is or belongs; the memtable is not empty. */
static inline struct memtable_node *leaf_of(const struct memtable *t, struct memtable_finger *finger, struct bytes key,
                                            prefix_t p)
{
    if (finger == NULL) {
        return leaf_descend(t, key, p);
    }
    if (finger->leaf == NULL || !leaf_covers(finger->leaf, key, p)) {
        finger->leaf = leaf_descend(t, key, p);
    }
    return finger->leaf;
}

static struct memtable_node *node_new(struct memtable *t, bool leaf)
{
    struct memtable_node *node =
        pool_alloc(t->pool, sizeof *node + (leaf ? 0 : (FANOUT + 1) * sizeof(struct memtable_node *)));
    node->count = 0;
    node->next = NULL;
    node->upper = 0;
    return node;
}

static inline void slots_insert(struct memtable_node *node, uint32_t idx, prefix_t p, struct memtable_entry *e)
{
    assert(node->count < FANOUT && idx <= node->count);
    memmove(node->prefixes + idx + 1, node->prefixes + idx, (node->count - idx) * sizeof node->prefixes[0]);
    memmove(node->entries + idx + 1, node->entries + idx, (node->count - idx) * sizeof node->entries[0]);
    node->prefixes[idx] = p;
    node->entries[idx] = e;
    node->count++;
}

static void slots_move(struct memtable_node *to, struct memtable_node *from, uint32_t from_idx)
{
    to->count = from->count - from_idx;
    memcpy(to->prefixes, from->prefixes + from_idx, to->count * sizeof to->prefixes[0]);
    memcpy(to->entries, from->entries + from_idx, to->count * sizeof to->entries[0]);
    from->count = from_idx;
}

/* What a split hands to the level above. */
struct separator {
    prefix_t prefix;
    struct memtable_entry *entry;
    struct memtable_node *right;
};

/* Puts the entry into a full leaf by splitting it. */
static struct separator leaf_split(struct memtable *t, struct memtable_node *leaf, uint32_t idx, prefix_t p,
                                   struct memtable_entry *e)
{
    struct memtable_node *right = node_new(t, true);
    right->next = leaf->next;
    leaf->next = right;
    if (right->next == NULL && idx == leaf->count) {
        slots_insert(right, 0, p, e);
    } else {
        slots_move(right, leaf, FANOUT / 2);
        if (idx <= leaf->count) {
            slots_insert(leaf, idx, p, e);
        } else {
            slots_insert(right, idx - leaf->count, p, e);
        }
    }
    right->upper = leaf->upper;
    leaf->upper = right->prefixes[0];
    return (struct separator){.prefix = right->prefixes[0], .entry = right->entries[0], .right = right};
}

static void inner_insert(struct memtable_node *node, uint32_t idx, struct separator s)
{
    memmove(node->children + idx + 2, node->children + idx + 1, (node->count - idx) * sizeof node->children[0]);
    slots_insert(node, idx, s.prefix, s.entry);
    node->children[idx + 1] = s.right;
}

/* Puts the separator into a full inner node by splitting it; the middle separator moves up. */
static struct separator inner_split(struct memtable *t, struct memtable_node *node, uint32_t idx, struct separator s)
{
    struct memtable_node *right = node_new(t, false);
    if (idx == node->count) {
        right->children[0] = s.right;
        s.right = right;
        return s;
    }
    uint32_t middle = FANOUT / 2;
    struct separator up = {.prefix = node->prefixes[middle], .entry = node->entries[middle], .right = right};
    memcpy(right->children, node->children + middle + 1, (node->count - middle) * sizeof right->children[0]);
    slots_move(right, node, middle + 1);
    node->count = middle;
    if (idx <= middle) {
        inner_insert(node, idx, s);
    } else {
        inner_insert(right, idx - middle - 1, s);
    }
    return up;
}

/* Inserts where the leaf may be full. */
static void insert_slow(struct memtable *t, struct memtable_finger *finger, struct bytes key, prefix_t p,
                        struct memtable_entry *e)
{
    struct memtable_node *path[DEPTH_MAX];
    uint32_t path_idx[DEPTH_MAX];
    struct memtable_node *node = t->root;
    for (uint32_t level = t->depth; level > 1; level--) {
        path[level] = node;
        path_idx[level] = child_idx_of(node, key, p);
        node = node->children[path_idx[level]];
    }
    bool equal;
    uint32_t idx = node_rank(node, key, p, &equal);
    assert(!equal);
    struct separator s = leaf_split(t, node, idx, p, e);
    finger->leaf = leaf_covers(s.right, key, p) ? s.right : node;
    for (uint32_t level = 2; level <= t->depth; level++) {
        if (path[level]->count < FANOUT) {
            inner_insert(path[level], path_idx[level], s);
            return;
        }
        s = inner_split(t, path[level], path_idx[level], s);
    }
    struct memtable_node *root = node_new(t, false);
    root->children[0] = t->root;
    inner_insert(root, 0, s);
    t->root = root;
    t->depth++;
    assert(t->depth < DEPTH_MAX);
}

static struct memtable_entry *entry_new(struct memtable *t, struct bytes key, size_t value_capacity)
{
    size_t bytes = (sizeof(struct memtable_entry) + key.len + value_capacity + 15) & ~(size_t)15;
    struct memtable_entry *e = pool_alloc(t->pool, bytes);
    e->key_len = (uint32_t)key.len;
    e->value_capacity = (uint32_t)(bytes - sizeof *e - key.len);
    if (key.len > 0) {
        memcpy(e->data, key.data, key.len);
    }
    return e;
}

static inline void entry_set_value(struct memtable_entry *e, struct bytes value)
{
    assert(value.len <= e->value_capacity);
    if (value.len > 0) {
        memmove(e->data + e->key_len, value.data, value.len);
    }
    e->value_len = (uint32_t)value.len;
}

static void entry_insert(struct memtable *t, struct memtable_finger *finger, struct bytes key, prefix_t p,
                         struct memtable_entry *e, uint32_t idx)
{
    t->entry_count++;
    if (t->root == NULL) {
        t->root = node_new(t, true);
        t->depth = 1;
        slots_insert(t->root, 0, p, e);
        finger->leaf = t->root;
    } else if (finger->leaf->count < FANOUT) {
        slots_insert(finger->leaf, idx, p, e);
    } else {
        insert_slow(t, finger, key, p, e);
    }
}

bool memtable_put(struct memtable *t, struct memtable_finger *finger, struct bytes key, struct bytes value)
{
    prefix_t p = prefix_of(key);
    uint32_t idx = 0;
    if (t->root != NULL) {
        struct memtable_node *leaf = leaf_of(t, finger, key, p);
        bool equal;
        idx = node_rank(leaf, key, p, &equal);
        if (equal) {
            struct memtable_entry *e = leaf->entries[idx];
            if (value.len > e->value_capacity) {
                /* Growing values get slack, so that one growing step by step does not fill the pool. */
                e = entry_new(t, key, value.len + value.len / 4);
                leaf->entries[idx] = e;
            }
            entry_set_value(e, value);
            return false;
        }
    }
    struct memtable_entry *e = entry_new(t, key, value.len);
    entry_set_value(e, value);
    entry_insert(t, finger, key, p, e, idx);
    return true;
}

bool memtable_delete(struct memtable *t, struct memtable_finger *finger, struct bytes key)
{
    prefix_t p = prefix_of(key);
    uint32_t idx = 0;
    if (t->root != NULL) {
        struct memtable_node *leaf = leaf_of(t, finger, key, p);
        bool equal;
        idx = node_rank(leaf, key, p, &equal);
        if (equal) {
            leaf->entries[idx]->value_len = (uint32_t)MEMTABLE_TOMBSTONE;
            return false;
        }
    }
    struct memtable_entry *e = entry_new(t, key, 0);
    e->value_len = (uint32_t)MEMTABLE_TOMBSTONE;
    entry_insert(t, finger, key, p, e, idx);
    return true;
}

const struct memtable_entry *memtable_find(const struct memtable *t, struct memtable_finger *finger, struct bytes key)
{
    if (t->root == NULL) {
        return NULL;
    }
    prefix_t p = prefix_of(key);
    const struct memtable_node *leaf = leaf_of(t, finger, key, p);
    bool equal;
    uint32_t idx = node_rank(leaf, key, p, &equal);
    return equal ? leaf->entries[idx] : NULL;
}

struct memtable_iter memtable_seek(const struct memtable *t, struct memtable_finger *finger, struct bytes key)
{
    struct memtable_iter it = {0};
    if (t->root == NULL) {
        return it;
    }
    prefix_t p = prefix_of(key);
    it.leaf = leaf_of(t, finger, key, p);
    bool equal;
    it.slot_idx = node_rank(it.leaf, key, p, &equal);
    if (it.slot_idx == it.leaf->count) {
        it.leaf = it.leaf->next;
        it.slot_idx = 0;
    }
    return it;
}

const struct memtable_entry *memtable_iter_entry(const struct memtable_iter *it)
{
    return it->leaf == NULL ? NULL : it->leaf->entries[it->slot_idx];
}

void memtable_iter_step(struct memtable_iter *it)
{
    assert(it->leaf != NULL);
    it->slot_idx++;
    if (it->slot_idx == it->leaf->count) {
        it->leaf = it->leaf->next;
        it->slot_idx = 0;
    }
}
