"""Semantic versions.

Stands for apiserver's pkg/cel/library/semverlib.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from fakeapi.cel.library.arguments import is_valid, need_text
from fakeapi.cel.values import CelError
from fakeapi.gofmt import go_quote
from fakeapi.patterns import lazy


class Semver(Struct, frozen=True):
    """kubernetes.Semver."""

    key: tuple[Any, ...]
    TYPE = "kubernetes.Semver"


_SEMVER = lazy(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


def _semver(text: Any, normalize: bool = False) -> Semver:
    plain = need_text(text)
    if normalize:
        plain = plain.removeprefix("v")
        core, mark, rest = re.match(r"([^-+]*)([-+]?)(.*)", plain, re.DOTALL).groups()  # type: ignore[union-attr]
        numbers = [number.lstrip("0") or "0" for number in core.split(".")]
        plain = ".".join(numbers + ["0"] * (3 - len(numbers))) + mark + rest
    match = _SEMVER.fullmatch(plain)
    if match is None:
        raise CelError(
            "No Major.Minor.Patch elements found"
            if plain.count(".") < 2
            else f"Invalid character(s) found in version {go_quote(plain)}"
        )
    major, minor, patch, pre = match.groups()
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")) if pre else ()
    return Semver((int(major), int(minor), int(patch), not pre, parts))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "semver": _semver,
    "isSemver": is_valid(_semver),
    "major": lambda v: v.key[0],
    "minor": lambda v: v.key[1],
    "patch": lambda v: v.key[2],
}
