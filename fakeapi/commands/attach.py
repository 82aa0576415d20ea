"""`fakekube nodes`, `scheduler`, `controllers`: one component attached to any API server by kubeconfig, ours or real."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from fakeapi.commands.common import UserError, count, run, say


def register(commands: Any) -> None:
    """Add the parsers."""
    nodes = _add(commands, "nodes", "hollow nodes")
    nodes.add_argument("--count", type=count, default=3, metavar="N", help="how many (default 3)")
    nodes.add_argument("--prefix", default="node-", metavar="TEXT", help="their names are this and a number (default node-)")
    _add(commands, "scheduler", "the scheduler")
    controllers = _add(commands, "controllers", "the controllers")
    controllers.add_argument("--controllers", default="*", metavar="LIST", help="which: '*', '*,-cronjob', 'deployment,replicaset' (default '*')")


def _add(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=f"{what}, attached to an API server", description=f"Run {what} against the API server of a kubeconfig.", allow_abbrev=False)
    parser.add_argument("--kubeconfig", type=Path, required=True, metavar="PATH", help="how to reach the API server")
    parser.add_argument("--context", default="", metavar="NAME", help="a context of the kubeconfig other than the current one")
    parser.set_defaults(run=_run, component=name)
    return parser


def _run(options: argparse.Namespace) -> int:
    return run(lambda stop: _attach(options, stop))


def _plan(options: argparse.Namespace) -> Any:
    from fakenodes.components import Plan

    plans = {
        "nodes": lambda: Plan(controllers="", scheduler=False, nodes=options.count, node_prefix=options.prefix),
        "scheduler": lambda: Plan(controllers="", scheduler=True, nodes=0),
        "controllers": lambda: Plan(controllers=options.controllers, scheduler=False, nodes=0),
    }
    return plans[options.component]()


async def _attach(options: argparse.Namespace, stop: asyncio.Event) -> int:
    from fakeapi.clock import RealClock
    from fakeapi.commands.up import _until
    from fakenodes.client.http import HttpClient, load_target
    from fakenodes.components import Components

    try:
        target = load_target(options.kubeconfig, options.context)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot use {options.kubeconfig}: {error}") from None
    agents = {"nodes": "kubelet", "scheduler": "kube-scheduler", "controllers": "kube-controller-manager"}
    client = HttpClient(target, f"{agents[options.component]}/v1.36.2 (linux/amd64) kubernetes/fakekube")
    parts = Components(lambda _user: client, RealClock(), _plan(options))
    try:
        await parts.start()
        say(f"{options.component} attached to {target.server}; Ctrl-C ends it.")
        await _until(stop, parts.wait() if options.component != "controllers" else stop.wait())
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from None
    finally:
        await parts.stop()
        await client.close()
    return 0
