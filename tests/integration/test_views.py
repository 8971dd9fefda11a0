"""Views against PostgreSQL: the same text as ordinary views of the source, compared after every few random transactions."""
import csv
import io
import os
import random

import pytest

import harness
from harness import run
from viewgen import TABLES, Generator, History

# Where PostgreSQL may show any of several equal values (1.0 and 1.00 in a group, a DISTINCT or a min()), round() makes them one.
# name: SELECT. Those whose order is complete are compared in order, too.
FIXED = {
    # expressions
    "e_everything": "SELECT * FROM t1",
    "e_arith": "SELECT id, a + 1 AS p, a - c AS q, a * 2 AS t, a / 3 AS d, a % 3 AS r, -a AS n, b + a AS w, b / 7 AS e FROM t1",
    "e_numeric": "SELECT id, n + 1 AS p, n * n AS sq, m / 3 AS d, m - 0.005 AS s, n::text AS t, round(m, 1) AS r, trunc(m) AS u, m % 1.5 AS mo FROM t1",
    "e_numeric_cast": "SELECT id, m::numeric(20,1) AS x, m::int AS i, a::numeric AS y, a::numeric(5,2) AS z, m::float8 AS f, m::text AS t FROM t1 WHERE abs(m) < 1000000",
    "e_float": "SELECT id, f + 1 AS p, f * 2 AS t, -f AS n, f / 3 AS d, r + r AS rr, f > r AS gt, f = f AS same, f::text AS x FROM t1",
    "e_compare": "SELECT id, a = c AS eq, a <> b AS ne, n < m AS lt, s <= v AS le, d > ts AS gt, tz >= ts AS ge, u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS uu FROM t1",
    "e_3vl": "SELECT id, a > 1 AND ok AS x, a > 1 OR ok AS y, NOT ok AS z, ok IS NOT TRUE AS w, (a > 1) IS UNKNOWN AS v, ok IS FALSE AS u FROM t1",
    "e_in": "SELECT id, a IN (1, 2, NULL) AS x, a NOT IN (1, 2) AS y, s IN ('a', 'ab') AS z, s NOT IN ('a', NULL) AS w, d IN ('2024-02-29', 'infinity') AS v FROM t1",
    "e_between": "SELECT id, a BETWEEN 1 AND 4 AS x, a NOT BETWEEN c AND 3 AS y, d BETWEEN '2024-01-01' AND '2024-12-31' AS z, s BETWEEN 'a' AND 'b' AS w, a BETWEEN SYMMETRIC 5 AND 1 AS v FROM t1",
    "e_like": r"SELECT id, s LIKE 'a%' AS x, s NOT LIKE '%b%' AS y, s ILIKE 'AB_' AS z, v LIKE 'a\%b' AS w, s LIKE '_' AS v, s LIKE '%ö%' AS u FROM t1",
    "e_case": "SELECT id, CASE WHEN a > 3 THEN 'big' WHEN a < 0 THEN s END AS x, CASE a WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END AS y, CASE WHEN ok THEN a ELSE b END AS z FROM t1",
    "e_coalesce": "SELECT id, coalesce(a, c, 0) AS x, coalesce(s, v, 'none') AS y, coalesce(m, n) AS z, nullif(a, 1) AS w, nullif(s, '') AS v, greatest(a, b, 3) AS g, least(s, v) AS l FROM t1",
    "e_distinct": "SELECT id, a IS DISTINCT FROM c AS x, s IS NOT DISTINCT FROM v AS y, n IS DISTINCT FROM 'NaN' AS z, a IS DISTINCT FROM NULL AS w FROM t1",
    "e_string": "SELECT id, upper(s) AS u, lower(s) AS l, length(s) AS n, s || '-' || a AS c, substr(s, 2, 2) AS sb, substring(s from 1 for 1) AS ss, trim(s) AS t, ltrim(s) AS lt, rtrim(s, 'b ') AS rt, replace(s, 'a', 'xx') AS r, position('b' in s) AS p FROM t1",
    "e_string2": "SELECT id, left(s, 2) AS l, right(s, -1) AS r, lpad(s, 6, '*') AS lp, rpad(s, 4) AS rp, repeat(s, 2) AS re, reverse(s) AS rv, split_part(s, 'b', 1) AS sp, initcap(s) AS i, md5(s) AS m, concat(s, a, ok) AS cc, concat_ws(',', s, NULL, d) AS cw, ascii(s) AS ac, starts_with(s, 'a') AS st FROM t1",
    "e_char": "SELECT id, ch, ch || 'x' AS c, length(ch) AS n, ch = 'ab' AS e, v::char(2) AS vc, ch::text AS t, s::varchar(2) AS sv, octet_length(s) AS o, upper(v) AS uv FROM t1",
    "e_date": "SELECT id, d + 1 AS n, d - date '2024-01-01' AS k, extract(year FROM d) AS y, extract(dow FROM d) AS w, date_part('month', d) AS m, d::timestamp AS t FROM t1 WHERE isfinite(d)",
    "e_timestamp": "SELECT id, date_trunc('hour', ts) AS h, date_trunc('week', ts) AS w, ts::date AS d, ts + iv AS p, ts - interval '36 hours' AS m, ts - timestamp '2000-01-01' AS k, extract(epoch FROM ts) AS e, date_bin('10 minutes', ts, timestamp '2000-01-01') AS b, p3, ts::timestamp(0) AS t0 FROM t1",
    "e_timestamptz": "SELECT id, tz, tz AT TIME ZONE 'UTC' AS u, tz > timestamptz '2024-01-01 00:00+00' AS x, extract(hour FROM tz AT TIME ZONE 'UTC') AS h FROM t1",
    "e_interval": "SELECT id, iv + interval '1 hour' AS p, iv * 2 AS t, -iv AS n, iv > interval '1 day' AS g, iv::text AS x, ti + interval '1 hour' AS ti1 FROM t1",
    "e_math": "SELECT id, abs(a) AS a, sign(m) AS s, ceil(m) AS c, floor(m) AS f, round(m) AS r, mod(a, 3) AS mo, power(a, 2) AS p, sqrt(abs(a)) AS q, width FROM (SELECT *, a * 1.5 AS width FROM t1) AS x WHERE a IS NOT NULL",
    "e_casts": "SELECT id, a::text AS t, a::bigint AS b, ok::text AS k, ok::int AS i, b::text::numeric AS n, d::text AS d, '7'::int + a AS s, ts::text AS ts, u::text AS u, y::text AS y, a::float8 AS f, (a <> 0)::text AS z FROM t1",
    "e_bytea": "SELECT id, y, length(y) AS n, y || '\\x01'::bytea AS c, y = '\\x616263' AS e FROM t1",
    "w_all": "SELECT id FROM t1 WHERE a > 0 AND (s LIKE 'a%' OR ok) AND n IS NOT NULL AND d < '2030-01-01'",
    "w_null": "SELECT id, s FROM t1 WHERE NOT (a = 1 OR s = 'a')",
    "w_dup": "SELECT a, ok FROM t1 WHERE c IS NOT NULL",
    "w_never": "SELECT id FROM t1 WHERE false",
    "w_const": "SELECT id, 1 AS one, 'x' AS x, NULL::int AS nothing, 1.50 AS n, date '2024-01-01' AS d, true AS t FROM t3",
    # joins
    "j_inner": "SELECT t1.id, t2.k1, t2.k2, t2.w FROM t1 JOIN t2 ON t2.t1_id = t1.id",
    "j_left": "SELECT t1.id, t1.s, t2.k1, t2.q FROM t1 LEFT JOIN t2 ON t2.t1_id = t1.id",
    "j_left_cond": "SELECT t1.id, t2.k1, t2.k2 FROM t1 LEFT JOIN t2 ON t2.t1_id = t1.id AND t2.q > t1.a AND t1.ok",
    "j_left_where": "SELECT t1.id FROM t1 LEFT JOIN t2 ON t2.t1_id = t1.id WHERE t2.k1 IS NULL",
    "j_right": "SELECT t1.id, t2.k1, t2.k2, t2.s FROM t1 RIGHT JOIN t2 ON t1.id = t2.t1_id",
    "j_text": "SELECT t1.id, t3.id AS id3, t1.s FROM t1 JOIN t3 ON t3.h = t1.s WHERE t3.g > 0",
    "j_two": "SELECT t1.id, t2.k1, t3.id AS id3 FROM t1 JOIN t2 ON t2.t1_id = t1.id JOIN t3 ON t3.g = t2.q",
    "j_left_left": "SELECT t1.id, t2.k2, t3.h FROM t1 LEFT JOIN t2 ON t2.t1_id = t1.id LEFT JOIN t3 ON t3.id = t2.q",
    "j_self": "SELECT x.id, y.id AS other FROM t1 AS x JOIN t1 AS y ON x.a = y.a AND x.id < y.id",
    "j_self_left": "SELECT x.id, y.id AS next FROM t3 AS x LEFT JOIN t3 AS y ON y.id = x.id + 1",
    "j_using": "SELECT id, t1.s, t3.h FROM t1 JOIN t3 USING (id)",
    "j_comma": "SELECT t1.id, t3.id AS i3 FROM t1, t3 WHERE t1.a = t3.g AND t1.b > 0",
    "j_expr": "SELECT t1.id, t3.id AS i3 FROM t1 JOIN t3 ON t1.a + 1 = t3.g",
    "j_types": "SELECT t1.id, t3.z FROM t1 JOIN t3 ON t1.id = t3.id AND t1.c = t3.g",
    "j_num": "SELECT x.id, y.id AS o FROM t1 AS x JOIN t1 AS y ON x.n = y.m",
    "j_cross_one": "SELECT t1.id, t1.a > one.lim AS over, one.day FROM t1 CROSS JOIN one",
    "j_one_date": "SELECT t2.k1, t2.k2, t2.d - one.day AS days FROM t2, one WHERE t2.d > one.day",
    "j_nonequi": "SELECT t3.id, t2.k1, t2.k2 FROM t3 JOIN t2 ON t2.q < t3.g AND t2.s = t3.h",
    "j_dates": "SELECT t1.id, t2.k1 FROM t1 JOIN t2 ON t1.d = t2.d LEFT JOIN t3 ON t3.d = t1.d AND t3.h <> t2.s",
    # groups
    "g_count": "SELECT a, count(*) AS n FROM t1 GROUP BY a",
    "g_null_key": "SELECT a, ok, s, count(*) AS n, count(b) AS nb FROM t1 GROUP BY a, ok, s",
    "g_all_aggs": "SELECT a, sum(c) AS sc, sum(b) AS sb, sum(m) AS sm, avg(a) AS aa, avg(m) AS am, min(s) AS mins, max(s) AS maxs, min(d) AS mind, max(ts) AS maxt, bool_and(ok) AS ba, bool_or(ok) AS bo, every(a > 0) AS ev FROM t1 GROUP BY a",
    "g_numeric": "SELECT ok, sum(n) AS s, avg(n) AS a, min(round(n, 25)) AS mi, max(round(n, 25)) AS ma, count(DISTINCT n) AS d FROM t1 GROUP BY ok",
    "g_float": "SELECT ok, sum(f) AS s, avg(f) AS a, min(f) AS mi, max(f) AS ma, sum(r) AS sr, avg(r) AS ar FROM t1 GROUP BY ok",
    "g_float_key": "SELECT f, r, count(*) AS n FROM t1 GROUP BY f, r",
    "g_num_key": "SELECT n, count(*) AS c FROM (SELECT round(n, 25) AS n FROM t1) AS x GROUP BY n",
    "g_interval": "SELECT ok, sum(iv) AS s, avg(iv) AS a, min(iv::text) AS mi, max(ti) AS ma FROM t1 GROUP BY ok",
    "g_global": "SELECT count(*) AS n, sum(a) AS s, avg(b) AS a, min(id) AS mi, max(v) AS ma, bool_and(ok) AS b FROM t1",
    "g_global_where": "SELECT count(*) AS n, sum(q) AS s FROM t2 WHERE q > 1000",
    "g_distinct": "SELECT ok, count(DISTINCT a) AS ca, sum(DISTINCT a) AS sa, avg(DISTINCT c) AS ac, count(DISTINCT s) AS cs, min(DISTINCT m) AS mm FROM t1 GROUP BY ok",
    "g_filter": "SELECT a, count(*) FILTER (WHERE ok) AS n, sum(m) FILTER (WHERE s LIKE 'a%') AS s, count(DISTINCT c) FILTER (WHERE b > 0) AS d FROM t1 GROUP BY a",
    "g_having": "SELECT a, count(*) AS n FROM t1 GROUP BY a HAVING count(*) > 1 AND sum(c) IS NOT NULL",
    "g_expr_key": "SELECT a % 3 AS r, upper(s) AS u, date_trunc('month', ts) AS mo, count(*) AS n FROM t1 GROUP BY a % 3, upper(s), date_trunc('month', ts)",
    "g_output_name": "SELECT a / 2 AS half, max(id) AS m FROM t1 GROUP BY half",
    "g_arith_on_aggs": "SELECT a, sum(m) / count(*) AS x, round(100.0 * count(*) FILTER (WHERE ok) / count(*), 2) AS pct, max(c)::int - min(c) AS spread, count(*) * 2 + 1 AS t FROM t1 GROUP BY a",
    "g_pk": "SELECT t1.id, t1.s, t1.a, count(t2.k1) AS n FROM t1 LEFT JOIN t2 ON t2.t1_id = t1.id GROUP BY t1.id",
    "g_join": "SELECT t1.s, sum(t2.w) AS w, count(*) AS n FROM t1 JOIN t2 ON t2.t1_id = t1.id WHERE t1.ok GROUP BY t1.s",
    "g_of_group": "SELECT n, count(*) AS groups FROM (SELECT a, count(*) AS n FROM t1 GROUP BY a) AS x GROUP BY n",
    "g_avg_scales": "SELECT g, avg(z) AS a, sum(z) AS s, avg(g) AS ag, avg(id) AS ai, sum(z) / 7 AS q, sum(id) AS si FROM t3 GROUP BY g",
    "g_date_key": "SELECT d, extract(year FROM max(ts)) AS y, count(*) AS n FROM t1 GROUP BY d",
    "g_uuid_key": "SELECT u, y, count(*) AS n FROM t1 GROUP BY u, y",
    "g_char_key": "SELECT ch, v, count(*) AS n FROM t1 GROUP BY ch, v",
    "g_case_sum": "SELECT sum(CASE WHEN ok THEN a ELSE 0 END) AS s, sum(CASE WHEN a > 2 THEN 1 END) AS n, count(nullif(a, 1)) AS c FROM t1",
    # distinct, union
    "d_plain": "SELECT DISTINCT a, ok FROM t1",
    "d_expr": "SELECT DISTINCT upper(s) AS s, a > 2 AS big FROM t1",
    "d_join": "SELECT DISTINCT t1.a FROM t1 JOIN t2 ON t2.t1_id = t1.id",
    "d_on": "SELECT DISTINCT ON (a) a, id, s FROM t1 ORDER BY a, id DESC",
    "u_all": "SELECT id AS i, s FROM t1 UNION ALL SELECT k1, k2 FROM t2 UNION ALL SELECT g, h FROM t3",
    "u_all_same": "SELECT a FROM t1 UNION ALL SELECT a FROM t1 WHERE ok",
    "u_distinct": "SELECT a FROM t1 UNION SELECT q FROM t2",
    "u_types": "SELECT a AS x, m AS y, s AS z FROM t1 UNION ALL SELECT b, a, v FROM t1 UNION ALL SELECT 1, 2.5, NULL",
    "u_grouped": "SELECT x, count(*) AS n FROM (SELECT s AS x FROM t1 UNION ALL SELECT h FROM t3) AS u GROUP BY x",
    # subqueries, CTEs
    "s_from": "SELECT x.a, x.n FROM (SELECT a, count(*) AS n FROM t1 WHERE ok GROUP BY a) AS x WHERE x.n > 1",
    "s_join_group": "SELECT t3.id, x.n FROM t3 LEFT JOIN (SELECT q, count(*) AS n FROM t2 GROUP BY q) AS x ON x.q = t3.g",
    "c_two": "WITH big AS (SELECT id, a FROM t1 WHERE a > 1), pairs AS (SELECT b.id, t2.k1 FROM big AS b JOIN t2 ON t2.t1_id = b.id) SELECT id, count(*) AS n FROM pairs GROUP BY id",
    "c_shared": "WITH g AS (SELECT a, count(*) AS n FROM t1 GROUP BY a) SELECT x.a, x.n, y.n AS m FROM g AS x JOIN g AS y ON y.a = x.a + 1",
    "c_names": "WITH g(key, n) AS (SELECT a, count(*) FROM t1 GROUP BY a) SELECT key, n FROM g WHERE key IS NOT NULL",
    "v_values": "SELECT t1.id, x.name FROM t1 JOIN (VALUES (1, 'one'), (2, 'two'), (3, NULL)) AS x(n, name) ON x.n = t1.a",
    # order, limit, ranks
    "o_limit": "SELECT id, a, s FROM t1 ORDER BY a DESC NULLS LAST, id LIMIT 5",
    "o_offset": "SELECT id, s FROM t1 ORDER BY s NULLS FIRST, id LIMIT 4 OFFSET 3",
    "o_offset_only": "SELECT id FROM t3 ORDER BY id DESC OFFSET 5",
    "o_order_only": "SELECT s, n, id FROM t1 ORDER BY s, n DESC, id",
    "o_hidden": "SELECT s FROM t1 ORDER BY a, id LIMIT 6",
    "o_group": "SELECT a, count(*) AS n FROM t1 GROUP BY a ORDER BY n DESC, a LIMIT 3",
    "o_limit_join": "SELECT t1.id, t2.k1, t2.k2 FROM t1 JOIN t2 ON t2.t1_id = t1.id ORDER BY t2.w DESC, t1.id, t2.k1, t2.k2 LIMIT 7",
    "o_sub": "SELECT count(*) AS n, sum(a) AS s FROM (SELECT a FROM t1 ORDER BY id LIMIT 10) AS x",
    "r_row_number": "SELECT ok, id, rn FROM (SELECT ok, id, row_number() OVER (PARTITION BY ok ORDER BY a DESC, id) AS rn FROM t1) AS x WHERE rn <= 2",
    "r_rank": "SELECT id, a, rk FROM (SELECT id, a, rank() OVER (ORDER BY a) AS rk FROM t1) AS x WHERE rk <= 4",
    "r_dense": "SELECT id, a, rk FROM (SELECT id, a, dense_rank() OVER (PARTITION BY ok ORDER BY a DESC NULLS LAST) AS rk FROM t1) AS x WHERE rk < 3",
    "r_latest": "SELECT g, id, h FROM (SELECT *, row_number() OVER (PARTITION BY g ORDER BY d DESC, id) AS rn FROM t3) AS x WHERE rn = 1",
    "r_group": "SELECT a, n, rn FROM (SELECT a, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC, a) AS rn FROM t1 GROUP BY a) AS x WHERE rn <= 3",
    "r_all": "SELECT id, rank() OVER (ORDER BY g DESC, h) AS rk, row_number() OVER (ORDER BY id) AS rn FROM t3",
    # views on views
    "n_base": "SELECT a, ok, count(*) AS n, sum(m) AS total FROM t1 GROUP BY a, ok",
    "n_filter": "SELECT a, n FROM n_base WHERE n > 1",
    "n_group": "SELECT ok, sum(n) AS n, max(total) AS total FROM n_base GROUP BY ok",
    "n_join": "SELECT t3.id, n_filter.n FROM t3 LEFT JOIN n_filter ON n_filter.a = t3.g",
    "n_self": "SELECT x.a, x.n, y.n AS m FROM n_base AS x JOIN n_base AS y ON x.a = y.a AND x.ok AND NOT y.ok",
}
ORDERED = ["o_limit", "o_offset", "o_offset_only", "o_order_only", "o_hidden", "o_group", "o_limit_join", "d_on"]
CHUNK = 28


