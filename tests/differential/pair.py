"""Sentinel and Prometheus side by side, with the same data."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.differential import remote_write
from tests.differential.asking import Client, Question, question
from tests.differential.compare import difference, is_filled
from tests.differential.generate import Generator
from tests.differential.prometheus import Prometheus, is_modern
from tests.differential.series import Series, Setting, make
from tests.differential.tree import node, smaller
from tests.integration.daemon import Daemon
from tests.integration.waiting import wait_until

ALIGNED_SECONDS: Final = 300
"""All steps of subqueries divide it: queries mean the same whenever they are asked."""
MOST_TRIALS: Final = 300
_ALL: Final = node("vector", 'sum(count_over_time({__name__=~".+"}[1h30m]))')
CONFIG: Final = {
    "global": {"evaluation_interval": "1m"},
    "sources": [{"name": "push", "http": {}}],
    "store": {"retention": "3h"},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Where the two differ. `text` is what was asked before it was made smaller."""

    text: str
    asked: Question
    what: str
    ours: dict[str, Any]
    theirs: dict[str, Any]


class Pair:
    """Two servers with the same series."""

    def __init__(self, ours: str, theirs: str, data: Sequence[Series], end_ms: int, *, modern: bool) -> None:
        self._ours, self._theirs = Client(ours), Client(theirs)
        self.data, self.end_ms, self.modern = data, end_ms, modern

    def findings(self, seed: int, count: int) -> Iterator[Finding]:
        """What differs among `count` random queries, each as small as it still differs."""
        for asked in self._questions(seed, count):
            found = self.compare(asked)
            if found is not None:
                yield self._shrunk(found)

    def filled(self, seed: int, count: int) -> int:
        """How many of the queries Prometheus answers with something."""
        return sum(is_filled(self._theirs.ask(asked)) for asked in self._questions(seed, count))

    def compare(self, asked: Question) -> Finding | None:
        ours, theirs = self._ours.ask(asked), self._theirs.ask(asked)
        ordered = not asked.step and asked.tree.text.startswith("sort")
        what = difference(ours, theirs, stepped=bool(asked.step), ordered=ordered)
        return Finding(asked.tree.text, asked, what, ours, theirs) if what else None

    def _questions(self, seed: int, count: int) -> Iterator[Question]:
        generator = Generator(seed, self.end_ms, modern=self.modern)
        chance = random.Random(f"times {seed}")
        return (question(chance, generator.expression(), self.end_ms) for _ in range(count))

    def _shrunk(self, found: Finding) -> Finding:
        """The smallest that still differs in the same way, by at most so many trials."""
        trials, tried = MOST_TRIALS, iter(smaller(found.asked.tree))
        while trials and (tree := next(tried, None)) is not None:
            trials -= 1
            less = self.compare(found.asked.of(tree))
            if less is not None and less.what == found.what:
                found = replace(less, text=found.text)
                tried = smaller(tree)
        return found


@contextmanager
def running(program: str, folder: Path, seed: int, series: int) -> Iterator[Pair]:
    """Both, started and filled with the series of a seed, which end at a whole five minutes."""
    modern = is_modern(program)
    end_ms = int(time.time()) // ALIGNED_SECONDS * ALIGNED_SECONDS * 1000
    data = make(seed, series, Setting(end_ms, modern))
    with ExitStack() as stack:
        theirs = stack.enter_context(Prometheus(program, folder))
        ours = stack.enter_context(Daemon(folder, CONFIG))
        for each in (theirs, ours):
            remote_write.send(each.url, data)
        pair = Pair(ours.url, theirs.url, data, end_ms, modern=modern)
        at = end_ms // 1000
        whole = Question(_ALL, at, at, 0)
        wait_until(
            lambda: pair.compare(whole) is None,
            timeout=30,
            what="equal data",
            why=lambda: pair.compare(whole),
        )
        yield pair
