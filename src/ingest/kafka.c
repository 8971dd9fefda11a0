/* The source kafka://: Debezium's topics. Which topics, the turn of a poll, what is told of it.
 *
 * Invariant: what a poll has taken is in commits at its end, or in lists that are bounded (kafka_transaction.c); what
 * librdkafka has fetched ahead is bounded by queued.max.messages.kbytes. So memory does not grow with the lag. */
#include "ingest/kafka.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NUDGE_SHARE = 4, NUDGE_US = 5000, NUDGE_PARTITION_US = 100 };
enum { SCRAM_FIXED_VERSION = 0x020601ff };
enum { OPEN_WAIT_US = 10000000, OPEN_ASK_MS = 2000, TIMEOUT_MS = 1000, TOPIC_BYTES_MAX = 249 };

static struct kafka *self(struct source *s)
{
    return (struct kafka *)(void *)s;
}

static const struct kafka *self_const(const struct source *s)
{
    return (const struct kafka *)(const void *)s;
}

static bool kafka_matches(const char *url)
{
    return strncmp(url, "kafka://", strlen("kafka://")) == 0;
}

/* ---- topics ---- */

static void add_topic(struct kafka *k, char *name_taken, bool is_transactions)
{
    for (uint32_t i = 0; i < k->topic_count; i++) {
        if (strcmp(k->topics[i].name, name_taken) == 0) { /* several tables may share one */
            mem_free(name_taken);
            return;
        }
    }
    k->topics[k->topic_count] = (struct kafka_topic){.name = name_taken, .is_transactions = is_transactions};
    k->topic_count += 1;
}

/* As Debezium makes it: what Kafka does not allow in a name becomes "_". */
static char *topic_of(const struct kafka *k, const struct catalog_table *t)
{
    if (t->topic != NULL) {
        return mem_strdup(t->topic);
    }
    struct buffer name = BUFFER_EMPTY;
    buffer_printf(&name, "%s.%s.%s", k->options.topic_prefix, t->schema, t->name);
    buffer_append_byte(&name, '\0');
    for (char *p = (char *)name.data; *p != '\0'; p++) {
        bool allowed = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.' ||
                       *p == '_' || *p == '-';
        *p = allowed ? *p : '_';
    }
    char *copy = mem_strdup((const char *)name.data);
    buffer_release(&name);
    return copy;
}

static enum status list_topics(struct kafka *k, struct error *err)
{
    const struct catalog *c = k->options.catalog;
    const char *prefix = k->options.topic_prefix;
    k->topics = mem_zalloc((c->table_count + 1) * sizeof *k->topics);
    for (uint32_t i = 0; i < c->table_count; i++) {
        const struct catalog_table *t = c->tables[i];
        if (t->topic == NULL && (prefix == NULL || prefix[0] == '\0')) {
            return error_set(err, STATUS_INVALID, 0,
                             "could not tell the topic of table %s.%s (%s): declare it WITH (topic = '...') or set "
                             "[source] topic_prefix to Debezium's topic.prefix",
                             t->schema, t->name, t->where);
        }
        add_topic(k, topic_of(k, t), false);
    }
    if (k->options.transaction_topic != NULL && k->options.transaction_topic[0] != '\0') {
        k->whole = true;
        add_topic(k, mem_strdup(k->options.transaction_topic), true);
    }
    for (uint32_t i = 0; i < k->topic_count; i++) {
        if (strlen(k->topics[i].name) > TOPIC_BYTES_MAX) {
            return error_set(err, STATUS_INVALID, 0, "could not use topic \"%.100s...\": its name is longer than %d",
                             k->topics[i].name, TOPIC_BYTES_MAX);
        }
    }
    return STATUS_OK;
}

/* A message's topic is known by the opaque pointer of its handle. */
static enum status open_topics(struct kafka *k, struct error *err)
{
    for (uint32_t i = 0; i < k->topic_count; i++) {
        struct kafka_topic *t = &k->topics[i];
        rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(k->client);
        rd_kafka_topic_conf_set_opaque(conf, t);
        t->handle = rd_kafka_topic_new(k->client, t->name, conf);
        if (t->handle == NULL) {
            return error_set(err, STATUS_INVALID, 0, "could not use topic \"%s\": %s", t->name,
                             rd_kafka_err2str(rd_kafka_last_error()));
        }
    }
    return STATUS_OK;
}

