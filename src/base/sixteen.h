/* Sixteen bytes at a time: what walking over a text one by one, or eight by eight, costs too much for. By SSE2, which
 * every x86-64 has; by two words of eight bytes elsewhere (the functions _anywhere, for the tests to compare). */
#ifndef BASE_SIXTEEN_H
#define BASE_SIXTEEN_H

#include "base/bytes.h"
#include "base/digits.h"

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SIXTEEN = 16 };

/* ---- anywhere ---- */

/* The index of the lowest byte that is marked in two words, SIXTEEN where none is. */
static inline unsigned sixteen_first(uint64_t first, uint64_t last)
{
    return first != 0  ? (unsigned)__builtin_ctzll(first) / 8
           : last != 0 ? 8 + (unsigned)__builtin_ctzll(last) / 8
                       : SIXTEEN;
}

static inline unsigned sixteen_digits_anywhere(const uint8_t *p)
{
    return sixteen_first(digits_others(load_le64(p)), digits_others(load_le64(p + 8)));
}

/* Marks (bit 7) bytes that are a quote, a backslash, a control character or not ASCII. The lowest mark is right; those
 * above it may not be, since subtractions borrow. */
static inline uint64_t sixteen_special_in(uint64_t w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = w ^ ones * '"';
    uint64_t slash = w ^ ones * '\\';
    return (w | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & ones * 0x80;
}

static inline unsigned sixteen_plain_anywhere(const uint8_t *p)
{
    return sixteen_first(sixteen_special_in(load_le64(p)), sixteen_special_in(load_le64(p + 8)));
}

static inline unsigned sixteen_differing_anywhere(const uint8_t *a, const uint8_t *b)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < SIXTEEN; i++) {
        bits |= (unsigned)(a[i] != b[i]) << i;
    }
    return bits;
}

/* ---- here ---- */

/* How many digits they begin with. */
static inline unsigned sixteen_digits(const uint8_t *p)
{
#ifdef __SSE2__
    __m128i value = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8('0'));
    __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value);
    return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(digit));
#else
    return sixteen_digits_anywhere(p);
#endif
}

/* How many bytes they begin with that are ASCII and stand for themselves in a JSON string. */
static inline unsigned sixteen_plain(const uint8_t *p)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* or with its highest bit, which is the sign */
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    unsigned special = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));
    return (unsigned)__builtin_ctz(special | 1u << SIXTEEN);
#else
    return sixteen_plain_anywhere(p);
#endif
}

/* A bit for each byte that is not the same, the lowest for the first. */
static inline unsigned sixteen_differing(const uint8_t *a, const uint8_t *b)
{
#ifdef __SSE2__
    __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)a), _mm_loadu_si128((const __m128i *)b));
    return (unsigned)_mm_movemask_epi8(same) ^ 0xffff;
#else
    return sixteen_differing_anywhere(a, b);
#endif
}

#endif
