/* Commits that are whole source transactions, by Debezium's transaction topic.
 *
 * Its BEGINs and ENDs give the order; the first transaction that is not committed yet is "at hand". Rows are held in
 * their partition's list until the one at hand has its END and as many rows of the declared tables as that counts; then
 * they are one commit, in the order inside of the transaction. Rows of no transaction (snapshots) go as soon as
 * nothing of their partition is before them, alone or with the commit at hand; so do rows of transactions that
 * were committed already, as the newest END's LSN and time tell: repetitions, what came late, and what a partition
 * has from before it was read.
 *
 * Memory: what is held is bounded by four times queued.max.messages.kbytes. Past that, the rows of the transaction at
 * hand go to the log as chunks of its unfinished commit (any size does; if the process ends before, they are read
 * again), and partitions whose list has rows of a later one are no longer fetched: they have nothing for the one at
 * hand, since every partition keeps the source's order.
 *
 * A Debezium that was killed in the middle of a transaction may go on there, with a second BEGIN and an END that counts
 * only what was left. Nothing tells that from one that began with its first row again, so such a transaction is
 * committed when so many rows are there and everything is read that the topics have a while after its END; should
 * something come of it even later, it goes with the next commit.
 *
 * A transaction that does not become whole holds up what is after it and loses nothing: after NOTICE_US that is said,
 * on standard error and in the status; after transaction_timeout, if one is set, what is there of it is committed
 * and that is said. What comes of it later goes with the next commit. */
#include "ingest/kafka.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "row/datetime.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HELD_QUEUES = 4, NOTICE_US = 30000000, SETTLE_US = 500000, WAITING_MAX = 100000 };

void kafka_transaction_open(struct kafka *k)
{
    k->alike = mem_zalloc(KAFKA_ALIKE * sizeof *k->alike);
    k->progress_at_us = clock_mono_us();
    if (k->options.position != NULL) {
        k->read_whole = k->options.position(k->options.position_ctx, "kafka.transaction_lsn", &k->newest_lsn);
        (void)k->options.position(k->options.position_ctx, "kafka.transaction_ms", &k->newest_ms);
        (void)k->options.position(k->options.position_ctx, "kafka.unwhole_lsn", &k->unwhole_lsn);
    }
}

void kafka_transaction_close(struct kafka *k)
{
    mem_free(k->waiting);
    mem_free(k->alike);
    mem_free(k->due);
    debezium_transaction_release(&k->markers);
}

/* ---- the transactions that wait ---- */

static struct kafka_transaction *at_hand(struct kafka *k)
{
    return k->waiting_count > 0 ? &k->waiting[k->waiting_first] : NULL;
}

/* How many that wait share the xid's low bits: usually none, so that a new one is known to be new at once. */
static uint32_t *count_alike(struct kafka *k, uint64_t xid)
{
    return &k->alike[xid % KAFKA_ALIKE];
}

static struct kafka_transaction *find_waiting(struct kafka *k, uint64_t xid)
{
    if (*count_alike(k, xid) == 0) {
        return NULL;
    }
    for (size_t i = k->waiting_count; i > 0; i--) {
        struct kafka_transaction *t = &k->waiting[k->waiting_first + i - 1];
        if (t->xid == xid) {
            return t;
        }
    }
    return NULL;
}

static struct kafka_transaction *add_waiting(struct kafka *k, uint64_t xid)
{
    size_t end = k->waiting_first + k->waiting_count;
    if (end == k->waiting_capacity && k->waiting_first > end / 2) {
        memmove(k->waiting, k->waiting + k->waiting_first, k->waiting_count * sizeof *k->waiting);
        k->waiting_first = 0;
        end = k->waiting_count;
    }
    mem_grow(&k->waiting, &k->waiting_capacity, end + 1, sizeof *k->waiting);
    k->waiting[end] = (struct kafka_transaction){.xid = xid};
    k->waiting_count += 1;
    *count_alike(k, xid) += 1;
    return &k->waiting[end];
}

