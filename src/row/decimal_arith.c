/* numeric + - * / %. Each operation tries int128 first; where anything overflows it starts again with GMP. NaN and
 * infinities are settled before either. */
#include "row/decimal.h"

#include "row/decimal_wide.h"

enum { DIGITS_PER_GROUP = 4, SIGNIFICANT_DIGITS_MIN = 16, DISPLAY_SCALE_MAX = 1000 };

static enum status division_by_zero(struct error *err)
{
    return error_set(err, STATUS_INVALID, 0, "division by zero");
}

static bool is_infinite(enum decimal_kind kind)
{
    return kind == DECIMAL_INFINITY || kind == DECIMAL_MINUS_INFINITY;
}

static struct datum infinity_of(int sign)
{
    return decimal_special(sign > 0 ? DECIMAL_INFINITY : sign < 0 ? DECIMAL_MINUS_INFINITY : DECIMAL_NAN);
}

static int32_t max_scale(const struct datum *x, const struct datum *y)
{
    int32_t sx = decimal_scale(x);
    int32_t sy = decimal_scale(y);
    return sx > sy ? sx : sy;
}

/* Both coefficients at the greater scale; false where they do not fit. */
static bool load_aligned(const struct datum *x, const struct datum *y, int128 *vx, int128 *vy)
{
    int32_t more = decimal_scale(x) - decimal_scale(y);
    return decimal_load(x, vx) && decimal_load(y, vy) &&
           (more >= 0 ? decimal_scale_up(*vy, more, vy) : decimal_scale_up(*vx, -more, vx));
}

static void load_aligned_wide(const struct datum *x, const struct datum *y, mpz_t zx, mpz_t zy)
{
    int32_t more = decimal_scale(x) - decimal_scale(y);
    decimal_load_wide(x, zx);
    decimal_load_wide(y, zy);
    if (more > 0) {
        decimal_scale_up_wide(zy, more);
    } else if (more < 0) {
        decimal_scale_up_wide(zx, -more);
    }
}

/* ---- sums ---- */

/* x + sign * y where one of them is not finite. */
static struct datum sum_special(enum decimal_kind kx, enum decimal_kind ky, int sign)
{
    int ix = kx == DECIMAL_INFINITY ? 1 : kx == DECIMAL_MINUS_INFINITY ? -1 : 0;
    int iy = sign * (ky == DECIMAL_INFINITY ? 1 : ky == DECIMAL_MINUS_INFINITY ? -1 : 0);
    if (kx == DECIMAL_NAN || ky == DECIMAL_NAN || ix * iy < 0) {
        return decimal_special(DECIMAL_NAN);
    }
    return infinity_of(ix != 0 ? ix : iy);
}

static enum status sum(struct arena *a, const struct datum *x, const struct datum *y, int sign, struct datum *out,
                       struct error *err)
{
    enum decimal_kind kx = decimal_kind(x);
    enum decimal_kind ky = decimal_kind(y);
    if (kx != DECIMAL_FINITE || ky != DECIMAL_FINITE) {
        *out = sum_special(kx, ky, sign);
        return STATUS_OK;
    }
    int128 vx;
    int128 vy;
    int128 v;
    if (load_aligned(x, y, &vx, &vy) &&
        !(sign > 0 ? __builtin_add_overflow(vx, vy, &v) : __builtin_sub_overflow(vx, vy, &v))) {
        *out = decimal_from_int128(a, v, max_scale(x, y));
        return STATUS_OK;
    }
    mpz_t zx, zy;
    mpz_inits(zx, zy, NULL);
    load_aligned_wide(x, y, zx, zy);
    if (sign > 0) {
        mpz_add(zx, zx, zy);
    } else {
        mpz_sub(zx, zx, zy);
    }
    enum status st = decimal_store_checked(a, zx, max_scale(x, y), out, err);
    mpz_clears(zx, zy, NULL);
    return st;
}

enum status decimal_add(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                        struct error *err)
{
    return sum(a, x, y, 1, out, err);
}

enum status decimal_subtract(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                             struct error *err)
{
    return sum(a, x, y, -1, out, err);
}

/* ---- product ---- */

