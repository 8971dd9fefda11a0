/* What Connect sends again after it was killed, in halves, while this program is killed in the middle of it, on
 * librdkafka's mock cluster. Opening the source anew is what a kill leaves: the positions in the log. */
#include "kafka_fixture.h"

static const char ddl[] = "CREATE TABLE s.t(id int PRIMARY KEY, v text); CREATE TABLE s.u(id int PRIMARY KEY, v text);";

static void tombstone(struct fixture *f, int partition, int id)
{
    char key[32];
    snprintf(key, sizeof key, "{\"id\":%d}", id);
    fixture_send(f->owner, "p.s.t", partition, key, NULL);
}

/* Rows of transaction `xid`, which begins where the one before has ended: 10 each. */
static struct change row_of(int xid, int id, int order)
{
    uint64_t base = (uint64_t)xid * 10;
    return (struct change){.id = id, .xid = xid, .order = order, .base = base, .lsn = base + (uint64_t)order};
}

static void begin(struct fixture *f, int xid)
{
    fixture_begin(f, xid, (uint64_t)xid * 10);
}

static void end(struct fixture *f, int xid, int rows_t, int rows_u)
{
    fixture_end(f, xid, (uint64_t)xid * 10 + 10, rows_t, rows_u);
}

enum { SETTLED_US = 1500000 }; /* after which nothing more is waited for */

static void settle(struct fixture *f)
{
    fixture_flush(f);
    fixture_turns_for(f, 250000);
}

/* Everything in the log so far in words, without commits that only move positions; begins anew. */
static void expect_rows(struct fixture *f, const char *want)
{
    static const char empty[] = "0:|";
    buffer_append_byte(&f->log.text, '\0');
    char *at = (char *)f->log.text.data;
    for (char *hit = strstr(at, empty); hit != NULL; hit = strstr(at, empty)) {
        memmove(hit, hit + strlen(empty), strlen(hit + strlen(empty)) + 1);
    }
    assert_string_equal(at, want);
    buffer_reset(&f->log.text);
}

static void a_tombstone_is_told_by_the_delete_before_it_in_its_own_partition(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 2);
    fixture_topic(&f, "p.s.u", 1);
    fixture_open(&f, false);
    for (int p = 0; p < 2; p++) { /* the deletes are read before either tombstone */
        fixture_row(&f, p, p + 1);
        fixture_change(&f, (struct change){.partition = p, .id = p + 1, .op = 'd'});
        settle(&f);
    }
    fixture_change(&f, (struct change){.table = "u", .id = 7, .op = 'd'});
    settle(&f);
    for (int p = 0; p < 2; p++) {
        tombstone(&f, p, p + 1);
        fixture_row(&f, p, p + 1);
        settle(&f);
    }
    tombstone(&f, 0, 2); /* of no delete before it */
    settle(&f);
    expect_rows(&f, "0: +1 -1|0: +2 -2|0: -u7|0: +1|0: +2|0: -2|");
    fixture_release(&f);
}

/* Transactions 10 to 13: an insert in two tables, its delete, the same key again, another row. */
static void send_history(struct fixture *f, int from, int to)
{
    for (int xid = from; xid <= to; xid++) {
        begin(f, xid);
        struct change first = row_of(xid, 1, 1);
        struct change second = row_of(xid, xid, 2);
        first.op = xid == 11 ? 'd' : 0;
        second.table = "u";
        fixture_change(f, first);
        if (xid == 11) {
            tombstone(f, 0, 1);
        }
        fixture_change(f, second);
        end(f, xid, 1, 1);
    }
}

