/* Where Debezium sends another form than PostgreSQL prints (arrays as JSON arrays, bit strings as base64, money as a
 * number, times with zone as ISO 8601) it is printed as PostgreSQL would in a session of UTC; what has no such form
 * stays as it came. */
#include "ingest/debezium_value.h"

#include "ingest/debezium_time.h"
#include "row/datetime.h"
#include "row/decimal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MONEY_SCALE = 2, BITS_MAX = 83886080 };

static struct datum keep(struct arena *a, struct buffer *text)
{
    struct datum d = datum_bytes(bytes_of(arena_dup(a, text->data, text->len), text->len));
    buffer_release(text);
    return d;
}

static enum status as_it_comes(const struct debezium_value_context *c, const struct json_value *value,
                               struct datum *out, struct error *err)
{
    struct bytes text = value->kind == JSON_STRING ? json_value_text(value, c->arena) : value->text;
    if (value->escaped && memchr(text.data, 0, text.len) != NULL) {
        return error_set(err, STATUS_INVALID, 0, "a text with a null character, which PostgreSQL cannot hold");
    }
    *out = datum_bytes(text);
    return STATUS_OK;
}

/* ---- arrays ---- */

struct array_printer {
    const struct debezium_value_context *context;
    struct type element;
    struct debezium_hint hint;
    struct buffer text;
    struct buffer scratch;
};

/* "timestamp(3) without time zone" -> its name and modifiers. */
static enum status parse_type(const char *text, size_t len, struct type *out, struct error *err)
{
    char name[TYPE_NAME_BYTES];
    struct type_modifiers m = {.count = 0};
    size_t used = 0;
    bool inside = false;
    for (size_t i = 0; i < len && used < sizeof name - 1; i++) {
        char ch = text[i];
        if (ch == '(') {
            inside = true;
            m.count = 1;
        } else if (ch == ')') {
            inside = false;
        } else if (!inside) {
            name[used++] = ch;
        } else if (ch == ',' && m.count == 1) {
            m.count = 2;
        } else if (ch >= '0' && ch <= '9') {
            int32_t *value = &m.values[m.count - 1];
            *value = *value < 10000000 ? *value * 10 + (ch - '0') : *value;
        }
    }
    name[used] = '\0';
    return type_from_name(name, m, false, true, out, err);
}

