"""Small batches of samples, written shortly."""

from __future__ import annotations

import re

import numpy as np

from sentinel.model import Labels, SampleBatch


def batch(rows: list[tuple[str, int, float]]) -> SampleBatch:
    """Rows of (series, time, value). A series is `name|key=value,...`, its raw label bytes `key="value",...`.

    Another order of the labels, or blanks between them, is another spelling.
    """
    names = [text.partition("|")[0].encode() for text, _, _ in rows]
    labels = [re.sub(r"=(\w*)", r'="\1"', text.partition("|")[2]).encode() for text, _, _ in rows]
    ends = np.cumsum([len(part) for pair in zip(names, labels, strict=True) for part in pair], dtype=np.int64)
    bounds = np.concatenate([np.zeros(1, np.int64), ends])
    return SampleBatch(
        series_hash=np.array([[abs(hash(text)), abs(hash(text[::-1]))] for text, _, _ in rows], np.uint64),
        key=np.stack([bounds[:-1:2], bounds[1::2], bounds[1::2], bounds[2::2]], axis=1),
        buffer=np.frombuffer(
            b"".join(part for pair in zip(names, labels, strict=True) for part in pair), np.uint8
        ),
        timestamp_ms=np.array([at for _, at, _ in rows], np.int64),
        value=np.array([value for _, _, value in rows], np.float64),
        record=np.arange(len(rows)),
        read_labels=read_labels,
    )


def read_labels(name: bytes, labels: bytes) -> Labels:
    return Labels([("__name__", name.decode()), *re.findall(r'(\w+)="(\w*)"', labels.decode())])
