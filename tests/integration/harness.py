"""Private PostgreSQL clusters, procd and statectl for the tests. Everything lies in one folder under /tmp, every process is a
child of this one, is ended by its pid, and dies with this process even if that is killed (PR_SET_PDEATHSIG)."""
import atexit
import contextlib
import ctypes
import io
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import psycopg2
import psycopg2.extensions

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("LOGFOLD_BUILD", "build")).resolve()
PROCD = str(BUILD / "procd")
STATECTL = str(BUILD / "statectl")
PGBIN = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
SLOW = 10.0 if "san" in BUILD.name else 1.0  # sanitizers

_libc = ctypes.CDLL(None, use_errno=True)
_children = []
_folders = []


def _die_with_parent(number, user=None):
    def run():
        if user is not None:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        _libc.prctl(1, number)
    return run


def spawn(argv, death=signal.SIGKILL, user=None, **kw):
    child = subprocess.Popen([str(a) for a in argv], preexec_fn=_die_with_parent(death, user), **kw)
    _children.append((child, death))
    return child


def end(child, number=signal.SIGKILL, timeout=20):
    """Ends one of our children; returns its exit code."""
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)
    return child.returncode


def end_everything():
    for child, number in reversed(_children):
        end(child, number)
    _children.clear()
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
    _folders.clear()


atexit.register(end_everything)


def make_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="logfold-test-"))
    folder.chmod(0o711)  # the user postgres goes through it
    _folders.append(folder)
    return folder


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(condition, timeout=30.0, what="the condition", step=0.02):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(step)


