/* The forms of a numeric and what needs no arithmetic: loading, storing, signs, comparison. A number that fits an int64
 * coefficient is always stored in the datum itself; every function that makes one ends in decimal_from_int128 or
 * decimal_store_wide, which see to it. */
#include "row/decimal.h"

#include "row/decimal_digits.h"
#include "row/decimal_wide.h"

#include <assert.h>

enum { COEFFICIENT_SMALL_BYTES = 8, COEFFICIENT_INT128_BYTES = 16 };

#define TEN_19 ((int128)10000000000000000000u)

const int128 decimal_powers[WIDE_POWER_MAX + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
    TEN_19,
    TEN_19 * 10,
    TEN_19 * 100,
    TEN_19 * 1000,
    TEN_19 * 10000,
    TEN_19 * 100000,
    TEN_19 * 1000000,
    TEN_19 * 10000000,
    TEN_19 * 100000000,
    TEN_19 * 1000000000,
    TEN_19 * 10000000000,
    TEN_19 * 100000000000,
    TEN_19 * 1000000000000,
    TEN_19 * 10000000000000,
    TEN_19 * 100000000000000,
    TEN_19 * 1000000000000000,
    TEN_19 * 10000000000000000,
    TEN_19 * 100000000000000000,
    TEN_19 * 1000000000000000000,
    TEN_19 *TEN_19,
};

enum decimal_kind decimal_kind(const struct datum *d)
{
    return d->big ? (enum decimal_kind)d->v.p[WIDE_KIND_AT] : DECIMAL_FINITE;
}

int32_t decimal_scale(const struct datum *d)
{
    return d->big ? (int32_t)load_le16(d->v.p + WIDE_SCALE_AT) : (int32_t)d->len;
}

struct bytes decimal_big_coefficient(const struct datum *d)
{
    assert(d->big && d->len > WIDE_COEFFICIENT_AT);
    return bytes_of(d->v.p + WIDE_COEFFICIENT_AT, d->len - WIDE_COEFFICIENT_AT);
}

int decimal_digit_count(int128 v)
{
    uint128 m = decimal_magnitude(v);
    if (m == 0) {
        return 0;
    }
    uint64_t high = (uint64_t)(m >> 64);
    int bits = high != 0 ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)m);
    int count = (bits * 1233) >> 12; /* log10(2) = 0.30103, right or one too few */
    return count <= WIDE_POWER_MAX && m >= (uint128)decimal_powers[count] ? count + 1 : count;
}

bool decimal_load(const struct datum *d, int128 *out)
{
    if (!d->big) {
        *out = d->v.i;
        return true;
    }
    struct bytes c = decimal_big_coefficient(d);
    if (c.len > COEFFICIENT_INT128_BYTES) {
        return false;
    }
    uint128 v = c.data[0] & 0x80 ? ~(uint128)0 : 0;
    for (size_t i = 0; i < c.len; i++) {
        v = (v << 8) | c.data[i];
    }
    *out = (int128)v;
    return v != (uint128)1 << 127; /* so that every loaded one can be negated */
}

/* ---- making ---- */

struct datum decimal_special(enum decimal_kind kind)
{
    static const uint8_t bytes[] = {DECIMAL_FINITE, DECIMAL_NAN, DECIMAL_MINUS_INFINITY, DECIMAL_INFINITY};
    assert(kind != DECIMAL_FINITE);
    return (struct datum){.v.p = &bytes[kind], .len = 1, .big = 1};
}

struct datum decimal_from_int(int64_t value)
{
    return datum_int(value);
}

struct datum decimal_from_coefficient(struct arena *a, struct bytes big_endian, int32_t scale)
{
    assert(big_endian.len > 0 && scale >= 0 && scale <= DECIMAL_SCALE_MAX);
    const uint8_t *p = big_endian.data;
    size_t len = big_endian.len;
    while (len > 1 && ((p[0] == 0x00 && p[1] < 0x80) || (p[0] == 0xff && p[1] >= 0x80))) {
        p++;
        len--;
    }
    if (len <= COEFFICIENT_SMALL_BYTES) {
        uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = 0; i < len; i++) {
            v = (v << 8) | p[i];
        }
        return (struct datum){.v.i = (int64_t)v, .len = (uint32_t)scale};
    }
    uint8_t *to = arena_alloc(a, WIDE_COEFFICIENT_AT + len);
    to[WIDE_KIND_AT] = DECIMAL_FINITE;
    store_le16(to + WIDE_SCALE_AT, (uint16_t)scale);
    memcpy(to + WIDE_COEFFICIENT_AT, p, len);
    return (struct datum){.v.p = to, .len = (uint32_t)(WIDE_COEFFICIENT_AT + len), .big = 1};
}

