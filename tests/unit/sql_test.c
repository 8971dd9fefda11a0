/* The SQL room: plans of good schemas as plan_print shows them, the exact errors of bad ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "sql/sql.h"

#include <stdio.h>
#include <string.h>

#define TABLES                                                                                                         \
    "create table t (id bigint primary key, a int, b varchar(10), j json, d date) with (topic = 'T1');\n"              \
    "create table s.u (id int primary key, t_id bigint, c varchar not null);\n"                                        \
    "create table w (x int, y int, z text, primary key (x, y));\n"

static void append_schema(struct buffer *out, const char *query)
{
    buffer_append_text(out, TABLES);
    buffer_append_text(out, query);
    buffer_append_byte(out, 0);
}

/* The catalog of the tables above and `query`. */
static void load(struct catalog *out, const char *query)
{
    struct buffer text = BUFFER_EMPTY;
    struct error err = {0};
    append_schema(&text, query);
    enum status st = sql_load_text(out, "x.sql", (const char *)text.data, &err);
    buffer_release(&text);
    if (st != STATUS_OK) {
        fail_msg("%s: %s", query, err.text);
    }
}

/* The plan of view v. */
static void check_plan(const char *query, const char *expected)
{
    struct catalog c;
    struct buffer text = BUFFER_EMPTY;
    load(&c, query);
    const struct catalog_view *view = catalog_find_view(&c, "public", "v");
    assert_non_null(view);
    plan_print(view->plan, &text);
    buffer_append_byte(&text, 0);
    if (strcmp((const char *)text.data, expected) != 0) {
        fail_msg("%s:\n%s", query, (const char *)text.data);
    }
    buffer_release(&text);
    catalog_release(&c);
}

static void check_error(const char *query, const char *expected)
{
    struct catalog c;
    struct buffer text = BUFFER_EMPTY;
    struct error err = {0};
    append_schema(&text, query);
    enum status st = sql_load_text(&c, "x.sql", (const char *)text.data, &err);
    if (st == STATUS_OK || strcmp(err.text, expected) != 0) {
        fail_msg("%s: %s", query, st == STATUS_OK ? "is accepted" : err.text);
    }
    assert_int_equal(c.table_count, 0);
    buffer_release(&text);
}

static void filters_and_projections_stand_over_the_scan(void **state)
{
    (void)state;
    check_plan("create view v as select id, a + 1 as n from t where a > 0 and b = 'x'",
               "project c0 as id, (c1 + 1::integer) as n  key (c0)\n"
               "  filter ((c1 > 0::integer) and (cast(c2 as text) = 'x'::text))  key (c0)\n"
               "    scan public.t  key (c0)\n");
    check_plan("create view v as select * from t", "scan public.t  key (c0)\n");
    check_plan("create view v as select t.*, a as a2 from t where false",
               "project c0 as id, c1 as a, c2 as b, c3 as j, c4 as d, c1 as a2  key (c0)\n"
               "  filter 'f'::boolean  key (c0)\n"
               "    scan public.t  key (c0)\n");
}

static void a_condition_that_can_fail_stays_above_what_guards_it(void **state)
{
    (void)state;
    check_plan("create view v as select 1/a as x from t where 10/a > 2 and a <> 0",
               "project (1::integer / c1) as x\n"
               "  filter ((c1 <> 0::integer) and ((10::integer / c1) > 2::integer))  key (c0)\n"
               "    scan public.t  key (c0)\n");
    check_plan("create view v as select x from (select 1/a as x, b from t) q where x > 1 and b = 'k'",
               "filter (c0 > 1::integer)\n"
               "  project (1::integer / c1) as x\n"
               "    filter (cast(c2 as text) = 'k'::text)  key (c0)\n"
               "      scan public.t  key (c0)\n");
}

static void comma_joins_in_any_order_become_keyed_joins(void **state)
{
    (void)state;
    check_plan("create view v as select t.a, u.c from w, t, s.u where w.z = u.c and u.id = t.id",
               "project c3 as a, c0 as c\n"
               "  join on left.c1 = right.c0\n"
               "    project c2 as c, cast(c1 as bigint) as key\n"
               "      join on left.c0 = right.c2\n"
               "        project c2 as z\n"
               "          scan public.w  key (c0, c1)\n"
               "        project c0 as id, c2 as c, cast(c2 as text) as key  key (c0)\n"
               "          scan s.u  key (c0)\n"
               "    project c0 as id, c1 as a  key (c0)\n"
               "      scan public.t  key (c0)\n");
    check_plan("create view v as select t.id from t, s.u, w where t.id = u.t_id and w.x = t.a and lower(b) = "
               "'x'",
               "project c0 as id\n"
               "  join on left.c1 = right.c0\n"
               "    project c0 as id, c1 as a\n"
               "      join on left.c0 = right.c0\n"
               "        project c0 as id, c1 as a  key (c0)\n"
               "          filter (lower(cast(c2 as text)) = 'x'::text)  key (c0)\n"
               "            scan public.t  key (c0)\n"
               "        project c1 as t_id\n"
               "          scan s.u  key (c0)\n"
               "    project c0 as x\n"
               "      scan public.w  key (c0, c1)\n");
}

