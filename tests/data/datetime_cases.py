#!/usr/bin/env python3
"""Records what PostgreSQL answers about dates, times, timestamps and intervals.

usage: datetime_cases.py [psql options] > datetime_cases.tsv
The database must be PostgreSQL 15, TimeZone UTC, DateStyle ISO, MDY. The choice of cases is random with a fixed seed.
Columns, tab separated: operation, three operands (may be empty), answer ("!words" for an error, "" for NULL)."""
import random
import re
import subprocess
import sys

random.seed(151)

OPERATIONS = {
    "date": "$1::date", "time": "$1::time", "timestamp": "$1::timestamp", "timestamptz": "$1::timestamptz", "interval": "$1::interval",
    "date_add": "$1::date + $2::int", "date_subtract": "$1::date - $2::date", "date_to_timestamp": "$1::date::timestamp",
    "timestamp_to_date": "$1::timestamp::date", "timestamp_to_time": "$1::timestamp::time",
    "timestamp_add": "$1::timestamp + $2::interval", "timestamptz_add": "$1::timestamptz + $2::interval",
    "timestamp_subtract": "$1::timestamp - $2::timestamp", "age": "age($1::timestamp, $2::timestamp)", "time_add": "$1::time + $2::interval",
    "interval_add": "$1::interval + $2::interval", "interval_negate": "- $1::interval", "interval_multiply": "$1::interval * $2::float8",
    "interval_divide": "$1::interval / $2::float8", "justify_hours": "justify_hours($1::interval)", "justify_days": "justify_days($1::interval)",
    "interval_compare": "case when $1::interval < $2::interval then -1 when $1::interval > $2::interval then 1 else 0 end",
    "extract_date": "extract('%s' from $2::date)", "extract_time": "extract('%s' from $2::time)", "extract_timestamp": "extract('%s' from $2::timestamp)",
    "extract_timestamptz": "extract('%s' from $2::timestamptz)", "extract_interval": "extract('%s' from $2::interval)",
    "trunc_timestamp": "date_trunc($1, $2::timestamp)", "trunc_interval": "date_trunc($1, $2::interval)",
    "bin": "date_bin($1::interval, $2::timestamp, $3::timestamp)", "make_date": "make_date($1::int, $2::int, $3::int)",
}
FIELDS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium",
          "dow", "isodow", "doy", "isoyear", "epoch", "julian", "timezone", "timezone_hour", "timezone_minute"]
MONTHS = ["Jan", "feb", "MARCH", "apr", "May", "june", "jul", "August", "Sept", "september", "oct", "Nov", "december"]
WORDS = {m.lower() for m in MONTHS} | {"am", "pm", "bc", "ad", "z", "utc", "t", "at", "mon", "fri", "sunday", *"ymdhsj"}
DATES = ["epoch", "infinity", "-infinity", "+infinity", " infinity ", "Infinity", "infinite", "", " ", "x", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29",
         "2024-1-5", "20240105", "240105", "690105", "700105", "Jan 5 2024", "5 Jan 2024", "2024 Jan 5", "Jan 5, 2024", "January-5-2024", "5-jan-24", "24-Jan-05",
         "1/5/2024", "13/5/2024", "1/32/2024", "2024/01/05", "2024.01.05", "1.5.2024", "01-05-99", "01-05-00", "5.1.24", "2024-13-01", "2024-00-10", "2024-10-00",
         "0000-01-01", "0001-01-01", "0001-01-01 BC", "0044-03-15 BC", "0044-03-15 AD", "44-03-15 bc", "4713-11-24 BC", "4714-11-24 BC", "4714-11-23 BC", "5874897-12-31",
         "5874898-01-01", "294276-12-31", "10000-01-01", "99999-12-31", "2024.060", "2024.366", "2023.366", "2024-060", "2023 365", "J2451187", "j 2460370", "JD2460370",
         "julian 2460370", "J0", "J-1", "J2460370.5", "J2147483647", "J2147483648", "y2001m02d04", "y2001 m2 d4", "d4m2y2001", "m02d04y2001", "y99999999999m1d1",
         "Fri Jan 5 2024", "Friday, January 5, 2024", "Mon Jan 5 2024", "2024-01-05 Fri", "2024-01-05 10:00", "2024-01-05T10:00:00Z", "2024-01-05 25:00", "2024-01-05 24:00",
         "2024-01-05 12:60", "2024-01-05 +02", "2024-01-05 z", "2024-01-05 UTC", "2024-01-05 gmt", "on 2024-01-05", "2024-01-05 at 10:00", "2024-01-05 10:00 PM",
         "2024-01-05 13:00 PM", "2024-01-05 12:00 am", "2024-01-05 0:00 pm", "2024-01-05 BC BC", "2024-01-05 AD BC", "2024-01-05-06", "2024--01-05", "2024-01", "2024", "202401",
         "2024-Jan-05", "Jan-05-2024", "05Jan2024", "Jan052024", "Jan05", "5 Jan", "2024-01-05;", "(2024-01-05)", "2024-01-05\u00e9", "99999999999999999999", "2147483648-01-01",
         "2024-99999999999-01", "1-1-1", "1-1-01", "01-02-03", "1 2 3", "2024 1 5", "1 5 2024", "Feb 29 2023", "February 29, 2024", "29 February 0001 BC", "2/29/4 BC"]
