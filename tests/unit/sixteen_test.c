/* What is found in sixteen bytes at once is what is found one by one, and in two words. */
#include "base/sixteen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_plain(uint8_t c)
{
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

static unsigned lead(const uint8_t *bytes, bool (*is)(uint8_t))
{
    unsigned n = 0;
    while (n < SIXTEEN && is(bytes[n])) {
        n += 1;
    }
    return n;
}

/* In memory of exactly sixteen bytes, so that the sanitizer sees a byte read too many. */
static void judge(const uint8_t *from)
{
    uint8_t *bytes = malloc(SIXTEEN);
    memcpy(bytes, from, SIXTEEN);
    assert_int_equal(sixteen_digits(bytes), lead(bytes, is_digit));
    assert_int_equal(sixteen_digits_anywhere(bytes), lead(bytes, is_digit));
    assert_int_equal(sixteen_plain(bytes), lead(bytes, is_plain));
    assert_int_equal(sixteen_plain_anywhere(bytes), lead(bytes, is_plain));
    free(bytes);
}

/* Every byte at every place, behind digits and anything else. */
static void leads_are_counted_to_the_byte(void **state)
{
    (void)state;
    uint8_t bytes[SIXTEEN];
    for (unsigned at = 0; at <= SIXTEEN; at++) {
        for (unsigned c = 0; c < 256; c++) {
            for (unsigned i = 0; i < SIXTEEN; i++) {
                bytes[i] = (uint8_t)(i < at ? '0' + (i * 7 + c) % 10 : i == at ? c : i * 37 + c);
            }
            judge(bytes);
            for (unsigned i = 0; i < at && i < SIXTEEN; i++) {
                bytes[i] = (uint8_t)(' ' + (i + c) % 2);
            }
            judge(bytes);
        }
    }
}

static void each_byte_that_differs_has_its_bit(void **state)
{
    (void)state;
    uint8_t a[SIXTEEN];
    uint8_t b[SIXTEEN];
    uint32_t seed = 1;
    for (unsigned round = 0; round < 1u << SIXTEEN; round++) {
        for (unsigned i = 0; i < SIXTEEN; i++) {
            seed = seed * 1664525u + 1013904223u;
            a[i] = (uint8_t)(seed >> 24);
            b[i] = (uint8_t)((round >> i & 1) != 0 ? a[i] ^ (1u << (seed >> 16) % 8) : a[i]);
        }
        assert_int_equal(sixteen_differing(a, b), round);
        assert_int_equal(sixteen_differing_anywhere(a, b), round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_are_counted_to_the_byte),
        cmocka_unit_test(each_byte_that_differs_has_its_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
