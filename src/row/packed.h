/* Values as msgpack, the form of rows in the log and in tables: positional, typed by the schema, read without copying.
 *
 *   NULL nil | bool true/false | int2/4/8, date, time, timestamp, timestamptz integer | float8 float64 | float4 float32
 *   text, varchar, bpchar, json, jsonb, other str | bytea, uuid bin | interval ext 2 (16 bytes as in datum.h)
 *   numeric of scale 0 that fits int64: integer; else ext 1: display scale as varint, then the coefficient in
 *   two's complement, big-endian, shortest; NaN, -infinity, infinity: ext 4 of one byte 0, 1, 2
 *   a value the source did not send: ext 3 of one zero byte
 * Source of the format: https://github.com/msgpack/msgpack/blob/master/spec.md; ours is a subset, always in the
 * shortest form. Hand-written because msgpack-c costs five times as much here; the tests compare the two. */
#ifndef ROW_PACKED_H
#define ROW_PACKED_H

#include "row/datum.h"

/* A reading position in msgpack bytes. */
struct packed_reader {
    const uint8_t *next;
    const uint8_t *end;
};
static inline struct packed_reader packed_reader_of(struct bytes data)
{
    return (struct packed_reader){.next = data.data, .end = data.data + data.len};
}

void packed_append_array(struct buffer *out, uint32_t count); /* the header of an array of `count` items */
void packed_append_nil(struct buffer *out);
static inline void packed_append_uint(struct buffer *out, uint64_t value);
static inline void packed_append_int(struct buffer *out, int64_t value);
void packed_append_str(struct buffer *out, struct bytes text);
void packed_append_bin(struct buffer *out, struct bytes data);
void packed_append_datum(struct buffer *out, enum type_kind kind, const struct datum *d);

enum { PACKED_UINT8 = 0xcc, PACKED_INT8 = 0xd0, PACKED_INT_BYTES_MAX = 9 };

/* A tag for eight bits, those for 16, 32 and 64 being the next three, and as many bits of `value`. */
static inline void packed_append_whole(struct buffer *out, uint8_t tag8, int doublings, uint64_t value)
{
    uint8_t *to = buffer_reserve(out, PACKED_INT_BYTES_MAX);
    unsigned bytes = 1u << doublings;
    to[0] = (uint8_t)(tag8 + doublings);
    store_be64(to + 1, value << (64 - 8 * bytes));
    out->len += 1 + bytes;
}

static inline void packed_append_uint(struct buffer *out, uint64_t value)
{
    if (value < 0x80) {
        buffer_append_byte(out, (uint8_t)value);
        return;
    }
    packed_append_whole(out, PACKED_UINT8, (value > UINT8_MAX) + (value > UINT16_MAX) + (value > UINT32_MAX), value);
}

static inline void packed_append_int(struct buffer *out, int64_t value)
{
    if (value >= 0) {
        packed_append_uint(out, (uint64_t)value);
    } else if (value >= -32) {
        buffer_append_byte(out, (uint8_t)value);
    } else {
        packed_append_whole(out, PACKED_INT8, (value < INT8_MIN) + (value < INT16_MIN) + (value < INT32_MIN),
                            (uint64_t)value);
    }
}

/* All readers: STATUS_CORRUPT where the bytes end too early or are of another type; the position is then undefined.
 * What is handed out borrows the bytes read. */
enum status packed_read_array(struct packed_reader *r, uint32_t *count, struct error *err);
enum status packed_read_uint(struct packed_reader *r, uint64_t *out, struct error *err);
enum status packed_read_int(struct packed_reader *r, int64_t *out, struct error *err);
enum status packed_read_str(struct packed_reader *r, struct bytes *out, struct error *err);
enum status packed_read_bin(struct packed_reader *r, struct bytes *out, struct error *err);
/* The packed kind must suit `kind`. A big numeric is unpacked into `a`. */
enum status packed_read_datum(struct packed_reader *r, enum type_kind kind, struct arena *a, struct datum *out,
                              struct error *err);
/* Bytes of a whole value by its tag where that tells them, extensions left out: integers, floats, texts of less than 32
 * bytes, nil, booleans, as nearly all values are. Else 0. */
extern const uint8_t packed_plain_bytes[256];
/* Behind the value at `at`, NULL where packed_plain_bytes does not tell or the bytes end. */
static inline const uint8_t *packed_step(const uint8_t *at, const uint8_t *end)
{
    if (at == end) {
        return NULL;
    }
    size_t bytes = packed_plain_bytes[*at];
    return bytes == 0 || (size_t)(end - at) < bytes ? NULL : at + bytes;
}
/* Steps over one value, arrays with all they hold (nesting at most 8). */
enum status packed_skip(struct packed_reader *r, struct error *err);
bool packed_next_is_nil(const struct packed_reader *r);

#endif
