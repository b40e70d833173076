"""Columns that kernels fill, and the batch made of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sentinel.model import Bools, Floats, Int64s, LabelReader, Payloads, SampleBatch, UInt8s, UInt64s


class Columns(NamedTuple):
    """Room for n samples; a named tuple, because kernels take it as it is."""

    series_hash: UInt64s
    key: Int64s
    timestamp_ms: Int64s
    value: Floats

    @classmethod
    def empty(cls, count: int) -> Columns:
        return cls(
            np.empty((count, 2), np.uint64),
            np.zeros((count, 4), np.int64),
            np.empty(count, np.int64),
            np.empty(count, np.float64),
        )

    def batch(
        self,
        payloads: Payloads,
        buffer: UInt8s,
        record: Int64s,
        keep: Bools | slice,
        read_labels: LabelReader,
    ) -> SampleBatch:
        """The rows in `keep`, which came from the records `record`; keys point into `buffer`."""
        return SampleBatch(
            series_hash=self.series_hash[keep],
            key=self.key[keep],
            buffer=buffer,
            timestamp_ms=self.timestamp_ms[keep],
            value=self.value[keep],
            record=record,
            read_labels=read_labels,
            target=payloads.target,
        )
