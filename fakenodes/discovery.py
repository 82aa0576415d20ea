"""Which resources a server has, as it says itself.

Stands for client-go's discovery client (ServerPreferredResources) and RESTMapper. One version a resource: the first
that the server lists. Reads the aggregated documents, and the legacy ones from servers older than 1.26.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import Struct

from fakenodes.client.base import GVR, Client, ClientError, Obj

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


class Resource(Struct, frozen=True):
    """A resource with its kind and verbs."""

    gvr: GVR
    kind: str
    verbs: frozenset[str]


class Resources(Struct, frozen=True, dict=True):
    """What a server offers. `failed` are the groups that could not be asked (an aggregated server that is away)."""

    preferred: tuple[Resource, ...]
    every: tuple[Resource, ...]
    failed: tuple[str, ...]

    @cached_property
    def kinds(self) -> dict[tuple[str, str], Resource]:
        """By apiVersion and kind; the first of a kind wins."""
        kinds: dict[tuple[str, str], Resource] = {}
        for found in self.every:
            gvr = found.gvr
            kinds.setdefault((f"{gvr.group}/{gvr.version}" if gvr.group else gvr.version, found.kind), found)
        return kinds

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of an apiVersion and kind, in any served version."""
        return self.kinds.get((api_version, kind))


async def discover(client: Client) -> Resources:
    """Ask the server. Raises ClientError or OSError when it does not answer at all."""
    documents = [await client.get_path(path, AGGREGATED) for path in ("/api", "/apis")]
    if all(x.get("kind") == "APIGroupDiscoveryList" for x in documents):
        groups = [_group(x) for document in documents for x in document.get("items") or ()]
    else:
        groups = await _legacy(client, documents)
    every: list[Resource] = []
    preferred: list[Resource] = []
    failed: list[str] = []
    for name, versions in groups:
        seen: set[str] = set()
        for version, resources in versions:
            if resources is None:
                failed.append(f"{name}/{version}" if name else version)
                continue
            every += resources
            preferred += [x for x in resources if x.gvr.resource not in seen]
            seen |= {x.gvr.resource for x in resources}
    return Resources(tuple(preferred), tuple(every), tuple(failed))


_Versions = list[tuple[str, list[Resource] | None]]


def _group(item: Obj) -> tuple[str, _Versions]:
    group = (item.get("metadata") or {}).get("name", "")
    versions: _Versions = []
    for each in item.get("versions") or ():
        version = each["version"]
        stale = each.get("freshness") == "Stale"
        versions.append((version, None if stale else list(_aggregated(group, version, each.get("resources") or ()))))
    return group, versions


def _aggregated(group: str, version: str, resources: Iterable[Obj]) -> Iterator[Resource]:
    for each in resources:
        kind = (each.get("responseKind") or {}).get("kind", "")
        gvr = GVR(group, version, each["resource"], each.get("scope") == "Namespaced")
        if kind and each.get("verbs"):
            yield Resource(gvr, kind, frozenset(each["verbs"]))


async def _legacy(client: Client, documents: list[Obj]) -> list[tuple[str, _Versions]]:
    groups: list[tuple[str, list[str]]] = [("", documents[0].get("versions") or [])]
    for item in documents[1].get("groups") or ():
        first = (item.get("preferredVersion") or {}).get("version", "")
        versions = [x["version"] for x in item.get("versions") or ()]
        groups.append((item["name"], sorted(versions, key=lambda v, first=first: v != first)))  # type: ignore[misc]
    found: list[tuple[str, _Versions]] = []
    for group, versions in groups:
        listed: _Versions = []
        for version in versions:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            try:
                document = await client.get_path(path)
            except ClientError:
                listed.append((version, None))
                continue
            listed.append(
                (
                    version,
                    [
                        Resource(
                            GVR(group, version, x["name"], bool(x["namespaced"])), x["kind"], frozenset(x["verbs"])
                        )
                        for x in document.get("resources") or ()
                        if "/" not in x["name"]
                    ],
                )
            )
        found.append((group, listed))
    return found
