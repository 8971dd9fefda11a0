/* Fields of dates and times: extract, date_part, date_trunc, date_bin, and time zones (UTC is the only one). */
#include "expr/function.h"

#include "row/datetime.h"
#include "row/decimal.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static enum status find_field(const struct datum *name, enum datetime_field *out, const struct eval *e)
{
    if (e->memo != NULL && *e->memo != 0) {
        *out = (enum datetime_field)(*e->memo - 1);
        return STATUS_OK;
    }
    if (!datetime_field_from_name(datum_as_bytes(name), out)) {
        char text[TYPE_NAME_BYTES];
        struct type plain = type_make(e->arg_types[1].kind);
        return error_set(e->err, STATUS_INVALID, 0, "unit \"%.*s\" not recognized for type %s", (int)name->len,
                         (const char *)name->v.p, type_text(&plain, text));
    }
    if (e->memo != NULL) {
        *e->memo = (int64_t)*out + 1;
    }
    return STATUS_OK;
}

static enum status part_of(enum datetime_field field, const struct datum *d, struct datetime_part *part,
                           const struct eval *e)
{
    enum type_kind kind = e->arg_types[1].kind;
    if (kind == TYPE_DATE) {
        return date_extract(field, d->v.i, part, e->err);
    }
    if (kind == TYPE_TIME) {
        return time_extract(field, d->v.i, part, e->err);
    }
    if (kind == TYPE_INTERVAL) {
        return interval_extract(field, interval_load(d->v.p), part, e->err);
    }
    return timestamp_extract(field, d->v.i, kind == TYPE_TIMESTAMPTZ, part, e->err);
}

static enum status extract(const struct datum *x, struct datum *out, const struct eval *e)
{
    enum datetime_field field;
    struct datetime_part part = {.scale = 0};
    TRY(find_field(&x[0], &field, e));
    TRY(part_of(field, &x[1], &part, e));
    if (part.null) {
        *out = DATUM_NULL;
    } else if (part.infinite != 0) {
        return decimal_parse(part.infinite > 0 ? bytes_of("Infinity", 8) : bytes_of("-Infinity", 9), e->a, out, e->err);
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
    struct datetime_part part = {.scale = 0};
    TRY(find_field(&x[0], &field, e));
    if (special_part(field, &x[1], e->arg_types[1].kind, &out->v.d)) {
        return STATUS_OK;
    }
    TRY(part_of(field, &x[1], &part, e));
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
    return timestamp_truncate(field, x[1].v.i, &out->v.i, e->err);
}

static enum status truncate_interval(const struct datum *x, struct datum *out, const struct eval *e)
{
    enum datetime_field field;
    struct interval value;
    TRY(find_field(&x[0], &field, e));
    TRY(interval_truncate(field, interval_load(x[1].v.p), &value, e->err));
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
