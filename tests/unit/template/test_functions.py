"""Functions and formats at their edges, by tables of what Go gives."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel.template.functions.alertmanager import base64_decode, in_zone, url_unescape
from sentinel.template.functions.humanize import humanize, humanize1024, humanize_duration, to_float
from sentinel.template.functions.prometheus import parse_duration, split_host_port
from sentinel.template.functions.text import match, replace_all, title
from sentinel.template.gojson import to_json
from sentinel.template.golayout import format_time, parse_time
from sentinel.template.gotime import ZERO_NS, Duration, Time
from sentinel.template.limits import CallError
from sentinel.template.payload import render_payload
from sentinel.template.printf import sprintf
from sentinel.template.values import Strings


@pytest.mark.parametrize(
    ("format", "values", "expected"),
    [
        ("%6.2f|%-8.2f|%+.1e", [3.14159, 2.5, 12345.678], "  3.14|2.50    |+1.2e+04"),
        ("%08.3f|%+08.3f|% f", [-3.14159, 3.14159, 1.0], "-003.142|+003.142| 1.000000"),
        ("%v %g %G", [1e21, 1e-7, 1e-7], "1e+21 1e-07 1E-07"),
        ("%5t|%q|%#q|%+q", [True, "a\tb", "a`b", "é"], ' true|"a\\tb"|"a`b"|"\\u00e9"'),
        ("%#x|%#o|%#b|%O|%x", [255, 8, 5, 8, -255], "0xff|010|0b101|0o10|-ff"),
        ("% x|%#x|% X|%.2x", ["abc", "abc", "abc", "abc"], "61 62 63|0x616263|61 62 63|6162"),
        ("%.3d|%5.3d|%05d|%-5d|%.0d", [7, 7, -7, 7, 0], "007|  007|-0007|7    |"),
        ("%c|%q|%U|%#U", [0x1F600, 97, 97, 97], "\U0001f600|'a'|U+0061|U+0061 'a'"),
        ("%s|%v|%d", [Strings(["a", "b"]), Strings(["a"]), [1, 2]], "[a b]|[a]|[1 2]"),
        ("%v|%#v", [{"b": 1, "a": None}, {"a": "x"}], 'map[a:<nil> b:1]|map[string]interface {}{"a":"x"}'),
        ("%s %v %d", [Duration(90_000_000_000)] * 3, "1m30s 1m30s 90000000000"),
        ("%!|%z|%", [], "%!!(MISSING)|%!z(MISSING)|%!(NOVERB)"),
        ("%[3]d|%[1]d|%[x]d", [1, 2], "%!d(BADINDEX)|1|%!d(BADINDEX)"),
        ("%-010d|%010s", [5, "a"], "5         |000000000a"),
        ("%t %s", [1, True], "%!t(int=1) %!s(bool=true)"),
        ("%d %s", [None, None], "%!d(<nil>) %!s(<nil>)"),
        ("%6.1f|%06.1f", [float("inf"), float("nan")], "  +Inf|   NaN"),
    ],
)
def test_printf(format: str, values: list[Any], expected: str) -> None:
    assert sprintf(format, values) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("1_000", 1000.0), ("0x1p-2", 0.25), ("-Infinity", float("-inf")), ("+1.e2", 100.0), (".5", 0.5)],
)
def test_numbers_that_go_reads(text: str, value: float) -> None:
    assert to_float(text) == value


@pytest.mark.parametrize("text", ["", " 1", "1_", "1__0", "+nan", "0x1", "1e", "\u0661", "1,5", "."])
def test_numbers_that_go_refuses(text: str) -> None:
    with pytest.raises(CallError, match="invalid syntax"):
        to_float(text)


def test_a_number_out_of_range() -> None:
    with pytest.raises(CallError, match=r'^strconv\.ParseFloat: parsing "1e999": value out of range$'):
        to_float("1e999")


@pytest.mark.parametrize(
    ("call", "value", "expected"),
    [
        (humanize, 1000, "1k"),
        (humanize, -0.001, "-1m"),
        (humanize1024, -1024, "-1ki"),
        (humanize_duration, 1e-9, "1ns"),
        (humanize_duration, -0.0, "-0s"),
        (humanize_duration, Duration(3_600_000_000_000), "1h 0m 0s"),
    ],
)
def test_humanize(call: Any, value: Any, expected: str) -> None:
    assert call(value) == expected


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(", "missing closing ): `(`"),
        ("a[", "missing closing ]: `[`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        (r"(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("\\", "trailing backslash at end of expression: ``"),
        (")", "unexpected ): `)`"),
    ],
)
def test_a_bad_pattern_has_gos_words(pattern: str, fault: str) -> None:
    with pytest.raises(CallError) as caught:
        match(pattern, "x")
    assert str(caught.value) == f"error parsing regexp: {fault}"


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("a*", "-", "baac", "-b-c-"),
        ("(?P<n>b)", "<$n${n}$1$2$x>", "abc", "a<bbb>c"),
        ("b", "$", "abc", "a$c"),
        ("b", "${", "abc", "a${c"),
        ("é", "$0$0", "aéb", "aééb"),
        ("", "-", "é", "-é-"),
    ],
)
def test_replace_all(pattern: str, replacement: str, text: str, expected: str) -> None:
    assert replace_all(pattern, replacement, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("o'neil a.b 3d x:y", "O'neil A.b 3D X:y"), ("a..b _c", "A..B _C"), ("éa ÉA", "Éa ÉA")],
)
def test_title(text: str, expected: str) -> None:
    assert title(text, lower_rest=False) == expected


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("a:1", ("a", "1")),
        (":1", ("", "1")),
        ("a:", ("a", "")),
        ("[::1]:1", ("::1", "1")),
        ("[a]:1", ("a", "1")),
        ("a", None),
        ("::1", None),
        ("[::1]", None),
        ("[a:1", None),
        ("a]:1", None),
        ("[a]b:1", None),
    ],
)
def test_split_host_port(address: str, parts: tuple[str, str] | None) -> None:
    assert split_host_port(address) == parts


@pytest.mark.parametrize("text", ["", "-", "1", "h", "1h1h", "1h 1m", "1x", "999999y", "9" * 5000 + "s"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(CallError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0s"), (1, "1ns"), (1500, "1.5µs"), (-2_000_000, "-2ms"), (61_000_000_000, "1m1s")],
)
def test_durations_print(nanoseconds: int, text: str) -> None:
    assert Duration(nanoseconds).text() == text


def test_times_move() -> None:
    time = parse_time("2006-01-02", "2024-01-31")
    assert format_time(time.add_date(0, 1, 0), "2006-01-02") == "2024-03-02"
    assert format_time(in_zone("Asia/Kolkata", time), "15:04 -07:00 Z0700") == "05:30 +05:30 +0530"
    assert format_time(Time(ZERO_NS - 1), "2006-01-02 15:04:05.9") == "0000-12-31 23:59:59.9"
    assert format_time(time.truncate(7 * 24 * 3_600_000_000_000), "Mon 2") == "Mon 29"


@pytest.mark.parametrize(
    ("layout", "text", "message"),
    [
        ("2006-01-02", "2024-13-01", "month out of range"),
        ("2006-01-02", "2023-02-29", "day out of range"),
        ("2006", "2024x", 'extra text: "x"'),
        ("2006/01", "2024-01", 'cannot parse "-01" as "/"'),
    ],
)
def test_times_that_do_not_read(layout: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_time(layout, text)


def test_json() -> None:
    value = {"b": [1, 2.5, None], "a": "<é\n>", "t": Time(0), "d": Duration(5)}
    assert to_json(value) == ('{"a":"\\u003cé\\n\\u003e","b":[1,2.5,null],"d":5,"t":"1970-01-01T00:00:00Z"}')
    with pytest.raises(CallError, match=r"unsupported value: \+Inf"):
        to_json(float("inf"))


def test_broken_encodings_say_where() -> None:
    with pytest.raises(CallError, match=r"at input byte 4$"):
        base64_decode("YWJj?A==")
    with pytest.raises(CallError, match='invalid URL escape "%g1"'):
        url_unescape("a%g1")


def test_a_payload_with_multiplying_aliases_is_refused() -> None:
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))]
    with pytest.raises(Exception, match="more than 100000 values"):
        render_payload("\n".join(lines), str)
