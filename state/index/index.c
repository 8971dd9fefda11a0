/* Opening and closing, maps, and single lookups and changes. */
#include "state/index/inner.h"

#include "base/file.h"
#include "base/memory.h"
#include "state/index/key.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { MAP_NAME_BYTES_MAX = 255, OPEN_TRIES_MAX = 20 };

static const uint64_t cache_bytes_default = (uint64_t)256 << 20;

/* ---- failures ---- */

enum status index_poison(struct index *ix, const struct error *err)
{
    if ((atomic_load(&ix->attention) & ATTENTION_FAILED) == 0) {
        ix->failure = *err;
        atomic_fetch_or(&ix->attention, ATTENTION_FAILED);
    }
    return err->status;
}

enum status index_note(struct index *ix, enum status st, const struct error *err)
{
    if (st == STATUS_IO || st == STATUS_CORRUPT) {
        index_poison(ix, err);
    }
    return st;
}

void index_raise(struct index *ix)
{
    atomic_fetch_or(&ix->attention, ATTENTION_CHECK);
}

enum status index_check(struct index *ix, struct error *err)
{
    unsigned attention = atomic_load(&ix->attention);
    if ((attention & ATTENTION_CHECK) != 0) {
        atomic_fetch_and(&ix->attention, ~(unsigned)ATTENTION_CHECK);
        struct error found;
        if (ix->options.check != NULL && ix->options.check(ix->options.ctx, &found) != STATUS_OK) {
            index_poison(ix, &found);
        }
        attention = atomic_load(&ix->attention);
    }
    if ((attention & ATTENTION_FAILED) != 0) {
        *err = ix->failure;
        return err->status;
    }
    return STATUS_OK;
}

enum status index_attend(struct index *ix, struct error *err)
{
    TRY(index_check(ix, err));
    return ix->checkpoint.has_thread ? checkpoint_absorb(ix, err) : STATUS_OK;
}

/* After a change: handed-out values may die now. */
static inline enum status attend_if_raised(struct index *ix, struct error *err)
{
    if (atomic_load_explicit(&ix->attention, memory_order_relaxed) == 0) {
        return STATUS_OK;
    }
    return index_attend(ix, err);
}

/* ---- maps ---- */

