/* Nanoseconds of processor an event of the Debezium decoder alone: ACME's mix as Debezium 3 writes it, in memory, from
 * JSON to items. decode_micro bare|schema [EVENTS [general]] prints one line; general: without reading in place. */
#include "base/bytes.h"
#include "base/error.h"
#include "bench/acme_events.h"
#include "ingest/debezium.h"
#include "sql/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORDS = 20000, TRANSACTION_EVENTS = 20, RUN_RECORDS = 100 };

static const char ddl[] =
    "CREATE TABLE operations.orders (order_id bigint PRIMARY KEY, order_date date, delivery_date date, customer_id "
    "bigint, status "
    "varchar, updated_at timestamp(3), updated_by bigint, created_at timestamp(3), created_by bigint);"
    "CREATE TABLE operations.order_items (order_item_id bigint PRIMARY KEY, order_id bigint, product_id bigint, "
    "quanity integer, "
    "updated_at timestamp(3), updated_by bigint, created_at timestamp(3), created_by bigint);";

/* One field of a Connect schema. */
static void put_field(struct buffer *b, const char *type, const char *name, const char *semantic)
{
    buffer_printf(b, "{\"type\":\"%s\",\"optional\":true,", type);
    if (semantic != NULL) {
        buffer_printf(b, "\"name\":\"%s\",\"version\":1,", semantic);
    }
    buffer_printf(b, "\"field\":\"%s\"},", name);
}

static void put_row_schema(struct buffer *b, bool order, const char *field)
{
    static const char date[] = "io.debezium.time.Date";
    static const char stamp[] = "io.debezium.time.Timestamp";
    buffer_printf(b, "{\"type\":\"struct\",\"fields\":[");
    put_field(b, "int64", order ? "order_id" : "order_item_id", NULL);
    if (order) {
        put_field(b, "int32", "order_date", date);
        put_field(b, "int32", "delivery_date", date);
        put_field(b, "int64", "customer_id", NULL);
        put_field(b, "string", "status", NULL);
    } else {
        put_field(b, "int64", "order_id", NULL);
        put_field(b, "int64", "product_id", NULL);
        put_field(b, "int32", "quanity", NULL);
    }
    put_field(b, "int64", "updated_at", stamp);
    put_field(b, "int64", "updated_by", NULL);
    put_field(b, "int64", "created_at", stamp);
    put_field(b, "int64", "created_by", NULL);
    b->len -= 1;
    buffer_printf(b, "],\"optional\":true,\"name\":\"finance.operations.%s.Value\",\"field\":\"%s\"},",
                  order ? "orders" : "order_items", field);
}

static void put_schema(struct buffer *b, bool order)
{
    static const char *const source[] = {"version", "connector", "name",   "ts_ms", "snapshot", "db",  "sequence",
                                         "ts_us",   "ts_ns",     "schema", "table", "txId",     "lsn", "xmin"};
    buffer_printf(b, "{\"schema\":{\"type\":\"struct\",\"fields\":[");
    put_row_schema(b, order, "before");
    put_row_schema(b, order, "after");
    buffer_printf(b, "{\"type\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < sizeof source / sizeof source[0]; i++) {
        put_field(b, i == 3 || i == 7 || i == 8 || i > 10 ? "int64" : "string", source[i], NULL);
    }
    b->len -= 1;
    buffer_printf(b,
                  "],\"optional\":false,\"name\":\"io.debezium.connector.postgresql.Source\",\"field\":\"source\"},");
    buffer_printf(b, "{\"type\":\"struct\",\"fields\":[");
    put_field(b, "string", "id", NULL);
    put_field(b, "int64", "total_order", NULL);
    put_field(b, "int64", "data_collection_order", NULL);
    b->len -= 1;
    buffer_printf(b, "],\"optional\":true,\"name\":\"event.block\",\"version\":1,\"field\":\"transaction\"},");
    put_field(b, "string", "op", NULL);
    put_field(b, "int64", "ts_ms", NULL);
    put_field(b, "int64", "ts_us", NULL);
    put_field(b, "int64", "ts_ns", NULL);
    b->len -= 1;
    buffer_printf(b, "],\"optional\":false,\"name\":\"finance.operations.%s.Envelope\",\"version\":2},\"payload\":",
                  order ? "orders" : "order_items");
}

