"""`fakekube nodes`, `scheduler`, `controllers`: one component attached to an API server by kubeconfig, ours or real."""

from __future__ import annotations

import argparse
import asyncio
import socket
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fakeapi.commands.common import UserError, boolean, cidr, count, duration, run, say, unless
from fakeapi.commands.runtimes import add_manifest_flag, add_plugins_flag, add_runtime_flag, profiles_of, runtime_of

AGENTS = {"nodes": "kubelet", "scheduler": "kube-scheduler", "controllers": "kube-controller-manager"}
NAMESPACE = "kube-system"
_LEASE_FLAGS = (
    ("lease-duration", "15s", "how long a leader is waited for that does not renew its lease"),
    ("renew-deadline", "10s", "how long a leader that cannot renew goes on working; less than the lease duration"),
    ("retry-period", "2s", "how often to renew the lease, or to try to get it"),
)
# Options' key material -> the flag that names its file.
_FILES = {
    "root_ca": "--root-ca-file",
    "signing_certificate": "--cluster-signing-cert-file",
    "signing_key": "--cluster-signing-key-file",
    "service_account_key": "--service-account-private-key-file",
}


def register(commands: Any) -> None:
    """Add the parsers."""
    nodes = _add(commands, "nodes", "hollow nodes")
    nodes.add_argument("--count", type=count, default=3, metavar="N", help="how many (default 3)")
    nodes.add_argument(
        "--prefix", default="node-", metavar="TEXT", help="their names are this and a number (default node-)"
    )
    add_runtime_flag(nodes)
    add_manifest_flag(nodes)
    nodes.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NODE:KIND[=SECONDS][@SECONDS][+SECONDS]",
        help=(
            "let a node fail after so long for so long: stop, pause, slow (=SECONDS), partition, crash,"
            " memory-pressure, disk-pressure, pid-pressure; may be repeated"
        ),
    )
    scheduler = _add(commands, "scheduler", "the scheduler")
    add_plugins_flag(scheduler)
    controllers = _add(commands, "controllers", "the controllers")
    controllers.add_argument(
        "--controllers",
        default="*",
        metavar="LIST",
        help="which: '*', '*,-cronjob', 'deployment,replicaset' (default '*')",
    )
    controllers.add_argument(
        "--use-service-account-credentials",
        type=boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="run each controller as its own service account, by impersonation (default false)",
    )
    for flag, help in zip(
        _FILES.values(),
        (
            "CA that pods find in kube-root-ca.crt (default the kubeconfig's)",
            "certificate of the CA that signs requests (default: none are signed)",
            "its key",
            "key that signs the tokens of Secrets (default: none are made)",
        ),
        strict=True,
    ):
        controllers.add_argument(flag, type=Path, metavar="FILE", help=help)
    controllers.add_argument(
        "--load-balancer-cidr",
        type=cidr,
        metavar="CIDR",
        help="give Services of type LoadBalancer addresses of a hollow cloud (default: there is none)",
    )
    for parser in (scheduler, controllers):
        parser.add_argument(
            "--leader-elect",
            type=boolean,
            nargs="?",
            const=True,
            default=True,
            metavar="BOOL",
            help="work only while holding the lease (default true)",
        )
        for part, default, help in _LEASE_FLAGS:
            parser.add_argument(
                f"--leader-elect-{part}",
                type=duration,
                default=duration(default),
                metavar="DURATION",
                help=f"{help} (default {default})",
            )


def _add(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=f"{what}, attached to an API server",
        description=f"Run {what} against the API server of a kubeconfig.",
        allow_abbrev=False,
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, metavar="PATH", help="how to reach the API server")
    parser.add_argument(
        "--context", default=None, metavar="NAME", help="a context of the kubeconfig other than the current one"
    )
    parser.set_defaults(run=_run, component=name)
    return parser


def _run(options: argparse.Namespace) -> int:
    return run(lambda stop: _attach(options, stop))


