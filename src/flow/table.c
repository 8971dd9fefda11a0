/* Source tables: what each change did to the row of its key.
 *
 * In a run the changes of one key are gathered into one: the value before the run and the newest. So a row changed ten
 * times costs one read and one write of the map, and views see one retraction and one insertion. A row is the declared
 * columns as packed values one after another; where the source sends just those, the bytes of the log are the bytes of
 * the row. */
#include "flow/inner.h"

#include "base/memory.h"
#include "flow/keyset.h"
#include "row/packed.h"
#include "row/tuple.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct change {
    struct bytes before; /* data NULL = no row */
    struct bytes after;
};

/* The run's changes, by the numbers of their keys. */
struct table_changes {
    struct keyset keys;
    struct change *items;
    size_t capacity;
    size_t removed_idx; /* what the newest delete took out: a change of key may come as a delete and then an update */
    struct bytes removed;
};

enum { TRUNCATE_ROWS = 1 << 16 };

enum status table_open(struct flow *f, struct table *t, const struct catalog_table *declared, struct error *err)
{
    t->declared = declared;
    t->changes = mem_zalloc(sizeof *t->changes);
    t->key_position = arena_zalloc(&f->arena, (declared->column_count + 1) * sizeof *t->key_position);
    for (uint32_t i = 0; i < declared->key_count; i++) {
        t->key_position[declared->key_columns[i]] = i + 1;
    }
    return store_map_open(f->store, table_map_name(&f->arena, declared), &t->map, err);
}

void table_release(struct table *t)
{
    if (t->changes != NULL) {
        mem_free(t->changes->items);
        keyset_release(&t->changes->keys);
        mem_free(t->changes);
    }
}

/* The change of this key in this run; made, with the row as it is in the map, where there is none yet. Valid until the
 * next one is made. */
static enum status find_change(struct flow *f, struct table *t, struct bytes key, struct change **out,
                               struct error *err)
{
    struct table_changes *c = t->changes;
    size_t known = c->keys.count;
    uint32_t number = keyset_add(&c->keys, key);
    mem_grow(&c->items, &c->capacity, c->keys.count, sizeof *c->items);
    *out = &c->items[number];
    if (number < known) {
        return STATUS_OK;
    }
    struct bytes value;
    enum status st = store_get(t->map, key, &value, err);
    if (st != STATUS_OK && st != STATUS_NOT_FOUND) {
        return st;
    }
    (*out)->before =
        st == STATUS_OK ? bytes_of(arena_dup(&f->run, value.data, value.len), value.len) : bytes_of(NULL, 0);
    (*out)->after = (*out)->before;
    return STATUS_OK;
}

/* ---- rows as the log has them -> rows of the table ---- */

enum { KEY_COLUMNS_MAX = 32 }; /* PostgreSQL's own limit */

struct new_row {
    struct bytes value; /* declared columns, packed */
    bool key_only;      /* nothing but the key is asked for: other values need not convert */
    bool missing;       /* some value was not sent */
    bool bad;           /* some value does not convert: */
    struct error reason;
    struct datum key[KEY_COLUMNS_MAX]; /* by position in the primary key */
};

/* Not by an initializer: that would clear a kilobyte a change. */
static void begin_row(struct new_row *row, bool key_only)
{
    row->value = bytes_of(NULL, 0);
    row->key_only = key_only;
    row->missing = false;
    row->bad = false;
}

static bool is_missing(const uint8_t *at, const uint8_t *end)
{
    return end - at >= 3 && at[0] == 0xd4 && at[1] == 3; /* ext 3 of packed.h */
}

/* Same columns, same order: the bytes are taken as they are. */
static enum status read_straight(struct flow *f, const struct table *t, const struct reading *reading,
                                 struct packed_reader *r, struct new_row *out, struct error *err)
{
    const uint8_t *start = r->next;
    for (uint32_t i = 0; i < reading->source_count; i++) {
        const uint8_t *next = t->key_position[i] != 0 ? NULL : packed_step(r->next, r->end);
        if (next != NULL) {
            r->next = next;
            continue;
        }
        out->missing = out->missing || is_missing(r->next, r->end);
        if (t->key_position[i] != 0) {
            TRY(packed_read_datum(r, reading->source_types[i].kind, &f->run, &out->key[t->key_position[i] - 1], err));
        } else {
            TRY(packed_skip(r, err));
        }
    }
    out->value = bytes_of(start, (size_t)(r->next - start));
    return STATUS_OK;
}

