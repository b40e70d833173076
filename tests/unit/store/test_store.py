"""The store: hashes to slots, demands, limits, expiry, snapshots."""

from __future__ import annotations

import numpy as np
import pytest

from sentinel.model import Labels, Matcher, SampleBatch
from sentinel.store import _kernels as kernels
from sentinel.store.index import Demand
from sentinel.store.lookup import HashTable
from sentinel.store.store import EXPIRY_MS, Store


def series(name: str, **labels: str) -> Labels:
    return Labels({"__name__": name, **labels})


def named(name: str, *more: Matcher) -> tuple[Matcher, ...]:
    return (Matcher("__name__", "=", name), *more)


def batch(rows: list[tuple[str, int, float]]) -> SampleBatch:
    """A batch whose raw label bytes are `name|key=value,...`; another order of labels is another spelling."""
    raw = [text.encode() for text, _, _ in rows]
    ends = np.cumsum([len(text) for text in raw], dtype=np.int64)
    starts = ends - np.array([len(text) for text in raw], np.int64)
    bars = starts + np.array([text.index(b"|") for text in raw], np.int64)
    hashes = np.array([[abs(hash(text)), abs(hash(text[::-1]))] for text in raw], np.uint64)

    def read(name: bytes, labels: bytes) -> Labels:
        pairs = [pair.split("=") for pair in labels.decode()[1:].split(",") if pair]
        return Labels([("__name__", name.decode()), *((key, value) for key, value in pairs)])

    return SampleBatch(
        series_hash=hashes,
        key=np.stack([starts, bars, bars, ends], axis=1),
        buffer=np.frombuffer(b"".join(raw), np.uint8),
        timestamp_ms=np.array([at for _, at, _ in rows], np.int64),
        value=np.array([value for _, _, value in rows], np.float64),
        record=np.arange(len(rows)),
        read_labels=read,
    )


def test_two_spellings_of_one_label_set_meet_in_one_slot() -> None:
    store = Store()
    slots, counts = store.ingest(
        batch([("up|a=1,b=2", 1, 1.0), ("up|b=2,a=1", 2, 2.0), ("up|a=1", 1, 3.0)]), 1
    )
    assert slots[0] == slots[1] != slots[2]
    assert counts[kernels.STORED] == 3
    assert len(store.index) == 2


def test_only_what_is_asked_for_is_kept() -> None:
    store = Store()
    store.demand([Demand(named("asked"), 60_000)])
    asked, other = store.slot(series("asked")), store.slot(series("other"))
    rows = np.array([asked, other] * 50)
    times = np.repeat(np.arange(50) * 1000, 2)
    store.write(rows, times, times.astype(float), 1)
    first, last = store.spans(np.array([asked, other]), -1, 1 << 40)
    assert (last - first).tolist() == [50, 1]
    assert store.value[first[1]] == 49_000.0


def test_a_new_demand_reaches_series_that_are_here() -> None:
    store = Store()
    slot = store.slot(series("x"))
    store.demand([Demand(named("x"), 10_000)])
    store.write(np.full(5, slot), np.arange(5) * 1000, np.arange(5.0), 1)
    first, last = store.spans(np.array([slot]), -1, 1 << 40)
    assert last[0] - first[0] == 5


def test_selections_follow_series_and_stay_in_fingerprint_order() -> None:
    store = Store()
    early = store.selection(named("m", Matcher("job", "=~", "a.*")))
    for number in range(20):
        store.slot(series("m", job=f"a{number}"))
        store.slot(series("m", job=f"b{number}"))
    late = store.selection(named("m", Matcher("job", "!~", "b.*")))
    assert early.slots().tolist() == late.slots().tolist()
    fingerprints = [store.labels(slot).fingerprint for slot in early.slots().tolist()]
    assert fingerprints == sorted(fingerprints) and len(fingerprints) == 20