static enum status multiply_wide(struct arena *a, const struct datum *x, const struct datum *y, int32_t scale,
                                 struct datum *out, struct error *err)
{
    mpz_t zx, zy;
    mpz_inits(zx, zy, NULL);
    decimal_load_wide(x, zx);
    decimal_load_wide(y, zy);
    mpz_mul(zx, zx, zy);
    if (scale > DECIMAL_SCALE_MAX) { /* rounded half away from zero to the most there is */
        mpz_ui_pow_ui(zy, 10, (unsigned long)(scale - DECIMAL_SCALE_MAX));
        int sign = mpz_sgn(zx);
        mpz_abs(zx, zx);
        mpz_mul_2exp(zx, zx, 1);
        mpz_add(zx, zx, zy);
        mpz_mul_2exp(zy, zy, 1);
        mpz_fdiv_q(zx, zx, zy);
        if (sign < 0) {
            mpz_neg(zx, zx);
        }
        scale = DECIMAL_SCALE_MAX;
    }
    enum status st = decimal_store_checked(a, zx, scale, out, err);
    mpz_clears(zx, zy, NULL);
    return st;
}

enum status decimal_multiply(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                             struct error *err)
{
    enum decimal_kind kx = decimal_kind(x);
    enum decimal_kind ky = decimal_kind(y);
    if (kx != DECIMAL_FINITE || ky != DECIMAL_FINITE) {
        /* infinity * 0 is NaN */
        bool nan = kx == DECIMAL_NAN || ky == DECIMAL_NAN;
        *out = nan ? decimal_special(DECIMAL_NAN) : infinity_of(decimal_sign(x) * decimal_sign(y));
        return STATUS_OK;
    }
    int32_t scale = decimal_scale(x) + decimal_scale(y);
    int128 vx;
    int128 vy;
    int128 v;
    if (scale <= DECIMAL_SCALE_MAX && decimal_load(x, &vx) && decimal_load(y, &vy) &&
        !__builtin_mul_overflow(vx, vy, &v)) {
        *out = decimal_from_int128(a, v, scale);
        return STATUS_OK;
    }
    return multiply_wide(a, x, y, scale, out, err);
}

/* ---- quotients ---- */

/* The weight of the first group of four digits that is not zero, and its value, as PostgreSQL stores numbers. */
struct leading_group {
    int64_t weight;
    int value;
};

static struct leading_group leading_group(const struct datum *d)
{
    int128 v;
    struct leading_group out = {0};
    if (decimal_is_zero(d)) {
        return out;
    }
    mpz_t z;
    bool narrow = decimal_load(d, &v);
    int64_t digits;
    if (narrow) {
        digits = decimal_digit_count(v);
    } else {
        mpz_init(z);
        decimal_load_wide(d, z);
        mpz_abs(z, z);
        digits = decimal_digit_count_wide(z);
    }
    int64_t whole = digits - decimal_scale(d); /* digits before the point, negative for zeros after it */
    out.weight = (whole - 1 >= 0 ? whole - 1 : whole - DIGITS_PER_GROUP) / DIGITS_PER_GROUP;
    int64_t drop = digits - (whole - DIGITS_PER_GROUP * out.weight);
    if (narrow) {
        uint128 m = decimal_magnitude(v);
        uint128 power = (uint128)decimal_powers[drop < 0 ? -drop : drop];
        out.value = (int)(drop >= 0 ? m / power : m * power);
    } else {
        mpz_t power;
        mpz_init(power);
        mpz_ui_pow_ui(power, 10, (unsigned long)drop); /* more than 4 digits, so it is not negative */
        mpz_tdiv_q(z, z, power);
        out.value = (int)mpz_get_si(z);
        mpz_clears(power, z, NULL);
    }
    return out;
}

/* select_div_scale() of numeric.c: at least 16 significant digits, and no fewer decimals than either side. */
static int32_t quotient_scale(const struct datum *x, const struct datum *y)
{
    struct leading_group gx = leading_group(x);
    struct leading_group gy = leading_group(y);
    int64_t weight = gx.weight - gy.weight - (gx.value <= gy.value);
    int64_t scale = SIGNIFICANT_DIGITS_MIN - weight * DIGITS_PER_GROUP;
    int32_t least = max_scale(x, y);
    scale = scale > least ? scale : least;
    return (int32_t)(scale < DISPLAY_SCALE_MAX ? scale : DISPLAY_SCALE_MAX);
}

/* Half away from zero where `round`, else towards zero. */
static int128 divide_narrow(int128 n, int128 d, bool round)
{
    uint128 un = decimal_magnitude(n);
    uint128 ud = decimal_magnitude(d);
    uint128 q;
    uint128 rest;
    if (un <= UINT64_MAX && ud <= UINT64_MAX) {
        q = (uint64_t)un / (uint64_t)ud;
        rest = (uint64_t)un % (uint64_t)ud;
    } else {
        q = un / ud;
        rest = un - q * ud;
    }
    q += round && rest >= ud - rest;
    return (n < 0) != (d < 0) ? -(int128)q : (int128)q;
}

