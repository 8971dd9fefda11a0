/* store.h: a log-structured embedded state store with replay. The one public header of libstate.a.
 *
 * A store is a folder. In it is a log: commits (opaque bytes) numbered by seq from 0 without gaps, in segments of
 * zstd-compressed, checksummed blocks. Beside it is the state: named ordered maps of byte keys to byte values, in
 * one LMDB environment. State is nothing but fold(log): the caller appends commits, reads them back in order, folds
 * each into the maps, and now and then asks for a checkpoint, which writes the maps and the seq they stand for in one
 * LMDB transaction. After a crash the maps are as of the last checkpoint, and the caller folds the log from there.
 *
 * One process opens a store for writing (a lock is held); any number open it read-only beside it.
 * Unless a function says otherwise it is called by one thread, the owner's, called "spine" here. Two threads of the
 * store's own write blocks and checkpoints. Failures of disk are final: after STATUS_IO or STATUS_CORRUPT every
 * further call fails the same way, nothing more is acknowledged, and the process should end. */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_reader;
struct store_map;
struct store_cursor;

struct store_options {
    const char *path;       /* the folder; made where missing unless read_only */
    bool read_only;         /* sees the last checkpoint; never modifies anything */
    uint64_t cache_bytes;   /* bound of changed entries held in memory; 0 = 256 MiB */
    uint64_t segment_bytes; /* a segment is closed when it grows past this; 0 = 64 MiB */
};

enum {
    STORE_CHUNK_BYTES_MAX = 16 * 1024 * 1024, /* of one store_append */
    STORE_KEY_BYTES_MAX = 16 * 1024 * 1024,   /* LMDB's own limit of 511 is taken care of inside */
    STORE_VALUE_BYTES_MAX = 64 * 1024 * 1024,
    STORE_MAPS_MAX = 1000
};

/* Opens or makes a store. A torn block at the very end of the log and a commit without its last chunk are cut off
 * (they were never acknowledged). STATUS_LOCKED where another process writes it, STATUS_CORRUPT (segment, offset and
 * what to do in the text) where stored bytes do not match, STATUS_NOT_FOUND for a read-only store that is not there,
 * STATUS_MISMATCH for another format version. */
enum status store_open(struct store **out, const struct store_options *options, struct error *err);
/* Ends the store's threads; what was appended but not flushed is lost, as after a crash. NULL is fine. */
void store_close(struct store *s);

/* ---- the log ---- */

/* Adds a chunk to the commit being written; `last` ends the commit. A commit may have any number of chunks, so its
 * size is bounded by the disk only; chunks are handed back by the reader as they were given. The bytes are copied.
 * Waits only when the log thread is far behind (bounded memory). `*seq` is the commit's number. */
enum status store_append(struct store *s, struct bytes chunk, bool last, uint64_t *seq, struct error *err);
/* Forgets the chunks of the commit that has no last chunk yet; nothing happens where there is none. */
enum status store_append_abandon(struct store *s, struct error *err);
/* Hands everything complete to the log thread, which writes it with one fdatasync. Returns at once. */
enum status store_flush(struct store *s, struct error *err);
/* Number of commits appended, and of commits on disk: commits with seq below it are safe. @thread any */
uint64_t store_seq_next(const struct store *s);
uint64_t store_durable_seq_next(const struct store *s);
/* Flushes and waits until all commits below `seq_next` are on disk. */
enum status store_wait_durable(struct store *s, uint64_t seq_next, struct error *err);
/* An eventfd, readable when the durable seq has advanced, a checkpoint has ended, or a thread of the store has
 * failed; store_event_clear makes it unreadable and returns that failure. For poll(2) beside a source's socket. */
int store_event_fd(const struct store *s);
enum status store_event_clear(struct store *s, struct error *err);

/* Reads commits in order from `from_seq`. In the writing process it sees a commit as soon as its last chunk is
 * appended, from memory while it is there; a read-only store's reader sees what is complete on disk. */
enum status store_reader_open(struct store *s, uint64_t from_seq, struct store_reader **out, struct error *err);
void store_reader_close(struct store_reader *r);
struct store_chunk {
    struct bytes data;
    uint64_t seq;
    bool last;            /* ends the commit */
    uint64_t segment_idx; /* where it lies, for messages */
    uint64_t block_offset;
};
/* Hands out the next chunk of a complete commit; STATUS_END (err untouched) where there is none yet. `out->data`
 * stays valid until store_reader_recycle, so that a batch of commits can be folded without copying. */
enum status store_reader_next(struct store_reader *r, struct store_chunk *out, struct error *err);
void store_reader_recycle(struct store_reader *r);

struct store_segment {
    char name[64];
    uint64_t seq_first;
    uint64_t seq_next; /* = seq_first of the following segment */
    uint64_t bytes;    /* on disk */
    uint64_t blocks;
    uint64_t raw_bytes; /* before compression */
};
/* Calls `visit` for each segment in order; reads block headers only. A nonzero return of `visit` ends the walk. */
enum status store_segments(struct store *s, int (*visit)(void *ctx, const struct store_segment *segment), void *ctx,
                           struct error *err);
