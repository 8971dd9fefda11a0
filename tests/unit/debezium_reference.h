/* A second Debezium decoder, as plain as can be: document -> tree -> envelope -> table -> columns -> words (those of
 * debezium_render.h). It shares with the decoder under test what a single value means (debezium_value_read, given the
 * value as printed anew from the tree) and nothing of its scanning, members, order, escapes, schema parts, journal. */
#ifndef TESTS_DEBEZIUM_REFERENCE_H
#define TESTS_DEBEZIUM_REFERENCE_H

#include "debezium_render.h"
#include "ingest/debezium_document.h"
#include "ingest/debezium_table.h"
#include "ingest/debezium_value.h"
#include "json_tree.h"
#include "row/datetime.h"

#include <stdlib.h>

struct reference_document {
    bool null;
    const struct node *payload;
    const struct node *fields; /* of a row, in the schema part; NULL where there is none */
    const struct node *before; /* NULL where it is no object */
    const struct node *after;
    const struct node *source;
    const struct node *transaction;
};

/* What a decoder remembers from record to record by design. */
struct reference {
    const struct catalog *catalog;
    const struct catalog_table *deleted_from;
    char deleted_lsn[24];
    bool disagree; /* the libraries did, about a document */
    /* of the record at hand */
    const struct debezium_record *record;
    struct arena arena;
    struct reference_document value;
    struct debezium_habits overall;
    struct debezium_units units;
    struct debezium_placeholder placeholder;
    struct debezium_meta meta;
    enum event_kind kind;
};

/* The key of the newest record of a partition where it was a delete. */
struct reference_buried {
    bool any;
    struct buffer key;
};

struct reference_column {
    const char *name;
    struct type type;
    struct debezium_hint hint;
    bool key;
    struct datum value;
    struct debezium_habits habits;
};

/* ---- documents ---- */

static inline struct node *last_member(const struct node *object, const char *name)
{
    struct node *found = NULL;
    for (struct node *n = node_member(object, name); n != NULL; n = n->next) {
        found = bytes_equal(n->name, bytes_of(name, strlen(name))) ? n : found;
    }
    return found;
}

static inline const struct node *if_kind(const struct node *n, enum json_kind kind)
{
    return n != NULL && n->kind == kind ? n : NULL;
}

/* An envelope's schema describes its row under "after" or "before"; any other describes the row itself. */
static inline const struct node *row_fields(const struct node *schema)
{
    const struct node *fields = last_member(schema, "fields");
    const struct node *row = NULL;
    bool op = false;
    bool source = false;
    for (const struct node *f = if_kind(fields, JSON_ARRAY) != NULL ? fields->first : NULL; f != NULL; f = f->next) {
        const struct node *name = last_member(f, "field");
        op = op || node_is_string(name, "op");
        source = source || node_is_string(name, "source");
        if (node_is_string(name, "after") || (node_is_string(name, "before") && row == NULL)) {
            row = if_kind(last_member(f, "fields"), JSON_ARRAY);
        }
    }
    return op && source && row != NULL ? row : if_kind(fields, JSON_ARRAY);
}

static inline bool names_are_fine(const struct node *object)
{
    for (const struct node *n = object->first; n != NULL; n = n->next) {
        if (n->name.len > 0 && memchr(n->name.data, 0, n->name.len) != NULL) {
            return false;
        }
    }
    return object->count <= DEBEZIUM_MEMBERS_MAX;
}

/* The object of that name, which may be there once; NULL where there is none. */
static inline bool take_part(const struct node *payload, const char *name, const struct node **out)
{
    *out = NULL;
    for (const struct node *n = payload->first; n != NULL; n = n->next) {
        if (n->kind == JSON_OBJECT && bytes_equal(n->name, bytes_of(name, strlen(name)))) {
            if (*out != NULL || !names_are_fine(n)) {
                return false;
            }
            *out = n;
        }
    }
    return true;
}

