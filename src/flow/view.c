/* Reading tables and views where they lie. */
#include "flow/view.h"

#include "row/packed.h"
#include "row/tuple.h"

const char *view_map_name(struct arena *a, const struct catalog_view *view)
{
    return arena_printf(a, "view/%s.%s", view->schema, view->name);
}

const char *table_map_name(struct arena *a, const struct catalog_table *table)
{
    return arena_printf(a, "table/%s.%s", table->schema, table->name);
}

unsigned view_order_flags(const struct plan_order *order)
{
    return (order->desc ? (unsigned)TUPLE_DESC : 0u) | (order->nulls_first ? (unsigned)TUPLE_NULLS_FIRST : 0u);
}

enum status view_entry_read(const struct catalog_view *view, struct bytes key, struct bytes value, struct bytes *row,
                            uint64_t *count, struct error *err)
{
    for (uint32_t i = 0; i < view->order_count; i++) {
        const struct plan_order *o = &view->order[i];
        TRY(tuple_skip(&key, view->plan->columns[o->column].type.kind, view_order_flags(o), err));
    }
    *row = key;
    uint64_t coded = zigzag_encode(1);
    if (value.len > 0 && varint_decode(value, &coded) != value.len) {
        return error_set(err, STATUS_CORRUPT, 0, "a row's count in view %s.%s is broken", view->schema, view->name);
    }
    *count = (uint64_t)zigzag_decode(coded);
    return STATUS_OK;
}

enum status view_row_read(const struct catalog_view *view, struct bytes image, struct arena *a, struct datum *row,
                          struct error *err)
{
    for (uint32_t i = 0; i < view->visible_count; i++) {
        TRY(tuple_read(&image, view->plan->columns[i].type.kind, TUPLE_IMAGE, a, &row[i], err));
    }
    return STATUS_OK;
}

void view_row_append(const struct catalog_view *view, const struct datum *row, struct buffer *out)
{
    for (uint32_t i = 0; i < view->visible_count; i++) {
        tuple_append(out, view->plan->columns[i].type.kind, &row[i], TUPLE_IMAGE);
    }
}

enum status table_row_read(const struct catalog_table *table, struct bytes value, struct arena *a, struct datum *row,
                           struct error *err)
{
    struct packed_reader r = packed_reader_of(value);
    for (uint32_t i = 0; i < table->column_count; i++) {
        TRY(packed_read_datum(&r, table->columns[i].type.kind, a, &row[i], err));
    }
    return STATUS_OK;
}
