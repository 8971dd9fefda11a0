"""From a commit in the source, through Debezium and Kafka, to visible in the sink at low load, and the part of it from the broker's
append on, which is ours. The topics have LogAppendTime, so their records say when they were appended, in whole milliseconds that have
begun: what is ours seems up to 1 ms longer than it is."""
import json
import random
import re
import threading
import time

import acme
import harness
import kafka
import live
from figures import percentile, say, size

SCHEMA = re.sub(r"\)\s*WITH \(topic = '[^']*'\)", ")", acme.SCHEMA)
LOAD_PAUSE = 0.05
OURS_MS = 5


class Load(threading.Thread):
    """Twenty transactions a second, of an order with three items each."""

    def __init__(self, bench):
        super().__init__(daemon=True)
        self.conn = bench.source.connect()
        self.ended = threading.Event()
        self.start()

    def run(self):
        with self.conn.cursor() as cur:
            while not self.ended.wait(LOAD_PAUSE):
                cur.execute("SELECT bench.insert_order(3)")

    def end(self):
        self.ended.set()
        self.join(60)
        self.conn.close()


def take_samples(bench, eye, count, poll_ms):
    """An order of a day of its own appears, then is completed and disappears: (order, its status, time of COMMIT's return, time when
    seen). Between two samples at least a whole poll of Debezium's may pass, so that commits fall anywhere into it."""
    conn = bench.source.connect()
    cur = conn.cursor()
    rng = random.Random(count)
    found = []
    for _ in range(count // 2):
        day = bench.next_day()
        cur.execute("INSERT INTO operations.orders (delivery_date, customer_id, status) VALUES (%s, 1, 'PENDING') RETURNING order_id", (day,))
        order = cur.fetchone()[0]
        for status in ("PENDING", "COMPLETED"):
            committed = time.time()
            eye.wait(day, status == "PENDING", 60, pause=0.0003)
            found.append((order, status, committed, time.time()))
            time.sleep(rng.random() * (0.05 + poll_ms / 1000))
            if status == "PENDING":
                cur.execute("UPDATE operations.orders SET status = 'COMPLETED' WHERE order_id = %s", (order,))
    conn.close()
    return found


def append_times(broker, prefix, whole):
    """Seconds by (order, status): when its record was appended and, where commits are whole transactions, its END was."""
    ends = {}
    for message in broker.consume(f"{prefix}.transaction") if whole else []:
        marker = json.loads(message.value())
        if marker["status"] == "END":
            ends[int(marker["id"].split(":")[0])] = message.timestamp()[1] / 1000
    found = {}
    for message in broker.consume(f"{prefix}.operations.orders"):
        event = json.loads(message.value())
        at = message.timestamp()[1] / 1000
        if event["op"] in "cu":
            found[event["after"]["order_id"], event["after"]["status"]] = max(at, ends[event["source"]["txId"]] if whole else 0)
    return found


class Stand:
    """live.Bench's source and sink, a broker and a Connect worker between them."""

    def __init__(self):
        self.bench = live.Bench()
        self.broker = kafka.Broker(self.bench.folder / "broker", kafka.LATEST[0])
        self.connect = kafka.Connect(self.bench.folder / "connect", self.broker, kafka.LATEST)
        self.bench.source.sql("CREATE PUBLICATION cdc_publication FOR TABLES IN SCHEMA operations")
        self.bench.load(size("LATENCY_ORDERS", 2000) * 27, 0)

    def register(self, prefix, poll_ms):
        self.connect.register(prefix, kafka.connector(self.bench.source, prefix, poll_interval_ms=poll_ms,
                                                      topic_creation_default_message_timestamp_type="LogAppendTime",
                                                      topic_creation_transaction_message_timestamp_type="LogAppendTime"))
        self.connect.wait_runs(prefix)

    def close(self):
        self.connect.kill()
        self.broker.kill()
        self.bench.close()


def measure(stand, poll_ms, whole, count):
    """Milliseconds: commit to seen, commit to appended, appended to seen."""
    bench = stand.bench
    prefix = f"poll{poll_ms}{'whole' if whole else ''}"
    stand.register(prefix, poll_ms)
    bench.sink = harness.Database(bench.sink_cluster, prefix)
    pipe = harness.Pipeline(bench.folder, prefix, SCHEMA, None, bench.sink, {
        "source.url": stand.broker.url, "source.topic_prefix": prefix, "state.checkpoint_interval": "1s",
        **({"source.transaction_topic": f"{prefix}.transaction"} if whole else {})})
    pipe.start(ready=False)
    load = Load(bench)
    harness.until(lambda: has_views(bench.sink), 120, "the sink has the views")
    eye = live.Eye(bench.sink)
    _, _, day = bench.load(0, 0)
    eye.wait(day, pause=0.01)
    found = take_samples(bench, eye, count, poll_ms)
    load.end()
    _, _, day = bench.load(0, 0)
    bench.load(0, 0)  # END of the one before may come with this one only
    eye.wait(day, pause=0.01)
    harness.until(lambda: acme.answers(bench.source) == acme.sink_rows(bench.sink), 60, "the sink is right", 0.1)
    eye.close()
    pipe.stop()
    appended = append_times(stand.broker, prefix, whole)
    stand.connect.remove(prefix)
    bench.sink.close()
    return ([(seen - committed) * 1000 for _, _, committed, seen in found],
            [(appended[o, s] - committed) * 1000 for o, s, committed, _ in found],
            [(seen - appended[o, s]) * 1000 for o, s, _, seen in found])


def has_views(sink):
    return sink.one("SELECT to_regclass('open_orders_by_delivery_status') IS NOT NULL")


def report_latency(report, what, parts):
    names = ("commit to visible in the sink", "commit to appended at the broker", "appended to visible")
    for name, times in zip(names, parts):
        for share, percent in ((0.5, "p50"), (0.99, "p99")):
            value = percentile(times, share)
            if name == names[-1] and share == 0.5:
                report.add("kafka", f"{what}: {name}, {percent}", value, "ms", f"<= {OURS_MS}", value <= OURS_MS)
            else:
                report.add("kafka", f"{what}: {name}, {percent}", value, "ms")
        say(f"kafka-latency, {what}, {name}: {sorted(round(t, 1) for t in times)[::max(1, len(times) // 20)]}")


def bench_kafka_latency(report):
    """With Debezium's default poll.interval.ms and a short one; with a short one, whole transactions by its transaction topic."""
    stand = Stand()
    samples = size("LATENCY_SAMPLES", 600)
    for poll_ms, whole, count in ((500, False, samples // 3), (10, False, samples), (10, True, samples)):
        what = f"poll.interval.ms {poll_ms}{', whole transactions' if whole else ''}"
        report_latency(report, what, measure(stand, poll_ms, whole, count))
    stand.close()
