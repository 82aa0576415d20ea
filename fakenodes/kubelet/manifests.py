"""Directories of static pods' manifests: read again and again, each change is given to the nodes.

Stands for pkg/kubelet/config/file.go: one Pod a file, in YAML or JSON; hidden files and directories are left alone; a
file that cannot be used is told of and passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml
from msgspec import Struct

from fakeapi.clock import Clock
from fakenodes.kubelet.static import ManifestError, static_pod

log = logging.getLogger(__name__)

Obj = dict[str, Any]
CHECK_SECONDS = 1.0


class Nodes(Protocol):
    """Who runs what is found."""

    def put_static(self, name: str, source: str, manifest: Obj) -> str:
        """See HollowNodes."""

    def remove_static(self, name: str, source: str) -> None:
        """See HollowNodes."""


class ManifestPath(Struct, frozen=True):
    """A directory (or one file), and the node that reads it; "" is every node."""

    path: Path
    node: str = ""


def parse_path(text: str) -> ManifestPath:
    """`DIR`, or `NODE=DIR`."""
    node, equals, path = text.partition("=")
    return ManifestPath(Path(path), node) if equals and "/" not in node else ManifestPath(Path(text))


def read(path: Path) -> dict[str, Obj]:
    """The manifests by file. OSError when the directory cannot be read."""
    found: dict[str, Obj] = {}
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        if file.name.startswith(".") or not file.is_file():
            continue
        try:
            manifest = yaml.safe_load(file.read_text())
            if not isinstance(manifest, Mapping):
                raise ManifestError(f"{file}: this is no object")
            static_pod(manifest, "node", str(file), 0.0)
        except (OSError, ValueError, yaml.YAMLError) as error:
            log.warning("static pod manifest: %s", error)
            continue
        found[str(file)] = dict(manifest)
    return found


async def follow(nodes: Nodes, names: list[str], where: ManifestPath, clock: Clock) -> None:
    """Keep the nodes' static pods as the directory says, until cancelled."""
    known: dict[str, Obj] = {}
    readers = [name for name in names if where.node in ("", name)]
    while True:
        try:
            found = read(where.path)
        except OSError as error:
            log.warning("static pods: %s", error)
            found = known
        for name in readers:
            for source in known.keys() - found.keys():
                nodes.remove_static(name, source)
            for source, manifest in found.items():
                if known.get(source) != manifest:
                    nodes.put_static(name, source, manifest)
        known = found
        await clock.sleep(CHECK_SECONDS)
