#!/usr/bin/python3
"""`make bench-flink`: the same topics, the same views and the same kind of sink by Flink's SQL and by procd, by turns, each until the
sink shows what PostgreSQL answers. Flink is one Java process with a local cluster of two slots; its versions are in flink/flink.pom.xml."""
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import figures
import acme
import harness
import kafka
from figures import ROOT, median, rounds, say, size
from kafka_topics import Stand, variants

VERSION = "1.20.3"
FOLDER = ROOT / "bench" / "flink"
CLASSES = harness.BUILD / "bench" / "flink"
# What Flink's own scripts give a Java 17.
OPENED = ["java.net", "java.io", "java.nio", "java.lang", "java.lang.reflect", "java.text", "java.time", "java.util",
          "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks"]
TUNED = {
    "parallelism.default": "2", "taskmanager.numberOfTaskSlots": "2", "pipeline.object-reuse": "true",
    "table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "200 ms", "table.exec.mini-batch.size": "20000",
    "table.optimizer.agg-phase-strategy": "TWO_PHASE", "taskmanager.memory.managed.size": "512m",
    "taskmanager.memory.network.min": "128m", "taskmanager.memory.network.max": "128m",
    "execution.checkpointing.interval": "10 s", "state.checkpoints.num-retained": "1",
}
BACKENDS = {"Flink, heap": {"state.backend.type": "hashmap"},
            "Flink, RocksDB": {"state.backend.type": "rocksdb", "state.backend.incremental": "true", "taskmanager.memory.managed.size": "1536m",
                               "state.backend.rocksdb.predefined-options": "FLASH_SSD_OPTIMIZED", "state.backend.rocksdb.use-bloom-filter": "true",
                               "state.backend.rocksdb.writebuffer.size": "128mb", "state.backend.rocksdb.thread.num": "4"}}
OURS = {"procd": {}, "procd, state.cache 32MB": {"state.cache": "32MB"}}
SINK_TABLES = """
CREATE TABLE open_orders_by_delivery_status (delivery_date date, delivery_status varchar, open_items_count bigint NOT NULL,
    PRIMARY KEY (delivery_date, delivery_status));
CREATE TABLE top3_delivery_dates (rank_num bigint PRIMARY KEY, delivery_date date, open_items_count bigint);
CREATE TABLE pending_items_by_product (product_id bigint PRIMARY KEY, pending_count bigint);
CREATE TABLE top3_customers_pending_orders (rank_num bigint PRIMARY KEY, customer_id bigint, pending_orders bigint);
"""


class Peak(threading.Thread):
    """The highest PSS and RSS of a process in bytes, looked at every 0.1 s."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pss = self.rss = 0
        self._path = pathlib.Path(f"/proc/{pid}/smaps_rollup")
        self._ended = threading.Event()
        self.start()

    def run(self):
        while not self._ended.wait(0.1):
            try:
                found = dict(re.findall(r"^(Pss|Rss):\s+(\d+) kB", self._path.read_text(encoding="ascii"), re.M))
            except OSError:
                return
            self.pss = max(self.pss, int(found.get("Pss", 0)) * 1024)
            self.rss = max(self.rss, int(found.get("Rss", 0)) * 1024)

    def end(self):
        self._ended.set()
        self.join()


class Run:
    """From a process's start until the sink is right."""

    def __init__(self, child, topics, database, log):
        self.child = child
        self.started = time.time()
        peak = Peak(child.pid)
        self.await_answers(topics, database, log)
        self.seconds = time.time() - self.started
        peak.end()
        self.pss, self.rss = peak.pss, peak.rss
        self.running = 0.0  # seconds from the start until the job ran
        self.cpu = 0.0

    def await_answers(self, topics, database, log):
        """Looks seldom: the whole answer is compared, and that takes processor time from who is measured."""
        deadline = time.time() + size("FLINK_TIMEOUT", 900)
        while True:
            assert self.child.poll() is None, f"it ended:\n{log()}"
            try:
                got = acme.sink_rows(database)
            except harness.psycopg2.errors.UndefinedTable:
                got = {}
            if got == topics.answers:
                return
            wrong = [f"{v}: {harness.difference(topics.answers[v], got.get(v, []))[:300]}" for v in acme.VIEWS] \
                if time.time() > deadline else []
            assert not wrong, "\n".join(wrong) + f"\n{log()}"
            time.sleep(0.1)


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compile_program(classpath):
    CLASSES.mkdir(parents=True, exist_ok=True)
    done = harness.run(["javac", "-cp", f"{classpath}/*", "-d", CLASSES, FOLDER / "RunSql.java"], timeout=120)
    assert done.returncode == 0, done.stderr


def fill_sql(stand, topics, database, path):
    source = ", ".join(f"'{k}' = '{v}'" for k, v in {
        "connector": "kafka", "properties.bootstrap.servers": stand.broker.address, "properties.group.id": "flink",
        "scan.startup.mode": "earliest-offset", "format": "debezium-json",
        "debezium-json.schema-include": str(topics.variant.wrapped).lower()}.items())
    sink = ", ".join(f"'{k}' = '{v}'" for k, v in {
        "connector": "jdbc", "username": "postgres", "password": "trust", "sink.buffer-flush.max-rows": "5000", "sink.buffer-flush.interval": "200 ms",
        "url": f"jdbc:postgresql://127.0.0.1:{database.cluster.port}/{database.name}?reWriteBatchedInserts=true"}.items())
    text = (FOLDER / "views.sql").read_text(encoding="utf-8")
    path.write_text(text.replace("@SOURCE@", source).replace("@SINK@", sink), encoding="utf-8")


