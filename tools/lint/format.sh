#!/bin/bash
# The layout is what clang-format 14 makes of .clang-format. Usage: format.sh FILE...   (clang-format-14 -i FILE repairs it)
set -u
clang-format-14 --dry-run -Werror --ferror-limit=1 "$@" 2>&1 | grep -E 'error:' | sed 's/error: .*/not as clang-format-14 lays it out/' >&2
[ "${PIPESTATUS[0]}" = 0 ]
