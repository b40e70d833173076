"""`river`: any anomaly detector of the river library, one model per series.

    with: {model: HalfSpaceTrees, args: {n_trees: 10, seed: 1}, sensitivity: 0.001, warmup: 250}

Models see `{"value": x}`, put between 0 and 1 by the mean and standard deviation so far (half-space trees
see nothing else); with `shingle: k` also the values before it. Supervised ones (those that score a target:
GaussianScorer and the like) get the value as it is as their target, and the ones before it as features.
Scores of different models mean different things, so each is compared with a high quantile of its own past
(see `detect.quantile`): 1 is what a share `sensitivity` of evaluations may exceed. The first `warmup`
evaluations score nothing.

A model costs 1 to 50 microseconds an evaluation and kilobytes a series: for hundreds of series, not for
100,000. There is no band: a model has a score and no expectation. A gap is not seen by the model: it goes on.
A model whose own scores drift (OneClassSVM) cannot be held to a sensitivity.
An evaluation at which the model fails (some raise on nearly constant series) has no score and is counted in
`failures`; the model goes on. Snapshots are pickles: load none but your own.
"""

from __future__ import annotations

import inspect
import math
import pickle
from collections import deque
from typing import Any, ClassVar

import msgspec

from sentinel.detect.detector import Scores, check_rows, nothing
from sentinel.detect.quantile import TailQuantile
from sentinel.errors import ConfigError, StateError
from sentinel.model import Floats, Int64s

_FORMAT = "river/1"
_MEMORY = 10_000  # evaluations that mean and standard deviation of the values reach back
_FAILURES = (TypeError, ValueError, ArithmeticError, LookupError)


class _Series:
    """One series' model, and what its values and scores have been."""

    __slots__ = ("count", "mean", "model", "recent", "scale", "square")

    def __init__(self, model: Any, shingle: int, sensitivity: float) -> None:
        self.model = model
        self.recent: deque[float] = deque(maxlen=shingle)
        self.scale = TailQuantile(sensitivity)
        self.count, self.mean, self.square = 0, 0.0, 0.0

    def place(self, x: float) -> float:
        """`x` between 0 and 1, eight standard deviations to either side of the mean of the values before."""
        spread = 16 * math.sqrt(self.square)
        placed = (
            0.5 + (x - self.mean) / spread
            if spread
            else 0.5 + math.copysign(0.5, x - self.mean) * (x != self.mean)
        )
        return min(max(placed, 0.0), 1.0)

    def observe(self, x: float) -> None:
        self.count += 1
        weight = 1 / min(self.count, _MEMORY)
        away = x - self.mean
        self.mean += weight * away
        self.square += weight * (away * (x - self.mean) - self.square)


