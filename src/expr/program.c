/* The instruction loop. */
#include "expr/machine.h"

#include <assert.h>
#include <string.h>

static inline const struct datum *fetch(operand o, const struct datum *const banks[static 2])
{
    return banks[o >> 31] + (o & ~OPERAND_REGISTER);
}

/* Answers are copied whole: a value written in two halves and read as one would stall. */
static const struct datum answers[3] = {{.v.i = 0}, {.v.i = 1}, {.null = 1}};
enum { ANSWER_NULL = 2 };

static inline struct datum truth(bool value)
{
    return answers[value];
}

static enum status call(struct program *p, const struct instruction *i, struct datum *r, struct eval *e)
{
    struct call_site *s = &p->sites[i->site];
    const struct datum *args = &r[i->x & ~OPERAND_REGISTER];
    if (i->op == OP_CALL) {
        for (uint32_t n = 0; n < s->arg_count; n++) {
            if (args[n].null) {
                r[i->out] = DATUM_NULL;
                return STATUS_OK;
            }
        }
    }
    e->type = &s->type;
    e->arg_types = s->arg_types;
    e->arg_count = s->arg_count;
    e->memo = s->has_memo ? &s->memo : NULL;
    struct datum out = {.len = 0};
    TRY(s->eval(args, &out, e));
    r[i->out] = out;
    return STATUS_OK;
}

static enum status integer_operation(const struct call_site *s, const struct instruction *i, const struct datum *x,
                                     const struct datum *y, struct datum *out, struct error *err)
{
    int64_t value;
    bool overflow = i->op == OP_INT_ADD        ? __builtin_add_overflow(x->v.i, y->v.i, &value)
                    : i->op == OP_INT_SUBTRACT ? __builtin_sub_overflow(x->v.i, y->v.i, &value)
                                               : __builtin_mul_overflow(x->v.i, y->v.i, &value);
    if (overflow || value < s->min || value > s->max) {
        return error_set(err, STATUS_INVALID, 0, "%s out of range",
                         s->type.kind == TYPE_INT2   ? "smallint"
                         : s->type.kind == TYPE_INT4 ? "integer"
                                                     : "bigint");
    }
    *out = datum_int(value);
    return STATUS_OK;
}

static inline bool bytes_same(const struct datum *x, const struct datum *y)
{
    return bytes_equal(datum_as_bytes(x), datum_as_bytes(y));
}

static bool is_member(const struct instruction *i, const struct datum *x, const struct datum *list, uint32_t count,
                      bool *has_null)
{
    for (uint32_t n = 0; n < count; n++) {
        if (list[n].null) {
            *has_null = true;
        } else if (i->op == OP_IN_INT     ? x->v.i == list[n].v.i
                   : i->op == OP_IN_BYTES ? bytes_same(x, &list[n])
                                          : datum_compare((enum type_kind)i->site, x, &list[n]) == 0) {
            return true;
        }
    }
    return false;
}

static struct datum evaluate_in(const struct instruction *i, const struct datum *x, const struct datum *list)
{
    if (x->null) {
        return DATUM_NULL;
    }
    bool has_null = false;
    bool found = is_member(i, x, list, i->target >> 1, &has_null);
    if (!found && has_null) {
        return DATUM_NULL;
    }
    return truth(found != ((i->target & 1) != 0));
}

static bool is_distinct(const struct instruction *i, const struct datum *x, const struct datum *y)
{
    if (x->null || y->null) {
        return x->null != y->null;
    }
    return datum_compare((enum type_kind)i->site, x, y) != 0;
}

/* GREATEST and LEAST keep the earlier of equals and skip NULLs. */
static void pick(const struct instruction *i, const struct datum *x, struct datum *best)
{
    if (x->null) {
        return;
    }
    int order = best->null ? 0 : datum_compare((enum type_kind)i->site, x, best);
    if (best->null || (i->op == OP_PICK_GREATER ? order > 0 : order < 0)) {
        *best = *x;
    }
}

/* Without its missing mark: a NULL that was computed is known. */
static inline struct datum known(struct datum d)
{
    d.missing = 0;
    return d;
}

