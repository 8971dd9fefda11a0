/* kafka_drain BROKERS TOPIC...: the yardstick of the Kafka benchmark: takes every record that the topics have
 * when it starts, with the properties that procd gives librdkafka, and drops it. */
#include <librdkafka/rdkafka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 1024, TOPICS_MAX = 16, TIMEOUT_MS = 30000 };

/* As in the Kafka source's client, but with larger fetches and a queue so large that it is never full. */
static const char *const properties[][2] = {
    {"client.id", "logfold"},
    {"group.id", "logfold"},
    {"isolation.level", "read_committed"},
    {"topic.metadata.refresh.interval.ms", "5000"},
    {"fetch.wait.max.ms", "500"},
    {"queued.min.messages", "1000000"},
    {"queued.max.messages.kbytes", "32768"},
    {"fetch.max.bytes", "4194304"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"enable.partition.eof", "true"},
    {"allow.auto.create.topics", "false"},
};

struct drain {
    rd_kafka_t *client;
    const char *names[TOPICS_MAX];
    int topic_count;
    int64_t left; /* offsets below the topics' ends */
    uint64_t records;
    uint64_t bytes;
};

static void need(bool ok, const char *what, const char *why)
{
    if (!ok) {
        fprintf(stderr, "kafka_drain: could not %s: %s\n", what, why);
        exit(1);
    }
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[512];
    need(rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK, name, reason);
}

static void open_client(struct drain *d, const char *brokers)
{
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        set(conf, properties[i][0], properties[i][1]);
    }
    d->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    need(d->client != NULL, "start the client", reason);
    (void)rd_kafka_poll_set_consumer(d->client);
}

static const struct rd_kafka_metadata_topic *topic_of(const struct rd_kafka_metadata *found, const char *name)
{
    int i = 0;
    while (i < found->topic_cnt && strcmp(found->topics[i].topic, name) != 0) {
        i++;
    }
    need(i < found->topic_cnt, "find a topic", name);
    return &found->topics[i];
}

/* All partitions of the topics. */
static rd_kafka_topic_partition_list_t *list_partitions(struct drain *d)
{
    const struct rd_kafka_metadata *found;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(d->topic_count);
    rd_kafka_resp_err_t got = rd_kafka_metadata(d->client, 1, NULL, &found, TIMEOUT_MS);
    need(got == RD_KAFKA_RESP_ERR_NO_ERROR, "ask for the topics", rd_kafka_err2str(got));
    for (int i = 0; i < d->topic_count; i++) {
        const struct rd_kafka_metadata_topic *topic = topic_of(found, d->names[i]);
        for (int k = 0; k < topic->partition_cnt; k++) {
            rd_kafka_topic_partition_list_add(list, topic->topic, topic->partitions[k].id);
        }
    }
    rd_kafka_metadata_destroy(found);
    return list;
}

/* Sets the offsets to where the partitions begin or end now; returns their sum. */
static int64_t ask_offsets(struct drain *d, rd_kafka_topic_partition_list_t *list, int64_t when)
{
    int64_t sum = 0;
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = when;
    }
    rd_kafka_resp_err_t got = rd_kafka_offsets_for_times(d->client, list, TIMEOUT_MS);
    need(got == RD_KAFKA_RESP_ERR_NO_ERROR, "ask for offsets", rd_kafka_err2str(got));
    for (int i = 0; i < list->cnt; i++) {
        need(list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR, "ask for offsets", rd_kafka_err2str(list->elems[i].err));
        sum += list->elems[i].offset;
    }
    return sum;
}

static void assign(struct drain *d)
{
    rd_kafka_topic_partition_list_t *list = list_partitions(d);
    d->left = ask_offsets(d, list, RD_KAFKA_OFFSET_END);
    d->left -= ask_offsets(d, list, RD_KAFKA_OFFSET_BEGINNING);
    rd_kafka_resp_err_t got = rd_kafka_assign(d->client, list);
    need(got == RD_KAFKA_RESP_ERR_NO_ERROR, "assign the topics", rd_kafka_err2str(got));
    rd_kafka_topic_partition_list_destroy(list);
}

static void take(struct drain *d, rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        d->records += 1;
        d->bytes += message->len + message->key_len;
        d->left -= 1;
    } else { /* the end of one that is empty, or met before the others' */
        need(message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF, "read", rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
}

int main(int argc, char **argv)
{
    struct drain d = {.topic_count = argc - 2};
    static rd_kafka_message_t *messages[MESSAGES];
    if (argc < 3 || d.topic_count > TOPICS_MAX) {
        fprintf(stderr, "usage: kafka_drain BROKERS TOPIC...\n");
        return 64;
    }
    for (int i = 0; i < d.topic_count; i++) {
        d.names[i] = argv[i + 2];
    }
    open_client(&d, argv[1]);
    assign(&d);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(d.client);
    while (d.left > 0) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 0, messages, MESSAGES); /* it would wait for all 1024 */
        if (count == 0) {
            messages[0] = rd_kafka_consume_queue(queue, TIMEOUT_MS);
            count = messages[0] != NULL;
            need(count > 0, "read", "nothing came");
        }
        for (ssize_t i = 0; i < count; i++) {
            take(&d, messages[i]);
        }
    }
    printf("records=%" PRIu64 " bytes=%" PRIu64 "\n", d.records, d.bytes);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy_flags(d.client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return 0;
}
