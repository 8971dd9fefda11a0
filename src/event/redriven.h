/* What has become of QUARANTINE items since they were logged: the file "log/redriven" of a store, a part of its log.
 *
 * The log itself never changes. Where it is folded, an item that this file names is not put into quarantine: the items
 * it was decoded to later are folded in its place. So the state stays a function of the log, this file included, and
 * no replay needs the decoder or the schema files of that day. Written by "statectl quarantine redrive", whole, by
 * file_replace. All little-endian:
 *   0..7   "LFREDRIV"     8..11  version, 1     12..15  zero     16..23  entries
 *   24..   the entries, by seq and number, none twice:
 *            0..7   seq of the commit    8..15  number of the item in it, from 0
 *            16..23 XXH3 of the item's raw bytes    24..27  bytes of items that follow    28..  items (event.h)
 *   end-8..end  XXH3 of everything before
 * The items of an entry are SCHEMA items and at most one change. Table ids that an entry's SCHEMA item gives out are
 * from REDRIVEN_TABLE_ID_FIRST on, so that they are none of the log's. */
#ifndef EVENT_REDRIVEN_H
#define EVENT_REDRIVEN_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REDRIVEN_TABLE_ID_FIRST = 1 << 30, REDRIVEN_TABLE_IDS_MAX = 1000000 };

struct redriven_entry {
    uint64_t seq;
    uint64_t number;
    uint64_t raw_hash;
    struct bytes items; /* none: the record is to be ignored */
};

/* Zero-initialised is valid and empty. Entries borrow `file`, or whoever added them. */
struct redriven {
    struct redriven_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t mark; /* of the file's content, never 0; 0 = there is no file */
    char *file;
};

/* Reads the file of the store; none is fine. STATUS_CORRUPT says what to do. */
enum status redriven_load(struct redriven *out, const char *store_path, struct error *err);
void redriven_release(struct redriven *r);
/* NULL where there is none. */
const struct redriven_entry *redriven_find(const struct redriven *r, uint64_t seq, uint64_t number);
/* Entries must be added in order. */
void redriven_add(struct redriven *r, const struct redriven_entry *entry);
/* The file's content. */
void redriven_append(const struct redriven *r, struct buffer *out);
enum status redriven_save(const struct redriven *r, const char *store_path, struct error *err);
/* What a QUARANTINE item is known by. */
uint64_t redriven_raw_hash(struct bytes raw);
/* Inside of redriven_load, and for tests. `file` is borrowed; `path` for messages. */
enum status redriven_read(struct redriven *out, struct bytes file, const char *path, struct error *err);

static inline bool redriven_owns_table_id(uint32_t table_id)
{
    return table_id >= REDRIVEN_TABLE_ID_FIRST;
}

#endif
