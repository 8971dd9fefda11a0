/* Type modifiers: lengths in characters, precisions, and which fields an interval keeps. */
#include "row/datum.h"

#include "row/datetime.h"
#include "row/datum_interval.h"
#include "row/decimal.h"

enum { TYPMOD_HEAD = 4, INTERVAL_BYTES = 16, MICROSECOND_DIGITS = 6 };

/* Bytes of the first `count` characters of UTF-8; `*found` says how many there are. */
static size_t prefix_bytes(struct bytes text, size_t count, size_t *found)
{
    size_t at = 0;
    size_t n = 0;
    while (at < text.len && n < count) {
        at++;
        while (at < text.len && (text.data[at] & 0xc0) == 0x80) {
            at++;
        }
        n++;
    }
    *found = n;
    return at;
}

static bool is_blank_from(struct bytes text, size_t at)
{
    for (; at < text.len; at++) {
        if (text.data[at] != ' ') {
            return false;
        }
    }
    return true;
}

static enum status fit_text(const struct type *type, bool explicit_cast, struct arena *a, struct datum *d,
                            struct error *err)
{
    size_t max = (size_t)(type->typmod - TYPMOD_HEAD);
    if (type->kind == TYPE_VARCHAR && d->len <= max) {
        return STATUS_OK; /* characters are no more than bytes */
    }
    size_t found;
    struct bytes text = datum_as_bytes(d);
    size_t cut = prefix_bytes(text, max, &found);
    if (cut < text.len && !explicit_cast && !is_blank_from(text, cut)) {
        return error_set(err, STATUS_INVALID, 0, "value too long for type %s(%zu)",
                         type->kind == TYPE_VARCHAR ? "character varying" : "character", max);
    }
    d->len = (uint32_t)cut;
    if (type->kind == TYPE_BPCHAR && found < max) {
        uint8_t *padded = arena_alloc(a, cut + (max - found));
        if (cut > 0) {
            memcpy(padded, text.data, cut);
        }
        memset(padded + cut, ' ', max - found);
        *d = datum_bytes(bytes_of(padded, cut + (max - found)));
    }
    return STATUS_OK;
}

/* Half away from zero, as AdjustIntervalForTypmod. */
static int64_t round_fraction(int64_t us, int precision)
{
    int64_t unit = 1;
    for (int i = precision; i < MICROSECOND_DIGITS; i++) {
        unit *= 10;
    }
    int64_t half = unit / 2;
    return us >= 0 ? (us + half) / unit * unit : -((-us + half) / unit * unit);
}

static struct interval keep_fields(struct interval v, int range)
{
    const int64_t hour = INT64_C(3600000000);
    const int64_t minute = INT64_C(60000000);
    const int year_bit = 1 << INTERVAL_YEAR_BIT;
    if (range == INTERVAL_RANGE_FULL || (range & (1 << INTERVAL_SECOND_BIT)) != 0) {
        return v;
    }
    if ((range & (1 << INTERVAL_MINUTE_BIT)) != 0) {
        v.us = v.us / minute * minute;
    } else if ((range & (1 << INTERVAL_HOUR_BIT)) != 0) {
        v.us = v.us / hour * hour;
    } else {
        v.us = 0;
        if ((range & (1 << INTERVAL_DAY_BIT)) == 0) {
            v.days = 0;
        }
    }
    if (range == year_bit) {
        v.months = v.months / 12 * 12;
    }
    return v;
}

static void fit_interval(int32_t typmod, struct arena *a, struct datum *d)
{
    int precision = typmod & INTERVAL_PRECISION_FULL;
    int range = (typmod >> 16) & INTERVAL_RANGE_FULL;
    struct interval v = keep_fields(interval_load(d->v.p), range);
    if (precision < MICROSECOND_DIGITS) {
        v.us = round_fraction(v.us, precision);
    }
    uint8_t *stored = arena_alloc(a, INTERVAL_BYTES);
    interval_store(stored, v);
    *d = datum_bytes(bytes_of(stored, INTERVAL_BYTES));
}

enum status datum_apply_typmod(const struct type *type, bool explicit_cast, struct arena *a, struct datum *d,
                               struct error *err)
{
    if (type->typmod < 0 || d->null) {
        return STATUS_OK;
    }
    switch (type->kind) {
    case TYPE_NUMERIC:
        return decimal_apply_typmod(a, type->typmod, d, err);
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
        return fit_text(type, explicit_cast, a, d, err);
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        d->v.i = timestamp_round(d->v.i, type->typmod);
        break;
    case TYPE_INTERVAL:
        fit_interval(type->typmod, a, d);
        break;
    case TYPE_UNKNOWN:
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_TEXT:
    case TYPE_BYTEA:
    case TYPE_DATE:
    case TYPE_UUID:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        break;
    }
    return STATUS_OK;
}
