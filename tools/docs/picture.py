#!/usr/bin/env python3
"""Draws tools/docs/architecture.svg: `python3 tools/docs/picture.py > tools/docs/architecture.svg`."""

BOXES = [  # x, y, width, height, title, lines, colour
    (20, 60, 150, 70, "source", ["PostgreSQL (pgoutput)", "file, stdin (Debezium)"], "#dbe9f6"),
    (220, 60, 130, 70, "decode", ["src/ingest", "src/event, src/row"], "#eef3e2"),
    (400, 60, 150, 70, "log", ["state/log", "zstd blocks, fdatasync"], "#fde7c8"),
    (600, 60, 150, 70, "fold", ["src/flow", "tables, operators, views"], "#eef3e2"),
    (800, 60, 150, 70, "sink PostgreSQL", ["src/sink", "one transaction a sync"], "#dbe9f6"),
    (600, 190, 150, 70, "state", ["state/index", "memtables, LMDB"], "#fde7c8"),
    (220, 190, 130, 70, "schema files", ["src/sql, src/plan, src/expr", "libpg_query"], "#f3e5f0"),
    (800, 190, 150, 70, "statectl", ["tools/statectl", "dump, wait, verify, explain"], "#f3e5f0"),
]
ARROWS = [  # x1, y1, x2, y2, label, label x, label y, dashed
    (170, 95, 216, 95, "poll", 180, 88, False),
    (350, 95, 396, 95, "append", 354, 88, False),
    (550, 95, 596, 95, "read back", 551, 88, False),
    (750, 95, 796, 95, "sync", 760, 88, False),
    (675, 130, 675, 186, "checkpoint", 680, 162, False),
    (350, 225, 596, 112, "operators", 430, 210, True),
    (750, 225, 796, 225, "", 0, 0, True),
    (475, 130, 475, 160, "", 0, 0, True),
]


def main():
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 970 300" font-family="sans-serif" font-size="12">',
           '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
           '<path d="M0,0 L8,4 L0,8 z" fill="#444"/></marker></defs>',
           '<rect width="970" height="300" fill="white"/>',
           '<text x="20" y="30" font-size="16" font-weight="bold">logfold: state is nothing but fold(log)</text>']
    for x, y, w, h, title, lines, colour in BOXES:
        out.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{colour}" stroke="#555"/>')
        out.append(f'<text x="{x + w / 2}" y="{y + 22}" text-anchor="middle" font-weight="bold">{title}</text>')
        for i, line in enumerate(lines):
            out.append(f'<text x="{x + w / 2}" y="{y + 42 + 16 * i}" text-anchor="middle" fill="#333">{line}</text>')
    for x1, y1, x2, y2, label, lx, ly, dashed in ARROWS:
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        out.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#444" marker-end="url(#a)"{dash}/>')
        if label:
            out.append(f'<text x="{lx}" y="{ly}" fill="#444" font-size="10">{label}</text>')
    out.append('<text x="395" y="175" font-size="10" fill="#444">acknowledge to the source, after fdatasync</text>')
    out.append('<text x="20" y="285" fill="#333">Recovery, replay and live folding are one path: every commit is read back from '
               'the log, whoever put it there.</text>')
    out.append("</svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
