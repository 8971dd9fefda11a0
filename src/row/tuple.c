/* Order-preserving bytes. A value is a tag byte and a body that ends itself:
 *
 *   01 / fe        NULL, first / last; never inverted
 *   28..30..38     integer kinds (bool, int, date, time, timestamp): 30 is zero, 30+n a positive one of n bytes
 *                  big-endian, 30-n a negative one >= -(256^n), as its n low bytes
 *   40             float: 8 bytes, sign folded so that they sort; NaN is ff..ff. Image: 00 for -0, else 01
 *   50..55         numeric: -infinity, negative, zero, positive, infinity, NaN. Negative and positive: decimal exponent
 *                  (3 bytes, biased), pairs of digits + 1, ended by 00; inverted for a negative. Image: display scale,
 *                  2 bytes
 *   60             uuid: 16 bytes
 *   61             text and bytes: 00 is written 01 01, 01 is written 01 02, the end is 00. bpchar without its trailing
 *                  blanks; image: their number as an integer
 *   62             interval: span in microseconds, 16 bytes, sign flipped. Image: months and days as integers
 * With TUPLE_DESC tag and body are inverted. Sources of the idea: SQLite4's and FoundationDB's key encodings. */
#include "row/tuple.h"

#include "row/datetime.h"
#include "row/tuple_scan.h"

#include <math.h>
#include <string.h>

enum { FIXED_BYTES = 16, BLANKS_MAX = 1 << 30 };

static bool is_integer_like(enum type_kind kind)
{
    return kind == TYPE_BOOL || type_is_integer(kind) || (kind >= TYPE_DATE && kind <= TYPE_TIMESTAMPTZ);
}

/* ---- writing ---- */

static void append_int(struct buffer *out, int64_t value)
{
    uint8_t *to = buffer_reserve(out, 9);
    uint64_t bits = value >= 0 ? (uint64_t)value : ~(uint64_t)value;
    unsigned n = bits == 0 ? (value < 0) : (unsigned)(71 - __builtin_clzll(bits)) / 8;
    to[0] = (uint8_t)(value >= 0 ? TAG_INT_ZERO + n : TAG_INT_ZERO - n);
    if (n > 0) {
        uint64_t be = __builtin_bswap64((uint64_t)value << (8 * (8 - n)));
        memcpy(to + 1, &be, 8);
    }
    out->len += 1 + n;
}

static void append_float(struct buffer *out, double value, bool image)
{
    uint8_t *to = buffer_reserve(out, 10);
    double plain = value == 0 ? 0.0 : value; /* -0 sorts as 0 */
    uint64_t bits;
    memcpy(&bits, &plain, sizeof bits);
    bits = value != value ? UINT64_MAX : bits >> 63 != 0 ? ~bits : bits | UINT64_C(1) << 63;
    to[0] = TAG_FLOAT;
    store_be64(to + 1, bits);
    out->len += 9;
    if (image) {
        memcpy(&bits, &value, sizeof bits);
        to[9] = bits != UINT64_C(1) << 63;
        out->len += 1;
    }
}

/* True where one of eight bytes is 00 or 01. */
static bool has_escaped(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return ((eight - 2 * ones) & ~eight & 0x80 * ones) != 0;
}

static void append_bytes(struct buffer *out, struct bytes data)
{
    uint8_t *to = buffer_reserve(out, 2 + 2 * data.len);
    uint8_t *start = to;
    *to++ = TAG_BYTES;
    size_t i = 0;
    while (i < data.len) {
        uint64_t eight;
        while (i + sizeof eight <= data.len) {
            memcpy(&eight, data.data + i, sizeof eight);
            if (has_escaped(eight)) {
                break;
            }
            memcpy(to, &eight, sizeof eight);
            to += sizeof eight;
            i += sizeof eight;
        }
        for (size_t end = i + sizeof eight; i < data.len && i < end; i++) {
            uint8_t c = data.data[i];
            if (c <= 1) {
                *to++ = 1;
                c = (uint8_t)(c + 1);
            }
            *to++ = c;
        }
    }
    *to++ = 0;
    out->len += (size_t)(to - start);
}

