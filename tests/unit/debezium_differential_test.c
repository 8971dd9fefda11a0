/* The Debezium decoder against a plain one on top of other JSON libraries (debezium_reference.h): records of a real
 * Debezium, seeded mutations of them, and generated ones. And against itself: what a decoder remembers of the records
 * before must change nothing but what it is meant to.
 *
 * Every record goes to two decoders that have seen the whole stream and to a fresh one; mutated records stand between
 * unmutated ones of the same table. DIFFERENTIAL_SEED and DIFFERENTIAL_COUNT by environment make it longer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "captures.h"
#include "debezium_generate.h"
#include "debezium_reference.h"
#include "json_mutate.h"
#include "sql/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_COUNT = 6, MODE_COUNT = 5, RECORDS_MAX = 2048, STREAM_RECORDS = 1500, MUTATIONS = 4000, GENERATED = 6000 };

static const char *const modes[MODE_COUNT] = {"ref", "bare", "micro", "iso", "flat"};
static const char *const tables[TABLE_COUNT] = {"customers", "kitchen_sink", "order_items",
                                                "orders",    "products",     "scratch"};

/* What "1234" or "12ab" is in these depends on the records before. */
static const char habit_tables[] = "CREATE TABLE operations.counters(id bigint PRIMARY KEY, c numeric(20,0), b bytea,"
                                   " n numeric(9,-2), t text)";

