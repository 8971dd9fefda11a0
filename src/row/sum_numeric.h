/* Private to the sum files: the exact sum of numerics and which display scales its inputs had. @thread any */
#ifndef ROW_SUM_NUMERIC_H
#define ROW_SUM_NUMERIC_H

#include "row/datum.h"
#include "row/sum_number.h"

struct sum_scale {
    int32_t scale;
    int64_t count; /* never 0; negative while a retraction is ahead of its input */
};

/* Zeroed is the empty sum. The total's scale is the greatest of `scales`, or the next above at which the total is
 * whole: that can only be while retractions are ahead of their inputs. */
struct sum_numeric {
    struct sum_specials specials;
    int128 total;             /* where !is_wide: its magnitude is less than 2^126 */
    struct datum wide_total;  /* where is_wide: a big numeric, of scale 0 whatever `scale` is */
    struct sum_scale *scales; /* ascending */
    size_t scale_count;
    size_t scale_capacity;
    int32_t scale;
    bool is_wide;
};

void sum_numeric_add(struct sum_numeric *s, struct arena *a, const struct datum *d, int64_t weight);
/* The total at its scale; "value overflows numeric format". */
enum status sum_numeric_total(const struct sum_numeric *s, struct arena *a, struct datum *out, struct error *err);
bool sum_numeric_is_zero(const struct sum_numeric *s);
void sum_numeric_append(const struct sum_numeric *s, struct buffer *out);
/* `s` is zeroed. */
enum status sum_numeric_read(struct sum_numeric *s, struct arena *a, struct bytes *in, struct error *err);

#endif
