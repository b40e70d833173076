"""How much one record may bring: bounds that hold whatever a producer sends."""

from __future__ import annotations

import msgspec
import numpy as np

from sentinel.model import Int64s


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lengths are bytes of UTF-8 after unescaping; a metric's name counts as a label value."""

    labels: int = 64
    label_name_bytes: int = 2048
    label_value_bytes: int = 2048
    record_bytes: int = 1 << 20

    def column(self) -> Int64s:
        """The same numbers for a kernel: labels, name bytes, value bytes, record bytes."""
        return np.array(
            [self.labels, self.label_name_bytes, self.label_value_bytes, self.record_bytes], np.int64
        )
