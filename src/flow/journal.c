/* The journal: how the rows of each table id in the log are to be read as rows of a declared table.
 *
 * Map "journal": table id (be32) -> the SCHEMA item as it was in the log. Columns are matched by name. Where one schema
 * of a table follows another and nothing but one name has changed, that column was renamed: it goes on feeding the
 * declared column of its old name, and in a replay, which knows the schemas to come, of its new one. A declared column
 * that is not sent any more reads as NULL, and every view that uses it is in error until it is back.
 *
 * The log's ids are in the order of its SCHEMA items. Redriven entries (event/redriven.h) have ids of their own; when
 * they came, and when rows of a table turned from one entry to another and back, stands behind the items in the map, so
 * that a reloaded journal is as it was. */
#include "flow/inner.h"

#include "base/memory.h"
#include "event/redriven.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A moment of folding. The log's own SCHEMA items are told by their ids alone. */
struct place {
    uint64_t log_id; /* of the newest SCHEMA item of the log */
    uint64_t seq;    /* + 1; 0 = at that very item */
    uint64_t ordinal;
};

struct journal_entry {
    struct reading reading; /* first: journal_turn comes from it */
    struct event_schema schema;
    const char **feeds; /* source column -> name of the column it is, after renames */
    struct place born;
    struct place newest; /* when it last became the one of its table's newest rows */
};

/* Entries by table id. */
struct id_range {
    struct journal_entry **items;
    size_t capacity;
    size_t count; /* greatest id + 1 */
};

struct journal {
    struct store_map *map;
    struct id_range log;          /* ids are dense */
    struct id_range redriven;     /* ids from REDRIVEN_TABLE_ID_FIRST on */
    struct journal_entry **order; /* as they were born */
    size_t order_count;
    size_t order_capacity;
    struct buffer scratch;
};

/* A schema as the map has it. */
struct kept_schema {
    struct event_schema schema;
    struct place born;
    struct place newest;
};

static struct table *find_table(struct flow *f, const char *schema, const char *name)
{
    for (uint32_t i = 0; i < f->table_count; i++) {
        if (strcmp(f->tables[i].declared->schema, schema) == 0 && strcmp(f->tables[i].declared->name, name) == 0) {
            return &f->tables[i];
        }
    }
    return NULL;
}

static bool is_same_table(const struct event_schema *a, const struct event_schema *b)
{
    return strcmp(a->schema, b->schema) == 0 && strcmp(a->table, b->table) == 0;
}

/* The last entry of the same table that was born. */
static const struct journal_entry *previous(const struct journal *j, const struct event_schema *schema)
{
    for (size_t i = j->order_count; i > 0; i--) {
        if (is_same_table(&j->order[i - 1]->schema, schema)) {
            return j->order[i - 1];
        }
    }
    return NULL;
}

static uint64_t greatest_log_id(const struct journal *j)
{
    return j->log.count == 0 ? 0 : j->log.count - 1;
}