static inline bool read_reference_document(struct reference *r, struct bytes text, struct reference_document *out)
{
    bool fine;
    const struct node *root = json_tree(text, &r->arena, &fine);
    *out = (struct reference_document){.null = false};
    r->disagree = r->disagree || !fine;
    if (root == NULL) {
        return false;
    }
    const struct node *schema = node_member(root, "schema");
    const struct node *payload = node_member(root, "payload");
    if (root->count == 2 && schema != NULL && payload != NULL &&
        (schema->kind == JSON_OBJECT || schema->kind == JSON_NULL) &&
        (payload->kind == JSON_OBJECT || payload->kind == JSON_NULL)) {
        out->fields = row_fields(schema);
        root = payload;
    }
    out->null = root->kind == JSON_NULL;
    if (root->kind != JSON_OBJECT) {
        return out->null;
    }
    out->payload = root;
    return names_are_fine(root) && take_part(root, "before", &out->before) && take_part(root, "after", &out->after) &&
           take_part(root, "source", &out->source) && take_part(root, "transaction", &out->transaction);
}

/* ---- how values are written ---- */

struct reference_form {
    const char *name;
    enum debezium_form form;
    enum type_kind kind;
};

static inline const struct reference_form *find_form(const struct node *name)
{
    static const struct reference_form forms[] = {
        {"boolean", FORM_PLAIN, TYPE_BOOL},
        {"int8", FORM_PLAIN, TYPE_INT2},
        {"int16", FORM_PLAIN, TYPE_INT2},
        {"int32", FORM_PLAIN, TYPE_INT4},
        {"int64", FORM_PLAIN, TYPE_INT8},
        {"float", FORM_PLAIN, TYPE_FLOAT4},
        {"float32", FORM_PLAIN, TYPE_FLOAT4},
        {"double", FORM_PLAIN, TYPE_FLOAT8},
        {"float64", FORM_PLAIN, TYPE_FLOAT8},
        {"string", FORM_TEXT, TYPE_TEXT},
        {"bytes", FORM_BYTES, TYPE_BYTEA},
        {"org.apache.kafka.connect.data.Decimal", FORM_DECIMAL, TYPE_NUMERIC},
        {"org.apache.kafka.connect.data.Date", FORM_DAYS, TYPE_DATE},
        {"org.apache.kafka.connect.data.Time", FORM_MILLIS, TYPE_TIME},
        {"org.apache.kafka.connect.data.Timestamp", FORM_MILLIS, TYPE_TIMESTAMP},
        {"io.debezium.data.VariableScaleDecimal", FORM_PLAIN, TYPE_NUMERIC},
        {"io.debezium.data.Uuid", FORM_TEXT, TYPE_UUID},
        {"io.debezium.data.Json", FORM_TEXT, TYPE_JSON},
        {"io.debezium.data.Bits", FORM_BYTES, TYPE_TEXT},
        {"io.debezium.time.Date", FORM_DAYS, TYPE_DATE},
        {"io.debezium.time.IsoDate", FORM_TEXT, TYPE_DATE},
        {"io.debezium.time.Time", FORM_MILLIS, TYPE_TIME},
        {"io.debezium.time.MicroTime", FORM_MICROS, TYPE_TIME},
        {"io.debezium.time.NanoTime", FORM_NANOS, TYPE_TIME},
        {"io.debezium.time.IsoTime", FORM_TEXT, TYPE_TIME},
        {"io.debezium.time.Timestamp", FORM_MILLIS, TYPE_TIMESTAMP},
        {"io.debezium.time.MicroTimestamp", FORM_MICROS, TYPE_TIMESTAMP},
        {"io.debezium.time.NanoTimestamp", FORM_NANOS, TYPE_TIMESTAMP},
        {"io.debezium.time.IsoTimestamp", FORM_TEXT, TYPE_TIMESTAMP},
        {"io.debezium.time.ZonedTimestamp", FORM_TEXT, TYPE_TIMESTAMPTZ},
        {"io.debezium.time.MicroDuration", FORM_MICROS, TYPE_INTERVAL},
        {"io.debezium.time.NanoDuration", FORM_NANOS, TYPE_INTERVAL},
        {"io.debezium.time.Interval", FORM_TEXT, TYPE_INTERVAL},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (node_is_string(name, forms[i].name)) {
            return &forms[i];
        }
    }
    return NULL;
}

