/* The sources file:PATH and - (standard input): newline-delimited Debezium JSON, each line a record's value.
 *
 * Invariants: a position ("file.offset") is always the offset after a whole line whose items are in the same commit or
 * an earlier one. A file is resumed there, if its first bytes are still those that were read ("file.head_bytes",
 * "file.head_hash"). Standard input cannot be resumed: a run begins with what comes, and "stdin.offset" counts what the
 * newest run has read; rows that come again are upserts and fold to nothing.
 *
 * A commit is the lines of one source transaction that follow one another, where they tell it; else what one poll
 * finds, up to COMMIT_LINES_MAX and COMMIT_BYTES_MAX. */
#include "ingest/source_methods.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "event/event.h"
#include "ingest/debezium.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 1024 * 1024,
    LINE_BYTES_MAX = 16 * 1024 * 1024,
    COMMIT_LINES_MAX = 10000,
    COMMIT_BYTES_MAX = 4 * 1024 * 1024,
    HEAD_BYTES_MAX = 4096,
    TIMEOUT_MS = 200,          /* where nothing tells of a growing file */
    TIMEOUT_NOTIFIED_MS = 2000 /* inotify misses changes made on another machine */
};

struct source_file {
    struct source base;
    struct source_options options;
    bool is_stdin;
    struct file file; /* closed for standard input */
    int notify_fd;    /* -1 = none */
    struct debezium *decoder;
    char *origin; /* "file PATH offset N" of the line at hand */
    size_t origin_head;

    struct buffer in; /* bytes that were read but not taken begin at in_at */
    size_t in_at;
    size_t scanned;    /* no newline between in_at and here */
    uint64_t position; /* after the last line that was taken */
    uint64_t read_to;  /* offset of the end of `in` */
    bool input_ended;  /* standard input: for good */
    bool ended;
    bool too_long; /* inside of a line too long to keep: its beginning is in long_head */
    uint64_t long_bytes;
    struct buffer long_head;

    struct buffer items; /* of one line */
    struct buffer out;   /* of the commit, what was not handed over yet */
    bool commit_begun;
    bool chunk_handed; /* the commit's first chunks are with the log */
    bool taken;        /* lines were taken since the last commit's end */
    uint64_t commit_xid;
    uint64_t commit_lines;
    uint64_t commit_bytes;
    bool head_known; /* file.head_* are in the log */

    uint64_t bytes_there; /* the file's size as last seen */
    int64_t commit_time_us;
};

static struct source_file *self(struct source *s)
{
    return (struct source_file *)(void *)s;
}

static const struct source_file *self_const(const struct source *s)
{
    return (const struct source_file *)(const void *)s;
}

static bool file_matches(const char *url)
{
    return strcmp(url, "-") == 0 || strncmp(url, "file:", 5) == 0;
}

static const char *path_of(const char *url)
{
    const char *path = url + strlen("file:");
    return strncmp(path, "///", 3) == 0 ? path + 2 : path;
}

/* ---- open and close ---- */

static void make_origin(struct source_file *f)
{
    char head[sizeof f->file.path + 32];
    if (f->is_stdin) {
        snprintf(head, sizeof head, "standard input offset ");
    } else {
        snprintf(head, sizeof head, "file %s offset ", f->file.path);
    }
    for (char *p = head; *p != '\0' && !bytes_is_utf8(bytes_of(head, strlen(head))); p++) {
        *p = (unsigned char)*p < 0x80 ? *p : '?';
    }
    f->origin_head = strlen(head);
    f->origin = mem_alloc(f->origin_head + BYTES_DIGITS_MAX + 1);
    memcpy(f->origin, head, f->origin_head + 1);
}

static bool known(const struct source_file *f, const char *name, uint64_t *out)
{
    return f->options.position != NULL && f->options.position(f->options.position_ctx, name, out);
}

/* Of the first `len` bytes. */
static enum status hash_head(const struct source_file *f, size_t len, uint64_t *out, struct error *err)
{
    uint8_t head[HEAD_BYTES_MAX];
    size_t got;
    TRY(file_read_at(&f->file, 0, head, len, &got, err));
    *out = checksum_xxh3(head, len);
    return STATUS_OK;
}

