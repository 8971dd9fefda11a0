/* How tables and views lie in the store, for those who read them without running the flow (sink, statectl).
 *
 * Map "view/<schema>.<name>": key = the ORDER BY values (tuple form with their flags), then the image of the visible
 * columns; value = the row's multiplicity as a varint. So a scan gives the view in its own order, else by its columns
 * from the left (its key first). Map "table/<schema>.<name>": key = the primary key (equality form), value = the
 * declared columns as packed values one after another. Map "quarantine": key = seq and ordinal; map "error": see
 * error.c. */
#ifndef FLOW_VIEW_H
#define FLOW_VIEW_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "plan/catalog.h"
#include "plan/plan.h"
#include "state/store.h"

/* Name of the map, in the arena. */
const char *view_map_name(struct arena *a, const struct catalog_view *view);
const char *table_map_name(struct arena *a, const struct catalog_table *table);

/* The tuple flags (row/tuple.h) of a value in this order. */
unsigned view_order_flags(const struct plan_order *order);

/* The image of the visible columns out of a view map's entry (borrows `key`), and the multiplicity. */
enum status view_entry_read(const struct catalog_view *view, struct bytes key, struct bytes value, struct bytes *row,
                            uint64_t *count, struct error *err);
/* Decodes an image into `row[visible_count]`; values may borrow `image` or be in `a`. */
enum status view_row_read(const struct catalog_view *view, struct bytes image, struct arena *a, struct datum *row,
                          struct error *err);
/* The inverse: appends the image of `row[visible_count]`. */
void view_row_append(const struct catalog_view *view, const struct datum *row, struct buffer *out);
/* Decodes a table map's value into `row[column_count]`. */
enum status table_row_read(const struct catalog_table *table, struct bytes value, struct arena *a, struct datum *row,
                           struct error *err);

/* Calls `visit` for each error of a view in the store; none = the view is right. `text` names the failure and the
 * row. */
enum status view_errors(struct store *store, const struct catalog *catalog, const struct catalog_view *view,
                        int (*visit)(void *ctx, const char *text), void *ctx, struct error *err);

struct quarantine_entry {
    uint64_t seq;
    uint64_t ordinal; /* within the commit */
    struct bytes origin;
    struct bytes reason;
    struct bytes raw;
};
/* Calls `visit` for each entry in order; a nonzero return ends the walk. */
enum status quarantine_entries(struct store *store, int (*visit)(void *ctx, const struct quarantine_entry *entry),
                               void *ctx, struct error *err);

#endif
