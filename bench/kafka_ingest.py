"""Topics that are full already, into an empty store: procd --once against librdkafka alone, which drops every record."""
import dataclasses
import os
import select
import shutil
import subprocess
import time

import acme
import harness
from figures import MemorySampler, cpu_seconds, median, rounds, say
from kafka_topics import Stand, variants

DRAIN = harness.BUILD / "bench" / "kafka_drain"


@dataclasses.dataclass
class Run:
    """What one process took: seconds, bytes."""
    wall: float
    cpu: float
    anon: float
    rss: float


def await_end(pid, seconds=600):
    """Returns when the process ends, at once: Popen.wait with a timeout looks every 50 ms."""
    fd = os.pidfd_open(pid)
    ended = select.select([fd], [], [], seconds)[0]
    os.close(fd)
    assert ended, f"process {pid} did not end in {seconds} s"


def measured(start, wait):
    """Runs `start`, which gives a child, and `wait` for its end."""
    os.sync()  # what the run before has left to write is not this one's work
    before, began = cpu_seconds(), time.monotonic()
    child = start()
    memory = MemorySampler(child.pid, 0.1)  # a look takes processor time that procd, but not librdkafka alone, would use
    await_end(child.pid)
    wall = time.monotonic() - began
    wait(child)
    peak = memory.end()
    return Run(wall, cpu_seconds() - before, peak["RssAnon"], peak["Rss"])


def drain(stand, topics):
    def start():
        return harness.spawn([DRAIN, stand.broker.address, *topics.names], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL)

    def end(child):
        out, err = child.communicate(timeout=600)
        assert child.returncode == 0, err
        assert int(out.split()[0].split(b"=")[1]) >= topics.events, out
    return measured(start, end)


def procd(stand, topics, sink):
    database = harness.Database(stand.cluster, f"sink{stand.pipelines}") if sink else None
    pipe = stand.pipeline(topics, database)

    def start():
        pipe.procd = harness.Procd(["-c", pipe.config, "--once"])
        return pipe.procd
    found = measured(start, lambda p: p.exit(600))
    assert pipe.procd.child.returncode == 0, pipe.procd.text
    check(pipe, topics, database)
    if database:
        database.drop()
    shutil.rmtree(pipe.folder)
    return found


def check(pipe, topics, database):
    """Counts of rows, and the views: in the sink, or in the store where there is none."""
    counts = {t["name"].split(".")[1]: t["rows"] for t in pipe.json("tables")}
    assert counts == {t: topics.said[t] for t in acme.TABLES}, f"{counts}, not {topics.said}"
    assert pipe.status()["quarantine"] == 0
    if database:
        got = acme.sink_rows(database)
    else:
        got = {v: [tuple(line.split(",")) for line in pipe.dump(v).splitlines()[1:]] for v in acme.VIEWS}
    for view in acme.VIEWS:
        difference = harness.difference(topics.answers[view], got[view])
        assert not difference, f"{topics.name}, {view}: {difference}"


def report_runs(report, topics, what, runs, yardstick):
    events = topics.events
    label = f"{topics.name}: {what}"
    report.add("kafka", label, events / median(r.wall for r in runs), "events/s")
    report.add("kafka", f"{label}, keys and values", topics.said["bytes"] / 1e6 / median(r.wall for r in runs), "MB/s")
    report.add("kafka", f"{label}, processor time", 1e6 * median(r.cpu for r in runs) / events, "us/event")
    if runs is yardstick:
        return
    report.add("kafka", f"{label} / yardstick", median(y.wall / r.wall for y, r in zip(yardstick, runs)), "")
    report.add("kafka", f"{label}, anonymous memory, peak", max(r.anon for r in runs) / 2**20, "MiB")
    report.add("kafka", f"{label}, all resident memory, peak", max(r.rss for r in runs) / 2**20, "MiB")


def bench_variant(report, stand, topics):
    kinds = {"librdkafka alone": lambda: drain(stand, topics), "procd, no sink": lambda: procd(stand, topics, False),
             "procd, sink": lambda: procd(stand, topics, True)}
    runs = {kind: [] for kind in kinds}
    for i in range(rounds()):
        for kind in list(kinds) if i % 2 == 0 else reversed(kinds):
            runs[kind].append(kinds[kind]())
        say(f"{topics.name}: " + "; ".join(f"{k} {r[-1].wall:.2f} s, {r[-1].cpu:.2f} s of processor" for k, r in runs.items()))
    report.add("kafka", f"{topics.name}: events", topics.events)
    report.add("kafka", f"{topics.name}: keys and values", topics.said["bytes"] / topics.said["records"], "bytes/record")
    for kind, found in runs.items():
        report_runs(report, topics, kind, found, runs["librdkafka alone"])


def bench_kafka(report):
    """ACME's events, bare and with schema, plain and lz4, with and without the transaction topic, in several partitions."""
    stand = Stand()
    for variant in variants():
        bench_variant(report, stand, stand.fill(variant))
    stand.close()
