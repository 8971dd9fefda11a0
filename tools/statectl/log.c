/* log list, cat, verify. */
#include "ctl.h"

#include "base/message.h"
#include "event/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_segment(void *ctx, const struct store_segment *s)
{
    struct ctl *c = ctx;
    printf(c->options.json ? "{\"name\":\"%s\",\"seq_first\":%" PRIu64 ",\"seq_next\":%" PRIu64 ",\"bytes\":%" PRIu64
                             ",\"blocks\":%" PRIu64 ",\"raw_bytes\":%" PRIu64 "}\n"
                           : "%s\tseq=%" PRIu64 "..%" PRIu64 "\tbytes=%" PRIu64 "\tblocks=%" PRIu64
                             "\traw_bytes=%" PRIu64 "\n",
           s->name, s->seq_first, s->seq_next, s->bytes, s->blocks, s->raw_bytes);
    return 0;
}

static void show_progress(void *ctx, uint64_t done, uint64_t all)
{
    (void)ctx;
    message_progress("log", done >= all, "verified bytes=%" PRIu64 " of %" PRIu64, done, all);
}

/* The journal as far as the walk has come: schemas by table id, their memory in one arena. */
struct journal {
    struct event_schema *schemas;
    size_t count;
    struct arena arena;
};

static void journal_add(struct journal *j, const struct event_schema *schema)
{
    struct event_schema *copy = arena_alloc(&j->arena, (j->count + 1) * sizeof *copy);
    if (j->count > 0) {
        memcpy(copy, j->schemas, j->count * sizeof *copy);
    }
    struct event_schema *s = &copy[j->count];
    *s = *schema;
    s->schema = arena_strdup(&j->arena, schema->schema);
    s->table = arena_strdup(&j->arena, schema->table);
    s->columns = arena_dup(&j->arena, schema->columns, schema->column_count * sizeof *s->columns);
    for (uint32_t i = 0; i < s->column_count; i++) {
        s->columns[i].name = arena_strdup(&j->arena, schema->columns[i].name);
    }
    j->schemas = copy;
    j->count += 1;
}

static const struct event_schema *journal_find(const struct journal *j, uint32_t table_id)
{
    for (size_t i = j->count; i > 0; i--) {
        if (j->schemas[i - 1].table_id == table_id) {
            return &j->schemas[i - 1];
        }
    }
    return NULL;
}

static enum status print_row(struct packed_reader *r, const struct event_schema *schema, uint32_t count,
                             struct arena *a, struct buffer *out, struct error *err)
{
    if (count != schema->column_count) {
        return error_set(err, STATUS_CORRUPT, 0, "a row of table id %u has %u values, its journal entry %u columns",
                         schema->table_id, count, schema->column_count);
    }
    bool first = true;
    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        struct datum value;
        TRY(packed_read_datum(r, schema->columns[i].type.kind, a, &value, err));
        if (value.missing) {
            continue;
        }
        if (!first) {
            buffer_append_byte(out, ',');
        }
        first = false;
        print_json_text(out, bytes_of(schema->columns[i].name, strlen(schema->columns[i].name)));
        buffer_append_byte(out, ':');
        print_json_datum(out, &schema->columns[i].type, &value);
    }
    buffer_append_byte(out, '}');
    return STATUS_OK;
}

static enum status print_change(struct packed_reader *r, const struct event *e, const struct journal *j,
                                struct arena *a, struct buffer *out, struct error *err)
{
    const struct event_schema *schema = journal_find(j, e->table_id);
    if (schema == NULL) {
        return error_set(err, STATUS_CORRUPT, 0, "table id %u is in no journal entry", e->table_id);
    }
    buffer_append_text(out, ",\"table\":");
    char name[512];
    int len = snprintf(name, sizeof name, "%s.%s", schema->schema, schema->table);
    print_json_text(out, bytes_of(name, len > 511 ? 511 : (size_t)len));
    if (e->kind == EVENT_TRUNCATE) {
        return STATUS_OK;
    }
    buffer_append_text(out, e->kind == EVENT_DELETE || e->kind == EVENT_REMOVE ? ",\"old\":" : ",\"row\":");
    TRY(print_row(r, schema, e->column_count, a, out, err));
    if (e->kind == EVENT_UPDATE) {
        uint32_t old_count;
        TRY(event_read_old(r, &old_count, err));
        if (old_count > 0) {
            buffer_append_text(out, ",\"old\":");
            TRY(print_row(r, schema, old_count, a, out, err));
        }
    }
    return STATUS_OK;
}

static void print_quarantine(const struct event *e, struct buffer *out)
{
    buffer_append_text(out, ",\"origin\":");
    print_json_text(out, e->origin);
    buffer_append_text(out, ",\"reason\":");
    print_json_text(out, e->reason);
    buffer_append_text(out, ",\"raw\":");
    print_json_text(out, e->raw);
}

