/* What the records of a declared table have shown of its columns, and under which journal id that is in the log.
 *
 * Invariant: a row goes into the log only under an id whose SCHEMA item has exactly its columns in its order. A set of
 * columns that is not the last one journalled gets a fresh id, also if it was there before: the newest id of a table is
 * what the source sends now. */
#ifndef INGEST_DEBEZIUM_TABLE_H
#define INGEST_DEBEZIUM_TABLE_H

#include "base/bytes.h"
#include "base/error.h"
#include "ingest/debezium_document.h"
#include "ingest/debezium_schema.h"
#include "ingest/debezium_value.h"
#include "plan/catalog.h"

#include <stdbool.h>
#include <stdint.h>

enum { DEBEZIUM_KEY_MAX = 32, DEBEZIUM_CHANGES_MAX = 10000 };

struct debezium_column {
    char *name;
    size_t name_len;
    struct type type; /* the declared one, else what the schema part tells, else text */
    struct debezium_hint hint;
    struct debezium_linear linear; /* of type and hint, as of the row last fitted */
    struct debezium_habits habits;
    bool declared;
    bool key;
};

struct debezium_table {
    const struct catalog_table *declared;
    struct debezium_column *columns;
    uint32_t column_count;
    uint32_t *order;                /* column -> member of the row last fitted */
    uint32_t key[DEBEZIUM_KEY_MAX]; /* the declared key's columns, in its order */
    uint64_t columns_serial;        /* of the schema part they were made from, 0 = none */
    uint64_t hints_serial;
    uint64_t fitted_shape; /* of the document that `order` was found for, 0 = unknown */
    uint32_t change_count; /* how often the columns have changed */
    uint32_t table_id;     /* valid if journalled */
    bool journalled;
};

void debezium_table_release(struct debezium_table *t);
/* Makes the columns those of `row` where they are not, and t->order where each is in it. `shape` is that of its
 * document, 0 = unknown. STATUS_INVALID where a column of the key is not there, there are more than EVENT_COLUMNS_MAX,
 * a column is there twice, or the columns have changed too often to be believed. */
enum status debezium_table_fit(struct debezium_table *t, const struct debezium_schema *schema,
                               const struct debezium_members *row, uint64_t shape, const struct debezium_units *units,
                               struct error *err);
/* For events without a row: the declared columns where no row has been seen, and hints from `schema`. */
void debezium_table_fit_key(struct debezium_table *t, const struct debezium_schema *schema);
struct event_schema;
/* Makes the columns those of a journal entry of the table; it counts as journalled if the types are those we would
 * give them. Entries without the declared key leave the table as if no row had been seen. */
void debezium_table_adopt(struct debezium_table *t, const struct event_schema *schema);
/* Appends a SCHEMA item with a fresh id if the columns in the log are not these. */
void debezium_table_journal(struct debezium_table *t, uint32_t *table_id_next, struct buffer *out);

/* What values of the column have lost to a setting and nobody has been told yet: once for each loss. */
void debezium_table_tell_losses(const struct debezium_table *t, struct debezium_column *c);

#endif
