/* The engine against a naive one: random changes of two tables, views of every operator, and after some of the commits
 * everything is worked out anew from the rows that are there. Whatever the bounds of the runs, and wherever the flow
 * was closed and opened again, the state must be the same bytes, and the same as if only the last rows had ever
 * come. */
#include "flow_fixture.h"

#include "row/sum.h"

#include <math.h>
#include <time.h>

static const char schema[] =
    "create table t (id int primary key, k int, n numeric, f float8, s text, b boolean, big bigint);\n"
    "create table u (id int primary key, k int, w int, note varchar);\n"
    "create materialized view v_join as select t.id as tid, u.id as uid, t.s, u.note from t join u on t.k = u.k where "
    "t.id + u.w > 10;\n"
    "create materialized view v_left as select t.id as tid, u.id as uid, u.w from t left join u on t.k = u.k and u.w > "
    "t.id % 5;\n"
    "create materialized view v_group as select k, count(*) as cnt, count(n) as cn, sum(n) as sn, avg(n) as an, min(n) "
    "as mn,"
    "  max(n) as xn, sum(f) as sf, avg(f) as af, sum(big) as sb, bool_and(b) as ba, bool_or(b) as bo, count(distinct "
    "s) as ds,"
    "  sum(distinct n) as dn, count(*) filter (where b) as cb, max(s) as xs, min(f) as mf, sum(id) as si from t group "
    "by k;\n"
    "create materialized view v_global as select count(*) as c, sum(big) as s, min(s) as m from t;\n"
    "create materialized view v_distinct as select distinct k, b from t;\n"
    "create materialized view v_first as select * from (select k, id, big, row_number() over (partition by k order by "
    "big desc nulls last,"
    "  id) as r from t) as x where r <= 2;\n"
    "create materialized view v_ranks as select id, k, rank() over (partition by k order by s) as r,"
    "  dense_rank() over (partition by k order by s) as d from t;\n"
    "create materialized view v_rank2 as select * from (select k, s, rank() over (partition by k order by s desc) as r "
    "from t) as x"
    "  where r <= 2;\n"
    "create materialized view v_top as select id, big from t order by big desc nulls last, id limit 5 offset 2;\n"
    "create materialized view v_few as select k from t order by k limit 5 offset 2;\n"
    "create materialized view v_numbered as select * from (select k, s, row_number() over (partition by k order by s) "
    "as r from t) as x"
    "  where r <= 2;\n"
    "create materialized view v_union as select k from t union all select k from u order by k;\n"
    "create materialized view v_busy as select g.k, g.cnt, u.id from v_group as g join u on u.k = g.k where g.cnt > "
    "1;\n"
    "create materialized view v_self as select a.id as x, b.id as y from t as a join t as b on a.k = b.k and a.id < "
    "b.id;\n"
    "create materialized view v_images as select n, f, count(*) as c from t group by n, f order by c desc;\n"
    "create materialized view v_numbers as select distinct n from t;\n"
    "create materialized view v_joined as select a.id as x, b.id as y, a.n from t as a left join t as b on a.n = b.n "
    "and b.b;\n"
    "create materialized view v_cross as select t.id as tid, u.id as uid from t cross join u where t.b and u.w > 8;\n"
    "create materialized view v_quotient as select id, 100 / w as q from u;\n"
    "create materialized view v_quotients as select k, sum(100 / w) as q from u group by k;\n"
    "create materialized view v_over as select t.s, 100 / u.w as q from t join u on t.k = u.k;\n"
    "create materialized view v_ratio as select t.id as tid, u.id as uid from t left join u on t.k = u.k and 60 / u.w "
    "> t.id;\n";

enum { T_COLUMNS = 7, U_COLUMNS = 4, COLUMNS_MAX = 7, IDS = 24, T = 1, U = 2 };
enum { T_ID, T_K, T_N, T_F, T_S, T_B, T_BIG };
enum { U_ID, U_K, U_W, U_NOTE };

static const enum type_kind t_kinds[] = {TYPE_INT4, TYPE_INT4, TYPE_NUMERIC, TYPE_FLOAT8,
                                         TYPE_TEXT, TYPE_BOOL, TYPE_INT8};
static const enum type_kind u_kinds[] = {TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_VARCHAR};
static const char *const t_names[] = {"id", "k", "n", "f", "s", "b", "big"};
static const char *const u_names[] = {"id", "k", "w", "note"};

