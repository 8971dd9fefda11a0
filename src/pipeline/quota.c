#include "pipeline/quota.h"

#include "flow/view.h"

#include <inttypes.h>
#include <stdio.h>

enum { ORIGIN_SHOWN_MAX = 200, REASON_SHOWN_MAX = 300 };

void quota_begin(struct quota *q, struct store *store, const struct flow *flow, uint64_t events)
{
    q->store = store;
    q->flow = flow;
    q->held = flow_quarantine_count(flow);
    q->rejected = flow_reject_count(flow);
    q->events = events;
}

static uint64_t entries(const struct quota *q)
{
    return q->held + q->made + (flow_reject_count(q->flow) - q->rejected);
}

static uint64_t limit(const struct quota *q, uint64_t received)
{
    if (q->share <= 0) {
        return q->entries_max;
    }
    uint64_t events = q->events + received;
    return (uint64_t)((double)(events < QUOTA_EVENTS_MIN ? QUOTA_EVENTS_MIN : events) * q->share);
}

static enum status pass(struct quota *q, uint64_t allowed, struct bytes origin, struct bytes reason, struct error *err)
{
    char share[64] = "";
    if (q->share > 0) {
        snprintf(share, sizeof share, " (%g%% of all events)", q->share * 100);
    }
    q->passed = true;
    /* Not STATUS_INVALID, which a source may take for the word of a server and try again. */
    (void)error_set(
        &q->error, STATUS_UNSUPPORTED, 0,
        "stopped: the quarantine would hold %" PRIu64 " entries, more than source.quarantine_max = %" PRIu64
        "%s; the newest is of %.*s: %.*s; what is not in the log will be read again: put right the schema "
        "files or what writes to the source, then run \"statectl quarantine redrive\" (\"statectl quarantine list\" "
        "shows the entries), or raise source.quarantine_max",
        entries(q), allowed, share, (int)(origin.len < ORIGIN_SHOWN_MAX ? origin.len : ORIGIN_SHOWN_MAX),
        (const char *)origin.data, (int)(reason.len < REASON_SHOWN_MAX ? reason.len : REASON_SHOWN_MAX),
        (const char *)reason.data);
    *err = q->error;
    return err->status;
}

enum status quota_add(struct quota *q, uint64_t received, struct bytes origin, struct bytes reason, struct error *err)
{
    q->made += 1;
    q->unended += 1;
    uint64_t allowed = limit(q, received);
    return entries(q) > allowed ? pass(q, allowed, origin, reason, err) : STATUS_OK;
}

void quota_commit_ended(struct quota *q)
{
    q->unended = 0;
}

void quota_abandoned(struct quota *q)
{
    q->made -= q->unended;
    q->unended = 0;
}

struct newest {
    struct quota *quota;
    uint64_t allowed;
    uint64_t left; /* entries of the map to walk over */
    struct error *err;
};

static int tell_newest(void *ctx, const struct quarantine_entry *e)
{
    struct newest *n = ctx;
    n->left -= 1;
    if (n->left == 0) {
        (void)pass(n->quota, n->allowed, e->origin, e->reason, n->err);
    }
    return n->left == 0;
}

enum status quota_check(struct quota *q, uint64_t received, struct error *err)
{
    uint64_t allowed = limit(q, received);
    if (entries(q) <= allowed) {
        return STATUS_OK;
    }
    struct newest n = {.quota = q, .allowed = allowed, .left = flow_quarantine_count(q->flow), .err = err};
    TRY(n.left == 0 ? STATUS_OK : quarantine_entries(q->store, tell_newest, &n, err));
    return q->passed ? q->error.status : pass(q, allowed, bytes_of("", 0), bytes_of("", 0), err);
}
