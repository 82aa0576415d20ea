"""CEL: what expressions compile to, evaluate to and cost."""

from __future__ import annotations

from typing import Any

import pytest

from fakeapi.cel import compilation, cost, environment
from fakeapi.cel.validation import Rules

OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b-c": {"type": "string"}, "d": {"type": "string", "format": "date-time"}},
}
STRINGS = {"type": "array", "items": {"type": "string"}}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def outcome(rule: str, schema: dict[str, Any], value: Any, old: Any = None, **more: Any) -> str:
    """What a rule says of a value: "" for nothing, else the error's detail."""
    ruled = {**schema, "x-kubernetes-validations": [{"rule": rule, **more}]}
    rules = Rules.of(ruled, False)
    assert rules is not None
    found, _ = rules.validate(value, old) if old is not None else rules.validate(value)
    return "; ".join(error.detail for error in found)


@pytest.mark.parametrize(
    ("rule", "schema", "value"),
    [
        ("self > 2", {"type": "integer"}, 3),
        ("self.all(e, e.size() > 1) && self.exists_one(e, e == 'ab')", STRINGS, ["ab", "cd"]),
        ("self == ['b', 'a']", {**STRINGS, "x-kubernetes-list-type": "set"}, ["a", "b"]),
        ("has(self.a) && !has(self.d) && self.b__dash__c == 'x'", OBJECT, {"a": 1, "b-c": "x"}),
        ("self.d > timestamp('2020-01-01T00:00:00Z')", OBJECT, {"d": "2020-01-01T00:00:01Z"}),
        ("self.?a.orValue(7) == 7", OBJECT, {}),
        ("quantity(self).add(quantity('500m')) == quantity('1')", {"type": "string"}, "500m"),
        ("ip(self).family() == 6 && !isIP('::ffff:1.2.3.4')", {"type": "string"}, "::1"),
        ("cidr(self).containsCIDR('10.1.0.0/16')", {"type": "string"}, "10.0.0.0/8"),
        ("url(self).getHostname() == '::1' && url(self).getPort() == '80'", {"type": "string"}, "http://[::1]:80/"),
        ("semver(self).isLessThan(semver('1.0.0'))", {"type": "string"}, "1.0.0-rc.1"),
        ("format.dns1123Label().validate(self).hasValue()", {"type": "string"}, "A"),
        ("'%s-%d'.format([self, 3]) == 'x-3'", {"type": "string"}, "x"),
        ("self.map(e, e + '!').join(',') == 'a!,b!'", STRINGS, ["a", "b"]),
        ("[3, 1, 2].max() == 3 && [1, 2].sum() == 3 && self.isSorted()", STRINGS, ["a", "b"]),
        ("self in [1, 2] ? true : 1 / 0 == 0", {"type": "integer"}, 2),
        ("true || 1 / 0 == 0", {"type": "integer"}, 2),
        ("'%s %d %.1f %x'.format(['a', 1, 1.0, b'a']) == 'a 1 1.0 61'", OBJECT, {}),
        ("[dyn(1), 'a'].size() == 2 && [[], [1]].size() == 2", OBJECT, {}),
        ("type(self) == string", {"x-kubernetes-int-or-string": True}, "x"),
        ("self.all(i, v, i < 1 || v == 'b') && self.exists(i, v, i == 1 && v == 'b')", STRINGS, ["a", "b"]),
        ("self.existsOne(i, v, v == 'b') && !self.existsOne(i, v, i >= 0)", STRINGS, ["a", "b"]),
        ("self.transformList(i, v, v + string(i)) == ['a0', 'b1']", STRINGS, ["a", "b"]),
        ("self.transformList(i, v, i > 0, v) == ['b']", STRINGS, ["a", "b"]),
        ("self.transformMap(k, v, v + k) == {'a': 'xa', 'b': 'yb'}", TEXTS, {"a": "x", "b": "y"}),
        ("self.transformMap(k, v, k != 'a', v) == {'b': 'y'}", TEXTS, {"a": "x", "b": "y"}),
        ("self.transformMapEntry(k, v, {v: k}) == {'x': 'a', 'y': 'b'}", TEXTS, {"a": "x", "b": "y"}),
        ("self.all(k, v, k < v)", TEXTS, {"a": "x", "b": "y"}),
    ],
)
def test_rules_that_hold(rule: str, schema: dict[str, Any], value: Any) -> None:
    assert outcome(rule, schema, value) == ""