/* Index of the first map whose name is not below `name`. */
static size_t map_rank(const struct index *ix, const char *name)
{
    size_t low = 0;
    size_t high = ix->map_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(ix->maps[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct store_map *index_map_add(struct index *ix, const char *name)
{
    size_t idx = map_rank(ix, name);
    if (idx < ix->map_count && strcmp(ix->maps[idx]->name, name) == 0) {
        return ix->maps[idx];
    }
    struct store_map *m = mem_zalloc(sizeof *m);
    m->index = ix;
    m->name = mem_strdup(name);
    m->greatest.none = true;
    m->active.pool = &ix->pools[ix->active_pool_idx];
    mem_grow(&ix->maps, &ix->map_capacity, ix->map_count + 1, sizeof ix->maps[0]);
    memmove(ix->maps + idx + 1, ix->maps + idx, (ix->map_count - idx) * sizeof ix->maps[0]);
    ix->maps[idx] = m;
    ix->map_count++;
    return m;
}

enum status index_map_open(struct index *ix, const char *name, struct store_map **out, struct error *err)
{
    *out = NULL;
    TRY(index_check(ix, err));
    size_t len = strlen(name);
    if (len == 0 || len > MAP_NAME_BYTES_MAX) {
        return error_set(err, STATUS_INVALID, 0, "could not open map \"%.64s\": its name has %zu bytes, not 1..%d",
                         name, len, MAP_NAME_BYTES_MAX);
    }
    size_t idx = map_rank(ix, name);
    bool there = idx < ix->map_count && strcmp(ix->maps[idx]->name, name) == 0;
    if (ix->options.read_only && (!there || ix->maps[idx]->snapshot_map == ENV_MAP_NONE)) {
        return error_set(err, STATUS_NOT_FOUND, 0, "could not open map %s in %s: there is none", name, ix->path);
    }
    if (!there && ix->map_count >= STORE_MAPS_MAX) {
        return error_set(err, STATUS_INVALID, 0, "could not open map %s in %s: it would be more than %d", name,
                         ix->path, STORE_MAPS_MAX);
    }
    *out = index_map_add(ix, name);
    (*out)->opened = true;
    return STATUS_OK;
}

enum status index_maps(struct index *ix, int (*visit)(void *ctx, const char *name), void *ctx, struct error *err)
{
    TRY(index_check(ix, err));
    /* `visit` may open maps, so walk a copy; maps live as long as the index. */
    size_t count = ix->map_count;
    struct store_map **maps = mem_alloc(count * sizeof maps[0]);
    if (count > 0) {
        memcpy(maps, ix->maps, count * sizeof maps[0]);
    }
    for (size_t i = 0; i < count; i++) {
        if (maps[i]->snapshot_map != ENV_MAP_NONE && visit(ctx, maps[i]->name) != 0) {
            break;
        }
    }
    mem_free(maps);
    return STATUS_OK;
}

const char *index_map_name(const struct store_map *m)
{
    return m->name;
}

enum status index_map_stat(struct store_map *m, uint64_t *entries, uint64_t *bytes, struct error *err)
{
    *entries = 0;
    *bytes = 0;
    TRY(index_check(m->index, err));
    if (m->snapshot_map == ENV_MAP_NONE) {
        return STATUS_OK;
    }
    return index_note(m->index, env_map_stat(m->index->snapshot, m->snapshot_map, entries, bytes, err), err);
}

/* ---- entries ---- */

static enum status view_get(struct store_map *m, struct bytes key, struct bytes *value, struct error *err)
{
    struct key_stored stored;
    key_store(&stored, key);
    struct bytes found;
    enum status st = env_get(m->index->view, m->view_map, stored.bytes, &found, err);
    if (st == STATUS_OK && stored.is_long) {
        struct bytes full = {0};
        st = key_load(stored.bytes, found, &full, value, err);
        if (st == STATUS_OK && !bytes_equal(full, key)) {
            return STATUS_NOT_FOUND;
        }
    } else if (st == STATUS_OK) {
        *value = found;
    }
    return index_note(m->index, st, err);
}

enum status index_get(struct store_map *m, struct bytes key, struct bytes *value, struct error *err)
{
    struct index *ix = m->index;
    if (index_is_poisoned_or_raised(ix)) {
        TRY(index_check(ix, err));
    }
    const struct memtable_entry *e = memtable_find(&m->active, &m->active_finger, key);
    if (e == NULL && !m->active_cleared) {
        e = memtable_find(&m->frozen, &m->frozen_finger, key);
    }
    if (e != NULL) {
        if (memtable_entry_is_tombstone(e)) {
            return STATUS_NOT_FOUND;
        }
        *value = memtable_entry_value(e);
        return STATUS_OK;
    }
    if (index_view_is_hidden(m) || index_key_is_above(m, key)) {
        return STATUS_NOT_FOUND;
    }
    return view_get(m, key, value, err);
}

static enum status change_refuse(const struct store_map *m, struct bytes key, struct bytes value, struct error *err)
{
    if (m->index->options.read_only) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "could not change map %s: %s is open for reading only", m->name,
                         m->index->path);
    }
    return error_set(err, STATUS_INVALID, 0,
                     "could not change map %s: a key of %zu bytes or a value of %zu is too long", m->name, key.len,
                     value.len);
}

static inline bool change_is_refused(const struct store_map *m, struct bytes key, struct bytes value)
{
    return m->index->options.read_only || key.len > STORE_KEY_BYTES_MAX || value.len > STORE_VALUE_BYTES_MAX;
}

enum status index_put(struct store_map *m, struct bytes key, struct bytes value, struct error *err)
{
    if (change_is_refused(m, key, value)) {
        return change_refuse(m, key, value, err);
    }
    if (memtable_put(&m->active, &m->active_finger, key, value)) {
        m->version++;
    }
    return attend_if_raised(m->index, err);
}

enum status index_delete(struct store_map *m, struct bytes key, struct error *err)
{
    if (change_is_refused(m, key, (struct bytes){0})) {
        return change_refuse(m, key, (struct bytes){0}, err);
    }
    if (memtable_delete(&m->active, &m->active_finger, key)) {
        m->version++;
    }
    return attend_if_raised(m->index, err);
}

enum status index_map_clear(struct store_map *m, struct error *err)
{
    if (change_is_refused(m, (struct bytes){0}, (struct bytes){0})) {
        return change_refuse(m, (struct bytes){0}, (struct bytes){0}, err);
    }
    m->active = (struct memtable){.pool = m->active.pool};
    m->active_finger = (struct memtable_finger){0};
    m->active_cleared = true;
    m->version++;
    return attend_if_raised(m->index, err);
}

/* ---- opening and closing ---- */

void index_generations_reset(struct index *ix)
{
    for (size_t i = 0; i < ix->map_count; i++) {
        struct store_map *m = ix->maps[i];
        m->active = (struct memtable){.pool = &ix->pools[ix->active_pool_idx]};
        m->frozen = (struct memtable){0};
        m->active_finger = (struct memtable_finger){0};
        m->frozen_finger = (struct memtable_finger){0};
        m->active_cleared = false;
        m->frozen_cleared = false;
        m->version++;
    }
    memtable_pool_reset(&ix->pools[0], ix->options.cache_bytes / 2);
    memtable_pool_reset(&ix->pools[1], ix->options.cache_bytes / 2);
    ix->frozen_clean = true;
}

bool index_give_back(struct index *ix)
{
    if (!ix->frozen_clean || index_checkpoint_running(ix)) {
        return false;
    }
    index_cursors_detach(ix);
    for (size_t i = 0; i < ix->map_count; i++) {
        ix->maps[i]->frozen = (struct memtable){0};
        ix->maps[i]->frozen_finger = (struct memtable_finger){0};
    }
    memtable_pool_release(&ix->pools[1 - ix->active_pool_idx]);
    memtable_pool_trim(&ix->pools[ix->active_pool_idx]);
    return true;
}

static void map_found(void *ctx, const char *name, unsigned map)
{
    struct index *ix = ctx;
    if (name[0] == '+') {
        struct store_map *m = index_map_add(ix, name + 1);
        m->snapshot_map = map;
        m->view_map = map;
    } else if (strcmp(name, index_meta_name) == 0) {
        ix->meta_map = map;
    }
}

enum status index_view_open(struct index *ix, struct error *err)
{
    for (size_t i = 0; i < ix->map_count; i++) {
        ix->maps[i]->snapshot_map = ENV_MAP_NONE;
        ix->maps[i]->view_map = ENV_MAP_NONE;
        ix->maps[i]->greatest.none = true;
    }
    ix->meta_map = ENV_MAP_NONE;
    TRY(env_maps_open(ix->env, map_found, ix, err));
    TRY(env_snapshot_begin(ix->env, &ix->snapshot, err));
    ix->view = ix->snapshot;
    for (size_t i = 0; i < ix->map_count; i++) {
        TRY(index_greatest_read(&ix->maps[i]->greatest, ix->snapshot, ix->maps[i]->snapshot_map, err));
    }
    TRY(index_meta_read(ix->snapshot, ix->meta_map, &ix->mark, err));
    atomic_store(&ix->checkpoint_seq_next, ix->mark.seq_next);
    return STATUS_OK;
}

static enum status env_open_read(struct index *ix, struct error *err)
{
    /* The folder may be replaced between the two steps. */
    enum status st = STATUS_OK;
    for (int tries = 0; tries < OPEN_TRIES_MAX; tries++) {
        uint64_t again;
        TRY(folder_current(ix->path, &ix->env_idx, err));
        char path[INDEX_PATH_BYTES];
        folder_env_path(ix->path, ix->env_idx, path);
        st = env_open(&ix->env, &(struct env_options){.path = path, .read_only = true}, err);
        if (st != STATUS_NOT_FOUND || folder_current(ix->path, &again, err) != STATUS_OK || again == ix->env_idx) {
            break;
        }
    }
    return st;
}

static enum status env_open_write(struct index *ix, struct error *err)
{
    enum status st = folder_current(ix->path, &ix->env_idx, err);
    bool fresh = st == STATUS_NOT_FOUND;
    if (fresh) {
        ix->env_idx = 1;
        TRY(folder_leftovers_remove(ix->path, 0, err));
    } else {
        TRY(st);
        TRY(folder_leftovers_remove(ix->path, ix->env_idx, err));
    }
    char path[INDEX_PATH_BYTES];
    folder_env_path(ix->path, ix->env_idx, path);
    TRY(folder_make(path, err));
    TRY(env_open(&ix->env, &(struct env_options){.path = path, .map_bytes = ix->options.map_bytes}, err));
    TRY(folder_sync(path, err));
    TRY(folder_sync(ix->path, err));
    return fresh ? folder_current_set(ix->path, ix->env_idx, err) : STATUS_OK;
}

enum status index_open(struct index **out, const struct index_options *options, struct error *err)
{
    *out = NULL;
    if (strlen(options->path) + 32 >= INDEX_PATH_BYTES) {
        return error_set(err, STATUS_INVALID, 0, "could not open store %.100s...: its path is too long", options->path);
    }
    struct index *ix = mem_zalloc(sizeof *ix);
    ix->options = *options;
    if (ix->options.cache_bytes == 0) {
        ix->options.cache_bytes = cache_bytes_default;
    }
    snprintf(ix->path, sizeof ix->path, "%s", options->path);
    ix->options.path = ix->path;
    ix->frozen_clean = true;
    enum status st;
    TRY_GOTO(failed, options->read_only ? env_open_read(ix, err) : env_open_write(ix, err));
    TRY_GOTO(failed, index_view_open(ix, err));
    if (!options->read_only) {
        TRY_GOTO(failed, checkpoint_start(ix, err));
    }
    *out = ix;
    return STATUS_OK;
failed:
    index_close(ix);
    return st;
}

void index_close(struct index *ix)
{
    if (ix == NULL) {
        return;
    }
    struct error unwanted;
    if (ix->checkpoint.has_thread) {
        /* Whoever closes gets no answer; a checkpoint that fails now is missing at the next open, as after a crash. */
        (void)index_checkpoint_wait(ix, &unwanted);
    }
    index_cursors_detach(ix);
    checkpoint_stop(ix);
    while (ix->cursors != NULL) {
        index_cursor_close(ix->cursors);
    }
    env_snapshot_end(ix->snapshot);
    env_close(ix->env);
    for (size_t i = 0; i < ix->map_count; i++) {
        index_greatest_release(&ix->maps[i]->greatest);
        mem_free(ix->maps[i]->name);
        mem_free(ix->maps[i]);
    }
    mem_free(ix->maps);
    memtable_pool_release(&ix->pools[0]);
    memtable_pool_release(&ix->pools[1]);
    mem_free(ix);
}

uint64_t index_checkpoint_seq_next(const struct index *ix)
{
    return atomic_load(&ix->checkpoint_seq_next);
}

struct index_mark index_mark(const struct index *ix)
{
    return ix->mark;
}

uint64_t index_dirty_bytes(const struct index *ix)
{
    return ix->pools[ix->active_pool_idx].bytes;
}

uint64_t index_cache_bytes(const struct index *ix)
{
    return ix->options.cache_bytes;
}

uint64_t index_state_bytes(const struct index *ix)
{
    return ix->env == NULL ? 0 : env_file_bytes(ix->env);
}
