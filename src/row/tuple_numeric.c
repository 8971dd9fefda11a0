/* numeric as ordered bytes: a tag for sign or special, then, unless zero or special, the decimal exponent in three
 * bytes, and the digits in pairs + 1, ended by 00; all inverted for a negative one. There are no zeros before or behind
 * the digits, so that equal numbers have equal bytes. */
#include "row/tuple_scan.h"

#include "row/decimal.h"
#include "row/decimal_digits.h"

enum { EXPONENT_BIAS = 1 << 22, SMALL_DIGITS_MAX = 18 };

/* Digits without leading and trailing zeros, and the exponent of 0.DIGITS * 10^exponent. */
struct digits {
    const char *text;
    size_t len;
    int64_t exponent;
    bool negative;
};

static struct digits digits_of_small(const struct datum *d, char room[static 24])
{
    uint64_t left = d->v.i < 0 ? -(uint64_t)d->v.i : (uint64_t)d->v.i;
    char *end = room + 24;
    char *start = end;
    while (left > 0) {
        *--start = (char)('0' + left % 10);
        left /= 10;
    }
    struct digits out = {.text = start, .len = (size_t)(end - start), .negative = d->v.i < 0};
    out.exponent = (int64_t)out.len - (int64_t)d->len;
    while (out.len > 0 && start[out.len - 1] == '0') {
        out.len--;
    }
    return out;
}

/* Of a big finite numeric; the digits live in `room`. */
static struct digits digits_of_big(const struct datum *d, struct buffer *room)
{
    decimal_append_digits(d, room);
    struct digits out = {.text = (const char *)room->data, .len = room->len, .negative = decimal_sign(d) < 0};
    out.exponent = (int64_t)out.len - decimal_scale(d);
    while (out.len > 0 && out.text[out.len - 1] == '0') {
        out.len--;
    }
    return out;
}

static void append_digits(struct buffer *out, const struct digits *d)
{
    uint8_t *start = buffer_reserve(out, 5 + (d->len + 1) / 2 + 1);
    uint8_t *to = start;
    if (d->len == 0) {
        *to = TAG_ZERO;
        out->len += 1;
        return;
    }
    *to++ = d->negative ? TAG_NEGATIVE : TAG_POSITIVE;
    uint32_t exponent = (uint32_t)(d->exponent + EXPONENT_BIAS);
    *to++ = (uint8_t)(exponent >> 16);
    *to++ = (uint8_t)(exponent >> 8);
    *to++ = (uint8_t)exponent;
    for (size_t i = 0; i < d->len; i += 2) {
        int low = i + 1 < d->len ? d->text[i + 1] - '0' : 0;
        *to++ = (uint8_t)((d->text[i] - '0') * 10 + low + 1);
    }
    *to++ = 0;
    for (uint8_t *p = start + 1; d->negative && p < to; p++) {
        *p = (uint8_t) ~*p;
    }
    out->len += (size_t)(to - start);
}

static void append_big_numeric(struct buffer *out, const struct datum *d)
{
    switch (decimal_kind(d)) {
    case DECIMAL_NAN:
        buffer_append_byte(out, TAG_NAN);
        return;
    case DECIMAL_MINUS_INFINITY:
        buffer_append_byte(out, TAG_MINUS_INFINITY);
        return;
    case DECIMAL_INFINITY:
        buffer_append_byte(out, TAG_INFINITY);
        return;
    case DECIMAL_FINITE:
        break;
    }
    struct buffer room = BUFFER_EMPTY;
    struct digits digits = digits_of_big(d, &room);
    append_digits(out, &digits);
    buffer_release(&room);
}

void tuple_numeric_append(struct buffer *out, const struct datum *d, bool image)
{
    if (d->big) {
        append_big_numeric(out, d);
    } else {
        char room[24];
        struct digits digits = digits_of_small(d, room);
        append_digits(out, &digits);
    }
    if (image) {
        bool finite = decimal_kind(d) == DECIMAL_FINITE;
        store_be16(buffer_reserve(out, 2), (uint16_t)(finite ? decimal_scale(d) : 0));
        out->len += 2;
    }
}

/* Pairs of digits as they stand in the key. */
struct pairs {
    const uint8_t *data;
    size_t count;
    uint8_t mask;
    int64_t exponent;
};

