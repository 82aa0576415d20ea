"""The type environment of a schema: `self` and `oldSelf` have the schema's types, so that wrong rules do not compile.

Objects become message types in a descriptor pool made for the schema, with one field a property; names that CEL cannot
spell are escaped as Kubernetes does. Stands for apiserver's pkg/cel/common/schemas.go and pkg/cel/escaping.go. Lists
and maps nested directly in lists or maps are dyn below the first level, which protobuf cannot describe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from cel_expr_python import cel
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from msgspec import Struct

from fakeapi.cel import declarations

Schema = Mapping[str, Any]
_Field = descriptor_pb2.FieldDescriptorProto

_RESERVED = frozenset(
    "true false null in as break const continue else for function if import let loop package namespace return".split()  # noqa: SIM905
)
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_WELL_KNOWN = (any_pb2, struct_pb2, duration_pb2, timestamp_pb2, wrappers_pb2)
_VALUE, _TIMESTAMP, _DURATION = (f".google.protobuf.{name}" for name in ("Value", "Timestamp", "Duration"))
META: Schema = {"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}


def escape(name: str) -> str:
    """A property as an identifier; "" for what cannot be reached from CEL."""
    if name in _RESERVED:
        return f"__{name}__"
    if not re.fullmatch(r"[A-Za-z_./-][\w./-]*", name, re.ASCII):
        return ""
    return re.sub(r"__|[./-]", lambda m: _ESCAPES[m.group()], name)


def with_meta(schema: Schema) -> Schema:
    """The schema of a resource, with the type and metadata every resource has."""
    own = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": META}
    return {**schema, "properties": {**(schema.get("properties") or {}), **own}}


def resource_if(schema: Schema, root: bool) -> Schema:
    """The schema as rules see it."""
    return with_meta(schema) if root or schema.get("x-kubernetes-embedded-resource") else schema


class Environment(Struct, frozen=True):
    """Where expressions on values of one schema compile. optional_old: oldSelf is an optional of self's type."""

    env: Any
    optional_old: bool = False

    def compile(self, text: str) -> Any:
        """The checked expression. RuntimeError."""
        if not self.optional_old:
            return self.env.compile(text)
        # No variable can be declared to be an optional; a bound one can be: the loop that binds it is taken off again.
        try:
            return self.env.compile(f"cel.bind(oldSelf, optional.of(self), {text}\n)")
        except RuntimeError:
            self.env.compile(text)
            raise


def make(schema: Schema, optional_old: bool = False, *texts: str) -> Environment:
    """The environment in which rules on values of this schema compile: at least these texts, if any are given.

    A property that no text names cannot be reached, and is left out: descriptors of large schemas are slow to make."""
    pool, self_type = _types(_reachable(schema, frozenset(_WORD.findall(" ".join(texts)))) if texts else schema)
    old = cel.Type.DYN if optional_old else self_type
    variables = {"self": self_type, "oldSelf": old}
    env = cel.NewEnv(pool, _libraries(optional_old), variables=variables, extensions=[declarations.extension()])
    return Environment(env, optional_old)


def declare(
    schemas: Mapping[str, Schema], types: Mapping[str, Any], messages: Mapping[str, Mapping[str, Schema]]
) -> Any:
    """An environment with one variable a schema, further ones of given types, and message types by name with their
    fields.
    """
    file = descriptor_pb2.FileDescriptorProto(name="self.proto", package="self", syntax="proto2")
    file.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
    kinds = {name: _build(file, schema) for name, schema in schemas.items()}
    own = descriptor_pb2.FileDescriptorProto(name="messages.proto", syntax="proto2")
    own.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
    for name, fields in messages.items():
        message = own.message_type.add(name=name)
        for number, (field, schema) in enumerate(fields.items(), 1):
            _field(own, message, field, number, schema, kind_of(schema))
    for message in file.message_type:
        for field_ in message.field:
            # These types are upstream's own: their names are not escaped.
            field_.name = re.sub(r"^__(\w+)__$", r"\1", field_.name)
    pool = descriptor_pool.DescriptorPool()
    for data in (*_standard_files(), file.SerializeToString(), own.SerializeToString()):
        pool.AddSerializedFile(data)
    variables = {**kinds, **types}
    return cel.NewEnv(pool, _libraries(False), variables=variables, extensions=[declarations.extension()])


