/* A record as it arrives -> an entry with its items and its place in the source.
 *
 * Invariants: the entries of a partition stay in its order, which is that of its keys. A SCHEMA item leaves its record
 * and goes to k->schemas, which go in front of the next items handed over: entries may be put in another order. A
 * record that the source sends again (Connect restarts are at-least-once) is told by its place being behind its
 * partition's newest and its commit being no younger; it only moves the position. A database restored to an earlier
 * place, or a standby promoted that lacked something, has younger commits and is taken, if its clock is right. */
#include "ingest/kafka.h"

#include "base/memory.h"
#include "ingest/debezium.h"

#include <string.h>

/* Whether it says where in the source's stream it stands. The first transaction after a snapshot has no commit before
 * it. What a snapshot reads is never a repetition: it is read anew each time. */
static bool has_place(const struct debezium_meta *meta)
{
    return !meta->is_snapshot && meta->lsn != 0 && (meta->commit_lsn != 0 || meta->xid != 0);
}

static bool is_repeated(const struct kafka_partition *p, const struct debezium_meta *meta)
{
    if (!p->last_known || !has_place(meta) || meta->commit_time_us == 0 || meta->commit_time_us > p->last_time_us) {
        return false;
    }
    if (meta->commit_lsn != p->last_commit_lsn) {
        return meta->commit_lsn < p->last_commit_lsn;
    }
    if (meta->lsn != p->last_lsn) {
        return meta->lsn < p->last_lsn;
    }
    return meta->total_order != 0 && meta->total_order <= p->last_total_order;
}

static void remember_place(struct kafka_partition *p, const struct debezium_meta *meta)
{
    if (!has_place(meta)) {
        return;
    }
    bool younger = !p->last_known || meta->commit_time_us > p->last_time_us;
    p->last_known = true;
    p->last_commit_lsn = meta->commit_lsn;
    p->last_lsn = meta->lsn;
    p->last_total_order = meta->total_order;
    p->last_time_us = younger ? meta->commit_time_us : p->last_time_us;
}

/* What came with the record and is no row goes in front of everything. */
static void take_schema(struct kafka *k, struct buffer *items, size_t mark, size_t schema_bytes)
{
    if (schema_bytes > 0) {
        buffer_append(&k->schemas, items->data + mark, schema_bytes);
        memmove(items->data + mark, items->data + mark + schema_bytes, items->len - mark - schema_bytes);
        items->len -= schema_bytes;
    }
}

/* Where the partition's records go. */
static struct kafka_list *list_of(struct kafka *k, struct kafka_partition *p)
{
    return k->whole || p->topic->partition_count > 1 ? &p->held : &k->batch;
}

static void add_entry(struct kafka *k, struct kafka_partition *p, struct kafka_list *list, size_t mark,
                      const rd_kafka_message_t *message, const struct debezium_meta *meta)
{
    uint64_t xid = meta->xid != 0 || k->whole ? meta->xid : meta->source_xid;
    struct kafka_entry e = {.partition = p,
                            .next = p->next,
                            .check = kafka_partition_check(message),
                            .xid = xid,
                            .place = {.commit_lsn = meta->commit_lsn, .lsn = meta->lsn},
                            .total_order = meta->total_order,
                            .time_us = meta->commit_time_us,
                            .items_at = list->items_base + mark,
                            .items_len = (uint32_t)(list->items.len - mark)};
    if (list == &p->held && !k->whole) {
        kafka_merge_place(p, &e);
    }
    kafka_list_add(list, &e);
}

static bool old_key(const void *message, struct bytes *out)
{
    rd_kafka_headers_t *headers;
    const void *value = NULL;
    size_t len = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "__debezium.oldkey", &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    *out = bytes_of(value, len);
    return value != NULL;
}

/* Appends the record's items to the list's; its SCHEMA item goes to k->schemas. */
static enum debezium_outcome decode(struct kafka *k, struct kafka_partition *p, struct kafka_list *list,
                                    const rd_kafka_message_t *message, struct debezium_meta *meta)
{
    size_t mark = list->items.len;
    bytes_put_digits(p->origin + p->origin_head, (uint64_t)message->offset);
    struct debezium_record record = {.key = bytes_of(message->key, message->key_len),
                                     .value = bytes_of(message->payload, message->len),
                                     .topic = p->topic->name,
                                     .origin = p->origin,
                                     .may_repeat = true,
                                     .buried = &p->buried,
                                     .old_key = old_key,
                                     .message = message,
                                     .in_order = k->whole};
    enum debezium_outcome outcome = debezium_decode(k->decoder, &record, &list->items, meta);
    take_schema(k, &list->items, mark, meta->schema_bytes);
    return outcome;
}

/* A row that cannot be read may be one of any transaction, unless its record says so much. */
static bool is_doubtful(const rd_kafka_message_t *message, const struct debezium_meta *meta)
{
    return message->len > 0 && meta->xid == 0 && meta->commit_time_us == 0;
}

static enum status take_new(struct kafka *k, struct kafka_partition *p, const rd_kafka_message_t *message,
                            struct error *err)
{
    p->next = (uint64_t)message->offset + 1;
    p->once_done = p->once_done || p->next >= p->once_end;
    k->received_records += 1;
    k->received_bytes += message->len + message->key_len;
    if (p->topic->is_transactions) {
        return kafka_transaction_marker(k, message, err);
    }
    struct kafka_list *list = list_of(k, p);
    size_t mark = list->items.len;
    struct debezium_meta meta;
    enum debezium_outcome outcome = decode(k, p, list, message, &meta);
    if (outcome != DEBEZIUM_IGNORED && is_repeated(p, &meta)) {
        list->items.len = mark;
        meta.xid = 0;
        meta.source_xid = 0;
    } else if (outcome != DEBEZIUM_IGNORED) {
        k->base.received += 1;
        if (outcome == DEBEZIUM_QUARANTINED) {
            struct bytes item = bytes_of(list->items.data + mark, list->items.len - mark);
            TRY(source_quarantined(&k->options.output, item, err));
            k->doubtful += is_doubtful(message, &meta);
        }
        remember_place(p, &meta);
    }
    add_entry(k, p, list, mark, message, &meta);
    return STATUS_OK;
}

/* The record before the position: what the partition remembers of its newest one (a delete whose tombstone is next, its
 * place in the source) is as it was when that was read. */
static enum status look_back(struct kafka *k, struct kafka_partition *p, const rd_kafka_message_t *message,
                             struct error *err)
{
    TRY(kafka_partition_verify(p, kafka_partition_check(message), err));
    if (p->topic->is_transactions) {
        return STATUS_OK;
    }
    struct kafka_list *list = list_of(k, p);
    size_t mark = list->items.len;
    struct debezium_meta meta;
    if (decode(k, p, list, message, &meta) == DEBEZIUM_CHANGE) {
        remember_place(p, &meta);
    }
    list->items.len = mark;
    return STATUS_OK;
}

enum status kafka_record_take(struct kafka *k, struct kafka_partition *p, const rd_kafka_message_t *message,
                              struct error *err)
{
    if (!p->assigned) {
        return STATUS_OK; /* was held back while this was under way: it comes again */
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_partition_error(k, p, message, err);
    }
    if (p->look_back) {
        p->look_back = false;
        if ((uint64_t)message->offset + 1 == p->next) {
            return look_back(k, p, message, err);
        }
    }
    return (uint64_t)message->offset < p->next ? STATUS_OK : take_new(k, p, message, err);
}