static bool needs_quotes(struct bytes text)
{
    if (text.len == 0 || (text.len == 4 && strncasecmp((const char *)text.data, "null", 4) == 0)) {
        return true;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("\"\\{}, \t\n\r\v\f", text.data[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void print_quoted(struct bytes text, struct buffer *out)
{
    if (!needs_quotes(text)) {
        buffer_append(out, text.data, text.len);
        return;
    }
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, '"');
}

static enum status print_array(struct array_printer *p, const struct json_value *array, struct error *err);

static enum status print_element(struct array_printer *p, const struct json_value *value, struct error *err)
{
    struct datum d;
    bool nested = value->kind == JSON_ARRAY && p->element.kind != TYPE_JSON && p->element.kind != TYPE_JSONB;
    if (nested) {
        return print_array(p, value, err);
    }
    TRY(debezium_value_read(p->context, &p->element, &p->hint, value, &d, err));
    if (d.null) {
        buffer_append_text(&p->text, "NULL");
        return STATUS_OK;
    }
    buffer_reset(&p->scratch);
    datum_print(&p->element, &d, &p->scratch);
    print_quoted(buffer_bytes(&p->scratch), &p->text);
    return STATUS_OK;
}

/* As deep as the scanner goes. */
static enum status print_array(struct array_printer *p, const struct json_value *array, struct error *err)
{
    struct json_scan s = json_scan_of(array->text);
    struct json_value value;
    (void)json_scan_array(&s);
    buffer_append_byte(&p->text, '{');
    for (bool first = true; json_scan_element(&s, first) && json_scan_value(&s, &value); first = false) {
        if (!first) {
            buffer_append_byte(&p->text, ',');
        }
        TRY(print_element(p, &value, err));
    }
    buffer_append_byte(&p->text, '}');
    return STATUS_OK;
}

static enum status read_array(const struct debezium_value_context *c, const struct type *type,
                              const struct debezium_hint *hint, const struct json_value *value, struct datum *out,
                              struct error *err)
{
    struct debezium_value_context inner = *c;
    inner.may_be_missing = false;
    struct array_printer p = {.context = &inner,
                              .hint = {.form = hint->element_form, .scale = hint->element_scale},
                              .text = BUFFER_EMPTY,
                              .scratch = BUFFER_EMPTY};
    enum status st = parse_type(type->name, strlen(type->name) - 2, &p.element, err);
    if (st == STATUS_OK) {
        st = print_array(&p, value, err);
    }
    *out = keep(c->arena, &p.text);
    buffer_release(&p.scratch);
    return st;
}

/* ---- bit strings ---- */

/* The bytes are little-endian; without a declared length the leading zeros are not known. */
static enum status read_bits(const struct debezium_value_context *c, const struct type *type,
                             const struct json_value *value, struct datum *out, struct error *err)
{
    struct bytes data;
    if (value->kind == JSON_TRUE || value->kind == JSON_FALSE) {
        *out = datum_bytes(bytes_of(value->kind == JSON_TRUE ? "1" : "0", 1));
        return STATUS_OK;
    }
    if (value->kind != JSON_STRING) {
        return debezium_wrong_kind(type, value, err);
    }
    struct bytes text = json_value_text(value, c->arena);
    if (text.len % 4 != 0 || !debezium_base64(text, c->arena, &data)) {
        return as_it_comes(c, value, out, err);
    }
    size_t bits = data.len * 8;
    while (bits > 1 && (data.data[(bits - 1) / 8] >> ((bits - 1) % 8) & 1) == 0) {
        bits -= 1;
    }
    bool fixed = strncmp(type->name, "bit(", 4) == 0;
    c->column->lost = (uint8_t)(c->column->lost | (fixed ? 0 : LOSS_BITS));
    size_t length = fixed && type->typmod > 0 && type->typmod <= BITS_MAX ? (size_t)type->typmod : bits;
    if (bits > length) {
        return error_set(err, STATUS_INVALID, 0, "a bit string of %zu bits is no value of type %s", bits, type->name);
    }
    uint8_t *digits = arena_alloc(c->arena, length + 1);
    for (size_t i = 0; i < length; i++) {
        size_t bit = length - 1 - i;
        digits[i] = bit < bits && (data.data[bit / 8] >> (bit % 8) & 1) != 0 ? '1' : '0';
    }
    *out = datum_bytes(bytes_of(digits, length));
    return STATUS_OK;
}

/* ---- money, times, points ---- */

/* "1234.5" -> "$1,234.50", as PostgreSQL prints it with lc_monetary C or en_US. */
static void print_money(const struct datum *amount, struct arena *a, struct buffer *out)
{
    struct datum cents = decimal_round(a, amount, MONEY_SCALE);
    struct buffer plain = BUFFER_EMPTY;
    decimal_print(&cents, &plain);
    bool negative = plain.len > 0 && plain.data[0] == '-';
    const uint8_t *p = plain.data + negative;
    size_t whole = plain.len - (size_t)negative - MONEY_SCALE - 1;
    buffer_append_text(out, negative ? "-$" : "$");
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0) {
            buffer_append_byte(out, ',');
        }
        buffer_append_byte(out, p[i]);
    }
    buffer_append(out, p + whole, MONEY_SCALE + 1);
    buffer_release(&plain);
}

static enum status read_money(const struct debezium_value_context *c, const struct debezium_hint *hint,
                              const struct json_value *value, struct datum *out, struct error *err)
{
    struct type numeric = type_make(TYPE_NUMERIC);
    struct datum amount;
    struct bytes text = value->kind == JSON_STRING ? json_value_text(value, c->arena) : value->text;
    bool base64 =
        value->kind == JSON_STRING && (hint->form == FORM_DECIMAL || hint->form == FORM_BYTES ||
                                       (hint->form == FORM_GUESSED && memchr(text.data, '.', text.len) == NULL));
    if (value->kind != JSON_STRING && value->kind != JSON_NUMBER) {
        return as_it_comes(c, value, out, err);
    }
    if (base64) {
        int32_t scale = hint->form == FORM_DECIMAL ? hint->scale : MONEY_SCALE;
        TRY(debezium_decimal_from_base64(text, scale, c->arena, &amount, err));
    } else if (datum_parse(&numeric, text, c->arena, &amount, err) != STATUS_OK ||
               decimal_kind(&amount) != DECIMAL_FINITE) {
        return as_it_comes(c, value, out, err);
    }
    struct buffer printed = BUFFER_EMPTY;
    print_money(&amount, c->arena, &printed);
    *out = keep(c->arena, &printed);
    return STATUS_OK;
}

/* "10:34:56Z" -> "10:34:56+00": Debezium has moved it to UTC. */
static enum status read_time_with_zone(const struct debezium_value_context *c, const struct json_value *value,
                                       struct datum *out, struct error *err)
{
    struct error ignored;
    int64_t us;
    struct bytes text = value->kind == JSON_STRING ? json_value_text(value, c->arena) : bytes_of("", 0);
    bool utc = text.len > 0 && text.data[text.len - 1] == 'Z';
    if (!utc || debezium_time_from_text(text, &us, &ignored) != STATUS_OK) {
        return as_it_comes(c, value, out, err);
    }
    c->column->lost |= LOSS_ZONE;
    struct buffer printed = BUFFER_EMPTY;
    time_print(us, &printed);
    buffer_append_text(&printed, "+00");
    *out = keep(c->arena, &printed);
    return STATUS_OK;
}

/* {"x": 1.5, "y": 2, ...} -> "(1.5,2)" */
static enum status read_point(const struct debezium_value_context *c, const struct json_value *value, struct datum *out,
                              struct error *err)
{
    struct json_scan s = json_scan_of(value->text);
    struct json_value name;
    struct json_value member;
    struct json_value axis[2] = {{.kind = JSON_NULL}, {.kind = JSON_NULL}};
    if (value->kind != JSON_OBJECT || !json_scan_object(&s)) {
        return as_it_comes(c, value, out, err);
    }
    for (bool first = true; json_scan_member(&s, first, &name) && json_scan_value(&s, &member); first = false) {
        if (json_value_is(&name, "x") || json_value_is(&name, "y")) {
            axis[json_value_is(&name, "y")] = member;
        }
    }
    struct type number = type_make(TYPE_FLOAT8);
    struct buffer printed = BUFFER_EMPTY;
    for (size_t i = 0; i < 2; i++) {
        struct datum d;
        struct error ignored;
        if (axis[i].kind == JSON_NULL ||
            datum_parse(&number, json_value_text(&axis[i], c->arena), c->arena, &d, &ignored) != STATUS_OK) {
            buffer_release(&printed);
            return as_it_comes(c, value, out, err);
        }
        buffer_append_byte(&printed, i == 0 ? '(' : ',');
        datum_print(&number, &d, &printed);
    }
    buffer_append_byte(&printed, ')');
    *out = keep(c->arena, &printed);
    return STATUS_OK;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum status debezium_text_read(const struct debezium_value_context *c, const struct type *type,
                               const struct debezium_hint *hint, const struct json_value *value, struct datum *out,
                               struct error *err)
{
    size_t len = strlen(type->name);
    if (value->kind == JSON_ARRAY && len > 2 && strcmp(type->name + len - 2, "[]") == 0) {
        return read_array(c, type, hint, value, out, err);
    }
    if (begins(type->name, "bit(") || begins(type->name, "bit varying")) {
        return read_bits(c, type, value, out, err);
    }
    if (strcmp(type->name, "money") == 0) {
        return read_money(c, hint, value, out, err);
    }
    if (begins(type->name, "time(") || strcmp(type->name, "time with time zone") == 0) {
        return read_time_with_zone(c, value, out, err);
    }
    if (strcmp(type->name, "point") == 0) {
        return read_point(c, value, out, err);
    }
    return as_it_comes(c, value, out, err);
}
