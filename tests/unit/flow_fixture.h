/* A flow over a real store in a folder of its own, fed by commits that go through the log; and a mirror of what the
 * flow reports, which must at any time be what the views hold. */
#ifndef TESTS_FLOW_FIXTURE_H
#define TESTS_FLOW_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "event/event.h"
#include "flow/flow.h"
#include "flow/view.h"
#include "sql/sql.h"
#include "state/store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- multisets of byte strings, ordered ---- */

struct bag_item {
    uint8_t *data;
    size_t len;
    int64_t weight;
};

struct multiset {
    struct bag_item *items;
    size_t count;
    size_t capacity;
};

static inline size_t multiset_place(const struct multiset *m, struct bytes key, bool *found)
{
    size_t low = 0;
    size_t high = m->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bytes_compare(bytes_of(m->items[mid].data, m->items[mid].len), key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *found = low < m->count && bytes_equal(bytes_of(m->items[low].data, m->items[low].len), key);
    return low;
}

static inline void multiset_add(struct multiset *m, struct bytes key, int64_t weight)
{
    bool found;
    size_t at = multiset_place(m, key, &found);
    if (found) {
        m->items[at].weight += weight;
        if (m->items[at].weight == 0) {
            mem_free(m->items[at].data);
            memmove(m->items + at, m->items + at + 1, (m->count - at - 1) * sizeof *m->items);
            m->count -= 1;
        }
        return;
    }
    mem_grow(&m->items, &m->capacity, m->count + 1, sizeof *m->items);
    memmove(m->items + at + 1, m->items + at, (m->count - at) * sizeof *m->items);
    m->items[at] = (struct bag_item){.data = mem_alloc(key.len), .len = key.len, .weight = weight};
    if (key.len > 0) {
        memcpy(m->items[at].data, key.data, key.len);
    }
    m->count += 1;
}

static inline void multiset_release(struct multiset *m)
{
    for (size_t i = 0; i < m->count; i++) {
        mem_free(m->items[i].data);
    }
    mem_free(m->items);
    *m = (struct multiset){0};
}

static inline void multiset_copy(struct multiset *to, const struct multiset *from)
{
    multiset_release(to);
    for (size_t i = 0; i < from->count; i++) {
        multiset_add(to, bytes_of(from->items[i].data, from->items[i].len), from->items[i].weight);
    }
}

/* True if equal; prints the first difference. */
static inline bool multiset_same(const struct multiset *a, const struct multiset *b, const char *what)
{
    for (size_t i = 0; i < a->count || i < b->count; i++) {
        const struct bag_item *x = i < a->count ? &a->items[i] : NULL;
        const struct bag_item *y = i < b->count ? &b->items[i] : NULL;
        if (x == NULL || y == NULL || !bytes_equal(bytes_of(x->data, x->len), bytes_of(y->data, y->len)) ||
            x->weight != y->weight) {
            print_error("%s differs: has [%.*s] x %lld, wants [%.*s] x %lld\n", what, x == NULL ? 0 : (int)x->len,
                        x == NULL ? "" : (const char *)x->data, x == NULL ? 0LL : (long long)x->weight,
                        y == NULL ? 0 : (int)y->len, y == NULL ? "" : (const char *)y->data,
                        y == NULL ? 0LL : (long long)y->weight);
            return false;
        }
    }
    return true;
}

/* ---- the world ---- */

enum { VIEWS_MAX = 32 };

struct world {
    char path[64];
    struct catalog catalog;
    struct store *store;
    struct store_reader *reader;
    struct flow *flow;
    const struct catalog_view *views[VIEWS_MAX];
    uint32_t view_count;
    struct multiset mirror[VIEWS_MAX]; /* images reported so far */
    struct multiset saved[VIEWS_MAX];  /* as of the checkpoint */
    bool in_error[VIEWS_MAX];
    bool saved_error[VIEWS_MAX];
    char error_text[1024]; /* the newest reported */
    char error_texts[VIEWS_MAX][1024];
    char saved_texts[VIEWS_MAX][1024];
    struct buffer chunk;             /* being written */
    uint64_t seq_next;               /* folded */
    const struct redriven *redriven; /* NULL = none */
};

static inline void ok(enum status st, const struct error *err)
{
    if (st != STATUS_OK) {
        fail_msg("%s: %s", status_name(st), err->text);
    }
}

static inline int entry_remove(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline enum status world_change(void *ctx, uint32_t view_idx, struct bytes row, int64_t weight,
                                       struct error *err)
{
    struct world *w = ctx;
    (void)err;
    assert_true(view_idx < w->view_count);
    assert_true(weight != 0);
    multiset_add(&w->mirror[view_idx], row, weight);
    return STATUS_OK;
}

static inline enum status world_error(void *ctx, uint32_t view_idx, const char *text, struct error *err)
{
    struct world *w = ctx;
    (void)err;
    assert_true(view_idx < w->view_count);
    char *told = w->error_texts[view_idx];
    if (text == NULL) {
        assert_true(w->in_error[view_idx]); /* it leaves */
    } else {
        assert_true(!w->in_error[view_idx] || strcmp(told, text) != 0); /* it enters, or names another row */
        snprintf(told, sizeof w->error_texts[view_idx], "%s", text);
        snprintf(w->error_text, sizeof w->error_text, "%s", text);
    }
    w->in_error[view_idx] = text != NULL;
    return STATUS_OK;
}

static inline void world_open_store(struct world *w)
{
    struct error err;
    ok(store_open(&w->store, &(struct store_options){.path = w->path}, &err), &err);
    w->seq_next = store_checkpoint_seq_next(w->store);
    ok(store_reader_open(w->store, w->seq_next, &w->reader, &err), &err);
    ok(flow_open(&w->flow,
                 &(struct flow_options){.catalog = &w->catalog,
                                        .store = w->store,
                                        .on_change = world_change,
                                        .on_view_error = world_error,
                                        .ctx = w,
                                        .redriven = w->redriven},
                 &err),
       &err);
}

static inline void world_open_redriven(struct world *w, const char *schema, const struct redriven *redriven)
{
    struct error err;
    *w = (struct world){.redriven = redriven};
    snprintf(w->path, sizeof w->path, "/tmp/flow_test_XXXXXX");
    assert_non_null(mkdtemp(w->path));
    ok(sql_load_text(&w->catalog, "test.sql", schema, &err), &err);
    for (uint32_t i = 0; i < w->catalog.view_count; i++) {
        if (w->catalog.views[i]->materialized) {
            assert_true(w->view_count < VIEWS_MAX);
            w->views[w->view_count++] = w->catalog.views[i];
        }
    }
    world_open_store(w);
}

static inline void world_open(struct world *w, const char *schema)
{
    world_open_redriven(w, schema, NULL);
}

static inline void world_close_store(struct world *w)
{
    flow_close(w->flow);
    store_reader_close(w->reader);
    store_close(w->store);
}

static inline void world_close(struct world *w)
{
    world_close_store(w);
    for (uint32_t i = 0; i < VIEWS_MAX; i++) {
        multiset_release(&w->mirror[i]);
        multiset_release(&w->saved[i]);
    }
    buffer_release(&w->chunk);
    catalog_release(&w->catalog);
    nftw(w->path, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Ends the chunk that was written into w->chunk. */
static inline void world_append(struct world *w, bool last)
{
    struct error err;
    uint64_t seq;
    ok(store_append(w->store, buffer_bytes(&w->chunk), last, &seq, &err), &err);
    buffer_reset(&w->chunk);
}

static inline enum status world_try_run(struct world *w, struct error *err)
{
    enum status st = flow_run(w->flow, err);
    store_reader_recycle(w->reader);
    return st;
}

static inline void world_run(struct world *w)
{
    struct error err;
    ok(world_try_run(w, &err), &err);
    assert_int_equal(flow_changes(w->flow), 0);
}

/* Folds the next chunk; false where there is none. `*last`: it ended its commit. */
static inline bool world_fold_one(struct world *w, bool *last)
{
    struct error err;
    struct store_chunk chunk;
    enum status st = store_reader_next(w->reader, &chunk, &err);
    if (st == STATUS_END) {
        return false;
    }
    ok(st, &err);
    ok(flow_fold(w->flow, &chunk, &err), &err);
    *last = chunk.last;
    w->seq_next = chunk.last ? chunk.seq + 1 : w->seq_next;
    return true;
}

static inline void world_push(struct world *w)
{
    struct error err;
    ok(flow_push(w->flow, &err), &err);
    store_reader_recycle(w->reader);
    assert_int_equal(flow_changes(w->flow), 0);
}

/* Folds everything that is in the log, `chunks_a_run` at a time (0 = all at once); groups hold back for up to three
 * runs. */
static inline void world_fold(struct world *w, uint64_t chunks_a_run)
{
    bool last;
    for (uint64_t n = 1; world_fold_one(w, &last); n++) {
        if (chunks_a_run > 0 && n % (4 * chunks_a_run) == 0) {
            world_run(w);
        } else if (chunks_a_run > 0 && n % chunks_a_run == 0) {
            world_push(w);
        }
    }
    world_run(w);
}

static inline void world_checkpoint(struct world *w)
{
    struct error err;
    ok(store_checkpoint_begin(w->store, w->seq_next, &err), &err);
    ok(store_checkpoint_wait(w->store, &err), &err);
    for (uint32_t i = 0; i < w->view_count; i++) {
        multiset_copy(&w->saved[i], &w->mirror[i]);
        w->saved_error[i] = w->in_error[i];
        memcpy(w->saved_texts[i], w->error_texts[i], sizeof w->saved_texts[i]);
    }
}

/* As after a crash: the state is as of the checkpoint, and so is what the sink has. The log is on disk. */
static inline void world_reopen(struct world *w)
{
    struct error err;
    ok(store_wait_durable(w->store, store_seq_next(w->store), &err), &err);
    world_close_store(w);
    for (uint32_t i = 0; i < w->view_count; i++) {
        multiset_copy(&w->mirror[i], &w->saved[i]);
        w->in_error[i] = w->saved_error[i];
        memcpy(w->error_texts[i], w->saved_texts[i], sizeof w->error_texts[i]);
    }
    world_open_store(w);
}

/* ---- looking at views ---- */

static inline uint32_t world_view(const struct world *w, const char *name)
{
    for (uint32_t i = 0; i < w->view_count; i++) {
        if (strcmp(w->views[i]->name, name) == 0) {
            return i;
        }
    }
    fail_msg("no view %s", name);
    return 0;
}

/* The images that the view's map holds. */
static inline void world_images(struct world *w, uint32_t view, struct multiset *out)
{
    struct error err;
    struct arena a = ARENA_EMPTY;
    struct store_map *map;
    struct store_cursor *c;
    struct bytes key;
    struct bytes value;
    struct bytes image;
    uint64_t count;
    multiset_release(out);
    ok(store_map_open(w->store, view_map_name(&a, w->views[view]), &map, &err), &err);
    ok(store_cursor_open(map, &c, &err), &err);
    ok(store_cursor_seek(c, bytes_of("", 0), &err), &err);
    enum status st;
    while ((st = store_cursor_next(c, &key, &value, &err)) == STATUS_OK) {
        ok(view_entry_read(w->views[view], key, value, &image, &count, &err), &err);
        assert_true(count > 0);
        multiset_add(out, image, (int64_t)count);
    }
    assert_int_equal(st, STATUS_END);
    store_cursor_close(c);
    arena_release(&a);
}

static inline void line_append(struct buffer *out, const struct type *type, const struct datum *d)
{
    if (out->len > 0) {
        buffer_append_byte(out, '|');
    }
    if (d->null) {
        buffer_append_byte(out, '~');
    } else {
        datum_print(type, d, out);
    }
}

/* The view's rows as lines "a|b|c", NULL as "~". */
static inline void world_lines(struct world *w, uint32_t view, struct multiset *out)
{
    struct error err;
    struct arena a = ARENA_EMPTY;
    struct multiset images = {0};
    struct buffer line = BUFFER_EMPTY;
    const struct catalog_view *v = w->views[view];
    multiset_release(out);
    world_images(w, view, &images);
    for (size_t i = 0; i < images.count; i++) {
        struct datum *row = arena_alloc(&a, (v->visible_count + 1) * sizeof *row);
        ok(view_row_read(v, bytes_of(images.items[i].data, images.items[i].len), &a, row, &err), &err);
        buffer_reset(&line);
        for (uint32_t k = 0; k < v->visible_count; k++) {
            line_append(&line, &v->plan->columns[k].type, &row[k]);
        }
        multiset_add(out, buffer_bytes(&line), images.items[i].weight);
    }
    multiset_release(&images);
    buffer_release(&line);
    arena_release(&a);
}

static inline int count_text(void *ctx, const char *text)
{
    int *n = ctx;
    assert_true(strlen(text) > 0);
    *n += 1;
    return 0;
}

static inline int world_errors(struct world *w, uint32_t view)
{
    struct error err;
    int n = 0;
    ok(view_errors(w->store, &w->catalog, w->views[view], count_text, &n, &err), &err);
    return n;
}

/* What was reported is what is there: the map's rows, or none while the view is in error. */
static inline void world_check_mirror(struct world *w)
{
    for (uint32_t i = 0; i < w->view_count; i++) {
        struct multiset rows = {0};
        bool in_error = world_errors(w, i) > 0;
        assert_int_equal(in_error, w->in_error[i]);
        if (!in_error) {
            world_images(w, i, &rows);
        }
        if (!multiset_same(&w->mirror[i], &rows, w->views[i]->name)) {
            fail_msg("the changes of view %s that were reported do not add up to it", w->views[i]->name);
        }
        multiset_release(&rows);
    }
}

/* Checks a view against rows written one a line, in any order; "" = empty. */
static inline void check_view(struct world *w, const char *name, const char *expected)
{
    struct multiset want = {0};
    struct multiset have = {0};
    while (*expected != '\0') {
        const char *end = strchr(expected, '\n');
        size_t len = end == NULL ? strlen(expected) : (size_t)(end - expected);
        multiset_add(&want, bytes_of(expected, len), 1);
        expected += len + (end != NULL);
    }
    world_lines(w, world_view(w, name), &have);
    if (!multiset_same(&have, &want, name)) {
        fail_msg("view %s is not what it should be", name);
    }
    multiset_release(&want);
    multiset_release(&have);
}

/* ---- whole states ---- */

static inline bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Of all history: not a function of the rows that are there. */
static inline bool is_history(const char *map)
{
    return strcmp(map, "fact") == 0 || strcmp(map, "position") == 0 || strcmp(map, "journal") == 0 ||
           strcmp(map, "quarantine") == 0;
}

struct dump {
    struct world *world;
    struct multiset *out;
    bool history;
    bool failed;
};

static inline int dump_map(void *ctx, const char *name)
{
    struct dump *d = ctx;
    struct error err;
    struct store_map *map;
    struct store_cursor *c;
    struct bytes key;
    struct bytes value;
    struct buffer item = BUFFER_EMPTY;
    if (!d->history && is_history(name)) {
        return 0;
    }
    ok(store_map_open(d->world->store, name, &map, &err), &err);
    ok(store_cursor_open(map, &c, &err), &err);
    ok(store_cursor_seek(c, bytes_of("", 0), &err), &err);
    while (store_cursor_next(c, &key, &value, &err) == STATUS_OK) {
        buffer_reset(&item);
        buffer_printf(&item, "%s: ", name);
        for (size_t i = 0; i < key.len; i++) {
            buffer_printf(&item, "%02x", key.data[i]);
        }
        buffer_append_text(&item, " = ");
        for (size_t i = 0; i < value.len; i++) {
            buffer_printf(&item, "%02x", value.data[i]);
        }
        multiset_add(d->out, buffer_bytes(&item), 1);
    }
    store_cursor_close(c);
    buffer_release(&item);
    return 0;
}

/* Every entry of every map, as text. The state must be checkpointed. */
static inline void world_dump(struct world *w, bool history, struct multiset *out)
{
    struct error err;
    struct dump d = {.world = w, .out = out, .history = history};
    multiset_release(out);
    ok(store_maps(w->store, dump_map, &d, &err), &err);
}

static inline int note_quarantine(void *ctx, const struct quarantine_entry *entry)
{
    struct buffer *b = ctx;
    buffer_printf(b, "%.*s\n", (int)entry->reason.len, (const char *)entry->reason.data);
    return 0;
}

/* The reasons in quarantine, one a line. */
static inline void check_quarantine(struct world *w, const char *expected)
{
    struct error err;
    struct buffer have = BUFFER_EMPTY;
    ok(quarantine_entries(w->store, note_quarantine, &have, &err), &err);
    buffer_append_byte(&have, '\0');
    assert_string_equal((const char *)have.data, expected);
    buffer_release(&have);
}

#endif
