/* Every byte is looked at once: what is stepped over is checked by the same code that hands it out. */
#include "ingest/json.h"

#include <stdio.h>
#include <string.h>

static bool fail(struct json_scan *s, const char *wrong)
{
    if (s->wrong == NULL) {
        s->wrong = wrong;
    }
    return false;
}

struct json_scan json_scan_of(struct bytes text)
{
    static const uint8_t nothing = 0;
    const uint8_t *start = text.data != NULL ? text.data : &nothing;
    return (struct json_scan){.start = start, .next = start, .end = start + text.len};
}

static inline void skip_space(struct json_scan *s)
{
    if (s->next<s->end && * s->next> ' ') { /* Debezium writes none */
        return;
    }
    while (s->next < s->end && (*s->next == ' ' || *s->next == '\n' || *s->next == '\r' || *s->next == '\t')) {
        s->next += 1;
    }
}

/* ---- strings ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at `p`; -1 where they are not there. */
static int hex_four(const uint8_t *p, const uint8_t *end)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = p + i < end ? hex_digit(p[i]) : -1;
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The position is at the 'u' of \uXXXX. */
static bool skip_unicode_escape(struct json_scan *s)
{
    int unit = hex_four(s->next + 1, s->end);
    if (unit < 0) {
        return fail(s, "\\u without four hexadecimal digits");
    }
    s->next += 5;
    if (is_low_surrogate(unit)) {
        return fail(s, "a lone low surrogate");
    }
    if (is_high_surrogate(unit)) {
        bool pair = s->end - s->next >= 6 && s->next[0] == '\\' && s->next[1] == 'u' &&
                    is_low_surrogate(hex_four(s->next + 2, s->end));
        if (!pair) {
            return fail(s, "a lone high surrogate");
        }
        s->next += 6;
    }
    return true;
}

/* The position is at a backslash. */
static bool skip_escape(struct json_scan *s)
{
    s->next += 1;
    if (s->next == s->end) {
        return fail(s, "a string is cut off");
    }
    switch (*s->next) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        s->next += 1;
        return true;
    case 'u':
        return skip_unicode_escape(s);
    default:
        return fail(s, "an unknown escape in a string");
    }
}

/* How many bytes from `p` on stand for themselves in a string and are ASCII. */
static size_t plain_run(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    while (end - p >= SIXTEEN) {
        unsigned plain = sixteen_plain(p);
        p += plain;
        if (plain < SIXTEEN) {
            return (size_t)(p - start);
        }
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p += 1;
    }
    return (size_t)(p - start);
}

/* Takes the string whose opening quote is at the position. */
static bool take_string(struct json_scan *s, struct json_value *out)
{
    s->next += 1;
    const uint8_t *start = s->next;
    bool ascii = true;
    *out = (struct json_value){.kind = JSON_STRING};
    for (;;) {
        s->next += plain_run(s->next, s->end);
        if (s->next == s->end) {
            return fail(s, "a string is cut off");
        }
        uint8_t c = *s->next;
        if (c == '"') {
            break;
        }
        if (c < 0x20) {
            return fail(s, "a control character in a string");
        }
        if (c == '\\') {
            out->escaped = true;
            if (s->end - s->next > 1 && s->next[1] == '"') { /* of a text with JSON in it, as source.sequence is */
                s->next += 2;
            } else if (!skip_escape(s)) {
                return false;
            }
        } else {
            ascii = false;
            s->next += 1;
        }
    }
    out->text = bytes_of(start, (size_t)(s->next - start));
    if (!ascii && !bytes_is_utf8(out->text)) {
        s->next = start;
        return fail(s, "a string is not valid UTF-8");
    }
    s->next += 1;
    return true;
}

/* ---- numbers and words ---- */

static size_t skip_digits(struct json_scan *s)
{
    size_t count = digits_run(s->next, s->end);
    s->next += count;
    return count;
}

static bool take_number(struct json_scan *s, struct json_value *out)
{
    const uint8_t *start = s->next;
    s->next += *s->next == '-';
    if (s->next < s->end && *s->next == '0') {
        s->next += 1;
    } else if (skip_digits(s) == 0) {
        return fail(s, "a number without digits");
    }
    if (s->next < s->end && *s->next == '.') {
        s->next += 1;
        if (skip_digits(s) == 0) {
            return fail(s, "a number without digits after its point");
        }
    }
    if (s->next < s->end && (*s->next | 0x20) == 'e') {
        s->next += 1;
        if (s->next < s->end && (*s->next == '+' || *s->next == '-')) {
            s->next += 1;
        }
        if (skip_digits(s) == 0) {
            return fail(s, "a number without digits in its exponent");
        }
    }
    *out = (struct json_value){.kind = JSON_NUMBER, .text = bytes_of(start, (size_t)(s->next - start))};
    return true;
}

