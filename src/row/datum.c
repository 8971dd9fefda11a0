/* Copying and comparing values. Text and binary forms are in datum_text.c and datum_binary.c. */
#include "row/datum.h"

#include "row/datetime.h"
#include "row/decimal.h"

#include <assert.h>
#include <math.h>

enum { FIXED_BYTES = 16 }; /* uuid and interval */

bool datum_is_pointer(enum type_kind kind, const struct datum *d)
{
    if (d->null) {
        return false;
    }
    switch (kind) {
    case TYPE_NUMERIC:
        return d->big != 0;
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        return true;
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        break;
    }
    return false;
}

struct datum datum_copy(struct arena *a, enum type_kind kind, struct datum d)
{
    if (datum_is_pointer(kind, &d)) {
        size_t len = kind == TYPE_UUID || kind == TYPE_INTERVAL ? FIXED_BYTES : d.len;
        d.v.p = arena_dup(a, d.v.p, len);
    }
    return d;
}

/* ---- comparing ---- */

static int compare_ints(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* NaN equals NaN and is above everything. */
static int compare_floats(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return (isnan(a) != 0) - (isnan(b) != 0);
    }
    return (a > b) - (a < b);
}

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static struct bytes without_blanks(struct bytes text)
{
    while (text.len > 0 && text.data[text.len - 1] == ' ') {
        text.len -= 1;
    }
    return text;
}

static int compare_spans(const struct datum *a, const struct datum *b)
{
    int128 x = interval_span(interval_load(a->v.p));
    int128 y = interval_span(interval_load(b->v.p));
    return (x > y) - (x < y);
}

int datum_compare(enum type_kind kind, const struct datum *a, const struct datum *b)
{
    assert(!a->null && !b->null);
    switch (kind) {
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return compare_ints(a->v.i, b->v.i);
    case TYPE_NUMERIC:
        return decimal_compare(a, b);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return compare_floats(a->v.d, b->v.d);
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BYTEA:
        return compare_bytes(datum_as_bytes(a), datum_as_bytes(b));
    case TYPE_BPCHAR:
        return compare_bytes(without_blanks(datum_as_bytes(a)), without_blanks(datum_as_bytes(b)));
    case TYPE_UUID:
        return memcmp(a->v.p, b->v.p, FIXED_BYTES);
    case TYPE_INTERVAL:
        return compare_spans(a, b);
    case TYPE_UNKNOWN:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        break;
    }
    assert(!"a comparable kind");
    return 0;
}

static bool floats_identical(double a, double b)
{
    return isnan(a) || isnan(b) ? (isnan(a) && isnan(b)) : memcmp(&a, &b, sizeof a) == 0;
}

bool datum_identical(enum type_kind kind, const struct datum *a, const struct datum *b)
{
    if (a->null || b->null) {
        return a->null == b->null && a->missing == b->missing;
    }
    switch (kind) {
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return a->v.i == b->v.i;
    case TYPE_NUMERIC:
        if (a->big != b->big || a->len != b->len) {
            return false;
        }
        return a->big ? memcmp(a->v.p, b->v.p, a->len) == 0 : a->v.i == b->v.i;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return floats_identical(a->v.d, b->v.d);
    case TYPE_UUID:
    case TYPE_INTERVAL:
        return memcmp(a->v.p, b->v.p, FIXED_BYTES) == 0;
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        break;
    }
    return bytes_equal(datum_as_bytes(a), datum_as_bytes(b));
}
