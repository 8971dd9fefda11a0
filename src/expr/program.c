/* The machine: three banks of datums (the row, the registers, nothing else), instructions that read two operands and write one
 * register. Constants sit in registers from the start. A register is written by one expression only, so nothing is ever saved. */
#include "expr/program.h"

#include "base/memory.h"
#include "expr/function.h"

#include <assert.h>
#include <string.h>

enum opcode {
    OP_COPY,     /* out = x */
    OP_CALL,     /* out = site(registers x.. ); NULL where an argument is */
    OP_CALL_NULLS, /* the same, NULLs passed on */
    OP_INT_EQ, OP_INT_NE, OP_INT_LT, OP_INT_LE, OP_INT_GT, OP_INT_GE,
    OP_BYTES_EQ, OP_BYTES_NE,
    OP_INT_ADD, OP_INT_SUBTRACT, OP_INT_MULTIPLY, /* within the bounds of the site's kind */
    OP_NOT,
    OP_AND_FIRST, OP_AND, /* out = out AND x; to target where false */
    OP_OR_FIRST, OP_OR,
    OP_JUMP,
    OP_JUMP_UNLESS_TRUE, /* by x */
    OP_JUMP_IF_VALUE,    /* where x is not NULL */
    OP_IS_NULL, OP_IS_NOT_NULL,
    OP_IS_BOOL,    /* x is not NULL and = low bit of y, turned by bit 1 of y */
    OP_IN_INT, OP_IN_BYTES, OP_IN_KIND, /* x in registers y..y+count, two bits in `target`: has NULL, negated */
    OP_DISTINCT, OP_NOT_DISTINCT,
    OP_PICK_FIRST, /* GREATEST, LEAST: out = x */
    OP_PICK_GREATER, OP_PICK_LESS,
    OP_NULLIF      /* out = NULL where register y is true, else x */
};

/* Operands: the top bit tells registers from row columns. */
typedef uint32_t operand;
#define OPERAND_REGISTER 0x80000000U
enum { IN_HAS_NULL = 1, IN_NEGATED = 2 };

struct call_site {
    function_eval *eval;
    const char *name;
    struct type type;
    struct type *arg_types;
    uint32_t arg_count;
    int64_t min; /* bounds of integer results */
    int64_t max;
};

struct instruction {
    enum opcode op;
    uint32_t out; /* register */
    operand x;
    operand y;
    uint32_t target; /* instruction to go on with, count or flags */
    uint32_t site;   /* call site or kind */
};

struct program {
    struct instruction *code;
    size_t code_count;
    size_t code_capacity;
    struct datum *registers;
    size_t register_count;
    size_t register_capacity;
    struct call_site *sites;
    size_t site_count;
    size_t site_capacity;
    operand *results;
    uint32_t result_count;
    uint32_t input_count;
    struct arena memory; /* constants and types */
    struct buffer scratch;
    locale_t locale;
};

static uint32_t new_registers(struct program *p, uint32_t count)
{
    mem_grow(&p->registers, &p->register_capacity, p->register_count + count, sizeof *p->registers);
    uint32_t first = (uint32_t)p->register_count;
    memset(p->registers + first, 0, count * sizeof *p->registers);
    p->register_count += count;
    return first;
}

static uint32_t emit(struct program *p, struct instruction i)
{
    mem_grow(&p->code, &p->code_capacity, p->code_count + 1, sizeof *p->code);
    p->code[p->code_count] = i;
    return (uint32_t)p->code_count++;
}

static struct datum own_constant(struct program *p, const struct expr *e)
{
    return e->value.null ? DATUM_NULL : datum_copy(&p->memory, e->type.kind, e->value);
}

static void compile(struct program *p, const struct expr *e, uint32_t out);

/* Where the value of `e` can be read, compiling it into a register of its own where it is neither a column nor a constant. */
static operand compile_operand(struct program *p, const struct expr *e)
{
    while (e->kind == EXPR_CALL && function_at(e->function)->fast == FAST_COPY) {
        e = e->args[0];
    }
    if (e->kind == EXPR_COLUMN) {
        assert(e->column < p->input_count);
        return e->column;
    }
    uint32_t r = new_registers(p, 1);
    if (e->kind == EXPR_CONST) {
        p->registers[r] = own_constant(p, e);
    } else {
        compile(p, e, r);
    }
    return r | OPERAND_REGISTER;
}

