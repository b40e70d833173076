"""Dead letters: byte for byte into the topic, bounded in between."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest
from aiokafka import AIOKafkaConsumer
from broker import Broker, until

from sentinel.ingest import dead_letter
from sentinel.ingest.dead_letter import DeadLetter, DeadLetters
from sentinel.telemetry import DEAD_LETTERS_DROPPED


def letter(offset: int, value: bytes = b"\x00bad\xff") -> DeadLetter:
    return DeadLetter(value, "malformed", "metrics", 3, offset)


def test_a_letter_arrives_as_it_was_with_its_headers(own_broker: Broker) -> None:
    async def run() -> None:
        own_broker.stop()
        letters = DeadLetters("s", lambda: {"bootstrap_servers": own_broker.address}, "dead")
        task = asyncio.create_task(letters.run())
        await asyncio.sleep(0.1)
        thread = threading.Thread(target=letters.offer, args=([letter(i) for i in range(3)],))
        thread.start()
        thread.join()
        own_broker.start()  # only now: what was offered has waited
        async with asyncio.timeout(20):
            await letters.flush()
        await letters.put([letter(3)])
        consumer = AIOKafkaConsumer(
            "dead", bootstrap_servers=own_broker.address, auto_offset_reset="earliest"
        )
        await consumer.start()
        got = [await asyncio.wait_for(consumer.getone(), 10) for _ in range(4)]
        await consumer.stop()
        assert {record.value for record in got} == {b"\x00bad\xff"} and {r.key for r in got} == {None}
        headers = [dict(record.headers) for record in got]
        assert headers[0] == {
            "sentinel-reason": b"malformed",
            "sentinel-topic": b"metrics",
            "sentinel-partition": b"3",
            "sentinel-offset": b"0",
        }
        assert sorted(h["sentinel-offset"] for h in headers) == [b"0", b"1", b"2", b"3"]
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_letter_too_large_for_the_producer_does_not_block_the_others(broker: Broker) -> None:
    dropped = DEAD_LETTERS_DROPPED.labels("big", "too_large")._value

    async def run() -> None:
        letters = DeadLetters("big", lambda: {"bootstrap_servers": broker.address}, "dead-big")
        letters.offer([letter(0, bytes(2 << 20)), letter(1)])
        task = asyncio.create_task(letters.run())
        await until(lambda: not letters._queue)
        task.cancel()

    asyncio.run(run())
    assert dropped.get() == 1


def test_beyond_the_bound_letters_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "MOST_LETTERS", 4)
    monkeypatch.setattr(dead_letter, "MOST_BYTES", 30)

    async def run() -> None:
        letters = DeadLetters("bound", dict, "t")
        assert letters.offer([letter(i) for i in range(2)]) == 0 and not letters.full
        assert letters.offer([letter(i) for i in range(2, 6)]) == 2 and letters.full
        assert DEAD_LETTERS_DROPPED.labels("bound", "queue_full")._value.get() == 2
        other = DeadLetters("bound", dict, "t")
        assert other.offer([letter(0, bytes(29)), letter(1, bytes(2))]) == 1

    asyncio.run(run())


def test_put_waits_for_room_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "MOST_LETTERS", 2)

    async def run() -> None:
        letters = DeadLetters("wait", dict, "t")
        first, second, third = (letter(i) for i in range(3))
        waiting = asyncio.create_task(letters.put([first, second, third]))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        letters._remove(first)
        await asyncio.wait_for(waiting, 1)
        assert list(letters._queue) == [second, third]

    asyncio.run(run())
