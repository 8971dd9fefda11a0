/* What could not be decoded (a QUARANTINE item of the log) or applied (found while folding). Map "quarantine": seq
 * (be64), ordinal (be64) -> origin, reason (str), raw (bin), packed. A function of the log, like all state. */
#include "flow/inner.h"

#include "row/packed.h"

enum { KEY_BYTES = 16 };

enum status quarantine_add(struct flow *f, struct bytes origin, struct bytes reason, struct bytes raw,
                           struct error *err)
{
    uint8_t key[KEY_BYTES];
    store_be64(key, f->seq);
    store_be64(key + 8, f->ordinal);
    buffer_reset(&f->value);
    packed_append_str(&f->value, origin);
    packed_append_str(&f->value, reason);
    packed_append_bin(&f->value, raw);
    f->quarantined += 1;
    return store_put(f->quarantine, bytes_of(key, sizeof key), buffer_bytes(&f->value), err);
}

static enum status read_entry(struct bytes key, struct bytes value, struct quarantine_entry *out, struct error *err)
{
    if (key.len != KEY_BYTES) {
        return error_set(err, STATUS_CORRUPT, 0, "map \"quarantine\" holds a broken key");
    }
    struct packed_reader r = packed_reader_of(value);
    out->seq = load_be64(key.data);
    out->ordinal = load_be64(key.data + 8);
    TRY(packed_read_str(&r, &out->origin, err));
    TRY(packed_read_str(&r, &out->reason, err));
    return packed_read_bin(&r, &out->raw, err);
}

enum status quarantine_entries(struct store *store, int (*visit)(void *ctx, const struct quarantine_entry *entry),
                               void *ctx, struct error *err)
{
    struct store_map *map;
    enum status st = store_map_open(store, "quarantine", &map, err);
    if (st != STATUS_OK) {
        return st == STATUS_NOT_FOUND ? STATUS_OK : st;
    }
    struct store_cursor *cursor;
    TRY(store_cursor_open(map, &cursor, err));
    st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        struct quarantine_entry entry;
        st = store_cursor_next(cursor, &key, &value, err);
        st = st == STATUS_OK ? read_entry(key, value, &entry, err) : st;
        if (st == STATUS_OK && visit(ctx, &entry) != 0) {
            break;
        }
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}
