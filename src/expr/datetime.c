/* Arithmetic of dates, times, timestamps and intervals. */
#include "expr/function.h"

#include "row/datetime.h"

#include <math.h>

static struct datum interval_datum(struct arena *a, struct interval value)
{
    uint8_t *bytes = arena_alloc(a, 16);
    interval_store(bytes, value);
    return datum_bytes(bytes_of(bytes, 16));
}

static struct interval load(const struct datum *d)
{
    return interval_load(d->v.p);
}

static enum status date_plus_days(const struct datum *x, struct datum *out, const struct eval *e)
{
    return date_add_days(x[0].v.i, x[1].v.i, &out->v.i, e->err);
}

static enum status days_plus_date(const struct datum *x, struct datum *out, const struct eval *e)
{
    return date_add_days(x[1].v.i, x[0].v.i, &out->v.i, e->err);
}

static enum status date_minus_days(const struct datum *x, struct datum *out, const struct eval *e)
{
    return date_add_days(x[0].v.i, -x[1].v.i, &out->v.i, e->err);
}

static enum status date_minus_date(const struct datum *x, struct datum *out, const struct eval *e)
{
    return date_subtract(x[0].v.i, x[1].v.i, &out->v.i, e->err);
}

/* The negation that timestamp - interval adds: PostgreSQL negates without asking whether that fits. */
static struct interval opposite(struct interval x)
{
    return (struct interval){.us = (int64_t)(0U - (uint64_t)x.us),
                             .days = (int32_t)(0U - (uint32_t)x.days),
                             .months = (int32_t)(0U - (uint32_t)x.months)};
}

static enum status date_plus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t us;
    TRY(date_to_timestamp(x[0].v.i, &us, e->err));
    return timestamp_add_interval(us, load(&x[1]), &out->v.i, e->err);
}

static enum status interval_plus_date(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct datum swapped[2] = {x[1], x[0]};
    return date_plus_interval(swapped, out, e);
}

static enum status date_minus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t us;
    TRY(date_to_timestamp(x[0].v.i, &us, e->err));
    return timestamp_add_interval(us, opposite(load(&x[1])), &out->v.i, e->err);
}

static enum status date_plus_time(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t us;
    TRY(date_to_timestamp(x[0].v.i, &us, e->err));
    return timestamp_add_interval(us, (struct interval){.us = x[1].v.i}, &out->v.i, e->err);
}

static enum status time_plus_date(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct datum swapped[2] = {x[1], x[0]};
    return date_plus_time(swapped, out, e);
}

static enum status timestamp_plus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    return timestamp_add_interval(x[0].v.i, load(&x[1]), &out->v.i, e->err);
}

static enum status interval_plus_timestamp(const struct datum *x, struct datum *out, const struct eval *e)
{
    return timestamp_add_interval(x[1].v.i, load(&x[0]), &out->v.i, e->err);
}

static enum status timestamp_minus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    return timestamp_add_interval(x[0].v.i, opposite(load(&x[1])), &out->v.i, e->err);
}

static enum status timestamp_minus_timestamp(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct interval value;
    TRY(timestamp_subtract(x[0].v.i, x[1].v.i, &value, e->err));
    *out = interval_datum(e->a, value);
    return STATUS_OK;
}

static enum status time_plus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = time_add_interval(x[0].v.i, load(&x[1]));
    return STATUS_OK;
}

static enum status interval_plus_time(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = time_add_interval(x[1].v.i, load(&x[0]));
    return STATUS_OK;
}

static enum status time_minus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = time_add_interval(x[0].v.i, opposite(load(&x[1])));
    return STATUS_OK;
}

static enum status time_minus_time(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = interval_datum(e->a, (struct interval){.us = x[0].v.i - x[1].v.i});
    return STATUS_OK;
}

static enum status interval_plus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct interval value;
    TRY(interval_add(load(&x[0]), load(&x[1]), &value, e->err));
    *out = interval_datum(e->a, value);
    return STATUS_OK;
}

static enum status interval_minus_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct interval p = load(&x[0]);
    struct interval q = load(&x[1]);
    struct interval value;
    if (__builtin_sub_overflow(p.us, q.us, &value.us) || __builtin_sub_overflow(p.days, q.days, &value.days) ||
        __builtin_sub_overflow(p.months, q.months, &value.months)) {
        return error_set(e->err, STATUS_INVALID, 0, "interval out of range");
    }
    *out = interval_datum(e->a, value);
    return STATUS_OK;
}

static enum status interval_minus(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct interval value;
    TRY(interval_negate(load(x), &value, e->err));
    *out = interval_datum(e->a, value);
    return STATUS_OK;
}

static enum status interval_times(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct interval value;
    TRY(interval_multiply(load(&x[0]), x[1].v.d, &value, e->err));
    *out = interval_datum(e->a, value);
    return STATUS_OK;
}

