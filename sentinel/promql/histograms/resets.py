"""Whether a counter was reset between two of its histograms."""

from __future__ import annotations

import numpy as np

from sentinel.model import Histogram
from sentinel.promql.histograms.reconcile import Layout


def is_reset(now: Histogram, before: Histogram) -> bool:
    """Whether some count is smaller now than before, or the layout became finer, which only a restart does.

    A hint that says so, or says no, settles it. The sum may go down without a reset.
    """
    if now.reset_hint in ("reset", "not_reset"):
        return now.reset_hint == "reset"
    if now.is_custom is not before.is_custom:
        return True
    layout = Layout.of((now, before))
    if (layout.schema, layout.zero_threshold) != (now.schema, now.zero_threshold):
        return True
    return bool(np.any(layout.row(now)[1:] < layout.row(before)[1:]))
