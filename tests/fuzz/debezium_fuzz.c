/* The Debezium decoder and the reader of its transaction topic. An input is a few records, parted by a byte 0x1e; a
 * record is a byte of flags, the key up to a line's end, and the value.
 *
 * They go, in their order and then once more, to a decoder that remembers, and each to a fresh one: both must say the
 * same (but for strings of a bytea, whose form is known by those before). What is said must be one change or one
 * QUARANTINE and must read back. A decoder that lasts from input to input is only there to fall over. */
#include "ingest/debezium.h"

#include "base/memory.h"
#include "ingest/debezium_transaction.h"
#include "sql/sql.h"
#include "tests/unit/debezium_render.h"

#include <stdlib.h>

enum { RECORDS_MAX = 8, LASTING_INPUTS = 2000, FLAG_REPEATS = 1, FLAG_TOPIC = 2 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct record {
    struct debezium_record record;
    char topic[64];
};

struct decoder {
    struct debezium *debezium;
    struct debezium_buried buried;
    struct render render;
    struct buffer out;
    struct buffer words;
    enum debezium_outcome outcome;
    struct debezium_meta meta;
};

static struct catalog catalog;
static struct decoder lasting;
static unsigned lasting_inputs;
static struct debezium_transaction_reader lasting_reader;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct error err;
    (void)argc;
    (void)argv;
    if (sql_load_text(&catalog, "fuzz.sql", RENDER_TABLES, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return 0;
}

static void fail(const struct record *r, const char *what)
{
    fprintf(stderr, "%s\nkey   %.*s\nvalue %.*s\nrepeats %d, topic %s\n", what, (int)r->record.key.len,
            (const char *)r->record.key.data, (int)r->record.value.len, (const char *)r->record.value.data,
            r->record.may_repeat, r->topic);
    abort();
}

static void decoder_open(struct decoder *d)
{
    *d = (struct decoder){.debezium = debezium_new(&catalog, 1)};
}

static void decoder_close(struct decoder *d)
{
    debezium_free(d->debezium);
    render_release(&d->render);
    buffer_release(&d->out);
    buffer_release(&d->words);
    d->debezium = NULL;
}

static void decode(struct decoder *d, const struct record *r)
{
    struct debezium_record record = r->record;
    record.buried = &d->buried;
    buffer_reset(&d->out);
    buffer_reset(&d->words);
    d->outcome = debezium_decode(d->debezium, &record, &d->out, &d->meta);
    if (!render_items(&d->render, buffer_bytes(&d->out), record.value, d->outcome, d->meta.schema_bytes, true,
                      &d->words)) {
        fail(r, d->render.wrong);
    }
}

/* The fresh decoder is told of the newest delete, since the insert behind it may lack values. */
static void compare(const struct decoder *warm, const struct debezium_buried *buried, const struct record *r,
                    const struct record *deleted)
{
    struct decoder fresh;
    decoder_open(&fresh);
    if (deleted != NULL) {
        decode(&fresh, deleted);
        debezium_forget(fresh.debezium);
    }
    fresh.buried = *buried;
    decode(&fresh, r);
    bool same_meta = warm->meta.xid == fresh.meta.xid && warm->meta.commit_time_us == fresh.meta.commit_time_us &&
                     warm->meta.lsn == fresh.meta.lsn && warm->meta.commit_lsn == fresh.meta.commit_lsn &&
                     warm->meta.source_xid == fresh.meta.source_xid && warm->meta.total_order == fresh.meta.total_order;
    if (warm->outcome != fresh.outcome || !same_meta || warm->buried.any != fresh.buried.any ||
        !bytes_equal(buffer_bytes(&warm->words), buffer_bytes(&fresh.words))) {
        fprintf(stderr, "warm:  %.*s\nfresh: %.*s\n", (int)warm->words.len, (const char *)warm->words.data,
                (int)fresh.words.len, (const char *)fresh.words.data);
        fail(r, "a decoder that remembers and a fresh one differ");
    }
    decoder_close(&fresh);
}

static bool is_delete(const struct decoder *d)
{
    return d->words.len > 6 && (memcmp(d->words.data, "delete", 6) == 0 || memcmp(d->words.data, "remove", 6) == 0);
}

static void decode_records(struct record *records, size_t count)
{
    struct decoder warm;
    const struct record *deleted = NULL;
    decoder_open(&warm);
    for (size_t i = 0; i < 2 * count; i++) {
        const struct record *r = &records[i % count];
        struct debezium_buried buried = warm.buried;
        decode(&warm, r);
        compare(&warm, &buried, r, deleted);
        if (is_delete(&warm) && r->record.value.len > 0) {
            deleted = r;
        }
        if (i < count) {
            decode(&lasting, r);
        }
    }
    decoder_close(&warm);
}

static void read_transaction(const struct record *r)
{
    struct debezium_transaction_reader fresh_reader = {0};
    struct debezium_transaction seen[2];
    char reason[2][JSON_SCAN_REASON_BYTES];
    bool ok = debezium_transaction_read(&lasting_reader, &catalog, r->record.value, &seen[0], reason[0]);
    bool fresh = debezium_transaction_read(&fresh_reader, &catalog, r->record.value, &seen[1], reason[1]);
    bool same = ok == fresh &&
                (!ok || (seen[0].ended == seen[1].ended && seen[0].xid == seen[1].xid && seen[0].lsn == seen[1].lsn &&
                         seen[0].time_ms == seen[1].time_ms && seen[0].event_count == seen[1].event_count));
    if (!same || (ok && seen[0].xid == 0) || (!ok && memchr(reason[0], '\0', sizeof reason[0]) == reason[0])) {
        fail(r, "a marker of a transaction that is read in two ways");
    }
    debezium_transaction_release(&fresh_reader);
}

/* A record out of memory of its own, so that a step past its end is seen. */
static void take_record(struct record *r, const uint8_t *data, size_t len)
{
    const uint8_t *flags = len > 0 ? data : NULL;
    const uint8_t *end = len > 1 ? memchr(data + 1, '\n', len - 1) : NULL; /* the flags may be any byte */
    size_t key_len = end != NULL ? (size_t)(end - data) - 1 : 0;
    size_t value_len = end != NULL ? len - key_len - 2 : 0;
    uint8_t *key = mem_alloc(key_len);
    uint8_t *value = mem_alloc(value_len);
    if (key_len > 0) {
        memcpy(key, data + 1, key_len);
    }
    if (value_len > 0) {
        memcpy(value, end + 1, value_len);
    }
    bool repeats = flags != NULL && (*flags & FLAG_REPEATS) != 0;
    bool named = flags != NULL && (*flags & FLAG_TOPIC) != 0;
    const struct catalog_table *t = catalog.tables[flags != NULL ? (*flags >> 2) % catalog.table_count : 0];
    snprintf(r->topic, sizeof r->topic, "fuzz.%s.%s", t->schema, t->name);
    r->record = (struct debezium_record){.key = bytes_of(key, key_len),
                                         .value = bytes_of(value, value_len),
                                         .topic = named ? r->topic : NULL,
                                         .origin = "fuzz",
                                         .may_repeat = repeats};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct record records[RECORDS_MAX];
    size_t count = 0;
    if (lasting_inputs % LASTING_INPUTS == 0) {
        if (lasting.debezium != NULL) {
            decoder_close(&lasting);
        }
        decoder_open(&lasting);
    }
    lasting_inputs += 1;
    for (size_t at = 0; at < len && count < RECORDS_MAX; count++) {
        const uint8_t *end = memchr(data + at, 0x1e, len - at);
        size_t record_len = end != NULL ? (size_t)(end - data) - at : len - at;
        take_record(&records[count], data + at, record_len);
        at += record_len + 1;
    }
    for (size_t i = 0; i < count; i++) {
        read_transaction(&records[i]);
    }
    decode_records(records, count);
    for (size_t i = 0; i < count; i++) {
        mem_free((void *)(uintptr_t)records[i].record.key.data);
        mem_free((void *)(uintptr_t)records[i].record.value.data);
    }
    return 0;
}
