/* {"status":"END","id":"848:27632392","event_count":1,"data_collections":[{"data_collection":"s.t","event_count":1}]}
 *
 * The id's second part differs between BEGIN, rows and END of one transaction: only the xid in front is its name. */
#include "ingest/debezium_transaction.h"

#include "base/digits.h"
#include "ingest/json.h"

#include <stdio.h>
#include <string.h>

void debezium_transaction_release(struct debezium_transaction_reader *r)
{
    debezium_reader_release(&r->reader);
    debezium_schema_cache_release(&r->schemas);
    arena_release(&r->arena);
    *r = (struct debezium_transaction_reader){0};
}

static bool fail(char reason[static JSON_SCAN_REASON_BYTES], const char *text)
{
    snprintf(reason, JSON_SCAN_REASON_BYTES, "%s", text);
    return false;
}

static bool whole_number(const struct json_value *v, uint64_t *out)
{
    struct bytes text = v != NULL && v->kind == JSON_NUMBER ? v->text : bytes_of("", 0);
    return digits_whole(text, out);
}

static bool read_id(const struct json_value *id, struct arena *a, struct debezium_transaction *out)
{
    struct bytes text = id != NULL && id->kind == JSON_STRING ? json_value_text(id, a) : bytes_of("", 0);
    if (!digits_take(&text, &out->xid) || out->xid == 0) {
        return false;
    }
    if (text.len == 0) {
        return true;
    }
    text = bytes_of(text.data + 1, text.len - 1);
    return text.data[-1] == ':' && (!digits_take(&text, &out->lsn) || text.len == 0);
}

/* "schema.table", either part with dots in it or not. */
static bool is_declared(const struct catalog *catalog, const struct json_value *name, struct arena *a)
{
    struct bytes text = json_value_text(name, a);
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        const struct catalog_table *t = catalog->tables[i];
        size_t schema = strlen(t->schema);
        size_t table = strlen(t->name);
        if (text.len == schema + 1 + table && memcmp(text.data, t->schema, schema) == 0 && text.data[schema] == '.' &&
            memcmp(text.data + schema + 1, t->name, table) == 0) {
            return true;
        }
    }
    return false;
}

/* One of data_collections; the scan stands at it. */
static bool count_collection(struct json_scan *s, const struct catalog *catalog, struct arena *a, uint64_t *sum)
{
    struct json_value member;
    struct json_value name = {.kind = JSON_NULL};
    struct json_value count = {.kind = JSON_NULL};
    uint64_t events = 0;
    if (!json_scan_object(s)) {
        return false;
    }
    for (bool first = true; json_scan_member(s, first, &member); first = false) {
        struct json_value *to = json_value_is(&member, "data_collection") ? &name : &count;
        struct json_value other;
        bool wanted = to == &name || json_value_is(&member, "event_count");
        if (!json_scan_value(s, wanted ? to : &other)) {
            return false;
        }
    }
    if (json_scan_failed(s) || name.kind != JSON_STRING || !whole_number(&count, &events)) {
        return false;
    }
    *sum += is_declared(catalog, &name, a) ? events : 0;
    return true;
}

static bool count_events(const struct json_value *collections, const struct catalog *catalog, struct arena *a,
                         uint64_t *sum)
{
    *sum = 0;
    if (collections == NULL || collections->kind == JSON_NULL) {
        return true; /* nothing was changed */
    }
    struct json_scan s = json_scan_of(collections->text);
    bool fine = json_scan_array(&s);
    for (bool first = true; fine && json_scan_element(&s, first); first = false) {
        fine = count_collection(&s, catalog, a, sum);
    }
    return fine && !json_scan_failed(&s);
}

bool debezium_transaction_read(struct debezium_transaction_reader *r, const struct catalog *catalog, struct bytes value,
                               struct debezium_transaction *out, char reason[static JSON_SCAN_REASON_BYTES])
{
    *out = (struct debezium_transaction){.ended = false};
    arena_reset(&r->arena);
    const struct debezium_document *document = debezium_reader_read(&r->reader, value, &r->schemas, &r->arena, reason);
    if (document == NULL) {
        return false;
    }
    const struct debezium_members *all = &document->all;
    const struct json_value *status = debezium_members_get(all, "status");
    out->ended = status != NULL && json_value_is(status, "END");
    if (!out->ended && (status == NULL || !json_value_is(status, "BEGIN"))) {
        return fail(reason, "a record that is neither BEGIN nor END of a transaction");
    }
    if (!read_id(debezium_members_get(all, "id"), &r->arena, out)) {
        return fail(reason, "a transaction whose id is not \"xid:lsn\"");
    }
    (void)whole_number(debezium_members_get(all, "ts_ms"), &out->time_ms);
    if (out->ended &&
        !count_events(debezium_members_get(all, "data_collections"), catalog, &r->arena, &out->event_count)) {
        return fail(reason, "an END of a transaction that does not tell its event counts");
    }
    return true;
}
