/* Plans as text: an indented tree for people, and a canonical text that tells whether two nodes keep the same thing. */
#include "plan/plan.h"

#include "expr/build.h"

#include <string.h>

struct node_list {
    const struct plan **nodes;
    uint32_t *numbers; /* print: uses, then label; identity: the node's number */
    uint32_t count;
    uint32_t capacity;
    struct arena arena;
};

static const char *kind_text(const struct plan *p)
{
    switch (p->kind) {
    case PLAN_SCAN:
        return "scan";
    case PLAN_ONE:
        return "one row";
    case PLAN_FILTER:
        return "filter";
    case PLAN_PROJECT:
        return "project";
    case PLAN_JOIN:
        if (p->join_kind == PLAN_JOIN_LEFT) {
            return "left join";
        }
        return p->pair_count == 0 ? "cross join" : "join";
    case PLAN_GROUP:
        return "group";
    case PLAN_DISTINCT:
        return "distinct";
    case PLAN_UNION_ALL:
        return "union all";
    case PLAN_RANK:
        return "rank";
    case PLAN_TOP:
        return "top";
    }
    return "?";
}

static const char *aggregate_text(enum plan_aggregate_kind kind)
{
    static const char *const names[] = {"count", "count", "sum", "avg", "min", "max", "bool_and", "bool_or"};
    return names[kind];
}

static const char *rank_text(enum plan_rank_kind kind)
{
    static const char *const names[] = {"row_number", "rank", "dense_rank"};
    return names[kind];
}

static void print_columns(const char *before, const uint32_t *columns, uint32_t count, const char *after,
                          struct buffer *out)
{
    buffer_append_text(out, before);
    for (uint32_t i = 0; i < count; i++) {
        buffer_printf(out, "%sc%u", i == 0 ? "" : ", ", columns[i]);
    }
    buffer_append_text(out, after);
}

static void print_order(const struct plan *p, struct buffer *out)
{
    for (uint32_t i = 0; i < p->order_count; i++) {
        const struct plan_order *order = &p->order[i];
        buffer_printf(out, "%sc%u%s", i == 0 ? " order by " : ", ", order->column, order->desc ? " desc" : "");
        if (order->nulls_first != order->desc) {
            buffer_append_text(out, order->nulls_first ? " nulls first" : " nulls last");
        }
    }
}

static void print_aggregate(const struct plan_aggregate *aggregate, struct buffer *out)
{
    buffer_printf(out, ", %s(", aggregate_text(aggregate->kind));
    if (aggregate->argument == PLAN_NO_COLUMN) {
        buffer_append_text(out, "*");
    } else {
        buffer_printf(out, "%sc%u", aggregate->distinct ? "distinct " : "", aggregate->argument);
    }
    buffer_append_text(out, ")");
    if (aggregate->filter != PLAN_NO_COLUMN) {
        buffer_printf(out, " filter c%u", aggregate->filter);
    }
}

static void print_join(const struct plan *p, struct buffer *out)
{
    for (uint32_t i = 0; i < p->pair_count; i++) {
        buffer_printf(out, "%sleft.c%u = right.c%u", i == 0 ? " on " : " and ", p->left_keys[i], p->right_keys[i]);
    }
    if (p->condition != NULL) {
        buffer_append_text(out, " if ");
        expr_print(p->condition, out);
    }
}

static void print_top(const struct plan *p, struct buffer *out)
{
    print_order(p, out);
    if (p->has_limit) {
        buffer_printf(out, " limit %llu", (unsigned long long)p->limit);
    }
    if (p->offset > 0) {
        buffer_printf(out, " offset %llu", (unsigned long long)p->offset);
    }
}

static void print_rank(const struct plan *p, struct buffer *out)
{
    for (uint32_t i = 0; i < p->rank_count; i++) {
        buffer_printf(out, "%s%s", i == 0 ? " " : ", ", rank_text(p->ranks[i]));
    }
    if (p->partition_count > 0) {
        print_columns(" partition by ", p->partition_columns, p->partition_count, "", out);
    }
    print_order(p, out);
    if (p->rank_limit > 0) {
        buffer_printf(out, " up to %llu", (unsigned long long)p->rank_limit);
    }
}

/* What the node does, without its inputs; `named` adds the names of columns. */
static void print_node(const struct plan *p, bool named, struct buffer *out)
{
    buffer_append_text(out, kind_text(p));
    switch (p->kind) {
    case PLAN_SCAN:
        buffer_printf(out, " %s.%s", p->table->schema, p->table->name);
        for (uint32_t c = 0; c < p->table->column_count && !named; c++) {
            buffer_printf(out, " %s", p->table->columns[c].name);
        }
        if (!named) {
            print_columns(" key (", p->table->key_columns, p->table->key_count, ")", out);
        }
        break;
    case PLAN_FILTER:
        buffer_append_text(out, " ");
        expr_print(p->condition, out);
        break;
    case PLAN_PROJECT:
        for (uint32_t c = 0; c < p->column_count; c++) {
            buffer_append_text(out, c == 0 ? " " : ", ");
            expr_print(p->exprs[c], out);
            if (named) {
                buffer_printf(out, " as %s", p->columns[c].name);
            }
        }
        break;
    case PLAN_JOIN:
        print_join(p, out);
        break;
    case PLAN_GROUP:
        print_columns(" by (", p->group_columns, p->group_count, ")", out);
        for (uint32_t i = 0; i < p->aggregate_count; i++) {
            print_aggregate(&p->aggregates[i], out);
        }
        break;
    case PLAN_RANK:
        print_rank(p, out);
        break;
    case PLAN_TOP:
        print_top(p, out);
        break;
    case PLAN_ONE:
    case PLAN_DISTINCT:
    case PLAN_UNION_ALL:
        break;
    }
}