TIMES = ["00:00:00", "24:00:00", "24:00:01", "24:00:00.000001", "23:59:60", "23:59:59.9999999", "23:59:60.5", "12:34:60", "12:34:61", "12:34", "12:34:56.789", "1:2:3", "1:2:3.4",
         "123456", "1234", "12345", "123456.789", "12", "12:", "12:34:", "12:34:56.", "12:34.5", "12:34:56.7.8", "12::34", ":12:34", "04:05 AM", "04:05 pm", "12:00 AM", "12:00 PM",
         "12:30:01 am", "13:00 AM", "00:00 PM", "4 PM", "04:05:06Z", "04:05:06 z", "04:05:06+02", "04:05:06-08:00", "040506-08", "040506+0830", "T040506", "T04:05:06",
         "2024-01-05 04:05:06", "2024-01-05T04:05:06", "04:05:06 2024-01-05", "allballs", "allballs 10:00", "12:34:56.1234565", "12:34:56.1234575", "12:34:56.0000005", "-1:00", "12:-1", "+10:00",
         "25:00", "10:60", "10:59:59.999999", "h10 mm20 s30", "10:00 BC", "999999999999:00", "12:99999999999", "epoch", "infinity", "", "x", "10.5", "1030.5", "103000.5", "103000.",
         "00:00:00.4", "y77 10:00", "m7 10:00", "d7 10:00Z", "h7 10:00", "j7 10:00", "y 10:00", "y1999 m7 d7 10:00", "y1999 m7 10:00", "m7 10:00 2024-01-01", "t t 10:00", "h 10:00 5", "s 10:00", "j2451187.5", "23:59:59.5", "23:59:59.4999999", "04:05:06 UTC", "04:05:06 +16", "04:05:06 +15:59:59", "04:05:06 +15:60"]
