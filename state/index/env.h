/* One LMDB environment: ordered maps on disk, one writing transaction, any number of snapshots. The rest of the
 * project knows nothing of LMDB.
 *
 * Keys are 1..ENV_KEY_BYTES_MAX bytes, ordered as memcmp orders them. Every failure names the folder. STATUS_RETRY
 * means that the map of addresses is full: abort, env_grow, do it again. Never open the same folder twice in one
 * process. */
#ifndef STATE_INDEX_ENV_H
#define STATE_INDEX_ENV_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { ENV_KEY_BYTES_MAX = 511, ENV_MAP_NONE = 0, ENV_MAPS_MAX = 1008 };

struct env;
struct env_txn;
struct env_cursor;

struct env_options {
    const char *path; /* an existing folder */
    bool read_only;
    bool unsynced;      /* commits are not durable before env_sync */
    uint64_t map_bytes; /* of address space to begin with; 0 = 64 GiB, or four times the file if that is more */
};

/* STATUS_NOT_FOUND for a read-only environment that is not there. */
enum status env_open(struct env **out, const struct env_options *options, struct error *err);
void env_close(struct env *env); /* NULL is fine; no transaction may be left */
/* Makes everything committed durable; from now on commits are durable themselves. No transaction may be writing. */
enum status env_sync(struct env *env, struct error *err);
/* Doubles the address space. No transaction may be active in this process: snapshots paused, none writing. */
enum status env_grow(struct env *env, struct error *err);
/* True when more than half of the address space is taken. */
bool env_is_half_full(const struct env *env);
uint64_t env_file_bytes(const struct env *env);
void env_forget_dead_readers(struct env *env);

/* A snapshot: it may be used by one thread at a time, any thread. */
enum status env_snapshot_begin(struct env *env, struct env_txn **out, struct error *err);
void env_snapshot_pause(struct env_txn *txn);                           /* its cursors must be closed before */
enum status env_snapshot_renew(struct env_txn *txn, struct error *err); /* pauses first where needed */
void env_snapshot_end(struct env_txn *txn);                             /* NULL is fine */

/* The writing transaction belongs to the thread that begins it; another may read through it while that one rests. */
enum status env_write_begin(struct env *env, struct env_txn **out, struct error *err);
enum status env_write_commit(struct env_txn *txn, struct error *err); /* ends it also where it fails */
void env_write_abort(struct env_txn *txn);                            /* NULL is fine */

/* `*map` is a number valid in this transaction and, once it is committed, in all that begin later (a snapshot is
 * committed by env_maps_open alone). ENV_MAP_NONE and STATUS_NOT_FOUND where it does not exist and `create` is not
 * set. */
enum status env_map_open(struct env_txn *txn, const char *name, bool create, unsigned *map, struct error *err);
/* Opens all maps that exist, so that their numbers are valid in transactions that begin later. No other transaction may
 * be opening maps meanwhile. */
enum status env_maps_open(struct env *env, void (*visit)(void *ctx, const char *name, unsigned map), void *ctx,
                          struct error *err);
enum status env_map_clear(struct env_txn *txn, unsigned map, struct error *err);
enum status env_map_stat(struct env_txn *txn, unsigned map, uint64_t *entries, uint64_t *bytes, struct error *err);

/* STATUS_NOT_FOUND (err untouched) where there is none. `*value` lives until the snapshot moves or the transaction
 * writes. */
enum status env_get(struct env_txn *txn, unsigned map, struct bytes key, struct bytes *value, struct error *err);
enum status env_put(struct env_txn *txn, unsigned map, struct bytes key, struct bytes value, struct error *err);
enum status env_delete(struct env_txn *txn, unsigned map, struct bytes key, struct error *err); /* missing is fine */

enum status env_cursor_open(struct env_txn *txn, unsigned map, struct env_cursor **out, struct error *err);
void env_cursor_close(struct env_cursor *c); /* NULL is fine; before its transaction ends */
/* All three: STATUS_END (err untouched) where there is no such entry. */
enum status env_cursor_seek(struct env_cursor *c, struct bytes key, struct bytes *out_key, struct bytes *value,
                            struct error *err);
enum status env_cursor_next(struct env_cursor *c, struct bytes *key, struct bytes *value, struct error *err);
enum status env_cursor_last(struct env_cursor *c, struct bytes *key, struct bytes *value, struct error *err);
/* `append`: the key is known to be past the last one, which makes for full pages. */
enum status env_cursor_put(struct env_cursor *c, struct bytes key, struct bytes value, bool append, struct error *err);

#endif
