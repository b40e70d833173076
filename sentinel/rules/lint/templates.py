"""What is filled in to labels and annotations: labels that are not there, a value that never rests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from sentinel.promql import ast
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject
from sentinel.rules.lint.template_uses import Use, uses
from sentinel.rules.schema import RuleText
from sentinel.template import RuleData

_BAD_VERB: Final = "%!"
_BAD_COMPARISON: Final = "incompatible types for comparison"
_SAMPLE_VALUE: Final = 1.5


class _Text(NamedTuple):
    """A label or annotation of an alert."""

    key: str
    """`labels` or `annotations`."""
    name: str
    text: RuleText


def template_label(subject: Subject) -> Iterator[Found]:
    """`$labels.x` where the expression drops x: it is filled in with nothing."""
    flow = subject.labels.of(subject.rule.expr)
    for text in _filled(subject):
        told: set[str] = set()
        for use in uses(text.text.text):
            if not use.label or use.label in told or use.label == "__name__" or flow.possible.has(use.label):
                continue
            told.add(use.label)
            culprit = _dropped_by(subject, use.label)
            message = f"$labels.{use.label} is always empty: {subject.said(culprit)} has no such label"
            yield _about(
                subject, text, use, message, f"keep {use.label!r} in the expression, or do not use it"
            )


def template_value_label(subject: Subject) -> Iterator[Found]:
    """A label with `$value` in it: the alert is another one whenever the value changes."""
    for text in _filled(subject):
        value = next((use for use in uses(text.text.text) if use.value and use.shown), None)
        if text.key == "labels" and value is not None:
            message = (
                f"label {text.name!r} holds $value: whenever that changes, it is another alert, pending anew"
            )
            yield _about(subject, text, value, message, "say the value in an annotation")


def template_format(subject: Subject) -> Iterator[Found]:
    """What Go's templates cannot do with a float: `printf "%d" $value`, `gt $value 80`."""
    for text in _filled(subject):
        if "$value" not in text.text.text and ".Value" not in text.text.text:
            continue
        rendered = text.text.render(
            RuleData(_AnyLabel(), _SAMPLE_VALUE, query=lambda _: [({}, _SAMPLE_VALUE)])
        )
        where = text.key.removesuffix("s")
        if _BAD_COMPARISON in rendered:
            message = f"{where} {text.name!r} compares the value, a float, with an integer: that fails"
            yield subject.about(
                text.key, text.name, message=message, hint="write the number with a point: 80.0"
            )
        elif _BAD_VERB in rendered and "float64=" in rendered:
            message = (
                f"{where} {text.name!r} prints the value, a float, as something else: {_around(rendered)}"
            )
            yield subject.about(text.key, text.name, message=message, hint="use %f, %.0f or humanize")


def template_percentage(subject: Subject) -> Iterator[Found]:
    """humanizePercentage multiplies by 100 what the expression has multiplied already."""
    if not _is_percentage(subject.rule.expr):
        return
    for text in _filled(subject):
        for use in uses(text.text.text):
            if use.value and "humanizePercentage" in use.functions:
                message = "humanizePercentage takes a ratio, and the expression is a ratio times 100"
                yield _about(subject, text, use, message, "leave out one of the two")


class _AnyLabel(dict[str, str]):
    """Every label is there."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        return "x"


def _filled(subject: Subject) -> Iterator[_Text]:
    """The texts of an alert in which something is filled in."""
    if subject.rule.alert:
        both: tuple[tuple[str, Mapping[str, RuleText]], ...] = (
            ("labels", subject.rule.labels),
            ("annotations", subject.rule.annotations),
        )
        for key, texts in both:
            yield from (_Text(key, name, text) for name, text in texts.items() if text.constant is None)


def _about(subject: Subject, text: _Text, use: Use, message: str, hint: str) -> Found:
    return subject.about(text.key, text.name, message=message, hint=hint, offset=use.offset)


def _dropped_by(subject: Subject, label: str) -> ast.Expr:
    """The innermost part of the expression, on the way of its labels, that has lost one."""
    node = subject.rule.expr
    while True:
        below = [
            child
            for child in node.children()
            if child.kind in ("instant vector", "range vector")
            and not subject.labels.of(child).possible.has(label)
        ]
        if not below:
            return node
        node = below[0]


def _is_percentage(expr: ast.Expr) -> bool:
    inner = ast.bare(expr)
    if isinstance(inner, ast.Binary) and inner.op in ast.COMPARISONS and not inner.return_bool:
        inner = ast.bare(inner.right if inner.left.kind == "scalar" else inner.left)
    if not isinstance(inner, ast.Binary) or inner.op != "*":
        return False
    return any(
        isinstance(side := ast.bare(s), ast.Number) and side.value == 100 for s in (inner.left, inner.right)
    )


def _around(rendered: str) -> str:
    start = rendered.index(_BAD_VERB)
    return f"`{rendered[start : start + 20]}`"
