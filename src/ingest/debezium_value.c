/* The declared type says what is wanted, the hint how it is written; where there is no hint the looks of the value and
 * Debezium's defaults decide. Numbers never pass through a double. */
#include "ingest/debezium_value.h"

#include "base/digits.h"
#include "ingest/debezium_time.h"
#include "row/datetime.h"
#include "row/decimal.h"

#include <string.h>
#include <strings.h>

#define US_PLAIN_MAX   INT64_C(200000000000000000) /* 6,300 years on both sides of 1970 */
#define DAYS_PLAIN_MAX INT64_C(2000000)

enum {
    COEFFICIENT_BYTES_MAX = 61230, /* the digits that a numeric can have */
    SCALE_MIN = -1000,
    MILLIS_PRECISION_MAX = 3,
    DOUBLE_DIGITS = 15
};

/* ---- base64 ---- */

static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

bool debezium_base64(struct bytes text, struct arena *a, struct bytes *out)
{
    size_t len = text.len;
    if (len % 4 == 0) {
        len -= len > 0 && text.data[len - 1] == '=';
        len -= len > 0 && len < text.len && text.data[len - 1] == '=';
    }
    if (len % 4 == 1) {
        return false;
    }
    uint8_t *to = arena_alloc(a, len / 4 * 3 + 3);
    size_t written = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < len; i++) {
        int six = sextet(text.data[i]);
        if (six < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)six;
        held += 6;
        if (held >= 8) {
            held -= 8;
            to[written++] = (uint8_t)(bits >> held);
        }
    }
    *out = bytes_of(to, written);
    return (bits & ((1u << held) - 1)) == 0;
}

/* ---- numbers ---- */

enum status debezium_wrong_kind(const struct type *type, const struct json_value *value, struct error *err)
{
    static const char *const names[] = {"null", "boolean", "boolean", "number", "string", "array", "object"};
    char name[TYPE_NAME_BYTES];
    return error_set(err, STATUS_INVALID, 0, "a JSON %s is no value of type %s", names[value->kind],
                     type_text(type, name));
}

static enum status read_int64(struct bytes text, int64_t *out, struct error *err)
{
    struct datum d;
    struct type bigint = {.kind = TYPE_INT8, .typmod = -1};
    TRY(datum_parse(&bigint, text, NULL, &d, err));
    *out = d.v.i;
    return STATUS_OK;
}

static enum status read_number(struct bytes text, int64_t *out, struct error *err)
{
    return digits_signed(text, out) ? STATUS_OK : read_int64(text, out, err);
}

static enum status read_int(const struct type *type, struct bytes text, struct datum *out, struct error *err)
{
    int64_t limit = type->kind == TYPE_INT2 ? INT16_MAX : type->kind == TYPE_INT4 ? INT32_MAX : INT64_MAX;
    *out = (struct datum){0};
    if (digits_signed(text, &out->v.i) && out->v.i >= -limit - 1 && out->v.i <= limit) {
        return STATUS_OK;
    }
    return datum_parse(type, text, NULL, out, err);
}

/* coefficient * 10^-scale for scales that PostgreSQL's numeric has no room for. */
static enum status shift_left(struct arena *a, int32_t digits, struct datum *d, struct error *err)
{
    struct datum factor;
    struct bytes text = bytes_of(arena_printf(a, "1e%d", digits), 0);
    text.len = strlen((const char *)text.data);
    TRY(decimal_parse(text, a, &factor, err));
    return decimal_multiply(a, d, &factor, d, err);
}

enum status debezium_decimal_from_base64(struct bytes text, int32_t scale, struct arena *a, struct datum *out,
                                         struct error *err)
{
    struct bytes unscaled;
    if (!debezium_base64(text, a, &unscaled) || unscaled.len == 0) {
        return error_set(err, STATUS_INVALID, 0, "\"%.*s\" is not the base64 of a number",
                         (int)(text.len < 80 ? text.len : 80), (const char *)text.data);
    }
    if (unscaled.len > COEFFICIENT_BYTES_MAX || scale < SCALE_MIN || scale > DECIMAL_SCALE_MAX) {
        return error_set(err, STATUS_INVALID, 0, "a number of %zu bytes with scale %d overflows numeric", unscaled.len,
                         scale);
    }
    *out = decimal_from_coefficient(a, unscaled, scale > 0 ? scale : 0);
    return scale < 0 ? shift_left(a, -scale, out, err) : STATUS_OK;
}