/* The digits of parameters.scale, which is a string in real records. */
static inline int32_t field_scale(const struct node *field)
{
    const struct node *parameters = if_kind(last_member(field, "parameters"), JSON_OBJECT);
    for (const struct node *n = parameters != NULL ? parameters->first : NULL; n != NULL; n = n->next) {
        if (!bytes_equal(n->name, bytes_of("scale", 5)) || n->text.len > 6) {
            continue;
        }
        int32_t scale = 0;
        for (size_t i = 0; i < n->text.len; i++) {
            uint8_t c = n->text.data[i];
            scale = c >= '0' && c <= '9' ? scale * 10 + c - '0' : scale;
        }
        return n->text.len > 0 && n->text.data[0] == '-' ? -scale : scale;
    }
    return 0;
}

static inline const struct reference_form *field_form(const struct node *field, enum debezium_form *form,
                                                      int32_t *scale)
{
    static const struct reference_form unknown = {"", FORM_PLAIN, TYPE_UNKNOWN};
    const struct reference_form *f = find_form(last_member(field, "name"));
    bool logical = f != NULL && strchr(f->name, '.') != NULL;
    if (!logical) {
        f = find_form(last_member(field, "type"));
        f = f != NULL && strchr(f->name, '.') == NULL ? f : &unknown;
    }
    *form = f->form;
    *scale = f->form == FORM_DECIMAL ? field_scale(field) : 0;
    return f;
}

static inline const struct node *find_field(const struct node *fields, struct bytes name)
{
    for (const struct node *f = fields != NULL ? fields->first : NULL; f != NULL; f = f->next) {
        const struct node *named = last_member(f, "field");
        if (named != NULL && named->kind == JSON_STRING && bytes_equal(named->text, name)) {
            return f;
        }
    }
    return NULL;
}

/* The type of a column and how its values are written; `declared` NULL where it is not. */
static inline void describe_column(const struct node *fields, struct bytes name, const struct type *declared,
                                   struct type *type, struct debezium_hint *hint)
{
    const struct node *field = find_field(fields, name);
    enum type_kind kind = TYPE_UNKNOWN;
    *hint = (struct debezium_hint){.form = FORM_GUESSED};
    if (field != NULL) {
        kind = field_form(field, &hint->form, &hint->scale)->kind;
        const struct node *items = if_kind(last_member(field, "items"), JSON_OBJECT);
        if (kind == TYPE_UNKNOWN && items != NULL) {
            (void)field_form(items, &hint->element_form, &hint->element_scale);
        }
    }
    *type = declared != NULL ? *declared : type_make(kind == TYPE_UNKNOWN ? TYPE_TEXT : kind);
    if (declared == NULL && type->kind == TYPE_TEXT) {
        hint->form = FORM_RAW;
    }
}

static inline const struct catalog_column *declared_column_of(const struct catalog_table *t, struct bytes name)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (bytes_equal(bytes_of(t->columns[i].name, strlen(t->columns[i].name)), name)) {
            return &t->columns[i];
        }
    }
    return NULL;
}

static inline bool is_key_column(const struct catalog_table *t, struct bytes name)
{
    for (uint32_t i = 0; i < t->key_count; i++) {
        const char *key = t->columns[t->key_columns[i]].name;
        if (bytes_equal(bytes_of(key, strlen(key)), name)) {
            return true;
        }
    }
    return false;
}

/* ---- values ---- */

static inline bool is_flat_array(const struct node *n)
{
    for (const struct node *child = n->first; child != NULL; child = child->next) {
        if (child->kind == JSON_OBJECT || (child->kind == JSON_ARRAY && !is_flat_array(child))) {
            return false;
        }
    }
    return true;
}

/* The value printed anew, but where its JSON text is what is kept. */
static inline struct json_value leaf_of(struct reference *r, const struct node *n, const struct type *type)
{
    struct json_value v = {.kind = n->kind, .text = n->text};
    struct buffer printed = BUFFER_EMPTY;
    size_t name = strlen(type->name);
    bool array = n->kind == JSON_ARRAY && type->kind == TYPE_OTHER && name > 2 &&
                 strcmp(type->name + name - 2, "[]") == 0 && is_flat_array(n);
    if (n->kind == JSON_STRING || array || (n->kind == JSON_OBJECT && type->kind == TYPE_NUMERIC)) {
        node_print(n, &printed);
        const uint8_t *copy = arena_dup(&r->arena, printed.data, printed.len);
        size_t quote = n->kind == JSON_STRING;
        v.text = bytes_of(copy + quote, printed.len - 2 * quote);
        v.escaped = quote && memchr(v.text.data, '\\', v.text.len) != NULL;
    }
    buffer_release(&printed);
    return v;
}

