"""Refused records to a Kafka topic, byte for byte, with headers that say where from and why.

Records that are read again after a crash are refused again: a dead letter may come twice, with the same
headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from prometheus_client import Gauge

from sentinel.ingest.backoff import Backoff, asked_to_stop
from sentinel.telemetry import DEAD_LETTERS, DEAD_LETTERS_DROPPED, REGISTRY, logger

MOST_LETTERS: Final = 10_000
MOST_BYTES: Final = 64 << 20
_ROUND: Final = 500

WAITING = Gauge(
    "sentinel_dead_letters_waiting", "Refused records on their way to a topic.", ["source"], registry=REGISTRY
)


class DeadLetter(msgspec.Struct, frozen=True):
    """One refused record. `topic`, `partition` and `offset` say where it was read."""

    value: bytes
    reason: str
    topic: str
    partition: int
    offset: int


class DeadLetters:
    """A bounded queue between the engine's thread and a producer on the event loop.

    `client_options` gives the connection's keyword arguments; it may read files and is called in a thread.
    """

    def __init__(self, source: str, client_options: Callable[[], dict[str, Any]], topic: str) -> None:
        self._source, self._client_options, self._topic = source, client_options, topic
        self._lock = threading.Lock()
        self._queue: deque[DeadLetter] = deque()
        self._bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work, self._room = asyncio.Event(), asyncio.Event()
        self._logger = logger("ingest").bind(source=source, topic=topic)
        WAITING.labels(source).set_function(lambda: len(self._queue))

    @property
    def full(self) -> bool:
        """More than half of the room is taken: time to slow the source down."""
        return 2 * len(self._queue) > MOST_LETTERS or 2 * self._bytes > MOST_BYTES

    def offer(self, letters: Iterable[DeadLetter]) -> int:
        """From any thread, without waiting. Returns how many found no room; those are counted as dropped."""
        dropped = sum(not self._take(letter) for letter in letters)
        if dropped:
            DEAD_LETTERS_DROPPED.labels(self._source, "queue_full").inc(dropped)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: we are going down
                self._loop.call_soon_threadsafe(self._work.set)
        return dropped

    async def put(self, letters: Iterable[DeadLetter]) -> None:
        """On the event loop: waits for room instead of dropping."""
        for letter in letters:
            while not self._take(letter):
                await self._progress()
            self._work.set()

    async def flush(self) -> None:
        """Returns when everything offered is in the topic. For a clean stop; give it a time-out."""
        while self._queue:
            await self._progress()

    async def run(self) -> None:
        """Until cancelled; a topic or cluster that is away is tried for ever."""
        self._loop = asyncio.get_running_loop()
        backoff = Backoff()
        while True:
            try:
                await self._produce(backoff)
            except AssertionError:
                raise
            except asyncio.CancelledError:
                if asked_to_stop():
                    raise
            except Exception as error:  # the client's and the network's are too many to name
                self._logger.warning("dead letters wait", waiting=len(self._queue), error=str(error))
            await backoff.wait()

    async def _produce(self, backoff: Backoff) -> None:
        from aiokafka import AIOKafkaProducer

        options = await asyncio.to_thread(self._client_options)
        producer = AIOKafkaProducer(**options, acks="all", linger_ms=5, max_request_size=MOST_BYTES)
        try:
            await producer.start()
            await _ensure_topic(options, self._topic)
            while True:
                while self._queue:
                    await self._send(producer)
                    backoff.succeeded()
                self._work.clear()
                if not self._queue:
                    await self._work.wait()
        finally:
            with contextlib.suppress(Exception):
                await producer.stop()

    async def _send(self, producer: Any) -> None:
        """One round. Letters leave the queue when the broker has them; raises what the producer raises."""
        from aiokafka.errors import MessageSizeTooLargeError

        with self._lock:
            letters = [self._queue[i] for i in range(min(_ROUND, len(self._queue)))]
        sent = [asyncio.create_task(self._send_one(producer, letter)) for letter in letters]
        results = await asyncio.gather(*sent, return_exceptions=True)
        for letter, result in zip(letters, results, strict=True):
            if isinstance(result, MessageSizeTooLargeError):
                DEAD_LETTERS_DROPPED.labels(self._source, "too_large").inc()
                self._logger.warning("dead letter too large for the topic", bytes=len(letter.value))
            elif isinstance(result, BaseException):
                raise result  # this and what follows stays in the queue, and may be sent twice
            else:
                DEAD_LETTERS.labels(self._source).inc()
            self._remove(letter)

    async def _send_one(self, producer: Any, letter: DeadLetter) -> None:
        headers = [
            ("sentinel-reason", letter.reason.encode()),
            ("sentinel-topic", letter.topic.encode()),
            ("sentinel-partition", b"%d" % letter.partition),
            ("sentinel-offset", b"%d" % letter.offset),
        ]
        await producer.send_and_wait(self._topic, letter.value, headers=headers)

    def _take(self, letter: DeadLetter) -> bool:
        with self._lock:
            room = len(self._queue) < MOST_LETTERS and self._bytes + len(letter.value) <= MOST_BYTES
            if room:
                self._queue.append(letter)
                self._bytes += len(letter.value)
        return room

    def _remove(self, letter: DeadLetter) -> None:
        """The oldest letter is done with."""
        with self._lock:
            assert self._queue.popleft() is letter
            self._bytes -= len(letter.value)
        self._room.set()

    async def _progress(self) -> None:
        """Waits until a letter has left the queue."""
        self._room.clear()
        await self._room.wait()


async def _ensure_topic(options: dict[str, Any], topic: str) -> None:
    """Creates the topic with the broker's defaults if it is missing; whether we may shows when we send."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        if topic not in await admin.list_topics():
            # the client takes -1, the broker's default, only beside an (empty) assignment
            await admin.create_topics([NewTopic(topic, -1, -1, replica_assignments={})])
    except KafkaError as error:
        logger("ingest").info("dead-letter topic not created", topic=topic, error=str(error))
    finally:
        await admin.close()
