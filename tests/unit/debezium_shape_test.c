/* Documents read in place: when they are, when they are not, and that a decoder which reads in place appends what one
 * does that always goes the general way. */
#include "base/arena.h"
#include "base/bytes.h"
#include "ingest/debezium.h"
#include "ingest/debezium_reader.h"
#include "sql/sql.h"

#include <setjmp.h> /* before cmocka.h */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct bytes text_of(const char *text)
{
    return bytes_of(text, strlen(text));
}

/* ---- the reader ---- */

struct reading {
    struct debezium_reader reader;
    struct debezium_schema_cache schemas;
    struct arena arena;
};

static struct debezium_document *read_text(struct reading *r, const char *text)
{
    char reason[JSON_SCAN_REASON_BYTES];
    arena_reset(&r->arena);
    return debezium_reader_read(&r->reader, text_of(text), &r->schemas, &r->arena, reason);
}

/* The document, which must have been read in place. */
static const struct debezium_document *in_place(struct reading *r, const char *text)
{
    const struct debezium_document *doc = read_text(r, text);
    assert_non_null(doc);
    assert_ptr_not_equal(doc, &r->reader.general);
    return doc;
}

static void the_general_way(struct reading *r, const char *text)
{
    assert_ptr_equal(read_text(r, text), &r->reader.general);
}

static void close_reading(struct reading *r)
{
    debezium_reader_release(&r->reader);
    debezium_schema_cache_release(&r->schemas);
    arena_release(&r->arena);
}

static void assert_value(const struct debezium_members *m, const char *name, enum json_kind kind, const char *text)
{
    const struct json_value *v = debezium_members_get(m, name);
    assert_non_null(v);
    assert_int_equal(v->kind, kind);
    assert_int_equal(v->text.len, strlen(text));
    assert_memory_equal(v->text.data, text, v->text.len);
}

#define ENVELOPE(before, after, op)                                                                                    \
    "{\"before\":" before ",\"after\":" after ",\"source\":{\"schema\":\"s\",\"table\":\"t\",\"lsn\":7},\"op\":" op "}"

static void test_the_second_one_alike_is_read_in_place(void **state)
{
    struct reading r = {0};
    (void)state;
    the_general_way(&r, ENVELOPE("null", "{\"id\":1,\"name\":\"a\"}", "\"c\""));
    const struct debezium_document *doc = in_place(&r, ENVELOPE("null", "{\"id\":-2,\"name\":\"b\\n\"}", "\"u\""));
    assert_value(&doc->after, "id", JSON_NUMBER, "-2");
    assert_value(&doc->after, "name", JSON_STRING, "b\\n");
    assert_true(debezium_members_get(&doc->after, "name")->escaped);
    assert_value(&doc->all, "op", JSON_STRING, "u");
    assert_value(&doc->source, "table", JSON_STRING, "t"); /* never differed: the shape's own */
    assert_false(doc->before.is_object);
    doc = in_place(&r, ENVELOPE("null", "{\"id\":{\"scale\":1,\"value\":\"Cg==\"},\"name\":null}", "\"c\""));
    assert_value(&doc->after, "id", JSON_OBJECT, "{\"scale\":1,\"value\":\"Cg==\"}");
    assert_value(&doc->after, "name", JSON_NULL, "null");
    assert_value(&doc->all, "op", JSON_STRING, "c");
    close_reading(&r);
}

static void test_another_structure_is_another_shape(void **state)
{
    struct reading r = {0};
    (void)state;
    the_general_way(&r, ENVELOPE("null", "{\"id\":1}", "\"c\""));
    the_general_way(&r, ENVELOPE("{\"id\":1}", "{\"id\":1}", "\"u\"")); /* a part that is an object now is entered */
    the_general_way(&r, ENVELOPE("{\"id\":1}", "null", "\"d\""));
    the_general_way(&r, ENVELOPE("null", "{\"id\":1,\"x\":2}", "\"c\""));
    the_general_way(&r, ENVELOPE("null", "{\"id\" :1}", "\"c\""));
    const struct debezium_document *doc = in_place(&r, ENVELOPE("{\"id\":5}", "{\"id\":6}", "\"u\""));
    assert_value(&doc->before, "id", JSON_NUMBER, "5");
    assert_value(&doc->after, "id", JSON_NUMBER, "6");
    doc = in_place(&r, ENVELOPE("null", "{\"id\": 9}", "\"c\"")); /* blanks before a value belong to it */
    assert_value(&doc->after, "id", JSON_NUMBER, "9");
    close_reading(&r);
}

static void test_an_op_that_is_no_text_makes_no_envelope(void **state)
{
    struct reading r = {0};
    (void)state;
    the_general_way(&r, ENVELOPE("null", "{\"id\":1}", "\"c\""));
    const struct debezium_document *doc = read_text(&r, ENVELOPE("null", "{\"id\":1}", "null"));
    assert_ptr_equal(doc, &r.reader.general);
    assert_null(doc->at.op);
    doc = in_place(&r, ENVELOPE("null", "{\"id\":1}", "\"c\""));
    assert_non_null(doc->at.op);
    close_reading(&r);
}

