/* The only file that knows LMDB. Snapshots use MDB_NOTLS, so that they belong to whoever holds them. MDB_WRITEMAP is
 * not used: with it a full disk is a SIGBUS instead of an error, a stray pointer of the process can reach the file, and
 * the file takes the length of the whole map. Address space costs nothing, so the map is large from the beginning and
 * growing it is the exception. */
#include "state/index/env.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const uint64_t map_bytes_default = (uint64_t)64 << 30;
static const uint64_t map_bytes_least = (uint64_t)1 << 30;

enum { READERS_MAX = 510 };

_Static_assert(sizeof(unsigned) == sizeof(MDB_dbi), "map numbers are LMDB's");

struct env {
    MDB_env *lmdb;
    char path[512];
};

struct env_txn {
    struct env *env;
    MDB_txn *lmdb;
};

struct env_cursor {
    struct env *env;
    MDB_cursor *lmdb;
};

static enum status env_fail(const struct env *env, int rc, const char *what, struct error *err)
{
    assert(rc != 0);
    if (rc == MDB_MAP_FULL) {
        return error_set(err, STATUS_RETRY, 0, "could not %s the state in %s: its address space is full", what,
                         env->path);
    }
    if (rc == MDB_VERSION_MISMATCH) {
        return error_set(err, STATUS_MISMATCH, 0, "could not %s the state in %s: %s", what, env->path,
                         mdb_strerror(rc));
    }
    if (rc == ENOENT) {
        return error_set(err, STATUS_NOT_FOUND, rc, "could not %s the state in %s", what, env->path);
    }
    if (rc == EIO || rc == ENOSPC || rc == EFBIG || rc == EDQUOT) {
        return error_set(err, STATUS_IO, rc, "could not %s the state in %s (disk full?)", what, env->path);
    }
    if (rc > 0) {
        return error_set(err, STATUS_IO, rc, "could not %s the state in %s", what, env->path);
    }
    if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID || rc == MDB_CURSOR_FULL) {
        return error_set(err, STATUS_CORRUPT, 0,
                         "could not %s the state in %s: %s; remove the folder to have it folded again from the log",
                         what, env->path, mdb_strerror(rc));
    }
    return error_set(err, STATUS_IO, 0, "could not %s the state in %s: %s", what, env->path, mdb_strerror(rc));
}

/* LMDB takes non-const pointers and does not write through them. */
static inline MDB_val val_of(struct bytes b)
{
    return (MDB_val){.mv_size = b.len, .mv_data = (void *)(uintptr_t)b.data};
}

static inline struct bytes bytes_of_val(MDB_val v)
{
    return bytes_of(v.mv_data, v.mv_size);
}

static uint64_t first_map_bytes(const struct env_options *options)
{
    if (options->map_bytes != 0) {
        return options->map_bytes;
    }
    char file[512 + 16];
    struct stat info;
    snprintf(file, sizeof file, "%s/data.mdb", options->path);
    uint64_t wanted = stat(file, &info) == 0 ? (uint64_t)info.st_size * 4 : 0;
    return wanted > map_bytes_default ? wanted : map_bytes_default;
}

static int lmdb_open(MDB_env **out, const struct env_options *options, uint64_t map_bytes)
{
    MDB_env *lmdb = NULL;
    int rc = mdb_env_create(&lmdb);
    if (rc != 0) {
        return rc;
    }
    unsigned flags = MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0) | (options->unsynced ? MDB_NOSYNC : 0);
    mdb_env_set_mapsize(lmdb, map_bytes);
    mdb_env_set_maxdbs(lmdb, ENV_MAPS_MAX);
    mdb_env_set_maxreaders(lmdb, READERS_MAX);
    rc = mdb_env_open(lmdb, options->path, flags, 0600);
    if (rc != 0) {
        mdb_env_close(lmdb);
        return rc;
    }
    *out = lmdb;
    return 0;
}

enum status env_open(struct env **out, const struct env_options *options, struct error *err)
{
    *out = NULL;
    struct env *env = mem_zalloc(sizeof *env);
    snprintf(env->path, sizeof env->path, "%s", options->path);
    uint64_t map_bytes = first_map_bytes(options);
    int rc = lmdb_open(&env->lmdb, options, map_bytes);
    /* Where the address space of a process is limited, a smaller map will do; it grows. */
    while (rc == ENOMEM && map_bytes > map_bytes_least) {
        map_bytes /= 2;
        rc = lmdb_open(&env->lmdb, options, map_bytes);
    }
    if (rc != 0) {
        enum status st = env_fail(env, rc, "open", err);
        mem_free(env);
        return st;
    }
    assert(mdb_env_get_maxkeysize(env->lmdb) >= ENV_KEY_BYTES_MAX);
    env_forget_dead_readers(env);
    *out = env;
    return STATUS_OK;
}

void env_close(struct env *env)
{
    if (env != NULL) {
        mdb_env_close(env->lmdb);
        mem_free(env);
    }
}

