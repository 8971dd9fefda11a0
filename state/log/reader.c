/* Reading commits in order: from the ring where the block is in memory, else from disk. A chunk is handed out when
 * its commit is known to be complete: the complete part of a block at once; what is behind it when a later block ends
 * the commit. Where the next block does not continue it, it was abandoned and is passed over. */
#include "base/memory.h"
#include "state/log/inner.h"

#include <assert.h>

/* Read-back blocks kept for reuse. */
enum { READER_SPARES_MAX = 8 };

struct log_reader {
    struct log *log;
    struct memblock *block; /* being handed out; NULL before the first */
    uint32_t pos;
    uint32_t limit; /* chunks up to here are of complete commits */
    uint64_t seq;   /* of the chunk at pos */
    uint64_t segment_idx;
    uint64_t block_offset;
    uint64_t from_seq;  /* chunks of earlier commits in the first block are passed over */
    uint64_t next_no;   /* block to take after `block` */
    bool commit_joined; /* the commit at the end of `block` is complete in a later block */
    bool look_begun;    /* `look` has passed headers behind `block` */
    struct cursor cursor;
    struct cursor look;
    struct memblock **held; /* handed out since the last recycle */
    size_t held_count;
    size_t held_capacity;
    struct memblock *spares[READER_SPARES_MAX];
    size_t spare_count;
};

static bool in_memory(const struct log_reader *r, uint64_t block_no)
{
    return !r->log->read_only && block_no >= r->log->ring_first;
}

/* Moves `c` behind the reader's block, where it is not there yet. */
static enum status cursor_catch_up(struct log_reader *r, struct cursor *c, struct error *err)
{
    uint64_t no = r->block == NULL ? r->next_no : r->block->head.block_no + 1;
    if (c->file.fd >= 0 && c->block_no == no) {
        return STATUS_OK;
    }
    /* A block with an evicted successor is durable, so its place is known. */
    assert(r->block != NULL && atomic_load(&r->block->durable));
    return cursor_seek_behind(c, r->block, err);
}

static struct memblock *spare_take(struct log_reader *r, size_t needed)
{
    for (size_t i = r->spare_count; i-- > 0;) {
        if (r->spares[i]->capacity >= needed) {
            struct memblock *b = r->spares[i];
            r->spares[i] = r->spares[--r->spare_count];
            return b;
        }
    }
    return memblock_new(NULL, needed);
}

static enum status block_read(struct log_reader *r, struct memblock **out, struct error *err)
{
    TRY(cursor_catch_up(r, &r->cursor, err));
    struct block_header h;
    TRY(cursor_peek(&r->cursor, &h, err));
    struct memblock *b = spare_take(r, h.raw_len);
    enum status st = cursor_load(&r->cursor, &h, b, err);
    if (st != STATUS_OK) {
        memblock_unref(b);
        return st;
    }
    cursor_step(&r->cursor, &h);
    if (r->log->read_only && memblock_seq_next(b) > log_seq_next(r->log)) {
        atomic_store(&r->log->seq_next, memblock_seq_next(b));
        atomic_store(&r->log->shared->durable_seq_next, memblock_seq_next(b));
    }
    *out = b;
    return STATUS_OK;
}

/* Damage in the content of the reader's block. */
static enum status block_fault_set(const struct log_reader *r, const char *what, uint64_t expected, uint64_t found,
                                   struct error *err)
{
    char path[SEGMENT_PATH_BYTES];
    segment_path(path, r->log->path, r->segment_idx);
    return segment_fault(err, path, r->block_offset, (struct block_fault){what, expected, found});
}

/* The first block: passes over the commits before from_seq. */
static enum status from_seq_skip(struct log_reader *r, struct error *err)
{
    const struct memblock *b = r->block;
    assert(r->from_seq <= memblock_seq_next(b));
    while (r->seq < r->from_seq) {
        size_t len;
        bool last;
        size_t n = block_frame_decode(bytes_of(b->data + r->pos, b->head.complete_len - r->pos), &len, &last);
        if (n == 0) {
            return block_fault_set(r, "commits in the block", b->head.commits_ended, r->seq - b->head.seq_first, err);
        }
        r->pos += (uint32_t)(n + len);
        r->seq += last ? 1 : 0;
    }
    r->limit = r->pos;
    return STATUS_OK;
}

