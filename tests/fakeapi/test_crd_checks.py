"""What a CustomResourceDefinition may say: structure, defaults, conversion, selectable fields."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from fakeapi import gourl
from fakeapi.crds import checks, schemachecks

STRING = {"type": "string"}
EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}


def under_spec(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}}


def told(schema: dict[str, Any]) -> list[str]:
    """The errors of a schema, each with its path below the root."""
    return [str(error) for error in schemachecks.check(schema, "s", has_status=False)]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        # anyOf of integer and string is let pass with or without x-kubernetes-int-or-string
        (
            {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            ["s.properties[x].type: Required value: must not be empty for specified object fields"],
        ),
        ({"type": "object", "properties": {"a": STRING}, "anyOf": [{"additionalProperties": False}]}, []),
        (
            {"type": "object", "properties": {"a": STRING}, "anyOf": [{"additionalProperties": True}]},
            ["s.properties[x].anyOf[0].additionalProperties: Forbidden: must be undefined to be structural"],
        ),
        (
            {"type": "array", "items": STRING, "x-kubernetes-list-type": "bag"},
            [
                's.properties[x].x-kubernetes-list-type: Unsupported value: "bag":'
                ' supported values: "atomic", "set", "map"'
            ],
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "object", "x-kubernetes-map-type": "granular"},
            },
            [
                "s.properties[x].items.x-kubernetes-map-type: Invalid value: null:"
                " must be atomic as item of a list with x-kubernetes-list-type=set"
            ],
        ),
        ({"type": "object", "patternProperties": {}, "definitions": {}}, []),
        ({**STRING, "$schema": "x"}, ["s: Invalid value: \"\": OpenAPIV3Schema 'schema' is not supported"]),
        (
            {**STRING, "pattern": "(?<=a)b"},
            [
                's.properties[x].pattern: Invalid value: "(?<=a)b": must be a valid regular expression, but isn\'t:'
                " error parsing regexp: invalid named capture: `(?<=a)b`"
            ],
        ),
        # rules of a schema that upstream cannot make structural are not compiled
        (
            {**STRING, "id": "x", "x-kubernetes-validations": [{"rule": "nope"}]},
            ["s.properties[x].id: Forbidden: id is not supported"],
        ),
        (
            {**EMBEDDED, "default": {"kind": "A"}},
            ["s.properties[x].default.apiVersion: Required value"],
        ),
        ({**EMBEDDED, "default": {"kind": "A", "apiVersion": "v1"}}, []),
        (
            {**EMBEDDED, "properties": {"apiVersion": {"type": "string", "default": "a/b/c"}}},
            [
                's.properties[x].properties[apiVersion].default: Invalid value: "a/b/c": must result in valid metadata:'
                ' apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'
            ],
        ),
    ],
)
def test_schemas(schema: dict[str, Any], expected: list[str]) -> None:
    assert told(under_spec(schema)) == expected


def definition(*versions: dict[str, Any], established: bool = False, **spec: Any) -> dict[str, Any]:
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    condition = {"type": "Established", "status": str(established)}
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": names,
            "versions": list(versions),
            "conversion": {"strategy": "None"},
            **spec,
        },
        "status": {"storedVersions": [v["name"] for v in versions if v["storage"]], "conditions": [condition]},
    }


def version(name: str, **more: Any) -> dict[str, Any]:
    schema = {"openAPIV3Schema": under_spec(STRING)}
    return {"name": name, "served": True, "storage": name in ("v1", "V1"), "schema": schema, **more}


def fields(definition: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [e.field for e in (checks.create(definition) if old is None else checks.update(definition, old))]


def test_the_first_versions_name_is_looked_at_twice() -> None:
    assert fields(definition(version("V1"))) == ["spec.versions[0].name", "spec.version"]
    assert fields(definition(version("v1"), version("V2"))) == ["spec.versions[1].name"]


def test_selectable_fields_that_all_versions_have_need_a_schema_they_all_have() -> None:
    selectable = {"selectableFields": [{"jsonPath": ".x"}]}
    other = {"openAPIV3Schema": {**under_spec(STRING), "description": "another"}}
    assert fields(definition(version("v1", **selectable), version("v2", **selectable))) == []
    assert fields(definition(version("v1", **selectable), version("v2", **selectable, schema=other))) == [
        "spec.selectableFields"
    ]
    assert fields(definition(version("v1"), version("v2", **selectable, schema=other))) == []


@pytest.mark.parametrize(
    ("bundle", "text"),
    [
        (b"nonsense", "unable to load root certificates: unable to parse bytes as PEM block"),
        (
            b"-----BEGIN RSA KEY-----\nAAAA\n-----END RSA KEY-----\n",
            "unable to load root certificates: no valid certificate authority data seen",
        ),
    ],
)
def test_bad_certificates_are_refused_once_the_definition_is_established(bundle: bytes, text: str) -> None:
    client = {"url": "https://example.com/", "caBundle": b64encode(bundle).decode()}
    webhook = {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}
    new = definition(version("v1"), conversion=webhook)
    assert fields(new) == []
    assert fields(new, definition(version("v1"))) == []
    (error,) = checks.update(new, definition(version("v1"), established=True))
    assert (error.field, error.detail) == ("spec.conversion.webhookClientConfig.caBundle", text)
    assert fields(new, definition(version("v1"), established=True, conversion=webhook)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com:443/a%20b?c#d", ""),
        ("https://[::1", "missing ']' in host"),
        ("https://a b/", 'invalid character " " in host name'),
        ("https://a:x/", 'invalid port ":x" after host'),
        ("https://u p@a/", "net/url: invalid userinfo"),
        (":a", "missing protocol scheme"),
        ("1:b", "first path segment in URL cannot contain colon"),
        ("https://a/%zz", 'invalid URL escape "%zz"'),
        ("https://a/\x01", "net/url: invalid control character in URL"),
    ],
)
def test_what_go_says_of_urls(text: str, expected: str) -> None:
    assert gourl.problem(text).rpartition(": ")[2] == expected.rpartition(": ")[2]
    assert gourl.problem(text).endswith(expected)
