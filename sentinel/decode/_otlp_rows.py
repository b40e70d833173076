"""From data points to the rows of a batch.

A row's key has two parts: a context (where resource, scope and metric lie in the text, and which of a
metric's series it is) and the point's attributes. Contexts begin with bytes that UTF-8 never has, so nobody
takes them for a metric's name; `KeyReader` makes labels of both.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import msgspec
import numpy as np

from sentinel.decode._hash import seed_of
from sentinel.decode._otlp_attributes import read_attributes
from sentinel.decode._otlp_histograms import Several
from sentinel.decode._otlp_labels import OF_TARGET, Inherited, Metric, Translator
from sentinel.decode._otlp_plain import ATTRIBUTES, NUMBERS
from sentinel.decode._otlp_request import Found, deltas
from sentinel.decode.columns import Columns
from sentinel.model import STALE, Bools, Floats, Histogram, Int64s, Labels, Payloads, SampleBatch, UInt8s
from sentinel.model.histogram import BOX_BITS, boxed

TARGET_STEP_MS: Final = 150_000
"""A resource's `target_info` stands at its points' last time, and this often between the first and that."""
MOST_TARGETS: Final = 24
"""Of one resource in one request, the last ones."""
_FORM: Final = struct.Struct("<14qd")
_BOX: Final = np.uint64(BOX_BITS)


class Rows(NamedTuple):
    """Some rows, by column."""

    context: Int64s
    attributes: Int64s
    """n x 2: where they begin and end."""
    timestamp_ms: Int64s
    value: Floats
    record: Int64s
    from_ms: Int64s
    """Of a delta since when it counts; -1 of all else."""
    histogram: list[Histogram]
    """Those of boxed rows, in their order; the boxes themselves have no numbers yet."""

    def take(self, order: Int64s) -> Rows:
        """The same rows in another order, those with histograms among themselves in the same."""
        return Rows(
            self.context[order],
            self.attributes[order],
            self.timestamp_ms[order],
            self.value[order],
            self.record[order],
            self.from_ms[order],
            self.histogram,
        )


_NONE: Final = np.empty(0, np.int64)
_NO_ROWS: Final = Rows(_NONE, np.empty((0, 2), np.int64), _NONE, np.empty(0), _NONE, _NONE, [])


def batch_of(payloads: Payloads, found: Found, bad: Bools, translator: Translator) -> SampleBatch:
    """All samples in records that are not `bad`, by record."""
    from sentinel.decode._otlp_points_kernel import hash_points

    contexts = _contexts(found)
    keep = ~bad[found.record]
    parts = [_numbers(found, keep)]
    if found.contents:
        more, several = _contents(found, keep, contexts)
        parts.append(several)
        contexts = np.concatenate([contexts, more])
    if any(one.target is not None for one in found.resource_of):
        more, targets = _targets(found, bad, len(contexts))
        parts.append(targets)
        contexts = np.concatenate([contexts, more])
    rows = parts[0] if len(parts) == 1 else _joined(parts)
    text = np.concatenate([payloads.buffer, contexts.view(np.uint8).ravel()])
    columns = Columns.empty(len(rows.value))._replace(timestamp_ms=rows.timestamp_ms, value=rows.value)
    columns.key[:, 2:] = rows.attributes
    chains, base = np.empty((3, 4), np.uint64), len(payloads.buffer)
    hash_points(text, seed_of(payloads.target), contexts, rows.context, base, chains, columns)
    reader = KeyReader(text[:base], translator)
    batch = columns.batch(payloads, text, rows.record, slice(None), reader)
    since = rows.from_ms if (rows.from_ms >= 0).any() else None
    return msgspec.structs.replace(batch, histograms=tuple(rows.histogram), delta_from_ms=since)


class KeyReader:
    """Makes label sets of the keys of one batch, and remembers contexts: a metric has many points."""

    def __init__(self, text: UInt8s, translator: Translator) -> None:
        self._text, self._translator = text, translator
        self._known: dict[bytes, tuple[Inherited, Inherited, Metric]] = {}

    def __call__(self, context: bytes, attributes: bytes) -> Labels:
        found = self._known.get(context)
        if found is None:
            found = self._known[context] = self._read(context)
        resource, scope, metric = found
        if metric.suffix == OF_TARGET:
            assert resource.target is not None
            return resource.target
        pairs = read_attributes(attributes, ATTRIBUTES[metric.kind])
        return Labels(self._translator.labels(resource, scope, metric, pairs))

    def _read(self, context: bytes) -> tuple[Inherited, Inherited, Metric]:
        _, *spans, kind, monotonic, suffix, bound = _FORM.unpack(context)
        pairs = zip(spans[::2], spans[1::2], strict=True)
        resource, scope, url, name, unit = (self._text[a:b].tobytes() for a, b in pairs)
        inherited = self._translator.resource(resource), self._translator.scope(scope, url)
        return *inherited, Metric(name, unit, kind, monotonic != 0, suffix, bound)


def _contexts(found: Found) -> Int64s:
    """Of each metric the context of its only series."""
    from sentinel.decode import _otlp_kernel as kernel
    from sentinel.decode import _otlp_points_kernel as columns

    scope = found.scopes[found.metrics[:, kernel.M_SCOPE]]
    resource = found.resources[scope[:, kernel.S_RESOURCE]]
    contexts = np.zeros((len(found.metrics), columns.C_WIDTH), np.int64)
    contexts[:, columns.C_MARK] = -1
    contexts[:, columns.C_RESOURCE : columns.C_SCOPE] = resource[:, kernel.R_START : kernel.R_END + 1]
    contexts[:, columns.C_SCOPE : columns.C_NAME] = scope[:, kernel.S_START : kernel.S_URL_END + 1]
    metric = found.metrics[:, kernel.M_NAME : kernel.M_MONOTONIC + 1]
    contexts[:, columns.C_NAME : columns.C_SUFFIX] = metric
    return contexts


def _numbers(found: Found, keep: Bools) -> Rows:
    """The points that are numbers."""
    from sentinel.decode._otlp_kernel import M_KIND
    from sentinel.decode._otlp_points_kernel import P_ATTRIBUTES, P_ATTRIBUTES_END, P_FROM, P_METRIC, P_TIME

    numeric = np.isin(found.metrics[:, M_KIND], NUMBERS)
    rows = keep if numeric.all() else keep & numeric[found.points[:, P_METRIC]]
    chosen = slice(None) if rows.all() else rows
    points = found.points[chosen]
    spans = points[:, P_ATTRIBUTES : P_ATTRIBUTES_END + 1]
    metric, time = (np.ascontiguousarray(points[:, column]) for column in (P_METRIC, P_TIME))
    from_ms = np.where(deltas(found.metrics)[metric], points[:, P_FROM], -1)
    return Rows(metric, spans, time, found.values[chosen], found.record[chosen], from_ms, [])


def _contents(found: Found, keep: Bools, contexts: Int64s) -> tuple[Int64s, Rows]:
    """The points that are more than numbers, and the contexts of the series that they make up."""
    from sentinel.decode import _otlp_points_kernel as kernel

    made: list[Int64s] = []
    first_of: dict[tuple[int, tuple[int, ...], tuple[float, ...]], int] = {}
    count = len(contexts)
    parts = [_NO_ROWS]
    records, is_delta = found.record, deltas(found.metrics)
    for row in sorted(found.contents):
        if not keep[row]:
            continue
        content, point = found.contents[row], found.points[row]
        metric, stale = int(point[kernel.P_METRIC]), bool(point[kernel.P_FLAGS])
        context, values, histograms = np.array([metric]), np.array([STALE]), list[Histogram]()
        if isinstance(content, Several):
            key = (metric, content.suffixes, content.bounds)
            first = first_of.setdefault(key, count)
            if first == count:
                made.append(_series(contexts[metric], content))
                count += len(content.values)
            context = np.arange(first, first + len(content.values))
            values = np.full(len(content.values), STALE) if stale else content.values
        elif not stale:
            values, histograms = np.array([_BOX], np.uint64).view(np.float64), [content]
        spans = np.empty((len(values), 2), np.int64)
        spans[:] = point[kernel.P_ATTRIBUTES : kernel.P_ATTRIBUTES_END + 1]
        facts = (point[kernel.P_TIME], records[row], point[kernel.P_FROM] if is_delta[metric] else -1)
        times, record, from_ms = (np.full(len(values), each) for each in facts)
        parts.append(Rows(context, spans, times, values, record, from_ms, histograms))
    more = np.concatenate([np.empty((0, kernel.C_WIDTH), np.int64), *made])
    return more, _joined(parts)


def _series(context: Int64s, content: Several) -> Int64s:
    """The contexts of the series of a histogram or summary."""
    from sentinel.decode._otlp_points_kernel import C_BOUND, C_SUFFIX

    rows = np.tile(context, (len(content.values), 1))
    rows[:, C_SUFFIX] = content.suffixes
    rows[:, C_BOUND] = np.array(content.bounds).view(np.int64)
    return rows


def _targets(found: Found, bad: Bools, base: int) -> tuple[Int64s, Rows]:
    """`target_info` of each resource that has one and a good point; equal ones stand once."""
    from sentinel.decode import _otlp_kernel as kernel
    from sentinel.decode import _otlp_points_kernel as columns

    seen: dict[tuple[int, Labels, int], int] = {}
    for number, (one, row) in enumerate(zip(found.resource_of, found.resources.tolist(), strict=True)):
        record, last = row[kernel.R_RECORD], row[kernel.R_LATEST]
        if one.target is None or last < 0 or bad[record]:
            continue
        steps = range(row[kernel.R_EARLIEST], last, TARGET_STEP_MS)
        for at_ms in (*steps[1 - MOST_TARGETS :], last):
            seen.setdefault((record, one.target, at_ms), number)
    numbers = np.array(list(seen.values()), np.int64)
    contexts = np.zeros((len(seen), columns.C_WIDTH), np.int64)
    contexts[:, columns.C_MARK] = -1
    spans = found.resources[:, kernel.R_START : kernel.R_END + 1][numbers]
    contexts[:, columns.C_RESOURCE : columns.C_SCOPE] = spans
    contexts[:, columns.C_SUFFIX] = OF_TARGET
    record, at_ms = (np.array([key[place] for key in seen], np.int64) for place in (0, 2))
    count = len(seen)
    context, nowhere = np.arange(base, base + count), np.zeros((count, 2), np.int64)
    return contexts, Rows(context, nowhere, at_ms, np.ones(count), record, np.full(count, -1), [])


def _joined(parts: list[Rows]) -> Rows:
    """Rows by record, within one in the order of the parts; boxes get their numbers."""
    rows = Rows(
        np.concatenate([part.context for part in parts]),
        np.concatenate([part.attributes for part in parts]),
        np.concatenate([part.timestamp_ms for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.record for part in parts]),
        np.concatenate([part.from_ms for part in parts]),
        [each for part in parts for each in part.histogram],
    )
    rows = rows.take(np.argsort(rows.record, kind="stable"))
    if rows.histogram:
        boxes = np.arange(len(rows.histogram), dtype=np.uint64) | _BOX
        rows.value[boxed(rows.value)] = boxes.view(np.float64)
    return rows
