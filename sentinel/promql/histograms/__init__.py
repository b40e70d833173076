"""Operations on native histograms, by Prometheus's rules. They make new histograms and change none."""

from sentinel.promql.histograms.arithmetic import (
    Combined,
    add,
    divide,
    equal,
    interpolate,
    scale,
    subtract,
    with_schema,
)
from sentinel.promql.histograms.bounds import BucketTable, buckets
from sentinel.promql.histograms.reconcile import IncompatibleError
from sentinel.promql.histograms.resets import is_reset
from sentinel.promql.histograms.statistics import fraction, has_nan_observations, quantile, variance
from sentinel.promql.histograms.sums import mean, total
from sentinel.promql.histograms.text import text
from sentinel.promql.histograms.trim import trim_lower, trim_upper

__all__ = [
    "BucketTable",
    "Combined",
    "IncompatibleError",
    "add",
    "buckets",
    "divide",
    "equal",
    "fraction",
    "has_nan_observations",
    "interpolate",
    "is_reset",
    "mean",
    "quantile",
    "scale",
    "subtract",
    "text",
    "total",
    "trim_lower",
    "trim_upper",
    "variance",
    "with_schema",
]
