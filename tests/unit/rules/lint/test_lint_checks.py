"""Each check: what it finds, and what looks like it and is right."""

from __future__ import annotations

import pytest

from sentinel.rules.lint import NAMES, Metrics, World, read_metrics

from .files import alert, found, in_group

WRONG = [
    ("impossible-comparison", "count by (job) (up) == 0", "the left side is at least 1"),
    ("impossible-comparison", "rate(x_total[5m]) < 0", "the left side is at least 0"),
    ("impossible-comparison", "up > 1", "from 0 to 1"),
    ("impossible-comparison", "absent(x) > 1", "always 1"),
    ("impossible-comparison", "(x > bool 5) > 1", "from 0 to 1"),
    ("impossible-comparison", "clamp_min(x, 5) < 5", "the left side is at least 5"),
    ("impossible-comparison", "x > 5 or sum(up == 0) > 0", "always 0"),
    ("impossible-comparison", "hour() > 24", "from 0 to 23"),
    ("impossible-comparison", "12 < clamp_max(x, 10)", "the right side is at most 10"),
    ("constant-comparison", "count(x) > 0", "is always true: the left side is at least 1"),
    ("constant-comparison", "x * (up > bool 2) > 1", "is always false"),
    ("constant-comparison", "increase(x_total[1h]) >= 0", "at least 0"),
    ("contradicting-matchers", 'x{a="1", a="2"} > 0', 'a="1" and a="2" exclude each other'),
    ("contradicting-matchers", 'x{a="1", a!~"[0-9]"} > 0', "selects nothing"),
    ("contradicting-matchers", 'x{a=~"b.*", a!~"b.*"} > 0', "selects nothing"),
    ("contradicting-matchers", 'x{a!~".*"} > 0', "excludes every series"),
    ("impossible-matching", "sum by (a, b) (x) / sum by (a) (y) > 1", "has no label 'b'"),
    ("impossible-matching", 'x{a="1"} > 0 and on (a) sum by (b) (y)', "`sum by (b) (y)` has no label 'a'"),
    ("impossible-matching", 'x / ignoring (l) y{l="max"} and y{l="max"} > 0', "has no label 'l'"),
    ("quantile-without-le", "histogram_quantile(0.9, sum by (a) (rate(x_bucket[5m]))) > 1", "has lost"),
    ("quantile-without-le", "histogram_quantile(0.9, sum without (le) (rate(x_bucket[5m]))) > 1", "'le'"),
    ("unknown-metric", "job:errors:rate5m > 1", "no rule records job:errors:rate5m"),
    ("rate-of-gauge", "rate(queue_depth[5m]) > 1", "queue_depth is by its name a gauge"),
    ("delta-of-counter", "delta(errors_total[5m]) > 1", "delta() is for gauges"),
    ("delta-of-counter", "deriv(errors_total[5m]) > 1", "is by its name a counter"),
    ("rate-of-aggregate", "rate(sum(x_total)[5m:]) > 1", "restarts are not seen"),
    ("short-window", "rate(x_total[20s]) > 1", "they come every 15s"),
    ("no-comparison", "sum by (a) (x)", "fires for every series"),
    ("no-comparison", "x / y", "fires for every series"),
    ("no-comparison", "x > 1 or y", "fires for every series"),
    ("no-comparison", "x > bool 1", "fires for every series"),
    ("constant-expression", "vector(1)", "reads no series"),
    ("plain-regex", 'x{a=~"b-c"} > 1', 'a=~"b-c" is no regular expression'),
    ("empty-regex", 'x{a=~".*"} > 1', "matches every series"),
    ("empty-regex", 'x{a=~"b|"} > 1', "also matches series without the label"),
]
RIGHT = [
    ("impossible-comparison", "count by (job) (up) == 1 or absent(up) or up < 1 or sum(x) == 0"),
    ("impossible-comparison", "rate(a_total[5m]) - rate(b_total[5m]) < 0 or delta(x[5m]) < 0"),
    ("impossible-comparison", "(count(x) or vector(0)) < 1"),
    ("impossible-comparison", "x < 0 or abs(x) > 0 or 1 - y < 0"),
    ("constant-comparison", "rate(a_total[5m]) / rate(b_total[5m]) >= 0"),
    ("constant-comparison", 'ALERTS{alertname="x"} == 1'),
    ("contradicting-matchers", 'x{a!="1", a!="2", a=~"b.*", a=~".*c", b="1"} > 0'),
    ("impossible-matching", "sum by (a) (x) / sum by (a) (y) > 1 or x / on (a) group_left () y > 0"),
    ("impossible-matching", "x > 1 unless on (job) sum by (job) (y)"),
    ("impossible-matching", "sum by (a, b) (x) / on (a) group_left () sum by (a) (y) > 1"),
    ("impossible-matching", "sum by (a) (x) > 1 or sum by (b) (y) > 1"),
    ("quantile-without-le", "histogram_quantile(0.9, sum by (a, le) (rate(x_bucket[5m]))) > 1"),
    ("quantile-without-le", "histogram_quantile(0.9, sum by (a) (rate(x[5m]))) > 1"),
    ("unknown-metric", "errors_total > 1 or up == 0 or :memory:sum > 1 or sentinel_alerts > 1"),
    ("rate-of-gauge", "rate(errors_total[5m]) > 1 or rate(request_size_bytes[5m]) > 1"),
    ("delta-of-counter", "delta(temperature[5m]) > 1"),
    ("rate-of-aggregate", "sum(rate(x_total[5m])) > 1 or max_over_time(sum(x)[5m:]) > 1"),
    ("short-window", "rate(x_total[1m]) > 1 or max_over_time(x[10s]) > 1"),
    ("no-comparison", "absent(x) or sum(x) > 1 or (a unless b) or count(x > 1)"),
    ("no-comparison", 'ALERTS{alertstate="firing"} or topk(3, x > 1) or build_info{version="bad"}'),
    ("constant-expression", "hour() > 8 and on () x > 1"),
    ("plain-regex", 'x{a=~"b.c", b=~"c|d", c="e"} > 1'),
    ("empty-regex", 'x{a=~".+", b!~".+", c!~"d"} > 1'),
]


