/* extract() and date_trunc(). Fields that grow with time are infinite for infinities, fields that come round are
 * NULL. */
#include "row/datetime.h"

#include "row/datetime_calendar.h"

/* Scale of the least quotient that PostgreSQL's numeric division gives at 16 significant digits: base-10000 digits. */
#define NUMERIC_BASE 10000

static enum status not_supported(enum datetime_field field, const char *type_name, struct error *err)
{
    static const char *const names[] = {[FIELD_MICROSECONDS] = "microseconds",
                                        [FIELD_MILLISECONDS] = "milliseconds",
                                        [FIELD_SECOND] = "second",
                                        [FIELD_MINUTE] = "minute",
                                        [FIELD_HOUR] = "hour",
                                        [FIELD_DAY] = "day",
                                        [FIELD_WEEK] = "week",
                                        [FIELD_MONTH] = "month",
                                        [FIELD_QUARTER] = "quarter",
                                        [FIELD_YEAR] = "year",
                                        [FIELD_DECADE] = "decade",
                                        [FIELD_CENTURY] = "century",
                                        [FIELD_MILLENNIUM] = "millennium",
                                        [FIELD_DOW] = "dow",
                                        [FIELD_ISODOW] = "isodow",
                                        [FIELD_DOY] = "doy",
                                        [FIELD_ISOYEAR] = "isoyear",
                                        [FIELD_EPOCH] = "epoch",
                                        [FIELD_JULIAN] = "julian",
                                        [FIELD_TIMEZONE] = "timezone",
                                        [FIELD_TIMEZONE_HOUR] = "timezone_hour",
                                        [FIELD_TIMEZONE_MINUTE] = "timezone_minute"};
    return error_set(err, STATUS_INVALID, 0, "unit \"%s\" not supported for type %s", names[field], type_name);
}

static struct datetime_part whole(int64_t value)
{
    return (struct datetime_part){.coefficient = value};
}

/* Years as people count them: there is no year 0. */
static int64_t counted_year(int64_t year)
{
    return year > 0 ? year : year - 1;
}
static int64_t decade_of(int64_t year)
{
    return datetime_floor_div(year, 10);
}
/* The century or millennium, counted from 1 and from -1. */
static int64_t age_of(int64_t year, int64_t years)
{
    return year > 0 ? (year + years - 1) / years : -((years - year) / years);
}

static bool date_part(enum datetime_field field, const struct civil *c, struct datetime_part *out)
{
    int64_t julian = datetime_julian(c->year, c->month, c->day);
    int64_t iso_year = 0;
    switch (field) {
    case FIELD_DAY:
        *out = whole(c->day);
        return true;
    case FIELD_WEEK:
        *out = whole(datetime_iso_week(julian, &iso_year));
        return true;
    case FIELD_MONTH:
        *out = whole(c->month);
        return true;
    case FIELD_QUARTER:
        *out = whole((c->month - 1) / 3 + 1);
        return true;
    case FIELD_YEAR:
        *out = whole(counted_year(c->year));
        return true;
    case FIELD_DECADE:
        *out = whole(decade_of(c->year));
        return true;
    case FIELD_CENTURY:
        *out = whole(age_of(c->year, 100));
        return true;
    case FIELD_MILLENNIUM:
        *out = whole(age_of(c->year, 1000));
        return true;
    case FIELD_DOW:
        *out = whole(datetime_weekday(julian));
        return true;
    case FIELD_ISODOW:
        *out = whole((datetime_weekday(julian) + 6) % 7 + 1);
        return true;
    case FIELD_DOY:
        *out = whole(julian - datetime_julian(c->year, 1, 1) + 1);
        return true;
    case FIELD_ISOYEAR:
        (void)datetime_iso_week(julian, &iso_year);
        *out = whole(counted_year(iso_year));
        return true;
    case FIELD_JULIAN:
        *out = whole(julian);
        return true;
    case FIELD_MICROSECONDS:
    case FIELD_MILLISECONDS:
    case FIELD_SECOND:
    case FIELD_MINUTE:
    case FIELD_HOUR:
    case FIELD_EPOCH:
    case FIELD_TIMEZONE:
    case FIELD_TIMEZONE_HOUR:
    case FIELD_TIMEZONE_MINUTE:
    default:
        return false;
    }
}