/* Arguments in neighbouring registers; constants are put there once and for all. */
static uint32_t compile_arguments(struct program *p, struct expr *const *args, uint32_t count)
{
    uint32_t first = new_registers(p, count);
    for (uint32_t i = 0; i < count; i++) {
        if (args[i]->kind == EXPR_CONST) {
            p->registers[first + i] = own_constant(p, args[i]);
        } else {
            compile(p, args[i], first + i);
        }
    }
    return first;
}

static uint32_t new_site(struct program *p, const struct function *f, const struct type *type, struct expr *const *args, uint32_t count)
{
    mem_grow(&p->sites, &p->site_capacity, p->site_count + 1, sizeof *p->sites);
    struct call_site *s = &p->sites[p->site_count];
    *s = (struct call_site){ .eval = f->eval, .name = f->name, .type = *type, .arg_count = count };
    if (f->class == FUNCTION_CAST && f->name[0] == '\0') {
        s->name = "cast";
    }
    s->arg_types = arena_alloc(&p->memory, count * sizeof *s->arg_types);
    for (uint32_t i = 0; i < count; i++) {
        s->arg_types[i] = args[i]->type;
    }
    s->min = type->kind == TYPE_INT2 ? INT16_MIN : type->kind == TYPE_INT4 ? INT32_MIN : INT64_MIN;
    s->max = type->kind == TYPE_INT2 ? INT16_MAX : type->kind == TYPE_INT4 ? INT32_MAX : INT64_MAX;
    return (uint32_t)p->site_count++;
}

static enum opcode fast_opcode(uint8_t fast)
{
    static const enum opcode opcodes[] = {
        [FAST_NONE] = OP_CALL,           [FAST_COPY] = OP_COPY,          [FAST_INT_EQ] = OP_INT_EQ,
        [FAST_INT_NE] = OP_INT_NE,       [FAST_INT_LT] = OP_INT_LT,      [FAST_INT_LE] = OP_INT_LE,
        [FAST_INT_GT] = OP_INT_GT,       [FAST_INT_GE] = OP_INT_GE,      [FAST_BYTES_EQ] = OP_BYTES_EQ,
        [FAST_BYTES_NE] = OP_BYTES_NE,   [FAST_INT_ADD] = OP_INT_ADD,    [FAST_INT_SUBTRACT] = OP_INT_SUBTRACT,
        [FAST_INT_MULTIPLY] = OP_INT_MULTIPLY,
    };
    return opcodes[fast];
}

static void compile_call_of(struct program *p, const struct function *f, const struct type *type, struct expr *const *args,
                            uint32_t count, uint32_t out)
{
    enum opcode op = fast_opcode(f->fast);
    if (op == OP_COPY) {
        compile(p, args[0], out);
        return;
    }
    if (op != OP_CALL) {
        operand x = compile_operand(p, args[0]);
        operand y = compile_operand(p, args[1]);
        uint32_t site = op >= OP_INT_ADD && op <= OP_INT_MULTIPLY ? new_site(p, f, type, args, count) : 0;
        emit(p, (struct instruction){ .op = op, .out = out, .x = x, .y = y, .site = site });
        return;
    }
    uint32_t first = compile_arguments(p, args, count);
    uint32_t site = new_site(p, f, type, args, count);
    emit(p, (struct instruction){ .op = (f->flags & FUNCTION_NULLS) != 0 ? OP_CALL_NULLS : OP_CALL,
                                  .out = out,
                                  .x = first | OPERAND_REGISTER,
                                  .site = site });
}

static void set_target_here(struct program *p, uint32_t instruction)
{
    p->code[instruction].target = (uint32_t)p->code_count;
}

static void compile_logical(struct program *p, const struct expr *e, uint32_t out)
{
    bool is_and = e->kind == EXPR_AND;
    uint32_t start = (uint32_t)p->code_count;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        operand x = compile_operand(p, e->args[i]);
        enum opcode op = is_and ? (i == 0 ? OP_AND_FIRST : OP_AND) : (i == 0 ? OP_OR_FIRST : OP_OR);
        emit(p, (struct instruction){ .op = op, .out = out, .x = x });
    }
    for (uint32_t i = start; i < p->code_count; i++) {
        enum opcode op = p->code[i].op;
        if (p->code[i].out == out && op >= OP_AND_FIRST && op <= OP_OR) {
            set_target_here(p, i);
        }
    }
}

