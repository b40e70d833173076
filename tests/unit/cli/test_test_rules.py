"""`sentinel test rules`: its options, what it prints, and the page about it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sentinel.cli import app

PAGE = (Path(__file__).parents[3] / "docs/rule-tests.md").read_text()
RULES = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: x > 1}\n  - {record: b, expr: y}\n"
TESTS = """\
rule_files: [r.yml]
tests:
- name: good
  interval: 1m
  input_series: [{series: 'x{a="1"}', values: 1 2}]
  alert_rule_test:
  - {eval_time: 0, alertname: A}
  - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: "1"}}]}
- name: bad
  interval: 1m
  input_series: [{series: y, values: 1}]
  promql_expr_test: [{expr: b, exp_samples: [{labels: b, value: 2}]}]
  alert_rule_test: [{alertname: A, exp_alerts: [{exp_labels: {a: "1"}}]}]
"""
WRONG = """\
  FAILED:
    name: bad,
    alertname: A, time: 0s, at: t.yml:13:21, 
        exp:[
            0:
              Labels:{a="1", alertname="A"}
              Annotations:{}
            ], 
        got:[]

    name: bad,
    expr: "b", time: 0s, at: t.yml:12:22, 
        exp: {__name__="b"} 2E+00
        got: {__name__="b"} 1E+00

"""  # noqa: W291 - as promtool prints it


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "r.yml").write_text(RULES)
    (tmp_path / "t.yml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["test", "rules", *args])


def test_what_fails_is_told(folder: Path) -> None:
    done = run("t.yml")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "Unit Testing:  t.yml\n\n", WRONG)


@pytest.mark.parametrize(
    ("chosen", "status", "ran"),
    [
        (["good"], 0, ["good"]),
        (["^ba", "oo"], 1, ["good", "bad"]),
        (["^d"], 0, []),
        (["(?i)BAD"], 1, ["bad"]),
    ],
)
def test_a_choice_of_tests(chosen: list[str], status: int, ran: list[str], folder: Path) -> None:
    done = run(*(part for name in chosen for part in ("--run", name)), "--junit", "j.xml", "t.yml")
    assert done.exit_code == status
    assert done.stdout.endswith("  SUCCESS\n\n") is (status == 0)
    assert [case.get("name") for case in ElementTree.parse("j.xml").iter("testcase")] == ran


def test_a_bad_choice_is_refused(folder: Path) -> None:
    done = run("--run", "(", "t.yml")
    assert done.exit_code == 2
    assert "not a regular expression" in done.stderr
    assert "b'" not in done.output


def test_differences(folder: Path) -> None:
    said = run("--diff", "t.yml").stderr
    assert (
        '        diff:\n            - Labels:{a="1", alertname="A"}\n            - Annotations:{}\n' in said
    )
    assert '            - {__name__="b"} 2E+00\n' in said
    assert '            + {__name__="b"} 1E+00\n' in said


def test_all_data_can_be_shown(folder: Path) -> None:
    said = run("--debug", "--run", "good", "t.yml").stderr
    assert "DEBUG: Starting test good\nDEBUG: Test good finished, took " in said
    assert '{__name__="x", a="1"} =>\n1 @[0]\n2 @[60000]' in said
    assert '{__name__="ALERTS", a="1", alertname="A", alertstate="firing"} =>\n1 @[60000]' in said


@pytest.mark.parametrize("before", [True, False])
def test_junit_is_an_option_of_both_commands(before: bool, folder: Path) -> None:
    option = ["--junit", "j.xml"]
    args = ["test", *option, "rules", "t.yml"] if before else ["test", "rules", *option, "t.yml"]
    assert CliRunner().invoke(app, args).exit_code == 1
    (suite,) = ElementTree.parse("j.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("t.yml", "2", "2")


def test_a_report_that_cannot_be_written_is_told(folder: Path) -> None:
    done = run("--junit", "no/j.xml", "--run", "good", "t.yml")
    assert done.exit_code == 1
    assert "no/j.xml: cannot be written" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (
            ["--coverage"],
            0,
            "  r.yml: 1 of 2 rules (50%)\n    r.yml:5:5: record b never gave a sample\n  all:",
        ),
        (["--coverage-min", "50"], 0, "  all: 1 of 2 rules (50%)\n"),
        (["--coverage-min", "50.1"], 1, "  all: 1 of 2 rules (50%)\n"),
        ([], 0, ""),
    ],
)
def test_coverage(options: list[str], status: int, said: str, folder: Path) -> None:
    done = run(*options, "--run", "good", "t.yml")
    assert done.exit_code == status
    assert ("Coverage:\n" in done.stdout) is bool(options)
    assert said in done.stdout
    assert ("FAILED: less than 50.1%" in done.stderr) is bool(status)


def test_mistakes_in_several_files_are_all_told(folder: Path) -> None:
    (folder / "u.yml").write_text("tests: [{nam: x}]\nrules: []\n")
    done = run("u.yml", "absent.yml", "t.yml")
    assert done.exit_code == 1
    assert done.stderr == (
        "  FAILED:\nu.yml:1:10: unknown key 'nam' (did you mean 'name'?)\n\n"
        "u.yml:2:1: unknown key 'rules' (did you mean 'rule_files'?)\n\n"
        f"  FAILED:\nabsent.yml: no such file\n\n{WRONG}"
    )


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
def test_failures_read_as_promtools(folder: Path) -> None:
    """Beside the place, which promtool does not tell, and the name, which it tells of alerts only."""
    done = subprocess.run(["promtool", "test", "rules", "t.yml"], capture_output=True, text=True, check=False)
    ours = re.sub(r", at: t\.yml:\d+:\d+", "", run("t.yml").stderr)
    assert done.returncode == 1
    assert _lines(ours.replace("    name: bad,\n    expr", "    expr")) == _lines(done.stderr)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the page, under the names that it gives them."""
    for name, text in re.findall(r"`([\w.]+\.yml)`:\n\n```yaml\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_shows_what_happens(written: Path) -> None:
    shown = re.findall(r"```console\n\$ sentinel test rules (.*?)\n(.*?)```", PAGE, re.DOTALL)
    assert len(shown) == 2
    for args, output in shown:
        done = run(*args.split())
        assert (done.exit_code, done.stdout.rstrip()) == (0, output.rstrip())


def test_the_page_knows_all_options(written: Path) -> None:
    said = CliRunner().invoke(app, ["test", "rules", "--help"], env={"COLUMNS": "200"}).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", said)) - {"--help"}
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
