/* Map "pending": key 00 = the state below; key 01, generation (be64), view (be32), row image = weight (zigzag varint).
 * Value of key 00: base le64, generation le64, in flight u8, target le64. */
#include "pipeline/pending.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

struct pending {
    struct store_map *map;
    uint32_t view_count;
    uint64_t base;
    uint64_t generation; /* gathering; the one in flight is generation - 1 */
    bool in_flight;
    uint64_t target; /* seq that the one in flight leads to */
    uint64_t rows;
    struct buffer key;
};

enum { ENTRY_HEAD_BYTES = 1 + 8 + 4, STATE_BYTES = 8 + 8 + 1 + 8 };

static const uint8_t state_key[1] = {0};

static enum status state_save(struct pending *p, struct error *err)
{
    uint8_t value[STATE_BYTES];
    store_le64(value, p->base);
    store_le64(value + 8, p->generation);
    value[16] = p->in_flight;
    store_le64(value + 17, p->target);
    return store_put(p->map, bytes_of(state_key, 1), bytes_of(value, sizeof value), err);
}

static void key_head(struct pending *p, uint64_t generation, uint32_t view_idx)
{
    buffer_reset(&p->key);
    uint8_t *to = buffer_reserve(&p->key, ENTRY_HEAD_BYTES);
    to[0] = 1;
    store_be64(to + 1, generation);
    store_be32(to + 9, view_idx);
    p->key.len = ENTRY_HEAD_BYTES;
}