static void filters_go_to_the_side_they_speak_of(void **state)
{
    (void)state;
    check_plan("create view v as select t.id, u.c from t join s.u on u.t_id = t.id and u.id > 1 where t.a = 2 "
               "and t.a + u.id > 7",
               "project c0 as id, c4 as c\n"
               "  filter ((c1 + c2) > 7::integer)  key (c2)\n"
               "    join on left.c0 = right.c1  key (c2)\n"
               "      project c0 as id, c1 as a  key (c0)\n"
               "        filter (c1 = 2::integer)  key (c0)\n"
               "          scan public.t  key (c0)\n"
               "      filter (c0 > 1::integer)  key (c0)\n"
               "        scan s.u  key (c0)\n");
    check_plan("create view v as select t.id, u.c from t left join s.u on u.t_id = t.id and u.id > 1 and t.a > "
               "2 where t.b = 'x' and u.c is null",
               "project c0 as id, c3 as c\n"
               "  filter (c3 is null)\n"
               "    left join on left.c0 = right.c0 if (c1 > 2::integer)\n"
               "      project c0 as id, c1 as a  key (c0)\n"
               "        filter (cast(c2 as text) = 'x'::text)  key (c0)\n"
               "          scan public.t  key (c0)\n"
               "      project c1 as t_id, c2 as c\n"
               "        filter (c0 > 1::integer)  key (c0)\n"
               "          scan s.u  key (c0)\n");
}

static void join_keys_that_are_expressions_are_projected_first(void **state)
{
    (void)state;
    check_plan("create view v as select t.id from t join s.u on t.id + 1 = u.id",
               "project c0 as id\n"
               "  join on left.c1 = right.c0\n"
               "    project c0 as id, (c0 + 1::integer) as key  key (c0)\n"
               "      scan public.t  key (c0)\n"
               "    project cast(c0 as bigint) as key\n"
               "      scan s.u  key (c0)\n");
}

static void a_right_join_is_a_left_join_turned_round(void **state)
{
    (void)state;
    check_plan("create view v as select t.a, u.c from t right join s.u on u.t_id = t.id",
               "project c3 as a, c1 as c\n"
               "  left join on left.c0 = right.c0\n"
               "    project c1 as t_id, c2 as c\n"
               "      scan s.u  key (c0)\n"
               "    project c0 as id, c1 as a  key (c0)\n"
               "      scan public.t  key (c0)\n");
}

static void using_and_natural_merge_columns(void **state)
{
    (void)state;
    check_plan("create view v as select * from (select id, a from t) p join (select id, c from s.u) q using "
               "(id)",
               "project c0 as id, c1 as a, c2 as c\n"
               "  join on left.c0 = right.c1\n"
               "    project c0 as id, c1 as a  key (c0)\n"
               "      scan public.t  key (c0)\n"
               "    project c2 as c, cast(c0 as bigint) as key\n"
               "      scan s.u  key (c0)\n");
    check_plan("create view v as select x, c from (select id as x, b from t) p natural left join (select t_id "
               "as x, c from s.u) q",
               "project c0 as x, c2 as c\n"
               "  left join on left.c0 = right.c0\n"
               "    project c0 as x  key (c0)\n"
               "      scan public.t  key (c0)\n"
               "    project c1 as x, c2 as c\n"
               "      scan s.u  key (c0)\n");
}

static void groups_find_columns_expressions_positions_and_output_names(void **state)
{
    (void)state;
    check_plan("create view v as select a, count(*) from t group by a", "group by (c0), count(*)  key (c0)\n"
                                                                        "  project c1 as a\n"
                                                                        "    scan public.t  key (c0)\n");
    check_plan("create view v as select a + 1 as k, max(a + 1) from t group by a + 1",
               "group by (c0), max(c0)  key (c0)\n"
               "  project (c1 + 1::integer) as value\n"
               "    scan public.t  key (c0)\n");
    check_plan("create view v as select lower(b) as k, sum(a) from t group by 1",
               "group by (c0), sum(c1)  key (c0)\n"
               "  project lower(cast(c2 as text)) as value, c1 as a\n"
               "    scan public.t  key (c0)\n");
    check_plan("create view v as select lower(b) as k, sum(a) + count(*) as n from t group by k having min(id) "
               "> 3",
               "project c0 as k, (c1 + c2) as n  key (c0)\n"
               "  filter (c3 > 3::integer)  key (c0)\n"
               "    group by (c0), sum(c1), count(*), min(c2)  key (c0)\n"
               "      project lower(cast(c2 as text)) as value, c1 as a, c0 as id  key (c2)\n"
               "        scan public.t  key (c0)\n");
}

static void columns_that_hang_on_a_grouped_primary_key_are_grouped_too(void **state)
{
    (void)state;
    check_plan("create view v as select t.id, t.b, count(*) from t join s.u on t_id = t.id group by t.id",
               "group by (c0, c1), count(*)  key (c0)\n"
               "  project c0 as id, c1 as b\n"
               "    join on left.c0 = right.c0\n"
               "      project c0 as id, c2 as b  key (c0)\n"
               "        scan public.t  key (c0)\n"
               "      project c1 as t_id\n"
               "        scan s.u  key (c0)\n");
}

