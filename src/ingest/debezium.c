/* A record -> what it is -> which table -> its columns -> items. Values are converted into a buffer first, so that a
 * record that turns out bad on its last column leaves nothing behind. */
#include "ingest/debezium.h"

#include "base/arena.h"
#include "base/checksum.h"
#include "base/digits.h"
#include "base/memory.h"
#include "event/event.h"
#include "ingest/debezium_document.h"
#include "ingest/debezium_meta.h"
#include "ingest/debezium_quarantine.h"
#include "ingest/debezium_reader.h"
#include "ingest/debezium_table.h"
#include "ingest/debezium_value.h"
#include "ingest/source_methods.h"
#include "row/datetime.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    LSN_BYTES_MAX = 24,
    SCHEMA_BYTES_MAX = 1024 * 1024, /* room for the journal entry before a row: names and types are bounded */
    ROW_BYTES_MAX = SOURCE_CHUNK_BYTES_MAX - SCHEMA_BYTES_MAX
};
_Static_assert(EVENT_COLUMNS_MAX *(255 + TYPE_NAME_BYTES + 32) < SCHEMA_BYTES_MAX, "any journal entry must fit");
/* What a record's QUARANTINE item keeps of the records before it. */
enum { CONTEXT_AFTER_DELETE = 1, CONTEXT_DECIMALS_SHIFT = 4, CONTEXT_BINARY_SHIFT = 6, CONTEXT_HABIT_MASK = 3 };

struct debezium {
    const struct catalog *catalog;
    struct debezium_table *tables; /* by catalog_table.idx */
    struct debezium_table *last;   /* the one of the last record: records of a table come together */
    uint32_t table_id_next;
    struct debezium_schema_cache schemas;
    struct debezium_habits habits;
    struct debezium_units units;
    struct debezium_placeholder placeholder;
    struct arena arena; /* of one record */
    struct debezium_reader values;
    struct debezium_reader keys;
    const struct debezium_document *value; /* of the record */
    struct debezium_members flat;          /* a flattened record's columns, without Debezium's own */
    struct buffer row;
    /* The newest delete: an insert of the same LSN is the second half of a change of key, which may lack values. */
    const struct debezium_table *deleted_from;
    char deleted_lsn[LSN_BYTES_MAX];
    size_t schema_bytes; /* of the record at hand */
    bool row_lacks;      /* some value of the row was not sent */
};

/* A row change, before its values are looked at. */
struct change {
    enum event_kind kind;
    const struct debezium_members *row;
    const struct debezium_members *before; /* NULL = none */
    const struct json_value *lsn;
    bool may_be_missing;
    bool second_half;                     /* it follows the delete of the old row */
    const struct debezium_record *record; /* of an insert */
};

struct debezium *debezium_new(const struct catalog *catalog, uint32_t table_id_next)
{
    struct debezium *d = mem_zalloc(sizeof *d);
    d->catalog = catalog;
    d->table_id_next = table_id_next;
    debezium_placeholder_init(&d->placeholder, "__debezium_unavailable_value");
    d->tables = mem_zalloc((catalog->table_count + 1) * sizeof *d->tables);
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        assert(catalog->tables[i]->key_count <= DEBEZIUM_KEY_MAX);
        d->tables[i].declared = catalog->tables[i];
    }
    return d;
}

void debezium_free(struct debezium *d)
{
    if (d == NULL) {
        return;
    }
    for (uint32_t i = 0; i < d->catalog->table_count; i++) {
        debezium_table_release(&d->tables[i]);
    }
    mem_free(d->tables);
    debezium_placeholder_release(&d->placeholder);
    debezium_schema_cache_release(&d->schemas);
    debezium_reader_release(&d->values);
    debezium_reader_release(&d->keys);
    mem_free(d->flat.items);
    buffer_release(&d->row);
    arena_release(&d->arena);
    mem_free(d);
}

