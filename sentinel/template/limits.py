"""What one rendering may cost. Templates come from users and run inside the evaluation of rules."""

from __future__ import annotations

from typing import Final

MAX_STEPS: Final = 200_000
"""Nodes evaluated in one rendering; functions also pay one per `TEXT_PER_STEP` characters they handle."""
TEXT_PER_STEP: Final = 8
MAX_DEPTH: Final = 100
"""Blocks, parentheses and template calls inside one another; far above what people write."""
MAX_TEXT: Final = 1 << 20
"""Characters in the output, and in any text a function makes on the way."""


class CallError(Exception):
    """A template function failed; the evaluator adds where it was called."""


class Text:
    """A text under construction that refuses to outgrow `MAX_TEXT`."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    def write(self, piece: str) -> None:
        """Raises CallError when the text gets too long."""
        self._size += len(piece)
        if self._size > MAX_TEXT:
            raise CallError(f"text is longer than {MAX_TEXT} characters")
        self._pieces.append(piece)

    def __str__(self) -> str:
        return "".join(self._pieces)
