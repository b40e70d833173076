"""What columns are made of."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
UInt64s = npt.NDArray[np.uint64]
UInt8s = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

STALE_BITS: Final = 0x7FF0000000000002
"""Prometheus's staleness marker. Compare bits: to a float comparison it is one NaN among others."""
STALE: Final = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])
