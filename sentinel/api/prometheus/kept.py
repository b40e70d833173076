"""Says so when a query reads more than the store keeps: a short answer must not look like a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sentinel.model import Duration, Int64s
from sentinel.promql import Query, ast, to_text
from sentinel.store import _kernels as kernels
from sentinel.store.store import Store

SLACK_MS: Final = 15_000
"""Clocks, and the times of an evaluation and of a question, lie a little apart."""


def shortages(store: Store, query: Query, start_ms: int, end_ms: int) -> list[str]:
    """A warning for each selector whose series are not kept as far back as the query reads them."""
    found: dict[str, None] = {}
    for selector, oldest_ms in _reads(query.expr, start_ms, end_ms):
        selection = query.selected.get(id(selector.matchers))
        if selection is None:
            continue
        short, keep_ms, newest_ms = _shortest(store, selection.slots(), oldest_ms + SLACK_MS)
        if not short:
            continue
        series = to_text(ast.Selector(selector.name, selector.matchers))
        need = Duration(-((oldest_ms - newest_ms) // 1000) * 1000)
        kept = f"series of {series} are kept for {Duration(keep_ms)} only"
        if keep_ms <= 0:
            kept = f"of series of {series} only the newest sample is kept"
        found[f"{kept}, not {need}: a rule or store.retention must ask for more"] = None
    return list(found)


def _shortest(store: Store, slots: Int64s, oldest_ms: int) -> tuple[bool, int, int]:
    """(whether some of these series are not kept since then, how long the shortest is, its newest time)."""
    meta = store.windows.meta[slots]
    keep_ms, newest_ms = meta[:, kernels.KEEP], meta[:, kernels.LAST]
    masks, which = np.unique(meta[:, kernels.SOURCES], return_inverse=True)
    horizon_ms = np.array([store.windows.horizon_of(mask) for mask in masks.tolist()], np.int64)[which]
    # Of what somebody asks for, the newest sample before the window is kept as well.
    since_ms = np.where(keep_ms < 0, newest_ms, horizon_ms - np.maximum(keep_ms, 0))
    short = oldest_ms < since_ms
    if not short.any():
        return False, 0, 0
    return True, int(keep_ms[short].min()), int(newest_ms[short].max())


def _reads(expr: ast.Expr, start_ms: int, end_ms: int) -> Iterator[tuple[ast.Selector, int]]:
    """(selector, the oldest time that it reads at) of an expression evaluated from start to end."""
    waiting, ends = [(expr, start_ms)], (start_ms, end_ms)
    while waiting:
        node, at_ms = waiting.pop()
        if isinstance(node, ast.Selector):
            yield node, _time_of(node, at_ms, ends)
        elif isinstance(node, ast.Range):
            yield node.selector, _time_of(node.selector, at_ms, ends) - node.range_ms
        elif isinstance(node, ast.Subquery):
            waiting.append((node.expr, _time_of(node, at_ms, ends) - node.range_ms))
        else:
            waiting += [(child, at_ms) for child in node.children()]


def _time_of(timed: ast.Selector | ast.Subquery, at_ms: int, ends: tuple[int, int]) -> int:
    if timed.at is None:
        base = at_ms
    elif isinstance(timed.at, int):
        base = timed.at
    else:
        base = ends[timed.at == "end"]
    return base - timed.offset_ms