struct model_table {
    uint32_t id;
    uint32_t column_count;
    const enum type_kind *kinds;
    bool exists[IDS];
    struct datum rows[IDS][COLUMNS_MAX];
};

struct model {
    uint64_t random;
    bool zeros; /* w may be 0: divisions by zero */
    struct model_table t;
    struct model_table u;
};

static uint64_t next_random(struct model *m)
{
    uint64_t z = m->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t below(struct model *m, int64_t n)
{
    return (int64_t)(next_random(m) % (uint64_t)n);
}

static void model_init(struct model *m, uint64_t seed)
{
    *m = (struct model){.random = seed, .zeros = true};
    m->t = (struct model_table){.id = T, .column_count = T_COLUMNS, .kinds = t_kinds};
    m->u = (struct model_table){.id = U, .column_count = U_COLUMNS, .kinds = u_kinds};
}

static struct datum random_float(struct model *m)
{
    static const double values[] = {0.0, -0.0, 0.1, 0.2, 0.3, 1e300, -1e300, 1e-300, 7.5, (double)NAN};
    return datum_float(values[below(m, below(m, 6) == 0 ? 10 : 9)]);
}

static struct datum random_value(struct model *m, enum type_kind kind, bool divisor)
{
    static const char *const words[] = {"", "a", "ab", "b", "zebra", "\xc3\xa4"};
    if (below(m, 6) == 0) {
        return DATUM_NULL;
    }
    if (kind == TYPE_NUMERIC) {
        uint32_t scale = (uint32_t)below(m, 3);
        static const int64_t tens[] = {1, 10, 100};
        return (struct datum){.v.i = below(m, 4) * tens[scale], .len = scale};
    }
    if (kind == TYPE_FLOAT8) {
        return random_float(m);
    }
    if (kind == TYPE_TEXT || kind == TYPE_VARCHAR) {
        const char *word = words[below(m, 6)];
        return datum_bytes(bytes_of(word, strlen(word)));
    }
    if (kind == TYPE_BOOL) {
        return datum_int(below(m, 2));
    }
    if (kind == TYPE_INT8) {
        return datum_int(below(m, 5) == 0 ? INT64_MAX - below(m, 2) : below(m, 6));
    }
    return datum_int(divisor ? below(m, 12) + (m->zeros && below(m, 4) == 0 ? 0 : 1) : below(m, 5));
}

static void random_row(struct model *m, const struct model_table *t, int64_t id, struct datum *row)
{
    row[0] = datum_int(id);
    for (uint32_t i = 1; i < t->column_count; i++) {
        row[i] = random_value(m, t->kinds[i], t->id == U && i == U_W);
    }
}

/* ---- changes, told to the flow and done in the model ---- */

static void write_values(struct buffer *out, const struct model_table *t, const struct datum *row)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        packed_append_datum(out, t->kinds[i], &row[i]);
    }
}

static void write_schema(struct buffer *out, const struct model_table *t, const char *name, const char *const *names)
{
    struct event_column columns[COLUMNS_MAX];
    for (uint32_t i = 0; i < t->column_count; i++) {
        columns[i] = (struct event_column){.name = names[i], .type = type_make(t->kinds[i]), .key = i == 0};
    }
    event_append_schema(
        out,
        &(struct event_schema){
            .table_id = t->id, .schema = "public", .table = name, .columns = columns, .column_count = t->column_count});
}

static void write_head(struct buffer *out, const struct model *m)
{
    event_append_commit(out, 1000, 1);
    write_schema(out, &m->t, "t", t_names);
    write_schema(out, &m->u, "u", u_names);
}

static void insert(struct model *m, struct model_table *t, int64_t id, struct buffer *out)
{
    random_row(m, t, id, t->rows[id]);
    t->exists[id] = true;
    event_append_row(out, below(m, 3) == 0 ? EVENT_READ : EVENT_INSERT, t->id, t->column_count);
    write_values(out, t, t->rows[id]);
}

static void erase(struct model *m, struct model_table *t, int64_t id, struct buffer *out)
{
    struct datum row[COLUMNS_MAX];
    memcpy(row, t->rows[id], sizeof row);
    for (uint32_t i = 1; i < t->column_count && below(m, 2) == 0; i++) {
        row[i] = DATUM_MISSING;
    }
    row[0] = datum_int(id);
    event_append_row(out, EVENT_DELETE, t->id, t->column_count);
    write_values(out, t, row);
    t->exists[id] = false; /* where it was not there, the flow puts the change into quarantine */
}

