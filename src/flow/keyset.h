/* Keys, numbered from 0 in the order in which they first came: for what a run looks up as its changes stream by, and
 * keeps in an array beside. Reset keeps the memory. */
#ifndef FLOW_KEYSET_H
#define FLOW_KEYSET_H

#include "base/bytes.h"

#include <stdint.h>

struct keyset_key {
    uint32_t offset; /* of the bytes in `bytes` */
    uint32_t len;
};

/* Zero-initialised is valid and empty. */
struct keyset {
    struct buffer bytes;
    struct keyset_key *keys;
    size_t count;
    size_t capacity;
    uint64_t *slots; /* hash << 32 | number + 1, 0 = free: most misses are seen without touching a key */
    size_t mask;
};

void keyset_reset(struct keyset *s);
void keyset_release(struct keyset *s);
/* The key's number; a new key has the number that was `count`. */
uint32_t keyset_add(struct keyset *s, struct bytes key);

/* Borrowed until the next keyset_add. */
static inline struct bytes keyset_key(const struct keyset *s, size_t number)
{
    return bytes_of(s->bytes.data + s->keys[number].offset, s->keys[number].len);
}

#endif
