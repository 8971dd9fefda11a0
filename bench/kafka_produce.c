/* Idempotent, so that a record that is sent again keeps its place. */
#include "kafka_produce.h"

#include <stdio.h>
#include <stdlib.h>

enum { POLL_EVERY = 1024, FLUSH_MS = 60000 };

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "could not %s: %s\n", what, why);
    exit(1);
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail("deliver a record", rd_kafka_err2str(message->err));
    }
}

void kafka_producer_open(struct kafka_producer *p, const char *brokers, const char *codec, const char *batch_bytes)
{
    const char *const settings[][2] = {
        {"bootstrap.servers", brokers},
        {"compression.codec", codec},
        {"batch.size", batch_bytes},
        {"enable.idempotence", "true"},
        {"linger.ms", "5"},
        {"queue.buffering.max.messages", "200000"},
        {"log_level", "3"},
        {"queue.buffering.max.kbytes", "262144"},
    };
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason) != RD_KAFKA_CONF_OK) {
            fail("configure the producer", reason);
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    *p = (struct kafka_producer){.client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason)};
    if (p->client == NULL) {
        fail("start the producer", reason);
    }
}

rd_kafka_topic_t *kafka_producer_topic(struct kafka_producer *p, const char *prefix, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    return rd_kafka_topic_new(p->client, full, NULL);
}

static rd_kafka_headers_t *make_headers(const char *context)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(3);
    rd_kafka_header_add(h, "__debezium.context.connectorLogicalName", -1, context, -1);
    rd_kafka_header_add(h, "__debezium.context.taskId", -1, "0", -1);
    rd_kafka_header_add(h, "__debezium.context.connectorName", -1, "postgresql", -1);
    return h;
}

static rd_kafka_resp_err_t send_once(struct kafka_producer *p, rd_kafka_topic_t *topic, const struct buffer *key,
                                     const struct buffer *value, rd_kafka_headers_t *headers)
{
    rd_kafka_vu_t args[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = RD_KAFKA_PARTITION_UA},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key->data, key->len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value != NULL ? value->data : NULL, value != NULL ? value->len : 0}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(p->client, args, sizeof args / sizeof args[0]);
    rd_kafka_resp_err_t code = error != NULL ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(error);
    return code;
}

void kafka_producer_send(struct kafka_producer *p, rd_kafka_topic_t *topic, const struct buffer *key,
                         const struct buffer *value, const char *context)
{
    rd_kafka_headers_t *headers = context != NULL ? make_headers(context) : rd_kafka_headers_new(0);
    rd_kafka_resp_err_t got = send_once(p, topic, key, value, headers);
    while (got == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(p->client, 20);
        got = send_once(p, topic, key, value, headers);
    }
    if (got != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail("send a record", rd_kafka_err2str(got));
    }
    p->records += 1;
    p->bytes += key->len + (value != NULL ? value->len : 0);
    if (p->records % POLL_EVERY == 0) {
        rd_kafka_poll(p->client, 0);
    }
}

void kafka_producer_close(struct kafka_producer *p)
{
    rd_kafka_resp_err_t got = rd_kafka_flush(p->client, FLUSH_MS);
    if (got != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail("deliver everything", rd_kafka_err2str(got));
    }
    rd_kafka_destroy(p->client);
}
