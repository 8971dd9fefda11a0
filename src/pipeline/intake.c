#include "pipeline/intake.h"

#include "base/memory.h"
#include "base/thread.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    POLL_BUDGET_BYTES = 4 * 1024 * 1024, /* of the source, a poll */
    BATCH_BYTES_MAX = 2 * 1024 * 1024    /* recorded before the thread waits; a poll may exceed it */
};

enum call_kind { CALL_CHUNK, CALL_LAST_CHUNK, CALL_ABANDON, CALL_QUARANTINED, CALL_RECEIVED };

/* One call of the source's output. Its bytes lie in the batch's data, one call's after the other's. */
struct call {
    enum call_kind kind;
    uint32_t bytes;        /* the chunk; the origin */
    uint32_t reason_bytes; /* CALL_QUARANTINED */
    uint64_t received;     /* CALL_QUARANTINED, CALL_RECEIVED: changes handed out by then */
};

struct batch {
    struct call *calls;
    size_t count;
    size_t capacity;
    struct buffer data;
};

struct position {
    char *name;
    uint64_t value;
};

struct intake {
    struct source *source; /* the thread's while it runs */
    struct source_output output;
    struct position *positions; /* of the log, before this source's first commit */
    size_t position_count;
    size_t position_capacity;
    pthread_t thread;
    bool runs;
    int fd;      /* wakes the spine */
    int wake_fd; /* wakes the thread */
    /* the thread's */
    struct batch recorded;
    uint64_t seq_next;
    /* the spine's */
    struct batch taken;
    uint64_t received;
    /* under the mutex */
    pthread_mutex_t mutex;
    struct batch ready;
    bool more; /* the source has more, or something is recorded that is not ready */
    bool stop;
    uint64_t durable_seq_next;
    enum status end; /* the thread has ended, since the source has */
    struct error end_error;
    struct source_status status;
};

/* ---- batches ---- */

static struct call *batch_add(struct batch *b, enum call_kind kind, struct bytes bytes, struct bytes reason)
{
    mem_grow(&b->calls, &b->capacity, b->count + 1, sizeof *b->calls);
    struct call *call = &b->calls[b->count++];
    *call = (struct call){.kind = kind, .bytes = (uint32_t)bytes.len, .reason_bytes = (uint32_t)reason.len};
    buffer_append(&b->data, bytes.data, bytes.len);
    buffer_append(&b->data, reason.data, reason.len);
    return call;
}

static void batch_reset(struct batch *b)
{
    b->count = 0;
    buffer_reset(&b->data);
}

static void batch_release(struct batch *b)
{
    mem_free(b->calls);
    buffer_release(&b->data);
}

static void batch_swap(struct batch *a, struct batch *b)
{
    struct batch was = *a;
    *a = *b;
    *b = was;
}

/* ---- recording: on the thread ---- */

static enum status record_append(void *ctx, struct bytes chunk, bool last, uint64_t *seq, struct error *err)
{
    struct intake *i = ctx;
    if (chunk.len > UINT32_MAX) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "could not take a chunk of %zu bytes", chunk.len);
    }
    batch_add(&i->recorded, last ? CALL_LAST_CHUNK : CALL_CHUNK, chunk, bytes_of(NULL, 0));
    *seq = i->seq_next;
    i->seq_next += last ? 1 : 0;
    return STATUS_OK;
}

static enum status record_abandon(void *ctx, struct error *err)
{
    struct intake *i = ctx;
    (void)err;
    batch_add(&i->recorded, CALL_ABANDON, bytes_of(NULL, 0), bytes_of(NULL, 0));
    return STATUS_OK;
}

static enum status record_quarantined(void *ctx, struct bytes origin, struct bytes reason, struct error *err)
{
    struct intake *i = ctx;
    (void)err;
    batch_add(&i->recorded, CALL_QUARANTINED, origin, reason)->received = source_received(i->source);
    return STATUS_OK;
}

static bool known_position(void *ctx, const char *name, uint64_t *value)
{
    const struct intake *i = ctx;
    for (size_t n = 0; n < i->position_count; n++) {
        if (strcmp(i->positions[n].name, name) == 0) {
            *value = i->positions[n].value;
            return true;
        }
    }
    return false;
}

/* ---- the thread ---- */