/* The value as the declared type; its failure where it does not convert. */
static enum status convert_value(struct flow *f, const struct type *from, const struct catalog_column *to,
                                 struct datum *d, struct error *reason)
{
    if (d->null || from->kind == to->type.kind) {
        return STATUS_OK;
    }
    struct buffer text = BUFFER_EMPTY;
    datum_print(from, d, &text);
    struct bytes kept = bytes_of(arena_dup(&f->run, text.data, text.len), text.len);
    buffer_release(&text);
    return datum_parse(&to->type, kept, &f->run, d, reason) == STATUS_OK
               ? STATUS_OK
               : error_prefix(reason, "column \"%s\"", to->name);
}

static enum status read_converted(struct flow *f, const struct table *t, const struct reading *reading,
                                  struct packed_reader *r, struct new_row *out, struct error *err)
{
    const struct catalog_table *declared = t->declared;
    struct datum *values = arena_alloc(&f->run, (reading->source_count + 1) * sizeof *values);
    for (uint32_t i = 0; i < reading->source_count; i++) {
        TRY(packed_read_datum(r, reading->source_types[i].kind, &f->run, &values[i], err));
    }
    struct buffer packed = BUFFER_EMPTY;
    for (uint32_t i = 0; i < declared->column_count && !out->bad; i++) {
        struct datum d = DATUM_NULL;
        if (out->key_only && t->key_position[i] == 0) {
            continue;
        }
        if (reading->source[i] != UINT32_MAX) {
            d = values[reading->source[i]];
            out->bad = convert_value(f, &reading->source_types[reading->source[i]], &declared->columns[i], &d,
                                     &out->reason) != STATUS_OK;
        }
        out->missing = out->missing || d.missing;
        if (t->key_position[i] != 0) {
            out->key[t->key_position[i] - 1] = d;
        }
        packed_append_datum(&packed, declared->columns[i].type.kind, &d);
    }
    out->value = bytes_of(arena_dup(&f->run, packed.data, packed.len), packed.len);
    buffer_release(&packed);
    return STATUS_OK;
}

static enum status read_row(struct flow *f, const struct table *t, const struct reading *reading, uint32_t column_count,
                            struct packed_reader *r, struct new_row *out, struct error *err)
{
    if (column_count != reading->source_count) {
        return error_set(err, STATUS_CORRUPT, 0, "a row of table %s.%s has %u values, its journal entry %u columns",
                         t->declared->schema, t->declared->name, column_count, reading->source_count);
    }
    return reading->straight ? read_straight(f, t, reading, r, out, err) : read_converted(f, t, reading, r, out, err);
}

/* The key's bytes; false where a key column is NULL or was not sent. */
static bool encode_key(struct flow *f, const struct table *t, const struct datum *key, struct buffer *out)
{
    (void)f;
    const struct catalog_table *declared = t->declared;
    for (uint32_t i = 0; i < declared->key_count; i++) {
        if (key[i].null) {
            return false;
        }
        tuple_append(out, declared->columns[declared->key_columns[i]].type.kind, &key[i], TUPLE_EQUALITY);
    }
    return true;
}

static struct bytes kept_key(struct flow *f)
{
    return bytes_of(arena_dup(&f->run, f->key.data, f->key.len), f->key.len);
}

/* Fills what was not sent from the stored row. */
static enum status complete_row(struct flow *f, const struct table *t, struct bytes stored, struct bytes *value,
                                struct error *err)
{
    struct packed_reader fresh = packed_reader_of(*value);
    struct packed_reader old = packed_reader_of(stored);
    struct buffer out = BUFFER_EMPTY;
    enum status st = STATUS_OK;
    for (uint32_t i = 0; i < t->declared->column_count && st == STATUS_OK; i++) {
        bool missing = is_missing(fresh.next, fresh.end);
        const uint8_t *fresh_start = fresh.next;
        const uint8_t *old_start = old.next;
        TRY_GOTO(done, packed_skip(&fresh, err));
        TRY_GOTO(done, packed_skip(&old, err));
        if (missing) {
            buffer_append(&out, old_start, (size_t)(old.next - old_start));
        } else {
            buffer_append(&out, fresh_start, (size_t)(fresh.next - fresh_start));
        }
    }
    *value = bytes_of(arena_dup(&f->run, out.data, out.len), out.len);
done:
    buffer_release(&out);
    return st;
}

