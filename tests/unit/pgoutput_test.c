/* The pgoutput decoder against messages built by hand, each cut off at every byte, and against random bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "ingest/pgoutput.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put16(struct buffer *b, uint16_t v)
{
    store_be16(buffer_reserve(b, 2), v);
    b->len += 2;
}

static void put32(struct buffer *b, uint32_t v)
{
    store_be32(buffer_reserve(b, 4), v);
    b->len += 4;
}

static void put64(struct buffer *b, uint64_t v)
{
    store_be64(buffer_reserve(b, 8), v);
    b->len += 8;
}

static void put_text(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text) + 1);
}

static void put_value(struct buffer *b, char kind, const char *text)
{
    buffer_append_byte(b, (uint8_t)kind);
    if (text != NULL) {
        put32(b, (uint32_t)strlen(text));
        buffer_append_text(b, text);
    }
}

static void put_tuple(struct buffer *b, char tag, const char *first, const char *second)
{
    buffer_append_byte(b, (uint8_t)tag);
    put16(b, 4);
    put_value(b, 't', first);
    put_value(b, 'n', NULL);
    put_value(b, 'u', NULL);
    put_value(b, 'b', second);
}

/* Decodes from memory of exactly that size, so that a sanitizer sees any step too far. */
static enum status decode_exact(struct pgoutput_decoder *d, const uint8_t *data, size_t len, struct pgoutput_message *m,
                                uint8_t **copy)
{
    struct error err = {0};
    *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(*copy);
    memcpy(*copy, data, len);
    enum status st = pgoutput_decode(d, bytes_of(*copy, len), m, &err);
    if (st != STATUS_OK) {
        assert_int_equal(st, err.status);
        assert_true(strlen(err.text) > 0);
    }
    return st;
}

static void refuses_all_truncations(struct pgoutput_decoder *d, const struct buffer *b)
{
    struct pgoutput_message m;
    uint8_t *copy;
    for (size_t len = 0; len < b->len; len++) {
        assert_int_equal(decode_exact(d, b->data, len, &m, &copy), STATUS_INVALID);
        free(copy);
    }
    struct buffer longer = BUFFER_EMPTY;
    buffer_append(&longer, b->data, b->len);
    buffer_append_byte(&longer, 0);
    assert_int_equal(decode_exact(d, longer.data, longer.len, &m, &copy), STATUS_INVALID);
    free(copy);
    buffer_release(&longer);
}

struct fixture {
    struct pgoutput_decoder *d;
    struct buffer b;
    struct pgoutput_message m;
    uint8_t *copy;
};

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    f->d = mem_alloc(sizeof *f->d);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->copy);
    buffer_release(&f->b);
    mem_free(f->d);
    mem_free(f);
    return 0;
}

/* Decodes the fixture's bytes into f->m after all their truncations were refused. */
static void decode(struct fixture *f)
{
    refuses_all_truncations(f->d, &f->b);
    assert_int_equal(decode_exact(f->d, f->b.data, f->b.len, &f->m, &f->copy), STATUS_OK);
}

static void value_is(const struct pgoutput_tuple *t, uint32_t idx, char kind, const char *text)
{
    assert_int_equal(t->values[idx].kind, kind);
    assert_int_equal(t->values[idx].len, text == NULL ? 0 : strlen(text));
    if (text != NULL) {
        assert_memory_equal(t->values[idx].data, text, strlen(text));
    }
}

static void tuple_is(const struct pgoutput_tuple *t, char tag, const char *first, const char *second)
{
    assert_int_equal(t->tag, tag);
    assert_int_equal(t->count, 4);
    value_is(t, 0, 't', first);
    value_is(t, 1, 'n', NULL);
    value_is(t, 2, 'u', NULL);
    value_is(t, 3, 'b', second);
}

static void begin_is_decoded(void **state)
{
    struct fixture *f = *state;
    buffer_append_byte(&f->b, 'B');
    put64(&f->b, 0x0123456789abcdef);
    put64(&f->b, (uint64_t)-5);
    put32(&f->b, 777);
    decode(f);
    assert_int_equal(f->m.kind, PGOUTPUT_BEGIN);
    assert_true(f->m.lsn == 0x0123456789abcdef && f->m.time_us == -5 && f->m.xid == 777);
}

