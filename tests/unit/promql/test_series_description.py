"""Series descriptions: tables of what they mean and of what is refused where, and a round trip."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.model import STALE_BITS, Buckets, Histogram, Labels
from sentinel.promql.series_description import (
    MAX_POINTS,
    Point,
    parse_metric,
    parse_series,
    parse_values,
)


def named(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


METRICS = {
    "": Labels(),
    "{}": Labels(),
    "up": named("up"),
    "up{}": named("up"),
    "job:up:sum": named("job:up:sum"),
    "sum": named("sum"),
    "offset{by='on'}": named("offset", by="on"),
    'm{a="b", c="d",}': named("m", a="b", c="d"),
    '{"http.requests", "service.name"="api", on="y"}': Labels(
        {"__name__": "http.requests", "service.name": "api", "on": "y"}
    ),
    r'm{a="\u70ac = torch", b="}\"{"}': named("m", a="炬 = torch", b='}"{'),
    "m{a=`x\\n`}": named("m", a="x\\n"),
    '  m{ a = "b" }  ': named("m", a="b"),
    'm{a=""}': named("m"),
    r'm{a="\ufffd", b="\xef\xbf\xbd"}': named("m", a="\ufffd", b="\ufffd"),
}


@pytest.mark.parametrize(("text", "labels"), METRICS.items())
def test_metrics(text: str, labels: Labels) -> None:
    assert parse_metric(text) == labels
    assert not text or parse_series(f"{text} 1 _") == (labels, [1.0, None], frozenset())


VALUES: dict[str, list[Point]] = {
    "": [],
    "1 -2 +3 ": [1, -2, 3],
    "  1\t2\n3": [1, 2, 3],
    "1 3 _ 5 _x4 _x0": [1, 3, None, 5, None, None, None, None],
    "1x0 2x2": [1, 2, 2, 2],
    "0x3": [0, 0, 0, 0],
    "3-10x4": [3, -7, -17, -27, -37],
    "-3+0x1 1+1x0": [-3, -3, 1],
    "0+0.1x3": [0, 0.1, 0.2, 0.1 + 0.1 + 0.1],
    ".5 1e3 1.5E-1 1_000 010": [0.5, 1000, 0.15, 1000, 8],
    "inf -Inf +INF inf+1x1": [math.inf, -math.inf, math.inf, math.inf, math.inf],
}


@pytest.mark.parametrize(("text", "values"), VALUES.items())
def test_values(text: str, values: list[Point]) -> None:
    assert parse_values(text) == values


def test_the_end_of_a_series_is_no_ordinary_nan() -> None:
    bits = np.array(parse_values("stale NaN"), np.float64).view(np.uint64)
    assert bits[0] == STALE_BITS != bits[1]


def buckets(*counts: float, offset: int = 0) -> Buckets:
    return Buckets.of(offset, np.array(counts, np.float64))


def shown(histogram: Point) -> str:
    """All fields, so that NaN is like NaN."""
    assert isinstance(histogram, Histogram)
    fields = (
        float(value) if isinstance(value, int) else value for value in msgspec.structs.astuple(histogram)
    )
    return repr(list(fields))


HISTOGRAMS: dict[str, list[Histogram]] = {
    "{{}} {{ }}": [Histogram(), Histogram()],
    "{{schema:1  sum:-0.3 count:3.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 10  7  ] offset:-3 "
    "n_buckets:[4.1 5] n_offset:5 counter_reset_hint:gauge  }}": [
        Histogram(
            schema=1,
            sum=-0.3,
            count=3.1,
            zero_count=7.1,
            zero_threshold=0.05,
            positive=buckets(5.1, 10, 7, offset=-3),
            negative=buckets(4.1, 5, offset=5),
            reset_hint="gauge",
        )
    ],
    "{{schema:-53 custom_values:[-1 5] buckets:[1 2] offset:1}}": [
        Histogram(schema=-53, custom_values=(-1.0, 5.0), positive=buckets(1, 2, offset=1))
    ],
    "{{sum:NaN count:Inf}}x1": [Histogram(sum=math.nan, count=math.inf)] * 2,
    "{{buckets:[5 10]}}x0": [Histogram(positive=buckets(5, 10))],
    "{{sum:1 count:2 buckets:[2]}}+{{sum:2 count:1 buckets:[0 1]}}x2": [
        Histogram(sum=1, count=2, positive=buckets(2)),
        Histogram(sum=3, count=3, positive=buckets(2, 1)),
        Histogram(sum=5, count=4, positive=buckets(2, 2)),
    ],
    "{{sum:9 count:4 buckets:[5 0 7]}}-{{buckets:[1 0 3]}}x1": [
        Histogram(sum=9, count=4, positive=buckets(5, 0, 7)),
        Histogram(sum=9, count=4, positive=buckets(4, 0, 4)),
    ],
    "{{sum:1}}-{{sum:1}}x0": [Histogram(sum=1)],
    "{{buckets:[5]}}+{{buckets:[1 2] schema:1}}x1": [
        Histogram(positive=buckets(5)),
        Histogram(positive=buckets(6, 2)),
    ],
}


@pytest.mark.parametrize(("text", "histograms"), HISTOGRAMS.items())
def test_histograms(text: str, histograms: list[Histogram]) -> None:
    assert list(map(shown, parse_values(text))) == list(map(shown, histograms))


def test_points_say_whether_their_hint_was_written() -> None:
    text = "m _ {{sum:1}} {{counter_reset_hint:unknown}}x1 {{}}+{{counter_reset_hint:reset}}x1 1"
    assert parse_series(text).hinted == {2, 3, 4, 5}


BAD_METRICS = {
    "5up": '1:1: parse error: unexpected "5up"',
    'm{a="b} 1': "1:1: parse error: unexpected",
    '{"m"xx} 1': 'in label set, expected name="value"',
    '{"m"=, x="y"} 1': "in label set",
    'm{a=~"b"} 1': "1:3: parse error: unexpected",
    "m{a} 1": "1:3: parse error: unexpected",
    'm{a="b" c="d"} 1': "in label set",
    'm{a="b",a="c"} 1': 'label "a" is given twice',
    'm{"a", __name__="c"} 1': 'label "__name__" is given twice',
    'm{""="c"} 1': "is no label name",
    r'm{a="\q"} 1': "unknown escape sequence",
    r'm{a="\x"} 1': "escape sequence",
    r'm{a="\ud800"} 1': "escape sequence",
    'm{a="\ufffd"} 1': "1:3: parse error: invalid UTF-8 rune",
    "m{a=`\ufffd`} 1": "1:3: parse error: invalid UTF-8 rune",
}


@pytest.mark.parametrize(("text", "message"), BAD_METRICS.items())
def test_bad_metrics_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="parse error") as caught:
        parse_series(text)
    assert message in str(caught.value)


BAD_VALUES = {
    "1 1+1": "1:3: parse error: 1+1 does not say how often: write 1+1x1 for two points",
    "1 _a4": '1:3: parse error: unexpected "_a4" in series values',
    "-3 _-2": "_-2 does not say how often",
    "-3 _-2x3": "2 cannot be added to _",
    "stale+1x3": "1 cannot be added to stale",
    "stalex3": "only numbers, gaps and histograms can be repeated",
    "1+NaNx3": "only numbers, gaps and histograms can be repeated",
    "1\n3+3x4-4": '2:1: parse error: unexpected "3+3x4-4"',
    "foo": 'unexpected "foo"',
    "1 5m": 'unexpected "5m"',
    "0x1F": 'unexpected "0x1F"',
    "{{}}x": 'unexpected "{{}}x"',
    "1 {{schema:1 schema:1}}": '1:3: parse error: duplicate key "schema" in histogram',
    "{{foo:1}}": 'bad histogram descriptor found: "foo"',
    "{{schema :1}}": "expected key:value",
    "{{schema: 1}}": "expected key:value",
    "{{ schema:1}}": "expected key:value",
    "{{buckets:[ 1]}}": "bad list",
    "{{buckets:5}}": "bad list",
    "{{sum:+1}}": 'bad number "+1"',
    "{{schema:1.5}}": 'bad whole number "1.5"',
    "{{counter_reset_hint:foo}}": 'bad counter_reset_hint "foo"',
    "{{schema:9}}": "schema 9 of a histogram is not known",
    "{{custom_values:[1]}}": "custom_values go with schema:-53 only",
    "{{schema:-53 custom_values:[2 1]}}": "must be finite and ascending",
    "{{schema:-53 custom_values:[1 Inf]}}": "must be finite and ascending",
    "{{schema:-53 custom_values:[1] buckets:[1 2 3]}}": "have room for 2 buckets",
    "{{schema:-53 custom_values:[1] buckets:[1] offset:-1}}": "have room for 2 buckets",
    "{{schema:-53 z_bucket:1}}": "has no z_bucket",
    "{{buckets:[5] schema:1}}+{{buckets:[1]}}x2": "cannot merge from schema 0 to 1",
    "{{sum:1}}+1x3": "1 cannot be added to a histogram",
    "1+{{sum:1}}x3": "cannot be added to 1",
}


@pytest.mark.parametrize(("text", "message"), BAD_VALUES.items())
def test_bad_values_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="parse error") as caught:
        parse_values(text)
    assert message in str(caught.value)


HOSTILE = [
    "1x1000000000",
    "_x" + "9" * 5000,
    f"1x{MAX_POINTS - 1} 1",
    "{{}}+{{sum:1}}x900000",
    "{{schema:8 buckets:[1]}}+{{schema:8 offset:200000 buckets:[1]}}x1000",
    "{{offset:999999999 buckets:[1]}}",
    "{{buckets:[1]}}+{{offset:-2000000 buckets:[1]}}x1",
    "0" + "7" * 5000,
    "1" * 100_000 + "y",
    "{{" * 50_000,
    "{{buckets:[" + "1 " * 50_000 + "x]}}",
]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_hostile_values_are_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match="parse error") as caught:
        parse_values(text)
    assert len(str(caught.value)) < 600


def test_a_series_may_be_as_long_as_is_said() -> None:
    assert len(parse_values(f"1x{MAX_POINTS - 2} 1")) == MAX_POINTS


@given(st.text(alphabet="{}[]:x+-_ .1e\"'`,=ams\\\n", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_series(text)
    except ValueError as error:
        assert "parse error: " in str(error)


numbers = st.floats(allow_nan=False, width=32)
# Without U+FFFD: Prometheus's lexer takes it, however it came into a string, for what Go makes of bytes that
# are no UTF-8, and refuses it; so do we. The tables above have it as it is, and as escapes, which are read.
values_of_labels = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=5)
labels = st.dictionaries(st.from_regex("[a-z_][a-z0-9_]{0,5}", fullmatch=True), values_of_labels, max_size=4)


@given(labels, st.lists(st.one_of(st.none(), numbers), max_size=8))
def test_what_is_written_is_read(pairs: dict[str, str], values: list[float | None]) -> None:
    series = Labels({**pairs, "__name__": "m"})
    shown = " ".join("_" if value is None else repr(value) for value in values)
    assert parse_series(f"{series} {shown}") == (series, values, frozenset())
