/* The Kafka source on librdkafka's mock cluster: partitions, positions, properties, order, bounds. */
#include "kafka_fixture.h"

#include <unistd.h>

static const char ddl[] = "CREATE TABLE s.t(id int PRIMARY KEY, v text);";
static const char two_tables[] =
    "CREATE TABLE s.t(id int PRIMARY KEY, v text); CREATE TABLE s.u(id int PRIMARY KEY, v text);";

static void all_partitions_are_read_and_resumed_without_gap_or_overlap(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 3);
    for (int i = 0; i < 300; i++) {
        fixture_row(&f, i % 3, i);
    }
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 300);
    for (int run = 1; run < 4; run++) {
        if (run != 2) { /* also while somebody writes */
            fixture_close_source(&f);
        }
        for (int i = 0; i < 30; i++) {
            fixture_row(&f, i % 3, 1000 * run + i);
        }
        fixture_flush(&f);
        if (run != 2) {
            fixture_open(&f, false);
        }
        fixture_until_rows(&f, 300 + (uint64_t)run * 30);
    }
    fixture_turns_for(&f, 200000);
    assert_int_equal(f.log.rows, 390);
    fixture_expect_position(&f, "p.s.t:0", 130);
    fixture_expect_position(&f, "p.s.t:1", 130);
    fixture_expect_position(&f, "p.s.t:2", 130);
    struct source_status status;
    source_kafka_methods.status(f.source, &status);
    assert_true(status.connected);
    assert_string_equal(status.position, "3 partitions, 0 records behind");
    assert_int_equal(status.lag_bytes, 0);
    fixture_release(&f);
}

static void the_group_is_told_of_what_is_on_disk(void **state)
{
    (void)state;
    struct fixture f;
    char reason[256];
    fixture_init(&f, ddl);
    fixture_set(&f, "group.id", "mine");
    fixture_topic(&f, "p.s.t", 1);
    for (int i = 0; i < 10; i++) {
        fixture_row(&f, 0, i);
    }
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 10);
    fixture_turns_for(&f, 300000);
    fixture_close_source(&f);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(f.cluster), reason,
                            sizeof reason);
    (void)rd_kafka_conf_set(conf, "group.id", "mine", reason, sizeof reason);
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "p.s.t", 0);
    assert_int_equal(rd_kafka_committed(reader, list, 5000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(list->elems[0].offset, 10);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(reader);
    fixture_release(&f);
}

static void once_ends_at_the_ends_seen_at_the_start(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, two_tables);
    fixture_topic(&f, "p.s.t", 2);
    fixture_row(&f, 0, 1);
    fixture_row(&f, 1, 2);
    fixture_flush(&f);
    rd_kafka_mock_topic_set_error(f.cluster, "p.s.u", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    fixture_open(&f, true); /* the topic of u does not exist: not waited for */
    fixture_until_end(&f);
    assert_int_equal(f.log.rows, 2);
    fixture_open(&f, true);
    fixture_until_end(&f);
    assert_int_equal(f.log.rows, 2);
    fixture_row(&f, 0, 4);
    fixture_flush(&f);
    fixture_open(&f, true);
    fixture_until_end(&f);
    assert_int_equal(f.log.rows, 3);
    fixture_release(&f);
}

static void a_topic_that_comes_late_is_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    struct source_status status;
    fixture_init(&f, two_tables);
    fixture_topic(&f, "p.s.t", 1);
    fixture_topic(&f, "p.s.u", 2);
    rd_kafka_mock_topic_set_error(f.cluster, "p.s.u", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    fixture_row(&f, 0, 1);
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 1);
    source_kafka_methods.status(f.source, &status);
    assert_string_equal(status.detail, "waiting for topic \"p.s.u\"");
    rd_kafka_mock_topic_set_error(f.cluster, "p.s.u", RD_KAFKA_RESP_ERR_NO_ERROR);
    fixture_change(&f, (struct change){.table = "u", .partition = 1, .id = 5});
    fixture_flush(&f);
    fixture_until_rows(&f, 2);
    fixture_expect(&f, "0: +1|0: +u5|");
    source_kafka_methods.status(f.source, &status);
    assert_string_equal(status.detail, "");
    fixture_release(&f);
}

static void properties_are_passed_on_and_unknown_ones_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_set(&f, "no.such.property", "1");
    fixture_open_fails(&f, STATUS_INVALID, "the Kafka property \"no.such.property\" (section [kafka])");
    f.properties[f.property_count - 1] = (struct property){"auto.offset.reset", "latest"};
    fixture_open_fails(&f, STATUS_INVALID, "\"auto.offset.reset\" to \"latest\": it is always \"error\"");
    f.properties[f.property_count - 1] = (struct property){"security.protocol", "nonsense"};
    fixture_open_fails(&f, STATUS_INVALID, "security.protocol");
    f.property_count -= 1;
    snprintf(f.url, sizeof f.url, "kafka://user:secret@host:9092");
    fixture_open_fails(&f, STATUS_INVALID, "write kafka://HOST:PORT[,HOST:PORT...]");
    snprintf(f.url, sizeof f.url, "kafka://");
    fixture_open_fails(&f, STATUS_INVALID, "write kafka://HOST:PORT");
    f.topic_prefix = NULL;
    fixture_open_fails(&f, STATUS_INVALID, "could not tell the topic of table s.t (test.sql:1:14)");
    fixture_release(&f);
}