def _plan(options: argparse.Namespace) -> Any:
    from fakenodes.components import Plan
    from fakenodes.kubelet.faults import parse_fault
    from fakenodes.kubelet.manifests import parse_path

    plans = {
        "nodes": lambda: Plan(
            controllers="",
            scheduler=False,
            nodes=options.count,
            node_prefix=options.prefix,
            faults=tuple(map(parse_fault, options.fault)),
            manifests=tuple(map(parse_path, options.pod_manifest_path)),
            runtime=runtime_of(options.runtime),
        ),
        "scheduler": lambda: Plan(
            controllers="", scheduler=True, nodes=0, profiles=profiles_of(options.scheduler_plugins)
        ),
        "controllers": lambda: Plan(
            controllers=options.controllers, scheduler=False, nodes=0, options=_options(options)
        ),
    }
    return plans[options.component]()


def _options(options: argparse.Namespace) -> Any:
    """The controllers' key material. OSError, KubeconfigError."""
    from fakenodes.controllers.base import Options
    from kubeconfig import model

    found: dict[str, bytes] = {}
    for name, flag in _FILES.items():
        path: Path | None = getattr(options, flag.removeprefix("--").replace("-", "_"))
        found[name] = path.read_bytes() if path is not None else b""
    root = (
        found["root_ca"] or model.access(model.load(options.kubeconfig), options.kubeconfig.parent, options.context).ca
    )
    return Options(
        root.decode(),
        found["signing_certificate"],
        found["signing_key"],
        (lambda: found["service_account_key"]) if found["service_account_key"] else None,
        options.load_balancer_cidr or "",
    )


async def _attach(options: argparse.Namespace, stop: asyncio.Event) -> int:
    from fakeapi.clock import RealClock
    from fakenodes.client.http import HttpClient, Target, impersonating, load_target
    from fakenodes.components import Components
    from kubeconfig.model import KubeconfigError

    try:
        target: Target = load_target(options.kubeconfig, options.context)
        plan = _plan(options)
    except (OSError, ValueError, KubeconfigError) as error:
        raise UserError(f"cannot use {options.kubeconfig}: {error}") from None
    agent = f"{AGENTS[options.component]}/v1.36.2 (linux/amd64) kubernetes/fakekube"
    clients: dict[str, HttpClient] = {}
    apart = getattr(options, "use_service_account_credentials", False)

    def client_of(user: str) -> HttpClient:
        known = user if apart else ""
        if known not in clients:
            clients[known] = HttpClient(impersonating(target, user) if apart else target, agent)
        return clients[known]

    parts = Components(client_of, RealClock(), plan)

    async def work() -> None:
        await parts.start()
        say(f"{options.component} attached to {target.server}; Ctrl-C ends it.")
        await (parts.wait() if options.component != "controllers" else asyncio.Event().wait())

    try:
        elect = getattr(options, "leader_elect", False)
        await unless(stop, _leading(client_of, options, work, parts.stop) if elect else work())
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from None
    finally:
        await parts.stop()
        for client in clients.values():
            await client.close()
    return 0


async def _leading(
    client_of: Callable[[str], Any],
    options: argparse.Namespace,
    work: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
) -> None:
    """Do the work while the lease is ours, and end it before the lease is given up. UserError when it is lost."""
    from fakeapi.clock import RealClock
    from fakenodes.events import EventRecorder
    from fakenodes.leases import Elector, Timing

    name = AGENTS[options.component]
    timing = Timing(*(getattr(options, f"leader_elect_{part.replace('-', '_')}") for part, _, _ in _LEASE_FLAGS))
    clock = RealClock()
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    client = client_of(f"system:{name}")
    recorder = EventRecorder(client, clock, name)

    async def lead() -> None:
        try:
            await work()
        finally:
            await end()

    try:
        await Elector(client, clock, NAMESPACE, name, identity, recorder, timing).run(lead)
    finally:
        await recorder.stop()
    raise UserError("leader election lost")