/* VariableScaleDecimal: {"scale": 2, "value": "MDk="} */
static enum status read_variable_scale(const struct json_value *value, struct arena *a, struct datum *out,
                                       struct error *err)
{
    struct json_scan s = json_scan_of(value->text);
    struct json_value name;
    struct json_value member;
    struct json_value unscaled = {.kind = JSON_NULL};
    int64_t scale = 0;
    bool has_scale = false;
    (void)json_scan_object(&s);
    for (bool first = true; json_scan_member(&s, first, &name) && json_scan_value(&s, &member); first = false) {
        if (json_value_is(&name, "value")) {
            unscaled = member;
        } else if (json_value_is(&name, "scale") && member.kind == JSON_NUMBER) {
            has_scale = digits_signed(member.text, &scale) && scale >= INT16_MIN && scale <= INT16_MAX;
        }
    }
    if (!has_scale || unscaled.kind != JSON_STRING) {
        return error_set(err, STATUS_INVALID, 0, "an object without \"scale\" and \"value\" is no numeric");
    }
    return debezium_decimal_from_base64(json_value_text(&unscaled, a), (int32_t)scale, a, out, err);
}

static int32_t declared_scale(const struct type *type)
{
    return (((type->typmod - 4) & 0x7ff) ^ 1024) - 1024;
}

/* True where a numeric(p,s) sent without a schema part is base64 of its unscaled value. Text of scale s has a point
 * unless s is 0; base64 has none. What can be both is decided by what the column, else the decoder, has shown before.
 */
static bool is_base64_decimal(const struct debezium_value_context *c, const struct type *type, struct bytes text)
{
    size_t digits = 0;
    bool plain = text.len > 0 && text.len % 4 == 0; /* as Java pads it */
    for (size_t i = 0; i < text.len; i++) {
        uint8_t ch = text.data[i];
        digits += ch >= '0' && ch <= '9';
        plain = plain && (sextet(ch) >= 0 || ch == '=') && ch != '-' && ch != '_';
    }
    bool base64 = plain && type->typmod >= 0 && strncasecmp((const char *)text.data, "infinity", text.len) != 0;
    bool both = base64 && digits == text.len && declared_scale(type) <= 0;
    if (both) {
        enum debezium_decimals known =
            c->column->decimals != DECIMALS_UNSEEN ? c->column->decimals : c->overall->decimals;
        return known == DECIMALS_BASE64;
    }
    if (digits > 0 || base64) { /* "NaN" shows nothing */
        c->column->decimals = base64 ? DECIMALS_BASE64 : DECIMALS_TEXT;
        c->overall->decimals = c->column->decimals;
    }
    return base64;
}

static void note_loss(const struct debezium_value_context *c, enum debezium_loss loss)
{
    c->column->lost = (uint8_t)(c->column->lost | loss);
}

/* A numeric that fits into 15 digits comes through a double unharmed. */
static bool fits_double(const struct type *type)
{
    return type->typmod >= 0 && ((type->typmod - 4) >> 16 & 0xffff) <= DOUBLE_DIGITS;
}

static enum status read_numeric(const struct debezium_value_context *c, const struct type *type,
                                const struct debezium_hint *hint, const struct json_value *value, struct datum *out,
                                struct error *err)
{
    if (value->kind == JSON_OBJECT) {
        TRY(read_variable_scale(value, c->arena, out, err));
        note_loss(c, type->typmod < 0 ? LOSS_ZEROS : 0);
    } else if (value->kind == JSON_NUMBER) {
        note_loss(c, hint->form == FORM_DECIMAL || fits_double(type) ? 0 : LOSS_DIGITS);
        return datum_parse(type, value->text, c->arena, out, err);
    } else if (value->kind == JSON_STRING) {
        struct bytes text = json_value_text(value, c->arena);
        bool base64 = hint->form == FORM_DECIMAL || (hint->form == FORM_GUESSED && is_base64_decimal(c, type, text));
        if (!base64) {
            return datum_parse(type, text, c->arena, out, err);
        }
        int32_t scale = hint->form == FORM_DECIMAL ? hint->scale : declared_scale(type);
        TRY(debezium_decimal_from_base64(text, scale, c->arena, out, err));
    } else {
        return debezium_wrong_kind(type, value, err);
    }
    return type->typmod < 0 ? STATUS_OK : decimal_apply_typmod(c->arena, type->typmod, out, err);
}

