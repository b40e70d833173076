"""Results as JUnit XML, in the shape that promtool writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.etree import ElementTree

from sentinel.rule_test.files import FileResult
from sentinel.rule_test.text import failure_text

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[FileResult], at: datetime) -> bytes:
    """A `testsuite` for each file, a `testcase` for each test. `at` becomes the time stamp of all of them."""
    root = ElementTree.Element("testsuites")
    for result in results:
        root.append(_suite(result, at))
    text: bytes = ElementTree.tostring(root, encoding="utf-8")
    return text


def _suite(result: FileResult, at: datetime) -> ElementTree.Element:
    failures = sum(len(outcome.failures) for outcome in result.outcomes)
    suite = ElementTree.Element(
        "testsuite",
        name=_clean(result.path),
        tests=str(len(result.outcomes) or len(result.errors[:1])),
        failures=str(failures),
        errors=str(len(result.errors[:1])),
        skipped="0",
        timestamp=at.isoformat(timespec="seconds"),
    )
    for outcome in result.outcomes:
        case = ElementTree.SubElement(suite, "testcase", name=_clean(outcome.name))
        for failure in outcome.failures:
            ElementTree.SubElement(case, "failure").text = _clean(failure_text(outcome, failure))
    if result.errors:
        case = ElementTree.SubElement(suite, "testcase", name="unknown")
        ElementTree.SubElement(case, "error").text = _clean("\n".join(result.errors))
    return suite


def _clean(text: str) -> str:
    """XML has no place for most control characters."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
