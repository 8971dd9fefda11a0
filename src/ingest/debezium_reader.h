/* Text -> document: a Debezium record's key or value, read once from end to end. */
#ifndef INGEST_DEBEZIUM_READER_H
#define INGEST_DEBEZIUM_READER_H

#include "base/arena.h"
#include "base/bytes.h"
#include "ingest/debezium_document.h"
#include "ingest/debezium_schema.h"
#include "ingest/debezium_shape.h"
#include "ingest/json.h"

#include <stdbool.h>

/* Reads documents that are much alike. Zero-initialised is valid. Memory is kept between reads. */
struct debezium_reader {
    struct debezium_document general;
    struct debezium_shapes shapes;
    bool no_shapes; /* every document the general way */
};

void debezium_reader_release(struct debezium_reader *r);
/* Reads a document; what it hands out borrows `text`, `a`, the cache and the reader, until the next one. NULL with a
 * reason where it is no JSON object (and not null). */
struct debezium_document *debezium_reader_read(struct debezium_reader *r, struct bytes text,
                                               struct debezium_schema_cache *schemas, struct arena *a,
                                               char reason[static JSON_SCAN_REASON_BYTES]);

#endif
