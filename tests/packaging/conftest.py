"""Helm for the chart's tests, one for all."""

from __future__ import annotations

import os

import pytest

from .helm import Helm, HelmUnavailableError, find_helm


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Skips where there is no Helm, except where `CI=true` says that it must be there."""
    try:
        return Helm(find_helm(), tmp_path_factory.mktemp("helm"))
    except HelmUnavailableError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
