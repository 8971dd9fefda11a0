#!/bin/bash
# Runs the fuzz targets. Usage: run.sh BUILD short|soak
#   short   a fixed number of runs with a fixed seed, from the captures alone: the same every time
#   soak    each target for FUZZ_SECONDS (600); corpora grow in build/fuzz, where an input that fails is kept
set -eu
cd "$(dirname "$0")/../.."
build=$1
declare -A runs=([debezium]=3000 [json]=60000 [pgoutput]=60000)
log=$(mktemp)
corpus=$(mktemp -d)
trap 'rm -rf "$log" "$corpus"' EXIT
tests/fuzz/corpus.py "$corpus"
mkdir -p build/fuzz

failed=0
for target in debezium json pgoutput; do
    kept="build/fuzz/$target"
    options=(-timeout=20 -rss_limit_mb=2048 -dict=tests/fuzz/words.dict "-artifact_prefix=$kept-")
    if [ "$2" = soak ]; then
        mkdir -p "$kept"
        options+=(-max_total_time="${FUZZ_SECONDS:-600}" -print_final_stats=1 "$kept" "$corpus/$target")
    else
        options+=(-runs="${runs[$target]}" -seed=1 "$corpus/$target")
    fi
    inputs=$(find "$corpus/$target" -type f | wc -l)
    if "$build/tests/fuzz/${target}_fuzz" "${options[@]}" >"$log" 2>&1; then
        echo "ok     fuzz $target: $inputs inputs to begin with, $(grep -oE '^Done [0-9]+ runs' "$log")"
    else
        echo "FAILED fuzz $target; the input is kept as $kept-*"
        tail -n 40 "$log" | cut -c 1-2000
        failed=1
    fi
done
exit $failed