static void tables_name_their_topic(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "CREATE TABLE s.t(id int PRIMARY KEY, v text) WITH (topic = 'elsewhere');");
    f.topic_prefix = NULL;
    fixture_topic(&f, "elsewhere", 1);
    fixture_send(f.owner, "elsewhere", 0, "{\"id\":3}",
                 "{\"after\":{\"id\":3,\"v\":null},\"source\":{\"schema\":\"s\",\"table\":\"t\"},\"op\":\"c\"}");
    fixture_send(f.owner, "elsewhere", 0, "{\"id\":4}", "{\"id\":4,\"v\":null,\"__op\":\"c\"}");
    fixture_flush(&f);
    fixture_open(&f, true);
    usleep(300000);
    fixture_until_end(&f);
    fixture_expect(&f, "0: +3 +4|");
    fixture_release(&f);
}

static void records_of_several_partitions_are_put_in_the_source_s_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, two_tables);
    fixture_topic(&f, "p.s.t", 2);
    fixture_topic(&f, "p.s.u", 1);
    /* Transaction 8 commits at 120, before 7, which began earlier and commits at 140. */
    fixture_change(&f, (struct change){.partition = 0, .id = 1, .txid = 8, .base = 50, .lsn = 105});
    fixture_change(&f, (struct change){.partition = 0, .id = 2, .txid = 7, .base = 120, .lsn = 100});
    fixture_change(&f, (struct change){.partition = 1, .id = 3, .txid = 7, .base = 120, .lsn = 110});
    fixture_change(&f, (struct change){.table = "u", .id = 4, .txid = 8, .base = 50, .lsn = 106});
    fixture_change(&f, (struct change){.table = "u", .id = 5, .txid = 7, .base = 120, .lsn = 101});
    fixture_change(&f, (struct change){.table = "u", .id = 6, .txid = 9, .base = 140, .lsn = 150});
    fixture_flush(&f);
    fixture_open(&f, false);
    usleep(300000); /* all is fetched: one poll */
    fixture_until_rows(&f, 6);
    fixture_expect(&f, "8: +1 +u4|7: +2 +u5 +3|9: +u6|");
    fixture_release(&f);
}

static void what_connect_sends_again_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    struct change changes[] = {{.id = 1, .txid = 7, .base = 50, .lsn = 100},
                               {.id = 2, .txid = 8, .base = 120, .lsn = 130},
                               {.id = 1, .txid = 9, .base = 140, .lsn = 150, .op = 'd'}};
    for (int i = 0; i < 3; i++) {
        fixture_change(&f, changes[i]);
    }
    fixture_change(&f, changes[0]);
    fixture_change(&f, changes[1]);
    fixture_change(&f, (struct change){.id = 3, .txid = 10, .base = 160, .lsn = 170});
    fixture_flush(&f);
    fixture_open(&f, true);
    fixture_until_end(&f);
    fixture_expect(&f, "7: +1|8: +2|9: -1|10: +3|");
    fixture_expect_position(&f, "p.s.t:0", 6);
    fixture_release(&f);
}

static void a_tombstone_alone_is_a_delete_and_after_a_delete_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    fixture_send(f.owner, "p.s.t", 0, "{\"id\":1}", "{\"id\":1,\"v\":\"a\"}");
    fixture_send(f.owner, "p.s.t", 0, "{\"id\":1}", NULL);
    fixture_send(f.owner, "p.s.t", 0, "{\"id\":2}", "{\"id\":2,\"v\":\"a\",\"__deleted\":\"true\"}");
    fixture_send(f.owner, "p.s.t", 0, "{\"id\":2}", NULL);
    fixture_send(f.owner, "p.s.t", 0, "{\"id\":2}", NULL);
    fixture_send(f.owner, "p.s.t", 0, NULL, NULL);
    fixture_send(f.owner, "p.s.t", 0, "nonsense", NULL);
    fixture_flush(&f);
    fixture_open(&f, true);
    usleep(300000); /* all is fetched: one poll */
    fixture_until_end(&f);
    fixture_expect(&f, "0: +1 -1 -2 -2 ?|");
    fixture_release(&f);
}

static void the_queue_is_bounded_whatever_the_lag(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_set(&f, "queued.max.messages.kbytes", "256");
    fixture_set(&f, "fetch.max.bytes", "1000000");
    fixture_set(&f, "fetch.message.max.bytes", "100000");
    fixture_topic(&f, "p.s.t", 4);
    char *value = mem_alloc(20001);
    for (int i = 0; i < 800; i++) { /* 16 MB */
        int head = snprintf(value, 200,
                            "{\"after\":{\"id\":%d,\"v\":null},\"source\":{\"schema\":\"s\",\"table\":\"t\"},"
                            "\"op\":\"c\"}",
                            i);
        memset(value + head, ' ', (size_t)(20000 - head));
        value[20000] = '\0';
        fixture_send(f.owner, "p.s.t", i % 4, NULL, value);
    }
    fixture_flush(&f);
    mem_free(value);
    fixture_open(&f, false);
    usleep(1000000); /* nobody polls */
    bool more = false;
    struct error err;
    assert_int_equal(source_kafka_methods.poll(f.source, 64 << 20, &more, &err), STATUS_OK);
    assert_true(f.log.rows * 20000 < 6 << 20);
    fixture_until_rows(&f, 800);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_partitions_are_read_and_resumed_without_gap_or_overlap),
        cmocka_unit_test(the_group_is_told_of_what_is_on_disk),
        cmocka_unit_test(once_ends_at_the_ends_seen_at_the_start),
        cmocka_unit_test(a_topic_that_comes_late_is_waited_for),
        cmocka_unit_test(properties_are_passed_on_and_unknown_ones_are_refused),
        cmocka_unit_test(tables_name_their_topic),
        cmocka_unit_test(records_of_several_partitions_are_put_in_the_source_s_order),
        cmocka_unit_test(what_connect_sends_again_changes_nothing),
        cmocka_unit_test(a_tombstone_alone_is_a_delete_and_after_a_delete_nothing),
        cmocka_unit_test(the_queue_is_bounded_whatever_the_lag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