static enum status resume(struct source_file *f, struct error *err)
{
    uint64_t head_bytes = 0;
    uint64_t head_hash = 0;
    uint64_t hash;
    if (!known(f, "file.offset", &f->position)) {
        f->position = 0;
    }
    f->read_to = f->position;
    TRY(file_bytes(&f->file, &f->bytes_there, err));
    if (f->bytes_there < f->position) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "could not resume file %s at offset %" PRIu64 ": it has only %" PRIu64
                         " bytes, so it was truncated or replaced; give the whole file or begin with an empty store",
                         f->file.path, f->position, f->bytes_there);
    }
    f->head_known = known(f, "file.head_bytes", &head_bytes) && known(f, "file.head_hash", &head_hash);
    if (!f->head_known || head_bytes > HEAD_BYTES_MAX || head_bytes > f->bytes_there) {
        return STATUS_OK;
    }
    TRY(hash_head(f, (size_t)head_bytes, &hash, err));
    if (hash != head_hash) {
        return error_set(
            err, STATUS_MISMATCH, 0,
            "could not resume file %s at offset %" PRIu64
            ": it does not begin as the file that was read before; give that file or begin with an empty store",
            f->file.path, f->position);
    }
    return STATUS_OK;
}

static enum status open_path(struct source_file *f, const char *path, struct error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return error_set(
            err, STATUS_UNSUPPORTED, 0,
            "could not open source file %s: it is not a regular file; to read a pipe, make it standard input "
            "and give - as the source",
            path);
    }
    TRY(file_open(&f->file, path, (struct file_options){.write = false}, err));
    TRY(resume(f, err));
    if (!f->options.once) {
        f->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (f->notify_fd >= 0 && inotify_add_watch(f->notify_fd, path, IN_MODIFY) < 0) {
            close(f->notify_fd);
            f->notify_fd = -1;
        }
    }
    return STATUS_OK;
}

static void file_source_close(struct source *s)
{
    struct source_file *f = self(s);
    struct error ignored;
    if (f->chunk_handed) { /* half a commit: its lines are read again */
        (void)f->options.output.abandon(f->options.output.ctx, &ignored);
    }
    file_close(&f->file);
    if (f->notify_fd >= 0) {
        close(f->notify_fd);
    }
    debezium_free(f->decoder);
    mem_free(f->origin);
    buffer_release(&f->in);
    buffer_release(&f->long_head);
    buffer_release(&f->items);
    buffer_release(&f->out);
    mem_free(f);
}

static enum status file_source_open(struct source **out, const struct source_options *options, struct error *err)
{
    struct source_file *f = mem_zalloc(sizeof *f);
    f->base.methods = &source_file_methods;
    f->options = *options;
    f->options.url = NULL;
    f->file = FILE_CLOSED;
    f->notify_fd = -1;
    f->is_stdin = strcmp(options->url, "-") == 0;
    f->decoder = debezium_new(options->catalog, options->table_id_next);
    enum status st = debezium_configure(f->decoder, options->time_precision, options->unavailable_value, err);
    if (st == STATUS_OK && !f->is_stdin) {
        st = open_path(f, path_of(options->url), err);
    }
    if (st != STATUS_OK) {
        file_source_close(&f->base);
        return st;
    }
    make_origin(f);
    *out = &f->base;
    return STATUS_OK;
}

/* ---- commits ---- */

static enum status hand_over(struct source_file *f, bool last, struct error *err)
{
    uint64_t seq;
    TRY(f->options.output.append(f->options.output.ctx, buffer_bytes(&f->out), last, &seq, err));
    buffer_reset(&f->out);
    f->chunk_handed = !last;
    return STATUS_OK;
}

static void begin_commit(struct source_file *f, const struct debezium_meta *meta)
{
    event_append_commit(&f->out, meta->commit_time_us, meta->xid);
    f->commit_begun = true;
    f->commit_xid = meta->xid;
    f->commit_time_us = meta->commit_time_us != 0 ? meta->commit_time_us : f->commit_time_us;
}

static enum status append_positions(struct source_file *f, struct error *err)
{
    event_append_position(&f->out, f->is_stdin ? "stdin.offset" : "file.offset", f->position);
    if (f->is_stdin || f->head_known || f->position == 0) {
        return STATUS_OK;
    }
    size_t len = f->position < HEAD_BYTES_MAX ? (size_t)f->position : HEAD_BYTES_MAX;
    uint64_t hash;
    TRY(hash_head(f, len, &hash, err));
    event_append_position(&f->out, "file.head_bytes", len);
    event_append_position(&f->out, "file.head_hash", hash);
    f->head_known = true;
    return STATUS_OK;
}

/* Everything taken so far becomes a commit, with nothing but a position if it was nothing but lines to ignore. */
static enum status end_commit(struct source_file *f, struct error *err)
{
    if (!f->taken) {
        return STATUS_OK;
    }
    if (!f->commit_begun) {
        begin_commit(f, &(struct debezium_meta){.xid = 0});
    }
    TRY(append_positions(f, err));
    TRY(hand_over(f, true, err));
    f->commit_begun = false;
    f->taken = false;
    f->commit_lines = 0;
    f->commit_bytes = 0;
    return STATUS_OK;
}

