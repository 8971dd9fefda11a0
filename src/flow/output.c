/* The end of the graph: a materialized view's rows in their map, and word of every change to whoever syncs them.
 *
 * A view in error shows no rows: on entering, the rows that were shown are taken back; on leaving, all rows that are
 * there now are given. The map itself goes on being kept right for the rows that can be computed. */
#include "flow/inner.h"

#include "base/checksum.h"
#include "row/tuple.h"

static bool has_errors(const struct output *o)
{
    for (uint32_t i = 0; i < o->upstream_count; i++) {
        if (o->upstream[i]->errors > 0) {
            return true;
        }
    }
    return false;
}

static enum status report(struct flow *f, const struct output *o, struct bytes row, int64_t weight, struct error *err)
{
    uint32_t idx = (uint32_t)(o - f->outputs);
    return f->options.on_change == NULL ? STATUS_OK : f->options.on_change(f->options.ctx, idx, row, weight, err);
}

/* Reports every row of the map with its multiplicity times `sign`. */
static enum status report_all(struct flow *f, const struct output *o, int sign, struct error *err)
{
    struct store_cursor *cursor;
    struct buffer copy = BUFFER_EMPTY;
    TRY(store_cursor_open(o->map, &cursor, err));
    enum status st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        struct bytes row;
        uint64_t count;
        st = store_cursor_next(cursor, &key, &value, err);
        st = st == STATUS_OK ? view_entry_read(o->view, key, value, &row, &count, err) : st;
        if (st == STATUS_OK) { /* the callback may change maps, which ends the row's life */
            buffer_reset(&copy);
            buffer_append(&copy, row.data, row.len);
            st = report(f, o, buffer_bytes(&copy), sign * (int64_t)count, err);
        }
    }
    store_cursor_close(cursor);
    buffer_release(&copy);
    return st == STATUS_END ? STATUS_OK : st;
}

/* The order values, whose length is the group's prefix, then the visible columns. */
static void encode(const struct output *o, const struct datum *row, struct buffer *out, size_t *order_len)
{
    const struct catalog_view *v = o->view;
    for (uint32_t i = 0; i < v->order_count; i++) {
        const struct plan_order *order = &v->order[i];
        tuple_append(out, v->plan->columns[order->column].type.kind, &row[order->column], view_order_flags(order));
    }
    *order_len = out->len;
    view_row_append(v, row, out);
}

static enum status apply(struct flow *f, struct output *o, bool tell, struct error *err)
{
    for (size_t i = 0; i < o->delta.entry_count; i++) {
        const struct delta_entry *e = &o->delta.entries[i];
        struct bytes key = delta_entry_bytes(&o->delta, e);
        int64_t now;
        TRY(weight_add(o->map, key, e->weight, &now, err));
        if (now < 0) {
            return error_set(err, STATUS_CORRUPT, 0,
                             "view %s.%s has a row %lld times: the state is not what the log folds to; "
                             "run procd with --replay-from 0",
                             o->view->schema, o->view->name, (long long)now);
        }
        if (tell) {
            TRY(report(f, o, bytes_of(key.data + e->prefix_len, key.len - e->prefix_len), e->weight, err));
        }
    }
    return STATUS_OK;
}

enum status output_error_hash(struct flow *f, const struct output *o, struct buffer *text, uint64_t *out,
                              struct error *err)
{
    *out = 0;
    if (o->in_error) {
        TRY(error_first(f, o, text, err));
        *out = checksum_xxh3(text->data, text->len) | 1;
    }
    buffer_append_byte(text, '\0');
    return STATUS_OK;
}

/* Reports going into error, out of it, and that another row is now the first one named. */
static enum status tell_state(struct flow *f, struct output *o, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    uint64_t hash;
    enum status st = output_error_hash(f, o, &text, &hash, err);
    if (st == STATUS_OK && hash != o->told && f->options.on_view_error != NULL) {
        st = f->options.on_view_error(f->options.ctx, (uint32_t)(o - f->outputs),
                                      o->in_error ? (const char *)text.data : NULL, err);
    }
    o->told = hash;
    buffer_release(&text);
    return st;
}

enum status output_run(struct flow *f, struct output *o, struct error *err)
{
    const struct batch *in = &o->node->out;
    delta_reset(&o->delta);
    for (size_t i = 0; i < in->count; i++) {
        size_t order_len;
        buffer_reset(&f->key);
        encode(o, batch_row(in, i), &f->key, &order_len);
        delta_add(&o->delta, buffer_bytes(&f->key), order_len, in->weights[i], NULL);
    }
    delta_close(&o->delta);
    if (f->holds) { /* whether the view is right is known when all is given out */
        return apply(f, o, !o->in_error, err);
    }
    bool was = o->in_error;
    o->in_error = has_errors(o);
    if (!was && o->in_error) {
        TRY(report_all(f, o, -1, err));
    }
    TRY(apply(f, o, !was && !o->in_error, err));
    if (was && !o->in_error) {
        TRY(report_all(f, o, 1, err));
    }
    return was || o->in_error ? tell_state(f, o, err) : STATUS_OK;
}