static void aggregates_without_group_by_give_one_row(void **state)
{
    (void)state;
    check_plan("create view v as select count(*) as n, sum(a) filter (where b = 'x'), count(distinct b) as d, "
               "bool_and(a > 1) from t",
               "group by (), count(*), sum(c0) filter c1, count(distinct c2), bool_and(c3)  key ()\n"
               "  project c1 as a, (cast(c2 as text) = 'x'::text) as value, c2 as b, (c1 > 1::integer) as value\n"
               "    scan public.t  key (c0)\n");
    check_plan("create view v as select 1 as one from t having count(*) > 1", "project 1::integer as one  key ()\n"
                                                                              "  filter (c0 > 1::integer)  key ()\n"
                                                                              "    group by (), count(*)  key ()\n"
                                                                              "      project\n"
                                                                              "        scan public.t  key (c0)\n");
}

static void having_conditions_on_group_columns_go_below_the_group(void **state)
{
    (void)state;
    check_plan("create view v as select a from (select a, b, count(*) c from t group by a, b) q where a > 3 "
               "and c > 1",
               "project c0 as a\n"
               "  filter (c2 > 1::integer)  key (c0, c1)\n"
               "    group by (c0, c1), count(*)  key (c0, c1)\n"
               "      project c1 as a, c2 as b\n"
               "        filter (c1 > 3::integer)  key (c0)\n"
               "          scan public.t  key (c0)\n");
}

static void common_table_expressions_named_twice_are_one_node(void **state)
{
    (void)state;
    check_plan("create view v as with c as (select a, count(*) n from t group by a) select x.a, y.n from c x "
               "join c y on x.n = y.n where x.a > 1",
               "project c0 as a, c2 as n\n"
               "  join on left.c1 = right.c0\n"
               "    filter (c0 > 1::integer)  key (c0)\n"
               "      #1 group by (c0), count(*)  key (c0)\n"
               "        project c1 as a\n"
               "          scan public.t  key (c0)\n"
               "    project c1 as n\n"
               "      shared #1\n");
    check_plan("create view v as with c as (select a, count(*) n from t group by a) select * from c where a = 3",
               "group by (c0), count(*)  key (c0)\n"
               "  project c1 as a\n"
               "    filter (c1 = 3::integer)  key (c0)\n"
               "      scan public.t  key (c0)\n");
}

static void views_on_views_share_the_node(void **state)
{
    (void)state;
    check_plan("create materialized view v1 as select id, a from t where a > 0; create view v as select x.a "
               "from v1 x join v1 y on x.id = y.id",
               "project c1 as a\n"
               "  join on left.c0 = right.c0  key (c0)\n"
               "    #1 project c0 as id, c1 as a  key (c0)\n"
               "      filter (c1 > 0::integer)  key (c0)\n"
               "        scan public.t  key (c0)\n"
               "    project c0 as id  key (c0)\n"
               "      shared #1\n");
    check_plan("create view v1 as select id, a from t where a > 0 order by b; create view v(p, q) as select * "
               "from v1",
               "project c0 as p, c1 as q  key (c0)\n"
               "  project c0 as id, c1 as a, c2 as order  key (c0)\n"
               "    filter (c1 > 0::integer)  key (c0)\n"
               "      scan public.t  key (c0)\n");
}

static void distinct_over_a_key_is_nothing(void **state)
{
    (void)state;
    check_plan("create view v as select distinct a, b from t", "distinct  key (c0, c1)\n"
                                                               "  project c1 as a, c2 as b\n"
                                                               "    scan public.t  key (c0)\n");
    check_plan("create view v as select distinct id, b from t", "project c0 as id, c2 as b  key (c0)\n"
                                                                "  scan public.t  key (c0)\n");
}

static void distinct_on_is_the_first_of_each_partition(void **state)
{
    (void)state;
    check_plan("create view v as select distinct on (a) a, b, d from t order by a, d desc",
               "project c0 as a, c1 as b, c2 as d  key (c0)\n"
               "  filter (c3 <= 1::bigint)  key (c0)\n"
               "    rank row_number partition by c0 order by c2 desc up to 1  key (c0, c3)\n"
               "      project c1 as a, c2 as b, c4 as d\n"
               "        scan public.t  key (c0)\n");
}

static void unions_take_the_common_type_and_filters_go_into_each_arm(void **state)
{
    (void)state;
    check_plan("create view v as select a, 'x' as k from t union all select 1, c from s.u",
               "union all\n"
               "  project c1 as a, 'x'::character varying as k\n"
               "    scan public.t  key (c0)\n"
               "  project 1::integer as a, c2 as k\n"
               "    scan s.u  key (c0)\n");
    check_plan("create view v as select a from (select a from t union all select x from w) q where a > 3",
               "union all\n"
               "  project c1 as a\n"
               "    filter (c1 > 3::integer)  key (c0)\n"
               "      scan public.t  key (c0)\n"
               "  project c0 as a\n"
               "    filter (c0 > 3::integer)  key (c0, c1)\n"
               "      scan public.w  key (c0, c1)\n");
    check_plan("create view v as select a from t union select id from t", "distinct  key (c0)\n"
                                                                          "  union all\n"
                                                                          "    project cast(c1 as bigint) as a\n"
                                                                          "      scan public.t  key (c0)\n"
                                                                          "    project c0 as a  key (c0)\n"
                                                                          "      scan public.t  key (c0)\n");
    check_plan("create view v as select * from (values (1, 'a'), (2, null)) as x(p, q)",
               "union all\n"
               "  project 1::integer as column1, 'a'::text as column2  key ()\n"
               "    one row  key ()\n"
               "  project 2::integer as column1, NULL::text as column2  key ()\n"
               "    one row  key ()\n");
}