static inline bool read_leaf(struct reference *r, struct reference_column *c, const struct node *n, bool may_be_missing)
{
    struct error err;
    struct debezium_value_context context = {.arena = &r->arena,
                                             .column = &c->habits,
                                             .overall = &r->overall,
                                             .units = &r->units,
                                             .placeholder = &r->placeholder,
                                             .may_be_missing = may_be_missing};
    struct json_value leaf = leaf_of(r, n, &c->type);
    return debezium_value_read(&context, &c->type, &c->hint, &leaf, &c->value, &err) == STATUS_OK;
}

static inline struct reference_column column_of(struct reference *r, const struct catalog_table *t,
                                                const struct node *fields, struct bytes name)
{
    const struct catalog_column *declared = declared_column_of(t, name);
    struct reference_column c = {.name = arena_strndup(&r->arena, (const char *)name.data, name.len),
                                 .key = is_key_column(t, name)};
    describe_column(fields, name, declared != NULL ? &declared->type : NULL, &c.type, &c.hint);
    return c;
}

/* ---- rows ---- */

static inline int by_column_name(const void *a, const void *b)
{
    return strcmp(((const struct reference_column *)a)->name, ((const struct reference_column *)b)->name);
}

static inline void print_columns(struct reference_column *columns, size_t count, struct buffer *out)
{
    qsort(columns, count, sizeof *columns, by_column_name);
    for (size_t i = 0; i < count; i++) {
        render_column(out, columns[i].name, &columns[i].type, columns[i].key);
        render_value(out, &columns[i].type, &columns[i].value, false);
    }
}

/* The key out of the members given. */
static inline bool print_key(struct reference *r, const struct catalog_table *t, const struct node *from,
                             const struct node *fields, struct buffer *out)
{
    struct reference_column columns[DEBEZIUM_KEY_MAX];
    for (uint32_t k = 0; k < t->key_count; k++) {
        const char *name = t->columns[t->key_columns[k]].name;
        const struct node *n = node_member(from, name);
        columns[k] = column_of(r, t, fields, bytes_of(name, strlen(name)));
        if (n == NULL || !read_leaf(r, &columns[k], n, false) || columns[k].value.null) {
            return false;
        }
    }
    print_columns(columns, t->key_count, out);
    return true;
}

/* Every name once and none too long, not more than a table can have, the key among them. */
static inline bool row_is_fine(const struct catalog_table *t, const struct node *row)
{
    for (const struct node *n = row->first; n != NULL; n = n->next) {
        for (const struct node *m = row->first; m != n; m = m->next) {
            if (bytes_equal(m->name, n->name)) {
                return false;
            }
        }
        if (n->name.len > 255) {
            return false;
        }
    }
    for (uint32_t k = 0; k < t->key_count; k++) {
        if (node_member(row, t->columns[t->key_columns[k]].name) == NULL) {
            return false;
        }
    }
    return row->count <= EVENT_COLUMNS_MAX;
}

/* A value that is not sent in the row may stand in `before`. */
static inline bool print_row(struct reference *r, const struct catalog_table *t, const struct node *row,
                             bool may_be_missing, struct buffer *out)
{
    struct reference_column *columns = arena_zalloc(&r->arena, (row->count + 1) * sizeof *columns);
    size_t count = 0;
    if (!row_is_fine(t, row)) {
        return false;
    }
    for (const struct node *n = row->first; n != NULL; n = n->next, count++) {
        struct reference_column *c = &columns[count];
        *c = column_of(r, t, r->value.fields, n->name);
        if (!read_leaf(r, c, n, may_be_missing)) {
            return false;
        }
        const struct node *kept = c->value.missing ? node_member(r->value.before, c->name) : NULL;
        if (kept != NULL && kept->kind != JSON_NULL && !read_leaf(r, c, kept, true)) {
            return false;
        }
        if (c->key && c->value.null) {
            return false;
        }
    }
    print_columns(columns, count, out);
    return true;
}

