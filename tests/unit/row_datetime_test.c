/* Dates, times and intervals: what PostgreSQL 15 answered to the cases in tests/data/datetime_cases.tsv, and that what
 * is printed reads back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "row/datetime.h"
#include "row/decimal.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPERANDS = 3, FIELDS = 5, ROUNDS = 20000 };

struct test_case {
    struct bytes op;
    struct bytes x[OPERANDS];
    struct bytes want;
};

/* Where the operands are read and the answer is put; the operands must be good. */
struct answer {
    struct buffer text;
    struct error err;
    struct arena arena;
};

static bool is(struct bytes text, const char *word)
{
    return bytes_equal(text, bytes_of(word, strlen(word)));
}
static bool begins(struct bytes text, const char *word)
{
    return text.len >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}
static struct bytes after(struct bytes text, const char *word)
{
    return bytes_of(text.data + strlen(word), text.len - strlen(word));
}

static int64_t as_int(struct bytes text)
{
    char copy[32] = {0};
    memcpy(copy, text.data, text.len < 31 ? text.len : 31);
    return strtoll(copy, NULL, 10);
}
static double as_double(struct bytes text)
{
    char copy[64] = {0};
    memcpy(copy, text.data, text.len < 63 ? text.len : 63);
    return strtod(copy, NULL);
}
static int precision_of(struct bytes text)
{
    return text.len == 0 ? -1 : (int)as_int(text);
}
static int64_t as_date(struct bytes text, struct answer *a)
{
    int64_t out = 0;
    assert_int_equal(date_parse(text, &out, &a->err), STATUS_OK);
    return out;
}
static int64_t as_time(struct bytes text, struct answer *a)
{
    int64_t out = 0;
    assert_int_equal(time_parse(text, -1, &out, &a->err), STATUS_OK);
    return out;
}
static int64_t as_timestamp(struct bytes text, struct answer *a)
{
    int64_t out = 0;
    assert_int_equal(timestamp_parse(text, false, -1, &out, &a->err), STATUS_OK);
    return out;
}

static enum status answer_text(const struct test_case *c, struct answer *a)
{
    int64_t value = 0;
    int precision = precision_of(c->x[1]);
    if (is(c->op, "date")) {
        TRY(date_parse(c->x[0], &value, &a->err));
        date_print(value, &a->text);
    } else if (is(c->op, "time")) {
        TRY(time_parse(c->x[0], precision, &value, &a->err));
        time_print(value, &a->text);
    } else if (is(c->op, "interval")) {
        struct interval interval;
        TRY(interval_parse(c->x[0], precision, &interval, &a->err));
        interval_print(interval, &a->text);
    } else {
        bool with_zone = is(c->op, "timestamptz");
        TRY(timestamp_parse(c->x[0], with_zone, precision, &value, &a->err));
        timestamp_print(value, with_zone, &a->text);
    }
    return STATUS_OK;
}

/* Operations on intervals; the text of an operand may be refused, as PostgreSQL does in the same words. */
static enum status answer_interval(const struct test_case *c, struct answer *a)
{
    struct interval x;
    struct interval out;
    TRY(interval_parse(c->x[0], -1, &x, &a->err));
    if (is(c->op, "interval_add") || is(c->op, "interval_compare")) {
        struct interval y;
        TRY(interval_parse(c->x[1], -1, &y, &a->err));
        if (is(c->op, "interval_compare")) {
            int128 difference = interval_span(x) - interval_span(y);
            buffer_printf(&a->text, "%d", difference < 0 ? -1 : difference > 0 ? 1 : 0);
            return STATUS_OK;
        }
        TRY(interval_add(x, y, &out, &a->err));
    } else if (is(c->op, "interval_negate")) {
        TRY(interval_negate(x, &out, &a->err));
    } else if (is(c->op, "interval_multiply")) {
        TRY(interval_multiply(x, as_double(c->x[1]), &out, &a->err));
    } else if (is(c->op, "interval_divide")) {
        TRY(interval_divide(x, as_double(c->x[1]), &out, &a->err));
    } else if (is(c->op, "justify_hours")) {
        out = interval_justify_hours(x);
    } else {
        assert_true(is(c->op, "justify_days"));
        out = interval_justify_days(x);
    }
    uint8_t stored[16];
    interval_store(stored, out);
    interval_print(interval_load(stored), &a->text);
    return STATUS_OK;
}

