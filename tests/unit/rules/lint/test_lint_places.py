"""Where findings stand, and the comments that switch them off."""

from __future__ import annotations

import pytest

from sentinel.rules.lint import readable

from .files import found, in_group, source

FILE = """\
groups:
  - name: g
    rules:
      # a comment
      - alert: A
        expr: |
          sum by (job) (x)  # all of them
            > 1
          or up > 1
      - alert: B
        expr: >-
          up
          > 1
      - alert: C
        expr: "up\\t>\\
          1"
"""


def test_of_a_rule_file_only_the_first_document_counts() -> None:
    assert not found(in_group("{alert: A, expr: up == 0, for: 5m}") + "---\ngroups: [broken\n")


def test_places_are_those_of_the_file() -> None:
    findings = found(FILE, "impossible-comparison")
    assert [(finding.rule, finding.line, finding.column) for finding in findings] == [
        ("A", 9, 14),
        ("B", 12, 11),
        ("C", 15, 16),
    ]
    assert str(findings[1]) == (
        "r.yml:12:11: bug: rule 'B': `up > 1` is never true: the left side is from 0 to 1 "
        "(what depends on it never happens: compare with a value that can be) [impossible-comparison]"
    )


def test_places_in_manifests_of_several_documents() -> None:
    body = "\n".join("    " + line for line in FILE.splitlines()[1:9])
    manifest = f"kind: PrometheusRule\nmetadata: {{name: m}}\nspec:\n  groups:\n{body}\n"
    text = f"kind: ConfigMap\n---\n{manifest}---\n{manifest.replace('name: g', 'name: h')}"
    findings = found(text, "impossible-comparison")
    lines = text.splitlines()
    assert len(findings) == 2
    for finding in findings:
        assert lines[finding.line - 1][finding.column - 1 :] == "up > 1"


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("# sentinel:ignore impossible-comparison", "BC"),
        ("# sentinel:ignore missing-for, impossible-comparison", "BC"),
        ("# sentinel:ignore missing-for", "ABC"),
        ("# sentinel:ignore-file impossible-comparison", ""),
        ("# pint disable promql/impossible", "BC"),
        ("# pint file/disable promql/impossible", ""),
        ("# pint disable something/else", "ABC"),
    ],
)
@pytest.mark.parametrize("at", ["# a comment", "# all of them"])
def test_comments_switch_checks_off(comment: str, left: str, at: str) -> None:
    findings = found(FILE.replace(at, comment), "impossible-comparison")
    assert "".join(finding.rule for finding in findings) == left


@pytest.mark.parametrize(("indentation", "left"), [(6, "AC"), (10, "BC")])
def test_a_comment_below_a_rule_is_the_next_ones(indentation: int, left: str) -> None:
    """Unless it stands inside."""
    comment = " " * indentation + "# sentinel:ignore impossible-comparison\n"
    text = FILE.replace("      - alert: B", f"{comment}      - alert: B")
    assert "".join(finding.rule for finding in found(text, "impossible-comparison")) == left


def test_the_last_rule_of_a_file_without_a_line_end() -> None:
    text = FILE.rstrip() + "  # sentinel:ignore impossible-comparison"
    assert [finding.rule for finding in found(text, "impossible-comparison")] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (in_group("{alert: A, expr: x, for: 1m, keep_firing_for: 1m}", group="limit: 3"), ""),
        (in_group("{record: a, expr: x, detector: deviation, with: {}}"), "it uses detector, with"),
        (in_group("{record: a, expr: x}", group="on_arrival: true"), "it uses on_arrival"),
        (
            "kind: PrometheusRule\nspec: {groups: []}\n",
            "it is a manifest; promtool reads what stands in its spec",
        ),
    ],
)
def test_what_promtool_reads(text: str, why: str) -> None:
    assert readable(source(text)) == (not why, why)
