/* Records of ACME's tables as Debezium's PostgreSQL connector and Kafka Connect's JSON converter write them: the same
 * members in the same order.
 *
 * Bare: schemas.enable=false, decimals precise. Wrapped: schema and payload, times of Connect's own types, decimals as
 * double. Replica identity is FULL in both. */
#ifndef BENCH_DEBEZIUM_WRITE_H
#define BENCH_DEBEZIUM_WRITE_H

#include "debezium_tables.h"

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Dates are days since 1970, timestamps milliseconds, decimals hundredths. A cell with neither is NULL. */
struct debezium_cell {
    bool has_number;
    int64_t number;
    const char *text; /* without anything that JSON or COPY would escape */
};

struct debezium_row {
    struct debezium_cell cells[DEBEZIUM_COLUMNS_MAX]; /* the first one is the key */
};

/* Where in the source a change is. */
struct debezium_place {
    const char *snapshot; /* "false", "first", "true", ... */
    uint64_t xid;
    uint64_t lsn;
    uint64_t last_commit_lsn; /* 0 = null: in a snapshot */
    int64_t commit_us;        /* since 1970 */
    int64_t sent_ns;          /* since 1970 */
    uint64_t total_order;     /* 0 = no transaction metadata */
    uint64_t collection_order;
};

struct debezium_change {
    unsigned table; /* of acme_events.h */
    char op;
    const struct debezium_row *before; /* or NULL */
    const struct debezium_row *after;  /* or NULL */
    struct debezium_place place;
};

struct debezium_writer {
    const char *prefix;
    bool wrapped;
    struct buffer labels[DEBEZIUM_TABLES + 1][DEBEZIUM_COLUMNS_MAX]; /* "name": and the comma before it */
    struct buffer key_schema[DEBEZIUM_TABLES + 1];
    struct buffer value_schema[DEBEZIUM_TABLES + 1];
};

/* `prefix` is borrowed. */
void debezium_writer_init(struct debezium_writer *w, const char *prefix, bool wrapped);
void debezium_writer_release(struct debezium_writer *w);

/* Each appends one JSON document. */
void debezium_write_key(const struct debezium_writer *w, unsigned table, int64_t id, struct buffer *out);
void debezium_write_value(const struct debezium_writer *w, const struct debezium_change *c, struct buffer *out);

/* The transaction topic's. */
void debezium_write_transaction_key(const struct debezium_writer *w, const struct debezium_place *p,
                                    struct buffer *out);
void debezium_write_begin(const struct debezium_writer *w, const struct debezium_place *p, struct buffer *out);
/* `counts` by table, [0] unused. */
void debezium_write_end(const struct debezium_writer *w, const struct debezium_place *p,
                        const uint64_t counts[DEBEZIUM_TABLES + 1], struct buffer *out);

/* Appends the row as a line of COPY's text format. */
void debezium_write_copy(unsigned table, const struct debezium_row *row, struct buffer *out);

#endif
