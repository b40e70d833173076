"""Parameters as Prometheus reads them, and its words for what it cannot read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.api.prometheus.parameters import (
    FARTHEST_MS,
    parse_integer,
    parse_seconds,
    parse_time,
    selector,
)
from sentinel.api.prometheus.selecting import unescaped
from sentinel.errors import QueryError

TIMES = [
    ("0", 0),
    ("1760000000", 1_760_000_000_000),
    ("1760000000.5", 1_760_000_000_500),
    ("1.76e9", 1_760_000_000_000),
    ("-1.5", -1500),
    (".25", 250),
    ("+7.", 7000),
    ("2025-10-09T08:53:20Z", 1_760_000_000_000),
    ("2025-10-09T08:53:20.123456789Z", 1_760_000_000_123),
    ("2025-10-09T10:53:20.5+02:00", 1_760_000_000_500),
    ("1969-12-31T23:59:59.5Z", -500),
    ("1e300", FARTHEST_MS),
    ("-1e999", -FARTHEST_MS),
    ("-292273086-05-16T16:47:06Z", -FARTHEST_MS),
    ("292277025-08-18T07:12:54.999999999Z", FARTHEST_MS),
]
NO_TIMES = ["", "x", "1_000", "0x10", "NaN", "inf", "2025-13-09T08:53:20Z", "2025-10-09", "\u0661"]


@pytest.mark.parametrize(("text", "time_ms"), TIMES)
def test_times(text: str, time_ms: int) -> None:
    assert parse_time(text) == time_ms


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"^cannot parse .* to a valid timestamp$"):
        parse_time(text)


@given(st.integers(-(10**14), 10**14))
def test_times_keep_their_milliseconds(time_ms: int) -> None:
    assert parse_time(f"{time_ms / 1000:.3f}") == time_ms


@pytest.mark.parametrize(
    ("text", "seconds"), [("15", 15), ("0.5", 0.5), ("-3", -3), ("1h30m", 5400), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1e20", 'cannot parse "1e20" to a valid duration. It overflows int64'),
        ("", 'cannot parse "" to a valid duration'),
        ("5 m", 'cannot parse "5 m" to a valid duration'),
        ("9999y", 'cannot parse "9999y" to a valid duration'),
        ("9" * 5000 + "s", "to a valid duration"),
    ],
)
def test_what_is_no_duration(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_seconds(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x", 'strconv.Atoi: parsing "x": invalid syntax'),
        ("1.5", 'strconv.Atoi: parsing "1.5": invalid syntax'),
        ("9223372036854775808", 'strconv.Atoi: parsing "9223372036854775808": value out of range'),
        ("9" * 5000, "value out of range"),
    ],
)
def test_what_is_no_integer(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_integer(text, "Atoi")
    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["up", 'up{a="b"}', '{__name__=~"a.*"}', '{"a.b"}'])
def test_selectors(text: str) -> None:
    assert selector(text).matchers


@pytest.mark.parametrize(
    "text", ["up[5m]", "up offset 5m", "up @ 1", "rate(up[5m])", "1", "up + 1", "", "{}", '{a=~".*"}', "up{"]
)
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        selector(text)
    assert caught.value.kind == "bad_data"


def test_a_selector_of_everything_is_refused_as_prometheus_does() -> None:
    with pytest.raises(QueryError, match=r"^match\[\] must contain at least one non-empty matcher$"):
        selector("{}")


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        ("job", "job"),
        ("U__job", "job"),
        ("U__http_2e_method", "http.method"),
        ("U__a__b", "a_b"),
        ("U___263a_", "☺"),
        ("U__", ""),
        ("U__a_b", "U__a_b"),
        ("U__a_", "U__a_"),
        ("U___d800_", "U___d800_"),
        ("U___1234567_", "U___1234567_"),
    ],
)
def test_escaped_label_names(escaped: str, name: str) -> None:
    assert unescaped(escaped) == name