/* Reads every block and checks every checksum and the seq chain; `progress` (may be NULL) is called a block. */
enum status store_log_verify(struct store *s, void (*progress)(void *ctx, uint64_t bytes_done, uint64_t bytes_all),
                             void *ctx, struct error *err);
uint64_t store_log_bytes(const struct store *s); /* on disk, all segments */

/* ---- the state ---- */

/* Opens the map of this name (made where missing, unless read-only: then STATUS_NOT_FOUND). The handle lives as long
 * as the store. Names: 1..255 bytes. */
enum status store_map_open(struct store *s, const char *name, struct store_map **out, struct error *err);
/* Calls `visit` for each map that exists in the last checkpoint, in name order. */
enum status store_maps(struct store *s, int (*visit)(void *ctx, const char *name), void *ctx, struct error *err);
const char *store_map_name(const struct store_map *m);
/* Entries and bytes on disk as of the last checkpoint. */
enum status store_map_stat(struct store_map *m, uint64_t *entries, uint64_t *bytes, struct error *err);

/* STATUS_NOT_FOUND (err untouched) where there is no entry. `*value` is valid until the next put, delete,
 * store_snapshot_renew, store_event_clear, checkpoint or spill of the store. */
enum status store_get(struct store_map *m, struct bytes key, struct bytes *value, struct error *err);
/* Copies both. Keys are ordered as memcmp orders them, a prefix before what it begins. */
enum status store_put(struct store_map *m, struct bytes key, struct bytes value, struct error *err);
enum status store_delete(struct store_map *m, struct bytes key, struct error *err); /* missing is fine */
/* Deletes every entry of the map, cheaply. */
enum status store_map_clear(struct store_map *m, struct error *err);

/* Walks entries in key order. Puts and deletes on the same map while a cursor is in use make the cursor restart its
 * position by key at the next step (it never sees an entry twice, and may or may not see the changed ones). */
enum status store_cursor_open(struct store_map *m, struct store_cursor **out, struct error *err);
void store_cursor_close(struct store_cursor *c);
/* Goes to the first entry with key >= `key`. */
enum status store_cursor_seek(struct store_cursor *c, struct bytes key, struct error *err);
/* Hands out the entry and steps on; STATUS_END (err untouched) past the last. Both are valid until the next call on
 * this cursor or the next change of the store. */
enum status store_cursor_next(struct store_cursor *c, struct bytes *key, struct bytes *value, struct error *err);

/* ---- checkpoints ---- */

/* Starts to write all changes since the last checkpoint together with `seq_next` (all commits below it are folded)
 * in one LMDB transaction, on the store's checkpoint thread; folding may go on meanwhile. Waits for a running one
 * first, and for the log to be durable up to `seq_next`. */
enum status store_checkpoint_begin(struct store *s, uint64_t seq_next, struct error *err);
bool store_checkpoint_running(const struct store *s);
/* True where none runs and the thread has rested for as long as the newest one took. */
bool store_checkpoint_rested(const struct store *s);
enum status store_checkpoint_wait(struct store *s, struct error *err);
/* Frees memory that only makes reading and changing much faster: entries that are on disk as well, and what is kept for
 * the next ones. Ends the life of handed-out values. False, with nothing done, while a checkpoint is on its way. */
bool store_give_back(struct store *s);
/* Commits folded into the state on disk. */
uint64_t store_checkpoint_seq_next(const struct store *s);
/* Bytes of changed entries in memory. */
uint64_t store_dirty_bytes(const struct store *s);
uint64_t store_cache_bytes(const struct store *s);
/* True when the changed entries should be written: the caller begins a checkpoint, or in the middle of a commit calls
 * store_spill. At three eighths of options.cache_bytes, so that they, the generation before them and LMDB's own dirty
 * pages stay about within it. */
bool store_is_full(const struct store *s);
uint64_t store_room_bytes(const struct store *s); /* until then */
/* Moves the changed entries into the LMDB transaction of the next checkpoint without committing it, so that one commit
 * may change more than memory holds. Synchronous. */
enum status store_spill(struct store *s, struct error *err);
uint64_t store_state_bytes(const struct store *s); /* of the LMDB file in use, on disk */

/* From now on the maps are empty and live in a new environment beside the old one, which readers still see;
 * store_checkpoint_seq_next is 0. The first rebuild_finish makes it durable and puts it in the old one's place by one
 * rename. After a crash in between the old state is there. Map handles stay valid. */
enum status store_rebuild_begin(struct store *s, struct error *err);
/* Checkpoints at `seq_next` and takes the old one's place. */
enum status store_rebuild_finish(struct store *s, uint64_t seq_next, struct error *err);

/* Read-only stores: look at the newest checkpoint from now on. Cursors and values from before are invalid. */
enum status store_snapshot_renew(struct store *s, struct error *err);

#endif