/* Whether the status page would show the same. */
static bool looks_same(const struct source_status *a, const struct source_status *b)
{
    return a->connected == b->connected && a->snapshot == b->snapshot && strcmp(a->position, b->position) == 0 &&
           strcmp(a->detail, b->detail) == 0;
}

/* Makes what is recorded ready where the batch before it was taken; false where it was not. */
static bool hand_over(struct intake *i, bool more)
{
    struct source_status status = {0};
    source_status(i->source, &status);
    if (i->recorded.count > 0) {
        batch_add(&i->recorded, CALL_RECEIVED, bytes_of(NULL, 0), bytes_of(NULL, 0))->received =
            source_received(i->source);
    }
    pthread_mutex_lock(&i->mutex);
    if (i->ready.count == 0) {
        batch_swap(&i->ready, &i->recorded);
    }
    bool done = i->recorded.count == 0;
    bool news = i->ready.count > 0 || !looks_same(&status, &i->status) || i->more != (more || !done);
    i->more = more || !done;
    i->status = status;
    pthread_mutex_unlock(&i->mutex);
    if (news) {
        (void)eventfd_write(i->fd, 1);
    }
    return done;
}

/* Waits until the source or the spine has something to say; false when asked to stop. */
static bool wait_on(struct intake *i, bool listen, bool more, uint64_t *durable)
{
    struct pollfd fds[2] = {{.fd = i->wake_fd, .events = POLLIN},
                            {.fd = listen ? source_fd(i->source) : -1, .events = POLLIN}};
    int timeout = !listen ? -1 : more ? 0 : source_timeout_ms(i->source);
    eventfd_t count;
    if (poll(fds, 2, timeout) > 0 && fds[0].revents != 0) {
        (void)eventfd_read(i->wake_fd, &count);
    }
    pthread_mutex_lock(&i->mutex);
    *durable = i->durable_seq_next;
    bool stop = i->stop;
    pthread_mutex_unlock(&i->mutex);
    return !stop;
}

static void end(struct intake *i, enum status st, const struct error *err)
{
    uint64_t durable;
    while (!hand_over(i, false)) {
        if (!wait_on(i, false, false, &durable)) {
            return;
        }
    }
    pthread_mutex_lock(&i->mutex);
    i->end = st;
    i->end_error = *err;
    pthread_mutex_unlock(&i->mutex);
    (void)eventfd_write(i->fd, 1);
}

static void *intake_main(void *arg)
{
    struct intake *i = arg;
    struct error err = {0};
    enum status st = STATUS_OK;
    bool more = true;
    uint64_t durable;
    uint64_t acknowledged = 0;
    while (st == STATUS_OK && wait_on(i, i->recorded.data.len < BATCH_BYTES_MAX, more, &durable)) {
        if (durable > acknowledged) {
            st = source_acknowledge(i->source, durable, &err);
            acknowledged = durable;
        }
        if (st == STATUS_OK && i->recorded.data.len < BATCH_BYTES_MAX) {
            st = source_poll(i->source, POLL_BUDGET_BYTES, &more, &err);
        }
        (void)hand_over(i, more);
    }
    if (st != STATUS_OK) {
        end(i, st, &err);
    }
    return NULL;
}

/* ---- opening and closing ---- */

static void note_position(void *ctx, const char *name, uint64_t value)
{
    struct intake *i = ctx;
    mem_grow(&i->positions, &i->position_capacity, i->position_count + 1, sizeof *i->positions);
    i->positions[i->position_count++] = (struct position){.name = mem_strdup(name), .value = value};
}

enum status intake_open(struct intake **out, const struct intake_options *options, struct error *err)
{
    struct intake *i = mem_zalloc(sizeof *i);
    i->output = options->source.output;
    i->seq_next = options->seq_next;
    i->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    i->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&i->mutex, NULL);
    flow_positions(options->flow, note_position, i);
    struct source_options source = options->source;
    source.output = (struct source_output){
        .ctx = i, .append = record_append, .abandon = record_abandon, .quarantined = record_quarantined};
    source.position = known_position;
    source.position_ctx = i;
    enum status st = source_open(&i->source, &source, err);
    if (st == STATUS_OK || (st == STATUS_RETRY && i->source != NULL && !source.once)) {
        source_status(i->source, &i->status);
        enum status started = thread_start(&i->thread, "logfold-intake", intake_main, i, err);
        i->runs = started == STATUS_OK;
        st = i->runs ? st : started;
    }
    if (!i->runs) {
        intake_close(i);
        return st;
    }
    *out = i;
    return st;
}

