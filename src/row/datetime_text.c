/* Dates, times and timestamps from text and to text. What PostgreSQL prints is read by a short path, all else by the
 * decoder. */
#include "row/datetime.h"

#include "row/datetime_calendar.h"
#include "row/datetime_decode.h"
#include "row/datetime_token.h"

enum { PRECISION_MAX = 6 };

static const int64_t precision_units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};

/* Half away from zero, as adding half a unit to the magnitude does. */
int64_t datetime_round(int64_t us, int precision)
{
    if (precision < 0 || precision >= PRECISION_MAX) {
        return us;
    }
    /* PostgreSQL lets the sum wrap around at the end of the range, so it does here. */
    int64_t unit = precision_units[precision];
    uint64_t magnitude = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    int64_t rounded = (int64_t)(magnitude + (uint64_t)unit / 2) / unit * unit;
    return us < 0 ? -rounded : rounded;
}

int64_t timestamp_round(int64_t us, int precision)
{
    return datetime_is_infinite(us) ? us : datetime_round(us, precision);
}

static enum status refuse(enum decode_outcome outcome, const char *type_name, struct bytes text, struct error *err)
{
    int len = (int)(text.len < 512 ? text.len : 512);
    const char *data = len > 0 ? (const char *)text.data : "";
    switch (outcome) {
    case DECODE_RANGE:
        return error_set(err, STATUS_INVALID, 0, "date/time field value out of range: \"%.*s\"", len, data);
    case DECODE_ZONE_RANGE:
        return error_set(err, STATUS_INVALID, 0, "time zone displacement out of range: \"%.*s\"", len, data);
    case DECODE_ZONE_NAME:
        return error_set(err, STATUS_UNSUPPORTED, 0,
                         "could not read %s \"%.*s\": the only time zones known are UTC and numeric offsets", type_name,
                         len, data);
    case DECODE_CLOCK:
        return error_set(err, STATUS_UNSUPPORTED, 0, "could not read %s \"%.*s\": it depends on the clock", type_name,
                         len, data);
    case DECODE_OK:
    case DECODE_SYNTAX:
    default:
        return error_set(err, STATUS_INVALID, 0, "invalid input syntax for type %s: \"%.*s\"", type_name, len, data);
    }
}

static bool digits(const uint8_t *at, size_t count, int *out)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)at[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + (int)digit;
    }
    *out = value;
    return true;
}

/* "YYYY-MM-DD" at the head of `text`; false means "not so plain", not "wrong". */
static bool plain_date(struct bytes text, struct civil *c)
{
    int year = 0;
    if (text.len < 10 || text.data[4] != '-' || text.data[7] != '-' || !digits(text.data, 4, &year) ||
        !digits(text.data + 5, 2, &c->month) || !digits(text.data + 8, 2, &c->day)) {
        return false;
    }
    c->year = year;
    return year > 0 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= datetime_days_in_month(year, c->month);
}

/* "HH:MM:SS" and up to six digits of fraction at the head of `text`; returns how long it is, 0 where it is not so. */
static size_t plain_time(struct bytes text, struct civil *c)
{
    if (text.len < 8 || text.data[2] != ':' || text.data[5] != ':' || !digits(text.data, 2, &c->hour) ||
        !digits(text.data + 3, 2, &c->minute) || !digits(text.data + 6, 2, &c->second) || c->hour > 23 ||
        c->minute > 59 || c->second > 59) {
        return 0;
    }
    c->us = 0;
    if (text.len == 8 || text.data[8] != '.') {
        return 8;
    }
    size_t len = 9;
    while (len < text.len && len < 15 && text.data[len] >= '0' && text.data[len] <= '9') {
        c->us = c->us * 10 + (text.data[len] - '0');
        len++;
    }
    if (len == 9 || (len < text.len && text.data[len] >= '0' && text.data[len] <= '9')) {
        return 0;
    }
    c->us *= (int)precision_units[len - 9];
    return len;
}

static bool plain_timestamp(struct bytes text, struct civil *c)
{
    if (text.len < 19 || (text.data[10] != ' ' && text.data[10] != 'T') || !plain_date(text, c)) {
        return false;
    }
    struct bytes rest = bytes_of(text.data + 11, text.len - 11);
    size_t len = plain_time(rest, c);
    if (len == 0) {
        return false;
    }
    rest = bytes_of(rest.data + len, rest.len - len);
    return rest.len == 0 || (rest.len == 3 && memcmp(rest.data, "+00", 3) == 0);
}

enum status date_parse(struct bytes text, int64_t *out, struct error *err)
{
    struct decoded decoded = {.special = WORD_UNKNOWN};
    if (text.len == 10 && plain_date(text, &decoded.civil) && datetime_join_date(&decoded.civil, out)) {
        return STATUS_OK;
    }
    struct tokens tokens;
    bool split = token_split(text, TOKEN_DATETIME_BYTES_MAX, &tokens);
    enum decode_outcome outcome = split ? decode_datetime(&tokens, &decoded) : DECODE_SYNTAX;
    if (outcome != DECODE_OK) {
        return refuse(outcome, "date", text, err);
    }
    if (decoded.special == WORD_EPOCH) {
        *out = -DATETIME_EPOCH_DAYS;
    } else if (decoded.special != WORD_UNKNOWN) {
        *out = decoded.special == WORD_INFINITY ? DATE_INFINITY : DATE_MINUS_INFINITY;
    } else if (!datetime_join_date(&decoded.civil, out)) {
        return error_set(err, STATUS_INVALID, 0, "date out of range: \"%.*s\"", (int)text.len, (const char *)text.data);
    }
    return STATUS_OK;
}