static void transactions_sent_again_are_not_applied_again_after_a_kill_within_them(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    send_history(&f, 10, 13);
    settle(&f);
    expect_rows(&f, "10: +1 +u10|11: -1 +u11|12: +1 +u12|13: +1 +u13|");
    /* Connect is killed after 14 has begun, and begins again with 10; procd is killed at every step of it. */
    begin(&f, 14);
    fixture_change(&f, row_of(14, 20, 1));
    settle(&f);
    fixture_open(&f, false);
    for (int xid = 10; xid <= 13; xid++) {
        begin(&f, xid);
        settle(&f);
        fixture_open(&f, false);
        struct change first = row_of(xid, 1, 1);
        first.op = xid == 11 ? 'd' : 0;
        fixture_change(&f, first);
        settle(&f);
        fixture_open(&f, false);
        if (xid == 11) {
            tombstone(&f, 0, 1);
            settle(&f);
            fixture_open(&f, false);
        }
        struct change second = row_of(xid, xid, 2);
        second.table = "u";
        fixture_change(&f, second);
        settle(&f);
        fixture_open(&f, false);
        end(&f, xid, 1, 1);
        settle(&f);
        expect_rows(&f, "");
    }
    begin(&f, 14);
    fixture_change(&f, row_of(14, 20, 1));
    fixture_change(&f, (struct change){.table = "u", .id = 21, .xid = 14, .order = 2, .base = 140, .lsn = 142});
    end(&f, 14, 1, 1);
    fixture_flush(&f); /* begun twice */
    fixture_turns_for(&f, SETTLED_US);
    expect_rows(&f, "14: +20 +u21|");
    fixture_open(&f, false);
    settle(&f);
    expect_rows(&f, "");
    fixture_expect_position(&f, "p.s.t:0", 12);
    fixture_release(&f);
}

static void a_repeated_tombstone_after_a_kill_does_not_remove_a_row_that_came_later(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct fixture f;
        fixture_init_whole(&f, ddl);
        f.transaction_topic = whole ? f.transaction_topic : NULL;
        fixture_open(&f, false);
        send_history(&f, 10, 12);
        settle(&f);
        buffer_reset(&f.log.text);
        struct change insert = row_of(10, 1, 1);
        struct change delete = row_of(11, 1, 1);
        delete.op = 'd';
        fixture_change(&f, insert);
        fixture_change(&f, delete);
        settle(&f);
        fixture_expect_position(&f, "p.s.t:0", 6);
        fixture_open(&f, false);
        tombstone(&f, 0, 1);
        settle(&f);
        expect_rows(&f, "");
        fixture_open(&f, false);
        fixture_change(&f, row_of(13, 2, 1));
        begin(&f, 13);
        end(&f, 13, 1, 0);
        settle(&f);
        expect_rows(&f, "13: +2|");
        fixture_release(&f);
    }
}

static void a_place_is_remembered_over_a_kill(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    fixture_topic(&f, "p.s.u", 1);
    fixture_open(&f, false);
    for (int xid = 10; xid < 14; xid++) {
        fixture_change(&f, row_of(xid, 1, 1));
    }
    settle(&f);
    fixture_expect(&f, "10: +1|11: +1|12: +1|13: +1|");
    fixture_open(&f, false);
    for (int xid = 11; xid < 15; xid++) {
        fixture_change(&f, row_of(xid, 1, 1));
    }
    settle(&f);
    expect_rows(&f, "14: +1|");
    fixture_release(&f);
}

static void the_first_transaction_of_all_is_known_again(void **state)
{
    (void)state;
    struct fixture f;
    struct change first = {.id = 1, .xid = 7, .order = 1, .lsn = 71}; /* no commit was before it */
    struct change second = {.id = 2, .xid = 7, .order = 2, .lsn = 72};
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    begin(&f, 7);
    fixture_change(&f, first);
    settle(&f);
    fixture_change(&f, first); /* twice the same is not two */
    end(&f, 7, 2, 0);
    settle(&f);
    expect_rows(&f, "");
    second.partition = 1;
    fixture_change(&f, second);
    settle(&f);
    expect_rows(&f, "7: +1 +2|");
    fixture_open(&f, false);
    second.partition = 0; /* partitions were added meanwhile, say */
    fixture_change(&f, second);
    fixture_change(&f, row_of(8, 3, 1));
    begin(&f, 8);
    end(&f, 8, 1, 0);
    settle(&f);
    expect_rows(&f, "8: +3|");
    fixture_release(&f);
}

