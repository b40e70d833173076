"""Whether an expression says when: whether its result can be empty though there are series."""

from __future__ import annotations

import re
from typing import Final

from sentinel.promql import ast
from sentinel.rules.lint.recorded import Recorded
from sentinel.rules.lint.world import World, name_of

ABSENCE: Final = ("absent", "absent_over_time")

_ALWAYS: Final = frozenset(("scalar", "count_over_time", "time"))
"""Functions that give something whatever their argument gives."""

_INFO: Final = re.compile(r"_(?:info|metadata)(?:_|$)")
_WHO: Final = frozenset(("__name__", "job", "instance", "cluster", "namespace"))
"""Labels that say whose series it is rather than how things are."""


class Conditions:
    """Answers by expression."""

    def __init__(self, world: World) -> None:
        self._recorded = Recorded(world, True, lambda rules: all(self.are_in(rule.expr) for rule in rules))

    def are_in(self, expr: ast.Expr) -> bool:
        match expr:
            case ast.Binary(op="or"):
                return self.are_in(expr.left) and self.are_in(expr.right)
            case ast.Binary(op="and" | "unless"):
                return True
            case ast.Binary(op=op, return_bool=False) if op in ast.COMPARISONS:
                return True
            case ast.Call(function=function) if function in ABSENCE:
                return True
            case ast.Call(function=function) if function in _ALWAYS:
                return False
            case ast.Aggregation():
                return self.are_in(expr.expr)
            case ast.Selector():
                return self._of_series(expr)
        return any(self.are_in(child) for child in expr.children())

    def _of_series(self, selector: ast.Selector) -> bool:
        """ALERTS are there while an alert is, and a recorded series while its expression gives something.

        The value of an info metric says nothing: its matchers are the condition.
        """
        name = name_of(selector)
        if name in ("ALERTS", "ALERTS_FOR_STATE"):
            return True
        if _INFO.search(name) and any(matcher.name not in _WHO for matcher in selector.matchers):
            return True
        return bool(self._recorded.of(name))
