/* float4 and float8 in and out of text: float8in and float8out (extra_float_digits 1) of PostgreSQL 15. Private to the
 * room. */
#ifndef ROW_FLOAT_TEXT_H
#define ROW_FLOAT_TEXT_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

/* `narrow` = float4. Needs the C numeric locale. @thread any */
enum status float_parse(struct bytes text, bool narrow, double *out, struct error *err);
/* The shortest digits that read back as the same value, the nearest of them. */
void float_print(double value, bool narrow, struct buffer *out);

#endif
