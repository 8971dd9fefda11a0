/* quarantine redrive: decodes what is in quarantine again, with the schema files of today, into the log's file of
 * redriven entries (event/redriven.h). The log is walked from its beginning, so that the decoder knows at each entry
 * under which journal entry its table's rows are there, and entries that were redriven before stay as they are. */
#include "ctl.h"

#include "base/memory.h"
#include "base/message.h"
#include "event/event.h"
#include "flow/view.h"
#include "ingest/debezium.h"
#include "sql/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASONS_MAX = 1000, REASONS_SHOWN_MAX = 20, CACHE_BYTES = 16 * 1024 * 1024 };

struct reason {
    char *text;
    uint64_t count;
};

struct redrive {
    struct ctl *ctl;
    struct debezium *decoder;
    struct redriven out;  /* what the file will be */
    struct arena keep;    /* of its new entries, and of reasons */
    struct arena scratch; /* of a chunk */
    struct buffer items;
    uint64_t seq;
    uint64_t number; /* of the item in its commit */
    uint64_t before; /* redriven earlier */
    uint64_t decoded;
    uint64_t remain;
    uint64_t rejected; /* decoded, but could not be applied */
    struct reason *reasons;
    size_t reason_count;
    size_t reason_capacity;
};

static void note_reason(struct redrive *r, struct bytes text)
{
    static const char others[] = "other reasons";
    size_t i = 0;
    r->remain += 1;
    while (i < r->reason_count && !bytes_equal(bytes_of(r->reasons[i].text, strlen(r->reasons[i].text)), text)) {
        i += 1;
    }
    if (i == REASONS_MAX) {
        i -= 1; /* the last one is of all others */
    } else if (i == r->reason_count) {
        bool last = i + 1 == REASONS_MAX;
        mem_grow(&r->reasons, &r->reason_capacity, i + 1, sizeof *r->reasons);
        r->reasons[i].text =
            last ? arena_strdup(&r->keep, others) : arena_strndup(&r->keep, (const char *)text.data, text.len);
        r->reasons[i].count = 0;
        r->reason_count += 1;
    }
    r->reasons[i].count += 1;
}

/* ---- the record of an entry ---- */