/* `*moved` where a part of the key was sent that is not what it is now. False where it cannot be read. */
static inline bool key_has_moved(struct reference *r, const struct catalog_table *t, const struct node *row,
                                 bool *moved)
{
    for (uint32_t k = 0; k < t->key_count && !*moved; k++) {
        const char *name = t->columns[t->key_columns[k]].name;
        const struct node *was = node_member(r->value.before, name);
        if (was == NULL || was->kind == JSON_NULL) {
            continue;
        }
        struct reference_column old = column_of(r, t, r->value.fields, bytes_of(name, strlen(name)));
        struct reference_column new = old;
        if (!read_leaf(r, &old, was, true) || !read_leaf(r, &new, node_member(row, name), true)) {
            return false;
        }
        *moved = !old.value.missing && !new.value.missing && !datum_identical(old.type.kind, &old.value, &new.value);
    }
    return true;
}

static inline void print_head(struct reference *r, const struct catalog_table *t, enum event_kind kind,
                              struct buffer *out)
{
    r->kind = kind;
    buffer_printf(out, "%s %s.%s", event_kind_name(kind), t->schema, t->name);
}

static inline enum debezium_outcome put_reference_row(struct reference *r, const struct catalog_table *t,
                                                      enum event_kind kind, const struct node *row, bool may_be_missing,
                                                      struct buffer *out)
{
    bool moved = false;
    print_head(r, t, kind, out);
    if (!print_row(r, t, row, may_be_missing, out)) {
        return DEBEZIUM_QUARANTINED;
    }
    if (kind == EVENT_UPDATE) {
        if (!key_has_moved(r, t, row, &moved)) {
            return DEBEZIUM_QUARANTINED;
        }
        if (moved) {
            buffer_append_text(out, "\n old");
            return print_key(r, t, r->value.before, r->value.fields, out) ? DEBEZIUM_CHANGE : DEBEZIUM_QUARANTINED;
        }
    }
    return DEBEZIUM_CHANGE;
}

static inline bool lsn_follows_delete(const struct reference *r, const struct catalog_table *t, const struct node *lsn)
{
    return r->deleted_from == t && if_kind(lsn, JSON_NUMBER) != NULL &&
           bytes_equal(lsn->text, bytes_of(r->deleted_lsn, strlen(r->deleted_lsn)));
}

/* Whether an insert is the second half of a change of key; another one of the table ends the memory of its delete. */
static inline bool insert_follows_delete(struct reference *r, const struct catalog_table *t, const struct node *lsn)
{
    bool follows = lsn_follows_delete(r, t, lsn);
    r->deleted_from = follows || r->deleted_from != t ? r->deleted_from : NULL;
    return follows;
}

static inline enum debezium_outcome delete_reference_row(struct reference *r, const struct catalog_table *t,
                                                         const struct node *old, const struct node *lsn,
                                                         struct reference_buried *buried, struct buffer *out)
{
    struct reference_document key;
    print_head(r, t, r->record->may_repeat ? EVENT_REMOVE : EVENT_DELETE, out);
    size_t mark = out->len;
    if (old == NULL || !print_key(r, t, old, r->value.fields, out)) {
        out->len = mark;
        if (r->record->key.len == 0 || !read_reference_document(r, r->record->key, &key) ||
            !print_key(r, t, key.payload, key.fields, out)) {
            return DEBEZIUM_QUARANTINED;
        }
    }
    bool known = if_kind(lsn, JSON_NUMBER) != NULL && lsn->text.len < sizeof r->deleted_lsn;
    r->deleted_from = known ? t : NULL;
    if (known) {
        memcpy(r->deleted_lsn, lsn->text.data, lsn->text.len);
        r->deleted_lsn[lsn->text.len] = '\0';
    }
    if (r->record->may_repeat && r->record->key.len > 0) {
        buried->any = true;
        buffer_reset(&buried->key);
        buffer_append(&buried->key, r->record->key.data, r->record->key.len);
    }
    return DEBEZIUM_CHANGE;
}

/* ---- envelopes ---- */

static inline const char *reference_string(struct reference *r, const struct node *n)
{
    return if_kind(n, JSON_STRING) != NULL ? arena_strndup(&r->arena, (const char *)n->text.data, n->text.len) : NULL;
}

