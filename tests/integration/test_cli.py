"""What is typed and read: help, exit codes, JSON, configuration errors."""
import json
import re

import pytest

import harness
from harness import PROCD, STATECTL, run

SCHEMA = """CREATE TABLE t (id int PRIMARY KEY, a int, s text);
CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a ORDER BY a;
CREATE VIEW not_kept AS SELECT id FROM t;
CREATE MATERIALIZED VIEW w AS SELECT t.id, v.n FROM t JOIN v ON v.a = t.a;"""


def test_help_names_every_option_and_key():
    text = run([PROCD, "--help"])
    assert text.returncode == 0 and text.stderr == ""
    for word in ["--config", "--once", "--replay-from", "--check", "--source", "--sink", "--store", "--schema", "--set", "--help", "--version",
                 "pipeline.name", "pipeline.schema", "pipeline.store", "source.url", "source.publication", "source.slot", "sink.url", "sink.schema",
                 "state.checkpoint_interval", "state.cache", "kafka.", "LOGFOLD_CONF", "SIGTERM", "75", "64"]:
        assert word in text.stdout, word
    text = run([STATECTL, "--help"])
    assert text.returncode == 0 and text.stderr == ""
    for word in ["status", "dump", "wait", "views", "tables", "explain", "log list|cat|verify", "digest", "verify", "quarantine",
                 "--config", "--store", "--json", "--csv", "--out", "--lsn", "--seq", "--offset", "--idle", "--sink", "--timeout", "--from", "--to"]:
        assert word in text.stdout, word
    assert re.match(r"procd \(logfold\) \d", run([PROCD, "--version"]).stdout)
    assert re.match(r"statectl \(logfold\) \d", run([STATECTL, "--version"]).stdout)


@pytest.mark.parametrize("argv, word", [
    (["--nonsense"], "--nonsense"), (["extra"], "extra"), (["--replay-from", "5"], "only 0"), (["--replay-from"], "--replay-from"),
    (["--set", "no_dot"], "no_dot"), (["--set", "source.nonsense=1"], "nonsense"), (["--set", "state.cache=12parsecs"], "12parsecs"),
    (["--config", "/nowhere/at/all.conf"], "/nowhere/at/all.conf"), ([], "schema")])
def test_wrong_usage_of_procd_exits_64(folder, argv, word):
    done = run([PROCD, *argv], cwd=folder)
    assert done.returncode == 64, done.stderr
    assert word in done.stderr and done.stdout == ""


@pytest.mark.parametrize("argv, word", [
    ([], "verb"), (["nonsense"], "nonsense"), (["--nonsense", "status"], "--nonsense"), (["wait"], "--lsn"), (["wait", "--lsn", "x"], "x"),
    (["wait", "--seq", "1", "--idle"], "one of"), (["wait", "--idle", "--timeout", "5"], "5"), (["log"], "list"), (["log", "nonsense"], "list"),
    (["dump", "nothing"], "nothing"), (["explain", "nothing"], "nothing"), (["explain"], "explain"), (["quarantine"], "list"),
    (["dump", "v", "--csv", "--json"], "both")])
def test_wrong_usage_of_statectl_exits_64(small, argv, word):
    done = small.ctl(*argv, code=64)
    assert word in done.stderr and done.stdout == ""


def test_statectl_without_a_store_exits_2(folder):
    done = run([STATECTL, "--store", folder / "none", "status"])
    assert done.returncode == 2 and str(folder / "none") in done.stderr
    assert not (folder / "none").exists()


@pytest.fixture
def small(pipeline, source):
    pipe = pipeline(SCHEMA)
    source.sql("INSERT INTO t SELECT i, i % 3, CASE i WHEN 1 THEN 'quo\"te' WHEN 2 THEN E'new\\nline' WHEN 3 THEN '' WHEN 4 THEN 'ä,😀' END"
               " FROM generate_series(1, 10) i")
    pipe.once()
    return pipe


def test_every_json_answer_parses_and_agrees(small, source):
    status = small.status()
    assert status["running"] is False and status["checkpoint_seq_next"] == status["log_seq_next"] > 0
    assert status["log_bytes"] > 0 and status["state_bytes"] > 0 and status["quarantine"] == 0
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", status["positions"]["pg.lsn"])
    views = {v["name"]: v for v in small.json("views")}
    assert set(views) == {"public.v", "public.w"} and views["public.v"]["rows"] == 3 and views["public.w"]["rows"] == 10
    assert views["public.v"]["key"] == "a" and views["public.v"]["state"] == "ok"
    tables = small.json("tables")
    assert [t["name"] for t in tables] == ["public.t"] and tables[0]["rows"] == 10 and tables[0]["key"] == "id"
    assert {d["name"] for d in small.json("digest") if "name" in d} >= {"public.t", "public.v", "public.w"}
    rows = [json.loads(line) for line in small.ctl("dump", "t", "--json").stdout.splitlines()]
    assert sorted((r["id"], r["a"], r["s"]) for r in rows) == sorted(source.sql("SELECT * FROM t"))
    segments = small.json("log", "list")
    assert segments[0]["seq_first"] == 0 and segments[-1]["seq_next"] == status["log_seq_next"]
    items = [json.loads(line) for line in small.ctl("log", "cat").stdout.splitlines()]
    assert sum(i.get("row", {}).get("id") is not None for i in items) == 10
    last = status["log_seq_next"] - 1
    part = [json.loads(line) for line in small.ctl("log", "cat", "--from", last, "--to", last).stdout.splitlines()]
    assert {i["seq"] for i in part} == {last} and part == [i for i in items if i["seq"] == last]
    assert small.json("quarantine", "list") == [] and small.json("quarantine", "show") == []


