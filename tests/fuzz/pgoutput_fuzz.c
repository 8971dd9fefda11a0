/* Messages of pgoutput: what is handed out lies inside of the message. */
#include "ingest/pgoutput.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_inside(struct bytes message, const void *data, size_t len)
{
    const uint8_t *p = data;
    if (len > 0 &&
        (p < message.data || p > message.data + message.len || len > (size_t)(message.data + message.len - p))) {
        abort();
    }
}

static void check_name(struct bytes message, const char *name)
{
    if (name != NULL) {
        check_inside(message, name, strlen(name) + 1);
    }
}

static void check_tuple(struct bytes message, const struct pgoutput_tuple *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct pgoutput_value *v = &t->values[i];
        check_inside(message, v->data, v->kind == PGOUTPUT_TEXT || v->kind == PGOUTPUT_BINARY ? v->len : 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct pgoutput_decoder decoder;
    struct pgoutput_message m;
    struct error err = {.text = ""};
    struct bytes message = bytes_of(data, len);
    if (pgoutput_decode(&decoder, message, &m, &err) != STATUS_OK) {
        if (err.text[0] == '\0') {
            abort();
        }
        return 0;
    }
    check_name(message, m.space);
    check_name(message, m.name);
    for (uint32_t i = 0; i < m.column_count; i++) {
        check_name(message, m.columns[i].name);
    }
    for (uint32_t i = 0; i < m.relation_count; i++) {
        check_inside(message, m.relations + (size_t)i * 4, 4);
    }
    check_tuple(message, &m.old_row);
    check_tuple(message, &m.new_row);
    check_inside(message, m.content.data, m.content.len);
    return 0;
}
