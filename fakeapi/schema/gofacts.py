"""What Go's structs say and OpenAPI does not: field order, pointers, omitempty, named scalar types.

The facts are in gofacts.txt, one line a definition, made from the struct tags of Kubernetes 1.36 (fields and
definitions that 1.36 lacks: of the nearest minor that has them). Values of enumerated strings (`+enum`, 1.36's) are in
enums.json: [values, fields that take them]. A word of gofacts.txt is one field, in Go's order:

    [via/]name[*][!][%][:type]    via: the embedded struct it comes from; * pointer; ! no omitempty; % omitzero
                                  type: Go's, where OpenAPI's does not tell it

Stands for the struct tags that encoding/json reads.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from msgspec import Struct

from fakeapi.patterns import lazy

ZERO: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False}

_WORD = lazy(r"(?:([\w.]+)/)?([^*!%:]+)(\*?)(!?)(%?)(?::(.*))?$")


class Fact(Struct, frozen=True):
    """One field. omitzero: structs too are left out when zero; go: "" when OpenAPI's type says it."""

    pointer: bool = False
    omitempty: bool = True
    omitzero: bool = False
    go: str = ""
    via: str = ""


@functools.cache
def _lines() -> dict[str, str]:
    """Definition name -> its line."""
    text = (Path(__file__).parent / "gofacts.txt").read_text()
    return dict(line.split(" ", 1) for line in text.splitlines())


@functools.cache
def fields(name: str) -> Mapping[str, Fact]:
    """Facts of a definition's fields in Go's order; empty for a definition that is not a struct."""
    found = {}
    for word in _lines().get(_short(name), "").split():
        match = _WORD.match(word)
        assert match is not None, word
        via, field, pointer, always, omitzero, go = match.groups()
        found[field] = Fact(bool(pointer), not always, bool(omitzero), go or "", via or "")
    return found


@functools.cache
def _enums() -> dict[str, list[str]]:
    """Field ("core.v1.PodSpec.dnsPolicy") -> its values."""
    rows = orjson.loads((Path(__file__).parent / "enums.json").read_bytes())
    return {field: values for values, fields_ in rows for field in fields_}


def enum(name: str, field: str) -> list[str]:
    """The values that a definition's field takes, sorted; [] for one that is not enumerated."""
    return _enums().get(f"{_short(name)}.{field}", [])


def guess(required: bool) -> Fact:
    """The facts of a field that nobody wrote down: required ones are always encoded, optional ones pointers."""
    return Fact(pointer=not required, omitempty=not required)


def go_name(name: str) -> str:
    """Go's name of a definition's type: package and type, "v1.PodSpec"."""
    return ".".join(name.rsplit(".", 2)[-2:])


def _short(name: str) -> str:
    """The line's key: group, version and type, "core.v1.PodSpec"."""
    return ".".join(name.rsplit(".", 3)[-3:])
