"""`/query` and `/query_range`: golden answers, and the errors that clients know."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.api.prometheus import QuerySettings
from sentinel.api.prometheus.queries import asks_for_the_range
from sentinel.model import Buckets, Histogram, Labels
from sentinel.promql import parse

from .asking import NOW_MS, World

NOW = NOW_MS // 1000
READS = """
groups:
  - name: g
    interval: 15s
    rules: [{record: r, expr: "sum(rate(work_total[10m])) + sum(up) + sum(rate(level[5m]))"}]
"""


def world(**about: Any) -> World:
    made = World(READS, **about)
    for number in range(3):
        values = [float(10 * number + step * (number + 1)) for step in range(21)]
        made.add("work_total", {"job": f"j{number}"}, *values)
    made.add("up", {"job": "j0"}, 1, 1)
    made.evaluate(NOW_MS)
    return made


def span(query: str, seconds: int = 60, step: str = "15", **more: str) -> dict[str, str]:
    return {"query": query, "start": str(NOW - seconds), "end": str(NOW), "step": step, **more}


def data_of(path: str, parameters: dict[str, str]) -> Any:
    async def ask() -> Any:
        async with world().served() as asked:
            return await asked.data(path, parameters)

    return asyncio.run(ask())


INSTANT = [
    ("1 + 1", {"resultType": "scalar", "result": [NOW, "2"]}),
    ("1e-7 + 0", {"resultType": "scalar", "result": [NOW, "0.0000001"]}),
    ("vector(1e-7)", {"resultType": "vector", "result": [{"metric": {}, "value": [NOW, "1e-07"]}]}),
    ('"a b"', {"resultType": "string", "result": [NOW, "a b"]}),
    ("nothing", {"resultType": "vector", "result": []}),
    (
        "up",
        {
            "resultType": "vector",
            "result": [{"metric": {"__name__": "up", "job": "j0"}, "value": [NOW, "1"]}],
        },
    ),
    (
        "sort_desc(work_total) > 25",
        {
            "resultType": "vector",
            "result": [
                {"metric": {"__name__": "work_total", "job": "j2"}, "value": [NOW, "80"]},
                {"metric": {"__name__": "work_total", "job": "j1"}, "value": [NOW, "50"]},
            ],
        },
    ),
    (
        'work_total{job="j0"}[30s]',
        {
            "resultType": "matrix",
            "result": [
                {
                    "metric": {"__name__": "work_total", "job": "j0"},
                    "values": [[NOW - 15, "19"], [NOW, "20"]],
                }
            ],
        },
    ),
]


@pytest.mark.parametrize(("query", "data"), INSTANT, ids=[query for query, _ in INSTANT])
def test_instant_queries(query: str, data: Any) -> None:
    assert data_of("/query", {"query": query}) == data


def test_a_time_in_the_past() -> None:
    found = data_of("/query", {"query": 'work_total{job="j0"}', "time": f"{NOW - 20}.5"})
    assert found["result"][0]["value"] == [NOW - 19.5, "18"]


def test_a_range() -> None:
    found = data_of("/query_range", span("sum by (job) (work_total) > 48", 30))
    assert found == {
        "resultType": "matrix",
        "result": [
            {"metric": {"job": "j1"}, "values": [[NOW, "50"]]},
            {"metric": {"job": "j2"}, "values": [[NOW - 30, "74"], [NOW - 15, "77"], [NOW, "80"]]},
        ],
    }


def test_a_scalar_over_a_range_is_a_series_without_labels() -> None:
    found = data_of("/query_range", span("time()", 15))
    assert found["result"] == [{"metric": {}, "values": [[NOW - 15, str(NOW - 15)], [NOW, str(NOW)]]}]


BAD = "bad_data"
ERRORS = [
    ("/query", {"query": "up["}, 400, BAD, 'invalid parameter "query": 1:4: parse error:'),
    ("/query", {}, 400, BAD, 'invalid parameter "query": 1:1: parse error: no expression found in input'),
    ("/query", {"query": "1", "time": "x"}, 400, BAD, "invalid time value for 'time': cannot parse \"x\""),
    ("/query", {"query": "1", "limit": "-1"}, 400, BAD, 'parameter "limit": limit must be non-negative'),
    ("/query", {"query": "1", "timeout": "x"}, 400, BAD, 'parameter "timeout": cannot parse "x"'),
    (
        "/query",
        {"query": "1", "lookback_delta": "x"},
        400,
        BAD,
        "error parsing lookback delta duration: cannot",
    ),
    ("/query", {"query": "up", "timeout": "0"}, 503, "timeout", "query timed out in query queue"),
    ("/query", {"query": "up + on () up + on () work_total"}, 422, "execution", "found duplicate series"),
    (
        "/query_range",
        {"query": "1"},
        400,
        BAD,
        'invalid parameter "start": cannot parse "" to a valid timestamp',
    ),
    (
        "/query_range",
        span("1", -15),
        400,
        BAD,
        'parameter "end": end timestamp must not be before start time',
    ),
    ("/query_range", span("1", step="0"), 400, BAD, "zero or negative query resolution step widths"),
    ("/query_range", span("1", step="0.0001"), 400, BAD, "zero or negative query resolution step widths"),
    ("/query_range", span("1", 12_000, "1"), 400, BAD, "exceeded maximum resolution of 11,000 points"),
    ("/query_range", span("up[5m]"), 400, BAD, 'invalid expression type "range vector" for range query'),
    ("/query_exemplars", {"query": "up["}, 400, BAD, "1:4: parse error:"),
    ("/format_query", {"query": "up["}, 400, BAD, 'invalid parameter "query": 1:4: parse error:'),
    ("/parse_query", {"query": "up["}, 400, BAD, 'invalid parameter "query": 1:4: parse error:'),
]


def test_errors() -> None:
    async def ask() -> None:
        async with world().served() as asked:
            for path, parameters, status, kind, text in ERRORS:
                found = await asked.error(path, parameters)
                assert found[:2] == (status, kind), (path, parameters, found)
                assert text in found[2], (path, parameters, found)

    asyncio.run(ask())


def test_a_query_may_load_so_many_samples_only() -> None:
    async def ask() -> None:
        async with world(queries=QuerySettings(max_samples=40)).served() as asked:
            assert await asked.data("/query", {"query": "sum_over_time(work_total[2m])"})
            status, kind, text = await asked.error("/query", {"query": "sum_over_time(work_total[5m])"})
            assert (status, kind) == (422, "execution")
            assert text == "query processing would load too many samples into memory in query execution"
            # A range is read piece by piece, but its result is held to the end.
            assert await asked.data("/query_range", span("sum(work_total)", 300))
            assert (await asked.error("/query_range", span("work_total", 300)))[:2] == (422, "execution")

    asyncio.run(ask())


def test_native_histograms() -> None:
    made = world()
    histogram = Histogram(schema=0, count=4, sum=6.0, positive=Buckets(1, np.array([3.0, 1.0])))
    boxes = made.engine.store.histograms.box([histogram] * 2)
    made.engine.store.add(
        Labels({"__name__": "level"}), [NOW_MS - 30_000, NOW_MS - 15_000, NOW_MS], [9, *boxes]
    )
    drawn = {"count": "4", "sum": "6", "buckets": [[0, "1", "2", "3"], [0, "2", "4", "1"]]}

    async def ask() -> None:
        async with made.served() as asked:
            (series,) = (await asked.data("/query", {"query": "level"}))["result"]
            assert series == {"metric": {"__name__": "level"}, "histogram": [NOW, drawn]}
            (series,) = (await asked.data("/query_range", span("level", 30)))["result"]
            assert (series["values"], series["histograms"]) == (
                [[NOW - 30, "9"]],
                [[NOW - 15, drawn], [NOW, drawn]],
            )

    asyncio.run(ask())


def test_what_the_editor_asks() -> None:
    assert data_of("/format_query", {"query": "sum(up)by(job)"}) == "sum by (job) (up)"
    parsed = data_of("/parse_query", {"query": "sum(up)by(job)"})
    assert (parsed["type"], parsed["op"], parsed["grouping"]) == ("aggregation", "sum", ["job"])
    assert parsed["expr"]["name"] == "up"


def test_an_own_lookback() -> None:
    assert len(data_of("/query", {"query": "up", "time": str(NOW + 100)})["result"]) == 1
    late = {"query": "up", "time": str(NOW + 100), "lookback_delta": "1m"}
    assert data_of("/query", late)["result"] == []


def test_limit_statistics_and_what_is_remarked() -> None:
    async def ask() -> None:
        async with world().served() as asked:
            for path in ("/query", "/query_range"):
                answer = await asked.get(
                    f"/api/v1{path}", span("rate(work_total[5m])", 15, limit="2", stats="yes", time=str(NOW))
                )
                body = msgspec.json.decode(answer.body)
                assert len(body["data"]["result"]) == 2
                assert body["data"]["stats"]["timings"]["execTotalTime"] > 0
                assert "results truncated due to limit" in body["warnings"]
                assert any('"stats" is deprecated' in text for text in body["warnings"])
            body = msgspec.json.decode((await asked.get("/api/v1/query", {"query": "rate(up[5m])"})).body)
            assert [text for text in body["infos"] if "might not be a counter" in text and "(1:6)" in text]

    asyncio.run(ask())


def test_a_form_counts_before_the_address() -> None:
    async def ask() -> None:
        async with world().served() as asked:
            answer = await asked.post("/api/v1/query?query=2&time=0", {"query": "1"})
            assert msgspec.json.decode(answer.body)["data"]["result"] == [0, "1"]
            large = await asked.post("/api/v1/query", {"query": "1" * (2 << 20)})
            assert (large.status, msgspec.json.decode(large.body)["errorType"]) == (400, "bad_data")

    asyncio.run(ask())


def test_large_answers_are_packed_for_those_who_can_unpack() -> None:
    async def ask() -> None:
        async with world().served() as asked:
            plain = await asked.get("/api/v1/query_range", span("work_total", 300, "5"))
            assert "content-encoding" not in plain.headers
            packed = await asked.get(
                "/api/v1/query_range", span("work_total", 300, "5"), **{"Accept-Encoding": "deflate, gzip"}
            )
            assert packed.headers["content-encoding"] == "gzip"
            assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3

    asyncio.run(ask())


@settings(max_examples=25, deadline=None)
@given(
    query=st.sampled_from(
        [
            "work_total",
            "topk(1, work_total)",
            "sum by (job) (rate(work_total[1m]))",
            "work_total @ start() + ignoring (x) work_total",
            "max_over_time(sum(work_total)[1m:15s] @ end())",
            "vector(time()) > 1759999950",
        ]
    ),
    steps=st.integers(0, 30),
    step_ms=st.integers(1000, 40_000),
)
def test_pieces_make_the_whole(query: str, steps: int, step_ms: int) -> None:
    """A range asked for step by step, in the pieces that it is cut into, is what it is in one."""
    start_ms = NOW_MS - steps * step_ms
    made = world()
    evaluator = made.engine.evaluator
    whole = evaluator.range(evaluator.prepare(query), start_ms, NOW_MS, step_ms)
    expected = {
        evaluator.labels(id): list(
            zip(whole.timestamp_ms[a:b].tolist(), whole.value[a:b].tolist(), strict=True)
        )
        for id, a, b in zip(whole.ids.tolist(), whole.first.tolist(), whole.last.tolist(), strict=True)
    }

    async def ask() -> Any:
        async with made.served() as asked:
            times = {"start": f"{start_ms / 1000:.3f}", "end": f"{NOW_MS / 1000:.3f}"}
            return await asked.data("/query_range", {"query": query, "step": f"{step_ms}ms", **times})

    result = asyncio.run(ask())["result"]
    found = [
        (dict(series["metric"]), [(round(at * 1000), float(value)) for at, value in series["values"]])
        for series in result
    ]
    ordered = sorted(expected.items(), key=lambda item: item[0].pairs)
    assert found == [(dict(labels), samples) for labels, samples in ordered]
    assert made.host.calls == 1 or not asks_for_the_range(parse(query))