static bool take_word(struct json_scan *s, const char *word, enum json_kind kind, struct json_value *out)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->next) < len || memcmp(s->next, word, len) != 0) {
        return fail(s, "something that is no value");
    }
    *out = (struct json_value){.kind = kind, .text = bytes_of(s->next, len)};
    s->next += len;
    return true;
}

static bool take_scalar(struct json_scan *s, struct json_value *out)
{
    switch (*s->next) {
    case '"':
        return take_string(s, out);
    case 't':
        return take_word(s, "true", JSON_TRUE, out);
    case 'f':
        return take_word(s, "false", JSON_FALSE, out);
    case 'n':
        return take_word(s, "null", JSON_NULL, out);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return take_number(s, out);
    default:
        return fail(s, "something that is no value");
    }
}

/* ---- containers ---- */

static bool take_name(struct json_scan *s, struct json_value *name)
{
    skip_space(s);
    if (s->next == s->end) {
        return fail(s, "an object is cut off");
    }
    if (*s->next != '"') {
        return fail(s, "a member without a quoted name");
    }
    if (!take_string(s, name)) {
        return false;
    }
    skip_space(s);
    if (s->next == s->end || *s->next != ':') {
        return fail(s, "a member without a colon");
    }
    s->next += 1;
    return true;
}

/* After a value inside of containers: steps over closing brackets, then over the comma and a name that follow. False
 * with `*level` 0 where all containers are closed, false with a failure else. `objects`: bit per level. */
static bool step_out(struct json_scan *s, uint64_t objects, unsigned *level)
{
    struct json_value name;
    while (*level > 0) {
        bool in_object = (objects >> (*level - 1) & 1) != 0;
        skip_space(s);
        if (s->next == s->end) {
            return fail(s, in_object ? "an object is cut off" : "an array is cut off");
        }
        uint8_t c = *s->next;
        if (c == ',') {
            s->next += 1;
            return in_object ? take_name(s, &name) : true;
        }
        if (c != (in_object ? '}' : ']')) {
            return fail(s, in_object ? "a member without a comma after it" : "an element without a comma after it");
        }
        s->next += 1;
        *level -= 1;
    }
    return false;
}

/* Enters the container at the position; `*empty` where it is closed at once. */
static bool step_in(struct json_scan *s, uint64_t *objects, unsigned *level, bool *empty)
{
    struct json_value name;
    bool is_object = *s->next == '{';
    if (s->depth + *level >= JSON_SCAN_DEPTH_MAX) {
        return fail(s, "nested too deeply");
    }
    *objects = (*objects & ~(UINT64_C(1) << *level)) | (uint64_t)is_object << *level;
    *level += 1;
    s->next += 1;
    skip_space(s);
    *empty = s->next < s->end && *s->next == (is_object ? '}' : ']');
    if (*empty) {
        s->next += 1;
        *level -= 1;
        return true;
    }
    return is_object ? take_name(s, &name) : true;
}

/* Takes the container at the position with all it holds. */
static bool take_container(struct json_scan *s, struct json_value *out)
{
    const uint8_t *start = s->next;
    enum json_kind kind = *start == '{' ? JSON_OBJECT : JSON_ARRAY;
    uint64_t objects = 0;
    unsigned level = 0;
    bool more = true;
    while (more) {
        skip_space(s);
        if (s->next == s->end) {
            return fail(s, "a container is cut off");
        }
        bool ended = true;
        if (*s->next == '{' || *s->next == '[') {
            if (!step_in(s, &objects, &level, &ended)) {
                return false;
            }
        } else if (!take_scalar(s, out)) {
            return false;
        }
        more = !ended || step_out(s, objects, &level);
    }
    *out = (struct json_value){.kind = kind, .text = bytes_of(start, (size_t)(s->next - start))};
    return s->wrong == NULL;
}

bool json_scan_value(struct json_scan *s, struct json_value *out)
{
    if (s->wrong != NULL) {
        return false;
    }
    skip_space(s);
    if (s->next == s->end) {
        return fail(s, "a value is missing");
    }
    return *s->next == '{' || *s->next == '[' ? take_container(s, out) : take_scalar(s, out);
}

bool json_scan_peek(struct json_scan *s, enum json_kind *out)
{
    skip_space(s);
    if (s->wrong != NULL || s->next == s->end) {
        return false;
    }
    switch (*s->next) {
    case '{':
        *out = JSON_OBJECT;
        return true;
    case '[':
        *out = JSON_ARRAY;
        return true;
    case '"':
        *out = JSON_STRING;
        return true;
    case 't':
        *out = JSON_TRUE;
        return true;
    case 'f':
        *out = JSON_FALSE;
        return true;
    case 'n':
        *out = JSON_NULL;
        return true;
    default:
        *out = JSON_NUMBER;
        return *s->next == '-' || (*s->next >= '0' && *s->next <= '9');
    }
}

