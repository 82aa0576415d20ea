"""Simple paths into a schema, such as `.spec.labels['a']`: of rules' fieldPath and of selectable fields.

Stands for ValidFieldPath in apiextensions' apiserver/schema/cel/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fakeapi.patterns import lazy

_TOKENS = lazy(r"'(?:\\.|[^'\\])*'|[.\[\]]|[^.\[\]]+")
_MISSING = "does not refer to a valid field"


class FieldPathError(ValueError):
    """The path leads nowhere; str() is upstream's message."""


def resolve(text: str, schema: Mapping[str, Any], *, arrays: bool = True) -> tuple[str, Mapping[str, Any]]:
    """(the path as a field error shows it, the schema it leads to). arrays: whether ['x'] may be written."""
    tokens = iter(_TOKENS.findall(text))
    shown = ""
    for token in tokens:
        if token == ".":
            name = next(tokens, None)
            if name is None:
                raise FieldPathError("unexpected end of JSON path")
        elif token == "[":
            if not arrays:
                raise FieldPathError("array notation is not allowed")
            name = _quoted(next(tokens, None))
        else:
            raise FieldPathError(f"expected [ or . but got: {token}")
        if schema.get("properties"):
            if name not in schema["properties"]:
                raise FieldPathError(_MISSING)
            schema, shown = schema["properties"][name], f"{shown}.{name}"
        elif isinstance(schema.get("additionalProperties"), Mapping):
            schema, shown = schema["additionalProperties"], f"{shown}[{name}]"
        else:
            raise FieldPathError(_MISSING)
        if token == "[":
            closing = next(tokens, None)
            if closing is None:
                raise FieldPathError("unexpected end of JSON path")
            if closing != "]":
                raise FieldPathError(f"expected ] but got {closing}")
    return shown.removeprefix("."), schema


def _quoted(token: str | None) -> str:
    if token is None:
        raise FieldPathError("unexpected end of JSON path")
    if len(token) < 2 or not (token.startswith("'") and token.endswith("'")):
        raise FieldPathError(f"expected single quoted string but got {token}")
    return re.sub(r"\\(.)", r"\1", token[1:-1])
