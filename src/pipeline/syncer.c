#include "pipeline/syncer.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct syncer {
    struct sink *sink;
    int fd;
    pthread_t thread;
    int64_t awaited_us; /* the thread's: of the request being done, for the log */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    enum syncer_request request; /* being done; NONE = idle */
    const struct sink_batch *batch;
    uint64_t durable_seq_next;
    struct syncer_result result; /* request != NONE: not taken yet */
    bool stop;
};

/* Whether the log is durable up to the batch's end; waits for that. */
static bool await_durable(void *ctx)
{
    struct syncer *s = ctx;
    int64_t start = clock_mono_us();
    pthread_mutex_lock(&s->lock);
    while (!s->stop && s->durable_seq_next < s->batch->seq_next_to) {
        pthread_cond_wait(&s->changed, &s->lock);
    }
    bool stopped = s->stop;
    pthread_mutex_unlock(&s->lock);
    s->awaited_us = clock_mono_us() - start;
    return !stopped;
}

static void do_request(struct syncer *s, enum syncer_request request, struct syncer_result *result)
{
    int64_t start = clock_mono_us();
    s->awaited_us = 0;
    if (request == SYNCER_CONNECT) {
        result->status = sink_connect(s->sink, &result->progress, &result->rebuilt, &result->error);
    } else {
        result->status = sink_sync(s->sink, s->batch, await_durable, s, &result->error);
    }
    result->request = request;
    result->duration_us = clock_mono_us() - start - s->awaited_us;
}

static void *syncer_main(void *arg)
{
    struct syncer *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        if (s->stop) {
            break;
        }
        if (s->request == SYNCER_NONE || s->result.request != SYNCER_NONE) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        struct syncer_result result = {0};
        enum syncer_request request = s->request;
        pthread_mutex_unlock(&s->lock);
        do_request(s, request, &result);
        pthread_mutex_lock(&s->lock);
        s->result = result;
        (void)eventfd_write(s->fd, 1);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

enum status syncer_open_take(struct syncer **out, struct sink *sink, struct error *err)
{
    struct syncer *s = mem_zalloc(sizeof *s);
    s->sink = sink;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum status st = s->fd < 0 ? error_set(err, STATUS_IO, errno, "could not make an eventfd")
                               : thread_start(&s->thread, "logfold-sink", syncer_main, s, err);
    if (st != STATUS_OK) {
        if (s->fd >= 0) {
            close(s->fd);
        }
        sink_close(sink);
        mem_free(s);
        return st;
    }
    *out = s;
    return STATUS_OK;
}

void syncer_close(struct syncer *s)
{
    if (s == NULL) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    bool busy = s->request != SYNCER_NONE && s->result.request == SYNCER_NONE;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (busy) {
        sink_interrupt(s->sink);
    }
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    close(s->fd);
    sink_close(s->sink);
    mem_free(s);
}

static void hand_over(struct syncer *s, enum syncer_request request, const struct sink_batch *batch)
{
    pthread_mutex_lock(&s->lock);
    assert(s->request == SYNCER_NONE);
    s->request = request;
    s->batch = batch;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void syncer_connect(struct syncer *s)
{
    hand_over(s, SYNCER_CONNECT, NULL);
}

void syncer_sync(struct syncer *s, const struct sink_batch *batch)
{
    hand_over(s, SYNCER_SYNC, batch);
}

void syncer_durable(struct syncer *s, uint64_t seq_next)
{
    pthread_mutex_lock(&s->lock);
    if (s->durable_seq_next != seq_next) {
        s->durable_seq_next = seq_next;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

bool syncer_is_idle(struct syncer *s)
{
    pthread_mutex_lock(&s->lock);
    bool idle = s->request == SYNCER_NONE;
    pthread_mutex_unlock(&s->lock);
    return idle;
}

void syncer_take_result(struct syncer *s, struct syncer_result *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->result;
    if (out->request != SYNCER_NONE) {
        eventfd_t count;
        (void)eventfd_read(s->fd, &count);
        s->result.request = SYNCER_NONE;
        s->request = SYNCER_NONE;
    }
    pthread_mutex_unlock(&s->lock);
}

int syncer_fd(const struct syncer *s)
{
    return s->fd;
}

struct sink *syncer_sink(struct syncer *s)
{
    assert(syncer_is_idle(s));
    return s->sink;
}
