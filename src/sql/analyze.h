/* What the files of this room share while a schema file is read. Not for other rooms.
 *
 * A SELECT is analysed over "flat" columns: the columns of its FROM items side by side. Aggregates and window functions
 * stand in its expressions as columns past SQL_AGGREGATE_FIRST and SQL_WINDOW_FIRST until their nodes are made. */
#ifndef SQL_ANALYZE_H
#define SQL_ANALYZE_H

#include "base/arena.h"
#include "base/error.h"
#include "plan/catalog.h"
#include "plan/plan.h"

#include <pg_query.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SQL_COLUMNS_MAX = 1600, /* of a table and of a SELECT's output, as in PostgreSQL */
    SQL_FROM_COLUMNS_MAX = 1 << 16,
    SQL_QUERY_DEPTH_MAX = 64,   /* SELECT in SELECT */
    SQL_EXPR_DEPTH_MAX = 512,   /* parentheses, chained operators */
    SQL_JOIN_DEPTH_MAX = 512,   /* JOIN in JOIN */
    SQL_ARMS_MAX = 4096,        /* of one UNION chain; rows of one VALUES */
    SQL_SPAN_TOKENS_MAX = 4096, /* in one expression; see depth.c */
    SQL_PARENTHESES_MAX = 1024,
    SQL_AGGREGATE_FIRST = 1 << 28,
    SQL_WINDOW_FIRST = 1 << 29
};

/* Pointers in an arena, in order of addition. */
struct sql_list {
    void **items;
    uint32_t count;
    uint32_t capacity;
};
void sql_list_add(struct arena *a, struct sql_list *list, void *item);

struct sql_cte;

/* One load. `text` is the file being read; everything made lives in the catalog's arena. */
struct sql {
    struct catalog *catalog;
    struct arena *arena;
    struct error *err;
    const char *file;
    const char *text;
    size_t text_bytes;
    int32_t statement; /* where the current statement begins */
    uint32_t query_depth;
    uint32_t expr_depth;
    const struct sql_cte *ctes; /* in sight, innermost first */
    struct sql_list ctes_made;  /* struct sql_cte: of this statement, each after those it uses */
};

/* --- source.c: places and errors --- */

