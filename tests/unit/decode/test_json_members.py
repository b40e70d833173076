"""Members known by their bytes: whatever record came before, each is read as if it were the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.decode import Limits
from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.model import Decoded, Payloads

MEMBERS = [
    '"name":"m"',
    '"value":1',
    '"value":2.5',
    '"timestamp":1760000000000',
    '"timestamp" : 1760000000001',
    '"labels":{"a":"x"}',
    '"labels":\t{"a":"y"}',
    '"other":[1,{"value":7}]',
    '"Zürich":true',
    '"na\\u006de":"n"',
    '"value_of_something_with_a_long_name":null',
    '"value" :3',
    ' "value":4',
    '"valu":5',
    '"value":',
    '"value"',
    '"value',
    "",
]
GAPS = st.sampled_from([",", ", ", " ,", ",,", "", "  ,  "])


@st.composite
def record(draw: st.DrawFn) -> bytes:
    """Members in some order, mostly as a producer would write them."""
    members = draw(st.lists(st.sampled_from(MEMBERS), max_size=10))
    if draw(st.booleans()):
        members = ['"name":"m"', *members, '"value":1']
    gap = draw(st.one_of(st.just(","), st.just(","), GAPS))
    return f"{{{gap.join(members)}{draw(st.sampled_from(['}', '}', ' }', '}}', '']))}".encode()


class Plain(JsonDecoder):
    """The twin alone."""

    def _scan(self, *unused: Any) -> None: ...


def read(decoded: Decoded) -> tuple[list[Any], list[tuple[int, str]]]:
    batch = decoded.batch
    rows = [
        (int(batch.record[row]), batch.labels(row), int(batch.timestamp_ms[row]), batch.value[row])
        for row in range(len(batch))
    ]
    return rows, decoded.refused


@settings(max_examples=300, deadline=None)
@given(records=st.lists(record(), min_size=1, max_size=12))
def test_a_batch_is_read_as_its_records_alone(
    records: list[bytes], payloads_of: Callable[..., Payloads]
) -> None:
    config, limits = JsonConfig(), Limits()
    payloads = payloads_of(records)
    found = JsonDecoder(config, limits, 3_600_000).decode(payloads)
    assert read(found) == read(Plain(config, limits, 3_600_000).decode(payloads))
