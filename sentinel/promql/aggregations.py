"""Aggregations: the rows of a vector folded by group, or the best of each group picked out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Bools, Floats, Histogram, Int32s, Int64s
from sentinel.model.histogram import boxed
from sentinel.promql import ast
from sentinel.promql.histograms import IncompatibleError, mean, total
from sentinel.promql.labelsets import AT_ONCE, LabelSets, Transform
from sentinel.promql.moment import Invocation
from sentinel.promql.native import (
    MIXED,
    MIXED_SCHEMAS,
    as_value,
    floats_of,
    metric_of,
    note_combined,
    value_text,
)
from sentinel.promql.steps import number_groups
from sentinel.promql.syntax.literals import is_label_name, quoted
from sentinel.promql.syntax.printer import number
from sentinel.promql.values import NO_SERIES, Scalar, String, Value, Vector


@dataclass(slots=True, eq=False)
class Groups:
    """Which group each row is in. Groups are numbered in the order of their labels' fingerprints."""

    of_row: Int32s
    ids: Int64s

    def __len__(self) -> int:
        return len(self.ids)


def aggregate(invocation: Invocation, node: ast.Aggregation, vector: Vector, param: Value | None) -> Vector:
    """The value of an aggregation over an evaluated vector."""
    if node.op == "count_values":
        assert isinstance(param, String)
        return _count_values(invocation, node, vector, param.value)
    figure = param.value if isinstance(param, Scalar) else 0.0
    if node.op in ("topk", "bottomk", "limitk"):
        _require_count(figure)
    if node.op == "limit_ratio" and math.isnan(figure):
        raise QueryError("Ratio value is NaN", kind="execution")
    if node.op == "quantile":
        warn_of_quantile(invocation, figure, node.param)
    if invocation.run.native:
        if node.op in ("sum", "avg"):
            return _of_both_kinds(invocation, node, vector)
        if node.op not in _OF_ANY:
            vector = _floats_alone(invocation, node, vector)
    return _aggregate(invocation, node, vector, figure)


def _aggregate(invocation: Invocation, node: ast.Aggregation, vector: Vector, figure: float) -> Vector:
    if not len(vector):
        return NO_SERIES
    groups = group_rows(invocation.sets, grouping(invocation, node), vector.ids)
    if node.op in _PICK:
        return vector.take(_PICK[node.op](vector, groups, figure, invocation))
    values = (
        _quantiles(vector.values, groups, figure) if node.op == "quantile" else _fold(node.op, vector, groups)
    )
    return Vector(groups.ids, values, dropped(vector, groups))


_OF_ANY: Final = ("count", "group", "limitk", "limit_ratio")
"""Aggregations to which histograms and floats are the same."""


def _floats_alone(invocation: Invocation, node: ast.Aggregation, vector: Vector) -> Vector:
    floats = floats_of(vector)
    if len(floats) < len(vector):
        place = node if node.op in _PICK else node.expr
        invocation.inform(f"ignored histogram in {node.op} aggregation", place)
    return floats


def _of_both_kinds(invocation: Invocation, node: ast.Aggregation, vector: Vector) -> Vector:
    """Sum or mean of each group of floats, or of histograms; a group that has both has none."""
    marks = boxed(vector.values)
    if not marks.any():
        return _aggregate(invocation, node, vector, 0.0)
    groups = group_rows(invocation.sets, grouping(invocation, node), vector.ids)
    counts = np.bincount(groups.of_row, minlength=len(groups))
    histograms = np.bincount(groups.of_row[marks], minlength=len(groups))
    if ((histograms > 0) & (histograms < counts)).any():
        invocation.warn(f"{MIXED} aggregation", node.expr)
    values, kept = np.zeros(len(groups)), histograms == 0
    floats = Groups(groups.of_row[~marks], groups.ids)
    values[kept] = _fold(node.op, vector.take(~marks), floats)[kept]
    for group in np.flatnonzero(histograms == counts).tolist():
        folded = _total_of(invocation, node.op, vector.take(groups.of_row == group))
        if folded is not None:
            values[group], kept[group] = as_value(invocation, folded), True
    marked = dropped(vector, groups)
    return Vector(groups.ids, values, marked).take(kept)


def _total_of(invocation: Invocation, op: str, vector: Vector) -> Histogram | None:
    """The sum or mean of a group of histograms, with what is to be noted of it; None if they do not fit."""
    histograms = invocation.run.histograms.unbox(vector.values)
    try:
        folded = (mean if op == "avg" else total)(histograms)
    except IncompatibleError:
        custom = [histogram.is_custom for histogram in histograms]
        row = custom.index(not custom[0])
        invocation.warn(f"{MIXED_SCHEMAS} {metric_of(invocation, vector, row)}", invocation.args[0])
        return None
    note_combined(invocation, folded.collision, folded.reconciled, "aggregation")
    return folded.histogram


def grouping(invocation: Invocation, node: ast.Aggregation) -> Transform:
    """The change of labels that `by` or `without` asks for."""
    if node.without:
        return invocation.sets.dropping((*node.labels, "__name__"))
    return invocation.sets.keeping(node.labels)


