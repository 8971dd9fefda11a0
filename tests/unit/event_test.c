/* The encoding of commits: what is written is read back, in order; broken bytes are refused, never believed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "event/event.h"

#include <stdio.h>
#include <string.h>

static void ok(enum status st, const struct error *err)
{
    if (st != STATUS_OK) {
        fail_msg("%s: %s", status_name(st), err->text);
    }
}

static void write_all(struct buffer *out)
{
    struct event_column columns[2] = {
        {.name = "id", .type = type_make(TYPE_INT8), .key = true},
        {.name = "tags", .type = {.kind = TYPE_OTHER, .typmod = -1, .name = "integer[]"}}};
    event_append_commit(out, INT64_C(-1000001), UINT64_C(0xffffffffffff));
    event_append_schema(
        out, &(struct event_schema){
                 .table_id = 70000, .schema = "operations", .table = "t", .columns = columns, .column_count = 2});
    event_append_row(out, EVENT_UPDATE, 70000, 2);
    packed_append_int(out, 5);
    packed_append_nil(out);
    event_append_old(out, 2);
    packed_append_int(out, 4);
    packed_append_datum(out, TYPE_TEXT, &DATUM_MISSING);
    event_append_row(out, EVENT_UPDATE, 70000, 1);
    packed_append_int(out, 6);
    event_append_no_old(out);
    event_append_row(out, EVENT_DELETE, 1, 0);
    event_append_truncate(out, 2);
    event_append_position(out, "pg.lsn", UINT64_MAX);
    event_append_quarantine(out, "topic a offset 1", "why", bytes_of("\0\xff", 2));
    event_append_quarantined_record(out, "topic a partition 0 offset 1", "why",
                                    &(struct event_record){.raw = bytes_of("{", 1),
                                                           .topic = bytes_of("a", 1),
                                                           .key = bytes_of("\0k", 2),
                                                           .may_repeat = true,
                                                           .context = 0x91});
    event_append_row(out, EVENT_REMOVE, 300, 0);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct buffer b = BUFFER_EMPTY;
    struct arena a = ARENA_EMPTY;
    struct event e;
    struct error err;
    struct datum d;
    uint32_t old;
    write_all(&b);
    struct packed_reader r = packed_reader_of(buffer_bytes(&b));
    ok(event_read(&r, &a, &e, &err), &err);
    assert_int_equal(e.kind, EVENT_COMMIT);
    assert_true(e.time_us == INT64_C(-1000001) && e.xid == UINT64_C(0xffffffffffff));
    ok(event_read(&r, &a, &e, &err), &err);
    assert_int_equal(e.kind, EVENT_SCHEMA);
    assert_int_equal(e.schema.table_id, 70000);
    assert_string_equal(e.schema.schema, "operations");
    assert_int_equal(e.schema.column_count, 2);
    assert_true(e.schema.columns[0].key && !e.schema.columns[1].key);
    assert_int_equal(e.schema.columns[0].type.kind, TYPE_INT8);
    assert_string_equal(e.schema.columns[1].type.name, "integer[]");
    ok(event_read(&r, &a, &e, &err), &err);
    assert_true(e.kind == EVENT_UPDATE && e.table_id == 70000 && e.column_count == 2);
    ok(packed_skip(&r, &err), &err);
    ok(packed_skip(&r, &err), &err);
    ok(event_read_old(&r, &old, &err), &err);
    assert_int_equal(old, 2);
    ok(packed_skip(&r, &err), &err);
    ok(packed_read_datum(&r, TYPE_TEXT, &a, &d, &err), &err);
    assert_true(d.null && d.missing);
    ok(event_read(&r, &a, &e, &err), &err);
    ok(packed_skip(&r, &err), &err);
    ok(event_read_old(&r, &old, &err), &err);
    assert_int_equal(old, 0);
    ok(event_read(&r, &a, &e, &err), &err);
    assert_true(e.kind == EVENT_DELETE && e.table_id == 1 && e.column_count == 0);
    ok(event_read(&r, &a, &e, &err), &err);
    assert_true(e.kind == EVENT_TRUNCATE && e.table_id == 2);
    ok(event_read(&r, &a, &e, &err), &err);
    assert_true(e.kind == EVENT_POSITION && bytes_equal(e.name, bytes_of("pg.lsn", 6)) && e.value == UINT64_MAX);
    ok(event_read(&r, &a, &e, &err), &err);
    assert_true(e.kind == EVENT_QUARANTINE && !e.has_record && bytes_equal(e.raw, bytes_of("\0\xff", 2)));
    ok(event_read(&r, &a, &e, &err), &err);
    assert_true(e.kind == EVENT_QUARANTINE && e.has_record && bytes_equal(e.raw, bytes_of("{", 1)));
    assert_true(bytes_equal(e.record.raw, e.raw) && bytes_equal(e.record.topic, bytes_of("a", 1)));
    assert_true(bytes_equal(e.record.key, bytes_of("\0k", 2)) && e.record.may_repeat && e.record.context == 0x91);
    ok(event_read(&r, &a, &e, &err), &err);
    assert_true(e.kind == EVENT_REMOVE && e.table_id == 300 && e.column_count == 0);
    assert_int_equal(event_read(&r, &a, &e, &err), STATUS_END);
    buffer_release(&b);
    arena_release(&a);
}

/* Reads items until the end or a failure. */
static enum status read_all(struct bytes data, struct error *err)
{
    struct arena a = ARENA_EMPTY;
    struct packed_reader r = packed_reader_of(data);
    struct event e;
    enum status st;
    while ((st = event_read(&r, &a, &e, err)) == STATUS_OK) {
        bool has_row = e.kind == EVENT_INSERT || e.kind == EVENT_UPDATE || e.kind == EVENT_DELETE ||
                       e.kind == EVENT_READ || e.kind == EVENT_REMOVE;
        uint32_t old = 0;
        for (uint32_t i = 0; has_row && st == STATUS_OK && i < e.column_count; i++) {
            st = packed_skip(&r, err);
        }
        st = st == STATUS_OK && e.kind == EVENT_UPDATE ? event_read_old(&r, &old, err) : st;
        for (uint32_t i = 0; st == STATUS_OK && i < old; i++) {
            st = packed_skip(&r, err);
        }
        if (st != STATUS_OK) {
            break;
        }
    }
    arena_release(&a);
    return st;
}

