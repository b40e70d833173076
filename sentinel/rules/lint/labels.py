"""Which labels the result of an expression may have, and which it surely or likely has: a walk over the tree.

A series can bring any label, so that a bare selector may have all; `by`, `on`, `absent` and the like narrow
that down. `expected` are labels that a matcher proves, or that somebody wrote down: in a `by` clause, say.
The metric's name is left out of it all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from sentinel.promql import ast
from sentinel.rules.lint.recorded import Recorded
from sentinel.rules.lint.world import World, name_of
from sentinel.rules.schema import Rule

_KEEPING: Final = frozenset(("topk", "bottomk", "limitk", "limit_ratio"))
"""Aggregations whose results are series of their input."""


class Names(NamedTuple):
    """A set of names: those listed, or all names but those."""

    listed: frozenset[str] = frozenset()
    all_but: bool = False

    def has(self, name: str) -> bool:
        return (name in self.listed) is not self.all_but

    def without(self, names: Iterable[str]) -> Names:
        return self & Names(frozenset(names), all_but=True)

    def complement(self) -> Names:
        return Names(self.listed, not self.all_but)

    def __and__(self, other: Names) -> Names:
        if self.all_but and other.all_but:
            return Names(self.listed | other.listed, all_but=True)
        if self.all_but:
            return other & self
        return Names(frozenset(filter(other.has, self.listed)))

    def __or__(self, other: Names) -> Names:
        return (self.complement() & other.complement()).complement()


ANY: Final = Names(all_but=True)


class Flow(NamedTuple):
    """The labels of a result; `expected` are among the `possible`."""

    possible: Names = Names()
    expected: frozenset[str] = frozenset()

    def keeping(self, names: Collection[str]) -> Flow:
        """A label of a `by` clause is expected, if it is possible: why else would it be there?"""
        possible = self.possible & Names(frozenset(names))
        return Flow(possible, possible.listed)

    def dropping(self, names: Collection[str]) -> Flow:
        return Flow(self.possible.without(names), self.expected - frozenset(names))

    def adding(self, *names: str) -> Flow:
        return Flow(self.possible | Names(frozenset(names)), self.expected | frozenset(names))

    def allowing(self, name: str) -> Flow:
        """The label may be there, or be gone."""
        return Flow(self.possible | Names(frozenset((name,))), self.expected - {name})

    def or_(self, other: Flow) -> Flow:
        return Flow(self.possible | other.possible, self.expected & other.expected)


class LabelFlow:
    """Flows by expression. Series that are recorded by rules at hand have the labels that these give them."""

    def __init__(self, world: World) -> None:
        self._recorded = Recorded(world, Flow(ANY), self._of_rules)

    def of(self, expr: ast.Expr) -> Flow:
        match expr:
            case ast.Selector():
                return self._selector(expr)
            case ast.Range(selector=inner) | ast.Subquery(expr=inner) | ast.Paren(expr=inner):
                return self.of(inner)
            case ast.Unary(expr=inner):
                return self.of(inner)
            case ast.Aggregation():
                return self._aggregation(expr)
            case ast.Call():
                return self._call(expr)
            case ast.Binary():
                return self._binary(expr)
        return Flow()

    def _selector(self, selector: ast.Selector) -> Flow:
        flow = self._recorded.of(name_of(selector)) or Flow(ANY)
        for matcher in selector.matchers:
            if matcher.name == "__name__":
                continue
            if not matcher.matches(""):
                flow = flow.adding(matcher.name)
            elif (matcher.op, matcher.value) == ("=", ""):
                flow = flow.dropping((matcher.name,))
        return flow

    def _of_rules(self, rules: tuple[Rule, ...]) -> Flow:
        return functools.reduce(Flow.or_, map(self._of_rule, rules))

    def _of_rule(self, rule: Rule) -> Flow:
        given = rule.static_labels()
        return self.of(rule.expr).dropping(given).adding(*(name for name, text in given.items() if text))

    def _aggregation(self, node: ast.Aggregation) -> Flow:
        flow = self.of(node.expr)
        if node.op in _KEEPING:
            return flow
        flow = flow.dropping(node.labels) if node.without else flow.keeping(node.labels)
        if node.op == "count_values" and isinstance(param := ast.bare(node.param or node), ast.Text):
            flow = flow.adding(param.value)
        return flow

    def _call(self, call: ast.Call) -> Flow:
        if call.function in _CALLS:
            return _CALLS[call.function](self, call)
        vectors = [arg for arg in call.args if arg.kind in ("instant vector", "range vector")]
        return self.of(vectors[0]) if vectors else Flow()

    def _binary(self, node: ast.Binary) -> Flow:
        left, right = self.of(node.left), self.of(node.right)
        if node.left.kind == "scalar" or node.right.kind == "scalar":
            return left if node.right.kind == "scalar" else right
        if node.op == "or":
            return left.or_(right)
        if node.op in ast.SET_OPERATORS:
            return left
        matching = node.matching
        if matching.group == "right":
            return _many_to_one(right, left, matching)
        return _many_to_one(left, right, matching) if matching.group else _one_to_one(left, right, matching)


def _one_to_one(left: Flow, right: Flow, matching: ast.Matching) -> Flow:
    """The labels that are matched: they are equal on both sides, so what one side lacks the result lacks."""
    if matching.on:
        left, right = left.keeping(matching.labels), right.keeping(matching.labels)
    else:
        left, right = left.dropping(matching.labels), right.dropping(matching.labels)
    possible = left.possible & right.possible
    return Flow(possible, frozenset(filter(possible.has, left.expected | right.expected)))


def _many_to_one(many: Flow, one: Flow, matching: ast.Matching) -> Flow:
    """The labels of the many side; those that are included are the other side's, or gone."""
    listed = Names(frozenset(matching.labels))
    equal = listed if matching.on else listed.complement()
    possible = many.possible & (one.possible | equal.complement())
    expected = many.expected | frozenset(filter(equal.has, one.expected))
    flow = Flow(possible, frozenset(filter(possible.has, expected))).dropping(matching.include)
    for name in matching.include:
        if one.possible.has(name):
            flow = flow.adding(name) if name in one.expected else flow.allowing(name)
    return flow