/* Some values new, some as they were and not sent; now and then under another key. */
static void update(struct model *m, struct model_table *t, int64_t id, struct buffer *out)
{
    struct datum sent[COLUMNS_MAX];
    struct datum old[COLUMNS_MAX];
    int64_t to = below(m, 4) == 0 ? below(m, IDS) : id;
    if (to != id && t->exists[to]) {
        to = id;
    }
    memcpy(old, t->rows[id], sizeof old);
    random_row(m, t, to, sent);
    struct datum *row = t->rows[to];
    for (uint32_t i = 0; i < t->column_count; i++) {
        uint64_t what = i == 0 ? 0 : (uint64_t)below(m, 3);
        row[i] = what == 0 ? sent[i] : old[i];
        sent[i] = what == 2 ? DATUM_MISSING : row[i];
    }
    t->exists[id] = false;
    t->exists[to] = true;
    event_append_row(out, EVENT_UPDATE, t->id, t->column_count);
    write_values(out, t, sent);
    if (to == id && below(m, 2) == 0) {
        event_append_no_old(out);
    } else {
        event_append_old(out, t->column_count);
        write_values(out, t, old);
    }
}

static void change(struct model *m, struct buffer *out)
{
    struct model_table *t = below(m, 2) == 0 ? &m->t : &m->u;
    int64_t id = below(m, IDS);
    int64_t what = below(m, 100);
    if (what == 0) {
        memset(t->exists, 0, sizeof t->exists);
        event_append_truncate(out, t->id);
    } else if (!t->exists[id] && what < 95) {
        insert(m, t, id, out);
    } else if (!t->exists[id] || what < 35) {
        erase(m, t, id, out);
    } else if (what < 45) {
        insert(m, t, id, out); /* again: replaces the row */
    } else {
        update(m, t, id, out);
    }
}

static void append_commit(struct world *w, struct model *m, uint64_t number)
{
    event_append_commit(&w->chunk, (int64_t)number * 1000000, number);
    for (int64_t i = below(m, 8); i >= 0; i--) {
        change(m, &w->chunk);
        if (i > 0 && below(m, 10) == 0) {
            world_append(w, false);
        }
    }
    event_append_position(&w->chunk, "file.offset", number * 100);
    world_append(w, true);
}

/* ---- the naive engine: each view from the model's rows ---- */

struct naive {
    const struct model *m;
    struct multiset *out;
    struct buffer line;
    struct arena arena;
};

static void put(struct naive *n, enum type_kind kind, const struct datum *d)
{
    struct type type = type_make(kind);
    line_append(&n->line, &type, d);
}

static void put_int(struct naive *n, int64_t value)
{
    struct datum d = datum_int(value);
    put(n, TYPE_INT8, &d);
}

static void end_line(struct naive *n)
{
    multiset_add(n->out, buffer_bytes(&n->line), 1);
    buffer_reset(&n->line);
}

static bool same(const struct datum *a, const struct datum *b)
{
    return a->null == b->null && (a->null || a->v.i == b->v.i);
}

static bool equal(const struct datum *a, const struct datum *b)
{
    return !a->null && !b->null && a->v.i == b->v.i;
}

#define EACH(table, i)                                                                                                 \
    for (int64_t i = 0; i < IDS; i++)                                                                                  \
        if ((table).exists[i])

static void naive_join(struct naive *n)
{
    EACH(n->m->t, i)
    {
        EACH(n->m->u, k)
        {
            const struct datum *t = n->m->t.rows[i];
            const struct datum *u = n->m->u.rows[k];
            if (equal(&t[T_K], &u[U_K]) && !u[U_W].null && i + u[U_W].v.i > 10) {
                put_int(n, i);
                put_int(n, k);
                put(n, TYPE_TEXT, &t[T_S]);
                put(n, TYPE_TEXT, &u[U_NOTE]);
                end_line(n);
            }
        }
    }
}

static void naive_left(struct naive *n)
{
    EACH(n->m->t, i)
    {
        bool matched = false;
        EACH(n->m->u, k)
        {
            const struct datum *u = n->m->u.rows[k];
            if (equal(&n->m->t.rows[i][T_K], &u[U_K]) && !u[U_W].null && u[U_W].v.i > i % 5) {
                matched = true;
                put_int(n, i);
                put_int(n, k);
                put(n, TYPE_INT4, &u[U_W]);
                end_line(n);
            }
        }
        if (!matched) {
            put_int(n, i);
            put_int(n, -1);
            buffer_reset(&n->line);
            buffer_printf(&n->line, "%d|~|~", (int)i);
            end_line(n);
        }
    }
}

