/* One JSON value of a Debezium row as a value of a PostgreSQL type. */
#ifndef INGEST_DEBEZIUM_VALUE_H
#define INGEST_DEBEZIUM_VALUE_H

#include "base/arena.h"
#include "base/error.h"
#include "ingest/debezium_schema.h"
#include "ingest/json.h"
#include "row/datum.h"

#include <stdbool.h>
#include <stdint.h>

/* What values have shown of a connector's settings, where no schema part tells them. */
enum debezium_decimals { DECIMALS_UNSEEN, DECIMALS_BASE64, DECIMALS_TEXT };
enum debezium_binary { BINARY_UNSEEN, BINARY_BASE64, BINARY_HEX };
/* What a setting has lost, or may have: it cannot be brought back, only told. */
enum debezium_loss {
    LOSS_DIGITS = 1, /* a numeric as a double */
    LOSS_ZEROS = 2,  /* an unconstrained numeric in precise mode; NaN, too */
    LOSS_NAN = 4,    /* a NULL in precise mode */
    LOSS_MICROS = 8,
    LOSS_MONTHS = 16,
    LOSS_ZONE = 32,
    LOSS_BITS = 64,
    LOSS_UNCHANGED = 128 /* a NULL of an update in a mode of base64, where Debezium has no placeholder */
};
struct debezium_habits {
    enum debezium_decimals decimals;
    enum debezium_binary binary;
    uint8_t lost; /* of enum debezium_loss */
    uint8_t told;
};

/* How numbers that nobody explains are meant; FORM_GUESSED (0) = by the declared precision. */
struct debezium_units {
    enum debezium_form time;
    enum debezium_form timestamp;
};

/* What stands for an unchanged TOAST value, in its forms. */
struct debezium_placeholder {
    struct bytes text;
    struct bytes base64;
    struct bytes uuid; /* empty where it is not known */
    struct arena arena;
};

struct debezium_value_context {
    struct arena *arena;
    struct debezium_habits *column;  /* of this column: read and written */
    struct debezium_habits *overall; /* of everything decoded so far */
    const struct debezium_units *units;
    const struct debezium_placeholder *placeholder;
    bool may_be_missing; /* the placeholder for an unchanged TOAST value is taken as such */
};

/* `out` borrows the value and the arena. It is DATUM_MISSING for the placeholder. STATUS_INVALID with what is wrong.
 * A string that may be base64 or text, of a column and a decoder that have not shown which, is taken as text if it is
 * a whole number for a numeric(p,0) (one in 1,700 base64 values looks like that, and only the first value of all can
 * be taken wrong), and as base64 if it is for a bytea. */
enum status debezium_value_read(const struct debezium_value_context *c, const struct type *type,
                                const struct debezium_hint *hint, const struct json_value *value, struct datum *out,
                                struct error *err);

/* How a column's whole numbers, which most values are, give their datum's v.i: number * factor + offset for numbers of
 * min to max; all others (none where max < min) go to debezium_value_read, which gives the same for these. */
struct debezium_linear {
    int64_t factor;
    int64_t offset;
    int64_t min;
    int64_t max;
};
struct debezium_linear debezium_linear_of(const struct type *type, const struct debezium_hint *hint,
                                          const struct debezium_units *units);

/* Of a time.precision.mode; NULL = the default. STATUS_INVALID where there is none of that name. */
enum status debezium_units_of(const char *time_precision, struct debezium_units *out, struct error *err);
/* "hex:..." are the bytes themselves. Of uuid[] only Debezium's own placeholder is known. */
void debezium_placeholder_init(struct debezium_placeholder *p, const char *text);
void debezium_placeholder_release(struct debezium_placeholder *p);

/* Types carried as PostgreSQL's text (debezium_text.c): arrays, bit strings, money, times with zone, points; others as
 * they come. */
enum status debezium_text_read(const struct debezium_value_context *c, const struct type *type,
                               const struct debezium_hint *hint, const struct json_value *value, struct datum *out,
                               struct error *err);
/* Decodes base64, both alphabets, padding optional. False where it is none. */
bool debezium_base64(struct bytes text, struct arena *a, struct bytes *out);
/* A numeric from base64 of its unscaled value. */
enum status debezium_decimal_from_base64(struct bytes text, int32_t scale, struct arena *a, struct datum *out,
                                         struct error *err);
/* "a JSON object is no value of type integer" */
enum status debezium_wrong_kind(const struct type *type, const struct json_value *value, struct error *err);

#endif
