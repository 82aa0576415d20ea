"""What a server says that it serves: /api, /apis, /apis/<group>, /apis/<group>/<version> and aggregated discovery.

Stands for apiserver's pkg/endpoints/discovery, kube-aggregator's /apis and apiextensions' discovery controller.
Pure views over the table; Views keeps their encoded bytes until the table changes. Leaves out APIServices that lead to
another server.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from fakeapi.resources.base import Resource, Subresource
from fakeapi.resources.table import Table

Obj = dict[str, Any]

AGGREGATED_VERSIONS = ("v2", "v2beta1")
_JSON = frozenset(("application/json", "application/*", "*/*"))


def api_versions(server_address: str) -> Obj:
    """GET /api. server_address: host:port at which clients from anywhere reach the server."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def api_group_list(table: Table) -> Obj:
    """GET /apis: every group but the core."""
    groups = [_group(table, group) for group in table.groups() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(table: Table, group: str) -> Obj | None:
    """GET /apis/<group>; None when it is not served."""
    if not group or not table.versions(group):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(table, group)}


def api_resource_list(table: Table, group: str, version: str) -> Obj | None:
    """GET /api/<version> or /apis/<group>/<version>; None when it is not served."""
    rows = table.resources(group, version)
    if not rows:
        return None
    # Upstream's core group is installed by another path, which has never set apiVersion.
    head: Obj = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group else {})
    head["groupVersion"] = f"{group}/{version}" if group else version
    return {**head, "resources": [entry for row in rows for entry in _resources(row)]}


def aggregated(table: Table, core: bool, version: str = "v2") -> Obj:
    """APIGroupDiscoveryList of /api (core) or /apis, in one of AGGREGATED_VERSIONS."""
    groups = [group for group in table.groups() if core is (group == "")]
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {
                    "version": served,
                    "resources": [_discovered(row) for row in table.resources(group, served)],
                    "freshness": "Current",
                }
                for served in table.versions(group)
            ],
        }
        for group in groups
    ]
    kind = {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}"}
    return {**kind, "metadata": {}, "items": items}


def aggregated_version(accept: str) -> str:
    """The version of aggregated discovery that an Accept header gets on /api or /apis; "" for the plain document.

    Only aggregated clauses count here, so a plain application/json before one does not win.
    """
    found: list[tuple[float, str]] = []
    for clause in accept.split(","):
        media, *rest = (part.strip() for part in clause.split(";"))
        options = dict(part.partition("=")[::2] for part in rest)
        asked = options.get("g"), options.get("as")
        if media in _JSON and asked == ("apidiscovery.k8s.io", "APIGroupDiscoveryList"):
            found.append((-_quality(options.get("q", "")), options.get("v", "")))
    served = [version for _, version in sorted(found, key=lambda entry: entry[0]) if version in AGGREGATED_VERSIONS]
    return served[0] if served else ""


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def aggregated_media_type(version: str) -> str:
    """The Content-Type of an aggregated answer."""
    return f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


def storage_version_hash(row: Resource) -> str:
    """What says in which version objects are stored: base64 of 8 bytes; "" for what is not stored."""
    if row.virtual:
        return ""
    group = row.group if row.storage_group is None else row.storage_group
    digest = hashlib.sha256(f"{group}/{row.hashed_version or row.storage_version}/{row.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


class Views:
    """Encoded discovery documents of one table, made when asked for and kept until the table changes."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._generation = -1
        self._made: dict[tuple[str, ...], bytes | None] = {}
        self._etags: dict[tuple[str, ...], str] = {}

    def group_list(self) -> bytes:
        """The body of /apis."""
        body = self._view(("apis",), lambda: api_group_list(self._table))
        assert body is not None
        return body

    def group(self, group: str) -> bytes | None:
        """The body of /apis/<group>; None: not found."""
        return self._view(("group", group), lambda: api_group(self._table, group))

    def resource_list(self, group: str, version: str) -> bytes | None:
        """The body of /apis/<group>/<version>; None: not found."""
        return self._view(("list", group, version), lambda: api_resource_list(self._table, group, version))

    def aggregated(self, core: bool, version: str) -> tuple[bytes, str]:
        """The aggregated body of /api or /apis and its ETag (quoted)."""
        key = ("core" if core else "groups", version)
        body = self._view(key, lambda: aggregated(self._table, core, version))
        assert body is not None
        if key not in self._etags:
            self._etags[key] = f'"{hashlib.sha512(body).hexdigest().upper()}"'
        return body, self._etags[key]

    def _view(self, key: tuple[str, ...], make: Callable[[], Obj | None]) -> bytes | None:
        if self._generation != self._table.generation:
            self._made.clear()
            self._etags.clear()
            self._generation = self._table.generation
        if key not in self._made:
            made = make()
            if made is None:
                return None
            self._made[key] = orjson.dumps(made) + b"\n"
        return self._made[key]


def _group(table: Table, group: str) -> Obj:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in table.versions(group)]
    return {"name": group, "versions": versions, "preferredVersion": dict(versions[0])}


def _resources(row: Resource) -> list[Obj]:
    """A row's APIResources: the resource, then its subresources."""
    main: Obj = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    for name, value in (("shortNames", row.short_names), ("categories", row.categories)):
        if value:
            main[name] = list(value)
    if digest := storage_version_hash(row):
        main["storageVersionHash"] = digest
    return [main, *(_subresource(row, sub) for sub in row.subresources)]


def _subresource(row: Resource, sub: Subresource) -> Obj:
    other = {} if sub.group is None else {"group": sub.group, "version": sub.version}
    return {
        "name": f"{row.plural}/{sub.name}",
        "singularName": "",
        "namespaced": row.namespaced,
        **other,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }


def _discovered(row: Resource) -> Obj:
    """A row in aggregated discovery. Group and version of a kind are empty when they are the resource's own."""
    found: Obj = {
        "resource": row.plural,
        "responseKind": {"group": "", "version": "", "kind": row.kind},
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": list(row.verbs),
    }
    for name, value in (("shortNames", row.short_names), ("categories", row.categories)):
        if value:
            found[name] = list(value)
    if row.subresources:
        found["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group or "", "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for sub in row.subresources
        ]
    return found
