/* A Debezium record's key or value, read once from end to end: members by name, values as they stand. */
#ifndef INGEST_DEBEZIUM_DOCUMENT_H
#define INGEST_DEBEZIUM_DOCUMENT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "ingest/debezium_schema.h"
#include "ingest/json.h"

#include <stdbool.h>
#include <stddef.h>

struct debezium_member {
    struct bytes name; /* escapes resolved */
    struct json_value value;
};

struct debezium_members {
    struct debezium_member *items;
    size_t count;
    size_t capacity;
    bool is_object; /* there was an object, maybe an empty one */
};

/* Values that every envelope is asked for; NULL where it has none. All NULL where the document is no envelope. */
struct debezium_places {
    const struct json_value *op; /* text */
    const struct json_value *schema;
    const struct json_value *table;
    const struct json_value *lsn;
    const struct json_value *xid;
    const struct json_value *sequence;
    const struct json_value *ts_us;
    const struct json_value *ts_ms;
    const struct json_value *transaction_id;
    const struct json_value *total_order;
};

struct debezium_document {
    const struct debezium_schema *schema; /* NULL = bare, or its schema part is null */
    bool is_null;                         /* no payload: a tombstone */
    uint64_t shape;                       /* same number, same names in the same order; 0 = unknown */
    struct debezium_members all;          /* of the payload */
    struct debezium_members before;       /* members of those members, where they are objects */
    struct debezium_members after;
    struct debezium_members source;
    struct debezium_members transaction;
    struct debezium_places at;
};

enum { DEBEZIUM_MEMBERS_MAX = 1700 }; /* PostgreSQL's 1600 columns and what Debezium adds */

/* The part that a member of the payload is entered as, NULL where it is none. */
struct debezium_members *debezium_document_part(struct debezium_document *doc, struct bytes name);
/* Fills `at` from the members. */
void debezium_document_find_places(struct debezium_document *doc);
void debezium_document_release(struct debezium_document *doc);

/* NULL where there is none. */
const struct json_value *debezium_members_find(const struct debezium_members *m, struct bytes name);
/* The same for a literal name. */
const struct json_value *debezium_members_get(const struct debezium_members *m, const char *name);

#endif
