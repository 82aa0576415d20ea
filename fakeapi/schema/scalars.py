"""Decoding's bookkeeping (where it stands, what it found wrong) and the kinds that are one JSON value.

Stands for the error contexts of sigs.k8s.io/json and the UnmarshalJSON methods of quantities, times and IntOrString.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from msgspec import Struct, field

from fakeapi.gofmt import go_quote
from fakeapi.quantity import canonical
from fakeapi.schema import gotext
from fakeapi.schema.duplicates import Literal
from fakeapi.schema.types import Type

MOST_STRICT_ERRORS = 100


class Abort(Exception):
    """An UnmarshalJSON method failed, which ends decoding at once and beats type errors found before."""


class Edge(Struct):
    """A step into a field: as strict errors write it, as type errors write it, and the struct around it."""

    segment: str
    stack: str
    struct: str


# Where decoding stands: (parent, step), a step being an Edge, an index or a map's key.
At = tuple[Any, Any] | None
Step = Callable[[Any, At, "Run"], Any]


class Run(Struct):
    """What one decode gathers. error: the first type error, which does not stop decoding."""

    error: str = ""
    strict: dict[str, None] = field(default_factory=dict)

    def mismatch(self, found: str, go: str, at: At) -> None:
        if not self.error:
            self.error = type_error(found, go, at)

    def unknown(self, at: At, key: str) -> None:
        self.report("unknown field", at, key)

    def report(self, what: str, at: At, key: str) -> None:
        if len(self.strict) < MOST_STRICT_ERRORS:
            self.strict[f"{what} {go_quote(_path(at, key))}"] = None


def type_error(found: str, go: str, at: At) -> str:
    """UnmarshalTypeError.Error: the innermost struct, and the fields that lead there (no indices, no map keys)."""
    names: list[str] = []
    struct = None
    while at is not None:
        at, step = at
        if isinstance(step, Edge):
            struct = step.struct if struct is None else struct
            names.append(step.stack)
    if struct is None:
        return f"json: cannot unmarshal {found} into Go value of type {go}"
    names.reverse()
    return f"json: cannot unmarshal {found} into Go struct field {struct}.{'.'.join(names)} of type {go}"


def _path(at: At, key: str) -> str:
    """A field's path in strict errors: `spec.containers[0].foo`."""
    steps: list[Any] = [key]
    while at is not None:
        at, step = at
        steps.append(step.segment if isinstance(step, Edge) else step)
    steps.reverse()
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def found_type(value: Any) -> str:
    """A JSON value's type as Go's errors call it."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"


def _number_text(value: float) -> str:
    """A number as the client wrote it, as far as known."""
    return value.text if isinstance(value, Literal) else orjson.dumps(value).decode()


def _string(t: Type) -> Step:
    go = t.go

    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is str:
            return value
        run.mismatch(found_type(value), go, at)
        return ""

    return step


def _boolean(t: Type) -> Step:
    go = t.go

    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is bool:
            return value
        run.mismatch(found_type(value), go, at)
        return False

    return step


def _integer(t: Type) -> Step:
    go, bits = t.go, 31 if t.schema.get("format") == "int32" else 63
    least, most = -(1 << bits), (1 << bits) - 1

    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is int and least <= value <= most:
            return value
        found = found_type(value)
        run.mismatch(f"number {_number_text(value)}" if found == "number" else found, go, at)
        return 0

    return step


def _number(t: Type) -> Step:
    go = t.go

    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is int:
            return value
        if isinstance(value, float):
            return plain_number(value)
        run.mismatch(found_type(value), go, at)
        return 0

    return step


def plain_number(value: float) -> float:
    """A float as Go writes it: whole ones without a fraction, as far as JSON's integers reach."""
    return int(value) if value.is_integer() and abs(value) < 1 << 63 else float(value)


def _int_or_string(t: Type) -> Step:
    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is str or (type(value) is int and -(1 << 31) <= value < 1 << 31):
            return value
        found = found_type(value)
        raise Abort(type_error(f"number {_number_text(value)}" if found == "number" else found, "int32", at))

    return step


def quantity(t: Type, form: Callable[[str], str] = canonical) -> Step:
    def step(value: Any, at: At, run: Run) -> Any:
        try:
            return form(value.strip() if type(value) is str else _quantity_text(value))
        except ValueError as error:
            raise Abort(str(error)) from None

    return step


def _quantity_text(value: Any) -> str:
    """UnmarshalJSON takes the raw JSON, so numbers parse and all else fails like any text that is no quantity."""
    return _number_text(value) if found_type(value) == "number" else "none"


def _time(t: Type) -> Step:
    form = gotext.micro_time if t.kind == "micro-time" else gotext.time

    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is not str:
            raise Abort(type_error(found_type(value), "string", at))
        try:
            return form(value)
        except ValueError as error:
            raise Abort(str(error)) from None

    return step


def _bytes(t: Type) -> Step:
    go = t.go

    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is not str:
            # Go would take an array of numbers too; nobody sends one, and the error is about its items.
            run.mismatch(found_type(value), go, at)
            return ""
        try:
            return gotext.base64(value)
        except ValueError as error:
            run.error = run.error or str(error)
            return ""

    return step


SCALARS: Mapping[str, Callable[[Type], Step]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "quantity": quantity,
    "int-or-string": _int_or_string,
    "time": _time,
    "micro-time": _time,
    "bytes": _bytes,
}
