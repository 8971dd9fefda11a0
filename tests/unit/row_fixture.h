/* For the tests of the row room: recorded answers, and random values of every kind. Included by one test program at a
 * time. */
#ifndef TESTS_ROW_FIXTURE_H
#define TESTS_ROW_FIXTURE_H

#include "base/file.h"
#include "base/memory.h"
#include "row/datetime.h"
#include "row/datum.h"
#include "row/decimal.h"

#include <math.h>
#include <stdlib.h>

enum { FIELDS_MAX = 8 };

/* Takes the next line of COPY text out of `*text` and splits it in place. 0 at the end. */
__attribute__((unused)) static size_t next_fields(char **text, struct bytes fields[static FIELDS_MAX])
{
    char *p = *text;
    size_t count = 0;
    if (*p == '\0') {
        return 0;
    }
    while (count < FIELDS_MAX) {
        char *to = p;
        char *start = p;
        while (*p != '\t' && *p != '\n') {
            if (*p == '\\') {
                static const char names[] = "bfnrtv\\";
                static const char values[] = "\b\f\n\r\t\v\\";
                p++;
                *to++ = values[strchr(names, *p) - names];
                p++;
            } else {
                *to++ = *p++;
            }
        }
        fields[count++] = bytes_of(start, (size_t)(to - start));
        if (*p++ == '\n') {
            break;
        }
    }
    *text = p;
    return count;
}

/* ---- random values ---- */

struct random {
    uint64_t state;
};

__attribute__((unused)) static uint64_t random_next(struct random *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

__attribute__((unused)) static uint64_t random_below(struct random *r, uint64_t bound)
{
    return random_next(r) % bound;
}

/* Of any number of bits, so that all lengths occur; edges often. */
__attribute__((unused)) static int64_t random_int(struct random *r, int64_t min, int64_t max)
{
    switch (random_below(r, 12)) {
    case 0:
        return min;
    case 1:
        return max;
    default: {
        int64_t v = (int64_t)random_next(r) >> random_below(r, 64);
        return v < min ? min : v > max ? max : v;
    }
    }
}

__attribute__((unused)) static struct datum random_text(struct random *r, struct arena *a, bool any_byte)
{
    size_t len = random_below(r, 20);
    len = random_below(r, 50) == 0 ? 200 + random_below(r, 70000) : len;
    uint8_t *p = arena_alloc(a, len + 1);
    for (size_t i = 0; i < len; i++) {
        uint64_t pick = random_below(r, 6);
        p[i] = pick == 0               ? ' '
               : pick == 1             ? 'a'
               : pick == 2 && any_byte ? (uint8_t)random_below(r, 3)
                                       : (uint8_t)(any_byte ? random_below(r, 256) : 1 + random_below(r, 127));
    }
    return datum_bytes(bytes_of(p, len));
}

__attribute__((unused)) static struct datum random_numeric(struct random *r, struct arena *a)
{
    static const char *const specials[] = {
        "NaN", "Infinity", "-Infinity", "0", "0.000", "9223372036854775808", "-9223372036854775809"};
    struct buffer text = BUFFER_EMPTY;
    struct error err;
    struct datum out;
    uint64_t pick = random_below(r, 10);
    if (pick == 0) {
        buffer_append_text(&text, specials[random_below(r, 7)]);
    } else {
        size_t digits = 1 + random_below(r, pick < 6 ? 6 : pick < 9 ? 40 : 120);
        buffer_append_text(&text, random_below(r, 2) ? "-" : "");
        for (size_t i = 0; i < digits; i++) {
            buffer_append_byte(&text, (uint8_t)('0' + random_below(r, random_below(r, 2) ? 10 : 2) % 10));
        }
        size_t scale = random_below(r, 3) ? random_below(r, 4) : random_below(r, 45);
        buffer_append_text(&text, scale > 0 ? "." : "");
        for (size_t i = 0; i < scale; i++) {
            buffer_append_byte(&text, random_below(r, 3) ? '0' : (uint8_t)('0' + random_below(r, 10)));
        }
        if (random_below(r, 30) == 0) {
            buffer_printf(&text, "e%d", (int)random_below(r, 800) - 400);
        }
    }
    if (decimal_parse(buffer_bytes(&text), a, &out, &err) != STATUS_OK) {
        abort();
    }
    buffer_release(&text);
    return out;
}

__attribute__((unused)) static struct datum random_float(struct random *r, bool narrow)
{
    static const double specials[] = {0.0, -0.0, 1.0, -1.0, 0.5};
    uint64_t bits = random_next(r);
    double v;
    memcpy(&v, &bits, sizeof v);
    switch (random_below(r, 6)) {
    case 0:
        v = specials[random_below(r, 5)];
        break;
    case 1:
        v = random_below(r, 2) ? (double)INFINITY : random_below(r, 2) ? -(double)INFINITY : (double)NAN;
        break;
    case 2:
        v = (double)random_int(r, -1000, 1000) / 4;
        break;
    default:
        break;
    }
    v = narrow ? (double)(float)v : v;
    return datum_float(isnan(v) ? (double)NAN : v);
}

__attribute__((unused)) static struct datum random_interval(struct random *r, struct arena *a)
{
    struct interval v = {.us = random_int(r, INT64_MIN, INT64_MAX),
                         .days = (int32_t)random_int(r, INT32_MIN, INT32_MAX),
                         .months = (int32_t)random_int(r, INT32_MIN, INT32_MAX)};
    if (random_below(r, 2)) { /* equal spans of different images */
        v = (struct interval){.us = (int64_t)random_below(r, 3) * DATETIME_US_PER_DAY,
                              .days = (int32_t)random_below(r, 3) * 30,
                              .months = (int32_t)random_below(r, 3)};
    }
    uint8_t *p = arena_alloc(a, 16);
    interval_store(p, v);
    return datum_bytes(bytes_of(p, 16));
}

/* Not NULL. */
__attribute__((unused)) static struct datum random_datum(struct random *r, struct arena *a, enum type_kind kind)
{
    switch (kind) {
    case TYPE_BOOL:
        return datum_int((int64_t)random_below(r, 2));
    case TYPE_INT2:
        return datum_int(random_int(r, INT16_MIN, INT16_MAX));
    case TYPE_INT4:
    case TYPE_DATE:
        return datum_int(random_int(r, INT32_MIN, INT32_MAX));
    case TYPE_INT8:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return datum_int(random_int(r, INT64_MIN, INT64_MAX));
    case TYPE_TIME:
        return datum_int(random_int(r, 0, DATETIME_US_PER_DAY));
    case TYPE_NUMERIC:
        return random_numeric(r, a);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return random_float(r, kind == TYPE_FLOAT4);
    case TYPE_INTERVAL:
        return random_interval(r, a);
    case TYPE_UUID: {
        uint8_t *p = arena_alloc(a, 16);
        uint64_t high = random_below(r, 3) ? random_next(r) : random_below(r, 2) ? 0 : UINT64_MAX;
        store_be64(p, high);
        store_be64(p + 8, random_below(r, 3));
        return datum_bytes(bytes_of(p, 16));
    }
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        break;
    }
    return random_text(r, a, kind == TYPE_BYTEA);
}

#endif
