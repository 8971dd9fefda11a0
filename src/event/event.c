/* The encoding of event.h over the msgpack of row/packed.h. */
#include "event/event.h"

#include <assert.h>
#include <string.h>

enum { COLUMN_FIELDS = 5, COLUMN_KEY = 1, RECORD_ITEMS = 8, RECORD_MAY_REPEAT = 1 };

static struct bytes text_bytes(const char *text)
{
    return bytes_of(text, strlen(text));
}

static void append_head(struct buffer *out, uint32_t items, enum event_kind kind)
{
    packed_append_array(out, items);
    packed_append_uint(out, kind);
}

void event_append_commit(struct buffer *out, int64_t time_us, uint64_t xid)
{
    append_head(out, 3, EVENT_COMMIT);
    packed_append_int(out, time_us);
    packed_append_uint(out, xid);
}

void event_append_position(struct buffer *out, const char *name, uint64_t value)
{
    append_head(out, 3, EVENT_POSITION);
    packed_append_str(out, text_bytes(name));
    packed_append_uint(out, value);
}

void event_append_schema(struct buffer *out, const struct event_schema *schema)
{
    assert(schema->column_count <= EVENT_COLUMNS_MAX);
    append_head(out, 5, EVENT_SCHEMA);
    packed_append_uint(out, schema->table_id);
    packed_append_str(out, text_bytes(schema->schema));
    packed_append_str(out, text_bytes(schema->table));
    packed_append_array(out, schema->column_count);
    for (uint32_t i = 0; i < schema->column_count; i++) {
        const struct event_column *c = &schema->columns[i];
        packed_append_array(out, COLUMN_FIELDS);
        packed_append_str(out, text_bytes(c->name));
        packed_append_uint(out, type_oid(&c->type));
        packed_append_int(out, c->type.typmod);
        packed_append_str(out, text_bytes(c->type.name));
        packed_append_uint(out, c->key ? COLUMN_KEY : 0);
    }
}

void event_append_truncate(struct buffer *out, uint32_t table_id)
{
    append_head(out, 2, EVENT_TRUNCATE);
    packed_append_uint(out, table_id);
}

void event_append_quarantine(struct buffer *out, const char *origin, const char *reason, struct bytes raw)
{
    append_head(out, 4, EVENT_QUARANTINE);
    packed_append_str(out, text_bytes(origin));
    packed_append_str(out, text_bytes(reason));
    packed_append_bin(out, raw);
}

void event_append_quarantined_record(struct buffer *out, const char *origin, const char *reason,
                                     const struct event_record *record)
{
    append_head(out, RECORD_ITEMS, EVENT_QUARANTINE);
    packed_append_str(out, text_bytes(origin));
    packed_append_str(out, text_bytes(reason));
    packed_append_bin(out, record->raw);
    packed_append_str(out, record->topic);
    packed_append_bin(out, record->key);
    packed_append_uint(out, record->may_repeat ? RECORD_MAY_REPEAT : 0);
    packed_append_uint(out, record->context);
}

void event_append_row(struct buffer *out, enum event_kind kind, uint32_t table_id, uint32_t column_count)
{
    append_head(out, kind == EVENT_UPDATE ? 4 : 3, kind);
    packed_append_uint(out, table_id);
    packed_append_array(out, column_count);
}

void event_append_no_old(struct buffer *out)
{
    packed_append_nil(out);
}

void event_append_old(struct buffer *out, uint32_t column_count)
{
    packed_append_array(out, column_count);
}

/* ---- reading ---- */

static enum status read_u32(struct packed_reader *r, uint32_t *out, struct error *err)
{
    uint64_t value;
    TRY(packed_read_uint(r, &value, err));
    *out = (uint32_t)value;
    return value > UINT32_MAX ? error_set(err, STATUS_CORRUPT, 0, "a number in an event is past 32 bits") : STATUS_OK;
}

static enum status read_text(struct packed_reader *r, struct arena *a, const char **out, struct error *err)
{
    struct bytes text;
    TRY(packed_read_str(r, &text, err));
    *out = arena_strndup(a, (const char *)text.data, text.len);
    return STATUS_OK;
}

static enum status read_column(struct packed_reader *r, struct arena *a, struct event_column *out, struct error *err)
{
    uint32_t fields;
    uint32_t oid;
    uint32_t flags;
    int64_t typmod;
    struct bytes type_name;
    TRY(packed_read_array(r, &fields, err));
    if (fields != COLUMN_FIELDS) {
        return error_set(err, STATUS_CORRUPT, 0, "a journal entry's column has %u fields", fields);
    }
    TRY(read_text(r, a, &out->name, err));
    TRY(read_u32(r, &oid, err));
    TRY(packed_read_int(r, &typmod, err));
    TRY(packed_read_str(r, &type_name, err));
    TRY(read_u32(r, &flags, err));
    out->key = (flags & COLUMN_KEY) != 0;
    out->type =
        oid != 0 ? type_from_oid(oid, (int32_t)typmod) : (struct type){.kind = TYPE_OTHER, .typmod = (int32_t)typmod};
    if (oid == 0) {
        size_t len = type_name.len < TYPE_NAME_BYTES - 1 ? type_name.len : TYPE_NAME_BYTES - 1;
        memcpy(out->type.name, type_name.data, len);
    }
    return STATUS_OK;
}

