/* Damage to the log's files: nothing is ever read back differently, nothing provably durable is lost silently, and a
 * torn tail is cut. Also the format itself: golden bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "log_fixture.h"

#include "base/checksum.h"
#include "base/message.h"

enum { BLOCKS_MAX = 64, CHECKSUM_TAIL = SEGMENT_HEADER_BYTES - 16 };

/* Where the blocks of a small log lie. */
struct layout {
    size_t segments;
    char *files[8];
    size_t lens[8];
    size_t count;
    struct memblock_place blocks[BLOCKS_MAX];
    uint64_t seq_next[BLOCKS_MAX];
    struct log_watermark end;
};

static void segment_name(const struct fixture *f, uint64_t idx, char *out)
{
    segment_path(out, f->path, idx);
}

static void file_put(const char *path, const char *data, size_t len)
{
    struct error err;
    struct file file;
    struct file_options options = {.write = true, .create = true, .truncate = true};
    assert_status(file_open(&file, path, options, &err), STATUS_OK, &err);
    assert_status(file_write_at(&file, 0, data, len, &err), STATUS_OK, &err);
    file_close(&file);
}

/* Small commits, each durable before the next, over `segments` segments; keeps what the files hold. */
static void small_log_make(struct fixture *f, struct layout *l, size_t segments)
{
    *l = (struct layout){.segments = segments};
    fixture_open(f, LOG_SEGMENT_BYTES_MIN);
    f->log->segment_bytes = SEGMENT_HEADER_BYTES + 1200;
    for (uint64_t tag = 1; f->log->shared->segment_count < segments || f->log->writer.segment.blocks < 3; tag++) {
        if (tag_chunks(tag) > 5 || tag_chunks(tag) == 1) {
            continue;
        }
        fixture_append(f, tag);
        struct memblock *b = ring_block(f->log, f->log->ring_end - 1);
        memblock_ref(b);
        assert_status(log_wait_durable(f->log, f->count, &f->err), STATUS_OK, &f->err);
        l->blocks[l->count] = b->place;
        l->seq_next[l->count++] = f->count;
        memblock_unref(b);
    }
    l->end = log_watermark(f->log);
    assert_int_equal(f->log->shared->segment_count, segments);
    fixture_close(f);
    for (size_t i = 0; i < segments; i++) {
        char path[SEGMENT_PATH_BYTES];
        segment_name(f, i, path);
        assert_status(file_read_all(path, &l->files[i], &l->lens[i], &f->err), STATUS_OK, &f->err);
    }
}

static void layout_release(struct layout *l)
{
    for (size_t i = 0; i < l->segments; i++) {
        mem_free(l->files[i]);
    }
}

static void layout_restore(const struct fixture *f, const struct layout *l)
{
    folder_clear(f->path);
    for (size_t i = 0; i < l->segments; i++) {
        char path[SEGMENT_PATH_BYTES];
        segment_name(f, i, path);
        file_put(path, l->files[i], l->lens[i]);
    }
}

/* Opens and reads all; every commit that is handed out must be the model's. Returns how it ended. */
static enum status read_what_is_there(struct fixture *f, struct log_watermark mark, bool read_only, uint64_t *seen)
{
    *seen = 0;
    struct log_options options = {.path = f->path, .read_only = read_only, .watermark = mark};
    enum status st = log_open(&f->log, &options, &f->err);
    if (st != STATUS_OK) {
        return st;
    }
    struct log_reader *r = NULL;
    st = log_reader_open(f->log, 0, &r, &f->err);
    for (uint64_t i = 0; st == STATUS_OK; i++) {
        struct store_chunk out;
        static uint8_t expected[50008];
        st = log_reader_next(r, &out, &f->err);
        if (st == STATUS_OK) {
            assert_true(out.seq < f->count && out.seq == *seen);
            size_t len = tag_chunk(f->tags[out.seq], (unsigned)i, expected);
            assert_true(bytes_equal(out.data, bytes_of(expected, len)));
            *seen += out.last ? 1 : 0;
            i = out.last ? UINT64_MAX : i;
        }
    }
    log_reader_close(r);
    enum status verified = log_verify(f->log, NULL, NULL, &f->err);
    assert_true(st != STATUS_END || verified == STATUS_OK);
    assert_true(st == STATUS_END || verified == st);
    fixture_close(f);
    return st == STATUS_END ? STATUS_OK : st;
}

/* What is refused must be left as it was found. */
static void assert_untouched(struct fixture *f, const char *path, size_t len)
{
    struct file file;
    uint64_t bytes;
    assert_status(file_open(&file, path, (struct file_options){0}, &f->err), STATUS_OK, &f->err);
    assert_status(file_bytes(&file, &bytes, &f->err), STATUS_OK, &f->err);
    assert_int_equal(bytes, len);
    file_close(&file);
}

