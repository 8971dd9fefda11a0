#!/usr/bin/env python3
"""Records what PostgreSQL answers to some thousand expressions: writes expr_cases.tsv for tests/unit/expr_test.c.

usage: expr_cases.py [psql options] > expr_cases.tsv
The database must be PostgreSQL 15, encoding UTF8, locale C.UTF-8, TimeZone UTC. The choice of cases is random with a fixed seed.
Columns, tab separated as COPY writes them: expression, type of the result ("!" for an error), its text (or the error's words), \\N for NULL.
Expressions are lists in prefix notation: (lit TYPE 'text'), 'text' (of unknown type), null, (call NAME ...), (op NAME ...),
(cast TYPE x), (and ...), (or ...), (not x), (case c r ... e), (coalesce ...), (nullif x y), (greatest ...), (least ...),
(in x ...), (notin x ...), (is null|true|false|unknown x), (isnot ... x), (distinct x y), (notdistinct x y)."""
import random
import subprocess
import sys

random.seed(20240229)

POOL = {
    "bool": ["t", "f"],
    "int2": ["0", "1", "-1", "2", "7", "-9", "32767", "-32768", "100"],
    "int4": ["0", "1", "-1", "2", "3", "-7", "10", "2147483647", "-2147483648", "65536", "12345"],
    "int8": ["0", "1", "-1", "5", "-13", "9223372036854775807", "-9223372036854775808", "4294967296", "1000000007"],
    "numeric": ["0", "1", "-1", "0.00", "1.50", "2.5", "-2.5", "0.5", "-0.5", "3.14159", "-123.456", "99999999999999999999.99",
                "1000000000000000000000000000000", "0.000000000000000000001", "NaN", "Infinity", "-Infinity", "32767.5", "2147483647.4",
                "9223372036854775807.5", "12345678.9", "-7", "10", "1e-7"],
    "float4": ["0", "-0", "1", "-1.5", "0.1", "3.4e38", "-3.4e38", "1e-38", "NaN", "Infinity", "-Infinity", "2.5", "123456.7", "1e10"],
    "float8": ["0", "-0", "1", "-1.5", "0.1", "0.5", "1.5", "2.5", "-2.5", "1.7e308", "-1.7e308", "1e-300", "NaN", "Infinity", "-Infinity",
               "2147483647.5", "-32768.5", "9.3e18", "123.456", "1e15", "123456789012345680", "4", "2", "10", "-8"],
    "text": ["", "a", "abc", "ABC", "Hello World", " abc ", "x  ", "äöü ß", "ÀÉÎ", "straße", "ΑΒΓ σς", "日本語テキスト", "a😀b", "abcabc", "%", "a_c", "a%c",
             "10", " 10 ", "1.5", "true", "2024-02-29", "ǆ ǅ", "İıi", "a\\b", "O'Brien o'neil 3rd", "tab\there", "x-y_z 9lives", ","],
    "varchar": ["", "abc", "Hello", "x  ", "äöü", "10"],
    "varchar(3)": ["abc", "ä", ""],
    "bpchar(5)": ["abc", "ab", "", "x y", "äöüßé"],
    "bytea": ["", "\\x00", "\\x616263", "\\xdeadbeef", "\\x6162"],
    "date": ["2000-01-01", "2024-02-29", "1970-01-01", "1999-12-31", "infinity", "-infinity", "0044-03-15 BC", "2023-12-31", "2021-01-03",
             "5874897-12-31", "4714-11-24 BC", "0001-01-01"],
    "time": ["00:00:00", "12:34:56.789", "23:59:59.999999", "24:00:00", "06:30:00"],
    "timestamp": ["2000-01-01 00:00:00", "2024-02-29 12:34:56.789123", "1969-12-31 23:59:59.5", "infinity", "-infinity", "2024-12-30 08:00:00",
                  "0044-03-15 12:00:00 BC", "294276-12-31 23:59:59.999999", "2001-09-09 01:46:40", "2023-01-31 10:00:00"],
    "timestamptz": ["2000-01-01 00:00:00+00", "2024-02-29 12:34:56.789123+02", "1969-12-31 23:59:59.5+00", "infinity", "-infinity",
                    "2024-03-31 01:30:00+00", "2023-07-01 23:00:00-05"],
    "interval": ["0", "1 day", "1 mon", "-1 mon -2 days", "1 year 2 mons 3 days 04:05:06.789", "-00:00:01", "36:00:00", "40 days", "25 hours", "-1 day",
                 "1 mon -1 hour", "178000000 years", "30 days", "00:15:00"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"],
}
INTS = ["int2", "int4", "int8"]
NUMBERS = INTS + ["numeric", "float4", "float8"]
STAMPS = ["date", "timestamp", "timestamptz"]
COUNT = ["0", "1", "2", "3", "-1", "-2", "5", "2147483647", "-2147483648"]
FIELDS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century",
          "millennium", "dow", "isodow", "doy", "isoyear", "epoch", "julian", "timezone", "timezone_hour", "timezone_minute", "Years", "mins", "foo"]


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def sexp_quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\t", "\\t").replace("\n", "\\n") + "'"


