/* A recursive-descent reader of json, bounded in depth, with an optional writer of jsonb's canonical text. The grammar
 * is that of PostgreSQL 15's jsonapi.c. Objects are gathered as members, sorted, and written without doubles. */
#include "row/json.h"

#include "row/decimal.h"

#include <stdlib.h>

struct reader {
    const uint8_t *next;
    const uint8_t *end;
    struct arena *arena; /* NULL = only check */
    struct error *err;
    int depth;
};

/* Canonical text of a value; a key's is its plain bytes. */
struct member {
    struct bytes key;
    struct bytes value;
    size_t position;
};

static enum status read_value(struct reader *r, struct buffer *out);

static enum status bad_json(struct reader *r)
{
    return error_set(r->err, STATUS_INVALID, 0, "invalid input syntax for type json");
}

static void skip_blanks(struct reader *r)
{
    while (r->next < r->end && (*r->next == ' ' || *r->next == '\t' || *r->next == '\n' || *r->next == '\r')) {
        r->next++;
    }
}

static bool next_is(struct reader *r, uint8_t c)
{
    skip_blanks(r);
    if (r->next < r->end && *r->next == c) {
        r->next++;
        return true;
    }
    return false;
}

/* ---- strings ---- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex4(struct reader *r, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int digit = r->next < r->end ? hex_value(*r->next) : -1;
        if (digit < 0) {
            return false;
        }
        *out = *out << 4 | (unsigned)digit;
        r->next++;
    }
    return true;
}

static void append_utf8(struct buffer *out, unsigned c)
{
    if (c < 0x80) {
        buffer_append_byte(out, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        buffer_append_byte(out, (uint8_t)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        buffer_append_byte(out, (uint8_t)(0xe0 | c >> 12));
        buffer_append_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    } else {
        buffer_append_byte(out, (uint8_t)(0xf0 | c >> 18));
        buffer_append_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        buffer_append_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    }
    buffer_append_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/* After "\u". json keeps its text, so only jsonb minds what the escape stands for. */
static enum status read_unicode(struct reader *r, struct buffer *out)
{
    unsigned c;
    if (!read_hex4(r, &c)) {
        return bad_json(r);
    }
    if (out == NULL) {
        return STATUS_OK;
    }
    if (c == 0) {
        return error_set(r->err, STATUS_INVALID, 0, "unsupported Unicode escape sequence");
    }
    if (c >= 0xd800 && c <= 0xdbff) {
        unsigned low;
        if (r->end - r->next < 6 || r->next[0] != '\\' || r->next[1] != 'u') {
            return bad_json(r);
        }
        r->next += 2;
        if (!read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff) {
            return bad_json(r);
        }
        c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return bad_json(r);
    }
    append_utf8(out, c);
    return STATUS_OK;
}

static enum status read_escape(struct reader *r, struct buffer *out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    if (r->next == r->end) {
        return bad_json(r);
    }
    uint8_t c = *r->next++;
    if (c == 'u') {
        return read_unicode(r, out);
    }
    const char *name = c == 0 ? NULL : strchr(names, c);
    if (name == NULL) {
        return bad_json(r);
    }
    if (out != NULL) {
        buffer_append_byte(out, (uint8_t)values[name - names]);
    }
    return STATUS_OK;
}

/* After the opening quote; `out` (may be NULL) gets the plain bytes. */
static enum status read_string(struct reader *r, struct buffer *out)
{
    for (;;) {
        const uint8_t *start = r->next;
        while (r->next < r->end && *r->next >= 0x20 && *r->next != '"' && *r->next != '\\') {
            r->next++;
        }
        if (out != NULL) {
            buffer_append(out, start, (size_t)(r->next - start));
        }
        if (r->next == r->end || *r->next < 0x20) {
            return bad_json(r);
        }
        if (*r->next++ == '"') {
            return STATUS_OK;
        }
        TRY(read_escape(r, out));
    }
}

