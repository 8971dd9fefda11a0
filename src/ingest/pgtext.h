/* PostgreSQL's output text of a value, turned into its packed form. */
#ifndef INGEST_PGTEXT_H
#define INGEST_PGTEXT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "row/type.h"

/* Appends the packed value that `text` stands for. The usual forms of the usual types take a short way without
 * allocating; the rest goes through datum_parse, with `scratch` for what it needs. STATUS_INVALID where the text is no
 * value of the type; `out` may then hold half a value. */
enum status pgtext_append(struct buffer *out, const struct type *type, struct bytes text, struct arena *scratch,
                          struct error *err);

#endif
