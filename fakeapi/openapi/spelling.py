"""How paths and definitions are spelt in OpenAPI v3 and in v2 (Swagger).

Stands for kube-openapi's builder3 and builder. Parameters that all operations of a path share are the path's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fakeapi.openapi.paths import Operation, PathItem, parameters

Obj = dict[str, Any]

_COMPONENTS = "#/components/schemas/"
_DEFINITIONS = "#/definitions/"
_REASONS = {200: "OK", 201: "Created", 202: "Accepted"}
_NAMESPACE = "object name and auth scope, such as for teams and projects"


def v3_path(item: PathItem, minor: int) -> Obj:
    """One path item of a v3 document."""
    shared, own = _split(item, minor)
    made: Obj = {operation.method: _v3_operation(operation, item, own) for operation in item.operations}
    if described := _described(item, shared):
        made["parameters"] = [_v3_parameter(*where) for where in described]
    return made


def v2_path(item: PathItem, minor: int) -> Obj:
    """One path item of a v2 document."""
    shared, own = _split(item, minor)
    made: Obj = {operation.method: _v2_operation(operation, item, own) for operation in item.operations}
    if described := _described(item, shared):
        made["parameters"] = [_v2_parameter(*where) for where in described]
    return made


def v2_schema(schema: Any) -> Any:
    """A v3 schema as v2 has it: references point to definitions and stand beside a description, defaults of {} go."""
    if isinstance(schema, list):
        return [v2_schema(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made: Obj = {}
    for key, value in schema.items():
        if key == "$ref":
            made[key] = value.replace(_COMPONENTS, _DEFINITIONS)
        elif key == "allOf" and len(value) == 1 and "$ref" in value[0]:
            made["$ref"] = value[0]["$ref"].replace(_COMPONENTS, _DEFINITIONS)
        elif key == "properties":
            made[key] = {name: v2_schema(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties", "allOf"):
            made[key] = v2_schema(value)
        elif key != "default" or value != {}:
            made[key] = value
    return made


def references(node: Any) -> Iterable[str]:
    """Names of the definitions that a piece of a v3 document refers to."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from references(value)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def _split(item: PathItem, minor: int) -> tuple[list[str], frozenset[str]]:
    """Parameters of the path as a whole, and what operations may have beside them: what the minor knows."""
    known = {key for key, fact in parameters().items() if fact.get("since", 0) <= minor}
    own = [known.intersection(operation.parameters) for operation in item.operations]
    shared = frozenset.intersection(*map(frozenset, own)) if own else frozenset()
    raw = not item.kind or any(operation.action == "connect" for operation in item.operations)
    return sorted({*shared, *([] if raw else ["pretty"])}), frozenset(known - shared)


def _described(item: PathItem, shared: Iterable[str]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(where, name, fact) of a path's own parameters, by name."""
    texts = {"name": f"name of the {item.kind}", "namespace": _NAMESPACE, "path": "path to the resource"}
    found: list[tuple[str, str, Mapping[str, Any]]] = [
        ("path", name, {"type": "string", "description": texts[name]}) for name in item.placeholders
    ]
    found += [("query", key, parameters()[key]) for key in shared]
    return sorted(found, key=lambda entry: _name(entry[1]))


def _v3_parameter(where: str, key: str, fact: Mapping[str, Any]) -> Obj:
    required = {"required": True} if where == "path" else {}
    schema = {"type": fact["type"], "uniqueItems": True}
    return {"name": _name(key), "in": where, "description": fact["description"], **required, "schema": schema}


def _v2_parameter(where: str, key: str, fact: Mapping[str, Any]) -> Obj:
    required = {"required": True} if where == "path" else {}
    typed = {"uniqueItems": True, "type": fact["type"], "description": fact["description"]}
    return {**typed, "name": _name(key), "in": where, **required}


def _name(key: str) -> str:
    return key.rpartition(".")[2]


def _v3_operation(operation: Operation, item: PathItem, own: frozenset[str]) -> Obj:
    made: Obj = {"tags": [item.tag], "description": operation.description, "operationId": operation.operation_id}
    keys = [key for key in operation.parameters if key in own]
    if keys:
        made["parameters"] = [_v3_parameter("query", key, parameters()[key]) for key in keys]
    if operation.body:
        made["requestBody"] = {"content": _content(operation.consumes, operation.body)}
        if operation.body_required:
            made["requestBody"]["required"] = True
    responses = {
        str(code): {"description": _REASONS[code], "content": _content(operation.produces, name)}
        for code, name in operation.returns
    }
    made["responses"] = {**responses, "401": {"description": "Unauthorized"}}
    return {**made, **_extensions(operation)}


def _content(types: Iterable[str], name: str) -> Obj:
    schema = {"type": "string"} if name == "string" else {"$ref": _COMPONENTS + name}
    return {media: {"schema": schema} for media in types}


def _v2_operation(operation: Operation, item: PathItem, own: frozenset[str]) -> Obj:
    made: Obj = {
        "description": operation.description,
        "consumes": list(operation.consumes),
        "produces": list(operation.produces),
        "schemes": ["https"],
        "tags": [item.tag],
        "operationId": operation.operation_id,
    }
    body: list[Obj] = []
    if operation.body:
        required = {"required": True} if operation.body_required else {}
        body = [{"name": "body", "in": "body", **required, "schema": _v2_reference(operation.body)}]
    queries = [_v2_parameter("query", key, parameters()[key]) for key in operation.parameters if key in own]
    if body or queries:
        made["parameters"] = body + queries
    responses = {
        str(code): {"description": _REASONS[code], "schema": _v2_reference(name)} for code, name in operation.returns
    }
    made["responses"] = {**responses, "401": {"description": "Unauthorized"}}
    return {**made, **_extensions(operation)}


def _v2_reference(name: str) -> Obj:
    return {"type": "string"} if name == "string" else {"$ref": _DEFINITIONS + name}


def _extensions(operation: Operation) -> Obj:
    if operation.gvk is None:
        return {}
    group, version, kind = operation.gvk
    gvk = {"group": group, "version": version, "kind": kind}
    return {"x-kubernetes-action": operation.action, "x-kubernetes-group-version-kind": gvk}
