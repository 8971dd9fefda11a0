/* A block in bytes, little-endian, at a multiple of 8:
 *    0  4  "LFB1"
 *    4  1  1 = the payload is one zstd frame, 0 = it is the raw bytes
 *    5  1  1 = continues a commit begun in an earlier block
 *    6  2  0
 *    8  8  salt of the segment
 *   16  8  block_no        24  8  seq_first
 *   32  4  commits_ended   36  4  raw_len   40  4  complete_len   44  4  stored_len
 *   48  8  blocks_durable  56  8  chain_prev
 *   64  8  XXH3-64, seeded with the salt, of the payload and its padding
 *   72  8  XXH3-64, seeded with the salt, of bytes 0..71
 *   80     payload of stored_len bytes, then zeros to a multiple of 8
 * The raw bytes are chunks, each behind varint(len << 1 | last). */
#include "state/log/block.h"

#include "base/checksum.h"
#include "base/memory.h"

#include <assert.h>
#include <zstd.h>

enum { BLOCK_ZSTD_LEVEL = 1, BLOCK_FLAG_CONTINUES = 1 };
static const uint8_t block_magic[4] = {'L', 'F', 'B', '1'};

struct block_coder {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
    struct buffer stored;
};

struct block_coder *block_coder_new(void)
{
    return mem_zalloc(sizeof(struct block_coder));
}

void block_coder_free(struct block_coder *c)
{
    if (c != NULL) {
        ZSTD_freeCCtx(c->compress);
        ZSTD_freeDCtx(c->decompress);
        buffer_release(&c->stored);
        mem_free(c);
    }
}

static bool fault_set(struct block_fault *fault, const char *what, uint64_t expected, uint64_t found)
{
    *fault = (struct block_fault){.what = what, .expected = expected, .found = found};
    return false;
}

static void header_encode(uint8_t *out, struct block_header *h, uint64_t salt)
{
    memset(out, 0, BLOCK_HEADER_BYTES);
    memcpy(out, block_magic, sizeof block_magic);
    out[4] = h->compressed ? 1 : 0;
    out[5] = h->continues ? BLOCK_FLAG_CONTINUES : 0;
    store_le64(out + 8, salt);
    store_le64(out + 16, h->block_no);
    store_le64(out + 24, h->seq_first);
    store_le32(out + 32, h->commits_ended);
    store_le32(out + 36, h->raw_len);
    store_le32(out + 40, h->complete_len);
    store_le32(out + 44, h->stored_len);
    store_le64(out + 48, h->blocks_durable);
    store_le64(out + 56, h->chain_prev);
    store_le64(out + 64, h->payload_checksum);
    h->checksum = checksum_xxh3_seeded(out, 72, salt);
    store_le64(out + 72, h->checksum);
}

static bool header_is_sane(const struct block_header *h)
{
    bool ended_fits = (h->commits_ended == 0) == (h->complete_len == 0) && h->commits_ended <= h->complete_len;
    bool stored_fits = h->compressed ? h->stored_len < h->raw_len : h->stored_len == h->raw_len;
    return h->raw_len > 0 && h->raw_len <= BLOCK_RAW_BYTES_MAX && h->complete_len <= h->raw_len && ended_fits &&
           stored_fits && h->blocks_durable <= h->block_no && h->seq_first <= UINT64_MAX - h->commits_ended;
}

enum status block_encode(struct block_coder *c, struct block_header *h, const uint8_t *raw, uint64_t salt,
                         struct buffer *out, struct error *err)
{
    if (c->compress == NULL) {
        c->compress = ZSTD_createCCtx();
        if (c->compress == NULL) {
            return error_set(err, STATUS_IO, 0, "could not make a zstd context: out of memory");
        }
    }
    size_t bound = ZSTD_compressBound(h->raw_len);
    uint8_t *start = buffer_reserve(out, BLOCK_HEADER_BYTES + bound + BLOCK_ALIGN_BYTES);
    uint8_t *payload = start + BLOCK_HEADER_BYTES;
    size_t n = ZSTD_compressCCtx(c->compress, payload, bound, raw, h->raw_len, BLOCK_ZSTD_LEVEL);
    if (ZSTD_isError(n)) {
        return error_set(err, STATUS_IO, 0, "could not compress block %llu: %s", (unsigned long long)h->block_no,
                         ZSTD_getErrorName(n));
    }
    h->compressed = n < h->raw_len;
    if (!h->compressed) {
        n = h->raw_len;
        memcpy(payload, raw, n);
    }
    h->stored_len = (uint32_t)n;
    size_t padded = (size_t)block_bytes(h) - BLOCK_HEADER_BYTES;
    memset(payload + n, 0, padded - n);
    h->payload_checksum = checksum_xxh3_seeded(payload, padded, salt);
    header_encode(start, h, salt);
    assert(header_is_sane(h));
    out->len += BLOCK_HEADER_BYTES + padded;
    return STATUS_OK;
}

