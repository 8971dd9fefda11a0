/* Intervals from text: PostgreSQL's own words ("1 year 2 mons -04:05:06"), "1-2" for years and months, and ISO 8601.
 * Fractions fall into the next smaller of months, days and microseconds as in PostgreSQL 15. */
#include "row/datetime.h"

#include "row/datetime_calendar.h"
#include "row/datetime_decode.h"
#include "row/datetime_token.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define DAYS_PER_MONTH 30
/* Numbers of ISO 8601 go through double; up to here their whole part is exact. */
#define ISO_NUMBER_MAX 1.0e15

/* Years apart from months, for each may only overflow by itself. */
struct span {
    int64_t us;
    int32_t days;
    int32_t months;
    int32_t years;
};
/* A number of a text, its whole part and its fraction, both of the number's sign. */
struct number {
    int64_t whole;
    double fraction;
};

static bool add_int32(int32_t *total, int64_t value, int32_t factor)
{
    int32_t product = 0;
    return value >= INT32_MIN && value <= INT32_MAX && !__builtin_mul_overflow((int32_t)value, factor, &product) &&
           !__builtin_add_overflow(*total, product, total);
}

static bool add_us(int64_t *total, int64_t value, int64_t unit_us)
{
    int64_t product = 0;
    return !__builtin_mul_overflow(value, unit_us, &product) && !__builtin_add_overflow(*total, product, total);
}

static bool add_fraction_us(struct span *s, double fraction, int64_t unit_us)
{
    double scaled = fraction * (double)unit_us;
    int64_t us = (int64_t)scaled;
    double rest = scaled - (double)us;
    us += rest > 0.5 ? 1 : rest < -0.5 ? -1 : 0;
    return !__builtin_add_overflow(s->us, us, &s->us);
}

static bool add_fraction_days(struct span *s, double fraction, int days)
{
    double scaled = fraction * days;
    int whole = (int)scaled;
    return add_int32(&s->days, whole, 1) && add_fraction_us(s, scaled - whole, DATETIME_US_PER_DAY);
}

static bool add_years(struct span *s, struct number n, int32_t years)
{
    int months = (int)rint(n.fraction * years * 12);
    return add_int32(&s->years, n.whole, years) && add_int32(&s->months, months, 1);
}

static bool add_time(struct span *s, struct number n, int64_t unit_us)
{
    return add_us(&s->us, n.whole, unit_us) && add_fraction_us(s, n.fraction, unit_us);
}

/* DECODE_SYNTAX where the unit is none of an interval's. */
static enum decode_outcome add_unit(struct span *s, int unit, struct number n)
{
    static const int32_t years[] = {
        [FIELD_YEAR] = 1, [FIELD_DECADE] = 10, [FIELD_CENTURY] = 100, [FIELD_MILLENNIUM] = 1000};
    bool fits = false;
    switch (unit) {
    case FIELD_MICROSECONDS:
        fits = add_time(s, n, 1);
        break;
    case FIELD_MILLISECONDS:
        fits = add_time(s, n, 1000);
        break;
    case FIELD_SECOND:
        fits = add_time(s, n, DATETIME_US_PER_SECOND);
        break;
    case FIELD_MINUTE:
        fits = add_time(s, n, DATETIME_US_PER_MINUTE);
        break;
    case FIELD_HOUR:
        fits = add_time(s, n, DATETIME_US_PER_HOUR);
        break;
    case FIELD_DAY:
        fits = add_int32(&s->days, n.whole, 1) && add_fraction_us(s, n.fraction, DATETIME_US_PER_DAY);
        break;
    case FIELD_WEEK:
        fits = add_int32(&s->days, n.whole, 7) && add_fraction_days(s, n.fraction, 7);
        break;
    case FIELD_MONTH:
        fits = add_int32(&s->months, n.whole, 1) && add_fraction_days(s, n.fraction, DAYS_PER_MONTH);
        break;
    case FIELD_YEAR:
    case FIELD_DECADE:
    case FIELD_CENTURY:
    case FIELD_MILLENNIUM:
        fits = add_years(s, n, years[unit]);
        break;
    default:
        return DECODE_SYNTAX;
    }
    return fits ? DECODE_OK : DECODE_RANGE;
}

/* Which units were given: each but the sub-second ones once. A time of day counts as all of hour to microsecond. */
#define UNIT_BIT(field) (1U << (field))
#define TIME_BITS                                                                                                      \
    (UNIT_BIT(FIELD_HOUR) | UNIT_BIT(FIELD_MINUTE) | UNIT_BIT(FIELD_SECOND) | UNIT_BIT(FIELD_MILLISECONDS) |           \
     UNIT_BIT(FIELD_MICROSECONDS))
