"""What is known beside the rule at hand: the other rules, the metrics that exist, how often samples come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from sentinel.promql import ast
from sentinel.rules.schema import Rule

MetricKind = Literal["counter", "gauge", "histogram", "summary"]

OWN: Final = frozenset(
    ("ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds", "scrape_samples_scraped")
)
"""Series that Sentinel makes without a rule. Those about itself begin with `sentinel_`."""

DETECTED: Final = ("", ":expected", ":lower", ":upper")
"""What a detector rule adds to its name."""

_TYPE: Final = re.compile(r"#\s+TYPE\s+(\S+)\s+(counter|gauge|histogram|summary)\s*")
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "counter": ("", "_total"),
    "gauge": ("",),
    "histogram": ("", "_bucket", "_count", "_sum"),
    "summary": ("", "_count", "_sum"),
}


class Metrics(msgspec.Struct, frozen=True):
    """The metrics that sources bring. `kinds` is by family, of those whose kind is known."""

    names: frozenset[str] = frozenset()
    kinds: Mapping[str, MetricKind] = {}

    def kind(self, name: str) -> MetricKind | None:
        """counter or gauge, of a series' name; None: not known."""
        if name in self.kinds and self.kinds[name] in ("counter", "gauge"):
            return self.kinds[name]
        family, _, part = name.rpartition("_")
        kind = self.kinds.get(family)
        if part == "total" and kind == "counter":
            return kind
        return "counter" if kind in ("histogram", "summary") and part in ("bucket", "count", "sum") else None


class World(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics` None: nobody knows what the sources bring."""

    recorded: Mapping[str, tuple[Rule, ...]] = {}
    """By the name of the series that they write."""
    metrics: Metrics | None = None
    interval_ms: int = 0
    """Of groups that have none of their own; 0: not known."""
    sample_interval_ms: int = 15_000
    lookback_ms: int = 300_000

    def exists(self, name: str) -> bool:
        """Whether somebody makes series of this name. Without a list of metrics, `level:metric:operations` of
        recording rules are judged alone: what begins with a colon some sources bring, too."""
        if name in OWN or name in self.recorded or name.startswith("sentinel_"):
            return True
        return name in self.metrics.names if self.metrics else ":" not in name[1:] or name[0] == ":"

    def kind(self, name: str) -> MetricKind | None:
        return self.metrics.kind(name) if self.metrics else None

    def definitions(self, name: str) -> tuple[Rule, ...]:
        """The rules that record `name`, if all write it as it comes out of their expression."""
        rules = self.recorded.get(name, ())
        return () if any(rule.detector for rule in rules) else rules


def recorded(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    """Rules by the names of the series that they write."""
    found: dict[str, tuple[Rule, ...]] = {}
    for rule in rules:
        for suffix in (DETECTED if rule.detector else ("",)) if rule.record else ():
            name = rule.record + suffix
            found[name] = (*found.get(name, ()), rule)
    return found


def read_metrics(text: str) -> Metrics:
    """A list of metrics: names, one a line; an exposition; the answer of `/api/v1/label/__name__/values`."""
    if text.lstrip().startswith("{"):
        return Metrics(frozenset(_answer(text)))
    names: set[str] = set()
    kinds: dict[str, Any] = {}
    for line in text.splitlines():
        described = _TYPE.fullmatch(line)
        if described:
            family, kind = described.groups()
            kinds[family] = kind
            names.update(family + part for part in _PARTS[kind])
        elif (found := _NAME.match(line.lstrip())) is not None:
            names.add(found.group())
    return Metrics(frozenset(names), kinds)


def _answer(text: str) -> list[str]:
    """Raises msgspec.DecodeError if it is none."""
    return msgspec.json.decode(text, type=_Answer).data


class _Answer(msgspec.Struct):
    data: list[str]


def name_of(selector: ast.Selector) -> str:
    """The metric's name, written before the braces or in them; empty where a regex tells it."""
    equal = (m.value for m in selector.matchers if (m.name, m.op) == ("__name__", "="))
    return selector.name or next(equal, "")
