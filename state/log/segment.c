/* A segment in bytes, little-endian: a header page of 4096 bytes, then blocks without gaps (block.c).
 *    0  8  "LOGFOLD\0"      8  4  format version 1     12  4  4096
 *   16  8  idx             24  8  salt                 32  8  seq_first   40  8  block_first
 *   48  8  bytes of the segment before it              56  8  checksum of that segment's last header (its chain)
 *   64  8  raw bytes in that segment's blocks          72  8  1 = its first block continues a commit
 *   80     zeros
 * 4088  8  XXH3-64 of bytes 0..4087
 * The first block's chain_prev is this page's checksum, so the chain runs through the whole log. */
#include "state/log/segment.h"

#include "base/checksum.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

enum { CHECKSUM_AT = SEGMENT_HEADER_BYTES - 8, PROOF_WINDOW_BYTES = 1024 * 1024 };
_Static_assert(SEGMENT_HEADER_BYTES % BLOCK_ALIGN_BYTES == 0, "blocks begin aligned");
_Static_assert(PROOF_WINDOW_BYTES % BLOCK_ALIGN_BYTES == 0, "windows begin aligned");
static const char segment_magic[8] = "LOGFOLD";

void segment_path(char out[static SEGMENT_PATH_BYTES], const char *folder, uint64_t idx)
{
    int n = snprintf(out, SEGMENT_PATH_BYTES, "%s/%016llu.log", folder, (unsigned long long)idx);
    assert(n > 0 && n < SEGMENT_PATH_BYTES);
    (void)n;
}

static void page_encode(uint8_t *page, struct segment_header *head)
{
    memset(page, 0, SEGMENT_HEADER_BYTES);
    memcpy(page, segment_magic, sizeof segment_magic);
    store_le32(page + 8, SEGMENT_FORMAT_VERSION);
    store_le32(page + 12, SEGMENT_HEADER_BYTES);
    store_le64(page + 16, head->idx);
    store_le64(page + 24, head->salt);
    store_le64(page + 32, head->seq_first);
    store_le64(page + 40, head->block_first);
    store_le64(page + 48, head->prev_bytes);
    store_le64(page + 56, head->prev_chain);
    store_le64(page + 64, head->prev_raw_bytes);
    store_le64(page + 72, head->continues ? 1 : 0);
    head->checksum = checksum_xxh3(page, CHECKSUM_AT);
    store_le64(page + CHECKSUM_AT, head->checksum);
}

static enum status salt_choose(uint64_t *salt, struct error *err)
{
    while (*salt == 0) {
        if (getrandom(salt, sizeof *salt, 0) != (ssize_t)sizeof *salt && errno != EINTR) {
            return error_set(err, STATUS_IO, errno, "could not get random bytes for a segment");
        }
    }
    return STATUS_OK;
}

enum status segment_create(const char *folder, struct segment_header *head, struct file *f, struct error *err)
{
    char path[SEGMENT_PATH_BYTES];
    char temp[SEGMENT_PATH_BYTES + 8];
    segment_path(path, folder, head->idx);
    snprintf(temp, sizeof temp, "%s.tmp", path);
    *f = FILE_CLOSED;
    TRY(salt_choose(&head->salt, err));
    if (file_exists(path)) {
        return error_set(err, STATUS_CORRUPT, 0, "could not make log segment %s: it exists already", path);
    }
    uint8_t page[SEGMENT_HEADER_BYTES];
    page_encode(page, head);
    enum status st;
    struct file_options options = {.write = true, .create = true, .truncate = true};
    TRY_GOTO(failed, file_open(f, temp, options, err));
    TRY_GOTO(failed, file_write_at(f, 0, page, sizeof page, err));
    TRY_GOTO(failed, file_sync(f, err));
    TRY_GOTO(failed, file_rename(temp, path, err));
    snprintf(f->path, sizeof f->path, "%s", path);
    return STATUS_OK;
failed:
    file_close(f);
    return st;
}

enum status segment_fault(struct error *err, const char *path, uint64_t offset, struct block_fault fault)
{
    return error_set(err, STATUS_CORRUPT, 0,
                     "could not read log segment %s at offset %llu: %s: expected %#llx, found %#llx; restore the "
                     "segment from a backup, or move log and state away and load anew from the source",
                     path, (unsigned long long)offset, fault.what, (unsigned long long)fault.expected,
                     (unsigned long long)fault.found);
}

