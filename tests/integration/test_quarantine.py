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


# ---- redrive ----

BEFORE = """
CREATE TABLE shop.item (id int PRIMARY KEY, name text, price int);
CREATE MATERIALIZED VIEW items AS SELECT id, name, price FROM shop.item ORDER BY id;
"""
AFTER = """
CREATE TABLE shop.item (id int PRIMARY KEY, name text, price numeric);
CREATE TABLE shop.box (k int PRIMARY KEY, note text, size numeric);
CREATE MATERIALIZED VIEW items AS SELECT id, name, price FROM shop.item ORDER BY id;
CREATE MATERIALIZED VIEW boxes AS SELECT k, note, size FROM shop.box ORDER BY k;
CREATE MATERIALIZED VIEW both_of AS SELECT i.id, i.name, b.note FROM shop.item i JOIN shop.box b ON b.k = i.id;
"""


def item(op, i, name=None, price=1):
    row = {"id": i, "name": name, "price": price}
    return event(op, before=row) if op == "d" else event(op, after=row)


def box(op, k, note=None, size="1.0"):
    row = {"k": k, "note": note, "size": size}
    return event(op, before=row, table="box") if op == "d" else event(op, after=row, table="box")


# Updates in quarantine stand between good ones of the same row, deletes between an insert and its repetition.
STORY = [item("c", 1, "one"), item("u", 1, "one, dear", 12.5), item("c", 2, "two", 0.01), box("c", 1, "first"), item("u", 1, "one, again", 3),
         item("c", 3, "three", 0.5), box("c", 2, "second", "2.50"), item("u", 3, "THREE", 7), box("u", 1, "first, changed", "9"), item("d", 2),
         box("d", 2), item("c", 4, "four"), item("u", 4, "four, odd", 4.75), "no json at all", item("c", 5, "five", 5), item("u", 5, "five", 5.5),
         item("d", 5), box("c", 3, "third"), event("t", table="box"), box("c", 4, "fourth", "4")]


def redrive(pipe, *args):
    return pipe.json("quarantine", "redrive", *args)[0]


def truth(folder, lines, schema):
    """Digests of a store that has had the schema from the beginning."""
    number = len(list(folder.glob("truth*.ndjson")))
    path = folder / f"truth{number}.ndjson"
    write(path, lines)
    pipe = make(folder, path, schema, name=f"truth{number}")
    pipe.once()
    return pipe.digest()


def data(digest):
    return {name: value for name, value in digest.items() if name not in ("all", "quarantine")}


@pytest.mark.parametrize("cuts", [[len(STORY)], range(1, len(STORY) + 1)])
def test_what_is_redriven_is_as_if_it_had_decoded_at_first(folder, path, sink, cuts):
    pipe = make(folder, path, BEFORE, sink)
    for cut in cuts:  # one commit, or one a line
        write(path, STORY[:cut])
        pipe.once()
    in_quarantine = pipe.status()["quarantine"]
    # Without the rows that were not used, two changes may have had nothing to be applied to.
    entries = pipe.json("quarantine", "list")
    assert len(entries) == in_quarantine
    decoded = sum(not e["origin"].startswith("commit ") for e in entries)
    pipe.set_schema(AFTER)
    before = pipe.digest()
    want = {"decoded": decoded - 1, "remain": 1, "redriven_before": 0, "not_applied": in_quarantine - decoded}
    dry = redrive(pipe, "--dry-run")
    assert {k: dry[k] for k in want} == want and dry["dry_run"]
    assert len(dry["reasons"]) == 1 and dry["reasons"][0]["count"] == 1
    assert not (pipe.store / "log" / "redriven").exists() and pipe.status()["quarantine"] == in_quarantine
    got = redrive(pipe)
    assert {k: got[k] for k in want} == want and not got["dry_run"]
    assert pipe.digest() == before  # not folded yet, but no longer counted
    assert pipe.status()["quarantine"] == 1 + in_quarantine - decoded
    assert "redriven" in pipe.ctl("verify", code=2).stderr
    said = pipe.once().text
    assert "the quarantine was redriven: rebuilding the state from the log" in said
    want = truth(folder, STORY, AFTER)
    assert data(pipe.digest()) == data(want)
    (left,) = pipe.json("quarantine", "show")
    assert left["raw"] == "no json at all" and pipe.status()["quarantine"] == 1
    assert sink.sql("SELECT * FROM boxes ORDER BY 1") == [(4, "fourth", 4)]
    assert [r[:2] for r in sink.sql("SELECT * FROM items ORDER BY 1")] == [(1, "one, again"), (3, "THREE"), (4, "four, odd")]
    assert pipe.ctl("verify").stdout.startswith("same")
    assert pipe.ctl("log", "verify").stdout.startswith("ok")
    digest = pipe.digest()
    for args in ([], ["--replay-from", "0"]):
        assert "rebuilding" not in pipe.once(*args).text
        assert pipe.digest() == digest
    more = [item("u", 4, "four, later", 4.25), box("u", 4, "fourth, later", "5"), item("c", 6, "six", 6)]
    write(path, more, "a")
    pipe.once()
    assert data(pipe.digest()) == data(truth(folder, STORY + more, AFTER))
    assert pipe.ctl("verify").stdout.startswith("same")


