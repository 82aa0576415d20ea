"""Parsed JSON into the form that a Go round trip gives it: decode into the struct, encode again.

Decides, field by field, what stays: unknown fields go (and are told), null is absence, zero values go or come as the
tags say, quantities, times and bytes turn canonical, keys stand in Go's order. Stands for sigs.k8s.io/json (a fork of
encoding/json) with the MarshalJSON methods of apimachinery's types, and for the trip through protobuf in storage
(an empty list that is always encoded comes back as null). Custom resources are pruned by structural.py instead.

How upstream words what this module reports (codec.py composes it; `Kind` and "v" are of the request's object):
- DecodeError: `<Kind> in version "<v>" cannot be handled as a <Kind>: <message>`, 400, whatever fieldValidation says.
- unknown and duplicate fields, Strict: `<Kind> in version "<v>" cannot be handled as a <Kind>: strict decoding error: `
  and the texts joined by ", "; Warn: one warning each. At most 100, equal ones once; in document order, where unknown
  and duplicate ones mix: strict_errors() gives that order. Type errors hide them all.
- YAML bodies: duplicates come first, as one `yaml: unmarshal errors:\\n  line 7: key "size" already set in map`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from fakeapi.gofmt import go_quote
from fakeapi.quantity import canonical, canonical_milli
from fakeapi.schema import gotext
from fakeapi.schema.duplicates import Literal, Pairs, parse_slowly
from fakeapi.schema.types import Type

MOST_STRICT_ERRORS = 100


class DecodeError(ValueError):
    """A value has the wrong type or form; str() is Go's message."""


@dataclass(slots=True)
class Decoded:
    """value: normalised, may share parts with the input; unknown: texts such as `unknown field "spec.foo"`."""

    value: Any
    unknown: list[str] = field(default_factory=list)


class _Abort(Exception):
    """An UnmarshalJSON method failed, which ends decoding at once and beats type errors found before."""


@dataclass(slots=True)
class _Edge:
    """A step into a field: as strict errors write it, as type errors write it, and the struct around it."""

    segment: str
    stack: str
    struct: str


# Where decoding stands: (parent, step), a step being an _Edge, an index or a map's key.
_At = tuple[Any, Any] | None
_Step = Callable[[Any, _At, "_Run"], Any]


@dataclass(slots=True)
class _Run:
    """What one decode gathers. error: the first type error, which does not stop decoding."""

    error: str = ""
    strict: dict[str, None] = field(default_factory=dict)

    def mismatch(self, found: str, go: str, at: _At) -> None:
        if not self.error:
            self.error = _type_error(found, go, at)

    def unknown(self, at: _At, key: str) -> None:
        self.report("unknown field", at, key)

    def report(self, what: str, at: _At, key: str) -> None:
        if len(self.strict) < MOST_STRICT_ERRORS:
            self.strict[f"{what} {go_quote(_path(at, key))}"] = None


def decode(value: Any, t: Type, *, path: str = "", source: bytes | None = None) -> Decoded:
    """Normalise `value` (parsed JSON) as Type `t`; `path` prefixes the unknown fields' paths.

    source: the JSON text that value was parsed from; only read when something is wrong, to quote numbers as written
    (`number 1e3`). The input may be changed and shared. DecodeError: Go's message.
    """
    run = _Run()
    try:
        result = decoder(t)(value, (None, path) if path else None, run)
    except _Abort as abort:
        run.error = str(abort)
        result = None
    except RecursionError:
        # Only schemas of CRDs nest without end; upstream's limit lies at 10,000 levels.
        run.error = "exceeded max depth"
        result = None
    if run.error:
        if source is not None:
            return decode(parse_slowly(source), t, path=path)
        raise DecodeError(run.error)
    return Decoded(result, list(run.strict))


def strict_errors(source: bytes, t: Type) -> list[str]:
    """Unknown and duplicate fields of a JSON text in document order, as upstream lists them. Slow; needs valid JSON."""
    run = _Run()
    try:
        decoder(t)(parse_slowly(source, keep_duplicates=True), None, run)
    except _Abort as abort:
        raise DecodeError(str(abort)) from None
    if run.error:
        raise DecodeError(run.error)
    return list(run.strict)


def decoder(t: Type) -> _Step:
    """The compiled decoder of a Type, made once per Type."""
    step: _Step | None = t.decoder
    if step is None:
        step = t.decoder = _COMPILERS[t.kind](t)
    return step


