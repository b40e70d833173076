"""One daemon, one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.app.state_folder import claimed
from sentinel.errors import StateError


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    with claimed(folder), pytest.raises(StateError, match="another process uses"), claimed(folder):
        pass
    with claimed(folder):
        pass


def test_a_folder_that_cannot_be_made_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refusal = pytest.raises(StateError, match=r"--storage\.path: .*file.state cannot be written")
    with refusal, claimed(tmp_path / "file" / "state"):
        pass
