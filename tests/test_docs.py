"""Documentation that cannot lie: its files are loaded, its figures counted, its reference generated."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.config.load import load_config
from sentinel.config.reference import reference
from sentinel.rules.load import load_rules
from tests.conformance.ratchet import promql_counts

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The README's three files, where it says they are."""
    names = ("sentinel.yml", "rules/checkout.detect.yml", "alertmanager.yml")
    for name, text in zip(names, blocks("yaml"), strict=True):
        assert f"`{name}`" in README
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_readmes_files_load(folder: Path) -> None:
    config = load_config(folder / "sentinel.yml")
    assert [source.name for source in config.sources] == ["telemetry", "node", "push"]
    assert [rule.name for group in config.groups for rule in group.rules]


def test_the_readmes_check_commands_work(folder: Path) -> None:
    commands = [line for block in blocks("bash") for line in block.splitlines() if " check " in line]
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(
            command.replace(".venv/bin", str(ROOT / ".venv/bin")), shell=True, cwd=folder, check=False
        )
        assert done.returncode == 0, command


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([\w-]+)", README)) <= targets


def test_the_readmes_counts_are_those_of_the_ratchet(conformance: Callable[[str], Path]) -> None:
    folder = conformance("conformance/promqltest")
    rows = re.findall(r"^\| ([ABC]): [^|]*\| (\d+) \| (\d+) \|", README, re.MULTILINE)
    assert {tier: (int(passed), int(of)) for tier, passed, of in rows} == promql_counts(folder)


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_reference_is_the_codes() -> None:
    assert (ROOT / "docs/configuration.md").read_text() == reference(), (
        "run python -m sentinel.config.reference"
    )


def test_the_metrics_are_the_codes() -> None:
    """In a process of its own: tests here leave metrics of theirs in the registry."""
    command = [sys.executable, "-m", "sentinel.app.metrics_reference"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert (ROOT / "docs/metrics.md").read_text() == said, "run python -m sentinel.app.metrics_reference"


def test_the_detector_examples_load(tmp_path: Path) -> None:
    examples = blocks("yaml", (ROOT / "docs/detectors.md").read_text())
    body = "".join(f"      {line}\n" for text in examples for line in text.splitlines())
    (tmp_path / "r.yml").write_text(f"groups:\n  - name: g\n    rules:\n{body}")
    assert len(load_rules(tmp_path / "r.yml")[0].rules) == len(examples) == 2
