/* Where a partition is read from, and whether anything is missing between the log and the broker.
 *
 * Invariant: reading begins at the log's position, or at the beginning where the log has none; never elsewhere. A gap
 * is a final error that tells how large it is. A topic made anew is found by its end, or by the record before the
 * position being another one than was read: that record is fetched once more, if it is still there, and what a
 * partition remembers of its newest record is learned from it anew. */
#include "ingest/kafka.h"

#include "base/memory.h"
#include "base/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CHECK_OFFSET_MASK = 0xffffff,
    PROBE_PARTITIONS = 256, /* that a topic made anew may have less */
    POSITION_DIGITS_MAX = 12
};

static const char begin_anew[] = "what the broker has cannot be joined to what the log has, so begin with an empty "
                                 "store and a new snapshot by Debezium";

uint64_t kafka_partition_check(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    uint64_t time = (uint64_t)rd_kafka_message_timestamp(message, &type);
    uint64_t h = (uint64_t)message->offset * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ time) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 31) ^ ((uint64_t)message->key_len << 32) ^ message->len) * UINT64_C(0x94d049bb133111eb);
    return (h & ~(uint64_t)CHECK_OFFSET_MASK) | ((uint64_t)message->offset & CHECK_OFFSET_MASK);
}

/* ---- known partitions ---- */

static void make_names(struct kafka_partition *p)
{
    size_t len = strlen(p->topic->name) + POSITION_DIGITS_MAX + sizeof ":.unread";
    p->position_name = mem_alloc(len);
    p->check_name = mem_alloc(len);
    p->unread_name = mem_alloc(len);
    snprintf(p->position_name, len, "%s:%" PRId32, p->topic->name, p->number);
    snprintf(p->check_name, len, "%s:%" PRId32 ".check", p->topic->name, p->number);
    snprintf(p->unread_name, len, "%s:%" PRId32 ".unread", p->topic->name, p->number);
    p->origin = mem_alloc(KAFKA_ORIGIN_BYTES);
    int head = snprintf(p->origin, KAFKA_ORIGIN_BYTES - BYTES_DIGITS_MAX - 1,
                        "topic %.256s partition %" PRId32 " offset ", p->topic->name, p->number);
    p->origin_head = (size_t)head;
}

static struct kafka_partition *get_partition(struct kafka *k, struct kafka_topic *t, int32_t number)
{
    for (size_t i = t->partition_count; i <= (size_t)number; i++) {
        struct kafka_partition *p = mem_zalloc(sizeof *p);
        p->topic = t;
        p->number = (int32_t)i;
        make_names(p);
        mem_grow(&t->partitions, &t->partition_capacity, i + 1, sizeof(struct kafka_partition *));
        t->partitions[i] = p;
        t->partition_count = i + 1;
        mem_grow(&k->partitions, &k->partition_capacity, k->partition_count + 1, sizeof(struct kafka_partition *));
        k->partitions[k->partition_count] = p;
        k->partition_count += 1;
    }
    return t->partitions[number];
}

void kafka_partition_free(struct kafka_partition *p)
{
    kafka_list_release(&p->held);
    mem_free(p->position_name);
    mem_free(p->check_name);
    mem_free(p->unread_name);
    mem_free(p->origin);
    mem_free(p);
}

/* ---- assignment ---- */

static enum status assign(struct kafka *k, const rd_kafka_topic_partition_list_t *list, bool on, struct error *err)
{
    if (list->cnt == 0) {
        return STATUS_OK;
    }
    rd_kafka_error_t *failed =
        on ? rd_kafka_incremental_assign(k->client, list) : rd_kafka_incremental_unassign(k->client, list);
    if (failed == NULL) {
        return STATUS_OK;
    }
    (void)error_set(err, STATUS_IO, 0, "could not %s Kafka partitions: %s", on ? "assign" : "leave",
                    rd_kafka_error_string(failed));
    rd_kafka_error_destroy(failed);
    return err->status;
}

