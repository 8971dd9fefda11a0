/* Looking at the graph of a store without running it: explain, and the errors of a view. */
#include "flow/inner.h"

#include "expr/build.h"

#include <inttypes.h>

static struct output *find_output(struct flow *f, const struct catalog_view *view)
{
    for (uint32_t i = 0; i < f->output_count; i++) {
        if (f->outputs[i].view == view) {
            return &f->outputs[i];
        }
    }
    return NULL;
}

static enum status print_map(struct flow *f, const char *label, const char *name, struct buffer *out, struct error *err)
{
    struct store_map *map;
    uint64_t entries = 0;
    uint64_t bytes = 0;
    enum status st = store_map_open(f->store, name, &map, err);
    if (st == STATUS_OK) {
        TRY(store_map_stat(map, &entries, &bytes, err));
    } else if (st != STATUS_NOT_FOUND) {
        return st;
    }
    buffer_printf(out, "      %-12s rows=%" PRIu64 " bytes=%" PRIu64 "\n", label, entries, bytes);
    return STATUS_OK;
}

static enum status print_own_maps(struct flow *f, const struct node *n, struct buffer *out, struct error *err)
{
    struct buffer identity = BUFFER_EMPTY;
    plan_print_identity(n->plan, &identity);
    enum status st = STATUS_OK;
    if (n->plan->kind == PLAN_GROUP || n->plan->kind == PLAN_DISTINCT) {
        st = print_map(f, "groups", map_name_for(f, "group", buffer_bytes(&identity)), out, err);
        st =
            st == STATUS_OK ? print_map(f, "values", map_name_for(f, "values", buffer_bytes(&identity)), out, err) : st;
    } else if (n->plan->kind == PLAN_RANK || n->plan->kind == PLAN_TOP) {
        st = print_map(f, "ordered", map_name_for(f, "ordered", buffer_bytes(&identity)), out, err);
    } else if (n->plan->kind == PLAN_SCAN) {
        st = print_map(f, "table", table_map_name(&f->arena, n->plan->table), out, err);
    } else if (n->plan->kind == PLAN_JOIN) {
        st = print_map(f, "left", n->left->map_name, out, err);
        st = st == STATUS_OK ? print_map(f, "right", n->right->map_name, out, err) : st;
    }
    buffer_release(&identity);
    return st;
}

static bool is_shared(const struct flow *f, const struct node *n)
{
    uint32_t views = 0;
    for (uint32_t i = 0; i < f->output_count; i++) {
        for (uint32_t k = 0; k < f->outputs[i].upstream_count; k++) {
            views += f->outputs[i].upstream[k] == n;
        }
    }
    return views > 1;
}

static void print_expressions(const struct node *n, struct buffer *out)
{
    if (n->plan->condition != NULL) {
        buffer_append_text(out, "      condition    ");
        expr_print(n->plan->condition, out);
        buffer_append_byte(out, '\n');
    }
}

static enum status print_node(struct flow *f, const struct node *n, struct buffer *out, struct error *err)
{
    buffer_printf(out, "  %3u %s", n->id, n->what);
    if (n->plan->kind == PLAN_SCAN) {
        buffer_printf(out, " %s.%s", n->plan->table->schema, n->plan->table->name);
    }
    for (uint32_t i = 0; i < n->input_count; i++) {
        buffer_printf(out, "%s%u", i == 0 ? " of " : ", ", n->inputs[i]->id);
    }
    buffer_append_text(out, " (");
    for (uint32_t i = 0; i < n->plan->column_count; i++) {
        buffer_printf(out, "%s%s", i > 0 ? ", " : "",
                      n->plan->columns[i].name == NULL ? "?" : n->plan->columns[i].name);
    }
    buffer_printf(out, ")%s\n", is_shared(f, n) ? " shared" : "");
    print_expressions(n, out);
    return print_own_maps(f, n, out, err);
}

/* A flow with a graph and no maps. */
static void open_dry(struct flow *f, const struct catalog *catalog, struct store *store)
{
    *f = (struct flow){.options = {.catalog = catalog, .store = store}, .store = store};
    graph_build(f);
}

static void close_dry(struct flow *f)
{
    graph_release(f);
    arena_release(&f->arena);
}

enum status flow_explain(struct store *store, const struct catalog *catalog, const struct catalog_view *view,
                         struct buffer *out, struct error *err)
{
    struct flow f;
    open_dry(&f, catalog, store);
    const struct output *o = find_output(&f, view);
    enum status st = STATUS_OK;
    buffer_printf(out, "view %s.%s\n", view->schema, view->name);
    for (uint32_t i = 0; o != NULL && i < o->upstream_count && st == STATUS_OK; i++) {
        st = o->upstream[i] == o->own ? STATUS_OK : print_node(&f, o->upstream[i], out, err);
    }
    if (st == STATUS_OK && o != NULL) {
        st = print_map(&f, "view", o->map_name, out, err);
    }
    close_dry(&f);
    return st;
}

static bool feeds(const struct output *o, uint32_t node_id)
{
    for (uint32_t i = 0; i < o->upstream_count; i++) {
        if (o->upstream[i]->id == node_id) {
            return true;
        }
    }
    return false;
}

static enum status visit_errors(const struct output *o, struct store_map *map,
                                int (*visit)(void *ctx, const char *text), void *ctx, struct error *err)
{
    struct store_cursor *cursor;
    struct buffer text = BUFFER_EMPTY;
    TRY(store_cursor_open(map, &cursor, err));
    enum status st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_OK && key.len >= 4 && feeds(o, load_be32(key.data))) {
            buffer_reset(&text);
            buffer_append(&text, key.data + 4, key.len - 4);
            buffer_append_byte(&text, '\0');
            if (visit(ctx, (const char *)text.data) != 0) {
                break;
            }
        }
    }
    store_cursor_close(cursor);
    buffer_release(&text);
    return st == STATUS_END ? STATUS_OK : st;
}

enum status view_errors(struct store *store, const struct catalog *catalog, const struct catalog_view *view,
                        int (*visit)(void *ctx, const char *text), void *ctx, struct error *err)
{
    struct store_map *map;
    enum status st = store_map_open(store, "error", &map, err);
    if (st != STATUS_OK) {
        return st == STATUS_NOT_FOUND ? STATUS_OK : st;
    }
    struct flow f;
    open_dry(&f, catalog, store);
    const struct output *o = find_output(&f, view);
    st = o == NULL ? STATUS_OK : visit_errors(o, map, visit, ctx, err);
    close_dry(&f);
    return st;
}