/* ---- bytes ---- */

static bool is_hex(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return text.len % 2 == 0;
}

/* binary.handling.mode is not in the record: bytes (with a schema part: FORM_BYTES), base64, base64-url-safe or hex. */
static bool is_hex_binary(const struct debezium_value_context *c, const struct debezium_hint *hint, struct bytes text)
{
    if (hint->form == FORM_BYTES || text.len == 0) {
        return false;
    }
    bool hex = is_hex(text);
    if (hex && text.len % 4 == 0) {
        enum debezium_binary known = c->column->binary != BINARY_UNSEEN ? c->column->binary : c->overall->binary;
        return known == BINARY_HEX || (known == BINARY_UNSEEN && hint->form == FORM_TEXT);
    }
    c->column->binary = hex ? BINARY_HEX : BINARY_BASE64;
    c->overall->binary = c->column->binary;
    return hex;
}

static enum status read_bytea(const struct debezium_value_context *c, const struct type *type,
                              const struct debezium_hint *hint, struct bytes text, struct datum *out, struct error *err)
{
    struct bytes data;
    if (text.len >= 2 && text.data[0] == '\\' && text.data[1] == 'x') {
        return datum_parse(type, text, c->arena, out, err);
    }
    if (is_hex_binary(c, hint, text)) {
        uint8_t *prefixed = arena_alloc(c->arena, text.len + 2);
        memcpy(prefixed, "\\x", 2);
        memcpy(prefixed + 2, text.data, text.len);
        return datum_parse(type, bytes_of(prefixed, text.len + 2), c->arena, out, err);
    }
    if (!debezium_base64(text, c->arena, &data)) {
        return error_set(err, STATUS_INVALID, 0, "neither base64 nor hexadecimal digits are in a value of type bytea");
    }
    *out = datum_bytes(data);
    return STATUS_OK;
}

/* ---- dates and times ---- */

static enum debezium_form unit_of(const struct debezium_value_context *c, const struct type *type,
                                  const struct debezium_hint *hint)
{
    enum debezium_form form = hint->form;
    if (form == FORM_GUESSED) {
        form = type->kind == TYPE_TIME ? c->units->time : c->units->timestamp;
    }
    if (form == FORM_CUT) {
        bool fits = type->typmod >= 0 && type->typmod <= MILLIS_PRECISION_MAX;
        note_loss(c, fits ? 0 : LOSS_MICROS);
        return FORM_MILLIS;
    }
    if (form == FORM_MILLIS || form == FORM_MICROS || form == FORM_NANOS) {
        return form;
    }
    return type->typmod >= 0 && type->typmod <= MILLIS_PRECISION_MAX ? FORM_MILLIS : FORM_MICROS;
}

static int64_t rounded(const struct type *type, int64_t us)
{
    return type->typmod < 0 ? us : timestamp_round(us, type->typmod);
}

static enum status read_timestamp(const struct debezium_value_context *c, const struct type *type,
                                  const struct debezium_hint *hint, const struct json_value *value, struct bytes text,
                                  int64_t *out, struct error *err)
{
    bool with_zone = type->kind == TYPE_TIMESTAMPTZ;
    int64_t number;
    if (value->kind == JSON_NUMBER && (!with_zone || hint->form != FORM_GUESSED)) {
        TRY(read_number(text, &number, err));
        TRY(debezium_timestamp_from_number(number, unit_of(c, type, hint), out, err));
    } else if (value->kind == JSON_STRING) {
        TRY(debezium_timestamp_from_text(text, with_zone, out, err));
    } else {
        return debezium_wrong_kind(type, value, err);
    }
    *out = rounded(type, *out);
    return STATUS_OK;
}

static enum status read_time(const struct debezium_value_context *c, const struct type *type,
                             const struct debezium_hint *hint, const struct json_value *value, struct bytes text,
                             int64_t *out, struct error *err)
{
    int64_t number;
    if (value->kind == JSON_NUMBER) {
        TRY(read_number(text, &number, err));
        TRY(debezium_time_from_number(number, unit_of(c, type, hint), out, err));
    } else if (value->kind == JSON_STRING) {
        TRY(debezium_time_from_text(text, out, err));
    } else {
        return debezium_wrong_kind(type, value, err);
    }
    *out = rounded(type, *out);
    return STATUS_OK;
}

