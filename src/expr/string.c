/* Texts trimmed, padded, repeated, translated, built from any values, and turned into codes and digests. */
#include "expr/function.h"

#include "expr/md5.h"
#include "expr/utf8.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 0x3fffffff - 4 }; /* PostgreSQL's MaxAllocSize without its header */

static enum status too_large(const struct eval *e)
{
    return error_set(e->err, STATUS_INVALID, 0, "requested length too large");
}

static bool has_character(struct bytes set, struct bytes character)
{
    for (size_t i = 0; i < set.len; i += utf8_step(set, i)) {
        if (utf8_step(set, i) == character.len && memcmp(set.data + i, character.data, character.len) == 0) {
            return true;
        }
    }
    return false;
}

static struct bytes character_at(struct bytes text, size_t at)
{
    return bytes_of(text.data + at, utf8_step(text, at));
}

static size_t last_character(struct bytes text)
{
    size_t at = text.len - 1;
    while (at > 0 && (text.data[at] & 0xc0) == 0x80) {
        at--;
    }
    return at;
}

static enum status trim(const struct datum *x, bool front, bool back, struct datum *out, const struct eval *e)
{
    struct bytes set = e->arg_count == 2 ? datum_as_bytes(&x[1]) : bytes_of(" ", 1);
    struct bytes text = datum_as_bytes(&x[0]);
    while (front && text.len > 0 && has_character(set, character_at(text, 0))) {
        size_t step = utf8_step(text, 0);
        text = bytes_of(text.data + step, text.len - step);
    }
    while (back && text.len > 0) {
        size_t at = last_character(text);
        if (!has_character(set, bytes_of(text.data + at, text.len - at))) {
            break;
        }
        text.len = at;
    }
    *out = datum_bytes(text);
    return STATUS_OK;
}

static enum status btrim(const struct datum *x, struct datum *out, const struct eval *e)
{
    return trim(x, true, true, out, e);
}

static enum status ltrim(const struct datum *x, struct datum *out, const struct eval *e)
{
    return trim(x, true, false, out, e);
}

static enum status rtrim(const struct datum *x, struct datum *out, const struct eval *e)
{
    return trim(x, false, true, out, e);
}

/* `count` characters of `fill`, over and over. */
static void append_fill(struct buffer *to, struct bytes fill, size_t count)
{
    size_t at = 0;
    for (; count > 0; count--) {
        size_t step = utf8_step(fill, at);
        buffer_append(to, fill.data + at, step);
        at = at + step < fill.len ? at + step : 0;
    }
}

static enum status pad(const struct datum *x, bool front, struct datum *out, const struct eval *e)
{
    struct bytes text = datum_as_bytes(&x[0]);
    struct bytes fill = e->arg_count == 3 ? datum_as_bytes(&x[2]) : bytes_of(" ", 1);
    size_t wanted = x[1].v.i > 0 ? (size_t)x[1].v.i : 0;
    size_t have = utf8_count(text);
    if (wanted > TEXT_BYTES_MAX / 4) {
        return too_large(e);
    }
    if (have > wanted) {
        *out = datum_bytes(bytes_of(text.data, utf8_offset(text, wanted)));
        return STATUS_OK;
    }
    if (fill.len == 0) {
        *out = x[0];
        return STATUS_OK;
    }
    buffer_reset(e->scratch);
    if (front) {
        append_fill(e->scratch, fill, wanted - have);
    }
    buffer_append(e->scratch, text.data, text.len);
    if (!front) {
        append_fill(e->scratch, fill, wanted - have);
    }
    *out = eval_take_scratch(e);
    return STATUS_OK;
}

static enum status lpad(const struct datum *x, struct datum *out, const struct eval *e)
{
    return pad(x, true, out, e);
}

static enum status rpad(const struct datum *x, struct datum *out, const struct eval *e)
{
    return pad(x, false, out, e);
}

static enum status repeat(const struct datum *x, struct datum *out, const struct eval *e)
{
    size_t count = x[1].v.i > 0 ? (size_t)x[1].v.i : 0;
    size_t len = count * x[0].len;
    if (len > TEXT_BYTES_MAX) {
        return too_large(e);
    }
    uint8_t *to = arena_alloc(e->a, len);
    for (size_t at = 0; at < len; at += x[0].len) {
        memcpy(to + at, x[0].v.p, x[0].len);
    }
    *out = datum_bytes(bytes_of(to, len));
    return STATUS_OK;
}

/* Each character of `from` becomes the one at its place in `to`, or nothing where `to` is shorter. */
static enum status translate(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct bytes text = datum_as_bytes(&x[0]);
    struct bytes from = datum_as_bytes(&x[1]);
    struct bytes to = datum_as_bytes(&x[2]);
    buffer_reset(e->scratch);
    for (size_t i = 0; i < text.len; i += utf8_step(text, i)) {
        struct bytes c = character_at(text, i);
        size_t place = 0;
        size_t at = 0;
        while (at < from.len && !bytes_equal(character_at(from, at), c)) {
            at += utf8_step(from, at);
            place++;
        }
        if (at >= from.len) {
            buffer_append(e->scratch, c.data, c.len);
            continue;
        }
        size_t target = utf8_offset(to, place);
        if (target < to.len) {
            buffer_append(e->scratch, to.data + target, utf8_step(to, target));
        }
    }
    *out = eval_take_scratch(e);
    return STATUS_OK;
}

static void append_value(const struct datum *d, const struct type *type, struct buffer *to)
{
    if (type->kind == TYPE_UNKNOWN || type->kind == TYPE_TEXT || type->kind == TYPE_VARCHAR) {
        buffer_append(to, d->v.p, d->len);
    } else {
        datum_print(type, d, to);
    }
}