def schema_of(views):
    return TABLES + "".join(f"CREATE MATERIALIZED VIEW {name} AS {sql};\n" for name, sql in views.items())


def refused(folder, views):
    """Which of the views --check refuses, with its words; those built on a refused one are refused, too."""
    path = folder / "check.sql"
    good, bad = {}, {}
    for name, sql in views.items():
        path.write_text(schema_of({**good, name: sql}), encoding="utf-8")
        done = run([harness.PROCD, "--check", "--schema", path], cwd=folder)
        if done.returncode == 0:
            good[name] = sql
        else:
            assert done.returncode == 1, f"--check ended with {done.returncode}: {done.stderr}\n    {sql}"
            bad[name] = done.stderr.strip().replace(str(path), "")
    return bad


def csv_rows(text):
    return [tuple(r) for r in csv.reader(io.StringIO(text, newline=""))]


def compare(pipe, views, note):
    """The sink's tables and, where the store has them, statectl's dumps against PostgreSQL; a list of what is wrong."""
    if pipe.procd.running():
        pipe.wait(60)
    wrong = []
    errors = dict(pipe.sink.sql("SELECT view, error FROM logfold.views WHERE error IS NOT NULL"))
    for name, sql in views.items():
        try:
            pipe.source.rows(f"SELECT * FROM {name}")
        except harness.psycopg2.DataError as e:
            if name not in errors:
                wrong.append(f"{note}: {name}: PostgreSQL says {e}, logfold nothing\n    {sql}")
            continue
        if name in errors:
            wrong.append(f"{note}: {name}: error {errors[name]}\n    {sql}")
            continue
        text = harness.view_difference(pipe, name)
        if text:
            wrong.append(f"{note}: {text}\n    {sql}")
    return wrong