/* ---- one change ---- */

static enum status reject(struct flow *f, const struct table *t, const struct event *e, const char *why,
                          const uint8_t *from, const uint8_t *to, struct error *err)
{
    char reason[ERROR_TEXT_BYTES_MAX + 200];
    char origin[64];
    int reason_len = snprintf(reason, sizeof reason, "%s of table %s.%s: %s", event_kind_name(e->kind),
                              t->declared->schema, t->declared->name, why);
    int origin_len = snprintf(origin, sizeof origin, "commit %" PRIu64 " item %" PRIu64, f->seq, f->ordinal);
    f->reject_count += 1;
    return quarantine_add(f, bytes_of(origin, (size_t)origin_len), bytes_of(reason, (size_t)reason_len),
                          bytes_of(from, (size_t)(to - from)), err);
}

static enum status put_row(struct flow *f, struct table *t, const struct event *e, struct bytes key,
                           struct new_row *row, struct bytes stored, const uint8_t *from, const uint8_t *to,
                           struct error *err)
{
    struct change *change;
    TRY(find_change(f, t, key, &change, err));
    struct bytes old = stored.data != NULL ? stored : change->after;
    if (row->missing) {
        if (old.data == NULL) {
            return reject(f, t, e, "the row is not known and some of its values were not sent", from, to, err);
        }
        TRY(complete_row(f, t, old, &row->value, err));
    }
    change->after = row->value;
    return STATUS_OK;
}

static enum status fold_update(struct flow *f, struct table *t, const struct event *e, struct bytes key,
                               struct new_row *row, bool has_old, const struct datum *old_key, const uint8_t *from,
                               const uint8_t *to, struct error *err)
{
    struct bytes stored = bytes_of(NULL, 0);
    buffer_reset(&f->key);
    if (has_old && encode_key(f, t, old_key, &f->key) && !bytes_equal(buffer_bytes(&f->key), key)) {
        struct change *gone;
        TRY(find_change(f, t, buffer_bytes(&f->key), &gone, err));
        stored = gone->after;
        if (stored.data == NULL && t->changes->removed_idx == (size_t)(gone - t->changes->items)) {
            stored = t->changes->removed;
        }
        gone->after = bytes_of(NULL, 0);
    }
    return put_row(f, t, e, key, row, stored, from, to, err);
}

static enum status fold_delete(struct flow *f, struct table *t, const struct event *e, struct bytes key,
                               const uint8_t *from, const uint8_t *to, struct error *err)
{
    struct change *change;
    TRY(find_change(f, t, key, &change, err));
    if (change->after.data == NULL && e->kind == EVENT_DELETE) {
        return reject(f, t, e, "the row is not known", from, to, err);
    }
    t->changes->removed_idx = (size_t)(change - t->changes->items);
    t->changes->removed = change->after;
    change->after = bytes_of(NULL, 0);
    return STATUS_OK;
}

