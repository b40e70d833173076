"""Functions of histograms. Classic ones are vectors of buckets: series that differ in `le` alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from sentinel.model import Bools, Floats, Int64s, Labels
from sentinel.promql.aggregations import dropped, go_float, group_rows, warn_of_quantile
from sentinel.promql.functions.registry import function
from sentinel.promql.moment import Invocation
from sentinel.promql.syntax.literals import quoted
from sentinel.promql.values import Scalar, Vector, no_series

_MANUAL: Final = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile"


@dataclass(slots=True, eq=False)
class _Histograms:
    """Histogram `i` has the labels `ids[i]` and the buckets [first[i], last[i])."""

    ids: Int64s
    drop_name: Bools | None
    first: Int64s
    last: Int64s
    bound: Floats
    count: Floats


def _bound(labels: Labels) -> float:
    """The upper bound of a bucket, NaN if `le` is no number."""
    text = labels.get("le")
    try:
        return math.nan if "_" in text or text != text.strip() else float(text)
    except ValueError:
        return math.nan


def _histograms(invocation: Invocation, vector: Vector, argument: int) -> _Histograms:
    sets = invocation.sets
    bound = sets.column("le", _bound)(vector.ids)
    bad = np.isnan(bound)
    if bad.any():
        for id in vector.ids[bad].tolist():
            _warn_of_bucket(invocation, sets[id], argument)
        vector, bound = vector.take(~bad), bound[~bad]
    groups = group_rows(sets, sets.dropping(("le",)), vector.ids)
    order = np.lexsort((bound, groups.of_row))
    last = np.cumsum(np.bincount(groups.of_row, minlength=len(groups)))
    first = np.concatenate(([0], last))[:-1].astype(np.int64)
    marks = dropped(vector, groups)
    return _Histograms(groups.ids, marks, first, last, bound[order], vector.values[order])


def _warn_of_bucket(invocation: Invocation, labels: Labels, argument: int) -> None:
    text = f'bucket label "le" is missing or has a malformed value of {quoted(labels.get("le"))}'
    invocation.warn(text + _of_metric(invocation, labels), invocation.args[argument])


def _of_metric(invocation: Invocation, labels: Labels) -> str:
    named = labels.name and invocation.run.delayed_name_removal
    return f" for metric name {quoted(labels.name)}" if named else ""


@function("histogram_quantile(scalar, vector) vector")
def histogram_quantile(invocation: Invocation, q: Scalar, vector: Vector) -> Vector:
    from sentinel.promql.functions import _histogram_kernels as kernels

    warn_of_quantile(invocation, q.value, invocation.args[0])
    found = _histograms(invocation, vector, 1)
    fixed = np.tile([math.inf, -math.inf, 0.0], (len(found.ids), 1))
    values = kernels.quantiles(found.first, found.last, found.bound, found.count, q.value, fixed)
    _inform_of_falls(invocation, found.ids, fixed)
    return invocation.run.renamed(Vector(found.ids, values, found.drop_name))


def _inform_of_falls(invocation: Invocation, ids: Int64s, fixed: npt.NDArray[np.float64]) -> None:
    """One note for each metric whose cumulative counts had to be made monotonic."""
    by_metric: dict[str, list[int]] = {}
    for row in np.flatnonzero(fixed[:, 2] > 0).tolist():
        by_metric.setdefault(_of_metric(invocation, invocation.sets[int(ids[row])]), []).append(row)
    when = datetime.fromtimestamp(invocation.at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for metric, rows in by_metric.items():
        low, high, fall = fixed[rows, 0].min(), fixed[rows, 1].max(), fixed[rows, 2].max()
        invocation.inform(
            f"input to histogram_quantile needed to be fixed for monotonicity (see {_MANUAL}){metric}, "
            f"from buckets {go_float(low)} to {go_float(high)}, with a max diff of {fall:.2g}, "
            f"over {len(rows)} samples from {when} to {when}",
            invocation.args[1],
        )


@function("histogram_fraction(scalar, scalar, vector) vector")
def histogram_fraction(invocation: Invocation, lower: Scalar, upper: Scalar, vector: Vector) -> Vector:
    from sentinel.promql.functions import _histogram_kernels as kernels

    found = _histograms(invocation, vector, 2)
    values = kernels.fractions(found.first, found.last, found.bound, found.count, lower.value, upper.value)
    return invocation.run.renamed(Vector(found.ids, values, found.drop_name))


@function(
    "histogram_avg(vector) vector",
    "histogram_count(vector) vector",
    "histogram_stddev(vector) vector",
    "histogram_stdvar(vector) vector",
    "histogram_sum(vector) vector",
)
def of_native_histograms(invocation: Invocation, vector: Vector) -> Vector:
    """These read native histograms; a float sample is not one."""
    return no_series()