static enum status assign_one(struct kafka *k, struct kafka_partition *p, bool on, int64_t offset, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, p->topic->name, p->number)->offset = offset;
    enum status st = p->assigned == on ? STATUS_OK : assign(k, list, on, err);
    p->assigned = st == STATUS_OK ? on : p->assigned;
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}

enum status kafka_partition_bound(struct kafka *k, struct kafka_partition *p, bool waits, size_t used, size_t limit,
                                  struct error *err)
{
    bool hold = waits && used > (p->held_back ? limit / 2 : limit);
    if (p->held_back == hold) {
        return STATUS_OK;
    }
    p->held_back = hold;
    p->look_back = false;
    return assign_one(k, p, !hold, (int64_t)p->next, err);
}

int64_t kafka_partition_end(const struct kafka *k, const struct kafka_partition *p)
{
    int64_t low;
    int64_t heard;
    if (rd_kafka_get_watermark_offsets(k->client, p->topic->name, p->number, &low, &heard) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return p->high;
    }
    return heard > p->high ? heard : p->high;
}

/* ---- is anything missing? ---- */

static enum status check_range(const struct kafka_partition *p, uint64_t position, int64_t low, int64_t high,
                               struct error *err)
{
    if (position < (uint64_t)low) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "could not resume topic \"%s\" partition %" PRId32 " at offset %" PRIu64
                         ": the broker has it from offset %" PRId64 " on, so %" PRIu64
                         " records are missing (deleted by retention or by hand); %s, and let the topic keep its "
                         "records for longer (retention.ms)",
                         p->topic->name, p->number, position, low, (uint64_t)low - position, begin_anew);
    }
    if (position > (uint64_t)high) {
        return error_set(
            err, STATUS_MISMATCH, 0,
            "could not resume topic \"%s\" partition %" PRId32 " at offset %" PRIu64 ": it ends at offset %" PRId64
            ", %" PRIu64
            " records are missing: the topic was deleted and made anew, or has lost its newest records; %s",
            p->topic->name, p->number, position, high, position - (uint64_t)high, begin_anew);
    }
    return STATUS_OK;
}

enum status kafka_partition_verify(const struct kafka_partition *p, uint64_t check, struct error *err)
{
    if (!p->verify || check == p->verify_as) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_MISMATCH, 0,
                     "could not resume topic \"%s\" partition %" PRId32 " at offset %" PRIu64
                     ": the record before it is not the one that was read, so the topic was deleted and made anew, and "
                     "up to %" PRIu64 " records before that offset are missing; %s",
                     p->topic->name, p->number, p->next, p->next, begin_anew);
}

static bool position_of(const struct kafka *k, const char *name, uint64_t *out)
{
    return k->options.position != NULL && k->options.position(k->options.position_ctx, name, out);
}

/* Partitions that the log knows and the topic no longer has. */
static enum status check_count(const struct kafka *k, const struct kafka_topic *t, int32_t count, struct error *err)
{
    char name[512];
    uint64_t position;
    for (int32_t i = count; i < count + PROBE_PARTITIONS; i++) {
        snprintf(name, sizeof name, "%s:%" PRId32, t->name, i);
        if (position_of(k, name, &position)) {
            return error_set(err, STATUS_MISMATCH, 0,
                             "could not resume topic \"%s\" partition %" PRId32 " at offset %" PRIu64
                             ": the topic has only %" PRId32
                             " partitions, so it was deleted and made anew, and %" PRIu64 " records are missing; %s",
                             t->name, i, position, count, position, begin_anew);
        }
    }
    return STATUS_OK;
}

/* Where commits are in the log already, the rows that they have in this partition are not. That reading has begun goes
 * along with the next commit, also for a partition that is empty: it is not new to the log another time. */