static void append_bpchar(struct buffer *out, struct bytes text, bool image)
{
    size_t len = text.len;
    while (len > 0 && text.data[len - 1] == ' ') {
        len--;
    }
    append_bytes(out, bytes_of(text.data, len));
    if (image) {
        append_int(out, (int64_t)(text.len - len));
    }
}

static void append_interval(struct buffer *out, struct interval value, bool image)
{
    uint128 span = (uint128)interval_span(value) ^ (uint128)1 << 127;
    uint8_t *to = buffer_reserve(out, 17);
    to[0] = TAG_INTERVAL;
    store_be64(to + 1, (uint64_t)(span >> 64));
    store_be64(to + 9, (uint64_t)span);
    out->len += 17;
    if (image) {
        append_int(out, value.months);
        append_int(out, value.days);
    }
}

static void append_value(struct buffer *out, enum type_kind kind, const struct datum *d, bool image)
{
    if (is_integer_like(kind)) {
        append_int(out, d->v.i);
    } else if (kind == TYPE_NUMERIC) {
        tuple_numeric_append(out, d, image);
    } else if (kind == TYPE_FLOAT4 || kind == TYPE_FLOAT8) {
        append_float(out, d->v.d, image);
    } else if (kind == TYPE_UUID) {
        buffer_append_byte(out, TAG_UUID);
        buffer_append(out, d->v.p, 16);
    } else if (kind == TYPE_INTERVAL) {
        append_interval(out, interval_load(d->v.p), image);
    } else if (kind == TYPE_BPCHAR) {
        append_bpchar(out, datum_as_bytes(d), image);
    } else {
        append_bytes(out, datum_as_bytes(d));
    }
}

void tuple_append(struct buffer *out, enum type_kind kind, const struct datum *d, unsigned flags)
{
    if (d->null) {
        buffer_append_byte(out, (flags & TUPLE_NULLS_FIRST) != 0 ? TAG_NULL_FIRST : TAG_NULL_LAST);
        return;
    }
    size_t start = out->len;
    append_value(out, kind, d, (flags & TUPLE_IMAGE) != 0);
    if ((flags & TUPLE_DESC) != 0) {
        for (size_t i = start; i < out->len; i++) {
            out->data[i] = (uint8_t)~out->data[i];
        }
    }
}

/* ---- reading ---- */

static enum status read_int(struct tuple_scan *s, uint8_t tag, int64_t *out, struct error *err)
{
    unsigned n = tag >= TAG_INT_ZERO ? tag - TAG_INT_ZERO : TAG_INT_ZERO - tag;
    if (n > 8 || (size_t)(s->end - s->next) < n) {
        return tuple_broken(err);
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        value = value << 8 | (s->next[i] ^ s->mask);
    }
    s->next += n;
    if (tag < TAG_INT_ZERO && n < 8) {
        value |= UINT64_MAX << (8 * n);
    }
    uint64_t magnitude = tag < TAG_INT_ZERO ? ~value : value;
    bool shortest = n <= 1 ? n == 0 || value != 0 : magnitude >> (8 * (n - 1)) != 0;
    if (!shortest || magnitude >> 63 != 0) {
        return tuple_broken(err);
    }
    *out = (int64_t)value;
    return STATUS_OK;
}

static bool is_in_range(enum type_kind kind, int64_t v)
{
    switch (kind) {
    case TYPE_BOOL:
        return v == 0 || v == 1;
    case TYPE_INT2:
        return v == (int16_t)v;
    case TYPE_INT4:
    case TYPE_DATE:
        return v == (int32_t)v;
    case TYPE_TIME:
        return v >= 0 && v <= DATETIME_US_PER_DAY;
    case TYPE_UNKNOWN:
    case TYPE_INT8:
    case TYPE_NUMERIC:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        break;
    }
    return true;
}

static enum status read_ranged_int(struct tuple_scan *s, uint8_t tag, enum type_kind kind, struct datum *out,
                                   struct error *err)
{
    TRY(read_int(s, tag, &out->v.i, err));
    return is_in_range(kind, out->v.i) ? STATUS_OK : tuple_broken(err);
}

