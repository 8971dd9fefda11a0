/* An input is its 53-bit mantissa, times the weight, added at its exponent; nothing is rounded until the sum is read.
 *
 * Stored form: number of digits stored times two, plus one where the counts of specials follow; where digits are
 * stored, the position of the lowest; the digits, le32. Left out are the zeros below and all above that only repeat the
 * sign. */
#include "row/sum_float.h"

#include <float.h>
#include <math.h>

enum { EXPONENT_LOWEST = 1074, DOUBLE_BITS = 53, FLOAT_BITS = 24, FLOAT_EXPONENT_LOWEST = 149 };

/* Adds `value` * 2^`bit`. */
static void limbs_add(uint32_t *limbs, int128 value, unsigned bit)
{
    size_t at = bit / SUM_LIMB_BITS;
    unsigned shift = bit % SUM_LIMB_BITS;
    uint32_t sign = value < 0 ? UINT32_MAX : 0;
    uint128 low = (uint128)value << shift;
    uint32_t high = shift == 0 ? sign : (uint32_t)(value >> (128 - shift));
    uint64_t carry = 0;
    for (size_t i = 0; at < SUM_LIMB_COUNT; i++, at++) {
        uint32_t part = i < 4 ? (uint32_t)(low >> (32 * i)) : i == 4 ? high : sign;
        if (i > 4 && carry == (sign & 1)) {
            return; /* nothing changes from here on */
        }
        uint64_t digit = (uint64_t)limbs[at] + part + carry;
        limbs[at] = (uint32_t)digit;
        carry = digit >> 32;
    }
}

void sum_float_add(struct sum_float *s, double value, int64_t weight)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    unsigned exponent = (unsigned)(bits >> 52) & 0x7ff;
    bool negative = bits >> 63 != 0;
    if (exponent == 0x7ff) {
        *(mantissa != 0 ? &s->specials.nans
          : negative    ? &s->specials.minus_infinities
                        : &s->specials.infinities) += weight;
        return;
    }
    if (exponent == 0 && mantissa == 0) {
        s->specials.minus_zeros += negative ? weight : 0;
        return;
    }
    if (exponent > 0) {
        mantissa |= UINT64_C(1) << 52;
        exponent--;
    }
    int128 product = (int128)mantissa * weight;
    limbs_add(s->limbs, negative ? -product : product, exponent);
}

static bool is_negative(const uint32_t *limbs)
{
    return limbs[SUM_LIMB_COUNT - 1] >> 31 != 0;
}

/* Sets the absolute value; returns its length in bits. */
static unsigned magnitude_of(const uint32_t *limbs, uint32_t *out)
{
    uint32_t flip = is_negative(limbs) ? UINT32_MAX : 0;
    uint64_t carry = flip & 1;
    unsigned top = 0;
    for (unsigned i = 0; i < SUM_LIMB_COUNT; i++) {
        uint64_t digit = (uint64_t)(limbs[i] ^ flip) + carry;
        out[i] = (uint32_t)digit;
        carry = digit >> 32;
        top = out[i] != 0 ? i + 1 : top;
    }
    return top == 0 ? 0 : top * SUM_LIMB_BITS - (unsigned)__builtin_clz(out[top - 1]);
}

/* 64 bits from `bit` up. */
static uint64_t bits_at(const uint32_t *limbs, unsigned bit)
{
    unsigned at = bit / SUM_LIMB_BITS;
    uint128 window = 0;
    for (unsigned i = 0; i < 3 && at + i < SUM_LIMB_COUNT; i++) {
        window |= (uint128)limbs[at + i] << (SUM_LIMB_BITS * i);
    }
    return (uint64_t)(window >> (bit % SUM_LIMB_BITS));
}

static bool any_bit_below(const uint32_t *limbs, unsigned bit)
{
    for (unsigned i = 0; i < bit / SUM_LIMB_BITS; i++) {
        if (limbs[i] != 0) {
            return true;
        }
    }
    uint64_t mask = (UINT64_C(1) << (bit % SUM_LIMB_BITS)) - 1;
    return (limbs[bit / SUM_LIMB_BITS] & mask) != 0;
}

