/* Sorting: by radix, over the bytes in which the keys differ at all (of ids in one run these are a few), eight of them
 * at a time, then what is still equal by the next ones. Each step keeps the order of equals, so an entry's row is that
 * of the first to come. Short runs, which live ones are, are sorted by insertion. */
#include "flow/delta.h"

#include "base/int128.h"
#include "base/memory.h"

#include <string.h>

enum {
    SMALL_COUNT = 24,
    WINDOW_BYTES = 16,
    DIGITS_MAX = 8,
    DIGIT_VALUES = 256,
    ENTRIES_KEPT_MAX = 1 << 19 /* what a giant run needed is given back */
};

struct delta_place {
    uint64_t digits; /* the bytes being sorted by, the first one highest */
    uint32_t entry;
};

/* One step of the sort: the bytes to look at. */
struct window {
    size_t at;                  /* offset in the keys */
    size_t next;                /* where the step after this one begins */
    uint8_t shifts[DIGITS_MAX]; /* of the differing bytes in the window's number */
    uint32_t digit_count;
};

void delta_reset(struct delta *d)
{
    if (d->entry_capacity > ENTRIES_KEPT_MAX) {
        delta_release(d);
    }
    buffer_reset(&d->bytes);
    d->entry_count = 0;
    d->group_count = 0;
}

void delta_release(struct delta *d)
{
    buffer_release(&d->bytes);
    mem_free(d->entries);
    mem_free(d->groups);
    mem_free(d->places);
    *d = (struct delta){0};
}

void delta_add(struct delta *d, struct bytes key, size_t prefix_len, int64_t weight, const struct datum *row)
{
    mem_grow(&d->entries, &d->entry_capacity, d->entry_count + 1, sizeof *d->entries);
    d->entries[d->entry_count++] = (struct delta_entry){.offset = (uint32_t)d->bytes.len,
                                                        .len = (uint32_t)key.len,
                                                        .prefix_len = (uint32_t)prefix_len,
                                                        .weight = weight,
                                                        .row = row};
    buffer_append(&d->bytes, key.data, key.len);
}

/* Sixteen bytes of the key from `at` on as one number, zeros behind its end. */
static uint128 window_of(const struct delta *d, const struct delta_entry *e, size_t at)
{
    if (at >= e->len) {
        return 0;
    }
    size_t left = e->len - at;
    const uint8_t *from = d->bytes.data + e->offset + at; /* delta_close has made sure that sixteen can be read */
    uint128 number = (uint128)load_be64(from) << 64 | load_be64(from + 8);
    return left >= WINDOW_BYTES ? number : number & ~(((uint128)1 << (8 * (WINDOW_BYTES - left))) - 1);
}

static int compare(const struct delta *d, uint32_t a, uint32_t b)
{
    return bytes_compare(delta_entry_bytes(d, &d->entries[a]), delta_entry_bytes(d, &d->entries[b]));
}

static void insertion_sort(const struct delta *d, struct delta_place *places, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct delta_place moved = places[i];
        size_t to = i;
        while (to > 0 && compare(d, places[to - 1].entry, moved.entry) > 0) {
            places[to] = places[to - 1];
            to--;
        }
        places[to] = moved;
    }
}

/* Finds the first bytes from `at` on in which the keys differ; false where they are all the same to their ends. */
static bool choose_window(const struct delta *d, const struct delta_place *places, size_t count, size_t at,
                          struct window *out)
{
    uint128 differ = 0;
    bool longer = true;
    for (; differ == 0 && longer; at += WINDOW_BYTES) {
        uint128 first = window_of(d, &d->entries[places[0].entry], at);
        longer = false;
        for (size_t i = 0; i < count; i++) {
            const struct delta_entry *e = &d->entries[places[i].entry];
            differ |= window_of(d, e, at) ^ first;
            longer = longer || e->len > at + WINDOW_BYTES;
        }
        *out = (struct window){.at = at, .next = at + WINDOW_BYTES};
    }
    for (unsigned i = 0; i < WINDOW_BYTES; i++) {
        unsigned shift = 8 * (WINDOW_BYTES - 1 - i);
        if ((uint8_t)(differ >> shift) != 0) {
            if (out->digit_count == DIGITS_MAX) {
                out->next = out->at + i;
                break;
            }
            out->shifts[out->digit_count++] = (uint8_t)shift;
        }
    }
    return differ != 0;
}

static void take_digits(const struct delta *d, struct delta_place *places, size_t count, const struct window *w)
{
    for (size_t i = 0; i < count; i++) {
        uint128 number = window_of(d, &d->entries[places[i].entry], w->at);
        uint64_t digits = 0;
        for (uint32_t k = 0; k < w->digit_count; k++) {
            digits = digits << 8 | (uint8_t)(number >> w->shifts[k]);
        }
        places[i].digits = digits;
    }
}

