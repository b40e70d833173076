"""A push's body becomes one record per line."""

from __future__ import annotations

import pytest

from sentinel.decode.lines import split_lines
from sentinel.model import Labels


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b"", []),
        (b"\n\r\n\n", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"\na\r\n\nbc\nd", [b"a", b"bc", b"d"]),
        (b"a\r", [b"a"]),
        (b"a\r\r\n b ", [b"a\r", b" b "]),
    ],
)
def test_split_lines(body: bytes, records: list[bytes]) -> None:
    payloads = split_lines("push", "json", body, arrival_ms=7, target=Labels({"job": "a"}))
    assert [payloads.record(row) for row in range(len(payloads))] == records
    assert (payloads.offset.tolist(), payloads.next_offset) == (list(range(len(records))), len(records))
    assert (payloads.record_ms == -1).all()
    assert (payloads.source, payloads.format, payloads.arrival_ms) == ("push", "json", 7)