/* The fields of a time of day or of an interval's time, whose hours may exceed 24 and which may be negative. */
static bool time_part(enum datetime_field field, int64_t us, struct datetime_part *out)
{
    int64_t us_of_minute = us % DATETIME_US_PER_MINUTE;
    switch ((int)field) {
    case FIELD_MICROSECONDS:
        *out = whole(us_of_minute);
        return true;
    case FIELD_MILLISECONDS:
        *out = (struct datetime_part){.coefficient = us_of_minute, .scale = 3};
        return true;
    case FIELD_SECOND:
        *out = (struct datetime_part){.coefficient = us_of_minute, .scale = 6};
        return true;
    case FIELD_MINUTE:
        *out = whole(us / DATETIME_US_PER_MINUTE % 60);
        return true;
    case FIELD_HOUR:
        *out = whole(us / DATETIME_US_PER_HOUR);
        return true;
    default:
        return false;
    }
}

static bool is_growing(enum datetime_field field)
{
    return field == FIELD_YEAR || field == FIELD_DECADE || field == FIELD_CENTURY || field == FIELD_MILLENNIUM ||
           field == FIELD_JULIAN || field == FIELD_ISOYEAR || field == FIELD_EPOCH;
}

static struct datetime_part part_of_infinity(enum datetime_field field, bool positive)
{
    if (is_growing(field)) {
        return (struct datetime_part){.infinite = positive ? 1 : -1};
    }
    return (struct datetime_part){.null = true};
}

enum status date_extract(enum datetime_field field, int64_t days, struct datetime_part *out, struct error *err)
{
    struct civil c = {.year = 2000, .month = 1, .day = 1};
    bool infinite = datetime_is_infinite_date(days);
    if (!infinite) {
        datetime_civil_date(days + DATETIME_JULIAN_2000, &c);
    }
    if (field == FIELD_EPOCH) {
        *out = whole((days + DATETIME_EPOCH_DAYS) * 86400);
    } else if (!date_part(field, &c, out)) {
        return not_supported(field, "date", err);
    }
    if (infinite) {
        *out = part_of_infinity(field, days > 0);
    }
    return STATUS_OK;
}

enum status time_extract(enum datetime_field field, int64_t us, struct datetime_part *out, struct error *err)
{
    if (field == FIELD_EPOCH) {
        *out = (struct datetime_part){.coefficient = us, .scale = 6};
        return STATUS_OK;
    }
    return time_part(field, us, out) ? STATUS_OK : not_supported(field, "time without time zone", err);
}

/* The Julian day with the time as its fraction. The scale is that of the numeric quotient us / 86400000000, which
 * depends on how many base-10000 digits the dividend has and whether its first exceeds the divisor's first, 864. */
static struct datetime_part julian_with_time(int64_t julian, int64_t us_of_day)
{
    int64_t first = us_of_day;
    int groups = 0;
    while (first >= NUMERIC_BASE) {
        first /= NUMERIC_BASE;
        groups++;
    }
    int32_t scale = 16 + 4 * (2 - groups + (first <= 864 ? 1 : 0));
    int128 power = 1;
    for (int32_t i = 0; i < scale; i++) {
        power *= 10;
    }
    int128 fraction = ((int128)us_of_day * power + DATETIME_US_PER_DAY / 2) / DATETIME_US_PER_DAY;
    return (struct datetime_part){.coefficient = julian * power + fraction, .scale = scale};
}

/* Microseconds since 1970. Where they do not fit 64 bits, PostgreSQL divides as numeric and so keeps four digits
 * only. */
static int128 epoch_of(int64_t us)
{
    int128 epoch = (int128)us + DATETIME_EPOCH_US;
    return epoch < INT64_MAX ? epoch : (epoch + 50) / 100 * 100;
}

static bool is_zone_field(enum datetime_field field)
{
    return field == FIELD_TIMEZONE || field == FIELD_TIMEZONE_HOUR || field == FIELD_TIMEZONE_MINUTE;
}

enum status timestamp_extract(enum datetime_field field, int64_t us, bool with_zone, struct datetime_part *out,
                              struct error *err)
{
    if (datetime_is_infinite(us)) {
        *out = part_of_infinity(field, us > 0);
        return STATUS_OK;
    }
    struct civil c;
    datetime_split(us, &c);
    int64_t us_of_day = timestamp_to_time(us);
    if (field == FIELD_EPOCH) {
        *out = (struct datetime_part){.coefficient = epoch_of(us), .scale = 6};
    } else if (field == FIELD_JULIAN) {
        *out = julian_with_time(datetime_julian(c.year, c.month, c.day), us_of_day);
    } else if (is_zone_field(field) && with_zone) {
        *out = whole(0);
    } else if (!time_part(field, us_of_day, out) && !date_part(field, &c, out)) {
        return not_supported(field, with_zone ? "timestamp with time zone" : "timestamp without time zone", err);
    }
    return STATUS_OK;
}