enum status debezium_configure(struct debezium *d, const char *time_precision, const char *unavailable_value,
                               struct error *err)
{
    if (unavailable_value != NULL && unavailable_value[0] != '\0') {
        debezium_placeholder_release(&d->placeholder);
        debezium_placeholder_init(&d->placeholder, unavailable_value);
    }
    return debezium_units_of(time_precision, &d->units, err);
}

void debezium_set_shapes(struct debezium *d, bool on)
{
    d->values.no_shapes = !on;
    d->keys.no_shapes = !on;
}

void debezium_forget(struct debezium *d)
{
    for (uint32_t i = 0; i < d->catalog->table_count; i++) {
        d->tables[i].journalled = false;
    }
}

void debezium_adopt(struct debezium *d, const struct event_schema *schema)
{
    const struct catalog_table *t = catalog_find_table(d->catalog, schema->schema, schema->table);
    if (t != NULL) {
        debezium_table_adopt(&d->tables[t->idx], schema);
    }
}

/* ---- what stands in the record ---- */

static bool string_is(const struct json_value *v, const char *text)
{
    return v != NULL && json_value_is(v, text);
}

static bool is_envelope(const struct debezium_document *doc)
{
    return doc->at.op != NULL;
}

/* Heartbeats {ts_ms} and markers of the transaction topic {status, id, event_count, data_collections, ts_ms}. */
static bool is_control(const struct debezium_document *doc)
{
    const struct json_value *status = debezium_members_get(&doc->all, "status");
    if (doc->all.count == 1 && debezium_members_get(&doc->all, "ts_ms") != NULL) {
        return true;
    }
    return (string_is(status, "BEGIN") || string_is(status, "END")) && debezium_members_get(&doc->all, "id") != NULL &&
           debezium_members_get(&doc->all, "event_count") != NULL &&
           debezium_members_get(&doc->all, "data_collections") != NULL;
}

/* ---- which table ---- */

static const char *text_of(struct debezium *d, const struct json_value *v)
{
    if (v == NULL || v->kind != JSON_STRING) {
        return NULL;
    }
    struct bytes text = json_value_text(v, &d->arena);
    return arena_strndup(&d->arena, (const char *)text.data, text.len);
}

static bool is_named(const struct json_value *v, const char *name)
{
    return json_value_is(v, name);
}

/* NULL where the schema files have no such table. `schema` may be NULL. */
static struct debezium_table *table_named(struct debezium *d, const struct json_value *schema,
                                          const struct json_value *name)
{
    if (d->last != NULL && schema != NULL && is_named(name, d->last->declared->name) &&
        is_named(schema, d->last->declared->schema)) {
        return d->last;
    }
    const char *table_text = text_of(d, name);
    const struct catalog_table *t =
        table_text != NULL ? catalog_find_table(d->catalog, text_of(d, schema), table_text) : NULL;
    return t != NULL ? &d->tables[t->idx] : NULL;
}

static struct debezium_table *table_of_topic(struct debezium *d, const char *topic)
{
    for (uint32_t i = 0; i < d->catalog->table_count; i++) {
        const struct catalog_table *t = d->catalog->tables[i];
        if (t->topic != NULL && strcmp(t->topic, topic) == 0) {
            return &d->tables[i];
        }
    }
    const char *table_dot = strrchr(topic, '.');
    const char *schema = table_dot;
    while (schema != NULL && schema > topic && schema[-1] != '.') {
        schema -= 1;
    }
    if (table_dot == NULL || schema == topic) { /* "prefix.schema.table" has two dots */
        return NULL;
    }
    const char *schema_text = arena_strndup(&d->arena, schema, (size_t)(table_dot - schema));
    const struct catalog_table *t = catalog_find_table(d->catalog, schema_text, table_dot + 1);
    return t != NULL ? &d->tables[t->idx] : NULL;
}

static bool is_own_name(struct bytes name)
{
    return name.len > 2 && name.data[0] == '_' && name.data[1] == '_';
}

