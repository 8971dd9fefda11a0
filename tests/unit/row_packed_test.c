/* Our msgpack against msgpack-c's, random round trips, and damaged bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "row_fixture.h"

#include "row/packed.h"

#include <msgpack.h>

static struct arena arena;

static uint64_t fail_seed;

static void check(bool ok, enum type_kind kind)
{
    if (!ok) {
        fail_msg("kind %d, seed %llu", (int)kind, (unsigned long long)fail_seed);
    }
}

static enum type_kind random_kind(struct random *r)
{
    return (enum type_kind)(1 + random_below(r, TYPE_OTHER));
}

static struct datum random_or_null(struct random *r, enum type_kind kind)
{
    uint64_t pick = random_below(r, 12);
    return pick == 0 ? DATUM_NULL : pick == 1 ? DATUM_MISSING : random_datum(r, &arena, kind);
}

static void every_value_comes_back_as_it_was(void **state)
{
    (void)state;
    struct buffer out = BUFFER_EMPTY;
    for (fail_seed = 1; fail_seed <= 60000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = random_kind(&r);
        struct datum d = random_or_null(&r, kind);
        struct datum back;
        struct error err;
        buffer_reset(&out);
        packed_append_datum(&out, kind, &d);
        struct packed_reader reader = packed_reader_of(buffer_bytes(&out));
        check(packed_read_datum(&reader, kind, &arena, &back, &err) == STATUS_OK, kind);
        check(reader.next == reader.end && datum_identical(kind, &d, &back), kind);
        reader = packed_reader_of(buffer_bytes(&out));
        check(packed_skip(&reader, &err) == STATUS_OK && reader.next == reader.end, kind);
        check(packed_next_is_nil(&(struct packed_reader){out.data, out.data + out.len}) == (d.null && !d.missing),
              kind);
        arena_reset(&arena);
    }
    buffer_release(&out);
}

/* What msgpack-c makes of the bytes is the value, and it writes the same bytes. */
static bool agrees(const msgpack_object *o, enum type_kind kind, const struct datum *d)
{
    if (d->null) {
        return d->missing ? o->type == MSGPACK_OBJECT_EXT && o->via.ext.type == 3 : o->type == MSGPACK_OBJECT_NIL;
    }
    if (type_is_integer(kind) || (kind >= TYPE_DATE && kind <= TYPE_TIMESTAMPTZ)) {
        return d->v.i >= 0 ? o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 == (uint64_t)d->v.i
                           : o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER && o->via.i64 == d->v.i;
    }
    switch ((int)kind) {
    case TYPE_BOOL:
        return o->type == MSGPACK_OBJECT_BOOLEAN && o->via.boolean == (d->v.i != 0);
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return o->type == (kind == TYPE_FLOAT4 ? MSGPACK_OBJECT_FLOAT32 : MSGPACK_OBJECT_FLOAT64) &&
               datum_identical(kind, &(struct datum){.v.d = o->via.f64}, d);
    case TYPE_NUMERIC:
        return !d->big && d->len == 0
                   ? o->type == MSGPACK_OBJECT_POSITIVE_INTEGER || o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER
                   : o->type == MSGPACK_OBJECT_EXT;
    case TYPE_INTERVAL:
        return o->type == MSGPACK_OBJECT_EXT && o->via.ext.size == 16 && memcmp(o->via.ext.ptr, d->v.p, 16) == 0;
    case TYPE_BYTEA:
    case TYPE_UUID:
        return o->type == MSGPACK_OBJECT_BIN &&
               bytes_equal(bytes_of(o->via.bin.ptr, o->via.bin.size), datum_as_bytes(d));
    default:
        return o->type == MSGPACK_OBJECT_STR &&
               bytes_equal(bytes_of(o->via.str.ptr, o->via.str.size), datum_as_bytes(d));
    }
}

static void msgpack_c_reads_the_same_value_and_writes_the_same_bytes(void **state)
{
    (void)state;
    struct buffer out = BUFFER_EMPTY;
    for (fail_seed = 1; fail_seed <= 20000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = random_kind(&r);
        struct datum d = random_or_null(&r, kind);
        msgpack_unpacked theirs;
        msgpack_sbuffer again;
        size_t offset = 0;
        buffer_reset(&out);
        packed_append_datum(&out, kind, &d);
        msgpack_unpacked_init(&theirs);
        msgpack_sbuffer_init(&again);
        check(msgpack_unpack_next(&theirs, (const char *)out.data, out.len, &offset) == MSGPACK_UNPACK_SUCCESS, kind);
        check(offset == out.len && agrees(&theirs.data, kind, &d), kind);
        msgpack_packer packer;
        msgpack_packer_init(&packer, &again, msgpack_sbuffer_write);
        msgpack_pack_object(&packer, theirs.data);
        check(bytes_equal(buffer_bytes(&out), bytes_of(again.data, again.size)), kind);
        msgpack_sbuffer_destroy(&again);
        msgpack_unpacked_destroy(&theirs);
        arena_reset(&arena);
    }
    buffer_release(&out);
}

