"""Does a value fit its type closely enough to be owned field by field?

A looser question than decoding asks: numbers are numbers, quantities and times are any scalar. The texts are
upstream's. Stands for structured-merge-diff's typed/validate.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fakeapi.gofmt import go_map, go_quote
from fakeapi.managedfields.elements import MAPPING, ItemError, child_type, element_type, item_element
from fakeapi.managedfields.fieldset import element_text
from fakeapi.schema.types import Type

_SCALARS = {"string": "string", "bytes": "string", "integer": "numeric", "number": "numeric", "boolean": "boolean"}
# What most scalars are, so that they need no closer look.
_FITTING = {"string": str, "bytes": str, "integer": int, "number": float, "boolean": bool}
_GO_TYPES = {"str": "string", "bool": "bool", "int": "int64", "float": "float64", "dict": "map[string]interface {}"}


def problems(value: Any, type: Type, *, duplicates: bool = False) -> str:
    """What is wrong, as one text; "" when nothing is. duplicates: equal keys in an associative list are accepted."""
    found = list(_problems(value, type, "", duplicates))
    return found[0] if len(found) == 1 else "\n".join(["errors:", *(f"  {text}" for text in found)]) if found else ""


def _problems(value: Any, type: Type, path: str, duplicates: bool) -> Iterator[str]:
    if value is None:
        return
    if type.kind == "any":
        if isinstance(value, (dict, list)):
            return
    elif type.kind in MAPPING:
        if isinstance(value, dict):
            yield from _in_map(value, type, path, duplicates)
        else:
            yield f"{_at(path)}expected map, got {_shown(value)}"
    elif type.kind == "list":
        if isinstance(value, list):
            yield from _in_list(value, type, path, duplicates)
        else:
            yield f"{_at(path)}expected list, got {_shown(value)}"
    else:
        yield from _in_scalar(value, _SCALARS.get(type.kind, ""), path)


def _in_map(value: dict[str, Any], type: Type, path: str, duplicates: bool) -> Iterator[str]:
    for name, item in value.items():
        below = child_type(type, name)
        if below is None:
            yield f"{path}.{name}: field not declared in schema"
            return
        if item.__class__ is not _FITTING.get(below.kind):
            yield from _problems(item, below, f"{path}.{name}", duplicates)


def _in_list(items: list[Any], type: Type, path: str, duplicates: bool) -> Iterator[str]:
    below = element_type(type)
    seen = set()
    for index, item in enumerate(items):
        if type.list_type == "atomic":
            yield from _problems(item, below, f"{path}[{index}]", duplicates)
            continue
        try:
            key = item_element(type, item)
        except ItemError as error:
            yield f"{_at(path)}element {index}: {error}"
            return
        if key in seen and not duplicates:
            yield f"{_at(path)}duplicate entries for key {element_text(key)}"
        seen.add(key)
        yield from _problems(item, below, path + element_text(key), duplicates)


def _in_scalar(value: Any, want: str, path: str) -> Iterator[str]:
    if want == "string":
        if not isinstance(value, str):
            yield f"{_at(path)}expected string, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}"
    elif want == "numeric":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{_at(path)}expected numeric (int or float), got {_go_type(value)}"
    elif want == "boolean":
        if not isinstance(value, bool):
            yield f"{_at(path)}expected boolean, got {_shown(value)}"
    elif isinstance(value, (dict, list)):
        yield f"{_at(path)}expected any scalar, got {_shown(value)}"


def _at(path: str) -> str:
    return f"{path}: " if path else ""


def _shown(value: Any) -> str:
    return f"&{{{go_map(value)}}}"


def _go_type(value: Any) -> str:
    return _GO_TYPES.get(value.__class__.__name__, "[]interface {}")


def _go_syntax(value: Any) -> str:
    """%#v."""
    if isinstance(value, dict):
        inside = ", ".join(f"{go_quote(k)}:{_go_syntax(value[k])}" for k in sorted(value))
        return f"map[string]interface {{}}{{{inside}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(_go_syntax, value))}}}"
    if isinstance(value, str):
        return go_quote(value)
    return "interface {}(nil)" if value is None else go_map(value)
