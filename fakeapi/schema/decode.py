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

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from fakeapi.quantity import canonical_milli
from fakeapi.schema.duplicates import Pairs, parse_slowly
from fakeapi.schema.scalars import SCALARS, Abort, At, Edge, Run, Step, found_type, quantity
from fakeapi.schema.types import Type


class DecodeError(ValueError):
    """A value has the wrong type or form; str() is Go's message."""


class Decoded(Struct):
    """value: normalised, may share parts with the input; unknown: texts such as `unknown field "spec.foo"`."""

    value: Any
    unknown: list[str] = field(default_factory=list)


def decode(value: Any, t: Type, *, path: str = "", source: bytes | None = None) -> Decoded:
    """Normalise `value` (parsed JSON) as Type `t`; `path` prefixes the unknown fields' paths.

    source: the JSON text that value was parsed from; only read when something is wrong, to quote numbers as written
    (`number 1e3`). The input may be changed and shared. DecodeError: Go's message.
    """
    run = Run()
    try:
        result = decoder(t)(value, (None, path) if path else None, run)
    except Abort as abort:
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
    run = Run()
    try:
        decoder(t)(parse_slowly(source, keep_duplicates=True), None, run)
    except Abort as abort:
        raise DecodeError(str(abort)) from None
    if run.error:
        raise DecodeError(run.error)
    return list(run.strict)


def decoder(t: Type) -> Step:
    """The compiled decoder of a Type, made once per Type."""
    step: Step | None = t.decoder
    if step is None:
        step = t.decoder = _COMPILERS[t.kind](t)
    return step


def through_storage(obj: Any, t: Type) -> None:
    """What a trip through protobuf in storage does, in place: an empty list that is always encoded comes back as null.

    managedFields are kept before that trip and own the list, so decode() leaves it. Lists inside lists are left alone:
    where they may be null, they may not be empty."""
    for path in _blank_lists(t):
        inner = obj
        for name in path[:-1]:
            inner = inner.get(name) or {}
        if inner.get(path[-1]) in ([], {}):
            inner[path[-1]] = None


@functools.cache
def _blank_lists(t: Type) -> tuple[tuple[str, ...], ...]:
    """Paths, of named fields alone, to the lists and maps that through_storage() blanks."""
    found: list[tuple[str, ...]] = []
    for name, below in t.fields.items():
        if below.kind == "object" and below.name != t.name and name != "metadata":
            found += [(name, *path) for path in _blank_lists(below)]
        elif _is_blanked(t, below):
            found.append((name,))
    return tuple(found)


def zero(t: Type) -> Any:
    """The zero value of a Type as Go encodes it when it is held by value: null, "", 0, or an object of such."""
    if t.kind == "object":
        return {name: zero(f) for name, f in t.fields.items() if not f.omitempty} if not t.pointer else None
    return None if t.pointer else _ZEROS.get(t.kind)


_ZEROS = {"string": "", "integer": 0, "number": 0, "boolean": False, "quantity": "0", "int-or-string": 0}


def _any(t: Type) -> Step:
    return _schema_or_else(t) if t.element is not None else lambda value, at, run: value


def _schema_or_else(t: Type) -> Step:
    """CRD schemas in places that take something else too: a boolean, or a list of schemas or of strings.

    Their own UnmarshalJSON reads the schema inside, so unknown fields in it are dropped without a word.
    """
    schema = t.element
    assert schema is not None
    boolean = t.name.endswith("OrBool")
    items = Type("string", go="string") if t.name.endswith("OrStringArray") else schema

    def step(value: Any, at: At, run: Run) -> Any:
        inner = Run()
        if isinstance(value, dict):
            result = decoder(schema)(value, at, inner)
        elif boolean:
            if type(value) is not bool:
                raise Abort("boolean or JSON schema expected")
            result = value
        elif isinstance(value, list):
            result = decoder(Type("list", go="[]" + items.go, element=items))(value, at, inner) or None
        else:
            result = None
        if inner.error:
            raise Abort(inner.error)
        return result

    return step


def _list(t: Type) -> Step:
    go, element = t.go, t.element
    assert element is not None
    texts = element.kind == "string"

    def step(value: Any, at: At, run: Run) -> Any:
        if type(value) is not list:
            run.mismatch(found_type(value), go, at)
            return None
        if texts and all(type(item) is str for item in value):
            return value
        inner = decoder(element)
        return [zero(element) if item is None else inner(item, (at, index), run) for index, item in enumerate(value)]

    return step


def _map(t: Type) -> Step:
    go, element = t.go, t.element
    assert element is not None
    texts = element.kind == "string"
    # Only core's resource lists are rounded up to milli, on their way into the internal version.
    rounded = quantity(element, canonical_milli) if go == "v1.ResourceList" else None

    def step(value: Any, at: At, run: Run) -> Any:
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


def _told_pairs(value: Pairs, at: At, run: Run, known: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """Every pair in document order, the repeated ones told; in structs only known fields count."""
    seen: set[str] = set()
    for key, item in value.all:
        if key in seen and (known is None or key in known):
            run.report("duplicate field", at, key)
        seen.add(key)
        yield key, item


_KEEP, _DROP_ZERO = range(2)


class _Table(Struct):
    """An object Type, compiled: how to treat each field, the order to write them in, and what is always there."""

    fields: dict[str, tuple[int, bool, Step, int, Edge, Any]]
    order: tuple[str, ...]
    always: tuple[tuple[str, Type], ...]


def _table(t: Type) -> _Table:
    struct = t.go.rpartition(".")[2]
    fields = {}
    for index, (name, f) in enumerate(t.fields.items()):
        edge = Edge(name, f"{f.via}.{name}" if f.via else name, struct)
        fields[name] = (index, f.kind == "string", decoder(f), _treatment(t, f), edge, f)
    always = tuple((name, f) for name, f in t.fields.items() if not f.omitempty)
    return _Table(fields, tuple(t.fields), always)


def _treatment(t: Type, f: Type) -> int:
    """What becomes of a zero value that was given."""
    if f.pointer:
        return _KEEP
    return _DROP_ZERO if f.omitempty else _KEEP


def _is_blanked(t: Type, f: Type) -> bool:
    """Whether storage in protobuf turns an empty value into null; CRDs and APIServices are stored as JSON."""
    in_json = t.name.startswith(("io.k8s.apiextensions-apiserver", "io.k8s.kube-aggregator"))
    return f.kind in ("list", "map") and not (f.pointer or f.omitempty or in_json)


def _object(t: Type) -> Step:
    table: _Table | None = None

    def step(value: Any, at: At, run: Run) -> Any:
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
        kept: dict[str, Any] = {}
        last, ordered = -1, True
        for key, item in pairs:
            known = fields.get(key)
            if known is None:
                if t.preserve_unknown:
                    kept[key] = item
                else:
                    run.unknown(at, key)
                continue
            if item is None:
                continue
            index, text, inner, treatment, edge, f = known
            if not text or type(item) is not str:
                item = inner(item, (at, edge), run)
            if treatment == _DROP_ZERO and (not item or (f.kind == "object" and item == zero(f))):
                continue
            result[key] = item
            ordered = ordered and index > last
            last = index
        for name, f in table.always:
            if name not in result:
                result[name] = zero(f)
                ordered = False
        if not ordered:
            result = {name: result[name] for name in table.order if name in result}
        return result | kept if kept else result

    return step


_COMPILERS: Mapping[str, Callable[[Type], Step]] = {
    "object": _object,
    "map": _map,
    "list": _list,
    "any": _any,
    **SCALARS,
}
