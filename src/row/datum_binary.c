/* PostgreSQL's binary wire forms, all big-endian: typsend and typreceive of version 15.
 *   bool 1 byte | int2/4/8 | float4/8 IEEE | date i32 days | time, timestamp[tz] i64 us, since 2000-01-01
 *   interval i64 us, i32 days, i32 months | text kinds, bytea, json the bytes | jsonb 01 then text | uuid 16 bytes
 *   numeric u16 groups, i16 weight, u16 sign, u16 scale, then groups of four digits as u16 */
#include "row/datum.h"

#include "base/memory.h"
#include "row/datetime.h"
#include "row/decimal.h"
#include "row/decimal_digits.h"
#include "row/json.h"

#include <math.h>

enum {
    UUID_BYTES = 16,
    INTERVAL_BYTES = 16,
    JSONB_VERSION = 1,
    NUMERIC_HEAD_BYTES = 8,
    GROUP_DIGITS = 4,
    GROUP_MAX = 9999,
    SIGN_POSITIVE = 0x0000,
    SIGN_NEGATIVE = 0x4000,
    SIGN_NAN = 0xc000,
    SIGN_INFINITY = 0xd000,
    SIGN_MINUS_INFINITY = 0xf000,
    INFINITY_SCALE = 32 /* what numeric_send makes of the bits of an infinity's head */
};

/* IS_VALID_DATE and IS_VALID_TIMESTAMP: 4714-11-24 BC up to, not including, 5874898-01-01 and 294277-01-01. */
static const int64_t date_min = -2451545;
static const int64_t date_end = 2145031949;
static const int64_t timestamp_min = INT64_C(-211813488000000000);
static const int64_t timestamp_end = INT64_C(9223371331200000000);

static enum status bad_length(const struct type *type, size_t len, struct error *err)
{
    char name[TYPE_NAME_BYTES];
    return error_set(err, STATUS_INVALID, 0, "incorrect binary data format: %zu bytes for type %s", len,
                     type_text(type, name));
}

/* ---- numeric ---- */

static enum status bad_numeric(const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID, 0, "invalid %s in external \"numeric\" value", what);
}

/* Digits past the display scale are cut off, as numeric_recv does. */
static enum status receive_groups(struct bytes groups, int weight, bool negative, uint16_t scale, struct arena *a,
                                  struct datum *out, struct error *err)
{
    size_t count = groups.len / 2;
    uint8_t *digits = mem_alloc(groups.len * 2 + 1);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned group = load_be16(groups.data + 2 * i);
        if (group > GROUP_MAX) {
            mem_free(digits);
            return bad_numeric("digit", err);
        }
        digits[len++] = (uint8_t)('0' + group / 1000);
        digits[len++] = (uint8_t)('0' + group / 100 % 10);
        digits[len++] = (uint8_t)('0' + group / 10 % 10);
        digits[len++] = (uint8_t)('0' + group % 10);
    }
    /* The digits' own scale; the shown one is reached by cutting or padding. */
    int64_t own = ((int64_t)count - weight - 1) * GROUP_DIGITS;
    while (len > 0 && own > scale) {
        len--;
        own--;
    }
    struct datum value;
    enum status st = decimal_from_digits(a, negative, bytes_of(digits, len), len == 0 ? 0 : own, &value, err);
    mem_free(digits);
    TRY(st);
    *out = decimal_truncate(a, &value, scale);
    return STATUS_OK;
}

static enum status receive_numeric(const struct type *type, struct bytes data, struct arena *a, struct datum *out,
                                   struct error *err)
{
    if (data.len < NUMERIC_HEAD_BYTES) {
        return bad_length(type, data.len, err);
    }
    size_t count = load_be16(data.data);
    int weight = (int16_t)load_be16(data.data + 2);
    unsigned sign = load_be16(data.data + 4);
    uint16_t scale = load_be16(data.data + 6);
    if (data.len != NUMERIC_HEAD_BYTES + 2 * count) {
        return bad_length(type, data.len, err);
    }
    if (scale > DECIMAL_SCALE_MAX) {
        return bad_numeric("scale", err);
    }
    struct bytes groups = bytes_of(data.data + NUMERIC_HEAD_BYTES, 2 * count);
    switch (sign) {
    case SIGN_POSITIVE:
    case SIGN_NEGATIVE:
        return receive_groups(groups, weight, sign == SIGN_NEGATIVE, scale, a, out, err);
    case SIGN_NAN:
        *out = decimal_special(DECIMAL_NAN);
        return STATUS_OK;
    case SIGN_INFINITY:
        *out = decimal_special(DECIMAL_INFINITY);
        return STATUS_OK;
    case SIGN_MINUS_INFINITY:
        *out = decimal_special(DECIMAL_MINUS_INFINITY);
        return STATUS_OK;
    default:
        return bad_numeric("sign", err);
    }
}

