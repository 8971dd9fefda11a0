/* generate DIR EVENTS [SEED]: a store whose log holds about EVENTS changes of ACME's mix (acme_events.h), a commit for
 * each of its transactions. */
#include "acme_events.h"

#include "event/event.h"
#include "state/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct generator {
    struct acme_mix mix;
    struct buffer out;
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

static enum event_kind row_kind(bool is_new)
{
    return is_new ? EVENT_INSERT : EVENT_UPDATE;
}

static void end_row(struct generator *g, bool is_new)
{
    append_stamps(g, !is_new);
    if (!is_new) {
        event_append_no_old(&g->out);
    }
}

static void append_customer(void *ctx, bool is_new, uint64_t id, bool is_active)
{
    struct generator *g = ctx;
    char name[64];
    event_append_row(&g->out, row_kind(is_new), TABLE_CUSTOMERS, 8);
    packed_append_uint(&g->out, id);
    snprintf(name, sizeof name, "Customer %" PRIu64, id);
    append_text(g, name);
    buffer_append_byte(&g->out, is_active ? 0xc3 : 0xc2);
    append_text(g, "1 Main Street");
    end_row(g, is_new);
}

static void append_product(void *ctx, bool is_new, uint64_t id, uint64_t price_cents)
{
    struct generator *g = ctx;
    char name[64];
    event_append_row(&g->out, row_kind(is_new), TABLE_PRODUCTS, 9);
    packed_append_uint(&g->out, id);
    snprintf(name, sizeof name, "Product %" PRIu64, id);
    append_text(g, name);
    snprintf(name, sizeof name, "4%012" PRIu64, id);
    append_text(g, name);
    struct datum price = {.v.i = (int64_t)price_cents, .len = 2};
    packed_append_datum(&g->out, TYPE_NUMERIC, &price);
    buffer_append_byte(&g->out, 0xc3);
    end_row(g, is_new);
}

static void append_order(void *ctx, bool is_new, uint64_t id, uint32_t status)
{
    struct generator *g = ctx;
    struct acme_order order = acme_order(id);
    event_append_row(&g->out, row_kind(is_new), TABLE_ORDERS, 9);
    packed_append_uint(&g->out, id);
    packed_append_int(&g->out, order.order_day);
    packed_append_int(&g->out, order.delivery_day);
    packed_append_uint(&g->out, order.customer_id);
    if (acme_statuses[status] == NULL) {
        packed_append_nil(&g->out);
    } else {
        append_text(g, acme_statuses[status]);
    }
    end_row(g, is_new);
}

static void append_item(void *ctx, const struct acme_item *item)
{
    struct generator *g = ctx;
    event_append_row(&g->out, EVENT_INSERT, TABLE_ITEMS, 8);
    packed_append_uint(&g->out, item->id);
    packed_append_uint(&g->out, item->order_id);
    packed_append_uint(&g->out, item->product_id);
    packed_append_uint(&g->out, item->quantity);
    append_stamps(g, false);
}

static void append_item_delete(void *ctx, uint64_t id)
{
    struct generator *g = ctx;
    event_append_row(&g->out, EVENT_DELETE, TABLE_ITEMS, 8);
    packed_append_uint(&g->out, id);
    for (int i = 1; i < 8; i++) {
        packed_append_datum(&g->out, TYPE_INT8, &DATUM_MISSING);
    }
}

static const struct acme_writer writer = {append_customer, append_product, append_order, append_item,
                                          append_item_delete};

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
    struct generator g = {.mix = {.writer = &writer, .random = seed}, .time_us = INT64_C(820000000000000)};
    struct acme_mix *m = &g.mix;
    m->ctx = &g;
    uint64_t lsn = 0x1000000;
    event_append_commit(&g.out, g.time_us, 1);
    journal(&g, TABLE_CUSTOMERS, "customers", customer_columns);
    journal(&g, TABLE_PRODUCTS, "products", product_columns);
    journal(&g, TABLE_ORDERS, "orders", order_columns);
    journal(&g, TABLE_ITEMS, "order_items", item_columns);
    acme_mix_fill(m);
    enum status st = append_commit(&g, store, lsn, err);
    for (uint64_t xid = 2; st == STATUS_OK && m->events < wanted; xid++) {
        g.time_us += 1000 + (int64_t)random_below(&m->random, 2000);
        lsn += 2000 + random_below(&m->random, 2000);
        event_append_commit(&g.out, g.time_us, xid);
        acme_mix_transaction(m);
        st = append_commit(&g, store, lsn, err);
    }
    if (st == STATUS_OK) {
        st = store_wait_durable(store, store_seq_next(store), err);
        printf("events=%" PRIu64 " commits=%" PRIu64 " orders=%" PRIu64 " items=%" PRIu64 " log_bytes=%" PRIu64
               " bytes_per_event=%.1f\n",
               m->events, store_seq_next(store), m->orders, m->items, store_log_bytes(store),
               (double)store_log_bytes(store) / (double)m->events);
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
