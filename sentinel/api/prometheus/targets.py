"""`/targets`, scrape pools, metadata and Alertmanagers: where samples come from and alerts go to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from sentinel.api.prometheus.about import About
from sentinel.api.prometheus.answers import Answer
from sentinel.api.prometheus.parameters import Parameters, invalid, parse_integer, selector
from sentinel.api.prometheus.rules import NEVER
from sentinel.api.prometheus.turns import Patience, Turns
from sentinel.engine import Engine
from sentinel.errors import QueryError
from sentinel.ingest.scrape_config import ScrapeConfig
from sentinel.model import Duration, Labels
from sentinel.notify.payload import rfc3339

DOWN: Final = "the last scrape failed; the log says why"
_FOREVER_MS: Final = 1 << 60


class Scrape(NamedTuple):
    """What the store knows of a target's newest scrape; `at_ms` 0: there was none."""

    at_ms: int
    up: bool
    seconds: float


class TargetEndpoints:
    """A target's state is what its own series say: `up` and `scrape_duration_seconds`."""

    def __init__(self, about: About, turns: Turns) -> None:
        self._about, self._turns = about, turns

    async def targets(self, parameters: Parameters) -> Answer:
        wanted, state = parameters.first("scrapePool"), parameters.first("state").lower()
        shown = {
            name: config
            for name, config in sorted(self._about.scraped().items())
            if state in ("", "any", "active") and wanted in ("", name)
        }
        patience = Patience(self._about.queries.timeout_seconds, parameters.gone)
        found = await self._turns.piece(lambda engine: list(_active(engine, shown)), patience)
        return Answer({"activeTargets": found, "droppedTargets": [], "droppedTargetCounts": {}})

    async def scrape_pools(self, parameters: Parameters) -> Answer:
        return Answer({"scrapePools": sorted(self._about.scraped())})

    async def target_metadata(self, parameters: Parameters) -> Answer:
        """Help texts and units are not kept; what is asked is checked all the same."""
        _check_number(parameters, "limit")
        if text := parameters.first("match_target"):
            try:
                await self._turns.worker(lambda: selector(text))
            except QueryError as error:
                raise invalid("match_target", error.message) from None
        return Answer([])

    async def metadata(self, parameters: Parameters) -> Answer:
        """As `target_metadata`."""
        for name in ("limit", "limit_per_metric"):
            _check_number(parameters, name)
        return Answer({})

    async def alertmanagers(self, parameters: Parameters) -> Answer:
        active = [{"url": f"{url}/api/v2/alerts"} for url in self._about.alertmanagers()]
        return Answer({"activeAlertmanagers": active, "droppedAlertmanagers": []})


def _active(engine: Engine, pools: Mapping[str, ScrapeConfig]) -> Iterator[dict[str, Any]]:
    for name, config in pools.items():
        for target in config.targets:
            labels = Labels({"job": name, "instance": target, **config.labels})
            scrape = _newest(engine, labels)
            url = f"{config.scheme}://{target}{config.metrics_path}"
            yield {
                "discoveredLabels": {"__address__": target, "job": name},
                "labels": dict(labels.pairs),
                "scrapePool": name,
                "scrapeUrl": url,
                "globalUrl": url,
                "lastError": DOWN if scrape.at_ms and not scrape.up else "",
                "lastScrape": rfc3339(scrape.at_ms) if scrape.at_ms else NEVER,
                "lastScrapeDuration": scrape.seconds,
                "health": ("up" if scrape.up else "down") if scrape.at_ms else "unknown",
                "scrapeInterval": str(config.interval),
                "scrapeTimeout": str(Duration(round(config.timeout_seconds * 1000))),
            }


def _newest(engine: Engine, target: Labels) -> Scrape:
    store = engine.store
    names = ("up", "scrape_duration_seconds")
    slots = [store.find(target.with_({"__name__": name})) for name in names]
    if min(slots) < 0:
        return Scrape(0, False, 0.0)
    present, value, at_ms = store.latest(np.array(slots, np.int64), _FOREVER_MS, 2 * _FOREVER_MS)
    if not present.all():
        return Scrape(0, False, 0.0)
    return Scrape(int(at_ms[0]), bool(value[0] == 1), float(value[1]))


def _check_number(parameters: Parameters, name: str) -> None:
    try:
        parse_integer(parameters.first(name) or "0", "Atoi")
    except ValueError:
        raise QueryError(f"{name} must be a number") from None