static struct kafka_partition *partition_of(const rd_kafka_message_t *message)
{
    const struct kafka_topic *t = message->rkt != NULL ? rd_kafka_topic_opaque(message->rkt) : NULL;
    bool known = t != NULL && message->partition >= 0 && (size_t)message->partition < t->partition_count;
    return known ? t->partitions[message->partition] : NULL;
}

/* ---- open and close ---- */

static void kafka_close(struct source *s)
{
    struct kafka *k = self(s);
    struct error ignored;
    if (k == NULL) {
        return;
    }
    kafka_watch_stop(k);
    if (k->chunk_handed) { /* half a commit: its records are read again */
        (void)k->options.output.abandon(k->options.output.ctx, &ignored);
    }
    if (k->client != NULL) {
        kafka_commit_farewell(k);
    }
    kafka_client_close(k);
    for (size_t i = 0; i < k->partition_count; i++) {
        kafka_partition_free(k->partitions[i]);
    }
    for (uint32_t i = 0; i < k->topic_count; i++) {
        mem_free(k->topics[i].partitions);
        char *name;
        memcpy(&name, &k->topics[i].name, sizeof name);
        mem_free(name);
    }
    kafka_transaction_close(k);
    kafka_list_release(&k->batch);
    buffer_release(&k->schemas);
    buffer_release(&k->out);
    debezium_free(k->decoder);
    mem_free(k->partitions);
    mem_free(k->topics);
    mem_free(k->orders);
    mem_free(k->moved);
    pthread_cond_destroy(&k->watch.wake);
    pthread_mutex_destroy(&k->watch.lock);
    mem_free(k);
}

static void init_watch(struct kafka_watch *w)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->lock, NULL);
}

static enum status take_messages(struct kafka *k, uint64_t *used, size_t *count, struct error *err);

static enum status refuse(const struct kafka *k, struct error *err)
{
    char mechanism[32] = "";
    size_t bytes = sizeof mechanism;
    (void)rd_kafka_conf_get(rd_kafka_conf(k->client), "sasl.mechanism", mechanism, &bytes);
    /* Its answer repeats a part that only brokers before 4 let pass. */
    bool doubtful = strncmp(mechanism, "SCRAM-", strlen("SCRAM-")) == 0 && rd_kafka_version() < SCRAM_FIXED_VERSION;
    return error_set(err, STATUS_INVALID, 0, "could not connect to Kafka: %s%s%s%s", k->detail,
                     doubtful ? "; librdkafka before 2.6.1 (this is " : "", doubtful ? rd_kafka_version_str() : "",
                     doubtful ? ") cannot authenticate by SCRAM to Kafka 4 or later at all" : "");
}

/* Waits for the first answer; what the cluster has is known then. */
static enum status connect_first(struct kafka *k, struct error *err)
{
    struct kafka_sights sights = {0};
    int64_t deadline_us = clock_mono_us() + OPEN_WAIT_US;
    uint64_t used = 0;
    size_t count;
    enum status st;
    do {
        st = kafka_watch_look(k, OPEN_ASK_MS, &sights, err);
        enum status taken = take_messages(k, &used, &count, err); /* callbacks: why it cannot be reached */
        if (taken != STATUS_OK) {
            st = taken;
            goto done;
        }
        if (k->refused && st != STATUS_OK) {
            st = refuse(k, err);
            goto done;
        }
        if (st == STATUS_RETRY && clock_mono_us() < deadline_us) {
            clock_sleep_us(100000);
        }
    } while (st == STATUS_RETRY && clock_mono_us() < deadline_us);
    if (st == STATUS_RETRY && k->detail[0] != '\0') {
        (void)error_prefix(err, "%s", k->detail);
    }
    struct error found_err = {0};
    enum status found = kafka_partition_found(k, &sights, &found_err);
    if (found != STATUS_OK) {
        st = found;
        *err = found_err;
    }
done:
    mem_free(sights.items);
    return st;
}

static enum status open_all(struct kafka *k, struct error *err)
{
    TRY(list_topics(k, err));
    TRY(kafka_client_open(k, err));
    TRY(open_topics(k, err));
    k->queue_bytes_max = (size_t)kafka_client_number(k, "queued.max.messages.kbytes") * 1024;
    if (k->whole) {
        kafka_transaction_open(k);
    }
    enum status st = connect_first(k, err);
    if (st != STATUS_OK && st != STATUS_RETRY) {
        return st;
    }
    k->lost_told = st == STATUS_RETRY; /* by the caller */
    enum status started = kafka_watch_start(k, err);
    return started != STATUS_OK ? started : st;
}

