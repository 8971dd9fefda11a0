/* ISO years are astronomical: 0000 is 1 BC. The codes for infinity are what Debezium 3.3 sends: java.sql's extreme
 * timestamps in milli- or microseconds, and PostgreSQL's infinite day moved to 1970 in 32 bits. */
#include "ingest/debezium_time.h"

#include "base/int128.h"
#include "row/datetime.h"

#include <inttypes.h>
#include <strings.h>

#define DATE_MIN          INT64_C(-2451545)   /* 4714-11-24 BC, in days since 2000-01-01 */
#define DATE_END          INT64_C(2145031949) /* 5874898-01-01 */
#define TIMESTAMP_MIN     INT64_C(-211813488000000000)
#define TIMESTAMP_END     INT64_C(9223371331200000000)
#define INFINITE_MS       INT64_C(9223372036825200)
#define MINUS_INFINITE_MS INT64_C(-9223372036832400)

enum { INFINITE_DAYS = -2147472692, MINUS_INFINITE_DAYS = -2147472691, YEAR_DIGITS_MAX = 7 };

struct cursor {
    const uint8_t *p;
    const uint8_t *end;
};

static enum status not_understood(const char *what, struct bytes text, struct error *err)
{
    return error_set(err, STATUS_INVALID, 0, "\"%.*s\" is no %s", (int)(text.len < 80 ? text.len : 80),
                     (const char *)text.data, what);
}

enum status debezium_date_from_days(int64_t epoch_days, int64_t *out, struct error *err)
{
    if (epoch_days == INFINITE_DAYS || epoch_days == MINUS_INFINITE_DAYS) {
        *out = epoch_days == INFINITE_DAYS ? DATE_INFINITY : DATE_MINUS_INFINITY;
        return STATUS_OK;
    }
    if (epoch_days < DATE_MIN + DATETIME_EPOCH_DAYS || epoch_days >= DATE_END + DATETIME_EPOCH_DAYS) {
        return error_set(err, STATUS_INVALID, 0, "date out of range: %" PRId64 " days since 1970-01-01", epoch_days);
    }
    *out = epoch_days - DATETIME_EPOCH_DAYS;
    return STATUS_OK;
}

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

/* In microseconds; false on overflow. */
static bool to_micros(int64_t value, enum debezium_form form, int64_t *out)
{
    if (form == FORM_MILLIS) {
        return !__builtin_mul_overflow(value, INT64_C(1000), out);
    }
    *out = form == FORM_NANOS ? floor_divide(value, 1000) : value;
    return true;
}

static const char *unit_name(enum debezium_form form)
{
    return form == FORM_MILLIS ? "milliseconds" : form == FORM_NANOS ? "nanoseconds" : "microseconds";
}

enum status debezium_time_from_number(int64_t value, enum debezium_form form, int64_t *out, struct error *err)
{
    if (!to_micros(value, form, out) || *out < 0 || *out > DATETIME_US_PER_DAY) {
        return error_set(err, STATUS_INVALID, 0, "time out of range: %" PRId64 " %s since midnight", value,
                         unit_name(form));
    }
    return STATUS_OK;
}

/* Microseconds since 1970 to since 2000, with the codes for infinity. */
static bool from_epoch(int64_t us, int64_t *out)
{
    if (us == INFINITE_MS * 1000 || us == MINUS_INFINITE_MS * 1000) {
        *out = us > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
        return true;
    }
    return !__builtin_sub_overflow(us, DATETIME_EPOCH_US, out) && *out >= TIMESTAMP_MIN && *out < TIMESTAMP_END;
}

enum status debezium_timestamp_from_number(int64_t value, enum debezium_form form, int64_t *out, struct error *err)
{
    int64_t us;
    if (form == FORM_NANOS && (value == INT64_MAX || value == INT64_MIN)) {
        *out = value > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
        return STATUS_OK;
    }
    if (!to_micros(value, form, &us) || !from_epoch(us, out)) {
        return error_set(err, STATUS_INVALID, 0, "timestamp out of range: %" PRId64 " %s since 1970-01-01", value,
                         unit_name(form));
    }
    return STATUS_OK;
}

enum status debezium_duration_from_number(int64_t value, enum debezium_form form, int64_t *out, struct error *err)
{
    if (!to_micros(value, form, out)) {
        return error_set(err, STATUS_INVALID, 0, "interval out of range: %" PRId64 " %s", value, unit_name(form));
    }
    return STATUS_OK;
}

/* ---- text ---- */