def compare_dumps(pipe, views, note):
    pipe.wait_checkpoint()
    wrong = []
    for name in views:
        done = pipe.ctl("dump", name, "--csv", code=None)
        if done.returncode != 0:
            continue  # in error: compare() judges that
        want, got = pipe.source.csv(f"SELECT * FROM {name}"), done.stdout
        floats = harness.float_columns(pipe.source.columns(name))
        text = harness.difference(csv_rows(want), csv_rows(got), floats) if floats else \
            harness.difference([(x,) for x in want.split("\n")], [(x,) for x in got.split("\n")])
        if text:
            wrong.append(f"{note}: dump {name}: {text}")
        elif name in ORDERED and want != got:
            wrong.append(f"{note}: dump {name}: not in the view's order")
    return wrong


def run_history(pipe, views, seed, turns, transactions):
    """Random transactions, compared now and then; procd is killed and started again once."""
    rng = random.Random(seed)
    history = History(rng)
    source = pipe.source
    source.sql(history.fill())
    pipe.start()
    wrong = compare(pipe, views, f"seed {seed}, snapshot")
    for turn in range(turns):
        if wrong:
            break
        for _ in range(transactions):
            source.sql(history.transaction())
        if turn == turns // 2:
            pipe.procd.kill()
            pipe.start()
        wrong = compare(pipe, views, f"seed {seed}, turn {turn}")
    wrong += compare_dumps(pipe, views, f"seed {seed}")
    if not wrong:
        pipe.stop()
        assert pipe.ctl("verify").stdout.startswith("same"), f"seed {seed}"
        source.sql("DELETE FROM t1; DELETE FROM t2; DELETE FROM t3; DELETE FROM one")
        pipe.once()
        wrong = compare(pipe, views, f"seed {seed}, everything deleted")
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:12])


