/* GROUP BY and DISTINCT.
 *
 * Map "group/...": group key (equality form) -> row count, then the state of each aggregate (aggregate.c). Map
 * "values/...": what must be kept row by row: aggregate number (be16), group key, value (image form; inverted for max)
 * -> weight. min and max read its first entry; DISTINCT aggregates see a value come when its first copy comes and go
 * with its last; group columns whose equal values may look different are shown as the smallest of the images present,
 * taken together (all are those of one row). So the output is a function of the rows that are there, not of how they
 * came. */
#include "flow/inner.h"

#include "base/memory.h"
#include "flow/aggregate.h"
#include "flow/keyset.h"
#include "row/tuple.h"

#include <string.h>

enum {
    IMAGE_SLOT = 0x8000, /* in the place of an aggregate number: the lossy group columns' images */
    HELD_GROUPS_MAX = 16 * 1024,
    HELD_ROWS_MAX = 256 * 1024,
    HELD_BYTES_KEPT_MAX = 4 * 1024 * 1024
};

struct touched;

struct group {
    struct aggregate_set aggregates;
    uint32_t *columns; /* of the input, to group by */
    uint32_t column_count;
    uint32_t *argument_columns; /* of the input, that the aggregates look at */
    uint32_t argument_count;
    bool lossy; /* some group column's equal values may look different */
    bool global;
    struct store_map *map;
    struct store_map *values;    /* NULL where nothing is kept row by row */
    struct store_cursor *cursor; /* over values */
    struct delta delta;          /* where values are kept: the run's rows, by group */
    struct keyset keys;          /* else: the groups touched since they were last given out, */
    struct touched *touched;     /* by their numbers; what these point to is in `held` */
    size_t touched_capacity;
    struct arena held;
    size_t held_rows; /* taken in since then */
};

/* One group being changed. */
struct touched {
    struct flow *flow;
    struct node *node;
    struct arena *arena; /* of all that it points to */
    struct bytes key;
    struct aggregate_state state;
    const struct datum *columns; /* by which it is grouped, of one of its rows */
    bool was;                    /* the group had a row before it was touched: */
    struct datum *before;
    const struct error *failure; /* NULL where it has one */
};

static enum type_kind input_kind(const struct node *n, uint32_t column)
{
    return n->inputs[0]->plan->columns[column].type.kind;
}

static void note_argument(struct group *g, struct arena *a, uint32_t column)
{
    for (uint32_t i = 0; i < g->argument_count; i++) {
        if (g->argument_columns[i] == column) {
            return;
        }
    }
    uint32_t *grown = arena_alloc(a, (g->argument_count + 1) * sizeof *grown);
    if (g->argument_count > 0) {
        memcpy(grown, g->argument_columns, g->argument_count * sizeof *grown);
    }
    grown[g->argument_count] = column;
    g->argument_columns = grown;
    g->argument_count += 1;
}

static bool keeps_values(const struct node *n, const struct group *g)
{
    bool keeps = g->lossy;
    for (uint32_t i = 0; i < n->plan->aggregate_count; i++) {
        keeps = keeps || aggregate_keeps_values(&n->plan->aggregates[i]);
    }
    return keeps;
}

static enum status open_maps(struct flow *f, struct node *n, struct group *g, struct error *err)
{
    struct buffer identity = BUFFER_EMPTY;
    plan_print_identity(n->plan, &identity);
    const char *name = map_name_for(f, "group", buffer_bytes(&identity));
    const char *values = map_name_for(f, "values", buffer_bytes(&identity));
    buffer_release(&identity);
    TRY(store_map_open(f->store, name, &g->map, err));
    if (keeps_values(n, g)) {
        TRY(store_map_open(f->store, values, &g->values, err));
        TRY(store_cursor_open(g->values, &g->cursor, err));
    }
    return STATUS_OK;
}