/* How many of the table's columns the record has. */
static uint32_t columns_there(const struct catalog_table *t, const struct debezium_members *all)
{
    uint32_t there = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        there += debezium_members_get(all, t->columns[i].name) != NULL;
    }
    return there;
}

/* The only table whose columns are all there, of several the only one with no column too many. */
static struct debezium_table *table_by_columns(struct debezium *d, const struct debezium_members *all,
                                               struct error *err)
{
    struct debezium_table *found[2] = {NULL, NULL}; /* with more columns in the record, with the same */
    uint32_t count[2] = {0, 0};
    size_t sent = 0;
    for (size_t i = 0; i < all->count; i++) {
        sent += !is_own_name(all->items[i].name);
    }
    for (uint32_t i = 0; i < d->catalog->table_count; i++) {
        const struct catalog_table *t = d->catalog->tables[i];
        if (columns_there(t, all) == t->column_count) {
            bool same = sent == t->column_count;
            found[same] = &d->tables[i];
            count[same] += 1;
        }
    }
    if (count[1] == 1 || (count[1] == 0 && count[0] == 1)) {
        return found[count[1] == 1];
    }
    (void)error_set(
        err, STATUS_INVALID, 0,
        count[0] + count[1] == 0
            ? "a record that is neither an event of Debezium nor a row with the columns of a declared table"
            : "a row that does not say its table (__table), with the columns of more than one declared table");
    return NULL;
}

/* NULL where the topic has records of no declared table, or of several. */
static struct debezium_table *table_of_tombstone(struct debezium *d, const char *topic)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < d->catalog->table_count; i++) {
        const char *declared = d->catalog->tables[i]->topic;
        found += declared != NULL && strcmp(declared, topic) == 0;
    }
    return found <= 1 ? table_of_topic(d, topic) : NULL;
}

/* A flattened record's table. NULL with a reason. */
static struct debezium_table *table_of_flat(struct debezium *d, const struct debezium_record *record, struct error *err)
{
    const struct debezium_members *all = &d->value->all;
    const struct json_value *name = debezium_members_get(all, "__table");
    const struct json_value *schema = debezium_members_get(all, "__schema");
    name = name != NULL ? name : debezium_members_get(all, "__source_table");
    schema = schema != NULL ? schema : debezium_members_get(all, "__source_schema");
    if (name != NULL && name->kind == JSON_STRING) {
        struct debezium_table *t = table_named(d, schema, name);
        if (t == NULL && schema == NULL && record->topic != NULL) {
            t = table_of_topic(d, record->topic);
        }
        if (t == NULL) {
            (void)error_set(err, STATUS_INVALID, 0, "table \"%.200s\" is not declared in the schema files",
                            text_of(d, name));
        }
        return t;
    }
    struct debezium_table *t = record->topic != NULL ? table_of_topic(d, record->topic) : NULL;
    return t != NULL ? t : table_by_columns(d, all, err);
}

static struct debezium_table *table_of_envelope(struct debezium *d, struct error *err)
{
    const struct json_value *schema = d->value->at.schema;
    const struct json_value *name = d->value->at.table;
    if (name == NULL || name->kind != JSON_STRING || schema == NULL || schema->kind != JSON_STRING) {
        (void)error_set(err, STATUS_INVALID, 0, "an event whose source does not say its schema and table");
        return NULL;
    }
    struct debezium_table *t = table_named(d, schema, name);
    if (t == NULL) {
        (void)error_set(err, STATUS_INVALID, 0, "table \"%.200s.%.200s\" is not declared in the schema files",
                        text_of(d, schema), text_of(d, name));
    }
    return t;
}

/* ---- values ---- */

static enum status name_column(const struct debezium_table *t, const struct debezium_column *c, struct error *err)
{
    return error_prefix(err, "column \"%s\" of table %s.%s", c->name, t->declared->schema, t->declared->name);
}

/* For the values of one row; the column's part changes from value to value. */
static struct debezium_value_context context_of(struct debezium *d, bool may_be_missing)
{
    return (struct debezium_value_context){.arena = &d->arena,
                                           .overall = &d->habits,
                                           .units = &d->units,
                                           .placeholder = &d->placeholder,
                                           .may_be_missing = may_be_missing};
}

