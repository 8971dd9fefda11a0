/* ACME's mix: every random draw is made here, in an order that must not change, or the same seed says something else.
 */
#include "acme_events.h"

#include <stddef.h>

const char *const acme_statuses[STATUS_COUNT] = {"PENDING",      "PROCESSING", "COMPLETED",
                                                 "REPROCESSING", "CANCELED",   NULL};

struct acme_order acme_order(uint64_t id)
{
    uint64_t own = id * UINT64_C(0x9e3779b97f4a7c15);
    int64_t day = 9000 + (int64_t)(id / 50000);
    return (struct acme_order){.order_day = day,
                               .delivery_day = day + 10 + (int64_t)((own >> 40) % DATE_COUNT),
                               .customer_id = 1 + (own >> 20) % CUSTOMER_COUNT};
}

static void change_customer(struct acme_mix *m, bool is_new, uint64_t id)
{
    m->writer->customer(m->ctx, is_new, id, random_below(&m->random, 10) > 0);
    m->events += 1;
}

static void change_product(struct acme_mix *m, bool is_new, uint64_t id)
{
    m->writer->product(m->ctx, is_new, id, random_below(&m->random, 10000));
    m->events += 1;
}

void acme_mix_fill(struct acme_mix *m)
{
    for (uint64_t id = 1; id <= CUSTOMER_COUNT; id++) {
        change_customer(m, true, id);
    }
    for (uint64_t id = 1; id <= PRODUCT_COUNT; id++) {
        change_product(m, true, id);
    }
}

static void add_item(struct acme_mix *m)
{
    struct acme_item item = {.id = ++m->items};
    item.order_id = m->orders - random_below(&m->random, m->orders < 20 ? m->orders : 20);
    item.product_id = 1 + random_below(&m->random, PRODUCT_COUNT);
    item.quantity = random_below(&m->random, 1000);
    m->writer->item(m->ctx, &item);
    m->events += 1;
}

static void delete_item(struct acme_mix *m)
{
    m->deleted_items += 7;
    if (m->deleted_items <= m->items) {
        m->writer->item_deleted(m->ctx, m->deleted_items);
        m->events += 1;
    }
}

static void update_order(struct acme_mix *m)
{
    uint32_t status = (uint32_t)random_below(&m->random, STATUS_COUNT);
    uint64_t window = m->orders < UPDATE_WINDOW ? m->orders : UPDATE_WINDOW;
    m->writer->order(m->ctx, false, m->orders - random_below(&m->random, window), status);
    m->events += 1;
}

static void change_rest(struct acme_mix *m)
{
    uint64_t kind = random_below(&m->random, 10);
    if (kind < 6) {
        delete_item(m);
    } else if (kind < 8) {
        change_customer(m, false, 1 + random_below(&m->random, CUSTOMER_COUNT));
    } else {
        change_product(m, false, 1 + random_below(&m->random, PRODUCT_COUNT));
    }
}

void acme_mix_transaction(struct acme_mix *m)
{
    m->orders += 1;
    m->writer->order(m->ctx, true, m->orders, 0);
    m->events += 1;
    uint64_t items = 14 + random_below(&m->random, 4);
    for (uint64_t i = 0; i < items; i++) {
        add_item(m);
    }
    uint64_t updates = 2 + random_below(&m->random, 2);
    for (uint64_t i = 0; i < updates; i++) {
        update_order(m);
    }
    if (random_below(&m->random, 2) == 0) {
        change_rest(m);
    }
}
