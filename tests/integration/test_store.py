"""The store on disk, its locks, its damages; the sink's ownership and its past."""
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import harness
from harness import assert_views, until

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, g int, w int, s text);
CREATE MATERIALIZED VIEW by_g AS SELECT g, count(*) AS n, sum(w) AS w, max(s) AS s FROM t GROUP BY g;
CREATE MATERIALIZED VIEW odd AS SELECT id, s FROM t WHERE id % 2 = 1;
CREATE MATERIALIZED VIEW words AS SELECT s FROM t;
"""
VIEWS = ["by_g", "odd", "words"]


def insert(db, first, count, wide=0):
    db.sql(f"INSERT INTO t SELECT i, i % 7, i, 's' || i % 5 || (SELECT coalesce(string_agg(md5((i * j)::text), ''), '')"
           f" FROM generate_series(1, {wide}) j) FROM generate_series({first}, {first + count - 1}) i")


def segments(pipe):
    return sorted(p for p in pipe.store.rglob("*") if p.is_file() and p.parent.name == "log" or p.suffix in (".seg", ".log"))


def test_a_second_procd_on_one_store_is_turned_away(pipeline, source):
    pipe = pipeline(SCHEMA)
    first = pipe.start()
    text = pipe.fails(code=75)
    assert "lock" in text and str(first.pid) in text and str(pipe.store) in text
    insert(source, 1, 10)
    pipe.procd = first
    pipe.wait()
    assert_views(pipe, VIEWS)
    first.kill()
    pipe.start()  # the lock went with its holder
    pipe.stop()


def test_a_second_procd_on_one_sink_fences_the_first(pipeline, source, folder):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 20)
    first = pipe.start()
    pipe.wait()
    other = harness.Pipeline(folder, "other", SCHEMA, source, pipe.sink, {"pipeline.name": pipe.name, "source.slot": f"{pipe.slot}_other"})
    other.start()
    insert(source, 100, 20)
    assert first.exit() == 1
    assert "another procd has taken over" in first.text
    other.wait()
    assert_views(other, VIEWS)
    other.stop()


def test_another_schema_file_is_refused_until_a_replay(pipeline, source):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 30)
    pipe.once()
    changed = SCHEMA.replace("id % 2 = 1", "id % 2 = 0") + "CREATE MATERIALIZED VIEW fresh AS SELECT count(*) AS n FROM t;\n"
    pipe.set_schema("-- a comment and other white space change nothing\n" + SCHEMA.replace(", ", ",   "))
    pipe.once()
    pipe.set_schema(changed)
    text = pipe.fails()
    assert "odd" in text and "fresh" in text and "--replay-from 0" in text
    source.sql("DROP VIEW odd; CREATE VIEW odd AS SELECT id, s FROM t WHERE id % 2 = 0; CREATE VIEW fresh AS SELECT count(*) AS n FROM t")
    pipe.start("--replay-from", "0")
    insert(source, 200, 5)
    pipe.wait()
    assert_views(pipe, VIEWS + ["fresh"])
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")
    # A view with other columns: its table is made anew.
    pipe.set_schema(changed.replace("SELECT id, s FROM t", "SELECT id, s, w FROM t"))
    assert "odd" in pipe.fails()
    source.sql("DROP VIEW odd; CREATE VIEW odd AS SELECT id, s, w FROM t WHERE id % 2 = 0")
    pipe.once("--replay-from", "0")
    assert_views(pipe, VIEWS + ["fresh"])


def test_a_column_that_the_log_has_can_be_declared_later(pipeline, source):
    """The log keeps columns that no schema file names yet."""
    pipe = pipeline("CREATE TABLE t (id int PRIMARY KEY, g int); CREATE MATERIALIZED VIEW by_g AS SELECT g, count(*) AS n FROM t GROUP BY g;", load=False)
    source.sql(harness.plain_sql(SCHEMA))
    insert(source, 1, 20)
    pipe.start()
    insert(source, 100, 20)
    source.sql("UPDATE t SET s = 'later' WHERE id % 4 = 0; DELETE FROM t WHERE id = 5")
    pipe.wait()
    pipe.stop()
    pipe.set_schema(SCHEMA)
    pipe.once("--replay-from", "0")
    assert_views(pipe, VIEWS)


def test_a_sink_that_went_back_in_time_is_brought_to_the_present(pipeline, source, sink):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 50)
    pipe.once()
    old = {v: sink.rows(f"SELECT * FROM {v}") for v in VIEWS}
    sink.sql("CREATE SCHEMA backup; CREATE TABLE backup.progress AS TABLE logfold.progress;"
             + "".join(f"CREATE TABLE backup.{v} AS TABLE {v};" for v in VIEWS))
    source.sql("DELETE FROM t WHERE id < 20; UPDATE t SET w = w + 1, s = 'new'")
    insert(source, 1000, 9)
    pipe.once()
    restore = ("BEGIN; TRUNCATE logfold.progress; INSERT INTO logfold.progress TABLE backup.progress;"
               + "".join(f"TRUNCATE {v}; INSERT INTO {v} TABLE backup.{v};" for v in VIEWS) + "COMMIT")
    sink.sql(restore)
    assert {v: sink.rows(f"SELECT * FROM {v}") for v in VIEWS} == old
    pipe.once()
    assert_views(pipe, VIEWS)
    # While procd runs: the first sync finds that the progress is not what it wrote. It stops rather than guess; a start repairs.
    pipe.start()
    pipe.wait()
    sink.sql(restore)
    insert(source, 2000, 3)
    assert pipe.procd.exit() == 1 and "progress" in pipe.procd.text
    pipe.once()
    assert_views(pipe, VIEWS)


def test_a_sink_of_another_store_or_without_progress_is_compared_row_by_row(pipeline, source, sink, folder):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 50)
    pipe.once()
    sink.sql("DELETE FROM by_g WHERE g = 3; UPDATE odd SET s = 'bent' WHERE id = 1; INSERT INTO words VALUES ('stray'), ('stray');"
             " DELETE FROM logfold.progress")
    pipe.once()
    assert_views(pipe, VIEWS)
    shutil.rmtree(pipe.store)  # a new store under the same pipeline name takes the sink over
    source.cluster.drop_slots()
    insert(source, 300, 10)
    pipe.once()
    assert_views(pipe, VIEWS)
    sink.sql("DROP TABLE odd; DROP TABLE words")
    pipe.once()
    assert_views(pipe, VIEWS)
    # A replay looks at the sink's rows, too: a hand that changed them is corrected.
    sink.sql("UPDATE by_g SET n = 12345; DELETE FROM words")
    pipe.once("--replay-from", "0")
    assert_views(pipe, VIEWS)


@pytest.mark.parametrize("make", ["CREATE TABLE odd (id int, s text); INSERT INTO odd VALUES (1, 'mine')", "CREATE VIEW odd AS SELECT 1 AS id, 'mine' AS s"])
def test_a_table_that_logfold_did_not_make_is_never_touched(pipeline, source, sink, make):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 10)
    sink.sql(make)
    text = pipe.fails()
    assert '"public"."odd"' in text and "did not make" in text
    assert sink.rows("SELECT * FROM odd") == [("1", "mine")]
    sink.sql("DROP TABLE odd" if "TABLE" in make else "DROP VIEW odd")
    pipe.once()
    assert_views(pipe, VIEWS)


def test_a_table_of_another_pipeline_is_never_touched(pipeline, source, sink, folder):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 10)
    pipe.once()
    other = harness.Pipeline(folder, "stranger", SCHEMA, source, sink)
    text = other.fails()
    assert "another pipeline" in text and pipe.name in text
    other = harness.Pipeline(folder, "neighbour", SCHEMA, source, sink, {"sink.schema": "other place"})
    other.once()
    assert sorted(sink.rows('SELECT * FROM "other place".odd')) == sorted(source.rows("SELECT * FROM odd"))
    assert_views(pipe, VIEWS)


def newest_segment(pipe):
    names = [s["name"] for s in pipe.json("log", "list")]
    found = [p for p in pipe.store.rglob("*") if p.is_file() and p.name == pathlib.Path(names[-1]).name]
    assert found, names
    return found[0]


def test_a_torn_tail_of_the_log_is_cut_off(pipeline, source):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 100)
    pipe.once()
    seq = pipe.status()["log_seq_next"]
    with open(newest_segment(pipe), "ab") as f:  # a block's beginning, as a power cut leaves it
        f.write(os.urandom(1234))
    insert(source, 500, 10)
    pipe.once()
    assert pipe.status()["log_seq_next"] > seq
    assert_views(pipe, VIEWS)
    assert pipe.ctl("log", "verify").stdout.startswith("ok")
    assert pipe.ctl("verify").stdout.startswith("same")


def test_a_flipped_byte_in_the_log_stops_everything_that_reads_it(pipeline, source):
    pipe = pipeline(SCHEMA)
    for i in range(20):
        insert(source, 1000 * (i + 1), 100, wide=1)
        if i % 5 == 0:
            pipe.once()
    pipe.once()
    path = newest_segment(pipe)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x10
    path.write_bytes(data)
    bad = pipe.ctl("log", "verify", code=1)
    assert path.name in bad.stderr, bad.stderr
    assert pipe.ctl("verify", code=1).stderr != ""
    text = pipe.fails("--replay-from", "0")
    assert path.name in text, text
    assert path.name in pipe.fails("--once")
    assert path.name in pipe.ctl("dump", "by_g", code=2).stderr
    data[len(data) // 3] ^= 0x10  # the right byte again: all is well
    path.write_bytes(data)
    pipe.once()
    assert_views(pipe, VIEWS)


def test_a_lost_state_is_rebuilt_from_the_log(pipeline, source):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 100)
    pipe.once()
    before = pipe.digest()
    for path in pipe.store.iterdir():
        if path.is_dir() and path.name != "log":
            shutil.rmtree(path)
    pipe.once()
    assert pipe.digest() == before
    assert_views(pipe, VIEWS)


@pytest.fixture
def small_disk(folder):
    if os.getuid() != 0:
        pytest.skip("mounting a small file system needs root")
    path = folder / "small"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=700", "logfold-test", path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"could not mount a small file system: {done.stderr.strip()}")
    yield path
    for procd in harness.ALL_PROCDS:
        procd.kill()
    subprocess.run(["umount", "-l", path], check=False)


def test_a_full_disk_stops_it_cleanly_and_nothing_is_lost(pipeline, source, small_disk):
    pipe = pipeline(SCHEMA, **{"pipeline.store": small_disk / "store", "state.checkpoint_interval": "50ms"})
    pipe.store = small_disk / "store"
    insert(source, 1, 1000)
    pipe.start()
    pipe.wait()
    ballast = small_disk / "ballast"
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(b"x" * max(free - (1 << 20), 0))
    for i in range(40):
        insert(source, 10000 + i * 1000, 1000, wide=2)
        if not pipe.procd.running():
            break
    assert pipe.procd.exit() == 1, pipe.procd.text
    assert "No space left" in pipe.procd.text or "full" in pipe.procd.text, pipe.procd.text
    ballast.unlink()
    source.sql("DELETE FROM t WHERE id > 20000")
    pipe.once()
    assert_views(pipe, VIEWS)
    assert pipe.ctl("verify").stdout.startswith("same")
    assert pipe.ctl("log", "verify").stdout.startswith("ok")


def test_sigterm_and_sigint_end_it_with_everything_synced(pipeline, source):
    pipe = pipeline(SCHEMA, **{"state.checkpoint_interval": "1h"})
    for number in (harness.signal.SIGTERM, harness.signal.SIGINT):
        pipe.start()
        insert(source, 10000 * int(number), 500)
        pipe.wait()
        pipe.procd.child.send_signal(number)
        assert pipe.procd.exit() == 0
        s = pipe.status()
        assert s["checkpoint_seq_next"] == s["log_seq_next"]
        assert_views(pipe, VIEWS)


def test_once_folds_what_is_there_and_ends(pipeline, source):
    pipe = pipeline(SCHEMA)
    for i in range(5):
        pipe.once()
        assert_views(pipe, VIEWS, f"turn {i}")
        insert(source, 1000 * (i + 1), 50)
        source.sql(f"DELETE FROM t WHERE id % 5 = {i}")


def test_without_a_sink_the_views_are_in_the_store(pipeline, source, folder):
    insert_schema = harness.plain_sql(SCHEMA)
    source.sql(insert_schema)
    insert(source, 1, 40)
    pipe = harness.Pipeline(folder, "sinkless", SCHEMA, source)
    pipe.once()
    assert sorted(pipe.dump("odd").splitlines()) == sorted(source.csv("SELECT * FROM odd").splitlines())


def test_a_replay_from_a_log_alone_needs_no_source(pipeline, source, folder):
    pipe = pipeline(SCHEMA)
    insert(source, 1, 40)
    pipe.once()
    want = {v: pipe.dump(v) for v in VIEWS}
    pipe.settings["source.url"] = "none"
    pipe.settings["sink.url"] = "none"
    pipe.write_config()
    pipe.once("--replay-from", "0")
    assert {v: pipe.dump(v) for v in VIEWS} == want


def test_readers_see_the_store_while_procd_writes_it(pipeline, source):
    pipe = pipeline(SCHEMA)
    pipe.start()
    stop = time.monotonic() + 2
    i = 0
    while time.monotonic() < stop:
        insert(source, 1000 * i + 1, 100)
        i += 1
        total = sum(int(line.split(",")[1]) for line in pipe.dump("by_g").splitlines()[1:]) if pipe.ctl("views", code=None).returncode == 0 else 0
        assert total % 100 == 0  # whole transactions
    pipe.wait()
    until(lambda: pipe.status()["checkpoint_seq_next"] == pipe.status()["seq_next"], what="checkpoint")
    assert_views(pipe, VIEWS)
    pipe.stop()