_LIBRARIES = ("optional@2", "strings@2", "lists@2", "sets@0", "two-var-comprehensions@0")


@cache
def _libraries(binding: bool) -> Any:
    """CEL's own libraries that Kubernetes has, in the versions it has. binding: cel.bind() too, which it has not."""
    named = (library.split("@") for library in (*_LIBRARIES, *(("bindings@0",) if binding else ())))
    lines = (f"  - name: {name}\n    version: {version}\n" for name, version in named)
    return cel.NewEnvConfigFromYaml(f"name: kubernetes\nextensions:\n{''.join(lines)}")


_WORD = re.compile(r"\w+")


def _reachable(schema: Schema, words: frozenset[str]) -> Schema:
    """The schema without properties that are not among the words."""
    made = dict(schema)
    properties = resource_if(schema, False).get("properties")
    if properties:
        kept = {name: inner for name, inner in properties.items() if escape(name) in words}
        made["properties"] = {name: _reachable(inner, words) for name, inner in kept.items()}
        made.pop("x-kubernetes-embedded-resource", None)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            made[key] = _reachable(schema[key], words)
    return made


def _types(schema: Schema) -> tuple[Any, Any]:
    """(descriptor pool, the type of self)."""
    file = descriptor_pb2.FileDescriptorProto(name="self.proto", package="self", syntax="proto2")
    file.dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
    kind = kind_of(schema)
    # Only as the type of an expression do lists and maps know the messages in them.
    holder = {"type": "object", "properties": {"v": schema}} if kind in ("list", "map") else schema
    built = _build(file, holder)
    pool = descriptor_pool.DescriptorPool()
    for data in _standard_files():
        pool.AddSerializedFile(data)
    pool.AddSerializedFile(file.SerializeToString())
    if holder is schema:
        return pool, built
    return pool, cel.NewEnv(pool, variables={"holder": built}).compile("holder.v").return_type()


@cache
def _standard_files() -> tuple[bytes, ...]:
    made = [module.DESCRIPTOR.serialized_pb for module in _WELL_KNOWN]
    for full in declarations.OPAQUE.values():
        package, _, name = full.rpartition(".")
        file = descriptor_pb2.FileDescriptorProto(name=f"{full}.proto", package=package, syntax="proto2")
        file.message_type.add(name=name)
        made.append(file.SerializeToString())
    return tuple(made)


def _build(file: Any, schema: Schema) -> Any:
    """The CEL type of a schema; adds message types to the file."""
    kind = kind_of(schema)
    if kind == "object":
        return cel.Type(_message(file, schema).removeprefix("."))
    return _SIMPLE[kind]


_SIMPLE = {
    "string": cel.Type.STRING,
    "integer": cel.Type.INT,
    "number": cel.Type.DOUBLE,
    "boolean": cel.Type.BOOL,
    "bytes": cel.Type.BYTES,
    "duration": cel.Type.DURATION,
    "timestamp": cel.Type.TIMESTAMP,
    "dyn": cel.Type.DYN,
}
_FIELD_TYPES = {"string": 9, "integer": 3, "number": 1, "boolean": 8, "bytes": 12}
_FIELD_MESSAGES = {"dyn": _VALUE, "timestamp": _TIMESTAMP, "duration": _DURATION}
_FORMATS = {"byte": "bytes", "duration": "duration", "date": "timestamp", "date-time": "timestamp"}


