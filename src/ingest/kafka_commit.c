/* Entries into commits, and what the group is told of them.
 *
 * Without a transaction topic: what a poll has found is put in the source's order as far as the records show it (newest
 * commit before their transaction, LSN; a record that does not say keeps its place behind the one before it in its
 * partition), and neighbours of one transaction id are a commit. A transaction whose records come in two polls is two
 * commits.
 *
 * Invariants: a commit's positions are behind exactly the records that it and earlier commits have. The group is told
 * only of positions that are on disk. */
#include "ingest/kafka.h"

#include "base/clock.h"
#include "base/memory.h"
#include "event/event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OFFSETS_INTERVAL_US = 1000000, FAREWELL_MS = 1000 };

struct kafka_order {
    struct kafka_place place;
    size_t idx; /* as arrived */
};

/* ---- one commit ---- */

static enum status hand_over(struct kafka *k, bool last, struct error *err)
{
    uint64_t seq = 0;
    TRY(k->options.output.append(k->options.output.ctx, buffer_bytes(&k->out), last, &seq, err));
    buffer_reset(&k->out);
    k->chunk_handed = !last;
    if (last) {
        k->seq_handed = seq + 1;
    }
    return STATUS_OK;
}

void kafka_commit_begin(struct kafka *k, int64_t time_us, uint64_t xid)
{
    assert(!k->commit_begun && !k->chunk_handed && k->out.len == 0);
    event_append_commit(&k->out, time_us, xid);
    k->commit_begun = true;
    k->commit_xid = xid;
    k->commit_time_us = time_us != 0 ? time_us : k->commit_time_us;
}

static enum status append_items(struct kafka *k, struct bytes items, struct error *err)
{
    if (k->out.len + items.len > SOURCE_CHUNK_BYTES_MAX - SOURCE_CHUNK_BYTES / 4) {
        TRY(hand_over(k, false, err));
    }
    buffer_append(&k->out, items.data, items.len);
    return k->out.len < SOURCE_CHUNK_BYTES ? STATUS_OK : hand_over(k, false, err);
}

void kafka_commit_moved(struct kafka *k, struct kafka_partition *p, uint64_t next, uint64_t check)
{
    p->handed = next;
    p->handed_check = check;
    p->handed_any = true;
    k->moved_any = true;
    kafka_commit_note(k, p);
}

void kafka_commit_note(struct kafka *k, struct kafka_partition *p)
{
    if (!p->moved) {
        p->moved = true;
        mem_grow(&k->moved, &k->moved_capacity, k->moved_count + 1, sizeof(struct kafka_partition *));
        k->moved[k->moved_count] = p;
        k->moved_count += 1;
    }
}

enum status kafka_commit_add(struct kafka *k, const struct kafka_list *list, const struct kafka_entry *e,
                             struct error *err)
{
    if (e->items_len > 0) {
        if (k->schemas.len > 0) {
            TRY(append_items(k, buffer_bytes(&k->schemas), err));
            buffer_reset(&k->schemas);
        }
        TRY(append_items(k, kafka_list_items(list, e), err));
    }
    kafka_commit_moved(k, e->partition, e->next, e->check);
    return STATUS_OK;
}

enum status kafka_commit_end(struct kafka *k, bool checks, struct error *err)
{
    for (size_t i = 0; i < k->moved_count; i++) {
        struct kafka_partition *p = k->moved[i];
        event_append_position(&k->out, p->position_name, p->handed);
        if (checks) {
            event_append_position(&k->out, p->check_name, p->handed_check);
        }
        if (p->unread_changed) {
            event_append_position(&k->out, p->unread_name, p->unread_lsn);
            p->unread_changed = false;
        }
        p->moved = false;
    }
    if (k->newest_changed || (k->whole && !k->read_whole_noted)) {
        event_append_position(&k->out, "kafka.transaction_lsn", k->newest_lsn);
        event_append_position(&k->out, "kafka.transaction_ms", k->newest_ms);
        if (k->unwhole_lsn != 0) {
            event_append_position(&k->out, "kafka.unwhole_lsn", k->unwhole_lsn);
        }
        k->newest_changed = false;
        k->read_whole_noted = true;
    }
    k->moved_count = 0;
    k->moved_any = false;
    TRY(hand_over(k, true, err));
    k->commit_begun = false;
    return STATUS_OK;
}

/* ---- a poll's entries ---- */

static int compare_orders(const void *a, const void *b)
{
    const struct kafka_order *x = a;
    const struct kafka_order *y = b;
    if (kafka_place_is_before(x->place, y->place)) {
        return -1;
    }
    if (kafka_place_is_before(y->place, x->place)) {
        return 1;
    }
    return x->idx < y->idx ? -1 : x->idx > y->idx;
}

