"""What is legal in a rule file and yet hardly meant: checks of rules without running them."""

from __future__ import annotations

from sentinel.rules.lint.checks import CHECKS, NAMES, Check, lint
from sentinel.rules.lint.finding import SEVERITIES, Finding, Severity
from sentinel.rules.lint.promtool import readable
from sentinel.rules.lint.source import RuleSource
from sentinel.rules.lint.windows import Window, windows
from sentinel.rules.lint.world import Metrics, World, read_metrics, recorded

__all__ = [
    "CHECKS",
    "NAMES",
    "SEVERITIES",
    "Check",
    "Finding",
    "Metrics",
    "RuleSource",
    "Severity",
    "Window",
    "World",
    "lint",
    "read_metrics",
    "readable",
    "recorded",
    "windows",
]
