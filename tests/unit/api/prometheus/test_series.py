"""`/series`, `/labels`, `/label/<name>/values` and `/federate`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from sentinel.model import STALE, Labels, Matcher

from .asking import NOW_MS, Parameters, World

NOW = NOW_MS // 1000
A1 = {"__name__": "up", "job": "a", "instance": "1"}
A2 = {"__name__": "up", "job": "a", "instance": "2"}
B = {"__name__": "load", "job": "b", "http.method": "get"}
GONE = {"__name__": "gone", "job": "c"}


def world() -> World:
    made = World('groups: [{name: g, rules: [{record: r, expr: "sum(rate(up[5m]))"}]}]')
    for labels in (A1, A2, B):
        made.engine.store.add(Labels(labels), [NOW_MS - 60_000, NOW_MS], [1.0, 2.0])
    made.engine.store.add(Labels(GONE), [NOW_MS - 3_600_000], [7.0])
    return made


def ask(path: str, parameters: Parameters = ()) -> Any:
    async def served() -> Any:
        async with world().served() as asked:
            return await asked.data(path, parameters)

    return asyncio.run(served())


def matching(*selectors: str, **more: str) -> list[tuple[str, str]]:
    return [("match[]", selector) for selector in selectors] + list(more.items())


SERIES: Sequence[tuple[list[tuple[str, str]], list[dict[str, str]]]] = [
    (matching("up"), [A1, A2]),
    (matching('up{instance="2"}'), [A2]),
    (matching('{job=~"a|b"}'), [B, A1, A2]),
    (matching('{instance="1"}', '{__name__="load"}', "up"), [B, A1, A2]),
    (matching("nothing"), []),
    (matching('{"http.method"="get"}'), [B]),
    (matching('{job=~".+"}', start=str(NOW - 30)), [B, A1, A2]),
    (matching('{job=~".+"}', end=str(NOW - 600)), [GONE]),
    (matching("up", "load", start=str(NOW - 59), end=str(NOW - 1)), []),
    (matching("up", start=str(NOW - 60), end=str(NOW - 60)), [A1, A2]),
    (matching("up", start=str(NOW + 1)), []),
]


@pytest.mark.parametrize(("parameters", "series"), SERIES, ids=lambda each: str(each)[:50])
def test_series(parameters: list[tuple[str, str]], series: list[dict[str, str]]) -> None:
    assert ask("/series", parameters) == series


def test_labels() -> None:
    names = ["__name__", "http.method", "instance", "job"]
    assert ask("/labels") == names
    assert ask("/labels", matching("up")) == ["__name__", "instance", "job"]
    assert ask("/labels", matching("nothing")) == []
    assert ask("/labels", {"start": str(NOW + 1)}) == []


@pytest.mark.parametrize(
    ("name", "parameters", "values"),
    [
        ("job", [], ["a", "b", "c"]),
        ("job", [("start", str(NOW - 600))], ["a", "b"]),
        ("instance", matching('{job="a"}'), ["1", "2"]),
        ("__name__", [], ["gone", "load", "up"]),
        ("U__http_2e_method", [], ["get"]),
        ("nothing", [], []),
    ],
)
def test_label_values(name: str, parameters: list[tuple[str, str]], values: list[str]) -> None:
    assert ask(f"/label/{name}/values", parameters) == values


def test_limits_and_forms() -> None:
    async def served() -> None:
        async with world().served() as asked:
            for path, first in (("/series", B), ("/labels", "__name__"), ("/label/job/values", "a")):
                answer = await asked.get(f"/api/v1{path}", matching('{job=~".+"}', limit="1", start=str(NOW)))
                body = msgspec.json.decode(answer.body)
                assert (body["data"], body["warnings"]) == ([first], ["results truncated due to limit"])
            for path in ("/series", "/labels"):
                answer = await asked.post(f"/api/v1{path}", matching("up"))
                assert len(msgspec.json.decode(answer.body)["data"]) in (2, 3)
            assert (await asked.post("/api/v1/label/job/values", [])).status == 405

    asyncio.run(served())


ERRORS = [
    ("/series", [], "no match[] parameter provided"),
    ("/series", matching("up["), 'invalid parameter "match[]": 1:4: parse error:'),
    ("/series", matching("rate(up[5m])"), 'invalid parameter "match[]": 1:1: parse error:'),
    ("/series", matching("{}"), "match[] must contain at least one non-empty matcher"),
    ("/series", matching("up", start="x"), "invalid time value for 'start'"),
    ("/labels", matching('{job=""}'), "match[] must contain at least one non-empty matcher"),
    (
        "/labels",
        {"limit": "x"}.items(),
        'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax',
    ),
    ("/label/U__/values", [], 'invalid label name: ""'),
    ("/label/job/values", {"end": "x"}.items(), "invalid time value for 'end'"),
]


def test_errors() -> None:
    async def served() -> None:
        async with world().served() as asked:
            for path, parameters, text in ERRORS:
                status, kind, said = await asked.error(path, list(parameters))
                assert (status, kind) == (400, "bad_data") and text in said, (path, said)

    asyncio.run(served())


def test_what_queries_look_for_is_forgotten_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.api.prometheus.turns.FORGET_AFTER", 10)
    made, matchers = world(), (Matcher("__name__", "=", "up"), Matcher("instance", "=", "0"))
    ours = made.engine.store.selection(matchers)
    asked = made.engine.store.selection((Matcher("__name__", "=", "up"),))

    async def served() -> None:
        async with made.served():
            for number in range(10):
                assert made.engine.store.selection(matchers) is ours
                await made.data("/query", {"query": f'up{{instance="{number}"}}'})

    asyncio.run(served())
    assert made.engine.store.selection(matchers) is not ours
    assert made.engine.store.selection((Matcher("__name__", "=", "up"),)) is asked


def test_federation() -> None:
    made = world()
    made.engine.store.add(Labels({"__name__": "ended"}), [NOW_MS - 1000, NOW_MS], [1.0, STALE])
    made.engine.store.add(Labels({"__name__": "a.b", "b": ""}), [NOW_MS], [3.0])
    made.engine.store.add(Labels({"__name__": "up", "region": "own", "a": 'x"\n'}), [NOW_MS - 1500], [1e21])

    async def served() -> None:
        async with made.served():
            answer = await made.get(
                "/federate", matching("up", '{job="b"}', "ended", "gone", "up", '{"a.b"}')
            )
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert answer.body == (
                '# TYPE "a.b" untyped\n'
                f'{{"a.b",region="eu"}} 3 {NOW_MS}\n'
                "# TYPE load untyped\n"
                f'load{{"http.method"="get",job="b",region="eu"}} 2 {NOW_MS}\n'
                "# TYPE up untyped\n"
                f'up{{a="x\\"\\n",region="own"}} 1e+21 {NOW_MS - 1500}\n'
                f'up{{instance="1",job="a",region="eu"}} 2 {NOW_MS}\n'
                f'up{{instance="2",job="a",region="eu"}} 2 {NOW_MS}\n'
            )
            assert (await made.get("/federate")).body == ""
            assert (await made.get("/federate", matching("up["))).status == 400

    asyncio.run(served())