static enum status answer_date(const struct test_case *c, struct answer *a)
{
    int64_t out = 0;
    if (is(c->op, "make_date")) {
        if (!date_from_parts(as_int(c->x[0]), (int)as_int(c->x[1]), (int)as_int(c->x[2]), &out)) {
            return error_set(&a->err, STATUS_INVALID, 0, "date field value out of range");
        }
        date_print(out, &a->text);
        return STATUS_OK;
    }
    int64_t x = as_date(c->x[0], a);
    if (is(c->op, "date_add")) {
        TRY(date_add_days(x, as_int(c->x[1]), &out, &a->err));
        date_print(out, &a->text);
    } else if (is(c->op, "date_subtract")) {
        TRY(date_subtract(x, as_date(c->x[1], a), &out, &a->err));
        buffer_printf(&a->text, "%lld", (long long)out);
    } else {
        TRY(date_to_timestamp(x, &out, &a->err));
        timestamp_print(out, false, &a->text);
    }
    return STATUS_OK;
}

static enum status answer_timestamp(const struct test_case *c, struct answer *a)
{
    int64_t out = 0;
    struct interval interval;
    if (is(c->op, "bin")) {
        TRY(interval_parse(c->x[0], -1, &interval, &a->err));
        TRY(timestamp_bin(interval, as_timestamp(c->x[1], a), as_timestamp(c->x[2], a), &out, &a->err));
        timestamp_print(out, false, &a->text);
        return STATUS_OK;
    }
    int64_t x = as_timestamp(c->x[0], a);
    if (is(c->op, "timestamp_to_date")) {
        date_print(timestamp_to_date(x), &a->text);
    } else if (is(c->op, "timestamp_to_time")) {
        if (x != TIMESTAMP_INFINITY && x != TIMESTAMP_MINUS_INFINITY) {
            time_print(timestamp_to_time(x), &a->text);
        }
    } else if (is(c->op, "age")) {
        int64_t y = as_timestamp(c->x[1], a);
        if (x == TIMESTAMP_MINUS_INFINITY || y == TIMESTAMP_MINUS_INFINITY) {
            return error_set(&a->err, STATUS_INVALID, 0, "timestamp out of range");
        }
        interval_print(timestamp_age(x, y), &a->text);
    } else if (is(c->op, "timestamp_subtract")) {
        TRY(timestamp_subtract(x, as_timestamp(c->x[1], a), &interval, &a->err));
        interval_print(interval, &a->text);
    } else {
        TRY(interval_parse(c->x[1], -1, &interval, &a->err));
        TRY(timestamp_add_interval(x, interval, &out, &a->err));
        timestamp_print(out, is(c->op, "timestamptz_add"), &a->text);
    }
    return STATUS_OK;
}

static enum status unknown_unit(struct bytes unit, const char *type_name, struct answer *a)
{
    return error_set(&a->err, STATUS_INVALID, 0, "unit \"%.*s\" not recognized for type %s", (int)unit.len,
                     (const char *)unit.data, type_name);
}

static enum status answer_extract(const struct test_case *c, struct answer *a)
{
    struct bytes kind = after(c->op, "extract_");
    enum datetime_field field;
    struct datetime_part part;
    struct interval interval;
    if (!datetime_field_from_name(c->x[0], &field)) {
        return unknown_unit(c->x[0], "", a);
    }
    if (is(kind, "date")) {
        TRY(date_extract(field, as_date(c->x[1], a), &part, &a->err));
    } else if (is(kind, "time")) {
        TRY(time_extract(field, as_time(c->x[1], a), &part, &a->err));
    } else if (is(kind, "interval")) {
        TRY(interval_parse(c->x[1], -1, &interval, &a->err));
        TRY(interval_extract(field, interval, &part, &a->err));
    } else {
        TRY(timestamp_extract(field, as_timestamp(c->x[1], a), is(kind, "timestamptz"), &part, &a->err));
    }
    if (part.infinite != 0) {
        buffer_append_text(&a->text, part.infinite > 0 ? "Infinity" : "-Infinity");
    } else if (!part.null) {
        struct datum d = decimal_from_int128(&a->arena, part.coefficient, part.scale);
        decimal_print(&d, &a->text);
    }
    return STATUS_OK;
}

