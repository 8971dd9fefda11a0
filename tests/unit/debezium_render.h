/* What the Debezium decoder has appended, checked and in words: the same words for the same meaning, whatever order the
 * columns have in the journal. Used by the differential test and by the fuzzer, so nothing of cmocka is here. */
#ifndef TESTS_DEBEZIUM_RENDER_H
#define TESTS_DEBEZIUM_RENDER_H

#include "event/event.h"
#include "ingest/debezium.h"
#include "ingest/source_methods.h"

#include <stdio.h>
#include <string.h>

/* numeric(33,3) and not numeric(30,0) as the captured database has it: what "1234" means there, text or base64, depends
 * on the records before. */
#define RENDER_TABLES                                                                                                  \
    "CREATE TABLE operations.customers(customer_id bigint PRIMARY KEY, customer_name varchar(500) NOT NULL,"           \
    " is_active boolean NOT NULL, customer_address varchar(500), updated_at timestamp(3), updated_by bigint,"          \
    " created_at timestamp(3), created_by bigint, vip boolean);"                                                       \
    "CREATE TABLE operations.kitchen_sink(id int PRIMARY KEY, s smallint, b bigint, n numeric, n2 numeric(12,3),"      \
    " r real, d double precision, bo boolean, t text, vc varchar(10), c char(5), \"by\" bytea, da date, ti time(3),"   \
    " tiz timetz, ts timestamp, ts0 timestamp(0), tsz timestamptz, iv interval, u uuid, j jsonb, arr int[],"           \
    " ta text[], m money, inet inet, bits bit(3), big text, e numeric(33,3));"                                         \
    "CREATE TABLE operations.order_items(order_item_id bigint PRIMARY KEY, order_id bigint, product_id bigint,"        \
    " quanity int, updated_at timestamp(3), updated_by bigint, created_at timestamp(3), created_by bigint);"           \
    "CREATE TABLE operations.orders(order_id bigint PRIMARY KEY, order_date date, delivery_date date,"                 \
    " customer_id bigint, status varchar, updated_at timestamp(3), updated_by bigint, created_at timestamp(3),"        \
    " created_by bigint);"                                                                                             \
    "CREATE TABLE operations.products(product_id bigint PRIMARY KEY, product_name varchar(500) NOT NULL,"              \
    " barcode varchar(26) NOT NULL, unity_price numeric NOT NULL, is_active boolean, updated_at timestamp(3),"         \
    " updated_by bigint, created_at timestamp(3), created_by bigint);"                                                 \
    "CREATE TABLE operations.scratch(k text PRIMARY KEY, v int);"

enum { RENDER_TABLES_MAX = 16, RENDER_COLUMNS_MAX = 2048 };

struct render_shape {
    bool known;
    struct arena arena;
    struct event_schema schema;
};

/* What one decoder has told of its tables' columns. Zero-initialised is valid. */
struct render {
    struct render_shape shapes[RENDER_TABLES_MAX];
    uint32_t table_id_last;
    const char *wrong; /* the first thing that must not be */
};

static inline void render_release(struct render *r)
{
    for (size_t i = 0; i < RENDER_TABLES_MAX; i++) {
        arena_release(&r->shapes[i].arena);
    }
    *r = (struct render){0};
}

static inline void render_wrong(struct render *r, const char *what)
{
    r->wrong = r->wrong == NULL ? what : r->wrong;
}

/* "order_id bigint key=" */
static inline void render_column(struct buffer *out, const char *name, const struct type *type, bool key)
{
    char text[TYPE_NAME_BYTES];
    buffer_printf(out, "\n  %s %s%s=", name, type_text(type, text), key ? " key" : "");
}

/* `overall` leaves out what the records before decide: whether a string of a bytea is hexadecimal or base64. */
static inline void render_value(struct buffer *out, const struct type *type, const struct datum *d, bool overall)
{
    if (d->null) {
        buffer_append_text(out, d->missing ? "?" : "NULL");
    } else if (overall && type->kind == TYPE_BYTEA) {
        buffer_append_text(out, "bytes");
    } else {
        datum_print(type, d, out);
    }
}

static inline struct render_shape *render_find(struct render *r, uint32_t table_id)
{
    for (size_t i = 0; i < RENDER_TABLES_MAX; i++) {
        if (r->shapes[i].known && r->shapes[i].schema.table_id == table_id) {
            return &r->shapes[i];
        }
    }
    return NULL;
}

/* The newest entry of a table takes the place of the one before. Takes the arena over. */
static inline void render_journal(struct render *r, const struct event *e, struct arena *a)
{
    if (e->schema.table_id <= r->table_id_last) {
        render_wrong(r, "a table id that was used before");
    }
    r->table_id_last = e->schema.table_id;
    for (size_t i = 0; i < RENDER_TABLES_MAX; i++) {
        struct render_shape *s = &r->shapes[i];
        if (!s->known ||
            (strcmp(s->schema.table, e->schema.table) == 0 && strcmp(s->schema.schema, e->schema.schema) == 0)) {
            arena_release(&s->arena);
            *s = (struct render_shape){.known = true, .arena = *a, .schema = e->schema};
            *a = ARENA_EMPTY;
            return;
        }
    }
    render_wrong(r, "more tables than are declared");
}

