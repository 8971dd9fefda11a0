/* The JSON scanner: what it accepts and refuses (RFC 8259), that nothing is read past the end, and texts of strings. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"
#include "ingest/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes the whole document, by one call. */
static bool accepts(const void *data, size_t len)
{
    struct json_scan s = json_scan_of(bytes_of(data, len));
    struct json_value v;
    return json_scan_value(&s, &v) && json_scan_end(&s);
}

static bool walk(struct json_scan *s)
{
    enum json_kind kind;
    struct json_value v;
    if (!json_scan_peek(s, &kind)) {
        return json_scan_value(s, &v);
    }
    if (kind == JSON_OBJECT) {
        bool first = true;
        if (!json_scan_object(s)) {
            return false;
        }
        for (; json_scan_member(s, first, &v); first = false) {
            if (!walk(s)) {
                return false;
            }
        }
    } else if (kind == JSON_ARRAY) {
        bool first = true;
        if (!json_scan_array(s)) {
            return false;
        }
        for (; json_scan_element(s, first); first = false) {
            if (!walk(s)) {
                return false;
            }
        }
    } else {
        return json_scan_value(s, &v);
    }
    return !json_scan_failed(s);
}

/* The same by entering every container, from memory of exactly that size. */
static bool accepts_walking(const void *data, size_t len)
{
    uint8_t *exact = mem_alloc(len);
    memcpy(exact, data, len);
    struct json_scan s = json_scan_of(bytes_of(exact, len));
    bool ok = walk(&s) && json_scan_end(&s);
    assert_true(accepts(exact, len) == ok);
    mem_free(exact);
    return ok;
}

static const char *const valid[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1.5",
    "1e5",
    "1E+5",
    "1.25e-300",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
    "\"\\ud83d\\ude00\"",
    "\"\xc3\xa9\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\\u0000\"",
    "\"\x7f\"",
    "[]",
    "{}",
    " [ ] ",
    "[1,2]",
    "[[[]]]",
    "{\"a\":1}",
    "{\"a\":{\"b\":[null,true]}}",
    "{\"\":0}",
    "{\"a\":1,\"a\":2}",
    "\t\r\n 1 \n",
    "[ 1 , { \"a\" : [ ] } ]",
    "\"\xed\x9f\xbf\"",
    "\"\xee\x80\x80\"",
    "\"\xf4\x8f\xbf\xbf\"",
    ("\"aaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9"
     "aaaaaaaaaaa\\n\""),
};

static const char *const invalid[] = {
    "",
    " ",
    "nul",
    "nulls",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "+1",
    "01",
    "-01",
    "1.",
    ".5",
    "1.e5",
    "1e",
    "1e+",
    "-",
    "0x10",
    "1 2",
    "\"",
    "\"a",
    "\"\\",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\t\"",
    "\"\n\"",
    "\"\\ud83d\"",
    "\"\\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\\ud83dx\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xe2\x82\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\x80\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{'a':1}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{1:1}",
    "{\"a\":1]",
    "[]]",
    "{}}",
    "[1],",
    "\"a\"b",
    "/**/1",
    ("\xef\xbb\xbf"
     "1"),
    "\"\\U0041\"",
    "\f1",
    "\"\\'\"",
    "[\"a\":1]",
    "1,",
    "--1",
    "1e5.5",
    "\"\\u\"",
    "truefalse",
};

static void valid_documents_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        if (!accepts_walking(valid[i], strlen(valid[i]))) {
            fail_msg("refused: %s", valid[i]);
        }
    }
}

static void invalid_documents_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        if (accepts_walking(invalid[i], strlen(invalid[i]))) {
            fail_msg("accepted: %s", invalid[i]);
        }
    }
    assert_false(accepts_walking("\"a\0b\"", 5));
    assert_false(accepts_walking("1\0", 2));
}

static void every_document_cut_off_is_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1.5,true,null,\"x\\u00e9\\ud83d\\ude00\xc3\xa9\",{\"b\":{}}],\"c\":-2e+7}";
    assert_true(accepts_walking(text, strlen(text)));
    for (size_t len = 0; len < strlen(text); len++) {
        assert_false(accepts_walking(text, len));
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    char text[4 * JSON_SCAN_DEPTH_MAX + 8];
    for (size_t depth = JSON_SCAN_DEPTH_MAX - 1; depth <= JSON_SCAN_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_true(accepts_walking(text, 2 * depth) == (depth <= JSON_SCAN_DEPTH_MAX));
    }
    struct buffer deep = BUFFER_EMPTY;
    for (int i = 0; i < 100000; i++) {
        buffer_append_text(&deep, "{\"a\":[");
    }
    assert_false(accepts(deep.data, deep.len));
    buffer_release(&deep);
}

