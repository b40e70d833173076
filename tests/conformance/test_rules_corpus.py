"""Rule files of the wild: what Prometheus loads also loads here, the rest is refused at the same place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.errors import ConfigErrors, RuleError
from sentinel.rules.load import load_rules, parse_rules
from tests.conformance.corpus import (
    BROKEN_TEMPLATES,
    FOREIGN_KEYS,
    Corpus,
    Groups,
    as_file,
    as_manifest,
)


@pytest.fixture(scope="module")
def corpus(conformance: Callable[[str], Path]) -> Corpus:
    return Corpus.read(conformance("rules-corpus"))


@pytest.mark.parametrize("write", [as_file, as_manifest])
def test_every_rule_gets_prometheus_verdict(corpus: Corpus, write: Callable[[Groups], str]) -> None:
    assert corpus.accepted.total() == 4288 - len(BROKEN_TEMPLATES)
    assert corpus.right(write) == corpus.size == 4304


def test_a_wrong_verdict_is_counted(corpus: Corpus) -> None:
    """Of both kinds: a rule that should not load, and one that should."""
    some = Counter([next(iter(corpus.accepted))])
    other = Counter([next(iter(corpus.rejected))])
    swapped = corpus._replace(
        accepted=corpus.accepted - some + other, rejected=corpus.rejected - other + some
    )
    assert swapped.right(as_file) == corpus.size - 2


def test_files_load_as_they_are(corpus: Corpus) -> None:
    """Nothing is refused but what is known to be wrong, and each such thing is."""
    rules, refused = 0, []
    for file in corpus.files():
        try:
            rules += sum(len(group.rules) for group in load_rules(corpus.root / file))
        except ConfigErrors as error:
            refused += error.errors
    texts = Counter(map(_kind, refused))
    assert texts == {"expression": len(corpus.places), "template": len(BROKEN_TEMPLATES), "key": 3}
    assert rules > 4000


def _kind(error: Exception) -> str:
    assert isinstance(error, RuleError)
    if error.message.startswith("could not parse expression"):
        return "expression"
    if error.rule in BROKEN_TEMPLATES and "undefined variable" in error.message:
        return "template"
    return "key" if any(error.message == f"unknown key {key!r}" for key in FOREIGN_KEYS) else str(error)


def test_refused_expressions_are_shown_in_the_file(corpus: Corpus) -> None:
    """The place is where Prometheus says it is inside the expression, written as a block in a file."""
    for expr, (line, column) in corpus.places.items():
        with pytest.raises(ConfigErrors) as caught:
            parse_rules(f"groups:\n- name: g\n  rules:\n  - record: r\n    expr: |\n      {expr}\n", "r.yml")
        (error,) = caught.value.errors
        assert (error.line, error.column) == (line + 5, column + 6), expr