enum status env_sync(struct env *env, struct error *err)
{
    int rc = mdb_env_sync(env->lmdb, 1);
    if (rc == 0) {
        rc = mdb_env_set_flags(env->lmdb, MDB_NOSYNC, 0);
    }
    return rc == 0 ? STATUS_OK : env_fail(env, rc, "sync", err);
}

enum status env_grow(struct env *env, struct error *err)
{
    MDB_envinfo info;
    mdb_env_info(env->lmdb, &info);
    int rc = mdb_env_set_mapsize(env->lmdb, info.me_mapsize * 2);
    return rc == 0 ? STATUS_OK : env_fail(env, rc, "enlarge", err);
}

bool env_is_half_full(const struct env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(env->lmdb, &info);
    mdb_env_stat(env->lmdb, &stat);
    return (info.me_last_pgno + 1) * stat.ms_psize > info.me_mapsize / 2;
}

uint64_t env_file_bytes(const struct env *env)
{
    mdb_filehandle_t fd;
    struct stat info;
    if (mdb_env_get_fd(env->lmdb, &fd) != 0 || fstat(fd, &info) != 0) {
        return 0;
    }
    return (uint64_t)info.st_size;
}

void env_forget_dead_readers(struct env *env)
{
    int dead;
    mdb_reader_check(env->lmdb, &dead);
}

static enum status txn_begin(struct env *env, unsigned flags, struct env_txn **out, struct error *err)
{
    *out = NULL;
    MDB_txn *lmdb = NULL;
    int rc = mdb_txn_begin(env->lmdb, NULL, flags, &lmdb);
    if (rc == MDB_MAP_RESIZED) {
        /* Only a reader can meet this: another process has enlarged the map. */
        rc = mdb_env_set_mapsize(env->lmdb, 0);
        rc = rc == 0 ? mdb_txn_begin(env->lmdb, NULL, flags, &lmdb) : rc;
    }
    if (rc != 0) {
        return env_fail(env, rc, "begin a transaction on", err);
    }
    *out = mem_alloc(sizeof **out);
    **out = (struct env_txn){.env = env, .lmdb = lmdb};
    return STATUS_OK;
}

enum status env_snapshot_begin(struct env *env, struct env_txn **out, struct error *err)
{
    return txn_begin(env, MDB_RDONLY, out, err);
}

void env_snapshot_pause(struct env_txn *txn)
{
    mdb_txn_reset(txn->lmdb);
}

enum status env_snapshot_renew(struct env_txn *txn, struct error *err)
{
    mdb_txn_reset(txn->lmdb);
    int rc = mdb_txn_renew(txn->lmdb);
    if (rc == MDB_MAP_RESIZED) {
        rc = mdb_env_set_mapsize(txn->env->lmdb, 0);
        rc = rc == 0 ? mdb_txn_renew(txn->lmdb) : rc;
    }
    return rc == 0 ? STATUS_OK : env_fail(txn->env, rc, "look again at", err);
}

void env_snapshot_end(struct env_txn *txn)
{
    env_write_abort(txn);
}

enum status env_write_begin(struct env *env, struct env_txn **out, struct error *err)
{
    return txn_begin(env, 0, out, err);
}

enum status env_write_commit(struct env_txn *txn, struct error *err)
{
    struct env *env = txn->env;
    int rc = mdb_txn_commit(txn->lmdb);
    mem_free(txn);
    return rc == 0 ? STATUS_OK : env_fail(env, rc, "commit", err);
}

void env_write_abort(struct env_txn *txn)
{
    if (txn != NULL) {
        mdb_txn_abort(txn->lmdb);
        mem_free(txn);
    }
}

enum status env_map_open(struct env_txn *txn, const char *name, bool create, unsigned *map, struct error *err)
{
    *map = ENV_MAP_NONE;
    MDB_dbi dbi;
    int rc = mdb_dbi_open(txn->lmdb, name, create ? MDB_CREATE : 0, &dbi);
    if (rc == MDB_NOTFOUND) {
        return error_set(err, STATUS_NOT_FOUND, 0, "could not open map %s in %s: there is none", name, txn->env->path);
    }
    if (rc != 0) {
        return env_fail(txn->env, rc, "open a map of", err);
    }
    *map = dbi;
    return STATUS_OK;
}

static enum status maps_visit(struct env_txn *txn, void (*visit)(void *ctx, const char *name, unsigned map), void *ctx,
                              struct error *err)
{
    MDB_dbi main_map;
    int rc = mdb_dbi_open(txn->lmdb, NULL, 0, &main_map);
    if (rc != 0) {
        return env_fail(txn->env, rc, "read", err);
    }
    struct env_cursor *c = NULL;
    enum status st;
    TRY_GOTO(done, env_cursor_open(txn, main_map, &c, err));
    struct bytes key = {0};
    struct bytes value = {0};
    while ((st = env_cursor_next(c, &key, &value, err)) == STATUS_OK) {
        char name[ENV_KEY_BYTES_MAX + 1];
        snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
        unsigned map;
        TRY_GOTO(done, env_map_open(txn, name, false, &map, err));
        visit(ctx, name, map);
    }
    st = st == STATUS_END ? STATUS_OK : st;
done:
    env_cursor_close(c);
    return st;
}

