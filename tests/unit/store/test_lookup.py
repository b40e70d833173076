"""From raw bytes to label sets: the hash table, and that all spellings of a label set meet."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.decode.json import JsonConfig, JsonDecoder
from sentinel.decode.limits import Limits
from sentinel.decode.openmetrics import OpenMetricsConfig, OpenMetricsDecoder
from sentinel.decode.remote_write import RemoteWriteConfig, RemoteWriteDecoder
from sentinel.model import Decoded, Labels, SampleBatch, payload_of
from sentinel.store import _kernels as kernels
from sentinel.store.lookup import HashTable, spelled_keys
from sentinel.store.pairs import spelled
from sentinel.store.store import _AT_ONCE, SPELLINGS, Store
from tests.unit.decode.remote_write_encoder import series

NOW_MS = 1_760_000_000_000
TARGET = Labels({"job": "j", "instance": "i:1"})
TARGETS = st.sampled_from([None, TARGET])
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


DECODERS: dict[str, Any] = {
    "json": JsonDecoder(JsonConfig(), Limits(), 60_000),
    "openmetrics": OpenMetricsDecoder(OpenMetricsConfig(), Limits(), 60_000),
    "remote_write": RemoteWriteDecoder(RemoteWriteConfig(), Limits(), 60_000),
}


def decoded(record: bytes, form: str, target: Labels | None = None) -> SampleBatch:
    found: Decoded = DECODERS[form].decode(payload_of("s", form, record, arrival_ms=NOW_MS, target=target))
    assert not found.refused, (record, found.refused)
    return found.batch


def as_remote_write(labels: Labels, draw: random.Random) -> bytes:
    pairs = [*labels]
    draw.shuffle(pairs)
    return series(pairs)


WRITERS = {"json": as_json, "openmetrics": as_text, "remote_write": as_remote_write}


@settings(deadline=None)
@given(SERIES, st.randoms(use_true_random=False), st.sampled_from(sorted(WRITERS)), TARGETS)
def test_a_raw_key_is_spelled_as_its_labels_are(
    labels: Labels, draw: random.Random, form: str, target: Labels | None
) -> None:
    """Only what formats write differently, and what a target says too, is left to the slow reader."""
    batch = decoded(WRITERS[form](labels, draw), form, target)
    meant = batch.labels(0)
    assert target or meant == labels
    text, ends, read = spelled_keys(batch, np.zeros(1, np.int64))
    clash = any(name in ("job", "instance") for name, _ in labels) if target else False
    if len(read):
        wanted = spelled([meant])
        assert (text.tobytes(), ends.tolist()) == (wanted[0].tobytes(), wanted[1].tolist())
    else:
        assert clash or (form == "json" and b"\\" in batch.buffer.tobytes())


@settings(deadline=None)
@given(SERIES, st.randoms(use_true_random=False))
def test_all_formats_meet_in_one_slot(labels: Labels, draw: random.Random) -> None:
    store = Store()
    for form in draw.choices(sorted(WRITERS), k=5):
        slots, _ = store.ingest(decoded(WRITERS[form](labels, draw), form), 1)
        assert slots.tolist() == [0] and store.labels(0) == labels
    assert len(store.index.pool) == 1


@given(SERIES, st.randoms(use_true_random=False), st.booleans(), st.sampled_from([None, TARGET]))
@settings(deadline=None)
def test_a_known_series_is_found_in_any_spelling(
    labels: Labels, draw: random.Random, is_json: bool, target: Labels | None
) -> None:
    """At the limit, where a label set is made only if it may be known."""
    form = "json" if is_json else "openmetrics"
    write = WRITERS[form]
    store, first = Store(), decoded(write(labels, draw), form, target)
    store.ingest(first, 1)
    for _ in range(3):
        again = decoded(write(labels, draw), form, target)
        assert store.ingest(again, 1, series_limit=1)[0].tolist() == [0]
    other = decoded(write(labels.with_({"b": "another"}), draw), form, target)
    if other.labels(0) != first.labels(0):
        assert store.ingest(other, 1, series_limit=1)[1][kernels.SERIES_LIMIT] == 1
    assert len(store.index) == 1


@settings(deadline=None)
@given(st.binary(max_size=40), st.tuples(*[st.integers(-3, 45)] * 4), st.sampled_from([Labels(), TARGET]))
def test_a_hostile_key_is_read_as_some_set_or_not(
    text: bytes, key: tuple[int, int, int, int], target: Labels
) -> None:
    batch = decoded(b"m 1\n", "openmetrics")
    batch = msgspec.structs.replace(
        batch, buffer=np.frombuffer(text, np.uint8), key=np.array([key], np.int64), target=target
    )
    written, _, read = spelled_keys(batch, np.zeros(1, np.int64))
    a, b, c, d = key
    assert not len(read) or (0 <= a <= b <= len(text) and 0 <= c <= d <= len(text))
    parts = written.tobytes().split(b"\xff")
    names = parts[:-1:2]
    assert names == sorted(set(names)) and len(parts) % 2 == 1 and all(parts[:-1])


@pytest.mark.parametrize("count", [255, 256, 257])
def test_a_key_of_very_many_labels_is_left_to_the_slow_reader(count: int) -> None:
    limits = Limits(labels=1000)
    record = b"m{%b} 1\n" % b",".join(b'l%d="x"' % number for number in range(count - 1))
    decoder = OpenMetricsDecoder(OpenMetricsConfig(), limits, 60_000)
    batch = decoder.decode(payload_of("s", "openmetrics", record, arrival_ms=NOW_MS)).batch
    assert len(spelled_keys(batch, np.zeros(1, np.int64))[2]) == (count <= 256)
    store = Store()
    store.ingest(batch, 1)
    assert len(store.labels(0)) == count


@pytest.mark.parametrize("count", [0, 1, 500, 5000])
def test_the_hash_table_finds_what_was_put(count: int) -> None:
    table, random_ = HashTable(), np.random.default_rng(count)
    hashes = random_.integers(0, 1 << 63, (count, 2)).astype(np.uint64)
    hashes[: count // 2, 0] = 7  # collisions in the first half of the hash
    for part in np.array_split(np.arange(count), 7):
        table.put(hashes[part], part)
    assert table.find(hashes).tolist() == list(range(count))
    assert (table.find(hashes + np.uint64(1)) == -1).all()
    renamed = np.where(np.arange(count) % 3, np.arange(count) + 7, -1)
    table.rename(renamed)
    assert table.find(hashes).tolist() == renamed.tolist() and len(table) == (renamed >= 0).sum()
    table.put(hashes, np.arange(count))  # those that are there and those that are not
    assert table.find(hashes).tolist() == list(range(count)) and len(table) == count


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
    for _ in range(80):
        lines = b"".join(as_text(labels, draw) for _ in range(500))
        store.ingest(decoded(lines, "openmetrics"), 1)
        most = max(most, len(store._table))
    assert len(store.index) == 1
    assert _AT_ONCE - 500 < most <= SPELLINGS + _AT_ONCE
