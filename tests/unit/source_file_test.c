/* The file source: commits and positions, resuming, growing and truncated files, long and bad lines. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "event/event.h"
#include "ingest/source_methods.h"
#include "sql/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char ddl[] = "CREATE TABLE s.t(id int PRIMARY KEY, v text);";

struct log {
    struct buffer text;   /* commits in words, "|" at the end of each */
    struct buffer commit; /* chunks of the unfinished one */
    uint64_t seq;
    uint64_t chunks;
    uint64_t abandoned;
    uint64_t offset; /* positions of finished commits */
    uint64_t head_bytes;
    uint64_t head_hash;
    bool has_offset;
};

struct fixture {
    struct catalog catalog;
    char path[64];
    char url[80];
    struct log log;
    struct source *source;
};

static void tell(struct log *log)
{
    struct packed_reader r = packed_reader_of(buffer_bytes(&log->commit));
    struct arena a = ARENA_EMPTY;
    struct error err;
    struct event e;
    while (event_read(&r, &a, &e, &err) == STATUS_OK) {
        if (e.kind == EVENT_COMMIT) {
            buffer_printf(&log->text, "xid %" PRIu64, e.xid);
        } else if (e.kind == EVENT_POSITION) {
            bool offset = e.name.len == 11 && memcmp(e.name.data, "file.offset", 11) == 0;
            bool hash = e.name.len == 14 && memcmp(e.name.data, "file.head_hash", 14) == 0;
            *(offset ? &log->offset : hash ? &log->head_hash : &log->head_bytes) = e.value;
            log->has_offset = true;
            if (offset) {
                buffer_printf(&log->text, " @%" PRIu64, e.value);
            }
        } else if (e.kind == EVENT_QUARANTINE) {
            buffer_printf(&log->text, " quarantine(%zu bytes)", e.raw.len);
        } else if (e.kind != EVENT_SCHEMA) {
            struct datum id;
            assert_int_equal(packed_read_datum(&r, TYPE_INT4, &a, &id, &err), STATUS_OK);
            buffer_printf(&log->text, " %" PRId64, id.v.i);
            for (uint32_t i = 1; i < e.column_count; i++) {
                assert_int_equal(packed_skip(&r, &err), STATUS_OK);
            }
        }
    }
    buffer_append_text(&log->text, "|");
    arena_release(&a);
}

static enum status append(void *ctx, struct bytes chunk, bool last, uint64_t *seq, struct error *err)
{
    struct log *log = ctx;
    (void)err;
    assert_true(chunk.len <= SOURCE_CHUNK_BYTES_MAX);
    buffer_append(&log->commit, chunk.data, chunk.len);
    *seq = log->seq;
    log->chunks += 1;
    if (last) {
        tell(log);
        buffer_reset(&log->commit);
        log->seq += 1;
    }
    return STATUS_OK;
}

static enum status abandon(void *ctx, struct error *err)
{
    struct log *log = ctx;
    (void)err;
    buffer_reset(&log->commit);
    log->abandoned += 1;
    return STATUS_OK;
}

static bool position(void *ctx, const char *name, uint64_t *value)
{
    struct log *log = ctx;
    *value = strcmp(name, "file.offset") == 0       ? log->offset
             : strcmp(name, "file.head_bytes") == 0 ? log->head_bytes
                                                    : log->head_hash;
    return log->has_offset;
}

