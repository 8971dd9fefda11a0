/* json and jsonb text: what PostgreSQL accepts, and jsonb's canonical form. Private to the room. */
#ifndef ROW_JSON_H
#define ROW_JSON_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum { JSON_DEPTH_MAX = 64 };

/* STATUS_INVALID "invalid input syntax for type json" where json_in would refuse; nesting past JSON_DEPTH_MAX is
 * STATUS_UNSUPPORTED. @thread any */
enum status json_check(struct bytes text, struct error *err);
/* What jsonb_out prints for it: keys by length and bytes, the last of equal keys, numbers as numeric, ": " and ", ". */
enum status json_canonical(struct bytes text, struct arena *a, struct bytes *out, struct error *err);

#endif
