/* Decodes the messages of PostgreSQL's output plugin "pgoutput" (protocol 1 and 2 without streaming) from bytes.
 *
 * Source of the format: doc/src/sgml/protocol.sgml, "Logical Replication Message Formats". Pure: no connection, no
 * memory but the decoder's own. Every length is checked against the bytes given; what is handed out borrows them. */
#ifndef INGEST_PGOUTPUT_H
#define INGEST_PGOUTPUT_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { PGOUTPUT_COLUMNS_MAX = 1664 }; /* PostgreSQL's MaxTupleAttributeNumber */

enum pgoutput_kind {
    PGOUTPUT_BEGIN = 'B',
    PGOUTPUT_COMMIT = 'C',
    PGOUTPUT_ORIGIN = 'O',
    PGOUTPUT_RELATION = 'R',
    PGOUTPUT_TYPE = 'Y',
    PGOUTPUT_INSERT = 'I',
    PGOUTPUT_UPDATE = 'U',
    PGOUTPUT_DELETE = 'D',
    PGOUTPUT_TRUNCATE = 'T',
    PGOUTPUT_MESSAGE = 'M'
};

enum pgoutput_value_kind {
    PGOUTPUT_NULL = 'n',
    PGOUTPUT_UNCHANGED = 'u', /* a TOAST value that the update did not touch: not sent */
    PGOUTPUT_TEXT = 't',
    PGOUTPUT_BINARY = 'b'
};

struct pgoutput_value {
    const uint8_t *data;
    uint32_t len;
    uint8_t kind; /* enum pgoutput_value_kind */
};

struct pgoutput_tuple {
    uint8_t tag; /* 'N' new, 'O' whole old row, 'K' old key (other columns are 'n' and mean: not sent), 0 = no tuple */
    uint32_t count;
    struct pgoutput_value *values;
};

struct pgoutput_column {
    bool identity; /* part of the replica identity (with REPLICA IDENTITY FULL: every column) */
    const char *name;
    uint32_t type_oid;
    int32_t typmod;
};

/* One message. Only the members that the kind has are set. Times are microseconds since 2000-01-01 UTC. */
struct pgoutput_message {
    enum pgoutput_kind kind;
    uint64_t lsn;      /* BEGIN: LSN of the commit record; COMMIT: the same; ORIGIN, MESSAGE: theirs */
    uint64_t end_lsn;  /* COMMIT: where to resume */
    int64_t time_us;   /* BEGIN, COMMIT */
    uint32_t xid;      /* BEGIN */
    uint32_t oid;      /* RELATION, INSERT, UPDATE, DELETE: the relation; TYPE: the type */
    const char *space; /* RELATION, TYPE: schema name, "" = pg_catalog */
    const char *name;  /* RELATION, TYPE, ORIGIN; MESSAGE: prefix */
    uint8_t identity;  /* RELATION: 'd', 'n', 'f', 'i' */
    uint32_t column_count;
    const struct pgoutput_column *columns; /* RELATION */
    struct pgoutput_tuple old_row;         /* UPDATE, DELETE */
    struct pgoutput_tuple new_row;         /* INSERT, UPDATE */
    uint32_t relation_count;               /* TRUNCATE */
    const uint8_t *relations;              /* TRUNCATE: big-endian oids, pgoutput_relation() reads them */
    uint8_t flags;                         /* TRUNCATE: 1 CASCADE, 2 RESTART IDENTITY; MESSAGE: 1 transactional */
    struct bytes content;                  /* MESSAGE */
};

/* Room for one message's values; big, so it lives on the heap. */
struct pgoutput_decoder {
    struct pgoutput_value old_values[PGOUTPUT_COLUMNS_MAX];
    struct pgoutput_value new_values[PGOUTPUT_COLUMNS_MAX];
    struct pgoutput_column columns[PGOUTPUT_COLUMNS_MAX];
};

/* Decodes one whole message. `out` borrows `message` and `d` until the next call. STATUS_INVALID where the bytes end
 * too early, go on too long or contradict themselves; STATUS_UNSUPPORTED for a message kind that was not asked for. */
enum status pgoutput_decode(struct pgoutput_decoder *d, struct bytes message, struct pgoutput_message *out,
                            struct error *err);

static inline uint32_t pgoutput_relation(const struct pgoutput_message *m, uint32_t idx)
{
    return load_be32(m->relations + (size_t)idx * 4);
}

#endif