static enum status read_schema(struct packed_reader *r, struct arena *a, struct event_schema *out, struct error *err)
{
    TRY(read_u32(r, &out->table_id, err));
    TRY(read_text(r, a, &out->schema, err));
    TRY(read_text(r, a, &out->table, err));
    TRY(packed_read_array(r, &out->column_count, err));
    if (out->column_count > EVENT_COLUMNS_MAX) {
        return error_set(err, STATUS_CORRUPT, 0, "a journal entry has %u columns", out->column_count);
    }
    out->columns = arena_zalloc(a, (out->column_count + 1) * sizeof *out->columns);
    for (uint32_t i = 0; i < out->column_count; i++) {
        TRY(read_column(r, a, &out->columns[i], err));
    }
    return STATUS_OK;
}

static enum status read_quarantine(struct packed_reader *r, uint32_t items, struct event *out, struct error *err)
{
    uint32_t flags;
    TRY(packed_read_str(r, &out->origin, err));
    TRY(packed_read_str(r, &out->reason, err));
    TRY(packed_read_bin(r, &out->raw, err));
    out->has_record = items == RECORD_ITEMS;
    if (!out->has_record) {
        return STATUS_OK;
    }
    out->record = (struct event_record){.raw = out->raw};
    TRY(packed_read_str(r, &out->record.topic, err));
    TRY(packed_read_bin(r, &out->record.key, err));
    TRY(read_u32(r, &flags, err));
    out->record.may_repeat = (flags & RECORD_MAY_REPEAT) != 0;
    return read_u32(r, &out->record.context, err);
}

static enum status read_body(struct packed_reader *r, uint32_t items, struct arena *a, struct event *out,
                             struct error *err)
{
    switch (out->kind) {
    case EVENT_INSERT:
    case EVENT_UPDATE:
    case EVENT_DELETE:
    case EVENT_READ:
    case EVENT_REMOVE:
        TRY(read_u32(r, &out->table_id, err));
        return packed_read_array(r, &out->column_count, err);
    case EVENT_TRUNCATE:
        return read_u32(r, &out->table_id, err);
    case EVENT_SCHEMA:
        TRY(read_schema(r, a, &out->schema, err));
        out->table_id = out->schema.table_id;
        return STATUS_OK;
    case EVENT_COMMIT:
        TRY(packed_read_int(r, &out->time_us, err));
        return packed_read_uint(r, &out->xid, err);
    case EVENT_POSITION:
        TRY(packed_read_str(r, &out->name, err));
        return packed_read_uint(r, &out->value, err);
    case EVENT_QUARANTINE:
        return read_quarantine(r, items, out, err);
    }
    return error_set(err, STATUS_CORRUPT, 0, "an event has the unknown kind %u; it was written by a newer version",
                     (unsigned)out->kind);
}

/* The head of a change in the form that nearly all have: a table id below 128, less than 16 columns. */
static inline bool read_short_head(struct packed_reader *r, struct event *out)
{
    enum { ARRAY_OF_3 = 0x93, ARRAY_OF_4 = 0x94, SHORT_ARRAY = 0x90, SHORT_MASK = 0xf0, ID_MAX = 0x7f, HEAD_BYTES = 4 };
    const uint8_t *at = r->next;
    if (r->end - at < HEAD_BYTES || at[1] > EVENT_READ || at[2] > ID_MAX || (at[3] & SHORT_MASK) != SHORT_ARRAY ||
        at[0] != (at[1] == EVENT_UPDATE ? ARRAY_OF_4 : ARRAY_OF_3)) {
        return false;
    }
    out->kind = (enum event_kind)at[1];
    out->table_id = at[2];
    out->column_count = at[3] & 0x0f;
    r->next += HEAD_BYTES;
    return true;
}

enum status event_read(struct packed_reader *r, struct arena *a, struct event *out, struct error *err)
{
    if (r->next == r->end) {
        return STATUS_END;
    }
    if (read_short_head(r, out)) {
        return STATUS_OK;
    }
    uint32_t items;
    uint64_t kind;
    TRY(packed_read_array(r, &items, err));
    TRY(packed_read_uint(r, &kind, err));
    out->kind = kind <= EVENT_KIND_LAST ? (enum event_kind)kind : (enum event_kind)(EVENT_KIND_LAST + 1);
    out->column_count = 0;
    return read_body(r, items, a, out, err);
}

enum status event_read_old(struct packed_reader *r, uint32_t *column_count, struct error *err)
{
    *column_count = 0;
    if (packed_next_is_nil(r)) {
        r->next += 1;
        return STATUS_OK;
    }
    return packed_read_array(r, column_count, err);
}

enum status event_skip_rest(struct packed_reader *r, const struct event *e, struct error *err)
{
    for (uint32_t i = 0; i < e->column_count; i++) {
        TRY(packed_skip(r, err));
    }
    return e->kind == EVENT_UPDATE ? packed_skip(r, err) : STATUS_OK;
}

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[] = {"insert", "update", "delete",   "read",       "truncate",
                                        "schema", "commit", "position", "quarantine", "remove"};
    return (unsigned)kind <= EVENT_KIND_LAST ? names[kind] : "unknown";
}
