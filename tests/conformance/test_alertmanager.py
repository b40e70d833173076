"""Alertmanager's acceptance cases for grouping, repeating, retrying and resolving, in virtual time."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentinel.model import AlertEvent, Delivery, Labels, Notification
from tests.simulation.world import START_MS, World, configuration, event, in_virtual_time

NEEDS = {
    "MergeAlerts": "the API that takes alerts in and merges them",
    "MergeAlertsWithEndsAt": "the API that takes alerts in and merges them",
    "ColdStart": "--dispatch.start-delay",
    "Inhibiting": "inhibition",
    "AlwaysInhibiting": "inhibition",
    "EmptyInhibitionRule": "inhibition",
    "Silencing": "silences",
    "SilenceDelete": "silences",
    "ClusterDeduplication": "a cluster of peers",
    "ClusterVSInstance": "a cluster of peers",
}
EXACT_REPEAT: dict[str, dict[tuple[float, float], tuple[float, float]]] = {
    "Batching": {(9.1, 9.5): (9.0, 9.05)},
    "Retry": {(6, 6.5): (5.0, 5.05)},
}
"""Alertmanager tells again at the tick after `repeat_interval`; here it is told when the interval is over."""
BUILT = ["Repeat", "Retry", "Batching", "Resolved", "ResolvedFilter", "Reload", "WebhookTimeout"]
BUILT += ["SendAlertsToUTF8Route"]


class Intake:
    """Stands in for the API: makes events of pushed alerts, the end by `resolve_timeout` among them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._timeout = world.config.global_.resolve_timeout.seconds
        self._ends: dict[Labels, asyncio.TimerHandle] = {}

    def push(self, alert: dict[str, Any]) -> None:
        loop, labels = asyncio.get_running_loop(), Labels(alert["labels"])
        starts, ends = alert.get("startsAt", loop.time()), alert.get("endsAt", loop.time() + self._timeout)
        if labels in self._ends:
            self._ends.pop(labels).cancel()
        if ends > loop.time():
            self._emit("firing", loop.time(), starts, alert)
            self._ends[labels] = loop.call_at(ends, self._emit, "resolved", ends, starts, alert)
        else:
            self._emit("resolved", ends, starts, alert)

    def _emit(self, state: Any, at: float, starts: float, alert: dict[str, Any]) -> None:
        at_ms, since_ms = START_MS + round(at * 1000), START_MS + round(starts * 1000)
        self._world.log.append([event(state, at_ms, since_ms, alert.get("annotations"), **alert["labels"])])
        self._world.pipeline.wake()


class Collectors:
    """The receivers of a case, named in its URLs."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._urls = {
            (receiver["name"], index): webhook["url"].removeprefix("http://<collector:").removesuffix(">")
            for receiver in case["config"]["receivers"]
            for index, webhook in enumerate(receiver.get("webhook_configs", ()))
        }
        self._behaviour = case.get("receiver_behaviour", {})
        self.got: dict[str, list[tuple[float, Notification]]] = {name: [] for name in case["expect"]}

    def latency(self, receiver: str, index: int) -> float:
        slow = "sleep" in self._behaviour.get(self._urls[receiver, index], "")
        return 0.5 if slow and asyncio.get_running_loop().time() < 3 else 0.0

    def answer(self, receiver: str, index: int, notification: Notification) -> Delivery:
        name, now = self._urls[receiver, index], asyncio.get_running_loop().time()
        behaviour = self._behaviour.get(name, "")
        if behaviour and now < float(behaviour.rpartition("t<")[2]):
            return Delivery(True) if behaviour.startswith("drop") else Delivery(False, True, "timeout")
        self.got[name].append((now, notification))
        return Delivery(True)


async def replay(case: dict[str, Any], folder: Path) -> Collectors:
    named = re.sub(r"<collector:(\w+)>", r"\1", json.dumps(case["config"]))  # what stands there is no host
    world, collectors = World(folder, configuration(json.loads(named))), Collectors(case)
    world.answer, world.latency = collectors.answer, collectors.latency
    intake = Intake(world)
    world.start()
    for action in sorted(case["actions"], key=lambda action: action["at"]):
        await world.until(action["at"])
        if action["op"] == "reload":
            await world.pipeline.reload(world.config)
        for alert in action.get("alerts", ()):
            intake.push(alert)
    await world.until(max(window["between"][1] for windows in case["expect"].values() for window in windows))
    await world.kill()
    return collectors


def same(alert: AlertEvent, expected: dict[str, Any], tolerance: float) -> bool:
    def near(at_ms: int, seconds: float | None) -> bool:
        return not at_ms if seconds is None else abs((at_ms - START_MS) / 1000 - seconds) <= tolerance

    return (
        alert.labels == Labels(expected["labels"])
        and alert.annotations == expected.get("annotations", {})
        and near(alert.starts_at_ms, expected["startsAt"])
        and near(alert.ends_at_ms, expected.get("endsAt"))
    )


def equal(alerts: tuple[AlertEvent, ...], expected: list[dict[str, Any]], tolerance: float) -> bool:
    return len(alerts) == len(expected) and all(
        any(same(alert, one, tolerance) for alert in alerts) for one in expected
    )


def verdict(case: dict[str, Any], collectors: Collectors) -> None:
    exact = EXACT_REPEAT.get(case["name"], {})
    for name, windows in case["expect"].items():
        got = collectors.got[name]
        for window in windows:
            low, high = exact.get(tuple(window["between"]), window["between"])
            inside = [one.alerts for at, one in got if low <= at <= high]
            if window["alerts"]:
                assert any(equal(alerts, window["alerts"], case["tolerance"]) for alerts in inside), (
                    window,
                    got,
                )
            else:
                assert not inside
        assert sum(len(one.alerts) for _, one in got) == sum(len(window["alerts"]) for window in windows), got
        assert all(one.alerts for _, one in got)


@pytest.fixture(scope="session")
def cases(conformance: Callable[[str], Path]) -> dict[str, dict[str, Any]]:
    text = conformance("conformance/alertmanager/am_cases.json").read_text()
    return {case["name"]: case for case in json.loads(text)["cases"] if case["kind"] == "notify"}


@pytest.mark.parametrize("name", BUILT)
def test_case(name: str, cases: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    async def main() -> None:
        verdict(cases[name], await replay(cases[name], tmp_path))

    in_virtual_time(main())


@pytest.mark.parametrize("name", NEEDS)
def test_case_not_built(name: str, cases: dict[str, dict[str, Any]]) -> None:
    assert name in cases
    pytest.skip(f"needs {NEEDS[name]}")


def test_every_case_is_accounted_for(cases: dict[str, dict[str, Any]]) -> None:
    assert set(cases) == set(NEEDS) | set(BUILT)
