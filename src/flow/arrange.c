/* Arrangements: rows by key, netted once a run. */
#include "flow/inner.h"

#include "row/tuple.h"

static enum type_kind kind_of(const struct arrangement *a, uint32_t column)
{
    return a->input->plan->columns[column].type.kind;
}

void arrangement_encode(const struct arrangement *a, const struct datum *row, struct buffer *out, size_t *prefix_len,
                        bool *null_key)
{
    *null_key = false;
    for (uint32_t i = 0; i < a->key_count; i++) {
        const struct datum *d = &row[a->key_columns[i]];
        *null_key = *null_key || d->null;
        tuple_append(out, kind_of(a, a->key_columns[i]), d, TUPLE_EQUALITY);
    }
    *prefix_len = out->len;
    for (uint32_t i = 0; i < a->rest_count; i++) {
        tuple_append(out, kind_of(a, a->rest_columns[i]), &row[a->rest_columns[i]], TUPLE_IMAGE);
    }
}

enum status weight_read(struct bytes value, int64_t *out, struct error *err)
{
    uint64_t coded = zigzag_encode(1);
    if (value.len > 0 && varint_decode(value, &coded) != value.len) {
        return error_set(err, STATUS_CORRUPT, 0, "a weight in the state is broken");
    }
    *out = zigzag_decode(coded);
    return STATUS_OK;
}

enum status weight_add(struct store_map *map, struct bytes key, int64_t weight, int64_t *now, struct error *err)
{
    struct bytes value;
    int64_t sum = 0;
    enum status st = store_get(map, key, &value, err);
    if (st == STATUS_OK) {
        TRY(weight_read(value, &sum, err));
    } else if (st != STATUS_NOT_FOUND) {
        return st;
    }
    sum += weight;
    if (now != NULL) {
        *now = sum;
    }
    if (sum == 0) {
        return store_delete(map, key, err);
    }
    uint8_t coded[VARINT_BYTES_MAX];
    size_t len = sum == 1 ? 0 : varint_encode(coded, zigzag_encode(sum));
    return store_put(map, key, bytes_of(coded, len), err);
}

enum status arrangement_run(struct flow *f, struct arrangement *a, struct error *err)
{
    const struct batch *in = &a->input->out;
    delta_reset(&a->delta);
    for (size_t i = 0; i < in->count; i++) {
        size_t prefix_len;
        bool null_key;
        buffer_reset(&f->key);
        arrangement_encode(a, batch_row(in, i), &f->key, &prefix_len, &null_key);
        if (!(null_key && a->skip_null_keys)) {
            delta_add(&a->delta, buffer_bytes(&f->key), prefix_len, in->weights[i], batch_row(in, i));
        }
    }
    delta_close(&a->delta);
    for (size_t i = 0; i < a->delta.entry_count; i++) {
        const struct delta_entry *e = &a->delta.entries[i];
        TRY(weight_add(a->map, delta_entry_bytes(&a->delta, e), e->weight, NULL, err));
    }
    return STATUS_OK;
}

static bool key_is_needed(const struct arrangement *a, const bool *needed)
{
    for (uint32_t i = 0; i < a->key_count; i++) {
        if (needed[a->key_columns[i]]) {
            return true;
        }
    }
    return false;
}

static enum status decode_key(const struct arrangement *a, struct bytes *entry, struct arena *arena, struct datum *row,
                              struct error *err)
{
    for (uint32_t i = 0; i < a->key_count; i++) {
        enum type_kind kind = kind_of(a, a->key_columns[i]);
        if (type_is_image_lossy(kind)) { /* its image follows among the rest */
            TRY(tuple_skip(entry, kind, TUPLE_EQUALITY, err));
        } else {
            TRY(tuple_read(entry, kind, TUPLE_IMAGE, arena, &row[a->key_columns[i]], err));
        }
    }
    return STATUS_OK;
}

enum status arrangement_decode(const struct arrangement *a, struct bytes entry, size_t prefix_len, const bool *needed,
                               struct arena *arena, struct datum *row, struct error *err)
{
    if (key_is_needed(a, needed)) {
        TRY(decode_key(a, &entry, arena, row, err));
    } else {
        entry = bytes_of(entry.data + prefix_len, entry.len - prefix_len);
        for (uint32_t i = 0; i < a->key_count; i++) {
            row[a->key_columns[i]] = DATUM_NULL;
        }
    }
    for (uint32_t i = 0; i < a->rest_count; i++) {
        uint32_t column = a->rest_columns[i];
        if (needed[column]) {
            TRY(tuple_read(&entry, kind_of(a, column), TUPLE_IMAGE, arena, &row[column], err));
        } else {
            row[column] = DATUM_NULL;
            TRY(tuple_skip(&entry, kind_of(a, column), TUPLE_IMAGE, err));
        }
    }
    return STATUS_OK;
}
