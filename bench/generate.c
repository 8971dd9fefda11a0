/* generate DIR EVENTS [SEED]: a store whose log holds about EVENTS changes of ACME's mix in commits of about 20:
 * 78 % item inserts, 14 % order updates (of the last 20,000 orders), 5 % order inserts, the rest deletes, customers,
 * products. */
#include "acme_events.h"

#include "event/event.h"
#include "state/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const statuses[STATUS_COUNT] = {"PENDING",      "PROCESSING", "COMPLETED",
                                                   "REPROCESSING", "CANCELED",   NULL};

struct generator {
    uint64_t random;
    struct buffer out;
    uint64_t events;
    uint64_t orders;
    uint64_t items;
    uint64_t deleted_items;
    int64_t time_us;
};

static void append_column(struct event_schema *s, const char *name, enum type_kind kind, int32_t typmod, bool key)
{
    struct type type = type_make(kind);
    type.typmod = typmod;
    s->columns[s->column_count++] = (struct event_column){.name = name, .type = type, .key = key};
}

static void append_audit(struct event_schema *s)
{
    append_column(s, "updated_at", TYPE_TIMESTAMP, 3, false);
    append_column(s, "updated_by", TYPE_INT8, -1, false);
    append_column(s, "created_at", TYPE_TIMESTAMP, 3, false);
    append_column(s, "created_by", TYPE_INT8, -1, false);
}

static void journal(struct generator *g, uint32_t id, const char *name, void (*columns)(struct event_schema *s))
{
    struct event_column room[16];
    struct event_schema s = {.table_id = id, .schema = "operations", .table = name, .columns = room};
    columns(&s);
    append_audit(&s);
    event_append_schema(&g->out, &s);
}

static void customer_columns(struct event_schema *s)
{
    append_column(s, "customer_id", TYPE_INT8, -1, true);
    append_column(s, "customer_name", TYPE_VARCHAR, 504, false);
    append_column(s, "is_active", TYPE_BOOL, -1, false);
    append_column(s, "customer_address", TYPE_VARCHAR, 504, false);
}

static void product_columns(struct event_schema *s)
{
    append_column(s, "product_id", TYPE_INT8, -1, true);
    append_column(s, "product_name", TYPE_VARCHAR, 504, false);
    append_column(s, "barcode", TYPE_VARCHAR, 30, false);
    append_column(s, "unity_price", TYPE_NUMERIC, -1, false);
    append_column(s, "is_active", TYPE_BOOL, -1, false);
}

static void order_columns(struct event_schema *s)
{
    append_column(s, "order_id", TYPE_INT8, -1, true);
    append_column(s, "order_date", TYPE_DATE, -1, false);
    append_column(s, "delivery_date", TYPE_DATE, -1, false);
    append_column(s, "customer_id", TYPE_INT8, -1, false);
    append_column(s, "status", TYPE_VARCHAR, -1, false);
}

static void item_columns(struct event_schema *s)
{
    append_column(s, "order_item_id", TYPE_INT8, -1, true);
    append_column(s, "order_id", TYPE_INT8, -1, false);
    append_column(s, "product_id", TYPE_INT8, -1, false);
    append_column(s, "quanity", TYPE_INT4, -1, false);
}

static void append_text(struct generator *g, const char *text)
{
    packed_append_str(&g->out, bytes_of(text, strlen(text)));
}

static void append_stamps(struct generator *g, bool updated)
{
    int64_t ms = g->time_us / 1000 * 1000;
    if (updated) {
        packed_append_int(&g->out, ms);
        packed_append_int(&g->out, 1);
    } else {
        packed_append_nil(&g->out);
        packed_append_nil(&g->out);
    }
    packed_append_int(&g->out, ms - (updated ? 60000000 : 0));
    packed_append_int(&g->out, 1);
}

static void append_customer(struct generator *g, enum event_kind kind, uint64_t id)
{
    char name[64];
    event_append_row(&g->out, kind, TABLE_CUSTOMERS, 8);
    packed_append_uint(&g->out, id);
    snprintf(name, sizeof name, "Customer %" PRIu64, id);
    append_text(g, name);
    buffer_append_byte(&g->out, random_below(&g->random, 10) > 0 ? 0xc3 : 0xc2);
    append_text(g, "1 Main Street");
    append_stamps(g, kind == EVENT_UPDATE);
}

static void append_product(struct generator *g, enum event_kind kind, uint64_t id)
{
    char name[64];
    event_append_row(&g->out, kind, TABLE_PRODUCTS, 9);
    packed_append_uint(&g->out, id);
    snprintf(name, sizeof name, "Product %" PRIu64, id);
    append_text(g, name);
    snprintf(name, sizeof name, "4%012" PRIu64, id);
    append_text(g, name);
    struct datum price = {.v.i = (int64_t)random_below(&g->random, 10000), .len = 2};
    packed_append_datum(&g->out, TYPE_NUMERIC, &price);
    buffer_append_byte(&g->out, 0xc3);
    append_stamps(g, kind == EVENT_UPDATE);
}

static void append_order(struct generator *g, enum event_kind kind, uint64_t id, const char *status)
{
    /* date and customer belong to the order, whatever its status: made from its number */
    uint64_t own = id * UINT64_C(0x9e3779b97f4a7c15);
    int64_t day = 9000 + (int64_t)(id / 50000);
    event_append_row(&g->out, kind, TABLE_ORDERS, 9);
    packed_append_uint(&g->out, id);
    packed_append_int(&g->out, day);
    packed_append_int(&g->out, day + 10 + (int64_t)((own >> 40) % DATE_COUNT));
    packed_append_uint(&g->out, 1 + (own >> 20) % CUSTOMER_COUNT);
    if (status == NULL) {
        packed_append_nil(&g->out);
    } else {
        append_text(g, status);
    }
    append_stamps(g, kind == EVENT_UPDATE);
    if (kind == EVENT_UPDATE) {
        event_append_no_old(&g->out);
    }
    g->events += 1;
}