static enum status times_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct datum swapped[2] = {x[1], x[0]};
    return interval_times(swapped, out, e);
}

static enum status interval_over(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct interval value;
    TRY(interval_divide(load(&x[0]), x[1].v.d, &value, e->err));
    *out = interval_datum(e->a, value);
    return STATUS_OK;
}

static bool is_infinite_stamp(int64_t us)
{
    return us == TIMESTAMP_INFINITY || us == TIMESTAMP_MINUS_INFINITY;
}

static enum status age_between(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[0].v.i == TIMESTAMP_MINUS_INFINITY || x[1].v.i == TIMESTAMP_MINUS_INFINITY) {
        return error_set(e->err, STATUS_INVALID, 0, "timestamp out of range");
    }
    *out = interval_datum(e->a, timestamp_age(x[0].v.i, x[1].v.i));
    return STATUS_OK;
}

static enum status justify_hours(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = interval_datum(e->a, interval_justify_hours(load(x)));
    return STATUS_OK;
}

static enum status justify_days(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = interval_datum(e->a, interval_justify_days(load(x)));
    return STATUS_OK;
}

enum { DAYS_PER_MONTH = 30 };

/* Moves whole months out of the days; false where there are too many. */
static bool days_to_months(struct interval *x)
{
    int32_t months = x->days / DAYS_PER_MONTH;
    x->days -= months * DAYS_PER_MONTH;
    return !__builtin_add_overflow(x->months, months, &x->months);
}

/* Gives months, days and time one sign. */
static void align_signs(struct interval *x)
{
    if (x->months > 0 && (x->days < 0 || (x->days == 0 && x->us < 0))) {
        x->days += DAYS_PER_MONTH;
        x->months--;
    } else if (x->months < 0 && (x->days > 0 || (x->days == 0 && x->us > 0))) {
        x->days -= DAYS_PER_MONTH;
        x->months++;
    }
    if (x->days > 0 && x->us < 0) {
        x->us += DATETIME_US_PER_DAY;
        x->days--;
    } else if (x->days < 0 && x->us > 0) {
        x->us -= DATETIME_US_PER_DAY;
        x->days++;
    }
}

static enum status justify_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct interval value = load(x);
    bool fits = true;
    if ((value.days > 0 && value.us > 0) || (value.days < 0 && value.us < 0)) {
        fits = days_to_months(&value);
    }
    int64_t days = value.us / DATETIME_US_PER_DAY;
    value.us -= days * DATETIME_US_PER_DAY;
    fits = fits && !__builtin_add_overflow(value.days, (int32_t)days, &value.days) && days_to_months(&value);
    if (!fits) {
        return error_set(e->err, STATUS_INVALID, 0, "interval out of range");
    }
    align_signs(&value);
    *out = interval_datum(e->a, value);
    return STATUS_OK;
}

/* Whether the parts are a day of the calendar at all, as far away as it may be; years repeat every 400. */
static bool is_calendar_day(int64_t year, int month, int day)
{
    int64_t ignored;
    int64_t astronomical = year < 0 ? year + 1 : year;
    return year != 0 && date_from_parts(2000 + astronomical % 400, month, day, &ignored);
}

static enum status make_date(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t year = x[0].v.i;
    int month = (int)x[1].v.i;
    int day = (int)x[2].v.i;
    if (!date_from_parts(year, month, day, &out->v.i)) {
        const char *what = is_calendar_day(year, month, day) ? "date" : "date field value";
        return error_set(e->err, STATUS_INVALID, 0, "%s out of range: %d-%02d-%02d", what,
                         (int)(year < 0 ? year + 1 : year), month, day);
    }
    return STATUS_OK;
}

/* to_timestamp(float8) */
static enum status from_epoch(const struct datum *x, struct datum *out, const struct eval *e)
{
    double seconds = x[0].v.d;
    const double first = -210866803200.0; /* Julian day 0 */
    const double end = 9224318016000.0;   /* 294277-01-01 */
    if (isnan(seconds)) {
        return error_set(e->err, STATUS_INVALID, 0, "timestamp cannot be NaN");
    }
    if (isinf(seconds)) {
        out->v.i = seconds < 0 ? TIMESTAMP_MINUS_INFINITY : TIMESTAMP_INFINITY;
        return STATUS_OK;
    }
    if (seconds < first || seconds >= end) {
        return error_set(e->err, STATUS_INVALID, 0, "timestamp out of range: \"%g\"", seconds);
    }
    seconds -= (double)(DATETIME_EPOCH_US / 1000000);
    out->v.i = (int64_t)rint(seconds * 1000000.0);
    return STATUS_OK;
}