TIMESTAMPS = ["2024-02-29 12:34:56.789", "2024-02-29T12:34:56.789Z", "20240229T123456", "20240229T123456Z", "20240229T123456.789", "20240229 123456", "20240229 1234", "20240229123456",
              "2024-02-29 12:34:56+02", "2024-02-29 12:34:56-0330", "2024-02-29 12:34:56+05:30", "2024-02-29 12:34:56+05:30:15", "2024-02-29 12:34:56 +1530", "2024-02-29 12:34:56 +16", "2024-02-29 12:34:56 -15:59",
              "2024-02-29 12:34:56+2", "2024-02-29 12:34:56 + 2", "2024-02-29 12:34:56 UTC", "2024-02-29 12:34:56 utc", "2024-02-29 12:34:56 zulu", "2024-02-29 12:34:56 Etc/UTC", "2024-02-29 12:34:56Z Z",
              "Thu Feb 29 12:34:56 2024", "Thu Feb 29 12:34:56.789 2024 UTC", "Feb 29 12:34 2024", "12:34 Feb 29 2024", "12:34:56 2024-02-29", "2/29/2024 12:34 PM", "2024-02-29 24:00:00", "2024-02-29 23:59:60",
              "2024-02-29 23:59:59.9999995", "2024-02-29 23:59:59.9999994", "2024-02-29 12:34:56.1234565", "2024-02-29 12:34:56.1234575", "294276-12-31 23:59:59.999999", "294277-01-01 00:00:00",
              "294276-12-31 23:59:59.9999999", "294276-12-31 23:59:59.999999-01", "294277-01-01 00:00:00+01", "4714-11-24 00:00:00 BC", "4714-11-23 23:59:59.999999 BC", "4714-11-24 00:00:00+01 BC", "4714-11-23 23:59:59-01 BC",
              "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00+00 BC", "0001-12-31 23:59:59.5 BC", "2024-02-29 T12:34:56", "2024-02-29 t 12:34:56", "T12:34:56", "2024-02-29T", "2024-02-29T12", "2024-02-29T1234", "2024-02-29T12:34",
              "2024-02-29 12", "2024-02-29 1234.5", "2024-02-29 123456.5", "J2460370 12:34", "J2460370T12:34", "J2460370.25", "J2460370.123456789", "J2460370+02", "J2460370-02:30", "2024-02-29 allballs", "2024.060 12:34",
              "2024-02-29 12:34:56.789123456789", "2024-02-29 12:34:56,789", "1999-01-08 04:05:06 -8:00", "January 8 04:05:06 1999", "99-01-08 04:05", "2024-02-29 123456-08", "2024-02-29 123456.5-08", "2024-02-29T123456+08",
              "  2024-02-29   12:34:56  ", "2024-02-29 12:34:56 AD", "2024-02-29 12:34:56.5 PM", "2024-02-29 12:34:56 12:34:56", "2024-02-29 2024-02-29", "y2024m02d29h12mm34s56.5", "y2024m02d29h12m34s56"]
