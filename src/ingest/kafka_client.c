/* The librdkafka client: what [kafka] says over our defaults, and what its callbacks mean.
 *
 * Invariants: offsets are neither stored nor reset by librdkafka (the log decides where to resume, a gap is an error),
 * and these settings cannot be changed from outside. */
#include "ingest/kafka.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { REASON_BYTES = 512, HOST_BYTES_MAX = 4096 };

static const char url_scheme[] = "kafka://";

/* May be given otherwise under [kafka]. */
static const struct property defaults[] = {
    {"client.id", "logfold"},
    {"group.id", "logfold"},
    {"isolation.level", "read_committed"},
    {"topic.metadata.refresh.interval.ms", "5000"},
    {"fetch.wait.max.ms", "100"},       /* nothing else is heard meanwhile */
    {"queued.min.messages", "1000000"}, /* the next one is the limit that counts */
    {"queued.max.messages.kbytes", "8192"},
    {"fetch.max.bytes", "2097152"},        /* as sent: unpacked it may be twenty times that */
    {"fetch.message.max.bytes", "524288"}, /* of a partition: several come side by side, as they are merged */
    {"reconnect.backoff.max.ms", "5000"},
    {"session.timeout.ms", "2000"}, /* no group is joined: how long an offset commit waits for its coordinator */
    {"log.connection.close", "false"},
};
/* May not. */
static const struct property fixed[] = {
    {"enable.auto.commit", "false"},  {"enable.auto.offset.store", "false"}, {"auto.offset.reset", "error"},
    {"enable.partition.eof", "true"}, {"allow.auto.create.topics", "false"},
};
enum { DEFAULT_COUNT = sizeof defaults / sizeof defaults[0], FIXED_COUNT = sizeof fixed / sizeof fixed[0] };

/* ---- configuration ---- */

static enum status set_property(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char reason[REASON_BYTES];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, 0, "could not set the Kafka property \"%s\" (section [kafka]): %s", name,
                     reason);
}

static enum status set_given(rd_kafka_conf_t *conf, const struct property *p, struct error *err)
{
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        if (strcmp(fixed[i].name, p->name) == 0 && strcmp(fixed[i].value, p->value) != 0) {
            return error_set(err, STATUS_INVALID, 0,
                             "could not set the Kafka property \"%s\" to \"%s\": it is always \"%s\", since the log "
                             "decides where to resume",
                             p->name, p->value, fixed[i].value);
        }
    }
    return set_property(conf, p->name, p->value, err);
}

static enum status set_brokers(rd_kafka_conf_t *conf, const char *url, struct error *err)
{
    char brokers[HOST_BYTES_MAX];
    const char *hosts = url + strlen(url_scheme);
    size_t len = strlen(hosts);
    len -= len > 0 && hosts[len - 1] == '/';
    if (len == 0 || len >= sizeof brokers || strcspn(hosts, "/@?# ") < len) {
        return error_set(err, STATUS_INVALID, 0,
                         "could not read the source's URL: write kafka://HOST:PORT[,HOST:PORT...]; everything else, "
                         "also user and password, belongs into the section [kafka]");
    }
    memcpy(brokers, hosts, len);
    brokers[len] = '\0';
    return set_property(conf, "bootstrap.servers", brokers, err);
}

static enum status configure(struct kafka *k, rd_kafka_conf_t *conf, struct error *err)
{
    for (size_t i = 0; i < DEFAULT_COUNT; i++) {
        TRY(set_property(conf, defaults[i].name, defaults[i].value, err));
    }
    TRY(set_brokers(conf, k->options.url, err));
    for (size_t i = 0; i < k->options.kafka_count; i++) {
        TRY(set_given(conf, &k->options.kafka[i], err));
    }
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        TRY(set_property(conf, fixed[i].name, fixed[i].value, err));
    }
    return STATUS_OK;
}

