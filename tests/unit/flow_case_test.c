/* The engine, case by case: what the source may do to a row, to a table's columns and to a view's expressions. */
#include "flow_fixture.h"

static const char schema[] = "create table t (id int primary key, a int, s text);\n"
                             "create table p (x int, y text, v text, primary key (x, y));\n"
                             "create materialized view rows as select id, a, s from t;\n"
                             "create materialized view pairs as select x, y, v from p;\n"
                             "create materialized view counts as select count(*) as c, sum(a) as s from t;\n"
                             "create materialized view names as select id, s from t;\n"
                             "create materialized view quotients as select id, 100 / a as q from t;\n"
                             "create materialized view one as select 1 as x, 'a' as y;\n"
                             "create materialized view kinds as select distinct a::numeric / 2 as h from t;\n";

enum { T = 1, P = 2, OTHER = 9 };

struct given {
    const char *name;
    enum type_kind kind;
};

/* Announces how rows of `table_id` look from here on. */
static void announce(struct world *w, uint32_t table_id, const char *table, const struct given *given, uint32_t count)
{
    struct event_column columns[8];
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (struct event_column){.name = given[i].name, .type = type_make(given[i].kind), .key = i == 0};
    }
    event_append_schema(
        &w->chunk,
        &(struct event_schema){
            .table_id = table_id, .schema = "public", .table = table, .columns = columns, .column_count = count});
}

static const struct given t_columns[] = {{"id", TYPE_INT4}, {"a", TYPE_INT4}, {"s", TYPE_TEXT}};
static const struct given p_columns[] = {{"x", TYPE_INT4}, {"y", TYPE_TEXT}, {"v", TYPE_TEXT}};

enum { NOT_SENT = -1000, NIL = -1001 };

static void number(struct world *w, int value)
{
    struct datum d = value == NOT_SENT ? DATUM_MISSING : value == NIL ? DATUM_NULL : datum_int(value);
    packed_append_datum(&w->chunk, TYPE_INT4, &d);
}

/* NULL = not sent */
static void text(struct world *w, const char *value)
{
    struct datum d = value == NULL ? DATUM_MISSING : datum_bytes(bytes_of(value, strlen(value)));
    packed_append_datum(&w->chunk, TYPE_TEXT, &d);
}

static void t_values(struct world *w, int id, int a, const char *s)
{
    number(w, id);
    number(w, a);
    text(w, s);
}

static void t_row(struct world *w, enum event_kind kind, int id, int a, const char *s)
{
    event_append_row(&w->chunk, kind, T, 3);
    t_values(w, id, a, s);
    if (kind == EVENT_UPDATE) {
        event_append_no_old(&w->chunk);
    }
}

static void p_values(struct world *w, int x, const char *y, const char *v)
{
    number(w, x);
    text(w, y);
    text(w, v);
}

static void commit(struct world *w)
{
    world_append(w, true);
    world_fold(w, 1);
    world_check_mirror(w);
}

static void start(struct world *w)
{
    world_open(w, schema);
    event_append_commit(&w->chunk, 5, 1);
    announce(w, T, "t", t_columns, 3);
    announce(w, P, "p", p_columns, 3);
    commit(w);
}

static void an_aggregate_of_everything_and_a_constant_have_a_row_before_any_event(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, schema);
    check_view(&w, "counts", "0|~");
    check_view(&w, "one", "1|a");
    check_view(&w, "rows", "");
    world_check_mirror(&w);
    world_checkpoint(&w);
    world_reopen(&w); /* not given a second time */
    check_view(&w, "counts", "0|~");
    check_view(&w, "one", "1|a");
    world_check_mirror(&w);
    world_close(&w);
}

static void values_that_were_not_sent_are_those_of_the_stored_row(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "long text");
    commit(&w);
    t_row(&w, EVENT_UPDATE, 1, 20, NULL);
    commit(&w);
    check_view(&w, "rows", "1|20|long text");
    t_row(&w, EVENT_UPDATE, 1, NOT_SENT, "new");
    t_row(&w, EVENT_UPDATE, 1, 30, NULL); /* of the row as the same run left it */
    commit(&w);
    check_view(&w, "rows", "1|30|new");
    check_quarantine(&w, "");
    world_close(&w);
}

