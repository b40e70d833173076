"""The kernels against their plain twins: numbers, hashes, text, and whole records."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel.decode import Limits, timestamps
from sentinel.decode._hash import SEED, hash_plain, seed_of
from sentinel.decode.columns import Columns
from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.decode.openmetrics import OpenMetricsConfig, OpenMetricsDecoder
from sentinel.model import Decoded, Labels

MODEST = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LIMITS = Limits(labels=4, label_name_bytes=8, label_value_bytes=30, record_bytes=2000)

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.tuples(st.integers(0, 10**19), st.integers(-360, 320)).map(lambda pair: f"{pair[0]}e{pair[1]}"),
    st.integers(1 << 53, 1 << 54).map(lambda half: f"{(2 * half + 1) * 125}e-3"),  # between two floats
    st.sampled_from(["-0", "-0.0", "0e9", "1e308", "1.7976931348623157e308", "5e-324", "1E+2", "1e-400"]),
)


def _scan(text: str) -> tuple[int, bool, float]:
    from sentinel.decode._numbers_kernel import scan_number, to_float

    buffer = np.frombuffer(text.encode(), np.uint8)
    pos, mantissa, exponent, shape = scan_number(buffer, 0, len(buffer))
    known, value = to_float(mantissa, exponent, shape)
    return pos, known, value


@settings(max_examples=600, deadline=None)
@given(NUMBERS)
def test_a_number_has_the_bits_that_python_gives_it(text: str) -> None:
    pos, known, value = _scan(text)
    assert pos == len(text)
    assert not known or struct.pack("d", value) == struct.pack("d", float(text))


CARRIED = [
    "25779623963639465e-50",
    "87636318531254554e33",
    "94012526137967599e-157",
    "54466399468993181e-152",
]
"""Whose rounding needs the lower half of the power of ten."""


@pytest.mark.parametrize(
    "text", ["-0.0", "1e308", "0.10000000000000001", "12345678901234567", "2.5e-17", "9e22", *CARRIED]
)
def test_usual_numbers_need_no_twin(text: str) -> None:
    _, known, value = _scan(text)
    assert (known, struct.pack("d", value)) == (True, struct.pack("d", float(text)))


@given(st.text("0123456789+-.eE", max_size=8))
@MODEST
def test_the_number_grammar_is_json(text: str) -> None:
    longest = re.match(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text)
    pos = _scan(text)[0]
    assert (pos == len(text)) == (longest is not None and longest.end() == len(text))


@given(st.binary(max_size=60), st.data())
@MODEST
def test_the_hash_equals_its_twin(text: bytes, data: st.DataObject) -> None:
    from sentinel.decode._hash_kernel import hash_rows

    key = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
    columns = Columns.empty(1)
    columns.key[0] = key
    hash_rows(np.frombuffer(text, np.uint8), SEED, np.zeros(1, np.int64), columns)
    assert tuple(columns.series_hash[0].tolist()) == hash_plain(
        text[key[0] : key[1]], text[key[2] : key[3]], SEED
    )


def test_keys_that_read_alike_hash_apart() -> None:
    keys = [
        (b"a", b"b"),
        (b"ab", b""),
        (b"", b"ab"),
        (b"a", b"b\0"),
        (b"a\0", b"b"),
        (b"\0" * 8, b""),
        (b"", b""),
    ]
    assert len({hash_plain(name, labels, SEED) for name, labels in keys}) == len(keys)
    assert seed_of(Labels({"a": "b"})).tolist() != seed_of(Labels({"a": "c"})).tolist()


@given(st.one_of(st.binary(max_size=20), st.text(max_size=20).map(str.encode)), st.binary(max_size=2))
@MODEST
def test_utf8_is_judged_as_python_judges_it(text: bytes, tail: bytes) -> None:
    from sentinel.decode._scan_kernel import valid_utf8

    try:
        (text + tail).decode()
        expected = True
    except UnicodeDecodeError:
        expected = False
    assert valid_utf8(np.frombuffer(text + tail + b"padding!", np.uint8), 0, len(text + tail)) is expected


@given(st.datetimes(), st.sampled_from(["Z", "z", "+05:45", "-23:59", ""]), st.text("0123456789", max_size=5))
@settings(max_examples=300, deadline=None)
def test_rfc3339_equals_its_twin(time: Any, zone: str, fraction: str) -> None:
    from sentinel.decode._scan_kernel import ms_of_rfc3339

    text = f"{time:%Y}".zfill(4) + f"{time:-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + zone
    try:
        expected = timestamps.ms_of_rfc3339(text)
    except ValueError:
        expected = -1
    got = ms_of_rfc3339(np.frombuffer(text.encode(), np.uint8), 0, len(text))
    assert got == expected or (got < 0 and expected < 86_400_000)  # around 1970 the twin decides


class _PlainJson(JsonDecoder):
    def _scan(self, *unused: Any) -> None:
        """Leaves every record to the plain reader."""


class _PlainOpenMetrics(OpenMetricsDecoder):
    def _scan(self, *unused: Any) -> int:
        """Leaves every record to the plain reader."""
        return -1


_TEXT = st.sampled_from(
    ["up", "a_b", "é", "x" * 31, "q\\\\", "\\n", '\\"', "\\u00e9", "", "a b", "\t", "\\", "{", "#"]
)
_NAMES = st.sampled_from(["job", "le", "a", "long_name_1", "long_name_2", "__name__", "", "j\\u006fb"])
_VALUES = st.one_of(
    NUMBERS, st.sampled_from(["null", "true", '"1"', "NaN", "+Inf", "-Inf", "01", "1.", ".5", "+1"])
)
_TIMES = st.sampled_from(
    [
        "null",
        "1760000000000",
        "1760000000.5",
        "1760000060000",
        "1760000060001",
        "-1",
        "99999999999",
        "100000000000",
        "1e999",
        "1e15",
        "true",
        '"2025-10-09T08:53:20.5Z"',
        '"2025-02-29T00:00:00Z"',
        '""',
    ]
)
_UNREAD = st.recursive(
    st.sampled_from(
        ["1", "false", "null", '"é"', "nul", "1e999", "{}", "[ ]", "[1}", '"\\n"', '{"a":[[', "[1,]"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{' , '.join(parts)}]"),
        st.lists(inner, max_size=3).map(
            lambda parts: f"{{{','.join(f'{chr(34)}k{chr(34)} :{v}' for v in parts)} }}"
        ),
        st.tuples(st.integers(20, 34), inner).map(lambda deep: "[" * deep[0] + deep[1] + "]" * deep[0]),
    ),
    max_leaves=4,
)
_BLANK = st.sampled_from(["", "", "", " ", "\n", "\t "])


@st.composite
def json_records(draw: Any) -> bytes:
    labels = draw(st.lists(st.tuples(_NAMES, _TEXT), max_size=5))
    body = ",".join(f'{draw(_BLANK)}"{name}":{draw(_BLANK)}"{value}"{draw(_BLANK)}' for name, value in labels)
    fields = {
        "name": f'"{draw(_TEXT)}"',
        "labels": draw(st.sampled_from([f"{{{body}}}", "null", "[]"])),
        "value": draw(_VALUES),
        "timestamp": draw(_TIMES),
        "other": draw(_UNREAD),
    }
    order = draw(st.permutations(list(fields))) + draw(st.sampled_from([[], [], [], ["value"], ["other"]]))
    skipped = draw(st.integers(0, 2))
    members = [f'{draw(_BLANK)}"{name}": {fields[name]}' for name in order[skipped:]]
    return f"{{{','.join(members)}}}".encode()


@st.composite
def expositions(draw: Any) -> bytes:
    lines = []
    for _ in range(draw(st.integers(0, 3))):
        pairs = draw(st.lists(st.tuples(_NAMES, _TEXT), max_size=5))
        body = ",".join(f'{name}{draw(_BLANK)}="{value}"' for name, value in pairs)
        time = draw(st.sampled_from(["", "", " 1760000000000", " 1760000000.5", " -1", " 9e99", " # {} 1"]))
        name = draw(st.sampled_from(["up", "a:b", "http_requests_total", "9", ""]))
        braces = draw(st.sampled_from(["", f"{{{body}}}", f"{{{body},}}"]))
        lines.append(f"{name}{braces} {draw(_VALUES)}{time}")
        lines.append(draw(st.sampled_from(["", "# HELP up é", "  ", "# EOF"])))
    return "\n".join([*lines, draw(st.sampled_from(["", "# EOF", "# EOF\n"]))]).encode()


@st.composite
def damaged(draw: Any, records: Any) -> bytes:
    record = bytearray(draw(records))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(record)))
        record[at : at + draw(st.integers(0, 2))] = draw(
            st.one_of(st.binary(max_size=2), _TEXT.map(str.encode))
        )
    return bytes(record)


def _rows(decoded: Decoded) -> list[Any]:
    batch = decoded.batch
    columns = zip(batch.record.tolist(), batch.timestamp_ms.tolist(), batch.value.tolist(), strict=True)
    return [(struct.pack("d", value), *rest, batch.labels(row)) for row, (*rest, value) in enumerate(columns)]


@given(st.lists(damaged(json_records()), max_size=8))
@MODEST
def test_the_json_scan_equals_the_plain_reader(payloads_of: Any, records: list[bytes]) -> None:
    payloads = payloads_of(records)
    scanned = JsonDecoder(JsonConfig(), LIMITS, 60_000).decode(payloads)
    plain = _PlainJson(JsonConfig(), LIMITS, 60_000).decode(payloads)
    assert (_rows(scanned), scanned.refused) == (_rows(plain), plain.refused)


@pytest.mark.parametrize("levels", [30, 31, 32])
def test_both_bound_the_depth_alike(payloads_of: Any, levels: int) -> None:
    """The record itself is the first of at most 32 levels."""
    payloads = payloads_of([b'{"x":' + b"[" * levels + b"]" * levels + b',"name":"a","value":1}'])
    for kind in (JsonDecoder, _PlainJson):
        refused = kind(JsonConfig(), LIMITS, 60_000).decode(payloads).refused
        assert refused == ([] if levels < 32 else [(0, "too_deep")])


@given(st.lists(damaged(expositions()), max_size=4))
@MODEST
def test_the_exposition_scan_equals_the_plain_reader(payloads_of: Any, records: list[bytes]) -> None:
    payloads = payloads_of(records)
    scanned = OpenMetricsDecoder(OpenMetricsConfig(), LIMITS, 60_000).decode(payloads)
    plain = _PlainOpenMetrics(OpenMetricsConfig(), LIMITS, 60_000).decode(payloads)
    assert (_rows(scanned), scanned.refused) == (_rows(plain), plain.refused)
    assert scanned.batch.series_hash.tolist() == plain.batch.series_hash.tolist()


def test_usual_records_need_no_twin(payloads_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.decode.json.read_sample", None)
    monkeypatch.setattr("sentinel.decode.openmetrics.read_exposition", None)
    nested = b'{"x":{"a":[{},[1,{"b":null}]],"c":""},"name":"a","value":1}'
    records = [*JsonDecoder.EXAMPLES, nested]
    assert len(JsonDecoder(JsonConfig(), Limits(), 60_000).decode(payloads_of(records)).batch) == 4
    texts = OpenMetricsDecoder.EXAMPLES[:2]
    assert (
        len(OpenMetricsDecoder(OpenMetricsConfig(), Limits(), 60_000).decode(payloads_of(texts)).batch) == 4
    )


def test_importing_the_decoders_does_not_import_numba() -> None:
    program = (
        "import sys, sentinel.decode.json, sentinel.decode.openmetrics; sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