static void bytes_that_are_cut_or_changed_are_refused_or_read_within_bounds(void **state)
{
    (void)state;
    struct buffer b = BUFFER_EMPTY;
    struct error err;
    write_all(&b);
    for (size_t len = 0; len <= b.len; len++) {
        uint8_t copy[1024]; /* of exactly this length for the sanitizer */
        assert_true(len <= sizeof copy);
        memcpy(copy + sizeof copy - len, b.data, len);
        enum status st = read_all(bytes_of(copy + sizeof copy - len, len), &err);
        assert_true(st == STATUS_END || st == STATUS_CORRUPT);
    }
    for (size_t i = 0; i < b.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b.data[i] ^= (uint8_t)(1u << bit);
            enum status st = read_all(buffer_bytes(&b), &err);
            assert_true(st == STATUS_END || st == STATUS_CORRUPT);
            b.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(read_all(buffer_bytes(&b), &err), STATUS_END);
    buffer_release(&b);
}

static void kinds_of_a_newer_version_are_refused_by_name(void **state)
{
    (void)state;
    static const uint8_t newer[] = {0x92, 0x2a, 0x01};
    struct error err;
    assert_int_equal(read_all(bytes_of(newer, sizeof newer), &err), STATUS_CORRUPT);
    assert_non_null(strstr(err.text, "unknown kind"));
    assert_string_equal(event_kind_name(EVENT_TRUNCATE), "truncate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(bytes_that_are_cut_or_changed_are_refused_or_read_within_bounds),
        cmocka_unit_test(kinds_of_a_newer_version_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
