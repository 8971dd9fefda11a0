#include "base/bytes.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

void buffer_release(struct buffer *b)
{
    mem_free(b->data);
    *b = BUFFER_EMPTY;
}

void buffer_grow(struct buffer *b, size_t capacity)
{
    if (capacity <= b->capacity) {
        return;
    }
    size_t doubled = b->capacity < 64 ? 64 : b->capacity * 2;
    b->capacity = doubled > capacity ? doubled : capacity;
    b->data = mem_realloc(b->data, b->capacity);
}

void buffer_append_text(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void buffer_append_unquoted(struct buffer *b, const char *text)
{
    bool quoted = false;
    for (const char *c = text; *c != '\0' && *c != '\n'; c++) {
        if (*c == '"') {
            buffer_append_text(b, quoted ? "...\"" : "\"");
            quoted = !quoted;
        } else if (!quoted) {
            buffer_append_byte(b, (uint8_t)*c);
        }
    }
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *to = buffer_reserve(b, (size_t)bytes + 1);
    vsnprintf((char *)to, (size_t)bytes + 1, format, again);
    va_end(again);
    b->len += (size_t)bytes;
}

size_t varint_encode(uint8_t *out, uint64_t value)
{
    size_t len = 0;
    while (value >= 0x80) {
        out[len] = (uint8_t)(value | 0x80);
        len += 1;
        value >>= 7;
    }
    out[len] = (uint8_t)value;
    return len + 1;
}

size_t varint_decode(struct bytes in, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < in.len && i < VARINT_BYTES_MAX; i++) {
        uint64_t part = in.data[i] & 0x7f;
        if (i == VARINT_BYTES_MAX - 1 && part > 1) {
            return 0;
        }
        value |= part << (7 * i);
        if ((in.data[i] & 0x80) == 0) {
            *out = value;
            return i + 1;
        }
    }
    return 0;
}

/* Bytes of the sequence that starts with `lead` and the range of its second byte, RFC 3629 section 4. */
static size_t utf8_sequence(uint8_t lead, uint8_t *second_min, uint8_t *second_max)
{
    *second_min = 0x80;
    *second_max = 0xbf;
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *second_min = lead == 0xe0 ? 0xa0 : 0x80;
        *second_max = lead == 0xed ? 0x9f : 0xbf;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *second_min = lead == 0xf0 ? 0x90 : 0x80;
        *second_max = lead == 0xf4 ? 0x8f : 0xbf;
        return 4;
    }
    return 0;
}

bool bytes_is_utf8(struct bytes text)
{
    size_t i = 0;
    while (i < text.len) {
        uint64_t eight;
        if (text.len - i >= sizeof eight) {
            memcpy(&eight, text.data + i, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        uint8_t low;
        uint8_t high;
        size_t len = utf8_sequence(text.data[i], &low, &high);
        if (len == 0 || len > text.len - i) {
            return false;
        }
        if (len > 1 && (text.data[i + 1] < low || text.data[i + 1] > high)) {
            return false;
        }
        for (size_t k = 2; k < len; k++) {
            if ((text.data[i + k] & 0xc0) != 0x80) {
                return false;
            }
        }
        i += len;
    }
    return true;
}

void bytes_put_digits(char out[static BYTES_DIGITS_MAX + 1], uint64_t value)
{
    char digits[BYTES_DIGITS_MAX];
    size_t at = sizeof digits;
    do {
        at -= 1;
        digits[at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, digits + at, sizeof digits - at);
    out[sizeof digits - at] = '\0';
}
