/* Logical plans -> operators. Nodes are shared by structure: two views that filter the same table the same way have one
 * node, and joins that want the same rows by the same key have one arrangement. Nodes stand in topological order, made
 * by a depth-first walk over the materialized views in catalog order, so numbers and map names depend on the catalog
 * alone. */
#include "flow/inner.h"

#include "base/checksum.h"
#include "base/memory.h"

#include <inttypes.h>
#include <string.h>

enum { DEPTH_MAX = 500 };

/* While building: plan -> node. */
struct building {
    struct flow *flow;
    const struct plan **plans;
    struct node **nodes;
    struct bytes *identities;
    size_t count;
    size_t plan_capacity;
    size_t node_capacity;
    size_t identity_capacity;
};

const char *map_name_for(struct flow *f, const char *kind, struct bytes identity)
{
    struct hash128 h = checksum_xxh3_128(identity.data, identity.len);
    return arena_printf(&f->arena, "%s/%016" PRIx64, kind, h.low ^ h.high);
}

static struct bytes identity_of(struct flow *f, const struct plan *p)
{
    struct buffer text = BUFFER_EMPTY;
    plan_print_identity(p, &text);
    struct bytes kept = bytes_of(arena_dup(&f->arena, text.data, text.len), text.len);
    buffer_release(&text);
    return kept;
}

static const char *kind_word(const struct plan *p)
{
    static const char *const words[] = {"scan",  "one row",  "filter",    "project", "join",
                                        "group", "distinct", "union all", "rank",    "top"};
    return words[p->kind];
}

static struct node *make_node(struct building *b, const struct plan *p)
{
    struct flow *f = b->flow;
    struct node *n = arena_zalloc(&f->arena, sizeof *n);
    n->plan = p;
    n->out.width = p->column_count;
    n->what = arena_printf(&f->arena, "%s at %s", kind_word(p), p->where == NULL ? "?" : p->where);
    n->input_count = p->input_count;
    n->inputs = arena_zalloc(&f->arena, (p->input_count + 1) * sizeof(struct node *));
    n->row = arena_zalloc(&f->arena, (p->column_count + 1) * sizeof *n->row);
    n->needed = arena_zalloc(&f->arena, p->column_count + 1);
    return n;
}

static void number_node(struct building *b, struct node *n, struct bytes identity)
{
    struct flow *f = b->flow;
    n->id = f->node_count;
    mem_grow(&b->plans, &b->plan_capacity, b->count + 1, sizeof *b->plans);
    mem_grow(&b->nodes, &b->node_capacity, b->count + 1, sizeof *b->nodes);
    mem_grow(&b->identities, &b->identity_capacity, b->count + 1, sizeof *b->identities);
    b->plans[b->count] = n->plan;
    b->nodes[b->count] = n;
    b->identities[b->count] = identity;
    b->count += 1;
    f->node_count += 1;
}

static struct node *find_node(struct building *b, const struct plan *p, struct bytes identity)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->plans[i] == p || bytes_equal(b->identities[i], identity)) {
            return b->nodes[i];
        }
    }
    return NULL;
}

/* A stack instead of recursion: a node is numbered when all its inputs are. */
static struct node *build_node(struct building *b, const struct plan *root)
{
    struct {
        const struct plan *plan;
        struct node *node;
        uint32_t next_input;
    } stack[DEPTH_MAX];
    int depth = 0;
    struct node *done = find_node(b, root, identity_of(b->flow, root));
    if (done != NULL) {
        return done;
    }
    stack[0].plan = root;
    stack[0].node = make_node(b, root);
    stack[0].next_input = 0;
    for (;;) {
        struct node *n = stack[depth].node;
        if (stack[depth].next_input < n->input_count && depth + 1 < DEPTH_MAX) {
            const struct plan *input = stack[depth].plan->inputs[stack[depth].next_input];
            struct node *known = find_node(b, input, identity_of(b->flow, input));
            if (known != NULL) {
                n->inputs[stack[depth].next_input++] = known;
                continue;
            }
            depth += 1;
            stack[depth].plan = input;
            stack[depth].node = make_node(b, input);
            stack[depth].next_input = 0;
            continue;
        }
        number_node(b, n, identity_of(b->flow, n->plan));
        if (depth == 0) {
            return n;
        }
        depth -= 1;
        stack[depth].node->inputs[stack[depth].next_input++] = n;
    }
}

