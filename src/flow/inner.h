/* What the files of this room share: the operator graph and one batch of rows.
 *
 * A run goes over the nodes once, in topological order: each takes its inputs' batches and gives out its own rows
 * (node_emit). Filters and projections see a row at the moment it is given out. Arrangements are brought up to date
 * when all their readers' inputs are known, before the joins that read them. */
#ifndef FLOW_INNER_H
#define FLOW_INNER_H

#include "expr/program.h"
#include "event/event.h"
#include "flow/delta.h"
#include "flow/flow.h"
#include "flow/view.h"
#include "plan/plan.h"

/* Rows of one width with weights; row-major. Memory is kept between runs. */
struct batch {
    uint32_t width;
    size_t count;
    size_t capacity;
    struct datum *rows;
    int64_t *weights;
};

void batch_grow(struct batch *b);
/* Returns the new last row, uninitialised. */
static inline struct datum *batch_push(struct batch *b, int64_t weight)
{
    if (b->count == b->capacity) {
        batch_grow(b);
    }
    b->weights[b->count] = weight;
    b->count += 1;
    return b->rows + (b->count - 1) * b->width;
}
void batch_reset(struct batch *b);
void batch_release(struct batch *b);
/* Value by value: a row is a few of them, too few for a call of memcpy. */
static inline void row_copy(struct datum *to, const struct datum *from, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++) {
        to[i] = from[i];
    }
}
static inline struct datum *batch_row(const struct batch *b, size_t i)
{
    return b->rows + i * b->width;
}

struct node;

/* Rows of a node by an equality key, in a map: key columns (equality form), then the other columns and the key columns
 * that are image-lossy (image form); value = weight as zigzag varint, empty = 1. */
struct arrangement {
    struct node *input;
    uint32_t *key_columns;
    uint32_t key_count;
    uint32_t *rest_columns; /* what follows the key */
    uint32_t rest_count;
    bool borrows;        /* a decoded row may point into the entry's bytes */
    bool skip_null_keys; /* rows with a NULL in the key are not kept: they never match */
    struct store_map *map;
    const char *map_name;
    struct store_cursor *cursor;
    struct delta delta; /* this run's, grouped by key */
};

struct join; /* join.c */
struct group;
struct ordered;

struct node {
    const struct plan *plan;
    uint32_t id; /* position in topological order: stable for one catalog */
    struct node **inputs;
    uint32_t input_count;
    struct node **linear; /* filters and projections that read it */
    uint32_t linear_count;
    bool kept; /* another operator, an arrangement or a view reads its batch: */
    struct batch out;
    struct datum *row;        /* scratch: the row being given out */
    bool *needed;             /* PLAN_SCAN: columns that somebody looks at */
    struct program *program;  /* FILTER: the condition; PROJECT: the columns; JOIN: the extra condition */
    struct arrangement *left; /* JOIN */
    struct arrangement *right;
    struct group *group;
    struct ordered *ordered;
    uint64_t errors;  /* distinct entries in the error map */
    const char *what; /* "group at file:line:column", for messages */
};

struct output {
    const struct catalog_view *view;
    struct node *node;
    struct store_map *map;
    const char *map_name;
    struct node **upstream; /* every node that feeds it, itself included */
    uint32_t upstream_count;
    struct node *own; /* stands for the view itself in the error map */
    bool **uses;      /* by node id: for a scan, the columns that this view looks at; else NULL */
    bool in_error;
    uint64_t told; /* hash of the error text last reported, 0 = none */
    struct delta delta;
};

/* A source table: its rows by key. */
struct table {
    const struct catalog_table *declared;
    struct node *node; /* PLAN_SCAN, NULL where no view uses the table */
    struct store_map *map;
    struct table_changes *changes; /* of this run */
    uint32_t *key_position;        /* declared column -> position in the key + 1, 0 = none */
    const struct reading *current; /* of its newest rows; NULL unless some of its rows were redriven */
};

struct journal;
struct positions;

struct flow {
    struct flow_options options;
    struct store *store;
    struct arena arena; /* as long as the flow */
    struct arena run;   /* reset after each run */
    struct table *tables;
    uint32_t table_count;
    struct node **nodes;
    uint32_t node_count;
    struct arrangement **arrangements;
    uint32_t arrangement_count;
    struct output *outputs;
    uint32_t output_count;
    struct journal *journal;
    struct store_map *facts;
    struct store_map *positions;
    struct positions *position_list;
    struct store_map *quarantine;
    struct store_map *errors;
    bool started;          /* constant rows have been emitted */
    bool holds;            /* this run: groups may hold back what they would give out */
    uint64_t seq;          /* of the commit being folded */
    uint64_t ordinal;      /* of the item in it */
    uint64_t changes;      /* since the last run */
    uint64_t change_count; /* since flow_open */
    uint64_t quarantined;
    uint64_t reject_count; /* since flow_open */
    int64_t commit_time_us;
    struct buffer key; /* scratch */
    struct buffer value;
};

