"""`fakekube kubeconfig`: print a cluster's kubeconfig, merge it into another, make one for a further user."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from fakeapi.commands.common import say
from kubeconfig import model

DEFAULT = Path("fakekube.kubeconfig")


def register(commands: Any) -> None:
    """Add the parser and its own subcommands."""
    parser = commands.add_parser(
        "kubeconfig", help="print, merge and generate kubeconfigs", description=__doc__, allow_abbrev=False
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    printing = actions.add_parser("print", help="write a cluster's kubeconfig to stdout")
    printing.set_defaults(run=_guarded(_print))
    merging = actions.add_parser("merge", help="add a cluster's kubeconfig to another file and make it current")
    merging.add_argument(
        "--into",
        type=Path,
        default=None,
        metavar="PATH",
        help="the file to add to (default $KUBECONFIG or ~/.kube/config)",
    )
    merging.set_defaults(run=_guarded(_merge))
    generating = actions.add_parser(
        "generate", help="make a kubeconfig for a further user, signed with the cluster's CA"
    )
    generating.add_argument(
        "--cert-dir", type=Path, required=True, metavar="DIR", help="the cluster's --cert-dir (or DATA/pki)"
    )
    generating.add_argument("--user", required=True, metavar="NAME", help="the user's name")
    generating.add_argument(
        "--group", action="append", default=[], metavar="NAME", help="a group of the user; may be repeated"
    )
    generating.add_argument(
        "--output", type=Path, default=None, metavar="PATH", help="where to write it (default stdout)"
    )
    generating.set_defaults(run=_guarded(_generate))
    for action in (printing, merging, generating):
        action.add_argument(
            "--kubeconfig",
            type=Path,
            default=DEFAULT,
            metavar="PATH",
            help=f"the cluster's kubeconfig (default ./{DEFAULT})",
        )


def _guarded(action: Any) -> Any:
    def run(options: argparse.Namespace) -> int:
        try:
            action(options)
        except (model.KubeconfigError, OSError) as error:
            say(f"fakekube: {error}")
            return 1
        return 0

    return run


def _print(options: argparse.Namespace) -> None:
    sys.stdout.write(model.dump(model.load(options.kubeconfig)))


def _merge(options: argparse.Namespace) -> None:
    into: Path = options.into or Path(
        os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or Path.home() / ".kube" / "config"
    )
    base = model.load(into) if into.exists() else {}
    added = model.load(options.kubeconfig)
    model.write(into, model.merge(base, added))
    say(f"{into} now has the context {added.get('current-context', '')}, and it is current.")


def _generate(options: argparse.Namespace) -> None:
    from kubeconfig import certificates

    ca_certificate, ca_key = options.cert_dir / "ca.crt", options.cert_dir / "ca.key"
    ca = certificates.KeyPair(ca_certificate.read_bytes(), ca_key.read_bytes())
    pair = certificates.sign(ca, options.user, options.group)
    server = model.access(model.load(options.kubeconfig), options.kubeconfig.parent).server
    config = model.make(server=server, ca=ca.certificate, certificate=pair.certificate, key=pair.key, user=options.user)
    if options.output is None:
        sys.stdout.write(model.dump(config))
    else:
        model.write(options.output, config)
