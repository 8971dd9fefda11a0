/* Failures of expressions, as a multiset: map "error": node (be32), text -> weight. A row that fails is not passed on;
 * its entry is there as long as the row is. A view with an entry under any node that feeds it is in error. Node numbers
 * are positions in the graph of the catalog, so they mean the same as long as the store's pipeline does. */
#include "flow/inner.h"

enum { ROW_TEXT_BYTES_MAX = 300 };

enum status error_add_text(struct flow *f, struct node *node, const char *text, int64_t weight, struct error *err)
{
    struct buffer key = BUFFER_EMPTY;
    uint8_t id[4];
    store_be32(id, node->id);
    buffer_append(&key, id, sizeof id);
    buffer_append_text(&key, text);
    int64_t now = 0;
    enum status st = weight_add(f->errors, buffer_bytes(&key), weight, &now, err);
    buffer_release(&key);
    if (st == STATUS_OK && now == 0) {
        node->errors -= 1;
    } else if (st == STATUS_OK && now == weight) {
        node->errors += 1;
    }
    return st;
}

/* The columns that a scan or a join has not read, because nobody looks at them, are left out: what a row shows must not
 * depend on where it came from. NULL = all are there. */
static const bool *columns_read(const struct node *n)
{
    bool of_input = n->plan->kind == PLAN_FILTER || n->plan->kind == PLAN_PROJECT;
    return of_input ? n->inputs[0]->needed : NULL;
}

static void print_row(const struct plan_column *columns, uint32_t count, const bool *read, const struct datum *row,
                      struct buffer *out)
{
    struct buffer text = BUFFER_EMPTY;
    for (uint32_t i = 0; i < count && out->len < ROW_TEXT_BYTES_MAX; i++) {
        if (read != NULL && !read[i]) {
            continue;
        }
        buffer_printf(out, "%s%s=", out->len > 0 ? ", " : "", columns[i].name == NULL ? "?" : columns[i].name);
        if (row[i].null) {
            buffer_append_text(out, "NULL");
            continue;
        }
        buffer_reset(&text);
        datum_print(&columns[i].type, &row[i], &text);
        size_t len = text.len < 64 ? text.len : 64;
        while (len < text.len && len > 0 && (text.data[len] & 0xc0) == 0x80) { /* not in the middle of a character */
            len--;
        }
        buffer_append(out, text.data, len);
    }
    buffer_release(&text);
}

enum status error_add(struct flow *f, struct node *node, const struct plan_column *columns, uint32_t column_count,
                      const struct datum *row, const struct error *failure, int64_t weight, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    struct buffer values = BUFFER_EMPTY;
    print_row(columns, column_count, columns_read(node), row, &values);
    /* No file name or line: the text is part of the state, which depends on the log and on what the pipeline means
     * alone. */
    buffer_printf(&text, "%s, in row (%.*s)", failure->text, (int)values.len,
                  values.data == NULL ? "" : (const char *)values.data);
    buffer_append_byte(&text, '\0');
    enum status st = error_add_text(f, node, (const char *)text.data, weight, err);
    buffer_release(&text);
    buffer_release(&values);
    return st;
}

static struct node *node_by_id(struct flow *f, uint32_t id)
{
    if (id < f->node_count) {
        return f->nodes[id];
    }
    return id - f->node_count < f->output_count ? f->outputs[id - f->node_count].own : NULL;
}

enum status error_load(struct flow *f, struct error *err)
{
    struct store_cursor *cursor;
    TRY(store_cursor_open(f->errors, &cursor, err));
    enum status st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        st = store_cursor_next(cursor, &key, &value, err);
        struct node *node = st == STATUS_OK && key.len >= 4 ? node_by_id(f, load_be32(key.data)) : NULL;
        if (node != NULL) {
            node->errors += 1;
        }
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

/* The first entry under a node. */
static enum status first_of_node(struct flow *f, uint32_t id, struct buffer *out, struct error *err)
{
    uint8_t prefix[4];
    store_be32(prefix, id);
    struct store_cursor *cursor;
    TRY(store_cursor_open(f->errors, &cursor, err));
    struct bytes key;
    struct bytes value;
    enum status st = store_cursor_seek(cursor, bytes_of(prefix, sizeof prefix), err);
    st = st == STATUS_OK ? store_cursor_next(cursor, &key, &value, err) : st;
    if (st == STATUS_OK && key.len >= 4 && load_be32(key.data) == id) {
        buffer_append(out, key.data + 4, key.len - 4);
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

enum status error_first(struct flow *f, const struct output *o, struct buffer *out, struct error *err)
{
    for (uint32_t i = 0; i < o->upstream_count && out->len == 0; i++) {
        if (o->upstream[i]->errors > 0) {
            TRY(first_of_node(f, o->upstream[i]->id, out, err));
        }
    }
    return STATUS_OK;
}
