/* ORDER BY ... LIMIT and ROW_NUMBER, RANK, DENSE_RANK.
 *
 * Map "ordered/...": partition (equality form), order values (with their flags), the whole row (image form) -> weight.
 * A touched partition's first rows are read before and after the run's changes, as far as the limit asks, and the
 * difference is passed on. Ties are broken by the row's image, so the result is a function of the rows. */
#include "flow/inner.h"

#include "row/tuple.h"

#include <string.h>

struct ordered {
    struct store_map *map;
    struct store_cursor *cursor;
    struct delta delta;  /* entries of the map, grouped by partition */
    struct delta change; /* output rows of one partition, by their images */
};

enum status ordered_open(struct flow *f, struct node *n, struct error *err)
{
    struct ordered *o = arena_zalloc(&f->arena, sizeof *o);
    n->ordered = o;
    struct buffer identity = BUFFER_EMPTY;
    plan_print_identity(n->plan, &identity);
    const char *name = map_name_for(f, "ordered", buffer_bytes(&identity));
    buffer_release(&identity);
    TRY(store_map_open(f->store, name, &o->map, err));
    return store_cursor_open(o->map, &o->cursor, err);
}

void ordered_release(struct node *n)
{
    if (n->ordered != NULL) {
        store_cursor_close(n->ordered->cursor);
        delta_release(&n->ordered->delta);
        delta_release(&n->ordered->change);
    }
}

static enum type_kind input_kind(const struct node *n, uint32_t column)
{
    return n->inputs[0]->plan->columns[column].type.kind;
}

static void encode(const struct node *n, const struct datum *row, struct buffer *out, size_t *prefix_len)
{
    const struct plan *p = n->plan;
    for (uint32_t i = 0; i < p->partition_count; i++) {
        tuple_append(out, input_kind(n, p->partition_columns[i]), &row[p->partition_columns[i]], TUPLE_EQUALITY);
    }
    *prefix_len = out->len;
    for (uint32_t i = 0; i < p->order_count; i++) {
        tuple_append(out, input_kind(n, p->order[i].column), &row[p->order[i].column], view_order_flags(&p->order[i]));
    }
    for (uint32_t i = 0; i < n->inputs[0]->plan->column_count; i++) {
        tuple_append(out, input_kind(n, i), &row[i], TUPLE_IMAGE);
    }
}

/* Splits an entry behind its partition: the order values' bytes, and the row decoded. */
static enum status decode(const struct node *n, struct bytes entry, size_t prefix_len, struct arena *a,
                          struct bytes *order, struct datum *row, struct error *err)
{
    struct bytes in = bytes_of(entry.data + prefix_len, entry.len - prefix_len);
    const uint8_t *start = in.data;
    for (uint32_t i = 0; i < n->plan->order_count; i++) {
        TRY(tuple_skip(&in, input_kind(n, n->plan->order[i].column), view_order_flags(&n->plan->order[i]), err));
    }
    *order = bytes_of(start, (size_t)(in.data - start));
    for (uint32_t i = 0; i < n->inputs[0]->plan->column_count; i++) {
        TRY(tuple_read(&in, input_kind(n, i), TUPLE_IMAGE, a, &row[i], err));
    }
    return STATUS_OK;
}

/* The ranks so far in one partition. */
struct ranking {
    uint64_t row_number; /* of the last row */
    uint64_t rank;
    uint64_t dense_rank;
    struct bytes order; /* of the last row */
};

static void output_add(struct flow *f, struct node *n, const struct datum *row, const struct ranking *r, int64_t weight)
{
    struct ordered *o = n->ordered;
    uint32_t width = n->inputs[0]->plan->column_count;
    struct datum *to = arena_alloc(&f->run, (n->out.width + 1) * sizeof *to);
    row_copy(to, row, width);
    for (uint32_t i = 0; i < n->plan->rank_count; i++) {
        uint64_t value = n->plan->ranks[i] == RANK_ROW_NUMBER ? r->row_number
                         : n->plan->ranks[i] == RANK_RANK     ? r->rank
                                                              : r->dense_rank;
        to[width + i] = datum_int((int64_t)value);
    }
    buffer_reset(&f->value);
    for (uint32_t i = 0; i < n->plan->column_count; i++) {
        tuple_append(&f->value, n->plan->columns[i].type.kind, &to[i], TUPLE_IMAGE);
    }
    delta_add(&o->change, buffer_bytes(&f->value), 0, weight, to);
}

/* TOP: how many of the `weight` equal rows that end at position `end` are wanted. */
static int64_t wanted_of(const struct plan *p, uint64_t end, int64_t weight)
{
    uint64_t start = end - (uint64_t)weight;
    uint64_t from = start > p->offset ? start : p->offset;
    uint64_t last = p->has_limit && p->limit < UINT64_MAX - p->offset ? p->offset + p->limit : UINT64_MAX;
    uint64_t to = end < last ? end : last;
    return to > from ? (int64_t)(to - from) : 0;
}

