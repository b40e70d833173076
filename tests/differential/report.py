"""A finding as text, with the data that it takes to see it again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from tests.differential.pair import Finding
from tests.differential.series import Series

SHOWN: Final = 700
MOST_SERIES: Final = 3
_BEFORE_MS: Final = 600_000
_NAME: Final = re.compile(r"[a-z_]+")


def text(found: Finding, data: Sequence[Series]) -> str:
    """What was asked, both answers (cut), and the samples of the metrics named, ten minutes back."""
    path, form = found.asked.form
    lines = [
        f"--- {found.what}: {form['query']}",
        f"    {path} {' '.join(f'{name}={value}' for name, value in form.items() if name != 'query')}",
        f"    first as {found.text}",
        f"    sentinel:   {_short(found.ours)}",
        f"    prometheus: {_short(found.theirs)}",
    ]
    named = set(_NAME.findall(form["query"]))
    chosen = [one for one in data if one.name in named]
    lines += [f"    {line}" for one in chosen[:MOST_SERIES] for line in _samples(one, found)]
    if len(chosen) > MOST_SERIES:
        lines.append(f"    and {len(chosen) - MOST_SERIES} series more")
    return "\n".join(lines)


def _short(answer: dict[str, object]) -> str:
    shown = json.dumps(answer.get("data") or answer, ensure_ascii=False)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}... ({len(shown)} characters)"


def _samples(one: Series, found: Finding) -> Iterator[str]:
    first_ms, last_ms = found.asked.start * 1000 - _BEFORE_MS, found.asked.end * 1000
    points = zip(one.times, one.values, strict=True)
    shown = [f"{t / 1000:.3f}:{'stale' if v is None else v}" for t, v in points if first_ms < t <= last_ms]
    if shown:
        labels = ",".join(
            f"{name}={json.dumps(value)}" for name, value in one.labels.items() if name != "__name__"
        )
        yield f"{one.name}{{{labels}}} {' '.join(shown[-20:])}"
