"""Random queries at Sentinel, as a daemon, and at a real Prometheus with the same data.

`python -m tests.differential` asks as many of any seed, and shows the data with every difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.differential import report
from tests.differential.compare import difference
from tests.differential.generate import Generator
from tests.differential.pair import Pair, running
from tests.differential.prometheus import program
from tests.differential.series import Setting, make
from tests.differential.tree import node, smaller

PROGRAM: Final = program()
END_MS: Final = 1_760_000_100_000
SERIES, QUERIES = 60, 350
needs_prometheus = pytest.mark.skipif(PROGRAM is None, reason="needs the program prometheus")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running(str(PROGRAM), tmp_path_factory.mktemp("differential"), seed=1, series=SERIES) as both:
        yield both


@needs_prometheus
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", (1, 2, 3))
def test_random_queries_are_answered_alike(pair: Pair, seed: int) -> None:
    found = [report.text(each, pair.data) for each in pair.findings(seed, QUERIES)]
    assert not found, "\n".join(found)


@needs_prometheus
def test_most_answers_hold_something(pair: Pair) -> None:
    """Errors are alike too easily, and so is nothing."""
    assert pair.filled(seed=1, count=100) > 50


def test_the_same_seed_gives_the_same_data_and_queries() -> None:
    setting = Setting(END_MS, modern=False)
    assert make(7, 20, setting) == make(7, 20, setting) != make(8, 20, setting)
    one, two = Generator(7, END_MS), Generator(7, END_MS)
    texts = [one.expression().text for _ in range(50)]
    assert texts == [two.expression().text for _ in range(50)] and len(set(texts)) > 40


def test_a_tree_is_made_smaller_by_what_it_holds() -> None:
    selector = node("vector", "a", node("modifier", " offset 5m"))
    tree = node("vector", "abs(", node("vector", "-(", selector, ")"), ")")
    texts = [one.text for one in smaller(tree)]
    assert set(texts) == {"a offset 5m", "-(a offset 5m)", "abs(a offset 5m)", "abs(-(a))"}
    assert texts == sorted(texts, key=len)


def _vector(*values: str) -> dict[str, object]:
    result = [{"metric": {"n": str(row)}, "value": [1, value]} for row, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def _error(kind: str, text: str) -> dict[str, object]:
    return {"status": "error", "errorType": kind, "error": text}


@pytest.mark.parametrize(
    ("ours", "theirs", "what"),
    [
        (_vector("1", "NaN"), _vector("1.0000001", "NaN"), ""),
        (_vector("1"), _vector("1.00001"), "other values"),
        (_vector("0"), _vector("1e-17"), "other values"),
        (_vector("1"), _vector("1", "2"), "other series"),
        (_vector("1"), _error("execution", "x"), "one of them fails"),
        (_error("execution", "x"), _error("bad_data", "x"), "another type of error"),
        (_error("bad_data", "1:2: parse error: no"), _error("bad_data", "1:9: parse error: no way"), ""),
        (_error("execution", "one thing"), _error("execution", "another thing"), "another text of an error"),
    ],
)
def test_answers_are_compared(ours: dict[str, object], theirs: dict[str, object], what: str) -> None:
    found = difference(ours, theirs)
    assert found == what
