"""Data points as rows: times, values and where their attributes lie; and the hashes of their series.

Labels are not built here. A point's key is where its context lies (resource, scope, metric) and the bytes of
its attributes, so a name is translated once for a new series and never again. Whether labels keep to the
limits is decided here where that is certain from lengths alone, and left in doubt elsewhere.
"""

from __future__ import annotations

import numpy as np
from numba import boolean, int64, types

from sentinel.decode._hash_kernel import COLUMNS, SEED, hash_key
from sentinel.decode._otlp_kernel import (
    GRID,
    LIST,
    M_DATA,
    M_DATA_END,
    M_KIND,
    M_NAME,
    M_NAME_END,
    M_SCOPE,
    M_UNIT,
    M_UNIT_END,
    M_VERDICT,
    MALFORMED,
    R_EARLIEST,
    R_LATEST,
    R_RECORD,
    S_LABELS,
    S_RESOURCE,
)
from sentinel.decode._otlp_plain import (
    EXPONENTIAL,
    GAUGE,
    HISTOGRAM,
    NO_RECORDED_VALUE,
    SUM,
    VERDICTS,
)
from sentinel.decode._remote_write_plain import CANONICAL_NAN
from sentinel.decode._remote_write_wire_kernel import fixed64, next_field
from sentinel.decode._scan_kernel import valid_utf8
from sentinel.decode.timestamps import EARLIEST_MS
from sentinel.machine import TEXT, float_of_bits, kernel
from sentinel.model import STALE_BITS

P_METRIC, P_FIRST, P_START, P_END, P_ATTRIBUTES, P_ATTRIBUTES_END = range(6)
P_TIME, P_FROM, P_FLAGS, P_VERDICT, P_DOUBT, P_WIDTH = range(6, 12)
"""Columns of a data point: where its field begins, its message, its attributes, and what is said of it."""
C_MARK, C_RESOURCE, C_RESOURCE_END, C_SCOPE, C_SCOPE_END, C_URL, C_URL_END = range(7)
C_NAME, C_NAME_END, C_UNIT, C_UNIT_END, C_KIND, C_MONOTONIC, C_SUFFIX, C_BOUND, C_WIDTH = range(7, 16)
"""Columns of a context: spans of text, then what makes one metric several series."""
DOUBT = -1
LONGEST_WORD = 64
"""More than units and suffixes add to a name beyond twice the unit's length."""
LONGEST_NUMBER = 32
"""More than a number takes as text with an exponent."""
LONGEST_BOUND = 400
"""More than `le` or `quantile` take with what they have inside."""

_MISSING = VERDICTS.index("missing_value")
_PAST, _FUTURE = VERDICTS.index("timestamp_past"), VERDICTS.index("timestamp_future")
_NAN, _STALE = np.uint64(CANONICAL_NAN), np.uint64(STALE_BITS)
_MAGNITUDE, _INFINITY = np.uint64((1 << 63) - 1), np.uint64(0x7FF << 52)
_MILLION = np.uint64(1_000_000)
_FLOATS = types.float64[::1]


@kernel(boolean(TEXT, int64, int64))
def _begins_as_a_name(text, start, end):  # type: ignore[no-untyped-def]
    """With a letter: then something is left of it however it is escaped, and nothing is put before it."""
    return start < end and 0x61 <= text[start] | 0x20 <= 0x7A and valid_utf8(text, start, end)


@kernel(boolean(TEXT, int64, int64))
def _surely_good(text, pos, end):  # type: ignore[no-untyped-def]
    """Whether a KeyValue message has a simple key and a simple value, and nothing else."""
    pos, tag, a, b = next_field(text, pos, end)
    if pos < 0 or tag != 10 or not _begins_as_a_name(text, a, b):
        return False
    pos, tag, a, b = next_field(text, pos, end)
    if pos != end or tag != 18:
        return False
    pos, tag, a, b = next_field(text, a, b)
    if pos != end:
        return False
    return (tag == 10 and valid_utf8(text, a, b)) or tag == 16 or tag == 24 or tag == 33


