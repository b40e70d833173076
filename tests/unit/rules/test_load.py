"""Loading rule files: what becomes of right ones, and everything that is refused, with its place."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from sentinel.errors import ConfigErrors, RuleError
from sentinel.model import Duration
from sentinel.promql import parse as parse_expression
from sentinel.rules.load import RuleGroup, load_rules, parse_rules
from sentinel.rules.schema import Flap
from sentinel.template import RuleData


def parse(text: str) -> list[RuleGroup]:
    return parse_rules(textwrap.dedent(text), "r.yml")


def refusals(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(text)
    assert all(isinstance(error, RuleError) for error in caught.value.errors)
    return [str(error) for error in caught.value.errors]


def in_group(*rules: str) -> str:
    return "groups:\n- name: g\n  rules:\n" + "".join(f"  - {rule}\n" for rule in rules)


EVERYTHING = """\
groups:
  - name: g
    interval: 1m
    query_offset: 30s
    limit: 10
    on_arrival: true
    labels: {team: core, tier: "1"}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {tier: "2", braces: "{{ kept }}"}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 1h
        resolve_expr: up == 1
        no_data: keep_last
        flap: {changes: 4, within: 10m, hold: 5m}
        labels: {severity: page, version: 1.10}
        annotations: {summary: "{{ $labels.job }} is down"}
      - record: job:odd
        expr: job:up:sum
        detector: deviation
        with: {warmup: 30, direction: up}
