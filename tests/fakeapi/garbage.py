"""Hypothesis strategies of requests that nobody would send on purpose."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Obj = dict[str, Any]
Path = tuple[str | int, ...]

JSON_PATCH = "application/json-patch+json"
PATCHES = (
    JSON_PATCH,
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)

# Texts that look like something, and what Python takes for digits, letters and numbers where Go does not.
TEXTS = (
    *("", " ", "a", "A", "a/b", "/", "..", "=", "a=b", ",", "*", "[", "(", "{{", "$(A)", '{"a"', "\n", "\0", "\ud800"),
    *("²", "٣", "１", "1_000", "0x10", "1e9", "-1", "9" * 5000, "NaN", "Infinity", "None", "true", "null"),
    *("1Gi", "100%", "²%", "-5%", "10.0.0.1", "::1", "http://", "2020-13-01T00:00:00Z", "0000-00-00T00:00:00Z"),
    *("x" * 300, "é" * 300, "name", "TCP", "Always", "RollingUpdate"),
)
NUMBERS = (0, -1, 1, 80, 70000, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e300)
KEYS = (
    *(
        "name",
        "key",
        "value",
        "type",
        "metadata",
        "spec",
        "status",
        "kind",
        "apiVersion",
        "items",
        "",
        ".",
        "f:a",
        "x/y",
    ),
    *(
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$deleteFromPrimitiveList/finalizers",
        "\0",
        "\ud800",
        "²",
    ),
)
scalars = st.sampled_from((None, True, False, *NUMBERS, *TEXTS))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: Path = ()) -> Iterator[Path]:
    """The path of every value inside."""
    yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield from places(below, (*at, key))


def at(value: Any, path: Path) -> Any:
    """What is at the path."""
    for key in path:
        value = value[key]
    return value


@st.composite
def mangled(draw: st.DrawFn, obj: Obj) -> Any:
    """The object with up to three values exchanged for others, or with fields or items that it should not have."""
    obj = copy.deepcopy(obj)
    for _ in range(draw(st.integers(0, 3))):
        inside = [path for path in places(obj) if path]
        if not inside:
            break
        path = draw(st.sampled_from(inside))
        holder, value = at(obj, path[:-1]), at(obj, path)
        if isinstance(value, dict) and draw(st.booleans()):
            value[draw(st.sampled_from(KEYS))] = draw(values)
        elif isinstance(value, list) and draw(st.booleans()):
            value += copy.deepcopy(value) or [draw(values)]
        else:
            holder[path[-1]] = draw(values)
    return obj


@st.composite
def excerpts(draw: st.DrawFn, obj: Obj) -> Any:
    """One value of a mangled object, at its place."""
    obj = draw(mangled(obj))
    path = draw(st.sampled_from(list(places(obj))))
    value = at(obj, path)
    for key in reversed(path):
        value = [value] if isinstance(key, int) else {key: value}
    return value


@st.composite
def pointers(draw: st.DrawFn, obj: Obj) -> str:
    """A JSON pointer into the object, or a bit beyond."""
    path = draw(st.sampled_from(list(places(obj))))
    text = "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)
    return text + draw(
        st.sampled_from(["", "", "", "/-", "/0", "/99", "/-1", "/01", "/a", "/~", "/~2", "/²", f"/{'9' * 5000}"])
    )


def operations(obj: Obj) -> st.SearchStrategy[Any]:
    """A JSON patch."""
    fields = {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "", None, 1]),
        "path": pointers(obj) | values,
    }
    more = {"value": values, "from": pointers(obj) | values, "more": values}
    return st.lists(st.fixed_dictionaries(fields, optional=more) | values, max_size=4)


def patch_bodies(obj: Obj, kind: str) -> st.SearchStrategy[bytes]:
    """The body of a patch of that type, now and then garbage."""
    if kind == JSON_PATCH:
        sense = operations(obj)
    elif kind.endswith("yaml"):
        sense = mangled(obj)
    else:
        sense = excerpts(obj)
    return st.one_of(sense.map(encoded), sense.map(encoded), values.map(encoded), st.binary(max_size=30))


def encoded(value: Any) -> bytes:
    """JSON text, lone surrogates as escapes."""
    return json.dumps(value).encode()
