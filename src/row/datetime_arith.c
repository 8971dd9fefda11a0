/* Arithmetic of dates, timestamps and intervals. Months are added first and clamped to the month's end, then days, then
 * time. What PostgreSQL computes in double is computed in double here, step by step, for the same results. */
#include "row/datetime.h"

#include "row/datetime_calendar.h"

#include <math.h>

#define DAYS_PER_MONTH  30
#define SECONDS_PER_DAY 86400

struct interval interval_load(const uint8_t *sixteen)
{
    return (struct interval){.us = (int64_t)load_le64(sixteen),
                             .days = (int32_t)load_le32(sixteen + 8),
                             .months = (int32_t)load_le32(sixteen + 12)};
}

void interval_store(uint8_t *sixteen, struct interval value)
{
    store_le64(sixteen, (uint64_t)value.us);
    store_le32(sixteen + 8, (uint32_t)value.days);
    store_le32(sixteen + 12, (uint32_t)value.months);
}

int128 interval_span(struct interval value)
{
    int128 days = (int128)value.months * DAYS_PER_MONTH + value.days;
    return days * DATETIME_US_PER_DAY + value.us;
}

static enum status out_of_range(const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID, 0, "%s out of range", what);
}

enum status date_to_timestamp(int64_t days, int64_t *us, struct error *err)
{
    if (datetime_is_infinite_date(days)) {
        *us = days > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
        return STATUS_OK;
    }
    int128 total = (int128)days * DATETIME_US_PER_DAY;
    if (!datetime_is_valid_timestamp(total)) {
        return error_set(err, STATUS_INVALID, 0, "date out of range for timestamp");
    }
    *us = (int64_t)total;
    return STATUS_OK;
}

int64_t timestamp_to_date(int64_t us)
{
    if (datetime_is_infinite(us)) {
        return us > 0 ? DATE_INFINITY : DATE_MINUS_INFINITY;
    }
    return datetime_floor_div(us, DATETIME_US_PER_DAY);
}

int64_t timestamp_to_time(int64_t us)
{
    int64_t rest = us % DATETIME_US_PER_DAY;
    return rest < 0 ? rest + DATETIME_US_PER_DAY : rest;
}

enum status date_add_days(int64_t date, int64_t days, int64_t *out, struct error *err)
{
    if (datetime_is_infinite_date(date)) {
        *out = date;
        return STATUS_OK;
    }
    int128 total = (int128)date + days;
    if (!datetime_is_valid_date(total)) {
        return out_of_range("date", err);
    }
    *out = (int64_t)total;
    return STATUS_OK;
}

enum status date_subtract(int64_t x, int64_t y, int64_t *out, struct error *err)
{
    if (datetime_is_infinite_date(x) || datetime_is_infinite_date(y)) {
        return error_set(err, STATUS_INVALID, 0, "cannot subtract infinite dates");
    }
    *out = x - y;
    return STATUS_OK;
}

static bool add_months(int64_t us, int32_t months, int64_t *out)
{
    struct civil c;
    datetime_split(us, &c);
    int64_t month = (int64_t)c.month - 1 + months;
    int64_t years = datetime_floor_div(month, 12);
    c.year += years;
    c.month = (int)(month - years * 12) + 1;
    int last = datetime_days_in_month(c.year, c.month);
    if (c.day > last) {
        c.day = last;
    }
    return datetime_join(&c, out);
}

enum status timestamp_add_interval(int64_t us, struct interval value, int64_t *out, struct error *err)
{
    if (datetime_is_infinite(us)) {
        *out = us;
        return STATUS_OK;
    }
    if (value.months != 0 && !add_months(us, value.months, &us)) {
        return out_of_range("timestamp", err);
    }
    int128 total = (int128)us + (int128)value.days * DATETIME_US_PER_DAY;
    if (!datetime_is_valid_timestamp(total) || !datetime_is_valid_timestamp(total + value.us)) {
        return out_of_range("timestamp", err);
    }
    *out = (int64_t)(total + value.us);
    return STATUS_OK;
}

