"""CEL's own libraries in the versions that Kubernetes has: numbers of several types, conversions, times, lists,
optionals, format().
"""

from __future__ import annotations

from typing import Any

import pytest

from fakeapi.cel import compilation, cost, environment
from fakeapi.cel.validation import Rules

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
NUMBERS = {"type": "array", "items": {"type": "integer"}, "maxItems": 10}
MIXED = {"type": "array", "items": {"x-kubernetes-int-or-string": True}}


def outcome(rule: str, schema: dict[str, Any], value: Any) -> str:
    """What a rule says of a value: "" for nothing, else the error's detail without the rule."""
    rules = Rules.of({**schema, "x-kubernetes-validations": [{"rule": rule}]}, False)
    assert rules is not None
    found, _ = rules.validate(value)
    return "; ".join(error.detail for error in found).replace(f" evaluating rule: {rule}", "")


@pytest.mark.parametrize(
    ("rule", "schema", "value"),
    [
        ("self < 3 && self >= 1u", NUMBER, 1),
        ("self.slice(0, 2) == [3, 1] && self.reverse() == [2, 1, 3]", NUMBERS, [3, 1, 2]),
        ("self.sort() == [1, 2, 3] && self.sortBy(x, -x) == [3, 2, 1]", NUMBERS, [3, 1, 2]),
        ("self.distinct() == [2, 1] && lists.range(3) == [0, 1, 2]", NUMBERS, [2, 1, 2]),
        ("[[1], [2, 3]].flatten() == [1, 2, 3]", NUMBERS, []),
        ("self.first().value() == 3 && self.last().value() == 2", NUMBERS, [3, 1, 2]),
        ("!self.first().hasValue() && !self.last().hasValue()", NUMBERS, []),
        ("optional.unwrap([optional.of(1), optional.none()]) == [1] && [optional.of(1)].unwrapOpt() == [1]", TEXT, ""),
        ("string(1000000.0) == '1e+06' && string(1.5) == '1.5' && string(0.00001) == '1e-05'", TEXT, ""),
        ("string(100.0) == '100' && string(-0.25) == '-0.25' && string(123456.5) == '123456.5'", TEXT, ""),
        ("string(duration('1h1ms')) == '3600.001s' && string(duration('1ns')) == '0.000000001s'", TEXT, ""),
        ("string(timestamp('2020-01-01T02:00:00.5+02:00')) == '2020-01-01T00:00:00.5Z'", TEXT, ""),
        ("timestamp('2020-01-01T00:00:00Z').getHours('-02:30') == 21", TEXT, ""),
        ("timestamp('2020-07-01T00:00:00Z').getHours('Europe/Berlin') == 2", TEXT, ""),
        ("duration('90m').getHours() == 1 && duration('1.5s').getMilliseconds() == 1500", TEXT, ""),
        ("'%s'.format([['a', 1.5, duration('1s'), b'x']]) == self", TEXT, '["a", 1.500000, duration("1s"), b"x"]'),
        ("'%s'.format([{'c': 'd', 'a': 1}]) == self", TEXT, '{"a":1, "c":"d"}'),
        ("'%.2f %%'.format([12345.678]) == self", TEXT, "12,345.68 %"),
        ("'%e'.format([0.001052]) == self", TEXT, "1.052000\u202f×\u202f10⁻⁰³"),
    ],
)
def test_rules_that_hold(rule: str, schema: dict[str, Any], value: Any) -> None:
    assert outcome(rule, schema, value) == ""


NO_OVERLOAD = "'no such overload': call arguments did not match a supported operator"


