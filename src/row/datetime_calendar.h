/* The proleptic Gregorian calendar beneath datetime.h: Julian days, civil fields and the ranges of PostgreSQL's types.
 * For this folder only. @thread any */
#ifndef ROW_DATETIME_CALENDAR_H
#define ROW_DATETIME_CALENDAR_H

#include "base/int128.h"

#include <stdbool.h>
#include <stdint.h>

#define DATETIME_US_PER_SECOND INT64_C(1000000)
#define DATETIME_US_PER_MINUTE INT64_C(60000000)
#define DATETIME_US_PER_HOUR   INT64_C(3600000000)
/* The Julian day of 2000-01-01, where dates and timestamps count from. */
#define DATETIME_JULIAN_2000 INT64_C(2451545)

/* Fields of a moment; year 0 is 1 BC. A parser may hold values outside a calendar's until it has checked them. */
struct civil {
    int64_t year;
    int month;
    int day;
    int hour;
    int minute;
    int second;
    int us;
};

int64_t datetime_julian(int64_t year, int month, int day);
/* Sets year, month and day. */
void datetime_civil_date(int64_t julian, struct civil *out);
/* Sets all fields of microseconds since 2000-01-01. */
void datetime_split(int64_t us, struct civil *out);
/* False where the moment is outside the range of timestamps. */
bool datetime_join(const struct civil *c, int64_t *us);
/* False where the day is outside the range of dates. */
bool datetime_join_date(const struct civil *c, int64_t *days);
int datetime_days_in_month(int64_t year, int month);
bool datetime_is_valid_timestamp(int128 us);
bool datetime_is_valid_date(int128 days);
/* Rounds to `precision` digits after the second, half away from zero; -1 and 6 keep all. */
int64_t datetime_round(int64_t us, int precision);
/* 0 = Sunday. */
int datetime_weekday(int64_t julian);
/* The week's number and the year it belongs to, by ISO 8601. */
int datetime_iso_week(int64_t julian, int64_t *iso_year);

static inline int64_t datetime_floor_div(int64_t x, int64_t positive)
{
    int64_t q = x / positive;
    return x % positive < 0 ? q - 1 : q;
}
static inline bool datetime_is_infinite(int64_t us)
{
    return us == INT64_MAX || us == INT64_MIN;
}
static inline bool datetime_is_infinite_date(int64_t days)
{
    return days == INT32_MAX || days == INT32_MIN;
}

#endif
