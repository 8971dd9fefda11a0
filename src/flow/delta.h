/* What one run did to a map of rows with weights: byte strings with weights, sorted, netted, and grouped by their
 * beginnings. So each entry of the map is read and written once a run; and since the map is ordered too, the run walks
 * it from one end to the other instead of searching all over it. Reset keeps the memory. */
#ifndef FLOW_DELTA_H
#define FLOW_DELTA_H

#include "base/bytes.h"
#include "row/datum.h"

#include <stdint.h>

#define DELTA_NONE UINT32_MAX

struct delta_entry {
    uint32_t offset; /* of the bytes in `bytes` */
    uint32_t len;
    uint32_t prefix_len; /* bytes that make the entry's group */
    int64_t weight;
    const struct datum *row; /* the first row that had these bytes */
};

struct delta_group {
    uint32_t first; /* entry */
    uint32_t end;
};

struct delta_place;

/* Zero-initialised is valid and empty. */
struct delta {
    struct buffer bytes;
    struct delta_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    struct delta_group *groups;
    size_t group_count;
    size_t group_capacity;
    struct delta_place *places; /* scratch of the sort */
    size_t place_capacity;
};

void delta_reset(struct delta *d);
void delta_release(struct delta *d);
/* Adds an entry. Of all the keys of a run none may be the beginning of another, nor may one prefix of another. */
void delta_add(struct delta *d, struct bytes key, size_t prefix_len, int64_t weight, const struct datum *row);
/* After the last delta_add: sorts, nets, leaves out what nets to nothing, and makes the groups, which are in order. */
void delta_close(struct delta *d);

static inline struct bytes delta_entry_bytes(const struct delta *d, const struct delta_entry *e)
{
    return bytes_of(d->bytes.data + e->offset, e->len);
}
static inline struct bytes delta_group_prefix(const struct delta *d, uint32_t group)
{
    const struct delta_entry *e = &d->entries[d->groups[group].first];
    return bytes_of(d->bytes.data + e->offset, e->prefix_len);
}
/* The group's entries as a range; empty for DELTA_NONE. */
static inline struct delta_group delta_range(const struct delta *d, uint32_t group)
{
    return group == DELTA_NONE ? (struct delta_group){0} : d->groups[group];
}
/* The weight of exactly these bytes in this group, 0 where they are not there or the group is DELTA_NONE. */
int64_t delta_weight(const struct delta *d, uint32_t group, struct bytes key);

#endif
