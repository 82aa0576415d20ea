"""Selectors: grammar, matching, canonical text and upstream's error texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeapi.selectors import (
    SelectorError,
    check_fields,
    format_label_selector,
    from_label_selector,
    from_map,
    parse_fields,
    parse_labels,
    refusal_text,
    selectable,
)

LABELS = {"app": "web", "n": "5", "e": ""}
NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
)
EXPECTED = "expected: in, notin, =, ==, !=, gt, lt"


@pytest.mark.parametrize(
    ("text", "canonical", "matches"),
    [
        ("", "", True),
        ("app=web", "app=web", True),
        ("app==web", "app==web", True),
        ("app!=web", "app!=web", False),
        ("zz!=web", "zz!=web", True),
        ("app in (db, web)", "app in (db,web)", True),
        ("app notin (db,web,)", "app notin (,db,web)", False),
        ("zz notin (a)", "zz notin (a)", True),
        ("zz in ()", "zz in ()", False),
        ("e in ()", "e in ()", True),
        ("e in (,a)", "e in (,a)", True),
        ("app", "app", True),
        ("!app", "!app", False),
        ("!app=ignored", None, False),
        ("! zz", "!zz", True),
        ("n>4,n<6", "n>4,n<6", True),
        ("n>5", "n>5", False),
        ("app>1", "app>1", False),
        ("e=", "e=", True),
        ("n=5, app = web", "app=web,n=5", True),
        ("app=web,app=db", "app=web,app=db", False),
        ("in in (in),notin=in", "in in (in),notin=in", False),
        ("example.com/a!=b", "example.com/a!=b", True),
    ],
)
def test_labels(text: str, canonical: str | None, matches: bool) -> None:
    if canonical is None:
        with pytest.raises(SelectorError, match="found '=', expected: ',' or 'end of string'"):
            parse_labels(text)
        return
    selector = parse_labels(text)
    assert str(selector) == canonical
    assert selector.matches(LABELS) is matches
    assert selector.empty is (text == "")
    assert parse_labels(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a b", f"unable to parse requirement: found 'b', {EXPECTED}"),
        ("a~b c", f'unable to parse requirement: <nil>: Invalid value: "a~b": {NAME}'),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in", "unable to parse requirement: found '' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
        ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value"),
        ("a=-b-", 'unable to parse requirement: values[0][a]: Invalid value: "-b-": a valid label must be an empty'),
        (
            "a=" + "x" * 64,
            f'unable to parse requirement: values[0][a]: Invalid value: "{"x" * 64}": must be no more than',
        ),
    ],
)
def test_label_errors(text: str, error: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_labels(text)
    assert str(caught.value).startswith(error)


@given(st.text(alphabet="ab=!(),<>in not\\\0é", max_size=20))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for parse in (parse_labels, parse_fields):
        try:
            selector = parse(text)
        except SelectorError:
            continue
        assert parse(str(selector)) == selector


FIELDS = {"metadata.name": "a", "spec.x": "p,q=r\\"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a", True),
        ("metadata.name!=a", False),
        ("metadata.name=a,metadata.name=b", False),
        (r"spec.x=p\,q\=r\\", True),
        ("status.none=", True),
        ("status.none!=", False),
        (",metadata.name=a,", True),
    ],
)
def test_fields(text: str, matches: bool) -> None:
    selector = parse_fields(text)
    assert selector.matches(FIELDS) is matches
    assert parse_fields(str(selector)) == selector


def test_exact_fields() -> None:
    selector = parse_fields("metadata.name=a,spec.x!=b")
    assert (selector.exact("metadata.name"), selector.exact("spec.x")) == ("a", None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("metadata.name in (a,b)", "invalid selector: 'metadata.name in (a,b)'; can't understand 'b)'"),
        (r"metadata.name=a\x", r"invalid field selector: invalid escape sequence: \x"),
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_field_errors(text: str, error: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_fields(text)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("group", "kind", "own", "error"),
    [
        ("", "ConfigMap", False, '"spec.y" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("", "Pod", True, "field label not supported: spec.y"),
        ("batch", "Job", True, 'field label "spec.y" not supported for Job'),
        (
            "resource.k8s.io",
            "ResourceSlice",
            True,
            "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.y",
        ),
    ],
)
def test_unsupported_fields(group: str, kind: str, own: bool, error: str) -> None:
    selector = parse_fields("metadata.name=a,spec.y=1")
    check_fields(selector, {"metadata.name", "spec.y"}, "")
    with pytest.raises(SelectorError) as caught:
        check_fields(selector, {"metadata.name"}, refusal_text(group, kind, own))
    assert str(caught.value) == error


def test_cluster_scoped_kinds_with_fields_of_their_own_have_no_namespace() -> None:
    assert selectable("", "Node", ["spec.unschedulable"]) == {"metadata.name", "spec.unschedulable"}
    assert selectable("rbac.authorization.k8s.io", "ClusterRole", ()) == {"metadata.name", "metadata.namespace"}


@pytest.mark.parametrize(
    ("selector", "text", "matches"),
    [
        (None, "<none>", False),
        ({}, "<none>", True),
        ({"matchLabels": {"n": "5", "app": "web"}}, "app=web,n=5", True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, "app in (db,web)", True),
        ({"matchExpressions": [{"key": "zz", "operator": "NotIn", "values": ["b"]}]}, "zz notin (b)", True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, "!app", False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}], "matchLabels": {"app": "x"}}, "app=x,app", False),
        ({"matchExpressions": [{"key": "app", "operator": "Nope"}]}, "<error>", None),
        ({"matchExpressions": [{"key": "app", "operator": "In"}]}, "<error>", None),
    ],
)
def test_label_selector_objects(selector: dict[str, Any] | None, text: str, matches: bool | None) -> None:
    assert format_label_selector(selector) == text
    if matches is None:
        with pytest.raises(SelectorError):
            from_label_selector(selector)
    else:
        assert from_label_selector(selector).matches(LABELS) is matches


def test_maps() -> None:
    assert from_map({"app": "web"}).matches(LABELS)
    assert not from_map({"app": "web", "b": "c"}).matches(LABELS)
    assert str(from_map({"b": "c", "a": "d"})) == "a=d,b=c"
