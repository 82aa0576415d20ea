"""Files of one volume that get in each other's way. Stands for warningsForOverlappingVirtualPaths of pkg/api/pod."""

from __future__ import annotations

from typing import Any

from fakeapi.gofmt import go_quote

Obj = dict[str, Any]


def overlap_warnings(volumes: list[Obj]) -> list[str]:
    """A warning a pair of files with the same path, or with one below the other."""
    found = []
    for volume in volumes:
        name = go_quote(volume.get("name") or "")
        for kind, label in (("configMap", "name"), ("secret", "secretName"), ("downwardAPI", "")):
            source = volume.get(kind)
            if source:
                shown = _described(kind, source.get(label) or "")
                pairs = _pairs([(item.get("path") or "", "") for item in source.get("items") or ()])
                found += [f"volume {name} ({shown}): overlapping paths: {a[0]} with {b[0]}" for a, b in pairs]
        if volume.get("projected") is not None:
            found += _projected(volume["projected"].get("sources") or [], name)
    return found


def _described(kind: str, name: str) -> str:
    word = {"configMap": "ConfigMap", "secret": "Secret", "downwardAPI": "DownwardAPI"}[kind]
    return word if kind == "downwardAPI" else f"{word} {go_quote(name)}"


def _projected(sources: list[Obj], name: str) -> list[str]:
    found = []
    files: list[tuple[str, str]] = []
    for source in sources:
        if not any(value is not None for value in source.values()):
            found.append(f"volume {name} (Projected) has no sources provided")
        files += _files(source)
    pairs = _pairs(files)
    return found + [
        f"volume {name} (Projected): overlapping paths: {a[0]} ({a[1]}) with {b[0]} ({b[1]})" for a, b in pairs
    ]


def _files(source: Obj) -> list[tuple[str, str]]:
    """Paths of one source, each with what the source is called."""
    for kind in ("configMap", "secret", "downwardAPI"):
        if source.get(kind) is not None:
            shown = _described(kind, source[kind].get("name") or "")
            return [(item.get("path") or "", shown) for item in source[kind].get("items") or ()]
    token, bundle = source.get("serviceAccountToken"), source.get("clusterTrustBundle")
    if token is not None:
        return [(token.get("path") or "", "ServiceAccountToken")]
    if bundle is not None:
        called = bundle.get("name") or bundle.get("signerName") or ""
        return [(bundle.get("path") or "", f"ClusterTrustBundle {go_quote(called)}")]
    return []


def _pairs(files: list[tuple[str, str]]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Each file with the earlier ones it clashes with; paths come out quoted."""
    found = []
    seen: list[tuple[str, str]] = []
    for path, source in files:
        own = path.rstrip("/")
        for other, other_source in seen:
            if own == other or own.startswith(f"{other}/") or other.startswith(f"{own}/"):
                found.append(((go_quote(own), source), (go_quote(other), other_source)))
        seen.append((own, source))
    return found
