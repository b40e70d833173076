"""What becomes of an alert that its expression gives no more: it is over, unless something keeps it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import msgspec

from sentinel.errors import QueryError, RuleError
from sentinel.model import Labels
from sentinel.promql import Query
from sentinel.rules.active import ActiveAlert
from sentinel.rules.context import Context, Moment
from sentinel.rules.flapping import Flapping
from sentinel.rules.hysteresis import Hysteresis
from sentinel.rules.no_data import NoData
from sentinel.rules.schema import Rule

Fate = Literal["over", "kept", "holds", "frozen"]
"""`kept`: its condition is over, it fires on for a while. `holds`: its condition is not over.
`frozen`: nobody can tell, it stays as it is."""


class Look(msgspec.Struct, frozen=True):
    """What was asked about absent alerts. None: nobody needs to know."""

    known: frozenset[Labels] | None = None
    """Labels of what has data."""
    over: frozenset[Labels] | None = None
    """Labels of what `resolve_expr` says is over."""
    problem: RuleError | None = None
    """Why it cannot be told what has data; it counts as if all had."""


class Keeping:
    """The rules `keep_firing_for`, `resolve_expr`, `no_data` and `flap` of one alerting rule."""

    def __init__(self, rule: Rule, context: Context) -> None:
        self._rule = rule
        self._hysteresis = Hysteresis(rule.resolve_expr, context) if rule.resolve_expr else None
        asks = self._hysteresis or rule.no_data != "ok"
        self._no_data = NoData(rule.expr, context) if asks else None
        self.flapping = Flapping(rule.flap)

    @property
    def queries(self) -> tuple[Query, ...]:
        """Those that read what the rule's expression does not."""
        return (self._hysteresis.query,) if self._hysteresis else ()

    @property
    def at_rest(self) -> bool:
        """Whether it has nothing to ask and nothing to forget while there are no alerts."""
        return self._rule.no_data != "alert" and not self.flapping.remembers

    def look(self, absent: Collection[ActiveAlert], nothing: bool, moment: Moment) -> Look:
        """Asks what `fate` will need. `nothing`: the expression gave nothing at all.

        Changes nothing. Raises QueryError or RuleError.
        """
        over = known = problem = None
        if self._hysteresis and any(alert.told for alert in absent):
            over = self._hysteresis.over(moment.sample_ms)
        wanted = absent if over is None else [each for each in absent if _key(each) not in over]
        if self._no_data and (wanted or (nothing and self._rule.no_data == "alert")):
            try:
                known = self._no_data.known(moment.sample_ms)
            except QueryError as error:  # comparisons may have kept apart what does not match one to one
                problem = RuleError(f"cannot tell what has no data: {error}")
        return Look(known, over, problem)

    def lacks_all(self, look: Look, moment: Moment) -> bool:
        """Whether an alert must say that there is no data at all. A source that is away is another matter."""
        return self._rule.no_data == "alert" and look.known is not None and not (look.known or moment.away)

    def fate(self, alert: ActiveAlert, look: Look, moment: Moment) -> Fate:
        over = look.over is not None and _key(alert) in look.over
        if not over and look.known is not None and _key(alert) not in look.known:
            if self._rule.no_data == "keep_last":
                return "frozen"
        elif not over and look.over is not None and alert.told:
            alert.keep_since_ms = 0
            return "holds"
        return "kept" if self._is_kept(alert, moment) else "over"

    def _is_kept(self, alert: ActiveAlert, moment: Moment) -> bool:
        """Whether `keep_firing_for` or flapping holds it, or its source may just be away."""
        if alert.told is None:
            return False
        if moment.may_be_away(alert.sample):
            return True
        since = alert.keep_since_ms or moment.at_ms
        keep_ms = max(self._rule.keep_firing_for_ms, self.flapping.hold_ms(alert.labels, since))
        if keep_ms:
            alert.keep_since_ms = since
        return moment.at_ms - since < keep_ms

    def snapshot(self) -> dict[str, Any]:
        return {"changed_ms": self.flapping.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        self.flapping.restore(state.get("changed_ms", []))


def _key(alert: ActiveAlert) -> Labels:
    return alert.sample.drop(["__name__"])