static void naive_self(struct naive *n)
{
    EACH(n->m->t, i)
    {
        EACH(n->m->t, k)
        {
            if (i < k && equal(&n->m->t.rows[i][T_K], &n->m->t.rows[k][T_K])) {
                put_int(n, i);
                put_int(n, k);
                end_line(n);
            }
        }
    }
}

static void naive_cross(struct naive *n)
{
    EACH(n->m->t, i)
    {
        EACH(n->m->u, k)
        {
            const struct datum *b = &n->m->t.rows[i][T_B];
            const struct datum *w = &n->m->u.rows[k][U_W];
            if (!b->null && b->v.i != 0 && !w->null && w->v.i > 8) {
                put_int(n, i);
                put_int(n, k);
                end_line(n);
            }
        }
    }
}

static void naive_union(struct naive *n)
{
    EACH(n->m->t, i)
    {
        put(n, TYPE_INT4, &n->m->t.rows[i][T_K]);
        end_line(n);
    }
    EACH(n->m->u, i)
    {
        put(n, TYPE_INT4, &n->m->u.rows[i][U_K]);
        end_line(n);
    }
}

/* True for the first row of its k. */
static bool is_first_of_group(const struct model_table *t, int64_t id)
{
    for (int64_t i = 0; i < id; i++) {
        if (t->exists[i] && same(&t->rows[i][T_K], &t->rows[id][T_K])) {
            return false;
        }
    }
    return true;
}

/* The rows of `id`'s group: writes their numbers, returns how many. */
static int64_t group_of(const struct model_table *t, int64_t id, int64_t *out)
{
    int64_t count = 0;
    EACH(*t, i)
    {
        if (same(&t->rows[i][T_K], &t->rows[id][T_K])) {
            out[count++] = i;
        }
    }
    return count;
}

/* Less by the order of the image: the smallest of equal values is the shown one, as equal numerics differ by scale. */
static const struct datum *extreme(const struct model_table *t, const int64_t *ids, int64_t count, uint32_t column,
                                   int sign)
{
    const struct datum *best = NULL;
    for (int64_t i = 0; i < count; i++) {
        const struct datum *d = &t->rows[ids[i]][column];
        if (!d->null && (best == NULL || sign * datum_compare(t->kinds[column], d, best) < 0)) {
            best = d;
        }
    }
    return best;
}

static void put_compared(struct naive *n, const struct model_table *t, const int64_t *ids, int64_t count,
                         uint32_t column, int sign)
{
    const struct datum *best = extreme(t, ids, count, column, sign);
    struct datum null = DATUM_NULL;
    if (best != NULL &&
        t->kinds[column] == TYPE_NUMERIC) { /* which of the equal images is shown is not this test's business */
        put_int(n, best->v.i / (best->len == 0 ? 1 : best->len == 1 ? 10 : 100));
    } else if (best != NULL && t->kinds[column] == TYPE_FLOAT8 && best->v.d == 0) {
        put_int(n, 0);
    } else {
        put(n, t->kinds[column], best == NULL ? &null : best);
    }
}

static void put_sum(struct naive *n, const struct model_table *t, const int64_t *ids, int64_t count, uint32_t column,
                    bool average, enum type_kind result)
{
    struct sum *s = sum_new(&n->arena, t->kinds[column]);
    struct datum d = DATUM_NULL;
    struct error err;
    int64_t inputs = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!t->rows[ids[i]][column].null) {
            sum_add(s, &t->rows[ids[i]][column], 1);
            inputs += 1;
        }
    }
    if (inputs > 0) {
        ok(average ? sum_average(s, inputs, &n->arena, &d, &err) : sum_total(s, inputs, &n->arena, &d, &err), &err);
    }
    put(n, result, &d);
}

static int64_t count_distinct_s(const struct model_table *t, const int64_t *ids, int64_t count, int64_t *sum_of_n)
{
    int64_t different = 0;
    bool seen[4] = {false};
    *sum_of_n = -1;
    for (int64_t i = 0; i < count; i++) {
        const struct datum *s = &t->rows[ids[i]][T_S];
        const struct datum *v = &t->rows[ids[i]][T_N];
        bool first = !s->null;
        for (int64_t k = 0; k < i && first; k++) {
            const struct datum *other = &t->rows[ids[k]][T_S];
            first = other->null || datum_compare(TYPE_TEXT, s, other) != 0;
        }
        different += first;
        if (!v->null) {
            seen[v->v.i / (v->len == 0 ? 1 : v->len == 1 ? 10 : 100)] = true;
        }
    }
    for (int64_t i = 0; i < 4; i++) {
        *sum_of_n = seen[i] ? (*sum_of_n < 0 ? 0 : *sum_of_n) + i : *sum_of_n;
    }
    return different;
}