INTERVALS = ["0", "1", "1.5", "-1.5", "1 day", "1 days", "-1 day", "1 year 2 mons 3 days 04:05:06.7", "1.5 days", "-1 mon +2 days", "@ 1 hour ago", "@ 1 year 2 mons -3 days 4 hours ago", "1 ago", "ago", "@", "",
             " ", "x", "1 x", "day", "1 day day", "day 1", "1 day 1 day", "1 day 2 days", "1 month 1 mon", "P1Y2M3DT4H5M6.7S", "P1Y", "P1M", "PT1M", "P1W", "P1.5W", "P1.5Y", "P1.5M", "P1.5D", "PT1.5H", "PT1.5M", "PT1.5S",
             "P-1Y-2M3DT-4H5M-6.7S", "P", "PT", "P1", "P1T", "PT1", "P1S", "PT1D", "P1Y1Y", "P0001-02-03T04:05:06", "P0001-02-03", "P0001-02", "P0001", "P00010203", "P00010203T040506", "PT040506", "PT040506.5", "PT04:05:06.7",
             "PT04:05", "PT04", "P00010203.5", "P20240101T", "P1Y2M3DT", "P1e2Y", "P1e20Y", "PT1e15S", "PT1e16S", "P1Y T1H", "p1y", "P1YX", "P-1-2-3T-4:-5:-6", "P1-2T3", "P1Y-2", "P.5Y", "P-.5D", "PT.000001S", "PT0.0000005S",
             "1-2", "-1-2", "+1-2", "1-12", "1-11", "1-2 3", "1-2 3 4:05:06", "-1-2 +3 -4:05:06", "1-2 3:04", "1 2:03:04", "1 2:03", "-1 2:03:04", "-1 -2:03:04", "1 -2:03:04.5", "2:03", "2:03.5", "2:03:04.5678901", "-2:03", "+2:03:04",
             "0:60", "0:59:60", "0:59:61", "100:00:00", "2562047788:00:54.775807", "2562047788:00:54.775808", "-2562047788:00:54.775808", "9223372036854775807 us", "-9223372036854775808 us", "9223372036854775808 us", "9223372036854775807 us ago",
             "-9223372036854775808 us ago", "178956970 years", "178956971 years", "178956970 years 7 mons", "178956970 years 8 mons", "-178956970 years -8 mons", "2147483647 days", "2147483648 days", "-2147483648 days", "2147483647 months 1 year", "306783378 weeks",
             "306783379 weeks", "1.1 years", "1.04 years", "1.99 years", "-1.5 years", "0.5 decade", "1.23 centuries", "2.5 millennia", "1.005 mil", "1 c 2 dec 3 y 4 mon 5 w 6 d 7 h 8 m 9 s 10 ms 11 us", "1.5 weeks", "1.1 weeks", "0.3 mons", "1.7 months",
             "-1.7 months", "1.123456789 days", "1.000000001 hours", "0.0000001 days", "1.5 ms", "1.5 us", "0.5 us", "1.4999 us", "2.5 us", "-0.5 us", "-0.51 us", "1.0000005 s", "1.5 minutes", "1.5 hours 30 s", "1 h 30", "1 h 30 m 15", "1 day 12", "12 1 day", "04:00 1.5 days",
             "1.5 days 04:00", "04:00 1 day", "1 s 5 ms", "1.5 s 5 ms", "1 s 1 us", "5 ms 1 s", "1 second 04:05", "1 hr 2 min 3 sec", "2 hrs 3 mins 4 secs", "1 mils", "1 cent", "2 decs", "3 yrs", "1 yr", "5 usecs", "6 msecs", "7 useconds", "8 mseconds", "9 microseconds", "10 milliseconds",
             "1 quarter", "1 qtr", "1 timezone", "infinity", "-infinity", "epoch", "now", "1 jan", "1y", "1y2mon3d4h5m6s", "1d12h", "5m30s", "1.5h", "-1h", "- 1 h", "+ 1 d", "1 day -", "1:2:3:4", "1 day, 2 hours", "(1 day)", "1day2hours", "1 day 2:3:4 ago", "1 mon -1 day ago", "1e3 days", "1 .5 days", ".5 days", "-.5 days",
             "5.", "5. days", ".", "1..5", "1.2.3", "1/2", "1 mm", "2 j", "1 at day", "1 on", "9999999999999 hours", "99999999999999999999", "2024-01-05", "1 us 1 ms", "365.25 days", "1 year 1 year", "1 year 1 decade", "1 month 1 year 1 century", "0.1 s", "0.000001", "0.0000004999", "0.0000005001"]


def digits(n):
    return "".join(random.choice("0123456789") for _ in range(n))


def a_date(wild=False):
    year = random.choice([random.randrange(1, 3000), random.randrange(1900, 2100), random.randrange(1, 294277), random.choice([1, 4, 100, 101, 1000, 1001, 2000, 2001, 4713, 294276])])
    bc = year < 4714 and random.random() < 0.25
    text = f"{year:04d}-{random.randrange(1, 13):02d}-{random.choice([random.randrange(1, 29), 1, 28, 29, 30, 31] if wild else [random.randrange(1, 29), 1, 28]):02d}"
    return text, bc


def date():
    if random.random() < 0.05:
        return random.choice(["infinity", "-infinity", "epoch", "4714-11-24 BC", "5874897-12-31", "2000-01-01"])
    text, bc = a_date()
    return text + (" BC" if bc else "")


