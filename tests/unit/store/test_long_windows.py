"""Long windows, packed in part, against a plain twin: whatever happens to them, and in whatever order."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentinel.model import STALE, Floats
from sentinel.store import _kernels as kernels
from sentinel.store.index import UNASKED
from sentinel.store.windows import NEVER_MS, Windows

from .plain import PlainWindow

SLOTS = np.array([1, 2])
KEEPS = [UNASKED, 0, 500, 3000, 1 << 40]

runs = st.tuples(
    st.just("run"), st.integers(0, 1), st.integers(-900, 300), st.integers(1, 300), st.integers(0, 9)
)
late = st.tuples(st.just("late"), st.integers(0, 1), st.lists(st.integers(0, 6000), max_size=20))
moves = st.tuples(st.just("move"), st.integers(0, 2000))
keeps = st.tuples(st.just("keep"), st.integers(0, 1), st.sampled_from(KEEPS))
restarts = st.tuples(st.just("restart"))
steps = st.lists(st.one_of(runs, runs, late, moves, keeps, restarts), max_size=12)


class World:
    """Windows and their twins; every step goes to both."""

    def __init__(self, in_place: bool) -> None:
        self.in_place, self.newest = in_place, [0, 0]
        self.windows = Windows(in_place=in_place)
        self.windows.open(SLOTS, np.full(2, 1 << 40), SLOTS)
        self.plain = [PlainWindow(1 << 40), PlainWindow(1 << 40)]
        self.windows.horizon_ms = -(10**6)

    def append(self, which: int, times: list[int]) -> None:
        values = np.array([STALE if at % 97 == 0 else at * 0.5 + len(times) for at in times])
        rows = np.full(len(times), SLOTS[which])
        outcome = self.windows.append(rows, np.array(times, np.int64), values, 1)
        expected = [
            self.plain[which].append(at, value, self.windows.horizon_ms)
            for at, value in zip(times, values.tolist(), strict=True)
        ]
        assert outcome.tolist() == expected
        self.newest[which] = max(self.newest[which], *times)

    def run(self, which: int, gap: int, count: int, step: int) -> None:
        start = self.newest[which] + gap
        self.append(which, [start + number * step for number in range(count)])

    def late(self, which: int, times: list[int]) -> None:
        if times:
            self.append(which, times)

    def move(self, by_ms: int) -> None:
        self.windows.horizon_ms += by_ms if self.windows.horizon_ms > -1000 else 10**6 - 500
        for plain in self.plain:
            plain.forget(self.windows.horizon_ms)

    def keep(self, which: int, keep_ms: int) -> None:
        self.windows.keep(SLOTS[which : which + 1], np.array([keep_ms]))
        self.plain[which].forget(self.windows.horizon_ms)
        self.plain[which].keep_ms = keep_ms
        self.plain[which].forget(self.windows.horizon_ms)

    def restart(self) -> None:
        state, meta = self.windows.dump(SLOTS), self.windows.meta[SLOTS]
        horizon_ms, self.windows = self.windows.horizon_ms, Windows(in_place=self.in_place)
        self.windows.horizon_ms = horizon_ms
        self.windows.open(SLOTS, meta[:, kernels.KEEP], SLOTS)
        self.windows.load(SLOTS, state)
        self.windows.append(np.repeat(SLOTS, state["count"]), state["timestamp_ms"], state["value"], 0)


def bits(values: Floats) -> list[int]:
    return values.view(np.uint64).tolist()  # type: ignore[no-any-return]


def check(world: World, from_ms: int, to_ms: int) -> None:
    windows, horizon_ms = world.windows, world.windows.horizon_ms
    everything = windows.unpacked(windows.survey(SLOTS, NEVER_MS, -NEVER_MS))
    part = windows.survey(SLOTS, from_ms, to_ms)
    found = windows.unpacked(part)
    assert windows.counts(SLOTS, from_ms, to_ms).tolist() == (found.last - found.first).tolist()
    assert part.total == (found.last - found.first).sum() == found.total
    assert part.least == found.least == (found.last - found.first).min()
    present, value, when = windows.latest(SLOTS, to_ms, 1 << 40)
    for row, plain in enumerate(world.plain):
        span = slice(everything.first[row], everything.last[row])
        times, values = everything.timestamp_ms[span], everything.value[span]
        expected = plain.visible(horizon_ms)
        begin = len(times) - len(expected)
        if plain.keep_ms != UNASKED:  # behind what is reachable lies what is not forgotten yet
            assert begin == 0 or expected[0][0] <= horizon_ms - plain.keep_ms
        assert times[begin:].tolist() == [at for at, _ in expected]
        assert bits(values[begin:]) == bits(np.array([each for _, each in expected], np.float64))
        assert (np.diff(times) > 0).all()
        within = (times > from_ms) & (times <= to_ms)
        span = slice(found.first[row], found.last[row])
        assert found.timestamp_ms[span].tolist() == times[within].tolist()
        assert bits(found.value[span]) == bits(values[within])
        before = np.flatnonzero(times <= to_ms)
        shown = bool(len(before)) and bits(values[before[-1:]]) != bits(np.array([STALE]))
        assert present[row] == shown
        if shown:
            assert (when[row], value[row]) == (times[before[-1]], values[before[-1]])


# The oldest sample is forgotten when the window is made longer, and lies in a block with some that are not.
LONGER: list[tuple[object, ...]] = [
    *(("move", 0), ("keep", 1, 500), ("run", 1, 0, 193, 1), ("move", 1001), ("keep", 1, 3000)),
]


@settings(max_examples=150, deadline=None)
@given(steps, st.booleans(), st.integers(-100, 6000), st.integers(0, 6000))
@example([*LONGER, ("late", 1, [0])], True, 0, 6000)
@example(LONGER, False, 0, 6000)
def test_nobody_sees_what_is_packed(
    steps: list[tuple[object, ...]], in_place: bool, from_ms: int, length_ms: int
) -> None:
    world = World(in_place)
    for name, *arguments in steps:
        getattr(world, str(name))(*arguments)
        check(world, from_ms, from_ms + length_ms)
    world.windows.close(SLOTS)
    assert world.windows.nbytes == world.windows.meta.nbytes
