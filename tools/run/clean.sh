#!/bin/bash
# Ends everything and removes what was made.
. "$(dirname "$0")/lib.sh"
pid_stop workload
pid_stop procd
tools/run/kafka.sh stop
for name in source sink; do
    cluster_stop "$name"
    [ -L "$RUN/$name" ] && rm -rf "$(readlink -f "$RUN/$name")"
done
rm -rf "$RUN" build build-pgo build-san-* out
