/* log/redriven: its format, and how the engine folds what it has in place of QUARANTINE items. */
#include "flow_fixture.h"

/* ---- the format ---- */

static void add(struct redriven *r, uint64_t seq, uint64_t number, const char *raw, struct bytes items)
{
    redriven_add(r, &(struct redriven_entry){.seq = seq,
                                             .number = number,
                                             .raw_hash = redriven_raw_hash(bytes_of(raw, strlen(raw))),
                                             .items = items});
}

static void write_some(struct redriven *r, struct buffer *out)
{
    add(r, 0, 3, "{", bytes_of("\x92\x04\x01", 3));
    add(r, 0, 4, "x", bytes_of(NULL, 0));
    add(r, UINT64_C(0x100000000), 0, "y", bytes_of("\x92\x04\x02", 3));
    redriven_append(r, out);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct redriven written = {0};
    struct redriven read = {0};
    struct buffer file = BUFFER_EMPTY;
    struct error err;
    write_some(&written, &file);
    ok(redriven_read(&read, buffer_bytes(&file), "here", &err), &err);
    assert_int_equal(read.count, 3);
    assert_true(read.mark != 0);
    for (size_t i = 0; i < 3; i++) {
        const struct redriven_entry *want = &written.entries[i];
        const struct redriven_entry *e = redriven_find(&read, want->seq, want->number);
        assert_ptr_equal(e, &read.entries[i]);
        assert_true(e->raw_hash == want->raw_hash && bytes_equal(e->items, want->items));
    }
    assert_null(redriven_find(&read, 0, 2));
    assert_null(redriven_find(&read, 0, 5));
    assert_null(redriven_find(&read, 1, 3));
    assert_null(redriven_find(&read, UINT64_MAX, 0));
    assert_null(redriven_find(NULL, 0, 3));
    redriven_release(&read);
    redriven_release(&written);
    buffer_release(&file);
}

static void the_format_is_as_described(void **state)
{
    (void)state;
    static const char golden[] = "4c46524544524956"
                                 "01000000"
                                 "00000000"
                                 "0100000000000000" /* head, one entry */
                                 "0700000000000000"
                                 "0201000000000000" /* seq, number */
                                 "c294d3380580062d"
                                 "03000000"
                                 "920401"            /* hash of nothing, items */
                                 "686b852a1c5e7c20"; /* checksum */
    struct redriven r = {0};
    struct buffer file = BUFFER_EMPTY;
    char hex[2 * sizeof golden] = "";
    add(&r, 7, 258, "", bytes_of("\x92\x04\x01", 3));
    redriven_append(&r, &file);
    for (size_t i = 0; i < file.len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", file.data[i]);
    }
    assert_string_equal(hex, golden);
    redriven_release(&r);
    buffer_release(&file);
}

static void any_damage_is_found(void **state)
{
    (void)state;
    struct redriven r = {0};
    struct buffer file = BUFFER_EMPTY;
    struct error err;
    write_some(&r, &file);
    for (size_t i = 0; i < file.len; i++) {
        struct redriven read = {0};
        file.data[i] ^= 0x10;
        enum status st = redriven_read(&read, buffer_bytes(&file), "some/log/redriven", &err);
        assert_true(st == STATUS_CORRUPT || (st == STATUS_MISMATCH && i >= 8 && i < 12));
        assert_non_null(strstr(err.text, "some/log/redriven"));
        file.data[i] ^= 0x10;
        redriven_release(&read);
        assert_int_equal(redriven_read(&read, bytes_of(file.data, i), "here", &err), STATUS_CORRUPT);
        redriven_release(&read);
    }
    buffer_release(&file);
    struct redriven_entry swapped = r.entries[0];
    r.entries[0] = r.entries[1];
    r.entries[1] = swapped;
    redriven_append(&r, &file);
    struct redriven read = {0};
    assert_int_equal(redriven_read(&read, buffer_bytes(&file), "here", &err), STATUS_CORRUPT);
    assert_non_null(strstr(err.text, "not in order"));
    redriven_release(&read);
    redriven_release(&r);
    buffer_release(&file);
}

/* ---- folding ---- */

