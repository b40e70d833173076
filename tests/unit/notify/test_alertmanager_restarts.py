"""What a forwarder makes of restarts, backlogs and a log that was cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.notify.alertmanager import ForwardConfig
from sentinel.notify.client import Response
from tests.simulation.world import START_MS, event, in_virtual_time

from .test_alertmanager import Daemon


def test_a_restart_tells_what_fires_though_the_log_is_cut(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        daemon.fire("A")
        await daemon.until(10)
        assert daemon.forwarder.position == daemon.log.end == 1
        await daemon.kill()
        daemon.log.start = 1
        daemon.replay_seconds = 5
        await daemon.until(300)
        assert not daemon.fake.active()
        daemon.start()
        await daemon.until(306)
        assert daemon.right()
        assert [at for at, _ in daemon.fake.requests] == [0, 305]

    in_virtual_time(main())


def test_a_resolve_that_nobody_took_survives_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        daemon.fire("A")
        await daemon.until(10)
        daemon.fake.answer = lambda _: Response(500, {})
        daemon.resolve("A")
        for number in range(5):
            daemon.fire(f"B{number}")
        await daemon.until(40)
        assert daemon.forwarder.position == 1, "the resolve is the second event"
        await daemon.kill()
        daemon.fake.restart()
        daemon.fake.answer = lambda _: Response(200, {})
        daemon.start()
        await daemon.until(41)
        assert ("A", "resolved") in [(name, state) for at, name, state in daemon.fake.told() if at >= 40]
        assert daemon.right()
        await daemon.until(900)
        assert daemon.forwarder.position == 1, "and as long as it is repeated"
        await daemon.until(1100)
        assert daemon.forwarder.position == daemon.log.end

    in_virtual_time(main())


def test_what_ended_while_we_were_away_is_told(tmp_path: Path) -> None:
    """The engine replays, and writes events, before it says what fires."""

    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        for name in ("ends", "stays", "again"):
            daemon.fire(name)
        await daemon.until(10)
        await daemon.kill()
        daemon.replay_seconds = 2
        daemon.start()
        for name in ("ends", "again"):
            daemon.resolve(name)
        await daemon.until(11)
        daemon.fire("again")
        await daemon.until(11.9)
        assert len(daemon.fake.requests) == 1, "nothing before the engine is itself again"
        await daemon.until(12.1)
        assert daemon.right()
        assert sorted(told[1:] for told in daemon.fake.told() if told[0] >= 12) == [
            ("again", "firing"),
            ("ends", "resolved"),
            ("stays", "firing"),
        ]

    in_virtual_time(main())


def test_nobody_is_told_of_what_ended_before_there_was_a_forwarder(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        await daemon.kill()
        for name in ("old", "holds"):
            daemon.fire(name)
        daemon.resolve("old")
        daemon.start()
        await daemon.until(1)
        assert daemon.fake.told() == [(0, "holds", "firing")]
        assert daemon.forwarder.position == daemon.log.end

    in_virtual_time(main())


def test_a_log_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        for name in "ABC":
            daemon.fire(name)
        await daemon.until(1)
        await daemon.kill()
        daemon.log.events.clear()
        daemon.resolve("A")
        daemon.start()
        await daemon.until(2)
        assert daemon.right()

    in_virtual_time(main())


def test_a_backlog_is_not_told_but_what_holds_at_its_end_is(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        for name in ("told", "ends"):
            daemon.fire(name)
        await daemon.until(10)
        daemon.backlog = True
        for name in ("passing", "holds", "told twice"):
            daemon.fire(name)
            await daemon.until(20)
        daemon.resolve("passing")
        daemon.resolve("ends")
        await daemon.until(600)
        assert {name for at, name, _ in daemon.fake.told() if at > 10} == {"told", "ends"}
        assert {state for _, _, state in daemon.fake.told()} == {"firing"}, "as it was told before"
        assert daemon.forwarder.position == 6, "the resolve of what was told is still needed"
        daemon.resolve("told twice")
        daemon.fire("told twice")
        daemon.backlog = False
        await daemon.until(602)
        assert daemon.right()
        assert "passing" not in {name for _, name, _ in daemon.fake.told()}
        await daemon.until(1700)
        assert daemon.forwarder.position == daemon.log.end

    in_virtual_time(main())


def test_a_restart_into_a_backlog_waits_for_its_end(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        for name in ("ends", "holds"):
            daemon.fire(name)
        await daemon.until(10)
        await daemon.kill()
        await daemon.until(1000)
        daemon.backlog = True
        daemon.start()
        await daemon.until(1030)
        daemon.resolve("ends")
        await daemon.until(1060)
        assert len(daemon.fake.requests) == 1
        daemon.backlog = False
        await daemon.until(1062)
        assert daemon.right()
        assert ("ends", "resolved") in [told[1:] for told in daemon.fake.told()]

    in_virtual_time(main())


def test_a_disk_that_takes_no_position_stops_no_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sentinel.notify.forward.write_synced", full)

    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        daemon.fire("A")
        await daemon.until(100)
        daemon.resolve("A")
        await daemon.until(101)
        assert daemon.right()
        assert daemon.forwarder.position == 0, "the log must not be cut"

    in_virtual_time(main())


def test_each_alertmanager_has_a_position_of_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        for second, path in enumerate(("", "/", "/team")):
            daemon = Daemon(tmp_path)
            daemon.config = ForwardConfig(url=f"http://am:9093{path}")
            daemon.start()
            await daemon.until(second + 1)
            await daemon.kill()

    in_virtual_time(main())
    assert len(list(tmp_path.glob("alertmanager-*.position"))) == 2


def test_what_goes_past_the_log_does_not_wait_for_the_engine(tmp_path: Path) -> None:
    """The disk is full at the start: the engine is not itself again for an hour, and somebody must know."""

    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.replay_seconds = 3600
        daemon.start()
        await daemon.until(10)
        daemon.forwarder.put(event("firing", START_MS, START_MS, alertname="Unwritable"))
        await daemon.until(12)
        assert daemon.fake.told() == [(10, "Unwritable", "firing")]
        await daemon.kill()

    in_virtual_time(main())


def test_last_words_are_told_though_nobody_runs(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path)
        daemon.start()
        await daemon.until(10)
        forwarder = daemon.forwarder
        await daemon.kill()
        forwarder.put(event("firing", START_MS, START_MS, alertname="Stopped"))
        await forwarder.last_words()
        assert [(name, state) for _, name, state in daemon.fake.told()] == [("Stopped", "firing")]

    in_virtual_time(main())
