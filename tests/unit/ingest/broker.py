"""A small Kafka broker for tests: the embedded one, on a free port, with a folder of its own."""

from __future__ import annotations

import asyncio
import importlib.resources
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """Starts, stops and starts again with the same port and data."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = importlib.resources.files("noida_db") / "noida-db"
        command = [str(binary), "start", "--only", "kafka", "--kafka-port", str(self.port)]
        command += ["--data-dir", str(self.folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the broker did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    async def create(self, topic: str, partitions: int = 1) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        await admin.create_topics([NewTopic(topic, partitions, 1)])
        await admin.close()

    async def produce(self, topic: str, values: list[bytes], partition: int = 0, **options: Any) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.address, **options)
        await producer.start()
        for value in values:
            await producer.send(topic, value, partition=partition)
        await producer.stop()


async def until(condition: Any, seconds: float = 20.0) -> None:
    """Waits for a condition on another program; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it changes outside this loop
            await asyncio.sleep(0.02)
