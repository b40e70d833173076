"""The language beyond what the conformance cases show: scopes, tokens put back, values without a type."""

from __future__ import annotations

import pytest

from sentinel.errors import TemplateError
from sentinel.template import RuleData, RuleTemplate, expand
from sentinel.template.functions.builtin import BUILTIN
from sentinel.template.values import NO_VALUE, StringMap


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ $x := 1 }}{{ with 2 }}{{ $x = . }}{{ end }}{{ $x }}", "2"),
        ("{{ range $i, $c := .list }}{{ $i }}{{ $c }} {{ end }}", "0a 1b "),
        ("{{ $i := 0 }}{{ $c := 0 }}{{ range $i, $c = .list }}{{ end }}{{ $i }}{{ $c }}", "1b"),
        ("{{ $c := 0 }}{{ range $c = .list }}{{ end }}{{ $c }}", "b"),
        ("{{ range $c := .list }}{{ range .list }}{{ end }}{{ $c }}{{ end }}", None),
        ("{{ range .list }}{{ range 3 }}{{ break }}{{ end }}{{ . }}{{ end }}", "ab"),
        ("{{ range 4 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "023"),
        ("{{ range 0 }}x{{ else }}none{{ end }}", "none"),
        ("{{ range nil }}x{{ end }}", None),
        ("{{ range .absent }}x{{ else }}none{{ end }}", "none"),
        ("{{ .absent }} {{ .absent | print }} {{ printf `%v` .absent }}", "<no value> <nil> <nil>"),
        ("{{ $a := .absent }}{{ $a.b.c }}", "<no value>"),
        ("{{ .absent.b }}", None),
        ("{{ (.map).k }}{{ (index .list 1) }}{{ .map.k.x }}", None),
        ("{{ (.map).k }}{{ .map.none }}|{{ (index .list 1) }}", "v|b"),
        ("{{ block `b` .map }}{{ .k }}{{ end }}{{ template `b` .map }}", "vv"),
        ("{{ define `e` }} {{ end }}{{ define `e` }}full{{ end }}{{ template `e` }}", "full"),
        ("{{ 1 | printf `%d-%d` 2 }}", "2-1"),
        ("{{ .list | len | eq 2 }}", "true"),
        ("{{ slice .list 1 }}{{ slice .list 0 1 2 }}", "[b][a]"),
        ("{{ and }}", None),
        ("{{ true | and 1 }} {{ false | or 0 }}", "true false"),
        ("{{ not nil }} {{ eq nil nil }} {{ eq .absent 1 }}", "true true false"),
        ("{{/* c */ -}} x", "x"),
        ("{{- /* a */ -}}", ""),
        ("{{ `a` -}}\n\n {{ 1 }}", "a1"),
    ],
)
def test_language(text: str, expected: str | None) -> None:
    data = {"list": ["a", "b"], "map": StringMap(k="v")}
    if expected is None:
        with pytest.raises(TemplateError) as caught:
            expand(text, data, BUILTIN, name="t")
        assert str(caught.value).startswith("template: t:1:")
    else:
        assert expand(text, data, BUILTIN, name="t") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ 12e }}", 'illegal number syntax: "12e"'),
        ("{{ 99999999999999999999 }}", 'integer overflow: "99999999999999999999"'),
        ("{{ '' }}", "invalid syntax"),
        ("{{ 'ab' }}", "malformed character constant: 'ab'"),
        ('{{ "\\q" }}', "invalid syntax"),
        ("{{ 'a }}", "unterminated character constant"),
        ("{{ `a }}", "unterminated raw quoted string"),
        ("{{ 1 : 2 }}", "expected :="),
        ("{{ (1 }}", "unclosed left paren"),
        ("{{ 1) }}", "unexpected right paren"),
        ("{{ .a$ }}", "bad character U+0024 '$'"),
        ("{{ 1.a }}", 'bad number syntax: "1.a"'),
        ('{{ "a".b }}', 'unexpected . after term "\\"a\\""'),
        ("{{ $x, $y := 1 }}", "too many declarations in command"),
        ("{{ range $x, 1 }}{{ end }}", "range can only initialize variables"),
        ("{{ template x }}", 'unexpected "x" in template clause'),
        ("{{ define 1 }}{{ end }}", 'unexpected "1" in define clause'),
        ("{{ define `x` }}{{ else }}{{ end }}", "unexpected {{else}} in define clause"),
        ("{{ else }}", "unexpected {{else}}"),
        ("{{ end 1 }}", 'unexpected "1" in end'),
        ("{{ 1 || 2 }}", 'unexpected "|" in command'),
        ("{{ }}", "missing value for command"),
        ("{{ range 1 }}{{ end }}{{ continue }}", "{{continue}} outside {{range}}"),
        ("{{/* c */x}}", "comment ends before closing delimiter"),
        ("{{ thisnameisverylong 1 }}", 'function "thisnameisverylong" not defined'),
        ("{{ 1 :=\n }}", 'unexpected ":=" in operand'),
    ],
)
def test_what_does_not_load(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        RuleTemplate(text, alertname="T")
    assert str(caught.value) == f"template: __alert_T:1: {message}"
    assert caught.value.load


def test_an_error_names_the_line_where_its_action_began() -> None:
    with pytest.raises(TemplateError, match=r"T:3: unclosed action started at __alert_T:2$"):
        RuleTemplate("a\n{{ $value\n", alertname="T")
    with pytest.raises(TemplateError, match=r'T:2: unexpected "\?" in operand$'):
        RuleTemplate("{{ $value\n? }}", alertname="T")


def test_columns_count_bytes_of_the_line() -> None:
    with pytest.raises(TemplateError, match=r"template: t:2:5: executing \"t\" at <len 3>"):
        expand("x\né{{ len 3 }}", NO_VALUE, BUILTIN, name="t")


def test_constant_is_known_without_rendering() -> None:
    assert RuleTemplate("plain {x} }}", alertname="T").constant == "plain {x} }}"
    assert RuleTemplate("a {{- /* note */ -}} b", alertname="T").constant == "ab"
    assert RuleTemplate("{{ 1 }}", alertname="T").constant is None


def test_render_asks_only_what_the_template_asks() -> None:
    def query(expression: str) -> list[tuple[dict[str, str], float]]:
        raise AssertionError(expression)

    data = RuleData(labels={"a": "b"}, value=2.0, query=query)
    assert RuleTemplate("{{ $labels.a }}{{ $value }}", alertname="T").render(data) == "b2"


def test_a_rule_without_an_engine_says_so() -> None:
    got = RuleTemplate("{{ query `up` }}", alertname="T").render(RuleData(labels={}, value=1.0))
    assert got.endswith("error calling query: queries are not available here>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ label `a` nil }}", "error calling label: runtime error: invalid memory address or nil"),
        ("{{ first nil }}", "error calling first: first() called on vector with no elements"),
        ("{{ len (sortByLabel `a` nil) }}", "0"),
        ("{{ toUpper nil }}", "cannot assign nil to string"),
        ("{{ toUpper (index $labels nil) }}", "value is nil; should be of type string"),
    ],
)
def test_nil_as_an_argument(text: str, expected: str) -> None:
    got = RuleTemplate(text, alertname="T").render(RuleData(labels={}, value=1.0))
    assert expected in got


def test_renderings_do_not_touch_each_other() -> None:
    template = RuleTemplate("{{ $x := $value }}{{ $x }}{{ now }}", alertname="T")
    first, second = RuleData(labels={}, value=1.0, now_ms=1000), RuleData(labels={}, value=2.0, now_ms=2000)
    assert [template.render(data) for data in (first, second, first)] == ["11", "22", "11"]
