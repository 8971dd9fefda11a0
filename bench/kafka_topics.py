"""A broker with ACME's topics as Debezium fills them, by kafka_generate, and what the views are over the rows in the end, as PostgreSQL
answers."""
import dataclasses
import re
import subprocess

import acme
import harness
import kafka
from figures import say, size

PREFIX = "finance"  # as schemas/acme.sql names the topics
GENERATE = harness.BUILD / "bench" / "kafka_generate"


@dataclasses.dataclass
class Variant:
    """How the events are written down."""
    wrapped: bool
    codec: str
    transactions: bool
    partitions: int  # of each table's topic

    @property
    def name(self):
        return (f"{'with schema' if self.wrapped else 'bare'}, {'lz4' if self.codec == 'lz4' else 'plain'}"
                f"{', transactions' if self.transactions else ''}{f', {self.partitions} partitions' if self.partitions > 1 else ''}")

    @property
    def events(self):
        """How many are wanted."""
        return size("KAFKA_EVENTS", 500_000 if self.wrapped else 1_000_000)


class Topics:
    """What lies in the topics now. `said`: the generator's counts; `answers`: rows of each view, as texts."""

    def __init__(self, variant, said, answers):
        self.said = said
        self.answers = answers
        self.events = said["events"]
        self.variant = variant
        self.name = variant.name
        self.names = [f"{PREFIX}.operations.{t}" for t in acme.TABLES] + [f"{PREFIX}.transaction"] * variant.transactions


class Stand:
    """A broker, and a PostgreSQL cluster for the truth and for sinks."""

    def __init__(self):
        self.folder = harness.make_folder()
        self.broker = kafka.Broker(self.folder / "broker", kafka.LATEST[0])
        self.cluster = harness.Cluster(self.folder, "sink", fsync="on", shared_buffers="256MB", max_wal_size="8GB")
        self.copies = self.folder / "copies"
        self.copies.mkdir()
        self.known = {}  # answers by events
        self.pipelines = 0

    def fill(self, variant):
        """Topics made anew."""
        there = [t for t in self.broker.topics() if t.startswith(f"{PREFIX}.")]
        if there:
            self.broker.delete(*there)
        for table in acme.TABLES:
            self.broker.create(f"{PREFIX}.operations.{table}", variant.partitions)
        self.broker.create(f"{PREFIX}.transaction")
        done = subprocess.run([GENERATE, self.broker.address, PREFIX, str(variant.events), str(size("BENCH_SEED", 1)),
                               "wrapped" if variant.wrapped else "bare", variant.codec, str(size("KAFKA_BATCH_BYTES", 65536)),
                               str(int(variant.transactions)), self.copies], capture_output=True, text=True, timeout=3600, check=False)
        assert done.returncode == 0, done.stderr
        said = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout)}
        topics = Topics(variant, said, self.truth(variant.events))
        say(f"{topics.name}: {done.stdout.strip()}")
        return topics

    def truth(self, events):
        """The final rows do not depend on how they were written down."""
        if events not in self.known:
            database = harness.Database(self.cluster, f"truth_{events}")
            acme.prepare(database)
            for table in acme.TABLES:
                with database.conn.cursor() as cur, open(self.copies / f"{table}.copy", encoding="utf-8") as f:
                    cur.copy_expert(f"COPY operations.{table} FROM STDIN", f)
            database.sql("ANALYZE")
            self.known[events] = acme.answers(database)
            database.drop()
        return self.known[events]

    def pipeline(self, topics, sink=None, **settings):
        """A pipeline with an empty store over the topics."""
        self.pipelines += 1
        more = {"source.transaction_topic": f"{PREFIX}.transaction"} if topics.variant.transactions else {}
        return harness.Pipeline(self.folder, f"bench{self.pipelines}", acme.SCHEMA, None, sink,
                                {"source.url": self.broker.url, "source.topic_prefix": PREFIX, "state.checkpoint_interval": "1s",
                                 **more, **settings})

    def close(self):
        self.broker.kill()
        self.cluster.stop(harness.signal.SIGQUIT)
        harness.shutil.rmtree(self.folder, ignore_errors=True)


def variants(default="bare bare-lz4 bare-lz4-transactions bare-lz4-partitions schema schema-lz4 schema-lz4-transactions"):
    """By KAFKA_VARIANTS: words like those of `default`."""
    for word in harness.os.environ.get("KAFKA_VARIANTS", default).split():
        yield Variant(word.startswith("schema"), "lz4" if "lz4" in word else "none", "transactions" in word, 4 if "partitions" in word else 1)