static void compile_case(struct program *p, const struct expr *e, uint32_t out)
{
    uint32_t branch_count = e->arg_count / 2;
    uint32_t *exits = mem_alloc(branch_count * sizeof *exits);
    for (uint32_t i = 0; i < branch_count; i++) {
        operand condition = compile_operand(p, e->args[2 * i]);
        uint32_t skip = emit(p, (struct instruction){ .op = OP_JUMP_UNLESS_TRUE, .x = condition });
        compile(p, e->args[2 * i + 1], out);
        exits[i] = emit(p, (struct instruction){ .op = OP_JUMP });
        set_target_here(p, skip);
    }
    compile(p, e->args[e->arg_count - 1], out);
    for (uint32_t i = 0; i < branch_count; i++) {
        set_target_here(p, exits[i]);
    }
    mem_free(exits);
}

static void compile_coalesce(struct program *p, const struct expr *e, uint32_t out)
{
    uint32_t *exits = mem_alloc(e->arg_count * sizeof *exits);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        compile(p, e->args[i], out);
        exits[i] = emit(p, (struct instruction){ .op = OP_JUMP_IF_VALUE, .x = out | OPERAND_REGISTER });
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        set_target_here(p, exits[i]);
    }
    mem_free(exits);
}

static void compile_minmax(struct program *p, const struct expr *e, uint32_t out)
{
    for (uint32_t i = 0; i < e->arg_count; i++) {
        operand x = compile_operand(p, e->args[i]);
        enum opcode op = i == 0 ? OP_PICK_FIRST : e->kind == EXPR_GREATEST ? OP_PICK_GREATER : OP_PICK_LESS;
        emit(p, (struct instruction){ .op = op, .out = out, .x = x, .site = e->type.kind });
    }
}

static bool is_int_kind(enum type_kind kind)
{
    return type_is_integer(kind) || kind == TYPE_BOOL || kind == TYPE_DATE || kind == TYPE_TIME || kind == TYPE_TIMESTAMP ||
           kind == TYPE_TIMESTAMPTZ;
}

static bool is_bytes_kind(enum type_kind kind)
{
    return kind == TYPE_TEXT || kind == TYPE_VARCHAR || kind == TYPE_BYTEA;
}

/* A list of constants is searched at once; where a member has to be evaluated, IN is OR over =, with its short circuit. */
static void compile_in(struct program *p, const struct expr *e, uint32_t out)
{
    enum type_kind kind = e->args[0]->type.kind;
    operand x = compile_operand(p, e->args[0]);
    uint32_t count = e->arg_count - 1;
    uint32_t first = compile_arguments(p, e->args + 1, count);
    uint32_t flags = e->negated ? IN_NEGATED : 0;
    enum opcode op = is_int_kind(kind) ? OP_IN_INT : is_bytes_kind(kind) ? OP_IN_BYTES : OP_IN_KIND;
    emit(p, (struct instruction){ .op = op, .out = out, .x = x, .y = first, .target = count << 2 | flags, .site = kind });
}

static void compile_is_bool(struct program *p, const struct expr *e, uint32_t out)
{
    operand x = compile_operand(p, e->args[0]);
    uint32_t y = (e->kind == EXPR_IS_TRUE ? 1U : 0U) | (e->negated ? 2U : 0U);
    emit(p, (struct instruction){ .op = OP_IS_BOOL, .out = out, .x = x, .y = y });
}

static void compile_nullif(struct program *p, const struct expr *e, uint32_t out)
{
    uint32_t equal = new_registers(p, 1);
    operand x = compile_operand(p, e->args[0]);
    struct expr *args[2] = { e->args[0], e->args[1] };
    struct type type = type_make(TYPE_BOOL);
    compile_call_of(p, function_at(e->function), &type, args, 2, equal);
    emit(p, (struct instruction){ .op = OP_NULLIF, .out = out, .x = x, .y = equal });
}