def kind_of(schema: Schema) -> str:
    """list, map, object, string, bytes, duration, timestamp, integer, number, boolean, dyn; "" cannot be reached."""
    if schema.get("x-kubernetes-int-or-string"):
        return "dyn"
    kind = schema.get("type") or ""
    if kind == "array":
        return "list"
    if kind == "object":
        return "map" if isinstance(schema.get("additionalProperties"), Mapping) else "object"
    if kind == "string":
        return _FORMATS.get(schema.get("format") or "", "string")
    return kind


def _message(file: Any, schema: Schema) -> str:
    name = f"object{len(file.message_type)}"
    message = file.message_type.add(name=name)
    properties = resource_if(schema, False).get("properties") or {}
    number = 0
    for given, inner in properties.items():
        identifier, kind = escape(given), kind_of(inner)
        if identifier and kind:
            number += 1
            _field(file, message, identifier, number, inner, kind)
    return f".self.{name}"


def _field(file: Any, message: Any, name: str, number: int, schema: Schema, kind: str) -> None:
    if kind == "list":
        element = schema.get("items") or {}
        inner = kind_of(element)
        _add(file, message, name, number, element, "dyn" if inner in ("list", "map", "") else inner, label=3)
    elif kind == "map":
        element = schema["additionalProperties"]
        inner = kind_of(element)
        entry = "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Entry"
        pair = message.nested_type.add(name=entry)
        pair.options.map_entry = True
        pair.field.add(name="key", number=1, type=9, label=1)
        _add(file, pair, "value", 2, element, "dyn" if inner in ("list", "map", "") else inner)
        message.field.add(name=name, number=number, type=11, label=3, type_name=f".self.{message.name}.{entry}")
    else:
        _add(file, message, name, number, schema, kind)


def _add(file: Any, message: Any, name: str, number: int, schema: Schema, kind: str, label: int = 1) -> None:
    if kind in _FIELD_TYPES:
        message.field.add(name=name, number=number, type=_FIELD_TYPES[kind], label=label)
        return
    target = _message(file, schema) if kind == "object" else _FIELD_MESSAGES[kind]
    message.field.add(name=name, number=number, type=11, label=label, type_name=target)


def message_of(error: Exception) -> str:
    """What cel-go would have said."""
    text = str(error).removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")
    # What follows from an error that was told is not told by cel-go.
    issues = [issue for issue in re.split(r"\n(?=ERROR: )", text) if "'*error*'" not in issue]
    text = "\n".join(sorted((_first_name(issue) for issue in issues), key=_place)) or text
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    return text


def _place(issue: str) -> tuple[int, int]:
    """Issues are told in the order of where they are."""
    found = re.match(r"ERROR: <input>:(\d+):(\d+):", issue)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _first_name(issue: str) -> str:
    """cel-go names what is undeclared by its first part, and points there; cel-cpp points at the last dot."""
    found = re.match(r"(ERROR: <input>:\d+:)(\d+)(: undeclared reference to ')([\w.]+)('.*)\n \| (.*)\n", issue)
    if found is None or "." not in found[4]:
        return issue
    *parts, _ = found[4].split(".")
    before = re.search(r"\b" + r"\s*\.\s*".join(parts) + r"\s*$", found[6][: int(found[2]) - 1])
    if before is None:
        return issue
    name, column = parts[0], before.start() + 1
    return f"{found[1]}{column}{found[3]}{name}{found[5]}\n | {found[6]}\n | {'.' * (column - 1)}^"


_WORDS = (
    (r"(undefined field '[^']*') not found in struct '[^']*'", r"\1"),
    (
        r"expression of type '([^']*)' cannot be the operand of a select operation",
        r"type '\1' does not support field selection",
    ),
    ("cannot be the range of a comprehension", "cannot be range of a comprehension"),
    ("null_type", "null"),
    (r"google\.protobuf\.(Timestamp|Duration|Any)", lambda m: m[1].lower()),
    (r"google\.protobuf\.Value", "dyn"),
    (r"self\.object\d+", "object"),
)
