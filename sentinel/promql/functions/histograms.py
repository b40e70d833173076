"""Functions of histograms. Classic ones are vectors of buckets: series that differ in `le` alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from sentinel.model import Bools, Floats, Histogram, Int64s, Labels
from sentinel.model.histogram import boxed
from sentinel.promql.aggregations import dropped, go_float, group_rows, warn_of_quantile
from sentinel.promql.functions.registry import function
from sentinel.promql.histograms import fraction as native_fraction
from sentinel.promql.histograms import has_nan_observations, variance
from sentinel.promql.histograms import quantile as native_quantile
from sentinel.promql.moment import Invocation
from sentinel.promql.native import floats_of, histograms_of
from sentinel.promql.syntax.literals import quoted
from sentinel.promql.values import NO_SERIES, Scalar, String, Vector

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


def _bound(text: str) -> float:
    """The upper bound of a bucket, NaN if `le` is no number."""
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


@function("histogram_quantile(scalar, vector) vector", native=True)
def histogram_quantile(invocation: Invocation, q: Scalar, vector: Vector) -> Vector:
    """Classic histograms by columns, native ones one by one."""
    warn_of_quantile(invocation, q.value, invocation.args[0])
    return invocation.run.renamed(_quantiles(invocation, q.value, _by_kind(invocation, vector, 1), 1))


@function("histogram_quantiles(vector, string, scalar, scalar...) vector", native=True)
def histogram_quantiles(invocation: Invocation, vector: Vector, label: String, *qs: Scalar) -> Vector:
    """Several quantiles at once, each with its rank in a label."""
    for q, place in zip(qs, invocation.args[2:], strict=True):
        warn_of_quantile(invocation, q.value, place)
    histograms, sets, parts = _by_kind(invocation, vector, 0), invocation.sets, []
    for q in qs:
        part, rank = _quantiles(invocation, q.value, histograms, 0), {label.value: openmetrics_float(q.value)}
        ranked = sets.transform(("with", *rank.items()), partial(Labels.with_, changes=rank))
        parts.append(Vector(ranked(part.ids), part.values))
    values = np.concatenate([part.values for part in parts])
    return invocation.run.renamed(Vector(np.concatenate([part.ids for part in parts]), values))


def openmetrics_float(value: float) -> str:
    """As OpenMetrics writes the value of a label: whole numbers with their `.0`."""
    text = go_float(value)
    return text if not math.isfinite(value) or "." in text or "e" in text else f"{text}.0"


def _quantiles(
    invocation: Invocation, q: float, histograms: tuple[_Histograms, Vector], argument: int
) -> Vector:
    from sentinel.promql.functions import _histogram_kernels as kernels

    classic, native = histograms
    fixed = np.tile([math.inf, -math.inf, 0.0], (len(classic.ids), 1))
    columns = (classic.first, classic.last, classic.bound.copy(), classic.count.copy())
    values = kernels.quantiles(*columns, q, fixed)
    _inform_of_falls(invocation, classic.ids, fixed, argument)

    def read(labels: Labels, histogram: Histogram) -> float:
        value = native_quantile(histogram, q)
        if has_nan_observations(histogram) and 0 <= q <= 1:
            what = "result is NaN" if math.isnan(value) else "result is skewed higher"
            text = f"input to histogram_quantile has NaN observations, {what}"
            invocation.inform(text + _of_metric(invocation, labels), invocation.args[argument])
        return value

    return _together(classic, values, native, _native_values(invocation, native, read))


def _inform_of_falls(
    invocation: Invocation, ids: Int64s, fixed: npt.NDArray[np.float64], argument: int
) -> None:
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
            invocation.args[argument],
        )


@function("histogram_fraction(scalar, scalar, vector) vector", native=True)
def histogram_fraction(invocation: Invocation, lower: Scalar, upper: Scalar, vector: Vector) -> Vector:
    """Classic histograms by columns, native ones one by one."""
    from sentinel.promql.functions import _histogram_kernels as kernels

    classic, native = _by_kind(invocation, vector, 2)
    columns = (classic.first, classic.last, classic.bound, classic.count)
    values = kernels.fractions(*columns, lower.value, upper.value)

    def share(labels: Labels, histogram: Histogram) -> float:
        if has_nan_observations(histogram):
            text = "input to histogram_fraction has NaN observations, which are excluded from all fractions"
            invocation.inform(text + _of_metric(invocation, labels), invocation.args[2])
        return native_fraction(histogram, lower.value, upper.value)

    of_native = _native_values(invocation, native, share)
    return invocation.run.renamed(_together(classic, values, native, of_native))


_OF_NATIVE: Final[dict[str, Callable[[Histogram], float]]] = {
    "histogram_avg": lambda histogram: float(np.divide(histogram.sum, histogram.count)),
    "histogram_count": lambda histogram: histogram.count,
    "histogram_stddev": lambda histogram: float(np.sqrt(variance(histogram))),
    "histogram_stdvar": variance,
    "histogram_sum": lambda histogram: histogram.sum,
}


def _register(name: str, read: Callable[[Histogram], float]) -> None:
    @function(f"{name}(vector) vector", native=True)
    def evaluate(invocation: Invocation, vector: Vector) -> Vector:
        """Of native histograms; a float sample is none."""
        found, histograms = histograms_of(invocation, vector)
        return invocation.run.renamed(found.with_values(np.array([read(each) for each in histograms])))


for _name, _read in _OF_NATIVE.items():
    _register(_name, _read)


def _by_kind(invocation: Invocation, vector: Vector, argument: int) -> tuple[_Histograms, Vector]:
    """The classic histograms of a vector, and its native ones.

    Of neither kind where both have the same labels: nobody can tell which one is meant.
    """
    if not invocation.run.native:
        return _histograms(invocation, vector, argument), NO_SERIES
    native = vector.take(boxed(vector.values))
    vector = floats_of(vector)
    classic = invocation.sets.dropping(("le",))(vector.ids)
    both = np.intersect1d(classic, native.ids)
    for id in both.tolist():
        text = "vector contains a mix of classic and native histograms"
        invocation.warn(text + _of_metric(invocation, invocation.sets[id]), invocation.args[argument])
    found = _histograms(invocation, vector.take(~np.isin(classic, both)), argument)
    return found, native.take(~np.isin(native.ids, both))


def _native_values(
    invocation: Invocation, native: Vector, read: Callable[[Labels, Histogram], float]
) -> Floats:
    histograms = invocation.run.histograms.unbox(native.values)
    labels = [invocation.sets[id] for id in native.ids.tolist()]
    return np.array([read(*pair) for pair in zip(labels, histograms, strict=True)], np.float64)


def _together(classic: _Histograms, values: Floats, native: Vector, of_native: Floats) -> Vector:
    ids = np.concatenate([native.ids, classic.ids])
    return Vector(ids, np.concatenate([of_native, values]))
