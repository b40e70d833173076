"""The keys of JSON samples: a name is the inside of a JSON string, labels are an object or nothing."""

from __future__ import annotations

import functools
import json

import msgspec

from sentinel.decode._json_plain import Sample
from sentinel.model import Labels

_LABELS = msgspec.json.Decoder(dict[str, str])


def key_of(sample: Sample) -> tuple[bytes, bytes]:
    """Name and labels as raw bytes of a JSON record would spell them."""
    labels = json.dumps(sample.labels, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return spelled(sample.name), labels.encode()


def spelled(text: str) -> bytes:
    """The inside of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


def read_labels(name: bytes, labels: bytes) -> Labels:
    """The label set of one key."""
    pairs = _LABELS.decode(labels) if labels else {}
    pairs["__name__"] = _name_of(name)
    return Labels(pairs)


@functools.lru_cache(maxsize=4096)
def _name_of(name: bytes) -> str:
    return msgspec.json.decode(b'"%b"' % name, type=str)
