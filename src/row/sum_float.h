/* Private to the sum files: the exact sum of doubles, a fixed-point number over their whole range. @thread any */
#ifndef ROW_SUM_FLOAT_H
#define ROW_SUM_FLOAT_H

#include "row/sum_number.h"

/* 2098 bits of double, 63 of weight and 63 of count, and the sign. */
enum { SUM_LIMB_BITS = 32, SUM_LIMB_COUNT = 70 };
_Static_assert(SUM_LIMB_COUNT *SUM_LIMB_BITS > 2098 + 63 + 63, "2^63 copies of every double must fit");

struct sum_float {
    struct sum_specials specials;
    uint32_t limbs[SUM_LIMB_COUNT]; /* two's complement, lowest first; the lowest bit is 2^-1074, the least double */
};

void sum_float_add(struct sum_float *s, double value, int64_t weight);
/* The finite part, correctly rounded to double or, `narrow`, to float; infinite where it is past the range. */
double sum_float_round(const struct sum_float *s, bool narrow);
bool sum_float_is_zero(const struct sum_float *s);
void sum_float_append(const struct sum_float *s, struct buffer *out);
/* `s` is zeroed. */
enum status sum_float_read(struct sum_float *s, struct bytes *in, struct error *err);

#endif
