#!/usr/bin/python3
"""`make bench`: runs the benchmarks named on the command line or all, prints a line a figure, and saves them as JSON lines in
build/bench/figures.json. Sizes come from the environment; bench/README.md lists them."""
import sys

import figures
import kafka_ingest
import kafka_latency
import live
import offline

BENCHES = {
    "replay": offline.bench_replay,
    "memory": offline.bench_memory,
    "pgoutput": live.bench_pgoutput,
    "latency": live.bench_latency,
    "burst": live.bench_burst,
    "recovery": live.bench_recovery,
    "kafka": kafka_ingest.bench_kafka,
    "kafka-latency": kafka_latency.bench_kafka_latency,
}


def main(names):
    unknown = [n for n in names if n not in BENCHES]
    if unknown:
        print(f"no such benchmark: {' '.join(unknown)}; there are {' '.join(BENCHES)}", file=sys.stderr)
        return 64
    report = figures.Report()
    for name in names or BENCHES:
        figures.say(f"== {name}")
        BENCHES[name](report)
        live.harness.end_everything()
    report.save(live.harness.BUILD / "bench" / "figures.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
