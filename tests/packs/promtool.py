"""promtool's unit tests of rules (`rule_files`, `tests`, `alert_rule_test`, ...), run over the real engine.

As promtool does it: time starts at 0, every group is evaluated at every `evaluation_interval` whatever its
own interval, each step sees the samples up to its time, and only alerts that fire are compared, in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import yaml

from sentinel.engine import Engine
from sentinel.model import AlertEvent, Duration, Labels
from sentinel.rules.active import ActiveAlert
from sentinel.rules.alerting import AlertingRule
from sentinel.rules.context import instant_vector
from sentinel.rules.load import RuleGroup, load_rules
from sentinel.store.journal import Step
from sentinel.template import RuleData
from tests.conformance.promqltest_script import read_labels, read_values

Alert = tuple[Labels, dict[str, str]]
"""Labels and annotations of an alert that fires."""


class InputSeries(msgspec.Struct, forbid_unknown_fields=True):
    series: str
    values: str


class ExpectedAlert(msgspec.Struct, forbid_unknown_fields=True):
    exp_labels: dict[str, str] = {}
    exp_annotations: dict[str, str] = {}


class AlertTest(msgspec.Struct, forbid_unknown_fields=True):
    eval_time: str
    alertname: str
    exp_alerts: list[ExpectedAlert] = []


class ExpectedSample(msgspec.Struct, forbid_unknown_fields=True):
    labels: str
    value: float


class ExpressionTest(msgspec.Struct, forbid_unknown_fields=True):
    eval_time: str
    expr: str
    exp_samples: list[ExpectedSample] = []


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of `tests`: input, and what is to come of it."""

    name: str
    interval: str
    input_series: list[InputSeries] = []
    alert_rule_test: list[AlertTest] = []
    promql_expr_test: list[ExpressionTest] = []


class TestFile(msgspec.Struct, forbid_unknown_fields=True):
    __test__ = False  # the name is not for pytest

    rule_files: list[str]
    evaluation_interval: str
    tests: list[Case]

    @classmethod
    def load(cls, path: Path) -> TestFile:
        return msgspec.convert(yaml.safe_load(path.read_text()), cls)


class Rules:
    """Rule groups in an engine of their own, from time 0 on."""

    def __init__(self, groups: Sequence[RuleGroup]) -> None:
        self.engine = Engine(groups)
        self.now_ms = 0
        for group in self.engine.groups.values():
            group.last_ms = -1  # 0 is a time to evaluate at

    def give(self, labels: Labels, at_ms: int, value: float) -> None:
        self.engine.store.add(labels, [at_ms], [value])

    def evaluate(self, at_ms: int) -> list[AlertEvent]:
        """All groups, in their order."""
        self.now_ms = at_ms
        return self.engine.advance(Step(key, at_ms) for key in self.engine.groups)

    def problems(self) -> list[str]:
        return [problem for group in self.engine.groups.values() for problem in group.health.values()]

    def firing(self, alertname: str) -> list[Alert]:
        """Labels and annotations of the alerts of this name that fire, by labels."""
        rules = [rule for group in self.engine.groups.values() for rule in group.alerting()]
        alerts = [
            (labels, self._annotations(rule, alert))
            for rule in rules
            if rule.name == alertname
            for labels, alert in rule.active.items()
            if alert.told
        ]
        return sorted(alerts, key=lambda alert: alert[0])

    def query(self, text: str) -> list[tuple[Labels, float]]:
        evaluator = self.engine.evaluator
        ids, values = instant_vector(evaluator, evaluator.prepare(text), self.now_ms)
        return [
            (evaluator.labels(id), value) for id, value in zip(ids.tolist(), values.tolist(), strict=True)
        ]

    def _annotations(self, rule: AlertingRule, alert: ActiveAlert) -> dict[str, str]:
        """As of now; of what only `keep_firing_for` holds, as of the time when it was told."""
        if alert.told and alert.keep_since_ms:
            return dict(alert.told.annotations)

        def ask(text: str) -> list[tuple[Mapping[str, str], float]]:
            return [(labels.map, value) for labels, value in self.query(text)]

        data = RuleData(labels=alert.sample.map, value=alert.value, query=ask, now_ms=self.now_ms)
        return {name: text.render(data) for name, text in rule.rule.annotations.items()}


def rules_of(path: Path, file: TestFile) -> Rules:
    names = [found for pattern in file.rule_files for found in sorted(path.parent.glob(pattern))]
    return Rules([group for name in names for group in load_rules(name)])


def run(path: Path, file: TestFile, case: Case) -> Iterator[str]:
    """What is not as the case has it, in words."""
    rules, every = rules_of(path, file), Duration.parse(file.evaluation_interval)
    samples = sorted(_samples(case), key=lambda sample: sample[0])
    checks: list[AlertTest | ExpressionTest] = [*case.alert_rule_test, *case.promql_expr_test]
    times = [Duration.parse(check.eval_time) for check in checks]
    given = 0
    for at_ms in range(0, max(times) + 1, every):
        while given < len(samples) and samples[given][0] <= at_ms:
            rules.give(samples[given][1], samples[given][0], samples[given][2])
            given += 1
        rules.evaluate(at_ms)
        yield from (f"{problem} at {Duration(at_ms)}" for problem in rules.problems())
        for check, time in zip(checks, times, strict=True):
            if at_ms <= time < at_ms + every:
                yield from _compare(rules, check)


def _samples(case: Case) -> Iterator[tuple[int, Labels, float]]:
    interval = Duration.parse(case.interval)
    for each in case.input_series:
        labels, values = read_labels(each.series), read_values(each.values)
        assert values is not None, f"{each.series}: native histograms are not supported"
        yield from ((row * interval, labels, value) for row, value in enumerate(values) if value is not None)


def _compare(rules: Rules, check: AlertTest | ExpressionTest) -> Iterator[str]:
    if isinstance(check, AlertTest):
        own = {"alertname": check.alertname}
        wanted = sorted(
            ((Labels({**e.exp_labels, **own}), e.exp_annotations) for e in check.exp_alerts),
            key=lambda alert: alert[0],
        )
        found = rules.firing(check.alertname)
        if found != wanted:
            yield f"{check.alertname} at {check.eval_time}: {found}, not {wanted}"
        return
    expected = sorted((read_labels(sample.labels), sample.value) for sample in check.exp_samples)
    result = sorted(rules.query(check.expr))
    if result != expected:
        yield f"{check.expr} at {check.eval_time}: {result}, not {expected}"
