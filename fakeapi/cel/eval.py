"""Checked expressions made into Python functions: compile(node) -> program; program(variables) -> value or CelError.

Stands for cel-go's interpreter. Logical operators and loops absorb errors as CEL's specification says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.ast import Node
from fakeapi.cel.library import FUNCTIONS
from fakeapi.cel.values import CelError, Optional

Env = dict[str, Any]
Program = Callable[[Env], Any]

_TYPE_NAMES = frozenset(
    (
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
    )
)


def compile(node: Node) -> Program:
    """The function of an expression."""
    return _MAKERS[node.kind](node)


def _const(node: Node) -> Program:
    value = node.value
    return lambda env: value


def _ident(node: Node) -> Program:
    name = node.name

    def run(env: Env) -> Any:
        if name not in env:
            if name in _TYPE_NAMES:
                return values.TypeOf(name)
            raise CelError(f"no such attribute(s): {name}")
        value = env[name]
        if isinstance(value, CelError):
            raise value
        return value

    return run


def _select(node: Node) -> Program:
    operand, name = compile(node.parts[0]), node.name
    return lambda env: values.select(operand(env), name)


def _test(node: Node) -> Program:
    operand, name = compile(node.parts[0]), node.name

    def run(env: Env) -> bool:
        holder = operand(env)
        if isinstance(holder, Optional):
            holder = holder.value if holder.present else {}
        if not isinstance(holder, dict):
            raise values.no_overload()
        return name in holder

    return run


def _list(node: Node) -> Program:
    parts, optional = [compile(part) for part in node.parts], node.optional

    def run(env: Env) -> list[Any]:
        made = []
        for index, part in enumerate(parts):
            value = part(env)
            if index not in optional:
                made.append(value)
            elif value.present:
                made.append(value.value)
        return made

    return run


def _struct(node: Node) -> Program:
    parts, optional = [compile(part) for part in node.parts], node.optional

    def run(env: Env) -> dict[Any, Any]:
        made = {}
        for index in range(0, len(parts), 2):
            key, value = parts[index](env), parts[index + 1](env)
            if index // 2 not in optional:
                made[key] = value
            elif value.present:
                made[key] = value.value
        return made

    return run


def _and(parts: list[Program]) -> Program:
    def run(env: Env) -> bool:
        return _logic(parts, env, stop=False)

    return run


def _or(parts: list[Program]) -> Program:
    def run(env: Env) -> bool:
        return _logic(parts, env, stop=True)

    return run


def _logic(parts: list[Program], env: Env, stop: bool) -> bool:
    error: CelError | None = None
    for part in parts:
        try:
            value = part(env)
            if not isinstance(value, bool):
                raise values.no_overload()
            if value is stop:
                return stop
        except CelError as found:
            error = error or found
    if error is not None:
        raise error
    return not stop


def _choose(parts: list[Program]) -> Program:
    condition, yes, no = parts

    def run(env: Env) -> Any:
        found = condition(env)
        if not isinstance(found, bool):
            raise values.no_overload()
        return yes(env) if found else no(env)

    return run


def _not_strictly_false(parts: list[Program]) -> Program:
    (part,) = parts

    def run(env: Env) -> bool:
        try:
            return part(env) is not False
        except CelError:
            return True

    return run


def _or_else(parts: list[Program]) -> Program:
    optional, other = parts

    def run(env: Env) -> Any:
        found = optional(env)
        return found if found.present else other(env)

    return run


def _or_value(parts: list[Program]) -> Program:
    optional, other = parts

    def run(env: Env) -> Any:
        found = optional(env)
        return found.value if found.present else other(env)

    return run


_LAZY: Mapping[str, Callable[[list[Program]], Program]] = {
    "_&&_": _and,
    "_||_": _or,
    "_?_:_": _choose,
    "@not_strictly_false": _not_strictly_false,
    "__not_strictly_false__": _not_strictly_false,
    "or": _or_else,
    "orValue": _or_value,
}


def _call(node: Node) -> Program:
    name = node.name
    qualified = _qualified(node)
    if qualified in FUNCTIONS:
        name, parts = qualified, [compile(part) for part in node.parts[1:]]
    else:
        parts = [compile(part) for part in node.parts]
    if name in _LAZY:
        return _LAZY[name](parts)
    function = FUNCTIONS.get(name)
    if function is None:
        raise CelError(f"no such overload: {name}")
    if len(parts) == 1:
        only = parts[0]
        return lambda env: function(only(env))
    if len(parts) == 2:
        one, two = parts
        return lambda env: function(one(env), two(env))
    return lambda env: function(*[part(env) for part in parts])


def _qualified(node: Node) -> str:
    """`format.dns1123Label` where the target is no value but a namespace."""
    if not node.member or node.parts[0].kind != "ident":
        return ""
    return f"{node.parts[0].name}.{node.name}"


def _loop(node: Node) -> Program:
    range_, init, condition, step, result = (compile(part) for part in node.parts)
    one, two, accumulator = node.names

    def run(env: Env) -> Any:
        holder = range_(env)
        inner = {**env, accumulator: init(env)}
        if isinstance(holder, dict):
            pairs = list(holder.items()) if two else [(key, None) for key in holder]
        elif isinstance(holder, list):
            pairs = list(enumerate(holder)) if two else [(item, None) for item in holder]
        else:
            raise values.no_overload()
        for first, second in pairs:
            inner[one] = first
            if two:
                inner[two] = second
            if not condition(inner):
                break
            try:
                inner[accumulator] = step(inner)
            except CelError as error:
                inner[accumulator] = error
        return result(inner)

    return run


_MAKERS: dict[str, Callable[[Node], Program]] = {
    "const": _const,
    "ident": _ident,
    "select": _select,
    "test": _test,
    "call": _call,
    "list": _list,
    "struct": _struct,
    "loop": _loop,
}