enum status group_open(struct flow *f, struct node *n, struct error *err)
{
    struct group *g = arena_zalloc(&f->arena, sizeof *g);
    n->group = g;
    const struct plan *p = n->plan;
    if (p->kind == PLAN_DISTINCT) {
        g->column_count = p->column_count;
        g->columns = arena_alloc(&f->arena, (p->column_count + 1) * sizeof *g->columns);
        for (uint32_t i = 0; i < p->column_count; i++) {
            g->columns[i] = i;
        }
    } else {
        g->columns = p->group_columns;
        g->column_count = p->group_count;
        g->global = p->group_count == 0;
    }
    for (uint32_t i = 0; i < g->column_count; i++) {
        g->lossy = g->lossy || type_is_image_lossy(input_kind(n, g->columns[i]));
    }
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        if (p->aggregates[i].argument != PLAN_NO_COLUMN) {
            note_argument(g, &f->arena, p->aggregates[i].argument);
        }
        if (p->aggregates[i].filter != PLAN_NO_COLUMN) {
            note_argument(g, &f->arena, p->aggregates[i].filter);
        }
    }
    g->aggregates = (struct aggregate_set){.items = p->aggregates,
                                           .count = p->kind == PLAN_DISTINCT ? 0 : p->aggregate_count,
                                           .input = n->inputs[0]->plan->columns};
    return open_maps(f, n, g, err);
}

void group_release(struct node *n)
{
    if (n->group != NULL) {
        store_cursor_close(n->group->cursor);
        delta_release(&n->group->delta);
        keyset_release(&n->group->keys);
        mem_free(n->group->touched);
        arena_release(&n->group->held);
    }
}

/* ---- values kept row by row ---- */

static void value_prefix(const struct touched *t, uint32_t slot, struct buffer *out)
{
    uint8_t number[2];
    store_be16(number, (uint16_t)slot);
    buffer_append(out, number, 2);
    buffer_append(out, t->key.data, t->key.len);
}

/* The first entry under a prefix, without its first `skip` bytes; `*found` false where there is none. */
static enum status first_entry(struct touched *t, struct bytes prefix, size_t skip, struct bytes *out, bool *found,
                               struct error *err)
{
    struct group *g = t->node->group;
    struct bytes key;
    struct bytes value;
    *found = false;
    TRY(store_cursor_seek(g->cursor, prefix, err));
    enum status st = store_cursor_next(g->cursor, &key, &value, err);
    if (st == STATUS_END) {
        return STATUS_OK;
    }
    TRY(st);
    if (key.len < prefix.len || memcmp(key.data, prefix.data, prefix.len) != 0) {
        return STATUS_OK;
    }
    *out = bytes_of(arena_dup(&t->flow->run, key.data + skip, key.len - skip), key.len - skip);
    *found = true;
    return STATUS_OK;
}

static enum status first_value(struct touched *t, struct bytes prefix, size_t skip, enum type_kind kind, unsigned flags,
                               struct datum *out, bool *found, struct error *err)
{
    struct bytes image;
    TRY(first_entry(t, prefix, skip, &image, found, err));
    return *found ? tuple_read(&image, kind, flags, &t->flow->run, out, err) : STATUS_OK;
}

/* A value of a DISTINCT aggregate: fed on only when its class of equal values comes, goes or shows another image. */
static enum status change_distinct(struct touched *t, uint32_t i, const struct datum *d, int64_t weight,
                                   struct error *err)
{
    struct group *g = t->node->group;
    const struct plan_aggregate *a = &g->aggregates.items[i];
    enum type_kind kind = g->aggregates.input[a->argument].type.kind;
    struct buffer key = BUFFER_EMPTY;
    value_prefix(t, i, &key);
    size_t head = key.len;
    tuple_append(&key, kind, d, TUPLE_EQUALITY);
    struct bytes class = buffer_bytes(&key);
    struct datum before;
    struct datum after;
    bool was = false;
    bool is = false;
    struct buffer full = BUFFER_EMPTY;
    buffer_append(&full, key.data, head);
    tuple_append(&full, kind, d, TUPLE_IMAGE);
    enum status st;
    TRY_GOTO(done, first_value(t, class, head, kind, TUPLE_IMAGE, &before, &was, err));
    TRY_GOTO(done, weight_add(g->values, buffer_bytes(&full), weight, NULL, err));
    TRY_GOTO(done, first_value(t, class, head, kind, TUPLE_IMAGE, &after, &is, err));
    if (was && !(is && datum_identical(kind, &before, &after))) {
        aggregate_add(&g->aggregates, i, &t->state, &before, -1);
    }
    if (is && !(was && datum_identical(kind, &before, &after))) {
        aggregate_add(&g->aggregates, i, &t->state, &after, 1);
    }
done:
    buffer_release(&key);
    buffer_release(&full);
    return st;
}