static enum status kafka_open(struct source **out, const struct source_options *options, struct error *err)
{
    struct kafka *k = mem_zalloc(sizeof *k);
    k->base.methods = &source_kafka_methods;
    k->options = *options;
    k->event_fd = -1;
    init_watch(&k->watch);
    k->decoder = debezium_new(options->catalog, options->table_id_next);
    enum status st = debezium_configure(k->decoder, options->time_precision, options->unavailable_value, err);
    st = st == STATUS_OK ? open_all(k, err) : st;
    k->options.url = NULL;
    k->options.kafka = NULL;
    k->options.topic_prefix = NULL;
    k->options.transaction_topic = NULL;
    if (st != STATUS_OK && st != STATUS_RETRY) {
        kafka_close(&k->base);
        return st;
    }
    *out = &k->base;
    return st;
}

/* ---- poll ---- */

static enum status take_message(struct kafka *k, const rd_kafka_message_t *message, uint64_t *used, struct error *err)
{
    struct kafka_partition *p = partition_of(message);
    *used += message->len + message->key_len;
    if (p != NULL) {
        return kafka_record_take(k, p, message, err);
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(k->detail, sizeof k->detail, "%.200s", rd_kafka_message_errstr(message));
    }
    return STATUS_OK;
}

/* What the queue has, up to KAFKA_MESSAGES; the client's callbacks are called here. */
static enum status take_messages(struct kafka *k, uint64_t *used, size_t *count, struct error *err)
{
    enum status st = STATUS_OK;
    ssize_t n = rd_kafka_consume_batch_queue(k->queue, 0, k->messages, KAFKA_MESSAGES);
    *count = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < *count; i++) {
        st = st == STATUS_OK ? take_message(k, k->messages[i], used, err) : st;
        rd_kafka_message_destroy(k->messages[i]);
    }
    return st;
}

static enum status take_sights(struct kafka *k, struct error *err)
{
    struct kafka_watch *w = &k->watch;
    pthread_mutex_lock(&w->lock);
    struct kafka_sights sights = w->sights;
    w->sights = (struct kafka_sights){0};
    pthread_mutex_unlock(&w->lock);
    enum status st = sights.count > 0 ? kafka_partition_found(k, &sights, err) : STATUS_OK;
    mem_free(sights.items);
    pthread_mutex_lock(&w->lock);
    w->in_doubt = !k->connected;
    pthread_mutex_unlock(&w->lock);
    return st;
}

/* Everything that was there at the start is read, or cannot be: its partition waits for another one that is at its end.
 */
static bool is_satisfied(const struct kafka *k)
{
    for (size_t i = 0; i < k->partition_count; i++) {
        if (!k->partitions[i]->once_done && !k->partitions[i]->held_back) {
            return false;
        }
    }
    return true;
}

/* A client of librdkafka before 2.2 that finds its queue full looks again after a second, or when it has something to
 * send. So where the queue may have been full and is running low it is given something. */
static void keep_fetching(struct kafka *k, uint64_t used)
{
    size_t len = rd_kafka_queue_length(k->queue);
    k->queue_peak = len > k->queue_peak ? len : k->queue_peak;
    k->taken_bytes += used;
    k->nudge_wanted = k->taken_bytes >= k->queue_bytes_max / NUDGE_SHARE && len <= k->queue_peak / 2;
    if (!k->nudge_wanted || clock_mono_us() < k->nudge_at_us) {
        return;
    }
    kafka_watch_nudge(k);
    k->nudge_wanted = false;
    k->nudge_at_us = clock_mono_us() + NUDGE_US + (int64_t)k->partition_count * NUDGE_PARTITION_US;
    k->queue_peak = len;
    k->taken_bytes = 0;
}

/* What the log has read from and is not there now is not at its end; where nothing is there the names are wrong. */
static enum status check_topics_read(struct kafka *k, struct error *err)
{
    char name[TOPIC_BYTES_MAX + sizeof ":0"];
    uint64_t position;
    for (uint32_t i = 0; i < k->topic_count; i++) {
        const struct kafka_topic *t = &k->topics[i];
        snprintf(name, sizeof name, "%s:0", t->name);
        if (t->missing && k->options.position != NULL &&
            k->options.position(k->options.position_ctx, name, &position)) {
            return error_set(err, STATUS_RETRY, 0,
                             "could not read on to the end: topic \"%s\" is not there, though it was read up to offset "
                             "%" PRIu64,
                             t->name, position);
        }
    }
    if (k->connected && k->partition_count == 0) {
        return error_set(
            err, STATUS_INVALID, 0,
            "could not read anything: there is none of the topics, neither \"%s\" nor another one; look at "
            "[source] topic_prefix and WITH (topic = '...')",
            k->topics[0].name);
    }
    return STATUS_OK;
}

