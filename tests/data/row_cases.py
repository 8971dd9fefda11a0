#!/usr/bin/env python3
"""Records what PostgreSQL answers about numerics and about every type's text and binary forms.

usage: row_cases.py decimal|datum [psql options] > decimal_cases.tsv|datum_cases.tsv
The database must be PostgreSQL 15, encoding UTF8, locale C.UTF-8, TimeZone UTC. The choice of cases is random with a fixed seed.
Columns, tab separated as COPY writes them:
  decimal: operation, x, y (may be empty), answer ("!words" for an error)
  datum: type name, its modifiers (comma separated), input text, output text ("!words" for an error), binary form in hex"""
import random
import struct
import subprocess
import sys

random.seed(15)

OPERATIONS = {
    "add": "($1::numeric + $2::numeric)::text", "subtract": "($1::numeric - $2::numeric)::text",
    "multiply": "($1::numeric * $2::numeric)::text", "divide": "($1::numeric / $2::numeric)::text",
    "modulo": "($1::numeric % $2::numeric)::text", "quotient": "div($1::numeric, $2::numeric)::text",
    "compare": "case when $1::numeric < $2::numeric then -1 when $1::numeric > $2::numeric then 1 else 0 end::text",
    "round": "round($1::numeric, $2::int)::text", "truncate": "trunc($1::numeric, $2::int)::text",
    "floor": "floor($1::numeric)::text", "ceil": "ceil($1::numeric)::text", "negate": "(- $1::numeric)::text",
    "absolute": "abs($1::numeric)::text", "parse": "$1::numeric::text", "int8": "$1::numeric::int8::text",
    "int2": "$1::numeric::int2::text", "double": "$1::numeric::float8::text", "from_double": "$1::float8::numeric::text",
    "from_float": "$1::float4::numeric::text", "sign": "case when $1::numeric = 'NaN' then 1 else sign($1::numeric) end::text",
}
PAIRS = ["add", "subtract", "multiply", "divide", "modulo", "quotient", "compare"]
SINGLES = ["floor", "ceil", "negate", "absolute", "int8", "int2", "double", "sign"]
LITERALS = ["0", "0.0", "0.000", "1", "-1", "1.0", "1.00", "-0.5", "0.5", "1.5", "-1.5", "2.5", "-2.5", "0.49999999999999999999", "0.05",
            "9999", "10000", "10001", "99999999", "0.0001", "0.00001", "9223372036854775807", "-9223372036854775808",
            "9223372036854775808", "-9223372036854775809", "9223372036854775807.5", "9223372036854775806.5", "32767.4", "32767.5",
            "170141183460469231731687303715884105727", "-170141183460469231731687303715884105728",
            "170141183460469231731687303715884105728", "99999999999999999999999999999999999999", "123456789012345678901234567890.12345",
            "0.000000000000000000000000000000000000000001", "1e30", "-1e-30", "NaN", "Infinity", "-Infinity", "3", "7", "11", "0.3",
            "100000000000000000000", "12345678901234567890123456789012345678901234567890.123456789012345678901234567890"]
TEXTS = ["", " ", "1", " 1 ", "+1", "-1", "--1", "+-1", "1.", ".1", ".", "-.5", "1.2.3", "1e5", "1E+5", "1e-5", "1e", "1e+", "1e 5", "1 e5", "1e5 ",
         "1e5x", "1x", "x1", "nan", "NaN", "+nan", "-nan", "nanx", "inf", "+inf", "-inf", "Infinity", "+infinity", "-INFINITY", "infin", "inf inity",
         "0e100", "0e-100", "0e-20000", "-0", "-0.000", "000123.4500", "1e-16383", "1e-16384", "1e131072", "1e1000000000", "1e-1000000000",
         "1e2147483648", "1e99999999999999999999", "1_000", "0x10", "\t12\n", "1\v", "123456789012345678", "1234567890123456789", "0.1234567890123456789",
         "12345678901234567890123456789012345678.9", "123456789012345678901234567890123456789", "9e18", "9.3e18", "1.5e1", "15e-1", "1e-2e1", "é"]


def digits(n):
    return "".join(random.choice("0123456789") for _ in range(n))