static unsigned value_flags(const struct plan_aggregate *a)
{
    return TUPLE_IMAGE | (a->kind == AGGREGATE_MAX ? (unsigned)TUPLE_DESC : 0u);
}

static enum status keep_value(struct touched *t, uint32_t slot, enum type_kind kind, unsigned flags,
                              const struct datum *d, int64_t weight, struct error *err)
{
    struct flow *f = t->flow;
    buffer_reset(&f->key);
    value_prefix(t, slot, &f->key);
    tuple_append(&f->key, kind, d, flags);
    return weight_add(t->node->group->values, buffer_bytes(&f->key), weight, NULL, err);
}

static enum status keep_images(struct touched *t, const struct datum *row, int64_t weight, struct error *err)
{
    struct flow *f = t->flow;
    struct group *g = t->node->group;
    buffer_reset(&f->key);
    value_prefix(t, IMAGE_SLOT, &f->key);
    for (uint32_t i = 0; i < g->column_count; i++) {
        enum type_kind kind = input_kind(t->node, g->columns[i]);
        if (type_is_image_lossy(kind)) {
            tuple_append(&f->key, kind, &row[g->columns[i]], TUPLE_IMAGE);
        }
    }
    return weight_add(g->values, buffer_bytes(&f->key), weight, NULL, err);
}

static enum status change_aggregate(struct touched *t, uint32_t i, const struct datum *row, int64_t weight,
                                    struct error *err)
{
    struct group *g = t->node->group;
    const struct plan_aggregate *a = &g->aggregates.items[i];
    if (a->filter != PLAN_NO_COLUMN && (row[a->filter].null || row[a->filter].v.i == 0)) {
        return STATUS_OK;
    }
    const struct datum *d = a->argument == PLAN_NO_COLUMN ? NULL : &row[a->argument];
    if (d != NULL && d->null) {
        return STATUS_OK;
    }
    if (a->kind == AGGREGATE_MIN || a->kind == AGGREGATE_MAX) {
        return keep_value(t, i, g->aggregates.input[a->argument].type.kind, value_flags(a), d, weight, err);
    }
    if (a->distinct && d != NULL) {
        return change_distinct(t, i, d, weight, err);
    }
    aggregate_add(&g->aggregates, i, &t->state, d, weight);
    return STATUS_OK;
}

static enum status change_row(struct touched *t, const struct datum *row, int64_t weight, struct error *err)
{
    struct group *g = t->node->group;
    t->state.rows += weight;
    for (uint32_t i = 0; i < g->aggregates.count; i++) {
        TRY(change_aggregate(t, i, row, weight, err));
    }
    return g->lossy ? keep_images(t, row, weight, err) : STATUS_OK;
}

/* ---- output ---- */

static enum status group_columns(struct touched *t, struct datum *out, struct error *err)
{
    struct group *g = t->node->group;
    struct bytes images = bytes_of(NULL, 0);
    bool found = true;
    if (g->lossy) {
        buffer_reset(&t->flow->key);
        value_prefix(t, IMAGE_SLOT, &t->flow->key);
        TRY(first_entry(t, buffer_bytes(&t->flow->key), t->flow->key.len, &images, &found, err));
    }
    if (!found) {
        return error_set(err, STATUS_CORRUPT, 0, "%s: a group has no image; the state is not what the log folds to",
                         t->node->what);
    }
    for (uint32_t i = 0; i < g->column_count; i++) {
        enum type_kind kind = input_kind(t->node, g->columns[i]);
        out[i] = t->columns[i];
        if (type_is_image_lossy(kind)) {
            TRY(tuple_read(&images, kind, TUPLE_IMAGE, &t->flow->run, &out[i], err));
        }
    }
    return STATUS_OK;
}

static enum status min_or_max(struct touched *t, uint32_t i, struct datum *out, struct error *err)
{
    struct group *g = t->node->group;
    const struct plan_aggregate *a = &g->aggregates.items[i];
    bool found;
    *out = DATUM_NULL;
    buffer_reset(&t->flow->key);
    value_prefix(t, i, &t->flow->key);
    return first_value(t, buffer_bytes(&t->flow->key), t->flow->key.len, g->aggregates.input[a->argument].type.kind,
                       value_flags(a), out, &found, err);
}

static const struct error *keep_failure(struct touched *t, const struct error *failure)
{
    return arena_dup(t->arena, failure, sizeof *failure);
}

