"""Series of targets: what a target has no longer ends, and what it had is known after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.engine import Engine, Settings
from sentinel.store import snapshot
from sentinel.store.label_rows import LabelRows
from tests.unit.store.batches import batch

START_MS = 1_000_000
SETTINGS = Settings(sources=("s", "t"))


def scrape(engine: Engine, target: str, series: str, at_ms: int) -> None:
    """`series`: a letter for each that the target has."""
    samples = batch([(f"{name}|target={target}", at_ms, 1.0) for name in series])
    engine.ingest_target("t", target, samples, at_ms)


def present(engine: Engine, at_ms: int) -> str:
    """The letters of all that has a value."""
    store = engine.store
    slots = store.index.live()
    here, _, _ = store.latest(slots, at_ms, 300_000)
    return "".join(sorted(store.labels(slot).name for slot in slots[here].tolist()))


@pytest.mark.parametrize("release", ["none", "this", "before"])
def test_what_a_target_has_no_longer_ends(release: str, tmp_path: Path) -> None:
    engine = Engine([], SETTINGS)
    scrape(engine, "one", "abc", START_MS)
    scrape(engine, "two", "bd", START_MS)
    if release != "none":
        snapshot.save(tmp_path, engine.snapshot())
        state = snapshot.load(tmp_path)
        assert state is not None
        if release == "before":
            sets = iter(LabelRows(**state.pop("target_series")).sets())
            state["targets"] = [(*key, [next(sets) for _ in range(n)]) for *key, n in state["targets"]]
        engine = Engine([], SETTINGS)
        assert engine.restore(state) == []
    assert present(engine, START_MS) == "abbcd"
    scrape(engine, "one", "ae", START_MS + 1000)
    scrape(engine, "two", "bd", START_MS + 1000)
    assert present(engine, START_MS + 1000) == "abde"
    scrape(engine, "one", "cb", START_MS + 2000)
    scrape(engine, "two", "f", START_MS + 2000)
    assert present(engine, START_MS + 2000) == "bcf"


def test_targets_of_a_source_that_is_gone_are_forgotten() -> None:
    engine = Engine([], SETTINGS)
    scrape(engine, "one", "abc", START_MS)
    other = Engine([], Settings(sources=("s",)))
    assert other.restore(engine.snapshot()) == []
    assert other.snapshot()["targets"] == []