static void commit_is_decoded(void **state)
{
    struct fixture *f = *state;
    buffer_append_byte(&f->b, 'C');
    buffer_append_byte(&f->b, 0);
    put64(&f->b, 10);
    put64(&f->b, 20);
    put64(&f->b, 30);
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_COMMIT && f->m.lsn == 10 && f->m.end_lsn == 20 && f->m.time_us == 30);
}

static void origin_type_and_message_are_decoded(void **state)
{
    struct fixture *f = *state;
    buffer_append_byte(&f->b, 'O');
    put64(&f->b, 99);
    put_text(&f->b, "there");
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_ORIGIN && f->m.lsn == 99);
    assert_string_equal(f->m.name, "there");
    free(f->copy);
    buffer_reset(&f->b);
    buffer_append_byte(&f->b, 'Y');
    put32(&f->b, 16400);
    put_text(&f->b, "public");
    put_text(&f->b, "mood");
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_TYPE && f->m.oid == 16400);
    assert_string_equal(f->m.space, "public");
    assert_string_equal(f->m.name, "mood");
    free(f->copy);
    buffer_reset(&f->b);
    buffer_append_byte(&f->b, 'M');
    buffer_append_byte(&f->b, 1);
    put64(&f->b, 5);
    put_text(&f->b, "prefix");
    put32(&f->b, 3);
    buffer_append_text(&f->b, "abc");
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_MESSAGE && f->m.flags == 1 && f->m.content.len == 3);
    assert_memory_equal(f->m.content.data, "abc", 3);
}

static void relation_is_decoded(void **state)
{
    struct fixture *f = *state;
    buffer_append_byte(&f->b, 'R');
    put32(&f->b, 16385);
    put_text(&f->b, "operations");
    put_text(&f->b, "orders");
    buffer_append_byte(&f->b, 'd');
    put16(&f->b, 2);
    buffer_append_byte(&f->b, 1);
    put_text(&f->b, "order_id");
    put32(&f->b, 20);
    put32(&f->b, (uint32_t)-1);
    buffer_append_byte(&f->b, 0);
    put_text(&f->b, "");
    put32(&f->b, 1043);
    put32(&f->b, 504);
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_RELATION && f->m.oid == 16385 && f->m.identity == 'd' && f->m.column_count == 2);
    assert_string_equal(f->m.space, "operations");
    assert_string_equal(f->m.name, "orders");
    assert_true(f->m.columns[0].identity && !f->m.columns[1].identity);
    assert_string_equal(f->m.columns[0].name, "order_id");
    assert_true(f->m.columns[0].type_oid == 20 && f->m.columns[0].typmod == -1);
    assert_true(f->m.columns[1].type_oid == 1043 && f->m.columns[1].typmod == 504);
}

static void insert_is_decoded(void **state)
{
    struct fixture *f = *state;
    buffer_append_byte(&f->b, 'I');
    put32(&f->b, 7);
    put_tuple(&f->b, 'N', "42", "\x01\x02");
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_INSERT && f->m.oid == 7 && f->m.old_row.tag == 0);
    tuple_is(&f->m.new_row, 'N', "42", "\x01\x02");
}

static void update_is_decoded_without_and_with_an_old_row(void **state)
{
    struct fixture *f = *state;
    buffer_append_byte(&f->b, 'U');
    put32(&f->b, 7);
    put_tuple(&f->b, 'N', "", "x");
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_UPDATE && f->m.old_row.tag == 0);
    tuple_is(&f->m.new_row, 'N', "", "x");
    for (const char *tag = "KO"; *tag != '\0'; tag++) {
        free(f->copy);
        buffer_reset(&f->b);
        buffer_append_byte(&f->b, 'U');
        put32(&f->b, 7);
        put_tuple(&f->b, *tag, "old", "o");
        put_tuple(&f->b, 'N', "new", "n");
        decode(f);
        tuple_is(&f->m.old_row, *tag, "old", "o");
        tuple_is(&f->m.new_row, 'N', "new", "n");
    }
}

