#!/bin/bash
# --help names every option of the program's table, and every verb. Usage: help.sh PROGRAM SOURCE
set -u
program=$1
source=$2
text=$("$program" --help) || { echo "$program --help: exit $?" >&2; exit 1; }
# Rows of a table: { 'c', "config", "FILE", ... and { "status", verb_status, ...
names=$(grep -oE "^ *\{ ?'.', \"[a-z-]+\"" "$source" | sed -E 's/.*"(.*)"/--\1/'; grep -oE '^ *\{ ?"[a-z]+", verb_' "$source" | cut -d'"' -f2)
[ -n "$names" ] || { echo "$source: no table of options found" >&2; exit 1; }
failed=0
for name in $names; do
    grep -qE -e "(^|[ ,])$name( |$)" <<<"$text" || { echo "$program --help: does not mention $name" >&2; failed=1; }
done
exit $failed
