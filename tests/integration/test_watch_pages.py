"""The daemon watching a real cluster of three brokers, with a reader's rules and the shipped pack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from .configuration import alert, configuration, one_webhook, rule_group
from .daemon import Daemon
from .kafka_cluster import NODES, Cluster
from .receiver import Page, Receiver
from .waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]

PACK = Path(__file__).parents[2] / "rules" / "kafka.yml"
AWAY_SECONDS = 40
"""How long a broker may be away in an orderly restart."""


@pytest.fixture(scope="module")
def cluster(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(jars, tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        cluster.create_topic("orders", 6, 3)
        yield cluster
    finally:
        cluster.kill_all()


@pytest.fixture
def pager() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def daemon(cluster: Cluster, tmp_path: Path, pager: Receiver) -> Iterator[Daemon]:
    """It watches every five seconds, with two rules of a reader's own beside the pack."""
    config = configuration({"name": "push", "http": {}}, interval="1s")
    watched = {"name": "main", "bootstrap_servers": cluster.bootstrap, "interval": "5s"}
    config |= {"clusters": [watched], "rule_files": ["rules/*.yml", str(PACK)]}
    daemon = Daemon(tmp_path, config)
    replicated = "max by (topic, partition) (kafka_topic_partition_under_replicated_partition) > 0"
    mine = [alert("FewBrokers", "kafka_brokers < 3"), alert("UnderReplicated", replicated)]
    lag = alert(
        "Lag", 'kafka_consumergroup_lag{consumergroup="billing"} >= 0', annotations={"lag": "{{ $value }}"}
    )
    daemon.write("rules/mine.yml", rule_group("mine", *mine, lag))
    daemon.write("alertmanager.yml", one_webhook(pager.url))
    with daemon:
        yield daemon


def await_page(
    daemon: Daemon, pager: Receiver, name: str, status: str, timeout: float, since: float = 0.0
) -> Page:
    def found() -> list[Page]:
        return [page for page in pager.pages(status) if page.name == name and page.arrived >= since]

    wait_until(
        found, timeout=timeout, what=f"{status} {name}", why=lambda: f"{pager.pages()}\n{daemon.log()}"
    )
    return found()[0]


def await_quiet(pager: Receiver) -> None:
    """Until nothing fires any more."""

    def firing() -> set[tuple[str, str]]:
        state = {(page.name, page.fingerprint): page.status for page in pager.pages()}
        return {key for key, status in state.items() if status == "firing" and key[0] != "Lag"}

    wait_until(lambda: not firing(), timeout=120, poll=1, what="quiet", why=firing)


def test_a_killed_broker_pages_and_resolves(cluster: Cluster, daemon: Daemon, pager: Receiver) -> None:
    time.sleep(15)
    assert pager.pages("firing") == []
    killed = time.time()
    cluster.kill(2)
    for name in ("FewBrokers", "UnderReplicated"):
        await_page(daemon, pager, name, "firing", 30)
    missing = await_page(daemon, pager, "KafkaBrokerDown", "firing", 90 - (time.time() - killed))
    assert (missing.labels["id"], missing.labels["cluster"]) == ("2", "main")
    assert [page.labels["id"] for page in pager.pages() if page.name == "KafkaBrokerDown"] == ["2"]
    cluster.start_broker(2)
    for name in ("FewBrokers", "UnderReplicated", "KafkaBrokerDown"):
        await_page(daemon, pager, name, "resolved", 90)


def test_a_rolling_restart_is_quiet(cluster: Cluster, daemon: Daemon, pager: Receiver) -> None:
    """One broker directly after another, each away for as long as may be."""
    time.sleep(10)
    for node in NODES:
        gone = time.monotonic()
        cluster.stop_broker(node)
        time.sleep(max(0.0, AWAY_SECONDS - 8 - (time.monotonic() - gone)))  # it takes a while to come up
        cluster.start_broker(node)
        assert time.monotonic() - gone < AWAY_SECONDS + 5, "this machine is too slow for the test"
    time.sleep(30)
    shipped = {page.name for page in pager.pages("firing")} - {"FewBrokers", "UnderReplicated", "Lag"}
    assert shipped == set()


def test_a_cluster_that_is_gone_pages_within_a_minute(
    cluster: Cluster, daemon: Daemon, pager: Receiver
) -> None:
    time.sleep(15)
    for node in NODES:
        cluster.kill(node)
    down = await_page(daemon, pager, "KafkaClusterDown", "firing", 60)
    assert down.labels["cluster"] == "main"
    time.sleep(40)
    shipped = {page.name for page in pager.pages("firing")} - {"FewBrokers", "UnderReplicated", "Lag"}
    assert shipped == {"KafkaClusterDown"}, "one cause, one page"
    cluster.start()
    await_page(daemon, pager, "KafkaClusterDown", "resolved", 90)
    await_quiet(pager)


def test_lag_is_right_within_an_interval(cluster: Cluster, daemon: Daemon, pager: Receiver) -> None:
    """A group commits 100 and stops; production goes on."""
    orders = TopicPartition("orders", 0)

    async def produce(count: int) -> int:
        producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap)
        await producer.start()
        try:
            sent = [await producer.send_and_wait("orders", b"x", partition=0) for _ in range(count)]
            return int(sent[-1].offset) + 1
        finally:
            await producer.stop()

    async def commit(offset: int) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=cluster.bootstrap, group_id="billing", enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign([orders])
            await consumer.commit({orders: offset})
        finally:
            await consumer.stop()

    asyncio.run(produce(100))
    asyncio.run(commit(100))
    end = asyncio.run(produce(150))
    daemon.write(
        "rules/lag.yml",
        rule_group("lag", alert("LagIs", f'kafka_consumergroup_lag{{partition="0"}} == {end - 100}')),
    )
    assert daemon.post("/-/reload")[0] == 200
    await_page(daemon, pager, "LagIs", "firing", 5 + 3)
