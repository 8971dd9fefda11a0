/* LIKE and ILIKE. Bytes are matched where that is right; only _ steps over whole UTF-8 characters. */
#include "expr/function.h"

#include "expr/utf8.h"

#include <string.h>

enum match { MATCH_YES, MATCH_NO, MATCH_BAD_ESCAPE };

/* Matches all of `text`. On a mismatch the last % takes one character more and matching goes on from there: earlier
 * ones need not be tried again. */
static enum match match(struct bytes text, struct bytes pattern)
{
    size_t t = 0;
    size_t p = 0;
    size_t star = SIZE_MAX; /* just past the last % seen */
    size_t star_text = 0;
    for (;;) {
        if (p < pattern.len && pattern.data[p] == '%') {
            star = ++p;
            star_text = t;
            if (p == pattern.len) {
                return MATCH_YES;
            }
            continue;
        }
        bool literal = p < pattern.len;
        size_t at = p;
        if (literal && pattern.data[p] == '\\') {
            at = p + 1;
            if (at == pattern.len && t < text.len) {
                return MATCH_BAD_ESCAPE;
            }
        }
        if (p == pattern.len && t == text.len) {
            return MATCH_YES;
        }
        if (t == text.len) {
            return MATCH_NO;
        }
        if (literal && pattern.data[p] == '_') {
            t += utf8_step(text, t);
            p++;
        } else if (literal && text.data[t] == pattern.data[at]) {
            t++;
            p = at + 1;
        } else if (star != SIZE_MAX) {
            star_text += utf8_step(text, star_text);
            t = star_text;
            p = star;
        } else {
            return MATCH_NO;
        }
    }
}

static enum status like_bytes(struct bytes text, struct bytes pattern, bool wanted, struct datum *out,
                              const struct eval *e)
{
    enum match m = match(text, pattern);
    if (m == MATCH_BAD_ESCAPE) {
        return error_set(e->err, STATUS_INVALID, 0, "LIKE pattern must not end with escape character");
    }
    out->v.i = (m == MATCH_YES) == wanted;
    return STATUS_OK;
}

static enum status like(const struct datum *x, struct datum *out, const struct eval *e)
{
    return like_bytes(datum_as_bytes(&x[0]), datum_as_bytes(&x[1]), true, out, e);
}

static enum status not_like(const struct datum *x, struct datum *out, const struct eval *e)
{
    return like_bytes(datum_as_bytes(&x[0]), datum_as_bytes(&x[1]), false, out, e);
}

static enum status ilike_as(const struct datum *x, bool wanted, struct datum *out, const struct eval *e)
{
    struct bytes text;
    struct bytes pattern;
    TRY(utf8_change_case(datum_as_bytes(&x[0]), UTF8_LOWER, e, &text));
    TRY(utf8_change_case(datum_as_bytes(&x[1]), UTF8_LOWER, e, &pattern));
    return like_bytes(text, pattern, wanted, out, e);
}

static enum status ilike(const struct datum *x, struct datum *out, const struct eval *e)
{
    return ilike_as(x, true, out, e);
}

static enum status not_ilike(const struct datum *x, struct datum *out, const struct eval *e)
{
    return ilike_as(x, false, out, e);
}

/* like_escape(pattern, escape): the pattern with \ in the escape's place. */
static enum status like_escape(const struct datum *x, struct datum *out, const struct eval *e)
{
    struct bytes pattern = datum_as_bytes(&x[0]);
    struct bytes escape = datum_as_bytes(&x[1]);
    if (escape.len > 0 && utf8_step(escape, 0) != escape.len) {
        return error_set(e->err, STATUS_INVALID, 0, "invalid escape string");
    }
    if (escape.len == 1 && escape.data[0] == '\\') {
        *out = x[0];
        return STATUS_OK;
    }
    uint8_t *to = arena_alloc(e->a, pattern.len * 2);
    size_t len = 0;
    bool after_escape = false;
    for (size_t i = 0; i < pattern.len;) {
        size_t step = utf8_step(pattern, i);
        if (escape.len > 0 && !after_escape && step == escape.len && memcmp(pattern.data + i, escape.data, step) == 0) {
            to[len++] = '\\';
            after_escape = true;
        } else {
            if (pattern.data[i] == '\\' && !after_escape) {
                to[len++] = '\\';
            }
            memcpy(to + len, pattern.data + i, step);
            len += step;
            after_escape = false;
        }
        i += step;
    }
    *out = datum_bytes(bytes_of(to, len));
    return STATUS_OK;
}

#define LIKE_ROWS(X, Y)                                                                                                \
    INFIX("~~", like, X, Y, TYPE_BOOL, FUNCTION_FAIL), INFIX("!~~", not_like, X, Y, TYPE_BOOL, FUNCTION_FAIL),         \
        CALL2("like", like, X, Y, TYPE_BOOL, FUNCTION_FAIL),                                                           \
        CALL2("notlike", not_like, X, Y, TYPE_BOOL, FUNCTION_FAIL)

#define NO_REGEX(NAME)                                                                                                 \
    INFIX(NAME, NULL, TYPE_TEXT, TYPE_TEXT, TYPE_BOOL, 0), INFIX(NAME, NULL, TYPE_BPCHAR, TYPE_TEXT, TYPE_BOOL, 0)

static const struct function rows[] = {
    LIKE_ROWS(TYPE_TEXT, TYPE_TEXT),
    INFIX("~~", like, TYPE_BPCHAR, TYPE_TEXT, TYPE_BOOL, FUNCTION_FAIL),
    INFIX("!~~", not_like, TYPE_BPCHAR, TYPE_TEXT, TYPE_BOOL, FUNCTION_FAIL),
    INFIX("~~", NULL, TYPE_BYTEA, TYPE_BYTEA, TYPE_BOOL, 0),
    INFIX("!~~", NULL, TYPE_BYTEA, TYPE_BYTEA, TYPE_BOOL, 0),
    INFIX("~~*", ilike, TYPE_TEXT, TYPE_TEXT, TYPE_BOOL, FUNCTION_FAIL),
    INFIX("!~~*", not_ilike, TYPE_TEXT, TYPE_TEXT, TYPE_BOOL, FUNCTION_FAIL),
    INFIX("~~*", ilike, TYPE_BPCHAR, TYPE_TEXT, TYPE_BOOL, FUNCTION_FAIL),
    INFIX("!~~*", not_ilike, TYPE_BPCHAR, TYPE_TEXT, TYPE_BOOL, FUNCTION_FAIL),
    NO_REGEX("~"),
    NO_REGEX("!~"),
    NO_REGEX("~*"),
    NO_REGEX("!~*"),
    CALL2("like_escape", like_escape, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, FUNCTION_FAIL),
    CALL2("like_escape", NULL, TYPE_BYTEA, TYPE_BYTEA, TYPE_BYTEA, 0),
};
FUNCTION_FAMILY(function_family_pattern, rows);
