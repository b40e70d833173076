"""The reference of Sentinel's own metrics, generated: `python -m sentinel.app.metrics_reference`."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from prometheus_client.metrics_core import Metric

from sentinel.host.accounts import Accounts
from sentinel.telemetry import REGISTRY
from sentinel.watch.check import Gauge, installed

ROOMS: Final = ("alert", "api", "host", "ingest", "notify", "watch")
_HEAD: Final = """\
# Metrics

Generated from the code by `python -m sentinel.app.metrics_reference`. The first table is what `/metrics`
shows; the same series are in the engine with the label `job="sentinel"`, so rules can use them.

"""
_WATCHED: Final = """
## Of watched clusters

Given to the engine for each of `clusters`, with the label `cluster`. A cluster's `names` adds the same facts
under the names of kafka_exporter and kminion where these have one.

| metric | labels | says |
|---|---|---|
"""


def reference() -> str:
    """Markdown: what Sentinel says of itself, and of clusters."""
    for room in ROOMS:  # metrics are declared where they are counted
        package = import_module(f"sentinel.{room}")
        for module in pkgutil.iter_modules(package.__path__, f"sentinel.{room}."):
            if "kernel" not in module.name:
                import_module(module.name)
    rows = [*_families(), *(_row(metric, metric._labelnames) for metric in Accounts().collect())]
    return _HEAD + _table(sorted(rows)) + _WATCHED + "\n".join(_watched()) + "\n"


def _families() -> Iterator[tuple[str, str, str, str]]:
    for collector in REGISTRY._collector_to_names:
        labels = getattr(collector, "_labelnames", ())
        for metric in collector.collect():
            yield _row(metric, labels)


def _row(metric: Metric, labels: tuple[str, ...]) -> tuple[str, str, str, str]:
    name = metric.name + ("_total" if metric.type == "counter" else "")
    return name, metric.type, ", ".join(f"`{label}`" for label in labels), metric.documentation


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    head = "| metric | type | labels | says |\n|---|---|---|---|\n"
    return head + "".join(f"| `{name}` | {kind} | {labels} | {text} |\n" for name, kind, labels, text in rows)


def _watched() -> Iterator[str]:
    for check in installed():
        for gauge in vars(import_module(type(check).__module__)).values():
            if not isinstance(gauge, Gauge):
                continue
            labels = ", ".join(f"`{label}`" for label in gauge.labels)
            yield f"| `{gauge.name}` | {labels} | {gauge.help} |"


if __name__ == "__main__":
    print(reference(), end="")
