"""What is wrong with the constants of an expression that type-checks: arguments that can never work, lists and maps of
several types, format strings that do not fit what they are given.

Stands for the AST validators of Kubernetes' environment: cel-go's cel/validator.go and ext/formatting.go (version 2 of
the strings library). Each issue is reported where cel-go reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fakeapi.cel import ast
from fakeapi.cel.ast import Node
from fakeapi.cel.library import conversions, formatting
from fakeapi.cel.library.arguments import is_valid
from fakeapi.schema import patterns

Issue = tuple[int, str]


def issues(text: str, data: bytes, node: Node, *, loose: bool) -> str:
    """What cel-go says of a checked expression (data: serialized), as lines that show where; "" for nothing.

    loose: what is dyn here may be of a known type upstream, and so is taken to fit.
    """
    types = ast.types(data)
    found = [*_arguments(node), *_mixed(node, types), *_formats(node, types)]
    if loose:
        found = [(number, what) for number, what in found if "'dyn'" not in what]
    places = ast.positions(data)
    return "\n".join(
        _shown(text, offset, what) for offset, what in sorted((places.get(number, 0), what) for number, what in found)
    )


def _shown(text: str, offset: int, what: str) -> str:
    line = text.count("\n", 0, offset)
    column = offset - (text.rfind("\n", 0, offset) + 1)
    return f"ERROR: <input>:{line + 1}:{column + 1}: {what}\n | {text.splitlines()[line]}\n | {'.' * column}^"


def _is_pattern(text: Any) -> bool:
    return isinstance(text, str) and not patterns.problem(text)


_CHECKED: dict[str, tuple[int, Callable[[Any], bool]]] = {
    "matches": (1, _is_pattern),
    "duration": (0, is_valid(conversions.duration)),
    "timestamp": (0, is_valid(conversions.timestamp)),
}


def _arguments(node: Node) -> Iterator[Issue]:
    """Constant arguments that the function would refuse."""
    for part in node.parts:
        yield from _arguments(part)
    place, fits = _CHECKED.get(node.name, (0, None)) if node.kind == "call" else (0, None)
    if fits is not None and len(node.parts) > place:
        argument = node.parts[place]
        if argument.kind == "const" and not fits(argument.value):
            yield argument.id, f"invalid {node.name} argument"


def _mixed(node: Node, types: Mapping[int, str]) -> Iterator[Issue]:
    """Lists and maps whose entries are not of one type; those given to format() may be mixed."""
    if node.kind == "call" and node.name == "format":
        return
    for part in node.parts:
        yield from _mixed(part, types)
    if node.kind == "list":
        yield from _differing(node.parts, {node.parts[i].id for i in node.optional}, types, several=False)
    elif node.kind == "struct" and not node.name:
        optional = {node.parts[2 * i + 1].id for i in node.optional}
        yield from _differing(node.parts[::2], set(), types, several=True)
        yield from _differing(node.parts[1::2], optional, types, several=True)


def _differing(parts: list[Node], optional: set[int], types: Mapping[int, str], *, several: bool) -> Iterator[Issue]:
    """Parts of another type than the first. several: more than one is told of."""
    kinds = [types.get(part.id, "dyn") for part in parts]
    kinds = [
        kind.removeprefix("optional_type(").removesuffix(")") if part.id in optional else kind
        for part, kind in zip(parts, kinds, strict=True)
    ]
    for part, kind in zip(parts, kinds, strict=True):
        if kind != kinds[0] and "(dyn" not in kind + kinds[0]:  # a type parameter that nothing has bound
            yield part.id, f"expected type '{kinds[0]}' but found '{kind}'"
            if not several:
                return


class _FormatError(Exception):
    """A format string is no good; its arguments are (id or None, text)."""


def _formats(node: Node, types: Mapping[int, str]) -> Iterator[Issue]:
    """Calls of format() on a constant with a list that is written out."""
    for part in node.parts:
        yield from _formats(part, types)
    if node.kind != "call" or node.name != "format" or not node.member or len(node.parts) != 2:
        return
    target, given = node.parts
    if target.kind != "const" or not isinstance(target.value, str) or given.kind != "list":
        return
    try:
        used = _clauses(target.value, given.parts, types)
    except _FormatError as error:
        number, text = error.args
        yield node.id if number is None else number, text
        return
    if len(given.parts) > used:
        yield (
            node.id,
            f"too many arguments supplied to string.format (expected {used}, got {len(given.parts)})",
        )


def _clauses(text: str, given: list[Node], types: Mapping[int, str]) -> int:
    """How many arguments the format asks for. _FormatError."""
    at = used = 0
    while (at := text.find("%", at)) >= 0:
        if text.startswith("%", at + 1):
            at += 2
            continue
        if at + 1 >= len(text):
            raise _FormatError(None, "unexpected end of string")
        if used >= len(given):
            raise _FormatError(None, f"index {used} out of range")
        try:
            at, _, letter = formatting.clause(text, at + 1)
        except formatting.FormatError as error:
            raise _FormatError(None, str(error)) from None
        _clause(letter, given[used], types)
        used += 1
    return used


def _clause(letter: str, argument: Node, types: Mapping[int, str]) -> None:
    if letter == "s":
        wrong = _unprintable(argument, types)
    else:
        fitting = formatting.CLAUSES[letter.lower()][0]
        wrong = None if _kind(argument, types) in (*fitting, "dyn") else argument
    if wrong is not None:
        raise _FormatError(wrong.id, formatting.refusal(letter, _kind(wrong, types)))


def _kind(node: Node, types: Mapping[int, str]) -> str:
    return types.get(node.id, "dyn").partition("(")[0]


def _unprintable(node: Node, types: Mapping[int, str]) -> Node | None:
    """What of an argument %s does not take."""
    if _kind(node, types) not in (*formatting.SHOWN, "dyn"):
        return node
    parts = node.parts if node.kind in ("list", "struct") else []
    return next((wrong for part in parts if (wrong := _unprintable(part, types)) is not None), None)