enum status timestamp_subtract(int64_t x, int64_t y, struct interval *out, struct error *err)
{
    if (datetime_is_infinite(x) || datetime_is_infinite(y)) {
        return error_set(err, STATUS_INVALID, 0, "cannot subtract infinite timestamps");
    }
    /* PostgreSQL 15 lets the difference wrap around. */
    int64_t us = (int64_t)((uint64_t)x - (uint64_t)y);
    *out = interval_justify_hours((struct interval){.us = us});
    return STATUS_OK;
}

/* Takes from the next higher field where a field is negative. */
static void borrow(int *field, int *higher, int per_higher)
{
    while (*field < 0) {
        *field += per_higher;
        (*higher)--;
    }
}

struct interval timestamp_age(int64_t x, int64_t y)
{
    struct civil later;
    struct civil earlier;
    datetime_split(x < y ? y : x, &later);
    datetime_split(x < y ? x : y, &earlier);
    struct civil d = {.us = later.us - earlier.us,
                      .second = later.second - earlier.second,
                      .minute = later.minute - earlier.minute,
                      .hour = later.hour - earlier.hour,
                      .day = later.day - earlier.day,
                      .month = later.month - earlier.month};
    borrow(&d.us, &d.second, (int)DATETIME_US_PER_SECOND);
    borrow(&d.second, &d.minute, 60);
    borrow(&d.minute, &d.hour, 60);
    borrow(&d.hour, &d.day, 24);
    /* The days of a month are those of the month that the earlier of the two is in. */
    borrow(&d.day, &d.month, datetime_days_in_month(earlier.year, earlier.month));
    int64_t months = (later.year - earlier.year) * 12 + d.month;
    int64_t seconds = ((int64_t)d.hour * 60 + d.minute) * 60 + d.second;
    int64_t us = seconds * DATETIME_US_PER_SECOND + d.us;
    int sign = x < y ? -1 : 1;
    return (struct interval){.us = us * sign, .days = d.day * sign, .months = (int32_t)(months * sign)};
}

int64_t time_add_interval(int64_t us, struct interval value)
{
    int64_t total = (int64_t)((uint64_t)us + (uint64_t)value.us);
    return timestamp_to_time(total);
}

enum status interval_add(struct interval x, struct interval y, struct interval *out, struct error *err)
{
    struct interval sum;
    if (__builtin_add_overflow(x.months, y.months, &sum.months) || __builtin_add_overflow(x.days, y.days, &sum.days) ||
        __builtin_add_overflow(x.us, y.us, &sum.us)) {
        return out_of_range("interval", err);
    }
    *out = sum;
    return STATUS_OK;
}

enum status interval_negate(struct interval x, struct interval *out, struct error *err)
{
    if (x.us == INT64_MIN || x.days == INT32_MIN || x.months == INT32_MIN) {
        return out_of_range("interval", err);
    }
    *out = (struct interval){.us = -x.us, .days = -x.days, .months = -x.months};
    return STATUS_OK;
}

static double round_to_us(double value)
{
    return rint(value * 1000000.0) / 1000000.0;
}

static bool fits_int32(double value)
{
    return value >= (double)INT32_MIN && value <= (double)INT32_MAX;
}

/* An interval's fields times or by a factor; fractions of months become days of 30 to the month, fractions of days
 * time. */