static bool is_late(const struct kafka *k, uint64_t xid)
{
    for (size_t i = 0; i < KAFKA_LATE_MAX && k->late[i] != 0; i++) {
        if (k->late[i] == xid) {
            return true;
        }
    }
    return false;
}

static void remember_late(struct kafka *k, uint64_t xid)
{
    k->late[k->late_next % KAFKA_LATE_MAX] = xid;
    k->late_next += 1;
}

static void note_progress(struct kafka *k)
{
    k->progress_at_us = clock_mono_us();
    k->waiting_told = false;
    k->waiting_detail[0] = '\0';
}

/* A record of the transaction topic that says nothing new: its position moves with what was before it. */
static void pass_marker(struct kafka *k, uint64_t next, uint64_t check)
{
    if (k->waiting_count == 0) {
        kafka_commit_moved(k, k->transactions, next, check);
        return;
    }
    struct kafka_transaction *last = &k->waiting[k->waiting_first + k->waiting_count - 1];
    last->next = next;
    last->check = check;
}

enum status kafka_transaction_marker(struct kafka *k, const rd_kafka_message_t *message, struct error *err)
{
    struct debezium_transaction marker;
    char reason[JSON_SCAN_REASON_BYTES];
    uint64_t next = (uint64_t)message->offset + 1;
    uint64_t check = kafka_partition_check(message);
    struct bytes value = bytes_of(message->payload, message->len);
    (void)err;
    if (value.len == 0) {
        pass_marker(k, next, check);
        return STATUS_OK;
    }
    if (!debezium_transaction_read(&k->markers, k->options.catalog, value, &marker, reason)) {
        message_line(MESSAGE_WARN, "source", "could not read offset %" PRId64 " of the transaction topic: %s",
                     message->offset, reason);
        pass_marker(k, next, check);
        return STATUS_OK;
    }
    struct kafka_transaction *t = find_waiting(k, marker.xid);
    if (t != NULL && !marker.ended && !t->ended) {
        t->begun_again = true;
    }
    bool repeated = marker.ended && marker.lsn != 0 && marker.lsn <= k->newest_lsn && marker.time_ms <= k->newest_ms;
    if (is_late(k, marker.xid) || (t != NULL && (!marker.ended || t->ended)) || (t == NULL && repeated)) {
        pass_marker(k, next, check);
        return STATUS_OK;
    }
    t = t != NULL ? t : add_waiting(k, marker.xid);
    t->next = next;
    t->check = check;
    if (marker.ended) { /* a repeated one has nothing to wait for */
        t->ended = true;
        t->repeated = repeated;
        t->begun_again = t->begun_again && !repeated;
        t->ended_at_us = clock_mono_us();
        t->expected = repeated ? 0 : marker.event_count;
        t->lsn = repeated ? 0 : marker.lsn;
        t->time_ms = marker.time_ms;
    }
    return STATUS_OK;
}

/* ---- the rows that are held ---- */

/* The commit before its transaction; the stream's first one has none. */
static uint64_t begins_behind(const struct kafka_entry *e)
{
    return e->place.commit_lsn != 0 ? e->place.commit_lsn : e->place.lsn;
}

/* Of a transaction that ended before the newest that is committed. */
static bool is_older(const struct kafka *k, const struct kafka_entry *e)
{
    uint64_t behind = begins_behind(e);
    return behind != 0 && behind < k->newest_lsn && e->time_us != 0 &&
           (uint64_t)(e->time_us + DATETIME_EPOCH_US) / 1000 <= k->newest_ms;
}

/* Its partition was not read yet when its transaction was committed. */
static bool is_unread(const struct kafka_entry *e)
{
    return begins_behind(e) < e->partition->unread_lsn;
}

/* Sent again after its transaction was committed whole. Where that was not sure it may be what was missing. */
static bool is_repetition(const struct kafka *k, const struct kafka_entry *e)
{
    return e->xid != 0 && begins_behind(e) >= k->unwhole_lsn && is_older(k, e) && !is_late(k, e->xid) && !is_unread(e);
}

