#!/usr/bin/env python3
"""Records what PostgreSQL's sum() and avg() make of some values, and exact sums of floats.

usage: sum_cases.py [psql options] > sum_cases.tsv
       sum_cases.py floats > float_sum_cases.tsv
The database must be PostgreSQL 15. The choice of cases is random with a fixed seed. Sums of floats are not recorded: PostgreSQL's
depend on the order of the rows, except where all partial sums are exact.
Columns, tab separated: type, values (comma separated), sum, average ("!words" for an error).
Columns of the exact sums: type, values and their sum rounded once, as hexadecimal floats ("overflow" where past the range)."""
import fractions
import math
import random
import struct
import subprocess
import sys

random.seed(152)


def digits(n):
    return "".join(random.choice("0123456789") for _ in range(n))


def integer(bits):
    return str(max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, random.randrange(-(2 ** random.randrange(1, bits + 1)), 2 ** random.randrange(1, bits + 1)))))


def numeric():
    if random.random() < 0.02:
        return random.choice(["NaN", "Infinity", "-Infinity"])
    scale = random.choice([0, 0, 2, 2, 2, 4, 10, 30])
    return random.choice(["", "-"]) + digits(random.choice([1, 2, 4, 8, 16, 19, 30, 38, 45])) + ("." + digits(scale) if scale else "")


def interval():
    parts = [f"{random.randrange(-300, 300)} {unit}" for unit in ("mons", "days", "hours", "us") if random.random() < 0.6]
    return " ".join(parts) or random.choice(["0", "178956970 years", "-178956970 years", "2147483647 days", "1 us"])


def quarter():
    return random.choice([str(random.randrange(-4000, 4000) / 4), "0", "-0", "-0", "1e20", "-1e20"] + ["Infinity", "-Infinity", "NaN"] * (random.random() < 0.1))


VALUES = {"int2": lambda: integer(16), "int4": lambda: integer(32), "int8": lambda: integer(64), "numeric": numeric, "interval": interval,
          "float8": quarter, "float4": lambda: str(random.randrange(-400, 400) / 4)}


def a_float(narrow):
    kind = random.randrange(6)
    if kind == 0:
        value = random.randrange(-2000, 2000) / 4
    elif kind == 1:  # subnormal or nearly
        value = math.ldexp(random.choice([1, -1, 3, 2 ** 23 + 1]), random.randrange(-149, -125) if narrow else random.randrange(-1074, -1020))
    elif kind == 2:
        value = math.ldexp(random.choice([1, -1]), random.randrange(-125, 127))
    elif narrow:
        value = struct.unpack("f", struct.pack("I", random.getrandbits(32) & 0xBF7FFFFF))[0]
    else:
        value = struct.unpack("d", struct.pack("Q", random.getrandbits(64) & 0xFFEFFFFFFFFFFFFF))[0]
    return struct.unpack("f", struct.pack("f", value))[0] if narrow else value


def nearest_float(exact):
    """The float nearest to a fraction, ties to even; struct rounds a double that it is given, so a double is only used where exact."""
    magnitude = abs(exact)
    exponent = max(-149, magnitude.numerator.bit_length() - magnitude.denominator.bit_length() - 25)
    while magnitude / fractions.Fraction(2) ** exponent >= 2 ** 24:
        exponent += 1
    mantissa = round(magnitude / fractions.Fraction(2) ** exponent)  # round() of a fraction is to even
    value = math.ldexp(mantissa, exponent)
    if value > struct.unpack("f", struct.pack("I", 0x7F7FFFFF))[0]:
        raise OverflowError
    return -value if exact < 0 else value


def float_cases():
    for i in range(3000):
        narrow = i % 2 == 1
        values = [a_float(narrow)]
        if i < 40:  # at the end of the range: half of the last bit more is an overflow, a bit less is none
            top, bit = (math.ldexp(2 ** 24 - 1, 104), 104) if narrow else (math.ldexp(2 ** 53 - 1, 971), 971)
            values = [top, math.ldexp(1, bit - 1), random.choice([top, -top, 0.0, -math.ldexp(1, bit - 60), math.ldexp(-1, bit)])]
        for _ in range(random.randrange(8) if i >= 40 else 0):
            last = values[-1]
            # What nearly cancels, and halves of the last bit, are where rounding shows.
            half = math.ldexp(last, -24 if narrow else -53)
            half = struct.unpack("f", struct.pack("f", half))[0] if narrow else half
            values.append(random.choice([-last, half, -half, a_float(narrow), a_float(narrow), a_float(narrow)]))
        exact = sum(fractions.Fraction(v) for v in values)
        try:
            result = (nearest_float(exact) if narrow else float(exact)).hex() if exact else "0x0.0p+0"
        except OverflowError:
            result = "overflow"
        if not narrow and max(map(abs, values)) < 1e300:
            assert float.fromhex(result) == math.fsum(values)
        print("float4" if narrow else "float8", ",".join(v.hex() for v in values), result, sep="\t")


FUNCTION = """
create function pg_temp.try_sql(sql text, x text[]) returns text language plpgsql as $f$
declare a text;
begin
  execute sql into a using x;
  return a;
exception when others then
  return '!' || sqlerrm;
end $f$;
"""


def main():
    if sys.argv[1:] == ["floats"]:
        float_cases()
        return
    cases = [(kind, [make() for _ in range(random.choice([1, 2, 3, 7, 12]))]) for kind, make in VALUES.items() for _ in range(60)]
    cases += [("int4", ["2147483647"] * 9), ("int8", ["9223372036854775807"] * 5), ("numeric", ["0.00", "0"]), ("numeric", ["1e131071", "-1e131071", "1"]),
              ("numeric", ["9e131071", "9e131071"]), ("numeric", ["1e-16383", "1"]), ("float8", ["-0"]), ("float8", ["-0", "0"]), ("float8", ["-0", "1", "-1"]),
              ("float8", ["1e308", "1e308"]), ("float4", ["3e38", "3e38"]), ("float4", ["-0", "-0"]), ("float8", ["Infinity", "1e308", "1e308"])]
    sql = ["set client_min_messages = error;", "set intervalstyle = postgres;", FUNCTION, "create temp table answers (id serial, a text, b text, c text, d text);"]
    for kind, values in cases:
        if kind == "float8" and "1e20" in values and any("." in v for v in values):
            values = [v for v in values if "1e20" not in v]  # partial sums would be rounded
        row = [f"pg_temp.try_sql('select {f}(v::{kind})::text from unnest($1) v', string_to_array('{','.join(values)}', ','))" for f in ("sum", "avg")]
        sql.append(f"insert into answers (a, b, c, d) values ('{kind}', '{','.join(values)}', {row[0]}, {row[1]});")
    sql.append("copy (select a, b, c, d from answers order by id) to stdout;")
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *sys.argv[1:]], input="\n".join(sql).encode(), stdout=subprocess.PIPE, check=True)
    sys.stdout.buffer.write(done.stdout)


main()