def time():
    return random.choice([f"{random.randrange(24):02d}:{random.randrange(60):02d}:{random.randrange(60):02d}" + random.choice(["", "." + digits(random.randrange(1, 7))]), "00:00:00", "23:59:59.999999",
                          "00:00:00." + "0" * random.randrange(6) + "1", f"00:00:{random.randrange(60):02d}.{digits(6)}"])


def timestamp():
    if random.random() < 0.05:
        return random.choice(["infinity", "-infinity", "epoch", "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999", "2000-01-01 00:00:00"])
    text, bc = a_date()
    return text + " " + time() + (" BC" if bc else "")


def interval():
    big = random.random() < 0.08
    parts = []
    for unit, top in (("years", 300), ("mons", 30), ("days", 100)):
        if random.random() < 0.5:
            parts.append(f"{random.randrange(-top, top) * (random.choice([1, 1000, 500000]) if big else 1)} {unit}")
    if random.random() < 0.7 or not parts:
        sign = random.choice(["", "", "-"])
        hours = random.choice([random.randrange(24), random.randrange(100), random.randrange(2562047788) if big else 1])
        parts.append(f"{sign}{hours:02d}:{random.randrange(60):02d}:{random.randrange(60):02d}" + random.choice(["", "." + digits(random.randrange(1, 7))]))
    return " ".join(parts)


def wild_datetime():
    pieces = []
    for _ in range(random.randrange(1, 6)):
        pieces.append(random.choice([
            lambda: a_date(True)[0], lambda: time(), lambda: digits(random.choice([1, 2, 2, 3, 4, 4, 6, 8, 14])), lambda: random.choice(MONTHS), lambda: random.choice(["AM", "pm", "BC", "ad", "z", "UTC", "T", "at"]),
            lambda: random.choice("+-") + digits(random.choice([1, 2, 4])) + random.choice(["", ":30"]), lambda: random.choice(["Mon", "fri", "Sunday"]), lambda: digits(2) + random.choice("-/.") + digits(2) + random.choice("-/.") + digits(random.choice([2, 4])),
            lambda: random.choice("ymdhsj") + digits(random.choice([1, 2, 4])), lambda: digits(random.choice([2, 4])) + "." + digits(random.choice([1, 3])), lambda: random.choice(MONTHS) + "-" + digits(2) + "-" + digits(4),
            lambda: digits(2) + ":" + digits(2)])())
    text = random.choice([" ", " ", " ", " ", "T", ",", ""]).join(pieces)
    # PostgreSQL looks for other words among the zones, "TMON-3" even is one; logfold has no zones.
    known = all(word.lower() in WORDS for word in re.findall("[A-Za-z]+", text)) and not re.search("T[-+]|(?i:z|utc|pm|am|bc|ad|at)[-+0-9]", text)
    return text if known else wild_datetime()


def wild_interval():
    if random.random() < 0.2:
        number = lambda: random.choice(["", "", "-"]) + random.choice([digits(1), digits(3), digits(2) + "." + digits(3), "." + digits(1)])
        date_part = "".join(number() + unit for unit in "YMWD" if random.random() < 0.5)
        time_part = "".join(number() + unit for unit in "HMS" if random.random() < 0.5)
        return "P" + date_part + ("T" + time_part if random.random() < 0.7 else "")
    units = ["us", "usec", "ms", "msecs", "s", "sec", "second", "seconds", "m", "min", "minutes", "h", "hr", "hours", "d", "day", "days", "w", "week", "mon", "month", "months", "y", "yr", "years", "dec", "decades", "c", "century", "mil", "millennium"]
    pieces = [random.choice(["", "", "@ "])]
    for _ in range(random.randrange(1, 5)):
        sign = random.choice(["", "", "", "-", "+", "- "])
        number = random.choice([digits(1), digits(2), digits(random.randrange(1, 12)), digits(2) + "." + digits(random.randrange(1, 9)), "." + digits(2)])
        pieces.append(random.choice([f"{sign}{number} {random.choice(units)}"] * 6 + [f"{sign}{digits(2)}:{digits(2)}", f"{sign}{number}", f"{sign}{digits(1)}-{digits(1)}", f"{sign}{number}{random.choice(units)}", f"{sign}{time()}"]))
    return " ".join(pieces + random.choice([[], [], [], ["ago"]]))