def test_two_redrives_one_after_the_other_and_one_with_nothing_to_do(folder, path):
    types = BEFORE.replace("price int", "price numeric")
    pipe = make(folder, path, BEFORE)
    for cut in range(1, len(STORY) + 1):
        write(path, STORY[:cut])
        pipe.once()
    assert redrive(pipe)["decoded"] == 0 and not (pipe.store / "log" / "redriven").exists()
    pipe.set_schema(types)
    first = redrive(pipe)
    assert first["decoded"] > 0 and first["remain"] > 1
    assert redrive(pipe)["decoded"] == 0  # before procd has folded it
    pipe.once()
    assert data(pipe.digest()) == data(truth(folder, STORY, types))
    pipe.set_schema(AFTER)
    second = redrive(pipe)
    assert second["redriven_before"] == first["decoded"] and second["remain"] == 1
    pipe.once()
    assert data(pipe.digest()) == data(truth(folder, STORY, AFTER))
    assert pipe.ctl("verify").stdout.startswith("same")
    file = (pipe.store / "log" / "redriven").read_bytes()
    third = redrive(pipe)
    assert (third["decoded"], third["remain"]) == (0, 1) and (pipe.store / "log" / "redriven").read_bytes() == file
    assert "rebuilding" not in pipe.once().text
    # Both in one go fold to the same.
    (pipe.store / "log" / "redriven").unlink()
    assert redrive(pipe)["decoded"] == first["decoded"] + second["decoded"]
    digest = pipe.digest()
    pipe.once()
    assert pipe.digest() == digest


def test_the_connector_s_settings_count_in_a_redrive_as_well(folder, path):
    wrong = "CREATE TABLE shop.t (id int PRIMARY KEY, at timestamp(3), v int); CREATE MATERIALIZED VIEW ts AS SELECT id, at, v FROM shop.t ORDER BY id;"
    settings = {"source.time_precision": "microseconds", "source.unavailable_value": "not sent"}
    pipe = make(folder, path, wrong, **settings)
    at = 1709210096789000
    write(path, [event("c", after={"id": 1, "at": at, "v": 1}, table="t"),
                 event("c", after={"id": 2, "at": at, "v": 10 ** 12}, table="t"),
                 event("u", after={"id": 1, "at": "not sent", "v": 10 ** 12}, table="t")])
    pipe.once()
    assert pipe.status()["quarantine"] == 2
    pipe.set_schema(wrong.replace("v int", "v bigint"))
    assert redrive(pipe)["decoded"] == 2
    pipe.once()
    assert pipe.dump("ts").splitlines()[1:] == [f"{i},2024-02-29 12:34:56.789,{10 ** 12}" for i in (1, 2)]


