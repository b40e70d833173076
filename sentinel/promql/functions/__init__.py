"""PromQL's functions, by family. Importing this package registers them all and compiles none."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from sentinel.promql.functions.registry import FUNCTIONS, Function

FAMILIES: Final = (
    "absence",
    "elementwise",
    "histograms",
    "info",
    "labels",
    "ordering",
    "over_time",
    "rates",
    "times",
)
for _family in FAMILIES:
    import_module(f"{__name__}.{_family}")

__all__ = ["FAMILIES", "FUNCTIONS", "Function"]