static void order_and_limit_are_a_top(void **state)
{
    (void)state;
    check_plan("create view v as select id, a from t order by a desc nulls last, lower(b) limit 3 offset 1",
               "top order by c1 desc nulls last, c2 limit 3 offset 1  key (c0)\n"
               "  project c0 as id, c1 as a, lower(cast(c2 as text)) as order  key (c0)\n"
               "    scan public.t  key (c0)\n");
    check_plan("create view v as select x.id from (select id, a as k from t order by a limit 3) x",
               "project c0 as id  key (c0)\n"
               "  top order by c1 limit 3  key (c0)\n"
               "    project c0 as id, c1 as k  key (c0)\n"
               "      scan public.t  key (c0)\n");
    check_plan("create view v as select id from (select id, a from t order by a) x", "project c0 as id  key (c0)\n"
                                                                                     "  scan public.t  key (c0)\n");
}

static void ranks_stand_after_grouping_and_know_their_limit(void **state)
{
    (void)state;
    check_plan("create view v as select * from (select b, count(*) as n, row_number() over (order by count(*) "
               "desc, b) rn from t group by b) x where rn <= 3",
               "filter (c2 <= 3::integer)  key (c0)\n"
               "  rank row_number order by c1 desc, c0 up to 3  key (c0)\n"
               "    group by (c0), count(*)  key (c0)\n"
               "      project c2 as b\n"
               "        scan public.t  key (c0)\n");
    check_plan("create view v as select * from (select id, a, row_number() over (partition by a order by id) "
               "rn from t) x where 1 = rn and a > 5",
               "filter (1::integer = c2)  key (c1)\n"
               "  rank row_number partition by c1 order by c0 up to 1  key (c0)\n"
               "    project c0 as id, c1 as a  key (c0)\n"
               "      filter (c1 > 5::integer)  key (c0)\n"
               "        scan public.t  key (c0)\n");
    check_plan("create view v as select id, rank() over (order by a) r from t order by r limit 5",
               "top order by c1 limit 5  key (c0)\n"
               "  project c0 as id, c2 as r  key (c0)\n"
               "    rank rank order by c1 up to 5  key (c0)\n"
               "      project c0 as id, c1 as a  key (c0)\n"
               "        scan public.t  key (c0)\n");
}

static void windows_of_one_specification_share_a_node_and_others_are_stacked(void **state)
{
    (void)state;
    check_plan("create view v as select id, row_number() over w as x, rank() over (w) as y, dense_rank() over "
               "(order by b) as z from t window w as (partition by a order by id desc)",
               "project c0 as id, c2 as x, c3 as y, c4 as z  key (c0)\n"
               "  rank dense_rank order by c1  key (c0)\n"
               "    project c0 as id, c2 as b, c3 as row_number, c4 as rank  key (c0)\n"
               "      rank row_number, rank partition by c1 order by c0 desc  key (c0)\n"
               "        project c0 as id, c1 as a, c2 as b  key (c0)\n"
               "          scan public.t  key (c0)\n");
    check_plan("create view v as select id from (select id, row_number() over (order by a) rn from t) x",
               "project c0 as id  key (c0)\n"
               "  scan public.t  key (c0)\n");
}

static void in_lists_pasted_from_pg_get_viewdef_are_read(void **state)
{
    (void)state;
    check_plan("create view v as select id from t where b = any (array['x', 'y']::text[]) and a <> all "
               "(array[1, 2])",
               "project c0 as id  key (c0)\n"
               "  filter ((c2 in ('x'::character varying, 'y'::character varying)) and (c1 not in (1::integer, "
               "2::integer)))  key (c0)\n"
               "    scan public.t  key (c0)\n");
}

static void a_select_without_from_is_one_row(void **state)
{
    (void)state;
    check_plan("create view v as select 1 as one, 'x' as two", "project 1::integer as one, 'x'::text as two  key ()\n"
                                                               "  one row  key ()\n");
}

