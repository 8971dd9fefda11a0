/* Numbers only, by the places that the document's reader has found; nothing here can make a record bad. */
#include "ingest/debezium_meta.h"

#include "base/digits.h"
#include "row/datetime.h"

#include <string.h>

/* A nonnegative whole number; 0 where it is none. */
static uint64_t number_of(const struct json_value *v)
{
    uint64_t value;
    if (v == NULL || v->kind != JSON_NUMBER) {
        return 0;
    }
    return json_plain_number(v, &value) || digits_whole(v->text, &value) ? value : 0;
}

static int64_t commit_time(const struct json_value *micros, const struct json_value *millis)
{
    uint64_t us = number_of(micros);
    uint64_t ms = us == 0 ? number_of(millis) : 0;
    us = us == 0 && ms < INT64_MAX / 1000 ? ms * 1000 : us;
    return us == 0 || us > INT64_MAX ? 0 : (int64_t)us - DATETIME_EPOCH_US;
}

/* The id is "xid:lsn"; the LSN differs from record to record of one transaction. */
static uint64_t transaction_xid(const struct json_value *id, struct arena *a)
{
    struct bytes text = id != NULL && id->kind == JSON_STRING ? json_value_text(id, a) : bytes_of("", 0);
    uint64_t xid;
    bool told = digits_take(&text, &xid) && (text.len == 0 || text.data[0] == ':');
    return told ? xid : 0;
}

static bool is_before_number(uint8_t c)
{
    return c == '[' || c == '\\' || c == '"' || c == ' ';
}

/* source.sequence is a text with an array in it: ["last commit's lsn","lsn"], either may be null. */
static uint64_t sequence_commit_lsn(const struct json_value *v, struct arena *a)
{
    uint64_t lsn;
    if (v == NULL || v->kind != JSON_STRING) {
        return 0;
    }
    bool usual = memchr(v->text.data, 'u', v->text.len) == NULL; /* no escapes but \" */
    struct bytes text = usual ? v->text : json_value_text(v, a);
    while (text.len > 0 && is_before_number(text.data[0])) {
        text = bytes_of(text.data + 1, text.len - 1);
    }
    return digits_take(&text, &lsn) ? lsn : 0;
}

static uint64_t flat_number(const struct debezium_document *doc, const char *name)
{
    return number_of(debezium_members_get(&doc->all, name));
}

static void read_order(const struct debezium_document *doc, struct arena *a, struct debezium_meta *meta)
{
    if (doc->at.op != NULL) {
        meta->source_xid = number_of(doc->at.xid);
        meta->commit_lsn = sequence_commit_lsn(doc->at.sequence, a);
        meta->lsn = number_of(doc->at.lsn);
        meta->total_order = number_of(doc->at.total_order);
        meta->is_snapshot = json_value_is(doc->at.op, "r");
    } else {
        meta->lsn = flat_number(doc, "__lsn");
        meta->lsn = meta->lsn == 0 ? flat_number(doc, "__source_lsn") : meta->lsn;
        meta->source_xid = flat_number(doc, "__txId");
        meta->source_xid = meta->source_xid == 0 ? flat_number(doc, "__source_txId") : meta->source_xid;
        if (meta->lsn == 0 && meta->commit_time_us != 0) {
            meta->lsn = (uint64_t)(meta->commit_time_us + DATETIME_EPOCH_US);
        }
    }
}

void debezium_meta_read(const struct debezium_document *doc, struct arena *a, bool with_order,
                        struct debezium_meta *meta)
{
    if (doc->at.op != NULL) {
        meta->xid = transaction_xid(doc->at.transaction_id, a);
        meta->commit_time_us = commit_time(doc->at.ts_us, doc->at.ts_ms);
    } else {
        meta->commit_time_us = commit_time(debezium_members_get(&doc->all, "__source_ts_us"),
                                           debezium_members_get(&doc->all, "__source_ts_ms"));
    }
    if (with_order) {
        read_order(doc, a, meta);
    }
}