static enum status read_tagged_int(struct tuple_scan *s, int64_t *out, struct error *err)
{
    uint8_t tag;
    return tuple_take(s, &tag, 1) ? read_int(s, tag, out, err) : tuple_broken(err);
}

static enum status read_float(struct tuple_scan *s, enum type_kind kind, bool image, struct datum *out,
                              struct error *err)
{
    uint8_t body[9] = {0};
    if (!tuple_take(s, body, image ? 9 : 8)) {
        return tuple_broken(err);
    }
    uint64_t bits = load_be64(body);
    uint8_t plain = image ? body[8] : 1;
    if (bits == UINT64_MAX) {
        out->v.d = (double)NAN;
        return plain == 1 ? STATUS_OK : tuple_broken(err);
    }
    bits = bits >> 63 != 0 ? bits & ~(UINT64_C(1) << 63) : ~bits;
    double value;
    memcpy(&value, &bits, sizeof value);
    bool narrow_fits = kind != TYPE_FLOAT4 || (double)(float)value == value;
    if (isnan(value) || (value == 0 && signbit(value)) || !narrow_fits || plain > 1 || (plain == 0 && value != 0)) {
        return tuple_broken(err);
    }
    out->v.d = plain == 0 ? -0.0 : value;
    return STATUS_OK;
}

/* `out` NULL = only step over. Borrows the key where nothing is escaped or inverted. */
static enum status read_bytes(struct tuple_scan *s, struct arena *a, struct datum *out, struct error *err)
{
    const uint8_t *start = s->next;
    const uint8_t *end = memchr(start, s->mask, (size_t)(s->end - start)); /* an inverted 00 is ff */
    if (end == NULL) {
        return tuple_broken(err);
    }
    s->next = end + 1;
    if (out == NULL) {
        return STATUS_OK;
    }
    size_t len = (size_t)(end - start);
    if (s->mask == 0 && memchr(start, 1, len) == NULL) {
        *out = datum_bytes(bytes_of(start, len));
        return STATUS_OK;
    }
    uint8_t *copy = arena_alloc(a, len + 1);
    size_t to = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = start[i] ^ s->mask;
        if (c == 1) {
            i += 1;
            c = (uint8_t)(i < len ? (start[i] ^ s->mask) - 1 : UINT8_MAX);
            if (c > 1) {
                return tuple_broken(err);
            }
        }
        copy[to++] = c;
    }
    *out = datum_bytes(bytes_of(copy, to));
    return STATUS_OK;
}

static enum status read_bpchar(struct tuple_scan *s, bool image, struct arena *a, struct datum *out, struct error *err)
{
    TRY(read_bytes(s, a, out, err));
    int64_t blanks = 0;
    if (image) {
        TRY(read_tagged_int(s, &blanks, err));
    }
    if (out == NULL) {
        return STATUS_OK;
    }
    if (blanks < 0 || blanks > BLANKS_MAX || (out->len > 0 && out->v.p[out->len - 1] == ' ')) {
        return tuple_broken(err);
    }
    if (blanks == 0) {
        return STATUS_OK;
    }
    uint8_t *copy = arena_alloc(a, out->len + (size_t)blanks);
    memcpy(copy, out->v.p, out->len);
    memset(copy + out->len, ' ', (size_t)blanks);
    *out = datum_bytes(bytes_of(copy, out->len + (size_t)blanks));
    return STATUS_OK;
}

/* The microseconds are what the span has beyond months and days. */
static enum status make_interval(uint128 biased, int64_t months, int64_t days, struct arena *a, struct datum *out,
                                 struct error *err)
{
    int128 span = (int128)(biased ^ (uint128)1 << 127);
    struct interval value = {.days = (int32_t)days, .months = (int32_t)months};
    bool fits = value.days == days && value.months == months;
    int128 us;
    if (!fits || __builtin_sub_overflow(span, interval_span(value), &us) || us != (int64_t)us) {
        return tuple_broken(err);
    }
    value.us = (int64_t)us;
    uint8_t *stored = arena_alloc(a, FIXED_BYTES);
    interval_store(stored, value);
    *out = datum_bytes(bytes_of(stored, FIXED_BYTES));
    return STATUS_OK;
}