struct datum decimal_from_int128(struct arena *a, int128 coefficient, int32_t scale)
{
    assert(scale >= 0 && scale <= DECIMAL_SCALE_MAX);
    if (coefficient == (int64_t)coefficient) {
        return (struct datum){.v.i = (int64_t)coefficient, .len = (uint32_t)scale};
    }
    uint8_t bytes[COEFFICIENT_INT128_BYTES];
    store_be64(bytes, (uint64_t)((uint128)coefficient >> 64));
    store_be64(bytes + 8, (uint64_t)coefficient);
    return decimal_from_coefficient(a, bytes_of(bytes, sizeof bytes), scale);
}

void decimal_load_wide(const struct datum *d, mpz_t z)
{
    if (!d->big) {
        _Static_assert(sizeof(long) == sizeof(int64_t), "GMP takes longs");
        mpz_set_si(z, d->v.i);
        return;
    }
    struct bytes c = decimal_big_coefficient(d);
    mpz_import(z, c.len, 1, 1, 1, 0, c.data);
    if (c.data[0] & 0x80) {
        mpz_t modulus;
        mpz_init_set_ui(modulus, 1);
        mpz_mul_2exp(modulus, modulus, 8 * c.len);
        mpz_sub(z, z, modulus);
        mpz_clear(modulus);
    }
}