static bool begins_with(struct bytes text, const char *prefix)
{
    return text.len >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

/* "topic T partition N offset O" */
static const char *topic_of_origin(struct arena *a, struct bytes origin)
{
    const char *text = arena_strndup(a, (const char *)origin.data, origin.len);
    const char *end = strstr(text, " partition ");
    size_t head = strlen("topic ");
    return end == NULL ? NULL : arena_strndup(a, text + head, (size_t)(end - text) - head);
}

/* NULL where it is there, else why not. */
static const char *find_record(struct redrive *r, const struct event *e, struct debezium_record *out)
{
    bool from_topic = begins_with(e->origin, "topic ");
    if (e->has_record) {
        const struct event_record *kept = &e->record;
        const char *topic = arena_strndup(&r->scratch, (const char *)kept->topic.data, kept->topic.len);
        *out = (struct debezium_record){.key = kept->key,
                                        .value = kept->raw,
                                        .topic = kept->topic.len > 0 ? topic : NULL,
                                        .may_repeat = kept->may_repeat,
                                        .context = kept->context};
        return NULL;
    }
    if (!from_topic && !begins_with(e->origin, "file ") && !begins_with(e->origin, "standard input ")) {
        return "it came from PostgreSQL's replication, which cannot be decoded again outside of its stream: update the "
               "row in the source, or begin with an empty store";
    }
    if (e->raw.len >= DEBEZIUM_BEGINNING_BYTES) {
        return "only the beginning of the record was kept";
    }
    if (e->raw.len == 0) {
        return "a tombstone whose key was not kept (by an earlier version)";
    }
    *out = (struct debezium_record){.value = e->raw,
                                    .topic = from_topic ? topic_of_origin(&r->scratch, e->origin) : NULL,
                                    .may_repeat = from_topic};
    return NULL;
}

/* ---- one entry ---- */

static enum status note_refusal(struct redrive *r, struct error *err)
{
    struct packed_reader reader = packed_reader_of(buffer_bytes(&r->items));
    struct event e;
    TRY(event_read(&reader, &r->scratch, &e, err));
    note_reason(r, e.reason);
    return STATUS_OK;
}

static enum status decode(struct redrive *r, const struct event *e, struct error *err)
{
    struct debezium_record record;
    struct debezium_buried buried = {0}; /* a tombstone that was told was not put into quarantine */
    struct debezium_meta meta;
    const char *why = find_record(r, e, &record);
    if (why != NULL) {
        note_reason(r, bytes_of(why, strlen(why)));
        return STATUS_OK;
    }
    record.origin = "";
    record.buried = &buried;
    buffer_reset(&r->items);
    if (debezium_decode(r->decoder, &record, &r->items, &meta) == DEBEZIUM_QUARANTINED) {
        return note_refusal(r, err);
    }
    const void *kept = arena_dup(&r->keep, r->items.data, r->items.len);
    redriven_add(&r->out, &(struct redriven_entry){.seq = r->seq,
                                                   .number = r->number,
                                                   .raw_hash = redriven_raw_hash(e->raw),
                                                   .items = bytes_of(kept, r->items.len)});
    r->decoded += 1;
    return STATUS_OK;
}

/* Calls `visit` for each SCHEMA item of an entry. */
static enum status each_schema(const struct redriven_entry *entry, struct arena *a,
                               void (*visit)(void *ctx, const struct event_schema *schema), void *ctx,
                               struct error *err)
{
    struct packed_reader reader = packed_reader_of(entry->items);
    struct event e;
    enum status st;
    while ((st = event_read(&reader, a, &e, err)) == STATUS_OK) {
        TRY(event_skip_rest(&reader, &e, err));
        if (e.kind == EVENT_SCHEMA) {
            visit(ctx, &e.schema);
        }
    }
    return st == STATUS_END ? STATUS_OK : st;
}

static void adopt(void *ctx, const struct event_schema *schema)
{
    debezium_adopt(ctx, schema);
}

static enum status take_quarantine(struct redrive *r, const struct event *e, struct error *err)
{
    const struct redriven_entry *known = redriven_find(&r->ctl->redriven, r->seq, r->number);
    if (known == NULL) {
        return decode(r, e, err);
    }
    if (known->raw_hash != redriven_raw_hash(e->raw)) {
        return error_set(err, STATUS_CORRUPT, 0,
                         "%s/log/redriven does not belong to this log: commit %" PRIu64 " item %" PRIu64
                         " was another one",
                         r->ctl->options.store_path, r->seq, r->number);
    }
    redriven_add(&r->out, known);
    r->before += 1;
    return each_schema(known, &r->scratch, adopt, r->decoder, err);
}

/* ---- the log ---- */

static enum status take_chunk(struct redrive *r, const struct store_chunk *chunk, struct error *err)
{
    struct packed_reader reader = packed_reader_of(chunk->data);
    struct event e;
    enum status st;
    if (chunk->seq != r->seq) {
        r->seq = chunk->seq;
        r->number = 0;
    }
    while ((st = event_read(&reader, &r->scratch, &e, err)) == STATUS_OK) {
        TRY(event_skip_rest(&reader, &e, err));
        if (e.kind == EVENT_SCHEMA) {
            debezium_adopt(r->decoder, &e.schema);
        } else if (e.kind == EVENT_QUARANTINE) {
            TRY(take_quarantine(r, &e, err));
        }
        r->number += 1;
    }
    arena_reset(&r->scratch);
    return st == STATUS_END ? STATUS_OK : st;
}

static enum status walk_log(struct redrive *r, struct error *err)
{
    struct store_reader *reader = NULL;
    struct store_chunk chunk;
    uint64_t all = store_seq_next(r->ctl->store);
    TRY(store_reader_open(r->ctl->store, 0, &reader, err));
    enum status st = STATUS_OK;
    while (st == STATUS_OK) {
        st = store_reader_next(reader, &chunk, err);
        st = st == STATUS_OK ? take_chunk(r, &chunk, err) : st;
        store_reader_recycle(reader);
        if (st == STATUS_OK && chunk.last) {
            message_progress("redrive", false, "seq=%" PRIu64 " of %" PRIu64, chunk.seq + 1, all);
        }
    }
    store_reader_close(reader);
    if (st == STATUS_END && r->before != r->ctl->redriven.count) {
        return error_set(err, STATUS_CORRUPT, 0,
                         "%s/log/redriven does not belong to this log: it has entries that the "
                         "log does not have",
                         r->ctl->options.store_path);
    }
    return st == STATUS_END ? STATUS_OK : st;
}

static void note_id(void *ctx, const struct event_schema *schema)
{
    uint32_t *next = ctx;
    *next = schema->table_id >= *next ? schema->table_id + 1 : *next;
}

/* The first table id that no entry of the file has given out. */
static enum status next_table_id(struct redrive *r, uint32_t *out, struct error *err)
{
    const struct redriven *known = &r->ctl->redriven;
    *out = REDRIVEN_TABLE_ID_FIRST;
    for (size_t i = 0; i < known->count; i++) {
        TRY(each_schema(&known->entries[i], &r->scratch, note_id, out, err));
    }
    return STATUS_OK;
}

static int count_rejected(void *ctx, const struct quarantine_entry *e)
{
    struct redrive *r = ctx;
    r->rejected += begins_with(e->origin, "commit ");
    return 0;
}

/* ---- the answer ---- */

static int more_first(const void *a, const void *b)
{
    const struct reason *x = a;
    const struct reason *y = b;
    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return strcmp(x->text, y->text);
}

static void print_json(const struct redrive *r, struct buffer *out)
{
    buffer_printf(out,
                  "{\"dry_run\":%s,\"decoded\":%" PRIu64 ",\"remain\":%" PRIu64 ",\"redriven_before\":%" PRIu64
                  ",\"not_applied\":%" PRIu64 ",\"reasons\":[",
                  r->ctl->options.dry_run ? "true" : "false", r->decoded, r->remain, r->before, r->rejected);
    for (size_t i = 0; i < r->reason_count; i++) {
        buffer_printf(out, "%s{\"count\":%" PRIu64 ",\"reason\":", i > 0 ? "," : "", r->reasons[i].count);
        print_json_text(out, bytes_of(r->reasons[i].text, strlen(r->reasons[i].text)));
        buffer_append_byte(out, '}');
    }
    buffer_append_text(out, "]}\n");
}

static void print_text(const struct redrive *r, struct buffer *out)
{
    buffer_printf(out, "%s %" PRIu64 " of %" PRIu64 " entries, %" PRIu64 " remain\n",
                  r->ctl->options.dry_run ? "would redrive" : "redriven", r->decoded, r->decoded + r->remain,
                  r->remain);
    for (size_t i = 0; i < r->reason_count && i < REASONS_SHOWN_MAX; i++) {
        buffer_printf(out, "%8" PRIu64 "  %s\n", r->reasons[i].count, r->reasons[i].text);
    }
    if (r->reason_count > REASONS_SHOWN_MAX) {
        buffer_printf(out, "          and %zu other reasons\n", r->reason_count - REASONS_SHOWN_MAX);
    }
    if (r->rejected > 0) {
        buffer_printf(out, "%8" PRIu64 "  more were decoded but could not be applied: a replay tries them again\n",
                      r->rejected);
    }
}

static void answer(struct redrive *r)
{
    struct buffer out = BUFFER_EMPTY;
    if (r->reason_count > 0) {
        qsort(r->reasons, r->reason_count, sizeof *r->reasons, more_first);
    }
    if (r->ctl->options.json) {
        print_json(r, &out);
    } else {
        print_text(r, &out);
    }
    print_flush(&out);
    buffer_release(&out);
    if (!r->ctl->options.dry_run && (r->decoded > 0 || r->ctl->redriven_unfolded)) {
        fprintf(stderr, "statectl: the next start of procd rebuilds the state by a replay and brings the sink to it\n");
    }
}

/* The store for itself, so that procd neither runs nor starts meanwhile. */
static enum status open_alone(struct ctl *c, struct error *err)
{
    store_close(c->store);
    c->store = NULL;
    enum status st =
        store_open(&c->store, &(struct store_options){.path = c->options.store_path, .cache_bytes = CACHE_BYTES}, err);
    return st == STATUS_LOCKED ? error_prefix(err, "stop procd first") : st;
}

static enum status redrive(struct redrive *r, struct catalog *catalog, struct error *err)
{
    struct ctl *c = r->ctl;
    uint32_t table_id_next;
    TRY(sql_load(catalog, c->schemas, (uint32_t)c->schema_count, err));
    if (!c->options.dry_run) {
        TRY(open_alone(c, err));
    }
    TRY(ctl_quarantine(c, count_rejected, r, err));
    TRY(next_table_id(r, &table_id_next, err));
    r->decoder = debezium_new(catalog, table_id_next);
    TRY(debezium_configure(r->decoder, c->time_precision, c->unavailable_value, err));
    TRY(walk_log(r, err));
    return c->options.dry_run || r->decoded == 0 ? STATUS_OK : redriven_save(&r->out, c->options.store_path, err);
}

int verb_redrive(struct ctl *c)
{
    struct redrive r = {.ctl = c};
    struct catalog catalog = {0};
    struct error err;
    if (c->schema_count == 0) {
        return ctl_usage("quarantine redrive: name the schema files, by --config or --schema");
    }
    enum status st = redrive(&r, &catalog, &err);
    int code = 0;
    if (st == STATUS_OK) {
        answer(&r);
    } else {
        code = ctl_fail(st == STATUS_CORRUPT ? EXIT_ANSWER_BAD : EXIT_NO_ANSWER, &err);
    }
    debezium_free(r.decoder);
    redriven_release(&r.out);
    buffer_release(&r.items);
    mem_free(r.reasons);
    arena_release(&r.keep);
    arena_release(&r.scratch);
    catalog_release(&catalog);
    return code;
}
