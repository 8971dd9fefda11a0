/* The checkpoint thread and how generations are handed to it. The mutex guards the phase; whoever the phase names owns
 * the job, so that nothing else is shared. The thread alone begins, writes and ends the write transaction. */
#include "state/index/inner.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

#include <assert.h>

static enum checkpoint_phase phase_of(struct checkpoint *cp)
{
    pthread_mutex_lock(&cp->mutex);
    enum checkpoint_phase phase = cp->phase;
    pthread_mutex_unlock(&cp->mutex);
    return phase;
}

static void phase_set(struct checkpoint *cp, enum checkpoint_phase phase)
{
    pthread_mutex_lock(&cp->mutex);
    cp->phase = phase;
    pthread_cond_broadcast(&cp->changed);
    pthread_mutex_unlock(&cp->mutex);
}

/* ---- the thread ---- */

static void txn_abort(struct checkpoint *cp)
{
    env_write_abort(cp->txn);
    cp->txn = NULL;
    cp->spilled = false;
}

static enum status job_write(struct checkpoint *cp, struct error *err)
{
    cp->meta_number = cp->meta_number_before;
    for (size_t i = 0; i < cp->item_count; i++) {
        cp->items[i].number = cp->items[i].number_before;
    }
    if (cp->txn == NULL) {
        TRY(env_write_begin(cp->env, &cp->txn, err));
    }
    TRY(flush_items(cp, err));
    if (cp->kind == CHECKPOINT_SPILL) {
        cp->spilled = true;
        return STATUS_OK;
    }
    struct env_txn *txn = cp->txn;
    cp->txn = NULL;
    return env_write_commit(txn, err);
}

static enum checkpoint_phase job_run(struct index *ix)
{
    struct checkpoint *cp = &ix->checkpoint;
    if (cp->kind == CHECKPOINT_ABANDON) {
        txn_abort(cp);
        return PHASE_DONE;
    }
    bool spilled = cp->spilled;
    enum status st = job_write(cp, &cp->error);
    if (st == STATUS_OK) {
        if (cp->kind == CHECKPOINT_COMMIT) {
            cp->spilled = false;
            atomic_store(&ix->checkpoint_seq_next, cp->mark.seq_next);
            env_forget_dead_readers(cp->env);
        }
        return PHASE_DONE;
    }
    txn_abort(cp);
    if (st == STATUS_RETRY && !spilled) {
        return PHASE_FULL;
    }
    if (st == STATUS_RETRY) {
        /* What was spilled before is gone with the transaction. A new open begins with more room. */
        cp->error.status = STATUS_IO;
        error_prefix(&cp->error, "could not spill one commit; open the store again to have it folded in a larger one");
    }
    return PHASE_FAILED;
}

static void *thread_main(void *arg)
{
    struct index *ix = arg;
    struct checkpoint *cp = &ix->checkpoint;
    pthread_mutex_lock(&cp->mutex);
    for (;;) {
        while (cp->phase != PHASE_RUNNING && !cp->stopping) {
            pthread_cond_wait(&cp->changed, &cp->mutex);
        }
        if (cp->phase != PHASE_RUNNING) {
            break;
        }
        pthread_mutex_unlock(&cp->mutex);
        enum checkpoint_phase phase = job_run(ix);
        cp->ended_us = clock_mono_us();
        phase_set(cp, phase);
        atomic_fetch_or(&ix->attention, ATTENTION_CHECKPOINT);
        if (ix->options.notify != NULL) {
            ix->options.notify(ix->options.ctx);
        }
        pthread_mutex_lock(&cp->mutex);
    }
    pthread_mutex_unlock(&cp->mutex);
    txn_abort(cp);
    return NULL;
}

enum status checkpoint_start(struct index *ix, struct error *err)
{
    struct checkpoint *cp = &ix->checkpoint;
    pthread_mutex_init(&cp->mutex, NULL);
    pthread_cond_init(&cp->changed, NULL);
    TRY(thread_start(&cp->thread, "logfold-state", thread_main, ix, err));
    cp->has_thread = true;
    return STATUS_OK;
}