static enum status read_value(struct debezium_value_context *context, struct debezium_table *t,
                              struct debezium_column *column, const struct json_value *value, struct datum *out,
                              struct error *err)
{
    context->column = &column->habits;
    enum status st = debezium_value_read(context, &column->type, &column->hint, value, out, err);
    if (column->habits.lost != column->habits.told && st == STATUS_OK && column->declared) {
        debezium_table_tell_losses(t, column);
    }
    return st == STATUS_OK ? STATUS_OK : name_column(t, column, err);
}

static enum status require_key(const struct debezium_table *t, const struct debezium_column *c,
                               const struct datum *value, struct error *err)
{
    if (!c->key || !value->null) {
        return STATUS_OK;
    }
    (void)error_set(err, STATUS_INVALID, 0, "it is part of the primary key and %s",
                    value->missing ? "was not sent" : "null");
    return name_column(t, c, err);
}

static inline bool whole_number(const struct json_value *v, int64_t *out)
{
    uint64_t number;
    if (json_plain_number(v, &number)) {
        *out = (int64_t)number; /* of DIGITS_BEFORE_MAX digits at most */
        return true;
    }
    return v->kind == JSON_NUMBER && digits_signed(v->text, out);
}

/* Appends all values of the row. An unchanged TOAST value may stand in `before`; a null there may mean "not sent". */
static enum status append_values(struct debezium *d, struct debezium_table *t, const struct change *change,
                                 struct error *err)
{
    struct debezium_value_context context = context_of(d, change->may_be_missing);
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct debezium_column *column = &t->columns[i];
        const struct json_value *value = &change->row->items[t->order[i]].value;
        struct datum datum;
        int64_t number;
        if (whole_number(value, &number) && number >= column->linear.min && number <= column->linear.max) {
            packed_append_int(&d->row, number * column->linear.factor + column->linear.offset);
            continue;
        }
        TRY(read_value(&context, t, column, value, &datum, err));
        if (datum.missing && change->before != NULL) {
            const struct json_value *kept =
                debezium_members_find(change->before, bytes_of(column->name, column->name_len));
            if (kept != NULL && kept->kind != JSON_NULL) {
                TRY(read_value(&context, t, column, kept, &datum, err));
            }
        }
        TRY(require_key(t, column, &datum, err));
        d->row_lacks = d->row_lacks || datum.missing;
        packed_append_datum(&d->row, column->type.kind, &datum);
    }
    return STATUS_OK;
}

/* Appends a row of nothing but the key, from the members given. */
static enum status append_key(struct debezium *d, struct debezium_table *t, const struct debezium_members *from,
                              struct error *err)
{
    struct debezium_value_context context = context_of(d, false);
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct debezium_column *column = &t->columns[i];
        struct datum datum = DATUM_MISSING;
        const struct json_value *value =
            column->key ? debezium_members_find(from, bytes_of(column->name, column->name_len)) : NULL;
        if (value != NULL) {
            TRY(read_value(&context, t, column, value, &datum, err));
        }
        TRY(require_key(t, column, &datum, err));
        packed_append_datum(&d->row, column->type.kind, &datum);
    }
    return STATUS_OK;
}

/* True where `before` has another key than the row. */
static enum status key_changed(struct debezium *d, struct debezium_table *t, const struct change *change, bool *out,
                               struct error *err)
{
    struct debezium_value_context context = context_of(d, true);
    *out = false;
    for (uint32_t k = 0; k < t->declared->key_count && change->before != NULL && !*out; k++) {
        struct debezium_column *column = &t->columns[t->key[k]];
        const struct json_value *now = &change->row->items[t->order[t->key[k]]].value;
        const struct json_value *was = debezium_members_find(change->before, bytes_of(column->name, column->name_len));
        if (was == NULL || was->kind == JSON_NULL || (was->kind == now->kind && bytes_equal(was->text, now->text))) {
            continue;
        }
        struct datum old_value;
        struct datum new_value;
        TRY(read_value(&context, t, column, was, &old_value, err));
        TRY(read_value(&context, t, column, now, &new_value, err));
        *out = !old_value.missing && !new_value.missing && !datum_identical(column->type.kind, &old_value, &new_value);
    }
    return STATUS_OK;
}

