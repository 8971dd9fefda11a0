/* Finds the kind of source by its URL; the source "none", which never has anything, lives here too. */
#include "ingest/source.h"

#include "base/arena.h"
#include "base/memory.h"
#include "event/event.h"
#include "ingest/source_methods.h"

#include <assert.h>
#include <string.h>

/* ---- none ---- */

struct source_none {
    struct source base;
    bool once;
};

static bool none_matches(const char *url)
{
    return strcmp(url, "none") == 0;
}

static enum status none_open(struct source **out, const struct source_options *options, struct error *err)
{
    (void)err;
    struct source_none *none = mem_zalloc(sizeof *none);
    none->base.methods = &source_none_methods;
    none->once = options->once;
    *out = &none->base;
    return STATUS_OK;
}

static void none_close(struct source *s)
{
    mem_free(s);
}

static enum status none_poll(struct source *s, uint64_t budget_bytes, bool *more, struct error *err)
{
    (void)budget_bytes;
    (void)err;
    *more = false;
    return ((const struct source_none *)(const void *)s)->once ? STATUS_END : STATUS_OK;
}

static int none_fd(const struct source *s)
{
    (void)s;
    return -1;
}

static int none_timeout_ms(const struct source *s)
{
    (void)s;
    return 60000;
}

static enum status none_acknowledge(struct source *s, uint64_t durable_seq_next, struct error *err)
{
    (void)s;
    (void)durable_seq_next;
    (void)err;
    return STATUS_OK;
}

static void none_status(const struct source *s, struct source_status *out)
{
    (void)s;
    *out = (struct source_status){.connected = true};
}

const struct source_methods source_none_methods = {.matches = none_matches,
                                                   .open = none_open,
                                                   .close = none_close,
                                                   .poll = none_poll,
                                                   .fd = none_fd,
                                                   .timeout_ms = none_timeout_ms,
                                                   .acknowledge = none_acknowledge,
                                                   .status = none_status};

/* ---- what the kinds share ---- */

enum status source_quarantined(const struct source_output *output, struct bytes item, struct error *err)
{
    struct packed_reader r = packed_reader_of(item);
    struct arena none = ARENA_EMPTY; /* a QUARANTINE item needs none */
    struct event e;
    if (output->quarantined == NULL) {
        return STATUS_OK;
    }
    TRY(event_read(&r, &none, &e, err));
    assert(e.kind == EVENT_QUARANTINE);
    return output->quarantined(output->ctx, e.origin, e.reason, err);
}

/* ---- dispatch ---- */

/* In the order of asking: PostgreSQL also takes bare "key=value" strings, so it comes last. */
static const struct source_methods *const source_kinds[] = {&source_none_methods, &source_file_methods,
                                                            &source_kafka_methods, &source_postgres_methods};

enum status source_open(struct source **out, const struct source_options *options, struct error *err)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof source_kinds / sizeof source_kinds[0]; i++) {
        if (source_kinds[i]->matches(options->url)) {
            return source_kinds[i]->open(out, options, err);
        }
    }
    size_t scheme = strcspn(options->url, ":/?@=");
    return error_set(
        err, STATUS_UNSUPPORTED, 0,
        "could not open source \"%.*s%s\": expected postgresql://..., kafka://HOST:PORT, file:PATH, - or none",
        (int)scheme, options->url, options->url[scheme] == '\0' ? "" : "...");
}

void source_close(struct source *s)
{
    if (s != NULL) {
        s->methods->close(s);
    }
}

enum status source_poll(struct source *s, uint64_t budget_bytes, bool *more, struct error *err)
{
    *more = false;
    return s->methods->poll(s, budget_bytes, more, err);
}

int source_fd(const struct source *s)
{
    return s->methods->fd(s);
}

int source_timeout_ms(const struct source *s)
{
    return s->methods->timeout_ms(s);
}

enum status source_acknowledge(struct source *s, uint64_t durable_seq_next, struct error *err)
{
    return s->methods->acknowledge(s, durable_seq_next, err);
}

void source_status(const struct source *s, struct source_status *out)
{
    s->methods->status(s, out);
}

uint64_t source_received(const struct source *s)
{
    return s->received;
}
