/* Which field a number is depends on the fields found before it, so the decoder keeps the set of fields it has and what
 * the word before asked for. Order of fields is month, day, year (DateStyle MDY). */
#include "row/datetime_decode.h"

#include <math.h>
#include <stdlib.h>

/* The fields found so far; each may be found once. */
enum {
    HAVE_YEAR = 1,
    HAVE_MONTH = 2,
    HAVE_DAY = 4,
    HAVE_DATE = HAVE_YEAR | HAVE_MONTH | HAVE_DAY,
    HAVE_DAY_OF_YEAR = 8,
    HAVE_HOUR = 16,
    HAVE_MINUTE = 32,
    HAVE_SECOND = 64,
    HAVE_FRACTION = 128,
    HAVE_TIME = HAVE_HOUR | HAVE_MINUTE | HAVE_SECOND | HAVE_FRACTION,
    HAVE_ZONE = 256,
    HAVE_ERA = 512,
    HAVE_MERIDIAN = 1024,
    HAVE_WEEKDAY = 2048
};
enum { PENDING_NONE = -1, PENDING_TIME = -2, ZONE_HOUR_MAX = 15 };
enum meridian { MERIDIAN_NONE, MERIDIAN_AM, MERIDIAN_PM };

struct decoder {
    struct decoded *out;
    struct civil *civil;
    const struct tokens *tokens;
    bool time_only;
    unsigned have;
    int pending; /* the unit that the word before named: an enum datetime_field, or a PENDING_ */
    int day_of_year;
    bool short_year; /* of one or two digits */
    bool text_month;
    bool julian;
    bool before_christ;
    bool zone_unknown;
    enum meridian meridian;
};

static enum decode_outcome scan_us(const char *at, int *us)
{
    double fraction = 0;
    if (!token_scan_fraction(at, &fraction)) {
        return DECODE_SYNTAX;
    }
    *us = (int)rint(fraction * 1000000);
    return DECODE_OK;
}

enum decode_outcome decode_clock(char *text, struct civil *out, int64_t *hour)
{
    char *at = text;
    out->second = 0;
    out->us = 0;
    if (!token_scan_int64(&at, hour)) {
        return DECODE_RANGE;
    }
    if (*at != ':') {
        return DECODE_SYNTAX;
    }
    at++;
    if (!token_scan_int(&at, &out->minute)) {
        return DECODE_RANGE;
    }
    if (*at == ':') {
        at++;
        if (!token_scan_int(&at, &out->second)) {
            return DECODE_RANGE;
        }
    } else if (*at == '.') {
        if (*hour > INT32_MAX || *hour < INT32_MIN) {
            return DECODE_RANGE;
        }
        out->second = out->minute;
        out->minute = (int)*hour;
        *hour = 0;
    }
    enum decode_outcome outcome = *at == '.' ? scan_us(at, &out->us) : *at == '\0' ? DECODE_OK : DECODE_SYNTAX;
    if (outcome != DECODE_OK) {
        return outcome;
    }
    bool fits = *hour >= 0 && out->minute >= 0 && out->minute < 60 && out->second >= 0 && out->second <= 60;
    return fits ? DECODE_OK : DECODE_RANGE;
}

static bool is_time_of_day(const struct civil *c)
{
    bool fields =
        c->hour >= 0 && c->hour <= 24 && c->minute >= 0 && c->minute < 60 && c->second >= 0 && c->second <= 60;
    int64_t seconds = ((int64_t)c->hour * 60 + c->minute) * 60 + c->second;
    return fields && c->us >= 0 && seconds * DATETIME_US_PER_SECOND + c->us <= DATETIME_US_PER_DAY;
}

static enum decode_outcome decode_offset(struct decoder *d, char *at)
{
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    char sign = *at;
    if (sign != '+' && sign != '-') {
        return DECODE_SYNTAX;
    }
    const char *begin = at;
    at++;
    bool fits = token_scan_int(&at, &hours);
    if (fits && *at == ':') {
        at++;
        fits = token_scan_int(&at, &minutes);
        if (fits && *at == ':') {
            at++;
            fits = token_scan_int(&at, &seconds);
        }
    } else if (fits && *at == '\0' && at - begin > 3) {
        minutes = hours % 100;
        hours /= 100;
    }
    if (!fits || hours < 0 || hours > ZONE_HOUR_MAX || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) {
        return DECODE_ZONE_RANGE;
    }
    int offset = (hours * 60 + minutes) * 60 + seconds;
    d->out->zone_east_s = sign == '-' ? -offset : offset;
    return *at == '\0' ? DECODE_OK : DECODE_SYNTAX;
}

