/* The records of Debezium's transaction topic: BEGIN and END of a source transaction. */
#ifndef INGEST_DEBEZIUM_TRANSACTION_H
#define INGEST_DEBEZIUM_TRANSACTION_H

#include "base/arena.h"
#include "base/bytes.h"
#include "ingest/debezium_reader.h"
#include "ingest/debezium_schema.h"
#include "plan/catalog.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised is valid. */
struct debezium_transaction_reader {
    struct debezium_reader reader;
    struct debezium_schema_cache schemas;
    struct arena arena;
};

struct debezium_transaction {
    bool ended; /* END, else BEGIN */
    uint64_t xid;
    uint64_t lsn;         /* of END: where the commit ends; rises from END to END. 0 = unknown */
    uint64_t time_ms;     /* of the commit, since 1970; 0 = unknown */
    uint64_t event_count; /* of END: changes of the declared tables */
};

void debezium_transaction_release(struct debezium_transaction_reader *r);
/* False with a reason where `value` is no such record. */
bool debezium_transaction_read(struct debezium_transaction_reader *r, const struct catalog *catalog, struct bytes value,
                               struct debezium_transaction *out, char reason[static JSON_SCAN_REASON_BYTES]);

#endif
