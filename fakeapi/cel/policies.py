"""Expressions of admission policies and webhooks: which variables they know, whether they compile, and running them.

Stands for apiserver's pkg/admission/plugin/cel (compile, composition, activation). `Object{...}` and `JSONPatch{...}`,
which upstream resolves on the fly, become message types made for the expression at hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from fakeapi.cel import ast, declarations, environment, literals
from fakeapi.cel import eval as running
from fakeapi.cel.meter import Cancelled
from fakeapi.cel.values import CelError

Schema = Mapping[str, Any]

_STRING: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _STRING}
_DYN: Schema = {"x-kubernetes-int-or-string": True}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


_KIND = _object(group=_STRING, version=_STRING, kind=_STRING)
_RESOURCE = _object(group=_STRING, version=_STRING, resource=_STRING)
_USER = _object(
    username=_STRING,
    uid=_STRING,
    groups=_TEXTS,
    extra={"type": "object", "additionalProperties": _TEXTS},
)
REQUEST = _object(
    kind=_KIND,
    resource=_RESOURCE,
    subResource=_STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=_STRING,
    name=_STRING,
    namespace=_STRING,
    operation=_STRING,
    userInfo=_USER,
    dryRun={"type": "boolean"},
    options=_DYN,
)
_TIME: Schema = {"type": "string", "format": "date-time"}
_MAP: Schema = {"type": "object", "additionalProperties": _STRING}
_CONDITION = _object(status=_STRING, type=_STRING, lastTransitionTime=_TIME, message=_STRING, reason=_STRING)
NAMESPACE = _object(
    metadata=_object(
        name=_STRING,
        generateName=_STRING,
        namespace=_STRING,
        labels=_MAP,
        annotations=_MAP,
        UID=_STRING,
        creationTimestamp=_TIME,
        deletionGracePeriodSeconds={"type": "integer"},
        deletionTimestamp=_TIME,
        generation={"type": "integer"},
        resourceVersion=_STRING,
        finalizers=_TEXTS,
    ),
    spec=_object(finalizers=_TEXTS),
    status=_object(conditions={"type": "array", "items": _CONDITION}, phase=_STRING),
)
# Types of variables that a schema can say; all others are dyn.
_SCHEMAS: Mapping[str, Schema] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "double": {"type": "number"},
    "string": _STRING,
    "bytes": {"type": "string", "format": "byte"},
    "timestamp": _TIME,
    "duration": {"type": "string", "format": "duration"},
    "list(string)": _TEXTS,
    "map(string, string)": _MAP,
}
# `Object.spec.template{`, `JSONPatch{`: what makes a value of a patch type.
_MADE = re.compile(r"\b(Object(?:\.\w+)*|JSONPatch)(?=\s*\{)")
_NAMED = re.compile(r"\b([A-Za-z_]\w*)\s*:")


class PolicyError(Exception):
    """An expression that does not compile; str() is upstream's message."""


class Program(Struct, frozen=True):
    """A checked expression: its type, and what runs it."""

    text: str
    type: str
    run: running.Metered


class Variable(Struct, frozen=True):
    """A variable of a policy and the type of its expression."""

    name: str
    type: str


@lru_cache(maxsize=512)
def compile(
    text: str,
    *,
    params: bool,
    variables: tuple[Variable, ...] | None = (),
    authorizer: bool = True,
    patching: bool = False,
) -> Program:
    """Check an expression. variables: None if `variables` does not exist. PolicyError."""
    made = sorted(set(_MADE.findall(text))) if patching else []
    # Nested message types and fields share their names in protobuf, so that the dots have to go.
    written = _MADE.sub(lambda m: m.group().replace(".", "_"), text) if made else text
    env = _environment(params, variables, authorizer, tuple(made), tuple(_fields(text)) if made else ())
    try:
        checked = env.compile(written)
    except RuntimeError as error:
        told = environment.message_of(error)
        for name in made:
            told = told.replace(name.replace(".", "_"), name)
        raise PolicyError(f"compilation failed: {told}") from None
    data = checked.serialize()
    node = ast.read(data)
    wrong = literals.issues(written, data, node, loose=patching or hides_types(variables or ()))
    if wrong:
        raise PolicyError(f"compilation failed: {wrong}")
    return Program(text, _shown(type_name(str(checked.return_type())), made), running.compile(node))


