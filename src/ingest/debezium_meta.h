/* What a record says of its transaction and of its place in the source. */
#ifndef INGEST_DEBEZIUM_META_H
#define INGEST_DEBEZIUM_META_H

#include "base/arena.h"
#include "ingest/debezium.h"
#include "ingest/debezium_document.h"

#include <stdbool.h>

/* Fills `meta`, which is all zero, from an envelope or a flattened record; its place only where that is asked for. */
void debezium_meta_read(const struct debezium_document *doc, struct arena *a, bool with_order,
                        struct debezium_meta *meta);

#endif
