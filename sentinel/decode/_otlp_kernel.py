"""Where everything in a request lies: its resources, scopes and metrics, and how many data points they have.

Many records are read in one call. It is made twice: with tables of one row, to learn how much room is needed
(rows beyond the end of a table overwrite the last one), and then with tables of that size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import int64, types

from sentinel.decode._otlp_plain import EXPONENTIAL, GAUGE, HISTOGRAM, SUM, SUMMARY
from sentinel.decode._remote_write_wire_kernel import next_field
from sentinel.machine import TEXT, kernel
from sentinel.model import Int64s

R_RECORD, R_START, R_END, R_EARLIEST, R_LATEST, R_WIDTH = range(6)
"""Columns of a resource: its record, where the Resource message lies, the times of its data points."""
S_RESOURCE, S_START, S_END, S_URL, S_URL_END, S_LABELS, S_WIDTH = range(7)
"""Columns of a scope: where InstrumentationScope and schema_url lie, how many labels points inherit."""
M_SCOPE, M_NAME, M_NAME_END, M_UNIT, M_UNIT_END, M_KIND, M_MONOTONIC, M_TEMPORALITY = range(8)
M_DATA, M_DATA_END, M_VERDICT, M_WIDTH = range(8, 12)
"""Columns of a metric; its kind is 0 if it has no data."""
RESOURCES, SCOPES, METRICS, POINTS = range(4)
NO_TIME = (1 << 63) - 1
MALFORMED, TOO_MANY = 1, 2
"""What may be wrong with a whole record."""
MOST_ITEMS = 1 << 20
"""Of resources, scopes, metrics and data points, each, in one record."""


class Tables(NamedTuple):
    """Rows of what was found; at least one, so that there always is one to write to."""

    resources: Int64s
    scopes: Int64s
    metrics: Int64s
    counts: Int64s

    @classmethod
    def of(cls, counts: Int64s) -> Tables:
        resources, scopes, metrics, _ = np.maximum(counts, 1).tolist()
        return cls(
            np.zeros((resources, R_WIDTH), np.int64),
            np.zeros((scopes, S_WIDTH), np.int64),
            np.zeros((metrics, M_WIDTH), np.int64),
            np.zeros(4, np.int64),
        )


GRID, LIST = types.int64[:, ::1], types.int64[::1]
_TABLES = types.NamedTuple((GRID, GRID, GRID, LIST), Tables)


@kernel(int64(TEXT, int64, int64, LIST, LIST))
def _index_data(text, pos, end, metric, counts):  # type: ignore[no-untyped-def]
    """Notes what a Gauge, Sum, Histogram... says of all its points, and counts these; 0 or -1."""
    while pos < end:
        pos, tag, a, _ = next_field(text, pos, end)
        number, kind = tag >> 3, tag & 7
        if pos < 0 or (number == 1 and kind != 2) or ((number == 2 or number == 3) and kind != 0):
            return -1
        if number == 1:
            counts[POINTS] += 1
        elif number == 2:
            metric[M_TEMPORALITY] = a
        elif number == 3:
            metric[M_MONOTONIC] = 1 if a != 0 else 0
    return 0


@kernel(int64(TEXT, int64, int64, int64, _TABLES))
def _index_metric(text, pos, end, scope, tables):  # type: ignore[no-untyped-def]
    """0 or -1."""
    counts = tables.counts
    metric = tables.metrics[min(counts[METRICS], len(tables.metrics) - 1)]
    counts[METRICS] += 1
    for column in range(M_WIDTH):
        metric[column] = 0
    metric[M_SCOPE] = scope
    while pos < end:
        pos, tag, a, b = next_field(text, pos, end)
        number = tag >> 3
        data = number in (GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY)
        if pos < 0 or ((data or number == 1 or number == 3) and tag & 7 != 2):
            return -1
        if number == 1:
            metric[M_NAME], metric[M_NAME_END] = a, b
        elif number == 3:
            metric[M_UNIT], metric[M_UNIT_END] = a, b
        elif data:
            if metric[M_KIND] != 0 or _index_data(text, a, b, metric, counts) < 0:
                return -1
            metric[M_KIND], metric[M_DATA], metric[M_DATA_END] = number, a, b
    return 0


@kernel(int64(TEXT, int64, int64, int64, _TABLES))
def _index_scope(text, pos, end, resource, tables):  # type: ignore[no-untyped-def]
    """0 or -1."""
    number_of_scope = tables.counts[SCOPES]
    scope = tables.scopes[min(number_of_scope, len(tables.scopes) - 1)]
    tables.counts[SCOPES] += 1
    for column in range(S_WIDTH):
        scope[column] = 0
    scope[S_RESOURCE], known = resource, False
    while pos < end:
        pos, tag, a, b = next_field(text, pos, end)
        number = tag >> 3
        if pos < 0 or (1 <= number <= 3 and tag & 7 != 2) or (number == 1 and known):
            return -1
        if number == 1:
            scope[S_START], scope[S_END], known = a, b, True
        elif number == 3:
            scope[S_URL], scope[S_URL_END] = a, b
        elif number == 2 and _index_metric(text, a, b, number_of_scope, tables) < 0:
            return -1
    return 0


@kernel(int64(TEXT, int64, int64, int64, _TABLES))
def _index_resource(text, pos, end, record, tables):  # type: ignore[no-untyped-def]
    """0 or -1."""
    number_of_resource = tables.counts[RESOURCES]
    resource = tables.resources[min(number_of_resource, len(tables.resources) - 1)]
    tables.counts[RESOURCES] += 1
    resource[R_RECORD], resource[R_START], resource[R_END], known = record, 0, 0, False
    resource[R_EARLIEST], resource[R_LATEST] = NO_TIME, -1
    while pos < end:
        pos, tag, a, b = next_field(text, pos, end)
        number = tag >> 3
        if pos < 0 or ((number == 1 or number == 2) and tag & 7 != 2) or (number == 1 and known):
            return -1
        if number == 1:
            resource[R_START], resource[R_END], known = a, b, True
        elif number == 2 and _index_scope(text, a, b, number_of_resource, tables) < 0:
            return -1
    return 0


@kernel(types.void(TEXT, LIST, LIST, LIST, _TABLES))
def index_records(text, starts, ends, malformed, tables):  # type: ignore[no-untyped-def]
    """Fills the tables; a record that `malformed` marks, or that is found to be so, leaves nothing there."""
    counts = tables.counts
    for record in range(len(starts)):
        if malformed[record] != 0:
            continue
        resources, scopes, metrics, points = counts[0], counts[1], counts[2], counts[3]
        pos, end = starts[record], ends[record]
        while pos < end:
            pos, tag, a, b = next_field(text, pos, end)
            mine = pos >= 0 and tag >> 3 == 1
            if mine and (tag & 7 != 2 or _index_resource(text, a, b, record, tables) < 0):
                pos = -1
            most = max(counts[0] - resources, counts[1] - scopes, counts[2] - metrics, counts[3] - points)
            large = most > MOST_ITEMS
            if pos < 0 or large:
                malformed[record] = TOO_MANY if large else MALFORMED
                counts[0], counts[1], counts[2], counts[3] = resources, scopes, metrics, points
                break