static void divide_wide(mpz_t n, mpz_t d, bool round)
{
    int sign = mpz_sgn(n) * mpz_sgn(d);
    mpz_abs(n, n);
    mpz_abs(d, d);
    if (round) {
        mpz_mul_2exp(n, n, 1);
        mpz_add(n, n, d);
        mpz_mul_2exp(d, d, 1);
    }
    mpz_tdiv_q(n, n, d);
    if (sign < 0) {
        mpz_neg(n, n);
    }
}

static enum status divide_finite(struct arena *a, const struct datum *x, const struct datum *y, int32_t scale,
                                 bool round, struct datum *out, struct error *err)
{
    int64_t power = (int64_t)scale + decimal_scale(y) - decimal_scale(x);
    int128 n;
    int128 d;
    if (decimal_load(x, &n) && decimal_load(y, &d) &&
        (power >= 0 ? decimal_scale_up(n, power, &n) : decimal_scale_up(d, -power, &d))) {
        *out = decimal_from_int128(a, divide_narrow(n, d, round), scale);
        return STATUS_OK;
    }
    mpz_t zn, zd;
    mpz_inits(zn, zd, NULL);
    decimal_load_wide(x, zn);
    decimal_load_wide(y, zd);
    if (power > 0) {
        decimal_scale_up_wide(zn, power);
    } else if (power < 0) {
        decimal_scale_up_wide(zd, -power);
    }
    divide_wide(zn, zd, round);
    enum status st = decimal_store_checked(a, zn, scale, out, err);
    mpz_clears(zn, zd, NULL);
    return st;
}

/* x / y where one of them is not finite. */
static enum status divide_special(enum decimal_kind kx, enum decimal_kind ky, const struct datum *x,
                                  const struct datum *y, struct datum *out, struct error *err)
{
    if (kx == DECIMAL_NAN || ky == DECIMAL_NAN || (is_infinite(kx) && is_infinite(ky))) {
        *out = decimal_special(DECIMAL_NAN);
    } else if (is_infinite(ky)) {
        *out = decimal_from_int(0);
    } else if (decimal_is_zero(y)) {
        return division_by_zero(err);
    } else {
        *out = infinity_of(decimal_sign(x) * decimal_sign(y));
    }
    return STATUS_OK;
}

enum status decimal_divide(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                           struct error *err)
{
    enum decimal_kind kx = decimal_kind(x);
    enum decimal_kind ky = decimal_kind(y);
    if (kx != DECIMAL_FINITE || ky != DECIMAL_FINITE) {
        return divide_special(kx, ky, x, y, out, err);
    }
    if (decimal_is_zero(y)) {
        return division_by_zero(err);
    }
    return divide_finite(a, x, y, quotient_scale(x, y), true, out, err);
}

enum status decimal_quotient(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                             struct error *err)
{
    enum decimal_kind kx = decimal_kind(x);
    enum decimal_kind ky = decimal_kind(y);
    if (kx != DECIMAL_FINITE || ky != DECIMAL_FINITE) {
        return divide_special(kx, ky, x, y, out, err);
    }
    if (decimal_is_zero(y)) {
        return division_by_zero(err);
    }
    return divide_finite(a, x, y, 0, false, out, err);
}

static enum status modulo_special(enum decimal_kind kx, enum decimal_kind ky, const struct datum *x,
                                  const struct datum *y, struct datum *out, struct error *err)
{
    if (kx == DECIMAL_NAN || ky == DECIMAL_NAN) {
        *out = decimal_special(DECIMAL_NAN);
    } else if (kx == DECIMAL_FINITE) {
        *out = *x;
    } else if (ky == DECIMAL_FINITE && decimal_is_zero(y)) {
        return division_by_zero(err);
    } else {
        *out = decimal_special(DECIMAL_NAN);
    }
    return STATUS_OK;
}

enum status decimal_modulo(struct arena *a, const struct datum *x, const struct datum *y, struct datum *out,
                           struct error *err)
{
    enum decimal_kind kx = decimal_kind(x);
    enum decimal_kind ky = decimal_kind(y);
    if (kx != DECIMAL_FINITE || ky != DECIMAL_FINITE) {
        return modulo_special(kx, ky, x, y, out, err);
    }
    if (decimal_is_zero(y)) {
        return division_by_zero(err);
    }
    int128 vx;
    int128 vy;
    if (load_aligned(x, y, &vx, &vy)) {
        *out = decimal_from_int128(a, vx % vy, max_scale(x, y));
        return STATUS_OK;
    }
    mpz_t zx, zy;
    mpz_inits(zx, zy, NULL);
    load_aligned_wide(x, y, zx, zy);
    mpz_tdiv_r(zx, zx, zy);
    enum status st = decimal_store_checked(a, zx, max_scale(x, y), out, err);
    mpz_clears(zx, zy, NULL);
    return st;
}
