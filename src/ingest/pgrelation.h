/* The tables that a PostgreSQL source describes: columns, types, and under which journal id their rows go into the log.
 *
 * A table that the schema files do not declare has an entry too (its rows are skipped). An entry lives as long as the
 * set; a new description of the same table changes it in place, and where that changes anything a new journal id is
 * taken with the next row. */
#ifndef INGEST_PGRELATION_H
#define INGEST_PGRELATION_H

#include "base/bytes.h"
#include "plan/catalog.h"
#include "row/type.h"

#include <stdbool.h>
#include <stdint.h>

struct pgcolumn {
    char *name;
    uint32_t type_oid; /* as the source says: may be a domain's */
    int32_t typmod;
    struct type type; /* what values are read as: a domain's base type */
    bool identity;    /* part of the source's replica identity */
    bool key;         /* part of the declared primary key */
};

struct pgrelation {
    uint32_t oid;
    char name[160];                    /* with its schema, for messages */
    const struct catalog_table *table; /* NULL = not declared */
    struct pgcolumn *columns;
    uint32_t column_count;
    uint32_t *key_columns; /* the declared key's columns that are there, as indexes of `columns` */
    uint32_t key_count;
    uint32_t table_id;      /* valid if journalled */
    bool journalled;        /* a SCHEMA item with table_id and these columns was handed out */
    uint64_t journalled_in; /* the commit (by the caller's count) that carried it */
    uint64_t session;       /* the newest session that described it */
    bool told;              /* not declared, and a line said that its changes are skipped */
};

struct pgrelation_set {
    const struct catalog *catalog;
    struct pgrelation **slots; /* open addressing by oid */
    uint32_t slot_count;       /* a power of two, or 0 */
    uint32_t count;
    uint32_t table_id_next;
    struct pgrelation *last; /* the one found last: rows of a table come together */
};

void pgrelation_set_init(struct pgrelation_set *set, const struct catalog *catalog, uint32_t table_id_next);
void pgrelation_set_release(struct pgrelation_set *set);

/* NULL where the source has not described it. */
struct pgrelation *pgrelation_find_slow(struct pgrelation_set *set, uint32_t oid);
static inline struct pgrelation *pgrelation_find(struct pgrelation_set *set, uint32_t oid)
{
    return set->last != NULL && set->last->oid == oid ? set->last : pgrelation_find_slow(set, oid);
}

/* Takes a description: `columns` (names included) is copied, `key` is filled in here. */
struct pgrelation *pgrelation_describe(struct pgrelation_set *set, uint32_t oid, const char *schema, const char *name,
                                       const struct pgcolumn *columns, uint32_t column_count);
/* Appends a SCHEMA item with a fresh id if the description in the log is not this one. `commit` is the caller's
 * count. */
void pgrelation_journal(struct pgrelation_set *set, struct pgrelation *relation, uint64_t commit, struct buffer *out);
/* Commit `commit` was abandoned: what it journalled is not in the log. */
void pgrelation_forget(struct pgrelation_set *set, uint64_t commit);

#endif