def type_name(text: str) -> str:
    """A type as cel-go prints it: `LIST<STRING>` is list(string)."""
    return re.sub(r"\b[A-Z_]+\b", lambda m: _NAMES.get(m.group(), m.group()), text).replace("<", "(").replace(">", ")")


_NAMES = {
    name.upper(): name
    for name in "bool int uint double string bytes dyn list map duration timestamp type".split()  # noqa: SIM905
} | {"NULL": "null_type"}


def _shown(kind: str, made: Sequence[str]) -> str:
    for name in made:
        kind = kind.replace(name.replace(".", "_"), name)
    return kind


def _fields(text: str) -> list[str]:
    return sorted(set(_NAMED.findall(text)))


@lru_cache(maxsize=64)
def _environment(
    params: bool,
    variables: tuple[Variable, ...] | None,
    authorizer: bool,
    made: tuple[str, ...],
    fields: tuple[str, ...],
) -> Any:
    schemas = {"request": REQUEST, "namespaceObject": NAMESPACE}
    if variables is not None:
        schemas["variables"] = _object(**{v.name: _SCHEMAS.get(v.type, _DYN) for v in variables})
    types = {"object": "dyn", "oldObject": "dyn"}
    if params:
        types["params"] = "dyn"
    if authorizer:
        types |= {"authorizer": "Authorizer", "authorizer.requestResource": "ResourceCheck"}
    patches: dict[str, Mapping[str, Schema]] = {}
    for name in made:
        own = {"op": _STRING, "path": _STRING, "from": _STRING, "value": _DYN}
        patches[name.replace(".", "_")] = own if name == "JSONPatch" else dict.fromkeys(fields, _DYN)
    return environment.declare(schemas, {n: declarations.type_of(t) for n, t in types.items()}, patches)


def hides_types(variables: Sequence[Variable]) -> bool:
    """Whether a variable is dyn here only because no schema can say its type."""
    return any(v.type not in _SCHEMAS and v.type != "dyn" for v in variables)


def must_be(program: Program, *wanted: str, loose: bool = False) -> None:
    """PolicyError unless the expression is of one of the types. loose: dyn will do, upstream might know better."""
    if program.type in wanted or (loose and program.type in ("dyn", "list(dyn)")):
        return
    if len(wanted) == 1:
        raise PolicyError(f"must evaluate to {wanted[0]} but got {program.type}")
    raise PolicyError(f"must evaluate to one of [{' '.join(wanted)}] but got {program.type}")


def compile_variables(variables: Sequence[Mapping[str, Any]], params: bool) -> tuple[tuple[Variable, Program], ...]:
    """The variables of a policy, each of which may use those before it. PolicyError."""
    done: list[tuple[Variable, Program]] = []
    for variable in variables:
        known = {v.name: v for v, _ in done}
        program = compile(variable.get("expression", ""), params=params, variables=tuple(known.values()))
        done.append((Variable(variable.get("name", ""), program.type), program))
    return tuple(done)


class Composed(dict[str, Any]):
    """`variables`: each is evaluated when it is first asked for. spent: what that cost, to be reset by its reader."""

    def __init__(self, programs: Mapping[str, Program], env: dict[str, Any]) -> None:
        super().__init__()
        self._programs = programs
        self._env = env
        self.spent = 0

    def __contains__(self, name: object) -> bool:
        return name in self._programs

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            program = self._programs[name]
            try:
                self[name] = program.run(self._env)
            except (CelError, Cancelled) as error:
                self[name] = CelError(f'composited variable "{name}" fails to evaluate: {error}')
            self.spent += program.run.spent
        found = super().__getitem__(name)
        if isinstance(found, CelError):
            raise found
        return found


def evaluate(program: Program, env: dict[str, Any]) -> tuple[Any, str]:
    """(value, "") or (None, what went wrong)."""
    try:
        return program.run(env), ""
    except (CelError, Cancelled) as error:
        return None, f"expression '{program.text}' resulted in error: {error}"