static bool numbers_rows(const struct plan *p)
{
    for (uint32_t i = 0; i < p->rank_count; i++) {
        if (p->ranks[i] == RANK_ROW_NUMBER) {
            return true;
        }
    }
    return false;
}

static uint64_t limiting_rank(const struct plan *p, const struct ranking *r)
{
    switch (p->ranks[0]) {
    case RANK_ROW_NUMBER:
        return r->row_number;
    case RANK_RANK:
        return r->rank;
    case RANK_DENSE_RANK:
        return r->dense_rank;
    }
    return 0;
}

/* Adds `weight` equal rows to the output with weight `sign`; `*more` false when later rows are not wanted. */
static void add_ranked(struct flow *f, struct node *n, const struct datum *row, int64_t weight, struct ranking *r,
                       int sign, bool *more)
{
    const struct plan *p = n->plan;
    int64_t copies = numbers_rows(p) ? weight : 1;
    for (int64_t i = 0; i < copies && *more; i++) {
        r->row_number += 1;
        if (p->rank_limit > 0 && limiting_rank(p, r) > p->rank_limit) {
            *more = false;
        } else {
            output_add(f, n, row, r, sign * (copies == 1 ? weight : 1));
        }
    }
    if (copies == 1) {
        r->row_number += (uint64_t)weight - 1;
    }
}

static void add_entry(struct flow *f, struct node *n, const struct datum *row, int64_t weight, struct ranking *r,
                      int sign, bool *more)
{
    const struct plan *p = n->plan;
    if (p->kind == PLAN_RANK) {
        add_ranked(f, n, row, weight, r, sign, more);
        return;
    }
    r->row_number += (uint64_t)weight;
    int64_t wanted = wanted_of(p, r->row_number, weight);
    if (wanted > 0) {
        output_add(f, n, row, r, sign * wanted);
    }
    *more = !p->has_limit || r->row_number < p->offset + p->limit;
}

/* Adds the partition's output as it stands, with weight `sign`. */
static enum status read_partition(struct flow *f, struct node *n, struct bytes prefix, int sign, struct error *err)
{
    struct ordered *o = n->ordered;
    struct ranking r = {0};
    bool more = true;
    TRY(store_cursor_seek(o->cursor, prefix, err));
    while (more) {
        struct bytes key;
        struct bytes value;
        int64_t weight;
        enum status st = store_cursor_next(o->cursor, &key, &value, err);
        if (st == STATUS_END) {
            return STATUS_OK;
        }
        TRY(st);
        if (key.len < prefix.len || memcmp(key.data, prefix.data, prefix.len) != 0) {
            return STATUS_OK;
        }
        TRY(weight_read(value, &weight, err));
        struct bytes kept = bytes_of(arena_dup(&f->run, key.data, key.len), key.len);
        struct datum *row = arena_alloc(&f->run, (n->inputs[0]->plan->column_count + 1) * sizeof *row);
        struct bytes order;
        TRY(decode(n, kept, prefix.len, &f->run, &order, row, err));
        bool first = r.row_number == 0;
        if (first || !bytes_equal(order, r.order)) {
            r.rank = r.row_number + 1;
            r.dense_rank += 1;
            r.order = order;
        }
        add_entry(f, n, row, weight, &r, sign, &more);
    }
    return STATUS_OK;
}

static enum status change_partition(struct flow *f, struct node *n, uint32_t group, struct error *err)
{
    struct ordered *o = n->ordered;
    struct bytes prefix = delta_group_prefix(&o->delta, group);
    struct delta_group range = delta_range(&o->delta, group);
    delta_reset(&o->change);
    TRY(read_partition(f, n, prefix, -1, err));
    for (uint32_t i = range.first; i < range.end; i++) {
        const struct delta_entry *e = &o->delta.entries[i];
        TRY(weight_add(o->map, delta_entry_bytes(&o->delta, e), e->weight, NULL, err));
    }
    TRY(read_partition(f, n, prefix, 1, err));
    delta_close(&o->change);
    for (size_t i = 0; i < o->change.entry_count; i++) {
        TRY(node_emit(f, n, o->change.entries[i].row, o->change.entries[i].weight, err));
    }
    return STATUS_OK;
}

enum status ordered_run(struct flow *f, struct node *n, struct error *err)
{
    struct ordered *o = n->ordered;
    const struct batch *in = &n->inputs[0]->out;
    delta_reset(&o->delta);
    for (size_t i = 0; i < in->count; i++) {
        size_t prefix_len;
        buffer_reset(&f->key);
        encode(n, batch_row(in, i), &f->key, &prefix_len);
        delta_add(&o->delta, buffer_bytes(&f->key), prefix_len, in->weights[i], batch_row(in, i));
    }
    delta_close(&o->delta);
    for (uint32_t g = 0; g < o->delta.group_count; g++) {
        TRY(change_partition(f, n, g, err));
    }
    return STATUS_OK;
}