def lit(kind, text=None):
    return ("lit", kind, random.choice(POOL[kind]) if text is None else text)


def u(text):
    return ("unknown", text)


NULL = ("null",)


def maybe_null(x, one_in=25):
    return ("cast", x[1], NULL) if x[0] == "lit" and random.randrange(one_in) == 0 else x


def sql(e):
    k = e[0]
    if k == "lit":
        return f"({quote(e[2])}::{e[1]})"
    if k == "unknown":
        return quote(e[1])
    if k == "null":
        return "NULL"
    if k == "cast":
        return f"({sql(e[2])}::{e[1]})"
    if k == "call":
        return f'"{e[1]}"(' + ", ".join(map(sql, e[2:])) + ")"
    if k == "op":
        return f"({e[1]} {sql(e[2])})" if len(e) == 3 else f"({sql(e[2])} {e[1]} {sql(e[3])})"
    if k in ("and", "or"):
        return "(" + f" {k} ".join(map(sql, e[1:])) + ")"
    if k == "not":
        return f"(not {sql(e[1])})"
    if k == "case":
        whens = "".join(f" when {sql(e[i])} then {sql(e[i + 1])}" for i in range(1, len(e) - 1, 2))
        return f"(case{whens} else {sql(e[-1])} end)"
    if k in ("coalesce", "nullif", "greatest", "least"):
        return f"{k}(" + ", ".join(map(sql, e[1:])) + ")"
    if k in ("in", "notin"):
        return f"({sql(e[1])} {'not ' if k == 'notin' else ''}in (" + ", ".join(map(sql, e[2:])) + "))"
    if k in ("is", "isnot"):
        return f"({sql(e[2])} is {'not ' if k == 'isnot' else ''}{e[1]})"
    if k in ("distinct", "notdistinct"):
        return f"({sql(e[1])} is {'not ' if k == 'notdistinct' else ''}distinct from {sql(e[2])})"
    raise ValueError(k)


def sexp(e):
    k = e[0]
    if k == "lit":
        return f"(lit {e[1]} {sexp_quote(e[2])})"
    if k == "unknown":
        return sexp_quote(e[1])
    if k == "null":
        return "null"
    return "(" + " ".join([k] + [x if isinstance(x, str) else sexp(x) for x in e[1:]]) + ")"


CASES = []
SEEN = set()


def add(e):
    s = sexp(e)
    if s not in SEEN:
        SEEN.add(s)
        CASES.append(e)


def sample(n, make):
    for _ in range(n):
        add(make())


def args(*kinds):
    """A literal for each kind; a list stands for those texts, typed as its first element."""
    out = []
    for kind in kinds:
        if isinstance(kind, tuple):
            out.append(maybe_null(lit(kind[0], random.choice(kind[1]))))
        else:
            out.append(maybe_null(lit(kind)))
    return out


def calls(n, name, *kinds):
    sample(n, lambda: ("call", name, *args(*kinds)))


def ops(n, name, *kinds):
    sample(n, lambda: ("op", name, *args(*kinds)))


