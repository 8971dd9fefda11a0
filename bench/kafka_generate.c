/* kafka_generate BROKERS PREFIX EVENTS SEED bare|wrapped CODEC BATCH_BYTES TRANSACTIONS FOLDER: about EVENTS changes of
 * ACME's mix (acme_events.h) into the topics PREFIX.operations.TABLE, as Debezium writes them: customers and products
 * by its snapshot, then transactions, under replica identity FULL, a tombstone after each delete. With TRANSACTIONS 1
 * rows say their transaction and PREFIX.transaction has BEGIN and END. Into FOLDER go the rows that are there in the
 * end, as TABLE.copy. The same arguments make the same records. */
#include "acme_events.h"
#include "debezium_write.h"
#include "kafka_produce.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EPOCH_DAYS = 10957 }; /* 2000-01-01 */
static const int64_t first_us = INT64_C(1766684800000000);

struct stamps {
    int64_t created_ms;
    int64_t updated_ms; /* 0 = never */
};

struct named { /* a customer or a product */
    struct stamps stamps;
    bool is_active;
    uint32_t price_cents;
};

struct order {
    struct stamps stamps;
    uint32_t status;
};

struct item {
    struct stamps stamps;
    uint32_t order_id;
    uint16_t product_id;
    uint16_t quantity;
    bool deleted;
};

struct texts { /* that a row's cells borrow */
    char name[40];
    char barcode[24];
};

struct generator {
    struct acme_mix mix;
    struct debezium_writer writer;
    struct kafka_producer producer;
    rd_kafka_topic_t *topics[DEBEZIUM_TABLES + 1];
    rd_kafka_topic_t *transactions; /* NULL = none */
    struct debezium_place place;
    uint64_t counts[DEBEZIUM_TABLES + 1]; /* rows of the transaction at hand */
    struct buffer key;
    struct buffer value;
    struct named customers[CUSTOMER_COUNT + 1];
    struct named products[PRODUCT_COUNT + 1];
    struct order *orders;
    size_t order_capacity;
    struct item *items;
    size_t item_capacity;
};

/* ---- rows ---- */

static struct debezium_cell number(int64_t n)
{
    return (struct debezium_cell){.has_number = true, .number = n};
}

static struct debezium_cell text(const char *t)
{
    return (struct debezium_cell){.text = t};
}

static void fill_stamps(struct debezium_cell *cells, const struct stamps *s)
{
    cells[0] = (struct debezium_cell){.has_number = s->updated_ms != 0, .number = s->updated_ms};
    cells[1] = (struct debezium_cell){.has_number = s->updated_ms != 0, .number = 1};
    cells[2] = number(s->created_ms);
    cells[3] = number(1);
}

static struct debezium_row customer_row(const struct generator *g, uint64_t id, struct texts *t)
{
    const struct named *c = &g->customers[id];
    snprintf(t->name, sizeof t->name, "Customer %" PRIu64, id);
    struct debezium_row row = {{number((int64_t)id), text(t->name), number(c->is_active), text("1 Main Street")}};
    fill_stamps(row.cells + 4, &c->stamps);
    return row;
}

static struct debezium_row product_row(const struct generator *g, uint64_t id, struct texts *t)
{
    const struct named *p = &g->products[id];
    snprintf(t->name, sizeof t->name, "Product %" PRIu64, id);
    snprintf(t->barcode, sizeof t->barcode, "4%012" PRIu64, id);
    struct debezium_row row = {
        {number((int64_t)id), text(t->name), text(t->barcode), number(p->price_cents), number(p->is_active)}};
    fill_stamps(row.cells + 5, &p->stamps);
    return row;
}

static struct debezium_row order_row(const struct generator *g, uint64_t id)
{
    struct acme_order own = acme_order(id);
    const struct order *o = &g->orders[id];
    struct debezium_row row = {{number((int64_t)id), number(own.order_day + EPOCH_DAYS),
                                number(own.delivery_day + EPOCH_DAYS), number((int64_t)own.customer_id),
                                text(acme_statuses[o->status])}};
    fill_stamps(row.cells + 5, &o->stamps);
    return row;
}

static struct debezium_row item_row(const struct generator *g, uint64_t id)
{
    const struct item *i = &g->items[id];
    struct debezium_row row = {{number((int64_t)id), number(i->order_id), number(i->product_id), number(i->quantity)}};
    fill_stamps(row.cells + 4, &i->stamps);
    return row;
}

/* ---- records ---- */