static void a_row_that_cannot_be_read_counts_once_though_it_is_sent_twice(void **state)
{
    (void)state;
    struct fixture f;
    struct change bad = row_of(10, 1, 1);
    bad.bad = true;
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    begin(&f, 10);
    fixture_change(&f, bad);
    fixture_change(&f, bad);
    end(&f, 10, 1, 1);
    settle(&f);
    assert_int_equal(f.log.quarantined, 0);
    struct change late = row_of(10, 2, 2);
    late.table = "u";
    fixture_change(&f, late);
    settle(&f);
    expect_rows(&f, "10: ? +u2|");
    fixture_release(&f);
}

static void a_snapshot_s_row_that_cannot_be_read_stands_for_none_of_a_transaction(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    fixture_change(&f, (struct change){.id = 1, .op = 'r', .lsn = 90, .bad = true});
    fixture_send(f.owner, "p.s.t", 0, "nonsense", NULL); /* a tombstone is no row either */
    begin(&f, 10);
    fixture_change(&f, row_of(10, 2, 1));
    end(&f, 10, 1, 1);
    settle(&f);
    assert_int_equal(f.log.rows, 0);
    struct change late = row_of(10, 3, 2);
    late.table = "u";
    fixture_change(&f, late);
    settle(&f);
    assert_int_equal(f.log.quarantined, 2);
    assert_int_equal(f.log.rows, 2);
    buffer_append_byte(&f.log.text, '\0');
    assert_non_null(strstr((const char *)f.log.text.data, "+2 +u3|"));
    fixture_release(&f);
}

/* A record that is no event stands for a row that is still to come: its transaction may be committed without it. */
static void what_was_missing_of_a_transaction_is_applied_after_a_kill(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    begin(&f, 10);
    settle(&f);
    fixture_send(f.owner, "p.s.t", 0, "{\"id\":1}", "no event");
    end(&f, 10, 0, 1);
    begin(&f, 11);
    fixture_change(&f, row_of(11, 2, 1));
    end(&f, 11, 1, 0);
    settle(&f);
    expect_rows(&f, "10: ?|11: +2|");
    fixture_open(&f, false);
    struct change late = row_of(10, 3, 1);
    late.table = "u";
    fixture_change(&f, late);
    fixture_change(&f, row_of(11, 2, 1)); /* this one is a repetition */
    settle(&f);
    expect_rows(&f, "0: +u3|");
    fixture_release(&f);
}

/* Debezium is killed in the middle of 11, goes on there and counts from there. */
static void begin_in_the_middle(struct fixture *f)
{
    fixture_init_whole(f, ddl);
    fixture_open(f, false);
    send_history(f, 10, 10);
    begin(f, 11);
    fixture_change(f, row_of(11, 2, 1));
    begin(f, 11);
    end(f, 11, 0, 1);
    settle(f);
    expect_rows(f, "10: +1 +u10|");
}

static const struct change second_half = {.table = "u", .id = 3, .xid = 11, .order = 1, .base = 110, .lsn = 113};

static void a_transaction_that_was_counted_from_its_middle_waits_for_what_is_on_its_way(void **state)
{
    (void)state;
    struct fixture f;
    begin_in_the_middle(&f);
    fixture_change(&f, second_half);
    fixture_flush(&f);
    fixture_turns_for(&f, SETTLED_US);
    expect_rows(&f, "11: +2 +u3|");
    fixture_release(&f);
}

static void its_rows_that_come_later_still_are_not_lost(void **state)
{
    (void)state;
    struct fixture f;
    begin_in_the_middle(&f);
    fixture_turns_for(&f, SETTLED_US);
    expect_rows(&f, "11: +2|");
    fixture_open(&f, false);
    fixture_change(&f, second_half);
    settle(&f);
    expect_rows(&f, "0: +u3|");
    send_history(&f, 12, 12);
    settle(&f);
    expect_rows(&f, "12: +1 +u12|");
    fixture_release(&f);
}

static void with_once_it_is_whole_at_the_end(void **state)
{
    (void)state;
    struct fixture f;
    begin_in_the_middle(&f);
    fixture_change(&f, second_half);
    fixture_flush(&f);
    fixture_open(&f, true);
    fixture_until_end(&f);
    expect_rows(&f, "11: +2 +u3|");
    fixture_release(&f);
}

