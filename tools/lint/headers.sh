#!/bin/bash
# Each header stands alone: compiled first and twice in one unit. Usage: headers.sh COMPILER-AND-FLAGS -- HEADER...
set -u
compile=()
while [ "$1" != "--" ]; do
    compile+=("$1")
    shift
done
shift
failed=0
for header in "$@"; do
    printf '#include "%s"\n#include "%s"\nextern int headers_unit;\n' "$PWD/$header" "$PWD/$header" |
        "${compile[@]}" -Wno-unused-macros -fsyntax-only -x c - || { echo "$header: does not stand alone" >&2; failed=1; }
done
exit $failed