enum status table_fold(struct flow *f, const struct event *e, const struct reading *reading, struct packed_reader *r,
                       struct error *err)
{
    struct table *t = reading->table;
    struct new_row row;
    struct new_row old;
    uint32_t old_count = 0;
    const uint8_t *from = r->next;
    bool gone = e->kind == EVENT_DELETE || e->kind == EVENT_REMOVE;
    begin_row(&row, gone);
    begin_row(&old, true);
    TRY(read_row(f, t, reading, e->column_count, r, &row, err));
    if (e->kind == EVENT_UPDATE) {
        TRY(event_read_old(r, &old_count, err));
        if (old_count > 0) {
            TRY(read_row(f, t, reading, old_count, r, &old, err));
        }
    }
    if (row.bad || old.bad) {
        return reject(f, t, e, row.bad ? row.reason.text : old.reason.text, from, r->next, err);
    }
    for (uint32_t i = 0; old_count > 0 && i < t->declared->key_count; i++) {
        row.key[i] = row.key[i].missing ? old.key[i] : row.key[i]; /* an unchanged TOAST value may be part of a key */
    }
    buffer_reset(&f->key);
    bool whole_key = encode_key(f, t, row.key, &f->key);
    if (!whole_key) {
        return reject(f, t, e, "a column of the primary key is NULL or was not sent", from, r->next, err);
    }
    if (gone) {
        return fold_delete(f, t, e, buffer_bytes(&f->key), from, r->next, err);
    }
    if (e->kind == EVENT_UPDATE) {
        return fold_update(f, t, e, kept_key(f), &row, old_count > 0, old.key, from, r->next, err);
    }
    return put_row(f, t, e, buffer_bytes(&f->key), &row, bytes_of(NULL, 0), from, r->next, err);
}

/* Takes up to TRUNCATE_ROWS rows out of the table. */
static enum status truncate_some(struct flow *f, struct table *t, size_t *count, struct error *err)
{
    struct store_cursor *cursor;
    *count = 0;
    TRY(store_cursor_open(t->map, &cursor, err));
    enum status st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK && *count < TRUNCATE_ROWS) {
        struct bytes key;
        struct bytes value;
        struct change *change;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_OK) {
            st = find_change(f, t, key, &change, err);
        }
        if (st == STATUS_OK) {
            change->after = bytes_of(NULL, 0);
            f->changes += 1;
            *count += 1;
        }
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

/* A table may be larger than memory: it is emptied in runs of its own. */
enum status table_truncate(struct flow *f, struct table *t, struct error *err)
{
    size_t count;
    TRY(flow_run(f, err));
    do {
        TRY(truncate_some(f, t, &count, err));
        if (count > 0) {
            TRY(flow_run(f, err));
        }
        if (store_is_full(f->store)) {
            TRY(store_spill(f->store, err));
        }
    } while (count > 0);
    return STATUS_OK;
}

/* ---- the run ---- */

static enum status emit_row(struct flow *f, struct table *t, struct bytes value, int64_t weight, struct error *err)
{
    struct node *n = t->node;
    struct packed_reader r = packed_reader_of(value);
    struct datum *row = n->row;
    uint32_t end = t->declared->column_count;
    for (; end > 0 && !n->needed[end - 1]; end--) {
        row[end - 1] = DATUM_NULL;
    }
    for (uint32_t i = 0; i < end; i++) {
        if (n->needed[i]) {
            TRY(packed_read_datum(&r, t->declared->columns[i].type.kind, &f->run, &row[i], err));
            continue;
        }
        row[i] = DATUM_NULL;
        const uint8_t *next = packed_step(r.next, r.end);
        if (next != NULL) {
            r.next = next;
        } else {
            TRY(packed_skip(&r, err));
        }
    }
    return node_emit(f, n, row, weight, err);
}

static enum status apply_change(struct flow *f, struct table *t, struct bytes key, const struct change *c,
                                struct error *err)
{
    if (c->before.data != NULL && c->after.data != NULL && bytes_equal(c->before, c->after)) {
        return STATUS_OK;
    }
    if (c->before.data == NULL && c->after.data == NULL) {
        return STATUS_OK;
    }
    if (t->node != NULL && c->before.data != NULL) {
        TRY(emit_row(f, t, c->before, -1, err));
    }
    if (c->after.data == NULL) {
        return store_delete(t->map, key, err);
    }
    if (t->node != NULL) {
        TRY(emit_row(f, t, c->after, 1, err));
    }
    return store_put(t->map, key, c->after, err);
}

enum status table_run(struct flow *f, struct table *t, struct error *err)
{
    struct table_changes *c = t->changes;
    for (size_t i = 0; i < c->keys.count; i++) {
        TRY(apply_change(f, t, keyset_key(&c->keys, i), &c->items[i], err));
    }
    keyset_reset(&c->keys);
    c->removed = bytes_of(NULL, 0);
    return STATUS_OK;
}