static enum status answer_truncate(const struct test_case *c, struct answer *a)
{
    enum datetime_field field;
    bool known = datetime_field_from_name(c->x[0], &field);
    int64_t out = 0;
    struct interval interval;
    if (is(c->op, "trunc_interval")) {
        TRY(interval_parse(c->x[1], -1, &interval, &a->err));
        TRY(known ? interval_truncate(field, interval, &interval, &a->err) : unknown_unit(c->x[0], "interval", a));
        interval_print(interval, &a->text);
        return STATUS_OK;
    }
    int64_t x = as_timestamp(c->x[1], a);
    if (!known && (x == TIMESTAMP_INFINITY || x == TIMESTAMP_MINUS_INFINITY)) {
        out = x;
    } else {
        TRY(known ? timestamp_truncate(field, x, &out, &a->err)
                  : unknown_unit(c->x[0], "timestamp without time zone", a));
    }
    timestamp_print(out, false, &a->text);
    return STATUS_OK;
}

static enum status answer_case(const struct test_case *c, struct answer *a)
{
    static const char *const texts[] = {"date", "time", "timestamp", "timestamptz", "interval"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (is(c->op, texts[i])) {
            return answer_text(c, a);
        }
    }
    if (begins(c->op, "interval_") || begins(c->op, "justify_")) {
        return answer_interval(c, a);
    }
    if (begins(c->op, "extract_")) {
        return answer_extract(c, a);
    }
    if (begins(c->op, "trunc_")) {
        return answer_truncate(c, a);
    }
    if (is(c->op, "time_add")) {
        struct interval interval;
        TRY(interval_parse(c->x[1], -1, &interval, &a->err));
        time_print(time_add_interval(as_time(c->x[0], a), interval), &a->text);
        return STATUS_OK;
    }
    if (begins(c->op, "date_") || is(c->op, "make_date")) {
        return answer_date(c, a);
    }
    return answer_timestamp(c, a);
}

/* The name of a unit in a message is the library's own, not the spelling of the query. */
static bool is_about_unit(struct bytes message)
{
    return begins(message, "unit \"") || begins(message, "!unit \"");
}

static bool agrees(const struct test_case *c, enum status status, const struct answer *a)
{
    bool refused = c->want.len > 0 && c->want.data[0] == '!';
    if (status == STATUS_UNSUPPORTED) {
        /* The word could have been a zone's name. */
        return refused;
    }
    if (status == STATUS_OK || !refused) {
        return status == STATUS_OK && !refused && bytes_equal(buffer_bytes(&a->text), c->want);
    }
    if (is(c->op, "make_date") || begins(c->want, "!time zone \"")) {
        /* The words are the caller's; a zone's name is looked for last here, first there. */
        return true;
    }
    struct bytes text = bytes_of(a->err.text, strlen(a->err.text));
    return (is_about_unit(text) && is_about_unit(c->want)) || bytes_equal(text, after(c->want, "!"));
}

/* Takes one line of five fields; false at the end. */
static bool next_case(struct bytes *data, struct test_case *c)
{
    struct bytes fields[FIELDS];
    if (data->len == 0) {
        return false;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        const uint8_t *end = memchr(data->data, i + 1 < FIELDS ? '\t' : '\n', data->len);
        assert_non_null(end);
        fields[i] = bytes_of(data->data, (size_t)(end - data->data));
        *data = bytes_of(end + 1, data->len - fields[i].len - 1);
    }
    *c = (struct test_case){.op = fields[0], .x = {fields[1], fields[2], fields[3]}, .want = fields[4]};
    return true;
}

static void show(const struct test_case *c, enum status status, const struct answer *a)
{
    print_error("%.*s(%.*s | %.*s | %.*s): want %.*s, got %.*s%s\n", (int)c->op.len, (const char *)c->op.data,
                (int)c->x[0].len, (const char *)c->x[0].data, (int)c->x[1].len, (const char *)c->x[1].data,
                (int)c->x[2].len, (const char *)c->x[2].data, (int)c->want.len, (const char *)c->want.data,
                (int)a->text.len, a->text.len > 0 ? (const char *)a->text.data : "",
                status != STATUS_OK ? a->err.text : "");
}

