"""Quantiles of classic histograms that have lost their buckets."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.promql import ast
from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject
from sentinel.rules.lint.world import name_of


def quantile_without_le(subject: Subject) -> Iterator[Found]:
    """The label that tells buckets apart was aggregated away. Native histograms need none."""
    for call in subject.calls("histogram_quantile", "histogram_fraction", "histogram_quantiles"):
        vector = next(arg for arg in call.args if arg.kind == "instant vector")
        if not subject.labels.of(vector).possible.has("le") and _reads_buckets(vector):
            message = f"{call.function}() needs the label 'le', which {subject.said(vector)} has lost"
            yield subject.at(vector, message, "add le to `by (...)`, or take it out of `without (...)`")


def _reads_buckets(expr: ast.Expr) -> bool:
    return any(
        isinstance(node, ast.Selector) and name_of(node).endswith("_bucket") for node in ast.walk(expr)
    )