void checkpoint_stop(struct index *ix)
{
    struct checkpoint *cp = &ix->checkpoint;
    if (cp->has_thread) {
        pthread_mutex_lock(&cp->mutex);
        cp->stopping = true;
        pthread_cond_broadcast(&cp->changed);
        pthread_mutex_unlock(&cp->mutex);
        pthread_join(cp->thread, NULL);
        cp->has_thread = false;
        pthread_mutex_destroy(&cp->mutex);
        pthread_cond_destroy(&cp->changed);
    }
    for (size_t i = 0; i < cp->item_capacity; i++) {
        index_greatest_release(&cp->items[i].greatest);
    }
    mem_free(cp->items);
    cp->items = NULL;
    cp->item_capacity = 0;
}

/* ---- the spine's side ---- */

static void generation_freeze(struct index *ix)
{
    index_cursors_detach(ix);
    unsigned next = 1 - ix->active_pool_idx;
    memtable_pool_reset(&ix->pools[next], ix->options.cache_bytes / 2);
    for (size_t i = 0; i < ix->map_count; i++) {
        struct store_map *m = ix->maps[i];
        m->frozen = m->active;
        m->frozen_finger = m->active_finger;
        m->frozen_cleared = m->active_cleared;
        m->active = (struct memtable){.pool = &ix->pools[next]};
        m->active_finger = (struct memtable_finger){0};
        m->active_cleared = false;
    }
    ix->active_pool_idx = next;
    ix->frozen_clean = false;
}

static void items_fill(struct index *ix)
{
    struct checkpoint *cp = &ix->checkpoint;
    size_t had = cp->item_capacity;
    mem_grow(&cp->items, &cp->item_capacity, ix->map_count, sizeof cp->items[0]);
    for (size_t i = had; i < cp->item_capacity; i++) {
        cp->items[i] = (struct checkpoint_item){0};
    }
    cp->item_count = 0;
    for (size_t i = 0; i < ix->map_count; i++) {
        struct store_map *m = ix->maps[i];
        bool missing = m->opened && m->view_map == ENV_MAP_NONE;
        if (m->frozen.root == NULL && !m->frozen_cleared && !missing) {
            continue;
        }
        struct checkpoint_item *item = &cp->items[cp->item_count++];
        item->map = m;
        item->name = m->name;
        item->frozen = m->frozen;
        item->cleared = m->frozen_cleared && m->view_map != ENV_MAP_NONE;
        item->number_before = m->view_map;
    }
}

/* Doubles the address space while the thread rests and holds no transaction. */
static enum status view_grow(struct index *ix, struct error *err)
{
    index_cursors_detach(ix);
    env_snapshot_pause(ix->snapshot);
    enum status st = env_grow(ix->env, err);
    if (st == STATUS_OK) {
        st = env_snapshot_renew(ix->snapshot, err);
    }
    return st == STATUS_OK ? st : index_poison(ix, err);
}

static enum status job_submit(struct index *ix, enum checkpoint_kind kind, const struct index_mark *mark,
                              struct error *err)
{
    struct checkpoint *cp = &ix->checkpoint;
    assert(phase_of(cp) == PHASE_IDLE);
    if (!cp->spilled && env_is_half_full(ix->env)) {
        TRY(view_grow(ix, err));
    }
    generation_freeze(ix);
    items_fill(ix);
    cp->kind = kind;
    cp->mark = *mark;
    cp->begun_us = clock_mono_us();
    cp->env = ix->env;
    cp->meta_number_before = ix->meta_map;
    phase_set(cp, PHASE_RUNNING);
    return STATUS_OK;
}

static enum status done_take(struct index *ix, struct error *err)
{
    struct checkpoint *cp = &ix->checkpoint;
    index_cursors_detach(ix);
    for (size_t i = 0; i < cp->item_count; i++) {
        struct checkpoint_item *item = &cp->items[i];
        struct store_map *m = item->map;
        m->view_map = item->number;
        m->frozen_cleared = false;
        struct index_greatest greatest = m->greatest;
        m->greatest = item->greatest;
        item->greatest = greatest;
    }
    ix->frozen_clean = true;
    if (cp->kind == CHECKPOINT_SPILL) {
        ix->view = cp->txn;
        return STATUS_OK;
    }
    ix->meta_map = cp->meta_number;
    for (size_t i = 0; i < ix->map_count; i++) {
        ix->maps[i]->snapshot_map = ix->maps[i]->view_map;
    }
    ix->view = ix->snapshot;
    enum status st = env_snapshot_renew(ix->snapshot, err);
    return st == STATUS_OK ? st : index_poison(ix, err);
}

