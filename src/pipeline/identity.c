/* Map "meta": "identity" = one line a table or view, "schema" = the schema files' text, "name", "store_id" and
 * "events" = le64. The
 * lines are compared as a set: order in the files does not matter, names of files and white space neither. */
#include "pipeline/identity.h"

#include "base/memory.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static void print_table(const struct catalog_table *t, struct buffer *out)
{
    buffer_printf(out, "table %s.%s (", t->schema, t->name);
    for (uint32_t i = 0; i < t->column_count; i++) {
        buffer_printf(out, "%s%s ", i > 0 ? ", " : "", t->columns[i].name);
        type_print(&t->columns[i].type, out);
    }
    buffer_append_text(out, ") key (");
    for (uint32_t i = 0; i < t->key_count; i++) {
        buffer_printf(out, "%s%s", i > 0 ? ", " : "", t->columns[t->key_columns[i]].name);
    }
    buffer_append_text(out, ")\n");
}

static void print_view(const struct catalog_view *v, struct buffer *out)
{
    buffer_printf(out, "view %s.%s (", v->schema, v->name);
    for (uint32_t i = 0; i < v->visible_count; i++) {
        buffer_printf(out, "%s%s", i > 0 ? ", " : "", v->plan->columns[i].name);
    }
    buffer_append_text(out, ") ");
    plan_print_identity(v->plan, out);
    for (uint32_t i = 0; i < v->order_count; i++) {
        buffer_printf(out, " order %u %d %d", v->order[i].column, v->order[i].desc, v->order[i].nulls_first);
    }
    for (size_t i = 0; i < out->len; i++) { /* one line a view, whatever its plan prints */
        if (out->data[i] == '\n' && i + 1 < out->len && strncmp((char *)out->data + i + 1, "view ", 5) != 0 &&
            strncmp((char *)out->data + i + 1, "table ", 6) != 0) {
            out->data[i] = ' ';
        }
    }
    buffer_append_byte(out, '\n');
}

static void print_identity(const struct catalog *c, struct buffer *out)
{
    for (uint32_t i = 0; i < c->table_count; i++) {
        print_table(c->tables[i], out);
    }
    for (uint32_t i = 0; i < c->view_count; i++) {
        if (c->views[i]->materialized) {
            print_view(c->views[i], out);
        }
    }
}

/* True if `line` (with its newline) is a whole line of `text`. */
static bool has_line(struct bytes text, struct bytes line)
{
    for (size_t at = 0; at + line.len <= text.len;) {
        if (memcmp(text.data + at, line.data, line.len) == 0) {
            return true;
        }
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        if (end == NULL) {
            return false;
        }
        at = (size_t)(end - text.data) + 1;
    }
    return false;
}

/* Appends the "table x.y" or "view x.y" of each line of `a` that is not in `b`. The last plan may leave an empty one.
 */
static void print_missing(struct bytes a, struct bytes b, const char *words, struct buffer *out)
{
    for (size_t at = 0; at < a.len;) {
        const uint8_t *end = memchr(a.data + at, '\n', a.len - at);
        size_t len = end == NULL ? a.len - at : (size_t)(end - (a.data + at)) + 1;
        struct bytes line = bytes_of(a.data + at, len);
        if (len > 1 && !has_line(b, line)) {
            const uint8_t *open = memchr(line.data, '(', line.len);
            int head = open == NULL ? (int)line.len : (int)(open - line.data) - 1;
            buffer_printf(out, "%s%.*s %s", out->len > 0 ? ", " : "", head, (const char *)line.data, words);
        }
        at += len;
    }
}

static enum status put_text(struct store_map *meta, const char *key, struct bytes value, struct error *err)
{
    return store_put(meta, bytes_of(key, strlen(key)), value, err);
}

static enum status write_identity(struct store_map *meta, struct bytes identity, const char *name,
                                  const char *schema_text, uint64_t store_id, struct error *err)
{
    uint8_t id[8];
    store_le64(id, store_id);
    TRY(put_text(meta, "identity", identity, err));
    TRY(put_text(meta, "schema", bytes_of(schema_text, strlen(schema_text)), err));
    TRY(put_text(meta, "name", bytes_of(name, strlen(name)), err));
    return put_text(meta, "store_id", bytes_of(id, sizeof id), err);
}