static void delete_is_decoded(void **state)
{
    struct fixture *f = *state;
    for (const char *tag = "KO"; *tag != '\0'; tag++) {
        free(f->copy);
        f->copy = NULL;
        buffer_reset(&f->b);
        buffer_append_byte(&f->b, 'D');
        put32(&f->b, 7);
        put_tuple(&f->b, *tag, "gone", "g");
        decode(f);
        assert_true(f->m.kind == PGOUTPUT_DELETE && f->m.new_row.tag == 0);
        tuple_is(&f->m.old_row, *tag, "gone", "g");
    }
}

static void truncate_is_decoded(void **state)
{
    struct fixture *f = *state;
    buffer_append_byte(&f->b, 'T');
    put32(&f->b, 2);
    buffer_append_byte(&f->b, 3);
    put32(&f->b, 11);
    put32(&f->b, 12);
    decode(f);
    assert_true(f->m.kind == PGOUTPUT_TRUNCATE && f->m.flags == 3 && f->m.relation_count == 2);
    assert_int_equal(pgoutput_relation(&f->m, 0), 11);
    assert_int_equal(pgoutput_relation(&f->m, 1), 12);
}

static void contradictions_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t len;
        enum status expected;
    } cases[] = {
        {"I\0\0\0\7X\0\0", 8, STATUS_INVALID},                   /* no new row */
        {"I\0\0\0\7N\0\1z", 9, STATUS_INVALID},                  /* a value of unknown kind */
        {"I\0\0\0\7N\0\1t\xff\xff\xff\xff", 13, STATUS_INVALID}, /* a negative length */
        {"I\0\0\0\7N\0\1t\x7f\xff\xff\xff", 13, STATUS_INVALID}, /* a length past the end */
        {"I\0\0\0\7N\xff\xff", 8, STATUS_INVALID},               /* more columns than there can be */
        {"D\0\0\0\7N\0\0", 8, STATUS_INVALID},                   /* a delete with a new row */
        {"U\0\0\0\7K\0\0K\0\0", 11, STATUS_INVALID},             /* two old rows */
        {"T\xff\xff\xff\xff\0\0\0\0\0", 10, STATUS_INVALID},     /* more tables than bytes */
        {"R\0\0\0\7a\0b\0d\xff\xff", 12, STATUS_INVALID},        /* more columns than there can be */
        {"S\0\0\0\1\1", 6, STATUS_UNSUPPORTED},                  /* streaming was not asked for */
        {"\0", 1, STATUS_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *copy;
        enum status st = decode_exact(f->d, (const uint8_t *)cases[i].bytes, cases[i].len, &f->m, &copy);
        free(copy);
        assert_int_equal(st, cases[i].expected);
    }
}

static void random_damage_never_reads_past_the_end(void **state)
{
    struct fixture *f = *state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    static const char kinds[] = "BCORYIUDTM";
    for (int round = 0; round < 200000; round++) {
        buffer_reset(&f->b);
        size_t len = (size_t)(rand_r(&seed) % 60);
        for (size_t i = 0; i < len; i++) { /* small bytes make plausible counts and lengths */
            int r = rand_r(&seed);
            buffer_append_byte(&f->b, (uint8_t)(r % 3 == 0 ? r >> 8 : r % 3 == 1 ? 0 : "NKOtnub"[(r >> 8) % 7]));
        }
        if (len > 0) {
            f->b.data[0] = (uint8_t)kinds[rand_r(&seed) % 10];
        }
        uint8_t *copy;
        enum status st = decode_exact(f->d, f->b.data, f->b.len, &f->m, &copy);
        assert_true(st == STATUS_OK || st == STATUS_INVALID);
        const struct pgoutput_tuple *rows[] = {&f->m.old_row, &f->m.new_row};
        for (size_t r = 0; st == STATUS_OK && r < 2; r++) {
            for (uint32_t i = 0; i < rows[r]->count; i++) {
                const struct pgoutput_value *v = &rows[r]->values[i];
                assert_true(v->len == 0 || (v->data >= copy && v->data + v->len <= copy + f->b.len));
            }
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(begin_is_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commit_is_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(origin_type_and_message_are_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relation_is_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(insert_is_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(update_is_decoded_without_and_with_an_old_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(delete_is_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncate_is_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contradictions_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_damage_never_reads_past_the_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
