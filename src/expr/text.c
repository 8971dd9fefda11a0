/* Texts cut, joined, measured and cased. Positions count characters from 1. */
#include "expr/function.h"

#include "expr/utf8.h"

#include <string.h>

static struct bytes text_of(const struct datum *d)
{
    return datum_as_bytes(d);
}

static enum status concatenate(const struct datum *x, struct datum *out, const struct eval *e)
{
    size_t len = (size_t)x[0].len + x[1].len;
    if (len > INT32_MAX / 2) {
        return error_set(e->err, STATUS_INVALID, 0, "invalid memory alloc request size %zu", len);
    }
    uint8_t *to = arena_alloc(e->a, len);
    memcpy(to, x[0].v.p, x[0].len);
    memcpy(to + x[0].len, x[1].v.p, x[1].len);
    *out = datum_bytes(bytes_of(to, len));
    return STATUS_OK;
}

static enum status change_case(const struct datum *x, enum utf8_case to, struct datum *out, const struct eval *e)
{
    struct bytes changed;
    TRY(utf8_change_case(text_of(x), to, e, &changed));
    *out = datum_bytes(changed);
    return STATUS_OK;
}

static enum status lower(const struct datum *x, struct datum *out, const struct eval *e)
{
    return change_case(x, UTF8_LOWER, out, e);
}

static enum status upper(const struct datum *x, struct datum *out, const struct eval *e)
{
    return change_case(x, UTF8_UPPER, out, e);
}

static enum status initcap(const struct datum *x, struct datum *out, const struct eval *e)
{
    return change_case(x, UTF8_INITCAP, out, e);
}

static enum status length(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = (int64_t)utf8_count(text_of(x));
    return STATUS_OK;
}

static enum status bpchar_length(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct datum trimmed = x[0];
    while (trimmed.len > 0 && trimmed.v.p[trimmed.len - 1] == ' ') {
        trimmed.len--;
    }
    return length(&trimmed, out, e);
}

static enum status octet_length(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = x[0].len;
    return STATUS_OK;
}

static enum status bit_length(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t bits = (int64_t)x[0].len * 8;
    out->v.i = bits;
    return bits > INT32_MAX ? error_set(e->err, STATUS_INVALID, 0, "integer out of range") : STATUS_OK;
}

/* Positions `from` (from 1, may be before the text) up to before `end`, as offsets. */
static struct bytes cut(struct bytes text, int64_t from, int64_t end, bool characters)
{
    size_t first = from > 1 ? (size_t)(from - 1) : 0;
    if (end <= 1 || end <= from) {
        return bytes_of(text.data, 0);
    }
    size_t count = (size_t)(end - 1) - first;
    if (!characters) {
        first = first < text.len ? first : text.len;
        return bytes_of(text.data + first, count < text.len - first ? count : text.len - first);
    }
    size_t start = utf8_offset(text, first);
    struct bytes rest = bytes_of(text.data + start, text.len - start);
    return bytes_of(rest.data, count >= rest.len ? rest.len : utf8_offset(rest, count));
}

static enum status substring_of(const struct datum *x, bool characters, struct datum *out, const struct eval *e)
{
    int64_t from = x[1].v.i;
    int64_t end = INT64_MAX;
    if (e->arg_count == 3) {
        if (x[2].v.i < 0) {
            return error_set(e->err, STATUS_INVALID, 0, "negative substring length not allowed");
        }
        end = from + x[2].v.i;
    }
    *out = datum_bytes(cut(text_of(&x[0]), from, end, characters));
    return STATUS_OK;
}

static enum status substring(const struct datum *x, struct datum *out, const struct eval *e)
{
    return substring_of(x, true, out, e);
}

static enum status bytea_substring(const struct datum *x, struct datum *out, const struct eval *e)
{
    return substring_of(x, false, out, e);
}

static enum status left(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    int64_t n = x[1].v.i;
    if (n < 0) {
        n += (int64_t)utf8_count(text_of(&x[0]));
    }
    *out = datum_bytes(cut(text_of(&x[0]), 1, n + 1, true));
    return STATUS_OK;
}

static enum status right(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    int64_t n = x[1].v.i;
    int64_t skip = n < 0 ? -n : (int64_t)utf8_count(text_of(&x[0])) - n;
    *out = datum_bytes(cut(text_of(&x[0]), skip < 0 ? 1 : skip + 1, INT64_MAX, true));
    return STATUS_OK;
}

