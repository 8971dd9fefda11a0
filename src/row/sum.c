/* Exact sums. Three kinds of total:
 *
 *  - integers: an int128 (2^63 values of 2^63 fit);
 *  - numeric: an int128 at the greatest display scale present while it fits, else a GMP integer kept as bytes;
 *  - floats: a fixed-point number of LIMB_COUNT 32-bit digits in two's complement whose lowest bit is 2^-1074, the
 *    smallest double; an input is its 53-bit mantissa, times the weight, at its exponent. Nothing is rounded until it
 *    is read.
 *  - interval: months, days and microseconds, each an int128.
 *
 * Stored form: numbers are LEB128 of the zigzag-coded int128. integer: total. interval: three. float: NaN, -infinity
 * and infinity counts, then lowest and count of the digits that are not all sign, those digits le32. numeric: the three
 * counts, number of scales, (scale, count) each, ascending, then the total at the greatest scale as sign and magnitude
 * bytes (length first). */
#include "row/sum.h"

#include "base/int128.h"
#include "row/datetime.h"
#include "row/decimal.h"

#include <gmp.h>
#include <math.h>
#include <string.h>

enum {
    LIMB_BITS = 32,
    LIMB_COUNT = 70, /* 2098 bits of double, 63 of weight and 63 of count, and the sign */
    EXPONENT_LOWEST = 1074,
    VARINT128_BYTES_MAX = 19
};
_Static_assert(LIMB_COUNT *LIMB_BITS > 2098 + 63 + 63, "2^63 copies of every double must fit");

struct scale_count {
    int32_t scale;
    int64_t count;
};

struct sum {
    enum type_kind kind;
    struct arena *arena;
    int128 total; /* integers; interval: months; numeric: while !wide */
    int128 days;
    int128 us;
    int64_t nans;
    int64_t minus_infinities;
    int64_t infinities;
    /* numeric */
    struct scale_count *scales; /* ascending; counts > 0 */
    size_t scale_count;
    size_t scale_capacity;
    int32_t scale; /* of the total */
    bool wide;
    bool wide_negative;
    struct bytes wide_magnitude; /* little-endian */
    /* floats */
    uint32_t *limbs; /* LIMB_COUNT, lowest first */
};

static bool is_float(enum type_kind kind)
{
    return kind == TYPE_FLOAT4 || kind == TYPE_FLOAT8;
}

struct sum *sum_new(struct arena *a, enum type_kind kind)
{
    struct sum *s = arena_zalloc(a, sizeof *s);
    s->kind = kind;
    s->arena = a;
    if (is_float(kind)) {
        s->limbs = arena_zalloc(a, LIMB_COUNT * sizeof *s->limbs);
    }
    return s;
}

/* ---- numbers of up to 128 bits ---- */

static void append_number(struct buffer *out, int128 value)
{
    uint128 coded = ((uint128)value << 1) ^ (uint128)(value >> 127);
    uint8_t *to = buffer_reserve(out, VARINT128_BYTES_MAX);
    size_t len = 0;
    while (coded >= 0x80) {
        to[len++] = (uint8_t)(coded | 0x80);
        coded >>= 7;
    }
    to[len++] = (uint8_t)coded;
    out->len += len;
}