static void block_hold(struct log_reader *r, struct memblock *b)
{
    if (r->block != NULL) {
        mem_grow(&r->held, &r->held_capacity, r->held_count + 1, sizeof *r->held);
        r->held[r->held_count++] = r->block;
    }
    r->block = b;
    if (atomic_load(&b->durable)) {
        r->segment_idx = b->place.segment_idx;
        r->block_offset = b->place.offset;
    } else {
        struct log_watermark end = log_watermark(r->log);
        r->segment_idx = end.segment_idx;
        r->block_offset = end.offset;
    }
}

static enum status block_next(struct log_reader *r, struct error *err)
{
    struct memblock *b;
    bool first = r->block == NULL;
    if (in_memory(r, r->next_no)) {
        if (r->next_no == r->log->ring_end) {
            return STATUS_END;
        }
        b = ring_block(r->log, r->next_no);
        memblock_ref(b);
    } else {
        TRY(block_read(r, &b, err));
    }
    assert(b->head.block_no == r->next_no);
    block_hold(r, b);
    r->next_no++;
    r->pos = 0;
    r->limit = 0;
    r->look_begun = false;
    r->seq = b->head.seq_first;
    if (first) {
        return from_seq_skip(r, err);
    }
    if (b->head.continues != r->commit_joined && b->head.commits_ended > 0) {
        return block_fault_set(r, "block that goes on with a commit", r->commit_joined, b->head.continues, err);
    }
    /* A whole block of the middle of a commit is handed out where that is complete, else passed over. */
    if (b->head.continues && b->head.commits_ended == 0 && b->sealed) {
        r->pos = r->commit_joined ? 0 : b->head.raw_len;
        r->limit = b->head.raw_len;
    } else {
        r->commit_joined = false;
    }
    return STATUS_OK;
}

/* Continues and commits_ended of block `no`. */
static enum status block_look(struct log_reader *r, uint64_t no, bool *continues, bool *ends, struct error *err)
{
    struct block_header h;
    if (in_memory(r, no)) {
        if (no == r->log->ring_end) {
            return STATUS_END;
        }
        h = ring_block(r->log, no)->head;
    } else {
        if (!r->look_begun) {
            r->look.block_no = UINT64_MAX;
            TRY(cursor_catch_up(r, &r->look, err));
            r->look_begun = true;
        }
        assert(r->look.block_no == no);
        TRY(cursor_peek(&r->look, &h, err));
        if (h.continues && h.commits_ended == 0) {
            cursor_step(&r->look, &h);
        }
    }
    *continues = h.continues;
    *ends = h.commits_ended > 0;
    return STATUS_OK;
}

/* Does a later block end the commit at the end of this one? STATUS_END where that is not known yet. */
static enum status commit_look(struct log_reader *r, bool *complete, struct error *err)
{
    if (!r->log->read_only && r->seq == log_seq_next(r->log)) {
        return STATUS_END;
    }
    uint64_t no = r->look_begun ? r->look.block_no : r->next_no;
    for (;; no++) {
        bool continues;
        bool ends;
        TRY(block_look(r, no, &continues, &ends, err));
        if (!continues || ends) {
            *complete = continues;
            return STATUS_OK;
        }
    }
}

/* All chunks up to limit are handed out: finds more. */
static enum status reader_advance(struct log_reader *r, struct error *err)
{
    while (r->pos == r->limit) {
        const struct memblock *b = r->block;
        if (b == NULL) {
            TRY(block_next(r, err));
            continue;
        }
        if (r->limit < b->head.complete_len) {
            r->limit = b->head.complete_len;
            return STATUS_OK;
        }
        if (r->limit == b->head.complete_len && r->seq != memblock_seq_next(b)) {
            return block_fault_set(r, "commit at the end of the block", memblock_seq_next(b), r->seq, err);
        }
        if (!b->sealed) {
            return STATUS_END;
        }
        if (r->limit < b->head.raw_len) {
            bool complete;
            TRY(commit_look(r, &complete, err));
            r->commit_joined = complete;
            r->limit = b->head.raw_len;
            r->pos = complete ? r->pos : r->limit;
            continue;
        }
        TRY(block_next(r, err));
    }
    return STATUS_OK;
}

