"""The scan of line protocol against its plain twin, and what it leaves to it."""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel.decode import Limits
from sentinel.decode._influx_plain import split_plain
from sentinel.decode.influx import InfluxConfig, InfluxDecoder, split_points
from sentinel.decode.rows import Scanned
from sentinel.model import Decoded

MODEST = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LIMITS = Limits(labels=4, label_name_bytes=8, label_value_bytes=30, record_bytes=2000)


class PlainInflux(InfluxDecoder):
    def _scan(self, payloads: Any, times: Any) -> Any:
        """Leaves every record to the plain reader."""
        return Scanned.nothing(payloads)


WORDS = st.sampled_from(
    [
        *[
            "cpu",
            "a",
            "value",
            "val\\ ue",
            "host",
            "__name__",
            "long_name_1",
            "x" * 31,
            "m" * 14,
            "é",
            "\\ ",
            "\\,",
        ],
        *[
            "\\=",
            "\\",
            "\\\\",
            "a\\\\ b",
            '"',
            'q"q',
            "=",
            "a=b",
            "",
            "#",
            "\t",
            "tab\tbed",
            "\\\n",
            "C:\\x",
            "\r",
        ],
    ]
)
VALUES = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**20), 10**20).map(lambda number: f"{number}i"),
    st.sampled_from(
        [
            *[
                "t",
                "T",
                "true",
                "True",
                "TRUE",
                "tRUE",
                "f",
                "false",
                "FALSE",
                "falsey",
                "1",
                "+1",
                ".5",
                "1.",
                "01",
            ],
            *[
                "1u",
                "1.5u",
                "i",
                "-",
                "NaN",
                "1e5i",
                "1e400",
                '""',
                '"a b"',
                '"a,b=c"',
                '"\\"',
                '"\\\\"',
                '"a\nb"',
            ],
            *['"a" ', '"open', "1 ", "12345678901234567890.5", ""],
        ]
    ),
)
TIMES = st.sampled_from(
    [
        *[
            "",
            "",
            " 1760000000000000000",
            " 1760000000000",
            " 1760000000",
            " -1",
            " 1.5",
            " 9" + "9" * 30,
            " ",
        ],
        *[
            "  1760000000000000000  ",
            " 1760000000000000000\r",
            "\t1760000060000000001",
            " 1e18",
            " 1 2",
            " x",
            " 0",
        ],
    ]
)
BLANK = st.sampled_from([" ", " ", " ", " ", "  ", "\t", ""])


@st.composite
def lines(draw: Any) -> str:
    if draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from(["", "# comment é", " ", "#", "\r", '# a="']))
    tags = [f",{draw(WORDS)}={draw(WORDS)}" for _ in range(draw(st.integers(0, 5)))]
    fields = [f"{draw(WORDS)}={draw(VALUES)}" for _ in range(draw(st.integers(1, 3)))]
    return f"{draw(WORDS)}{''.join(tags)}{draw(BLANK)}{','.join(fields)}{draw(TIMES)}"


@st.composite
def records(draw: Any) -> bytes:
    good = st.sampled_from(
        ["cpu,host=a value=1", 'm,t=v f=1i,s="x" 1760000000000000000', "disk free=t,used=0.5"]
    )
    text = "\n".join(draw(st.lists(st.one_of(good, good, lines()), max_size=4)))
    record = bytearray(text.encode() + draw(st.sampled_from([b"", b"\n", b"\r\n"])))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(record)))
        record[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(record)


def _rows(decoded: Decoded) -> list[Any]:
    batch = decoded.batch
    return [
        (
            int(batch.record[row]),
            int(batch.timestamp_ms[row]),
            struct.pack("d", batch.value[row]),
            batch.labels(row),
        )
        for row in range(len(batch))
    ]


@given(st.lists(records(), max_size=6), st.sampled_from(["ns", "us", "ms", "s", "m", "h"]))
@MODEST
def test_the_scan_equals_the_plain_reader(payloads_of: Any, found: list[bytes], precision: Any) -> None:
    payloads, config = (
        payloads_of(found),
        InfluxConfig(precision=precision, value_field="val ue", separator='"'),
    )
    scanned = InfluxDecoder(config, LIMITS, 60_000).decode(payloads)
    plain = PlainInflux(config, LIMITS, 60_000).decode(payloads)
    assert (_rows(scanned), scanned.refused) == (_rows(plain), plain.refused)
    assert scanned.batch.series_hash.tolist() == plain.batch.series_hash.tolist()


@given(st.lists(st.one_of(lines(), st.text('a=" \\\n#,', max_size=12)), max_size=6))
@MODEST
def test_lines_are_split_as_the_plain_way_splits_them(found: list[str]) -> None:
    body = "\n".join(found).encode()
    split = split_points("push", "influx", body, arrival_ms=0)
    spans = [(start, end) for start, end in split_plain(body) if end > start]
    assert list(zip(split.start.tolist(), split.end.tolist(), strict=True)) == spans


@given(st.lists(records(), max_size=4))
@MODEST
def test_good_lines_read_alike_alone_and_together(payloads_of: Any, found: list[bytes]) -> None:
    decoder = InfluxDecoder(InfluxConfig(), LIMITS, 60_000)
    split = split_points("push", "influx", b"\n".join(found), arrival_ms=1_760_000_000_000)
    survey = decoder.survey(split)
    alone = decoder.decode(split).batch
    assert sum(survey.reasons.values()) == len(decoder.decode(split).refused)
    assert (survey.good is None) == (not len(alone))
    if survey.good is not None:
        roomy = InfluxDecoder(
            InfluxConfig(), Limits(labels=4, label_name_bytes=8, label_value_bytes=30), 60_000
        )
        together = roomy.decode(survey.good)
        assert together.refused == []
        assert [row[1:] for row in _rows(together)] == [row[1:] for row in _rows(Decoded(alone, []))]


def test_usual_records_need_no_twin(payloads_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.decode.influx.read_record", None)
    decoded = InfluxDecoder(InfluxConfig(), Limits(), 60_000).decode(payloads_of(InfluxDecoder.EXAMPLES))
    assert len(decoded.batch) == 7


def test_room_for_names_grows_while_reading(payloads_of: Any) -> None:
    many = b",".join(b"f%d=%d" % (n, n) for n in range(300))
    records = [b"m" * 20 + b",host=%d " % row + many for row in range(20)]
    batch = InfluxDecoder(InfluxConfig(), Limits(), 60_000).decode(payloads_of(records)).batch
    assert batch.value.tolist() == list(map(float, range(300))) * 20
    assert [batch.labels(row).get("host") for row in range(0, 6000, 300)] == [str(row) for row in range(20)]
    assert batch.labels(5999).get("__name__") == "m" * 20 + "_f299"


def test_importing_the_decoder_does_not_import_numba() -> None:
    program = "import sys, sentinel.decode.influx; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
