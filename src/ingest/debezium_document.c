/* The envelope's parts are objects inside an object: they are entered on the way, so that no byte is read twice. The
 * schema part, five times as long as the rest, is compared with those known instead of being read. */
#include "ingest/debezium_document.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

void debezium_document_release(struct debezium_document *doc)
{
    mem_free(doc->all.items);
    mem_free(doc->before.items);
    mem_free(doc->after.items);
    mem_free(doc->source.items);
    mem_free(doc->transaction.items);
    *doc = (struct debezium_document){0};
}

static void reset_members(struct debezium_members *m)
{
    m->count = 0;
    m->is_object = false;
}

static bool wrong(struct json_scan *s, const char *what)
{
    if (s->wrong == NULL) {
        s->wrong = what;
    }
    return false;
}

static bool resolve_name(struct json_scan *s, const struct json_value *name, struct arena *a, struct bytes *out)
{
    *out = json_value_text(name, a);
    if (name->escaped && memchr(out->data, 0, out->len) != NULL) {
        return wrong(s, "a name with a null character");
    }
    return true;
}

static struct debezium_member *add_member(struct json_scan *s, struct debezium_members *m)
{
    if (m->count == DEBEZIUM_MEMBERS_MAX) {
        wrong(s, "an object with too many members");
        return NULL;
    }
    if (m->count == m->capacity) {
        mem_grow(&m->items, &m->capacity, m->count + 1, sizeof *m->items);
    }
    m->count += 1;
    return &m->items[m->count - 1];
}

/* An object whose values are taken whole. `*value` is the object as it stands. */
static bool read_members(struct json_scan *s, struct debezium_members *m, struct arena *a, struct json_value *value)
{
    const uint8_t *start = s->next;
    struct json_value name;
    if (m->is_object) {
        return wrong(s, "the same member twice");
    }
    m->is_object = true;
    (void)json_scan_object(s);
    for (bool first = true; json_scan_member(s, first, &name); first = false) {
        struct debezium_member *member = add_member(s, m);
        if (member == NULL || !resolve_name(s, &name, a, &member->name) || !json_scan_value(s, &member->value)) {
            return false;
        }
    }
    *value = (struct json_value){.kind = JSON_OBJECT, .text = bytes_of(start, (size_t)(s->next - start))};
    return !json_scan_failed(s);
}

static bool name_is(struct bytes name, const char *text, size_t len)
{
    return name.len == len && memcmp(name.data, text, len) == 0;
}

static struct debezium_members *part_of(struct debezium_document *doc, struct bytes name)
{
    switch (name.len) {
    case 5:
        return name_is(name, "after", 5) ? &doc->after : NULL;
    case 6:
        return name_is(name, "before", 6) ? &doc->before : name_is(name, "source", 6) ? &doc->source : NULL;
    case 11:
        return name_is(name, "transaction", 11) ? &doc->transaction : NULL;
    default:
        return NULL;
    }
}

/* The payload: an object. */
static bool read_payload(struct json_scan *s, struct debezium_document *doc, struct arena *a)
{
    struct json_value name;
    enum json_kind kind;
    (void)json_scan_object(s);
    doc->all.is_object = true;
    for (bool first = true; json_scan_member(s, first, &name); first = false) {
        struct debezium_member *member = add_member(s, &doc->all);
        if (member == NULL || !resolve_name(s, &name, a, &member->name)) {
            return false;
        }
        struct debezium_members *part = part_of(doc, member->name);
        bool enter = part != NULL && json_scan_peek(s, &kind) && kind == JSON_OBJECT;
        if (!(enter ? read_members(s, part, a, &member->value) : json_scan_value(s, &member->value))) {
            return false;
        }
    }
    return !json_scan_failed(s);
}

/* A payload, or null. */
static bool read_payload_or_null(struct json_scan *s, struct debezium_document *doc, struct arena *a)
{
    enum json_kind kind;
    struct json_value value;
    if (json_scan_peek(s, &kind) && kind == JSON_OBJECT) {
        return read_payload(s, doc, a);
    }
    if (!json_scan_value(s, &value)) {
        return false;
    }
    doc->is_null = value.kind == JSON_NULL;
    return doc->is_null || wrong(s, "neither an object nor null");
}

/* The value of "schema" at the position: an object or null, else this is no wrapper. */
static bool read_schema(struct json_scan *s, struct debezium_document *doc, struct debezium_schema_cache *schemas)
{
    struct json_value value;
    enum json_kind kind;
    (void)json_scan_peek(s, &kind); /* steps over white space */
    doc->schema = debezium_schema_cache_match(schemas, bytes_of(s->next, (size_t)(s->end - s->next)));
    if (doc->schema != NULL) {
        s->next += doc->schema->text.len;
        return true;
    }
    if (!json_scan_value(s, &value) || (value.kind != JSON_OBJECT && value.kind != JSON_NULL)) {
        return false;
    }
    if (value.kind == JSON_OBJECT) {
        doc->schema = debezium_schema_cache_add(schemas, value.text);
    }
    return true;
}