/* Offset of `part` in `text` from `at` on; SIZE_MAX where it is not there. */
static size_t find(struct bytes text, struct bytes part, size_t at)
{
    if (part.len == 0) {
        return at;
    }
    const uint8_t *found = memmem(text.data + at, text.len - at, part.data, part.len);
    return found == NULL ? SIZE_MAX : (size_t)(found - text.data);
}

static enum status position(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    size_t at = find(text_of(&x[0]), text_of(&x[1]), 0);
    out->v.i = at == SIZE_MAX ? 0 : (int64_t)utf8_count(bytes_of(x[0].v.p, at)) + 1;
    return STATUS_OK;
}

static enum status starts_with(const struct datum *x, struct datum *out, const struct eval *e)
{
    (void)e;
    out->v.i = x[0].len >= x[1].len && memcmp(x[0].v.p, x[1].v.p, x[1].len) == 0;
    return STATUS_OK;
}

static struct datum join_three(const struct eval *e, struct bytes p, struct bytes q, struct bytes r)
{
    uint8_t *to = arena_alloc(e->a, p.len + q.len + r.len);
    memcpy(to, p.data, p.len);
    memcpy(to + p.len, q.data, q.len);
    memcpy(to + p.len + q.len, r.data, r.len);
    return datum_bytes(bytes_of(to, p.len + q.len + r.len));
}

static enum status overlay(const struct datum *x, struct datum *out, const struct eval *e)
{
    int64_t from = x[2].v.i;
    int64_t count = e->arg_count == 4 ? x[3].v.i : (int64_t)utf8_count(text_of(&x[1]));
    if (from <= 0) {
        return error_set(e->err, STATUS_INVALID, 0, "negative substring length not allowed");
    }
    if (from + count > INT32_MAX || from + count < INT32_MIN) {
        return error_set(e->err, STATUS_INVALID, 0, "integer out of range");
    }
    *out = join_three(e, cut(text_of(&x[0]), 1, from, true), text_of(&x[1]),
                      cut(text_of(&x[0]), from + count, INT64_MAX, true));
    return STATUS_OK;
}

static enum status reverse(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct bytes text = text_of(x);
    uint8_t *to = arena_alloc(e->a, text.len);
    size_t end = text.len;
    for (size_t i = 0; i < text.len;) {
        size_t step = utf8_step(text, i);
        end -= step;
        memcpy(to + end, text.data + i, step);
        i += step;
    }
    *out = datum_bytes(bytes_of(to, text.len));
    return STATUS_OK;
}

static enum status replace(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct bytes text = text_of(&x[0]);
    struct bytes from = text_of(&x[1]);
    size_t found = from.len == 0 ? SIZE_MAX : find(text, from, 0);
    if (found == SIZE_MAX) {
        *out = x[0];
        return STATUS_OK;
    }
    buffer_reset(e->scratch);
    size_t at = 0;
    for (; found != SIZE_MAX; found = find(text, from, at)) {
        buffer_append(e->scratch, text.data + at, found - at);
        buffer_append(e->scratch, x[2].v.p, x[2].len);
        at = found + from.len;
    }
    buffer_append(e->scratch, text.data + at, text.len - at);
    *out = eval_take_scratch(e);
    return STATUS_OK;
}

static size_t count_fields(struct bytes text, struct bytes separator)
{
    size_t count = 1;
    for (size_t at = find(text, separator, 0); at != SIZE_MAX; at = find(text, separator, at + separator.len)) {
        count++;
    }
    return count;
}

static enum status split_part(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct bytes text = text_of(&x[0]);
    struct bytes separator = text_of(&x[1]);
    int64_t n = x[2].v.i;
    if (n == 0) {
        return error_set(e->err, STATUS_INVALID, 0, "field position must not be zero");
    }
    *out = datum_bytes(bytes_of(text.data, 0));
    if (text.len == 0) {
        return STATUS_OK;
    }
    if (separator.len == 0) {
        *out = n == 1 || n == -1 ? x[0] : *out;
        return STATUS_OK;
    }
    if (n < 0) {
        n += (int64_t)count_fields(text, separator) + 1;
    }
    size_t at = 0;
    for (; n > 1; n--) {
        size_t found = find(text, separator, at);
        if (found == SIZE_MAX) {
            return STATUS_OK;
        }
        at = found + separator.len;
    }
    if (n == 1) {
        size_t end = find(text, separator, at);
        *out = datum_bytes(bytes_of(text.data + at, (end == SIZE_MAX ? text.len : end) - at));
    }
    return STATUS_OK;
}