static bool is_finite_date(int64_t days)
{
    return days != DATE_INFINITY && days != DATE_MINUS_INFINITY;
}

static enum status date_finite(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = is_finite_date(x[0].v.i);
    return STATUS_OK;
}

static enum status stamp_finite(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = !is_infinite_stamp(x[0].v.i);
    return STATUS_OK;
}

static enum status interval_finite(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)x;
    (void)e;
    out->v.i = 1;
    return STATUS_OK;
}

#define FAIL FUNCTION_FAIL
#define STAMP_ROWS(X)                                                                                                  \
    INFIX("+", timestamp_plus_interval, X, TYPE_INTERVAL, X, FAIL),                                                    \
        INFIX("+", interval_plus_timestamp, TYPE_INTERVAL, X, X, FAIL),                                                \
        INFIX("-", timestamp_minus_interval, X, TYPE_INTERVAL, X, FAIL),                                               \
        INFIX("-", timestamp_minus_timestamp, X, X, TYPE_INTERVAL, FAIL),                                              \
        CALL2("age", age_between, X, X, TYPE_INTERVAL, FAIL), CALL1("isfinite", stamp_finite, X, TYPE_BOOL, 0)

static const struct function rows[] = {
    INFIX("+", date_plus_days, TYPE_DATE, TYPE_INT4, TYPE_DATE, FAIL),
    INFIX("+", days_plus_date, TYPE_INT4, TYPE_DATE, TYPE_DATE, FAIL),
    INFIX("-", date_minus_days, TYPE_DATE, TYPE_INT4, TYPE_DATE, FAIL),
    INFIX("-", date_minus_date, TYPE_DATE, TYPE_DATE, TYPE_INT4, FAIL),
    INFIX("+", date_plus_interval, TYPE_DATE, TYPE_INTERVAL, TYPE_TIMESTAMP, FAIL),
    INFIX("+", interval_plus_date, TYPE_INTERVAL, TYPE_DATE, TYPE_TIMESTAMP, FAIL),
    INFIX("-", date_minus_interval, TYPE_DATE, TYPE_INTERVAL, TYPE_TIMESTAMP, FAIL),
    INFIX("+", date_plus_time, TYPE_DATE, TYPE_TIME, TYPE_TIMESTAMP, FAIL),
    INFIX("+", time_plus_date, TYPE_TIME, TYPE_DATE, TYPE_TIMESTAMP, FAIL),
    STAMP_ROWS(TYPE_TIMESTAMP),
    STAMP_ROWS(TYPE_TIMESTAMPTZ),
    INFIX("+", time_plus_interval, TYPE_TIME, TYPE_INTERVAL, TYPE_TIME, 0),
    INFIX("+", interval_plus_time, TYPE_INTERVAL, TYPE_TIME, TYPE_TIME, 0),
    INFIX("-", time_minus_interval, TYPE_TIME, TYPE_INTERVAL, TYPE_TIME, 0),
    INFIX("-", time_minus_time, TYPE_TIME, TYPE_TIME, TYPE_INTERVAL, 0),
    INFIX("+", interval_plus_interval, TYPE_INTERVAL, TYPE_INTERVAL, TYPE_INTERVAL, FAIL),
    INFIX("-", interval_minus_interval, TYPE_INTERVAL, TYPE_INTERVAL, TYPE_INTERVAL, FAIL),
    PREFIX("-", interval_minus, TYPE_INTERVAL, TYPE_INTERVAL, FAIL),
    INFIX("*", interval_times, TYPE_INTERVAL, TYPE_FLOAT8, TYPE_INTERVAL, FAIL),
    INFIX("*", times_interval, TYPE_FLOAT8, TYPE_INTERVAL, TYPE_INTERVAL, FAIL),
    INFIX("/", interval_over, TYPE_INTERVAL, TYPE_FLOAT8, TYPE_INTERVAL, FAIL),
    CALL1("justify_hours", justify_hours, TYPE_INTERVAL, TYPE_INTERVAL, 0),
    CALL1("justify_days", justify_days, TYPE_INTERVAL, TYPE_INTERVAL, 0),
    CALL1("justify_interval", justify_interval, TYPE_INTERVAL, TYPE_INTERVAL, FAIL),
    CALL3("make_date", make_date, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_DATE, FAIL),
    CALL1("to_timestamp", from_epoch, TYPE_FLOAT8, TYPE_TIMESTAMPTZ, FAIL),
    CALL2("to_timestamp", NULL, TYPE_TEXT, TYPE_TEXT, TYPE_TIMESTAMPTZ, 0),
    CALL1("isfinite", date_finite, TYPE_DATE, TYPE_BOOL, 0),
    CALL1("isfinite", interval_finite, TYPE_INTERVAL, TYPE_BOOL, 0),
};
FUNCTION_FAMILY(function_family_datetime, rows);