static void put_row(struct buffer *b, bool order, uint64_t id, uint64_t *seed, int64_t now_ms)
{
    static const char *const statuses[] = {"PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED", "CANCELLED"};
    if (order) {
        buffer_printf(b,
                      "{\"order_id\":%" PRIu64 ",\"order_date\":20780,\"delivery_date\":%" PRIu64
                      ",\"customer_id\":%" PRIu64 ",\"status\":\"%s\"",
                      id / 15, 20780 + random_below(seed, DATE_COUNT), random_below(seed, CUSTOMER_COUNT),
                      statuses[random_below(seed, STATUS_COUNT)]);
    } else {
        buffer_printf(b,
                      "{\"order_item_id\":%" PRIu64 ",\"order_id\":%" PRIu64 ",\"product_id\":%" PRIu64
                      ",\"quanity\":%" PRIu64,
                      id, id / 15, random_below(seed, PRODUCT_COUNT), random_below(seed, 100));
    }
    buffer_printf(b, ",\"updated_at\":%" PRId64 ",\"updated_by\":1,\"created_at\":%" PRId64 ",\"created_by\":1}",
                  now_ms, now_ms);
}

static void put_record(struct buffer *b, uint64_t n, bool schema, uint64_t *seed)
{
    bool order = n / RUN_RECORDS % 5 == 4; /* records of a partition come together */
    bool update = order && random_below(seed, 20) < 15;
    uint64_t tx = n / TRANSACTION_EVENTS;
    int64_t now_ms = INT64_C(1795474540313) + (int64_t)tx;
    uint64_t lsn = 27632208 + n * 112;
    if (schema) {
        put_schema(b, order);
    }
    buffer_printf(b, "{\"before\":");
    if (update) {
        put_row(b, order, n, seed, now_ms - 60000);
    } else {
        buffer_printf(b, "null");
    }
    buffer_printf(b, ",\"after\":");
    put_row(b, order, n, seed, now_ms);
    buffer_printf(
        b,
        ",\"source\":{\"version\":\"3.3.1.Final\",\"connector\":\"postgresql\",\"name\":\"finance\",\"ts_ms\":%" PRId64
        ",\"snapshot\":\"false\",\"db\":\"finance_db\",\"sequence\":\"[\\\"%" PRIu64 "\\\",\\\"%" PRIu64
        "\\\"]\",\"ts_us\":%" PRId64 ",\"ts_ns\":%" PRId64
        ",\"schema\":\"operations\",\"table\":\"%s\",\"txId\":%" PRIu64 ",\"lsn\":%" PRIu64
        ",\"xmin\":null},\"transaction\":{\"id\":\"%" PRIu64 ":%" PRIu64 "\",\"total_order\":%" PRIu64
        ",\"data_collection_order\":%" PRIu64 "},\"op\":\"%s\",\"ts_ms\":%" PRId64 ",\"ts_us\":%" PRId64
        ",\"ts_ns\":%" PRId64 "}%s",
        now_ms, 27632208 + tx * 2240, lsn, now_ms * 1000 + 434, now_ms * 1000000 + 434000,
        order ? "orders" : "order_items", 800 + tx, lsn, 800 + tx, lsn, n % TRANSACTION_EVENTS + 1,
        n % TRANSACTION_EVENTS + 1, update ? "u" : "c", now_ms + 499, now_ms * 1000 + 499636,
        now_ms * 1000000 + 499636554, schema ? "}" : "");
}

static uint64_t run(struct debezium *d, const struct buffer *text, const size_t *at, uint64_t events)
{
    struct debezium_buried buried = {0};
    struct debezium_meta meta;
    struct buffer out = BUFFER_EMPTY;
    uint64_t changes = 0;
    for (uint64_t i = 0; i < events; i++) {
        size_t n = i % RECORDS;
        struct debezium_record record = {.value = bytes_of(text->data + at[n], at[n + 1] - at[n]),
                                         .topic = "finance.operations.orders",
                                         .origin = "memory",
                                         .may_repeat = true,
                                         .buried = &buried};
        if (out.len > 1000000) {
            buffer_reset(&out);
        }
        changes += debezium_decode(d, &record, &out, &meta) == DEBEZIUM_CHANGE;
    }
    buffer_release(&out);
    return changes;
}

static int64_t processor_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    bool schema = argc > 1 && strcmp(argv[1], "schema") == 0;
    uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000000;
    struct catalog catalog;
    struct error err = {0};
    if (sql_load_text(&catalog, "acme.sql", ddl, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct buffer text = BUFFER_EMPTY;
    static size_t at[RECORDS + 1];
    uint64_t seed = 1;
    for (size_t i = 0; i < RECORDS; i++) {
        put_record(&text, i, schema, &seed);
        at[i + 1] = text.len;
    }
    struct debezium *d = debezium_new(&catalog, 1);
    debezium_set_shapes(d, argc <= 3);
    int64_t began = processor_us();
    uint64_t changes = run(d, &text, at, events);
    int64_t us = processor_us() - began;
    printf("%s: %" PRIu64 " of %" PRIu64 " events, %zu bytes each, %.0f ns an event\n", schema ? "schema" : "bare",
           changes, events, text.len / RECORDS, (double)us * 1000 / (double)events);
    debezium_free(d);
    buffer_release(&text);
    catalog_release(&catalog);
    return 0;
}
