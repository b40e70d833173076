"""A world for the alert pipeline: virtual time, receivers that fail, a process that can be killed."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import async_solipsism
import msgspec

from sentinel.alert.config import AlertmanagerConfig, check, dec_hook
from sentinel.alert.log import AlertLog
from sentinel.alert.pipeline import AlertPipeline
from sentinel.model import AlertEvent, AlertState, Delivery, Labels, Notification

START_MS = 1_800_000_000_000


class LoopClock:
    """The running loop's time, from START_MS on."""

    def now_ms(self) -> int:
        return START_MS + int(asyncio.get_running_loop().time() * 1000 + 1e-6)


def in_virtual_time(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        runner.run(main)


class KilledError(BaseException):
    """The process is gone: nothing it does from here on has an effect."""


class MortalExecutor(Executor):
    """Runs calls inline until the process is killed; `fate` says before or after which call that is."""

    def __init__(self, fate: Callable[[], str] = lambda: "") -> None:
        self._fate = fate
        self.dead = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.dead:
            raise KilledError
        future: Future[Any] = Future()
        fate = self._fate()
        self.dead = bool(fate)
        if fate != "before":
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:
                future.set_exception(error)
        if self.dead:
            raise KilledError
        return future


def configuration(raw: dict[str, Any]) -> AlertmanagerConfig:
    config = msgspec.convert(raw, AlertmanagerConfig, dec_hook=dec_hook)
    assert check(config) == []
    return config


def simple(integrations: int = 1, send_resolved: bool = True, **route: Any) -> AlertmanagerConfig:
    """One receiver `hook`, one route with 10 s, 1 m and 1 h unless told otherwise."""
    timers = {"group_wait": "10s", "group_interval": "1m", "repeat_interval": "1h"}
    hook = {"url": "http://hook/", "send_resolved": send_resolved}
    return configuration(
        {
            "route": {"receiver": "hook", **timers, **route},
            "receivers": [{"name": "hook", "webhook_configs": [hook] * integrations}],
        }
    )


def event(
    state: AlertState, at_ms: int, since_ms: int, annotations: dict[str, str] | None = None, **labels: str
):
    """An event with an id as the engine makes them: of rule, labels, state and evaluation time."""
    final = Labels(labels)
    id = hashlib.sha256(f"{final.pairs}{state}{at_ms}".encode()).hexdigest()[:32]
    return AlertEvent(
        id=id,
        rule=f"rules.yml;group;{labels.get('alertname', '')}",
        labels=final,
        annotations=annotations or {},
        state=state,
        starts_at_ms=since_ms,
        ends_at_ms=at_ms if state == "resolved" else 0,
        value=1.0,
        evaluated_at_ms=at_ms,
    )


class World:
    """One daemon's disk, its alert log, and the receivers that outlive it."""

    def __init__(self, folder: Path, config: AlertmanagerConfig, **pipeline: Any) -> None:
        self.folder, self.config, self._options = folder, config, pipeline
        self.log = AlertLog(folder / "log", segment_bytes=4096)
        self.clock = LoopClock()
        self.told: list[tuple[float, str, int, Notification]] = []
        self.attempts: list[tuple[float, str, int, Notification]] = []
        self.answer: Callable[[str, int, Notification], Delivery] = lambda *_: Delivery(True)
        self.latency: Callable[[str, int], float] = lambda *_: 0.0
        self.since: dict[Labels, int] = {}

    def start(self, fate: Callable[[], str] = lambda: "") -> None:
        """Boots a pipeline from what is on disk."""
        self.executor = MortalExecutor(fate)
        self.pipeline = AlertPipeline(
            self.config,
            self.log,
            self.folder,
            self._deliverer(self.executor),
            self.clock,
            external_url="http://sentinel",
            executor=self.executor,
            jitter=random.Random(1),
            **self._options,
        )
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.pipeline.run()
        except* KilledError:
            pass

    @property
    def alive(self) -> bool:
        return not self.executor.dead and not self._task.done()

    async def kill(self) -> None:
        """kill -9: no clean-up reaches the disk."""
        self.executor.dead = True
        self._task.cancel()
        await asyncio.wait([self._task])

    def _deliverer(self, executor: MortalExecutor) -> Any:
        async def deliver(receiver: str, index: int, notification: Notification) -> Delivery:
            if executor.dead:
                raise KilledError
            self.attempts.append((self.seconds(), receiver, index, notification))
            await asyncio.sleep(self.latency(receiver, index))
            delivery = self.answer(receiver, index, notification)
            if delivery.delivered:
                self.told.append((self.seconds(), receiver, index, notification))
            return delivery

        return deliver

    def seconds(self) -> float:
        return round(asyncio.get_running_loop().time(), 3)

    def fire(self, **labels: str) -> None:
        now = self.clock.now_ms()
        self.since[Labels(labels)] = now
        self._append(event("firing", now, now, **labels))

    def resolve(self, **labels: str) -> None:
        self._append(event("resolved", self.clock.now_ms(), self.since.pop(Labels(labels)), **labels))

    def _append(self, one: AlertEvent) -> None:
        self.log.append([one])
        self.pipeline.wake()

    async def until(self, seconds: float) -> None:
        await asyncio.sleep(seconds - asyncio.get_running_loop().time())

    def heard(self) -> list[tuple[float, str, list[str]]]:
        """(seconds, reason, ["name state", ...]) of each delivery."""
        return [
            (at, one.reason, [f"{alert.labels.get('alertname')} {alert.state}" for alert in one.alerts])
            for at, _, _, one in self.told
        ]
