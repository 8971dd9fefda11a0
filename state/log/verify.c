/* Reads the whole log and checks all of it: pages, headers, payloads, chunks, numbers and the chain. */
#include "state/log/inner.h"

enum status log_verify(struct log *log, void (*progress)(void *ctx, uint64_t done, uint64_t all), void *ctx,
                       struct error *err)
{
    struct cursor c;
    cursor_init(&c, log);
    struct memblock *b = memblock_new(NULL, 0);
    uint64_t done = SEGMENT_HEADER_BYTES;
    uint64_t segment_idx = 0;
    bool commit_open = false;
    enum status st;
    TRY_GOTO(done, cursor_seek(&c, 0, err));
    for (;;) {
        struct block_header h;
        struct block_fault fault;
        TRY_GOTO(done, cursor_peek(&c, &h, err));
        if (h.raw_len > b->capacity) {
            memblock_unref(b);
            b = memblock_new(NULL, h.raw_len);
        }
        TRY_GOTO(done, cursor_load(&c, &h, b, err));
        if (!block_chunks_check(&h, b->data, &fault)) {
            TRY_GOTO(done, cursor_fault(&c, c.offset, fault, err));
        }
        if (h.continues && !commit_open) {
            fault = (struct block_fault){"a block that begins a commit", 0, 1};
            TRY_GOTO(done, cursor_fault(&c, c.offset, fault, err));
        }
        commit_open = block_has_tail(&h);
        cursor_step(&c, &h);
        done += block_bytes(&h);
        if (c.segment.head.idx != segment_idx) {
            done += (c.segment.head.idx - segment_idx) * SEGMENT_HEADER_BYTES;
            segment_idx = c.segment.head.idx;
        }
        if (progress != NULL) {
            progress(ctx, done, log_bytes(log));
        }
    }
done:
    memblock_unref(b);
    cursor_release(&c);
    return st == STATUS_END ? STATUS_OK : st;
}