def number():
    if random.random() < 0.12:
        return random.choice(LITERALS)
    whole = digits(random.choice([1, 1, 2, 3, 4, 5, 8, 9, 12, 18, 19, 20, 30, 38, 39, 45]))
    scale = random.choice([0, 0, 1, 2, 2, 2, 3, 4, 5, 8, 16, 19, 25, 40])
    text = ("-" if random.random() < 0.4 else "") + whole + ("." + digits(scale) if scale else "")
    return text if random.random() < 0.9 else "0." + "0" * random.randrange(40) + digits(random.randrange(1, 25))


def decimal_cases():
    cases = [("parse", t, "") for t in TEXTS]
    small = LITERALS[:20] + LITERALS[-12:]
    for op in PAIRS:
        cases += [(op, x, y) for x in small for y in small if random.random() < 0.25]
        cases += [(op, x, y) for x in ["NaN", "Infinity", "-Infinity", "0", "2", "-2.50"] for y in ["NaN", "Infinity", "-Infinity", "0", "2", "-2.50"]]
        cases += [(op, number(), number()) for _ in range(170)]
    for op in SINGLES:
        cases += [(op, x, "") for x in LITERALS] + [(op, number(), "") for _ in range(25)]
    for op in ["round", "truncate"]:
        cases += [(op, number(), str(random.choice([0, 0, 1, 2, 3, -1, -2, -3, -5, -19, -40, 10, 20, 41, 60]))) for _ in range(150)]
    for _ in range(200):
        p = random.choice([1, 2, 3, 5, 10, 12, 20, 38, 50])
        s = random.choice([0, 1, 2, 3, 4, 10, -1, -2, -3])
        cases.append((f"numeric({p},{s})", number(), ""))
    cases += [("numeric(2,4)", x, "") for x in ["0.0099", "0.00994", "0.00995", "0.01", "0", "-0.0099"]]
    for _ in range(60):
        cases.append(("from_double", repr(struct.unpack("d", random.randbytes(8))[0]), ""))
        cases.append(("from_double", repr(round(random.uniform(-1e6, 1e6), random.randrange(6))), ""))
        cases.append(("from_float", repr(struct.unpack("f", random.randbytes(4))[0]), ""))
    cases += [("double", "1e400", ""), ("double", "1e-400", ""), ("compare", "1e131071", "1e-16383"), ("compare", "1e100", "1e100"),
              ("multiply", "1e100000", "1e100000"), ("add", "9e131071", "1e131071"), ("subtract", "1e131071", "1e131071"),
              ("divide", "1e131071", "1e-5"), ("divide", "1", "1e1200"), ("divide", "1e1200", "7e1190")]
    return [c for c in cases if not (c[0] == "double" and c[1].startswith("1e"))]


def floats():
    out = ["0", "-0", "1", "-1", "0.1", "0.2", "0.3", "1.5", "100", "1e15", "1e14", "123456789012345", "1234567890123456", "123456", "1234567", "0.0001",
           "0.00001", "0.00012345", "1e22", "1e23", "1e24", "5e-324", "2.2250738585072014e-308", "2.225073858507201e-308", "1.7976931348623157e308",
           "1e400", "1e-400", "nan", "NaN", "inf", "Infinity", "-Infinity", "+inf", "infinity ", " 1 ", "", " ", "x", "1x", "0x1p3", "1e", "1e5",
           "9007199254740992", "9007199254740993", "4503599627370496.5", "16777216", "16777217", "3.4028235e38", "1e39", "1e-45", "1e-46",
           "1.17549435e-38", "0.30000000000000004", "2.5", "1_0", "1.", ".5", ".", "8388608.5", "1e10", "33554432", "3.3554432e7"]
    out += [repr(2.0 ** k) for k in random.sample(range(-1070, 1020), 120)] + [repr(2.0 ** k) for k in range(-149, 128, 7)]
    out += [repr(struct.unpack("d", random.randbytes(8))[0]) for _ in range(150)]
    out += [repr(struct.unpack("f", random.randbytes(4))[0]) for _ in range(150)]
    out += [repr(round(random.uniform(-1e4, 1e4), random.randrange(8))) for _ in range(80)]
    out += [str(random.randrange(1, 100)) + "e" + str(random.randrange(-30, 38)) for _ in range(80)]
    return out


