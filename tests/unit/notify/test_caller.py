"""One POST: whatever the other side answers, it is an outcome and no exception."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sentinel.notify.auth import HttpConfig
from sentinel.notify.caller import Attempt, Caller
from sentinel.notify.client import Response
from tests.simulation.world import LoopClock, in_virtual_time

ANSWERS = {
    "a redirect to no URL": Response(307, {"location": "http://[x"}),
    "a date beyond time": Response(503, {"retry-after": "1 Jan 99999999999999999999 00:00:00 -0000"}),
    "no date": Response(503, {"retry-after": "soon"}),
}


class Other:
    """Gives one answer to everything."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Response:
        return self._answer


@pytest.mark.parametrize("what", ANSWERS)
def test_a_strange_answer_is_a_failure(what: str) -> None:
    found: list[Attempt] = []

    async def main() -> None:
        caller = Caller(Other(ANSWERS[what]), HttpConfig(follow_redirects=True), LoopClock())
        found.append(await caller.post("http://other/hook", b"", 10))

    in_virtual_time(main())
    assert found[0].reason in ("client", "server")
    assert found[0].wish_seconds == 0
