"""What `clusters:` may hold, and what is said of it when it is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sentinel.documents.reading import load_struct
from sentinel.errors import ConfigErrors
from sentinel.model import Duration
from sentinel.watch.config import ClusterConfig, Filter


def cluster(**settings: Any) -> ClusterConfig:
    return ClusterConfig(**{"name": "eu", "bootstrap_servers": ["kafka:9092"], **settings})


@pytest.mark.parametrize(
    ("include", "exclude", "yes", "no"),
    [
        ([".*"], [], ["", "a", "a\nb", "ü"], []),
        ([], [], [], ["", "a"]),
        (["a"], [], ["a"], ["", "ab", "ba", "a\n"]),
        (["a|b.*"], [], ["a", "b", "bc"], ["ab"]),
        ([".*"], ["__.*"], ["a", "a__", "_a"], ["__consumer_offsets"]),
        (["a.*", "b"], ["ab", ".*c"], ["a", "abd", "b"], ["ab", "ac", "c"]),
        (["(?i)A"], [], ["a", "A"], []),
    ],
)
def test_a_filter_matches_whole_names(
    include: list[str], exclude: list[str], yes: list[str], no: list[str]
) -> None:
    chosen = Filter(include, exclude)
    assert [name for name in [*yes, *no] if chosen.matches(name)] == yes


def test_a_filter_matches_everything_unless_told_otherwise() -> None:
    assert Filter().matches("orders") and Filter().matches("__consumer_offsets")
    assert cluster().groups.matches("__mine")
    assert cluster().topics.matches("orders") and cluster().topics.matches("__consumer_offsets")


@pytest.mark.parametrize("pattern", ["(", "a)|(b", "*", r"(?=a)", "[", r"\1"])
def test_a_bad_pattern_is_named(pattern: str) -> None:
    for key in ("include", "exclude"):
        with pytest.raises(ValueError) as caught:
            Filter(**{key: ["fine", pattern]})
        assert str(caught.value).startswith(f"bad regex {pattern!r}: ")


def test_hostile_patterns_end_soon() -> None:
    assert not Filter(include=["(a*)*b"]).matches("a" * 30_000)


@pytest.mark.parametrize(
    ("interval", "timeout", "seconds"),
    [(10_000, 0, 3), (60_000, 0, 3), (4_000, 0, 2), (1_000, 0, 0.5), (10_000, 7_000, 7), (1_000, 1_000, 1)],
)
def test_the_timeout_follows_the_interval(interval: int, timeout: int, seconds: float) -> None:
    assert cluster(interval=Duration(interval), timeout=Duration(timeout)).timeout_seconds == seconds


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"interval": Duration(0)}, "interval must be above 0"),
        ({"timeout": Duration(11_000)}, "timeout 11s is longer than the interval 10s"),
        ({"name": ""}, "name '' must be"),
        ({"name": "eu/state"}, "without '/'"),
        ({"bootstrap_servers": []}, "bootstrap_servers is empty"),
        ({"security_protocol": "SASL_SSL"}, "needs sasl_username"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        cluster(**settings)


class File(msgspec.Struct, forbid_unknown_fields=True):
    """As the configuration has it."""

    clusters: list[ClusterConfig] = []


def test_it_is_read_from_a_file() -> None:
    text = """\
clusters:
  - name: eu
    bootstrap_servers: [a:9092, b:9092]
    interval: 5s
    groups: {include: [billing-.*]}
    names: [kminion]
"""
    (read,) = load_struct("sentinel.yml", text, File)[0].clusters
    assert read.interval == 5000 and read.names == ["kminion"] and read.timeout_seconds == 2.5
    assert read.groups.matches("billing-1") and not read.groups.matches("billing")
    assert read.topics.matches("__consumer_offsets")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("topics: {exclude: ['(']}", r"sentinel.yml:4:13: bad regex '\(': missing \)"),
        ("topics: {exclud: []}", "unknown key 'exclud'"),
        ("names: [kafka-exporter]", "unknown value 'kafka-exporter'"),
        ("interval: 0", "sentinel.yml:2:5: interval must be above 0"),
        ("intervall: 5s", "unknown key 'intervall'"),
    ],
)
def test_errors_tell_where_they_are(lines: str, says: str) -> None:
    text = f"clusters:\n  - name: eu\n    bootstrap_servers: a:9092\n    {lines}\n"
    with pytest.raises(ConfigErrors, match=says):
        load_struct("sentinel.yml", text, File)