def test_a_row_that_was_redriven_can_fail_to_be_applied_and_counts_then(folder, path):
    pipe = make(folder, path, BEFORE)
    write(path, [box("d", 7), box("c", 1)])
    pipe.once()
    pipe.set_schema(AFTER)
    assert redrive(pipe)["decoded"] == 2
    pipe.once()
    (entry,) = pipe.json("quarantine", "list")
    assert "the row is not known" in entry["reason"] and pipe.status()["quarantine"] == 1
    assert redrive(pipe)["not_applied"] == 1


@pytest.mark.parametrize("one_by_one", [False, True])
def test_columns_that_redriven_rows_lack_are_told_as_at_first(folder, path, one_by_one):
    """A view of a column that is not sent any more is in error until a row has it again."""
    def short(op, i):
        return event(op, after={"id": i, "name": "short"})
    schema = BEFORE.replace("id int", "id numeric")
    for number, lines in enumerate([
            [item("c", 1), short("c", 0.5), item("c", 2)],  # back by a row under a journal entry of the log
            [item("c", 1), short("c", 0.5), short("c", 3), item("c", 2)],
            [item("c", 1), short("c", 0.5)],  # never back
            [item("c", 1), short("c", 0.5), short("c", 3)],
            [short("c", 1), item("c", 0.5), short("c", 4)],
            [short("c", 1), event("d", before={"id": 0.5})]]):  # a delete shows nothing of columns
        inner = folder / str(number)
        inner.mkdir()
        write(path, lines)
        pipe = make(inner, path, BEFORE)
        for cut in range(1 if one_by_one else len(lines), len(lines) + 1):
            write(path, lines[:cut])
            pipe.once()
        pipe.set_schema(schema)
        assert redrive(pipe)["decoded"] == 1
        pipe.once()
        write(inner / "truth.ndjson", lines)
        other = make(inner, inner / "truth.ndjson", schema, name="truth")
        other.once()
        assert pipe.ctl("views", "--json").stdout == other.ctl("views", "--json").stdout, lines
        dumps = [p.ctl("dump", "items", code=None) for p in (pipe, other)]
        assert dumps[0].stdout == dumps[1].stdout and dumps[0].stderr == dumps[1].stderr, lines
        assert pipe.ctl("verify").stdout.startswith("same")
        pipe.once()
        assert pipe.ctl("verify").stdout.startswith("same")


def test_redrive_wants_procd_stopped_and_the_schema_files(folder, path):
    pipe = make(folder, path, BEFORE)
    write(path, STORY)
    pipe.start()
    until(lambda: pipe.status()["quarantine"] > 0, 20, "the entries")
    assert "stop procd first" in pipe.ctl("quarantine", "redrive", code=2).stderr
    pipe.wait_checkpoint()
    assert redrive(pipe, "--dry-run", "--schema", _write(folder / "after.sql", AFTER))["decoded"] > 0
    pipe.stop()
    done = harness.run([harness.STATECTL, "--store", pipe.store, "quarantine", "redrive"], 20)
    assert done.returncode == 64 and "--schema" in done.stderr
    assert pipe.ctl("quarantine", "redrive", "--schema", "none.sql", code=2).stderr


def _write(path, text):
    path.write_text(text)
    return path


def test_a_crash_in_the_replay_after_a_redrive_ends_in_the_same_state(folder, path):
    pipe = make(folder, path, BEFORE)
    write(path, STORY + [item("c", i, "many") for i in range(100, 60000)])
    pipe.once()
    pipe.set_schema(AFTER)
    redrive(pipe)
    (pipe.store / "log" / "redriven.tmp").write_bytes(b"LFREDRIV and then a crash")  # of an earlier one
    for _ in range(3):
        pipe.start(ready=False)
        until(lambda: "rebuilding" in pipe.procd.text, 20, "the replay has begun", 0.001)
        pipe.procd.kill()
    pipe.once()
    assert data(pipe.digest()) == data(truth(folder, STORY + [item("c", i, "many") for i in range(100, 60000)], AFTER))
    assert pipe.ctl("verify").stdout.startswith("same")