static void begin_unread(struct kafka *k, struct kafka_partition *p, bool has_records)
{
    if (!k->whole || p->topic->is_transactions) {
        return;
    }
    kafka_commit_note(k, p);
    if (k->newest_lsn == 0) {
        return;
    }
    p->unread_lsn = k->newest_lsn;
    p->unread_changed = true;
    if (!has_records) {
        return;
    }
    message_line(MESSAGE_INFO, "source",
                 "topic \"%s\" partition %" PRId32
                 " is new to the log: its rows of transactions that were committed before go in by themselves",
                 p->topic->name, p->number);
}

/* Which transactions the rows belong to that were read without the transaction topic nobody knows any more. */
static enum status check_read_whole(const struct kafka *k, const struct kafka_partition *p, struct error *err)
{
    if (!k->whole || k->read_whole) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_MISMATCH, 0,
                     "could not resume topic \"%s\" partition %" PRId32
                     " with source.transaction_topic: it was read without it; leave that out, or begin a new store "
                     "(another pipeline.store) with it",
                     p->topic->name, p->number);
}

/* Where to begin; the partition's fields are set for it. */
static enum status resume(struct kafka *k, struct kafka_partition *p, const struct kafka_sight *s, int64_t *start,
                          struct error *err)
{
    uint64_t position = p->next;
    uint64_t check = 0;
    bool known = p->next > 0;
    bool checked = p->handed_any && p->handed == p->next;
    if (checked) {
        check = p->handed_check;
    } else if (!known) {
        known = position_of(k, p->position_name, &position);
        if (known) {
            TRY(check_read_whole(k, p, err));
        }
        checked = known && position_of(k, p->check_name, &check);
        if (known && position_of(k, p->unread_name, &p->unread_lsn)) {
            p->unread_changed = false;
        }
    }
    p->high = s->high;
    p->once_end = (uint64_t)s->high;
    p->look_back = false;
    *start = RD_KAFKA_OFFSET_BEGINNING;
    if (!known) {
        if (s->low > 0) {
            message_line(MESSAGE_WARN, "source",
                         "topic \"%s\" partition %" PRId32 " begins at offset %" PRId64
                         ": what was before is gone, the tables may lack rows",
                         p->topic->name, p->number, s->low);
        }
        p->handed = (uint64_t)s->low;
        p->once_done = s->high <= s->low;
        begin_unread(k, p, s->high > s->low);
        return STATUS_OK;
    }
    TRY(check_range(p, position, s->low, s->high, err));
    p->look_back = position > (uint64_t)s->low;
    p->verify = checked && (check & CHECK_OFFSET_MASK) == ((position - 1) & CHECK_OFFSET_MASK);
    p->verify_as = check;
    p->next = position;
    p->handed = p->handed_any ? p->handed : position;
    p->once_done = position >= p->once_end;
    *start = (int64_t)position - p->look_back;
    return STATUS_OK;
}

/* ---- sights ---- */

static enum status begin_partition(struct kafka *k, const struct kafka_sight *s, rd_kafka_topic_partition_list_t *list,
                                   struct error *err)
{
    struct kafka_topic *t = &k->topics[s->topic_idx];
    int64_t start;
    if (t->is_transactions && s->partition_count > 1) {
        return error_set(err, STATUS_UNSUPPORTED, 0,
                         "could not use transaction topic \"%s\": it has %" PRId32 " partitions, so its order is lost; "
                         "let it have one",
                         t->name, s->partition_count);
    }
    if (t->partition_count == 0) {
        TRY(check_count(k, t, s->partition_count, err));
    }
    if (t->missing) {
        message_line(MESSAGE_INFO, "source", "topic \"%s\" is there now", t->name);
        t->missing = false;
    }
    struct kafka_partition *p = get_partition(k, t, s->partition);
    if (t->is_transactions) {
        k->transactions = p;
    }
    TRY(assign_one(k, p, false, 0, err)); /* a topic that was away */
    TRY(resume(k, p, s, &start, err));
    rd_kafka_topic_partition_list_add(list, t->name, p->number)->offset = start;
    p->assigned = true;
    p->held_back = false;
    return STATUS_OK;
}

