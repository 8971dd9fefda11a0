/* Checksums of stored bytes: XXH3 of libxxhash (xxhash.h is included by checksum.c alone). */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t low;
    uint64_t high;
};

/* Stable across machines and versions: XXH3 is frozen since libxxhash 0.8.0. @thread any */
uint64_t checksum_xxh3(const void *data, size_t bytes);
uint64_t checksum_xxh3_seeded(const void *data, size_t bytes, uint64_t seed);
struct hash128 checksum_xxh3_128(const void *data, size_t bytes);

#endif
