"""How it is built for others: the profile-guided build, and the files that containers are made by."""
import fnmatch
import os
import pathlib
import re
import shutil

import pytest

import harness
import kafka
from harness import ROOT, run
from test_file_source import LINES, SCHEMA, WANT, make, shown

DOCKER = ROOT / "docker"


def unseen_by_docker(path, names):
    """Of a folder's names those at the top that no image is built from."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [n for n in names if pathlib.Path(path) == ROOT and any(fnmatch.fnmatch(n, p) for p in patterns)]


def test_the_profile_guided_build_folds_to_the_same(folder, monkeypatch):
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=unseen_by_docker)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = run(["make", "-C", tree, f"-j{os.cpu_count()}", "install", "PGO=1", f"DESTDIR={folder}/made"], timeout=900, env=clean)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert list((tree / "build-pgo" / "src").rglob("*.gcda")), "nothing was learned from the training"
    digests = []
    for program in (harness.PROCD, folder / "made" / "usr" / "local" / "bin" / "procd"):
        monkeypatch.setattr(harness, "PROCD", program)
        events = folder / "events.ndjson"
        events.write_text("".join(x + "\n" for x in LINES))
        pipe = make(folder, source=f"file:{events}", schema=SCHEMA)
        pipe.once()
        assert shown(pipe) == WANT
        digests.append(pipe.digest()["all"])
        shutil.rmtree(pipe.folder)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("profile", ["direct", "kafka"])
def test_the_compose_file_is_valid_and_its_pipeline_starts_so(profile):
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (tools/run/packages.sh test)")
    done = run(["docker-compose", "-f", DOCKER / "compose.yaml", "--profile", profile, "config"])
    assert done.returncode == 0, done.stderr
    for image in re.findall(r"^\s*image: (\S+)", done.stdout, re.M):
        assert re.search(r":(local|\d+\.\d+\S*)$", image), f"{image} is not pinned"
    check = run([harness.PROCD, "-c", DOCKER / f"{profile}.conf", "--schema", ROOT / "schemas" / "acme.sql", "--check"])
    assert check.returncode == 0 and "top3_delivery_dates" in check.stdout, check.stderr


def test_images_are_made_from_pinned_ones_with_the_versions_that_are_tested():
    for path in DOCKER.rglob("Dockerfile"):
        text = path.read_text(encoding="utf-8")
        bases = re.findall(r"^(?:FROM|ARG DEBIAN=)\s*([^\s=]+:\S+)", text, re.M)
        assert bases and all(re.search(r":\d+\.\d+", b) for b in bases), f"{path}: {bases}"
    text = (DOCKER / "kafka" / "Dockerfile").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^ARG (?:KAFKA|DEBEZIUM)_VERSION=(\S+)", text, re.M)) == kafka.LATEST
