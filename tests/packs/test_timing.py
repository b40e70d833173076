"""How fast brokers that are gone are paged, and that restarts are not: over all phases of polls and rules."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.model import AlertEvent
from tests.packs.cluster import GROUP_WAIT_MS, Outages, Watch, events

FOREVER = 10**9
START_MS = 60_000
"""Long enough for the rules to know the cluster in health."""


@st.composite
def watches(draw: st.DrawFn) -> Watch:
    interval_ms = draw(st.sampled_from([5_000, 10_000]))
    return Watch(
        interval_ms,
        draw(st.integers(0, interval_ms - 1)),
        draw(st.integers(0, 4_999)),
        silent=draw(st.booleans()),
        seed=draw(st.integers(0, 1000)),
    )


starts = st.integers(START_MS, START_MS + 10_000)


def pages(found: list[AlertEvent]) -> list[tuple[str, str, str]]:
    """(alert, broker, state) of all that pages."""
    critical = [event for event in found if event.labels.get("severity") == "critical"]
    return [(event.labels.get("alertname"), event.labels.get("id"), event.state) for event in critical]


@settings(max_examples=25, deadline=None)
@given(watches(), starts)
def test_a_cluster_that_stops_is_paged_within_a_minute(watch: Watch, stop_ms: int) -> None:
    outages = {id: [(stop_ms, FOREVER)] for id in range(3)}
    found = events(watch, 3, outages, stop_ms + 180_000)
    assert pages(found) == [("KafkaClusterDown", "", "firing")]
    assert found[0].evaluated_at_ms + GROUP_WAIT_MS <= stop_ms + 60_000


@settings(max_examples=25, deadline=None)
@given(watches(), starts, st.integers(0, 2))
def test_a_broker_that_is_killed_is_paged_within_90_seconds(watch: Watch, kill_ms: int, broker: int) -> None:
    found = events(watch, 3, {broker: [(kill_ms, FOREVER)]}, kill_ms + 180_000)
    assert pages(found) == [("KafkaBrokerDown", str(broker), "firing")]
    assert found[0].evaluated_at_ms + GROUP_WAIT_MS <= kill_ms + 90_000


@settings(max_examples=12, deadline=None)
@given(watches(), starts, st.lists(st.integers(5_000, 40_000), min_size=3, max_size=5))
def test_a_rolling_restart_is_quiet(watch: Watch, begin_ms: int, away_ms: list[int]) -> None:
    """One broker directly after another; then for ten minutes nothing that would follow from it."""
    outages: dict[int, list[tuple[int, int]]] = {}
    at_ms = begin_ms
    for broker, duration_ms in enumerate(away_ms):
        outages[broker] = [(at_ms, at_ms + duration_ms)]
        at_ms += duration_ms
    assert events(watch, len(away_ms), outages, at_ms + 600_000) == []


@settings(max_examples=20, deadline=None)
@given(watches(), starts, st.integers(70_000, 200_000))
def test_a_broker_that_comes_back_is_told_once(watch: Watch, kill_ms: int, away_ms: int) -> None:
    """It fires and resolves once, or not at all where the outage was hardly longer than a minute."""
    outages: Outages = {1: [(kill_ms, kill_ms + away_ms)]}
    told = pages(events(watch, 3, outages, kill_ms + away_ms + 60_000))
    once = [("KafkaBrokerDown", "1", "firing"), ("KafkaBrokerDown", "1", "resolved")]
    assert told == once or (told == [] and away_ms < 80_000)


@settings(max_examples=20, deadline=None)
@given(watches(), starts, st.integers(100_000, 150_000), st.integers(45_000, 120_000))
def test_a_paged_broker_stays_paged_while_all_are_down(
    watch: Watch, kill_ms: int, later_ms: int, down_ms: int
) -> None:
    """Its page does not resolve because nobody is left to ask; the others give no pages of their own."""
    stop_ms = kill_ms + later_ms
    outages = {0: [(kill_ms, FOREVER)], **{id: [(stop_ms, stop_ms + down_ms)] for id in (1, 2)}}
    told = pages(events(watch, 3, outages, stop_ms + down_ms + 100_000))
    broker, cluster = ("KafkaBrokerDown", "0"), ("KafkaClusterDown", "")
    assert [page for page in told if page[0] == broker[0]] == [(*broker, "firing")]
    assert [page for page in told if page[0] == cluster[0]] == [
        (*cluster, "firing"),
        (*cluster, "resolved"),
    ]
