"""`/status/...`, targets and Alertmanagers; and what is asked for completeness only."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml

from sentinel import __version__
from sentinel.api.prometheus.status import configuration_text
from sentinel.ingest.scrape_config import ScrapeAuth, ScrapeConfig
from sentinel.model import Duration, Labels, Secret

from .asking import NOW_MS, Parameters, World

NODE = ScrapeConfig(targets=["a:1", "b:1", "c:1"], labels={"rack": "r"}, metrics_path="/m")


def world() -> World:
    made = World(
        flags={"query.timeout": "10s"},
        retention=lambda: "1h",
        scraped=lambda: {"node": NODE, "api": ScrapeConfig(targets=["d:1"], scheme="https")},
        alertmanagers=lambda: ["http://am:9093/prefix"],
        configuration=lambda: {"global": {"evaluation_interval": Duration(15_000)}},
        reloaded=lambda: (False, NOW_MS - 60_000),
    )
    for target, up in (("a:1", 1.0), ("b:1", 0.0)):
        labels = {"job": "node", "instance": target, "rack": "r"}
        made.engine.store.add(Labels(labels | {"__name__": "up"}), [NOW_MS - 5000], [up])
        made.engine.store.add(
            Labels(labels | {"__name__": "scrape_duration_seconds"}), [NOW_MS - 5000], [0.25]
        )
    return made


def ask(path: str, parameters: Parameters = ()) -> Any:
    async def served() -> Any:
        async with world().served() as asked:
            return await asked.data(path, parameters)

    return asyncio.run(served())


def test_build_says_whose_api_this_is_and_who_serves_it() -> None:
    found = ask("/status/buildinfo")
    assert (found["application"], found["version"], found["revision"]) == ("Sentinel", "3.14.0", __version__)
    assert {"branch", "buildUser", "buildDate", "goVersion"} <= set(found)


def test_runtime() -> None:
    found = ask("/status/runtimeinfo")
    assert found["serverTime"] == found["startTime"] == "2025-10-09T08:53:20Z"
    assert (found["reloadConfigSuccess"], found["lastConfigTime"]) == (False, "2025-10-09T08:52:20Z")
    assert (found["storageRetention"], found["corruptionCount"]) == ("1h", 0)


def test_flags_and_configuration() -> None:
    assert ask("/status/flags") == {"query.timeout": "10s"}
    assert yaml.safe_load(ask("/status/config")["yaml"]) == {"global": {"evaluation_interval": "15s"}}


def test_the_configuration_shows_no_secret() -> None:
    auth = ScrapeAuth("me", Secret("geheim"))
    shown = configuration_text(
        {
            "sources": (ScrapeConfig(targets=["a:1"], basic_auth=auth),),
            "url": "http://user:geheim@host/path",
            "none": Secret(""),
        }
    )
    assert "geheim" not in shown
    found = yaml.safe_load(shown)
    assert found["sources"][0]["basic_auth"] == {
        "username": "me",
        "password": "<secret>",
        "password_file": "",
    }
    assert (found["url"], found["none"]) == ("http://user:<secret>@host/path", "")
    assert found["sources"][0]["interval"] == "15s"


def test_statistics_of_the_store() -> None:
    found = ask("/status/tsdb", {"limit": "2"})
    assert found["headStats"] == {
        "numSeries": 4,
        "chunkCount": 4,
        "minTime": NOW_MS - 5000,
        "maxTime": NOW_MS - 5000,
        "numLabelPairs": 6,
    }
    assert found["seriesCountByMetricName"] == [
        {"name": "up", "value": 2},
        {"name": "scrape_duration_seconds", "value": 2},
    ]
    assert {each["name"]: each["value"] for each in found["labelValueCountByLabelName"]} == {
        "__name__": 2,
        "instance": 2,
    }
    assert found["memoryInBytesByLabelName"][0] == {"name": "__name__", "value": 2 * 2 + 2 * 23}
    assert found["seriesCountByLabelValuePair"][0] in (
        {"name": "job=node", "value": 4},
        {"name": "rack=r", "value": 4},
    )


def test_targets() -> None:
    found = ask("/targets")
    shown = [(t["scrapePool"], t["scrapeUrl"], t["health"], t["lastScrape"]) for t in found["activeTargets"]]
    assert shown == [
        ("api", "https://d:1/metrics", "unknown", "0001-01-01T00:00:00Z"),
        ("node", "http://a:1/m", "up", "2025-10-09T08:53:15Z"),
        ("node", "http://b:1/m", "down", "2025-10-09T08:53:15Z"),
        ("node", "http://c:1/m", "unknown", "0001-01-01T00:00:00Z"),
    ]
    up, down = found["activeTargets"][1:3]
    assert up["labels"] == {"job": "node", "instance": "a:1", "rack": "r"}
    assert (up["lastError"], up["lastScrapeDuration"]) == ("", 0.25)
    assert (up["scrapeInterval"], up["scrapeTimeout"]) == ("15s", "10s")
    assert down["lastError"]
    assert (found["droppedTargets"], found["droppedTargetCounts"]) == ([], {})
    assert [t["scrapePool"] for t in ask("/targets", {"scrapePool": "api"})["activeTargets"]] == ["api"]
    assert ask("/targets", {"state": "dropped"})["activeTargets"] == []
    assert ask("/scrape_pools") == {"scrapePools": ["api", "node"]}


def test_alertmanagers() -> None:
    assert ask("/alertmanagers") == {
        "activeAlertmanagers": [{"url": "http://am:9093/prefix/api/v2/alerts"}],
        "droppedAlertmanagers": [],
    }


@pytest.mark.parametrize(
    ("path", "data"),
    [("/metadata", {}), ("/targets/metadata", []), ("/query_exemplars?query=up", [])],
)
def test_what_is_not_kept_is_empty(path: str, data: Any) -> None:
    async def served() -> Any:
        async with world().served() as asked:
            return await asked.data(*path.split("?")[:1], [("query", "up")])

    assert asyncio.run(served()) == data


ERRORS = [
    ("/metadata", {"limit": "x"}, "limit must be a number"),
    ("/metadata", {"limit_per_metric": "x"}, "limit_per_metric must be a number"),
    ("/targets/metadata", {"limit": "x"}, "limit must be a number"),
    ("/targets/metadata", {"match_target": "up["}, 'invalid parameter "match_target": 1:4: parse error:'),
    ("/status/tsdb", {"limit": "0"}, "limit must be a positive number"),
    ("/status/tsdb", {"limit": "x"}, "limit must be a positive number"),
    ("/status/tsdb", {"limit": "10001"}, "limit must not exceed 10000"),
    ("/query_exemplars", {"query": "up", "start": "2", "end": "1"}, "end timestamp must not be before start"),
]


def test_errors() -> None:
    async def served() -> None:
        async with world().served() as asked:
            for path, parameters, text in ERRORS:
                status, kind, said = await asked.error(path, parameters)
                assert (status, kind) == (400, "bad_data") and text in said, said

    asyncio.run(served())