static enum status read_pairs(struct tuple_scan *s, bool negative, struct pairs *out, struct error *err)
{
    uint8_t head[3];
    uint8_t flip = negative ? 0xff : 0;
    if (!tuple_take(s, head, 3)) {
        return tuple_broken(err);
    }
    uint32_t biased = (uint32_t)(head[0] ^ flip) << 16 | (uint32_t)(head[1] ^ flip) << 8 | (uint32_t)(head[2] ^ flip);
    out->exponent = (int64_t)biased - EXPONENT_BIAS;
    out->mask = s->mask ^ flip;
    out->data = s->next;
    const uint8_t *end = memchr(s->next, out->mask, (size_t)(s->end - s->next)); /* 00 as it was inverted */
    if (end == NULL || end == s->next) {
        return tuple_broken(err);
    }
    out->count = (size_t)(end - s->next);
    s->next = end + 1;
    return STATUS_OK;
}

/* False for a pair that is no two digits. */
static bool pair_at(const struct pairs *p, size_t i, unsigned *out)
{
    *out = (unsigned)(p->data[i] ^ p->mask) - 1;
    return *out <= 99;
}

/* The first digit is not zero and neither are the last two. */
static bool are_pairs_sound(const struct pairs *p)
{
    unsigned first;
    unsigned last;
    return pair_at(p, 0, &first) && first >= 10 && pair_at(p, p->count - 1, &last) && last > 0;
}

static enum status make_big_numeric(const struct pairs *p, int64_t wanted, bool negative, uint16_t scale,
                                    struct arena *a, struct datum *out, struct error *err)
{
    uint8_t *digits = arena_alloc(a, (size_t)wanted + 1);
    memset(digits, '0', (size_t)wanted + 1);
    for (size_t i = 0; i < p->count; i++) {
        unsigned pair;
        if (!pair_at(p, i, &pair)) {
            return tuple_broken(err);
        }
        digits[2 * i] = (uint8_t)('0' + pair / 10);
        digits[2 * i + 1] = (uint8_t)('0' + pair % 10);
    }
    return decimal_from_digits(a, negative, bytes_of(digits, (size_t)wanted), scale, out, err);
}

/* The value of the pairs with `scale` digits after the point. */
static enum status make_numeric(const struct pairs *p, bool negative, uint16_t scale, struct arena *a,
                                struct datum *out, struct error *err)
{
    unsigned last;
    int64_t wanted = p->exponent + scale; /* digits of the coefficient */
    if (!are_pairs_sound(p) || scale > DECIMAL_SCALE_MAX || p->exponent > DECIMAL_DIGITS_MAX) {
        return tuple_broken(err);
    }
    pair_at(p, p->count - 1, &last);
    int64_t given = 2 * (int64_t)p->count - (last % 10 == 0);
    if (wanted < given) {
        return tuple_broken(err);
    }
    if (wanted > SMALL_DIGITS_MAX) {
        return make_big_numeric(p, wanted, negative, scale, a, out, err);
    }
    int64_t value = 0;
    for (size_t i = 0; i < p->count; i++) {
        unsigned pair;
        if (!pair_at(p, i, &pair)) {
            return tuple_broken(err);
        }
        bool half = 2 * (int64_t)(i + 1) > wanted;
        value = half ? value * 10 + pair / 10 : value * 100 + pair;
    }
    for (int64_t i = 2 * (int64_t)p->count; i < wanted; i++) {
        value *= 10;
    }
    *out = (struct datum){.v.i = negative ? -value : value, .len = scale};
    return STATUS_OK;
}

static enum status make_special(uint8_t tag, uint16_t scale, struct datum *out, struct error *err)
{
    if (tag == TAG_ZERO) {
        *out = (struct datum){.len = scale};
        return scale <= DECIMAL_SCALE_MAX ? STATUS_OK : tuple_broken(err);
    }
    *out = decimal_special(tag == TAG_NAN        ? DECIMAL_NAN
                           : tag == TAG_INFINITY ? DECIMAL_INFINITY
                                                 : DECIMAL_MINUS_INFINITY);
    return scale == 0 ? STATUS_OK : tuple_broken(err);
}

enum status tuple_numeric_read(struct tuple_scan *s, uint8_t tag, bool image, struct arena *a, struct datum *out,
                               struct error *err)
{
    uint8_t scale[2] = {0};
    struct pairs pairs = {0};
    bool paired = tag == TAG_NEGATIVE || tag == TAG_POSITIVE;
    if (tag < TAG_MINUS_INFINITY || tag > TAG_NAN) {
        return tuple_broken(err);
    }
    if (paired) {
        TRY(read_pairs(s, tag == TAG_NEGATIVE, &pairs, err));
    }
    if (image && !tuple_take(s, scale, 2)) {
        return tuple_broken(err);
    }
    if (out == NULL) {
        return STATUS_OK;
    }
    return paired ? make_numeric(&pairs, tag == TAG_NEGATIVE, load_be16(scale), a, out, err)
                  : make_special(tag, load_be16(scale), out, err);
}
