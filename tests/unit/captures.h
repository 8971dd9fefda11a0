/* Records that a real Debezium wrote (tests/data/captures), for tests that decode them. */
#ifndef TESTS_CAPTURES_H
#define TESTS_CAPTURES_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <setjmp.h> /* before cmocka.h */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

/* The caller frees it. */
static inline char *captures_unpack(const char *path, size_t *len)
{
    char *packed;
    size_t packed_len;
    struct error err;
    if (file_read_all(path, &packed, &packed_len, &err) != STATUS_OK) {
        fail_msg("%s (tests run in the project's folder)", err.text);
    }
    size_t capacity = 32 * 1024 * 1024;
    char *text = mem_alloc(capacity);
    *len = ZSTD_decompress(text, capacity, packed, packed_len);
    assert_false(ZSTD_isError(*len));
    mem_free(packed);
    return text;
}

/* The records of a table under the connector's settings `mode`; the caller frees them. */
static inline char *captures_read(const char *mode, const char *table, size_t *len)
{
    char path[256];
    snprintf(path, sizeof path, "tests/data/captures/%s/%s.tsv.zst", mode, table);
    return captures_unpack(path, len);
}

/* The record in `line`: offset TAB headers TAB key TAB value-length TAB value. Returns the next line. */
static inline char *captures_record(char *line, const char *text_end, struct bytes *key, struct bytes *value)
{
    char *field[5] = {line};
    char *end = memchr(line, '\n', (size_t)(text_end - line));
    assert_non_null(end);
    for (int i = 1; i < 5; i++) {
        field[i] = memchr(field[i - 1], '\t', (size_t)(end - field[i - 1]));
        assert_non_null(field[i]);
        field[i] += 1;
    }
    *key = bytes_of(field[2], (size_t)(field[3] - field[2] - 1));
    *value = bytes_of(field[4], (size_t)(end - field[4]));
    return end + 1;
}

#endif