static void answers_are_those_of_postgresql(void **state)
{
    (void)state;
    char *file = NULL;
    size_t file_len = 0;
    struct answer a = {.arena = ARENA_EMPTY};
    assert_int_equal(file_read_all("tests/data/datetime_cases.tsv", &file, &file_len, &a.err), STATUS_OK);
    struct bytes data = bytes_of(file, file_len);
    struct test_case c;
    size_t count = 0;
    size_t wrong = 0;
    while (next_case(&data, &c)) {
        buffer_reset(&a.text);
        enum status status = answer_case(&c, &a);
        if (!agrees(&c, status, &a)) {
            show(&c, status, &a);
            wrong++;
        }
        count++;
        arena_reset(&a.arena);
    }
    assert_true(count > 5000);
    assert_int_equal(wrong, 0);
    buffer_release(&a.text);
    mem_free(file);
    arena_release(&a.arena);
}

static void words_that_need_the_clock_or_a_zone_are_unsupported(void **state)
{
    (void)state;
    static const char *const texts[] = {"now",
                                        "today",
                                        "tomorrow",
                                        "yesterday",
                                        "today 10:00",
                                        "2024-01-05 10:00 PST",
                                        "2024-01-05 10:00 America/New_York",
                                        "2024-01-05 10:00 UTC+3"};
    struct error err;
    int64_t out = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bytes text = bytes_of(texts[i], strlen(texts[i]));
        assert_int_equal(date_parse(text, &out, &err), STATUS_UNSUPPORTED);
        assert_int_equal(timestamp_parse(text, true, -1, &out, &err), STATUS_UNSUPPORTED);
    }
    assert_int_equal(time_parse(bytes_of("now", 3), -1, &out, &err), STATUS_UNSUPPORTED);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 16;
}

static void check_round_trip(uint64_t *random, struct buffer *text)
{
    const int64_t min = INT64_C(-211813488000000000);
    const int64_t end = INT64_C(9223371331200000000);
    struct error err;
    int64_t back = 0;
    uint64_t bits = next_random(random) << 32 ^ next_random(random);
    int64_t us = (int64_t)(bits >> (next_random(random) % 40));
    us = us < 0 || us >= end ? end - 1 : us;
    us = next_random(random) % 2 == 0 ? min + us % -min : us;
    buffer_reset(text);
    timestamp_print(us, true, text);
    assert_int_equal(timestamp_parse(buffer_bytes(text), true, -1, &back, &err), STATUS_OK);
    assert_int_equal(back, us);
    struct interval interval = {
        .us = (int64_t)bits, .days = (int32_t)next_random(random), .months = (int32_t)next_random(random)};
    struct interval again;
    buffer_reset(text);
    interval_print(interval, text);
    if (interval.us > INT64_MIN) {
        assert_int_equal(interval_parse(buffer_bytes(text), -1, &again, &err), STATUS_OK);
        assert_true(again.us == interval.us && again.days == interval.days && again.months == interval.months);
    }
    int64_t days = -2451545 + (int64_t)(bits % 2147483494);
    buffer_reset(text);
    date_print(days, text);
    assert_int_equal(date_parse(buffer_bytes(text), &back, &err), STATUS_OK);
    assert_int_equal(back, days);
}

static void what_is_printed_reads_back(void **state)
{
    (void)state;
    uint64_t random = 20240229;
    struct buffer text = BUFFER_EMPTY;
    for (int i = 0; i < ROUNDS; i++) {
        check_round_trip(&random, &text);
    }
    buffer_release(&text);
}

/* Whatever the bytes are, the parsers end and stay inside them. */
static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    static const char letters[] = "0123456789 :.-+/TZPYMDHSjanfebcdygo,\x80\n";
    uint64_t random = 7;
    struct error err;
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t text[300];
        size_t len = next_random(&random) % (i % 16 == 0 ? 300 : 24);
        for (size_t j = 0; j < len; j++) {
            text[j] = i % 8 == 0 ? (uint8_t)next_random(&random)
                                 : (uint8_t)letters[next_random(&random) % (sizeof letters - 1)];
        }
        uint8_t *exact = mem_alloc(len);
        memcpy(exact, text, len);
        int64_t out = 0;
        struct interval interval;
        (void)date_parse(bytes_of(exact, len), &out, &err);
        (void)time_parse(bytes_of(exact, len), 3, &out, &err);
        (void)timestamp_parse(bytes_of(exact, len), i % 2 == 0, -1, &out, &err);
        (void)interval_parse(bytes_of(exact, len), -1, &interval, &err);
        mem_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_postgresql),
        cmocka_unit_test(words_that_need_the_clock_or_a_zone_are_unsupported),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
