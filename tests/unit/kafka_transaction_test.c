/* Whole source transactions by Debezium's transaction topic, on librdkafka's mock cluster. */
#include "kafka_fixture.h"

static const char ddl[] = "CREATE TABLE s.t(id int PRIMARY KEY, v text); CREATE TABLE s.u(id int PRIMARY KEY, v text);";

static void rows_of_all_topics_are_one_commit_when_the_end_is_late(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_change(&f, (struct change){.partition = 1, .id = 90, .op = 'r'}); /* a snapshot's row */
    fixture_begin(&f, 7, 100);
    fixture_change(&f, (struct change){.partition = 0, .id = 1, .xid = 7, .order = 2, .base = 50, .lsn = 101});
    fixture_change(&f, (struct change){.table = "u", .id = 2, .xid = 7, .order = 1, .base = 50, .lsn = 100});
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_turns_for(&f, 300000);
    assert_int_equal(f.log.rows, 0 + (f.log.rows == 1)); /* the snapshot's may be alone or wait */
    fixture_change(&f, (struct change){.partition = 0, .id = 4, .xid = 8, .order = 1, .base = 110, .lsn = 111});
    fixture_end(&f, 7, 110, 2, 1); /* one row is missing yet */
    fixture_turns_for(&f, 300000);
    assert_true(f.log.rows <= 1);
    buffer_reset(&f.log.text);
    f.log.rows = 0;
    fixture_change(&f, (struct change){.partition = 1, .id = 3, .xid = 7, .order = 3, .base = 50, .lsn = 102});
    fixture_flush(&f);
    fixture_turns_for(&f, 300000);
    buffer_append_byte(&f.log.text, '\0');
    const char *text = (const char *)f.log.text.data;
    assert_non_null(strstr(text, "+u2 +1 +3|"));
    assert_int_equal(text[0], '7');
    fixture_expect_position(&f, "p.s.t:0", 1); /* the row of 8 is not in the log */
    fixture_expect_position(&f, "p.transaction:0", 2);
    buffer_reset(&f.log.text);
    fixture_open(&f, false); /* and is read again */
    fixture_begin(&f, 8, 110);
    fixture_end(&f, 8, 112, 1, 0);
    fixture_turns_for(&f, 500000);
    fixture_expect(&f, "8: +4|");
    fixture_expect_position(&f, "kafka.transaction_lsn", 112);
    fixture_release(&f);
}

static void transactions_are_committed_in_the_source_s_order_whatever_comes_first(void **state)
{
    (void)state;
    struct fixture f;
    char want[2000];
    size_t at = 0;
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    for (int i = 0; i < 40; i++) { /* rows of t first, then the markers, then those of u */
        uint64_t lsn = 1000 + (uint64_t)i * 10;
        fixture_change(
            &f, (struct change){.partition = i % 2, .id = i, .xid = 100 + i, .order = 1, .base = lsn, .lsn = lsn + 1});
        at += (size_t)snprintf(want + at, sizeof want - at, "%d: +%d +u%d|", 100 + i, i, i);
    }
    fixture_flush(&f);
    fixture_turns_for(&f, 100000);
    for (int i = 0; i < 40; i++) {
        uint64_t lsn = 1000 + (uint64_t)i * 10;
        fixture_begin(&f, 100 + i, lsn);
        fixture_end(&f, 100 + i, lsn + 10, 1, 1);
    }
    fixture_turns_for(&f, 100000);
    assert_int_equal(f.log.rows, 0);
    for (int i = 0; i < 40; i++) {
        uint64_t lsn = 1000 + (uint64_t)i * 10;
        fixture_change(&f,
                       (struct change){.table = "u", .id = i, .xid = 100 + i, .order = 2, .base = lsn, .lsn = lsn + 2});
    }
    fixture_flush(&f);
    fixture_until_rows(&f, 80);
    fixture_expect(&f, want);
    fixture_release(&f);
}

