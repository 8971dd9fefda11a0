/* Walks one map of the view in the order of full keys, long ones included. */
#ifndef STATE_INDEX_SCAN_H
#define STATE_INDEX_SCAN_H

#include "state/index/env.h"

struct scan_entry {
    struct bytes key;
    struct bytes value;
};

/* Zero-initialised is closed. Keys and values borrow from the transaction, not from the scan. */
struct scan {
    struct env_cursor *cursor;
    bool valid;
    struct scan_entry entry;  /* where valid */
    struct scan_entry *group; /* long keys with the same stored prefix, sorted */
    size_t group_count;
    size_t group_idx;
    size_t group_capacity;
    bool has_pending;          /* the LMDB cursor has already read the entry behind the group */
    struct scan_entry pending; /* as stored */
};

/* Goes to the first entry with key >= `key`; opens its cursor the first time. */
enum status scan_seek(struct scan *s, struct env_txn *txn, unsigned map, struct bytes key, struct error *err);
enum status scan_step(struct scan *s, struct error *err);
void scan_detach(struct scan *s); /* before the transaction moves: closes the cursor, keeps memory */
void scan_release(struct scan *s);

#endif
