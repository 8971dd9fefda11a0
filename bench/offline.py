"""Benchmarks that need no PostgreSQL: a generated log is replayed."""
import csv
import os
import re
import subprocess
import time

import harness
from figures import ROOT, MemorySampler, cpu_seconds, median, rounds, say, size

SCHEMA = ROOT / "schemas" / "acme.sql"
GENERATE = harness.BUILD / "bench" / "generate"
CEILING = harness.BUILD / "bench" / "ceiling"


def generate(store, events):
    """A store with a log of about so many events; what the generator says of it."""
    done = harness.run([GENERATE, store, events, size("BENCH_SEED", 1)], timeout=3600)
    assert done.returncode == 0, done.stderr
    said = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", done.stdout)}
    say(f"log: {done.stdout.strip()}")
    return said


def replay(store, cores, cache=None):
    """Rebuilds the state from the log; wall and processor seconds of the whole process, and its peak memory."""
    settings = ["--set", f"state.cache={cache}"] if cache else []
    os.sync()  # what the run before has left to write is not this one's work
    start, before = time.monotonic(), cpu_seconds()
    child = harness.spawn(["taskset", "-c", cores, harness.PROCD, "--store", store, "--source", "none", "--sink", "none", "--schema",
                           SCHEMA, "--replay-from", 0, "--once", *settings], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    memory = MemorySampler(child.pid)
    text = child.communicate()[1].decode(errors="replace")
    took = time.monotonic() - start
    assert child.returncode == 0, text
    return took, cpu_seconds() - before, memory.end()


def ceiling(store, folder):
    """Seconds of the program made by hand, and the sums it found."""
    os.sync()
    before = cpu_seconds()
    done = harness.run(["taskset", "-c", "0", CEILING, store, folder], timeout=3600)
    assert done.returncode == 0, done.stderr
    harness.shutil.rmtree(folder)
    return {"cpu": cpu_seconds() - before, **{k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", done.stdout)}}


def view_sum(store, view, column):
    done = harness.run([harness.STATECTL, "--store", store, "dump", view, "--csv"], timeout=600)
    assert done.returncode == 0, done.stderr
    return sum(int(row[column]) for row in csv.DictReader(done.stdout.splitlines()))


def check_sums(store, said):
    """Both programs must have found the same views, or the ratio of their speeds says nothing."""
    ours = (view_sum(store, "open_orders_by_delivery_status", "open_items_count"),
            view_sum(store, "pending_items_by_product", "pending_count"))
    theirs = (said["open_orders"], said["pending_items"])
    assert ours == theirs, f"procd and ceiling differ: {ours} {theirs}"


def bench_replay(report):
    """Events/s of a replay: state rebuilt and on disk, ACME's four views; one and two cores; against the ceiling."""
    folder = harness.make_folder()
    store = folder / "store"
    said = generate(store, size("REPLAY_EVENTS", 5_000_000))
    events, log_bytes = said["events"], said["log_bytes"]
    one, two, most, shares = [], [], [], []
    for _ in range(rounds()):
        found = ceiling(store, folder / "ceiling")
        most.append(found["seconds"])
        took, cpu, _ = replay(store, "0")
        one.append(took)
        shares.append(found["cpu"] / cpu)
        two.append(replay(store, "0,1")[0])
        say(f"replay: ceiling {most[-1]:.2f} s, {found['cpu']:.2f} s of processor; one core {took:.2f} s, {cpu:.2f} s of processor; "
            f"two cores {two[-1]:.2f} s")
    check_sums(store, found)
    ratio = median(m / o for m, o in zip(most, one))
    report.add("replay", f"events ({said['orders']:,.0f} orders, {said['items']:,.0f} items)", events)
    report.add("replay", "log read", log_bytes / 1e6, "MB")
    report.add("replay", "log, generated", log_bytes / events, "bytes/event", "<= 30", log_bytes / events <= 30)
    report.add("replay", "one core", events / median(one), "events/s")
    report.add("replay", "one core, log read", log_bytes / 1e6 / median(one), "MB/s")
    report.add("replay", "two cores", events / median(two), "events/s")
    report.add("replay", "ceiling, one core", events / median(most), "events/s")
    report.add("replay", "one core / ceiling", ratio, "", ">= 0.4", ratio >= 0.4)
    report.add("replay", "the same by processor time (other load does not touch it)", median(shares), "")


def bench_memory(report):
    """Peak memory of a replay and of the process that goes on from that state, anonymous and file-backed apart."""
    folder = harness.make_folder()
    store = folder / "store"
    cache_mib = size("MEMORY_CACHE_MIB", 256)
    said = generate(store, size("MEMORY_EVENTS", 5_000_000))
    took, _, replaying = replay(store, "0,1", f"{cache_mib}MiB")
    procd = harness.Procd(["--store", store, "--source", "none", "--sink", "none", "--schema", SCHEMA]).wait_ready(120)
    memory = MemorySampler(procd.pid)
    time.sleep(2)
    resting = memory.end()
    procd.terminate()
    limit = (cache_mib + 64) * 1024 * 1024
    report.add("memory", f"events ({said['orders']:,.0f} orders, {said['items']:,.0f} items)", said["events"])
    report.add("memory", "replay, two cores", said["events"] / took, "events/s")
    report.add("memory", f"replay, cache {cache_mib} MiB: anonymous, peak", replaying["RssAnon"] / 2**20, "MiB",
               f"<= {cache_mib + 64}", replaying["RssAnon"] <= limit)
    report.add("memory", "replay: file-backed (LMDB's map, clean pages), peak", replaying["RssFile"] / 2**20, "MiB")
    report.add("memory", "started from that state, at rest: anonymous", resting["RssAnon"] / 2**20, "MiB")
    report.add("memory", "started from that state, at rest: file-backed", resting["RssFile"] / 2**20, "MiB")