/* Of no transaction, or of one that is committed. */
static bool needs_nothing(struct kafka *k, const struct kafka_entry *e)
{
    if (e->xid == 0) {
        return true;
    }
    bool older = is_older(k, e);
    bool orphan = (older || is_late(k, e->xid)) && !is_repetition(k, e) && !is_unread(e);
    if (orphan && e->items_len > 0 && !k->orphans_told) {
        message_line(MESSAGE_WARN, "source",
                     "rows of transaction %" PRIu64 " have come after its commit; such rows go with the next commit",
                     e->xid);
        k->orphans_told = true;
    }
    return older || is_late(k, e->xid);
}

/* Steps over what goes with the transaction at hand. */
static void count_rows(struct kafka *k, const struct kafka_transaction *hand)
{
    uint64_t before = k->arrived;
    for (size_t i = 0; i < k->partition_count; i++) {
        struct kafka_partition *p = k->partitions[i];
        size_t count = kafka_list_count(&p->held);
        while (p->counted < count) {
            const struct kafka_entry *e = kafka_list_at(&p->held, p->counted);
            bool its = hand != NULL && e->xid == hand->xid;
            if (!its && !needs_nothing(k, e)) {
                break;
            }
            k->arrived += its;
            p->counted += 1;
        }
    }
    if (k->arrived != before) {
        note_progress(k);
    }
}

static bool is_ahead(const struct kafka_partition *p)
{
    return p->counted < kafka_list_count(&p->held);
}

/* Of no transaction: before any row of one. */
static uint64_t due_order(const struct kafka *k, struct kafka_partition *p)
{
    const struct kafka_entry *e = kafka_list_at(&p->held, 0);
    return k->due_xid != 0 && e->xid == k->due_xid ? e->total_order : 0;
}

static void sift_down(struct kafka *k, size_t at)
{
    struct kafka_partition *p = k->due[at];
    uint64_t order = due_order(k, p);
    for (size_t child = 2 * at + 1; child < k->due_count; child = 2 * at + 1) {
        child += child + 1 < k->due_count && due_order(k, k->due[child + 1]) < due_order(k, k->due[child]);
        if (order <= due_order(k, k->due[child])) {
            break;
        }
        k->due[at] = k->due[child];
        at = child;
    }
    k->due[at] = p;
}

/* The partitions that have something counted, the one whose first entry is due on top. */
static void gather_due(struct kafka *k, uint64_t xid)
{
    mem_grow(&k->due, &k->due_capacity, k->partition_count + 1, sizeof(struct kafka_partition *));
    k->due_count = 0;
    k->due_xid = xid;
    for (size_t i = 0; i < k->partition_count; i++) {
        if (k->partitions[i]->counted > 0) {
            k->due[k->due_count] = k->partitions[i];
            k->due_count += 1;
        }
    }
    for (size_t i = k->due_count / 2; i > 0; i--) {
        sift_down(k, i - 1);
    }
}

/* Rows of the one at hand that is known to be new are what it was waited for. */
static bool is_dropped(struct kafka *k, const struct kafka_entry *e)
{
    const struct kafka_transaction *hand = at_hand(k);
    bool wanted = k->due_xid != 0 && e->xid == k->due_xid && hand != NULL && hand->ended && !hand->repeated;
    return !wanted && is_repetition(k, e);
}

/* Everything counted goes into the commit at hand. */
static enum status hand_rows(struct kafka *k, uint64_t xid, struct error *err)
{
    gather_due(k, xid);
    while (k->due_count > 0) {
        struct kafka_partition *p = k->due[0];
        struct kafka_entry *e = kafka_list_at(&p->held, 0);
        if (is_dropped(k, e)) {
            e->items_len = 0;
        }
        if (e->items_len > 0 && !k->commit_begun) {
            kafka_commit_begin(k, e->time_us, xid);
        }
        TRY(kafka_commit_add(k, &p->held, e, err));
        kafka_list_drop(&p->held, 1);
        p->counted -= 1;
        if (p->counted == 0) {
            k->due_count -= 1;
            k->due[0] = k->due[k->due_count];
        }
        if (k->due_count > 0) {
            sift_down(k, 0);
        }
    }
    return STATUS_OK;
}