/* Calls `visit` for each entry of a generation in key order; `visit` must not change the map. */
static enum status scan(struct pending *p, uint64_t generation,
                        void (*visit)(void *ctx, uint32_t view_idx, struct bytes row, int64_t weight), void *ctx,
                        struct error *err)
{
    struct store_cursor *cursor;
    TRY(store_cursor_open(p->map, &cursor, err));
    key_head(p, generation, 0);
    enum status st = store_cursor_seek(cursor, buffer_bytes(&p->key), err);
    while (st == STATUS_OK) {
        struct bytes key;
        struct bytes value;
        st = store_cursor_next(cursor, &key, &value, err);
        if (st != STATUS_OK || key.len < ENTRY_HEAD_BYTES || load_be64(key.data + 1) != generation) {
            break;
        }
        uint64_t weight = 0;
        if (varint_decode(value, &weight) == 0) {
            st = error_set(err, STATUS_CORRUPT, 0, "map \"pending\" holds a broken weight");
            break;
        }
        visit(ctx, load_be32(key.data + 9), bytes_of(key.data + ENTRY_HEAD_BYTES, key.len - ENTRY_HEAD_BYTES),
              zigzag_decode(weight));
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

static void count_row(void *ctx, uint32_t view_idx, struct bytes row, int64_t weight)
{
    (void)view_idx;
    (void)row;
    (void)weight;
    *(uint64_t *)ctx += 1;
}

enum status pending_open(struct pending **out, struct store *store, uint32_t view_count, struct error *err)
{
    struct pending *p = mem_zalloc(sizeof *p);
    p->view_count = view_count;
    p->base = PENDING_BASE_UNKNOWN;
    p->generation = 1;
    *out = p;
    TRY(store_map_open(store, "pending", &p->map, err));
    struct bytes value;
    enum status st = store_get(p->map, bytes_of(state_key, 1), &value, err);
    if (st == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (st == STATUS_OK && value.len == STATE_BYTES) {
        p->base = load_le64(value.data);
        p->generation = load_le64(value.data + 8);
        p->in_flight = value.data[16] != 0;
        p->target = load_le64(value.data + 17);
        st = scan(p, p->generation, count_row, &p->rows, err);
    }
    return st;
}

void pending_close(struct pending *p)
{
    if (p != NULL) {
        buffer_release(&p->key);
        mem_free(p);
    }
}

uint64_t pending_base(const struct pending *p)
{
    return p->base;
}

bool pending_is_empty(const struct pending *p)
{
    return p->rows == 0;
}

uint64_t pending_rows(const struct pending *p)
{
    return p->rows;
}

enum status pending_add(struct pending *p, uint32_t view_idx, struct bytes row, int64_t weight, struct error *err)
{
    assert(view_idx < p->view_count);
    key_head(p, p->generation, view_idx);
    buffer_append(&p->key, row.data, row.len);
    struct bytes old;
    int64_t sum = weight;
    enum status st = store_get(p->map, buffer_bytes(&p->key), &old, err);
    if (st == STATUS_OK) {
        uint64_t coded = 0;
        if (varint_decode(old, &coded) == 0) {
            return error_set(err, STATUS_CORRUPT, 0, "map \"pending\" holds a broken weight");
        }
        sum += zigzag_decode(coded);
        if (sum == 0) {
            p->rows -= 1;
            return store_delete(p->map, buffer_bytes(&p->key), err);
        }
    } else if (st == STATUS_NOT_FOUND) {
        p->rows += 1;
    } else {
        return st;
    }
    uint8_t value[VARINT_BYTES_MAX];
    size_t len = varint_encode(value, zigzag_encode(sum));
    return store_put(p->map, buffer_bytes(&p->key), bytes_of(value, len), err);
}

/* Rows as they come out of a scan, grouped by view since that is their order. */
struct taking {
    struct arena *arena;
    struct sink_change *changes;
    size_t count;
    size_t capacity;
    uint64_t *per_view;
};

static void take_row(void *ctx, uint32_t view_idx, struct bytes row, int64_t weight)
{
    struct taking *t = ctx;
    mem_grow(&t->changes, &t->capacity, t->count + 1, sizeof *t->changes);
    t->changes[t->count].row = bytes_of(arena_dup(t->arena, row.data, row.len), row.len);
    t->changes[t->count].weight = weight;
    t->count += 1;
    t->per_view[view_idx] += 1;
}

enum status pending_take(struct pending *p, uint64_t seq_next, struct arena *a, struct sink_view_changes *views,
                         struct error *err)
{
    assert(!p->in_flight);
    struct taking t = {.arena = a, .per_view = arena_zalloc(a, (p->view_count + 1) * sizeof(uint64_t))};
    enum status st = scan(p, p->generation, take_row, &t, err);
    if (st == STATUS_OK) {
        struct sink_change *all = arena_dup(a, t.changes, t.count * sizeof *t.changes);
        for (uint32_t v = 0; v < p->view_count; v++) {
            views[v] = (struct sink_view_changes){.changes = all, .change_count = t.per_view[v]};
            all += t.per_view[v];
        }
        p->generation += 1;
        p->in_flight = true;
        p->target = seq_next;
        p->rows = 0;
        st = state_save(p, err);
    }
    mem_free(t.changes);
    return st;
}

/* Deletes a generation's entries; with `merge` its weights go into the gathering generation first. Entries are gathered
 * before the map is changed. */
static enum status drop_generation(struct pending *p, uint64_t generation, bool merge, struct error *err)
{
    struct arena arena = ARENA_EMPTY;
    struct taking t = {.arena = &arena, .per_view = arena_zalloc(&arena, (p->view_count + 1) * sizeof(uint64_t))};
    enum status st = scan(p, generation, take_row, &t, err);
    uint32_t view_idx = 0;
    uint64_t in_view = 0;
    for (size_t i = 0; i < t.count && st == STATUS_OK; i++, in_view++) {
        while (in_view == t.per_view[view_idx]) {
            view_idx += 1;
            in_view = 0;
        }
        key_head(p, generation, view_idx);
        buffer_append(&p->key, t.changes[i].row.data, t.changes[i].row.len);
        st = store_delete(p->map, buffer_bytes(&p->key), err);
        if (merge && st == STATUS_OK) {
            st = pending_add(p, view_idx, t.changes[i].row, t.changes[i].weight, err);
        }
    }
    mem_free(t.changes);
    arena_release(&arena);
    return st;
}

enum status pending_done(struct pending *p, struct error *err)
{
    assert(p->in_flight);
    TRY(drop_generation(p, p->generation - 1, false, err));
    p->in_flight = false;
    p->base = p->target;
    return state_save(p, err);
}

enum status pending_reset(struct pending *p, uint64_t base, struct error *err)
{
    TRY(store_map_clear(p->map, err));
    p->base = base;
    p->in_flight = false;
    p->rows = 0;
    return state_save(p, err);
}

enum status pending_resolve(struct pending *p, uint64_t seq_next, bool *known, struct error *err)
{
    *known = true;
    if (p->base == PENDING_BASE_UNKNOWN) {
        *known = false;
        return STATUS_OK;
    }
    if (p->in_flight && seq_next == p->target) {
        return pending_done(p, err);
    }
    if (seq_next != p->base) {
        *known = false;
        return STATUS_OK;
    }
    if (p->in_flight) {
        TRY(drop_generation(p, p->generation - 1, true, err));
        p->in_flight = false;
        return state_save(p, err);
    }
    return STATUS_OK;
}