JSON = ["", " ", "null", "true", "false", "nul", "trueX", "1", "-1", "-", "01", "1.", "1.50", ".5", "1e5", "1E-3", "1e", "-0", "-0.0", "1x", '"a"', '"a', '"\\u00e4"',
        '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"', '"\\u0000"', '"\\u12"', '"\\x"', '"\t"', '"\\t\\n\\r\\b\\f\\/\\\\\\""', '"\\u0001\\u001f\\u007f"', "[]",
        "[ ]", "[1,2]", "[1,,2]", "[1,]", "[", "]", "{}", "{ }", '{"a":1}', '{"b":1,"a":2,"aa":3,"":4}', '{"a":1,"a":2,"b":3,"a":{"x":[]}}', '{"a"}', '{"a":}',
        '{"a":1,}', "{1:2}", '{"a":1 "b":2}', ' [ 1 , {"k" : [true , null]} ] ', '"äöü日本😀"', '{"é":1,"zz":2,"a":3}', "1 2", "[1] x", "'a'", '["a","b\\nc"]',
        "1e1000", "123456789012345678901234567890.1234567890", "0.10", "[[[[[]]]]]", '{"a":{"c":1,"b":{"z":1,"y":"\\u0041"}}}', "tru", "NaN", '{"a":null}', "[nulll]",
        '"a\\u005cb"', "\t{\n\"a\"\r:\n1}\n", "12e3", "100e-2", '{"k":"v","K":"V"}']