#define SECOND_BITS (UNIT_BIT(FIELD_SECOND) | UNIT_BIT(FIELD_MILLISECONDS) | UNIT_BIT(FIELD_MICROSECONDS))

/* Reading goes backwards, so that a unit is known before its number. */
struct reader {
    struct span *span;
    unsigned have;
    int unit; /* of the number to come, UNIT_NONE or UNIT_NOT_ONE */
    bool ago;
};
enum { UNIT_NONE = -1, UNIT_NOT_ONE = -2 };

/* A time of day replaces what fractions to the right of it have left: PostgreSQL does so. */
static enum decode_outcome read_clock(struct reader *r, char *text)
{
    struct civil c;
    int64_t hour = 0;
    enum decode_outcome outcome = decode_clock(text, &c, &hour);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    int64_t us = c.us;
    if (!add_us(&us, hour, DATETIME_US_PER_HOUR) || !add_us(&us, c.minute, DATETIME_US_PER_MINUTE) ||
        !add_us(&us, c.second, DATETIME_US_PER_SECOND)) {
        return DECODE_RANGE;
    }
    r->span->us = us;
    r->unit = FIELD_DAY;
    return DECODE_OK;
}

/* "-3.5", "12", or "1-2" for years and months, which sets *unit. */
static enum decode_outcome scan_number(char *text, struct number *n, int *unit)
{
    char *at = text;
    int months = 0;
    n->fraction = 0;
    if (!token_scan_int64(&at, &n->whole)) {
        return DECODE_RANGE;
    }
    if (*at == '\0') {
        return DECODE_OK;
    }
    if (*at == '.') {
        if (!token_scan_fraction(at, &n->fraction)) {
            return DECODE_SYNTAX;
        }
        n->fraction = *text == '-' ? -n->fraction : n->fraction;
        return DECODE_OK;
    }
    if (*at != '-') {
        return DECODE_SYNTAX;
    }
    at++;
    if (!token_scan_int(&at, &months) || months < 0 || months >= 12) {
        return DECODE_RANGE;
    }
    if (*at != '\0') {
        return DECODE_SYNTAX;
    }
    *unit = FIELD_MONTH;
    bool over = __builtin_mul_overflow(n->whole, INT64_C(12), &n->whole) ||
                __builtin_add_overflow(n->whole, (int64_t)(*text == '-' ? -months : months), &n->whole);
    return over ? DECODE_RANGE : DECODE_OK;
}

static enum decode_outcome read_number(struct reader *r, char *text, unsigned *found)
{
    struct number n;
    if (r->unit == UNIT_NONE) {
        r->unit = FIELD_SECOND;
    }
    enum decode_outcome outcome = scan_number(text, &n, &r->unit);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    outcome = add_unit(r->span, r->unit, n);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    *found = UNIT_BIT(r->unit);
    if (r->unit == FIELD_SECOND && n.fraction != 0.0) {
        *found = SECOND_BITS;
    } else if (r->unit == FIELD_HOUR) {
        r->unit = FIELD_DAY;
    }
    return DECODE_OK;
}

static enum decode_outcome read_signed(struct reader *r, char *text, unsigned *found)
{
    if (strchr(text, ':') == NULL || read_clock(r, text + 1) != DECODE_OK) {
        return read_number(r, text, found);
    }
    if (*text == '-') {
        r->span->us = -r->span->us;
    }
    *found = TIME_BITS;
    return DECODE_OK;
}

static enum decode_outcome read_word(struct reader *r, const char *text)
{
    struct word word = token_unit_word(text);
    if (word.kind == WORD_IGNORED) {
        return DECODE_OK;
    }
    if (word.kind == WORD_AGO) {
        r->ago = true;
        r->unit = UNIT_NOT_ONE;
        return DECODE_OK;
    }
    r->unit = word.value;
    return word.kind == WORD_UNIT ? DECODE_OK : DECODE_SYNTAX;
}

static enum decode_outcome read_token(struct reader *r, const struct token *token, unsigned *found)
{
    switch (token->kind) {
    case TOKEN_TIME:
        *found = TIME_BITS;
        return read_clock(r, token->text);
    case TOKEN_SIGNED:
        return read_signed(r, token->text, found);
    case TOKEN_DATE:
    case TOKEN_NUMBER:
        return read_number(r, token->text, found);
    case TOKEN_TEXT:
    case TOKEN_SPECIAL:
    default:
        return read_word(r, token->text);
    }
}

static enum decode_outcome negate(struct span *s)
{
    if (s->us == INT64_MIN || s->days == INT32_MIN || s->months == INT32_MIN || s->years == INT32_MIN) {
        return DECODE_RANGE;
    }
    *s = (struct span){.us = -s->us, .days = -s->days, .months = -s->months, .years = -s->years};
    return DECODE_OK;
}

