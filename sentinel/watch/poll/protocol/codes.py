"""Kafka's error codes that are told apart here; every other one means: not this time."""

from __future__ import annotations

from typing import Final

NONE: Final = 0
COORDINATOR_LOAD_IN_PROGRESS: Final = 14
NOT_COORDINATOR: Final = 16
GROUP_ID_NOT_FOUND: Final = 69