static bool has_column(const struct event_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->column_count; i++) {
        if (strcmp(schema->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* One column of the same place and type has a name that was not there, and its old name is gone: renamed. */
static uint32_t renamed_column(const struct event_schema *before, const struct event_schema *now)
{
    uint32_t renamed = UINT32_MAX;
    if (before->column_count != now->column_count) {
        return UINT32_MAX;
    }
    for (uint32_t i = 0; i < now->column_count; i++) {
        if (strcmp(before->columns[i].name, now->columns[i].name) == 0) {
            continue;
        }
        if (renamed != UINT32_MAX || before->columns[i].type.kind != now->columns[i].type.kind ||
            has_column(before, now->columns[i].name) || has_column(now, before->columns[i].name)) {
            return UINT32_MAX;
        }
        renamed = i;
    }
    return renamed;
}

/* What each source column is called by those who knew it first. */
static const char **feeding_names(struct flow *f, const struct event_schema *schema)
{
    const struct journal_entry *before = previous(f->journal, schema);
    const char **names = arena_alloc(&f->arena, (schema->column_count + 1) * sizeof *names);
    uint32_t renamed = before == NULL ? UINT32_MAX : renamed_column(&before->schema, schema);
    for (uint32_t i = 0; i < schema->column_count; i++) {
        names[i] = schema->columns[i].name;
        for (uint32_t k = 0; before != NULL && k < before->schema.column_count; k++) {
            bool same = i == renamed ? k == i : strcmp(before->schema.columns[k].name, schema->columns[i].name) == 0;
            names[i] = same ? before->feeds[k] : names[i];
        }
    }
    return names;
}

/* What a column was called later, as far as the schemas that are known to follow tell: true if ever `declared`. */
static bool is_called_later(const struct flow *f, const struct journal_entry *e, uint32_t column, const char *declared)
{
    const struct event_schema *before = &e->schema;
    uint64_t log_id = e->born.log_id;
    const char *name = before->columns[column].name;
    for (size_t i = 0; i < f->options.known_count; i++) {
        const struct event_schema *next = &f->options.known[i];
        if (next->table_id <= log_id || !is_same_table(next, before)) {
            continue;
        }
        uint32_t renamed = renamed_column(before, next);
        if (renamed != UINT32_MAX && strcmp(before->columns[renamed].name, name) == 0) {
            name = next->columns[renamed].name;
        }
        if (strcmp(name, declared) == 0) {
            return true;
        }
        before = next;
        log_id = next->table_id;
    }
    return false;
}

/* The source column that is the declared one: by its name now, by a name it had before, by one it got later. */
static uint32_t find_feeding(const struct flow *f, const struct journal_entry *e, const char *declared)
{
    for (uint32_t i = 0; i < e->schema.column_count; i++) {
        if (strcmp(e->schema.columns[i].name, declared) == 0) {
            return i;
        }
    }
    for (uint32_t i = 0; i < e->schema.column_count; i++) {
        if (strcmp(e->feeds[i], declared) == 0 || is_called_later(f, e, i, declared)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void plan_reading(struct flow *f, struct journal_entry *e)
{
    struct reading *r = &e->reading;
    r->table_id = e->schema.table_id;
    r->table = find_table(f, e->schema.schema, e->schema.table);
    r->source_count = e->schema.column_count;
    r->source_types = arena_alloc(&f->arena, (r->source_count + 1) * sizeof *r->source_types);
    for (uint32_t i = 0; i < r->source_count; i++) {
        r->source_types[i] = e->schema.columns[i].type;
    }
    if (r->table == NULL) {
        return;
    }
    const struct catalog_table *declared = r->table->declared;
    r->source = arena_alloc(&f->arena, (declared->column_count + 1) * sizeof *r->source);
    r->straight = declared->column_count == r->source_count;
    for (uint32_t i = 0; i < declared->column_count; i++) {
        r->source[i] = find_feeding(f, e, declared->columns[i].name);
        r->straight = r->straight && r->source[i] == i && r->source_types[i].kind == declared->columns[i].type.kind;
    }
}

/* Copies a schema that borrows a chunk. */
static void keep_schema(struct flow *f, const struct event_schema *from, struct event_schema *to)
{
    *to = *from;
    to->schema = arena_strdup(&f->arena, from->schema);
    to->table = arena_strdup(&f->arena, from->table);
    to->columns =
        arena_dup(&f->arena, from->columns, (from->column_count + (from->column_count == 0)) * sizeof *to->columns);
    for (uint32_t i = 0; i < to->column_count; i++) {
        to->columns[i].name = arena_strdup(&f->arena, from->columns[i].name);
    }
}

/* Where the entry of this id is kept; NULL where it can be none. */
static struct journal_entry **slot_of(struct journal *j, uint32_t table_id)
{
    enum { IDS_MAX = 1000000 };
    _Static_assert((int)IDS_MAX <= (int)REDRIVEN_TABLE_ID_FIRST, "the log's ids must be below the redriven ones");
    struct id_range *range = redriven_owns_table_id(table_id) ? &j->redriven : &j->log;
    uint32_t idx = redriven_owns_table_id(table_id) ? table_id - REDRIVEN_TABLE_ID_FIRST : table_id;
    if (idx >= (range == &j->log ? IDS_MAX : REDRIVEN_TABLE_IDS_MAX)) {
        return NULL;
    }
    size_t old_capacity = range->capacity;
    mem_grow(&range->items, &range->capacity, (size_t)idx + 1, sizeof *range->items);
    for (size_t i = old_capacity; i < range->capacity; i++) {
        range->items[i] = NULL;
    }
    range->count = (size_t)idx + 1 > range->count ? (size_t)idx + 1 : range->count;
    return &range->items[idx];
}

static int compare_places(const struct place *a, const struct place *b)
{
    if (a->log_id != b->log_id) {
        return a->log_id < b->log_id ? -1 : 1;
    }
    if (a->seq != b->seq) {
        return a->seq < b->seq ? -1 : 1;
    }
    return a->ordinal < b->ordinal ? -1 : a->ordinal > b->ordinal;
}

static struct journal_entry *current_of(const struct table *t)
{
    return (struct journal_entry *)(uintptr_t)t->current;
}

/* A table with redriven rows knows its newest entry: of all of its table, when the first redriven one is born. */
static void note_current(const struct journal *j, struct journal_entry *e)
{
    struct table *t = e->reading.table;
    if (t == NULL || (t->current == NULL && !redriven_owns_table_id(e->schema.table_id))) {
        return;
    }
    for (size_t i = 0; i < j->order_count; i++) {
        struct journal_entry *other = j->order[i];
        bool newer = t->current == NULL || compare_places(&current_of(t)->newest, &other->newest) < 0;
        t->current = other->reading.table == t && newer ? &other->reading : t->current;
    }
}

static enum status enter(struct flow *f, const struct kept_schema *kept, struct journal_entry **out, struct error *err)
{
    struct journal *j = f->journal;
    struct journal_entry *e = arena_zalloc(&f->arena, sizeof *e);
    keep_schema(f, &kept->schema, &e->schema);
    e->born = kept->born;
    e->newest = kept->newest;
    e->feeds = feeding_names(f, &e->schema);
    struct journal_entry **slot = slot_of(j, e->schema.table_id);
    if (slot == NULL) {
        return error_set(err, STATUS_CORRUPT, 0, "the log has table id %u", e->schema.table_id);
    }
    plan_reading(f, e);
    *slot = e;
    mem_grow(&j->order, &j->order_capacity, j->order_count + 1, sizeof(struct journal_entry *));
    j->order[j->order_count] = e;
    j->order_count += 1;
    note_current(j, e);
    *out = e;
    return STATUS_OK;
}

/* Puts each view that uses a column that is not sent any more into error, and takes it out when the column is sent
 * again. */
static enum status tell_dropped(struct flow *f, const struct journal_entry *before, const struct journal_entry *now,
                                struct error *err)
{
    struct table *t = now->reading.table;
    for (uint32_t i = 0; t != NULL && i < t->declared->column_count; i++) {
        bool was_gone = before != NULL && before->reading.source[i] == UINT32_MAX;
        bool is_gone = now->reading.source[i] == UINT32_MAX;
        if (was_gone == is_gone) {
            continue;
        }
        char text[512];
        snprintf(text, sizeof text,
                 "column \"%s\" of table %s.%s is not sent by the source any more (dropped or renamed)",
                 t->declared->columns[i].name, t->declared->schema, t->declared->name);
        for (uint32_t o = 0; o < f->output_count; o++) {
            if (graph_output_uses(&f->outputs[o], t->node, i)) {
                TRY(error_add_text(f, f->outputs[o].own, text, is_gone ? 1 : -1, err));
            }
        }
    }
    return STATUS_OK;
}

static void append_place(struct buffer *out, const struct place *p)
{
    packed_append_uint(out, p->log_id);
    packed_append_uint(out, p->seq);
    packed_append_uint(out, p->ordinal);
}

static enum status read_place(struct packed_reader *r, struct place *out, struct error *err)
{
    TRY(packed_read_uint(r, &out->log_id, err));
    TRY(packed_read_uint(r, &out->seq, err));
    return packed_read_uint(r, &out->ordinal, err);
}

static enum status put_entry(struct flow *f, const struct journal_entry *e, struct error *err)
{
    struct buffer *value = &f->journal->scratch;
    uint8_t key[4];
    buffer_reset(value);
    event_append_schema(value, &e->schema);
    if (e->newest.seq != 0) {
        append_place(value, &e->born);
        append_place(value, &e->newest);
    }
    store_be32(key, e->schema.table_id);
    return store_put(f->journal->map, bytes_of(key, sizeof key), buffer_bytes(value), err);
}

static struct place place_now(const struct flow *f)
{
    return (struct place){.log_id = greatest_log_id(f->journal), .seq = f->seq + 1, .ordinal = f->ordinal};
}

enum status journal_add(struct flow *f, const struct event_schema *schema, struct error *err)
{
    const struct journal_entry *before = previous(f->journal, schema);
    const struct table *t = before == NULL ? NULL : before->reading.table;
    before = t != NULL && t->current != NULL ? current_of(t) : before;
    struct place place = {.log_id = schema->table_id};
    place = redriven_owns_table_id(schema->table_id) ? place_now(f) : place;
    struct kept_schema kept = {.schema = *schema, .born = place, .newest = place};
    struct journal_entry *now;
    TRY(enter(f, &kept, &now, err));
    TRY(put_entry(f, now, err));
    return tell_dropped(f, before, now, err);
}

/* The entry of the log whose rows are `t`'s now. */
static struct journal_entry *newest_of_log(const struct journal *j, const struct table *t)
{
    for (size_t i = j->log.count; i > 0; i--) {
        if (j->log.items[i - 1] != NULL && j->log.items[i - 1]->reading.table == t) {
            return j->log.items[i - 1];
        }
    }
    return NULL;
}

enum status journal_turn(struct flow *f, const struct reading *reading, struct error *err)
{
    struct table *t = reading->table;
    const struct journal_entry *before = current_of(t);
    bool redriven = redriven_owns_table_id(reading->table_id);
    if (redriven ? t->current == reading : !redriven_owns_table_id(t->current->table_id)) {
        return STATUS_OK;
    }
    struct journal_entry *now = redriven ? *slot_of(f->journal, reading->table_id) : newest_of_log(f->journal, t);
    now->newest = place_now(f);
    t->current = &now->reading;
    TRY(put_entry(f, now, err));
    return tell_dropped(f, before, now, err);
}

static enum status read_entry(struct bytes value, struct arena *a, struct kept_schema *out, struct error *err)
{
    struct packed_reader r = packed_reader_of(bytes_of(arena_dup(a, value.data, value.len), value.len));
    struct event e;
    TRY(event_read(&r, a, &e, err));
    if (e.kind != EVENT_SCHEMA) {
        return error_set(err, STATUS_CORRUPT, 0, "map \"journal\" holds something else");
    }
    out->schema = e.schema;
    out->born = (struct place){.log_id = e.table_id};
    out->newest = out->born;
    if (r.next == r.end) {
        return STATUS_OK;
    }
    TRY(read_place(&r, &out->born, err));
    return read_place(&r, &out->newest, err);
}

/* By table id. */
static enum status read_all(struct store *store, struct arena *a, struct kept_schema **out, size_t *count,
                            struct error *err)
{
    struct store_map *map;
    struct store_cursor *cursor;
    size_t capacity = 0;
    *out = NULL;
    *count = 0;
    enum status st = store_map_open(store, "journal", &map, err);
    if (st != STATUS_OK) {
        return st == STATUS_NOT_FOUND ? STATUS_OK : st;
    }
    TRY(store_cursor_open(map, &cursor, err));
    struct kept_schema *list = NULL;
    st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_OK) {
            mem_grow(&list, &capacity, *count + 1, sizeof *list);
            st = read_entry(value, a, &list[*count], err);
            *count += 1;
        }
    }
    store_cursor_close(cursor);
    *out = arena_dup(a, list, *count * sizeof *list);
    mem_free(list);
    return st == STATUS_END ? STATUS_OK : st;
}

enum status flow_journal_read(struct store *store, struct arena *a, struct event_schema **out, size_t *count,
                              struct error *err)
{
    struct kept_schema *kept;
    size_t kept_count;
    *out = NULL;
    *count = 0;
    TRY(read_all(store, a, &kept, &kept_count, err));
    *out = arena_alloc(a, (kept_count + 1) * sizeof **out);
    for (size_t i = 0; i < kept_count; i++) {
        if (!redriven_owns_table_id(kept[i].schema.table_id)) {
            (*out)[*count] = kept[i].schema;
            *count += 1;
        }
    }
    return STATUS_OK;
}

static int compare_born(const void *a, const void *b)
{
    return compare_places(&((const struct kept_schema *)a)->born, &((const struct kept_schema *)b)->born);
}

enum status journal_open(struct flow *f, struct error *err)
{
    f->journal = mem_zalloc(sizeof *f->journal);
    TRY(store_map_open(f->store, "journal", &f->journal->map, err));
    struct kept_schema *kept;
    size_t count;
    TRY(read_all(f->store, &f->arena, &kept, &count, err));
    if (count > 0) {
        qsort(kept, count, sizeof *kept, compare_born);
    }
    for (size_t i = 0; i < count; i++) {
        struct journal_entry *entered;
        TRY(enter(f, &kept[i], &entered, err));
    }
    return STATUS_OK;
}

void journal_release(struct flow *f)
{
    if (f->journal != NULL) {
        mem_free(f->journal->log.items);
        mem_free(f->journal->redriven.items);
        mem_free(f->journal->order);
        buffer_release(&f->journal->scratch);
        mem_free(f->journal);
    }
}

const struct reading *journal_find(const struct flow *f, uint32_t table_id)
{
    const struct journal *j = f->journal;
    bool redriven = redriven_owns_table_id(table_id);
    const struct id_range *range = redriven ? &j->redriven : &j->log;
    uint32_t idx = redriven ? table_id - REDRIVEN_TABLE_ID_FIRST : table_id;
    return idx < range->count && range->items[idx] != NULL ? &range->items[idx]->reading : NULL;
}

uint32_t journal_next_id(const struct flow *f)
{
    return f->journal->log.count == 0 ? 1 : (uint32_t)f->journal->log.count;
}