def _absent(_: LabelFlow, call: ast.Call) -> Flow:
    """Labels that exactly one matcher asks for, by equality."""
    inner = ast.bare(call.args[0])
    selector = inner.selector if isinstance(inner, ast.Range) else inner
    if not isinstance(selector, ast.Selector):
        return Flow()
    names = [matcher.name for matcher in selector.matchers]
    proven = [m.name for m in selector.matchers if m.op == "=" and m.value and names.count(m.name) == 1]
    return Flow().adding(*proven).dropping(("__name__",))


def _label_replace(flows: LabelFlow, call: ast.Call) -> Flow:
    flow, (target, replacement, _, pattern) = flows.of(call.args[0]), map(ast.bare, call.args[1:])
    if not (isinstance(target, ast.Text) and isinstance(replacement, ast.Text)):
        return flow
    plain = replacement.value and "$" not in replacement.value
    whole = isinstance(pattern, ast.Text) and pattern.value in ("", ".*", "(.*)")
    if replacement.value and (target.value in flow.expected or (plain and whole)):
        return flow.adding(target.value)
    return flow.allowing(target.value)


def _label_join(flows: LabelFlow, call: ast.Call) -> Flow:
    flow, (target, _, *sources) = flows.of(call.args[0]), map(ast.bare, call.args[1:])
    if not isinstance(target, ast.Text):
        return flow
    given = any(isinstance(source, ast.Text) and source.value in flow.expected for source in sources)
    return flow.adding(target.value) if given else flow.allowing(target.value)


def _quantile(flows: LabelFlow, call: ast.Call) -> Flow:
    return flows.of(next(arg for arg in call.args if arg.kind == "instant vector")).dropping(("le",))


def _quantiles(flows: LabelFlow, call: ast.Call) -> Flow:
    """histogram_quantiles(vector, label, quantile...)"""
    label = ast.bare(call.args[1])
    return _quantile(flows, call).adding(*([label.value] if isinstance(label, ast.Text) else ()))


def _info(flows: LabelFlow, call: ast.Call) -> Flow:
    """Joins whatever labels the info metrics have."""
    return Flow(ANY, flows.of(call.args[0]).expected)


_CALLS: Final[dict[str, Callable[[LabelFlow, ast.Call], Flow]]] = {
    "absent": _absent,
    "absent_over_time": _absent,
    "label_replace": _label_replace,
    "label_join": _label_join,
    "histogram_quantile": _quantile,
    "histogram_fraction": _quantile,
    "histogram_quantiles": _quantiles,
    "info": _info,
}