static void append_be16(struct buffer *out, unsigned value)
{
    store_be16(buffer_reserve(out, 2), (uint16_t)value);
    out->len += 2;
}

static void append_head(struct buffer *out, size_t count, int64_t weight, unsigned sign, int32_t scale)
{
    append_be16(out, (unsigned)count);
    append_be16(out, (unsigned)weight & 0xffff);
    append_be16(out, sign);
    append_be16(out, (unsigned)scale);
}

static void send_finite(const struct datum *d, struct buffer *out)
{
    struct buffer digits = BUFFER_EMPTY;
    decimal_append_digits(d, &digits);
    int64_t whole = (int64_t)digits.len - decimal_scale(d); /* digits before the point */
    int64_t weight = (whole - 1 >= 0 ? whole - 1 : whole - GROUP_DIGITS) / GROUP_DIGITS;
    size_t skip = (size_t)((weight + 1) * GROUP_DIGITS - whole); /* zeros before the first digit in its group */
    while (digits.len > 0 && digits.data[digits.len - 1] == '0') {
        digits.len--;
    }
    size_t count = digits.len == 0 ? 0 : (skip + digits.len + GROUP_DIGITS - 1) / GROUP_DIGITS;
    append_head(out, count, digits.len == 0 ? 0 : weight, decimal_sign(d) < 0 ? SIGN_NEGATIVE : SIGN_POSITIVE,
                decimal_scale(d));
    for (size_t i = 0; i < count; i++) {
        unsigned group = 0;
        for (size_t k = i * GROUP_DIGITS; k < (i + 1) * GROUP_DIGITS; k++) {
            unsigned digit = k < skip || k - skip >= digits.len ? 0 : (unsigned)(digits.data[k - skip] - '0');
            group = group * 10 + digit;
        }
        append_be16(out, group);
    }
    buffer_release(&digits);
}

static void send_numeric(const struct datum *d, struct buffer *out)
{
    switch (decimal_kind(d)) {
    case DECIMAL_FINITE:
        send_finite(d, out);
        return;
    case DECIMAL_NAN:
        append_head(out, 0, 0, SIGN_NAN, 0);
        return;
    case DECIMAL_INFINITY:
        append_head(out, 0, 0, SIGN_INFINITY, INFINITY_SCALE);
        return;
    case DECIMAL_MINUS_INFINITY:
        append_head(out, 0, 0, SIGN_MINUS_INFINITY, INFINITY_SCALE);
        return;
    }
}

/* ---- receiving ---- */

/* Bytes of the kinds with a fixed form, 0 for the others. */
static size_t fixed_bytes(enum type_kind kind)
{
    static const uint8_t sizes[TYPE_KIND_COUNT] = {
        [TYPE_BOOL] = 1,      [TYPE_INT2] = 2,        [TYPE_INT4] = 4,      [TYPE_INT8] = 8,
        [TYPE_FLOAT4] = 4,    [TYPE_FLOAT8] = 8,      [TYPE_DATE] = 4,      [TYPE_TIME] = 8,
        [TYPE_TIMESTAMP] = 8, [TYPE_TIMESTAMPTZ] = 8, [TYPE_INTERVAL] = 16, [TYPE_UUID] = 16,
    };
    return sizes[kind];
}

static enum status receive_timestamp(int64_t us, struct datum *out, struct error *err)
{
    bool infinite = us == TIMESTAMP_INFINITY || us == TIMESTAMP_MINUS_INFINITY;
    if (!infinite && (us < timestamp_min || us >= timestamp_end)) {
        return error_set(err, STATUS_INVALID, 0, "timestamp out of range");
    }
    out->v.i = us;
    return STATUS_OK;
}

static enum status receive_date(int64_t days, struct datum *out, struct error *err)
{
    bool infinite = days == DATE_INFINITY || days == DATE_MINUS_INFINITY;
    if (!infinite && (days < date_min || days >= date_end)) {
        return error_set(err, STATUS_INVALID, 0, "date out of range");
    }
    out->v.i = days;
    return STATUS_OK;
}

static double receive_float(const uint8_t *p, bool narrow)
{
    double value;
    if (narrow) {
        uint32_t bits = load_be32(p);
        float f;
        memcpy(&f, &bits, sizeof f);
        value = (double)f;
    } else {
        uint64_t bits = load_be64(p);
        memcpy(&value, &bits, sizeof value);
    }
    return isnan(value) ? (double)NAN : value;
}

static void receive_interval(const uint8_t *p, struct arena *a, struct datum *out)
{
    struct interval value = {
        .us = (int64_t)load_be64(p), .days = (int32_t)load_be32(p + 8), .months = (int32_t)load_be32(p + 12)};
    uint8_t *stored = arena_alloc(a, INTERVAL_BYTES);
    interval_store(stored, value);
    *out = datum_bytes(bytes_of(stored, INTERVAL_BYTES));
}

