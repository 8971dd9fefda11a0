"""Debezium events as lines of a file or of standard input."""
import csv
import decimal
import json
import os
import re
import subprocess

import pytest

import harness
from harness import spawn, until

SCHEMA = """
CREATE TABLE shop.item (id int PRIMARY KEY, name text, price numeric(10,2), made timestamp(3), day date) WITH (topic = 'x.shop.item');
CREATE MATERIALIZED VIEW items AS SELECT id, name, price, made, day FROM shop.item ORDER BY id;
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(price) AS price FROM shop.item;
"""


def event(op, before=None, after=None, lsn=None, wrap=False, table="item"):
    payload = {"before": before, "after": after, "op": op, "ts_ms": 1700000000000,
               "source": {"version": "3.3.1.Final", "connector": "postgresql", "name": "x", "ts_ms": 1700000000000, "snapshot": "false", "db": "d",
                          "schema": "shop", "table": table, "txId": 7, "lsn": lsn, "sequence": None}}
    if not wrap:
        return json.dumps(payload)
    fields = [{"type": "int32", "optional": False, "field": "id"}, {"type": "string", "optional": True, "field": "name"},
              {"type": "double", "optional": True, "field": "price"},
              {"type": "int64", "optional": True, "name": "org.apache.kafka.connect.data.Timestamp", "version": 1, "field": "made"},
              {"type": "int32", "optional": True, "name": "org.apache.kafka.connect.data.Date", "version": 1, "field": "day"}]
    row = {"type": "struct", "fields": fields, "optional": True}
    return json.dumps({"schema": {"type": "struct", "fields": [{**row, "field": "before"}, {**row, "field": "after"}], "optional": False}, "payload": payload})


def row(i, name=None, price=1.5, **more):
    return {"id": i, "name": name, "price": price, "made": 1700000000123, "day": 19782, **more}


def shown(pipe):
    return [tuple(r) for r in (line.split(",") for line in pipe.dump("items").splitlines()[1:])]


def make(folder, sink=None, source="none", schema=SCHEMA):
    return harness.Pipeline(folder, "file_source", schema, source, sink)


LINES = [event("r", after=row(1, "snapshot")), event("c", after=row(2, "two")), event("c", after=row(3, "drei ä😀", 2.25)),
         event("u", before=row(2, "two"), after=row(2, "TWO", 7)), event("d", before=row(1)), event("u", after=row(3, None, 10))]
WANT = [("2", "TWO", "7.00", "2023-11-14 22:13:20.123", "2024-02-29"), ("3", "", "10.00", "2023-11-14 22:13:20.123", "2024-02-29")]


@pytest.mark.parametrize("wrap", [False, True])
def test_a_file_is_folded_and_continued_where_it_ended(folder, sink, wrap):
    path = folder / "events.ndjson"
    lines = [event(**{**kw, "wrap": wrap}) for kw in
             [dict(op="r", after=row(1, "snapshot")), dict(op="c", after=row(2, "two")), dict(op="c", after=row(3, "drei", 2.25)),
              dict(op="u", before=row(2, "two"), after=row(2, "TWO", 7)), dict(op="d", before=row(1)), dict(op="u", after=row(3, None, 10))]]
    pipe = make(folder, sink, f"file:{path}")
    for cut in (1, 3, 6):
        path.write_text("".join(x + "\n" for x in lines[:cut]))
        pipe.once()
    assert shown(pipe) == WANT
    assert sink.sql("SELECT n, price::text FROM total") == [(2, "17.00")]
    seq = pipe.status()["log_seq_next"]
    pipe.once()
    assert pipe.status()["log_seq_next"] == seq  # nothing twice
    pipe.once("--replay-from", "0")
    assert shown(pipe) == WANT
    assert pipe.ctl("verify").stdout.startswith("same")


def test_standard_input_in_a_pipe(folder, sink):
    pipe = make(folder, sink)
    path = folder / "events.ndjson"
    path.write_text("".join(x + "\n" for x in LINES))
    cat = spawn(["cat", path], stdout=subprocess.PIPE)
    pipe.once("--source", "-", stdin=cat.stdout)
    assert shown(pipe) == WANT
    assert sink.one("SELECT n FROM total") == 2


