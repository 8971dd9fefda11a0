/* Digits read eight at a time give what reading them one by one gives. */
#include "base/digits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool slowly(const char *text, size_t len, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *out = *out * 10 + (uint64_t)(text[i] - '0');
    }
    return len > 0 && len <= DIGITS_MAX;
}

/* In memory of exactly `len` bytes, so that the sanitizer sees a byte read too many. */
static void judge(const char *text, size_t len)
{
    uint64_t wanted;
    uint64_t got;
    char *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, text, len);
    bool fine = slowly(text, len, &wanted);
    assert_int_equal(digits_whole(bytes_of(exact, len), &got), fine);
    if (fine) {
        assert_int_equal(got, wanted);
    }
    free(exact);
}

static void test_whole_numbers(void **state)
{
    (void)state;
    char text[32];
    uint64_t seed = 1;
    for (size_t len = 0; len <= 21; len++) {
        memset(text, '9', sizeof text);
        judge(text, len);
        memset(text, '0', sizeof text);
        judge(text, len);
        for (int i = 0; i < 2000; i++) {
            for (size_t k = 0; k < len; k++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
                text[k] = (char)('0' + (seed >> 33) % 10);
            }
            judge(text, len);
        }
    }
}

/* With nothing before them but what may be read. */
static void test_numbers_are_read_from_their_end(void **state)
{
    (void)state;
    uint8_t text[DIGITS_BEFORE_MAX];
    uint64_t seed = 1;
    uint64_t wanted;
    for (size_t len = 1; len <= DIGITS_BEFORE_MAX; len++) {
        for (int i = 0; i < 2000; i++) {
            for (size_t k = 0; k < sizeof text; k++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
                bool digit = k >= sizeof text - len;
                text[k] = (uint8_t)(digit ? '0' + (i == 0 ? 9 : (seed >> 33) % 10) : seed >> 40);
            }
            assert_true(slowly((const char *)text + sizeof text - len, len, &wanted));
            assert_int_equal(digits_before(text + sizeof text, len), wanted);
        }
    }
}

static void test_any_other_byte_is_found(void **state)
{
    (void)state;
    char text[DIGITS_MAX];
    for (size_t len = 1; len <= DIGITS_MAX; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                memset(text, '7', sizeof text);
                text[at] = (char)c;
                judge(text, len);
            }
        }
    }
}

static void test_digits_are_taken_off(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
        size_t left;
        bool any;
    } cases[] = {{"", 0, 0, false},
                 {"x1", 0, 2, false},
                 {"7", 7, 0, true},
                 {"823:27632208", 823, 9, true},
                 {"27632208\\\",\\\"27632320", 27632208, 13, true},
                 {"1795474540313434000,", UINT64_C(1795474540313434000), 1, true},
                 {"99999999999999999991", UINT64_C(9999999999999999999), 1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 0;
        struct bytes text = bytes_of(cases[i].text, strlen(cases[i].text));
        assert_int_equal(digits_take(&text, &value), cases[i].any);
        assert_int_equal(text.len, cases[i].left);
        assert_int_equal(value, cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_numbers), cmocka_unit_test(test_numbers_are_read_from_their_end),
        cmocka_unit_test(test_any_other_byte_is_found), cmocka_unit_test(test_digits_are_taken_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
