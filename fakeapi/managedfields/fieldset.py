"""Sets of fields, held in the very shape they are stored in: metadata.managedFields[].fieldsV1.

A set is a dict from path element ("f:spec", 'k:{"name":"a"}', 'v:"x"', "i:0") to a node. A node is LEAF (an empty dict:
this field, nothing below), or a dict of children, with the key "." when the field itself belongs too. At the root, an
empty dict is the empty set. Nothing here changes its arguments, and results share nodes with them, so sets and nodes
are never changed in place once built.

Stands for structured-merge-diff's fieldpath.Set, with its JSON form as the only form: the algebra needs no parsing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from fakeapi.gofmt import go_quote

Node = dict[str, Any]
FieldSet = dict[str, Any]
Path = tuple[str, ...]

LEAF: Node = {}
SELF = "."


class FieldSetError(ValueError):
    """A fieldsV1 that cannot be read."""


def is_member(node: Node) -> bool:
    """Whether the field that the node stands for belongs itself (not only something below it)."""
    return not node or SELF in node


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in either."""
    if a is b or not b:
        return a
    if not a:
        return b
    return _union_children(a, b)


def _union_children(a: Node, b: Node) -> Node:
    out = dict(a)
    for key, node in b.items():
        mine = out.get(key)
        out[key] = node if mine is None or key == SELF else _union_node(mine, node)
    return out


def _union_node(a: Node, b: Node) -> Node:
    if a is b or a == b:
        return a
    out = _union_children(a, b)
    if not a or not b:
        out[SELF] = LEAF
    return out


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in a and not in b; taking a field away leaves what is below it."""
    if not a or not b:
        return a
    return _children(a, b, _difference_node)


def _difference_node(a: Node, b: Node) -> Node | None:
    member = is_member(a) and not is_member(b)
    children = _children(a, b, _difference_node)
    return _node(member, children)


def _children(a: Node, b: Node, node_of: Any) -> Node:
    out = {}
    for key, node in a.items():
        if key == SELF:
            continue
        theirs = b.get(key)
        kept = node if theirs is None else node_of(node, theirs)
        if kept is not None:
            out[key] = kept
    return out


def _node(member: bool, children: Node) -> Node | None:
    if not children:
        return LEAF if member else None
    return {SELF: LEAF, **children} if member else children


def recursive_difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in a and neither in b nor below a field of b."""
    if not a or not b:
        return a
    return _children(a, b, _recursive_node)


def _recursive_node(a: Node, b: Node) -> Node | None:
    if is_member(b):
        return None
    return _node(is_member(a), _children(a, b, _recursive_node))


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in both."""
    if a is b:
        return a
    return _intersect_children(a, b)


def _intersect_children(a: Node, b: Node) -> Node:
    out = {}
    for key, node in a.items():
        theirs = b.get(key)
        if theirs is None or key == SELF:
            continue
        member = is_member(node) and is_member(theirs)
        kept = _node(member, _intersect_children(node, theirs))
        if kept is not None:
            out[key] = kept
    return out


def include(a: FieldSet, pattern: Mapping[str, Any]) -> FieldSet:
    """Only what the pattern names: nested dicts from path element, or "*" for any, to a pattern; {} takes all below."""
    if not pattern:
        return a
    out = {}
    for key, node in a.items():
        below = pattern.get(key, pattern.get("*"))
        if key == SELF or below is None:
            continue
        children = include({k: v for k, v in node.items() if k != SELF}, below)
        kept = _node(is_member(node), children)
        if kept is not None:
            out[key] = kept
    return out


def has(a: FieldSet, path: Path) -> bool:
    """Whether that very field belongs."""
    node: Node | None = a
    for element in path:
        node = node.get(element) if node else None
        if node is None:
            return False
    return bool(path) and node is not None and is_member(node)


def of(*paths: Path) -> FieldSet:
    """The set of these paths, each a tuple of path elements."""
    out: FieldSet = {}
    for path in paths:
        tail: Node = LEAF
        for element in reversed(path):
            tail = {element: tail}
        out = union(out, tail)
    return out


def of_names(names: tuple[str, ...]) -> FieldSet:
    """The set of fields by dotted name: ("status", "metadata.labels")."""
    return of(*(tuple(f"f:{part}" for part in name.split(".")) for name in names))


def paths(a: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Every path that belongs, in upstream's order: a level's own members first, then what is below them."""
    keys = sorted_keys(a)
    for key in keys:
        if key != SELF and is_member(a[key]):
            yield (*prefix, key)
    for key in keys:
        if key != SELF and a[key]:
            yield from paths(a[key], (*prefix, key))


