/* Inner and left joins over two arrangements, key by key.
 *
 * Both arrangements are at the end of the run when this reads them. For each key that either side's delta touches:
 *     inner: delta = L_new x dR  +  dL x R_old   where R_old = R_new - dR (the right side is often the one with few
 *                                                rows a key)
 *     left:  delta = L_old x dR  +  dL x R_new   where L_old = L_new - dL, with null-extension: first the right side
 *                                                changes under the old left rows, then the left rows change against
 *                                                the new right side
 * Left rows whose key has a NULL match nothing and are not arranged. */
#include "flow/inner.h"

#include "base/memory.h"

#include <string.h>

struct side_row {
    const struct datum *row;
    int64_t weight;
};

/* The rows of one key; grown on the heap, kept through a run. */
struct side_rows {
    struct side_row *items;
    size_t count;
    size_t capacity;
};

/* One input as it is stored. A self join has the same rows on both sides. */
struct side {
    struct arrangement *rows;
    const bool *needed; /* columns that somebody looks at */
};

struct joining {
    struct flow *flow;
    struct node *node;
    struct side left;
    struct side right;
    struct datum *pair;   /* left||right, for the condition */
    struct datum *stored; /* the entry last decoded */
    uint32_t stored_width;
    uint32_t left_width;
    uint32_t right_width;
    struct side_rows left_rows;
    struct side_rows right_old;
    struct side_rows right_new;
    struct side_rows right_delta;
};

static void side_add(struct side_rows *s, const struct datum *row, int64_t weight)
{
    mem_grow(&s->items, &s->capacity, s->count + 1, sizeof *s->items);
    s->items[s->count++] = (struct side_row){.row = row, .weight = weight};
}

/* What to do with each stored row of a key. */
struct visit {
    enum status (*row)(struct joining *j, const struct datum *row, int64_t weight, struct side_rows *out,
                       struct error *err);
    struct side_rows *out;
    uint32_t minus_group; /* of the side's delta, to see the rows as they were before the run; else DELTA_NONE */
};

static enum status visit_entry(struct joining *j, const struct side *s, struct bytes key, size_t prefix_len,
                               struct bytes value, const struct visit *visit, struct error *err)
{
    int64_t weight;
    TRY(weight_read(value, &weight, err));
    weight -= delta_weight(&s->rows->delta, visit->minus_group, key);
    if (weight == 0) {
        return STATUS_OK;
    }
    if (s->rows->borrows) { /* the entry's bytes may go with the next step */
        key = bytes_of(arena_dup(&j->flow->run, key.data, key.len), key.len);
    }
    TRY(arrangement_decode(s->rows, key, prefix_len, s->needed, &j->flow->run, j->stored, err));
    return visit->row(j, j->stored, weight, visit->out, err);
}

static enum status scan(struct joining *j, const struct side *s, struct bytes prefix, const struct visit *visit,
                        struct error *err)
{
    struct arrangement *a = s->rows;
    struct bytes key;
    struct bytes value;
    if (a->rest_count == 0) { /* nothing but the key: one entry at most */
        enum status st = store_get(a->map, prefix, &value, err);
        return st == STATUS_NOT_FOUND ? STATUS_OK
               : st != STATUS_OK      ? st
                                      : visit_entry(j, s, prefix, prefix.len, value, visit, err);
    }
    TRY(store_cursor_seek(a->cursor, prefix, err));
    for (;;) {
        enum status st = store_cursor_next(a->cursor, &key, &value, err);
        if (st == STATUS_END) {
            return STATUS_OK;
        }
        TRY(st);
        if (key.len < prefix.len || memcmp(key.data, prefix.data, prefix.len) != 0) {
            return STATUS_OK;
        }
        TRY(visit_entry(j, s, key, prefix.len, value, visit, err));
    }
}

static enum status keep_row(struct joining *j, const struct datum *row, int64_t weight, struct side_rows *out,
                            struct error *err)
{
    (void)err;
    size_t bytes = (j->stored_width + (j->stored_width == 0)) * sizeof *row;
    side_add(out, arena_dup(&j->flow->run, row, bytes), weight);
    return STATUS_OK;
}

/* Loads the key's rows as they are now, and with a group of the side's delta as they were before the run. */
static enum status load(struct joining *j, const struct side *s, struct bytes prefix, uint32_t minus_group,
                        struct side_rows *out, struct error *err)
{
    out->count = 0;
    j->stored_width = s->rows->input->out.width;
    return scan(j, s, prefix, &(struct visit){.row = keep_row, .out = out, .minus_group = minus_group}, err);
}