# numbers
for x in NUMBERS:
    for y in NUMBERS:
        for op in ["+", "-", "*", "/"]:
            ops(7 if x == y else 3, op, x, y)
        ops(2, "%", x, y)
        for op in ["=", "<>", "<", "<=", ">", ">="]:
            ops(2, op, x, y)
    for op in ["-", "+", "@"]:
        ops(4, op, x)
    for name in ["abs", "round", "ceil", "ceiling", "floor", "trunc", "sign"]:
        calls(8, name, x)
    for y in INTS:
        calls(2, "mod", x, y)
for name in ["round", "trunc"]:
    calls(40, name, "numeric", ("int4", ["0", "1", "2", "-1", "-2", "5", "20", "-3"]))
    calls(3, name, "float8", ("int4", ["1"]))
    calls(3, name, "int4", ("int4", ["-1", "1"]))
calls(20, "div", "numeric", "numeric")
calls(20, "mod", "numeric", "numeric")
for name in ["sqrt", "exp", "ln", "log", "cbrt", "degrees", "radians", "sin", "cos", "tan", "atan", "log10"]:
    calls(12, name, "float8")
for name in ["asin", "acos"]:
    calls(6, name, ("float8", ["0", "1", "-1", "0.5", "2", "NaN"]))
calls(50, "power", "float8", "float8")
ops(12, "^", "float8", "int4")
ops(8, "^", "int4", "int4")
calls(8, "atan2", "float8", "float8")
calls(8, "gcd", "int4", "int4")
calls(8, "lcm", "int8", "int8")
calls(6, "to_hex", "int4")
calls(6, "to_hex", "int8")
for op in ["&", "|", "#"]:
    ops(5, op, "int4", "int4")
    ops(3, op, "int8", "int4")
ops(4, "~", "int8")

# comparisons of the rest
for x, y in [(t, t) for t in POOL] + [(s, t) for s in STAMPS for t in STAMPS] + [("bpchar(5)", "text"), ("text", "bpchar(5)"), ("varchar", "text"),
             ("varchar", "bpchar(5)"), ("varchar(3)", "varchar")]:
    for op in ["=", "<>", "<", "<=", ">", ">="]:
        ops(4, op, x, y)
for x, y in [("text", "int4"), ("bool", "int4"), ("date", "int4"), ("uuid", "text"), ("bytea", "text"), ("time", "timestamp"), ("interval", "int4"),
             ("text", "date")]:
    ops(1, "=", x, y)
    ops(1, "<", x, y)
    ops(1, "+", x, y)

# text
for name in ["lower", "upper", "initcap", "length", "char_length", "character_length", "octet_length", "bit_length", "btrim", "ltrim", "rtrim",
             "reverse", "ascii", "md5"]:
    for text in POOL["text"]:
        add(("call", name, lit("text", text)))
    calls(3, name, "bpchar(5)")
    calls(2, name, "varchar")
    calls(1, name, "int4")
for name in ["length", "octet_length", "bit_length", "md5"]:
    calls(4, name, "bytea")
for name in ["left", "right"]:
    calls(25, name, "text", ("int4", COUNT))
for name in ["substring", "substr"]:
    calls(20, name, "text", ("int4", COUNT))
    calls(40, name, "text", ("int4", COUNT), ("int4", COUNT))
    calls(8, name, "bytea", ("int4", COUNT), ("int4", ["0", "1", "2", "3"]))
for name in ["lpad", "rpad"]:
    calls(15, name, "text", ("int4", ["0", "1", "5", "12", "-3"]))
    calls(25, name, "text", ("int4", ["0", "1", "5", "12", "-3"]), ("text", ["", "x", "äb", "日本", "abc"]))
for name in ["btrim", "ltrim", "rtrim"]:
    calls(20, name, "text", ("text", ["", " ", "a", "abc", "äüx", "日", " x"]))
calls(15, "repeat", "text", ("int4", ["0", "1", "3", "-1"]))
PART = ("text", ["", "a", "b", "bc", "ab", "日本", "ü", "l", "c", " "])
calls(40, "replace", "text", PART, ("text", ["", "X", "äö", "aa"]))
for name in ["strpos", "position", "starts_with"]:
    calls(25, name, "text", PART)