static void array_headers_agree_with_msgpack_c(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 15, 16, 17, 255, 256, 65535, 65536, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct buffer out = BUFFER_EMPTY;
        struct error err;
        uint32_t count;
        msgpack_sbuffer theirs;
        msgpack_packer packer;
        msgpack_sbuffer_init(&theirs);
        msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
        msgpack_pack_array(&packer, counts[i]);
        packed_append_array(&out, counts[i]);
        assert_true(bytes_equal(buffer_bytes(&out), bytes_of(theirs.data, theirs.size)));
        struct packed_reader r = packed_reader_of(buffer_bytes(&out));
        assert_int_equal(packed_read_array(&r, &count, &err), STATUS_OK);
        assert_int_equal(count, counts[i]);
        msgpack_sbuffer_destroy(&theirs);
        buffer_release(&out);
    }
}

static void numbers_texts_and_bytes_come_back(void **state)
{
    (void)state;
    struct random r = {3};
    struct buffer out = BUFFER_EMPTY;
    for (int i = 0; i < 20000; i++) {
        struct error err;
        int64_t number = random_int(&r, INT64_MIN, INT64_MAX);
        uint64_t unsigned_number = random_next(&r) >> random_below(&r, 64);
        struct datum text = random_text(&r, &arena, true);
        int64_t got;
        uint64_t got_unsigned;
        struct bytes got_str;
        struct bytes got_bin;
        buffer_reset(&out);
        packed_append_int(&out, number);
        packed_append_uint(&out, unsigned_number);
        packed_append_str(&out, datum_as_bytes(&text));
        packed_append_bin(&out, datum_as_bytes(&text));
        struct packed_reader reader = packed_reader_of(buffer_bytes(&out));
        assert_int_equal(packed_read_int(&reader, &got, &err), STATUS_OK);
        assert_int_equal(packed_read_uint(&reader, &got_unsigned, &err), STATUS_OK);
        assert_int_equal(packed_read_str(&reader, &got_str, &err), STATUS_OK);
        assert_int_equal(packed_read_bin(&reader, &got_bin, &err), STATUS_OK);
        assert_true(got == number && got_unsigned == unsigned_number && reader.next == reader.end);
        assert_true(bytes_equal(got_str, datum_as_bytes(&text)) && bytes_equal(got_bin, datum_as_bytes(&text)));
        arena_reset(&arena);
    }
    buffer_release(&out);
}

/* The copy has exactly the bytes that are left, so that the sanitizer sees a read past them. */
static enum status read_cut(struct bytes all, size_t len, enum type_kind kind, bool skip)
{
    struct error err;
    struct datum d;
    uint8_t *copy = mem_alloc(len);
    memcpy(copy, all.data, len);
    struct packed_reader r = packed_reader_of(bytes_of(copy, len));
    enum status st = skip ? packed_skip(&r, &err) : packed_read_datum(&r, kind, &arena, &d, &err);
    mem_free(copy);
    return st;
}

static void every_truncation_is_corrupt(void **state)
{
    (void)state;
    struct buffer out = BUFFER_EMPTY;
    for (fail_seed = 1; fail_seed <= 4000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = random_kind(&r);
        struct datum d = random_or_null(&r, kind);
        buffer_reset(&out);
        packed_append_datum(&out, kind, &d);
        for (size_t len = 0; len < out.len && len < 300; len++) {
            check(read_cut(buffer_bytes(&out), len, kind, false) == STATUS_CORRUPT, kind);
            check(read_cut(buffer_bytes(&out), len, kind, true) == STATUS_CORRUPT, kind);
        }
        arena_reset(&arena);
    }
    buffer_release(&out);
}

