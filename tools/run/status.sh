#!/bin/bash
# What runs, and how far it is.
. "$(dirname "$0")/lib.sh"
for name in source sink; do
    if cluster_runs "$name"; then echo "$name       PostgreSQL runs on port $(cluster_port "$name")"; else echo "$name       stopped"; fi
done
for name in workload procd; do
    if pid_runs "$name"; then echo "$name    runs, pid $(cat "$RUN/$name.pid")"; else echo "$name    stopped"; fi
done
if [ -e "$RUN/kafka" ]; then tools/run/kafka.sh status; fi
if [ -e "$RUN/store" ]; then "$BUILD/statectl" -s "$RUN/store" status; fi