/* With a timeout that nothing has run into, repetitions are dropped as without. */
static void a_timeout_makes_no_repetition_new(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    f.transaction_timeout_us = 60000000;
    fixture_open(&f, false);
    send_history(&f, 10, 12);
    settle(&f);
    buffer_reset(&f.log.text);
    fixture_change(&f, row_of(10, 1, 1));
    settle(&f);
    fixture_open(&f, false);
    fixture_change(&f, (struct change){.partition = 1, .id = 1, .xid = 11, .order = 1, .base = 110, .lsn = 111});
    settle(&f);
    expect_rows(&f, "");
    fixture_release(&f);
}

/* Rows that are given up without an END, over a kill. */
static void what_was_given_up_is_applied_when_it_comes_after_a_kill(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    f.transaction_timeout_us = 500000;
    fixture_open(&f, false);
    begin(&f, 10);
    fixture_change(&f, row_of(10, 1, 1));
    fixture_flush(&f);
    fixture_until_rows(&f, 1);
    fixture_open(&f, false);
    begin(&f, 11);
    fixture_change(&f, row_of(11, 2, 1));
    end(&f, 11, 1, 0);
    settle(&f);
    fixture_open(&f, false);
    struct change late = row_of(10, 3, 2);
    late.table = "u";
    fixture_change(&f, late);
    fixture_change(&f, row_of(12, 4, 1));
    begin(&f, 12);
    end(&f, 12, 1, 0);
    fixture_until_rows(&f, 4);
    fixture_release(&f);
}

/* Commit times are what tells a repetition from a database that was restored: its LSNs begin anew. */
static void a_database_restored_to_an_earlier_place_is_followed(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct fixture f;
        fixture_init_whole(&f, ddl);
        f.transaction_topic = whole ? f.transaction_topic : NULL;
        fixture_open(&f, false);
        send_history(&f, 10, 13);
        settle(&f);
        buffer_reset(&f.log.text);
        for (int kill = 0; kill < 2; kill++) {
            for (int xid = 12 + 2 * kill; xid < 14 + 2 * kill; xid++) {
                struct change again = row_of(xid, 50 + xid, 1);
                again.time = 1000 + (uint64_t)xid;
                begin(&f, xid);
                fixture_change(&f, again);
                fixture_end_at(&f, xid, (uint64_t)xid * 10 + 10, 1000 + (uint64_t)xid, 1, 0);
            }
            settle(&f);
            expect_rows(&f, kill == 0 ? "12: +62|13: +63|" : "14: +64|15: +65|");
            fixture_open(&f, false);
        }
        fixture_release(&f);
    }
}

static void a_source_whose_clock_goes_back_is_followed(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct fixture f;
        fixture_init_whole(&f, ddl);
        f.transaction_topic = whole ? f.transaction_topic : NULL;
        fixture_open(&f, false);
        send_history(&f, 10, 13);
        settle(&f);
        buffer_reset(&f.log.text);
        for (int xid = 14; xid < 17; xid++) {
            struct change next = row_of(xid, xid, 1);
            next.time = 50 - (uint64_t)xid;
            begin(&f, xid);
            fixture_change(&f, next);
            fixture_end_at(&f, xid, (uint64_t)xid * 10 + 10, 50 - (uint64_t)xid, 1, 0);
            settle(&f);
            fixture_open(&f, false);
        }
        settle(&f);
        expect_rows(&f, "14: +14|15: +15|16: +16|");
        fixture_release(&f);
    }
}

/* Whatever its place looks like, a row of the transaction that is waited for is what it is waited for. */
static void a_row_of_the_transaction_at_hand_is_never_taken_for_a_repetition(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init_whole(&f, ddl);
    fixture_open(&f, false);
    send_history(&f, 10, 13);
    settle(&f);
    buffer_reset(&f.log.text);
    begin(&f, 14);
    fixture_end_at(&f, 14, 150, 140, 0, 1);
    settle(&f);
    fixture_open(&f, false);
    fixture_turns_for(&f, 250000);
    fixture_change(
        &f, (struct change){.table = "u", .id = 30, .xid = 14, .order = 1, .base = 130, .lsn = 141, .time = 140});
    settle(&f);
    expect_rows(&f, "14: +u30|");
    fixture_release(&f);
}