static inline enum debezium_outcome decode_reference_envelope(struct reference *r, struct reference_buried *buried,
                                                              struct buffer *out)
{
    const struct node *op = node_member(r->value.payload, "op");
    const struct node *lsn = node_member(r->value.source, "lsn");
    const char *schema = reference_string(r, node_member(r->value.source, "schema"));
    const char *table = reference_string(r, node_member(r->value.source, "table"));
    char letter = op->text.len == 1 ? (char)op->text.data[0] : '?';
    if (letter == 'm') {
        return DEBEZIUM_IGNORED;
    }
    const struct catalog_table *t =
        schema != NULL && table != NULL ? catalog_find_table(r->catalog, schema, table) : NULL;
    if (t == NULL) {
        return DEBEZIUM_QUARANTINED;
    }
    switch (letter) {
    case 't':
        print_head(r, t, EVENT_TRUNCATE, out);
        return DEBEZIUM_CHANGE;
    case 'd':
        return delete_reference_row(r, t, r->value.before, lsn, buried, out);
    case 'c':
    case 'r':
    case 'u':
        break;
    default:
        return DEBEZIUM_QUARANTINED;
    }
    if (r->value.after == NULL) {
        return DEBEZIUM_QUARANTINED;
    }
    return put_reference_row(r, t,
                             letter == 'c'   ? EVENT_INSERT
                             : letter == 'r' ? EVENT_READ
                                             : EVENT_UPDATE,
                             r->value.after, letter == 'u' || (letter == 'c' && insert_follows_delete(r, t, lsn)), out);
}

/* ---- flattened records ---- */

/* "prefix.schema.table", or what is declared. */
static inline const struct catalog_table *reference_topic(struct reference *r, const char *topic)
{
    for (uint32_t i = 0; i < r->catalog->table_count; i++) {
        const struct catalog_table *t = r->catalog->tables[i];
        if (t->topic != NULL && strcmp(t->topic, topic) == 0) {
            return t;
        }
    }
    for (uint32_t i = 0; i < r->catalog->table_count; i++) {
        const struct catalog_table *t = r->catalog->tables[i];
        const char *end = arena_printf(&r->arena, ".%s.%s", t->schema, t->name);
        size_t len = strlen(end);
        if (strlen(topic) >= len && strcmp(topic + strlen(topic) - len, end) == 0) {
            return t;
        }
    }
    return NULL;
}

static inline bool is_debezium_name(struct bytes name)
{
    return name.len > 2 && memcmp(name.data, "__", 2) == 0;
}

static inline const struct catalog_table *table_with_columns(struct reference *r)
{
    const struct catalog_table *exact = NULL;
    const struct catalog_table *wider = NULL;
    size_t exact_count = 0;
    size_t wider_count = 0;
    size_t sent = 0;
    for (const struct node *n = r->value.payload->first; n != NULL; n = n->next) {
        sent += !is_debezium_name(n->name);
    }
    for (uint32_t i = 0; i < r->catalog->table_count; i++) {
        const struct catalog_table *t = r->catalog->tables[i];
        bool all = true;
        for (uint32_t c = 0; c < t->column_count; c++) {
            all = all && node_member(r->value.payload, t->columns[c].name) != NULL;
        }
        if (all && sent == t->column_count) {
            exact = t;
            exact_count += 1;
        } else if (all) {
            wider = t;
            wider_count += 1;
        }
    }
    return exact_count == 1 ? exact : exact_count == 0 && wider_count == 1 ? wider : NULL;
}

static inline const struct catalog_table *table_of_flat_record(struct reference *r)
{
    const struct node *payload = r->value.payload;
    const struct node *table = node_member(payload, "__table");
    const struct node *schema = node_member(payload, "__schema");
    table = table != NULL ? table : node_member(payload, "__source_table");
    schema = schema != NULL ? schema : node_member(payload, "__source_schema");
    const struct catalog_table *by_topic = r->record->topic != NULL ? reference_topic(r, r->record->topic) : NULL;
    if (if_kind(table, JSON_STRING) != NULL) {
        const struct catalog_table *t =
            catalog_find_table(r->catalog, reference_string(r, schema), reference_string(r, table));
        return t == NULL && schema == NULL ? by_topic : t;
    }
    return by_topic != NULL ? by_topic : table_with_columns(r);
}