static void write_string(struct bytes text, struct buffer *out)
{
    static const char names[] = "\"\\bfnrt";
    static const char values[] = "\"\\\b\f\n\r\t";
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        const char *value = c == 0 ? NULL : strchr(values, c);
        if (value != NULL) {
            buffer_append_byte(out, '\\');
            buffer_append_byte(out, (uint8_t)names[value - values]);
        } else if (c < 0x20) {
            buffer_printf(out, "\\u%04x", c);
        } else {
            buffer_append_byte(out, c);
        }
    }
    buffer_append_byte(out, '"');
}

static enum status read_string_value(struct reader *r, struct buffer *out)
{
    if (out == NULL) {
        return read_string(r, NULL);
    }
    struct buffer plain = BUFFER_EMPTY;
    enum status st = read_string(r, &plain);
    if (st == STATUS_OK) {
        write_string(buffer_bytes(&plain), out);
    }
    buffer_release(&plain);
    return st;
}

/* ---- numbers and words ---- */

static size_t count_digits(struct reader *r)
{
    const uint8_t *start = r->next;
    while (r->next < r->end && *r->next >= '0' && *r->next <= '9') {
        r->next++;
    }
    return (size_t)(r->next - start);
}

static bool is_word_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static enum status read_number(struct reader *r, struct buffer *out)
{
    const uint8_t *start = r->next;
    r->next += *r->next == '-';
    bool zero = r->next < r->end && *r->next == '0';
    size_t digits = count_digits(r);
    if (digits == 0 || (zero && digits > 1)) {
        return bad_json(r);
    }
    if (r->next < r->end && *r->next == '.') {
        r->next++;
        if (count_digits(r) == 0) {
            return bad_json(r);
        }
    }
    if (r->next < r->end && (*r->next == 'e' || *r->next == 'E')) {
        r->next++;
        r->next += r->next < r->end && (*r->next == '+' || *r->next == '-');
        if (count_digits(r) == 0) {
            return bad_json(r);
        }
    }
    if (r->next < r->end && is_word_byte(*r->next)) {
        return bad_json(r);
    }
    if (out == NULL) {
        return STATUS_OK;
    }
    struct datum number;
    TRY(decimal_parse(bytes_of(start, (size_t)(r->next - start)), r->arena, &number, r->err));
    decimal_print(&number, out);
    return STATUS_OK;
}

static enum status read_word(struct reader *r, struct buffer *out)
{
    static const char *const words[] = {"true", "false", "null"};
    const uint8_t *start = r->next;
    while (r->next < r->end && is_word_byte(*r->next)) {
        r->next++;
    }
    size_t len = (size_t)(r->next - start);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (len == strlen(words[i]) && memcmp(start, words[i], len) == 0) {
            if (out != NULL) {
                buffer_append(out, start, len);
            }
            return STATUS_OK;
        }
    }
    return bad_json(r);
}

/* ---- arrays and objects ---- */

static enum status read_array(struct reader *r, struct buffer *out)
{
    if (out != NULL) {
        buffer_append_byte(out, '[');
    }
    if (!next_is(r, ']')) {
        TRY(read_value(r, out));
        while (next_is(r, ',')) {
            if (out != NULL) {
                buffer_append_text(out, ", ");
            }
            TRY(read_value(r, out));
        }
        if (!next_is(r, ']')) {
            return bad_json(r);
        }
    }
    if (out != NULL) {
        buffer_append_byte(out, ']');
    }
    return STATUS_OK;
}

/* By length, then bytes, then the later one first. */
static int compare_members(const void *x, const void *y)
{
    const struct member *a = x;
    const struct member *b = y;
    if (a->key.len != b->key.len) {
        return a->key.len < b->key.len ? -1 : 1;
    }
    int order = a->key.len > 0 ? memcmp(a->key.data, b->key.data, a->key.len) : 0;
    return order != 0 ? order : (a->position < b->position) - (a->position > b->position);
}

