/* A mock cluster of librdkafka, a producer to it, and a log that keeps what the source hands over, in words. */
#ifndef TESTS_KAFKA_FIXTURE_H
#define TESTS_KAFKA_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "event/event.h"
#include "ingest/source_methods.h"
#include "sql/sql.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POSITIONS_MAX = 256, POSITION_NAME_BYTES = 64, WAIT_US = 6000000 };

struct position {
    char name[POSITION_NAME_BYTES];
    uint64_t value;
};

struct log {
    struct buffer text;   /* commits in words, "|" at the end of each */
    struct buffer commit; /* chunks of the unfinished one */
    struct position positions[POSITIONS_MAX];
    size_t position_count;
    uint64_t rows;
    uint64_t commits;
    uint64_t chunks;
    uint64_t abandoned;
    size_t bytes; /* of the last commit */
    uint64_t quarantined;
};

struct fixture {
    struct catalog catalog;
    struct log log;
    struct source *source;
    rd_kafka_t *owner; /* of the mock clusters; produces */
    rd_kafka_mock_cluster_t *cluster;
    char url[256];
    struct property properties[8];
    size_t property_count;
    const char *topic_prefix;
    const char *transaction_topic;
    int64_t transaction_timeout_us;
    uint64_t lsn;
};

static inline struct position *fixture_position(struct log *log, const char *name, size_t len)
{
    for (size_t i = 0; i < log->position_count; i++) {
        if (strlen(log->positions[i].name) == len && memcmp(log->positions[i].name, name, len) == 0) {
            return &log->positions[i];
        }
    }
    return NULL;
}

static inline void fixture_set_position(struct log *log, struct bytes name, uint64_t value)
{
    struct position *p = fixture_position(log, (const char *)name.data, name.len);
    if (p == NULL) {
        assert_true(log->position_count < POSITIONS_MAX && name.len < POSITION_NAME_BYTES);
        p = &log->positions[log->position_count];
        log->position_count += 1;
        memset(p->name, 0, sizeof p->name);
        memcpy(p->name, name.data, name.len);
    }
    p->value = value;
}

/* Rows as "+1", "-1" of table t, "+u1" of table u. */
static inline void fixture_tell(struct log *log)
{
    struct packed_reader r = packed_reader_of(buffer_bytes(&log->commit));
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct event e;
    static char names[64][8];
    log->bytes = log->commit.len;
    while (event_read(&r, &a, &e, &err) == STATUS_OK) {
        if (e.kind == EVENT_COMMIT) {
            buffer_printf(&log->text, "%" PRIu64 ":", e.xid);
        } else if (e.kind == EVENT_POSITION) {
            fixture_set_position(log, e.name, e.value);
        } else if (e.kind == EVENT_QUARANTINE) {
            log->quarantined += 1;
            buffer_append_text(&log->text, " ?");
        } else if (e.kind == EVENT_SCHEMA) {
            assert_true(e.table_id < 64);
            snprintf(names[e.table_id], sizeof names[e.table_id], "%s", strcmp(e.schema.table, "t") == 0 ? "" : "u");
        } else {
            struct datum id;
            assert_int_equal(packed_read_datum(&r, TYPE_INT4, &a, &id, &err), STATUS_OK);
            bool gone = e.kind == EVENT_DELETE || e.kind == EVENT_REMOVE;
            buffer_printf(&log->text, " %c%s%" PRId64, gone ? '-' : '+', names[e.table_id], id.v.i);
            log->rows += 1;
            for (uint32_t i = 1; i < e.column_count; i++) {
                assert_int_equal(packed_skip(&r, &err), STATUS_OK);
            }
            uint32_t old = 0;
            if (e.kind == EVENT_UPDATE) {
                assert_int_equal(event_read_old(&r, &old, &err), STATUS_OK);
                assert_int_equal(old, 0);
            }
        }
    }
    buffer_append_text(&log->text, "|");
    arena_release(&a);
}

static inline enum status fixture_append(void *ctx, struct bytes chunk, bool last, uint64_t *seq, struct error *err)
{
    struct log *log = ctx;
    (void)err;
    assert_true(chunk.len <= SOURCE_CHUNK_BYTES_MAX);
    buffer_append(&log->commit, chunk.data, chunk.len);
    *seq = log->commits;
    log->chunks += 1;
    if (last) {
        fixture_tell(log);
        buffer_reset(&log->commit);
        log->commits += 1;
    }
    return STATUS_OK;
}

