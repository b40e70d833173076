"""What is told of tests: texts, differences, JUnit XML, coverage; and what counts as equal."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.model import Buckets, Histogram, Labels
from sentinel.promql.plan import FOREVER_MS
from sentinel.promql.series_description import Point, parse_values
from sentinel.rule_test import Coverage, Failure, FileResult, Mismatch, Outcome, Runner, junit_xml
from sentinel.rule_test.compare import compare_samples, float_text, histogram_text
from sentinel.rule_test.input import Input
from sentinel.rule_test.rehearsal import Sample
from sentinel.rule_test.text import failure_text
from sentinel.store.store import Store
from tests.unit.rule_test.world import one_test, rules_of, write

OUTCOME = Outcome("n", "t.yml:1:1")


@pytest.mark.parametrize(
    ("failure", "diff", "text"),
    [
        (Failure("rule: r", "bad"), False, "    name: n,\n    rule: r, err: bad"),
        (
            Failure("expr: e", Mismatch([], ["{} 1E+00", "{} 2E+00"])),
            False,
            "    name: n,\n    expr: e, \n        exp: nil\n        got: {} 1E+00, {} 2E+00",
        ),
        (
            Failure("alertname: A", Mismatch(["L\nA", "M\nB"], [], blocks=True)),
            False,
            "    name: n,\n    alertname: A, \n        exp:[\n            0:\n              L\n"
            "              A,\n            1:\n              M\n              B\n"
            "            ], \n        got:[]",
        ),
        (
            Failure("alertname: A", Mismatch(["L\nA"], ["L\nB"], blocks=True)),
            True,
            "    name: n,\n    alertname: A, \n        diff:\n"
            "              L\n            - A\n            + B",
        ),
    ],
)
def test_failures_as_text(failure: Failure, diff: bool, text: str) -> None:
    assert failure_text(OUTCOME, failure, diff=diff) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0E+00"),
        (-0.0, "-0E+00"),
        (1.5, "1.5E+00"),
        (-1234.5, "-1.2345E+03"),
        (1e-9, "1E-09"),
        (1e300, "1E+300"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_as_text(value: float, text: str) -> None:
    assert float_text(value) == text


counts = st.lists(st.integers(1, 9).map(float), min_size=1, max_size=4)
histograms = st.builds(
    lambda schema, counts, negative, zero: Histogram(
        schema=schema,
        count=sum(counts) + sum(negative) + zero,
        sum=sum(counts),
        zero_count=zero,
        zero_threshold=zero / 8,
        positive=Buckets.of(2, np.array(counts)),
        negative=Buckets.of(-3, np.array(negative)),
    ),
    st.integers(-4, 8),
    counts,
    counts,
    st.integers(0, 5).map(float),
)


@given(histograms)
def test_a_histograms_text_reads_back(histogram: Histogram) -> None:
    (again,) = parse_values(histogram_text(histogram))
    assert isinstance(again, Histogram)
    assert histogram_text(again) == histogram_text(histogram)
    assert (again.positive, again.negative) == (histogram.positive, histogram.negative)


values = st.one_of(st.floats(), histograms)
samples = st.dictionaries(st.sampled_from("abcdef"), values).map(
    lambda found: [Sample(Labels({"l": label}), value) for label, value in found.items()]
)


@given(samples, st.randoms(), st.booleans())
def test_equal_whatever_the_order_is(found: list[Sample], chance: random.Random, fuzzy: bool) -> None:
    shuffled = found[:]
    chance.shuffle(shuffled)
    assert compare_samples(found, shuffled, fuzzy=fuzzy) is None
    if found:
        assert compare_samples(found[1:], shuffled, fuzzy=fuzzy) is not None


points = st.lists(st.one_of(st.none(), st.floats(allow_nan=False), histograms), max_size=6)


@given(st.dictionaries(st.sampled_from("abc"), points), st.integers(1, 3), st.integers(-5, 5))
def test_input_is_the_same_bit_by_bit_and_at_once(
    series: dict[str, list[Point]], interval_ms: int, start_ms: int
) -> None:
    def given(steps: list[int]) -> dict[Labels, list[tuple[int, str]]]:
        store = Store(retention_ms=FOREVER_MS)
        named = {Labels({"__name__": name}): values for name, values in series.items()}
        samples = Input(named, interval_ms, start_ms)
        for until_ms in steps:
            samples.give(store, until_ms)
        found = {}
        for slot in store.index.live():
            _, times, column = store.windows.export(np.array([slot], np.int64))
            assert times[-1] <= steps[-1]
            boxes = store.histograms.unbox(column[np.isnan(column)])
            texts = map(histogram_text, boxes)
            rows = zip(times.tolist(), column.tolist(), strict=True)
            found[store.labels(slot)] = [(at, next(texts) if v != v else str(v)) for at, v in rows]
        return found

    end_ms = start_ms + 5 * interval_ms
    whole = given([end_ms])
    assert given([*range(start_ms, end_ms, 2), end_ms]) == whole
    assert sum(map(len, whole.values())) == sum(p is not None for each in series.values() for p in each)


def test_junit() -> None:
    failed = Outcome("bad\x00", "t.yml:2:3", [Failure("rule: r", "<err> & \x1b")])
    results = [FileResult("a.yml", outcomes=[OUTCOME, failed]), FileResult("b.yml", errors=["b.yml:1:1: no"])]
    root = ElementTree.fromstring(junit_xml(results, datetime(2026, 1, 2, 3, 4, 5, 999)))
    assert root.tag == "testsuites"
    ran, aborted = root
    assert dict(ran.attrib) == {
        "name": "a.yml",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
        "timestamp": "2026-01-02T03:04:05",
    }
    assert [(case.get("name"), len(case)) for case in ran] == [("n", 0), ("bad\N{REPLACEMENT CHARACTER}", 1)]
    assert (
        ran[1][0].text
        == "    name: bad\N{REPLACEMENT CHARACTER},\n    rule: r, err: <err> & \N{REPLACEMENT CHARACTER}"
    )
    assert (aborted.get("errors"), aborted.findtext("testcase/error")) == ("1", "b.yml:1:1: no")


def test_coverage_is_of_all_tests_together(tmp_path: Path) -> None:
    rules = rules_of(
        "record: a, expr: x", "record: b, expr: y", "alert: C, expr: x > 1, for: 1m", "alert: D, expr: y"
    )
    seen = Coverage()
    runner = Runner(coverage=seen)
    for name, values in {"x": "1 2", "y": "1", "z": "1"}.items():
        body = f"input_series: [{{series: {name}, values: {values}}}], promql_expr_test: [{{expr: '1'}}]"
        runner.run(write(tmp_path, one_test(body), rules))
        if name == "x":
            assert (seen.seen, seen.total, seen.percent) == (1, 4, 25)
    (file,) = seen.by_file()
    assert (file.seen, [rule.name for rule in file.missed]) == (3, ["C"])
    path = tmp_path / "r.yml"
    assert list(seen.lines()) == [
        f"  {path}: 3 of 4 rules (75%)",
        f"    {path}:6:5: alert C never fired",
        "  all: 3 of 4 rules (75%)",
    ]


def test_no_rules_are_all_covered() -> None:
    assert Coverage().percent == 100
