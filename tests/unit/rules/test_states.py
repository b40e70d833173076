"""The state machine of alerting rules, against the one of Prometheus, written down plainly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import Labels
from tests.unit.rules.world import MINUTE, START, World, one_rule


@dataclass
class Twin:
    """One alert as `rules/alerting.go` has it. Times in minutes; None: it is inactive and forgotten."""

    state: str | None = None
    active_at: int = 0
    kept_since: int | None = None

    def evaluate(self, present: bool, now: int, hold: int, keep: int) -> None:
        if present:
            if self.state is None:
                self.state, self.active_at = "pending", now
            self.kept_since = None
        elif self.state is not None:
            kept = False
            if self.state == "firing" and keep > 0:
                self.kept_since = now if self.kept_since is None else self.kept_since
                kept = now - self.kept_since < keep
            if not kept:
                self.state = self.kept_since = None
                return
        if self.state == "pending" and now - self.active_at >= hold:
            self.state = "firing"
        if self.state == "firing" and now - self.active_at < hold:
            self.state, self.kept_since = "pending", None


MINUTES = st.tuples(st.booleans(), st.sampled_from(["", "", "", "restart", "reload"]))
LENGTHS = st.sampled_from([0, 1, 2, 4])


def rules(hold: int, keep: int) -> str:
    return one_rule("alert: A", "expr: x > 5", f"for: {hold}m", f"keep_firing_for: {keep}m")


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(MINUTES, max_size=25), lengths=st.lists(st.tuples(LENGTHS, LENGTHS), min_size=6))
def test_states_are_those_of_prometheus(
    steps: list[tuple[bool, str]], lengths: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the condition does, however `for` and `keep_firing_for` are edited, wherever it restarts."""
    (hold, keep), *edits = lengths
    folder, world, twin = tmp_path_factory.mktemp("state"), World(rules(hold, keep)), Twin()
    told = ""
    for minute, (present, change) in enumerate(steps, 1):
        if change and edits:
            hold, keep = edits.pop()
            again = world.reload(rules(hold, keep)) if change == "reload" else world.restart(
                folder, rules(hold, keep)
            )  # fmt: skip
            assert again == []
        twin.evaluate(present, minute, hold, keep)
        for event in world.pass_minute(a=9 if present else 1):
            told = event.split()[0]
        assert world.states() == ({"a": twin.state} if twin.state else {})
        assert told == ("firing" if twin.state == "firing" else "resolved" if told else "")
        for alert in world.rule.active.values():
            assert alert.active_at_ms == START + twin.active_at * MINUTE
            assert alert.keep_since_ms == (START + twin.kept_since * MINUTE if twin.kept_since else 0)


def test_times_of_events() -> None:
    world = World(rules(2, 3))
    assert world.pass_minute(2, a=9) == []
    assert world.pass_minute(a=7) == ["firing A a"]
    (firing,) = world.events
    assert (firing.starts_at_ms, firing.ends_at_ms, firing.evaluated_at_ms) == (world.now, 0, world.now)
    assert firing.value == 7 and firing.rule == "r.yml;g;A"
    assert firing.generator_url == "/graph?g0.expr=x+%3E+5&g0.tab=1"
    assert world.pass_minute(3, a=1) == []
    assert world.pass_minute(a=1) == ["resolved A a"]
    resolved = world.events[-1]
    assert (resolved.starts_at_ms, resolved.ends_at_ms) == (firing.starts_at_ms, world.now)
    assert resolved.labels == firing.labels and resolved.id != firing.id


def test_a_condition_that_comes_back_is_another_alert() -> None:
    world = World(rules(0, 0))
    for _ in range(3):
        assert world.pass_minute(a=9) == ["firing A a"]
        assert world.pass_minute(a=1) == ["resolved A a"]
    assert len({event.id for event in world.events}) == 6