/* A copy without Debezium's own members, but those that are declared as columns. */
static inline const struct node *columns_of_flat(struct reference *r, const struct catalog_table *t)
{
    struct node *row = node_new(&r->arena, JSON_OBJECT, "", 0);
    for (const struct node *n = r->value.payload->first; n != NULL; n = n->next) {
        if (!is_debezium_name(n->name) || declared_column_of(t, n->name) != NULL) {
            struct node *copy = node_new(&r->arena, n->kind, "", 0);
            *copy = *n;
            copy->next = NULL;
            node_add(row, copy);
        }
    }
    return row;
}

static inline enum debezium_outcome decode_reference_flat(struct reference *r, struct reference_buried *buried,
                                                          struct buffer *out)
{
    const struct node *op = node_member(r->value.payload, "__op");
    const struct node *deleted = node_member(r->value.payload, "__deleted");
    const struct node *lsn = node_member(r->value.payload, "__lsn");
    const struct catalog_table *t = table_of_flat_record(r);
    bool said = if_kind(op, JSON_STRING) != NULL;
    if (t == NULL) {
        return DEBEZIUM_QUARANTINED;
    }
    const struct node *row = columns_of_flat(r, t);
    r->value.before = NULL;
    if (node_is_string(op, "d") || node_is_string(deleted, "true") || if_kind(deleted, JSON_TRUE) != NULL) {
        return delete_reference_row(r, t, row, lsn, buried, out);
    }
    if (node_is_string(op, "t")) {
        print_head(r, t, EVENT_TRUNCATE, out);
        return DEBEZIUM_CHANGE;
    }
    if (node_is_string(op, "c")) {
        return put_reference_row(r, t, EVENT_INSERT, row, insert_follows_delete(r, t, lsn), out);
    }
    if (node_is_string(op, "u")) {
        return put_reference_row(r, t, EVENT_UPDATE, row, true, out);
    }
    return said && !node_is_string(op, "r") ? DEBEZIUM_QUARANTINED
                                            : put_reference_row(r, t, EVENT_READ, row, !said, out);
}

/* ---- what a record says of its transaction ---- */

/* Up to 19 digits; `*rest` is what follows. */
static inline uint64_t leading_number(struct bytes text, struct bytes *rest)
{
    uint64_t value = 0;
    size_t at = 0;
    while (at < text.len && at < 19 && text.data[at] >= '0' && text.data[at] <= '9') {
        value = value * 10 + text.data[at] - '0';
        at += 1;
    }
    *rest = bytes_of(text.data + at, text.len - at);
    return value;
}

static inline uint64_t whole_member(const struct node *object, const char *name)
{
    const struct node *n = node_member(object, name);
    struct bytes rest = {.len = 1};
    uint64_t value = if_kind(n, JSON_NUMBER) != NULL ? leading_number(n->text, &rest) : 0;
    return rest.len == 0 ? value : 0;
}

static inline int64_t reference_time(const struct node *object, const char *micros, const char *millis)
{
    uint64_t us = whole_member(object, micros);
    uint64_t ms = us == 0 ? whole_member(object, millis) : 0;
    us = us == 0 && ms < INT64_MAX / 1000 ? ms * 1000 : us;
    return us == 0 || us > INT64_MAX ? 0 : (int64_t)us - DATETIME_EPOCH_US;
}

static inline uint64_t reference_commit_lsn(const struct node *sequence)
{
    struct bytes text = if_kind(sequence, JSON_STRING) != NULL ? sequence->text : bytes_of("", 0);
    while (text.len > 0 && memchr("[\" \\", text.data[0], 4) != NULL) {
        text = bytes_of(text.data + 1, text.len - 1);
    }
    return leading_number(text, &text);
}