static void a_key_that_changes_takes_the_row_along(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "kept");
    commit(&w);
    event_append_row(&w.chunk, EVENT_UPDATE, T, 3);
    t_values(&w, 2, 11, NULL);
    event_append_old(&w.chunk, 3);
    t_values(&w, 1, NOT_SENT, NULL);
    commit(&w);
    check_view(&w, "rows", "2|11|kept");
    check_view(&w, "counts", "1|11");
    world_close(&w);
}

static void a_key_column_that_was_not_sent_is_the_one_of_the_old_row(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    event_append_row(&w.chunk, EVENT_INSERT, P, 3);
    p_values(&w, 1, "long key", "v");
    commit(&w);
    event_append_row(&w.chunk, EVENT_UPDATE, P, 3);
    p_values(&w, 1, NULL, "w");
    event_append_old(&w.chunk, 3);
    p_values(&w, 1, "long key", NULL);
    commit(&w);
    check_view(&w, "pairs", "1|long key|w");
    event_append_row(&w.chunk, EVENT_UPDATE, P, 3);
    p_values(&w, 2, NULL, NULL);
    event_append_old(&w.chunk, 3);
    p_values(&w, 1, "long key", NULL);
    commit(&w);
    check_view(&w, "pairs", "2|long key|w");
    check_quarantine(&w, "");
    world_close(&w);
}

static void what_cannot_be_applied_goes_into_quarantine_with_its_reason(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    t_row(&w, EVENT_DELETE, 7, NOT_SENT, NULL);
    t_row(&w, EVENT_UPDATE, 8, 1, NULL);
    t_row(&w, EVENT_INSERT, NIL, 1, "x");
    t_row(&w, EVENT_UPDATE, 9, 1, "whole"); /* everything is there: it is as good as an insert */
    event_append_quarantine(&w.chunk, "topic x offset 3", "not JSON", bytes_of("{", 1));
    commit(&w);
    check_view(&w, "rows", "9|1|whole");
    check_quarantine(&w, "delete of table public.t: the row is not known\n"
                         "update of table public.t: the row is not known and some of its values were not sent\n"
                         "insert of table public.t: a column of the primary key is NULL or was not sent\n"
                         "not JSON\n");
    assert_int_equal(flow_quarantine_count(w.flow), 4);
    world_checkpoint(&w);
    world_reopen(&w);
    assert_int_equal(flow_quarantine_count(w.flow), 4);
    world_close(&w);
}

static void a_remove_takes_the_row_out_if_it_is_there(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 1, "a");
    t_row(&w, EVENT_INSERT, 2, 1, "b");
    commit(&w);
    t_row(&w, EVENT_REMOVE, 1, NOT_SENT, NULL);
    t_row(&w, EVENT_REMOVE, 1, NOT_SENT, NULL);
    t_row(&w, EVENT_REMOVE, 7, NOT_SENT, NULL);
    commit(&w);
    check_view(&w, "rows", "2|1|b");
    check_quarantine(&w, "");
    t_row(&w, EVENT_REMOVE, NIL, NOT_SENT, NULL);
    commit(&w);
    check_quarantine(&w, "remove of table public.t: a column of the primary key is NULL or was not sent\n");
    world_close(&w);
}

static void a_row_inserted_again_is_replaced_and_a_truncate_takes_all(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "a");
    t_row(&w, EVENT_READ, 1, 11, "b");
    t_row(&w, EVENT_INSERT, 2, 1, "c");
    commit(&w);
    check_view(&w, "counts", "2|12");
    event_append_truncate(&w.chunk, T);
    t_row(&w, EVENT_INSERT, 2, 5, "after");
    commit(&w);
    check_view(&w, "rows", "2|5|after");
    check_view(&w, "counts", "1|5");
    world_close(&w);
}

