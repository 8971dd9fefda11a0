/* The journal: how the rows of each table id in the log are to be read as rows of a declared table.
 *
 * Map "journal": table id (be32) -> the SCHEMA item as it was in the log. Columns are matched by name. Where one schema
 * of a table follows another and nothing but one name has changed, that column was renamed: it goes on feeding the
 * declared column of its old name, and in a replay, which knows the schemas to come, of its new one. A declared column
 * that is not sent any more reads as NULL, and every view that uses it is in error until it is back. */
#include "flow/inner.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct journal_entry {
    struct reading reading;
    struct event_schema schema;
    const char **feeds; /* source column -> name of the column it is, after renames */
};

struct journal {
    struct store_map *map;
    struct journal_entry **by_id; /* index = table id; ids are dense */
    size_t capacity;
    size_t count; /* greatest id + 1 */
    struct buffer scratch;
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

/* The newest earlier entry of the same table. */
static const struct journal_entry *previous(const struct journal *j, const struct event_schema *schema)
{
    for (size_t i = schema->table_id < j->count ? schema->table_id : j->count; i > 0; i--) {
        const struct journal_entry *e = j->by_id[i - 1];
        if (e != NULL && strcmp(e->schema.schema, schema->schema) == 0 && strcmp(e->schema.table, schema->table) == 0) {
            return e;
        }
    }
    return NULL;
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
static bool is_called_later(const struct flow *f, const struct event_schema *schema, uint32_t column,
                            const char *declared)
{
    const struct event_schema *before = schema;
    const char *name = schema->columns[column].name;
    for (size_t i = 0; i < f->options.known_count; i++) {
        const struct event_schema *next = &f->options.known[i];
        if (next->table_id <= before->table_id || strcmp(next->schema, schema->schema) != 0 ||
            strcmp(next->table, schema->table) != 0) {
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
        if (strcmp(e->feeds[i], declared) == 0 || is_called_later(f, &e->schema, i, declared)) {
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

static enum status enter(struct flow *f, const struct event_schema *schema, struct error *err)
{
    struct journal *j = f->journal;
    enum { IDS_MAX = 1000000 };
    if (schema->table_id >= IDS_MAX) {
        return error_set(err, STATUS_CORRUPT, 0, "the log has table id %u", schema->table_id);
    }
    struct journal_entry *e = arena_zalloc(&f->arena, sizeof *e);
    keep_schema(f, schema, &e->schema);
    e->feeds = feeding_names(f, &e->schema);
    plan_reading(f, e);
    size_t old_capacity = j->capacity;
    mem_grow(&j->by_id, &j->capacity, schema->table_id + 1, sizeof *j->by_id);
    for (size_t i = old_capacity; i < j->capacity; i++) {
        j->by_id[i] = NULL;
    }
    j->by_id[schema->table_id] = e;
    j->count = schema->table_id + 1 > j->count ? schema->table_id + 1 : j->count;
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

enum status journal_add(struct flow *f, const struct event_schema *schema, struct error *err)
{
    struct journal *j = f->journal;
    const struct journal_entry *before = previous(j, schema);
    buffer_reset(&j->scratch);
    event_append_schema(&j->scratch, schema);
    uint8_t key[4];
    store_be32(key, schema->table_id);
    TRY(store_put(j->map, bytes_of(key, sizeof key), buffer_bytes(&j->scratch), err));
    TRY(enter(f, schema, err));
    return tell_dropped(f, before, j->by_id[schema->table_id], err);
}

static enum status read_entry(struct bytes value, struct arena *a, struct event_schema *out, struct error *err)
{
    struct packed_reader r = packed_reader_of(bytes_of(arena_dup(a, value.data, value.len), value.len));
    struct event e;
    TRY(event_read(&r, a, &e, err));
    if (e.kind != EVENT_SCHEMA) {
        return error_set(err, STATUS_CORRUPT, 0, "map \"journal\" holds something else");
    }
    *out = e.schema;
    return STATUS_OK;
}

enum status flow_journal_read(struct store *store, struct arena *a, struct event_schema **out, size_t *count,
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
    struct event_schema *list = NULL;
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

enum status journal_open(struct flow *f, struct error *err)
{
    f->journal = mem_zalloc(sizeof *f->journal);
    TRY(store_map_open(f->store, "journal", &f->journal->map, err));
    struct event_schema *schemas;
    size_t count;
    TRY(flow_journal_read(f->store, &f->arena, &schemas, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(enter(f, &schemas[i], err));
    }
    return STATUS_OK;
}

void journal_release(struct flow *f)
{
    if (f->journal != NULL) {
        mem_free(f->journal->by_id);
        buffer_release(&f->journal->scratch);
        mem_free(f->journal);
    }
}

const struct reading *journal_find(const struct flow *f, uint32_t table_id)
{
    const struct journal *j = f->journal;
    return table_id < j->count && j->by_id[table_id] != NULL ? &j->by_id[table_id]->reading : NULL;
}

uint32_t journal_next_id(const struct flow *f)
{
    return f->journal->count == 0 ? 1 : (uint32_t)f->journal->count;
}
