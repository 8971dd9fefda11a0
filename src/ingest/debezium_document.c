#include "ingest/debezium_document.h"

#include "base/memory.h"

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

static bool name_is(struct bytes name, const char *text, size_t len)
{
    return name.len == len && memcmp(name.data, text, len) == 0;
}

struct debezium_members *debezium_document_part(struct debezium_document *doc, struct bytes name)
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

void debezium_document_find_places(struct debezium_document *doc)
{
    const struct json_value *op = debezium_members_get(&doc->all, "op");
    if (!doc->source.is_object || op == NULL || op->kind != JSON_STRING) {
        return;
    }
    doc->at = (struct debezium_places){.op = op,
                                       .schema = debezium_members_get(&doc->source, "schema"),
                                       .table = debezium_members_get(&doc->source, "table"),
                                       .lsn = debezium_members_get(&doc->source, "lsn"),
                                       .xid = debezium_members_get(&doc->source, "txId"),
                                       .sequence = debezium_members_get(&doc->source, "sequence"),
                                       .ts_us = debezium_members_get(&doc->source, "ts_us"),
                                       .ts_ms = debezium_members_get(&doc->source, "ts_ms"),
                                       .transaction_id = debezium_members_get(&doc->transaction, "id"),
                                       .total_order = debezium_members_get(&doc->transaction, "total_order")};
}