static void put_bools(struct naive *n, const struct model_table *t, const int64_t *ids, int64_t count, int64_t *trues)
{
    int64_t falses = 0;
    *trues = 0;
    for (int64_t i = 0; i < count; i++) {
        const struct datum *b = &t->rows[ids[i]][T_B];
        *trues += !b->null && b->v.i != 0;
        falses += !b->null && b->v.i == 0;
    }
    struct datum null = DATUM_NULL;
    struct datum all = datum_int(falses == 0);
    struct datum any = datum_int(*trues > 0);
    put(n, TYPE_BOOL, *trues + falses == 0 ? &null : &all);
    put(n, TYPE_BOOL, *trues + falses == 0 ? &null : &any);
}

static int64_t count_values(const struct model_table *t, const int64_t *ids, int64_t count, uint32_t column)
{
    int64_t values = 0;
    for (int64_t i = 0; i < count; i++) {
        values += !t->rows[ids[i]][column].null;
    }
    return values;
}

static void naive_group(struct naive *n)
{
    const struct model_table *t = &n->m->t;
    int64_t ids[IDS];
    EACH(*t, id)
    {
        int64_t count = group_of(t, id, ids);
        int64_t trues;
        int64_t numbers;
        if (!is_first_of_group(t, id)) {
            continue;
        }
        put(n, TYPE_INT4, &t->rows[id][T_K]);
        put_int(n, count);
        put_int(n, count_values(t, ids, count, T_N));
        put_sum(n, t, ids, count, T_N, false, TYPE_NUMERIC);
        put_sum(n, t, ids, count, T_N, true, TYPE_NUMERIC);
        put_compared(n, t, ids, count, T_N, 1);
        put_compared(n, t, ids, count, T_N, -1);
        put_sum(n, t, ids, count, T_F, false, TYPE_FLOAT8);
        put_sum(n, t, ids, count, T_F, true, TYPE_FLOAT8);
        put_sum(n, t, ids, count, T_BIG, false, TYPE_NUMERIC);
        put_bools(n, t, ids, count, &trues);
        put_int(n, count_distinct_s(t, ids, count, &numbers));
        if (numbers < 0) {
            buffer_append_text(&n->line, "|~");
        } else {
            put_int(n, numbers);
        }
        put_int(n, trues);
        put_compared(n, t, ids, count, T_S, -1);
        put_compared(n, t, ids, count, T_F, 1);
        put_sum(n, t, ids, count, T_ID, false, TYPE_INT8);
        end_line(n);
    }
}

static void naive_global(struct naive *n)
{
    int64_t ids[IDS];
    int64_t count = 0;
    EACH(n->m->t, i)
    {
        ids[count++] = i;
    }
    put_int(n, count);
    put_sum(n, &n->m->t, ids, count, T_BIG, false, TYPE_NUMERIC);
    put_compared(n, &n->m->t, ids, count, T_S, 1);
    end_line(n);
}

static void naive_distinct(struct naive *n)
{
    const struct model_table *t = &n->m->t;
    EACH(*t, i)
    {
        bool first = true;
        EACH(*t, k)
        {
            first = first &&
                    !(k < i && same(&t->rows[i][T_K], &t->rows[k][T_K]) && same(&t->rows[i][T_B], &t->rows[k][T_B]));
        }
        if (first) {
            put(n, TYPE_INT4, &t->rows[i][T_K]);
            put(n, TYPE_BOOL, &t->rows[i][T_B]);
            end_line(n);
        }
    }
}

/* big DESC NULLS LAST, id */
static bool comes_before(const struct datum *a, const struct datum *b)
{
    if (!same(&a[T_BIG], &b[T_BIG])) {
        return b[T_BIG].null || (!a[T_BIG].null && a[T_BIG].v.i > b[T_BIG].v.i);
    }
    return a[T_ID].v.i < b[T_ID].v.i;
}

