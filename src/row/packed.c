/* The msgpack subset of packed.h. Tags are those of the msgpack specification. */
#include "row/packed.h"

#include "base/int128.h"
#include "row/decimal.h"

#include <string.h>

enum tag {
    TAG_NIL = 0xc0,
    TAG_FALSE = 0xc2,
    TAG_TRUE = 0xc3,
    TAG_BIN8 = 0xc4,
    TAG_BIN16 = 0xc5,
    TAG_BIN32 = 0xc6,
    TAG_EXT8 = 0xc7,
    TAG_EXT16 = 0xc8,
    TAG_EXT32 = 0xc9,
    TAG_FLOAT32 = 0xca,
    TAG_FLOAT64 = 0xcb,
    TAG_UINT8 = 0xcc,
    TAG_UINT16 = 0xcd,
    TAG_UINT32 = 0xce,
    TAG_UINT64 = 0xcf,
    TAG_INT8 = 0xd0,
    TAG_INT16 = 0xd1,
    TAG_INT32 = 0xd2,
    TAG_INT64 = 0xd3,
    TAG_FIXEXT1 = 0xd4,
    TAG_FIXEXT2 = 0xd5,
    TAG_FIXEXT4 = 0xd6,
    TAG_FIXEXT8 = 0xd7,
    TAG_FIXEXT16 = 0xd8,
    TAG_STR8 = 0xd9,
    TAG_STR16 = 0xda,
    TAG_STR32 = 0xdb,
    TAG_ARRAY16 = 0xdc,
    TAG_ARRAY32 = 0xdd,
};

enum ext_type { EXT_DECIMAL = 1, EXT_INTERVAL = 2, EXT_MISSING = 3, EXT_NOT_FINITE = 4 };
enum { DEPTH_MAX = 8, HEAD_BYTES_MAX = 9 };

/* ---- writing ---- */

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

void packed_append_uint(struct buffer *out, uint64_t value)
{
    uint8_t *to = buffer_reserve(out, HEAD_BYTES_MAX);
    if (value < 0x80) {
        to[0] = (uint8_t)value;
        out->len += 1;
    } else if (value <= UINT8_MAX) {
        to[0] = TAG_UINT8;
        to[1] = (uint8_t)value;
        out->len += 2;
    } else if (value <= UINT16_MAX) {
        to[0] = TAG_UINT16;
        store_be16(to + 1, (uint16_t)value);
        out->len += 3;
    } else if (value <= UINT32_MAX) {
        to[0] = TAG_UINT32;
        store_be32(to + 1, (uint32_t)value);
        out->len += 5;
    } else {
        to[0] = TAG_UINT64;
        store_be64(to + 1, value);
        out->len += 9;
    }
}