@pytest.mark.parametrize(
    ("rule", "schema", "value", "detail"),
    [
        ("self > 2", {"type": "integer"}, 1, "failed rule: self > 2"),
        (
            "self['k'] == 'v'",
            {"type": "object", "additionalProperties": {"type": "string"}},
            {},
            "no such key: k evaluating rule: self['k'] == 'v'",
        ),
        ("self[1] == 'a'", STRINGS, ["a"], "index out of bounds: 1 evaluating rule: self[1] == 'a'"),
        (
            "self.transformMapEntry(k, v, {v: k}).size() == 2",
            TEXTS,
            {"a": "x", "b": "x"},
            "insert failed: key x already exists evaluating rule: self.transformMapEntry(k, v, {v: k}).size() == 2",
        ),
        ("1 / self == 1", {"type": "integer"}, 0, "division by zero evaluating rule: 1 / self == 1"),
    ],
)
def test_rules_that_fail(rule: str, schema: dict[str, Any], value: Any, detail: str) -> None:
    assert outcome(rule, schema, value) == detail


def test_transition_rules_wait_for_an_old_value() -> None:
    schema = {"type": "integer"}
    assert outcome("self >= oldSelf", schema, 1) == ""
    assert outcome("self >= oldSelf", schema, 1, 2) == "failed rule: self >= oldSelf"
    optional = "oldSelf.hasValue() ? self > oldSelf.value() : self == 1"
    assert outcome(optional, schema, 1, optionalOldSelf=True) == ""
    assert outcome(optional, schema, 2, 2, optionalOldSelf=True) == f"failed rule: {optional}"


def test_what_was_wrong_before_is_a_warning() -> None:
    rules = Rules.of({"type": "integer", "x-kubernetes-validations": [{"rule": "self > 5"}]}, False)
    assert rules is not None
    assert rules.validate(1, 1, "spec.x") == ([], ["spec.x: Invalid value: 1: failed rule: self > 5"])


@pytest.mark.parametrize(
    ("rule", "schema", "text"),
    [
        ("self.nope == 1", OBJECT, "ERROR: <input>:1:5: undefined field 'nope'\n | self.nope == 1\n | ....^"),
        (
            "self == 'a'",
            {"type": "integer"},
            "ERROR: <input>:1:6: found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            "self.matches('(')",
            {"type": "string"},
            "ERROR: <input>:1:14: invalid matches argument\n | self.matches('(')\n | .............^",
        ),
        ("self[0].q", {"type": "array", "items": OBJECT}, "undefined field 'q'"),
        ("self + 1", {"type": "integer"}, "cel expression must evaluate to a bool"),
        ("[1, 'a'].size() == 2", OBJECT, "ERROR: <input>:1:5: expected type 'int' but found 'string'"),
        ("{'a': 1, 'b': true}.size() == 2", OBJECT, "ERROR: <input>:1:15: expected type 'int' but found 'bool'"),
        ("self.d == 'x'", OBJECT, "applied to '(timestamp, string)'"),
        (
            "a . b.c == 1",
            OBJECT,
            "ERROR: <input>:1:1: undeclared reference to 'a' (in container '')\n | a . b.c == 1\n | ^",
        ),
        ("self.a == x .y", OBJECT, "ERROR: <input>:1:11: undeclared reference to 'x' (in container '')"),
        # what is wrong is told from left to right
        (
            "self.a.all(x)",
            OBJECT,
            "ERROR: <input>:1:11: undeclared reference to 'all' (in container '')\n | self.a.all(x)\n | ..........^\n"
            "ERROR: <input>:1:12: undeclared reference to 'x'",
        ),
        ("'%d'.format([self.d]) == ''", OBJECT, "decimal clause can only be used on integers, was given google."),
        ("'%s'.format([quantity('1')]) == ''", OBJECT, "timestamps, was given kubernetes.Quantity"),
        ("'%.2q'.format([1]) == ''", OBJECT, 'could not parse formatting clause: unrecognized formatting clause "q"'),
        ("'%s %s'.format(['a']) == ''", OBJECT, "ERROR: <input>:1:15: index 1 out of range"),
        ("'a'.format([1]) == ''", OBJECT, "too many arguments supplied to string.format (expected 0, got 1)"),
        ("'%s%'.format([1]) == ''", OBJECT, "unexpected end of string"),
    ],
)
def test_rules_that_do_not_compile(rule: str, schema: dict[str, Any], text: str) -> None:
    with pytest.raises(compilation.CompileError) as caught:
        compilation.expression(rule, environment.make(schema, False, rule), "BOOL", "rule")
    assert text in str(caught.value)