calls(40, "split_part", "text", ("text", ["", "a", "b", " ", "bc", ",", "本"]), ("int4", ["1", "2", "3", "-1", "-2", "0", "9"]))
calls(40, "translate", "text", ("text", ["abc", "äü", "", "lo", "aab"]), ("text", ["x", "xyz", "", "日本"]))
calls(15, "overlay", "text", ("text", ["X", "日本", ""]), ("int4", ["1", "2", "3", "0", "-1", "10"]), ("int4", ["0", "1", "2", "-1", "5"]))
calls(8, "overlay", "text", ("text", ["X", "日本", ""]), ("int4", ["1", "2", "3", "0"]))
calls(20, "chr", ("int4", ["65", "0", "-1", "228", "8364", "128512", "1114111", "1114112", "55296", "127", "2047", "2048", "65535"]))
KINDS = list(POOL)
sample(60, lambda: ("call", "concat", *args(*random.choices(KINDS, k=random.randrange(1, 5)))))
sample(40, lambda: ("call", "concat_ws", *args("text", *random.choices(KINDS, k=random.randrange(1, 4)))))
add(("call", "concat", u("a"), NULL, u("b"), lit("int4", "5")))
add(("call", "concat_ws", u("-"), NULL, u("b"), lit("bool", "t")))
add(("call", "concat_ws", NULL, u("b")))
for kind in KINDS:
    ops(2, "||", "text", kind)
    ops(2, "||", kind, "text")
    add(("op", "||", lit(kind), u("z")))
    add(("op", "||", u("z"), lit(kind)))
ops(2, "||", "int4", "int4")
LIKE = ("text", ["%", "a%", "%c", "_b_", "a\\%c", "a\\_c", "%b%", "", "abc", "ABC", "h%o w%", "%本%", "_😀_", "abc\\", "%ß", "ä%", "%%", "_", "__%", "%a%b%c%", "Σ%",
                 "%\\\\%", "%l_d", "αβγ%"])
for op in ["~~", "!~~", "~~*", "!~~*"]:
    ops(60, op, "text", LIKE)
    ops(5, op, "bpchar(5)", LIKE)
    ops(3, op, "varchar", LIKE)
ops(2, "~~", "int4", "text")
calls(30, "like_escape", ("text", ["a#%b", "a##b", "%#", "a\\b", "#_x", "", "äb"]), ("text", ["#", "", "\\", "ä", "##", "%"]))

# dates
for x, y in [("date", "int4"), ("int4", "date"), ("date", "int2")]:
    ops(10, "+", x, y)
    ops(8, "-", x, y)
SMALL = ("interval", ["0", "1 day", "1 mon", "-1 mon -2 days", "1 year 2 mons 3 days 04:05:06.789", "-00:00:01", "36:00:00", "13 mons"])
for x in STAMPS + ["time"]:
    ops(20, "+", x, SMALL)
    ops(8, "+", SMALL, x)
    ops(20, "-", x, SMALL)
    ops(2, "+", x, "interval")
for x in STAMPS + ["time"]:
    for y in STAMPS + ["time"]:
        ops(6, "-", x, y)
        ops(4, "+", x, y)
ops(30, "+", "interval", "interval")
ops(30, "-", "interval", "interval")
ops(10, "-", "interval")
FACTOR = ("float8", ["0", "1", "-1", "0.5", "1.5", "2.25", "1e10", "0.1", "3"])
ops(40, "*", "interval", FACTOR)
ops(10, "*", FACTOR, "interval")
ops(10, "*", "interval", "int4")
ops(40, "/", "interval", FACTOR)
for x in ["timestamp", "timestamptz"]:
    calls(30, "age", x, x)
calls(3, "age", "date", "date")
for name in ["justify_hours", "justify_days", "justify_interval"]:
    calls(20, name, "interval")
