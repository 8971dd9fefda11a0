/* A strict pull scanner for JSON (RFC 8259) over bytes in memory: no document tree, no allocation, numbers stay text.
 *
 * What is handed out borrows the scanned bytes. The scanner accepts exactly valid JSON in valid UTF-8, nested at most
 * JSON_SCAN_DEPTH_MAX deep; escapes of lone surrogates are refused, since no text could hold them. After the first
 * failure a scan stays failed: json_scan_reason tells why and where. */
#ifndef INGEST_JSON_H
#define INGEST_JSON_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/digits.h"
#include "base/sixteen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { JSON_SCAN_DEPTH_MAX = 64, JSON_SCAN_REASON_BYTES = 128, JSON_DIGITS_BYTES = DIGITS_BEFORE_MAX };

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_kind kind;
    bool escaped;      /* string: has escapes, see json_value_text */
    bool all_digits;   /* number: known to be nothing but digits; JSON_DIGITS_BYTES before its end may be read */
    struct bytes text; /* as it stands in the document; a string's without its quotes */
};

struct json_scan {
    const uint8_t *start;
    const uint8_t *next;
    const uint8_t *end;
    const char *wrong; /* NULL = fine so far */
    unsigned depth;    /* of containers entered by the caller */
};

struct json_scan json_scan_of(struct bytes text);
/* Takes the value at the position whole: containers with all they hold, checked. False on failure. */
bool json_scan_value(struct json_scan *s, struct json_value *out);
/* What the value at the position begins as; false at the end or where no value begins. Does not step. */
bool json_scan_peek(struct json_scan *s, enum json_kind *out);
/* Enter an object or an array. False where there is none. */
bool json_scan_object(struct json_scan *s);
bool json_scan_array(struct json_scan *s);
/* Steps to the next member: its name is taken, its value is next. False at the end of the object (which is left) and on
 * failure: see json_scan_failed. `first` is true for the first call after json_scan_object. */
bool json_scan_member(struct json_scan *s, bool first, struct json_value *name);
/* The same for an array: true = a value is next. */
bool json_scan_element(struct json_scan *s, bool first);
/* True where nothing but white space is left. */
bool json_scan_end(struct json_scan *s);

static inline bool json_scan_failed(const struct json_scan *s)
{
    return s->wrong != NULL;
}
/* "not valid JSON at byte 12: a string is cut off" */
void json_scan_reason(const struct json_scan *s, char out[static JSON_SCAN_REASON_BYTES]);

/* A string's text with its escapes resolved; borrows the document where there are none, else allocates from `a`. */
struct bytes json_value_text(const struct json_value *v, struct arena *a);
/* True where the string, which has escapes, is exactly `text`. */
bool json_escaped_is(const struct json_value *v, struct bytes text);
/* True where the string is exactly `text`, however it is escaped. */
static inline bool json_value_is(const struct json_value *v, const char *text)
{
    struct bytes wanted = bytes_of(text, strlen(text));
    return v->kind == JSON_STRING &&
           (v->escaped ? json_escaped_is(v, wanted)
                       : v->text.len == wanted.len && memcmp(v->text.data, text, wanted.len) == 0);
}

/* ---- the usual value ---- */

enum { JSON_USUAL_BYTES = 2 * SIXTEEN + 3 /* two quotes, the byte behind */ };

static inline bool json_ends_value(uint8_t c)
{
    return c == ',' || (c | 0x20) == '}'; /* or ']' */
}

/* Takes what most values are: up to 32 digits, or a text of as many bytes of plain ASCII, and nothing but a comma or a
 * closing bracket behind it: just as json_scan_value would. JSON_USUAL_BYTES may be read from `p` on, and with
 * `has_room` JSON_DIGITS_BYTES before the end of a number. Returns where the value ends; NULL where it is anything else
 * and nothing is taken. */
static inline const uint8_t *json_take_usual(const uint8_t *p, bool has_room, struct json_value *out)
{
    size_t len;
    if (*p == '"') {
        p += 1;
        len = sixteen_plain(p);
        len += len == SIXTEEN ? sixteen_plain(p + SIXTEEN) : 0;
        if (p[len] != '"' || !json_ends_value(p[len + 1])) {
            return NULL;
        }
        *out = (struct json_value){.kind = JSON_STRING, .text = bytes_of(p, len)};
        return p + len + 1;
    }
    len = sixteen_digits(p);
    len += len == SIXTEEN ? sixteen_digits(p + SIXTEEN) : 0;
    if (*p < '1' || *p > '9' || !json_ends_value(p[len])) {
        return NULL;
    }
    *out = (struct json_value){.kind = JSON_NUMBER, .all_digits = has_room, .text = bytes_of(p, len)};
    return p + len;
}

/* The number's value where it is a plain one, as most are; false does not mean that it is none. */
static inline bool json_plain_number(const struct json_value *v, uint64_t *out)
{
    if (!v->all_digits || v->text.len > DIGITS_BEFORE_MAX) {
        return false;
    }
    *out = digits_before(v->text.data + v->text.len, v->text.len);
    return true;
}

#endif
