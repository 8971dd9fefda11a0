/* The envelope's parts are objects inside an object: they are entered on the way, so that no byte is read twice. The
 * schema part, five times as long as the rest, is compared with those known instead of being read. */
#include "ingest/debezium_reader.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

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
        struct debezium_members *part = debezium_document_part(doc, member->name);
        bool enter = part != NULL && json_scan_peek(s, &kind) && kind == JSON_OBJECT;
        if (!(enter ? read_members(s, part, a, &member->value) : json_scan_value(s, &member->value))) {
            return false;
        }
    }
    return !json_scan_failed(s);
}

/* ---- documents ---- */

static void reset_document(struct debezium_document *doc)
{
    doc->schema = NULL;
    doc->is_null = false;
    doc->at = (struct debezium_places){0};
    reset_members(&doc->all);
    reset_members(&doc->before);
    reset_members(&doc->after);
    reset_members(&doc->source);
    reset_members(&doc->transaction);
}

static bool is_part(const struct debezium_member *m, const char *name, size_t len)
{
    return bytes_equal(m->name, bytes_of(name, len)) && (m->value.kind == JSON_OBJECT || m->value.kind == JSON_NULL);
}

/* {"payload": ..., "schema": ...}: the same in the other order, or with escapes in the names. Connect never writes
 * either, but JSON allows both. */
static bool is_wrapped_otherwise(const struct debezium_document *doc)
{
    const struct debezium_member *m = doc->all.items;
    return doc->all.count == 2 && ((is_part(&m[0], "payload", 7) && is_part(&m[1], "schema", 6)) ||
                                   (is_part(&m[0], "schema", 6) && is_part(&m[1], "payload", 7)));
}

/* Another document of that shape might be wrapped otherwise. */
static bool has_names_of_wrapper(const struct debezium_document *doc)
{
    return doc->all.count == 2 && debezium_members_get(&doc->all, "payload") != NULL &&
           debezium_members_get(&doc->all, "schema") != NULL;
}

/* A payload, or null. */
static struct debezium_document *read_payload_or_null(struct debezium_reader *r, struct json_scan *s, struct arena *a)
{
    enum json_kind kind;
    struct json_value value;
    struct debezium_document *known = r->no_shapes ? NULL : debezium_shapes_match(&r->shapes, s);
    if (known != NULL) {
        return known;
    }
    reset_document(&r->general);
    if (json_scan_peek(s, &kind) && kind == JSON_OBJECT) {
        const uint8_t *start = s->next;
        if (!read_payload(s, &r->general, a)) {
            return NULL;
        }
        debezium_document_find_places(&r->general);
        if (!r->no_shapes && !has_names_of_wrapper(&r->general)) {
            debezium_shapes_learn(&r->shapes, bytes_of(start, (size_t)(s->next - start)), &r->general);
        }
        return &r->general;
    }
    if (!json_scan_value(s, &value)) {
        return NULL;
    }
    r->general.is_null = value.kind == JSON_NULL;
    (void)(r->general.is_null || wrong(s, "neither an object nor null"));
    return r->general.is_null ? &r->general : NULL;
}

/* The value of "schema" at the position: an object or null, else this is no wrapper. */
static bool read_schema(struct json_scan *s, struct debezium_schema_cache *schemas,
                        const struct debezium_schema **schema)
{
    struct json_value value;
    enum json_kind kind;
    (void)json_scan_peek(s, &kind); /* steps over white space */
    *schema = debezium_schema_cache_match(schemas, bytes_of(s->next, (size_t)(s->end - s->next)));
    if (*schema != NULL) {
        s->next += (*schema)->text.len;
        return true;
    }
    if (!json_scan_value(s, &value) || (value.kind != JSON_OBJECT && value.kind != JSON_NULL)) {
        return false;
    }
    if (value.kind == JSON_OBJECT) {
        *schema = debezium_schema_cache_add(schemas, value.text);
    }
    return true;
}

/* {"schema": ..., "payload": ...}. NULL where the document is something else; unless `s` has failed, nothing is then
 * decided. */
static struct debezium_document *read_wrapped(struct debezium_reader *r, struct json_scan *s,
                                              struct debezium_schema_cache *schemas, struct arena *a)
{
    struct json_value name = {.kind = JSON_NULL};
    static const char head[] = "\"schema\"";
    const struct debezium_schema *schema = NULL;
    struct debezium_document *doc = NULL;
    struct json_scan ahead = *s;
    enum json_kind kind;
    if (!json_scan_object(&ahead)) {
        return NULL;
    }
    (void)json_scan_peek(&ahead, &kind); /* steps over white space */
    if ((size_t)(ahead.end - ahead.next) < sizeof head || memcmp(ahead.next, head, sizeof head - 1) != 0) {
        return NULL; /* the usual bare record, told by its first name */
    }
    if (!json_scan_member(&ahead, true, &name) || !read_schema(&ahead, schemas, &schema) ||
        !json_scan_member(&ahead, false, &name) || !json_value_is(&name, "payload") ||
        (doc = read_payload_or_null(r, &ahead, a)) == NULL || json_scan_member(&ahead, false, &name) ||
        json_scan_failed(&ahead)) {
        if (json_value_is(&name, "payload") && json_scan_failed(&ahead)) {
            *s = ahead; /* broken inside of the payload: that is the reason to tell */
        }
        return NULL;
    }
    *s = ahead;
    doc->schema = schema;
    return doc;
}

static struct debezium_document *read_wrapped_otherwise(struct debezium_reader *r, struct json_scan *s,
                                                        struct debezium_schema_cache *schemas, struct arena *a)
{
    size_t at = bytes_equal(r->general.all.items[0].name, bytes_of("payload", 7)) ? 0 : 1;
    struct json_value payload = r->general.all.items[at].value;
    struct json_value schema = r->general.all.items[1 - at].value;
    struct json_scan inner = json_scan_of(payload.text);
    struct debezium_document *doc = read_payload_or_null(r, &inner, a);
    if (doc == NULL) {
        wrong(s, inner.wrong);
        return NULL;
    }
    doc->schema = NULL;
    if (schema.kind == JSON_OBJECT) {
        doc->schema = debezium_schema_cache_match(schemas, schema.text);
        doc->schema = doc->schema != NULL ? doc->schema : debezium_schema_cache_add(schemas, schema.text);
    }
    return doc;
}

struct debezium_document *debezium_reader_read(struct debezium_reader *r, struct bytes text,
                                               struct debezium_schema_cache *schemas, struct arena *a,
                                               char reason[static JSON_SCAN_REASON_BYTES])
{
    struct json_scan s = json_scan_of(text);
    struct debezium_document *doc = read_wrapped(r, &s, schemas, a);
    if (doc == NULL && !json_scan_failed(&s)) {
        doc = read_payload_or_null(r, &s, a);
        if (doc != NULL) {
            doc->schema = NULL;
        }
    }
    doc = doc != NULL && json_scan_end(&s) ? doc : NULL;
    if (doc != NULL && doc == &r->general && is_wrapped_otherwise(doc)) {
        doc = read_wrapped_otherwise(r, &s, schemas, a);
    }
    if (doc == NULL) {
        json_scan_reason(&s, reason);
    }
    return doc;
}

void debezium_reader_release(struct debezium_reader *r)
{
    debezium_document_release(&r->general);
    debezium_shapes_release(&r->shapes);
}