static void tell_missing(const struct kafka *k, struct kafka_topic *t)
{
    if (!t->missing) {
        message_line(MESSAGE_WARN, "source", "topic \"%s\" %s: %s", t->name,
                     t->partition_count > 0 ? "is no longer there" : "does not exist yet",
                     k->options.once ? "not waiting for it, since this is --once" : "waiting for it");
    }
    t->missing = true;
}

static enum status refuse(struct kafka *k, const struct kafka_sight *s, struct error *err)
{
    struct kafka_topic *t = &k->topics[s->topic_idx];
    if (!k->watch.running) { /* at the start: somebody is there to read it */
        return error_set(err, STATUS_INVALID, 0, "could not read topic \"%s\": %s", t->name, rd_kafka_err2str(s->code));
    }
    if (!t->missing) {
        message_line(MESSAGE_WARN, "source", "could not read topic \"%s\": %s; trying again", t->name,
                     rd_kafka_err2str(s->code));
    }
    t->missing = true;
    return STATUS_OK;
}

static enum status take_sight(struct kafka *k, const struct kafka_sight *s, rd_kafka_topic_partition_list_t *list,
                              struct error *err)
{
    switch (s->kind) {
    case KAFKA_SIGHT_PARTITION:
        return begin_partition(k, s, list, err);
    case KAFKA_SIGHT_MISSING:
        tell_missing(k, &k->topics[s->topic_idx]);
        return STATUS_OK;
    case KAFKA_SIGHT_REFUSED:
        return refuse(k, s, err);
    case KAFKA_SIGHT_ALIVE:
        if (s->begun_us > k->lost_at_us) {
            kafka_client_alive(k);
        }
        return STATUS_OK;
    case KAFKA_SIGHT_AWAY:
        kafka_client_away(k, rd_kafka_err2str(s->code), s->begun_us);
        return STATUS_OK;
    }
    return STATUS_OK;
}

enum status kafka_partition_found(struct kafka *k, const struct kafka_sights *sights, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < sights->count && st == STATUS_OK; i++) {
        st = take_sight(k, &sights->items[i], list, err);
    }
    st = st == STATUS_OK ? assign(k, list, true, err) : st;
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}

/* ---- errors ---- */

/* The broker does not have the offset we asked for. */
static enum status out_of_range(struct kafka *k, struct kafka_partition *p, struct error *err)
{
    int64_t low;
    int64_t high;
    if (kafka_watch_range(k, p, &low, &high)) {
        TRY(check_range(p, p->next, low, high, err));
    }
    /* What is gone is the record to look back at, or the range has changed since: asked again. */
    message_line(MESSAGE_DEBUG, "source", "topic \"%s\" partition %" PRId32 ": asking for offset %" PRIu64 " again",
                 p->topic->name, p->number, p->next);
    p->look_back = false;
    TRY(assign_one(k, p, false, 0, err));
    return assign_one(k, p, true, p->next > 0 ? (int64_t)p->next : (int64_t)RD_KAFKA_OFFSET_BEGINNING, err);
}

static void met_end(struct kafka_partition *p, int64_t offset)
{
    p->ends = offset > 0 ? (uint64_t)offset : 0;
    p->once_done = true;
    p->look_back = false;
}

enum status kafka_partition_error(struct kafka *k, struct kafka_partition *p, const rd_kafka_message_t *message,
                                  struct error *err)
{
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        met_end(p, message->offset);
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return out_of_range(k, p, err);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return STATUS_OK; /* the watcher tells whether it is gone, and when it is back */
    default:
        snprintf(k->detail, sizeof k->detail, "topic \"%.100s\" partition %" PRId32 ": %.100s", p->topic->name,
                 p->number, rd_kafka_message_errstr(message));
        message_line(MESSAGE_DEBUG, "source", "%s", k->detail);
        return STATUS_OK;
    }
}