def zero(t: Type) -> Any:
    """The zero value of a Type as Go encodes it when it is held by value: null, "", 0, or an object of such."""
    if t.kind == "object":
        return {name: zero(f) for name, f in t.fields.items() if not f.omitempty} if not t.pointer else None
    return None if t.pointer else _ZEROS.get(t.kind)


_ZEROS = {"string": "", "integer": 0, "number": 0, "boolean": False, "quantity": "0", "int-or-string": 0}


def _type_error(found: str, go: str, at: _At) -> str:
    """UnmarshalTypeError.Error: the innermost struct, and the fields that lead there (no indices, no map keys)."""
    names: list[str] = []
    struct = None
    while at is not None:
        at, step = at
        if isinstance(step, _Edge):
            struct = step.struct if struct is None else struct
            names.append(step.stack)
    if struct is None:
        return f"json: cannot unmarshal {found} into Go value of type {go}"
    names.reverse()
    return f"json: cannot unmarshal {found} into Go struct field {struct}.{'.'.join(names)} of type {go}"


def _path(at: _At, key: str) -> str:
    """A field's path in strict errors: `spec.containers[0].foo`."""
    steps: list[Any] = [key]
    while at is not None:
        at, step = at
        steps.append(step.segment if isinstance(step, _Edge) else step)
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


def _string(t: Type) -> _Step:
    go = t.go

    def step(value: Any, at: _At, run: _Run) -> Any:
        if type(value) is str:
            return value
        run.mismatch(found_type(value), go, at)
        return ""

    return step


def _boolean(t: Type) -> _Step:
    go = t.go

    def step(value: Any, at: _At, run: _Run) -> Any:
        if type(value) is bool:
            return value
        run.mismatch(found_type(value), go, at)
        return False

    return step


def _integer(t: Type) -> _Step:
    go, bits = t.go, 31 if t.schema.get("format") == "int32" else 63
    least, most = -(1 << bits), (1 << bits) - 1

    def step(value: Any, at: _At, run: _Run) -> Any:
        if type(value) is int and least <= value <= most:
            return value
        found = found_type(value)
        run.mismatch(f"number {_number_text(value)}" if found == "number" else found, go, at)
        return 0

    return step


def _number(t: Type) -> _Step:
    go = t.go

    def step(value: Any, at: _At, run: _Run) -> Any:
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


def _int_or_string(t: Type) -> _Step:
    def step(value: Any, at: _At, run: _Run) -> Any:
        if type(value) is str or (type(value) is int and -(1 << 31) <= value < 1 << 31):
            return value
        found = found_type(value)
        raise _Abort(_type_error(f"number {_number_text(value)}" if found == "number" else found, "int32", at))

    return step


def _quantity(t: Type, form: Callable[[str], str] = canonical) -> _Step:
    def step(value: Any, at: _At, run: _Run) -> Any:
        try:
            return form(value.strip() if type(value) is str else _quantity_text(value))
        except ValueError as error:
            raise _Abort(str(error)) from None

    return step


def _quantity_text(value: Any) -> str:
    """UnmarshalJSON takes the raw JSON, so numbers parse and all else fails like any text that is no quantity."""
    return _number_text(value) if found_type(value) == "number" else "none"


def _time(t: Type) -> _Step:
    form = gotext.micro_time if t.kind == "micro-time" else gotext.time

    def step(value: Any, at: _At, run: _Run) -> Any:
        if type(value) is not str:
            raise _Abort(_type_error(found_type(value), "string", at))
        try:
            return form(value)
        except ValueError as error:
            raise _Abort(str(error)) from None

    return step


def _bytes(t: Type) -> _Step:
    go = t.go

    def step(value: Any, at: _At, run: _Run) -> Any:
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


def _any(t: Type) -> _Step:
    return _schema_or_else(t) if t.element is not None else lambda value, at, run: value


def _schema_or_else(t: Type) -> _Step:
    """CRD schemas in places that take something else too: a boolean, or a list of schemas or of strings.

    Their own UnmarshalJSON reads the schema inside, so unknown fields in it are dropped without a word.
    """
    schema = t.element
    assert schema is not None
    boolean = t.name.endswith("OrBool")
    items = Type("string", go="string") if t.name.endswith("OrStringArray") else schema

    def step(value: Any, at: _At, run: _Run) -> Any:
        inner = _Run()
        if isinstance(value, dict):
            result = decoder(schema)(value, at, inner)
        elif boolean:
            if type(value) is not bool:
                raise _Abort("boolean or JSON schema expected")
            result = value
        elif isinstance(value, list):
            result = decoder(Type("list", go="[]" + items.go, element=items))(value, at, inner) or None
        else:
            result = None
        if inner.error:
            raise _Abort(inner.error)
        return result

    return step


