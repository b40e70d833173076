"""Binary operators: arithmetic, comparisons and sets, with the matching of two vectors' elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Bools, Floats, Int64s, Labels
from sentinel.model.histogram import boxed
from sentinel.promql import ast
from sentinel.promql.labelsets import LabelSets, Transform
from sentinel.promql.moment import Invocation, Run
from sentinel.promql.native_binary import of_histograms
from sentinel.promql.syntax.printer import series_text
from sentinel.promql.values import NO_SERIES, Scalar, Value, Vector

_COMPUTE: Final[dict[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
    "</": lambda left, right: np.full(np.broadcast(left, right).shape, np.nan),
    ">/": lambda left, right: np.full(np.broadcast(left, right).shape, np.nan),
}


def binary(invocation: Invocation, node: ast.Binary, left: Value, right: Value) -> Value:
    """The value of an operator over two evaluated operands."""
    if isinstance(left, Vector):
        if isinstance(right, Scalar):
            return _with_scalar(invocation, node, left, left.values, right.value)
        assert isinstance(right, Vector)
        if node.op in ast.SET_OPERATORS:
            return _set_operation(invocation.run, node, left, right)
        return _matched(invocation, node, left, right)
    assert isinstance(left, Scalar)
    if isinstance(right, Vector):
        return _with_scalar(invocation, node, right, left.value, right.values)
    assert isinstance(right, Scalar)
    return Scalar(float(_COMPUTE[node.op](np.float64(left.value), np.float64(right.value))))


def _compute(
    invocation: Invocation, op: str, left: Floats | float, right: Floats | float
) -> tuple[Any, Bools | None]:
    """(values, or the truth of a comparison; by row whether there is one); None: all are there."""
    computed = _COMPUTE[op](left, right)
    if op in ast.TRIMS or (invocation.run.native and (_boxes(left) or _boxes(right))):
        columns = (np.broadcast_to(left, computed.shape), np.broadcast_to(right, computed.shape))
        return of_histograms(invocation, op, columns, computed)
    return computed, None


def _boxes(operand: Floats | float) -> bool:
    """Whether there are histograms among the values."""
    return bool(boxed(np.asarray(operand)).any())


def _with_scalar(
    invocation: Invocation,
    node: ast.Binary,
    vector: Vector,
    left: Floats | float,
    right: Floats | float,
) -> Vector:
    computed, known = _compute(invocation, node.op, left, right)
    if known is not None:
        vector, computed = vector.take(known), computed[known]
    if node.op not in ast.COMPARISONS or node.return_bool:
        result = vector.with_values(computed.astype(np.float64, copy=False))
        return result if node.op in ast.TRIMS else invocation.run.renamed(result)
    rows = computed.nonzero()[0]
    return vector.take(rows) if len(rows) else NO_SERIES


def signature(sets: LabelSets, matching: ast.Matching) -> Transform:
    """What two elements must have in common to match."""
    if matching.on:
        return sets.keeping(matching.labels)
    return sets.dropping((*matching.labels, "__name__"))


def _set_operation(run: Run, node: ast.Binary, left: Vector, right: Vector) -> Vector:
    if not len(left) or not len(right):
        return (left if len(left) else right) if node.op == "or" else NO_SERIES if node.op == "and" else left
    sign = signature(run.sets, node.matching)
    left_signs, right_signs = sign(left.ids), sign(right.ids)
    if node.op == "and":
        return left.take(_member(run.sets, left_signs, right_signs))
    if node.op == "unless":
        return left.take(~_member(run.sets, left_signs, right_signs))
    both = _joined(left, right.take(~_member(run.sets, right_signs, left_signs)))
    if not run.delayed_name_removal:
        run.sets.require_distinct(both.ids)
    return both


def _joined(first: Vector, second: Vector) -> Vector:
    """The rows of both."""
    marks = None
    if first.drop_name is not None or second.drop_name is not None:
        marks = np.concatenate([_marks(first), _marks(second)])
    ids = np.concatenate([first.ids, second.ids])
    return Vector(ids, np.concatenate([first.values, second.values]), marks)


def _marks(vector: Vector) -> Bools:
    return np.zeros(len(vector), np.bool_) if vector.drop_name is None else vector.drop_name


def _member(sets: LabelSets, ids: Int64s, among: Int64s) -> Bools:
    """By row of `ids`, whether it occurs in `among`."""
    return _position(sets, ids, among) >= 0


def _position(sets: LabelSets, ids: Int64s, among: Int64s) -> Int64s:
    """By row of `ids`, a row of `among` with the same id, or -1."""
    place = sets.scratch()
    place[ids] = -1
    place[among] = np.arange(len(among))
    return place[ids].astype(np.int64)


def _matched(invocation: Invocation, node: ast.Binary, left: Vector, right: Vector) -> Vector:
    """Every element of the many side (the left one unless `group_right`) with its match on the other."""
    run, matching = invocation.run, node.matching
    sides, fills = (left, right), (matching.fill_left, matching.fill_right)
    if not all(map(len, sides)) and fills == (None, None):
        return NO_SERIES
    turn = -1 if matching.group == "right" else 1
    many, one = sides[::turn]
    sign = signature(run.sets, matching)
    many, one = _paired(run, node, (many, one), fills)
    left, right = (many, one)[::turn]
    if not node.matching.group and run.sets.duplicate(sign(many.ids)) >= 0:
        explicit = "many-to-one matching must be explicit (group_left/group_right)"
        raise QueryError(f"multiple matches for labels: {explicit}", kind="execution")
    ids = _result_ids(run, node, many.ids, one.ids)
    if node.matching.group and run.sets.duplicate(ids) >= 0:
        message = "multiple matches for labels: grouping labels must ensure unique matches"
        raise QueryError(message, kind="execution")
    return _computed(invocation, node, ids, left, right)


def _paired(
    run: Run, node: ast.Binary, sides: tuple[Vector, ...], fills: tuple[float | None, ...]
) -> tuple[Vector, Vector]:
    """Rows of the many side and those of the one side that match them, row by row.

    What has no match is left out, or stands beside an element with a `fill`: `fill_left` stands for the many
    side even where that is the right one, as Prometheus has it.
    """
    many, one = sides
    sign = signature(run.sets, node.matching)
    many_signs, one_signs = sign(many.ids), sign(one.ids)
    _require_unique(run, node, one, one_signs)
    where = _position(run.sets, many_signs, one_signs)
    found = (where >= 0).nonzero()[0]
    pairs = many.take(found), one.take(where[found])
    if fills[1] is not None:
        lonely = where < 0
        filled = _filled(many_signs[lonely], fills[1])
        pairs = _joined(pairs[0], many.take(lonely)), _joined(pairs[1], filled)
    if fills[0] is not None:
        over = ~_member(run.sets, one_signs, many_signs)
        pairs = _joined(pairs[0], _filled(one_signs[over], fills[0])), _joined(pairs[1], one.take(over))
    return pairs


def _filled(signs: Int64s, value: float) -> Vector:
    """Elements that have nothing but what they are matched by."""
    return Vector(signs, np.full(len(signs), value))


def _computed(invocation: Invocation, node: ast.Binary, ids: Int64s, left: Vector, right: Vector) -> Vector:
    run = invocation.run
    computed, known = _compute(invocation, node.op, left.values, right.values)
    if known is not None:
        ids, computed, left, right = ids[known], computed[known], left.take(known), right.take(known)
    if node.op not in ast.COMPARISONS:
        return Vector(ids, computed)
    if node.return_bool:
        return run.renamed(Vector(ids, computed.astype(np.float64)))
    kept = right if node.matching.group == "right" else left
    return Vector(ids, left.values, kept.drop_name).take(computed)


def _require_unique(run: Run, node: ast.Binary, one: Vector, signs: Int64s) -> None:
    row = run.sets.duplicate(signs)
    if row < 0:
        return
    twins = np.flatnonzero(signs == signs[row])[:2].tolist()
    names = sorted(series_text(run.sets[int(one.ids[twin])]) for twin in twins)
    side = "left" if node.matching.group == "right" else "right"
    group = series_text(run.sets[int(signs[row])])
    raise QueryError(
        f"found duplicate series for the match group {group} on the {side} hand-side of the operation: "
        f"[{names[0]}, {names[1]}];many-to-many matching not allowed: "
        "matching labels must be unique on one side",
        kind="execution",
    )


def _result_ids(run: Run, node: ast.Binary, many: Int64s, one: Int64s) -> Int64s:
    """The labels of each result: those of the many side, less or more what the matching clause says."""
    matching, sets = node.matching, run.sets
    if node.op not in ast.COMPARISONS or (node.return_bool and not run.delayed_name_removal):
        many = sets.unmeasured(many)
    if not matching.group:
        return (sets.keeping if matching.on else sets.dropping)(matching.labels)(many)
    if not matching.include:
        return many
    include = tuple(sorted(matching.include))

    def join(labels: Labels, extra: Labels) -> Labels:
        return labels.with_({name: extra.get(name) for name in include})

    return sets.pairing(("include", include), join)(many, sets.keeping(include)(one))
