/* Source transactions that do not become whole in time, or not in memory, on librdkafka's mock cluster. */
#include "kafka_fixture.h"

static const char ddl[] = "CREATE TABLE s.t(id int PRIMARY KEY, v text); CREATE TABLE s.u(id int PRIMARY KEY, v text);";

static void a_transaction_without_an_end_is_given_up_after_its_time(void **state)
{
    (void)state;
    struct fixture f;
    struct source_status status;
    fixture_init_whole(&f, ddl);
    f.transaction_timeout_us = 600000;
    fixture_begin(&f, 7, 100);
    fixture_change(&f, (struct change){.id = 1, .xid = 7, .order = 1, .base = 90, .lsn = 100});
    fixture_begin(&f, 8, 105);
    fixture_change(&f, (struct change){.id = 2, .xid = 8, .order = 1, .base = 105, .lsn = 107});
    fixture_end(&f, 8, 110, 1, 0);
    fixture_open(&f, false);
    fixture_turns_for(&f, 300000);
    assert_int_equal(f.log.rows, 0);
    fixture_until_rows(&f, 2);
    fixture_expect(&f, "7: +1|8: +2|");
    /* What comes of it later goes with the next. */
    fixture_change(&f, (struct change){.table = "u", .id = 3, .xid = 7, .order = 2, .base = 90, .lsn = 101});
    fixture_end(&f, 7, 105, 1, 1);
    fixture_until_rows(&f, 3);
    /* A row that no marker tells of. */
    fixture_change(&f, (struct change){.table = "u", .id = 4, .xid = 9, .order = 1, .base = 110, .lsn = 112});
    fixture_flush(&f);
    fixture_until_rows(&f, 4);
    source_kafka_methods.status(f.source, &status);
    assert_string_equal(status.detail, "");
    fixture_release(&f);
}

static void a_transaction_larger_than_memory_is_handed_over_in_pieces(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_set(&f, "queued.max.messages.kbytes", "64");
    fixture_set(&f, "fetch.max.bytes", "100000");
    fixture_set(&f, "message.max.bytes", "50000");
    fixture_set(&f, "fetch.message.max.bytes", "50000");
    fixture_begin(&f, 7, 100);
    fixture_flush(&f);
    int rows = 6000;
    for (int i = 0; i < rows; i++) { /* 4 MB, and as much of a later one in another topic */
        fixture_change(&f, (struct change){.partition = i % 2,
                                           .id = i,
                                           .xid = 7,
                                           .order = i + 1,
                                           .base = 90,
                                           .lsn = 100 + (uint64_t)i,
                                           .width = 400});
        fixture_change(&f,
                       (struct change){
                           .table = "u", .id = i, .xid = 8, .order = i + 1, .base = 10000, .lsn = 10100 + (uint64_t)i});
    }
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_turns_for(&f, 700000);
    assert_int_equal(f.log.rows, 0);
    fixture_end(&f, 7, 10000, rows, 0);
    fixture_until_rows(&f, (uint64_t)rows);
    assert_true(f.log.chunks > 2);
    buffer_append_byte(&f.log.text, '\0');
    assert_null(strchr((const char *)f.log.text.data, 'u'));
    fixture_begin(&f, 8, 10000);
    fixture_end(&f, 8, 20000, 0, rows);
    fixture_until_rows(&f, 2 * (uint64_t)rows);
    assert_int_equal(f.log.commits, 2);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_without_an_end_is_given_up_after_its_time),
        cmocka_unit_test(a_transaction_larger_than_memory_is_handed_over_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