def field():
    return random.choice(FIELDS)


def text_cases():
    cases = [("date", t, "", "") for t in DATES + TIMESTAMPS + TIMES[:20]]
    cases += [("time", t, random.choice(["", "", "0", "1", "3", "5", "6"]), "") for t in TIMES * 2 + TIMESTAMPS + DATES[::4]]
    for kind in ("timestamp", "timestamptz"):
        cases += [(kind, t, random.choice(["", "", "0", "1", "3", "5", "6"]), "") for t in TIMESTAMPS * 2 + DATES + TIMES[::3]]
        cases += [(kind, timestamp(), random.choice("0123456"), "") for _ in range(120)]
        cases += [(kind, wild_datetime(), "", "") for _ in range(400)]
    cases += [(kind, wild_datetime(), "", "") for kind in ("date", "time") for _ in range(250)]
    cases += [("interval", t, "", "") for t in INTERVALS] + [("interval", t, random.choice("0123456"), "") for t in INTERVALS[::2]]
    cases += [("interval", interval(), random.choice(["", "", "0", "2", "4"]), "") for _ in range(200)] + [("interval", wild_interval(), "", "") for _ in range(800)]
    return cases


def number():
    return random.choice(["0", "1", "-1", "2", "3", "0.5", "-0.3", "1.1", "7", "12", "30", "0.1", "365.25", "1e3", "1e10", "1e-7", "NaN", "Infinity", "1e300", "0.3333333333333333", f"{random.uniform(-10, 10):.3f}"])


def arithmetic_cases():
    cases = []
    for _ in range(150):
        cases.append(("date_add", date(), str(random.choice([0, 1, -1, random.randrange(-100000, 100000), 2147483647, -2147483648])), ""))
        cases.append(("date_subtract", date(), date(), ""))
        cases.append(("interval_compare", *random.choice([(interval(), interval()), ("1 mon", "30 days"), ("1 day", "24:00:00"), ("-1 mon", "-29 days -24:00:01")]), ""))
        cases += [("date_to_timestamp", date(), "", ""), ("timestamp_to_date", timestamp(), "", ""), ("timestamp_to_time", timestamp(), "", "")]
        cases += [("justify_hours", interval(), "", ""), ("justify_days", interval(), "", ""), ("interval_negate", interval(), "", "")]
        cases += [("time_add", time(), interval(), ""), ("interval_add", interval(), interval(), "")]
        cases.append(("bin", random.choice(["15 min", "1 hour", "1 day", "7 days", "1.5 s", "1 us", "0 s", "-1 h", "1 mon", interval()]), timestamp(), timestamp()))
        cases.append(("make_date", str(random.choice([random.randrange(-5000, 3000), 0, 5874897, 5874898, -4714, 2024])), str(random.randrange(0, 14)), str(random.choice([0, 1, 28, 29, 30, 31, 32]))))
    for _ in range(350):
        cases += [("timestamp_add", timestamp(), interval(), ""), ("timestamp_subtract", timestamp(), timestamp(), ""), ("age", timestamp(), timestamp(), "")]
        cases += [("interval_multiply", interval(), number(), ""), ("interval_divide", interval(), number(), "")]
    for day in ("29", "30", "31"):
        cases += [("timestamp_add", f"2024-{m:02d}-{'28' if m == 2 else '30' if day == '31' and m in (4, 6, 9, 11) else day} 10:00", f"{n} mon", "") for m in range(1, 13) for n in (1, -1, 13)]
        cases += [("age", f"2024-{m:02d}-28 10:00", f"2023-12-{day} 11:00", "") for m in range(1, 13)] + [("age", f"2023-12-{day} 11:00", f"2024-{m:02d}-28 10:00", "") for m in range(1, 13)]
    cases += [("timestamptz_add", timestamp(), interval(), "") for _ in range(60)]
    return cases


