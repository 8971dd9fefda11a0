#!/usr/bin/env python3
"""Makes the corpora of tests/fuzz from the captures. Usage: corpus.py FOLDER

FOLDER/debezium gets a few records of a table an input, FOLDER/json single documents, FOLDER/pgoutput one message of each kind.
"""
import os
import subprocess
import sys

CAPTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/captures")
# In the order of RENDER_TABLES in tests/unit/debezium_render.h: a topic is told by its number.
TABLES = ["customers", "kitchen_sink", "order_items", "orders", "products", "scratch"]
RECORDS_AN_INPUT, RECORDS_A_TABLE, VALUE_BYTES_MAX = 3, 24, 9000
REPEATS, TOPIC, END = 1, 2, b"\x1e"


def records(mode, table):
    text = subprocess.run(["zstd", "-qdc", f"{CAPTURES}/{mode}/{table}.tsv.zst"], check=True, capture_output=True).stdout
    for line in text.split(b"\n")[:-1]:
        _, _, key, _, value = line.split(b"\t", 4)
        if len(value) <= VALUE_BYTES_MAX:
            yield key, value


def write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(data)


def pgoutput_messages():
    text = lambda s: s.encode() + b"\0"
    number = lambda n, size: n.to_bytes(size, "big")
    value = lambda s: b"t" + number(len(s), 4) + s.encode()
    row = number(3, 2) + value("1") + b"n" + b"u"
    yield b"B" + number(7, 8) + number(8, 8) + number(9, 4)
    yield b"C" + b"\0" + number(7, 8) + number(8, 8) + number(9, 8)
    yield b"O" + number(7, 8) + text("origin")
    yield b"R" + number(16384, 4) + text("public") + text("t") + b"d" + number(1, 2) + b"\1" + text("id") + number(20, 4) + b"\xff" * 4
    yield b"Y" + number(16390, 4) + text("public") + text("mood")
    yield b"I" + number(16384, 4) + b"N" + row
    yield b"U" + number(16384, 4) + b"K" + row + b"N" + row
    yield b"U" + number(16384, 4) + b"O" + row + b"N" + row
    yield b"D" + number(16384, 4) + b"O" + row
    yield b"T" + number(2, 4) + b"\1" + number(16384, 4) + number(16385, 4)
    yield b"M" + b"\1" + number(7, 8) + text("prefix") + number(3, 4) + b"abc"


def main(folder):
    for mode in ("ref", "bare", "micro", "iso", "flat"):
        for number, table in enumerate(TABLES):
            some = list(records(mode, table))
            some = some[-RECORDS_A_TABLE:]  # the end is where the updates and deletes are
            for at in range(0, len(some), RECORDS_AN_INPUT):
                flags = bytes([32 | (REPEATS | TOPIC if at % 2 else 0) | number << 2])
                parts = [flags + key + b"\n" + value for key, value in some[at : at + RECORDS_AN_INPUT]]
                write(f"{folder}/debezium", f"{mode}-{table}-{at}", END.join(parts))
            write(f"{folder}/json", f"{mode}-{table}", some[0][1])
    for at, (_, value) in enumerate(records("bare", "transaction")):
        write(f"{folder}/debezium", f"transaction-{at}", bytes([32]) + b"\n" + value)
    for at, message in enumerate(pgoutput_messages()):
        write(f"{folder}/pgoutput", str(at), message)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