static void tables_that_are_not_declared_are_passed_over(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    announce(&w, OTHER, "other", t_columns, 3);
    event_append_row(&w.chunk, EVENT_INSERT, OTHER, 3);
    t_values(&w, 1, 1, "x");
    event_append_row(&w.chunk, EVENT_UPDATE, OTHER, 3);
    t_values(&w, 1, 2, NULL);
    event_append_old(&w.chunk, 3);
    t_values(&w, 1, 1, "x");
    event_append_row(&w.chunk, EVENT_DELETE, OTHER, 3);
    t_values(&w, 1, NOT_SENT, NULL);
    event_append_truncate(&w.chunk, OTHER);
    t_row(&w, EVENT_INSERT, 1, 1, "mine");
    commit(&w);
    check_view(&w, "rows", "1|1|mine");
    check_quarantine(&w, "");
    assert_int_equal(flow_table_id_next(w.flow), OTHER + 1);
    world_close(&w);
}

static void a_renamed_column_goes_on_feeding_the_declared_one(void **state)
{
    (void)state;
    struct world w;
    static const struct given renamed[] = {{"id", TYPE_INT4}, {"amount", TYPE_INT4}, {"s", TYPE_TEXT}};
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "a");
    announce(&w, 3, "t", renamed, 3);
    event_append_row(&w.chunk, EVENT_INSERT, 3, 3);
    t_values(&w, 2, 20, "b");
    commit(&w);
    world_checkpoint(&w);
    world_reopen(&w); /* the journal tells it too */
    event_append_row(&w.chunk, EVENT_INSERT, 3, 3);
    t_values(&w, 3, 30, "c");
    commit(&w);
    check_view(&w, "rows", "1|10|a\n2|20|b\n3|30|c");
    assert_false(w.in_error[world_view(&w, "rows")]);
    world_close(&w);
}

static void a_dropped_column_is_an_error_of_the_views_that_use_it_until_it_is_back(void **state)
{
    (void)state;
    struct world w;
    static const struct given dropped[] = {{"id", TYPE_INT4}, {"a", TYPE_INT4}};
    static const struct given added[] = {{"id", TYPE_INT4}, {"a", TYPE_INT4}, {"new", TYPE_INT4}, {"s", TYPE_TEXT}};
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "a");
    announce(&w, 3, "t", dropped, 2);
    event_append_row(&w.chunk, EVENT_INSERT, 3, 2);
    number(&w, 2);
    number(&w, 20);
    commit(&w);
    assert_true(w.in_error[world_view(&w, "names")]);
    assert_non_null(strstr(w.error_text, "column \"s\" of table public.t"));
    world_checkpoint(&w);
    world_reopen(&w);
    assert_true(w.in_error[world_view(&w, "names")]);
    announce(&w, 4, "t", added, 4);
    event_append_row(&w.chunk, EVENT_INSERT, 4, 4);
    number(&w, 3);
    number(&w, 30);
    number(&w, 77);
    text(&w, "c");
    commit(&w);
    assert_false(w.in_error[world_view(&w, "names")]);
    check_view(&w, "rows", "1|10|a\n2|20|~\n3|30|c");
    world_close(&w);
}

static void values_of_another_type_are_converted_or_kept_aside(void **state)
{
    (void)state;
    struct world w;
    static const struct given texts[] = {{"id", TYPE_INT8}, {"a", TYPE_TEXT}, {"s", TYPE_VARCHAR}};
    start(&w);
    announce(&w, 3, "t", texts, 3);
    event_append_row(&w.chunk, EVENT_INSERT, 3, 3);
    number(&w, 1);
    text(&w, "12");
    text(&w, "x");
    event_append_row(&w.chunk, EVENT_INSERT, 3, 3);
    number(&w, 2);
    text(&w, "twelve");
    text(&w, "y");
    commit(&w);
    check_view(&w, "rows", "1|12|x");
    check_quarantine(&w, "insert of table public.t: column \"a\": invalid input syntax for type integer: \"twelve\"\n");
    world_close(&w);
}

