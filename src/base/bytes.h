/* Borrowed byte ranges, a growable buffer, and integers in bytes. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed range; whoever hands it out says how long it lives. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){.data = data, .len = len};
}

static inline uint16_t load_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t load_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t load_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Keys and short texts, which most are, are compared by two or four loads that may overlap: a call of memcmp costs
 * more.
 */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    if (a.len != b.len) {
        return false;
    }
    if (a.len > 32) {
        return memcmp(a.data, b.data, a.len) == 0;
    }
    if (a.len > 16) {
        size_t last = a.len - 16;
        return ((load_le64(a.data) ^ load_le64(b.data)) | (load_le64(a.data + 8) ^ load_le64(b.data + 8)) |
                (load_le64(a.data + last) ^ load_le64(b.data + last)) |
                (load_le64(a.data + last + 8) ^ load_le64(b.data + last + 8))) == 0;
    }
    if (a.len >= 8) {
        size_t last = a.len - 8;
        return ((load_le64(a.data) ^ load_le64(b.data)) | (load_le64(a.data + last) ^ load_le64(b.data + last))) == 0;
    }
    if (a.len >= 4) {
        size_t last = a.len - 4;
        return ((load_le32(a.data) ^ load_le32(b.data)) | (load_le32(a.data + last) ^ load_le32(b.data + last))) == 0;
    }
    return a.len == 0 ||
           (a.data[0] == b.data[0] && a.data[a.len / 2] == b.data[a.len / 2] && a.data[a.len - 1] == b.data[b.len - 1]);
}

/* Orders as memcmp does, a prefix before what it begins. */
int bytes_compare(struct bytes a, struct bytes b);

/* A growable buffer on the heap. Zero-initialised is valid and empty. */
struct buffer {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

#define BUFFER_EMPTY ((struct buffer){0})

void buffer_release(struct buffer *b);
void buffer_grow(struct buffer *b, size_t capacity);

static inline void buffer_reset(struct buffer *b)
{
    b->len = 0;
}

/* Makes room for `more` bytes past the end and returns where they go; the caller then adds to b->len. */
static inline uint8_t *buffer_reserve(struct buffer *b, size_t more)
{
    if (b->capacity - b->len < more) {
        buffer_grow(b, b->len + more);
    }
    return b->data + b->len;
}

static inline void buffer_append(struct buffer *b, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(buffer_reserve(b, len), data, len);
        b->len += len;
    }
}

static inline void buffer_append_byte(struct buffer *b, uint8_t byte)
{
    *buffer_reserve(b, 1) = byte;
    b->len += 1;
}

void buffer_append_text(struct buffer *b, const char *text);
/* Appends the first line of `text` with what stands between double quotes left out: for words of others that may quote
 * a secret. */
void buffer_append_unquoted(struct buffer *b, const char *text);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct bytes buffer_bytes(const struct buffer *b)
{
    return bytes_of(b->data, b->len);
}

/* Fixed-width integers at any alignment: le = little-endian (our files), be = big-endian (PostgreSQL's wire). */
static inline uint16_t load_be16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}
static inline uint32_t load_be32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}
static inline uint64_t load_be64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}
static inline void store_be16(void *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof v);
}
static inline void store_be32(void *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}
static inline void store_be64(void *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}
static inline void store_le16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void store_le32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void store_le64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "le helpers assume a little-endian machine");

/* LEB128 varints, at most 10 bytes. Signed ones are zigzag coded first. */
enum { VARINT_BYTES_MAX = 10 };
/* Returns the number of bytes written to `out` (VARINT_BYTES_MAX must fit). */
size_t varint_encode(uint8_t *out, uint64_t value);
/* Returns the number of bytes read, 0 if `in` is cut off or the varint is longer than 64 bits. */
size_t varint_decode(struct bytes in, uint64_t *out);

static inline uint64_t zigzag_encode(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t zigzag_decode(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* True if `text` is valid UTF-8 (no surrogates, no overlong forms, up to U+10FFFF). */
bool bytes_is_utf8(struct bytes text);

enum { BYTES_DIGITS_MAX = 20 }; /* of an unsigned 64-bit number */
/* Writes `value` in decimal digits and a zero byte behind them. */
void bytes_put_digits(char out[static BYTES_DIGITS_MAX + 1], uint64_t value);

#endif
