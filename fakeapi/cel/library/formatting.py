"""format(), which prints values into a text, and what each of its clauses takes.

Stands for cel-go's ext/formatting.go: version 2 of the strings library, in American English.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.library.arguments import need_text
from fakeapi.cel.library.conversions import text_of
from fakeapi.cel.values import CelError, Duration, Timestamp
from fakeapi.gofmt import go_quote

NUMBERS = ("int", "uint")
CLAUSES: dict[str, tuple[tuple[str, ...], str]] = {
    "d": (NUMBERS, "decimal clause can only be used on integers, was given"),
    "f": (("double", "string"), "fixed-point clause can only be used on doubles, was given"),
    "e": (("double", "string"), "scientific clause can only be used on doubles, was given"),
    "b": ((*NUMBERS, "bool"), "only integers and bools can be formatted as binary, was given"),
    "x": (
        (*NUMBERS, "string", "bytes"),
        "only integers, byte buffers, and strings can be formatted as hex, was given",
    ),
    "o": (NUMBERS, "octal clause can only be used on integers, was given"),
}
SHOWN = ("list", "map", *NUMBERS, "double", "bool", "string", "timestamp", "bytes", "duration", "type", "null")
AS_STRING = (
    "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations,"
    " and timestamps, was given"
)
RUNTIME_NAMES = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "null": "null_type",
}


_UNPARSED = "could not parse formatting clause:"
_UNPRINTED = "error during formatting:"
_DEFAULT, _MOST = 6, 10**6
_EXPONENT = str.maketrans("+-0123456789", " ⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


class FormatError(Exception):
    """A format string is no good; str() says how."""


def clause(text: str, at: int) -> tuple[int, int, str]:
    """(where it ends, its precision, its letter) of the clause whose % is before a place. FormatError."""
    precision, start = _DEFAULT, at
    if text[at] == ".":
        start = at = at + 1
        while at < len(text) and text[at].isascii() and text[at].isdigit():
            at += 1
        parsing = f"{_UNPARSED} error while parsing precision:"
        if at >= len(text):
            raise FormatError(f"{parsing} could not find end of precision specifier")
        given = text[start:at]
        converting = f"{parsing} error while converting precision to integer: strconv.Atoi: parsing {go_quote(given)}:"
        if not given:
            raise FormatError(f"{converting} invalid syntax")
        if len(given) > 18:
            raise FormatError(f"{converting} value out of range")
        precision = min(int(given), _MOST)
    if text[at] != "s" and text[at] not in _WRITERS:
        raise FormatError(f'{_UNPARSED} unrecognized formatting clause "{text[at]}"')
    return at + 1, precision, text[at]


def refusal(letter: str, kind: str) -> str:
    """What format() says of a value of a type that a clause does not take."""
    words = AS_STRING if letter == "s" else CLAUSES[letter.lower()][1]
    return f"{_UNPRINTED} {words} {RUNTIME_NAMES.get(kind, kind)}"


def _format(value: Any, arguments: Any) -> str:
    text, made, at, used = need_text(value), "", 0, 0
    if not isinstance(arguments, list):
        raise values.no_overload()
    while (found := text.find("%", at)) >= 0:
        made += text[at:found]
        at = found + 1
        if text.startswith("%", at):
            made += "%"
            at += 1
            continue
        if used >= len(arguments):
            raise CelError(f"index {used} out of range")
        if at >= len(text):
            raise CelError("unexpected end of string")
        try:
            at, precision, letter = clause(text, at)
        except FormatError as error:
            raise CelError(str(error)) from None
        made += _written(arguments[used], letter, precision)
        used += 1
    return made + text[at:]


def _written(value: Any, letter: str, precision: int) -> str:
    kind = values.type_name(value)
    if letter == "s":
        return _shown(value)
    if kind not in CLAUSES[letter.lower()][0] or (letter in "fe" and kind == "string" and value not in _NOT_FINITE):
        raise CelError(refusal(letter, kind))
    return _WRITERS[letter](value, precision)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{_key(key)}:{_literal(item)}" for key, item in value.items())) + "}"
    if value is None:
        return "null"
    if isinstance(value, values.TypeOf):
        return value.name
    if not isinstance(value, str | bytes | int | float | Timestamp | Duration):
        raise CelError(refusal("s", values.type_name(value)))
    return text_of(value)


def _key(key: Any) -> str:
    if not isinstance(key, str | int):
        raise CelError(f"{_UNPRINTED} no formatting function for map key of type {values.type_name(key)}")
    return _literal(key)


def _literal(value: Any) -> str:
    """A value in a list or map: as CEL spells it."""
    if isinstance(value, str):
        return go_quote(value)
    if isinstance(value, bytes):
        return f"b{go_quote(text_of(value))}"
    if isinstance(value, float):
        return f"{value:.{_DEFAULT}f}" if math.isfinite(value) else f'"{text_of(value)}"'
    if isinstance(value, Timestamp):
        return f'timestamp("{text_of(value)}")'
    if isinstance(value, Duration):
        return f'duration("{text_of(value)}")'
    if isinstance(value, str | int | list | dict | values.TypeOf) or value is None:
        return _shown(value)
    raise CelError(f"{_UNPRINTED} no formatting function for {values.type_name(value)}")


def _fixed(value: Any, precision: int) -> str:
    number = float(value)
    return f"{number:,.{precision}f}" if math.isfinite(number) else _not_finite(number)


def _scientific(value: Any, precision: int) -> str:
    """A precision is taken for a width, as cel-go has it."""
    number = float(value)
    if not math.isfinite(number):
        return _not_finite(number).rjust(precision)
    mantissa, _, exponent = f"{number:.{_DEFAULT}e}".partition("e")
    return f"{mantissa}\u202f×\u202f10{exponent.translate(_EXPONENT).strip()}".rjust(precision)


def _not_finite(number: float) -> str:
    return "NaN" if math.isnan(number) else "∞" if number > 0 else "-∞"


def _hex(value: Any, precision: int) -> str:
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    return value.hex() if isinstance(value, bytes) else f"{value:x}"


_WRITERS: dict[str, Callable[[Any, int], str]] = {
    "d": lambda value, precision: str(int(value)),
    "f": _fixed,
    "e": _scientific,
    "b": lambda value, precision: f"{int(value):b}",
    "o": lambda value, precision: f"{value:o}",
    "x": _hex,
    "X": lambda value, precision: _hex(value, precision).upper(),
}

FUNCTIONS: dict[str, Callable[..., Any]] = {"format": _format}
