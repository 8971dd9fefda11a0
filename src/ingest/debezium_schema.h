/* The schema part of a Kafka Connect record: how each field of a row is written in JSON. Parsed once for each text. */
#ifndef INGEST_DEBEZIUM_SCHEMA_H
#define INGEST_DEBEZIUM_SCHEMA_H

#include "base/arena.h"
#include "base/bytes.h"
#include "row/type.h"

#include <stdint.h>

enum debezium_form {
    FORM_GUESSED, /* nobody says: by the declared type and the look of the value */
    FORM_RAW,     /* an undeclared column: strings as their text, anything else as its JSON text */
    FORM_PLAIN,   /* JSON says it all: numbers, booleans, structs */
    FORM_TEXT,    /* a string that is text */
    FORM_BYTES,   /* base64 */
    FORM_DECIMAL, /* base64 of the unscaled value, `scale` beside it */
    FORM_DAYS,    /* since 1970-01-01 */
    FORM_MILLIS,  /* since 1970-01-01, or since midnight, or a duration */
    FORM_CUT,     /* the same, whatever more the source has */
    FORM_MICROS,
    FORM_NANOS
};

/* How a value, or each element of an array, is written. */
struct debezium_hint {
    enum debezium_form form;
    int32_t scale;
    enum debezium_form element_form;
    int32_t element_scale;
};

struct debezium_field {
    struct bytes name;
    struct debezium_hint hint;
    struct type type; /* what a column nobody declared is kept as */
};

struct debezium_schema {
    struct bytes text;
    uint64_t serial; /* from 1; never used again for another text */
    struct debezium_field *fields;
    size_t field_count;
    struct arena arena;
};

enum { DEBEZIUM_SCHEMAS_MAX = 64 };

/* The schemas seen last, the newest first. */
struct debezium_schema_cache {
    struct debezium_schema *items[DEBEZIUM_SCHEMAS_MAX];
    size_t count;
    uint64_t serial_next;
};

void debezium_schema_cache_release(struct debezium_schema_cache *c);
/* The known schema that `document` begins with, NULL where none does. */
const struct debezium_schema *debezium_schema_cache_match(struct debezium_schema_cache *c, struct bytes document);
/* Parses the JSON object `text`, which the caller has checked; what is no Connect schema has no fields. The result
 * lives until DEBEZIUM_SCHEMAS_MAX others were used after it. */
const struct debezium_schema *debezium_schema_cache_add(struct debezium_schema_cache *c, struct bytes text);
/* NULL where the schema (may be NULL) has no such field. */
const struct debezium_field *debezium_schema_find(const struct debezium_schema *s, struct bytes name);

#endif
