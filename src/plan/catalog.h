/* What the schema files declare: source tables and views. Made by the SQL room, read by everybody, immutable once
 * loaded. */
#ifndef PLAN_CATALOG_H
#define PLAN_CATALOG_H

#include "base/arena.h"
#include "row/type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan;

struct catalog_column {
    const char *name;
    struct type type;
    bool not_null; /* declared NOT NULL or part of the primary key */
};

struct catalog_table {
    const char *schema;
    const char *name;
    const char *topic; /* WITH (topic = '...'), NULL where not given */
    struct catalog_column *columns;
    uint32_t column_count;
    uint32_t *key_columns; /* the PRIMARY KEY, in its order; at least one */
    uint32_t key_count;
    uint32_t idx;      /* in catalog.tables */
    const char *where; /* "file:line", for messages */
};

struct plan_order {
    uint32_t column;
    bool desc;
    bool nulls_first; /* resolved: PostgreSQL's default is NULLS FIRST for DESC, NULLS LAST for ASC */
};

struct catalog_view {
    const char *schema;
    const char *name;
    bool materialized; /* plain views are only names for their plan */
    struct plan *plan; /* columns past visible_count are hidden: they serve the order */
    uint32_t visible_count;
    struct plan_order *order; /* the view's own ORDER BY, may be empty */
    uint32_t order_count;
    uint32_t idx;           /* in catalog.views */
    const char *definition; /* the SELECT's text as written */
    const char *where;
};

struct catalog {
    struct catalog_table **tables;
    uint32_t table_count;
    struct catalog_view **views; /* in order of definition: a view's inputs come before it */
    uint32_t view_count;
    struct arena arena; /* everything the catalog points to */
};

/* NULL where there is none. `schema` NULL looks in "public" and then, where the name is unique, in all. */
const struct catalog_table *catalog_find_table(const struct catalog *c, const char *schema, const char *name);
const struct catalog_view *catalog_find_view(const struct catalog *c, const char *schema, const char *name);

#endif
