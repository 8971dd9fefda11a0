/* What jansson refuses for reasons of its own is put right in a copy first: names with \u0000, and numbers that no
 * double can hold. A file of its own, since jansson's names of kinds are those of ingest/json.h. */
#include "json_judge.h"

#include "base/memory.h"

#include <jansson.h>
#include <string.h>

static void replace_nulls(char *text, size_t len)
{
    for (size_t i = 0; i + 6 <= len; i++) {
        if (memcmp(text + i, "\\u0000", 6) == 0) {
            text[i + 5] = '1';
        }
    }
}

static bool in_number(char c)
{
    return c != '\0' && strchr("0123456789+-.eE", c) != NULL;
}

/* Where the number that ends before `end` begins: a sign that is not an exponent's is its first character. */
static int number_start(const char *text, int end)
{
    int start = end;
    while (start > 0 && in_number(text[start - 1])) {
        start -= 1;
        bool sign = text[start] == '-' || text[start] == '+';
        if (sign && (start == 0 || (text[start - 1] != 'e' && text[start - 1] != 'E'))) {
            break;
        }
    }
    return start;
}

/* The number that ends before `end` becomes a small one of the same form: its exponent 0, few digits before that. */
static void replace_number(char *text, int end)
{
    int start = number_start(text, end);
    int mantissa_end = start;
    while (mantissa_end < end && text[mantissa_end] != 'e' && text[mantissa_end] != 'E' && text[mantissa_end] != '.') {
        mantissa_end += 1;
    }
    bool exponent = false;
    for (int i = start; i < end; i++) {
        exponent = exponent || text[i] == 'e' || text[i] == 'E';
        if (i < mantissa_end - 1) {
            text[i] = ' ';
        } else if (exponent && text[i] >= '0' && text[i] <= '9') {
            text[i] = '0';
        }
    }
}

bool json_judge_accepts(struct bytes document)
{
    json_error_t error;
    json_t *parsed;
    if (document.len == 0 || memchr(document.data, 0, document.len) != NULL) {
        return false; /* jansson steps over a null byte behind a number */
    }
    char *copy = mem_alloc(document.len + 1);
    memcpy(copy, document.data, document.len);
    replace_nulls(copy, document.len);
    for (;;) {
        parsed = json_loadb(copy, document.len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
        if (parsed != NULL || json_error_code(&error) != json_error_numeric_overflow) {
            break;
        }
        replace_number(copy, error.position);
    }
    bool accepted = parsed != NULL;
    json_decref(parsed);
    mem_free(copy);
    return accepted;
}
