/* numeric in and out of text, digits and floats. The syntax is numeric_in's of PostgreSQL 15, strtol's blanks after the
 * "e" included. Up to 18 digits never leave int64. */
#include "row/decimal.h"

#include "base/memory.h"
#include "row/decimal_digits.h"
#include "row/decimal_wide.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { FAST_DIGITS_MAX = 18, INT128_DIGITS_MAX = 38, DOUBLE_EXACT_POWER_MAX = 22, TEXT_SHOWN_BYTES_MAX = 256 };

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static enum status bad_syntax(struct bytes text, struct error *err)
{
    int shown = text.len < TEXT_SHOWN_BYTES_MAX ? (int)text.len : TEXT_SHOWN_BYTES_MAX;
    return error_set(err, STATUS_INVALID, 0, "invalid input syntax for type numeric: \"%.*s\"", shown,
                     text.len > 0 ? (const char *)text.data : "");
}

/* ---- digits ---- */

enum status decimal_from_digits(struct arena *a, bool negative, struct bytes digits, int64_t scale, struct datum *out,
                                struct error *err)
{
    while (digits.len > 0 && digits.data[0] == '0') {
        digits = bytes_of(digits.data + 1, digits.len - 1);
    }
    int64_t before_point = (int64_t)digits.len - scale;
    if (scale > DECIMAL_SCALE_MAX || (digits.len > 0 && before_point > DECIMAL_DIGITS_MAX)) {
        return decimal_overflow(err);
    }
    int32_t shown_scale = scale > 0 ? (int32_t)scale : 0;
    int64_t padding = scale < 0 && digits.len > 0 ? -scale : 0;
    if ((int64_t)digits.len + padding <= INT128_DIGITS_MAX) {
        int128 v = 0;
        for (size_t i = 0; i < digits.len; i++) {
            v = v * 10 + (digits.data[i] - '0');
        }
        v *= decimal_powers[padding];
        *out = decimal_from_int128(a, negative ? -v : v, shown_scale);
        return STATUS_OK;
    }
    char *text = mem_alloc(digits.len + 1);
    memcpy(text, digits.data, digits.len);
    text[digits.len] = '\0';
    mpz_t z;
    mpz_init(z);
    int bad = mpz_set_str(z, text, 10);
    assert(bad == 0);
    (void)bad;
    mem_free(text);
    decimal_scale_up_wide(z, padding);
    if (negative) {
        mpz_neg(z, z);
    }
    enum status st = decimal_store_checked(a, z, shown_scale, out, err);
    mpz_clear(z);
    return st;
}

/* Writes the digits of `v` > 0 before `end` and returns their start. */
static uint8_t *put_digits(uint8_t *end, uint128 v)
{
    while (v > UINT64_MAX) {
        *--end = (uint8_t)('0' + (int)(v % 10));
        v /= 10;
    }
    for (uint64_t low = (uint64_t)v; low > 0; low /= 10) {
        *--end = (uint8_t)('0' + (int)(low % 10));
    }
    return end;
}

void decimal_append_digits(const struct datum *d, struct buffer *out)
{
    int128 v;
    if (decimal_load(d, &v)) {
        uint8_t room[INT128_DIGITS_MAX + 2];
        uint8_t *end = room + sizeof room;
        uint8_t *start = put_digits(end, decimal_magnitude(v));
        buffer_append(out, start, (size_t)(end - start));
        return;
    }
    mpz_t z;
    mpz_init(z);
    decimal_load_wide(d, z);
    mpz_abs(z, z);
    char *to = (char *)buffer_reserve(out, mpz_sizeinbase(z, 10) + 2);
    mpz_get_str(to, 10, z);
    out->len += strlen(to);
    mpz_clear(z);
}

/* ---- out ---- */

static void print_placed(bool negative, const uint8_t *digits, size_t count, size_t scale, struct buffer *out)
{
    size_t whole = count > scale ? count - scale : 0;
    uint8_t *to = buffer_reserve(out, count + scale + 4);
    uint8_t *start = to;
    if (negative) {
        *to++ = '-';
    }
    if (whole == 0) {
        *to++ = '0';
    }
    memcpy(to, digits, whole);
    to += whole;
    if (scale > 0) {
        *to++ = '.';
        size_t zeros = scale - (count - whole);
        memset(to, '0', zeros);
        to += zeros;
        memcpy(to, digits + whole, count - whole);
        to += count - whole;
    }
    out->len += (size_t)(to - start);
}

void decimal_print(const struct datum *d, struct buffer *out)
{
    switch (decimal_kind(d)) {
    case DECIMAL_NAN:
        buffer_append_text(out, "NaN");
        return;
    case DECIMAL_INFINITY:
        buffer_append_text(out, "Infinity");
        return;
    case DECIMAL_MINUS_INFINITY:
        buffer_append_text(out, "-Infinity");
        return;
    case DECIMAL_FINITE:
        break;
    }
    if (!d->big) {
        uint8_t room[24];
        uint8_t *end = room + sizeof room;
        uint8_t *start = put_digits(end, decimal_magnitude(d->v.i));
        print_placed(d->v.i < 0, start, (size_t)(end - start), d->len, out);
        return;
    }
    struct buffer digits = BUFFER_EMPTY;
    decimal_append_digits(d, &digits);
    print_placed(decimal_sign(d) < 0, digits.data, digits.len, (size_t)decimal_scale(d), out);
    buffer_release(&digits);
}

/* ---- in ---- */

