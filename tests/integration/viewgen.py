"""Random tables, histories and views. Everything comes from one random.Random, so that a seed repeats a run."""

TABLES = """
CREATE TABLE t1 (id int PRIMARY KEY, a int, b bigint, c smallint, n numeric, m numeric(10,2), f double precision, r real, s text, v varchar(12),
    ch char(4), d date, ts timestamp, tz timestamptz, ti time, iv interval, u uuid, y bytea, ok boolean, p3 timestamp(3));
CREATE TABLE t2 (k1 int, k2 text, t1_id int, q int, w numeric, s text, d date, PRIMARY KEY (k1, k2));
CREATE TABLE t3 (id bigint PRIMARY KEY, g int NOT NULL, h text, z numeric(8,3), d date);
CREATE TABLE one (id int PRIMARY KEY, lim int, day date);
"""

SMALL = [0, 0, 1, 1, 2, 3, 4, 5, -1, -3, 7, 10]
WORDS = ["", "a", "b", "ab", "abc", "Abc", "ABC", "x y", "  pad ", "äöü", "ÄÖÜ", "straße", "日本", "😀a", "a%b", "a_b", "O'Neil", "10", "2.5", "tab\there",
         "line\nbreak", 'q"uote', "back\\slash", "zz", "b,c"]
