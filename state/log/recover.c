/* The end of the log after a crash. Only the last segment can have a torn tail: all others were synced before their
 * successor was made. The scan goes to the first byte that is not a valid block, P, and then
 *   - P below the watermark of the state: acknowledged data is damaged, stop;
 *   - a valid block behind P says that the block at P was durable: the same;
 *   - a valid block at P that does not continue the chain: no crash leaves that, stop;
 *   - otherwise it is a torn tail that nobody was told of: copied to NAME.torn-<n>, then cut off.
 * An unfinished commit before P stays where it is and is passed over by readers, since the next block written does not
 * continue it (append.c). What lies past the watermark may be in the page cache only, or be clean there without being
 * on disk (after a failed sync), so it is written again in its place and synced before anything is built on it. */
#include "base/memory.h"
#include "base/message.h"
#include "state/log/inner.h"

#include <assert.h>
#include <stdio.h>

enum { COPY_BYTES = 1024 * 1024, TORN_FILES_MAX = 10000 };

static enum status range_copy(const struct file *from, uint64_t begin, uint64_t end, const struct file *to,
                              uint64_t to_begin, struct error *err)
{
    uint8_t *data = mem_alloc(COPY_BYTES);
    enum status st = STATUS_OK;
    for (uint64_t at = begin; at < end && st == STATUS_OK; at += COPY_BYTES) {
        size_t n = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
        size_t got;
        st = file_read_at(from, at, data, n, &got, err);
        if (st == STATUS_END) {
            st = error_set(err, STATUS_IO, 0, "could not read %s: it became shorter", from->path);
        } else if (st == STATUS_OK) {
            st = file_write_at(to, to_begin + (at - begin), data, n, err);
        }
    }
    mem_free(data);
    return st;
}

static enum status torn_save(const struct log *log, const struct file *f, uint64_t from, uint64_t bytes,
                             struct error *err)
{
    char path[sizeof f->path + 32];
    unsigned n = 1;
    do {
        snprintf(path, sizeof path, "%s.torn-%u", f->path, n);
    } while (file_exists(path) && ++n < TORN_FILES_MAX);
    struct file copy = FILE_CLOSED;
    enum status st;
    struct file_options options = {.write = true, .create = true, .exclusive = true};
    TRY_GOTO(done, file_open(&copy, path, options, err));
    TRY_GOTO(done, range_copy(f, from, bytes, &copy, 0, err));
    TRY_GOTO(done, file_sync(&copy, err));
    TRY_GOTO(done, folder_sync(log->path, err));
    message_line(MESSAGE_WARN, "log", "cut %llu torn bytes off %s at offset %llu; they are kept in %s",
                 (unsigned long long)(bytes - from), f->path, (unsigned long long)from, path);
done:
    file_close(&copy);
    return st;
}

/* Cuts the file at `from`, unless what is there is known to have been durable. */
static enum status tail_cut(struct log *log, uint64_t from, uint64_t bytes, struct block_fault fault, struct error *err)
{
    struct log_writer *w = &log->writer;
    uint64_t idx = w->segment.head.idx;
    const struct log_watermark *mark = &log->watermark;
    if (mark->segment_idx > idx) {
        return recover_watermark_check(log, &w->segment, err);
    }
    if (mark->segment_idx == idx && from < mark->offset) {
        return segment_fault(err, w->file.path, from, fault);
    }
    bool proof;
    TRY(segment_proof_find(w->coder, &w->file, from + BLOCK_ALIGN_BYTES, bytes, w->segment.head.salt,
                           w->segment.head.block_first + w->segment.blocks, &proof, err));
    if (proof) {
        return segment_fault(err, w->file.path, from, fault);
    }
    TRY(torn_save(log, &w->file, from, bytes, err));
    TRY(file_truncate(&w->file, from, err));
    return file_sync(&w->file, err);
}

/* Counts the valid blocks of the last segment into w->segment. STATUS_CORRUPT with `fault` where one is not valid,
 * which may be a torn tail; STATUS_MISMATCH with `err` where a valid one is not the one that must follow. */
