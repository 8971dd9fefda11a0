/* What the index keeps of itself in LMDB, in a map of its own:
 *   "checkpoint"   0..4 format version   4..8 zero   8..16 seq_next
 *                  16..24 log segment    24..32 log offset   32..40 log seq_next   40..48 XXH3 of the first 40
 * all little-endian. */
#include "state/index/inner.h"

#include "base/checksum.h"

#include <stdio.h>

enum { FORMAT_VERSION = 1, CHECKSUM_AT = 40, RECORD_BYTES = 48 };

const char index_meta_name[] = "meta";
static const char record_key[] = "checkpoint";

void index_map_stored_name(const char *name, char out[static INDEX_MAP_NAME_BYTES])
{
    snprintf(out, INDEX_MAP_NAME_BYTES, "+%s", name);
}

enum status index_meta_write(struct env_txn *txn, unsigned number, const struct index_mark *mark, struct error *err)
{
    uint8_t record[RECORD_BYTES] = {0};
    store_le32(record, FORMAT_VERSION);
    store_le64(record + 8, mark->seq_next);
    store_le64(record + 16, mark->log_segment_idx);
    store_le64(record + 24, mark->log_offset);
    store_le64(record + 32, mark->log_seq_next);
    store_le64(record + CHECKSUM_AT, checksum_xxh3(record, CHECKSUM_AT));
    return env_put(txn, number, bytes_of(record_key, sizeof record_key - 1), bytes_of(record, sizeof record), err);
}

enum status index_meta_read(struct env_txn *txn, unsigned number, struct index_mark *mark, struct error *err)
{
    *mark = (struct index_mark){0};
    if (number == ENV_MAP_NONE) {
        return STATUS_OK;
    }
    struct bytes record = {0};
    enum status st = env_get(txn, number, bytes_of(record_key, sizeof record_key - 1), &record, err);
    if (st == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(st);
    if (record.len >= 4 && load_le32(record.data) != FORMAT_VERSION) {
        return error_set(err, STATUS_MISMATCH, 0, "could not read the state: it has format version %u, this program %d",
                         load_le32(record.data), FORMAT_VERSION);
    }
    if (record.len != RECORD_BYTES || load_le64(record.data + CHECKSUM_AT) != checksum_xxh3(record.data, CHECKSUM_AT)) {
        return error_set(err, STATUS_CORRUPT, 0, "could not read the state: its checkpoint record is damaged");
    }
    mark->seq_next = load_le64(record.data + 8);
    mark->log_segment_idx = load_le64(record.data + 16);
    mark->log_offset = load_le64(record.data + 24);
    mark->log_seq_next = load_le64(record.data + 32);
    return STATUS_OK;
}
