/* The list of segments, from segment 0 without gaps. All but the last are complete: the header of the next one, which
 * was made after they were synced, tells their length and their last checksum. */
#include "base/memory.h"
#include "state/log/inner.h"

#include <assert.h>

void segments_add(struct log *log, const struct segment_header *head)
{
    struct log_shared *s = log->shared;
    assert(head->idx == s->segment_count);
    if (s->segment_count > 0) {
        struct segment *prev = &s->segments[s->segment_count - 1];
        atomic_fetch_add(&s->bytes, head->prev_bytes - prev->bytes);
        prev->bytes = head->prev_bytes;
        prev->blocks = head->block_first - prev->head.block_first;
        prev->raw_bytes = head->prev_raw_bytes;
        prev->seq_next = head->seq_first;
    }
    mem_grow(&s->segments, &s->segment_capacity, s->segment_count + 1, sizeof *s->segments);
    s->segments[s->segment_count++] =
        (struct segment){.head = *head, .bytes = SEGMENT_HEADER_BYTES, .seq_next = head->seq_first};
    atomic_fetch_add(&s->bytes, SEGMENT_HEADER_BYTES);
}

bool segments_get(struct log *log, uint64_t idx, struct segment *out, bool *sealed)
{
    struct log_shared *s = log->shared;
    pthread_mutex_lock(&s->mutex);
    bool found = idx < s->segment_count;
    if (found) {
        *out = s->segments[idx];
        *sealed = idx + 1 < s->segment_count;
    }
    pthread_mutex_unlock(&s->mutex);
    return found;
}

static enum status file_bytes_of(const struct log *log, uint64_t idx, uint64_t *bytes, struct error *err)
{
    char path[SEGMENT_PATH_BYTES];
    segment_path(path, log->path, idx);
    struct file f;
    TRY(file_open(&f, path, (struct file_options){0}, err));
    enum status st = file_bytes(&f, bytes, err);
    file_close(&f);
    return st;
}

/* Holds the header of a segment against the segment before it. */
static enum status segment_link_check(struct log *log, const struct segment_header *head, struct error *err)
{
    char path[SEGMENT_PATH_BYTES];
    struct log_shared *s = log->shared;
    if (s->segment_count == 0) {
        segment_path(path, log->path, 0);
        return head->seq_first == 0 && head->block_first == 0
                   ? STATUS_OK
                   : segment_fault(err, path, 32, (struct block_fault){"first commit", 0, head->seq_first});
    }
    const struct segment_header *prev = &s->segments[s->segment_count - 1].head;
    uint64_t bytes;
    TRY(file_bytes_of(log, prev->idx, &bytes, err));
    segment_path(path, log->path, prev->idx);
    if (bytes != head->prev_bytes) {
        uint64_t at = bytes < head->prev_bytes ? bytes : head->prev_bytes;
        struct block_fault fault = {"bytes of the segment, by the header of the next", head->prev_bytes, bytes};
        return segment_fault(err, path, at, fault);
    }
    segment_path(path, log->path, head->idx);
    if (head->seq_first < prev->seq_first || head->block_first < prev->block_first) {
        struct block_fault fault = {"first commit not below that of the segment before", prev->seq_first,
                                    head->seq_first};
        return segment_fault(err, path, 32, fault);
    }
    return STATUS_OK;
}

/* Takes in the next segment; STATUS_NOT_FOUND where there is none. */
static enum status segment_load(struct log *log, struct error *err)
{
    struct file f;
    struct segment_header head;
    TRY(segment_open(log->path, log->shared->segment_count, false, &f, &head, err));
    file_close(&f);
    TRY(segment_link_check(log, &head, err));
    pthread_mutex_lock(&log->shared->mutex);
    segments_add(log, &head);
    pthread_mutex_unlock(&log->shared->mutex);
    return STATUS_OK;
}

enum status segments_refresh(struct log *log, struct error *err)
{
    struct error missing = {0};
    enum status st;
    while ((st = segment_load(log, &missing)) == STATUS_OK) {
    }
    if (st != STATUS_NOT_FOUND) {
        *err = missing;
        return st;
    }
    struct log_shared *s = log->shared;
    if (s->segment_count == 0) {
        *err = missing;
        return st;
    }
    if (!log->read_only) {
        return STATUS_OK;
    }
    struct segment *last = &s->segments[s->segment_count - 1];
    uint64_t bytes;
    TRY(file_bytes_of(log, last->head.idx, &bytes, err));
    atomic_fetch_add(&s->bytes, bytes - last->bytes);
    last->bytes = bytes;
    return STATUS_OK;
}

uint64_t segments_find(struct log *log, uint64_t seq)
{
    struct log_shared *s = log->shared;
    pthread_mutex_lock(&s->mutex);
    size_t i = s->segment_count - 1;
    while (i > 0) {
        const struct segment_header *head = &s->segments[i].head;
        if (head->seq_first < seq || (head->seq_first == seq && !head->continues)) {
            break;
        }
        i--;
    }
    pthread_mutex_unlock(&s->mutex);
    return i;
}

/* A read-only log has not counted the blocks of its last segment. */
static enum status segment_count_blocks(struct log *log, struct segment *segment, struct error *err)
{
    struct cursor c;
    cursor_init(&c, log);
    struct block_header h;
    enum status st = cursor_seek(&c, segment->head.idx, err);
    while (st == STATUS_OK) {
        st = cursor_peek(&c, &h, err);
        if (st == STATUS_OK && c.segment.head.idx == segment->head.idx) {
            cursor_step(&c, &h);
            segment->blocks++;
            segment->raw_bytes += h.raw_len;
            segment->seq_next = c.seq;
        } else if (st == STATUS_OK) {
            break;
        }
    }
    cursor_release(&c);
    return st == STATUS_END ? STATUS_OK : st;
}

enum status log_segments(struct log *log, int (*visit)(void *ctx, const struct store_segment *segment), void *ctx,
                         struct error *err)
{
    if (log->read_only) {
        TRY(segments_refresh(log, err));
    }
    struct segment segment;
    bool sealed;
    for (uint64_t idx = 0; segments_get(log, idx, &segment, &sealed); idx++) {
        if (log->read_only && !sealed) {
            TRY(segment_count_blocks(log, &segment, err));
        }
        struct store_segment out = {
            .seq_first = segment.head.seq_first,
            .seq_next = segment.seq_next,
            .bytes = segment.bytes,
            .blocks = segment.blocks,
            .raw_bytes = segment.raw_bytes,
        };
        char path[SEGMENT_PATH_BYTES];
        segment_path(path, log->path, idx);
        const char *name = strrchr(path, '/') + 1;
        memcpy(out.name, name, strlen(name) + 1);
        if (visit(ctx, &out) != 0) {
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}