static void a_good_update_repairs_a_row_whose_bad_value_was_kept_aside(void **state)
{
    (void)state;
    struct world w;
    static const struct given texts[] = {{"id", TYPE_INT4}, {"a", TYPE_TEXT}, {"s", TYPE_TEXT}};
    start(&w);
    t_row(&w, EVENT_INSERT, 2, 1, "two");
    announce(&w, 3, "t", texts, 3);
    event_append_row(&w.chunk, EVENT_UPDATE, 3, 3);
    number(&w, 1);
    text(&w, "13");
    text(&w, "x");
    event_append_old(&w.chunk, 3);
    number(&w, 1);
    text(&w, "thirteen"); /* of the old row only the key matters */
    text(&w, "x");
    event_append_row(&w.chunk, EVENT_DELETE, 3, 3);
    number(&w, 2);
    text(&w, "two");
    text(&w, "x");
    commit(&w);
    check_view(&w, "rows", "1|13|x");
    check_quarantine(&w, "");
    world_close(&w);
}

static void a_failing_expression_withdraws_its_view_until_the_row_is_gone(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "a");
    commit(&w);
    t_row(&w, EVENT_INSERT, 2, 0, "zero");
    t_row(&w, EVENT_INSERT, 3, 20, "c");
    commit(&w);
    uint32_t view = world_view(&w, "quotients");
    assert_true(w.in_error[view]);
    assert_int_equal(w.mirror[view].count, 0);
    assert_string_equal(w.error_text, "division by zero, in row (id=2, a=0, s=zero)");
    assert_false(w.in_error[world_view(&w, "rows")]);
    t_row(&w, EVENT_INSERT, 4, 0, "another");
    commit(&w);
    assert_int_equal(world_errors(&w, view), 2);
    t_row(&w, EVENT_UPDATE, 2, 5, "five");
    commit(&w);
    assert_true(w.in_error[view]);
    assert_string_equal(w.error_text, "division by zero, in row (id=4, a=0, s=another)"); /* the one that is left */
    t_row(&w, EVENT_DELETE, 4, NOT_SENT, NULL);
    commit(&w);
    assert_false(w.in_error[view]);
    check_view(&w, "quotients", "1|10\n2|20\n3|5");
    world_close(&w);
}

static void the_text_of_a_failure_shows_the_values_that_were_read(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "create table t (id int primary key, a int, s text);\n"
                   "create materialized view v as select id, 100 / a as q from t;\n");
    announce(&w, T, "t", t_columns, 3);
    t_row(&w, EVENT_INSERT, 2, 0, "zero");
    commit(&w);
    assert_string_equal(w.error_text, "division by zero, in row (id=2, a=0)");
    world_close(&w);
}

static void an_aggregate_that_overflows_is_an_error_of_its_group_alone_in_time(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "create table t (id int primary key, f float8);\n"
                   "create materialized view v as select id % 2 as k, sum(f) as s from t group by id % 2;\n");
    static const struct given columns[] = {{"id", TYPE_INT4}, {"f", TYPE_FLOAT8}};
    announce(&w, T, "t", columns, 2);
    for (int id = 1; id <= 4; id++) {
        struct datum f = datum_float(id % 2 == 0 ? 1.5e308 : 2);
        event_append_row(&w.chunk, EVENT_INSERT, T, 2);
        number(&w, id);
        packed_append_datum(&w.chunk, TYPE_FLOAT8, &f);
    }
    commit(&w);
    assert_true(w.in_error[0]);
    assert_non_null(strstr(w.error_text, "out of range"));
    event_append_row(&w.chunk, EVENT_DELETE, T, 2);
    number(&w, 4);
    number(&w, NOT_SENT);
    commit(&w);
    assert_false(w.in_error[0]);
    check_view(&w, "v", "0|1.5e+308\n1|4");
    world_close(&w);
}

