/* What the files of the Kafka source share. librdkafka is included in this room alone.
 *
 * Every partition of every topic is assigned by hand, from the positions in the log; the group knows of it afterwards
 * only. Everything but the watcher (kafka_watch.c) is the source's thread's: librdkafka's own threads fetch, what they
 * have fetched is bounded by its queue limits, and its callbacks come while the queue is read. */
#ifndef INGEST_KAFKA_H
#define INGEST_KAFKA_H

#include "base/bytes.h"
#include "ingest/debezium.h"
#include "ingest/debezium_transaction.h"
#include "ingest/source_methods.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KAFKA_MESSAGES = 1024,      /* taken from librdkafka's queue at once */
    KAFKA_POLL_RECORDS = 16384, /* of a poll: what is sorted and made commits of together */
    KAFKA_ORIGIN_BYTES = 400,
    KAFKA_DETAIL_BYTES = 256,
    KAFKA_ALIKE = 262144,
    KAFKA_LATE_MAX = 64 /* transactions that were committed before they were whole: remembered */
};

/* In the source's stream: the newest commit before a change's transaction, and the change. */
struct kafka_place {
    uint64_t commit_lsn;
    uint64_t lsn;
};

static inline bool kafka_place_is_before(struct kafka_place a, struct kafka_place b)
{
    return a.commit_lsn != b.commit_lsn ? a.commit_lsn < b.commit_lsn : a.lsn < b.lsn;
}

/* A record that has arrived and is not handed over yet. */
struct kafka_entry {
    struct kafka_partition *partition;
    uint64_t next; /* offset after it */
    uint64_t check;
    uint64_t xid; /* 0 = of no transaction */
    struct kafka_place place;
    uint64_t total_order;
    int64_t time_us;
    uint64_t items_at;  /* in the list's items, counted from the beginning of time */
    uint32_t items_len; /* 0 = nothing to log but the position */
};

/* First in, first out. Zero-initialised is valid. */
struct kafka_list {
    struct kafka_entry *entries;
    size_t first;
    size_t end;
    size_t capacity;
    struct buffer items;
    size_t items_first;
    uint64_t items_base; /* items_at of items.data[0] */
};

struct kafka_partition {
    struct kafka_topic *topic;
    int32_t number;
    char *position_name; /* "TOPIC:NUMBER" */
    char *check_name;    /* "TOPIC:NUMBER.check" */
    char *unread_name;   /* "TOPIC:NUMBER.unread" */
    char *origin;        /* "topic TOPIC partition NUMBER offset " and room for digits */
    size_t origin_head;
    bool assigned;
    bool held_back;     /* its fetching is stopped for the sake of memory */
    bool look_back;     /* the record before `next` is fetched once more, for what is to be remembered of it */
    bool verify;        /* and to see that it is the same */
    uint64_t verify_as; /* its check */
    uint64_t next;      /* after the last record that has arrived */
    uint64_t handed;    /* after the last record that is in a commit */
    uint64_t handed_check;
    bool handed_any;
    bool moved;    /* `handed` goes into the next commit */
    int64_t high;  /* end of the partition as last heard */
    uint64_t ends; /* an end that was met: nothing to read below it is left */
    uint64_t once_end;
    bool once_done;
    struct debezium_buried buried;
    /* With a transaction topic: commits below this LSN were made before this partition was first read (its table was
     * declared later), so rows of theirs are no repetitions. 0 = read from the first commit on. */
    uint64_t unread_lsn;
    bool unread_changed; /* not in the log yet */
    /* The newest place in the source that has arrived: what is before it is a repetition. */
    bool last_known;
    uint64_t last_commit_lsn;
    uint64_t last_lsn;
    uint64_t last_total_order;
    int64_t last_time_us;
    /* The highest order in the batch at hand. */
    uint64_t batch_serial;
    struct kafka_place order;
    struct kafka_place arrived; /* the highest of all that have arrived */
    struct kafka_list held;     /* what waits: for its transaction, or for other partitions of its topic */
    /* Transactions whole. */
    uint64_t limit; /* what has to be read before the transaction at hand is whole, if it is `limited` */
    size_t counted; /* of `held`, from its beginning: what goes with the transaction at hand */
};

struct kafka_topic {
    const char *name;
    rd_kafka_topic_t *handle;
    struct kafka_partition **partitions;
    size_t partition_count;
    size_t partition_capacity;
    bool is_transactions;
    bool missing;    /* told so */
    int32_t watched; /* the watcher's: partitions it has handed over */
    bool absent;     /* the watcher's */
};

