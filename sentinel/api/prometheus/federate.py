"""`/federate`: the newest samples of chosen series, in the text format that Prometheus scrapes."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from sentinel.api.prometheus.parameters import Parameters
from sentinel.api.prometheus.rendering import number
from sentinel.api.prometheus.turns import Patience, Turns
from sentinel.clock import Clock
from sentinel.engine import Engine
from sentinel.model import Floats, Int64s, Labels, Matcher, quote
from sentinel.model.histogram import boxed
from sentinel.store.label_rows import LabelRows

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_IDENTIFIER: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
Newest = tuple[LabelRows, Int64s, Floats]
"""Label sets, and of each the time in ms and the value."""


class Federation:
    """External labels are laid under the series' own. Native histograms have no place in this format."""

    def __init__(self, turns: Turns, clock: Clock, timeout_seconds: float, lookback_ms: int) -> None:
        self._turns, self._clock = turns, clock
        self._timeout, self._lookback_ms = timeout_seconds, lookback_ms

    async def text(self, parameters: Parameters) -> bytes:
        sets, at_ms = await self._turns.worker(parameters.matcher_sets), self._clock.now_ms()
        patience = Patience(self._timeout, parameters.gone)
        found = await self._turns.piece(lambda e: _newest(e, sets, at_ms, self._lookback_ms), patience)
        return await self._turns.worker(lambda: _exposition(found))


def _newest(
    engine: Engine, sets: list[tuple[Matcher, ...]], at_ms: int, lookback_ms: int
) -> tuple[Labels, Newest]:
    """(external labels, samples)"""
    store, external = engine.store, engine.settings.external_labels
    none = np.empty(0, np.int64)
    slots = np.unique(np.concatenate([none, *(store.selection(matchers).slots() for matchers in sets)]))
    present, value, times = store.latest(slots, at_ms, lookback_ms)
    present &= ~boxed(value)
    return external, (store.index.rows(slots[present]), times[present], value[present])


def _exposition(found: tuple[Labels, Newest]) -> bytes:
    external, (series, times_ms, values) = found
    samples = zip(series.sets(), times_ms.tolist(), values.tolist(), strict=True)
    lines, last = [], ""
    for labels, time_ms, value in sorted(samples, key=lambda sample: (sample[0].name, sample[0].pairs)):
        if labels.name != last:
            last = labels.name
            lines.append(f"# TYPE {_name(last)} untyped\n")
        named = {**external.map, **labels.map}
        lines.append(f"{_series(last, named)} {number(value)} {time_ms}\n")
    return "".join(lines).encode()


def _series(metric: str, labels: dict[str, str]) -> str:
    """Names that are no identifiers are quoted; that of a metric then stands in the braces."""
    written = [f"{_name(n)}={quote(v)}" for n, v in sorted(labels.items()) if n != "__name__"]
    if _IDENTIFIER.fullmatch(metric):
        return f"{metric}{{{','.join(written)}}}"
    return "{" + ",".join([quote(metric), *written]) + "}"


def _name(text: str) -> str:
    return text if _IDENTIFIER.fullmatch(text) else quote(text)
