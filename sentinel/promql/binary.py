"""Binary operators: arithmetic, comparisons and sets, with the matching of two vectors' elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Bools, Floats, Int64s, Labels
from sentinel.promql import ast
from sentinel.promql.labelsets import METADATA, LabelSets, Transform
from sentinel.promql.moment import Run
from sentinel.promql.syntax.printer import series_text
from sentinel.promql.values import Scalar, Value, Vector, no_series

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
}


def binary(run: Run, node: ast.Binary, left: Value, right: Value) -> Value:
    """The value of an operator over two evaluated operands."""
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return Scalar(float(_COMPUTE[node.op](np.float64(left.value), np.float64(right.value))))
    if isinstance(left, Vector) and isinstance(right, Vector):
        if node.op in ast.SET_OPERATORS:
            return _set_operation(run, node, left, right)
        return _matched(run, node, left, right)
    if isinstance(left, Vector) and isinstance(right, Scalar):
        return _with_scalar(run, node, left, _COMPUTE[node.op](left.values, right.value))
    assert isinstance(left, Scalar) and isinstance(right, Vector)
    return _with_scalar(run, node, right, _COMPUTE[node.op](left.value, right.values))


def _with_scalar(run: Run, node: ast.Binary, vector: Vector, computed: Floats | Bools) -> Vector:
    if node.op not in ast.COMPARISONS or node.return_bool:
        return run.renamed(vector.with_values(computed.astype(np.float64, copy=False)))
    return vector.take(computed.astype(np.bool_, copy=False))


def signature(sets: LabelSets, matching: ast.Matching) -> Transform:
    """What two elements must have in common to match."""
    if matching.on:
        return sets.keeping(matching.labels)
    return sets.dropping((*matching.labels, "__name__"))


def _set_operation(run: Run, node: ast.Binary, left: Vector, right: Vector) -> Vector:
    if not len(left) or not len(right):
        return (
            (left if len(left) else right) if node.op == "or" else no_series() if node.op == "and" else left
        )
    sign = signature(run.sets, node.matching)
    left_signs, right_signs = sign(left.ids), sign(right.ids)
    if node.op == "and":
        return left.take(_member(run.sets, left_signs, right_signs))
    if node.op == "unless":
        return left.take(~_member(run.sets, left_signs, right_signs))
    added = right.take(~_member(run.sets, right_signs, left_signs))
    marks = None
    if left.drop_name is not None or added.drop_name is not None:
        marks = np.concatenate([_marks(left), _marks(added)])
    both = Vector(np.concatenate([left.ids, added.ids]), np.concatenate([left.values, added.values]), marks)
    if not run.delayed_name_removal:
        run.sets.require_distinct(both.ids)
    return both


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
    found: Int64s = place[ids]
    return found


def _matched(run: Run, node: ast.Binary, left: Vector, right: Vector) -> Vector:
    """Every element of the many side (the left one unless `group_right`) with its match on the other."""
    if not len(left) or not len(right):
        return no_series()
    many, one = (right, left) if node.matching.group == "right" else (left, right)
    sign = signature(run.sets, node.matching)
    signs = sign(one.ids)
    _require_unique(run, node, one, signs)
    where = _position(run.sets, sign(many.ids), signs)
    rows = np.flatnonzero(where >= 0)
    many, one = many.take(rows), one.take(where[rows])
    left, right = (one, many) if node.matching.group == "right" else (many, one)
    if not node.matching.group and run.sets.duplicate(sign(many.ids)) >= 0:
        explicit = "many-to-one matching must be explicit (group_left/group_right)"
        raise QueryError(f"multiple matches for labels: {explicit}", kind="execution")
    ids = _result_ids(run, node, many.ids, one.ids)
    if node.matching.group and run.sets.duplicate(ids) >= 0:
        message = "multiple matches for labels: grouping labels must ensure unique matches"
        raise QueryError(message, kind="execution")
    return _computed(run, node, ids, left, right)


def _computed(run: Run, node: ast.Binary, ids: Int64s, left: Vector, right: Vector) -> Vector:
    computed = _COMPUTE[node.op](left.values, right.values)
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
        many = sets.dropping(METADATA)(many)
    if not matching.group:
        return (sets.keeping if matching.on else sets.dropping)(matching.labels)(many)
    if not matching.include:
        return many
    include = tuple(sorted(matching.include))

    def join(labels: Labels, extra: Labels) -> Labels:
        return labels.with_({name: extra.get(name) for name in include})

    return sets.pairing(("include", include), join)(many, sets.keeping(include)(one))
