/* Coefficients as decimal digits, for text and for ordered keys. */
#ifndef ROW_DECIMAL_DIGITS_H
#define ROW_DECIMAL_DIGITS_H

#include "row/decimal.h"

/* NaN or an infinity; its bytes are static. */
struct datum decimal_special(enum decimal_kind kind);
/* The coefficient of a big finite one: two's complement, big-endian, shortest. Borrows `d`. */
struct bytes decimal_big_coefficient(const struct datum *d);
/* Appends the digits of the absolute coefficient of a finite one, without leading zeros; nothing for zero. */
void decimal_append_digits(const struct datum *d, struct buffer *out);
/* The number of `digits` ('0'..'9') * 10^-`scale`; a negative scale multiplies. "value overflows numeric format". */
enum status decimal_from_digits(struct arena *a, bool negative, struct bytes digits, int64_t scale, struct datum *out,
                                struct error *err);

#endif
