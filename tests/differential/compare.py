"""Whether two answers of Prometheus's HTTP API say the same."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.conformance.promqltest_compare import alike

_PLACE: Final = re.compile(r'invalid parameter "query": |\b\d+:\d+: ')
_WORDS: Final = 3

Answer = dict[str, Any]


def difference(ours: Answer, theirs: Answer, *, stepped: bool = False, ordered: bool = False) -> str:
    """What is not alike, or nothing.

    `stepped`: of range queries; `ordered`: the values of a vector come in an order that means something.
    """
    if ours["status"] != theirs["status"]:
        return "one of them fails"
    if ours["status"] == "error":
        return _errors(ours, theirs, stepped=stepped)
    mine, other = ours["data"], theirs["data"]
    if mine["resultType"] != other["resultType"]:
        return "another type"
    if mine["resultType"] == "scalar":
        return "" if _same_points([mine["result"]], [other["result"]]) else "another value"
    if mine["resultType"] == "string":
        return "" if mine["result"] == other["result"] else "another text"
    return _series(mine["result"], other["result"], ordered=ordered)


def is_filled(answer: Answer) -> bool:
    """Whether it is neither an error nor nothing."""
    return answer["status"] == "success" and len(answer["data"]["result"]) > 0


def _errors(ours: Answer, theirs: Answer, *, stepped: bool) -> str:
    """The kind must be the same, and the first words of the text, its place aside.

    Prometheus takes the steps of one operand after the other, Sentinel the operands of one step after the
    other: of several errors in a range another one comes first.
    """
    if ours["errorType"] != theirs["errorType"]:
        return "another type of error"
    if stepped and ours["errorType"] == "execution":
        return ""
    mine, other = (_PLACE.sub("", each["error"]).split()[:_WORDS] for each in (ours, theirs))
    return "" if mine == other else "another text of an error"


def _series(mine: list[Any], other: list[Any], *, ordered: bool) -> str:
    found = {_key(each): each for each in mine}
    wanted = {_key(each): each for each in other}
    if len(found) != len(mine):
        return "one series twice"
    if found.keys() != wanted.keys():
        return "other series"
    if not all(_same_points(_points(found[key]), _points(wanted[key])) for key in wanted):
        return "other values"
    if ordered and not _same_points(
        *([point for each in all for point in _points(each)] for all in (mine, other))
    ):
        return "another order"
    return ""


def _key(series: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(series["metric"].items()))


def _points(series: Any) -> list[Any]:
    points: list[Any] = series["values"] if "values" in series else [series["value"]]
    return points


def _same_points(mine: list[Any], other: list[Any]) -> bool:
    return len(mine) == len(other) and all(
        a[0] == b[0] and alike(float(a[1]), float(b[1])) for a, b in zip(mine, other, strict=True)
    )
