"""`info(v, {matchers})`: labels of info metrics laid over the series of the same job and instance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from sentinel.errors import QueryError
from sentinel.model import Labels, Matcher
from sentinel.model.histogram import boxed
from sentinel.promql import ast
from sentinel.promql.functions.registry import function
from sentinel.promql.moment import Invocation
from sentinel.promql.syntax.printer import series_text
from sentinel.promql.values import Vector

_IDENTIFYING: Final = ("instance", "job")
_USUAL: Final = Matcher("__name__", "=", "target_info")
_ANY_INFO: Final = Matcher("__name__", "=~", ".+_info")


def with_info_selectors(expr: ast.Expr) -> ast.Expr:
    """The tree in which each `info` reads the info series by a selector of its own, as of the right time."""
    return ast.rebuilt(expr, _planned)


def _planned(node: ast.Expr) -> ast.Expr:
    if not isinstance(node, ast.Call) or node.function != "info":
        return node
    written = node.args[1] if len(node.args) > 1 else ast.Selector("", ())
    assert isinstance(written, ast.Selector), "the parser lets nothing else through"
    data = tuple(matcher for matcher in written.matchers if matcher.name != "__name__")
    at, offset_ms = _time_of(node.args[0])
    selector = replace(written, matchers=(*data, *_names(written.matchers)), at=at, offset_ms=offset_ms)
    return replace(node, args=(node.args[0], selector))


def _names(matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
    """The matchers that say which metrics are info metrics."""
    named = tuple(matcher for matcher in matchers if matcher.name == "__name__")
    if not named:
        return (_USUAL,)
    return named if any(matcher.op in ("=", "=~") for matcher in named) else (_ANY_INFO, *named)


def _time_of(expr: ast.Expr) -> tuple[ast.At, int]:
    """`@` and offset of the first selector below, those of the subqueries around it added."""
    for path in _paths(expr, ()):
        at, offset_ms = None, 0
        for timed in reversed(path):
            offset_ms += timed.offset_ms
            at = timed.at
            if at is not None:
                break
        return at, offset_ms
    return None, 0


def _paths(
    expr: ast.Expr, above: tuple[ast.Selector | ast.Subquery, ...]
) -> Iterable[tuple[ast.Selector | ast.Subquery, ...]]:
    """Each selector below, with the subqueries around it in front."""
    if isinstance(expr, ast.Selector | ast.Subquery):
        above = (*above, expr)
    if isinstance(expr, ast.Selector):
        yield above
    for child in expr.children():
        yield from _paths(child, above)


@function("info(vector, vector?) vector", native=True)
def info(invocation: Invocation, vector: Vector, found: Vector) -> Vector:
    """Each series with the data labels of the info series that it shares `instance` and `job` with."""
    selector = invocation.args[1]
    assert isinstance(selector, ast.Selector), "planned by `with_info_selectors`"
    names = [matcher for matcher in selector.matchers if matcher.name == "__name__"]
    data = [matcher for matcher in selector.matchers if matcher.name != "__name__"]
    newest = _newest(invocation, found)
    rows, ids = [], []
    for row, id in enumerate(vector.ids.tolist()):
        labels = invocation.sets[id]
        if not all(matcher.matches(labels.name) for matcher in names):
            infos = newest.get(_identity(labels), {})
            if not infos and not all(matcher.matches("") for matcher in data):
                continue
            labels = _enriched(labels, infos.values(), {matcher.name for matcher in data})
        rows.append(row)
        ids.append(invocation.sets.intern(labels))
    kept = vector.take(np.array(rows, np.int64))
    result = Vector(np.array(ids, np.int64), kept.values, kept.drop_name)
    invocation.sets.require_distinct(result.ids)
    return result


def _identity(labels: Labels) -> Labels:
    return labels.keep(_IDENTIFYING)


def _newest(invocation: Invocation, found: Vector) -> dict[Labels, dict[str, Labels]]:
    """By job and instance, by metric, the info series with the newest sample."""
    assert found.timestamp_ms is not None, "it comes from a selector"
    if boxed(found.values).any():
        raise QueryError("info sample should be float", kind="execution")
    times: dict[tuple[Labels, str], int] = {}
    newest: dict[Labels, dict[str, Labels]] = {}
    for id, at_ms in zip(found.ids.tolist(), found.timestamp_ms.tolist(), strict=True):
        labels = invocation.sets[id]
        key = (_identity(labels), labels.name)
        if not key[0]:
            continue
        if at_ms == times.get(key):
            before = newest[key[0]][labels.name]
            text = f"existing {series_text(before)} @ {at_ms}, new {series_text(labels)} @ {at_ms}"
            raise QueryError(f"found duplicate series for info metric: {text}", kind="execution")
        if at_ms > times.get(key, -(1 << 62)):
            times[key] = at_ms
            newest.setdefault(key[0], {})[labels.name] = labels
    return newest


def _enriched(labels: Labels, infos: Iterable[Labels], wanted: set[str]) -> Labels:
    """The labels, and those `wanted` (or all) of the info series that they do not have themselves."""
    own, added = labels.map, dict[str, str]()
    for each in infos:
        for name, value in each:
            if name == "__name__" or (wanted and name not in wanted):
                continue
            if added.get(name, value) != value:
                raise QueryError(f"conflicting label: {name}", kind="execution")
            if name not in own:
                added[name] = value
    return labels.with_(added) if added else labels
