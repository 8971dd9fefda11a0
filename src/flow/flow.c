/* Folding: commits in, deltas through the graph. */
#include "flow/flow.h"

#include "base/memory.h"
#include "flow/inner.h"

#include <string.h>

/* Positions known so far; a commit's are written with the run. */
struct position {
    char *name;
    uint64_t value;
    bool changed;
};

struct positions {
    struct position *items;
    size_t count;
    size_t capacity;
};

static const char fact_started[] = "started";
static const char fact_commit_time[] = "commit_time";
static const char fact_quarantined[] = "quarantined";
static const char fact_redriven[] = "redriven";

static struct bytes text_bytes(const char *text)
{
    return bytes_of(text, strlen(text));
}

static enum status read_fact(struct store_map *facts, const char *name, uint64_t *out, struct error *err)
{
    struct bytes value;
    *out = 0;
    enum status st = store_get(facts, text_bytes(name), &value, err);
    if (st == STATUS_OK && varint_decode(value, out) == 0) {
        return error_set(err, STATUS_CORRUPT, 0, "fact \"%s\" in the state is broken", name);
    }
    return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static enum status write_number(struct store_map *map, const char *name, uint64_t number, struct error *err)
{
    uint8_t value[VARINT_BYTES_MAX];
    size_t len = varint_encode(value, number);
    return store_put(map, text_bytes(name), bytes_of(value, len), err);
}

/* ---- positions ---- */

static struct position *position_slot(struct flow *f, struct bytes name)
{
    struct positions *p = f->position_list;
    for (size_t i = 0; i < p->count; i++) {
        if (bytes_equal(text_bytes(p->items[i].name), name)) {
            return &p->items[i];
        }
    }
    mem_grow(&p->items, &p->capacity, p->count + 1, sizeof *p->items);
    size_t at = p->count;
    while (at > 0 && bytes_compare(text_bytes(p->items[at - 1].name), name) > 0) {
        p->items[at] = p->items[at - 1];
        at -= 1;
    }
    char *copy = mem_alloc(name.len + 1);
    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    p->items[at] = (struct position){.name = copy};
    p->count += 1;
    return &p->items[at];
}

static enum status load_positions(struct flow *f, struct error *err)
{
    f->position_list = mem_zalloc(sizeof *f->position_list);
    struct store_cursor *cursor;
    TRY(store_cursor_open(f->positions, &cursor, err));
    enum status st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_OK && varint_decode(value, &position_slot(f, key)->value) == 0) {
            st = error_set(err, STATUS_CORRUPT, 0, "a source position in the state is broken");
        }
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

static enum status save_positions(struct flow *f, struct error *err)
{
    for (size_t i = 0; i < f->position_list->count; i++) {
        struct position *p = &f->position_list->items[i];
        if (p->changed) {
            TRY(write_number(f->positions, p->name, p->value, err));
            p->changed = false;
        }
    }
    return STATUS_OK;
}

static void release_positions(struct flow *f)
{
    for (size_t i = 0; f->position_list != NULL && i < f->position_list->count; i++) {
        mem_free(f->position_list->items[i].name);
    }
    if (f->position_list != NULL) {
        mem_free(f->position_list->items);
        mem_free(f->position_list);
    }
}

void flow_positions(const struct flow *f, void (*visit)(void *ctx, const char *name, uint64_t value), void *ctx)
{
    for (size_t i = 0; i < f->position_list->count; i++) {
        visit(ctx, f->position_list->items[i].name, f->position_list->items[i].value);
    }
}

/* ---- opening ---- */

static enum status open_node(struct flow *f, struct node *n, struct error *err)
{
    const struct plan *p = n->plan;
    switch (p->kind) {
    case PLAN_FILTER:
        n->program = program_new(&p->condition, 1, n->inputs[0]->plan->column_count);
        return STATUS_OK;
    case PLAN_PROJECT:
        n->program = program_new(p->exprs, p->column_count, n->inputs[0]->plan->column_count);
        return STATUS_OK;
    case PLAN_JOIN:
        n->program = p->condition == NULL ? NULL : program_new(&p->condition, 1, p->column_count);
        return STATUS_OK;
    case PLAN_GROUP:
    case PLAN_DISTINCT:
        return group_open(f, n, err);
    case PLAN_RANK:
    case PLAN_TOP:
        return ordered_open(f, n, err);
    case PLAN_SCAN:
        f->tables[p->table->idx].node = n;
        return STATUS_OK;
    case PLAN_ONE:
    case PLAN_UNION_ALL:
        return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status open_maps(struct flow *f, struct error *err)
{
    TRY(store_map_open(f->store, "fact", &f->facts, err));
    TRY(store_map_open(f->store, "position", &f->positions, err));
    TRY(store_map_open(f->store, "quarantine", &f->quarantine, err));
    TRY(store_map_open(f->store, "error", &f->errors, err));
    for (uint32_t i = 0; i < f->node_count; i++) {
        TRY(open_node(f, f->nodes[i], err));
    }
    for (uint32_t i = 0; i < f->arrangement_count; i++) {
        struct arrangement *a = f->arrangements[i];
        TRY(store_map_open(f->store, a->map_name, &a->map, err));
        TRY(store_cursor_open(a->map, &a->cursor, err));
    }
    for (uint32_t i = 0; i < f->output_count; i++) {
        TRY(store_map_open(f->store, f->outputs[i].map_name, &f->outputs[i].map, err));
    }
    return STATUS_OK;
}

static uint64_t redriven_mark(const struct flow *f)
{
    return f->options.redriven == NULL ? 0 : f->options.redriven->mark;
}

enum status flow_redriven_mark(struct store *store, uint64_t *out, struct error *err)
{
    struct store_map *facts;
    *out = 0;
    enum status st = store_map_open(store, "fact", &facts, err);
    if (st != STATUS_OK) {
        return st == STATUS_NOT_FOUND ? STATUS_OK : st;
    }
    return read_fact(facts, fact_redriven, out, err);
}

static enum status load_state(struct flow *f, struct error *err)
{
    uint64_t number;
    TRY(load_positions(f, err));
    TRY(read_fact(f->facts, fact_started, &number, err));
    f->started = number != 0;
    TRY(read_fact(f->facts, fact_commit_time, &number, err));
    f->commit_time_us = zigzag_decode(number);
    TRY(read_fact(f->facts, fact_quarantined, &f->quarantined, err));
    TRY(read_fact(f->facts, fact_redriven, &number, err));
    if (f->started && number != redriven_mark(f)) {
        return error_set(err, STATUS_MISMATCH, 0, "the state was not folded with these redriven entries");
    }
    TRY(error_load(f, err));
    for (uint32_t i = 0; i < f->output_count; i++) {
        for (uint32_t k = 0; k < f->outputs[i].upstream_count; k++) {
            f->outputs[i].in_error = f->outputs[i].in_error || f->outputs[i].upstream[k]->errors > 0;
        }
        struct buffer text = BUFFER_EMPTY;
        enum status st = output_error_hash(f, &f->outputs[i], &text, &f->outputs[i].told, err);
        buffer_release(&text);
        TRY(st);
    }
    return STATUS_OK;
}

static enum status open_all(struct flow *f, struct error *err)
{
    const struct catalog *c = f->options.catalog;
    f->table_count = c->table_count;
    f->tables = arena_zalloc(&f->arena, (c->table_count + 1) * sizeof *f->tables);
    for (uint32_t i = 0; i < c->table_count; i++) {
        TRY(table_open(f, &f->tables[i], c->tables[i], err));
    }
    graph_build(f);
    TRY(open_maps(f, err));
    TRY(load_state(f, err));
    TRY(journal_open(f, err));
    return f->started ? STATUS_OK
                      : flow_run(f, err); /* rows that are there before any event: counts of nothing, constants */
}

enum status flow_open(struct flow **out, const struct flow_options *options, struct error *err)
{
    struct flow *f = mem_zalloc(sizeof *f);
    f->options = *options;
    f->store = options->store;
    enum status st = open_all(f, err);
    if (st != STATUS_OK) {
        flow_close(f);
        return st;
    }
    *out = f;
    return STATUS_OK;
}

void flow_close(struct flow *f)
{
    if (f == NULL) {
        return;
    }
    graph_release(f);
    for (uint32_t i = 0; f->tables != NULL && i < f->table_count; i++) {
        table_release(&f->tables[i]);
    }
    journal_release(f);
    release_positions(f);
    buffer_release(&f->key);
    buffer_release(&f->value);
    arena_release(&f->run);
    arena_release(&f->arena);
    mem_free(f);
}

/* ---- folding ---- */

static enum status fold_change(struct flow *f, const struct event *e, struct packed_reader *r, struct error *err)
{
    const struct reading *reading = journal_find(f, e->table_id);
    if (reading == NULL) {
        return error_set(err, STATUS_CORRUPT, 0,
                         "commit %llu has a change of table id %u, which is in no journal entry",
                         (unsigned long long)f->seq, e->table_id);
    }
    f->changes += 1;
    if (reading->table != NULL) {
        if (reading->table->current != NULL) {
            TRY(journal_turn(f, reading, err));
        }
        return e->kind == EVENT_TRUNCATE ? table_truncate(f, reading->table, err) : table_fold(f, e, reading, r, err);
    }
    return event_skip_rest(r, e, err);
}

/* What a QUARANTINE item was decoded to later, in its place. */
static enum status fold_redriven(struct flow *f, const struct redriven_entry *entry, struct bytes raw,
                                 struct error *err)
{
    struct packed_reader r = packed_reader_of(entry->items);
    struct event e;
    enum status st;
    if (entry->raw_hash != redriven_raw_hash(raw)) {
        return error_set(err, STATUS_CORRUPT, 0, "log/redriven does not belong to this log: item %llu was another one",
                         (unsigned long long)f->ordinal);
    }
    while ((st = event_read(&r, &f->run, &e, err)) == STATUS_OK) {
        if (e.kind == EVENT_SCHEMA && redriven_owns_table_id(e.table_id)) {
            TRY(journal_add(f, &e.schema, err));
        } else if (e.kind == EVENT_SCHEMA || e.kind == EVENT_COMMIT || e.kind == EVENT_POSITION ||
                   e.kind == EVENT_QUARANTINE) {
            return error_set(err, STATUS_CORRUPT, 0, "log/redriven has an item of kind %s for item %llu",
                             event_kind_name(e.kind), (unsigned long long)f->ordinal);
        } else {
            TRY(fold_change(f, &e, &r, err));
        }
    }
    return st == STATUS_END ? STATUS_OK : st;
}

static enum status fold_quarantine(struct flow *f, const struct event *e, struct error *err)
{
    const struct redriven_entry *entry = redriven_find(f->options.redriven, f->seq, f->ordinal);
    if (entry != NULL) {
        return fold_redriven(f, entry, e->raw, err);
    }
    f->changes += 1;
    return quarantine_add(f, e->origin, e->reason, e->raw, err);
}

static enum status fold_item(struct flow *f, const struct event *e, struct packed_reader *r, struct error *err)
{
    switch (e->kind) {
    case EVENT_INSERT:
    case EVENT_UPDATE:
    case EVENT_DELETE:
    case EVENT_READ:
    case EVENT_REMOVE:
    case EVENT_TRUNCATE:
        return fold_change(f, e, r, err);
    case EVENT_SCHEMA:
        return journal_add(f, &e->schema, err);
    case EVENT_COMMIT:
        f->commit_time_us = e->time_us;
        return STATUS_OK;
    case EVENT_POSITION: {
        struct position *p = position_slot(f, e->name);
        p->value = e->value;
        p->changed = true;
        return STATUS_OK;
    }
    case EVENT_QUARANTINE:
        return fold_quarantine(f, e, err);
    }
    return STATUS_OK;
}

enum status flow_fold(struct flow *f, const struct store_chunk *chunk, struct error *err)
{
    struct packed_reader r = packed_reader_of(chunk->data);
    if (chunk->seq != f->seq) {
        f->seq = chunk->seq;
        f->ordinal = 0;
    }
    for (;;) {
        struct event e;
        enum status st = event_read(&r, &f->run, &e, err);
        if (st == STATUS_END) {
            return STATUS_OK;
        }
        st = st == STATUS_OK ? fold_item(f, &e, &r, err) : st;
        if (st != STATUS_OK) {
            return error_prefix(err, "could not fold commit %llu", (unsigned long long)chunk->seq);
        }
        f->ordinal += 1;
    }
}

static enum status run_node(struct flow *f, struct node *n, struct error *err)
{
    switch (n->plan->kind) {
    case PLAN_SCAN: /* its table has given out its rows */
    case PLAN_FILTER:
    case PLAN_PROJECT:
        return STATUS_OK;
    case PLAN_ONE:
        return one_run(f, n, err);
    case PLAN_UNION_ALL:
        return union_run(f, n, err);
    case PLAN_JOIN:
        return join_run(f, n, err);
    case PLAN_GROUP:
    case PLAN_DISTINCT:
        return group_run(f, n, err);
    case PLAN_RANK:
    case PLAN_TOP:
        return ordered_run(f, n, err);
    }
    return STATUS_OK;
}

static enum status run_graph(struct flow *f, struct error *err)
{
    for (uint32_t i = 0; i < f->table_count; i++) {
        TRY(table_run(f, &f->tables[i], err));
    }
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct node *n = f->nodes[i];
        TRY(run_node(f, n, err));
        for (uint32_t k = 0; k < f->arrangement_count; k++) {
            if (f->arrangements[k]->input == n) {
                TRY(arrangement_run(f, f->arrangements[k], err));
            }
        }
    }
    for (uint32_t i = 0; i < f->output_count; i++) {
        TRY(output_run(f, &f->outputs[i], err));
    }
    return STATUS_OK;
}

static enum status save_facts(struct flow *f, struct error *err)
{
    TRY(save_positions(f, err));
    TRY(write_number(f->facts, fact_commit_time, zigzag_encode(f->commit_time_us), err));
    TRY(write_number(f->facts, fact_quarantined, f->quarantined, err));
    if (redriven_mark(f) != 0) {
        TRY(write_number(f->facts, fact_redriven, redriven_mark(f), err));
    }
    if (!f->started) {
        f->started = true;
        return write_number(f->facts, fact_started, 1, err);
    }
    return STATUS_OK;
}

static enum status run_all(struct flow *f, bool holds, struct error *err)
{
    f->holds = holds;
    TRY(run_graph(f, err));
    TRY(save_facts(f, err));
    for (uint32_t i = 0; i < f->node_count; i++) {
        batch_reset(&f->nodes[i]->out);
    }
    arena_reset(&f->run);
    f->change_count += f->changes;
    f->changes = 0;
    return STATUS_OK;
}

enum status flow_run(struct flow *f, struct error *err)
{
    return run_all(f, false, err);
}

enum status flow_push(struct flow *f, struct error *err)
{
    return run_all(f, true, err);
}

uint64_t flow_changes(const struct flow *f)
{
    return f->changes;
}

uint32_t flow_table_id_next(const struct flow *f)
{
    return journal_next_id(f);
}

int64_t flow_commit_time_us(const struct flow *f)
{
    return f->commit_time_us;
}

uint64_t flow_quarantine_count(const struct flow *f)
{
    return f->quarantined;
}

uint64_t flow_reject_count(const struct flow *f)
{
    return f->reject_count;
}

uint64_t flow_change_count(const struct flow *f)
{
    return f->change_count;
}

enum status flow_view_error(struct flow *f, uint32_t view_idx, struct buffer *out, struct error *err)
{
    return error_first(f, &f->outputs[view_idx], out, err);
}
