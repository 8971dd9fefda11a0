/* What a commit in the log says, item by item, in positional msgpack (values as in row/packed.h).
 *
 * A commit's chunks, put one after another, are a sequence of items; an item never spans two chunks. Each item is an
 * array whose first element is its kind:
 *   [0 INSERT,   table_id, row]          row: an array of the values of all columns that the source sends, in the
 *                                        journal's order
 *   [1 UPDATE,   table_id, row, old]     old: nil, or an array like row in which only what the source sent of the old
 *                                        row is there (ext 3 = not sent); present at least where the declared key has
 *                                        changed
 *   [2 DELETE,   table_id, old]
 *   [3 READ,     table_id, row]          a snapshot's row: insert, or replace the row of that key
 *   [4 TRUNCATE, table_id]
 *   [5 SCHEMA,   table_id, schema, table, [[name, type oid, typmod, type name, flags], ...]]
 *                                        the journal: from here on table_id means this; ids are never reused.
 *                                        flags: 1 = part of the source's key
 *   [6 COMMIT,   commit time, xid]       first item of every commit; time in microseconds since 2000-01-01 UTC,
 *                                        0 = unknown
 *   [7 POSITION, name, value]            where to resume once this commit is on disk: "pg.lsn", "pg.system_id",
 *                                        "file.offset", "TOPIC:PARTITION" ...; unsigned 64 bits; the newest value of a
 *                                        name counts
 *   [8 QUARANTINE, origin, reason, raw]  what could not be decoded: origin says where it was in words (topic, offset,
 *                                        LSN); raw may be only a beginning of it
 *   [8 QUARANTINE, origin, reason, raw, topic, key, flags, context]
 *                                        the same where raw is a whole record of Debezium's, with all that is needed to
 *                                        decode it again: its topic ("" = none), its key, flags (1 = may repeat, see
 *                                        ingest/debezium.h), and what its decoder knew from the records before it
 *   [9 REMOVE,   table_id, old]          a delete that may come again or find nothing: take out the row of that key, if
 *                                        it is there (as READ is to INSERT, so is this to DELETE)
 * Kinds are never renumbered. */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "row/packed.h"
#include "row/type.h"

enum event_kind {
    EVENT_INSERT = 0,
    EVENT_UPDATE = 1,
    EVENT_DELETE = 2,
    EVENT_READ = 3,
    EVENT_TRUNCATE = 4,
    EVENT_SCHEMA = 5,
    EVENT_COMMIT = 6,
    EVENT_POSITION = 7,
    EVENT_QUARANTINE = 8,
    EVENT_REMOVE = 9
};
enum { EVENT_KIND_LAST = EVENT_REMOVE };
enum { EVENT_COLUMNS_MAX = 1600 }; /* of a table, as in PostgreSQL: a journal entry with more is not read */

struct event_column {
    const char *name;
    struct type type;
    bool key; /* part of the source's replica identity or primary key */
};

/* A journal entry: how rows of `table_id` are to be read. */
struct event_schema {
    uint32_t table_id;
    const char *schema;
    const char *table;
    struct event_column *columns;
    uint32_t column_count;
};

void event_append_commit(struct buffer *out, int64_t time_us, uint64_t xid);
void event_append_position(struct buffer *out, const char *name, uint64_t value);
void event_append_schema(struct buffer *out, const struct event_schema *schema);
void event_append_truncate(struct buffer *out, uint32_t table_id);
void event_append_quarantine(struct buffer *out, const char *origin, const char *reason, struct bytes raw);
/* A record of Debezium's, whole, as a QUARANTINE item has it. */
struct event_record {
    struct bytes raw;
    struct bytes topic;
    struct bytes key;
    bool may_repeat;
    uint32_t context; /* the decoder's own */
};
void event_append_quarantined_record(struct buffer *out, const char *origin, const char *reason,
                                     const struct event_record *record);
/* The head of INSERT, UPDATE, DELETE, READ or REMOVE. The caller then appends `column_count` values
 * (packed_append_datum and friends) for the row (DELETE, REMOVE: the old row), and for UPDATE either
 * event_append_no_old or event_append_old and as many values again. */
void event_append_row(struct buffer *out, enum event_kind kind, uint32_t table_id, uint32_t column_count);
void event_append_no_old(struct buffer *out);
void event_append_old(struct buffer *out, uint32_t column_count);

/* One item as read. Texts and bytes borrow the chunk; `schema` is in the arena. */
struct event {
    enum event_kind kind;
    uint32_t table_id;
    uint32_t column_count; /* of the row that follows: the reader stands at its first value */
    int64_t time_us;
    uint64_t xid;
    struct bytes name; /* POSITION */
    uint64_t value;
    struct bytes origin; /* QUARANTINE */
    struct bytes reason;
    struct bytes raw;
    bool has_record; /* then raw is record.raw */
    struct event_record record;
    struct event_schema schema;
};

/* Reads the next item's head; STATUS_END (err untouched) at the end of the chunk. For INSERT, UPDATE, DELETE, READ
 * and REMOVE the caller then reads exactly `column_count` values from `r`, and for UPDATE calls event_read_old and
 * reads as many as that says. */
enum status event_read(struct packed_reader *r, struct arena *a, struct event *out, struct error *err);
/* `*column_count` is 0 where there is no old row. */
enum status event_read_old(struct packed_reader *r, uint32_t *column_count, struct error *err);
/* Steps over what event_read has left of the item. */
enum status event_skip_rest(struct packed_reader *r, const struct event *e, struct error *err);
const char *event_kind_name(enum event_kind kind);

#endif
