/* Entries, first in, first out, and their items behind one another. What was dropped in front is moved over now and
 * then; an empty list lets go of what a burst has made it. */
#include "ingest/kafka.h"

#include "base/memory.h"

#include <string.h>

enum { COMPACT_BYTES = 1024 * 1024, KEEP_BYTES_MAX = 8 * 1024 * 1024, COMPACT_ENTRIES = 1024 };

struct kafka_entry *kafka_list_at(struct kafka_list *l, size_t i)
{
    return &l->entries[l->first + i];
}

size_t kafka_list_count(const struct kafka_list *l)
{
    return l->end - l->first;
}

struct bytes kafka_list_items(const struct kafka_list *l, const struct kafka_entry *e)
{
    return bytes_of(l->items.data + (e->items_at - l->items_base), e->items_len);
}

size_t kafka_list_bytes(const struct kafka_list *l)
{
    return l->items.len - l->items_first + kafka_list_count(l) * sizeof *l->entries;
}

void kafka_list_release(struct kafka_list *l)
{
    mem_free(l->entries);
    buffer_release(&l->items);
    *l = (struct kafka_list){0};
}

static void empty_list(struct kafka_list *l)
{
    l->first = 0;
    l->end = 0;
    l->items_base += l->items.len;
    l->items_first = 0;
    buffer_reset(&l->items);
    if (l->items.capacity > KEEP_BYTES_MAX) {
        buffer_release(&l->items);
    }
    if (l->capacity * sizeof *l->entries > KEEP_BYTES_MAX) {
        mem_free(l->entries);
        l->entries = NULL;
        l->capacity = 0;
    }
}

void kafka_list_add(struct kafka_list *l, const struct kafka_entry *e)
{
    if (l->end == l->capacity) {
        mem_grow(&l->entries, &l->capacity, l->end + 1, sizeof *l->entries);
    }
    l->entries[l->end] = *e;
    l->end += 1;
}

void kafka_list_drop(struct kafka_list *l, size_t count)
{
    l->first += count;
    if (l->first == l->end) {
        empty_list(l);
        return;
    }
    l->items_first = (size_t)(l->entries[l->first].items_at - l->items_base);
    if (l->first > COMPACT_ENTRIES && l->first > l->end / 2) {
        memmove(l->entries, l->entries + l->first, (l->end - l->first) * sizeof *l->entries);
        l->end -= l->first;
        l->first = 0;
    }
    if (l->items_first > COMPACT_BYTES && l->items_first > l->items.len / 2) {
        memmove(l->items.data, l->items.data + l->items_first, l->items.len - l->items_first);
        l->items.len -= l->items_first;
        l->items_base += l->items_first;
        l->items_first = 0;
    }
}
