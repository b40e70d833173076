"""The endpoints that take a query: to run it, to format it, to parse it, to find its exemplars."""

from __future__ import annotations

import time
from typing import Any, Final

from sentinel.api.prometheus.answers import Answer
from sentinel.api.prometheus.parameters import FARTHEST_MS, Parameters, invalid, parse_seconds, parsed
from sentinel.api.prometheus.queries import Asked, Outcome, Queries
from sentinel.api.prometheus.turns import Patience, Turns
from sentinel.clock import Clock
from sentinel.errors import QueryError
from sentinel.promql import Expr
from sentinel.template.goquote import quote

MOST_POINTS: Final = 11_000
_TOO_FINE: Final = (
    "exceeded maximum resolution of 11,000 points per timeseries. "
    "Try decreasing the query resolution (?step=XX)"
)
_NO_STEP: Final = "zero or negative query resolution step widths are not accepted. Try a positive integer"
_RANGE_KINDS: Final = ("scalar", "instant vector")


class QueryEndpoints:
    def __init__(self, queries: Queries, turns: Turns, clock: Clock) -> None:
        self._queries, self._turns, self._clock = queries, turns, clock

    async def query(self, parameters: Parameters) -> Answer:
        limit = parameters.limit()
        at_ms = parameters.time("time", self._clock.now_ms())
        patience = self._patience(parameters)
        lookback_ms = self._lookback(parameters)
        text, expr = await self._expression(parameters)
        began = time.perf_counter()
        outcome = await self._queries.instant(Asked(text, expr, lookback_ms, limit), at_ms, patience)
        return _answer(outcome, parameters.first("stats"), time.perf_counter() - began)

    async def query_range(self, parameters: Parameters) -> Answer:
        limit = parameters.limit()
        start_ms, end_ms = parameters.needed_time("start"), parameters.needed_time("end")
        if end_ms < start_ms:
            raise invalid("end", "end timestamp must not be before start time")
        step_ms = round(parameters.seconds("step") * 1000)
        if step_ms <= 0:
            raise invalid("step", _NO_STEP)
        if (end_ms - start_ms) // step_ms > MOST_POINTS:
            raise QueryError(_TOO_FINE)
        patience = self._patience(parameters)
        lookback_ms = self._lookback(parameters)
        text, expr = await self._expression(parameters)
        if expr.kind not in _RANGE_KINDS:
            must = "for range query, must be Scalar or instant Vector"
            raise invalid("query", f"invalid expression type {quote(expr.kind)} {must}")
        asked, began = Asked(text, expr, lookback_ms, limit), time.perf_counter()
        outcome = await self._queries.range(asked, start_ms, end_ms, step_ms, patience)
        return _answer(outcome, parameters.first("stats"), time.perf_counter() - began)

    async def format_query(self, parameters: Parameters) -> Answer:
        from sentinel.promql.syntax.pretty import pretty

        _, expr = await self._expression(parameters)
        return Answer(await self._turns.worker(lambda: pretty(expr)))

    async def parse_query(self, parameters: Parameters) -> Answer:
        from sentinel.promql.syntax.tree import as_json

        _, expr = await self._expression(parameters)
        return Answer(await self._turns.worker(lambda: as_json(expr)))

    async def query_exemplars(self, parameters: Parameters) -> Answer:
        """Exemplars are not kept; what is asked is checked all the same."""
        start_ms, end_ms = parameters.time("start", -FARTHEST_MS), parameters.time("end", FARTHEST_MS)
        if end_ms < start_ms:
            raise QueryError("end timestamp must not be before start timestamp")
        await self._turns.worker(lambda: parsed(parameters.first("query")))
        return Answer([])

    async def _expression(self, parameters: Parameters) -> tuple[str, Expr]:
        text = parameters.first("query")
        try:
            return text, await self._turns.worker(lambda: parsed(text))
        except QueryError as error:
            raise invalid("query", error.message) from None

    def _patience(self, parameters: Parameters) -> Patience:
        """Ours, or less if the request says so."""
        seconds = self._queries.settings.timeout_seconds
        if parameters.first("timeout"):
            seconds = min(seconds, parameters.seconds("timeout"))
        return Patience(seconds, parameters.gone)

    def _lookback(self, parameters: Parameters) -> int:
        text = parameters.first("lookback_delta")
        try:
            asked_ms = round(parse_seconds(text) * 1000) if text else 0
        except ValueError as error:
            raise QueryError(f"error parsing lookback delta duration: {error}") from None
        return asked_ms if asked_ms > 0 else self._queries.settings.lookback_ms


def _answer(outcome: Outcome, stats: str, seconds: float) -> Answer:
    if not stats:
        return Answer(outcome.data, outcome.warnings, outcome.infos)
    warnings: list[str] = list(outcome.warnings)
    if stats not in ("true", "all"):
        warnings.append(
            f'value {quote(stats)} for parameter "stats" is deprecated and will be rejected '
            'in the next major release, use "true" or "all"'
        )
    timings: dict[str, Any] = {"timings": {"execTotalTime": seconds}}
    return Answer({**outcome.data, "stats": timings}, warnings, outcome.infos)
