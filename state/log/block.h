/* A block: the unit of compression, checksums and recovery; its bytes are described in block.c. */
#ifndef STATE_LOG_BLOCK_H
#define STATE_LOG_BLOCK_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "state/store.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BLOCK_HEADER_BYTES = 80,
    BLOCK_ALIGN_BYTES = 8,        /* blocks begin at multiples of this, so that a scan can find them */
    BLOCK_RAW_BYTES = 256 * 1024, /* a block is closed before it grows past this; one larger chunk is a block alone */
    BLOCK_RAW_BYTES_MAX = STORE_CHUNK_BYTES_MAX + VARINT_BYTES_MAX
};
_Static_assert(BLOCK_HEADER_BYTES % BLOCK_ALIGN_BYTES == 0, "a payload begins aligned");
_Static_assert((uint64_t)BLOCK_RAW_BYTES_MAX < UINT32_MAX / 2, "lengths are 32 bits in the header");

struct block_header {
    bool continues;         /* its first chunk belongs to a commit that began in an earlier block */
    bool compressed;        /* the payload is one zstd frame, else the raw bytes */
    uint64_t block_no;      /* counts all blocks of the log from 0 */
    uint64_t seq_first;     /* of its first chunk */
    uint32_t commits_ended; /* number of last chunks in it */
    uint32_t raw_len;
    uint32_t complete_len; /* raw bytes up to the end of its last ended commit; behind it is an unfinished one */
    uint32_t stored_len;
    uint64_t blocks_durable; /* blocks with a smaller number were synced when this one was written */
    uint64_t chain_prev;     /* checksum of the header before this one: of the block, or of the segment */
    uint64_t payload_checksum;
    uint64_t checksum; /* of the bytes of this header before it */
};

/* What did not match. `what` is a string constant. */
struct block_fault {
    const char *what;
    uint64_t expected;
    uint64_t found;
};

/* Compression and decompression contexts and the buffer of stored bytes, reused from block to block. One thread. */
struct block_coder;
struct block_coder *block_coder_new(void);
void block_coder_free(struct block_coder *c);

/* Bytes of the whole block on disk. */
static inline uint64_t block_bytes(const struct block_header *h)
{
    return BLOCK_HEADER_BYTES +
           (((uint64_t)h->stored_len + BLOCK_ALIGN_BYTES - 1) & ~(uint64_t)(BLOCK_ALIGN_BYTES - 1));
}
static inline uint64_t block_seq_next(const struct block_header *h)
{
    return h->seq_first + h->commits_ended;
}
static inline bool block_has_tail(const struct block_header *h)
{
    return h->complete_len < h->raw_len;
}

/* Appends header and payload to `out`. The caller fills the fields that are about chunks and order; lengths of the
 * payload and checksums are set here. */
enum status block_encode(struct block_coder *c, struct block_header *h, const uint8_t *raw, uint64_t salt,
                         struct buffer *out, struct error *err);
/* False (and `fault`) where the bytes are not a header of this salt; lengths are within bounds where it is true. */
bool block_header_decode(const uint8_t in[static BLOCK_HEADER_BYTES], uint64_t salt, struct block_header *h,
                         struct block_fault *fault);
/* Reads the header at `offset` of a file of which `bytes` count. STATUS_CORRUPT sets `fault` only, STATUS_IO `err`. */
enum status block_header_read(const struct file *f, uint64_t offset, uint64_t bytes, uint64_t salt,
                              struct block_header *h, struct block_fault *fault, struct error *err);
/* Reads the payload of `h` and checks its checksum; `payload` is borrowed until the next call. Errors as above. */
enum status block_payload_read(struct block_coder *c, const struct file *f, uint64_t offset,
                               const struct block_header *h, uint64_t salt, struct bytes *payload,
                               struct block_fault *fault, struct error *err);
/* Writes raw_len bytes to `raw`. */
bool block_payload_decode(struct block_coder *c, const struct block_header *h, struct bytes payload, uint8_t *raw,
                          struct block_fault *fault);
/* Walks the chunks and holds them against the header. */
bool block_chunks_check(const struct block_header *h, const uint8_t *raw, struct block_fault *fault);

/* Chunks are framed by varint(len << 1 | last). Both return the bytes of the frame, 0 where it is cut off. */
size_t block_frame_encode(uint8_t out[static VARINT_BYTES_MAX], size_t len, bool last);
static inline size_t block_frame_decode(struct bytes in, size_t *len, bool *last)
{
    uint64_t frame;
    size_t n = 1;
    if (in.len > 0 && in.data[0] < 0x80) {
        frame = in.data[0];
    } else {
        n = varint_decode(in, &frame);
    }
    if (n == 0 || (frame >> 1) > in.len - n) {
        return 0;
    }
    *len = (size_t)(frame >> 1);
    *last = (frame & 1) != 0;
    return n;
}

#endif
