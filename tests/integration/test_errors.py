"""A view that cannot be computed shows no rows and says why; it recovers by itself."""
import re

import pytest

import harness
from harness import until

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, a int, b int, w bigint, s text, n numeric);
CREATE MATERIALIZED VIEW quotient AS SELECT id, a / b AS q FROM t;
CREATE MATERIALIZED VIEW total AS SELECT s, sum(w) AS w, count(*) AS n FROM t GROUP BY s;
CREATE MATERIALIZED VIEW widest AS SELECT sum(w)::bigint AS w FROM t;
CREATE MATERIALIZED VIEW cast_text AS SELECT id, s::int AS i FROM t WHERE s IS NOT NULL;
CREATE MATERIALIZED VIEW narrow AS SELECT id, (a + 1)::smallint AS i FROM t;
CREATE MATERIALIZED VIEW on_top AS SELECT count(*) AS n, max(q) AS q FROM quotient;
CREATE MATERIALIZED VIEW well AS SELECT id, a FROM t;
"""
VIEWS = re.findall(r"VIEW (\w+) AS", SCHEMA)


def states(pipe):
    return {view: error for view, error in pipe.sink.sql("SELECT view, error FROM logfold.views")}


def check(pipe, bad):
    """Views in `bad` are in error (pattern of the message), PostgreSQL agrees; all others are right."""
    pipe.wait()
    pipe.wait_checkpoint()
    got = states(pipe)
    for view in VIEWS:
        if view in bad:
            with pytest.raises(harness.psycopg2.Error):
                pipe.source.rows(f"SELECT * FROM {view}")
            assert re.search(bad[view], got.get(view) or ""), f"{view}: {got}"
            assert pipe.sink.one(f"SELECT count(*) FROM {view}") == 0
            done = pipe.ctl("dump", view, code=1)
            assert re.search(bad[view], done.stderr) and done.stdout == ""
        else:
            assert got.get(view) is None, f"{view}: {got}"
            assert harness.view_difference(pipe, view) == ""
    listed = {v["name"].split(".")[-1]: v["state"] for v in pipe.json("views")}
    assert {v for v, s in listed.items() if s != "ok"} == set(bad)


def test_a_view_goes_into_error_and_recovers(pipeline, source):
    pipe = pipeline(SCHEMA)
    pipe.start()
    source.sql("INSERT INTO t SELECT i, i * 10, i, i, (i % 3)::text FROM generate_series(1, 9) i")
    check(pipe, {})
    source.sql("INSERT INTO t VALUES (10, 5, 0, 1, '1')")
    by_zero = {"quotient": r"division by zero.*id=10", "on_top": r"division by zero"}
    check(pipe, by_zero)
    source.sql("UPDATE t SET a = 7 WHERE id = 3; INSERT INTO t VALUES (11, 6, 0, 1, '2')")  # others go on; a second bad row
    check(pipe, by_zero)
    source.sql("DELETE FROM t WHERE id = 10")
    by_zero = {"quotient": r"division by zero.*id=11", "on_top": r"division by zero.*id=11"}  # the row named is one that is there
    check(pipe, by_zero)
    pipe.procd.kill()  # the error is state, too
    pipe.start()
    check(pipe, by_zero)
    source.sql("UPDATE t SET b = 2 WHERE id = 11")
    check(pipe, {})


def test_an_overflowing_sum_is_an_error_and_recovers(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t SELECT i, i, i, 9223372036854775807, '1' FROM generate_series(1, 3) i")
    pipe.start()
    check(pipe, {"widest": "bigint out of range"})  # already in the snapshot; sum(bigint) itself is numeric
    source.sql("DELETE FROM t WHERE id > 1")
    check(pipe, {})
    source.sql("INSERT INTO t VALUES (5, 1, 1, 1, '2')")
    check(pipe, {"widest": "bigint out of range"})
    source.sql("UPDATE t SET w = -1 WHERE id = 5")
    check(pipe, {})


def test_casts_that_fail_name_the_row(pipeline, source):
    pipe = pipeline(SCHEMA)
    pipe.start()
    source.sql("INSERT INTO t VALUES (1, 1, 1, 1, '1'), (2, 32767, 1, 1, 'twelve')")
    check(pipe, {"cast_text": r"invalid input syntax for type integer: \"?twelve", "narrow": "smallint out of range"})
    source.sql("TRUNCATE t")
    check(pipe, {})


def test_an_error_survives_a_replay(pipeline, source):
    pipe = pipeline(SCHEMA)
    pipe.start()
    source.sql("INSERT INTO t VALUES (1, 1, 0, 1, '1'), (2, 4, 2, 1, '2')")
    bad = {"quotient": "division by zero", "on_top": "division by zero"}
    check(pipe, bad)
    pipe.stop()
    pipe.start("--replay-from", "0")
    check(pipe, bad)
    source.sql("DELETE FROM t WHERE id = 1")
    check(pipe, {})
    until(lambda: pipe.status()["sink_synced"], what="synced")
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")