static void strings_give_their_text(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {{"\"plain\"", "plain"},
                 {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
                 {"\"x\\u0041\\u00e9\\u20ac\\ud83d\\ude00y\"", "xA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80y"},
                 {"\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80"}};
    struct arena a = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_scan s = json_scan_of(bytes_of(cases[i].json, strlen(cases[i].json)));
        struct json_value v;
        assert_true(json_scan_value(&s, &v));
        struct bytes text = json_value_text(&v, &a);
        assert_int_equal(text.len, strlen(cases[i].text));
        assert_memory_equal(text.data, cases[i].text, text.len);
        assert_true(json_value_is(&v, cases[i].text));
        assert_false(json_value_is(&v, "x"));
        assert_false(json_value_is(&v, "xA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
        assert_false(json_value_is(&v, "plain and more"));
    }
    arena_release(&a);
}

static void failures_say_where_and_why(void **state)
{
    (void)state;
    char reason[JSON_SCAN_REASON_BYTES];
    struct json_scan s = json_scan_of(bytes_of("{\"a\":1,}", 8));
    struct json_value v;
    assert_false(json_scan_value(&s, &v));
    json_scan_reason(&s, reason);
    assert_string_equal(reason, "not valid JSON at byte 7: a member without a quoted name");
}

/* Mutations of a valid document: both ways of reading agree, and a sanitizer sees any step too far. */
static void both_ways_agree_on_mutations(void **state)
{
    (void)state;
    static const char text[] =
        "{\"before\":null,\"after\":{\"id\":1,\"n\":-1.5e7,\"t\":\"h\xc3\xa9\\n\\ud83d\\ude00\"},"
        "\"l\":[1,2,[true,false,{}]]}";
    static const char bytes[] = "{}[]\",:\\u0eE.-+tfn \x80\xff";
    unsigned seed = 20240229;
    size_t accepted = 0;
    for (int i = 0; i < 100000; i++) {
        char copy[sizeof text];
        size_t len = sizeof text - 1;
        memcpy(copy, text, len);
        for (int k = 1 + (int)(seed % 3); k > 0; k--) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % len] = bytes[(seed >> 24) % (sizeof bytes - 1)];
        }
        seed = seed * 1664525u + 1013904223u;
        accepted += accepts_walking(copy, seed % 4 == 0 ? (seed >> 8) % len : len);
    }
    assert_true(accepted > 100 && accepted < 90000);
}

/* What json_take_usual takes of `text`, before which and behind which nothing more than it needs may be read:
 * json_scan_value takes the same. */
static bool takes_usual(const char *text, size_t len)
{
    char *exact = mem_alloc(JSON_DIGITS_BYTES + len);
    memset(exact, ' ', JSON_DIGITS_BYTES);
    memcpy(exact + JSON_DIGITS_BYTES, text, len);
    struct json_scan slow = json_scan_of(bytes_of(exact + JSON_DIGITS_BYTES, len));
    struct json_value got;
    struct json_value wanted;
    uint64_t number;
    uint64_t value = 0;
    const uint8_t *behind = json_take_usual(slow.next, true, &got);
    if (behind != NULL) {
        assert_true(json_scan_value(&slow, &wanted));
        assert_ptr_equal(behind, slow.next);
        assert_int_equal(got.kind, wanted.kind);
        assert_int_equal(got.escaped, wanted.escaped);
        assert_ptr_equal(got.text.data, wanted.text.data);
        assert_int_equal(got.text.len, wanted.text.len);
        bool plain = json_plain_number(&got, &number);
        assert_int_equal(plain, got.kind == JSON_NUMBER && got.text.len <= DIGITS_BEFORE_MAX);
        assert_true(!plain || (digits_whole(got.text, &value) && value == number));
    }
    mem_free(exact);
    return behind != NULL;
}

static void usual_values_are_taken_as_any_are(void **state)
{
    (void)state;
    static const char digits[] = "12345678901234567890123456789012345";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOP";
    static const char behind[] = ",}]. eE0:\"\\";
    static const char rest[] = "\"next\":12345678,\"more\":\"text that goes on\"}";
    char text[256];
    size_t taken = 0;
    for (size_t b = 0; b < sizeof behind - 1; b++) {
        for (int len = 0; len <= 35; len++) {
            int n = snprintf(text, sizeof text, "%.*s%c%s", len, digits, behind[b], rest);
            taken += takes_usual(text, (size_t)n);
            n = snprintf(text, sizeof text, "\"%.*s\"%c%s", len, letters, behind[b], rest);
            taken += takes_usual(text, (size_t)n);
            for (int at = 1; at <= len; at++) { /* a byte that is special in a text, anywhere in it */
                char was = text[at];
                for (const char *c = "\"\\\n\x1f\x7f\x80\xc3"; *c != '\0'; c++) {
                    text[at] = *c;
                    (void)takes_usual(text, (size_t)n);
                }
                text[at] = was;
            }
        }
    }
    assert_int_equal(taken, 3 * (32 + 33)); /* digits, and texts up to 32 bytes, before a comma or a bracket */
    assert_false(takes_usual("-1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18", 45));
    assert_false(takes_usual("01,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18", 45));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_documents_are_accepted),      cmocka_unit_test(invalid_documents_are_refused),
        cmocka_unit_test(every_document_cut_off_is_refused), cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(strings_give_their_text),           cmocka_unit_test(failures_say_where_and_why),
        cmocka_unit_test(both_ways_agree_on_mutations),      cmocka_unit_test(usual_values_are_taken_as_any_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
