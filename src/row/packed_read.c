/* Reading the msgpack subset of packed.h. Every length is checked before it is used; text and bytes are borrowed. */
#include "row/packed.h"

#include "row/datetime.h"
#include "row/decimal.h"
#include "row/decimal_digits.h"
#include "row/packed_tags.h"

enum { DEPTH_MAX = 8 };

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

const uint8_t packed_plain_bytes[256] = {
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* maps */
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* arrays */
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, /* short texts */
    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, /* short texts */
    1,  0,  1,  1,  0,  0,  0,  0,  0,  0,  5,  9,  2,  3,  5,  9,  /* nil, -, false, true, bin, ext, floats, uints */
    2,  3,  5,  9,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* ints, fixexts, str, array, map */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  /* whole numbers */
};

static inline bool is_int_tag(uint8_t tag)
{
    return tag < 0x80 || tag >= 0xe0 || (tag >= TAG_UINT8 && tag <= TAG_INT64);
}

/* The value of an integer's tag and `body`, the eight bytes after it, of which `bytes` - 1 count. */
static inline int64_t int_of(uint8_t tag, uint64_t body, unsigned bytes)
{
    if (bytes == 1) {
        return (int8_t)tag;
    }
    unsigned shift = 64 - 8 * (bytes - 1);
    return tag < TAG_INT8 ? (int64_t)(body >> shift) : (int64_t)body >> shift;
}

/* `*above`: an unsigned one past int64. */
static enum status read_any_int(struct packed_reader *r, int64_t *out, bool *above, struct error *err)
{
    size_t left = left_in(r);
    if (left < 1) {
        return cut_off(err);
    }
    uint8_t tag = r->next[0];
    if (!is_int_tag(tag)) {
        return wrong("an integer", tag, err);
    }
    unsigned bytes = packed_plain_bytes[tag];
    if (left < bytes) {
        return cut_off(err);
    }
    uint64_t body = 0;
    if (left >= 9) {
        body = load_be64(r->next + 1);
    } else {
        uint8_t room[8] = {0};
        memcpy(room, r->next + 1, bytes - 1);
        body = load_be64(room);
    }
    *out = int_of(tag, body, bytes);
    *above = tag == TAG_UINT64 && *out < 0;
    r->next += bytes;
    return STATUS_OK;
}

enum status packed_read_int(struct packed_reader *r, int64_t *out, struct error *err)
{
    bool above;
    TRY(read_any_int(r, out, &above, err));
    return above ? error_set(err, STATUS_CORRUPT, 0, "a packed integer is past 64 bits") : STATUS_OK;
}