def field_cases():
    cases = []
    for f in FIELDS + ["msec", "us", "y", "dec", "qtr", "julian", "jd", "decades", "foo", "now", "ago"]:
        for kind, value in (("date", date), ("time", time), ("timestamp", timestamp), ("timestamptz", timestamp), ("interval", interval)):
            cases += [("extract_" + kind, f, value(), "") for _ in range(14)]
        cases += [("extract_" + kind, f, infinity, "") for kind in ("date", "timestamp", "timestamptz") for infinity in ("infinity", "-infinity")]
        cases += [("trunc_timestamp", f, timestamp(), "") for _ in range(14)] + [("trunc_interval", f, interval(), "") for _ in range(14)]
    for year in list(range(1999, 2012)) + [1, 4, 1000]:
        for day in ("12-28", "12-29", "12-30", "12-31", "01-01", "01-02", "01-03", "01-04"):
            cases += [("extract_date", random.choice(["week", "isoyear", "isodow", "doy"]), f"{year:04d}-{day}" + random.choice(["", " BC"] if year < 1999 else [""]), ""),
                      ("trunc_timestamp", "week", f"{year:04d}-{day} 12:00", "")]
    cases += [("extract_interval", "epoch", x, "") for x in ("178956970 years 7 mons", "-178956970 years -8 mons", "2147483647 days 2562047788:00:54.775807", "292271 years", "292271 years 8 mons", "-1 us")]
    cases += [("extract_timestamp", "epoch", f"294246-12-31 23:59:59.{x}", "") for x in ("999949", "999950", "999951", "0")] + [("extract_timestamp", "epoch", f"294247-01-10 04:00:54.{x}", "") for x in range(775800, 775812)]
    cases += [("extract_timestamp", "julian", f"2024-02-29 {t}", "") for t in ("00:00:00", "00:00:00.000001", "00:00:00.000864", "00:00:00.000865", "00:00:00.009999", "00:00:00.01", "00:00:08.64", "00:00:08.649999", "00:00:08.65", "00:01:39.999999", "00:01:40", "23:59:59.999999")]
    return cases


FUNCTION = """
create function pg_temp.try_sql(sql text, x text, y text, z text) returns text language plpgsql as $f$
declare a text;
begin
  execute sql into a using x, y, z;
  return coalesce(a, '');
exception when others then
  return '!' || sqlerrm;
end $f$;
"""


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def main():
    sql = ["set client_min_messages = error;", "set timezone = 'UTC';", "set datestyle = 'ISO, MDY';", "set intervalstyle = postgres;", FUNCTION,
           "create temp table answers (id serial, a text, b text, c text, d text, e text);"]
    seen = set()
    for op, x, y, z in text_cases() + arithmetic_cases() + field_cases():
        if (op, x, y, z) in seen:
            continue
        seen.add((op, x, y, z))
        expression = OPERATIONS[op]
        if op.startswith("extract"):
            expression = expression % x
        if op in ("time", "timestamp", "timestamptz", "interval") and y:
            expression = f"{expression}({y})" if op == "interval" else expression.replace("::" + op, f"::{op}({y})")
        statement = "select (" + expression + ")::text"
        sql.append(f"insert into answers (a, b, c, d, e) values ({quote(op)}, {quote(x)}, {quote(y)}, {quote(z)}, pg_temp.try_sql({quote(statement)}, {quote(x)}, {quote(y)}, {quote(z)}));")
    sql.append("copy (select a, b, c, d, e from answers order by id) to stdout;")
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *sys.argv[1:]], input="\n".join(sql).encode(), stdout=subprocess.PIPE, check=True)
    sys.stdout.buffer.write(done.stdout)


main()