/* graph.c: nodes, arrangements and outputs out of the catalog, no map opened yet */
void graph_build(struct flow *f);
/* True if the view looks at this column of the table that `scan` reads. */
bool graph_output_uses(const struct output *o, const struct node *scan, uint32_t column);
void graph_release(struct flow *f);

/* journal.c: how rows in the log become rows of declared tables */
struct reading {
    uint32_t table_id;
    struct table *table; /* NULL = undeclared */
    uint32_t source_count;
    struct type *source_types;
    uint32_t *source; /* declared column -> source column, UINT32_MAX = not sent */
    bool straight;    /* same columns, same order, same kinds: bytes are copied */
};
enum status journal_open(struct flow *f, struct error *err);
void journal_release(struct flow *f);
enum status journal_add(struct flow *f, const struct event_schema *schema, struct error *err);
/* NULL where the id is unknown. */
const struct reading *journal_find(const struct flow *f, uint32_t table_id);
/* A row of a table with redriven rows is to be read as `reading`: makes that the one of the table's newest rows, as the
 * SCHEMA item would have that the source's decoder did not write at that time. */
enum status journal_turn(struct flow *f, const struct reading *reading, struct error *err);
uint32_t journal_next_id(const struct flow *f);

/* table.c */
enum status table_open(struct flow *f, struct table *t, const struct catalog_table *declared, struct error *err);
void table_release(struct table *t);
enum status table_fold(struct flow *f, const struct event *e, const struct reading *reading, struct packed_reader *r,
                       struct error *err);
enum status table_truncate(struct flow *f, struct table *t, struct error *err);
/* Writes the run's changes to the map and fills the scan node's batch. */
enum status table_run(struct flow *f, struct table *t, struct error *err);

/* quarantine.c */
enum status quarantine_add(struct flow *f, struct bytes origin, struct bytes reason, struct bytes raw,
                           struct error *err);

/* error.c */
/* A failure of `node` on a row, with the row's weight; `err` is what the row's evaluation said. */
enum status error_add(struct flow *f, struct node *node, const struct plan_column *columns, uint32_t column_count,
                      const struct datum *row, const struct error *failure, int64_t weight, struct error *err);
enum status error_add_text(struct flow *f, struct node *node, const char *text, int64_t weight, struct error *err);
enum status error_load(struct flow *f, struct error *err);
/* The first entry of a view's upstream nodes, into `out`; empty where there is none. */
enum status error_first(struct flow *f, const struct output *o, struct buffer *out, struct error *err);

/* arrange.c */
void arrangement_encode(const struct arrangement *a, const struct datum *row, struct buffer *out, size_t *prefix_len,
                        bool *null_key);
enum status arrangement_run(struct flow *f, struct arrangement *a, struct error *err);
/* Decodes an entry, whose key is its first `prefix_len` bytes, back into those of the input's columns that are needed;
 * the others are NULL. */
enum status arrangement_decode(const struct arrangement *a, struct bytes entry, size_t prefix_len, const bool *needed,
                               struct arena *arena, struct datum *row, struct error *err);
/* Reads a weight as stored. */
enum status weight_read(struct bytes value, int64_t *out, struct error *err);
/* Adds to an entry of a weighted map; entries of weight 0 are deleted. */
enum status weight_add(struct store_map *map, struct bytes key, int64_t weight, int64_t *now, struct error *err);

/* linear.c */
/* Gives a row out: `row` is borrowed for the call, what it points to for the run. `row` may be n->row. */
enum status node_emit(struct flow *f, struct node *n, const struct datum *row, int64_t weight, struct error *err);

/* operators: give rows out of the inputs' batches */
enum status union_run(struct flow *f, struct node *n, struct error *err); /* UNION ALL */
enum status one_run(struct flow *f, struct node *n, struct error *err);   /* ONE */
enum status join_run(struct flow *f, struct node *n, struct error *err);
enum status group_open(struct flow *f, struct node *n, struct error *err); /* GROUP, DISTINCT */
enum status group_run(struct flow *f, struct node *n, struct error *err);
void group_release(struct node *n);
enum status ordered_open(struct flow *f, struct node *n, struct error *err); /* RANK, TOP */
enum status ordered_run(struct flow *f, struct node *n, struct error *err);
void ordered_release(struct node *n);
enum status output_run(struct flow *f, struct output *o, struct error *err);
/* Hash of the view's first error as it stands, 0 = none. */
enum status output_error_hash(struct flow *f, const struct output *o, struct buffer *text, uint64_t *out,
                              struct error *err);

/* Name of a map for a node's or arrangement's identity: "<kind>/<16 hex digits>". */
const char *map_name_for(struct flow *f, const char *kind, struct bytes identity);

#endif
