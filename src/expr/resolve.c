/* Which catalogue row a call means: parse_func.c and parse_oper.c of PostgreSQL 15, step by step. */
#include "expr/resolve.h"

#include <assert.h>
#include <string.h>

enum { CANDIDATES_MAX = 128 };

struct candidates {
    uint32_t rows[CANDIDATES_MAX];
    uint32_t count;
};

char resolve_category(enum type_kind kind)
{
    static const char categories[TYPE_KIND_COUNT + 1] = {
        [TYPE_UNKNOWN] = 'X',     [TYPE_BOOL] = 'B',     [TYPE_INT2] = 'N',      [TYPE_INT4] = 'N',
        [TYPE_INT8] = 'N',        [TYPE_NUMERIC] = 'N',  [TYPE_FLOAT4] = 'N',    [TYPE_FLOAT8] = 'N',
        [TYPE_TEXT] = 'S',        [TYPE_VARCHAR] = 'S',  [TYPE_BPCHAR] = 'S',    [TYPE_BYTEA] = 'U',
        [TYPE_DATE] = 'D',        [TYPE_TIME] = 'D',     [TYPE_TIMESTAMP] = 'D', [TYPE_UUID] = 'U',
        [TYPE_TIMESTAMPTZ] = 'D', [TYPE_INTERVAL] = 'T', [TYPE_JSON] = 'U',      [TYPE_JSONB] = 'U',
        [TYPE_OTHER] = 'O',       [TYPE_ANY] = 'P',
    };
    return categories[kind];
}

bool resolve_is_preferred(enum type_kind kind)
{
    return kind == TYPE_BOOL || kind == TYPE_FLOAT8 || kind == TYPE_TEXT || kind == TYPE_TIMESTAMPTZ ||
           kind == TYPE_INTERVAL;
}

bool resolve_is_opaque(enum type_kind kind)
{
    return kind == TYPE_JSON || kind == TYPE_JSONB || kind == TYPE_OTHER;
}

const char *resolve_type_name(struct arena *a, const struct type *type)
{
    if (type->kind == TYPE_UNKNOWN) {
        return "unknown";
    }
    if (type->kind == TYPE_BPCHAR) {
        return "character"; /* "bpchar" is the name of char without a length, which messages do not tell apart */
    }
    struct type plain = *type;
    plain.typmod = -1;
    char text[TYPE_NAME_BYTES];
    return arena_strdup(a, type_text(&plain, text));
}

bool resolve_is_implicit(enum type_kind from, enum type_kind to)
{
    return from == to || from == TYPE_UNKNOWN || to == TYPE_ANY ||
           function_find_cast(from, to, CAST_IMPLICIT) != FUNCTION_NONE;
}

enum type_kind resolve_argument(const struct function *f, uint32_t position)
{
    uint32_t last = f->arg_count - 1U;
    return (enum type_kind)f->args[position < last ? position : last];
}

static bool takes_count(const struct function *f, uint32_t count)
{
    return f->arg_count == count || ((f->flags & FUNCTION_VARIADIC) != 0 && count >= f->arg_count);
}

static bool matches_exactly(const struct function *f, const enum type_kind *kinds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (resolve_argument(f, i) != kinds[i]) {
            return false;
        }
    }
    return f->arg_count == count;
}

static bool matches_implicitly(const struct function *f, const enum type_kind *kinds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!resolve_is_implicit(kinds[i], resolve_argument(f, i))) {
            return false;
        }
    }
    return true;
}

/* Keeps the candidates that score highest; `preferred` counts preferred types as matches too. */
static void keep_best(struct candidates *c, const enum type_kind *kinds, uint32_t count, bool preferred)
{
    uint32_t best = 0;
    uint32_t kept = 0;
    for (uint32_t n = 0; n < c->count; n++) {
        uint32_t score = 0;
        for (uint32_t i = 0; i < count; i++) {
            enum type_kind have = resolve_argument(function_at(c->rows[n]), i);
            if (kinds[i] != TYPE_UNKNOWN &&
                (have == kinds[i] ||
                 (preferred && resolve_is_preferred(have) && resolve_category(have) == resolve_category(kinds[i])))) {
                score++;
            }
        }
        if (score > best || kept == 0) {
            best = score;
            kept = 0;
        }
        if (score == best) {
            c->rows[kept++] = c->rows[n];
        }
    }
    c->count = kept;
}

/* The category that an unknown argument at `position` is taken to be of: string where any candidate takes one. False
 * where the candidates disagree. */
static bool unknown_category(const struct candidates *c, uint32_t position, char *category, bool *has_preferred)
{
    bool conflict = false;
    *category = '\0';
    *has_preferred = false;
    for (uint32_t n = 0; n < c->count; n++) {
        enum type_kind have = resolve_argument(function_at(c->rows[n]), position);
        char current = resolve_category(have);
        bool preferred = resolve_is_preferred(have);
        if (*category == '\0') {
            *category = current;
            *has_preferred = preferred;
        } else if (current == *category) {
            *has_preferred = *has_preferred || preferred;
        } else if (current == 'S') {
            *category = current;
            *has_preferred = preferred;
        } else {
            conflict = true;
        }
    }
    return !conflict || *category == 'S';
}

