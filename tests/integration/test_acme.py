"""ACME's four views against the source's own SELECT."""
import bisect
import collections
import random
import re
import time

import pytest

import acme
from harness import lsn_number


def assert_equal(pipe, note):
    want, got = acme.answers(pipe.source), acme.sink_rows(pipe.sink)
    for view in acme.VIEWS:
        assert got[view] == want[view], f"{note}: {view}"
    columns = {v: pipe.sink.columns(v) for v in acme.VIEWS}
    assert columns == {v: pipe.source.columns(v) for v in acme.VIEWS}


def snapshot_checker(sink):
    """Reads all views in one snapshot and compares them with one another."""
    conn = sink.connect(autocommit=False)
    conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
    seen = {"seq": -1}

    def step():
        rows = acme.sink_rows(sink, conn)
        seq = int(sink.rows("SELECT seq FROM logfold.progress", conn)[0][0])
        conn.rollback()
        assert seq >= seen["seq"], f"progress went back from {seen['seq']} to {seq}"
        seen["seq"] = seq
        by_date = collections.Counter()
        for date, _, count in rows["open_orders_by_delivery_status"]:
            by_date[date] += int(count)
        total = sum(by_date.values())
        del by_date["\\N"]
        top = sorted(by_date.items(), key=lambda x: (-x[1], x[0]))[:3]
        want = [(str(i + 1), date, str(n)) for i, (date, n) in enumerate(top)]
        assert rows["top3_delivery_dates"] == want, f"seq {seq}: two views of two moments"
        customers = rows["top3_customers_pending_orders"]
        assert customers[0][1:] == (str(acme.KEPT_CUSTOMER), str(acme.KEPT_ORDERS)), f"seq {seq}: half a transaction"
        assert sum(int(c[2]) for c in customers) <= total
        assert (str(acme.KEPT_PRODUCT), str(acme.KEPT_SUM)) in rows["pending_items_by_product"], f"seq {seq}: half a transaction"
    return acme.Worker(step)


@pytest.mark.parametrize("identity", ["FULL", "DEFAULT"])
def test_the_sink_shows_what_the_source_answers_under_concurrent_load(pipeline, source, identity):
    acme.prepare(source, identity)
    acme.fill(source)
    acme.add_kept(source)
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    pipe.wait()
    assert_equal(pipe, "after the snapshot")
    workers = [acme.load_worker(source, seed + i) for i in range(3)] + [acme.mover(source, seed)]
    checker = snapshot_checker(pipe.sink)
    for turn in range(4):
        time.sleep(1.0)
        for w in workers:
            w.pause()
        pipe.wait()
        assert_equal(pipe, f"seed {seed}, turn {turn}")
        for w in workers:
            w.go_on()
    for w in workers + [checker]:
        w.end()
    assert checker.steps > 20
    pipe.wait()
    for view in acme.VIEWS:  # byte for byte, in the view's own order
        pipe.wait_checkpoint()
        assert pipe.dump(view) == source.csv(acme.QUERIES[view]), view
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


def test_every_seq_that_the_sink_shows_is_the_source_at_that_lsn(pipeline, source, sink):
    """One writer notes the answers after each of its transactions; every snapshot a reader sees must be one of them."""
    acme.prepare(source)
    acme.fill(source, 100)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    pipe.wait()
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    writer = source.connect(autocommit=False)
    reader = sink.connect(autocommit=False)
    reader.set_session(isolation_level="REPEATABLE READ", readonly=True)
    seen = {}

    def read():
        rows = acme.sink_rows(sink, reader)
        position = sink.rows("SELECT position FROM logfold.progress", reader)[0][0]
        reader.rollback()
        seen[lsn_number(re.search(r"pg\.lsn=([0-9A-F]+/[0-9A-F]+)", position).group(1))] = rows
    watcher = acme.Worker(read)
    lsns, states = [], []

    def note():
        states.append(acme.answers(source))
        lsns.append(lsn_number(source.one("SELECT pg_current_wal_insert_lsn()::text")))
    note()
    for _ in range(300):
        acme.transaction(writer, rng)
        note()
    pipe.wait()
    time.sleep(0.1)
    watcher.end()
    assert len(seen) > 20
    for lsn, rows in seen.items():
        # The position is the end of the newest commit: later than every note before it, not later than the note after it.
        i = min(bisect.bisect_left(lsns, lsn), len(lsns) - 1)
        assert rows == states[i], f"seed {seed}: the sink at {lsn:X} is not what the source held"
    assert max(seen.items())[1] == states[-1]


def test_a_replay_gives_the_same_state_and_the_sink_does_not_flicker(pipeline, source, sink):
    acme.prepare(source)
    acme.fill(source, 400)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    conn, rng = source.connect(autocommit=False), random.Random(7)
    for _ in range(200):
        acme.transaction(conn, rng)
    pipe.wait()
    pipe.stop()
    before = pipe.digest()
    want = acme.sink_rows(sink)
    reader = sink.connect(autocommit=False)
    reader.set_session(isolation_level="REPEATABLE READ", readonly=True)

    def read():
        rows = acme.sink_rows(sink, reader)
        reader.rollback()
        assert rows == want, "the sink changed during a replay that changes nothing"
    watcher = acme.Worker(read)
    pipe.start("--replay-from", "0")
    assert re.search(r"replay: done seq=", pipe.procd.text)
    pipe.wait()
    pipe.wait_checkpoint()
    assert pipe.digest() == before
    watcher.end()
    assert watcher.steps > 5
    acme.transaction(conn, rng)  # and it goes on live
    source.sql("INSERT INTO operations.orders (delivery_date, customer_id, status) SELECT '2030-01-01', 77, 'PENDING' FROM generate_series(1, 50)")
    pipe.wait()
    assert_equal(pipe, "after the replay")
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


def test_dump_without_a_name_writes_every_view_of_one_seq(pipeline, source):
    acme.prepare(source)
    acme.fill(source, 60)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.once()
    pipe.ctl("dump", "--csv", "--out", pipe.folder / "out")
    assert sorted(p.name for p in (pipe.folder / "out").iterdir()) == sorted(f"{v}.csv" for v in acme.VIEWS)
    for view in acme.VIEWS:
        assert (pipe.folder / "out" / f"{view}.csv").read_text() == source.csv(acme.QUERIES[view])