static void send_change(struct generator *g, struct debezium_change *c)
{
    struct debezium_place *p = &g->place;
    int64_t id = (c->after != NULL ? c->after : c->before)->cells[0].number;
    p->lsn += c->op == 'r' ? 0 : 120; /* a snapshot has but one */
    p->sent_ns += 20123;
    g->counts[c->table] += 1;
    if (g->transactions != NULL && c->op != 'r') {
        p->total_order += 1;
        p->collection_order = g->counts[c->table];
    }
    c->place = *p;
    buffer_reset(&g->key);
    buffer_reset(&g->value);
    debezium_write_key(&g->writer, c->table, id, &g->key);
    debezium_write_value(&g->writer, c, &g->value);
    kafka_producer_send(&g->producer, g->topics[c->table], &g->key, &g->value, g->writer.prefix);
    if (c->op == 'd') {
        kafka_producer_send(&g->producer, g->topics[c->table], &g->key, NULL, g->writer.prefix);
    }
}

static void send_new(struct generator *g, unsigned table, const struct debezium_row *row)
{
    send_change(g, &(struct debezium_change){table, g->place.last_commit_lsn == 0 ? 'r' : 'c', NULL, row, {0}});
}

static void send_update(struct generator *g, unsigned table, const struct debezium_row *before,
                        const struct debezium_row *after)
{
    send_change(g, &(struct debezium_change){table, 'u', before, after, {0}});
}

static void touch(const struct generator *g, struct stamps *s, bool is_new)
{
    *(is_new ? &s->created_ms : &s->updated_ms) = g->place.commit_us / 1000;
}

/* Of a snapshot's record: its own mark for the first and the last one of all and of each table. */
static const char *snapshot_mark(uint64_t id, uint64_t last, const char *first_mark, const char *last_mark)
{
    return id == 1 ? first_mark : id == last ? last_mark : "true";
}

static void write_customer(void *ctx, bool is_new, uint64_t id, bool is_active)
{
    struct generator *g = ctx;
    struct texts t;
    struct debezium_row before = customer_row(g, id, &t);
    g->customers[id].is_active = is_active;
    touch(g, &g->customers[id].stamps, is_new);
    struct debezium_row after = customer_row(g, id, &t);
    if (is_new) {
        g->place.snapshot = snapshot_mark(id, CUSTOMER_COUNT, "first", "last_in_data_collection");
        send_new(g, TABLE_CUSTOMERS, &after);
    } else {
        send_update(g, TABLE_CUSTOMERS, &before, &after);
    }
}

static void write_product(void *ctx, bool is_new, uint64_t id, uint64_t price_cents)
{
    struct generator *g = ctx;
    struct texts t;
    struct debezium_row before = product_row(g, id, &t);
    g->products[id].is_active = true;
    g->products[id].price_cents = (uint32_t)price_cents;
    touch(g, &g->products[id].stamps, is_new);
    struct debezium_row after = product_row(g, id, &t);
    if (is_new) {
        g->place.snapshot = snapshot_mark(id, PRODUCT_COUNT, "first_in_data_collection", "last");
        send_new(g, TABLE_PRODUCTS, &after);
    } else {
        send_update(g, TABLE_PRODUCTS, &before, &after);
    }
}

static void write_order(void *ctx, bool is_new, uint64_t id, uint32_t status)
{
    struct generator *g = ctx;
    mem_grow(&g->orders, &g->order_capacity, id + 1, sizeof *g->orders);
    if (is_new) {
        g->orders[id] = (struct order){0};
    }
    struct debezium_row before = order_row(g, id);
    g->orders[id].status = status;
    touch(g, &g->orders[id].stamps, is_new);
    struct debezium_row after = order_row(g, id);
    if (is_new) {
        send_new(g, TABLE_ORDERS, &after);
    } else {
        send_update(g, TABLE_ORDERS, &before, &after);
    }
}

static void write_item(void *ctx, const struct acme_item *item)
{
    struct generator *g = ctx;
    mem_grow(&g->items, &g->item_capacity, item->id + 1, sizeof *g->items);
    g->items[item->id] = (struct item){.order_id = (uint32_t)item->order_id,
                                       .product_id = (uint16_t)item->product_id,
                                       .quantity = (uint16_t)item->quantity};
    touch(g, &g->items[item->id].stamps, true);
    struct debezium_row row = item_row(g, item->id);
    send_new(g, TABLE_ITEMS, &row);
}

static void write_item_deleted(void *ctx, uint64_t id)
{
    struct generator *g = ctx;
    struct debezium_row row = item_row(g, id);
    g->items[id].deleted = true;
    send_change(g, &(struct debezium_change){TABLE_ITEMS, 'd', &row, NULL, {0}});
}

static const struct acme_writer acme = {write_customer, write_product, write_order, write_item, write_item_deleted};

/* ---- transactions ---- */

static void send_marker(struct generator *g, bool ended)
{
    buffer_reset(&g->key);
    buffer_reset(&g->value);
    debezium_write_transaction_key(&g->writer, &g->place, &g->key);
    if (ended) {
        debezium_write_end(&g->writer, &g->place, g->counts, &g->value);
    } else {
        debezium_write_begin(&g->writer, &g->place, &g->value);
    }
    kafka_producer_send(&g->producer, g->transactions, &g->key, &g->value, NULL);
}

