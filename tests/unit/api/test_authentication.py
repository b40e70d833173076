"""Passwords, what is remembered of them, and the token bucket."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Callable

import bcrypt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentinel.api import authentication
from sentinel.api.authentication import BusyError, Passwords, Tokens, credentials
from sentinel.api.web_config import RateLimit
from sentinel.model import Duration, Secret


def hashed(password: bytes) -> Secret:
    """At bcrypt's least cost: a millisecond."""
    return Secret(bcrypt.hashpw(password, bcrypt.gensalt(4)).decode())


USERS = {"alice": hashed(b"wonderland"), "bob": hashed(b"b" * 72)}


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Each call of bcrypt, with its arguments; none on the event loop's thread."""
    calls: list[tuple[bytes, bytes]] = []
    real, main = bcrypt.checkpw, threading.current_thread()

    def checkpw(password: bytes, stored: bytes) -> bool:
        assert threading.current_thread() is not main
        calls.append((password, stored))
        return real(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return calls


@pytest.mark.parametrize(
    ("name", "password", "right"),
    [
        ("alice", b"wonderland", True),
        ("alice", b"Wonderland", False),
        ("alice", b"wonderland\0", False),
        ("alice", b"", False),
        ("bob", b"wonderland", False),
        ("bob", b"b" * 100, True),  # bcrypt looks at 72 bytes, here as everywhere
        ("carol", b"wonderland", False),
        ("carol", b"b" * 72, False),
    ],
)
def test_who_is_right(name: str, password: bytes, right: bool) -> None:
    assert asyncio.run(Passwords().right(USERS, name, password)) is right


def test_an_unknown_user_costs_as_much_as_a_known_one(checks: list[tuple[bytes, bytes]]) -> None:
    async def ask() -> None:
        passwords = Passwords()
        for name in ("alice", "nobody", "somebody", "anybody"):
            assert not await passwords.right(USERS, name, b"guess")

    asyncio.run(ask())
    stored = {secret.reveal().encode() for secret in USERS.values()}
    assert len(checks) == 4 and {found for _, found in checks} <= stored


def test_answers_are_remembered_until_the_hash_changes(checks: list[tuple[bytes, bytes]]) -> None:
    async def ask() -> None:
        passwords = Passwords()
        for _ in range(3):
            assert await passwords.right(USERS, "alice", b"wonderland")
            assert not await passwords.right(USERS, "alice", b"guess")
        assert len(checks) == 2
        changed = {**USERS, "alice": hashed(b"changed")}
        assert not await passwords.right(changed, "alice", b"wonderland")
        assert not await passwords.right({"bob": USERS["bob"]}, "alice", b"wonderland")

    asyncio.run(ask())
    assert len(checks) == 4


def test_guessing_makes_no_right_answer_forgotten(
    checks: list[tuple[bytes, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MOST_REMEMBERED", 3)

    async def ask() -> None:
        passwords = Passwords()
        assert await passwords.right(USERS, "alice", b"wonderland")
        for number in range(10):
            assert not await passwords.right(USERS, "alice", b"%d" % number)
        assert len(checks) == 11
        assert await passwords.right(USERS, "alice", b"wonderland")
        assert len(checks) == 11
        assert not await passwords.right(USERS, "alice", b"0")

    asyncio.run(ask())
    assert len(checks) == 12, "wrong answers are remembered without a bound"


def test_the_same_question_at_once_is_answered_once(checks: list[tuple[bytes, bytes]]) -> None:
    async def ask() -> list[bool]:
        passwords = Passwords()
        return await asyncio.gather(*(passwords.right(USERS, "alice", b"wonderland") for _ in range(20)))

    assert asyncio.run(ask()) == [True] * 20 and len(checks) == 1


def test_a_crowd_of_guesses_is_turned_away_and_who_is_known_is_not() -> None:
    async def ask() -> tuple[list[object], bool]:
        passwords = Passwords()
        await passwords.right(USERS, "alice", b"wonderland")
        guesses = [passwords.right(USERS, "alice", b"%d" % number) for number in range(100)]
        crowd = asyncio.gather(*guesses, return_exceptions=True)
        await asyncio.sleep(0)
        known = await passwords.right(USERS, "alice", b"wonderland")
        return list(await crowd), known

    answers, known = asyncio.run(ask())
    assert known
    assert answers.count(False) == authentication.MOST_WAITING
    assert sum(isinstance(answer, BusyError) for answer in answers) == 100 - authentication.MOST_WAITING


@given(st.text(min_size=1).filter(lambda name: ":" not in name), st.binary())
def test_credentials_come_back(name: str, password: bytes) -> None:
    encoded = b64encode(name.encode() + b":" + password).decode()
    assert credentials(f"Basic {encoded}") == credentials(f"bAsIc  {encoded} ") == (name, password)


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    for text in (header, f"Basic {header}"):
        name, password = credentials(text)
        assert name or password is not None


@pytest.mark.parametrize(
    "header", ["", "Basic", "Bearer YTpi", "Basic YWI=", "Basic !", "Basic /zo=", "Basic OmI="]
)
def test_no_credentials(header: str) -> None:
    assert credentials(header)[0] == ""


@example(3, 2, [0.0, 0.0])
@given(st.integers(1, 5000), st.integers(1, 20), st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_a_bucket_gives_its_burst_and_one_token_an_interval(
    interval_ms: int, burst: int, times: list[float]
) -> None:
    bucket, limit = Tokens(), RateLimit(Duration(interval_ms), burst)
    at = sorted(1000 + time for time in times)
    given_at = [time for time in at if bucket.take(limit, time)]
    assert given_at[: min(burst, len(at))] == at[: min(burst, len(at))]
    for first in range(len(given_at)):
        for last in range(first, len(given_at)):
            allowed = burst + (given_at[last] - given_at[first]) * 1000 / interval_ms
            assert last - first + 1 <= allowed + 1e-6


def test_no_interval_is_no_limit() -> None:
    take: Callable[[RateLimit, float], bool] = Tokens().take
    assert all(take(RateLimit(), 5.0) for _ in range(100))
