"""Whatever is killed, whenever: nothing is lost, nothing doubled."""
import random
import signal
import time

import acme
import harness
from harness import until

KILLS = 200 if harness.SLOW == 1 else 40


def assert_right(pipe, note):
    want, got = acme.answers(pipe.source), acme.sink_rows(pipe.sink)
    for view in acme.VIEWS:
        assert got[view] == want[view], f"{note}: {view}"


def undisturbed_digest(pipe, folder, name):
    """The digests of a pipeline with a store of its own that was never disturbed."""
    other = harness.Pipeline(folder, name, acme.SCHEMA, pipe.source)
    other.once()
    return other.digest()


def test_procd_killed_at_random_instants_loses_and_doubles_nothing(pipeline, source, folder):
    acme.prepare(source)
    acme.fill(source, 200)
    acme.add_kept(source)
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    pipe = pipeline(acme.SCHEMA, load=False, **{"state.checkpoint_interval": "20ms", "state.segment": "64KiB"})
    workers = [acme.load_worker(source, seed, 0.02), acme.mover(source, seed)]
    workers[1].rest = 0.02
    ready = 0
    for _ in range(KILLS):
        procd = pipe.start(ready=False)
        if rng.random() < 0.3:  # from when it is up, else from when it is started
            until(lambda p=procd: "procd: ready" in p.text or not p.running(), 20, "ready", 0.001)
        time.sleep(rng.uniform(0.02, 0.15) * harness.SLOW)
        ready += "procd: ready" in procd.text
        assert procd.running(), f"seed {seed}: procd ended by itself:\n{procd.text}"
        procd.kill()
    assert ready > KILLS / 4
    assert pipe.status()["log_seq_next"] > 50, "the killed ones got nowhere"
    pipe.start()
    for w in workers:
        w.end()
    pipe.wait(60)
    assert_right(pipe, f"seed {seed}")
    pipe.stop()
    assert pipe.ctl("verify", timeout=120).stdout.startswith("same"), f"seed {seed}"
    assert pipe.ctl("log", "verify").stdout.startswith("ok")
    mine = pipe.digest()
    other = undisturbed_digest(pipe, folder, pipe.name + "_calm")
    assert mine == other, f"seed {seed}"


def test_procd_killed_during_a_replay_and_started_again(pipeline, source):
    acme.prepare(source)
    acme.fill(source, 100)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    rng = random.Random(3)
    conn = source.connect(autocommit=False)
    for _ in range(200):
        acme.transaction(conn, rng)
    pipe.wait()
    pipe.stop()
    before = pipe.digest()
    for i in range(20):
        procd = pipe.start("--replay-from", "0", ready=False)
        time.sleep(0.005 * i)
        procd.kill()
        acme.transaction(conn, rng)
    pipe.start()
    pipe.wait()
    assert_right(pipe, "after killed replays")
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")
    assert pipe.digest() != before


def test_the_sink_server_is_killed_again_and_again(pipeline, source, sink_cluster):
    acme.prepare(source)
    acme.fill(source, 100)
    acme.add_kept(source)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    pipe.wait()
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    workers = [acme.load_worker(source, seed, 0.003), acme.mover(source, seed)]
    for i in range(4):
        time.sleep(rng.uniform(0.2, 0.6))
        sink_cluster.stop(signal.SIGQUIT)
        if i == 2:  # and procd, while the sink is away
            pipe.procd.kill()
            pipe.start()
        time.sleep(rng.uniform(0.0, 0.4))
        sink_cluster.start()
        assert pipe.procd.running(), pipe.procd.text
    for w in workers:
        w.end()
    pipe.wait(60)
    assert_right(pipe, f"seed {seed}")
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


def test_connections_to_source_and_sink_are_cut(pipeline, source, sink):
    acme.prepare(source)
    acme.fill(source, 100)
    acme.add_kept(source)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    workers = [acme.load_worker(source, seed, 0.002), acme.mover(source, seed)]
    for _ in range(12):
        time.sleep(rng.uniform(0.05, 0.4))
        if rng.random() < 0.5:
            source.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        else:
            sink.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        assert pipe.procd.running(), pipe.procd.text
    for w in workers:
        w.end()
    pipe.wait(60)
    assert_right(pipe, f"seed {seed}")
    pipe.stop()


def test_the_source_restarts(pipeline, source, source_cluster):
    acme.prepare(source)
    acme.fill(source, 100)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    pipe.wait()
    rng = random.Random(11)
    for number in (signal.SIGINT, signal.SIGQUIT):
        conn = source.connect(autocommit=False)
        for _ in range(50):
            acme.transaction(conn, rng)
        source_cluster.stop(number)
        time.sleep(0.3)
        assert pipe.procd.running(), pipe.procd.text
        source_cluster.start()
        conn = source.connect(autocommit=False)
        for _ in range(20):
            acme.transaction(conn, rng)
        pipe.wait(60)
        assert_right(pipe, f"after signal {number}")
    pipe.stop()


def test_procd_starts_while_source_and_sink_are_away(pipeline, source, source_cluster, sink_cluster):
    acme.prepare(source)
    acme.fill(source, 50)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.once()
    source.sql("UPDATE operations.orders SET status = 'PENDING'")
    sink_cluster.stop()
    source_cluster.stop()
    pipe.start()
    time.sleep(0.5)
    assert pipe.procd.running(), pipe.procd.text
    source_cluster.start()
    sink_cluster.start()
    pipe.wait(60)
    assert_right(pipe, "after both came back")
    sink_cluster.stop()
    source.sql("UPDATE operations.orders SET status = 'PROCESSING' WHERE order_id % 2 = 0")
    assert pipe.procd.terminate(40) == 0  # what cannot be synced waits in the store
    pipe.once(code=75)  # --once promises the sink
    sink_cluster.start()
    pipe.once()
    assert_right(pipe, "after the sink came back")


def test_neither_sink_nor_source_hears_of_a_commit_before_it_is_on_disk(pipeline, source, sink):
    acme.prepare(source)
    acme.fill(source, 50)
    pipe = pipeline(acme.SCHEMA, load=False)
    pipe.start()
    pipe.wait()
    pipe.wait_checkpoint()
    slow = 1 + harness.SLOW
    looks = 0
    with harness.slow_disk(pipe.procd, slow):
        first = pipe.status()["log_seq_next"]  # the commit's seq
        source.sql("UPDATE operations.orders SET status = 'PENDING'")
        began, lsn = time.monotonic(), harness.lsn_number(source.lsn())
        shown = -1
        while shown < first:
            shown = sink.one("SELECT seq FROM logfold.progress")
            confirmed = source.one("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s", pipe.slot)
            status = pipe.status()
            durable = status["durable_seq_next"]
            assert shown < durable, f"the sink shows commit {shown}, on disk are those below {durable}"
            assert durable > first or harness.lsn_number(confirmed) < lsn, f"the source was told {confirmed}"
            assert status["checkpoint_seq_next"] <= durable
            looks += status["log_seq_next"] > first >= durable
            assert time.monotonic() < began + 10 * slow, "the commit does not come"
        assert looks > 5, "the disk was not slow"
    pipe.wait()
    assert_right(pipe, "after a slow disk")
    pipe.stop()
