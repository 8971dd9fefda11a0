/* Which topics and partitions there are. librdkafka's questions to the cluster wait for the answer, so a thread of its
 * own asks them; the source takes what it has seen.
 *
 * Invariant: a partition is handed over once, with the offsets it had then; again only after its topic was away. */
#include "ingest/kafka.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum { ASK_MS = 2000, NUDGE_MS = 10, DOUBT_INTERVAL_US = 500000 };

static struct kafka_sight *add_sight(struct kafka_sights *out, enum kafka_sight_kind kind, uint32_t topic_idx)
{
    mem_grow(&out->items, &out->capacity, out->count + 1, sizeof *out->items);
    out->items[out->count] = (struct kafka_sight){.kind = kind, .topic_idx = topic_idx};
    out->count += 1;
    return &out->items[out->count - 1];
}

/* ---- offsets ---- */

static bool ask_offsets(struct kafka *k, const rd_kafka_topic_partition_list_t *which, int64_t when, int timeout_ms,
                        rd_kafka_topic_partition_list_t **out)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(which);
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = when;
    }
    *out = list;
    return rd_kafka_offsets_for_times(k->client, list, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Sights of all of the topic's new partitions, or of none where one of them is without a leader. */
static bool see_partitions(struct kafka *k, uint32_t topic_idx, int32_t count, int timeout_ms, struct kafka_sights *out)
{
    struct kafka_topic *t = &k->topics[topic_idx];
    rd_kafka_topic_partition_list_t *which = rd_kafka_topic_partition_list_new(count);
    rd_kafka_topic_partition_list_t *lows = NULL;
    rd_kafka_topic_partition_list_t *highs = NULL;
    for (int32_t p = t->watched; p < count; p++) {
        (void)rd_kafka_topic_partition_list_add(which, t->name, p);
    }
    bool fine = ask_offsets(k, which, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, &lows) &&
                ask_offsets(k, which, RD_KAFKA_OFFSET_END, timeout_ms, &highs);
    for (int i = 0; fine && i < which->cnt; i++) {
        fine = lows->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && highs->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
               lows->elems[i].offset >= 0 && highs->elems[i].offset >= 0;
    }
    for (int i = 0; fine && i < which->cnt; i++) {
        const rd_kafka_topic_partition_t *high =
            rd_kafka_topic_partition_list_find(highs, t->name, lows->elems[i].partition);
        struct kafka_sight *s = add_sight(out, KAFKA_SIGHT_PARTITION, topic_idx);
        s->partition = lows->elems[i].partition;
        s->partition_count = count;
        s->low = lows->elems[i].offset;
        s->high = high != NULL ? high->offset : s->low;
    }
    rd_kafka_topic_partition_list_destroy(which);
    if (lows != NULL) {
        rd_kafka_topic_partition_list_destroy(lows);
    }
    if (highs != NULL) {
        rd_kafka_topic_partition_list_destroy(highs);
    }
    return fine;
}

bool kafka_watch_range(struct kafka *k, const struct kafka_partition *p, int64_t *low, int64_t *high)
{
    return rd_kafka_query_watermark_offsets(k->client, p->topic->name, p->number, low, high, ASK_MS) ==
           RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- topics ---- */

static const rd_kafka_metadata_topic_t *find_topic(const rd_kafka_metadata_t *md, const char *name)
{
    for (int i = 0; i < md->topic_cnt; i++) {
        if (strcmp(md->topics[i].topic, name) == 0) {
            return &md->topics[i];
        }
    }
    return NULL;
}

static bool is_missing(const rd_kafka_metadata_topic_t *found)
{
    return found == NULL || found->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           found->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           (found->err == RD_KAFKA_RESP_ERR_NO_ERROR && found->partition_cnt == 0);
}

/* True where nothing about the topic is left to be found out. */
static bool look_at(struct kafka *k, uint32_t topic_idx, const rd_kafka_metadata_t *md, int timeout_ms,
                    struct kafka_sights *out)
{
    struct kafka_topic *t = &k->topics[topic_idx];
    const rd_kafka_metadata_topic_t *found = find_topic(md, t->name);
    if (is_missing(found)) {
        if (!t->absent) {
            (void)add_sight(out, KAFKA_SIGHT_MISSING, topic_idx);
        }
        t->absent = true;
        t->watched = 0;
        return false;
    }
    if (found->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || found->err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION) {
        add_sight(out, KAFKA_SIGHT_REFUSED, topic_idx)->code = found->err;
        return false;
    }
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false; /* a leader is being chosen, or the like */
    }
    t->absent = false;
    if (found->partition_cnt > t->watched) {
        if (!see_partitions(k, topic_idx, found->partition_cnt, timeout_ms, out)) {
            return false;
        }
        t->watched = found->partition_cnt;
    }
    return true;
}

static enum status look(struct kafka *k, int timeout_ms, struct kafka_sights *out, bool *all, struct error *err)
{
    const rd_kafka_metadata_t *md = NULL;
    int64_t begun_us = clock_mono_us();
    *all = false;
    rd_kafka_resp_err_t code = rd_kafka_metadata(k->client, 0, NULL, &md, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        struct kafka_sight *away = add_sight(out, KAFKA_SIGHT_AWAY, 0);
        away->code = code;
        away->begun_us = begun_us;
        return error_set(err, STATUS_RETRY, 0, "could not reach Kafka: %s", rd_kafka_err2str(code));
    }
    *all = true;
    for (uint32_t i = 0; i < k->topic_count; i++) {
        bool done = look_at(k, i, md, timeout_ms, out);
        *all = *all && done;
    }
    rd_kafka_metadata_destroy(md);
    add_sight(out, KAFKA_SIGHT_ALIVE, 0)->begun_us = begun_us;
    return STATUS_OK;
}

enum status kafka_watch_look(struct kafka *k, int timeout_ms, struct kafka_sights *out, struct error *err)
{
    bool all;
    TRY(look(k, timeout_ms, out, &all, err));
    for (uint32_t i = 0; i < k->topic_count; i++) {
        if (!k->topics[i].absent && k->topics[i].watched == 0) {
            return error_set(err, STATUS_RETRY, 0, "could not learn where topic \"%s\" begins and ends",
                             k->topics[i].name);
        }
    }
    return STATUS_OK;
}

/* ---- the thread ---- */

void kafka_watch_nudge(struct kafka *k)
{
    pthread_mutex_lock(&k->watch.lock);
    k->watch.nudge = true;
    pthread_cond_signal(&k->watch.wake);
    pthread_mutex_unlock(&k->watch.lock);
}

/* A request to every leader. That it is sent is all there is to it: its answer may have to wait behind that of a fetch,
 * for as long as fetch.wait.max.ms. */
static void nudge_brokers(struct kafka *k)
{
    rd_kafka_topic_partition_list_t *which = rd_kafka_topic_partition_list_new(8);
    rd_kafka_topic_partition_list_t *answer = NULL;
    for (uint32_t i = 0; i < k->topic_count; i++) {
        for (int32_t p = 0; p < k->topics[i].watched; p++) {
            (void)rd_kafka_topic_partition_list_add(which, k->topics[i].name, p);
        }
    }
    if (which->cnt > 0) {
        (void)ask_offsets(k, which, RD_KAFKA_OFFSET_END, NUDGE_MS, &answer);
        rd_kafka_topic_partition_list_destroy(answer);
    }
    rd_kafka_topic_partition_list_destroy(which);
}

static void wait_until(struct kafka_watch *w, int64_t until_us)
{
    struct timespec at = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&w->wake, &w->lock, &at);
}

