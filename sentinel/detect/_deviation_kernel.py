"""The hot loop of `deviation`: one row of 16 float64 (two cache lines) per series.

All lengths are in scales: z = (value - location) / scale. The scale is sqrt(pi/2) times the mean absolute
deviation, which is the standard deviation where the noise is normal.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sentinel.machine import prefetch
from sentinel.model import Floats, Int64s

WIDTH = 16
COUNT, RUN, LOCATION, SCALE = 0, 1, 2, 3  # RUN: evaluations outside the band, negative below it
LAST, SMOOTH, POWER, LAGGED, SLOW = 4, 5, 6, 7, 8  # what the correlation time is made of
TAIL, EDGE, FARTHEST = 9, 11, 13  # each a pair: below, above
TAIL_COUNT = 15

QUANTILE2, SENSITIVITY, RATE, ADOPT_AFTER, FLOOR = 0, 1, 2, 3, 4  # the knobs; KNOBS of them
KNOBS = 5

LARGEST = 1e150  # beyond it squares overflow: such a value is no measurement
TO_SCALE = math.sqrt(math.pi / 2)
CLIP = 3.0  # a value moves the location by at most this many scales
SMOOTHING = 1 / 16  # the smoothed z; if it varies more than this allows, values are correlated
SLOWEST = 40.0  # longest correlation time that the smoothed z can tell
UNKNOWN = 4.0  # how many times wider than for known normal noise the sampling error is taken
FAR = 2.5  # where the tail begins
NORMAL_EXCESS, NORMAL_SPREAD = 0.000722, 0.012  # E and sd of log(z / FAR) above FAR, one side, normal noise
EXCESS_TO_SHAPE = 0.15  # 1/dof = this * (sqrt(excess / normal excess) - 1), exact to 1 % for 2.5 to 30 dof
DOUBT, CERTAINTY = 3.2, 4.8  # standard errors of the excess: normal up to the first, heavy from the second
TAIL_PRIOR, TAIL_MEMORY = 100.0, 10_000.0  # evaluations
REACH, GROWTH = 1.25, 0.2  # the band ends at REACH * farthest * (evaluations * sensitivity) ** -GROWTH
WIDEST = 12.0  # and at this many normal bands in any case
EDGES_EVERY, SOON_EVERY = 32, 4  # evaluations from band to band: SOON below YOUNG, 1 below NEW
YOUNG, NEW = 240, 16
SHORT = 32  # values, up to which insertion sorts them
HOLD = 0.75  # while outside, the edge stands this much nearer: no flapping

_AHEAD, _LINE = 8, 8

_options = {"cache": True, "nogil": True, "error_model": "numpy"}
_inlined = {**_options, "forceinline": True}


@njit(**_inlined)
def _correlate(state: Floats, r: int, z: float, weight: float) -> None:
    state[r, POWER] += weight * (z * z - state[r, POWER])
    state[r, LAGGED] += weight * (z * state[r, LAST] - state[r, LAGGED])
    state[r, SMOOTH] += SMOOTHING * (z - state[r, SMOOTH])
    state[r, SLOW] += weight * (state[r, SMOOTH] * state[r, SMOOTH] - state[r, SLOW])
    state[r, LAST] = z


@njit(**_inlined)
def _correlation_time(state: Floats, r: int) -> float:
    """How many correlated values are worth one independent value."""
    if state[r, POWER] <= 0.0:
        return 1.0
    lag = min(state[r, LAGGED] / state[r, POWER], 0.97)
    quick = (1 + lag) / (1 - lag)
    slow = (2 - SMOOTHING) / SMOOTHING * state[r, SLOW] / state[r, POWER]
    return float(min(max(quick, slow, 1.0), SLOWEST))


@njit(**_inlined)
def _observe_tail(state: Floats, r: int, z: float, weight: float) -> None:
    side = 1 if z > 0 else 0
    away = abs(z)
    state[r, TAIL] -= weight * state[r, TAIL]
    state[r, TAIL + 1] -= weight * state[r, TAIL + 1]
    if away > FAR:
        state[r, TAIL + side] += weight * math.log(away / FAR)
    state[r, FARTHEST + side] = max(state[r, FARTHEST + side], away)


@njit(**_inlined)
def _heaviness(own: float, pooled: float, count: float) -> float:
    """1/dof of the Student t whose tail this is; 0 as long as normal noise explains it."""
    root = math.sqrt(count) / NORMAL_SPREAD
    errors = max((own - NORMAL_EXCESS) * root, (pooled - NORMAL_EXCESS) * root * math.sqrt(2.0))
    if errors <= DOUBT:
        return 0.0
    excess = (max(own, pooled) * count + NORMAL_EXCESS * TAIL_PRIOR) / (count + TAIL_PRIOR)
    shape = EXCESS_TO_SHAPE * (math.sqrt(excess / NORMAL_EXCESS) - 1)
    return shape * min((errors - DOUBT) / (CERTAINTY - DOUBT), 1.0)


@njit(**_inlined)
def _quantile(shape: float, error: float, knobs: Floats) -> float:
    """Of a Student t with 1/dof of `shape` (after Wallace), in scales."""
    return math.sqrt(math.expm1(min(knobs[QUANTILE2] * shape, 30.0)) / shape * error)


@njit(**_inlined)
def _set_edges(state: Floats, r: int, knobs: Floats) -> None:
    """How far the band reaches. It stands still during an excursion; and now and then to save time."""
    time = _correlation_time(state, r)
    shape = (time + UNKNOWN) / state[r, COUNT]
    error = 1 + time / state[r, COUNT]
    pooled = (state[r, TAIL] + state[r, TAIL + 1]) / 2
    count, square = min(state[r, TAIL_COUNT], TAIL_MEMORY), knobs[QUANTILE2]
    light, decay = _quantile(shape, error, knobs), 0.0
    for side in range(2):
        heavy = _heaviness(state[r, TAIL + side], pooled, count)
        edge = _quantile(shape + heavy, error, knobs) if heavy > 0.0 else light
        if edge * edge > 4 * square:  # no farther than what can be known
            decay = decay if decay > 0.0 else (count * knobs[SENSITIVITY]) ** -GROWTH
            reach = REACH * max(state[r, FARTHEST + side], 3.0) * decay
            edge = min(edge, max(reach, 2 * math.sqrt(square)), WIDEST * math.sqrt(square))
        state[r, EDGE + side] = edge


@njit(**_inlined)
def _raise_scale(state: Floats, r: int, knobs: Floats) -> None:
    state[r, SCALE] = max(state[r, SCALE], knobs[FLOOR] * abs(state[r, LOCATION]), 1e-12)


@njit(**_options)
def _sort(values: Floats) -> None:
    """In place. A buffer is short as a rule, and then this takes less than half of the time."""
    if values.size > SHORT:
        values.sort()
        return
    for i in range(1, values.size):
        x, j = values[i], i
        while j > 0 and values[j - 1] > x:
            values[j] = values[j - 1]
            j -= 1
        values[j] = x


@njit(**_options)
def _locate(state: Floats, r: int, values: Floats, knobs: Floats) -> None:
    """Location and scale of a full buffer: clipped means around the median, after Huber's one-step."""
    size = values.size
    away = values.copy()
    _sort(away)
    median = (away[(size - 1) // 2] + away[size // 2]) / 2
    for i in range(size):
        away[i] = abs(away[i] - median)
    _sort(away)
    limit = CLIP * 1.4826 * (away[(size - 1) // 2] + away[size // 2]) / 2
    if limit == 0.0:
        limit = away[size - 3]  # more than half are equal: all but two odd values count
    shift = 0.0
    for x in values:
        shift += min(max(x - median, -limit), limit)
    state[r, LOCATION] = median + shift / size
    total = 0.0
    for x in values:
        total += min(abs(x - state[r, LOCATION]), limit)
    state[r, SCALE] = TO_SCALE * total / size
    _raise_scale(state, r, knobs)


@njit(**_options)
def _start(state: Floats, r: int, values: Floats, first: int, knobs: Floats, fresh: bool) -> None:
    """Begin from a full buffer, its oldest value at `first`; a fresh series learns its tail from it, too."""
    size = values.size
    _locate(state, r, values, knobs)
    state[r, RUN] = 0.0
    state[r, COUNT] = size
    state[r, LAST : SLOW + 1] = 0.0
    farthest = 4 * math.sqrt(knobs[QUANTILE2])
    for i in range(size):
        z = (values[(first + i) % size] - state[r, LOCATION]) / state[r, SCALE]
        _correlate(state, r, min(max(z, -CLIP), CLIP), 1 / (i + 1))
        if fresh and i >= 3:  # the first windows of a series are often partial
            state[r, TAIL_COUNT] += 1
            _observe_tail(state, r, min(max(z, -farthest), farthest), 1 / state[r, TAIL_COUNT])
    _set_edges(state, r, knobs)


@njit(**_inlined)
def _learn(state: Floats, r: int, z: float, knobs: Floats) -> None:
    """Take in a value inside the band; and the single evaluation outside it that may have come before."""
    scale = state[r, SCALE]
    state[r, COUNT] = min(state[r, COUNT] + 1, 2 / knobs[RATE])
    state[r, TAIL_COUNT] += 1
    tail_weight = 1 / min(state[r, TAIL_COUNT], TAIL_MEMORY)
    weight = max(1 / state[r, COUNT], knobs[RATE])
    if abs(state[r, RUN]) == 1:  # a lone value far out belongs to the tail, not to an incident
        lone = state[r, EDGE + (1 if state[r, RUN] > 0 else 0)]
        _observe_tail(state, r, state[r, RUN] * lone, tail_weight)
        state[r, SCALE] += weight * (TO_SCALE * lone - 1) * scale
    state[r, RUN] = 0.0
    clipped = min(max(z, -CLIP), CLIP)
    _correlate(state, r, clipped, weight)
    _observe_tail(state, r, z, tail_weight)
    state[r, LOCATION] += weight * clipped * scale
    state[r, SCALE] += weight * (TO_SCALE * abs(z) - 1) * scale
    _raise_scale(state, r, knobs)


@njit(**_options)
def _escape(state: Floats, r: int, values: Floats, x: float, knobs: Floats) -> None:
    """Take note of a value outside the band; enough of them in a row are the new normal."""
    step = 1.0 if x > state[r, LOCATION] else -1.0
    state[r, RUN] = state[r, RUN] + step if state[r, RUN] * step > 0 else step
    run = int(abs(state[r, RUN]))
    values[(run - 1) % values.size] = x
    if run >= knobs[ADOPT_AFTER]:
        _start(state, r, values, run % values.size, knobs, False)


@njit(**_inlined)
def _judge(state: Floats, r: int, x: float, knobs: Floats, out: Floats, j: int) -> bool:
    """Writes the column `j` of `out`; whether the value lies inside the band."""
    every = EDGES_EVERY if state[r, COUNT] >= YOUNG else SOON_EVERY
    if state[r, RUN] == 0.0 and (state[r, COUNT] < NEW or int(state[r, TAIL_COUNT]) % every == 0):
        _set_edges(state, r, knobs)
    below = state[r, EDGE] * (HOLD if state[r, RUN] < 0 else 1.0)
    above = state[r, EDGE + 1] * (HOLD if state[r, RUN] > 0 else 1.0)
    z = (x - state[r, LOCATION]) / state[r, SCALE]
    score = abs(z) / (above if z > 0 else below)
    out[0, j] = score
    out[1, j] = state[r, LOCATION]
    out[2, j] = state[r, LOCATION] - below * state[r, SCALE]
    out[3, j] = state[r, LOCATION] + above * state[r, SCALE]
    if score <= 1.0:
        _learn(state, r, z, knobs)
        if abs(z) > FAR:  # the tail has grown
            _set_edges(state, r, knobs)
    return bool(score <= 1.0)


@njit(
    "void(float64[:,::1], float64[:,::1], int64[::1], float64[::1], float64[::1], float64[:,::1])", **_options
)
def update(state: Floats, buffer: Floats, rows: Int64s, value: Floats, knobs: Floats, out: Floats) -> None:
    """One evaluation. `rows` are checked by the caller; `out` is 4 x n: score, expected, lower, upper."""
    warmup = buffer.shape[1]
    for j in range(rows.size):
        if j + _AHEAD < rows.size:  # rows in random order wait for memory together, not one by one
            for i in range(0, WIDTH, _LINE):
                prefetch(state, rows[j + _AHEAD] * WIDTH + i)
        r, x = rows[j], value[j]
        for i in range(4):
            out[i, j] = np.nan
        if not abs(x) < LARGEST:  # NaN and infinities too
            continue
        if state[r, COUNT] < warmup:
            values = buffer[r]
            values[int(state[r, COUNT])] = x
            state[r, COUNT] += 1
            if state[r, COUNT] == warmup:
                _start(state, r, values, 0, knobs, True)
        elif not _judge(state, r, x, knobs, out, j):
            _escape(state, r, buffer[r], x, knobs)