/* ---- items ---- */

static void journal(struct debezium *d, struct debezium_table *t, struct buffer *out)
{
    size_t mark = out->len;
    debezium_table_journal(t, &d->table_id_next, out);
    d->schema_bytes = out->len - mark;
}

/* The values are in d->row: the row's item, behind its journal entry where that is due. */
static enum status finish_row(struct debezium *d, struct debezium_table *t, enum event_kind kind, struct buffer *out,
                              struct error *err)
{
    if (d->row.len > ROW_BYTES_MAX) {
        return error_set(err, STATUS_INVALID, 0, "a row of %zu bytes is larger than the limit of %d", d->row.len,
                         ROW_BYTES_MAX);
    }
    journal(d, t, out);
    event_append_row(out, kind, t->table_id, t->column_count);
    buffer_append(out, d->row.data, d->row.len);
    return STATUS_OK;
}

static bool follows_delete(const struct debezium *d, const struct debezium_table *t, const struct json_value *lsn)
{
    return d->deleted_from == t && lsn != NULL && lsn->kind == JSON_NUMBER && lsn->text.len == strlen(d->deleted_lsn) &&
           memcmp(lsn->text.data, d->deleted_lsn, lsn->text.len) == 0;
}

/* Whether an insert may lack values. What else comes of the table ends the memory of its delete. */
static void note_insert(struct debezium *d, const struct debezium_table *t, const struct debezium_record *record,
                        struct change *change)
{
    change->second_half = (record->context & CONTEXT_AFTER_DELETE) != 0 || follows_delete(d, t, change->lsn);
    change->record = record;
    change->may_be_missing = change->second_half || record->old_key != NULL;
    d->deleted_from = change->second_half || d->deleted_from != t ? d->deleted_from : NULL;
}

static void remember_delete(struct debezium *d, const struct debezium_table *t, const struct json_value *lsn)
{
    bool known = lsn != NULL && lsn->kind == JSON_NUMBER && lsn->text.len < LSN_BYTES_MAX;
    d->deleted_from = known ? t : NULL;
    if (known) {
        memcpy(d->deleted_lsn, lsn->text.data, lsn->text.len);
        d->deleted_lsn[lsn->text.len] = '\0';
    }
}

/* An insert that lacks values is the second half of a change of key: an update of the old row, which has them. Where
 * that may be gone already nothing can complete it; and it may be a text that only looks like the placeholder. */
static enum status complete_insert(struct debezium *d, struct debezium_table *t, const struct change *change,
                                   enum event_kind *kind, struct error *err)
{
    char reason[JSON_SCAN_REASON_BYTES];
    struct bytes key;
    const struct debezium_record *record = change->record;
    bool moved = record->old_key != NULL && record->old_key(record->message, &key);
    if (!moved && !change->second_half) {
        struct change literal = *change;
        literal.may_be_missing = false;
        buffer_reset(&d->row);
        return append_values(d, t, &literal, err);
    }
    if (!moved || !(record->in_order || change->second_half)) {
        return STATUS_OK;
    }
    const struct debezium_document *old = debezium_reader_read(&d->keys, key, &d->schemas, &d->arena, reason);
    if (old == NULL || !old->all.is_object) {
        return STATUS_OK;
    }
    *kind = EVENT_UPDATE;
    event_append_old(&d->row, t->column_count);
    return append_key(d, t, &old->all, err);
}

