/* Character steps and case mapping; the tables are the C library's. */
#include "expr/utf8.h"

#include <wctype.h>

size_t utf8_count(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += (text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

size_t utf8_offset(struct bytes text, size_t n)
{
    size_t at = 0;
    while (n > 0 && at < text.len) {
        at += utf8_step(text, at);
        n--;
    }
    return at;
}

uint32_t utf8_decode(struct bytes text, size_t at, size_t *step)
{
    size_t len = utf8_step(text, at);
    const uint8_t *p = text.data + at;
    *step = len;
    switch (len) {
    case 2:
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    case 3:
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    case 4:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
               (p[3] & 0x3f);
    default:
        return p[0];
    }
}

size_t utf8_encode(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

static bool is_ascii(struct bytes text)
{
    uint8_t all = 0;
    for (size_t i = 0; i < text.len; i++) {
        all |= text.data[i];
    }
    return all < 0x80;
}

static bool is_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

static void change_ascii(struct bytes text, enum utf8_case to, uint8_t *out)
{
    bool in_word = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool upper = to == UTF8_UPPER || (to == UTF8_INITCAP && !in_word);
        if (is_letter(c)) {
            out[i] = upper ? (uint8_t)(c & ~0x20) : (uint8_t)(c | 0x20);
            in_word = true;
        } else {
            out[i] = c;
            in_word = c >= '0' && c <= '9';
        }
    }
}

static size_t change_wide(struct bytes text, enum utf8_case to, locale_t locale, uint8_t *out)
{
    bool in_word = false;
    size_t len = 0;
    size_t step;
    for (size_t i = 0; i < text.len; i += step) {
        wint_t c = (wint_t)utf8_decode(text, i, &step);
        bool upper = to == UTF8_UPPER || (to == UTF8_INITCAP && !in_word);
        wint_t changed = upper ? towupper_l(c, locale) : towlower_l(c, locale);
        in_word = to == UTF8_INITCAP && iswalnum_l(changed, locale) != 0;
        len += utf8_encode((uint32_t)changed, out + len);
    }
    return len;
}

enum status utf8_change_case(struct bytes text, enum utf8_case to, const struct eval *e, struct bytes *out)
{
    if (is_ascii(text)) {
        uint8_t *changed = arena_alloc(e->a, text.len);
        change_ascii(text, to, changed);
        *out = bytes_of(changed, text.len);
        return STATUS_OK;
    }
    locale_t locale;
    TRY(eval_locale(e, &locale));
    uint8_t *changed = arena_alloc(e->a, text.len * 4);
    *out = bytes_of(changed, change_wide(text, to, locale, changed));
    return STATUS_OK;
}