static inline enum status fixture_abandon(void *ctx, struct error *err)
{
    struct log *log = ctx;
    (void)err;
    buffer_reset(&log->commit);
    log->abandoned += 1;
    return STATUS_OK;
}

static inline bool fixture_known(void *ctx, const char *name, uint64_t *value)
{
    const struct position *p = fixture_position(ctx, name, strlen(name));
    *value = p != NULL ? p->value : *value;
    return p != NULL;
}

/* ---- the cluster ---- */

static inline void fixture_use(struct fixture *f, rd_kafka_mock_cluster_t *cluster)
{
    f->cluster = cluster;
    snprintf(f->url, sizeof f->url, "kafka://%s", rd_kafka_mock_cluster_bootstraps(cluster));
}

static inline void fixture_set(struct fixture *f, const char *name, const char *value)
{
    f->properties[f->property_count] = (struct property){.name = name, .value = value};
    f->property_count += 1;
}

static inline void fixture_init(struct fixture *f, const char *ddl)
{
    struct error err;
    char reason[256];
    memset(f, 0, sizeof *f);
    assert_int_equal(sql_load_text(&f->catalog, "test.sql", ddl, &err), STATUS_OK);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "test.mock.num.brokers", "2", reason, sizeof reason), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "linger.ms", "1", reason, sizeof reason), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason), RD_KAFKA_CONF_OK);
    f->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    assert_non_null(f->owner);
    fixture_use(f, rd_kafka_handle_mock_cluster(f->owner));
    f->topic_prefix = "p";
    fixture_set(f, "topic.metadata.refresh.interval.ms", "200");
    fixture_set(f, "fetch.wait.max.ms", "20");
    fixture_set(f, "reconnect.backoff.ms", "50");
    fixture_set(f, "reconnect.backoff.max.ms", "200");
    f->lsn = 1000;
}

static inline void fixture_close_source(struct fixture *f)
{
    source_kafka_methods.close(f->source);
    f->source = NULL;
}

static inline void fixture_release(struct fixture *f)
{
    fixture_close_source(f);
    rd_kafka_destroy(f->owner);
    buffer_release(&f->log.text);
    buffer_release(&f->log.commit);
    catalog_release(&f->catalog);
}

