"""A unit-test file, read and checked before anything runs: every mistake at once, each where it stands."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sentinel.documents import Positions, compose, read_node, read_text
from sentinel.errors import ConfigError, ConfigErrors, QueryError
from sentinel.model import Histogram, Labels
from sentinel.promql import parse
from sentinel.promql.series_description import Point, parse_values
from sentinel.rule_test.schema import MINUTE, UnitTest, UnitTestFile

MAX_SAMPLES: Final = 5_000_000
"""Points of all series of a file together, up to the last eval_time of each test."""
HISTOGRAM_COST: Final = 20
"""How many samples a native histogram counts for."""
MAX_STEPS: Final = 5_000_000
"""Evaluations of one test: at one a minute, nine years."""


class ReadTest(msgspec.Struct, frozen=True):
    """A test with its times and its series; `written` says what it expects."""

    name: str
    written: UnitTest
    interval_ms: int
    every_ms: int
    """The evaluation interval."""
    series: dict[Labels, Sequence[Point]]


class ReadFile(msgspec.Struct, frozen=True):
    path: str
    written: UnitTestFile
    tests: list[ReadTest]
    rule_files: list[str]
    warnings: list[str]
    positions: Positions

    def where(self, struct: msgspec.Struct) -> str:
        """`file:line:column` of something the file holds."""
        line, column = self.positions.of(struct)
        return f"{self.path}:{line}:{column}"


def read_tests(path: str | Path, *, strict: bool = True) -> ReadFile:
    """The tests of a file. If not `strict`, unknown keys are passed over.

    Raises:
        ConfigErrors: all that is wrong with the file.
    """
    try:
        text = read_text(path)
        node = next(compose(str(path), text), None)
    except ConfigError as error:
        raise ConfigErrors([error]) from None
    if node is None:
        raise ConfigErrors([ConfigError("an empty file tests nothing", path=str(path), line=1, column=1)])
    written, positions, errors = read_node(str(path), text, node, UnitTestFile, strict=strict)
    if written is None:
        raise ConfigErrors([*errors])
    reading = _Reading(str(path), written, positions)
    tests = [reading.test(number, test) for number, test in enumerate(written.tests)]
    reading.check_order()
    errors += reading.errors
    if errors:
        raise ConfigErrors(sorted(errors, key=lambda error: (error.line, error.column)))
    warnings: list[str] = []
    found = list(_rule_files(Path(path).parent, written.rule_files, warnings))
    return ReadFile(str(path), written, tests, found, warnings, positions)


def _rule_files(folder: Path, patterns: Sequence[str], warnings: list[str]) -> Iterator[str]:
    """As the file names them, relative to it; a star also stands for names that begin with a dot."""
    for pattern in patterns:
        whole = os.path.normpath(folder / pattern)
        found = sorted(glob.glob(whole, include_hidden=True))  # noqa: PTH207 - Path.glob takes no absolute patterns
        if not found:
            warnings.append(f"no file match pattern {whole}")
        yield from found


class _Reading:
    """What the types of the schema cannot say: what belongs together, and how much is too much."""

    def __init__(self, path: str, file: UnitTestFile, positions: Positions) -> None:
        self.errors: list[ConfigError] = []
        self._path, self._file, self._positions = path, file, positions
        self._every_ms = int(file.evaluation_interval or MINUTE)
        self._samples_left = MAX_SAMPLES

    def test(self, number: int, test: UnitTest) -> ReadTest:
        for check in test.promql_expr_test:
            try:
                parse(check.expr)
            except QueryError as error:
                place = self._positions.inside(check, "expr", offset=error.position)
                self._refuse(f"could not parse expression: {error.message}", place)
        if test.last_ms // self._every_ms > MAX_STEPS:
            message = f"more than {MAX_STEPS} evaluations until the last eval_time"
            self._refuse(message, self._positions.of(test), "take a longer evaluation_interval")
        return ReadTest(
            name=test.name or f"unnamed#{number}",
            written=test,
            interval_ms=int(test.interval or self._every_ms),
            every_ms=self._every_ms,
            series=self._series(test),
        )

    def check_order(self) -> None:
        """Of groups that are named twice, nobody knows which place is meant."""
        names = self._file.group_eval_order
        for number, name in enumerate(names):
            if name in names[:number]:
                place = self._positions.of(self._file, "group_eval_order", number)
                self._refuse(f"group name {name!r} is repeated in the evaluation order", place)

    def _series(self, test: UnitTest) -> dict[Labels, Sequence[Point]]:
        """Of a series that is described twice, the last description counts. What nothing is compared after is
        not laid out: `0x99999999` is a way to write "for ever"."""
        series: dict[Labels, Sequence[Point]] = {}
        enough = test.last_ms // int(test.interval or self._every_ms) + 2
        for each in test.input_series if self._samples_left >= 0 else ():
            place = self._positions.of(each, "values")
            try:
                series[each.series] = values = parse_values(each.values, enough)
            except ValueError as error:
                self._refuse(f"series {each.series!r}: {error}", place)
                continue
            self._samples_left -= _cost(values)
            if self._samples_left < 0:
                self._refuse(
                    f"more than {MAX_SAMPLES} samples in one file", place, "spread them over several"
                )
                break
        return series

    def _refuse(self, message: str, place: tuple[int, int], hint: str = "") -> None:
        line, column = place
        self.errors.append(ConfigError(message, path=self._path, line=line, column=column, hint=hint))


def _cost(values: Sequence[Point]) -> int:
    """In samples; a histogram that is repeated is there once."""
    histograms = {id(point) for point in values if isinstance(point, Histogram)}
    return len(values) + HISTOGRAM_COST * len(histograms)
