/* Names of logical types are those of org.apache.kafka.connect.data and io.debezium.{data,time}. */
#include "ingest/debezium_schema.h"

#include "base/memory.h"
#include "ingest/json.h"

#include <string.h>

enum { FIELDS_MAX = 2048, SCALE_DIGITS_MAX = 6 };

/* A schema object's members, as they stand. */
struct raw_schema {
    struct json_value type;
    struct json_value name;
    struct json_value field;
    struct json_value fields;
    struct json_value items;
    struct json_value parameters;
};

struct logical_type {
    const char *name;
    enum debezium_form form;
    enum type_kind kind;
};

static const struct logical_type logical_types[] = {
    {"org.apache.kafka.connect.data.Decimal", FORM_DECIMAL, TYPE_NUMERIC},
    {"org.apache.kafka.connect.data.Date", FORM_DAYS, TYPE_DATE},
    {"org.apache.kafka.connect.data.Time", FORM_CUT, TYPE_TIME},
    {"org.apache.kafka.connect.data.Timestamp", FORM_CUT, TYPE_TIMESTAMP},
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

static const struct logical_type plain_types[] = {
    {"boolean", FORM_PLAIN, TYPE_BOOL},  {"int8", FORM_PLAIN, TYPE_INT2},      {"int16", FORM_PLAIN, TYPE_INT2},
    {"int32", FORM_PLAIN, TYPE_INT4},    {"int64", FORM_PLAIN, TYPE_INT8},     {"float", FORM_PLAIN, TYPE_FLOAT4},
    {"double", FORM_PLAIN, TYPE_FLOAT8}, {"float32", FORM_PLAIN, TYPE_FLOAT4}, {"float64", FORM_PLAIN, TYPE_FLOAT8},
    {"string", FORM_TEXT, TYPE_TEXT},    {"bytes", FORM_BYTES, TYPE_BYTEA},
};

static const struct logical_type *find_type(const struct logical_type *types, size_t count,
                                            const struct json_value *name)
{
    for (size_t i = 0; i < count; i++) {
        if (json_value_is(name, types[i].name)) {
            return &types[i];
        }
    }
    return NULL;
}

/* An object; false where it is none. */
static bool read_raw(struct json_scan *s, struct raw_schema *out)
{
    enum json_kind kind;
    struct json_value name;
    struct json_value skipped;
    *out = (struct raw_schema){.type = {.kind = JSON_NULL}};
    if (!json_scan_peek(s, &kind) || kind != JSON_OBJECT) {
        (void)json_scan_value(s, &skipped);
        return false;
    }
    const struct {
        const char *name;
        struct json_value *value;
    } wanted[] = {{"type", &out->type},     {"name", &out->name},   {"field", &out->field},
                  {"fields", &out->fields}, {"items", &out->items}, {"parameters", &out->parameters}};
    (void)json_scan_object(s);
    for (bool first = true; json_scan_member(s, first, &name); first = false) {
        struct json_value *to = &skipped;
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            to = json_value_is(&name, wanted[i].name) ? wanted[i].value : to;
        }
        if (!json_scan_value(s, to)) {
            return false;
        }
    }
    return !json_scan_failed(s);
}

static int32_t read_scale(const struct json_value *parameters, struct arena *a)
{
    struct json_scan s = json_scan_of(parameters->text);
    struct json_value name;
    struct json_value value;
    if (parameters->kind != JSON_OBJECT || !json_scan_object(&s)) {
        return 0;
    }
    for (bool first = true; json_scan_member(&s, first, &name) && json_scan_value(&s, &value); first = false) {
        struct bytes text = json_value_text(&value, a);
        if (!json_value_is(&name, "scale") || text.len > SCALE_DIGITS_MAX) {
            continue;
        }
        int32_t scale = 0;
        bool negative = text.len > 0 && text.data[0] == '-';
        for (size_t i = negative; i < text.len; i++) {
            uint8_t c = text.data[i];
            scale = c >= '0' && c <= '9' ? scale * 10 + (c - '0') : scale;
        }
        return negative ? -scale : scale;
    }
    return 0;
}

static void describe_one(const struct raw_schema *raw, struct arena *a, enum debezium_form *form, int32_t *scale,
                         enum type_kind *kind)
{
    const struct logical_type *t = find_type(logical_types, sizeof logical_types / sizeof logical_types[0], &raw->name);
    if (t == NULL) {
        t = find_type(plain_types, sizeof plain_types / sizeof plain_types[0], &raw->type);
    }
    *form = t != NULL ? t->form : FORM_PLAIN;
    *kind = t != NULL ? t->kind : TYPE_UNKNOWN;
    *scale = *form == FORM_DECIMAL ? read_scale(&raw->parameters, a) : 0;
}

