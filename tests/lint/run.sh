#!/bin/bash
# Each linter must find its bad example, for the reason that is given here, and must pass the good one.
set -u
cd "$(dirname "$0")/../.."
lint=$PWD/tools/lint
cc=${CC:-gcc}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# catches WHAT WORDS COMMAND...: the command fails and says WORDS
catches() {
    local what=$1 words=$2
    shift 2
    if "$@" >"$folder/said" 2>&1; then
        echo "lint: $what is not caught" >&2
        failed=1
    elif ! grep -qF -- "$words" "$folder/said"; then
        echo "lint: $what is caught for another reason than \"$words\":" >&2
        cat "$folder/said" >&2
        failed=1
    fi
}

passes() {
    "$@" >"$folder/said" 2>&1 || { echo "lint: the good example fails: $*" >&2; cat "$folder/said" >&2; failed=1; }
}

cd tests/lint
long=$(printf '%0121d' 0)
while IFS='|' read -r what words line; do
    printf '%b\n' "$line" >"$folder/bad.c"
    catches "$what" "$words" "$lint/banned.py" "$folder/bad.c"
done <<EOF
strcpy|strcpy: use|    strcpy(a, b);
bare malloc|malloc: use|    p = malloc(3);
open|open: use|    int fd = open(path, 0);
a second word on the line|atoi: use|    x = f(atoi(s));
TODO|unfinished: TODO|/* TODO: later */
a long line|121 columns|$long
EOF
python3 -c 'print("int f(void)\n{\n" + "    g();\n" * 71 + "}")' >"$folder/bad.c"
catches "a long function" "f has 71 lines" "$lint/banned.py" "$folder/bad.c"
python3 -c 'print("\n" * 800)' >"$folder/bad.c"
catches "a long file" "801 lines" "$lint/banned.py" "$folder/bad.c"
passes "$lint/banned.py" good.c

catches "a bad layout" "not as clang-format-14" "$lint/format.sh" bad_format.c
passes "$lint/format.sh" good.c

catches "a header that needs another" "does not stand alone" "$lint/headers.sh" "$cc" -std=c11 -- bad_header.h
catches "a header without a guard" "does not stand alone" "$lint/headers.sh" "$cc" -std=c11 -- bad_guard.h
passes "$lint/headers.sh" "$cc" -std=c11 -- good.h

"$cc" -std=c11 -O2 -fPIE -c bad_global.c -o "$folder/bad_global.o"
for name in counted.0 initialised exported; do
    catches "a mutable global" " $name is a mutable global" "$lint/symbols.sh" "$folder/bad_global.o"
done
"$cc" -std=c11 -O2 -fPIE -c good.c -o "$folder/good.o"
passes "$lint/symbols.sh" "$folder/good.o"
ar rcs "$folder/bad.a" "$folder/good.o"
catches "a library without store_open" "has no store_open" "$lint/symbols.sh" "$folder/bad.a"

catches "an arrow not drawn" 'src/low/low.c:1: "high/high.h": no arrow low -> high' "$lint/layers.py" --root layers
catches "a library's header abroad" "src/high/high.h:2: <lmdb.h> is at home in low only" "$lint/layers.py" --root layers
catches "an unknown header" "src/high/high.h:3: <zlib.h> is at home in no room only" "$lint/layers.py" --root layers
catches "a missing header" 'src/high/high.h:4: no file "gone.h"' "$lint/layers.py" --root layers
catches "a file in no room" "src/stray/stray.c: belongs to no room" "$lint/layers.py" --root layers
catches "arrows in a circle" "arrows in a circle among left right" "$lint/layers.py" --root layers

catches "an option that help leaves out" "does not mention --quiet" "$lint/help.sh" ./bad_help.sh bad_help.sh
catches "a verb that help leaves out" "does not mention hide" "$lint/help.sh" ./bad_help.sh bad_help.sh

catches "a warning of clang" "explicitly assigning value of variable" "${CLANG:-clang-14}" -fsyntax-only -Wall -Werror bad_clang.c
exit $failed
