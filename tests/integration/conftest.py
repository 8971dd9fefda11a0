"""Fixtures: two PostgreSQL clusters a session, a database of each a test, and pipelines that end with the test."""
import itertools
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import harness  # noqa: E402

_number = itertools.count(1)


def pytest_configure(config):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs the finalizers


def pytest_sessionstart(session):
    for program in (harness.PROCD, harness.STATECTL):
        if not os.access(program, os.X_OK):
            pytest.exit(f"{program} is not there: make build first", 2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for procd in harness.ALL_PROCDS[-3:]:
            tail = "\n".join(procd.lines[-60:])
            report.sections.append((f"procd {procd.name} {' '.join(procd.argv)}", tail))


@pytest.fixture(scope="session")
def base():
    folder = harness.make_folder()
    yield folder
    harness.end_everything()


@pytest.fixture(scope="session")
def source_cluster(base):
    return harness.Cluster(base, "source")


@pytest.fixture(scope="session")
def sink_cluster(base):
    return harness.Cluster(base, "sink")


@pytest.fixture
def folder(base):
    path = base / f"t{next(_number)}"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def _end_procds():
    """No procd outlives its test."""
    yield
    for procd in harness.ALL_PROCDS:
        procd.kill()
    harness.ALL_PROCDS.clear()


def _database(cluster, prefix):
    db = harness.Database(cluster, f"{prefix}{next(_number)}")
    yield db
    for procd in harness.ALL_PROCDS:
        procd.kill()
    if cluster.child.poll() is not None:
        cluster.start()
    cluster.drop_slots()
    db.drop()


@pytest.fixture
def source(source_cluster):
    yield from _database(source_cluster, "source_")


@pytest.fixture
def sink(sink_cluster):
    yield from _database(sink_cluster, "sink_")


@pytest.fixture
def pipeline(folder, source, sink):
    """Makes a pipeline from the source database to the sink database. `load`: run the schema's text in the source, too."""
    def make(schema, load=True, source=source, sink=sink, name=None, **settings):
        if load:
            source.sql(harness.plain_sql(schema))
        return harness.Pipeline(folder, name or f"p{next(_number)}", schema, source, sink, settings)
    return make
