/* The sink's thread: connects and syncs while the spine goes on folding. One request at a time; its result is handed
 * back. */
#ifndef PIPELINE_SYNCER_H
#define PIPELINE_SYNCER_H

#include "sink/sink.h"

struct syncer;

enum syncer_request { SYNCER_NONE, SYNCER_CONNECT, SYNCER_SYNC };

struct syncer_result {
    enum syncer_request request; /* what has ended; SYNCER_NONE = nothing yet */
    enum status status;
    struct error error;
    struct sink_progress progress; /* of SYNCER_CONNECT */
    bool rebuilt;
    int64_t duration_us; /* without the wait for the log */
};

/* Takes the sink. */
enum status syncer_open_take(struct syncer **out, struct sink *sink, struct error *err);
/* Interrupts what runs, ends the thread, closes the sink. */
void syncer_close(struct syncer *s);
/* Both only while syncer_is_idle. The batch must stay valid until its result; it is committed only once the log is
 * durable up to batch->seq_next_to, as told by syncer_durable. */
void syncer_connect(struct syncer *s);
void syncer_sync(struct syncer *s, const struct sink_batch *batch);
void syncer_durable(struct syncer *s, uint64_t seq_next);
bool syncer_is_idle(struct syncer *s);
/* Takes the result of the last request, if it has ended, and makes the descriptor unreadable. */
void syncer_take_result(struct syncer *s, struct syncer_result *out);
int syncer_fd(const struct syncer *s); /* readable when a result is there */
/* The sink itself, for reading its rows on the caller's thread; only while idle. */
struct sink *syncer_sink(struct syncer *s);

#endif
