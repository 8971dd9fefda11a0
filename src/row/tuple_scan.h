/* Tags of keys and the cursor over a key being read. The form is told in tuple.c. Private to the tuple files. */
#ifndef ROW_TUPLE_SCAN_H
#define ROW_TUPLE_SCAN_H

#include "base/error.h"
#include "row/datum.h"

enum tuple_tag {
    TAG_NULL_FIRST = 0x01,
    TAG_INT_ZERO = 0x30,
    TAG_FLOAT = 0x40,
    TAG_MINUS_INFINITY = 0x50,
    TAG_NEGATIVE = 0x51,
    TAG_ZERO = 0x52,
    TAG_POSITIVE = 0x53,
    TAG_INFINITY = 0x54,
    TAG_NAN = 0x55,
    TAG_UUID = 0x60,
    TAG_BYTES = 0x61,
    TAG_INTERVAL = 0x62,
    TAG_NULL_LAST = 0xfe
};

/* A cursor over a possibly inverted value. */
struct tuple_scan {
    const uint8_t *next;
    const uint8_t *end;
    uint8_t mask; /* 0xff = inverted */
};

static inline enum status tuple_broken(struct error *err)
{
    return error_set(err, STATUS_CORRUPT, 0, "a key's bytes are broken");
}

static inline bool tuple_take(struct tuple_scan *s, uint8_t *to, size_t len)
{
    if ((size_t)(s->end - s->next) < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        to[i] = s->next[i] ^ s->mask;
    }
    s->next += len;
    return true;
}

/* numeric: tuple_numeric.c. `image` appends or reads the display scale; `out` NULL = only step over. */
void tuple_numeric_append(struct buffer *out, const struct datum *d, bool image);
enum status tuple_numeric_read(struct tuple_scan *s, uint8_t tag, bool image, struct arena *a, struct datum *out,
                               struct error *err);

#endif