static enum status page_decode(const uint8_t *page, const char *path, uint64_t idx, struct segment_header *head,
                               struct error *err)
{
    if (memcmp(page, segment_magic, sizeof segment_magic) != 0) {
        struct block_fault fault = {"segment magic", load_le64(segment_magic), load_le64(page)};
        return segment_fault(err, path, 0, fault);
    }
    uint64_t checksum = checksum_xxh3(page, CHECKSUM_AT);
    if (checksum != load_le64(page + CHECKSUM_AT)) {
        struct block_fault fault = {"segment header checksum", load_le64(page + CHECKSUM_AT), checksum};
        return segment_fault(err, path, 0, fault);
    }
    if (load_le32(page + 8) != SEGMENT_FORMAT_VERSION) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "could not read log segment %s: it is of format %u, this program knows %d", path,
                         load_le32(page + 8), SEGMENT_FORMAT_VERSION);
    }
    if (load_le64(page + 16) != idx) {
        return segment_fault(err, path, 16, (struct block_fault){"segment index", idx, load_le64(page + 16)});
    }
    *head = (struct segment_header){
        .idx = idx,
        .salt = load_le64(page + 24),
        .seq_first = load_le64(page + 32),
        .block_first = load_le64(page + 40),
        .prev_bytes = load_le64(page + 48),
        .prev_chain = load_le64(page + 56),
        .prev_raw_bytes = load_le64(page + 64),
        .continues = load_le64(page + 72) == 1,
        .checksum = checksum,
    };
    return STATUS_OK;
}

enum status segment_open(const char *folder, uint64_t idx, bool write, struct file *f, struct segment_header *head,
                         struct error *err)
{
    char path[SEGMENT_PATH_BYTES];
    segment_path(path, folder, idx);
    TRY(file_open(f, path, (struct file_options){.write = write}, err));
    uint8_t page[SEGMENT_HEADER_BYTES];
    size_t got;
    enum status st = file_read_at(f, 0, page, sizeof page, &got, err);
    if (st == STATUS_END) {
        st = segment_fault(err, path, got, (struct block_fault){"bytes of header", sizeof page, got});
    } else if (st == STATUS_OK) {
        st = page_decode(page, path, idx, head, err);
    }
    if (st != STATUS_OK) {
        file_close(f);
    }
    return st;
}

/* Looks at one place where a header may be. */
static enum status proof_try(struct block_coder *c, const struct file *f, uint64_t offset, uint64_t bytes,
                             uint64_t salt, uint64_t block_no, bool *proof, struct error *err)
{
    struct block_header h;
    struct block_fault fault;
    struct bytes payload;
    enum status st = block_header_read(f, offset, bytes, salt, &h, &fault, err);
    if (st == STATUS_OK && h.blocks_durable > block_no) {
        st = block_payload_read(c, f, offset, &h, salt, &payload, &fault, err);
        *proof = st == STATUS_OK;
    }
    return st == STATUS_IO ? st : STATUS_OK;
}

enum status segment_proof_find(struct block_coder *c, const struct file *f, uint64_t from, uint64_t bytes,
                               uint64_t salt, uint64_t block_no, bool *proof, struct error *err)
{
    assert(from % BLOCK_ALIGN_BYTES == 0);
    *proof = false;
    uint8_t *window = mem_alloc(PROOF_WINDOW_BYTES);
    uint8_t mark[16];
    size_t got = 0;
    enum status st = STATUS_OK;
    memcpy(mark, "LFB1", 4);
    store_le64(mark + 8, salt);
    for (uint64_t at = from; at < bytes && st == STATUS_OK && !*proof; at += PROOF_WINDOW_BYTES - BLOCK_ALIGN_BYTES) {
        size_t want = bytes - at < PROOF_WINDOW_BYTES ? (size_t)(bytes - at) : PROOF_WINDOW_BYTES;
        st = file_read_at(f, at, window, want, &got, err);
        st = st == STATUS_END ? STATUS_OK : st;
        for (size_t i = 0; i + 16 <= got && st == STATUS_OK && !*proof; i += BLOCK_ALIGN_BYTES) {
            if (memcmp(window + i, mark, 4) == 0 && memcmp(window + i + 8, mark + 8, 8) == 0) {
                st = proof_try(c, f, at + i, bytes, salt, block_no, proof, err);
            }
        }
    }
    mem_free(window);
    return st;
}

bool segment_block_follows(const struct block_header *h, uint64_t block_no, uint64_t seq, uint64_t chain,
                           struct block_fault *fault)
{
    if (h->block_no != block_no) {
        *fault = (struct block_fault){"block number", block_no, h->block_no};
        return false;
    }
    if (h->seq_first != seq) {
        *fault = (struct block_fault){"first commit of the block", seq, h->seq_first};
        return false;
    }
    if (h->chain_prev != chain) {
        *fault = (struct block_fault){"checksum of the block before", chain, h->chain_prev};
        return false;
    }
    return true;
}