def sorted_keys(node: Node) -> list[str]:
    """A level's path elements in upstream's order: fields by name, then keys, values and indexes by value."""
    keys = sorted(node)
    if len(keys) < 2 or keys[-1].startswith("f:"):
        return keys
    return sorted(keys, key=_element_order)


_KINDS = {".": -1, "f": 0, "k": 1, "v": 2, "i": 3}


def _element_order(element: str) -> tuple[Any, ...]:
    kind = element[0]
    rank = _KINDS.get(kind, 4)
    if kind == "k":
        return rank, [(name, value_order(value)) for name, value in orjson.loads(element[2:]).items()]
    if kind == "v":
        return rank, [value_order(orjson.loads(element[2:]))]
    if kind == "i":
        return rank, [int(element[2:])]
    return rank, [element]


def value_order(value: Any) -> tuple[int, Any]:
    """A sort key: numbers, then strings, then booleans, then the rest."""
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return 3, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def in_order(node: Node) -> Node:
    """The same set with its keys in upstream's order, ready to be stored; nodes already in order may be shared."""
    return {key: in_order(node[key]) if node[key] else LEAF for key in sorted_keys(node)}


def parse(raw: Any) -> FieldSet:
    """A fieldsV1 as a client wrote it, normalised: unknown kinds of elements dropped, keys sorted, "." only where
    needed.

    FieldSetError: no object, or an element that cannot be read."""
    if not isinstance(raw, dict):
        raise FieldSetError(f"expected an object, got {raw!r}")
    out: FieldSet = {}
    for key, below in raw.items():
        if key == SELF:
            continue
        element = parse_element(key)
        if element is None:
            continue
        if not isinstance(below, dict):
            raise FieldSetError(f"expected an object below {key}")
        children = parse(below)
        node = _node(SELF in below or not children, children)
        assert node is not None
        out[element] = _union_node(out[element], node) if element in out else node
    return out


def parse_element(text: str) -> str | None:
    """One path element in normal form; None when its kind is unknown. FieldSetError: it cannot be read."""
    if len(text) < 2:
        raise FieldSetError("key must be 2 characters long:")
    if text[1] != ":":
        raise FieldSetError(f"missing colon: {text}")
    kind, rest = text[0], text[2:]
    if kind == "f":
        return text
    if kind not in "kvi":
        return None
    try:
        if kind == "i":
            return f"i:{int(rest)}"
        value = orjson.loads(rest)
    except ValueError as error:
        raise FieldSetError(str(error)) from None
    if kind == "v":
        return value_element(value)
    if not isinstance(value, dict):
        raise FieldSetError(f"expected an object: {rest}")
    return key_element(value)


_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def key_element(fields: Mapping[str, Any]) -> str:
    """The path element of a list item that is known by these keys."""
    return "k:" + orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode().translate(_SAFE)


def value_element(value: Any) -> str:
    """The path element of an item of a set."""
    return "v:" + orjson.dumps(value).decode().translate(_SAFE)


def path_text(path: Path) -> str:
    """How messages show a path: `.spec.containers[name="a"].image`."""
    return "".join(map(element_text, path))


def element_text(element: str) -> str:
    """How messages show one path element."""
    kind, rest = element[0], element[2:]
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        return "[" + ",".join(f"{k}={_scalar_text(v)}" for k, v in sorted(orjson.loads(rest).items())) + "]"
    return f"[={_scalar_text(orjson.loads(rest))}]" if kind == "v" else f"[{rest}]"


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        return go_quote(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