static void a_log_cut_at_any_offset_opens_with_a_prefix(void **state)
{
    struct fixture *f = *state;
    struct layout l;
    small_log_make(f, &l, 1);
    assert_true(l.count >= 3);
    size_t whole = f->count;
    for (size_t cut = 0; cut < l.lens[0]; cut += cut < SEGMENT_HEADER_BYTES - 32 ? 13 : 1) {
        layout_restore(f, &l);
        char path[SEGMENT_PATH_BYTES];
        segment_name(f, 0, path);
        file_put(path, l.files[0], cut);
        uint64_t seen;
        f->count = whole;
        /* With the state's watermark it is lost data, at whatever offset. */
        assert_int_equal(read_what_is_there(f, l.end, false, &seen), STATUS_CORRUPT);
        assert_non_null(strstr(f->err.text, f->path));
        assert_untouched(f, path, cut);
        if (cut < SEGMENT_HEADER_BYTES) {
            assert_int_equal(read_what_is_there(f, (struct log_watermark){0}, false, &seen), STATUS_CORRUPT);
            continue;
        }
        uint64_t expected = 0;
        bool clean = cut == SEGMENT_HEADER_BYTES;
        for (size_t i = 0; i < l.count && l.blocks[i].offset_end <= cut; i++) {
            expected = l.seq_next[i];
            clean = l.blocks[i].offset_end == cut;
        }
        assert_int_equal(read_what_is_there(f, (struct log_watermark){0}, true, &seen), STATUS_OK);
        assert_int_equal(seen, expected);
        assert_int_equal(read_what_is_there(f, (struct log_watermark){0}, false, &seen), STATUS_OK);
        assert_int_equal(seen, expected);
        snprintf(path + strlen(path), sizeof path - strlen(path), ".torn-1");
        assert_int_equal(file_exists(path), !clean);
        f->count = expected;
        uint64_t replaced = f->tags[expected];
        fixture_open(f, 0);
        fixture_append(f, 3);
        fixture_reopen_durably(f);
        check_some(f, expected, 2);
        fixture_close(f);
        f->tags[expected] = replaced;
    }
    layout_release(&l);
}

static void a_flipped_bit_is_found_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    struct layout l;
    small_log_make(f, &l, 3);
    const struct memblock_place *last = &l.blocks[l.count - 1];
    assert_int_equal(last->segment_idx, 2);
    size_t cut = 0;
    for (size_t s = 0; s < l.segments; s++) {
        for (size_t at = 0; at<l.lens[s]; at += at> 96 && at < CHECKSUM_TAIL ? 29 : 1) {
            char path[SEGMENT_PATH_BYTES];
            segment_name(f, s, path);
            l.files[s][at] = (char)(l.files[s][at] ^ (1 << (at % 8)));
            uint64_t seen;
            file_put(path, l.files[s], l.lens[s]);
            assert_int_equal(read_what_is_there(f, l.end, false, &seen), STATUS_CORRUPT);
            assert_untouched(f, path, l.lens[s]);
            assert_int_equal(read_what_is_there(f, l.end, true, &seen), STATUS_CORRUPT);
            bool tail = s == 2 && at >= last->offset;
            struct log_watermark none = {0};
            enum status aside = read_what_is_there(f, none, true, &seen);
            assert_int_equal(aside, tail ? STATUS_OK : STATUS_CORRUPT);
            enum status st = read_what_is_there(f, none, false, &seen);
            assert_int_equal(st, tail ? STATUS_OK : STATUS_CORRUPT);
            if (tail) {
                assert_int_equal(seen, l.seq_next[l.count - 2]);
                cut++;
            }
            l.files[s][at] = (char)(l.files[s][at] ^ (1 << (at % 8)));
            if (tail) {
                layout_restore(f, &l);
            } else {
                file_put(path, l.files[s], l.lens[s]);
            }
        }
    }
    assert_int_equal(cut, last->offset_end - last->offset);
    uint64_t seen;
    assert_int_equal(read_what_is_there(f, l.end, false, &seen), STATUS_OK);
    assert_int_equal(seen, f->count);
    layout_release(&l);
}