/* The count that is held back, less the number that is not, is nothing to divide by; no commit has it so. */
static void what_is_held_back_puts_no_view_into_error(void **state)
{
    (void)state;
    struct world w;
    bool last;
    world_open(&w,
               "create table t (id int primary key, a int);\n"
               "create table p (a int primary key, m int);\n"
               "create materialized view v as select g.a, 12 / (g.n - p.m) as q from (select a, count(*) as n from t "
               "group by a) as g join p on p.a = g.a;\n");
    static const struct given t[] = {{"id", TYPE_INT4}, {"a", TYPE_INT4}};
    static const struct given p[] = {{"a", TYPE_INT4}, {"m", TYPE_INT4}};
    announce(&w, T, "t", t, 2);
    announce(&w, P, "p", p, 2);
    for (int id = 1; id <= 3; id++) {
        event_append_row(&w.chunk, EVENT_INSERT, id < 3 ? T : P, 2);
        number(&w, id < 3 ? id : 7);
        number(&w, id < 3 ? 7 : 1);
    }
    commit(&w);
    check_view(&w, "v", "7|12");
    event_append_row(&w.chunk, EVENT_INSERT, T, 2);
    number(&w, 3);
    number(&w, 7);
    event_append_row(&w.chunk, EVENT_READ, P, 2);
    number(&w, 7);
    number(&w, 2);
    world_append(&w, true);
    while (world_fold_one(&w, &last)) {
        world_push(&w);
        assert_false(w.in_error[0]);
    }
    world_run(&w);
    assert_false(w.in_error[0]);
    check_view(&w, "v", "7|12");
    world_check_mirror(&w);
    world_close(&w);
}

/* Rows 0 .. count - 1, their `a` the number modulo `groups`, in chunks that a run takes whole. */
static void push_rows(struct world *w, int count, int groups)
{
    bool last;
    for (int id = 0; id < count; id++) {
        event_append_row(&w->chunk, EVENT_INSERT, T, 2);
        number(w, id);
        number(w, id % groups);
    }
    world_append(w, true);
    assert_true(world_fold_one(w, &last));
    world_push(w);
}

static void no_more_is_held_back_than_there_is_room_for(void **state)
{
    (void)state;
    static const struct given t[] = {{"id", TYPE_INT4}, {"a", TYPE_INT4}};
    static const struct {
        int rows;
        int groups;
        bool given_out;
    } cases[] = {{16 * 1024 - 1, 16 * 1024 - 1, false},
                 {16 * 1024, 16 * 1024, true},
                 {256 * 1024 - 1, 3, false},
                 {256 * 1024, 3, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        world_open(&w, "create table t (id int primary key, a int);\n"
                       "create materialized view v as select a, count(*) as c from t group by a;\n");
        announce(&w, T, "t", t, 2);
        push_rows(&w, cases[i].rows, cases[i].groups);
        assert_int_equal(w.mirror[0].count, cases[i].given_out ? cases[i].groups : 0);
        world_run(&w);
        assert_int_equal(w.mirror[0].count, cases[i].groups);
        world_check_mirror(&w);
        world_close(&w);
    }
}

static void a_view_that_would_hold_a_row_less_than_no_time_stops_the_flow(void **state)
{
    (void)state;
    struct world w;
    struct error err;
    struct arena a = ARENA_EMPTY;
    struct store_map *map;
    bool last;
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "a");
    commit(&w);
    ok(store_map_open(w.store, view_map_name(&a, w.views[world_view(&w, "rows")]), &map, &err), &err);
    ok(store_map_clear(map, &err), &err); /* damage */
    t_row(&w, EVENT_DELETE, 1, NOT_SENT, NULL);
    world_append(&w, true);
    assert_true(world_fold_one(&w, &last));
    assert_int_equal(world_try_run(&w, &err), STATUS_CORRUPT);
    assert_non_null(strstr(err.text, "public.rows"));
    arena_release(&a);
    world_close(&w);
}

