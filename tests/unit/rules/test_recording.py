"""Recording rules: what they write, when it ends, and in which order rules see each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sentinel.model import Buckets, Histogram, Labels
from tests.unit.rules.world import MINUTE, World, one_rule


def test_labels_of_a_result() -> None:
    world = World(
        one_rule(
            "record: r", "expr: x", "labels: {i: '', a: '{{ $labels.i }}'}", group="labels: {b: g, a: g}"
        )
    )
    world.pass_minute(q=3)
    assert world.query("r") == {'r{a="{{ $labels.i }}", b="g"}': 3}


def test_a_scalar_is_one_sample_without_labels() -> None:
    world = World(one_rule("record: r", "expr: 2 * 21"))
    world.pass_minute()
    assert world.query("r") == {"r": 42}


def test_what_is_gone_ends_at_once_and_may_come_back() -> None:
    world = World(one_rule("record: r", "expr: x > 5"))
    world.pass_minute(a=9, b=9)
    assert len(world.query("r")) == 2
    world.pass_minute(a=9, b=1)
    assert world.query("r") == {'r{i="a"}': 9}
    world.pass_minute(a=9, b=7)
    assert len(world.query("r")) == 2


def test_what_was_written_before_a_restart_ends_after_it(tmp_path: Path) -> None:
    world = World(one_rule("record: r", "expr: x > 5") + "    - {alert: A, expr: x > 5}\n")
    world.pass_minute(a=9)
    world.restart(tmp_path)
    assert len(world.query("r")) == len(world.query("ALERTS")) == 1
    world.pass_minute(a=1)
    assert world.query("r") == world.query("ALERTS") == {}


def test_ids_of_label_sets_may_be_given_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.promql.sources._SPARE_IDS", -(1 << 40))
    monkeypatch.setattr("sentinel.promql.evaluate._RUNS_BETWEEN_LOOKS", 1)
    world = World(one_rule("record: r", "expr: x") + "    - {alert: A, expr: x > 5}\n")
    assert world.pass_minute(a=9) == ["firing A a"]
    assert world.pass_minute(b=9) == ["firing A b", "resolved A a"]
    assert world.query("r") == {'r{i="b"}': 9}


def test_a_query_offset_reads_and_writes_earlier() -> None:
    rules = one_rule("record: r", "expr: x", group="query_offset: 2m") + "    - {alert: A, expr: r > 5}\n"
    world = World(rules)
    assert world.pass_minute(a=9) == world.pass_minute(a=1) == []
    assert world.pass_minute(a=1) == ["firing A a"]
    assert world.events[0].starts_at_ms == world.now
    assert world.query("timestamp(r)") == {'{i="a"}': (world.now - 2 * MINUTE) / 1000}
    assert world.query("timestamp(ALERTS) - timestamp(r)") == {}
    assert list(world.query("timestamp(ALERTS)").values()) == [(world.now - 2 * MINUTE) / 1000]


def test_another_rule_may_take_a_series_over() -> None:
    """Each ends what it no longer gives, but not what the other has just written."""
    rules = "    - {record: r, expr: x < 5}\n"
    world = World(one_rule("record: r", "expr: x > 5") + rules)
    for value in (9, 1, 9, 1):
        world.pass_minute(a=value)
        if value == 9:
            assert world.query("r") == {'r{i="a"}': 9}
    world.pass_minute(a=-3)
    assert world.query("r") == {'r{i="a"}': -3}


HISTOGRAM = Histogram(count=3, sum=5, positive=Buckets.of(0, np.array([1.0, 2.0])))


def test_native_histograms_stay_whole() -> None:
    world = World(one_rule("record: r", "expr: x"))
    pool = world.engine.store.histograms
    world.now += MINUTE
    world.engine.store.add(Labels({"__name__": "x", "i": "a"}), [world.now], pool.box([HISTOGRAM]).tolist())
    world.evaluate()
    evaluator = world.engine.evaluator
    vector = evaluator.instant(evaluator.prepare("r"), world.now)
    (found,) = pool.unbox(vector.values)  # type: ignore[union-attr]
    assert repr(found) == repr(HISTOGRAM) and world.problems() == []


def test_an_alert_over_a_native_histogram(tmp_path: Path) -> None:
    """Its value is 0, as in Prometheus; templates see the histogram, after a restart too."""
    text = "annotations: {text: '{{ $value }}'}"
    world = World(one_rule("alert: A", "expr: x", "keep_firing_for: 5m", text))
    world.now += MINUTE
    box = world.engine.store.histograms.box([HISTOGRAM]).tolist()
    world.engine.store.add(Labels({"__name__": "x", "i": "a"}), [world.now], box)
    assert world.evaluate() == ["firing A a"]
    (event,) = world.events
    assert event.value == 0 and event.annotations["text"].startswith("{count:3, sum:5")
    world.restart(tmp_path)
    (alert,) = world.rule.active.values()
    assert world.rule.annotations(alert, world.now) == event.annotations


CHAIN = """
groups:
  - name: g
    rules:
      - {record: a, expr: sum(x)}
      - {record: b, expr: a + 1}
      - {record: early, expr: late}
      - {record: late, expr: b * 10}
      - {alert: A, expr: 'late > 0', labels: {severity: page}}
      - {record: pages, expr: 'count(ALERTS{severity="page"})'}
      - {record: tickets, expr: 'count(ALERTS{severity="ticket"})'}
      - {record: own, expr: own + 1 or vector(0)}
      - {record: any, expr: 'count({__name__=~"a|b"})'}
      - {record: odd, expr: x, detector: deviation}
      - {record: band, expr: 'odd:upper'}
"""


def test_rules_see_what_those_before_them_wrote_and_what_others_wrote_before() -> None:
    world = World(CHAIN)
    for minute in range(1, 4):
        world.pass_minute(i=minute)
        assert world.query("b") == {"b": minute + 1}
        assert world.query("early") == ({"early": minute * 10} if minute > 1 else {})
        assert world.query("late") == {"late": minute * 10 + 10}
        assert (world.query("pages"), world.query("tickets")) == ({"pages": 1}, {})
        assert world.query("own") == {"own": minute - 1}
