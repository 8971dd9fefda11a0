/* What the parts of the PostgreSQL source share: one struct, and the steps of a session in the order in which they
 * happen.
 *
 * connect (query) -> identify, check, slot (session, check) -> [wait until the log has "pg.slot_made" -> make the slot
 * -> copy (snapshot)] -> stream. Every step but the short catalogue questions is asynchronous: the thread is not held
 * up. Failures with STATUS_RETRY mean: the session is over, try again after a pause; anything else ends the program.
 *
 * Positions in the log: pg.system_id, pg.timeline, pg.slot_made (a hash of the slot's name: this store has made it, so
 * it may drop it before the snapshot is complete), pg.lsn (everything before it is in the log). */
#ifndef INGEST_POSTGRES_H
#define INGEST_POSTGRES_H

#include "base/arena.h"
#include "base/bytes.h"
#include "ingest/pgoutput.h"
#include "ingest/pgrelation.h"
#include "ingest/source_methods.h"

#include <libpq-fe.h>

enum postgres_state {
    POSTGRES_DOWN,          /* waits for retry_at_us */
    POSTGRES_CONNECTING,    /* the replication connection is being made */
    POSTGRES_WAITING,       /* for the log to be on disk, before the slot is made */
    POSTGRES_CREATING_SLOT, /* waits for the source's running transactions */
    POSTGRES_COPYING,
    POSTGRES_STREAMING,
    POSTGRES_ENDED /* `once` is satisfied */
};

enum { POSTGRES_RING = 64, POSTGRES_VERSION_MIN = 100000, POSTGRES_LSN_TEXT_BYTES = 24 };

struct postgres_type {
    uint32_t oid;
    int32_t typmod;
    struct type type;
};

struct postgres_snapshot_table {
    struct pgrelation *relation;
    struct buffer sql; /* the COPY, ended by NUL */
    double rows_expected;
};

struct postgres_snapshot {
    struct postgres_snapshot_table *tables;
    uint32_t count;
    uint32_t current;
    bool copying; /* rows of the current table are coming */
    uint64_t rows;
    double rows_expected;
    uint64_t point; /* the slot's consistent point */
    int64_t begun_us;
};

/* A commit that was handed out and is not known to be on disk. */
struct postgres_pending {
    uint64_t seq;
    uint64_t lsn;
};

struct postgres {
    struct source base;
    struct source_options options; /* its texts are owned */
    enum postgres_state state;
    PGconn *stream;  /* replication=database */
    PGconn *control; /* catalogue questions, and how far the source is */
    PGconn *copy;    /* the snapshot's */
    int server_version;

    /* connection faults */
    bool checked; /* tables and publication were found fit once */
    bool started; /* streamed or copied once: what goes wrong with the server from here on is tried again */
    int64_t connect_deadline_us;
    int64_t retry_at_us;
    int64_t backoff_us;
    int64_t lost_at_us; /* 0 = not lost */
    int64_t stream_begun_us;
    uint64_t stream_begun_at; /* LSN */
    char detail[256];

    /* what the log says */
    uint64_t system_id; /* 0 = not known */
    uint64_t timeline;
    bool slot_made;
    uint64_t slot_made_seq; /* of the commit that says so, while it may not be on disk */
    bool position_known;
    uint64_t position; /* pg.lsn of the newest commit handed out */

    /* what is on disk */
    uint64_t durable_seq_next;
    uint64_t durable_lsn; /* may be acknowledged */
    struct postgres_pending ring[POSTGRES_RING];
    uint32_t ring_first;
    uint32_t ring_count;

    /* the commit being written */
    struct buffer out;
    struct arena scratch;
    bool commit_begun; /* its COMMIT item is written */
    bool chunk_handed; /* a part of it is in the log */
    uint64_t commit_number;
    uint64_t handed_bytes;
    int64_t commit_time_us;

    /* the stream */
    struct pgoutput_decoder *decoder;
    struct pgrelation_set relations;
    struct postgres_type *types; /* those that are not built in, as looked up */
    size_t type_count;
    size_t type_capacity;
    uint64_t session;
    bool in_transaction;
    bool skip_transaction; /* it is in the log already */
    int64_t begin_time_us;
    uint32_t begin_xid;
    uint64_t message_lsn;
    uint64_t seen;        /* everything before it was received */
    uint64_t server_end;  /* the source's end as last heard */
    bool position_wanted; /* the server asked how far we are: log a position even if nothing happened */
    int64_t position_logged_us;
    int64_t status_sent_us;
    bool status_due;  /* the durable position moved */
    unsigned burst;   /* messages since the stream was quiet last */
    int64_t burst_us; /* when the newest of them came */
    int64_t lag_asked_us;
    bool lag_pending;
    bool once_target_known;
    uint64_t once_target;