static void naive_first(struct naive *n)
{
    const struct model_table *t = &n->m->t;
    EACH(*t, i)
    {
        int64_t place = 1;
        EACH(*t, k)
        {
            place += k != i && same(&t->rows[i][T_K], &t->rows[k][T_K]) && comes_before(t->rows[k], t->rows[i]);
        }
        if (place <= 2) {
            put(n, TYPE_INT4, &t->rows[i][T_K]);
            put_int(n, i);
            put(n, TYPE_INT8, &t->rows[i][T_BIG]);
            put_int(n, place);
            end_line(n);
        }
    }
}

static void naive_top(struct naive *n)
{
    const struct model_table *t = &n->m->t;
    EACH(*t, i)
    {
        int64_t place = 0;
        EACH(*t, k)
        {
            place += k != i && comes_before(t->rows[k], t->rows[i]);
        }
        if (place >= 2 && place < 7) {
            put_int(n, i);
            put(n, TYPE_INT8, &t->rows[i][T_BIG]);
            end_line(n);
        }
    }
}

/* Equal rows, of which the limit may cut a part. */
static void naive_few(struct naive *n)
{
    int64_t skipped = 0;
    int64_t taken = 0;
    for (int64_t k = 0; k <= 5; k++) { /* 5 stands for NULL, the last */
        EACH(n->m->t, i)
        {
            const struct datum *d = &n->m->t.rows[i][T_K];
            if ((d->null ? 5 : d->v.i) != k || skipped++ < 2 || taken == 5) {
                continue;
            }
            taken += 1;
            put(n, TYPE_INT4, d);
            end_line(n);
        }
    }
}

/* NULLs last */
static int compare_s(const struct datum *a, const struct datum *b)
{
    if (a->null || b->null) {
        return (int)a->null - (int)b->null;
    }
    return datum_compare(TYPE_TEXT, a, b);
}

static void ranks_of(const struct model_table *t, int64_t i, int sign, int64_t *rank, int64_t *dense)
{
    *rank = 1;
    *dense = 1;
    EACH(*t, k)
    {
        if (!same(&t->rows[i][T_K], &t->rows[k][T_K]) || sign * compare_s(&t->rows[k][T_S], &t->rows[i][T_S]) >= 0) {
            continue;
        }
        bool first = true;
        EACH(*t, l)
        {
            first = first && !(l < k && same(&t->rows[i][T_K], &t->rows[l][T_K]) &&
                               compare_s(&t->rows[l][T_S], &t->rows[k][T_S]) == 0);
        }
        *rank += 1;
        *dense += first;
    }
}

static void naive_ranks(struct naive *n)
{
    EACH(n->m->t, i)
    {
        int64_t rank;
        int64_t dense;
        ranks_of(&n->m->t, i, 1, &rank, &dense);
        put_int(n, i);
        put(n, TYPE_INT4, &n->m->t.rows[i][T_K]);
        put_int(n, rank);
        put_int(n, dense);
        end_line(n);
    }
}

static void naive_rank2(struct naive *n)
{
    EACH(n->m->t, i)
    {
        int64_t rank;
        int64_t dense;
        ranks_of(&n->m->t, i, -1, &rank, &dense);
        if (rank <= 2) {
            put(n, TYPE_INT4, &n->m->t.rows[i][T_K]);
            put(n, TYPE_TEXT, &n->m->t.rows[i][T_S]);
            put_int(n, rank);
            end_line(n);
        }
    }
}

static void naive_numbered(struct naive *n)
{
    const struct model_table *t = &n->m->t;
    EACH(*t, i)
    {
        int64_t number = 1;
        EACH(*t, k)
        {
            int order = compare_s(&t->rows[k][T_S], &t->rows[i][T_S]);
            number += same(&t->rows[i][T_K], &t->rows[k][T_K]) && (order < 0 || (order == 0 && k < i));
        }
        if (number <= 2) {
            put(n, TYPE_INT4, &t->rows[i][T_K]);
            put(n, TYPE_TEXT, &t->rows[i][T_S]);
            put_int(n, number);
            end_line(n);
        }
    }
}

static void naive_busy(struct naive *n)
{
    int64_t ids[IDS];
    EACH(n->m->t, i)
    {
        int64_t count = group_of(&n->m->t, i, ids);
        EACH(n->m->u, k)
        {
            if (count > 1 && is_first_of_group(&n->m->t, i) && equal(&n->m->t.rows[i][T_K], &n->m->u.rows[k][U_K])) {
                put(n, TYPE_INT4, &n->m->t.rows[i][T_K]);
                put_int(n, count);
                put_int(n, k);
                end_line(n);
            }
        }
    }
}