@kernel(types.float64(TEXT, int64, int64))
def _value(text, number, pos):  # type: ignore[no-untyped-def]
    """Of `as_double` or `as_int`; of all NaN only staleness markers stay: others may look like boxes."""
    bits = fixed64(text, pos)
    if number == 6:
        return np.float64(np.int64(bits))
    odd = bits & _MAGNITUDE > _INFINITY and bits != _STALE
    return float_of_bits(_NAN if odd else bits)


@kernel(types.Tuple((int64, types.float64))(TEXT, LIST, int64, int64, LIST))
def _read_point(text, point, kind, labels, limits):  # type: ignore[no-untyped-def]
    """Fills the row of the point whose span is there: (0 or -1, its value if it is a number)."""
    numeric = kind in (GAUGE, SUM)
    attributes = 9 if kind == HISTOGRAM else 1 if kind == EXPONENTIAL else 7
    flags = 10 if kind in (HISTOGRAM, EXPONENTIAL) else 8
    pos, end, value, found, doubt = point[P_START], point[P_END], 0.0, False, False
    length = 0 if numeric else LONGEST_BOUND
    while pos < end:
        first = pos
        pos, tag, a, b = next_field(text, pos, end)
        number, wire = tag >> 3, tag & 7
        if pos < 0:
            return -1, value
        if number == attributes:
            if wire != 2:
                return -1, value
            if point[P_ATTRIBUTES_END] == 0:
                point[P_ATTRIBUTES] = first
            point[P_ATTRIBUTES_END] = pos
            labels, length = labels + 1, length + b - a + LONGEST_NUMBER
            doubt = doubt or not _surely_good(text, a, b)
        elif number == 2 or number == 3:
            if wire != 1:
                return -1, value
            point[P_FROM if number == 2 else P_TIME] = np.int64(fixed64(text, a) // _MILLION)
        elif numeric and (number == 4 or number == 6):
            if wire != 1:
                return -1, value
            value, found = _value(text, number, a), True
        elif number == flags:
            if wire != 0:
                return -1, value
            point[P_FLAGS] = a & NO_RECORDED_VALUE
    if point[P_FLAGS] != 0:
        value, found = float_of_bits(_STALE), True
    point[P_DOUBT] = doubt or labels > limits[0] or length > min(limits[1], limits[2])
    point[P_VERDICT] = 0 if found or not numeric else _MISSING
    return 0, value


@kernel(boolean(TEXT, LIST, int64))
def _name_is_surely_good(text, metric, most):  # type: ignore[no-untyped-def]
    a, b, c, d = metric[M_NAME], metric[M_NAME_END], metric[M_UNIT], metric[M_UNIT_END]
    fits = b - a + 2 * (d - c) + LONGEST_WORD <= most
    return fits and _begins_as_a_name(text, a, b) and valid_utf8(text, c, d)


@kernel(int64(TEXT, int64, GRID, GRID, GRID, LIST, LIST, GRID, _FLOATS, int64))
def _read_metric(text, one, resources, scopes, metrics, latest_ms, limits, points, values, row):  # type: ignore[no-untyped-def]
    """The points of metric number `one` from `row` on: the row behind them, or -1."""
    metric = metrics[one]
    scope = scopes[metric[M_SCOPE]]
    resource = resources[scope[S_RESOURCE]]
    latest = latest_ms[resource[R_RECORD]]
    if not _name_is_surely_good(text, metric, limits[2]):
        metric[M_VERDICT] = DOUBT
    labels = scope[S_LABELS] + (0 if metric[M_KIND] == GAUGE or metric[M_KIND] == SUM else 1)
    pos, end = metric[M_DATA], metric[M_DATA_END]
    while pos < end:
        first = pos
        pos, tag, a, b = next_field(text, pos, end)
        if tag >> 3 != 1:
            continue
        point = points[row]
        for column in range(P_WIDTH):
            point[column] = 0
        point[P_METRIC], point[P_FIRST], point[P_START], point[P_END] = one, first, a, b
        failed, values[row] = _read_point(text, point, metric[M_KIND], labels, limits)
        if failed < 0:
            return -1
        at_ms = point[P_TIME]
        if point[P_VERDICT] == 0:
            point[P_VERDICT] = _PAST if at_ms < EARLIEST_MS else _FUTURE if at_ms > latest else 0
        if point[P_VERDICT] == 0:
            resource[R_EARLIEST] = min(resource[R_EARLIEST], at_ms)
            resource[R_LATEST] = max(resource[R_LATEST], at_ms)
        row += 1
    return row


@kernel(int64(TEXT, GRID, GRID, GRID, LIST, LIST, LIST, GRID, _FLOATS))
def read_points(text, resources, scopes, metrics, latest_ms, limits, malformed, points, values):  # type: ignore[no-untyped-def]
    """Fills the rows of all points, and gives how many; a malformed record has none, and is marked."""
    row = begun = 0
    record = -1
    for one in range(len(metrics)):
        mine = resources[scopes[metrics[one, M_SCOPE], S_RESOURCE], R_RECORD]
        if mine != record:
            record, begun = mine, row
        if metrics[one, M_KIND] == 0 or malformed[mine] != 0:
            continue
        row = _read_metric(text, one, resources, scopes, metrics, latest_ms, limits, points, values, row)
        if row < 0:
            malformed[mine], row = MALFORMED, begun
    return row


@kernel(boolean(LIST, LIST))
def _inherit_alike(context, other):  # type: ignore[no-untyped-def]
    """Whether two contexts have the same resource and scope."""
    alike = True
    for column in range(C_RESOURCE, C_NAME):
        alike &= context[column] == other[column]
    return alike


@kernel(types.void(TEXT, int64, int64, int64, int64, types.uint64[::1], types.uint64[::1], COLUMNS, int64))
def _chain(text, a, b, c, d, before, after, columns, row):  # type: ignore[no-untyped-def]
    """Hashes two spans on top of what `before` has seen; `row` is free to be written to."""
    key = columns.key[row]
    key[0], key[1], key[2], key[3] = a, b, c, d
    hash_key(text, before, row, columns)
    after[0], after[1] = columns.series_hash[row, 0], columns.series_hash[row, 1]


@kernel(types.void(TEXT, SEED, GRID, LIST, int64, types.uint64[:, ::1], COLUMNS))
def hash_points(text, seed, contexts, context_of, base, chains, columns):  # type: ignore[no-untyped-def]
    """Hashes all rows, whose keys have only attributes yet, and points them to their contexts.

    Contexts lie in `text` from `base` on, as they lie in `contexts`. `chains` has three rows for seeds.
    """
    for line in range(3):
        for column in range(4):
            chains[line, column] = seed[column]
    given, scope, metric = chains[0], chains[1], chains[2]
    last, last_scope = -1, -1
    for row in range(len(context_of)):
        one, key = context_of[row], columns.key[row]
        a, b = key[2], key[3]
        here = base + one * C_WIDTH * 8
        if one != last:
            c = contexts[one]
            if last_scope < 0 or not _inherit_alike(c, contexts[last_scope]):
                _chain(
                    text,
                    c[C_RESOURCE],
                    c[C_RESOURCE_END],
                    c[C_SCOPE],
                    c[C_SCOPE_END],
                    given,
                    scope,
                    columns,
                    row,
                )
                _chain(text, c[C_URL], c[C_URL_END], a, a, scope, scope, columns, row)
                last_scope = one
            _chain(text, c[C_NAME], c[C_NAME_END], c[C_UNIT], c[C_UNIT_END], scope, metric, columns, row)
            _chain(text, here + C_KIND * 8, here + C_WIDTH * 8, a, a, metric, metric, columns, row)
            last = one
        key[0], key[1], key[2], key[3] = a, a, a, b
        hash_key(text, metric, row, columns)
        key[0], key[1], key[2], key[3] = here, here + C_WIDTH * 8, a, b