static void make_transaction(struct generator *g)
{
    struct debezium_place *p = &g->place;
    uint64_t *random = &g->mix.random;
    p->commit_us += 1000 + (int64_t)random_below(random, 2000);
    p->sent_ns = p->commit_us * 1000 + 250000000;
    p->xid += 1;
    p->total_order = 0;
    memset(g->counts, 0, sizeof g->counts);
    if (g->transactions != NULL) {
        send_marker(g, false);
    }
    acme_mix_transaction(&g->mix);
    p->lsn += 200;
    if (g->transactions != NULL) {
        send_marker(g, true);
    }
    p->last_commit_lsn = p->lsn;
}

static void make_records(struct generator *g, uint64_t wanted)
{
    g->place = (struct debezium_place){
        .xid = 700, .lsn = 0x1000000, .commit_us = first_us, .sent_ns = first_us * 1000 + 250000000};
    acme_mix_fill(&g->mix);
    g->place.snapshot = "false";
    g->place.last_commit_lsn = g->place.lsn;
    while (g->mix.events < wanted) {
        make_transaction(g);
    }
}

/* ---- the rows in the end ---- */

static bool row_of(const struct generator *g, unsigned table, uint64_t id, struct texts *t, struct debezium_row *out)
{
    switch (table) {
    case TABLE_CUSTOMERS:
        *out = customer_row(g, id, t);
        return true;
    case TABLE_PRODUCTS:
        *out = product_row(g, id, t);
        return true;
    case TABLE_ORDERS:
        *out = order_row(g, id);
        return true;
    default:
        *out = item_row(g, id);
        return !g->items[id].deleted;
    }
}

/* The number of rows. */
static uint64_t write_copy(struct generator *g, const char *folder, unsigned table, uint64_t last_id)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.copy", folder, debezium_tables[table].name);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    uint64_t rows = 0;
    for (uint64_t id = 1; id <= last_id; id++) {
        struct texts t;
        struct debezium_row row;
        if (row_of(g, table, id, &t, &row)) {
            buffer_reset(&g->value);
            debezium_write_copy(table, &row, &g->value);
            rows += fwrite(g->value.data, g->value.len, 1, f);
        }
    }
    if (fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    return rows;
}

static void open_topics(struct generator *g, bool transactions)
{
    for (unsigned id = 1; id <= DEBEZIUM_TABLES; id++) {
        char name[64];
        snprintf(name, sizeof name, "operations.%s", debezium_tables[id].name);
        g->topics[id] = kafka_producer_topic(&g->producer, g->writer.prefix, name);
    }
    g->transactions = transactions ? kafka_producer_topic(&g->producer, g->writer.prefix, "transaction") : NULL;
}

static void close_topics(struct generator *g)
{
    for (unsigned id = 1; id <= DEBEZIUM_TABLES; id++) {
        rd_kafka_topic_destroy(g->topics[id]);
    }
    if (g->transactions != NULL) {
        rd_kafka_topic_destroy(g->transactions);
    }
}

int main(int argc, char **argv)
{
    if (argc != 10) {
        fprintf(stderr, "usage: kafka_generate BROKERS PREFIX EVENTS SEED bare|wrapped CODEC BATCH_BYTES TRANSACTIONS "
                        "FOLDER\n");
        return 64;
    }
    struct generator *g = mem_zalloc(sizeof *g);
    g->mix = (struct acme_mix){.writer = &acme, .ctx = g, .random = strtoull(argv[4], NULL, 10)};
    debezium_writer_init(&g->writer, argv[2], strcmp(argv[5], "wrapped") == 0);
    kafka_producer_open(&g->producer, argv[1], argv[6], argv[7]);
    open_topics(g, strcmp(argv[8], "1") == 0);
    make_records(g, strtoull(argv[3], NULL, 10));
    printf("events=%" PRIu64 " records=%" PRIu64 " bytes=%" PRIu64, g->mix.events, g->producer.records,
           g->producer.bytes);
    close_topics(g);
    kafka_producer_close(&g->producer);
    const uint64_t last[] = {0, CUSTOMER_COUNT, PRODUCT_COUNT, g->mix.orders, g->mix.items};
    for (unsigned id = 1; id <= DEBEZIUM_TABLES; id++) {
        printf(" %s=%" PRIu64, debezium_tables[id].name, write_copy(g, argv[9], id, last[id]));
    }
    printf("\n");
    debezium_writer_release(&g->writer);
    buffer_release(&g->key);
    buffer_release(&g->value);
    mem_free(g->orders);
    mem_free(g->items);
    mem_free(g);
    return 0;
}
