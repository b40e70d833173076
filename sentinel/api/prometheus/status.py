"""`/status/...`: which Sentinel this is, how it was started, and what its store holds."""

from __future__ import annotations

import os
import platform
import re
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import yaml

from sentinel import __version__
from sentinel.api.prometheus.about import About
from sentinel.api.prometheus.answers import Answer
from sentinel.api.prometheus.parameters import Parameters, parse_integer
from sentinel.api.prometheus.turns import Patience, Turns
from sentinel.engine import Engine
from sentinel.errors import QueryError
from sentinel.model import Duration, Secret
from sentinel.notify.payload import rfc3339
from sentinel.store import _kernels as kernels
from sentinel.store.label_rows import LabelRows

PROMETHEUS: Final = "3.14.0"
"""Whose API this is. Clients look here for what they may ask."""
MOST_STATISTICS: Final = 10_000
_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")


class StatusEndpoints:
    def __init__(self, about: About, turns: Turns) -> None:
        self._about, self._turns = about, turns
        self._started_ms = about.clock.now_ms()

    async def buildinfo(self, parameters: Parameters) -> Answer:
        return Answer(
            {
                "application": "Sentinel",
                "version": PROMETHEUS,
                "revision": __version__,
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": f"python{platform.python_version()}",
            }
        )

    async def runtimeinfo(self, parameters: Parameters) -> Answer:
        good, read_ms = self._about.reloaded()
        return Answer(
            {
                "startTime": rfc3339(self._started_ms),
                "CWD": str(Path.cwd()),
                "hostname": socket.gethostname(),
                "serverTime": rfc3339(self._about.clock.now_ms()),
                "reloadConfigSuccess": good,
                "lastConfigTime": rfc3339(read_ms or self._started_ms),
                "corruptionCount": 0,
                "goroutineCount": threading.active_count(),
                "GOMAXPROCS": os.cpu_count() or 1,
                "GOMEMLIMIT": 0,
                "GOGC": "",
                "GODEBUG": "",
                "storageRetention": self._about.retention(),
            }
        )

    async def config(self, parameters: Parameters) -> Answer:
        return Answer({"yaml": configuration_text(self._about.configuration())})

    async def flags(self, parameters: Parameters) -> Answer:
        return Answer(dict(self._about.flags))

    async def tsdb(self, parameters: Parameters) -> Answer:
        most = _most(parameters.first("limit"))
        patience = Patience(self._about.queries.timeout_seconds, parameters.gone)
        series, head = await self._turns.piece(_held, patience)
        return Answer(await self._turns.worker(lambda: _statistics(series, head, most)))


def configuration_text(sections: Any) -> str:
    """The configuration as YAML. Secrets are not shown, nor are passwords in addresses."""
    plain = msgspec.to_builtins(sections, enc_hook=_text, str_keys=True)
    return _PASSWORD.sub(r"\1:<secret>@", yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _text(value: Any) -> Any:
    if isinstance(value, Secret):
        return str(value) if value else ""
    if isinstance(value, Duration | Path):
        return str(value)
    raise NotImplementedError(f"no text for a {type(value).__name__}")


def _held(engine: Engine) -> tuple[LabelRows, dict[str, int]]:
    """All label sets, and figures of the windows as `headStats` has them."""
    windows, slots = engine.store.windows, engine.store.live()
    meta = windows.meta[slots]
    held = meta[meta[:, kernels.COUNT] > 0]
    oldest_ms = windows.oldest_ms(slots[meta[:, kernels.COUNT] > 0])
    head = {"numSeries": len(engine.store.index), "chunkCount": len(held), "minTime": 0, "maxTime": 0}
    if len(held):
        head |= {"minTime": int(oldest_ms.min()), "maxTime": int(held[:, kernels.LAST].max())}
    return engine.store.index.rows(slots), head


def _most(text: str) -> int:
    try:
        most = parse_integer(text, "Atoi") if text else 10
    except ValueError:
        most = 0
    if most < 1:
        raise QueryError("limit must be a positive number")
    if most > MOST_STATISTICS:
        raise QueryError(f"limit must not exceed {MOST_STATISTICS}")
    return most


def _statistics(series: LabelRows, head: dict[str, int], most: int) -> dict[str, Any]:
    counts = np.bincount(series.pairs, minlength=len(series.text_ends)).tolist()
    pairs = Counter(dict(zip(series.texts(), counts, strict=True)))
    names = Counter({value: count for (name, value), count in pairs.items() if name == "__name__"})
    if nameless := len(series.ends) - names.total():
        names[""] = nameless
    values: Counter[str] = Counter(name for name, _ in pairs)
    sizes: Counter[str] = Counter()
    for (name, value), count in pairs.items():
        sizes[name] += count * len(value.encode())
    return {
        "headStats": {**head, "numLabelPairs": len(pairs)},
        "seriesCountByMetricName": _top(names, most),
        "labelValueCountByLabelName": _top(values, most),
        "memoryInBytesByLabelName": _top(sizes, most),
        "seriesCountByLabelValuePair": _top(Counter({f"{n}={v}": c for (n, v), c in pairs.items()}), most),
    }


def _top(counts: Counter[str], most: int) -> list[dict[str, Any]]:
    return [{"name": name, "value": count} for name, count in counts.most_common(most)]