static enum status cascade(double months, double days, double us, struct interval *out, struct error *err)
{
    if (!fits_int32(months) || !fits_int32(days)) {
        return out_of_range("interval", err);
    }
    int32_t whole_months = (int32_t)months;
    int32_t whole_days = (int32_t)days;
    double month_days = round_to_us((months - whole_months) * DAYS_PER_MONTH);
    double seconds = round_to_us((days - whole_days + month_days - (int)month_days) * SECONDS_PER_DAY);
    int32_t more_days = 0;
    if (fabs(seconds) >= SECONDS_PER_DAY) {
        more_days = (int32_t)(seconds / SECONDS_PER_DAY);
        seconds -= (double)more_days * SECONDS_PER_DAY;
    }
    int64_t all_days = (int64_t)whole_days + more_days + (int32_t)month_days;
    double all_us = rint(us + seconds * 1000000.0);
    bool us_fit = all_us >= -9223372036854775808.0 && all_us < 9223372036854775808.0;
    if (all_days < INT32_MIN || all_days > INT32_MAX || !us_fit) {
        return out_of_range("interval", err);
    }
    *out = (struct interval){.us = (int64_t)all_us, .days = (int32_t)all_days, .months = whole_months};
    return STATUS_OK;
}

enum status interval_multiply(struct interval x, double factor, struct interval *out, struct error *err)
{
    return cascade(x.months * factor, x.days * factor, (double)x.us * factor, out, err);
}

enum status interval_divide(struct interval x, double divisor, struct interval *out, struct error *err)
{
    if (divisor == 0.0) {
        return error_set(err, STATUS_INVALID, 0, "division by zero");
    }
    return cascade(x.months / divisor, x.days / divisor, (double)x.us / divisor, out, err);
}

struct interval interval_justify_hours(struct interval x)
{
    int64_t days = x.us / DATETIME_US_PER_DAY;
    int64_t us = x.us % DATETIME_US_PER_DAY;
    days += x.days;
    if (days > 0 && us < 0) {
        us += DATETIME_US_PER_DAY;
        days--;
    } else if (days < 0 && us > 0) {
        us -= DATETIME_US_PER_DAY;
        days++;
    }
    return (struct interval){.us = us, .days = (int32_t)days, .months = x.months};
}

struct interval interval_justify_days(struct interval x)
{
    int64_t months = (int64_t)x.months + x.days / DAYS_PER_MONTH;
    int32_t days = x.days % DAYS_PER_MONTH;
    if (months > 0 && days < 0) {
        days += DAYS_PER_MONTH;
        months--;
    } else if (months < 0 && days > 0) {
        days -= DAYS_PER_MONTH;
        months++;
    }
    return (struct interval){.us = x.us, .days = days, .months = (int32_t)months};
}

enum status timestamp_bin(struct interval stride, int64_t us, int64_t origin, int64_t *out, struct error *err)
{
    if (datetime_is_infinite(us)) {
        *out = us;
        return STATUS_OK;
    }
    if (datetime_is_infinite(origin)) {
        return out_of_range("origin", err);
    }
    if (stride.months != 0) {
        return error_set(err, STATUS_INVALID, 0,
                         "timestamps cannot be binned into intervals containing months or years");
    }
    int128 width = interval_span(stride);
    if (width > INT64_MAX) {
        return out_of_range("interval", err);
    }
    if (width <= 0) {
        return error_set(err, STATUS_INVALID, 0, "stride must be greater than zero");
    }
    int128 distance = (int128)us - origin;
    if (distance > INT64_MAX || distance < INT64_MIN) {
        return out_of_range("interval", err);
    }
    int128 rest = distance % width;
    int128 begin = us - (rest < 0 ? rest + width : rest);
    if (!datetime_is_valid_timestamp(begin)) {
        return out_of_range("timestamp", err);
    }
    *out = (int64_t)begin;
    return STATUS_OK;
}

bool date_from_parts(int64_t year, int month, int day, int64_t *days)
{
    struct civil c = {.year = year < 0 ? year + 1 : year, .month = month, .day = day};
    if (year == 0 || year < INT32_MIN || year > INT32_MAX || month < 1 || month > 12 || day < 1 ||
        day > datetime_days_in_month(c.year, month)) {
        return false;
    }
    return datetime_join_date(&c, days);
}