calls(20, "make_date", ("int4", ["2024", "-44", "0", "1999", "6000000"]), ("int4", ["1", "2", "12", "13", "0"]), ("int4", ["1", "28", "29", "30", "31", "32"]))
calls(20, "to_timestamp", ("float8", ["0", "1700000000.123456", "-1e12", "1e18", "NaN", "Infinity", "-0.5", "1e-7"]))
for name in ["extract", "date_part"]:
    for kind in STAMPS + ["time", "interval"]:
        for field in FIELDS:
            for _ in range(3):
                x = lit(kind)
                if field != "foo" or kind != "date":
                    add(("call", name, u(field), x))
add(("call", "date_part", u("foo"), lit("date", "2024-02-29")))
add(("call", "extract", u("foo"), lit("date", "2024-02-29")))
for kind in STAMPS + ["interval"]:
    for field in FIELDS:
        for _ in range(2):
            x = lit(kind)
            if field != "foo" or "infinity" not in x[2] and x[2] != "5874897-12-31":
                add(("call", "date_trunc", u(field), x))
for field in ["day", "hour", "month"]:
    add(("call", "date_trunc", u(field), lit("timestamptz"), u("UTC")))
STRIDE = ("interval", ["15 minutes", "1 day", "7 days", "00:00:00.5", "0", "1 mon", "-1 hour"])
for kind in ["timestamp", "timestamptz"]:
    calls(20, "date_bin", STRIDE, kind, (kind, ["2000-01-01", "2001-02-03 04:05:06"]))
    for text in POOL[kind]:
        add(("call", "timezone", u("UTC"), lit(kind, text)))
for kind in ["date", "timestamp", "timestamptz", "interval"]:
    calls(4, "isfinite", kind)

# unknown literals and resolution. A constant unit that is none is refused when the view is made, before any value: hence no "foo" above
# where PostgreSQL looks at the value first.
for e in [
    ("op", "+", lit("int4", "1"), u("2")), ("op", "+", u("1"), u("2")), ("op", "+", lit("date"), u("1")), ("op", "-", lit("date", "2024-02-29"), u("2024-01-01")),
    ("op", "=", u("a"), u("b")), ("op", "<", lit("numeric", "1.5"), u("2")), ("op", "=", lit("int4", "1"), u("x")), ("op", "=", lit("varchar", "x"), u("x")),
    ("op", "=", lit("bpchar(5)", "abc"), u("abc  ")), ("op", "=", lit("uuid"), u("zz")), ("op", "*", lit("interval", "1 day"), u("2")),
    ("op", "||", u("a"), u("b")), ("op", "||", u("a"), NULL), ("op", "||", lit("bool", "t"), u("")), ("op", "-", u("1")), ("op", "/", lit("float4", "1.5"), u("2")),
    ("op", "-", lit("timestamp", "2024-12-30 08:00:00"), u("1 day")), ("op", "+", lit("timestamp", "2024-12-30 08:00:00"), u("1 day")), ("op", "+", u("1 day"), lit("timestamptz", "2000-01-01 00:00:00+00")),
    ("op", "<=", lit("timestamptz", "2000-01-01 00:00:00+00"), u("2024-01-01")), ("op", "=", lit("bool", "t"), u("yes")), ("op", "=", lit("bool", "t"), u("maybe")),
    ("call", "length", u("äbc")), ("call", "abs", u("-1")), ("call", "round", u("2.5")), ("call", "round", lit("int4", "7"), u("1")), ("call", "lower", NULL),
    ("call", "lower", lit("int4", "1")), ("call", "lower"), ("call", "lower", u("A"), u("B")), ("call", "date_trunc", u("day"), u("2024-01-01")),
    ("call", "extract", u("year"), u("2024-01-01")), ("call", "age", u("2024-01-01"), u("2023-01-01")), ("call", "sqrt", lit("int4", "2")), ("call", "power", lit("int4", "2"), lit("int8", "10")),
    ("call", "ceil", lit("int8", "3")), ("call", "md5", u("abc")), ("call", "substring", u("hello"), lit("int4", "2")), ("call", "left", u("hello"), u("2")),
    ("call", "repeat", u("ab"), lit("int8", "3")), ("call", "mod", lit("int2", "7"), lit("int8", "4")), ("call", "mod", lit("int4", "7"), lit("numeric", "2.5")), ("call", "div", lit("int4", "7"), lit("int4", "2")),
    ("call", "sign", lit("int4", "-7")), ("call", "floor", lit("float4", "2.5")), ("call", "replace", u("abc"), u("b"), lit("varchar", "x")), ("call", "upper", lit("bpchar(5)", "ab")),
    ("call", "concat", lit("bpchar(5)", "ab"), u("|")), ("call", "split_part", lit("varchar", "Hello"), u("l"), lit("int2", "1")), ("call", "timezone", u("UTC"), lit("date", "2024-02-29")),
    ("call", "isfinite", u("2024-01-01")), ("call", "to_hex", lit("int2", "7")), ("call", "gcd", lit("int2", "6"), lit("int4", "4")),
    ("op", "~~", lit("int4", "1"), u("1%")), ("op", "^", lit("int4", "2"), u("3")), ("op", "%", lit("float8", "5"), lit("float8", "3")), ("op", "%", lit("numeric", "5.5"), lit("int4", "3")),
]:
    add(e)

