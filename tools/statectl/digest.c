/* digest: one hash per table and view. Equal states have equal digests, whatever batches, crashes and replays lie
 * behind them. */
#include "ctl.h"

#include "base/checksum.h"
#include "flow/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum status digest_map(struct store *store, const char *map_name, uint64_t *entries, uint64_t *digest,
                       struct error *err)
{
    *entries = 0;
    *digest = 0;
    struct store_map *map;
    enum status st = store_map_open(store, map_name, &map, err);
    if (st != STATUS_OK) {
        return st == STATUS_NOT_FOUND ? STATUS_OK : st;
    }
    struct store_cursor *cursor;
    TRY(store_cursor_open(map, &cursor, err));
    st = store_cursor_seek(cursor, bytes_of("", 0), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st == STATUS_OK) {
            *digest = checksum_xxh3_seeded(key.data, key.len, *digest ^ key.len);
            *digest = checksum_xxh3_seeded(value.data, value.len, *digest ^ value.len);
            *entries += 1;
        }
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

struct digesting {
    struct ctl *ctl;
    struct buffer out;
    uint64_t all;
};

static enum status add(struct digesting *d, const char *kind, const char *name, const char *map_name, struct error *err)
{
    uint64_t entries;
    uint64_t digest;
    TRY(digest_map(d->ctl->store, map_name, &entries, &digest, err));
    d->all = checksum_xxh3_seeded(&digest, sizeof digest, d->all ^ checksum_xxh3(name, strlen(name)));
    if (d->ctl->options.json) {
        buffer_printf(&d->out,
                      "{\"kind\":\"%s\",\"name\":\"%s\",\"entries\":%" PRIu64 ",\"digest\":\"%016" PRIx64 "\"}\n", kind,
                      name, entries, digest);
    } else {
        buffer_printf(&d->out, "%016" PRIx64 "  %s %s  entries=%" PRIu64 "\n", digest, kind, name, entries);
    }
    return STATUS_OK;
}

static enum status add_all(struct digesting *d, struct arena *a, struct error *err)
{
    const struct catalog *c = &d->ctl->catalog;
    for (uint32_t i = 0; i < c->table_count; i++) {
        const char *name = arena_printf(a, "%s.%s", c->tables[i]->schema, c->tables[i]->name);
        TRY(add(d, "table", name, table_map_name(a, c->tables[i]), err));
    }
    for (uint32_t i = 0; i < c->view_count; i++) {
        if (c->views[i]->materialized) {
            const char *name = arena_printf(a, "%s.%s", c->views[i]->schema, c->views[i]->name);
            TRY(add(d, "view", name, view_map_name(a, c->views[i]), err));
        }
    }
    return add(d, "map", "quarantine", "quarantine", err);
}

int verb_digest(struct ctl *c)
{
    struct digesting d = {.ctl = c};
    struct arena a = ARENA_EMPTY;
    struct error err;
    enum status st = add_all(&d, &a, &err);
    if (st == STATUS_OK) {
        uint64_t seq_next = store_checkpoint_seq_next(c->store);
        buffer_printf(&d.out,
                      c->options.json ? "{\"kind\":\"all\",\"seq_next\":%" PRIu64 ",\"digest\":\"%016" PRIx64 "\"}\n"
                                      : "seq_next=%" PRIu64 " all=%016" PRIx64 "\n",
                      seq_next, d.all);
        print_flush(&d.out);
    }
    buffer_release(&d.out);
    arena_release(&a);
    return st == STATUS_OK ? 0 : ctl_fail(EXIT_NO_ANSWER, &err);
}