"""


def test_everything_a_file_can_say() -> None:
    (group,) = parse(EVERYTHING)
    assert (group.name, group.file, group.key, group.line) == ("g", "r.yml", "r.yml;g", 2)
    assert (group.interval_ms, group.query_offset_ms, group.limit, group.on_arrival) == (
        60_000,
        30_000,
        10,
        True,
    )
    record, alert, detector = group.rules
    assert (record.record, record.name, record.text) == ("job:up:sum", "job:up:sum", "sum by (job) (up)")
    assert record.static_labels() == {"team": "core", "tier": "2", "braces": "{{ kept }}"}
    assert record.labels["braces"].render(RuleData({}, 0)) == "{{ kept }}"
    assert (alert.resolve_expr, alert.no_data) == (parse_expression("up == 1"), "keep_last")
    assert alert.flap == Flap(changes=4, within=Duration(600_000), hold=Duration(300_000))
    assert (alert.alert, alert.for_ms, alert.keep_firing_for_ms) == ("Down", 300_000, 3_600_000)
    assert (alert.file, alert.line, alert.column) == ("r.yml", 12, 9)
    assert alert.labels["version"].constant == "1.10"
    assert alert.labels["team"].constant == "core"
    assert alert.annotations["summary"].constant is None
    assert alert.annotations["summary"].render(RuleData({"job": "api"}, 0)) == "api is down"
    assert alert.annotations["summary"].text == "{{ $labels.job }} is down"
    assert (detector.detector, detector.options.warmup, detector.options.direction) == ("deviation", 30, "up")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "groups:\n", "groups: []\n"])
def test_nothing_is_no_error(text: str) -> None:
    assert parse(text) == []


def test_defaults() -> None:
    (group,) = parse("groups: [{name: g}]\n---\nonly: [the, first, document\n")
    assert group == RuleGroup(name="g", file="r.yml", line=1)
    (group,) = parse(in_group("{record: a, expr: 1, for: 0s, annotations: {}}"))
    assert group.rules[0].text == "1"
    assert (group.rules[0].for_ms, group.rules[0].labels) == (0, {})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{record: a, alert: b, expr: up}", "4:5: rule 'b': only one of 'record' and 'alert' must be set"),
        ("{expr: up}", "4:5: one of 'record' or 'alert' must be set"),
        ("{alert: A}", "4:5: rule 'A': field 'expr' must be set in rule"),
        ("{alert: A, expr: ''}", "4:5: rule 'A': field 'expr' must be set in rule"),
        ("{record: a, expr: up, for: 1m}", "4:27: rule 'a': invalid field 'for' in recording rule"),
        ("{record: a, expr: up, keep_firing_for: 1m}", "'keep_firing_for' in recording rule"),
        ("{record: a, expr: up, annotations: {b: c}}", "4:27: rule 'a': invalid field 'annotations'"),
        ("{record: 'a{b=\"c\"}', expr: up}", "4:14: rule 'a{b=\"c\"}': braces present in the recording rule"),
        ("{alert: A, expr: up, labels: {__name__: x}}", "4:35: rule 'A': invalid label name: '__name__'"),
        ("{alert: A, expr: up, labels: {'': x}}", "4:35: rule 'A': invalid label name: ''"),
        ("{alert: A, expr: up, annotations: {'': x}}", "4:40: rule 'A': invalid annotation name: ''"),
        ("{alert: A, expr: up, for: 5}", '4:31: not a valid duration string: "5"'),
        ("{alert: A, expr: up, fro: 5m}", "4:26: unknown key 'fro' (did you mean 'for'?)"),
        ("{alert: A, expr: up, expr: up}", "4:26: key 'expr' is given twice"),
        ("{alert: A, expr: up, labels: [a]}", "4:34: expected a mapping, got a list"),
        ("{alert: A, expr: [up]}", "4:22: expected a text, got a list"),
        ("5", "4:5: expected a mapping, got a single value"),
        (
            "{alert: A, expr: up, annotations: {s: '{{ $nope }}'}}",
            "4:43: rule 'A': annotation 's': template: ",
        ),
        ("{alert: A, expr: up, labels: {s: '{{ nope }}'}}", "4:38: rule 'A': label 's': template: "),
        ("{record: a, expr: up, flap: {changes: 1, within: 1m, hold: 1m}}", "invalid field 'flap' in record"),
        (
            "{record: a, expr: up, no_data: alert}",
            "4:27: rule 'a': invalid field 'no_data' in recording rule",
        ),
        ("{record: a, expr: up, resolve_expr: up}", "4:27: rule 'a': invalid field 'resolve_expr' in record"),
        (
            "{alert: A, expr: up, resolve_expr: up >}",
            "4:44: rule 'A': could not parse expression: parse error",
        ),
        (
            "{alert: A, expr: up, resolve_expr: 'up[1m]'}",
            "4:40: rule 'A': 'resolve_expr' must give an instant",
        ),
        ("{alert: A, expr: up, resolve_expr: 1}", "must give an instant vector, not a scalar"),
        ("{alert: A, expr: up, no_data: page}", "4:35: unknown value 'page'"),
        (
            "{alert: A, expr: 'absent(up)', no_data: alert}",
            "4:45: rule 'A': 'no_data: alert' beside absent()",
        ),
        ("{alert: A, expr: up, flap: {changes: 2, within: 1m}}", "hold"),
        (
            "{alert: A, expr: up, flap: {changes: 0, within: 1m, hold: 1m}}",
            "4:42: rule 'A': 'changes' must be",
        ),
        (
            "{alert: A, expr: up, flap: {changes: 1, within: 1m, hold: 0s}}",
            "4:63: rule 'A': 'hold' must be mo",
        ),
        ("{record: a, expr: up, detector: devation}", "4:37: rule 'a': unknown detector 'devation' (did you"),
        ("{alert: A, expr: up, detector: deviation}", "it goes beside 'record'"),
        ("{record: a, expr: up, with: {warmup: 1}}", "4:27: rule 'a': 'with' holds a detector's arguments"),
        (
            "{record: a, expr: up, detector: deviation, with: {warmap: 1}}",
            "4:55: rule 'a': unknown key 'warmap'",
        ),
        ("{record: a, expr: up, detector: deviation, with: {warmup: x}}", "4:63: rule 'a': expected a whole"),
    ],
)
def test_refused_rules(rule: str, said: str) -> None:
    (message,) = refusals(in_group(rule))
    assert message.startswith("r.yml:4:")
    assert said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("groups: [{name: ''}]", "r.yml:1:17: a group needs a name"),
        ("groups: [{rules: []}]", "r.yml:1:10: a group needs a name"),
        ("groups: [{name: a}, {name: a}]", "r.yml:1:28: group name 'a' is repeated in the same file"),
        ("groups: [{name: a, labels: {__name__: b}}]", "r.yml:1:29: invalid label name: '__name__'"),
        (
            "groups: [{name: a, intreval: 1m}]",
            "r.yml:1:20: unknown key 'intreval' (did you mean 'interval'?)",
        ),
        ("groups: [{name: a, limit: few}]", "r.yml:1:27: expected a whole number, got 'few'"),
        ("group: []", "r.yml:1:1: unknown key 'group' (did you mean 'groups'?)"),
        ("groups: {}", "r.yml:1:9: expected a list, got a mapping"),
        ("- groups", "r.yml:1:1: expected a mapping, got a list"),
        ("groups: [", "r.yml:2:1: not YAML: did not find expected node content"),
        ("kind: Deployment", "r.yml:1:1: no PrometheusRule in this manifest"),
    ],
)
def test_refused_files(text: str, said: str) -> None:
    (message,) = refusals(text + "\n")
    assert message.startswith(said)


WRITTEN = {
    "plain": "expr: sum(up) + nosuch(up)\n",
    "folded plain": "expr: sum(up) +\n      nosuch(up)\n",
    "single": "expr: 'sum(up{a=''b''}) + nosuch(up)'\n",
    "double": 'expr: "sum(up{a=\\"\\u00e9\\"}) + \\\n      nosuch(up)"\n',
    "literal": "expr: |\n      sum(up)\n        + # é\n      nosuch(up)\n",
    "literal, stripped": "expr: |-\n\n      sum(up)\n      + nosuch(up)\n",
    "folded": "expr: >\n      sum(up)\n      +\n\n      nosuch(up)\n",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_place_of_a_mistake_inside_an_expression(written: str, line_end: str) -> None:
    text = "groups:\n- name: g\n  rules:\n  - alert: A\n    " + written
    with pytest.raises(ConfigErrors) as caught:
        parse_rules(text.replace("\n", line_end), "r.yml")
    (error,) = caught.value.errors
    assert 'unknown function with name "nosuch"' in error.message
    assert text.splitlines()[error.line - 1][error.column - 1 :].startswith("nosuch")


def test_all_mistakes_of_a_file_in_its_order() -> None:
    said = refusals(
        in_group(
            "{alert: A, expr: up >, labels: {__name__: x}, annotations: {s: '{{ if }}'}}",
            "{record: a, expr: up, for: 1m, detector: nope}",
            "{alert: Right, expr: up}",
            "{alert: B, exp: up, expr: nosuch()}",
            "{alert: C}",
        )
        + "- name: g\n- name: h\n  bla: 1\n"
    )
    assert [line.split(":")[1] for line in said] == ["4", "4", "4", "5", "5", "7", "7", "8", "9", "11"]


MANIFEST = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: m, labels: {prometheus: k8s}}
spec:
  groups:
  - name: %s
    partial_response_strategy: warn
    rules:
    - {alert: A, expr: up%s}
"""


