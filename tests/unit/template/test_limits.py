"""Templates that want too much end soon, with an error that says so."""

from __future__ import annotations

import time

import pytest

from sentinel.errors import TemplateError
from sentinel.template import RuleData, RuleTemplate
from sentinel.template.limits import MAX_DEPTH, MAX_TEXT, CallError, Text
from sentinel.template.notification import NotificationTemplate
from sentinel.template.notification_data import data_of

LONG = '{{ $x := printf "%900000d" 1 }}'
SECONDS = 20
"""Generous: these take about one second at most, and years without a limit."""

BOMBS = {
    "nested ranges": ("{{ range 1000000000 }}{{ range 1000000000 }}x{{ end }}{{ end }}", "steps"),
    "a range of nothing": ("{{ range 1000000000 }}{{ end }}", "steps"),
    "a text that doubles": ("{{ $x := `ab` }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}", "steps"),
    "long output": (LONG + "{{ $x }}{{ $x }}", "longer than"),
    "a wide verb": ('{{ printf "%1000000d%1000000d" 1 2 }}', "longer than"),
    "a precise verb": ('{{ range 1000000 }}{{ $y := printf "%.999999f" 1.5 }}{{ end }}', "steps"),
    "costly functions": (LONG + "{{ range 100000 }}{{ $y := title $x }}{{ end }}", "steps"),
    "costly comparisons": (LONG + "{{ range 100000 }}{{ $y := eq $x $x }}{{ end }}", "steps"),
    "a replacement everywhere": ('{{ $x := printf "%9000d" 1 }}{{ reReplaceAll "" $x $x }}', "longer than"),
    "recursion": ('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', "template depth"),
    "mutual recursion": (
        "{{ define `a` }}{{ template `b` }}{{ end }}{{ define `b` }}{{ template `a` }}{{ end }}"
        "{{ template `a` }}",
        "template depth",
    ),
    "a deep value": ("{{ $x := args 1 }}{{ range 5000 }}{{ $x = args $x }}{{ end }}{{ $x }}", "depth"),
    "a wide value": ("{{ $x := args 1 }}{{ range 99 }}{{ $x = args $x $x }}{{ end }}{{ $x }}", "longer than"),
    "a wide value in an error": (
        "{{ $x := args 1 }}{{ range 99 }}{{ $x = args $x $x }}{{ end }}{{ eq $x $x }}",
        "longer than",
    ),
}


@pytest.mark.parametrize(("text", "reason"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_ends_soon(text: str, reason: str) -> None:
    template = RuleTemplate(text, alertname="T")
    begun = time.monotonic()
    got = template.render(RuleData(labels={}, value=1.0))
    assert time.monotonic() - begun < SECONDS
    assert got.startswith("<error expanding template: error executing template __alert_T: ")
    assert reason in got


@pytest.mark.parametrize(
    "text",
    [
        "{{" + "(" * 100_000,
        "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
        "{{ if 1 }}" * 20_000,
        "{{ if 1 }}" + "{{ else if 1 }}" * 3_000 + "{{ end }}",
        "{{ range . }}" * 300 + "{{ end }}" * 300,
    ],
)
def test_deep_nesting_is_refused_when_loading(text: str) -> None:
    with pytest.raises(TemplateError, match=f"more than {MAX_DEPTH} blocks or parentheses") as caught:
        RuleTemplate(text, alertname="T")
    assert caught.value.load


def test_nesting_below_the_limit_works() -> None:
    depth = MAX_DEPTH - 10
    blocks = "{{ if 1 }}" * depth + "x" + "{{ end }}" * depth
    parentheses = "{{ " + "(" * depth + "1" + ")" * depth + " }}"
    data = RuleData(labels={}, value=1.0)
    assert RuleTemplate(blocks, alertname="T").render(data) == "x"
    assert RuleTemplate(parentheses, alertname="T").render(data) == "1"


def test_route_labels_that_multiply_share_one_budget() -> None:
    labels = {f"l{n}": f"{{{{ routeLabels `l{n + 1}` }}}}" * 2 for n in range(40)}
    template = NotificationTemplate("{{ routeLabels `l0` }}")
    with pytest.raises(TemplateError, match=r"depth|steps"):
        template.render(data_of([], routeLabels={**labels, "l40": "x"}), now_ms=0)


def test_json_of_a_wide_value_is_bounded() -> None:
    text = "{{ $x := list 1 }}{{ range 99 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}"
    with pytest.raises(TemplateError, match=r"longer than|depth"):
        NotificationTemplate(text).render(data_of([]), now_ms=0)


def test_text_holds_exactly_its_limit() -> None:
    text = Text()
    text.write("x" * MAX_TEXT)
    assert len(str(text)) == MAX_TEXT
    with pytest.raises(CallError):
        text.write("x")
