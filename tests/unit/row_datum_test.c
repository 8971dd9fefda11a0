/* Text and binary forms of every kind against what PostgreSQL 15 printed and sent (tests/data/datum_cases.tsv, made by
 * row_cases.py). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "row_fixture.h"

#include <stdio.h>

enum { SHOWN_FAILURES_MAX = 20, INTERVAL_FULL = 0x7fff };

static struct arena arena;

static const char *text_of(struct bytes b) /* valid until the arena is reset */
{
    return arena_strndup(&arena, (const char *)b.data, b.len);
}

/* What the grammar makes of the fields: the mask, and the precision after a parenthesis. */
static struct type_modifiers interval_modifiers(const char *text)
{
    static const struct {
        const char *fields;
        int32_t mask;
    } masks[] = {
        {"year to month", 4 | 2},
        {"day to hour", 8 | 1024},
        {"hour to minute", 1024 | 2048},
        {"minute to second", 2048 | 4096},
        {"year", 4},
        {"month", 2},
        {"day", 8},
        {"hour", 1024},
        {"second", 4096},
        {"", INTERVAL_FULL},
    };
    struct type_modifiers out = {.count = 1};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        if (strncmp(text, masks[i].fields, strlen(masks[i].fields)) == 0) {
            out.values[0] = masks[i].mask;
            break;
        }
    }
    const char *open = strchr(text, '(');
    if (open != NULL) {
        out.values[out.count++] = (int32_t)strtol(open + 1, NULL, 10);
    }
    return out;
}

