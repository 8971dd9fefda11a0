/* A walk over the blocks on disk, across segments; every step checks number, commit and checksum chain. */
#include "base/memory.h"
#include "state/log/inner.h"

#include <assert.h>

void cursor_init(struct cursor *c, struct log *log)
{
    *c = (struct cursor){.log = log, .file = FILE_CLOSED, .coder = block_coder_new()};
}

void cursor_release(struct cursor *c)
{
    file_close(&c->file);
    block_coder_free(c->coder);
    c->coder = NULL;
}

enum status cursor_fault(const struct cursor *c, uint64_t offset, struct block_fault fault, struct error *err)
{
    return segment_fault(err, c->file.path, offset, fault);
}

static enum status segment_use(struct cursor *c, uint64_t idx, struct error *err)
{
    file_close(&c->file);
    bool there = segments_get(c->log, idx, &c->segment, &c->sealed);
    assert(there);
    (void)there;
    struct segment_header head;
    enum status st = segment_open(c->log->path, idx, false, &c->file, &head, err);
    if (st == STATUS_NOT_FOUND) { /* it was there when the log was opened */
        err->status = STATUS_CORRUPT;
        return STATUS_CORRUPT;
    }
    TRY(st);
    if (head.checksum != c->segment.head.checksum) {
        struct block_fault fault = {"segment header checksum", c->segment.head.checksum, head.checksum};
        return cursor_fault(c, 0, fault, err);
    }
    return STATUS_OK;
}

enum status cursor_seek(struct cursor *c, uint64_t segment_idx, struct error *err)
{
    TRY(segment_use(c, segment_idx, err));
    const struct segment_header *head = &c->segment.head;
    c->offset = SEGMENT_HEADER_BYTES;
    c->block_no = head->block_first;
    c->seq = head->seq_first;
    c->chain = head->checksum;
    return STATUS_OK;
}

enum status cursor_seek_behind(struct cursor *c, const struct memblock *b, struct error *err)
{
    if (c->file.fd < 0 || c->segment.head.idx != b->place.segment_idx) {
        TRY(segment_use(c, b->place.segment_idx, err));
    }
    c->offset = b->place.offset_end;
    c->block_no = b->head.block_no + 1;
    c->seq = memblock_seq_next(b);
    c->chain = b->place.chain;
    return STATUS_OK;
}

/* From the end of a complete segment to the first block of the next. */
static enum status segment_next(struct cursor *c, struct error *err)
{
    uint64_t block_no = c->block_no;
    uint64_t seq = c->seq;
    uint64_t chain = c->chain;
    TRY(cursor_seek(c, c->segment.head.idx + 1, err));
    const struct segment_header *head = &c->segment.head;
    if (head->prev_chain != chain) {
        return cursor_fault(c, 56, (struct block_fault){"checksum of the segment before", chain, head->prev_chain},
                            err);
    }
    if (head->block_first != block_no) {
        return cursor_fault(c, 40, (struct block_fault){"first block", block_no, head->block_first}, err);
    }
    if (head->seq_first != seq) {
        return cursor_fault(c, 32, (struct block_fault){"first commit", seq, head->seq_first}, err);
    }
    return STATUS_OK;
}

static void segment_renew(struct cursor *c)
{
    bool there = segments_get(c->log, c->segment.head.idx, &c->segment, &c->sealed);
    assert(there);
    (void)there;
}

/* Reads and checks the block at the cursor. STATUS_CORRUPT sets `fault` only. */
static enum status block_check(struct cursor *c, bool with_payload, struct block_header *h, struct block_fault *fault,
                               struct error *err)
{
    uint64_t salt = c->segment.head.salt;
    TRY(block_header_read(&c->file, c->offset, c->segment.bytes, salt, h, fault, err));
    if (!segment_block_follows(h, c->block_no, c->seq, c->chain, fault)) {
        return STATUS_CORRUPT;
    }
    struct bytes payload;
    return with_payload ? block_payload_read(c->coder, &c->file, c->offset, h, salt, &payload, fault, err) : STATUS_OK;
}

/* A writer beside us may be in the middle of this block, or have died there: then it is the end for now. */
static enum status end_judge(struct cursor *c, struct block_fault fault, struct error *err)
{
    const struct log_watermark *w = &c->log->watermark;
    uint64_t idx = c->segment.head.idx;
    bool proof = w->segment_idx > idx || (w->segment_idx == idx && c->offset < w->offset);
    if (!proof) {
        TRY(segment_proof_find(c->coder, &c->file, c->offset + BLOCK_ALIGN_BYTES, c->segment.bytes,
                               c->segment.head.salt, c->block_no, &proof, err));
    }
    return proof ? cursor_fault(c, c->offset, fault, err) : STATUS_END;
}

enum status cursor_peek(struct cursor *c, struct block_header *h, struct error *err)
{
    bool refreshed = !c->log->read_only;
    segment_renew(c);
    for (;;) {
        bool at_end = c->offset >= c->segment.bytes;
        if (at_end && c->sealed) {
            TRY(segment_next(c, err));
            continue;
        }
        struct block_fault fault;
        bool growing = c->log->read_only && !c->sealed;
        enum status st = at_end ? STATUS_END : block_check(c, growing, h, &fault, err);
        if (st == STATUS_OK || st == STATUS_IO) {
            return st;
        }
        if (growing && !refreshed) {
            TRY(segments_refresh(c->log, err));
            segment_renew(c);
            refreshed = true;
            continue;
        }
        if (at_end) {
            return STATUS_END;
        }
        return growing ? end_judge(c, fault, err) : cursor_fault(c, c->offset, fault, err);
    }
}

void cursor_step(struct cursor *c, const struct block_header *h)
{
    assert(h->block_no == c->block_no);
    c->offset += block_bytes(h);
    c->block_no++;
    c->seq = block_seq_next(h);
    c->chain = h->checksum;
}

enum status cursor_load(struct cursor *c, const struct block_header *h, struct memblock *b, struct error *err)
{
    assert(h->block_no == c->block_no && h->raw_len <= b->capacity);
    struct bytes payload;
    struct block_fault fault;
    enum status st = block_payload_read(c->coder, &c->file, c->offset, h, c->segment.head.salt, &payload, &fault, err);
    if (st == STATUS_CORRUPT || (st == STATUS_OK && !block_payload_decode(c->coder, h, payload, b->data, &fault))) {
        return cursor_fault(c, c->offset, fault, err);
    }
    TRY(st);
    b->head = *h;
    b->sealed = true;
    atomic_store(&b->durable, true);
    b->place = (struct memblock_place){c->segment.head.idx, c->offset, c->offset + block_bytes(h), h->checksum};
    return STATUS_OK;
}