class River:
    """One river model per series, made at its first value."""

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """What `with:` takes."""

        model: str
        """A class of `river.anomaly` that stands alone, such as HalfSpaceTrees."""
        args: dict[str, Any] = {}
        sensitivity: float = 1e-4
        """Share of undisturbed evaluations that may score above 1."""
        warmup: int = 250
        """Evaluations, of which the second half teaches what scores are usual."""
        shingle: int = 1
        """How many last values a model sees."""

        def __post_init__(self) -> None:
            _check(self)

    has_band: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        self._config = config
        self._class, self._args = _model_class(config)
        self._supervised = "y" in inspect.signature(self._class.score_one).parameters
        self._names = ["value", *(f"value_{back}" for back in range(1, config.shingle))]
        self._series: list[_Series | None] = []
        self.failures = 0
        """Evaluations without a score because the model raised."""

    def resize(self, rows: int) -> None:
        del self._series[rows:]
        self._series.extend([None] * (rows - len(self._series)))

    def reset(self, rows: Int64s) -> None:
        check_rows(rows, len(self._series))
        for row in rows:
            self._series[row] = None

    def update(self, rows: Int64s, at_ms: int, value: Floats) -> Scores:
        check_rows(rows, len(self._series))
        scores = nothing(len(rows))
        for at, (row, x) in enumerate(zip(rows.tolist(), value.tolist(), strict=True)):
            if math.isfinite(x):
                series = self._series[row] or self._new(row)
                scores.score[at] = self._score(series, x)
        return scores

    def snapshot(self) -> bytes:
        return pickle.dumps((_FORMAT, self._config, self._saved(), self.failures), protocol=5)

    def restore(self, state: bytes) -> None:
        try:
            form, config, series, failures = pickle.loads(state)
        except Exception as error:  # pickle raises what it likes
            raise StateError(f"not a snapshot of a river detector: {error}") from None
        if form != _FORMAT or config != self._config:
            raise StateError("a snapshot of a river detector with another configuration")
        self.failures = failures
        self._series = [one and self._loaded(*one) for one in series]

    def _new(self, row: int) -> _Series:
        series = _Series(self._class(**self._args), self._config.shingle, self._config.sensitivity)
        self._series[row] = series
        return series

    def _score(self, series: _Series, x: float) -> float:
        """The common score of one value, which the model learns then; NaN if there is none."""
        given = self._given(series, x)
        series.observe(x)
        if len(series.recent) < self._config.shingle:
            return math.nan
        raw = math.nan
        try:
            found = series.model.score_one(*given)
            raw = math.nan if isinstance(found, complex) else float(found)
            series.model.learn_one(*given)
        except _FAILURES:
            raw = math.nan
        if not math.isfinite(raw):
            self.failures += 1
            return math.nan
        score = series.scale.ratio(raw) if series.count > self._config.warmup else math.nan
        if series.count > self._config.warmup // 2:  # earlier scores are of a model that knew nothing
            series.scale.add(raw)
        return score

    def _given(self, series: _Series, x: float) -> tuple[Any, ...]:
        if self._supervised:  # a target must not be among its own features
            features = dict(zip(self._names[1:], series.recent, strict=False))
            series.recent.appendleft(x)
            return features, x
        series.recent.appendleft(x)
        return (dict(zip(self._names, map(series.place, series.recent), strict=False)),)

    def _saved(self) -> list[Any]:
        return [
            one and (one.model, list(one.recent), one.scale.state(), (one.count, one.mean, one.square))
            for one in self._series
        ]

    def _loaded(self, model: Any, recent: list[float], scale: list[float], values: Any) -> _Series:
        series = _Series(model, self._config.shingle, self._config.sensitivity)
        series.recent.extend(recent)
        series.scale.load(scale)
        series.count, series.mean, series.square = values
        return series


def _check(config: River.Config) -> None:
    wrong = ""
    if not 1e-9 <= config.sensitivity <= 0.1:
        wrong = f"sensitivity must lie between 1e-9 and 0.1, it is {config.sensitivity:g}"
    elif not 20 <= config.warmup <= 100_000:
        wrong = f"warmup must be 20 to 100000 evaluations, it is {config.warmup}"
    elif not 1 <= config.shingle <= 1000:
        wrong = f"shingle must be 1 to 1000 values, it is {config.shingle}"
    if wrong:
        raise ConfigError(f"river: {wrong}")


def _model_class(config: River.Config) -> tuple[Any, dict[str, Any]]:
    """The class and its arguments, seeded; both proved by making a model and showing it a value."""
    from river import anomaly  # heavy, and only needed by who uses it

    known = sorted(name for name in anomaly.__all__ if _stands_alone(getattr(anomaly, name)))
    if config.model not in known:
        raise ConfigError(
            f"river: no model {config.model!r} in river.anomaly", hint=f"known: {', '.join(known)}"
        )
    model = getattr(anomaly, config.model)
    parameters = sorted(inspect.signature(model).parameters)
    if unknown := sorted(set(config.args) - set(parameters)):
        raise ConfigError(
            f"river: {config.model} takes no argument {', '.join(map(repr, unknown))}",
            hint=f"known: {', '.join(parameters)}",
        )
    args = dict(config.args)
    if "seed" in parameters and args.get("seed") is None:
        args["seed"] = 0  # the same input must give the same alerts
    try:
        trial = model(**args)
        target = (1.0,) if "y" in inspect.signature(model.score_one).parameters else ()
        trial.learn_one({"value": 0.5}, *target)
    except Exception as error:  # a library's constructors raise what they like
        raise ConfigError(f"river: {config.model} does not take these args: {error}") from None
    return model, args


def _stands_alone(model: Any) -> bool:
    """Filters wrap another model, which no configuration can write down."""
    parameters = inspect.signature(model).parameters.values()
    return all(one.default is not inspect.Parameter.empty for one in parameters)