static const char schema[] = "create table t (id int primary key, a int, s text);\n"
                             "create table u (id int primary key, a int, s text);\n"
                             "create materialized view rows as select id, a from t;\n"
                             "create materialized view names as select id, s from t;\n"
                             "create materialized view others as select id, a, s from u;\n";

enum { T = 1, SHORT_T = REDRIVEN_TABLE_ID_FIRST, U };
static const char raw_text[] = "{\"id\": 1}";

static void announce(struct buffer *out, uint32_t table_id, const char *table, uint32_t count)
{
    struct event_column columns[] = {{.name = "id", .type = type_make(TYPE_INT4), .key = true},
                                     {.name = "a", .type = type_make(TYPE_INT4)},
                                     {.name = "s", .type = type_make(TYPE_TEXT)}};
    event_append_schema(
        out, &(struct event_schema){
                 .table_id = table_id, .schema = "public", .table = table, .columns = columns, .column_count = count});
}

/* `s` NULL: a row of two columns. */
static void row(struct buffer *out, enum event_kind kind, uint32_t table_id, int id, int a, const char *s)
{
    struct datum d = datum_int(id);
    event_append_row(out, kind, table_id, s == NULL ? 2 : 3);
    packed_append_datum(out, TYPE_INT4, &d);
    d = datum_int(a);
    packed_append_datum(out, TYPE_INT4, &d);
    if (s != NULL) {
        d = datum_bytes(bytes_of(s, strlen(s)));
        packed_append_datum(out, TYPE_TEXT, &d);
    }
    if (kind == EVENT_UPDATE) {
        event_append_no_old(out);
    }
}

static void commit(struct world *w)
{
    world_append(w, true);
    world_fold(w, 1);
    world_check_mirror(w);
}

static void entry_in_quarantine(struct world *w)
{
    event_append_quarantine(&w->chunk, "topic x offset 3", "not declared", bytes_of(raw_text, strlen(raw_text)));
}

static void begin(struct world *w, const struct redriven *r)
{
    world_open_redriven(w, schema, r);
    event_append_commit(&w->chunk, 5, 1);
    announce(&w->chunk, T, "t", 3);
    commit(w);
}

static void items_are_folded_in_the_place_of_their_entry(void **state)
{
    (void)state;
    struct world w;
    struct redriven r = {.mark = 77};
    struct buffer update = BUFFER_EMPTY;
    struct buffer other = BUFFER_EMPTY;
    row(&update, EVENT_UPDATE, T, 1, 20, "second");
    announce(&other, U, "u", 3);
    row(&other, EVENT_INSERT, U, 1, 5, "redriven");
    add(&r, 1, 1, raw_text, buffer_bytes(&update));
    add(&r, 1, 3, raw_text, buffer_bytes(&other));
    add(&r, 2, 0, raw_text, bytes_of(NULL, 0)); /* to be ignored */
    begin(&w, &r);
    row(&w.chunk, EVENT_INSERT, T, 1, 10, "first");
    entry_in_quarantine(&w);
    row(&w.chunk, EVENT_UPDATE, T, 2, 0, "another");
    entry_in_quarantine(&w);
    entry_in_quarantine(&w);
    commit(&w);
    check_view(&w, "rows", "1|20\n2|0");
    check_view(&w, "others", "1|5|redriven");
    check_quarantine(&w, "not declared\n"); /* the one that is in no entry */
    entry_in_quarantine(&w);
    row(&w.chunk, EVENT_UPDATE, T, 1, 30, "third");
    commit(&w);
    check_view(&w, "rows", "1|30\n2|0");
    assert_int_equal(flow_quarantine_count(w.flow), 1);
    assert_int_equal(flow_table_id_next(w.flow), T + 1); /* ids of entries are none of the log's */
    uint64_t mark;
    struct error err;
    ok(flow_redriven_mark(w.store, &mark, &err), &err);
    assert_int_equal(mark, 77);
    world_close(&w);
    redriven_release(&r);
    buffer_release(&update);
    buffer_release(&other);
}

static void a_state_goes_on_with_no_other_entries(void **state)
{
    (void)state;
    struct world w;
    struct redriven r = {.mark = 77};
    struct redriven other = {.mark = 78};
    struct error err;
    begin(&w, &r);
    struct flow_options options = {.catalog = &w.catalog, .store = w.store, .redriven = &other};
    struct flow *flow;
    assert_int_equal(flow_open(&flow, &options, &err), STATUS_MISMATCH);
    options.redriven = NULL;
    assert_int_equal(flow_open(&flow, &options, &err), STATUS_MISMATCH);
    world_close(&w);
}

