"""One test: the rules are evaluated step by step over its input, and what they give is compared."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from sentinel.errors import QueryError, RuleError
from sentinel.model import STALE_BITS, Duration, Labels, quote
from sentinel.promql.series_description import Point
from sentinel.rule_test.compare import compare_alerts, compare_samples
from sentinel.rule_test.input import Input
from sentinel.rule_test.outcome import Failure, Mismatch, Outcome
from sentinel.rule_test.reading import ReadFile, ReadTest
from sentinel.rule_test.rehearsal import FiringAlert, Rehearsal, Sample
from sentinel.rule_test.schema import AlertTest, ExpressionTest
from sentinel.rules.load import RuleGroup

LOOKBACK_MS: Final = 300_000

Watcher = Callable[[Rehearsal], None]
"""Shown the rules after every step."""


def run_test(
    file: ReadFile, test: ReadTest, groups: Sequence[RuleGroup], watchers: Sequence[Watcher] = ()
) -> tuple[Outcome, Rehearsal]:
    """What came of a test over these rule groups; and the rules as the test has left them."""
    began = time.perf_counter()
    written = test.written
    rules = Rehearsal(
        groups,
        external_labels=Labels(written.external_labels),
        external_url=written.external_url,
        subquery_step_ms=test.every_ms,
    )
    outcome = Outcome(test.name, file.where(written), notes=[*_notes(test, groups)])
    if _evaluate(file, test, rules, outcome, watchers):
        outcome.failures += _wrong_expressions(file, test, rules)
    outcome.seconds = time.perf_counter() - began
    return outcome, rules


def _evaluate(
    file: ReadFile, test: ReadTest, rules: Rehearsal, outcome: Outcome, watchers: Sequence[Watcher]
) -> bool:
    """All steps, and the alerts that are compared on the way; False if a rule failed, which ends the test."""
    start_ms, every_ms = int(test.written.start_timestamp), test.every_ms
    samples = Input(test.series, test.interval_ms, start_ms)
    due = deque(sorted(test.written.alert_rule_test, key=lambda check: check.eval_time))
    last_ms = test.written.last_ms // every_ms * every_ms
    for step_ms in range(0, last_ms + 1, every_ms) if rules.groups else (last_ms,):
        at_ms = start_ms + step_ms
        samples.give(rules.store, at_ms)
        rules.evaluate(at_ms)
        for watcher in watchers:
            watcher(rules)
        problems = [
            Failure(f"rule: {problem.rule}, time: {Duration(step_ms)}", problem.message)
            for problem in rules.problems()
        ]
        if problems:
            outcome.failures += problems
            return False
        while due and due[0].eval_time < step_ms + every_ms:
            outcome.failures += _wrong_alerts(file, due.popleft(), rules, at_ms)
    return True


def _wrong_alerts(file: ReadFile, check: AlertTest, rules: Rehearsal, at_ms: int) -> Iterator[Failure]:
    expected = [
        FiringAlert({**alert.exp_labels, "alertname": check.alertname}, alert.exp_annotations)
        for alert in check.exp_alerts
    ]
    wrong = compare_alerts(expected, rules.firing(check.alertname, at_ms))
    if wrong is not None:
        about = f"alertname: {check.alertname}, time: {check.eval_time}, at: {file.where(check)}"
        yield Failure(about, wrong)


def _wrong_expressions(file: ReadFile, test: ReadTest, rules: Rehearsal) -> Iterator[Failure]:
    for check in test.written.promql_expr_test:
        wrong = _wrong_expression(check, rules, int(test.written.start_timestamp), file.written.fuzzy_compare)
        if wrong is not None:
            about = f"expr: {quote(check.expr)}, time: {check.eval_time}, at: {file.where(check)}"
            yield Failure(about, wrong)


def _wrong_expression(
    check: ExpressionTest, rules: Rehearsal, start_ms: int, fuzzy: bool
) -> Mismatch | str | None:
    try:
        got = rules.query(check.expr, start_ms + check.eval_time)
    except (QueryError, RuleError) as error:
        return str(error)
    expected = [
        Sample(sample.labels, sample.histogram.histogram if sample.histogram else sample.value)
        for sample in check.exp_samples
    ]
    return compare_samples(expected, got, fuzzy=fuzzy)


def _notes(test: ReadTest, groups: Sequence[RuleGroup]) -> Iterator[str]:
    """What need not be a mistake but often is."""
    alertnames = {rule.alert for group in groups for rule in group.rules}
    for name in sorted({check.alertname for check in test.written.alert_rule_test} - alertnames):
        yield f"no rule is called {name}: it cannot fire"
    if len(test.series) < len(test.written.input_series):
        yield "a series is described twice: the last description counts"
    ends = [len(values) for values in test.series.values() if values and not _ended(values[-1])]
    if ends and (ends_ms := (max(ends) - 1) * test.interval_ms) + LOOKBACK_MS <= test.written.last_ms:
        yield (
            f"all input ends at {Duration(ends_ms)}, so that from {Duration(ends_ms + LOOKBACK_MS)} on "
            f"there is none; the last eval_time is {Duration(test.written.last_ms)}"
        )


def _ended(point: Point) -> bool:
    """Whether a series that closes with this point ends because the test wants it to."""
    return point is None or (isinstance(point, float) and np.float64(point).view(np.uint64) == STALE_BITS)