static enum status finish_turn(struct kafka *k, struct error *err)
{
    if (k->whole) {
        TRY(kafka_transaction_turn(k, err));
    } else {
        TRY(kafka_merge(k, err));
        TRY(kafka_commit_batch(k, err));
    }
    TRY(kafka_commit_finish(k, err));
    if (!k->options.once || !is_satisfied(k)) {
        return STATUS_OK;
    }
    if (k->whole) {
        kafka_transaction_tell_left(k);
    }
    TRY(check_topics_read(k, err));
    k->ended = true;
    return STATUS_END;
}

static enum status kafka_poll(struct source *s, uint64_t budget_bytes, bool *more, struct error *err)
{
    struct kafka *k = self(s);
    uint64_t used = 0;
    uint64_t noticed;
    size_t records = 0;
    size_t count = 0;
    *more = false;
    if (k->ended) {
        return STATUS_END;
    }
    while (read(k->event_fd, &noticed, sizeof noticed) > 0) {
    }
    TRY(take_sights(k, err));
    do {
        TRY(take_messages(k, &used, &count, err));
        records += count;
    } while (count > 0 && used < budget_bytes && records + KAFKA_MESSAGES <= KAFKA_POLL_RECORDS);
    if (k->failure.status != STATUS_OK) {
        *err = k->failure;
        return err->status;
    }
    *more = count > 0;
    keep_fetching(k, used);
    enum status st = finish_turn(k, err);
    *more = *more && st == STATUS_OK;
    return st;
}

/* ---- the rest ---- */

static int kafka_fd(const struct source *s)
{
    return self_const(s)->event_fd;
}

static int kafka_timeout_ms(const struct source *s)
{
    const struct kafka *k = self_const(s);
    int64_t wait_us = k->nudge_at_us - clock_mono_us();
    return !k->nudge_wanted ? TIMEOUT_MS : wait_us <= 0 ? 0 : (int)(wait_us / 1000) + 1;
}

static enum status kafka_acknowledge(struct source *s, uint64_t durable_seq_next, struct error *err)
{
    (void)err;
    kafka_commit_acknowledge(self(s), durable_seq_next);
    return STATUS_OK;
}

/* Records between what was handed over and the partitions' ends, as last heard. */
static uint64_t lag_records(const struct kafka *k)
{
    uint64_t lag = 0;
    for (size_t i = 0; i < k->partition_count; i++) {
        const struct kafka_partition *p = k->partitions[i];
        int64_t high = kafka_partition_end(k, p);
        uint64_t at = p->handed == p->next && p->ends > p->handed ? p->ends : p->handed;
        lag += high > 0 && (uint64_t)high > at ? (uint64_t)high - at : 0;
    }
    return lag;
}

static const char *missing_topic(const struct kafka *k)
{
    for (uint32_t i = 0; i < k->topic_count; i++) {
        if (k->topics[i].missing) {
            return k->topics[i].name;
        }
    }
    return NULL;
}

static void kafka_status(const struct source *s, struct source_status *out)
{
    const struct kafka *k = self_const(s);
    uint64_t lag = lag_records(k);
    uint64_t record_bytes = k->received_records > 0 ? k->received_bytes / k->received_records + 1 : 1;
    *out = (struct source_status){
        .connected = k->connected, .lag_bytes = lag * record_bytes, .commit_time_us = k->commit_time_us};
    snprintf(out->position, sizeof out->position, "%zu partitions, %" PRIu64 " records behind", k->partition_count,
             lag);
    const char *missing = missing_topic(k);
    if (k->connected && k->waiting_detail[0] == '\0' && missing != NULL) {
        snprintf(out->detail, sizeof out->detail, "waiting for topic \"%.200s\"", missing);
    } else {
        const char *detail = k->connected && k->waiting_detail[0] != '\0' ? k->waiting_detail : k->detail;
        snprintf(out->detail, sizeof out->detail, "%s", detail);
    }
}

const struct source_methods source_kafka_methods = {.matches = kafka_matches,
                                                    .open = kafka_open,
                                                    .close = kafka_close,
                                                    .poll = kafka_poll,
                                                    .fd = kafka_fd,
                                                    .timeout_ms = kafka_timeout_ms,
                                                    .acknowledge = kafka_acknowledge,
                                                    .status = kafka_status};