enum status time_parse(struct bytes text, int precision, int64_t *out, struct error *err)
{
    struct decoded decoded = {.special = WORD_UNKNOWN};
    struct civil *c = &decoded.civil;
    if (plain_time(text, c) != text.len || text.len == 0) {
        struct tokens tokens;
        bool split = token_split(text, TOKEN_DATETIME_BYTES_MAX, &tokens);
        enum decode_outcome outcome = split ? decode_time(&tokens, &decoded) : DECODE_SYNTAX;
        if (outcome != DECODE_OK) {
            return refuse(outcome, "time", text, err);
        }
    }
    int64_t us = ((int64_t)(c->hour * 60 + c->minute) * 60 + c->second) * DATETIME_US_PER_SECOND + c->us;
    *out = datetime_round(us, precision);
    return STATUS_OK;
}

static enum status timestamp_from_decoded(const struct decoded *decoded, bool with_zone, int64_t *out)
{
    if (decoded->special == WORD_EPOCH) {
        *out = -DATETIME_EPOCH_US;
        return STATUS_OK;
    }
    if (decoded->special != WORD_UNKNOWN) {
        *out = decoded->special == WORD_INFINITY ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
        return STATUS_OK;
    }
    struct civil c = decoded->civil;
    if (with_zone) {
        /* The offset counts before the range is checked. */
        c.second -= decoded->zone_east_s;
    }
    return datetime_join(&c, out) ? STATUS_OK : STATUS_INVALID;
}

enum status timestamp_parse(struct bytes text, bool with_zone, int precision, int64_t *out, struct error *err)
{
    struct decoded decoded = {.special = WORD_UNKNOWN};
    if (!plain_timestamp(text, &decoded.civil)) {
        struct tokens tokens;
        bool split = token_split(text, TOKEN_DATETIME_BYTES_MAX, &tokens);
        enum decode_outcome outcome = split ? decode_datetime(&tokens, &decoded) : DECODE_SYNTAX;
        if (outcome != DECODE_OK) {
            return refuse(outcome, with_zone ? "timestamp with time zone" : "timestamp", text, err);
        }
    }
    if (timestamp_from_decoded(&decoded, with_zone, out) != STATUS_OK) {
        return error_set(err, STATUS_INVALID, 0, "timestamp out of range: \"%.*s\"", (int)text.len,
                         (const char *)text.data);
    }
    *out = timestamp_round(*out, precision);
    return STATUS_OK;
}

static uint8_t *put_two(uint8_t *at, int value)
{
    at[0] = (uint8_t)('0' + value / 10);
    at[1] = (uint8_t)('0' + value % 10);
    return at + 2;
}

static uint8_t *put_date(uint8_t *at, const struct civil *c)
{
    int64_t year = c->year > 0 ? c->year : 1 - c->year;
    int64_t high = year / 100;
    if (high >= 100) {
        uint8_t reversed[8];
        size_t count = 0;
        for (int64_t rest = high / 100; rest > 0; rest /= 10) {
            reversed[count++] = (uint8_t)('0' + rest % 10);
        }
        while (count > 0) {
            *at++ = reversed[--count];
        }
    }
    at = put_two(at, (int)(high % 100));
    at = put_two(at, (int)(year % 100));
    *at++ = '-';
    at = put_two(at, c->month);
    *at++ = '-';
    return put_two(at, c->day);
}

static uint8_t *put_time(uint8_t *at, const struct civil *c)
{
    at = put_two(at, c->hour);
    *at++ = ':';
    at = put_two(at, c->minute);
    *at++ = ':';
    at = put_two(at, c->second);
    if (c->us == 0) {
        return at;
    }
    *at++ = '.';
    int rest = c->us;
    for (int unit = 100000; rest > 0; unit /= 10) {
        *at++ = (uint8_t)('0' + rest / unit);
        rest %= unit;
    }
    return at;
}

static uint8_t *put_era(uint8_t *at, const struct civil *c)
{
    if (c->year <= 0) {
        memcpy(at, " BC", 3);
        at += 3;
    }
    return at;
}

void date_print(int64_t days, struct buffer *out)
{
    if (datetime_is_infinite_date(days)) {
        buffer_append_text(out, days > 0 ? "infinity" : "-infinity");
        return;
    }
    struct civil c;
    datetime_civil_date(days + DATETIME_JULIAN_2000, &c);
    uint8_t text[32];
    uint8_t *end = put_era(put_date(text, &c), &c);
    buffer_append(out, text, (size_t)(end - text));
}

void time_print(int64_t us, struct buffer *out)
{
    struct civil c = {.hour = (int)(us / DATETIME_US_PER_HOUR),
                      .minute = (int)(us / DATETIME_US_PER_MINUTE % 60),
                      .second = (int)(us / DATETIME_US_PER_SECOND % 60),
                      .us = (int)(us % DATETIME_US_PER_SECOND)};
    uint8_t text[32];
    uint8_t *end = put_time(text, &c);
    buffer_append(out, text, (size_t)(end - text));
}

void timestamp_print(int64_t us, bool with_zone, struct buffer *out)
{
    if (datetime_is_infinite(us)) {
        buffer_append_text(out, us > 0 ? "infinity" : "-infinity");
        return;
    }
    struct civil c;
    datetime_split(us, &c);
    uint8_t text[48];
    uint8_t *at = put_date(text, &c);
    *at++ = ' ';
    at = put_time(at, &c);
    if (with_zone) {
        memcpy(at, "+00", 3);
        at += 3;
    }
    at = put_era(at, &c);
    buffer_append(out, text, (size_t)(at - text));
}