def test_a_growing_file_is_followed(folder, sink):
    path = folder / "events.ndjson"
    path.write_text(LINES[0] + "\n")
    pipe = make(folder, sink, f"file:{path}")
    pipe.start()
    with open(path, "a", encoding="utf-8") as f:
        for x in LINES[1:]:
            f.write(x[:40])  # half a line is no line yet
            f.flush()
            until(lambda: pipe.procd.running(), step=0.05)
            f.write(x[40:] + "\n")
            f.flush()
    until(lambda: sink.sql("SELECT n, price::text FROM total") == [(2, "17.00")], 20, "the sink shows the file's end")
    pipe.procd.kill()
    with open(path, "a", encoding="utf-8") as f:
        f.write(event("c", after=row(4, "four", 3)) + "\n")
    pipe.start()
    until(lambda: sink.sql("SELECT n, price::text FROM total") == [(3, "20.00")], 20, "the sink shows what came while procd was away")
    pipe.stop()
    assert pipe.status()["quarantine"] == 0


def test_a_last_line_without_a_newline_counts_at_the_end_of_a_pipe(folder, sink):
    pipe = make(folder, sink)
    read, write = os.pipe()
    os.write(write, "\n".join(LINES).encode())
    os.close(write)
    pipe.once("--source", "-", stdin=read)
    os.close(read)
    assert shown(pipe) == WANT


BAD = [
    ("{", r"JSON|ended|end"), ("no json at all", r"."), ('{"payload": 5}', r"."), ("[1, 2, 3]", r"."),
    (event("z", after=row(9)), r"op"), (event("c", after={"id": "nine"}), r"id"), (event("c", after={"name": "no key"}), r"id"),
    (event("c", after=row(9, price="12x")), r"price"), (event("c", after=row(9, day="yesterday")), r"day"), (event("c", after=row(99999999999)), r"id"),
    (event("d"), r"."), ('{"before": null, "after": {"id": 9, "name": "\\ud800"}, "op": "c", "source": {"schema": "shop", "table": "item"}}', r"."),
    ("[" * 5000, r"."), ('{"op": "c", "after": {"id": 1e', r".")]


def test_bad_lines_are_set_aside_with_place_and_reason_and_the_rest_is_kept(folder, sink):
    path = folder / "events.ndjson"
    lines = [x for i, good in enumerate(LINES) for x in ([BAD[i][0], good])] + [b[0] for b in BAD[len(LINES):]]
    path.write_text("".join(x + "\n" for x in lines), encoding="utf-8")
    pipe = make(folder, sink, f"file:{path}")
    pipe.once()
    assert shown(pipe) == WANT
    entries = pipe.json("quarantine", "show")
    assert len(entries) == len(BAD) == pipe.status()["quarantine"], [e["reason"] for e in entries]
    text = path.read_bytes()
    for entry, (raw, reason) in zip(entries, BAD):
        assert entry["raw"] == raw
        assert re.search(reason, entry["reason"]), (raw[:80], entry["reason"])
        offset = int(re.findall(r"\d+", entry["origin"])[-1])
        assert text[offset:].startswith(raw.encode()), entry["origin"]  # the place is right
    assert len(pipe.ctl("quarantine", "list").stdout.splitlines()) == len(BAD)
    pipe.once("--replay-from", "0")
    assert pipe.status()["quarantine"] == len(BAD)
    assert pipe.ctl("verify").stdout.startswith("same")


def test_tombstones_and_empty_lines_are_no_trouble_and_other_tables_are_kept_aside(folder):
    path = folder / "events.ndjson"
    path.write_text("\n".join([LINES[0], "", "null", event("c", after={"k": 1}, table="unknown"), *LINES[1:], ""]) + "\n")
    pipe = make(folder, None, f"file:{path}")
    pipe.once()
    assert shown(pipe) == WANT
    (entry,) = pipe.json("quarantine", "list")
    assert "shop.unknown" in entry["reason"] and "not declared" in entry["reason"]


def test_truncate_repeated_and_key_changing_events(folder):
    path = folder / "events.ndjson"
    lines = LINES + LINES[3:]  # the last three once more
    lines += [event("d", before=row(2)), event("c", after=row(20, "TWO", 7))]  # a changed key
    lines += [event("t"), event("c", after=row(5, "five", 1)), event("c", after=row(5, "five", 1)), event("d", before=row(77))]
    path.write_text("\n".join(lines) + "\n")
    pipe = make(folder, None, f"file:{path}")
    pipe.once()
    assert [r[:3] for r in shown(pipe)] == [("5", "five", "1.00")]


