/* verify: folds the log afresh in a folder of its own, up to the checkpoint's seq, and compares every map's digest. */
#include "ctl.h"

#include "base/message.h"
#include "flow/flow.h"
#include "flow/view.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUN_CHANGES = 64 * 1024, FOLDER_DEPTH_MAX = 4 };

static void remove_tree(const char *path, int depth)
{
    DIR *dir = depth < FOLDER_DEPTH_MAX ? opendir(path) : NULL;
    if (dir != NULL) {
        struct dirent *entry;
        while ((entry = readdir(dir)) != NULL) {
            char inner[1024];
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
            struct stat info;
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || lstat(inner, &info) != 0) {
                continue;
            }
            if (S_ISDIR(info.st_mode)) {
                remove_tree(inner, depth + 1);
            } else {
                unlink(inner);
            }
        }
        closedir(dir);
    }
    rmdir(path);
}

/* Keeps the scratch store's memory bounded; its commits need not be in its own log, so the seq it is given stays 0. */
static enum status keep_bounded(struct store *scratch, bool mid_commit, struct error *err)
{
    if (!store_is_full(scratch)) {
        return STATUS_OK;
    }
    return mid_commit ? store_spill(scratch, err) : store_checkpoint_begin(scratch, 0, err);
}

static enum status fold_aside(struct ctl *c, struct store *scratch, struct error *err)
{
    uint64_t limit = store_checkpoint_seq_next(c->store);
    struct flow *flow = NULL;
    struct store_reader *reader = NULL;
    struct arena arena = ARENA_EMPTY;
    enum status st;
    uint64_t seq = 0;
    struct store_chunk chunk = {.last = true};
    struct flow_options options = {.catalog = &c->catalog, .store = scratch, .redriven = &c->redriven};
    struct event_schema *known;
    TRY_GOTO(done, flow_journal_read(c->store, &arena, &known, &options.known_count, err));
    options.known = known;
    TRY_GOTO(done, flow_open(&flow, &options, err));
    TRY_GOTO(done, store_reader_open(c->store, 0, &reader, err));
    while (seq < limit) {
        st = store_reader_next(reader, &chunk, err);
        if (st == STATUS_END) {
            st = error_set(err, STATUS_CORRUPT, 0, "the log ends at commit %" PRIu64 ", before the state's %" PRIu64,
                           seq, limit);
        }
        TRY_GOTO(done, st);
        TRY_GOTO(done, flow_fold(flow, &chunk, err));
        seq = chunk.last ? chunk.seq + 1 : chunk.seq;
        if (flow_changes(flow) >= RUN_CHANGES || seq == limit) {
            TRY_GOTO(done, flow_run(flow, err));
            store_reader_recycle(reader);
            TRY_GOTO(done, keep_bounded(scratch, !chunk.last, err));
            message_progress("verify", seq == limit, "seq=%" PRIu64 " of %" PRIu64, seq, limit);
        }
    }
    st = flow_run(flow, err);
done:
    store_reader_close(reader);
    flow_close(flow);
    arena_release(&arena);
    return st;
}

struct comparing {
    struct ctl *ctl;
    struct store *scratch;
    uint64_t differing;
    uint64_t maps;
    struct error *err;
};

static bool depends_on_the_log_alone(const char *name)
{
    return strcmp(name, "meta") != 0 && strcmp(name, "pending") != 0;
}

static int compare_map(void *ctx, const char *name)
{
    struct comparing *p = ctx;
    uint64_t entries[2];
    uint64_t digests[2];
    if (!depends_on_the_log_alone(name)) {
        return 0;
    }
    if (digest_map(p->ctl->store, name, &entries[0], &digests[0], p->err) != STATUS_OK ||
        digest_map(p->scratch, name, &entries[1], &digests[1], p->err) != STATUS_OK) {
        return 1;
    }
    p->maps += 1;
    if (digests[0] != digests[1] || entries[0] != entries[1]) {
        printf("differs: %s (state: %" PRIu64 " entries, %016" PRIx64 "; replay: %" PRIu64 " entries, %016" PRIx64
               ")\n",
               name, entries[0], digests[0], entries[1], digests[1]);
        p->differing += 1;
    }
    return 0;
}

static int compare(struct ctl *c, struct store *scratch, struct error *err)
{
    struct comparing p = {.ctl = c, .scratch = scratch, .err = err};
    err->status = STATUS_OK;
    enum status st = store_maps(c->store, compare_map, &p, err);
    if (st != STATUS_OK || err->status != STATUS_OK) {
        return ctl_fail(EXIT_NO_ANSWER, err);
    }
    if (p.differing > 0) {
        fprintf(stderr,
                "statectl: the state is not what the log folds to; run procd with --replay-from 0 to rebuild it\n");
        return EXIT_ANSWER_BAD;
    }
    printf("same: %" PRIu64 " maps at seq_next=%" PRIu64 "\n", p.maps, store_checkpoint_seq_next(c->store));
    return 0;
}

int verb_verify(struct ctl *c)
{
    char path[512];
    if (snprintf(path, sizeof path, "%s/verify.%ld", c->options.store_path, (long)getpid()) >= (int)sizeof path) {
        return ctl_usage("the store's path is too long");
    }
    struct error err;
    struct store *scratch = NULL;
    if (ctl_load_redriven(c, &err) != STATUS_OK) {
        return ctl_fail(err.status == STATUS_CORRUPT ? EXIT_ANSWER_BAD : EXIT_NO_ANSWER, &err);
    }
    if (c->redriven_unfolded) {
        (void)error_set(&err, STATUS_MISMATCH, 0,
                        "the quarantine was redriven after the state was folded: start procd, which rebuilds it");
        return ctl_fail(EXIT_NO_ANSWER, &err);
    }
    enum status st = store_open(&scratch, &(struct store_options){.path = path}, &err);
    if (st == STATUS_OK) {
        st = fold_aside(c, scratch, &err);
    }
    int code;
    if (st == STATUS_OK) {
        code = compare(c, scratch, &err);
    } else {
        code = ctl_fail(st == STATUS_CORRUPT ? EXIT_ANSWER_BAD : EXIT_NO_ANSWER, &err);
    }
    store_close(scratch);
    remove_tree(path, 0);
    return code;
}