VALUES = {
    "int": SMALL,
    "bigint": SMALL + [9007199254740993, -9007199254740993, 1 << 40],
    "smallint": SMALL + [32767, -32768],
    "numeric": ["0", "1", "1.0", "1.50", "-2.5", "3.14159", "99999999999999999999.99", "-0.000000000000000000001", "NaN", "Infinity", "-Infinity", "10", "1e10"],
    "money": ["0", "1", "1.5", "-2.25", "12345.67", "0.01", "99999999.99"],
    "float": ["0", "-0", "1", "1.5", "-2.25", "0.1", "0.2", "1e10", "1e-5", "NaN", "Infinity", "-Infinity"],
    "real": ["0", "1", "1.5", "-2.25", "0.1", "1000", "NaN", "Infinity"],
    "text": WORDS,
    "varchar": [w for w in WORDS if len(w) <= 12],
    "char": ["a", "ab", "abcd", "", "äö", "x  y"],
    "date": ["2024-02-29", "2024-03-01", "2024-03-01", "2023-12-31", "1999-12-31", "0044-03-15 BC", "infinity", "-infinity", "2024-05-05"],
    "day": ["2024-02-29", "2024-03-01", "2024-03-01", "2023-12-31", "1999-12-31", "0044-03-15 BC", "2024-05-05"],
    "timestamp": ["2024-02-29 12:34:56.789012", "2024-02-29 00:00:00", "2024-03-01 23:59:59.999999", "1969-12-31 23:59:59.5", "0044-03-15 12:00:00 BC",
                  "2001-09-09 01:46:40"],
    "timestamptz": ["2024-02-29 12:34:56.789012+02", "2024-02-29 00:00:00+00", "2024-03-31 01:30:00+00", "infinity", "1969-12-31 23:59:59.5-05"],
    "time": ["00:00:00", "12:34:56.789", "23:59:59.999999", "24:00:00"],
    "interval": ["0", "1 day", "24 hours", "30 days", "1 mon", "-1 mon -2 days", "1 year 2 mons 3 days 04:05:06.789", "00:15:00"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"],
    "bytea": ["\\x", "\\x00", "\\x616263", "\\xdeadbeef"],
    "bool": ["t", "t", "f"],
}
# column, pool, share of NULLs
COLUMNS = {
    "t1": [("a", "int", .15), ("b", "bigint", .15), ("c", "smallint", .1), ("n", "numeric", .15), ("m", "money", .15), ("f", "float", .1), ("r", "real", .1),
           ("s", "text", .15), ("v", "varchar", .15), ("ch", "char", .1), ("d", "date", .15), ("ts", "timestamp", .1), ("tz", "timestamptz", .1),
           ("ti", "time", .1), ("iv", "interval", .1), ("u", "uuid", .1), ("y", "bytea", .1), ("ok", "bool", .2), ("p3", "timestamp", .1)],
    "t2": [("t1_id", "ref", .1), ("q", "int", .15), ("w", "money", .1), ("s", "text", .1), ("d", "day", .1)],
    "t3": [("g", "int", 0), ("h", "text", .1), ("z", "money3", .1), ("d", "day", .1)],
    "one": [("lim", "int", 0), ("day", "day", 0)],
}
VALUES["money3"] = ["0", "1.5", "-2.25", "123.456", "0.001"]


def quote(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


class History:
    """Statements against the tables."""

    def __init__(self, rng, rows=40):
        self.rng = rng
        self.rows = rows

    def value(self, pool, nulls):
        if self.rng.random() < nulls:
            return "NULL"
        return str(self.rng.randrange(self.rows)) if pool == "ref" else quote(self.rng.choice(VALUES[pool]))

    def key(self, table):
        if table == "t2":
            return [str(self.rng.randrange(8)), quote(self.rng.choice(["a", "b", "", "ä", "zz"]))]
        return [str(self.rng.randrange(self.rows))]

    def key_columns(self, table):
        return ["k1", "k2"] if table == "t2" else ["id"]

    def where(self, table):
        return " AND ".join(f"{c} = {v}" for c, v in zip(self.key_columns(table), self.key(table)))

    def insert(self, table, count=1):
        names = self.key_columns(table) + [c for c, _, _ in COLUMNS[table]]
        rows = {}
        for _ in range(count):
            key = self.key(table)
            rows[tuple(key)] = "(" + ", ".join(key + [self.value(p, n) for _, p, n in COLUMNS[table]]) + ")"
        return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join(rows.values())} ON CONFLICT DO NOTHING"

    def sets(self, table):
        columns = self.rng.sample(COLUMNS[table], min(len(COLUMNS[table]), self.rng.choice([1, 1, 2, 4])))
        return ", ".join(f"{c} = {self.value(p, n)}" for c, p, n in columns)

    def statement(self):
        rng = self.rng
        table = rng.choice(["t1", "t1", "t2", "t2", "t3"])
        r = rng.random()
        if r < .42:
            return self.insert(table, rng.choice([1, 1, 3, 8]))
        if r < .67:
            return f"UPDATE {table} SET {self.sets(table)} WHERE {self.where(table)}"
        if r < .72:
            return f"UPDATE {table} SET {self.sets(table)} WHERE {'k1' if table == 't2' else 'id'} % 3 = {rng.randrange(3)}"
        if r < .78:  # another key
            column = "k1" if table == "t2" else "id"
            free = f"(SELECT max({column}) + 1 FROM {table})"
            return f"UPDATE {table} SET {column} = {free} WHERE {self.where(table)}"
        if r < .88:
            return f"DELETE FROM {table} WHERE {self.where(table)}"
        if r < .92:
            where = self.where(table)
            return f"CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT * FROM {table} WHERE {where}; DELETE FROM {table} WHERE {where}; " \
                   f"INSERT INTO {table} SELECT * FROM gone; DROP TABLE gone"
        if r < .95:
            return f"UPDATE one SET {self.sets('one')}"
        if r < .965:
            return f"DELETE FROM {table} WHERE {'k1' if table == 't2' else 'id'} % 5 = {rng.randrange(5)}"
        if r < .975:
            return f"TRUNCATE {rng.choice(['t1', 't2', 't3', 't2, t3'])}"
        return f"UPDATE {table} SET {COLUMNS[table][0][0]} = {COLUMNS[table][0][0]}"

    def transaction(self):
        """Statements of one transaction; savepoints inside, now and then a rollback."""
        out = ["BEGIN"]
        for _ in range(self.rng.choice([1, 1, 2, 4, 8])):
            text = self.statement()
            if self.rng.random() < .15:
                out += ["SAVEPOINT s", text, self.rng.choice(["ROLLBACK TO s", "RELEASE s"])]
            else:
                out.append(text)
        out.append("COMMIT" if self.rng.random() < .93 else "ROLLBACK")
        return "; ".join(out)

    def fill(self):
        return "; ".join([self.insert("t1", 30), self.insert("t2", 25), self.insert("t3", 20), "INSERT INTO one VALUES (1, 3, '2024-03-01')"])


# ---- random views ----

# What of each table the random expressions use: no values there whose arithmetic could fail or be inexact.
SCOPES = {
    "t1": [("id", "int"), ("a", "int"), ("c", "small"), ("b", "big"), ("m", "num"), ("s", "txt"), ("v", "txt"), ("ok", "bool"), ("ts", "ts"), ("n", "wild")],
    "t2": [("k1", "int"), ("k2", "txt"), ("t1_id", "int"), ("q", "int"), ("w", "num"), ("s", "txt"), ("d", "day")],
    "t3": [("id", "big"), ("g", "int"), ("h", "txt"), ("z", "num"), ("d", "day")],
}
KEYS = {"t1": ["id"], "t2": ["k1", "k2"], "t3": ["id"]}


class Generator:
    def __init__(self, rng):
        self.rng = rng
        self.views = {}  # earlier views that others may be built on: name -> [(column, kind)]

    def pick(self, *options):
        return self.rng.choice(options)

    def column(self, scope, kind):
        found = [c for c, k in scope if k == kind]
        return self.rng.choice(found) if found and self.rng.random() < .85 else None

    # -- expressions; every one is free of failure for the values of SCOPES

    def expr(self, scope, kind, depth=2):
        column = self.column(scope, kind)
        if depth == 0 or (column and self.rng.random() < .35):
            return column or self.literal(kind)
        if self.rng.random() < .15:
            x = [self.expr(scope, kind, depth - 1) for _ in range(2)]
            cond = self.cond(scope, depth - 1)
            return self.pick(f"CASE WHEN {cond} THEN {x[0]} ELSE {x[1]} END", f"CASE WHEN {cond} THEN {x[0]} END", f"coalesce({x[0]}, {x[1]})",
                             f"nullif({x[0]}, {x[1]})", f"greatest({x[0]}, {x[1]})", f"least({x[0]}, {x[1]})")
        return getattr(self, "e_" + kind, self.e_other)(scope, kind, depth - 1)

    def sort_key(self, scope):
        """PostgreSQL takes a bare number, also (-(-3)), for a column's position."""
        text = self.expr(scope, self.pick("int", "txt", "num"), 1)
        return text if any(c.isalpha() for c in text) else f"{text} + 0"

    @staticmethod
    def image(expression, kind, one_of_equals):
        """1.0 and 1.00 are equal and look different: where one of them is to be shown, PostgreSQL may choose either."""
        return f"round({expression}, 12)" if kind == "num" and one_of_equals else expression

    def literal(self, kind):
        rng = self.rng
        if kind in ("int", "small", "big"):
            return f"({rng.choice(SMALL)})" + {"big": "::bigint", "small": "::smallint", "int": ""}[kind]
        return {"num": f"{rng.choice(['0', '1.5', '2', '0.25', '10.00'])}::numeric", "txt": quote(rng.choice(WORDS)) + "::text", "bool": rng.choice(["true", "false"]),
                "day": f"date {quote(rng.choice(VALUES['day']))}", "ts": f"timestamp {quote(rng.choice(VALUES['timestamp']))}",
                "wild": "1::numeric"}[kind]

    def e_int(self, scope, _, depth):
        x, y = self.expr(scope, "int", depth), self.expr(scope, "int", depth)
        return self.pick(f"({x} + {y})", f"({x} - {y})", f"({x} * {self.rng.choice([2, 3, -1])})", f"({x} % {self.rng.choice([2, 3, 7])})", f"({x} / {self.rng.choice([2, 3])})",
                         f"abs({x})", f"length({self.expr(scope, 'txt', depth)})", f"(-{x})", f"extract(month FROM {self.expr(scope, 'day', depth)})::int",
                         f"({self.expr(scope, 'day', depth)} - date '2024-01-01')", f"(CASE WHEN {self.cond(scope, depth)} THEN 1 ELSE 0 END)",
                         f"strpos({self.expr(scope, 'txt', depth)}, 'b')", f"sign({x}::double precision)::int")

    def e_small(self, scope, kind, _):
        return self.column(scope, kind) or self.literal(kind)

    def e_big(self, scope, _, depth):
        x = self.expr(scope, "big", depth)
        return self.pick(f"({x} + {self.expr(scope, 'int', depth)})", f"{self.expr(scope, 'int', depth)}::bigint", f"({x} / 3)", f"({x} % 5)", f"abs({x})")

    def e_num(self, scope, _, depth):
        x, y = self.expr(scope, "num", depth), self.expr(scope, "num", depth)
        return self.pick(f"({x} + {y})", f"({x} - {y})", f"({x} * {y})", f"({x} / {self.rng.choice(['3', '7.5', '0.01'])})", f"round({x}, {self.rng.choice([0, 1, 2, -1])})",
                         f"{self.expr(scope, 'int', depth)}::numeric", f"trunc({x}, 1)", f"({x} * {self.expr(scope, 'int', depth)})", f"abs({x})", f"ceil({x})",
                         f"({x} / nullif({y}, 0))", f"{x}::numeric(60,1)", f"mod({x}, 2.5)")

    def e_txt(self, scope, _, depth):
        x = self.expr(scope, "txt", depth)
        return self.pick(f"upper({x})", f"lower({x})", f"({x} || {self.expr(scope, 'txt', depth)})", f"substr({x}, 1, 2)", f"trim({x})", f"{self.expr(scope, 'int', depth)}::text",
                         f"left({x}, 3)", f"right({x}, 2)", f"replace({x}, 'a', 'ä')", f"concat({x}, '-', {self.expr(scope, 'int', depth)})", f"reverse({x})",
                         f"{self.expr(scope, 'day', depth)}::text", f"lpad({x}, 5, '*')", f"md5({x})", f"split_part({x}, 'b', 1)", f"{self.expr(scope, 'num', depth)}::text",
                         f"initcap({x})", f"{x}::varchar(2)", f"concat_ws('/', {x}, {self.expr(scope, 'bool', depth)})")

    def e_bool(self, scope, _, depth):
        return f"({self.cond(scope, depth)})"

    def e_day(self, scope, _, depth):
        x = self.expr(scope, "day", depth)
        return self.pick(f"({x} + {self.rng.randrange(40)})", f"({x} - 1)", f"date_trunc('month', {x}::timestamp)::date", f"{self.expr(scope, 'ts', depth)}::date")

    def e_ts(self, scope, _, depth):
        x = self.expr(scope, "ts", depth)
        return self.pick(f"date_trunc('{self.pick('hour', 'day', 'week', 'month', 'quarter', 'year')}', {x})", f"({x} + interval '1 day 02:00')",
                         f"date_bin('15 minutes', {x}, timestamp '2001-01-01')", f"({x} - interval '1 month')", f"{self.expr(scope, 'day', depth)}::timestamp")

    def e_other(self, scope, kind, _):
        return self.column(scope, kind) or self.literal(kind)

    def cond(self, scope, depth=2):
        if depth > 0 and self.rng.random() < .4:
            x, y = self.cond(scope, depth - 1), self.cond(scope, depth - 1)
            return self.pick(f"({x} AND {y})", f"({x} OR {y})", f"NOT ({x})", f"({x}) IS NOT TRUE", f"({x}) IS UNKNOWN", f"(({x}) = ({y}))")
        kind = self.pick("int", "int", "num", "txt", "txt", "day", "bool", "big", "ts", "wild", "small")
        x, y = self.expr(scope, kind, depth), self.expr(scope, kind, max(depth - 1, 0))
        if kind == "bool":
            return self.pick(x, f"{x} IS FALSE", f"{x} IS NOT NULL")
        many = ", ".join(self.literal(kind) for _ in range(3)) + self.pick("", "", ", NULL")
        forms = [f"{x} {self.pick('=', '<>', '<', '<=', '>', '>=')} {y}", f"{x} IS NULL", f"{x} IS NOT NULL", f"{x} IS DISTINCT FROM {y}", f"{x} IS NOT DISTINCT FROM {y}",
                 f"{x} {self.pick('', 'NOT ')}IN ({many})", f"{x} {self.pick('', 'NOT ')}BETWEEN {self.literal(kind)} AND {y}"]
        if kind == "txt":
            pattern = self.pick("a%", "%b%", "_b", "%", "a\\%b", "", "%ä%")
            forms += [f"{x} {self.pick('LIKE', 'NOT LIKE', 'ILIKE')} {quote(pattern)}"] * 3
        return self.rng.choice(forms)

    # -- queries

    def item(self, alias, depth):
        """A FROM item: (text, scope with alias)."""
        r = self.rng.random()
        if depth > 0 and r < .2:
            sub = self.select(depth - 1, plain=True)
            return f"({sub[0]}) AS {alias}", [(f"{alias}.{c}", k) for c, k in sub[1]], None
        if self.views and r < .35:
            name = self.rng.choice(sorted(self.views))
            return f"{name} AS {alias}", [(f"{alias}.{c}", k) for c, k in self.views[name]], None
        table = self.pick("t1", "t1", "t2", "t2", "t3")
        return f"{table} AS {alias}", [(f"{alias}.{c}", k) for c, k in SCOPES[table]], [f"{alias}.{c}" for c in KEYS[table]]

    def source(self, depth):
        """FROM and WHERE: (text, scope, columns that name one row or None)."""
        text, scope, key = self.item("x", depth)
        joins = self.rng.choice([0, 0, 0, 1, 1, 2])
        for i in range(joins):
            alias = "yz"[i]
            other, more, other_key = self.item(alias, depth)
            if self.rng.random() < .1:
                text, scope, key = f"{text} CROSS JOIN one AS {alias}", scope + [(f"{alias}.lim", "int"), (f"{alias}.day", "day")], key
                continue
            pairs = [(a, b) for a, ka in scope for b, kb in more if ka == kb and ka in ("int", "txt", "day", "big")]
            if not pairs:
                continue
            left, right = self.rng.choice(pairs)
            on = f"{left} = {right}"
            if self.rng.random() < .3:
                on += f" AND {self.cond(scope + more, 1)}"
            kind = self.pick("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN" if i == 0 else "LEFT JOIN")
            text = f"{text} {kind} {other} ON {on}"
            scope = scope + more
            key = key + other_key if key and other_key else None
        if self.rng.random() < .6:
            text += f" WHERE {self.cond(scope)}"
        return text, scope, key

    def select(self, depth, plain=False):
        """A SELECT: (sql, columns)."""
        text, scope, key = self.source(depth)
        r = self.rng.random()
        if r < .4:
            return self.grouped(text, scope)
        kinds = [self.pick("int", "int", "num", "txt", "day", "bool", "big", "ts") for _ in range(self.rng.randrange(1, 5))]
        names = [f"c{i}" for i in range(len(kinds))]
        one_of_equals = r < .6  # DISTINCT and UNION show one of several equal values
        outs = [f"{self.image(self.expr(scope, k), k, one_of_equals)} AS {n}" for k, n in zip(kinds, names)]
        columns = list(zip(names, kinds))
        if r < .5:
            return f"SELECT DISTINCT {', '.join(outs)} FROM {text}", columns
        if r < .6 and not plain:
            other_text, other_scope, _ = self.source(0)
            other = [self.image(self.expr(other_scope, k), k, True) for k in kinds]
            return f"SELECT {', '.join(outs)} FROM {text} UNION {self.pick('ALL', 'ALL', '')} SELECT {', '.join(other)} FROM {other_text}", columns
        if r < .75 and key:
            ties = ", ".join(key)
            by = f"{self.sort_key(scope)} {self.pick('', 'DESC', 'NULLS FIRST', 'DESC NULLS LAST')}"
            if self.rng.random() < .4:
                offset = self.pick("", "", f" OFFSET {self.rng.randrange(4)}")
                return f"SELECT {', '.join(outs)} FROM {text} ORDER BY {by}, {ties} LIMIT {self.rng.randrange(1, 12)}{offset}", columns
            part = self.pick("", f"PARTITION BY {self.expr(scope, self.pick('int', 'txt'), 1)} ")
            fn, order = self.pick(("row_number", f"{by}, {ties}"), ("rank", by), ("dense_rank", by))
            inner = f"SELECT {', '.join(outs)}, {fn}() OVER ({part}ORDER BY {order}) AS rn FROM {text}"
            return f"SELECT {', '.join(names)}, rn FROM ({inner}) AS ranked WHERE rn <= {self.rng.randrange(1, 5)}", columns + [("rn", "big")]
        return f"SELECT {', '.join(outs)} FROM {text}", columns

    def grouped(self, text, scope):
        keys = [(self.expr(scope, k, 1), k) for k in self.rng.choice([[], ["int"], ["txt"], ["int", "txt"], ["day"], ["bool", "int"]])]
        outs, columns = [], []
        for i, (e, k) in enumerate(keys):
            outs.append(f"{e} AS k{i}")
            columns.append((f"k{i}", k))
        for i in range(self.rng.randrange(1, 5)):
            e, k = self.aggregate(scope)
            outs.append(f"{e} AS a{i}")
            columns.append((f"a{i}", k))
        sql = f"SELECT {', '.join(outs)} FROM {text}"
        if keys:
            sql += " GROUP BY " + ", ".join(str(i + 1) for i in range(len(keys)))
        if self.rng.random() < .3:
            sql += self.pick(f" HAVING count(*) > {self.rng.randrange(3)}", f" HAVING {self.aggregate(scope)[0]} IS NOT NULL",
                             f" HAVING sum({self.expr(scope, 'int', 1)}) > 2")
        return sql, columns

    def aggregate(self, scope):
        distinct = self.pick("", "", "DISTINCT ")
        kind = self.pick("int", "int", "num", "txt", "day", "big")
        x = self.image(self.expr(scope, kind, 1), kind, True)
        wide = {"int": "big", "big": "num", "num": "num"}
        forms = [("count(*)", "big"), (f"count({distinct}{x})", "big"), (f"min({x})", kind), (f"max({distinct}{x})", kind)]
        if kind in wide:
            forms += [(f"sum({distinct}{x})", wide[kind])] * 2 + [(f"avg({distinct}{x})", "wild")]
        forms += [(f"{self.pick('bool_and', 'bool_or', 'every')}({self.cond(scope, 1)})", "bool")]
        text, out = self.rng.choice(forms)
        if self.rng.random() < .25:
            text += f" FILTER (WHERE {self.cond(scope, 1)})"
        return text, out

    def view(self):
        """The SELECT of a view: (sql, columns)."""
        sql, columns = self.select(1)
        r = self.rng.random()
        if r < .1:
            sql = f"WITH base AS ({sql}) SELECT * FROM base"
        elif r < .18:
            sql = f"WITH base AS ({sql}), more AS (SELECT * FROM base) SELECT * FROM base UNION ALL SELECT * FROM more"
        return sql, columns