/* Some of its rows may still come, and are no repetitions then. */
static void note_unwhole(struct kafka *k, const struct kafka_transaction *t)
{
    k->unwhole_lsn = t->lsn != 0 ? t->lsn : UINT64_MAX; /* without an END the next one's will do */
    k->newest_changed = true;
    remember_late(k, t->xid);
}

static void note_committed(struct kafka *k, const struct kafka_transaction *t)
{
    if (t->lsn == 0) {
        return;
    }
    k->newest_lsn = t->lsn;
    k->newest_ms = t->time_ms > k->newest_ms ? t->time_ms : k->newest_ms;
    k->newest_changed = true;
    k->unwhole_lsn = k->unwhole_lsn == UINT64_MAX ? t->lsn : k->unwhole_lsn;
}

static enum status commit_at_hand(struct kafka *k, struct error *err)
{
    struct kafka_transaction t = k->waiting[k->waiting_first];
    bool stood_in = k->arrived < t.expected; /* rows that could not be read did, for these */
    k->doubtful -= stood_in ? t.expected - k->arrived : 0;
    if (stood_in || t.begun_again) {
        note_unwhole(k, &t);
    }
    TRY(hand_rows(k, t.xid, err));
    if (t.next != 0) {
        kafka_commit_moved(k, k->transactions, t.next, t.check);
    }
    note_committed(k, &t);
    *count_alike(k, t.xid) -= 1;
    k->waiting_first += 1;
    k->waiting_count -= 1;
    k->waiting_first = k->waiting_count == 0 ? 0 : k->waiting_first;
    k->arrived = 0;
    note_progress(k);
    return k->commit_begun ? kafka_commit_end(k, k->waiting_count <= 2, err) : STATUS_OK;
}

/* Whether everything is read that the topics had SETTLE_US after the END: rows that were on their way then, too. A
 * partition that has rows of a later transaction has nothing more for this one. */
static bool is_read_up(struct kafka *k, struct kafka_transaction *hand)
{
    bool done = true;
    if (!k->options.once && (!k->connected || clock_mono_us() < hand->ended_at_us + SETTLE_US)) {
        return false;
    }
    for (size_t i = 0; i < k->partition_count; i++) {
        struct kafka_partition *p = k->partitions[i];
        int64_t low;
        int64_t high;
        if (p == k->transactions || !p->assigned || is_ahead(p)) {
            continue;
        }
        if (!hand->limited && !k->options.once) {
            if (!kafka_watch_range(k, p, &low, &high)) {
                return false;
            }
            p->limit = (uint64_t)high;
        }
        bool read = k->options.once ? p->once_done : (p->next > p->ends ? p->next : p->ends) >= p->limit;
        done = done && read;
    }
    hand->limited = true;
    return done;
}

static bool is_whole(struct kafka *k, struct kafka_transaction *hand)
{
    return hand->ended && k->arrived + k->doubtful >= hand->expected && (!hand->begun_again || is_read_up(k, hand));
}

/* Commits all that is whole. */
static enum status hand_whole(struct kafka *k, struct error *err)
{
    for (;;) {
        struct kafka_transaction *hand = at_hand(k);
        count_rows(k, hand);
        if (hand == NULL) {
            break;
        }
        if (!is_whole(k, hand)) {
            return STATUS_OK;
        }
        TRY(commit_at_hand(k, err));
    }
    TRY(hand_rows(k, 0, err));
    return k->commit_begun ? kafka_commit_end(k, true, err) : STATUS_OK;
}

/* ---- memory ---- */

static size_t bytes_held(const struct kafka *k)
{
    size_t bytes = 0;
    for (size_t i = 0; i < k->partition_count; i++) {
        bytes += kafka_list_bytes(&k->partitions[i]->held);
    }
    return bytes;
}

