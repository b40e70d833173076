"""A real Apache Kafka, one KRaft node, from Maven Central: started, stopped, killed and started again.

Needs Java 17; Maven only for the first fetch of the jars, which are kept in `$SENTINEL_CACHE` (default
`~/.cache/sentinel`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from .waiting import free_ports, listens, wait_until

VERSION = "4.4.0"

POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-dist</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version></dependency>
  </dependencies>
</project>
"""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
num.partitions=3
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
message.max.bytes=4194304
"""


class KafkaUnavailableError(Exception):
    """This machine cannot run a broker; the text says what is missing."""


def kafka_jars() -> Path:
    """The folder with Kafka's jars; fetched on first use. Raises KafkaUnavailableError."""
    _require_java()
    cache = Path(os.environ.get("SENTINEL_CACHE", "~/.cache/sentinel")).expanduser()
    jars = cache / f"kafka-{VERSION}"
    if jars.is_dir():
        return jars
    if shutil.which("mvn") is None:
        raise KafkaUnavailableError("no Maven (mvn) on the path to fetch Apache Kafka with")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        Path(folder, "pom.xml").write_text(POM)
        fetch = [
            "mvn",
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DoutputDirectory=lib",
            "-DincludeScope=runtime",
        ]
        done = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise KafkaUnavailableError(f"Maven could not fetch Apache Kafka {VERSION}: {done.stdout[-500:]}")
        with contextlib.suppress(OSError):  # another run was faster: its copy is as good
            Path(folder, "lib").rename(jars)
    return jars


def _require_java() -> None:
    if shutil.which("java") is None:
        raise KafkaUnavailableError("no Java on the path; Apache Kafka 4 needs 17 or newer")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=60).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < 17:
        raise KafkaUnavailableError(
            f"Apache Kafka 4 needs Java 17 or newer, this is: {said.splitlines()[:1]}"
        )


class Broker:
    """One node on free loopback ports, its data and `broker.log` in `folder`."""

    def __init__(self, jars: Path, folder: Path) -> None:
        self.jars, self.folder = jars, folder
        self.port, controller_port = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.cluster_id = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        self._process: subprocess.Popen[bytes] | None = None
        self._properties = folder / "broker.properties"
        folder.mkdir(parents=True, exist_ok=True)
        text = PROPERTIES.format(port=self.port, controller_port=controller_port, folder=folder)
        self._properties.write_text(text)
        self._java("kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c").wait(60)

    def start(self) -> None:
        """Starts on the same data and ports; returns when this very cluster answers."""
        assert self._process is None, "already running"
        self._process = self._java("kafka.Kafka")
        wait_until(self._answers, timeout=90, what="answer from Kafka", why=self.log)

    def stop(self) -> None:
        """SIGTERM: a controlled shutdown."""
        self._end(subprocess.Popen.terminate)

    def kill(self) -> None:
        """SIGKILL: what a power cut leaves."""
        self._end(subprocess.Popen.kill)

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Makes a topic, with configs such as `max_message_bytes="1000"`; returns its name."""
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        asyncio.run(self._create(NewTopic(name, partitions, 1, topic_configs=settings)))
        return name

    def log(self) -> str:
        """The end of the broker's log."""
        return (self.folder / "broker.log").read_text(errors="replace")[-4000:]

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            "java",
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{self.jars}/*",
            main,
        ]
        with (self.folder / "broker.log").open("ab") as log:
            return subprocess.Popen([*command, *arguments, str(self._properties)], stdout=log, stderr=log)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Kafka ended with {self._process.returncode}\n{self.log()}"
        if not listens(self.port):
            return False
        found = asyncio.run(_cluster_id(self.bootstrap))
        assert found in (None, self.cluster_id), f"port {self.port} answers for another cluster: {found}"
        return found is not None

    async def _create(self, topic: NewTopic) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics([topic])
            assert all(error[1] == 0 for error in answer.topic_errors), answer
        finally:
            await admin.close()

    def _end(self, how: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)  # type: ignore[operator]
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


async def _cluster_id(bootstrap: str) -> str | None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    try:
        await admin.start()
        return str((await admin.describe_cluster())["cluster_id"])
    except (KafkaError, OSError):
        return None
    finally:
        await admin.close()
