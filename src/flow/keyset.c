#include "flow/keyset.h"

#include "base/memory.h"
#include "flow/hash.h"

#include <string.h>

enum { SLOTS_MIN = 64, SLOTS_KEPT_MAX = 1 << 19 };

void keyset_reset(struct keyset *s)
{
    if (s->count > 0) {
        if (s->mask + 1 > SLOTS_KEPT_MAX) { /* a giant run must not make every later one clear a giant table */
            mem_free(s->slots);
            s->slots = NULL;
            s->mask = 0;
        } else {
            memset(s->slots, 0, (s->mask + 1) * sizeof *s->slots);
        }
    }
    buffer_reset(&s->bytes);
    s->count = 0;
}

void keyset_release(struct keyset *s)
{
    buffer_release(&s->bytes);
    mem_free(s->keys);
    mem_free(s->slots);
    *s = (struct keyset){0};
}

/* Doubles the table; the hashes in the old slots are enough. */
static void grow(struct keyset *s)
{
    uint64_t *old = s->slots;
    size_t old_count = old == NULL ? 0 : s->mask + 1;
    size_t count = old == NULL ? SLOTS_MIN : old_count * 2;
    s->slots = mem_zalloc(count * sizeof *s->slots);
    s->mask = count - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] != 0) {
            size_t at = (old[i] >> 32) & s->mask;
            while (s->slots[at] != 0) {
                at = (at + 1) & s->mask;
            }
            s->slots[at] = old[i];
        }
    }
    mem_free(old);
}

uint32_t keyset_add(struct keyset *s, struct bytes key)
{
    if (s->slots == NULL || s->count * 2 > s->mask) {
        grow(s);
    }
    uint32_t hash = key_hash(key);
    size_t at = hash & s->mask;
    for (; s->slots[at] != 0; at = (at + 1) & s->mask) {
        uint32_t known = (uint32_t)s->slots[at] - 1;
        if (s->slots[at] >> 32 == hash && bytes_equal(keyset_key(s, known), key)) {
            return known;
        }
    }
    mem_grow(&s->keys, &s->capacity, s->count + 1, sizeof *s->keys);
    s->keys[s->count] = (struct keyset_key){.offset = (uint32_t)s->bytes.len, .len = (uint32_t)key.len};
    buffer_append(&s->bytes, key.data, key.len);
    s->count += 1;
    s->slots[at] = (uint64_t)hash << 32 | s->count;
    return (uint32_t)s->count - 1;
}