def chunks():
    names = list(FIXED)
    return [names[i:i + CHUNK] for i in range(0, len(names), CHUNK)]


@pytest.mark.parametrize("names", chunks(), ids=[c[0] for c in chunks()])
def test_fixed_views(pipeline, folder, names):
    views = {n: FIXED[n] for n in names}
    bad = refused(folder, views)
    views = {n: s for n, s in views.items() if n not in bad}
    pipe = pipeline(schema_of(views))
    seed = int(os.environ.get("LOGFOLD_VIEW_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, LOGFOLD_VIEW_SEED={seed} repeats it")
    run_history(pipe, views, seed, 6, 10)
    assert not bad, "refused:\n" + "\n".join(f"{n}: {e}" for n, e in bad.items())


@pytest.mark.parametrize("number", range(int(os.environ.get("LOGFOLD_VIEW_RUNS", 3))))
def test_random_views(pipeline, source, folder, number):
    seed = int(os.environ.get("LOGFOLD_VIEW_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, LOGFOLD_VIEW_SEED={seed} repeats it")
    rng = random.Random(seed)
    generator = Generator(rng)
    source.sql(TABLES)
    views = {}
    for i in range(int(os.environ.get("LOGFOLD_VIEWS", 25))):
        name = f"v{i}"
        sql, columns = generator.view()
        source.sql(f"CREATE VIEW {name} AS {sql}")  # the generator makes only what PostgreSQL takes
        views[name] = sql
        generator.views[name] = columns
    bad = refused(folder, views)
    assert len(bad) <= len(views) // 5, f"seed {seed}: refused:\n" + "\n".join(f"{e}\n    {views[n]}" for n, e in bad.items())
    views = {n: s for n, s in views.items() if n not in bad}
    pipe = pipeline(schema_of(views), load=False)
    run_history(pipe, views, seed, 6, 10)


def test_many_rows_of_every_type_at_once(pipeline, source):
    """So many that the sink gets them by COPY, not by arrays: inserts, changes, deletes."""
    names = ["e_everything", "w_dup", "g_null_key", "u_all", "j_left", "e_numeric", "g_uuid_key", "o_limit"]
    views = {n: FIXED[n] for n in names}
    pipe = pipeline(schema_of(views))
    seed = random.randrange(1 << 30)
    history = History(random.Random(seed), rows=9000)
    pipe.start()
    wrong = compare(pipe, views, f"seed {seed}, empty")
    for note, text in [("filled", history.insert("t1", 9000)), ("changed", "UPDATE t1 SET n = n + 1, s = upper(s), f = -f, d = NULL, a = a + 1"),
                       ("duplicates", "UPDATE t1 SET a = 1, ok = true, c = 5"), ("keys", "UPDATE t1 SET id = id + 100000"), ("emptied", "TRUNCATE t1")]:
        source.sql(text)
        wrong += compare(pipe, views, f"seed {seed}, {note}")
        assert not wrong, "\n".join(wrong)


def test_names_that_need_quotes(pipeline, source, sink):
    schema = '''CREATE SCHEMA "Odd ""place""";
        CREATE TABLE "Odd ""place"""."Tab le" ("Id" int PRIMARY KEY, "order" text, "naïve;ñ" int, "a""b" int, "select" boolean);
        CREATE MATERIALIZED VIEW "My View" AS SELECT "Id", "order", "naïve;ñ" AS "Über", "a""b", "select" FROM "Odd ""place"""."Tab le";
        CREATE MATERIALIZED VIEW "user" AS SELECT "select" AS "group", count(*) AS "end", max("order") AS "ORDER" FROM "Odd ""place"""."Tab le" GROUP BY "select";
        CREATE MATERIALIZED VIEW bag AS SELECT "order" AS "x""y", "a""b" FROM "Odd ""place"""."Tab le";'''
    pipe = pipeline(schema, **{"sink.schema": "public"})
    source.sql('''INSERT INTO "Odd ""place"""."Tab le" VALUES (1, 'a', 2, 3, true), (2, NULL, NULL, NULL, NULL), (3, 'a', 2, 3, true)''')
    pipe.start()
    source.sql('''UPDATE "Odd ""place"""."Tab le" SET "a""b" = 7 WHERE "Id" = 1; DELETE FROM "Odd ""place"""."Tab le" WHERE "Id" = 2''')
    pipe.wait()
    harness.assert_views(pipe, ['"My View"', '"user"', "bag"])
    pipe.wait_checkpoint()
    assert pipe.dump("My View") == source.csv('SELECT * FROM "My View" ORDER BY 1')


def test_two_views_that_would_be_one_table_of_the_sink_are_refused(pipeline, source, sink):
    schema = """CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE t (id int PRIMARY KEY);
        CREATE MATERIALIZED VIEW a.v AS SELECT id FROM t;
        CREATE MATERIALIZED VIEW b.v AS SELECT id + 1 AS id FROM t;"""
    pipe = pipeline(schema)
    source.sql("INSERT INTO t VALUES (1)")
    text = pipe.fails()
    assert "a.v" in text and "b.v" in text, text
