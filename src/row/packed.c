/* Writing the msgpack subset of packed.h, always in the shortest form. Reading is in packed_read.c. */
#include "row/packed.h"

#include "row/decimal.h"
#include "row/decimal_digits.h"
#include "row/packed_tags.h"

enum { HEAD_BYTES_MAX = 9 };

void packed_append_array(struct buffer *out, uint32_t count)
{
    uint8_t *to = buffer_reserve(out, 5);
    if (count < 16) {
        to[0] = (uint8_t)(0x90 | count);
        out->len += 1;
    } else if (count <= UINT16_MAX) {
        to[0] = TAG_ARRAY16;
        store_be16(to + 1, (uint16_t)count);
        out->len += 3;
    } else {
        to[0] = TAG_ARRAY32;
        store_be32(to + 1, count);
        out->len += 5;
    }
}

void packed_append_nil(struct buffer *out)
{
    buffer_append_byte(out, TAG_NIL);
}

static void append_sized(struct buffer *out, struct bytes data, uint8_t tag8, uint8_t tag16, uint8_t tag32)
{
    uint8_t *to = buffer_reserve(out, HEAD_BYTES_MAX + data.len);
    size_t head;
    if (data.len <= UINT8_MAX) {
        to[0] = tag8;
        to[1] = (uint8_t)data.len;
        head = 2;
    } else if (data.len <= UINT16_MAX) {
        to[0] = tag16;
        store_be16(to + 1, (uint16_t)data.len);
        head = 3;
    } else {
        to[0] = tag32;
        store_be32(to + 1, (uint32_t)data.len);
        head = 5;
    }
    if (data.len > 0) {
        memcpy(to + head, data.data, data.len);
    }
    out->len += head + data.len;
}

void packed_append_str(struct buffer *out, struct bytes text)
{
    if (text.len < 32) {
        uint8_t *to = buffer_reserve(out, 1 + text.len);
        to[0] = (uint8_t)(0xa0 | text.len);
        if (text.len > 0) {
            memcpy(to + 1, text.data, text.len);
        }
        out->len += 1 + text.len;
        return;
    }
    append_sized(out, text, TAG_STR8, TAG_STR16, TAG_STR32);
}

void packed_append_bin(struct buffer *out, struct bytes data)
{
    append_sized(out, data, TAG_BIN8, TAG_BIN16, TAG_BIN32);
}

static void append_ext_head(struct buffer *out, enum packed_ext type, size_t len)
{
    uint8_t *to = buffer_reserve(out, HEAD_BYTES_MAX);
    size_t head = 2;
    switch (len) {
    case 1:
        to[0] = TAG_FIXEXT1;
        break;
    case 2:
        to[0] = TAG_FIXEXT2;
        break;
    case 4:
        to[0] = TAG_FIXEXT4;
        break;
    case 8:
        to[0] = TAG_FIXEXT8;
        break;
    case 16:
        to[0] = TAG_FIXEXT16;
        break;
    default:
        head = len <= UINT8_MAX ? 3 : len <= UINT16_MAX ? 4 : 6;
        if (head == 3) {
            to[0] = TAG_EXT8;
            to[1] = (uint8_t)len;
        } else if (head == 4) {
            to[0] = TAG_EXT16;
            store_be16(to + 1, (uint16_t)len);
        } else {
            to[0] = TAG_EXT32;
            store_be32(to + 1, (uint32_t)len);
        }
        break;
    }
    to[head - 1] = (uint8_t)type;
    out->len += head;
}

static void append_ext(struct buffer *out, enum packed_ext type, struct bytes data)
{
    append_ext_head(out, type, data.len);
    buffer_append(out, data.data, data.len);
}

/* Appends `value` as the shortest big-endian two's complement. */
static size_t put_coefficient(uint8_t *to, int64_t value)
{
    size_t len = 1;
    while (len < 8 && (value >> (8 * len - 1)) != 0 && (value >> (8 * len - 1)) != -1) {
        len++;
    }
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)((uint64_t)value >> (8 * (len - 1 - i)));
    }
    return len;
}

static void append_big_decimal(struct buffer *out, const struct datum *d)
{
    enum decimal_kind kind = decimal_kind(d);
    if (kind != DECIMAL_FINITE) {
        uint8_t code = kind == DECIMAL_NAN ? 0 : kind == DECIMAL_MINUS_INFINITY ? 1 : 2;
        append_ext(out, EXT_NOT_FINITE, bytes_of(&code, 1));
        return;
    }
    uint8_t scale[VARINT_BYTES_MAX];
    size_t scale_bytes = varint_encode(scale, (uint64_t)decimal_scale(d));
    struct bytes coefficient = decimal_big_coefficient(d);
    append_ext_head(out, EXT_DECIMAL, scale_bytes + coefficient.len);
    buffer_append(out, scale, scale_bytes);
    buffer_append(out, coefficient.data, coefficient.len);
}

static void append_decimal(struct buffer *out, const struct datum *d)
{
    if (d->big) {
        append_big_decimal(out, d);
        return;
    }
    if (d->len == 0) {
        packed_append_int(out, d->v.i);
        return;
    }
    uint8_t body[VARINT_BYTES_MAX + 8];
    size_t len = varint_encode(body, d->len);
    len += put_coefficient(body + len, d->v.i);
    append_ext(out, EXT_DECIMAL, bytes_of(body, len));
}

static void append_float(struct buffer *out, enum type_kind kind, double value)
{
    uint8_t *to = buffer_reserve(out, 9);
    if (kind == TYPE_FLOAT4) {
        float narrow = (float)value;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        to[0] = TAG_FLOAT32;
        store_be32(to + 1, bits);
        out->len += 5;
    } else {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        to[0] = TAG_FLOAT64;
        store_be64(to + 1, bits);
        out->len += 9;
    }
}

void packed_append_datum(struct buffer *out, enum type_kind kind, const struct datum *d)
{
    if (d->null) {
        if (d->missing) {
            append_ext(out, EXT_MISSING, bytes_of("\0", 1));
        } else {
            packed_append_nil(out);
        }
        return;
    }
    switch (kind) {
    case TYPE_BOOL:
        buffer_append_byte(out, d->v.i != 0 ? TAG_TRUE : TAG_FALSE);
        return;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        packed_append_int(out, d->v.i);
        return;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        append_float(out, kind, d->v.d);
        return;
    case TYPE_NUMERIC:
        append_decimal(out, d);
        return;
    case TYPE_BYTEA:
        packed_append_bin(out, datum_as_bytes(d));
        return;
    case TYPE_UUID:
        packed_append_bin(out, bytes_of(d->v.p, 16));
        return;
    case TYPE_INTERVAL:
        append_ext(out, EXT_INTERVAL, bytes_of(d->v.p, 16));
        return;
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        packed_append_str(out, datum_as_bytes(d));
        return;
    }
}