static enum status bound_memory(struct kafka *k, struct error *err)
{
    size_t limit = HELD_QUEUES * k->queue_bytes_max;
    const struct kafka_transaction *hand = at_hand(k);
    if (bytes_held(k) > limit && hand != NULL) {
        TRY(hand_rows(k, hand->xid, err));
    }
    size_t held = bytes_held(k);
    for (size_t i = 0; i < k->partition_count; i++) {
        struct kafka_partition *p = k->partitions[i];
        if (p == k->transactions) {
            TRY(kafka_partition_bound(k, p, true, k->waiting_count, WAITING_MAX, err));
        } else {
            TRY(kafka_partition_bound(k, p, is_ahead(p), held, limit, err));
        }
    }
    return STATUS_OK;
}

/* ---- what is late ---- */

/* The oldest row that waits for a transaction nobody has told of. */
static const struct kafka_entry *oldest_row(struct kafka *k)
{
    const struct kafka_entry *oldest = NULL;
    for (size_t i = 0; i < k->partition_count; i++) {
        struct kafka_partition *p = k->partitions[i];
        const struct kafka_entry *e = is_ahead(p) ? kafka_list_at(&p->held, p->counted) : NULL;
        if (e != NULL && (oldest == NULL || kafka_place_is_before(e->place, oldest->place))) {
            oldest = e;
        }
    }
    return oldest;
}

static void describe_wait(struct kafka *k, uint64_t xid, const struct kafka_transaction *hand)
{
    if (hand == NULL || !hand->ended) {
        snprintf(k->waiting_detail, sizeof k->waiting_detail,
                 "transaction %" PRIu64 " has no %s in the transaction topic yet; %" PRIu64 " of its rows are here",
                 xid, hand == NULL ? "BEGIN" : "END", k->arrived);
    } else {
        snprintf(k->waiting_detail, sizeof k->waiting_detail,
                 "transaction %" PRIu64 " has %" PRIu64 " of its %" PRIu64 " rows yet", xid, k->arrived,
                 hand->expected);
    }
}

static void give_up(struct kafka *k, uint64_t xid, struct kafka_transaction *hand)
{
    message_line(MESSAGE_WARN, "source", "%s: committed as it is after transaction_timeout", k->waiting_detail);
    if (hand == NULL) {
        hand = add_waiting(k, xid);
    }
    hand->ended = true;
    hand->expected = 0;
    hand->begun_again = false;
    note_unwhole(k, hand);
}

static enum status look_at_time(struct kafka *k, struct error *err)
{
    struct kafka_transaction *hand = at_hand(k);
    const struct kafka_entry *row = hand == NULL ? oldest_row(k) : NULL;
    if (hand == NULL && row == NULL) {
        note_progress(k);
        return STATUS_OK;
    }
    uint64_t xid = hand != NULL ? hand->xid : row->xid;
    int64_t waits_us = clock_mono_us() - k->progress_at_us;
    bool gives_up = k->options.transaction_timeout_us > 0 && waits_us >= k->options.transaction_timeout_us;
    if (!gives_up && waits_us < NOTICE_US) {
        return STATUS_OK;
    }
    describe_wait(k, xid, hand);
    if (gives_up) {
        give_up(k, xid, hand);
        return hand_whole(k, err);
    }
    if (!k->waiting_told) {
        message_line(MESSAGE_WARN, "source", "%s: waiting for it, and everything after it waits, too",
                     k->waiting_detail);
    }
    k->waiting_told = true;
    return STATUS_OK;
}

enum status kafka_transaction_turn(struct kafka *k, struct error *err)
{
    TRY(hand_whole(k, err));
    TRY(bound_memory(k, err));
    return look_at_time(k, err);
}

void kafka_transaction_tell_left(struct kafka *k)
{
    size_t rows = 0;
    for (size_t i = 0; i < k->partition_count; i++) {
        rows += kafka_list_count(&k->partitions[i]->held);
    }
    if (rows > 0 || k->waiting_count > 0) {
        message_line(MESSAGE_WARN, "source",
                     "left for the next run: %zu transactions that are not whole at the topics' end, and %zu records",
                     k->waiting_count, rows);
    }
}
