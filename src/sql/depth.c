/* A guard before the parser: libpg_query and protobuf-c walk the parse tree by recursion without a limit of their own.
 *
 * The tree is at most as deep as there are tokens, on the levels of parentheses that are open, since the last comma or
 * clause keyword of that level: commas, AND, OR and clauses make siblings, not children. Chains of UNION and JOIN nest
 * to the left, so those words are counted for the whole statement. */
#include "sql/analyze.h"

struct span {
    uint32_t tokens[SQL_PARENTHESES_MAX + 1]; /* by open parenthesis: since the last separator */
    uint32_t sum;
    uint32_t depth;
    uint32_t chained; /* UNION, EXCEPT, INTERSECT, JOIN of this statement */
};

static bool is_separator(const struct sql *s, int32_t at, int32_t bytes)
{
    static const char *const words[] = {"AND",   "OR",    "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER",
                                        "LIMIT", "UNION", "WHEN",   "THEN", "ELSE",  "ON",    "WITH",   "WINDOW"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (sql_word_is(s, at, bytes, words[i])) {
            return true;
        }
    }
    return false;
}

static bool is_chaining(const struct sql *s, int32_t at, int32_t bytes)
{
    static const char *const words[] = {"UNION", "EXCEPT", "INTERSECT", "JOIN"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (sql_word_is(s, at, bytes, words[i])) {
            return true;
        }
    }
    return false;
}

static void restart(struct span *span)
{
    span->sum -= span->tokens[span->depth];
    span->tokens[span->depth] = 0;
}

static void count(struct span *span)
{
    span->tokens[span->depth] += 1;
    span->sum += 1;
}

/* One character that is no part of a word. */
static enum status punctuation(struct sql *s, struct span *span, int32_t at)
{
    switch (s->text[at]) {
    case '(':
    case '[':
        count(span);
        if (span->depth == SQL_PARENTHESES_MAX) {
            return sql_fail(s, STATUS_UNSUPPORTED, at, "more than %d open parentheses", SQL_PARENTHESES_MAX);
        }
        span->depth += 1;
        span->tokens[span->depth] = 0;
        return STATUS_OK;
    case ')':
    case ']':
        restart(span);
        span->depth -= span->depth > 0 ? 1 : 0;
        return STATUS_OK;
    case ',':
        restart(span);
        return STATUS_OK;
    case ';':
        *span = (struct span){.sum = 0};
        return STATUS_OK;
    default:
        count(span);
        return STATUS_OK;
    }
}

static enum status check_span(struct sql *s, const struct span *span, int32_t at)
{
    if (span->sum > SQL_SPAN_TOKENS_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, at, "an expression of more than %d words", SQL_SPAN_TOKENS_MAX);
    }
    if (span->chained > SQL_ARMS_MAX) {
        return sql_fail(s, STATUS_UNSUPPORTED, at, "a statement of more than %d joins and unions", SQL_ARMS_MAX);
    }
    return STATUS_OK;
}

enum status sql_check_depth(struct sql *s)
{
    struct span *span = arena_zalloc(s->arena, sizeof *span);
    int32_t end = (int32_t)s->text_bytes;
    for (int32_t at = 0; at < end;) {
        int32_t bytes = sql_word_bytes(s, at, end);
        bool blank = false;
        int32_t next = bytes > 0 ? at + bytes : sql_skip_one(s, at, end, &blank);
        if (bytes > 0) {
            span->chained += is_chaining(s, at, bytes) ? 1 : 0;
            if (is_separator(s, at, bytes)) {
                restart(span);
            }
            count(span);
        } else if (!blank) {
            TRY(punctuation(s, span, at));
        }
        TRY(check_span(s, span, at));
        at = next;
    }
    return STATUS_OK;
}