static uint64_t random_id(void)
{
    uint64_t id = 0;
    while (id == 0 || id == UINT64_MAX) {
        if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id) {
            id = 0;
        }
        id >>= 1; /* fits PostgreSQL's bigint */
    }
    return id;
}

static enum status get_number(struct store *store, const char *key, uint64_t *out, struct error *err)
{
    *out = 0;
    struct store_map *meta;
    TRY(store_map_open(store, "meta", &meta, err));
    struct bytes value;
    enum status st = store_get(meta, bytes_of(key, strlen(key)), &value, err);
    if (st == STATUS_OK && value.len == 8) {
        *out = load_le64(value.data);
    }
    return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

enum status identity_store_id(struct store *store, uint64_t *out, struct error *err)
{
    return get_number(store, "store_id", out, err);
}

enum status identity_events(struct store *store, uint64_t *out, struct error *err)
{
    return get_number(store, "events", out, err);
}

enum status identity_note_events(struct store *store, uint64_t events, struct error *err)
{
    struct store_map *meta;
    uint8_t value[8];
    store_le64(value, events);
    TRY(store_map_open(store, "meta", &meta, err));
    return put_text(meta, "events", bytes_of(value, sizeof value), err);
}

static enum status compare(struct bytes stored, struct bytes now, const char *store_path_words, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    print_missing(now, stored, "is new or differs", &text);
    struct buffer gone = BUFFER_EMPTY;
    print_missing(stored, now, "was there", &gone);
    enum status st = STATUS_OK;
    if (text.len > 0 || gone.len > 0) {
        struct buffer *told = text.len > 0 ? &text : &gone;
        st = error_set(err, STATUS_MISMATCH, 0, "the store was made with another pipeline: %.*s; %s",
                       (int)(told->len > 600 ? 600 : told->len), (const char *)told->data, store_path_words);
    }
    buffer_release(&text);
    buffer_release(&gone);
    return st;
}

enum status identity_check(struct store *store, const struct catalog *catalog, const char *name,
                           const char *schema_text, uint64_t store_id, struct identity *out, struct error *err)
{
    struct buffer now = BUFFER_EMPTY;
    print_identity(catalog, &now);
    struct store_map *meta;
    struct bytes stored;
    enum status st;
    TRY_GOTO(done, store_map_open(store, "meta", &meta, err));
    st = store_get(meta, bytes_of("identity", 8), &stored, err);
    if (st == STATUS_NOT_FOUND) {
        out->store_id = store_id != 0 ? store_id : random_id();
        st = write_identity(meta, buffer_bytes(&now), name, schema_text, out->store_id, err);
        goto done;
    }
    TRY_GOTO(done, st);
    TRY_GOTO(done, compare(stored, buffer_bytes(&now),
                           "run procd with --replay-from 0 to rebuild the state from the log with this one", err));
    TRY_GOTO(done, identity_store_id(store, &out->store_id, err));
done:
    buffer_release(&now);
    return st;
}

static enum status get_text(struct store_map *meta, const char *key, char **out, struct error *err)
{
    struct bytes value;
    enum status st = store_get(meta, bytes_of(key, strlen(key)), &value, err);
    if (st == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_NOT_FOUND, 0, "the store has no checkpoint yet");
    }
    TRY(st);
    *out = mem_alloc(value.len + 1);
    memcpy(*out, value.data, value.len);
    (*out)[value.len] = '\0';
    return STATUS_OK;
}

enum status identity_schema(struct store *store, char **schema_text, char **name, struct error *err)
{
    *schema_text = NULL;
    *name = NULL;
    struct store_map *meta;
    if (store_map_open(store, "meta", &meta, err) == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_NOT_FOUND, 0, "the store has no checkpoint yet");
    }
    TRY(get_text(meta, "schema", schema_text, err));
    return get_text(meta, "name", name, err);
}