/* The rows that can be divided; the others are what the view is in error for. */
static void naive_quotient(struct naive *n)
{
    EACH(n->m->u, i)
    {
        const struct datum *w = &n->m->u.rows[i][U_W];
        struct datum q = w->null ? DATUM_NULL : datum_int(w->v.i == 0 ? 0 : 100 / w->v.i);
        if (w->null || w->v.i != 0) {
            put_int(n, i);
            put(n, TYPE_INT4, &q);
            end_line(n);
        }
    }
}

static bool has_zero(const struct model *m)
{
    EACH(m->u, i)
    {
        if (!m->u.rows[i][U_W].null && m->u.rows[i][U_W].v.i == 0) {
            return true;
        }
    }
    return false;
}

/* Numerics of mn, xn and dn may show any of the equal images, and a zero either sign: both sides are made alike. */
static void plain_numbers(struct multiset *lines)
{
    struct multiset plain = {0};
    struct buffer line = BUFFER_EMPTY;
    for (size_t i = 0; i < lines->count; i++) {
        uint32_t field = 0;
        bool fraction = false;
        buffer_reset(&line);
        for (size_t k = 0; k < lines->items[i].len; k++) {
            uint8_t c = lines->items[i].data[k];
            bool exact = field != 5 && field != 6 && field != 13;
            fraction = c == '|' ? false : fraction || c == '.';
            field += c == '|';
            bool minus_zero =
                field == 16 && c == '-' && lines->items[i].data[k + 1] == '0' && lines->items[i].data[k + 2] == '|';
            if ((exact || !fraction) && !minus_zero) {
                buffer_append_byte(&line, c);
            }
        }
        multiset_add(&plain, buffer_bytes(&line), lines->items[i].weight);
    }
    multiset_release(lines);
    *lines = plain;
    buffer_release(&line);
}

static const struct {
    const char *view;
    void (*run)(struct naive *n);
} naive_views[] = {
    {"v_join", naive_join},         {"v_left", naive_left},         {"v_self", naive_self},
    {"v_cross", naive_cross},       {"v_union", naive_union},       {"v_group", naive_group},
    {"v_global", naive_global},     {"v_distinct", naive_distinct}, {"v_first", naive_first},
    {"v_top", naive_top},           {"v_ranks", naive_ranks},       {"v_rank2", naive_rank2},
    {"v_busy", naive_busy},         {"v_quotient", naive_quotient}, {"v_few", naive_few},
    {"v_numbered", naive_numbered},
};

static void check_views(struct world *w, const struct model *m)
{
    for (size_t i = 0; i < sizeof naive_views / sizeof *naive_views; i++) {
        struct multiset want = {0};
        struct multiset have = {0};
        struct naive n = {.m = m, .out = &want};
        naive_views[i].run(&n);
        world_lines(w, world_view(w, naive_views[i].view), &have);
        if (naive_views[i].run == naive_group) {
            plain_numbers(&have);
            plain_numbers(&want);
        }
        if (!multiset_same(&have, &want, naive_views[i].view)) {
            fail_msg("view %s is not what its rows give", naive_views[i].view);
        }
        multiset_release(&want);
        multiset_release(&have);
        buffer_release(&n.line);
        arena_release(&n.arena);
    }
    assert_int_equal(w->in_error[world_view(w, "v_quotient")], has_zero(m));
    world_check_mirror(w);
}

/* ---- tests ---- */

