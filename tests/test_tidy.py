"""Rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for folder in ("sentinel", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py"))
MODULE_LINES, FUNCTION_LINES = 300, 40
NO_PLACES = {"core", "common", "utils", "helpers", "misc"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MODULE_LINES, "split it at its seams"
    tree = ast.parse(text)
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not long
    assert ast.get_docstring(tree) or not tree.body, "say what the module is for"


def test_no_place_is_called_nothing() -> None:
    assert not [path for path in FILES if {path.stem, *path.parent.parts} & NO_PLACES]


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [str(path) for path in FILES if path != Path(__file__) and marks.search(path.read_text())]
    assert not found


def test_rooms_import_only_what_lies_below() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("heavy", ["numba", "aiokafka", "river", "numba.core"])
def test_checking_files_imports_no_kernel(heavy: str) -> None:
    code = f"import sys, sentinel.cli.check; sys.exit({heavy!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text().count("\n") <= 150
