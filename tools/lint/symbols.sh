#!/bin/bash
# No mutable globals, whether static or not. Usage: symbols.sh OBJECT...
# With libstate.a among the arguments: it gives its users store_*.
# Global names that begin neither with their room nor with their file are shown, which does not fail.
set -u
allowed="message_level_min message_progress_shown_us" # src/base/message.c says why
failed=0
for object in "$@"; do
    case "$object" in
    *.a)
        nm -g --defined-only "$object" | grep -q ' T store_open$' || { echo "$object: has no store_open" >&2; failed=1; }
        continue
        ;;
    esac
    # Constant tables with pointers in them are in .data.rel.ro: written by the loader only.
    for name in $(objdump -t "$object" | awk '/ O (\.data|\.bss|\.tdata|\.tbss)(\.[^r][^ \t]*)?[ \t]|\*COM\*/ { print $NF }'); do
        case " $allowed " in *" $name "*) continue ;; esac
        echo "$object: $name is a mutable global" >&2
        failed=1
    done
    file=$(basename "$object" .o)
    room=$(basename "$(dirname "$object")")
    nm -g --defined-only "$object" | awk -v file="$file" -v room="$room" -v object="$object" '
        NF == 3 && $3 != "main" { word = $3; sub(/_.*/, "", word)
            if (index(file, word) != 1 && index(room, word) != 1) { n++; names = names " " $3 } }
        END { if (n) { print object ": begins neither with room nor file:" names } }' >>"${SYMBOLS_REPORT:-/dev/null}"
done
exit $failed
