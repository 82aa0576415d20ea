"""What a rule may cost at most, by the sizes its schema allows.

Stands for cel-go's checker/cost.go and apiserver's cost estimator, in outline: every step costs 1, what walks a text
costs a tenth of its length, a comparison or search the product of the lengths; loops multiply by the length of their
range. Sizes come from maxLength, maxItems and maxProperties, else from what fits into a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from fakeapi.cel.ast import Node
from fakeapi.cel.environment import escape, kind_of

Schema = Mapping[str, Any]

MAX = 2**64 - 1
REQUEST = 3 * 1024 * 1024


def tenth(size: int) -> int:
    """What a walk over that many characters costs."""
    return -(-size // 10)


class Seen(Struct, frozen=True):
    """What is known of a value: its most elements (characters, items, entries), its schema, its literal."""

    size: int = 1
    schema: Schema | None = None
    literal: Any = None


def smallest(schema: Schema) -> int:
    """The fewest bytes that a value of the schema takes in JSON."""
    kind = kind_of(schema)
    if kind == "object":
        needed = schema.get("required") or ()
        properties = schema.get("properties") or {}
        parts = [
            len(name) + 4 + smallest(properties[name])
            for name in needed
            if name in properties and properties[name].get("default") is None
        ]
        return 2 + sum(parts)
    return {"list": 2, "map": 2, "boolean": 4, "integer": 1, "number": 1, "dyn": 1}.get(kind, 2)


def most(schema: Schema, key: str) -> int:
    """maxItems, maxProperties or maxLength, or what a request can hold."""
    given = schema.get(key)
    if given is not None:
        # maxLength counts characters, sizes count bytes.
        wide = key == "maxLength" and kind_of(schema) in ("string", "dyn")
        return int(given) * (4 if wide else 1)
    if key == "maxItems":
        return (REQUEST - 2) // (smallest(schema.get("items") or {}) + 1)
    if key == "maxProperties":
        return (REQUEST - 2) // (smallest(schema.get("additionalProperties") or {}) + 6)
    if schema.get("enum"):
        return max(len(str(value)) for value in schema["enum"])
    return {"date": 12, "date-time": 32, "duration": 32}.get(schema.get("format") or "", REQUEST - 2)


def size_of(schema: Schema | None) -> int:
    """The most elements of a value."""
    if schema is None:
        return REQUEST
    kind = kind_of(schema)
    key = {"list": "maxItems", "map": "maxProperties", "string": "maxLength", "bytes": "maxLength"}.get(kind)
    if kind == "dyn":
        return most(schema, "maxLength")
    return most(schema, key) if key else 1


def estimate(node: Node, schema: Schema) -> int:
    """The most that an expression on values of the schema can cost."""
    here = Seen(size_of(schema), schema)
    price, _ = _cost(node, {"self": here, "oldSelf": here})
    return min(int(price), MAX)


Scope = dict[str, Seen]
Priced = tuple[float, Seen]


def _cost(node: Node, scope: Scope) -> Priced:
    found: Priced = _KINDS[node.kind](node, scope)
    return found


def _const(node: Node, scope: Scope) -> Priced:
    value = node.value
    return 0, Seen(len(value) if isinstance(value, (str, bytes)) else 1, None, value)


def _ident(node: Node, scope: Scope) -> Priced:
    return 1, scope.get(node.name, Seen())


def _select(node: Node, scope: Scope) -> Priced:
    price, holder = _cost(node.parts[0], scope)
    inner = _property(holder.schema, node.name)
    return price + 1, Seen(size_of(inner) if inner is not None else 1, inner)


def _property(schema: Schema | None, name: str) -> Schema | None:
    if schema is None:
        return None
    for given, inner in (schema.get("properties") or {}).items():
        if escape(given) == name:
            found: Schema = inner
            return found
    additional = schema.get("additionalProperties")
    return additional if isinstance(additional, Mapping) else None


def _test(node: Node, scope: Scope) -> Priced:
    price, _ = _cost(node.parts[0], scope)
    return price + 1, Seen()


def _list(node: Node, scope: Scope) -> Priced:
    parts = [_cost(part, scope) for part in node.parts]
    largest = max((seen for _, seen in parts), key=lambda seen: seen.size, default=Seen())
    return 10 + sum(price for price, _ in parts), Seen(
        len(parts), {"type": "array", "items": largest.schema or {"type": "string", "maxLength": largest.size}}
    )


def _struct(node: Node, scope: Scope) -> Priced:
    parts = [_cost(part, scope) for part in node.parts]
    return 30 + sum(price for price, _ in parts), Seen(len(parts) // 2)


def _loop(node: Node, scope: Scope) -> Priced:
    range_, init, condition, step, result = node.parts
    one, two, accumulator = node.names
    price, holder = _cost(range_, scope)
    schema = holder.schema or {}
    if kind_of(schema) == "map":
        value: Schema | None = schema["additionalProperties"]
        items = Seen(0)
    else:
        value = schema.get("items") or None
        items = Seen(size_of(value) if value is not None else 1, value)
    started, seed = _cost(init, scope)
    inner = {**scope, one: items, accumulator: Seen(holder.size if init.kind == "list" else seed.size)}
    if two:
        inner[one], inner[two] = Seen(), Seen(size_of(value) if value is not None else 1, value)
    checked, _ = _cost(condition, inner)
    stepped, made = _cost(step, inner)
    ended, _ = _cost(result, inner)
    grown = Seen(holder.size, made.schema) if init.kind == "list" else Seen()
    return price + started + holder.size * (checked + stepped) + ended, grown


def _call(node: Node, scope: Scope) -> Priced:
    parts = [_cost(part, scope) for part in node.parts]
    paid = sum(price for price, _ in parts)
    seen = [value for _, value in parts]
    if node.name in ("_&&_", "_||_"):
        return paid, Seen()
    if node.name == "_?_:_":
        return parts[0][0] + max(parts[1][0], parts[2][0]), max(seen[1], seen[2], key=lambda s: s.size)
    if node.name in ("_[_]", "_[?_]", "_?._"):
        return paid + 1, _element(seen[0], seen[1])
    own, result = _PRICES.get(node.name, _plain)(seen)
    return paid + own, result


def _element(holder: Seen, key: Seen) -> Seen:
    schema = holder.schema or {}
    inner = schema.get("items") if kind_of(schema) == "list" else _property(schema, str(key.literal))
    return Seen(size_of(inner) if inner is not None else 1, inner)


def _plain(seen: list[Seen]) -> Priced:
    return 1, Seen()


def _walked(seen: list[Seen]) -> Priced:
    """A walk over the first value."""
    return tenth(seen[0].size), Seen(seen[0].size)


def _compared(seen: list[Seen]) -> Priced:
    return max(tenth(min(seen[0].size, seen[1].size)), 1), Seen()


def _searched(seen: list[Seen]) -> Priced:
    return max(tenth(seen[0].size), 1) * max(tenth(seen[1].size), 1), Seen()


def _matched(seen: list[Seen]) -> Priced:
    return (tenth(seen[0].size) + 1) * max(seen[1].size * 0.25, 1), Seen()


def _prefixed(seen: list[Seen]) -> Priced:
    return max(tenth(seen[1].size), 1), Seen()


def _found(seen: list[Seen]) -> Priced:
    return max(tenth(seen[0].size), 1) * max(seen[1].size * 0.25, 1), Seen(seen[0].size)


def _joined(seen: list[Seen]) -> Priced:
    size = min(seen[0].size + seen[1].size, MAX)
    return max(tenth(size), 1), Seen(size, seen[0].schema or seen[1].schema)


def _contained(seen: list[Seen]) -> Priced:
    return max(seen[1].size * max(tenth(seen[0].size), 1), 1), Seen()


def _parsed(seen: list[Seen]) -> Priced:
    return max(tenth(seen[0].size), 1), Seen()


def _formatted(seen: list[Seen]) -> Priced:
    # A named format's check is priced as a pattern of 128 characters.
    return tenth(seen[1].size) * 32, Seen()


def _each(seen: list[Seen]) -> Priced:
    return max(seen[0].size, 1), Seen()


def _list_call(factor: float, size: int, schema: Schema | None) -> Priced:
    """A list that is made, by its length."""
    return size * factor + 1 + 10, Seen(size, schema)


def _whole(seen: Seen, otherwise: int) -> int:
    """An integer that is written out."""
    value = seen.literal
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _sliced(seen: list[Seen]) -> Priced:
    return _list_call(1, max(_whole(seen[2], seen[0].size) - _whole(seen[1], 0), 0), seen[0].schema)


def _ranged(seen: list[Seen]) -> Priced:
    return _list_call(1, _whole(seen[-1], MAX), None)


def _reversed(seen: list[Seen]) -> Priced:
    return _list_call(1, seen[0].size, seen[0].schema)


def _flattened(seen: list[Seen]) -> Priced:
    return _list_call(_whole(seen[1], MAX) if len(seen) > 1 else 1, seen[0].size, seen[0].schema)


def _against_itself(seen: list[Seen]) -> Priced:
    """Every item of a list compared with every other: of the keys, where there are any."""
    items = (seen[-1].schema or {}).get("items") or {}
    factor = 2.1 if kind_of(items) in ("string", "bytes") else 2
    return _list_call(factor, min(seen[-1].size ** 2, MAX), seen[0].schema)


def _sets(times: int) -> Callable[[list[Seen]], Priced]:
    return lambda seen: (1 + min(seen[0].size * seen[1].size * times, MAX), Seen())


_PRICES: dict[str, Any] = {
    **dict.fromkeys(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"), _compared),
    **dict.fromkeys(("startsWith", "endsWith"), _prefixed),
    **dict.fromkeys(("contains", "indexOf", "lastIndexOf"), _searched),
    **dict.fromkeys(
        (
            "lowerAscii",
            "upperAscii",
            "trim",
            "substring",
            "split",
            "replace",
            "join",
            "charAt",
            "string",
            "bytes",
        ),
        _walked,
    ),
    **dict.fromkeys(
        ("quantity", "isQuantity", "url", "isURL", "ip", "isIP", "cidr", "isCIDR", "semver", "isSemver"), _parsed
    ),
    **dict.fromkeys(("sum", "min", "max", "isSorted"), _each),
    **dict.fromkeys(("find", "findAll"), _found),
    "matches": _matched,
    "slice": _sliced,
    "lists.range": _ranged,
    "reverse": _reversed,
    "flatten": _flattened,
    **dict.fromkeys(("sets.contains", "sets.intersects"), _sets(1)),
    "sets.equivalent": _sets(2),
    **dict.fromkeys(("distinct", "sort", "@sortByAssociatedKeys"), _against_itself),
    "_+_": _joined,
    "@in": _contained,
    "validate": _formatted,
}
_KINDS: dict[str, Any] = {
    "const": _const,
    "ident": _ident,
    "select": _select,
    "test": _test,
    "call": _call,
    "list": _list,
    "struct": _struct,
    "loop": _loop,
}