static enum status print_item(struct packed_reader *r, const struct event *e, struct journal *j, struct arena *a,
                              struct buffer *out, struct error *err)
{
    switch (e->kind) {
    case EVENT_INSERT:
    case EVENT_UPDATE:
    case EVENT_DELETE:
    case EVENT_READ:
    case EVENT_REMOVE:
    case EVENT_TRUNCATE:
        return print_change(r, e, j, a, out, err);
    case EVENT_SCHEMA:
        journal_add(j, &e->schema);
        buffer_printf(out, ",\"table_id\":%u,\"table\":\"%s.%s\",\"columns\":%u", e->table_id, e->schema.schema,
                      e->schema.table, e->schema.column_count);
        return STATUS_OK;
    case EVENT_COMMIT:
        buffer_printf(out, ",\"time_us\":%" PRId64 ",\"xid\":%" PRIu64, e->time_us, e->xid);
        return STATUS_OK;
    case EVENT_POSITION:
        buffer_append_text(out, ",\"name\":");
        print_json_text(out, e->name);
        buffer_printf(out, ",\"value\":%" PRIu64, e->value);
        return STATUS_OK;
    case EVENT_QUARANTINE:
        print_quarantine(e, out);
        return STATUS_OK;
    }
    return STATUS_OK;
}

struct catting {
    const struct redriven *redriven;
    struct journal journal;
    struct buffer out;
    bool show; /* earlier commits are read for their journal entries only */
    uint64_t seq;
    uint64_t number; /* of the item in its commit */
};

/* One JSON line. */
static enum status print_line(struct catting *c, struct packed_reader *r, const struct event *e, bool redriven,
                              struct arena *a, struct error *err)
{
    size_t before = c->out.len;
    buffer_printf(&c->out, "{\"seq\":%" PRIu64 ",\"kind\":\"%s\"%s", c->seq, event_kind_name(e->kind),
                  redriven ? ",\"redriven\":true" : "");
    enum status st = print_item(r, e, &c->journal, a, &c->out, err);
    buffer_append_text(&c->out, "}\n");
    if (!c->show || st != STATUS_OK) {
        c->out.len = before;
    }
    if (c->out.len > 65536) {
        print_flush(&c->out);
    }
    return st;
}

/* What is folded in place of an item. */
static enum status print_redriven(struct catting *c, const struct redriven_entry *entry, struct arena *a,
                                  struct error *err)
{
    struct packed_reader r = packed_reader_of(entry->items);
    struct event e;
    enum status st;
    while ((st = event_read(&r, a, &e, err)) == STATUS_OK) {
        TRY(print_line(c, &r, &e, true, a, err));
    }
    return st == STATUS_END ? STATUS_OK : st;
}

static enum status print_chunk(struct catting *c, const struct store_chunk *chunk, struct error *err)
{
    struct packed_reader r = packed_reader_of(chunk->data);
    struct arena a = ARENA_EMPTY;
    struct event e;
    enum status st;
    c->number = chunk->seq != c->seq ? 0 : c->number;
    c->seq = chunk->seq;
    while ((st = event_read(&r, &a, &e, err)) == STATUS_OK) {
        const struct redriven_entry *entry =
            e.kind == EVENT_QUARANTINE ? redriven_find(c->redriven, c->seq, c->number) : NULL;
        TRY_GOTO(done, print_line(c, &r, &e, entry != NULL, &a, err));
        TRY_GOTO(done, entry == NULL ? STATUS_OK : print_redriven(c, entry, &a, err));
        c->number += 1;
    }
done:
    arena_release(&a);
    return st == STATUS_END ? STATUS_OK : st;
}

static bool read_seq(const char *text, uint64_t fallback, uint64_t *out)
{
    char *end = NULL;
    *out = text == NULL ? fallback : strtoull(text, &end, 10);
    return text == NULL || (end != text && *end == '\0');
}

static int log_cat(struct ctl *c)
{
    uint64_t from;
    uint64_t to;
    if (!read_seq(c->options.from, 0, &from) || !read_seq(c->options.to, UINT64_MAX, &to)) {
        return ctl_usage("log cat: --from and --to take commit numbers");
    }
    struct error err;
    struct store_reader *reader = NULL;
    struct catting catting = {.redriven = &c->redriven};
    enum status st = ctl_load_redriven(c, &err);
    st = st == STATUS_OK ? store_reader_open(c->store, 0, &reader, &err) : st;
    while (st == STATUS_OK) {
        struct store_chunk chunk;
        st = store_reader_next(reader, &chunk, &err);
        if (st != STATUS_OK || chunk.seq > to) {
            break;
        }
        catting.show = chunk.seq >= from;
        st = print_chunk(&catting, &chunk, &err);
        store_reader_recycle(reader);
    }
    print_flush(&catting.out);
    buffer_release(&catting.out);
    arena_release(&catting.journal.arena);
    store_reader_close(reader);
    if (st == STATUS_OK || st == STATUS_END) {
        return 0;
    }
    return ctl_fail(st == STATUS_CORRUPT ? EXIT_ANSWER_BAD : EXIT_NO_ANSWER, &err);
}

int verb_log(struct ctl *c)
{
    struct error err;
    enum status st = STATUS_OK;
    const char *what = c->options.word_count == 1 ? c->options.words[0] : "";
    if (strcmp(what, "list") == 0) {
        st = store_segments(c->store, print_segment, c, &err);
    } else if (strcmp(what, "cat") == 0) {
        return log_cat(c);
    } else if (strcmp(what, "verify") == 0) {
        st = store_log_verify(c->store, show_progress, NULL, &err);
        st = st == STATUS_OK ? ctl_load_redriven(c, &err) : st;
        if (st == STATUS_OK) {
            printf("ok: every block of %" PRIu64 " bytes matches its checksum\n", store_log_bytes(c->store));
        }
    } else {
        return ctl_usage("log: say list, cat or verify");
    }
    if (st == STATUS_OK) {
        return 0;
    }
    return ctl_fail(st == STATUS_CORRUPT ? EXIT_ANSWER_BAD : EXIT_NO_ANSWER, &err);
}
