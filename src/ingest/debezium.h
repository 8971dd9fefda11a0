/* Debezium's JSON, one record at a time, into event items (event/event.h): knows nothing of where records come from.
 *
 * Understood: the envelope (before, after, source, op), bare or as {schema, payload}, and the flattened form of
 * ExtractNewRecordState, whose deletes may be nothing but tombstones. What a value means is decided by the declared
 * type of its column, by the record's schema part where there is one, and else by what Debezium's defaults would send
 * for that type. A record gives a change, nothing (tombstones, heartbeats, transaction markers, logical messages), or
 * one QUARANTINE item; never half a change. */
#ifndef INGEST_DEBEZIUM_H
#define INGEST_DEBEZIUM_H

#include "base/bytes.h"
#include "base/error.h"
#include "plan/catalog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Up to these a record is kept whole in its QUARANTINE item, so that it can be decoded again; of a longer one,
     * whose row could not go into the log either, only the beginning is kept. */
    DEBEZIUM_RAW_BYTES_MAX = 15 * 1024 * 1024,
    DEBEZIUM_KEY_BYTES_MAX = 512 * 1024,
    DEBEZIUM_BEGINNING_BYTES = 64 * 1024
};

struct debezium;
struct event_schema;

/* Of the newest record of a partition, where it was a delete: its tombstone tells nothing new. Zero: none. */
struct debezium_buried {
    bool any;
    uint64_t key_hash;
};

struct debezium_record {
    struct bytes key;   /* empty where there is none */
    struct bytes value; /* empty = tombstone */
    const char *topic;  /* NULL where there is none; tells the table of a flattened record that does not say it */
    const char *origin; /* where it was, in words: for QUARANTINE items */
    /* The same record may come again, and records of several partitions in any order: meta tells its place in the
     * source, a delete is a REMOVE item, and so is a tombstone that does not follow the delete of its key. */
    bool may_repeat;
    struct debezium_buried *buried; /* the partition's; given where may_repeat */
    /* The key that the row had until now, by a header of the record: asked for where an insert lacks values, which are
     * then the old row's. NULL = there are no headers. */
    bool (*old_key)(const void *message, struct bytes *out);
    const void *message;
    bool in_order;    /* the delete of the old row comes right before, though it may be decoded later */
    uint32_t context; /* of a record out of quarantine: as its QUARANTINE item has it; else 0 */
};

enum debezium_outcome { DEBEZIUM_IGNORED, DEBEZIUM_CHANGE, DEBEZIUM_QUARANTINED };

/* What a record says of its transaction. What follows the commit time is read for records that may repeat only. */
struct debezium_meta {
    uint64_t xid;           /* of transaction.id; 0 where the record has none: then nothing tells the commit's end */
    int64_t commit_time_us; /* since 2000-01-01 UTC, 0 = unknown */
    uint64_t source_xid;  /* of source.txId, 0 = unknown: records of one transaction share it, nothing tells its end */
    uint64_t commit_lsn;  /* of source.sequence: the newest commit before this transaction; rises with every one */
    uint64_t lsn;         /* rises inside of a transaction only; the commit time where a flattened record has none */
    uint64_t total_order; /* inside of the transaction, from 1; 0 = unknown */
    bool is_snapshot;     /* read by a snapshot, of whatever kind */
    size_t schema_bytes;  /* how much of what was appended is the SCHEMA item in front */
};

/* `table_id_next`: the first journal id not used in the log. The catalog is borrowed. */
struct debezium *debezium_new(const struct catalog *catalog, uint32_t table_id_next);
void debezium_free(struct debezium *d);
/* The connector's time.precision.mode, for records without a schema part, and its unavailable.value.placeholder; both
 * may be NULL. STATUS_INVALID where there is no such mode. */
enum status debezium_configure(struct debezium *d, const char *time_precision, const char *unavailable_value,
                               struct error *err);
/* Appends the record's items to `out`: a SCHEMA item where the columns of the table's rows are not those of the last
 * one, then the change; together less than SOURCE_CHUNK_BYTES_MAX (longer rows are quarantined). A DELETE and the old
 * row of an UPDATE carry the declared key only, since Debezium's nulls in `before` may mean "not sent". */
enum debezium_outcome debezium_decode(struct debezium *d, const struct debezium_record *record, struct buffer *out,
                                      struct debezium_meta *meta);
/* Whether records that are alike are read in place (debezium_shape.h), the default: it changes how fast, not what. */
void debezium_set_shapes(struct debezium *d, bool on);
/* For records out of quarantine: from here on the log has a table's rows under this journal entry. Rows with just its
 * columns and types are then written under it. */
void debezium_adopt(struct debezium *d, const struct event_schema *schema);
/* What was appended since some point did not reach the log: journal everything anew. */
void debezium_forget(struct debezium *d);

#endif