@pytest.mark.parametrize(("name", "expr", "said"), WRONG)
def test_what_is_wrong_is_said(name: str, expr: str, said: str) -> None:
    findings = found(alert(expr), name)
    assert len(findings) == 1, findings
    assert said in findings[0].message
    assert findings[0].hint
    assert findings[0].line == 4


@pytest.mark.parametrize(("name", "expr"), RIGHT)
def test_what_is_right_is_let_pass(name: str, expr: str) -> None:
    assert not found(alert(expr), name)


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("missing-for", alert("x > 1", "labels: {a: b}"), [(4, 5)]),
        ("missing-for", alert("absent(x)", "labels: {a: b}"), []),
        ("missing-for", alert("vector(1)", "labels: {a: b}"), []),
        ("missing-for", in_group("{record: a, expr: x}"), []),
        ("short-for", in_group("{alert: A, expr: x > 1, for: 30s}", group="interval: 1m"), [(5, 34)]),
        ("short-for", in_group("{alert: A, expr: x > 1, for: 1m}", group="interval: 1m"), []),
        ("short-for", in_group("{alert: A, expr: x > 1, for: 1s}"), []),
        ("naming", in_group("{alert: Too many, expr: x > 1}"), [(4, 13)]),
        ("naming", in_group("{record: errors, expr: x}"), [(4, 14)]),
        ("naming", in_group("{record: 'a:b:c', expr: x}", "{alert: Fine2, expr: x}"), []),
        ("duplicate-rules", in_group(*["{record: a, expr: x, labels: {l: v}}"] * 2), [(5, 5)]),
        ("duplicate-rules", in_group("{alert: A, expr: x}", "{alert: A, expr: y}"), [(5, 5)]),
        ("duplicate-rules", in_group("{alert: A, expr: x}", "{alert: A, expr: x, labels: {l: v}}"), []),
        ("own-keys", in_group("{record: a, expr: x, detector: deviation, with: {}}"), [(4, 26), (4, 47)]),
        ("own-keys", in_group("{alert: A, expr: x}", group="on_arrival: true"), [(3, 3)]),
        ("own-keys", in_group("{alert: A, expr: x, for: 1m}", group="interval: 1m"), []),
    ],
)
def test_checks_of_whole_rules(name: str, text: str, places: list[tuple[int, int]]) -> None:
    assert [(finding.line, finding.column) for finding in found(text, name)] == places


def test_files_of_ours_may_use_our_keys() -> None:
    text = in_group("{record: a, expr: x, detector: deviation}")
    assert found(text, "own-keys") and not found(text, "own-keys", path="a.detect.yml")


RECORDED = "{record: 'job:x:sum', expr: sum by (job) (x)}"
RATED = "{record: 'job:x:rate5m', expr: 'sum by (job) (rate(x_total[5m]))', labels: {kind: all}}"