bool block_header_decode(const uint8_t in[static BLOCK_HEADER_BYTES], uint64_t salt, struct block_header *h,
                         struct block_fault *fault)
{
    if (memcmp(in, block_magic, sizeof block_magic) != 0) {
        return fault_set(fault, "block magic", load_le32(block_magic), load_le32(in));
    }
    if (load_le64(in + 8) != salt) {
        return fault_set(fault, "block salt", salt, load_le64(in + 8));
    }
    uint64_t checksum = checksum_xxh3_seeded(in, 72, salt);
    if (load_le64(in + 72) != checksum) {
        return fault_set(fault, "block header checksum", load_le64(in + 72), checksum);
    }
    *h = (struct block_header){
        .continues = in[5] == BLOCK_FLAG_CONTINUES,
        .compressed = in[4] == 1,
        .block_no = load_le64(in + 16),
        .seq_first = load_le64(in + 24),
        .commits_ended = load_le32(in + 32),
        .raw_len = load_le32(in + 36),
        .complete_len = load_le32(in + 40),
        .stored_len = load_le32(in + 44),
        .blocks_durable = load_le64(in + 48),
        .chain_prev = load_le64(in + 56),
        .payload_checksum = load_le64(in + 64),
        .checksum = checksum,
    };
    if (in[4] > 1 || in[5] > 1 || load_le16(in + 6) != 0 || !header_is_sane(h)) {
        return fault_set(fault, "block header fields", 0, load_le32(in + 4));
    }
    return true;
}

enum status block_header_read(const struct file *f, uint64_t offset, uint64_t bytes, uint64_t salt,
                              struct block_header *h, struct block_fault *fault, struct error *err)
{
    assert(offset % BLOCK_ALIGN_BYTES == 0);
    uint64_t rest = bytes - offset;
    if (offset > bytes || rest < BLOCK_HEADER_BYTES) {
        fault_set(fault, "bytes of block header", BLOCK_HEADER_BYTES, offset > bytes ? 0 : rest);
        return STATUS_CORRUPT;
    }
    uint8_t in[BLOCK_HEADER_BYTES];
    size_t got;
    enum status st = file_read_at(f, offset, in, sizeof in, &got, err);
    if (st == STATUS_END) {
        fault_set(fault, "bytes of block header", BLOCK_HEADER_BYTES, got);
        return STATUS_CORRUPT;
    }
    TRY(st);
    if (!block_header_decode(in, salt, h, fault)) {
        return STATUS_CORRUPT;
    }
    if (block_bytes(h) > rest) {
        fault_set(fault, "bytes of block", block_bytes(h), rest);
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

enum status block_payload_read(struct block_coder *c, const struct file *f, uint64_t offset,
                               const struct block_header *h, uint64_t salt, struct bytes *payload,
                               struct block_fault *fault, struct error *err)
{
    size_t padded = (size_t)block_bytes(h) - BLOCK_HEADER_BYTES;
    buffer_reset(&c->stored);
    uint8_t *data = buffer_reserve(&c->stored, padded);
    size_t got;
    enum status st = file_read_at(f, offset + BLOCK_HEADER_BYTES, data, padded, &got, err);
    if (st == STATUS_END) {
        fault_set(fault, "bytes of block payload", padded, got);
        return STATUS_CORRUPT;
    }
    TRY(st);
    uint64_t checksum = checksum_xxh3_seeded(data, padded, salt);
    if (checksum != h->payload_checksum) {
        fault_set(fault, "block payload checksum", h->payload_checksum, checksum);
        return STATUS_CORRUPT;
    }
    *payload = bytes_of(data, h->stored_len);
    return STATUS_OK;
}

bool block_payload_decode(struct block_coder *c, const struct block_header *h, struct bytes payload, uint8_t *raw,
                          struct block_fault *fault)
{
    if (!h->compressed) {
        memcpy(raw, payload.data, h->raw_len);
        return true;
    }
    if (c->decompress == NULL) {
        c->decompress = ZSTD_createDCtx();
        if (c->decompress == NULL) {
            return fault_set(fault, "memory to decompress into", h->raw_len, 0);
        }
    }
    size_t n = ZSTD_decompressDCtx(c->decompress, raw, h->raw_len, payload.data, payload.len);
    if (ZSTD_isError(n) || n != h->raw_len) {
        return fault_set(fault, "decompressed bytes", h->raw_len, ZSTD_isError(n) ? 0 : n);
    }
    return true;
}

bool block_chunks_check(const struct block_header *h, const uint8_t *raw, struct block_fault *fault)
{
    uint32_t ended = 0;
    size_t complete = 0;
    for (size_t pos = 0; pos < h->raw_len;) {
        size_t len;
        bool last;
        size_t n = block_frame_decode(bytes_of(raw + pos, h->raw_len - pos), &len, &last);
        if (n == 0) {
            return fault_set(fault, "a chunk frame within the block of bytes", h->raw_len, pos);
        }
        pos += n + len;
        if (last) {
            ended++;
            complete = pos;
        }
    }
    if (ended != h->commits_ended) {
        return fault_set(fault, "commits ended in the block", h->commits_ended, ended);
    }
    return complete == h->complete_len || fault_set(fault, "end of the last commit", h->complete_len, complete);
}

size_t block_frame_encode(uint8_t out[static VARINT_BYTES_MAX], size_t len, bool last)
{
    return varint_encode(out, ((uint64_t)len << 1) | (last ? 1 : 0));
}