/* {"schema": ..., "payload": ...}. False where the document is something else; nothing is then decided. */
static bool read_wrapped(struct json_scan *s, struct debezium_document *doc, struct debezium_schema_cache *schemas,
                         struct arena *a)
{
    struct json_value name = {.kind = JSON_NULL};
    static const char head[] = "\"schema\"";
    enum json_kind kind;
    struct json_scan ahead = *s;
    if (!json_scan_object(&ahead)) {
        return false;
    }
    (void)json_scan_peek(&ahead, &kind); /* steps over white space */
    if ((size_t)(ahead.end - ahead.next) < sizeof head || memcmp(ahead.next, head, sizeof head - 1) != 0) {
        return false; /* the usual bare record, told by its first name */
    }
    if (!json_scan_member(&ahead, true, &name) || !read_schema(&ahead, doc, schemas) ||
        !json_scan_member(&ahead, false, &name) || !json_value_is(&name, "payload") ||
        !read_payload_or_null(&ahead, doc, a) || json_scan_member(&ahead, false, &name) || json_scan_failed(&ahead)) {
        if (json_value_is(&name, "payload") && json_scan_failed(&ahead)) {
            *s = ahead; /* broken inside of the payload: that is the reason to tell */
        }
        return false;
    }
    *s = ahead;
    return true;
}

static void reset_document(struct debezium_document *doc)
{
    doc->schema = NULL;
    doc->is_null = false;
    reset_members(&doc->all);
    reset_members(&doc->before);
    reset_members(&doc->after);
    reset_members(&doc->source);
    reset_members(&doc->transaction);
}

/* {"payload": ..., "schema": ...}: the same in the other order, or with escapes in the names. Connect never writes
 * either, but JSON allows both. */
static bool is_wrapped_otherwise(const struct debezium_document *doc, struct json_value *schema,
                                 struct json_value *payload)
{
    *schema = (struct json_value){.kind = JSON_STRING};
    *payload = *schema;
    for (size_t i = 0; i < doc->all.count && doc->all.count == 2; i++) {
        const struct debezium_member *m = &doc->all.items[i];
        if (name_is(m->name, "schema", 6)) {
            *schema = m->value;
        } else if (name_is(m->name, "payload", 7)) {
            *payload = m->value;
        }
    }
    return (schema->kind == JSON_OBJECT || schema->kind == JSON_NULL) &&
           (payload->kind == JSON_OBJECT || payload->kind == JSON_NULL);
}

/* The document has been read as a bare one; does nothing where it is. */
static bool read_wrapped_otherwise(struct json_scan *s, struct debezium_document *doc,
                                   struct debezium_schema_cache *schemas, struct arena *a)
{
    struct json_value schema;
    struct json_value payload;
    if (!is_wrapped_otherwise(doc, &schema, &payload)) {
        return true;
    }
    reset_document(doc);
    struct json_scan inner = json_scan_of(payload.text);
    if (schema.kind == JSON_OBJECT) {
        doc->schema = debezium_schema_cache_match(schemas, schema.text);
        doc->schema = doc->schema != NULL ? doc->schema : debezium_schema_cache_add(schemas, schema.text);
    }
    return read_payload_or_null(&inner, doc, a) || wrong(s, inner.wrong);
}

bool debezium_document_read(struct debezium_document *doc, struct bytes text, struct debezium_schema_cache *schemas,
                            struct arena *a, char reason[static JSON_SCAN_REASON_BYTES])
{
    struct json_scan s = json_scan_of(text);
    reset_document(doc);
    bool done = read_wrapped(&s, doc, schemas, a);
    if (!done && !json_scan_failed(&s)) {
        reset_document(doc);
        done = read_payload_or_null(&s, doc, a);
    }
    done = done && json_scan_end(&s);
    done = done && read_wrapped_otherwise(&s, doc, schemas, a);
    if (!done) {
        json_scan_reason(&s, reason);
    }
    return done;
}

const struct json_value *debezium_members_find(const struct debezium_members *m, struct bytes name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].name.len == name.len && memcmp(m->items[i].name.data, name.data, name.len) == 0) {
            return &m->items[i].value;
        }
    }
    return NULL;
}

const struct json_value *debezium_members_get(const struct debezium_members *m, const char *name)
{
    return debezium_members_find(m, bytes_of(name, strlen(name)));
}
