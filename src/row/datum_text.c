/* Text in and out: the input and output functions of PostgreSQL 15 per kind. Dates and times are datetime.h's, numbers
 * decimal.h's and float_text.h's, documents json.h's. */
#include "row/datum.h"

#include "row/datetime.h"
#include "row/datum_interval.h"
#include "row/decimal.h"
#include "row/float_text.h"
#include "row/json.h"

#include <strings.h>

enum { UUID_BYTES = 16, INTERVAL_BYTES = 16, TEXT_SHOWN_BYTES_MAX = 256 };

static const char hex_digits[] = "0123456789abcdef";

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bytes trim(struct bytes text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text = bytes_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len -= 1;
    }
    return text;
}

static enum status bad_syntax(const char *type, struct bytes text, struct error *err)
{
    int shown = text.len < TEXT_SHOWN_BYTES_MAX ? (int)text.len : TEXT_SHOWN_BYTES_MAX;
    return error_set(err, STATUS_INVALID, 0, "invalid input syntax for type %s: \"%.*s\"", type, shown,
                     text.len > 0 ? (const char *)text.data : "");
}

/* ---- bool and integers ---- */

/* Any beginning of true, false, yes, no; on, off, of; 1, 0. */
static enum status parse_bool(struct bytes text, int64_t *out, struct error *err)
{
    static const struct {
        const char *word;
        size_t bytes_min;
        int64_t value;
    } words[] = {{"true", 1, 1}, {"false", 1, 0}, {"yes", 1, 1}, {"no", 1, 0},
                 {"on", 2, 1},   {"off", 2, 0},   {"1", 1, 1},   {"0", 1, 0}};
    struct bytes word = trim(text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (word.len >= words[i].bytes_min && word.len <= strlen(words[i].word) &&
            strncasecmp((const char *)word.data, words[i].word, word.len) == 0) {
            *out = words[i].value;
            return STATUS_OK;
        }
    }
    return bad_syntax("boolean", text, err);
}

static enum status parse_int(struct bytes text, int64_t min, int64_t max, const char *type, int64_t *out,
                             struct error *err)
{
    struct bytes word = trim(text);
    const uint8_t *p = word.data;
    const uint8_t *end = p + word.len;
    bool negative = word.len > 0 && *p == '-';
    p += word.len > 0 && (*p == '-' || *p == '+');
    if (p == end) {
        return bad_syntax(type, text, err);
    }
    int64_t v = 0; /* of the other sign, which reaches further */
    bool past = false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9') {
            return bad_syntax(type, text, err);
        }
        past |= __builtin_mul_overflow(v, INT64_C(10), &v);
        past |= __builtin_sub_overflow(v, (int64_t)(*p - '0'), &v);
    }
    past |= !negative && v == INT64_MIN;
    if (!past && !negative) {
        v = -v;
    }
    if (past || v < min || v > max) {
        int shown = text.len < TEXT_SHOWN_BYTES_MAX ? (int)text.len : TEXT_SHOWN_BYTES_MAX;
        return error_set(err, STATUS_INVALID, 0, "value \"%.*s\" is out of range for type %s", shown,
                         (const char *)text.data, type);
    }
    *out = v;
    return STATUS_OK;
}

/* ---- bytes ---- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum status bad_hex(const uint8_t *p, const uint8_t *end, struct error *err)
{
    int len = 1; /* the whole character */
    while (p + len < end && (p[len] & 0xc0) == 0x80) {
        len++;
    }
    return error_set(err, STATUS_INVALID, 0, "invalid hexadecimal digit: \"%.*s\"", len, (const char *)p);
}

static enum status parse_hex(struct bytes text, struct arena *a, struct datum *out, struct error *err)
{
    uint8_t *to = arena_alloc(a, text.len / 2 + 1);
    uint8_t *start = to;
    const uint8_t *p = text.data;
    const uint8_t *end = p + text.len;
    while (p < end) {
        if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') {
            p++;
            continue;
        }
        int high = hex_value(*p);
        if (high < 0) {
            return bad_hex(p, end, err);
        }
        if (p + 1 == end) {
            return error_set(err, STATUS_INVALID, 0, "invalid hexadecimal data: odd number of digits");
        }
        int low = hex_value(p[1]);
        if (low < 0) {
            return bad_hex(p + 1, end, err);
        }
        *to++ = (uint8_t)(high << 4 | low);
        p += 2;
    }
    *out = datum_bytes(bytes_of(start, (size_t)(to - start)));
    return STATUS_OK;
}

static bool is_octal(uint8_t c, uint8_t last)
{
    return c >= '0' && c <= last;
}

