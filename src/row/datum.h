/* One value of a row. 16 bytes, passed in arrays; what it points to belongs to an arena or to stored bytes. */
#ifndef ROW_DATUM_H
#define ROW_DATUM_H

#include "base/arena.h"
#include "base/bytes.h"
#include "row/type.h"

#include <stdbool.h>
#include <stdint.h>

/*  kind                             where
 *  bool, int2/4/8                   v.i
 *  date                             v.i = days since 2000-01-01; INT32_MIN/INT32_MAX = -infinity/infinity
 *  time                             v.i = microseconds since midnight, 0..86400000000
 *  timestamp, timestamptz           v.i = microseconds since 2000-01-01 (UTC); INT64_MIN/INT64_MAX = -infinity/infinity
 *  float4, float8                   v.d (a float4 is exactly representable as float)
 *  text, varchar, bpchar, json,
 *  jsonb, bytea, other              v.p, len bytes (bpchar padded to its length as PostgreSQL prints it)
 *  uuid                             v.p, 16 bytes
 *  interval                         v.p, 16 bytes: le i64 microseconds, le i32 days, le i32 months (any alignment)
 *  numeric, big == 0                v.i * 10^-len, len (the display scale) <= 16383
 *  numeric, big == 1                v.p, len bytes of a packed decimal (decimal.h)
 * A numeric that fits the first form is always in the first form. */
struct datum {
    union {
        int64_t i;
        double d;
        const uint8_t *p;
    } v;
    uint32_t len;
    uint8_t null; /* 1 = SQL NULL; the rest is then zero */
    uint8_t big;
    uint8_t missing; /* 1 = the source did not send it (unchanged TOAST, column outside the replica identity) */
    uint8_t zero;
};
_Static_assert(sizeof(struct datum) == 16, "rows are arrays of these");

#define DATUM_NULL    ((struct datum){.null = 1})
#define DATUM_MISSING ((struct datum){.null = 1, .missing = 1})

static inline struct datum datum_int(int64_t value)
{
    return (struct datum){.v.i = value};
}
static inline struct datum datum_float(double value)
{
    return (struct datum){.v.d = value};
}
static inline struct datum datum_bytes(struct bytes value)
{
    return (struct datum){.v.p = value.data, .len = (uint32_t)value.len};
}
static inline struct bytes datum_as_bytes(const struct datum *d)
{
    return bytes_of(d->v.p, d->len);
}
/* True where v.p points to memory. */
bool datum_is_pointer(enum type_kind kind, const struct datum *d);
/* Copies what it points to into `a`. */
struct datum datum_copy(struct arena *a, enum type_kind kind, struct datum d);

/* PostgreSQL's btree order: NaN above all numbers, -0 = 0, bpchar without trailing blanks, interval by its span, text
 * by bytes. Neither may be NULL; only comparable kinds (asserted). <0, 0, >0. @thread any */
int datum_compare(enum type_kind kind, const struct datum *a, const struct datum *b);
/* Same value and same image (1.0 is not 1.00); NULLs are equal. Any kind. */
bool datum_identical(enum type_kind kind, const struct datum *a, const struct datum *b);

/* What PostgreSQL's input function makes of `text`, typmod applied as in a cast by assignment from text (length checks,
 * rounding to scale or precision). STATUS_INVALID with PostgreSQL's words ("invalid input syntax for type integer:
 * \"x\"", "value \"..\" is out of range for type smallint"). Allocates from `a`; text kinds borrow `text` unchanged
 * where they can. */
enum status datum_parse(const struct type *type, struct bytes text, struct arena *a, struct datum *out,
                        struct error *err);
/* Appends what PostgreSQL's output function prints, with DateStyle ISO, IntervalStyle postgres, TimeZone UTC,
 * extra_float_digits 1, bytea_output hex. Not for NULL. */
void datum_print(const struct type *type, const struct datum *d, struct buffer *out);
/* PostgreSQL's binary wire form (typsend/typreceive), for pgoutput's `binary` and binary COPY. The kinds above but
 * jsonb's version byte are as libpq documents; TYPE_OTHER is STATUS_UNSUPPORTED. `out` may borrow `data`. */
enum status datum_receive(const struct type *type, struct bytes data, struct arena *a, struct datum *out,
                          struct error *err);
enum status datum_send(const struct type *type, const struct datum *d, struct buffer *out, struct error *err);
/* Applies a type modifier to a value of that kind, as a cast does (`explicit_cast`: over-long text is cut silently;
 * else it is an error unless only blanks are cut). */
enum status datum_apply_typmod(const struct type *type, bool explicit_cast, struct arena *a, struct datum *d,
                               struct error *err);

#endif
