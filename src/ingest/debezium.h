/* Debezium's JSON, one record at a time, into event items (event/event.h): knows nothing of where records come from.
 *
 * Understood: the envelope (before, after, source, op), bare or as {schema, payload}, and the flattened form of
 * ExtractNewRecordState. What a value means is decided by the declared type of its column, by the record's schema part
 * where there is one, and else by what Debezium's defaults would send for that type. A record gives a change, nothing
 * (tombstones, heartbeats, transaction markers, logical messages), or one QUARANTINE item; never half a change. */
#ifndef INGEST_DEBEZIUM_H
#define INGEST_DEBEZIUM_H

#include "base/bytes.h"
#include "plan/catalog.h"

#include <stdint.h>

enum { DEBEZIUM_RAW_BYTES_MAX = 64 * 1024 }; /* of a record, kept in its QUARANTINE item */

struct debezium;

struct debezium_record {
    struct bytes key;   /* empty where there is none */
    struct bytes value; /* empty = tombstone */
    const char *topic;  /* NULL where there is none; tells the table of a flattened record that does not say it */
    const char *origin; /* where it was, in words: for QUARANTINE items */
};

enum debezium_outcome { DEBEZIUM_IGNORED, DEBEZIUM_CHANGE, DEBEZIUM_QUARANTINED };

/* What a record says of its transaction. */
struct debezium_meta {
    uint64_t xid;           /* of transaction.id; 0 where the record has none: then nothing tells the commit's end */
    int64_t commit_time_us; /* since 2000-01-01 UTC, 0 = unknown */
};

/* `table_id_next`: the first journal id not used in the log. The catalog is borrowed. */
struct debezium *debezium_new(const struct catalog *catalog, uint32_t table_id_next);
void debezium_free(struct debezium *d);
/* Appends the record's items to `out`: a SCHEMA item where the columns of the table's rows are not those of the last
 * one, then the change; together less than SOURCE_CHUNK_BYTES_MAX (longer rows are quarantined). A DELETE and the old
 * row of an UPDATE carry the declared key only, since Debezium's nulls in `before` may mean "not sent". */
enum debezium_outcome debezium_decode(struct debezium *d, const struct debezium_record *record, struct buffer *out,
                                      struct debezium_meta *meta);
/* What was appended since some point did not reach the log: journal everything anew. */
void debezium_forget(struct debezium *d);

#endif