static enum decode_outcome read_words(struct bytes text, struct span *out)
{
    struct tokens tokens;
    struct reader r = {.span = out, .unit = UNIT_NONE};
    if (!token_split(text, TOKEN_INTERVAL_BYTES_MAX, &tokens)) {
        return DECODE_SYNTAX;
    }
    for (size_t i = tokens.count; i > 0; i--) {
        unsigned found = 0;
        enum decode_outcome outcome = read_token(&r, &tokens.items[i - 1], &found);
        if (outcome != DECODE_OK) {
            return outcome;
        }
        if ((found & r.have) != 0) {
            return DECODE_SYNTAX;
        }
        r.have |= found;
    }
    if (r.have == 0) {
        return DECODE_SYNTAX;
    }
    return r.ago ? negate(out) : DECODE_OK;
}

/* ISO 8601: "P1Y2M3DT4H5M6.7S", and the alternative forms "P0001-02-03T04:05:06" and "P00010203T040506". */
struct iso_reader {
    char *at;
    struct span *span;
    struct number number;
    int digit_count; /* of the number's whole part */
    bool date_part;
    bool any; /* a number was read in this part */
    bool done;
};

static enum decode_outcome iso_number(struct iso_reader *r)
{
    if (!token_is_digit(*r->at) && *r->at != '-' && *r->at != '.') {
        return DECODE_SYNTAX;
    }
    char *begin = r->at;
    errno = 0;
    double value = strtod(begin, &r->at);
    if (r->at == begin || errno != 0) {
        return DECODE_SYNTAX;
    }
    if (!(value >= -ISO_NUMBER_MAX && value <= ISO_NUMBER_MAX)) {
        return DECODE_RANGE;
    }
    r->number.whole = (int64_t)value;
    r->number.fraction = value - (double)r->number.whole;
    r->digit_count = (int)strspn(begin + (*begin == '-' ? 1 : 0), "0123456789");
    return DECODE_OK;
}

static enum decode_outcome iso_field(struct iso_reader *r, int unit)
{
    return add_unit(r->span, unit, r->number);
}

static enum decode_outcome iso_next(struct iso_reader *r, int unit)
{
    enum decode_outcome outcome = iso_number(r);
    return outcome == DECODE_OK ? iso_field(r, unit) : outcome;
}

/* The end of a part of an alternative form: the end of the text, or the T before the time. */
static bool iso_part_ends(struct iso_reader *r)
{
    if (*r->at == '\0') {
        r->done = true;
        return true;
    }
    if (r->date_part && *r->at == 'T') {
        r->at++;
        r->date_part = false;
        r->any = false;
        return true;
    }
    return false;
}

/* yyyymmdd or hhmmss, whose number has been read. */
static enum decode_outcome iso_run(struct iso_reader *r)
{
    static const int units[2][3] = {{FIELD_HOUR, FIELD_MINUTE, FIELD_SECOND}, {FIELD_YEAR, FIELD_MONTH, FIELD_DAY}};
    struct number n = r->number;
    const int64_t parts[3] = {n.whole / 10000, n.whole / 100 % 100, n.whole % 100};
    for (int i = 0; i < 3; i++) {
        struct number part = {.whole = parts[i], .fraction = i == 2 ? n.fraction : 0.0};
        if (!r->date_part && i == 2) {
            /* The fraction of hhmmss counts as microseconds. */
            part.fraction = 0.0;
        }
        enum decode_outcome outcome = add_unit(r->span, units[r->date_part ? 1 : 0][i], part);
        if (outcome != DECODE_OK) {
            return outcome;
        }
    }
    if (!r->date_part && !add_fraction_us(r->span, n.fraction, 1)) {
        return DECODE_RANGE;
    }
    iso_part_ends(r);
    return DECODE_OK;
}

/* yyyy-mm-dd or hh:mm:ss, whose first number has been read; it may end after any number. */
static enum decode_outcome iso_marked(struct iso_reader *r)
{
    const char mark = r->date_part ? '-' : ':';
    static const int units[2][3] = {{FIELD_HOUR, FIELD_MINUTE, FIELD_SECOND}, {FIELD_YEAR, FIELD_MONTH, FIELD_DAY}};
    const int *unit = units[r->date_part ? 1 : 0];
    if (r->any) {
        return DECODE_SYNTAX;
    }
    enum decode_outcome outcome = iso_field(r, unit[0]);
    for (int i = 1; outcome == DECODE_OK && i < 3; i++) {
        if (iso_part_ends(r)) {
            return DECODE_OK;
        }
        if (*r->at != mark) {
            return DECODE_SYNTAX;
        }
        r->at++;
        outcome = iso_next(r, unit[i]);
    }
    if (outcome != DECODE_OK) {
        return outcome;
    }
    return iso_part_ends(r) ? DECODE_OK : DECODE_SYNTAX;
}

