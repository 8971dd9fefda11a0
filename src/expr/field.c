/* Fields of dates and times: extract, date_part, date_trunc, date_bin, and time zones (UTC is the only one). */
#include "expr/function.h"

#include "row/datetime.h"
#include "row/decimal.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* "unit ... for type ..." with the unit's name as it was given, in lower case. */
static enum status refuse_unit(const struct datum *name, const char *what, enum type_kind kind, const struct eval *e)
{
    char text[TYPE_NAME_BYTES];
    struct type plain = type_make(kind);
    char *lower = arena_strndup(e->a, (const char *)name->v.p, name->len);
    for (char *p = lower; *p != '\0'; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
    }
    return error_set(e->err, STATUS_INVALID, 0, "unit \"%s\" not %s for type %s", lower, what, type_text(&plain, text));
}

static enum status find_field(const struct datum *name, enum datetime_field *out, const struct eval *e)
{
    if (e->memo != NULL && *e->memo != 0) {
        *out = (enum datetime_field)(*e->memo - 1);
        return STATUS_OK;
    }
    if (!datetime_field_from_name(datum_as_bytes(name), out)) {
        return refuse_unit(name, "recognized", e->arg_types[1].kind, e);
    }
    if (e->memo != NULL) {
        *e->memo = (int64_t)*out + 1;
    }
    return STATUS_OK;
}

/* A field's refusal again, under the name that the call gave. */
static enum status renamed(enum status st, const struct datum *name, const char *what, enum type_kind kind,
                           const struct eval *e)
{
    if (st == STATUS_INVALID && strncmp(e->err->text, "unit ", 5) == 0) {
        return refuse_unit(name, what, kind, e);
    }
    return st;
}

/* date_trunc() knows the names of units alone; extract() knows these as well. */
static const char *truncation_refusal(enum datetime_field field)
{
    bool unit = field != FIELD_DOW && field != FIELD_ISODOW && field != FIELD_DOY && field != FIELD_ISOYEAR &&
                field != FIELD_EPOCH && field != FIELD_JULIAN;
    return unit ? "supported" : "recognized";
}

static enum status part_of(enum datetime_field field, enum type_kind kind, const struct datum *x,
                           struct datetime_part *part, const struct eval *e)
{
    enum status st;
    if (kind == TYPE_DATE) {
        st = date_extract(field, x[1].v.i, part, e->err);
    } else if (kind == TYPE_TIME) {
        st = time_extract(field, x[1].v.i, part, e->err);
    } else if (kind == TYPE_INTERVAL) {
        st = interval_extract(field, interval_load(x[1].v.p), part, e->err);
    } else {
        st = timestamp_extract(field, x[1].v.i, kind == TYPE_TIMESTAMPTZ, part, e->err);
    }
    return renamed(st, &x[0], "supported", kind, e);
}

/* So near the end of time that PostgreSQL divides as numeric, whose quotient has fewer digits than the microseconds. */
static bool is_late_epoch(enum datetime_field field, enum type_kind kind, int64_t us)
{
    return field == FIELD_EPOCH && (kind == TYPE_TIMESTAMP || kind == TYPE_TIMESTAMPTZ) && us != TIMESTAMP_INFINITY &&
           us >= INT64_MAX - DATETIME_EPOCH_US;
}

static enum status late_epoch(const struct datetime_part *part, struct datum *out, const struct eval *e)
{
    struct datum us = decimal_from_int128(e->a, part->coefficient, 0);
    struct datum million = decimal_from_int(1000000);
    struct datum seconds;
    TRY(decimal_divide(e->a, &us, &million, &seconds, e->err));
    *out = decimal_round(e->a, &seconds, 6);
    return STATUS_OK;
}

