"""The kernel reads what its plain twin reads, whatever the bytes are."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st
from remote_write_encoder import NOW_MS, Pairs, double, number, request_v2, sample, series, text

from sentinel.decode import Limits
from sentinel.decode._hash import SEED
from sentinel.decode._remote_write_plain import VERDICTS, read_request
from sentinel.decode._remote_write_request import read_request as read_columns
from sentinel.errors import DecodeError
from sentinel.model import STALE_BITS

LIMITS = Limits(labels=3, label_name_bytes=6, label_value_bytes=9, record_bytes=1 << 20)
MODEST = settings(max_examples=250, deadline=None)

names = st.one_of(
    st.sampled_from(["__name__", "job", "a", 'q"', "\\", "", "b"]), st.text(max_size=4), st.binary(max_size=4)
)
values = st.one_of(st.sampled_from(["up", "", "x"]), st.text(max_size=9), st.binary(max_size=10))
pairs = st.one_of(
    st.lists(st.tuples(names, values), max_size=5),
    st.lists(st.sampled_from(["x", "y", "zz"]), unique=True, max_size=3).map(
        lambda found: [("__name__", "up"), *((each, "1") for each in found)]
    ),
)
at_ms = st.one_of(st.sampled_from([NOW_MS, NOW_MS + 60_001, 5, -1]), st.integers(NOW_MS - 9, NOW_MS))
bits = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0x7FF0 << 48, 0x7FF8 << 48))
fields = st.one_of(
    st.builds(sample, bits, at_ms),
    st.builds(lambda at: text(3, number(15, at) + double(3, 1.0)), at_ms),
    st.builds(lambda at: text(4, number(15, at)), at_ms),
    st.builds(number, st.integers(5, 9), st.integers(0, 1 << 64)),
)
rest = st.lists(fields, max_size=4).map(b"".join)


@st.composite
def requests(draw: Any) -> bytes:
    """A request of some version, perhaps damaged."""
    every: list[tuple[Pairs, bytes]] = draw(st.lists(st.tuples(pairs, rest), max_size=5))
    first = draw(st.booleans())
    body = bytearray(b"".join(series(*each) for each in every) if first else request_v2(*every))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["cut", "flip", "put", "drop", "copy"])):
            case "cut":
                del body[at:]
            case "flip" if at < len(body):
                body[at] ^= 1 << draw(st.integers(0, 7))
            case "put":
                body[at:at] = draw(st.binary(max_size=11))
            case "drop":
                del body[at : at + draw(st.integers(1, 9))]
            case _:
                body[at:at] = body[at : at + draw(st.integers(1, 40))]
    return bytes(body)


def by_kernel(body: bytes) -> Any:
    """What the kernel says of a request that stands between other bytes."""
    buffer = np.frombuffer(b"\x0a\x7f" + body + b"\xff\x0a", np.uint8)
    try:
        found = read_columns(buffer, (2, 2 + len(body)), LIMITS, NOW_MS + 60_000, SEED)
    except DecodeError as error:
        return error.reason
    columns, rows, row = found.columns, [], 0
    for one, verdict in enumerate(found.verdict.tolist()):
        count = int(found.counts[one, :2].sum())
        mine = []
        if verdict == 0 or VERDICTS[verdict] == "invalid_histogram":
            for each in range(row, row + count):
                a, b, c, d = columns.key[each].tolist()
                key = found.text[a:b].tobytes(), found.text[c:d].tobytes()
                mine.append(
                    (key, int(columns.timestamp_ms[each]), int(columns.value[each : each + 1].view("u8")[0]))
                )
            row += count
        rows.append((found.spans[one].tolist(), found.counts[one].tolist(), VERDICTS[verdict], mine))
    assert row == len(columns.value)
    return found.version, rows


def by_twin(body: bytes) -> Any:
    """The same of the plain reader; a histogram without buckets has no bits and a count of nothing."""
    try:
        version, every = read_request(body, LIMITS, NOW_MS + 60_000)
    except DecodeError as error:
        return error.reason
    rows = []
    for one in every:
        counts = [len(one.rows) - len(one.histograms), len(one.histograms), one.exemplars]
        mine = [((one.name, one.labels), at, value or 0) for at, value in one.rows] if not one.verdict else []
        rows.append(([edge + 2 for edge in one.span], counts, one.verdict, mine))
    return version, rows


def without_histogram_verdicts(found: Any) -> Any:
    """The twin leaves histograms to `read_histogram`."""
    if isinstance(found, str):
        return found
    version, rows = found
    return version, [(*row[:2], "" if row[2] == "invalid_histogram" else row[2], row[3]) for row in rows]


@MODEST
@given(requests())
def test_kernel_and_twin_agree(body: bytes) -> None:
    assert without_histogram_verdicts(by_kernel(body)) == by_twin(body)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
@example(b"\x18" + b"\xff" * 9 + b"\x01")
@example(b"\x18" + b"\xff" * 9 + b"\x02")
@example(b"\x18" + b"\xff" * 10 + b"\x00")
@example(b"\x98\x80\x80\x80\x10\x00")
@example(series([("__name__", 'q"\\'), ('a"\\', '\\"')]))
@example(series([("__name__", "up")], sample(STALE_BITS), sample(STALE_BITS + 1)))
def test_kernel_and_twin_agree_on_garbage(body: bytes) -> None:
    assert without_histogram_verdicts(by_kernel(body)) == by_twin(body)


def test_the_generator_makes_good_and_bad_requests() -> None:
    """Else the comparison above would compare nothing."""
    said: set[str] = set()
    wanted = {"", "invalid_protobuf", "missing_name", "invalid_label", "duplicate_label", "invalid_utf8"}

    @settings(max_examples=300, deadline=None, database=None)
    @given(requests())
    def look(body: bytes) -> None:
        found = by_twin(body)
        said.update([found] if isinstance(found, str) else [row[2] for row in found[1]])

    for draw in range(20):  # what one draw of three hundred holds is a matter of luck
        seed(draw)(look)()
        if said >= wanted:
            break
    assert said >= wanted
