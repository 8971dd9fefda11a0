#!/bin/bash
# bench/train.sh build-pgo/train: runs the programs that `make PGO=train` has built, and puts what they noted of themselves where the
# compiler looks for it when it makes the objects of build-pgo.
set -eu
train=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "  training (some 10 s)" >&2
find "$train" -name '*.gcda' -delete
"$train/bench/decode_micro" bare 300000 >&2
"$train/bench/decode_micro" schema 100000 >&2
"$train/bench/decode_micro" bare 30000 general >&2
"$train/bench/generate" "$folder/store" 500000 1 >&2
"$train/procd" --store "$folder/store" --source none --sink none --schema schemas/acme.sql --replay-from 0 --once
(cd "$train" && find . -name '*.gcda' -exec cp --parents {} .. \;)