static enum status put_row(struct debezium *d, struct debezium_table *t, const struct change *change,
                           struct buffer *out, struct error *err)
{
    bool moved = false;
    enum event_kind kind = change->kind;
    d->row_lacks = false;
    TRY(debezium_table_fit(t, d->value->schema, change->row, d->value->shape, &d->units, err));
    TRY(append_values(d, t, change, err));
    if (change->record != NULL && d->row_lacks) {
        TRY(complete_insert(d, t, change, &kind, err));
    }
    if (change->kind == EVENT_UPDATE) {
        TRY(key_changed(d, t, change, &moved, err));
        if (moved) {
            event_append_old(&d->row, t->column_count);
            TRY(append_key(d, t, change->before, err));
        } else {
            event_append_no_old(&d->row);
        }
    }
    return finish_row(d, t, kind, out, err);
}

/* The key is in `before`, in a flattened record's row, else in the record's key. */
static enum status delete_row(struct debezium *d, struct debezium_table *t, const struct debezium_record *record,
                              const struct change *change, struct buffer *out, struct error *err)
{
    char reason[JSON_SCAN_REASON_BYTES];
    enum status st = STATUS_INVALID;
    if (change->before != NULL) {
        debezium_table_fit_key(t, d->value->schema);
        st = append_key(d, t, change->before, err);
    } else {
        (void)error_set(err, STATUS_INVALID, 0, "a delete without the old row");
    }
    const struct debezium_document *key =
        st != STATUS_OK && record->key.len > 0
            ? debezium_reader_read(&d->keys, record->key, &d->schemas, &d->arena, reason)
            : NULL;
    if (key != NULL) {
        buffer_reset(&d->row);
        debezium_table_fit_key(t, key->schema);
        st = append_key(d, t, &key->all, err);
    }
    TRY(st);
    TRY(finish_row(d, t, record->may_repeat ? EVENT_REMOVE : EVENT_DELETE, out, err));
    remember_delete(d, t, change->lsn);
    if (record->may_repeat && record->key.len > 0) {
        record->buried->any = true;
        record->buried->key_hash = checksum_xxh3(record->key.data, record->key.len);
    }
    return STATUS_OK;
}

static enum status truncate_table(struct debezium *d, struct debezium_table *t, struct buffer *out)
{
    debezium_table_fit_key(t, d->value->schema);
    journal(d, t, out);
    event_append_truncate(out, t->table_id);
    return STATUS_OK;
}

/* '?' where it is not one. */
static char op_letter(struct bytes op)
{
    return op.len == 1 && op.data[0] != '\0' ? (char)op.data[0] : '?';
}

static enum status bad_op(struct bytes op, struct error *err)
{
    return error_set(err, STATUS_INVALID, 0, "an event with the unknown op \"%.*s\"", (int)(op.len < 20 ? op.len : 20),
                     (const char *)op.data);
}

static enum status decode_envelope(struct debezium *d, const struct debezium_record *record, struct buffer *out,
                                   enum debezium_outcome *outcome, struct error *err)
{
    const struct debezium_document *doc = d->value;
    struct bytes op = json_value_text(doc->at.op, &d->arena);
    char letter = op_letter(op);
    if (letter == 'm') {
        *outcome = DEBEZIUM_IGNORED;
        return STATUS_OK;
    }
    if (strchr("crudt", letter) == NULL) {
        return bad_op(op, err);
    }
    struct debezium_table *t = table_of_envelope(d, err);
    if (t == NULL) {
        return STATUS_INVALID;
    }
    d->last = t;
    if (letter == 't') {
        return truncate_table(d, t, out);
    }
    struct change change = {.kind = letter == 'c'   ? EVENT_INSERT
                                    : letter == 'r' ? EVENT_READ
                                                    : EVENT_UPDATE,
                            .row = &doc->after,
                            .before = doc->before.is_object ? &doc->before : NULL,
                            .lsn = doc->at.lsn};
    if (letter == 'd') {
        return delete_row(d, t, record, &change, out, err);
    }
    if (!doc->after.is_object) {
        return error_set(err, STATUS_INVALID, 0, "an event of op \"%c\" without the new row (after)", letter);
    }
    change.may_be_missing = letter == 'u';
    if (letter == 'c') {
        note_insert(d, t, record, &change);
    }
    return put_row(d, t, &change, out, err);
}

