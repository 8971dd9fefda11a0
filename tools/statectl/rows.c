/* Walks the rows of a view or a table as they lie in the store. */
#include "ctl.h"

#include "flow/view.h"

const char *ctl_column_name(const struct ctl_columns *columns, uint32_t i)
{
    return columns->view_columns != NULL ? columns->view_columns[i].name : columns->table_columns[i].name;
}

const struct type *ctl_column_type(const struct ctl_columns *columns, uint32_t i)
{
    return columns->view_columns != NULL ? &columns->view_columns[i].type : &columns->table_columns[i].type;
}

struct walk {
    const struct catalog_view *view;
    const struct catalog_table *table;
    struct ctl_columns columns;
    struct arena arena;
    struct datum *row;
    enum status (*visit)(void *ctx, const struct ctl_columns *columns, const struct datum *row, struct error *err);
    void *ctx;
};

static enum status visit_entry(struct walk *w, struct bytes key, struct bytes value, struct error *err)
{
    if (w->table != NULL) {
        TRY(table_row_read(w->table, value, &w->arena, w->row, err));
        return w->visit(w->ctx, &w->columns, w->row, err);
    }
    struct bytes image;
    uint64_t count;
    TRY(view_entry_read(w->view, key, value, &image, &count, err));
    TRY(view_row_read(w->view, image, &w->arena, w->row, err));
    for (uint64_t i = 0; i < count; i++) {
        TRY(w->visit(w->ctx, &w->columns, w->row, err));
    }
    return STATUS_OK;
}

static enum status walk_map(struct walk *w, struct store *store, const char *map_name, struct error *err)
{
    struct store_map *map;
    enum status st = store_map_open(store, map_name, &map, err);
    if (st != STATUS_OK) {
        return st == STATUS_NOT_FOUND ? STATUS_OK : st; /* nothing has come yet */
    }
    struct store_cursor *cursor;
    TRY(store_cursor_open(map, &cursor, err));
    st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_OK) {
            arena_reset(&w->arena);
            st = visit_entry(w, key, value, err);
        }
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

enum status ctl_rows(struct ctl *c, const struct catalog_view *view, const struct catalog_table *table,
                     enum status (*visit)(void *ctx, const struct ctl_columns *columns, const struct datum *row,
                                          struct error *err),
                     void *ctx, struct error *err)
{
    struct walk w = {.view = view, .table = table, .visit = visit, .ctx = ctx};
    if (view != NULL) {
        w.columns = (struct ctl_columns){.view_columns = view->plan->columns, .count = view->visible_count};
    } else {
        w.columns = (struct ctl_columns){.table_columns = table->columns, .count = table->column_count};
    }
    struct arena names = ARENA_EMPTY;
    struct datum *row = arena_alloc(&names, (w.columns.count + 1) * sizeof *row);
    w.row = row;
    const char *map_name = view != NULL ? view_map_name(&names, view) : table_map_name(&names, table);
    enum status st = walk_map(&w, c->store, map_name, err);
    arena_release(&w.arena);
    arena_release(&names);
    return st;
}