static enum status receive_document(const struct type *type, struct bytes data, struct arena *a, struct datum *out,
                                    struct error *err)
{
    struct bytes text = data;
    if (type->kind == TYPE_JSONB) {
        if (data.len < 1 || data.data[0] != JSONB_VERSION) {
            return error_set(err, STATUS_INVALID, 0, "unsupported jsonb version number %d",
                             data.len < 1 ? 0 : data.data[0]);
        }
        TRY(json_canonical(bytes_of(data.data + 1, data.len - 1), a, &text, err));
    } else {
        TRY(json_check(data, err));
    }
    *out = datum_bytes(text);
    return STATUS_OK;
}

enum status datum_receive(const struct type *type, struct bytes data, struct arena *a, struct datum *out,
                          struct error *err)
{
    const uint8_t *p = data.data;
    size_t wanted = fixed_bytes(type->kind);
    if (wanted != 0 && data.len != wanted) {
        return bad_length(type, data.len, err);
    }
    *out = (struct datum){0};
    switch (type->kind) {
    case TYPE_BOOL:
        out->v.i = p[0] != 0;
        return STATUS_OK;
    case TYPE_INT2:
        out->v.i = (int16_t)load_be16(p);
        return STATUS_OK;
    case TYPE_INT4:
        out->v.i = (int32_t)load_be32(p);
        return STATUS_OK;
    case TYPE_INT8:
        out->v.i = (int64_t)load_be64(p);
        return STATUS_OK;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        out->v.d = receive_float(p, type->kind == TYPE_FLOAT4);
        return STATUS_OK;
    case TYPE_NUMERIC:
        return receive_numeric(type, data, a, out, err);
    case TYPE_DATE:
        return receive_date((int32_t)load_be32(p), out, err);
    case TYPE_TIME:
        out->v.i = (int64_t)load_be64(p);
        return out->v.i >= 0 && out->v.i <= DATETIME_US_PER_DAY
                   ? STATUS_OK
                   : error_set(err, STATUS_INVALID, 0, "time out of range");
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return receive_timestamp((int64_t)load_be64(p), out, err);
    case TYPE_INTERVAL:
        receive_interval(p, a, out);
        return STATUS_OK;
    case TYPE_JSON:
    case TYPE_JSONB:
        return receive_document(type, data, a, out, err);
    case TYPE_UUID:
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
        *out = datum_bytes(data);
        return STATUS_OK;
    case TYPE_OTHER:
        break;
    }
    return error_set(err, STATUS_UNSUPPORTED, 0, "could not read binary data of type %s: its format is not known",
                     type->name);
}

/* ---- sending ---- */

static void send_be32(struct buffer *out, uint32_t value)
{
    store_be32(buffer_reserve(out, 4), value);
    out->len += 4;
}

static void send_be64(struct buffer *out, uint64_t value)
{
    store_be64(buffer_reserve(out, 8), value);
    out->len += 8;
}

static void send_float(double value, bool narrow, struct buffer *out)
{
    if (narrow) {
        float f = (float)value;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        send_be32(out, bits);
    } else {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        send_be64(out, bits);
    }
}

static void send_interval(struct interval value, struct buffer *out)
{
    send_be64(out, (uint64_t)value.us);
    send_be32(out, (uint32_t)value.days);
    send_be32(out, (uint32_t)value.months);
}

enum status datum_send(const struct type *type, const struct datum *d, struct buffer *out, struct error *err)
{
    switch (type->kind) {
    case TYPE_BOOL:
        buffer_append_byte(out, d->v.i != 0);
        return STATUS_OK;
    case TYPE_INT2:
        append_be16(out, (uint16_t)d->v.i);
        return STATUS_OK;
    case TYPE_INT4:
    case TYPE_DATE:
        send_be32(out, (uint32_t)d->v.i);
        return STATUS_OK;
    case TYPE_INT8:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        send_be64(out, (uint64_t)d->v.i);
        return STATUS_OK;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        send_float(d->v.d, type->kind == TYPE_FLOAT4, out);
        return STATUS_OK;
    case TYPE_NUMERIC:
        send_numeric(d, out);
        return STATUS_OK;
    case TYPE_INTERVAL:
        send_interval(interval_load(d->v.p), out);
        return STATUS_OK;
    case TYPE_UUID:
        buffer_append(out, d->v.p, UUID_BYTES);
        return STATUS_OK;
    case TYPE_JSONB:
        buffer_append_byte(out, JSONB_VERSION);
        buffer_append(out, d->v.p, d->len);
        return STATUS_OK;
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_JSON:
        buffer_append(out, d->v.p, d->len);
        return STATUS_OK;
    case TYPE_OTHER:
        break;
    }
    return error_set(err, STATUS_UNSUPPORTED, 0, "could not write binary data of type %s: its format is not known",
                     type->name);
}