struct datum decimal_store_wide(struct arena *a, const mpz_t z, int32_t scale)
{
    if (mpz_fits_slong_p(z)) {
        return (struct datum){.v.i = mpz_get_si(z), .len = (uint32_t)scale};
    }
    /* One byte more than the magnitude needs, so that there is room for the sign. */
    size_t magnitude_bytes = (mpz_sizeinbase(z, 2) + 7) / 8;
    uint8_t *bytes = arena_zalloc(a, magnitude_bytes + 1);
    mpz_export(bytes + 1, NULL, 1, 1, 1, 0, z);
    if (mpz_sgn(z) < 0) {
        unsigned carry = 1;
        for (size_t i = magnitude_bytes + 1; i > 0; i--) {
            carry += (uint8_t)~bytes[i - 1];
            bytes[i - 1] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    return decimal_from_coefficient(a, bytes_of(bytes, magnitude_bytes + 1), scale);
}

enum status decimal_overflow(struct error *err)
{
    return error_set(err, STATUS_INVALID, 0, "value overflows numeric format");
}

int64_t decimal_digit_count_wide(const mpz_t z)
{
    if (mpz_sgn(z) == 0) {
        return 0;
    }
    size_t count = mpz_sizeinbase(z, 10); /* right or one too many */
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, count - 1);
    count -= mpz_cmpabs(z, power) < 0;
    mpz_clear(power);
    return (int64_t)count;
}

void decimal_scale_up_wide(mpz_t z, int64_t power)
{
    assert(power >= 0);
    mpz_t factor;
    mpz_init(factor);
    mpz_ui_pow_ui(factor, 10, (unsigned long)power);
    mpz_mul(z, z, factor);
    mpz_clear(factor);
}

enum status decimal_store_checked(struct arena *a, const mpz_t z, int64_t scale, struct datum *out, struct error *err)
{
    if (scale > DECIMAL_SCALE_MAX) {
        return decimal_overflow(err);
    }
    /* Fewer bits than digits allowed: no need to count. */
    if (mpz_sizeinbase(z, 2) > DECIMAL_DIGITS_MAX && decimal_digit_count_wide(z) - scale > DECIMAL_DIGITS_MAX) {
        return decimal_overflow(err);
    }
    *out = decimal_store_wide(a, z, (int32_t)scale);
    return STATUS_OK;
}

/* ---- signs ---- */

bool decimal_is_zero(const struct datum *d)
{
    return !d->big && d->v.i == 0;
}

int decimal_sign(const struct datum *d)
{
    if (!d->big) {
        return (d->v.i > 0) - (d->v.i < 0);
    }
    switch (decimal_kind(d)) {
    case DECIMAL_FINITE:
        return d->v.p[WIDE_COEFFICIENT_AT] & 0x80 ? -1 : 1;
    case DECIMAL_MINUS_INFINITY:
        return -1;
    case DECIMAL_NAN:
    case DECIMAL_INFINITY:
        break;
    }
    return 1;
}

struct datum decimal_negate(struct arena *a, const struct datum *d)
{
    switch (decimal_kind(d)) {
    case DECIMAL_NAN:
        return *d;
    case DECIMAL_MINUS_INFINITY:
        return decimal_special(DECIMAL_INFINITY);
    case DECIMAL_INFINITY:
        return decimal_special(DECIMAL_MINUS_INFINITY);
    case DECIMAL_FINITE:
        break;
    }
    int128 v;
    if (decimal_load(d, &v)) {
        return decimal_from_int128(a, -v, decimal_scale(d));
    }
    mpz_t z;
    mpz_init(z);
    decimal_load_wide(d, z);
    mpz_neg(z, z);
    struct datum out = decimal_store_wide(a, z, decimal_scale(d));
    mpz_clear(z);
    return out;
}

struct datum decimal_absolute(struct arena *a, const struct datum *d)
{
    return decimal_sign(d) < 0 ? decimal_negate(a, d) : *d;
}

/* ---- order ---- */

static int compare_wide(const struct datum *x, const struct datum *y)
{
    int32_t more = decimal_scale(x) - decimal_scale(y);
    mpz_t zx, zy;
    mpz_inits(zx, zy, NULL);
    decimal_load_wide(x, zx);
    decimal_load_wide(y, zy);
    decimal_scale_up_wide(more > 0 ? zy : zx, more > 0 ? more : -more);
    int order = mpz_cmp(zx, zy);
    mpz_clears(zx, zy, NULL);
    return (order > 0) - (order < 0);
}

static int compare_finite(const struct datum *x, const struct datum *y)
{
    int sign_x = decimal_sign(x);
    int sign_y = decimal_sign(y);
    if (sign_x != sign_y || sign_x == 0) {
        return (sign_x > sign_y) - (sign_x < sign_y);
    }
    int32_t more = decimal_scale(x) - decimal_scale(y);
    int128 vx;
    int128 vy;
    if (decimal_load(x, &vx) && decimal_load(y, &vy) &&
        (more >= 0 ? decimal_scale_up(vy, more, &vy) : decimal_scale_up(vx, -more, &vx))) {
        return (vx > vy) - (vx < vy);
    }
    return compare_wide(x, y);
}

/* -infinity < finite < infinity < NaN */
static int rank_of(enum decimal_kind kind)
{
    static const int ranks[] = {
        [DECIMAL_FINITE] = 1, [DECIMAL_NAN] = 3, [DECIMAL_MINUS_INFINITY] = 0, [DECIMAL_INFINITY] = 2};
    return ranks[kind];
}

int decimal_compare(const struct datum *x, const struct datum *y)
{
    if (!x->big && !y->big && x->len == y->len) {
        return (x->v.i > y->v.i) - (x->v.i < y->v.i);
    }
    int rank_x = rank_of(decimal_kind(x));
    int rank_y = rank_of(decimal_kind(y));
    if (rank_x != rank_y) {
        return rank_x < rank_y ? -1 : 1;
    }
    return rank_x == 1 ? compare_finite(x, y) : 0;
}

void decimal_coefficient(const struct datum *d, struct buffer *out)
{
    uint8_t small[COEFFICIENT_SMALL_BYTES];
    struct bytes c;
    if (d->big) {
        c = decimal_big_coefficient(d);
    } else {
        store_be64(small, (uint64_t)d->v.i);
        c = bytes_of(small, sizeof small);
        while (c.len > 1 && ((c.data[0] == 0x00 && c.data[1] < 0x80) || (c.data[0] == 0xff && c.data[1] >= 0x80))) {
            c = bytes_of(c.data + 1, c.len - 1);
        }
    }
    uint8_t *to = buffer_reserve(out, c.len);
    for (size_t i = 0; i < c.len; i++) {
        to[i] = c.data[c.len - 1 - i];
    }
    out->len += c.len;
}