static void write_object(struct buffer *members, struct buffer *out)
{
    struct member *all = (struct member *)(void *)members->data;
    size_t count = members->len / sizeof *all;
    if (count > 1) {
        qsort(all, count, sizeof *all, compare_members);
    }
    buffer_append_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && bytes_equal(all[i].key, all[i - 1].key)) {
            continue;
        }
        buffer_append_text(out, i > 0 ? ", " : "");
        write_string(all[i].key, out);
        buffer_append_text(out, ": ");
        buffer_append(out, all[i].value.data, all[i].value.len);
    }
    buffer_append_byte(out, '}');
}

/* One "key": value. Copies both to the arena where they are wanted. */
static enum status read_member(struct reader *r, struct buffer *members)
{
    struct buffer key = BUFFER_EMPTY;
    struct buffer value = BUFFER_EMPTY;
    bool wanted = members != NULL;
    enum status st = next_is(r, '"') ? read_string(r, wanted ? &key : NULL) : bad_json(r);
    if (st == STATUS_OK && !next_is(r, ':')) {
        st = bad_json(r);
    }
    if (st == STATUS_OK) {
        st = read_value(r, wanted ? &value : NULL);
    }
    if (st == STATUS_OK && wanted) {
        struct member m = {.position = members->len};
        m.key = bytes_of(key.len > 0 ? arena_dup(r->arena, key.data, key.len) : (const void *)"", key.len);
        m.value = bytes_of(arena_dup(r->arena, value.data, value.len), value.len);
        buffer_append(members, &m, sizeof m);
    }
    buffer_release(&key);
    buffer_release(&value);
    return st;
}

static enum status read_object(struct reader *r, struct buffer *out)
{
    struct buffer members = BUFFER_EMPTY;
    struct buffer *wanted = out != NULL ? &members : NULL;
    enum status st = STATUS_OK;
    if (!next_is(r, '}')) {
        do {
            st = read_member(r, wanted);
        } while (st == STATUS_OK && next_is(r, ','));
        if (st == STATUS_OK && !next_is(r, '}')) {
            st = bad_json(r);
        }
    }
    if (st == STATUS_OK && out != NULL) {
        write_object(&members, out);
    }
    buffer_release(&members);
    return st;
}

static enum status read_nested(struct reader *r, bool object, struct buffer *out)
{
    if (r->depth == JSON_DEPTH_MAX) {
        return error_set(r->err, STATUS_UNSUPPORTED, 0, "could not read json: nested deeper than %d", JSON_DEPTH_MAX);
    }
    r->next++;
    r->depth++;
    enum status st = object ? read_object(r, out) : read_array(r, out);
    r->depth--;
    return st;
}

static enum status read_value(struct reader *r, struct buffer *out)
{
    skip_blanks(r);
    if (r->next == r->end) {
        return bad_json(r);
    }
    uint8_t c = *r->next;
    if (c == '{' || c == '[') {
        return read_nested(r, c == '{', out);
    }
    if (c == '"') {
        r->next++;
        return read_string_value(r, out);
    }
    return c == '-' || (c >= '0' && c <= '9') ? read_number(r, out) : read_word(r, out);
}

static enum status read_all(struct reader *r, struct buffer *out)
{
    TRY(read_value(r, out));
    skip_blanks(r);
    return r->next == r->end ? STATUS_OK : bad_json(r);
}

enum status json_check(struct bytes text, struct error *err)
{
    struct reader r = {.next = text.data, .end = text.data + text.len, .err = err};
    return read_all(&r, NULL);
}

enum status json_canonical(struct bytes text, struct arena *a, struct bytes *out, struct error *err)
{
    struct reader r = {.next = text.data, .end = text.data + text.len, .arena = a, .err = err};
    struct buffer canonical = BUFFER_EMPTY;
    enum status st = read_all(&r, &canonical);
    if (st == STATUS_OK) {
        *out = bytes_of(arena_dup(a, canonical.data, canonical.len), canonical.len);
    }
    buffer_release(&canonical);
    return st;
}