static bool is_digit(const struct cursor *c)
{
    return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

static bool take(struct cursor *c, char wanted)
{
    if (c->p < c->end && *c->p == (uint8_t)wanted) {
        c->p += 1;
        return true;
    }
    return false;
}

/* From `min` to `max` digits. */
static bool take_number(struct cursor *c, int min, int max, int64_t *out)
{
    int digits = 0;
    *out = 0;
    for (; digits < max && is_digit(c); digits++, c->p++) {
        *out = *out * 10 + (*c->p - '0');
    }
    return digits >= min;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar; years begin in March to put leap days last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t m = month <= 2 ? month + 9 : month - 3;
    return 365 * y + floor_divide(y, 4) - floor_divide(y, 100) + floor_divide(y, 400) + (153 * m + 2) / 5 + day - 1 -
           719468;
}

static bool take_date(struct cursor *c, int64_t *epoch_days)
{
    static const uint8_t month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year;
    int64_t month;
    int64_t day;
    bool negative = take(c, '-');
    if (!negative) {
        (void)take(c, '+');
    }
    if (!take_number(c, 4, YEAR_DIGITS_MAX, &year) || !take(c, '-') || !take_number(c, 2, 2, &month) || !take(c, '-') ||
        !take_number(c, 2, 2, &day) || month < 1 || month > 12 || day < 1 || day > month_days[month - 1]) {
        return false;
    }
    year = negative ? -year : year;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    *epoch_days = days_of(year, month, day);
    return leap || month != 2 || day < 29;
}

/* "12:34:56.123456789", seconds and fraction optional as Java leaves them out; digits past six are rounded. */
static bool take_time(struct cursor *c, int64_t *us)
{
    int64_t hour;
    int64_t minute;
    int64_t second = 0;
    int64_t fraction = 0;
    if (!take_number(c, 2, 2, &hour) || !take(c, ':') || !take_number(c, 2, 2, &minute) ||
        (take(c, ':') && !take_number(c, 2, 2, &second))) {
        return false;
    }
    if (take(c, '.')) {
        const uint8_t *start = c->p;
        if (!take_number(c, 1, 9, &fraction)) {
            return false;
        }
        for (int digits = (int)(c->p - start); digits < 9; digits++) {
            fraction *= 10;
        }
    }
    bool midnight = hour == 24 && minute == 0 && second == 0 && fraction == 0;
    *us = ((hour * 60 + minute) * 60 + second) * 1000000 + (fraction + 500) / 1000;
    return (hour < 24 || midnight) && minute < 60 && second < 60;
}

/* "Z", "+02:00", "-0330", "+02" or nothing; `*us` is how far east of Greenwich. */
static bool take_zone(struct cursor *c, int64_t *us)
{
    int64_t hours = 0;
    int64_t minutes = 0;
    bool east = take(c, '+');
    bool west = !east && take(c, '-');
    if (!east && !west) {
        *us = 0;
        (void)take(c, 'Z');
        return c->p == c->end;
    }
    if (!take_number(c, 2, 2, &hours)) {
        return false;
    }
    (void)take(c, ':');
    if (is_digit(c) && !take_number(c, 2, 2, &minutes)) {
        return false;
    }
    *us = (hours * 60 + minutes) * 60 * 1000000 * (west ? -1 : 1);
    return c->p == c->end && hours < 24 && minutes < 60;
}

/* 1 or -1 where the text is a word for infinity. */
static int infinity_of(struct bytes text)
{
    const char *p = (const char *)text.data;
    if (text.len == 8 && strncasecmp(p, "infinity", 8) == 0) {
        return 1;
    }
    return text.len == 9 && strncasecmp(p, "-infinity", 9) == 0 ? -1 : 0;
}

enum status debezium_date_from_text(struct bytes text, int64_t *out, struct error *err)
{
    struct cursor c = {text.data, text.data + text.len};
    int64_t days;
    int64_t zone;
    int infinite = infinity_of(text);
    if (infinite != 0) {
        *out = infinite > 0 ? DATE_INFINITY : DATE_MINUS_INFINITY;
        return STATUS_OK;
    }
    if (!take_date(&c, &days) || !take_zone(&c, &zone)) {
        return not_understood("ISO 8601 date", text, err);
    }
    return debezium_date_from_days(days, out, err);
}

enum status debezium_time_from_text(struct bytes text, int64_t *out, struct error *err)
{
    struct cursor c = {text.data, text.data + text.len};
    int64_t zone;
    if (!take_time(&c, out) || !take_zone(&c, &zone)) {
        return not_understood("ISO 8601 time", text, err);
    }
    return STATUS_OK;
}

enum status debezium_timestamp_from_text(struct bytes text, bool with_zone, int64_t *out, struct error *err)
{
    struct cursor c = {text.data, text.data + text.len};
    int64_t days;
    int64_t us;
    int64_t zone;
    int infinite = infinity_of(text);
    if (infinite != 0) {
        *out = infinite > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
        return STATUS_OK;
    }
    if (!take_date(&c, &days) || !(take(&c, 'T') || take(&c, ' ')) || !take_time(&c, &us) || !take_zone(&c, &zone)) {
        return not_understood("ISO 8601 timestamp", text, err);
    }
    /* The midnight before -infinity's code is below what 64 bits hold. */
    int128 since_epoch = (int128)days * DATETIME_US_PER_DAY + us - (with_zone ? zone : 0);
    if (since_epoch != (int64_t)since_epoch || !from_epoch((int64_t)since_epoch, out)) {
        return error_set(err, STATUS_INVALID, 0, "timestamp out of range: \"%.*s\"",
                         (int)(text.len < 80 ? text.len : 80), (const char *)text.data);
    }
    return STATUS_OK;
}