static uint64_t seed_of_run(void)
{
    const char *given = getenv("LOGFOLD_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("LOGFOLD_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

enum { COMMITS = 250 };

static void open_with_head(struct world *w, const struct model *m)
{
    world_open(w, schema);
    write_head(&w->chunk, m);
    world_append(w, true);
}

static void views_are_what_their_rows_give_after_any_changes(void **state)
{
    (void)state;
    struct world w;
    struct model m;
    uint64_t seed = seed_of_run();
    model_init(&m, seed);
    open_with_head(&w, &m);
    for (uint64_t i = 1; i <= COMMITS; i++) {
        m.zeros = i / 40 % 2 == 0;
        append_commit(&w, &m, i);
        if (below(&m, 3) == 0) {
            world_fold(&w, (uint64_t)below(&m, 4));
            check_views(&w, &m);
        }
        if (below(&m, 25) == 0) {
            world_checkpoint(&w);
        }
        if (below(&m, 25) == 0) {
            world_reopen(&w);
            world_fold(&w, (uint64_t)below(&m, 4));
            check_views(&w, &m);
        }
    }
    world_close(&w);
}

/* A log of random commits, folded so many chunks a run, opened anew after the commit `reopen_at`. */
static void fold_log(uint64_t seed, uint64_t chunks_a_run, uint64_t reopen_at, struct multiset *out, struct model *m)
{
    struct world w;
    model_init(m, seed);
    open_with_head(&w, m);
    for (uint64_t i = 1; i <= COMMITS; i++) {
        append_commit(&w, m, i);
        if (i == reopen_at) {
            world_fold(&w, chunks_a_run);
            world_checkpoint(&w);
            world_reopen(&w);
        }
    }
    world_fold(&w, chunks_a_run);
    check_views(&w, m);
    world_checkpoint(&w);
    world_dump(&w, true, out);
    world_close(&w);
}

static void the_state_is_the_same_bytes_however_commits_are_grouped(void **state)
{
    (void)state;
    struct multiset one = {0};
    struct multiset other = {0};
    struct model m;
    uint64_t seed = seed_of_run() * 3;
    static const uint64_t chunks[] = {0, 2, 7, 64};
    fold_log(seed, 1, 0, &one, &m);
    assert_true(one.count > 30); /* a truncate near the end may leave little */
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        fold_log(seed, chunks[i], i % 2 == 0 ? 0 : COMMITS / 2, &other, &m);
        assert_true(multiset_same(&other, &one, "the state"));
    }
    multiset_release(&one);
    multiset_release(&other);
}

static void write_rows(struct world *w, struct model_table *t)
{
    EACH(*t, i)
    {
        event_append_row(&w->chunk, EVENT_INSERT, t->id, t->column_count);
        write_values(&w->chunk, t, t->rows[i]);
    }
}

static void the_state_is_a_function_of_the_rows_that_are_there(void **state)
{
    (void)state;
    struct world w;
    struct world fresh;
    struct model m;
    struct multiset lived = {0};
    struct multiset born = {0};
    uint64_t seed = seed_of_run() * 7;
    for (uint64_t round = 0; round < 3; round++) {
        model_init(&m, seed + round);
        open_with_head(&w, &m);
        for (uint64_t i = 1; i <= COMMITS; i++) {
            m.zeros = round != 2 || i < COMMITS / 2;
            append_commit(&w, &m, i);
        }
        world_fold(&w, 5);
        world_checkpoint(&w);
        world_dump(&w, false, &lived);
        world_close(&w);
        open_with_head(&fresh, &m);
        event_append_commit(&fresh.chunk, 1, 1);
        write_rows(&fresh, &m.t);
        write_rows(&fresh, &m.u);
        world_append(&fresh, true);
        world_fold(&fresh, 0);
        world_checkpoint(&fresh);
        world_dump(&fresh, false, &born);
        world_close(&fresh);
        assert_true(multiset_same(&lived, &born, "the state"));
    }
    multiset_release(&lived);
    multiset_release(&born);
}

static void nothing_is_left_when_every_row_has_gone(void **state)
{
    (void)state;
    struct world w;
    struct model m;
    struct multiset left = {0};
    struct multiset empty = {0};
    model_init(&m, seed_of_run() * 11);
    open_with_head(&w, &m);
    world_fold(&w, 0);
    world_checkpoint(&w);
    world_dump(&w, false, &empty);
    for (uint64_t i = 1; i <= COMMITS / 2; i++) {
        append_commit(&w, &m, i);
    }
    event_append_commit(&w.chunk, 1, 1);
    event_append_truncate(&w.chunk, T);
    EACH(m.u, i)
    {
        erase(&m, &m.u, i, &w.chunk);
    }
    world_append(&w, true);
    memset(m.t.exists, 0, sizeof m.t.exists);
    world_fold(&w, 9);
    check_views(&w, &m);
    world_checkpoint(&w);
    world_dump(&w, false, &left);
    assert_true(multiset_same(&left, &empty, "the state"));
    multiset_release(&left);
    multiset_release(&empty);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_what_their_rows_give_after_any_changes),
        cmocka_unit_test(the_state_is_the_same_bytes_however_commits_are_grouped),
        cmocka_unit_test(the_state_is_a_function_of_the_rows_that_are_there),
        cmocka_unit_test(nothing_is_left_when_every_row_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