/* One segment with blocks of one commit each, made by hand; blocks_durable of each is given. */
static void forge(struct fixture *f, const uint64_t *blocks_durable, size_t n, uint64_t *offsets, struct buffer *out)
{
    struct segment_header head = {.salt = 0x1122334455667788u};
    struct file file;
    folder_clear(f->path);
    assert_status(segment_create(f->path, &head, &file, &f->err), STATUS_OK, &f->err);
    struct block_coder *coder = block_coder_new();
    uint64_t chain = head.checksum;
    buffer_reset(out);
    for (size_t i = 0; i < n; i++) {
        uint8_t raw[6] = {5 << 1 | 1, 'a', 'b', 'c', 'd', (uint8_t)('0' + i)};
        struct block_header h = {.block_no = i,
                                 .seq_first = i,
                                 .commits_ended = 1,
                                 .raw_len = 6,
                                 .complete_len = 6,
                                 .blocks_durable = blocks_durable[i],
                                 .chain_prev = chain};
        offsets[i] = SEGMENT_HEADER_BYTES + out->len;
        assert_status(block_encode(coder, &h, raw, head.salt, out, &f->err), STATUS_OK, &f->err);
        chain = h.checksum;
    }
    assert_status(file_write_at(&file, SEGMENT_HEADER_BYTES, out->data, out->len, &f->err), STATUS_OK, &f->err);
    file_close(&file);
    block_coder_free(coder);
}

static void patch(struct fixture *f, uint64_t offset, const void *data, size_t len)
{
    char path[SEGMENT_PATH_BYTES];
    segment_name(f, 0, path);
    struct file file;
    assert_status(file_open(&file, path, (struct file_options){.write = true}, &f->err), STATUS_OK, &f->err);
    assert_status(file_write_at(&file, offset, data, len, &f->err), STATUS_OK, &f->err);
    file_close(&file);
}

static enum status open_count(struct fixture *f, uint64_t *seq_next)
{
    struct log_options options = {.path = f->path};
    enum status st = log_open(&f->log, &options, &f->err);
    *seq_next = st == STATUS_OK ? log_seq_next(f->log) : 0;
    fixture_close(f);
    return st;
}

static void a_hole_is_a_torn_tail_unless_a_later_block_knows_better(void **state)
{
    struct fixture *f = *state;
    struct buffer out = BUFFER_EMPTY;
    uint64_t offsets[4];
    uint64_t seq_next;
    /* Blocks 1..3 were written as one group after block 0 was durable: any of them may be missing. */
    const uint64_t one_group[4] = {0, 1, 1, 1};
    for (size_t hole = 1; hole < 4; hole++) {
        forge(f, one_group, 4, offsets, &out);
        uint8_t zeros[88] = {0};
        patch(f, offsets[hole], zeros, sizeof zeros);
        assert_status(open_count(f, &seq_next), STATUS_OK, &f->err);
        assert_int_equal(seq_next, hole);
    }
    forge(f, one_group, 4, offsets, &out);
    patch(f, offsets[0] + 81, "x", 1);
    assert_int_equal(open_count(f, &seq_next), STATUS_CORRUPT);
    /* Block 3 says that block 1 was durable, and block 2 not. */
    const uint64_t known[4] = {0, 1, 1, 2};
    forge(f, known, 4, offsets, &out);
    patch(f, offsets[1] + 20, "x", 1);
    assert_int_equal(open_count(f, &seq_next), STATUS_CORRUPT);
    assert_non_null(strstr(f->err.text, "0000000000000000.log at offset 4184: block header checksum"));
    forge(f, known, 4, offsets, &out);
    patch(f, offsets[2] + 20, "x", 1);
    assert_status(open_count(f, &seq_next), STATUS_OK, &f->err);
    assert_int_equal(seq_next, 2);
    buffer_release(&out);
}

static void forged_tails_are_told_from_blocks(void **state)
{
    struct fixture *f = *state;
    struct buffer out = BUFFER_EMPTY;
    uint64_t offsets[4];
    uint64_t seq_next;
    const uint64_t durable[2] = {0, 1};
    uint8_t tail[3000] = {0};
    forge(f, durable, 2, offsets, &out);
    patch(f, SEGMENT_HEADER_BYTES + out.len, tail, sizeof tail); /* zeros */
    assert_status(open_count(f, &seq_next), STATUS_OK, &f->err);
    assert_int_equal(seq_next, 2);
    random_fill(tail, sizeof tail, 3);
    forge(f, durable, 2, offsets, &out);
    patch(f, SEGMENT_HEADER_BYTES + out.len, tail, sizeof tail); /* noise */
    assert_status(open_count(f, &seq_next), STATUS_OK, &f->err);
    assert_int_equal(seq_next, 2);
    /* A valid block of another segment, and one of this segment in the wrong place. */
    forge(f, durable, 2, offsets, &out);
    uint8_t stale[88];
    memcpy(stale, out.data + 88, sizeof stale);
    stale[8] ^= 1;
    store_le64(stale + 72, checksum_xxh3_seeded(stale, 72, load_le64(stale + 8)));
    patch(f, SEGMENT_HEADER_BYTES + out.len, stale, sizeof stale);
    assert_status(open_count(f, &seq_next), STATUS_OK, &f->err);
    assert_int_equal(seq_next, 2);
    forge(f, durable, 2, offsets, &out);
    patch(f, SEGMENT_HEADER_BYTES + out.len, out.data, 88);
    assert_int_equal(open_count(f, &seq_next), STATUS_CORRUPT);
    assert_non_null(strstr(f->err.text, "block number"));
    buffer_release(&out);
}