static void rows_of_many_partitions_are_put_in_their_transaction_s_order(void **state)
{
    (void)state;
    enum { PARTITIONS = 50, ROWS = 400 };
    struct fixture f;
    char want[ROWS * 6] = "7:";
    fixture_init(&f, ddl);
    f.transaction_topic = "p.transaction";
    fixture_topic(&f, "p.s.t", PARTITIONS);
    fixture_topic(&f, "p.s.u", 1);
    fixture_topic(&f, "p.transaction", 1);
    fixture_begin(&f, 7, 100);
    uint32_t place = 12345;
    for (int i = 1; i <= ROWS; i++) {
        place = place * 1664525 + 1013904223;
        size_t at = strlen(want);
        (void)snprintf(want + at, sizeof want - at, " +%d", i);
        fixture_change(&f, (struct change){.partition = (int)(place >> 16) % (i % 3 == 0 ? 3 : PARTITIONS),
                                           .id = i,
                                           .xid = 7,
                                           .order = i,
                                           .base = 90,
                                           .lsn = 100 + (uint64_t)i});
    }
    fixture_end(&f, 7, 1000, ROWS, 0);
    fixture_open(&f, false);
    fixture_until_rows(&f, ROWS);
    (void)snprintf(want + strlen(want), sizeof want - strlen(want), "|");
    fixture_expect(&f, want);
    fixture_release(&f);
}

static void what_connect_sends_again_is_not_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    for (int round = 0; round < 2; round++) {
        fixture_begin(&f, 7, 100);
        fixture_change(&f, (struct change){.id = 1, .xid = 7, .order = 1, .base = 90, .lsn = 100});
        fixture_end(&f, 7, 105, 1, 0);
        fixture_turns_for(&f, 200000);
        if (round == 0) { /* the second time the program has just been started, and one row less comes */
            fixture_open(&f, false);
        }
    }
    fixture_end(&f, 7, 105, 2, 0);
    fixture_begin(&f, 8, 105);
    fixture_change(&f, (struct change){.id = 2, .xid = 8, .order = 1, .base = 105, .lsn = 107});
    fixture_end(&f, 8, 110, 1, 0);
    fixture_turns_for(&f, 400000);
    buffer_append_byte(&f.log.text, '\0');
    const char *text = (const char *)f.log.text.data;
    assert_int_equal(strncmp(text, "7: +1|", 6), 0);
    assert_non_null(strstr(text, "8: +2|"));
    fixture_expect_position(&f, "p.s.t:0", 3);
    fixture_expect_position(&f, "p.transaction:0", 7);
    fixture_release(&f);
}

static void once_leaves_what_is_not_whole_for_the_next_run(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_begin(&f, 7, 100);
    fixture_change(&f, (struct change){.id = 1, .xid = 7, .order = 1, .base = 90, .lsn = 100});
    fixture_end(&f, 7, 105, 1, 0);
    fixture_begin(&f, 8, 105);
    fixture_change(&f, (struct change){.id = 2, .xid = 8, .order = 1, .base = 105, .lsn = 107});
    fixture_flush(&f);
    fixture_open(&f, true);
    fixture_until_end(&f);
    fixture_expect(&f, "7: +1|");
    fixture_end(&f, 8, 110, 1, 0);
    fixture_open(&f, true);
    fixture_until_end(&f);
    fixture_expect(&f, "8: +2|");
    fixture_release(&f);
}

static void a_transaction_topic_with_several_partitions_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    f.transaction_topic = "p.transaction";
    fixture_topic(&f, "p.s.t", 1);
    fixture_topic(&f, "p.s.u", 1);
    fixture_topic(&f, "p.transaction", 3);
    fixture_open_fails(&f, STATUS_UNSUPPORTED, "it has 3 partitions, so its order is lost");
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_all_topics_are_one_commit_when_the_end_is_late),
        cmocka_unit_test(transactions_are_committed_in_the_source_s_order_whatever_comes_first),
        cmocka_unit_test(rows_of_many_partitions_are_put_in_their_transaction_s_order),
        cmocka_unit_test(what_connect_sends_again_is_not_waited_for),
        cmocka_unit_test(once_leaves_what_is_not_whole_for_the_next_run),
        cmocka_unit_test(a_transaction_topic_with_several_partitions_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
