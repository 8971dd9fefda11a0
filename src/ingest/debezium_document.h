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

struct debezium_document {
    const struct debezium_schema *schema; /* NULL = bare, or its schema part is null */
    bool is_null;                         /* no payload: a tombstone */
    struct debezium_members all;          /* of the payload */
    struct debezium_members before;       /* members of those members, where they are objects */
    struct debezium_members after;
    struct debezium_members source;
    struct debezium_members transaction;
};

enum { DEBEZIUM_MEMBERS_MAX = 1700 }; /* PostgreSQL's 1600 columns and what Debezium adds */

/* Zero-initialised is valid. Memory of the lists is kept between reads. */
void debezium_document_release(struct debezium_document *doc);
/* Reads a document; what it hands out borrows `text`, `a` and the cache. False with a reason where it is no JSON object
 * (and not null). */
bool debezium_document_read(struct debezium_document *doc, struct bytes text, struct debezium_schema_cache *schemas,
                            struct arena *a, char reason[static JSON_SCAN_REASON_BYTES]);
/* NULL where there is none. */
const struct json_value *debezium_members_find(const struct debezium_members *m, struct bytes name);
/* The same for a literal name. */
const struct json_value *debezium_members_get(const struct debezium_members *m, const char *name);

#endif
