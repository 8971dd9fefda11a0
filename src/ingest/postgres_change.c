/* Changes of the stream as items of the commit: inserts, updates, deletes and truncates of declared tables.
 *
 * The rest of the row before a change is not our business: what the source did not send is written as not sent, and the
 * table knows. */
#include "base/message.h"
#include "event/event.h"
#include "ingest/pgtext.h"
#include "ingest/postgres.h"

#include <stdio.h>
#include <string.h>

static enum status append_value(struct postgres *p, const struct pgcolumn *column, const struct pgoutput_value *v,
                                struct error *err)
{
    switch ((enum pgoutput_value_kind)v->kind) {
    case PGOUTPUT_TEXT:
        return pgtext_append(&p->out, &column->type, bytes_of(v->data, v->len), &p->scratch, err);
    case PGOUTPUT_NULL:
        packed_append_nil(&p->out);
        return STATUS_OK;
    case PGOUTPUT_UNCHANGED:
        packed_append_datum(&p->out, column->type.kind, &DATUM_MISSING);
        return STATUS_OK;
    case PGOUTPUT_BINARY:
        break;
    }
    return error_set(err, STATUS_INVALID, 0, "a binary value of %u bytes was sent though none was asked for", v->len);
}

/* An unchanged TOAST value stands in the old row if that was sent whole. */
static enum status append_new_row(struct postgres *p, const struct pgrelation *r, const struct pgoutput_tuple *row,
                                  const struct pgoutput_tuple *old, struct error *err)
{
    for (uint32_t i = 0; i < row->count; i++) {
        const struct pgoutput_value *v = &row->values[i];
        if (v->kind == PGOUTPUT_UNCHANGED && old != NULL && old->tag == 'O') {
            v = &old->values[i];
        }
        TRY(append_value(p, &r->columns[i], v, err));
    }
    return STATUS_OK;
}

/* Of a 'K' tuple only the identity's columns were sent. */
static enum status append_old_row(struct postgres *p, const struct pgrelation *r, const struct pgoutput_tuple *old,
                                  struct error *err)
{
    static const struct pgoutput_value not_sent = {.kind = PGOUTPUT_UNCHANGED};
    for (uint32_t i = 0; i < old->count; i++) {
        bool sent = old->tag == 'O' || r->columns[i].identity;
        TRY(append_value(p, &r->columns[i], sent ? &old->values[i] : &not_sent, err));
    }
    return STATUS_OK;
}

static bool key_changed(const struct pgrelation *r, const struct pgoutput_tuple *old, const struct pgoutput_tuple *row)
{
    for (uint32_t k = 0; k < r->key_count; k++) {
        const struct pgoutput_value *x = &old->values[r->key_columns[k]];
        const struct pgoutput_value *y = &row->values[r->key_columns[k]];
        if (y->kind != PGOUTPUT_UNCHANGED &&
            (x->kind != y->kind || x->len != y->len || (x->len > 0 && memcmp(x->data, y->data, x->len) != 0))) {
            return true;
        }
    }
    return false;
}

static enum status append_change(struct postgres *p, const struct pgrelation *r, const struct pgoutput_message *m,
                                 struct error *err)
{
    if (m->kind == PGOUTPUT_INSERT) {
        event_append_row(&p->out, EVENT_INSERT, r->table_id, r->column_count);
        return append_new_row(p, r, &m->new_row, NULL, err);
    }
    if (m->kind == PGOUTPUT_DELETE) {
        event_append_row(&p->out, EVENT_DELETE, r->table_id, r->column_count);
        return append_old_row(p, r, &m->old_row, err);
    }
    const struct pgoutput_tuple *old = m->old_row.tag == 0 ? NULL : &m->old_row;
    event_append_row(&p->out, EVENT_UPDATE, r->table_id, r->column_count);
    TRY(append_new_row(p, r, &m->new_row, old, err));
    if (old == NULL || !key_changed(r, old, &m->new_row)) {
        event_append_no_old(&p->out);
        return STATUS_OK;
    }
    event_append_old(&p->out, r->column_count);
    return append_old_row(p, r, old, err);
}

static void make_origin(const struct postgres *p, const struct pgrelation *r, char *out, size_t bytes)
{
    char lsn[POSTGRES_LSN_TEXT_BYTES];
    snprintf(out, bytes, "%.100s.%.100s, %s", r->table->schema, r->table->name, postgres_lsn_text(p->message_lsn, lsn));
}

static void ensure_commit(struct postgres *p)
{
    if (!p->commit_begun) {
        postgres_commit_begin(p, p->begin_time_us, p->begin_xid);
    }
}

static enum status find_relation(struct postgres *p, uint32_t oid, struct pgrelation **out, struct error *err)
{
    struct pgrelation *r = pgrelation_find(&p->relations, oid);
    if (!p->in_transaction || r == NULL || r->session != p->session) {
        return error_set(err, STATUS_INVALID, 0, "could not decode the source's stream: a change of table %u %s", oid,
                         p->in_transaction ? "without its description" : "outside a transaction");
    }
    if (r->table == NULL && !r->told) {
        message_line(MESSAGE_INFO, "source", "table %s is published but not declared: its changes are skipped",
                     r->name);
        r->told = true;
    }
    *out = p->skip_transaction || r->table == NULL ? NULL : r;
    return STATUS_OK;
}

enum status postgres_change(struct postgres *p, const struct pgoutput_message *m, struct bytes raw, struct error *err)
{
    struct pgrelation *r;
    TRY(find_relation(p, m->oid, &r, err));
    if (r == NULL) {
        return STATUS_OK;
    }
    if ((m->new_row.tag != 0 && m->new_row.count != r->column_count) ||
        (m->old_row.tag != 0 && m->old_row.count != r->column_count)) {
        return error_set(err, STATUS_INVALID, 0,
                         "could not decode the source's stream: a row of table %s.%s with %u columns instead of %u",
                         r->table->schema, r->table->name, m->new_row.tag != 0 ? m->new_row.count : m->old_row.count,
                         r->column_count);
    }
    ensure_commit(p);
    pgrelation_journal(&p->relations, r, p->commit_number, &p->out);
    size_t mark = p->out.len;
    char origin[256];
    origin[0] = '\0';
    struct error cause;
    bool bad = append_change(p, r, m, &cause) != STATUS_OK;
    if (bad || p->out.len - mark > SOURCE_ITEM_BYTES_MAX) {
        make_origin(p, r, origin, sizeof origin);
    }
    if (bad) { /* the change is kept as it came, in its place */
        p->out.len = mark;
        event_append_quarantine(&p->out, origin, cause.text, raw);
        TRY(source_quarantined(&p->options.output, bytes_of(p->out.data + mark, p->out.len - mark), err));
    }
    if (p->scratch.next != NULL) {
        arena_reset(&p->scratch);
    }
    p->base.received += 1;
    return postgres_commit_item(p, mark, origin, err);
}

enum status postgres_change_truncate(struct postgres *p, const struct pgoutput_message *m, struct error *err)
{
    for (uint32_t i = 0; i < m->relation_count; i++) {
        struct pgrelation *r;
        TRY(find_relation(p, pgoutput_relation(m, i), &r, err));
        if (r == NULL) {
            continue;
        }
        ensure_commit(p);
        pgrelation_journal(&p->relations, r, p->commit_number, &p->out);
        size_t mark = p->out.len;
        event_append_truncate(&p->out, r->table_id);
        p->base.received += 1;
        TRY(postgres_commit_item(p, mark, "", err));
    }
    return STATUS_OK;
}