static void test_what_is_broken_is_no_match(void **state)
{
    static const char whole[] = ENVELOPE("null", "{\"id\":10,\"name\":\"some\"}", "\"c\"");
    struct reading r = {0};
    char text[sizeof whole + 1];
    (void)state;
    the_general_way(&r, whole);
    in_place(&r, whole);
    for (size_t len = 1; len < sizeof whole - 1; len++) {
        snprintf(text, sizeof text, "%.*s", (int)len, whole);
        assert_null(read_text(&r, text));
    }
    snprintf(text, sizeof text, "%s}", whole);
    assert_null(read_text(&r, text));
    static const char *const broken[] = {"{\"id\":01,\"name\":\"some\"}", "{\"id\":1x,\"name\":\"some\"}",
                                         "{\"id\":1,\"name\":\"so\xff\"}", "{\"id\":,\"name\":\"some\"}",
                                         "{\"id\":1 2,\"name\":\"some\"}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct buffer b = BUFFER_EMPTY;
        buffer_printf(
            &b, "{\"before\":null,\"after\":%s,\"source\":{\"schema\":\"s\",\"table\":\"t\",\"lsn\":7},\"op\":\"c\"}",
            broken[i]);
        buffer_append_byte(&b, '\0');
        assert_null(read_text(&r, (const char *)b.data));
        buffer_release(&b);
    }
    in_place(&r, whole);
    close_reading(&r);
}

static void test_the_least_used_shape_is_forgotten(void **state)
{
    struct reading r = {0};
    char text[256];
    (void)state;
    for (int i = 0; i <= DEBEZIUM_SHAPES_MAX; i++) {
        snprintf(text, sizeof text, "{\"column%d\":1}", i);
        the_general_way(&r, text);
    }
    in_place(&r, "{\"column5\":2}");
    the_general_way(&r, "{\"column0\":2}");
    assert_int_equal(r.reader.shapes.count, DEBEZIUM_SHAPES_MAX);
    close_reading(&r);
}

static void test_names_with_escapes_and_backwards_wrappers_have_none(void **state)
{
    struct reading r = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        the_general_way(&r, "{\"na\\u006de\":1}");
        const struct debezium_document *doc =
            read_text(&r, "{\"payload\":{\"id\":3},\"schema\":{\"type\":\"struct\"}}");
        assert_non_null(doc);
        assert_non_null(doc->schema);
        assert_value(&doc->all, "id", JSON_NUMBER, "3");
    }
    close_reading(&r);
}

/* ---- the decoder ---- */

static const char ddl[] = "CREATE TABLE s.t (id bigint PRIMARY KEY, name text, at timestamp(3));"
                          "CREATE TABLE s.u (id bigint PRIMARY KEY, name text, at timestamp(3));";

#define SOURCE(table, n)                                                                                               \
    "\"source\":{\"ts_ms\":17954745403" n ",\"schema\":\"s\",\"table\":\"" table "\",\"txId\":5" n ",\"lsn\":9" n "}"
#define ROW(n, name)   "{\"id\":" n ",\"name\":\"" name "\",\"at\":17954745403" n "}"
#define TRANSACTION(n) "\"transaction\":{\"id\":\"5" n ":9" n "\",\"total_order\":" n "}"

