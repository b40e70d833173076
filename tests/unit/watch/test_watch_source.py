"""The source in virtual time: when it polls, what each feed is given, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from sentinel.clock import ManualClock
from sentinel.errors import SourceError
from sentinel.host.feed import Upstream
from sentinel.model import Duration, Labels, Payloads
from sentinel.telemetry import REGISTRY
from sentinel.watch.check import installed
from sentinel.watch.config import ClusterConfig
from sentinel.watch.exposition import exposition
from sentinel.watch.names import told
from sentinel.watch.snapshot import ClusterSnapshot, Part
from sentinel.watch.source import WatchSource, feed_names
from tests.simulation.world import START_MS, LoopClock, in_virtual_time
from tests.unit.watch.clusters import HEALTHY, INCOMPLETE, PARTS, SILENT

Answer = tuple[float, ClusterSnapshot | Exception]
"""How many seconds a poll takes, and what it comes to."""

STATE = {"lag", "leaders", "partitions", "under_min_isr", "under_replicated"}


class FakePoller:
    """Answers by a list, and then hangs."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.needs: set[frozenset[Part]] = set()
        self.starts: list[float] = []
        self.closed = False

    async def poll(self, needs: frozenset[Part]) -> ClusterSnapshot:
        self.needs.add(needs)
        self.starts.append((LoopClock().now_ms() - START_MS) / 1000)
        seconds, answer = self._answers.pop(0) if self._answers else (1e9, HEALTHY)
        await asyncio.sleep(seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class FakeSink:
    """Keeps what it is given; each put takes a while."""

    def __init__(self) -> None:
        self.got: list[Payloads] = []
        self.seconds = 0.0

    async def put(self, payloads: Payloads) -> None:
        await asyncio.sleep(self.seconds)
        self.got.append(payloads)

    async def put_synced(self, payloads: Payloads) -> None:
        raise AssertionError("samples of a poll need no acknowledgement")

    def positions(self, source: str) -> Mapping[str, int]:
        return {}

    def at(self, seconds: float) -> dict[str, list[str]]:
        """Of the poll at this time, by feed, the partitions in their order."""
        found: dict[str, list[str]] = {}
        for payloads in self.got:
            if payloads.arrival_ms == START_MS + seconds * 1000:
                found.setdefault(payloads.source, []).append(payloads.partition)
        return found


class World:
    """One source with its surroundings. `run(seconds, look)` starts it, waits, looks and stops it."""

    def __init__(self, *answers: Answer, **settings: Any) -> None:
        self.poller, self.sink = FakePoller(answers), FakeSink()
        settings = {"name": "eu", "bootstrap_servers": "k:9092", "interval": Duration(10_000), **settings}
        self.config = ClusterConfig(**settings)
        self.source = WatchSource(self.config, self.poller, self.sink, installed()[::-1], clock=LoopClock())

    async def run(self, seconds: float, look: Callable[[], Awaitable[None]] | None = None) -> None:
        task = asyncio.create_task(self.source.run())
        await asyncio.sleep(seconds)
        if look is not None:
            await look()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def connected(self) -> tuple[bool, bool]:
        """(liveness, state)"""
        now_ms = LoopClock().now_ms()
        return self.source.liveness.connected(now_ms), self.source.state.connected(now_ms)


def total(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"cluster": "eu", **labels}) or 0.0


def test_a_poll_gives_both_feeds_what_all_checks_say() -> None:
    world = World((0.2, HEALTHY), names=["kminion"])
    in_virtual_time(world.run(12))
    assert world.poller.starts[:1] == [10] and world.poller.needs == {PARTS}
    found = world.sink.at(10)
    assert list(found) == ["watch/eu", "watch/eu/state"], "the liveness first"
    assert found["watch/eu"] == ["brokers"] and set(found["watch/eu/state"]) == STATE
    said = {check.name: told(check.check(HEALTHY), HEALTHY, ["kminion"]) for check in installed()}
    for payloads in world.sink.got:
        assert payloads.record(0) == exposition(said[payloads.partition])
        assert payloads.format == "openmetrics" and payloads.target == Labels({"cluster": "eu"})


def test_polls_start_at_multiples_of_the_interval_and_slots_run_over_are_skipped() -> None:
    before = total("sentinel_watch_skipped_total")
    world = World((0.5, HEALTHY), (25, HEALTHY), (10, HEALTHY), (0, HEALTHY), (0, HEALTHY))
    in_virtual_time(world.run(82))
    assert world.poller.starts == [10, 20, 50, 70, 80]
    assert total("sentinel_watch_skipped_total") - before == 2 + 1


def test_a_sink_that_is_full_delays_the_next_poll_only() -> None:
    world = World((0, HEALTHY), (0, HEALTHY), (0, HEALTHY))
    world.sink.seconds = 2
    in_virtual_time(world.run(35))
    assert world.poller.starts == [10, 30], "six payloads took two seconds each"


def test_a_timer_that_fires_early_makes_no_second_poll_of_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, starts = ManualClock(1_000_000), []
    late = iter([-1, 0, 2, 40])
    world = World()
    source = WatchSource(world.config, world.poller, world.sink, installed(), clock=clock)

    async def sleep(seconds: float) -> None:
        clock.time_ms += round(seconds * 1000) + next(late)

    async def once(start_ms: int) -> None:
        starts.append(start_ms)

    monkeypatch.setattr("sentinel.watch.source.asyncio.sleep", sleep)
    monkeypatch.setattr(source, "_poll_once", once)
    with pytest.raises(RuntimeError):  # the table of delays is at its end
        asyncio.run(source.run())
    assert starts == [1_010_000, 1_020_000, 1_030_000, 1_040_040]


