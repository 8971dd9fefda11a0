"""Through a real Kafka broker and a real Debezium: what the sink shows is what the source itself answers, whatever is killed.
KAFKA_KILLS sets how often something is killed (default 50), KAFKA_KEEP a folder for what is needed to explain a failure."""
import contextlib
import csv
import decimal
import json
import os
import random
import re
import shutil
import time
import types

import pytest

import acme
import harness
from harness import until
from test_acme import snapshot_checker
from test_file_source import event, row

try:
    import kafka
except ImportError:
    pytest.skip("python3-confluent-kafka is not installed (tools/run/packages.sh test)", allow_module_level=True)

KILLS = int(os.environ.get("KAFKA_KILLS", "50"))
KEYS = {"customers": "customer_id", "products": "product_id", "orders": "order_id", "order_items": "order_item_id"}
# The tables as they are in the sink, too; their topics come from topic_prefix.
SCHEMA = re.sub(r"\)\s*WITH \(topic = '[^']*'\)", ")", acme.SCHEMA) + "".join(
    f"CREATE MATERIALIZED VIEW all_{t} AS SELECT * FROM operations.{t};\n" for t in KEYS)


class Stand:
    """A broker and a Connect worker of one version each."""

    def __init__(self, folder, versions):
        self.is_latest = versions == kafka.LATEST
        try:
            self.broker = kafka.Broker(folder / "broker", versions[0], log_retention_check_interval_ms=300,
                                       log_initial_task_delay_ms=300)
            self.connect = kafka.Connect(folder / "connect", self.broker, versions)
        except kafka.Unavailable as e:
            pytest.skip(f"no Kafka here: {e}")

    def revive(self):
        if not self.broker.running():
            self.broker.start()
        if not self.connect.running():
            self.connect.start()

    def stop(self):
        self.connect.kill()
        self.broker.kill()


def make_stand(base, name, versions):
    (base / name).mkdir()
    stand = Stand(base / name, versions)
    yield stand
    stand.stop()


@pytest.fixture(scope="module")
def latest(base):
    yield from make_stand(base, "kafka-latest", kafka.LATEST)


@pytest.fixture(scope="module")
def older(base):
    yield from make_stand(base, "kafka-older", kafka.OLDER)