static void append_item(struct generator *g, uint64_t order_id)
{
    g->items += 1;
    event_append_row(&g->out, EVENT_INSERT, TABLE_ITEMS, 8);
    packed_append_uint(&g->out, g->items);
    packed_append_uint(&g->out, order_id);
    packed_append_uint(&g->out, 1 + random_below(&g->random, PRODUCT_COUNT));
    packed_append_uint(&g->out, random_below(&g->random, 1000));
    append_stamps(g, false);
    g->events += 1;
}

static void append_item_delete(struct generator *g)
{
    g->deleted_items += 7;
    if (g->deleted_items > g->items) {
        return;
    }
    event_append_row(&g->out, EVENT_DELETE, TABLE_ITEMS, 8);
    packed_append_uint(&g->out, g->deleted_items);
    for (int i = 1; i < 8; i++) {
        packed_append_datum(&g->out, TYPE_INT8, &DATUM_MISSING);
    }
    g->events += 1;
}

static void append_rest(struct generator *g)
{
    uint64_t kind = random_below(&g->random, 10);
    if (kind < 6) {
        append_item_delete(g);
    } else if (kind < 8) {
        append_customer(g, EVENT_UPDATE, 1 + random_below(&g->random, CUSTOMER_COUNT));
        event_append_no_old(&g->out);
        g->events += 1;
    } else {
        append_product(g, EVENT_UPDATE, 1 + random_below(&g->random, PRODUCT_COUNT));
        event_append_no_old(&g->out);
        g->events += 1;
    }
}

static void append_transaction(struct generator *g)
{
    g->orders += 1;
    append_order(g, EVENT_INSERT, g->orders, "PENDING");
    uint64_t items = 14 + random_below(&g->random, 4);
    for (uint64_t i = 0; i < items; i++) {
        append_item(g, g->orders - random_below(&g->random, g->orders < 20 ? g->orders : 20));
    }
    uint64_t updates = 2 + random_below(&g->random, 2);
    for (uint64_t i = 0; i < updates; i++) {
        uint64_t window = g->orders < UPDATE_WINDOW ? g->orders : UPDATE_WINDOW;
        append_order(g, EVENT_UPDATE, g->orders - random_below(&g->random, window),
                     statuses[random_below(&g->random, STATUS_COUNT)]);
    }
    if (random_below(&g->random, 2) == 0) {
        append_rest(g);
    }
}

static enum status append_commit(struct generator *g, struct store *store, uint64_t lsn, struct error *err)
{
    event_append_position(&g->out, "pg.lsn", lsn);
    uint64_t seq;
    enum status st = store_append(store, buffer_bytes(&g->out), true, &seq, err);
    buffer_reset(&g->out);
    return st;
}

static enum status generate(struct store *store, uint64_t wanted, uint64_t seed, struct error *err)
{
    struct generator g = {.random = seed, .time_us = INT64_C(820000000000000)};
    uint64_t lsn = 0x1000000;
    event_append_commit(&g.out, g.time_us, 1);
    journal(&g, TABLE_CUSTOMERS, "customers", customer_columns);
    journal(&g, TABLE_PRODUCTS, "products", product_columns);
    journal(&g, TABLE_ORDERS, "orders", order_columns);
    journal(&g, TABLE_ITEMS, "order_items", item_columns);
    for (uint64_t id = 1; id <= CUSTOMER_COUNT; id++) {
        append_customer(&g, EVENT_INSERT, id);
    }
    for (uint64_t id = 1; id <= PRODUCT_COUNT; id++) {
        append_product(&g, EVENT_INSERT, id);
    }
    g.events += CUSTOMER_COUNT + PRODUCT_COUNT;
    enum status st = append_commit(&g, store, lsn, err);
    for (uint64_t xid = 2; st == STATUS_OK && g.events < wanted; xid++) {
        g.time_us += 1000 + (int64_t)random_below(&g.random, 2000);
        lsn += 2000 + random_below(&g.random, 2000);
        event_append_commit(&g.out, g.time_us, xid);
        append_transaction(&g);
        st = append_commit(&g, store, lsn, err);
    }
    if (st == STATUS_OK) {
        st = store_wait_durable(store, store_seq_next(store), err);
        printf("events=%" PRIu64 " commits=%" PRIu64 " orders=%" PRIu64 " items=%" PRIu64 " log_bytes=%" PRIu64
               " bytes_per_event=%.1f\n",
               g.events, store_seq_next(store), g.orders, g.items, store_log_bytes(store),
               (double)store_log_bytes(store) / (double)g.events);
    }
    buffer_release(&g.out);
    return st;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: generate DIR EVENTS [SEED]\n");
        return 64;
    }
    struct error err;
    struct store *store = NULL;
    enum status st = store_open(&store, &(struct store_options){.path = argv[1]}, &err);
    if (st == STATUS_OK) {
        st = generate(store, strtoull(argv[2], NULL, 10), argc > 3 ? strtoull(argv[3], NULL, 10) : 1, &err);
    }
    store_close(store);
    if (st != STATUS_OK) {
        fprintf(stderr, "generate: %s\n", err.text);
        return 1;
    }
    return 0;
}
