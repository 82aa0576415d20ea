"""`fakekube backup FILE` and `restore FILE`: a cluster's state to and from one file.

Of a running server through its admin endpoint (--kubeconfig), of a stopped one in its directory (--data).
"""

from __future__ import annotations

import argparse
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from fakeapi.commands.common import UserError, run_plain, say


def register(commands: Any) -> None:
    """Add the parsers."""
    for name, what, run in (
        ("backup", "write a cluster's state to a file", _backup),
        ("restore", "put a cluster into a file's state", _restore),
    ):
        parser = commands.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}. Keys and certificates are no part of it.",
            allow_abbrev=False,
        )
        parser.add_argument("file", type=Path, metavar="FILE", help="the file")
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--kubeconfig", type=Path, metavar="PATH", help="a running server, as administrator")
        where.add_argument("--data", type=Path, metavar="DIR", help="the directory of a stopped one")
        parser.set_defaults(run=lambda options, run=run: run_plain(lambda: run(options)))


def _backup(options: argparse.Namespace) -> int:
    if options.kubeconfig:
        data = _ask(options.kubeconfig, "GET", "/fakekube/backup")
    else:
        from fakeapi import backup

        storage = _open(options.data)
        try:
            data = backup.dump(storage.entries(), storage.newest, 36)
        finally:
            storage.shut()
    try:
        options.file.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot write {options.file}: {error.strerror}") from None
    say(f"Wrote {options.file} ({len(data)} bytes).")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from fakeapi import backup

    try:
        data = options.file.read_bytes()
        entries, revision = backup.load(data)
    except OSError as error:
        raise UserError(f"cannot read {options.file}: {error.strerror}") from None
    except backup.BackupError as error:
        raise UserError(f"{options.file}: {error}") from None
    if options.kubeconfig:
        _ask(options.kubeconfig, "POST", "/fakekube/restore", data)
    else:
        storage = _open(options.data, make=True)
        try:
            storage.replace(entries, revision)
        finally:
            storage.shut()
    say(f"Restored {len(entries)} objects.")
    return 0


def _open(directory: Path, make: bool = False) -> Any:
    from fakeapi.storage.sqlite import FILE, SqliteStorage, StoreInUse

    if not make and not (directory / FILE).exists():
        raise UserError(f"{directory} holds no cluster")
    try:
        return SqliteStorage(directory / FILE)
    except StoreInUse as error:
        raise UserError(f"{error}; use --kubeconfig for a running server") from None
    except OSError as error:
        raise UserError(f"cannot use {directory}: {error.strerror}") from None


def _ask(kubeconfig: Path, method: str, path: str, body: bytes | None = None) -> bytes:
    """One request as the kubeconfig's user. UserError."""
    import tempfile

    from kubeconfig import model

    try:
        access = model.access(model.load(kubeconfig), kubeconfig.parent)
    except model.KubeconfigError as error:
        raise UserError(str(error)) from None
    context = ssl.create_default_context(cadata=access.ca.decode() or None)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        if access.certificate:
            file.write(access.certificate + b"\n" + access.key)
            file.flush()
            context.load_cert_chain(file.name)
    headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    request = urllib.request.Request(access.server + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        raise UserError(
            f"{access.server} answers {error.code}: {error.read().decode('utf-8', 'replace').strip()[:500]}"
        ) from None
    except OSError as error:
        raise UserError(f"cannot reach {access.server}: {getattr(error, 'reason', error)}") from None