def test_a_restart_keeps_pending_time_and_what_keeps_firing(tmp_path: Path) -> None:
    """Prometheus finds the pending time again in series, after two evaluations; keep_firing_for it loses."""
    world = World(rules(5, 4))
    world.pass_minute(4, a=9)
    assert world.restart(tmp_path) == []
    assert world.pass_minute(a=9) == [] and world.states() == {"a": "pending"}
    assert world.pass_minute(a=9) == ["firing A a"]
    assert world.pass_minute(3, a=1) == []
    assert world.restart(tmp_path) == []
    assert world.pass_minute(a=1) == [] and world.states() == {"a": "firing"}
    assert world.pass_minute(a=1) == ["resolved A a"]


def test_back_to_pending_is_kept_by_nothing() -> None:
    world = World(rules(0, 9))
    world.pass_minute(a=9)
    world.pass_minute(a=1)
    world.reload(rules(9, 9))
    assert world.pass_minute(a=1) == ["resolved A a"]
    (alert,) = world.rule.active.values()
    assert (alert.state, alert.keep_since_ms) == ("pending", 0)
    assert world.pass_minute(a=1) == [] and world.states() == {}


def test_annotations_now_and_of_what_is_only_kept() -> None:
    """Templates' queries read at the evaluation's time, or when the expression gave the alert last."""
    text = "annotations: {text: '{{ $value }} {{ query \"time()\" | first | value | humanizeTimestamp }}'}"
    rule = ["alert: A", "expr: x > 5", "keep_firing_for: 9m", text]
    world = World(one_rule(*rule, group="query_offset: 1m"))
    world.pass_minute(a=9)
    assert world.pass_minute(a=8) == ["firing A a"]
    (alert,) = world.rule.active.values()

    def shown() -> str:
        return world.rule.annotations(alert, world.now - MINUTE)["text"]

    assert world.events[0].annotations == {"text": shown()} and shown() == "9 2027-01-15 08:02:00 +0000 UTC"
    world.pass_minute(a=1)
    assert shown() == "8 2027-01-15 08:03:00 +0000 UTC"
    world.pass_minute(3, a=1)
    assert shown() == "8 2027-01-15 08:03:00 +0000 UTC" and alert.keep_since_ms == START + 4 * MINUTE


ALERT_SERIES = one_rule(
    "alert: A",
    "expr: x > 5",
    "for: 1m",
    "labels: {severity: page, size: '{{ if gt $value 8.0 }}big{{ end }}', alertname: B}",
    group="labels: {team: t}",
)


def test_alerts_as_series() -> None:
    world = World(ALERT_SERIES)
    world.pass_minute(a=9)
    own = 'alertname="A", {}i="a", severity="page", size="big", team="t"}}'
    assert world.query("ALERTS") == {"ALERTS{" + own.format('alertstate="pending", '): 1}
    assert world.query("ALERTS_FOR_STATE") == {"ALERTS_FOR_STATE{" + own.format(""): world.now // 1000}
    first = world.now // 1000
    world.pass_minute(a=9)
    assert world.query("ALERTS") == {"ALERTS{" + own.format('alertstate="firing", '): 1}
    assert world.query("ALERTS_FOR_STATE") == {"ALERTS_FOR_STATE{" + own.format(""): first}
    world.pass_minute(a=1)
    assert world.query("ALERTS") == world.query("ALERTS_FOR_STATE") == {}


def test_a_label_that_comes_out_empty_stands_in_series_as_it_is_written() -> None:
    world = World(ALERT_SERIES)
    world.pass_minute(a=6)
    assert next(iter(world.rule.active)).get("size") == ""
    ((name, _),) = world.query("ALERTS").items()
    assert 'size="{{ if gt $value 8.0 }}big{{ end }}"' in name


def test_external_labels_are_the_receivers_alone() -> None:
    world = World(rules(0, 0), external_labels=Labels({"region": "r", "i": "never"}))
    world.pass_minute(a=9)
    assert dict(world.events[0].labels) == {"alertname": "A", "i": "a", "region": "r"}
    assert [dict(labels) for labels in world.rule.active] == [{"alertname": "A", "i": "a"}]
    assert world.query('ALERTS{region!=""}') == {}