static enum status read_date(const struct type *type, const struct json_value *value, struct bytes text, int64_t *out,
                             struct error *err)
{
    int64_t number;
    if (value->kind == JSON_NUMBER) {
        TRY(read_number(text, &number, err));
        return debezium_date_from_days(number, out, err);
    }
    return value->kind == JSON_STRING ? debezium_date_from_text(text, out, err) : debezium_wrong_kind(type, value, err);
}

static enum status read_interval(const struct debezium_value_context *c, const struct type *type,
                                 const struct debezium_hint *hint, const struct json_value *value, struct bytes text,
                                 struct datum *out, struct error *err)
{
    struct interval span = {0};
    int64_t number;
    if (value->kind == JSON_STRING) {
        return datum_parse(type, text, c->arena, out, err);
    }
    if (value->kind != JSON_NUMBER) {
        return debezium_wrong_kind(type, value, err);
    }
    TRY(read_number(text, &number, err));
    TRY(debezium_duration_from_number(number, hint->form == FORM_NANOS ? FORM_NANOS : FORM_MICROS, &span.us, err));
    note_loss(c, LOSS_MONTHS);
    uint8_t *sixteen = arena_alloc(c->arena, 16);
    interval_store(sixteen, span);
    *out = datum_bytes(bytes_of(sixteen, 16));
    return type->typmod < 0 ? STATUS_OK : datum_apply_typmod(type, false, c->arena, out, err);
}

/* ---- texts and the rest ---- */

static enum status check_text(struct bytes text, struct error *err)
{
    if (memchr(text.data, 0, text.len) != NULL) {
        return error_set(err, STATUS_INVALID, 0, "a text with a null character, which PostgreSQL cannot hold");
    }
    return STATUS_OK;
}

static enum status read_text(const struct type *type, const struct debezium_hint *hint, const struct json_value *value,
                             struct bytes text, struct datum *out, struct error *err)
{
    if (value->kind != JSON_STRING && hint->form != FORM_RAW && hint->form != FORM_PLAIN) {
        return debezium_wrong_kind(type, value, err);
    }
    if (value->escaped) {
        TRY(check_text(text, err));
    }
    *out = datum_bytes(text);
    return STATUS_OK;
}

static enum status read_bool(const struct debezium_value_context *c, const struct type *type,
                             const struct json_value *value, struct bytes text, struct datum *out, struct error *err)
{
    if (value->kind == JSON_TRUE || value->kind == JSON_FALSE) {
        *out = datum_int(value->kind == JSON_TRUE);
        return STATUS_OK;
    }
    return value->kind == JSON_STRING ? datum_parse(type, text, c->arena, out, err)
                                      : debezium_wrong_kind(type, value, err);
}

/* A number or a string that datum_parse reads. */
static enum status read_scalar(const struct debezium_value_context *c, const struct type *type, bool number,
                               const struct json_value *value, struct bytes text, struct datum *out, struct error *err)
{
    if (value->kind != JSON_STRING && !(number && value->kind == JSON_NUMBER)) {
        return debezium_wrong_kind(type, value, err);
    }
    return datum_parse(type, text, c->arena, out, err);
}

/* An array of nothing but the placeholder: as text, as base64 or as the UUID made from its bytes, or of the codes of
 * its bytes (int[] and date[]). */
static bool is_array_placeholder(const struct debezium_placeholder *p, struct bytes array, struct arena *a)
{
    struct json_scan s = json_scan_of(array);
    struct json_value v;
    size_t count = 0;
    bool string = true;
    bool codes = true;
    (void)json_scan_array(&s);
    for (bool first = true; json_scan_element(&s, first) && json_scan_value(&s, &v); first = false) {
        int64_t code;
        struct bytes text = v.kind == JSON_STRING ? json_value_text(&v, a) : bytes_of("", 0);
        string = string && count == 0 && v.kind == JSON_STRING &&
                 (bytes_equal(text, p->text) || bytes_equal(text, p->base64) || bytes_equal(text, p->uuid));
        codes = codes && count < p->text.len && v.kind == JSON_NUMBER && digits_signed(v.text, &code) &&
                code == (int8_t)p->text.data[count];
        count += 1;
        if (!string && !codes) {
            return false;
        }
    }
    return (string && count == 1) || (codes && count > 0 && count == p->text.len);
}