def _list(t: Type) -> _Step:
    go, element = t.go, t.element
    assert element is not None
    texts = element.kind == "string"

    def step(value: Any, at: _At, run: _Run) -> Any:
        if type(value) is not list:
            run.mismatch(found_type(value), go, at)
            return None
        if texts and all(type(item) is str for item in value):
            return value
        inner = decoder(element)
        return [zero(element) if item is None else inner(item, (at, index), run) for index, item in enumerate(value)]

    return step


def _map(t: Type) -> _Step:
    go, element = t.go, t.element
    assert element is not None
    texts = element.kind == "string"
    # Only core's resource lists are rounded up to milli, on their way into the internal version.
    rounded = _quantity(element, canonical_milli) if go == "v1.ResourceList" else None

    def step(value: Any, at: _At, run: _Run) -> Any:
        if type(value) is dict:
            if texts and all(type(item) is str for item in value.values()):
                return value
            pairs: Iterable[tuple[str, Any]] = value.items()
        elif isinstance(value, Pairs):
            pairs = _told_pairs(value, at, run, None)
        else:
            run.mismatch(found_type(value), go, at)
            return None
        inner = rounded or decoder(element)
        return {key: zero(element) if item is None else inner(item, (at, key), run) for key, item in pairs}

    return step


def _told_pairs(value: Pairs, at: _At, run: _Run, known: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """Every pair in document order, the repeated ones told; in structs only known fields count."""
    seen: set[str] = set()
    for key, item in value.all:
        if key in seen and (known is None or key in known):
            run.report("duplicate field", at, key)
        seen.add(key)
        yield key, item


_KEEP, _DROP_ZERO, _NULL_WHEN_EMPTY = range(3)


@dataclass(slots=True)
class _Table:
    """An object Type, compiled: how to treat each field, the order to write them in, and what is always there."""

    fields: dict[str, tuple[int, bool, _Step, int, _Edge, Any]]
    order: tuple[str, ...]
    always: tuple[tuple[str, Type], ...]


def _table(t: Type) -> _Table:
    struct = t.go.rpartition(".")[2]
    fields = {}
    for index, (name, f) in enumerate(t.fields.items()):
        edge = _Edge(name, f"{f.via}.{name}" if f.via else name, struct)
        fields[name] = (index, f.kind == "string", decoder(f), _treatment(t, f), edge, f)
    always = tuple((name, f) for name, f in t.fields.items() if not f.omitempty)
    return _Table(fields, tuple(t.fields), always)


def _treatment(t: Type, f: Type) -> int:
    """What becomes of a zero value that was given."""
    if f.pointer:
        return _KEEP
    if f.omitempty:
        return _DROP_ZERO
    # Storage in protobuf forgets the difference between empty and nil; CRDs and APIServices are stored as JSON.
    in_json = t.name.startswith(("io.k8s.apiextensions-apiserver", "io.k8s.kube-aggregator"))
    return _NULL_WHEN_EMPTY if f.kind in ("list", "map") and not in_json else _KEEP


def _object(t: Type) -> _Step:
    table: _Table | None = None

    def step(value: Any, at: _At, run: _Run) -> Any:
        nonlocal table
        if table is None:
            table = _table(t)
        fields = table.fields
        if type(value) is dict:
            pairs: Iterable[tuple[str, Any]] = value.items()
        elif isinstance(value, Pairs):
            pairs = _told_pairs(value, at, run, fields)
        else:
            run.mismatch(found_type(value), t.go, at)
            return {}
        result: dict[str, Any] = {}
        last, ordered = -1, True
        for key, item in pairs:
            known = fields.get(key)
            if known is None:
                run.unknown(at, key)
                continue
            if item is None:
                continue
            index, text, inner, treatment, edge, f = known
            if not text or type(item) is not str:
                item = inner(item, (at, edge), run)
            if treatment == _DROP_ZERO:
                if not item or (f.kind == "object" and item == zero(f)):
                    continue
            elif treatment == _NULL_WHEN_EMPTY and not item:
                item = None
            result[key] = item
            ordered = ordered and index > last
            last = index
        for name, f in table.always:
            if name not in result:
                result[name] = zero(f)
                ordered = False
        return result if ordered else {name: result[name] for name in table.order if name in result}

    return step


_COMPILERS: Mapping[str, Callable[[Type], _Step]] = {
    "object": _object,
    "map": _map,
    "list": _list,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "time": _time,
    "micro-time": _time,
    "bytes": _bytes,
    "any": _any,
}