def test_kubernetes_manifests() -> None:
    others = "---\nkind: Service\nspec: {}\n---\n"
    groups = parse(MANIFEST % ("g", "") + others + MANIFEST % ("h", ""))
    assert [(group.key, len(group.rules)) for group in groups] == [("r.yml;g", 1), ("r.yml;h", 1)]
    said = refusals(MANIFEST % ("g", " >") + others + MANIFEST % ("g", ""))
    assert [line.split(":")[1] for line in said] == ["9", "19"]


def test_unknown_keys_are_passed_over_on_request() -> None:
    text = "owner: me\ngroups: [{name: g, owner: me, rules: [{alert: A, expr: up, owner: me}]}]\n"
    (group,) = parse_rules(text, "r.yml", strict=False)
    assert group.rules[0].alert == "A"
    assert len(refusals(text)) == 3


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yml").write_bytes(b"groups: []  # \xe9")
    for name, said in {"none.yml": "no such file", "latin.yml": "not UTF-8", "": "cannot be read"}.items():
        with pytest.raises(ConfigErrors, match=said):
            load_rules(tmp_path / name)


def test_a_file_goes_by_the_name_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "r.yml"
    path.write_text(in_group("{alert: A, expr: up}"))
    (group,) = load_rules(path, "rules/r.yml")
    assert group.key == "rules/r.yml;g"
    path.write_text(in_group("{alert: A, expr: up >}"))
    with pytest.raises(ConfigErrors, match=rf"^{path}:4:\d+: rule 'A': "):
        load_rules(path, "rules/r.yml")