/* One stable pass from `from` to `to`. */
static void radix_pass(const struct delta_place *from, struct delta_place *to, size_t count, unsigned shift)
{
    uint32_t starts[DIGIT_VALUES] = {0};
    for (size_t i = 0; i < count; i++) {
        starts[(uint8_t)(from[i].digits >> shift)]++;
    }
    uint32_t next = 0;
    for (size_t v = 0; v < DIGIT_VALUES; v++) {
        uint32_t here = starts[v];
        starts[v] = next;
        next += here;
    }
    for (size_t i = 0; i < count; i++) {
        to[starts[(uint8_t)(from[i].digits >> shift)]++] = from[i];
    }
}

static void sort(const struct delta *d, struct delta_place *places, struct delta_place *scratch, size_t count,
                 size_t at)
{
    struct window w;
    if (count <= SMALL_COUNT) {
        insertion_sort(d, places, count);
        return;
    }
    if (!choose_window(d, places, count, at, &w)) {
        return;
    }
    take_digits(d, places, count, &w);
    struct delta_place *from = places;
    struct delta_place *to = scratch;
    for (unsigned k = 0; k < w.digit_count; k++) {
        radix_pass(from, to, count, 8 * k);
        struct delta_place *swap = from;
        from = to;
        to = swap;
    }
    if (from != places) {
        memcpy(places, from, count * sizeof *places);
    }
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && places[end].digits == places[i].digits) {
            end++;
        }
        if (end - i > 1) {
            sort(d, places + i, scratch + i, end - i, w.next);
        }
        i = end;
    }
}

/* Puts the entries where the places say, cycle by cycle. */
static void put_in_order(struct delta *d)
{
    for (uint32_t i = 0; i < d->entry_count; i++) {
        struct delta_entry moved = d->entries[i];
        uint32_t to = i;
        while (d->places[to].entry != i) {
            uint32_t from = d->places[to].entry;
            d->entries[to] = d->entries[from];
            d->places[to].entry = to;
            to = from;
        }
        d->entries[to] = moved;
        d->places[to].entry = to;
    }
}

/* Makes one of equal entries, the first, and none of those that come to nothing. */
static void net(struct delta *d)
{
    size_t count = 0;
    for (size_t i = 0; i < d->entry_count; i++) {
        struct delta_entry e = d->entries[i];
        for (; i + 1 < d->entry_count; i++) {
            const struct delta_entry *next = &d->entries[i + 1];
            if (!bytes_equal(delta_entry_bytes(d, &e), delta_entry_bytes(d, next))) {
                break;
            }
            e.weight += next->weight;
        }
        if (e.weight != 0) {
            d->entries[count++] = e;
        }
    }
    d->entry_count = count;
}

static void make_groups(struct delta *d)
{
    for (uint32_t i = 0; i < d->entry_count; i++) {
        const struct delta_entry *e = &d->entries[i];
        struct bytes prefix = bytes_of(d->bytes.data + e->offset, e->prefix_len);
        if (d->group_count > 0 && bytes_equal(delta_group_prefix(d, (uint32_t)d->group_count - 1), prefix)) {
            d->groups[d->group_count - 1].end = i + 1;
            continue;
        }
        mem_grow(&d->groups, &d->group_capacity, d->group_count + 1, sizeof *d->groups);
        d->groups[d->group_count++] = (struct delta_group){.first = i, .end = i + 1};
    }
}

void delta_close(struct delta *d)
{
    size_t count = d->entry_count;
    if (count == 0) {
        return;
    }
    mem_grow(&d->places, &d->place_capacity, 2 * count, sizeof *d->places);
    for (uint32_t i = 0; i < count; i++) {
        d->places[i].entry = i;
    }
    memset(buffer_reserve(&d->bytes, WINDOW_BYTES), 0, WINDOW_BYTES);
    sort(d, d->places, d->places + count, count, 0);
    put_in_order(d);
    net(d);
    make_groups(d);
}

int64_t delta_weight(const struct delta *d, uint32_t group, struct bytes key)
{
    struct delta_group range = delta_range(d, group);
    while (range.first < range.end) {
        uint32_t middle = range.first + (range.end - range.first) / 2;
        int c = bytes_compare(delta_entry_bytes(d, &d->entries[middle]), key);
        if (c == 0) {
            return d->entries[middle].weight;
        }
        if (c < 0) {
            range.first = middle + 1;
        } else {
            range.end = middle;
        }
    }
    return 0;
}