/* [-+]digits[.digits] of at most 18 digits, and nothing else; false leaves it to the full parser. */
static bool parse_plain(struct bytes text, struct datum *out)
{
    const uint8_t *p = text.data;
    const uint8_t *end = p + text.len;
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (end - p > FAST_DIGITS_MAX + 1 || p == end || !is_digit(*p)) {
        return false;
    }
    uint64_t v = 0; /* holds 19 digits */
    const uint8_t *start = p;
    const uint8_t *point = NULL;
    for (; p < end; p++) {
        if (is_digit(*p)) {
            v = v * 10 + (uint64_t)(*p - '0');
        } else if (*p == '.' && point == NULL) {
            point = p;
        } else {
            return false;
        }
    }
    if (point == NULL && end - start > FAST_DIGITS_MAX) {
        return false; /* 19 digits may be too many */
    }
    int64_t value = (int64_t)v;
    *out = (struct datum){.v.i = negative ? -value : value, .len = point == NULL ? 0 : (uint32_t)(end - point - 1)};
    return true;
}

static bool parse_word(struct bytes text, struct datum *out)
{
    static const struct {
        const char *word;
        enum decimal_kind kind;
    } words[] = {
        {"NaN", DECIMAL_NAN},
        {"Infinity", DECIMAL_INFINITY},
        {"+Infinity", DECIMAL_INFINITY},
        {"-Infinity", DECIMAL_MINUS_INFINITY},
        {"inf", DECIMAL_INFINITY},
        {"+inf", DECIMAL_INFINITY},
        {"-inf", DECIMAL_MINUS_INFINITY},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) == text.len && strncasecmp(words[i].word, (const char *)text.data, text.len) == 0) {
            *out = decimal_special(words[i].kind);
            return true;
        }
    }
    return false;
}

/* What strtol takes: blanks, a sign, digits. Saturates far past every limit. NULL where there is no digit. */
static const uint8_t *parse_exponent(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    while (p < end && is_blank(*p)) {
        p++;
    }
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || !is_digit(*p)) {
        return NULL;
    }
    int64_t v = 0;
    for (; p < end && is_digit(*p); p++) {
        v = v < INT_MAX ? v * 10 + (*p - '0') : v;
    }
    *out = negative ? -v : v;
    return p;
}

/* Gathers the digits of text without blanks around it. */
static enum status parse_number(struct bytes text, struct bytes whole, uint8_t *digits, struct arena *a,
                                struct datum *out, struct error *err)
{
    const uint8_t *p = text.data;
    const uint8_t *end = p + text.len;
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    size_t count = 0;
    const uint8_t *point = NULL;
    int64_t scale = 0;
    for (; p < end && (is_digit(*p) || (*p == '.' && point == NULL)); p++) {
        if (*p == '.') {
            point = p;
        } else {
            digits[count++] = *p;
            scale += point != NULL;
        }
    }
    if (count == 0) {
        return bad_syntax(whole, err);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int64_t exponent;
        p = parse_exponent(p + 1, end, &exponent);
        if (p == NULL) {
            return bad_syntax(whole, err);
        }
        if (exponent >= INT_MAX / 2 || exponent <= -(INT_MAX / 2)) {
            return decimal_overflow(err);
        }
        scale -= exponent;
    }
    if (p != end) {
        return bad_syntax(whole, err);
    }
    return decimal_from_digits(a, negative, bytes_of(digits, count), scale, out, err);
}

enum status decimal_parse(struct bytes text, struct arena *a, struct datum *out, struct error *err)
{
    if (text.len > 0 && parse_plain(text, out)) {
        return STATUS_OK;
    }
    struct bytes whole = text;
    while (text.len > 0 && is_blank(text.data[0])) {
        text = bytes_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len -= 1;
    }
    if (text.len == 0) {
        return bad_syntax(whole, err);
    }
    if (parse_word(text, out)) {
        return STATUS_OK;
    }
    uint8_t *digits = mem_alloc(text.len);
    enum status st = parse_number(text, whole, digits, a, out, err);
    mem_free(digits);
    return st;
}

/* ---- floats ---- */

static struct datum from_float(struct arena *a, double value, int digits)
{
    if (isnan(value)) {
        return decimal_special(DECIMAL_NAN);
    }
    if (isinf(value)) {
        return decimal_special(value > 0 ? DECIMAL_INFINITY : DECIMAL_MINUS_INFINITY);
    }
    char text[40];
    int len = snprintf(text, sizeof text, "%.*g", digits, value);
    struct datum out = DATUM_NULL;
    struct error err;
    enum status st = decimal_parse(bytes_of(text, (size_t)len), a, &out, &err);
    assert(st == STATUS_OK); /* a double's exponents are far from the limits */
    (void)st;
    return out;
}

struct datum decimal_from_double(struct arena *a, double value)
{
    return from_float(a, value, 15);
}

struct datum decimal_from_float(struct arena *a, float value)
{
    return from_float(a, (double)value, 6);
}

double decimal_to_double(const struct datum *d)
{
    if (!d->big && d->len <= DOUBLE_EXACT_POWER_MAX && decimal_magnitude(d->v.i) <= (uint128)1 << 53) {
        /* Both exact in a double, so the one division rounds correctly. */
        return (double)d->v.i / (double)decimal_powers[d->len];
    }
    switch (decimal_kind(d)) {
    case DECIMAL_NAN:
        return (double)NAN;
    case DECIMAL_INFINITY:
        return (double)INFINITY;
    case DECIMAL_MINUS_INFINITY:
        return -(double)INFINITY;
    case DECIMAL_FINITE:
        break;
    }
    struct buffer text = BUFFER_EMPTY;
    decimal_print(d, &text);
    buffer_append_byte(&text, 0);
    double value = strtod((const char *)text.data, NULL);
    buffer_release(&text);
    return value;
}