static enum status concat(const struct datum *x, struct datum *out, const struct eval *e)
{
    buffer_reset(e->scratch);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (!x[i].null) {
            append_value(&x[i], &e->arg_types[i], e->scratch);
        }
    }
    *out = eval_take_scratch(e);
    return STATUS_OK;
}

static enum status concat_ws(const struct datum *x, struct datum *out, const struct eval *e)
{
    if (x[0].null) {
        *out = DATUM_NULL;
        return STATUS_OK;
    }
    buffer_reset(e->scratch);
    bool first = true;
    for (uint32_t i = 1; i < e->arg_count; i++) {
        if (x[i].null) {
            continue;
        }
        if (!first) {
            buffer_append(e->scratch, x[0].v.p, x[0].len);
        }
        first = false;
        append_value(&x[i], &e->arg_types[i], e->scratch);
    }
    *out = eval_take_scratch(e);
    return STATUS_OK;
}

static enum status ascii(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    size_t step;
    out->v.i = x[0].len == 0 ? 0 : utf8_decode(datum_as_bytes(x), 0, &step);
    return STATUS_OK;
}

static enum status chr(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t code = x[0].v.i;
    if (code < 0) {
        return error_set(e->err, STATUS_INVALID, 0, "character number must be positive");
    }
    if (code == 0) {
        return error_set(e->err, STATUS_INVALID, 0, "null character not permitted");
    }
    if (code > 0x10ffff) {
        return error_set(e->err, STATUS_INVALID, 0, "requested character too large for encoding: %u", (unsigned)code);
    }
    if (code >= 0xd800 && code <= 0xdfff) {
        return error_set(e->err, STATUS_INVALID, 0, "requested character not valid for encoding: %u", (unsigned)code);
    }
    uint8_t *to = arena_alloc(e->a, 4);
    *out = datum_bytes(bytes_of(to, utf8_encode((uint32_t)code, to)));
    return STATUS_OK;
}

static struct datum hexadecimal(struct bytes data, const struct eval *e)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = arena_alloc(e->a, data.len * 2);
    for (size_t i = 0; i < data.len; i++) {
        to[2 * i] = (uint8_t)digits[data.data[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[data.data[i] & 15];
    }
    return datum_bytes(bytes_of(to, data.len * 2));
}

static enum status md5(const struct datum *x, struct datum *out, const struct eval *e)
{
    uint8_t digest[MD5_BYTES];
    md5_digest(datum_as_bytes(x), digest);
    *out = hexadecimal(bytes_of(digest, sizeof digest), e);
    return STATUS_OK;
}

static enum status to_hex(const struct datum *x, struct datum *out, const struct eval *e)
{
    uint64_t value = e->arg_types[0].kind == TYPE_INT4 ? (uint32_t)x[0].v.i : (uint64_t)x[0].v.i;
    char text[24];
    int len = snprintf(text, sizeof text, "%llx", (unsigned long long)value);
    *out = datum_bytes(bytes_of(arena_dup(e->a, text, (size_t)len), (size_t)len));
    return STATUS_OK;
}

#define TEXT TYPE_TEXT
#define INT4 TYPE_INT4

static const struct function rows[] = {
    CALL1("btrim", btrim, TEXT, TEXT, 0),
    CALL2("btrim", btrim, TEXT, TEXT, TEXT, 0),
    CALL2("btrim", NULL, TYPE_BYTEA, TYPE_BYTEA, TYPE_BYTEA, 0),
    CALL1("ltrim", ltrim, TEXT, TEXT, 0),
    CALL2("ltrim", ltrim, TEXT, TEXT, TEXT, 0),
    CALL2("ltrim", NULL, TYPE_BYTEA, TYPE_BYTEA, TYPE_BYTEA, 0),
    CALL1("rtrim", rtrim, TEXT, TEXT, 0),
    CALL2("rtrim", rtrim, TEXT, TEXT, TEXT, 0),
    CALL2("rtrim", NULL, TYPE_BYTEA, TYPE_BYTEA, TYPE_BYTEA, 0),
    CALL2("lpad", lpad, TEXT, INT4, TEXT, FUNCTION_FAIL),
    CALL3("lpad", lpad, TEXT, INT4, TEXT, TEXT, FUNCTION_FAIL),
    CALL2("rpad", rpad, TEXT, INT4, TEXT, FUNCTION_FAIL),
    CALL3("rpad", rpad, TEXT, INT4, TEXT, TEXT, FUNCTION_FAIL),
    CALL2("repeat", repeat, TEXT, INT4, TEXT, FUNCTION_FAIL),
    CALL3("translate", translate, TEXT, TEXT, TEXT, TEXT, 0),
    ROW(FUNCTION_CALL, "concat", concat, TEXT, FUNCTION_NULLS | FUNCTION_VARIADIC, 1, TYPE_ANY),
    ROW(FUNCTION_CALL, "concat_ws", concat_ws, TEXT, FUNCTION_NULLS | FUNCTION_VARIADIC, 2, TEXT, TYPE_ANY),
    CALL1("ascii", ascii, TEXT, INT4, 0),
    CALL1("chr", chr, INT4, TEXT, FUNCTION_FAIL),
    CALL1("md5", md5, TEXT, TEXT, 0),
    CALL1("md5", md5, TYPE_BYTEA, TEXT, 0),
    CALL1("to_hex", to_hex, INT4, TEXT, 0),
    CALL1("to_hex", to_hex, TYPE_INT8, TEXT, 0),
};
FUNCTION_FAMILY(function_family_string, rows);
