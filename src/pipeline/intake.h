/* The intake: the source in a thread of its own, so that changes are decoded while the spine folds those before them.
 *
 * What the source hands out (chunks, abandoned commits, entries of the quarantine) is recorded in a batch. The spine
 * takes a batch whole and plays it to its own output, in the same order; so everything that is known of the log and of
 * the state stays with the spine. One batch waits to be taken while the next is recorded, which is all that is kept in
 * memory: the thread waits before it records more. All functions on the spine thread. */
#ifndef PIPELINE_INTAKE_H
#define PIPELINE_INTAKE_H

#include "flow/flow.h"
#include "ingest/source.h"

struct intake;

struct intake_options {
    struct source_options source; /* its output is where batches are played to; its position is not used */
    const struct flow *flow;      /* its positions now are those the source resumes from */
    uint64_t seq_next;            /* of the log: nobody else appends */
};

/* Opens the source, as source_open does, and starts the thread. STATUS_RETRY with a handle in `*out`: the thread goes
 * on trying, which it does not in a `once` run. */
enum status intake_open(struct intake **out, const struct intake_options *options, struct error *err);
/* What was recorded and not taken is forgotten: it was never acknowledged. NULL is fine. */
void intake_close(struct intake *i);
/* Ends the thread, not the source: to be called when nothing more will be taken. */
void intake_stop(struct intake *i);
/* Readable when there may be something to take. */
int intake_fd(const struct intake *i);
/* Plays what is recorded, if anything is. A failure is the output's, or the source's once all before it was played;
 * STATUS_END as of source_poll. */
enum status intake_take(struct intake *i, struct error *err);
/* Commits with seq below are on disk: the thread tells the source. */
enum status intake_acknowledge(struct intake *i, uint64_t durable_seq_next, struct error *err);
/* The source's status after its newest poll. */
void intake_status(struct intake *i, struct source_status *out);
/* Something is there to be taken, or will be at once. */
bool intake_has_more(struct intake *i);
/* Connected, and everything that the source had has been taken. */
bool intake_is_idle(struct intake *i);
/* Changes that the source had handed out when it recorded what is being played, or was played last. */
uint64_t intake_received(const struct intake *i);

#endif
