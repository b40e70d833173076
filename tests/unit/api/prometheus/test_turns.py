"""Who gets the engine's thread when, how long it is kept, and what becomes of those who wait too long."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec
import pytest

from sentinel.api.prometheus import QuerySettings, turns
from sentinel.api.prometheus.turns import Patience, Turns
from sentinel.engine import Engine
from sentinel.errors import QueryError
from sentinel.host import Host
from sentinel.model import Labels
from sentinel.promql import Evaluator, Matrix

from .asking import NOW_MS, EngineHost, World

T = TypeVar("T")


def made() -> tuple[EngineHost, Turns]:
    host = EngineHost(Engine([]))
    return host, Turns(cast(Host, host), lambda: host.replaying)


def failed(caught: pytest.ExceptionInfo[QueryError]) -> tuple[str, str]:
    return caught.value.kind, caught.value.message


def test_turns_go_round() -> None:
    """One piece at a time: two that need many take them in turn."""
    order: list[str] = []

    async def ask(turn: Turns, name: str) -> None:
        for _ in range(4):
            await turn.piece(lambda engine: order.append(name), Patience(10))

    async def both() -> None:
        _, turn = made()
        await asyncio.gather(ask(turn, "a"), ask(turn, "b"))

    asyncio.run(both())
    assert order == list("abababab")


def test_whoever_waits_too_long_is_told_and_holds_nobody_up() -> None:
    async def ask() -> None:
        _, turn = made()
        free = threading.Event()
        first = asyncio.create_task(turn.piece(lambda engine: free.wait(20), Patience(10)))
        await asyncio.sleep(0)
        with pytest.raises(QueryError) as caught:
            await turn.piece(lambda engine: 1, Patience(0.05))
        assert failed(caught) == ("timeout", "query timed out in query queue")
        free.set()
        assert await first
        assert await turn.piece(lambda engine: 2, Patience(10)) == 2

    asyncio.run(ask())


def test_the_turn_ends_with_the_work_not_with_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "GRACE_SECONDS", 0.0)
    running: list[int] = []

    async def ask() -> None:
        _, turn = made()
        free, most = threading.Event(), 0

        def work(engine: Engine) -> None:
            nonlocal most
            running.append(1)
            most = max(most, len(running))
            free.wait(20)
            running.pop()

        with pytest.raises(QueryError) as caught:
            await turn.piece(work, Patience(0.05))
        assert failed(caught) == ("timeout", "query timed out in expression evaluation")
        after = asyncio.create_task(turn.piece(work, Patience(10)))
        await asyncio.sleep(0.05)
        assert len(running) == 1
        free.set()
        await after
        assert most == 1

    asyncio.run(ask())


def test_work_that_comes_too_late_to_the_engine_is_not_begun() -> None:
    async def ask() -> None:
        host, turn = made()
        free, begun = threading.Event(), []
        busy = asyncio.create_task(host.call(lambda engine: free.wait(20)))
        late = asyncio.create_task(turn.piece(begun.append, Patience(0.05)))
        await asyncio.sleep(0.1)
        free.set()
        with pytest.raises(QueryError) as caught:
            await late
        assert failed(caught) == ("timeout", "query timed out in query queue")
        await busy
        assert not begun

    asyncio.run(ask())


def test_nothing_is_begun_for_a_client_that_has_hung_up() -> None:
    async def ask() -> None:
        _, turn = made()
        begun: list[Any] = []
        with pytest.raises(QueryError) as caught:
            await turn.piece(begun.append, Patience(10, lambda: True))
        assert failed(caught) == ("canceled", "query was canceled in query queue")
        patience = Patience(10)
        assert await turn.piece(lambda engine: 2, patience) == 2
        assert not begun
        patience.gone = lambda: True
        with pytest.raises(QueryError, match="canceled in expression evaluation"):
            await turn.piece(begun.append, patience)

    asyncio.run(ask())


def test_too_many_are_turned_away_and_so_is_everybody_before_the_state_is_restored() -> None:
    async def ask() -> None:
        world = World()
        async with world.served():
            world.host.replaying = True
            assert await world.error("/query", {"query": "1"}) == (
                503,
                "unavailable",
                "state is being restored",
            )
            world.host.replaying = False
            free = threading.Event()
            busy = asyncio.create_task(world.host.call(lambda engine: free.wait(60)))
            asked = [asyncio.create_task(world.get("/api/v1/query", {"query": "1"})) for _ in range(105)]
            done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            while len(done) < 105 - turns.MOST_AT_ONCE:
                done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=0.1)
            free.set()
            refused = {task.result().status for task in done}
            assert (len(done), refused) == (105 - turns.MOST_AT_ONCE, {503})
            assert {task.result().headers["retry-after"] for task in done} == {"1"}
            assert {(await task).status for task in waiting} == {200}
            await busy

    asyncio.run(ask())


class SlowSteps:
    """Makes each step of a range take as long as it says, by its own clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.sizes: list[int] = []
        original = Evaluator.range

        def slow(evaluator: Evaluator, query: Any, start: int, end: int, step: int, budget: Any) -> Matrix:
            steps = (end - start) // step + 1
            self.sizes.append(steps)
            time.sleep(steps * seconds)
            return original(evaluator, query, start, end, step, budget)

        monkeypatch.setattr(Evaluator, "range", slow)


def asked_range(world: World, **parameters: str) -> Callable[[], Any]:
    times = {"start": str(NOW_MS // 1000 - 600), "end": str(NOW_MS // 1000), "step": "15"}

    async def ask() -> Any:
        async with world.served():
            return msgspec.json.decode((await world.get("/api/v1/query_range", times | parameters)).body)

    return lambda: asyncio.run(ask())


def test_pieces_take_about_as_long_as_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowSteps(monkeypatch, 0.005)
    assert asked_range(World(), query="vector(1)")()["status"] == "success"
    assert slow.sizes[0] == 1 and sum(slow.sizes) == 41
    assert max(slow.sizes) <= 4 and len(slow.sizes) <= 30


def test_quick_steps_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowSteps(monkeypatch, 0.0)
    assert asked_range(World(), query="vector(1)")()["status"] == "success"
    assert slow.sizes == [1, 8, 32]


def test_a_range_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowSteps(monkeypatch, 0.05)
    world = World(queries=QuerySettings(timeout_seconds=0.2))
    world.engine.store.add(Labels({"__name__": "up"}), [NOW_MS], [1.0])
    began = time.monotonic()
    answer = asked_range(world, query="up")()
    assert (answer["errorType"], answer["error"]) == ("timeout", "query timed out in expression evaluation")
    assert time.monotonic() - began < 1.5
    assert 2 <= len(slow.sizes) < 10
