"""All that a test has left behind, to look at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sentinel.model import STALE_BITS
from sentinel.model.histogram import boxed
from sentinel.rule_test.compare import histogram_text, labels_text
from sentinel.rule_test.rehearsal import Rehearsal
from sentinel.template.gonumber import shortest


def dump(rules: Rehearsal) -> str:
    """Every series, of input and of rules: its labels, then a line `value @[unix ms]` for each sample."""
    store = rules.store
    return "\n".join(
        line
        for slot in sorted(store.live().tolist(), key=store.labels)
        for line in (f"{labels_text(dict(store.labels(slot)))} =>", *_samples(rules, slot))
    )


def _samples(rules: Rehearsal, slot: int) -> Iterator[str]:
    _, times_ms, values = rules.store.windows.export(np.array([slot], np.int64))
    histograms = iter(rules.store.histograms.unbox(values[boxed(values)]))
    for at_ms, value, is_box in zip(times_ms.tolist(), values.tolist(), boxed(values).tolist(), strict=True):
        text = histogram_text(next(histograms)) if is_box else _number(value)
        yield f"{text} @[{at_ms}]"


def _number(value: float) -> str:
    return "stale" if np.float64(value).view(np.uint64) == STALE_BITS else shortest(value)