static bool suits_unknowns(const struct function *f, const enum type_kind *kinds, uint32_t count,
                           const char *categories, const bool *has_preferred)
{
    for (uint32_t i = 0; i < count; i++) {
        enum type_kind have = resolve_argument(f, i);
        if (kinds[i] == TYPE_UNKNOWN &&
            (resolve_category(have) != categories[i] || (has_preferred[i] && !resolve_is_preferred(have)))) {
            return false;
        }
    }
    return true;
}

enum { COUNTED_ARGS_MAX = 100 };

static void keep_suiting_unknowns(struct candidates *c, const enum type_kind *kinds, uint32_t count)
{
    char categories[COUNTED_ARGS_MAX] = {0};
    bool has_preferred[COUNTED_ARGS_MAX] = {false};
    for (uint32_t i = 0; i < count; i++) {
        if (kinds[i] == TYPE_UNKNOWN && !unknown_category(c, i, &categories[i], &has_preferred[i])) {
            return;
        }
    }
    struct candidates kept = {.count = 0};
    for (uint32_t n = 0; n < c->count; n++) {
        if (suits_unknowns(function_at(c->rows[n]), kinds, count, categories, has_preferred)) {
            kept.rows[kept.count++] = c->rows[n];
        }
    }
    if (kept.count > 0) {
        *c = kept;
    }
}

/* Last resort: where all known arguments are of one kind, take the unknown ones as that kind too. */
static bool assume_one_kind(const struct candidates *c, const enum type_kind *kinds, uint32_t count, uint32_t *out)
{
    enum type_kind known = TYPE_UNKNOWN;
    for (uint32_t i = 0; i < count; i++) {
        if (kinds[i] != TYPE_UNKNOWN) {
            if (known != TYPE_UNKNOWN && known != kinds[i]) {
                return false;
            }
            known = kinds[i];
        }
    }
    if (known == TYPE_UNKNOWN) {
        return false;
    }
    enum type_kind same[COUNTED_ARGS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        same[i] = known;
    }
    uint32_t found = 0;
    for (uint32_t n = 0; n < c->count; n++) {
        if (matches_implicitly(function_at(c->rows[n]), same, count)) {
            *out = c->rows[n];
            found++;
        }
    }
    return found == 1;
}

static enum resolution select_candidate(struct candidates *c, const enum type_kind *kinds, uint32_t count,
                                        uint32_t *out)
{
    bool has_unknown = false;
    for (uint32_t i = 0; i < count; i++) {
        has_unknown = has_unknown || kinds[i] == TYPE_UNKNOWN;
    }
    if (c->count > 1) {
        keep_best(c, kinds, count, false);
    }
    if (c->count > 1) {
        keep_best(c, kinds, count, true);
    }
    if (c->count > 1 && has_unknown) {
        keep_suiting_unknowns(c, kinds, count);
        if (c->count > 1 && assume_one_kind(c, kinds, count, out)) {
            return RESOLVE_ONE;
        }
    }
    if (c->count == 0) {
        return RESOLVE_NONE;
    }
    *out = c->rows[0];
    return c->count == 1 ? RESOLVE_ONE : RESOLVE_AMBIGUOUS;
}

static uint32_t find_exact(enum function_class class, const char *name, const enum type_kind *kinds, uint32_t count)
{
    uint32_t i = function_next(class, name, FUNCTION_NONE);
    while (i != FUNCTION_NONE && !matches_exactly(function_at(i), kinds, count)) {
        i = function_next(class, name, i);
    }
    return i;
}

enum resolution resolve_function(enum function_class class, const char *name, const enum type_kind *kinds,
                                 uint32_t count, uint32_t *out)
{
    if (count > COUNTED_ARGS_MAX) {
        return RESOLVE_NONE;
    }
    *out = find_exact(class, name, kinds, count);
    if (*out != FUNCTION_NONE) {
        return RESOLVE_ONE;
    }
    struct candidates c = {.count = 0};
    for (uint32_t i = function_next(class, name, FUNCTION_NONE); i != FUNCTION_NONE;
         i = function_next(class, name, i)) {
        if (takes_count(function_at(i), count) && matches_implicitly(function_at(i), kinds, count)) {
            assert(c.count < CANDIDATES_MAX);
            c.rows[c.count++] = i;
        }
    }
    return select_candidate(&c, kinds, count, out);
}

enum resolution resolve_operator(const char *name, const enum type_kind *kinds, uint32_t count, uint32_t *out)
{
    if (count == 2 && (kinds[0] == TYPE_UNKNOWN) != (kinds[1] == TYPE_UNKNOWN)) {
        enum type_kind known = kinds[0] == TYPE_UNKNOWN ? kinds[1] : kinds[0];
        enum type_kind same[2] = {known, known};
        *out = find_exact(FUNCTION_OPERATOR, name, same, 2);
        if (*out != FUNCTION_NONE) {
            return RESOLVE_ONE;
        }
    }
    return resolve_function(FUNCTION_OPERATOR, name, kinds, count, out);
}
