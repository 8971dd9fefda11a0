/* ACME's events for the benchmarks: which rows change, and in which order, given a seed; told change by change to who
 * writes them down.
 *
 * The mix: 78 % item inserts, 14 % order updates (of the last 20,000 orders), 5 % order inserts, the rest deletes,
 * customers, products, in transactions of about 20. */
#ifndef BENCH_ACME_EVENTS_H
#define BENCH_ACME_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { TABLE_CUSTOMERS = 1, TABLE_PRODUCTS = 2, TABLE_ORDERS = 3, TABLE_ITEMS = 4 };
enum { CUSTOMER_COUNT = 2000, PRODUCT_COUNT = 5000, STATUS_COUNT = 6, DATE_COUNT = 60, UPDATE_WINDOW = 20000 };

/* The last one is NULL. */
extern const char *const acme_statuses[STATUS_COUNT];

/* splitmix64: small, seeded, the same everywhere. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
    return random_next(state) % n;
}

/* What belongs to an order whatever its status, made from its number. Days since 2000-01-01. */
struct acme_order {
    int64_t order_day;
    int64_t delivery_day;
    uint64_t customer_id;
};
struct acme_order acme_order(uint64_t id);

struct acme_item {
    uint64_t id;
    uint64_t order_id;
    uint64_t product_id;
    uint64_t quantity;
};

/* Writes changes down. A row that is not `is_new` is an update of one that was. */
struct acme_writer {
    void (*customer)(void *ctx, bool is_new, uint64_t id, bool is_active);
    void (*product)(void *ctx, bool is_new, uint64_t id, uint64_t price_cents);
    void (*order)(void *ctx, bool is_new, uint64_t id, uint32_t status);
    void (*item)(void *ctx, const struct acme_item *item);
    void (*item_deleted)(void *ctx, uint64_t id);
};

struct acme_mix {
    const struct acme_writer *writer;
    void *ctx;
    uint64_t random; /* the seed at first */
    uint64_t events;
    uint64_t orders;
    uint64_t items;
    uint64_t deleted_items; /* the highest id that is deleted; every seventh is */
};

/* The first transaction: every customer and every product. */
void acme_mix_fill(struct acme_mix *m);
/* Of 17 to 22 changes. */
void acme_mix_transaction(struct acme_mix *m);

#endif
