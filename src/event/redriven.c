#include "event/redriven.h"

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { HEAD_BYTES = 24, ENTRY_HEAD_BYTES = 28, SUM_BYTES = 8, VERSION = 1, PATH_BYTES = 600 };

static const char magic[8] = {'L', 'F', 'R', 'E', 'D', 'R', 'I', 'V'};

uint64_t redriven_raw_hash(struct bytes raw)
{
    return checksum_xxh3(raw.data, raw.len);
}

void redriven_release(struct redriven *r)
{
    mem_free(r->entries);
    mem_free(r->file);
    *r = (struct redriven){0};
}

static int compare(const struct redriven_entry *e, uint64_t seq, uint64_t number)
{
    if (e->seq != seq) {
        return e->seq < seq ? -1 : 1;
    }
    return e->number < number ? -1 : e->number > number;
}

const struct redriven_entry *redriven_find(const struct redriven *r, uint64_t seq, uint64_t number)
{
    size_t low = 0;
    size_t high = r == NULL ? 0 : r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&r->entries[middle], seq, number);
        if (order == 0) {
            return &r->entries[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

void redriven_add(struct redriven *r, const struct redriven_entry *entry)
{
    assert(r->count == 0 || compare(&r->entries[r->count - 1], entry->seq, entry->number) < 0);
    mem_grow(&r->entries, &r->capacity, r->count + 1, sizeof *r->entries);
    r->entries[r->count] = *entry;
    r->count += 1;
}

/* ---- the file ---- */

static void append_le32(struct buffer *out, uint32_t value)
{
    store_le32(buffer_reserve(out, 4), value);
    out->len += 4;
}

static void append_le64(struct buffer *out, uint64_t value)
{
    store_le64(buffer_reserve(out, 8), value);
    out->len += 8;
}

void redriven_append(const struct redriven *r, struct buffer *out)
{
    size_t start = out->len;
    buffer_append(out, magic, sizeof magic);
    append_le32(out, VERSION);
    append_le32(out, 0);
    append_le64(out, r->count);
    for (size_t i = 0; i < r->count; i++) {
        const struct redriven_entry *e = &r->entries[i];
        append_le64(out, e->seq);
        append_le64(out, e->number);
        append_le64(out, e->raw_hash);
        append_le32(out, (uint32_t)e->items.len);
        buffer_append(out, e->items.data, e->items.len);
    }
    append_le64(out, checksum_xxh3(out->data + start, out->len - start));
}

static enum status damaged(const char *path, const char *what, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, 0,
                     "could not read %s: %s; bring it back from a copy, or remove it and run procd with "
                     "--replay-from 0: what was redriven is then in quarantine again, and \"statectl quarantine "
                     "redrive\" decodes it anew",
                     path, what);
}

static enum status read_entry(struct bytes file, size_t *at, struct redriven_entry *e, const char *path,
                              struct error *err)
{
    if (file.len - *at < ENTRY_HEAD_BYTES) {
        return damaged(path, "an entry is cut off", err);
    }
    const uint8_t *head = file.data + *at;
    *e = (struct redriven_entry){
        .seq = load_le64(head), .number = load_le64(head + 8), .raw_hash = load_le64(head + 16)};
    uint32_t len = load_le32(head + 24);
    *at += ENTRY_HEAD_BYTES;
    if (file.len - *at < len) {
        return damaged(path, "an entry is cut off", err);
    }
    e->items = bytes_of(file.data + *at, len);
    *at += len;
    return STATUS_OK;
}

enum status redriven_read(struct redriven *out, struct bytes file, const char *path, struct error *err)
{
    if (file.len < HEAD_BYTES + SUM_BYTES || memcmp(file.data, magic, sizeof magic) != 0) {
        return damaged(path, "it does not begin as such a file", err);
    }
    if (load_le32(file.data + 8) != VERSION) {
        return error_set(err, STATUS_MISMATCH, 0, "could not read %s: its format has version %u, this program knows %d",
                         path, load_le32(file.data + 8), VERSION);
    }
    uint64_t sum = load_le64(file.data + file.len - SUM_BYTES);
    file.len -= SUM_BYTES;
    if (sum != checksum_xxh3(file.data, file.len)) {
        return damaged(path, "its checksum does not match", err);
    }
    uint64_t count = load_le64(file.data + 16);
    size_t at = HEAD_BYTES;
    for (uint64_t i = 0; i < count; i++) {
        struct redriven_entry e;
        TRY(read_entry(file, &at, &e, path, err));
        if (out->count > 0 && compare(&out->entries[out->count - 1], e.seq, e.number) >= 0) {
            return damaged(path, "its entries are not in order", err);
        }
        redriven_add(out, &e);
    }
    out->mark = sum != 0 ? sum : 1;
    return at == file.len ? STATUS_OK : damaged(path, "something follows its last entry", err);
}

static enum status make_path(const char *store_path, char path[static PATH_BYTES], struct error *err)
{
    if (snprintf(path, PATH_BYTES, "%s/log/redriven", store_path) >= PATH_BYTES) {
        return error_set(err, STATUS_INVALID, 0, "the path of store %.100s... is too long", store_path);
    }
    return STATUS_OK;
}

enum status redriven_load(struct redriven *out, const char *store_path, struct error *err)
{
    char path[PATH_BYTES];
    size_t len;
    *out = (struct redriven){0};
    TRY(make_path(store_path, path, err));
    if (!file_exists(path)) {
        return STATUS_OK;
    }
    TRY(file_read_all(path, &out->file, &len, err));
    enum status st = redriven_read(out, bytes_of(out->file, len), path, err);
    if (st != STATUS_OK) {
        redriven_release(out);
    }
    return st;
}

enum status redriven_save(const struct redriven *r, const char *store_path, struct error *err)
{
    char path[PATH_BYTES];
    struct buffer content = BUFFER_EMPTY;
    TRY(make_path(store_path, path, err));
    redriven_append(r, &content);
    enum status st = file_replace(path, content.data, content.len, err);
    buffer_release(&content);
    return st;
}