/* Read by a snapshot that runs beside the stream: its rows have the stream's place and are new all the same. */
static void rows_of_a_snapshot_are_never_taken_for_repetitions(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct fixture f;
        fixture_init_whole(&f, ddl);
        f.transaction_topic = whole ? f.transaction_topic : NULL;
        fixture_open(&f, false);
        send_history(&f, 10, 13);
        settle(&f);
        buffer_reset(&f.log.text);
        fixture_change(&f, (struct change){.id = 40, .op = 'r', .base = 110, .lsn = 111, .time = 100});
        fixture_change(&f, row_of(13, 1, 1)); /* is still one */
        settle(&f);
        expect_rows(&f, "0: +40|");
        fixture_release(&f);
    }
}

static void once_with_a_broker_away_is_tried_again_and_no_end(void **state)
{
    (void)state;
    struct fixture f;
    struct error err = {0};
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    fixture_topic(&f, "p.s.u", 1);
    fixture_row(&f, 0, 1);
    fixture_flush(&f);
    (void)rd_kafka_mock_broker_set_down(f.cluster, 1);
    (void)rd_kafka_mock_broker_set_down(f.cluster, 2);
    assert_int_equal(fixture_open_source(&f, true, &err), STATUS_RETRY);
    assert_string_not_equal(err.text, "");
    (void)rd_kafka_mock_broker_set_up(f.cluster, 1);
    (void)rd_kafka_mock_broker_set_up(f.cluster, 2);
    fixture_open(&f, true);
    fixture_until_end(&f);
    fixture_expect(&f, "0: +1|");
    fixture_release(&f);
}

static void once_without_a_topic_that_was_read_before_is_no_end(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    fixture_topic(&f, "p.s.u", 1);
    fixture_row(&f, 0, 1);
    fixture_flush(&f);
    fixture_open(&f, true);
    fixture_until_end(&f);
    rd_kafka_mock_topic_set_error(f.cluster, "p.s.t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    fixture_open(&f, true);
    fixture_until_ends_with(&f, STATUS_RETRY, "topic \"p.s.t\" is not there");
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tombstone_is_told_by_the_delete_before_it_in_its_own_partition),
        cmocka_unit_test(transactions_sent_again_are_not_applied_again_after_a_kill_within_them),
        cmocka_unit_test(a_repeated_tombstone_after_a_kill_does_not_remove_a_row_that_came_later),
        cmocka_unit_test(a_place_is_remembered_over_a_kill),
        cmocka_unit_test(the_first_transaction_of_all_is_known_again),
        cmocka_unit_test(a_row_that_cannot_be_read_counts_once_though_it_is_sent_twice),
        cmocka_unit_test(a_snapshot_s_row_that_cannot_be_read_stands_for_none_of_a_transaction),
        cmocka_unit_test(what_was_missing_of_a_transaction_is_applied_after_a_kill),
        cmocka_unit_test(a_transaction_that_was_counted_from_its_middle_waits_for_what_is_on_its_way),
        cmocka_unit_test(its_rows_that_come_later_still_are_not_lost),
        cmocka_unit_test(with_once_it_is_whole_at_the_end),
        cmocka_unit_test(a_timeout_makes_no_repetition_new),
        cmocka_unit_test(what_was_given_up_is_applied_when_it_comes_after_a_kill),
        cmocka_unit_test(a_database_restored_to_an_earlier_place_is_followed),
        cmocka_unit_test(a_source_whose_clock_goes_back_is_followed),
        cmocka_unit_test(a_row_of_the_transaction_at_hand_is_never_taken_for_a_repetition),
        cmocka_unit_test(rows_of_a_snapshot_are_never_taken_for_repetitions),
        cmocka_unit_test(once_with_a_broker_away_is_tried_again_and_no_end),
        cmocka_unit_test(once_without_a_topic_that_was_read_before_is_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