static enum status read_number(struct bytes *in, int128 *out, struct error *err)
{
    uint128 coded = 0;
    for (size_t i = 0; i < in->len && i < VARINT128_BYTES_MAX; i++) {
        coded |= (uint128)(in->data[i] & 0x7f) << (7 * i);
        if (in->data[i] < 0x80) {
            *in = bytes_of(in->data + i + 1, in->len - i - 1);
            *out = (int128)(coded >> 1) ^ -(int128)(coded & 1);
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_CORRUPT, 0, "a stored sum is broken");
}

static enum status read_i64(struct bytes *in, int64_t *out, struct error *err)
{
    int128 value;
    TRY(read_number(in, &value, err));
    *out = (int64_t)value;
    return value == *out ? STATUS_OK : error_set(err, STATUS_CORRUPT, 0, "a stored sum is broken");
}

/* ---- floats ---- */

/* Adds `value` * 2^`bit` in two's complement. */
static void limbs_add(uint32_t *limbs, int128 value, unsigned bit)
{
    size_t at = bit / LIMB_BITS;
    unsigned shift = bit % LIMB_BITS;
    uint32_t sign = value < 0 ? UINT32_MAX : 0;
    uint64_t carry = 0;
    uint128 low = (uint128)value << shift;
    uint32_t high = shift == 0 ? sign : (uint32_t)((uint128)(value >> (128 - shift)));
    for (size_t i = 0; at < LIMB_COUNT; i++, at++) {
        uint32_t part = i < 4 ? (uint32_t)(low >> (32 * i)) : i == 4 ? high : sign;
        if (i > 4 && ((sign == 0 && carry == 0) || (sign != 0 && carry == 1))) {
            return; /* the rest would not change */
        }
        uint64_t digit = (uint64_t)limbs[at] + part + carry;
        limbs[at] = (uint32_t)digit;
        carry = digit >> 32;
    }
}

static void add_float(struct sum *s, double value, int64_t weight)
{
    if (value != value) {
        s->nans += weight;
        return;
    }
    if (isinf(value)) {
        *(value < 0 ? &s->minus_infinities : &s->infinities) += weight;
        return;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    unsigned exponent = (unsigned)(bits >> 52) & 0x7ff;
    unsigned at = 0;
    if (exponent > 0) {
        mantissa |= UINT64_C(1) << 52;
        at = exponent - 1;
    }
    int128 signed_mantissa = bits >> 63 != 0 ? -(int128)mantissa : (int128)mantissa;
    limbs_add(s->limbs, signed_mantissa * weight, at);
}

/* The nearest double (ties to even) of the fixed-point total; infinite where it is past the range. */
static double round_limbs(const uint32_t *limbs, int lowest_exponent)
{
    bool negative = limbs[LIMB_COUNT - 1] >> 31 != 0;
    mpz_t z;
    mpz_init(z);
    mpz_import(z, LIMB_COUNT, -1, sizeof *limbs, 0, 0, limbs);
    if (negative) {
        mpz_t span;
        mpz_init_set_ui(span, 1);
        mpz_mul_2exp(span, span, LIMB_COUNT * LIMB_BITS);
        mpz_sub(z, span, z);
        mpz_clear(span);
    }
    size_t bits = mpz_sgn(z) == 0 ? 0 : mpz_sizeinbase(z, 2);
    double result = 0;
    if (bits <= 53) {
        result = ldexp(mpz_get_d(z), lowest_exponent);
    } else {
        size_t drop = bits - 53;
        bool half = mpz_tstbit(z, drop - 1) != 0;
        bool more = mpz_scan1(z, 0) < drop - 1;
        mpz_tdiv_q_2exp(z, z, drop);
        if (half && (more || mpz_odd_p(z))) {
            mpz_add_ui(z, z, 1);
        }
        result = ldexp(mpz_get_d(z), lowest_exponent + (int)drop);
    }
    mpz_clear(z);
    return negative ? -result : result;
}

static double special_or(const struct sum *s, double finite)
{
    if (s->nans > 0 || (s->infinities > 0 && s->minus_infinities > 0)) {
        return (double)NAN;
    }
    if (s->infinities > 0) {
        return (double)INFINITY;
    }
    return s->minus_infinities > 0 ? -(double)INFINITY : finite;
}

static bool has_special(const struct sum *s)
{
    return s->nans > 0 || s->infinities > 0 || s->minus_infinities > 0;
}

/* ---- numeric ---- */

static void wide_load(const struct sum *s, mpz_t out)
{
    if (s->wide) {
        mpz_import(out, s->wide_magnitude.len, -1, 1, 0, 0, s->wide_magnitude.data);
    } else {
        uint128 magnitude = s->total < 0 ? -(uint128)s->total : (uint128)s->total;
        mpz_import(out, 1, -1, sizeof magnitude, 0, 0, &magnitude);
    }
    if (s->wide ? s->wide_negative : s->total < 0) {
        mpz_neg(out, out);
    }
}

static void wide_store(struct sum *s, const mpz_t value)
{
    enum { SMALL_BITS = 126 };
    s->wide = mpz_sizeinbase(value, 2) > SMALL_BITS;
    if (!s->wide) {
        uint128 magnitude = 0;
        mpz_export(&magnitude, NULL, -1, sizeof magnitude, 0, 0, value);
        s->total = mpz_sgn(value) < 0 ? -(int128)magnitude : (int128)magnitude;
        return;
    }
    size_t len = (mpz_sizeinbase(value, 2) + 7) / 8;
    uint8_t *bytes = arena_zalloc(s->arena, len);
    mpz_export(bytes, NULL, -1, 1, 0, 0, value);
    s->wide_magnitude = bytes_of(bytes, len);
    s->wide_negative = mpz_sgn(value) < 0;
}

/* Brings the total to another scale: up always, down only where nothing is lost (no input of the finer scale is
 * left). */
static void rescale(struct sum *s, int32_t scale)
{
    if (scale == s->scale) {
        return;
    }
    mpz_t value;
    mpz_t power;
    mpz_init(value);
    mpz_init(power);
    wide_load(s, value);
    mpz_ui_pow_ui(power, 10, (unsigned long)(scale > s->scale ? scale - s->scale : s->scale - scale));
    if (scale > s->scale) {
        mpz_mul(value, value, power);
    } else {
        mpz_divexact(value, value, power);
    }
    wide_store(s, value);
    mpz_clear(value);
    mpz_clear(power);
    s->scale = scale;
}

static void count_scale(struct sum *s, int32_t scale, int64_t weight)
{
    size_t at = 0;
    while (at < s->scale_count && s->scales[at].scale < scale) {
        at++;
    }
    if (at == s->scale_count || s->scales[at].scale != scale) {
        struct scale_count *grown = arena_alloc(s->arena, (s->scale_count + 1) * sizeof *grown);
        for (size_t i = 0; i < s->scale_count; i++) {
            grown[i + (i >= at)] = s->scales[i];
        }
        grown[at] = (struct scale_count){.scale = scale};
        s->scales = grown;
        s->scale_count += 1;
    }
    s->scales[at].count += weight;
    if (s->scales[at].count == 0) {
        memmove(s->scales + at, s->scales + at + 1, (s->scale_count - at - 1) * sizeof *s->scales);
        s->scale_count -= 1;
    }
}

static void add_wide(struct sum *s, const struct datum *d, int64_t weight)
{
    struct buffer little = BUFFER_EMPTY;
    mpz_t value;
    mpz_t total;
    mpz_init(value);
    mpz_init(total);
    decimal_coefficient(d, &little);
    mpz_import(value, little.len, -1, 1, 0, 0, little.data);
    if (little.len > 0 && little.data[little.len - 1] >= 0x80) {
        mpz_ui_pow_ui(total, 2, 8 * little.len);
        mpz_sub(value, value, total);
    }
    mpz_set_ui(total, 10);
    mpz_pow_ui(total, total, (unsigned long)(s->scale - decimal_scale(d)));
    mpz_mul(value, value, total);
    mpz_mul_si(value, value, (long)weight);
    wide_load(s, total);
    mpz_add(total, total, value);
    wide_store(s, total);
    mpz_clear(value);
    mpz_clear(total);
    buffer_release(&little);
}

static void add_numeric(struct sum *s, const struct datum *d, int64_t weight)
{
    switch (decimal_kind(d)) {
    case DECIMAL_NAN:
        s->nans += weight;
        return;
    case DECIMAL_MINUS_INFINITY:
        s->minus_infinities += weight;
        return;
    case DECIMAL_INFINITY:
        s->infinities += weight;
        return;
    case DECIMAL_FINITE:
        break;
    }
    int32_t scale = decimal_scale(d);
    int128 sum;
    if (scale > s->scale) {
        rescale(s, scale);
    }
    if (!d->big && !s->wide && scale == s->scale && !__builtin_add_overflow(s->total, (int128)d->v.i * weight, &sum) &&
        sum >> 126 == sum >> 127) {
        s->total = sum;
    } else {
        add_wide(s, d, weight);
    }
    count_scale(s, scale, weight);
    int32_t greatest = s->scale_count == 0 ? 0 : s->scales[s->scale_count - 1].scale;
    if (greatest < s->scale && weight < 0) {
        rescale(s, greatest);
    }
}

static struct datum numeric_total(const struct sum *s, struct arena *a)
{
    if (!s->wide) {
        return decimal_from_int128(a, s->total, s->scale);
    }
    mpz_t value;
    mpz_init(value);
    wide_load(s, value);
    size_t len = s->wide_magnitude.len + 1;
    uint8_t *bytes = arena_zalloc(a, len);
    if (mpz_sgn(value) < 0) {
        mpz_t span;
        mpz_init(span);
        mpz_ui_pow_ui(span, 2, 8 * len);
        mpz_add(value, span, value);
        mpz_clear(span);
    }
    size_t used = (mpz_sizeinbase(value, 2) + 7) / 8;
    mpz_export(bytes + (len - used), NULL, 1, 1, 0, 0, value);
    mpz_clear(value);
    return decimal_from_coefficient(a, bytes_of(bytes, len), s->scale);
}

static enum status special_numeric(const struct sum *s, struct arena *a, struct datum *out, struct error *err)
{
    double value = special_or(s, 0);
    const char *word = value != value ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    return decimal_parse(bytes_of(word, strlen(word)), a, out, err);
}

/* ---- all kinds ---- */

void sum_add(struct sum *s, const struct datum *d, int64_t weight)
{
    if (type_is_integer(s->kind)) {
        s->total += (int128)d->v.i * weight;
    } else if (is_float(s->kind)) {
        add_float(s, d->v.d, weight);
    } else if (s->kind == TYPE_NUMERIC) {
        add_numeric(s, d, weight);
    } else {
        struct interval value = interval_load(d->v.p);
        s->total += (int128)value.months * weight;
        s->days += (int128)value.days * weight;
        s->us += (int128)value.us * weight;
    }
}

/* Digits past the lowest and up to where only the sign goes on. */
static void limbs_range(const uint32_t *limbs, size_t *lowest, size_t *end)
{
    uint32_t sign = limbs[LIMB_COUNT - 1] >> 31 != 0 ? UINT32_MAX : 0;
    *end = LIMB_COUNT;
    while (*end > 0 && limbs[*end - 1] == sign) {
        *end -= 1;
    }
    *end = *end < LIMB_COUNT && (sign != 0 || *end > 0) ? *end + 1 : *end; /* one sign digit, so that it can be told */
    *lowest = 0;
    while (*lowest < *end && limbs[*lowest] == 0) {
        *lowest += 1;
    }
}

static void append_float(const struct sum *s, struct buffer *out)
{
    size_t lowest;
    size_t end;
    limbs_range(s->limbs, &lowest, &end);
    append_number(out, (int128)lowest);
    append_number(out, (int128)(end - lowest));
    for (size_t i = lowest; i < end; i++) {
        uint8_t digit[4];
        store_le32(digit, s->limbs[i]);
        buffer_append(out, digit, sizeof digit);
    }
}

static void append_numeric(const struct sum *s, struct buffer *out)
{
    append_number(out, (int128)s->scale_count);
    for (size_t i = 0; i < s->scale_count; i++) {
        append_number(out, s->scales[i].scale);
        append_number(out, s->scales[i].count);
    }
    append_number(out, s->wide ? (int128)s->wide_magnitude.len : 0);
    if (s->wide) {
        buffer_append_byte(out, s->wide_negative);
        buffer_append(out, s->wide_magnitude.data, s->wide_magnitude.len);
    } else {
        append_number(out, s->total);
    }
}

void sum_append(const struct sum *s, struct buffer *out)
{
    if (type_is_integer(s->kind)) {
        append_number(out, s->total);
        return;
    }
    if (s->kind == TYPE_INTERVAL) {
        append_number(out, s->total);
        append_number(out, s->days);
        append_number(out, s->us);
        return;
    }
    append_number(out, s->nans);
    append_number(out, s->minus_infinities);
    append_number(out, s->infinities);
    if (is_float(s->kind)) {
        append_float(s, out);
    } else {
        append_numeric(s, out);
    }
}

static enum status broken(struct error *err)
{
    return error_set(err, STATUS_CORRUPT, 0, "a stored sum is broken");
}

static enum status read_float(struct sum *s, struct bytes *in, struct error *err)
{
    int64_t lowest;
    int64_t count;
    TRY(read_i64(in, &lowest, err));
    TRY(read_i64(in, &count, err));
    if (lowest < 0 || count < 0 || lowest > LIMB_COUNT || count > LIMB_COUNT - lowest || in->len < (size_t)count * 4) {
        return broken(err);
    }
    for (int64_t i = 0; i < count; i++) {
        s->limbs[lowest + i] = load_le32(in->data + 4 * i);
    }
    *in = bytes_of(in->data + 4 * count, in->len - 4 * (size_t)count);
    int64_t end = lowest + count;
    if (end > 0 && end < LIMB_COUNT && s->limbs[end - 1] >> 31 != 0) {
        memset(s->limbs + end, 0xff, (size_t)(LIMB_COUNT - end) * sizeof *s->limbs);
    }
    return STATUS_OK;
}

static enum status read_scales(struct sum *s, struct bytes *in, struct error *err)
{
    int64_t count;
    TRY(read_i64(in, &count, err));
    if (count < 0 || (size_t)count > in->len) {
        return broken(err);
    }
    s->scale_count = (size_t)count;
    s->scales = arena_alloc(s->arena, ((size_t)count + 1) * sizeof *s->scales);
    for (int64_t i = 0; i < count; i++) {
        int64_t scale;
        TRY(read_i64(in, &scale, err));
        TRY(read_i64(in, &s->scales[i].count, err));
        if (scale < 0 || scale > DECIMAL_SCALE_MAX) {
            return broken(err);
        }
        s->scales[i].scale = (int32_t)scale;
        s->scale = (int32_t)scale;
    }
    return STATUS_OK;
}

static enum status read_numeric(struct sum *s, struct bytes *in, struct error *err)
{
    int64_t wide_len;
    TRY(read_scales(s, in, err));
    TRY(read_i64(in, &wide_len, err));
    if (wide_len == 0) {
        return read_number(in, &s->total, err);
    }
    if (wide_len < 0 || (size_t)wide_len >= in->len) {
        return broken(err);
    }
    s->wide = true;
    s->wide_negative = in->data[0] != 0;
    s->wide_magnitude = bytes_of(arena_dup(s->arena, in->data + 1, (size_t)wide_len), (size_t)wide_len);
    *in = bytes_of(in->data + 1 + wide_len, in->len - 1 - (size_t)wide_len);
    return STATUS_OK;
}

enum status sum_read(struct arena *a, enum type_kind kind, struct bytes *in, struct sum **out, struct error *err)
{
    struct sum *s = sum_new(a, kind);
    *out = s;
    if (type_is_integer(kind)) {
        return read_number(in, &s->total, err);
    }
    if (kind == TYPE_INTERVAL) {
        TRY(read_number(in, &s->total, err));
        TRY(read_number(in, &s->days, err));
        return read_number(in, &s->us, err);
    }
    TRY(read_i64(in, &s->nans, err));
    TRY(read_i64(in, &s->minus_infinities, err));
    TRY(read_i64(in, &s->infinities, err));
    return is_float(kind) ? read_float(s, in, err) : read_numeric(s, in, err);
}

bool sum_is_zero(const struct sum *s)
{
    if (s->total != 0 || s->days != 0 || s->us != 0 || s->wide || has_special(s) || s->scale_count > 0) {
        return false;
    }
    for (size_t i = 0; s->limbs != NULL && i < LIMB_COUNT; i++) {
        if (s->limbs[i] != 0) {
            return false;
        }
    }
    return true;
}

static enum status int_total(const struct sum *s, struct arena *a, struct datum *out, struct error *err)
{
    if (s->kind == TYPE_INT8) {
        *out = decimal_from_int128(a, s->total, 0);
        return STATUS_OK;
    }
    *out = datum_int((int64_t)s->total);
    return s->total == out->v.i ? STATUS_OK : error_set(err, STATUS_INVALID, 0, "bigint out of range");
}

static enum status float_total(const struct sum *s, struct datum *out, struct error *err)
{
    double total = round_limbs(s->limbs, -EXPONENT_LOWEST);
    if (has_special(s)) {
        out->v.d = special_or(s, total);
        return STATUS_OK;
    }
    out->v.d = s->kind == TYPE_FLOAT4 ? (double)(float)total : total;
    return isinf(out->v.d) ? error_set(err, STATUS_INVALID, 0, "value out of range: overflow") : STATUS_OK;
}

static enum status put_interval(int128 months, int128 days, int128 us, struct arena *a, struct datum *out,
                                struct error *err)
{
    struct interval value = {.us = (int64_t)us, .days = (int32_t)days, .months = (int32_t)months};
    if (value.us != us || value.days != days || value.months != months) {
        return error_set(err, STATUS_INVALID, 0, "interval out of range");
    }
    uint8_t *stored = arena_alloc(a, 16);
    interval_store(stored, value);
    *out = datum_bytes(bytes_of(stored, 16));
    return STATUS_OK;
}

enum status sum_total(const struct sum *s, int64_t count, struct arena *a, struct datum *out, struct error *err)
{
    (void)count;
    *out = (struct datum){0};
    if (type_is_integer(s->kind)) {
        return int_total(s, a, out, err);
    }
    if (is_float(s->kind)) {
        return float_total(s, out, err);
    }
    if (s->kind == TYPE_INTERVAL) {
        return put_interval(s->total, s->days, s->us, a, out, err);
    }
    if (has_special(s)) {
        return special_numeric(s, a, out, err);
    }
    *out = numeric_total(s, a);
    return STATUS_OK;
}

enum status sum_average(const struct sum *s, int64_t count, struct arena *a, struct datum *out, struct error *err)
{
    *out = (struct datum){0};
    struct datum divisor = decimal_from_int(count);
    if (type_is_integer(s->kind)) {
        struct datum total = decimal_from_int128(a, s->total, 0);
        return decimal_divide(a, &total, &divisor, out, err);
    }
    if (s->kind == TYPE_NUMERIC) {
        if (has_special(s)) {
            return special_numeric(s, a, out, err);
        }
        struct datum total = numeric_total(s, a);
        return decimal_divide(a, &total, &divisor, out, err);
    }
    if (is_float(s->kind)) {
        double total = special_or(s, round_limbs(s->limbs, -EXPONENT_LOWEST));
        out->v.d = total / (double)count;
        return isinf(total) && !has_special(s) ? error_set(err, STATUS_INVALID, 0, "value out of range: overflow")
                                               : STATUS_OK;
    }
    struct interval total = {0};
    TRY(put_interval(s->total, s->days, s->us, a, out, err));
    total = interval_load(out->v.p);
    TRY(interval_divide(total, (double)count, &total, err));
    return put_interval(total.months, total.days, total.us, a, out, err);
}
