/* A source: hands out commits in order, from the position it is given, and is told what is on disk.
 *
 * One implementation a URL scheme: postgresql:// (pgoutput), kafka://... (Debezium JSON), file:PATH and -
 * (newline-delimited Debezium JSON), none.
 * Replay is no source: the spine reads every commit back from the log, whoever put it there. All calls on one
 * thread (the intake's, src/pipeline/intake.h), none waits longer than it must: that thread polls source_fd. The
 * callbacks are called on it, too. */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/property.h"
#include "plan/catalog.h"

#include <stdbool.h>
#include <stdint.h>

struct source;

/* Where commits go: chunks of encoded items (event/event.h). Implemented by the
 * intake. */
struct source_output {
    void *ctx;
    enum status (*append)(void *ctx, struct bytes chunk, bool last, uint64_t *seq, struct error *err);
    enum status (*abandon)(void *ctx, struct error *err); /* forget the unfinished commit */
    /* A QUARANTINE item was made; told before the chunk it is in is appended, forgotten with an abandoned commit. A
     * failure, where there are too many, is final: what is not in a whole commit yet will be read again. May be
     * NULL. */
    enum status (*quarantined)(void *ctx, struct bytes origin, struct bytes reason, struct error *err);
};

struct source_options {
    const char *url;
    const struct catalog *catalog;
    struct source_output output;
    /* The newest value of a position in the log when the source is opened; false where there is none. */
    bool (*position)(void *ctx, const char *name, uint64_t *value);
    void *position_ctx;
    uint32_t table_id_next; /* first journal id not used in the log */
    bool once;              /* stop at what the source holds now */
    /* PostgreSQL */
    const char *publication; /* made where missing, if create */
    const char *slot;
    bool create;
    bool snapshot_progress; /* show progress on stderr */
    /* Kafka */
    const struct property *kafka; /* of librdkafka, in their order */
    size_t kafka_count;
    const char *topic_prefix;       /* for tables without a topic of their own; NULL = none */
    const char *transaction_topic;  /* NULL = none */
    int64_t transaction_timeout_us; /* 0 = never */
    /* Debezium's settings that its records do not tell; NULL = its defaults. Used while opening. */
    const char *time_precision;
    const char *unavailable_value;
};

struct source_status {
    bool connected;
    bool snapshot;          /* the initial snapshot is running */
    char position[128];     /* for people: "0/16B3748", "1234 bytes" */
    uint64_t lag_bytes;     /* source's end minus what was handed out, as last heard */
    int64_t commit_time_us; /* of the newest commit handed out, since 2000-01-01 */
    char detail[256];       /* why it is not connected */
};

/* Checks the URL and options, connects once. STATUS_RETRY: not reachable now, worth trying again (the handle is then
 * there and source_poll goes on trying). Other failures say what to do and are final. */
enum status source_open(struct source **out, const struct source_options *options, struct error *err);
void source_close(struct source *s);
/* Takes what is there without waiting, appends whole commits (or chunks of a big one) to the output, up to about
 * `budget_bytes`.
 * `*more` tells whether it stopped at the budget. STATUS_END where `once` is satisfied or the source is at its end for
 * good. Connection faults are handled inside (backoff, reconnect, abandon of a half commit, one line on stderr). */
enum status source_poll(struct source *s, uint64_t budget_bytes, bool *more, struct error *err);
/* A descriptor that is readable when source_poll has something to do, -1 = call it by time. It may change after each
 * call. */
int source_fd(const struct source *s);
/* Milliseconds after which source_poll wants to be called even if the descriptor is silent. */
int source_timeout_ms(const struct source *s);
/* Commits with seq below are on disk: may be acknowledged to the source. */
enum status source_acknowledge(struct source *s, uint64_t durable_seq_next, struct error *err);
void source_status(const struct source *s, struct source_status *out);
/* Changes handed out, and entries of the quarantine. */
uint64_t source_received(const struct source *s);

#endif