static bool enter(struct json_scan *s, uint8_t bracket, const char *wrong)
{
    skip_space(s);
    if (s->wrong != NULL || s->next == s->end || *s->next != bracket) {
        return fail(s, wrong);
    }
    if (s->depth == JSON_SCAN_DEPTH_MAX) {
        return fail(s, "nested too deeply");
    }
    s->depth += 1;
    s->next += 1;
    return true;
}

bool json_scan_object(struct json_scan *s)
{
    return enter(s, '{', "an object is missing");
}

bool json_scan_array(struct json_scan *s)
{
    return enter(s, '[', "an array is missing");
}

/* Steps over what parts values, or leaves the container. */
static bool step(struct json_scan *s, bool first, uint8_t closing, const char *cut_off, const char *no_comma)
{
    if (s->wrong != NULL) {
        return false;
    }
    skip_space(s);
    if (s->next == s->end) {
        return fail(s, cut_off);
    }
    if (*s->next == closing) {
        s->next += 1;
        s->depth -= 1;
        return false;
    }
    if (first) {
        return true;
    }
    if (*s->next != ',') {
        return fail(s, no_comma);
    }
    s->next += 1;
    return true;
}

bool json_scan_member(struct json_scan *s, bool first, struct json_value *name)
{
    return step(s, first, '}', "an object is cut off", "a member without a comma after it") && take_name(s, name);
}

bool json_scan_element(struct json_scan *s, bool first)
{
    return step(s, first, ']', "an array is cut off", "an element without a comma after it");
}

bool json_scan_end(struct json_scan *s)
{
    if (s->wrong != NULL) {
        return false;
    }
    skip_space(s);
    return s->next == s->end || fail(s, "something follows the value");
}

void json_scan_reason(const struct json_scan *s, char out[static JSON_SCAN_REASON_BYTES])
{
    snprintf(out, JSON_SCAN_REASON_BYTES, "not valid JSON at byte %td: %s", s->next - s->start,
             s->wrong != NULL ? s->wrong : "nothing wrong");
}

/* ---- text of strings ---- */

static uint8_t *put_utf8(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (uint8_t)c;
    } else if (c < 0x800) {
        *to++ = (uint8_t)(0xc0 | c >> 6);
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (uint8_t)(0xe0 | c >> 12);
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *to++ = (uint8_t)(0xf0 | c >> 18);
        *to++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return to;
}

/* One escape, `p` at its letter; the scan has checked it. */
static const uint8_t *resolve_escape(const uint8_t *p, const uint8_t *end, uint8_t **to)
{
    static const char letters[] = "bfnrt";
    static const uint8_t meant[] = {'\b', '\f', '\n', '\r', '\t'};
    if (*p == 'u') {
        int unit = hex_four(p + 1, end);
        uint32_t c = (uint32_t)unit;
        p += 5;
        if (is_high_surrogate(unit)) {
            c = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(hex_four(p + 2, end) - 0xdc00);
            p += 6;
        }
        *to = put_utf8(*to, c);
        return p;
    }
    const char *letter = memchr(letters, *p, sizeof letters - 1);
    *(*to)++ = letter != NULL ? meant[letter - letters] : *p;
    return p + 1;
}

struct bytes json_value_text(const struct json_value *v, struct arena *a)
{
    if (!v->escaped) {
        return v->text;
    }
    uint8_t *start = arena_alloc(a, v->text.len); /* an escape is never shorter than what it means */
    uint8_t *to = start;
    const uint8_t *p = v->text.data;
    const uint8_t *end = p + v->text.len;
    while (p < end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash != NULL ? slash : end) - p);
        memcpy(to, p, plain);
        to += plain;
        p += plain;
        if (p < end) {
            p = resolve_escape(p + 1, end, &to);
        }
    }
    return bytes_of(start, (size_t)(to - start));
}

static bool escaped_is(struct bytes escaped, const char *text, size_t len)
{
    const uint8_t *p = escaped.data;
    const uint8_t *end = p + escaped.len;
    while (p < end) {
        uint8_t meant[4] = {*p};
        uint8_t *to = meant;
        if (*p == '\\') {
            p = resolve_escape(p + 1, end, &to);
        } else {
            to += 1;
            p += 1;
        }
        size_t count = (size_t)(to - meant);
        if (count > len || memcmp(text, meant, count) != 0) {
            return false;
        }
        text += count;
        len -= count;
    }
    return len == 0;
}

bool json_escaped_is(const struct json_value *v, struct bytes text)
{
    return escaped_is(v->text, (const char *)text.data, text.len);
}