static void describe(const struct raw_schema *raw, struct arena *a, struct debezium_field *out)
{
    enum type_kind kind;
    describe_one(raw, a, &out->hint.form, &out->hint.scale, &kind);
    out->type = type_make(kind == TYPE_UNKNOWN ? TYPE_TEXT : kind);
    if (kind == TYPE_UNKNOWN) { /* array, map, struct: the JSON text is kept where the column is not declared */
        struct raw_schema items;
        struct json_scan s = json_scan_of(raw->items.text);
        if (raw->items.kind == JSON_OBJECT && read_raw(&s, &items)) {
            describe_one(&items, a, &out->hint.element_form, &out->hint.element_scale, &kind);
        }
    }
}

/* Reads the array of fields; the names are in the arena. */
static void read_fields(struct debezium_schema *schema, const struct json_value *fields)
{
    struct json_scan s = json_scan_of(fields->text);
    struct raw_schema raw;
    size_t count = 0;
    if (fields->kind != JSON_ARRAY || !json_scan_array(&s)) {
        return;
    }
    struct json_scan counting = s;
    struct json_value skipped;
    for (bool first = true; json_scan_element(&counting, first) && json_scan_value(&counting, &skipped);
         first = false) {
        count += 1;
    }
    count = count < FIELDS_MAX ? count : FIELDS_MAX;
    schema->fields = arena_zalloc(&schema->arena, (count + 1) * sizeof *schema->fields);
    for (bool first = true; schema->field_count < count && json_scan_element(&s, first); first = false) {
        if (read_raw(&s, &raw) && raw.field.kind == JSON_STRING) {
            struct debezium_field *f = &schema->fields[schema->field_count];
            f->name = json_value_text(&raw.field, &schema->arena);
            describe(&raw, &schema->arena, f);
            schema->field_count += 1;
        }
    }
}

/* The fields of the envelope's `after` (`before` has the same); NULL kind where this is no envelope. */
static struct json_value row_of_envelope(const struct json_value *fields)
{
    struct json_scan s = json_scan_of(fields->text);
    struct json_value row = {.kind = JSON_NULL};
    struct raw_schema raw;
    bool has_op = false;
    bool has_source = false;
    if (fields->kind != JSON_ARRAY || !json_scan_array(&s)) {
        return row;
    }
    for (bool first = true; json_scan_element(&s, first); first = false) {
        if (!read_raw(&s, &raw)) {
            continue;
        }
        has_op = has_op || json_value_is(&raw.field, "op");
        has_source = has_source || json_value_is(&raw.field, "source");
        if (json_value_is(&raw.field, "after") || (json_value_is(&raw.field, "before") && row.kind == JSON_NULL)) {
            row = raw.fields;
        }
    }
    return has_op && has_source ? row : (struct json_value){.kind = JSON_NULL};
}

static struct debezium_schema *parse(struct bytes text, uint64_t serial)
{
    struct debezium_schema *schema = mem_zalloc(sizeof *schema);
    schema->serial = serial;
    schema->text = bytes_of(arena_dup(&schema->arena, text.data, text.len), text.len);
    struct json_scan s = json_scan_of(schema->text);
    struct raw_schema raw;
    if (read_raw(&s, &raw)) {
        struct json_value row = row_of_envelope(&raw.fields);
        read_fields(schema, row.kind == JSON_ARRAY ? &row : &raw.fields);
    }
    return schema;
}

static void release(struct debezium_schema *schema)
{
    arena_release(&schema->arena);
    mem_free(schema);
}

void debezium_schema_cache_release(struct debezium_schema_cache *c)
{
    for (size_t i = 0; i < c->count; i++) {
        release(c->items[i]);
    }
    c->count = 0;
}

static void move_to_front(struct debezium_schema_cache *c, size_t at)
{
    struct debezium_schema *found = c->items[at];
    memmove(&c->items[1], &c->items[0], at * sizeof c->items[0]);
    c->items[0] = found;
}

const struct debezium_schema *debezium_schema_cache_match(struct debezium_schema_cache *c, struct bytes document)
{
    for (size_t i = 0; i < c->count; i++) {
        struct bytes text = c->items[i]->text;
        if (text.len <= document.len && memcmp(text.data, document.data, text.len) == 0) {
            if (i > 0) {
                move_to_front(c, i);
            }
            return c->items[0];
        }
    }
    return NULL;
}

const struct debezium_schema *debezium_schema_cache_add(struct debezium_schema_cache *c, struct bytes text)
{
    if (c->count == DEBEZIUM_SCHEMAS_MAX) {
        c->count -= 1;
        release(c->items[c->count]);
    }
    c->serial_next += 1;
    c->items[c->count] = parse(text, c->serial_next);
    c->count += 1;
    move_to_front(c, c->count - 1);
    return c->items[0];
}

const struct debezium_field *debezium_schema_find(const struct debezium_schema *s, struct bytes name)
{
    for (size_t i = 0; s != NULL && i < s->field_count; i++) {
        if (bytes_equal(s->fields[i].name, name)) {
            return &s->fields[i];
        }
    }
    return NULL;
}
