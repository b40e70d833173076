"""What a poll makes of a cluster's answers, and of those that do not come."""

from __future__ import annotations

import asyncio
from typing import Final, get_args

import pytest

from sentinel.clock import ManualClock
from sentinel.ingest.kafka_connection import KafkaConnection
from sentinel.watch.poll import ClusterPoller, poller
from sentinel.watch.poll import groups as poll_groups
from sentinel.watch.poll import offsets as poll_offsets
from sentinel.watch.poll.protocol.describe_configs import DescribeConfigs
from sentinel.watch.poll.protocol.describe_groups import ConsumerGroupDescribe, DescribeGroups
from sentinel.watch.poll.protocol.find_coordinator import FindCoordinator
from sentinel.watch.poll.protocol.list_groups import ListGroups
from sentinel.watch.poll.protocol.list_offsets import ListOffsets
from sentinel.watch.poll.protocol.metadata import Node, Row
from sentinel.watch.poll.protocol.offset_fetch import OffsetFetch
from sentinel.watch.snapshot import UNKNOWN, ClusterSnapshot, Group, Part

from .kafka_cluster_stub import StubCluster, StubGroup

EVERYTHING: Final = frozenset(get_args(Part))
HOUR_MS: Final = 3_600_000


class Scene:
    """A poller of a cluster of brokers 1, 2 and 3, whose bootstrap address is broker 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster, self.clock = StubCluster(1, 2, 3), ManualClock(1_000)
        self.cluster.topics = {
            "b": [Row(0, 2, (2, 3), (2, 3))],
            "a": [Row(0, 1, (1, 2), (1,)), Row(1, 3, (3, 1), (3, 1))],
            "hidden": [Row(0, 1, (1,), (1,))],
        }
        self.cluster.min_isr = {"a": "2", "b": "1"}
        self.cluster.groups = {
            "old": StubGroup(1, commits={("a", 0): 50, ("a", 1): 60}),
            "new": StubGroup(2, "consumer", members=5),
            "idle": StubGroup(3, state="Empty", members=0),
        }
        monkeypatch.setattr(poller, "Connections", lambda *_: self.cluster)
        self.poller = ClusterPoller(
            KafkaConnection(bootstrap_servers="b1:9092"),
            topics=lambda name: name != "hidden",
            groups=lambda name: name != "hidden",
            timeout_seconds=1,
            clock=self.clock,
        )

    def poll(self, *needs: Part) -> ClusterSnapshot:
        self.cluster.calls.clear()
        return asyncio.run(self.poller.poll(frozenset(needs) or EVERYTHING))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def flags(seen: ClusterSnapshot) -> dict[int, tuple[bool, bool]]:
    return {broker.id: (broker.registered, broker.answers) for broker in seen.brokers}


def group_of(seen: ClusterSnapshot, name: str) -> Group:
    (found,) = (group for group in seen.groups if group.id == name)
    return found


UP, DOWN, GONE, FENCED = (True, True), (True, False), (False, False), (False, True)


def test_all_that_is_asked_for(scene: Scene) -> None:
    seen = scene.poll()
    assert (seen.at_ms, seen.answered, seen.cluster_id, seen.incomplete) == (1_000, True, "c", frozenset())
    assert flags(seen) == {1: UP, 2: UP, 3: UP}
    table = seen.partitions
    assert (table.topic, table.partition.tolist()) == (("a", "a", "b"), [0, 1, 0])
    assert (table.leader.tolist(), table.replicas) == ([1, 3, 2], ((1, 2), (3, 1), (2, 3)))
    assert table.in_sync == ((1,), (3, 1), (2, 3))
    assert (table.start.tolist(), table.end.tolist()) == ([10, 10, 10], [100, 100, 100])
    assert seen.min_isr == {"a": 2, "b": 1}
    states = [(group.id, group.state, group.members) for group in seen.groups]
    assert states == [("idle", "Empty", 0), ("new", "Stable", 5), ("old", "Stable", 2)]
    commits = group_of(seen, "old").commits
    assert commits is not None
    assert (commits.topic, commits.offset.tolist()) == (("a", "a"), [50, 60])


OFFSETS, GROUPS = {ListOffsets}, {ListGroups, DescribeGroups, ConsumerGroupDescribe}


@pytest.mark.parametrize(
    ("needs", "kinds"),
    [
        (("brokers",), set()),
        (("partitions",), set()),
        (("partitions", "offsets"), OFFSETS),
        (("min_isr",), {DescribeConfigs}),
        (("groups",), GROUPS),
        (("commits",), {ListGroups, OffsetFetch}),
        (tuple(EVERYTHING), OFFSETS | GROUPS | {OffsetFetch, DescribeConfigs}),
    ],
)
def test_only_what_is_needed_is_asked(scene: Scene, needs: tuple[Part, ...], kinds: set[type]) -> None:
    scene.poll(*needs)
    asked = {type(request) for _, request in scene.cluster.calls}
    assert {kind for kind in asked if kind.__name__ != "Metadata"} == kinds


def test_ends_are_read_after_commits(scene: Scene) -> None:
    scene.poll()
    kinds = [type(request) for _, request in scene.cluster.calls]
    last_commit = max(at for at, kind in enumerate(kinds) if kind is OffsetFetch)
    assert kinds.index(ListOffsets) > last_commit


def test_a_broker_that_was_cut_off_is_outvoted(scene: Scene) -> None:
    scene.poll()
    scene.cluster.views = {1: [1, 2], 2: [1, 2], 3: [1, 2, 3]}
    for _ in range(3):
        assert flags(scene.poll()) == {1: UP, 2: UP, 3: FENCED}
    scene.cluster.views = {1: [1, 2], 2: [2, 1], 3: [3, 2, 1]}
    assert flags(scene.poll())[3] == FENCED
    scene.cluster.down = {2}  # one against one: fewer brokers are newer
    assert flags(scene.poll()) == {1: UP, 2: DOWN, 3: FENCED}


def test_a_broker_is_missed_for_an_hour_and_as_long_as_it_is_assigned_replicas(scene: Scene) -> None:
    scene.cluster.topics["a"].append(Row(2, 1, (1, 9), (1,)))
    assert flags(scene.poll())[9] == GONE
    del scene.cluster.nodes[3]
    assert flags(scene.poll()) == {1: UP, 2: UP, 3: GONE, 9: GONE}
    scene.clock.time_ms += HOUR_MS + 1
    assert [broker.host for broker in scene.poll().brokers] == ["b1", "b2", "b3", ""], (
        "3 is assigned replicas"
    )
    scene.cluster.topics = {}
    assert flags(scene.poll()) == {1: UP, 2: UP}


def test_a_dead_broker_takes_only_its_share_away(scene: Scene) -> None:
    scene.poll()
    scene.cluster.down = {2}
    seen = scene.poll()
    assert flags(seen) == {1: UP, 2: DOWN, 3: UP}
    assert seen.partitions.end.tolist() == [100, 100, UNKNOWN]
    assert (group_of(seen, "new").state, group_of(seen, "new").commits) == ("", None)
    assert group_of(seen, "old").commits is not None
    assert seen.incomplete == {"offsets", "groups", "commits"}
    scene.cluster.down = set()
    assert not scene.poll().incomplete


def test_a_partition_without_leader_has_no_offsets(scene: Scene) -> None:
    scene.cluster.topics["b"] = [Row(0, UNKNOWN, (2, 3), (3,))]
    seen = scene.poll()
    assert (seen.partitions.leader.tolist(), seen.partitions.end.tolist()) == ([1, 3, -1], [100, 100, -1])
    assert seen.incomplete == {"offsets"}


def test_all_is_asked_for_in_pieces(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scene.poll()
    monkeypatch.setattr(poll_offsets, "CHUNK", 1)
    monkeypatch.setattr(poll_groups, "CHUNK", 1)
    scene.cluster.groups["also"] = StubGroup(1)
    pieces = scene.poll()
    assert pieces.partitions.end.tolist() == whole.partitions.end.tolist()
    assert [group.members for group in pieces.groups] == [2, 0, 5, 2]


def test_nobody_answers_and_then_somebody_at_the_old_address(scene: Scene) -> None:
    scene.poll()
    scene.cluster.down = {1, 2, 3}
    seen = scene.poll()
    assert (seen.answered, seen.cluster_id, seen.incomplete) == (False, "c", EVERYTHING)
    assert flags(seen) == {1: DOWN, 2: DOWN, 3: DOWN}
    scene.cluster.nodes = {7: Node(7, "b1", 9092, ""), 1: Node(1, "b1", 9092, "")}
    scene.cluster.down = {2, 3}
    seen = scene.poll()
    assert seen.answered
    assert flags(seen) == {1: UP, 2: GONE, 3: GONE, 7: UP}


def test_a_group_whose_coordinator_moved_is_found_at_once(scene: Scene) -> None:
    listed = scene.cluster._ListGroups

    def and_moves(broker: int, request: ListGroups) -> object:
        answer = listed(broker, request)
        if broker == 3:
            scene.cluster.groups["old"].coordinator = 3
        return answer

    scene.cluster._ListGroups = and_moves  # type: ignore[method-assign, assignment]
    seen = scene.poll()
    assert not seen.incomplete
    assert group_of(seen, "old").commits is not None
    assert (group_of(seen, "old").members, scene.cluster.asked(OffsetFetch).count(3)) == (2, 2)


def test_a_group_is_gone_when_its_coordinator_says_so(scene: Scene) -> None:
    scene.poll()
    scene.cluster.groups["old"].listed = False
    scene.cluster.groups["new"].listed = False
    del scene.cluster.groups["idle"]
    seen = scene.poll("groups", "commits")
    assert [(group.id, group.members) for group in seen.groups] == [("new", 5), ("old", 2)]
    assert not seen.incomplete
    del scene.cluster.groups["old"]
    assert [group.id for group in scene.poll("commits").groups] == ["new"]
    scene.cluster.groups.clear()
    assert scene.poll().groups == ()
    scene.poll()
    assert scene.cluster.asked(FindCoordinator) == []


def test_a_coordinator_that_still_loads_gives_no_commits(scene: Scene) -> None:
    scene.poll()
    scene.cluster.loading = {1}
    seen = scene.poll()
    assert seen.incomplete == {"groups", "commits"}
    assert group_of(seen, "old").commits is None
    assert group_of(seen, "new").commits is not None


def test_groups_that_are_not_watched(scene: Scene) -> None:
    scene.cluster.groups = {
        "hidden": StubGroup(1),
        "sharing": StubGroup(2, "share"),
        "flow": StubGroup(3, "streams"),
    }
    seen = scene.poll()
    assert [(group.id, group.state, group.members) for group in seen.groups] == [("flow", "Stable", UNKNOWN)]
    assert not seen.incomplete


def test_min_isr_is_asked_for_every_five_minutes(scene: Scene) -> None:
    def poll_after(minutes: float) -> tuple[dict[str, int], int]:
        scene.clock.time_ms += int(minutes * 60_000)
        seen = scene.poll("min_isr")
        return dict(seen.min_isr), len(scene.cluster.asked(DescribeConfigs))

    assert poll_after(0) == ({"a": 2, "b": 1}, 1)
    scene.cluster.min_isr["a"] = "3"
    assert poll_after(4) == ({"a": 2, "b": 1}, 0)
    assert poll_after(1) == ({"a": 3, "b": 1}, 1)
    scene.cluster.min_isr = {"a": "3"}
    assert poll_after(5) == ({"a": 3, "b": 1}, 1), "the last one known stands"
    scene.cluster.topics["fresh"] = [Row(0, 1, (1,), (1,))]
    assert poll_after(0.1) == ({"a": 3, "b": 1}, 1)
    assert scene.poll("min_isr").incomplete == {"min_isr"}
    scene.cluster.min_isr["fresh"] = "4"
    assert poll_after(0.5) == ({"a": 3, "b": 1, "fresh": 4}, 1)


def test_a_bootstrap_address_that_is_none() -> None:
    with pytest.raises(ValueError, match="'kafka:port' ends in no port"):
        KafkaConnection(bootstrap_servers=["kafka:port"])
