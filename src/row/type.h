/* The column types that logfold computes with, and how PostgreSQL names them. */
#ifndef ROW_TYPE_H
#define ROW_TYPE_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers are stored in no file; names are. Order within a family is PostgreSQL's promotion order. */
enum type_kind {
    TYPE_UNKNOWN, /* a quoted literal or NULL before its type is resolved; never a column's type */
    TYPE_BOOL,
    TYPE_INT2,
    TYPE_INT4,
    TYPE_INT8,
    TYPE_NUMERIC,
    TYPE_FLOAT4,
    TYPE_FLOAT8,
    TYPE_TEXT,
    TYPE_VARCHAR,
    TYPE_BPCHAR, /* char(n): trailing blanks do not count in comparisons */
    TYPE_BYTEA,
    TYPE_DATE,
    TYPE_TIME,
    TYPE_TIMESTAMP,
    TYPE_TIMESTAMPTZ,
    TYPE_INTERVAL,
    TYPE_UUID,
    TYPE_JSON,  /* carried as text; no comparison */
    TYPE_JSONB, /* carried as PostgreSQL's output text; no comparison */
    TYPE_OTHER  /* any other type, arrays included: carried as PostgreSQL's output text; no expression */
};
enum { TYPE_KIND_COUNT = TYPE_OTHER + 1, TYPE_NAME_BYTES = 128 };

struct type {
    enum type_kind kind;
    int32_t typmod;             /* PostgreSQL's atttypmod, -1 = none */
    char name[TYPE_NAME_BYTES]; /* TYPE_OTHER only: what format_type() prints, e.g. "integer[]"; else "" */
};

/* The type without modifier. Not for TYPE_OTHER. */
struct type type_make(enum type_kind kind);
/* From the names and modifiers of a parse tree: `name` is PostgreSQL's internal or SQL name in lower case ("int8",
 * "bigint", "varchar", "numeric", "timestamptz", ...), `array` for any array of it. A name that PostgreSQL's core
 * does not have is still TYPE_OTHER where `allow_other`, else STATUS_UNSUPPORTED. Modifiers out of range:
 * STATUS_INVALID. */
struct type_modifiers {
    int32_t values[2];
    size_t count;
};
enum status type_from_name(const char *name, struct type_modifiers modifiers, bool array, bool allow_other,
                           struct type *out, struct error *err);
/* From pg_type.oid of the built-in types; any other oid gives TYPE_OTHER named "oid <n>". */
struct type type_from_oid(uint32_t oid, int32_t typmod);
/* pg_type.oid of a built-in kind, 0 for TYPE_OTHER and TYPE_UNKNOWN. */
uint32_t type_oid(const struct type *type);
/* Appends what format_type() prints: "character varying(500)", "numeric(12,3)", "timestamp(3) without time zone". */
void type_print(const struct type *type, struct buffer *out);
/* The same into a fixed text of TYPE_NAME_BYTES, for messages. Returns `out`. */
const char *type_text(const struct type *type, char out[static TYPE_NAME_BYTES]);
bool type_equal(const struct type *a, const struct type *b); /* modifiers included */

bool type_is_integer(enum type_kind kind);
bool type_is_number(enum type_kind kind);
bool type_is_text(enum type_kind kind);       /* text, varchar, bpchar */
bool type_is_comparable(enum type_kind kind); /* may be compared, ordered, grouped, joined on */
/* True where equal values may print differently (numeric, float4/8, interval, bpchar): a key made for equality then
 * does not tell the image. */
bool type_is_image_lossy(enum type_kind kind);

#endif
