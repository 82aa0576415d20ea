"""Manifests from files into a server of this process, by server-side apply: Cluster.apply and `fakekube up --apply`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import yaml

from fakeapi.clock import RealClock
from fakeapi.request import User
from fakeapi.resources.base import Resource

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

Obj = dict[str, Any]

ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"))
MANAGER = "fakekube"
SUFFIXES = (".yaml", ".yml", ".json")
# How long a custom resource waits for its definition to be served.
SERVED_SECONDS = 5.0
_POLL = 0.005


class ManifestError(Exception):
    """A manifest that cannot be read or applied; the message is one line for a person."""


def read(source: str | Path | Obj) -> list[Obj]:
    """The objects of a file, of all files of a directory (by name), of a YAML text with a line end in it, or the object
    itself. ManifestError."""
    if isinstance(source, Mapping):
        return list(_flat(dict(source), "the object"))
    if isinstance(source, str) and "\n" in source:
        return list(_parse(source, "the text"))
    path = Path(source)
    files = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise ManifestError(f"{path} has no manifests ({', '.join(SUFFIXES)})")
    found: list[Obj] = []
    for file in files:
        try:
            found += _parse(file.read_text(), str(file))
        except OSError as error:
            raise ManifestError(f"cannot read {file}: {error.strerror}") from error
    return found


def _parse(text: str, where: str) -> Iterator[Obj]:
    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise ManifestError(f"{where} is not YAML{line}") from error
    for document in documents:
        if document is not None:
            yield from _flat(document, where)


def _flat(document: Any, where: str) -> Iterator[Obj]:
    """The object, or the items of a List."""
    if not isinstance(document, dict) or "kind" not in document or "apiVersion" not in document:
        raise ManifestError(f"{where}: every object needs apiVersion and kind")
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _flat(item, where)
    else:
        yield document


async def apply(server: ApiServer, objects: list[Obj], namespace: str = "default") -> list[Obj]:
    """Apply them in order; what the server made of them. ManifestError for the first that it refuses."""
    return [await _apply(server, obj, namespace) for obj in objects]


async def _apply(server: ApiServer, obj: Obj, namespace: str) -> Obj:
    row, version = await _row(server, obj)
    metadata = obj.get("metadata") or {}
    prefix = f"/apis/{row.group}/{version}" if row.group else f"/api/{version}"
    if row.namespaced:
        prefix += f"/namespaces/{quote(metadata.get('namespace') or namespace)}"
    name = metadata.get("name", "")
    method, target, media = (
        "PATCH",
        f"{prefix}/{row.plural}/{quote(name)}?fieldManager={MANAGER}&force=true",
        "application/apply-patch+yaml",
    )
    if not name:
        method, target, media = "POST", f"{prefix}/{row.plural}?fieldManager={MANAGER}", "application/json"
    headers = {"content-type": media, "accept": "application/json", "user-agent": f"{MANAGER}/v1"}
    answer = await server.call(method, target, headers, orjson.dumps(obj), ADMIN)
    assert isinstance(answer.body, bytes)
    try:
        found: Obj = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = {"message": answer.body.decode("utf-8", "replace").strip()}
    if answer.status >= 300:
        raise ManifestError(
            f"{obj['kind']} {name or metadata.get('generateName', '')}: {found.get('message', answer.status)}"
        )
    return found


async def _row(server: ApiServer, obj: Obj) -> tuple[Resource, str]:
    """The resource of a manifest; one of a definition that was applied just before is a moment late."""
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    clock = RealClock()
    deadline = clock.monotonic() + SERVED_SECONDS
    while True:
        row = server.table.by_kind(group, version, obj["kind"])
        if row is not None:
            return row, version
        defined = [
            d
            for d in await server.reader.list("apiextensions.k8s.io", "customresourcedefinitions")
            if d["spec"].get("group") == group
        ]
        if not defined or clock.monotonic() > deadline:
            raise ManifestError(f"no kind {obj['kind']!r} in version {obj['apiVersion']!r}")
        await clock.sleep(_POLL)