/* Emits what puts the value of `e` into register `out`. */
static void compile(struct program *p, const struct expr *e, uint32_t out)
{
    operand x;
    switch (e->kind) {
    case EXPR_CONST:
    case EXPR_COLUMN:
        x = compile_operand(p, e);
        emit(p, (struct instruction){ .op = OP_COPY, .out = out, .x = x });
        break;
    case EXPR_CALL:
        compile_call_of(p, function_at(e->function), &e->type, e->args, e->arg_count, out);
        break;
    case EXPR_AND:
    case EXPR_OR:
        compile_logical(p, e, out);
        break;
    case EXPR_NOT:
        x = compile_operand(p, e->args[0]);
        emit(p, (struct instruction){ .op = OP_NOT, .out = out, .x = x });
        break;
    case EXPR_CASE:
        compile_case(p, e, out);
        break;
    case EXPR_COALESCE:
        compile_coalesce(p, e, out);
        break;
    case EXPR_NULLIF:
        compile_nullif(p, e, out);
        break;
    case EXPR_GREATEST:
    case EXPR_LEAST:
        compile_minmax(p, e, out);
        break;
    case EXPR_IN:
        compile_in(p, e, out);
        break;
    case EXPR_IS_NULL:
    case EXPR_IS_UNKNOWN:
        x = compile_operand(p, e->args[0]);
        emit(p, (struct instruction){ .op = e->negated ? OP_IS_NOT_NULL : OP_IS_NULL, .out = out, .x = x });
        break;
    case EXPR_IS_TRUE:
    case EXPR_IS_FALSE:
        compile_is_bool(p, e, out);
        break;
    case EXPR_DISTINCT:
        x = compile_operand(p, e->args[0]);
        emit(p, (struct instruction){ .op = e->negated ? OP_NOT_DISTINCT : OP_DISTINCT,
                                      .out = out,
                                      .x = x,
                                      .y = compile_operand(p, e->args[1]),
                                      .site = e->args[0]->type.kind });
        break;
    }
}

struct program *program_new(struct expr *const *exprs, uint32_t expr_count, uint32_t input_count)
{
    struct program *p = mem_zalloc(sizeof *p);
    p->input_count = input_count;
    p->result_count = expr_count;
    p->results = mem_alloc(expr_count * sizeof *p->results);
    for (uint32_t i = 0; i < expr_count; i++) {
        p->results[i] = compile_operand(p, exprs[i]);
    }
    return p;
}

void program_free(struct program *p)
{
    if (p == NULL) {
        return;
    }
    mem_free(p->code);
    mem_free(p->registers);
    mem_free(p->sites);
    mem_free(p->results);
    arena_release(&p->memory);
    buffer_release(&p->scratch);
    if (p->locale != (locale_t)0) {
        freelocale(p->locale);
    }
    mem_free(p);
}

static inline const struct datum *fetch(operand o, const struct datum *row, const struct datum *registers)
{
    return (o & OPERAND_REGISTER) != 0 ? &registers[o & ~OPERAND_REGISTER] : &row[o];
}

static inline struct datum truth(bool value)
{
    return (struct datum){ .v.i = value };
}

static enum status call(struct program *p, const struct instruction *i, struct datum *r, struct eval *e)
{
    const struct call_site *s = &p->sites[i->site];
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
    struct datum out = { .len = 0 };
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
    return x->len == y->len && memcmp(x->v.p, y->v.p, x->len) == 0;
}

