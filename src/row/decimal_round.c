/* Rounding of numerics: round, trunc, floor, ceil, numeric(p,s) and integers. */
#include "row/decimal.h"

#include "row/decimal_wide.h"

enum rounding { ROUND_HALF_AWAY, ROUND_TO_ZERO, ROUND_DOWN, ROUND_UP };

enum { TYPMOD_HEAD = 4, TYPMOD_SCALE_BITS = 0x7ff, TYPMOD_SCALE_SIGN = 0x400 };

/* Whether the magnitude goes up by one, given what was cut off. */
static bool rounds_away(enum rounding how, bool negative, bool any_rest, bool half_or_more)
{
    switch (how) {
    case ROUND_HALF_AWAY:
        return half_or_more;
    case ROUND_DOWN:
        return negative && any_rest;
    case ROUND_UP:
        return !negative && any_rest;
    case ROUND_TO_ZERO:
        break;
    }
    return false;
}

/* Cuts `drop` > 0 digits off the coefficient. */
static int128 cut_narrow(int128 v, int64_t drop, enum rounding how)
{
    uint128 m = decimal_magnitude(v);
    uint128 q = 0;
    uint128 rest = m;
    bool half = false;
    if (drop <= WIDE_POWER_MAX) {
        uint128 power = (uint128)decimal_powers[drop];
        if (m <= UINT64_MAX && power <= UINT64_MAX) {
            q = (uint64_t)m / (uint64_t)power;
        } else {
            q = m / power;
        }
        rest = m - q * power;
        half = rest >= power - rest;
    } /* else less than 0.18 is left: 2^127 < 10^39 / 5 */
    q += rounds_away(how, v < 0, rest != 0, half);
    return v < 0 ? -(int128)q : (int128)q;
}

static void cut_wide(mpz_t z, int64_t drop, enum rounding how)
{
    mpz_t power, rest;
    mpz_inits(power, rest, NULL);
    mpz_ui_pow_ui(power, 10, (unsigned long)drop);
    bool negative = mpz_sgn(z) < 0;
    mpz_abs(z, z);
    mpz_tdiv_qr(z, rest, z, power);
    bool any_rest = mpz_sgn(rest) != 0;
    mpz_mul_2exp(rest, rest, 1);
    if (rounds_away(how, negative, any_rest, mpz_cmp(rest, power) >= 0)) {
        mpz_add_ui(z, z, 1);
    }
    if (negative) {
        mpz_neg(z, z);
    }
    mpz_clears(power, rest, NULL);
}

/* `scale` may be negative: then digits before the point become zeros. */
static struct datum round_finite(struct arena *a, const struct datum *d, int32_t scale, enum rounding how)
{
    int64_t drop = (int64_t)decimal_scale(d) - scale;
    int64_t pad = scale < 0 ? -(int64_t)scale : 0;
    int32_t shown_scale = scale < 0 ? 0 : scale;
    int128 v;
    if (decimal_load(d, &v)) {
        if (drop <= 0 ? decimal_scale_up(v, -drop, &v) : true) {
            int128 cut = drop > 0 ? cut_narrow(v, drop, how) : v;
            if (cut == 0 || decimal_scale_up(cut, pad, &cut)) {
                return decimal_from_int128(a, cut, shown_scale);
            }
        }
    }
    mpz_t z;
    mpz_init(z);
    decimal_load_wide(d, z);
    if (drop > 0) {
        cut_wide(z, drop, how);
    } else {
        decimal_scale_up_wide(z, -drop);
    }
    decimal_scale_up_wide(z, pad);
    struct datum out = decimal_store_wide(a, z, shown_scale);
    mpz_clear(z);
    return out;
}

static struct datum round_to(struct arena *a, const struct datum *d, int32_t scale, enum rounding how)
{
    if (decimal_kind(d) != DECIMAL_FINITE) {
        return *d;
    }
    scale = scale > DECIMAL_SCALE_MAX         ? DECIMAL_SCALE_MAX
            : scale < -DECIMAL_DIGITS_MAX - 1 ? -DECIMAL_DIGITS_MAX - 1
                                              : scale;
    return round_finite(a, d, scale, how);
}

struct datum decimal_round(struct arena *a, const struct datum *d, int32_t scale)
{
    return round_to(a, d, scale, ROUND_HALF_AWAY);
}

struct datum decimal_truncate(struct arena *a, const struct datum *d, int32_t scale)
{
    return round_to(a, d, scale, ROUND_TO_ZERO);
}

struct datum decimal_floor(struct arena *a, const struct datum *d)
{
    return round_to(a, d, 0, ROUND_DOWN);
}

struct datum decimal_ceil(struct arena *a, const struct datum *d)
{
    return round_to(a, d, 0, ROUND_UP);
}

enum status decimal_to_int(const struct datum *d, int64_t min, int64_t max, const char *type_name, int64_t *out,
                           struct error *err)
{
    enum decimal_kind kind = decimal_kind(d);
    if (kind != DECIMAL_FINITE) {
        return error_set(err, STATUS_INVALID, 0, "cannot convert %s to %s", kind == DECIMAL_NAN ? "NaN" : "infinity",
                         type_name);
    }
    struct arena a = ARENA_EMPTY;
    struct datum rounded = !d->big && d->len == 0 ? *d : round_finite(&a, d, 0, ROUND_HALF_AWAY);
    bool fits = !rounded.big && rounded.v.i >= min && rounded.v.i <= max;
    arena_release(&a);
    if (!fits) {
        return error_set(err, STATUS_INVALID, 0, "%s out of range", type_name);
    }
    *out = rounded.v.i;
    return STATUS_OK;
}

static int64_t digits_before_point(const struct datum *d)
{
    int128 v;
    if (decimal_load(d, &v)) {
        return decimal_digit_count(v) - decimal_scale(d);
    }
    mpz_t z;
    mpz_init(z);
    decimal_load_wide(d, z);
    int64_t count = decimal_digit_count_wide(z) - decimal_scale(d);
    mpz_clear(z);
    return count;
}

enum status decimal_apply_typmod(struct arena *a, int32_t typmod, struct datum *d, struct error *err)
{
    enum decimal_kind kind = decimal_kind(d);
    if (typmod < TYPMOD_HEAD || kind == DECIMAL_NAN) {
        return STATUS_OK;
    }
    int32_t bits = typmod - TYPMOD_HEAD;
    int32_t precision = (bits >> 16) & 0xffff;
    int32_t scale = ((bits & TYPMOD_SCALE_BITS) ^ TYPMOD_SCALE_SIGN) - TYPMOD_SCALE_SIGN;
    if (kind != DECIMAL_FINITE) {
        return error_set(err, STATUS_INVALID, 0,
                         "numeric field overflow: a field with precision %d, scale %d cannot hold an infinite value",
                         precision, scale);
    }
    struct datum rounded = !d->big && (int32_t)d->len == scale ? *d : round_finite(a, d, scale, ROUND_HALF_AWAY);
    int32_t digits_max = precision - scale;
    if (!decimal_is_zero(&rounded) && digits_before_point(&rounded) > digits_max) {
        return error_set(
            err, STATUS_INVALID, 0,
            "numeric field overflow: a field with precision %d, scale %d must round to an absolute value less "
            "than %s%d",
            precision, scale, digits_max != 0 ? "10^" : "", digits_max != 0 ? digits_max : 1);
    }
    *d = rounded;
    return STATUS_OK;
}
