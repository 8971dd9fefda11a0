/* Handing commits to the log, and which LSN is safe to acknowledge.
 *
 * Invariant: durable_lsn is the pg.lsn of a commit that is on disk. The source is never told of a later one: after a
 * restart the log is what we resume from. */
#include "ingest/postgres.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "event/event.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { QUARANTINE_RAW_BYTES_MAX = 1024 };

static enum status hand_over(struct postgres *p, size_t len, bool last, uint64_t *seq, struct error *err)
{
    const struct source_output *output = &p->options.output;
    TRY(output->append(output->ctx, bytes_of(p->out.data, len), last, seq, err));
    p->handed_bytes += len;
    memmove(p->out.data, p->out.data + len, p->out.len - len);
    p->out.len -= len;
    p->chunk_handed = !last;
    return STATUS_OK;
}

void postgres_commit_begin(struct postgres *p, int64_t time_us, uint64_t xid)
{
    assert(!p->commit_begun && !p->chunk_handed && p->out.len == 0);
    event_append_commit(&p->out, time_us, xid);
    p->commit_begun = true;
    p->commit_time_us = time_us != 0 ? time_us : p->commit_time_us;
}

static enum status hand_full_chunk(struct postgres *p, size_t mark, struct error *err)
{
    uint64_t seq;
    if (p->out.len > SOURCE_CHUNK_BYTES_MAX && mark > 0) {
        TRY(hand_over(p, mark, false, &seq, err));
    }
    return hand_over(p, p->out.len, false, &seq, err);
}

enum status postgres_commit_item(struct postgres *p, size_t mark, const char *origin, struct error *err)
{
    size_t item = p->out.len - mark;
    if (item > SOURCE_ITEM_BYTES_MAX) {
        char reason[128];
        snprintf(reason, sizeof reason, "a row of %zu bytes is larger than the log's limit of %d", item,
                 SOURCE_ITEM_BYTES_MAX);
        uint8_t raw[QUARANTINE_RAW_BYTES_MAX];
        memcpy(raw, p->out.data + mark, sizeof raw);
        p->out.len = mark;
        event_append_quarantine(&p->out, origin, reason, bytes_of(raw, sizeof raw));
        TRY(source_quarantined(&p->options.output, bytes_of(p->out.data + mark, p->out.len - mark), err));
    }
    return p->out.len < SOURCE_CHUNK_BYTES ? STATUS_OK : hand_full_chunk(p, mark, err);
}

static void remember(struct postgres *p, uint64_t seq, uint64_t lsn)
{
    if (p->ring_count ==
        POSTGRES_RING) { /* the newest entries become one: its earlier commits are acknowledged a little later */
        p->ring_count -= 1;
    }
    p->ring[(p->ring_first + p->ring_count) % POSTGRES_RING] = (struct postgres_pending){.seq = seq, .lsn = lsn};
    p->ring_count += 1;
}

enum status postgres_commit_end(struct postgres *p, uint64_t lsn, struct error *err)
{
    assert(p->commit_begun && lsn >= p->position);
    event_append_position(&p->out, "pg.lsn", lsn);
    uint64_t seq = 0;
    TRY(hand_over(p, p->out.len, true, &seq, err));
    p->commit_begun = false;
    p->commit_number += 1;
    p->position = lsn;
    p->position_known = true;
    p->position_wanted = false;
    remember(p, seq, lsn);
    return STATUS_OK;
}

enum status postgres_commit_abandon(struct postgres *p, struct error *err)
{
    buffer_reset(&p->out);
    arena_reset(&p->scratch);
    if (p->commit_begun) {
        pgrelation_forget(&p->relations, p->commit_number);
        p->commit_number += 1;
    }
    p->commit_begun = false;
    p->chunk_handed = false;
    return p->options.output.abandon(p->options.output.ctx, err);
}

enum status postgres_commit_position(struct postgres *p, uint64_t lsn, struct error *err)
{
    postgres_commit_begin(p, 0, 0);
    p->position_logged_us = clock_mono_us();
    return postgres_commit_end(p, lsn, err);
}

enum status postgres_commit_slot_made(struct postgres *p, bool made, struct error *err)
{
    postgres_commit_begin(p, 0, 0);
    event_append_position(&p->out, "pg.system_id", p->system_id);
    event_append_position(&p->out, "pg.timeline", p->timeline);
    uint64_t mark = made ? checksum_xxh3(p->options.slot, strlen(p->options.slot)) | 1 : 0;
    event_append_position(&p->out, "pg.slot_made", mark);
    TRY(hand_over(p, p->out.len, true, &p->slot_made_seq, err));
    p->commit_begun = false;
    p->commit_number += 1;
    p->slot_made = made;
    return STATUS_OK;
}

void postgres_commit_durable(struct postgres *p, uint64_t durable_seq_next)
{
    p->durable_seq_next = durable_seq_next;
    while (p->ring_count > 0 && p->ring[p->ring_first].seq < durable_seq_next) {
        uint64_t lsn = p->ring[p->ring_first].lsn;
        p->status_due = p->status_due || lsn > p->durable_lsn;
        p->durable_lsn = lsn > p->durable_lsn ? lsn : p->durable_lsn;
        p->ring_first = (p->ring_first + 1) % POSTGRES_RING;
        p->ring_count -= 1;
    }
}