static void a_change_of_an_unknown_table_id_or_of_wrong_width_is_corruption(void **state)
{
    (void)state;
    struct world w;
    struct error err;
    struct buffer b = BUFFER_EMPTY;
    start(&w);
    event_append_row(&b, EVENT_INSERT, 77, 0);
    assert_int_equal(flow_fold(w.flow, &(struct store_chunk){.data = buffer_bytes(&b), .seq = 4, .last = true}, &err),
                     STATUS_CORRUPT);
    assert_non_null(strstr(err.text, "commit 4"));
    buffer_reset(&b);
    event_append_row(&b, EVENT_INSERT, T, 1);
    packed_append_int(&b, 1);
    assert_int_equal(flow_fold(w.flow, &(struct store_chunk){.data = buffer_bytes(&b), .seq = 5, .last = true}, &err),
                     STATUS_CORRUPT);
    buffer_release(&b);
    world_close(&w);
}

static void equal_numbers_are_one_row_whose_image_some_row_has(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "create table t (id int primary key, a numeric, b numeric);\n"
                   "create materialized view v as select distinct a, b from t;\n"
                   "create materialized view g as select a, b, count(*) as c from t group by a, b;\n");
    static const struct given columns[] = {{"id", TYPE_INT4}, {"a", TYPE_NUMERIC}, {"b", TYPE_NUMERIC}};
    announce(&w, T, "t", columns, 3);
    for (int id = 1; id <= 2; id++) { /* (1.0, 2.00) and (1.00, 2.0) */
        struct datum a = {.v.i = id == 1 ? 10 : 100, .len = id == 1 ? 1 : 2};
        struct datum b = {.v.i = id == 1 ? 200 : 20, .len = id == 1 ? 2 : 1};
        event_append_row(&w.chunk, EVENT_INSERT, T, 3);
        number(&w, id);
        packed_append_datum(&w.chunk, TYPE_NUMERIC, &a);
        packed_append_datum(&w.chunk, TYPE_NUMERIC, &b);
    }
    commit(&w);
    check_view(&w, "v", "1.0|2.00");
    check_view(&w, "g", "1.0|2.00|2");
    event_append_row(&w.chunk, EVENT_DELETE, T, 3);
    number(&w, 1);
    number(&w, NOT_SENT);
    number(&w, NOT_SENT);
    commit(&w);
    check_view(&w, "v", "1.00|2.0");
    check_view(&w, "g", "1.00|2.0|1");
    world_close(&w);
}

static void note_position(void *ctx, const char *name, uint64_t value)
{
    buffer_printf(ctx, "%s=%llu ", name, (unsigned long long)value);
}

static void a_condition_over_a_group_reads_what_it_names_though_columns_before_it_are_dropped(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "create table t (id int primary key, a int, s text);\n"
                   "create materialized view picked as select x.a, x.n from\n"
                   "  (select a, sum(id) as unread, max(s) as top, count(*) as n from t group by a) as x\n"
                   "  where x.top in ('p', 'q');\n");
    event_append_commit(&w.chunk, 5, 1);
    announce(&w, T, "t", t_columns, 3);
    t_row(&w, EVENT_INSERT, 1, 10, "p");
    t_row(&w, EVENT_INSERT, 2, 10, "o");
    t_row(&w, EVENT_INSERT, 3, 20, "r");
    commit(&w);
    check_view(&w, "picked", "10|2");
    world_close(&w);
}

struct wanted_position {
    const char *name;
    uint64_t *value;
    bool found;
};

static void take_position(void *ctx, const char *name, uint64_t value)
{
    struct wanted_position *p = ctx;
    if (strcmp(p->name, name) == 0) {
        p->found = true;
        *p->value = value;
    }
}

static bool position_of(const struct flow *flow, const char *name, uint64_t *value)
{
    struct wanted_position p = {.name = name, .value = value};
    flow_positions(flow, take_position, &p);
    return p.found;
}