static enum status add_items(struct source_file *f, struct error *err)
{
    if (f->out.len + f->items.len > SOURCE_CHUNK_BYTES_MAX - SOURCE_CHUNK_BYTES / 4) {
        TRY(hand_over(f, false, err));
    }
    buffer_append(&f->out, f->items.data, f->items.len);
    return f->out.len < SOURCE_CHUNK_BYTES ? STATUS_OK : hand_over(f, false, err);
}

/* ---- lines ---- */

/* The line's items are in f->items; it takes `bytes` of the input, its end included. */
static enum status account_line(struct source_file *f, enum debezium_outcome outcome, const struct debezium_meta *meta,
                                uint64_t bytes, struct error *err)
{
    if (outcome == DEBEZIUM_CHANGE && f->commit_begun && meta->xid != f->commit_xid) {
        TRY(end_commit(f, err));
    }
    f->position += bytes;
    f->taken = true;
    f->commit_lines += 1;
    f->commit_bytes += bytes;
    if (outcome != DEBEZIUM_IGNORED) {
        if (!f->commit_begun) {
            begin_commit(f, meta);
        }
        f->base.received += 1;
        TRY(add_items(f, err));
    }
    bool full = f->commit_lines >= COMMIT_LINES_MAX || f->commit_bytes >= COMMIT_BYTES_MAX;
    bool whole = !f->commit_begun || f->commit_xid == 0;
    return full && whole ? end_commit(f, err) : STATUS_OK;
}

static enum status take_long_line(struct source_file *f, uint64_t bytes, struct error *err)
{
    char reason[128];
    struct debezium_meta meta = {.xid = 0};
    snprintf(reason, sizeof reason, "a line of %" PRIu64 " bytes is longer than the limit of %d", bytes,
             LINE_BYTES_MAX);
    buffer_reset(&f->items);
    event_append_quarantine(&f->items, f->origin, reason, buffer_bytes(&f->long_head));
    f->too_long = false;
    buffer_reset(&f->long_head);
    TRY(source_quarantined(&f->options.output, buffer_bytes(&f->items), err));
    return account_line(f, DEBEZIUM_QUARANTINED, &meta, bytes, err);
}

/* The line of `len` bytes at in_at, with `end` bytes of line end behind it. */
static enum status take_line(struct source_file *f, size_t len, size_t end, struct error *err)
{
    struct debezium_meta meta;
    struct bytes line = bytes_of(f->in.data + f->in_at, len);
    f->in_at += len + end;
    f->scanned = f->in_at;
    bytes_put_digits(f->origin + f->origin_head, f->position);
    if (f->too_long) {
        uint64_t bytes = f->long_bytes + len + end;
        return take_long_line(f, bytes, err);
    }
    buffer_reset(&f->items);
    struct debezium_record record = {.value = line, .origin = f->origin};
    enum debezium_outcome outcome = debezium_decode(f->decoder, &record, &f->items, &meta);
    if (outcome == DEBEZIUM_QUARANTINED) {
        TRY(source_quarantined(&f->options.output, buffer_bytes(&f->items), err));
    }
    return account_line(f, outcome, &meta, len + end, err);
}

/* A line has grown past the limit: its beginning is kept, the rest is counted. */
static void drop_long(struct source_file *f)
{
    size_t len = f->in.len - f->in_at;
    if (!f->too_long) {
        buffer_reset(&f->long_head);
        buffer_append(&f->long_head, f->in.data + f->in_at, DEBEZIUM_BEGINNING_BYTES);
        f->too_long = true;
        f->long_bytes = 0;
    }
    f->long_bytes += len;
    buffer_reset(&f->in);
    f->in_at = 0;
    f->scanned = 0;
}

/* Takes whole lines out of the buffer until `*used` reaches the budget. `*dry` where no whole line is left. */
static enum status take_lines(struct source_file *f, uint64_t budget, uint64_t *used, bool *dry, struct error *err)
{
    *dry = false;
    while (*used < budget) {
        const uint8_t *from = f->in.data + f->scanned;
        const uint8_t *end = f->in.len > f->scanned ? memchr(from, '\n', f->in.len - f->scanned) : NULL;
        if (end == NULL) {
            f->scanned = f->in.len;
            *dry = true;
            if (f->in.len - f->in_at > LINE_BYTES_MAX || f->too_long) {
                drop_long(f);
            }
            return STATUS_OK;
        }
        size_t len = (size_t)(end - (f->in.data + f->in_at));
        if (len > LINE_BYTES_MAX && !f->too_long) {
            buffer_reset(&f->long_head);
            buffer_append(&f->long_head, f->in.data + f->in_at, DEBEZIUM_BEGINNING_BYTES);
            f->too_long = true;
            f->long_bytes = 0;
        }
        *used += len + 1;
        TRY(take_line(f, len, 1, err));
    }
    return STATUS_OK;
}

/* ---- input ---- */

