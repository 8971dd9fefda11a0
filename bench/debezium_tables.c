/* The texts are what Kafka Connect's JSON converter makes of Debezium 3.3's schemas. */
#include "debezium_tables.h"

#include "acme_events.h"

#define KEY_SCHEMA    "\"type\":\"int64\",\"optional\":false,\"default\":0"
#define INT64_SCHEMA  "\"type\":\"int64\",\"optional\":true"
#define STRING_SCHEMA "\"type\":\"string\",\"optional\":true"
#define TEXT_SCHEMA   "\"type\":\"string\",\"optional\":false"
#define CONNECT       "\"optional\":true,\"name\":\"org.apache.kafka.connect.data."
#define DATE_SCHEMA   "\"type\":\"int32\"," CONNECT "Date\",\"version\":1"
#define STAMP_SCHEMA  "\"type\":\"int64\"," CONNECT "Timestamp\",\"version\":1"
#define AUDIT                                                                                                          \
    {"updated_at", DEBEZIUM_TIMESTAMP, STAMP_SCHEMA}, {"updated_by", DEBEZIUM_INT64, INT64_SCHEMA},                    \
        {"created_at", DEBEZIUM_TIMESTAMP, STAMP_SCHEMA},                                                              \
    {                                                                                                                  \
        "created_by", DEBEZIUM_INT64, INT64_SCHEMA                                                                     \
    }

const struct debezium_table debezium_tables[DEBEZIUM_TABLES + 1] = {
    [TABLE_CUSTOMERS] = {"customers",
                         8,
                         {{"customer_id", DEBEZIUM_INT64, KEY_SCHEMA},
                          {"customer_name", DEBEZIUM_STRING, TEXT_SCHEMA},
                          {"is_active", DEBEZIUM_BOOLEAN, "\"type\":\"boolean\",\"optional\":false,\"default\":true"},
                          {"customer_address", DEBEZIUM_STRING, STRING_SCHEMA},
                          AUDIT}},
    [TABLE_PRODUCTS] = {"products",
                        9,
                        {{"product_id", DEBEZIUM_INT64, KEY_SCHEMA},
                         {"product_name", DEBEZIUM_STRING, TEXT_SCHEMA},
                         {"barcode", DEBEZIUM_STRING, TEXT_SCHEMA},
                         {"unity_price", DEBEZIUM_DECIMAL, "\"type\":\"double\",\"optional\":false"},
                         {"is_active", DEBEZIUM_BOOLEAN, "\"type\":\"boolean\",\"optional\":true"},
                         AUDIT}},
    [TABLE_ORDERS] = {"orders",
                      9,
                      {{"order_id", DEBEZIUM_INT64, KEY_SCHEMA},
                       {"order_date", DEBEZIUM_DATE, DATE_SCHEMA},
                       {"delivery_date", DEBEZIUM_DATE, DATE_SCHEMA},
                       {"customer_id", DEBEZIUM_INT64, INT64_SCHEMA},
                       {"status", DEBEZIUM_STRING, STRING_SCHEMA},
                       AUDIT}},
    [TABLE_ITEMS] = {"order_items",
                     8,
                     {{"order_item_id", DEBEZIUM_INT64, KEY_SCHEMA},
                      {"order_id", DEBEZIUM_INT64, INT64_SCHEMA},
                      {"product_id", DEBEZIUM_INT64, INT64_SCHEMA},
                      {"quanity", DEBEZIUM_INT32, "\"type\":\"int32\",\"optional\":true"},
                      AUDIT}},
};

static const char source_schema[] =
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"version\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"connector\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"name\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"},"
    "{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Enum\",\"version\":1,\"parameters\":"
    "{\"allowed\":\"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental\"},"
    "\"default\":\"false\",\"field\":\"snapshot\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"db\"},"
    "{\"type\":\"string\",\"optional\":true,\"field\":\"sequence\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_us\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ns\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"schema\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"table\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"txId\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"lsn\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"xmin\"}],\"optional\":false,"
    "\"name\":\"io.debezium.connector.postgresql.Source\",\"version\":1,\"field\":\"source\"},";
static const char envelope_tail_schema[] =
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"id\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"total_order\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"data_collection_order\"}],\"optional\":true,"
    "\"name\":\"event.block\",\"version\":1,\"field\":\"transaction\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"op\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ms\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_us\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"ts_ns\"}],\"optional\":false,";
const char debezium_transaction_key_schema[] =
    "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"id\"}],"
    "\"optional\":false,\"name\":\"io.debezium.connector.common.TransactionMetadataKey\",\"version\":1},\"payload\":";
const char debezium_transaction_value_schema[] =
    "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"string\",\"optional\":false,\"field\":\"status\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"id\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"event_count\"},"
    "{\"type\":\"array\",\"items\":{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"data_collection\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"event_count\"}],\"optional\":true,"
    "\"name\":\"event.collection\",\"version\":1},\"optional\":true,\"field\":\"data_collections\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"}],\"optional\":false,"
    "\"name\":\"io.debezium.connector.common.TransactionMetadataValue\",\"version\":1},\"payload\":";

static void append_row_schema(const struct debezium_table *t, const char *prefix, const char *field, struct buffer *out)
{
    buffer_append_text(out, "{\"type\":\"struct\",\"fields\":[");
    for (unsigned i = 0; i < t->column_count; i++) {
        buffer_printf(out, "%s{%s,\"field\":\"%s\"}", i > 0 ? "," : "", t->columns[i].schema, t->columns[i].name);
    }
    buffer_printf(out, "],\"optional\":true,\"name\":\"%s.operations.%s.Value\",\"field\":\"%s\"},", prefix, t->name,
                  field);
}

void debezium_append_key_schema(unsigned table, const char *prefix, struct buffer *out)
{
    const struct debezium_table *t = &debezium_tables[table];
    buffer_printf(out,
                  "{\"schema\":{\"type\":\"struct\",\"fields\":[{%s,\"field\":\"%s\"}],\"optional\":false,"
                  "\"name\":\"%s.operations.%s.Key\"},\"payload\":",
                  t->columns[0].schema, t->columns[0].name, prefix, t->name);
}

void debezium_append_value_schema(unsigned table, const char *prefix, struct buffer *out)
{
    const struct debezium_table *t = &debezium_tables[table];
    buffer_append_text(out, "{\"schema\":{\"type\":\"struct\",\"fields\":[");
    append_row_schema(t, prefix, "before", out);
    append_row_schema(t, prefix, "after", out);
    buffer_append_text(out, source_schema);
    buffer_append_text(out, envelope_tail_schema);
    buffer_printf(out, "\"name\":\"%s.operations.%s.Envelope\",\"version\":2},\"payload\":", prefix, t->name);
}
