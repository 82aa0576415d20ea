"""`fakekube conformance fuzz|record|replay`: hold an API server against a model, another server, or recordings."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakeapi.commands.common import UserError, count, run_plain, say

if TYPE_CHECKING:
    from conformance.target import Target

EPILOG = """\
examples:
  fakekube conformance fuzz --examples 2000               a new fakekube against the built-in model
  fakekube conformance fuzz --reference ~/.kube/config    a new fakekube against a real cluster
  fakekube conformance record cases.json --kubeconfig ~/.kube/config --out traces
  fakekube conformance replay traces/cases.trace.json     what a new fakekube answers otherwise
"""


def register(commands: Any) -> None:
    """Add the parser and its own subcommands."""
    parser = commands.add_parser(
        "conformance", help="hold the fake against a real cluster", description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    fuzz = _add(actions, "fuzz", "generated requests, compared with a model or another server", _fuzz)
    fuzz.add_argument(
        "--reference", type=Path, metavar="PATH", help="kubeconfig of the server that is right (default: a model)"
    )
    fuzz.add_argument(
        "--examples", type=count, default=200, metavar="N", help="how many sequences to try (default 200)"
    )
    fuzz.add_argument("--seed", type=int, metavar="S", help="makes a run repeatable")
    record = _add(actions, "record", "keep what a server answers to scenarios", _record)
    record.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="files of scenarios, or recordings to be made anew"
    )
    record.add_argument("--out", type=Path, required=True, metavar="DIR", help="where FILE.trace.json are written")
    replay = _add(actions, "replay", "ask again what was recorded, and compare", _replay)
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings")
    replay.add_argument("--only", default="", metavar="REGEX", help="only scenarios whose name matches")


def _add(actions: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=what, description=f"{name.title()}: {what}.", allow_abbrev=False
    )
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="PATH", help="the server to look at (default: a new fakekube)"
    )
    parser.set_defaults(run=lambda options: run_plain(lambda: run(options)))
    return parser


@contextmanager
def _target(kubeconfig: Path | None, nodes: int) -> Iterator[Target]:
    """The server that is asked for, or a new one. UserError."""
    from conformance.target import Target
    from kubeconfig.model import KubeconfigError

    try:
        if kubeconfig is not None:
            target = Target(kubeconfig)
            yield target
            target.close()
            return
        from fakeapi.cluster import Cluster

        parts = {"controllers": "*" if nodes else "", "scheduler": bool(nodes)}
        with Cluster(nodes, controllers=str(parts["controllers"]), scheduler=bool(parts["scheduler"])) as cluster:
            target = Target(Path(cluster.kubeconfig))
            yield target
            target.close()
    except KubeconfigError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"cannot reach the server: {error}") from None


def _fuzz(options: argparse.Namespace) -> int:
    from conformance import fuzz
    from conformance.machine import SetupError
    from conformance.target import Target
    from conformance.things import finish

    begun = time.monotonic()
    with _target(options.kubeconfig, 0) as target:
        reference = Target(options.reference) if options.reference else None
        try:
            result = fuzz.fuzz(target, reference, options.examples, options.seed, _progress(options.examples))
        except SetupError as error:
            raise UserError(str(error)) from None
        finally:
            for server in (target if options.kubeconfig else None, reference):
                if server is not None:
                    finish(server)
    seconds = time.monotonic() - begun
    if result.divergence is not None:
        print(result.divergence.report)
        say(f"A divergence after {result.examples} sequences in {seconds:.0f} s.")
        return 1
    say(f"No divergence in {result.examples} sequences, {seconds:.0f} s.")
    return 0


def _progress(examples: int) -> Any:
    every = max(examples // 10, 1)

    def tell(tried: int) -> None:
        if tried % every == 0 and sys.stderr.isatty():
            say(f"  {tried} of {examples}")

    return tell


def _record(options: argparse.Namespace) -> int:
    from conformance import recordings

    try:
        loaded = {file: recordings.load(file) for file in options.files}
    except recordings.RecordingError as error:
        raise UserError(str(error)) from None
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {options.out}: {error.strerror}") from None
    with _target(options.kubeconfig, _nodes([s for scenarios in loaded.values() for s in scenarios])) as target:
        for file, scenarios in loaded.items():
            recorded = recordings.record(target, scenarios)
            name = re.sub(r"(\.cases|\.trace)?\.json$", "", file.name)
            out = options.out / f"{name}.trace.json"
            out.write_text(json.dumps({"scenarios": recorded}, indent=1, ensure_ascii=False))
            say(f"Wrote {out}: {len(recorded)} scenarios.")
    return 0


def _nodes(scenarios: list[dict[str, Any]]) -> int:
    """How many nodes a new fakekube needs: scenarios without "cluster" are about an API server alone."""
    return 3 if any(scenario.get("cluster") for scenario in scenarios) else 0


def _replay(options: argparse.Namespace) -> int:
    from conformance import recordings

    same = total = 0
    try:
        loaded = [scenario for file in options.files for scenario in recordings.load(file)]
        chosen = [scenario for scenario in loaded if re.search(options.only, scenario["name"])]
        unrecorded = [s["name"] for s in chosen if not all("want" in step for step in s["steps"])]
    except recordings.RecordingError as error:
        raise UserError(str(error)) from None
    except re.error as error:
        raise UserError(f"--only: {error}") from None
    if unrecorded:
        raise UserError(f"{unrecorded[0]!r} has no recorded answers; fakekube conformance record makes them")
    with _target(options.kubeconfig, _nodes(chosen)) as target:
        for number, scenario in enumerate(chosen, 1):
            if sys.stderr.isatty():
                say(f"  {number} of {len(chosen)}: {scenario['name']}")
            total += 1
            lines = recordings.replay(target, scenario)
            same += not lines
            if lines:
                print("\n".join([scenario["name"], *(f"  {line}" for line in lines)]))
    say(f"{same} of {total} scenarios are as recorded.")
    return 0 if same == total else 1
