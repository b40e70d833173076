"""`sentinel check rules`: options, exit codes, and what is printed."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sentinel.cli import main

CLEAN = "groups: [{name: g, rules: [{alert: Down, expr: up == 0, for: 5m}]}]\n"
NEVER = "groups: [{name: g, rules: [{alert: Never, expr: up > 1, for: 5m}]}]\n"
TWICE = "groups: [{name: g, rules: [{record: 'a:b', expr: x}, {record: 'a:b', expr: x}]}]\n"
OURS = "groups: [{name: g, rules: [{record: 'a:b', expr: x, detector: deviation}]}]\n"
USING = "groups: [{name: g, rules: [{alert: High, expr: 'a:b > 1 and rate(x_total[1h]) > 1', for: 20s}]}]\n"

BROKEN = "groups: [{name: g, rules: [{alert: B, expr: 'up >'}]}]\n"
CONFIG = """\
global: {evaluation_interval: 30s}
sources: [{name: a, scrape: {targets: [localhost:1], interval: 10m}}]
rule_files: [twice.yml]
"""
TOO_LONG = "too-long-scrape-interval"
FILES = {
    "clean.yml": CLEAN,
    "never.yml": NEVER,
    "twice.yml": TWICE,
    "ours.yml": OURS,
    "ours.detect.yml": OURS,
    "using.yml": USING,
    "broken.yml": BROKEN,
    "manifest.yml": f"kind: PrometheusRule\nspec: {{{CLEAN.strip()}}}\n",
    "sentinel.yml": CONFIG,
    "metrics.txt": "x\nup\n",
}


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs `sentinel check` among the files."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["sentinel", "check", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        out, err = capfd.readouterr()
        return Done(1, out, str(code)) if isinstance(code, str) else Done(code or 0, out, err)

    return run


def names(done: Done) -> list[str]:
    """The checks that found something, in the order of their findings."""
    return [line.rsplit("[", 1)[1].rstrip("]") for line in done.out.splitlines() if line.endswith("]")]


@pytest.mark.parametrize(
    ("arguments", "code", "found"),
    [
        (["clean.yml"], 0, []),
        (["clean.yml", "--lint-fatal"], 0, []),
        (["never.yml"], 0, ["impossible-comparison"]),
        (["never.yml", "--lint-fatal"], 3, ["impossible-comparison"]),
        (["never.yml", "twice.yml", "--lint=duplicate-rules", "--lint-fatal"], 3, ["duplicate-rules"]),
        (["never.yml", "--lint=duplicate-rules,short-for", "--lint-fatal"], 0, []),
        (["never.yml", "--lint=none", "--lint-fatal"], 0, []),
        (["never.yml", "broken.yml", "--lint-fatal"], 1, ["impossible-comparison"]),
        (["never.yml", "twice.yml", "--min-severity=bug"], 0, ["impossible-comparison"]),
        (["using.yml", "--lint=unknown-metric"], 0, ["unknown-metric"]),
        (["using.yml", "twice.yml", "--lint=unknown-metric"], 0, []),
        (["using.yml", "--lint=unknown-metric,short-for", "--config=sentinel.yml"], 0, ["short-for"]),
        (
            ["never.yml", "--config=sentinel.yml", "--lint=too-long-scrape-interval"],
            0,
            ["too-long-scrape-interval"],
        ),
        (["twice.yml", "--lint=unknown-metric", "--known-metrics=metrics.txt"], 0, []),
        (["ours.yml", "ours.detect.yml"], 0, ["own-keys"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else None,
)
def test_findings_and_exit_codes(
    check: Callable[..., Done], arguments: list[str], code: int, found: list[str]
) -> None:
    done = check("rules", *arguments)
    assert (done.code, names(done)) == (code, found)


def test_what_is_printed(check: Callable[..., Done]) -> None:
    done = check("rules", "never.yml", "broken.yml", "--min-severity=warning")
    assert done.out.splitlines() == [
        "Checking never.yml",
        "  SUCCESS: 1 rule found",
        "Checking broken.yml",
        "  FAILED: 1 error",
        "never.yml:1:49: bug: rule 'Never': `up > 1` is never true: the left side is from 0 to 1 "
        "(what depends on it never happens: compare with a value that can be) [impossible-comparison]",
        "1 finding",
    ]
    assert done.err.startswith("broken.yml:1:")


def test_windows_are_told(check: Callable[..., Done]) -> None:
    line = "  using.yml:1:66: x_total for 1h: {}"
    for arguments, told in (
        ([], "241 samples, one every 15s: 1 KiB"),
        (["--scrape-interval=1m"], "61 samples, one every 1m: 1 KiB"),
        (["--config=sentinel.yml", "--scrape-interval=15s"], "242 samples, one every 15s: 1 KiB"),
    ):
        assert check("rules", "using.yml", *arguments).out.splitlines()[-1] == line.format(told)


def test_standard_input_and_the_files_of_a_configuration(check: Callable[..., Done]) -> None:
    done = check("rules", stdin=NEVER)
    assert done.out.startswith("Checking standard input\n  SUCCESS: 1 rule found\nstandard input:1:")
    assert check("rules", stdin=BROKEN).code == 1
    done = check("rules", "--config=sentinel.yml", "--lint=duplicate-rules")
    assert done.out.startswith("Checking twice.yml\n  SUCCESS: 2 rules found\ntwice.yml:1:")


def test_promtool_is_spoken_for(check: Callable[..., Done]) -> None:
    done = check("rules", "clean.yml", "ours.detect.yml", "manifest.yml", "--promtool")
    assert [line for line in done.out.splitlines() if "promtool" in line] == [
        "  promtool: reads it",
        "  promtool: cannot read it: it uses detector",
        "  promtool: cannot read it: it is a manifest; promtool reads what stands in its spec",
    ]


def test_json(check: Callable[..., Done]) -> None:
    done = check("rules", "never.yml", "broken.yml", "using.yml", "--json")
    told = json.loads(done.out)
    assert (done.code, done.err) == (1, "")
    assert [(file["file"], file["rules"], file["promtool"]) for file in told["files"]] == [
        ("never.yml", 1, True),
        ("broken.yml", 0, None),
        ("using.yml", 1, True),
    ]
    assert told["files"][1]["errors"][0]["line"] == 1
    assert [finding["check"] for finding in told["findings"]] == ["impossible-comparison", "unknown-metric"]
    assert [(window["selector"], window["bytes"]) for window in told["windows"]] == [("x_total", 1732)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["never.yml", "--lint=impossible-comparisons"], 2, "impossible-comparison"),
        (["never.yml", "--scrape-interval=soon"], 2, "duration"),
        (["never.yml", "--scrape-interval=0"], 2, "above 0"),
        (["never.yml", "--config=none.yml"], 1, "none.yml: no such file"),
        (["never.yml", "--known-metrics=none.txt"], 1, "none.txt: no such file"),
        (["never.yml", "--known-metrics=bad.json"], 1, "bad.json: no list of metrics"),
        (["unknown.yml"], 1, "unknown key 'more'"),
        (["unknown.yml", "--ignore-unknown-fields"], 0, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_use(
    check: Callable[..., Done], tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "bad.json").write_text('{"data": 1}')
    (tmp_path / "unknown.yml").write_text(CLEAN.replace("alert:", "more: 1, alert:"))
    done = check("rules", *arguments)
    assert done.code == code
    assert said in done.err.replace("\n", " ")
    assert "Traceback" not in done.err


def test_a_configuration_is_linted_as_promtool_does(check: Callable[..., Done]) -> None:
    done = check("config", "sentinel.yml", "--lint-fatal")
    assert (done.code, names(done)) == (3, ["too-long-scrape-interval", "duplicate-rules"])
    assert "twice.yml:1:" in done.out
    done = check("config", "sentinel.yml", "--lint-fatal", "--lint=none")
    assert (done.code, names(done)) == (0, [])
