"""Checked expressions made into Python functions: compile(node) -> program; program(variables) -> value or CelError.

Stands for cel-go's interpreter. Logical operators and loops absorb errors as CEL's specification says. Each step pays
its price to a meter, which ends what costs too much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.ast import Node
from fakeapi.cel.library import FUNCTIONS
from fakeapi.cel.meter import LIST, MAP, NAME, PRICES, Meter
from fakeapi.cel.values import CelError, Optional

Env = dict[str, Any]
Program = Callable[[Env], Any]
Spend = Callable[[int], None]

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


class Metered:
    """A program that counts what its last run has cost. Called with variables; CelError, Cancelled."""

    def __init__(self, node: Node) -> None:
        self._meter = Meter()
        self._run = _made(node, self._meter.spend)

    def __call__(self, env: Env) -> Any:
        self._meter.spent = 0
        try:
            return self._run(env)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Of a value that is of no type the function is for, and known to be dyn only.
            raise values.no_overload() from error

    @property
    def spent(self) -> int:
        """The last run's cost."""
        return self._meter.spent


def compile(node: Node) -> Metered:
    """The function of an expression."""
    return Metered(node)


def _made(node: Node, spend: Spend) -> Program:
    return _MAKERS[node.kind](node, spend)


def _const(node: Node, spend: Spend) -> Program:
    value = node.value
    return lambda env: value


def _ident(node: Node, spend: Spend) -> Program:
    name = node.name

    def run(env: Env) -> Any:
        spend(NAME)
        if name not in env:
            if name in _TYPE_NAMES:
                return values.TypeOf(name)
            raise CelError(f"no such attribute(s): {name}")
        value = env[name]
        if isinstance(value, CelError):
            raise value
        return value

    return run


def _select(node: Node, spend: Spend) -> Program:
    operand, name = _made(node.parts[0], spend), node.name

    def run(env: Env) -> Any:
        holder = operand(env)
        spend(NAME)
        return values.select(holder, name)

    return run


def _test(node: Node, spend: Spend) -> Program:
    operand, name = _made(node.parts[0], spend), node.name

    def run(env: Env) -> bool:
        holder = operand(env)
        spend(NAME)
        if isinstance(holder, Optional):
            holder = holder.value if holder.present else {}
        if not isinstance(holder, dict):
            raise values.no_overload()
        return name in holder

    return run


def _list(node: Node, spend: Spend) -> Program:
    parts, optional = [_made(part, spend) for part in node.parts], node.optional

    def run(env: Env) -> list[Any]:
        made = []
        for index, part in enumerate(parts):
            value = part(env)
            if index not in optional:
                made.append(value)
            elif value.present:
                made.append(value.value)
        spend(LIST)
        return made

    return run


def _struct(node: Node, spend: Spend) -> Program:
    parts, optional = [_made(part, spend) for part in node.parts], node.optional

    def run(env: Env) -> dict[Any, Any]:
        made = {}
        for index in range(0, len(parts), 2):
            key, value = parts[index](env), parts[index + 1](env)
            if index // 2 not in optional:
                made[key] = value
            elif value.present:
                made[key] = value.value
        spend(MAP)
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


# Of those that do not look at all their arguments, what is a call to cel-go and no branching.
_NOT_FREE = frozenset(("@not_strictly_false", "__not_strictly_false__"))


def _paid(program: Program, spend: Spend) -> Program:
    def run(env: Env) -> Any:
        spend(1)
        return program(env)

    return run


def _call(node: Node, spend: Spend) -> Program:
    name = node.name
    qualified = _qualified(node)
    if qualified in FUNCTIONS:
        name, parts = qualified, [_made(part, spend) for part in node.parts[1:]]
    else:
        parts = [_made(part, spend) for part in node.parts]
    if name in _LAZY:
        return _paid(_LAZY[name](parts), spend) if name in _NOT_FREE else _LAZY[name](parts)
    function = FUNCTIONS.get(name)
    if function is None:
        raise CelError(f"no such overload: {name}")
    price = PRICES.get(name)

    def run(env: Env) -> Any:
        arguments = [part(env) for part in parts]
        result = function(*arguments)
        spend(1 if price is None else price(arguments, result))
        return result

    return run


def _qualified(node: Node) -> str:
    """`format.dns1123Label` where the target is no value but a namespace."""
    if not node.member or node.parts[0].kind != "ident":
        return ""
    return f"{node.parts[0].name}.{node.name}"


def _loop(node: Node, spend: Spend) -> Program:
    range_, init, condition, step, result = (_made(part, spend) for part in node.parts)
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


_MAKERS: dict[str, Callable[[Node, Spend], Program]] = {
    "const": _const,
    "ident": _ident,
    "select": _select,
    "test": _test,
    "call": _call,
    "list": _list,
    "struct": _struct,
    "loop": _loop,
}
