/* Records into a few topics, in the order given, each into the partition of its key, as Kafka Connect's producer sends
 * them (by another hash). */
#ifndef BENCH_KAFKA_PRODUCE_H
#define BENCH_KAFKA_PRODUCE_H

#include "base/bytes.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

struct kafka_producer {
    rd_kafka_t *client;
    uint64_t records;
    uint64_t bytes; /* keys and values */
};

/* `codec`: none, lz4, ...; `batch_bytes`: of a batch before it is compressed. Ends the process where that fails. */
void kafka_producer_open(struct kafka_producer *p, const char *brokers, const char *codec, const char *batch_bytes);
rd_kafka_topic_t *kafka_producer_topic(struct kafka_producer *p, const char *prefix, const char *name);
/* Copies key and value; `value` NULL makes a tombstone. With `context`: the headers that Debezium adds to rows. */
void kafka_producer_send(struct kafka_producer *p, rd_kafka_topic_t *topic, const struct buffer *key,
                         const struct buffer *value, const char *context);
/* Waits until the broker has everything. */
void kafka_producer_close(struct kafka_producer *p);

#endif