static const struct {
    const char *query;
    const char *error;
} refused_cases[] = {
    {"create view v as select statuss from t", "x.sql:4:25: column \"statuss\" does not exist"},
    {"create view v as select idd from t",
     "x.sql:4:25: column \"idd\" does not exist: perhaps you meant to reference the column \"t.id\""},
    {"create view v as select é, x.b from t", "x.sql:4:25: column \"é\" does not exist"},
    {"create view v as select t.bb from t",
     "x.sql:4:25: column t.bb does not exist: perhaps you meant to reference the column \"t.b\""},
    {"create view v as select q.b from t x", "x.sql:4:25: missing FROM-clause entry for table \"q\""},
    {"create view v as select t.b from t x",
     "x.sql:4:25: missing FROM-clause entry for table \"t\": perhaps you meant to reference the table "
     "alias \"x\""},
    {"create view v as select a from tt", "x.sql:4:32: relation \"tt\" does not exist: perhaps you meant \"public.t\""},
    {"create view v as select a from s.t",
     "x.sql:4:32: relation \"s.t\" does not exist: perhaps you meant \"public.t\""},
    {"create view v as select id from t, s.u", "x.sql:4:25: column reference \"id\" is ambiguous"},
    {"create view v as select a, b from t group by a",
     "x.sql:4:28: column \"t.b\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {"create view v as select a, count(*) from t",
     "x.sql:4:25: column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {"create view v as select count(*) from t where count(*) > 1",
     "x.sql:4:47: aggregate functions are not allowed in WHERE"},
    {"create view v as select sum(count(*)) from t", "x.sql:4:29: aggregate function calls cannot be nested"},
    {"create view v as select a from t where exists (select 1)", "x.sql:4:40: EXISTS (SELECT ...) is not supported"},
    {"create view v as select a from t where a in (select 1)", "x.sql:4:42: IN (SELECT ...) is not supported"},
    {"create view v as select (select 1) from t", "x.sql:4:25: a scalar subquery is not supported"},
    {"create view v as select * from t full join w on true", "x.sql:4:44: FULL JOIN is not supported"},
    {"create view v as select * from t, lateral (select t.a) q", "x.sql:4:51: LATERAL is not supported"},
    {"create view v as select a from t except select 1", "x.sql:4:48: EXCEPT is not supported"},
    {"create view v as select a from t intersect select 1", "x.sql:4:51: INTERSECT is not supported"},
    {"create view v as with recursive r as (select 1) select * from r", "x.sql:4:18: WITH RECURSIVE is not supported"},
    {"create view v as select lag(a) over (order by b) from t",
     "x.sql:4:25: window function lag() is not supported: row_number, rank and dense_rank are"},
    {"create view v as select a from t group by rollup (a)", "x.sql:4:43: ROLLUP is not supported"},
    {"create view v as select a from t group by grouping sets ((a), ())", "x.sql:4:43: GROUPING SETS is not supported"},
    {"create view v as select a from t group by 3", "x.sql:4:43: GROUP BY position 3 is not in select list"},
    {"create view v as select a from t order by 2", "x.sql:4:43: ORDER BY position 2 is not in select list"},
    {"create view v as select a from t order by 'x'", "x.sql:4:43: non-integer constant in ORDER BY"},
    {"create view v as select a x, b x from t", "x.sql:4:13: column \"x\" specified more than once"},
    {"create view v as select a as x, b as y from t order by z", "x.sql:4:56: column \"z\" does not exist"},
    {"create view v as select string_agg(b, ',') from t",
     "x.sql:4:25: aggregate function string_agg() is not supported: count, sum, avg, min, max, "
     "bool_and, bool_or and every are"},
    {"create view v as select foo(a) from t", "x.sql:4:25: function foo(integer) is not supported"},
    {"create view v as select now() from t",
     "x.sql:4:25: function now() is not supported in a view: its result depends on the clock, so "
     "replaying the log would give another answer"},
    {"create view v as select current_date from t",
     "x.sql:4:25: function current_date() is not supported in a view: its result depends on the "
     "clock, so replaying the log would give another answer"},
    {"create view v as select a from t where a",
     "x.sql:4:40: argument of WHERE must be type boolean, not type integer"},
    {"create view v as select a from t where b + 1 = 2",
     "x.sql:4:42: operator does not exist: character varying + integer"},
    {"create view v as select j from t order by j",
     "x.sql:4:43: could not identify an ordering operator for type json"},
    {"create view v as select j from t group by j",
     "x.sql:4:43: could not identify an equality operator for type json"},
    {"create view v as select distinct j from t", "x.sql:4:34: could not identify an equality operator for type json"},
    {"create view v as select distinct a from t order by b",
     "x.sql:4:52: for SELECT DISTINCT, ORDER BY expressions must appear in select list"},
    {"create view v as select a from t limit a", "x.sql:4:40: column \"a\" does not exist"},
    {"create view v as select a from t limit -1", "x.sql:4:40: LIMIT must not be negative"},
    {"create view v as select a from t fetch first 2 rows with ties",
     "x.sql:4:62: WITH TIES cannot be specified without ORDER BY clause"},
    {"create view v as select a from t union all select a, b from t",
     "x.sql:4:51: each UNION query must have the same number of columns"},
    {"create view v as select a from t union all select d from t",
     "x.sql:4:51: UNION types integer and date cannot be matched"},
    {"create view v as select a from t t1 join t t1 on true", "x.sql:4:42: table name \"t1\" specified more than once"},
    {"create view v as select * from t join w using (id)",
     "x.sql:4:39: column \"id\" specified in USING clause does not exist in right table"},
    {"create view v as select a::foo from t", "x.sql:4:28: type \"foo\" does not exist"},
    {"create view v as select row_number() from t", "x.sql:4:25: window function row_number requires an OVER clause"},
    {"create view v as select row_number() over w from t", "x.sql:4:43: window \"w\" does not exist"},
    {"create view v as select a from t where row_number() over () = 1",
     "x.sql:4:40: window functions are not allowed in WHERE"},
    {"create view v as select ROW(a, b) from t", "x.sql:4:25: a row of values is not supported"},
    {"create view v as select a from t for update", "x.sql:4:25: FOR UPDATE/SHARE is not supported"},
    {"create table t (id int primary key)",
     "x.sql:4:14: relation \"public.t\" already exists: it is declared at x.sql:1:14"},
    {"create table x (id int)", "x.sql:4:14: table public.x has no PRIMARY KEY: logfold keeps rows by key; add one"},
    {"create table x (id int primary key, id text)", "x.sql:4:37: column \"id\" specified more than once"},
    {"create table x (id int primary key, a foo)", "x.sql:4:39: type \"foo\" does not exist"},
    {"create table x (id int primary key, a foo[])", "x.sql:4:39: type \"foo\" does not exist"},
    {"create table x (id int primary key, a public.mood)",
     "x.sql:4:39: type \"public.mood\" is not supported: only PostgreSQL's own types are"},
    {"create table x (id int primary key) with (topik = 'x')",
     "x.sql:4:43: table option \"topik\" is unknown: the one option is topic"},
    {"create table x (id int primary key) with (fillfactor = 10)",
     "x.sql:4:43: table option \"fillfactor\" is unknown: the one option is topic"},
    {"create table x (j json primary key)",
     "x.sql:4:24: column \"j\" of type json in the primary key is not supported"},
    {"create table x (id int, primary key (idd))", "x.sql:4:25: column \"idd\" named in key does not exist"},
    {"create table x (id int primary key, primary key (id))",
     "x.sql:4:37: multiple primary keys for table \"x\" are not allowed"},
    {"create table x as select 1", "x.sql:4:14: CREATE TABLE ... AS is not supported"},
    {"create index on t (a)", "x.sql:4:1: CREATE INDEX is not supported"},
    {"insert into t values (1)", "x.sql:4:1: INSERT is not supported"},
    {"drop table t", "x.sql:4:1: DROP TABLE is not supported"},
    {"select 1", "x.sql:4:1: SELECT is not supported"},
    {"refresh materialized view v", "x.sql:4:1: REFRESH MATERIALIZED VIEW is not supported"},
    {"create view v as select a frm t x y", "x.sql:4:31: syntax error at or near \"t\""},
    {"create view v as select 'é' frm t x y", "x.sql:4:33: syntax error at or near \"t\""},
    {"create view v as select $1", "x.sql:4:25: there is no parameter $1"},
    {"create view v as select a from generate_series(1, 2) a", "x.sql:4:32: a function in FROM is not supported"},
    {"create view v as select a from t tablesample system (1)", "x.sql:4:46: TABLESAMPLE is not supported"},
    {"create view v as select b collate \"de_DE\" from t",
     "x.sql:4:27: collation \"de_DE\" is not supported: text is ordered by code point"},
    {"create view v as select a collate \"C\" from t", "x.sql:4:27: collations are not supported by type integer"},
    {"create view v as select", "x.sql:4:1: a SELECT without columns is not supported"},
    {"create view v as select from t", "x.sql:4:1: a SELECT without columns is not supported"},
    {"create view v(a, b) as select a from t", "x.sql:4:13: CREATE VIEW specifies more column names than columns"},
    {"create temp view v as select a from t", "x.sql:4:18: TEMPORARY is not supported"},
    {"create view v as select a from t x(p, q, r, s, u, k)",
     "x.sql:4:32: table \"x\" has 5 columns available but 6 columns specified"},
    {"create view v as select distinct on (a) a from t order by b",
     "x.sql:4:38: SELECT DISTINCT ON expressions must match initial ORDER BY expressions"},
    {"create view v as select * from (values (1), (2, 3)) x(a)",
     "x.sql:4:46: VALUES lists must all be the same length"},
    {"create view v as select case when a then 1 end from t",
     "x.sql:4:25: argument of CASE/WHEN must be type boolean, not type integer"},
    {"create view v as select count() from t",
     "x.sql:4:25: count(*) must be used to call a parameterless aggregate function"},
    {"create view v as select max(j) from t", "x.sql:4:25: function max(json) is not supported"},
    {"create view v as select a from t group by count(*)",
     "x.sql:4:43: aggregate functions are not allowed in GROUP BY"},
    {"create view v as select a from t order by a fetch first 2 rows with ties",
     "x.sql:4:57: WITH TIES is not supported"},
    {"create view v as select a from t where a = 'x'", "x.sql:4:42: invalid input syntax for type integer: \"x\""},
    {"create view v as select x.a from t x, t y where x.a = y.id and y.id = q.id",
     "x.sql:4:71: missing FROM-clause entry for table \"q\""},
    {"create table x (id int primary key, a int) with (topic = 'T1')",
     "x.sql:4:50: topic \"T1\" belongs to table public.t already"},
    {"create table x (id int primary key, b int) partition by range (id)",
     "x.sql:4:14: a partitioned table is not supported"},
    {"create view v as with c as (delete from t returning a) select * from c",
     "x.sql:4:23: a WITH query that changes data is not supported"},
    {"create view v as with c as (select 1), c as (select 2) select * from c",
     "x.sql:4:40: WITH query name \"c\" specified more than once"},
    {"create view v as select a from t group by cube (a)", "x.sql:4:43: CUBE is not supported"},
    {"create view v as select sum(a) over (order by id) from t",
     "x.sql:4:25: window function sum() is not supported: row_number, rank and dense_rank are"},
    {"create view v as select sum(b) from t", "x.sql:4:25: function sum(character varying) does not exist"},
    {"create view v as select a from t limit 1 + id", "x.sql:4:44: column \"id\" does not exist"},
    {"create view v as select a from db.public.t", "x.sql:4:32: a name with a database is not supported"},
    {"create view t as select 1 as x",
     "x.sql:4:13: relation \"public.t\" already exists: it is declared at x.sql:1:14"},
    {"create view v as select count(distinct j) from t",
     "x.sql:4:25: could not identify an equality operator for type json"},
    {"create view v as select rank() filter (where true) over () from t",
     "x.sql:4:25: FILTER is not implemented for non-aggregate window functions"},
    {"create view v as select * ", "x.sql:4:25: SELECT * with no tables specified is not valid"},
};

