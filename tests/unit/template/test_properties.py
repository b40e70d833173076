"""Whatever the text and the data: a TemplateError when loading, or a text."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.errors import TemplateError
from sentinel.template import RuleData, RuleTemplate, civil
from sentinel.template.functions.alertmanager import NAMES as NOTIFICATION_NAMES
from sentinel.template.functions.prometheus import NAMES
from sentinel.template.golayout import format_time, parse_time
from sentinel.template.gonumber import shortest
from sentinel.template.goquote import quote, unquote
from sentinel.template.gotime import Time
from sentinel.template.limits import CallError
from sentinel.template.notification import NotificationTemplate
from sentinel.template.notification_data import data_of
from sentinel.template.printf import sprintf

PIECES = [
    *("{{", "}}", "{{ ", " }}", "{{- ", " -}}", "/*", "*/", "(", ")", "|", ":=", "=", ",", ".", "$", "$x"),
    *("if ", "else", "end", "range ", "with ", "define ", "template ", "block ", "break", "continue", "nil"),
    *("{{ end }}", "{{ else }}", "{{ range $labels }}", "{{ if $value }}", '"a"', "`b`", "'c'", "true"),
    *(
        "$labels",
        "$value",
        ".Labels",
        ".job",
        "1",
        "-2.5",
        "1e400",
        "0x",
        "07",
        "1i",
        "1+2i",
        '"\\',
        " ",
        "\n",
    ),
    *("é", "\ud800", "\u00a0", "%d", "%[2]*.[1]*f", "Add ", "Format "),
]
words = st.sampled_from([*PIECES, *sorted(NAMES)])
texts = st.one_of(st.text(max_size=60), st.lists(words, max_size=14).map(" ".join))
CONSTANTS = ["1", "-3", "2.5", "99999999999", "nil", "true", "'x'", '"a"', '"("', '"1h"', '"%s"', '"\\x80"']
VALUES = [".", "now", "$labels", "$value", "(args 1)", "(index `a` 0)", "(toTime 1)", "(toDuration 1e300)"]
operands = st.sampled_from([*CONSTANTS, *VALUES, "`2006`"])
calls = st.tuples(st.sampled_from(sorted(NAMES)), st.lists(operands, max_size=4))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
DATA = RuleData(labels={"job": "node", "x": "\ud800"}, value=1.5, query=lambda _: [({"job": "a"}, 1.0)])


def _render(text: str) -> str | None:
    try:
        return RuleTemplate(text, alertname="T").render(DATA)
    except TemplateError as error:
        assert error.load
        return None


@given(texts)
@settings(max_examples=400, deadline=None)
def test_any_text_loads_or_is_refused(text: str) -> None:
    got = _render(text)
    if "{{" not in text:
        assert got == text


@given(st.lists(words, max_size=14).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_action_loads_or_is_refused(text: str) -> None:
    got = _render("{{" + text + "}}")
    assert got is None or isinstance(got, str)


@given(calls, calls)
@settings(max_examples=500, deadline=None)
def test_any_call_gives_a_text(first: tuple[str, list[str]], second: tuple[str, list[str]]) -> None:
    stages = " | ".join(" ".join((name, *arguments)) for name, arguments in (first, second))
    assert isinstance(_render("{{ " + stages + " }}"), str)


@given(st.sampled_from(sorted(NOTIFICATION_NAMES)), st.lists(operands, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_notification_call_gives_a_text_or_an_error(name: str, arguments: list[str]) -> None:
    text = "{{ $labels := .CommonLabels }}{{ $value := 1 }}{{ " + " ".join((name, *arguments)) + " }}"
    with contextlib.suppress(TemplateError):
        assert isinstance(NotificationTemplate(text).render(data_of([]), now_ms=0), str)


@given(st.text(alphabet="%[]*.+-# 0129vdsqxXTtcUeEfFgGbo!é", max_size=20), st.lists(values, max_size=4))
@settings(max_examples=500, deadline=None)
def test_printf_shows_any_fault_in_its_text(format: str, arguments: list[Any]) -> None:
    with contextlib.suppress(CallError):
        got = sprintf(format, arguments)
        assert isinstance(got, str)
        if "%" not in format and not arguments:
            assert got == format


@given(st.text(max_size=30).filter(lambda text: text.isprintable() or "\n" in text))
def test_a_quoted_text_reads_back(text: str) -> None:
    assert unquote(quote(text)) == text
    assert unquote(quote(text, ascii_only=True)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_shortest_reads_back(value: float) -> None:
    assert float(shortest(value)) == value


@given(st.dates())
def test_civil_days_agree_with_datetime(day: Any) -> None:
    days = day.toordinal() - 719_163
    assert civil.days_of(day.year, day.month, day.day) == days
    assert civil.date_of(days) == (day.year, day.month, day.day)


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31)))
def test_a_formatted_time_reads_back(moment: datetime) -> None:
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    time = Time(since // timedelta(microseconds=1) * 1000)
    layout = "Mon, 02 Jan 2006 15:04:05.000000 -0700"
    assert format_time(time, layout) == moment.strftime("%a, %d %b %Y %H:%M:%S.%f +0000")
    assert parse_time(layout, format_time(time, layout)) == time