/* The members that are columns: all but Debezium's own, unless declared. */
static const struct debezium_members *flat_row(struct debezium *d, const struct debezium_table *t)
{
    const struct debezium_members *all = &d->value->all;
    d->flat.count = 0;
    d->flat.is_object = true;
    mem_grow(&d->flat.items, &d->flat.capacity, all->count + 1, sizeof *d->flat.items);
    for (size_t i = 0; i < all->count; i++) {
        bool own = is_own_name(all->items[i].name);
        for (uint32_t c = 0; own && c < t->declared->column_count; c++) {
            const char *name = t->declared->columns[c].name;
            own = !bytes_equal(all->items[i].name, bytes_of(name, strlen(name)));
        }
        if (!own) {
            d->flat.items[d->flat.count] = all->items[i];
            d->flat.count += 1;
        }
    }
    return &d->flat;
}

static enum status decode_flat(struct debezium *d, const struct debezium_record *record, struct buffer *out,
                               struct error *err)
{
    const struct debezium_members *all = &d->value->all;
    const struct json_value *op = debezium_members_get(all, "__op");
    const struct json_value *deleted = debezium_members_get(all, "__deleted");
    struct debezium_table *t = table_of_flat(d, record, err);
    if (t == NULL) {
        return STATUS_INVALID;
    }
    d->last = t;
    const struct debezium_members *row = flat_row(d, t);
    struct change change = {.kind = EVENT_READ, .row = row, .lsn = debezium_members_get(all, "__lsn")};
    if (string_is(op, "d") || string_is(deleted, "true") || (deleted != NULL && deleted->kind == JSON_TRUE)) {
        change.before = row;
        return delete_row(d, t, record, &change, out, err);
    }
    if (string_is(op, "t")) {
        return truncate_table(d, t, out);
    }
    if (op != NULL && op->kind == JSON_STRING) {
        struct bytes text = json_value_text(op, &d->arena);
        char letter = op_letter(text);
        if (strchr("cru", letter) == NULL) {
            return bad_op(text, err);
        }
        change.kind = letter == 'c' ? EVENT_INSERT : letter == 'r' ? EVENT_READ : EVENT_UPDATE;
    }
    bool unknown = op == NULL || op->kind != JSON_STRING;
    change.may_be_missing = change.kind == EVENT_UPDATE || unknown;
    if (change.kind == EVENT_INSERT) {
        note_insert(d, t, record, &change);
    }
    return put_row(d, t, &change, out, err);
}

/* A record without a value. Where it follows the delete of its key it says nothing new; else it may be all that is sent
 * of one (ExtractNewRecordState without delete records), so the row goes: removing it twice harms nothing. */
static enum status decode_tombstone(struct debezium *d, const struct debezium_record *record, struct buffer *out,
                                    enum debezium_outcome *outcome, struct error *err)
{
    char reason[JSON_SCAN_REASON_BYTES];
    struct debezium_table *t = record->topic != NULL ? table_of_tombstone(d, record->topic) : NULL;
    bool told = record->buried->any && record->key.len > 0 &&
                record->buried->key_hash == checksum_xxh3(record->key.data, record->key.len);
    record->buried->any = false;
    *outcome = DEBEZIUM_IGNORED;
    if (t == NULL || told || record->key.len == 0) {
        return STATUS_OK;
    }
    const struct debezium_document *key = debezium_reader_read(&d->keys, record->key, &d->schemas, &d->arena, reason);
    if (key == NULL) {
        return error_set(err, STATUS_INVALID, 0, "a tombstone, maybe a delete, whose key could not be read: %s",
                         reason);
    }
    if (key->is_null) {
        return STATUS_OK;
    }
    debezium_table_fit_key(t, key->schema);
    TRY(append_key(d, t, &key->all, err));
    *outcome = DEBEZIUM_CHANGE;
    return finish_row(d, t, EVENT_REMOVE, out, err);
}