void packed_append_int(struct buffer *out, int64_t value)
{
    if (value >= 0) {
        packed_append_uint(out, (uint64_t)value);
        return;
    }
    uint8_t *to = buffer_reserve(out, HEAD_BYTES_MAX);
    if (value >= -32) {
        to[0] = (uint8_t)value;
        out->len += 1;
    } else if (value >= INT8_MIN) {
        to[0] = TAG_INT8;
        to[1] = (uint8_t)value;
        out->len += 2;
    } else if (value >= INT16_MIN) {
        to[0] = TAG_INT16;
        store_be16(to + 1, (uint16_t)value);
        out->len += 3;
    } else if (value >= INT32_MIN) {
        to[0] = TAG_INT32;
        store_be32(to + 1, (uint32_t)value);
        out->len += 5;
    } else {
        to[0] = TAG_INT64;
        store_be64(to + 1, (uint64_t)value);
        out->len += 9;
    }
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

static void append_ext(struct buffer *out, enum ext_type type, struct bytes data)
{
    uint8_t *to = buffer_reserve(out, 6 + data.len);
    size_t head = 2;
    switch (data.len) {
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
        head = data.len <= UINT8_MAX ? 3 : data.len <= UINT16_MAX ? 4 : 6;
        to[0] = head == 3 ? TAG_EXT8 : head == 4 ? TAG_EXT16 : TAG_EXT32;
        if (head == 3) {
            to[1] = (uint8_t)data.len;
        } else if (head == 4) {
            store_be16(to + 1, (uint16_t)data.len);
        } else {
            store_be32(to + 1, (uint32_t)data.len);
        }
        break;
    }
    to[head - 1] = (uint8_t)type;
    memcpy(to + head, data.data, data.len);
    out->len += head + data.len;
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
    struct buffer little = BUFFER_EMPTY;
    struct buffer body = BUFFER_EMPTY;
    decimal_coefficient(d, &little);
    uint8_t *to = buffer_reserve(&body, VARINT_BYTES_MAX + little.len);
    body.len = varint_encode(to, (uint64_t)decimal_scale(d));
    size_t len = little.len;
    while (len > 1 && ((little.data[len - 1] == 0x00 && little.data[len - 2] < 0x80) ||
                       (little.data[len - 1] == 0xff && little.data[len - 2] >= 0x80))) {
        len--;
    }
    while (len > 0) {
        len--;
        body.data[body.len++] = little.data[len];
    }
    append_ext(out, EXT_DECIMAL, buffer_bytes(&body));
    buffer_release(&little);
    buffer_release(&body);
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

/* ---- reading ---- */

static enum status cut_off(struct error *err)
{
    return error_set(err, STATUS_CORRUPT, 0, "a packed value is cut off");
}

static enum status wrong(const char *wanted, uint8_t tag, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, 0, "a packed value has tag 0x%02x where %s is wanted", tag, wanted);
}

static inline size_t left_in(const struct packed_reader *r)
{
    return (size_t)(r->end - r->next);
}

enum status packed_read_array(struct packed_reader *r, uint32_t *count, struct error *err)
{
    if (left_in(r) < 1) {
        return cut_off(err);
    }
    uint8_t tag = r->next[0];
    if ((tag & 0xf0) == 0x90) {
        *count = tag & 0x0f;
        r->next += 1;
        return STATUS_OK;
    }
    size_t head = tag == TAG_ARRAY16 ? 3 : tag == TAG_ARRAY32 ? 5 : 0;
    if (head == 0) {
        return wrong("an array", tag, err);
    }
    if (left_in(r) < head) {
        return cut_off(err);
    }
    *count = head == 3 ? load_be16(r->next + 1) : load_be32(r->next + 1);
    r->next += head;
    return STATUS_OK;
}

/* Integers past the one-byte forms. */
static enum status read_long_int(struct packed_reader *r, int64_t *out, bool *above, struct error *err)
{
    static const uint8_t sizes[] = {2, 3, 5, 9, 2, 3, 5, 9};
    uint8_t tag = r->next[0];
    *above = false;
    if (tag < TAG_UINT8 || tag > TAG_INT64) {
        return wrong("an integer", tag, err);
    }
    size_t size = sizes[tag - TAG_UINT8];
    if (left_in(r) < size) {
        return cut_off(err);
    }
    const uint8_t *p = r->next + 1;
    r->next += size;
    switch (tag) {
    case TAG_UINT8:
        *out = p[0];
        break;
    case TAG_UINT16:
        *out = load_be16(p);
        break;
    case TAG_UINT32:
        *out = load_be32(p);
        break;
    case TAG_UINT64:
        *out = (int64_t)load_be64(p);
        *above = *out < 0;
        break;
    case TAG_INT8:
        *out = (int8_t)p[0];
        break;
    case TAG_INT16:
        *out = (int16_t)load_be16(p);
        break;
    case TAG_INT32:
        *out = (int32_t)load_be32(p);
        break;
    default:
        *out = (int64_t)load_be64(p);
        break;
    }
    return STATUS_OK;
}

enum status packed_read_int(struct packed_reader *r, int64_t *out, struct error *err)
{
    if (left_in(r) < 1) {
        return cut_off(err);
    }
    uint8_t tag = r->next[0];
    if (tag < 0x80 || tag >= 0xe0) {
        *out = (int8_t)tag;
        r->next += 1;
        return STATUS_OK;
    }
    bool above;
    TRY(read_long_int(r, out, &above, err));
    return above ? error_set(err, STATUS_CORRUPT, 0, "a packed integer is past 64 bits") : STATUS_OK;
}

enum status packed_read_uint(struct packed_reader *r, uint64_t *out, struct error *err)
{
    if (left_in(r) < 1) {
        return cut_off(err);
    }
    uint8_t tag = r->next[0];
    if (tag < 0x80) {
        *out = tag;
        r->next += 1;
        return STATUS_OK;
    }
    int64_t value;
    bool above;
    TRY(read_long_int(r, &value, &above, err));
    *out = (uint64_t)value;
    return value < 0 && !above ? error_set(err, STATUS_CORRUPT, 0, "a packed integer is negative") : STATUS_OK;
}

/* A length of 1, 2 or 4 bytes after the tag, then the data. */
static enum status read_sized(struct packed_reader *r, size_t length_bytes, size_t extra, struct bytes *out,
                              struct error *err)
{
    if (left_in(r) < 1 + length_bytes + extra) {
        return cut_off(err);
    }
    size_t len = length_bytes == 1 ? r->next[1] : length_bytes == 2 ? load_be16(r->next + 1) : load_be32(r->next + 1);
    size_t head = 1 + length_bytes + extra;
    if (left_in(r) - head < len) {
        return cut_off(err);
    }
    *out = bytes_of(r->next + head, len);
    r->next += head + len;
    return STATUS_OK;
}

enum status packed_read_str(struct packed_reader *r, struct bytes *out, struct error *err)
{
    if (left_in(r) < 1) {
        return cut_off(err);
    }
    uint8_t tag = r->next[0];
    if ((tag & 0xe0) == 0xa0) {
        size_t len = tag & 0x1f;
        if (left_in(r) < 1 + len) {
            return cut_off(err);
        }
        *out = bytes_of(r->next + 1, len);
        r->next += 1 + len;
        return STATUS_OK;
    }
    if (tag < TAG_STR8 || tag > TAG_STR32) {
        return wrong("a text", tag, err);
    }
    return read_sized(r, (size_t)1 << (tag - TAG_STR8), 0, out, err);
}

enum status packed_read_bin(struct packed_reader *r, struct bytes *out, struct error *err)
{
    if (left_in(r) < 1) {
        return cut_off(err);
    }
    uint8_t tag = r->next[0];
    if (tag < TAG_BIN8 || tag > TAG_BIN32) {
        return wrong("bytes", tag, err);
    }
    return read_sized(r, (size_t)1 << (tag - TAG_BIN8), 0, out, err);
}

static bool is_ext(uint8_t tag)
{
    return (tag >= TAG_FIXEXT1 && tag <= TAG_FIXEXT16) || (tag >= TAG_EXT8 && tag <= TAG_EXT32);
}

static enum status read_ext(struct packed_reader *r, uint8_t *type, struct bytes *out, struct error *err)
{
    uint8_t tag = r->next[0];
    if (tag >= TAG_FIXEXT1) {
        size_t len = (size_t)1 << (tag - TAG_FIXEXT1);
        if (left_in(r) < 2 + len) {
            return cut_off(err);
        }
        *type = r->next[1];
        *out = bytes_of(r->next + 2, len);
        r->next += 2 + len;
        return STATUS_OK;
    }
    TRY(read_sized(r, (size_t)1 << (tag - TAG_EXT8), 1, out, err));
    *type = out->data[-1];
    return STATUS_OK;
}

static int128 load_coefficient(struct bytes big_endian)
{
    int128 value = (int8_t)big_endian.data[0] < 0 ? -1 : 0;
    for (size_t i = 0; i < big_endian.len; i++) {
        value = (int128)(((uint128)value << 8) | big_endian.data[i]);
    }
    return value;
}

static enum status read_decimal_body(struct bytes body, struct arena *a, struct datum *out, struct error *err)
{
    uint64_t scale;
    size_t used = varint_decode(body, &scale);
    if (used == 0 || used == body.len || scale > DECIMAL_SCALE_MAX) {
        return error_set(err, STATUS_CORRUPT, 0, "a packed numeric is broken");
    }
    struct bytes coefficient = bytes_of(body.data + used, body.len - used);
    if (coefficient.len <= 8) {
        *out = (struct datum){.v.i = (int64_t)load_coefficient(coefficient), .len = (uint32_t)scale};
    } else if (coefficient.len <= 16) {
        *out = decimal_from_int128(a, load_coefficient(coefficient), (int32_t)scale);
    } else {
        *out = decimal_from_coefficient(a, coefficient, (int32_t)scale);
    }
    return STATUS_OK;
}

static enum status read_ext_datum(struct packed_reader *r, enum type_kind kind, struct arena *a, struct datum *out,
                                  struct error *err)
{
    uint8_t tag = r->next[0];
    uint8_t type;
    struct bytes body;
    TRY(read_ext(r, &type, &body, err));
    if (type == EXT_MISSING) {
        *out = DATUM_MISSING;
        return STATUS_OK;
    }
    if (kind == TYPE_NUMERIC && type == EXT_DECIMAL) {
        return read_decimal_body(body, a, out, err);
    }
    if (kind == TYPE_NUMERIC && type == EXT_NOT_FINITE && body.len == 1 && body.data[0] <= 2) {
        static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
        const char *word = words[body.data[0]];
        return decimal_parse(bytes_of(word, strlen(word)), a, out, err);
    }
    if (kind == TYPE_INTERVAL && type == EXT_INTERVAL && body.len == 16) {
        *out = datum_bytes(body);
        return STATUS_OK;
    }
    return wrong("another extension", tag, err);
}

static enum status read_float(struct packed_reader *r, struct datum *out, struct error *err)
{
    uint8_t tag = r->next[0];
    if (tag == TAG_FLOAT64 && left_in(r) >= 9) {
        uint64_t bits = load_be64(r->next + 1);
        memcpy(&out->v.d, &bits, sizeof bits);
        r->next += 9;
        return STATUS_OK;
    }
    if (tag == TAG_FLOAT32 && left_in(r) >= 5) {
        uint32_t bits = load_be32(r->next + 1);
        float narrow;
        memcpy(&narrow, &bits, sizeof bits);
        out->v.d = (double)narrow;
        r->next += 5;
        return STATUS_OK;
    }
    return tag == TAG_FLOAT64 || tag == TAG_FLOAT32 ? cut_off(err) : wrong("a float", tag, err);
}

static enum status read_bytes_datum(struct packed_reader *r, enum type_kind kind, struct datum *out, struct error *err)
{
    struct bytes body;
    if (kind == TYPE_BYTEA || kind == TYPE_UUID) {
        TRY(packed_read_bin(r, &body, err));
        if (kind == TYPE_UUID && body.len != 16) {
            return error_set(err, STATUS_CORRUPT, 0, "a packed uuid has %zu bytes", body.len);
        }
    } else {
        TRY(packed_read_str(r, &body, err));
    }
    *out = datum_bytes(body);
    return STATUS_OK;
}

enum status packed_read_datum(struct packed_reader *r, enum type_kind kind, struct arena *a, struct datum *out,
                              struct error *err)
{
    *out = (struct datum){0};
    if (left_in(r) < 1) {
        return cut_off(err);
    }
    uint8_t tag = r->next[0];
    if (tag == TAG_NIL) {
        r->next += 1;
        *out = DATUM_NULL;
        return STATUS_OK;
    }
    if (is_ext(tag)) {
        return read_ext_datum(r, kind, a, out, err);
    }
    switch (kind) {
    case TYPE_BOOL:
        if (tag != TAG_TRUE && tag != TAG_FALSE) {
            return wrong("a boolean", tag, err);
        }
        out->v.i = tag == TAG_TRUE;
        r->next += 1;
        return STATUS_OK;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_NUMERIC:
        return packed_read_int(r, &out->v.i, err);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return read_float(r, out, err);
    case TYPE_INTERVAL:
        return wrong("an interval", tag, err);
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_UUID:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        return read_bytes_datum(r, kind, out, err);
    }
    return wrong("a value", tag, err);
}

static enum status skip_scalar(struct packed_reader *r, uint8_t tag, struct error *err)
{
    struct bytes body;
    uint8_t type;
    int64_t number;
    bool above;
    struct datum value;
    if (tag < 0x80 || tag >= 0xe0 || tag == TAG_NIL || tag == TAG_TRUE || tag == TAG_FALSE) {
        r->next += 1;
        return STATUS_OK;
    }
    if ((tag & 0xe0) == 0xa0 || (tag >= TAG_STR8 && tag <= TAG_STR32)) {
        return packed_read_str(r, &body, err);
    }
    if (tag >= TAG_BIN8 && tag <= TAG_BIN32) {
        return packed_read_bin(r, &body, err);
    }
    if (is_ext(tag)) {
        return read_ext(r, &type, &body, err);
    }
    if (tag == TAG_FLOAT32 || tag == TAG_FLOAT64) {
        return read_float(r, &value, err);
    }
    return read_long_int(r, &number, &above, err);
}

enum status packed_skip(struct packed_reader *r, struct error *err)
{
    uint64_t left[DEPTH_MAX] = {1}; /* values still to skip at each depth */
    int depth = 0;
    while (depth >= 0) {
        if (left[depth] == 0) {
            depth -= 1;
            continue;
        }
        left[depth] -= 1;
        if (left_in(r) < 1) {
            return cut_off(err);
        }
        uint8_t tag = r->next[0];
        if ((tag & 0xf0) != 0x90 && tag != TAG_ARRAY16 && tag != TAG_ARRAY32) {
            TRY(skip_scalar(r, tag, err));
            continue;
        }
        uint32_t count;
        TRY(packed_read_array(r, &count, err));
        if (depth + 1 == DEPTH_MAX) {
            return error_set(err, STATUS_CORRUPT, 0, "packed arrays are nested too deeply");
        }
        depth += 1;
        left[depth] = count;
    }
    return STATUS_OK;
}

bool packed_next_is_nil(const struct packed_reader *r)
{
    return left_in(r) >= 1 && r->next[0] == TAG_NIL;
}