def test_cost_grows_with_what_the_schema_allows() -> None:
    rule = "self.all(e, e.size() > 1)"
    bounded = {**STRINGS, "maxItems": 10}
    node = compilation.expression(rule, environment.make(STRINGS), "BOOL", "rule").node
    assert cost.estimate(node, bounded) < 100 < compilation.EXPRESSION_LIMIT
    nested = {"type": "array", "items": STRINGS}
    twice = compilation.expression("self.all(a, a.all(b, b == 'x'))", environment.make(nested), "BOOL", "rule").node
    assert cost.estimate(twice, nested) > compilation.EXPRESSION_LIMIT


@pytest.mark.parametrize(
    ("name", "escaped"), [("a.b", "a__dot__b"), ("in", "__in__"), ("a__b", "a__underscores__b"), ("1a", "")]
)
def test_names_are_escaped(name: str, escaped: str) -> None:
    assert environment.escape(name) == escaped


def price(rule: str, schema: dict[str, Any], value: Any) -> int:
    """What evaluating a rule costs."""
    ruled = {**schema, "x-kubernetes-validations": [{"rule": rule}]}
    (own,) = Rules(ruled)._own
    assert own.program is not None
    own.program({"self": value})
    return own.program.spent


@pytest.mark.parametrize(
    ("rule", "schema", "value", "cost"),
    [
        ("true", OBJECT, {}, 0),
        ("self == 1", {"type": "integer"}, 1, 2),
        ("self.a < 3", OBJECT, {"a": 1}, 3),
        ("self == 'x'", {"type": "string"}, "a" * 100, 2),
        ("self == self", {"type": "string"}, "a" * 100, 12),
        ("self.contains('0123456789a')", {"type": "string"}, "a" * 100, 21),
        ("self.startsWith('0123456789a')", {"type": "string"}, "", 3),
        ("self.matches('abcde')", {"type": "string"}, "a" * 99, 21),
        ("(self + 'x') != ''", {"type": "string"}, "a" * 99, 11),
        ("self.size() == 2", STRINGS, ["a", "b"], 3),
        ("'x' in self", STRINGS, ["a", "b", "c"], 4),
        ("[1, 2].size() == 2", OBJECT, {}, 12),
        ("{'a': 1}.size() == 1", OBJECT, {}, 32),
        # A loop pays for its condition, its step and what it reads: here 2 and 5 for each of two items.
        ("self.all(e, e != 'x')", STRINGS, ["a", "b"], 1 + 2 * (2 + 3) + 1),
        ("true || self.all(e, e == 'x')", STRINGS, ["a", "b"], 0),
        ("true ? true : self == 'x'", {"type": "string"}, "a", 0),
    ],
)
def test_what_running_costs(rule: str, schema: dict[str, Any], value: Any, cost: int) -> None:
    assert price(rule, schema, value) == cost


# The product of what two walks over it cost.
DEAR, LONG = "self.contains(self)", "a" * 20_000


def test_an_expensive_rule_is_ended_and_nothing_follows() -> None:
    ruled = {"type": "string", "x-kubernetes-validations": [{"rule": DEAR}, {"rule": "false"}]}
    rules = Rules.of(ruled, False)
    assert rules is not None
    found, _ = rules.validate(LONG)
    assert [error.detail for error in found] == [
        "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost "
        f"exceeds limit for rule: {DEAR}"
    ]


def test_the_rules_of_an_object_share_a_budget() -> None:
    ruled = {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 0"}]}
    rules = Rules.of({"type": "array", "items": ruled}, False)
    assert rules is not None
    assert rules.validate([1] * 12, budget=25)[0] == []
    told = "validation failed due to running out of cost budget, no further validation rules will be run"
    (error,) = rules.validate([1] * 20, budget=25)[0]
    assert (error.field, error.detail) == ("[12]", told)
    (error,) = rules.validate([1] * 20, budget=24)[0]
    assert (error.field, error.detail) == ("[12]", told)


def test_a_message_that_costs_too_much_is_the_last_word() -> None:
    rule = {"rule": "false", "messageExpression": f"string({DEAR})"}
    rules = Rules.of({"type": "string", "x-kubernetes-validations": [rule, rule]}, False)
    assert rules is not None
    found, _ = rules.validate(LONG)
    assert [error.detail for error in found] == [
        "no further validation rules will be run due to call cost exceeds limit for messageExpression: "
        f'"string({DEAR})"'
    ]