static void check_refused(const char *raw, struct bytes items, const char *expected)
{
    struct world w;
    struct redriven r = {.mark = 1};
    struct store_chunk chunk;
    struct error err;
    add(&r, 1, 0, raw, items);
    begin(&w, &r);
    entry_in_quarantine(&w);
    world_append(&w, true);
    ok(store_reader_next(w.reader, &chunk, &err), &err);
    assert_int_equal(flow_fold(w.flow, &chunk, &err), STATUS_CORRUPT);
    assert_non_null(strstr(err.text, expected));
    world_close(&w);
    redriven_release(&r);
}

static void entries_of_another_log_are_refused(void **state)
{
    (void)state;
    struct buffer items = BUFFER_EMPTY;
    check_refused("another", bytes_of(NULL, 0), "does not belong to this log");
    event_append_position(&items, "pg.lsn", 1);
    check_refused(raw_text, buffer_bytes(&items), "an item of kind position");
    buffer_reset(&items);
    announce(&items, T, "t", 3); /* an id of the log's */
    check_refused(raw_text, buffer_bytes(&items), "an item of kind schema");
    buffer_reset(&items);
    row(&items, EVENT_INSERT, SHORT_T + 5, 1, 1, NULL);
    check_refused(raw_text, buffer_bytes(&items), "in no journal entry");
    buffer_release(&items);
}

static bool names_in_error(const struct world *w)
{
    return w->in_error[world_view(w, "names")];
}

/* Rows without column s stand between rows with it, under journal entries that come but once. */
static void tell_the_story(struct world *w, const struct redriven *r, bool crash, struct multiset *out)
{
    begin(w, r);
    for (int i = 1; i <= 6; i++) {
        if (i % 2 == 0) {
            entry_in_quarantine(w);
        } else {
            row(&w->chunk, EVENT_INSERT, T, i, i, "whole");
        }
        commit(w);
        assert_int_equal(names_in_error(w), i % 2 == 0);
        world_checkpoint(w);
        if (crash) {
            world_reopen(w);
            assert_int_equal(names_in_error(w), i % 2 == 0);
        }
    }
    announce(&w->chunk, T + 1, "t", 3);
    commit(w);
    assert_false(names_in_error(w));
    entry_in_quarantine(w);
    row(&w->chunk, EVENT_INSERT, T, 9, 9, "of an older entry of the log");
    commit(w);
    assert_false(names_in_error(w));
    check_view(w, "rows", "1|1\n2|2\n3|3\n4|4\n5|5\n6|6\n8|8\n9|9");
    world_checkpoint(w);
    world_dump(w, true, out);
    world_close(w);
}

static void columns_come_and_go_with_redriven_rows(void **state)
{
    (void)state;
    struct world w;
    struct redriven r = {.mark = 5};
    struct buffer items[4] = {BUFFER_EMPTY, BUFFER_EMPTY, BUFFER_EMPTY, BUFFER_EMPTY};
    announce(&items[0], SHORT_T, "t", 2);
    for (int i = 0; i < 4; i++) {
        row(&items[i], EVENT_INSERT, SHORT_T, 2 * i + 2, 2 * i + 2, NULL);
        add(&r, (uint64_t)(2 * i + 2), 0, raw_text, buffer_bytes(&items[i]));
    }
    struct multiset straight = {0};
    struct multiset crashing = {0};
    tell_the_story(&w, &r, false, &straight);
    tell_the_story(&w, &r, true, &crashing);
    assert_true(multiset_same(&straight, &crashing, "the state after crashes"));
    multiset_release(&straight);
    multiset_release(&crashing);
    redriven_release(&r);
    for (int i = 0; i < 4; i++) {
        buffer_release(&items[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_format_is_as_described),
        cmocka_unit_test(any_damage_is_found),
        cmocka_unit_test(items_are_folded_in_the_place_of_their_entry),
        cmocka_unit_test(a_state_goes_on_with_no_other_entries),
        cmocka_unit_test(entries_of_another_log_are_refused),
        cmocka_unit_test(columns_come_and_go_with_redriven_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