/* Tables in turn, columns in another order, wrapped and bare, deletes, what is wrong in the midst of it. */
static const char *const stream[] = {
    "{\"before\":null,\"after\":" ROW("10", "a") "," SOURCE("t", "10") "," TRANSACTION("10") ",\"op\":\"c\"}",
    "{\"before\":null,\"after\":" ROW("11", "b") "," SOURCE("u", "11") "," TRANSACTION("11") ",\"op\":\"c\"}",
    "{\"before\":null,\"after\":" ROW("12", "c") "," SOURCE("t", "12") ",\"transaction\":null,\"op\":\"r\"}",
    "{\"before\":null,\"after\":" ROW("13", "d") "," SOURCE("t", "13") "," TRANSACTION("13") ",\"op\":\"c\"}",
    "{\"before\":null,\"after\":{\"name\":\"e\",\"id\":14,\"at\":null}," SOURCE("t", "14") "," TRANSACTION(
        "14") ",\"op\":\"c\"}",
    "{\"before\":null,\"after\":" ROW("15", "f") "," SOURCE("t", "15") "," TRANSACTION("15") ",\"op\":\"u\"}",
    "{\"before\":" ROW("15", "f") ",\"after\":" ROW("16", "g") "," SOURCE("t",
                                                                          "16") "," TRANSACTION("16") ",\"op\":\"u\"}",
    "{\"before\":" ROW("16", "g") ",\"after\":" ROW("16", "h") "," SOURCE("t",
                                                                          "17") "," TRANSACTION("17") ",\"op\":\"u\"}",
    "{\"before\":" ROW("16", "h") ",\"after\":null," SOURCE("t", "18") "," TRANSACTION("18") ",\"op\":\"d\"}",
    "{\"before\":" ROW("11", "h") ",\"after\":null," SOURCE("u", "19") "," TRANSACTION("19") ",\"op\":\"d\"}",
    "{\"before\":null,\"after\":" ROW("20", "i") "," SOURCE("v", "20") "," TRANSACTION("20") ",\"op\":\"c\"}",
    "{\"before\":null,\"after\":" ROW("21", "j") "," SOURCE("t", "21") "," TRANSACTION("21") ",\"op\":\"x\"}",
    "{\"before\":null,\"after\":" ROW("22", "k") "," SOURCE("t", "22") "," TRANSACTION("22") ",\"op\":null}",
    "{\"before\":null,\"after\":{\"id\":\"no\",\"name\":\"l\",\"at\":5}," SOURCE("t", "23") "," TRANSACTION(
        "23") ",\"op\":\"c\"}",
    "{\"before\":null,\"after\":" ROW("24", "m") "," SOURCE("t", "24") "," TRANSACTION("24") ",\"op\":\"c\"} ",
    "{\"schema\":null,\"payload\":{\"before\":null,\"after\":" ROW("25", "n") "," SOURCE("t", "25") ",\"op\":\"c\"}}",
    "{\"schema\":null,\"payload\":{\"before\":null,\"after\":" ROW("26", "o") "," SOURCE("u", "26") ",\"op\":\"c\"}}",
    "{\"id\":27,\"name\":\"p\",\"at\":5,\"__table\":\"t\",\"__schema\":\"s\",\"__op\":\"c\",\"__lsn\":927,\"__source_"
    "ts_ms\":1795474540327}",
    "{\"id\":28,\"name\":\"q\",\"at\":6,\"__table\":\"u\",\"__schema\":\"s\",\"__op\":\"u\",\"__lsn\":928,\"__source_"
    "ts_ms\":1795474540328}",
    "{\"id\":28,\"name\":null,\"at\":6,\"__table\":\"u\",\"__schema\":\"s\",\"__op\":\"d\",\"__lsn\":929,\"__source_ts_"
    "ms\":1795474540329}",
    "{\"ts_ms\":1795474540330}",
    "{\"payload\":1,\"schema\":2}",
    "{\"payload\":{\"before\":null,\"after\":" ROW("31", "r") "," SOURCE("t", "31") ",\"op\":\"c\"},\"schema\":null}",
    "{\"after\":" ROW("33", "t") ",\"after\":null," SOURCE("t", "33") ",\"op\":\"c\"}", /* the part twice */
    "{\"before\":null,\"after\":" ROW("32", "s") "," SOURCE("t", "32") ",\"transaction\":null,\"op\":\"\\u0063\"}",
};
enum { STREAM_COUNT = sizeof stream / sizeof stream[0] };

static void decode(struct debezium *d, struct debezium_buried *buried, const char *text, struct buffer *out)
{
    struct debezium_meta meta;
    struct debezium_record record = {
        .value = text_of(text), .topic = "p.s.t", .origin = "here", .may_repeat = true, .buried = buried};
    enum debezium_outcome outcome = debezium_decode(d, &record, out, &meta);
    buffer_printf(out, "<%d %llu %lld %llu %llu %llu %llu>", (int)outcome, (unsigned long long)meta.xid,
                  (long long)meta.commit_time_us, (unsigned long long)meta.source_xid,
                  (unsigned long long)meta.commit_lsn, (unsigned long long)meta.lsn,
                  (unsigned long long)meta.total_order);
}

static void test_both_ways_append_the_same(void **state)
{
    struct catalog catalog;
    struct error err;
    (void)state;
    assert_int_equal(sql_load_text(&catalog, "test.sql", ddl, &err), STATUS_OK);
    struct debezium *decoders[2] = {debezium_new(&catalog, 1), debezium_new(&catalog, 1)};
    struct debezium_buried buried[2] = {{0}, {0}};
    debezium_set_shapes(decoders[1], false);
    for (unsigned i = 0; i < STREAM_COUNT * STREAM_COUNT * 2; i++) { /* each behind each other one, and behind itself */
        const char *text = i % 2 == 0 ? stream[i / 2 / STREAM_COUNT] : stream[i / 2 % STREAM_COUNT];
        struct buffer out[2] = {BUFFER_EMPTY, BUFFER_EMPTY};
        for (int k = 0; k < 2; k++) {
            decode(decoders[k], &buried[k], text, &out[k]);
        }
        assert_int_equal(out[0].len, out[1].len);
        assert_memory_equal(out[0].data, out[1].data, out[0].len);
        buffer_release(&out[0]);
        buffer_release(&out[1]);
    }
    debezium_free(decoders[0]);
    debezium_free(decoders[1]);
    catalog_release(&catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_one_alike_is_read_in_place),
        cmocka_unit_test(test_another_structure_is_another_shape),
        cmocka_unit_test(test_an_op_that_is_no_text_makes_no_envelope),
        cmocka_unit_test(test_what_is_broken_is_no_match),
        cmocka_unit_test(test_the_least_used_shape_is_forgotten),
        cmocka_unit_test(test_names_with_escapes_and_backwards_wrappers_have_none),
        cmocka_unit_test(test_both_ways_append_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
