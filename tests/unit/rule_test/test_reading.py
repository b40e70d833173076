"""Mistakes in test files are told all at once, each where it stands; too much is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.errors import ConfigErrors
from sentinel.rule_test import Runner, reading
from sentinel.rule_test.reading import read_tests
from tests.unit.rule_test.world import one_test, rules_of, run, write

MISTAKES = {
    "": (1, 1, "an empty file tests nothing"),
    "tests: [": (2, 1, "not YAML"),
    "test: []": (1, 1, "unknown key 'test' (did you mean 'tests'?)"),
    "evaluation_interval: soon": (1, 22, "not a valid duration"),
    "group_eval_order: [a, b, a]": (1, 26, "group name 'a' is repeated"),
    one_test("interval: 1"): (2, 14, "not a valid duration"),
    one_test("start_timestamp: today"): (2, 21, "'today' is no time"),
    one_test("start_timestamp: inf"): (2, 21, "'inf' is no time"),
    one_test("input_series: [{values: 1}]"): (2, 19, "missing key 'series'"),
    one_test("input_series: [{series: 'a{', values: 1}]"): (2, 28, "parse error"),
    one_test("input_series: [{series: a, values: 1 x}]"): (2, 39, "parse error"),
    one_test(
        "input_series: [{series: a, values: 1x99999999}], interval: 1ms, "
        "promql_expr_test: [{expr: a, eval_time: 1d}]"
    ): (2, 39, "1000000 points at most"),
    one_test("alert_rule_test: [{eval_time: 1m}]"): (2, 22, "missing key 'alertname'"),
    one_test("promql_expr_test: [{eval_time: 1m}]"): (2, 23, "missing key 'expr'"),
    one_test("promql_expr_test: [{expr: 'sum(up'}]"): (2, 37, "could not parse expression"),
    one_test("promql_expr_test: [{expr: up, exp_samples: [{labels: 'up{'}]}]"): (2, 57, "parse error"),
    one_test("promql_expr_test: [{expr: up, exp_samples: [{value: much}]}]"): (2, 56, "expected a number"),
    one_test("promql_expr_test: [{expr: up, exp_samples: [{histogram: 1}]}]"): (
        2,
        60,
        "expected one histogram",
    ),
    one_test("promql_expr_test: [{expr: up, eval_time: 100y}]", "evaluation_interval: 1s\n"): (
        3,
        3,
        "more than 5000000 evaluations",
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_shown_where_it_stands(text: str, tmp_path: Path) -> None:
    line, column, message = MISTAKES[text]
    with pytest.raises(ConfigErrors) as caught:
        read_tests(write(tmp_path, text))
    (error,) = caught.value.errors
    assert str(error).startswith(f"{tmp_path}/t.yml:{line}:{column}: ")
    assert message in str(error)


def test_all_mistakes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        "evaluation_interval: x\ngroup_eval_order: [a, a]\ntests:\n"
        "- promql_expr_test: [{expr: 1 +}]\n"
        "- input_series: [{series: '{', values: 1}, {series: a, values: z}]\n"
    )
    with pytest.raises(ConfigErrors) as caught:
        read_tests(write(tmp_path, text))
    assert [error.line for error in caught.value.errors] == [1, 2, 4, 5, 5]


def test_a_file_takes_so_many_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_SAMPLES", 10)
    few = "- {input_series: [{series: a, values: 0x9}], alert_rule_test: [{alertname: A, eval_time: 3m}]}\n"
    assert len(read_tests(write(tmp_path, f"tests:\n{few}{few}")).tests) == 2
    with pytest.raises(ConfigErrors, match="more than 10 samples") as caught:
        read_tests(write(tmp_path, f"tests:\n{few}{few}{few}{few}"))
    assert [error.line for error in caught.value.errors] == [4]
    with pytest.raises(ConfigErrors, match="more than 10 samples"):
        read_tests(write(tmp_path, one_test("input_series: [{series: a, values: '{{sum:1}}x1'}]")))


@pytest.mark.parametrize(
    "values", ["7x99999999", "7+0x99999999", "_x99999999 7", "7 {{sum:1}}+{{sum:2}}x99999999"]
)
def test_what_comes_after_the_last_comparison_is_not_laid_out(values: str, tmp_path: Path) -> None:
    test = (
        f"input_series: [{{series: a, values: '{values}'}}], interval: 7m, "
        "promql_expr_test: [{expr: a, eval_time: 20m}]"
    )
    (found,) = read_tests(write(tmp_path, one_test(test))).tests
    assert [len(points) for points in found.series.values()] == [4]


def test_rule_files_are_globs_beside_the_test_file(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yml", ".c.yml", "d.txt"):
        (tmp_path / name).write_text("")
    folder = tmp_path / "tests"
    folder.mkdir()
    text = f"rule_files: ['../*.yml', ../a.yml, '{tmp_path}/d.*', nothing.yml]"
    file = read_tests(write(folder, text))
    assert [Path(found).name for found in file.rule_files] == [".c.yml", "a.yml", "b.yml", "a.yml", "d.txt"]
    assert file.warnings == [f"no file match pattern {folder}/nothing.yml"]


def test_mistakes_of_all_rule_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(rules_of("record: a, expr: 1 +"))
    text = one_test("name: t", "rule_files: ['*d.yml', r.yml]\n")
    result = run(tmp_path, text, rules_of("alert: A", "alert: B, expr: ')'"))
    assert not result.passed and not result.outcomes
    assert [error.split(":")[0] for error in result.errors] == [
        f"{tmp_path}/bad.yml",
        f"{tmp_path}/r.yml",
        f"{tmp_path}/r.yml",
    ]


@pytest.mark.parametrize("where", ["rules", "tests"])
def test_unknown_keys_can_be_passed_over(where: str, tmp_path: Path) -> None:
    rules = rules_of("record: a, expr: '1'", group="  owner: me\n" if where == "rules" else "")
    path = write(tmp_path, one_test("name: t", "owner: me\n" if where == "tests" else ""), rules)
    strict, lenient = Runner().run(path), Runner(strict=False).run(path)
    assert ["unknown key 'owner'" in error for error in strict.errors] == [True]
    assert lenient.passed and len(lenient.outcomes) == 1


def test_rules_of_no_chosen_test_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, one_test("name: t"), rules_of("alert: A"))
    assert Runner(chosen=lambda name: name == "u").run(path).passed
    assert not Runner(chosen=lambda name: name == "t").run(path).passed


def test_an_absent_file_is_a_failure(tmp_path: Path) -> None:
    result = Runner().run(tmp_path / "absent.yml")
    assert not result.passed
    assert result.errors == [f"{tmp_path}/absent.yml: no such file"]
