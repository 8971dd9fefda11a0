"""PostgreSQL as the source: snapshot and stream, what tables and servers may do, what is refused and how."""
import random
import threading
import time

import pytest

import acme
import harness
from harness import assert_views, until

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, g int, s text, big text);
CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n, sum(length(big)) AS bytes, min(big) AS big FROM t GROUP BY g;
CREATE MATERIALIZED VIEW w AS SELECT id, s, big FROM t;
"""
VIEWS = ["v", "w"]


def test_snapshot_and_stream_without_gap_or_overlap_under_load(pipeline, source):
    acme.prepare(source)
    acme.fill(source, 300)
    acme.add_kept(source)
    source.sql("INSERT INTO operations.order_items (order_id, product_id, quanity) SELECT i % 1000, i % 28, i % 100 FROM generate_series(1, 60000) i")
    seed = random.randrange(1 << 30)
    workers = [acme.load_worker(source, seed + i) for i in range(2)] + [acme.mover(source, seed)]
    pipe = pipeline(acme.SCHEMA, load=False)
    time.sleep(0.3)
    pipe.start()
    pipe.wait(60)
    time.sleep(0.5)
    for w in workers:
        w.end()
    pipe.wait(60)
    want, got = acme.answers(source), acme.sink_rows(pipe.sink)
    assert got == want, f"seed {seed}"
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


def test_killed_in_the_middle_of_the_snapshot(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t SELECT i, i % 100, i, repeat(md5(i::text), 10) FROM generate_series(1, 60000) i")
    for i in range(8):
        procd = pipe.start(ready=False)
        until(lambda p=procd: "slot" in p.text or not p.running(), what="the slot", step=0.001)
        time.sleep(0.03 * i)
        procd.kill()
        source.sql(f"UPDATE t SET g = g + 1 WHERE id % 1000 = {i}; DELETE FROM t WHERE id = {7 + i * 11}")
    pipe.start()
    source.sql("DELETE FROM t WHERE id = 59999")
    pipe.wait(60)
    assert_views(pipe, VIEWS)
    assert source.one("SELECT count(*) FROM pg_replication_slots") == 1
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL", "USING INDEX t_s"])
def test_unchanged_toast_columns_are_kept(pipeline, source, identity):
    schema = SCHEMA.replace("s text,", "s text NOT NULL,").replace("id int PRIMARY KEY", "id int NOT NULL")
    schema = schema.replace("big text)", f"big text, PRIMARY KEY ({'s' if 'INDEX' in identity else 'id'}))")
    pipe = pipeline(schema)
    source.sql("ALTER TABLE t ALTER big SET STORAGE EXTERNAL; CREATE UNIQUE INDEX t_s ON t (s);" + f"ALTER TABLE t REPLICA IDENTITY {identity}")
    source.sql("INSERT INTO t SELECT i, i % 3, 's' || i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 200) j) FROM generate_series(1, 10) i")
    pipe.start()
    source.sql("INSERT INTO t SELECT i, i % 3, 's' || i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 200) j) FROM generate_series(11, 20) i")
    source.sql("UPDATE t SET g = 9 WHERE id % 2 = 0")  # big is not sent
    source.sql("UPDATE t SET id = id + 100 WHERE id % 5 = 0")
    source.sql("UPDATE t SET s = s || 'x' WHERE id % 3 = 0")
    source.sql("BEGIN; UPDATE t SET g = 5 WHERE id = 3; UPDATE t SET big = 'short' WHERE id = 3; UPDATE t SET g = 6 WHERE id = 3;"
               " UPDATE t SET big = NULL WHERE id = 4; UPDATE t SET g = 7 WHERE id = 4; COMMIT")
    source.sql("BEGIN; UPDATE t SET id = 1000, s = 'moved' WHERE id = 7; UPDATE t SET g = 77 WHERE id = 1000; DELETE FROM t WHERE id = 8; COMMIT")
    pipe.wait()
    assert_views(pipe, VIEWS)
    pipe.procd.kill()
    source.sql("UPDATE t SET g = g + 1")
    pipe.start()
    pipe.wait()
    assert_views(pipe, VIEWS)


def test_a_table_without_primary_key_and_full_identity_needs_its_unique_key(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t REPLICA IDENTITY FULL")
    assert "not unique at the source" in pipe.fails()
    source.sql("ALTER TABLE t ADD UNIQUE (id)")
    pipe.start()
    source.sql("INSERT INTO t VALUES (1, 1, 'a', 'b'), (2, 1, 'a', 'b'); UPDATE t SET id = 3 WHERE id = 1; DELETE FROM t WHERE id = 2")
    pipe.wait()
    assert_views(pipe, VIEWS)


def test_truncate(pipeline, source):
    schema = SCHEMA + """CREATE TABLE u (id int PRIMARY KEY, g int);
        CREATE MATERIALIZED VIEW j AS SELECT u.id, t.s FROM u LEFT JOIN t ON t.g = u.g;"""
    pipe = pipeline(schema)
    views = VIEWS + ["j"]
    fill = "INSERT INTO t SELECT i, i % 5, i, i FROM generate_series(1, 50) i; INSERT INTO u SELECT i, i % 7 FROM generate_series(1, 9) i;"
    source.sql(fill)
    pipe.start()
    pipe.wait()
    assert_views(pipe, views)
    source.sql("TRUNCATE t")
    pipe.wait()
    assert_views(pipe, views)
    source.sql("BEGIN; INSERT INTO t VALUES (1, 1, 'x', 'y'); TRUNCATE t; INSERT INTO t VALUES (1, 2, 'x', 'z'); COMMIT")
    pipe.wait()
    assert_views(pipe, views)
    source.sql("TRUNCATE t, u; " + fill)
    pipe.wait()
    assert_views(pipe, views)
    source.sql("BEGIN; TRUNCATE u; ROLLBACK; TRUNCATE u, t RESTART IDENTITY CASCADE")
    pipe.wait()
    assert_views(pipe, views)
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


def test_one_transaction_of_a_million_rows_in_bounded_memory(pipeline, source):
    cache = 64
    pipe = pipeline("""CREATE TABLE t (id int PRIMARY KEY, g int, s text);
        CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n, sum(id) AS total FROM t GROUP BY g;""", **{"state.cache": f"{cache}MiB"})
    procd = pipe.start()
    pipe.wait()
    peak = [0]
    watching = threading.Event()

    def watch():
        while not watching.wait(0.02):
            try:
                peak[0] = max(peak[0], procd.rss_anon_kib())
            except (OSError, AttributeError):
                return
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    source.sql("INSERT INTO t SELECT i, i % 1000, md5(i::text) || md5((-i)::text) FROM generate_series(1, 1000000) i")
    pipe.wait(120)
    assert_views(pipe, ["v"])
    source.sql("UPDATE t SET g = g + 1, s = s || 'x' WHERE id % 4 = 0; DELETE FROM t WHERE id % 3 = 0")
    pipe.wait(120)
    watching.set()
    thread.join()
    assert_views(pipe, ["v"])
    print(f"peak {peak[0] // 1024} MiB")
    if "-san-" not in harness.BUILD.name:  # the sanitizer keeps freed memory
        assert peak[0] < (3 * cache + 60) * 1024, f"{peak[0] // 1024} MiB with a cache of {cache} MiB"


def test_columns_are_added_dropped_renamed_and_retyped_while_it_runs(pipeline, source):
    schema = """CREATE TABLE t (id int PRIMARY KEY, g int, s varchar(10));
        CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n, max(s) AS s FROM t GROUP BY g;"""
    pipe = pipeline(schema, load=False)
    source.sql("CREATE TABLE t (id int PRIMARY KEY, extra1 text, g int, s varchar(10), extra2 numeric);"
               "CREATE VIEW v AS SELECT g, count(*) AS n, max(s) AS s FROM t GROUP BY g")
    source.sql("INSERT INTO t SELECT i, 'x', i % 3, 's' || i, i FROM generate_series(1, 9) i")
    pipe.start()
    for ddl in ["ALTER TABLE t ADD COLUMN added jsonb DEFAULT '{\"a\": 1}'", "ALTER TABLE t DROP COLUMN extra1", "ALTER TABLE t RENAME extra2 TO other",
                "ALTER TABLE t ALTER other TYPE text", "ALTER TABLE t ADD COLUMN extra1 int[] DEFAULT '{1,2}'", "ALTER TABLE t DROP COLUMN added"]:
        source.sql(ddl)
        n = source.one("SELECT max(id) FROM t")
        source.sql(f"INSERT INTO t (id, g, s) VALUES ({n + 1}, 1, 'new'), ({n + 2}, 4, NULL); UPDATE t SET g = g + 1 WHERE id % 4 = {n % 4};"
                   f" DELETE FROM t WHERE id = {n - 3}")
        pipe.wait()
        assert_views(pipe, ["v"], ddl)
    pipe.procd.kill()
    pipe.start()
    source.sql("UPDATE t SET g = 0")
    pipe.wait()
    assert_views(pipe, ["v"])
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


def redeclared(pipe, schema, view_sql):
    """Declares the table as the source has it now, replays and compares."""
    pipe.set_schema(schema)
    pipe.source.sql(view_sql)
    assert "--replay-from 0" in pipe.fails()
    pipe.once("--replay-from", "0")
    assert_views(pipe, VIEWS)
    assert pipe.ctl("verify").stdout.startswith("same")


def test_a_declared_column_that_is_dropped_is_named_and_the_views_say_so(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t SELECT i, i % 3, i, i FROM generate_series(1, 9) i")
    pipe.start()
    pipe.wait()
    source.sql("ALTER TABLE t DROP COLUMN s CASCADE; INSERT INTO t VALUES (100, 1, 'b')")
    pipe.wait()
    errors = dict(pipe.sink.sql("SELECT view, error FROM logfold.views"))
    assert 'column "s" of table public.t' in errors["w"] and pipe.sink.one("SELECT count(*) FROM w") == 0
    assert errors["v"] is None and harness.view_difference(pipe, "v") == ""  # it does not use the column
    pipe.procd.kill()
    assert 'table public.t has no column "s"' in pipe.fails()
    redeclared(pipe, SCHEMA.replace(" s text,", "").replace(" s,", ""), "CREATE VIEW w AS SELECT id, big FROM t")


def test_a_renamed_column_goes_on_feeding_the_declared_one(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t SELECT i, i % 3, i, i FROM generate_series(1, 9) i")
    pipe.start()
    pipe.wait()
    source.sql("ALTER TABLE t RENAME g TO gg; INSERT INTO t VALUES (100, 1, 'a', 'b'); UPDATE t SET gg = 5 WHERE id = 3")
    pipe.wait()
    assert_views(pipe, VIEWS)
    pipe.procd.kill()
    assert 'table public.t has no column "g"' in pipe.fails()  # a start wants file and source to agree
    redeclared(pipe, SCHEMA.replace("g int", "gg int").replace("SELECT g,", "SELECT gg AS g,").replace("BY g", "BY gg"), "SELECT 1")


def test_a_retyped_column_is_read_as_declared_as_long_as_it_fits(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t SELECT i, i % 3, i, i FROM generate_series(1, 9) i")
    pipe.start()
    pipe.wait()
    source.sql("DROP VIEW v, w; ALTER TABLE t ALTER g TYPE bigint; INSERT INTO t VALUES (100, 1, 'a', 'b'); UPDATE t SET g = 5 WHERE id = 3;"
               + harness.plain_sql(SCHEMA[SCHEMA.index("CREATE MAT"):]))
    pipe.wait()
    for view in VIEWS:
        assert sorted(pipe.sink.rows(f"SELECT * FROM {view}")) == sorted(source.rows(f"SELECT * FROM {view}"))
    source.sql("INSERT INTO t VALUES (101, 5000000000, 'a', 'b')")
    pipe.wait()
    pipe.wait_checkpoint()
    errors = dict(pipe.sink.sql("SELECT view, error FROM logfold.views"))
    said = str(errors) + pipe.ctl("quarantine", "show").stdout
    assert "out of range" in said, said  # never a wrong number
    pipe.procd.kill()
    assert "declare the source's type" in pipe.fails()
    redeclared(pipe, SCHEMA.replace("g int", "g bigint"), "SELECT 1")


def test_another_database_system_is_refused(pipeline, source, sink_cluster, sink):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t VALUES (1, 1, 'a', 'b')")
    pipe.once()
    sink.sql("CREATE SCHEMA other; SET search_path TO other;" + harness.plain_sql(SCHEMA) + "RESET search_path")
    pipe.settings["source.url"] = sink.url
    pipe.write_config()
    assert "another database system" in pipe.fails()
    pipe.settings["source.url"] = source.url
    pipe.write_config()
    pipe.once()
    assert_views(pipe, VIEWS)


def test_a_missing_or_moved_slot_is_refused(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t VALUES (1, 1, 'a', 'b')")
    pipe.once()
    source.cluster.drop_slots()
    text = pipe.fails()
    assert f'slot "{pipe.slot}" is gone' in text and "new snapshot" in text
    source.sql("INSERT INTO t VALUES (2, 1, 'a', 'b')")
    source.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", pipe.slot)
    assert "has moved to" in pipe.fails()
    source.cluster.drop_slots()
    harness.shutil.rmtree(pipe.store)
    pipe.once()
    assert_views(pipe, VIEWS)


def test_a_slot_of_somebody_else_is_never_taken(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", pipe.slot)
    assert "was not made by this store" in pipe.fails()
    assert source.one("SELECT count(*) FROM pg_replication_slots") == 1


@pytest.mark.parametrize("change, words", [
    ("CREATE PUBLICATION {pub} FOR ALL TABLES; DROP TABLE t CASCADE", ["table public.t", "does not exist"]),
    ("DROP TABLE t CASCADE", ['"public.t" does not exist']),
    ("ALTER TABLE t DROP COLUMN s CASCADE", ['table public.t has no column "s"', "schema.sql:2"]),
    ("DROP VIEW v, w; ALTER TABLE t ALTER g TYPE bigint", ["column public.t.g is bigint at the source but declared integer"]),
    ("ALTER TABLE t REPLICA IDENTITY NOTHING", ["REPLICA IDENTITY NOTHING", "ALTER TABLE"]),
    ("CREATE PUBLICATION {pub} FOR ALL TABLES; DROP TABLE t CASCADE; CREATE VIEW t AS SELECT 1 AS id", ["view or foreign table"]),
    ("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, g)", ["declared key", "primary key"]),
    ("CREATE TABLE o (i int); CREATE PUBLICATION {pub} FOR TABLE o", ["lacks table public.t", "ADD TABLE"]),
    ("CREATE PUBLICATION {pub} FOR TABLE t WITH (publish = 'insert')", ["leaves out", "update", "SET (publish"]),
    ("CREATE PUBLICATION {pub} FOR TABLE t (id, g)", ["does not send column public.t.s"])])
def test_what_does_not_fit_is_named_with_what_to_do(pipeline, source, change, words):
    pipe = pipeline(SCHEMA)
    source.sql(change.replace("{pub}", pipe.settings["source.publication"]))
    text = pipe.fails()
    for word in words:
        assert word in text, text
    assert source.one("SELECT count(*) FROM pg_replication_slots") == 0


def test_publication_and_slot_are_made_only_where_allowed(pipeline, source):
    pipe = pipeline(SCHEMA, **{"source.create": "no"})
    text = pipe.fails()
    assert "CREATE PUBLICATION" in text and pipe.settings["source.publication"] in text
    source.sql(f"CREATE PUBLICATION {pipe.settings['source.publication']} FOR TABLE t")
    assert "source.create" in pipe.fails()
    pipe.settings["source.create"] = "yes"
    pipe.write_config()
    pipe.once()
    pipe.settings["source.create"] = "no"
    pipe.write_config()
    source.sql("INSERT INTO t VALUES (1, 1, 'a', 'b')")
    pipe.once()
    assert_views(pipe, VIEWS)
    source.sql(f"DROP PUBLICATION {pipe.settings['source.publication']}")
    assert "does not exist" in pipe.fails()


def test_wal_level_and_unreachable_servers(pipeline, source, base):
    pipe = pipeline(SCHEMA, **{"source.url": "postgresql://127.0.0.1:1/none"})
    assert "could not connect to the source" in pipe.fails("--once", code=75)
    pipe.settings["source.url"] = source.cluster.url("no_such_database")
    pipe.write_config()
    pipe.procd = harness.Procd(["-c", pipe.config, "--once"])
    assert pipe.procd.exit() in (1, 75) and "no_such_database" in pipe.procd.text
    plain = harness.Cluster(base, "plain", wal_level="replica")
    pipe.settings["source.url"] = plain.url("postgres")
    pipe.write_config()
    assert "wal_level" in pipe.fails()
    plain.stop(harness.signal.SIGQUIT)


def test_a_role_without_rights_is_told_what_to_grant(pipeline, source):
    pipe = pipeline(SCHEMA, **{"source.url": source.cluster.url(source.name, "poor")})
    source.sql("DO $$ BEGIN CREATE ROLE poor LOGIN REPLICATION; EXCEPTION WHEN duplicate_object THEN END $$")
    source.sql(f"CREATE PUBLICATION {pipe.settings['source.publication']} FOR TABLE t")
    assert "GRANT SELECT" in pipe.fails()
    source.sql("GRANT SELECT ON t TO poor")
    pipe.once()
    assert_views(pipe, VIEWS)
    source.sql("DROP OWNED BY poor")


def test_a_partitioned_table_is_one_table(pipeline, source):
    pipe = pipeline("CREATE TABLE t (id int, g int, s text, PRIMARY KEY (id, g)); CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n FROM t GROUP BY g;", load=False)
    source.sql("CREATE TABLE t (id int, g int, s text, PRIMARY KEY (id, g)) PARTITION BY LIST (g);"
               "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2, 3);"
               "CREATE VIEW v AS SELECT g, count(*) AS n FROM t GROUP BY g; INSERT INTO t SELECT i, 1 + i % 3, i FROM generate_series(1, 30) i")
    pipe.start()
    source.sql("UPDATE t SET g = 2 WHERE g = 1 AND id % 2 = 0; DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (100, 3, 'x')")
    pipe.wait()
    assert_views(pipe, ["v"])
    source.sql("CREATE TABLE t4 PARTITION OF t FOR VALUES IN (4); INSERT INTO t VALUES (101, 4, 'y')")
    pipe.wait()
    assert_views(pipe, ["v"])


def test_types_that_are_only_carried(pipeline, source):
    """Arrays, JSON, enumerations, domains and whatever else: through the log, the views and into the sink as they are."""
    schema = """CREATE TABLE t (id int PRIMARY KEY, a int[], ta text[], j json, jb jsonb, i inet, b bit(3), vb varbit, m money, tz timetz, p point, r int4range, x xml);
        CREATE MATERIALIZED VIEW v AS SELECT * FROM t;
        CREATE MATERIALIZED VIEW w AS SELECT j, a FROM t WHERE id > 0;"""
    pipe = pipeline(schema)
    insert = """INSERT INTO t VALUES ({0}, '{{1,NULL,3}}', '{{"a,b","c\\"d",NULL,""}}', '{{"a" : [1, 2.50]}}', '{{"b": {{"c": null}}, "a": 1e2}}', '10.0.0.1/8', B'101',
        B'10', 12.34, '12:34:56.7+02', '(1.5,-2)', '[1,10)', '<a>ä</a>'), ({0} + 1)"""
    source.sql(insert.format(1).replace(", (1 + 1)", "; INSERT INTO t VALUES (2)"))
    pipe.start()
    source.sql(insert.format(3).replace(", (3 + 1)", "; INSERT INTO t VALUES (4)"))
    source.sql("UPDATE t SET a = '{}' WHERE id = 1; UPDATE t SET j = '{\"a\":  [1]}' WHERE id = 3; DELETE FROM t WHERE id = 2")
    pipe.wait()
    assert_views(pipe, ["v", "w"])
    source.sql("DELETE FROM t WHERE id = 3")
    pipe.wait()
    assert_views(pipe, ["v", "w"])


def test_what_is_acknowledged_is_on_disk_and_an_idle_source_frees_its_wal(pipeline, source):
    pipe = pipeline(SCHEMA)
    pipe.start()
    pipe.wait()
    source.sql("CREATE TABLE elsewhere AS SELECT i FROM generate_series(1, 50000) i")
    target = source.one("SELECT pg_current_wal_flush_lsn()::text")
    until(lambda: source.one("SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots", target), 30, "the idle source's WAL is acknowledged")


def test_a_down_sink_does_not_hold_up_the_source(pipeline, source, sink_cluster):
    pipe = pipeline(SCHEMA)
    pipe.start()
    pipe.wait()
    sink_cluster.stop()
    source.sql("INSERT INTO t SELECT i, i % 10, i, i FROM generate_series(1, 5000) i")
    target = source.lsn()
    pipe.ctl("wait", "--lsn", target)
    until(lambda: source.one("SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots", target), 30, "acknowledged without the sink")
    sink_cluster.start()
    pipe.wait(60)
    assert_views(pipe, VIEWS)
