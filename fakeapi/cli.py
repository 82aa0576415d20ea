"""The command `fakekube`: each subcommand's flags, and what runs it.

serve's flags are named and meant as kube-apiserver's. Errors of a person are one line on stderr and status 2 (bad
flags) or 1 (the rest); nothing here prints a traceback. Commands import what they need when they run, so that --help is
quick.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from fakeapi.commands import attach, backups, conformance, kubeconfigs, serve, up
from fakeapi.garbage import THRESHOLDS

DEFAULT_KUBECONFIG = Path("fakekube.kubeconfig")

EPILOG = """\
examples:
  fakekube up                                  a cluster with three nodes; Ctrl-C ends it
  fakekube up --nodes 5 -- kubectl get nodes   run one command against a new cluster, then stop
  fakekube serve --secure-port 0               the API server alone
  fakekube kubeconfig merge                    add the running cluster to ~/.kube/config
"""


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line that says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """--version; importlib.metadata is slow to import and only needed here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"fakekube {version('fakekube')}")
        parser.exit()


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="fakekube",
        description="A Kubernetes control plane and its nodes, faked: real kubectl and real clients work on it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print fakekube's version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for module in (up, serve, attach, kubeconfigs, backups, conformance):
        module.register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, command = arguments[:at], arguments[at + 1 :]
    options = build_parser().parse_args(arguments)
    options.command = command
    gc.set_threshold(*THRESHOLDS)
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
