"""From the alert log to receivers, Alertmanagers and the alert topic: the readers of the log, wired up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from itertools import product
from pathlib import Path
from typing import Any, Final

from sentinel.alert.config import AlertmanagerConfig, ReceiverConfig, RouteConfig
from sentinel.alert.log import AlertLog
from sentinel.alert.pipeline import AlertPipeline
from sentinel.alert.tell import Failing
from sentinel.alert.urgent import UrgentAlerts
from sentinel.clock import Clock
from sentinel.config.load import Config
from sentinel.engine import Engine
from sentinel.ingest.kafka_connection import client_options
from sentinel.model import AlertEvent, Delivery, Notification
from sentinel.notify.alertmanager import Renew
from sentinel.notify.forward import Firing, Forwarder
from sentinel.notify.heartbeat import Heartbeat
from sentinel.notify.http import AiohttpClient
from sentinel.notify.topic import TopicWriter
from sentinel.notify.webhook import WebhookReceiver

DELIVERY_PATIENCE_SECONDS: Final = 300.0
"""A receiver that takes nothing for longer breaks the path, and the heartbeat says so."""
RENEW_SECONDS: Final = 2.0
_NOBODY: Final = AlertmanagerConfig(RouteConfig(receiver="nobody"), [ReceiverConfig("nobody")])


Renewed = list[AlertEvent | None]


def renewing(call: Callable[[Callable[[Engine], Renewed]], Awaitable[Renewed]]) -> Renew:
    """Asks the engine what it says of alerts now; if it says nothing for long, telling goes on without it."""

    async def renew(events: list[AlertEvent]) -> Renewed:
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                return await call(lambda engine: engine.renewed(events))
        except TimeoutError:
            return list(events)

    return renew


class Telling:
    """`catching_up` says of a rule group whether it works through a backlog: its pages wait till the end.

    `firing` gives what the engine holds as firing, with the position in the alert log that this is of;
    `renew` what it says now of alerts that fire.
    """

    def __init__(
        self,
        config: Config,
        events: AlertLog,
        folder: Path,
        clock: Clock,
        *,
        external_url: str,
        catching_up: Callable[[str], bool],
        firing: Firing,
        renew: Renew,
    ) -> None:
        self._events, self._clock, self._client = events, clock, AiohttpClient()
        self._config, self._failing = config, Failing()
        alertmanager = config.alertmanager or _NOBODY
        self._receivers = self._build(alertmanager)

        def busy(rule: str) -> bool:
            return catching_up(rule.rpartition(";")[0])

        told: dict[str, Any] = {"external_url": external_url, "failing": self._failing}
        self.urgent = UrgentAlerts(alertmanager, folder, self._deliver, clock, **told)
        self._pipeline: AlertPipeline | None = None
        self._topic: TopicWriter | None = None
        self._forwarders = [
            Forwarder(each, events, folder, self._client, clock, firing=firing, renew=renew, catching_up=busy)
            for each in config.alertmanagers
        ]
        for event, forwarder in product(self.urgent.firing, self._forwarders):
            forwarder.put(event)
        if config.alertmanager is not None:
            self._pipeline = AlertPipeline(
                config.alertmanager, events, folder, self._deliver, clock, catching_up=busy, **told
            )
        if config.alert_topic is not None:
            options = client_options(config.alert_topic)
            self._topic = TopicWriter(events, folder, options, config.alert_topic.topic, external_url)

    @property
    def _readers(self) -> list[AlertPipeline | TopicWriter | Forwarder]:
        found = (self._pipeline, self._topic, *self._forwarders)
        return [reader for reader in found if reader is not None]

    @property
    def position(self) -> int:
        """What lies before it in the alert log has been read by everyone."""
        return min((reader.position for reader in self._readers), default=self._events.end)

    @property
    def trouble(self) -> str:
        """Why nothing can be told through the log, or nothing."""
        return self._pipeline.trouble if self._pipeline is not None else ""

    @property
    def undelivered(self) -> str:
        """Why those who are to be told are not, or nothing."""
        seconds = max([self._failing.seconds(), *(each.failing_seconds() for each in self._forwarders)])
        return f"no delivery for {seconds:.0f} s" if seconds > DELIVERY_PATIENCE_SECONDS else ""

    def run(self, healthy: Callable[[], Awaitable[str]]) -> list[Coroutine[Any, Any, None]]:
        """What has to run, each until cancelled; the heartbeat asks `healthy` each time."""
        heartbeat = self._config.heartbeat
        beat = [] if heartbeat is None else [Heartbeat(heartbeat, self._client, self._clock, healthy)]
        return [each.run() for each in (*self._readers, *beat)]

    def wake(self) -> None:
        """The alert log has grown."""
        for reader in self._readers:
            reader.wake()

    @property
    def firing(self) -> list[AlertEvent]:
        """The alerts that were put past the log."""
        return self.urgent.firing

    def put(self, event: AlertEvent) -> None:
        """An alert that goes past the log, to whoever can be told without a disk."""
        self.urgent.put(event)
        for forwarder in self._forwarders:
            forwarder.put(event)

    async def last_words(self, seconds: float) -> None:
        """Returns when everybody knows what was put that can be told, or the time is over."""
        words = [self.urgent.last_words(seconds), *(each.last_words() for each in self._forwarders)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*words)

    async def reload(self, config: Config) -> None:
        if self._pipeline is not None and config.alertmanager is not None:
            self._receivers = self._build(config.alertmanager)
            self.urgent.reload(config.alertmanager)
            await self._pipeline.reload(config.alertmanager)
            self._failing.keep_only(self._receivers.keys())

    async def close(self) -> None:
        await self._client.close()

    def _build(self, config: AlertmanagerConfig) -> dict[str, list[WebhookReceiver]]:
        return {
            receiver.name: [
                WebhookReceiver(each, self._client, self._clock) for each in receiver.webhook_configs
            ]
            for receiver in config.receivers
        }

    async def _deliver(self, receiver: str, index: int, notification: Notification) -> Delivery:
        return await self._receivers[receiver][index].send(notification)