enum status packed_read_uint(struct packed_reader *r, uint64_t *out, struct error *err)
{
    int64_t value;
    bool above;
    TRY(read_any_int(r, &value, &above, err));
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

static enum status read_decimal_body(struct bytes body, struct arena *a, struct datum *out, struct error *err)
{
    uint64_t scale;
    size_t used = varint_decode(body, &scale);
    if (used == 0 || used == body.len || scale > DECIMAL_SCALE_MAX) {
        return error_set(err, STATUS_CORRUPT, 0, "a packed numeric is broken");
    }
    struct bytes coefficient = bytes_of(body.data + used, body.len - used);
    if (coefficient.len > 8) {
        *out = decimal_from_coefficient(a, coefficient, (int32_t)scale);
        return STATUS_OK;
    }
    uint64_t value = (coefficient.data[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < coefficient.len; i++) {
        value = value << 8 | coefficient.data[i];
    }
    *out = (struct datum){.v.i = (int64_t)value, .len = (uint32_t)scale};
    return STATUS_OK;
}

static enum status read_ext_datum(struct packed_reader *r, enum type_kind kind, struct arena *a, struct datum *out,
                                  struct error *err)
{
    uint8_t tag = r->next[0];
    uint8_t type;
    struct bytes body;
    TRY(read_ext(r, &type, &body, err));
    if (type == EXT_MISSING && body.len == 1 && body.data[0] == 0) {
        *out = DATUM_MISSING;
        return STATUS_OK;
    }
    if (kind == TYPE_NUMERIC && type == EXT_DECIMAL) {
        return read_decimal_body(body, a, out, err);
    }
    if (kind == TYPE_NUMERIC && type == EXT_NOT_FINITE && body.len == 1 && body.data[0] <= 2) {
        static const enum decimal_kind kinds[] = {DECIMAL_NAN, DECIMAL_MINUS_INFINITY, DECIMAL_INFINITY};
        *out = decimal_special(kinds[body.data[0]]);
        return STATUS_OK;
    }
    if (kind == TYPE_INTERVAL && type == EXT_INTERVAL && body.len == 16) {
        *out = datum_bytes(body);
        return STATUS_OK;
    }
    return wrong("another extension", tag, err);
}

static enum status read_float(struct packed_reader *r, bool narrow, struct datum *out, struct error *err)
{
    uint8_t tag = r->next[0];
    if (tag != (narrow ? TAG_FLOAT32 : TAG_FLOAT64)) {
        return wrong("a float", tag, err);
    }
    if (left_in(r) < (narrow ? 5 : 9)) {
        return cut_off(err);
    }
    if (narrow) {
        uint32_t bits = load_be32(r->next + 1);
        float value;
        memcpy(&value, &bits, sizeof value);
        out->v.d = (double)value;
    } else {
        uint64_t bits = load_be64(r->next + 1);
        memcpy(&out->v.d, &bits, sizeof bits);
    }
    r->next += narrow ? 5 : 9;
    return STATUS_OK;
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

/* Integer kinds narrower than the form they come in. */
static enum status read_ranged_int(struct packed_reader *r, int64_t min, int64_t max, struct datum *out,
                                   struct error *err)
{
    TRY(packed_read_int(r, &out->v.i, err));
    if (out->v.i < min || out->v.i > max) {
        return error_set(err, STATUS_CORRUPT, 0, "a packed integer is past its type");
    }
    return STATUS_OK;
}

static enum status read_bool(struct packed_reader *r, struct datum *out, struct error *err)
{
    uint8_t tag = r->next[0];
    if (tag != TAG_TRUE && tag != TAG_FALSE) {
        return wrong("a boolean", tag, err);
    }
    out->v.i = tag == TAG_TRUE;
    r->next += 1;
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
        out->null = 1;
        return STATUS_OK;
    }
    if (tag >= TAG_EXT8 && is_ext(tag)) {
        return read_ext_datum(r, kind, a, out, err);
    }
    switch (kind) {
    case TYPE_BOOL:
        return read_bool(r, out, err);
    case TYPE_INT8:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_NUMERIC:
        return packed_read_int(r, &out->v.i, err);
    case TYPE_INT4:
    case TYPE_DATE:
        return read_ranged_int(r, INT32_MIN, INT32_MAX, out, err);
    case TYPE_INT2:
        return read_ranged_int(r, INT16_MIN, INT16_MAX, out, err);
    case TYPE_TIME:
        return read_ranged_int(r, 0, DATETIME_US_PER_DAY, out, err);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return read_float(r, kind == TYPE_FLOAT4, out, err);
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

/* ---- skipping ---- */

static enum status skip_sized(struct packed_reader *r, uint8_t tag, struct error *err)
{
    struct bytes body;
    uint8_t type;
    if (tag >= TAG_STR8 && tag <= TAG_STR32) {
        return packed_read_str(r, &body, err);
    }
    if (tag >= TAG_BIN8 && tag <= TAG_BIN32) {
        return packed_read_bin(r, &body, err);
    }
    return is_ext(tag) ? read_ext(r, &type, &body, err) : wrong("a value", tag, err);
}

static inline enum status skip_scalar(struct packed_reader *r, uint8_t tag, struct error *err)
{
    size_t bytes = packed_plain_bytes[tag];
    if (bytes == 0) {
        return skip_sized(r, tag, err);
    }
    if (left_in(r) < bytes) {
        return cut_off(err);
    }
    r->next += bytes;
    return STATUS_OK;
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