# casts
for source in POOL:
    for target in ["bool", "int2", "int4", "int8", "numeric", "float4", "float8", "text", "varchar", "bpchar", "bytea", "date", "time", "timestamp", "timestamptz",
                   "interval", "uuid", "varchar(3)", "bpchar(4)", "numeric(6,2)", "numeric(20,10)", "timestamp(3)", "timestamptz(0)", "time(2)"]:
        for text in random.sample(POOL[source], min(len(POOL[source]), 6)):
            add(("cast", target, lit(source, text)))
for source in ["int2", "int4", "int8", "numeric", "float4", "float8"]:
    for target in ["int2", "int4", "int8", "numeric", "float4", "float8", "text"]:
        for text in POOL[source]:
            add(("cast", target, lit(source, text)))
for target in POOL:
    for text in ["", "abc", "1", "-5", "1.5", "t", "off", "2024-02-30", "12:00", "1 day", "\\x41", "99999999999999999999", " 7 ", "1e3", "0x10", "epoch", "P1D"]:
        add(("cast", target, u(text)))

# forms
BOOLS = [lit("bool", "t"), lit("bool", "f"), ("cast", "bool", NULL)]
for x in BOOLS:
    add(("not", x))
    for word in ["null", "true", "false", "unknown"]:
        add(("is", word, x))
        add(("isnot", word, x))
    for y in BOOLS:
        for k in ["and", "or"]:
            add((k, x, y))
            for z in BOOLS:
                add((k, x, y, z))
        add(("distinct", x, y))
        add(("notdistinct", x, y))
add(("and", lit("int4", "1"), lit("bool", "t")))
add(("not", lit("text", "a")))
add(("not", u("t")))
add(("is", "true", lit("int4", "1")))
MIX = NUMBERS + ["numeric(6,2)"]
POOL["numeric(6,2)"] = ["1.5", "-3", "0"]


def same_family():
    family = random.choice([NUMBERS, ["text", "varchar", "bpchar(5)"], STAMPS, ["text"], ["uuid"], ["interval"], ["bool"], ["bytea"], ["time"], ["float8"]])
    out = [maybe_null(lit(random.choice(family)), 5) for _ in range(random.randrange(2, 5))]
    if random.randrange(4) == 0:
        out.append(NULL)
    if random.randrange(6) == 0:
        out.append(u(random.choice(POOL[family[0]])))
    random.shuffle(out)
    return out


for form in ["coalesce", "greatest", "least"]:
    sample(150, lambda: (form, *same_family()))