def group_rows(sets: LabelSets, transform: Transform, ids: Int64s) -> Groups:
    """The groups of rows that a change of labels makes equal."""
    known: Groups | None = transform.groups.get(ids)
    if known is not None:
        return known
    group, members = number_groups(sets, transform.look_up(ids))
    order = np.argsort(sets.fingerprints(members), kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    groups = Groups(rank[group], members[order])
    transform.groups.put(ids, groups)
    return groups


def _fold(op: str, vector: Vector, groups: Groups) -> Floats:
    from sentinel.promql import _kernels

    if op == "count":
        counts: Floats = np.bincount(groups.of_row, minlength=len(groups)).astype(np.float64)
        return counts
    if op == "group":
        return np.ones(len(groups))
    folded: Floats = getattr(_kernels, _FOLDS[op])(
        np.ascontiguousarray(vector.values), groups.of_row, len(groups)
    )
    if op == "stddev":
        np.sqrt(folded, out=folded)
    return folded


_FOLDS: Final = {
    "sum": "sums",
    "avg": "averages",
    "min": "minima",
    "max": "maxima",
    "stdvar": "variances",
    "stddev": "variances",
}


def dropped(vector: Vector, groups: Groups) -> Bools | None:
    """A group loses its name if one of its rows does."""
    if vector.drop_name is None:
        return None
    return np.bincount(groups.of_row[vector.drop_name], minlength=len(groups)) > 0


def quantile_of_sorted(q: float, values: Floats, first: Int64s, count: Int64s) -> Floats:
    """Linear interpolation at rank q(n - 1) of each span [first, first + count), sorted with NaN first."""
    if math.isnan(q) or q < 0 or q > 1:
        return np.full(len(first), math.nan if math.isnan(q) else math.copysign(math.inf, q))
    rank = q * (count - 1)
    low = np.floor(rank).astype(np.int64)
    high = np.minimum(low + 1, count - 1)
    weight = rank - low
    interpolated: Floats = values[first + low] * (1 - weight) + values[first + high] * weight
    return interpolated


def _quantiles(values: Floats, groups: Groups, q: float) -> Floats:
    order = np.lexsort((values, ~np.isnan(values), groups.of_row))
    count = np.bincount(groups.of_row, minlength=len(groups))
    return quantile_of_sorted(q, values[order], np.cumsum(count) - count, count)


def warn_of_quantile(invocation: Invocation, q: float, node: ast.Expr | None) -> None:
    """Notes a quantile outside [0, 1]; the result is infinite or NaN then."""
    if node is not None and not 0 <= q <= 1:
        invocation.warn(f"quantile value should be between 0 and 1, got {go_float(q)}", node)


def go_float(value: float) -> str:
    """As Go's %g prints a float."""
    plain = not math.isfinite(value) or not value or 1e-4 <= abs(value) < 1e21
    return number(value) if plain else repr(value)


def _require_count(figure: float) -> None:
    if math.isnan(figure):
        raise QueryError("Parameter value is NaN", kind="execution")
    if abs(figure) >= 2**63:
        flow = "over" if figure > 0 else "under"
        raise QueryError(f"Scalar value {go_float(figure)} {flow}flows int64", kind="execution")


def _best(vector: Vector, groups: Groups, figure: float, highest: bool) -> Int64s:
    """Rows of the k highest or lowest of each group, best first; NaN is worst, equals keep their order."""
    ranked = -vector.values if highest else vector.values
    order = np.lexsort((ranked, np.isnan(ranked), groups.of_row))
    return _head(order, groups, figure)


def _head(order: Int64s, groups: Groups, figure: float) -> Int64s:
    """The first k of each group of an order sorted by group."""
    count = np.bincount(groups.of_row, minlength=len(groups))
    within = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    return order[within < math.trunc(figure)]


def _limited(vector: Vector, groups: Groups, figure: float) -> Int64s:
    return _head(np.argsort(groups.of_row, kind="stable"), groups, figure)


def _sampled(vector: Vector, figure: float, invocation: Invocation) -> Int64s:
    """Rows whose fingerprint falls into a share of all fingerprints; a negative share takes the others."""
    param = getattr(invocation.node, "param", invocation.node)
    share = min(1.0, max(-1.0, figure))
    if share != figure:
        text = f"got {go_float(figure)}, capping to {go_float(share)}"
        invocation.warn(f"ratio value should be between -1 and 1, {text}", param)
    place = invocation.sets.fingerprints(vector.ids) / 2.0**64
    return np.flatnonzero(place < share if share >= 0 else place >= 1.0 + share)


_PICK: Final[dict[str, Callable[[Vector, Groups, float, Any], Int64s]]] = {
    "topk": lambda vector, groups, k, _: _best(vector, groups, k, highest=True),
    "bottomk": lambda vector, groups, k, _: _best(vector, groups, k, highest=False),
    "limitk": lambda vector, groups, k, _: _limited(vector, groups, k),
    "limit_ratio": lambda vector, groups, ratio, invocation: _sampled(vector, ratio, invocation),
}


def _count_values(invocation: Invocation, node: ast.Aggregation, vector: Vector, label: str) -> Vector:
    """How often each value occurs in each group, the value as a label."""
    if not is_label_name(label):
        raise QueryError(f"invalid label name {quoted(label)}", kind="execution")
    sets, valued = invocation.sets, [np.empty(0, np.int64)]
    kept = ast.Aggregation(
        node.op, node.expr, None, (*node.labels, *(() if node.without else (label,))), node.without
    )
    transform, texts = grouping(invocation, kept), partial(value_text, invocation)
    for first in range(0, len(vector), AT_ONCE):
        sets.hurry()
        rows = slice(first, first + AT_ONCE)
        some = zip(vector.ids[rows].tolist(), vector.values[rows].tolist(), strict=True)
        valued.append(sets.intern_all([sets[id].with_({label: texts(value)}) for id, value in some]))
    ids, counts = np.unique(transform.look_up(np.concatenate(valued)), return_counts=True)
    order = np.argsort(sets.fingerprints(ids))
    return Vector(ids[order], counts[order].astype(np.float64))
