"""Which series there are: `/series`, `/labels` and `/label/<name>/values`, what Grafana completes from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from sentinel.api.prometheus.answers import TRUNCATED, Answer
from sentinel.api.prometheus.parameters import FARTHEST_MS, Parameters, invalid
from sentinel.api.prometheus.turns import Patience, Turns
from sentinel.engine import Engine
from sentinel.errors import QueryError
from sentinel.model import Int64s, Matcher
from sentinel.store.index import selected_name
from sentinel.store.label_rows import LabelRows
from sentinel.store.store import Store
from sentinel.template.goquote import quote

MatcherSets = Sequence[tuple[Matcher, ...]]
_ESCAPE: Final = re.compile(r"__|_([0-9A-Fa-f]{1,5})_|_")


class SeriesEndpoints:
    """Series count as there in [start, end] if a sample of theirs from then is still kept."""

    def __init__(self, turns: Turns, timeout_seconds: float) -> None:
        self._turns, self._timeout = turns, timeout_seconds

    async def series(self, parameters: Parameters) -> Answer:
        if not parameters.all("match[]"):
            raise QueryError("no match[] parameter provided")
        limit, start_ms, end_ms = parameters.limit(), *_times(parameters)
        try:
            sets = await self._turns.worker(parameters.matcher_sets)
        except QueryError as error:
            raise invalid("match[]", error.message) from None
        found = await self._labels(parameters, sets, start_ms, end_ms)
        answer = _limited(await self._turns.worker(lambda: _series(found)), limit)
        return msgspec.structs.replace(answer, data=[dict(pairs) for pairs in answer.data])

    async def labels(self, parameters: Parameters) -> Answer:
        limit, start_ms, end_ms = parameters.limit(), *_times(parameters)
        sets = await self._turns.worker(parameters.matcher_sets)
        found = await self._labels(parameters, sets, start_ms, end_ms)
        return _limited(await self._turns.worker(found.names), limit)

    async def label_values(self, parameters: Parameters) -> Answer:
        name = unescaped(parameters.path("name"))
        if not name:
            raise QueryError(f"invalid label name: {quote(name)}")
        limit, start_ms, end_ms = parameters.limit(), *_times(parameters)
        sets = await self._turns.worker(parameters.matcher_sets)
        found = await self._labels(parameters, sets, start_ms, end_ms)
        return _limited(await self._turns.worker(lambda: found.values(name)), limit)

    async def _labels(
        self, parameters: Parameters, sets: MatcherSets, start_ms: int, end_ms: int
    ) -> LabelRows:
        """Label sets that one of the sets of matchers means; all without any."""
        patience = Patience(self._timeout, parameters.gone)
        found = await self._turns.piece(lambda engine: _within(engine, sets, start_ms, end_ms), patience)
        return await self._turns.worker(lambda: _meant(found, sets))


def unescaped(name: str) -> str:
    """A label's name as it is, of one written `U__...` with `_e4_` for a letter and `__` for `_`."""
    if not name.startswith("U__"):
        return name
    plain, end = "", 0
    rest = name.removeprefix("U__")
    for found in _ESCAPE.finditer(rest):
        code = found[1]
        if found[0] != "__" and (code is None or not _is_character(int(code, 16))):
            return name  # never written by an encoder: then it is the name itself
        plain += rest[end : found.start()] + (chr(int(code, 16)) if code else "_")
        end = found.end()
    return plain + rest[end:]


def _is_character(code: int) -> bool:
    return code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF


def _times(parameters: Parameters) -> tuple[int, int]:
    return parameters.time("start", -FARTHEST_MS), parameters.time("end", FARTHEST_MS)


def _within(engine: Engine, sets: MatcherSets, start_ms: int, end_ms: int) -> LabelRows:
    """Label sets that may be meant, of series with samples in that time. On the engine's thread: be quick."""
    store = engine.store
    names = {selected_name(matchers) for matchers in sets}
    if names and "" not in names:
        slots = np.concatenate([_named(store, name) for name in sorted(names)])
    else:
        slots = store.live()
    return store.index.rows(slots[store.windows.counts(slots, start_ms - 1, end_ms) > 0])


def _named(store: Store, name: str) -> Int64s:
    return store.selection((Matcher("__name__", "=", name),)).slots()


def _meant(found: LabelRows, sets: MatcherSets) -> LabelRows:
    if not sets:
        return found
    return found.where(np.logical_or.reduce([found.meant(matchers) for matchers in sets]))


def _series(found: LabelRows) -> list[list[tuple[str, str]]]:
    """The pairs of each set, in order: numbers that rank pairs are sorted faster than pairs."""
    pairs = found.texts()
    ordered = sorted(range(len(pairs)), key=pairs.__getitem__)
    rank = np.empty(len(pairs), np.int64)
    rank[ordered] = np.arange(len(pairs))
    flat, starts = rank[found.pairs].tolist(), [0, *found.ends.tolist()]
    rows = sorted([flat[first:last] for first, last in pairwise(starts)])
    return [[pairs[ordered[place]] for place in row] for row in rows]


def _limited(found: Sequence[object], limit: int) -> Answer:
    if limit and len(found) > limit:
        return Answer(found[:limit], [TRUNCATED])
    return Answer(found)
