/* What the files of the index share, seen by nobody else.
 *
 * Changes pass through generations. The active one is changed by the spine. A checkpoint or spill freezes it: from then
 * on nobody changes it, and the checkpoint thread writes it while the spine goes on with a new active one. When it is
 * written it stays as a clean cache until the next freeze. Below both is what the spine sees of LMDB, the view: its
 * snapshot of the last checkpoint, or after a spill the resting write transaction itself. Lookups ask active, frozen,
 * view. */
#ifndef STATE_INDEX_INNER_H
#define STATE_INDEX_INNER_H

#include "state/index/env.h"
#include "state/index/index.h"
#include "state/index/memtable.h"
#include "state/index/scan.h"

#include <pthread.h>
#include <stdatomic.h>

enum { INDEX_PATH_BYTES = 512 };

/* The greatest key that a map has in the view, so that keys above it need not be looked for. */
struct index_greatest {
    bool none;      /* the map has no entries there */
    bool truncated; /* only the beginning of a long key is known */
    struct buffer key;
};

struct store_map {
    struct index *index;
    char *name;
    bool opened;           /* somebody holds the handle */
    unsigned snapshot_map; /* number valid in the snapshot, ENV_MAP_NONE = not there */
    unsigned view_map;     /* number valid in the view */
    struct index_greatest greatest;
    struct memtable active;
    struct memtable frozen;
    struct memtable_finger active_finger;
    struct memtable_finger frozen_finger;
    bool active_cleared; /* hides frozen and view */
    bool frozen_cleared; /* hides the view until the frozen generation is written */
    uint64_t version;    /* counts new keys in active, and clears */
};

/* A map's part of a job. The thread reads the frozen memtable and fills in what is marked so. */
struct checkpoint_item {
    struct store_map *map; /* the thread follows it to nothing but its name */
    const char *name;
    struct memtable frozen;
    bool cleared;
    unsigned number_before;
    unsigned number;                /* out */
    struct index_greatest greatest; /* out */
};

enum checkpoint_kind { CHECKPOINT_COMMIT, CHECKPOINT_SPILL, CHECKPOINT_ABANDON };

enum checkpoint_phase {
    PHASE_IDLE,    /* the spine may fill in a job */
    PHASE_RUNNING, /* the thread owns the job and the write transaction */
    PHASE_DONE,
    PHASE_FULL, /* the address space is full: the spine enlarges it and hands the job over again */
    PHASE_FAILED
};

struct checkpoint {
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* guards phase and stopping; everything else belongs to whom the phase says */
    pthread_cond_t changed;
    enum checkpoint_phase phase;
    bool stopping;
    enum checkpoint_kind kind;
    struct index_mark mark;
    int64_t begun_us;
    int64_t ended_us; /* of the newest one that has ended */
    struct env *env;
    unsigned meta_number_before;
    unsigned meta_number; /* out */
    struct checkpoint_item *items;
    size_t item_count;
    size_t item_capacity;
    struct env_txn *txn; /* begun, used and ended by the thread; the spine reads through it while the thread rests */
    bool spilled;        /* the transaction holds entries that are nowhere else */
    struct error error;
};

enum { ATTENTION_CHECKPOINT = 1, ATTENTION_CHECK = 2, ATTENTION_FAILED = 4 };

struct index {
    struct index_options options;
    char path[INDEX_PATH_BYTES];
    uint64_t env_idx; /* of the folder state.N in use */
    bool rebuilding;  /* state.N is not the current one yet */
    struct env *env;
    struct env_txn *snapshot;
    struct env_txn *view;
    struct store_map **maps;
    size_t map_count;
    size_t map_capacity;
    struct memtable_pool pools[2];
    unsigned active_pool_idx;
    bool frozen_clean; /* the view has everything that the frozen generation has */
    struct store_cursor *cursors;
    atomic_uint attention;
    struct error failure;
    struct index_mark mark;
    unsigned meta_map;
    _Atomic uint64_t checkpoint_seq_next;
    struct checkpoint checkpoint;
};

static inline bool index_is_poisoned_or_raised(struct index *ix)
{
    return (atomic_load_explicit(&ix->attention, memory_order_relaxed) & ~(unsigned)ATTENTION_CHECKPOINT) != 0;
}

/* index.c */
/* Poisons the index where `st` is a failure of the disk; returns `st`. */
enum status index_note(struct index *ix, enum status st, const struct error *err);
struct store_map *index_map_add(struct index *ix, const char *name);
/* Opens the environment's snapshot and takes note of its maps. */
enum status index_view_open(struct index *ix, struct error *err);
/* Forgets all that the maps hold in memory, both generations. */
void index_generations_reset(struct index *ix);
bool index_key_is_above(const struct store_map *m, struct bytes key);
static inline bool index_view_is_hidden(const struct store_map *m)
{
    return m->greatest.none || m->active_cleared || (m->frozen_cleared && !m->index->frozen_clean);
}

/* greatest.c */
enum status index_greatest_read(struct index_greatest *g, struct env_txn *txn, unsigned number, struct error *err);
void index_greatest_set(struct index_greatest *g, struct bytes stored_key);
void index_greatest_release(struct index_greatest *g);

/* cursor.c */
/* Before the view moves or a generation goes: every open cursor keeps a copy of its position and lets go of the
 * rest. */
void index_cursors_detach(struct index *ix);

/* checkpoint.c */
enum status checkpoint_start(struct index *ix, struct error *err);
void checkpoint_stop(struct index *ix);
/* Takes over what the thread has finished; hands a job over again after making room for it. */
enum status checkpoint_absorb(struct index *ix, struct error *err);
/* Ends a write transaction that holds a spill, undoing it. */
enum status checkpoint_abandon(struct index *ix, struct error *err);

/* flush.c */
/* Writes the job's items, and with CHECKPOINT_COMMIT the mark; commits nothing. @thread checkpoint */
enum status flush_items(struct checkpoint *cp, struct error *err);

/* folder.c */
/* Number of the current environment folder. STATUS_NOT_FOUND where there is none. */
enum status folder_current(const char *path, uint64_t *env_idx, struct error *err);
enum status folder_current_set(const char *path, uint64_t env_idx, struct error *err);
void folder_env_path(const char *path, uint64_t env_idx, char out[static INDEX_PATH_BYTES]);
enum status folder_env_remove(const char *path, uint64_t env_idx, struct error *err);
/* Removes every environment folder but that one. */
enum status folder_leftovers_remove(const char *path, uint64_t env_idx, struct error *err);

/* meta.c */
extern const char index_meta_name[];
enum { INDEX_MAP_NAME_BYTES = 1 + 255 + 1 };
/* How a map is called in LMDB: with a "+" before, so that it cannot be taken for the index's own. */
void index_map_stored_name(const char *name, char out[static INDEX_MAP_NAME_BYTES]);
enum status index_meta_write(struct env_txn *txn, unsigned number, const struct index_mark *mark, struct error *err);
/* Zero where nothing was ever committed. STATUS_MISMATCH for another format version. */
enum status index_meta_read(struct env_txn *txn, unsigned number, struct index_mark *mark, struct error *err);

#endif
