/* ceiling STORE OUTDIR: what a program made for exactly this pipeline reaches over the same log: fixed rows, arrays by
 * dense id, the four views of schemas/acme.sql by hand, the tables put into LMDB (sorted, 100,000 events a transaction,
 * WRITEMAP|NOSYNC, one sync at the end). It knows nothing but bench/generate.c's log and shares no code with logfold
 * but the reading of the log's blocks. */
#include "acme_events.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "state/store.h"

#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { IDS_MAX = 64 * 1024 * 1024, TXN_EVENTS = 100000, DAYS_MAX = 16384 };

struct order {
    int32_t delivery; /* days, 0 = NULL */
    int32_t customer;
    uint8_t open;
    uint8_t exists;
    uint32_t first_item; /* list through items */
};

struct item {
    uint32_t order;
    int32_t product;
    int32_t quantity;
    uint32_t next; /* of the same order */
    uint8_t exists;
};

struct put {
    uint64_t key;
    const uint8_t *row;
    uint32_t len;
};

struct table {
    MDB_dbi dbi;
    struct put *puts;
    size_t count;
    size_t capacity;
};

struct ceiling {
    struct order *orders;
    struct item *items;
    int64_t *open_by_date_status[STATUS_COUNT]; /* status by its first letters' slot */
    int64_t *open_by_date;
    int64_t *open_by_customer;
    int64_t *pending_by_product;
    struct table tables[5];
    MDB_env *env;
    uint64_t events;
    uint64_t in_txn;
};

static void check(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "ceiling: %s: %s\n", what, mdb_strerror(rc));
        exit(1);
    }
}

/* ---- msgpack, only what the generator writes ---- */

static const uint8_t *read_uint(const uint8_t *p, uint64_t *out)
{
    uint8_t tag = *p++;
    if (tag < 0x80) {
        *out = tag;
    } else if (tag == 0xcc) {
        *out = *p++;
    } else if (tag == 0xcd) {
        *out = load_be16(p);
        p += 2;
    } else if (tag == 0xce) {
        *out = load_be32(p);
        p += 4;
    } else if (tag == 0xcf) {
        *out = load_be64(p);
        p += 8;
    } else {
        *out = 0; /* nil and extension heads */
    }
    return p;
}

static const uint8_t *skip(const uint8_t *p)
{
    uint8_t tag = *p;
    if (tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3) {
        return p + 1;
    }
    if ((tag & 0xe0) == 0xa0) {
        return p + 1 + (tag & 0x1f);
    }
    if ((tag & 0xf0) == 0x90) {
        size_t n = tag & 15;
        for (p++; n > 0; n--) {
            p = skip(p);
        }
        return p;
    }
    switch (tag) {
    case 0xcc:
        return p + 2;
    case 0xcd:
        return p + 3;
    case 0xce:
    case 0xd2:
        return p + 5;
    case 0xcf:
    case 0xd3:
        return p + 9;
    case 0xd9:
        return p + 2 + p[1];
    case 0xc7:
        return p + 3 + p[1];
    case 0xd4:
        return p + 3;
    case 0xd5:
        return p + 4;
    case 0xd6:
        return p + 6;
    case 0xd7:
        return p + 10;
    default:
        fprintf(stderr, "ceiling: tag %02x\n", tag);
        exit(1);
    }
}

/* ---- the four views ---- */

static bool status_is_open(const uint8_t *text, size_t len, unsigned *slot)
{
    *slot = len > 0 ? (unsigned)(text[0] + len) % STATUS_COUNT : 0;
    return len > 0 && !(len == 9 && memcmp(text, "COMPLETED", 9) == 0) &&
           !(len == 8 && memcmp(text, "CANCELED", 8) == 0);
}

static void count_items(struct ceiling *c, const struct order *o, int sign)
{
    for (uint32_t i = o->first_item; i != 0; i = c->items[i].next) {
        if (c->items[i].exists) {
            c->pending_by_product[c->items[i].product] += sign * c->items[i].quantity;
        }
    }
}