double sum_float_round(const struct sum_float *s, bool narrow)
{
    const unsigned kept = narrow ? FLOAT_BITS : DOUBLE_BITS;
    const unsigned lowest = narrow ? EXPONENT_LOWEST - FLOAT_EXPONENT_LOWEST : 0;
    uint32_t magnitude[SUM_LIMB_COUNT];
    unsigned length = magnitude_of(s->limbs, magnitude);
    unsigned dropped = length > kept + lowest ? length - kept : lowest;
    uint64_t mantissa = length > dropped ? bits_at(magnitude, dropped) : 0;
    if (dropped > 0 && (bits_at(magnitude, dropped - 1) & 1) != 0 &&
        ((mantissa & 1) != 0 || any_bit_below(magnitude, dropped - 1))) {
        mantissa++; /* to the nearest, ties to even */
    }
    double result = ldexp((double)mantissa, (int)dropped - EXPONENT_LOWEST);
    if (narrow && result > (double)FLT_MAX) {
        result = (double)INFINITY;
    }
    return is_negative(s->limbs) ? -result : result;
}

/* The digits to store: from `*lowest` up to before `*end`. The last tells the sign. */
static void limbs_range(const uint32_t *limbs, size_t *lowest, size_t *end)
{
    uint32_t sign = is_negative(limbs) ? UINT32_MAX : 0;
    *end = SUM_LIMB_COUNT;
    while (*end > 0 && limbs[*end - 1] == sign) {
        *end -= 1;
    }
    if (*end == 0 && sign == 0) {
        *lowest = 0;
        return;
    }
    bool tells_sign = *end > 0 && (limbs[*end - 1] >> 31 != 0) == (sign != 0);
    *end += tells_sign ? 0 : 1;
    *lowest = 0;
    while (limbs[*lowest] == 0) {
        *lowest += 1;
    }
}

bool sum_float_is_zero(const struct sum_float *s)
{
    size_t lowest = 0;
    size_t end = 0;
    limbs_range(s->limbs, &lowest, &end);
    return end == 0 && !sum_specials_any(&s->specials);
}

void sum_float_append(const struct sum_float *s, struct buffer *out)
{
    size_t lowest = 0;
    size_t end = 0;
    bool specials = sum_specials_any(&s->specials);
    limbs_range(s->limbs, &lowest, &end);
    sum_number_append(out, (int128)(end - lowest) * 2 + (specials ? 1 : 0));
    if (specials) {
        sum_specials_append(&s->specials, out);
    }
    if (end == lowest) {
        return;
    }
    sum_number_append(out, (int128)lowest);
    for (size_t i = lowest; i < end; i++) {
        store_le32(buffer_reserve(out, sizeof(uint32_t)), s->limbs[i]);
        out->len += sizeof(uint32_t);
    }
}

enum status sum_float_read(struct sum_float *s, struct bytes *in, struct error *err)
{
    int64_t head = 0;
    int64_t lowest = 0;
    TRY(sum_number_read_within(in, 0, SUM_LIMB_COUNT * 2 + 1, &head, err));
    int64_t count = head / 2;
    if (head % 2 != 0) {
        TRY(sum_specials_read(&s->specials, in, err));
    }
    if (count == 0) {
        return STATUS_OK;
    }
    TRY(sum_number_read_within(in, 0, SUM_LIMB_COUNT - count, &lowest, err));
    size_t bytes = (size_t)count * sizeof(uint32_t);
    if (in->len < bytes) {
        return sum_broken(err);
    }
    for (int64_t i = 0; i < count; i++) {
        s->limbs[lowest + i] = load_le32(in->data + 4 * i);
    }
    *in = bytes_of(in->data + bytes, in->len - bytes);
    if (s->limbs[lowest + count - 1] >> 31 != 0) {
        memset(s->limbs + lowest + count, 0xff, (size_t)(SUM_LIMB_COUNT - lowest - count) * sizeof(uint32_t));
    }
    return STATUS_OK;
}