/* The group's row as its state stands; `*failure`, where an aggregate has no value: why ("bigint out of range"). */
static enum status make_row(struct touched *t, struct datum *out, const struct error **failure, struct error *err)
{
    struct group *g = t->node->group;
    struct error said;
    *failure = NULL;
    TRY(group_columns(t, out, err));
    for (uint32_t i = 0; i < g->aggregates.count; i++) {
        struct datum *to = &out[g->column_count + i];
        enum plan_aggregate_kind kind = g->aggregates.items[i].kind;
        if (kind == AGGREGATE_MIN || kind == AGGREGATE_MAX) {
            TRY(min_or_max(t, i, to, err));
        } else if (aggregate_result(&g->aggregates, i, &t->state, t->arena, to, &said) != STATUS_OK) {
            *failure = keep_failure(t, &said);
            *to = DATUM_NULL;
        }
    }
    return STATUS_OK;
}

static bool rows_identical(const struct node *n, const struct datum *x, const struct datum *y)
{
    for (uint32_t i = 0; i < n->plan->column_count; i++) {
        if (!datum_identical(n->plan->columns[i].type.kind, &x[i], &y[i])) {
            return false;
        }
    }
    return true;
}

static enum status emit(struct touched *t, const struct datum *row, const struct error *failure, int64_t weight,
                        struct error *err)
{
    struct node *n = t->node;
    if (failure != NULL) {
        return error_add(t->flow, n, n->plan->columns, n->group->column_count, row, failure, weight, err);
    }
    return node_emit(t->flow, n, row, weight, err);
}

static enum status load_state(struct touched *t, struct error *err)
{
    struct group *g = t->node->group;
    struct bytes value = bytes_of(NULL, 0);
    enum status st = store_get(g->map, t->key, &value, err);
    if (st != STATUS_OK && st != STATUS_NOT_FOUND) {
        return st;
    }
    struct bytes kept = bytes_of(arena_dup(t->arena, value.data, value.len), value.len);
    return aggregate_read(&g->aggregates, kept, t->arena, &t->state, err);
}

static enum status save_state(struct touched *t, struct error *err)
{
    struct group *g = t->node->group;
    if (t->state.rows < 0) {
        return error_set(err, STATUS_CORRUPT, 0, "%s: a group has %lld rows; the state is not what the log folds to",
                         t->node->what, (long long)t->state.rows);
    }
    if (t->state.rows == 0) {
        return store_delete(g->map, t->key, err);
    }
    buffer_reset(&t->flow->value);
    aggregate_append(&g->aggregates, &t->state, &t->flow->value);
    return store_put(g->map, t->key, buffer_bytes(&t->flow->value), err);
}

/* Reads the group as it was. */
static enum status begin_group(struct touched *t, struct error *err)
{
    struct node *n = t->node;
    TRY(load_state(t, err));
    t->was = t->state.rows > 0 || (n->group->global && t->flow->started);
    if (!t->was) {
        return STATUS_OK;
    }
    t->before = arena_alloc(t->arena, (n->out.width + 1) * sizeof *t->before);
    return make_row(t, t->before, &t->failure, err);
}

/* Writes the group as it is now and passes on what that changes. */
static enum status end_group(struct touched *t, struct error *err)
{
    struct node *n = t->node;
    struct datum *after = arena_alloc(t->arena, (n->out.width + 1) * sizeof *after);
    const struct error *failure = NULL;
    TRY(save_state(t, err));
    bool is = t->state.rows > 0 || n->group->global;
    if (is) {
        TRY(make_row(t, after, &failure, err));
    }
    if (t->was && is && t->failure == NULL && failure == NULL && rows_identical(n, t->before, after)) {
        return STATUS_OK;
    }
    if (t->was) {
        TRY(emit(t, t->before, t->failure, -1, err));
    }
    return is ? emit(t, after, failure, 1, err) : STATUS_OK;
}

static void append_group_key(struct flow *f, const struct node *n, const struct datum *row)
{
    struct group *g = n->group;
    buffer_reset(&f->key);
    for (uint32_t k = 0; k < g->column_count; k++) {
        tuple_append(&f->key, input_kind(n, g->columns[k]), &row[g->columns[k]], TUPLE_EQUALITY);
    }
}