static uint32_t *number_of(struct node_list *list, const struct plan *p)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->nodes[i] == p) {
            return &list->numbers[i];
        }
    }
    return NULL;
}

static uint32_t *number_add(struct node_list *list, const struct plan *p, uint32_t number)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
        const struct plan **nodes = arena_zalloc(&list->arena, sizeof *nodes * capacity);
        uint32_t *numbers = arena_zalloc(&list->arena, sizeof *numbers * capacity);
        for (uint32_t i = 0; i < list->count; i++) {
            nodes[i] = list->nodes[i];
            numbers[i] = list->numbers[i];
        }
        list->nodes = nodes;
        list->numbers = numbers;
        list->capacity = capacity;
    }
    list->nodes[list->count] = p;
    list->numbers[list->count] = number;
    return &list->numbers[list->count++];
}

enum { LABEL_FIRST = 1u << 20 }; /* numbers below are counts of uses, from here on labels of printed nodes */

static void count_uses(struct node_list *list, const struct plan *p)
{
    uint32_t *uses = number_of(list, p);
    if (uses != NULL) {
        *uses += *uses < LABEL_FIRST - 1 ? 1 : 0;
        return;
    }
    number_add(list, p, 1);
    for (uint32_t i = 0; i < p->input_count; i++) {
        count_uses(list, p->inputs[i]);
    }
}

static void print_key(const struct plan *p, struct buffer *out)
{
    if (p->has_key) {
        print_columns("  key (", p->key, p->key_count, ")", out);
    }
}

static void print_tree(struct node_list *list, const struct plan *p, uint32_t depth, uint32_t *label,
                       struct buffer *out)
{
    for (uint32_t i = 0; i < depth; i++) {
        buffer_append_text(out, "  ");
    }
    uint32_t *number = number_of(list, p);
    if (number != NULL && *number >= LABEL_FIRST) {
        buffer_printf(out, "shared #%u\n", *number - LABEL_FIRST + 1);
        return;
    }
    if (number != NULL && *number > 1) {
        *number = LABEL_FIRST + *label;
        *label += 1;
        buffer_printf(out, "#%u ", *label);
    }
    print_node(p, true, out);
    print_key(p, out);
    buffer_append_text(out, "\n");
    for (uint32_t i = 0; i < p->input_count; i++) {
        print_tree(list, p->inputs[i], depth + 1, label, out);
    }
}

void plan_print(const struct plan *p, struct buffer *out)
{
    struct node_list list = {0};
    uint32_t label = 0;
    count_uses(&list, p);
    print_tree(&list, p, 0, &label, out);
    arena_release(&list.arena);
}

/* Each different node is one line, after its inputs, which it names by their line: sharing does not show. */
struct identity {
    struct node_list list;
    const char **lines;
    uint32_t line_count;
    uint32_t line_capacity;
};

static uint32_t identity_line(struct identity *id, struct buffer *line)
{
    buffer_append_byte(line, 0);
    const char *text = (const char *)line->data;
    for (uint32_t i = 0; i < id->line_count; i++) {
        if (strcmp(id->lines[i], text) == 0) {
            return i;
        }
    }
    if (id->line_count == id->line_capacity) {
        uint32_t capacity = id->line_capacity == 0 ? 32 : id->line_capacity * 2;
        const char **lines = arena_zalloc(&id->list.arena, sizeof *lines * capacity);
        for (uint32_t i = 0; i < id->line_count; i++) {
            lines[i] = id->lines[i];
        }
        id->lines = lines;
        id->line_capacity = capacity;
    }
    id->lines[id->line_count] = arena_strdup(&id->list.arena, text);
    return id->line_count++;
}

static uint32_t identity_of(struct identity *id, const struct plan *p)
{
    const uint32_t *known = number_of(&id->list, p);
    if (known != NULL) {
        return *known;
    }
    struct buffer line = BUFFER_EMPTY;
    struct buffer inputs = BUFFER_EMPTY;
    for (uint32_t i = 0; i < p->input_count; i++) {
        buffer_printf(&inputs, " <%u", identity_of(id, p->inputs[i]));
    }
    print_node(p, false, &line);
    buffer_append_text(&line, " ->");
    for (uint32_t c = 0; c < p->column_count; c++) {
        char type[TYPE_NAME_BYTES];
        buffer_printf(&line, " %s", type_text(&p->columns[c].type, type));
    }
    buffer_append(&line, inputs.data, inputs.len);
    uint32_t number = identity_line(id, &line);
    number_add(&id->list, p, number);
    buffer_release(&inputs);
    buffer_release(&line);
    return number;
}

void plan_print_identity(const struct plan *p, struct buffer *out)
{
    struct identity id = {0};
    identity_of(&id, p);
    for (uint32_t i = 0; i < id.line_count; i++) {
        buffer_printf(out, "%u:%s\n", i, id.lines[i]);
    }
    arena_release(&id.list.arena);
}
