"""A real Apache Kafka cluster of three combined KRaft nodes, to be stopped, killed and frozen one by one."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from sentinel.ingest.kafka_connection import KafkaConnection
from sentinel.watch.poll.connections import Address, Connections
from sentinel.watch.poll.protocol.find_coordinator import FindCoordinator
from sentinel.watch.poll.protocol.request import Api, Request
from sentinel.watch.poll.protocol.wire import Reader, Writer

from .waiting import free_ports, wait_until

NODES: Final = (1, 2, 3)

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data-{node}
broker.rack=rack{node}
num.partitions=3
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.num.partitions=6
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
replica.lag.time.max.ms=5000
broker.session.timeout.ms=6000
leader.imbalance.check.interval.seconds=3600
controlled.shutdown.enable=true
"""


class Cluster:
    """Nodes 1, 2 and 3 on free loopback ports; data and `broker-N.log` in `folder`."""

    def __init__(self, jars: Path, folder: Path) -> None:
        self.jars, self.folder = jars, folder
        ports = free_ports(2 * len(NODES))
        self.ports = dict(zip(NODES, ports[: len(NODES)], strict=True))
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in self.ports.values())
        self.cluster_id = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        controllers = dict(zip(NODES, ports[len(NODES) :], strict=True))
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in controllers.items())
        folder.mkdir(parents=True, exist_ok=True)
        for node in NODES:
            text = PROPERTIES.format(
                node=node,
                port=self.ports[node],
                controller_port=controllers[node],
                voters=voters,
                folder=folder,
            )
            self._properties(node).write_text(text)
            self._java(node, "kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c").wait(60)

    def start(self) -> None:
        """All nodes; returns when each is registered."""
        for node in NODES:
            self._launch(node)
        self.await_registered(*NODES)

    def start_broker(self, node: int) -> None:
        """One node, on the same data and ports; returns when it is registered."""
        self._launch(node)
        self.await_registered(node)

    def stop(self) -> None:
        """SIGTERM to all at once; SIGKILL to those that take long, as no controller is left to leave to."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stop_broker, list(self._processes)))

    def stop_broker(self, node: int) -> None:
        """SIGTERM: a controlled shutdown."""
        process = self._processes.pop(node)
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def kill(self, node: int) -> None:
        """SIGKILL: what a power cut leaves."""
        process = self._processes.pop(node)
        process.kill()
        process.wait(10)

    def kill_all(self) -> None:
        """Whatever still runs, frozen ones included."""
        for node in list(self._processes):
            self.kill(node)

    def freeze(self, node: int) -> None:
        """SIGSTOP: the kernel still takes connections, and nobody answers."""
        self._processes[node].send_signal(signal.SIGSTOP)

    def thaw(self, node: int) -> None:
        self._processes[node].send_signal(signal.SIGCONT)

    def create_topic(self, name: str, partitions: int = 3, replication: int = 3, **configs: str) -> str:
        """Makes a topic, with configs such as `min_insync_replicas="1"`; returns its name."""
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        asyncio.run(self._create(NewTopic(name, partitions, replication, topic_configs=settings)))
        return name

    def address(self, node: int) -> Address:
        return "127.0.0.1", self.ports[node]

    def await_registered(self, *nodes: int, timeout: float = 120) -> None:
        """Until the cluster lists these nodes."""
        wait_until(
            lambda: self._registered() >= set(nodes),
            timeout=timeout,
            poll=0.5,
            what=f"registration of {nodes}",
            why=self.log,
        )

    def log(self) -> str:
        """The end of each node's log."""
        logs = [self.folder / f"broker-{node}.log" for node in NODES]
        return "\n".join(f"{path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in logs)

    def _properties(self, node: int) -> Path:
        return self.folder / f"broker-{node}.properties"

    def _launch(self, node: int) -> None:
        assert node not in self._processes, f"node {node} is already running"
        self._processes[node] = self._java(node, "kafka.Kafka")

    def _java(self, node: int, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        jvm = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self.jars}/*"]
        with (self.folder / f"broker-{node}.log").open("ab") as log:
            return subprocess.Popen(
                [*jvm, main, *arguments, str(self._properties(node))], stdout=log, stderr=log
            )

    def _registered(self) -> set[int]:
        for node, process in self._processes.items():
            assert process.poll() is None, f"node {node} ended with {process.returncode}\n{self.log()}"
        return asyncio.run(_registered(self.bootstrap, self.cluster_id))

    async def _create(self, topic: NewTopic) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics([topic])
            assert all(error[1] == 0 for error in answer.topic_errors), answer
        finally:
            await admin.close()


async def _registered(bootstrap: str, cluster_id: str) -> set[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    with contextlib.suppress(KafkaError, OSError):
        try:
            await admin.start()
            found = await admin.describe_cluster()
            assert found["cluster_id"] == cluster_id, f"another cluster answers: {found}"
            return {broker["node_id"] for broker in found["brokers"]}
        finally:
            await admin.close()
    return set()


class Join(Request[int]):
    """The first heartbeat of a member of KIP-848's protocol; answered by an error code."""

    api = Api("ConsumerGroupHeartbeat", 68, 0, 0, flexible=0)

    def __init__(self, group: str, topic: str) -> None:
        self._group, self._topic = group, topic

    def encode(self, out: Writer) -> None:
        out.string(self._group)
        out.string("")  # the broker names the member
        out.int32(0)
        out.string(None)
        out.string(None)
        out.int32(60_000)
        out.strings([self._topic])
        out.string(None)
        out.length(0)
        out.tags()

    def decode(self, answer: Reader) -> int:
        answer.int32()
        return answer.int16()


async def join(cluster: Cluster, group: str, topic: str) -> None:
    """Makes a group with one member of KIP-848's protocol, there until its session ends."""
    connections = Connections(KafkaConnection(bootstrap_servers=cluster.bootstrap), 10)
    joined = False
    try:
        while not joined:  # a new cluster makes the topic of commits only now, and then has to load it
            await asyncio.sleep(0.1)
            found = await connections.call(cluster.address(1), FindCoordinator([group]))
            if group in found:
                joined = await connections.call(cluster.address(found[group]), Join(group, topic)) == 0
    finally:
        await connections.close()