static void hand_over(struct kafka *k, struct kafka_sights *seen)
{
    struct kafka_watch *w = &k->watch;
    for (size_t i = 0; i < seen->count; i++) {
        mem_grow(&w->sights.items, &w->sights.capacity, w->sights.count + 1, sizeof *w->sights.items);
        w->sights.items[w->sights.count] = seen->items[i];
        w->sights.count += 1;
    }
    bool news = seen->count > 1 || w->in_doubt; /* more than that the cluster lives */
    seen->count = 0;
    if (news) {
        (void)eventfd_write(k->event_fd, 1);
    }
}

/* @thread ingest */
static void *watch_main(void *arg)
{
    struct kafka *k = arg;
    struct kafka_watch *w = &k->watch;
    struct kafka_sights seen = {0};
    bool all = true;
    int64_t at_us = clock_mono_us();
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        if (w->nudge) {
            w->nudge = false;
            pthread_mutex_unlock(&w->lock);
            nudge_brokers(k);
            pthread_mutex_lock(&w->lock);
            continue;
        }
        int64_t pause = w->in_doubt || !all ? DOUBT_INTERVAL_US : w->interval_us;
        pause = pause < w->interval_us ? pause : w->interval_us;
        if (clock_mono_us() < at_us + pause) {
            wait_until(w, at_us + pause);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        struct error ignored = {0};
        (void)look(k, ASK_MS, &seen, &all, &ignored);
        at_us = clock_mono_us();
        pthread_mutex_lock(&w->lock);
        hand_over(k, &seen);
    }
    pthread_mutex_unlock(&w->lock);
    mem_free(seen.items);
    return NULL;
}

enum status kafka_watch_start(struct kafka *k, struct error *err)
{
    int64_t ms = kafka_client_number(k, "topic.metadata.refresh.interval.ms");
    k->watch.interval_us = ms > 0 ? ms * 1000 : INT64_C(300000000);
    k->watch.in_doubt = !k->connected;
    TRY(thread_start(&k->watch.thread, "logfold-watch", watch_main, k, err));
    k->watch.running = true;
    return STATUS_OK;
}

void kafka_watch_stop(struct kafka *k)
{
    struct kafka_watch *w = &k->watch;
    if (w->running) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
        w->running = false;
    }
    mem_free(w->sights.items);
    w->sights = (struct kafka_sights){0};
}