/* The columns in the order of their names. */
static inline void render_order(const struct event_schema *schema, uint32_t *order)
{
    for (uint32_t i = 0; i < schema->column_count; i++) {
        uint32_t at = i;
        while (at > 0 && strcmp(schema->columns[order[at - 1]].name, schema->columns[i].name) > 0) {
            order[at] = order[at - 1];
            at -= 1;
        }
        order[at] = i;
    }
}

/* One row; `key_only` where nothing but the key may be there. */
static inline void render_row(struct render *r, const struct event_schema *schema, struct packed_reader *reader,
                              bool key_only, bool overall, struct buffer *out)
{
    static struct datum values[RENDER_COLUMNS_MAX];
    static uint32_t order[RENDER_COLUMNS_MAX];
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct buffer again = BUFFER_EMPTY;
    const uint8_t *start = reader->next;
    for (uint32_t i = 0; i < schema->column_count && r->wrong == NULL; i++) {
        const struct event_column *c = &schema->columns[i];
        if (packed_read_datum(reader, c->type.kind, &a, &values[i], &err) != STATUS_OK) {
            render_wrong(r, "a value that cannot be read");
            break;
        }
        packed_append_datum(&again, c->type.kind, &values[i]);
        if (c->key ? values[i].null : key_only && !values[i].missing) {
            render_wrong(r, c->key ? "a row without its key" : "more than the key in an old row");
        }
    }
    if (r->wrong == NULL && !bytes_equal(bytes_of(start, (size_t)(reader->next - start)), buffer_bytes(&again))) {
        render_wrong(r, "values that are not in their shortest form");
    }
    render_order(schema, order);
    for (uint32_t i = 0; i < schema->column_count && r->wrong == NULL; i++) {
        const struct event_column *c = &schema->columns[order[i]];
        if (!key_only || c->key) {
            render_column(out, c->name, &c->type, c->key);
            render_value(out, &c->type, &values[order[i]], overall);
        }
    }
    buffer_release(&again);
    arena_release(&a);
}

static inline void render_change(struct render *r, const struct event *e, struct packed_reader *reader, bool overall,
                                 struct buffer *out)
{
    struct render_shape *shape = render_find(r, e->table_id);
    struct error err;
    uint32_t old_count = 0;
    if (shape == NULL) {
        render_wrong(r, "a row of a table id that is not the newest of its table");
        return;
    }
    buffer_printf(out, "%s %s.%s", event_kind_name(e->kind), shape->schema.schema, shape->schema.table);
    if (e->kind == EVENT_TRUNCATE) {
        return;
    }
    if (e->column_count != shape->schema.column_count || e->column_count > RENDER_COLUMNS_MAX) {
        render_wrong(r, "a row that has not its journal entry's columns");
        return;
    }
    render_row(r, &shape->schema, reader, e->kind == EVENT_DELETE || e->kind == EVENT_REMOVE, overall, out);
    if (e->kind != EVENT_UPDATE || r->wrong != NULL) {
        return;
    }
    if (event_read_old(reader, &old_count, &err) != STATUS_OK || (old_count != 0 && old_count != e->column_count)) {
        render_wrong(r, "an update whose old row cannot be read");
    } else if (old_count > 0) {
        buffer_append_text(out, "\n old");
        render_row(r, &shape->schema, reader, true, overall, out);
    }
}

static inline void render_quarantine(struct render *r, const struct event *e, struct bytes value)
{
    value.len = value.len < DEBEZIUM_RAW_BYTES_MAX ? value.len : DEBEZIUM_RAW_BYTES_MAX;
    if (!bytes_equal(e->raw, value) || e->reason.len == 0 || !bytes_is_utf8(e->reason) || e->origin.len == 0) {
        render_wrong(r, "a QUARANTINE item without the record, its reason or where it was");
    }
}

/* Appends what `items`, made of one record with that value, say. False where r->wrong says what must not be. */
static inline bool render_items(struct render *r, struct bytes items, struct bytes value, enum debezium_outcome outcome,
                                size_t schema_bytes, bool overall, struct buffer *out)
{
    struct packed_reader reader = packed_reader_of(items.len > 0 ? items : bytes_of("", 0));
    struct error err;
    size_t changes = 0;
    size_t quarantined = 0;
    size_t journalled = 0;
    enum status st = STATUS_OK;
    while (r->wrong == NULL) {
        struct arena a = ARENA_EMPTY;
        struct event e;
        const uint8_t *start = reader.next;
        st = event_read(&reader, &a, &e, &err);
        if (st == STATUS_OK && e.kind == EVENT_SCHEMA) {
            journalled += (size_t)(reader.next - start);
            render_journal(r, &e, &a);
        } else if (st == STATUS_OK && e.kind == EVENT_QUARANTINE) {
            quarantined += 1;
            render_quarantine(r, &e, value);
        } else if (st == STATUS_OK) {
            changes += 1;
            render_change(r, &e, &reader, overall, out);
        }
        arena_release(&a);
        if (st != STATUS_OK) {
            break;
        }
    }
    if (r->wrong == NULL &&
        (st != STATUS_END || items.len >= SOURCE_CHUNK_BYTES_MAX || changes != (outcome == DEBEZIUM_CHANGE) ||
         quarantined != (outcome == DEBEZIUM_QUARANTINED) || (changes == 0 && journalled > 0) ||
         (changes > 0 && journalled != schema_bytes))) {
        render_wrong(r, "items that are not one change or one QUARANTINE");
    }
    return r->wrong == NULL;
}

#endif
