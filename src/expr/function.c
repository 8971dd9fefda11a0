/* Looking things up in the catalogue. An index is the family's place in the high half and the row's in the low half. */
#include "expr/function.h"

#include <assert.h>
#include <string.h>

static const struct function_family *const families[] = {
    &function_family_cast,  &function_family_compare,   &function_family_number,  &function_family_math,
    &function_family_text,  &function_family_string,    &function_family_pattern, &function_family_datetime,
    &function_family_field, &function_family_aggregate,
};
enum { FAMILY_COUNT = sizeof families / sizeof families[0], FAMILY_OF_CASTS = 0, FAMILY_SHIFT = 16 };

const struct function *function_at(uint32_t index)
{
    uint32_t family = index >> FAMILY_SHIFT;
    uint32_t row = index & ((1U << FAMILY_SHIFT) - 1);
    assert(family < FAMILY_COUNT && row < families[family]->count);
    return &families[family]->rows[row];
}

uint32_t function_next(enum function_class class, const char *name, uint32_t index)
{
    uint32_t family = index == FUNCTION_NONE ? 0 : index >> FAMILY_SHIFT;
    uint32_t row = index == FUNCTION_NONE ? 0 : (index & ((1U << FAMILY_SHIFT) - 1)) + 1;
    for (; family < FAMILY_COUNT; family++, row = 0) {
        for (; row < families[family]->count; row++) {
            const struct function *f = &families[family]->rows[row];
            if (f->class == class && strcmp(f->name, name) == 0) {
                return family << FAMILY_SHIFT | row;
            }
        }
    }
    return FUNCTION_NONE;
}

uint32_t function_find_cast(enum type_kind from, enum type_kind to, unsigned context)
{
    const struct function_family *casts = families[FAMILY_OF_CASTS];
    for (uint32_t i = 0; i < casts->count; i++) {
        const struct function *f = &casts->rows[i];
        if (f->args[0] == from && f->result == to && f->name[0] == '\0') {
            return f->context <= context ? (uint32_t)FAMILY_OF_CASTS << FAMILY_SHIFT | i : (uint32_t)FUNCTION_NONE;
        }
    }
    return FUNCTION_NONE;
}

const char *function_refusal(const char *name)
{
    static const char clock[] = "its result depends on the clock, so replaying the log would give another answer";
    static const char chance[] = "its result is random, so replaying the log would give another answer";
    static const char server[] =
        "its result depends on the server or session that asks, so replaying the log would give another answer";
    static const struct {
        const char *name;
        const char *why;
    } refused[] = {
        {"now", clock},
        {"current_date", clock},
        {"current_time", clock},
        {"current_timestamp", clock},
        {"localtime", clock},
        {"localtimestamp", clock},
        {"clock_timestamp", clock},
        {"statement_timestamp", clock},
        {"transaction_timestamp", clock},
        {"timeofday", clock},
        {"pg_sleep", clock},
        {"pg_sleep_for", clock},
        {"pg_sleep_until", clock},
        {"random", chance},
        {"setseed", chance},
        {"gen_random_uuid", chance},
        {"uuid_generate_v1", chance},
        {"uuid_generate_v4", chance},
        {"nextval", server},
        {"currval", server},
        {"lastval", server},
        {"setval", server},
        {"txid_current", server},
        {"pg_current_xact_id", server},
        {"pg_backend_pid", server},
        {"current_user", server},
        {"session_user", server},
        {"user", server},
        {"current_role", server},
        {"current_catalog", server},
        {"current_database", server},
        {"current_schema", server},
        {"current_setting", server},
        {"version", server},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (strcmp(refused[i].name, name) == 0) {
            return refused[i].why;
        }
    }
    return NULL;
}

enum status eval_locale(const struct eval *e, locale_t *out)
{
    if (*e->locale == (locale_t)0) {
        *e->locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
        if (*e->locale == (locale_t)0) {
            return error_set(e->err, STATUS_UNSUPPORTED, 0,
                             "could not open the locale C.UTF-8: the C library has none");
        }
    }
    *out = *e->locale;
    return STATUS_OK;
}

struct datum eval_take_scratch(const struct eval *e)
{
    struct bytes text = buffer_bytes(e->scratch);
    return datum_bytes(bytes_of(arena_dup(e->a, text.data, text.len), text.len));
}