def test_a_damaged_or_lost_file_says_what_to_do(folder, path):
    pipe = make(folder, path, BEFORE)
    write(path, STORY)
    pipe.once()
    pipe.set_schema(AFTER)
    redrive(pipe)
    pipe.once()
    digest = pipe.digest()
    count = pipe.status()["quarantine"]
    file = pipe.store / "log" / "redriven"
    good_bytes = file.read_bytes()
    for damage in (good_bytes[:-1], good_bytes[:40] + b"?" + good_bytes[41:], b"", good_bytes + b"\0"):
        file.write_bytes(damage)
        said = pipe.fails("--once")
        assert str(file) in said and "--replay-from 0" in said and "redrive" in said
        assert str(file) in pipe.ctl("log", "verify", code=1).stderr
        assert str(file) in pipe.ctl("verify", code=1).stderr
        assert str(file) in pipe.ctl("quarantine", "redrive", code=1).stderr
    file.unlink()
    said = pipe.fails("--once")
    assert "is gone" in said and "--replay-from 0" in said
    file.write_bytes(good_bytes)
    pipe.once()
    assert pipe.digest() == digest
    file.unlink()
    pipe.once("--replay-from", "0")
    assert pipe.status()["quarantine"] > count
    redrive(pipe)
    pipe.once()
    assert pipe.digest() == digest and file.read_bytes() == good_bytes


def test_log_cat_shows_what_is_folded_in_place_of_an_entry(folder, path):
    pipe = make(folder, path, BEFORE)
    write(path, [item("c", 1), box("c", 1, "first"), item("c", 2)])
    pipe.once()
    pipe.set_schema(AFTER)
    redrive(pipe)
    items = [json.loads(line) for line in pipe.ctl("log", "cat").stdout.splitlines()]
    shown = [(i["kind"], i.get("redriven", False)) for i in items]
    at = shown.index(("quarantine", True))
    assert shown[at + 1:at + 3] == [("schema", True), ("insert", True)]
    assert items[at + 2]["row"]["note"] == "first" and shown.count(("insert", False)) == 2


def test_entries_from_postgresql_count_and_stay(pipeline, source, sink):
    pipe = pipeline("CREATE TABLE big (id int PRIMARY KEY, s text);\nCREATE MATERIALIZED VIEW ids AS SELECT id FROM big ORDER BY id;\n",
                    **{"source.quarantine_max": 0})
    source.sql("INSERT INTO big VALUES (1, 'small')")
    pipe.start()
    pipe.wait()
    source.sql("INSERT INTO big VALUES (2, 'small too'); INSERT INTO big SELECT i, repeat('x', 17000000) FROM generate_series(3, 4) i")
    assert pipe.procd.exit(30) == 1
    assert "would hold 1 entries" in pipe.procd.text and "public.big" in pipe.procd.text and "larger than the log's limit" in pipe.procd.text
    assert "would hold 1 entries" in pipe.fails("--once")  # nothing of the transaction is in the log
    assert sink.sql("SELECT id FROM ids") == [(1,)] and pipe.status()["quarantine"] == 0
    pipe.settings["source.quarantine_max"] = 2
    pipe.write_config()
    pipe.once()
    assert sink.sql("SELECT id FROM ids ORDER BY id") == [(1,), (2,)] and pipe.status()["quarantine"] == 2
    got = redrive(pipe)
    assert (got["decoded"], got["remain"]) == (0, 2) and "PostgreSQL's replication" in got["reasons"][0]["reason"]
    assert not (pipe.store / "log" / "redriven").exists()
