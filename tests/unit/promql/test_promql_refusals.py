"""What the parser refuses, where, and that it says so in Prometheus's words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.errors import QueryError
from sentinel.promql import parse

LENGTH = "expected number, duration, step(), or range()"
SUFFIX = "must be preceded by an instant vector selector or range vector selector or a subquery"
LABELS = 'in label matching, expected identifier or "}"'
NUMBER_ARGUMENTS = "wrong number of arguments for aggregate expression provided, expected 2, got 1"

TOKENS = [
    ("", "1:1: no expression found in input"),
    ("a ~ b", "1:3: unexpected character: '~'"),
    ("é", "1:1: unexpected character: 'é'"),
    ("a \x00", "1:3: unexpected character: '\\x00'"),
    ("'é' + \n 'é' ~", "2:7: unexpected character: '~'"),
    ("a ! b", "1:3: unexpected character after '!': ' '"),
    ("a =~ b", "1:3: unexpected character after '=': '~'"),
    ("a{b", "1:4: unexpected end of input inside braces"),
    ("a{!}", "1:3: unexpected character after '!' inside braces: '}'"),
    ("a{{", "1:3: unexpected left brace '{'"),
    ("a}", "1:2: unexpected character: '}'"),
    ("(a", "1:3: unclosed left parenthesis"),
    ("a)", "1:3: unexpected right parenthesis ')'"),
    ("a]", "1:2: unexpected right bracket ']'"),
    ("a[5m", "1:5: unclosed left bracket"),
    ("a[", "1:3: unexpected end of input in duration expression"),
    ("a[x]", "1:3: unexpected character in duration expression: 'x'"),
    ("a[5m x]", "1:6: unexpected character: 'x', expected ':'"),
    ("a[5m[", "1:5: unexpected left bracket '['"),
    ("a[:5m]", "1:4: unexpected colon before duration in duration expression"),
    ("a[step()::]", "1:11: unexpected repeated colon in duration expression"),
    ("a[5m:5m:]", "1:8: unexpected colon ':'"),
    ("1x", '1:1: bad number or duration syntax: "1"'),
    ("2.5.", '1:1: bad number or duration syntax: "2.5."'),
    ("0deadbeef", '1:1: bad number or duration syntax: "0de"'),
    ("5m30s15", '1:1: bad number or duration syntax: "5m30s15"'),
    ("1e400", '1:1: error parsing number: strconv.ParseFloat: parsing "1e400": value out of range'),
    ("0x", '1:1: error parsing number: strconv.ParseFloat: parsing "0x": invalid syntax'),
    ("1d1w", '1:1: not a valid duration string: "1d1w"'),
    ("1hs", '1:1: unknown unit "hs" in duration "1hs"'),
    ("a[1d400000000h]", "1:3: duration out of range"),
    ("'x", "1:1: unterminated quoted string"),
    ("a + `x", "1:5: unterminated raw string"),
    ("'\n'", "1:1: unterminated quoted string"),
    (r"'\q'", "1:1: unknown escape sequence U+0071 'q'"),
    (r"'\"'", "1:1: unknown escape sequence U+0022 '\"'"),
    (r"'\xg'", "1:1: illegal character U+0067 'g' in escape sequence"),
    (r"'\ud800'", "1:1: escape sequence is an invalid Unicode code point"),
    (r"'\777'", "1:1: escape sequence is an invalid Unicode code point"),
    (r"'\u12", "1:1: escape sequence not terminated"),
    ("'\ufffd'", "1:1: invalid UTF-8 rune"),
    ("'\udcff'", "1:1: invalid UTF-8 rune"),
]

GRAMMAR = [
    ("a b", '1:3: unexpected identifier "b"'),
    ("a b:c", '1:3: unexpected metric identifier "b:c"'),
    ("a 'some text'", '1:3: unexpected string "\'some text"...'),
    ("a 5m", '1:3: unexpected duration "5m"'),
    ("a inf", '1:3: unexpected number "inf"'),
    ("a Start", '1:3: unexpected "Start"'),
    ("a BY", "1:3: unexpected <BY>"),
    ("a fill", '1:3: unexpected identifier "fill"'),
    ("a fill (1)", "1:3: unexpected <fill>"),
    ("1 +", "1:4: unexpected end of input"),
    ("* 1", "1:1: unexpected <op:*>"),
    ("by (x)", '1:4: unexpected "("'),
    ("on(x)", "1:1: unexpected <on>"),
    ("sum(\n  a b)", '2:5: unexpected identifier "b" in aggregation'),
    ("sum by x (a)", '1:8: unexpected identifier "x" in grouping opts, expected "("'),
    ("sum by (without) (a)", "1:9: unexpected <without> in grouping opts, expected label"),
    ("sum by (x y) (a)", '1:11: unexpected identifier "y" in grouping opts, expected "," or ")"'),
    ("sum by ('') (a)", '1:9: invalid label name for grouping: ""'),
    ("a + on (b) group_left )", "1:24: unexpected right parenthesis ')'"),
    ("a + on (b) group_left", '1:22: unexpected end of input in grouping opts, expected "("'),
    ("a + fill_left(1) fill_left(2) b", '1:27: unexpected "("'),
    ("a{,}", f'1:3: unexpected "," {LABELS}'),
    ("a{on}", '1:5: unexpected "}" in label matching, expected label matching operator'),
    ("a{b=c}", '1:5: unexpected identifier "c" in label matching, expected string'),
    ("a{b='c' d}", '1:9: unexpected identifier "d" in label matching, expected "," or "}"'),
    ("a[]", f'1:3: unexpected "]" in subquery or range selector, {LENGTH}'),
    ("a[step]", f'1:7: unexpected "]" in subquery or range selector, {LENGTH}'),
    ("a[5m,5]", '1:5: unexpected "," in subquery or range, expected ":" or "]"'),
    (
        "a[5m:+]",
        '1:7: unexpected "]" in subquery selector, expected number, duration, step(), range(), or "]"',
    ),
    ("a[5m:1m,]", '1:8: unexpected "," in subquery selector, expected "]"'),
    ("a offset x", f'1:10: unexpected identifier "x" in offset, {LENGTH}'),
    ("a @ x", '1:5: unexpected identifier "x" in @, expected timestamp'),
    ("a @ inf", "1:1: timestamp out of bounds for @ modifier: +Inf"),
    ("a @ 1e18", "1:1: timestamp out of bounds for @ modifier: 1000000000000000000.000000"),
    ("a[0]", "1:3: duration must be greater than 0"),
    ("a[5m:-1m]", "1:6: duration must be greater than 0"),
    ("a[5m / 0]", "1:6: division by zero"),
    ("a[5m % 0s]", "1:6: modulo by zero"),
    ("sum(x)[5m]", "1:7: ranges only allowed for vector selectors"),
    ("a offset 1m[5m]", "1:12: no offset modifiers allowed before range"),
    ("a offset (1m)[5m]", "1:14: no offset modifiers allowed before range"),
    ("a @ 5 [5m]", "1:7: no @ modifiers allowed before range"),
    ("a offset 5m offset 1m", "1:1: offset may not be set multiple times"),
    ("a @ 1 @ 2", "1:1: @ <timestamp> may not be set multiple times"),
    ("1 offset 5m", f"1:1: offset modifier {SUFFIX}"),
    ("1 @ 5", f"1:1: @ modifier {SUFFIX}"),
    ("a anchored smoothed", "1:1: anchored and smoothed modifiers cannot be used together"),
    ("a[5m:] smoothed", "1:1: smoothed modifier is not supported for subqueries"),
    ("(a) anchored", "1:1: anchored modifier not implemented"),
    ("foo(x)", '1:1: unknown function with name "foo"'),
    ("abs(a,)", "1:6: trailing commas not allowed in function call args"),
    ("abs(a, *)", "1:6: trailing commas not allowed in function call args"),
    ("sum()", "1:1: no arguments for aggregate expression provided"),
    ("topk(a)", f"1:1: {NUMBER_ARGUMENTS}"),
]

TYPES = [
    ("rate(x)", '1:6: expected type range vector in call to function "rate", got instant vector'),
    ("rate(1 == 1)", "1:8: comparisons between scalars must use BOOL modifier"),
    ("sum(x[5m])", "1:5: expected type instant vector in aggregation expression, got range vector"),
    ("topk('x', x)", "1:6: expected type scalar in aggregation parameter, got string"),
    ("count_values(1, x)", "1:14: expected type string in aggregation parameter, got scalar"),
    ("a + bool b", "1:3: bool modifier can only be used on comparison operators"),
    ("a and 1", '1:1: set operator "and" not allowed in binary scalar expression'),
    ("a and on(x) group_left b", '1:1: no grouping allowed for "and" operation'),
    ("a or fill (1) b", "1:1: filling in missing series not allowed for set operators"),
    ("a + fill (1) 1", "1:1: filling in missing series only allowed between instant vectors"),
    ("a + on (b) 1", "1:1: vector matching only allowed between instant vectors"),
    ("a + on(x) group_left(x) b", '1:3: label "x" must not occur in ON and GROUP clause at once'),
    ("1 + 'a'", "1:5: binary expression must contain only scalar and instant vector types"),
    (
        "-'a'",
        '1:1: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
    ),
    ("1[5m:]", "1:1: subquery is only allowed on instant vector, got scalar instead"),
    ("{}", "1:1: vector selector must contain at least one non-empty matcher"),
    ('a{__name__="b"}', '1:1: metric name must not be set twice: "a" or "b"'),
    ("clamp(a, 1)", '1:1: expected 3 argument(s) in call to "clamp", got 2'),
    ("round(a, 1, 2)", '1:1: expected at most 2 argument(s) in call to "round", got 3'),
    ('label_join(a, "b")', '1:1: expected at least 3 argument(s) in call to "label_join", got 2'),
]

REGEXES = [
    ("(", "missing closing ): `(`"),
    ("[a", "missing closing ]: `[a`"),
    ("*", "missing argument to repetition operator: `*`"),
    ("a**", "invalid nested repetition operator: `**`"),
    ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    ("a)|(b", "unexpected ): `a)|(b`"),
]


@pytest.mark.parametrize(("query", "message"), [*TOKENS, *GRAMMAR, *TYPES])
def test_refused(query: str, message: str) -> None:
    where, what = message.split(": ", 1)
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert str(caught.value) == f"{where}: parse error: {what}"
    assert caught.value.kind == "bad_data"


@pytest.mark.parametrize(("regex", "message"), REGEXES)
def test_refused_regexes(regex: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(f"a{{b=~'{regex}'}}")
    assert str(caught.value) == f"1:3: parse error: error parsing regexp: {message}"


def test_positions_count_characters_and_columns_bytes() -> None:
    with pytest.raises(QueryError) as caught:
        parse("1 + 'é' b")
    assert caught.value.position == 8
    assert str(caught.value).startswith("1:10: ")


def test_refusals_in_prometheus_words(conformance: Callable[[str], Path]) -> None:
    for rule in json.loads(conformance("rules-corpus/rejected_by_prometheus.json").read_text()):
        with pytest.raises(QueryError) as caught:
            parse(rule["expr"])
        assert str(caught.value) == rule["prometheus_error"]