enum status interval_extract(enum datetime_field field, struct interval value, struct datetime_part *out,
                             struct error *err)
{
    int64_t year = value.months / 12;
    int64_t month = value.months % 12;
    if (time_part(field, value.us, out)) {
        return STATUS_OK;
    }
    switch ((int)field) {
    case FIELD_DAY:
        *out = whole(value.days);
        break;
    case FIELD_MONTH:
        *out = whole(month);
        break;
    case FIELD_QUARTER:
        *out = whole(month / 3 + 1);
        break;
    case FIELD_YEAR:
        *out = whole(year);
        break;
    case FIELD_DECADE:
        *out = whole(year / 10);
        break;
    case FIELD_CENTURY:
        *out = whole(year / 100);
        break;
    case FIELD_MILLENNIUM:
        *out = whole(year / 1000);
        break;
    case FIELD_EPOCH: {
        /* A year has 365.25 days; a quarter of a day keeps it whole. */
        int128 quarter_days = (int128)year * 1461 + month * 120 + (int128)value.days * 4;
        out->coefficient = quarter_days * (DATETIME_US_PER_DAY / 4) + value.us;
        out->scale = 6;
        out->infinite = 0;
        out->null = false;
        break;
    }
    default:
        return not_supported(field, "interval", err);
    }
    return STATUS_OK;
}

/* The unit of time that a truncation keeps multiples of; 0 for a day and more. */
static int64_t unit_us(enum datetime_field field)
{
    switch ((int)field) {
    case FIELD_MICROSECONDS:
        return 1;
    case FIELD_MILLISECONDS:
        return 1000;
    case FIELD_SECOND:
        return DATETIME_US_PER_SECOND;
    case FIELD_MINUTE:
        return DATETIME_US_PER_MINUTE;
    case FIELD_HOUR:
        return DATETIME_US_PER_HOUR;
    default:
        return 0;
    }
}

/* The first year of the century or millennium: they begin with years 1, 101 ... and -100, -200 ... */
static int64_t first_year(int64_t year, int64_t years)
{
    int64_t age = age_of(year, years);
    return age > 0 ? age * years - years + 1 : age * years + 1;
}

static bool truncate_date(enum datetime_field field, struct civil *c)
{
    switch ((int)field) {
    case FIELD_DAY:
        return true;
    case FIELD_WEEK: {
        int64_t julian = datetime_julian(c->year, c->month, c->day);
        datetime_civil_date(julian - (datetime_weekday(julian) + 6) % 7, c);
        return true;
    }
    case FIELD_MONTH:
        break;
    case FIELD_QUARTER:
        c->month = (c->month - 1) / 3 * 3 + 1;
        break;
    case FIELD_YEAR:
        c->month = 1;
        break;
    case FIELD_DECADE:
        c->year = decade_of(c->year) * 10;
        c->month = 1;
        break;
    case FIELD_CENTURY:
        c->year = first_year(c->year, 100);
        c->month = 1;
        break;
    case FIELD_MILLENNIUM:
        c->year = first_year(c->year, 1000);
        c->month = 1;
        break;
    default:
        return false;
    }
    c->day = 1;
    return true;
}

enum status timestamp_truncate(enum datetime_field field, int64_t us, int64_t *out, struct error *err)
{
    if (datetime_is_infinite(us)) {
        *out = us;
        return STATUS_OK;
    }
    int64_t unit = unit_us(field);
    if (unit > 0) {
        *out = us - timestamp_to_time(us) % unit;
        return STATUS_OK;
    }
    struct civil c;
    datetime_split(us, &c);
    if (!truncate_date(field, &c)) {
        return not_supported(field, "timestamp without time zone", err);
    }
    c.hour = 0;
    c.minute = 0;
    c.second = 0;
    c.us = 0;
    if (!datetime_join(&c, out)) {
        return error_set(err, STATUS_INVALID, 0, "timestamp out of range");
    }
    return STATUS_OK;
}

enum status interval_truncate(enum datetime_field field, struct interval value, struct interval *out, struct error *err)
{
    static const int32_t kept_months[] = {[FIELD_MONTH] = 1,    [FIELD_QUARTER] = 3,    [FIELD_YEAR] = 12,
                                          [FIELD_DECADE] = 120, [FIELD_CENTURY] = 1200, [FIELD_MILLENNIUM] = 12000};
    int64_t unit = unit_us(field);
    if (unit > 0) {
        value.us -= value.us % unit;
    } else if (field == FIELD_DAY) {
        value.us = 0;
    } else if (field >= FIELD_MONTH && field <= FIELD_MILLENNIUM) {
        value.months -= value.months % kept_months[field];
        value.days = 0;
        value.us = 0;
    } else {
        return not_supported(field, "interval", err);
    }
    *out = value;
    return STATUS_OK;
}
