"""Which fields the messages of built-in kinds have: the table schema/protofields.txt.

A line is a message's name and its fields: number, label, JSON name, colon, type (a scalar's letter, or another line's
number). Labels: o, a value, which is always written; p, a pointer, written when set; r, repeated; m, a map; i, an
embedded struct, whose fields are the outer object's in JSON.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import NamedTuple

MAGIC = b"k8s\x00"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."


class Field(NamedTuple):
    """label: o, p, r, m or i; type: s(tring), b(ytes), n(umber), f(lag), d(ouble), or another message's number."""

    label: str
    name: str
    type: str


@functools.cache
def _lines() -> list[str]:
    return resources.files("fakeapi.schema").joinpath("protofields.txt").read_text().splitlines()


@functools.cache
def numbers() -> dict[str, int]:
    """Where each message stands in the table."""
    return {line.split(" ", 1)[0]: number for number, line in enumerate(_lines())}


@functools.cache
def layout(number: int) -> tuple[str, dict[int, Field]]:
    """A message's name and its fields by number."""
    name, *parts = _lines()[number].split(" ")
    fields = {}
    for part in filter(None, parts):
        text, kind = part.rsplit(":", 1)
        digits = len(text) - len(text.lstrip("0123456789"))
        fields[int(text[:digits])] = Field(text[digits], text[digits + 1 :], kind)
    return name, fields


@functools.cache
def _places() -> dict[tuple[str, str, str], int]:
    """(package, version, kind) -> number."""
    return {tuple(name.rsplit(".", 3)[-3:]): number for name, number in numbers().items()}  # type: ignore[misc]


def message_of(api_version: str, kind: str) -> int | None:
    """The message of a kind; those of no group are core's or meta's."""
    group, _, version = api_version.rpartition("/")
    packages = (group.split(".", 1)[0],) if group else ("core", "meta")
    found = (_places().get((package, version, kind)) for package in packages)
    return next((number for number in found if number is not None), None)
