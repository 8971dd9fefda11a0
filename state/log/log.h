/* The log: segments of checksummed blocks of commits; what store.h says of it is done here. */
#ifndef STATE_LOG_LOG_H
#define STATE_LOG_LOG_H

#include "state/store.h"

struct log;

/* How far the state is known to have covered the log: nothing before it can be a torn tail. */
struct log_watermark {
    uint64_t segment_idx;
    uint64_t offset;   /* end of the last block that was durable */
    uint64_t seq_next; /* commits below were durable */
};

struct log_options {
    const char *path; /* the log's folder */
    bool read_only;
    uint64_t segment_bytes;
    struct log_watermark watermark; /* zero where there is no state yet */
    void (*notify)(void *ctx);      /* called by the log thread when durable advances or it fails; NULL is fine */
    void *notify_ctx;
};

enum status log_open(struct log **out, const struct log_options *options, struct error *err);
void log_close(struct log *log);
enum status log_append(struct log *log, struct bytes chunk, bool last, uint64_t *seq, struct error *err);
enum status log_append_abandon(struct log *log, struct error *err);
enum status log_flush(struct log *log, struct error *err);
uint64_t log_seq_next(const struct log *log);
uint64_t log_durable_seq_next(const struct log *log);
enum status log_wait_durable(struct log *log, uint64_t seq_next, struct error *err);
/* The failure of the log thread, if it has failed. @thread any */
enum status log_failure(const struct log *log, struct error *err);
/* Where the durable part ends now, for the next checkpoint. @thread any */
struct log_watermark log_watermark(const struct log *log);
uint64_t log_bytes(const struct log *log);

struct log_reader;
enum status log_reader_open(struct log *log, uint64_t from_seq, struct log_reader **out, struct error *err);
void log_reader_close(struct log_reader *r);
enum status log_reader_next(struct log_reader *r, struct store_chunk *out, struct error *err);
void log_reader_recycle(struct log_reader *r);

enum status log_segments(struct log *log, int (*visit)(void *ctx, const struct store_segment *segment), void *ctx,
                         struct error *err);
enum status log_verify(struct log *log, void (*progress)(void *ctx, uint64_t done, uint64_t all), void *ctx,
                       struct error *err);

#endif