def test_text_answers_and_csv(small, source):
    assert small.dump("v") == source.csv("SELECT * FROM v")
    assert small.dump("public.t") == source.csv("SELECT * FROM t ORDER BY id")
    for verb in (["status"], ["views"], ["tables"], ["digest"], ["log", "list"], ["log", "verify"], ["verify"], ["explain", "w"]):
        assert small.ctl(*verb).stdout.strip() != "", verb
    assert "join" in small.ctl("explain", "w").stdout.lower()
    assert small.ctl("dump", "not_kept", code=64).stdout == ""


def test_wait_says_when_it_is_not_reached(small):
    assert small.ctl("wait", "--seq", "0").stdout == ""
    assert "not reached" in small.ctl("wait", "--seq", "100000000", "--timeout", "100ms", code=1).stderr
    assert "not reached" in small.ctl("wait", "--lsn", "FFFF/0", "--timeout", "100ms", code=1).stderr


def test_check_says_how_and_touches_nothing(pipeline, folder):
    pipe = pipeline(SCHEMA, load=False, **{"source.url": "postgresql://127.0.0.1:1/none", "sink.url": "postgresql://127.0.0.1:1/none"})
    done = run([PROCD, "-c", pipe.config, "--check"])
    assert done.returncode == 0, done.stderr
    for word in ["public.t", "public.v", "public.w", "not kept"]:
        assert word in done.stdout
    assert not pipe.store.exists()


@pytest.mark.parametrize("text, line, word", [
    ("[source]\nurl = none\nnonsense = 1\n", 3, "nonsense"), ("[nonsense]\nx = 1\n", 2, "nonsense"), ("[state]\ncache = many\n", 2, "many"),
    ("[source]\nurl\n", 2, "")])
def test_unknown_configuration_is_named_with_its_line(folder, text, line, word):
    path = folder / "bad.conf"
    path.write_text(text)
    done = run([PROCD, "-c", path, "--check"])
    assert done.returncode == 64 and f"{path}:{line}" in done.stderr and word in done.stderr, done.stderr


@pytest.mark.parametrize("sql, where, word", [
    ("SELECT nothing FROM t", "2:", "nothing"), ("SELECT now() FROM t", "2:", "now"), ("SELECT id FROM t WHERE a IN (SELECT 1)", "2:", "IN"),
    ("SELECT id FROM t EXCEPT SELECT 1", "2:", "EXCEPT"), ("SELECT random() FROM t", "2:", "random"), ("SELEC 1", "2:", "SELEC"),
    ("SELECT a, count(*) FROM t", "2:", "t.a"), ("SELECT sum(s) FROM t", "2:", "sum(text)"), ("SELECT a + s FROM t", "2:", "integer + text")])
def test_what_is_not_supported_is_refused_with_its_place(folder, sql, where, word):
    path = folder / "bad.sql"
    path.write_text(f"CREATE TABLE t (id int PRIMARY KEY, a int, s text);\nCREATE MATERIALIZED VIEW v AS {sql};\n")
    done = run([PROCD, "--check", "--schema", path], cwd=folder)
    assert done.returncode == 1 and f"{path}:{where}" in done.stderr and word in done.stderr, done.stderr


def test_the_configuration_is_found_by_environment_and_folder(folder):
    schema = folder / "s.sql"
    schema.write_text(SCHEMA)
    (folder / "logfold.conf").write_text(f"[pipeline]\nschema = {schema}\n")
    assert run([PROCD, "--check"], cwd=folder).returncode == 0
    assert run([PROCD, "--check"], cwd="/", env={"LOGFOLD_CONF": str(folder / "logfold.conf")}).returncode == 0
    (folder / "logfold.conf").write_text("[pipeline]\nschema = /nowhere\n")
    assert run([PROCD, "--check", "--schema", schema], cwd=folder).returncode == 0  # the command line wins


def test_passwords_are_never_shown(pipeline, source, folder):
    pipe = pipeline(SCHEMA, **{"source.url": f"postgresql://postgres:se-cret@127.0.0.1:{source.cluster.port}/{source.name}",
                               "sink.url": "postgresql://postgres:se-cret@127.0.0.1:1/none"})
    procd = pipe.start("--verbose")
    pipe.ctl("wait", "--lsn", source.lsn())
    assert "se-cret" not in pipe.ctl("status").stdout + pipe.ctl("status", "--json").stdout
    assert procd.terminate(40) == 0
    assert "se-cret" not in procd.text
    assert harness.re.search(r"^\d{4}-\d\d-\d\d\S* \w+ +\w+: ", procd.lines[0]), procd.lines[0]


@pytest.mark.parametrize("url", ["postgresql://u:se-cret@[::1/db", "postgresql://u:se-cret%zz@h/db", "mysql://u:se-cret@h/db", "host=h password=p se-cret"])
def test_a_password_in_a_url_that_cannot_be_read_is_not_shown(folder, url):
    """libpq's own words quote the part that it does not understand."""
    (folder / "s.sql").write_text(SCHEMA)
    done = run([PROCD, "--once", "--schema", folder / "s.sql", "--store", folder / "store", "--sink", url], cwd=folder)
    assert done.returncode == 1 and "could not read the sink's url" in done.stderr
    assert "se-cret" not in done.stderr
    done = run([PROCD, "--once", "--schema", folder / "s.sql", "--store", folder / "store", "--source", url], cwd=folder)
    assert done.returncode == 1 and "source" in done.stderr
    assert "se-cret" not in done.stderr
