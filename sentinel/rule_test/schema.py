"""Unit-test files of rules as they are written. What a text means is said by its type's `parse`."""

from __future__ import annotations

import msgspec

from sentinel.decode.timestamps import ms_of_rfc3339, ms_of_seconds
from sentinel.model import Duration, Histogram, Labels
from sentinel.promql.series_description import parse_metric, parse_values

NONE = Duration(0)
MINUTE = Duration(60_000)


class StartTime(int):
    """Milliseconds since the epoch, written as RFC 3339 or as unix seconds."""

    @classmethod
    def parse(cls, text: str) -> StartTime:
        """Raises ValueError with a text for the user."""
        try:
            return cls(ms_of_seconds(float(text)))
        except ValueError:
            pass
        try:
            return cls(ms_of_rfc3339(text))
        except ValueError as error:
            message = f"{text!r} is no time: {error}\nwrite 2026-01-31T12:00:00Z or unix seconds"
            raise ValueError(message) from None


class Metric(Labels):
    """A label set, written as a series: `up{job="node"}`."""

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Raises ValueError with a text for the user."""
        return cls(parse_metric(text) if text else ())


class ExpectedHistogram:
    """A native histogram, written as in a series: `{{schema:1 sum:3 count:2 buckets:[2]}}`."""

    def __init__(self, histogram: Histogram) -> None:
        self.histogram = histogram

    @classmethod
    def parse(cls, text: str) -> ExpectedHistogram:
        """Raises ValueError with a text for the user."""
        values = parse_values(text)
        if len(values) != 1 or not isinstance(values[0], Histogram):
            raise ValueError(f"expected one histogram, got {text!r}\nwrite {{{{sum:3 count:2 buckets:[2]}}}}")
        return cls(values[0])


class InputSeries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A series and its values, in the notation of `promql.series_description`."""

    series: Metric
    values: str = ""


class ExpectedAlert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`alertname` goes without saying."""

    exp_labels: dict[str, str] = {}
    exp_annotations: dict[str, str] = {}


class AlertTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All alerts of a name that fire at a time. None expected: they are quiet."""

    eval_time: Duration = NONE
    alertname: str
    exp_alerts: list[ExpectedAlert] = []


class ExpectedSample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`value` counts for nothing beside a histogram."""

    labels: Metric = Metric()
    value: float = 0.0
    histogram: ExpectedHistogram | None = None


class ExpressionTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All samples that an expression gives at a time."""

    eval_time: Duration = NONE
    expr: str
    exp_samples: list[ExpectedSample] = []


class UnitTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `tests`: input, and what is to come of it. `interval` 0 is `evaluation_interval`."""

    name: str = ""
    interval: Duration = NONE
    start_timestamp: StartTime = StartTime()
    input_series: list[InputSeries] = []
    external_labels: dict[str, str] = {}
    external_url: str = ""
    alert_rule_test: list[AlertTest] = []
    promql_expr_test: list[ExpressionTest] = []

    @property
    def last_ms(self) -> int:
        """The latest time, from the start on, at which something is compared."""
        alerts = (check.eval_time for check in self.alert_rule_test)
        return max(*alerts, *(check.eval_time for check in self.promql_expr_test), 0, 0)


class UnitTestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule_files: list[str] = []
    evaluation_interval: Duration = MINUTE
    group_eval_order: list[str] = []
    fuzzy_compare: bool = False
    tests: list[UnitTest] = []
