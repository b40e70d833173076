"""`sentinel check` and the start of the command line."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sentinel import __version__
from sentinel.cli import main

RULES = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up == 0}\n  - {record: b, expr: up}\n"
CONFIG = "sources: [{name: a, http: {}}]\nrule_files: [rules.yml]\nalerting: {config_file: am.yml}\n"
ALERTMANAGER = "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: 'http://localhost/'}]}]\n"
PYTHON = (sys.executable, "-c")
HEAVY = ("numba", "aiokafka", "river", "llvmlite", "aiohttp", "structlog", "rich", "scipy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"rules.yml": RULES, "sentinel.yml": CONFIG, "am.yml": ALERTMANAGER}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def sentinel(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs the command line in `folder`."""
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["sentinel", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        if isinstance(code, str):  # what Python itself does with it
            print(code, file=sys.stderr)
        out, err = capfd.readouterr()
        return Done(1 if isinstance(code, str) else code or 0, out, err)

    return run


def test_right_files(folder: Path, sentinel: Callable[..., Done]) -> None:
    done = sentinel("check", "rules", "rules.yml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Checking rules.yml\n  SUCCESS: 2 rules found\n"
    done = sentinel("check", "config", "sentinel.yml")
    assert (done.returncode, done.stderr) == (0, "")
    found = "1 source, 1 rule group, 2 rules, 1 receiver found"
    assert done.stdout == f"Checking sentinel.yml\n  SUCCESS: {found}\n"


def test_every_mistake_is_a_line(folder: Path, sentinel: Callable[..., Done]) -> None:
    (folder / "bad.yml").write_text(RULES.replace("up == 0", "up >").replace("record", "recrod"))
    done = sentinel("check", "rules", "bad.yml", "rules.yml", "none.yml")
    assert done.returncode == 1
    assert done.stdout.count("SUCCESS") == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith("bad.yml:4:26: rule 'A': could not parse expression: parse error: ")
    assert lines[1] == "bad.yml:5:6: unknown key 'recrod' (did you mean 'record'?)"
    assert lines[2] == "none.yml: no such file"
    assert len(lines) == 3


def test_mistakes_of_a_configuration(folder: Path, sentinel: Callable[..., Done]) -> None:
    (folder / "sentinel.yml").write_text(CONFIG.replace("http", "htpt"))
    (folder / "rules.yml").write_text(RULES.replace("alert: A", "alert: ''"))
    done = sentinel("check", "config", "sentinel.yml")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "sentinel.yml:1:21: unknown key 'htpt' (did you mean 'http'?)",
        "rules.yml:4:5: one of 'record' or 'alert' must be set",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "none.yml"),
        ("check", "rules", "none.yml"),
        ("check", "rules", "."),
        ("check", "config", "."),
        ("run", "--config.file=none.yml"),
    ],
    ids=" ".join,
)
def test_a_file_that_cannot_be_read_is_one_line(
    sentinel: Callable[..., Done], arguments: tuple[str, ...]
) -> None:
    done = sentinel(*arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line in ("none.yml: no such file", ".: cannot be read: Is a directory")


@pytest.mark.parametrize("arguments", [("check",), ("check", "config"), ("chekc",)], ids=" ".join)
def test_wrong_use_is_told_with_status_2(sentinel: Callable[..., Done], arguments: tuple[str, ...]) -> None:
    done = sentinel(*arguments)
    assert done.returncode == 2
    assert "Usage: sentinel" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_schema(sentinel: Callable[..., Done]) -> None:
    assert sentinel("--version").stdout == f"sentinel {__version__}\n"
    schema = json.loads(sentinel("check", "config", "--print-schema").stdout)
    assert schema["$ref"] in [f"#/$defs/{name}" for name in schema["$defs"]]


def test_nothing_heavy_is_imported_to_check(folder: Path) -> None:
    checks = ("rules", "rules.yml"), ("config", "sentinel.yml"), ("config", "--print-schema"), ("--help",)
    for arguments in checks:
        code = f"""
import sys
sys.argv = ["sentinel", "check", *{arguments!r}]
from sentinel.cli import main
try:
    main()
finally:
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    assert not loaded, loaded
"""
        done = subprocess.run([*PYTHON, code], cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_checking_rules_starts_fast(folder: Path) -> None:
    """CPU time, as a busy machine stretches the other: far under what importing numba alone would take."""
    before = _children_seconds()
    subprocess.run(
        [*PYTHON, "from sentinel.cli import main; main()", "check", "rules", "rules.yml"],
        cwd=folder,
        check=True,
    )
    assert _children_seconds() - before < 1.0


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
