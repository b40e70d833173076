"""`deviation`: "this value is far out", for any series, in tens of nanoseconds.

Each series has a location and a scale (its mean and standard deviation, unless outliers have a say) and a
band around the location that a share `sensitivity` of undisturbed evaluations may leave.

- **Start.** `warmup` values are collected; their median and clipped deviations give location and scale, so
  that a few odd values do no harm. Nothing is written before.
- **Following.** Inside the band, location and scale are exponential averages. Their half-life is `half_life`
  evaluations, shorter while history is shorter. A value moves the location by three scales at most.
- **Width.** A normal quantile of `sensitivity`, widened to that of a Student t (Wallace's approximation) by
  what is not known: few evaluations, and fewer still if neighbours resemble each other (a slow wave, a held
  value), make few degrees of freedom; so does a heavy tail, recognised by the mean of log(z / 2.5) beyond 2.5
  scales (after Hill) once normal noise no longer explains it. No band reaches far beyond the farthest value
  that came alone, nor beyond 12 normal bands: what is seen once is not calibrated away.
- **Incidents.** Outside the band nothing is learned, so an incident does not poison its own yardstick; a
  single value far out counts for the tail when it is over. While outside, the edge comes a quarter nearer:
  scores do not flap. After `adopt_after` consecutive evaluations outside, the new level is the normal one and
  the band starts anew from its last `warmup` values. Going back to the old level is then a deviation, too.
- **Flat series.** The scale is at least `floor` times the location: a constant that moves by less than about
  a two-thousandth of itself is still constant. From zero, any move counts.

Counts are evaluations. With the defaults, at an evaluation every 15 s / 1 m: warm-up 15 m / 1 h, half-life
3 h / 12 h, a new level is adopted after 1 h / 4 h. Missing evaluations (gaps, NaN, infinities) change
nothing, however long they last: the first value afterwards is judged by the band from before.

State is 128 bytes a series, and 8 for each evaluation of warm-up.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import ClassVar, Literal

import msgspec
import numpy as np

from sentinel.detect.detector import Scores, check_rows
from sentinel.errors import ConfigError, StateError
from sentinel.model import Floats, Int64s

_FORMAT = "deviation/1"


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    format: str
    state: bytes
    buffer_rows: bytes
    buffer: bytes


class Deviation:
    """A robust location and scale per series, and a band calibrated to a share of false alarms."""

    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        """What `with:` takes. Counts are evaluations of the rule's group."""

        sensitivity: float = 1e-5
        """Share of undisturbed evaluations that may score above 1."""
        warmup: int = 60
        half_life: int = 720
        adopt_after: int = 240
        direction: Literal["both", "up", "down"] = "both"
        """Which deviations score; the others score 0 and have no edge."""
        floor: float = 1e-4
        """Least scale, as a share of the location."""

        def __post_init__(self) -> None:
            _check(self)

    has_band: ClassVar[bool] = True

    def __init__(self, config: Config) -> None:
        from sentinel.detect import _deviation_kernel as kernel  # numba, only when a rule needs it

        self._kernel = kernel
        self._direction = config.direction
        tail = config.sensitivity / (2 if config.direction == "both" else 1)
        self._knobs = np.zeros(kernel.KNOBS)
        self._knobs[kernel.QUANTILE2] = NormalDist().inv_cdf(tail) ** 2
        self._knobs[kernel.SENSITIVITY] = config.sensitivity
        self._knobs[kernel.RATE] = 1 - 2 ** (-1 / config.half_life)
        self._knobs[kernel.ADOPT_AFTER] = config.adopt_after
        self._knobs[kernel.FLOOR] = config.floor
        self._rows = 0
        self._state = np.zeros((0, kernel.WIDTH))
        self._buffer = np.zeros((0, config.warmup))

    def resize(self, rows: int) -> None:
        if rows > len(self._state):
            room = max(rows, len(self._state) * 3 // 2)  # a series at a time must not copy all each time
            self._state = _grown(self._state, self._rows, room)
            self._buffer = _grown(self._buffer, self._rows, room)
        self._state[rows : self._rows] = 0.0
        self._rows = rows

    def reset(self, rows: Int64s) -> None:
        check_rows(rows, self._rows)
        self._state[rows] = 0.0

    def update(self, rows: Int64s, at_ms: int, value: Floats) -> Scores:
        check_rows(rows, self._rows)
        out = np.empty((4, len(rows)))
        self._kernel.update(
            self._state,
            self._buffer,
            np.ascontiguousarray(rows, np.int64),
            np.ascontiguousarray(value, np.float64),
            self._knobs,
            out,
        )
        score, expected, lower, upper = out
        if self._direction == "up":
            score[value < expected] = 0.0
            lower[:] = np.nan
        elif self._direction == "down":
            score[value > expected] = 0.0
            upper[:] = np.nan
        return Scores(score, expected, lower, upper)

    def snapshot(self) -> bytes:
        """Buffers matter only to rows that are warming up or outside their band: the others stay out."""
        state = self._state[: self._rows]
        count, run = state[:, self._kernel.COUNT], state[:, self._kernel.RUN]
        busy = np.flatnonzero(((count > 0) & (count < self._buffer.shape[1])) | (run != 0))
        saved = _Saved(_FORMAT, state.tobytes(), busy.tobytes(), self._buffer[busy].tobytes())
        return msgspec.msgpack.encode(saved)

    def restore(self, state: bytes) -> None:
        try:
            saved = msgspec.msgpack.decode(state, type=_Saved)
            if saved.format != _FORMAT:
                raise ValueError(f"its format is {saved.format!r}, not {_FORMAT!r}")
            rows = np.frombuffer(saved.state).reshape(-1, self._kernel.WIDTH)
            busy = np.frombuffer(saved.buffer_rows, np.int64)
            buffer = np.frombuffer(saved.buffer).reshape(len(busy), self._buffer.shape[1])
        except (ValueError, msgspec.DecodeError) as error:
            raise StateError(f"not a snapshot of this deviation detector: {error}") from None
        check_rows(busy, len(rows))
        self._rows = len(rows)
        self._state = rows.copy()
        self._buffer = np.zeros((len(rows), self._buffer.shape[1]))
        self._buffer[busy] = buffer


def _grown(array: Floats, used: int, room: int) -> Floats:
    grown = np.zeros((room, array.shape[1]))  # untouched rows take no memory
    grown[:used] = array[:used]
    return grown


def _check(config: Deviation.Config) -> None:
    wrong = ""
    if not 1e-15 <= config.sensitivity <= 0.5:
        wrong = f"sensitivity must lie between 1e-15 and 0.5, it is {config.sensitivity:g}"
    elif not 10 <= config.warmup <= 10_000:
        wrong = f"warmup must be 10 to 10000 evaluations, it is {config.warmup}"
    elif config.half_life < config.warmup:
        wrong = f"half_life ({config.half_life}) must not be shorter than warmup ({config.warmup})"
    elif config.adopt_after < config.warmup:
        wrong = f"adopt_after ({config.adopt_after}) must not be shorter than warmup ({config.warmup})"
    elif not 0 <= config.floor < 1:
        wrong = f"floor must be a share from 0 to below 1, it is {config.floor:g}"
    if wrong:
        raise ConfigError(f"deviation: {wrong}", hint="half_life, warmup and adopt_after count evaluations")
