/* Writes frozen memtables into the checkpoint's transaction, in key order. Runs on the checkpoint thread and touches
 * nothing but the job and frozen memtables, which nobody changes. */
#include "state/index/inner.h"
#include "state/index/key.h"

#include <stdlib.h>

struct flush {
    struct env_txn *txn;
    struct env_cursor *cursor;
    unsigned number;
    bool none;              /* the map is empty */
    struct buffer greatest; /* stored key of the last entry, where not none */
    struct buffer packed;
};

static enum status greatest_load(struct flush *f, struct error *err)
{
    struct bytes key = {0};
    struct bytes value = {0};
    enum status st = env_cursor_last(f->cursor, &key, &value, err);
    f->none = st == STATUS_END;
    if (st == STATUS_OK) {
        buffer_reset(&f->greatest);
        buffer_append(&f->greatest, key.data, key.len);
    }
    return st == STATUS_END ? STATUS_OK : st;
}

/* Two long keys of one hash cannot both be stored; better to stop than to mix them up. */
static enum status long_key_check(struct flush *f, const struct key_stored *stored, struct bytes key, struct error *err)
{
    struct bytes there = {0};
    enum status st = env_get(f->txn, f->number, stored->bytes, &there, err);
    if (st == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(st);
    struct bytes full = {0};
    struct bytes value = {0};
    TRY(key_load(stored->bytes, there, &full, &value, err));
    if (!bytes_equal(full, key)) {
        return error_set(err, STATUS_UNSUPPORTED, 0,
                         "could not write an entry: two keys of %zu and %zu bytes have the same 128-bit hash", full.len,
                         key.len);
    }
    return STATUS_OK;
}

static enum status entry_flush(struct flush *f, const struct memtable_entry *e, struct error *err)
{
    struct bytes key = memtable_entry_key(e);
    struct key_stored stored;
    key_store(&stored, key);
    bool append = f->none || bytes_compare(stored.bytes, buffer_bytes(&f->greatest)) > 0;
    bool tombstone = memtable_entry_is_tombstone(e);
    if (append && tombstone) {
        return STATUS_OK;
    }
    if (stored.is_long && !append) {
        TRY(long_key_check(f, &stored, key, err));
    }
    if (tombstone) {
        return env_delete(f->txn, f->number, stored.bytes, err);
    }
    struct bytes value = memtable_entry_value(e);
    if (stored.is_long) {
        key_value_pack(&f->packed, key, value);
        value = buffer_bytes(&f->packed);
    }
    TRY(env_cursor_put(f->cursor, stored.bytes, value, append, err));
    if (append) {
        f->none = false;
        buffer_reset(&f->greatest);
        buffer_append(&f->greatest, stored.bytes.data, stored.bytes.len);
    }
    return STATUS_OK;
}

static enum status item_flush(struct flush *f, struct checkpoint_item *item, struct error *err)
{
    char name[INDEX_MAP_NAME_BYTES];
    if (item->number == ENV_MAP_NONE) {
        index_map_stored_name(item->name, name);
        TRY(env_map_open(f->txn, name, true, &item->number, err));
    }
    if (item->cleared) {
        TRY(env_map_clear(f->txn, item->number, err));
    }
    f->number = item->number;
    enum status st;
    TRY_GOTO(done, env_cursor_open(f->txn, f->number, &f->cursor, err));
    TRY_GOTO(done, greatest_load(f, err));
    struct memtable_iter it = memtable_seek(&item->frozen, NULL, bytes_of(NULL, 0));
    const struct memtable_entry *e;
    while ((e = memtable_iter_entry(&it)) != NULL) {
        TRY_GOTO(done, entry_flush(f, e, err));
        memtable_iter_step(&it);
    }
    TRY_GOTO(done, index_greatest_read(&item->greatest, f->txn, f->number, err));
done:
    env_cursor_close(f->cursor);
    f->cursor = NULL;
    return st;
}

enum status flush_items(struct checkpoint *cp, struct error *err)
{
    struct flush f = {.txn = cp->txn};
    enum status st = STATUS_OK;
    for (size_t i = 0; i < cp->item_count; i++) {
        struct checkpoint_item *item = &cp->items[i];
        st = item_flush(&f, item, err);
        if (st != STATUS_OK) {
            if (st != STATUS_RETRY) {
                error_prefix(err, "map %s", item->name);
            }
            goto done;
        }
    }
    if (cp->kind == CHECKPOINT_COMMIT) {
        if (cp->meta_number == ENV_MAP_NONE) {
            TRY_GOTO(done, env_map_open(cp->txn, index_meta_name, true, &cp->meta_number, err));
        }
        TRY_GOTO(done, index_meta_write(cp->txn, cp->meta_number, &cp->mark, err));
    }
done:
    buffer_release(&f.greatest);
    buffer_release(&f.packed);
    return st;
}
