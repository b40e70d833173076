"""Requests as tables: where all their parts lie, what their data points say, and which of them are bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from sentinel.decode._otlp_attributes import read_attributes
from sentinel.decode._otlp_histograms import Several, read_explicit, read_exponential, read_summary
from sentinel.decode._otlp_labels import NONE, OF_BUCKET, OF_COUNT, Inherited, Metric, Translator
from sentinel.decode._otlp_plain import (
    ATTRIBUTES,
    CUMULATIVE,
    DELTA,
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    NUMBERS,
    SUMMARY,
    VERDICTS,
)
from sentinel.decode.limits import Limits
from sentinel.errors import DecodeError
from sentinel.model import Bools, Floats, Histogram, Int64s, UInt8s

RECORD_REASONS: Final = ("", "invalid_protobuf", "request_too_large", "record_too_large")
"""Why a whole record is refused, whatever its points are: the first two as the kernel says them."""
_READERS: Final[dict[int, Callable[[bytes], Several | Histogram]]] = {
    HISTOGRAM: read_explicit,
    SUMMARY: read_summary,
    EXPONENTIAL: read_exponential,
}
_LONGEST_SUFFIX: Final = {HISTOGRAM: OF_BUCKET, SUMMARY: OF_COUNT}


class Found(NamedTuple):
    """Everything in some records; columns of the tables are those of the kernels."""

    resources: Int64s
    scopes: Int64s
    metrics: Int64s
    points: Int64s
    values: Floats
    """Of the points that are numbers."""
    resource_of: list[Inherited]
    """By row of `resources`."""
    scope_of: list[Inherited]
    contents: dict[int, Several | Histogram]
    """By row of `points`, of those that are no numbers, and good."""
    verdict: Int64s
    """By row of `points`, the place in VERDICTS."""
    failed: Int64s
    """By record, the place in RECORD_REASONS."""

    @property
    def record(self) -> Int64s:
        """By row of `points`."""
        from sentinel.decode import _otlp_kernel as kernel
        from sentinel.decode._otlp_points_kernel import P_METRIC

        scope = self.metrics[self.points[:, P_METRIC], kernel.M_SCOPE]
        records: Int64s = self.resources[self.scopes[scope, kernel.S_RESOURCE], kernel.R_RECORD]
        return records


def deltas(metrics: Int64s) -> Bools:
    """By row of the metrics, whether their points say what was counted since the last ones."""
    from sentinel.decode._otlp_kernel import M_KIND, M_TEMPORALITY

    found: Bools = (metrics[:, M_TEMPORALITY] == DELTA) & ~np.isin(metrics[:, M_KIND], (GAUGE, SUMMARY))
    return found


def read_requests(
    text: UInt8s, starts: Int64s, ends: Int64s, latest_ms: Int64s, translator: Translator, limits: Limits
) -> Found:
    """All that lies in these spans of the text."""
    from sentinel.decode import _otlp_kernel as kernel
    from sentinel.decode._otlp_points_kernel import P_WIDTH, read_points

    failed = np.where(ends - starts > limits.record_bytes, 3, 0)
    room = kernel.Tables.of(np.zeros(4, np.int64))
    kernel.index_records(text, starts, ends, failed, room)
    tables = kernel.Tables.of(room.counts)
    kernel.index_records(text, starts, ends, failed, tables)
    grids = (table[:count] for table, count in zip(tables[:3], tables.counts.tolist(), strict=False))
    resources, scopes, metrics = grids
    inherited = _inherit(text, resources, scopes, translator)
    points, values = np.empty((room.counts[3], P_WIDTH), np.int64), np.empty(room.counts[3], np.float64)
    limit = limits.column()
    count = read_points(text, resources, scopes, metrics, latest_ms, limit, failed, points, values)
    found = Found(
        resources,
        scopes,
        metrics,
        points[:count],
        values[:count],
        *inherited,
        {},
        np.empty(0, np.int64),
        failed,
    )
    return found._replace(verdict=_Judge(text, found, translator).verdicts())


def _inherit(
    text: UInt8s, resources: Int64s, scopes: Int64s, translator: Translator
) -> tuple[list[Inherited], list[Inherited]]:
    """What each resource and each scope gives to its points; notes how many labels that are."""
    from sentinel.decode._otlp_kernel import S_LABELS

    resource_of = [translator.resource(text[a:b].tobytes()) for _, a, b, *_ in resources.tolist()]
    scope_of = []
    for row, (resource, a, b, c, d, _) in enumerate(scopes.tolist()):
        scope = translator.scope(text[a:b].tobytes(), text[c:d].tobytes())
        scope_of.append(scope)
        scopes[row, S_LABELS] = len(resource_of[resource].labels) + len(scope.labels)
    return resource_of, scope_of


class _Judge:
    """Says of every point whether it is good; what the kernel was sure of is not looked at again."""

    def __init__(self, text: UInt8s, found: Found, translator: Translator) -> None:
        self._text, self._found, self._translator = text, found, translator

    def verdicts(self) -> Int64s:
        """By row of the points. Reads those that are no numbers, and keeps what is in them."""
        from sentinel.decode._otlp_kernel import M_KIND
        from sentinel.decode._otlp_points_kernel import P_DOUBT, P_METRIC, P_VERDICT

        found, points = self._found, self._found.points
        inherited = self._of_metrics()[points[:, P_METRIC]]
        verdict: Int64s = np.where(inherited > 0, inherited, points[:, P_VERDICT])
        doubt = points[:, P_DOUBT] > 0
        if not found.metrics.size or not (doubt.any() or (~np.isin(found.metrics[:, M_KIND], NUMBERS)).any()):
            return verdict
        several = ~np.isin(found.metrics[points[:, P_METRIC], M_KIND], NUMBERS)
        for row in np.flatnonzero((inherited == 0) & (doubt | several)).tolist():
            try:
                self._look(row)
            except DecodeError as error:
                verdict[row] = VERDICTS.index(error.reason)
        return verdict

    def _of_metrics(self) -> Int64s:
        """What is wrong with all points of a metric, by metric."""
        from sentinel.decode import _otlp_kernel as kernel

        metrics, scopes = self._found.metrics, self._found.scopes
        verdict = np.zeros(len(metrics), np.int64)
        for each in (self._found.scope_of, self._found.resource_of):
            column = np.array([VERDICTS.index(one.reason) for one in each], np.int64)
            if column.any():
                scope = metrics[:, kernel.M_SCOPE]
                mine = column[scope if each is self._found.scope_of else scopes[scope, kernel.S_RESOURCE]]
                verdict = np.where(mine > 0, mine, verdict)
        for row in np.flatnonzero(metrics[:, kernel.M_VERDICT]).tolist():
            metric = metric_of(self._text, metrics[row].tolist())
            longest = metric._replace(suffix=_LONGEST_SUFFIX.get(metric.kind, NONE))
            try:
                self._translator.judged({"__name__": self._translator.name(longest)})
            except DecodeError as error:
                verdict[row] = VERDICTS.index(error.reason)
        kind, temporality = metrics[:, kernel.M_KIND], metrics[:, kernel.M_TEMPORALITY]
        bad = (kind != GAUGE) & (kind != SUMMARY) & (kind != 0) & (temporality != CUMULATIVE)
        if self._translator.takes_deltas:
            bad &= temporality != DELTA
        delta = VERDICTS.index("delta_temporality")
        verdict[bad] = np.where(temporality[bad] == DELTA, delta, VERDICTS.index("invalid_temporality"))
        return verdict

    def _look(self, row: int) -> None:
        """Reads what the kernel left. Raises DecodeError where that is bad."""
        from sentinel.decode import _otlp_points_kernel as kernel

        found, point = self._found, self._found.points[row].tolist()
        scope, metric = context_of(self._text, found, point[kernel.P_METRIC])
        body = self._text[point[kernel.P_START] : point[kernel.P_END]].tobytes()
        content = None
        if metric.kind in _READERS:
            content = found.contents[row] = _READERS[metric.kind](body)
        if not point[kernel.P_DOUBT]:
            return
        series, pairs = [metric], read_attributes(body, ATTRIBUTES[metric.kind])
        if isinstance(content, Several):
            series = [metric._replace(suffix=s, bound=b) for s, b in zip(*content[:2], strict=True)]
        for each in series:
            self._translator.judged(self._translator.labels(*scope, each, pairs))


def metric_of(text: UInt8s, row: list[int]) -> Metric:
    """Of a row of the metrics."""
    _, a, b, c, d, kind, monotonic, *_ = row
    return Metric(text[a:b].tobytes(), text[c:d].tobytes(), kind, monotonic != 0)


def context_of(text: UInt8s, found: Found, metric: int) -> tuple[tuple[Inherited, Inherited], Metric]:
    """What a metric's points inherit, and the metric."""
    from sentinel.decode._otlp_kernel import M_SCOPE, S_RESOURCE

    row = found.metrics[metric].tolist()
    scope = row[M_SCOPE]
    resource = int(found.scopes[scope, S_RESOURCE])
    return (found.resource_of[resource], found.scope_of[scope]), metric_of(text, row)