static enum status tail_scan(struct log_writer *w, uint64_t bytes, struct block_fault *fault, struct error *err)
{
    struct segment *segment = &w->segment;
    uint64_t salt = segment->head.salt;
    while (segment->bytes < bytes) {
        struct block_header h;
        struct bytes payload;
        TRY(block_header_read(&w->file, segment->bytes, bytes, salt, &h, fault, err));
        TRY(block_payload_read(w->coder, &w->file, segment->bytes, &h, salt, &payload, fault, err));
        uint64_t block_no = segment->head.block_first + segment->blocks;
        if (!segment_block_follows(&h, block_no, segment->seq_next, w->chain, fault)) {
            segment_fault(err, w->file.path, segment->bytes, *fault);
            return STATUS_MISMATCH;
        }
        segment->bytes += block_bytes(&h);
        segment->blocks++;
        segment->raw_bytes += h.raw_len;
        segment->seq_next = block_seq_next(&h);
        w->chain = h.checksum;
    }
    return STATUS_OK;
}

enum status recover_watermark_check(const struct log *log, const struct segment *last, struct error *err)
{
    const struct log_watermark *mark = &log->watermark;
    bool within =
        mark->segment_idx < last->head.idx || (mark->segment_idx == last->head.idx && mark->offset <= last->bytes);
    if (within && mark->seq_next <= last->seq_next) {
        return STATUS_OK;
    }
    return error_set(
        err, STATUS_CORRUPT, 0,
        "could not use log %s: the state was made from it up to commit %llu at segment %llu offset %llu, but "
        "it ends at commit %llu in segment %llu at offset %llu; restore the log from a backup, or move log "
        "and state away and load anew from the source",
        log->path, (unsigned long long)mark->seq_next, (unsigned long long)mark->segment_idx,
        (unsigned long long)mark->offset, (unsigned long long)last->seq_next, (unsigned long long)last->head.idx,
        (unsigned long long)last->bytes);
}

/* Writes the bytes past the watermark again, in their place, and syncs them. */
static enum status tail_renew(struct log *log, struct error *err)
{
    struct log_writer *w = &log->writer;
    uint64_t from = SEGMENT_HEADER_BYTES;
    if (log->watermark.segment_idx == w->segment.head.idx && log->watermark.offset > from) {
        from = log->watermark.offset;
    }
    if (from < w->segment.bytes) {
        TRY(range_copy(&w->file, from, w->segment.bytes, &w->file, from, err));
    }
    TRY(file_sync(&w->file, err));
    return folder_sync(log->path, err);
}

enum status recover_tail(struct log *log, struct error *err)
{
    struct log_shared *s = log->shared;
    struct log_writer *w = &log->writer;
    w->segment = s->segments[s->segment_count - 1];
    w->chain = w->segment.head.checksum;
    assert(w->segment.bytes == SEGMENT_HEADER_BYTES && w->segment.blocks == 0);
    struct segment_header head;
    TRY(segment_open(log->path, w->segment.head.idx, true, &w->file, &head, err));
    uint64_t bytes;
    TRY(file_bytes(&w->file, &bytes, err));
    struct block_fault fault;
    enum status st = tail_scan(w, bytes, &fault, err);
    if (st == STATUS_CORRUPT) {
        st = tail_cut(log, w->segment.bytes, bytes, fault, err);
    }
    TRY(st == STATUS_MISMATCH ? STATUS_CORRUPT : st);
    TRY(recover_watermark_check(log, &w->segment, err));
    TRY(tail_renew(log, err));
    atomic_fetch_add(&s->bytes, w->segment.bytes - s->segments[s->segment_count - 1].bytes);
    s->segments[s->segment_count - 1] = w->segment;
    s->end = (struct log_watermark){w->segment.head.idx, w->segment.bytes, w->segment.seq_next};
    w->blocks_durable = w->segment.head.block_first + w->segment.blocks;
    atomic_store(&s->durable_seq_next, w->segment.seq_next);
    return STATUS_OK;
}