static uint32_t context_now(const struct debezium *d, bool was_read)
{
    const struct json_value *lsn = was_read ? d->value->at.lsn : NULL;
    bool after_delete = d->deleted_from != NULL && follows_delete(d, d->deleted_from, lsn);
    return (after_delete ? CONTEXT_AFTER_DELETE : 0u) | (uint32_t)d->habits.decimals << CONTEXT_DECIMALS_SHIFT |
           (uint32_t)d->habits.binary << CONTEXT_BINARY_SHIFT;
}

static void take_context(struct debezium *d, uint32_t context)
{
    uint32_t decimals = context >> CONTEXT_DECIMALS_SHIFT & CONTEXT_HABIT_MASK;
    uint32_t binary = context >> CONTEXT_BINARY_SHIFT & CONTEXT_HABIT_MASK;
    if (decimals != 0) {
        d->habits.decimals = (enum debezium_decimals)decimals;
    }
    if (binary != 0) {
        d->habits.binary = (enum debezium_binary)binary;
    }
}

/* `was_read`: the value is in d->value. */
static enum debezium_outcome quarantine(const struct debezium *d, const struct debezium_record *record, bool was_read,
                                        struct error *err, struct buffer *out)
{
    debezium_quarantine_append(record, context_now(d, was_read), err, out);
    return DEBEZIUM_QUARANTINED;
}

static struct bytes trimmed(struct bytes text)
{
    while (text.len > 0 && text.data[text.len - 1] <= ' ' && memchr(" \t\r\n", text.data[text.len - 1], 4) != NULL) {
        text.len -= 1;
    }
    return text;
}

static enum status decode_value(struct debezium *d, const struct debezium_record *record, struct buffer *out,
                                enum debezium_outcome *outcome, struct debezium_meta *meta, struct error *err)
{
    debezium_meta_read(d->value, &d->arena, record->may_repeat, meta);
    return is_envelope(d->value) ? decode_envelope(d, record, out, outcome, err) : decode_flat(d, record, out, err);
}

enum debezium_outcome debezium_decode(struct debezium *d, const struct debezium_record *record, struct buffer *out,
                                      struct debezium_meta *meta)
{
    struct error err; /* a large one, set where something is wrong */
    char reason[JSON_SCAN_REASON_BYTES];
    enum debezium_outcome outcome = DEBEZIUM_CHANGE;
    size_t mark = out->len;
    struct bytes value = trimmed(record->value);
    *meta = (struct debezium_meta){0};
    arena_reset(&d->arena);
    buffer_reset(&d->row);
    d->schema_bytes = 0;
    if (record->context != 0) {
        take_context(d, record->context);
    }
    if (value.len == 0 && !record->may_repeat) {
        return DEBEZIUM_IGNORED;
    }
    d->value = value.len > 0 ? debezium_reader_read(&d->values, value, &d->schemas, &d->arena, reason) : NULL;
    if (value.len > 0 && d->value == NULL) {
        (void)error_set(&err, STATUS_INVALID, 0, "%s", reason);
        return quarantine(d, record, false, &err, out);
    }
    bool tombstone = d->value == NULL || d->value->is_null;
    if ((tombstone && !record->may_repeat) || (!tombstone && !is_envelope(d->value) && is_control(d->value))) {
        return DEBEZIUM_IGNORED;
    }
    enum status st;
    if (tombstone) {
        st = decode_tombstone(d, record, out, &outcome, &err);
    } else {
        if (record->may_repeat) {
            record->buried->any = false;
        }
        st = decode_value(d, record, out, &outcome, meta, &err);
    }
    if (st != STATUS_OK) {
        assert(out->len == mark); /* nothing of a bad record is left */
        return quarantine(d, record, value.len > 0, &err, out);
    }
    meta->schema_bytes = d->schema_bytes;
    return outcome;
}