static inline void read_reference_meta(struct reference *r, bool envelope)
{
    struct debezium_meta *meta = &r->meta;
    const struct node *payload = r->value.payload;
    if (!envelope) {
        meta->commit_time_us = reference_time(payload, "__source_ts_us", "__source_ts_ms");
        uint64_t lsn = whole_member(payload, "__lsn");
        uint64_t xid = whole_member(payload, "__txId");
        lsn = lsn != 0 ? lsn : whole_member(payload, "__source_lsn");
        lsn = lsn == 0 && meta->commit_time_us != 0 ? (uint64_t)(meta->commit_time_us + DATETIME_EPOCH_US) : lsn;
        meta->lsn = r->record->may_repeat ? lsn : 0;
        meta->source_xid = !r->record->may_repeat ? 0 : xid != 0 ? xid : whole_member(payload, "__source_txId");
        return;
    }
    const struct node *id = if_kind(node_member(r->value.transaction, "id"), JSON_STRING);
    struct bytes rest = {.len = 0};
    meta->xid = id != NULL ? leading_number(id->text, &rest) : 0;
    meta->xid = rest.len == 0 || rest.data[0] == ':' ? meta->xid : 0;
    meta->commit_time_us = reference_time(r->value.source, "ts_us", "ts_ms");
    if (r->record->may_repeat) {
        meta->source_xid = whole_member(r->value.source, "txId");
        meta->commit_lsn = reference_commit_lsn(node_member(r->value.source, "sequence"));
        meta->lsn = whole_member(r->value.source, "lsn");
        meta->total_order = whole_member(r->value.transaction, "total_order");
    }
}

/* ---- records ---- */

static inline bool is_marker(const struct node *payload)
{
    const struct node *status = node_member(payload, "status");
    if (payload->count == 1 && node_member(payload, "ts_ms") != NULL) {
        return true;
    }
    return (node_is_string(status, "BEGIN") || node_is_string(status, "END")) && node_member(payload, "id") != NULL &&
           node_member(payload, "event_count") != NULL && node_member(payload, "data_collections") != NULL;
}

static inline enum debezium_outcome decode_reference_tombstone(struct reference *r, struct reference_buried *buried,
                                                               struct buffer *out)
{
    struct reference_document key;
    const struct debezium_record *record = r->record;
    bool told = buried->any && bytes_equal(buffer_bytes(&buried->key), record->key);
    buried->any = false;
    const struct catalog_table *t = record->topic != NULL ? reference_topic(r, record->topic) : NULL;
    if (t == NULL || told || record->key.len == 0) {
        return DEBEZIUM_IGNORED;
    }
    if (!read_reference_document(r, record->key, &key)) {
        return DEBEZIUM_QUARANTINED;
    }
    if (key.null) {
        return DEBEZIUM_IGNORED;
    }
    print_head(r, t, EVENT_REMOVE, out);
    return print_key(r, t, key.payload, key.fields, out) ? DEBEZIUM_CHANGE : DEBEZIUM_QUARANTINED;
}

/* As debezium_decode; words instead of items, r->meta for meta. What is in `out` counts after DEBEZIUM_CHANGE only. */
static inline enum debezium_outcome reference_decode(struct reference *r, const struct debezium_record *record,
                                                     struct reference_buried *buried, struct buffer *out)
{
    struct bytes value = record->value;
    r->record = record;
    r->overall = (struct debezium_habits){.decimals = DECIMALS_UNSEEN};
    r->meta = (struct debezium_meta){0};
    arena_reset(&r->arena);
    while (value.len > 0 && strchr(" \t\r\n", value.data[value.len - 1]) != NULL && value.data[value.len - 1] != '\0') {
        value.len -= 1;
    }
    if (value.len > 0 && !read_reference_document(r, value, &r->value)) {
        return DEBEZIUM_QUARANTINED;
    }
    if (value.len == 0 || r->value.null) {
        return record->may_repeat ? decode_reference_tombstone(r, buried, out) : DEBEZIUM_IGNORED;
    }
    if (is_marker(r->value.payload)) {
        return DEBEZIUM_IGNORED;
    }
    buried->any = buried->any && !record->may_repeat;
    const struct node *op = node_member(r->value.payload, "op");
    bool envelope = r->value.source != NULL && if_kind(op, JSON_STRING) != NULL;
    read_reference_meta(r, envelope);
    return envelope ? decode_reference_envelope(r, buried, out) : decode_reference_flat(r, buried, out);
}

static inline void reference_init(struct reference *r, const struct catalog *catalog)
{
    struct error err;
    r->catalog = catalog;
    debezium_placeholder_init(&r->placeholder, "__debezium_unavailable_value");
    (void)debezium_units_of(NULL, &r->units, &err);
}

static inline void reference_release(struct reference *r)
{
    debezium_placeholder_release(&r->placeholder);
    arena_release(&r->arena);
}

#endif