static enum status extract(const struct datum *x, struct datum *out, const struct eval *e)
{
    enum datetime_field field;
    enum type_kind kind = e->arg_types[1].kind;
    struct datetime_part part = {.scale = 0};
    TRY(find_field(&x[0], &field, e));
    TRY(part_of(field, kind, x, &part, e));
    if (part.null) {
        *out = DATUM_NULL;
    } else if (part.infinite != 0) {
        return decimal_parse(part.infinite > 0 ? bytes_of("Infinity", 8) : bytes_of("-Infinity", 9), e->a, out, e->err);
    } else if (is_late_epoch(field, kind, x[1].v.i)) {
        return late_epoch(&part, out, e);
    } else {
        *out = decimal_from_int128(e->a, part.coefficient, part.scale);
    }
    return STATUS_OK;
}

/* date_part() computes in double from the start, in its own order of operations; the parts' whole and fraction are
 * rounded apart as there. */
static double part_as_double(const struct datetime_part *part)
{
    double power = 1.0;
    int64_t ten = 1;
    for (int32_t i = 0; i < part->scale && i < 18; i++) {
        power *= 10.0;
        ten *= 10;
    }
    return (double)(int64_t)(part->coefficient / ten) + (double)(int64_t)(part->coefficient % ten) / power;
}

/* Epoch and julian are one division of the whole value. */
static bool special_part(enum datetime_field field, const struct datum *d, enum type_kind kind, double *out)
{
    if (field == FIELD_EPOCH && kind == TYPE_INTERVAL) {
        struct interval value = interval_load(d->v.p);
        *out = (double)value.us / 1000000.0;
        *out += (365.25 * 86400.0) * (value.months / 12);
        *out += (30.0 * 86400.0) * (value.months % 12);
        *out += 86400.0 * value.days;
        return true;
    }
    if (kind == TYPE_TIME && field == FIELD_EPOCH) {
        *out = (double)d->v.i / 1000000.0;
        return true;
    }
    if (kind != TYPE_TIMESTAMP && kind != TYPE_TIMESTAMPTZ) {
        return false;
    }
    if (d->v.i == TIMESTAMP_INFINITY || d->v.i == TIMESTAMP_MINUS_INFINITY) {
        return false;
    }
    if (field == FIELD_EPOCH) {
        *out = d->v.i < INT64_MAX - DATETIME_EPOCH_US ? (double)(d->v.i + DATETIME_EPOCH_US) / 1000000.0
                                                      : ((double)d->v.i + (double)DATETIME_EPOCH_US) / 1000000.0;
        return true;
    }
    if (field == FIELD_JULIAN) {
        int64_t us = timestamp_to_time(d->v.i);
        const double julian_2000 = 2451545.0;
        *out = (double)timestamp_to_date(d->v.i) + julian_2000 +
               ((double)(us / 1000000) + (double)(us % 1000000) / 1000000.0) / 86400.0;
        return true;
    }
    return false;
}

static enum status date_part(const struct datum *x, struct datum *out, const struct eval *e)
{
    enum datetime_field field;
    enum type_kind kind = e->arg_types[1].kind;
    struct datetime_part part = {.scale = 0};
    struct datum pair[2] = {x[0], x[1]};
    if (kind == TYPE_DATE) { /* date_part(text, date) is defined over timestamp */
        TRY(date_to_timestamp(x[1].v.i, &pair[1].v.i, e->err));
        kind = TYPE_TIMESTAMP;
    }
    if (!datetime_field_from_name(datum_as_bytes(&x[0]), &field)) {
        return refuse_unit(&x[0], "recognized", kind, e);
    }
    if (special_part(field, &pair[1], kind, &out->v.d)) {
        return STATUS_OK;
    }
    TRY(part_of(field, kind, pair, &part, e));
    if (part.null) {
        *out = DATUM_NULL;
    } else if (part.infinite != 0) {
        out->v.d = part.infinite > 0 ? (double)INFINITY : -(double)INFINITY;
    } else {
        out->v.d = part_as_double(&part);
    }
    return STATUS_OK;
}

static enum status truncate_stamp(const struct datum *x, struct datum *out, const struct eval *e)
{
    enum datetime_field field;
    if (x[1].v.i == TIMESTAMP_INFINITY || x[1].v.i == TIMESTAMP_MINUS_INFINITY) {
        *out = x[1];
        return STATUS_OK;
    }
    TRY(find_field(&x[0], &field, e));
    enum status st = timestamp_truncate(field, x[1].v.i, &out->v.i, e->err);
    return renamed(st, &x[0], truncation_refusal(field), e->arg_types[1].kind, e);
}

