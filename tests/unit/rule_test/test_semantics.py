"""What promtool's unit tests mean: times, visibility, order, what is compared, and what ends a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rule_test.world import failures, one_test, rules_of, run

UP = "input_series: [{series: 'up{job=\"a\"}', values: '0x20'}]"
DOWN = (
    "alert: Down, expr: up == 0, for: 5m, labels: {severity: page}, annotations: {text: '{{ $labels.job }}'}"
)
FIRES = "exp_alerts: [{exp_labels: {job: a, severity: page}, exp_annotations: {text: a}}]"

PASSING = {
    "pending alerts do not count": (
        rules_of(DOWN),
        f"{UP}, alert_rule_test: [{{alertname: Down, eval_time: 4m59s}}]",
    ),
    "an alert fires": (
        rules_of(DOWN),
        f"{UP}, alert_rule_test: [{{alertname: Down, eval_time: 5m, {FIRES}}}]",
    ),
    "alerts are those of the last step": (
        rules_of(DOWN),
        f"{UP}, alert_rule_test: [{{alertname: Down, eval_time: 5m59s, {FIRES}}}]",
    ),
    "external labels are none of an alert's": (
        rules_of(DOWN),
        f"external_labels: {{zone: z}}, {UP}, alert_rule_test: [{{alertname: Down, eval_time: 5m, {FIRES}}}]",
    ),
    "templates see what is external": (
        rules_of(
            "alert: A, expr: '1', "
            "annotations: {t: '{{ $externalLabels.zone }} {{ $externalURL }} {{ externalURL }}'}"
        ),
        "external_labels: {zone: z}, external_url: 'http://x', alert_rule_test: "
        "[{alertname: A, exp_alerts: [{exp_annotations: {t: 'z http://x http://x'}}]}]",
    ),
    "annotations are as of now": (
        rules_of("alert: A, expr: x > 1, annotations: {t: '{{ $value }}'}"),
        "input_series: [{series: x, values: '0+1x9'}], alert_rule_test: "
        "[{alertname: A, eval_time: 9m, exp_alerts: [{exp_annotations: {t: '9'}}]}]",
    ),
    "rules of one name in two groups are pooled": (
        "groups:\n- {name: a, rules: [{alert: A, expr: '1', labels: {g: a}}]}\n"
        "- {name: b, rules: [{alert: A, expr: '1', labels: {g: b}}]}\n",
        "alert_rule_test: [{alertname: A, exp_alerts: [{exp_labels: {g: b}}, {exp_labels: {g: a}}]}]",
    ),
    "a group's own interval counts for nothing": (
        rules_of("record: r, expr: '1'", group="  interval: 1h\n"),
        "promql_expr_test: [{expr: 'count_over_time(r[10m])', eval_time: 9m, exp_samples: [{value: 10}]}]",
    ),
    "a query offset counts": (
        rules_of("record: r, expr: x", group="  query_offset: 2m\n"),
        "input_series: [{series: x, values: '0+1x9'}], promql_expr_test: "
        "[{expr: r, eval_time: 3m, exp_samples: [{labels: r, value: 3}]}], "
        "alert_rule_test: [{alertname: X, eval_time: 9m}]",
    ),
    "a step sees no later sample": (
        rules_of("record: r, expr: x offset -4m"),
        "input_series: [{series: x, values: '0+1x9'}], promql_expr_test: "
        "[{expr: r offset 4m, eval_time: 9m, exp_samples: [{labels: r, value: 5}]}]",
    ),
    "expressions see all that was loaded": (
        "",
        "input_series: [{series: x, values: '0+1x9'}], promql_expr_test: ["
        "{expr: x offset -5m, eval_time: 0, exp_samples: [{labels: x, value: 5}]}, "
        "{expr: x, eval_time: 5m, exp_samples: [{labels: x, value: 5}]}]",
    ),
    "nothing is loaded after the last step": (
        "",
        "interval: 1s, input_series: [{series: x, values: '0+1x100'}], promql_expr_test: "
        "[{expr: x, eval_time: 1m30s, exp_samples: [{labels: x, value: 60}]}]",
    ),
    "a subquery steps as rules are evaluated": (
        "evaluation_interval: 10s",
        "input_series: [{series: x, values: '1x20'}], promql_expr_test: "
        "[{expr: 'count_over_time(x[1m:])', eval_time: 1m, exp_samples: [{value: 6}]}]",
    ),
    "time begins when the test says": (
        rules_of("alert: A, expr: vector(time()) >= 1704067500, for: 1m"),
        "start_timestamp: 2024-01-01T00:00:00Z, alert_rule_test: [{alertname: A, eval_time: 5m}, "
        "{alertname: A, eval_time: 6m, exp_alerts: [{}]}]",
    ),
    "time may begin before the epoch": (
        rules_of("record: r, expr: time()"),
        "start_timestamp: -60, promql_expr_test: "
        "[{expr: r, eval_time: 1m, exp_samples: [{labels: r, value: 0}]}]",
    ),
    "of a series given twice the last counts": (
        "",
        "input_series: [{series: x, values: 1}, {series: x, values: 2}], "
        "promql_expr_test: [{expr: x, exp_samples: [{labels: x, value: 2}]}]",
    ),
    "NaN is NaN": (
        "",
        "input_series: [{series: x, values: NaN}], "
        "promql_expr_test: [{expr: x, exp_samples: [{labels: x, value: .nan}]}]",
    ),
    "histograms": (
        rules_of("record: r, expr: h * 2"),
        "input_series: [{series: h, values: '{{schema:1 sum:3 count:2 buckets:[2]}}x3'}], promql_expr_test: "
        "[{expr: h, eval_time: 3m, "
        "exp_samples: [{labels: h, histogram: '{{schema:1 count:2 sum:3 buckets:[2]}}'}]}, "
        "{expr: 'histogram_count(r)', eval_time: 3m, exp_samples: [{value: 4}]}]",
    ),
}


@pytest.mark.parametrize("case", PASSING)
def test_passes(case: str, tmp_path: Path) -> None:
    rules, body = PASSING[case]
    head = rules + "\n" if rules.startswith("evaluation_interval") else ""
    assert failures(tmp_path, one_test(body, head), "" if head else rules) == []


def expecting(alerts: str) -> str:
    return f"{UP}, alert_rule_test: [{{alertname: Down, eval_time: 5m, exp_alerts: [{alerts}]}}]"


FAILING = {
    "none expected": (expecting(""), "got:[\n            0:"),
    "one too many": (expecting(f"{FIRES[13:-1]}, {{exp_labels: {{job: b}}}}"), 'job="b"'),
    "another label": (expecting("{exp_labels: {job: a}, exp_annotations: {text: a}}"), 'severity="page"'),
    "another text": (expecting(FIRES[13:-1].replace("text: a", "text: b")), 'text="b"'),
    "an empty label": (expecting(FIRES[13:-1].replace("job: a", "job: a, x: ''")), 'x=""'),
    "another value": (
        f"{UP}, promql_expr_test: [{{expr: up, exp_samples: [{{labels: 'up{{job=\"a\"}}', value: 1}}]}}]",
        'exp: {__name__="up", job="a"} 1E+00\n        got: {__name__="up", job="a"} 0E+00',
    ),
    "a sample too few": (f"{UP}, promql_expr_test: [{{expr: up}}]", "exp: nil\n"),
    "an expression that fails": (
        f"{UP}, promql_expr_test: [{{expr: 'up + on() group_left vector(1) or up[5m:]'}}]",
        "parse error",
    ),
    "a text is no sample": ("promql_expr_test: [{expr: '\"a\"'}]", "err: rule result is not a vector"),
}


@pytest.mark.parametrize("case", FAILING)
def test_fails(case: str, tmp_path: Path) -> None:
    body, said = FAILING[case]
    result = run(tmp_path, one_test(body), rules_of(DOWN))
    if said == "parse error":
        assert said in result.errors[0]
        return
    (text,) = failures(tmp_path, one_test(body), rules_of(DOWN))
    assert said in text
    assert f"at: {tmp_path}/t.yml:3:" in text


def test_groups_are_evaluated_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    rules = (
        "groups:\n- {name: b, rules: [{record: b, expr: a}]}\n- {name: a, rules: [{record: a, expr: '1'}]}\n"
    )
    body = "promql_expr_test: [{expr: b, exp_samples: [{labels: b, value: 1}]}]"
    assert len(failures(tmp_path, one_test(body), rules)) == 1
    assert failures(tmp_path, one_test(body, "group_eval_order: [a, b]\n"), rules) == []


def test_a_rule_that_fails_ends_its_test_and_no_other(tmp_path: Path) -> None:
    rules = rules_of("record: r, expr: x + on(a) y")
    series = '{series: \'x{a="1"}\', values: 1}, {series: \'y{a="1",b="1"}\', values: _ 1}'
    bad = f'input_series: [{series}, {{series: \'y{{a="1",b="2"}}\', values: _ 1}}]'
    check = "promql_expr_test: [{expr: vector(1), eval_time: 5m}]"
    tests = f"tests:\n- {{name: bad, {bad}, {check}}}\n- {{name: good, {check}}}\n"
    bad_failures, good_failures = (outcome.failures for outcome in run(tmp_path, tests, rules).outcomes)
    assert [failure.about for failure in bad_failures] == ["rule: r, time: 1m"]
    assert [failure.about.split(",")[0] for failure in good_failures] == ['expr: "vector(1)"']


@pytest.mark.parametrize(
    ("value", "plain", "fuzzy"),
    [("3", 0, 0), ("3.0000000000000004", 1, 0), ("2.9999999999999996", 1, 0), ("3.000000000000001", 1, 1)],
)
def test_fuzzy_is_the_last_bit(value: str, plain: int, fuzzy: int, tmp_path: Path) -> None:
    body = f"promql_expr_test: [{{expr: vector({value}), exp_samples: [{{value: 3}}]}}]"
    assert len(failures(tmp_path, one_test(body))) == plain
    assert len(failures(tmp_path, one_test(body, "fuzzy_compare: true\n"))) == fuzzy


def test_a_detectors_score_is_a_series(tmp_path: Path) -> None:
    rules = rules_of("record: s, expr: x, detector: deviation, with: {warmup: 20}", "alert: Odd, expr: s > 1")
    body = (
        "input_series: [{series: x, values: '10 11 9 10 12 8 10 9 11 10 10 11 9 10 12 8 10 9 11 10 10 99'}], "
        "promql_expr_test: [{expr: s, eval_time: 19m}, {expr: s > bool 1, eval_time: 21m, "
        "exp_samples: [{value: 1}]}], alert_rule_test: [{alertname: Odd, eval_time: 20m}, "
        "{alertname: Odd, eval_time: 21m, exp_alerts: [{}]}]"
    )
    assert failures(tmp_path, one_test(body), rules) == []


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ("alert_rule_test: [{alertname: Typo}]", "no rule is called Typo"),
        ("input_series: [{series: x, values: 1}, {series: x, values: 1}]", "described twice"),
        (f"{UP}, alert_rule_test: [{{alertname: Down, eval_time: 25m}}]", "all input ends at 20m"),
        (f"{UP}, alert_rule_test: [{{alertname: Down, eval_time: 24m, exp_alerts: []}}]", ""),
        (
            "input_series: [{series: up, values: 1 stale}], "
            "alert_rule_test: [{alertname: Down, eval_time: 1h}]",
            "",
        ),
    ],
)
def test_notes(body: str, note: str, tmp_path: Path) -> None:
    (outcome,) = run(tmp_path, one_test(body), rules_of(DOWN)).outcomes
    assert [note in each for each in outcome.notes] == ([True] if note else [])


@pytest.mark.parametrize("expr", ["up[10y:1ms]", "up[1h:1ms]"])
def test_what_does_not_end_is_ended(expr: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentinel.rule_test.rehearsal.PATIENCE_S", 0.01)
    body = f"{UP}, alert_rule_test: [{{alertname: Down, eval_time: 5m}}]"
    (failure,) = failures(
        tmp_path, one_test(body), rules_of(f"alert: Down, expr: 'count_over_time({expr}) > 0'")
    )
    assert "too many samples" in failure or "timed out" in failure