def test_a_missing_file_is_named(folder):
    pipe = make(folder, None, f"file:{folder}/none.ndjson")
    pipe.procd = harness.Procd(["-c", pipe.config, "--once"])
    assert pipe.procd.exit() in (1, 75) and "none.ndjson" in pipe.procd.text


def test_a_file_that_became_shorter_is_noticed(folder):
    path = folder / "events.ndjson"
    path.write_text("\n".join(LINES) + "\n")
    pipe = make(folder, None, f"file:{path}")
    pipe.once()
    path.write_text(LINES[0] + "\n")
    assert str(path) in pipe.fails("--once")
    assert shown(pipe) == WANT


CAPTURES = harness.ROOT / "tests" / "data" / "captures"


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="no captures of Debezium in tests/data")
@pytest.mark.parametrize("mode", ["ref", "bare", "micro", "iso"])
def test_captures_of_debezium_end_as_the_source_did(folder, mode):
    """Every line in the order of its table's topic; what PostgreSQL held at the end is in truth/."""
    tables = ["customers", "products", "orders", "order_items"]
    acme = (harness.ROOT / "schemas" / "acme.sql").read_text()
    schema = acme[:acme.index("-- Open orders by the day")] + "".join(
        f"CREATE MATERIALIZED VIEW all_{t} AS SELECT * FROM operations.{t};\n" for t in tables)
    path = folder / "events.ndjson"
    with open(path, "wb") as out:
        for table in tables:
            data = subprocess.run(["zstd", "-dcq", CAPTURES / mode / f"{table}.tsv.zst"], capture_output=True, check=True).stdout
            for line in data.split(b"\n")[:-1]:
                offset, headers, key, length, value = line.split(b"\t", 4)
                if length != b"-1":
                    out.write(value + b"\n")
    pipe = harness.Pipeline(folder, "captures", schema, f"file:{path}")
    pipe.once()
    assert pipe.status()["quarantine"] == 0, pipe.ctl("quarantine", "show").stdout[:2000]
    for table in tables:
        truth = (CAPTURES / "truth" / f"{table}.csv").read_text().splitlines()
        got = pipe.dump(f"operations.{table}").splitlines()
        names = truth[0].split(",")
        shared = [names.index(c) for c in got[0].split(",")]  # the source got columns later that acme.sql does not declare
        want = sorted(tuple(r[i] for i in shared) for r in list(csv.reader(truth))[1:])
        have = sorted(tuple(r) for r in list(csv.reader(got))[1:])
        if mode in ("ref", "bare") and table == "products":  # doubles and precise decimals lose the scale
            number = got[0].split(",").index("unity_price")
            want, have = ([tuple(decimal.Decimal(v) if i == number else v for i, v in enumerate(r)) for r in x] for x in (want, have))
        assert have == want, table
        assert pipe.dump(f"all_{table}").splitlines()[0] == got[0]


def test_memory_is_given_back_when_nothing_is_left_to_do(folder):
    count = 300000
    lines = folder / "many.json"
    with open(lines, "w", encoding="utf-8") as f:
        for i in range(count):
            f.write(event("c", after=row(i, f"item {i} with a name of some length")) + "\n")
    pipe = make(folder, source=f"file:{lines}")
    procd = pipe.start()
    peak = [0]

    def all_read():
        peak.append(procd.rss_anon_kib())
        return f"\n{count}," in pipe.ctl("dump", "total", "--csv", code=None).stdout
    until(all_read, 60, "all lines are folded")
    peak = max(peak)
    print(f"peak {peak // 1024} MiB")
    if "-san-" not in harness.BUILD.name:  # the sanitizer keeps freed memory
        until(lambda: procd.rss_anon_kib() < peak * 3 // 4, 30, "memory is given back")
    with open(lines, "a", encoding="utf-8") as f:
        f.write(event("u", before=row(7), after=row(7, "seven", 7)) + "\n")
    until(lambda: ("7", "seven", "7.00", "2023-11-14 22:13:20.123", "2024-02-29") in shown(pipe), 30, "the next event is folded")
    assert pipe.dump("total").splitlines()[1] == f"{count},{(count - 1) * 1.5 + 7:.2f}"
    pipe.stop()
