"""The pipeline as a whole, in virtual time; crashes and long runs are in tests/simulation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sentinel.alert.log import AlertLog
from sentinel.alert.pipeline import AlertPipeline
from sentinel.alert.tell import PARALLEL
from sentinel.clock import SystemClock
from sentinel.errors import StateError
from sentinel.model import Delivery, Notification
from tests.simulation.world import World, configuration, event, in_virtual_time, simple

Story = Callable[[World], Coroutine[Any, Any, None]]


def told(folder: Path, story: Story, *, config: Any = None, **options: Any) -> World:
    """The world after `story`; a pipeline runs from its start on."""
    kept: list[World] = []

    async def main() -> None:
        world = World(folder, config or simple(), **options)
        kept.append(world)
        world.start()
        await story(world)
        await world.kill()

    in_virtual_time(main())
    return kept[0]


def test_a_group_waits_then_gathers_then_repeats_exactly(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.fire(alertname="A")
        await world.until(5)
        world.fire(alertname="B")
        await world.until(30)
        world.fire(alertname="C")
        await world.until(4000)
        world.resolve(alertname="A")
        await world.until(4200)

    world = told(tmp_path, story)
    everyone = ["A firing", "B firing", "C firing"]
    assert world.heard() == [
        (10.0, "first notification", everyone[:2]),
        (70.0, "new alerts added", everyone),
        (3670.0, "repeat interval elapsed", everyone),
        (4030.0, "some alerts resolved", ["A resolved", *everyone[1:]]),
    ]


def test_an_outage_of_the_receiver_keeps_one_id_and_backs_off(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.answer = lambda *_: Delivery(world.seconds() > 1800, True, "network")
        world.fire(alertname="A")
        await world.until(2400)

    world = told(tmp_path, story)
    assert len({one.id for *_, one in world.attempts}) == 1
    assert len(world.told) == 1
    pauses = [b[0] - a[0] for a, b in zip(world.attempts, world.attempts[1:], strict=False)]
    assert pauses[0] <= 0.75
    assert max(pauses) <= 90
    assert len(pauses) < 60


def test_retry_after_is_honoured_even_when_overtaken(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.answer = lambda *_: Delivery(world.seconds() > 100, True, "rate_limited", "", 300.0)
        world.fire(alertname="A")
        await world.until(40)
        world.fire(alertname="B")
        await world.until(600)

    world = told(tmp_path, story)
    assert [at for at, *_ in world.attempts] == [10.0, 310.0]
    assert world.heard()[0][2] == ["A firing", "B firing"]


def test_a_final_refusal_is_tried_again_at_the_next_tick(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.answer = lambda *_: Delivery(world.seconds() > 100, False, "client")
        world.fire(alertname="A")
        await world.until(200)

    world = told(tmp_path, story)
    assert [at for at, *_ in world.attempts] == [10.0, 70.0, 130.0]
    assert len({one.id for *_, one in world.attempts}) == 1


@pytest.mark.parametrize(("reason", "heard"), [("rate_limited", []), ("timeout", ["A resolved"])])
def test_a_resolve_is_told_if_the_firing_may_have_arrived(
    tmp_path: Path, reason: Any, heard: list[str]
) -> None:
    async def story(world: World) -> None:
        world.answer = lambda *_: Delivery(world.seconds() > 100, True, reason)
        world.fire(alertname="A")
        await world.until(40)
        world.resolve(alertname="A")
        await world.until(300)

    world = told(tmp_path, story)
    assert [alert for _, _, alerts in world.heard() for alert in alerts] == heard


def test_a_receiver_that_throws_loses_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        def answer(*_: Any) -> Delivery:
            if world.seconds() < 100:
                raise KeyError("a bug")
            return Delivery(True)

        world.answer = answer
        world.fire(alertname="A")
        await world.until(200)

    assert len(told(tmp_path, story).told) == 1


def test_a_slow_integration_holds_up_no_other_and_has_its_own_places(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        busy = [0, 0]

        async def deliver(_receiver: str, index: int, notification: Notification) -> Delivery:
            busy[0] += index
            busy[1] = max(busy)
            await asyncio.sleep(50 * index)
            busy[0] -= index
            world.told.append((world.seconds(), "hook", index, notification))
            return Delivery(True)

        world.pipeline._dispatcher._teller._deliver = deliver
        for number in range(40):
            world.fire(alertname="A", n=str(number))
        await world.until(58)
        assert [index for _, _, index, _ in world.told] == [0] * 40
        assert busy == [PARALLEL, PARALLEL]
        await world.until(170)
        assert len(world.told) == 80

    told(tmp_path, story, config=simple(integrations=2, group_by=["..."], repeat_interval="2h"))


def test_what_is_caught_up_is_told_only_if_it_still_holds(tmp_path: Path) -> None:
    behind = {"rules.yml;group;A", "rules.yml;group;B"}

    async def story(world: World) -> None:
        world.fire(alertname="C")
        world.fire(alertname="A")
        world.fire(alertname="B")
        await world.until(200)
        world.resolve(alertname="A")
        await world.until(204.5)
        behind.clear()
        await world.until(220)

    world = told(tmp_path, story, catching_up=lambda rule: rule in behind)
    assert [(at, alerts) for at, _, alerts in world.heard()] == [
        (10.0, ["C firing"]),
        (205.0, ["A resolved", "B firing", "C firing"]),
    ]


def two_receivers(to: str) -> Any:
    hook = [{"url": "http://hook/"}]
    timers = {"group_wait": "10s", "group_interval": "1m", "repeat_interval": "1h"}
    names = [{"name": name, "webhook_configs": hook} for name in ("hook", "other")]
    return configuration({"route": {"receiver": to, **timers}, "receivers": names})


@pytest.mark.parametrize("killed", [False, True])
def test_who_was_told_firing_is_told_resolved_though_routes_changed(tmp_path: Path, killed: bool) -> None:
    async def story(world: World) -> None:
        world.fire(alertname="A")
        await world.until(20)
        if killed:
            await world.kill()
            world.config = two_receivers("other")
            world.start()
        else:
            await world.pipeline.reload(two_receivers("other"))
        await world.until(5000)
        world.resolve(alertname="A")
        await world.until(5200)

    world = told(tmp_path, story, config=two_receivers("hook"))
    heard = {name: [one.status for _, at, _, one in world.told if at == name] for name in ("hook", "other")}
    assert heard == {"hook": ["firing", "resolved"], "other": ["firing", "firing", "resolved"]}


def test_timers_and_what_was_told_survive_a_kill(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.fire(alertname="A")
        await world.until(4)
        await world.kill()
        await world.until(6)
        world.start()
        await world.until(30)
        await world.kill()
        world.start()
        await world.until(200)
        assert world.pipeline.position == world.log.end

    assert told(tmp_path, story).heard() == [(10.0, "first notification", ["A firing"])]


def test_nothing_is_kept_of_groups_that_ended(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for number in range(20):
            world.fire(alertname="A", n=str(number))
        await world.until(30)
        for number in range(20):
            world.resolve(alertname="A", n=str(number))
        await world.until(8 * 86_400)
        saved = world.pipeline._db.load()
        assert (saved.alerts, saved.groups, saved.entries) == ([], [], {})

    told(tmp_path, story, config=simple(group_by=["n"]))


def test_a_replaced_log_is_read_from_its_start(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for number in range(9):
            world.fire(alertname="A", n=str(number))
        await world.until(30)
        await world.kill()
        world.log = AlertLog(tmp_path / "empty")
        world.start()
        world.fire(alertname="New")
        await world.until(100)

    assert "New firing" in told(tmp_path, story).heard()[-1][2]


def test_state_of_another_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alerts.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 40)
    with pytest.raises(StateError, match=r"alerts\.sqlite"):
        AlertPipeline(simple(), AlertLog(tmp_path), tmp_path, lambda *_: None, SystemClock(), external_url="")  # type: ignore[arg-type,return-value]


def test_with_no_group_wait_a_page_takes_milliseconds(tmp_path: Path) -> None:
    """On the wall clock and a real disk; generous, for it runs on busy machines."""
    taken: list[float] = []

    async def main() -> None:
        log, told = AlertLog(tmp_path / "log"), asyncio.Event()

        async def deliver(*_: Any) -> Delivery:
            told.set()
            return Delivery(True)

        config = simple(group_wait="0s", group_by=["..."])
        executor = ThreadPoolExecutor(1)
        pipeline = AlertPipeline(
            config, log, tmp_path, deliver, SystemClock(), external_url="", executor=executor
        )
        task = asyncio.create_task(pipeline.run())
        for number in range(20):
            await asyncio.sleep(0.01)
            now = SystemClock().now_ms()
            log.append([event("firing", now, now, n=str(number))])
            began = time.perf_counter()
            pipeline.wake()
            await told.wait()
            taken.append(time.perf_counter() - began)
            told.clear()
        task.cancel()

    asyncio.run(main())
    assert sorted(taken)[len(taken) // 2] < 0.1