/* The instructions that make a value of their operands and go on with the next. */
static enum status run_value(struct program *p, const struct instruction *i, const struct datum *x,
                             const struct datum *y, struct eval *e)
{
    struct datum *out = &p->registers[i->out];
    switch (i->op) {
    case OP_INT_ADD:
    case OP_INT_SUBTRACT:
    case OP_INT_MULTIPLY:
        *out = DATUM_NULL;
        return x->null || y->null ? STATUS_OK : integer_operation(&p->sites[i->site], i, x, y, out, e->err);
    case OP_NOT:
        *out = x->null ? DATUM_NULL : truth(!x->v.i);
        break;
    case OP_IS_NULL:
        *out = truth(x->null);
        break;
    case OP_IS_NOT_NULL:
        *out = truth(!x->null);
        break;
    case OP_IS_BOOL:
        *out = truth((!x->null && x->v.i == (i->target & 1)) != ((i->target & 2) != 0));
        break;
    case OP_IN_INT:
    case OP_IN_BYTES:
    case OP_IN_KIND:
        *out = evaluate_in(i, x, y);
        break;
    case OP_DISTINCT:
        *out = truth(is_distinct(i, x, y) != (i->target == 1));
        break;
    case OP_PICK_FIRST:
        *out = known(*x);
        break;
    case OP_PICK_GREATER:
    case OP_PICK_LESS:
        pick(i, x, out);
        break;
    case OP_NULLIF:
        *out = !y->null && y->v.i ? DATUM_NULL : *x;
        break;
    default:
        assert(false);
    }
    return STATUS_OK;
}

/* Takes x into the AND or OR in `out`; true where that decides it. */
static inline bool decides(const struct instruction *i, const struct datum *x, struct datum *out)
{
    bool is_or = i->op == OP_OR || i->op == OP_OR_FIRST;
    bool first = i->op == OP_AND_FIRST || i->op == OP_OR_FIRST;
    if (x->null) {
        *out = DATUM_NULL;
        return false;
    }
    if ((x->v.i != 0) == is_or) {
        *out = truth(is_or);
        return true;
    }
    if (first) {
        *out = truth(!is_or);
    }
    return false;
}

#define COMPARE_CASE(OP, TEST)                                                                                         \
    case OP:                                                                                                           \
        r[i->out] = answers[(x->null | y->null) != 0 ? ANSWER_NULL : (TEST)];                                          \
        break

static enum status run(struct program *p, const struct datum *row, struct eval *e)
{
    struct datum *r = p->registers;
    const struct datum *const banks[2] = {row, r};
    const struct instruction *end = p->code + p->code_count;
    for (const struct instruction *i = p->code; i < end; i++) {
        const struct datum *x = fetch(i->x, banks);
        const struct datum *y = fetch(i->y, banks);
        switch (i->op) {
        case OP_COPY:
            r[i->out] = *x;
            break;
        case OP_CALL:
        case OP_CALL_NULLS:
            TRY(call(p, i, r, e));
            break;
            COMPARE_CASE(OP_INT_EQ, x->v.i == y->v.i);
            COMPARE_CASE(OP_INT_NE, x->v.i != y->v.i);
            COMPARE_CASE(OP_INT_LT, x->v.i < y->v.i);
            COMPARE_CASE(OP_INT_LE, x->v.i <= y->v.i);
            COMPARE_CASE(OP_INT_GT, x->v.i > y->v.i);
            COMPARE_CASE(OP_INT_GE, x->v.i >= y->v.i);
            COMPARE_CASE(OP_BYTES_EQ, bytes_same(x, y));
            COMPARE_CASE(OP_BYTES_NE, !bytes_same(x, y));
        case OP_AND_FIRST:
        case OP_OR_FIRST:
        case OP_AND:
        case OP_OR:
            i = decides(i, x, &r[i->out]) ? p->code + i->target - 1 : i;
            break;
        case OP_JUMP:
            i = p->code + i->target - 1;
            break;
        case OP_JUMP_UNLESS_TRUE:
            i = x->null || !x->v.i ? p->code + i->target - 1 : i;
            break;
        case OP_JUMP_IF_VALUE:
            i = x->null ? i : p->code + i->target - 1;
            break;
        default:
            TRY(run_value(p, i, x, y, e));
            break;
        }
    }
    return STATUS_OK;
}

enum status program_run(struct program *p, const struct datum *row, struct datum *out, struct arena *a,
                        struct error *err)
{
    if (p->code_count > 0) {
        struct eval e = {.a = a, .err = err, .scratch = &p->scratch, .locale = &p->locale};
        TRY(run(p, row, &e));
    }
    const struct datum *const banks[2] = {row, p->registers};
    for (uint32_t i = 0; i < p->result_count; i++) {
        out[i] = *fetch(p->results[i], banks);
    }
    return STATUS_OK;
}

enum status program_test(struct program *p, const struct datum *row, bool *out, struct arena *a, struct error *err)
{
    assert(p->result_count == 1);
    struct datum value;
    TRY(program_run(p, row, &value, a, err));
    *out = !value.null && value.v.i != 0;
    return STATUS_OK;
}