static void what_is_not_right_is_refused_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_cases / sizeof refused_cases[0]; i++) {
        check_error(refused_cases[i].query, refused_cases[i].error);
    }
}

static void a_view_s_order_may_use_hidden_columns(void **state)
{
    (void)state;
    struct catalog c;
    load(&c, "create view v as select id, a from t order by lower(b) desc, 2 nulls first, id");
    const struct catalog_view *v = c.views[0];
    assert_int_equal(v->visible_count, 2);
    assert_int_equal(v->plan->column_count, 3);
    assert_int_equal(v->order_count, 3);
    assert_int_equal(v->order[0].column, 2);
    assert_true(v->order[0].desc && v->order[0].nulls_first);
    assert_int_equal(v->order[1].column, 1);
    assert_true(!v->order[1].desc && v->order[1].nulls_first);
    assert_int_equal(v->order[2].column, 0);
    assert_true(!v->order[2].desc && !v->order[2].nulls_first);
    catalog_release(&c);
}

static void columns_have_postgresql_s_names_and_nullability(void **state)
{
    (void)state;
    struct catalog c;
    load(&c,
         "create view v as select id, a + 1, lower(b), b::text, count(*), case when true then 1 end, coalesce(a, 0),"
         " id is null as n from t group by id");
    static const char *const names[] = {"id", "?column?", "lower", "b", "count", "case", "coalesce", "n"};
    static const bool not_null[] = {true, false, false, false, true, false, true, true};
    const struct plan *p = c.views[0]->plan;
    assert_int_equal(p->column_count, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(p->columns[i].name, names[i]);
        assert_int_equal(p->columns[i].not_null, not_null[i]);
    }
    catalog_release(&c);
}