#define TEXT TYPE_TEXT
#define INT4 TYPE_INT4
#define FAIL FUNCTION_FAIL

static const struct function rows[] = {
    INFIX("||", concatenate, TEXT, TEXT, TEXT, FAIL),
    INFIX("||", concatenate, TYPE_BYTEA, TYPE_BYTEA, TYPE_BYTEA, FAIL),
    INFIX("||", concatenate, TEXT, TYPE_ANY, TEXT, FAIL),
    INFIX("||", concatenate, TYPE_ANY, TEXT, TEXT, FAIL),
    CALL1("lower", lower, TEXT, TEXT, 0),
    CALL1("upper", upper, TEXT, TEXT, 0),
    CALL1("initcap", initcap, TEXT, TEXT, 0),
    CALL1("length", length, TEXT, INT4, 0),
    CALL1("length", bpchar_length, TYPE_BPCHAR, INT4, 0),
    CALL1("length", octet_length, TYPE_BYTEA, INT4, 0),
    CALL1("char_length", length, TEXT, INT4, 0),
    CALL1("char_length", bpchar_length, TYPE_BPCHAR, INT4, 0),
    CALL1("character_length", length, TEXT, INT4, 0),
    CALL1("character_length", bpchar_length, TYPE_BPCHAR, INT4, 0),
    CALL1("octet_length", octet_length, TEXT, INT4, 0),
    CALL1("octet_length", octet_length, TYPE_BPCHAR, INT4, 0),
    CALL1("octet_length", octet_length, TYPE_BYTEA, INT4, 0),
    CALL1("bit_length", bit_length, TEXT, INT4, FAIL),
    CALL1("bit_length", bit_length, TYPE_BYTEA, INT4, FAIL),
    CALL2("substring", substring, TEXT, INT4, TEXT, FAIL),
    CALL3("substring", substring, TEXT, INT4, INT4, TEXT, FAIL),
    CALL2("substr", substring, TEXT, INT4, TEXT, FAIL),
    CALL3("substr", substring, TEXT, INT4, INT4, TEXT, FAIL),
    CALL2("substring", bytea_substring, TYPE_BYTEA, INT4, TYPE_BYTEA, FAIL),
    CALL3("substring", bytea_substring, TYPE_BYTEA, INT4, INT4, TYPE_BYTEA, FAIL),
    CALL2("substr", bytea_substring, TYPE_BYTEA, INT4, TYPE_BYTEA, FAIL),
    CALL3("substr", bytea_substring, TYPE_BYTEA, INT4, INT4, TYPE_BYTEA, FAIL),
    CALL2("substring", NULL, TEXT, TEXT, TEXT, 0),
    CALL3("substring", NULL, TEXT, TEXT, TEXT, TEXT, 0),
    CALL2("left", left, TEXT, INT4, TEXT, 0),
    CALL2("right", right, TEXT, INT4, TEXT, 0),
    CALL2("position", position, TEXT, TEXT, INT4, 0),
    CALL2("position", NULL, TYPE_BYTEA, TYPE_BYTEA, INT4, 0),
    CALL2("strpos", position, TEXT, TEXT, INT4, 0),
    CALL2("starts_with", starts_with, TEXT, TEXT, TYPE_BOOL, 0),
    INFIX("^@", starts_with, TEXT, TEXT, TYPE_BOOL, 0),
    CALL3("overlay", overlay, TEXT, TEXT, INT4, TEXT, FAIL),
    ROW(FUNCTION_CALL, "overlay", overlay, TEXT, FAIL, 4, TEXT, TEXT, INT4, INT4),
    CALL3("overlay", NULL, TYPE_BYTEA, TYPE_BYTEA, INT4, TYPE_BYTEA, 0),
    ROW(FUNCTION_CALL, "overlay", NULL, TYPE_BYTEA, 0, 4, TYPE_BYTEA, TYPE_BYTEA, INT4, INT4),
    CALL1("reverse", reverse, TEXT, TEXT, 0),
    CALL3("replace", replace, TEXT, TEXT, TEXT, TEXT, 0),
    CALL3("split_part", split_part, TEXT, TEXT, INT4, TEXT, FAIL),
};
FUNCTION_FAMILY(function_family_text, rows);
