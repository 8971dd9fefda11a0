/* Records that are alike, read in place: the text between the values of one is compared with the next one's.
 *
 * A shape is learned from a document that was read the general way (debezium_reader.c). Its slots are the values;
 * what stands between them must be the same, byte for byte, for another text to have the shape. Every value of that
 * text is then taken by the same strict scanner, so a document read in place is what the general way would have read:
 * any difference in the text between values is no match. Values that have never differed are compared along with the
 * text around them. */
#ifndef INGEST_DEBEZIUM_SHAPE_H
#define INGEST_DEBEZIUM_SHAPE_H

#include "base/bytes.h"
#include "ingest/json.h"

#include <stddef.h>
#include <stdint.h>

struct debezium_document;
struct debezium_shape;

enum { DEBEZIUM_SHAPES_MAX = 32, DEBEZIUM_SHAPE_BYTES_MAX = 64 * 1024 };

/* The shapes seen last, the newest first. Zero-initialised is valid. */
struct debezium_shapes {
    struct debezium_shape *items[DEBEZIUM_SHAPES_MAX];
    size_t count;
    uint64_t serial_next;
};

void debezium_shapes_release(struct debezium_shapes *s);
/* Takes the payload at the position of `scan` where it has a known shape. The document lives until the next call; its
 * values borrow the scanned text or the shape, its `schema` is the caller's to set. NULL with `scan` as it was where
 * the general way has to be gone. */
struct debezium_document *debezium_shapes_match(struct debezium_shapes *s, struct json_scan *scan);
/* Keeps the shape of `document`, which was read from all of `text`. Nothing where it can have none. */
void debezium_shapes_learn(struct debezium_shapes *s, struct bytes text, struct debezium_document *document);

#endif
