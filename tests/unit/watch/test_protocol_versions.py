"""Answers in every version that is understood, and requests as another implementation reads them."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from aiokafka.protocol import admin, coordination, metadata, offset
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import SourceError
from sentinel.watch.poll.protocol.describe_configs import DescribeConfigs
from sentinel.watch.poll.protocol.describe_groups import Described, DescribeGroups
from sentinel.watch.poll.protocol.find_coordinator import FindCoordinator
from sentinel.watch.poll.protocol.list_groups import GroupList, Listed, ListGroups
from sentinel.watch.poll.protocol.list_offsets import ListOffsets
from sentinel.watch.poll.protocol.metadata import Metadata, Node, Row, View
from sentinel.watch.poll.protocol.offset_fetch import OffsetFetch
from sentinel.watch.poll.protocol.request import Api, Request, read
from sentinel.watch.poll.protocol.wire import Reader, Writer

from . import protocol_answers as answers
from .protocol_answers import answered, exchanged

INT32 = st.integers(0, 2**31 - 1)
NAMES = st.text(max_size=200)
IDS = st.lists(INT32, max_size=4).map(tuple)
ROWS = st.lists(
    st.builds(Row, st.integers(0, 50), st.integers(-1, 9), IDS, IDS),
    max_size=5,
    unique_by=lambda r: r.partition,
).map(lambda rows: sorted(rows, key=lambda row: row.partition))
NODES = st.lists(st.builds(Node, INT32, NAMES, INT32, NAMES), max_size=4).map(
    lambda nodes: {node.id: node for node in nodes}
)
VIEWS = st.builds(View, NAMES, NODES, st.dictionaries(NAMES, ROWS, max_size=4))
TEXTS = st.none() | st.just("") | st.text(max_size=3) | st.just("x" * 300)
COMMITS = st.lists(
    st.tuples(INT32, st.integers(-1, 2**63 - 1), TEXTS, st.sampled_from([0, 0, 0, 29])),
    max_size=12,
    unique_by=lambda row: row[0],
)
UNIFORM = st.builds(
    lambda rows, text: [(*row, text, 0) for row in rows],
    st.lists(st.tuples(INT32, st.integers(-1, 2**63 - 1)), unique_by=lambda row: row[0]),
    TEXTS,
)


def versions(request: type[Request[Any]]) -> st.SearchStrategy[int]:
    return st.integers(request.api.lowest, request.api.highest)


@given(VIEWS, versions(Metadata))
def test_metadata(view: View, version: int) -> None:
    assert answered(Metadata(topics=True), version, answers.metadata(view)) == view


@given(
    st.builds(GroupList, st.integers(0, 99), st.lists(st.builds(Listed, NAMES, NAMES, NAMES))),
    versions(ListGroups),
)
def test_groups_are_listed_with_what_the_version_tells(found: GroupList, version: int) -> None:
    got = answered(ListGroups(), version, answers.list_groups(found))
    expected = [
        Listed(g.id, g.protocol, g.state * (version >= 4), g.type.title().lower() * (version >= 5))
        for g in found.groups
    ]
    assert got == GroupList(found.error, expected)


@given(st.dictionaries(NAMES, UNIFORM | COMMITS, max_size=4), versions(OffsetFetch))
def test_commits_are_those_rows_that_hold_one(topics: Any, version: int) -> None:
    request = OffsetFetch(["g"], lambda topic: topic != "unwanted")
    topics["unwanted"] = [(0, 1, "", 29)]
    got = answered(request, version, answers.offset_fetch({"g": (0, topics)}))["g"]
    del topics["unwanted"]
    rows = [(topic, *row) for topic, its in topics.items() for row in its]
    expected = sorted(
        (topic, at, offset) for topic, at, offset, _, error in rows if offset >= 0 and not error
    )
    commits = got.commits
    assert (
        list(zip(commits.topic, commits.partition.tolist(), commits.offset.tolist(), strict=True)) == expected
    )
    assert got.refused == any(row[-1] for row in rows)
    assert (commits.partition.dtype, commits.offset.dtype) == (np.int64, np.int64)


@given(
    st.dictionaries(NAMES, st.lists(st.tuples(INT32, st.integers(-1, 2**63 - 1), st.integers(0, 99)))),
    versions(ListOffsets),
)
def test_offsets_of_partitions(topics: Any, version: int) -> None:
    got = answered(ListOffsets("latest", {}), version, answers.list_offsets(topics))
    columns = {
        topic: list(zip(each.partition.tolist(), each.offset.tolist(), each.error.tolist(), strict=True))
        for topic, each in got.items()
    }
    assert columns == topics


def test_old_brokers_are_asked_for_one_group_at_a_time() -> None:
    request = OffsetFetch(["a", "b"], lambda topic: True)
    bodies = [
        answers.body(request, 7, answers.offset_fetch({"": (error, {"t": [(0, at, "", 0)]})}))
        for error, at in ((0, 4), (16, 5))
    ]
    got = read(request, exchanged(request, 7, *bodies))
    assert {group: (each.error, each.commits.offset.tolist()) for group, each in got.items()} == {
        "a": (0, [4]),
        "b": (16, [5]),
    }


def theirs(response: Any) -> bytes:
    return bytes(response.encode())


OLD = [
    (
        Metadata(topics=True),
        5,
        metadata.MetadataResponse_v5(
            0, [(1, "h", 9, None)], "c", 1, [(0, "t", False, [(0, 0, 1, [1, 2], [1], [2])])]
        ),
        View("c", {1: Node(1, "h", 9, "")}, {"t": [Row(0, 1, (1, 2), (1,))]}),
    ),
    (
        ListGroups(),
        1,
        admin.ListGroupsResponse_v1(0, 0, [("g", "consumer")]),
        GroupList(0, [Listed("g", "consumer", "", "")]),
    ),
    (
        DescribeGroups(["g"]),
        3,
        admin.DescribeGroupsResponse_v3(
            0, [(0, "g", "Stable", "consumer", "range", [("m", "c", "h", b"12", b"345")] * 2, 7)]
        ),
        {"g": Described(0, "Stable", 2)},
    ),
    (FindCoordinator(["g"]), 1, coordination.FindCoordinatorResponse_v1(0, 0, None, 4, "h", 9), {"g": 4}),
    (FindCoordinator(["g"]), 1, coordination.FindCoordinatorResponse_v1(0, 15, "no", -1, "", -1), {}),
    (
        DescribeConfigs("k", ["t"]),
        1,
        admin.DescribeConfigsResponse_v1(
            0, [(0, None, 2, "t", [("k", "2", False, 5, False, [("s", "2", 5)])]), (3, "no", 2, "u", [])]
        ),
        {"t": "2"},
    ),
]


@pytest.mark.parametrize(("request_", "version", "response", "expected"), OLD)
def test_answers_that_another_implementation_writes(
    request_: Request[Any], version: int, response: Any, expected: Any
) -> None:
    assert read(request_, exchanged(request_, version, theirs(response))) == expected


ASKED = [
    (Metadata(topics=True), metadata.MetadataRequest_v5),
    (ListGroups(), admin.ListGroupsRequest_v1),
    (DescribeGroups(["g", "h"]), admin.DescribeGroupsRequest_v3),
    (FindCoordinator(["g"]), coordination.FindCoordinatorRequest_v1),
    (DescribeConfigs("k", ["t"]), admin.DescribeConfigsRequest_v1),
    (ListOffsets("earliest", {"t": np.array([0, 3])}), offset.OffsetRequest_v2),
]


@pytest.mark.parametrize(("request_", "known"), ASKED)
def test_requests_are_whole_to_another_implementation(request_: Request[Any], known: Any) -> None:
    out = Writer(known.API_VERSION, False)
    request_.encode(out)
    buffer = BytesIO(bytes(out.buffer))
    understood = known.decode(buffer)
    assert buffer.read() == b""
    assert understood.encode() == bytes(out.buffer)
    assert request_.api.key == known.API_KEY


@pytest.mark.parametrize(
    ("offered", "version"), [((0, 9), 6), ((4, 5), 5), ((0, 2), None), ((7, 9), None), (None, None)]
)
def test_the_newest_version_that_both_know(offered: tuple[int, int] | None, version: int | None) -> None:
    api = Api("Some", 42, 3, 6, flexible=4)
    known = {} if offered is None else {42: offered}
    if version is not None:
        assert api.version(known) == version
        return
    with pytest.raises(SourceError, match="Some is understood in versions 3 to 6, the broker") as refused:
        api.version(known)
    assert refused.value.reason == "unsupported"


@given(st.integers(0, 2**32 - 1))
def test_varints(number: int) -> None:
    out = Writer(0, True)
    out.uvarint(number)
    assert Reader(bytes(out.buffer), 0, True).uvarint() == number


@given(NAMES | st.none(), st.booleans())
def test_strings_and_unknown_tags_are_passed_over(text: str | None, flexible: bool) -> None:
    out = Writer(0, flexible)
    out.string(text)
    if flexible:
        out.raw(b"\x02\x00\x01z\x05\x02zz")  # two tagged fields, 0 and 5
    out.raw(struct.pack(">i", 7))
    answer = Reader(bytes(out.buffer), 0, flexible)
    assert answer.string() == (text or "")
    answer.tags()
    assert answer.int32() == 7
