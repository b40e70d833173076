"""A query that reads more than is kept says so, and one that does not is silent."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from .asking import NOW_MS, World

NOW = NOW_MS // 1000
HINT = "a rule or store.retention must ask for more"
RULES = """
groups:
  - name: g
    interval: 15s
    rules:
      - {record: r, expr: "sum(rate(asked_total[5m]))"}
      - {record: s, expr: "sum(level)"}
"""


def warnings(
    path: str, parameters: dict[str, str], *, retention_ms: int | None = None, samples: int = 21
) -> list[str]:
    world = World(RULES, retention_ms=retention_ms)
    for name in ("asked_total", "level", "unasked"):
        world.add(name, {"job": "a"}, *range(samples))
    world.evaluate(NOW_MS)

    async def ask() -> list[str]:
        async with world.served() as asked:
            body = msgspec.json.decode((await asked.get(f"/api/v1{path}", parameters)).body)
            assert body["status"] == "success", body
            return list(body.get("warnings", []))

    return asyncio.run(ask())


def hour(query: str) -> dict[str, str]:
    return {"query": query, "start": str(NOW - 3600), "end": str(NOW), "step": "60"}


@pytest.mark.parametrize(
    "query",
    [
        "asked_total",
        "level",
        "unasked",
        "rate(asked_total[5m])",
        "asked_total offset 4m",
        f"asked_total @ {NOW - 60}",
        "max_over_time(asked_total[4m:15s])",
        "absent(nothing)",
        "rate(nothing[1h])",
    ],
)
def test_what_is_kept(query: str) -> None:
    assert not warnings("/query", {"query": query})


SHORT = [
    ("rate(asked_total[1h])", "series of asked_total are kept for 5m only, not 1h"),
    ("asked_total offset 1h", "series of asked_total are kept for 5m only, not 1h"),
    ('rate(asked_total{job="a"}[30m])', 'series of asked_total{job="a"} are kept for 5m only, not 30m'),
    (f"asked_total @ {NOW - 900}", "series of asked_total are kept for 5m only, not 15m"),
    ("max_over_time(asked_total[20m:1m] offset 10m)", "series of asked_total are kept for 5m only, not 30m"),
    ("rate(unasked[5m])", "of series of unasked only the newest sample is kept, not 5m"),
    ("rate(level[10m])", "of series of level only the newest sample is kept, not 10m"),
]


@pytest.mark.parametrize(("query", "warning"), SHORT, ids=[query for query, _ in SHORT])
def test_what_is_not_kept(query: str, warning: str) -> None:
    assert warnings("/query", {"query": query}) == [f"{warning}: {HINT}"]


def test_a_range_reads_from_its_start() -> None:
    assert warnings("/query_range", hour("asked_total + asked_total")) == [
        f"series of asked_total are kept for 5m only, not 1h: {HINT}"
    ]
    assert warnings("/query_range", hour("rate(asked_total[5m])")) == [
        f"series of asked_total are kept for 5m only, not 1h5m: {HINT}"
    ]
    assert warnings("/query_range", hour("sum(asked_total @ end())")) == []


def test_retention_is_kept() -> None:
    assert warnings("/query_range", hour("unasked"), retention_ms=3_600_000) == []
    assert warnings("/query", {"query": "rate(unasked[2h])"}, retention_ms=3_600_000) == [
        f"series of unasked are kept for 1h only, not 2h: {HINT}"
    ]