TYPES = [
    ("bool", "", ["t", "f", "true", "FALSE", "tru", "y", "yes", "n", "no", "on", "off", "of", "o", "1", "0", " t ", "", "tt", "2", "yesx", "10", "\tfalse\n"]),
    ("int2", "", ["0", "-0", "32767", "32768", "-32768", "-32769", " 5 ", "+5", "5.0", "", "x", "1 2", "--1", "\t1\n", "0x1", "99999999999999999999", "+", "-"]),
    ("int4", "", ["0", "2147483647", "2147483648", "-2147483648", "-2147483649", "007", "1e3", "é"]),
    ("int8", "", ["9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "", "1_000"]),
    ("numeric", "", [number() for _ in range(120)] + LITERALS + ["1e-16383", "10000.0001", "0.00000001", "100000000", "12300000000", "5e100", "1e40"]),
    ("numeric", "5,2", ["1", "999.994", "999.995", "-999.99", "1000", "NaN", "Infinity", "0.005", "0.004", "x"]),
    ("numeric", "3", ["999", "999.4", "999.5", "1.5", "-2.5"]),
    ("numeric", "3,-2", ["12345", "99949", "99950", "50", "49", "-150"]),
    ("float8", "", floats()),
    ("float4", "", floats()),
    ("text", "", ["", "a", " b ", "ä\t\n", "日本語"]),
    ("varchar", "", ["", "abc ", "ä"]),
    ("varchar", "3", ["", "abc", "äöü", "äöüß", "abc   ", "abcd", "ab   ", "日本語", "日本語 ", "日本語x"]),
    ("bpchar", "5", ["", "a", "äö", "abcde", "abcde  ", "abcdef", "日本"]),
    ("char", "", ["a", "", "ab", "ä", "ä "]),
    ("bytea", "", ["", "\\x", "\\x00ff", "\\xABCdef", "\\x1", "\\x1g", "\\xg1", "\\x 12 34 ", "\\x1 2", "abc", "a\\\\b", "a\\001b", "a\\377", "a\\400", "a\\b", "\\", "\\X00", "ä", "\\xä1"]),
    ("date", "", ["2000-01-01", "1999-12-31", "infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", "x", "4714-11-24 BC", "2024-02-30"]),
    ("time", "", ["00:00:00", "24:00:00", "12:34:56.789", "24:00:01", "x"]),
    ("time", "1", ["12:34:56.789", "23:59:59.96"]),
    ("timestamp", "", ["2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "infinity", "-infinity", "294276-12-31 23:59:59.999999", "x", "0001-01-01 00:00:00 BC"]),
    ("timestamp", "3", ["2024-02-29 12:34:56.7895", "infinity"]),
    ("timestamptz", "", ["2024-02-29 12:34:56.789+02", "infinity", "2000-01-01 00:00:00"]),
    ("timestamptz", "0", ["2024-02-29 12:34:56.5+00", "2024-02-29 23:59:59.5+00"]),
    ("interval", "", ["0", "1 day", "-1 mon", "1 year 2 mons 3 days 04:05:06.789", "x", "36:00:00", "-00:00:00.000001", "P1Y2M3DT4H5M6S", "1-2"]),
    ("interval", "year", ["1", "1 year 5 mons", "30 mons 2 days", "-18 mons"]),
    ("interval", "month", ["3", "1 year 2 days"]),
    ("interval", "year to month", ["1-2", "5", "1 year 2 mons 3 days"]),
    ("interval", "day", ["3", "2 days 10:00", "-1.5"]),
    ("interval", "hour", ["3", "1.5", "2 days 03:04:05"]),
    ("interval", "day to hour", ["3", "2 days 03:04:05"]),
    ("interval", "hour to minute", ["3", "10:20", "10:20:30"]),
    ("interval", "minute to second", ["3", "10:20", "10:20:30"]),
    ("interval", "second", ["3", "1.5", "10:20:30.678"]),
    ("interval", "second(1)", ["3", "1.56", "-1.56", "10:20:30.678"]),
    ("interval", "(2)", ["1.567 seconds", "1 day 00:00:00.005", "-00:00:00.005"]),
    ("uuid", "", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
                  "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
                  "", "x", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a-0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", " a0eebc999c0b4ef8bb6d6bb9bd380a11",
                  "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "00000000-0000-0000-0000-000000000000"]),
    ("json", "", JSON),
    ("jsonb", "", JSON),
]

FUNCTION = """
create function pg_temp.try_sql(sql text, x text, y text) returns text[] language plpgsql as $f$
declare a text; b text; m text; d text;
begin
  execute sql into a, b using x, y;
  return array[a, b];
exception when others then
  get stacked diagnostics m = message_text, d = pg_exception_detail;
  if m = 'numeric field overflow' then m := m || ': a' || substr(rtrim(d, '.'), 2); end if;
  return array['!' || m, ''];
end $f$;
"""


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def row_type(name, modifiers):
    if name == "interval":
        return "interval" + modifiers if modifiers.startswith("(") else "interval " + modifiers
    return name + (f"({modifiers})" if modifiers else "")


def main():
    what, options = sys.argv[1], sys.argv[2:]
    sql = ["set client_min_messages = error;", "set standard_conforming_strings = on;", "set timezone = 'UTC';", FUNCTION,
           "create temp table answers (id serial, a text, b text, c text, d text, e text);"]
    if what == "decimal":
        for op, x, y in decimal_cases():
            expression = OPERATIONS.get(op, f"$1::{op}::text")
            sql.append(f"insert into answers (a, b, c, d) select {quote(op)}, {quote(x)}, {quote(y)}, "
                       f"(pg_temp.try_sql({quote('select ' + expression + ', 0')}, {quote(x)}, {quote(y)}))[1];")
        sql.append("copy (select a, b, c, d from answers order by id) to stdout;")
    else:
        send = {"bool": "boolsend", "char": "bpcharsend", "bpchar": "bpcharsend", "json": "json_send", "jsonb": "jsonb_send", "date": "date_send",
                "time": "time_send", "timestamp": "timestamp_send", "timestamptz": "timestamptz_send", "interval": "interval_send",
                "numeric": "numeric_send", "uuid": "uuid_send"}
        for i, (name, modifiers, inputs) in enumerate(TYPES):
            sql.append(f"create temp table t{i} (v {row_type(name, modifiers)});")
            function = send.get(name, name + "send")
            for x in inputs:
                # format() twice, so that the literal meets the column's input function
                insert = f"insert into t{i} values ({quote(x)}) returning format('%s', v), encode({function}(v), 'hex')"
                sql.append(f"insert into answers (a, b, c, d, e) select {quote(name)}, {quote(modifiers)}, {quote(x)}, r[1], r[2] "
                           f"from pg_temp.try_sql({quote(insert)}, null, null) r;")
        sql.append("copy (select a, b, c, d, e from answers order by id) to stdout;")
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *options], input="\n".join(sql).encode(), stdout=subprocess.PIPE, check=True)
    sys.stdout.buffer.write(done.stdout)


main()
