/* The hash of keys in this room's tables, which live for one run. Keys that differ only in the low half of their last
 * byte get neighbouring numbers: ids that were given out one after another, as a source's inserts have, share cache
 * lines of a table. All other bits are mixed, so ids with a stride do not pile up. Nothing that is stored or shown
 * depends on it. */
#ifndef FLOW_HASH_H
#define FLOW_HASH_H

#include "base/bytes.h"
#include "base/checksum.h"

static inline uint32_t key_hash(struct bytes key)
{
    if (key.len == 0) {
        return 0;
    }
    size_t head = key.len - 1;
    uint64_t last = key.data[head];
    uint64_t h;
    if (head > 8) {
        h = checksum_xxh3(key.data, head);
    } else if (head >= 4) {
        h = (uint64_t)load_le32(key.data) << 32 | load_le32(key.data + head - 4);
    } else {
        h = head == 0 ? 0 : key.data[0] | (uint64_t)key.data[head / 2] << 8 | (uint64_t)key.data[head - 1] << 16;
    }
    h = (h ^ ((last >> 4) << 56) ^ key.len) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return ((uint32_t)(h >> 32) & ~UINT32_C(15)) | (uint32_t)(last & 15);
}

#endif
