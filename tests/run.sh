#!/bin/bash
# Runs the unit tests and the integration tests, and adds up: the last line is "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.."
build=${LOGFOLD_BUILD:-build}
passed=0
failed=0
skipped=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

for test in "$build"/tests/unit/*_test; do
    name=$(basename "$test")
    CMOCKA_MESSAGE_OUTPUT=stdout timeout 600 "$test" >"$logs/$name" 2>&1
    code=$?
    ok=$(grep -c '^\[       OK \]' "$logs/$name")
    bad=$(grep -c '^\[  FAILED  \] [a-z_0-9]*$' "$logs/$name")
    skip=$(grep -c '^\[  SKIPPED \] [a-z_0-9]*$' "$logs/$name")
    if [ "$code" != 0 ]; then
        [ "$bad" -gt 0 ] || bad=1
        echo "FAILED $name (exit $code)"
        tail -n 60 "$logs/$name"
    else
        echo "ok     $name: $ok tests"
        bad=0
        skip=0
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    skipped=$((skipped + skip))
done

if [ -n "${TEST_UNIT_ONLY:-}" ]; then
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
fi

LOGFOLD_BUILD=$build /usr/bin/python3 -B -m pytest -p no:cacheprovider -q -rfs tests/integration ${TEST_ARGS:-} 2>&1 | tee "$logs/pytest"
summary=$(tail -n 3 "$logs/pytest" | grep -E '(passed|failed|error|skipped)' | tail -n 1)
count() { echo "$summary" | grep -oE "[0-9]+ $1" | grep -oE '[0-9]+' || echo 0; }
if [ -z "$summary" ]; then
    failed=$((failed + 1))
fi
passed=$((passed + $(count passed)))
failed=$((failed + $(count failed) + $(count 'error')))
skipped=$((skipped + $(count skipped)))
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
exit $((failed > 0))