/* Never before the one before it in its partition. */
static void place(struct kafka *k, const struct kafka_entry *e, size_t idx, struct kafka_order *out)
{
    struct kafka_partition *p = e->partition;
    if (p->batch_serial != k->batch_serial) {
        p->batch_serial = k->batch_serial;
        p->order = (struct kafka_place){0};
    }
    p->order = kafka_place_is_before(p->order, e->place) ? e->place : p->order;
    *out = (struct kafka_order){.place = p->order, .idx = idx};
}

static void put_in_order(struct kafka *k, size_t count)
{
    bool ordered = true;
    mem_grow(&k->orders, &k->order_capacity, count + 1, sizeof *k->orders);
    k->batch_serial += 1;
    for (size_t i = 0; i < count; i++) {
        place(k, kafka_list_at(&k->batch, i), i, &k->orders[i]);
        ordered = ordered && (i == 0 || compare_orders(&k->orders[i - 1], &k->orders[i]) < 0);
    }
    if (!ordered) {
        qsort(k->orders, count, sizeof *k->orders, compare_orders);
    }
}

enum status kafka_commit_batch(struct kafka *k, struct error *err)
{
    size_t count = kafka_list_count(&k->batch);
    if (count == 0) {
        return STATUS_OK;
    }
    put_in_order(k, count);
    for (size_t i = 0; i < count; i++) {
        const struct kafka_entry *e = kafka_list_at(&k->batch, k->orders[i].idx);
        if (e->items_len > 0 && k->commit_begun && e->xid != k->commit_xid) {
            TRY(kafka_commit_end(k, false, err));
        }
        if (e->items_len > 0 && !k->commit_begun) {
            kafka_commit_begin(k, e->time_us, e->xid);
        }
        TRY(kafka_commit_add(k, &k->batch, e, err));
    }
    kafka_list_drop(&k->batch, count);
    return k->commit_begun ? kafka_commit_end(k, true, err) : STATUS_OK;
}

/* ---- the group ---- */

static rd_kafka_topic_partition_list_t *offsets_now(const struct kafka *k)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)k->partition_count);
    for (size_t i = 0; i < k->partition_count; i++) {
        const struct kafka_partition *p = k->partitions[i];
        if (p->handed_any) {
            uint64_t offset = p->next == p->handed && p->ends > p->handed ? p->ends : p->handed;
            rd_kafka_topic_partition_list_add(list, p->topic->name, p->number)->offset = (int64_t)offset;
        }
    }
    return list;
}

enum status kafka_commit_finish(struct kafka *k, struct error *err)
{
    if (!k->commit_begun && (k->moved_any || k->newest_changed)) {
        kafka_commit_begin(k, 0, 0);
        TRY(kafka_commit_end(k, true, err));
    }
    if (k->offsets == NULL && k->seq_handed > k->offsets_seq_next && !k->commit_begun &&
        clock_mono_us() >= k->offsets_at_us) {
        k->offsets = offsets_now(k);
        k->offsets_seq_next = k->seq_handed;
    }
    return STATUS_OK;
}

void kafka_commit_acknowledge(struct kafka *k, uint64_t durable_seq_next)
{
    k->durable_seq_next = durable_seq_next;
    if (k->offsets == NULL || durable_seq_next < k->offsets_seq_next) {
        return;
    }
    if (k->offsets->cnt > 0) {
        (void)rd_kafka_commit(k->client, k->offsets, 1); /* the answer comes to the callback */
    }
    rd_kafka_topic_partition_list_destroy(k->offsets);
    k->offsets = NULL;
    k->offsets_at_us = clock_mono_us() + OFFSETS_INTERVAL_US;
}

/* The last word, for those who look at the group while we are away. */
void kafka_commit_farewell(struct kafka *k)
{
    if (k->offsets != NULL) {
        rd_kafka_topic_partition_list_destroy(k->offsets);
        k->offsets = NULL;
    }
    if (!k->connected || k->seq_handed == 0 || k->durable_seq_next < k->seq_handed || k->commit_begun) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = offsets_now(k);
    rd_kafka_queue_t *answers = rd_kafka_queue_new(k->client);
    if (list->cnt > 0 && rd_kafka_commit_queue(k->client, list, answers, NULL, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_t *answer = rd_kafka_queue_poll(answers, FAREWELL_MS);
        if (answer != NULL) {
            rd_kafka_event_destroy(answer);
        }
    }
    rd_kafka_queue_destroy(answers);
    rd_kafka_topic_partition_list_destroy(list);
}
