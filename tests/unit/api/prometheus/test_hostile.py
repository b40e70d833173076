"""Whatever is asked: an answer or a refusal in the envelope, and never a mistake of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.api.prometheus import QuerySettings
from sentinel.api.prometheus.answers import STATUS
from sentinel.model import Labels

from .asking import NOW_MS, World

NOW = NOW_MS // 1000
PATHS = (
    "query",
    "query_range",
    "query_exemplars",
    "format_query",
    "parse_query",
    "series",
    "labels",
    "label/job/values",
    "label/U__a_2e_b/values",
    "rules",
    "alerts",
    "metadata",
    "targets",
    "targets/metadata",
    "scrape_pools",
    "alertmanagers",
    "status/buildinfo",
    "status/runtimeinfo",
    "status/config",
    "status/flags",
    "status/tsdb",
)
QUERIES = (
    "up",
    "rate(up[5m])",
    "sum by (job) (up)",
    "up[5m]",
    "up[1h:1s] offset 100y",
    "up offset -100y",
    "up @ 1e12",
    "max_over_time(up[999y:1y])",
    '{__name__=~".*"}',
    '"x"',
    "1e308 * 1e308",
    "{}",
    "(" * 50,
    "up @ end() / up @ start()",
    "histogram_quantile(0.9, up)",
    'label_replace(up, "a", "$1", "job", "(.*)")',
    "count_values('v', up)",
    "topk(1e18, up)",
    "vector(NaN) > 0",
)
TIMES = (str(NOW), f"{NOW - 60}.5", "0", "-1e18", "1e18", "9e999", "2025-10-09T08:53:20Z", "now", "")
TEXTS = st.one_of(
    st.sampled_from(QUERIES), st.text(max_size=20), st.binary(max_size=8).map(lambda b: b.decode("latin-1"))
)
SPANS = st.one_of(st.sampled_from(("15", "1", "0.001", "1e-9", "1e9", "5m", "0", "-1", "1y", "x", "")), TEXTS)
NAMES = {
    **dict.fromkeys(("query", "match[]", "match_target", "file[]", "group_next_token", "metric"), TEXTS),
    **dict.fromkeys(("time", "start", "end"), st.one_of(st.sampled_from(TIMES), TEXTS)),
    **dict.fromkeys(("step", "timeout", "lookback_delta"), SPANS),
    **dict.fromkeys(
        ("limit", "limit_per_metric", "group_limit"), st.sampled_from(("0", "1", "-1", "9" * 30, "x"))
    ),
    **dict.fromkeys(
        ("type", "state", "exclude_alerts", "stats"), st.sampled_from(("alert", "any", "true", ""))
    ),
}
PARAMETERS = st.lists(
    st.sampled_from(sorted(NAMES)).flatmap(lambda name: st.tuples(st.just(name), NAMES[name])), max_size=6
)
ASKED = st.lists(st.tuples(st.sampled_from(PATHS), PARAMETERS, st.booleans()), min_size=1, max_size=12)
RULES = 'groups: [{name: g, interval: 15s, rules: [{alert: A, expr: "rate(up[5m]) >= 0"}]}]'


@settings(max_examples=40, deadline=None)
@given(ASKED)
def test_never_a_mistake_of_ours(asked: list[tuple[str, list[tuple[str, str]], bool]]) -> None:
    world = World(RULES, queries=QuerySettings(timeout_seconds=2.0, max_samples=200_000))
    world.add("up", {"job": "a"}, 1, 1, 0)
    world.evaluate(NOW_MS)

    async def served() -> None:
        async with world.served():
            for path, parameters, post in asked:
                ask = world.post if post else world.get
                answer = await ask(f"/api/v1/{path}", parameters)
                if answer.status == 405:
                    assert post
                    continue
                body = msgspec.json.decode(answer.body)
                if body["status"] == "success":
                    assert answer.status == 200 and "data" in body
                else:
                    assert answer.status == STATUS[body["errorType"]] and body["error"]
                    assert answer.status in (400, 422, 503), (path, parameters, answer)

    asyncio.run(served())


def pairs(depth: int) -> str:
    return "up" if depth == 0 else f"({pairs(depth - 1)} + {pairs(depth - 1)})"


def test_what_is_too_large_is_refused() -> None:
    matchers = ",".join(f'a{number}=""' for number in range(11_000))

    async def served() -> None:
        async with World().served() as world:
            for path, parameters, text in (
                ("query", {"query": pairs(13)}, "the query has 32766 parts; 10000 are possible"),
                (
                    "query_range",
                    {"query": f"up{{{matchers}}}", "start": "0", "end": "1", "step": "1"},
                    "11002 parts",
                ),
                ("series", [("match[]", "up")] * 300, "more than 256 selectors"),
                ("series", {"match[]": f"up{{{matchers}}}"}, "parts"),
            ):
                answer = await world.post(f"/api/v1/{path}", parameters)
                assert answer.status == 400 and text in answer.body, answer.body[:200]

    asyncio.run(served())


def test_bytes_that_are_no_text() -> None:
    async def served() -> None:
        async with World().served() as world:
            for query in (
                "query=%ff%fe",
                "query=%ED%A0%80",
                "query=up%00",
                "query=%",
                "&&=;",
                "query=%22%ff%22",
            ):
                answer = await world.get("/api/v1/query?" + query + "&x")
                assert answer.status in (200, 400), (query, answer)
            fields = await world.get("/api/v1/query", [("a", "")] * 4000)
            assert fields.status == 400

    asyncio.run(served())


NO_UTF8 = (
    r'"\xff"',
    r'label_replace(up, "a", "\xff", "job", ".*")',
    r'label_replace(up, "a", "x", "job", "\xff")',
    r'label_replace(up, "\xff", "x", "job", ".*")',
    r'label_join(up, "a", "\xff", "job", "job")',
    r'absent(up{job="\xff"})',
    r'absent_over_time({job="\xff"}[5m])',
    r'up{job=~"\xff"}',
)


@pytest.mark.parametrize("query", NO_UTF8)
@pytest.mark.parametrize("path", ["query", "query_range", "parse_query", "format_query"])
def test_bytes_that_are_no_utf8(path: str, query: str) -> None:
    async def ask() -> int:
        made = World()
        made.add("up", {"job": "a"}, 1)
        async with made.served() as served:
            times = {"start": str(NOW - 15), "end": str(NOW), "step": "15"}
            return (await served.get(f"/api/v1/{path}", {"query": query, **times})).status

    assert asyncio.run(ask()) < 500


def test_a_label_holds_well_formed_text_only() -> None:
    async def ask() -> Any:
        made = World()
        made.add("up", {"job": "a"}, 1)
        async with made.served() as served:
            return await served.data("/query", {"query": NO_UTF8[1]})

    assert asyncio.run(ask())["result"][0]["metric"]["a"] == "\ufffd"


def test_a_rule_with_bytes_that_are_no_utf8_is_evaluated() -> None:
    rules = "groups: [{name: g, interval: 15s, rules: [{record: r, expr: 'EXPR'}]}]"
    made = World(rules.replace("EXPR", NO_UTF8[1]))
    made.add("up", {"job": "a"}, 1)
    made.evaluate(NOW_MS)
    assert made.engine.store.find(Labels({"__name__": "r", "a": "\ufffd", "job": "a"})) >= 0
