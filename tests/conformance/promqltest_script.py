"""Prometheus's `.test` scripts for PromQL: text to commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sentinel.model import Duration, Labels
from sentinel.promql.series_description import Point, SeriesDescription, parse_metric, parse_series
from sentinel.promql.syntax.literals import number, unquote

_EVAL: Final = re.compile(
    r"eval(?:_(fail|warn|info|ordered))?\s+"
    r"(?:instant\s+at\s+(\S+)|range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+))\s+(.+)"
)
_LOAD: Final = re.compile(r"load(_with_nhcb)?\s+(\S+)")
_EXPECT: Final = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?")
_RANGE: Final = re.compile(r"expect range vector from (\S+) to (\S+) step (\S+)")
_STARTS: Final = re.compile(r"(\S*)@st\s+(.+)")
_SPAN: Final = r"(?:[0-9]+(?:ms|[smhdwy])?)"
_START: Final = re.compile(
    rf"(?P<first>_|[-+]?{_SPAN})(?:(?P<sign>[-+])(?P<step>{_SPAN}))?(?:x(?P<times>[0-9]+))?"
)
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9][0-9.eE+-]*|\.[0-9]+|(?i:inf|nan))")


@dataclass(slots=True)
class Clear:
    line: int


@dataclass(slots=True)
class Load:
    line: int
    step_ms: int
    series: dict[Labels, list[Point]] = field(default_factory=dict)
    """Of a series given twice, the last counts."""
    starts: dict[Labels, list[int | None]] = field(default_factory=dict)
    """Start timestamps of a series' points in ms, counted from each point's own time."""
    with_nhcb: bool = False
    """Every classic histogram also comes as a native one with custom buckets."""


@dataclass(slots=True)
class Eval:
    line: int
    expr: str
    start_ms: int
    end_ms: int
    step_ms: int
    instant: bool
    """Evaluated at `end_ms`: an instant query's result may be the samples of a range before it."""
    expects: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By word (fail, warn, no_warn, ...): how to compare (`msg`, `regex` or nothing) and with what."""
    series: list[SeriesDescription] = field(default_factory=list)
    scalar: float | None = None
    string: str | None = None
    matrix: bool = False


Command = Clear | Load | Eval


def read_script(text: str) -> Iterator[Command]:
    """The commands of a script. A comment ends a body just as an empty line does."""
    lines = [line.strip() for line in text.splitlines()]
    lines = ["" if line.startswith("#") else line for line in lines]
    at = 0
    while at < len(lines):
        head, line = lines[at], at + 1
        at += 1
        if head == "clear":
            yield Clear(line)
        elif head:
            end = lines.index("", at) if "" in lines[at:] else len(lines)
            yield (_load if head.startswith("load") else _eval)(head, line, lines[at:end])
            at = end


def _load(head: str, line: int, body: list[str]) -> Load:
    match = _LOAD.fullmatch(head)
    assert match is not None, f"line {line}: {head}"
    load = Load(line, Duration.parse(match.group(2)), with_nhcb=match.group(1) is not None)
    for row in body:
        if starts := _STARTS.fullmatch(row):
            load.starts[parse_metric(starts[1])] = list(_start_offsets(starts[2]))
        else:
            described = parse_series(row)
            load.series[described.labels] = described.values
    for labels, offsets in load.starts.items():
        assert len(offsets) == len(load.series[labels]), f"line {line}: {labels}"
    return load


def _start_offsets(text: str) -> Iterator[int | None]:
    """`_ _x2 -30s -1m-1mx2`: like values, but durations."""
    for item in text.split():
        match = _START.fullmatch(item)
        assert match is not None, item
        first, step, times = match["first"], match["step"], match["times"]
        if first == "_":
            yield from [None] * int(times or 1)
        else:
            width = _time(match["sign"] + step) if step else 0
            yield from (_time(first) + row * width for row in range(int(times or 0) + 1))


def _eval(head: str, line: int, body: list[str]) -> Eval:
    match = _EVAL.fullmatch(head)
    assert match is not None, f"line {line}: {head}"
    word, at, start, end, step, expr = match.groups()
    start_ms, end_ms, step_ms = map(_time, (at, at, "1ms") if at else (start, end, step))
    command = Eval(line, expr, start_ms, end_ms, step_ms, instant=at is not None)
    if word:
        command.expects[word] = [("", "")]
    for row in body:
        if _last(command, row):
            break
    return command


def _time(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    text = text.lstrip("+-")
    return sign * (int(float(text) * 1000) if re.fullmatch(r"[\d.]+", text) else Duration.parse(text))


def _last(command: Eval, row: str) -> bool:
    """Takes in one line under an eval; true if nothing may follow it."""
    if match := _RANGE.fullmatch(row):
        command.start_ms, command.end_ms, command.step_ms = map(_time, match.groups())
        command.matrix = True
    elif row.startswith("expect string"):
        command.string = unquote(row.removeprefix("expect string").strip())
    elif match := _EXPECT.fullmatch(row):
        word, how, text = match.groups()
        command.expects.setdefault(word, []).append((how or "", (text or "").strip()))
    elif row.startswith("expected_fail_"):
        how, _, text = row.removeprefix("expected_fail_").partition(" ")
        command.expects["fail"] = [("msg" if how == "message" else "regex", text.strip())]
        return True
    elif _NUMBER.fullmatch(row):
        command.scalar = _number(row)
        return True
    else:
        command.series.append(parse_series(row))
    return False


def _number(row: str) -> float:
    digits = row.lstrip("+-")
    value = float(digits) if digits[0].isalpha() else number(digits)
    return -value if row.startswith("-") else value