static void positions_and_times_are_those_of_the_newest_commit(void **state)
{
    (void)state;
    struct world w;
    struct buffer text_of = BUFFER_EMPTY;
    uint64_t value = 0;
    start(&w);
    event_append_commit(&w.chunk, 123456, 9);
    event_append_position(&w.chunk, "t:1", 5);
    event_append_position(&w.chunk, "pg.lsn", 70);
    event_append_position(&w.chunk, "pg.lsn", 71);
    commit(&w);
    world_checkpoint(&w);
    world_reopen(&w);
    flow_positions(w.flow, note_position, &text_of);
    buffer_append_byte(&text_of, '\0');
    assert_string_equal((const char *)text_of.data, "pg.lsn=71 t:1=5 ");
    assert_true(position_of(w.flow, "pg.lsn", &value));
    assert_int_equal(value, 71);
    assert_false(position_of(w.flow, "none", &value));
    assert_int_equal(flow_commit_time_us(w.flow), 123456);
    buffer_release(&text_of);
    world_close(&w);
}

static void explain_names_the_operators_and_their_maps(void **state)
{
    (void)state;
    struct world w;
    struct error err;
    struct buffer out = BUFFER_EMPTY;
    start(&w);
    t_row(&w, EVENT_INSERT, 1, 10, "a");
    commit(&w);
    world_checkpoint(&w);
    ok(flow_explain(w.store, &w.catalog, w.views[world_view(&w, "counts")], &out, &err), &err);
    buffer_append_byte(&out, '\0');
    assert_non_null(strstr((const char *)out.data, "view public.counts"));
    assert_non_null(strstr((const char *)out.data, "scan"));
    assert_non_null(strstr((const char *)out.data, "group"));
    assert_non_null(strstr((const char *)out.data, "rows=1 "));
    buffer_release(&out);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_aggregate_of_everything_and_a_constant_have_a_row_before_any_event),
        cmocka_unit_test(values_that_were_not_sent_are_those_of_the_stored_row),
        cmocka_unit_test(a_key_that_changes_takes_the_row_along),
        cmocka_unit_test(a_key_column_that_was_not_sent_is_the_one_of_the_old_row),
        cmocka_unit_test(what_cannot_be_applied_goes_into_quarantine_with_its_reason),
        cmocka_unit_test(a_remove_takes_the_row_out_if_it_is_there),
        cmocka_unit_test(a_row_inserted_again_is_replaced_and_a_truncate_takes_all),
        cmocka_unit_test(tables_that_are_not_declared_are_passed_over),
        cmocka_unit_test(a_renamed_column_goes_on_feeding_the_declared_one),
        cmocka_unit_test(a_dropped_column_is_an_error_of_the_views_that_use_it_until_it_is_back),
        cmocka_unit_test(values_of_another_type_are_converted_or_kept_aside),
        cmocka_unit_test(a_good_update_repairs_a_row_whose_bad_value_was_kept_aside),
        cmocka_unit_test(a_failing_expression_withdraws_its_view_until_the_row_is_gone),
        cmocka_unit_test(the_text_of_a_failure_shows_the_values_that_were_read),
        cmocka_unit_test(an_aggregate_that_overflows_is_an_error_of_its_group_alone_in_time),
        cmocka_unit_test(what_is_held_back_puts_no_view_into_error),
        cmocka_unit_test(no_more_is_held_back_than_there_is_room_for),
        cmocka_unit_test(a_view_that_would_hold_a_row_less_than_no_time_stops_the_flow),
        cmocka_unit_test(a_change_of_an_unknown_table_id_or_of_wrong_width_is_corruption),
        cmocka_unit_test(equal_numbers_are_one_row_whose_image_some_row_has),
        cmocka_unit_test(a_condition_over_a_group_reads_what_it_names_though_columns_before_it_are_dropped),
        cmocka_unit_test(positions_and_times_are_those_of_the_newest_commit),
        cmocka_unit_test(explain_names_the_operators_and_their_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
