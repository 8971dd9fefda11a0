/* Calendar arithmetic by 400-year eras that begin on 1 March, so that the leap day is the last of its year. Years
 * before 1 AD count on: 0 is 1 BC. */
#include "row/datetime_calendar.h"

#include "row/datetime.h"

/* Julian day of 0000-03-01. */
#define JULIAN_ERA   INT64_C(1721120)
#define DAYS_PER_ERA INT64_C(146097)
/* Timestamps run from Julian day 0 (4714-11-24 BC) to the end of 294276, dates to the end of day 2147483493. */
#define TIMESTAMP_US_MIN INT64_C(-211813488000000000)
#define TIMESTAMP_US_END INT64_C(9223371331200000000)
#define DATE_JULIAN_END  INT64_C(2147483494)

int64_t datetime_julian(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = datetime_floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    return JULIAN_ERA + era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
}

void datetime_civil_date(int64_t julian, struct civil *out)
{
    int64_t days = julian - JULIAN_ERA;
    int64_t era = datetime_floor_div(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = year_of_era + era * 400 + (out->month <= 2 ? 1 : 0);
}

void datetime_split(int64_t us, struct civil *out)
{
    int64_t days = datetime_floor_div(us, DATETIME_US_PER_DAY);
    int64_t rest = (int64_t)((uint64_t)us - (uint64_t)days * (uint64_t)DATETIME_US_PER_DAY);
    datetime_civil_date(days + DATETIME_JULIAN_2000, out);
    out->us = (int)(rest % DATETIME_US_PER_SECOND);
    int seconds = (int)(rest / DATETIME_US_PER_SECOND);
    out->hour = seconds / 3600;
    out->minute = seconds / 60 % 60;
    out->second = seconds % 60;
}

/* The years that PostgreSQL's Julian day arithmetic allows. */
static bool is_valid_julian(const struct civil *c)
{
    bool after_begin = c->year > -4713 || (c->year == -4713 && c->month >= 11);
    bool before_end = c->year < 5874898 || (c->year == 5874898 && c->month < 6);
    return after_begin && before_end;
}

bool datetime_is_valid_timestamp(int128 us)
{
    return us >= TIMESTAMP_US_MIN && us < TIMESTAMP_US_END;
}

bool datetime_is_valid_date(int128 days)
{
    return days >= -DATETIME_JULIAN_2000 && days < DATE_JULIAN_END - DATETIME_JULIAN_2000;
}

bool datetime_join(const struct civil *c, int64_t *us)
{
    if (!is_valid_julian(c)) {
        return false;
    }
    int128 days = datetime_julian(c->year, c->month, c->day) - DATETIME_JULIAN_2000;
    int128 seconds = ((int128)c->hour * 60 + c->minute) * 60 + c->second;
    int128 total = days * DATETIME_US_PER_DAY + seconds * DATETIME_US_PER_SECOND + c->us;
    if (!datetime_is_valid_timestamp(total)) {
        return false;
    }
    *us = (int64_t)total;
    return true;
}

bool datetime_join_date(const struct civil *c, int64_t *days)
{
    if (!is_valid_julian(c)) {
        return false;
    }
    int64_t total = datetime_julian(c->year, c->month, c->day) - DATETIME_JULIAN_2000;
    if (!datetime_is_valid_date(total)) {
        return false;
    }
    *days = total;
    return true;
}

int datetime_days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

int datetime_weekday(int64_t julian)
{
    int64_t day = (julian + 1) % 7;
    return (int)(day < 0 ? day + 7 : day);
}

/* A week belongs to the year that its Thursday is in. */
int datetime_iso_week(int64_t julian, int64_t *iso_year)
{
    int since_monday = (datetime_weekday(julian) + 6) % 7;
    int64_t thursday = julian - since_monday + 3;
    struct civil c;
    datetime_civil_date(thursday, &c);
    *iso_year = c.year;
    return (int)((thursday - datetime_julian(c.year, 1, 1)) / 7 + 1);
}
