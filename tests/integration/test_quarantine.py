"""The quarantine: how much it may hold, and how what is in it comes out again."""
import json
import re

import pytest

import harness
from harness import until

ITEM = """
CREATE TABLE shop.item (id int PRIMARY KEY, name text, price numeric(10,2));
CREATE MATERIALIZED VIEW items AS SELECT id, name, price FROM shop.item ORDER BY id;
"""


def event(op, before=None, after=None, table="item"):
    return json.dumps({"before": before, "after": after, "op": op, "source": {"schema": "shop", "table": table, "ts_ms": 1700000000000}})


def good(i, price="1.00"):
    return event("c", after={"id": i, "name": f"n{i}", "price": price})


def bad(i):
    return event("c", after={"id": i, "name": f"n{i}", "price": f"{i}x"})


def write(path, lines, mode="w"):
    with open(path, mode, encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in lines))


@pytest.fixture
def path(folder):
    return folder / "events.ndjson"


def make(folder, path, schema=ITEM, sink=None, name="quarantine", **settings):
    return harness.Pipeline(folder, name, schema, f"file:{path}", sink, settings)


def ids(pipe):
    return [int(line.split(",")[0]) for line in pipe.dump("items").splitlines()[1:]]


# ---- quarantine_max ----

def test_one_entry_too_many_stops_procd_before_it_is_in_the_log(folder, path, sink):
    pipe = make(folder, path, sink=sink, **{"source.quarantine_max": 3})
    write(path, [good(1), bad(2), bad(3), bad(4)])
    pipe.once()
    assert pipe.status()["quarantine"] == 3
    write(path, [good(5)], "a")
    pipe.once()  # at the limit good events still come
    assert ids(pipe) == [1, 5]
    write(path, [good(6), bad(7), good(8)], "a")
    seq = pipe.status()["log_seq_next"]
    for _ in range(3):  # as a supervisor would
        said = pipe.fails("--once")
        assert re.search(r"would hold 4 entries, more than source.quarantine_max = 3", said), said
        assert f"file {path} offset" in said and '"7x"' in said and "statectl quarantine redrive" in said and "raise source.quarantine_max" in said
        assert pipe.status()["quarantine"] == 3 and pipe.status()["log_seq_next"] == seq
    pipe.settings["source.quarantine_max"] = 4
    pipe.write_config()
    pipe.once()
    assert ids(pipe) == [1, 5, 6, 8] and pipe.status()["quarantine"] == 4
    assert sink.sql("SELECT id FROM items ORDER BY id") == [(1,), (5,), (6,), (8,)]
    assert pipe.ctl("verify").stdout.startswith("same")


def test_what_was_whole_before_the_limit_is_kept_and_shown(folder, path, sink):
    pipe = make(folder, path, sink=sink, **{"source.quarantine_max": 0})
    write(path, [good(i) for i in range(12000)] + [bad(1)])  # a commit is at most 10,000 lines
    said = pipe.fails()
    assert "would hold 1 entries, more than source.quarantine_max = 0" in said
    assert ids(pipe) == list(range(10000)) and pipe.status()["quarantine"] == 0
    assert sink.one("SELECT count(*) FROM items") == 10000
    write(path, [good(i) for i in range(12000)])  # the producer is put right
    pipe.once()
    assert sink.one("SELECT count(*) FROM items") == 12000


def test_a_running_procd_stops_at_the_limit(folder, path):
    pipe = make(folder, path, **{"source.quarantine_max": 2})
    write(path, [good(1), bad(2)])
    pipe.start()
    until(lambda: pipe.status()["quarantine"] == 1, 20, "the first entry")
    assert pipe.procd.running()
    write(path, [bad(3), bad(4)], "a")
    assert pipe.procd.exit(20) == 1
    assert "quarantine_max" in pipe.procd.text.splitlines()[-1]


def test_a_share_is_of_all_events_of_the_store_with_a_floor(folder, path):
    pipe = make(folder, path, **{"source.quarantine_max": "0.1%"})
    write(path, [bad(i) for i in range(10)])
    pipe.once()  # 10 of 10 is within 0.1 % of 10,000
    write(path, [bad(99)], "a")
    assert re.search(r"would hold 11 entries, more than source.quarantine_max = 10 \(0.1% of all events\)", pipe.fails("--once"))
    write(path, [bad(i) for i in range(10)] + [good(i) for i in range(20000)])
    pipe.once()
    write(path, [bad(i) for i in range(10)], "a")
    pipe.once()  # the events of earlier runs count
    assert pipe.status()["quarantine"] == 20
    pipe.once("--replay-from", "0")
    write(path, [bad(99)], "a")
    assert "more than source.quarantine_max = 20 (" in pipe.fails("--once")


def test_changes_that_could_not_be_applied_count_as_well(folder, path):
    pipe = make(folder, path, **{"source.quarantine_max": 2})
    write(path, [event("d", before={"id": i}) for i in range(3)])
    said = pipe.fails()
    assert "would hold 3 entries" in said and "the row is not known" in said
    write(path, [good(1)], "a")
    seq = pipe.status()["log_seq_next"]
    assert "would hold 3 entries" in pipe.fails()
    assert pipe.status()["log_seq_next"] == seq
    pipe.settings["source.quarantine_max"] = "none"
    pipe.write_config()
    pipe.once()
    assert ids(pipe) == [1]


@pytest.mark.parametrize("value", ["many", "-1", "1.5", "0%", "101%", "5 kB", ""])
def test_a_limit_that_is_none_is_refused(folder, path, value):
    pipe = make(folder, path)
    assert "source.quarantine_max" in pipe.fails("--set", f"source.quarantine_max={value}", code=64)
