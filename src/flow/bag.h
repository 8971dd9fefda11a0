/* A bag: byte strings with weights, netted, in the order in which they first came. What one run did to an arrangement,
 * a view or an ordered map is gathered in one, so that each entry of a map is read and written once a run. Reset keeps
 * the memory. */
#ifndef FLOW_BAG_H
#define FLOW_BAG_H

#include "base/bytes.h"
#include "row/datum.h"

#include <stdint.h>

#define BAG_NONE UINT32_MAX

struct bag_entry {
    uint32_t offset; /* of the bytes in `bytes` */
    uint32_t len;
    uint32_t prefix_len; /* bytes that make the entry's group */
    uint32_t next;       /* entry of the same group, BAG_NONE = last */
    int64_t weight;
    const struct datum *row; /* the first row that had these bytes */
};

struct bag_group {
    uint32_t first;
    uint32_t last;
};

struct bag {
    struct buffer bytes;
    struct bag_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    struct bag_group *groups;
    size_t group_count;
    size_t group_capacity;
    uint64_t *entry_slots; /* hash << 32 | index + 1, 0 = free: most misses are seen without touching an entry */
    uint64_t *group_slots;
    size_t entry_mask;
    size_t group_mask;
};

void bag_reset(struct bag *b);
void bag_release(struct bag *b);
/* Adds `weight` to the entry whose bytes are `key`; the first `prefix_len` of them are its group. Returns the entry's
 * index: entries are numbered from 0 as they come. */
uint32_t bag_add(struct bag *b, struct bytes key, size_t prefix_len, int64_t weight, const struct datum *row);
/* The group with this prefix, BAG_NONE where there is none. */
uint32_t bag_find_group(const struct bag *b, struct bytes prefix);
/* True where some entry of the group has a weight left; false for BAG_NONE. */
bool bag_group_is_touched(const struct bag *b, uint32_t group);
/* The weight of exactly these bytes in this run, 0 where they did not come. */
int64_t bag_weight(const struct bag *b, struct bytes key);

static inline struct bytes bag_entry_bytes(const struct bag *b, const struct bag_entry *e)
{
    return bytes_of(b->bytes.data + e->offset, e->len);
}
static inline struct bytes bag_group_prefix(const struct bag *b, uint32_t group)
{
    const struct bag_entry *e = &b->entries[b->groups[group].first];
    return bytes_of(b->bytes.data + e->offset, e->prefix_len);
}

#endif
