"""Running the tests of files: which of them, over which rules, watched by whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from sentinel.errors import ConfigErrors
from sentinel.rule_test.coverage import Coverage
from sentinel.rule_test.debug import dump
from sentinel.rule_test.outcome import Outcome
from sentinel.rule_test.reading import ReadFile, read_tests
from sentinel.rule_test.run import run_test
from sentinel.rules.load import RuleGroup, load_rules


class FileResult(msgspec.Struct):
    """`errors`: why nothing of the file was run. `outcomes`: of the tests that were."""

    path: str
    errors: list[str] = []
    warnings: list[str] = []
    outcomes: list[Outcome] = []

    @property
    def passed(self) -> bool:
        return not self.errors and not any(outcome.failures for outcome in self.outcomes)


def everything(name: str) -> bool:
    """The choice of every test."""
    return True


class Runner:
    """Runs one test file after another.

    Args:
        chosen: of a test's name, whether it is to run; a test without a name has the empty one.
        strict: whether unknown keys in test and rule files are mistakes.
        coverage: told what the rules do.
        say: given a line now and then about what goes on, and all data at the end of each test.
    """

    def __init__(
        self,
        *,
        chosen: Callable[[str], bool] = everything,
        strict: bool = True,
        coverage: Coverage | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._chosen, self._strict, self._coverage, self._say = chosen, strict, coverage, say

    def run(self, path: str | Path) -> FileResult:
        result = FileResult(str(path))
        try:
            file = read_tests(path, strict=self._strict)
            result.warnings = file.warnings
            if any(self._chosen(test.written.name) for test in file.tests):
                result.outcomes = self._run_tests(file, self._rules(file))
        except ConfigErrors as wrong:
            result.errors = [str(error) for error in wrong.errors]
        return result

    def _run_tests(self, file: ReadFile, groups: Sequence[RuleGroup]) -> list[Outcome]:
        if self._coverage is not None:
            self._coverage.expect(groups)
        watchers = [self._coverage.watch] if self._coverage is not None else []
        outcomes = []
        for test in file.tests:
            if not self._chosen(test.written.name):
                continue
            if self._say:
                self._say(f"Starting test {test.name}")
            outcome, rules = run_test(file, test, groups, watchers)
            if self._say:
                self._say(f"Test {test.name} finished, took {outcome.seconds * 1000:.3f}ms")
                self._say("Dump of all data (input_series and rules):\n" + dump(rules))
            outcomes.append(outcome)
        return outcomes

    def _rules(self, file: ReadFile) -> list[RuleGroup]:
        """Of all rule files, in the order of `group_eval_order`; what it does not name comes with its first.

        Raises:
            ConfigErrors: of all files together.
        """
        wrong, groups = ConfigErrors([]), []
        for path in dict.fromkeys(file.rule_files):
            try:
                groups += load_rules(path, strict=self._strict)
            except ConfigErrors as error:
                wrong.errors += error.errors
        if wrong.errors:
            raise ConfigErrors(wrong.errors)
        place = {name: number for number, name in enumerate(file.written.group_eval_order)}
        return sorted(groups, key=lambda group: place.get(group.name, 0))