static int two_digits(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* Digits run together: a date (YYMMDD, YYYYMMDD) while none is known, else a time (hhmm, hhmmss), perhaps with a
 * fraction. */
static enum decode_outcome decode_run(struct decoder *d, char *text, unsigned have, unsigned *found)
{
    size_t len = strlen(text);
    char *point = strchr(text, '.');
    if (point != NULL) {
        d->civil->us = (int)rint((point[1] == '\0' ? 0.0 : strtod(point, NULL)) * 1000000);
        *point = '\0';
        len = (size_t)(point - text);
    } else if ((have & HAVE_DATE) != HAVE_DATE && len >= 6) {
        *found = HAVE_DATE;
        d->civil->day = two_digits(text + len - 2);
        d->civil->month = two_digits(text + len - 4);
        text[len - 4] = '\0';
        d->civil->year = (int32_t)strtol(text, NULL, 10);
        if (len == 6) {
            d->short_year = true;
        }
        return DECODE_OK;
    }
    if ((have & HAVE_TIME) == HAVE_TIME || (len != 6 && len != 4)) {
        return DECODE_SYNTAX;
    }
    *found = HAVE_TIME;
    d->civil->hour = two_digits(text);
    d->civil->minute = two_digits(text + 2);
    d->civil->second = len == 6 ? two_digits(text + 4) : 0;
    return DECODE_OK;
}

/* Gives the number to the field that is due in the order month, day, year, or year, month, day. */
static enum decode_outcome decode_due(struct decoder *d, size_t len, int value, unsigned have, unsigned *found)
{
    switch (have & HAVE_DATE) {
    case 0:
        *found = len >= 3 ? HAVE_YEAR : HAVE_MONTH;
        break;
    case HAVE_YEAR:
    case HAVE_DAY:
        *found = HAVE_MONTH;
        break;
    case HAVE_MONTH:
        *found = d->text_month && len >= 3 ? HAVE_YEAR : HAVE_DAY;
        break;
    case HAVE_YEAR | HAVE_MONTH:
        *found = HAVE_DAY;
        if (d->text_month && len >= 3 && d->short_year) {
            /* What was taken for the year was the day. */
            d->civil->day = (int)d->civil->year;
            d->civil->year = value;
            d->short_year = false;
            return DECODE_OK;
        }
        break;
    case HAVE_MONTH | HAVE_DAY:
        *found = HAVE_YEAR;
        break;
    default:
        return DECODE_SYNTAX;
    }
    if (*found == HAVE_YEAR) {
        d->civil->year = value;
        d->short_year = len <= 2;
    } else if (*found == HAVE_MONTH) {
        d->civil->month = value;
    } else {
        d->civil->day = value;
    }
    return DECODE_OK;
}

static enum decode_outcome decode_number(struct decoder *d, char *text, unsigned have, unsigned *found)
{
    int value = 0;
    char *at = text;
    size_t len = strlen(text);
    if (!token_scan_int(&at, &value)) {
        return DECODE_RANGE;
    }
    if (at == text) {
        return DECODE_SYNTAX;
    }
    if (*at == '.') {
        if (at - text > 2) {
            return decode_run(d, text, have | HAVE_DATE, found);
        }
        enum decode_outcome outcome = scan_us(at, &d->civil->us);
        if (outcome != DECODE_OK) {
            return outcome;
        }
    } else if (*at != '\0') {
        return DECODE_SYNTAX;
    }
    if (len == 3 && (have & HAVE_DATE) == HAVE_YEAR && value >= 1 && value <= 366) {
        *found = HAVE_DAY_OF_YEAR | HAVE_MONTH | HAVE_DAY;
        d->day_of_year = value;
        return DECODE_OK;
    }
    if ((have & HAVE_DATE) == HAVE_DATE) {
        return decode_run(d, text, have, found);
    }
    return decode_due(d, len, value, have, found);
}

/* The end of a run of digits or of letters. */
static char *part_end(char *at)
{
    bool digits = token_is_digit(*at);
    while (*at != '\0' && (digits ? token_is_digit(*at) : *at >= 'a' && *at <= 'z')) {
        at++;
    }
    return at;
}

/* Cuts a joined date into its parts; one character after each is a separator, whatever it is. */
static bool cut_parts(char *at, char *parts[static TOKENS_MAX], size_t *count)
{
    *count = 0;
    while (*at != '\0' && *count < TOKENS_MAX) {
        while (*at != '\0' && !token_is_digit(*at) && (*at < 'a' || *at > 'z')) {
            at++;
        }
        if (*at == '\0') {
            return false;
        }
        parts[(*count)++] = at;
        at = part_end(at);
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
    return true;
}

/* A date joined by marks. The month in letters counts first, for it tells what the numbers are. */
static enum decode_outcome decode_joined(struct decoder *d, char *text, unsigned *found)
{
    char *parts[TOKENS_MAX];
    size_t count = 0;
    unsigned have = d->have;
    bool text_month = d->text_month;
    if (!cut_parts(text, parts, &count)) {
        return DECODE_SYNTAX;
    }
    d->text_month = false;
    for (size_t i = 0; i < count; i++) {
        if (token_is_digit(parts[i][0])) {
            continue;
        }
        struct word word = token_date_word(parts[i]);
        if (word.kind == WORD_IGNORED) {
            continue;
        }
        if (word.kind != WORD_MONTH || (have & HAVE_MONTH) != 0) {
            return DECODE_SYNTAX;
        }
        d->civil->month = word.value;
        d->text_month = true;
        have |= HAVE_MONTH;
        *found |= HAVE_MONTH;
        parts[i] = NULL;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned part = 0;
        if (parts[i] == NULL) {
            continue;
        }
        enum decode_outcome outcome = decode_number(d, parts[i], have, &part);
        if (outcome != DECODE_OK) {
            return outcome;
        }
        if ((have & part) != 0) {
            return DECODE_SYNTAX;
        }
        have |= part;
        *found |= part;
    }
    d->text_month = text_month;
    return (have & ~(unsigned)(HAVE_DAY_OF_YEAR | HAVE_ZONE)) == HAVE_DATE ? DECODE_OK : DECODE_SYNTAX;
}

static enum decode_outcome decode_zone_name(struct decoder *d, const char *name, unsigned *found)
{
    *found = HAVE_ZONE;
    if (!token_is_utc(name)) {
        d->zone_unknown = true;
    }
    return DECODE_OK;
}

/* hhmmss-zz, or a zone's name that has marks in it. */
static enum decode_outcome decode_time_and_zone(struct decoder *d, char *text, unsigned *found)
{
    bool pending = !d->time_only && d->pending != PENDING_NONE;
    if (!token_is_digit(*text) && !pending) {
        return decode_zone_name(d, text, found);
    }
    if (pending) {
        if (d->pending != PENDING_TIME) {
            return DECODE_SYNTAX;
        }
        d->pending = PENDING_NONE;
    }
    char *dash = strchr(text, '-');
    if ((d->have & HAVE_TIME) == HAVE_TIME || dash == NULL) {
        return DECODE_SYNTAX;
    }
    enum decode_outcome outcome = decode_offset(d, dash);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    *dash = '\0';
    outcome = decode_run(d, text, d->time_only ? d->have | HAVE_DATE : d->have, found);
    *found |= HAVE_ZONE;
    return outcome;
}

static enum decode_outcome decode_julian(struct decoder *d, char *text, unsigned *found)
{
    int value = 0;
    char *at = text;
    if (!token_scan_int(&at, &value) || value < 0) {
        return DECODE_RANGE;
    }
    datetime_civil_date(value, d->civil);
    d->julian = true;
    *found = HAVE_DATE;
    if (*at == '.') {
        double fraction = 0;
        if (!token_scan_fraction(at, &fraction)) {
            return DECODE_SYNTAX;
        }
        int64_t us = (int64_t)(fraction * (double)DATETIME_US_PER_DAY);
        d->civil->hour = (int)(us / DATETIME_US_PER_HOUR);
        d->civil->minute = (int)(us / DATETIME_US_PER_MINUTE % 60);
        d->civil->second = (int)(us / DATETIME_US_PER_SECOND % 60);
        d->civil->us = (int)(us % DATETIME_US_PER_SECOND);
        *found |= HAVE_TIME;
    } else if (*at == '-' || *at == '+') {
        enum decode_outcome outcome = decode_offset(d, at);
        *found |= HAVE_TIME | HAVE_ZONE;
        return outcome;
    }
    return *at == '\0' || *at == '.' ? DECODE_OK : DECODE_SYNTAX;
}

static enum decode_outcome decode_date_token(struct decoder *d, size_t i, unsigned *found)
{
    char *text = d->tokens->items[i].text;
    const unsigned month_and_day = HAVE_MONTH | HAVE_DAY;
    if (d->time_only) {
        const struct token *items = d->tokens->items;
        size_t count = d->tokens->count;
        bool date = i == 0 && count >= 2 && (items[count - 1].kind == TOKEN_DATE || items[1].kind == TOKEN_TIME);
        return date ? decode_joined(d, text, found) : decode_time_and_zone(d, text, found);
    }
    if (d->pending == FIELD_JULIAN) {
        d->pending = PENDING_NONE;
        return decode_julian(d, text, found);
    }
    if (d->pending != PENDING_NONE || (d->have & month_and_day) == month_and_day) {
        return decode_time_and_zone(d, text, found);
    }
    return decode_joined(d, text, found);
}

static enum decode_outcome decode_time_token(struct decoder *d, char *text, unsigned *found)
{
    if (!d->time_only) {
        if (d->pending != PENDING_NONE && d->pending != PENDING_TIME) {
            return DECODE_SYNTAX;
        }
        d->pending = PENDING_NONE;
    }
    int64_t hour = 0;
    *found = HAVE_TIME;
    enum decode_outcome outcome = decode_clock(text, d->civil, &hour);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    if (hour > INT32_MAX) {
        return DECODE_RANGE;
    }
    d->civil->hour = (int)hour;
    return d->time_only || is_time_of_day(d->civil) ? DECODE_OK : DECODE_RANGE;
}

/* The field that a unit before the number names; *found is 0 where there is no such unit in a date. */
static int *labelled_field(struct decoder *d, unsigned *found)
{
    const unsigned month_and_hour = HAVE_MONTH | HAVE_HOUR;
    switch (d->pending) {
    case FIELD_MONTH:
        if ((d->have & month_and_hour) == month_and_hour) {
            *found = HAVE_MINUTE;
            return &d->civil->minute;
        }
        *found = HAVE_MONTH;
        return &d->civil->month;
    case FIELD_DAY:
        *found = HAVE_DAY;
        return &d->civil->day;
    case FIELD_HOUR:
        *found = HAVE_HOUR;
        return &d->civil->hour;
    case FIELD_MINUTE:
        *found = HAVE_MINUTE;
        return &d->civil->minute;
    case FIELD_SECOND:
        *found = HAVE_SECOND;
        return &d->civil->second;
    default:
        return NULL;
    }
}

/* A number after a unit, as in "y2001m02d04", or after the T of ISO 8601. */
static enum decode_outcome decode_labelled(struct decoder *d, char *text, unsigned *found)
{
    int value = 0;
    char *at = text;
    if (!token_scan_int(&at, &value)) {
        return DECODE_RANGE;
    }
    bool pointed = *at == '.';
    if (*at != '\0' &&
        !(pointed && (d->pending == FIELD_JULIAN || d->pending == FIELD_SECOND || d->pending == PENDING_TIME))) {
        return DECODE_SYNTAX;
    }
    if (d->pending == PENDING_TIME) {
        enum decode_outcome outcome = decode_run(d, text, d->have | HAVE_DATE, found);
        return outcome == DECODE_OK && *found != HAVE_TIME ? DECODE_SYNTAX : outcome;
    }
    if (d->pending == FIELD_JULIAN) {
        return decode_julian(d, text, found);
    }
    if (d->pending == FIELD_YEAR) {
        d->civil->year = value;
        *found = HAVE_YEAR;
        return DECODE_OK;
    }
    int *field = labelled_field(d, found);
    if (field == NULL) {
        return DECODE_SYNTAX;
    }
    *field = value;
    if (!pointed) {
        return DECODE_OK;
    }
    *found |= HAVE_FRACTION;
    return scan_us(at, &d->civil->us);
}

static enum decode_outcome decode_number_token(struct decoder *d, size_t i, unsigned *found)
{
    char *text = d->tokens->items[i].text;
    if (d->pending != PENDING_NONE) {
        enum decode_outcome outcome = decode_labelled(d, text, found);
        d->pending = PENDING_NONE;
        return outcome;
    }
    size_t len = strlen(text);
    const char *point = strchr(text, '.');
    bool long_before_point = point != NULL && point - text > 2;
    if (d->time_only) {
        unsigned have = d->have | HAVE_DATE;
        if (point != NULL) {
            size_t count = d->tokens->count;
            if (i == 0 && count >= 2 && d->tokens->items[count - 1].kind == TOKEN_DATE) {
                return decode_joined(d, text, found);
            }
            return long_before_point ? decode_run(d, text, have, found) : DECODE_SYNTAX;
        }
        return len > 4 ? decode_run(d, text, have, found) : decode_number(d, text, have, found);
    }
    if (point != NULL && (d->have & HAVE_DATE) == 0) {
        return decode_joined(d, text, found);
    }
    bool incomplete = (d->have & HAVE_DATE) == 0 || (d->have & HAVE_TIME) == 0;
    if (long_before_point || (len >= 6 && incomplete)) {
        return decode_run(d, text, d->have, found);
    }
    return decode_number(d, text, d->have, found);
}

static enum decode_outcome decode_iso_time_mark(struct decoder *d, size_t i)
{
    if (!d->time_only && (d->have & HAVE_DATE) != HAVE_DATE) {
        return DECODE_SYNTAX;
    }
    if (i + 1 >= d->tokens->count) {
        return DECODE_SYNTAX;
    }
    enum token_kind next = d->tokens->items[i + 1].kind;
    if (next != TOKEN_NUMBER && next != TOKEN_TIME && next != TOKEN_DATE) {
        return DECODE_SYNTAX;
    }
    d->pending = PENDING_TIME;
    return DECODE_OK;
}

static enum decode_outcome decode_month_word(struct decoder *d, int month, unsigned *found)
{
    struct civil *c = d->civil;
    *found = HAVE_MONTH;
    if ((d->have & HAVE_MONTH) != 0 && !d->text_month && (d->have & HAVE_DAY) == 0 && c->month >= 1 && c->month <= 31) {
        /* What was taken for the month was the day. */
        c->day = c->month;
        *found = HAVE_DAY;
    }
    d->text_month = true;
    c->month = month;
    return DECODE_OK;
}

static enum decode_outcome decode_special_word(struct decoder *d, enum word_kind kind, unsigned *found)
{
    if (kind == WORD_CLOCK) {
        return DECODE_CLOCK;
    }
    if (kind == WORD_ALLBALLS) {
        d->civil->hour = 0;
        d->civil->minute = 0;
        d->civil->second = 0;
        d->out->zone_east_s = 0;
        *found = HAVE_TIME | HAVE_ZONE;
        return DECODE_OK;
    }
    if (d->time_only) {
        return DECODE_SYNTAX;
    }
    d->out->special = kind;
    *found = HAVE_DATE | HAVE_TIME | HAVE_ZONE;
    return DECODE_OK;
}

static enum decode_outcome decode_word_token(struct decoder *d, size_t i, unsigned *found)
{
    const char *text = d->tokens->items[i].text;
    struct word word = token_date_word(text);
    switch (word.kind) {
    case WORD_MONTH:
        /* A time's words have no months. */
        return d->time_only ? DECODE_SYNTAX : decode_month_word(d, word.value, found);
    case WORD_WEEKDAY:
        *found = HAVE_WEEKDAY;
        return d->time_only ? DECODE_SYNTAX : DECODE_OK;
    case WORD_ERA:
        d->before_christ = word.value == 1;
        *found = HAVE_ERA;
        return DECODE_OK;
    case WORD_MERIDIAN:
        d->meridian = word.value == 1 ? MERIDIAN_PM : MERIDIAN_AM;
        *found = HAVE_MERIDIAN;
        return DECODE_OK;
    case WORD_UNIT:
        if (d->pending != PENDING_NONE) {
            return DECODE_SYNTAX;
        }
        d->pending = word.value;
        return DECODE_OK;
    case WORD_ISO_TIME:
        return decode_iso_time_mark(d, i);
    case WORD_UTC:
        d->out->zone_east_s = 0;
        *found = HAVE_ZONE;
        return DECODE_OK;
    case WORD_DST:
    case WORD_UNKNOWN:
        return decode_zone_name(d, text, found);
    case WORD_EPOCH:
    case WORD_INFINITY:
    case WORD_MINUS_INFINITY:
    case WORD_CLOCK:
    case WORD_ALLBALLS:
        return decode_special_word(d, word.kind, found);
    case WORD_IGNORED:
        return DECODE_OK;
    case WORD_AGO:
    case WORD_FIELD:
    default:
        return DECODE_SYNTAX;
    }
}

static enum decode_outcome decode_token(struct decoder *d, size_t i, unsigned *found)
{
    switch (d->tokens->items[i].kind) {
    case TOKEN_DATE:
        return decode_date_token(d, i, found);
    case TOKEN_TIME:
        return decode_time_token(d, d->tokens->items[i].text, found);
    case TOKEN_SIGNED:
        *found = HAVE_ZONE;
        return decode_offset(d, d->tokens->items[i].text);
    case TOKEN_NUMBER:
        return decode_number_token(d, i, found);
    case TOKEN_TEXT:
    case TOKEN_SPECIAL:
    default:
        return decode_word_token(d, i, found);
    }
}

/* There is no year 0 in text; years of two digits are 1970 to 2069. */
static bool settle_year(struct decoder *d)
{
    struct civil *c = d->civil;
    if (d->julian) {
        return true;
    }
    if (d->before_christ) {
        if (c->year <= 0) {
            return false;
        }
        c->year = 1 - c->year;
        return true;
    }
    if (d->short_year) {
        if (c->year < 0) {
            return false;
        }
        c->year += c->year < 70 ? 2000 : c->year < 100 ? 1900 : 0;
        return true;
    }
    return c->year > 0;
}

static bool settle_date(struct decoder *d)
{
    struct civil *c = d->civil;
    if ((d->have & HAVE_YEAR) != 0 && !settle_year(d)) {
        return false;
    }
    if ((d->have & HAVE_DAY_OF_YEAR) != 0) {
        datetime_civil_date(datetime_julian(c->year, 1, 1) + d->day_of_year - 1, c);
    }
    if ((d->have & HAVE_MONTH) != 0 && (c->month < 1 || c->month > 12)) {
        return false;
    }
    if ((d->have & HAVE_DAY) != 0 && (c->day < 1 || c->day > 31)) {
        return false;
    }
    return (d->have & HAVE_DATE) != HAVE_DATE || c->day <= datetime_days_in_month(c->year, c->month);
}

static bool settle_meridian(struct decoder *d)
{
    if (d->meridian == MERIDIAN_NONE) {
        return true;
    }
    if (d->civil->hour > 12) {
        return false;
    }
    if (d->meridian == MERIDIAN_AM && d->civil->hour == 12) {
        d->civil->hour = 0;
    } else if (d->meridian == MERIDIAN_PM && d->civil->hour != 12) {
        d->civil->hour += 12;
    }
    return true;
}

static enum decode_outcome decode_all(struct decoder *d)
{
    for (size_t i = 0; i < d->tokens->count; i++) {
        unsigned found = 0;
        enum decode_outcome outcome = decode_token(d, i, &found);
        if (outcome != DECODE_OK) {
            return outcome;
        }
        if ((found & d->have) != 0) {
            return DECODE_SYNTAX;
        }
        d->have |= found;
    }
    if (d->out->special != WORD_UNKNOWN) {
        return DECODE_OK;
    }
    return settle_date(d) && settle_meridian(d) ? DECODE_OK : DECODE_RANGE;
}

static void decoder_init(struct decoder *d, const struct tokens *tokens, bool time_only, struct decoded *out)
{
    *out = (struct decoded){.special = WORD_UNKNOWN};
    *d = (struct decoder){
        .out = out, .civil = &out->civil, .tokens = tokens, .time_only = time_only, .pending = PENDING_NONE};
}

enum decode_outcome decode_datetime(struct tokens *tokens, struct decoded *out)
{
    struct decoder d;
    decoder_init(&d, tokens, false, out);
    enum decode_outcome outcome = decode_all(&d);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    if ((d.have & HAVE_DATE) != HAVE_DATE) {
        return DECODE_SYNTAX;
    }
    return d.zone_unknown ? DECODE_ZONE_NAME : DECODE_OK;
}

enum decode_outcome decode_time(struct tokens *tokens, struct decoded *out)
{
    struct decoder d;
    decoder_init(&d, tokens, true, out);
    enum decode_outcome outcome = decode_all(&d);
    if (outcome != DECODE_OK) {
        return outcome;
    }
    if (!is_time_of_day(d.civil)) {
        return DECODE_RANGE;
    }
    if ((d.have & HAVE_TIME) != HAVE_TIME) {
        return DECODE_SYNTAX;
    }
    unsigned date = d.have & HAVE_DATE;
    if ((d.have & HAVE_ZONE) == 0 && date != 0 && date != HAVE_DATE) {
        return DECODE_SYNTAX;
    }
    return d.zone_unknown ? DECODE_ZONE_NAME : DECODE_OK;
}