/* Without waiting. `*got` 0 = nothing there now, or the end. */
static enum status read_stdin(struct source_file *f, uint8_t *to, size_t len, size_t *got, struct error *err)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    *got = 0;
    int ready = f->input_ended ? 0 : poll(&fd, 1, 0);
    if (ready <= 0) {
        return STATUS_OK;
    }
    ssize_t n = read(STDIN_FILENO, to, len);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return STATUS_OK;
    }
    if (n < 0) {
        return error_set(err, STATUS_IO, errno, "could not read standard input");
    }
    f->input_ended = n == 0;
    *got = (size_t)n;
    return STATUS_OK;
}

static enum status read_more(struct source_file *f, size_t *got, struct error *err)
{
    if (f->in_at > 0) {
        memmove(f->in.data, f->in.data + f->in_at, f->in.len - f->in_at);
        f->in.len -= f->in_at;
        f->scanned -= f->in_at;
        f->in_at = 0;
    }
    uint8_t *to = buffer_reserve(&f->in, READ_BYTES);
    if (f->is_stdin) {
        TRY(read_stdin(f, to, READ_BYTES, got, err));
    } else {
        enum status st = file_read_at(&f->file, f->read_to, to, READ_BYTES, got, err);
        if (st != STATUS_OK && st != STATUS_END) {
            return st;
        }
    }
    f->in.len += *got;
    f->read_to += *got;
    return STATUS_OK;
}

/* Has the file become shorter than what was read of it? */
static enum status check_size(struct source_file *f, struct error *err)
{
    if (f->is_stdin) {
        f->bytes_there = f->read_to;
        return STATUS_OK;
    }
    TRY(file_bytes(&f->file, &f->bytes_there, err));
    if (f->bytes_there < f->read_to) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "could not go on reading file %s at offset %" PRIu64 ": it has only %" PRIu64
                         " bytes now, so it was truncated; files to follow must only grow",
                         f->file.path, f->read_to, f->bytes_there);
    }
    return STATUS_OK;
}

static void drain_notices(const struct source_file *f)
{
    char notices[4096];
    while (f->notify_fd >= 0 && read(f->notify_fd, notices, sizeof notices) > 0) {
    }
}

/* Nothing more is there now. */
static enum status finish_turn(struct source_file *f, struct error *err)
{
    bool final = f->is_stdin ? f->input_ended : f->options.once;
    size_t rest = f->in.len - f->in_at;
    if (final && (rest > 0 || f->too_long)) {
        TRY(take_line(f, rest, 0, err));
    }
    TRY(end_commit(f, err));
    f->ended = final;
    return final ? STATUS_END : STATUS_OK;
}

static enum status file_poll(struct source *s, uint64_t budget_bytes, bool *more, struct error *err)
{
    struct source_file *f = self(s);
    uint64_t used = 0;
    bool dry = false;
    *more = false;
    if (f->ended) {
        return STATUS_END;
    }
    drain_notices(f);
    TRY(check_size(f, err));
    for (;;) {
        TRY(take_lines(f, budget_bytes, &used, &dry, err));
        if (!dry) {
            *more = true; /* the lines of a transaction may go on: its commit stays open */
            return f->commit_begun && f->commit_xid != 0 ? STATUS_OK : end_commit(f, err);
        }
        size_t got;
        TRY(read_more(f, &got, err));
        if (got == 0) {
            return finish_turn(f, err);
        }
    }
}

static int file_fd(const struct source *s)
{
    const struct source_file *f = self_const(s);
    return f->is_stdin ? STDIN_FILENO : f->notify_fd;
}

static int file_timeout_ms(const struct source *s)
{
    const struct source_file *f = self_const(s);
    return f->is_stdin || f->notify_fd >= 0 ? TIMEOUT_NOTIFIED_MS : TIMEOUT_MS;
}

static enum status file_acknowledge(struct source *s, uint64_t durable_seq_next, struct error *err)
{
    (void)s;
    (void)durable_seq_next;
    (void)err;
    return STATUS_OK; /* a file keeps its lines */
}

static void file_status(const struct source *s, struct source_status *out)
{
    const struct source_file *f = self_const(s);
    *out = (struct source_status){.connected = true,
                                  .lag_bytes = f->bytes_there > f->position ? f->bytes_there - f->position : 0,
                                  .commit_time_us = f->commit_time_us};
    snprintf(out->position, sizeof out->position, "%" PRIu64 " bytes", f->position);
}

const struct source_methods source_file_methods = {.matches = file_matches,
                                                   .open = file_source_open,
                                                   .close = file_source_close,
                                                   .poll = file_poll,
                                                   .fd = file_fd,
                                                   .timeout_ms = file_timeout_ms,
                                                   .acknowledge = file_acknowledge,
                                                   .status = file_status};
