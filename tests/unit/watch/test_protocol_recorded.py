"""Bytes that Apache Kafka 4.4.0, 3.9.2 and 2.8.2 answered, whole, cut short and altered."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import SourceError
from sentinel.watch.poll.protocol.describe_configs import DescribeConfigs
from sentinel.watch.poll.protocol.describe_groups import ConsumerGroupDescribe, Described, DescribeGroups
from sentinel.watch.poll.protocol.find_coordinator import FindCoordinator
from sentinel.watch.poll.protocol.list_groups import GroupList, Listed, ListGroups
from sentinel.watch.poll.protocol.list_offsets import ListOffsets
from sentinel.watch.poll.protocol.metadata import Metadata, Node, Row, View
from sentinel.watch.poll.protocol.offset_fetch import OffsetFetch
from sentinel.watch.poll.protocol.request import Request, read

from .protocol_answers import exchanged

METADATA = (
    "AAAAAAIAAAABCjEyNy4wLjAuMQAAcaQAABdBRzR1NzlfNFE1MnFhUGxkZmo4cHd3AAAAAQMAAAN0MQAEAAAAAAAB"
    "AAAAAQAAAAACAAAAAQIAAAABAQAAAAAAAAIAAAABAAAAAAIAAAABAgAAAAEBAAAAAAAAAAAAAAEAAAAAAgAAAAEC"
    "AAAAAQEAgAAAAAAAABNfX2NvbnN1bWVyX29mZnNldHMBBQAAAAAAAQAAAAEAAAAAAgAAAAECAAAAAQEAAAAAAAAD"
    "AAAAAQAAAAACAAAAAQIAAAABAQAAAAAAAAIAAAABAAAAAAIAAAABAgAAAAEBAAAAAAAAAAAAAAEAAAAAAgAAAAEC"
    "AAAAAQEAgAAAAACAAAAAAA=="
)
COMMITS_V8 = (
    "AAAAAAIDZzACA3QxBwAAAAUAAAAAAAAACv////8BAAAAAAAAAAAAAAAAAAAK/////wEAAAAAAAACAAAAAAAAAAr/"
    "////AQAAAAAAAAQAAAAAAAAACv////8BAAAAAAAAAQAAAAAAAAAU/////wEAAAAAAAADAAAAAAAAABT/////AQAA"
    "AAAAAAAA"
)
COMMITS_V7 = (
    "AAAAAAIDdDEEAAAAAgAAAAAAAAAA/////wEAAAAAAAABAAAAAAAAABT/////AQAAAAAAAAAAAAAAAAAACv////8BAAAAAAAAAA=="
)
OFFSETS = (
    "AAAAAAIDdDEEAAAAAgAG//////////////////////////8AAAAAAQAG//////////////////////////8AAAAA"
    "AAAA//////////8AAAAAAAAAFAAAAAIAAAA="
)

ALIKE = [
    (
        ListGroups(),
        5,
        (
            "AAAAAAAABANnMgljb25zdW1lcgZFbXB0eQhjbGFzc2ljAANnNwljb25zdW1lcgZFbXB0eQhjbGFzc2ljAANnMQlj"
            "b25zdW1lcgZFbXB0eQhjbGFzc2ljAAA="
        ),
        GroupList(0, [Listed(name, "consumer", "Empty", "classic") for name in ("g2", "g7", "g1")]),
    ),
    (
        ListGroups(),
        4,
        (
            "AAAAAAAACQNnNwljb25zdW1lcgZFbXB0eQADZzAJY29uc3VtZXIHU3RhYmxlAANnMQljb25zdW1lcgZFbXB0eQAD"
            "ZzIJY29uc3VtZXIGRW1wdHkAA2czCWNvbnN1bWVyBkVtcHR5AANnNAljb25zdW1lcgZFbXB0eQADZzUJY29uc3Vt"
            "ZXIGRW1wdHkAA2c2CWNvbnN1bWVyBkVtcHR5AAA="
        ),
        GroupList(
            0,
            [
                Listed(f"g{n}", "consumer", "Stable" if n == 0 else "Empty", "")
                for n in (7, 0, 1, 2, 3, 4, 5, 6)
            ],
        ),
    ),
    (
        DescribeGroups(["g0", "none"]),
        5,
        (
            "AAAAAAMAAAVub25lBURlYWQBAQGAAAAAAAAAA2cwB1N0YWJsZQljb25zdW1lcgtyb3VuZHJvYmluAjVhaW9rYWZr"
            "YS0wLjE0LjAtNzgwODlmZDgtY2ExNy00N2VhLWFhNGItOTY5MjQxZTExZTY1ABBhaW9rYWZrYS0wLjE0LjALLzEy"
            "Ny4wLjAuMQ8AAAAAAAEAAnQxAAAAACsAAAAAAAEAAnQxAAAABgAAAAAAAAABAAAAAgAAAAMAAAAEAAAABQAAAAAA"
            "gAAAAAAA"
        ),
        {"none": Described(0, "Dead", 0), "g0": Described(0, "Stable", 1)},
    ),
    (
        ConsumerGroupDescribe(["new"]),
        1,
        (
            "AAAAAAIAAAAEbmV3B1N0YWJsZQAAAAIAAAACCHVuaWZvcm0CE2JXVnRZbVZ5TFc5bUxXNWxkdwAAAAAAAglzZW50"
            "aW5lbAsvMTI3LjAuMC4xAgN0MQEC2BMUWinCSsWmjQyrDD3o6AN0MQcAAAAAAAAAAQAAAAIAAAADAAAABAAAAAUA"
            "AALYExRaKcJKxaaNDKsMPejoA3QxBwAAAAAAAAABAAAAAgAAAAMAAAAEAAAABQAAAQCAAAAAAAA="
        ),
        {"new": Described(0, "Stable", 1)},
    ),
    (
        ConsumerGroupDescribe(["new"]),
        0,
        "AAAAAAIAIwAEbmV3AQAAAAAAAAAAAQGAAAAAAAA=",
        {"new": Described(35, "", 0)},
    ),
    (
        FindCoordinator(["new", "g0"]),
        4,
        "AAAAAAMEbmV3AAAAAQoxMjcuMC4wLjEAAOpPAAABAANnMAAAAAEKMTI3LjAuMC4xAADqTwAAAQAA",
        {"new": 1, "g0": 1},
    ),
    (
        FindCoordinator(["g0"]),
        3,
        "AAAAAAAABU5PTkUAAAABCjEyNy4wLjAuMQAAcaQA",
        {"g0": 1},
    ),
    (
        DescribeConfigs("min.insync.replicas", ["t1", "none"]),
        4,
        "AAAAAAMAAAECA3QxAhRtaW4uaW5zeW5jLnJlcGxpY2FzAjIAAwABAwAAAAADAQIFbm9uZQEAAA==",
        {"t1": "2"},
    ),
]
"""Request, version, answer and what it says."""

ALL: list[tuple[Request[Any], int, str]] = [
    (Metadata(topics=True), 9, METADATA),
    (OffsetFetch(["g0"], lambda topic: True), 8, COMMITS_V8),
    (OffsetFetch(["g0"], lambda topic: True), 7, COMMITS_V7),
    (ListOffsets("latest", {"t1": np.arange(3)}), 6, OFFSETS),
    *(each[:3] for each in ALIKE),
]


def decoded(request: Request[Any], version: int, answer: bytes) -> Any:
    return read(request, exchanged(request, version, answer))


@pytest.mark.parametrize(("request_", "version", "answer", "expected"), ALIKE)
def test_answers(request_: Request[Any], version: int, answer: str, expected: Any) -> None:
    assert decoded(request_, version, base64.b64decode(answer)) == expected


def test_metadata() -> None:
    rows = {"t1": 3, "__consumer_offsets": 4}
    assert decoded(Metadata(topics=True), 9, base64.b64decode(METADATA)) == View(
        "AG4u79_4Q52qaPldfj8pww",
        {1: Node(1, "127.0.0.1", 29092, "")},
        {topic: [Row(n, 1, (1,), (1,)) for n in range(count)] for topic, count in rows.items()},
    )


@pytest.mark.parametrize(
    ("version", "answer", "offsets"),
    [(8, COMMITS_V8, [10, 20, 10, 20, 10, 10]), (7, COMMITS_V7, [10, 20, 0])],
)
def test_commits(version: int, answer: str, offsets: list[int]) -> None:
    fetched = decoded(OffsetFetch(["g0"], lambda topic: True), version, base64.b64decode(answer))["g0"]
    assert fetched.commits.topic == ("t1",) * len(offsets)
    assert fetched.commits.partition.tolist() == list(range(len(offsets)))
    assert fetched.commits.offset.tolist() == offsets
    assert not fetched.refused


def test_offsets_of_which_two_have_another_leader() -> None:
    offsets = decoded(ListOffsets("latest", {}), 6, base64.b64decode(OFFSETS))["t1"]
    assert offsets.partition.tolist() == [2, 1, 0]
    assert offsets.offset.tolist() == [-1, -1, 20]
    assert offsets.error.tolist() == [6, 6, 0]


@pytest.mark.parametrize(("request_", "version", "answer"), ALL)
def test_cut_short_it_is_malformed(request_: Request[Any], version: int, answer: str) -> None:
    """Only the end of the outermost structure says nothing, so that nobody misses it."""
    whole = base64.b64decode(answer)
    for size in range(len(whole) - 5):
        with pytest.raises(SourceError, match=f"malformed answer to {request_.api.name}") as refused:
            decoded(request_, version, whole[:size])
        assert refused.value.reason == "protocol"


@given(st.sampled_from(ALL), st.data())
def test_altered_it_is_an_answer_or_malformed(recorded: tuple[Request[Any], int, str], data: Any) -> None:
    request, version, answer = recorded
    altered = bytearray(base64.b64decode(answer))
    for _ in range(data.draw(st.integers(1, 4))):
        altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded(request, version, bytes(altered))
    except SourceError as error:
        assert error.reason == "protocol"


@given(st.sampled_from(ALL), st.binary(max_size=64), st.data())
def test_noise_is_an_answer_or_malformed(recorded: Any, noise: bytes, data: Any) -> None:
    request = recorded[0]
    version = data.draw(st.integers(request.api.lowest, request.api.highest))
    try:
        read(request, exchanged(request, version, *[noise] * len(request.split(version))))
    except SourceError as error:
        assert error.reason == "protocol"