static bool is_placeholder(const struct debezium_placeholder *p, const struct type *type,
                           const struct json_value *value, struct arena *a)
{
    if (value->kind == JSON_STRING) {
        struct bytes text = value->escaped ? json_value_text(value, a) : value->text;
        return bytes_equal(text, p->text) || (type->kind == TYPE_BYTEA && bytes_equal(text, p->base64));
    }
    return value->kind == JSON_ARRAY && type->kind == TYPE_OTHER && is_array_placeholder(p, value->text, a);
}

/* The limits leave out what is refused and what has a meaning of its own: the codes for infinity. */
struct debezium_linear debezium_linear_of(const struct type *type, const struct debezium_hint *hint,
                                          const struct debezium_units *units)
{
    static const struct debezium_linear none = {.min = 1, .max = 0};
    enum debezium_form form = hint->form == FORM_GUESSED ? units->timestamp : hint->form;
    bool millis = type->typmod >= 0 && type->typmod <= MILLIS_PRECISION_MAX;
    switch ((int)type->kind) {
    case TYPE_INT8:
        return (struct debezium_linear){.factor = 1, .min = INT64_MIN, .max = INT64_MAX};
    case TYPE_INT4:
        return (struct debezium_linear){.factor = 1, .min = INT32_MIN, .max = INT32_MAX};
    case TYPE_DATE:
        return (struct debezium_linear){
            .factor = 1, .offset = -DATETIME_EPOCH_DAYS, .min = -DAYS_PLAIN_MAX, .max = DAYS_PLAIN_MAX};
    case TYPE_TIMESTAMP:
        if (form == FORM_MILLIS || (form == FORM_GUESSED && millis)) { /* needs no rounding in milliseconds */
            bool round = type->typmod < 0 || type->typmod >= MILLIS_PRECISION_MAX;
            return round ? (struct debezium_linear){.factor = 1000,
                                                    .offset = -DATETIME_EPOCH_US,
                                                    .min = -US_PLAIN_MAX / 1000,
                                                    .max = US_PLAIN_MAX / 1000}
                         : none;
        }
        return none;
    default:
        return none;
    }
}

enum status debezium_value_read(const struct debezium_value_context *c, const struct type *type,
                                const struct debezium_hint *hint, const struct json_value *value, struct datum *out,
                                struct error *err)
{
    if (value->kind == JSON_NULL) {
        if (type->kind == TYPE_NUMERIC && (hint->form == FORM_DECIMAL || c->column->decimals == DECIMALS_BASE64)) {
            note_loss(c, LOSS_NAN);
        } else if (type->kind == TYPE_BYTEA && c->may_be_missing && hint->form == FORM_TEXT &&
                   c->column->binary == BINARY_BASE64) {
            note_loss(c, LOSS_UNCHANGED);
        }
        *out = DATUM_NULL;
        return STATUS_OK;
    }
    if (c->may_be_missing && is_placeholder(c->placeholder, type, value, c->arena)) {
        *out = DATUM_MISSING;
        return STATUS_OK;
    }
    struct bytes text = value->kind == JSON_STRING ? json_value_text(value, c->arena) : value->text;
    *out = (struct datum){0};
    switch (type->kind) {
    case TYPE_BOOL:
        return read_bool(c, type, value, text, out, err);
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        return value->kind == JSON_NUMBER || value->kind == JSON_STRING ? read_int(type, text, out, err)
                                                                        : debezium_wrong_kind(type, value, err);
    case TYPE_NUMERIC:
        return read_numeric(c, type, hint, value, out, err);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return read_scalar(c, type, true, value, text, out, err);
    case TYPE_UUID:
        return read_scalar(c, type, false, value, text, out, err);
    case TYPE_UNKNOWN:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
        return read_text(type, hint, value, text, out, err);
    case TYPE_BYTEA:
        return value->kind == JSON_STRING ? read_bytea(c, type, hint, text, out, err)
                                          : debezium_wrong_kind(type, value, err);
    case TYPE_DATE:
        return read_date(type, value, text, &out->v.i, err);
    case TYPE_TIME:
        return read_time(c, type, hint, value, text, &out->v.i, err);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return read_timestamp(c, type, hint, value, text, &out->v.i, err);
    case TYPE_INTERVAL:
        return read_interval(c, type, hint, value, text, out, err);
    case TYPE_JSON:
    case TYPE_JSONB:
        return datum_parse(type, text, c->arena, out, err);
    case TYPE_OTHER:
        break;
    }
    return debezium_text_read(c, type, hint, value, out, err);
}