static void tables_carry_every_declared_thing(void **state)
{
    (void)state;
    struct catalog c;
    load(
        &c,
        "create table if not exists operations.x (k serial, a numeric(12,3) not null default 3 check (a > 0), b int[], "
        "c inet, e text unique references t, primary key (e, k)) with (topic = 'a.b'); comment on table t is 'x'");
    const struct catalog_table *x = catalog_find_table(&c, "operations", "x");
    assert_non_null(x);
    assert_ptr_equal(catalog_find_table(&c, NULL, "x"), x);
    assert_null(catalog_find_table(&c, "public", "x"));
    assert_string_equal(x->topic, "a.b");
    assert_string_equal(x->where, "x.sql:4:28");
    assert_int_equal(x->column_count, 5);
    static const enum type_kind kinds[] = {TYPE_INT4, TYPE_NUMERIC, TYPE_OTHER, TYPE_OTHER, TYPE_TEXT};
    static const bool not_null[] = {true, true, false, false, true};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(x->columns[i].type.kind, kinds[i]);
        assert_int_equal(x->columns[i].not_null, not_null[i]);
    }
    assert_int_equal(x->key_count, 2);
    assert_int_equal(x->key_columns[0], 4);
    assert_int_equal(x->key_columns[1], 0);
    catalog_release(&c);
}

static void definitions_are_kept_as_written(void **state)
{
    (void)state;
    struct catalog c;
    load(&c,
         "-- as a comment\ncreate materialized view \"as\" (k) as /* why */ select  a  from t -- end\n with no data;"
         "create or replace view v as\nselect 'x as y' as b\n;");
    assert_string_equal(c.views[0]->name, "as");
    assert_true(c.views[0]->materialized);
    assert_string_equal(c.views[0]->definition, "select  a  from t -- end");
    assert_false(c.views[1]->materialized);
    assert_string_equal(c.views[1]->definition, "select 'x as y' as b");
    catalog_release(&c);
}

static void append_identity(struct buffer *out, const char *query)
{
    struct catalog c;
    load(&c, query);
    plan_print_identity(catalog_find_view(&c, "public", "v")->plan, out);
    buffer_append_byte(out, 0);
    catalog_release(&c);
}

static void identity_sees_structure_and_neither_names_nor_sharing(void **state)
{
    (void)state;
    struct buffer x = BUFFER_EMPTY;
    struct buffer y = BUFFER_EMPTY;
    struct buffer z = BUFFER_EMPTY;
    append_identity(&x, "create view v as with c as (select id, a from t where a > 1) "
                        "select p.id as n from c p join c q on p.id = q.a");
    append_identity(&y,
                    "create view v1 as select id, a from t where a > 1; create view v2 as select id, a from t where "
                    "a > 1; create view v as select v1.id as m from v1, v2 where v1.id = v2.a");
    append_identity(&z, "create view v as with c as (select id, a from t where a > 2) "
                        "select p.id as n from c p join c q on p.id = q.a");
    assert_string_equal((const char *)x.data, (const char *)y.data);
    assert_string_not_equal((const char *)x.data, (const char *)z.data);
    buffer_release(&x);
    buffer_release(&y);
    buffer_release(&z);
}

