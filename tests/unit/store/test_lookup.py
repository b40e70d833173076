"""From raw bytes to slots: hash tables, digests, and that no spelling of a known label set is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.decode.limits import Limits
from sentinel.decode.openmetrics import OpenMetricsConfig, OpenMetricsDecoder
from sentinel.model import Labels, SampleBatch, payload_of
from sentinel.store import _digest_kernels as digest_kernels
from sentinel.store import _kernels as kernels
from sentinel.store.index import SeriesIndex, spelled
from sentinel.store.lookup import SEED, HashTable, KnownSets
from sentinel.store.store import SPELLINGS, Store

NOW_MS = 1_760_000_000_000
TARGET = Labels({"job": "j", "instance": "i:1"})
TEXT = st.text(st.sampled_from('ab\\"n\n\t{}=:,ü\U0001f600 é/') | st.characters(codec="utf-8"), max_size=6)
NAME = st.sampled_from(["a", "b", "job", "path", "exported_job"])
SERIES = st.builds(
    lambda name, pairs: Labels({**pairs, "__name__": name}),
    st.sampled_from(["up", "load", "a:b"]),
    st.dictionaries(NAME, TEXT, max_size=4),
)


def as_json(labels: Labels, draw: random.Random) -> bytes:
    """One of many ways to write a label set."""
    pairs = [(name, value) for name, value in labels if name != "__name__"]
    pairs += [("empty", "")] * draw.randint(0, 1)
    draw.shuffle(pairs)
    record = {"name": labels.name, "labels": dict(pairs), "value": 1, "timestamp": NOW_MS}
    return json.dumps(record, ensure_ascii=draw.random() < 0.5, indent=draw.choice([None, 1])).encode()


def as_text(labels: Labels, draw: random.Random) -> bytes:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    written = [f"{name} = {quoted(value)}" for name, value in labels if name != "__name__"]
    written += ['empty=""'] * draw.randint(0, 1)
    name = labels.name
    if draw.random() < 0.3:
        written, name = [*written, quoted(name)], ""
    draw.shuffle(written)
    labels_text = draw.choice([",", " , "]).join(written)
    return f"{name}{{{labels_text}}} 1\n".encode()


def decoded(record: bytes, target: Labels | None = None) -> SampleBatch:
    form = "json" if record.startswith(b"{") and b'"timestamp"' in record else "openmetrics"
    decoder = (
        JsonDecoder(JsonConfig(), Limits(), 60_000)
        if form == "json"
        else OpenMetricsDecoder(OpenMetricsConfig(), Limits(), 60_000)
    )
    found = decoder.decode(payload_of("s", form, record, arrival_ms=NOW_MS, target=target))
    assert not found.refused, (record, found.refused)
    return found.batch


def plain_hash(text: bytes, value: int) -> int:
    mask = (1 << 64) - 1
    for byte in text:
        value = ((value ^ byte) * 0x100000001B3) & mask
    value = ((value ^ (value >> 32)) * 0x9E3779B97F4A7C15) & mask
    return value ^ (value >> 29)


def plain_digest(labels: Labels) -> int:
    """The twin of the kernels."""
    hashes = (plain_hash(v.encode(), plain_hash(n.encode(), int(SEED))) for n, v in labels)
    return sum(hashes) & ((1 << 64) - 1)


@settings(deadline=None)
@given(st.lists(SERIES, max_size=5))
def test_digests_of_label_sets_are_those_of_the_twin(series: Sequence[Labels]) -> None:
    text, ends = spelled(series)
    out = np.empty(len(series), np.uint64)
    digest_kernels.digest_spelled(text, ends, SEED, out)
    assert out.tolist() == [plain_digest(labels) for labels in series]


@settings(deadline=None)
@given(SERIES, st.randoms(use_true_random=False), st.booleans())
def test_a_raw_key_has_the_digest_of_its_labels_or_none(
    labels: Labels, draw: random.Random, is_json: bool
) -> None:
    batch = decoded((as_json if is_json else as_text)(labels, draw))
    assert batch.labels(0) == labels
    sure, out = np.empty(1, np.bool_), np.empty(1, np.uint64)
    digest_kernels.digest_keys(batch.buffer, batch.key, SEED, np.empty(0, np.uint64), sure, out)
    assert not sure[0] or int(out[0]) == plain_digest(labels)
    raw = batch.buffer.tobytes()
    assert sure[0] or (is_json and b"\\" in raw), "only what JSON alone escapes is in doubt"


@given(SERIES, st.randoms(use_true_random=False), st.booleans(), st.sampled_from([None, TARGET]))
@settings(deadline=None)
def test_a_known_series_is_found_in_any_spelling(
    labels: Labels, draw: random.Random, is_json: bool, target: Labels | None
) -> None:
    """At the limit, where a label set is made only if it may be known."""
    write = as_json if is_json else as_text
    store, first = Store(), decoded(write(labels, draw), target)
    store.ingest(first, 1)
    for _ in range(3):
        again = decoded(write(labels, draw), target)
        assert store.ingest(again, 1, series_limit=1)[0].tolist() == [0]
    other = decoded(write(labels.with_({"b": "another"}), draw), target)
    if other.labels(0) != first.labels(0):
        assert store.ingest(other, 1, series_limit=1)[1][kernels.SERIES_LIMIT] == 1
    assert len(store.index) == 1


@settings(deadline=None)
@given(st.binary(max_size=40), st.tuples(*[st.integers(-3, 45)] * 4))
def test_a_hostile_key_has_some_digest_or_none(text: bytes, key: tuple[int, int, int, int]) -> None:
    sure, out = np.empty(1, np.bool_), np.empty(1, np.uint64)
    buffer, names = np.frombuffer(text, np.uint8), np.empty(0, np.uint64)
    digest_kernels.digest_keys(buffer, np.array([key], np.int64), SEED, names, sure, out)
    a, b, c, d = key
    assert not sure[0] or (0 <= a <= b <= len(text) and 0 <= c <= d <= len(text))


def test_what_is_not_taken_in_yet_may_be_there() -> None:
    """A large index is taken in step by step, and answers meanwhile."""
    index = SeriesIndex()
    for number in range(40_000):
        index.add(Labels({"__name__": "m", "i": str(number)}))
    known = KnownSets(index)
    new, old = (decoded(as_text(Labels({"__name__": "m", "i": i}), random.Random(1))) for i in ("new", "7"))
    rows = np.zeros(1, np.int64)
    answers = [(bool(known.may_hold(new, rows)[0]), bool(known.may_hold(old, rows)[0])) for _ in range(4)]
    assert answers == [(True, True), (False, True), (False, True), (False, True)]


def test_what_was_freed_before_it_was_taken_in_takes_no_room() -> None:
    """All of it would have one and the same digest, and a hash table is no place for that."""
    index = SeriesIndex()
    for number in range(40_000):
        index.add(Labels({"__name__": "m", "i": str(number)}))
    known, new = KnownSets(index), decoded(as_text(Labels({"__name__": "m"}), random.Random(1)))
    index.remove(range(30_000))
    for _ in range(3):
        known.may_hold(new, np.zeros(1, np.int64))
    assert len(known._table) == 10_000


@pytest.mark.parametrize("count", [0, 1, 500, 5000])
def test_the_hash_table_finds_what_was_put(count: int) -> None:
    table, random_ = HashTable(), np.random.default_rng(count)
    hashes = random_.integers(0, 1 << 63, (count, 2)).astype(np.uint64)
    hashes[: count // 2, 0] = 7  # collisions in the first half of the hash
    for part in np.array_split(np.arange(count), 7):
        table.put(hashes[part], part)
    assert table.find(hashes).tolist() == list(range(count))
    assert (table.find(hashes + np.uint64(1)) == -1).all()
    table.forget(np.arange(0, count, 3))
    found = table.find(hashes)
    assert ((found == -1) == (np.arange(count) % 3 == 0)).all()


def test_a_full_hash_table_starts_anew() -> None:
    table = HashTable()
    hashes = np.arange(300, dtype=np.uint64).reshape(150, 2)
    table.put(hashes[:90], np.arange(90), 100)
    table.put(hashes[90:], np.arange(90, 150), 100)
    assert len(table) == 60
    assert (table.find(hashes)[:90] == -1).all()


def test_a_flood_of_spellings_takes_bounded_room() -> None:
    store, labels = Store(), Labels({"__name__": "m", **{name: name for name in "abcdefghij"}})
    draw, most = random.Random(3), 0
    for _ in range(40):
        lines = b"".join(as_text(labels, draw) for _ in range(500))
        store.ingest(decoded(lines), 1)
        most = max(most, len(store._table))
    assert len(store.index) == 1
    assert 4096 - 500 < most <= SPELLINGS + 4096
