"""The runner of Prometheus's scripts by itself: what is right passes, and whatever is wrong is seen."""

from __future__ import annotations

import pytest

from sentinel.model import Labels
from sentinel.promql import parse, to_text
from tests.conformance.promqltest import pin, run_text
from tests.conformance.promqltest_script import Load, read_script

LOAD = """
load 1m
    up{a="1"}    1+1x10
    up{a="2"}    5 stale 7
    h            {{sum:1 count:2 buckets:[1 1]}}+{{count:1 buckets:[1]}}x2
    falling      {{count:3 buckets:[3]}} {{count:2 buckets:[2]}} {{count:4 buckets:[2 2]}}
    pressure     {{count:3 buckets:[3] counter_reset_hint:gauge}}x2
    said         {{count:1 counter_reset_hint:reset}}x2

load_with_nhcb 1m
    req_bucket{le="1"}      1 2
    req_bucket{le="+Inf"}   4 4
    req_sum                 6 9.5
    req_count               4 4

"""

RIGHT = [
    'eval instant at 1m up\n up{a="1"} 2',
    'eval instant at 2m up\n up{a="2"} 7.000001\n up{a="1"} 3',
    'eval instant at 2m sort(up)\n expect ordered\n up{a="1"} 3\n up{a="2"} 7',
    "eval instant at 2m count(up)\n {} 2",
    "eval instant at 2m scalar(up{a='1'})\n 3",
    'eval instant at 0 "x`y"\n expect string "x`y"',
    "eval instant at 0 nothing",
    'eval instant at 2m up{a="2"}[2m]\n expect range vector from 1m to 2m step 1m\n up{a="2"} _ 7',
    'eval range from 0 to 2m step 1m up\n up{a="1"} 1 2 3\n up{a="2"} 5 _ 7',
    "eval instant at 2m up{\n expect fail",
    "eval instant at 2m up + on() up\n expect fail regex: many-to-many|duplicate",
    "eval instant at 2m h\n h {{count:4 sum:1 buckets:[3 1]}}",
    "eval instant at 2m h\n h {{count:4 sum:1 buckets:[3 1 0] counter_reset_hint:not_reset}}",
    "eval instant at 0 h\n h {{count:2 sum:1 buckets:[1 1] counter_reset_hint:unknown}}",
    "eval range from 0 to 2m step 1m falling\n falling {{count:3 buckets:[3]}}"
    " {{count:2 buckets:[2] counter_reset_hint:unknown}}"
    " {{count:4 buckets:[2 2] counter_reset_hint:not_reset}}",
    "eval instant at 1m pressure\n pressure {{count:3 buckets:[3] counter_reset_hint:gauge}}",
    "eval instant at 1m said\n said {{count:1 counter_reset_hint:unknown}}",
    "eval instant at 1m req\n req {{schema:-53 sum:9.5 count:4 custom_values:[1] buckets:[2 2]}}",
]


@pytest.mark.parametrize("command", RIGHT)
def test_what_is_right_passes(command: str) -> None:
    assert [error for _, _, error in run_text(LOAD + command)] == [""]


WRONG = {
    'eval instant at 1m up\n up{a="1"} 2.00001': "not [",
    "eval instant at 1m up": "not []",
    'eval instant at 1m up\n up{a="1"} 2\n up{a="2"} 5': "not [",
    'eval instant at 1m up\n up{a="3"} 2': "not [",
    "eval instant at 1m up\n 2": "not 2.0",
    "eval instant at 1m time()\n 61": "60.0, not 61.0",
    "eval instant at 1m time()\n {} 60": "60.0, not None",
    'eval instant at 0 "x"\n expect string "y"': "x, not y",
    'eval instant at 2m sort(up)\n expect ordered\n up{a="2"} 7\n up{a="1"} 3': "not [",
    'eval range from 0 to 2m step 1m up\n up{a="1"} 1 2 3\n up{a="2"} 5 7': "not [",
    'eval range from 0 to 1m step 1m up{a="1"}\n up{a="1"} 1 2 3': "as many points",
    'eval instant at 1m up\n expect fail\n up{a="1"} 2': "should fail",
    "eval instant at 1m up{": "unexpected",
    "eval instant at 1m up{\n expect fail msg: other words": "fails with other words",
    "eval instant at 1m up{\n expect fail regex: ^other": "fails with other words",
    'eval instant at 1m up\n expect warn\n up{a="1"} 2': "no warn annotation",
    "eval instant at 1m quantile(2, up)\n expect no_warn\n {} Inf": "unexpected warn",
    "eval instant at 1m quantile(2, up)\n expect warn msg: other\n {} Inf": "missing warn: other",
    "eval instant at 2m h\n h {{count:4 sum:1 buckets:[3 2]}}": "not [",
    "eval instant at 2m h\n h {{count:4 sum:1 buckets:[3] }}": "not [",
    "eval instant at 2m h\n h {{count:4 sum:1 buckets:[3 1] z_bucket_w:1}}": "not [",
    "eval instant at 2m h\n h {{schema:1 count:4 sum:1 buckets:[3 1]}}": "not [",
    "eval instant at 2m h\n h {{count:4 sum:1 buckets:[3 1] counter_reset_hint:unknown}}": "not [",
    "eval instant at 2m h\n h 4": "not [",
    'eval instant at 1m up\n up{a="1"} {{count:2}}': "not [",
}


@pytest.mark.parametrize(("command", "error"), WRONG.items())
def test_what_is_wrong_is_seen(command: str, error: str) -> None:
    ((_, _, found),) = run_text(LOAD + command)
    assert error in found


PINNED = {
    "a + sum(rate(b[5m] offset 1m)) / c @ 7": (
        "a @ 60.000 + sum(rate(b[5m] @ 60.000 offset 1m)) / c @ 7.000"
    ),
    "count_over_time(a[5m:] @ 3) or -(b and c @ end())": (
        "count_over_time(a[5m:] @ 3.000) or -(b @ 60.000 and c @ 60.000)"
    ),
    "max_over_time(rate(a[5m])[1h:1m])": "max_over_time(rate(a[5m])[1h:1m] @ 60.000)",
    "1 + 2": "1 + 2",
}


@pytest.mark.parametrize(("expr", "pinned"), PINNED.items())
def test_outermost_times_are_pinned(expr: str, pinned: str) -> None:
    assert to_text(pin(parse(expr), 60_000)) == pinned


def test_start_timestamps_are_read_and_not_passed_over() -> None:
    script = "load 1m\n m@st  _ _x2 -30s -1m-1mx2 1ms\n m  _ _ _ 1 2 3 4 5\n"
    (load,) = read_script(script)
    assert isinstance(load, Load)
    m = Labels({"__name__": "m"})
    assert load.starts == {m: [None, None, None, -30_000, -60_000, -120_000, -180_000, 1]}
    ((_, _, error),) = run_text(f"{script}\neval instant at 1m m")
    assert "start timestamps" in error


def test_clear_forgets_and_the_last_of_two_series_counts() -> None:
    script = "load 1m\n m 1\n m 2\n\neval instant at 0 m\n m 2\n\nclear\neval instant at 0 m\n"
    assert [(line, error) for line, _, error in run_text(script)] == [(5, ""), (9, "")]
