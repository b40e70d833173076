"""From the alert log to receivers and to the alert topic: the readers of the log, wired up."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from sentinel.alert.config import AlertmanagerConfig
from sentinel.alert.log import AlertLog
from sentinel.alert.pipeline import AlertPipeline
from sentinel.clock import Clock
from sentinel.config.load import Config
from sentinel.ingest.kafka_connection import client_options
from sentinel.model import Delivery, Notification
from sentinel.notify.http import AiohttpClient
from sentinel.notify.topic import TopicWriter
from sentinel.notify.webhook import WebhookReceiver


class Telling:
    """`catching_up` says of a rule group whether it works through a backlog: its pages wait till the end."""

    def __init__(
        self,
        config: Config,
        events: AlertLog,
        folder: Path,
        clock: Clock,
        *,
        external_url: str,
        catching_up: Callable[[str], bool],
    ) -> None:
        self._events, self._clock, self._client = events, clock, AiohttpClient()
        self._receivers: dict[str, list[WebhookReceiver]] = {}
        self._pipeline: AlertPipeline | None = None
        self._topic: TopicWriter | None = None
        if config.alertmanager is not None:
            self._receivers = self._build(config.alertmanager)
            self._pipeline = AlertPipeline(
                config.alertmanager,
                events,
                folder,
                self._deliver,
                clock,
                external_url=external_url,
                catching_up=lambda rule: catching_up(rule.rpartition(";")[0]),
            )
        if config.alert_topic is not None:
            options = client_options(config.alert_topic)
            self._topic = TopicWriter(events, folder, options, config.alert_topic.topic, external_url)

    @property
    def position(self) -> int:
        """What lies before it in the alert log has been read by everyone."""
        readers = [reader.position for reader in (self._pipeline, self._topic) if reader is not None]
        return min(readers, default=self._events.end)

    def run(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run, each until cancelled."""
        return [reader.run() for reader in (self._pipeline, self._topic) if reader is not None]

    def wake(self) -> None:
        """The alert log has grown."""
        for reader in (self._pipeline, self._topic):
            if reader is not None:
                reader.wake()

    async def reload(self, config: Config) -> None:
        if self._pipeline is not None and config.alertmanager is not None:
            self._receivers = self._build(config.alertmanager)
            await self._pipeline.reload(config.alertmanager)

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
