"""Test files in a folder of their own, run as the command runs them."""

from __future__ import annotations

from pathlib import Path

from sentinel.rule_test import FileResult, Runner
from sentinel.rule_test.text import failure_text


def write(folder: Path, tests: str, rules: str = "") -> Path:
    """`r.yml` and `t.yml`, which tests it unless it says otherwise."""
    (folder / "r.yml").write_text(rules)
    path = folder / "t.yml"
    path.write_text(("" if "rule_files" in tests or not rules else "rule_files: [r.yml]\n") + tests)
    return path


def run(folder: Path, tests: str, rules: str = "") -> FileResult:
    return Runner().run(write(folder, tests, rules))


def failures(folder: Path, tests: str, rules: str = "") -> list[str]:
    """What is wrong, in words; mistakes in the files are none of it."""
    result = run(folder, tests, rules)
    assert not result.errors
    return [failure_text(outcome, each) for outcome in result.outcomes for each in outcome.failures]


def rules_of(*rules: str, group: str = "") -> str:
    """A rule file of one group."""
    return f"groups:\n- name: g\n{group}  rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)


def one_test(body: str, head: str = "") -> str:
    """A test file of one test; `body` is what it says, in YAML's flow style."""
    return f"{head}tests:\n- {{{body}}}\n"