/* What the watcher has seen. */
enum kafka_sight_kind {
    KAFKA_SIGHT_PARTITION,
    KAFKA_SIGHT_MISSING,
    KAFKA_SIGHT_REFUSED,
    KAFKA_SIGHT_ALIVE,
    KAFKA_SIGHT_AWAY
};
struct kafka_sight {
    enum kafka_sight_kind kind;
    uint32_t topic_idx;
    int32_t partition;
    int32_t partition_count;
    int64_t low;
    int64_t high;
    int64_t begun_us; /* ALIVE, AWAY: when the question was asked */
    rd_kafka_resp_err_t code;
};
struct kafka_sights {
    struct kafka_sight *items;
    size_t count;
    size_t capacity;
};

struct kafka_watch {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;                  /* under the lock */
    bool nudge;                 /* under the lock: see kafka_watch_nudge */
    struct kafka_sights sights; /* under the lock */
    bool in_doubt;              /* under the lock: not connected, or a topic is missing: look more often */
    int64_t interval_us;
};

struct kafka_transaction {
    uint64_t xid;
    bool ended;
    bool repeated;       /* its END is not the first one */
    bool begun_again;    /* before its END, which may then count a part only */
    bool limited;        /* the partitions' limits are its */
    int64_t ended_at_us; /* when its END was read */
    uint64_t lsn;
    uint64_t time_ms;
    uint64_t expected;
    uint64_t next; /* offset after its newest record in the transaction topic */
    uint64_t check;
};

struct kafka {
    struct source base;
    struct source_options options; /* its texts may be gone: what is needed is copied */
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    int event_fd;
    struct kafka_topic *topics;
    uint32_t topic_count;
    struct kafka_partition **partitions;
    size_t partition_count;
    size_t partition_capacity;
    struct kafka_watch watch;
    struct debezium *decoder;
    rd_kafka_message_t *messages[KAFKA_MESSAGES];
    size_t queue_bytes_max; /* of the client's queue */
    size_t queue_peak;      /* the most records that were in the queue since the last nudge */
    uint64_t taken_bytes;   /* since then */
    bool nudge_wanted;
    int64_t nudge_at_us; /* not before */

    /* Commits. */
    struct kafka_list batch; /* without a transaction topic */
    uint64_t batch_serial;
    struct kafka_order *orders;
    size_t order_capacity;
    struct buffer schemas; /* SCHEMA items that no commit has yet */
    struct buffer out;
    bool commit_begun;
    bool chunk_handed;
    uint64_t commit_xid;
    struct kafka_partition **moved;
    size_t moved_count;
    bool moved_any; /* of these, one has really moved: else no commit is made for them */
    size_t moved_capacity;
    uint64_t seq_handed; /* commits below were handed over */

    /* Transactions whole. */
    bool whole;
    struct kafka_partition *transactions; /* the one partition of that topic */
    struct debezium_transaction_reader markers;
    struct kafka_transaction *waiting; /* in their order; ring */
    size_t waiting_first;
    size_t waiting_count;
    size_t waiting_capacity;
    uint32_t *alike;        /* by low bits of the xid: how many wait */
    uint64_t arrived;       /* of the first one */
    uint64_t doubtful;      /* quarantined records that do not say their transaction */
    uint64_t newest_lsn;    /* of the newest END that was committed */
    uint64_t newest_ms;     /* of the latest commit time of those */
    uint64_t unwhole_lsn;   /* rows of transactions that ended before may still be missing; 0 = none */
    bool newest_changed;    /* not in the log yet */
    int64_t progress_at_us; /* when the first one last got something */
    bool waiting_told;
    uint64_t late[KAFKA_LATE_MAX];
    size_t late_next;
    bool orphans_told;
    bool read_whole;              /* what the log had at the start was read with the transaction topic ... */
    bool read_whole_noted;        /* ... and what it has since this run's first commit is */
    struct kafka_partition **due; /* a heap of those that have something for the commit at hand */
    size_t due_count;
    size_t due_capacity;
    uint64_t due_xid;

    /* What may be told to the group. */
    rd_kafka_topic_partition_list_t *offsets; /* NULL = none; below offsets_seq_next */
    uint64_t offsets_seq_next;
    int64_t offsets_at_us;
    bool offsets_failed;
    uint64_t durable_seq_next;

    /* The connection. */
    bool connected;
    bool refused; /* by authentication or TLS */
    int64_t lost_at_us;
    bool lost_told;
    char detail[KAFKA_DETAIL_BYTES];
    char waiting_detail[KAFKA_DETAIL_BYTES];
    struct error failure; /* met in a callback; status OK = none */

    bool ended;
    uint64_t received_bytes;
    uint64_t received_records;
    int64_t commit_time_us;
};

/* kafka_client.c: URL, properties, callbacks, what connection faults mean. */
enum status kafka_client_open(struct kafka *k, struct error *err);
void kafka_client_close(struct kafka *k);
/* A broker has answered a question that was asked after the loss. Records do not tell: they may have been fetched
 * before. */
void kafka_client_alive(struct kafka *k);
/* Nobody answered at `at_us`. `why` is told unless something better is known. */
void kafka_client_away(struct kafka *k, const char *why, int64_t at_us);
/* The configured value of a whole-number property. */
int64_t kafka_client_number(const struct kafka *k, const char *property);