/* Rows that the run took away altogether are not in the map any more: they belong to the old side. */
static void add_removed(struct arrangement *a, uint32_t group, struct side_rows *old)
{
    struct delta_group range = delta_range(&a->delta, group);
    for (uint32_t i = range.first; i < range.end; i++) {
        const struct delta_entry *e = &a->delta.entries[i];
        struct bytes value;
        struct error ignored;
        if (e->weight < 0 && store_get(a->map, delta_entry_bytes(&a->delta, e), &value, &ignored) == STATUS_NOT_FOUND) {
            side_add(old, e->row, -e->weight);
        }
    }
}

static enum status load_old(struct joining *j, const struct side *s, struct bytes prefix, uint32_t group,
                            struct side_rows *out, struct error *err)
{
    TRY(load(j, s, prefix, group, out, err));
    add_removed(s->rows, group, out);
    return STATUS_OK;
}

static void load_delta(struct arrangement *a, uint32_t group, struct side_rows *out)
{
    struct delta_group range = delta_range(&a->delta, group);
    out->count = 0;
    for (uint32_t i = range.first; i < range.end; i++) {
        side_add(out, a->delta.entries[i].row, a->delta.entries[i].weight);
    }
}

/* Emits l x r for the rows that pass the condition; `*matches` counts the weights of the right rows that did. */
static enum status emit_pairs(struct joining *j, const struct side_row *l, const struct side_rows *rights, bool emit,
                              int64_t *matches, struct error *err)
{
    struct node *n = j->node;
    *matches = 0;
    row_copy(j->pair, l->row, j->left_width);
    for (size_t i = 0; i < rights->count; i++) {
        const struct side_row *r = &rights->items[i];
        row_copy(j->pair + j->left_width, r->row, j->right_width);
        bool pass = true;
        struct error failure;
        if (n->program != NULL && program_test(n->program, j->pair, &pass, &j->flow->run, &failure) != STATUS_OK) {
            if (emit) {
                TRY(error_add(j->flow, n, n->plan->columns, n->plan->column_count, j->pair, &failure,
                              l->weight * r->weight, err));
            }
            continue;
        }
        if (pass) {
            *matches += r->weight;
            if (emit) {
                TRY(node_emit(j->flow, n, j->pair, l->weight * r->weight, err));
            }
        }
    }
    return STATUS_OK;
}

static enum status emit_alone(struct joining *j, const struct side_row *l, int64_t weight, struct error *err)
{
    row_copy(j->pair, l->row, j->left_width);
    for (uint32_t i = 0; i < j->right_width; i++) {
        j->pair[j->left_width + i] = DATUM_NULL;
    }
    return node_emit(j->flow, j->node, j->pair, weight, err);
}

/* The right side has changed under the old left rows of an outer join. */
static enum status right_changed(struct joining *j, struct error *err)
{
    for (size_t i = 0; i < j->left_rows.count; i++) {
        const struct side_row *l = &j->left_rows.items[i];
        int64_t changed;
        int64_t before;
        int64_t after;
        TRY(emit_pairs(j, l, &j->right_delta, true, &changed, err));
        TRY(emit_pairs(j, l, &j->right_old, false, &before, err));
        TRY(emit_pairs(j, l, &j->right_new, false, &after, err));
        if (before == 0 && after > 0) {
            TRY(emit_alone(j, l, -l->weight, err));
        } else if (before > 0 && after == 0) {
            TRY(emit_alone(j, l, l->weight, err));
        }
    }
    return STATUS_OK;
}

static enum status left_changed(struct joining *j, const struct side_rows *rights, uint32_t group, struct error *err)
{
    bool outer = j->node->plan->join_kind == PLAN_JOIN_LEFT;
    const struct arrangement *left = j->node->left;
    struct delta_group range = delta_range(&left->delta, group);
    for (uint32_t i = range.first; i < range.end; i++) {
        const struct delta_entry *e = &left->delta.entries[i];
        struct side_row l = {.row = e->row, .weight = e->weight};
        int64_t matches;
        TRY(emit_pairs(j, &l, rights, true, &matches, err));
        if (outer && matches == 0) {
            TRY(emit_alone(j, &l, l.weight, err));
        }
    }
    return STATUS_OK;
}

/* A left row as it is now against what the run did to the right side. */
static enum status meet_right_delta(struct joining *j, const struct datum *row, int64_t weight, struct side_rows *out,
                                    struct error *err)
{
    struct side_row l = {.row = row, .weight = weight};
    int64_t matches;
    return emit_pairs(j, &l, out, true, &matches, err);
}