enum status checkpoint_absorb(struct index *ix, struct error *err)
{
    struct checkpoint *cp = &ix->checkpoint;
    atomic_fetch_and(&ix->attention, ~(unsigned)ATTENTION_CHECKPOINT);
    enum status st = STATUS_OK;
    switch (phase_of(cp)) {
    case PHASE_IDLE:
    case PHASE_RUNNING:
        break;
    case PHASE_DONE:
        if (cp->kind != CHECKPOINT_ABANDON) {
            st = done_take(ix, err);
        }
        phase_set(cp, PHASE_IDLE);
        break;
    case PHASE_FULL:
        TRY(view_grow(ix, err));
        phase_set(cp, PHASE_RUNNING);
        break;
    case PHASE_FAILED:
        index_cursors_detach(ix);
        ix->view = ix->snapshot;
        *err = cp->error;
        st = index_poison(ix, &cp->error);
        phase_set(cp, PHASE_IDLE);
        break;
    }
    return st;
}

bool index_checkpoint_running(struct index *ix)
{
    if (!ix->checkpoint.has_thread) {
        return false;
    }
    if (phase_of(&ix->checkpoint) == PHASE_FULL) {
        struct error err;
        checkpoint_absorb(ix, &err); /* a failure is noted, and told by the next call that can */
    }
    enum checkpoint_phase phase = phase_of(&ix->checkpoint);
    return phase == PHASE_RUNNING || phase == PHASE_FULL;
}

bool index_checkpoint_rested(struct index *ix)
{
    const struct checkpoint *cp = &ix->checkpoint;
    return !index_checkpoint_running(ix) && clock_mono_us() - cp->ended_us >= cp->ended_us - cp->begun_us;
}

enum status index_checkpoint_wait(struct index *ix, struct error *err)
{
    struct checkpoint *cp = &ix->checkpoint;
    TRY(index_check(ix, err));
    if (!cp->has_thread) {
        return STATUS_OK;
    }
    do {
        pthread_mutex_lock(&cp->mutex);
        while (cp->phase == PHASE_RUNNING) {
            pthread_cond_wait(&cp->changed, &cp->mutex);
        }
        pthread_mutex_unlock(&cp->mutex);
        TRY(checkpoint_absorb(ix, err));
    } while (phase_of(cp) != PHASE_IDLE);
    return STATUS_OK;
}

enum status index_checkpoint_begin(struct index *ix, const struct index_mark *mark, struct error *err)
{
    assert(!ix->options.read_only);
    TRY(index_checkpoint_wait(ix, err));
    bool spilled = ix->checkpoint.spilled;
    TRY(job_submit(ix, CHECKPOINT_COMMIT, mark, err));
    /* The spilled entries are in the transaction alone, which cannot be read while the thread ends it. */
    return spilled ? index_checkpoint_wait(ix, err) : STATUS_OK;
}

enum status index_spill(struct index *ix, struct error *err)
{
    assert(!ix->options.read_only);
    TRY(index_checkpoint_wait(ix, err));
    TRY(job_submit(ix, CHECKPOINT_SPILL, &(struct index_mark){0}, err));
    return index_checkpoint_wait(ix, err);
}

enum status checkpoint_abandon(struct index *ix, struct error *err)
{
    TRY(index_checkpoint_wait(ix, err));
    if (!ix->checkpoint.spilled) {
        return STATUS_OK;
    }
    index_cursors_detach(ix);
    ix->view = ix->snapshot;
    ix->checkpoint.kind = CHECKPOINT_ABANDON;
    phase_set(&ix->checkpoint, PHASE_RUNNING);
    return index_checkpoint_wait(ix, err);
}
