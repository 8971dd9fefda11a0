/* The short ways accept only what they understand completely; anything unusual (infinity, BC, long numbers, years of
 * five digits) is left to datum_parse, so that they cannot decide differently. */
#include "ingest/pgtext.h"

#include "base/digits.h"
#include "row/datum.h"
#include "row/packed.h"

enum { INT_DIGITS_MAX = DIGITS_SIGNED_MAX };

#define US_PER_DAY INT64_C(86400000000)

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* At most `digits_max` digits with an optional minus sign. */
static bool read_int(struct bytes text, size_t digits_max, int64_t *out)
{
    size_t sign = text.len > 0 && text.data[0] == '-';
    return text.len - sign <= digits_max && digits_signed(text, out);
}

/* A decimal of at most 18 digits: value * 10^-scale. */
static bool read_decimal(struct bytes text, int64_t *value, uint32_t *scale)
{
    size_t at = text.len > 0 && text.data[0] == '-' ? 1 : 0;
    size_t point = 0; /* 0 = not seen: a point is never at 0, PostgreSQL prints a digit before it */
    int64_t v = 0;
    size_t digits = 0;
    for (size_t i = at; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (is_digit(c) && digits < INT_DIGITS_MAX) {
            v = v * 10 + (c - '0');
            digits += 1;
        } else if (c == '.' && point == 0 && digits > 0) {
            point = i;
        } else {
            return false;
        }
    }
    if (digits == 0 || point == text.len - 1) {
        return false;
    }
    *value = at == 1 ? -v : v;
    *scale = point == 0 ? 0 : (uint32_t)(text.len - point - 1);
    return true;
}

static int two_digits(const uint8_t *p)
{
    return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

/* "2024-02-29" at `p`; days since 2000-01-01. */
static bool read_date(const uint8_t *p, int64_t *out)
{
    static const uint8_t month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century = two_digits(p);
    int rest = two_digits(p + 2);
    int month = two_digits(p + 5);
    int day = two_digits(p + 8);
    if (century < 0 || rest < 0 || p[4] != '-' || p[7] != '-' || month < 1 || month > 12 || day < 1 ||
        day > month_days[month - 1]) {
        return false;
    }
    int year = century * 100 + rest;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year == 0 || (month == 2 && day == 29 && !leap)) {
        return false;
    }
    /* Years that begin in March put the leap day last; 730425 is 2000-01-01 counted from 0000-03-01. */
    int y = month <= 2 ? year - 1 : year;
    int m = month <= 2 ? month + 9 : month - 3;
    *out = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 730425;
    return true;
}

/* "12:34:56", "12:34:56.789" up to six digits; microseconds. */
static bool read_time(const uint8_t *p, size_t len, int64_t *out)
{
    if (len < 8 || p[2] != ':' || p[5] != ':') {
        return false;
    }
    int hour = two_digits(p);
    int minute = two_digits(p + 3);
    int second = two_digits(p + 6);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
        return false;
    }
    int64_t fraction = 0;
    if (len > 8) {
        if (p[8] != '.' || len == 9 || len > 15) {
            return false;
        }
        for (size_t i = 9; i < 15; i++) {
            uint8_t c = i < len ? p[i] : '0';
            if (!is_digit(c)) {
                return false;
            }
            fraction = fraction * 10 + (c - '0');
        }
    }
    *out = (((int64_t)hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return true;
}

static bool read_timestamp(struct bytes text, bool with_zone, int64_t *out)
{
    size_t len = text.len;
    if (with_zone) { /* the session's zone is UTC */
        if (len < 22 || memcmp(text.data + len - 3, "+00", 3) != 0) {
            return false;
        }
        len -= 3;
    }
    int64_t days;
    int64_t us;
    if (len < 19 || text.data[10] != ' ' || !read_date(text.data, &days) || !read_time(text.data + 11, len - 11, &us)) {
        return false;
    }
    *out = days * US_PER_DAY + us;
    return true;
}

static bool append_bool(struct buffer *out, struct bytes text)
{
    if (text.len != 1 || (text.data[0] != 't' && text.data[0] != 'f')) {
        return false;
    }
    struct datum d = datum_int(text.data[0] == 't');
    packed_append_datum(out, TYPE_BOOL, &d);
    return true;
}

static bool append_decimal(struct buffer *out, struct bytes text, int32_t typmod)
{
    struct datum d = {0};
    if (!read_decimal(text, &d.v.i, &d.len)) {
        return false;
    }
    if (typmod >= 0 &&
        d.len != (uint32_t)((typmod - 4) & 0x7ff)) { /* another scale than declared: let datum_parse decide */
        return false;
    }
    packed_append_datum(out, TYPE_NUMERIC, &d);
    return true;
}

static bool append_fast(struct buffer *out, const struct type *type, struct bytes text)
{
    int64_t value;
    bool done = false;
    switch (type->kind) {
    case TYPE_BOOL:
        return append_bool(out, text);
    case TYPE_INT2:
        done = read_int(text, 4, &value);
        break;
    case TYPE_INT4:
        done = read_int(text, 9, &value);
        break;
    case TYPE_INT8:
        done = read_int(text, INT_DIGITS_MAX, &value);
        break;
    case TYPE_NUMERIC:
        return append_decimal(out, text, type->typmod);
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        packed_append_str(out, text);
        return true;
    case TYPE_DATE:
        done = text.len == 10 && read_date(text.data, &value);
        break;
    case TYPE_TIME:
        done = read_time(text.data, text.len, &value);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        done = read_timestamp(text, type->kind == TYPE_TIMESTAMPTZ, &value);
        break;
    case TYPE_UNKNOWN:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_BYTEA:
    case TYPE_INTERVAL:
    case TYPE_UUID:
        break;
    }
    if (done) {
        packed_append_int(out, value);
    }
    return done;
}

enum status pgtext_append(struct buffer *out, const struct type *type, struct bytes text, struct arena *scratch,
                          struct error *err)
{
    if (append_fast(out, type, text)) {
        return STATUS_OK;
    }
    struct datum d;
    TRY(datum_parse(type, text, scratch, &d, err));
    packed_append_datum(out, type->kind, &d);
    return STATUS_OK;
}
