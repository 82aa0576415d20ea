"""Names, identities and sizes of images as containerd reports them."""

from __future__ import annotations

import hashlib

from fakenodes.kubelet.runtime.script import Script

MEGABYTE = 1_000_000


def full_name(image: str) -> str:
    """As containerd reports it: `nginx` is `docker.io/library/nginx:latest`."""
    name, at, digest = image.partition("@")
    if not at and name.rfind(":") <= name.rfind("/"):
        name += ":latest"
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return f"{name}@{digest}" if at else name


def image_id(image: str) -> str:
    """A repository digest that is the same for equal names."""
    name = full_name(image)
    if "@" in name:
        return name
    return f"{name[: name.rindex(':')]}@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def image_size(image: str, script: Script) -> int:
    """Bytes: what the script says, else something between 10 and 200 MB that depends on the name alone."""
    digest = hashlib.sha256(full_name(image).encode()).digest()
    return script.image_size or (10 + int.from_bytes(digest[:2], "big") % 190) * MEGABYTE