enum status log_reader_next(struct log_reader *r, struct store_chunk *out, struct error *err)
{
    if (r->pos == r->limit) {
        TRY(reader_advance(r, err));
    }
    size_t len;
    bool last;
    const uint8_t *at = r->block->data + r->pos;
    size_t n = block_frame_decode(bytes_of(at, r->limit - r->pos), &len, &last);
    if (n == 0) {
        return block_fault_set(r, "a chunk frame within the block of bytes", r->limit, r->pos, err);
    }
    out->data = bytes_of(at + n, len);
    out->seq = r->seq;
    out->last = last;
    out->segment_idx = r->segment_idx;
    out->block_offset = r->block_offset;
    r->pos += (uint32_t)(n + len);
    r->seq += last ? 1 : 0;
    return STATUS_OK;
}

void log_reader_recycle(struct log_reader *r)
{
    for (size_t i = 0; i < r->held_count; i++) {
        struct memblock *b = r->held[i];
        bool own = atomic_load(&b->refs) == 1;
        if (own && r->spare_count < READER_SPARES_MAX && b->capacity >= BLOCK_RAW_BYTES &&
            b->capacity <= 2 * BLOCK_RAW_BYTES) {
            r->spares[r->spare_count++] = b;
        } else {
            memblock_unref(b);
        }
    }
    r->held_count = 0;
}

void log_reader_close(struct log_reader *r)
{
    if (r == NULL) {
        return;
    }
    log_reader_recycle(r);
    memblock_unref(r->block);
    for (size_t i = 0; i < r->spare_count; i++) {
        memblock_unref(r->spares[i]);
    }
    cursor_release(&r->cursor);
    cursor_release(&r->look);
    mem_free(r->held);
    mem_free(r);
}

/* Does the block have a chunk of commit `seq` or of a later one? */
static bool holds(const struct block_header *h, uint64_t seq)
{
    return block_seq_next(h) > seq || (block_seq_next(h) == seq && block_has_tail(h));
}

/* True where the beginning of commit `seq` is in the ring (or is to be there), and then its block. */
static bool ring_find(const struct log *log, uint64_t seq, uint64_t *block_no)
{
    const struct block_header *first = &ring_block(log, log->ring_first)->head;
    if (first->seq_first > seq || (first->seq_first == seq && first->continues)) {
        return false;
    }
    uint64_t no = log->ring_first;
    while (no + 1 < log->ring_end && !holds(&ring_block(log, no)->head, seq)) {
        no++;
    }
    *block_no = no;
    return true;
}

/* Walks headers to the block in which commit from_seq begins. */
static enum status disk_find(struct log_reader *r, struct error *err)
{
    struct cursor *c = &r->cursor;
    TRY(cursor_seek(c, segments_find(r->log, r->from_seq), err));
    while (!in_memory(r, c->block_no)) {
        struct block_header h;
        enum status st = cursor_peek(c, &h, err);
        if (st == STATUS_END) {
            break;
        }
        TRY(st);
        if (holds(&h, r->from_seq)) {
            break;
        }
        cursor_step(c, &h);
    }
    r->next_no = c->block_no;
    return STATUS_OK;
}

enum status log_reader_open(struct log *log, uint64_t from_seq, struct log_reader **out, struct error *err)
{
    *out = NULL;
    if (log->read_only) {
        TRY(log_refresh(log, err));
    }
    if (from_seq > log_seq_next(log)) {
        return error_set(err, STATUS_INVALID, 0, "could not read the log from commit %llu: it has %llu",
                         (unsigned long long)from_seq, (unsigned long long)log_seq_next(log));
    }
    struct log_reader *r = mem_zalloc(sizeof *r);
    r->log = log;
    r->from_seq = from_seq;
    cursor_init(&r->cursor, log);
    cursor_init(&r->look, log);
    enum status st = STATUS_OK;
    if (log->read_only || !ring_find(log, from_seq, &r->next_no)) {
        st = disk_find(r, err);
    }
    if (st == STATUS_OK && in_memory(r, r->next_no)) {
        st = block_next(r, err); /* held from now on, since it may be evicted before the first read */
    }
    if (st != STATUS_OK) {
        log_reader_close(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}