/* kafka_watch.c: topics and partitions, as the cluster has them. */
/* Asks once, waiting up to `timeout_ms`; appends to `out`. STATUS_RETRY where nobody answers. */
enum status kafka_watch_look(struct kafka *k, int timeout_ms, struct kafka_sights *out, struct error *err);
enum status kafka_watch_start(struct kafka *k, struct error *err);
void kafka_watch_stop(struct kafka *k);
/* To be called when the queue runs low. librdkafka (before 2.2) looks only once a second whether a queue that was full
 * has room again, unless a broker's thread is woken by some other request: the watcher makes a small one. */
void kafka_watch_nudge(struct kafka *k);
/* First and next offset of a partition, as the broker says. False where it does not answer. */
bool kafka_watch_range(struct kafka *k, const struct kafka_partition *p, int64_t *low, int64_t *high);

/* kafka_partition.c: where to begin reading, and whether anything is missing. */
enum status kafka_partition_found(struct kafka *k, const struct kafka_sights *sights, struct error *err);
/* A message that is an error of its partition. */
enum status kafka_partition_error(struct kafka *k, struct kafka_partition *p, const rd_kafka_message_t *message,
                                  struct error *err);
/* Whether the record before the position, fetched once more, is the one that was read. */
enum status kafka_partition_verify(const struct kafka_partition *p, uint64_t check, struct error *err);
/* Holds it back while it waits and `used` is past `limit`, until half of that is left. */
enum status kafka_partition_bound(struct kafka *k, struct kafka_partition *p, bool waits, size_t used, size_t limit,
                                  struct error *err);
/* The offset after its last record, as last heard; 0 = not known. */
int64_t kafka_partition_end(const struct kafka *k, const struct kafka_partition *p);
void kafka_partition_free(struct kafka_partition *p);
/* What tells a record from another one at the same offset of a topic made anew; its low 24 bits are the offset's. */
uint64_t kafka_partition_check(const rd_kafka_message_t *message);

/* kafka_record.c: one record -> an entry. */
enum status kafka_record_take(struct kafka *k, struct kafka_partition *p, const rd_kafka_message_t *message,
                              struct error *err);

/* kafka_list.c */
struct kafka_entry *kafka_list_at(struct kafka_list *l, size_t i);
size_t kafka_list_count(const struct kafka_list *l);
struct bytes kafka_list_items(const struct kafka_list *l, const struct kafka_entry *e);
size_t kafka_list_bytes(const struct kafka_list *l);
/* The entry's items are there already. */
void kafka_list_add(struct kafka_list *l, const struct kafka_entry *e);
/* Drops the first `count`. */
void kafka_list_drop(struct kafka_list *l, size_t count);
void kafka_list_release(struct kafka_list *l);

/* kafka_merge.c: without a transaction topic, several partitions of one topic. */
/* The entry has arrived: its place is not before that of the one before it, also where its record does not say it. */
void kafka_merge_place(struct kafka_partition *p, struct kafka_entry *e);
/* What need not wait goes to the batch; holds back what memory does not allow. */
enum status kafka_merge(struct kafka *k, struct error *err);

/* kafka_commit.c: entries -> commits; what the group is told. */
enum status kafka_commit_batch(struct kafka *k, struct error *err);
void kafka_commit_begin(struct kafka *k, int64_t time_us, uint64_t xid);
/* The entry's items and position into the commit at hand. */
enum status kafka_commit_add(struct kafka *k, const struct kafka_list *list, const struct kafka_entry *e,
                             struct error *err);
void kafka_commit_moved(struct kafka *k, struct kafka_partition *p, uint64_t next, uint64_t check);
/* The partition's position as it is goes along with the next commit. */
void kafka_commit_note(struct kafka *k, struct kafka_partition *p);
/* With `checks`, positions can be verified when they are resumed: true for the last commit of a poll. */
enum status kafka_commit_end(struct kafka *k, bool checks, struct error *err);
/* Ends the poll: positions that no commit has, what the group is to be told. */
enum status kafka_commit_finish(struct kafka *k, struct error *err);
void kafka_commit_acknowledge(struct kafka *k, uint64_t durable_seq_next);
void kafka_commit_farewell(struct kafka *k);

/* kafka_transaction.c: commits that are whole source transactions. */
void kafka_transaction_open(struct kafka *k);
enum status kafka_transaction_marker(struct kafka *k, const rd_kafka_message_t *message, struct error *err);
/* Hands over what is whole, spills and holds back what memory does not allow, tells of what is late. */
enum status kafka_transaction_turn(struct kafka *k, struct error *err);
/* Nothing that is read up to the ends known at the start could make the first one whole. */
void kafka_transaction_tell_left(struct kafka *k);
void kafka_transaction_close(struct kafka *k);

#endif