void intake_stop(struct intake *i)
{
    if (i == NULL || !i->runs) {
        return;
    }
    pthread_mutex_lock(&i->mutex);
    i->stop = true;
    pthread_mutex_unlock(&i->mutex);
    (void)eventfd_write(i->wake_fd, 1);
    pthread_join(i->thread, NULL);
    i->runs = false;
}

void intake_close(struct intake *i)
{
    if (i == NULL) {
        return;
    }
    intake_stop(i);
    source_close(i->source);
    close(i->fd);
    close(i->wake_fd);
    pthread_mutex_destroy(&i->mutex);
    batch_release(&i->recorded);
    batch_release(&i->ready);
    batch_release(&i->taken);
    for (size_t n = 0; n < i->position_count; n++) {
        mem_free(i->positions[n].name);
    }
    mem_free(i->positions);
    mem_free(i);
}

/* ---- taking ---- */

int intake_fd(const struct intake *i)
{
    return i->fd;
}

static enum status play(struct intake *i, const struct call *call, const uint8_t *data, struct error *err)
{
    const struct source_output *out = &i->output;
    uint64_t seq;
    switch (call->kind) {
    case CALL_CHUNK:
    case CALL_LAST_CHUNK:
        return out->append(out->ctx, bytes_of(data, call->bytes), call->kind == CALL_LAST_CHUNK, &seq, err);
    case CALL_ABANDON:
        return out->abandon(out->ctx, err);
    case CALL_QUARANTINED:
        i->received = call->received;
        return out->quarantined(out->ctx, bytes_of(data, call->bytes), bytes_of(data + call->bytes, call->reason_bytes),
                                err);
    case CALL_RECEIVED:
        i->received = call->received;
        return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status play_taken(struct intake *i, struct error *err)
{
    const uint8_t *data = i->taken.data.data;
    for (size_t n = 0; n < i->taken.count; n++) {
        TRY(play(i, &i->taken.calls[n], data, err));
        data += i->taken.calls[n].bytes + i->taken.calls[n].reason_bytes;
    }
    batch_reset(&i->taken);
    return STATUS_OK;
}

enum status intake_take(struct intake *i, struct error *err)
{
    eventfd_t count;
    (void)eventfd_read(i->fd, &count);
    pthread_mutex_lock(&i->mutex);
    batch_swap(&i->ready, &i->taken);
    bool wake = i->taken.count > 0 && i->more;
    enum status ended = i->end;
    pthread_mutex_unlock(&i->mutex);
    if (wake) {
        (void)eventfd_write(i->wake_fd, 1);
    }
    TRY(play_taken(i, err));
    if (ended == STATUS_OK) {
        return STATUS_OK;
    }
    intake_stop(i); /* has ended: what is acknowledged from now on goes to the source from here */
    if (ended != STATUS_END) {
        *err = i->end_error;
    }
    return ended;
}

enum status intake_acknowledge(struct intake *i, uint64_t durable_seq_next, struct error *err)
{
    if (!i->runs) {
        return source_acknowledge(i->source, durable_seq_next, err);
    }
    pthread_mutex_lock(&i->mutex);
    bool news = durable_seq_next > i->durable_seq_next;
    i->durable_seq_next = durable_seq_next;
    pthread_mutex_unlock(&i->mutex);
    if (news) {
        (void)eventfd_write(i->wake_fd, 1);
    }
    return STATUS_OK;
}

void intake_status(struct intake *i, struct source_status *out)
{
    pthread_mutex_lock(&i->mutex);
    *out = i->status;
    pthread_mutex_unlock(&i->mutex);
}

bool intake_is_idle(struct intake *i)
{
    pthread_mutex_lock(&i->mutex);
    bool idle = i->status.connected && !i->status.snapshot && !i->more && i->ready.count == 0;
    pthread_mutex_unlock(&i->mutex);
    return idle;
}

bool intake_has_more(struct intake *i)
{
    pthread_mutex_lock(&i->mutex);
    bool more = i->more || i->ready.count > 0;
    pthread_mutex_unlock(&i->mutex);
    return more;
}

uint64_t intake_received(const struct intake *i)
{
    return i->received;
}
