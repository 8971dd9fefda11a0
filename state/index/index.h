/* The state half of a store: named ordered maps, changed in memory and written by checkpoints. What store.h says of
 * maps, cursors, checkpoints and rebuilds is done here; the functions below are those of store.h with the store left
 * out.
 *
 * Called by one thread, the spine; one thread of the index's own writes checkpoints. */
#ifndef STATE_INDEX_INDEX_H
#define STATE_INDEX_INDEX_H

#include "state/store.h"

struct index;

struct index_options {
    const char *path; /* the store's folder, which exists; the caller holds its lock unless read_only */
    bool read_only;
    uint64_t cache_bytes;                               /* 0 = 256 MiB */
    uint64_t map_bytes;                                 /* address space to begin with; 0 = as large as is sensible */
    void (*notify)(void *ctx);                          /* by the checkpoint thread, at the end of its work */
    enum status (*check)(void *ctx, struct error *err); /* by the spine, some time after index_raise */
    void *ctx;                                          /* of both; either may be NULL */
};

/* What a checkpoint stands for: commits below seq_next are folded; the rest is the log's watermark. */
struct index_mark {
    uint64_t seq_next;
    uint64_t log_segment_idx;
    uint64_t log_offset;
    uint64_t log_seq_next;
};

enum status index_open(struct index **out, const struct index_options *options, struct error *err);
/* Ends the thread, after the checkpoint that it may be writing. Map handles are gone. NULL is fine. */
void index_close(struct index *ix);
/* Makes the spine ask options.check at its next call; what that returns poisons the index. @thread any */
void index_raise(struct index *ix);
/* Returns the failure that has poisoned the index, after asking options.check where it was raised. */
enum status index_check(struct index *ix, struct error *err);
/* Notes a failure after which nothing may go on: every further call returns it. Returns err->status. */
enum status index_poison(struct index *ix, const struct error *err);
/* Takes note of what the thread and `check` have to say; returns the failure if there is one. */
enum status index_attend(struct index *ix, struct error *err);

enum status index_map_open(struct index *ix, const char *name, struct store_map **out, struct error *err);
enum status index_maps(struct index *ix, int (*visit)(void *ctx, const char *name), void *ctx, struct error *err);
const char *index_map_name(const struct store_map *m);
enum status index_map_stat(struct store_map *m, uint64_t *entries, uint64_t *bytes, struct error *err);
enum status index_get(struct store_map *m, struct bytes key, struct bytes *value, struct error *err);
enum status index_put(struct store_map *m, struct bytes key, struct bytes value, struct error *err);
enum status index_delete(struct store_map *m, struct bytes key, struct error *err);
enum status index_map_clear(struct store_map *m, struct error *err);

enum status index_cursor_open(struct store_map *m, struct store_cursor **out, struct error *err);
void index_cursor_close(struct store_cursor *c);
enum status index_cursor_seek(struct store_cursor *c, struct bytes key, struct error *err);
enum status index_cursor_next(struct store_cursor *c, struct bytes *key, struct bytes *value, struct error *err);

enum status index_checkpoint_begin(struct index *ix, const struct index_mark *mark, struct error *err);
bool index_checkpoint_running(struct index *ix);
bool index_checkpoint_rested(struct index *ix);
bool index_give_back(struct index *ix);
enum status index_checkpoint_wait(struct index *ix, struct error *err);
/* Of the last checkpoint in the environment in use. @thread any */
uint64_t index_checkpoint_seq_next(const struct index *ix);
/* Of the last checkpoint, zero where there is none; only right after index_open. */
struct index_mark index_mark(const struct index *ix);
uint64_t index_dirty_bytes(const struct index *ix);
uint64_t index_cache_bytes(const struct index *ix);
uint64_t index_state_bytes(const struct index *ix);
enum status index_spill(struct index *ix, struct error *err);
enum status index_rebuild_begin(struct index *ix, struct error *err);
enum status index_rebuild_finish(struct index *ix, const struct index_mark *mark, struct error *err);
enum status index_snapshot_renew(struct index *ix, struct error *err);

#endif
