/* A rebuild folds the log anew into an environment beside the current one. Until it is finished nothing of it needs to
 * be durable, so its commits are not synced; then one sync, and CURRENT names the new folder. Readers elsewhere find it
 * when they renew. */
#include "state/index/inner.h"

#include "base/file.h"

static void view_close(struct index *ix)
{
    index_cursors_detach(ix);
    env_snapshot_end(ix->snapshot);
    ix->snapshot = NULL;
    ix->view = NULL;
}

static enum status rebuild_open(struct index *ix, struct error *err)
{
    if (ix->rebuilding) {
        TRY(folder_env_remove(ix->path, ix->env_idx, err));
    } else {
        ix->env_idx++;
        ix->rebuilding = true;
        TRY(folder_leftovers_remove(ix->path, ix->env_idx - 1, err));
    }
    char path[INDEX_PATH_BYTES];
    folder_env_path(ix->path, ix->env_idx, path);
    TRY(folder_make(path, err));
    struct env_options options = {.path = path, .unsynced = true, .map_bytes = ix->options.map_bytes};
    TRY(env_open(&ix->env, &options, err));
    return index_view_open(ix, err);
}

enum status index_rebuild_begin(struct index *ix, struct error *err)
{
    TRY(checkpoint_abandon(ix, err));
    view_close(ix);
    index_generations_reset(ix);
    env_close(ix->env);
    ix->env = NULL;
    return rebuild_open(ix, err) == STATUS_OK ? STATUS_OK : index_poison(ix, err);
}

static enum status rebuild_switch(struct index *ix, struct error *err)
{
    char path[INDEX_PATH_BYTES];
    folder_env_path(ix->path, ix->env_idx, path);
    TRY(env_sync(ix->env, err));
    TRY(folder_sync(path, err));
    TRY(folder_sync(ix->path, err));
    TRY(folder_current_set(ix->path, ix->env_idx, err));
    ix->rebuilding = false;
    return folder_leftovers_remove(ix->path, ix->env_idx, err);
}

enum status index_rebuild_finish(struct index *ix, const struct index_mark *mark, struct error *err)
{
    TRY(index_check(ix, err));
    if (!ix->rebuilding) {
        return error_set(err, STATUS_INVALID, 0, "could not finish the rebuild of %s: none was begun", ix->path);
    }
    TRY(index_checkpoint_begin(ix, mark, err));
    TRY(index_checkpoint_wait(ix, err));
    return rebuild_switch(ix, err) == STATUS_OK ? STATUS_OK : index_poison(ix, err);
}

static enum status newest_open(struct index *ix, struct error *err)
{
    uint64_t newest;
    TRY(folder_current(ix->path, &newest, err));
    if (newest != ix->env_idx) {
        char path[INDEX_PATH_BYTES];
        folder_env_path(ix->path, newest, path);
        struct env *env;
        TRY(env_open(&env, &(struct env_options){.path = path, .read_only = true}, err));
        env_close(ix->env);
        ix->env = env;
        ix->env_idx = newest;
    }
    return index_view_open(ix, err);
}

enum status index_snapshot_renew(struct index *ix, struct error *err)
{
    TRY(index_check(ix, err));
    if (!ix->options.read_only) {
        return STATUS_OK;
    }
    view_close(ix);
    return newest_open(ix, err) == STATUS_OK ? STATUS_OK : index_poison(ix, err);
}