@pytest.mark.parametrize(
    ("name", "expr", "count"),
    [
        ("unknown-metric", "job:x:sum > job:x:rate5m", 0),
        ("unknown-metric", "job:x:rate1m > 1", 1),
        ("rate-of-aggregate", "rate(job:x:sum[5m]) > 1", 1),
        ("rate-of-aggregate", "rate(job:x:rate5m[5m]) > 1", 0),
        ("impossible-comparison", "job:x:rate5m < 0", 1),
        ("impossible-comparison", "job:x:sum < 0", 0),
        ("impossible-matching", "sum by (job) (x) > job:x:rate5m", 1),
        ("impossible-matching", "job:x:sum > on (job) job:x:rate5m", 0),
    ],
)
def test_recording_rules_are_looked_into(name: str, expr: str, count: int) -> None:
    text = in_group(RECORDED, RATED, f"{{alert: A, expr: '{expr}'}}")
    assert len(found(text, name)) == count


def test_a_rule_that_reads_what_it_writes_is_no_riddle() -> None:
    text = in_group("{record: 'a:b:c', expr: 'a:b:c + 1'}", "{alert: A, expr: 'a:b:c > 1 and a:b:c'}")
    assert {finding.check for finding in found(text)} <= {"missing-for"}


@pytest.mark.parametrize("backwards", [False, True])
def test_long_chains_of_rules_take_no_time(backwards: bool) -> None:
    """Each reads the one before twice: two to the power of their number, if every mention were followed."""
    chain = [f"{{record: 'a:r{i + 1}', expr: 'a:r{i} / a:r{i}'}}" for i in range(500)]
    rules = ["{record: 'a:r0', expr: 'x > 1'}", *chain]
    text = in_group("{alert: A, expr: 'a:r500'}", *(reversed(rules) if backwards else rules))
    assert {finding.check for finding in found(text)} <= {"missing-for", "no-comparison"}


def test_a_recorded_label_that_is_emptied_is_gone() -> None:
    gone = "{record: 'a:b', expr: 'sum by (job, a) (x)', labels: {a: ''}}"
    text = in_group(gone, "{alert: A, expr: 'a:b / sum by (job, a) (y) > 1'}")
    assert [finding.rule for finding in found(text, "impossible-matching")] == ["A"]


def test_a_detector_writes_its_band() -> None:
    text = in_group(
        "{record: 'a:b', expr: x, detector: deviation}",
        "{alert: A, expr: 'a:b > 1 and x > a:b:upper and x > a:b:uper'}",
    )
    assert [finding.message for finding in found(text, "unknown-metric")] == ["no rule records a:b:uper"]


EXPOSITION = """\
# HELP depth How deep.
# TYPE depth counter
depth_total 1
# TYPE errors_total gauge
errors_total{a="b"} 1
# TYPE latency histogram
latency_bucket{le="+Inf"} 3
plain 1
"""


@pytest.mark.parametrize(
    ("name", "expr", "count"),
    [
        ("unknown-metric", "plain > 1 or latency_count > 1 or depth_total > 1 or latency > 1", 0),
        ("unknown-metric", "plane > 1 or up > 1 or latency_counts > 1", 2),
        ("rate-of-gauge", "rate(errors_total[5m]) > 1", 1),
        ("rate-of-gauge", "rate(depth[5m]) > 1 or rate(plain[5m]) > 1", 0),
        ("delta-of-counter", "delta(errors_total[5m]) > 1", 0),
        ("delta-of-counter", "delta(latency_count[5m]) > 1", 1),
        ("impossible-comparison", "depth_total < 0", 1),
    ],
)
def test_known_metrics_decide(name: str, expr: str, count: int) -> None:
    assert len(found(alert(expr), name, world=World(metrics=read_metrics(EXPOSITION)))) == count


def test_metrics_are_listed_in_several_ways() -> None:
    names = frozenset(("up", "a:b"))
    assert read_metrics("up\n a:b  \n# a comment\n") == Metrics(names)
    assert read_metrics('{"status": "success", "data": ["up", "a:b"]}') == Metrics(names)


def test_every_check_is_tried() -> None:
    here = {name for name, *_ in (*WRONG, *RIGHT)}
    elsewhere = {"missing-for", "short-for", "naming", "duplicate-rules", "own-keys"}
    templates = {name for name in NAMES if name.startswith("template-")}
    assert here | elsewhere | templates == set(NAMES)
