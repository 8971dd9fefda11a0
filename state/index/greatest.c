/* The greatest key of a map in LMDB: appending workloads never look below it. */
#include "state/index/inner.h"

#include "state/index/key.h"

void index_greatest_set(struct index_greatest *g, struct bytes stored_key)
{
    struct bytes beginning = key_beginning(stored_key);
    g->none = false;
    g->truncated = key_stored_is_long(stored_key);
    buffer_reset(&g->key);
    buffer_append(&g->key, beginning.data, beginning.len);
}

enum status index_greatest_read(struct index_greatest *g, struct env_txn *txn, unsigned number, struct error *err)
{
    g->none = true;
    if (number == ENV_MAP_NONE) {
        return STATUS_OK;
    }
    struct env_cursor *c;
    TRY(env_cursor_open(txn, number, &c, err));
    struct bytes key = {0};
    struct bytes value = {0};
    enum status st = env_cursor_last(c, &key, &value, err);
    if (st == STATUS_OK) {
        index_greatest_set(g, key);
    }
    env_cursor_close(c);
    return st == STATUS_END ? STATUS_OK : st;
}

void index_greatest_release(struct index_greatest *g)
{
    buffer_release(&g->key);
}

bool index_key_is_above(const struct store_map *m, struct bytes key)
{
    struct bytes greatest = buffer_bytes(&m->greatest.key);
    if (m->greatest.truncated && key.len > greatest.len) {
        key.len = greatest.len;
    }
    return bytes_compare(key, greatest) > 0;
}
