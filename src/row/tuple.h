/* Values as bytes whose memcmp order is the SQL order: keys of the state's maps.
 *
 * Every value is self-delimiting, so keys are made by putting values one after another, and a key's leading values are
 * a prefix of its bytes. Two forms:
 *  - the equality form: equal values (datum_compare == 0) give equal bytes; 1.0 and 1.00 are the same key;
 *  - the image form: the equality form followed, for kinds where type_is_image_lossy, by what tells images apart; it
 *    can be decoded back to the identical value.
 * Integers take as many bytes as they need (one tag byte of sign and length, then the magnitude, big-endian).
 * NULL sorts above everything (PostgreSQL's NULLS LAST) or, with TUPLE_NULLS_FIRST, below; TUPLE_DESC inverts the
 * value's bytes. */
#ifndef ROW_TUPLE_H
#define ROW_TUPLE_H

#include "row/datum.h"

enum tuple_flags {
    TUPLE_EQUALITY = 0,
    TUPLE_IMAGE = 1,
    TUPLE_DESC = 2,       /* NULLs stay where the next flag says */
    TUPLE_NULLS_FIRST = 4 /* default is last, whether DESC or not */
};

/* Kinds that are not comparable (json, jsonb, other) are encoded by their text in both forms. */
void tuple_append(struct buffer *out, enum type_kind kind, const struct datum *d, unsigned flags);
/* Reads the value at the head of `*in` (image form) and steps over it; `out` may borrow it or allocate from `a`.
 * `flags` as when written. STATUS_CORRUPT for what tuple_append cannot have written. */
enum status tuple_read(struct bytes *in, enum type_kind kind, unsigned flags, struct arena *a, struct datum *out,
                       struct error *err);
/* Steps over one value of either form. */
enum status tuple_skip(struct bytes *in, enum type_kind kind, unsigned flags, struct error *err);
/* The next key after every key that begins with `key`: for scanning a range. False where there is none (all 0xff).
 * Changes `key` in place. */
bool tuple_prefix_successor(struct buffer *key);

#endif
