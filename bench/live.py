"""Benchmarks of the live pipeline: private source and sink clusters, with real fsync."""
import datetime
import random
import shutil
import signal
import threading
import time

import acme
import drain
import harness
from figures import ROOT, median, percentile, rounds, say, size

FIRST_DAY = datetime.date(2200, 1, 1)  # from here on, days by which one order is recognised in the sink


class Bench:
    """Source with ACME's tables and load, a sink with a database for logfold and one for the subscription."""

    def __init__(self, native=False):
        self.folder = harness.make_folder()
        settings = {"fsync": "on", "shared_buffers": "256MB", "autovacuum": "on", "max_wal_size": "8GB"}
        self.days = 0
        self.source_cluster = harness.Cluster(self.folder, "source", **settings)
        self.sink_cluster = harness.Cluster(self.folder, "sink", **settings)
        self.source = harness.Database(self.source_cluster, "finance_db")
        self.sink = harness.Database(self.sink_cluster, "analytics")
        acme.prepare(self.source)
        self.source.sql((ROOT / "bench" / "source.sql").read_text(encoding="utf-8"))
        self.native = self.make_native() if native else None

    def make_native(self):
        native = harness.Database(self.sink_cluster, "native")
        tables = acme.SCHEMA[:acme.SCHEMA.index("CREATE MATERIALIZED VIEW")]
        native.sql(harness.plain_sql(tables))
        native.sql((ROOT / "bench" / "native.sql").read_text(encoding="utf-8"))
        self.source.sql("CREATE PUBLICATION native FOR TABLES IN SCHEMA operations")
        native.sql(f"CREATE SUBSCRIPTION native CONNECTION '{self.source.url}' PUBLICATION native")
        harness.until(lambda: native.one("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), 60, "the first copy")
        return native

    def pipeline(self, name="acme", sink=True, **settings):
        return harness.Pipeline(self.folder, name, acme.SCHEMA, self.source, self.sink if sink else None,
                                {"state.checkpoint_interval": "1s", **settings})

    def load(self, changes, updates):
        """Commits one transaction after the other as fast as one session can, at the end an order of a day that nobody else has, and
        only that waits for the disk. Returns the seconds of all, the time of the last commit and the day."""
        day = self.next_day()
        conn = self.source.connect()
        with conn.cursor() as cur:
            cur.execute("SET synchronous_commit = off")
            start = time.monotonic()
            cur.execute("CALL bench.load(%s, %s)", (changes, updates))
            cur.execute("SET synchronous_commit = on")
            cur.execute("INSERT INTO operations.orders (delivery_date, customer_id, status) VALUES (%s, 1, 'PENDING')", (day,))
            end = time.monotonic()
        conn.close()
        return end - start, end, day

    def next_day(self):
        self.days += 1
        return FIRST_DAY + datetime.timedelta(self.days)

    def check(self, database):
        """The sink's views are what the source answers."""
        assert acme.answers(self.source) == acme.sink_rows(database), f"{database.name} differs from the source"

    def close(self):
        for database in (self.source, self.sink, self.native):
            if database:
                database.close()
        self.source_cluster.stop(signal.SIGQUIT)
        self.sink_cluster.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class Eye:
    """Looks at one day's row of a sink's view, as a user's query would."""

    def __init__(self, database):
        self.conn = database.connect()
        self.cur = self.conn.cursor()
        self.cur.execute("PREPARE look(date) AS SELECT count(*) FROM open_orders_by_delivery_status WHERE delivery_date = $1")

    def sees(self, day):
        self.cur.execute("EXECUTE look(%s)", (day,))
        return self.cur.fetchone()[0] > 0

    def wait(self, day, shown=True, timeout=600.0, pause=0.0):
        """Looks again and again until the day is shown (or not any more); returns the time."""
        deadline = time.monotonic() + timeout
        while self.sees(day) != shown:
            assert time.monotonic() < deadline, f"{day} is not in the sink"
            if pause:
                time.sleep(pause)
        return time.monotonic()

    def close(self):
        self.conn.close()


def bench_pgoutput(report):
    """Changes already committed, ACME's inserts, through pgoutput from one slot position: pg_recvlogical to /dev/null, a reader that only
    counts bytes and pauses between reads, and procd (log, state and views); every second round in the opposite order."""
    bench = Bench()
    pipeline = bench.pipeline(sink=False)
    pipeline.start()
    pipeline.wait()
    pipeline.stop()
    wanted = size("PGOUTPUT_EVENTS", 400_000)
    theirs, drained, ours, log_bytes = [], [], [], []
    for i in range(rounds()):
        for slot in ("recv", "drain"):
            bench.source.sql("SELECT pg_copy_logical_replication_slot('logfold_acme', %s)", slot)
        bench.load(wanted, 0)
        lsn = bench.source.lsn()
        bench.load(270, 0)  # so that the stream goes on past that position: pg_recvlogical ends at the first message there
        bench.source.sql("CHECKPOINT")
        runs = [lambda: theirs.append(recvlogical(bench, lsn)), lambda: drained.append(drain_slot(bench, lsn)),
                lambda: pgoutput_procd(pipeline, lsn, ours, log_bytes)]
        for run in runs if i % 2 == 0 else reversed(runs):
            run()
        for slot in ("recv", "drain"):
            drop_slot(bench, slot)
        say(f"pgoutput: pg_recvlogical {theirs[-1]:.2f} s, lazy reader {drained[-1]:.2f} s, procd {ours[-1]:.2f} s")
    ratio = median(t / o for t, o in zip(theirs, ours))
    report.add("pgoutput", "events (orders with 26 items), per round", wanted)
    report.add("pgoutput", "pg_recvlogical to /dev/null", wanted / median(theirs), "events/s")
    report.add("pgoutput", "procd, from its start until all is folded", wanted / median(ours), "events/s")
    report.add("pgoutput", "procd / pg_recvlogical", ratio, "", ">= 0.9", ratio >= 0.9)
    report.add("pgoutput", "reader that pauses and only counts bytes", wanted / median(drained), "events/s")
    report.add("pgoutput", "procd / that reader", median(d / o for d, o in zip(drained, ours)), "")
    per_event = median(log_bytes) / wanted
    report.add("pgoutput", "log, live", per_event, "bytes/event", "<= 30", per_event <= 30)
    bench.close()


def pgoutput_procd(pipeline, lsn, seconds, log_bytes):
    before = pipeline.status()["log_bytes"]
    start = time.monotonic()
    pipeline.start(ready=False)
    pipeline.wait(600, lsn)
    seconds.append(time.monotonic() - start)
    pipeline.stop()
    log_bytes.append(pipeline.status()["log_bytes"] - before)


def drain_slot(bench, lsn):
    stream_bytes = bench.source.one("SELECT sum(length(data) + %s)::bigint FROM pg_logical_slot_peek_binary_changes('drain', %s, NULL,"
                                    " 'proto_version', '1', 'publication_names', 'pub_acme')", drain.FRAME_BYTES, lsn)
    return drain.drain(bench.source_cluster.port, bench.source.name, "drain", "pub_acme", stream_bytes)


def drop_slot(bench, slot):
    """Once the server has noticed that its reader is gone."""
    idle = "SELECT active_pid IS NULL FROM pg_replication_slots WHERE slot_name = %s"
    harness.until(lambda: bench.source.one(idle, slot), 30, f"slot {slot} is free")
    bench.source.sql("SELECT pg_drop_replication_slot(%s)", slot)


def recvlogical(bench, lsn):
    where = f"host=127.0.0.1 port={bench.source_cluster.port} user=postgres dbname={bench.source.name}"
    start = time.monotonic()
    done = harness.run([harness.PGBIN / "pg_recvlogical", "-d", where, "--slot", "recv", "--start", "--endpos", lsn, "--no-loop",
                        "-o", "proto_version=1", "-o", "publication_names=pub_acme", "-f", "/dev/null"], timeout=600)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - start


def latency_round(bench, eye, samples, items):
    """Milliseconds from a commit's return until the sink shows it: an order with items appears, then is completed and disappears."""
    conn = bench.source.connect(autocommit=False)
    cur = conn.cursor()
    rng = random.Random(samples)
    found = []
    for _ in range(samples // 2):
        day = bench.next_day()
        cur.execute("SELECT bench.insert_order(%s)", (items,))
        order = cur.fetchone()[0]
        cur.execute("UPDATE operations.orders SET delivery_date = %s WHERE order_id = %s", (day, order))
        for shown in (True, False):
            conn.commit()
            start = time.monotonic()
            found.append((eye.wait(day, shown, 30) - start) * 1000)
            time.sleep(0.01 + rng.random() * 0.01)
            if shown:
                cur.execute("UPDATE operations.orders SET status = 'COMPLETED' WHERE order_id = %s", (order,))
    conn.close()
    return found


def bench_latency(report):
    """Commit to visible in the sink at low load, logfold and a native subscription with triggers by turns, one stopped while the other
    is measured."""
    bench = Bench(native=True)
    pipeline = bench.pipeline()
    bench.load(size("LATENCY_ORDERS", 2000) * 27, 0)
    samples = size("LATENCY_SAMPLES", 600)
    for items in (0, 26):
        turns = {"native": [], "logfold": []}
        for _ in range(rounds()):
            turns["native"].append(native_turn(bench, samples, items))
            turns["logfold"].append(logfold_turn(bench, pipeline, samples, items))
        report_latency(report, f"order, {items} items", turns)
    bench.close()


def native_turn(bench, samples, items):
    bench.native.sql("ALTER SUBSCRIPTION native ENABLE")
    eye = Eye(bench.native)
    _, _, day = bench.load(0, 0)
    eye.wait(day, pause=0.01)
    found = latency_round(bench, eye, samples, items)
    bench.check(bench.native)
    eye.close()
    bench.native.sql("ALTER SUBSCRIPTION native DISABLE")
    return found


def logfold_turn(bench, pipeline, samples, items):
    pipeline.start()
    pipeline.wait(600)
    eye = Eye(bench.sink)
    found = latency_round(bench, eye, samples, items)
    pipeline.wait()
    bench.check(bench.sink)
    eye.close()
    pipeline.stop()
    return found


def report_latency(report, what, turns):
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        native = [percentile(t, share) for t in turns["native"]]
        logfold = [percentile(t, share) for t in turns["logfold"]]
        ratio = median(l / n for l, n in zip(logfold, native))
        say(f"latency: {what} {name} native {native} logfold {logfold}")
        report.add("latency", f"{what}: native subscription and triggers, {name}", median(native), "ms")
        report.add("latency", f"{what}: logfold, {name}", median(logfold), "ms")
        report.add("latency", f"{what}: logfold / native, {name}", ratio, "", "<= 4", ratio <= 4)


def bench_burst(report):
    """A burst of changed rows in ACME's transactions, as fast as one session commits: last commit until the sink is right; with procd
    running, and with procd started after the last commit; the native subscription for comparison."""
    bench = Bench(native=True)
    pipeline = bench.pipeline()
    pipeline.start()
    pipeline.wait()
    eye = Eye(bench.sink)
    changes = size("BURST_EVENTS", 320_000)
    bench.native.sql("ALTER SUBSCRIPTION native DISABLE")
    running, stopped, loads = [], [], []
    for _ in range(rounds()):
        took, end, day = bench.load(changes, 3)
        loads.append(took)
        running.append(eye.wait(day, pause=0.001) - end)
        pipeline.wait()
        bench.check(bench.sink)
        pipeline.stop()
        _, _, day = bench.load(changes, 3)
        start = time.monotonic()
        pipeline.start(ready=False)
        stopped.append(eye.wait(day, pause=0.001) - start)
        pipeline.wait()
        bench.check(bench.sink)
        say(f"burst: load {took:.2f} s, right after the last commit {running[-1]:.3f} s, after procd's start {stopped[-1]:.3f} s")
    pipeline.stop()
    report.add("burst", "changed rows", changes)
    report.add("burst", "the source commits them at", changes / median(loads), "events/s")
    rate = changes / median(running)
    report.add("burst", "procd running: last commit until the sink is right", median(running), "s")
    report.add("burst", "procd running: changed rows / that", rate, "events/s", ">= 100,000", rate >= 100_000)
    rate = changes / median(stopped)
    report.add("burst", "procd stopped: its start until the sink is right", median(stopped), "s")
    report.add("burst", "procd stopped: changed rows / that", rate, "events/s", ">= 100,000", rate >= 100_000)
    native_burst(report, bench, changes)
    bench.close()


def native_burst(report, bench, changes):
    eye = Eye(bench.native)
    _, _, day = bench.load(0, 0)
    bench.native.sql("ALTER SUBSCRIPTION native ENABLE")
    eye.wait(day, pause=0.01)
    took, end, day = bench.load(changes // 10, 3)
    late = eye.wait(day, pause=0.01) - end
    bench.check(bench.native)
    report.add("burst", f"native running, {changes // 10:,} changed rows: last commit until right", late, "s")
    report.add("burst", "native running: changed rows / (their commits and that)", changes / 10 / (took + late), "events/s")


class Load(threading.Thread):
    """Load that never rests: at full speed, or slowly."""

    def __init__(self, bench):
        super().__init__(daemon=True)
        self.conn = bench.source.connect()
        self.full = True
        self.ended = False
        self.start()

    def run(self):
        with self.conn.cursor() as cur:
            cur.execute("SET synchronous_commit = off")
            while not self.ended:
                if self.full:
                    cur.execute("CALL bench.load(3000, 3)")
                else:
                    cur.execute("SELECT bench.insert_order(26)")
                    time.sleep(0.01)

    def end(self):
        self.ended = True
        self.join(60)
        assert not self.is_alive()
        with self.conn.cursor() as cur:  # one that waits for the disk: what was committed before it is then below the flushed LSN
            cur.execute("SET synchronous_commit = on")
            cur.execute("SELECT bench.insert_order(26)")
        self.conn.close()


def bench_recovery(report):
    """SIGKILL at load; from procd's start until the sink moves again, against the changes since the last checkpoint."""
    bench = Bench()
    for wanted in [0] + [size("RECOVERY_EVENTS", 1_000_000) // part for part in (10, 3, 1)]:
        lazy = {"state.checkpoint_interval": "3600s", "state.cache": "8GiB"} if wanted else {}
        pipeline = bench.pipeline(**lazy)
        lost, took = recover_once(bench, pipeline, wanted)
        how = "" if wanted else " (checkpoints every second)"
        report.add("recovery", f"{lost:,} events since the checkpoint{how}: sink moves after", took, "s")
    bench.close()


def recover_once(bench, pipeline, wanted):
    pipeline.start()
    pipeline.wait(120)
    load = Load(bench)
    began = time.monotonic()
    while True:
        status = pipeline.status()
        lost = int((status["seq_next"] - status["checkpoint_seq_next"]) * 30 / 4)  # bench.load: 30 changes in 4 commits
        if lost >= wanted and (wanted or time.monotonic() - began > 3):
            break
        time.sleep(0.02)
    pipeline.procd.kill()
    load.full = False
    progress = "SELECT seq FROM logfold.progress"
    seq = bench.sink.one(progress)
    start = time.monotonic()
    pipeline.start(ready=False)
    harness.until(lambda: bench.sink.one(progress) > seq, 300, "the sink moves", step=0.002)
    took = time.monotonic() - start
    load.end()
    pipeline.wait(300)
    bench.check(bench.sink)
    pipeline.stop()
    return lost, took
