"""Decoders: bytes to columns of samples. They know formats and limits, but no series, slots or rules.

A decoder never raises on bad input: a bad record is refused whole, with a reason from the decoder's
closed set, and its neighbours decode to exactly what they decode to without it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from sentinel.decode.limits import Limits
from sentinel.model import Decoded, Payloads

__all__ = ["Decoder", "Limits", "warm"]


class Decoder(Protocol):
    """What `plugins.load("decoders", name)` returns a class of."""

    Config: ClassVar[Any]
    """The struct of its options."""
    REASONS: ClassVar[frozenset[str]]
    """Every reason for which it refuses a record: they become metric labels."""
    EXAMPLES: ClassVar[tuple[bytes, ...]]
    """Good records under the default configuration: documentation, and where contract tests begin."""

    def __init__(self, config: Any, limits: Limits, max_future_ms: int) -> None: ...

    def decode(self, payloads: Payloads) -> Decoded:
        """The samples of the good records, in their order, and the refused records."""
        ...