class Cluster:
    """A private PostgreSQL server."""

    def __init__(self, folder, name, **settings):
        self.port = free_port()
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data = self.folder / "data"
        self._run([PGBIN / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"])
        conf = {"listen_addresses": "'127.0.0.1'", "unix_socket_directories": "''", "timezone": "'UTC'", "wal_level": "logical",
                "max_wal_senders": 40, "max_replication_slots": 40, "max_connections": 100, "fsync": "off", "shared_buffers": "64MB",
                "autovacuum": "off", "max_wal_size": "4GB", "log_min_messages": "error", "wal_sender_timeout": "20s", **settings}
        with open(self.folder / "extra.conf", "w", encoding="utf-8") as f:
            f.writelines(f"{k} = {v}\n" for k, v in conf.items())
        self.child = None
        self.starts = 0  # connections of an earlier start are dead
        self.start()

    def _run(self, argv):
        done = subprocess.run([str(a) for a in argv], preexec_fn=_die_with_parent(signal.SIGKILL, self.user), cwd="/",
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        shutil.copy(self.folder / "extra.conf", self.data / "postgresql.auto.conf")
        os.chmod(self.data / "postgresql.auto.conf", 0o644)
        if self.user:
            os.chown(self.data / "postgresql.auto.conf", self.user.pw_uid, self.user.pw_gid)
        with open(self.folder / "server.log", "ab") as log:
            self.child = spawn([PGBIN / "postgres", "-D", self.data, "-p", self.port], signal.SIGQUIT, self.user, cwd="/", stdout=log,
                               stderr=log, stdin=subprocess.DEVNULL)

        def is_up():
            assert self.child.poll() is None, (self.folder / "server.log").read_text(errors="replace")[-2000:]
            try:
                self.connect("postgres").close()
                return True
            except psycopg2.OperationalError:
                return False
        until(is_up, 60, "PostgreSQL answers")
        self.starts += 1

    def stop(self, number=signal.SIGINT):
        """SIGINT: fast; SIGQUIT: at once, as after a crash."""
        end(self.child, number, 60)

    def connect(self, database, autocommit=True, **kw):
        conn = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database, connect_timeout=10, **kw)
        conn.autocommit = autocommit
        return conn

    def url(self, database, user="postgres"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def drop_slots(self):
        conn = self.connect("postgres")
        with conn.cursor() as cur:
            cur.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL")
            for _ in range(200):
                cur.execute("SELECT slot_name FROM pg_replication_slots WHERE active_pid IS NULL")
                for (name,) in cur.fetchall():
                    cur.execute("SELECT pg_drop_replication_slot(%s)", (name,))
                cur.execute("SELECT count(*) FROM pg_replication_slots")
                if cur.fetchone()[0] == 0:
                    break
                time.sleep(0.02)
        conn.close()


class Database:
    """One database of a cluster, with a connection that is made when needed and again after a fault."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self._conn = None
        self._start = 0
        admin = cluster.connect("postgres")
        admin.cursor().execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        admin.close()

    @property
    def url(self):
        return self.cluster.url(self.name)

    def connect(self, **kw):
        return self.cluster.connect(self.name, **kw)

    @property
    def conn(self):
        if self._conn is None or self._conn.closed or self._start != self.cluster.starts:
            self._conn = self.connect()
            self._start = self.cluster.starts
        return self._conn

    def sql(self, text, *params):
        """Runs statements; returns the last one's rows, if it has any."""
        with self.conn.cursor() as cur:
            cur.execute(text, params or None)
            return cur.fetchall() if cur.description else None

    def one(self, text, *params):
        return self.sql(text, *params)[0][0]

    def copy(self, query, options="", conn=None):
        """COPY (query) TO STDOUT as bytes."""
        out = io.BytesIO()
        with (conn or self.conn).cursor() as cur:
            cur.copy_expert(f"COPY ({query}) TO STDOUT {options}", out)
        return out.getvalue()

    def rows(self, query, conn=None):
        """The rows as tuples of COPY's texts (NULL is \\N)."""
        text = self.copy(query, conn=conn).decode()
        return [tuple(line.split("\t")) for line in text.split("\n")[:-1]]

    def csv(self, query, conn=None):
        return self.copy(query, "(FORMAT csv, HEADER)", conn).decode()

    def columns(self, relation):
        return self.sql("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", relation)

    def lsn(self):
        """Everything committed so far lies below it."""
        return self.one("SELECT pg_current_wal_flush_lsn()::text")

    def close(self):
        if self._conn is not None:
            self._conn.close()

    def drop(self):
        self.close()
        admin = self.cluster.connect("postgres")
        admin.cursor().execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        admin.close()


def lsn_number(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Procd:
    """A running procd; its stderr is gathered and shown when a test fails."""

    def __init__(self, argv, name="procd", **kw):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.child = spawn([PROCD, *self.argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **{"stdin": subprocess.DEVNULL, **kw})
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        ALL_PROCDS.append(self)

    def _read(self):
        for line in self.child.stderr:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def wait_line(self, pattern, timeout=30.0):
        """Waits for a line of stderr; fails at once if procd ends without it."""
        def look():
            ended = not self.running()
            if ended:
                self._reader.join(5)
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            assert not ended, f"procd ended with {self.child.returncode} before {pattern!r}:\n{self.text}"
            return None
        return until(look, timeout, f"{pattern!r} in procd's output:\n{self.text}")

    def wait_ready(self, timeout=30.0):
        self.wait_line(r"procd: ready ", timeout)
        return self

    def exit(self, timeout=30.0):
        """Waits for its own end; returns the exit code."""
        try:
            self.child.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"procd does not end:\n{self.text}") from None
        self._reader.join(5)
        return self.child.returncode

    def kill(self):
        end(self.child, signal.SIGKILL)
        self._reader.join(5)

    def terminate(self, timeout=30.0):
        """SIGTERM; returns the exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.exit(timeout)

    def rss_anon_kib(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", text).group(1))


ALL_PROCDS = []


@contextlib.contextmanager
def slow_disk(procd, seconds):
    """Every fdatasync that procd begins takes so much longer."""
    tracer = spawn(["strace", "-f", "-p", procd.pid, "-o", "/dev/null", "-e", "trace=fdatasync",
                    "-e", f"inject=fdatasync:delay_enter={int(seconds * 1e6)}"], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    said = tracer.stderr.readline().decode()
    if "not permitted" in said:
        raise unittest.SkipTest(f"no process may be traced here: {said.strip()}")
    assert "attached" in said, said
    try:
        yield
    finally:
        end(tracer, signal.SIGINT)
        tracer.stderr.close()


def run(argv, timeout=60, **kw):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout * SLOW, check=False,
                          **{"stdin": subprocess.DEVNULL, **kw})


class Pipeline:
    """A folder with configuration, schema file and store, and what runs on it."""

    def __init__(self, folder, name, schema, source=None, sink=None, settings=None):
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        self.name = name
        self.source = source
        self.sink = sink
        self.store = self.folder / "store"
        self.schema = self.folder / "schema.sql"
        self.config = self.folder / "logfold.conf"
        self.procd = None
        self.set_schema(schema)
        self.settings = {"pipeline.name": name, "pipeline.schema": self.schema, "pipeline.store": self.store,
                         "source.url": source.url if isinstance(source, Database) else source or "none",
                         "source.publication": f"pub_{name}", "sink.url": sink.url if sink else "none", "sink.schema": "public",
                         "state.checkpoint_interval": "100ms", **(settings or {})}
        self.write_config()

    def set_schema(self, text):
        self.schema.write_text(text, encoding="utf-8")

    def write_config(self):
        sections = {}
        for key, value in self.settings.items():
            section, key = key.split(".", 1)
            sections.setdefault(section, []).append(f"{key} = {value}\n")
        self.config.write_text("".join(f"[{s}]\n{''.join(lines)}\n" for s, lines in sections.items()))

    @property
    def slot(self):
        return f"logfold_{self.name}"

    def start(self, *args, ready=True, **kw):
        self.procd = Procd(["-c", self.config, *args], self.name, **kw)
        return self.procd.wait_ready() if ready else self.procd

    def once(self, *args, code=0, timeout=60, **kw):
        """Runs procd --once to its end."""
        self.procd = Procd(["-c", self.config, "--once", *args], self.name, **kw)
        got = self.procd.exit(timeout)
        assert got == code, f"procd --once ended with {got}, not {code}:\n{self.procd.text}"
        return self.procd

    def fails(self, *args, code=1, timeout=30):
        """Runs procd, which must end by itself with this code; returns its stderr."""
        self.procd = Procd(["-c", self.config, *args], self.name)
        got = self.procd.exit(timeout)
        assert got == code, f"procd ended with {got}, not {code}:\n{self.procd.text}"
        return self.procd.text

    def stop(self):
        code = self.procd.terminate()
        assert code == 0, f"procd ended with {code} after SIGTERM:\n{self.procd.text}"

    def ctl(self, *args, code=0, timeout=60):
        done = run([STATECTL, "-c", self.config, *args], timeout)
        if code is not None:
            assert done.returncode == code, f"statectl {args} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def json(self, *args):
        """statectl's JSON lines."""
        return [json.loads(line) for line in self.ctl(*args, "--json").stdout.splitlines()]

    def status(self):
        return self.json("status")[0]

    def digest(self):
        """Digest by name; "all" has the seq left out, so that it may be compared between stores."""
        return {d.get("name", "all"): d["digest"] for d in self.json("digest")}

    def wait(self, timeout=30, lsn=None):
        """Until what the source has now is folded and, where there is a sink, shown there."""
        lsn = lsn or self.source.lsn()
        sink = ["--sink"] if self.sink else []
        done = self.ctl("wait", "--lsn", lsn, *sink, "--timeout", f"{timeout * SLOW:.0f}s", code=None, timeout=timeout + 10)
        assert done.returncode == 0, f"{lsn}: {done.stderr}\n{self.ctl('status').stdout}\n{self.procd.text if self.procd else ''}"
        return lsn

    def dump(self, view):
        return self.ctl("dump", view, "--csv").stdout

    def wait_checkpoint(self, timeout=30):
        """Until the last checkpoint, which statectl's readers see, has everything that is folded."""
        def done():
            s = self.status()
            return s["checkpoint_seq_next"] == s["log_seq_next"] == s["seq_next"]
        until(done, timeout, "the checkpoint of the newest commit")


def plain_sql(schema):
    """The schema file as PostgreSQL runs it: without the topics, views instead of materialized views."""
    schema = re.sub(r"\)\s*WITH\s*\(\s*topic\s*=[^)]*\)", ")", schema, flags=re.I)
    return re.sub(r"CREATE MATERIALIZED VIEW", "CREATE VIEW", schema, flags=re.I)


def _close(a, b, tolerance):
    if a == b:
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    return abs(x - y) <= tolerance * max(abs(x), abs(y), 1e-3)


def float_columns(columns):
    """The relative difference allowed by column index: PostgreSQL sums floats in the order of its rows, real in 32 bits."""
    allowed = {"real": 1e-5, "double precision": 1e-9}
    return {i: allowed[t] for i, (_, t) in enumerate(columns) if t in allowed}


def difference(want, got, floats=None):
    """What differs between two multisets of rows, as text; "" = nothing. Columns in `floats` may differ as far as it says."""
    floats = floats or {}

    def key(row):
        return tuple("" if i in floats else v for i, v in enumerate(row)) + tuple(_order(row[i]) for i in floats)
    want, got = sorted(want, key=key), sorted(got, key=key)
    if want == got:
        return ""
    if len(want) == len(got) and floats and all(
            all(_close(a, b, floats[i]) if i in floats else a == b for i, (a, b) in enumerate(zip(w, g))) for w, g in zip(want, got)):
        return ""
    left, right = list(want), list(got)
    for row in want:
        if row in right:
            right.remove(row)
            left.remove(row)
    return f"{len(want)} rows wanted, {len(got)} there; missing {left[:5]}, too many {right[:5]}"


def _order(text):
    try:
        x = float(text)
        return (1, 0.0) if x != x else (0, x)
    except ValueError:
        return (2, 0.0)


def view_difference(pipe, view, columns=True):
    """Compares the sink's table with PostgreSQL's own answer in the source; "" = equal."""
    want_columns, got_columns = pipe.source.columns(view), pipe.sink.columns(view)
    if columns and want_columns != got_columns:
        return f"{view}: columns {want_columns} wanted, {got_columns} there"
    text = difference(pipe.source.rows(f"SELECT * FROM {view}"), pipe.sink.rows(f"SELECT * FROM {view}"), float_columns(want_columns))
    return f"{view}: {text}" if text else ""


def assert_views(pipe, views, note=""):
    wrong = [d for d in (view_difference(pipe, v) for v in views) if d]
    assert not wrong, f"{note}\n" + "\n".join(wrong)
