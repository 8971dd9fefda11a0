/* ACME's events for the benchmarks: which rows the generator writes, and in which order, given a seed. */
#ifndef BENCH_ACME_EVENTS_H
#define BENCH_ACME_EVENTS_H

#include <stdint.h>

enum { TABLE_CUSTOMERS = 1, TABLE_PRODUCTS = 2, TABLE_ORDERS = 3, TABLE_ITEMS = 4 };
enum { CUSTOMER_COUNT = 2000, PRODUCT_COUNT = 5000, STATUS_COUNT = 6, DATE_COUNT = 60, UPDATE_WINDOW = 20000 };

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

#endif
