/* The logical plan: what a SELECT means, typed and resolved, before anybody decides how to keep it. A graph in an
 * arena: a view used twice is one node with two parents. Every node's output is a multiset of rows of `columns`.
 *
 * What is to come fits beside these kinds without touching them: right/full joins, semi and anti joins as further join
 * kinds (EXISTS, IN (SELECT) and correlated subqueries are decorrelated into them by the SQL room),
 * UNION/EXCEPT/INTERSECT as DISTINCT over UNION ALL and a counting node, general window functions in PLAN_RANK's place
 * with a frame, GROUPING SETS as UNION ALL of groups. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "plan/catalog.h"
#include "plan/expr.h"

enum plan_kind {
    PLAN_SCAN,      /* the current rows of a source table, all declared columns */
    PLAN_ONE,       /* exactly one row of no columns: SELECT without FROM */
    PLAN_FILTER,    /* rows for which the condition is true */
    PLAN_PROJECT,   /* one output row an input row */
    PLAN_JOIN,      /* output: columns of the left, then of the right input */
    PLAN_GROUP,     /* output: the group columns, then one column an aggregate */
    PLAN_DISTINCT,  /* each different row once */
    PLAN_UNION_ALL, /* any number of inputs with the same column types */
    PLAN_RANK,      /* output: the input's columns, then one a rank function */
    PLAN_TOP        /* the first rows in an order */
};

enum plan_join_kind { PLAN_JOIN_INNER, PLAN_JOIN_LEFT };

enum plan_aggregate_kind {
    AGGREGATE_COUNT_ROWS, /* count(*) */
    AGGREGATE_COUNT,
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_BOOL_AND, /* also every() */
    AGGREGATE_BOOL_OR
};

enum plan_rank_kind { RANK_ROW_NUMBER, RANK_RANK, RANK_DENSE_RANK };

#define PLAN_NO_COLUMN UINT32_MAX

struct plan_column {
    const char *name;
    struct type type;
    bool not_null; /* known never to be NULL */
};

struct plan_aggregate {
    enum plan_aggregate_kind kind;
    bool distinct;
    uint32_t argument; /* input column; PLAN_NO_COLUMN for count(*) */
    uint32_t filter;   /* boolean input column of FILTER (WHERE ...), PLAN_NO_COLUMN = none */
    struct type type;  /* of the result */
};

struct plan {
    enum plan_kind kind;
    struct plan_column *columns;
    uint32_t column_count;
    struct plan **inputs;
    uint32_t input_count;
    /* A set of output columns no two rows agree on (NULLs taken as equal); has_key with key_count 0: at most one
     * row. */
    bool has_key;
    uint32_t *key;
    uint32_t key_count;
    const char *where; /* "file:line:column" of the clause it comes from */

    /* PLAN_SCAN */
    const struct catalog_table *table;
    /* PLAN_FILTER: the condition. PLAN_JOIN: the extra condition over left||right columns, NULL = none. */
    struct expr *condition;
    /* PLAN_PROJECT: one expression an output column */
    struct expr **exprs;
    /* PLAN_JOIN: left_keys[i] = right_keys[i] for all i (columns of one comparable kind); pair_count 0 = cross join */
    enum plan_join_kind join_kind;
    uint32_t *left_keys;
    uint32_t *right_keys;
    uint32_t pair_count;
    /* PLAN_GROUP: output columns 0..group_count-1 are these input columns; group_count 0 gives one row always */
    uint32_t *group_columns;
    uint32_t group_count;
    struct plan_aggregate *aggregates;
    uint32_t aggregate_count;
    /* PLAN_RANK, PLAN_TOP */
    uint32_t *partition_columns;
    uint32_t partition_count;
    struct plan_order *order;
    uint32_t order_count;
    enum plan_rank_kind *ranks;
    uint32_t rank_count;
    /* PLAN_RANK: only rows whose first rank function is <= rank_limit are wanted (a filter above says so), 0 = all.
     * PLAN_TOP: LIMIT; has_limit false = no limit. Ties in PLAN_TOP and ROW_NUMBER are broken by the whole row's image.
     * */
    uint64_t rank_limit;
    bool has_limit;
    uint64_t limit;
    uint64_t offset;
};

/* A fresh zeroed node of `kind` with room for its columns. */
struct plan *plan_new(struct arena *a, enum plan_kind kind, uint32_t column_count, uint32_t input_count);
/* Two nodes that keep the same thing (same structure over the same inputs; names do not matter) have equal text:
 * appends it. Used to share arrangements and to tell whether a store was made with this pipeline. */
void plan_print_identity(const struct plan *p, struct buffer *out);
/* An indented tree for people, one node a line. */
void plan_print(const struct plan *p, struct buffer *out);

#endif