static enum status parse_escaped(struct bytes text, struct arena *a, struct datum *out, struct error *err)
{
    uint8_t *to = arena_alloc(a, text.len + 1);
    uint8_t *start = to;
    const uint8_t *p = text.data;
    const uint8_t *end = p + text.len;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
        } else if (end - p >= 4 && is_octal(p[1], '3') && is_octal(p[2], '7') && is_octal(p[3], '7')) {
            *to++ = (uint8_t)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
        } else if (end - p >= 2 && p[1] == '\\') {
            *to++ = '\\';
            p += 2;
        } else {
            return error_set(err, STATUS_INVALID, 0, "invalid input syntax for type bytea");
        }
    }
    *out = datum_bytes(bytes_of(start, (size_t)(to - start)));
    return STATUS_OK;
}

static enum status parse_bytea(struct bytes text, struct arena *a, struct datum *out, struct error *err)
{
    if (text.len >= 2 && text.data[0] == '\\' && text.data[1] == 'x') {
        return parse_hex(bytes_of(text.data + 2, text.len - 2), a, out, err);
    }
    return parse_escaped(text, a, out, err);
}

/* 32 hex digits, braces around them or not, a hyphen after any group of four. */
static enum status parse_uuid(struct bytes text, struct arena *a, struct datum *out, struct error *err)
{
    uint8_t *to = arena_alloc(a, UUID_BYTES);
    const uint8_t *p = text.data;
    const uint8_t *end = p + text.len;
    bool braces = text.len > 0 && *p == '{';
    p += braces;
    for (int i = 0; i < UUID_BYTES; i++) {
        int high = end - p >= 2 ? hex_value(p[0]) : -1;
        int low = end - p >= 2 ? hex_value(p[1]) : -1;
        if (high < 0 || low < 0) {
            return bad_syntax("uuid", text, err);
        }
        to[i] = (uint8_t)(high << 4 | low);
        p += 2;
        if (p < end && *p == '-' && i % 2 == 1 && i < UUID_BYTES - 1) {
            p++;
        }
    }
    if (braces && (p == end || *p++ != '}')) {
        return bad_syntax("uuid", text, err);
    }
    if (p != end) {
        return bad_syntax("uuid", text, err);
    }
    *out = datum_bytes(bytes_of(to, UUID_BYTES));
    return STATUS_OK;
}

/* ---- intervals ---- */

static bool is_bare_number(struct bytes text)
{
    size_t at = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+');
    size_t digits = 0;
    size_t points = 0;
    for (; at < text.len; at++) {
        points += text.data[at] == '.';
        digits += text.data[at] >= '0' && text.data[at] <= '9';
        if (text.data[at] != '.' && (text.data[at] < '0' || text.data[at] > '9')) {
            return false;
        }
    }
    return digits > 0 && points <= 1;
}

/* 10:20 */
static bool is_two_parts(struct bytes text)
{
    size_t colons = 0;
    for (size_t i = 0; i < text.len; i++) {
        colons += text.data[i] == ':';
        if (text.data[i] != ':' && (text.data[i] < '0' || text.data[i] > '9')) {
            return false;
        }
    }
    return colons == 1;
}