static void fold_order(struct ceiling *c, uint64_t id, int32_t delivery, int32_t customer, bool open, unsigned slot)
{
    struct order *o = &c->orders[id];
    if (o->exists && o->open) {
        c->open_by_date_status[o->open - 1][o->delivery]--;
        c->open_by_date[o->delivery]--;
        c->open_by_customer[o->customer]--;
    }
    bool was_open = o->exists && o->open;
    if (was_open != open) {
        count_items(c, o, open ? 1 : -1);
    }
    o->exists = 1;
    o->delivery = delivery;
    o->customer = customer;
    o->open = open ? (uint8_t)(slot + 1) : 0;
    if (open) {
        c->open_by_date_status[slot][delivery]++;
        c->open_by_date[delivery]++;
        c->open_by_customer[customer]++;
    }
}

static void fold_item(struct ceiling *c, uint64_t id, uint32_t order, int32_t product, int32_t quantity)
{
    c->items[id] = (struct item){
        .order = order, .product = product, .quantity = quantity, .exists = 1, .next = c->orders[order].first_item};
    c->orders[order].first_item = (uint32_t)id;
    if (c->orders[order].open) {
        c->pending_by_product[product] += quantity;
    }
}

static void unfold_item(struct ceiling *c, uint64_t id)
{
    struct item *i = &c->items[id];
    if (i->exists && c->orders[i->order].open) {
        c->pending_by_product[i->product] -= i->quantity;
    }
    i->exists = 0;
}

/* ---- the tables in LMDB ---- */

static void table_put(struct table *t, uint64_t key, const uint8_t *row, size_t len)
{
    mem_grow(&t->puts, &t->capacity, t->count + 1, sizeof *t->puts);
    t->puts[t->count++] = (struct put){.key = key, .row = row, .len = (uint32_t)len};
}

static int by_key(const void *a, const void *b)
{
    const struct put *x = a;
    const struct put *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return x->row < y->row ? -1 : 1; /* later in the log, later in memory or in the batch: good enough for a ceiling */
}

static void table_flush(MDB_txn *txn, struct table *t)
{
    bool sorted = true;
    for (size_t i = 1; i < t->count && sorted; i++) {
        sorted = t->puts[i - 1].key < t->puts[i].key;
    }
    if (!sorted) {
        qsort(t->puts, t->count, sizeof *t->puts, by_key);
    }
    MDB_cursor *cursor;
    check(mdb_cursor_open(txn, t->dbi, &cursor), "cursor");
    for (size_t i = 0; i < t->count; i++) {
        if (i + 1 < t->count && t->puts[i + 1].key == t->puts[i].key) {
            continue;
        }
        uint8_t key[8];
        store_be64(key, t->puts[i].key);
        MDB_val k = {8, key};
        union {
            const uint8_t *in;
            void *out;
        } row = {.in = t->puts[i].row};
        MDB_val v = {t->puts[i].len, row.out};
        if (t->puts[i].row == NULL) {
            int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
            check(rc == 0 ? mdb_cursor_del(cursor, 0) : rc == MDB_NOTFOUND ? 0 : rc, "delete");
        } else {
            check(mdb_cursor_put(cursor, &k, &v, 0), "put");
        }
    }
    mdb_cursor_close(cursor);
    t->count = 0;
}

static void flush(struct ceiling *c, bool open)
{
    MDB_txn *txn;
    check(mdb_txn_begin(c->env, NULL, 0, &txn), "begin");
    for (int i = 1; i <= 4; i++) {
        if (open) {
            char name[8];
            snprintf(name, sizeof name, "t%d", i);
            check(mdb_dbi_open(txn, name, MDB_CREATE, &c->tables[i].dbi), "dbi");
        } else {
            table_flush(txn, &c->tables[i]);
        }
    }
    check(mdb_txn_commit(txn), "commit");
    c->in_txn = 0;
}

/* ---- one change ---- */