def test_a_clock_that_is_set_back_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = ManualClock(5_000_000), []
    world = World((0, HEALTHY))
    source = WatchSource(world.config, world.poller, world.sink, installed(), clock=clock)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            raise RuntimeError
        clock.time_ms -= 3_600_000 if len(slept) == 2 else -round(seconds * 1000)

    async def once(start_ms: int) -> None: ...

    monkeypatch.setattr("sentinel.watch.source.asyncio.sleep", sleep)
    monkeypatch.setattr(source, "_poll_once", once)
    with pytest.raises(RuntimeError):
        asyncio.run(source.run())
    assert max(slept) <= 10


def test_of_a_silent_cluster_only_its_silence_is_told() -> None:
    world = World((0, HEALTHY), (3, SILENT), (0, HEALTHY))
    seen: dict[int, tuple[bool, bool]] = {}

    async def watch() -> None:
        for second in range(9, 36):
            seen[second] = world.connected()
            await asyncio.sleep(1)

    in_virtual_time(world.run(9.5, watch))
    assert world.sink.at(20) == {"watch/eu": [""]}, "what is missing is not gone"
    (silence,) = [payloads for payloads in world.sink.got if payloads.arrival_ms == START_MS + 20_000]
    assert b"\nkafka_cluster_up 0\n" in silence.record(0)
    assert set(world.sink.at(30)["watch/eu/state"]) == STATE
    assert all(liveness for liveness, _ in seen.values())
    assert [second for second, (_, state) in seen.items() if not state] == [9, *range(23, 30)]


def test_the_state_of_a_poll_that_hangs_is_stale_after_three_intervals_and_a_timeout() -> None:
    world = World((0, HEALTHY), timeout=Duration(4_000))
    seen: list[tuple[bool, bool]] = []

    async def look() -> None:
        for _ in range(3):
            seen.append(world.connected())
            await asyncio.sleep(1)

    in_virtual_time(world.run(43, look))
    assert seen == [(True, True), (True, True), (True, False)]


def test_before_it_runs_nothing_is_connected() -> None:
    world = World()
    upstreams: list[Upstream] = [world.source.liveness, world.source.state]
    assert [feed.assigned for feed in upstreams] == [False, False]
    assert [feed.connected(0) for feed in upstreams] == [False, False]
    in_virtual_time(world.run(1))
    assert [feed.assigned for feed in upstreams] == [True, True]
    assert [feed.connected(START_MS) for feed in upstreams] == [True, False]
    assert [feed.partitions() for feed in upstreams] == [{}, {}]
    assert feed_names("eu") == (world.source.liveness.name, world.source.state.name)


def test_a_check_that_lacks_a_part_does_not_say_that_this_is_all() -> None:
    world = World((0, INCOMPLETE), (0, HEALTHY))
    in_virtual_time(world.run(22))
    assert world.sink.at(10)["watch/eu"] == ["brokers"]
    assert sorted(world.sink.at(10)["watch/eu/state"]) == [
        "",
        "",
        "leaders",
        "partitions",
        "under_replicated",
    ]
    assert set(world.sink.at(20)["watch/eu/state"]) == STATE


@pytest.mark.parametrize("error", [SourceError("no route"), OSError("reset"), TimeoutError(), KeyError("x")])
def test_what_goes_wrong_outside_is_a_silent_cluster(error: Exception) -> None:
    world = World((0, error), (0, HEALTHY))
    in_virtual_time(world.run(22))
    assert world.sink.at(10) == {"watch/eu": [""]}
    assert set(world.sink.at(20)["watch/eu/state"]) == STATE


def test_our_own_bug_ends_the_source_and_closes_the_poller() -> None:
    world = World((0, AssertionError("ours")))

    async def main() -> None:
        with pytest.raises(AssertionError, match="ours"):
            await world.source.run()

    in_virtual_time(main())
    assert world.poller.closed


def test_a_source_that_is_stopped_closes_its_poller() -> None:
    world = World()
    in_virtual_time(world.run(15))
    assert world.poller.starts == [10] and world.poller.closed


def test_polls_are_counted_by_what_came_of_them() -> None:
    outcomes = ("answered", "incomplete", "unanswered")

    def counts() -> list[float]:
        polls = [total("sentinel_watch_polls_total", outcome=outcome) for outcome in outcomes]
        return [*polls, total("sentinel_watch_poll_seconds_count")]

    before = counts()
    answers = [HEALTHY, INCOMPLETE, SILENT, OSError("no"), HEALTHY, HEALTHY]
    in_virtual_time(World(*((0, answer) for answer in answers)).run(62))
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [3, 1, 2, 6]


def test_changes_are_logged_and_nothing_else() -> None:
    answers = [HEALTHY, HEALTHY, SILENT, OSError("no"), SILENT, INCOMPLETE, INCOMPLETE, SILENT, INCOMPLETE]
    world = World(*((0, answer) for answer in [*answers, HEALTHY, HEALTHY]))
    with capture_logs() as logs:
        in_virtual_time(world.run(112))
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("cluster unreachable", "warning"),
        ("cluster answers again", "info"),
        ("polls are incomplete", "warning"),
        ("cluster unreachable", "warning"),
        ("cluster answers again", "info"),
        ("polls are complete again", "info"),
    ]
    assert logs[2]["parts"] == ["commits", "groups", "min_isr"]
    assert {entry["cluster"] for entry in logs} == {"eu"}