int64_t kafka_client_number(const struct kafka *k, const char *property)
{
    char value[64];
    size_t bytes = sizeof value;
    if (rd_kafka_conf_get(rd_kafka_conf(k->client), property, value, &bytes) != RD_KAFKA_CONF_OK) {
        return 0;
    }
    return strtoll(value, NULL, 10);
}

/* ---- callbacks, on the source's thread while the queue is read (but for the log's) ---- */

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    (void)level;
    message_line(MESSAGE_DEBUG, "kafka", "%s: %s", facility, text);
}

void kafka_client_away(struct kafka *k, const char *why, int64_t at_us)
{
    if (k->detail[0] == '\0') {
        snprintf(k->detail, sizeof k->detail, "%s", why);
    }
    if (k->connected) {
        message_line(MESSAGE_WARN, "source", "lost the connection to Kafka: %s; trying again", k->detail);
        k->lost_told = true;
    }
    k->connected = false;
    k->lost_at_us = at_us > k->lost_at_us ? at_us : k->lost_at_us;
    pthread_mutex_lock(&k->watch.lock);
    k->watch.in_doubt = true;
    pthread_mutex_unlock(&k->watch.lock);
}

/* With TLS 1.3 a broker says only after the handshake that it does not take our certificate, or misses one. */
static bool is_certificate_alert(const char *reason)
{
    return strstr(reason, "SSL routines") != NULL && strstr(reason, "alert") != NULL &&
           strstr(reason, "certificate") != NULL;
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    struct kafka *k = opaque;
    char fatal[REASON_BYTES];
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        (void)rd_kafka_fatal_error(client, fatal, sizeof fatal);
        (void)error_set(&k->failure, STATUS_IO, 0, "could not go on reading from Kafka: %s", fatal);
        return;
    }
    k->refused = k->refused || code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL ||
                 is_certificate_alert(reason);
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        snprintf(k->detail, sizeof k->detail, "%s", reason);
        return;
    }
    kafka_client_away(k, reason, clock_mono_us());
}

static void on_offsets(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *offsets,
                       void *opaque)
{
    struct kafka *k = opaque;
    (void)client;
    (void)offsets;
    bool failed = code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET;
    if (failed && !k->offsets_failed) {
        message_line(MESSAGE_WARN, "source", "could not tell Kafka's consumer group how far the log is: %s",
                     rd_kafka_err2str(code));
    }
    k->offsets_failed = failed;
}

void kafka_client_alive(struct kafka *k)
{
    if (k->connected) {
        return;
    }
    if (k->lost_told) {
        message_line(MESSAGE_INFO, "source", "connected to Kafka again");
    }
    k->connected = true;
    k->lost_told = false;
    k->refused = false;
    k->detail[0] = '\0';
}

/* ---- open and close ---- */

enum status kafka_client_open(struct kafka *k, struct error *err)
{
    char reason[REASON_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status st = configure(k, conf, err);
    if (st != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return st;
    }
    rd_kafka_conf_set_opaque(conf, k);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_offset_commit_cb(conf, on_offsets);
    k->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (k->client == NULL) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, STATUS_INVALID, 0, "could not start the Kafka client: %s", reason);
    }
    (void)rd_kafka_poll_set_consumer(k->client);
    k->queue = rd_kafka_queue_get_consumer(k->client);
    k->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (k->event_fd < 0) {
        return error_set(err, STATUS_IO, errno, "could not make an event descriptor");
    }
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(k->queue, k->event_fd, &one, sizeof one);
    return STATUS_OK;
}

void kafka_client_close(struct kafka *k)
{
    for (uint32_t i = 0; i < k->topic_count; i++) {
        if (k->topics[i].handle != NULL) {
            rd_kafka_topic_destroy(k->topics[i].handle);
        }
    }
    if (k->queue != NULL) {
        rd_kafka_queue_io_event_enable(k->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(k->queue);
    }
    if (k->client != NULL) { /* no group was joined: there is nothing to leave */
        rd_kafka_destroy_flags(k->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    if (k->event_fd >= 0) {
        close(k->event_fd);
    }
}
