#!/usr/bin/env python3
"""Holds tools/lint/layers.txt: every #include goes along an arrow, every third-party header stays at home.

Usage: layers.py [--root DIR] [--graph]     --graph prints the rooms and arrows for ARCHITECTURE.md
"""
import fnmatch
import os
import re
import sys

LIBC = set(
    "assert ctype errno fcntl float getopt inttypes limits locale math poll pthread setjmp signal stdalign stdarg stdatomic"
    " ftw stdbool stddef stdint stdio stdlib stdnoreturn string strings time unistd wchar wctype dirent"
    " sys/eventfd sys/file sys/inotify sys/mman sys/random sys/resource sys/signalfd sys/socket sys/stat sys/syscall sys/time sys/types"
    " sys/uio sys/un sys/wait".split())


def read_rooms(root):
    rooms = {}
    for line in open(os.path.join(root, "tools/lint/layers.txt")):
        if line.strip() and not line.startswith("#"):
            name, *rest = [field.strip() for field in line.split("|")]
            files, may, own = (field.split() for field in rest)
            rooms[name] = {"files": files, "may": may, "own": own, "used": set()}
    return rooms


def room_of(rooms, path):
    return next((n for n, r in rooms.items() if any(fnmatch.fnmatchcase(path, f) for f in r["files"])), None)


def sources(root):
    for top in ("src", "state", "tools", "bench", "tests/unit", "tests/fuzz"):
        for folder, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def has_circle(rooms):
    """The rooms that stay when those without an arrow to what stays are taken away, again and again."""
    left = set(rooms)
    while True:
        free = {n for n in left if "*" in rooms[n]["may"] or not left & set(rooms[n]["may"])}
        if not free:
            return sorted(left)
        left -= free


def check_include(root, rooms, path, room, quoted, header):
    candidates = [os.path.join(os.path.dirname(path), header), "src/" + header, header] if quoted else []
    found = next((c for c in candidates if os.path.exists(os.path.join(root, c))), None)
    if found is None:
        if quoted:
            return f'no file "{header}"'
        if header.removesuffix(".h") in LIBC or header in rooms[room]["own"]:
            return None
        homes = [n for n, r in rooms.items() if header in r["own"]]
        return f"<{header}> is at home in {', '.join(homes) or 'no room'} only"
    target = room_of(rooms, os.path.normpath(found))
    rooms[room]["used"].add(target)
    if target == room or target in rooms[room]["may"]:
        return None
    if "*" in rooms[room]["may"] and target not in ("tests", "bench"):
        return None
    return f'"{header}": no arrow {room} -> {target} in tools/lint/layers.txt'


def check(root, rooms):
    problems = [f"layers.txt: arrows in a circle among {' '.join(c)}" for c in [has_circle(rooms)] if c]
    for name, r in rooms.items():
        problems += [f"layers.txt: {name} may include {m}, which is no room" for m in r["may"] if m not in rooms and m != "*"]
    for path in sources(root):
        room = room_of(rooms, path)
        if room is None:
            problems.append(f"{path}: belongs to no room of tools/lint/layers.txt")
            continue
        for number, line in enumerate(open(os.path.join(root, path)), 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            problem = m and check_include(root, rooms, path, room, m[1] == '"', m[2])
            if problem:
                problems.append(f"{path}:{number}: {problem}")
    return problems


def print_graph(rooms):
    print("| room | files | includes | third-party headers |\n|---|---|---|---|")
    for name, r in rooms.items():
        print(f"| {name} | {' '.join(r['files'])} | {' '.join(r['may'])} | {' '.join(r['own'])} |".replace("*", "\\*"))
    print("\n```mermaid\ngraph BT")
    for name, r in rooms.items():
        for target in sorted(r["used"] - {name, "base"}):
            if "*" not in r["may"]:
                print(f"    {name} --> {target}")
    print("```")


def main():
    args = sys.argv[1:]
    root = args[args.index("--root") + 1] if "--root" in args else os.path.join(os.path.dirname(__file__), "../..")
    rooms = read_rooms(root)
    problems = check(root, rooms)
    if "--graph" in args:
        print_graph(rooms)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(len(problems) > 0)


main()
