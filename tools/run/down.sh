#!/bin/bash
# Ends what up.sh started, by pid; data is kept.
. "$(dirname "$0")/lib.sh"
pid_stop workload
pid_stop procd
tools/run/kafka.sh stop
cluster_stop source
cluster_stop sink
say "stopped; data is kept in $RUN/ (make all goes on from there, make clean removes it)"
