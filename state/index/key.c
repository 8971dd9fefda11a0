/* See key.h for the bytes. A short key never equals a long one since their lengths differ; a short key that equals the
 * prefix of a long one sorts before it, as it should. */
#include "state/index/key.h"

#include "base/checksum.h"
#include "state/index/env.h"

#include <string.h>

_Static_assert(KEY_STORED_BYTES_MAX == KEY_PREFIX_BYTES + 1 + 16, "prefix, marker and hash");
_Static_assert((int)KEY_STORED_BYTES_MAX <= (int)ENV_KEY_BYTES_MAX, "stored keys must fit");

enum { LONG_MARKER = 1 };

void key_store(struct key_stored *out, struct bytes key)
{
    bool escaped = key.len == 0 || key.data[0] == 0;
    size_t head = escaped ? 1 : 0;
    out->is_long = key.len + head > KEY_PREFIX_BYTES;
    if (!escaped && !out->is_long) {
        out->bytes = key;
        return;
    }
    size_t copied = out->is_long ? KEY_PREFIX_BYTES - head : key.len;
    out->space[0] = 0;
    if (copied > 0) {
        memcpy(out->space + head, key.data, copied);
    }
    out->bytes = bytes_of(out->space, head + copied);
    if (out->is_long) {
        struct hash128 hash = checksum_xxh3_128(key.data, key.len);
        out->space[KEY_PREFIX_BYTES] = LONG_MARKER;
        store_le64(out->space + KEY_PREFIX_BYTES + 1, hash.low);
        store_le64(out->space + KEY_PREFIX_BYTES + 9, hash.high);
        out->bytes.len = KEY_STORED_BYTES_MAX;
    }
}

struct bytes key_beginning(struct bytes stored)
{
    size_t head = stored.len > 0 && stored.data[0] == 0 ? 1 : 0;
    size_t end = key_stored_is_long(stored) ? KEY_PREFIX_BYTES : stored.len;
    return bytes_of(stored.data + head, end - head);
}

enum status key_load(struct bytes stored_key, struct bytes stored_value, struct bytes *key, struct bytes *value,
                     struct error *err)
{
    if (!key_stored_is_long(stored_key)) {
        *key = key_beginning(stored_key);
        *value = stored_value;
        return STATUS_OK;
    }
    size_t len = stored_value.len < KEY_VALUE_HEAD_BYTES ? SIZE_MAX : load_le32(stored_value.data);
    if (len > stored_value.len - KEY_VALUE_HEAD_BYTES || len < KEY_PREFIX_BYTES) {
        return error_set(err, STATUS_CORRUPT, 0, "could not read an entry with a long key: its lengths do not fit");
    }
    *key = bytes_of(stored_value.data + KEY_VALUE_HEAD_BYTES, len);
    *value = bytes_of(key->data + len, stored_value.len - KEY_VALUE_HEAD_BYTES - len);
    return STATUS_OK;
}

void key_value_pack(struct buffer *out, struct bytes key, struct bytes value)
{
    buffer_reset(out);
    store_le32(buffer_reserve(out, KEY_VALUE_HEAD_BYTES), (uint32_t)key.len);
    out->len += KEY_VALUE_HEAD_BYTES;
    buffer_append(out, key.data, key.len);
    buffer_append(out, value.data, value.len);
}
