/* The pipeline: one process's run from opening the store to its orderly end. The order of the stages is spine.c's, on
 * one screen. */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include "base/error.h"
#include "base/property.h"
#include "plan/catalog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipeline_options {
    const char *name;
    const struct catalog *catalog;
    const char *schema_text; /* all schema files, one after another: kept in the store for statectl */
    const char *store_path;
    uint64_t cache_bytes;
    uint64_t segment_bytes;
    int64_t checkpoint_interval_us;
    const char *source_url;
    const char *source_publication;
    const char *source_slot;
    bool source_create;
    const struct property *kafka; /* librdkafka's, passed on */
    size_t kafka_count;
    const char *source_topic_prefix; /* these and the next: NULL or 0 where not given */
    const char *source_transaction_topic;
    int64_t source_transaction_timeout_us;
    const char *source_time_precision;
    const char *source_unavailable_value;
    uint64_t quarantine_max; /* entries; UINT64_MAX = no limit */
    double quarantine_share; /* of all events, takes the place of the number; 0 = not given */
    const char *sink_url;    /* "none" = keep views in the store only */
    const char *sink_schema;
    bool once;
    bool replay;                 /* rebuild the state from the log first */
    int stop_fd;                 /* readable = checkpoint, sync what can be synced in 10 s, return */
    void (*on_ready)(void *ctx); /* recovered, source open: called once */
    void (*on_turn)(void *ctx);  /* called at least every few seconds: a watchdog's food */
    void *ctx;
};

/* Runs until the stop descriptor is readable, the source is at its end (`once`), or something lasting fails. STATUS_OK:
 * everything folded is checkpointed and, as far as the sink could be reached, synced. STATUS_RETRY: worth starting
 * again later. */
enum status pipeline_run(const struct pipeline_options *options, struct error *err);

#endif