/* Whatever the bytes are: a status, and a value that can be written and read again. */
static void any_bytes_are_a_value_or_corrupt(void **state)
{
    (void)state;
    struct buffer out = BUFFER_EMPTY;
    for (fail_seed = 1; fail_seed <= 200000; fail_seed++) {
        struct random r = {fail_seed};
        enum type_kind kind = random_kind(&r);
        size_t len = random_below(&r, 24);
        uint8_t *bytes = arena_alloc(&arena, len + 1);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)(i == 0                ? 0xc0 + random_below(&r, 0x30)
                                 : random_below(&r, 2) ? random_below(&r, 4)
                                                       : random_next(&r));
        }
        struct packed_reader reader = packed_reader_of(bytes_of(bytes, len));
        struct datum d;
        struct datum back;
        struct error err;
        enum status st = packed_read_datum(&reader, kind, &arena, &d, &err);
        check(st == STATUS_OK || st == STATUS_CORRUPT, kind);
        if (st == STATUS_OK) {
            check(reader.next <= reader.end, kind);
            buffer_reset(&out);
            packed_append_datum(&out, kind, &d);
            reader = packed_reader_of(buffer_bytes(&out));
            check(packed_read_datum(&reader, kind, &arena, &back, &err) == STATUS_OK &&
                      datum_identical(kind, &d, &back),
                  kind);
        }
        arena_reset(&arena);
    }
    buffer_release(&out);
}

static void a_value_of_another_kind_is_corrupt(void **state)
{
    (void)state;
    static const struct {
        enum type_kind kind;
        const char *bytes;
        size_t len;
    } cases[] = {
        {TYPE_BOOL, "\x01", 1},
        {TYPE_INT2, "\xcd\x80\x00", 3},
        {TYPE_INT4, "\xce\x80\x00\x00\x00", 5},
        {TYPE_INT8, "\xcf\x80\0\0\0\0\0\0\0", 9},
        {TYPE_TIME, "\xff", 1},
        {TYPE_DATE,
         "\xa1"
         "1",
         2},
        {TYPE_FLOAT8, "\xca\0\0\0\0", 5},
        {TYPE_FLOAT4, "\xcb\0\0\0\0\0\0\0\0", 9},
        {TYPE_TEXT, "\xc4\x00", 2},
        {TYPE_BYTEA, "\xa0", 1},
        {TYPE_UUID, "\xc4\x01\x00", 3},
        {TYPE_INTERVAL, "\x00", 1},
        {TYPE_INTERVAL, "\xd4\x02\x00", 3},
        {TYPE_NUMERIC, "\xd4\x01\x02", 3},
        {TYPE_NUMERIC, "\xd4\x04\x03", 3},
        {TYPE_NUMERIC, "\xd6\x01\x80\x80\x01\x05", 6}, /* scale 16384 */
        {TYPE_TEXT, "\xd4\x03\x01", 3},
        {TYPE_TEXT, "\xc1", 1},
        {TYPE_TEXT, "\x80", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct packed_reader r = packed_reader_of(bytes_of(cases[i].bytes, cases[i].len));
        struct datum d;
        struct error err;
        if (packed_read_datum(&r, cases[i].kind, &arena, &d, &err) != STATUS_CORRUPT) {
            fail_msg("case %zu", i);
        }
    }
}

static void skipping_steps_over_nested_arrays_up_to_the_limit(void **state)
{
    (void)state;
    for (size_t depth = 1; depth <= 9; depth++) {
        struct buffer out = BUFFER_EMPTY;
        struct error err;
        for (size_t i = 0; i < depth; i++) {
            packed_append_array(&out, i + 1 < depth ? 1 : 2);
        }
        packed_append_int(&out, -5);
        packed_append_str(&out, bytes_of("abc", 3));
        size_t end = out.len;
        packed_append_nil(&out);
        struct packed_reader r = packed_reader_of(buffer_bytes(&out));
        if (depth < 8) {
            assert_int_equal(packed_skip(&r, &err), STATUS_OK);
            assert_true(r.next == out.data + end);
            assert_true(packed_next_is_nil(&r));
        } else if (depth > 8) {
            assert_int_equal(packed_skip(&r, &err), STATUS_CORRUPT);
        }
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_comes_back_as_it_was),
        cmocka_unit_test(msgpack_c_reads_the_same_value_and_writes_the_same_bytes),
        cmocka_unit_test(array_headers_agree_with_msgpack_c),
        cmocka_unit_test(numbers_texts_and_bytes_come_back),
        cmocka_unit_test(every_truncation_is_corrupt),
        cmocka_unit_test(any_bytes_are_a_value_or_corrupt),
        cmocka_unit_test(a_value_of_another_kind_is_corrupt),
        cmocka_unit_test(skipping_steps_over_nested_arrays_up_to_the_limit),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