static enum status inner_key(struct joining *j, struct bytes prefix, uint32_t left_group, uint32_t right_group,
                             struct error *err)
{
    struct node *n = j->node;
    if (right_group != DELTA_NONE) {
        struct visit visit = {.row = meet_right_delta, .out = &j->right_delta, .minus_group = DELTA_NONE};
        load_delta(n->right, right_group, &j->right_delta);
        TRY(scan(j, &j->left, prefix, &visit, err));
    }
    if (left_group != DELTA_NONE) {
        TRY(load_old(j, &j->right, prefix, right_group, &j->right_old, err));
        return j->right_old.count == 0 ? STATUS_OK : left_changed(j, &j->right_old, left_group, err);
    }
    return STATUS_OK;
}

static enum status outer_key(struct joining *j, struct bytes prefix, uint32_t left_group, uint32_t right_group,
                             struct error *err)
{
    struct node *n = j->node;
    TRY(load(j, &j->right, prefix, DELTA_NONE, &j->right_new, err));
    if (right_group != DELTA_NONE) {
        TRY(load_old(j, &j->left, prefix, left_group, &j->left_rows, err));
        load_delta(n->right, right_group, &j->right_delta);
        TRY(load_old(j, &j->right, prefix, right_group, &j->right_old, err));
        TRY(right_changed(j, err));
    }
    return left_group != DELTA_NONE ? left_changed(j, &j->right_new, left_group, err) : STATUS_OK;
}

static enum status join_key(struct joining *j, struct bytes prefix, uint32_t left_group, uint32_t right_group,
                            struct error *err)
{
    return j->node->plan->join_kind == PLAN_JOIN_LEFT ? outer_key(j, prefix, left_group, right_group, err)
                                                      : inner_key(j, prefix, left_group, right_group, err);
}

/* Left rows of an outer join whose key has a NULL. */
static enum status pass_null_keys(struct joining *j, struct error *err)
{
    const struct arrangement *a = j->node->left;
    const struct batch *in = &a->input->out;
    for (size_t i = 0; i < in->count; i++) {
        const struct datum *row = batch_row(in, i);
        for (uint32_t k = 0; k < a->key_count; k++) {
            if (row[a->key_columns[k]].null) {
                struct side_row l = {.row = row, .weight = in->weights[i]};
                TRY(emit_alone(j, &l, l.weight, err));
                break;
            }
        }
    }
    return STATUS_OK;
}

/* Both deltas are in the order of their keys. */
static enum status join_keys(struct joining *j, struct error *err)
{
    const struct delta *left = &j->node->left->delta;
    const struct delta *right = &j->node->right->delta;
    uint32_t l = 0;
    uint32_t r = 0;
    while (l < left->group_count || r < right->group_count) {
        int order = l == left->group_count ? 1
                    : r == right->group_count
                        ? -1
                        : bytes_compare(delta_group_prefix(left, l), delta_group_prefix(right, r));
        struct bytes prefix = order <= 0 ? delta_group_prefix(left, l) : delta_group_prefix(right, r);
        TRY(join_key(j, prefix, order <= 0 ? l : DELTA_NONE, order >= 0 ? r : DELTA_NONE, err));
        l += order <= 0 ? 1 : 0;
        r += order >= 0 ? 1 : 0;
    }
    return STATUS_OK;
}

static const bool *all_columns(struct flow *f, const struct node *n)
{
    bool *all = arena_alloc(&f->run, n->out.width + 1);
    memset(all, 1, n->out.width + 1);
    return all;
}

enum status join_run(struct flow *f, struct node *n, struct error *err)
{
    struct joining j = {.flow = f,
                        .node = n,
                        .left_width = n->inputs[0]->plan->column_count,
                        .right_width = n->inputs[1]->plan->column_count};
    j.pair = n->row;
    j.stored = arena_alloc(&f->run, (n->out.width + 1) * sizeof *j.stored);
    const bool *needed = n->program == NULL ? n->needed : all_columns(f, n); /* a condition may look at any */
    j.left = (struct side){.rows = n->left, .needed = needed};
    j.right = (struct side){.rows = n->right, .needed = needed + j.left_width};
    enum status st = n->plan->join_kind == PLAN_JOIN_LEFT ? pass_null_keys(&j, err) : STATUS_OK;
    st = st == STATUS_OK ? join_keys(&j, err) : st;
    mem_free(j.left_rows.items);
    mem_free(j.right_old.items);
    mem_free(j.right_new.items);
    mem_free(j.right_delta.items);
    return st;
}