/* `count` times `piece` between `head` and `tail`. */
static void check_deep(const char *head, const char *piece, int count, const char *tail, const char *words)
{
    struct buffer text = BUFFER_EMPTY;
    struct catalog c;
    struct error err = {0};
    buffer_append_text(&text, TABLES);
    buffer_append_text(&text, head);
    for (int i = 0; i < count; i++) {
        buffer_append_text(&text, piece);
    }
    buffer_append_text(&text, tail);
    buffer_append_byte(&text, 0);
    enum status st = sql_load_text(&c, "x.sql", (const char *)text.data, &err);
    if (words == NULL) {
        assert_int_equal(st, STATUS_OK);
        catalog_release(&c);
    } else {
        assert_int_equal(st, STATUS_UNSUPPORTED);
        assert_non_null(strstr(err.text, words));
    }
    buffer_release(&text);
}

static void depth_is_refused_and_length_is_not(void **state)
{
    (void)state;
    check_deep("create view v as select a", "+a", 400, " as x from t", NULL);
    check_deep("create view v as select a", "+a", 600, " as x from t", "an expression nested more than 512 deep");
    check_deep("create view v as select a", "+a", 100000, " as x from t", "an expression of more than 4096 words");
    check_deep("create view v as select ", "(", 100000, "", "more than 1024 open parentheses");
    check_deep("create view v as select a from t where a > 0", " and a <> 1", 2000, "", NULL);
    check_deep("create view v as select a from t where a in (1", ",2", 5000, ")", NULL);
    check_deep("create view v as select a from t", " union all select a from t", 1000, "", NULL);
    check_deep("create view v as select a from t", " union all select a from t", 100000, "", "joins and unions");
}

static void the_acme_schema_loads(void **state)
{
    (void)state;
    static const char *const paths[] = {"schemas/acme.sql"};
    struct catalog c;
    struct error err = {0};
    if (sql_load(&c, paths, 1, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(c.table_count, 4);
    assert_int_equal(c.view_count, 4);
    for (uint32_t i = 0; i < c.view_count; i++) {
        bool ranked = i == 1 || i == 3;
        assert_true(c.views[i]->materialized);
        assert_true(c.views[i]->plan->has_key);
        assert_int_equal(c.views[i]->plan->column_count, i == 2 ? 2 : 3);
        assert_int_equal(c.views[i]->order_count, ranked ? 1 : 2);
    }
    catalog_release(&c);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    static const char *const paths[] = {"schemas/there_is_no_such.sql"};
    struct catalog c;
    struct error err = {0};
    assert_int_equal(sql_load(&c, paths, 1, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "there_is_no_such.sql"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_and_projections_stand_over_the_scan),
        cmocka_unit_test(a_condition_that_can_fail_stays_above_what_guards_it),
        cmocka_unit_test(comma_joins_in_any_order_become_keyed_joins),
        cmocka_unit_test(filters_go_to_the_side_they_speak_of),
        cmocka_unit_test(join_keys_that_are_expressions_are_projected_first),
        cmocka_unit_test(a_right_join_is_a_left_join_turned_round),
        cmocka_unit_test(using_and_natural_merge_columns),
        cmocka_unit_test(groups_find_columns_expressions_positions_and_output_names),
        cmocka_unit_test(columns_that_hang_on_a_grouped_primary_key_are_grouped_too),
        cmocka_unit_test(aggregates_without_group_by_give_one_row),
        cmocka_unit_test(having_conditions_on_group_columns_go_below_the_group),
        cmocka_unit_test(common_table_expressions_named_twice_are_one_node),
        cmocka_unit_test(views_on_views_share_the_node),
        cmocka_unit_test(distinct_over_a_key_is_nothing),
        cmocka_unit_test(distinct_on_is_the_first_of_each_partition),
        cmocka_unit_test(unions_take_the_common_type_and_filters_go_into_each_arm),
        cmocka_unit_test(order_and_limit_are_a_top),
        cmocka_unit_test(ranks_stand_after_grouping_and_know_their_limit),
        cmocka_unit_test(windows_of_one_specification_share_a_node_and_others_are_stacked),
        cmocka_unit_test(in_lists_pasted_from_pg_get_viewdef_are_read),
        cmocka_unit_test(a_select_without_from_is_one_row),
        cmocka_unit_test(what_is_not_right_is_refused_with_its_place),
        cmocka_unit_test(a_view_s_order_may_use_hidden_columns),
        cmocka_unit_test(columns_have_postgresql_s_names_and_nullability),
        cmocka_unit_test(tables_carry_every_declared_thing),
        cmocka_unit_test(definitions_are_kept_as_written),
        cmocka_unit_test(identity_sees_structure_and_neither_names_nor_sharing),
        cmocka_unit_test(depth_is_refused_and_length_is_not),
        cmocka_unit_test(the_acme_schema_loads),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