def test_the_series_limit_refuses_only_new_series() -> None:
    store = Store()
    store.ingest(batch([("m|i=1", 1, 1.0), ("m|i=2", 1, 1.0)]), 1, series_limit=2)
    _, counts = store.ingest(
        batch([("m|i=1", 2, 1.0), ("m|i=3", 2, 1.0), ("m|i=2", 2, 1.0)]), 1, series_limit=2
    )
    assert counts[kernels.STORED] == 2 and counts[kernels.SERIES_LIMIT] == 1
    assert store.ingest(batch([("m|i=3", 2, 1.0)]), 2, series_limit=2)[1][kernels.STORED] == 1, "per source"


def test_silent_series_expire_and_their_slots_serve_others() -> None:
    store = Store()
    selection = store.selection(named("m"))
    gone = store.ingest(batch([("m|i=1", 0, 1.0)]), 1)[0][0]
    store.ingest(batch([("m|i=2", EXPIRY_MS, 1.0)]), 1)
    serial = int(store.serial[gone])
    assert store.expire(EXPIRY_MS + 1) == 1
    assert len(selection.slots()) == 1
    again = store.ingest(batch([("m|i=1", EXPIRY_MS + 1, 5.0), ("n|", EXPIRY_MS + 1, 6.0)]), 1)[0]
    assert gone in again.tolist() and int(store.serial[gone]) != serial
    assert [repr(store.labels(slot)) for slot in again.tolist()] == ['m{i="1"}', "n"]


def test_an_ended_series_yields_nothing_until_it_is_back() -> None:
    store = Store()
    slot = store.add(series("m"), [1000], [1.0])
    store.end([series("m"), series("never seen")], 2000)
    assert not store.latest(np.array([slot]), 3000, 300_000)[0][0]
    store.add(series("m"), [4000], [2.0])
    assert store.latest(np.array([slot]), 4000, 300_000)[1][0] == 2.0


def test_a_restored_store_shows_the_same() -> None:
    store = Store()
    store.demand([Demand(named("m"), 5000)])
    for at in range(10):
        store.ingest(batch([(f"m|i={i}", at * 1000, at + i) for i in range(5)] + [("n|", at, 1.0)]), 2)
    store.windows.horizon_ms = 7000
    copy = Store()
    copy.demand([Demand(named("m"), 5000)])
    copy.restore(store.snapshot())
    ours, theirs = store.selection(named("m")), copy.selection(named("m"))
    for at, lookback in [(9000, 5000), (8500, 100), (20_000, 300_000)]:
        for mine, other in zip(
            store.latest(ours.slots(), at, lookback), copy.latest(theirs.slots(), at, lookback), strict=True
        ):
            assert mine.tolist() == other.tolist()
    assert copy.sources[theirs.slots()].tolist() == [2] * 5


@pytest.mark.parametrize("count", [0, 1, 500, 5000])
def test_the_hash_table_finds_what_was_put(count: int) -> None:
    table, random = HashTable(), np.random.default_rng(count)
    hashes = random.integers(0, 1 << 63, (count, 2)).astype(np.uint64)
    hashes[: count // 2, 0] = 7  # collisions in the first half of the hash
    for part in np.array_split(np.arange(count), 7):
        table.put(hashes[part], part)
    assert table.find(hashes).tolist() == list(range(count))
    assert (table.find(hashes + np.uint64(1)) == -1).all()
    table.forget(np.arange(0, count, 3))
    found = table.find(hashes)
    assert ((found == -1) == (np.arange(count) % 3 == 0)).all()


def test_a_full_hash_table_starts_anew() -> None:
    table = HashTable(limit=100)
    hashes = np.arange(300, dtype=np.uint64).reshape(150, 2)
    table.put(hashes[:90], np.arange(90))
    table.put(hashes[90:], np.arange(90, 150))
    assert len(table) == 60
    assert (table.find(hashes)[:90] == -1).all()
