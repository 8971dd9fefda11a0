/* A view's changes as rows for PostgreSQL. */
#include "sink/inner.h"

#include "base/checksum.h"
#include "row/tuple.h"

#include <inttypes.h>
#include <string.h>

static enum status decode(const struct catalog_view *view, struct bytes image, struct arena *a, struct datum **out,
                          struct error *err)
{
    struct datum *row = arena_alloc(a, (view->visible_count + 1) * sizeof *row);
    for (uint32_t i = 0; i < view->visible_count; i++) {
        TRY(tuple_read(&image, view->plan->columns[i].type.kind, TUPLE_IMAGE, a, &row[i], err));
    }
    *out = row;
    return STATUS_OK;
}

/* A set of keys: open addressing over offsets into one buffer; slot 0 = free. */
struct key_set {
    struct buffer keys; /* le32 length, bytes */
    uint32_t *slots;
    size_t mask;
};

static void append_key(const struct catalog_view *view, const struct datum *row, struct buffer *out)
{
    for (uint32_t i = 0; i < view->plan->key_count; i++) {
        uint32_t c = view->plan->key[i];
        tuple_append(out, view->plan->columns[c].type.kind, &row[c], TUPLE_EQUALITY);
    }
}

/* Finds the key at the end of `set->keys` from `start`; true if it was there (it is then taken off again). */
static bool key_set_visit(struct key_set *set, size_t start, bool add)
{
    struct bytes key = bytes_of(set->keys.data + start + 4, set->keys.len - start - 4);
    store_le32(set->keys.data + start, (uint32_t)key.len);
    size_t at = checksum_xxh3(key.data, key.len) & set->mask;
    bool found = false;
    while (set->slots[at] != 0 && !found) {
        const uint8_t *other = set->keys.data + set->slots[at] - 1;
        found = bytes_equal(key, bytes_of(other + 4, load_le32(other)));
        at = (at + 1) & set->mask;
    }
    if (found || !add) {
        set->keys.len = start;
    } else {
        set->slots[at] = (uint32_t)start + 1;
    }
    return found;
}

static bool visit_row(struct key_set *set, const struct catalog_view *view, const struct datum *row, bool add)
{
    size_t start = set->keys.len;
    buffer_append(&set->keys, "\0\0\0\0", 4);
    append_key(view, row, &set->keys);
    return key_set_visit(set, start, add);
}

static void row_set_add(struct row_set *set, struct datum *row, int64_t count)
{
    set->rows[set->count] = row;
    set->counts[set->count] = count;
    set->count += 1;
}

static struct row_set row_set_make(struct arena *a, size_t count)
{
    return (struct row_set){.rows = arena_alloc(a, (count + 1) * sizeof(struct datum *)),
                            .counts = arena_alloc(a, (count + 1) * sizeof(int64_t))};
}

static void drop_replaced(const struct sink_view *sv, struct view_rows *rows, struct arena *a)
{
    struct key_set set = {0};
    size_t slots = 16;
    while (slots < rows->inserts.count * 2) {
        slots *= 2;
    }
    set.mask = slots - 1;
    set.slots = arena_zalloc(a, slots * sizeof *set.slots);
    for (size_t i = 0; i < rows->inserts.count; i++) {
        (void)visit_row(&set, sv->view, rows->inserts.rows[i], true);
    }
    struct row_set kept = rows->deletes;
    kept.count = 0;
    for (size_t i = 0; i < rows->deletes.count; i++) {
        if (!visit_row(&set, sv->view, rows->deletes.rows[i], false)) {
            row_set_add(&kept, rows->deletes.rows[i], rows->deletes.counts[i]);
        }
    }
    rows->deletes = kept;
    buffer_release(&set.keys);
}

enum status rows_split(const struct sink_view *sv, const struct sink_view_changes *changes, struct arena *a,
                       struct view_rows *out, struct error *err)
{
    out->deletes = row_set_make(a, changes->change_count);
    out->inserts = row_set_make(a, changes->change_count);
    for (uint64_t i = 0; i < changes->change_count; i++) {
        const struct sink_change *change = &changes->changes[i];
        struct datum *row;
        TRY(decode(sv->view, change->row, a, &row, err));
        if (change->weight < 0) {
            row_set_add(&out->deletes, row, -change->weight);
        } else {
            row_set_add(&out->inserts, row, change->weight);
        }
    }
    if (sv->kind != TABLE_BAG && sv->view->plan->key_count > 0) {
        drop_replaced(sv, out, a);
    }
    return STATUS_OK;
}

static void append_array_element(struct buffer *out, struct buffer *text, const struct type *type,
                                 const struct datum *d)
{
    if (d->null) {
        buffer_append_text(out, "NULL");
        return;
    }
    buffer_reset(text);
    datum_print(type, d, text);
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] == '"' || text->data[i] == '\\') {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, text->data[i]);
    }
    buffer_append_byte(out, '"');
}

const char **rows_as_arrays(const struct sink_view *sv, const struct row_set *rows, struct arena *a)
{
    uint32_t columns = sv->view->visible_count;
    const char **arrays = arena_alloc(a, (columns + 1) * sizeof *arrays);
    struct buffer out = BUFFER_EMPTY;
    struct buffer text = BUFFER_EMPTY;
    for (uint32_t c = 0; c <= columns; c++) {
        buffer_reset(&out);
        buffer_append_byte(&out, '{');
        for (size_t i = 0; i < rows->count; i++) {
            if (i > 0) {
                buffer_append_byte(&out, ',');
            }
            if (c == columns) {
                buffer_printf(&out, "%" PRId64, rows->counts[i]);
            } else {
                append_array_element(&out, &text, &sv->view->plan->columns[c].type, &rows->rows[i][c]);
            }
        }
        buffer_append_byte(&out, '}');
        arrays[c] = arena_strndup(a, (const char *)out.data, out.len);
    }
    buffer_release(&out);
    buffer_release(&text);
    return arrays;
}

static void append_copy_value(struct buffer *out, struct buffer *text, const struct type *type, const struct datum *d)
{
    if (d->null) {
        buffer_append_text(out, "\\N");
        return;
    }
    buffer_reset(text);
    datum_print(type, d, text);
    for (size_t i = 0; i < text->len; i++) {
        uint8_t c = text->data[i];
        if (c == '\\' || c == '\t' || c == '\n' || c == '\r') {
            buffer_append_byte(out, '\\');
            c = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c;
        }
        buffer_append_byte(out, c);
    }
}

void rows_append_copy(const struct sink_view *sv, const struct row_set *rows, size_t from, size_t to,
                      struct buffer *out)
{
    struct buffer text = BUFFER_EMPTY;
    for (size_t i = from; i < to; i++) {
        for (uint32_t c = 0; c < sv->view->visible_count; c++) {
            append_copy_value(out, &text, &sv->view->plan->columns[c].type, &rows->rows[i][c]);
            buffer_append_byte(out, '\t');
        }
        buffer_printf(out, "%" PRId64 "\t%zu\n", rows->counts[i], i);
    }
    buffer_release(&text);
}
