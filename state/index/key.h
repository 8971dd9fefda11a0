/* How keys of any length are stored under LMDB's 511 bytes, in an order that differs from that of the full keys only
 * among long keys with the same beginning. */
#ifndef STATE_INDEX_KEY_H
#define STATE_INDEX_KEY_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Stored keys
 *   escaped key  the key, after one more zero byte where it is empty or begins with one (LMDB has no empty keys)
 *   short        0..len    escaped key of up to 494 bytes
 *   long         0..494    first bytes of the escaped key, 494 one byte 0x01, 495..511 XXH3-128 of the full key,
 *                          low then high half, little-endian; only long keys are 511 bytes
 * Stored values
 *   short        the value
 *   long         0..4 bytes of the full key, little-endian, then the full key, then the value */
enum { KEY_PREFIX_BYTES = 494, KEY_STORED_BYTES_MAX = 511, KEY_VALUE_HEAD_BYTES = 4 };

struct key_stored {
    struct bytes bytes; /* into the caller's key or into `space` */
    bool is_long;
    uint8_t space[KEY_STORED_BYTES_MAX];
};

/* `out->bytes` lives as long as `out` and `key` do. */
void key_store(struct key_stored *out, struct bytes key);
static inline bool key_stored_is_long(struct bytes stored)
{
    return stored.len == KEY_STORED_BYTES_MAX;
}
/* Full key and value of a stored entry, borrowed from it. STATUS_CORRUPT where it cannot be one. */
enum status key_load(struct bytes stored_key, struct bytes stored_value, struct bytes *key, struct bytes *value,
                     struct error *err);
/* Makes the stored value of a long key. */
void key_value_pack(struct buffer *out, struct bytes key, struct bytes value);
/* The beginning of the full key that a stored key shows: all of it where it is short. */
struct bytes key_beginning(struct bytes stored);

#endif
