"""Values against structural schemas; formats; JSONPath."""

from __future__ import annotations

from typing import Any

import pytest

from fakeapi import jsonpath
from fakeapi.schema import formats, patterns, validation


def found(schema: dict[str, Any], value: Any, old: Any = validation.NOTHING) -> list[str]:
    """The errors of spec.x."""
    whole = {"type": "object", "properties": {"x": schema}}
    before = {"x": old} if old is not validation.NOTHING else old
    return [str(error) for error in validation.validate(validation.compile(whole), {"x": value}, before)]


@pytest.mark.parametrize(
    ("schema", "value", "texts"),
    [
        ({"type": "string"}, 5, ['x: Invalid value: "integer": x in body must be of type string: "integer"']),
        ({"type": "string", "nullable": True}, None, []),
        ({"type": "number"}, 5, []),
        ({"type": "integer", "minimum": 3}, 2, ["x: Invalid value: 2: x in body should be greater than or equal to 3"]),
        ({"type": "number", "multipleOf": 0.5}, 0.7, ["x: Invalid value: 0.7: x in body should be a multiple of 0.5"]),
        ({"type": "string", "maxLength": 2}, "éé", []),
        (
            {"type": "string", "format": "ipv4"},
            "::1",
            ['x: Invalid value: "::1": x in body must be of type ipv4: "::1"'],
        ),
        ({"type": "string", "format": "no-such"}, "::1", []),
        (
            {"x-kubernetes-int-or-string": True},
            True,
            ['x: Invalid value: "boolean": x in body must be of type integer,string: "boolean"'],
        ),
        ({"type": "object", "required": ["a"]}, {}, ["x.a: Required value"]),
        (
            {"type": "string", "not": {"enum": ["root"]}},
            "root",
            ['<nil>: Invalid value: "": "x" must not validate the schema (not)'],
        ),
        (
            {"type": "string", "anyOf": [{"pattern": "^a"}, {"pattern": "z$"}]},
            "b",
            [
                '<nil>: Invalid value: "": "x" must validate at least one schema (anyOf)',
                "x: Invalid value: \"b\": x in body should match '^a'",
            ],
        ),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", "b"],
            ["x: Too many: 2: must have at most 1 item"],
        ),
    ],
)
def test_keywords(schema: dict[str, Any], value: Any, texts: list[str]) -> None:
    assert found(schema, value) == texts


def test_supported_values_are_quoted() -> None:
    schema = {"type": "object", "enum": [{"a": "b"}], "x-kubernetes-preserve-unknown-fields": True}
    assert found(schema, {}) == ['x: Unsupported value: {}: supported values: "{\\"a\\":\\"b\\"}"']


def test_what_has_not_changed_is_let_pass() -> None:
    schema = {"type": "integer", "minimum": 5}
    assert found(schema, 1, 1) == []
    assert found(schema, 2, 1) != []


def test_items_of_map_lists_are_compared_by_key() -> None:
    item = {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer", "minimum": 5}}}
    schema = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    assert found(schema, [{"k": "b", "v": 2}, {"k": "a", "v": 1}], [{"k": "a", "v": 1}, {"k": "b", "v": 2}]) == []
    assert len(found(schema, [{"k": "b", "v": 2}], [{"k": "b", "v": 3}])) == 1


def test_duplicates_in_sets_and_maps() -> None:
    sets = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    assert [str(e) for e in validation.list_types(sets, ["a", "b", "a", "a"], "x")] == ['x[2]: Duplicate value: "a"']


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("hostname", "a.example.com", "-bad-"),
        ("uri", "https://a/b?c", "no scheme"),
        ("email", "a@b.c", "nobody"),
        ("mac", "00:11:22:33:44:55", "zz:zz"),
        ("creditcard", "4111 1111 1111 1111", "1"),
        ("isbn", "0321751043", "123"),
        ("duration", "22 ns", "x"),
        ("date", "2024-02-29", "2023-02-29"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("byte", "YWJj", "not base64!"),
        ("cidr", "10.0.0.1/8", "10.0.0.0/33"),
        ("cidr", "010.0.0.1/8", "10.0.0.0"),
        ("ipv4", "::ffff:010.1.1.1", "::1"),
        ("ipv6", "::ffff:1.2.3.4", "fe80::1%eth0"),
        ("datetime", "2020-01-01t00:00:00.5+01:00", "2020-01-01T00:00:00"),
        ("datetime", "2020-01-01T23:59:59Z", "2020-01-01 00:00:00Z"),
        ("duration", "P1D", "1 parsec"),
        ("duration", "-1.5h", "1.5"),
        ("duration", "about 2 Weeks", ""),
        ("hostname", "münchen.example", "a.b1"),
        ("byte", "YQ==", ""),
        ("ssn", "111-11-1111", "111111111"),
        ("uri", "mailto:a", "a b"),
        ("date", "2024-01-31", "2024-01-31\n"),
    ],
)
def test_formats(name: str, good: str, bad: str) -> None:
    assert formats.FORMATS[name](good)
    assert not formats.FORMATS[name](bad)


def test_bad_patterns_in_gos_words() -> None:
    assert patterns.problem("^(?!foo)") == "error parsing regexp: invalid or unsupported Perl syntax: `(?!`"
    assert patterns.problem("^a+$") == ""


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".a.b", [1]),
        (".zz.b", []),
        (".l[1].n", ["y"]),
        (".l[-1].n", ["y"]),
        (".l[*].n", ["x", "y"]),
        ('.l[?(@.t=="R")].n', ["y"]),
        (".m['a.b/c']", [2]),
        (r".m.a\.b/c", [2]),
        ("..n", ["x", "y"]),
    ],
)
def test_json_paths(path: str, values: list[Any]) -> None:
    obj = {"a": {"b": 1}, "l": [{"n": "x", "t": "Q"}, {"n": "y", "t": "R"}], "m": {"a.b/c": 2}}
    assert jsonpath.compile(path).find(obj) == values