/* ---- arrangements ---- */

static struct arrangement *make_arrangement(struct flow *f, struct node *input, const uint32_t *keys,
                                            uint32_t key_count)
{
    struct arrangement *a = arena_zalloc(&f->arena, sizeof *a);
    const struct plan *p = input->plan;
    a->input = input;
    a->key_columns = arena_dup(&f->arena, keys, (key_count + (key_count == 0)) * sizeof *keys);
    a->key_count = key_count;
    a->skip_null_keys = true;
    a->rest_columns = arena_alloc(&f->arena, (p->column_count + 1) * sizeof *a->rest_columns);
    for (uint32_t c = 0; c < p->column_count; c++) {
        const struct datum any = {.big = 1};
        a->borrows = a->borrows || datum_is_pointer(p->columns[c].type.kind, &any);
        bool in_key = false;
        for (uint32_t k = 0; k < key_count; k++) {
            in_key = in_key || keys[k] == c;
        }
        if (!in_key || type_is_image_lossy(p->columns[c].type.kind)) {
            a->rest_columns[a->rest_count++] = c;
        }
    }
    struct buffer identity = BUFFER_EMPTY;
    plan_print_identity(p, &identity);
    for (uint32_t k = 0; k < key_count; k++) {
        buffer_printf(&identity, " key %u", keys[k]);
    }
    a->map_name = map_name_for(f, "arrangement", buffer_bytes(&identity));
    buffer_release(&identity);
    return a;
}

static struct arrangement *find_arrangement(struct flow *f, struct node *input, const uint32_t *keys,
                                            uint32_t key_count)
{
    for (uint32_t i = 0; i < f->arrangement_count; i++) {
        struct arrangement *a = f->arrangements[i];
        if (a->input == input && a->key_count == key_count &&
            (key_count == 0 || memcmp(a->key_columns, keys, key_count * sizeof *keys) == 0)) {
            return a;
        }
    }
    struct arrangement *made = make_arrangement(f, input, keys, key_count);
    f->arrangements[f->arrangement_count++] = made;
    return made;
}

/* ---- who looks at which column of a table ---- */

static void note_columns(const struct expr *e, bool *needed, int depth)
{
    if (e == NULL || depth > DEPTH_MAX) {
        return;
    }
    if (e->kind == EXPR_COLUMN) {
        needed[e->column] = true;
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        note_columns(e->args[i], needed, depth + 1);
    }
}

/* What a node needs of its inputs, given what is needed of it; masks by node id. */
static void note_needs(const struct node *n, bool **needed)
{
    for (uint32_t k = 0; k < n->input_count; k++) {
        const struct node *input = n->inputs[k];
        bool *mask = needed[input->id];
        if (n->plan->kind == PLAN_PROJECT) {
            for (uint32_t i = 0; i < n->plan->column_count; i++) {
                note_columns(n->plan->exprs[i], mask, 0);
            }
        } else if (n->plan->kind == PLAN_FILTER) {
            note_columns(n->plan->condition, mask, 0);
            for (uint32_t i = 0; i < n->plan->column_count; i++) {
                mask[i] = mask[i] || needed[n->id][i];
            }
        } else {
            memset(mask, 1, input->plan->column_count);
        }
    }
}

/* ---- outputs ---- */

