"""`${VAR}` in configuration texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.config.environment import substitute

ENVIRONMENT = {"HOST": "kafka", "PORT": "9092", "EMPTY": "", "NESTED": "${HOST}"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${HOST}:${PORT}", "kafka:9092"),
        ("${NONE:-a b}", "a b"),
        ("${NONE:-}", ""),
        ("${HOST:-other}", "kafka"),
        ("${EMPTY:-other}", "other"),
        ("a${EMPTY}b", "ab"),
        ("$${HOST}", "${HOST}"),
        ("$$$${HOST}", "$${HOST}"),
        ("$$${HOST}", "$kafka"),
        ("${NESTED}", "${HOST}"),
        ("$HOST ^a$ $1", "$HOST ^a$ $1"),
    ],
)
def test_substitution(text: str, result: str) -> None:
    assert substitute(text, ENVIRONMENT) == result


@pytest.mark.parametrize("text", ["${NONE}", "${", "${}", "${1A}", "${HOST:default}", "${HOST"])
def test_refusals_carry_a_hint(text: str) -> None:
    with pytest.raises(ValueError, match=r"\n"):
        substitute(text, ENVIRONMENT)


@given(st.text())
def test_doubled_dollars_keep_any_text(text: str) -> None:
    assert substitute(text.replace("$", "$$"), {}) == text
