"""How native histograms grow: what rates and differences are of series of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from sentinel.model import Histogram
from sentinel.promql.histograms import (
    IncompatibleError,
    add,
    divide,
    equal,
    is_reset,
    scale,
    subtract,
    with_schema,
)
from sentinel.promql.moment import Invocation
from sentinel.promql.native import Row, note_combined
from sentinel.promql.syntax.literals import quoted


def growth(invocation: Invocation, row: Row, counter: bool, seconds: float) -> Histogram | None:
    """Extrapolated to the range as for floats (`_kernels.increases`), in so many seconds.

    Raises IncompatibleError for exponential histograms beside custom ones.
    """
    grown = _grown(invocation, row, counter)
    covered = (row.timestamp_ms[-1] - row.timestamp_ms[0]) / 1000
    if not covered:
        return divide(grown, seconds)
    before = (row.timestamp_ms[0] - row.start_ms) / 1000
    after = (row.end_ms - row.timestamp_ms[-1]) / 1000
    distance = covered / (len(row.histograms) - 1)
    if before >= 1.1 * distance:
        before = distance / 2
    if counter and grown.count > 0 and row.histograms[0].count >= 0:
        before = min(before, covered * (row.histograms[0].count / grown.count))
    if after >= 1.1 * distance:
        after = distance / 2
    return scale(grown, (covered + before + after) / covered / seconds)


def _grown(invocation: Invocation, row: Row, counter: bool) -> Histogram:
    """The last less the first, and more by what each reset has hidden."""
    samples, first = row.histograms, row.histograms[0]
    doubt_kind(invocation, row.name, samples if counter else (samples[0], samples[-1]), counter)
    if counter and is_reset(samples[1], first):  # then nobody need look at the first one's buckets
        first = Histogram(schema=samples[1].schema, custom_values=samples[1].custom_values)
    if any(each.is_custom != first.is_custom for each in (samples[1:] if counter else samples[-1:])):
        raise IncompatibleError
    schema = min(each.schema for each in (first, *(samples[1:] if counter else samples[-1:])))
    grown = subtract(with_schema(samples[-1], schema), first)
    note_combined(invocation, False, grown.reconciled, "subtraction")
    found, before = grown.histogram, first
    for histogram in samples[1:] if counter else ():
        if is_reset(histogram, before):
            more = add(found, before)
            note_combined(invocation, False, more.reconciled, "addition")
            found = more.histogram
        before = histogram
    return msgspec.structs.replace(found, reset_hint="gauge")


def instant(invocation: Invocation, row: Row, rate: bool) -> Histogram:
    """From the last two alone: by how much, or (`rate`) how fast."""
    before, now = row.histograms
    doubt_kind(invocation, row.name, (before, now), rate)
    found = now
    if not (rate and is_reset(now, before)):
        less = subtract(now, before)
        note_combined(invocation, False, less.reconciled, "subtraction")
        found = less.histogram
    found = msgspec.structs.replace(found, reset_hint="gauge")
    return divide(found, (row.timestamp_ms[1] - row.timestamp_ms[0]) / 1000) if rate else found


def doubt_kind(invocation: Invocation, name: str, samples: Sequence[Histogram], counter: bool) -> None:
    gauges = [histogram.reset_hint == "gauge" for histogram in samples]
    if any(gauges) if counter else not all(gauges):
        wanted = "counter" if counter else "gauge"
        text = f"this native histogram metric is not a {wanted}: {quoted(name)}"
        invocation.warn(text, invocation.args[0])


def count_changes(samples: Sequence[float | Histogram], falls_only: bool) -> int:
    """How often a series of both kinds changes, or falls; from one kind to the other it does both."""
    return sum(_changed(now, before, falls_only) for before, now in pairwise(samples))


def _changed(now: float | Histogram, before: float | Histogram, falls_only: bool) -> bool:
    if isinstance(now, Histogram) and isinstance(before, Histogram):
        return is_reset(now, before) if falls_only else not equal(now, before)
    if isinstance(now, Histogram) or isinstance(before, Histogram):
        return True
    return now < before if falls_only else now != before and not (math.isnan(now) and math.isnan(before))
