/* Schemas and labels are made once; a record is copied together from them and the cells' texts. */
#include "debezium_write.h"

#include <stdio.h>
#include <time.h>

void debezium_writer_init(struct debezium_writer *w, const char *prefix, bool wrapped)
{
    *w = (struct debezium_writer){.prefix = prefix, .wrapped = wrapped};
    for (unsigned id = 1; id <= DEBEZIUM_TABLES; id++) {
        for (unsigned i = 0; i < debezium_tables[id].column_count; i++) {
            buffer_printf(&w->labels[id][i], "%c\"%s\":", i > 0 ? ',' : '{', debezium_tables[id].columns[i].name);
        }
        if (wrapped) {
            debezium_append_key_schema(id, prefix, &w->key_schema[id]);
            debezium_append_value_schema(id, prefix, &w->value_schema[id]);
        }
    }
}

void debezium_writer_release(struct debezium_writer *w)
{
    for (unsigned id = 1; id <= DEBEZIUM_TABLES; id++) {
        for (unsigned i = 0; i < debezium_tables[id].column_count; i++) {
            buffer_release(&w->labels[id][i]);
        }
        buffer_release(&w->key_schema[id]);
        buffer_release(&w->value_schema[id]);
    }
}

/* ---- rows ---- */

static void append_number(struct buffer *out, int64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--at = '-';
    }
    buffer_append(out, at, (size_t)(digits + sizeof digits - at));
}

static void append_label(struct buffer *out, const char *label, int64_t number)
{
    buffer_append_text(out, label);
    append_number(out, number);
}

/* At most 32767 hundredths. Java's double prints at least one digit after the point, precise strips zeros. */
static void append_decimal(struct buffer *out, int64_t hundredths, bool precise)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!precise) {
        buffer_printf(out, hundredths % 10 == 0 ? "%d.%d" : "%d.%02d", (int)(hundredths / 100),
                      (int)(hundredths % 10 == 0 ? hundredths / 10 % 10 : hundredths % 100));
        return;
    }
    int scale = 2;
    for (; scale > 0 && hundredths % 10 == 0; scale--) {
        hundredths /= 10;
    }
    unsigned n = (unsigned)hundredths;
    if (n < 128) {
        buffer_printf(out, "{\"scale\":%d,\"value\":\"%c%c==\"}", scale, base64[n >> 2], base64[(n & 3) << 4]);
    } else {
        buffer_printf(out, "{\"scale\":%d,\"value\":\"%c%c%c=\"}", scale, base64[n >> 10], base64[(n >> 4) & 63],
                      base64[(n & 15) << 2]);
    }
}

static void append_cell(const struct debezium_writer *w, enum debezium_type type, const struct debezium_cell *c,
                        struct buffer *out)
{
    if (c->text != NULL) {
        buffer_append_byte(out, '"');
        buffer_append_text(out, c->text);
        buffer_append_byte(out, '"');
    } else if (!c->has_number) {
        buffer_append(out, "null", 4);
    } else if (type == DEBEZIUM_BOOLEAN) {
        buffer_append_text(out, c->number != 0 ? "true" : "false");
    } else if (type == DEBEZIUM_DECIMAL) {
        append_decimal(out, c->number, !w->wrapped);
    } else {
        append_number(out, c->number);
    }
}

static void append_row(const struct debezium_writer *w, unsigned table, const struct debezium_row *row,
                       struct buffer *out)
{
    if (row == NULL) {
        buffer_append(out, "null", 4);
        return;
    }
    for (unsigned i = 0; i < debezium_tables[table].column_count; i++) {
        buffer_append(out, w->labels[table][i].data, w->labels[table][i].len);
        append_cell(w, debezium_tables[table].columns[i].type, &row->cells[i], out);
    }
    buffer_append_byte(out, '}');
}

/* ---- records ---- */

static void append_times(struct buffer *out, int64_t ns)
{
    append_label(out, "\"ts_ms\":", ns / 1000000);
    append_label(out, ",\"ts_us\":", ns / 1000);
    append_label(out, ",\"ts_ns\":", ns);
}

static void append_source(const struct debezium_writer *w, const struct debezium_change *c, struct buffer *out)
{
    const struct debezium_place *p = &c->place;
    buffer_append_text(out, ",\"source\":{\"version\":\"3.3.1.Final\",\"connector\":\"postgresql\",\"name\":\"");
    buffer_append_text(out, w->prefix);
    append_label(out, "\",\"ts_ms\":", p->commit_us / 1000);
    buffer_append_text(out, ",\"snapshot\":\"");
    buffer_append_text(out, p->snapshot);
    buffer_append_text(out, "\",\"db\":\"finance_db\",\"sequence\":\"[");
    if (p->last_commit_lsn == 0) {
        buffer_append_text(out, "null");
    } else {
        append_label(out, "\\\"", (int64_t)p->last_commit_lsn);
        buffer_append_text(out, "\\\"");
    }
    append_label(out, ",\\\"", (int64_t)p->lsn);
    append_label(out, "\\\"]\",\"ts_us\":", p->commit_us);
    append_label(out, ",\"ts_ns\":", p->commit_us * 1000);
    buffer_append_text(out, ",\"schema\":\"operations\",\"table\":\"");
    buffer_append_text(out, debezium_tables[c->table].name);
    append_label(out, "\",\"txId\":", (int64_t)p->xid);
    append_label(out, ",\"lsn\":", (int64_t)p->lsn);
    buffer_append_text(out, ",\"xmin\":null}");
}