static inline void fixture_topic(struct fixture *f, const char *name, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(f->cluster, name, partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    if (f->cluster == rd_kafka_handle_mock_cluster(f->owner)) { /* else the producer learns of it a second later */
        const rd_kafka_metadata_t *metadata = NULL;
        rd_kafka_topic_t *topic = rd_kafka_topic_new(f->owner, name, NULL);
        assert_int_equal(rd_kafka_metadata(f->owner, 0, topic, &metadata, 5000), RD_KAFKA_RESP_ERR_NO_ERROR);
        rd_kafka_metadata_destroy(metadata);
        rd_kafka_topic_destroy(topic);
    }
}

static inline void fixture_send(rd_kafka_t *producer, const char *topic, int partition, const char *key,
                                const char *value)
{
    rd_kafka_vu_t what[5];
    memset(what, 0, sizeof what);
    what[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    what[0].u.cstr = topic;
    what[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    what[1].u.i32 = partition;
    what[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    what[2].u.i = RD_KAFKA_MSG_F_COPY;
    what[3].vtype = RD_KAFKA_VTYPE_KEY;
    what[3].u.mem.ptr = (void *)(uintptr_t)key;
    what[3].u.mem.size = key != NULL ? strlen(key) : 0;
    what[4].vtype = RD_KAFKA_VTYPE_VALUE;
    what[4].u.mem.ptr = (void *)(uintptr_t)value;
    what[4].u.mem.size = value != NULL ? strlen(value) : 0;
    rd_kafka_error_t *failed = rd_kafka_produceva(producer, what, 5);
    assert_null(failed);
}

static inline void fixture_flush(struct fixture *f)
{
    assert_int_equal(rd_kafka_flush(f->owner, 5000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

struct change {
    int partition;
    const char *table; /* NULL = t */
    int id;
    char op;       /* 0 = c */
    int xid;       /* of transaction.id, 0 = none */
    int order;     /* in it */
    int txid;      /* of source.txId, 0 = none */
    uint64_t base; /* commit before its transaction, 0 = none */
    uint64_t lsn;  /* 0 = none */
    uint64_t time; /* of its commit, in milliseconds; 0 = its lsn + 1 */
    bool bad;      /* its v is a value of no type */
    int width;     /* of v, at least */
};

/* An envelope in topic p.s.TABLE. */
static inline void fixture_change(struct fixture *f, struct change c)
{
    char value[1400];
    char row[600];
    char key[32];
    char topic[32];
    char transaction[96] = "null";
    char source[200] = "";
    const char *table = c.table != NULL ? c.table : "t";
    snprintf(topic, sizeof topic, "p.s.%s", table);
    snprintf(key, sizeof key, "{\"id\":%d}", c.id);
    snprintf(row, sizeof row, c.bad ? "{\"id\":%d,\"v\":[\"%*s\"]}" : "{\"id\":%d,\"v\":\"%*s\"}", c.id, c.width, "x");
    if (c.xid != 0) {
        snprintf(transaction, sizeof transaction, "{\"id\":\"%d:%" PRIu64 "\",\"total_order\":%d}", c.xid, c.lsn,
                 c.order);
    }
    if (c.lsn != 0) {
        snprintf(source, sizeof source, ",\"ts_ms\":%" PRIu64 ",\"lsn\":%" PRIu64 ",\"txId\":%d",
                 c.time != 0 ? c.time : c.lsn + 1, c.lsn, c.txid);
        if (c.base != 0) {
            size_t at = strlen(source);
            snprintf(source + at, sizeof source - at, ",\"sequence\":\"[\\\"%" PRIu64 "\\\",\\\"%" PRIu64 "\\\"]\"",
                     c.base, c.lsn);
        }
    }
    char op = c.op != 0 ? c.op : 'c';
    snprintf(value, sizeof value,
             "{\"before\":%s,\"after\":%s,\"source\":{\"schema\":\"s\",\"table\":\"%s\"%s},\"op\":\"%c\","
             "\"transaction\":%s}",
             op == 'd' ? row : "null", op == 'd' ? "null" : row, table, source, op, transaction);
    fixture_send(f->owner, topic, c.partition, key, value);
}

static inline void fixture_row(struct fixture *f, int partition, int id)
{
    fixture_change(f, (struct change){.partition = partition, .id = id});
}

/* ---- a transaction topic, for tables s.t and s.u ---- */

static inline void fixture_init_whole(struct fixture *f, const char *ddl)
{
    fixture_init(f, ddl);
    f->transaction_topic = "p.transaction";
    fixture_topic(f, "p.s.t", 2);
    fixture_topic(f, "p.s.u", 1);
    fixture_topic(f, "p.transaction", 1);
}

static inline void fixture_begin(struct fixture *f, int xid, uint64_t lsn)
{
    char value[200];
    snprintf(value, sizeof value,
             "{\"status\":\"BEGIN\",\"id\":\"%d:%" PRIu64
             "\",\"event_count\":null,\"data_collections\":null,\"ts_ms\":%" PRIu64 "}",
             xid, lsn, lsn);
    fixture_send(f->owner, "p.transaction", 0, "{}", value);
}

static inline void fixture_end_at(struct fixture *f, int xid, uint64_t lsn, uint64_t time, int rows_t, int rows_u)
{
    char value[400];
    snprintf(value, sizeof value,
             "{\"status\":\"END\",\"id\":\"%d:%" PRIu64
             "\",\"event_count\":9,\"data_collections\":[{\"data_collection\":\"s.t\",\"event_count\":%d},"
             "{\"data_collection\":\"s.other\",\"event_count\":9},{\"event_count\":%d,\"data_collection\":\"s.u\"}],"
             "\"ts_ms\":%" PRIu64 "}",
             xid, lsn, rows_t, rows_u, time);
    fixture_send(f->owner, "p.transaction", 0, "{}", value);
    fixture_flush(f);
}

/* A row's time is its lsn, too: never later than its commit's. */
static inline void fixture_end(struct fixture *f, int xid, uint64_t lsn, int rows_t, int rows_u)
{
    fixture_end_at(f, xid, lsn, lsn, rows_t, rows_u);
}

/* ---- the source ---- */

static inline enum status fixture_open_source(struct fixture *f, bool once, struct error *err)
{
    struct source_options options = {.url = f->url,
                                     .catalog = &f->catalog,
                                     .output = {.ctx = &f->log, .append = fixture_append, .abandon = fixture_abandon},
                                     .position = fixture_known,
                                     .position_ctx = &f->log,
                                     .table_id_next = 1,
                                     .once = once,
                                     .kafka = f->properties,
                                     .kafka_count = f->property_count,
                                     .topic_prefix = f->topic_prefix,
                                     .transaction_topic = f->transaction_topic,
                                     .transaction_timeout_us = f->transaction_timeout_us};
    fixture_close_source(f);
    assert_true(source_kafka_methods.matches(f->url));
    return source_kafka_methods.open(&f->source, &options, err);
}

static inline void fixture_open(struct fixture *f, bool once)
{
    struct error err;
    if (fixture_open_source(f, once, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
}

static inline void fixture_open_fails(struct fixture *f, enum status want, const char *text)
{
    struct error err = {0};
    enum status st = fixture_open_source(f, false, &err);
    if (st != want || strstr(err.text, text) == NULL) {
        fail_msg("status %s, \"%s\"", status_name(st), err.text);
    }
}

/* One turn as the spine makes it: polls, waits for the descriptor where there is nothing more. */
static inline enum status fixture_turn(struct fixture *f, struct error *err)
{
    bool more = false;
    enum status st = source_kafka_methods.poll(f->source, 4 << 20, &more, err);
    if (st == STATUS_OK) {
        (void)source_kafka_methods.acknowledge(f->source, f->log.commits, err);
        struct pollfd fd = {.fd = source_kafka_methods.fd(f->source), .events = POLLIN};
        (void)poll(&fd, 1, more ? 0 : 50);
    }
    return st;
}

static inline void fixture_until_rows(struct fixture *f, uint64_t rows)
{
    struct error err = {0};
    int64_t deadline = clock_mono_us() + WAIT_US;
    while (f->log.rows < rows) {
        if (fixture_turn(f, &err) != STATUS_OK || clock_mono_us() > deadline) {
            buffer_append_byte(&f->log.text, '\0');
            fail_msg("%" PRIu64 " of %" PRIu64 " rows; %s; %s", f->log.rows, rows, err.text,
                     (const char *)f->log.text.data);
        }
    }
    assert_int_equal(f->log.rows, rows);
}

static inline void fixture_turns_for(struct fixture *f, int64_t us)
{
    struct error err = {0};
    for (int64_t end = clock_mono_us() + us; clock_mono_us() < end;) {
        if (fixture_turn(f, &err) != STATUS_OK) {
            fail_msg("%s", err.text);
        }
    }
}

/* `once`: until it ends. */
static inline void fixture_until_end(struct fixture *f)
{
    struct error err = {0};
    int64_t deadline = clock_mono_us() + WAIT_US;
    enum status st;
    while ((st = fixture_turn(f, &err)) == STATUS_OK && clock_mono_us() < deadline) {
    }
    if (st != STATUS_END) {
        fail_msg("did not end: %s %s", status_name(st), err.text);
    }
}

static inline void fixture_until_ends_with(struct fixture *f, enum status want, const char *text)
{
    struct error err = {0};
    int64_t deadline = clock_mono_us() + WAIT_US;
    enum status st;
    while ((st = fixture_turn(f, &err)) == STATUS_OK && clock_mono_us() < deadline) {
    }
    if (st != want || strstr(err.text, text) == NULL) {
        fail_msg("status %s, \"%s\"", status_name(st), err.text);
    }
}

static inline void fixture_until_fails(struct fixture *f, const char *text)
{
    fixture_until_ends_with(f, STATUS_MISMATCH, text);
}

static inline void fixture_expect(struct fixture *f, const char *want)
{
    buffer_append_byte(&f->log.text, '\0');
    assert_string_equal((const char *)f->log.text.data, want);
    buffer_reset(&f->log.text);
}

static inline void fixture_expect_position(struct fixture *f, const char *name, uint64_t want)
{
    const struct position *p = fixture_position(&f->log, name, strlen(name));
    assert_int_equal(p != NULL ? p->value : UINT64_MAX, want);
}

#endif