static void fixture_init(struct fixture *f)
{
    struct error err;
    memset(f, 0, sizeof *f);
    assert_int_equal(sql_load_text(&f->catalog, "test.sql", ddl, &err), STATUS_OK);
    snprintf(f->path, sizeof f->path, "/tmp/logfold_source_file_XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    snprintf(f->url, sizeof f->url, "file:%s", f->path);
}

static void fixture_release(struct fixture *f)
{
    source_file_methods.close(f->source);
    unlink(f->path);
    buffer_release(&f->log.text);
    buffer_release(&f->log.commit);
    catalog_release(&f->catalog);
}

static void write_bytes(struct fixture *f, const char *mode, const void *data, size_t len)
{
    FILE *file = fopen(f->path, mode);
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void add(struct fixture *f, const char *text)
{
    write_bytes(f, "a", text, strlen(text));
}

static void add_row(struct fixture *f, int id, int xid)
{
    char line[256];
    char transaction[64] = "null";
    if (xid != 0) {
        snprintf(transaction, sizeof transaction, "{\"id\":\"%d:%d\"}", xid, id);
    }
    snprintf(line, sizeof line,
             "{\"after\":{\"id\":%d,\"v\":null},\"source\":{\"schema\":\"s\",\"table\":\"t\"},\"op\":\"c\","
             "\"transaction\":%s}\n",
             id, transaction);
    add(f, line);
}

static enum status open_source(struct fixture *f, bool once, struct error *err)
{
    struct source_options options = {.url = f->url,
                                     .catalog = &f->catalog,
                                     .output = {.ctx = &f->log, .append = append, .abandon = abandon},
                                     .position = position,
                                     .position_ctx = &f->log,
                                     .table_id_next = 1,
                                     .once = once};
    if (f->source != NULL) {
        source_file_methods.close(f->source);
        f->source = NULL;
    }
    assert_true(source_file_methods.matches(f->url));
    return source_file_methods.open(&f->source, &options, err);
}

static void open_ok(struct fixture *f, bool once)
{
    struct error err;
    if (open_source(f, once, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
}

static enum status poll_once(struct fixture *f, uint64_t budget, bool *more)
{
    struct error err;
    return source_file_methods.poll(f->source, budget, more, &err);
}

static void expect(struct fixture *f, const char *want)
{
    buffer_append_byte(&f->log.text, '\0');
    assert_string_equal((const char *)f->log.text.data, want);
    buffer_reset(&f->log.text);
}

static void a_poll_without_transactions_is_one_commit(void **state)
{
    (void)state;
    struct fixture f;
    bool more;
    fixture_init(&f);
    add_row(&f, 1, 0);
    add(&f, "\nnull\n{\"bad\n");
    add_row(&f, 2, 0);
    open_ok(&f, true);
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_END);
    assert_false(more);
    expect(&f, "xid 0 1 quarantine(5 bytes) 2 @196|");
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_END);
    expect(&f, "");
    fixture_release(&f);
}

static void lines_of_a_transaction_are_one_commit(void **state)
{
    (void)state;
    struct fixture f;
    bool more;
    fixture_init(&f);
    add_row(&f, 1, 7);
    add_row(&f, 2, 7);
    add_row(&f, 3, 8);
    add_row(&f, 4, 0);
    add_row(&f, 5, 0);
    open_ok(&f, true);
    for (int i = 0; i < 3; i++) { /* one line a poll: a transaction's commit stays open */
        assert_int_equal(poll_once(&f, 1, &more), STATUS_OK);
        assert_true(more);
    }
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_END);
    expect(&f, "xid 7 1 2 @200|xid 8 3 @300|xid 0 4 5 @484|");
    fixture_release(&f);
}

static void a_growing_file_is_followed_and_resumed(void **state)
{
    (void)state;
    struct fixture f;
    bool more;
    fixture_init(&f);
    open_ok(&f, false);
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    expect(&f, "");
    add_row(&f, 1, 0);
    add(&f, "{\"after\":{\"id\":2,\"v\":null},\"source\":{\"schema\":\"s\",");
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    expect(&f, "xid 0 1 @92|");
    add(&f, "\"table\":\"t\"},\"op\":\"c\"}");
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    expect(&f, "");
    open_ok(&f, false); /* again, from what the log has */
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    expect(&f, "");
    add(&f, "\n");
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    expect(&f, "xid 0 2 @165|");
    add(&f, "{\"after\":{\"id\":3,\"v\":null},\"source\":{\"schema\":\"s\",\"table\":\"t\"},\"op\":\"c\"}");
    open_ok(&f, true); /* a last line without its end is taken where nothing more is waited for */
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_END);
    expect(&f, "xid 0 3 @237|");
    fixture_release(&f);
}

