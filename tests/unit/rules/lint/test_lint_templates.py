"""Templates of alerts: labels that are not there, values that make new alerts, formats that fail."""

from __future__ import annotations

import pytest

from .files import alert, found

SUM = "sum by (job) (x) > 1"


def annotated(expr: str, template: str, key: str = "annotations") -> str:
    return alert(expr, f"{key}: {{t: '{template}'}}")


@pytest.mark.parametrize(
    ("expr", "template", "labels"),
    [
        (SUM, "{{ $labels.job }} {{ $labels.instance }}", ["instance"]),
        (SUM, "{{ .Labels.instance }} and {{ $labels.instance }}", ["instance"]),
        (SUM, '{{ index $labels "instance" }}', ["instance"]),
        (SUM, '{{ printf "%s" $labels.a | title }} {{ $.Labels.b }}', ["a", "b"]),
        (SUM, "{{ if $labels.a }}{{ $labels.b }}{{ else }}{{ .Labels.c }}{{ end }}", ["a", "b", "c"]),
        (SUM, '{{ range query "up" }}{{ .Labels.instance }}{{ end }}', []),
        (SUM, '{{ with query "up" }}{{ . | first | label "a" }}{{ end }}', []),
        (SUM, '{{ define "x" }}{{ .Labels.a }}{{ end }}{{ template "x" . }}', []),
        (SUM, "{{ $externalLabels.cluster }} {{ $labels.job }} {{ $labels }}", []),
        ("x > 1", "{{ $labels.anything }}", []),
        ('absent(x{job="a"})', "{{ $labels.job }} {{ $labels.instance }}", ["instance"]),
        ("x / on (a) y > 1", "{{ $labels.a }} {{ $labels.b }}", ["b"]),
        ('label_replace(sum(x), "b", "1", "", "") > 1', "{{ $labels.b }}", []),
    ],
)
def test_labels_that_are_always_empty(expr: str, template: str, labels: list[str]) -> None:
    findings = found(annotated(expr, template), "template-label")
    assert [finding.message.split()[0] for finding in findings] == [f"$labels.{name}" for name in labels]


def test_who_dropped_the_label_is_said_where_it_is_used() -> None:
    text = annotated("max(sum by (a) (x)) by (b) > 1", "of {{ $labels.b }}")
    (finding,) = found(text, "template-label")
    assert finding.message == "$labels.b is always empty: `sum by (a) (x)` has no such label"
    line = text.splitlines()[finding.line - 1]
    assert line[finding.column - 1 :].startswith("$labels.b")


def test_labels_of_groups_are_templates_too() -> None:
    text = alert(SUM).replace("- name: g", "- name: g\n  labels: {who: '{{ $labels.a }}'}")
    (finding,) = found(text, "template-label")
    assert (finding.line, finding.column) == (3, 21)


@pytest.mark.parametrize(
    ("template", "count"),
    [
        ("{{ $value }}", 1),
        ("{{ $value | humanize }}", 1),
        ('{{ printf "%.0f" .Value }}', 1),
        ("{{ if gt $value 80.0 }}critical{{ else }}warning{{ end }}", 0),
        ("{{ gt $value 80.0 }}", 0),
        ("{{ $labels.job }}", 0),
    ],
)
def test_values_in_labels(template: str, count: int) -> None:
    assert len(found(annotated(SUM, template, "labels"), "template-value-label")) == count
    assert not found(annotated(SUM, template), "template-value-label")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('{{ printf "%d" $value }}', "prints the value, a float, as something else: `%!d(float64=1.5)`"),
        ("{{ if gt $value 80 }}much{{ end }}", "with an integer: that fails"),
        ('{{ printf "%.1f" $value }} {{ $value | humanize }}', ""),
        ("{{ if gt $value 80.0 }}much{{ end }}", ""),
        ('{{ query "up" | first | value | printf "%f" }} {{ $labels.x | toUpper }} {{ $value }}', ""),
    ],
)
def test_formats(template: str, said: str) -> None:
    findings = found(annotated(SUM, template), "template-format")
    assert bool(findings) == bool(said)
    assert all(said in finding.message for finding in findings)


@pytest.mark.parametrize(
    ("expr", "template", "count"),
    [
        ("100 * sum(x) > 5", "{{ $value | humanizePercentage }}", 1),
        ("(sum(x) / sum(y)) * 100 > 5", "{{ humanizePercentage $value }}", 1),
        ("5 < sum(x) * 100", "{{ $value | humanizePercentage }}", 1),
        ("sum(x) / sum(y) > 0.05", "{{ $value | humanizePercentage }}", 0),
        ("sum(x) * 100 > 5", "{{ $value | humanize }}", 0),
        ("sum(x) * 60 > 5", "{{ $value | humanizePercentage }}", 0),
    ],
)
def test_percentages_of_percentages(expr: str, template: str, count: int) -> None:
    assert len(found(annotated(expr, template), "template-percentage")) == count