static struct type type_of(const char *name, const char *modifiers)
{
    struct type type;
    struct error err;
    struct type_modifiers m = {.count = 0};
    if (modifiers[0] != '\0' && strcmp(name, "interval") == 0) {
        m = interval_modifiers(modifiers);
    } else if (modifiers[0] != '\0') {
        m.count = (size_t)sscanf(modifiers, "%d,%d", &m.values[0], &m.values[1]);
    }
    if (type_from_name(name, m, false, false, &type, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    return type;
}

static struct bytes from_hex(struct bytes hex)
{
    uint8_t *out = arena_alloc(&arena, hex.len / 2 + 1);
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        char pair[3] = {(char)hex.data[i], (char)hex.data[i + 1], '\0'};
        out[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return bytes_of(out, hex.len / 2);
}

static struct bytes printed(const struct type *type, const struct datum *d)
{
    struct buffer out = BUFFER_EMPTY;
    datum_print(type, d, &out);
    struct bytes copy = bytes_of(arena_strndup(&arena, out.len > 0 ? (const char *)out.data : "", out.len), out.len);
    buffer_release(&out);
    return copy;
}

/* What is wrong with the case, or NULL. */
static const char *check(const struct type *type, const struct bytes f[static 5])
{
    struct error err;
    struct datum d;
    struct datum received;
    if (datum_parse(type, f[2], &arena, &d, &err) != STATUS_OK) {
        const char *got = arena_printf(&arena, "!%s", err.text);
        return bytes_equal(f[3], bytes_of(got, strlen(got))) ? NULL : got;
    }
    struct bytes text = printed(type, &d);
    if (!bytes_equal(text, f[3])) {
        return arena_printf(&arena, "%.*s", (int)text.len, (const char *)text.data);
    }
    struct bytes wire = from_hex(f[4]);
    struct buffer sent = BUFFER_EMPTY;
    bool same = datum_send(type, &d, &sent, &err) == STATUS_OK && bytes_equal(buffer_bytes(&sent), wire);
    buffer_release(&sent);
    if (!same) {
        return "other bytes when sent";
    }
    if (datum_receive(type, wire, &arena, &received, &err) != STATUS_OK) {
        return arena_printf(&arena, "when received: %s", err.text);
    }
    return datum_identical(type->kind, &d, &received) ? NULL : "another value when received";
}

static void every_value_reads_prints_and_travels_as_in_postgresql(void **state)
{
    (void)state;
    char *data;
    size_t len;
    struct error err;
    struct bytes f[FIELDS_MAX];
    int failures = 0;
    int count = 0;
    assert_int_equal(file_read_all("tests/data/datum_cases.tsv", &data, &len, &err), STATUS_OK);
    char *next = data;
    size_t fields;
    while ((fields = next_fields(&next, f)) > 0) {
        assert_int_equal(fields, 5);
        struct type type = type_of(text_of(f[0]), text_of(f[1]));
        const char *wrong = check(&type, f);
        count++;
        if (wrong != NULL && failures++ < SHOWN_FAILURES_MAX) {
            print_error("%s(%s) '%s'\n  is  %s\n  not %s\n", text_of(f[0]), text_of(f[1]), text_of(f[2]), text_of(f[3]),
                        wrong);
        }
        arena_reset(&arena);
    }
    mem_free(data);
    assert_true(count > 1500);
    assert_int_equal(failures, 0);
}

static void random_values_come_back_from_text_and_from_the_wire(void **state)
{
    (void)state;
    struct random r = {42};
    for (int i = 0; i < 60000; i++) {
        enum type_kind kind = (enum type_kind)(1 + random_below(&r, TYPE_OTHER - 1));
        if (kind == TYPE_JSON || kind == TYPE_JSONB || kind == TYPE_DATE || kind == TYPE_TIMESTAMP ||
            kind == TYPE_TIMESTAMPTZ || kind == TYPE_INTERVAL) {
            continue; /* the random ones are no valid documents, or past PostgreSQL's years */
        }
        struct type type = type_make(kind);
        struct datum d = random_datum(&r, &arena, kind);
        struct datum back;
        struct error err;
        struct buffer sent = BUFFER_EMPTY;
        if (datum_parse(&type, printed(&type, &d), &arena, &back, &err) != STATUS_OK) {
            fail_msg("%s", err.text);
        }
        assert_true(datum_identical(kind, &d, &back));
        assert_int_equal(datum_send(&type, &d, &sent, &err), STATUS_OK);
        assert_int_equal(datum_receive(&type, buffer_bytes(&sent), &arena, &back, &err), STATUS_OK);
        assert_true(datum_identical(kind, &d, &back));
        buffer_release(&sent);
        arena_reset(&arena);
    }
}

static void cut_wire_bytes_are_refused(void **state)
{
    (void)state;
    static const uint8_t zeros[32];
    struct error err;
    struct datum d;
    for (int kind = TYPE_BOOL; kind < TYPE_OTHER; kind++) {
        struct type type = type_make((enum type_kind)kind);
        bool any_length = type_is_text(type.kind) || kind == TYPE_BYTEA;
        for (size_t len = 0; len < sizeof zeros && !any_length; len++) {
            enum status st = datum_receive(&type, bytes_of(zeros, len), &arena, &d, &err);
            bool fits = (kind == TYPE_BOOL && len == 1) || (kind == TYPE_INT2 && len == 2) ||
                        ((kind == TYPE_INT4 || kind == TYPE_FLOAT4 || kind == TYPE_DATE) && len == 4) ||
                        ((kind == TYPE_INT8 || kind == TYPE_FLOAT8 || kind == TYPE_TIME || kind == TYPE_TIMESTAMP ||
                          kind == TYPE_TIMESTAMPTZ || kind == TYPE_NUMERIC) &&
                         len == 8) ||
                        ((kind == TYPE_UUID || kind == TYPE_INTERVAL) && len == 16);
            assert_int_equal(st, fits ? STATUS_OK : STATUS_INVALID);
        }
    }
    struct type other = {.kind = TYPE_OTHER, .typmod = -1, .name = "point"};
    assert_int_equal(datum_receive(&other, bytes_of(zeros, 16), &arena, &d, &err), STATUS_UNSUPPORTED);
}

static void an_explicit_cast_cuts_where_an_assignment_refuses(void **state)
{
    (void)state;
    struct type varchar = {.kind = TYPE_VARCHAR, .typmod = 3 + 4};
    struct type bpchar = {.kind = TYPE_BPCHAR, .typmod = 3 + 4};
    struct datum d = datum_bytes(bytes_of("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 8));
    struct error err;
    assert_int_equal(datum_apply_typmod(&varchar, false, &arena, &d, &err), STATUS_INVALID);
    assert_string_equal(err.text, "value too long for type character varying(3)");
    assert_int_equal(datum_apply_typmod(&bpchar, false, &arena, &d, &err), STATUS_INVALID);
    assert_string_equal(err.text, "value too long for type character(3)");
    assert_int_equal(datum_apply_typmod(&varchar, true, &arena, &d, &err), STATUS_OK);
    assert_int_equal(d.len, 6);
    d = datum_bytes(bytes_of("a", 1));
    assert_int_equal(datum_apply_typmod(&bpchar, true, &arena, &d, &err), STATUS_OK);
    assert_true(bytes_equal(datum_as_bytes(&d), bytes_of("a  ", 3)));
}

static void equal_values_of_different_images_compare_equal_and_are_not_identical(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *a;
        const char *b;
    } pairs[] = {
        {"numeric", "1.0", "1.00"},
        {"numeric", "1e30", "1000000000000000000000000000000.0"},
        {"float8", "0", "-0"},
        {"float4", "0", "-0"},
        {"bpchar", "a", "a  "},
        {"interval", "1 mon", "30 days"},
        {"interval", "1 day", "24:00:00"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct type type = type_of(pairs[i].type, "");
        struct datum a;
        struct datum b;
        struct error err;
        assert_int_equal(datum_parse(&type, bytes_of(pairs[i].a, strlen(pairs[i].a)), &arena, &a, &err), STATUS_OK);
        assert_int_equal(datum_parse(&type, bytes_of(pairs[i].b, strlen(pairs[i].b)), &arena, &b, &err), STATUS_OK);
        assert_int_equal(datum_compare(type.kind, &a, &b), 0);
        assert_false(datum_identical(type.kind, &a, &b));
        assert_true(datum_identical(type.kind, &a, &a));
        assert_true(type_is_image_lossy(type.kind));
    }
}

static void json_deeper_than_the_limit_is_unsupported(void **state)
{
    (void)state;
    char text[130];
    struct type type = type_make(TYPE_JSONB);
    struct datum d;
    struct error err;
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_int_equal(datum_parse(&type, bytes_of(text, 130), &arena, &d, &err), STATUS_UNSUPPORTED);
    assert_int_equal(datum_parse(&type, bytes_of(text + 1, 128), &arena, &d, &err), STATUS_OK);
    assert_int_equal(d.len, 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_reads_prints_and_travels_as_in_postgresql),
        cmocka_unit_test(random_values_come_back_from_text_and_from_the_wire),
        cmocka_unit_test(cut_wire_bytes_are_refused),
        cmocka_unit_test(an_explicit_cast_cuts_where_an_assignment_refuses),
        cmocka_unit_test(equal_values_of_different_images_compare_equal_and_are_not_identical),
        cmocka_unit_test(json_deeper_than_the_limit_is_unsupported),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
