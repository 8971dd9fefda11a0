/* Invariant: the LMDB cursor is at the entry handed out, or at the pending one behind the group that is handed out. */
#include "state/index/scan.h"

#include "base/memory.h"
#include "state/index/key.h"

#include <stdlib.h>
#include <string.h>

static int entry_order(const void *a, const void *b)
{
    const struct scan_entry *left = a;
    const struct scan_entry *right = b;
    return bytes_compare(left->key, right->key);
}

/* Gathers all long keys that share the stored prefix of `first` and sorts them. */
static enum status group_gather(struct scan *s, struct scan_entry first, struct error *err)
{
    struct scan_entry stored = first;
    s->group_count = 0;
    s->group_idx = 0;
    enum status st = STATUS_OK;
    while (st == STATUS_OK && key_stored_is_long(stored.key) &&
           memcmp(stored.key.data, first.key.data, KEY_PREFIX_BYTES) == 0) {
        mem_grow(&s->group, &s->group_capacity, s->group_count + 1, sizeof s->group[0]);
        struct scan_entry *e = &s->group[s->group_count++];
        TRY(key_load(stored.key, stored.value, &e->key, &e->value, err));
        st = env_cursor_next(s->cursor, &stored.key, &stored.value, err);
    }
    if (st != STATUS_OK && st != STATUS_END) {
        return st;
    }
    s->has_pending = st == STATUS_OK;
    s->pending = stored;
    qsort(s->group, s->group_count, sizeof s->group[0], entry_order);
    return STATUS_OK;
}

/* Shows the stored entry, or the first of its group. */
static enum status entry_show(struct scan *s, struct scan_entry stored, struct error *err)
{
    s->has_pending = false;
    s->group_count = 0;
    s->valid = true;
    if (!key_stored_is_long(stored.key)) {
        return key_load(stored.key, stored.value, &s->entry.key, &s->entry.value, err);
    }
    TRY(group_gather(s, stored, err));
    s->entry = s->group[0];
    return STATUS_OK;
}

enum status scan_step(struct scan *s, struct error *err)
{
    if (s->group_count > 0) {
        s->group_idx++;
        if (s->group_idx < s->group_count) {
            s->entry = s->group[s->group_idx];
            return STATUS_OK;
        }
        s->group_count = 0;
        if (s->has_pending) {
            return entry_show(s, s->pending, err);
        }
        s->valid = false;
        return STATUS_OK;
    }
    struct scan_entry stored = {0};
    enum status st = env_cursor_next(s->cursor, &stored.key, &stored.value, err);
    if (st == STATUS_OK) {
        return entry_show(s, stored, err);
    }
    s->valid = false;
    return st == STATUS_END ? STATUS_OK : st;
}

enum status scan_seek(struct scan *s, struct env_txn *txn, unsigned map, struct bytes key, struct error *err)
{
    if (s->cursor == NULL) {
        TRY(env_cursor_open(txn, map, &s->cursor, err));
    }
    struct key_stored sought;
    key_store(&sought, key);
    if (sought.is_long) {
        /* Within the group the stored order is not that of the full keys, so go to its beginning. */
        sought.bytes.len = KEY_PREFIX_BYTES;
    }
    s->valid = false;
    struct scan_entry stored = {0};
    enum status st = env_cursor_seek(s->cursor, sought.bytes, &stored.key, &stored.value, err);
    if (st != STATUS_OK) {
        return st == STATUS_END ? STATUS_OK : st;
    }
    TRY(entry_show(s, stored, err));
    while (sought.is_long && s->valid && bytes_compare(s->entry.key, key) < 0) {
        TRY(scan_step(s, err));
    }
    return STATUS_OK;
}

void scan_detach(struct scan *s)
{
    env_cursor_close(s->cursor);
    s->cursor = NULL;
    s->valid = false;
    s->group_count = 0;
    s->has_pending = false;
}

void scan_release(struct scan *s)
{
    scan_detach(s);
    mem_free(s->group);
    *s = (struct scan){0};
}