sample(150, lambda: (random.choice(["in", "notin"]), *same_family()))
sample(120, lambda: ("nullif", *same_family()[:2]))
sample(120, lambda: (random.choice(["distinct", "notdistinct"]), *same_family()[:2]))
sample(120, lambda: ("case", *[z for r in same_family() for z in (random.choice(BOOLS), r)], same_family()[0]))
for e in [
    ("coalesce", lit("int4", "1"), lit("text", "a")), ("greatest", u("a"), u("b")), ("coalesce", NULL, NULL), ("nullif", u("a"), u("a")), ("nullif", NULL, NULL),
    ("case", lit("bool", "t"), lit("int4", "1"), lit("text", "a")), ("case", lit("int4", "1"), u("a"), u("b")), ("in", lit("int4", "1"), u("x")), ("in", lit("int4", "1"), u("1"), u("2")),
    ("in", lit("int4", "1"), lit("text", "a"), lit("text", "b")), ("in", lit("text", "a"), NULL), ("notin", lit("text", "a"), u("b"), NULL), ("in", lit("text", "a"), u("a"), NULL),
    ("case", ("op", "<>", lit("int4", "0"), lit("int4", "0")), ("op", "/", lit("int4", "1"), lit("int4", "2")), u("7")),
    ("nullif", lit("int4", "1"), lit("numeric", "1.0")), ("nullif", lit("varchar", "abc"), u("abc")), ("nullif", lit("int4", "1"), lit("text", "1")),
]:
    add(e)

# small trees
LEAVES = {"n": ["int2", "int4", "int8", "numeric", "float8"], "t": ["text", "varchar"], "d": STAMPS, "b": ["bool"]}


def tree(kind, depth):
    if depth == 0 or random.randrange(5) == 0:
        return maybe_null(lit(random.choice(LEAVES[kind])), 10)
    sub = lambda k: tree(k, depth - 1)
    if kind == "n":
        return random.choice([
            lambda: ("op", random.choice("+-*/"), sub("n"), sub("n")), lambda: ("call", random.choice(["abs", "round", "floor", "sign"]), sub("n")),
            lambda: ("coalesce", sub("n"), sub("n")), lambda: ("case", sub("b"), sub("n"), sub("n")), lambda: ("call", "length", sub("t")),
            lambda: ("op", "-", sub("n")), lambda: ("nullif", sub("n"), sub("n")), lambda: ("call", "date_part", u("day"), sub("d"))])()
    if kind == "t":
        return random.choice([
            lambda: ("op", "||", sub("t"), sub("t")), lambda: ("call", random.choice(["upper", "lower", "btrim", "reverse"]), sub("t")),
            lambda: ("cast", "text", sub("n")), lambda: ("call", "left", sub("t"), lit("int4", "3")), lambda: ("case", sub("b"), sub("t"), sub("t")),
            lambda: ("greatest", sub("t"), sub("t")), lambda: ("call", "concat", sub("t"), sub("n"))])()
    if kind == "d":
        return random.choice([lambda: ("op", "+", sub("d"), lit("interval", "1 day")), lambda: ("call", "date_trunc", u("month"), sub("d")),
                              lambda: ("least", sub("d"), sub("d"))])()
    return random.choice([
        lambda: (random.choice(["and", "or"]), sub("b"), sub("b")), lambda: ("not", sub("b")), lambda: ("op", random.choice(["=", "<", ">=", "<>"]), sub("n"), sub("n")),
        lambda: ("op", random.choice(["=", "<", ">"]), sub("t"), sub("t")), lambda: ("op", "<", sub("d"), sub("d")), lambda: ("is", "null", sub("t")),
        lambda: ("in", sub("n"), sub("n"), sub("n")), lambda: ("op", "~~", sub("t"), u("%a%"))])()


for kind in "ntdb":
    sample(250, lambda: tree(kind, 3))

SETUP = """
set client_min_messages = error; set timezone = 'UTC';
create or replace function pg_temp.attempt(q text) returns text[] language plpgsql as $f$
declare r text[];
begin
  execute 'select array[pg_typeof(x)::text, case when x is null then null else format(''%s'', x) end] from (select ' || q || ') s(x)' into r;
  return r;
exception when others then return array['!', sqlerrm];
end $f$;
create temp table cases (id serial, e text, q text);
copy cases (e, q) from stdin;
"""


def copy_escape(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


script = SETUP + "".join(f"{copy_escape(sexp(e))}\t{copy_escape(sql(e))}\n" for e in CASES) + "\\.\n"
script += "copy (select e, r[1], r[2] from (select id, e, pg_temp.attempt(q) r from cases) s order by id) to stdout;\n"
done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *sys.argv[1:]], input=script.encode(), stdout=subprocess.PIPE, check=True)
sys.stdout.buffer.write(done.stdout)