static int iso_unit(char letter, bool date_part)
{
    switch (letter) {
    case 'Y':
        return date_part ? FIELD_YEAR : UNIT_NONE;
    case 'M':
        return date_part ? FIELD_MONTH : FIELD_MINUTE;
    case 'W':
        return date_part ? FIELD_WEEK : UNIT_NONE;
    case 'D':
        return date_part ? FIELD_DAY : UNIT_NONE;
    case 'H':
        return date_part ? UNIT_NONE : FIELD_HOUR;
    case 'S':
        return date_part ? UNIT_NONE : FIELD_SECOND;
    default:
        return UNIT_NONE;
    }
}

static enum decode_outcome iso_step(struct iso_reader *r)
{
    if (*r->at == 'T') {
        r->date_part = false;
        r->any = false;
        r->at++;
        return DECODE_OK;
    }
    enum decode_outcome outcome = iso_number(r);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    int unit = iso_unit(*r->at, r->date_part);
    if (unit != UNIT_NONE) {
        r->at++;
        r->any = true;
        return iso_field(r, unit);
    }
    bool ends = *r->at == '\0' || (r->date_part && *r->at == 'T');
    if (ends && !r->any && r->digit_count == (r->date_part ? 8 : 6)) {
        return iso_run(r);
    }
    return ends || *r->at == (r->date_part ? '-' : ':') ? iso_marked(r) : DECODE_SYNTAX;
}

static enum decode_outcome read_iso(struct bytes text, struct span *out)
{
    char copy[TOKEN_INTERVAL_BYTES_MAX];
    if (text.len < 2 || text.len >= sizeof copy || text.data[0] != 'P') {
        return DECODE_SYNTAX;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = (struct span){0};
    struct iso_reader r = {.at = copy + 1, .span = out, .date_part = true};
    while (*r.at != '\0' && !r.done) {
        enum decode_outcome outcome = iso_step(&r);
        if (outcome != DECODE_OK) {
            return outcome;
        }
    }
    return DECODE_OK;
}

enum status interval_parse(struct bytes text, int precision, struct interval *out, struct error *err)
{
    struct span span = {0};
    int len = (int)(text.len < 512 ? text.len : 512);
    const char *data = len > 0 ? (const char *)text.data : "";
    enum decode_outcome outcome = read_words(text, &span);
    if (outcome == DECODE_SYNTAX) {
        outcome = read_iso(text, &span);
    }
    if (outcome == DECODE_RANGE) {
        return error_set(err, STATUS_INVALID, 0, "interval field value out of range: \"%.*s\"", len, data);
    }
    if (outcome != DECODE_OK) {
        return error_set(err, STATUS_INVALID, 0, "invalid input syntax for type interval: \"%.*s\"", len, data);
    }
    int64_t months = (int64_t)span.years * 12 + span.months;
    if (months > INT32_MAX || months < INT32_MIN) {
        return error_set(err, STATUS_INVALID, 0, "interval out of range");
    }
    *out = (struct interval){.us = datetime_round(span.us, precision), .days = span.days, .months = (int32_t)months};
    return STATUS_OK;
}

/* "1 year", "-2 mons": a positive part after a negative one is given its sign. */
static void print_part(int64_t value, const char *unit, bool *any, bool *negative, struct buffer *out)
{
    if (value == 0) {
        return;
    }
    buffer_printf(out, "%s%s%lld %s%s", *any ? " " : "", *negative && value > 0 ? "+" : "", (long long)value, unit,
                  value == 1 ? "" : "s");
    *negative = value < 0;
    *any = true;
}

void interval_print(struct interval value, struct buffer *out)
{
    bool any = false;
    bool negative = false;
    print_part(value.months / 12, "year", &any, &negative, out);
    print_part(value.months % 12, "mon", &any, &negative, out);
    print_part(value.days, "day", &any, &negative, out);
    if (any && value.us == 0) {
        return;
    }
    uint64_t us = value.us < 0 ? 0 - (uint64_t)value.us : (uint64_t)value.us;
    uint64_t seconds = us / (uint64_t)DATETIME_US_PER_SECOND;
    const char *sign = value.us < 0 ? "-" : negative ? "+" : "";
    buffer_printf(out, "%s%s%02llu:%02u:%02u", any ? " " : "", sign, (unsigned long long)(seconds / 3600),
                  (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    unsigned fraction = (unsigned)(us % (uint64_t)DATETIME_US_PER_SECOND);
    if (fraction != 0) {
        int width = 6;
        while (fraction % 10 == 0) {
            fraction /= 10;
            width--;
        }
        buffer_printf(out, ".%0*u", width, fraction);
    }
}
