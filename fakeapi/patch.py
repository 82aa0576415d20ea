"""JSON patches and merge patches: reading their bodies and applying them to a JSON document.

Stands for the JSON half of apiserver's handlers/patch.go and for evanphx/json-patch v4, whose leniencies clients see:
a `replace` of a missing key, a `copy` from one and an `add` without a value are accepted, indices may be negative, a
path's text before the first "/" is ignored, and `test` compares numbers as written. They touch every operation, so
the operations are written here and only the decoding of pointers comes from the jsonpointer library. Strategic merge
patches are strategicmerge.py's; decoding the result is the schema package's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonpointer
import orjson

from fakeapi import errors
from fakeapi.gojson import JsonError, check_depth, kind_of, parse
from fakeapi.patterns import lazy
from fakeapi.plain import copied
from fakeapi.schema.types import Type

Obj = dict[str, Any]

MAX_OPERATIONS = 10_000
MAX_COPIED = 3 * 1024 * 1024  # bytes that all `copy` operations of a patch may add

_INDEX = lazy(r"[+-]?0*[0-9]{1,18}\Z")
_TEXT_MEMBERS = ("op", "path", "from")


class _Refused(Exception):
    """An operation that does not apply; clients are not told which."""


def rejected() -> errors.ApiError:
    """422 as upstream answers patches that it could read and not carry out."""
    text = "the server rejected our request due to an error in our request"
    return errors.generic(422, "Invalid", text, {})


def read_object(body: bytes, *, prefix: str = "error decoding patch: ") -> Obj:
    """The body of a merge patch or, with prefix "", of a strategic one; null is {}. ApiError 400: no JSON object."""
    try:
        value = parse(body)
    except JsonError as error:
        raise errors.bad_request(f"{prefix}{error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise errors.bad_request(
            f"{prefix}json: cannot unmarshal {kind_of(value)} into Go value of type map[string]interface {{}}"
        )
    return value


def json_patch(doc: Obj, body: bytes, *, validating: bool = True) -> Any:
    """The document after the operations in body; doc stays as it is.

    validating: fieldValidation is Warn or Strict, which words the errors of a bad body otherwise. ApiError: 400 for a
    body that is no JSON patch, 413 for more than MAX_OPERATIONS, 422 for an operation that does not apply."""
    operations = _read_operations(body, validating)
    if len(operations) > MAX_OPERATIONS:
        text = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise errors.too_large(f"Request entity too large: {text}")
    out = copied(doc)
    opened: list[Obj] = [out]
    document = _Document(out, opened)
    try:
        for operation in operations:
            name = (operation or {}).get("op")
            apply = _OPERATIONS.get(name) if isinstance(name, str) else None
            if apply is None:
                raise _Refused
            apply(document, operation)
        check_depth(document.root)
    except (_Refused, JsonError):
        raise rejected() from None
    for level in opened:
        _sort(level)
    return document.root


def in_go_order(value: Any, type: Type) -> Any:
    """The value as Go encodes it before a patch: fields of structs in their order, other keys sorted.

    A refusal shows a patched document in that order, but for the levels that the patch went through (sorted)."""
    if isinstance(value, list):
        return [in_go_order(item, type.element or type) for item in value]
    if not isinstance(value, dict):
        return value
    fields = type.fields if type.name else {}
    first = [name for name in fields if name in value]
    rest = sorted(name for name in value if name not in fields)
    below = type.element or type
    return {name: in_go_order(value[name], fields.get(name, below)) for name in (*first, *rest)}


def unknown_members(body: bytes) -> list[str]:
    """What strict decoding says of members that operations do not have: `json patch unknown field "[0].x"`."""
    operations = parse(body) or []
    return [
        f'json patch unknown field "[{index}].{name}"'
        for index, operation in enumerate(operations)
        for name in (operation or {})
        if name not in (*_TEXT_MEMBERS, "value")
    ]


def _read_operations(body: bytes, validating: bool) -> list[Any]:
    prefix, whole, item = (
        ("error decoding patch: ", "[]handlers.jsonPatchOp", "handlers.jsonPatchOp")
        if validating
        else ("", "jsonpatch.Patch", "jsonpatch.Operation")
    )
    try:
        operations = parse(body)
    except JsonError as error:
        raise errors.bad_request(f"{prefix}{error}") from None
    if operations is None:
        return []
    if not isinstance(operations, list):
        raise errors.bad_request(f"{prefix}json: cannot unmarshal {kind_of(operations)} into Go value of type {whole}")
    for operation in operations:
        if operation is None:
            continue
        if not isinstance(operation, dict):
            raise errors.bad_request(
                f"{prefix}json: cannot unmarshal {kind_of(operation)} into Go value of type {item}"
            )
        for name in _TEXT_MEMBERS if validating else ():
            value = operation.get(name)
            if value is not None and not isinstance(value, str):
                where = f"Go struct field jsonPatchOp.{name} of type string"
                raise errors.bad_request(f"{prefix}json: cannot unmarshal {kind_of(value)} into {where}")
    return operations


class _Document:
    """The document in work, and the objects in it that operations have gone through."""

    def __init__(self, root: Any, opened: list[Obj]) -> None:
        self.root = root
        self.opened = opened
        self.copied = 0


def _sort(level: Obj) -> None:
    items = sorted(level.items())
    level.clear()
    level.update(items)


def _target(doc: _Document, operation: Obj, member: str = "path") -> tuple[Any, str]:
    """The container a pointer leads into, and the key in it."""
    path = operation.get(member)
    if not isinstance(path, str):
        raise _Refused
    parts = path.split("/")
    if len(parts) < 2:
        raise _Refused
    *parents, key = map(jsonpointer.unescape, parts[1:])
    container: Any = doc.root
    for parent in parents:
        container = _get(container, parent)
        if not isinstance(container, (dict, list)):
            raise _Refused
        if isinstance(container, dict):
            doc.opened.append(container)
    return container, key


def _index(items: list[Any], key: str, size: int) -> int:
    """An array index below size; negative ones count from the end."""
    if not _INDEX.match(key):
        raise _Refused
    index = int(key)
    if not -size <= index < size:
        raise _Refused
    return index + size if index < 0 else index


def _get(container: Any, key: str) -> Any:
    """The value there; a missing member of an object is null."""
    if isinstance(container, dict):
        return container.get(key)
    return container[_index(container, key, len(container))]


def _put(container: Any, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        container.insert(_index(container, key, len(container) + 1), value)


def _take(container: Any, key: str) -> Any:
    if isinstance(container, dict):
        if key not in container:
            raise _Refused
        return container.pop(key)
    return container.pop(_index(container, key, len(container)))


def _add(doc: _Document, operation: Obj) -> None:
    _put(*_target(doc, operation), operation.get("value"))


def _remove(doc: _Document, operation: Obj) -> None:
    _take(*_target(doc, operation))


def _replace(doc: _Document, operation: Obj) -> None:
    if operation.get("path") == "":
        _replace_all(doc, operation.get("value"))
        return
    container, key = _target(doc, operation)
    if isinstance(container, list):
        container[_index(container, key, len(container))] = operation.get("value")
    else:
        container[key] = operation.get("value")


def _replace_all(doc: _Document, value: Any) -> None:
    """A `replace` of the path "": the whole document."""
    if not isinstance(value, (dict, list)):
        raise _Refused
    doc.root = value
    if isinstance(value, dict):
        doc.opened.append(value)


def _move(doc: _Document, operation: Obj) -> None:
    value = _take(*_target(doc, operation, "from"))
    _put(*_target(doc, operation), value)


def _copy(doc: _Document, operation: Obj) -> None:
    value = _get(*_target(doc, operation, "from"))
    try:
        doc.copied += len(orjson.dumps(value))
    except TypeError:  # too deep
        raise _Refused from None
    if doc.copied > MAX_COPIED:
        raise _Refused
    value = copied(value)
    _put(*_target(doc, operation), value)


def _test(doc: _Document, operation: Obj) -> None:
    found = doc.root if operation.get("path") == "" else _get(*_target(doc, operation))
    if not _same(found, operation.get("value")):
        raise _Refused


def _same(a: Any, b: Any) -> bool:
    """Equal as written: 1 is not 1.0."""
    if a.__class__ is not b.__class__:
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


_OPERATIONS: dict[str, Callable[[_Document, Obj], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def merge_patch(doc: Obj, body: bytes, *, validating: bool = True) -> Obj:
    """The document after an RFC 7386 merge patch; doc stays as it is. ApiError 400: the body is no JSON object."""
    if not validating:
        try:
            patch = parse(body)
        except JsonError:
            patch = None
    else:
        patch = read_object(body) if body.strip() != b"null" else None
    if not isinstance(patch, dict):
        raise errors.bad_request("Invalid JSON Patch")
    merged: Obj = merge_values(doc, patch)
    return merged


def merge_values(doc: Any, patch: Any) -> Any:
    """RFC 7386's MergePatch on values; the result shares parts with both. Keys of what is merged come out sorted.

    Beyond the standard, nulls in the objects of a list go too, unless an object stood in the list's place."""
    if not isinstance(patch, dict):
        return _without_nulls(patch) if isinstance(patch, list) and not isinstance(doc, dict) else patch
    out = dict(doc) if isinstance(doc, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merge_values(out.get(name), value)
    return dict(sorted(out.items()))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
