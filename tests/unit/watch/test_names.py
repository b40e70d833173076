"""What is told under which names."""

from __future__ import annotations

import pytest

from sentinel.watch.check import installed
from sentinel.watch.names import KAFKA_EXPORTER, KMINION, Dialect, told
from sentinel.watch.snapshot import ClusterSnapshot, Family
from tests.unit.watch.clusters import HEALTHY, SICK, SILENT, rows

OURS = {
    "kafka_broker_up",
    "kafka_cluster_up",
    "kafka_topic_partition_offline",
    "kafka_topic_min_isr",
    "kafka_topic_partition_under_min_isr",
    "kafka_topic_partition_at_min_isr",
    "kafka_consumergroup_lost_records",
}
KMINION_LABELS = {
    "kminion_exporter_up": (),
    "kminion_kafka_cluster_info": ("broker_count", "cluster_id"),
    "kminion_kafka_broker_info": ("broker_id", "address", "port", "rack_id"),
    "kminion_kafka_topic_info": ("topic_name", "partition_count", "replication_factor"),
    "kminion_kafka_topic_partition_high_water_mark": ("topic_name", "partition_id"),
    "kminion_kafka_topic_partition_low_water_mark": ("topic_name", "partition_id"),
    "kminion_kafka_topic_high_water_mark_sum": ("topic_name",),
    "kminion_kafka_topic_low_water_mark_sum": ("topic_name",),
    "kminion_kafka_consumer_group_info": ("group_id", "state"),
    "kminion_kafka_consumer_group_members": ("group_id",),
    "kminion_kafka_consumer_group_topic_offset_sum": ("group_id", "topic_name"),
    "kminion_kafka_consumer_group_topic_partition_lag": ("group_id", "topic_name", "partition_id"),
    "kminion_kafka_consumer_group_topic_lag": ("group_id", "topic_name"),
}


def everything(snapshot: ClusterSnapshot, *dialects: Dialect) -> list[Family]:
    checks = installed()
    return [family for check in checks for family in told(check.check(snapshot), snapshot, dialects)]


@pytest.mark.parametrize(
    ("dialects", "names"),
    [
        ((), OURS),
        (("kafka_exporter",), OURS | KAFKA_EXPORTER),
        (("kminion",), OURS | KMINION_LABELS.keys()),
        (("kafka_exporter", "kminion"), OURS | KAFKA_EXPORTER | KMINION_LABELS.keys()),
    ],
)
def test_each_dialect_can_be_had_alone(dialects: tuple[Dialect, ...], names: set[str]) -> None:
    found = [family.name for family in everything(HEALTHY, *dialects) if family.rows]
    assert set(found) == names and len(found) == len(names)


def test_kminions_labels() -> None:
    families = everything(HEALTHY, "kminion")
    assert {f.name: f.labels for f in families if f.name.startswith("kminion")} == KMINION_LABELS


def test_every_translation_is_of_a_family_that_some_check_gives() -> None:
    given = {name for check in installed() for name in check.families}
    assert KMINION.keys() <= given and given >= KAFKA_EXPORTER


def test_values_are_the_same_under_both_names() -> None:
    families = everything(SICK, "kafka_exporter", "kminion")
    for kafka_exporter, kminion in [
        ("kafka_consumergroup_lag", "kminion_kafka_consumer_group_topic_partition_lag"),
        ("kafka_consumergroup_lag_sum", "kminion_kafka_consumer_group_topic_lag"),
        ("kafka_topic_partition_current_offset", "kminion_kafka_topic_partition_high_water_mark"),
        ("kafka_topic_partition_oldest_offset", "kminion_kafka_topic_partition_low_water_mark"),
    ]:
        assert rows(families, kafka_exporter) == rows(families, kminion)


def test_what_kminion_alone_tells() -> None:
    families = everything(SICK, "kminion")
    high = "kminion_kafka_topic_high_water_mark_sum"
    assert rows(everything(HEALTHY, "kminion"), high) == {("orders",): 160, ("clicks",): 7}
    assert rows(families, high) == {("orders",): 175}, "of clicks not everything is known"
    assert rows(families, "kminion_kafka_cluster_info") == {("2", "c-1"): 1}
    assert rows(families, "kminion_kafka_broker_info") == {
        ("1", "kafka-1", "9092", "r1"): 1,
        ("2", "kafka-2", "9092", "r2"): 1,
    }
    assert rows(families, "kminion_kafka_topic_info") == {("orders", "2", "3"): 1, ("clicks", "1", "1"): 1}
    assert rows(families, "kminion_kafka_consumer_group_info") == {
        ("billing", "Stable"): 1,
        ("ahead", "PreparingRebalance"): 0,
        ("blind", "Stable"): 1,
    }


def test_of_a_silent_cluster_no_other_size_is_told() -> None:
    """A label that counts brokers must not make a second series when nobody can count them."""
    families = told(installed()[0].check(SILENT), SILENT, ["kminion"])
    assert rows(families, "kminion_kafka_cluster_info") == {}
    assert rows(families, "kminion_exporter_up") == {(): 0}