/* "file:line:column" of a byte offset; column counts characters from 1. -1: the statement. */
const char *sql_where(const struct sql *s, int32_t location);
enum status sql_fail(struct sql *s, enum status status, int32_t location, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "<construct> is not supported" */
enum status sql_refuse(struct sql *s, int32_t location, const char *construct);
/* Puts the place before the error of another room; OK passes. */
enum status sql_at(struct sql *s, int32_t location, enum status st);
/* Where a statement's first word begins: past blanks and comments. */
int32_t sql_skip_blanks(const struct sql *s, int32_t location, int32_t end);
/* The text of the query of CREATE ... VIEW ... AS query. */
const char *sql_query_text(const struct sql *s, int32_t begin, int32_t end);
/* The end of the comment, quoted text or single character at `at`; *blank tells whether it means nothing. */
int32_t sql_skip_one(const struct sql *s, int32_t at, int32_t end, bool *blank);
/* Letters, digits and underscores from `at` on. */
int32_t sql_word_bytes(const struct sql *s, int32_t at, int32_t end);
bool sql_word_is(const struct sql *s, int32_t at, int32_t bytes, const char *word);
/* The statement's first words in capitals: "CREATE INDEX". */
const char *sql_statement_name(const struct sql *s, int32_t begin, int32_t end);
/* The offset of the first character of `node`, -1 where the tree does not say. */
int32_t sql_location(const PgQuery__Node *node);
/* The grammar's name of a node, for refusals. */
const char *sql_node_name(const PgQuery__Node *node);
const char *sql_string(const PgQuery__Node *node); /* of a String node, else "" */
/* The candidate nearest to `name` by edit distance, NULL where none is near. */
struct sql_nearest {
    const char *best;
    size_t distance;
};
void sql_nearest_try(struct sql_nearest *nearest, const char *name, const char *candidate, const char *shown);

/* --- depth.c --- */

/* Refuses text whose parse tree could be so deep that walking it would overflow the stack. */
enum status sql_check_depth(struct sql *s);

/* --- table.c --- */
enum status sql_type(struct sql *s, const PgQuery__TypeName *name, struct type *out);
enum status sql_create_table(struct sql *s, const PgQuery__CreateStmt *stmt);
/* The schema of a name to be created; refuses names of other databases and temporary things. */
enum status sql_target_name(struct sql *s, const PgQuery__RangeVar *name, const char **schema, const char **where);

/* --- scope.c: what names mean --- */
struct sql_column {
    const char *name;
    struct expr *expr; /* over the flat columns */
};
struct sql_range {
    const char *alias;
    const char *schema; /* of a table named without an alias, else NULL */
    struct sql_column *columns;
    uint32_t column_count;
    const struct catalog_table *table; /* NULL for everything but a base table */
    uint32_t first;                    /* the table's first flat column */
};
struct sql_from {
    struct plan *plan;
    struct sql_range *ranges;
    uint32_t range_count;
    struct sql_column *columns; /* what * shows and bare names find */
    uint32_t column_count;
};
enum status sql_find_column(struct sql *s, const struct sql_from *from, const PgQuery__ColumnRef *ref,
                            struct expr **out);
/* The columns that `*` or `t.*` stands for. */
enum status sql_find_star(struct sql *s, const struct sql_from *from, const PgQuery__ColumnRef *ref,
                          const struct sql_column **out, uint32_t *count);
bool sql_is_star(const PgQuery__ColumnRef *ref);
/* How many visible columns have this name. */
uint32_t sql_count_columns(const struct sql_from *from, const char *name);
/* "t.x" of a flat column, for messages. */
const char *sql_column_text(const struct sql *s, const struct sql_from *from, uint32_t column);

/* --- expression.c, function.c: scalar expressions --- */
struct sql_sort {
    struct expr *expr;
    uint32_t target;
    bool desc;
    bool nulls_first;
};
struct sql_aggregate {
    enum plan_aggregate_kind kind;
    bool distinct;
    struct expr *argument; /* NULL for count(*) */
    struct expr *filter;
    struct type type;
};
struct sql_window {
    enum plan_rank_kind kind;
    struct expr **partition;
    uint32_t partition_count;
    struct sql_sort *order;
    uint32_t order_count;
    uint32_t column; /* once its node is made */
    bool made;
};
struct sql_scope {
    struct sql *s;
    const struct sql_from *from;
    const char *clause;          /* for messages: "WHERE" */
    struct sql_list *aggregates; /* struct sql_aggregate; NULL = not allowed here */
    struct sql_list *windows;    /* struct sql_window; NULL = not allowed here */
    PgQuery__Node **named_windows;
    size_t named_window_count;
};
enum status sql_expression(const struct sql_scope *scope, const PgQuery__Node *node, struct expr **out);
/* The same, as boolean: "argument of WHERE must be type boolean, not type integer". */
enum status sql_condition(const struct sql_scope *scope, const PgQuery__Node *node, struct expr **out);
enum status sql_function(const struct sql_scope *scope, const PgQuery__FuncCall *call, struct expr **out);
enum status sql_sort_direction(struct sql *s, const PgQuery__SortBy *sort, struct sql_sort *out);
/* Unknown literals become text. */
enum status sql_resolve_unknown(struct sql *s, struct expr **e);
bool sql_is_aggregate_name(const char *name);

/* A copy of `e` in which `replace` put other trees in; NULL from `replace` means "look inside". */
struct sql_rewriter {
    struct arena *arena;
    enum status status; /* the first failure of `replace` */
    struct expr *(*replace)(struct sql_rewriter *r, struct expr *e);
    void *context;
};
struct expr *sql_rewrite(struct sql_rewriter *r, struct expr *e);

/* --- query.c, select.c, group.c, window.c, from.c --- */

/* The plan's first `visible` columns are the output; the order is over all of them. */
struct sql_query {
    struct plan *plan;
    uint32_t visible;
    struct plan_order *order;
    uint32_t order_count;
};
struct sql_cte {
    const char *name;
    struct plan *plan; /* visible columns only, renamed */
    uint32_t *uses;
    const struct sql_cte *next;
};
/* `keep_unknown`: literals in the output stay of unknown type (arms of UNION). */
enum status sql_query(struct sql *s, const PgQuery__SelectStmt *node, bool keep_unknown, struct sql_query *out);
enum status sql_select(struct sql *s, const PgQuery__SelectStmt *node, bool keep_unknown, struct sql_query *out);
/* The query as an input: hidden columns dropped, the order of no meaning. */
struct plan *sql_query_plan(const struct sql *s, const struct sql_query *q);
/* Gives `plan` other column names by a projection. STATUS_INVALID for too many. */
enum status sql_rename(struct sql *s, struct plan **plan, const char *name, PgQuery__Node *const *names, size_t count,
                       int32_t location);
enum status sql_limit(struct sql *s, const PgQuery__SelectStmt *node, struct sql_query *q);
enum status sql_check_order(struct sql *s, const struct type *type, int32_t location);
enum status sql_check_equality(struct sql *s, const struct type *type, int32_t location);

/* The output column that a sort or group item names by position or (with `by_name`) by name; found false: neither. */
enum status sql_output_column(struct sql *s, const PgQuery__Node *node, const char *clause, bool by_name,
                              struct expr *const *exprs, const char *const *names, uint32_t count, bool *found,
                              uint32_t *out);

enum status sql_from_clause(struct sql *s, PgQuery__Node *const *items, size_t count, struct sql_from *out);

struct sql_target {
    const char *name;
    struct expr *expr;
    int32_t location;
};
/* One SELECT between FROM and the output. */
struct sql_select_state {
    struct sql *s;
    const PgQuery__SelectStmt *node;
    struct sql_from from;
    struct sql_list targets; /* struct sql_target; the first `visible` are the output */
    uint32_t visible;
    struct sql_list aggregates;
    struct sql_list windows;
    struct sql_list groups; /* struct expr: over the flat columns */
    struct expr *having;
    struct sql_list sorts; /* struct sql_sort */
    bool grouped;
    struct plan *plan;
};
/* Puts GROUP (and its projection) over sel->plan and makes targets and windows speak of its output. */
enum status sql_group(struct sql_select_state *sel);
/* Puts RANK nodes over sel->plan and makes targets speak of their output. */
enum status sql_windows(struct sql_select_state *sel);
/* A projection of `exprs` over `input`. */
struct plan *sql_project(const struct sql *s, struct plan *input, struct expr **exprs, const char *const *names,
                         uint32_t count);
struct plan *sql_filter(const struct sql *s, struct plan *input, struct expr *condition);

#endif
