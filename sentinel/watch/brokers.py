"""Brokers: who belongs to the cluster, and who answers.

Two views are laid side by side. The cluster's own metadata lists a crashed broker until its session ends,
and lists none that is fenced; we ourselves see at once who does not answer, but not why. So `kafka_broker_up`
is 1 only for a broker of which both views are good. Where nobody answers, all are 0.
"""

from __future__ import annotations

from typing import ClassVar

from sentinel.watch.check import Gauge
from sentinel.watch.snapshot import Broker, ClusterSnapshot, Family, Part

BROKERS = Gauge("kafka_brokers", "Brokers that the cluster's metadata lists; 0 while nobody answers.")
INFO = Gauge("kafka_broker_info", "Constant 1 for each broker that the metadata lists.", ("id", "address"))
BROKER_UP = Gauge("kafka_broker_up", "Whether a broker is registered and answers.", ("id", "address"))
CLUSTER_UP = Gauge("kafka_cluster_up", "Whether any broker of the cluster gave its metadata.")


class Brokers:
    """The one check that is run of a cluster that does not answer."""

    name: ClassVar[str] = "brokers"
    needs: ClassVar[frozenset[Part]] = frozenset({"brokers"})
    families: ClassVar[tuple[str, ...]] = (BROKERS.name, INFO.name, BROKER_UP.name, CLUSTER_UP.name)

    def check(self, snapshot: ClusterSnapshot) -> list[Family]:
        answered, brokers = snapshot.answered, snapshot.brokers
        registered = sum(broker.registered for broker in brokers) if answered else 0
        return [
            BROKERS.of([((), registered)]),
            INFO.of((_labels(broker), 1) for broker in brokers if broker.registered),
            BROKER_UP.of(
                (_labels(broker), int(answered and broker.registered and broker.answers))
                for broker in brokers
            ),
            CLUSTER_UP.of([((), int(answered))]),
        ]


def _labels(broker: Broker) -> tuple[str, str]:
    """A broker that only the lists of replicas name has no address."""
    return str(broker.id), f"{broker.host}:{broker.port}" if broker.host else ""