/* The unit of a number without one: the last field of the range. */
static const char *unit_of_range(int range)
{
    static const struct {
        int bit;
        const char *unit;
    } units[] = {{INTERVAL_SECOND_BIT, "second"}, {INTERVAL_MINUTE_BIT, "minute"}, {INTERVAL_HOUR_BIT, "hour"},
                 {INTERVAL_DAY_BIT, "day"},       {INTERVAL_MONTH_BIT, "month"},   {INTERVAL_YEAR_BIT, "year"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if ((range & (1 << units[i].bit)) != 0) {
            return units[i].unit;
        }
    }
    return "second";
}

static enum status parse_interval(const struct type *type, struct bytes text, struct arena *a, struct datum *out,
                                  struct error *err)
{
    int range = type->typmod < 0 ? INTERVAL_RANGE_FULL : (type->typmod >> 16) & INTERVAL_RANGE_FULL;
    struct bytes word = trim(text);
    struct bytes read = text;
    if (range != INTERVAL_RANGE_FULL && is_bare_number(word)) {
        char *with_unit = arena_printf(a, "%.*s %s", (int)word.len, (const char *)word.data, unit_of_range(range));
        read = bytes_of(with_unit, strlen(with_unit));
    } else if (range == (1 << INTERVAL_MINUTE_BIT | 1 << INTERVAL_SECOND_BIT) && is_two_parts(word)) {
        char *with_hour = arena_printf(a, "00:%.*s", (int)word.len, (const char *)word.data);
        read = bytes_of(with_hour, strlen(with_hour));
    }
    struct interval value;
    TRY(interval_parse(read, -1, &value, err));
    uint8_t *stored = arena_alloc(a, INTERVAL_BYTES);
    interval_store(stored, value);
    *out = datum_bytes(bytes_of(stored, INTERVAL_BYTES));
    return datum_apply_typmod(type, false, a, out, err);
}

/* ---- all kinds ---- */

static enum status parse_document(const struct type *type, struct bytes text, struct arena *a, struct datum *out,
                                  struct error *err)
{
    struct bytes kept = text;
    if (type->kind == TYPE_JSON) {
        TRY(json_check(text, err));
    } else {
        TRY(json_canonical(text, a, &kept, err));
    }
    *out = datum_bytes(kept);
    return STATUS_OK;
}

enum status datum_parse(const struct type *type, struct bytes text, struct arena *a, struct datum *out,
                        struct error *err)
{
    int precision = type->typmod < 0 ? -1 : type->typmod;
    *out = (struct datum){0};
    switch (type->kind) {
    case TYPE_BOOL:
        return parse_bool(text, &out->v.i, err);
    case TYPE_INT2:
        return parse_int(text, INT16_MIN, INT16_MAX, "smallint", &out->v.i, err);
    case TYPE_INT4:
        return parse_int(text, INT32_MIN, INT32_MAX, "integer", &out->v.i, err);
    case TYPE_INT8:
        return parse_int(text, INT64_MIN, INT64_MAX, "bigint", &out->v.i, err);
    case TYPE_NUMERIC:
        TRY(decimal_parse(text, a, out, err));
        return type->typmod < 0 ? STATUS_OK : decimal_apply_typmod(a, type->typmod, out, err);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return float_parse(text, type->kind == TYPE_FLOAT4, &out->v.d, err);
    case TYPE_DATE:
        return date_parse(text, &out->v.i, err);
    case TYPE_TIME:
        return time_parse(text, precision, &out->v.i, err);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return timestamp_parse(text, type->kind == TYPE_TIMESTAMPTZ, precision, &out->v.i, err);
    case TYPE_INTERVAL:
        return parse_interval(type, text, a, out, err);
    case TYPE_BYTEA:
        return parse_bytea(text, a, out, err);
    case TYPE_UUID:
        return parse_uuid(text, a, out, err);
    case TYPE_JSON:
    case TYPE_JSONB:
        return parse_document(type, text, a, out, err);
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
        *out = datum_bytes(text);
        return type->typmod < 0 ? STATUS_OK : datum_apply_typmod(type, false, a, out, err);
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_OTHER:
        break;
    }
    *out = datum_bytes(text);
    return STATUS_OK;
}

static void print_int(int64_t value, struct buffer *out)
{
    enum { ROOM = 24 };
    uint8_t *to = buffer_reserve(out, ROOM);
    uint8_t room[ROOM];
    uint8_t *start = room + ROOM;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--start = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        *--start = '-';
    }
    size_t len = (size_t)(room + ROOM - start);
    memcpy(to, start, len);
    out->len += len;
}

static void print_bytea(struct bytes data, struct buffer *out)
{
    uint8_t *to = buffer_reserve(out, 2 + 2 * data.len);
    *to++ = '\\';
    *to++ = 'x';
    for (size_t i = 0; i < data.len; i++) {
        *to++ = (uint8_t)hex_digits[data.data[i] >> 4];
        *to++ = (uint8_t)hex_digits[data.data[i] & 15];
    }
    out->len += 2 + 2 * data.len;
}

static void print_uuid(const uint8_t *data, struct buffer *out)
{
    enum { TEXT_BYTES = 36 };
    uint8_t *to = buffer_reserve(out, TEXT_BYTES);
    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *to++ = '-';
        }
        *to++ = (uint8_t)hex_digits[data[i] >> 4];
        *to++ = (uint8_t)hex_digits[data[i] & 15];
    }
    out->len += TEXT_BYTES;
}

void datum_print(const struct type *type, const struct datum *d, struct buffer *out)
{
    switch (type->kind) {
    case TYPE_BOOL:
        buffer_append_byte(out, d->v.i != 0 ? 't' : 'f');
        return;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        print_int(d->v.i, out);
        return;
    case TYPE_NUMERIC:
        decimal_print(d, out);
        return;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        float_print(d->v.d, type->kind == TYPE_FLOAT4, out);
        return;
    case TYPE_DATE:
        date_print(d->v.i, out);
        return;
    case TYPE_TIME:
        time_print(d->v.i, out);
        return;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        timestamp_print(d->v.i, type->kind == TYPE_TIMESTAMPTZ, out);
        return;
    case TYPE_INTERVAL:
        interval_print(interval_load(d->v.p), out);
        return;
    case TYPE_BYTEA:
        print_bytea(datum_as_bytes(d), out);
        return;
    case TYPE_UUID:
        print_uuid(d->v.p, out);
        return;
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        buffer_append(out, d->v.p, d->len);
        return;
    }
}
