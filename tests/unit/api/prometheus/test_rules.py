"""`/rules` and `/alerts`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sentinel.rules.load import parse_rules

from .asking import NOW_MS, Parameters, World

FIRST = """
groups:
  - name: first
    interval: 15s
    limit: 7
    labels: {team: a}
    rules:
      - {record: "job:up:sum", expr: "sum by(job)  (up)", labels: {source: rule}}
      - alert: Down
        expr: up == 0
        for: 30s
        keep_firing_for: 1m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} has {{ $value }}"}
      - {alert: Bad, expr: "up + on () up"}
  - name: second
    interval: 1m
    rules:
      - {alert: Never, expr: "up > 5"}
"""
SECOND = 'groups: [{name: third, interval: 15s, rules: [{alert: Up, expr: "up > 0"}]}]'
AT = "2025-10-09T08:53:"


def world(*values: float) -> World:
    """`up` of two instances, evaluated every 15 s; the second has `values`, the last now."""
    made = World()
    made.engine.reload([*parse_rules(SECOND, "b.yml"), *parse_rules(FIRST, "a.yml")])
    for place, value in enumerate(values):
        at_ms = NOW_MS - 15_000 * (len(values) - 1 - place)
        made.engine.store.add(made.up("1"), [at_ms], [1.0])
        made.engine.store.add(made.up("2"), [at_ms], [value])
        made.evaluate(at_ms)
    return made


def ask(made: World, path: str, parameters: Parameters = ()) -> Any:
    async def served() -> Any:
        async with made.served():
            return await made.data(path, parameters)

    return asyncio.run(served())


def rules(made: World, parameters: Parameters = ()) -> list[str]:
    """All rules as `group/rule`."""
    groups = ask(made, "/rules", parameters)["groups"]
    return [f"{group['name']}/{rule['name']}" for group in groups for rule in group["rules"]]


def test_groups_and_recording_rules() -> None:
    first, second, third = ask(world(1, 1), "/rules")["groups"]
    assert {name: value for name, value in first.items() if name not in ("rules", "evaluationTime")} == {
        "name": "first",
        "file": "a.yml",
        "interval": 15.0,
        "limit": 7,
        "lastEvaluation": f"{AT}20Z",
    }
    assert [second["name"], third["name"], third["file"]] == ["second", "third", "b.yml"]
    assert first["rules"][0] == {
        "name": "job:up:sum",
        "query": "sum by (job) (up)",
        "labels": {"team": "a", "source": "rule"},
        "health": "ok",
        "evaluationTime": 0,
        "lastEvaluation": f"{AT}20Z",
        "type": "recording",
    }


DOWN = {
    "labels": {"alertname": "Down", "instance": "2", "job": "a", "severity": "page", "team": "a"},
    "annotations": {"summary": "2 has 0"},
    "activeAt": f"{AT}05Z",
    "value": "0e+00",
}


@pytest.mark.parametrize(
    ("values", "state", "alerts"),
    [
        ([], "unknown", []),
        ([1, 1], "inactive", []),
        ([1, 0, 0], "pending", [{**DOWN, "state": "pending"}]),
        ([0, 0, 0], "firing", [{**DOWN, "state": "firing", "activeAt": "2025-10-09T08:52:50Z"}]),
        (
            [0, 0, 0, 1],
            "firing",
            [DOWN | {"state": "firing", "activeAt": "2025-10-09T08:52:35Z", "keepFiringSince": f"{AT}20Z"}],
        ),
    ],
    ids=["unknown", "inactive", "pending", "firing", "kept"],
)
def test_alerting_rules(values: list[float], state: str, alerts: list[Any]) -> None:
    made = world(*values)
    (group,) = ask(made, "/rules", {"rule_name[]": "Down"})["groups"]
    assert group["rules"] == [
        {
            "name": "Down",
            "query": "up == 0",
            "labels": {"severity": "page", "team": "a"},
            "health": "ok" if values else "unknown",
            "evaluationTime": 0,
            "lastEvaluation": f"{AT}20Z" if values else "0001-01-01T00:00:00Z",
            "type": "alerting",
            "state": state,
            "duration": 30.0,
            "keepFiringFor": 60.0,
            "annotations": {"summary": "{{ $labels.instance }} has {{ $value }}"},
            "alerts": alerts,
        }
    ]
    found = [alert for alert in ask(made, "/alerts")["alerts"] if alert["labels"]["alertname"] == "Down"]
    assert found == alerts


def test_annotations_tell_of_now() -> None:
    made = world(1, 1)
    made.engine.reload(parse_rules(SECOND.replace("}]}]", ', annotations: {v: "{{ $value }}"}}]}]'), "b.yml"))
    for value in (3.0, 4.0):
        made.engine.store.add(made.up("1"), [NOW_MS + 15_000 * int(value)], [value])
        made.evaluate(NOW_MS + 15_000 * int(value))
    found = {a["labels"]["instance"]: a for a in ask(made, "/alerts")["alerts"]}
    assert (found["1"]["annotations"], found["1"]["value"]) == ({"v": "4"}, "4e+00")
    assert found["1"]["activeAt"] == f"{AT}05Z"


def test_a_rule_that_fails_says_why() -> None:
    (group,) = ask(world(1, 1), "/rules", {"rule_name[]": "Bad"})["groups"]
    (rule,) = group["rules"]
    assert rule["health"] == "err"
    assert "found duplicate series for the match group" in rule["lastError"]
    assert rule["state"] == "inactive"


FILTERS = [
    ([("type", "record")], ["first/job:up:sum"]),
    ([("type", "ALERT"), ("file[]", "a.yml")], ["first/Down", "first/Bad", "second/Never"]),
    ([("rule_group[]", "second"), ("rule_group[]", "third")], ["second/Never", "third/Up"]),
    ([("rule_name[]", "Up"), ("rule_name[]", "Down")], ["first/Down", "third/Up"]),
    ([("match[]", '{severity="page"}'), ("match[]", '{source=~"r.*"}')], ["first/job:up:sum", "first/Down"]),
    ([("match[]", '{team="a", severity="page"}')], ["first/Down"]),
    ([("file[]", "nothing")], []),
]


@pytest.mark.parametrize(("parameters", "found"), FILTERS, ids=lambda each: str(each)[:40])
def test_filters(parameters: list[tuple[str, str]], found: list[str]) -> None:
    assert rules(world(1), parameters) == found


def test_alerts_may_be_left_out() -> None:
    (group,) = ask(world(0, 0, 0), "/rules", {"rule_name[]": "Down", "exclude_alerts": "true"})["groups"]
    assert (group["rules"][0]["state"], group["rules"][0]["alerts"]) == ("firing", None)


def test_pages() -> None:
    made, token, pages = world(1), "", []
    while True:
        more = {"group_limit": "2"} | ({"group_next_token": token} if token else {})
        data = ask(made, "/rules", more)
        pages.append([group["name"] for group in data["groups"]])
        token = data.get("groupNextToken", "")
        if not token:
            break
    assert pages == [["first", "second"], ["third"]]
    assert "groupNextToken" not in ask(made, "/rules", {"group_limit": "3"})


ERRORS = [
    ({"type": "x"}, 'invalid parameter "type": not supported value "x"'),
    (
        {"exclude_alerts": "x"},
        'invalid parameter "exclude_alerts": error converting exclude_alerts: ',
    ),
    (
        {"group_limit": "x"},
        'invalid parameter "group_limit": group_limit needs to be a valid number: ',
    ),
    ({"group_limit": "0"}, 'invalid parameter "group_limit": group_limit needs to be greater than 0'),
    ({"group_limit": "4294967296"}, "value out of range"),
    ({"group_next_token": "x"}, "group_limit needs to be present in order to paginate over the groups"),
    (
        {"group_next_token": "x", "group_limit": "1"},
        "invalid parameter \"group_next_token\": invalid group_next_token 'x'. were rule groups changed?",
    ),
    ({"match[]": "{"}, "1:2: parse error:"),
]


def test_errors() -> None:
    async def served() -> None:
        async with world(1).served() as asked:
            for parameters, text in ERRORS:
                status, kind, said = await asked.error("/rules", parameters)
                assert (status, kind) == (400, "bad_data") and text in said, said

    asyncio.run(served())
