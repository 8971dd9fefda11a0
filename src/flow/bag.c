#include "flow/bag.h"

#include "base/memory.h"
#include "flow/hash.h"

#include <assert.h>
#include <string.h>

enum { SLOTS_MIN = 64, SLOTS_KEPT_MAX = 1 << 19 };

void bag_reset(struct bag *b)
{
    if (b->entry_count > 0) {
        if (b->entry_mask + 1 > SLOTS_KEPT_MAX) { /* a giant run must not make every later one clear giant tables */
            mem_free(b->entry_slots);
            mem_free(b->group_slots);
            b->entry_slots = NULL;
            b->group_slots = NULL;
            b->entry_mask = 0;
            b->group_mask = 0;
        } else {
            memset(b->entry_slots, 0, (b->entry_mask + 1) * sizeof *b->entry_slots);
            memset(b->group_slots, 0, (b->group_mask + 1) * sizeof *b->group_slots);
        }
    }
    buffer_reset(&b->bytes);
    b->entry_count = 0;
    b->group_count = 0;
}

void bag_release(struct bag *b)
{
    buffer_release(&b->bytes);
    mem_free(b->entries);
    mem_free(b->groups);
    mem_free(b->entry_slots);
    mem_free(b->group_slots);
    *b = (struct bag){0};
}

static uint64_t slot_of(uint32_t hash, size_t idx)
{
    return (uint64_t)hash << 32 | (uint32_t)(idx + 1);
}

static uint32_t slot_idx(uint64_t slot)
{
    return (uint32_t)slot - 1;
}

/* Doubles a table of slots; the hashes in the old ones are enough. */
static void grow(uint64_t **slots, size_t *mask)
{
    uint64_t *old = *slots;
    size_t old_count = old == NULL ? 0 : *mask + 1;
    size_t count = old == NULL ? SLOTS_MIN : old_count * 2;
    *slots = mem_zalloc(count * sizeof **slots);
    *mask = count - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] != 0) {
            size_t at = (old[i] >> 32) & *mask;
            while ((*slots)[at] != 0) {
                at = (at + 1) & *mask;
            }
            (*slots)[at] = old[i];
        }
    }
    mem_free(old);
}

/* The slot of the group with this prefix, or the free one where it belongs. */
static size_t group_slot(const struct bag *b, struct bytes prefix, uint32_t hash)
{
    size_t at = hash & b->group_mask;
    while (b->group_slots[at] != 0) {
        uint64_t slot = b->group_slots[at];
        if (slot >> 32 == hash && key_equal(bag_group_prefix(b, slot_idx(slot)), prefix)) {
            break;
        }
        at = (at + 1) & b->group_mask;
    }
    return at;
}

static size_t entry_slot(const struct bag *b, struct bytes key, uint32_t hash)
{
    size_t at = hash & b->entry_mask;
    while (b->entry_slots[at] != 0) {
        uint64_t slot = b->entry_slots[at];
        if (slot >> 32 == hash && key_equal(bag_entry_bytes(b, &b->entries[slot_idx(slot)]), key)) {
            break;
        }
        at = (at + 1) & b->entry_mask;
    }
    return at;
}

static void add_to_group(struct bag *b, uint32_t entry, struct bytes prefix)
{
    if (b->group_slots == NULL || b->group_count * 2 > b->group_mask) {
        grow(&b->group_slots, &b->group_mask);
    }
    uint32_t hash = key_hash(prefix);
    size_t at = group_slot(b, prefix, hash);
    if (b->group_slots[at] != 0) {
        struct bag_group *g = &b->groups[slot_idx(b->group_slots[at])];
        b->entries[g->last].next = entry;
        g->last = entry;
        return;
    }
    mem_grow(&b->groups, &b->group_capacity, b->group_count + 1, sizeof *b->groups);
    b->groups[b->group_count] = (struct bag_group){.first = entry, .last = entry};
    b->group_slots[at] = slot_of(hash, b->group_count);
    b->group_count += 1;
}

uint32_t bag_add(struct bag *b, struct bytes key, size_t prefix_len, int64_t weight, const struct datum *row)
{
    assert(prefix_len <= key.len);
    if (b->entry_slots == NULL || b->entry_count * 2 > b->entry_mask) {
        grow(&b->entry_slots, &b->entry_mask);
    }
    uint32_t hash = key_hash(key);
    size_t at = entry_slot(b, key, hash);
    if (b->entry_slots[at] != 0) {
        uint32_t known = slot_idx(b->entry_slots[at]);
        b->entries[known].weight += weight;
        return known;
    }
    mem_grow(&b->entries, &b->entry_capacity, b->entry_count + 1, sizeof *b->entries);
    uint32_t idx = (uint32_t)b->entry_count;
    b->entries[idx] = (struct bag_entry){.offset = (uint32_t)b->bytes.len,
                                         .len = (uint32_t)key.len,
                                         .prefix_len = (uint32_t)prefix_len,
                                         .next = BAG_NONE,
                                         .weight = weight,
                                         .row = row};
    buffer_append(&b->bytes, key.data, key.len);
    b->entry_count += 1;
    b->entry_slots[at] = slot_of(hash, idx);
    add_to_group(b, idx, bytes_of(b->bytes.data + b->entries[idx].offset, prefix_len));
    return idx;
}

uint32_t bag_find_group(const struct bag *b, struct bytes prefix)
{
    if (b->group_count == 0) {
        return BAG_NONE;
    }
    uint64_t slot = b->group_slots[group_slot(b, prefix, key_hash(prefix))];
    return slot == 0 ? BAG_NONE : slot_idx(slot);
}

int64_t bag_weight(const struct bag *b, struct bytes key)
{
    if (b->entry_count == 0) {
        return 0;
    }
    uint64_t slot = b->entry_slots[entry_slot(b, key, key_hash(key))];
    return slot == 0 ? 0 : b->entries[slot_idx(slot)].weight;
}

bool bag_group_is_touched(const struct bag *b, uint32_t group)
{
    for (uint32_t i = group == BAG_NONE ? BAG_NONE : b->groups[group].first; i != BAG_NONE; i = b->entries[i].next) {
        if (b->entries[i].weight != 0) {
            return true;
        }
    }
    return false;
}