static void a_missing_or_foreign_segment_is_named(void **state)
{
    struct fixture *f = *state;
    struct layout l;
    small_log_make(f, &l, 3);
    char path[SEGMENT_PATH_BYTES];
    uint64_t seen;
    for (size_t s = 0; s < 2; s++) {
        segment_name(f, s, path);
        unlink(path);
        assert_int_equal(read_what_is_there(f, (struct log_watermark){0}, s == 0, &seen), STATUS_CORRUPT);
        assert_non_null(strstr(f->err.text, path));
        layout_restore(f, &l);
    }
    segment_name(f, 2, path); /* the last one: only the watermark knows */
    unlink(path);
    assert_int_equal(read_what_is_there(f, l.end, false, &seen), STATUS_CORRUPT);
    assert_non_null(strstr(f->err.text, "restore the log"));
    layout_restore(f, &l);
    file_put(path, l.files[1], l.lens[1]);
    assert_int_equal(read_what_is_there(f, (struct log_watermark){0}, false, &seen), STATUS_CORRUPT);
    folder_clear(f->path);
    assert_int_equal(read_what_is_there(f, l.end, false, &seen), STATUS_CORRUPT);
    folder_clear(f->path);
    assert_int_equal(read_what_is_there(f, l.end, true, &seen), STATUS_NOT_FOUND);
    layout_restore(f, &l);
    l.files[2][8] = 2; /* another format */
    store_le64(l.files[2] + SEGMENT_HEADER_BYTES - 8, checksum_xxh3(l.files[2], SEGMENT_HEADER_BYTES - 8));
    segment_name(f, 2, path);
    file_put(path, l.files[2], l.lens[2]);
    assert_int_equal(read_what_is_there(f, (struct log_watermark){0}, false, &seen), STATUS_MISMATCH);
    layout_release(&l);
}

static void a_segment_of_another_log_is_found_by_the_chain(void **state)
{
    struct fixture *f = *state;
    struct layout l;
    struct layout other;
    small_log_make(f, &other, 3);
    fixture_clear(f);
    small_log_make(f, &l, 3);
    assert_int_equal(l.lens[1], other.lens[1]);
    char path[SEGMENT_PATH_BYTES];
    segment_name(f, 1, path);
    file_put(path, other.files[1], other.lens[1]);
    uint64_t seen;
    assert_int_equal(read_what_is_there(f, l.end, false, &seen), STATUS_CORRUPT);
    assert_non_null(strstr(f->err.text, "checksum of the segment before"));
    layout_release(&l);
    layout_release(&other);
}

static void a_half_made_segment_is_removed(void **state)
{
    struct fixture *f = *state;
    struct layout l;
    small_log_make(f, &l, 2);
    char path[SEGMENT_PATH_BYTES + 8];
    segment_name(f, 2, path);
    snprintf(path + strlen(path), sizeof path - strlen(path), ".tmp");
    file_put(path, l.files[0], 1000);
    uint64_t seen;
    assert_int_equal(read_what_is_there(f, l.end, false, &seen), STATUS_OK);
    assert_int_equal(seen, f->count);
    assert_false(file_exists(path));
    layout_release(&l);
}

/* Format version 1, as told in segment.c and block.c, with the salt 0x1122334455667788: commit 0 is ("a", ""), commit 1
 * is ("b", 40 times "z"), its second chunk in a second block. These bytes must be readable for ever. */
