/* Shortest round-trip floats. PostgreSQL prints with Ryu and takes no decimal that lies exactly half way between two
 * floats (1e23 prints as 9.999999999999999e+22). Short decimals, the usual case, are found by exact arithmetic; for the
 * others the candidates of printf are tried from the fewest digits up, which finds what Ryu does. */
#include "row/float_text.h"

#include "base/memory.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    EXACT_POWER_MAX = 22, /* 10^22 is the last power of ten that is exact in a double */
    EXACT_DIGITS_MAX = 15,
    DIGITS_MAX = 17,
    TEXT_SHOWN_BYTES_MAX = 256,
    STACK_TEXT_BYTES = 128,
    EXACT_TEXT_BYTES = 1200 /* more digits than half an ulp of any double has */
};

static const double powers[EXACT_POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_blank(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *name_of(bool narrow)
{
    return narrow ? "real" : "double precision";
}

/* ---- in ---- */

/* [-]digits[.digits] of at most 15 digits: one exact division of exact numbers rounds correctly. */
static bool parse_plain(struct bytes text, double *out)
{
    const uint8_t *p = text.data;
    const uint8_t *end = p + text.len;
    bool negative = p < end && *p == '-';
    p += negative;
    if (p == end || *p < '0' || *p > '9' || end - p > EXACT_DIGITS_MAX + 1) {
        return false;
    }
    int64_t v = 0;
    const uint8_t *point = NULL;
    for (; p < end; p++) {
        if (*p >= '0' && *p <= '9') {
            v = v * 10 + (*p - '0');
        } else if (*p == '.' && point == NULL) {
            point = p;
        } else {
            return false;
        }
    }
    if (v > INT64_C(999999999999999)) {
        return false;
    }
    double value = (double)v / powers[point == NULL ? 0 : end - point - 1];
    *out = negative ? -value : value;
    return true;
}

/* `text` is ended by NUL; the whole of `len` bytes must be the number and blanks. */
static enum status parse_text(const char *text, size_t len, bool narrow, double *out, struct error *err)
{
    const char *start = text;
    while (is_blank(*start)) {
        start++;
    }
    char *end;
    errno = 0;
    double value = narrow ? (double)strtof(start, &end) : strtod(start, &end);
    int cause = errno;
    int shown = len < TEXT_SHOWN_BYTES_MAX ? (int)len : TEXT_SHOWN_BYTES_MAX;
    if (end == start) {
        return error_set(err, STATUS_INVALID, 0, "invalid input syntax for type %s: \"%.*s\"", name_of(narrow), shown,
                         text);
    }
    if (cause == ERANGE && (value == 0 || isinf(value))) {
        int number = end - start < shown ? (int)(end - start) : shown;
        return error_set(err, STATUS_INVALID, 0, "\"%.*s\" is out of range for type %s", number, start,
                         name_of(narrow));
    }
    while (is_blank(*end)) {
        end++;
    }
    if (end != text + len) {
        return error_set(err, STATUS_INVALID, 0, "invalid input syntax for type %s: \"%.*s\"", name_of(narrow), shown,
                         text);
    }
    *out = isnan(value) ? (double)NAN : value;
    return STATUS_OK;
}

enum status float_parse(struct bytes text, bool narrow, double *out, struct error *err)
{
    if (!narrow && text.len > 0 && parse_plain(text, out)) {
        return STATUS_OK;
    }
    char room[STACK_TEXT_BYTES];
    char *copy = text.len < sizeof room ? room : mem_alloc(text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    copy[text.len] = '\0';
    enum status st = parse_text(copy, text.len, narrow, out, err);
    if (copy != room) {
        mem_free(copy);
    }
    return st;
}

/* ---- out ---- */

/* 0.d1d2d3... * 10^(exponent + 1), so d1 stands for 10^exponent. */
struct shortest {
    char digits[DIGITS_MAX + 1];
    int count;
    int exponent;
};

static void strip_zeros(struct shortest *s)
{
    while (s->count > 1 && s->digits[s->count - 1] == '0') {
        s->count--;
    }
}

static void take_integer(struct shortest *s, int64_t v, int scale)
{
    char text[24];
    s->count = snprintf(text, sizeof text, "%lld", (long long)v);
    memcpy(s->digits, text, (size_t)s->count);
    s->exponent = s->count - 1 - scale;
    strip_zeros(s);
}

static bool is_integer_below(double value, double limit)
{
    return value < limit && value == floor(value);
}

/* Decimals of at most 15 digits and 6 places, of a positive double. */
static bool find_plain(double value, struct shortest *s)
{
    enum { PLACES_MAX = 6 };
    if (is_integer_below(value, 9007199254740992.0)) {
        take_integer(s, (int64_t)value, 0);
        return true;
    }
    for (int k = 1; k <= PLACES_MAX && value >= 1e-4; k++) {
        double shifted = nearbyint(value * powers[k]);
        if (shifted >= 1e15) {
            return false;
        }
        if (shifted / powers[k] == value) {
            take_integer(s, (int64_t)shifted, k);
            return true;
        }
    }
    return false;
}

static bool find_plain_narrow(double value, struct shortest *s)
{
    if (is_integer_below(value, 16777216.0)) {
        take_integer(s, (int64_t)value, 0);
        return true;
    }
    return false;
}

/* True where the decimal is exactly `middle`. */
static bool is_exactly(const char *decimal_digits, int count, long double middle)
{
    char exact[EXACT_TEXT_BYTES];
    snprintf(exact, sizeof exact, "%.*Le", EXACT_TEXT_BYTES - 20, middle);
    if (exact[0] != decimal_digits[0] || memcmp(exact + 2, decimal_digits + 1, (size_t)count - 1) != 0) {
        return false;
    }
    const char *rest = exact + 1 + count;
    return rest[strspn(rest, "0")] == 'e';
}

/* True where the digits read back as `value` and do not lie on the border to a neighbour. */
static bool reads_back(const struct shortest *s, double value, bool narrow)
{
    char text[DIGITS_MAX + 16];
    snprintf(text, sizeof text, "%c.%.*se%d", s->digits[0], s->count - 1, s->digits + 1, s->exponent);
    double back = narrow ? (double)strtof(text, NULL) : strtod(text, NULL);
    if (back != value) {
        return false;
    }
    double below = narrow ? (double)nextafterf((float)value, 0.0f) : nextafter(value, 0.0);
    double above = narrow ? (double)nextafterf((float)value, HUGE_VALF) : nextafter(value, HUGE_VAL);
    long double decimal = strtold(text, NULL);
    long double middles[2] = {((long double)below + (long double)value) / 2,
                              ((long double)value + (long double)above) / 2};
    for (int i = 0; i < 2; i++) {
        if (decimal == middles[i] && is_exactly(s->digits, s->count, middles[i])) {
            return false;
        }
    }
    return true;
}

static void take_printed(struct shortest *s, double value, int count)
{
    char text[DIGITS_MAX + 16];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    s->count = count;
    s->digits[0] = text[0];
    memcpy(s->digits + 1, text + 2, (size_t)count - 1);
    const char *exponent = text + (count > 1 ? count + 1 : 1) + 1;
    s->exponent = (int)strtol(exponent, NULL, 10);
}

/* One up or down in the last digit. */
static void step(struct shortest *s, int by)
{
    int i = s->count - 1;
    char wrap = by > 0 ? '9' : '0';
    while (i >= 0 && s->digits[i] == wrap) {
        s->digits[i] = by > 0 ? '0' : '9';
        i--;
    }
    if (i >= 0) {
        s->digits[i] = (char)(s->digits[i] + by);
    } else if (by > 0) {
        s->digits[0] = '1';
        s->exponent += 1;
    }
}

/* Below a power of two floats lie twice as dense, so there the nearest decimal may fail where the next one reads
 * back. */
static bool find_with(struct shortest *s, double value, int count, bool narrow)
{
    take_printed(s, value, count);
    if (reads_back(s, value, narrow)) {
        return true;
    }
    int exponent;
    if (frexp(value, &exponent) != 0.5) {
        return false;
    }
    struct shortest nearest = *s;
    step(s, 1);
    if (reads_back(s, value, narrow)) {
        return true;
    }
    *s = nearest;
    step(s, -1);
    return s->digits[0] != '0' && reads_back(s, value, narrow);
}

static void find_shortest(double value, bool narrow, struct shortest *s)
{
    if (narrow ? find_plain_narrow(value, s) : find_plain(value, s)) {
        return;
    }
    bool subnormal = value < (narrow ? (double)FLT_MIN : DBL_MIN);
    int most = narrow ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    /* Any decimal of DIG digits that reads back is the nearest of its length: shorter ones are found there, with
     * zeros. */
    for (int count = subnormal ? 1 : narrow ? FLT_DIG : DBL_DIG; count < most; count++) {
        if (find_with(s, value, count, narrow)) {
            strip_zeros(s);
            return;
        }
    }
    take_printed(s, value, most);
    strip_zeros(s);
}

static void print_fixed(const struct shortest *s, struct buffer *out)
{
    if (s->exponent < 0) {
        buffer_append(out, "0.0000", (size_t)(1 - s->exponent));
        buffer_append(out, s->digits, (size_t)s->count);
        return;
    }
    int whole = s->exponent + 1;
    int given = s->count < whole ? s->count : whole;
    buffer_append(out, s->digits, (size_t)given);
    buffer_append(out, "00000000000000000", (size_t)(whole - given));
    if (s->count > whole) {
        buffer_append_byte(out, '.');
        buffer_append(out, s->digits + whole, (size_t)(s->count - whole));
    }
}

void float_print(double value, bool narrow, struct buffer *out)
{
    if (isnan(value)) {
        buffer_append_text(out, "NaN");
        return;
    }
    if (signbit(value)) {
        buffer_append_byte(out, '-');
        value = -value;
    }
    if (isinf(value)) {
        buffer_append_text(out, "Infinity");
        return;
    }
    struct shortest s;
    find_shortest(value, narrow, &s);
    if (s.exponent >= -4 && s.exponent < (narrow ? FLT_DIG : DBL_DIG)) {
        print_fixed(&s, out);
        return;
    }
    buffer_append_byte(out, (uint8_t)s.digits[0]);
    if (s.count > 1) {
        buffer_append_byte(out, '.');
        buffer_append(out, s.digits + 1, (size_t)(s.count - 1));
    }
    buffer_printf(out, "e%c%02d", s.exponent < 0 ? '-' : '+', abs(s.exponent));
}
