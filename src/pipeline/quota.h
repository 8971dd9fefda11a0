/* How many entries the quarantine may hold: past that the source is not read any more, so that a bad deployment does
 * not put the world into quarantine. What counts are the entries of the store, however many runs they came in, and
 * those that the source has made and the log does not have yet. */
#ifndef PIPELINE_QUOTA_H
#define PIPELINE_QUOTA_H

#include "base/bytes.h"
#include "base/error.h"
#include "flow/flow.h"

#include <stdbool.h>
#include <stdint.h>

enum { QUOTA_EVENTS_MIN = 10000 }; /* a share is of at least so many */

struct quota {
    uint64_t entries_max; /* UINT64_MAX = no limit */
    double share;         /* of the events; 0 = entries_max counts */
    struct store *store;
    const struct flow *flow;
    uint64_t held;     /* in the store when the source was opened */
    uint64_t rejected; /* flow_reject_count at that time */
    uint64_t made;     /* by the source since */
    uint64_t unended;  /* of these, not in a whole commit yet */
    uint64_t events;   /* taken in before the source was opened */
    bool passed;       /* and why: */
    struct error error;
};

/* Everything in the log is folded; `events` = how many those are. */
void quota_begin(struct quota *q, struct store *store, const struct flow *flow, uint64_t events);
/* The source has made one more, with `received` events since quota_begin. STATUS_UNSUPPORTED where that is one too
 * many. */
enum status quota_add(struct quota *q, uint64_t received, struct bytes origin, struct bytes reason, struct error *err);
void quota_commit_ended(struct quota *q);
void quota_abandoned(struct quota *q);
/* The same failure where the store holds too many: changes that could not be applied are known after they are in the
 * log. */
enum status quota_check(struct quota *q, uint64_t received, struct error *err);

#endif
