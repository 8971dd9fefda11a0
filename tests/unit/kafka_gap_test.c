/* The Kafka source on librdkafka's mock cluster: partitions that come, records that are gone, brokers that go. */
#include "kafka_fixture.h"

static const char ddl[] = "CREATE TABLE s.t(id int PRIMARY KEY, v text);";

static rd_kafka_t *producer_for(rd_kafka_mock_cluster_t *cluster)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), reason,
                            sizeof reason);
    (void)rd_kafka_conf_set(conf, "linger.ms", "1", reason, sizeof reason);
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
}

/* Another cluster stands in for the same topic as it is later. */
static void use_another_cluster(struct fixture *f, int partitions, int rows_each)
{
    rd_kafka_mock_cluster_t *other = rd_kafka_mock_cluster_new(f->owner, 1);
    fixture_use(f, other);
    fixture_topic(f, "p.s.t", partitions);
    rd_kafka_t *mine = f->owner;
    f->owner = producer_for(other);
    for (int p = 0; p < partitions; p++) {
        for (int i = 0; i < rows_each; i++) {
            fixture_row(f, p, p * 100 + i);
        }
    }
    fixture_flush(f);
    rd_kafka_destroy(f->owner);
    f->owner = mine;
}

static void forget_checks(struct fixture *f)
{
    for (size_t i = 0; i < f->log.position_count; i++) {
        char *name = f->log.positions[i].name;
        if (strstr(name, ".check") != NULL) {
            name[0] = '~';
        }
    }
}

static void partitions_that_were_added_are_found(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    for (int i = 0; i < 5; i++) {
        fixture_row(&f, 0, i);
    }
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 5);
    forget_checks(&f); /* the stand-in has other timestamps */
    rd_kafka_mock_cluster_t *first = f.cluster;
    use_another_cluster(&f, 3, 5);
    rd_kafka_mock_cluster_t *second = f.cluster;
    /* The brokers of the first go away; a bootstrap server leads to the second. */
    char both[512];
    snprintf(both, sizeof both, "kafka://%s,%s", rd_kafka_mock_cluster_bootstraps(first),
             rd_kafka_mock_cluster_bootstraps(second));
    assert_true(strlen(both) < sizeof f.url);
    memcpy(f.url, both, strlen(both) + 1);
    (void)rd_kafka_mock_broker_set_down(second, 1);
    fixture_open(&f, false);
    fixture_turns_for(&f, 100000);
    assert_int_equal(f.log.rows, 5);
    (void)rd_kafka_mock_broker_set_down(first, 1);
    (void)rd_kafka_mock_broker_set_down(first, 2);
    (void)rd_kafka_mock_broker_set_up(second, 1);
    fixture_until_rows(&f, 15);
    fixture_turns_for(&f, 100000);
    assert_int_equal(f.log.rows, 15);
    fixture_close_source(&f);
    rd_kafka_mock_cluster_destroy(second);
    fixture_release(&f);
}

static void a_topic_made_anew_is_an_error_that_tells_how_much_is_missing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 2);
    for (int i = 0; i < 40; i++) {
        fixture_row(&f, i % 2, i);
    }
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 40);
    fixture_turns_for(&f, 50000);
    rd_kafka_mock_cluster_t *second;
    rd_kafka_mock_cluster_t *third;
    rd_kafka_mock_cluster_t *fourth;
    use_another_cluster(&f, 2, 15); /* shorter */
    second = f.cluster;
    fixture_open_fails(&f, STATUS_MISMATCH, "\"p.s.t\" partition 0 at offset 20: it ends at offset 15, 5 records are");
    use_another_cluster(&f, 2, 30); /* longer */
    third = f.cluster;
    fixture_open(&f, false);
    fixture_until_fails(&f, "the record before it is not the one that was read");
    use_another_cluster(&f, 1, 30); /* fewer partitions */
    fourth = f.cluster;
    fixture_open_fails(&f, STATUS_MISMATCH, "partition 1 at offset 20: the topic has only 1 partitions");
    rd_kafka_mock_cluster_destroy(second);
    rd_kafka_mock_cluster_destroy(third);
    rd_kafka_mock_cluster_destroy(fourth);
    fixture_release(&f);
}

/* The mock broker keeps 5 MiB of a partition. */
static void fill(struct fixture *f, int megabytes)
{
    char *value = mem_alloc(512 * 1024 + 1);
    memset(value, ' ', 512 * 1024);
    value[512 * 1024] = '\0';
    memcpy(value, "null", 4); /* a tombstone without a key: nothing to fold */
    for (int i = 0; i < megabytes * 2; i++) {
        fixture_send(f->owner, "p.s.t", 0, NULL, value);
        if (i % 4 == 3) {
            fixture_flush(f);
        }
    }
    fixture_flush(f);
    mem_free(value);
}

static void offsets_that_the_broker_no_longer_has_are_an_error(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    for (int i = 0; i < 7; i++) {
        fixture_row(&f, 0, i);
    }
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 7);
    fixture_close_source(&f);
    fill(&f, 8);
    fixture_open_fails(&f, STATUS_MISMATCH, "\"p.s.t\" partition 0 at offset 7: the broker has it from offset ");
    fixture_open_fails(&f, STATUS_MISMATCH, " records are missing (deleted by retention or by hand); what the broker");
    f.log.position_count = 0; /* an empty store takes what there is */
    fixture_open(&f, false);
    fixture_row(&f, 0, 50);
    fixture_flush(&f);
    fixture_until_rows(&f, 8);
    fixture_release(&f);
}

static void an_offset_out_of_range_while_running_is_asked_again_or_an_error(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 1);
    fixture_row(&f, 0, 1);
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 1);
    rd_kafka_mock_push_request_errors(f.cluster, 1, 2, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    fixture_turns_for(&f, 300000);
    fixture_row(&f, 0, 2);
    fixture_flush(&f);
    fixture_until_rows(&f, 2);
    fixture_release(&f);
}

static void until_connected(struct fixture *f, bool want, struct source_status *status)
{
    int64_t deadline = clock_mono_us() + WAIT_US;
    do {
        fixture_turns_for(f, 50000);
        source_kafka_methods.status(f->source, status);
    } while (status->connected != want && clock_mono_us() < deadline);
    assert_int_equal(status->connected, want);
}

static void brokers_that_go_and_come_are_followed(void **state)
{
    (void)state;
    struct fixture f;
    struct source_status status;
    fixture_init(&f, ddl);
    fixture_topic(&f, "p.s.t", 2);
    fixture_row(&f, 0, 1);
    fixture_row(&f, 1, 2);
    fixture_flush(&f);
    fixture_open(&f, false);
    fixture_until_rows(&f, 2);
    (void)rd_kafka_mock_broker_set_down(f.cluster, 1);
    (void)rd_kafka_mock_broker_set_down(f.cluster, 2);
    until_connected(&f, false, &status);
    assert_string_not_equal(status.detail, "");
    (void)rd_kafka_mock_broker_set_up(f.cluster, 1);
    (void)rd_kafka_mock_broker_set_up(f.cluster, 2);
    fixture_row(&f, 0, 3);
    fixture_row(&f, 1, 4);
    fixture_until_rows(&f, 4);
    fixture_flush(&f);
    until_connected(&f, true, &status);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_that_were_added_are_found),
        cmocka_unit_test(a_topic_made_anew_is_an_error_that_tells_how_much_is_missing),
        cmocka_unit_test(offsets_that_the_broker_no_longer_has_are_an_error),
        cmocka_unit_test(an_offset_out_of_range_while_running_is_asked_again_or_an_error),
        cmocka_unit_test(brokers_that_go_and_come_are_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