static enum status truncate_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    enum datetime_field field;
    struct interval value;
    TRY(find_field(&x[0], &field, e));
    enum status st = interval_truncate(field, interval_load(x[1].v.p), &value, e->err);
    TRY(renamed(st, &x[0], truncation_refusal(field), TYPE_INTERVAL, e));
    uint8_t *bytes = arena_alloc(e->a, 16);
    interval_store(bytes, value);
    *out = datum_bytes(bytes_of(bytes, 16));
    return STATUS_OK;
}

static enum status bin(const struct datum *x, struct datum *out, const struct eval *e)
{
    return timestamp_bin(interval_load(x[0].v.p), x[1].v.i, x[2].v.i, &out->v.i, e->err);
}

static bool is_word(const struct datum *d, const char *word)
{
    return d->len == strlen(word) && strncasecmp((const char *)d->v.p, word, d->len) == 0;
}

static enum status check_zone(const struct datum *zone, const struct eval *e)
{
    static const char *const names[] = {"UTC",  "Etc/UTC",   "GMT",     "Z",        "UCT",
                                        "Zulu", "Universal", "Etc/GMT", "Greenwich"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_word(zone, names[i])) {
            return STATUS_OK;
        }
    }
    return error_set(e->err, STATUS_UNSUPPORTED, 0, "time zone \"%.*s\" is not supported: only UTC is", (int)zone->len,
                     (const char *)zone->v.p);
}

static enum status at_zone(const struct datum *x, struct datum *out, const struct eval *e)
{
    *out = x[1];
    return check_zone(&x[0], e);
}

static enum status truncate_in_zone(const struct datum *x, struct datum *out, const struct eval *e)
{
    TRY(check_zone(&x[2], e));
    return truncate_stamp(x, out, e);
}

#define FIELD_ROWS(X)                                                                                                  \
    CALL2("extract", extract, TYPE_TEXT, X, TYPE_NUMERIC, FUNCTION_FAIL),                                              \
        CALL2("date_part", date_part, TYPE_TEXT, X, TYPE_FLOAT8, FUNCTION_FAIL)

static const struct function rows[] = {
    FIELD_ROWS(TYPE_DATE),
    FIELD_ROWS(TYPE_TIME),
    FIELD_ROWS(TYPE_TIMESTAMP),
    FIELD_ROWS(TYPE_TIMESTAMPTZ),
    FIELD_ROWS(TYPE_INTERVAL),
    CALL2("date_trunc", truncate_stamp, TYPE_TEXT, TYPE_TIMESTAMP, TYPE_TIMESTAMP, FUNCTION_FAIL),
    CALL2("date_trunc", truncate_stamp, TYPE_TEXT, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, FUNCTION_FAIL),
    CALL2("date_trunc", truncate_interval, TYPE_TEXT, TYPE_INTERVAL, TYPE_INTERVAL, FUNCTION_FAIL),
    CALL3("date_trunc", truncate_in_zone, TYPE_TEXT, TYPE_TIMESTAMPTZ, TYPE_TEXT, TYPE_TIMESTAMPTZ, FUNCTION_FAIL),
    CALL3("date_bin", bin, TYPE_INTERVAL, TYPE_TIMESTAMP, TYPE_TIMESTAMP, TYPE_TIMESTAMP, FUNCTION_FAIL),
    CALL3("date_bin", bin, TYPE_INTERVAL, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, FUNCTION_FAIL),
    CALL2("timezone", at_zone, TYPE_TEXT, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, FUNCTION_FAIL),
    CALL2("timezone", at_zone, TYPE_TEXT, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP, FUNCTION_FAIL),
    CALL2("timezone", NULL, TYPE_INTERVAL, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ, 0),
    CALL2("timezone", NULL, TYPE_INTERVAL, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP, 0),
};
FUNCTION_FAMILY(function_family_field, rows);
