/* Descriptions are compared with what is known so that an unchanged table keeps its journal id over a reconnect. */
#include "ingest/pgrelation.h"

#include "base/arena.h"
#include "base/memory.h"
#include "event/event.h"

#include <stdio.h>
#include <string.h>

void pgrelation_set_init(struct pgrelation_set *set, const struct catalog *catalog, uint32_t table_id_next)
{
    *set = (struct pgrelation_set){.catalog = catalog, .table_id_next = table_id_next};
}

static void release_columns(struct pgrelation *r)
{
    for (uint32_t i = 0; i < r->column_count; i++) {
        mem_free(r->columns[i].name);
    }
    mem_free(r->columns);
    mem_free(r->key_columns);
}

void pgrelation_set_release(struct pgrelation_set *set)
{
    for (uint32_t i = 0; i < set->slot_count; i++) {
        if (set->slots[i] != NULL) {
            release_columns(set->slots[i]);
            mem_free(set->slots[i]);
        }
    }
    mem_free(set->slots);
    *set = (struct pgrelation_set){0};
}

static struct pgrelation **slot_of(struct pgrelation **slots, uint32_t slot_count, uint32_t oid)
{
    uint32_t at = oid * UINT32_C(2654435761) & (slot_count - 1);
    while (slots[at] != NULL && slots[at]->oid != oid) {
        at = (at + 1) & (slot_count - 1);
    }
    return &slots[at];
}

struct pgrelation *pgrelation_find_slow(struct pgrelation_set *set, uint32_t oid)
{
    struct pgrelation *found = set->slot_count == 0 ? NULL : *slot_of(set->slots, set->slot_count, oid);
    if (found != NULL) {
        set->last = found;
    }
    return found;
}

static struct pgrelation *add(struct pgrelation_set *set, uint32_t oid)
{
    if (set->count * 2 >= set->slot_count) {
        uint32_t bigger = set->slot_count == 0 ? 64 : set->slot_count * 2;
        struct pgrelation **slots = mem_zalloc(bigger * sizeof *slots);
        for (uint32_t i = 0; i < set->slot_count; i++) {
            if (set->slots[i] != NULL) {
                *slot_of(slots, bigger, set->slots[i]->oid) = set->slots[i];
            }
        }
        mem_free(set->slots);
        set->slots = slots;
        set->slot_count = bigger;
    }
    struct pgrelation *r = mem_zalloc(sizeof *r);
    r->oid = oid;
    *slot_of(set->slots, set->slot_count, oid) = r;
    set->count += 1;
    return r;
}

static const struct catalog_column *declared_column(const struct catalog_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

static bool is_declared_key(const struct catalog_table *table, const char *name)
{
    for (uint32_t k = 0; k < table->key_count; k++) {
        if (strcmp(table->columns[table->key_columns[k]].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_same(const struct pgrelation *r, const struct catalog_table *table, const struct pgcolumn *columns,
                    uint32_t count)
{
    if (r->table != table || r->column_count != count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct pgcolumn *old = &r->columns[i];
        if (old->type_oid != columns[i].type_oid || old->typmod != columns[i].typmod ||
            strcmp(old->name, columns[i].name) != 0) {
            return false;
        }
    }
    return true;
}

static void set_columns(struct pgrelation *r, const struct pgcolumn *columns, uint32_t count)
{
    release_columns(r);
    r->columns = mem_zalloc(count * sizeof *r->columns);
    r->key_columns = mem_zalloc(count * sizeof *r->key_columns);
    r->column_count = count;
    r->key_count = 0;
    r->journalled = false;
    for (uint32_t i = 0; i < count; i++) {
        struct pgcolumn *c = &r->columns[i];
        *c = columns[i];
        c->name = mem_strdup(columns[i].name);
        c->key = r->table != NULL && is_declared_key(r->table, c->name);
        if (c->key) {
            r->key_columns[r->key_count] = i;
            r->key_count += 1;
        }
        /* The schema file may name a type without its schema ("mood" for "public.mood"): the log uses the declared
         * spelling. */
        const struct catalog_column *declared = r->table == NULL ? NULL : declared_column(r->table, c->name);
        const char *dot = strrchr(c->type.name, '.');
        if (declared != NULL && c->type.kind == TYPE_OTHER && declared->type.kind == TYPE_OTHER && dot != NULL &&
            strcmp(dot + 1, declared->type.name) == 0) {
            c->type = declared->type;
        }
    }
}

struct pgrelation *pgrelation_describe(struct pgrelation_set *set, uint32_t oid, const char *schema, const char *name,
                                       const struct pgcolumn *columns, uint32_t column_count)
{
    struct pgrelation *r = pgrelation_find(set, oid);
    bool is_new = r == NULL;
    if (is_new) {
        r = add(set, oid);
    }
    const char *space = schema[0] == '\0' ? "pg_catalog" : schema;
    const struct catalog_table *table = catalog_find_table(set->catalog, space, name);
    if (is_new || !is_same(r, table, columns, column_count)) {
        r->table = table;
        snprintf(r->name, sizeof r->name, "%s.%s", space, name);
        set_columns(r, columns, column_count);
    }
    for (uint32_t i = 0; i < column_count; i++) {
        r->columns[i].identity = columns[i].identity;
    }
    return r;
}

void pgrelation_journal(struct pgrelation_set *set, struct pgrelation *relation, uint64_t commit, struct buffer *out)
{
    if (relation->journalled) {
        return;
    }
    relation->table_id = set->table_id_next;
    relation->journalled = true;
    relation->journalled_in = commit;
    set->table_id_next += 1;
    struct arena a = ARENA_EMPTY;
    struct event_column *columns = arena_zalloc(&a, (relation->column_count + 1) * sizeof *columns);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct pgcolumn *c = &relation->columns[i];
        columns[i] = (struct event_column){.name = c->name, .type = c->type, .key = c->key};
    }
    struct event_schema schema = {.table_id = relation->table_id,
                                  .schema = relation->table->schema,
                                  .table = relation->table->name,
                                  .columns = columns,
                                  .column_count = relation->column_count};
    event_append_schema(out, &schema);
    arena_release(&a);
}

void pgrelation_forget(struct pgrelation_set *set, uint64_t commit)
{
    for (uint32_t i = 0; i < set->slot_count; i++) {
        struct pgrelation *r = set->slots[i];
        if (r != NULL && r->journalled && r->journalled_in == commit) {
            r->journalled = false;
        }
    }
}
