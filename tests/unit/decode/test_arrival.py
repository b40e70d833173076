"""What is from the future: judged by the record's time and by its arrival, whichever is earlier."""

from __future__ import annotations

import numpy as np
import pytest

from sentinel.decode.json import JsonDecoder
from sentinel.decode.limits import Limits
from sentinel.model import Payloads

NOW, MINUTE = 1_760_000_000_000, 60_000


@pytest.mark.parametrize(
    ("record_ms", "sample", "refused"),
    [
        (NOW, NOW + MINUTE, ""),
        (NOW, NOW + MINUTE + 1, "timestamp_future"),
        (NOW - 5 * MINUTE, NOW, "timestamp_future"),
        (NOW + 10 * MINUTE, NOW + 10 * MINUTE, "timestamp_future"),
        (NOW + 10 * MINUTE, None, "timestamp_future"),
        (NOW + 500, None, ""),
        (-1, NOW + MINUTE, ""),
        (-1, NOW + MINUTE + 1, "timestamp_future"),
    ],
)
@pytest.mark.parametrize("extra", ["", ', "x": "\\u0041"'], ids=["kernel", "plain"])
def test_future(record_ms: int, sample: int | None, refused: str, extra: str) -> None:
    at = "" if sample is None else f', "timestamp": {sample}'
    body = f'{{"name": "up", "value": 1{at}{extra}}}'.encode()
    one = np.zeros(1, np.int64)
    payloads = Payloads(
        "s", "t/0", "json", np.frombuffer(body, np.uint8), one, one + len(body), one, one + record_ms, 1, NOW
    )
    decoded = JsonDecoder(JsonDecoder.Config(), Limits(), MINUTE).decode(payloads)
    assert [reason for _, reason in decoded.refused] == ([refused] if refused else [])
    if not refused:
        assert decoded.batch.timestamp_ms.tolist() == [record_ms if sample is None else sample]
