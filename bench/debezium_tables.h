/* ACME's four tables as Debezium sees them: columns, and the schemas that the wrapped mode puts before each payload. */
#ifndef BENCH_DEBEZIUM_TABLES_H
#define BENCH_DEBEZIUM_TABLES_H

#include "base/bytes.h"

enum { DEBEZIUM_TABLES = 4, DEBEZIUM_COLUMNS_MAX = 9 };

enum debezium_type {
    DEBEZIUM_INT64,
    DEBEZIUM_INT32,
    DEBEZIUM_STRING,
    DEBEZIUM_BOOLEAN,
    DEBEZIUM_DATE,
    DEBEZIUM_TIMESTAMP,
    DEBEZIUM_DECIMAL
};

struct debezium_column {
    const char *name;
    enum debezium_type type;
    const char *schema; /* members of its schema but for the name */
};

struct debezium_table {
    const char *name;
    unsigned column_count;
    struct debezium_column columns[DEBEZIUM_COLUMNS_MAX]; /* the first one is the key */
};

/* By number of acme_events.h; [0] is unused. */
extern const struct debezium_table debezium_tables[DEBEZIUM_TABLES + 1];

/* Each text ends where the payload begins. */
void debezium_append_key_schema(unsigned table, const char *prefix, struct buffer *out);
void debezium_append_value_schema(unsigned table, const char *prefix, struct buffer *out);
extern const char debezium_transaction_key_schema[];
extern const char debezium_transaction_value_schema[];

#endif