def run_flink(stand, topics, classpath, backend):
    stand.pipelines += 1
    folder = stand.folder / f"flink{stand.pipelines}"
    folder.mkdir()
    database = harness.Database(stand.cluster, f"flink{stand.pipelines}")
    database.sql(SINK_TABLES)
    fill_sql(stand, topics, database, folder / "views.sql")
    settings = {**TUNED, **backend, "execution.checkpointing.dir": f"file://{folder}/checkpoints", "io.tmp.dirs": folder}
    log = folder / "log"
    os.sync()
    with open(log, "wb") as f:
        child = harness.spawn(["java", f"-Xmx{os.environ.get('FLINK_HEAP', '3g')}", "-XX:MaxDirectMemorySize=1g",
                               "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", f"-Djava.io.tmpdir={folder}",
                               *[f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in OPENED], "-cp", f"{CLASSES}:{classpath}/*", "RunSql",
                               folder / "views.sql", *[f"{k}={v}" for k, v in settings.items()]],
                              stdout=subprocess.PIPE, stderr=f, stdin=subprocess.DEVNULL)
    found = Run(child, topics, database, lambda: log.read_text(errors="replace")[-4000:])
    found.running = int(child.stdout.readline().split()[1]) / 1000 - found.started
    found.cpu = cpu_of(child.pid)
    harness.end(child)
    database.drop()
    harness.shutil.rmtree(folder, ignore_errors=True)
    return found


def run_procd(stand, topics, settings):
    database = harness.Database(stand.cluster, f"sink{stand.pipelines}")
    pipe = stand.pipeline(topics, database, **settings)
    os.sync()
    procd = harness.Procd(["-c", pipe.config])
    found = Run(procd.child, topics, database, lambda: procd.text)
    found.cpu = cpu_of(procd.pid)
    assert procd.terminate() == 0, procd.text
    database.drop()
    harness.shutil.rmtree(pipe.folder)
    return found


def report_runs(report, topics, who, runs):
    label = f"{topics.name}: {who}"
    seconds = median(r.seconds for r in runs)
    report.add("flink", f"{label}, from its start until the sink is right", seconds, "s")
    report.add("flink", f"{label}, events / that", topics.events / seconds, "events/s")
    if who in BACKENDS:
        warm = median(r.seconds - r.running for r in runs)
        report.add("flink", f"{label}, from the job's start until the sink is right", warm, "s")
        report.add("flink", f"{label}, events / that of the job", topics.events / warm, "events/s")
    report.add("flink", f"{label}, processor time", 1e6 * median(r.cpu for r in runs) / topics.events, "us/event")
    report.add("flink", f"{label}, PSS, peak", max(r.pss for r in runs) / 2**20, "MiB")
    report.add("flink", f"{label}, RSS, peak", max(r.rss for r in runs) / 2**20, "MiB")


def report_ratios(report, topics, who, runs, our, ours):
    label = f"{topics.name}: {who} / {our}"
    report.add("flink", f"{label}, seconds", median(r.seconds / o.seconds for r, o in zip(runs, ours)), "times")
    report.add("flink", f"{label}, seconds without Flink's own start",
               median((r.seconds - r.running) / o.seconds for r, o in zip(runs, ours)), "times")
    report.add("flink", f"{label}, processor time", median(r.cpu / o.cpu for r, o in zip(runs, ours)), "times")
    report.add("flink", f"{label}, memory (PSS, peak)", max(r.pss for r in runs) / max(o.pss for o in ours), "times")


def backends():
    """Those that FLINK_BACKENDS names: heap, RocksDB."""
    wanted = os.environ.get("FLINK_BACKENDS", "heap RocksDB").split()
    return {k: v for k, v in BACKENDS.items() if k.split()[-1] in wanted}


def bench_topics(report, stand, topics, classpath):
    kinds = {**{k: lambda s=s: run_procd(stand, topics, s) for k, s in OURS.items()},
             **{k: lambda b=b: run_flink(stand, topics, classpath, b) for k, b in backends().items()}}
    runs = {kind: [] for kind in kinds}
    for i in range(rounds()):
        for kind in list(kinds) if i % 2 == 0 else reversed(kinds):
            runs[kind].append(kinds[kind]())
        say(f"{topics.name}: " + "; ".join(f"{k} {r[-1].seconds:.2f} s, PSS {r[-1].pss / 2**20:.0f} MiB" for k, r in runs.items()))
    report.add("flink", f"{topics.name}: events", topics.events)
    for kind, found in runs.items():
        report_runs(report, topics, kind, found)
    for kind in backends():
        for our in OURS:
            report_ratios(report, topics, kind, runs[kind], our, runs[our])


def main():
    report = figures.Report()
    classpath = kafka.jars("flink", VERSION, FOLDER)
    compile_program(classpath)
    stand = Stand()
    for variant in variants("bare-lz4 schema-lz4"):
        bench_topics(report, stand, stand.fill(variant), classpath)
    stand.close()
    report.save(harness.BUILD / "bench" / "flink.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