@pytest.mark.parametrize(
    ("rule", "schema", "value", "told"),
    [
        *(
            (f"{name}(self) == {name}(self)", TEXT, "x:", f"type conversion error from 'string' to '{kind}'")
            for name, kind in (
                *((name, name) for name in ("int", "uint", "double", "bool")),
                ("duration", "google.protobuf.Duration"),
                ("timestamp", "google.protobuf.Timestamp"),
            )
        ),
        ("int(self) > 0", TEXT, "9" * 5000, "type conversion error from 'string' to 'int'"),
        (
            "timestamp(self) > timestamp(0)",
            TEXT,
            "2020-13-01T00:00:00Z",
            "type conversion error from 'string' to 'google.protobuf.Timestamp'",
        ),
        ("timestamp(self.size() + 1000000000000) > timestamp(0)", TEXT, "", "timestamp overflow"),
        ("timestamp('9999-12-31T00:00:00Z') + duration(self) > timestamp(0)", TEXT, "48h", "timestamp overflow"),
        ("duration(self) + duration(self) > duration('1s')", TEXT, "2000000h", "duration overflow"),
        ("timestamp(0).getHours(self) > 0", TEXT, "Mars/X", "unknown time zone Mars/X"),
        ("timestamp(0).getHours(self) > 0", TEXT, "x:1", 'strconv.Atoi: parsing "x": invalid syntax'),
        (
            "self.slice(2, 1) == []",
            NUMBERS,
            [1],
            "cannot slice(2, 1), start index must be less than or equal to end index",
        ),
        ("self.slice(0, 9) == []", NUMBERS, [1], "cannot slice(0, 9), list is length 1"),
        ("self.slice(-1, 9) == []", NUMBERS, [1], "cannot slice(-1, 9), negative indexes not supported"),
        ("[[1]].flatten(-1) == []", NUMBERS, [1], "level must be non-negative"),
        ("self.sort() == []", MIXED, [1, "a"], "list elements must have the same type"),
        ("self.format([1]) == ''", TEXT, "%s %s", "index 1 out of range"),
        ("self.format([1]) == ''", TEXT, "%q", 'could not parse formatting clause: unrecognized formatting clause "q"'),
        (
            "self.format([1]) == ''",
            TEXT,
            "%f",
            "error during formatting: fixed-point clause can only be used on doubles, was given int",
        ),
        ("lists.range(self[0]).size() > 0", NUMBERS, [10**12], "'operation cancelled: actual cost limit exceeded'"),
        *(
            (rule, TEXT, "", NO_OVERLOAD)
            for rule in (
                "dyn(1) + dyn(1.5) > 2.0",
                "{dyn([1]): 2}.size() == 1",
                "{'a': 1}[dyn([1])] == 1",
                "int(dyn(true)) == 1",
                "string(dyn([1])) == ''",
            )
        ),
        ("'a'.reverse() == 'a'", TEXT, "", "no matching overload for 'reverse' applied to '(string)'"),
        ("self == 1", NUMBER, 1, "no matching overload for '_==_' applied to '(double, int)'"),
        ("sets.contains([1], ['a'])", TEXT, "", "no matching overload for 'sets.contains'"),
        ("cel.bind(x, 1, x) == 1", TEXT, "", "undeclared reference to 'cel'"),
    ],
)
def test_rules_that_fail(rule: str, schema: dict[str, Any], value: Any, told: str) -> None:
    assert told in outcome(rule, schema, value)


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ("self.reverse() == []", 33),
        ("self.slice(1, 3) == []", 25),
        ("self.sort() == []", 223),
        ("self.flatten(2) == []", 43),
        ("lists.range(1000) == []", 1022),
        ("sets.contains(self, [1, 2])", 32),
        ("sets.equivalent(self, self)", 203),
    ],
)
def test_what_lists_cost_at_most(rule: str, most: int) -> None:
    checked = compilation.expression(rule, environment.make(NUMBERS), "BOOL", "rule")
    assert cost.estimate(checked.node, NUMBERS) == most


def test_large_sets_compare_at_once() -> None:
    items = [f"item-{number}" for number in range(50_000)]
    schema = {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}
    rules = Rules.of(
        {**schema, "x-kubernetes-validations": [{"rule": "self == oldSelf && self + oldSelf == self"}]}, False
    )
    assert rules is not None
    assert rules.validate(items[::-1], items) == ([], [])
    keyed = [{"n": number} for number in range(20_000)]
    item = {"type": "object", "properties": {"n": {"type": "integer"}}}
    listed = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    rules = Rules.of({**listed, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}, False)
    assert rules is not None
    assert rules.validate(keyed[::-1], keyed) == ([], [])
