/* Debezium's settings that nothing in a record tells. */
#include "ingest/debezium_value.h"

#include <stdio.h>
#include <string.h>

static const char own_placeholder[] = "__debezium_unavailable_value";
static const char own_uuid[] = "b68a35a7-17ad-35b3-af2a-ae46edb4545a"; /* by MD5 of its bytes */
static const char hex_prefix[] = "hex:";

enum status debezium_units_of(const char *time_precision, struct debezium_units *out, struct error *err)
{
    static const struct {
        const char *name;
        struct debezium_units units;
    } modes[] = {
        {"adaptive", {FORM_GUESSED, FORM_GUESSED}},
        {"adaptive_time_microseconds", {FORM_MICROS, FORM_GUESSED}},
        {"connect", {FORM_CUT, FORM_CUT}},
        {"isostring", {FORM_GUESSED, FORM_GUESSED}},
        {"microseconds", {FORM_MICROS, FORM_MICROS}},
        {"nanoseconds", {FORM_NANOS, FORM_NANOS}},
    };
    *out = modes[0].units;
    if (time_precision == NULL || time_precision[0] == '\0') {
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, time_precision) == 0) {
            *out = modes[i].units;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID, 0,
                     "could not use time_precision \"%s\" (section [source]): Debezium has adaptive, "
                     "adaptive_time_microseconds, connect, isostring, microseconds and nanoseconds",
                     time_precision);
}

static int nibble(char c)
{
    const char *at = c != '\0' ? strchr("0123456789abcdef0123456789ABCDEF", c) : NULL;
    return at != NULL ? (int)((at - "0123456789abcdef0123456789ABCDEF") % 16) : -1;
}

static struct bytes keep(struct debezium_placeholder *p, struct buffer *text)
{
    struct bytes kept = bytes_of(arena_dup(&p->arena, text->data, text->len), text->len);
    buffer_reset(text);
    return kept;
}

static void append_base64(struct bytes data, struct buffer *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t three = (uint32_t)data.data[i] << 16;
        three |= left > 1 ? (uint32_t)data.data[i + 1] << 8 : 0;
        three |= left > 2 ? data.data[i + 2] : 0;
        buffer_append_byte(out, (uint8_t)letters[three >> 18]);
        buffer_append_byte(out, (uint8_t)letters[three >> 12 & 63]);
        buffer_append_byte(out, left > 1 ? (uint8_t)letters[three >> 6 & 63] : '=');
        buffer_append_byte(out, left > 2 ? (uint8_t)letters[three & 63] : '=');
    }
}

void debezium_placeholder_init(struct debezium_placeholder *p, const char *text)
{
    struct buffer b = BUFFER_EMPTY;
    *p = (struct debezium_placeholder){.arena = ARENA_EMPTY};
    if (strncmp(text, hex_prefix, strlen(hex_prefix)) == 0) {
        for (const char *at = text + strlen(hex_prefix); nibble(at[0]) >= 0 && nibble(at[1]) >= 0; at += 2) {
            buffer_append_byte(&b, (uint8_t)(nibble(at[0]) << 4 | nibble(at[1])));
        }
    } else {
        buffer_append_text(&b, text);
    }
    p->text = keep(p, &b);
    append_base64(p->text, &b);
    p->base64 = keep(p, &b);
    p->uuid = strcmp(text, own_placeholder) == 0 ? bytes_of(own_uuid, sizeof own_uuid - 1) : bytes_of("", 0);
    buffer_release(&b);
}

void debezium_placeholder_release(struct debezium_placeholder *p)
{
    arena_release(&p->arena);
    *p = (struct debezium_placeholder){.arena = ARENA_EMPTY};
}
