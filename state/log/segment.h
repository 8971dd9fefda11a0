/* A segment: one file of the log, a header page and then blocks. */
#ifndef STATE_LOG_SEGMENT_H
#define STATE_LOG_SEGMENT_H

#include "base/error.h"
#include "base/file.h"
#include "state/log/block.h"

#include <stdbool.h>
#include <stdint.h>

enum { SEGMENT_HEADER_BYTES = 4096, SEGMENT_FORMAT_VERSION = 1, SEGMENT_PATH_BYTES = 480 };

struct segment_header {
    uint64_t idx;
    uint64_t salt;      /* random; a block of another file, or of a file inside a payload, does not carry it */
    uint64_t seq_first; /* of the first chunk */
    uint64_t block_first;
    bool continues; /* when it was made its first block was to continue a commit */
    /* About the segment before it, which was complete and synced when this one was made. */
    uint64_t prev_bytes;
    uint64_t prev_raw_bytes;
    uint64_t prev_chain; /* checksum of its last header */
    uint64_t checksum;   /* of this page */
};

/* A segment as far as it is known. */
struct segment {
    struct segment_header head;
    uint64_t bytes; /* the valid ones, header page included */
    uint64_t blocks;
    uint64_t raw_bytes;
    uint64_t seq_next;
};

void segment_path(char out[static SEGMENT_PATH_BYTES], const char *folder, uint64_t idx);
/* Makes the file durably (temp, fsync, rename, fsync of the folder) and leaves it open for writing. Chooses the salt
 * where it is 0 and sets the checksum. */
enum status segment_create(const char *folder, struct segment_header *head, struct file *f, struct error *err);
/* Opens the file and checks its header page. STATUS_NOT_FOUND, STATUS_MISMATCH (version), STATUS_CORRUPT, STATUS_IO. */
enum status segment_open(const char *folder, uint64_t idx, bool write, struct file *f, struct segment_header *head,
                         struct error *err);
/* Fills `err` with the segment, the offset, what was expected and what to do; returns STATUS_CORRUPT. */
enum status segment_fault(struct error *err, const char *path, uint64_t offset, struct block_fault fault);
/* True in `*proof` where a valid block between `from` and `bytes` tells that block `block_no` was durable. */
enum status segment_proof_find(struct block_coder *c, const struct file *f, uint64_t from, uint64_t bytes,
                               uint64_t salt, uint64_t block_no, bool *proof, struct error *err);
/* Checks that `h` is the block that must follow. */
bool segment_block_follows(const struct block_header *h, uint64_t block_no, uint64_t seq, uint64_t chain,
                           struct block_fault *fault);

#endif
