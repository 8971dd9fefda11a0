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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_SCAN_DEPTH_MAX = 64, JSON_SCAN_REASON_BYTES = 128 };

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_kind kind;
    bool escaped;      /* string: has escapes, see json_value_text */
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
/* The same for what most values are: up to 23 digits, or a short text of plain ASCII without escapes, and nothing but a
 * comma or a closing bracket behind it. False with nothing taken where it is anything else. */
static inline bool json_scan_usual(struct json_scan *s, struct json_value *out);
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
/* True where the string is exactly `text`, however it is escaped. */
bool json_value_is(const struct json_value *v, const char *text);

/* ---- the usual value ---- */

enum { JSON_USUAL_BYTES = 40 }; /* that may be read from the position on */

#define JSON_EACH_BYTE(x) (UINT64_C(0x0101010101010101) * (x))

/* Marks (bit 7) bytes that are a quote, a backslash, a control character or not ASCII. The lowest mark is right; those
 * above it may not be, since subtractions borrow. */
static inline uint64_t json_special_in(uint64_t w)
{
    uint64_t quote = w ^ JSON_EACH_BYTE('"');
    uint64_t slash = w ^ JSON_EACH_BYTE('\\');
    return (w | ((quote - JSON_EACH_BYTE(1)) & ~quote) | ((slash - JSON_EACH_BYTE(1)) & ~slash) |
            ((w - JSON_EACH_BYTE(0x20)) & ~w)) &
           JSON_EACH_BYTE(0x80);
}

static inline bool json_ends_value(uint8_t c)
{
    return c == ',' || c == '}' || c == ']';
}

static inline bool json_scan_usual(struct json_scan *s, struct json_value *out)
{
    const uint8_t *p = s->next;
    if (s->end - p < JSON_USUAL_BYTES || s->wrong != NULL) {
        return false;
    }
    bool quoted = *p == '"';
    size_t len = 0;
    uint64_t marks = 0;
    if (quoted) {
        p += 1;
        for (; marks == 0 && len < 32; len += 8) {
            marks = json_special_in(load_le64(p + len));
        }
    } else if (*p >= '1' && *p <= '9') {
        for (; marks == 0 && len < 24; len += 8) {
            marks = digits_others(load_le64(p + len));
        }
    }
    if (marks == 0) {
        return false;
    }
    len = len - 8 + (size_t)__builtin_ctzll(marks) / 8;
    if ((quoted && p[len] != '"') || !json_ends_value(p[len + quoted])) {
        return false;
    }
    s->next = p + len + quoted;
    *out = (struct json_value){.kind = quoted ? JSON_STRING : JSON_NUMBER, .text = bytes_of(p, len)};
    return true;
}

#endif
