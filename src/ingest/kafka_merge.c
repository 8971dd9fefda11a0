/* Without a transaction topic: what several partitions of one topic have, in the source's order.
 *
 * All records of a row lie in one partition, until partitions are added: then its key may belong to another one, and
 * what was written there first must not come last. So a record waits in its partition's list until every other
 * partition of the topic has been read past its place in the source, or to its end as the last fetch told it. (On two
 * brokers that may be fetch.wait.max.ms ago: two changes of a row within that time, between which its key moves, may
 * still change places.)
 *
 * Invariants: a partition's place never goes back and is not before any of its records that wait. So of those that
 * have more to read the one that is furthest behind keeps nothing waiting and is not held back, and goes on. Topics of
 * one partition do not come here. */
#include "ingest/kafka.h"

#include <stdio.h>

/* Later than any record's. */
static const struct kafka_place last_place = {.commit_lsn = UINT64_MAX, .lsn = UINT64_MAX};

void kafka_merge_place(struct kafka_partition *p, struct kafka_entry *e)
{
    p->arrived = kafka_place_is_before(p->arrived, e->place) ? e->place : p->arrived;
    e->place = p->arrived;
}

/* Whether it has more to read. One that went away with its topic has not. */
static bool is_behind(const struct kafka *k, const struct kafka_partition *p)
{
    if ((k->options.once && p->once_done) || (!p->assigned && !p->held_back)) {
        return false;
    }
    uint64_t at = p->ends > p->next ? p->ends : p->next;
    int64_t end = kafka_partition_end(k, p);
    return end > 0 && at < (uint64_t)end;
}

/* The one that has more to read and is furthest behind; NULL where all are at their ends. */
static const struct kafka_partition *furthest_behind(const struct kafka *k, const struct kafka_topic *t)
{
    const struct kafka_partition *last = NULL;
    for (size_t i = 0; i < t->partition_count; i++) {
        const struct kafka_partition *p = t->partitions[i];
        if (is_behind(k, p) && (last == NULL || kafka_place_is_before(p->arrived, last->arrived))) {
            last = p;
        }
    }
    return last;
}

/* Records up to and with those at `until` go to the batch. */
static void release(struct kafka *k, struct kafka_partition *p, struct kafka_place until)
{
    size_t count = kafka_list_count(&p->held);
    size_t done = 0;
    for (; done < count; done++) {
        const struct kafka_entry *e = kafka_list_at(&p->held, done);
        if (kafka_place_is_before(until, e->place)) {
            break;
        }
        struct kafka_entry moved = *e;
        moved.items_at = k->batch.items_base + k->batch.items.len;
        buffer_append(&k->batch.items, kafka_list_items(&p->held, e).data, e->items_len);
        kafka_list_add(&k->batch, &moved);
    }
    kafka_list_drop(&p->held, done);
}

static void describe_wait(struct kafka *k, const struct kafka_topic *t, const struct kafka_partition *behind)
{
    snprintf(k->waiting_detail, sizeof k->waiting_detail,
             "topic \"%.150s\": rows wait for those of partition %d, which is behind, so that they stay in order",
             t->name, (int)behind->number);
}

/* Returns the bytes that go on waiting. */
static size_t release_topic(struct kafka *k, const struct kafka_topic *t)
{
    size_t waiting = 0;
    const struct kafka_partition *behind = furthest_behind(k, t);
    for (size_t i = 0; i < t->partition_count; i++) {
        struct kafka_partition *p = t->partitions[i];
        if (kafka_list_count(&p->held) > 0) {
            release(k, p, behind == NULL ? last_place : behind->arrived);
            waiting += kafka_list_bytes(&p->held);
        }
    }
    if (waiting > 0 && behind != NULL) {
        describe_wait(k, t, behind);
    }
    return waiting;
}

enum status kafka_merge(struct kafka *k, struct error *err)
{
    size_t waiting = 0;
    k->waiting_detail[0] = '\0';
    for (uint32_t i = 0; i < k->topic_count; i++) {
        waiting += k->topics[i].partition_count > 1 ? release_topic(k, &k->topics[i]) : 0;
    }
    for (size_t i = 0; i < k->partition_count; i++) {
        struct kafka_partition *p = k->partitions[i];
        TRY(kafka_partition_bound(k, p, kafka_list_count(&p->held) > 0, waiting, k->queue_bytes_max, err));
    }
    return STATUS_OK;
}