static void a_file_that_is_not_the_same_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct error err;
    bool more;
    fixture_init(&f);
    add_row(&f, 1, 0);
    add_row(&f, 2, 0);
    open_ok(&f, false);
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    write_bytes(&f, "w", "{}\n", 3);
    assert_int_equal(source_file_methods.poll(f.source, 1 << 20, &more, &err), STATUS_MISMATCH);
    assert_non_null(strstr(err.text, "truncated"));
    assert_int_equal(open_source(&f, false, &err), STATUS_MISMATCH);
    assert_non_null(strstr(err.text, "it has only 3 bytes"));
    for (int i = 5; i < 9; i++) {
        add_row(&f, i, 0);
    }
    assert_int_equal(open_source(&f, false, &err), STATUS_MISMATCH);
    assert_non_null(strstr(err.text, "does not begin as"));
    snprintf(f.url, sizeof f.url, "file:/nowhere/at/all");
    assert_int_equal(open_source(&f, false, &err), STATUS_NOT_FOUND);
    snprintf(f.url, sizeof f.url, "file:/dev");
    assert_int_equal(open_source(&f, false, &err), STATUS_UNSUPPORTED);
    snprintf(f.url, sizeof f.url, "file:%s", f.path);
    f.log.has_offset = false;
    open_ok(&f, true);
    fixture_release(&f);
}

static void a_line_too_long_is_quarantined_and_skipped(void **state)
{
    (void)state;
    struct fixture f;
    bool more;
    fixture_init(&f);
    add_row(&f, 1, 0);
    size_t len = 40u << 20;
    char *line = mem_alloc(len);
    memset(line, 'x', len);
    line[len - 1] = '\n';
    write_bytes(&f, "a", line, len);
    add_row(&f, 2, 0);
    open_ok(&f, false);
    do {
        assert_int_equal(poll_once(&f, 4 << 20, &more), STATUS_OK);
    } while (more);
    expect(&f, "xid 0 1 quarantine(65536 bytes) @41943132|xid 0 2 @41943224|");
    fixture_release(&f);
    mem_free(line);
}

static void a_transaction_larger_than_a_chunk_is_handed_over_in_pieces(void **state)
{
    (void)state;
    struct fixture f;
    bool more;
    fixture_init(&f);
    struct buffer text = BUFFER_EMPTY;
    for (int i = 0; i < 60; i++) {
        buffer_printf(&text, "{\"after\":{\"id\":%d,\"v\":\"", i);
        memset(buffer_reserve(&text, 100000), 'y', 100000);
        text.len += 100000;
        buffer_append_text(
            &text,
            "\"},\"source\":{\"schema\":\"s\",\"table\":\"t\"},\"op\":\"c\",\"transaction\":{\"id\":\"9:1\"}}\n");
    }
    write_bytes(&f, "w", text.data, text.len);
    open_ok(&f, false);
    assert_int_equal(poll_once(&f, 4 << 20, &more), STATUS_OK);
    assert_true(more && f.log.seq == 0 && f.log.chunks > 2);
    struct error err;
    assert_int_equal(open_source(&f, true, &err), STATUS_OK); /* closing in the middle takes it back */
    assert_int_equal(f.log.abandoned, 1);
    while (poll_once(&f, 4 << 20, &more) == STATUS_OK) {
    }
    assert_true(f.log.seq == 1 && f.log.offset == text.len);
    buffer_release(&text);
    fixture_release(&f);
}

static void standard_input_is_read_to_its_end(void **state)
{
    (void)state;
    struct fixture f;
    bool more;
    int ends[2];
    fixture_init(&f);
    snprintf(f.url, sizeof f.url, "-");
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    open_ok(&f, false);
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    static const char row[] = "{\"id\":1,\"v\":null}\n{\"id\":2,\"v\":null}";
    assert_int_equal(write(ends[1], row, sizeof row - 1), sizeof row - 1);
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_OK);
    expect(&f, "xid 0 1|");
    close(ends[1]);
    assert_int_equal(poll_once(&f, 1 << 20, &more), STATUS_END);
    expect(&f, "xid 0 2|");
    dup2(kept, STDIN_FILENO);
    close(kept);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_without_transactions_is_one_commit),
        cmocka_unit_test(lines_of_a_transaction_are_one_commit),
        cmocka_unit_test(a_growing_file_is_followed_and_resumed),
        cmocka_unit_test(a_file_that_is_not_the_same_is_refused),
        cmocka_unit_test(a_line_too_long_is_quarantined_and_skipped),
        cmocka_unit_test(a_transaction_larger_than_a_chunk_is_handed_over_in_pieces),
        cmocka_unit_test(standard_input_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