static uint64_t seed_of_run(void)
{
    const char *text = getenv("DIFFERENTIAL_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20240229;
    return seed != 0 ? seed : 1;
}

static size_t count_of_run(size_t usual)
{
    const char *text = getenv("DIFFERENTIAL_COUNT");
    return text != NULL ? strtoull(text, NULL, 0) : usual;
}

/* ---- a stream, decoded in three ways ---- */

/* One that has seen the whole stream. */
struct witness {
    struct debezium *decoder;
    struct debezium_buried buried;
    struct buffer out;
    struct debezium_meta meta;
    enum debezium_outcome outcome;
};

struct stream {
    struct catalog catalog;
    struct witness shaped; /* may take any way through the decoder that is quicker */
    struct witness plain;
    struct witness fresh; /* made anew for each record */
    struct render render; /* of shaped */
    struct reference reference;
    struct reference_buried buried;
    struct buffer delete_key; /* the newest delete, which the fresh one is told of, too */
    struct buffer delete_value;
    struct debezium_record last_delete;
    bool habits; /* values may depend on the records before */
    size_t outcomes[3];
    uint64_t seed; /* of the record at hand, for messages */
};

static void stream_open(struct stream *s, bool habits)
{
    struct error err;
    memset(s, 0, sizeof *s);
    if (sql_load_text(&s->catalog, "test.sql", habits ? habit_tables : RENDER_TABLES, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    s->habits = habits;
    s->shaped.decoder = debezium_new(&s->catalog, 1);
    s->plain.decoder = debezium_new(&s->catalog, 1);
    debezium_set_shapes(s->plain.decoder, false);
    reference_init(&s->reference, &s->catalog);
}

static void stream_close(struct stream *s)
{
    debezium_free(s->shaped.decoder);
    debezium_free(s->plain.decoder);
    buffer_release(&s->shaped.out);
    buffer_release(&s->plain.out);
    buffer_release(&s->fresh.out);
    buffer_release(&s->buried.key);
    buffer_release(&s->delete_key);
    buffer_release(&s->delete_value);
    render_release(&s->render);
    reference_release(&s->reference);
    catalog_release(&s->catalog);
}

static void fail_on(const struct stream *s, const struct debezium_record *r, const char *what, const struct buffer *got,
                    const struct buffer *want)
{
    static const char *const outcomes[] = {"ignored", "change", "quarantined"};
    fprintf(stderr,
            "seed 0x%" PRIx64 ": %s\nkey   %.*s\nvalue %.*s\nrepeats %d, topic %s\n"
            "stream: %s, plain: %s, fresh: %s\n",
            s->seed, what, (int)r->key.len, (const char *)r->key.data, (int)r->value.len, (const char *)r->value.data,
            r->may_repeat, r->topic != NULL ? r->topic : "-", outcomes[s->shaped.outcome], outcomes[s->plain.outcome],
            outcomes[s->fresh.outcome]);
    if (got != NULL) {
        fprintf(stderr, "---- decoder\n%.*s\n---- reference\n%.*s\n", (int)got->len, (const char *)got->data,
                (int)want->len, (const char *)want->data);
    }
    fail();
}

/* From memory of exactly their sizes, so that a sanitizer sees any step too far. */
static void witness_decode(struct witness *w, struct debezium_record r)
{
    uint8_t *value = mem_alloc(r.value.len);
    uint8_t *key = mem_alloc(r.key.len);
    if (r.value.len > 0) {
        memcpy(value, r.value.data, r.value.len);
    }
    if (r.key.len > 0) {
        memcpy(key, r.key.data, r.key.len);
    }
    r.value.data = value;
    r.key.data = key;
    r.buried = &w->buried;
    buffer_reset(&w->out);
    w->outcome = debezium_decode(w->decoder, &r, &w->out, &w->meta);
    mem_free(value);
    mem_free(key);
}

static bool has(struct bytes text, const char *part)
{
    return text.len > 0 && memmem(text.data, text.len, part, strlen(part)) != NULL;
}

/* The insert that follows a delete, in the log at the same place, may lack values: the fresh decoder is told of it. */
static void decode_fresh(struct stream *s, const struct debezium_record *r)
{
    s->fresh.decoder = debezium_new(&s->catalog, 1);
    if (s->reference.deleted_from != NULL && has(r->value, s->reference.deleted_lsn)) {
        s->last_delete.key = buffer_bytes(&s->delete_key);
        s->last_delete.value = buffer_bytes(&s->delete_value);
        witness_decode(&s->fresh, s->last_delete);
        debezium_forget(s->fresh.decoder);
    }
    s->fresh.buried = s->shaped.buried;
    witness_decode(&s->fresh, *r);
    debezium_free(s->fresh.decoder);
}

static bool same_meta(const struct debezium_meta *a, const struct debezium_meta *b, bool all)
{
    return a->xid == b->xid && a->commit_time_us == b->commit_time_us && a->source_xid == b->source_xid &&
           a->commit_lsn == b->commit_lsn && a->lsn == b->lsn && a->total_order == b->total_order &&
           (!all || a->schema_bytes == b->schema_bytes);
}

static bool same_buried(const struct debezium_buried *a, const struct debezium_buried *b)
{
    return a->any == b->any && (!a->any || a->key_hash == b->key_hash);
}

static void check_witnesses(struct stream *s, const struct debezium_record *r)
{
    if (s->shaped.outcome != s->plain.outcome || !same_buried(&s->shaped.buried, &s->plain.buried) ||
        !same_meta(&s->shaped.meta, &s->plain.meta, true) ||
        !bytes_equal(buffer_bytes(&s->shaped.out), buffer_bytes(&s->plain.out))) {
        fail_on(s, r, "two decoders that have seen the same differ", NULL, NULL);
    }
    if (!s->habits && (s->shaped.outcome != s->fresh.outcome || !same_buried(&s->shaped.buried, &s->fresh.buried) ||
                       !same_meta(&s->shaped.meta, &s->fresh.meta, false))) {
        fail_on(s, r, "a decoder of the whole stream and a fresh one differ", NULL, NULL);
    }
}

static void check_words(struct stream *s, const struct debezium_record *r, const struct buffer *reference)
{
    struct buffer stream = BUFFER_EMPTY;
    struct buffer fresh = BUFFER_EMPTY;
    struct render once = {.wrong = NULL};
    if (!render_items(&s->render, buffer_bytes(&s->shaped.out), r->value, s->shaped.outcome,
                      s->shaped.meta.schema_bytes, true, &stream)) {
        fail_on(s, r, s->render.wrong, NULL, NULL);
    }
    for (int overall = 1; overall >= 0; overall--) {
        const struct buffer *want = overall ? &stream : reference;
        buffer_reset(&fresh);
        if (!render_items(&once, buffer_bytes(&s->fresh.out), r->value, s->fresh.outcome, s->fresh.meta.schema_bytes,
                          overall, &fresh)) {
            fail_on(s, r, once.wrong, NULL, NULL);
        }
        if (!(overall && s->habits) && !bytes_equal(buffer_bytes(&fresh), buffer_bytes(want))) {
            fail_on(s, r, overall ? "a fresh decoder and one of the stream differ" : "the reference differs", &fresh,
                    want);
        }
        render_release(&once);
    }
    buffer_release(&stream);
    buffer_release(&fresh);
}

static void remember_if_delete(struct stream *s, const struct debezium_record *r)
{
    if (s->shaped.outcome == DEBEZIUM_CHANGE && r->value.len > 0 &&
        (s->reference.kind == EVENT_DELETE || s->reference.kind == EVENT_REMOVE)) {
        buffer_reset(&s->delete_key);
        buffer_reset(&s->delete_value);
        buffer_append(&s->delete_key, r->key.data, r->key.len);
        buffer_append(&s->delete_value, r->value.data, r->value.len);
        s->last_delete = *r;
    }
}

static void feed(struct stream *s, const struct debezium_record *r)
{
    struct buffer words = BUFFER_EMPTY;
    decode_fresh(s, r);
    witness_decode(&s->shaped, *r);
    witness_decode(&s->plain, *r);
    enum debezium_outcome outcome = reference_decode(&s->reference, r, &s->buried, &words);
    if (outcome != DEBEZIUM_CHANGE) {
        buffer_reset(&words);
    }
    check_witnesses(s, r);
    if (s->reference.disagree) {
        fail_on(s, r, "the two JSON libraries differ", NULL, NULL);
    }
    if (outcome == DEBEZIUM_QUARANTINED) {
        s->buried.any = s->shaped.buried.any; /* as far as it was read */
    }
    if (outcome != s->fresh.outcome || s->buried.any != s->fresh.buried.any) {
        fprintf(stderr, "decoder: %.300s\n", s->fresh.out.len > 0 ? (const char *)s->fresh.out.data : "");
        fail_on(s, r, outcome == DEBEZIUM_CHANGE ? "the reference decodes it" : "the reference does not decode it",
                NULL, NULL);
    }
    if (outcome == DEBEZIUM_CHANGE && !same_meta(&s->reference.meta, &s->fresh.meta, false)) {
        fail_on(s, r, "the reference tells another transaction", NULL, NULL);
    }
    check_words(s, r, &words);
    remember_if_delete(s, r);
    s->outcomes[outcome] += 1;
    buffer_release(&words);
}

/* ---- captures ---- */

struct capture {
    char *text;
    struct bytes keys[RECORDS_MAX];
    struct bytes values[RECORDS_MAX];
    size_t count;
};

static void capture_open(struct capture *c, const char *mode, const char *table)
{
    size_t len;
    c->text = captures_read(mode, table, &len);
    c->count = 0;
    for (char *line = c->text; line < c->text + len; c->count++) {
        assert_true(c->count < RECORDS_MAX);
        line = captures_record(line, c->text + len, &c->keys[c->count], &c->values[c->count]);
    }
}

static void capture_close(struct capture *c)
{
    mem_free(c->text);
}

static void capture_topic(char *topic, size_t len, const char *mode, const char *table)
{
    snprintf(topic, len, "%s.operations.%s", mode, table);
}

static void captures_decode_as_the_reference_does(void **state)
{
    (void)state;
    static struct stream s;
    static struct capture c;
    for (int m = 0; m < MODE_COUNT * 2; m++) {
        stream_open(&s, false);
        for (int t = 0; t < TABLE_COUNT; t++) {
            char topic[64];
            capture_topic(topic, sizeof topic, modes[m / 2], tables[t]);
            capture_open(&c, modes[m / 2], tables[t]);
            for (size_t i = 0; i < c.count; i += i < 100 ? 1 : 5) {
                feed(&s, &(struct debezium_record){.key = c.keys[i],
                                                   .value = c.values[i],
                                                   .topic = m % 2 == 0 ? topic : NULL,
                                                   .origin = topic,
                                                   .may_repeat = m % 2 == 0});
            }
            capture_close(&c);
        }
        assert_int_equal(s.outcomes[DEBEZIUM_QUARANTINED], 0);
        stream_close(&s);
    }
}

/* ---- mutations ---- */

/* A mutation of `from`; where it is no JSON or by chance, of its bytes. */
static void mutate_document(struct bytes from, uint64_t *seed, struct buffer *out)
{
    struct arena a = ARENA_EMPTY;
    bool fine;
    struct node *root = random_one_in(seed, 4) ? NULL : json_tree(from, &a, &fine);
    buffer_reset(out);
    if (root == NULL) {
        buffer_append(out, from.data, from.len);
        mutate_bytes(out, seed);
    } else {
        if (!random_one_in(seed, 4)) {
            root = mutate_tree(root, &a, seed);
        }
        write_tree(root, any_writing(seed), seed, out);
        if (random_one_in(seed, 10)) {
            mutate_bytes(out, seed);
        }
    }
    arena_release(&a);
}

static void feed_mutated(struct stream *s, struct debezium_record r, uint64_t *seed)
{
    struct buffer value = BUFFER_EMPTY;
    struct buffer key = BUFFER_EMPTY;
    s->seed = *seed;
    mutate_document(r.value, seed, &value);
    buffer_append(&key, r.key.data, r.key.len);
    if (random_one_in(seed, 4)) {
        mutate_document(r.key, seed, &key);
    }
    r.value = random_one_in(seed, 8) ? r.value : buffer_bytes(&value);
    r.key = buffer_bytes(&key);
    feed(s, &r);
    buffer_release(&value);
    buffer_release(&key);
}

/* A few records of one table, a mutation of each behind it. */
static void feed_some(struct stream *s, const struct capture *c, const struct debezium_record *usual, uint64_t *seed)
{
    size_t first = random_below(seed, c->count);
    for (size_t i = first; i < first + 4 && i < c->count; i++) {
        struct debezium_record r = *usual;
        r.key = c->keys[i];
        r.value = c->values[i];
        s->seed = *seed;
        feed(s, &r);
        feed_mutated(s, r, seed);
    }
}

static void mutated_captures_decode_as_the_reference_does(void **state)
{
    (void)state;
    static struct stream s;
    static struct capture captures[TABLE_COUNT];
    uint64_t seed = seed_of_run();
    size_t count = count_of_run(MUTATIONS) / MODE_COUNT;
    size_t outcomes[3] = {0};
    print_message("seed 0x%" PRIx64 "\n", seed);
    for (int m = 0; m < MODE_COUNT; m++) {
        for (int t = 0; t < TABLE_COUNT; t++) {
            capture_open(&captures[t], modes[m], tables[t]);
        }
        for (size_t done = 0; done < count; done += STREAM_RECORDS) {
            stream_open(&s, false);
            for (size_t i = 0; i < STREAM_RECORDS && done + i < count; i += 8) {
                char topic[64];
                size_t t = random_below(&seed, TABLE_COUNT);
                capture_topic(topic, sizeof topic, modes[m], tables[t]);
                bool repeats = random_one_in(&seed, 2);
                bool named = repeats || random_one_in(&seed, 2);
                struct debezium_record usual = {.topic = named ? topic : NULL, .origin = topic, .may_repeat = repeats};
                feed_some(&s, &captures[t], &usual, &seed);
            }
            for (int o = 0; o < 3; o++) {
                outcomes[o] += s.outcomes[o];
            }
            stream_close(&s);
        }
        for (int t = 0; t < TABLE_COUNT; t++) {
            capture_close(&captures[t]);
        }
    }
    print_message("ignored %zu, changes %zu, quarantined %zu\n", outcomes[DEBEZIUM_IGNORED], outcomes[DEBEZIUM_CHANGE],
                  outcomes[DEBEZIUM_QUARANTINED]);
    assert_true(outcomes[DEBEZIUM_CHANGE] > count * 2 && outcomes[DEBEZIUM_QUARANTINED] > count / 2);
}

/* ---- generated records ---- */

static void feed_generated(struct stream *s, const struct setting *setting, struct debezium_record *r, uint64_t *seed)
{
    struct buffer key = BUFFER_EMPTY;
    struct buffer value = BUFFER_EMPTY;
    char topic[64];
    const struct catalog_table *t = s->catalog.tables[random_below(seed, s->catalog.table_count)];
    s->seed = *seed;
    generate_record(t, setting, seed, &key, &value);
    r->key = buffer_bytes(&key);
    r->value = buffer_bytes(&value);
    if (r->topic != NULL) {
        capture_topic(topic, sizeof topic, "generated", t->name);
        r->topic = topic;
    }
    feed(s, r);
    if (random_one_in(seed, 4)) {
        feed_mutated(s, *r, seed);
    }
    buffer_release(&key);
    buffer_release(&value);
}

static void generate_streams(bool habits, size_t count, uint64_t seed)
{
    static struct stream s;
    size_t outcomes[3] = {0};
    for (size_t done = 0; done < count; done += STREAM_RECORDS / 4) {
        bool repeats = random_one_in(&seed, 2);
        struct debezium_record r = {
            .topic = repeats || random_one_in(&seed, 2) ? "" : NULL, .origin = "generated", .may_repeat = repeats};
        struct setting setting = {
            .flat = random_one_in(&seed, 3), .wrapped = random_one_in(&seed, 3), .schema_seed = random_next(&seed) | 1};
        stream_open(&s, habits);
        for (size_t i = 0; i < STREAM_RECORDS / 4 && done + i < count; i++) {
            feed_generated(&s, &setting, &r, &seed);
        }
        for (int o = 0; o < 3; o++) {
            outcomes[o] += s.outcomes[o];
        }
        stream_close(&s);
    }
    print_message("ignored %zu, changes %zu, quarantined %zu\n", outcomes[DEBEZIUM_IGNORED], outcomes[DEBEZIUM_CHANGE],
                  outcomes[DEBEZIUM_QUARANTINED]);
    assert_true(outcomes[DEBEZIUM_CHANGE] > count / 4 && outcomes[DEBEZIUM_QUARANTINED] > count / 20);
}

static void generated_records_decode_as_the_reference_does(void **state)
{
    (void)state;
    generate_streams(false, count_of_run(GENERATED), seed_of_run());
}

static void values_that_depend_on_those_before_do_so_in_every_decoder(void **state)
{
    (void)state;
    generate_streams(true, count_of_run(GENERATED) / 4, seed_of_run());
}

/* ---- where JSON leaves a choice, or allows more than can be used ---- */

#define SCRATCH(members)                                                                                               \
    "{\"after\":{" members "},\"source\":{\"schema\":\"operations\",\"table\":\"scratch\"},\"op\":\"c\"}"

/* All that is JSON and yet refused, or has more than one reading; the reference follows the same rules. What else is
 * refused is a value that PostgreSQL's type does not have. */
static const struct choice {
    const char *value;
    enum debezium_outcome outcome;
    const char *why;
} choices[] = {
    {SCRATCH("\"k\":\"a\",\"v\":1,\"v\":1"), DEBEZIUM_QUARANTINED, "a column twice: which value is meant is a guess"},
    {SCRATCH("\"k\":\"a\",\"v\":1,\"\\u0076\":2"), DEBEZIUM_QUARANTINED, "the same, written in two ways"},
    {"{\"after\":{\"k\":\"a\"},\"after\":{\"k\":\"b\"},\"source\":{\"schema\":\"operations\",\"table\":\"scratch\"},"
     "\"op\":\"c\"}",
     DEBEZIUM_QUARANTINED, "a part of the envelope twice: a guess"},
    {"{\"after\":null,\"after\":{\"k\":\"b\"},\"source\":{\"schema\":\"operations\",\"table\":\"scratch\"},\"op\":"
     "\"c\"}",
     DEBEZIUM_CHANGE, "a part counts where it is an object"},
    {"{\"after\":{\"k\":\"a\"},\"source\":{\"schema\":\"operations\",\"table\":\"scratch\",\"table\":\"nope\"},\"op\":"
     "\"c\",\"op\":1}",
     DEBEZIUM_CHANGE, "other members twice: the first counts"},
    {"{\"schema\":{\"type\":\"struct\",\"fields\":[],\"fields\":[{\"type\":\"int32\",\"type\":\"string\",\"field\":"
     "\"x\",\"field\":\"k\"}]},"
     "\"payload\":" SCRATCH("\"k\":\"a\"") "}",
     DEBEZIUM_CHANGE, "members of the schema part twice: the last counts"},
    {SCRATCH("\"k\":\"a\",\"n\\u0000\":1"), DEBEZIUM_QUARANTINED, "no column's name has a null character"},
    {SCRATCH("\"k\":\"a\",\"more\":{\"n\\u0000\":\"\\u0000\"}"), DEBEZIUM_CHANGE,
     "inside of a value it is JSON's text"},
    {SCRATCH("\"k\":\"a\\u0000\""), DEBEZIUM_QUARANTINED, "nor has a text"},
    {SCRATCH("\"k\":\"a\",\"more\":1e999"), DEBEZIUM_CHANGE, "a number is text until a type asks for it"},
    {SCRATCH("\"k\":\"a\",\"v\":1.0"), DEBEZIUM_QUARANTINED, "an integer has no point: PostgreSQL refuses '1.0', too"},
    {SCRATCH("\"k\":\"a\",\"v\":1e3"), DEBEZIUM_QUARANTINED, "nor an exponent"},
    {SCRATCH("\"k\":\"a\",\"v\":-0"), DEBEZIUM_CHANGE, "but -0 is 0"},
    {SCRATCH("\"k\":\"a\",\"v\":2147483648"), DEBEZIUM_QUARANTINED, "out of the type's range"},
    {"{\"schema\":{},\"payload\":[]}", DEBEZIUM_QUARANTINED, "a wrapper holds an object or null"},
    {"[" SCRATCH("\"k\":\"a\"") "]", DEBEZIUM_QUARANTINED, "a record is an object or null"},
    {SCRATCH("\"k\":\"a\",\"v\":\"\\ud83d\""), DEBEZIUM_QUARANTINED, "a lone surrogate: jansson refuses it, too"},
    {SCRATCH("\"k\":\"a\",\"v\":\"\xed\xa0\xbd\""), DEBEZIUM_QUARANTINED, "no UTF-8: the same"},
    {SCRATCH("\"k\":\"\\ud83d\\ude00\""), DEBEZIUM_CHANGE, "a pair is a character"},
};

static void feed_text(struct stream *s, const char *text)
{
    feed(s, &(struct debezium_record){.value = bytes_of(text, strlen(text)), .origin = "text"});
}

static void what_is_json_and_yet_refused_is_known(void **state)
{
    (void)state;
    static struct stream s;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        stream_open(&s, false);
        feed_text(&s, choices[i].value);
        if (s.shaped.outcome != choices[i].outcome) {
            fail_msg("%s: %s", choices[i].value, choices[i].why);
        }
        stream_close(&s);
    }
}

static void append_nested(struct buffer *value, size_t levels)
{
    buffer_append_text(value, "{\"after\":{\"k\":\"a\",\"more\":");
    for (size_t i = 0; i < levels; i++) {
        buffer_append_byte(value, '[');
    }
    for (size_t i = 0; i < levels; i++) {
        buffer_append_byte(value, ']');
    }
    buffer_append_text(value, "},\"source\":{\"schema\":\"operations\",\"table\":\"scratch\"},\"op\":\"c\"}");
}

static void append_columns(struct buffer *value, size_t count)
{
    buffer_append_text(value, "{\"after\":{\"k\":\"a\"");
    for (size_t i = 1; i < count; i++) {
        buffer_printf(value, ",\"c%zu\":null", i);
    }
    buffer_append_text(value, "},\"source\":{\"schema\":\"operations\",\"table\":\"scratch\"},\"op\":\"c\"}");
}

static void append_name(struct buffer *value, size_t len)
{
    buffer_append_text(value, "{\"after\":{\"k\":\"a\",\"");
    for (size_t i = 0; i < len; i++) {
        buffer_append_byte(value, 'n');
    }
    buffer_append_text(value, "\":1},\"source\":{\"schema\":\"operations\",\"table\":\"scratch\"},\"op\":\"c\"}");
}

/* One less than, exactly and one more than the limit: the last is refused. */
static void check_limit(void (*append)(struct buffer *, size_t), size_t limit)
{
    static struct stream s;
    for (size_t n = limit - 1; n <= limit + 1; n++) {
        struct buffer value = BUFFER_EMPTY;
        append(&value, n);
        stream_open(&s, false);
        feed(&s, &(struct debezium_record){.value = buffer_bytes(&value), .origin = "limit"});
        assert_int_equal(s.shaped.outcome, n <= limit ? DEBEZIUM_CHANGE : DEBEZIUM_QUARANTINED);
        stream_close(&s);
        buffer_release(&value);
    }
}

static void records_at_the_limits_decode_as_the_reference_does(void **state)
{
    (void)state;
    check_limit(append_nested, JSON_SCAN_DEPTH_MAX - 2); /* so deep no DOM of the JVM is; bounds the scanner's state */
    check_limit(append_columns, EVENT_COLUMNS_MAX);      /* PostgreSQL's */
    check_limit(append_name, 255);                       /* four times PostgreSQL's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_decode_as_the_reference_does),
        cmocka_unit_test(mutated_captures_decode_as_the_reference_does),
        cmocka_unit_test(generated_records_decode_as_the_reference_does),
        cmocka_unit_test(values_that_depend_on_those_before_do_so_in_every_decoder),
        cmocka_unit_test(what_is_json_and_yet_refused_is_known),
        cmocka_unit_test(records_at_the_limits_decode_as_the_reference_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
