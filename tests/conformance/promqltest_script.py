"""Prometheus's `.test` scripts for PromQL: text to commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from sentinel.model import STALE, Duration, Labels
from sentinel.promql import parse
from sentinel.promql.ast import Selector, Text
from sentinel.promql.syntax.parser import parse_number

_EVAL: Final = re.compile(
    r"eval(?:_(fail|warn|info|ordered))?\s+"
    r"(?:instant\s+at\s+(\S+)|range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+))\s+(.+)"
)
_LOAD: Final = re.compile(r"load(_with_nhcb)?\s+(\S+)")
_EXPECT: Final = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?")
_RANGE: Final = re.compile(r"expect range vector from (\S+) to (\S+) step (\S+)")
_STRING: Final = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)"""
_SERIES: Final = re.compile(rf"""((?:[^\s{{"'`]|{_STRING}|\{{(?:[^}}"'`]|{_STRING})*\}})+)(?:\s+(.*))?""")
_REPEAT: Final = re.compile(
    r"(?P<start>[-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|(?i:inf|nan))|stale|_)"
    r"(?P<step>[-+][0-9.]+(?:e[-+]?\d+)?)?(?:x(?P<times>\d+))?"
)

Sample = float | None
"""One value of a series; None is a gap."""


@dataclass(slots=True)
class Clear:
    line: int


@dataclass(slots=True)
class Load:
    line: int
    step_ms: int
    series: list[tuple[Labels, list[Sample]]]
    native: bool
    """Something was left out because it holds native histograms or start timestamps."""


@dataclass(slots=True)
class Eval:
    line: int
    expr: str
    start_ms: int
    end_ms: int
    step_ms: int
    at_ms: int
    """When an instant query is evaluated; a script may say other times of the samples it returns."""
    instant: bool
    expects: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By word (fail, warn, no_warn, ...): how to compare (`msg`, `regex` or nothing) and with what."""
    series: list[tuple[Labels, list[Sample]]] = field(default_factory=list)
    scalar: float | None = None
    string: str | None = None
    matrix: bool = False
    native: bool = False
    """The expected result holds native histograms."""


Command = Clear | Load | Eval


def read_script(text: str) -> list[Command]:
    """The commands of a script. A comment ends a body just as an empty line does."""
    lines = [line.strip() for line in text.splitlines()]
    lines = ["" if line.startswith("#") else line for line in lines]
    commands: list[Command] = []
    at = 0
    while at < len(lines):
        head, number = lines[at], at + 1
        at += 1
        if not head:
            continue
        if head == "clear":
            commands.append(Clear(number))
            continue
        body = []
        while at < len(lines) and lines[at]:
            body.append(lines[at])
            at += 1
        commands.append(_load(head, number, body) if head.startswith("load") else _eval(head, number, body))
    return commands


def _load(head: str, line: int, body: list[str]) -> Load:
    match = _LOAD.fullmatch(head)
    assert match is not None, f"line {line}: {head}"
    load = Load(line, Duration.parse(match.group(2)), [], native=match.group(1) is not None)
    for row in body:
        labels, values = _series(row)
        if values is None or "@st" in row:
            load.native = True
        else:
            load.series.append((labels, values))
    return load


def _eval(head: str, line: int, body: list[str]) -> Eval:
    match = _EVAL.fullmatch(head)
    assert match is not None, f"line {line}: {head}"
    word, at, start, end, step, expr = match.groups()
    times = (at, at, "1ms") if at else (start, end, step)
    command = Eval(line, expr, *map(_time, times), at_ms=_time(times[0]), instant=at is not None)
    if word:
        command.expects[word] = [("", "")]
    for row in body:
        if _body(command, row):
            break
    return command


def _time(text: str) -> int:
    negative = text.startswith("-")
    text = text.removeprefix("-")
    span = int(float(text) * 1000) if re.fullmatch(r"[\d.]+", text) else int(Duration.parse(text))
    return -span if negative else span


def _body(command: Eval, row: str) -> bool:
    """Takes in one line under an eval; true if it was the last."""
    if match := _RANGE.fullmatch(row):
        command.start_ms, command.end_ms, command.step_ms = map(_time, match.groups())
        command.matrix = True
    elif row.startswith("expect string"):
        literal = parse(row.removeprefix("expect string").strip())
        assert isinstance(literal, Text)
        command.string = literal.value
    elif match := _EXPECT.fullmatch(row):
        word, how, text = match.groups()
        command.expects.setdefault(word, []).append((how or "", (text or "").strip()))
    elif row.startswith("expected_fail_"):
        how, _, text = row.removeprefix("expected_fail_").partition(" ")
        command.expects["fail"] = [("msg" if how == "message" else "regex", text.strip())]
    elif (number := _number(row)) is not None:
        command.scalar = number
        return True
    else:
        labels, values = _series(row)
        command.native |= values is None
        command.series.append((labels, values or []))
    return False


def _number(row: str) -> float | None:
    if not re.fullmatch(r"[-+]?(?:[0-9][0-9.eE+-]*|\.[0-9]+|(?i:inf|nan))", row):
        return None
    sign = -1.0 if row.startswith("-") else 1.0
    digits = row.lstrip("+-")
    return sign * (float(digits) if digits.lower() in ("inf", "nan") else parse_number(digits))


def _series(row: str) -> tuple[Labels, list[Sample] | None]:
    """Labels and values of a line; no values if it holds native histograms or start timestamps."""
    match = _SERIES.fullmatch(row)
    assert match is not None, row
    name, values = match.groups()
    if "@st" in name:
        return Labels(), None
    return read_labels(name), read_values(values or "")


def read_labels(text: str) -> Labels:
    """A metric as a series is written: a selector of equality matchers, `{}` included."""
    if text == "{}":
        return Labels()
    selector = parse(text.replace("{}", ""))
    assert isinstance(selector, Selector), text
    return Labels((matcher.name, matcher.value) for matcher in selector.matchers)


def read_values(text: str) -> list[Sample] | None:
    """`1 _ 2+3x4 stale`; None if there is a native histogram."""
    if "{{" in text:
        return None
    values: list[Sample] = []
    for item in text.split():
        values += _expanded(item)
    return values


def _expanded(item: str) -> list[Sample]:
    match = _REPEAT.fullmatch(item)
    assert match is not None, f"bad value {item!r}"
    start, step, times = match["start"], match["step"], match["times"]
    if start == "_":
        return [None] * int(times or 1)
    first = STALE if start == "stale" else float(start)
    width = float(step or 0)
    return [first + row * width if width else first for row in range(int(times or 0) + 1)]