static bool is_member(const struct instruction *i, const struct datum *x, const struct datum *list, uint32_t count, bool *has_null)
{
    for (uint32_t n = 0; n < count; n++) {
        if (list[n].null) {
            *has_null = true;
        } else if (i->op == OP_IN_INT      ? x->v.i == list[n].v.i
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
    bool found = is_member(i, x, list, i->target >> 2, &has_null);
    if (!found && has_null) {
        return DATUM_NULL;
    }
    return truth(found != ((i->target & IN_NEGATED) != 0));
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

#define COMPARE_CASE(OP, TEST)                                                                                                   \
    case OP:                                                                                                                     \
        r[i->out] = x->null | y->null ? DATUM_NULL : truth(TEST);                                                                \
        break

static enum status run(struct program *p, const struct datum *row, struct eval *e)
{
    struct datum *r = p->registers;
    const struct instruction *end = p->code + p->code_count;
    for (const struct instruction *i = p->code; i < end; i++) {
        const struct datum *x = fetch(i->x, row, r);
        const struct datum *y = i->op <= OP_INT_MULTIPLY || i->op == OP_DISTINCT || i->op == OP_NOT_DISTINCT ? fetch(i->y, row, r) : x;
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
        case OP_INT_ADD:
        case OP_INT_SUBTRACT:
        case OP_INT_MULTIPLY:
            r[i->out] = DATUM_NULL;
            if (!x->null && !y->null) {
                TRY(integer_operation(&p->sites[i->site], i, x, y, &r[i->out], e->err));
            }
            break;
        case OP_NOT:
            r[i->out] = x->null ? DATUM_NULL : truth(!x->v.i);
            break;
        case OP_AND_FIRST:
        case OP_OR_FIRST:
            r[i->out] = known(*x);
            if (!x->null && (x->v.i != 0) == (i->op == OP_OR_FIRST)) {
                i = p->code + i->target - 1;
            }
            break;
        case OP_AND:
        case OP_OR:
            if (x->null) {
                r[i->out] = DATUM_NULL;
            } else if ((x->v.i != 0) == (i->op == OP_OR)) {
                r[i->out] = truth(i->op == OP_OR);
                i = p->code + i->target - 1;
            }
            break;
        case OP_JUMP:
            i = p->code + i->target - 1;
            break;
        case OP_JUMP_UNLESS_TRUE:
            if (x->null || !x->v.i) {
                i = p->code + i->target - 1;
            }
            break;
        case OP_JUMP_IF_VALUE:
            if (!x->null) {
                i = p->code + i->target - 1;
            }
            break;
        case OP_IS_NULL:
            r[i->out] = truth(x->null);
            break;
        case OP_IS_NOT_NULL:
            r[i->out] = truth(!x->null);
            break;
        case OP_IS_BOOL:
            r[i->out] = truth((!x->null && x->v.i == (i->y & 1)) != ((i->y & 2) != 0));
            break;
        case OP_IN_INT:
        case OP_IN_BYTES:
        case OP_IN_KIND:
            r[i->out] = evaluate_in(i, x, &r[i->y]);
            break;
        case OP_DISTINCT:
            r[i->out] = truth(is_distinct(i, x, y));
            break;
        case OP_NOT_DISTINCT:
            r[i->out] = truth(!is_distinct(i, x, y));
            break;
        case OP_PICK_FIRST:
            r[i->out] = known(*x);
            break;
        case OP_PICK_GREATER:
        case OP_PICK_LESS:
            pick(i, x, &r[i->out]);
            break;
        case OP_NULLIF:
            r[i->out] = !r[i->y].null && r[i->y].v.i ? DATUM_NULL : *x;
            break;
        }
    }
    return STATUS_OK;
}

enum status program_run(struct program *p, const struct datum *row, struct datum *out, struct arena *a, struct error *err)
{
    if (p->code_count > 0) {
        struct eval e = { .a = a, .err = err, .scratch = &p->scratch, .locale = &p->locale };
        TRY(run(p, row, &e));
    }
    for (uint32_t i = 0; i < p->result_count; i++) {
        out[i] = *fetch(p->results[i], row, p->registers);
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

static const char *opcode_name(enum opcode op)
{
    static const char *const names[] = {
        "copy",        "call",     "call_nulls", "int_eq",    "int_ne",      "int_lt",     "int_le",       "int_gt",
        "int_ge",      "bytes_eq", "bytes_ne",   "int_add",   "int_subtract", "int_multiply", "not",       "and_first",
        "and",         "or_first", "or",         "jump",      "jump_unless_true", "jump_if_value", "is_null", "is_not_null",
        "is_bool",     "in_int",   "in_bytes",   "in_kind",   "distinct",    "not_distinct", "pick_first", "pick_greater",
        "pick_less",   "nullif",
    };
    return names[op];
}

static void print_operand(operand o, struct buffer *out)
{
    buffer_printf(out, " %c%u", (o & OPERAND_REGISTER) != 0 ? 'r' : 'c', o & ~OPERAND_REGISTER);
}

void program_print(const struct program *p, struct buffer *out)
{
    for (size_t n = 0; n < p->code_count; n++) {
        const struct instruction *i = &p->code[n];
        buffer_printf(out, "%zu: r%u = %s", n, i->out, opcode_name(i->op));
        print_operand(i->x, out);
        if (i->op == OP_CALL || i->op == OP_CALL_NULLS) {
            buffer_printf(out, " %s/%u", p->sites[i->site].name, p->sites[i->site].arg_count);
        } else {
            print_operand(i->y, out);
        }
        buffer_printf(out, " -> %u\n", i->target);
    }
    for (uint32_t i = 0; i < p->result_count; i++) {
        buffer_printf(out, "out %u =", i);
        print_operand(p->results[i], out);
        buffer_append_byte(out, '\n');
    }
}