static void append_transaction_id(const struct debezium_place *p, struct buffer *out)
{
    append_label(out, "\"id\":\"", (int64_t)p->xid);
    append_label(out, ":", (int64_t)p->lsn);
    buffer_append_byte(out, '"');
}

void debezium_write_key(const struct debezium_writer *w, unsigned table, int64_t id, struct buffer *out)
{
    buffer_append(out, w->key_schema[table].data, w->key_schema[table].len);
    buffer_append(out, w->labels[table][0].data, w->labels[table][0].len);
    append_number(out, id);
    buffer_append_text(out, w->wrapped ? "}}" : "}");
}

void debezium_write_value(const struct debezium_writer *w, const struct debezium_change *c, struct buffer *out)
{
    const struct debezium_place *p = &c->place;
    buffer_append(out, w->value_schema[c->table].data, w->value_schema[c->table].len);
    buffer_append_text(out, "{\"before\":");
    append_row(w, c->table, c->before, out);
    buffer_append_text(out, ",\"after\":");
    append_row(w, c->table, c->after, out);
    append_source(w, c, out);
    buffer_append_text(out, ",\"transaction\":");
    if (p->total_order == 0) {
        buffer_append(out, "null", 4);
    } else {
        buffer_append_byte(out, '{');
        append_transaction_id(p, out);
        append_label(out, ",\"total_order\":", (int64_t)p->total_order);
        append_label(out, ",\"data_collection_order\":", (int64_t)p->collection_order);
        buffer_append_byte(out, '}');
    }
    buffer_append_text(out, ",\"op\":\"");
    buffer_append_byte(out, (uint8_t)c->op);
    buffer_append_text(out, "\",");
    append_times(out, p->sent_ns);
    buffer_append_text(out, w->wrapped ? "}}" : "}");
}

void debezium_write_transaction_key(const struct debezium_writer *w, const struct debezium_place *p, struct buffer *out)
{
    buffer_append_text(out, w->wrapped ? debezium_transaction_key_schema : "");
    buffer_append_byte(out, '{');
    append_transaction_id(p, out);
    buffer_append_text(out, w->wrapped ? "}}" : "}");
}

static void begin_transaction(const struct debezium_writer *w, const char *status, const struct debezium_place *p,
                              struct buffer *out)
{
    buffer_append_text(out, w->wrapped ? debezium_transaction_value_schema : "");
    buffer_append_text(out, "{\"status\":\"");
    buffer_append_text(out, status);
    buffer_append_text(out, "\",");
    append_transaction_id(p, out);
}

void debezium_write_begin(const struct debezium_writer *w, const struct debezium_place *p, struct buffer *out)
{
    begin_transaction(w, "BEGIN", p, out);
    append_label(out, ",\"event_count\":null,\"data_collections\":null,\"ts_ms\":", p->commit_us / 1000);
    buffer_append_text(out, w->wrapped ? "}}" : "}");
}

void debezium_write_end(const struct debezium_writer *w, const struct debezium_place *p,
                        const uint64_t counts[DEBEZIUM_TABLES + 1], struct buffer *out)
{
    uint64_t all = 0;
    for (unsigned id = 1; id <= DEBEZIUM_TABLES; id++) {
        all += counts[id];
    }
    begin_transaction(w, "END", p, out);
    append_label(out, ",\"event_count\":", (int64_t)all);
    buffer_append_text(out, ",\"data_collections\":");
    char before = '[';
    for (unsigned id = 1; id <= DEBEZIUM_TABLES; id++) {
        if (counts[id] > 0) {
            buffer_printf(out, "%c{\"data_collection\":\"operations.%s\"", before, debezium_tables[id].name);
            append_label(out, ",\"event_count\":", (int64_t)counts[id]);
            buffer_append_byte(out, '}');
            before = ',';
        }
    }
    append_label(out, "],\"ts_ms\":", p->commit_us / 1000);
    buffer_append_text(out, w->wrapped ? "}}" : "}");
}

/* ---- COPY ---- */

/* "2025-12-25" or, with all 19 characters, "2025-12-25 17:46:40". */
static void append_time(struct buffer *out, int64_t seconds, size_t characters)
{
    struct tm parts;
    char text[32];
    time_t at = (time_t)seconds;
    (void)gmtime_r(&at, &parts);
    (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    buffer_append(out, text, characters);
}

static void append_copy_cell(enum debezium_type type, const struct debezium_cell *c, struct buffer *out)
{
    if (c->text != NULL || !c->has_number) {
        buffer_append_text(out, c->text != NULL ? c->text : "\\N");
    } else if (type == DEBEZIUM_BOOLEAN) {
        buffer_append_byte(out, c->number != 0 ? 't' : 'f');
    } else if (type == DEBEZIUM_DECIMAL) {
        buffer_printf(out, "%d.%02d", (int)(c->number / 100), (int)(c->number % 100));
    } else if (type == DEBEZIUM_DATE) {
        append_time(out, c->number * 86400, 10);
    } else if (type == DEBEZIUM_TIMESTAMP) {
        append_time(out, c->number / 1000, 19);
        buffer_printf(out, ".%03d", (int)(c->number % 1000));
    } else {
        append_number(out, c->number);
    }
}

void debezium_write_copy(unsigned table, const struct debezium_row *row, struct buffer *out)
{
    for (unsigned i = 0; i < debezium_tables[table].column_count; i++) {
        if (i > 0) {
            buffer_append_byte(out, '\t');
        }
        append_copy_cell(debezium_tables[table].columns[i].type, &row->cells[i], out);
    }
    buffer_append_byte(out, '\n');
}
