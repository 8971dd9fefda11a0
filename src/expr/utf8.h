/* Steps over UTF-8 characters and changes their case as PostgreSQL does in a database of locale C.UTF-8. Texts are
 * valid UTF-8 as ingestion checks; on others every step still stays inside the bytes. */
#ifndef EXPR_UTF8_H
#define EXPR_UTF8_H

#include "expr/function.h"

/* Bytes of the character that begins at `at` (< text.len), at least 1, at most what is left. */
static inline size_t utf8_step(struct bytes text, size_t at)
{
    uint8_t lead = text.data[at];
    size_t step = lead < 0x80             ? 1
                  : (lead & 0xe0) == 0xc0 ? 2
                  : (lead & 0xf0) == 0xe0 ? 3
                  : (lead & 0xf8) == 0xf0 ? 4
                                          : 1;
    return step <= text.len - at ? step : text.len - at;
}
/* Number of characters. */
size_t utf8_count(struct bytes text);
/* The offset of character `n` counted from 0, text.len where there are fewer. */
size_t utf8_offset(struct bytes text, size_t n);
uint32_t utf8_decode(struct bytes text, size_t at, size_t *step);
/* Writes at most 4 bytes, returns how many. */
size_t utf8_encode(uint32_t code, uint8_t *out);

enum utf8_case { UTF8_LOWER, UTF8_UPPER, UTF8_INITCAP };
/* The result is `text` itself or lives in e->a. */
enum status utf8_change_case(struct bytes text, enum utf8_case to, const struct eval *e, struct bytes *out);

#endif
