/* A cursor merges up to three walks in key order: active generation, frozen generation (left out once the view has all
 * of it) and view. Where several have a key the newest counts; tombstones hide. Steps are put off until the next call,
 * so that reading a single entry steps nowhere. */
#include "state/index/inner.h"

#include "base/memory.h"

enum { SOURCE_ACTIVE, SOURCE_FROZEN, SOURCE_VIEW, SOURCES };

struct store_cursor {
    struct store_map *map;
    struct store_cursor *next;
    struct store_cursor **link; /* what points here */
    struct memtable_iter iters[SOURCE_VIEW];
    struct scan scan;
    unsigned steps_due; /* bit i: source i still shows what was handed out */
    uint64_t version;   /* of the map when the sources were placed */
    bool detached;      /* the sources must be placed anew */
    /* Where the cursor stands, for placing anew: borrowed from the entry handed out, or in `position_kept`. */
    struct bytes position;
    bool position_done; /* the entry there has been handed out */
    struct buffer position_kept;
};

enum status index_cursor_open(struct store_map *m, struct store_cursor **out, struct error *err)
{
    *out = NULL;
    TRY(index_check(m->index, err));
    struct store_cursor *c = mem_zalloc(sizeof *c);
    c->map = m;
    c->detached = true;
    c->link = &m->index->cursors;
    c->next = *c->link;
    *c->link = c;
    if (c->next != NULL) {
        c->next->link = &c->next;
    }
    *out = c;
    return STATUS_OK;
}

void index_cursor_close(struct store_cursor *c)
{
    if (c == NULL) {
        return;
    }
    *c->link = c->next;
    if (c->next != NULL) {
        c->next->link = c->link;
    }
    scan_release(&c->scan);
    buffer_release(&c->position_kept);
    mem_free(c);
}

void index_cursors_detach(struct index *ix)
{
    for (struct store_cursor *c = ix->cursors; c != NULL; c = c->next) {
        if (c->detached) {
            continue;
        }
        if (c->position.data != c->position_kept.data) {
            buffer_reset(&c->position_kept);
            buffer_append(&c->position_kept, c->position.data, c->position.len);
            c->position = buffer_bytes(&c->position_kept);
        }
        scan_detach(&c->scan);
        c->detached = true;
    }
}

static enum status sources_place(struct store_cursor *c, struct bytes key, struct error *err)
{
    struct store_map *m = c->map;
    c->iters[SOURCE_ACTIVE] = memtable_seek(&m->active, &m->active_finger, key);
    c->iters[SOURCE_FROZEN] = (struct memtable_iter){0};
    if (!m->index->frozen_clean && !m->active_cleared) {
        c->iters[SOURCE_FROZEN] = memtable_seek(&m->frozen, &m->frozen_finger, key);
    }
    c->scan.valid = false;
    if (!index_view_is_hidden(m) && !index_key_is_above(m, key)) {
        TRY(index_note(m->index, scan_seek(&c->scan, m->index->view, m->view_map, key, err), err));
    }
    c->steps_due = 0;
    c->version = m->version;
    c->detached = false;
    return STATUS_OK;
}

static inline bool source_key(const struct store_cursor *c, unsigned source, struct bytes *key)
{
    if (source == SOURCE_VIEW) {
        *key = c->scan.entry.key;
        return c->scan.valid;
    }
    const struct memtable_entry *e = memtable_iter_entry(&c->iters[source]);
    if (e != NULL) {
        *key = memtable_entry_key(e);
    }
    return e != NULL;
}

static inline enum status sources_step(struct store_cursor *c, struct error *err)
{
    unsigned due = c->steps_due;
    c->steps_due = 0;
    for (unsigned source = 0; source < SOURCE_VIEW; source++) {
        if (due & (1U << source)) {
            memtable_iter_step(&c->iters[source]);
        }
    }
    if (due & (1U << SOURCE_VIEW)) {
        return index_note(c->map->index, scan_step(&c->scan, err), err);
    }
    return STATUS_OK;
}

/* Places the sources behind what has been handed out. */
static enum status sources_replace(struct store_cursor *c, struct error *err)
{
    struct bytes position = c->position;
    TRY(sources_place(c, position, err));
    if (!c->position_done) {
        return STATUS_OK;
    }
    for (unsigned source = 0; source < SOURCES; source++) {
        struct bytes key = {0};
        if (source_key(c, source, &key) && bytes_equal(key, position)) {
            c->steps_due |= 1U << source;
        }
    }
    return sources_step(c, err);
}

enum status index_cursor_seek(struct store_cursor *c, struct bytes key, struct error *err)
{
    if (index_is_poisoned_or_raised(c->map->index)) {
        TRY(index_check(c->map->index, err));
    }
    /* `key` may be what this cursor handed out, but then it is not in position_kept: only lost entries are kept
     * there. */
    buffer_reset(&c->position_kept);
    buffer_append(&c->position_kept, key.data, key.len);
    c->position = buffer_bytes(&c->position_kept);
    c->position_done = false;
    return sources_place(c, c->position, err);
}

/* Chooses the smallest key among the sources, the newest of equal ones; SOURCES where all are at their end. */
static inline unsigned source_choose(struct store_cursor *c, struct bytes *key)
{
    unsigned chosen = SOURCES;
    unsigned equal = 0;
    for (unsigned source = 0; source < SOURCES; source++) {
        struct bytes candidate = {0};
        if (!source_key(c, source, &candidate)) {
            continue;
        }
        int order = chosen == SOURCES ? -1 : bytes_compare(candidate, *key);
        if (order < 0) {
            chosen = source;
            *key = candidate;
            equal = 0;
        }
        if (order <= 0) {
            equal |= 1U << source;
        }
    }
    c->steps_due = equal;
    return chosen;
}

enum status index_cursor_next(struct store_cursor *c, struct bytes *key, struct bytes *value, struct error *err)
{
    if (index_is_poisoned_or_raised(c->map->index)) {
        TRY(index_check(c->map->index, err));
    }
    if (c->detached || c->version != c->map->version) {
        TRY(sources_replace(c, err));
    } else {
        TRY(sources_step(c, err));
    }
    for (;;) {
        unsigned source = source_choose(c, key);
        if (source == SOURCES) {
            return STATUS_END;
        }
        if (source == SOURCE_VIEW) {
            *value = c->scan.entry.value;
            break;
        }
        const struct memtable_entry *e = memtable_iter_entry(&c->iters[source]);
        if (!memtable_entry_is_tombstone(e)) {
            *value = memtable_entry_value(e);
            break;
        }
        TRY(sources_step(c, err));
    }
    c->position = *key;
    c->position_done = true;
    return STATUS_OK;
}
