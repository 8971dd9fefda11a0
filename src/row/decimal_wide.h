/* Private to the decimal files: coefficients in int128 while they fit and in GMP beyond, and their packed form.
 *
 * Packed decimal, the bytes of a datum with big == 1:
 *   0      what it is, an enum decimal_kind; a NaN or infinity is this one byte
 *   1..2   display scale, little-endian
 *   3..    coefficient, two's complement, big-endian, in as few bytes as it needs; at least 9, else it is no big one */
#ifndef ROW_DECIMAL_WIDE_H
#define ROW_DECIMAL_WIDE_H

#include "base/int128.h"
#include "row/decimal_digits.h"

#include <gmp.h>

enum { WIDE_KIND_AT = 0, WIDE_SCALE_AT = 1, WIDE_COEFFICIENT_AT = 3, WIDE_POWER_MAX = 38 };

/* 10^0 .. 10^38, all that fit int128. */
extern const int128 decimal_powers[WIDE_POWER_MAX + 1];

static inline uint128 decimal_magnitude(int128 v)
{
    return v < 0 ? -(uint128)v : (uint128)v;
}
/* v * 10^`power`; false where that does not fit. */
static inline bool decimal_scale_up(int128 v, int64_t power, int128 *out)
{
    return power <= WIDE_POWER_MAX && !__builtin_mul_overflow(v, decimal_powers[power], out);
}
/* Decimal digits of |v|; 0 for 0. */
int decimal_digit_count(int128 v);
/* The coefficient of a finite one; false where it or its negative does not fit. */
bool decimal_load(const struct datum *d, int128 *out);

/* The coefficient of a finite one into an initialised `z`. */
void decimal_load_wide(const struct datum *d, mpz_t z);
struct datum decimal_store_wide(struct arena *a, const mpz_t z, int32_t scale);
/* The same with PostgreSQL's limits: "value overflows numeric format". A scale past DECIMAL_SCALE_MAX is an overflow
 * too. */
enum status decimal_store_checked(struct arena *a, const mpz_t z, int64_t scale, struct datum *out, struct error *err);
enum status decimal_overflow(struct error *err);
/* Decimal digits of |z|; 0 for 0. */
int64_t decimal_digit_count_wide(const mpz_t z);
void decimal_scale_up_wide(mpz_t z, int64_t power); /* z *= 10^power */

#endif
