"""The alert topic: an asynchronous copy of the alert log on Kafka, one CloudEvent (binary mode) per event.

Paging does not wait for it: while the cluster is away events pile up in the log, and the copy is caught up
when it is back. Key is the alert's fingerprint, so the states of one alert stay in order. Every event is
published once by id, but for one case: a crash between the broker's acknowledgement and the position's write
repeats a message with the same `ce_id`, unless the topic's end shows it, which is read at each start.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from sentinel.model import AlertEvent
from sentinel.notify.payload import rfc3339
from sentinel.store.frames import write_synced
from sentinel.telemetry import TOPIC_PENDING, logger

_LOG = logger("notify")

_AT_A_TIME: Final = 5000
"""Events in flight before the position is written; `TOPIC_PENDING` counts no further."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_LARGEST_VALUE: Final = 900_000
"""Below Kafka's default `message.max.bytes`; what is larger goes without its annotations."""


class EventLog(Protocol):
    """The part of the alert log that a reader sees; `read` gives (position behind the event, event)."""

    @property
    def start(self) -> int: ...

    end: int

    def read(self, position: int, limit: int = 1000) -> list[tuple[int, AlertEvent]]: ...


class TopicWriter:
    """Copies the log to `topic`. `client_options` go to aiokafka: `bootstrap_servers`, security and the like.

    `position` is durable: what lies before it is in the topic. Kafka is first touched in `run`.
    """

    def __init__(
        self, log: EventLog, folder: Path, client_options: Mapping[str, Any], topic: str, source: str
    ) -> None:
        self._log, self._options, self._topic, self._source = log, dict(client_options), topic, source
        self._file = folder / "alert-topic.position"
        self._woken = asyncio.Event()
        kept = _position(self._file)
        self.position = kept if log.start <= kept <= log.end else log.start
        if self.position != kept:
            _LOG.warning("alert_log_replaced", position=kept, start=log.start, end=log.end)

    def wake(self) -> None:
        """The log has grown. To be called on the event loop; cheap."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled: a broker that is away is tried again for ever."""
        from aiokafka.errors import KafkaError  # not needed before, and slow to import

        pause = _FIRST_PAUSE
        while True:
            before = self.position
            try:
                await self._session()
            except asyncio.CancelledError:
                if _asked_to_stop():
                    raise
                _LOG.warning("alert_topic_unreachable", topic=self._topic, error="cancelled by the client")
            except (KafkaError, OSError) as error:
                _LOG.warning("alert_topic_unreachable", topic=self._topic, error=type(error).__name__)
            await self._pending()
            pause = _FIRST_PAUSE if self.position > before else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _session(self) -> None:
        """One producer's life: until the broker fails it."""
        from aiokafka import AIOKafkaProducer

        from sentinel.notify.topic_tail import ensure_topic, ids_at_the_end

        await self._something()
        await ensure_topic(self._options, self._topic)
        known = await ids_at_the_end(self._options, self._topic, self._source, _AT_A_TIME)
        producer = AIOKafkaProducer(**self._options, enable_idempotence=True)
        patience = None  # another producer may begin only when this one has given up what it holds
        try:
            await producer.start()
            while True:
                batch = await self._something()
                await self._publish(producer, [event for _, event in batch if event.id not in known])
                await asyncio.to_thread(write_synced, self._file, str(batch[-1][0]))
                self.position = batch[-1][0]
                known.clear()  # only the first batch can have been sent before
        except asyncio.CancelledError:
            patience = _FIRST_PAUSE
            raise
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await producer.stop()

    async def _something(self) -> list[tuple[int, AlertEvent]]:
        """The next events; waits while there are none."""
        while True:
            self._woken.clear()
            if batch := await self._pending():
                return batch
            await self._woken.wait()

    async def _pending(self) -> list[tuple[int, AlertEvent]]:
        batch = await asyncio.to_thread(self._log.read, self.position, _AT_A_TIME)
        TOPIC_PENDING.set(len(batch))
        return batch

    async def _publish(self, producer: Any, events: list[AlertEvent]) -> None:
        acknowledged = []
        for event in events:
            headers = cloud_event_headers(event, self._source)
            key = f"{event.labels.fingerprint:016x}".encode()
            acknowledged.append(
                await producer.send(self._topic, cloud_event_data(event), key=key, headers=headers)
            )
        await asyncio.gather(*acknowledged)


def _asked_to_stop() -> bool:
    """Whether this task is to end. The Kafka client also cancels futures of its own when a broker goes."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def cloud_event_headers(event: AlertEvent, source: str) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0, Kafka binding, binary mode."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": source,
        "ce_type": f"sentinel.alert.{event.state}",
        "ce_time": rfc3339(event.evaluated_at_ms),
        "ce_subject": event.labels.get("alertname"),
        "content-type": "application/json",
    }
    return [(name, text.encode()) for name, text in attributes.items() if text]


def cloud_event_data(event: AlertEvent) -> bytes:
    """The message's value. The alert's own value is a text, as Prometheus has it: JSON knows no NaN."""
    data: dict[str, Any] = {
        "rule": event.rule,
        "status": event.state,
        "labels": event.labels.map,
        "annotations": event.annotations,
        "startsAt": rfc3339(event.starts_at_ms),
        "endsAt": rfc3339(event.ends_at_ms) if event.ends_at_ms else None,
        "evaluatedAt": rfc3339(event.evaluated_at_ms),
        "value": _number(event.value),
        "fingerprint": f"{event.labels.fingerprint:016x}",
        "generatorURL": event.generator_url,
        "incomplete": event.incomplete,
    }
    encoded = msgspec.json.encode(data)
    return encoded if len(encoded) <= _LARGEST_VALUE else msgspec.json.encode({**data, "annotations": {}})


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value).removesuffix(".0")


def _position(file: Path) -> int:
    """What was kept; -1 if nobody can read it."""
    try:
        return int(file.read_text()) if file.exists() else 0
    except ValueError:
        return -1