static const uint8_t golden_blocks[] = {
    0x4c, 0x46, 0x42, 0x31, 0x00, 0x00, 0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    0x05, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xf7, 0x83, 0x16, 0xf3, 0xc2, 0xb6, 0x53, 0xc2, 0x0c, 0x8c, 0xc6, 0x7d, 0x9a, 0xee, 0x1f, 0x7b,
    0x3f, 0x2e, 0x3e, 0x6a, 0x7f, 0x58, 0xdd, 0x4f, 0x02, 0x61, 0x01, 0x02, 0x62, 0x00, 0x00, 0x00, 0x4c, 0x46,
    0x42, 0x31, 0x01, 0x01, 0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x29, 0x00,
    0x00, 0x00, 0x29, 0x00, 0x00, 0x00, 0x11, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x3f, 0x2e, 0x3e, 0x6a, 0x7f, 0x58, 0xdd, 0x4f, 0xd9, 0x6e, 0x76, 0x73, 0x9f, 0x60, 0xf6, 0xa2, 0x88, 0xf1,
    0xe7, 0x8d, 0xa6, 0x24, 0x8f, 0xfa, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x29, 0x45, 0x00, 0x00, 0x10, 0x51, 0x7a,
    0x01, 0x00, 0x4a, 0x80, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void golden_segment_make(uint8_t page[static SEGMENT_HEADER_BYTES])
{
    static const uint8_t head[32] = {'L', 'O', 'G',  'F',  'O',  'L',  'D',  0,    1,    0,   0,
                                     0,   0,   0x10, 0,    0,    0,    0,    0,    0,    0,   0,
                                     0,   0,   0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    memset(page, 0, SEGMENT_HEADER_BYTES);
    memcpy(page, head, sizeof head);
    store_le64(page + SEGMENT_HEADER_BYTES - 8, 0xc253b6c2f31683f7u);
}

static void a_log_of_version_1_is_readable(void **state)
{
    struct fixture *f = *state;
    uint8_t page[SEGMENT_HEADER_BYTES];
    golden_segment_make(page);
    char path[SEGMENT_PATH_BYTES];
    segment_name(f, 0, path);
    file_put(path, (const char *)page, sizeof page);
    patch(f, SEGMENT_HEADER_BYTES, golden_blocks, sizeof golden_blocks);
    fixture_open(f, 0);
    assert_int_equal(log_seq_next(f->log), 2);
    assert_int_equal(log_bytes(f->log), sizeof page + sizeof golden_blocks);
    assert_int_equal(log_verify(f->log, NULL, NULL, &f->err), STATUS_OK);
    static const char *const chunks[4] = {"a", "", "b", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"};
    struct log_reader *r = reader_at(f, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct store_chunk out;
        assert_status(log_reader_next(r, &out, &f->err), STATUS_OK, &f->err);
        assert_true(bytes_equal(out.data, bytes_of(chunks[i], strlen(chunks[i]))));
        assert_int_equal(out.seq, i / 2);
        assert_int_equal(out.last, i % 2);
        assert_int_equal(out.block_offset, i < 3 ? 4096 : 4184);
    }
    assert_int_equal(next_status(r), STATUS_END);
    log_reader_close(r);
}

static void the_bytes_written_are_of_version_1(void **state)
{
    struct fixture *f = *state;
    struct segment_header head = {.salt = 0x1122334455667788u};
    struct file file;
    assert_status(segment_create(f->path, &head, &file, &f->err), STATUS_OK, &f->err);
    file_close(&file);
    char path[SEGMENT_PATH_BYTES];
    segment_name(f, 0, path);
    char *data;
    size_t len;
    assert_status(file_read_all(path, &data, &len, &f->err), STATUS_OK, &f->err);
    uint8_t page[SEGMENT_HEADER_BYTES];
    golden_segment_make(page);
    assert_int_equal(len, sizeof page);
    assert_memory_equal(data, page, sizeof page);
    mem_free(data);
    struct block_coder *coder = block_coder_new();
    struct buffer out = BUFFER_EMPTY;
    const uint8_t raw[5] = {2, 'a', 1, 2, 'b'};
    struct block_header h = {.commits_ended = 1, .raw_len = 5, .complete_len = 3, .chain_prev = head.checksum};
    assert_status(block_encode(coder, &h, raw, head.salt, &out, &f->err), STATUS_OK, &f->err);
    assert_int_equal(out.len, 88);
    assert_memory_equal(out.data, golden_blocks, out.len);
    buffer_release(&out);
    block_coder_free(coder);
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_log_cut_at_any_offset_opens_with_a_prefix),
        LOG_TEST(a_flipped_bit_is_found_wherever_it_is),
        LOG_TEST(a_hole_is_a_torn_tail_unless_a_later_block_knows_better),
        LOG_TEST(forged_tails_are_told_from_blocks),
        LOG_TEST(a_missing_or_foreign_segment_is_named),
        LOG_TEST(a_segment_of_another_log_is_found_by_the_chain),
        LOG_TEST(a_half_made_segment_is_removed),
        LOG_TEST(a_log_of_version_1_is_readable),
        LOG_TEST(the_bytes_written_are_of_version_1),
    };
    message_level_set(MESSAGE_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
