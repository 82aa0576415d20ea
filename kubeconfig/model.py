"""The kubeconfig file: make one, merge one into another, read the current context, write it safely.

Stands for client-go's clientcmd. A config is the plain dict that its YAML holds.
"""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

Config = dict[str, Any]


class KubeconfigError(ValueError):
    """A file that is no kubeconfig, or lacks what is asked of it; the message is one line for a person."""


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def make(
    *,
    server: str,
    ca: bytes,
    certificate: bytes,
    key: bytes,
    name: str = "fakekube",
    user: str = "",
    namespace: str = "",
) -> Config:
    """A kubeconfig with one cluster, one user by client certificate, and one context, all of that name.

    PEM in, base64 inside.
    """
    user = user or f"{name}-admin"
    context = {"cluster": name, "user": user, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": _b64(ca)}}],
        "users": [{"name": user, "user": {"client-certificate-data": _b64(certificate), "client-key-data": _b64(key)}}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
        "preferences": {},
    }


def merge(base: Config, added: Config) -> Config:
    """Base with added's clusters, users and contexts; equal names are replaced, and added's context becomes current."""
    merged = {"apiVersion": "v1", "kind": "Config", "preferences": {}, **base}
    for section in ("clusters", "users", "contexts"):
        fresh = {entry["name"]: entry for entry in added.get(section) or []}
        kept = [entry for entry in base.get(section) or [] if entry["name"] not in fresh]
        merged[section] = kept + list(fresh.values())
    merged["current-context"] = added.get("current-context") or base.get("current-context", "")
    return merged


def load(path: Path) -> Config:
    """Read a file. KubeconfigError when it cannot be read or is no kubeconfig."""
    try:
        config = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise KubeconfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path} is not YAML") from error
    if not isinstance(config, dict) or "clusters" not in config:
        raise KubeconfigError(f"{path} is not a kubeconfig")
    return config


def dump(config: Config) -> str:
    """As YAML, in the order that clientcmd writes."""
    return yaml.safe_dump(config, sort_keys=True)


def write(path: Path, config: Config) -> None:
    """Write with mode 0600 by rename: whoever sees the file can use it. KubeconfigError when that fails."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(dump(config))
        os.chmod(temporary, 0o600)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise KubeconfigError(f"cannot write the kubeconfig {path}: {error.strerror}") from error


class Access(Struct, frozen=True):
    """How to reach a cluster as one user: a URL and PEM or token credentials (empty where not given)."""

    server: str
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    insecure: bool = False
    namespace: str = "default"


def _named(config: Config, section: str, field: str, name: str) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            found: dict[str, Any] = entry.get(field) or {}
            return found
    raise KubeconfigError(f"the kubeconfig has no {field} {name!r}")


def _material(source: dict[str, Any], key: str, directory: Path) -> bytes:
    if source.get(f"{key}-data"):
        try:
            return base64.b64decode(source[f"{key}-data"])
        except ValueError as error:
            raise KubeconfigError(f"{key}-data is not base64") from error
    if not source.get(key):
        return b""
    try:
        return (directory / str(source[key])).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"cannot read {source[key]}: {error.strerror}") from error


def access(config: Config, directory: Path = Path(), context: str = "") -> Access:
    """What the context (by default the current one) says; relative files are looked up in directory."""
    chosen = _named(config, "contexts", "context", context or config.get("current-context", ""))
    cluster = _named(config, "clusters", "cluster", chosen.get("cluster", ""))
    user = _named(config, "users", "user", chosen.get("user", "")) if chosen.get("user") else {}
    token = user.get("token", "") or _material(user, "tokenFile", directory).decode().strip()
    return Access(
        server=cluster.get("server", "").rstrip("/"),
        ca=_material(cluster, "certificate-authority", directory),
        certificate=_material(user, "client-certificate", directory),
        key=_material(user, "client-key", directory),
        token=token,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        namespace=chosen.get("namespace") or "default",
    )