    struct postgres_snapshot *snapshot;
};

/* ---- postgres_query.c: talking to the server ---- */

/* Starts the replication connection (postgres_connect_step goes on with it) or makes an ordinary one, waiting at most 5
 * s. */
enum status postgres_connect_begin(struct postgres *p, struct error *err);
enum status postgres_connect_step(struct postgres *p, bool *done, struct error *err);
enum status postgres_connect_plain(struct postgres *p, PGconn **out, struct error *err);
/* Fills `err` from what the server or the connection says. STATUS_RETRY where it may pass, else STATUS_INVALID. */
enum status postgres_error(PGconn *conn, const PGresult *result, const char *what, struct error *err);
/* Runs one statement; `*out` (may be NULL) is the caller's to PQclear. `params` are texts. */
enum status postgres_query(PGconn *conn, const char *what, const char *sql, int param_count, const char *const *params,
                           PGresult **out, struct error *err);
/* By the simple protocol, which replication connections need. */
enum status postgres_command(PGconn *conn, const char *what, const char *sql, PGresult **out, struct error *err);
void postgres_append_identifier(struct buffer *out, const char *name); /* "name", quoted */
bool postgres_parse_lsn(const char *text, uint64_t *out);
const char *postgres_lsn_text(uint64_t lsn, char out[static POSTGRES_LSN_TEXT_BYTES]);
bool postgres_parse_u64(const char *text, uint64_t *out);

/* ---- postgres_session.c: who the server is, and the slot ---- */

/* After the replication connection is there: identifies, checks, decides about the slot and goes into the next
 * state. */
enum status postgres_session_begin(struct postgres *p, struct error *err);
enum status postgres_slot_create(struct postgres *p, struct error *err);      /* WAITING -> CREATING_SLOT */
enum status postgres_slot_create_step(struct postgres *p, struct error *err); /* -> COPYING */
enum status postgres_stream_begin(struct postgres *p, struct error *err);     /* -> STREAMING */

/* ---- postgres_check.c: whether the source's tables are what the schema files declare ---- */

/* Makes the publication where that is allowed, and collects all problems: one line each, the first one (and how many)
 * in `err`. */
enum status postgres_check(struct postgres *p, struct error *err);
/* The type of a column as values are to be read: built-in, a domain's base type, or TYPE_OTHER by the source's name for
 * it. */
enum status postgres_type_resolve(struct postgres *p, PGconn *conn, uint32_t oid, int32_t typmod, struct type *out,
                                  struct error *err);

/* ---- postgres_snapshot.c ---- */

enum status postgres_snapshot_begin(struct postgres *p, const char *snapshot_name, uint64_t point, struct error *err);
enum status postgres_snapshot_poll(struct postgres *p, uint64_t budget_bytes, bool *more, struct error *err);
void postgres_snapshot_free(struct postgres *p);

/* ---- postgres_stream.c ---- */

enum status postgres_stream_poll(struct postgres *p, uint64_t budget_bytes, bool *more, struct error *err);
enum status postgres_status_send(struct postgres *p, bool ask_reply, struct error *err);
int64_t
postgres_stream_due_us(const struct postgres *p); /* when it wants to be called again, on the clock of clock_mono_us */

/* ---- postgres_change.c: changes as items of the commit, which they begin where needed ---- */

/* INSERT, UPDATE, DELETE; `raw` is the whole message, kept where a value cannot be decoded. */
enum status postgres_change(struct postgres *p, const struct pgoutput_message *m, struct bytes raw, struct error *err);
enum status postgres_change_truncate(struct postgres *p, const struct pgoutput_message *m, struct error *err);

/* ---- postgres_commit.c: handing commits to the log ---- */

void postgres_commit_begin(struct postgres *p, int64_t time_us, uint64_t xid);
/* Call after each item, which began at `mark` in p->out: hands a full chunk over. An item too large for the log is
 * replaced by a QUARANTINE item. */
enum status postgres_commit_item(struct postgres *p, size_t mark, const char *origin, struct error *err);
/* Ends the commit with pg.lsn = `lsn`. */
enum status postgres_commit_end(struct postgres *p, uint64_t lsn, struct error *err);
enum status postgres_commit_abandon(struct postgres *p, struct error *err);
/* A commit of nothing but "here we are". */
enum status postgres_commit_position(struct postgres *p, uint64_t lsn, struct error *err);
/* A commit that says whose slot it is: system id, timeline, and `slot_made`. Its seq goes to p->slot_made_seq. */
enum status postgres_commit_slot_made(struct postgres *p, bool made, struct error *err);
/* Commits below are on disk. */
void postgres_commit_durable(struct postgres *p, uint64_t durable_seq_next);

#endif