@pytest.fixture
def versions(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def debezium(source):
    """Registers connectors; they are gone before the source database is."""
    made = []

    def register(stand, prefix, **settings):
        stand.revive()
        source.sql("SELECT 1")
        if not source.sql("SELECT 1 FROM pg_publication WHERE pubname = 'cdc_publication'"):
            source.sql("CREATE PUBLICATION cdc_publication FOR TABLES IN SCHEMA operations")
        stand.connect.register(prefix, kafka.connector(source, prefix, **settings))
        made.append((stand, prefix))
    yield register
    for stand, prefix in made:
        stand.revive()
        stand.connect.remove(prefix)


@pytest.fixture
def prefix(source):
    return source.name


def sent(source, timeout=60):
    """Waits until Kafka has everything that is committed in the source: each slot is behind it."""
    lsn = source.lsn()
    slots = []

    def behind():
        source.sql("SELECT pg_logical_emit_message(true, 'behind', 'everything')")  # a slot gets on with the next transaction only
        slots[:] = source.sql("SELECT slot_name, active, confirmed_flush_lsn > %s::pg_lsn FROM pg_replication_slots"
                              " WHERE database = current_database()", lsn)
        return slots and all(s[2] for s in slots)
    try:
        until(behind, timeout, "Debezium has sent everything", 0.25)
    except AssertionError as e:
        raise AssertionError(f"{e}: {slots}") from None


def mark(source):
    """A transaction that touches every table, so that equal tables mean that nothing is still to come."""
    source.sql("".join(f"UPDATE operations.{t} SET updated_by = coalesce(updated_by, 0) + 1 WHERE {k} = (SELECT max({k}) FROM operations.{t});"
                       for t, k in KEYS.items()))


def plain_number(text):
    return text if text == "\\N" else str(decimal.Decimal(text).normalize())


def differences(source, sink, exact=True):
    """Views and tables that are not in the sink what they are in the source. `exact`: the setting keeps a numeric's trailing zeros."""
    wrong = []
    want, got = acme.answers(source), acme.sink_rows(sink)
    wrong += [f"{v}: {harness.difference(want[v], got[v])}" for v in acme.VIEWS if want[v] != got[v]]
    for table in KEYS:
        columns = [c for c, _ in sink.columns(f"all_{table}")]
        mine = source.rows(f"SELECT {', '.join(columns)} FROM operations.{table}")
        theirs = sink.rows(f"SELECT * FROM all_{table}")
        if table == "products" and not exact:
            i = columns.index("unity_price")
            mine, theirs = ([r[:i] + (plain_number(r[i]),) + r[i + 1:] for r in rows] for rows in (mine, theirs))
        text = harness.difference(mine, theirs)
        wrong += [f"{table}: {text}"] if text else []
    return wrong


def assert_settles(pipe, source, note, timeout=60, exact=False):
    mark(source)
    last = []

    def same():
        assert pipe.procd.running(), f"{note}: procd ended:\n{pipe.procd.text}"
        try:
            last[:] = differences(source, pipe.sink, exact)
        except harness.psycopg2.errors.UndefinedTable:
            last[:] = ["the sink has no tables"]
        return not last
    try:
        until(same, timeout, "source and sink are equal", 0.2)
    except AssertionError:
        raise AssertionError(f"{note}: the sink is not what the source is:\n" + "\n".join(last) + "\n" + pipe.ctl("status").stdout) from None


def kafka_pipeline(pipeline, stand, prefix, schema=SCHEMA, transactions=True, **settings):
    more = {"source.transaction_topic": f"{prefix}.transaction"} if transactions else {}
    return pipeline(schema, load=False, **{"source.url": stand.broker.url, "source.topic_prefix": prefix, "kafka.group.id": prefix,
                                           **more, **settings})


def assert_a_fresh_fold_is_the_same(pipe, folder):
    """All topics from their beginnings into another store, undisturbed, give the same state: nothing was lost or doubled."""
    other = harness.Pipeline(folder, pipe.name + "_fresh", SCHEMA, None, None,
                             {k: v for k, v in pipe.settings.items() if k.startswith(("source.", "kafka."))} | {"kafka.group.id": "fresh"})
    other.once(timeout=120)
    assert other.digest() == pipe.digest()


# ---- both versions ----

@pytest.mark.parametrize("versions, identity", [("latest", "FULL"), ("older", "DEFAULT")], indirect=["versions"])
def test_the_acme_workload_through_kafka_and_debezium(versions, identity, pipeline, source, sink, debezium, prefix, folder):
    acme.prepare(source, identity)
    acme.fill(source, 200)
    acme.add_kept(source)
    pipe = kafka_pipeline(pipeline, versions, prefix)
    pipe.start(ready=False)
    pipe.procd.wait_line(r'topic "[^"]*\.operations\.orders" does not exist yet: waiting for it')
    debezium(versions, prefix)
    assert_settles(pipe, source, "after the snapshot")
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    checker = snapshot_checker(sink)
    workers = [acme.load_worker(source, seed, 0.01), acme.load_worker(source, seed + 1, 0.01), acme.mover(source, seed)]
    workers[2].rest = 0.03
    for turn in range(2):
        time.sleep(3.0)
        for w in workers:
            w.pause()
        assert_settles(pipe, source, f"seed {seed}, turn {turn}")
        for w in workers:
            w.go_on()
    for w in workers:
        w.end()
    assert_settles(pipe, source, f"seed {seed}, at the end")
    checker.end()
    assert checker.steps > 20
    columns = {v: sink.columns(v) for v in acme.VIEWS}
    assert columns == {v: source.columns(v) for v in acme.VIEWS}
    status = pipe.status()
    assert status["quarantine"] == 0, pipe.ctl("quarantine", "show").stdout[:3000]
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")
    assert_a_fresh_fold_is_the_same(pipe, folder)
    topic = f"{prefix}.operations.orders"
    ends = {p: last for p, (_, last) in versions.broker.offsets(topic).items()}
    assert versions.broker.committed(prefix, topic) == ends, "Kafka's own tools would show a lag"


# ---- five settings ----

UNWRAP = {"transforms": "unwrap", "transforms_unwrap_type": "io.debezium.transforms.ExtractNewRecordState",
          "transforms_unwrap_delete_tombstone_handling_mode": "rewrite", "transforms_unwrap_add_fields": "op,table,lsn,source.ts_ms"}
MODES = {
    "ref": {**kafka.schemas(True), "time_precision_mode": "connect", "decimal_handling_mode": "double", "interval_handling_mode": "numeric"},
    "bare": {**kafka.schemas(False), "time_precision_mode": "adaptive", "decimal_handling_mode": "precise", "interval_handling_mode": "numeric"},
    "micro": {**kafka.schemas(True), "time_precision_mode": "adaptive_time_microseconds", "decimal_handling_mode": "string",
              "interval_handling_mode": "numeric"},
    "iso": {**kafka.schemas(True), "time_precision_mode": "isostring", "decimal_handling_mode": "string", "interval_handling_mode": "string",
            "binary_handling_mode": "hex"},
    "flat": {**kafka.schemas(False), **UNWRAP, "time_precision_mode": "adaptive", "decimal_handling_mode": "string",
             "interval_handling_mode": "numeric"},
    # What only the connector knows: procd is told.
    "told": {**kafka.schemas(False), "time_precision_mode": "connect", "decimal_handling_mode": "string", "interval_handling_mode": "string",
             "binary_handling_mode": "base64-url-safe", "unavailable_value_placeholder": "not sent"},
    "micros": {**kafka.schemas(True), "time_precision_mode": "microseconds", "decimal_handling_mode": "precise",
               "interval_handling_mode": "string", "binary_handling_mode": "base64"},
    "nanos": {**kafka.schemas(False), "time_precision_mode": "nanoseconds", "decimal_handling_mode": "double",
              "interval_handling_mode": "string", "column_exclude_list": "operations.kitchen_sink.ts"},  # years past 2262 end Debezium's task
}
TELL = {"told": {"source.time_precision": "connect", "source.unavailable_value": "not sent"}, "nanos": {"source.time_precision": "nanoseconds"}}
LATER = {"iso", "micros", "nanos"}  # modes that the older version does not have
TYPES = """
CREATE TABLE operations.kitchen_sink (id int PRIMARY KEY, s smallint, b bigint, n numeric, n2 numeric(12,3), r real, d double precision,
    bo boolean, t text, vc varchar(10), c char(5), by bytea, da date, ti time(3), tiz timetz, ts timestamp, ts0 timestamp(0),
    tsz timestamptz, iv interval, u uuid, j jsonb, arr int[], ta text[], m money, inet inet, bits bit(3), big text, e numeric(30,0), v varbit);
CREATE TABLE operations.scratch (k text PRIMARY KEY, v int);
"""
ROWS = r"""
INSERT INTO operations.kitchen_sink VALUES (1, 1, 9007199254740993, 123.4500, 1.5, 1.5, 0.1, true,
    'héllo "q" \ / ' || chr(10) || chr(9) || chr(1) || ' 😀', 'abc', 'ab', '\x00ff10', '2024-02-29', '12:34:56.789', '12:34:56+02',
    '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56', '2024-02-29 12:34:56.789012+00', '1 year 2 mons 3 days 04:05:06.7',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a":[1,2,{"b":null}]}', '{1,2,NULL}', '{"x","y,z"}', '12.34', '10.0.0.1/8', B'101',
    repeat(md5('x'), 500), 123456789012345678901234567890);
INSERT INTO operations.kitchen_sink (id) VALUES (2);
INSERT INTO operations.kitchen_sink (id, n, r, d, da, ts, tsz) VALUES (3, 'NaN', 'Infinity', 'NaN', 'infinity', '-infinity', 'infinity');
INSERT INTO operations.kitchen_sink (id, da, ts, n, n2, b, s)
    VALUES (4, '0044-03-15 BC', '0044-03-15 12:00 BC', -0.000000000000000000001, -999999999.999, -9223372036854775808, -32768);
INSERT INTO operations.kitchen_sink (id, big) VALUES (5, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i));
INSERT INTO operations.kitchen_sink (id, n, n2) VALUES (7, 'NaN', 'NaN');
INSERT INTO operations.kitchen_sink (id, by, arr, ta, big, t, v) SELECT 8, decode(string_agg(md5(i::text), ''), 'hex'), array_agg(hashint4(i)),
    array_agg(md5(i::text)), string_agg(md5(i::text), ''), '__debezium_unavailable_value', B'00101' FROM generate_series(1, 600) i;
INSERT INTO operations.scratch VALUES ('a', 1), ('b', 2);
"""
CHANGES = """
UPDATE operations.kitchen_sink SET s = 7 WHERE id = 5;
UPDATE operations.kitchen_sink SET s = 8 WHERE id = 8;
UPDATE operations.kitchen_sink SET id = 9 WHERE id = 8;
UPDATE operations.kitchen_sink SET id = 6 WHERE id = 2;
DELETE FROM operations.kitchen_sink WHERE id = 3;
ALTER TABLE operations.customers ADD COLUMN vip boolean DEFAULT false;
UPDATE operations.customers SET vip = true WHERE customer_id = 1;
ALTER TABLE operations.customers DROP COLUMN vip;
UPDATE operations.customers SET customer_address = 'dropped' WHERE customer_id = 2;
UPDATE operations.orders SET delivery_date = NULL, status = 'PENDING' WHERE order_id = 14;
TRUNCATE operations.scratch;
INSERT INTO operations.scratch VALUES ('a', 3);
"""
MONTHS = "10303:05:06.7"  # a month as 365.25 / 12 days
# What the setting has lost for good: (column, id): what is there instead. The offset of a timetz and a varbit's leading zeros are
# lost in all of them.
NAN = {("n", 7): "", ("n2", 7): ""}
NO_BYTES = {("by", 9): ""}  # Debezium sends NULL for an unchanged value in the modes of base64
DOUBLE = {("n", 1): "123.45", ("e", 1): "123456789012345680000000000000", ("n", 4): "-0.0000000000000000000010"}
LOST = {
    "ref": {**DOUBLE, ("ts", 1): "2024-02-29 12:34:56.789", ("iv", 1): MONTHS},
    "bare": {**NAN, ("n", 1): "123.45", ("iv", 1): MONTHS}, "micro": {("iv", 1): MONTHS}, "iso": {}, "flat": {("iv", 1): MONTHS},
    "told": {**NO_BYTES, ("ts", 1): "2024-02-29 12:34:56.789"}, "micros": {**NAN, **NO_BYTES, ("n", 1): "123.45"},
    "nanos": {**DOUBLE, **{("ts", i): "" for i in (1, 3, 4)}},
}
# And the columns of which procd says so, by a word of it.
DOUBLES = {("n", "double"), ("e", "double"), ("unity_price", "double")}
PRECISE = {("n", "trailing zeros"), ("n2", "may be NaN"), ("e", "may be NaN"), ("unity_price", "trailing zeros")}
TOLD = {
    "ref": {*DOUBLES, ("ts", "milliseconds"), ("iv", "month")}, "bare": {*PRECISE, ("iv", "month")}, "micro": {("iv", "month")}, "iso": set(),
    "flat": {("iv", "month")}, "told": {("ts", "milliseconds")}, "micros": {*PRECISE, ("by", "unchanged")}, "nanos": DOUBLES,
}


def csv_rows(text):
    names, *rows = csv.reader(text.splitlines())
    return [dict(zip(names, r)) for r in rows]


def assert_table(pipe, source, table, key, change=lambda row: row, both=lambda row: row):
    """The table's declared columns; `change` makes of the source's row what the setting can carry, `both` makes rows comparable."""
    got = [both(r) for r in csv_rows(pipe.dump(f"operations.{table}"))]
    columns = ", ".join(f'"{c}"' for c in next(csv.reader([pipe.dump(f"operations.{table}").splitlines()[0]])))
    want = [both(change(r)) for r in csv_rows(source.csv(f"SELECT {columns} FROM operations.{table}"))]
    wrong = [(w, g) for w, g in zip(sorted(want, key=lambda r: r[key]), sorted(got, key=lambda r: r[key])) if w != g]
    assert len(got) == len(want), f"{table}: {len(want)} rows wanted, {len(got)} there"
    assert not wrong, f"{table}: {[{c: (w[c], g[c]) for c in w if w[c] != g[c]} for w, g in wrong[:5]]}"


def assert_losses(pipe, mode):
    """Exactly the columns that the setting can lose something of are named, each once."""
    lines = re.findall(r'column "(\w+)" of table [\w.]+ ((?:comes|has NULLs).*)', pipe.procd.text)
    want = {*TOLD[mode], ("tiz", "zone"), ("v", "leading zeros")}
    wrong = [line for line in lines if not any(line[0] == c and word in line[1] for c, word in want)]
    missing = [w for w in want if sum(w[0] == c and w[1] in text for c, text in lines) != 1]
    assert not wrong and not missing, f"too many {wrong}, not once {missing}"


@pytest.mark.parametrize("versions", ["latest", "older"], indirect=True)
def test_every_setting_of_debezium_folds_to_what_the_source_holds(versions, pipeline, source, debezium, prefix):
    modes = {m: v for m, v in MODES.items() if m not in LATER or versions.is_latest}
    acme.prepare(source)
    source.sql(TYPES)
    source.sql("ALTER TABLE operations.scratch REPLICA IDENTITY FULL")
    acme.fill(source, 80)
    for mode, settings in modes.items():
        debezium(versions, f"{prefix}_{mode}", provide_transaction_metadata=str(mode == "bare").lower(), **settings)
    for mode in modes:
        versions.connect.wait_runs(f"{prefix}_{mode}")
    until(lambda: source.one("SELECT count(*) FROM pg_replication_slots WHERE active AND database = current_database()") == len(modes), 60,
          "every connector streams", 0.1)
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    rng, conn = random.Random(seed), source.connect(autocommit=False)
    for statement in (ROWS + CHANGES).split(";\n"):
        if statement.strip():
            source.sql(statement)
    for _ in range(80):
        acme.transaction(conn, rng)
    conn.close()
    sent(source)
    plain = re.sub(r"CREATE MATERIALIZED VIEW all_.*;\n", "", SCHEMA)
    declared = plain.replace("-- Open orders by the day", TYPES + "-- Open orders by the day", 1)
    wrong = []
    for mode in modes:
        pipe = kafka_pipeline(pipeline, versions, f"{prefix}_{mode}", declared, transactions=mode == "bare", **TELL.get(mode, {}), **{"sink.url": "none"})
        pipe.once()
        for check in (lambda: assert_mode(pipe, source, mode), lambda: assert_losses(pipe, mode)):  # pylint: disable=cell-var-from-loop
            try:
                check()
            except AssertionError as e:
                wrong.append(f"{mode}: {e}")
    assert not wrong, "\n".join(wrong)


def assert_mode(pipe, source, mode):
    def numbers(r):  # doubles and precise decimals without a scale have no trailing zeros of the source's
        return {**r, "unity_price": plain_number(r["unity_price"])} if mode in ("ref", "bare", "micros", "nanos") else r

    def types(r):
        r["tiz"] = r["tiz"] and "10:34:56+00"
        r["v"] = r["v"].lstrip("0")
        return {**r, **{c: v for (c, i), v in LOST[mode].items() if r["id"] == str(i)}}
    assert pipe.status()["quarantine"] == 0, pipe.ctl("quarantine", "show").stdout[:2000]
    for table, key in KEYS.items():
        assert_table(pipe, source, table, key, both=numbers if table == "products" else lambda r: r)
    assert_table(pipe, source, "kitchen_sink", "id", types)
    if mode == "flat":  # that form has no truncate
        assert csv_rows(pipe.dump("operations.scratch")) == [{"k": "a", "v": "3"}, {"k": "b", "v": "2"}]
    else:
        assert_table(pipe, source, "scratch", "k")
    for view in acme.VIEWS:
        assert pipe.dump(view) == source.csv(acme.QUERIES[view]), view


# ---- faults ----

@contextlib.contextmanager
def evidence(stand, pipe, prefix):
    """Where the test fails and KAFKA_KEEP names a folder, the topics' records and the store are kept there."""
    try:
        yield
    except AssertionError:
        keep = os.environ.get("KAFKA_KEEP")
        if keep:
            pipe.procd.kill()
            stand.revive()
            shutil.copytree(pipe.folder, keep, dirs_exist_ok=True)
            shutil.copy(stand.connect.log, keep)
            for topic in stand.broker.topics():
                if topic.startswith(prefix):
                    with open(f"{keep}/{topic}.tsv", "wb") as f:
                        f.writelines(b"%d:%d\t%s\t%s\n" % (m.partition(), m.offset(), m.key() or b"", m.value() or b"-") for m in stand.broker.consume(topic))
        raise


def test_broker_connect_and_procd_killed_at_random_under_load(latest, pipeline, source, sink, debezium, prefix, folder):
    acme.prepare(source)
    acme.fill(source, 100)
    acme.add_kept(source)
    # Three partitions a table: only the transaction topic can tell what belongs together.
    debezium(latest, prefix, partitions=3)
    pipe = kafka_pipeline(pipeline, latest, prefix)
    pipe.start()
    assert_settles(pipe, source, "after the snapshot")
    assert_snapshot_is_over(latest, prefix)
    with evidence(latest, pipe, prefix):
        kill_under_load(latest, pipe, source, sink, prefix)
    pipe.stop()
    assert pipe.ctl("verify", timeout=120).stdout.startswith("same")
    assert_a_fresh_fold_is_the_same(pipe, folder)


def connect_is_silent(stand, source, prefix):
    """Whether nothing comes into the topics though every table was changed."""
    def ends():
        return {t: stand.broker.offsets(t) for t in stand.broker.topics() if t.startswith(f"{prefix}.")}
    before = ends()
    mark(source)
    time.sleep(20)
    return ends() == before


def assert_settles_after_kills(latest, pipe, source, prefix, note):
    """While the broker is away a task of Connect's may hang that has the slot, and its successor then fails for ever; or it sends no
    more for another reason, a transaction's END held back. Until Connect is started again: nobody but it can help that."""
    try:
        assert_settles(pipe, source, note, 120)
    except AssertionError:
        if connect_is_silent(latest, source, prefix):
            print(f"{note}: Connect stands in its own way and is started again")
            latest.connect.kill()
            latest.connect.start()
        assert_settles(pipe, source, note, 240)  # or a machine that is busy with something else


def kill_under_load(latest, pipe, source, sink, prefix):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    checker = snapshot_checker(sink)
    workers = [acme.load_worker(source, seed, 0.02), acme.mover(source, seed)]
    workers[1].rest = 0.05
    victims = [["broker", "connect", "procd"][i % 3] for i in range(KILLS)]
    rng.shuffle(victims)
    for i, victim in enumerate(victims):
        time.sleep(rng.uniform(0.2, 1.5))
        note = f"seed {seed}, kill {i} of {victims}"
        assert pipe.procd.running(), f"{note}: procd ended by itself:\n{pipe.procd.text}"
        if victim == "procd":
            pipe.procd.kill()
            time.sleep(rng.uniform(0.0, 0.5))
            pipe.start(ready=False)
        else:
            program = getattr(latest, victim)
            program.kill()
            time.sleep(rng.uniform(0.0, 1.0))
            program.start()
        checker.check()
        if i % 10 == 9:  # in a long run: does it still come to rest?
            for w in workers:
                w.pause()
            assert_settles_after_kills(latest, pipe, source, prefix, note)
            for w in workers:
                w.go_on()
    time.sleep(0.5)
    for w in workers:
        w.end()
    assert_settles_after_kills(latest, pipe, source, prefix, f"seed {seed}, after {victims}")
    checker.end()
    assert pipe.status()["quarantine"] == 0, pipe.ctl("quarantine", "show").stdout[:3000]


def assert_snapshot_is_over(stand, prefix):
    """Connect has noted that it is. Killed before, Debezium reads its initial snapshot anew, and of a row that was deleted in between
    it never tells."""
    def noted():
        found = stand.connect.ask("GET", f"/connectors/{prefix}/offsets")
        offsets = [o["offset"] for o in found["offsets"]] if found else []
        return offsets and all("snapshot" not in o or o["snapshot_completed"] for o in offsets)
    stand.connect.until(noted, 60, "Connect's note of the snapshot's end")


def test_without_the_transaction_topic_the_end_is_the_same(latest, pipeline, source, sink, debezium, prefix):
    acme.prepare(source, "DEFAULT")
    acme.fill(source, 60)
    debezium(latest, prefix, partitions=2, provide_transaction_metadata="false")
    pipe = kafka_pipeline(pipeline, latest, prefix, transactions=False)
    pipe.start()
    assert_settles(pipe, source, "after the snapshot")
    assert_snapshot_is_over(latest, prefix)
    worker = acme.load_worker(source, random.randrange(1 << 30), 0.01)
    time.sleep(1.5)
    latest.connect.kill()  # it sends some again
    time.sleep(0.5)
    latest.connect.start(wait=False)
    worker.end()
    assert_settles(pipe, source, "without transactions", 120)
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


# ---- snapshots on demand, and tables that change while they are read ----

ON_DEMAND = """
CREATE TABLE operations.signals (id text PRIMARY KEY DEFAULT gen_random_uuid()::text, type text, data text);
CREATE TABLE operations.scratch (k text PRIMARY KEY, v int);
CREATE UNIQUE INDEX scratch_key ON operations.scratch (k);
ALTER TABLE operations.scratch REPLICA IDENTITY USING INDEX scratch_key;
"""
SCRATCH = "CREATE TABLE operations.scratch (k text PRIMARY KEY, v int);\nCREATE MATERIALIZED VIEW all_scratch AS SELECT * FROM operations.scratch;\n"


def ask_for_snapshot(source, kind, *tables):
    source.sql("INSERT INTO operations.signals (type, data) VALUES ('execute-snapshot', %s)",
               json.dumps({"type": kind, "data-collections": [f"operations.{t}" for t in tables]}))


def snapshot_rows(stand, prefix, table):
    """Rows read by snapshots, also those that were asked for, as the topic has them."""
    topic = f"{prefix}.operations.{table}"
    records = stand.broker.consume(topic) if topic in stand.broker.topics() else []
    return sum(json.loads(m.value())["op"] == "r" for m in records if m.value())


def refill(source, n):
    """All in one transaction: the sink never shows the table empty."""
    with source.connect(autocommit=False) as conn, conn.cursor() as cur:
        cur.execute("TRUNCATE operations.scratch")
        cur.execute("INSERT INTO operations.scratch SELECT 'k' || i, %s FROM generate_series(1, 10) i", [n])
        cur.execute("UPDATE operations.scratch SET v = v + 1 WHERE k = 'k1'")
        cur.execute("UPDATE operations.scratch SET k = 'moved' WHERE k = 'k2'")


def assert_snapshots_are_read(stand, source, prefix, pipe, kind, tables):
    before = {t: snapshot_rows(stand, prefix, t) for t in tables}
    ask_for_snapshot(source, kind, *tables)
    for n in range(4):
        refill(source, n)
        time.sleep(0.2)

    def unread():
        return [t for t in tables if snapshot_rows(stand, prefix, t) <= before[t]]
    try:
        until(lambda: not unread(), 15, f"a snapshot ({kind}) of {tables}", 0.3)
    except AssertionError:  # of a window in which every row was changed meanwhile Debezium sends none
        ask_for_snapshot(source, kind, *unread())
        stand.connect.until(lambda: not unread(), 60, f"a snapshot ({kind}) of {tables}")
    assert pipe.procd.running(), pipe.procd.text


@pytest.mark.parametrize("versions, whole", [("latest", True), ("older", False)], indirect=["versions"])
def test_snapshots_on_demand_and_ddl_under_load(versions, whole, pipeline, source, debezium, prefix):
    acme.prepare(source)
    source.sql(ON_DEMAND)
    acme.fill(source, 150)
    debezium(versions, prefix, provide_transaction_metadata=str(whole).lower(), signal_data_collection="operations.signals",
             incremental_snapshot_chunk_size=20, heartbeat_interval_ms=100, **kafka.schemas(False))
    pipe = kafka_pipeline(pipeline, versions, prefix, SCHEMA + SCRATCH, transactions=whole)
    pipe.start()
    assert_settles(pipe, source, "after the snapshot")
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    worker = acme.load_worker(source, seed, 0.02)
    with evidence(versions, pipe, prefix):
        assert_snapshots_are_read(versions, source, prefix, pipe, "incremental", ["orders", "order_items", "scratch"])
    source.sql("ALTER TABLE operations.orders ADD COLUMN note text DEFAULT 'x'; ALTER TABLE operations.customers ADD COLUMN vip boolean")
    assert_snapshots_are_read(versions, source, prefix, pipe, "blocking", ["customers", "orders"])
    source.sql("ALTER TABLE operations.orders DROP COLUMN note; ALTER TABLE operations.customers DROP COLUMN vip")
    refill(source, 9)
    time.sleep(0.5)
    worker.end()
    assert_settles(pipe, source, f"seed {seed}, after snapshots and DDL")
    until(lambda: pipe.sink.rows("SELECT * FROM all_scratch ORDER BY k") == source.rows("SELECT * FROM operations.scratch ORDER BY k"), 30, "scratch")
    assert pipe.status()["quarantine"] == 0, pipe.ctl("quarantine", "show").stdout[:3000]
    pipe.stop()
    assert pipe.ctl("verify").stdout.startswith("same")


# ---- topics come, grow and go (hand-made events, no Debezium) ----

ITEMS = """
CREATE TABLE shop.item (id int PRIMARY KEY, name text, price numeric(10,2), made timestamp(3), day date);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(price) AS price FROM shop.item;
"""


def record(i, price=1):
    return f'{{"id":{i}}}', event("c", after=row(i, f"item {i}", price))


@pytest.fixture
def shop(latest, pipeline, prefix):
    latest.revive()
    pipe = kafka_pipeline(pipeline, latest, prefix, ITEMS, transactions=False, **{"kafka.topic.metadata.refresh.interval.ms": "300"})
    return latest.broker, f"{prefix}.shop.item", pipe


def shows(pipe, n):
    def look():
        assert pipe.procd.running(), pipe.procd.text
        try:
            return pipe.sink.sql("SELECT n FROM total") == [(n,)]  # made a moment before it is filled
        except harness.psycopg2.errors.UndefinedTable:
            return False
    until(look, 30, f"the sink shows {n} items")


def test_a_topic_is_waited_for_and_new_partitions_are_read(shop):
    broker, topic, pipe = shop
    pipe.start(ready=False)
    pipe.procd.wait_line(rf'topic "{topic}" does not exist yet: waiting for it')
    broker.create(topic)
    pipe.procd.wait_line(rf'topic "{topic}" is there now')
    broker.produce(topic, [record(i) for i in range(10)])
    shows(pipe, 10)
    broker.grow(topic, 3)
    broker.produce(topic, [record(i) for i in range(10, 15)], partition=1)
    broker.produce(topic, [record(i) for i in range(15, 20)], partition=2)
    shows(pipe, 20)
    pipe.stop()
    broker.produce(topic, [record(i) for i in range(20, 25)], partition=2)
    pipe.once()
    assert pipe.sink.one("SELECT n FROM total") == 25


def price_of(n, price):
    """Item `n` is given another price, in a transaction of its own."""
    change = json.loads(event("u", after=row(n, f"item {n}", price), lsn=price * 100))
    change["source"].update(txId=price, sequence=f'["{price * 100 - 50}","{price * 100}"]', ts_ms=1700000000000 + price)
    return f'{{"id":{n}}}', json.dumps(change)


def fill_grown_topic(broker, topic, old, new):
    """Prices 1 to `old` of all items in one partition, then, in the two that were added, `new` more of them: the keys have moved."""
    broker.create(topic)
    broker.produce(topic, [price_of(n, price) for price in range(1, old + 1) for n in range(10)])
    broker.grow(topic, 3)
    for n in range(10):
        broker.produce(topic, [price_of(n, price) for price in range(old + 1, old + new + 1)], partition=1 + n % 2)


def test_rows_whose_keys_have_moved_to_an_added_partition_stay_in_order(shop):
    broker, topic, pipe = shop
    fill_grown_topic(broker, topic, 4000, 3)
    pipe.once()
    assert pipe.sink.one("SELECT price FROM total") == 4003 * 10
    assert pipe.ctl("verify").stdout.startswith("same")


def test_what_is_ahead_of_another_partition_waits_in_bounded_memory(shop):
    broker, topic, pipe = shop
    pipe.settings["kafka.queued.max.messages.kbytes"] = 256
    pipe.write_config()
    fill_grown_topic(broker, topic, 2000, 3000)
    for _ in range(3):  # killed while much is held back: what no commit has is read again
        pipe.start(ready=False)
        time.sleep(random.uniform(0.1, 0.6))
        pipe.procd.kill()
    pipe.start()
    until(lambda: pipe.sink.one("SELECT price FROM total") == 5000 * 10, 60, "the newest prices")
    broker.produce(topic, [price_of(n, 5001) for n in range(10)])  # nothing is behind: they need not wait
    until(lambda: pipe.sink.one("SELECT price FROM total") == 5001 * 10, 30, "the newest prices")
    until(lambda: pipe.status()["source_lag_bytes"] == 0, 30, "no lag")
    pipe.stop()


# ---- a table that is declared later (hand-made transactions) ----

EXTRA = """
CREATE TABLE shop.extra (id int PRIMARY KEY, name text, price numeric(10,2));
CREATE MATERIALIZED VIEW extra AS SELECT count(*) AS n, sum(price) AS price FROM shop.extra;
"""


def in_transaction(table, xid, order, i, price=1):
    """A row of transaction `xid`, whose places in the source are xid * 1000 and after."""
    record = json.loads(event("c", after=row(i, f"{table} {i}", price), lsn=xid * 1000 + order, table=table))
    record["source"].update(txId=xid, sequence=f'["{xid * 1000 - 900}","{xid * 1000 + order}"]', ts_ms=1700000000000 + xid)
    record["transaction"] = {"id": f"{xid}:{xid * 1000 + order}", "total_order": order, "data_collection_order": 1}
    return f'{{"id":{i}}}', json.dumps(record)


def marker(status, xid, **counts):
    collections = [{"data_collection": f"shop.{table}", "event_count": n} for table, n in counts.items()]
    return json.dumps({"status": status, "id": f"{xid}:{xid * 1000 + 99}", "event_count": sum(counts.values()) if counts else None,
                       "data_collections": collections or None, "ts_ms": 1700000000000 + xid})


def test_a_table_declared_later_gets_its_rows_of_transactions_that_were_committed_before(latest, pipeline, prefix):
    latest.revive()
    broker = latest.broker
    names = {t: f"{prefix}.shop.{t}" for t in ("item", "extra")}
    pipe = kafka_pipeline(pipeline, latest, prefix, ITEMS, **{"source.transaction_topic": f"{prefix}.transaction"})
    for topic in (*names.values(), f"{prefix}.transaction"):
        broker.create(topic)
    for xid in range(1, 11):
        broker.produce(f"{prefix}.transaction", [marker("BEGIN", xid), marker("END", xid, item=1, extra=1)])
        broker.produce(names["item"], [in_transaction("item", xid, 1, xid)])
    broker.produce(names["extra"], [in_transaction("extra", xid, 2, xid) for xid in range(1, 6)])
    pipe.once()
    assert pipe.sink.one("SELECT n FROM total") == 10
    pipe.set_schema(ITEMS + EXTRA)
    pipe.once("--replay-from", "0")
    assert pipe.sink.one("SELECT n FROM extra") == 5
    # Had that run ended half way, the next one would read the rest.
    broker.produce(names["extra"], [in_transaction("extra", xid, 2, xid) for xid in range(6, 11)])
    pipe.once()
    assert pipe.sink.one("SELECT n FROM extra") == 10
    # What is sent again is still a repetition where it was read before, and new transactions are whole.
    broker.produce(names["item"], [in_transaction("item", 3, 1, 3, price=7)])
    broker.produce(f"{prefix}.transaction", [marker("BEGIN", 11), marker("END", 11, item=1, extra=1)])
    broker.produce(names["item"], [in_transaction("item", 11, 1, 11)])
    broker.produce(names["extra"], [in_transaction("extra", 11, 2, 11)])
    pipe.once()
    assert pipe.sink.rows("SELECT total.n, total.price, extra.n FROM total, extra") == [("11", "11.00", "11")]
    assert not [name for name in re.findall(r"position +(\S+)", pipe.ctl("status").stdout) if name.endswith(".unread")]
    assert pipe.ctl("verify").stdout.startswith("same")


def test_a_topic_deleted_and_made_anew_while_procd_is_away_is_an_error(shop):
    broker, topic, pipe = shop
    broker.create(topic)
    broker.produce(topic, [record(i) for i in range(10)])
    pipe.once()
    broker.delete(topic)
    broker.create(topic)
    assert re.search(r"could not resume topic .* at offset 10: it ends at offset 0, 10 records are missing: the topic was deleted and made anew",
                     pipe.fails())
    broker.produce(topic, [record(i, 5) for i in range(30)])  # more than there was: the end alone does not tell
    assert re.search(r"could not resume topic .*deleted and made anew", pipe.fails())
    assert pipe.ctl("verify").stdout.startswith("same")


def test_a_topic_deleted_and_made_anew_while_procd_runs_is_an_error(shop):
    broker, topic, pipe = shop
    broker.create(topic)
    broker.produce(topic, [record(i) for i in range(10)])
    pipe.start()
    shows(pipe, 10)
    broker.delete(topic)
    broker.create(topic)
    broker.produce(topic, [record(i, 5) for i in range(3)])
    assert pipe.procd.exit(30) == 1, pipe.procd.text
    assert re.search(r"topic .*deleted and made anew", pipe.procd.text), pipe.procd.text


def test_records_that_the_broker_no_longer_has_are_counted_in_an_error(shop):
    broker, topic, pipe = shop
    broker.create(topic)
    broker.produce(topic, [record(i) for i in range(5)])
    pipe.once()
    broker.produce(topic, [record(i) for i in range(5, 12)])
    broker.configure(topic, retention_ms=1)
    until(lambda: broker.offsets(topic)[0][0] == 12, 30, "retention has deleted the records", 0.1)
    assert re.search(r"could not resume topic .* at offset 5: the broker has it from offset 12 on, so 7 records are missing", pipe.fails())


def test_the_broker_is_away_when_procd_starts(shop):
    broker, topic, pipe = shop
    broker.create(topic)
    broker.produce(topic, [record(i) for i in range(10)])
    broker.kill()
    pipe.once(code=75)
    pipe.start(ready=False)
    time.sleep(1.0)
    assert pipe.procd.running(), pipe.procd.text
    broker.start()
    shows(pipe, 10)
    pipe.stop()


def test_the_transaction_topic_is_not_for_a_store_that_was_read_without(shop, prefix):
    broker, topic, pipe = shop
    broker.create(topic)
    broker.produce(topic, [record(1)])
    pipe.once()
    pipe.settings["source.transaction_topic"] = f"{prefix}.transaction"
    pipe.write_config()
    assert f'could not resume topic "{topic}" partition 0 with source.transaction_topic: it was read without it' in pipe.fails("--once")
    del pipe.settings["source.transaction_topic"]
    pipe.write_config()
    broker.produce(topic, [record(2)])
    pipe.once()
    assert pipe.sink.one("SELECT n FROM total") == 2


def test_once_without_any_topic_is_an_error(shop):
    _, topic, pipe = shop
    pipe.once(code=1)
    assert f'there is none of the topics, neither "{topic}"' in pipe.procd.text


def test_values_that_are_no_events_are_quarantined_with_their_place(shop):
    broker, topic, pipe = shop
    broker.create(topic)
    broker.produce(topic, [record(1), (None, "no json"), ('{"id":2}', None), record(3), ('{"id":4}', '{"payload": 5}')])
    pipe.once()
    assert pipe.sink.one("SELECT n FROM total") == 2
    assert pipe.status()["quarantine"] == 2
    shown = pipe.ctl("quarantine", "show").stdout
    for offset in (1, 4):
        assert f"topic {topic} partition 0 offset {offset}" in shown


def test_past_quarantine_max_the_records_stay_with_kafka(shop):
    broker, topic, pipe = shop
    broker.create(topic)
    broker.produce(topic, [record(1), (None, "no json"), (None, "none either"), record(2)])
    pipe.settings["source.quarantine_max"] = 1
    pipe.write_config()
    for _ in range(2):
        said = pipe.fails("--once")
        assert "more than source.quarantine_max = 1" in said and f"topic {topic} partition 0 offset 2" in said
    assert pipe.status()["log_seq_next"] == 0
    pipe.settings["source.quarantine_max"] = 2
    pipe.write_config()
    pipe.once()
    assert pipe.sink.one("SELECT n FROM total") == 2 and pipe.status()["quarantine"] == 2


def placed(op, lsn, i, name=None, price=1, gone=False):
    """An event with its place in the source; a delete shows nothing of the old row, its key is the record's."""
    e = json.loads(event(op, after=None if gone else row(i, name, price), lsn=lsn))
    e["source"]["sequence"] = json.dumps([str(lsn - 1), str(lsn)])
    return f'{{"id":{i}}}', json.dumps(e)


def test_records_out_of_quarantine_are_as_if_they_had_decoded_at_first(shop, folder):
    broker, topic, pipe = shop
    broker.create(topic)
    too_much, far = 10 ** 12, 99999999999  # for numeric(10,2) and int
    repeated = [placed("u", 20, 1, "odd", too_much), placed("u", 30, 1, "good", 3)]
    broker.produce(topic, [
        placed("c", 10, 1, "first"), *repeated, *repeated,  # as Connect does after a restart
        placed("c", 40, 2, "odd, then deleted", too_much), placed("c", 50, far, "far"), placed("d", 60, far, gone=True), (f'{{"id":{far}}}', None),
        placed("c", 65, 4, "only odd", too_much), placed("c", 70, 3, "plain"), placed("d", 80, 2, gone=True), ('{"id":2}', None),
        placed("c", 90, far + 1, "stays"), (f'{{"id":{far + 2}}}', None)])
    schema = ITEMS + "CREATE MATERIALIZED VIEW items AS SELECT id, name, price FROM shop.item ORDER BY id;\n"
    pipe.set_schema(schema)
    pipe.once()
    assert pipe.status()["quarantine"] == 8, pipe.ctl("quarantine", "list").stdout
    fixed = schema.replace("id int", "id bigint").replace("numeric(10,2)", "numeric(20,2)")
    pipe.set_schema(fixed)
    (got,) = pipe.json("quarantine", "redrive")
    assert (got["decoded"], got["remain"]) == (8, 0), got
    pipe.once()
    assert pipe.dump("items").splitlines()[1:] == ["1,good,3.00", "3,plain,1.00", f"4,only odd,{too_much}.00", f"{far + 1},stays,1.00"]
    other = harness.Pipeline(folder, pipe.name + "_fresh", fixed, None, None,
                             {k: v for k, v in pipe.settings.items() if k.startswith(("source.", "kafka."))} | {"kafka.group.id": "fresh"})
    other.once()
    assert pipe.status()["quarantine"] == 0
    assert {k: v for k, v in pipe.digest().items() if k != "all"} == {k: v for k, v in other.digest().items() if k != "all"}
    assert pipe.sink.one("SELECT n FROM total") == 4
    assert pipe.ctl("verify").stdout.startswith("same")


@pytest.mark.parametrize("version", [kafka.LATEST[0], kafka.OLDER[0]])
def test_tls_and_sasl(version, latest, pipeline, prefix, folder):  # pylint: disable=unused-argument
    broker = kafka.Broker(folder / "secure", version, password="open-sesame")
    topic = f"{prefix}.shop.item"
    broker.create(topic)
    broker.produce(topic, [record(i) for i in range(10)])
    tls = {"kafka.ssl.ca.location": broker.certificate}
    sasl = {"source.url": f"kafka://127.0.0.1:{broker.secure_port}", "kafka.security.protocol": "SASL_SSL", "kafka.sasl.username": "logfold"}
    mutual = {"source.url": f"kafka://127.0.0.1:{broker.mutual_port}", "kafka.security.protocol": "SSL"}
    own = {"kafka.ssl.certificate.location": broker.certificate, "kafka.ssl.key.location": broker.folder / "key.pem"}

    def pipe(**settings):
        return kafka_pipeline(pipeline, types.SimpleNamespace(broker=broker), prefix, ITEMS, transactions=False, **{"sink.url": "none"}, **settings)

    def reads_all(pipe):
        pipe.once()
        assert csv_rows(pipe.dump("total"))[0]["n"] == "10"
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        too_old = mechanism != "PLAIN" and version == kafka.LATEST[0] and kafka.confluent_kafka.libversion()[1] < 0x020601ff
        by = {**tls, **sasl, "kafka.sasl.mechanism": mechanism}
        good = pipe(**by, **{"kafka.sasl.password": "open-sesame"})
        if too_old:
            assert re.search(r"could not connect to Kafka: .*librdkafka before 2.6.1 .* cannot authenticate by SCRAM to Kafka 4", good.fails())
        else:
            reads_all(good)
        text = pipe(**by, **{"kafka.sasl.password": "wrong-one"}).fails()
        assert re.search(r"could not connect to Kafka: .*[Aa]uthentication failed", text), text
        for said in (good.procd.text, text):
            assert "open-sesame" not in said and "wrong-one" not in said
    reads_all(pipe(**tls, **own, **mutual))
    text = pipe(**tls, **mutual).fails()  # a client without a certificate
    assert re.search(r"could not connect to Kafka: .*certificate", text), text
    other = folder / "other"
    other.mkdir()
    text = pipe(**own, **mutual, **{"kafka.ssl.ca.location": kafka.certificate(other)}).fails()
    assert re.search(r"could not connect to Kafka: .*certificate verify failed", text), text
    broker.kill()