static enum status touch(struct touched *t, struct flow *f, struct node *n, struct arena *a, struct bytes key,
                         const struct datum *row, struct error *err)
{
    struct group *g = n->group;
    struct datum *columns = arena_alloc(a, (g->column_count + 1) * sizeof *columns);
    for (uint32_t i = 0; i < g->column_count; i++) {
        columns[i] = datum_copy(a, input_kind(n, g->columns[i]), row[g->columns[i]]);
    }
    *t = (struct touched){.flow = f, .node = n, .arena = a, .columns = columns};
    t->key = bytes_of(arena_dup(a, key.data, key.len), key.len);
    return begin_group(t, err);
}

static enum status end_groups(struct group *g, struct error *err)
{
    for (size_t i = 0; i < g->keys.count; i++) {
        TRY(end_group(&g->touched[i], err));
    }
    keyset_reset(&g->keys);
    g->held_rows = 0;
    return STATUS_OK;
}

/* What was given out lives until the end of its run. */
static void forget_given_out(struct group *g)
{
    if (g->held.bytes_held > HELD_BYTES_KEPT_MAX) {
        arena_release(&g->held);
    } else {
        arena_reset(&g->held);
    }
}

/* Where no values are kept, rows are added to their groups' states as they stream by. */
static enum status run_streaming(struct flow *f, struct node *n, struct error *err)
{
    struct group *g = n->group;
    const struct batch *in = &n->inputs[0]->out;
    if (g->keys.count == 0) {
        forget_given_out(g);
    }
    for (size_t i = 0; i < in->count; i++) {
        const struct datum *row = batch_row(in, i);
        append_group_key(f, n, row);
        size_t known = g->keys.count;
        uint32_t idx = keyset_add(&g->keys, buffer_bytes(&f->key));
        if (idx == known) {
            mem_grow(&g->touched, &g->touched_capacity, known + 1, sizeof *g->touched);
            TRY(touch(&g->touched[idx], f, n, &g->held, buffer_bytes(&f->key), row, err));
        }
        TRY(change_row(&g->touched[idx], row, in->weights[i], err));
    }
    g->held_rows += in->count;
    bool hold = f->holds && g->keys.count < HELD_GROUPS_MAX && g->held_rows < HELD_ROWS_MAX;
    return hold ? STATUS_OK : end_groups(g, err);
}

/* Gathers the input by group; within a group rows that look the same to the aggregates are netted. */
static void gather(struct flow *f, struct node *n)
{
    struct group *g = n->group;
    const struct batch *in = &n->inputs[0]->out;
    delta_reset(&g->delta);
    for (size_t i = 0; i < in->count; i++) {
        const struct datum *row = batch_row(in, i);
        append_group_key(f, n, row);
        size_t prefix_len = f->key.len;
        for (uint32_t k = 0; g->lossy && k < g->column_count; k++) {
            tuple_append(&f->key, input_kind(n, g->columns[k]), &row[g->columns[k]], TUPLE_IMAGE);
        }
        for (uint32_t k = 0; k < g->argument_count; k++) {
            tuple_append(&f->key, input_kind(n, g->argument_columns[k]), &row[g->argument_columns[k]], TUPLE_IMAGE);
        }
        delta_add(&g->delta, buffer_bytes(&f->key), prefix_len, in->weights[i], row);
    }
    delta_close(&g->delta);
}

/* Where values are kept, a value must not seem to go because its retraction came before its insertion: the run is
 * netted first. */
static enum status run_netted(struct flow *f, struct node *n, struct error *err)
{
    struct group *g = n->group;
    gather(f, n);
    for (uint32_t i = 0; i < g->delta.group_count; i++) {
        struct touched t;
        struct delta_group range = delta_range(&g->delta, i);
        TRY(touch(&t, f, n, &f->run, delta_group_prefix(&g->delta, i), g->delta.entries[range.first].row, err));
        for (uint32_t e = range.first; e < range.end; e++) {
            TRY(change_row(&t, g->delta.entries[e].row, g->delta.entries[e].weight, err));
        }
        TRY(end_group(&t, err));
    }
    return STATUS_OK;
}

enum status group_run(struct flow *f, struct node *n, struct error *err)
{
    struct group *g = n->group;
    if (g->global && !f->started && n->inputs[0]->out.count == 0) { /* the row of no rows */
        struct touched t;
        TRY(touch(&t, f, n, &f->run, bytes_of("", 0), NULL, err));
        return end_group(&t, err);
    }
    return g->values == NULL ? run_streaming(f, n, err) : run_netted(f, n, err);
}
