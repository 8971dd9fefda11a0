/* Several partitions of one topic without a transaction topic, one of them on a broker that answers late, on
 * librdkafka's mock cluster. */
#include "kafka_fixture.h"

#include "ingest/kafka.h"

static const char ddl[] = "CREATE TABLE s.t(id int PRIMARY KEY, v text); CREATE TABLE s.u(id int PRIMARY KEY, v text);";

enum { LATE_MS = 400, NEVER_MS = WAIT_US / 1000 + 1000, QUEUE_KIB = 64, MANY = 4000, WIDTH = 400, LATER = 10000 };

/* Partition 0 of p.s.t is the late one, 1 is not. */
static void init(struct fixture *f)
{
    fixture_init(f, ddl);
    fixture_topic(f, "p.s.t", 2);
    fixture_topic(f, "p.s.u", 1);
    assert_int_equal(rd_kafka_mock_partition_set_leader(f->cluster, "p.s.t", 0, 2), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_mock_partition_set_leader(f->cluster, "p.s.t", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_mock_partition_set_leader(f->cluster, "p.s.u", 0, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void open_late(struct fixture *f)
{
    fixture_flush(f);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(f->cluster, 2, LATE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    fixture_open(f, false);
}

static void a_record_waits_for_the_partition_that_is_behind_it(void **state)
{
    (void)state;
    struct fixture f;
    init(&f);
    fixture_change(&f, (struct change){.partition = 0, .id = 1, .txid = 1, .base = 10, .lsn = 11});
    fixture_change(&f, (struct change){.partition = 1, .id = 2, .txid = 2, .base = 20, .lsn = 21});
    fixture_change(&f, (struct change){.partition = 0, .id = 3, .txid = 3, .base = 30, .lsn = 31});
    fixture_change(&f, (struct change){.table = "u", .id = 4, .txid = 4, .base = 40, .lsn = 41}); /* waits for nobody */
    open_late(&f);
    fixture_until_rows(&f, 1);
    fixture_expect(&f, "4: +u4|");
    fixture_until_rows(&f, 4);
    fixture_expect(&f, "1: +1|2: +2|3: +3|");
    /* At their ends nobody waits for the late one, which would be too late now. */
    assert_int_equal(rd_kafka_mock_broker_set_rtt(f.cluster, 2, NEVER_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    fixture_change(&f, (struct change){.partition = 1, .id = 5, .txid = 5, .base = 50, .lsn = 51});
    fixture_flush(&f);
    fixture_until_rows(&f, 5);
    fixture_release(&f);
}

static size_t bytes_waiting(const struct kafka *k, bool *held_back)
{
    size_t bytes = 0;
    for (size_t i = 0; i < k->partition_count; i++) {
        bytes += kafka_list_bytes(&k->partitions[i]->held);
        *held_back = *held_back || k->partitions[i]->held_back;
    }
    return bytes;
}

static void what_waits_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    struct error err = {0};
    init(&f);
    fixture_set(&f, "queued.max.messages.kbytes", "64");
    fixture_set(&f, "fetch.message.max.bytes", "65536");
    for (int i = 0; i < MANY; i++) {
        uint64_t base = LATER + (uint64_t)i * 10;
        fixture_change(
            &f,
            (struct change){.partition = 1, .id = 2 + i, .txid = 2 + i, .base = base, .lsn = base + 1, .width = WIDTH});
        if (i % 100 == 0) { /* a batch is fetched whole, however large */
            fixture_flush(&f);
        }
    }
    fixture_change(&f, (struct change){.partition = 0, .id = 1, .txid = 1, .base = 10, .lsn = 11});
    open_late(&f);
    const struct kafka *k = (const struct kafka *)f.source;
    size_t most = 0;
    bool held_back = false;
    int64_t deadline = clock_mono_us() + 5 * WAIT_US;
    while (f.log.rows < 1 + MANY && clock_mono_us() < deadline) {
        assert_int_equal(fixture_turn(&f, &err), STATUS_OK);
        size_t now = bytes_waiting(k, &held_back);
        most = now > most ? now : most;
    }
    assert_int_equal(f.log.rows, 1 + MANY);
    assert_memory_equal(f.log.text.data, "1: +1|2: +2|3: +3|", 18);
    assert_true(held_back);
    assert_in_range(most, QUEUE_KIB * 1024, (size_t)MANY * WIDTH / 4);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_record_waits_for_the_partition_that_is_behind_it),
                                       cmocka_unit_test(what_waits_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
