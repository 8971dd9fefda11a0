"""What the benchmarks share: medians, percentiles, and the report, a line a figure, with its target where it has one."""
import json
import os
import pathlib
import re
import resource
import statistics
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))


def size(name, default):
    """A size from the environment; 5M and 200k are understood."""
    text = os.environ.get(name, str(default)).strip().lower()
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1], 1)
    return int(float(text.rstrip("km")) * factor)


def rounds():
    return size("BENCH_ROUNDS", 3)


def median(values):
    return statistics.median(values)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def cpu_seconds():
    """Of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def say(text):
    print(text, file=sys.stderr, flush=True)


class Report:
    """Prints each figure as it is known; `ok` says whether the target, if any, is reached."""

    def __init__(self):
        self.lines = []

    def add(self, bench, what, value, unit="", target=None, ok=None):
        self.lines.append({"bench": bench, "what": what, "value": value, "unit": unit, "target": target, "ok": ok})
        shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        verdict = "" if ok is None else f"   target {target}: {'reached' if ok else 'NOT reached'}"
        print(f"{bench:<9} {what:<58} {shown:>12} {unit}{verdict}", flush=True)

    def save(self, path):
        pathlib.Path(path).write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")


class MemorySampler(threading.Thread):
    """Peak of a process's anonymous, file-backed and shared memory and of their sum ("Rss"), in bytes, sampled from /proc."""

    def __init__(self, pid, pause=0.02):
        super().__init__(daemon=True)
        self.peak = {"RssAnon": 0, "RssFile": 0, "RssShmem": 0, "Rss": 0}
        self._path = pathlib.Path(f"/proc/{pid}/status")
        self._pause = pause
        self._stop_asked = threading.Event()
        self.start()

    def sample(self):
        try:
            text = self._path.read_text(encoding="ascii")
        except OSError:
            return False
        now = {k: int(v) * 1024 for k, v in re.findall(r"(Rss\w+):\s+(\d+) kB", text)}
        now["Rss"] = sum(now.values())
        for key, value in now.items():
            self.peak[key] = max(self.peak[key], value)
        return now["Rss"] > 0

    def run(self):
        while self.sample() and not self._stop_asked.wait(self._pause):
            pass

    def end(self):
        self._stop_asked.set()
        self.join()
        return self.peak
