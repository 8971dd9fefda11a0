/* Dates, times, timestamps and intervals: text in and out, arithmetic, fields. Values as in datum.h; the calendar is
 * the proleptic Gregorian one; the session time zone is UTC. Everything as
 * src/backend/utils/adt/{date,timestamp,datetime}.c of PostgreSQL 15, errors with PostgreSQL's words. @thread any */
#ifndef ROW_DATETIME_H
#define ROW_DATETIME_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/int128.h"

#include <stdbool.h>
#include <stdint.h>

#define DATE_INFINITY            INT32_MAX
#define DATE_MINUS_INFINITY      INT32_MIN
#define TIMESTAMP_INFINITY       INT64_MAX
#define TIMESTAMP_MINUS_INFINITY INT64_MIN
#define DATETIME_US_PER_DAY      INT64_C(86400000000)
/* Days and microseconds between 1970-01-01 and 2000-01-01. */
#define DATETIME_EPOCH_DAYS INT64_C(10957)
#define DATETIME_EPOCH_US   (DATETIME_EPOCH_DAYS * DATETIME_US_PER_DAY)

struct interval {
    int64_t us;
    int32_t days;
    int32_t months;
};
struct interval interval_load(const uint8_t *sixteen);
void interval_store(uint8_t *sixteen, struct interval value);
/* Total span in microseconds at 30 days a month, 24 hours a day: what comparison goes by. */
int128 interval_span(struct interval value);

/* Text in: ISO forms, what PostgreSQL itself prints, "infinity", "BC", and the usual spellings in literals ("2024-1-5",
 * "20240105", "Jan 5 2024", "2024-01-05T10:00:00Z", "+02", "10:00 PM"). `precision` 0..6 rounds, -1 = 6. Time zone
 * names other than UTC, GMT, Z and numeric offsets are STATUS_UNSUPPORTED. */
enum status date_parse(struct bytes text, int64_t *out, struct error *err);
enum status time_parse(struct bytes text, int precision, int64_t *out, struct error *err);
enum status timestamp_parse(struct bytes text, bool with_zone, int precision, int64_t *out, struct error *err);
enum status interval_parse(struct bytes text, int precision, struct interval *out,
                           struct error *err); /* postgres, verbose, ISO 8601 */
void date_print(int64_t days, struct buffer *out);
void time_print(int64_t us, struct buffer *out);
void timestamp_print(int64_t us, bool with_zone,
                     struct buffer *out); /* "2024-02-29 12:34:56.789+00", "0044-03-15 12:00:00 BC" */
void interval_print(struct interval value, struct buffer *out); /* IntervalStyle postgres */

/* Rounds to `precision` fractional digits; infinities stay. */
int64_t timestamp_round(int64_t us, int precision);

enum status date_to_timestamp(int64_t days, int64_t *us, struct error *err);
int64_t timestamp_to_date(int64_t us);
int64_t timestamp_to_time(int64_t us);
enum status date_add_days(int64_t date, int64_t days, int64_t *out, struct error *err);
/* date - date, in days; "cannot subtract infinite dates". */
enum status date_subtract(int64_t x, int64_t y, int64_t *out, struct error *err);
enum status timestamp_add_interval(int64_t us, struct interval value, int64_t *out, struct error *err);
enum status timestamp_subtract(int64_t x, int64_t y, struct interval *out,
                               struct error *err); /* days and time, as PostgreSQL */
/* age(x, y): symbolic years, months, days. Infinity counts as its number, as in PostgreSQL; -infinity is the caller's
 * to refuse: "timestamp out of range". */
struct interval timestamp_age(int64_t x, int64_t y);
int64_t time_add_interval(int64_t us, struct interval value); /* wraps at midnight */
enum status interval_add(struct interval x, struct interval y, struct interval *out, struct error *err);
enum status interval_negate(struct interval x, struct interval *out, struct error *err);
enum status interval_multiply(struct interval x, double factor, struct interval *out, struct error *err);
enum status interval_divide(struct interval x, double divisor, struct interval *out, struct error *err);
struct interval interval_justify_hours(struct interval x);
struct interval interval_justify_days(struct interval x);

enum datetime_field {
    FIELD_MICROSECONDS,
    FIELD_MILLISECONDS,
    FIELD_SECOND,
    FIELD_MINUTE,
    FIELD_HOUR,
    FIELD_DAY,
    FIELD_WEEK,
    FIELD_MONTH,
    FIELD_QUARTER,
    FIELD_YEAR,
    FIELD_DECADE,
    FIELD_CENTURY,
    FIELD_MILLENNIUM,
    FIELD_DOW,
    FIELD_ISODOW,
    FIELD_DOY,
    FIELD_ISOYEAR,
    FIELD_EPOCH,
    FIELD_JULIAN,
    FIELD_TIMEZONE,
    FIELD_TIMEZONE_HOUR,
    FIELD_TIMEZONE_MINUTE
};
/* False where `name` (any case, PostgreSQL's abbreviations and plurals included) is no field. */
bool datetime_field_from_name(struct bytes name, enum datetime_field *out);
/* A field as an exact decimal: `coefficient` * 10^-`scale`, with the scale that extract() prints (seconds 6,
 * milliseconds 3, epoch 6, others 0). `infinite` -1/+1 where extract() gives +-Infinity, `null` where it gives NULL
 * (e.g. day of infinity). Errors: "unit \"x\" not supported for type date". */
struct datetime_part {
    int128 coefficient;
    int32_t scale;
    int infinite;
    bool null;
};
enum status date_extract(enum datetime_field field, int64_t days, struct datetime_part *out, struct error *err);
enum status time_extract(enum datetime_field field, int64_t us, struct datetime_part *out, struct error *err);
enum status timestamp_extract(enum datetime_field field, int64_t us, bool with_zone, struct datetime_part *out,
                              struct error *err);
enum status interval_extract(enum datetime_field field, struct interval value, struct datetime_part *out,
                             struct error *err);
enum status timestamp_truncate(enum datetime_field field, int64_t us, int64_t *out, struct error *err); /* date_trunc */
enum status interval_truncate(enum datetime_field field, struct interval value, struct interval *out,
                              struct error *err);
/* date_bin(stride, source, origin) */
enum status timestamp_bin(struct interval stride, int64_t us, int64_t origin, int64_t *out, struct error *err);
/* make_date and friends; false where out of range. */
bool date_from_parts(int64_t year, int month, int day, int64_t *days);

#endif
