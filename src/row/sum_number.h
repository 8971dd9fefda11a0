/* Private to the sum files: integers of up to 128 bits in a stored sum, and the counts of inputs that are no finite
 * number. A number is LEB128 of its zigzag code, so that one of 64 bits looks like a varint. @thread any */
#ifndef ROW_SUM_NUMBER_H
#define ROW_SUM_NUMBER_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/int128.h"

enum { SUM_NUMBER_BYTES_MAX = 19 };

static inline enum status sum_broken(struct error *err)
{
    return error_set(err, STATUS_CORRUPT, 0, "could not read sum: its stored form is broken");
}

static inline void sum_number_append(struct buffer *out, int128 value)
{
    uint8_t *to = buffer_reserve(out, SUM_NUMBER_BYTES_MAX);
    uint128 coded = ((uint128)value << 1) ^ (uint128)(value >> 127);
    size_t len = 0;
    while (coded > UINT64_MAX) {
        to[len++] = (uint8_t)(coded | 0x80);
        coded >>= 7;
    }
    uint64_t rest = (uint64_t)coded;
    while (rest >= 0x80) {
        to[len++] = (uint8_t)(rest | 0x80);
        rest >>= 7;
    }
    to[len++] = (uint8_t)rest;
    out->len += len;
}

static inline enum status sum_number_read(struct bytes *in, int128 *out, struct error *err)
{
    uint128 coded = 0;
    uint64_t low = 0;
    size_t at = 0;
    for (; at < in->len && at < 9 && in->data[at] >= 0x80; at++) {
        low |= (uint64_t)(in->data[at] & 0x7f) << (7 * at);
    }
    coded = low;
    for (; at < in->len && at < SUM_NUMBER_BYTES_MAX - 1 && in->data[at] >= 0x80; at++) {
        coded |= (uint128)(in->data[at] & 0x7f) << (7 * at);
    }
    if (at >= in->len || in->data[at] >= 0x80) {
        return sum_broken(err);
    }
    coded |= (uint128)in->data[at] << (7 * at);
    *in = bytes_of(in->data + at + 1, in->len - at - 1);
    *out = (int128)(coded >> 1) ^ -(int128)(coded & 1);
    return STATUS_OK;
}

/* The same where the value must be in min..max. */
static inline enum status sum_number_read_within(struct bytes *in, int64_t min, int64_t max, int64_t *out,
                                                 struct error *err)
{
    int128 value = 0;
    TRY(sum_number_read(in, &value, err));
    *out = (int64_t)value;
    return value >= min && value <= max ? STATUS_OK : sum_broken(err);
}

struct sum_specials {
    int64_t nans;
    int64_t minus_infinities;
    int64_t infinities;
    int64_t minus_zeros; /* floats only: a sum of nothing but these is -0 */
};

static inline bool sum_specials_any(const struct sum_specials *s)
{
    return (s->nans | s->minus_infinities | s->infinities | s->minus_zeros) != 0;
}
static inline bool sum_specials_decide(const struct sum_specials *s)
{
    return s->nans > 0 || s->minus_infinities > 0 || s->infinities > 0;
}
/* What they make the sum, where they decide it: 0 = NaN, -1 or 1 = an infinity. */
static inline int sum_specials_sign(const struct sum_specials *s)
{
    if (s->nans > 0 || (s->infinities > 0 && s->minus_infinities > 0)) {
        return 0;
    }
    return s->infinities > 0 ? 1 : -1;
}
static inline void sum_specials_append(const struct sum_specials *s, struct buffer *out)
{
    sum_number_append(out, s->nans);
    sum_number_append(out, s->minus_infinities);
    sum_number_append(out, s->infinities);
    sum_number_append(out, s->minus_zeros);
}
static inline enum status sum_specials_read(struct sum_specials *s, struct bytes *in, struct error *err)
{
    TRY(sum_number_read_within(in, INT64_MIN, INT64_MAX, &s->nans, err));
    TRY(sum_number_read_within(in, INT64_MIN, INT64_MAX, &s->minus_infinities, err));
    TRY(sum_number_read_within(in, INT64_MIN, INT64_MAX, &s->infinities, err));
    return sum_number_read_within(in, INT64_MIN, INT64_MAX, &s->minus_zeros, err);
}

#endif
