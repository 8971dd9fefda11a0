/* Expressions into instructions. */
#include "expr/machine.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

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

/* Where the value of `e` can be read, compiling it into a register of its own where it is neither a column nor a
 * constant. */
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

static uint32_t new_site(struct program *p, const struct function *f, const struct type *type, struct expr *const *args,
                         uint32_t count)
{
    mem_grow(&p->sites, &p->site_capacity, p->site_count + 1, sizeof *p->sites);
    struct call_site *s = &p->sites[p->site_count];
    *s = (struct call_site){.eval = f->eval, .name = f->name, .type = *type, .arg_count = count};
    s->has_memo = count > 0 && args[0]->kind == EXPR_CONST;
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
        [FAST_NONE] = OP_CALL,
        [FAST_COPY] = OP_COPY,
        [FAST_INT_EQ] = OP_INT_EQ,
        [FAST_INT_NE] = OP_INT_NE,
        [FAST_INT_LT] = OP_INT_LT,
        [FAST_INT_LE] = OP_INT_LE,
        [FAST_INT_GT] = OP_INT_GT,
        [FAST_INT_GE] = OP_INT_GE,
        [FAST_BYTES_EQ] = OP_BYTES_EQ,
        [FAST_BYTES_NE] = OP_BYTES_NE,
        [FAST_INT_ADD] = OP_INT_ADD,
        [FAST_INT_SUBTRACT] = OP_INT_SUBTRACT,
        [FAST_INT_MULTIPLY] = OP_INT_MULTIPLY,
    };
    return opcodes[fast];
}

static void compile_call_of(struct program *p, const struct function *f, const struct type *type,
                            struct expr *const *args, uint32_t count, uint32_t out)
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
        emit(p, (struct instruction){.op = op, .out = out, .x = x, .y = y, .site = site});
        return;
    }
    uint32_t first = compile_arguments(p, args, count);
    uint32_t site = new_site(p, f, type, args, count);
    emit(p, (struct instruction){.op = (f->flags & FUNCTION_NULLS) != 0 ? OP_CALL_NULLS : OP_CALL,
                                 .out = out,
                                 .x = first | OPERAND_REGISTER,
                                 .site = site});
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
        emit(p, (struct instruction){.op = op, .out = out, .x = x});
    }
    for (uint32_t i = start; i < p->code_count; i++) {
        uint32_t op = p->code[i].op;
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
        uint32_t skip = emit(p, (struct instruction){.op = OP_JUMP_UNLESS_TRUE, .x = condition});
        compile(p, e->args[2 * i + 1], out);
        exits[i] = emit(p, (struct instruction){.op = OP_JUMP});
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
        exits[i] = emit(p, (struct instruction){.op = OP_JUMP_IF_VALUE, .x = out | OPERAND_REGISTER});
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
        emit(p, (struct instruction){.op = op, .out = out, .x = x, .site = e->type.kind});
    }
}

static bool is_int_kind(enum type_kind kind)
{
    return type_is_integer(kind) || kind == TYPE_BOOL || kind == TYPE_DATE || kind == TYPE_TIME ||
           kind == TYPE_TIMESTAMP || kind == TYPE_TIMESTAMPTZ;
}

static bool is_bytes_kind(enum type_kind kind)
{
    return kind == TYPE_TEXT || kind == TYPE_VARCHAR || kind == TYPE_BYTEA;
}

static void compile_in(struct program *p, const struct expr *e, uint32_t out)
{
    enum type_kind kind = e->args[0]->type.kind;
    operand x = compile_operand(p, e->args[0]);
    uint32_t count = e->arg_count - 1;
    uint32_t first = compile_arguments(p, e->args + 1, count);
    enum opcode op = is_int_kind(kind) ? OP_IN_INT : is_bytes_kind(kind) ? OP_IN_BYTES : OP_IN_KIND;
    emit(p, (struct instruction){.op = op,
                                 .out = out,
                                 .x = x,
                                 .y = first | OPERAND_REGISTER,
                                 .target = count << 1 | e->negated,
                                 .site = kind});
}

static void compile_is_bool(struct program *p, const struct expr *e, uint32_t out)
{
    operand x = compile_operand(p, e->args[0]);
    uint32_t flags = (e->kind == EXPR_IS_TRUE ? 1U : 0U) | (e->negated ? 2U : 0U);
    emit(p, (struct instruction){.op = OP_IS_BOOL, .out = out, .x = x, .target = flags});
}

static void compile_nullif(struct program *p, const struct expr *e, uint32_t out)
{
    uint32_t equal = new_registers(p, 1);
    operand x = compile_operand(p, e->args[0]);
    struct expr *args[2] = {e->args[0], e->args[1]};
    struct type type = type_make(TYPE_BOOL);
    compile_call_of(p, function_at(e->function), &type, args, 2, equal);
    emit(p, (struct instruction){.op = OP_NULLIF, .out = out, .x = x, .y = equal | OPERAND_REGISTER});
}

static void compile_unary(struct program *p, uint32_t op, const struct expr *e, uint32_t out)
{
    operand x = compile_operand(p, e->args[0]);
    emit(p, (struct instruction){.op = op, .out = out, .x = x});
}

static void compile_distinct(struct program *p, const struct expr *e, uint32_t out)
{
    operand x = compile_operand(p, e->args[0]);
    operand y = compile_operand(p, e->args[1]);
    emit(p, (struct instruction){
                .op = OP_DISTINCT, .out = out, .x = x, .y = y, .target = e->negated, .site = e->args[0]->type.kind});
}

/* Emits what puts the value of `e` into register `out`. */
static void compile(struct program *p, const struct expr *e, uint32_t out)
{
    switch (e->kind) {
    case EXPR_CONST:
    case EXPR_COLUMN: {
        operand x = compile_operand(p, e);
        emit(p, (struct instruction){.op = OP_COPY, .out = out, .x = x});
        break;
    }
    case EXPR_CALL:
        compile_call_of(p, function_at(e->function), &e->type, e->args, e->arg_count, out);
        break;
    case EXPR_AND:
    case EXPR_OR:
        compile_logical(p, e, out);
        break;
    case EXPR_NOT:
        compile_unary(p, OP_NOT, e, out);
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
        compile_unary(p, e->negated ? OP_IS_NOT_NULL : OP_IS_NULL, e, out);
        break;
    case EXPR_IS_TRUE:
    case EXPR_IS_FALSE:
        compile_is_bool(p, e, out);
        break;
    case EXPR_DISTINCT:
        compile_distinct(p, e, out);
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

static const char *opcode_name(uint32_t op)
{
    static const char *const names[] = {
        "copy",          "call",       "call_nulls",   "int_eq",    "int_ne",  "int_lt",       "int_le",
        "int_gt",        "int_ge",     "bytes_eq",     "bytes_ne",  "int_add", "int_subtract", "int_multiply",
        "not",           "and_first",  "and",          "or_first",  "or",      "jump",         "jump_unless_true",
        "jump_if_value", "is_null",    "is_not_null",  "is_bool",   "in_int",  "in_bytes",     "in_kind",
        "distinct",      "pick_first", "pick_greater", "pick_less", "nullif",
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
