"""The cluster's state as one file: gzipped JSON lines, first what it is, then one object a line with its revisions.

The keys and certificates are not part of it: a restored cluster is a cluster of its own.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import orjson

from fakeapi.storage.base import Entry

FORMAT = 1


class BackupError(Exception):
    """Not a backup; the message is one line for a person."""


def dump(entries: Iterable[Entry], revision: int, minor: int) -> bytes:
    """The file."""
    lines = [orjson.dumps({"fakekube": FORMAT, "kubernetes": f"1.{minor}", "revision": revision})]
    for entry in entries:
        found = {
            "key": entry.key,
            "revision": entry.revision,
            "created": entry.created,
            "value": orjson.Fragment(entry.value),
        }
        lines.append(orjson.dumps(found))
    return gzip.compress(b"\n".join(lines) + b"\n", compresslevel=5, mtime=0)


def load(data: bytes) -> tuple[tuple[Entry, ...], int]:
    """(entries, revision). BackupError."""
    try:
        head, *lines = gzip.decompress(data).splitlines()
        found = orjson.loads(head)
        if found["fakekube"] != FORMAT:
            raise BackupError(f"a backup of a format that this fakekube does not read: {found['fakekube']}")
        entries = tuple(_entry(orjson.loads(line)) for line in lines)
        return entries, int(found["revision"])
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise BackupError("this is no backup that fakekube made") from error


def _entry(found: dict[str, object]) -> Entry:
    key, revision, created = found["key"], found["revision"], found["created"]
    if not isinstance(key, str) or not isinstance(revision, int) or not isinstance(created, int):
        raise TypeError("entry")
    return Entry(key, orjson.dumps(found["value"]), revision, created)