static const uint8_t *fold_row(struct ceiling *c, uint64_t kind, uint64_t table, const uint8_t *p)
{
    size_t columns = *p++ & 15;
    const uint8_t *first = p;
    uint64_t id;
    p = read_uint(p, &id);
    if (kind == 2) {
        unfold_item(c, id);
        for (size_t i = 1; i < columns; i++) {
            p = skip(p);
        }
        table_put(&c->tables[table], id, NULL, 0);
        return p;
    }
    if (table == TABLE_ITEMS) {
        uint64_t order;
        uint64_t product;
        uint64_t quantity;
        p = read_uint(read_uint(read_uint(p, &order), &product), &quantity);
        fold_item(c, id, (uint32_t)order, (int32_t)product, (int32_t)quantity);
        columns -= 4;
    } else if (table == TABLE_ORDERS) {
        uint64_t date;
        uint64_t delivery;
        uint64_t customer;
        p = read_uint(read_uint(read_uint(p, &date), &delivery), &customer);
        unsigned slot = 0;
        bool is_null = *p == 0xc0;
        size_t len = is_null ? 0 : *p & 0x1f;
        bool open = status_is_open(p + 1, len, &slot);
        p = skip(p);
        fold_order(c, id, (int32_t)delivery, (int32_t)customer, open, slot);
        columns -= 5;
    } else {
        columns -= 1;
    }
    for (; columns > 0; columns--) {
        p = skip(p);
    }
    table_put(&c->tables[table], id, first, (size_t)(p - first));
    return p;
}

static void fold_chunk(struct ceiling *c, struct bytes data)
{
    const uint8_t *p = data.data;
    const uint8_t *end = p + data.len;
    while (p < end) {
        const uint8_t *item = p;
        uint64_t kind = p[1];
        if (kind > 3) {
            p = skip(item);
            continue;
        }
        uint64_t table = p[2];
        p = fold_row(c, kind, table, p + 3);
        if (kind == 1) {
            p = skip(p); /* no old row */
        }
        c->events += 1;
        c->in_txn += 1;
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make(struct ceiling *c, const char *out)
{
    c->orders = mem_zalloc((size_t)IDS_MAX / 8 * sizeof *c->orders);
    c->items = mem_zalloc((size_t)IDS_MAX * sizeof *c->items);
    for (int i = 0; i < STATUS_COUNT; i++) {
        c->open_by_date_status[i] = mem_zalloc(DAYS_MAX * sizeof(int64_t));
    }
    c->open_by_date = mem_zalloc(DAYS_MAX * sizeof(int64_t));
    c->open_by_customer = mem_zalloc((CUSTOMER_COUNT + 1) * sizeof(int64_t));
    c->pending_by_product = mem_zalloc((PRODUCT_COUNT + 1) * sizeof(int64_t));
    mkdir(out, 0700);
    check(mdb_env_create(&c->env), "env");
    check(mdb_env_set_mapsize(c->env, (size_t)16 << 30), "mapsize");
    check(mdb_env_set_maxdbs(c->env, 16), "maxdbs");
    check(mdb_env_open(c->env, out, MDB_WRITEMAP | MDB_NOSYNC, 0600), "open");
    flush(c, true);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: ceiling STORE OUTDIR\n");
        return 64;
    }
    struct ceiling c = {0};
    make(&c, argv[2]);
    struct error err;
    struct store *store = NULL;
    struct store_reader *reader = NULL;
    struct store_chunk chunk;
    enum status st = store_open(&store, &(struct store_options){.path = argv[1], .read_only = true}, &err);
    if (st == STATUS_OK) {
        st = store_reader_open(store, 0, &reader, &err);
    }
    double start = now();
    while (st == STATUS_OK && (st = store_reader_next(reader, &chunk, &err)) == STATUS_OK) {
        fold_chunk(&c, chunk.data);
        if (c.in_txn >= TXN_EVENTS) {
            flush(&c, false);
            store_reader_recycle(reader);
        }
    }
    flush(&c, false);
    check(mdb_env_sync(c.env, 1), "sync");
    double took = now() - start;
    if (st != STATUS_END) {
        fprintf(stderr, "ceiling: %s\n", err.text);
        return 1;
    }
    int64_t open = 0;
    int64_t pending = 0;
    for (int i = 0; i < DAYS_MAX; i++) {
        open += c.open_by_date[i];
    }
    for (int i = 0; i <= PRODUCT_COUNT; i++) {
        pending += c.pending_by_product[i];
    }
    printf("events=%" PRIu64 " seconds=%.3f events_per_s=%.0f open_orders=%" PRId64 " pending_items=%" PRId64 "\n",
           c.events, took, (double)c.events / took, open, pending);
    store_reader_close(reader);
    store_close(store);
    mdb_env_close(c.env);
    return 0;
}