static enum status read_interval(struct tuple_scan *s, bool image, struct arena *a, struct datum *out,
                                 struct error *err)
{
    uint8_t body[FIXED_BYTES];
    int64_t months = 0;
    int64_t days = 0;
    if (!tuple_take(s, body, FIXED_BYTES)) {
        return tuple_broken(err);
    }
    if (image) {
        TRY(read_tagged_int(s, &months, err));
        TRY(read_tagged_int(s, &days, err));
    }
    if (out == NULL) {
        return STATUS_OK;
    }
    return make_interval((uint128)load_be64(body) << 64 | load_be64(body + 8), months, days, a, out, err);
}

static enum status read_uuid(struct tuple_scan *s, struct arena *a, struct datum *out, struct error *err)
{
    const uint8_t *from = s->next;
    uint8_t body[FIXED_BYTES];
    if (!tuple_take(s, body, FIXED_BYTES)) {
        return tuple_broken(err);
    }
    if (out != NULL) {
        *out = datum_bytes(bytes_of(s->mask == 0 ? from : arena_dup(a, body, FIXED_BYTES), FIXED_BYTES));
    }
    return STATUS_OK;
}

static enum status read_value(struct tuple_scan *s, enum type_kind kind, bool image, struct arena *a, struct datum *out,
                              struct error *err)
{
    struct datum ignored = {0};
    uint8_t tag;
    if (!tuple_take(s, &tag, 1)) {
        return tuple_broken(err);
    }
    if (is_integer_like(kind)) {
        return read_ranged_int(s, tag, kind, out == NULL ? &ignored : out, err);
    }
    if (kind == TYPE_NUMERIC) {
        return tuple_numeric_read(s, tag, image, a, out, err);
    }
    if (kind == TYPE_FLOAT4 || kind == TYPE_FLOAT8) {
        return tag == TAG_FLOAT ? read_float(s, kind, image, out == NULL ? &ignored : out, err) : tuple_broken(err);
    }
    if (kind == TYPE_UUID) {
        return tag == TAG_UUID ? read_uuid(s, a, out, err) : tuple_broken(err);
    }
    if (kind == TYPE_INTERVAL) {
        return tag == TAG_INTERVAL ? read_interval(s, image, a, out, err) : tuple_broken(err);
    }
    if (tag != TAG_BYTES) {
        return tuple_broken(err);
    }
    return kind == TYPE_BPCHAR ? read_bpchar(s, image, a, out, err) : read_bytes(s, a, out, err);
}

static enum status read_or_skip(struct bytes *in, enum type_kind kind, unsigned flags, bool image, struct arena *a,
                                struct datum *out, struct error *err)
{
    if (in->len == 0) {
        return tuple_broken(err);
    }
    if (in->data[0] == ((flags & TUPLE_NULLS_FIRST) != 0 ? TAG_NULL_FIRST : TAG_NULL_LAST)) {
        *in = bytes_of(in->data + 1, in->len - 1);
        if (out != NULL) {
            *out = DATUM_NULL;
        }
        return STATUS_OK;
    }
    struct tuple_scan s = {.next = in->data, .end = in->data + in->len, .mask = (flags & TUPLE_DESC) != 0 ? 0xff : 0};
    if (out != NULL) {
        *out = (struct datum){0};
    }
    TRY(read_value(&s, kind, image, a, out, err));
    *in = bytes_of(s.next, (size_t)(s.end - s.next));
    return STATUS_OK;
}

enum status tuple_read(struct bytes *in, enum type_kind kind, unsigned flags, struct arena *a, struct datum *out,
                       struct error *err)
{
    return read_or_skip(in, kind, flags, true, a, out, err);
}

enum status tuple_skip(struct bytes *in, enum type_kind kind, unsigned flags, struct error *err)
{
    return read_or_skip(in, kind, flags, (flags & TUPLE_IMAGE) != 0, NULL, NULL, err);
}

bool tuple_prefix_successor(struct buffer *key)
{
    while (key->len > 0) {
        if (key->data[key->len - 1] != 0xff) {
            key->data[key->len - 1] += 1;
            return true;
        }
        key->len -= 1;
    }
    return false;
}
