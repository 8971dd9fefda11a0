/* Decimal digits in bytes, eight at a time in one register.
 *
 * Source of the conversion: D. Lemire, "Quickly parsing eight digits" (2018), after W. Mula: neighbouring digits, then
 * pairs, then fours are put together by one multiplication each. */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGITS_MAX = 19 }; /* always fit an unsigned 64-bit number */

/* Marks (the upper four bits) bytes that are no digits. */
static inline uint64_t digits_others(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t high = eight ^ ones * '0';                        /* 0 to 9 where it is a digit */
    uint64_t above = ((high & ones * 0x0f) + ones * 6) | high; /* carries into the upper bits from 10 on */
    return above & ones * 0xf0;
}

/* The number that eight digits are, the first of them in the lowest byte. Zero bytes are taken as digits 0. */
static inline uint64_t digits_value(uint64_t eight)
{
    eight = (eight & UINT64_C(0x0f0f0f0f0f0f0f0f)) * (10 * 256 + 1) >> 8;
    eight = (eight & UINT64_C(0x00ff00ff00ff00ff)) * (100 * 65536 + 1) >> 16;
    return (eight & UINT64_C(0x0000ffff0000ffff)) * (UINT64_C(10000) * 4294967296 + 1) >> 32;
}

/* The number of eight digits of which only the last `count` (1 to 8) count. */
static inline uint64_t digits_last(uint64_t eight, size_t count)
{
    size_t others = 8 * (8 - count);
    return digits_value(eight >> others << others);
}

enum { DIGITS_BEFORE_MAX = 16 };

/* The number of the `count` (1 to DIGITS_BEFORE_MAX) digits that end before `end`. The DIGITS_BEFORE_MAX bytes before
 * `end` may be read. No branch depends on the count, which for many numbers in a row cannot be foretold. */
static inline uint64_t digits_before(const uint8_t *end, size_t count)
{
    size_t low = count < 8 ? count : 8;
    size_t high = count - low;
    uint64_t first = load_le64(end - 16) >> 8 * (high == 0 ? 0 : 8 - high);
    first = high == 0 ? 0 : first << 8 * (8 - high);
    return digits_value(first) * 100000000 + digits_last(load_le64(end - 8), low);
}

/* The value of `text`, which is 1 to DIGITS_MAX digits and nothing else; false where it is something else. */
static inline bool digits_whole(struct bytes text, uint64_t *out)
{
    static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    const uint8_t *end = text.data + text.len;
    if (text.len > 8 && text.len <= 16) {
        uint64_t first = load_le64(text.data);
        uint64_t last = load_le64(end - 8);
        *out = digits_value(first) * tens[text.len - 8] + digits_last(last, text.len - 8);
        return (digits_others(first) | digits_others(last)) == 0;
    }
    if (text.len >= 4 && text.len <= 8) {
        uint64_t first = load_le32(text.data);
        uint64_t last = load_le32(end - 4);
        *out = digits_value(first << (8 * (8 - text.len)) | last << 32); /* they overlap in the same digits */
        return digits_others(first | last << 32) == 0;
    }
    if (text.len > 16 && text.len <= DIGITS_MAX) {
        uint64_t first = load_le64(text.data);
        uint64_t second = load_le64(text.data + 8);
        uint64_t last = load_le64(end - 8);
        *out = (digits_value(first) * tens[8] + digits_value(second)) * tens[text.len - 16] +
               digits_last(last, text.len - 16);
        return (digits_others(first) | digits_others(second) | digits_others(last)) == 0;
    }
    bool fine = text.len == 1 || text.len == 2 || text.len == 3;
    *out = 0;
    for (size_t i = 0; fine && i < text.len; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        fine = digit <= 9;
        *out = *out * 10 + digit;
    }
    return fine;
}

enum { DIGITS_SIGNED_MAX = 18 }; /* always fit a signed 64-bit number */

/* The same with a minus sign before it or not, for 1 to DIGITS_SIGNED_MAX digits. */
static inline bool digits_signed(struct bytes text, int64_t *out)
{
    uint64_t value;
    size_t sign = text.len > 0 && text.data[0] == '-';
    struct bytes digits = bytes_of(text.data + sign, text.len - sign);
    bool fine = digits.len <= DIGITS_SIGNED_MAX && digits_whole(digits, &value);
    *out = !fine ? 0 : sign == 1 ? -(int64_t)value : (int64_t)value;
    return fine;
}

/* How many digits `p` begins with. */
static inline size_t digits_run(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    while (end - p >= 8) {
        uint64_t others = digits_others(load_le64(p));
        if (others != 0) {
            return (size_t)(p - start) + (size_t)__builtin_ctzll(others) / 8;
        }
        p += 8;
    }
    while (p < end && *p >= '0' && *p <= '9') {
        p += 1;
    }
    return (size_t)(p - start);
}

/* Takes up to DIGITS_MAX digits off the beginning of `text`, which is left behind them. False where there is none. */
static inline bool digits_take(struct bytes *text, uint64_t *out)
{
    size_t count = digits_run(text->data, text->data + text->len);
    count = count < DIGITS_MAX ? count : DIGITS_MAX;
    bool any = digits_whole(bytes_of(text->data, count), out);
    *text = bytes_of(text->data + count, text->len - count);
    return any;
}

#endif