enum status env_maps_open(struct env *env, void (*visit)(void *ctx, const char *name, unsigned map), void *ctx,
                          struct error *err)
{
    struct env_txn *txn;
    TRY(env_snapshot_begin(env, &txn, err));
    enum status st = maps_visit(txn, visit, ctx, err);
    if (st != STATUS_OK) {
        env_snapshot_end(txn);
        return st;
    }
    return env_write_commit(txn, err);
}

enum status env_map_clear(struct env_txn *txn, unsigned map, struct error *err)
{
    int rc = mdb_drop(txn->lmdb, map, 0);
    return rc == 0 ? STATUS_OK : env_fail(txn->env, rc, "clear a map of", err);
}

enum status env_map_stat(struct env_txn *txn, unsigned map, uint64_t *entries, uint64_t *bytes, struct error *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->lmdb, map, &stat);
    if (rc != 0) {
        return env_fail(txn->env, rc, "read", err);
    }
    *entries = stat.ms_entries;
    *bytes = (uint64_t)(stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
    return STATUS_OK;
}

enum status env_get(struct env_txn *txn, unsigned map, struct bytes key, struct bytes *value, struct error *err)
{
    MDB_val k = val_of(key);
    MDB_val v;
    int rc = mdb_get(txn->lmdb, map, &k, &v);
    if (rc == MDB_NOTFOUND) {
        return STATUS_NOT_FOUND;
    }
    if (rc != 0) {
        return env_fail(txn->env, rc, "read", err);
    }
    *value = bytes_of_val(v);
    return STATUS_OK;
}

enum status env_put(struct env_txn *txn, unsigned map, struct bytes key, struct bytes value, struct error *err)
{
    MDB_val k = val_of(key);
    MDB_val v = val_of(value);
    int rc = mdb_put(txn->lmdb, map, &k, &v, 0);
    return rc == 0 ? STATUS_OK : env_fail(txn->env, rc, "write", err);
}

enum status env_delete(struct env_txn *txn, unsigned map, struct bytes key, struct error *err)
{
    MDB_val k = val_of(key);
    int rc = mdb_del(txn->lmdb, map, &k, NULL);
    return rc == 0 || rc == MDB_NOTFOUND ? STATUS_OK : env_fail(txn->env, rc, "write", err);
}

enum status env_cursor_open(struct env_txn *txn, unsigned map, struct env_cursor **out, struct error *err)
{
    *out = NULL;
    MDB_cursor *lmdb = NULL;
    int rc = mdb_cursor_open(txn->lmdb, map, &lmdb);
    if (rc != 0) {
        return env_fail(txn->env, rc, "read", err);
    }
    *out = mem_alloc(sizeof **out);
    **out = (struct env_cursor){.env = txn->env, .lmdb = lmdb};
    return STATUS_OK;
}

void env_cursor_close(struct env_cursor *c)
{
    if (c != NULL) {
        mdb_cursor_close(c->lmdb);
        mem_free(c);
    }
}

static enum status cursor_get(struct env_cursor *c, MDB_cursor_op op, MDB_val *k, struct bytes *key,
                              struct bytes *value, struct error *err)
{
    MDB_val v;
    int rc = mdb_cursor_get(c->lmdb, k, &v, op);
    if (rc == MDB_NOTFOUND) {
        return STATUS_END;
    }
    if (rc != 0) {
        return env_fail(c->env, rc, "read", err);
    }
    *key = bytes_of_val(*k);
    *value = bytes_of_val(v);
    return STATUS_OK;
}

enum status env_cursor_seek(struct env_cursor *c, struct bytes key, struct bytes *out_key, struct bytes *value,
                            struct error *err)
{
    MDB_val k = val_of(key);
    return cursor_get(c, MDB_SET_RANGE, &k, out_key, value, err);
}

enum status env_cursor_next(struct env_cursor *c, struct bytes *key, struct bytes *value, struct error *err)
{
    MDB_val k = {0};
    return cursor_get(c, MDB_NEXT, &k, key, value, err);
}

enum status env_cursor_last(struct env_cursor *c, struct bytes *key, struct bytes *value, struct error *err)
{
    MDB_val k = {0};
    return cursor_get(c, MDB_LAST, &k, key, value, err);
}

enum status env_cursor_put(struct env_cursor *c, struct bytes key, struct bytes value, bool append, struct error *err)
{
    MDB_val k = val_of(key);
    MDB_val v = val_of(value);
    int rc = mdb_cursor_put(c->lmdb, &k, &v, append ? MDB_APPEND : 0);
    return rc == 0 ? STATUS_OK : env_fail(c->env, rc, "write", err);
}
