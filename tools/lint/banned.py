#!/usr/bin/env python3
"""Words that tools/lint/banned.txt bans as calls, TODO and its like, long lines, long files, long functions.

Usage: banned.py FILE...     paths are taken relative to the current folder
"""
import fnmatch
import os
import re
import sys

COLUMNS_MAX, FILE_LINES_MAX, FUNCTION_LINES_MAX = 120, 800, 70
# A test program is one table of cases after another; its length says little.
LONG_FILES_ALLOWED = ["tests/unit/*"]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")


def read_bans():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "banned.txt")) as lines:
        rows = [[f.strip() for f in line.split("|")] for line in lines if line.strip() and line[0] != "#"]
    return [(re.compile(r"(?<![\w.>])" + word + r"\s*\("), word, use, allowed.split()) for word, use, allowed in rows]


def strip(text):
    """The code alone: comments and the insides of literals become blanks, lines stay."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)


def long_functions(code):
    """A function's body is what stands between a "{" and a "}" in the first column (the layout is clang-format's)."""
    begin = head = None
    for number, line in enumerate(code.split("\n"), 1):
        if line.startswith("{"):
            begin = number
        elif line.startswith("}") and begin is not None:
            if number - begin - 1 > FUNCTION_LINES_MAX:
                yield begin, f"{head} has {number - begin - 1} lines, more than {FUNCTION_LINES_MAX}"
            begin = None
        elif begin is None and re.match(r"[a-z].*?\w\(", line):
            head = re.search(r"(\w+)\(", line)[1]


def problems(path, bans):
    text = open(path).read()
    code = strip(text)
    allowed = lambda globs: any(fnmatch.fnmatchcase(path, g) for g in globs)
    for number, line in enumerate(code.split("\n"), 1):
        for pattern, word, use, files in bans:
            if pattern.search(line) and not allowed(files):
                yield number, f"{word}: use {use}"
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield number, "unfinished: " + UNFINISHED.search(line)[0]
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns, more than {COLUMNS_MAX}"
    if len(lines) > FILE_LINES_MAX + 1 and not allowed(LONG_FILES_ALLOWED):
        yield FILE_LINES_MAX, f"{len(lines) - 1} lines, more than {FILE_LINES_MAX}"
    yield from long_functions(code)


def main():
    bans = read_bans()
    count = 0
    for path in sys.argv[1:]:
        for number, problem in problems(path, bans):
            print(f"{path}:{number}: {problem}", file=sys.stderr)
            count += 1
    sys.exit(count > 0)


main()