/* What feeds a view, and which columns it looks at on the way; inputs have smaller numbers. */
static void collect_upstream(struct flow *f, struct output *o)
{
    o->uses = arena_zalloc(&f->arena, (f->node_count + 1) * sizeof(bool *));
    o->upstream = arena_alloc(&f->arena, (f->node_count + 2) * sizeof(struct node *));
    o->uses[o->node->id] = arena_zalloc(&f->arena, o->node->plan->column_count + 1);
    memset(o->uses[o->node->id], 1, o->node->plan->column_count);
    for (uint32_t i = f->node_count; i > 0; i--) {
        const struct node *n = f->nodes[i - 1];
        if (o->uses[n->id] == NULL) {
            continue;
        }
        for (uint32_t k = 0; k < n->input_count; k++) {
            bool **mask = &o->uses[n->inputs[k]->id];
            *mask = *mask != NULL ? *mask : arena_zalloc(&f->arena, n->inputs[k]->plan->column_count + 1);
        }
        note_needs(n, o->uses);
    }
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct node *n = f->nodes[i];
        for (uint32_t c = 0; o->uses[i] != NULL && c < n->plan->column_count; c++) {
            n->needed[c] = n->needed[c] || o->uses[i][c];
        }
        if (o->uses[i] != NULL) {
            o->upstream[o->upstream_count++] = n;
        }
    }
    o->upstream[o->upstream_count++] = o->own;
}

bool graph_output_uses(const struct output *o, const struct node *scan, uint32_t column)
{
    return scan != NULL && o->uses[scan->id] != NULL && o->uses[scan->id][column];
}

static void build_outputs(struct flow *f, struct building *b)
{
    const struct catalog *c = f->options.catalog;
    f->outputs = arena_zalloc(&f->arena, (c->view_count + 1) * sizeof *f->outputs);
    for (uint32_t i = 0; i < c->view_count; i++) {
        if (c->views[i]->materialized) {
            struct output *o = &f->outputs[f->output_count++];
            o->view = c->views[i];
            o->node = build_node(b, c->views[i]->plan);
            o->map_name = view_map_name(&f->arena, c->views[i]);
        }
    }
}

static bool is_linear(const struct node *n)
{
    return n->plan->kind == PLAN_FILTER || n->plan->kind == PLAN_PROJECT;
}

static void link_readers(struct flow *f)
{
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct node *n = f->nodes[i];
        n->linear = arena_alloc(&f->arena, (f->node_count + 1) * sizeof(struct node *));
        for (uint32_t k = i + 1; k < f->node_count; k++) {
            for (uint32_t j = 0; j < f->nodes[k]->input_count; j++) {
                bool reads = f->nodes[k]->inputs[j] == n;
                if (reads && is_linear(f->nodes[k])) {
                    n->linear[n->linear_count++] = f->nodes[k];
                }
                n->kept = n->kept || (reads && !is_linear(f->nodes[k]));
            }
        }
    }
    for (uint32_t i = 0; i < f->output_count; i++) {
        f->outputs[i].node->kept = true;
    }
}

static void link_nodes(struct flow *f)
{
    link_readers(f);
    f->arrangements = arena_alloc(&f->arena, (2 * f->node_count + 1) * sizeof(struct arrangement *));
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct node *n = f->nodes[i];
        if (n->plan->kind == PLAN_JOIN) {
            n->left = find_arrangement(f, n->inputs[0], n->plan->left_keys, n->plan->pair_count);
            n->right = find_arrangement(f, n->inputs[1], n->plan->right_keys, n->plan->pair_count);
        }
    }
    for (uint32_t i = 0; i < f->output_count; i++) {
        struct output *o = &f->outputs[i];
        o->own = arena_zalloc(&f->arena, sizeof *o->own);
        *o->own = (struct node){.plan = o->node->plan, .id = f->node_count + i, .what = "view"};
        collect_upstream(f, o);
    }
}

void graph_build(struct flow *f)
{
    struct building b = {.flow = f};
    build_outputs(f, &b);
    f->nodes = arena_dup(&f->arena, b.nodes, b.count * sizeof(struct node *));
    mem_free(b.plans);
    mem_free(b.nodes);
    mem_free(b.identities);
    link_nodes(f);
}

void graph_release(struct flow *f)
{
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct node *n = f->nodes[i];
        batch_release(&n->out);
        program_free(n->program);
        group_release(n);
        ordered_release(n);
    }
    for (uint32_t i = 0; i < f->arrangement_count; i++) {
        store_cursor_close(f->arrangements[i]->cursor);
        delta_release(&f->arrangements[i]->delta);
    }
    for (uint32_t i = 0; i < f->output_count; i++) {
        delta_release(&f->outputs[i].delta);
    }
}
