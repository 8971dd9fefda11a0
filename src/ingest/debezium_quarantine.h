/* The QUARANTINE item of a record. */
#ifndef INGEST_DEBEZIUM_QUARANTINE_H
#define INGEST_DEBEZIUM_QUARANTINE_H

#include "base/bytes.h"
#include "base/error.h"
#include "ingest/debezium.h"

/* Appends it, with the record whole where it is not too long. `context`: what the decoder wants to know when it is
 * asked again. The reason is err's text, which is made printable. */
void debezium_quarantine_append(const struct debezium_record *record, uint32_t context, struct error *err,
                                struct buffer *out);

#endif
