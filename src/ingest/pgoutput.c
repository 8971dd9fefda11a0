/* The reader steps through the message with a check before each step; the first step too far makes it broken for good,
 * so that a message handler can read all its fields and ask once. */
#include "ingest/pgoutput.h"

#include <string.h>

struct reader {
    const uint8_t *next;
    const uint8_t *end;
    bool broken;
};

static size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->next);
}

static const uint8_t *take(struct reader *r, size_t len)
{
    static const uint8_t nothing[8] = {0};
    if (r->broken || reader_left(r) < len) {
        r->broken = true;
        return nothing; /* callers that read more than 8 bytes ask `broken` first */
    }
    const uint8_t *p = r->next;
    r->next += len;
    return p;
}

static uint8_t take_u8(struct reader *r)
{
    return *take(r, 1);
}

static uint16_t take_u16(struct reader *r)
{
    return load_be16(take(r, 2));
}

static uint32_t take_u32(struct reader *r)
{
    return load_be32(take(r, 4));
}

static uint64_t take_u64(struct reader *r)
{
    return load_be64(take(r, 8));
}

static const char *take_text(struct reader *r)
{
    const uint8_t *nul = r->broken || reader_left(r) == 0 ? NULL : memchr(r->next, '\0', reader_left(r));
    if (nul == NULL) {
        r->broken = true;
        return "";
    }
    const char *text = (const char *)r->next;
    r->next = nul + 1;
    return text;
}

static void take_value(struct reader *r, struct pgoutput_value *out)
{
    out->kind = take_u8(r);
    out->data = NULL;
    out->len = 0;
    if (out->kind == PGOUTPUT_TEXT || out->kind == PGOUTPUT_BINARY) {
        uint32_t len = take_u32(r);
        if (len > INT32_MAX) {
            r->broken = true;
            return;
        }
        out->data = take(r, len);
        out->len = len;
    } else if (out->kind != PGOUTPUT_NULL && out->kind != PGOUTPUT_UNCHANGED) {
        r->broken = true;
    }
}

static void take_tuple(struct reader *r, uint8_t tag, struct pgoutput_value *values, struct pgoutput_tuple *out)
{
    uint32_t count = take_u16(r);
    if (count > PGOUTPUT_COLUMNS_MAX) {
        r->broken = true;
    }
    for (uint32_t i = 0; i < count && !r->broken; i++) {
        take_value(r, &values[i]);
    }
    *out = (struct pgoutput_tuple){.tag = tag, .count = count, .values = values};
}

static void take_relation(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
    m->oid = take_u32(r);
    m->space = take_text(r);
    m->name = take_text(r);
    m->identity = take_u8(r);
    uint32_t count = take_u16(r);
    if (count > PGOUTPUT_COLUMNS_MAX) {
        r->broken = true;
    }
    for (uint32_t i = 0; i < count && !r->broken; i++) {
        struct pgoutput_column *c = &d->columns[i];
        c->identity = (take_u8(r) & 1) != 0;
        c->name = take_text(r);
        c->type_oid = take_u32(r);
        c->typmod = (int32_t)take_u32(r);
    }
    m->columns = d->columns;
    m->column_count = count;
}

static void take_insert(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
    m->oid = take_u32(r);
    if (take_u8(r) != 'N') {
        r->broken = true;
        return;
    }
    take_tuple(r, 'N', d->new_values, &m->new_row);
}

static void take_update(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
    m->oid = take_u32(r);
    uint8_t tag = take_u8(r);
    if (tag == 'K' || tag == 'O') {
        take_tuple(r, tag, d->old_values, &m->old_row);
        tag = take_u8(r);
    }
    if (tag != 'N') {
        r->broken = true;
        return;
    }
    take_tuple(r, 'N', d->new_values, &m->new_row);
}

static void take_delete(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
    m->oid = take_u32(r);
    uint8_t tag = take_u8(r);
    if (tag != 'K' && tag != 'O') {
        r->broken = true;
        return;
    }
    take_tuple(r, tag, d->old_values, &m->old_row);
}

static void take_truncate(struct reader *r, struct pgoutput_message *m)
{
    m->relation_count = take_u32(r);
    m->flags = take_u8(r);
    if (m->relation_count > reader_left(r) / 4) {
        r->broken = true;
        return;
    }
    m->relations = take(r, (size_t)m->relation_count * 4);
}

static void take_message(struct reader *r, struct pgoutput_message *m)
{
    m->flags = take_u8(r);
    m->lsn = take_u64(r);
    m->name = take_text(r);
    uint32_t len = take_u32(r);
    m->content = bytes_of(take(r, len), len);
}

static bool take_body(struct pgoutput_decoder *d, struct reader *r, struct pgoutput_message *m)
{
    switch (m->kind) {
    case PGOUTPUT_BEGIN:
        m->lsn = take_u64(r);
        m->time_us = (int64_t)take_u64(r);
        m->xid = take_u32(r);
        return true;
    case PGOUTPUT_COMMIT:
        m->flags = take_u8(r);
        m->lsn = take_u64(r);
        m->end_lsn = take_u64(r);
        m->time_us = (int64_t)take_u64(r);
        return true;
    case PGOUTPUT_ORIGIN:
        m->lsn = take_u64(r);
        m->name = take_text(r);
        return true;
    case PGOUTPUT_RELATION:
        take_relation(d, r, m);
        return true;
    case PGOUTPUT_TYPE:
        m->oid = take_u32(r);
        m->space = take_text(r);
        m->name = take_text(r);
        return true;
    case PGOUTPUT_INSERT:
        take_insert(d, r, m);
        return true;
    case PGOUTPUT_UPDATE:
        take_update(d, r, m);
        return true;
    case PGOUTPUT_DELETE:
        take_delete(d, r, m);
        return true;
    case PGOUTPUT_TRUNCATE:
        take_truncate(r, m);
        return true;
    case PGOUTPUT_MESSAGE:
        take_message(r, m);
        return true;
    }
    return false;
}

enum status pgoutput_decode(struct pgoutput_decoder *d, struct bytes message, struct pgoutput_message *out,
                            struct error *err)
{
    struct reader r = {.next = message.data, .end = message.data + message.len};
    if (message.len == 0) {
        return error_set(err, STATUS_INVALID, 0, "could not decode a pgoutput message: it is empty");
    }
    uint8_t tag = take_u8(&r);
    *out = (struct pgoutput_message){.kind = (enum pgoutput_kind)tag};
    if (!take_body(d, &r, out)) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "could not decode a pgoutput message: unknown kind 0x%02x", tag);
    }
    if (r.broken || r.next != r.end) {
        return error_set(err, STATUS_INVALID, 0,
                         "could not decode a pgoutput message of kind '%c' and %zu bytes: it %s", tag, message.len,
                         r.broken ? "ends too early or contradicts itself" : "goes on too long");
    }
    return STATUS_OK;
}
