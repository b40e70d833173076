"""What all tests share: where the conformance data lies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

ROOT = Path(os.environ.get("SENTINEL_CONFORMANCE", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def conformance() -> Callable[[str], Path]:
    """`conformance("conformance/lag")`: a file or folder below `$SENTINEL_CONFORMANCE` (default `../shared`).

    Where it is absent the test is skipped with that reason, or fails if `CI=true`.
    """

    def find(name: str) -> Path:
        path = ROOT / name
        if not path.exists():
            absent = f"no conformance data at {path}; set SENTINEL_CONFORMANCE to its root"
            if os.environ.get("CI") == "true":
                pytest.fail(absent)
            pytest.skip(absent)
        return path

    return find


@pytest.fixture(autouse=True)
def plain_logging() -> Iterator[None]:
    """A test that configures logging does not leave its standard error to the next."""
    yield
    structlog.reset_defaults()
