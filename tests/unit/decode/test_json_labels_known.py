"""Labels that are known by their bytes: whatever came before, a record is read as if it were the first."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.decode import Limits
from sentinel.decode import _json_form as forms
from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.model import Decoded, Labels

LIMITS = Limits(labels=3, label_name_bytes=8, label_value_bytes=16, record_bytes=300)
OBJECTS = [
    *(
        '{"a":"x"}',
        '{ "a" : "x" }',
        "{}",
        "{ }",
        "null",
        '{"a":"x","b":"y"}',
        '{"b":"y","a":"x"}',
        '{"a":""}',
    ),
    *('{"a":"x}"}', '{"a":"x}","b":"y"}', '{"a":"}"}', '{"a":"x\\"}"}', '{"a":"\\u007d"}', '{"a}":"x"}'),
    *(
        '{"a":"Zürich"}',
        '{"a":"x","b":"ü}"}',
        '{"ü":"x"}',
        '{"a":"x"',
        '{"a":"x","a":"y"}',
        '{"a":{"b":"c"}}',
    ),
    *('{"a":"x",}', '{"a":1}', '{"__name__":"x"}', '{"a":"12345678901234567"}', '{"a":"1","b":"2","c":"3"}'),
    *('{"a":"1","b":"2","c":"3","d":"4"}', '"{}"', "[]", '{"a":"x"}}', '{"a":"x\n"}'),
]
AROUND = [
    '{"name":"m","labels":%s,"value":1}',
    '{"value":1,"labels":%s,"name":"m"}',
    '{"labels":%s,"name":"m","value":1,"x":"}"}',
    '{"name":"m","labels":%s,"value":1,"labels":%s}',
    '{"name":"m","x":%s,"value":1}',
]
RECORDS = st.builds(
    lambda around, label: around.replace("%s", label).encode(),
    st.sampled_from(AROUND),
    st.sampled_from(OBJECTS),
)


class Plain(JsonDecoder):
    """The twin alone."""

    def _scan(self, *unused: Any) -> None: ...


def read(decoded: Decoded) -> tuple[list[Any], list[tuple[int, str]]]:
    batch = decoded.batch
    rows = [
        (int(batch.record[row]), batch.labels(row), struct.pack("d", batch.value[row]))
        for row in range(len(batch))
    ]
    return rows, decoded.refused


@given(
    batches=st.lists(st.lists(RECORDS, min_size=1, max_size=12), min_size=1, max_size=4), target=st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_what_was_read_before_makes_no_difference(
    payloads_of: Any, batches: list[list[bytes]], target: bool
) -> None:
    decoder, plain = (kind(JsonConfig(), LIMITS, 60_000) for kind in (JsonDecoder, Plain))
    of = Labels({"site": "b"}) if target else Labels()
    for records in (*batches, *batches):
        payloads = payloads_of(records, target=of)
        found = decoder.decode(payloads)
        assert read(found) == read(plain.decode(payloads))
        again = JsonDecoder(JsonConfig(), LIMITS, 60_000).decode(payloads)
        assert np.array_equal(found.batch.series_hash, again.batch.series_hash)


def test_more_labels_than_there_is_room_for_are_read_all_the_same(
    payloads_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_MOST", 16)
    monkeypatch.setattr(forms.LabelsKnown.empty.__func__, "__defaults__", (4,))  # type: ignore[attr-defined]
    decoder = JsonDecoder(JsonConfig(), LIMITS, 60_000)
    records = [b'{"name":"m","labels":{"a":"%d"},"value":%d}' % (i, i) for i in range(100)]
    for _ in range(4):
        rows, refused = read(decoder.decode(payloads_of(records)))
        assert [labels.get("a") for _, labels, _ in rows] == [str(i) for i in range(100)] and not refused
