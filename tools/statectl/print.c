/* Values as JSON and CSV. */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

void print_json_text(struct buffer *out, struct bytes text)
{
    bool utf8 = bytes_is_utf8(text);
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\') {
            buffer_append_byte(out, '\\');
            buffer_append_byte(out, c);
        } else if (c == '\n') {
            buffer_append_text(out, "\\n");
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
            buffer_printf(out, "\\u%04x", c);
        } else {
            buffer_append_byte(out, c);
        }
    }
    buffer_append_byte(out, '"');
}

/* Finite numbers are bare, with all their digits; all else is text as PostgreSQL prints it. */
void print_json_datum(struct buffer *out, const struct type *type, const struct datum *d)
{
    if (d->null) {
        buffer_append_text(out, "null");
        return;
    }
    struct buffer text = BUFFER_EMPTY;
    datum_print(type, d, &text);
    bool finite =
        text.len > 0 && text.data[text.len - 1] >= '0' && text.data[text.len - 1] <= '9'; /* not NaN, Infinity */
    if (type->kind == TYPE_BOOL) {
        buffer_append_text(out, d->v.i != 0 ? "true" : "false");
    } else if (type_is_number(type->kind) && finite) {
        buffer_append(out, text.data, text.len);
    } else {
        print_json_text(out, buffer_bytes(&text));
    }
    buffer_release(&text);
}

/* As CopyAttributeOutCSV of PostgreSQL: NULL is nothing, an empty text is "", and "\." alone on a line would end the
 * data. */
void print_csv_datum(struct buffer *out, const struct type *type, const struct datum *d, bool only_column)
{
    if (d->null) {
        return;
    }
    struct buffer text = BUFFER_EMPTY;
    datum_print(type, d, &text);
    bool quote = text.len == 0 || (only_column && text.len == 2 && memcmp(text.data, "\\.", 2) == 0);
    for (size_t i = 0; i < text.len && !quote; i++) {
        uint8_t c = text.data[i];
        quote = c == ',' || c == '"' || c == '\n' || c == '\r';
    }
    if (quote) {
        buffer_append_byte(out, '"');
    }
    for (size_t i = 0; i < text.len; i++) {
        if (quote && text.data[i] == '"') {
            buffer_append_byte(out, '"');
        }
        buffer_append_byte(out, text.data[i]);
    }
    if (quote) {
        buffer_append_byte(out, '"');
    }
    buffer_release(&text);
}

void print_flush(struct buffer *out)
{
    fwrite(out->data, 1, out->len, stdout);
    buffer_reset(out);
}
